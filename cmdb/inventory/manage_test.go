package inventory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

func (l *lab) upsert(it Item, source string) cmdb.CI {
	l.Helper()
	c, _, err := l.Upsert(context.Background(), it, source)
	if err != nil {
		l.Fatal(err)
	}
	return c
}

func TestAuthorityFallsBackAfterSilence(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"os": "freebsd", "location": "rack 7"}}, "import:dcim")
	if c := l.get(a.ci); c.Attributes.Text("os") != "debian" || c.Attributes.Text("location") != "rack 7" || len(c.Claims["os"]) != 2 {
		t.Errorf("an import overruled the agent about what the agent finds: %v %v", c.Attributes["os"], c.Claims)
	}
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"location": "rack 9"}}, "person:eve")
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"location": "rack 8"}}, "import:dcim")
	if c := l.get(a.ci); c.Attributes.Text("location") != "rack 9" {
		t.Errorf("an import overruled a person: %v", c.Attributes["location"])
	}
	l.pass(8 * 24 * time.Hour)
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	if c := l.get(a.ci); c.Attributes.Text("os") != "freebsd" || c.Liveness != cmdb.Stale {
		t.Errorf("after a week of silence of the agent the import should have the word: %v %s", c.Attributes["os"], c.Liveness)
	}
	a.send()
	a.rep.OS.Version = "13"
	a.send()
	if c := l.get(a.ci); c.Liveness != cmdb.Seen || c.Attributes.Text("os") != "debian" {
		t.Errorf("the agent is back: %v %s", c.Attributes["os"], c.Liveness)
	}
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"location": nil}}, "person:eve")
	if c := l.get(a.ci); c.Attributes.Text("location") != "rack 8" {
		t.Errorf("what a person took back should fall to the import: %v", c.Attributes["location"])
	}
}

func TestMergeCanBeTakenBack(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	rec := l.upsert(Item{Class: "host", Name: "web-1", Attributes: cmdb.Attributes{"hostname": "web-1", "owner": "alice", "cost": 900.0}, Labels: map[string]string{"env": "prod"}, Tags: []string{"paid"}}, "import")
	site := l.upsert(Item{Class: "site", Name: "ams"}, "import")
	if err := l.Relate(ctx, Link{From: rec.Ref(), Type: "located_in", To: site.Ref()}, "import"); err != nil {
		t.Fatal(err)
	}
	a := l.box("web-1", 1).enroll()
	a.send()
	tasks, _, err := l.Tasks(ctx, false, "", 0)
	if err != nil || len(tasks) != 1 || tasks[0].Kind != TaskProposal {
		t.Fatalf("the same short name should be proposed: %+v %v", tasks, err)
	}
	before := l.picture()
	m, err := l.Merge(ctx, rec.ID, a.ci, "alice", false)
	if err != nil || m.Survivor != a.ci || m.ID != rec.ID {
		t.Fatalf("the one that reports must survive: %+v %v", m, err)
	}
	c := l.get(rec.ID)
	if c.ID != a.ci || c.Attributes.Text("owner") != "alice" || c.Labels["env"] != "prod" || !slices.Contains(c.Tags, "paid") || c.Attributes.Text("os") != "debian" {
		t.Errorf("merged: %+v", c)
	}
	l.want("class:host", "web-1")
	if g, err := l.Graph(ctx, site.ID, GraphQuery{Hops: 1}); err != nil || len(g.Edges) != 1 || g.Edges[0].From != a.ci {
		t.Errorf("the relation did not come along: %+v %v", g, err)
	}
	if tasks, _, _ = l.Tasks(ctx, false, "", 0); len(tasks) != 0 {
		t.Errorf("the proposal is still open: %+v", tasks)
	}
	a.send()
	l.reopen()
	if got := l.get(rec.ID).ID; got != a.ci {
		t.Errorf("after a restart the old id means %s", got)
	}
	if _, err := l.Unmerge(ctx, rec.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	if after := l.picture(); after != before {
		t.Errorf("after taking it back:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := l.Unmerge(ctx, rec.ID, "alice"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("twice: %v", err)
	}
}

func TestPastAndDifferences(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	a := l.box("web-1", 1).enroll()
	a.send()
	l.pass(time.Hour)
	born := l.now()
	l.pass(time.Hour)
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"owner": "alice", "lifecycle": "maintenance"}, Tags: []string{"lab"}}, "person:alice")
	a.rep.Packages[0].Version = "3.0.14-1"
	a.rep.Host.Hostname = "shop-1"
	a.send()
	l.pass(time.Hour)

	s, err := l.AsOf(ctx, a.ci, born)
	if err != nil {
		t.Fatal(err)
	}
	if s.CI.Name != "web-1" || s.CI.Attributes["owner"] != nil || s.CI.Attributes.Text("lifecycle") != "deployed" || len(s.CI.Tags) != 0 || s.Software["deb/openssl"] != "3.0.11-1" || !s.Exists {
		t.Errorf("as of then: %+v", s)
	}
	if s, err = l.AsOf(ctx, a.ci, born.Add(-24*time.Hour)); err != nil || s.Exists {
		t.Errorf("before it was known: %+v %v", s, err)
	}
	diff, err := l.Compare(ctx, a.ci, born, a.ci, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, d := range diff {
		fields = append(fields, d.Field)
	}
	if want := []string{"ci.aliases", "ci.name", "ci.tags", "hostname", "lifecycle", "owner", "software:deb/openssl"}; !slices.Equal(fields, want) {
		t.Errorf("differences %q, want %q", fields, want)
	}
	b := l.box("web-2", 2).enroll()
	b.send()
	diff, err = l.Compare(ctx, a.ci, time.Time{}, b.ci, time.Time{})
	if err != nil || !slices.ContainsFunc(diff, func(d cmdb.Difference) bool {
		return d.Field == "software:deb/openssl" && d.Old == "3.0.14-1" && d.New == "3.0.11-1"
	}) {
		t.Errorf("two machines: %+v %v", diff, err)
	}
	if err := l.Remove(ctx, a.ci, "person:alice"); err != nil {
		t.Fatal(err)
	}
	l.pass(time.Hour)
	if s, err = l.AsOf(ctx, a.ci, born); err != nil || !s.Exists || s.CI.Name != "web-1" || s.CI.Attributes.Text("os") != "debian" {
		t.Errorf("a removed item's past: %+v %v", s, err)
	}
}

func TestCSVRoundTripDryRunAndLineReport(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	file := "\ufeffclass,name,serial_number,cost,warranty_end,tags,label.env\n" +
		"host,srv-1,ABC12345,1200.50,2027-01-31,paid;rack7,prod\n" +
		"host,srv-2,,cheap,31.01.2027,,\n" +
		"hots,srv-3,,,,,\n" +
		"host,\"=cmd|' /C calc'!A0\",,,,,\n" +
		"host,srv-4,a,b,c,d,e,f\n"
	end, _ := l.journal.End()
	dry, err := l.ImportCSV(ctx, strings.NewReader(file), ImportOptions{DryRun: true})
	if err != nil || dry.Created != 2 || dry.Failed != 3 {
		t.Fatalf("dry run: %+v %v", dry, err)
	}
	if got, _ := l.journal.End(); got != end || len(l.names("")) != 0 {
		t.Error("a dry run changed something")
	}
	rep, err := l.ImportCSV(ctx, strings.NewReader(file), ImportOptions{Source: "import:assets"})
	if err != nil || rep.Created != 2 || rep.Failed != 3 {
		t.Fatalf("import: %+v %v", rep, err)
	}
	if e := rep.Lines[1]; e.Line != 3 || len(e.Errors) != 2 || !strings.Contains(e.Errors[0], `cost: want a number, got "cheap"`) || !strings.Contains(e.Errors[1], "warranty_end: want a date as YYYY-MM-DD") {
		t.Errorf("line report: %+v", e)
	}
	l.want("class:host warranty_end<2027-06-01 tag:rack7 label.env:prod cost>1000", "srv-1")
	var out bytes.Buffer
	cols := []string{"id", "class", "name", "serial_number", "cost", "warranty_end", "tags", "label.env", "liveness"}
	if err := l.ExportCSV(ctx, &out, "class:host", "name", cols); err != nil {
		t.Fatal(err)
	}
	var none bytes.Buffer
	if err := l.ExportCSV(ctx, &none, "class:host", "name", []string{"id", "serial_nmber"}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `did you mean "serial_number"?`) || none.Len() > 0 {
		t.Errorf("a misspelt column: %v, written %q", err, none.String())
	}
	if strings.Contains(out.String(), ",=cmd") {
		t.Error("a spreadsheet would run a host's name")
	}
	rep, err = l.ImportCSV(ctx, &out, ImportOptions{Source: "import:assets"})
	if err != nil || rep.Unchanged != 2 {
		t.Errorf("what was exported should come back unchanged: %+v %v", rep, err)
	}
	if _, err := l.ImportCSV(ctx, strings.NewReader("name,name\n"), ImportOptions{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("bad heading: %v", err)
	}
}

// A dry run tells what the import then does, also where lines are of one item.
func TestDryRunForetellsRepeatedLines(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	l.upsert(Item{Class: "host", Name: "old-1", Attributes: cmdb.Attributes{"owner": "ann"}}, "import")
	file := "class,name,owner,team,label.env,tags\n" +
		"host,new-1,ann,dba,prod,x\n" +
		"host,new-1,bob,,,\n" +
		"host,new-1,bob,dba,prod,\n" +
		"host,old-1,bob,,,\n" +
		"host,old-1,bob,,test,\n" +
		"host,old-1,ann,,,\n" +
		"host,NEW-1,carl,,,y\n"
	tell := func(o ImportOptions) (out []string) {
		t.Helper()
		rep, err := l.ImportCSV(ctx, strings.NewReader(file), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range rep.Lines {
			out = append(out, fmt.Sprint(x.Line, x.Outcome, x.Name, x.Changes, x.Errors))
		}
		return append(out, fmt.Sprint(rep.Created, rep.Changed, rep.Unchanged, rep.Failed))
	}
	dry := tell(ImportOptions{DryRun: true})
	if got := l.names(""); !slices.Equal(got, []string{"old-1"}) {
		t.Fatalf("a dry run left %v", got)
	}
	if wet := tell(ImportOptions{}); !slices.Equal(dry, wet) {
		t.Errorf("foretold\n%s\nwas\n%s", strings.Join(dry, "\n"), strings.Join(wet, "\n"))
	} else if want := "1 5 1 0"; dry[len(dry)-1] != want {
		t.Errorf("created, changed, unchanged, failed: %s, want %s", dry[len(dry)-1], want)
	}
}

// A file is read in groups of lines: what ends it stands where it should, and what
// came before is kept.
func TestAnImportEndsWhereItsFileDoes(t *testing.T) {
	ctx := context.Background()
	lines := func(n int, more string) string {
		var b strings.Builder
		b.WriteString("class,name\n")
		for i := range n {
			fmt.Fprintf(&b, "host,imp-%03d\n", i)
		}
		return b.String() + more
	}
	for _, c := range []struct {
		file    string
		o       ImportOptions
		created int
		failed  []int
		err     bool
	}{
		{lines(0, ""), ImportOptions{}, 0, nil, false},
		{lines(together, ""), ImportOptions{}, together, nil, false},
		{lines(2*together+1, ""), ImportOptions{}, 2*together + 1, nil, false},
		{lines(3, "host,a\"b\nhost,after\n"), ImportOptions{}, 4, []int{5}, false},
		{lines(together, "host,\"never closed\nhost,after\n"), ImportOptions{}, together, []int{together + 2, together + 3}, false},
		{lines(1, "\"x\"y,z\nhost,after\n"), ImportOptions{}, 2, []int{3}, false},
		{lines(150, ""), ImportOptions{MaxLines: 120}, 120, nil, true},
	} {
		l := newLab(t)
		rep, err := l.ImportCSV(ctx, strings.NewReader(c.file), c.o)
		if (err != nil) != c.err || rep.Created != c.created || rep.Failed != len(c.failed) {
			t.Errorf("%.40q: %d created, %d failed, %v, want %+v", c.file, rep.Created, rep.Failed, err, c)
		}
		if got := len(l.names("class:host")); got != c.created {
			t.Errorf("%.40q: %d items are there, %d were told", c.file, got, c.created)
		}
		for i, x := range rep.Lines {
			if i > 0 && x.Line <= rep.Lines[i-1].Line || (x.Outcome == "failed") != slices.Contains(c.failed, x.Line) {
				t.Errorf("%.40q: line %+v", c.file, x)
			}
		}
	}
}

func TestBulkEditPreviews(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	for _, n := range []string{"a-1", "a-2", "b-1"} {
		l.upsert(Item{Class: "host", Name: n, Tags: []string{"old"}}, "import")
	}
	e := Edit{Set: cmdb.Attributes{"team": "web"}, AddTags: []string{"new"}, RemoveTags: []string{"old"}}
	rep, err := l.BulkEdit(ctx, "name:a-*", e, "person:eve", true, 0)
	if err != nil || rep.Changed != 2 {
		t.Fatalf("preview %+v %v", rep, err)
	}
	l.want("team:web")
	if rep, err = l.BulkEdit(ctx, "name:a-*", e, "person:eve", false, 0); err != nil || rep.Changed != 2 {
		t.Fatalf("edit %+v %v", rep, err)
	}
	l.want("team:web tag:new not tag:old", "a-1", "a-2")
	if _, err := l.BulkEdit(ctx, "", e, "person:eve", false, 2); fault.KindOf(err) != fault.Invalid {
		t.Errorf("too many: %v", err)
	}
	if rep, err = l.BulkEdit(ctx, "name:b-1", Edit{Set: cmdb.Attributes{"criticality": "huge"}}, "person:eve", false, 0); err != nil || rep.Failed != 1 {
		t.Errorf("bad value: %+v %v", rep, err)
	}
}

func TestSinglePointsHealthAndProposals(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	var boxes []*box
	db := l.box("db-1", 1)
	db.rep.Listeners = append(db.rep.Listeners, report.Listener{Protocol: "tcp", Port: 5432, Process: "postgres", Unit: "postgresql.service"})
	db.enroll().send()
	for i, n := range []string{"web-1", "web-2"} {
		b := l.box(n, i+2)
		b.rep.Services = append(b.rep.Services, report.Service{Name: "shop.service", State: "active"})
		b.rep.Listeners = append(b.rep.Listeners, report.Listener{Protocol: "tcp", Port: 8080, Process: "shop", Unit: "shop.service"})
		b.rep.Connections = []report.Connection{{Direction: "outbound", Protocol: "tcp", PeerAddress: db.address(), PeerPort: 5432, Process: "shop", Unit: "shop.service"}}
		b.enroll().send()
		boxes = append(boxes, b)
	}
	ps, err := l.ProposeServices(ctx, 0)
	if err != nil || len(ps) != 2 || ps[0].Name != "web-shop" || len(ps[0].Members) != 2 || !slices.Equal(ps[0].Calls, []string{"db-postgresql"}) {
		t.Fatalf("proposals %+v %v", ps, err)
	}
	shop, err := l.AcceptService(ctx, Item{Name: "shop", Attributes: cmdb.Attributes{"criticality": "critical"}}, ps[0].Members, "person:eve")
	if err != nil {
		t.Fatal(err)
	}
	if ps, _ = l.ProposeServices(ctx, 0); len(ps) != 1 {
		t.Errorf("what was accepted is proposed again: %+v", ps)
	}
	points, err := l.SinglePoints(ctx, shop.ID, 0)
	var names []string
	for _, p := range points {
		names = append(names, p.Name)
	}
	if err != nil || !slices.Contains(names, "postgresql@db-1") || !slices.Contains(names, "db-1") || slices.Contains(names, "shop@web-1") {
		t.Errorf("single points %q %v: the database is one, a web server of two is none", names, err)
	}
	if h, err := l.Health(ctx, shop.ID, nil); err != nil || h.Status != "ok" {
		t.Errorf("health %+v %v", h, err)
	}
	boxes[0].rep.Listeners = boxes[0].rep.Listeners[:1]
	boxes[0].rep.Connections = nil
	boxes[0].send()
	if h, _ := l.Health(ctx, shop.ID, nil); h.Status != "degraded" {
		t.Errorf("one of two web servers stopped: %+v", h)
	}
	if h, _ := l.Health(ctx, shop.ID, func(id string) string {
		if id == db.ci {
			return "incident INC1"
		}
		return ""
	}); h.Status != "down" {
		t.Errorf("the only database machine has an incident: %+v", h)
	}
	imp, err := l.Impact(ctx, db.ci, 5)
	if err != nil || imp.Affected[0].Name != "shop" || imp.ByCriticality["critical"] != 1 {
		t.Errorf("impact must name the critical service first: %+v %v", imp, err)
	}
}

func TestQualityEndingsAndCosts(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	l.upsert(Item{Class: "host", Name: "a", Attributes: cmdb.Attributes{"serial_number": "XYZ98765", "team": "web", "cost": 100.0, "currency": "EUR", "warranty_end": "2026-04-01"}}, "import")
	l.upsert(Item{Class: "hypervisor", Name: "b", Attributes: cmdb.Attributes{"serial_number": "XYZ98765", "team": "web", "cost": 50.0, "currency": "USD", "warranty_end": "2030-04-01"}}, "import")
	l.upsert(Item{Class: "host", Name: "c", Attributes: cmdb.Attributes{"lifecycle": "retired", "warranty_end": "2026-04-01", "team": "web", "cost": 11.0, "currency": "EUR"}}, "import")
	q, err := l.Quality(ctx)
	if err != nil || len(q.Duplicates) != 1 || q.Duplicates[0].Field != "serial_number" || q.Missing["owner"] != 3 || len(q.Groups) != 2 || q.Groups[0].Orphans != 2 {
		t.Errorf("quality %+v %v", q, err)
	}
	e, err := l.Endings(ctx, "", 60*24*time.Hour, nil)
	if err != nil || len(e) != 1 || e[0].Name != "a" || e[0].Days != 30 {
		t.Errorf("endings %+v %v", e, err)
	}
	costs, err := l.Costs(ctx, "", "team")
	if err != nil || len(costs) != 2 || costs[0] != (Cost{"web", "EUR", 2, 111}) || costs[1] != (Cost{"web", "USD", 1, 50}) {
		t.Errorf("costs %+v %v", costs, err)
	}
}

func TestCompletion(t *testing.T) {
	l := newLab(t)
	l.box("web-1", 1).enroll().send()
	for q, want := range map[string]string{"o": "os:", "os:d": "debian", "class:host software:open": "openssl", "not cl": "class:", "class:h": "host"} {
		c := l.Complete(q, len(q), 50)
		if !slices.Contains(c.Proposals, want) {
			t.Errorf("%s: %q lacks %q", q, c.Proposals, want)
		}
	}
}

func TestCursorsWalkEverythingOnce(t *testing.T) {
	l := newLab(t)
	var lines []Line
	for i := range 250 {
		lines = append(lines, Line{CI: &Item{Class: "host", Name: string(rune('a'+i%26)) + strings.Repeat("x", i%3), Attributes: cmdb.Attributes{"memory_bytes": float64(i % 7), "serial_number": "S" + strings.Repeat("9", i%5) + "0001" + string(rune('a'+i%26))}}})
		if i%26 > 20 {
			lines[i].CI.Attributes = nil
		}
	}
	for i := range lines {
		lines[i].CI.Name += "-" + string(rune('0'+i%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i/100))
		delete(lines[i].CI.Attributes, "serial_number")
	}
	if bad, err := l.Import(context.Background(), lines, "import"); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	for _, sort := range []string{"", "-name", "memory_bytes", "-memory_bytes", "class"} {
		seen := map[string]bool{}
		q := ListQuery{Sort: sort, Limit: 37}
		last := ""
		for {
			p, err := l.List(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Items {
				if seen[c.ID] {
					t.Fatalf("sort %s: %s twice", sort, c.Name)
				}
				seen[c.ID] = true
				if sort == "" && c.Name < last {
					t.Fatalf("%s after %s", c.Name, last)
				}
				last = c.Name
			}
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != 250 {
			t.Errorf("sort %s: %d of 250", sort, len(seen))
		}
	}
	p, err := l.List(context.Background(), ListQuery{MaxBytes: 1})
	if err != nil || len(p.Items) != 1 || p.Next == "" {
		t.Errorf("a page bounded in bytes: %d items %v", len(p.Items), err)
	}
}

func TestViewsAndChangeRefs(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	if err := l.SaveView(ctx, View{Name: "mine", Query: "class:host (("}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a broken query was saved: %v", err)
	}
	if err := l.SaveView(ctx, View{Name: "mine", Query: "class:host", Owner: "eve"}); err != nil {
		t.Fatal(err)
	}
	vs, err := l.Views(ctx)
	if err != nil || len(vs) != 1 || vs[0].Owner != "eve" {
		t.Errorf("%+v %v", vs, err)
	}
	if err := l.DeleteView(ctx, "mine"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.View(ctx, "mine"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	a := l.box("web-1", 1).enroll()
	a.send()
	env := a.envelope()
	env.Changes = []report.Change{{Type: report.ChangeUnitFailed, Object: "ssh.service", Summary: "ssh.service failed"}}
	for range 30 {
		env.Changes = append(env.Changes, report.Change{Type: report.ChangePackageUpgraded, Object: "p", Summary: "p"})
	}
	if _, err := l.Report(ctx, a.ci, env); err != nil {
		t.Fatal(err)
	}
	got := l.events(event.KindChange)
	if len(got) != 2 {
		t.Fatalf("%d facts, want 2: thirty upgrades at once are one", len(got))
	}
	p, _ := got[0].Payload()
	if c := p.(*event.Change); c.CI.Name != "ssh@web-1" {
		t.Errorf("the unit's change is on %s", c.CI.Name)
	}
}
