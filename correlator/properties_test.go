package correlator_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// act is one event of a made-up history.
type act struct {
	at   time.Time
	body event.Body
}

// history draws what an estate may send: alerts that fire, repeat, end, come back,
// of two replicas, with and without a known item, under maintenance, while the
// topology changes.
func history(t *rapid.T) []act {
	var out []act
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, b := range estate(12) {
		out = append(out, act{at, b})
	}
	fired := map[string]time.Time{}
	for range rapid.IntRange(5, 120).Draw(t, "events") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 60, 300, 4000, 20000}).Draw(t, "gap")) * time.Second)
		switch rapid.IntRange(0, 20).Draw(t, "kind") {
		case 0:
			h := event.Ref{Class: "host", Name: fmt.Sprintf("host-%d", rapid.IntRange(0, 11).Draw(t, "host"))}
			out = append(out, act{at, &event.Maintenance{CIs: []event.Ref{h}, StartsAt: at, EndsAt: at.Add(time.Hour), Summary: "work"}})
		case 1:
			out = append(out, act{at, &event.Relation{
				From: event.Ref{Class: "service", Name: fmt.Sprintf("svc-%d", rapid.IntRange(0, 5).Draw(t, "from"))}, Type: "depends_on",
				To: event.Ref{Class: "service", Name: fmt.Sprintf("svc-%d", rapid.IntRange(0, 5).Draw(t, "to"))}, Removed: rapid.Bool().Draw(t, "gone"),
			}})
		case 2:
			out = append(out, act{at, &event.Start{}})
		case 3:
			l := &event.Liveness{Site: "fra", Lost: rapid.Bool().Draw(t, "lost"), Since: at.Add(-10 * time.Second), Hosts: 3}
			if n := rapid.IntRange(0, 13).Draw(t, "which"); n < 13 { // 12 is known to nobody
				l.CI = event.Ref{Class: "host", Name: fmt.Sprintf("host-%d", n)}
			}
			out = append(out, act{at, l})
		default:
			n := &event.Notification{}
			for range rapid.IntRange(1, 6).Draw(t, "alerts") {
				m := map[string]string{
					"alertname": rapid.SampledFrom([]string{"Down", "Slow", "NoRequests", "Watchdog"}).Draw(t, "name"),
					"severity":  rapid.SampledFrom([]string{"critical", "warning", "info", "?"}).Draw(t, "severity"),
					"replica":   rapid.SampledFrom([]string{"a", "b"}).Draw(t, "replica"),
				}
				switch k := rapid.IntRange(0, 13).Draw(t, "item"); {
				case k < 8:
					m["instance"] = fmt.Sprintf("host-%d:9100", k)
				case k < 12:
					m["service_name"] = fmt.Sprintf("svc-%d", k-8)
				}
				l := event.LabelsFrom(m)
				fp := fmt.Sprint(l)
				a := event.Alert{Status: event.Firing, Labels: l, Fingerprint: fp, StartsAt: fired[fp]}
				if rapid.IntRange(0, 2).Draw(t, "new") == 0 || a.StartsAt.IsZero() {
					a.StartsAt = at.Add(-time.Duration(rapid.IntRange(-5, 600).Draw(t, "age")) * time.Second)
					fired[fp] = a.StartsAt
				}
				if rapid.IntRange(0, 2).Draw(t, "ends") == 0 {
					a.Status, a.EndsAt = event.Resolved, at
				}
				n.Alerts = append(n.Alerts, a)
			}
			out = append(out, act{at, n})
		}
	}
	return out
}

type run struct {
	s        *correlator.State
	seq      map[string]int
	pos      uint64
	received int
	fates    map[correlator.Fate]int
	lines    []string
	where    map[string]string // alert → incident, as last recorded
	open     map[string]bool   // incidents by whether they still stand
}

func newRun() *run {
	r := &run{seq: map[string]int{}, fates: map[correlator.Fate]int{}, where: map[string]string{}, open: map[string]bool{}}
	r.s = correlator.New(correlator.DefaultConfig(), func(kind string) string {
		r.seq[kind]++
		return fmt.Sprintf("%s%08d", kind, r.seq[kind])
	})
	return r
}

func (r *run) step(at time.Time, body event.Body) {
	r.pos++
	if n, ok := body.(*event.Notification); ok {
		r.received += len(n.Alerts)
	}
	r.take(at, r.s.Step(event.Event{Position: r.pos, At: at, Source: "am"}, body))
}

func (r *run) take(at time.Time, list []correlator.Decision) {
	for _, d := range list {
		b, err := json.Marshal(d)
		if err != nil {
			panic(err)
		}
		r.lines = append(r.lines, fmt.Sprintf("%T %s", d, b))
		switch d := d.(type) {
		case correlator.AlertDecided:
			if d.Fate != "" {
				r.fates[d.Fate]++
			}
			r.where[d.Alert.ID] = d.Alert.Incident
		case correlator.Counted:
			r.fates[d.Fate] += d.N
		case correlator.IncidentOpened:
			r.open[d.ID] = true
		case correlator.IncidentMerged:
			r.open[d.From] = false
		case correlator.IncidentQuiet:
			r.s.Resolved(d.ID, at) // as the desk answers
		}
	}
}

// play steps through a history with its deadlines, and a day beyond.
func (r *run) play(acts []act) {
	var last time.Time
	until := func(limit time.Time) {
		for {
			at, ok := r.s.NextDeadline()
			if !ok || !at.Before(limit) {
				return
			}
			r.step(at, &event.Tick{})
		}
	}
	for _, a := range acts {
		until(a.at)
		r.step(a.at, a.body)
		last = a.at
	}
	until(last.Add(24 * time.Hour))
}

// Every received alert object has exactly one fate, whatever is sent.
func TestFatesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRun()
		r.play(history(t))
		sum := 0
		for _, n := range r.fates {
			sum += n
		}
		if sum != r.received {
			t.Fatalf("%d alert objects were received, %d fates were given: %v", r.received, sum, r.fates)
		}
	})
}

// The same history decides the same, to the byte: nothing depends on map order.
func TestDecisionsRepeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acts := history(t)
		a, b := newRun(), newRun()
		a.play(acts)
		b.play(acts)
		if len(a.lines) != len(b.lines) {
			t.Fatalf("%d decisions, then %d", len(a.lines), len(b.lines))
		}
		for i := range a.lines {
			if a.lines[i] != b.lines[i] {
				t.Fatalf("decision %d differs:\n%s\n%s", i, a.lines[i], b.lines[i])
			}
		}
	})
}

// A state saved and loaded in the middle decides as the one that ran on.
func TestResumedDecidesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acts := history(t)
		cut := rapid.IntRange(0, len(acts)).Draw(t, "cut")
		whole := newRun()
		whole.play(acts)
		first := newRun()
		for _, a := range acts[:cut] {
			for {
				at, ok := first.s.NextDeadline()
				if !ok || !at.Before(a.at) {
					break
				}
				first.step(at, &event.Tick{})
			}
			first.step(a.at, a.body)
		}
		second := newRun()
		if err := first.s.SaveAll(func(k string, v []byte) error {
			if v == nil {
				return nil
			}
			return second.s.Load(k, append([]byte(nil), v...))
		}); err != nil {
			t.Fatal(err)
		}
		second.s.Loaded()
		for k, n := range first.seq {
			second.seq[k] = n
		}
		second.pos = first.pos
		second.lines = first.lines
		second.play(acts[cut:])
		if cut == len(acts) {
			return // the day beyond counts from the last event: nothing to compare
		}
		if len(whole.lines) != len(second.lines) {
			t.Fatalf("%d decisions in one run, %d with a break at %d", len(whole.lines), len(second.lines), cut)
		}
		for i := range whole.lines {
			if whole.lines[i] != second.lines[i] {
				t.Fatalf("decision %d differs after a break at %d:\n%s\n%s", i, cut, whole.lines[i], second.lines[i])
			}
		}
	})
}

// An alert's record never points at an incident that was merged away.
func TestAlertsFollowMerges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRun()
		r.play(history(t))
		for alert, incident := range r.where {
			if incident != "" && !r.open[incident] {
				t.Fatalf("%s is recorded in %s, which was merged into another", alert, incident)
			}
		}
	})
}
