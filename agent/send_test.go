package agent_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
)

func TestPinnedAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"credential":"c","ci":"h"}`))
	}))
	defer server.Close()
	write := func(der []byte) string {
		name := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	enrol := func(caFile string) error {
		s, err := agent.NewServer(server.URL, caFile, "test")
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Enroll(t.Context(), "join", report.EnrollRequest{Agent: report.Agent{ID: "a"}})
		return err
	}
	if err := enrol(write(server.Certificate().Raw)); err != nil {
		t.Errorf("with the server's own authority: %v", err)
	}
	if err := enrol(""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with the system's authorities: %v, want a refusal", err)
	}
	if err := enrol(strangeAuthority(t)); err == nil {
		t.Error("a server signed by another authority was trusted")
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "none"), write([]byte("x"))} {
		if _, err := agent.NewServer(server.URL, bad, "test"); err == nil || !strings.Contains(err.Error(), "--tls.ca-file") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestHostileServerIsContained(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the credential was carried to another place: %s", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	answers := map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"credential":"` + strings.Repeat("x", 4<<20) + `"}`))
		},
		"no JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no credential": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"busy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"title":"busy","detail":"come back later"}`))
		},
	}
	for name, handler := range answers {
		server := httptest.NewServer(handler)
		s, err := agent.NewServer(server.URL, "", "test")
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Enroll(t.Context(), "join", report.EnrollRequest{Agent: report.Agent{ID: "a"}})
		if err == nil {
			t.Errorf("%s: taken for an enrolment", name)
		}
		var status *agent.StatusError
		if name == "busy" && (!errors.As(err, &status) || status.RetryAfter != 7*time.Second || !strings.Contains(err.Error(), "come back later")) {
			t.Errorf("busy: %v", err)
		}
		server.Close()
	}
}
