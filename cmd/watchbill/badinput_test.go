package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/app"
)

// documented returns the rows of the table under a heading of docs/bad-input.md; cells
// in backquotes are without them.
func documented(t *testing.T, heading string) [][]string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "bad-input.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/bad-input.md has no heading %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows [][]string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, c := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(c), "`")
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("the table under %q has no rows", heading)
	}
	return rows[2:]
}

// words calls the program as main does.
func words(args ...string) (code int, errors string) {
	var out, err bytes.Buffer
	code = run(args, streams{strings.NewReader(""), &out, &err})
	return code, err.String()
}

func TestBadFlags(t *testing.T) {
	rows := documented(t, "Flags")
	t.Chdir(t.TempDir()) // away from a ./data of this machine
	for _, row := range rows {
		code, says := words(strings.Fields(row[0])[1:]...)
		if strconv.Itoa(code) != row[1] || !strings.Contains(says, row[2]) {
			t.Errorf("%s\n ends with %d and says %s want %s and %s", row[0], code, says, row[1], row[2])
		}
	}
}

func TestBadConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watchbill.yml")
	for _, row := range documented(t, "Configuration") {
		if err := os.WriteFile(file, []byte(row[0]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, says := words("check-config", file)
		if code != exitFailed || !strings.Contains(says, row[1]) {
			t.Errorf("%s\n ends with %d and says %s want %s", row[0], code, says, row[1])
		}
	}
}

func TestBadBodies(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	const admin = "test-admin-token-0123456789abcdef0123456789abcdef"
	go func() {
		ended <- app.Run(ctx, app.Options{ListenAddress: addr, StoragePath: t.TempDir(), AdminToken: admin, Version: "test", Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, nil)
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	send := func(method, path, token, header, body string) (int, string, error) {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		if name, value, ok := strings.Cut(header, ": "); ok {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	wait := func(what string, ok func() (bool, string)) {
		t.Helper()
		var last string
		for late := time.Now().Add(30 * time.Second); time.Now().Before(late); {
			good, says := ok()
			if good {
				return
			}
			last = says
			select {
			case err := <-ended:
				ended <- nil
				t.Fatalf("the server ended: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
		}
		t.Fatalf("%s: %s", what, last)
	}
	wait("ready", func() (bool, string) {
		code, says, err := send("GET", "/-/ready", admin, "", "")
		return err == nil && code == http.StatusOK, says
	})
	var made struct {
		Token string `json:"token"`
	}
	if _, says, err := send("POST", "/api/v1/tokens", admin, "", `{"name":"bad","role":"ingest"}`); err != nil || json.Unmarshal([]byte(says), &made) != nil || made.Token == "" {
		t.Fatalf("no ingest token: %v %s", err, says)
	}
	for _, row := range documented(t, "The Alertmanager receiver") {
		header, body, want, says := row[0], row[1], row[2], row[3]
		code, answer, err := send("POST", "/api/v1/ingest/alertmanager", made.Token, header, body)
		if err != nil {
			t.Fatal(err)
		}
		if strconv.Itoa(code) != want {
			t.Errorf("%s %s\n gets %d %s want %s", header, body, code, answer, want)
			continue
		}
		holds := func(s string) bool {
			quoted, _ := json.Marshal(says)
			return strings.Contains(s, strings.Trim(string(quoted), `"`))
		}
		if code != http.StatusOK {
			if !holds(answer) {
				t.Errorf("%s %s\n gets %s want %s", header, body, answer, says)
			}
			continue
		}
		wait(body, func() (bool, string) {
			_, list, err := send("GET", "/api/v1/quarantine", admin, "", "")
			return err == nil && holds(list), list
		})
	}
}
