package correlator_test

import (
	"maps"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// pair is a desk on which both replicas of a Prometheus have shown one critical
// alert of a known host, which opened an incident without company.
func pair(t *testing.T) (d *desk, view func(replica string) correlator.Alert) {
	t.Helper()
	d = newDesk(t)
	d.step(hour, &event.CI{Ref: event.Ref{Class: "host", Name: "Down-host"}, Attributes: map[string]any{"hostname": "Down-host"}})
	for _, r := range []string{"a", "b"} {
		d.step(hour, firing(hour, replica(critical("Down"), r)))
	}
	d.wait(hour.Add(time.Minute))
	view = func(replica string) correlator.Alert {
		t.Helper()
		for _, a := range d.alerts {
			if a.Labels.Get("alertname") == "Down" && a.Labels.Get("replica") == replica {
				return a
			}
		}
		t.Fatalf("no alert of replica %s", replica)
		return correlator.Alert{}
	}
	if a := view("a"); a.Incident == "" {
		t.Fatalf("it opened nothing: %+v", a)
	}
	return d, view
}

func replica(l map[string]string, name string) map[string]string {
	l = maps.Clone(l)
	l["replica"] = name
	return l
}

func TestASecondViewIsNoCompany(t *testing.T) {
	d, view := pair(t)
	if b := view("b"); b.Incident != "" || b.AttachedAt != nil || b.Fate != correlator.FateDuplicate || b.Canonical != view("a").Canonical {
		t.Errorf("the second view is in %q with the fate %q", b.Incident, b.Fate)
	}
	if o := said[correlator.IncidentOpened](d.said); len(o) != 1 || o[0].Assessment.Alerts != 1 {
		t.Errorf("opened %+v", o)
	}
	var counted int
	for _, x := range said[correlator.Counted](d.said) {
		counted += x.N
	}
	for _, x := range said[correlator.AlertDecided](d.said) {
		if x.Fate != "" {
			counted++
		}
	}
	if counted != 2 {
		t.Errorf("two alert objects were received, %d fates counted", counted)
	}
}

func TestCompanyBringsAllViewsIn(t *testing.T) {
	d, view := pair(t)
	at := hour.Add(2 * time.Minute)
	disk := critical("Disk")
	disk["host"] = "Down-host"
	d.step(at, firing(at, replica(disk, "a")))
	d.step(at, firing(at, replica(disk, "b")))
	b := view("b")
	if b.Incident != view("a").Incident || b.FinalFate != correlator.FateIncident || b.AttachedAt == nil || !b.AttachedAt.Equal(at) {
		t.Errorf("with company the second view is in %q since %v, %q", b.Incident, b.AttachedAt, b.FinalFate)
	}
	for _, a := range d.alerts {
		if a.Incident != b.Incident {
			t.Errorf("%s is in %q: %s", a.Labels, a.Incident, a.Why)
		}
	}
}

// The Prometheus whose view is shown may be what is broken.
func TestTheOnlyViewThatFiresIsShown(t *testing.T) {
	d, view := pair(t)
	end := hour.Add(5 * time.Minute)
	d.step(end, resolved(hour, end, replica(critical("Down"), "a")))
	d.wait(end.Add(10*time.Minute - time.Second))
	if b := view("b"); b.Incident != "" {
		t.Errorf("it is shown at once, and replicas resolve minutes apart")
	}
	d.wait(end.Add(10 * time.Minute))
	if b := view("b"); b.Incident != view("a").Incident {
		t.Errorf("the view that fires alone is in %q", b.Incident)
	}
	if c := said[correlator.IncidentCleared](d.said); len(c) != 0 {
		t.Errorf("its incident cleared while it fires")
	}
}
