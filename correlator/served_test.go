package correlator_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// The common way of Prometheus: an alert names a machine by its instance, and the
// service that runs there by another label. It is about the machine, and what the
// service needs may be why.
func TestAnAlertOfAServicesMachineFollowsWhatTheServiceNeeds(t *testing.T) {
	d := newShop(t)
	alert := d.named
	alert(0, "DiskFull", "db1:9100", "")
	alert(3*time.Second, "HighErrorRate", "web1:8080", "shop")
	alert(4*time.Second, "HighErrorRate", "web2:8080", "shop")
	d.wait(hour.Add(2 * time.Minute))
	open := d.open()
	if len(open) != 1 {
		t.Fatalf("%d incidents, want one: %+v", len(open), open)
	}
	for id, a := range open {
		if a.Alerts != 3 || len(a.Causes) == 0 || a.Causes[0].Name != "db1" {
			t.Errorf("%s holds %d alerts, causes %+v; want 3 and db1 first", id, a.Alerts, a.Causes)
		}
	}
}

// A change just before is the better part of an explanation: without it two machines
// that fail alike leave open what did it.
func TestADeploymentJustBeforeIsBlamed(t *testing.T) {
	for _, deployed := range []bool{false, true} {
		d := newShop(t)
		if deployed {
			d.step(hour.Add(-9*time.Minute), &event.Change{CI: ref("service", "shop"), Type: "deployed", Summary: "shop 2.0 rolled out", Version: "2.0"})
		}
		d.named(0, "HighErrorRate", "web1:8080", "shop")
		d.named(time.Second, "HighErrorRate", "web2:8080", "shop")
		d.wait(hour.Add(2 * time.Minute))
		for id, a := range d.open() {
			switch {
			case !deployed && a.Verdict.Grade == correlator.GradeCause:
				t.Errorf("%s: without a change it is sure: %+v, %+v", id, a.Verdict, a.Causes)
			case deployed && (len(a.Causes) == 0 || a.Causes[0].Name != "shop" || !strings.HasPrefix(a.Causes[0].Path, "shop 2.0 rolled out 9m before; ") || len(a.Changes) != 1):
				t.Errorf("%s: causes %+v, changes %+v", id, a.Causes, a.Changes)
			}
		}
	}
}

// newShop is a service on two machines that needs another on a third.
func newShop(t *testing.T) *desk {
	host := func(name, ip string) *event.CI {
		return &event.CI{Ref: ref("host", name), Attributes: map[string]any{"hostname": name, "addresses": []any{ip}}}
	}
	return newDesk(t, host("web1", "10.0.0.1"), host("web2", "10.0.0.2"), host("db1", "10.0.0.3"),
		&event.CI{Ref: ref("service", "shop")}, &event.CI{Ref: ref("service", "orders")},
		&event.Relation{From: ref("service", "shop"), Type: "runs_on", To: ref("host", "web1")},
		&event.Relation{From: ref("service", "shop"), Type: "runs_on", To: ref("host", "web2")},
		&event.Relation{From: ref("service", "orders"), Type: "runs_on", To: ref("host", "db1")},
		&event.Relation{From: ref("service", "shop"), Type: "depends_on", To: ref("service", "orders")},
	)
}

// named is an alert as Prometheus labels it.
func (d *desk) named(after time.Duration, name, instance, service string) {
	at := hour.Add(after)
	d.wait(at)
	d.step(at, firing(at, map[string]string{"alertname": name, "instance": instance, "service": service, "severity": "critical"}))
}

// open are the incidents that were not merged away.
func (d *desk) open() map[string]correlator.Assessment {
	open := maps.Clone(d.last)
	for _, m := range said[correlator.IncidentMerged](d.said) {
		delete(open, m.From)
	}
	return open
}
