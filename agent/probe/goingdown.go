package probe

import (
	"context"
	"strings"
	"time"
)

// GoingDown says whether the machine is being shut down or restarted now.
func (t Tree) GoingDown() bool { return t.goingDown(execute) }

func (t Tree) goingDown(run runner) bool {
	// systemd leaves these while a shutdown is scheduled or login is refused.
	for _, name := range []string{"/run/nologin", "/run/systemd/shutdown/scheduled"} {
		if t.exists(name) {
			return true
		}
	}
	if t.isDir("/run/systemd/system") {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// It ends with an error in every state but "running"; the text counts.
		state, _ := run(ctx, "systemctl", "is-system-running")
		return strings.TrimSpace(string(state)) == "stopping"
	}
	// sysvinit and OpenRC run a program for it, or the scripts of run level 0 or 6.
	for _, entry := range t.names("/proc") {
		if entry[0] < '0' || entry[0] > '9' {
			continue
		}
		switch t.text("/proc/" + entry + "/comm") {
		case "shutdown", "openrc-shutdown", "reboot", "poweroff", "halt":
			return true
		case "rc":
			if line := t.text("/proc/" + entry + "/cmdline"); strings.HasSuffix(line, "\x000") || strings.HasSuffix(line, "\x006") {
				return true
			}
		}
	}
	return false
}
