package agent_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// next waits for an event that holds a change of a type.
func next(t *testing.T, w *agent.Watcher, kind string) (agent.Event, report.Change) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		select {
		case e := <-w.Events():
			for _, c := range e.Changes {
				if c.Type == kind {
					return e, c
				}
			}
		case <-ctx.Done():
			t.Fatalf("no %s was told", kind)
		}
	}
}

func TestWatcherTellsOfFilesAndTransactions(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	config := filepath.Join(root, "etc/ssh/sshd_config")
	put(t, config, "PermitRootLogin no\n")
	put(t, filepath.Join(root, "var/lib/dpkg/status"), "")
	start := func() (*agent.Watcher, func()) {
		w := agent.NewWatcher(probe.NewTree(root), []string{"/etc/ssh/sshd_config"}, state, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		return w, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	w, stop := start()
	// Write until the watch is there: only then is the first change seen.
	changes := make(chan struct{})
	go func() {
		defer close(changes)
		for i := 0; ; i++ {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			if _, err := os.Stat(filepath.Join(state, "watched.json")); err == nil {
				// Whole at once, as editors do: a file caught half way is another change.
				_ = os.WriteFile(config+".new", []byte("PermitRootLogin yes\n"), 0o644)
				_ = os.Rename(config+".new", config)
				if i > 20 {
					return
				}
			}
		}
	}()
	e, c := next(t, w, report.ChangeFile)
	<-changes
	if c.Object != "/etc/ssh/sshd_config" || c.Previous == "" || c.Version == "" || c.Previous == c.Version || !e.Collect {
		t.Errorf("%+v", c)
	}
	put(t, filepath.Join(root, "var/lib/dpkg/status-new"), "x")
	if e, c := next(t, w, report.ChangePackageTransaction); c.Object != "dpkg" || !e.Collect {
		t.Errorf("%+v", e)
	}
	stop()
	// What changes while the agent is away is told when it is back.
	put(t, config, "PermitRootLogin prohibit-password\n")
	w, stop = start()
	_, c2 := next(t, w, report.ChangeFile)
	if c2.Previous != c.Version {
		t.Errorf("before the restart it was %s, now the change starts from %s", c.Version, c2.Previous)
	}
	stop()
}
