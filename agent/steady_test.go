package agent_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
)

func packages(list ...string) []report.Package {
	var out []report.Package
	for i := 0; i+2 < len(list); i += 3 {
		out = append(out, report.Package{Type: list[i], Name: list[i+1], Version: list[i+2]})
	}
	return out
}

// TestWhatComesIntoViewIsNoChange is about the first walk over the disks, and another
// version of the agent: both find what had been there long.
func TestWhatComesIntoViewIsNoChange(t *testing.T) {
	under := map[string][]report.Problem{report.SectionPackages: {{Reason: "language packages: the first walk over the disks is under way"}}}
	before := report.Report{Agent: report.Agent{Version: "1"}, Packages: packages("deb", "curl", "8"), Problems: under}
	after := report.Report{Agent: report.Agent{Version: "1"}, Packages: packages("deb", "curl", "8", "npm", "left-pad", "1", "pypi", "six", "1")}
	if got := agent.Diff(before, after, time.Now()); len(got) != 0 {
		t.Errorf("the first walk: %+v", got)
	}
	before = report.Report{Agent: report.Agent{Version: "1"}, Packages: packages("deb", "curl", "8", "maven", "log4j:log4j", "1.2-api-2.17.1")}
	after = report.Report{Agent: report.Agent{Version: "2"}, Packages: packages("deb", "curl", "8.1", "maven", "log4j-1.2-api:log4j-1.2-api", "2.17.1", "snap", "lxd", "5")}
	got := agent.Diff(before, after, time.Now())
	if len(got) != 1 || got[0].Type != report.ChangePackageUpgraded || got[0].Object != "curl" {
		t.Errorf("another agent: %+v", got)
	}
}
