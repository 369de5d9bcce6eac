package probe

import "strings"

// GoingDown says whether the machine is being shut down or restarted now.
func (t Tree) GoingDown() bool {
	// systemd leaves the first while its shutdown target is queued; login is
	// refused only from shortly before the end.
	for _, name := range []string{"/run/nologin", "/run/systemd/shutdown/scheduled"} {
		if t.exists(name) {
			return true
		}
	}
	// sysvinit and OpenRC run the scripts of run level 0 or 6.
	for _, entry := range t.names("/proc") {
		if entry[0] < '0' || entry[0] > '9' {
			continue
		}
		switch t.text("/proc/" + entry + "/comm") {
		case "systemd-shutdow", "shutdown", "openrc-shutdown", "reboot", "poweroff", "halt":
			return true
		case "rc":
			if line := t.text("/proc/" + entry + "/cmdline"); strings.HasSuffix(line, "\x000") || strings.HasSuffix(line, "\x006") {
				return true
			}
		}
	}
	return false
}
