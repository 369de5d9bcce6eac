package probe_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

// tree writes a machine's files below a directory. A value that starts with
// "-> " becomes a symbolic link.
func tree(t testing.TB, files map[string]string) probe.Tree {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return probe.NewTree(root)
}

// need skips loudly where a tool or a right is missing, and fails where the
// whole suite must run.
func need(t testing.TB, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed here: install it, CI must not skip", what)
	}
	t.Skipf("SKIPPED: %s is needed", what)
}
