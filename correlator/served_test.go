package correlator_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// The common way of Prometheus: an alert names a machine by its instance, and the
// service that runs there by another label. It is about the machine, and what the
// service needs may be why.
func TestAnAlertOfAServicesMachineFollowsWhatTheServiceNeeds(t *testing.T) {
	host := func(name, ip string) *event.CI {
		return &event.CI{Ref: ref("host", name), Attributes: map[string]any{"hostname": name, "addresses": []any{ip}}}
	}
	d := newDesk(t, host("web1", "10.0.0.1"), host("web2", "10.0.0.2"), host("db1", "10.0.0.3"),
		&event.CI{Ref: ref("service", "shop")}, &event.CI{Ref: ref("service", "orders")},
		&event.Relation{From: ref("service", "shop"), Type: "runs_on", To: ref("host", "web1")},
		&event.Relation{From: ref("service", "shop"), Type: "runs_on", To: ref("host", "web2")},
		&event.Relation{From: ref("service", "orders"), Type: "runs_on", To: ref("host", "db1")},
		&event.Relation{From: ref("service", "shop"), Type: "depends_on", To: ref("service", "orders")},
	)
	alert := func(after time.Duration, name, instance, service string) {
		at := hour.Add(after)
		d.wait(at)
		d.step(at, firing(at, map[string]string{"alertname": name, "instance": instance, "service": service, "severity": "critical"}))
	}
	alert(0, "DiskFull", "db1:9100", "")
	alert(3*time.Second, "HighErrorRate", "web1:8080", "shop")
	alert(4*time.Second, "HighErrorRate", "web2:8080", "shop")
	d.wait(hour.Add(2 * time.Minute))
	open := map[string]correlator.Assessment{}
	for id, a := range d.last {
		open[id] = a
	}
	for _, m := range said[correlator.IncidentMerged](d.said) {
		delete(open, m.From)
	}
	if len(open) != 1 {
		t.Fatalf("%d incidents, want one: %+v", len(open), open)
	}
	for id, a := range open {
		if a.Alerts != 3 || len(a.Causes) == 0 || a.Causes[0].Name != "db1" {
			t.Errorf("%s holds %d alerts, causes %+v; want 3 and db1 first", id, a.Alerts, a.Causes)
		}
	}
}
