package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb/inventory"
)

// What the configuration names and is not there is a warning and a task, until it is.
func TestMissingReferencesAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watchbill.yml")
	if err := os.WriteFile(file, []byte("desk: {services: [{name: shop, cis: ['host:pay01']}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(Options{ConfigFile: file, ListenAddress: "127.0.0.1:0", StoragePath: t.TempDir(), Version: "test", Logger: slog.New(slog.DiscardHandler), Out: &words{}}, time.Now)
	t.Cleanup(func() {
		if err := s.life.stop(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	tasks := func() []inventory.Task {
		t.Helper()
		if err := s.keepReferences(ctx); err != nil {
			t.Fatal(err)
		}
		open, _, err := s.inventory.Tasks(ctx, false, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		return open
	}
	warnings, err := s.missing(ctx)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], `desk.services[0].cis[0]: nothing is called "host:pay01"`) {
		t.Errorf("warned of %q, %v", warnings, err)
	}
	for range 2 {
		if open := tasks(); len(open) != 1 || open[0].Kind != inventory.TaskReference || !strings.Contains(open[0].Summary, "shop: ") {
			t.Fatalf("tasks %+v", open)
		}
	}
	if _, _, err := s.inventory.Upsert(ctx, inventory.Item{Class: "host", Name: "pay01"}, "import"); err != nil {
		t.Fatal(err)
	}
	if warnings, err := s.missing(ctx); err != nil || len(warnings) != 0 {
		t.Errorf("warned of %q, %v", warnings, err)
	}
	if open := tasks(); len(open) != 0 {
		t.Errorf("tasks %+v", open)
	}
}
