package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/fault"
)

// A reload that says "reloaded" has put what the file says into force, or names
// what it has not.
func TestReloadAppliesOrSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watchbill.yml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	s := newServer(Options{ConfigFile: file, ListenAddress: "127.0.0.1:0", StoragePath: t.TempDir(), Version: "test", Logger: slog.New(slog.DiscardHandler), Out: &words{}}, time.Now)
	t.Cleanup(func() {
		if err := s.life.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	post := func(text string) error {
		_, err := s.collector.Alertmanager(t.Context(), "am", collector.Body{Reader: strings.NewReader(text), Length: int64(len(text))})
		return err
	}
	body := `{"version":"4","alerts":[]}`
	if err := post(body); err != nil || s.ready() != nil {
		t.Fatalf("before: %v, %v", err, s.ready())
	}

	write("storage: {free_space_watermark_mib: 99999999, journal_retention: 2h}\nnotifications: {heartbeat_url: 'http://127.0.0.1:1/'}\n")
	for range 2 { // it is told again until the restart
		later, err := s.load(t.Context())
		if err != nil || !slices.Equal(later, []string{"notifications.heartbeat_url"}) {
			t.Errorf("needs a restart: %v, %v", later, err)
		}
	}
	if err := post(body); fault.KindOf(err) != fault.Unavailable || s.ready() == nil {
		t.Errorf("the watermark is not in force: %v, %v", err, s.ready())
	}
	if d := time.Duration(s.retention.Load()); d != 2*time.Hour {
		t.Errorf("the journal is kept for %v", d)
	}

	write("ingest: {max_body_mib: 1}\n")
	if later, err := s.load(t.Context()); err != nil || len(later) != 0 {
		t.Errorf("%v, %v", later, err)
	}
	if err := post(body); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := post(body + strings.Repeat(" ", 1<<20)); err == nil || !strings.Contains(err.Error(), "1048576 bytes") {
		t.Errorf("the limit of a body is not in force: %v", err)
	}

	write("storage: {journal_retention: 3h}\ncorrelation: {expiry: soon}\n")
	if _, err := s.load(t.Context()); err == nil || !strings.Contains(err.Error(), "correlation.expiry") {
		t.Errorf("a bad file: %v", err)
	}
	if d := time.Duration(s.retention.Load()); d == 3*time.Hour {
		t.Error("a part of a bad file is in force")
	}
}
