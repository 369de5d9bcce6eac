package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestGoingDown(t *testing.T) {
	says := func(state string) runner {
		return func(context.Context, string, ...string) ([]byte, error) {
			return []byte(state + "\n"), errors.New("exit status 1")
		}
	}
	for name, c := range map[string]struct {
		files map[string]string
		state string
		want  bool
	}{
		"running":             {map[string]string{"run/systemd/system/x": "", "proc/7/comm": "reboot\n"}, "degraded", false},
		"systemd stops":       {map[string]string{"run/systemd/system/x": ""}, "stopping", true},
		"login is refused":    {map[string]string{"run/nologin": ""}, "", true},
		"sysvinit reboots":    {map[string]string{"proc/7/comm": "shutdown\n"}, "", true},
		"run level 6":         {map[string]string{"proc/7/comm": "rc\n", "proc/7/cmdline": "/bin/sh\x00/etc/init.d/rc\x006\x00"}, "", true},
		"run level 2":         {map[string]string{"proc/7/comm": "rc\n", "proc/7/cmdline": "/bin/sh\x00/etc/init.d/rc\x002\x00"}, "", false},
		"nothing of the kind": {map[string]string{"proc/7/comm": "bash\n"}, "", false},
	} {
		root := t.TempDir()
		for file, content := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := NewTree(root).goingDown(says(c.state)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
