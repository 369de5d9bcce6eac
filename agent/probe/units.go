package probe

import (
	"bytes"
	"context"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// runner runs a program of the host and returns what it printed.
type runner func(ctx context.Context, name string, args ...string) ([]byte, error)

func execute(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}
	cmd.WaitDelay = time.Second
	return cmd.Output()
}

// Services reads the units of the init system: systemd's services, timers and
// sockets, or OpenRC's services.
func Services(ctx context.Context, t Tree) ([]report.Service, []report.Problem) {
	return services(ctx, t, execute)
}

func services(ctx context.Context, t Tree, run runner) ([]report.Service, []report.Problem) {
	var p problems
	switch {
	case t.isDir("/run/systemd/system"):
		// One call for all: systemctl asks the manager over its bus, which
		// answers anybody. Properties with times are left out, as they change
		// with each reading.
		data, err := run(ctx, "systemctl", "show", "--all", "--no-pager",
			"--property=Id,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,TimersCalendar,TimersMonotonic", "*.service", "*.timer", "*.socket")
		if err != nil {
			p.add("", "units: systemctl show: %v", err)
			return []report.Service{}, p.list
		}
		return t.withUnitFiles(parseUnits(data)), p.list
	case t.isDir("/run/openrc"):
		return t.openRC(), p.list
	}
	init := t.text("/proc/1/comm")
	if init == "" {
		init = "unknown"
	}
	p.add("", "units: systemd does not run here (the first process is %q)", init)
	return []report.Service{}, p.list
}

// parseUnits reads what `systemctl show` prints: a paragraph per unit.
func parseUnits(data []byte) []report.Service {
	out := []report.Service{}
	for _, paragraph := range bytes.Split(data, []byte("\n\n")) {
		var s report.Service
		load := ""
		var schedules []string
		for line := range bytes.Lines(paragraph) {
			name, value, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), "=")
			if !ok {
				continue
			}
			value = strings.ToValidUTF8(value, "?")
			switch name {
			case "Id":
				s.Name = value
			case "Description":
				s.Description = value
			case "LoadState":
				load = value
			case "ActiveState":
				s.State = value
			case "SubState":
				s.SubState = value
			case "UnitFileState":
				s.Enabled = value
			case "MainPID":
				s.MainPID, _ = strconv.Atoi(value)
			case "TimersCalendar", "TimersMonotonic":
				schedules = append(schedules, timerSchedule(value))
			}
		}
		dot := strings.LastIndexByte(s.Name, '.')
		// "not-found" units are only mentioned by others.
		if dot <= 0 || load == "not-found" {
			continue
		}
		s.Kind = s.Name[dot+1:]
		if s.Kind != "service" && s.Kind != "timer" && s.Kind != "socket" {
			continue
		}
		if s.Kind == "timer" {
			s.Schedule = strings.Join(schedules, "; ")
		}
		if load == "masked" {
			s.Enabled = "masked"
		}
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// timerSchedule takes "OnCalendar=daily" out of
// "{ OnCalendar=*-*-* 00:00:00 ; next_elapse=... }".
func timerSchedule(value string) string {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "{}"))
	value, _, _ = strings.Cut(value, " ; next_elapse")
	return strings.TrimSpace(value)
}

// unitDirs holds unit files, strongest first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// withUnitFiles adds the units that are installed but not loaded: systemd
// forgets a disabled unit that does not run, yet it is there.
func (t Tree) withUnitFiles(loaded []report.Service) []report.Service {
	known := make(map[string]bool, len(loaded))
	for _, s := range loaded {
		known[s.Name] = true
	}
	enabled := make(map[string]bool)
	for _, pattern := range []string{"/etc/systemd/system/*.wants/*", "/etc/systemd/system/*.requires/*"} {
		for _, path := range t.Glob(pattern) {
			enabled[baseName(path)] = true
		}
	}
	for _, dir := range unitDirs {
		for _, name := range t.names(dir) {
			dot := strings.LastIndexByte(name, '.')
			if dot <= 0 || known[name] {
				continue
			}
			kind := name[dot+1:]
			// A template ("foo@.service") is no unit before it has a name.
			if kind != "service" && kind != "timer" && kind != "socket" || strings.HasSuffix(name[:dot], "@") {
				continue
			}
			target := t.link(dir + "/" + name)
			if target != "" && target != "/dev/null" && baseName(target) != name {
				continue // an alias of another unit
			}
			known[name] = true
			s := report.Service{Name: name, State: "inactive", SubState: "dead", Kind: kind, Enabled: "disabled"}
			unit := t.text(dir + "/" + name)
			s.Description = unitField(unit, "Description")
			switch {
			case target == "/dev/null":
				s.Enabled = "masked"
			case enabled[name]:
				s.Enabled = "enabled"
			case !strings.Contains(unit, "[Install]"):
				s.Enabled = "static"
			}
			if kind == "timer" {
				s.Schedule = unitField(unit, "OnCalendar")
			}
			loaded = append(loaded, s)
		}
	}
	sort.Slice(loaded, func(i, j int) bool { return loaded[i].Name < loaded[j].Name })
	return loaded
}

// unitField returns the first assignment of a name in a unit file.
func unitField(unit, name string) string {
	for line := range strings.Lines(unit) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return strings.ToValidUTF8(value, "?")
		}
	}
	return ""
}

// openRC reads OpenRC's state, which is a directory per state.
func (t Tree) openRC() []report.Service {
	enabled := make(map[string]bool)
	for _, path := range t.Glob("/etc/runlevels/*/*") {
		enabled[baseName(path)] = true
	}
	states := make(map[string]string)
	for _, s := range []struct{ dir, state string }{{"started", "active"}, {"starting", "activating"}, {"failed", "failed"}, {"inactive", "inactive"}} {
		for _, name := range t.names("/run/openrc/" + s.dir) {
			states[name] = s.state
		}
	}
	out := []report.Service{}
	for _, name := range t.names("/etc/init.d") {
		script := t.text("/etc/init.d/" + name)
		if !strings.Contains(firstLine(script), "openrc-run") {
			continue
		}
		s := report.Service{Name: name, Kind: "service", State: firstOf(states[name], "inactive"), Enabled: "disabled"}
		if enabled[name] {
			s.Enabled = "enabled"
		}
		s.Description = strings.Trim(unitField(script, "description"), `"'`)
		out = append(out, s)
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
