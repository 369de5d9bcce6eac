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
	r := newRacks()
	s := r.s
	changed := func(kind, name string) {
		r.step(&event.Change{CI: event.Ref{Class: "service", Name: name}, Type: kind, Summary: name + " " + kind})
	}
	for n := range 6 {
		r.at = r.at.Add(3 * time.Hour)
		changed("config_changed", fmt.Sprintf("svc-1-%d", n))
		r.at = r.at.Add(2 * time.Hour)
		changed("deployed", fmt.Sprintf("svc-0-%d", n))
		for _, alert := range []string{"ErrorRate", "Latency", "Restarts"} {
			r.fire(alert, "service_name", fmt.Sprintf("svc-0-%d", n))
		}
	}
	r.at = r.at.Add(2 * time.Hour)
	r.step(&event.Tick{})
	weight := func(kind string) float64 {
		return s.weights(r.at)(&change{SuspectChange: SuspectChange{At: r.at, Class: "service", Type: kind}})
	}
	bad, harmless, unknown := weight("deployed"), weight("config_changed"), weight("rebooted")
	if !(bad > unknown && unknown > harmless) {
		t.Errorf("weights %.2f, never made before %.2f, harmless %.2f: want them to fall", bad, unknown, harmless)
	}
	text := s.tell(&change{SuspectChange: SuspectChange{At: r.at, Class: "service", Type: "deployed", Summary: "svc-0-7 deployed"}}, r.at)
	if !strings.Contains(text, "an incident followed 6 of 6 such changes") {
		t.Errorf("told as %q", text)
	}

	// What was learned outlives a restart.
	s = restarted(t, s)
	if got := weight("deployed"); got != bad {
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
	r := newRacks()
	s := r.s
	for n := range 6 {
		r.at = r.at.Add(3 * time.Hour)
		kinds := []string{"ErrorRate", "Latency"}
		if n%3 == 2 {
			kinds = []string{"Restarts", "Throttled"}
		}
		for _, alert := range kinds {
			r.fire(alert, "service_name", fmt.Sprintf("svc-0-%d", n))
		}
	}
	r.at = r.at.Add(time.Hour)
	r.step(&event.Tick{})
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
