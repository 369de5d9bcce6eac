package probe

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shown is how `systemctl show` prints units of each kind.
const shown = `Id=nginx.service
Description=A high performance web server
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
MainPID=812

Id=backup.timer
Description=Nightly backup
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
TimersCalendar={ OnCalendar=*-*-* 03:00:00 ; next_elapse=Sun 2026-11-22 03:00:00 UTC }

Id=broken.service
Description=It breaks
LoadState=loaded
ActiveState=failed
SubState=failed
MainPID=0

Id=mentioned.service
LoadState=not-found
ActiveState=inactive

Id=shut.service
LoadState=masked
ActiveState=inactive
SubState=dead

Id=dev-sda.device
LoadState=loaded
`

func TestSystemdUnits(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"run/systemd/system/x":                                    "",
		"usr/lib/systemd/system/idle.service":                     "[Unit]\nDescription=Installed, not loaded\n[Install]\nWantedBy=multi-user.target\n",
		"usr/lib/systemd/system/nginx.service":                    "[Unit]\nDescription=other\n",
		"usr/lib/systemd/system/inst@.service":                    "[Unit]\n",
		"usr/lib/systemd/system/static.socket":                    "[Unit]\nDescription=s\n",
		"etc/systemd/system/weekly.timer":                         "[Timer]\nOnCalendar=weekly\n[Install]\n",
		"etc/systemd/system/multi-user.target.wants/weekly.timer": "",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/never.service")); err != nil {
		t.Fatal(err)
	}
	got, problems := services(t.Context(), NewTree(root), func(_ context.Context, name string, args ...string) ([]byte, error) {
		if name != "systemctl" || args[0] != "show" {
			t.Errorf("it ran %s %v", name, args)
		}
		return []byte(shown), nil
	})
	var lines []string
	for _, s := range got {
		lines = append(lines, strings.Join([]string{s.Name, s.Kind, s.State, s.Enabled, s.Schedule}, "|"))
	}
	want := []string{
		"backup.timer|timer|active|enabled|OnCalendar=*-*-* 03:00:00", "broken.service|service|failed||", "idle.service|service|inactive|disabled|", "never.service|service|inactive|masked|",
		"nginx.service|service|active|enabled|", "shut.service|service|inactive|masked|", "static.socket|socket|inactive|static|", "weekly.timer|timer|inactive|enabled|weekly",
	}
	if !slices.Equal(lines, want) || len(problems) != 0 {
		t.Errorf("%s\n%v", strings.Join(lines, "\n"), problems)
	}
}
