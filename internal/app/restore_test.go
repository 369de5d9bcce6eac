package app

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// running is a server in a storage path of its own; it ends with the test, or before.
func running(t *testing.T, dir string) (*server, func()) {
	t.Helper()
	s := newServer(Options{ListenAddress: "127.0.0.1:0", StoragePath: dir, Version: "test", Logger: slog.New(slog.DiscardHandler), Out: &words{}}, time.Now)
	stop := func() {
		if err := s.life.stop(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, stop
}

func (s *server) takeAlerts(t *testing.T, n int) {
	t.Helper()
	var alerts []string
	for i := range n {
		alerts = append(alerts, fmt.Sprintf(`{"status":"firing","startsAt":"2026-05-04T10:00:00Z","labels":{"alertname":"A","severity":"warning","instance":"h%d"}}`, i))
	}
	body := `{"version":"4","alerts":[` + strings.Join(alerts, ",") + `]}`
	if _, err := s.collector.Alertmanager(t.Context(), "am", collector.Body{Reader: strings.NewReader(body), Length: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBackupsAreMadeVerifiedAndKept(t *testing.T) {
	s, _ := running(t, t.TempDir())
	s.takeAlerts(t, 50)
	dir := filepath.Join(t.TempDir(), "backups")
	c := config.Backup{Directory: dir, Every: config.Duration(time.Hour), Keep: 2}
	begin := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for n := range 3 {
		if err := s.backUp(t.Context(), c, begin.Add(time.Duration(n)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	have := made(dir)
	if len(have) != 2 || !stampOf(have[1]).Equal(begin.Add(2*time.Hour)) || s.backups.last.Load() != begin.Add(2*time.Hour).Unix() {
		t.Fatalf("there are %v, the last of %d", have, s.backups.last.Load())
	}
	f, err := os.Open(have[1])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := VerifyBackup(t.Context(), f, t.TempDir())
	if err != nil || len(v.Wrong) > 0 || v.Documents < 50 || v.Events == 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A restore that was killed must neither be taken for nothing nor be in the way.
func TestAServerDoesNotBeginBesideHalfARestore(t *testing.T) {
	from, stop := running(t, t.TempDir())
	from.takeAlerts(t, 10)
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	if err := errors.Join(from.db.Backup(t.Context(), z), z.Close()); err != nil {
		t.Fatal(err)
	}
	stop()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, restoringName+"123"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := newServer(Options{ListenAddress: "127.0.0.1:0", StoragePath: dir, Version: "test", Logger: slog.New(slog.DiscardHandler), Out: &words{}}, time.Now)
	err := s.open(t.Context())
	if stopped := s.life.stop(); stopped != nil {
		t.Error(stopped)
	}
	if err == nil || !strings.Contains(err.Error(), "interrupted") || !strings.Contains(err.Error(), "watchbill restore") {
		t.Fatalf("it starts: %v", err)
	}
	if err := Restore(t.Context(), dir, &file); err != nil {
		t.Fatal(err)
	}
	if left := unfinished(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if v, err := Verify(t.Context(), dir); err != nil || len(v.Wrong) > 0 {
		t.Errorf("restored: %+v, %v", v, err)
	}
}

// What a damaged store still holds is kept, and what is lost is said.
func TestRepairSaysWhatIsLost(t *testing.T) {
	dir := t.TempDir()
	s, stop := running(t, dir)
	s.takeAlerts(t, 2000)
	stop()
	path := filepath.Join(dir, "db")
	if _, err := Repair(t.Context(), dir, time.Now()); err == nil {
		t.Error("a whole store was repaired")
	}
	tables, err := filepath.Glob(filepath.Join(path, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 0x10
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(t.Context(), dir); err != nil || len(v.Wrong) != 1 || !strings.Contains(v.Wrong[0], filepath.Base(tables[0])) {
		t.Errorf("verify: %+v, %v", v, err)
	}
	var bad *badgerdb.Damaged
	if _, err := badgerdb.Open(badgerdb.Options{Dir: path}); !errors.As(err, &bad) || !strings.Contains(err.Error(), "watchbill repair") {
		t.Errorf("open: %v", err)
	}
	out, err := Repair(t.Context(), dir, time.Now())
	if err != nil || len(out.Lost) < 2 || out.Rows < 1000 {
		t.Fatalf("%+v, %v", out, err)
	}
	t.Logf("%d rows, lost %q, left %d", out.Rows, out.Lost, len(out.Left))
	db, err := badgerdb.Open(badgerdb.Options{Dir: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(t.Context(), func(r store.Reader) error { _, err := store.CheckRows(t.Context(), r); return err }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(out.Damaged); err != nil {
		t.Errorf("the damaged files are gone: %v", err)
	}
}
