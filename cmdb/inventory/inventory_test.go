package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// lab is an inventory on a real store and journal with a clock of its own.
type lab struct {
	testing.TB
	*Inventory
	db      *badgerdb.DB
	journal *journal.Journal
	mu      sync.Mutex
	clock   time.Time
	ids     int
}

func newLab(t testing.TB) *lab {
	t.Helper()
	db, err := badgerdb.Open(badgerdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l := &lab{TB: t, db: db, clock: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	if l.journal, err = journal.Open(context.Background(), db, l.now); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	return l
}

func (l *lab) reopen() {
	l.Helper()
	inv, err := New(context.Background(), Options{
		DB: l.db, Journal: l.journal, Now: l.now, Rules: Rules{Schedule: report.Schedule{ReportSeconds: 60}},
		NewID: func() string { l.mu.Lock(); defer l.mu.Unlock(); l.ids++; return fmt.Sprintf("ci%04d", l.ids) },
	})
	if err != nil {
		l.Fatal(err)
	}
	l.Inventory = inv
}

func (l *lab) now() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return l.clock }

func (l *lab) pass(d time.Duration) { l.mu.Lock(); defer l.mu.Unlock(); l.clock = l.clock.Add(d) }

func (l *lab) events(kinds ...event.Kind) []event.Event {
	l.Helper()
	all, err := l.journal.ReadStored(context.Background(), 0, 1<<20)
	if err != nil {
		l.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e event.Event) bool { return len(kinds) > 0 && !slices.Contains(kinds, e.Kind) })
}

// box is a machine with an agent that remembers what the server has, as the real one does.
type box struct {
	lab  *lab
	rep  report.Report
	ci   string
	sent map[string]string
	skew time.Duration // of its clock
}

func (l *lab) box(name string, n int) *box {
	b := &box{lab: l, sent: map[string]string{}}
	b.rep = report.Report{
		Agent: report.Agent{ID: "agent-" + name, Version: "1.0", BootID: fmt.Sprintf("boot-%s-1", name)},
		Host: report.Host{
			Hostname: name, FQDN: name + ".example.com", MachineID: fmt.Sprintf("%032x", 0xabc000+n), ProductUUID: fmt.Sprintf("a1b2c3d4-0000-4000-8000-%012x", 0xdd0000+n),
			SerialNumber: fmt.Sprintf("SN-%05d", 70000+n), Vendor: "Acme", Product: "R1", Virtualization: "none", BootTime: l.now().Add(-time.Hour),
		},
		OS:       report.OS{Family: "linux", ID: "debian", Name: "Debian GNU/Linux 12", Version: "12", Kernel: "6.1.0-18", Arch: "amd64"},
		Hardware: report.Hardware{CPUModel: "X", CPUSockets: 1, CPUCores: 4, CPUThreads: 8, MemoryBytes: 16 << 30},
		Interfaces: []report.Interface{
			{Name: "eth0", Kind: "physical", MAC: fmt.Sprintf("00:16:3e:00:%02x:%02x", n/256, n%256), State: "up", Addresses: []string{fmt.Sprintf("10.0.%d.%d/16", n/250, n%250+1)}},
			{Name: "docker0", Kind: "bridge", MAC: "02:42:00:00:00:01", Addresses: []string{"172.17.0.1/16"}},
		},
		Disks:     []report.Disk{{Name: "sda", Kind: "ssd", Serial: fmt.Sprintf("DISK%06d", n), SizeBytes: 1 << 40}},
		Packages:  []report.Package{{Type: "deb", Name: "openssl", Version: "3.0.11-1", Arch: "amd64"}, {Type: "deb", Name: "bash", Version: "5.2", Arch: "amd64"}},
		Services:  []report.Service{{Name: "ssh.service", State: "active", Kind: "service"}},
		Listeners: []report.Listener{{Protocol: "tcp", Address: "0.0.0.0", Port: 22, Process: "sshd", Unit: "ssh.service"}},
	}
	return b
}

func (b *box) address() string {
	a, _, _ := strings.Cut(b.rep.Interfaces[0].Addresses[0], "/")
	return a
}

func (b *box) enroll() *box {
	b.lab.Helper()
	req := report.EnrollRequest{Agent: b.rep.Agent, Host: b.rep.Host}
	if i := b.rep.Interfaces[0]; i.Kind == "physical" {
		req.MACs = []string{i.MAC}
	}
	out, err := b.lab.Enroll(context.Background(), req, "")
	if err != nil {
		b.lab.Fatalf("enrol %s: %v", b.rep.Host.Hostname, err)
	}
	b.ci = out.CI.ID
	return b
}

func (b *box) envelope() report.Envelope {
	b.lab.Helper()
	b.rep.Agent.Sequence++
	sections, err := b.rep.Split()
	if err != nil {
		b.lab.Fatal(err)
	}
	for name, s := range sections {
		if b.sent[name] == s.Hash {
			s.Data = nil
			sections[name] = s
		}
	}
	return report.Envelope{Agent: b.rep.Agent, TakenAt: b.lab.now(), Sections: sections}
}

func (b *box) send() report.Reply {
	b.lab.Helper()
	env := b.envelope()
	reply, err := b.lab.Report(context.Background(), b.ci, env)
	if err != nil {
		b.lab.Fatalf("report of %s: %v", b.rep.Host.Hostname, err)
	}
	for name, s := range env.Sections {
		b.sent[name] = s.Hash
	}
	for _, name := range reply.Want {
		delete(b.sent, name)
	}
	return reply
}

func (l *lab) get(id string) cmdb.CI {
	l.Helper()
	c, err := l.Get(context.Background(), id)
	if err != nil {
		l.Fatal(err)
	}
	return c
}

func (l *lab) names(query string) []string {
	l.Helper()
	p, err := l.List(context.Background(), ListQuery{Query: query, Limit: 1000})
	if err != nil {
		l.Fatalf("query %s: %v", query, err)
	}
	var out []string
	for _, c := range p.Items {
		out = append(out, c.Name)
	}
	return out
}

func (l *lab) want(query string, names ...string) {
	l.Helper()
	if got := l.names(query); !slices.Equal(got, names) {
		l.Errorf("query %s: got %q, want %q", query, got, names)
	}
}

func TestHostReportBecomesItemsServicesAndFacts(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	if r := a.send(); len(r.Want) > 0 || len(r.Rejected) > 0 || r.CI != a.ci {
		t.Fatalf("first report: %+v", r)
	}
	c := l.get(a.ci)
	if c.Class != "host" || c.Name != "web-1" || c.Attributes.Text("os") != "debian" || c.Liveness != cmdb.Seen {
		t.Fatalf("host: %+v", c)
	}
	if got := c.Attributes.List("addresses"); !slices.Equal(got, []string{"10.0.0.2"}) {
		t.Errorf("addresses %q: a container bridge's address stands on every machine and must stay out", got)
	}
	l.want("class:service", "ssh@web-1")
	l.want("software:openssl<3.0.14", "web-1")
	l.want("software:openssl>=3.0.14")
	l.want("os:debian memory>8GiB seen<24h not tag:lab class:host", "web-1")

	var told []string
	for _, e := range l.events(event.KindCI, event.KindRelation) {
		p, err := e.Payload()
		if err != nil {
			t.Fatal(err)
		}
		switch x := p.(type) {
		case *event.CI:
			told = append(told, x.Class+" "+x.Name)
			if _, ok := x.Attributes["kernel"]; ok {
				t.Error("the engine was told of the kernel, which it has no use for")
			}
		case *event.Relation:
			told = append(told, x.From.Name+" "+x.Type+" "+x.To.Name)
		}
	}
	if want := []string{"host web-1", "host web-1", "service ssh@web-1", "ssh@web-1 runs_on web-1"}; !slices.Equal(told, want) {
		t.Errorf("facts %q, want %q", told, want)
	}
}

func TestUnchangedReportWritesNothing(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	end, _ := l.journal.End()
	before, _, _ := l.History(context.Background(), a.ci, HistoryQuery{})
	for range 5 {
		l.pass(time.Minute)
		a.rep.Filesystems = nil
		if r := a.send(); len(r.Want) > 0 {
			t.Fatalf("wants %v", r.Want)
		}
	}
	if now, _ := l.journal.End(); now != end {
		t.Errorf("unchanged reports put %d facts into the journal", now-end)
	}
	after, _, _ := l.History(context.Background(), a.ci, HistoryQuery{})
	if len(after) != len(before) {
		t.Errorf("unchanged reports made history: %v", after[:len(after)-len(before)])
	}
	if s := l.Stats(); s.UnchangedReports != 5 || s.Reports != 6 {
		t.Errorf("stats %+v", s)
	}
	if got := l.get(a.ci).LastSeen; !got.Equal(l.now()) {
		t.Errorf("last seen %v, want %v", got, l.now())
	}
}

func TestConnectionsJoinAtBothEnds(t *testing.T) {
	for _, order := range []string{"caller first", "server first"} {
		t.Run(order, func(t *testing.T) {
			l := newLab(t)
			db, web := l.box("db-1", 1), l.box("web-1", 2)
			db.rep.Listeners = append(db.rep.Listeners, report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 5432, Process: "postgres", Unit: "postgresql.service", Product: "postgresql"})
			db.rep.Connections = []report.Connection{{Direction: "inbound", Protocol: "tcp", LocalAddress: db.address(), LocalPort: 5432, PeerAddress: web.address(), Count: 3}}
			web.rep.Connections = []report.Connection{
				{Direction: "outbound", Protocol: "tcp", LocalAddress: web.address(), PeerAddress: db.address(), PeerPort: 5432, Process: "shop", Unit: "shop.service"},
				{Direction: "outbound", Protocol: "tcp", LocalAddress: web.address(), PeerAddress: "93.184.216.34", PeerPort: 443, Process: "shop", Unit: "shop.service"},
			}
			boxes := []*box{web, db}
			if order == "server first" {
				slices.Reverse(boxes)
			}
			for _, b := range boxes {
				b.enroll().send()
			}
			l.want("class:database", "postgresql@db-1")
			l.want("class:external", "93.184.216.0/24")
			g, err := l.Graph(context.Background(), db.ci, GraphQuery{Hops: 2, Direction: Dependents})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, n := range g.Nodes {
				names = append(names, n.Name)
			}
			if want := []string{"db-1", "postgresql@db-1", "ssh@db-1", "shop@web-1"}; !slices.Equal(names, want) {
				t.Errorf("what needs db-1: %q, want %q", names, want)
			}
			imp, err := l.Impact(context.Background(), db.ci, 5)
			if err != nil || imp.Total != 3 {
				t.Errorf("impact %+v, %v", imp, err)
			}
		})
	}
}

func TestStoppedServiceKeepsItsEdgesUntilItExpires(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1)
	a.rep.Services = append(a.rep.Services, report.Service{Name: "node_exporter.service", State: "active", Kind: "service"})
	a.rep.Listeners = append(a.rep.Listeners, report.Listener{Protocol: "tcp", Port: 9100, Process: "node_exporter", Unit: "node_exporter.service"})
	a.enroll().send()
	l.pass(time.Minute)
	a.rep.Listeners = a.rep.Listeners[:1]
	a.rep.Services[1].State = "failed"
	a.send()
	l.want("class:service port:9100", "node_exporter@web-1")
	l.want("class:service state:failed", "node_exporter@web-1")
	var changes []string
	for _, e := range l.events(event.KindChange) {
		p, _ := e.Payload()
		changes = append(changes, p.(*event.Change).Type+" "+p.(*event.Change).CI.Name)
	}
	if want := []string{"unit_failed node_exporter@web-1", "listener_removed node_exporter@web-1"}; !slices.Equal(changes, want) {
		t.Errorf("changes %q, want %q", changes, want)
	}
	for _, e := range l.events(event.KindCI, event.KindRelation) {
		if strings.Contains(string(e.Body), "removed") {
			t.Errorf("the engine lost the service the moment it stopped: %s", e.Body)
		}
	}
	l.pass(8 * 24 * time.Hour)
	a.send()
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	l.want("class:service liveness:seen", "ssh@web-1")
	l.want("class:service liveness:gone", "node_exporter@web-1")
	if g, _ := l.Graph(context.Background(), a.ci, GraphQuery{}); len(g.Edges) != 1 {
		t.Errorf("edges %+v", g.Edges)
	}
	// It comes back as the same item, and the engine hears of it again.
	id := l.mem.entries[l.mem.at(a.ci).children[0]].id
	a.rep.Listeners = append(a.rep.Listeners, report.Listener{Protocol: "tcp", Port: 9100, Process: "node_exporter", Unit: "node_exporter.service"})
	a.send()
	l.want("class:service liveness:seen", "node_exporter@web-1", "ssh@web-1")
	if n := len(l.mem.at(a.ci).children); n != 2 {
		t.Errorf("%d children after %s came back", n, id)
	}
}

func TestPackageChangesAreFactsAndHistory(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	a.rep.Packages = []report.Package{{Type: "deb", Name: "openssl", Version: "3.0.14-1", Arch: "amd64"}, {Type: "deb", Name: "curl", Version: "8", Arch: "amd64"}}
	a.send()
	var got []string
	for _, e := range l.events(event.KindChange) {
		p, _ := e.Payload()
		c := p.(*event.Change)
		got = append(got, c.Type+": "+c.Summary)
	}
	want := []string{"package_installed: curl 8 installed", "package_removed: bash 5.2 removed", "package_upgraded: openssl 3.0.14-1 after 3.0.11-1"}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	h, _, err := l.History(context.Background(), a.ci, HistoryQuery{Field: "software:deb/openssl"})
	if err != nil || len(h) != 1 || h[0].Old != "3.0.11-1" || h[0].New != "3.0.14-1" {
		t.Errorf("history %+v, %v", h, err)
	}
	l.want("software:bash")
	ps, _, err := l.Software(context.Background(), SoftwareQuery{Name: "openssl"})
	if err != nil || len(ps) != 1 || ps[0].Hosts != 1 || len(ps[0].Versions) != 1 {
		t.Errorf("software %+v, %v", ps, err)
	}
	b, err := l.Section(context.Background(), a.ci, "packages")
	var list []report.Package
	if err != nil || json.Unmarshal(b, &list) != nil || !slices.Equal(list, []report.Package{a.rep.Packages[1], a.rep.Packages[0]}) {
		t.Errorf("packages %s, %v", b, err)
	}
}

func TestCertificatesAreItemsThatSecureTheirService(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1)
	a.rep.Listeners = append(a.rep.Listeners, report.Listener{Protocol: "tcp", Port: 443, Process: "nginx", Unit: "nginx.service"})
	end := l.now().Add(20 * 24 * time.Hour)
	a.rep.Certificates = []report.Certificate{
		{Fingerprint: "aa11", Subject: "CN=shop.example.com,O=Acme", DNSNames: []string{"shop.example.com", "www.example.com"}, NotAfter: end, Location: "listener:443"},
		{Fingerprint: "aa11", Subject: "CN=shop.example.com,O=Acme", DNSNames: []string{"shop.example.com", "www.example.com"}, NotAfter: end, Location: "/etc/nginx/tls.pem"},
		{Fingerprint: "bb22", Subject: "CN=Some Root", NotAfter: end, Location: "/etc/ssl/certs/root.pem"},
	}
	a.enroll().send()
	l.want("class:certificate", "shop.example.com@web-1")
	g, err := l.Graph(context.Background(), l.id("shop.example.com@web-1"), GraphQuery{Hops: 1})
	if err != nil || len(g.Edges) != 1 || g.Edges[0].Type != "secured_by" || g.Edges[0].From != l.id("nginx@web-1") {
		t.Errorf("edges %+v %v", g.Edges, err)
	}
	e, err := l.Endings(context.Background(), "", 30*24*time.Hour, nil)
	if err != nil || len(e) != 1 || e[0].Days != 20 {
		t.Errorf("endings %+v %v", e, err)
	}
}

func TestWrongSectionLosesOnlyItself(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	env := a.envelope()
	env.Sections["listeners"] = report.Section{Hash: "x", Data: json.RawMessage(`[{"protocol":"tcp","address":"0.0.0.0","port":99999}]`)}
	env.Sections["routes"] = report.Section{Hash: "y", Data: json.RawMessage(`{"not":"a list"}`)}
	env.Sections["horoscope"] = report.Section{Hash: "z", Data: json.RawMessage(`[]`)}
	r, err := l.Report(context.Background(), a.ci, env)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rejected) != 3 || !strings.Contains(r.Rejected["listeners"], "port: want 1 to 65535, got 99999") {
		t.Errorf("rejected %q", r.Rejected)
	}
	l.want("os:debian", "web-1")
	states, err := l.Sections(context.Background(), a.ci)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(states, func(s SectionState) bool { return s.Name == "listeners" })
	if i < 0 || states[i].Rejected == "" {
		t.Errorf("the reason is not on the host: %+v", states)
	}
	if s := l.Stats(); s.RejectedSections["listeners"] != 1 || s.RejectedSections["unknown"] != 1 {
		t.Errorf("metric %+v", s.RejectedSections)
	}
}

func TestCloneForks(t *testing.T) {
	t.Run("identical in everything: told by interleaving boots", func(t *testing.T) {
		l := newLab(t)
		a := l.box("web-1", 1).enroll()
		a.send()
		clone := l.box("web-1", 1)
		clone.ci = a.ci
		clone.rep.Agent.BootID = "boot-clone"
		l.pass(time.Minute)
		if r := clone.send(); r.Forked {
			t.Error("one new boot is a reboot, not a clone")
		}
		l.pass(time.Minute)
		if r := a.send(); r.Forked {
			t.Error("the one that was there first was told to go")
		}
		l.pass(time.Minute)
		if r := clone.send(); !r.Forked {
			t.Fatal("two boots interleave on one identity: the later must fork")
		}
		clone.rep.Agent.ID = "agent-new"
		clone.enroll()
		if clone.ci == a.ci {
			t.Fatal("the clone enrolled as the original again")
		}
		for range 3 {
			l.pass(time.Minute)
			if ra, rc := a.send(), clone.send(); ra.Forked || rc.Forked || ra.CI == rc.CI {
				t.Fatalf("they still fight: %+v %+v", ra, rc)
			}
		}
		tasks, _, err := l.Tasks(context.Background(), false, "", 0)
		if err != nil || !slices.ContainsFunc(tasks, func(t Task) bool { return t.Kind == TaskClone && t.CI == a.ci }) {
			t.Errorf("no task: %+v %v", tasks, err)
		}
	})
	t.Run("disk image on other hardware: told at once", func(t *testing.T) {
		l := newLab(t)
		a := l.box("web-1", 1).enroll()
		a.send()
		clone := l.box("web-1", 2)
		clone.rep.Agent.ID, clone.rep.Host.MachineID, clone.ci = a.rep.Agent.ID, a.rep.Host.MachineID, a.ci
		clone.rep.Agent.BootID = "boot-clone"
		l.pass(time.Minute)
		if r := clone.send(); !r.Forked {
			t.Fatal("other hardware with the same agent id must fork at once")
		}
		if got := l.get(a.ci).Attributes.Text("serial_number"); got != "SN-70001" {
			t.Errorf("the original took the clone's serial: %s", got)
		}
	})
}

func TestReimagedMachineIsTheSameAsset(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	ctx := context.Background()
	if _, _, err := l.Upsert(ctx, Item{ID: a.ci, Attributes: cmdb.Attributes{"owner": "alice", "cost": 1200.0}}, "person:alice"); err != nil {
		t.Fatal(err)
	}
	fresh := l.box("web-1", 1)
	fresh.rep.Agent.ID, fresh.rep.Host.MachineID, fresh.rep.Agent.BootID = "agent-2", fmt.Sprintf("%032x", 0xfefe01), "boot-2"
	fresh.rep.OS.ID = "ubuntu"
	l.pass(l.cooldown() + time.Second) // an installation takes longer than that
	out, err := l.Enroll(ctx, report.EnrollRequest{Agent: fresh.rep.Agent, Host: fresh.rep.Host}, "")
	if err != nil || out.CI.ID != a.ci || !out.Reimaged {
		t.Fatalf("reimage: %+v %v", out, err)
	}
	fresh.ci = out.CI.ID
	fresh.send()
	c := l.get(a.ci)
	if c.Attributes.Text("owner") != "alice" || c.Attributes["cost"] != 1200.0 || c.Attributes.Text("os") != "ubuntu" {
		t.Errorf("after the reimage: %v", c.Attributes)
	}
}

func TestRenameKeepsAlias(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	a.rep.Host.Hostname, a.rep.Host.FQDN = "shop-1", "shop-1.example.com"
	a.send()
	c := l.get(a.ci)
	if c.Name != "shop-1" || !slices.Equal(c.Aliases, []string{"web-1", "web-1.example.com"}) {
		t.Errorf("name %s aliases %q", c.Name, c.Aliases)
	}
	l.want("class:service", "ssh@shop-1")
	l.want("web-1", "shop-1", "ssh@shop-1")
}

func TestImportIsKeyedByClassAndName(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	lines := []Line{
		{CI: &Item{Class: "host", Name: "pg-1", Attributes: cmdb.Attributes{"hostname": "pg-1", "addresses": []any{"10.9.0.1"}, "vm_id": "130"}}},
		{CI: &Item{Class: "database", Name: "pg-main", Attributes: cmdb.Attributes{"ports": []any{5432.0}, "engine": "postgresql"}}},
		{Relation: &Link{From: event.Ref{Class: "database", Name: "pg-main"}, Type: "runs_on", To: event.Ref{Class: "host", Name: "pg-1"}}},
		{CI: &Item{Class: "hots", Name: "x"}},
		{Relation: &Link{From: event.Ref{Class: "database", Name: "nobody"}, Type: "runs_on", To: event.Ref{Class: "host", Name: "pg-1"}}},
		{CI: &Item{Class: "host", Name: "pg-2", Attributes: cmdb.Attributes{"addresses": []any{"not an address"}, "criticality": "huge"}}},
	}
	for range 2 {
		bad, err := l.Import(ctx, lines, "import")
		if err != nil || len(bad) != 3 || bad[0].Line != 3 || bad[1].Line != 4 || bad[2].Line != 5 {
			t.Fatalf("bad %v, %v", bad, err)
		}
		if s := bad[2].Err.Error(); !strings.Contains(s, "attributes.addresses") || !strings.Contains(s, "attributes.criticality") {
			t.Errorf("not every mistake is told: %s", s)
		}
	}
	l.want("", "pg-1", "pg-main")
	if n := len(l.events(event.KindCI)); n != 2 {
		t.Errorf("%d ci facts, want 2: importing again must change nothing", n)
	}
	// A connection to the imported machine finds the imported database.
	a := l.box("web-1", 1)
	a.rep.Connections = []report.Connection{{Direction: "outbound", Protocol: "tcp", PeerAddress: "10.9.0.1", PeerPort: 5432, Unit: "shop.service", Process: "shop"}}
	a.enroll().send()
	imp, err := l.Impact(ctx, l.id("pg-main"), 0)
	if err != nil || imp.Total != 1 || imp.Affected[0].Name != "shop@web-1" {
		t.Errorf("impact %+v %v", imp, err)
	}
	if err := l.Remove(ctx, l.id("pg-main"), "import"); err != nil {
		t.Fatal(err)
	}
	l.want("class:database")
	if imp, _ = l.Impact(ctx, l.id("pg-1"), 0); imp.Total != 1 {
		t.Errorf("the edge does not lead to the host when its database is gone: %+v", imp)
	}
}

func (l *lab) id(name string) string {
	l.Helper()
	p, err := l.List(context.Background(), ListQuery{Query: "name:" + name})
	if err != nil || len(p.Items) != 1 {
		l.Fatalf("%d items named %s, %v", len(p.Items), name, err)
	}
	return p.Items[0].ID
}

func TestReopenFindsEverythingAgain(t *testing.T) {
	l := newLab(t)
	db, web := l.box("db-1", 1), l.box("web-1", 2)
	web.rep.Connections = []report.Connection{{Direction: "outbound", Protocol: "tcp", PeerAddress: db.address(), PeerPort: 22, Process: "shop", Unit: "shop.service"}}
	db.enroll().send()
	web.enroll().send()
	before := l.picture()
	l.reopen()
	if after := l.picture(); after != before {
		t.Errorf("after reopening:\n%s\nbefore:\n%s", after, before)
	}
	end, _ := l.journal.End()
	if r := web.send(); len(r.Want) > 0 {
		t.Errorf("wants %v again", r.Want)
	}
	l.want("software:openssl class:host", "db-1", "web-1")
	if now, _ := l.journal.End(); now != end {
		t.Error("a report after a restart told the engine what it knew")
	}
	if out, err := l.Enroll(context.Background(), report.EnrollRequest{Agent: web.rep.Agent, Host: web.rep.Host}, web.ci); err != nil || out.CI.ID != web.ci || out.Created {
		t.Errorf("known machine: %+v %v", out, err)
	}
}

// fading says that every edge of an item waits for its expiry.
func (l *lab) fading(id string) bool {
	m := l.mem
	o := m.byID[id]
	for _, k := range m.entries[o].out {
		if _, ok := l.unseen[relationID(m, o, k.kind, k.ord)]; !ok {
			return false
		}
	}
	for _, k := range m.entries[o].in {
		if _, ok := l.unseen[relationID(m, k.ord, k.kind, o)]; !ok {
			return false
		}
	}
	return true
}

// picture is what the inventory holds, without ids and times.
func (l *lab) picture() string {
	l.Helper()
	p, err := l.List(context.Background(), ListQuery{Limit: 1000})
	if err != nil {
		l.Fatal(err)
	}
	name := map[string]string{}
	for _, c := range p.Items {
		name[c.ID] = c.Class + " " + c.Name
	}
	var lines []string
	for _, c := range p.Items {
		if !c.Missing.IsZero() || slices.Contains([]string{"external", unmanagedClass, "client"}, c.Class) && l.fading(c.ID) {
			continue
		}
		attrs, err := json.Marshal(c.Attributes)
		if err != nil {
			l.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s on %s: %s", name[c.ID], name[c.Parent], attrs))
		g, err := l.Graph(context.Background(), c.ID, GraphQuery{Hops: 1, Direction: Needs})
		if err != nil {
			l.Fatal(err)
		}
		for _, e := range g.Edges {
			if e.From == c.ID {
				if _, fading := l.unseen[e.From+" "+e.Type+" "+e.To]; !fading {
					lines = append(lines, fmt.Sprintf("%s %s %s", name[e.From], e.Type, name[e.To]))
				}
			}
		}
		if host := l.mem.at(c.ID).host; host != nil {
			b, err := l.Packages(context.Background(), c.ID)
			if err != nil {
				l.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s has %v", name[c.ID], b))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestQueryErrorsSayWhere(t *testing.T) {
	l := newLab(t)
	l.box("web-1", 1).enroll().send()
	for q, want := range map[string]string{
		"class:host oss:debian": `q: at character 12: no item has a field "oss"; did you mean "os"?`,
		"class:host (os:debian": "q: at character 12: the parenthesis is not closed",
		"owner:größe (os:x":     "q: at character 13: the parenthesis is not closed",
		"os:":                   `q: at character 4: a value is missing after "os:"`,
		"seen<soon":             `q: at character 1: seen wants an age such as 90m, 24h, 30d or 8w, got "soon"`,
		"or x":                  `q: at character 1: "or" needs a term on both sides`,
		// Words that nothing can match, which an empty list would hide.
		"os:debian class:hots": `q: at character 11: there is no class "hots"; did you mean "host"?`,
		"not liveness:old":     `q: at character 5: liveness is one of recorded, seen, stale, gone, not "old"`,
		"memory>8Foo":          `q: at character 1: memory wants a number such as 8, 1.5 or 16GiB, got "8foo"`,
		"port:ssh or port:22":  `q: at character 1: port wants a number such as 8, 1.5 or 16GiB, got "ssh"`,
		"criticality>hihg":     `q: at character 1: criticality is one of low, medium, high, critical, not "hihg"; did you mean "high"?`,
		"warranty_end<soon":    `q: at character 1: warranty_end wants a date such as 2027-01-31, got "soon"`,
		"agent:perhaps":        `q: at character 1: agent is one of true, false, yes, no, not "perhaps"`,
	} {
		_, err := l.List(context.Background(), ListQuery{Query: q})
		if fault.KindOf(err) != fault.Invalid || err.Error() != want {
			t.Errorf("%s: %v, want %s", q, err, want)
		}
	}
	for _, q := range []string{"class:ho*", "class:*", "liveness:*", "agent:*", "criticality:*", "class:Host", "criticality:HIGH", "port:22", "memory>1.5GiB", "warranty_end<2027", "owner:anything", "state:whatever"} {
		if _, err := l.List(context.Background(), ListQuery{Query: q}); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}
