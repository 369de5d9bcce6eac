package correlator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// What a reboot or a package transaction brings is suppressed while it may clear by
// itself, and goes its usual way when it does not.
func TestObservedWorkSuppresses(t *testing.T) {
	host := event.Ref{Class: "host", Name: "host-0"}
	d := newTable(t)
	d.step(&event.Change{CI: host, Type: "rebooted", Summary: "rebooted"})
	d.wait(20 * time.Second)
	for _, a := range []string{"Down@host-0 critical", "Errors@svc-0 critical"} {
		if x := d.fire(a); x.Fate != correlator.FateSuppressed || !strings.Contains(x.Why, "a reboot on host-0") {
			t.Errorf("%s: %s, %s", a, x.Fate, x.Why)
		}
	}
	if x := d.fire("Down@host-7 critical"); x.Fate == correlator.FateSuppressed {
		t.Errorf("another host's: %s", x.Why)
	}
	d.alert(event.Resolved, "Errors@svc-0 critical")
	d.wait(9 * time.Minute)
	if in := d.where("Down@host-0"); in != "" {
		t.Errorf("opened %s while it may come back", in)
	}
	d.wait(3 * time.Minute)
	if a := d.alerts["Down@host-0"]; a.Incident == "" || !strings.Contains(a.FinalWhy, "joined") {
		t.Errorf("it stays down, and is %s: %s", a.FinalFate, a.FinalWhy)
	}
	if in := d.where("Errors@svc-0"); in != "" {
		t.Errorf("what cleared is in %s", in)
	}
	d = newTable(t)
	d.step(&event.Change{CI: host, Type: "package_upgraded", Summary: "nginx 2 after 1", Version: "2"})
	if x := d.fire("UnitFailed@host-0 warning"); x.Fate != correlator.FateSuppressed || !strings.Contains(x.Why, "a package transaction") {
		t.Errorf("%s: %s", x.Fate, x.Why)
	}
	if x := d.fire("Down@host-0 critical"); x.Fate == correlator.FateSuppressed {
		t.Errorf("packages explain a critical alert: %s", x.Why)
	}
}

// A silence of an item is work on it: what needs the item is suppressed as well. A
// silence of a rule says nothing of items.
func TestSilenceOfAnItemSuppressesItsDependents(t *testing.T) {
	d := newTable(t)
	muted := []event.Labels{event.LabelsFrom(map[string]string{"alertname": "Down", "instance": "host-0:9100"})}
	silence := event.Silence{ID: "s1", Matchers: []string{`instance=~"host-0.*"`}, CreatedBy: "ann", Comment: "new disk", StartsAt: d.now, EndsAt: d.now.Add(2 * time.Hour), Muted: muted}
	d.step(&silence)
	if x := d.fire("Errors@svc-0 critical"); x.Fate != correlator.FateSuppressed || !strings.Contains(x.Why, "silenced by ann: new disk") {
		t.Errorf("%s: %s", x.Fate, x.Why)
	}
	silence.Ended = true
	d.step(&silence)
	d.wait(2 * time.Minute)
	if d.where("Errors@svc-0") == "" {
		t.Error("the silence is over, and its dependent's alert is not shown")
	}
	d = newTable(t)
	d.step(&event.Silence{ID: "s2", Matchers: []string{"alertname=Down", `instance="host-0:9100"`}, CreatedBy: "ann", StartsAt: d.now, EndsAt: d.now.Add(time.Hour), Muted: muted})
	if x := d.fire("Errors@svc-0 critical"); x.Fate == correlator.FateSuppressed {
		t.Errorf("a silenced rule suppresses: %s", x.Why)
	}
}

func TestExpectedAreTheDependents(t *testing.T) {
	d := newTable(t)
	in := map[string]bool{}
	for _, id := range d.s.Expected([]string{"host:host-0"}) {
		in[id] = true
	}
	if !in["host:host-0"] || !in["service:svc-0"] || !in["database:db-0"] || in["host:host-7"] || in["hypervisor:pve-0-0"] {
		t.Errorf("expected %v", in)
	}
}
