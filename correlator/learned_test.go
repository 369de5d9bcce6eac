package correlator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Deployments came before failures of what was deployed, configuration changes came
// and went: the next deployment is the likelier cause.
func TestAKindOfChangeIsJudgedByWhatCameAfterIt(t *testing.T) {
	seq := map[string]int{}
	s := New(DefaultConfig(), func(kind string) string {
		seq[kind]++
		return fmt.Sprintf("%s%d", kind, seq[kind])
	})
	at, pos := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), uint64(0)
	step := func(b event.Body) {
		pos++
		s.Step(event.Event{Position: pos, At: at, Source: "am"}, b)
	}
	for _, b := range twoRacks() {
		step(b)
	}
	changed := func(kind, name string) {
		step(&event.Change{CI: event.Ref{Class: "service", Name: name}, Type: kind, Summary: name + " " + kind})
	}
	for n := range 6 {
		at = at.Add(3 * time.Hour)
		changed("config_changed", fmt.Sprintf("svc-1-%d", n))
		at = at.Add(2 * time.Hour)
		changed("deployed", fmt.Sprintf("svc-0-%d", n))
		for _, alert := range []string{"ErrorRate", "Latency", "Restarts"} {
			at = at.Add(20 * time.Second)
			l := event.LabelsFrom(map[string]string{"alertname": alert, "severity": "critical", "service_name": fmt.Sprintf("svc-0-%d", n)})
			step(&event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, StartsAt: at, Fingerprint: fmt.Sprint(alert, n)}}})
		}
	}
	at = at.Add(2 * time.Hour)
	step(&event.Tick{})
	weight := func(kind string) float64 {
		return s.weight(&change{SuspectChange: SuspectChange{At: at, Class: "service", Type: kind}}, at)
	}
	bad, harmless, unknown := weight("deployed"), weight("config_changed"), weight("rebooted")
	if !(bad > unknown && unknown > harmless) {
		t.Errorf("weights %.2f, never made before %.2f, harmless %.2f: want them to fall", bad, unknown, harmless)
	}
	text := s.tell(&change{SuspectChange: SuspectChange{At: at, Class: "service", Type: "deployed", Summary: "svc-0-7 deployed"}}, at)
	if !strings.Contains(text, "an incident followed 6 of 6 such changes") {
		t.Errorf("told as %q", text)
	}

	// What was learned outlives a restart.
	r := restarted(t, s)
	if got := r.weight(&change{SuspectChange: SuspectChange{At: at, Class: "service", Type: "deployed"}}, at); got != bad {
		t.Errorf("after a restart %.3f, before it %.3f", got, bad)
	}
}

// Whoever tells of changes may invent kinds without end.
func TestKindsOfChangesAreBounded(t *testing.T) {
	s := New(DefaultConfig(), func(kind string) string { return kind })
	for range 3 {
		s.kind("deployed service").Made++
	}
	for n := range 3 * changeKinds {
		s.kind(fmt.Sprintf("invented-%d host", n)).Made++
	}
	if n := s.kinds.Len(); n > changeKinds {
		t.Errorf("%d kinds are kept, want at most %d", n, changeKinds)
	}
	if k := s.kinds.Get("deployed service"); k == nil || k.Made != 3 {
		t.Errorf("what was made often is forgotten: %+v", k)
	}
}

// Kinds of alerts that came together before are company for each other.
func TestKindsThatCameTogetherAreCompany(t *testing.T) {
	seq := map[string]int{}
	s := New(DefaultConfig(), func(kind string) string {
		seq[kind]++
		return fmt.Sprintf("%s%d", kind, seq[kind])
	})
	at, pos := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), uint64(0)
	step := func(b event.Body) {
		pos++
		s.Step(event.Event{Position: pos, At: at, Source: "am"}, b)
	}
	for _, b := range twoRacks() {
		step(b)
	}
	for n := range 6 {
		at = at.Add(3 * time.Hour)
		kinds := []string{"ErrorRate", "Latency"}
		if n%3 == 2 {
			kinds = []string{"Restarts", "Throttled"}
		}
		for _, alert := range kinds {
			at = at.Add(20 * time.Second)
			l := event.LabelsFrom(map[string]string{"alertname": alert, "severity": "critical", "service_name": fmt.Sprintf("svc-0-%d", n)})
			step(&event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, StartsAt: at, Fingerprint: fmt.Sprint(alert, n)}}})
		}
	}
	at = at.Add(time.Hour)
	step(&event.Tick{})
	for _, x := range []*State{s, restarted(t, s)} {
		g := &group{Classes: map[string]int{"ErrorRate": 3}}
		odds, with := x.companyOf("Latency", g)
		if odds <= 0 || odds > companyMost || with != "ErrorRate" {
			t.Errorf("Latency came four times with ErrorRate: %.2f, with %q", odds, with)
		}
		for _, stranger := range []string{"Throttled", "NeverSeen"} {
			if odds, with := x.companyOf(stranger, g); odds != 0 {
				t.Errorf("%s never came with it: %.2f, with %q", stranger, odds, with)
			}
		}
	}
}

// restarted is what a server knows that was stopped and started again.
func restarted(t *testing.T, s *State) *State {
	t.Helper()
	r := New(DefaultConfig(), s.seq)
	if err := s.SaveAll(func(key string, page []byte) error {
		if page == nil {
			return nil // an empty one
		}
		return r.Load(key, page)
	}); err != nil {
		t.Fatal(err)
	}
	r.Loaded()
	return r
}
