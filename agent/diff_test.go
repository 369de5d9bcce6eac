package agent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
)

func types(changes []report.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Type+" "+c.Object+" "+c.Previous+">"+c.Version)
	}
	return out
}

func TestDiff(t *testing.T) {
	deb := func(name, version string) report.Package {
		return report.Package{Type: "deb", Name: name, Version: version, Arch: "amd64"}
	}
	cases := map[string]struct {
		before, after report.Report
		want          []string
	}{
		"nothing": {report.Report{}, report.Report{}, nil},
		"packages": {
			report.Report{Packages: []report.Package{deb("a", "1"), deb("b", "1"), deb("kernel", "5"), deb("kernel", "6")}},
			report.Report{Packages: []report.Package{deb("a", "2"), deb("c", "1"), deb("kernel", "6"), deb("kernel", "7")}},
			[]string{"package_upgraded a 1>2", "package_removed b 1>", "package_installed c >1", "package_upgraded kernel 5>7"},
		},
		"an owned language package is its owner's change": {
			report.Report{Packages: []report.Package{deb("python3-x", "1"), {Type: "pypi", Name: "x", Version: "1", OwnedBy: "pkg:deb/x"}}},
			report.Report{Packages: []report.Package{deb("python3-x", "2"), {Type: "pypi", Name: "x", Version: "2", OwnedBy: "pkg:deb/x"}}},
			[]string{"package_upgraded python3-x 1>2"},
		},
		"the modules of a Go program are the program's change": {
			report.Report{Packages: []report.Package{{Type: "golang", Name: "x/tool", Version: "v1", Module: "/usr/bin/tool"}, {Type: "golang", Name: "x/dep", Version: "v1", Module: "/usr/bin/tool", Source: "x/tool"}}},
			report.Report{Packages: []report.Package{{Type: "golang", Name: "x/tool", Version: "v2", Module: "/usr/bin/tool"}, {Type: "golang", Name: "x/dep", Version: "v2", Module: "/usr/bin/tool", Source: "x/tool"}}},
			[]string{"package_upgraded x/tool v1>v2"},
		},
		"a database that cannot be read any more removed nothing": {
			report.Report{Packages: []report.Package{deb("a", "1")}},
			report.Report{Problems: map[string][]report.Problem{"packages": {{Reason: "denied"}}}},
			nil,
		},
		"units": {
			report.Report{Services: []report.Service{{Name: "a.service", State: "active"}, {Name: "b.service", State: "failed"}, {Name: "user@0.service", State: "active"}, {Name: "gone.service"}}},
			report.Report{Services: []report.Service{{Name: "a.service", State: "failed"}, {Name: "b.service", State: "failed"}, {Name: "new.service", State: "active"}, {Name: "run-r1.service", State: "active"}}},
			[]string{"unit_failed a.service active>failed", "unit_added new.service >", "unit_removed gone.service >"},
		},
		"reboot into another kernel": {
			report.Report{Agent: report.Agent{BootID: "x"}, OS: report.OS{Kernel: "6.1"}, Host: report.Host{Hostname: "h"}},
			report.Report{Agent: report.Agent{BootID: "y"}, OS: report.OS{Kernel: "6.2"}, Host: report.Host{Hostname: "h"}},
			[]string{"rebooted h x>y", "kernel_changed kernel 6.1>6.2"},
		},
		"listeners": {
			report.Report{Listeners: []report.Listener{{Protocol: "tcp", Address: "0.0.0.0", Port: 80, PID: 1}, {Protocol: "tcp6", Address: "::", Port: 22}}},
			report.Report{Listeners: []report.Listener{{Protocol: "tcp", Address: "0.0.0.0", Port: 80, PID: 2}, {Protocol: "tcp", Address: "127.0.0.1", Port: 9090}}},
			[]string{"listener_added tcp 127.0.0.1:9090 >", "listener_removed tcp6 [::]:22 >"},
		},
		"certificates": {
			report.Report{Certificates: []report.Certificate{{Location: "/a.pem", Fingerprint: "1"}, {Location: "/a.pem", Fingerprint: "chain"}, {Location: "/b.pem", Fingerprint: "7"}}},
			report.Report{Certificates: []report.Certificate{{Location: "/a.pem", Fingerprint: "2"}, {Location: "/a.pem", Fingerprint: "chain"}, {Location: "/new.pem", Fingerprint: "9"}}},
			[]string{"certificate_replaced /a.pem 1>2"},
		},
		"users": {
			report.Report{Users: []report.User{{Name: "root"}, {Name: "eve"}}}, report.Report{Users: []report.User{{Name: "root"}, {Name: "mallory"}}},
			[]string{"user_added mallory >", "user_removed eve >"},
		},
	}
	for name, c := range cases {
		if got := types(agent.Diff(c.before, c.after, time.Unix(1, 0))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWeekOfChurn runs a simulated week of one host and weighs what was sent.
func TestWeekOfChurn(t *testing.T) {
	r := newRig(t)
	for i := range 900 {
		r.source.report.Packages = append(r.source.report.Packages, report.Package{Type: "deb", Name: "package-" + string(rune('a'+i%26)) + time.Duration(i).String(), Version: "1.0-1", Arch: "amd64", PURL: "pkg:deb/debian/package@1.0-1?arch=amd64", Vendor: "Somebody <somebody@example.org>"})
	}
	r.step(time.Second)
	first := r.fleet.sizes[0]
	told := 0
	for hour := range 7 * 24 {
		switch {
		case hour%24 == 6: // the nightly upgrade
			p := append([]report.Package(nil), r.source.report.Packages...)
			p[hour].Version = time.Duration(hour).String()
			r.source.report.Packages = p
			told++
		case hour%12 == 3: // somebody starts a service
			r.source.report.Listeners = append(append([]report.Listener(nil), r.source.report.Listeners...), report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 9000 + hour})
			told++
		}
		r.step(time.Hour)
	}
	sum, largest, changes := 0, 0, 0
	for i, size := range r.fleet.sizes[1:] {
		sum += size
		if len(r.withData(i+1)) == 0 {
			largest = max(largest, size)
		}
		changes += len(r.fleet.envelopes[i+1].Changes)
	}
	t.Logf("a week: first report %d B, %d reports, %d B in all, largest unchanged %d B, %d changes told", first, len(r.fleet.sizes), sum, largest, changes)
	if changes != told {
		t.Errorf("%d changes told, %d happened", changes, told)
	}
	if largest > 1024 {
		t.Errorf("an unchanged cycle is %d B", largest)
	}
}
