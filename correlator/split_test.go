package correlator

import (
	"fmt"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// twoRacks is an estate of two racks that share nothing: each a hypervisor with
// machines, services on those and the database that they call.
func twoRacks() []event.Body {
	var out []event.Body
	ci := func(class, name string) event.Ref {
		r := event.Ref{Class: class, Name: name}
		out = append(out, &event.CI{Ref: r, Attributes: map[string]any{"hostname": name}})
		return r
	}
	rel := func(from event.Ref, kind string, to event.Ref) {
		out = append(out, &event.Relation{From: from, Type: kind, To: to})
	}
	for n := range 2 {
		pve := ci("hypervisor", fmt.Sprintf("pve-%d", n))
		db := ci("database", fmt.Sprintf("db-%d", n))
		for k := range 8 {
			h := ci("host", fmt.Sprintf("host-%d-%d", n, k))
			rel(h, "runs_on", pve)
			s := ci("service", fmt.Sprintf("svc-%d-%d", n, k))
			rel(s, "runs_on", h)
			rel(s, "depends_on", db)
		}
		own := ci("host", fmt.Sprintf("dbhost-%d", n))
		rel(db, "runs_on", own)
	}
	for k := range 200 { // others that stay well, so that a place says something
		ci("host", fmt.Sprintf("other-%d", k))
	}
	return out
}

// racks is a state that knows two racks, and the time there.
type racks struct {
	s   *State
	at  time.Time
	pos uint64
}

func newRacks() *racks {
	seq := map[string]int{}
	r := &racks{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	r.s = New(DefaultConfig(), func(kind string) string {
		seq[kind]++
		return fmt.Sprintf("%s%d", kind, seq[kind])
	})
	for _, b := range twoRacks() {
		r.step(b)
	}
	return r
}

func (r *racks) step(b event.Body) {
	r.pos++
	r.s.Step(event.Event{Position: r.pos, At: r.at, Source: "am"}, b)
}

// fire lets a critical alert begin ten seconds later.
func (r *racks) fire(name, label, value string) {
	r.at = r.at.Add(10 * time.Second)
	l := event.LabelsFrom(map[string]string{"alertname": name, "severity": "critical", label: value})
	r.step(&event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, StartsAt: r.at, Fingerprint: value + name}}})
}

// played steps a state through the failures of a database in the first rack and of
// the hypervisor in the second, and puts their alerts into one incident, as if they
// had been taken for one.
func played(t *testing.T, person bool) (*State, *group, map[string]bool) {
	t.Helper()
	r := newRacks()
	s, fire := r.s, r.fire
	fire("DatabaseDown", "instance", "db-0:5432")
	for k := range 6 {
		fire("ErrorRate", "service_name", fmt.Sprintf("svc-0-%d", k))
	}
	r.at = r.at.Add(time.Hour)
	fire("HypervisorDown", "instance", "pve-1:9100")
	for k := range 6 {
		fire("HostDown", "instance", fmt.Sprintf("host-1-%d:9100", k))
	}
	second := map[string]bool{}
	var groups []*group
	for _, id := range s.groups.Keys() {
		if g := s.groups.Get(id); !g.Held && len(g.Members) > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) != 2 || len(groups[0].Members) != 7 || len(groups[1].Members) != 7 {
		t.Fatalf("the two failures are %d records, want two of seven alerts", len(groups))
	}
	for _, m := range groups[1].Members {
		second[m] = true
	}
	s.out = nil
	if person {
		s.Merge(groups[1].ID, groups[0].ID, "ann", r.at)
	} else {
		s.absorb(groups[0], groups[1], "they came together")
	}
	s.out = nil
	return s, groups[0], second
}

// An incident that grew over two failures is split into both, each with its alerts,
// and the one that leaves is as old as its first alert was shown.
func TestTwoFailuresAreSplit(t *testing.T) {
	s, g, second := played(t, false)
	s.review(g)
	s.flush()
	var split IncidentSplit
	var opened IncidentOpened
	for _, d := range s.out {
		switch d := d.(type) {
		case IncidentSplit:
			split = d
		case IncidentOpened:
			opened = d
		}
	}
	if split.From != g.ID || split.Into == "" || split.Into != opened.ID || split.Why == "" {
		t.Fatalf("no split was decided: %+v", s.out)
	}
	to := s.groups.Get(split.Into)
	if len(to.Members) != 7 || len(g.Members) != 7 || split.Alerts != 7 {
		t.Fatalf("%d alerts left and %d stayed, want seven and seven", len(to.Members), len(g.Members))
	}
	first := s.now
	for _, m := range to.Members {
		c := s.alerts.Get(m)
		if second[m] != second[to.Members[0]] {
			t.Errorf("%s is with alerts of the other failure", c.Labels)
		}
		if c.AttachedAt.Before(first) {
			first = c.AttachedAt
		}
	}
	if !opened.Since.Equal(first) {
		t.Errorf("its clocks run from %v, want from %v when its first alert was shown", opened.Since, first)
	}
	if s.maybeMerge(g, to) != g || len(to.Members) != 7 {
		t.Error("what was split was merged again")
	}
}

// What a person put together stays together.
func TestWhatAPersonMergedIsNotSplit(t *testing.T) {
	s, g, _ := played(t, true)
	s.review(g)
	for _, d := range s.out {
		if d, ok := d.(IncidentSplit); ok {
			t.Fatalf("%s was split although a person merged it: %s", d.From, d.Why)
		}
	}
}
