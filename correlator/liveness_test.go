package correlator_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// desk is a correlator with what it decided so far.
type desk struct {
	t      *testing.T
	s      *correlator.State
	pos    uint64
	seq    int
	alerts map[string]correlator.Alert
	last   map[string]correlator.Assessment // by incident
	said   []correlator.Decision
}

func newDesk(t *testing.T, topology ...event.Body) *desk {
	d := &desk{t: t, alerts: map[string]correlator.Alert{}, last: map[string]correlator.Assessment{}}
	cfg := correlator.DefaultConfig()
	cfg.Expiry = correlator.Duration(expiry)
	d.s = correlator.New(cfg, func(kind string) string { d.seq++; return kind + string(rune('A'+d.seq)) })
	for _, b := range topology {
		d.step(dawn, b)
	}
	return d
}

var dawn = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

func (d *desk) step(at time.Time, body event.Body) []correlator.Decision {
	d.pos++
	out := d.s.Step(event.Event{Position: d.pos, At: at, Source: "am"}, body)
	for _, x := range out {
		switch x := x.(type) {
		case correlator.AlertDecided:
			d.alerts[x.Alert.ID] = x.Onto(d.alerts[x.Alert.ID])
			if x.Alert.Source == correlator.LivenessSource && (x.Fate != "" || x.Released) {
				d.t.Errorf("a liveness fact was counted as a received alert: %+v", x)
			}
		case correlator.IncidentOpened:
			d.last[x.ID] = x.Assessment
		case correlator.IncidentChanged:
			d.last[x.ID] = x.Assessment
		case correlator.IncidentQuiet:
			d.s.Resolved(x.ID, at)
		}
	}
	d.said = append(d.said, out...)
	return out
}

func said[T correlator.Decision](list []correlator.Decision) []T {
	var out []T
	for _, x := range list {
		if y, ok := x.(T); ok {
			out = append(out, y)
		}
	}
	return out
}

func ref(class, name string) event.Ref { return event.Ref{ID: "id-" + name, Class: class, Name: name} }

// twoHosts are two machines with a database and a shop that needs it. Both are
// called db by their own names: only the id tells them apart.
func twoHosts() []event.Body {
	return []event.Body{
		&event.CI{Ref: event.Ref{ID: "id-db", Class: "host", Name: "db"}, Attributes: map[string]any{"addresses": []any{"10.0.0.1"}}},
		&event.CI{Ref: event.Ref{ID: "id-other", Class: "host", Name: "db"}, Attributes: map[string]any{"addresses": []any{"10.0.0.2"}}},
		&event.CI{Ref: ref("service", "postgres")}, &event.CI{Ref: ref("service", "shop")},
		&event.Relation{From: ref("service", "postgres"), Type: "runs_on", To: event.Ref{ID: "id-other"}},
		&event.Relation{From: ref("service", "shop"), Type: "depends_on", To: ref("service", "postgres")},
	}
}

func lost(at time.Time) *event.Liveness {
	return &event.Liveness{CI: event.Ref{ID: "id-other", Class: "host", Name: "db"}, Site: "fra", Lost: true, Since: at.Add(-12 * time.Second), Evidence: []string{"web-1 lost it and it does not answer"}}
}

func firing(at time.Time, labels map[string]string) *event.Notification {
	l := event.LabelsFrom(labels)
	return &event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, Fingerprint: l.Fingerprint(), StartsAt: at}}}
}

func TestALostHostOpensAnIncidentAtOnceWithItselfAsCause(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	at := dawn.Add(time.Hour)
	out := d.step(at, lost(at))
	opened := said[correlator.IncidentOpened](out)
	if len(opened) != 1 {
		t.Fatalf("opened %+v", opened)
	}
	a := opened[0].Assessment
	if a.Severity != correlator.Critical || !slices.Contains(a.CIs, "id-other") || a.Title != "HostDown on db" || !a.Onset.Equal(at.Add(-12*time.Second)) {
		t.Errorf("assessed %+v", a)
	}
	if len(a.Causes) == 0 || a.Causes[0].CI != "id-other" {
		t.Errorf("causes %+v, and should be the host that was lost", a.Causes)
	}
	if !strings.Contains(opened[0].Why, "web-1 lost it") {
		t.Errorf("opened because %q, which does not tell the evidence", opened[0].Why)
	}
	// The shop's alerts come later, and belong to it.
	at = at.Add(40 * time.Second)
	out = d.step(at, firing(at, map[string]string{"alertname": "PostgresDown", "service_name": "postgres", "severity": "critical"}))
	out = append(out, d.step(at.Add(time.Second), firing(at, map[string]string{"alertname": "HighErrorRate", "service_name": "shop", "severity": "critical"}))...)
	if n := said[correlator.IncidentOpened](out); len(n) != 0 {
		t.Errorf("its symptoms opened another incident: %+v", n)
	}
	if got := d.last[opened[0].ID]; got.Alerts != 3 || len(got.Causes) == 0 || got.Causes[0].CI != "id-other" {
		t.Errorf("with its symptoms it is %+v", got)
	}
	if again := d.step(at.Add(2*time.Second), lost(at)); len(again) != 0 {
		t.Errorf("the same fact again decided %+v", again)
	}
}

func TestALostHostJoinsWhatItsServicesOpened(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	at := dawn.Add(time.Hour)
	d.step(at, firing(at, map[string]string{"alertname": "PostgresDown", "service_name": "postgres", "severity": "critical"}))
	out := d.step(at.Add(8*time.Second), lost(at.Add(8*time.Second)))
	opened := said[correlator.IncidentOpened](out)
	if len(opened) != 1 || opened[0].Assessment.Alerts != 2 {
		t.Fatalf("a held alert of its database and the lost host are %+v, and should be one incident", opened)
	}
}

func TestRecoveryResolvesWhatALostHostOpened(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	at := dawn.Add(time.Hour)
	id := said[correlator.IncidentOpened](d.step(at, lost(at)))[0].ID
	// Neither silence nor a restart of the server ends it.
	d.step(at.Add(time.Hour), &event.Start{})
	d.step(at.Add(20*time.Hour), &event.Tick{})
	for _, a := range d.alerts {
		if a.Status != correlator.AlertFiring {
			t.Fatalf("its alert is %s after hours in which nothing was said", a.Status)
		}
	}
	at = at.Add(20 * time.Hour)
	back := lost(at)
	back.Lost, back.Evidence = false, []string{"it reports again"}
	if c := said[correlator.IncidentCleared](d.step(at, back)); len(c) != 1 || c[0].ID != id || !c[0].Recovered {
		t.Fatalf("its return cleared %+v", c)
	}
	if q := said[correlator.IncidentQuiet](d.step(at.Add(6*time.Minute), &event.Tick{})); len(q) != 1 || q[0].ID != id {
		t.Errorf("after the hold-down: %+v", q)
	}
	if out := d.step(at.Add(7*time.Minute), back); len(out) != 0 {
		t.Errorf("a return without a loss decided %+v", out)
	}
}

func TestALostSiteIsOneIncidentOfItsOwn(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	at := dawn.Add(time.Hour)
	d.step(at, lost(at))
	site := &event.Liveness{Site: "ams", Lost: true, Since: at, Hosts: 40, Evidence: []string{"none of its 40 agents was heard"}}
	opened := said[correlator.IncidentOpened](d.step(at.Add(time.Second), site))
	if len(opened) != 1 || !strings.HasPrefix(opened[0].Assessment.Title, correlator.SiteDown) || opened[0].Assessment.Alerts != 1 {
		t.Fatalf("opened %+v", opened)
	}
	site.Lost = false
	if c := said[correlator.IncidentCleared](d.step(at.Add(time.Minute), site)); len(c) != 1 || c[0].ID != opened[0].ID {
		t.Errorf("cleared %+v", c)
	}
}

func TestALostHostUnderMaintenanceOpensNothing(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	at := dawn.Add(time.Hour)
	d.step(at, &event.Maintenance{ID: "m", CIs: []event.Ref{{ID: "id-other"}}, StartsAt: at, EndsAt: at.Add(time.Hour), Summary: "new disks"})
	if o := said[correlator.IncidentOpened](d.step(at.Add(time.Minute), lost(at.Add(time.Minute)))); len(o) != 0 {
		t.Errorf("planned work opened %+v", o)
	}
	// It is over, and the host did not come back.
	for range 4 {
		at, _ = d.s.NextDeadline()
		d.step(at, &event.Tick{})
	}
	if o := said[correlator.IncidentOpened](d.said); len(o) != 1 {
		b, _ := json.Marshal(d.alerts)
		t.Errorf("after the window: %d incidents; alerts %s", len(o), b)
	}
}
