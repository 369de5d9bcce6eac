package inventory

import (
	"testing"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
)

// TestFirstWalkIsNoChange: an agent's first walk over the disks ends after its first
// reports, and another version of it finds more. Neither installed anything.
func TestFirstWalkIsNoChange(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.rep.Packages = []report.Package{{Type: "deb", Name: "openssl", Version: "3.0.11-1", Arch: "amd64"}}
	a.rep.Problems = map[string][]report.Problem{report.SectionPackages: {{Reason: "language packages: the first walk over the disks is under way"}}}
	a.send()
	a.rep.Packages = append(a.rep.Packages, report.Package{Type: "npm", Name: "left-pad", Version: "1"}, report.Package{Type: "pypi", Name: "six", Version: "1"})
	a.rep.Packages[0].Version = "3.0.14-1" // and this was upgraded meanwhile
	a.rep.Problems = nil
	a.send()
	changes := func() (out []string) {
		for _, e := range l.events(event.KindChange) {
			p, _ := e.Payload()
			c := p.(*event.Change)
			out = append(out, c.Type+": "+c.Summary)
		}
		return out
	}
	if got := changes(); len(got) != 1 || got[0] != "package_upgraded: openssl 3.0.14-1 after 3.0.11-1" {
		t.Errorf("changes %q", got)
	}
	a.rep.Agent.Version = "another"
	a.rep.Packages = append(a.rep.Packages, report.Package{Type: "snap", Name: "lxd", Version: "5"})
	a.send()
	if got := changes(); len(got) != 1 {
		t.Errorf("another version of the agent: %q", got)
	}
	a.rep.Packages = append(a.rep.Packages, report.Package{Type: "snap", Name: "core", Version: "1"})
	a.send()
	if got := changes(); len(got) != 2 {
		t.Errorf("and what is then installed: %q", got)
	}
}
