package correlator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

func relation(from event.Ref, kind string, to event.Ref) *event.Relation {
	return &event.Relation{From: from, Type: kind, To: to}
}

// smallEstate is a shop on machines of their own, as agents see it: with calls of a
// whole machine where the process behind a socket is not known, with a certificate and
// with what is outside.
func smallEstate() []event.Body {
	var out []event.Body
	item := func(class, name string) event.Ref {
		r := ref(class, name)
		out = append(out, &event.CI{Ref: r})
		return r
	}
	on := func(class, name, host string) event.Ref {
		r := item(class, name)
		out = append(out, relation(r, "runs_on", ref("host", host)))
		return r
	}
	for _, h := range []string{"lb1", "web1", "web2", "app1", "app2", "app3", "db1", "db2", "cache1", "mq1", "dns1", "mon1"} {
		item("host", h)
	}
	proxy, outside, certificate := on("service", "haproxy@lb1", "lb1"), item("external", "10.88.0.0/24"), item("certificate", "shop.example.org@web1")
	nginx1, nginx2 := on("service", "nginx@web1", "web1"), on("service", "nginx@web2", "web2")
	maria, postgres, redis := on("database", "mariadbd@db2", "db2"), on("database", "postgres@db1", "db1"), on("cache", "redis@cache1", "cache1")
	on("queue", "nats@mq1", "mq1")
	on("service", "dnsmasq@dns1", "dns1")
	for _, n := range []event.Ref{nginx1, nginx2} {
		out = append(out, relation(proxy, "depends_on", n), relation(n, "secured_by", certificate))
		for a := 1; a <= 3; a++ {
			app := ref("service", fmt.Sprintf("app@app%d", a))
			if n == nginx1 {
				on("service", app.Name, fmt.Sprintf("app%d", a))
				for _, to := range []event.Ref{maria, postgres, redis} {
					out = append(out, relation(app, "depends_on", to), relation(ref("host", fmt.Sprintf("app%d", a)), "depends_on", to))
				}
			}
			out = append(out, relation(n, "depends_on", app))
		}
	}
	for _, h := range []string{"web1", "app2", "cache1", "db2", "dns1"} {
		out = append(out, relation(ref("host", h), "depends_on", outside))
	}
	return append(out, relation(ref("host", "web1"), "depends_on", nginx1))
}

func lostHost(name string, at time.Time) *event.Liveness {
	return &event.Liveness{CI: ref("host", name), Lost: true, Since: at.Add(-10 * time.Second), Evidence: []string{"mon1 lost it and it does not answer"}}
}

// Whatever a machine or its processes call, a machine that is dead is why it is dead.
func TestADeadMachineIsItsOwnCause(t *testing.T) {
	for _, host := range []string{"lb1", "web1", "web2", "app1", "app2", "db1", "db2", "cache1", "mq1", "dns1"} {
		for _, told := range []string{"neighbours", "rule"} {
			d := newDesk(t, smallEstate()...)
			at := dawn.Add(time.Hour)
			if told == "neighbours" {
				d.step(at, lostHost(host, at))
			} else {
				d.step(at, firing(at, map[string]string{"alertname": "NodeDown", "host": host, "severity": "critical"}))
			}
			// With the neighbours' word for it, whatever else complains changes nothing;
			// beside a mere rule, what does not need the machine may be another failure.
			if told == "neighbours" {
				for n, app := range []string{"app@app1", "app@app3"} {
					at = at.Add(20 * time.Second)
					d.step(at, firing(at, map[string]string{"alertname": "HighErrorRate", "service": app, "severity": "warning", "n": fmt.Sprint(n)}))
				}
			}
			d.step(at.Add(2*time.Minute), &event.Notification{})
			found := false
			for _, a := range d.last {
				if !slices.Contains(a.CIs, "id-"+host) {
					continue
				}
				found = true
				if len(a.Causes) == 0 || a.Causes[0].CI != "id-"+host {
					t.Errorf("%s is down, told by %s: causes %+v", host, told, a.Causes)
				} else if told == "neighbours" && (len(a.Causes) > 1 || a.Verdict.Grade != correlator.GradeCause || a.Verdict.Text != "Cause: host "+host) {
					t.Errorf("%s is down: it needs no other cause than itself: %+v, %+v", host, a.Verdict, a.Causes)
				}
			}
			if !found {
				t.Errorf("%s is down, told by %s, and in no incident: %+v", host, told, d.last)
			}
		}
	}
}

func TestTwoMachinesLostAtOnceStayTwo(t *testing.T) {
	d := newDesk(t, smallEstate()...)
	at := dawn.Add(time.Hour)
	d.step(at, firing(at, map[string]string{"alertname": "HighErrorRate", "service": "haproxy@lb1", "severity": "critical"}))
	at = at.Add(40 * time.Second)
	d.step(at, lostHost("app2", at))
	at = at.Add(5 * time.Second)
	d.step(at, lostHost("db2", at))
	for n, labels := range []map[string]string{
		{"alertname": "MysqlDown", "service": "mariadbd@db2", "severity": "critical"},
		{"alertname": "TargetDown", "service": "app@app2", "severity": "critical"},
		{"alertname": "HighErrorRate", "service": "app@app1", "severity": "critical"},
		{"alertname": "HighErrorRate", "service": "app@app3", "severity": "critical"},
	} {
		d.step(at.Add(time.Duration(10*(n+1))*time.Second), firing(at, labels))
	}
	d.step(at.Add(5*time.Minute), &event.Notification{})
	var incidents []string
	for _, host := range []string{"app2", "db2"} {
		for id, a := range d.last {
			if !slices.Contains(a.CIs, "id-"+host) || slices.ContainsFunc(said[correlator.IncidentMerged](d.said), func(m correlator.IncidentMerged) bool { return m.From == id }) {
				continue
			}
			incidents = append(incidents, id)
			if len(a.Causes) == 0 || a.Causes[0].CI != "id-"+host {
				t.Errorf("%s: causes %+v", host, a.Causes)
			}
		}
	}
	if len(incidents) != 2 || incidents[0] == incidents[1] {
		t.Errorf("app2 and db2 are in %v, and should be in one each", incidents)
	}
}

func TestMachinesLostWithWhatCarriesThemAreOne(t *testing.T) {
	topology := smallEstate()
	topology = append(topology, &event.CI{Ref: ref("hypervisor", "pve1")}, &event.CI{Ref: ref("switch", "tor1")})
	for _, h := range []string{"app1", "db1", "cache1"} {
		topology = append(topology, relation(ref("host", h), "runs_on", ref("hypervisor", "pve1")))
	}
	for _, h := range []string{"web1", "web2", "lb1", "mq1", "dns1", "mon1", "app2", "app3", "db2"} {
		topology = append(topology, relation(ref("host", h), "attached_to", ref("switch", "tor1")))
	}
	for _, c := range []struct {
		lost      []string
		incidents int
		first     string
	}{
		{[]string{"app1", "db1", "cache1"}, 1, "id-pve1"},
		{[]string{"web1", "mq1"}, 2, ""}, // two of nine on a switch: chance
	} {
		d := newDesk(t, topology...)
		at := dawn.Add(time.Hour)
		for _, h := range c.lost {
			at = at.Add(3 * time.Second)
			d.step(at, lostHost(h, at))
		}
		gone := map[string]bool{}
		for _, m := range said[correlator.IncidentMerged](d.said) {
			gone[m.From] = true
		}
		if n := len(said[correlator.IncidentOpened](d.said)) - len(gone); n != c.incidents {
			t.Errorf("%v: %d incidents, want %d", c.lost, n, c.incidents)
		}
		for id, a := range d.last {
			if c.first != "" && !gone[id] && (len(a.Causes) == 0 || a.Causes[0].CI != c.first) {
				t.Errorf("%v: causes %+v, want %s first", c.lost, a.Causes, c.first)
			}
		}
	}
}
