package inventory

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// TestAnAssetsLifeIsToldByItsHistory: bought, discovered, upgraded, renamed,
// reimaged, retired, and silent; and its history tells it.
func TestAnAssetsLifeIsToldByItsHistory(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	say := func(attrs cmdb.Attributes, source string) {
		l.upsert(Item{Class: "host", Name: "web-1", Attributes: attrs}, source)
	}
	say(cmdb.Attributes{"serial_number": "SN-70001", "vendor": "Acme", "lifecycle": "ordered", "cost": 2400.0, "currency": "EUR", "warranty_end": "2029-03-01"}, "import:shop")
	l.pass(20 * 24 * time.Hour)
	say(cmdb.Attributes{"lifecycle": "in_stock", "location": "store room"}, "person:eve")
	l.pass(5 * 24 * time.Hour)
	a := l.box("web-1", 1).enroll()
	a.send()
	say(cmdb.Attributes{"lifecycle": "deployed", "location": "rack 7", "owner": "team-web"}, "person:eve")
	l.pass(30 * 24 * time.Hour)
	a.rep.Packages[0].Version = "3.0.14-1"
	a.send()
	l.pass(24 * time.Hour)
	again := l.box("web-1", 1)
	again.rep.Agent.ID, again.rep.Agent.BootID, again.rep.Host.MachineID = "agent-2", "boot-2", fmt.Sprintf("%032x", 0xbeef)
	again.rep.OS.ID, again.rep.OS.Name = "ubuntu", "Ubuntu 26.04"
	again.enroll()
	if again.ci != a.ci {
		t.Fatal("the reimaged machine became another asset")
	}
	again.send()
	l.pass(300 * 24 * time.Hour)
	if err := l.Tick(ctx, l.now()); err != nil {
		t.Fatal(err)
	}
	say(cmdb.Attributes{"lifecycle": "retired"}, "person:eve")

	var lines []string
	cursor := ""
	for {
		page, next, err := l.History(ctx, a.ci, HistoryQuery{Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			lines = append(lines, fmt.Sprintf("%s %s: %s → %s (%s)", e.At.Format(time.DateOnly), e.Field, cmdb.TextOf(e.Old), cmdb.TextOf(e.New), e.Source))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.Reverse(lines)
	told := strings.Join(lines, "\n")
	at := 0
	for _, want := range []string{
		"2026-03-02 created:  → host (import:shop)",
		"2026-03-02 lifecycle:  → ordered (import:shop)",
		"2026-03-22 lifecycle: ordered → in_stock (person:eve)",
		"2026-03-27 os:  → debian (agent)",
		"2026-03-27 location: store room → rack 7 (person:eve)",
		"2026-04-26 software:deb/openssl: 3.0.11-1 → 3.0.14-1 (agent)",
		"2026-04-27 os: debian → ubuntu (agent)",
		"2027-02-21 liveness: seen → gone (expiry)",
		"2027-02-21 lifecycle: deployed → retired (person:eve)",
	} {
		i := strings.Index(told[at:], want)
		if i < 0 {
			t.Fatalf("the history does not tell, or not in its place: %s\n%s", want, told)
		}
		at += i
	}
	if strings.Contains(told, "packages:") {
		t.Error("a counter has a history")
	}
	for day, want := range map[string]string{"2026-03-10": "ordered", "2026-03-25": "in_stock", "2026-12-01": "deployed"} {
		d, _ := time.Parse(time.DateOnly, day)
		s, err := l.AsOf(ctx, a.ci, d)
		if err != nil || s.CI.Attributes.Text("lifecycle") != want || s.CI.Attributes["cost"] != 2400.0 {
			t.Errorf("on %s: %v %v, want %s", day, s.CI.Attributes, err, want)
		}
	}
	// docs/cmdb.md shows what this test's history tells.
	shown := regexp.MustCompile(`^\S+ (created|lifecycle|cost|location|owner|os|software:\S+|liveness): `)
	page, err := os.ReadFile("../../docs/cmdb.md")
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for _, l := range lines {
		if shown.MatchString(l) {
			story = append(story, "    "+l)
		}
	}
	if text := strings.Join(story, "\n"); !strings.Contains(string(page), text) {
		t.Errorf("docs/cmdb.md does not tell this life as it was:\n%s", text)
	}
}

// TestTwoIdentitiesInOneReportAreQuarantined: nothing is changed, a task shows why.
func TestTwoIdentitiesInOneReportAreQuarantined(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	a, b := l.box("web-1", 1).enroll(), l.box("db-1", 2)
	b.rep.Host.Cloud = &report.Cloud{Provider: "aws", Account: "1", InstanceID: "i-0abc"}
	b.enroll().send()
	a.send()
	before := l.picture()
	mixed := l.box("web-1", 1)
	mixed.rep.Host.Cloud = b.rep.Host.Cloud
	_, err := l.Enroll(ctx, report.EnrollRequest{Agent: mixed.rep.Agent, Host: mixed.rep.Host}, "")
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("enrolment: %v", err)
	}
	tasks, _, err := l.Tasks(ctx, false, "", 0)
	if err != nil || len(tasks) != 1 || tasks[0].Kind != TaskConflict || len(tasks[0].Others) != 2 || len(tasks[0].Verdict.Findings) != 2 {
		t.Errorf("tasks %+v %v", tasks, err)
	}
	if after := l.picture(); after != before {
		t.Errorf("a conflict changed something:\n%s", after)
	}
	// The same from an agent that is enrolled: the section is refused, the rest is taken.
	a.rep.Host.Cloud = b.rep.Host.Cloud
	a.rep.OS.Kernel = "6.1.0-99"
	if r := a.send(); r.Forked || !strings.Contains(r.Rejected["host"], "several items") {
		t.Errorf("reply %+v", r)
	}
	if c := l.get(a.ci); c.Attributes["cloud_instance"] != nil || c.Attributes.Text("kernel") != "6.1.0-99" {
		t.Errorf("after the conflict: %v", c.Attributes)
	}
	if t0, err := l.CloseTask(ctx, tasks[0].ID, "person:eve", "not the same"); err != nil || t0.Done == "" {
		t.Error(err)
	}
	a.rep.Host.Timezone = "UTC"
	a.send()
	if tasks, _, _ = l.Tasks(ctx, false, "", 0); len(tasks) != 0 {
		t.Error("a decided task was opened again")
	}
}
