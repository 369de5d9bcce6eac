package report_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

func sample() report.Report {
	return report.Report{
		Agent:       report.Agent{ID: "a", Version: "1", Sequence: 7, StartedAt: time.Unix(1, 0)},
		Filesystems: []report.Filesystem{{Mountpoint: "/", SizeBytes: 1000, UsedBytes: 510}},
		Processes:   []report.Process{{PID: 1, Name: "nginx", Count: 4}},
		Connections: []report.Connection{{Direction: "inbound", PeerAddress: "10.0.0.1", Count: 3, Samples: 9, LastSeen: time.Unix(5, 0)}},
		Packages:    []report.Package{{Type: "deb", Name: "nginx", Version: "1"}},
		Problems:    map[string][]report.Problem{report.SectionListeners: {{Reason: "denied", Privilege: "CAP_SYS_PTRACE"}}},
	}
}

func split(t *testing.T, r report.Report) map[string]report.Section {
	t.Helper()
	s, err := r.Split()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSplitNamesEverySection(t *testing.T) {
	s := split(t, sample())
	if len(s) != len(report.Sections()) {
		t.Errorf("%d sections, want %d", len(s), len(report.Sections()))
	}
	for _, name := range report.Sections() {
		if s[name].Hash == "" || s[name].Data == nil {
			t.Errorf("section %s is %+v", name, s[name])
		}
	}
	if len(s[report.SectionListeners].Problems) != 1 {
		t.Error("a section's problems do not travel with it")
	}
}

func TestHashSeesChangesAndNoCounters(t *testing.T) {
	base := split(t, sample())
	for name, c := range map[string]struct {
		change  func(*report.Report)
		section string
		differs bool
	}{
		"sequence and start": {func(r *report.Report) { r.Agent.Sequence++; r.Agent.StartedAt = time.Unix(9, 0) }, report.SectionAgent, false},
		"agent version":      {func(r *report.Report) { r.Agent.Version = "2" }, report.SectionAgent, true},
		"a little more used": {func(r *report.Report) { r.Filesystems[0].UsedBytes = 530 }, report.SectionFilesystems, false},
		"much more used":     {func(r *report.Report) { r.Filesystems[0].UsedBytes = 900 }, report.SectionFilesystems, true},
		"one worker more":    {func(r *report.Report) { r.Processes[0].Count++ }, report.SectionProcesses, false},
		"another process":    {func(r *report.Report) { r.Processes[0].PID = 2 }, report.SectionProcesses, true},
		"seen again": {func(r *report.Report) {
			r.Connections[0].Count, r.Connections[0].Samples, r.Connections[0].LastSeen = 9, 10, time.Unix(6, 0)
		}, report.SectionConnections, false},
		"another peer":     {func(r *report.Report) { r.Connections[0].PeerAddress = "10.0.0.2" }, report.SectionConnections, true},
		"an upgrade":       {func(r *report.Report) { r.Packages[0].Version = "2" }, report.SectionPackages, true},
		"a lost privilege": {func(r *report.Report) { r.Problems = nil }, report.SectionListeners, true},
	} {
		r := sample()
		c.change(&r)
		changed := split(t, r)
		for _, section := range report.Sections() {
			if got := changed[section].Hash != base[section].Hash; got != (c.differs && section == c.section) {
				t.Errorf("%s: section %s changed: %v", name, section, got)
			}
		}
	}
	if r := sample(); split(t, r)[report.SectionFilesystems].Hash == "" || r.Filesystems[0].UsedBytes != 510 {
		t.Error("hashing changed the report itself")
	}
}
