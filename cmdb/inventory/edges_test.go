package inventory

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
)

// depends lists the edges other than runs_on that stand, as "from type to".
func (l *lab) depends() []string {
	l.Helper()
	m := l.mem
	var out []string
	for o := range m.entries {
		for _, k := range m.entries[o].out {
			if _, fading := l.unseen[relationID(m, uint32(o), k.kind, k.ord)]; !fading && m.kinds[k.kind] != runsOn {
				out = append(out, m.entries[o].name+" "+m.kinds[k.kind]+" "+m.entries[k.ord].name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (l *lab) edges(want ...string) {
	l.Helper()
	slices.Sort(want)
	if got := l.depends(); !slices.Equal(got, want) {
		l.Errorf("edges:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (b *box) listen(port int, process, unit string) {
	b.rep.Services = append(b.rep.Services, report.Service{Name: unit, State: "active", Kind: "service"})
	b.rep.Listeners = append(b.rep.Listeners, report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: port, Process: process, Unit: unit})
}

func (b *box) calls(peer string, port int, process, unit string) {
	b.rep.Connections = append(b.rep.Connections, report.Connection{Direction: "outbound", Protocol: "tcp", LocalAddress: b.address(), PeerAddress: peer, PeerPort: port, Process: process, Unit: unit})
}

func (b *box) called(peer string, port int) {
	b.rep.Connections = append(b.rep.Connections, report.Connection{Direction: "inbound", Protocol: "tcp", LocalAddress: b.address(), LocalPort: port, PeerAddress: peer})
}

func TestSocketWithoutOwnerIsNotTheHosts(t *testing.T) {
	l := newLab(t)
	cache, app := l.box("cache-1", 1), l.box("app-1", 2)
	cache.listen(6379, "redis-server", "redis.service")
	app.listen(8000, "app", "app.service")
	app.calls(cache.address(), 6379, "", "")
	app.calls(cache.address(), 6379, "psql", "")
	app.rep.Connections = append(app.rep.Connections, report.Connection{Direction: "outbound", Protocol: "tcp", PeerAddress: cache.address(), PeerPort: 6379, User: "backup"})
	cache.enroll().send()
	app.enroll().send()
	l.edges("unknown-client@app-1 depends_on redis@cache-1", "psql@app-1 depends_on redis@cache-1", "user-backup@app-1 depends_on redis@cache-1")
	imp, err := l.Impact(context.Background(), l.id("redis@cache-1"), 0)
	if err != nil || imp.Total != 0 || len(imp.Affected) != 3 || !imp.Affected[0].Uncounted {
		t.Errorf("only the unknown clients fail with the cache: %+v %v", imp, err)
	}
	if imp, _ = l.Impact(context.Background(), app.ci, 0); imp.Total != 2 || len(imp.Affected) != 5 {
		t.Errorf("clients run on their host: %+v", imp)
	}
	// They go with their edges, and follow their host's name.
	app.rep.Host.Hostname = "shop-1"
	app.send()
	l.want("class:client", "psql@shop-1", "unknown-client@shop-1", "user-backup@shop-1")
	app.rep.Connections = nil
	app.send()
	l.pass(8 * 24 * time.Hour)
	app.send()
	cache.send()
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	l.want("class:client")
}

func TestNoEdgeFromTheProductsOwnTraffic(t *testing.T) {
	l := newLab(t)
	mon, web := l.box("mon-1", 1), l.box("web-1", 2)
	mon.listen(7470, "watchbill", "watchbill.service")
	for _, b := range []*box{mon, web} {
		b.listen(7471, "watchbill-agent", "watchbill-agent.service")
		b.listen(9100, "node_exporter", "prometheus-node-exporter.service")
	}
	web.listen(443, "nginx", "nginx.service")
	web.calls(mon.address(), 7470, "watchbill-agent", "watchbill-agent.service") // its reports
	web.calls(mon.address(), 7470, "", "")                                       // the same, closed already
	web.calls(mon.address(), 7471, "", "")                                       // gossip
	web.calls("10.0.0.77", 7471, "", "")                                         // gossip with one not enrolled
	web.calls("127.0.0.1", 443, "", "")                                          // its TLS probe, and a curl
	web.calls(web.address(), 443, "", "")
	web.called(mon.address(), 7471)
	web.called(web.address(), 443)
	mon.called(web.address(), 7470)
	mon.calls(web.address(), 9100, "prometheus", "prometheus.service")
	mon.calls(web.address(), 443, "prometheus", "prometheus.service")
	mon.calls(web.address(), 9100, "", "") // a scrape, closed already
	web.called("10.0.0.99", 9100)          // another Prometheus, without an agent
	mon.enroll().send()
	web.enroll().send()
	l.edges("prometheus@mon-1 watches prometheus-node-exporter@web-1", "prometheus@mon-1 watches nginx@web-1",
		"unknown-client@mon-1 watches prometheus-node-exporter@web-1", "10.0.0.99 watches prometheus-node-exporter@web-1")
	if imp, err := l.Impact(context.Background(), web.ci, 0); err != nil || imp.Total != 4 {
		t.Errorf("a scrape is no dependency: %+v %v", imp, err)
	}
}

// TestEdgesOfOlderVersionsAreForgotten: what an older version stored is gone after a
// start, without waiting for the agents to be upgraded or the week to pass.
func TestEdgesOfOlderVersionsAreForgotten(t *testing.T) {
	l := newLab(t)
	db, app := l.box("db-1", 1), l.box("app-1", 2)
	db.listen(3306, "mariadbd", "mariadb.service")
	db.listen(7471, "watchbill-agent", "watchbill-agent.service")
	app.calls(db.address(), 3306, "", "")
	db.enroll().send()
	app.enroll().send()
	m := l.mem
	from, to, gossip := m.byID[app.ci], m.byID[l.id("mariadb@db-1")], m.byID[l.id("watchbill-agent@db-1")]
	err := l.do(context.Background(), func(b *batch) error {
		want := map[edge]string{}
		for _, e := range m.entries[from].host.asserted {
			want[e] = ""
		}
		want[edge{from, to, m.kind(dependsOn)}] = ""
		want[edge{from, gossip, m.kind(dependsOn)}] = ""
		return b.assertAll(from, want, false)
	})
	if err != nil || len(l.depends()) != 3 {
		t.Fatal(err, l.depends())
	}
	l.reopen()
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	l.edges("unknown-client@app-1 depends_on mariadb@db-1")
}

func TestNeighboursWithoutAgentAreItems(t *testing.T) {
	l := newLab(t)
	web, app := l.box("web-1", 1), l.box("app-1", 2)
	nas := l.box("nas-1", 3)
	nas.listen(445, "smbd", "smbd.service")
	web.listen(443, "nginx", "nginx.service")
	web.called(nas.address(), 443)
	web.called("203.0.113.7", 443)
	app.calls(nas.address(), 445, "app", "app.service")
	app.calls("224.0.0.251", 5353, "app", "app.service")
	app.calls("172.17.0.9", 80, "app", "app.service") // its own container
	app.rep.Connections[0].PeerMAC = "00:11:32:AA:BB:CC"
	web.enroll().send()
	app.enroll().send()
	l.edges(nas.address()+" depends_on nginx@web-1", "203.0.113.0/24 depends_on nginx@web-1", "app@app-1 depends_on "+nas.address())
	c := l.get(l.id(nas.address()))
	if c.Class != unmanagedClass || c.Attributes.Text("ports") != "445" || c.Attributes.Text("macs") != "00:11:32:aa:bb:cc" || c.Attributes.Text("addresses") != nas.address() {
		t.Errorf("the neighbour: %+v", c)
	}
	// What calls in and what is called are different programs of it: no failure passes through.
	if imp, err := l.Impact(context.Background(), l.id("nginx@web-1"), 0); err != nil || imp.Total != 0 || len(imp.Affected) != 2 {
		t.Errorf("impact of nginx: %+v %v", imp, err)
	}
	if imp, err := l.Impact(context.Background(), l.id(nas.address()), 0); err != nil || imp.Total != 1 || imp.Affected[0].Name != "app@app-1" {
		t.Errorf("impact of the neighbour: %+v %v", imp, err)
	}
	// It gets an agent: the edges move to what really serves and calls.
	nas.calls(web.address(), 443, "backup", "backup.service")
	nas.enroll().send()
	l.want("class:" + unmanagedClass)
	l.edges("backup@nas-1 depends_on nginx@web-1", "203.0.113.0/24 depends_on nginx@web-1", "app@app-1 depends_on smbd@nas-1")
}

func TestConfiguredMachineIsFoundByItsAddress(t *testing.T) {
	l := newLab(t)
	r, err := cmdb.NewRegistry(cmdb.Class{Name: "appliance", Role: cmdb.RoleMachine})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(Rules{Registry: r}); err != nil {
		t.Fatal(err)
	}
	l.upsert(Item{Class: "appliance", Name: "filer", Attributes: cmdb.Attributes{"addresses": "10.0.9.9"}}, "import")
	app := l.box("app-1", 2)
	app.calls("10.0.9.9", 2049, "app", "app.service")
	app.enroll().send()
	l.edges("app@app-1 depends_on filer")
}

func TestVethUplinkGivesAddresses(t *testing.T) {
	l := newLab(t)
	db, app := l.box("db-1", 1), l.box("app-1", 2)
	for _, b := range []*box{db, app} {
		b.rep.Interfaces[0].Kind = "veth"
		b.rep.Routes = []report.Route{{Destination: "default", Gateway: "10.0.0.254", Interface: "eth0", Family: "inet"}}
	}
	db.rep.Interfaces = append(db.rep.Interfaces,
		report.Interface{Name: "veth9", Kind: "veth", PeerHere: true, Addresses: []string{"10.22.0.1/24"}}, // the near end of a container's cable
		report.Interface{Name: "veth8", Kind: "veth", Master: "docker0", Addresses: []string{"10.23.0.1/24"}},
		report.Interface{Name: "eth1", Kind: "veth", Addresses: []string{"10.24.0.1/24"}}) // a second cable of a guest
	db.listen(5432, "postgres", "postgresql.service")
	app.calls(db.address(), 5432, "app", "app.service")
	app.calls("10.24.0.1", 5432, "app", "app.service")
	db.enroll().send()
	app.enroll().send()
	if got := l.get(db.ci).Attributes.Text("addresses"); got != db.address()+",10.24.0.1" {
		t.Errorf("addresses %s", got)
	}
	l.edges("app@app-1 depends_on postgresql@db-1")
	l.reopen() // what the routes said is there after a start
	app.rep.Connections = app.rep.Connections[1:]
	app.send()
	l.edges("app@app-1 depends_on postgresql@db-1")
}

func TestForwardedPortEndsAtTheTrueServer(t *testing.T) {
	l := newLab(t)
	nat, inner, web := l.box("nat-1", 1), l.box("int-1", 2), l.box("web-1", 3)
	inner.listen(8000, "app", "app.service")
	nat.rep.Listeners = append(nat.rep.Listeners, report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 8080, Forward: inner.address() + ":8000"})
	web.calls(nat.address(), 8080, "nginx", "nginx.service")
	inner.enroll().send()
	web.enroll().send()
	nat.enroll().send()
	l.edges("nginx@web-1 depends_on app@int-1", "nginx@web-1 depends_on nat-1")
	l.want("class:service port:8080")
	l.reopen()
	web.send()
	nat.rep.Listeners = nat.rep.Listeners[:1]
	nat.send()
	l.edges("nginx@web-1 depends_on nat-1")
}

func TestEdgesFadeBeforeTheyExpire(t *testing.T) {
	l := newLab(t)
	db, app := l.box("db-1", 1), l.box("app-1", 2)
	db.listen(5432, "postgres", "postgresql.service")
	app.listen(8000, "app", "app.service")
	app.calls(db.address(), 5432, "app", "app.service")
	db.enroll().send()
	app.enroll().send()
	call := app.rep.Connections
	strength := func() float64 {
		t.Helper()
		imp, err := l.Impact(context.Background(), l.id("postgresql@db-1"), 0)
		if err != nil || len(imp.Affected) != 1 {
			t.Fatalf("%+v %v", imp, err)
		}
		return imp.Affected[0].Strength
	}
	full := strength()
	app.rep.Connections = nil
	app.send()
	var told []float64
	for range 6 {
		l.pass(24 * time.Hour)
		app.send()
		db.send()
		if err := l.Tick(context.Background(), l.now()); err != nil {
			t.Fatal(err)
		}
		told = append(told, math.Round(100*strength()/full)/100)
	}
	if want := []float64{1, 0.75, 0.75, 0.5, 0.5, 0.25}; !slices.Equal(told, want) {
		t.Errorf("weights day by day: %v, want %v", told, want)
	}
	l.reopen()
	if got := strength() / full; got != 0.25 {
		t.Errorf("after a start the weight is %v", got)
	}
	app.rep.Connections = call
	app.send()
	if got := strength() / full; got != 1 {
		t.Errorf("seen again, the weight is %v", got)
	}
	var weights []float64
	for _, e := range l.events(event.KindRelation) {
		p, _ := e.Payload()
		if r := p.(*event.Relation); r.Weight != 0 {
			weights = append(weights, r.Weight)
		}
	}
	if want := []float64{0.75, 0.5, 0.25, 1}; !slices.Equal(weights, want) {
		t.Errorf("the engine was told of the weights %v, want %v", weights, want)
	}
}

// TestOwnerFoundLaterExplainsTheUnknownClient: the edge of the unknown client goes at
// once, it does not linger for a week beside the true one.
func TestOwnerFoundLaterExplainsTheUnknownClient(t *testing.T) {
	l := newLab(t)
	db, app := l.box("db-1", 1), l.box("app-1", 2)
	db.listen(5432, "postgres", "postgresql.service")
	app.calls(db.address(), 5432, "", "")
	db.enroll().send()
	app.enroll().send()
	l.edges("unknown-client@app-1 depends_on postgresql@db-1")
	app.rep.Connections[0].Unit = "cron.service"
	app.send()
	l.edges("cron@app-1 depends_on postgresql@db-1")
	l.want("class:client")
	if n := len(l.unseen); n != 0 {
		t.Errorf("%d edges wait for their expiry", n)
	}
}
