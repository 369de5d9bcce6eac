package fold_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// When a failure comes back, its incident shows what helped the last time.
func TestSeenBeforeShowsWhatHelped(t *testing.T) {
	w := newWatch(t, `{}`)
	docs := map[string]itsm.Incident{}
	var order []string
	step := func(b event.Body) {
		t.Helper()
		e, err := event.New(b)
		if err != nil {
			t.Fatal(err)
		}
		w.pos++
		e.At, e.Position = w.now, w.pos
		for _, f := range w.s.Step(e) {
			if p, ok := f.Body.(fold.PutIncident); ok {
				if _, has := docs[p.Incident.ID]; !has {
					order = append(order, p.Incident.ID)
				}
				docs[p.Incident.ID] = p.Incident
			}
		}
	}
	wait := func(d time.Duration) {
		to := w.now.Add(d)
		for {
			due, ok := w.s.NextDeadline()
			if !ok || due.After(to) {
				break
			}
			w.now = due
			step(&event.Tick{})
		}
		w.now = to
	}
	db, host := event.Ref{Class: "database", Name: "pg-1"}, event.Ref{Class: "host", Name: "db-host-1"}
	step(&event.CI{Ref: host, Attributes: map[string]any{"hostname": "db-host-1"}})
	step(&event.CI{Ref: db, Attributes: map[string]any{"hostname": "db-host-1", "engine": "postgresql"}})
	step(&event.Relation{From: db, Type: "runs_on", To: host})
	for n := range 4 {
		s := event.Ref{Class: "service", Name: fmt.Sprintf("svc-%d", n)}
		step(&event.CI{Ref: s})
		step(&event.Relation{From: s, Type: "depends_on", To: db})
	}
	storm := func(status event.Status) {
		for n, name := range []string{"DiskFull@db-host-1", "PostgresDown@db-host-1", "HighErrors@svc-0", "HighErrors@svc-1", "HighErrors@svc-2"} {
			name, item, _ := strings.Cut(name, "@")
			m := map[string]string{"alertname": name, "severity": "critical"}
			if strings.HasPrefix(item, "svc") {
				m["service"] = item
			} else {
				m["instance"] = item + ":9100"
			}
			l := event.LabelsFrom(m)
			a := event.Alert{Status: status, Labels: l, Fingerprint: fmt.Sprint(n), StartsAt: w.now}
			if status == event.Resolved {
				a.StartsAt, a.EndsAt = w.now.Add(-25*time.Minute), w.now
			}
			step(&event.Notification{Alerts: []event.Alert{a}})
		}
	}
	storm(event.Firing)
	wait(20 * time.Minute)
	step(&event.Change{CI: host, Type: "config_changed", Summary: "log rotation switched on"})
	wait(5 * time.Minute)
	storm(event.Resolved)
	wait(3 * time.Minute)
	if len(order) != 1 {
		t.Fatalf("opened %v", order)
	}
	first := docs[order[0]]
	if first.Recovery == nil || first.Recovery.Summary != "log rotation switched on" {
		t.Errorf("it recovered after %+v", first.Recovery)
	}
	if a := w.do("incident", "resolve", first.ID, map[string]any{"resolution": "freed /var/log"}); a.Err != nil {
		t.Fatal(a.Err)
	}
	wait(24 * time.Hour)
	storm(event.Firing)
	wait(2 * time.Minute)
	second := docs[order[len(order)-1]]
	if second.ID == first.ID || second.SeenBefore != first.ID {
		t.Fatalf("%s was seen before in %q", second.ID, second.SeenBefore)
	}
	if want := "resolved by ann: freed /var/log; it recovered after log rotation switched on on db-host-1"; second.Mended != want {
		t.Errorf("what helped: %q, want %q", second.Mended, want)
	}
}
