package correlator_test

import (
	"maps"
	"strings"
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

// held is a desk on which both replicas have shown one warning, which waits.
func held(t *testing.T) (d *desk, view func(replica string) correlator.Alert) {
	t.Helper()
	d = newDesk(t, &event.CI{Ref: event.Ref{Class: "host", Name: "Full-host"}, Attributes: map[string]any{"hostname": "Full-host"}})
	for _, r := range []string{"a", "b"} {
		d.step(hour, firing(hour, replica(warning("Full"), r)))
	}
	view = func(replica string) (out correlator.Alert) {
		t.Helper()
		for _, a := range d.alerts {
			if a.Labels.Get("alertname") == "Full" && a.Labels.Get("replica") == replica && a.ID > out.ID {
				out = a
			}
		}
		return out
	}
	if a := view("a"); a.Fate != correlator.FateHeld {
		t.Fatalf("it does not wait: %+v", a)
	}
	return d, view
}

func warning(name string) map[string]string {
	l := critical(name)
	l["severity"] = "warning"
	return l
}

// The view that was shown first may be over when the hold is.
func TestAnIncidentShowsAViewThatFiresWhenItOpens(t *testing.T) {
	d, view := held(t)
	end := hour.Add(10 * time.Second)
	d.step(end, resolved(hour, end, replica(warning("Full"), "a")))
	d.wait(hour.Add(time.Hour))
	opened := said[correlator.IncidentOpened](d.said)
	if len(opened) != 1 || opened[0].Assessment.Active != 1 {
		t.Fatalf("opened %+v", opened)
	}
	if b := view("b"); b.Incident != opened[0].ID || b.FinalFate != correlator.FateIncident {
		t.Errorf("the only view that fires is in %q with the final fate %q", b.Incident, b.FinalFate)
	}
	released := 0
	for _, x := range said[correlator.AlertDecided](d.said) {
		if x.Released {
			released++
		}
	}
	if released > 1 {
		t.Errorf("one alert was held, %d left their hold", released)
	}
}

// The same at an alert that comes back for an incident of its own.
func TestAnAlertThatComesBackShowsAViewThatFires(t *testing.T) {
	d, view := pair(t)
	cfg := correlator.DefaultConfig()
	cfg.Expiry, cfg.SameRecordWithin = correlator.Duration(expiry), 0
	d.s.Configure(cfg)
	first := view("a").Incident
	end := hour.Add(time.Hour)
	for _, r := range []string{"a", "b"} {
		d.step(end, resolved(hour, end, replica(critical("Down"), r)))
	}
	again := end.Add(3 * time.Hour)
	d.wait(again)
	for _, r := range []string{"a", "b"} {
		d.step(again, firing(again, replica(critical("Down"), r)))
	}
	over := again.Add(5 * time.Second)
	d.step(over, resolved(again, over, replica(critical("Down"), "a")))
	d.wait(again.Add(time.Hour))
	found := false
	for _, b := range d.alerts {
		if b.Labels.Get("replica") == "b" && b.StartsAt.Equal(again) {
			found = true
			if b.Incident == first || b.Incident == "" || b.FinalFate != correlator.FateIncident {
				t.Errorf("the only view that fires is in %q with the final fate %q, want another than %q", b.Incident, b.FinalFate, first)
			}
		}
	}
	if !found {
		t.Error("its alert is not recorded")
	}
}

// An episode that was a view once is none when it is judged anew after long.
func TestAFormerViewThatIsJudgedAnewIsInItsIncident(t *testing.T) {
	d, view := pair(t)
	end := hour.Add(5 * time.Minute)
	for _, r := range []string{"a", "b"} {
		d.step(end, resolved(hour, end, replica(critical("Down"), r)))
	}
	d.wait(end.Add(3 * time.Hour))
	again := end.Add(3 * time.Hour)
	for n, name := range []string{"Disk", "Net", "Fan"} {
		l := critical(name)
		l["host"] = "Down-host"
		at := again.Add(time.Duration(n) * 10 * time.Second)
		d.step(at, firing(at, l))
	}
	at := again.Add(40 * time.Second)
	d.step(at, firing(hour, replica(critical("Down"), "b"))) // the episode of before
	b := view("b")
	if b.Incident == "" || b.Incident != d.alert("Disk").Incident || b.Fate != correlator.FateIncident {
		t.Errorf("it is in %q with the fate %q (%s); the others are in %q", b.Incident, b.Fate, b.Why, d.alert("Disk").Incident)
	}
	if b.FinalFate != "" {
		t.Errorf("its final fate is that of its former firing: %q, %q", b.FinalFate, b.FinalWhy)
	}
}

// A view that ended before it was heard of is no part of the incident, and does not say so.
func TestAViewThatWasOverAtOnceDoesNotSayItIsPartOfTheIncident(t *testing.T) {
	d, _ := pair(t)
	at := hour.Add(2 * time.Minute)
	d.step(at, resolved(hour, at, replica(critical("Down"), "c")))
	for _, a := range d.alerts {
		if a.Labels.Get("replica") == "c" {
			if a.Fate != correlator.FateResolve || a.Incident == "" == strings.Contains(a.Why, "part of") {
				t.Errorf("it is in %q with the fate %q: %s", a.Incident, a.Fate, a.Why)
			}
		}
	}
	disk := critical("Disk")
	disk["host"] = "Down-host"
	d.step(at, firing(at, disk))
	for _, a := range d.alerts {
		if a.Labels.Get("replica") == "c" && (a.Incident == "" || a.FinalFate == correlator.FateIncident) {
			t.Errorf("with company it is in %q with the final fate %q", a.Incident, a.FinalFate)
		}
	}
}

// People may move an alert while its other view waits to be shown.
func TestAViewThatWaitsToBeShownIsShownWhereItsAlertWasMoved(t *testing.T) {
	d, view := pair(t)
	end := hour.Add(5 * time.Minute)
	d.step(end, resolved(hour, end, replica(critical("Down"), "a")))
	into := "opened-by-hand"
	for _, x := range d.s.Merge(view("a").Incident, into, "", end.Add(time.Minute)) {
		if x, ok := x.(correlator.AlertDecided); ok {
			d.alerts[x.Alert.ID] = x.Onto(d.alerts[x.Alert.ID])
		}
	}
	if a := view("a"); a.Incident != into {
		t.Fatalf("it was not moved: %q", a.Incident)
	}
	d.wait(end.Add(30 * time.Minute))
	if b := view("b"); b.Incident != into {
		t.Errorf("the view that fires alone is in %q", b.Incident)
	}
}
