package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

type facts struct{ list []event.Event }

func (f *facts) Write(_ context.Context, events ...event.Event) ([]event.Event, error) {
	f.list = append(f.list, events...)
	return events, nil
}

func (f *facts) take(t *testing.T) []event.Silence {
	t.Helper()
	var out []event.Silence
	for _, e := range f.list {
		b, err := e.Payload()
		if err != nil || e.Source == "" {
			t.Fatalf("%+v: %v", e, err)
		}
		out = append(out, *b.(*event.Silence))
	}
	f.list = nil
	return out
}

// startAlertmanager runs a real Alertmanager on loopback until the test ends.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("prometheus-alertmanager is missing: apt-get install -y prometheus-alertmanager")
		}
		t.Skip("SKIPPED: prometheus-alertmanager is missing: apt-get install -y prometheus-alertmanager")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it ends with the test
		_ = cmd.Wait()
	})
	url := "http://" + addr
	eventually(t, "the Alertmanager is ready", func() bool {
		resp, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in 30 s it did not come true that %s", what)
		}
	}
}

// The silences of a real Alertmanager become facts: set, with what they mute, and
// ended before their time; each once.
func TestSilencesOfARealAlertmanager(t *testing.T) {
	url := startAlertmanager(t)
	post := func(path string, v any) map[string]any {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url+path, "application/json", strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", path, resp.Status, body, err)
		}
		out := map[string]any{}
		_ = json.Unmarshal(body, &out) // some answers are empty
		return out
	}
	f := &facts{}
	s := NewSilences(SilenceOptions{URL: url + "/", Source: "am", Journal: f, Now: time.Now})
	poll := func() []event.Silence {
		t.Helper()
		if err := s.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.take(t)
	}
	if got := poll(); len(got) != 0 {
		t.Fatalf("of nothing: %+v", got)
	}
	now := time.Now().UTC()
	post("/api/v2/alerts", []map[string]any{{"labels": map[string]string{"alertname": "Down", "instance": "db1:9100"}}, {"labels": map[string]string{"alertname": "Down", "instance": "db2:9100"}}})
	id, _ := post("/api/v2/silences", map[string]any{
		"matchers":  []map[string]any{{"name": "instance", "value": "db1.*", "isRegex": true, "isEqual": true}},
		"createdBy": "ann", "comment": "new disk", "startsAt": now.Format(time.RFC3339), "endsAt": now.Add(time.Hour).Format(time.RFC3339),
	})["silenceID"].(string)
	var got []event.Silence
	eventually(t, "the silence and what it mutes are told", func() bool {
		got = append(got, poll()...)
		return len(got) > 0 && len(got[len(got)-1].Muted) == 1
	})
	x := got[len(got)-1]
	if x.ID != id || x.CreatedBy != "ann" || x.Comment != "new disk" || len(x.Matchers) != 1 || x.Matchers[0] != `instance=~"db1.*"` || x.Muted[0].Get("instance") != "db1:9100" || x.Ended {
		t.Errorf("%+v", x)
	}
	if again := poll(); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/api/v2/silence/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, "the end of the silence is told", func() bool {
		got = poll()
		return len(got) == 1 && got[0].Ended && got[0].ID == id
	})
	if again := poll(); len(again) != 0 {
		t.Errorf("its end is told again: %+v", again)
	}
}

// What answers badly changes nothing and says so; a silence that came to its end
// as it said needs no fact.
func TestSilencesThatCannotBeRead(t *testing.T) {
	answer, state := "", "active"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case answer != "":
			fmt.Fprint(w, answer)
		case strings.HasPrefix(r.URL.Path, "/api/v2/alerts"):
			fmt.Fprint(w, "[]")
		default:
			fmt.Fprintf(w, `[{"id":"a","status":{"state":%q},"matchers":[{"name":"x","value":"y","isRegex":false}],"startsAt":"2026-05-04T10:00:00Z","endsAt":"2026-05-04T11:00:00Z"}]`, state)
		}
	}))
	defer srv.Close()
	now := time.Date(2026, 5, 4, 10, 30, 0, 0, time.UTC)
	f := &facts{}
	s := NewSilences(SilenceOptions{URL: srv.URL, Source: "am", Journal: f, Now: func() time.Time { return now }})
	if err := s.Poll(t.Context()); err != nil || len(f.take(t)) != 1 {
		t.Fatal(err)
	}
	answer = "<html>"
	if err := s.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "am") {
		t.Errorf("%v", err)
	}
	answer, state, now = "", "expired", now.Add(time.Hour)
	if err := s.Poll(t.Context()); err != nil || len(f.list) != 0 {
		t.Errorf("%v, %v", err, f.list)
	}
}
