package fold_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// life drives a fold by hand and keeps the records that it wrote.
type life struct {
	t         rapid.TB
	s         *fold.State
	pos       uint64
	now       time.Time
	alerts    map[string]correlator.Alert
	incidents map[string]itsm.Incident
	opened    []string // in order
}

func newLife(t rapid.TB) *life {
	return &life{
		t: t, s: fold.New(fold.DefaultRules()), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		alerts: map[string]correlator.Alert{}, incidents: map[string]itsm.Incident{},
	}
}

// step applies an event now. It returns what a command was answered.
func (l *life) step(e event.Event) (answer fold.Answer) {
	l.pos++
	e.Position, e.At = l.pos, l.now
	for _, f := range l.s.Step(e) {
		switch b := f.Body.(type) {
		case fold.PutAlert:
			l.alerts[b.Alert.ID] = b.Onto(l.alerts[b.Alert.ID])
		case fold.PutIncident:
			if _, known := l.incidents[b.Incident.ID]; !known {
				l.opened = append(l.opened, b.Incident.ID)
			}
			l.incidents[b.Incident.ID] = b.Incident
		case fold.Answer:
			answer = b
		}
	}
	return answer
}

func (l *life) tell(body event.Body) {
	e, err := event.New(body)
	if err != nil {
		panic(err)
	}
	l.step(e)
}

// wait passes time, with the ticks that a live engine journals in it.
func (l *life) wait(d time.Duration) {
	until := l.now.Add(d)
	for n := 0; ; n++ {
		at, ok := l.s.NextDeadline()
		if !ok || at.After(until) {
			break
		}
		if n > 10_000 {
			l.t.Fatalf("the deadlines do not end: %v is due again and again", at)
		}
		if at.After(l.now) {
			l.now = at
		}
		l.step(event.NewTick(l.now))
	}
	l.now = until
}

func (l *life) send(status event.Status, startsAt time.Time, labels map[string]string) {
	ends := "0001-01-01T00:00:00Z"
	if status == event.Resolved {
		ends = l.now.Format(time.RFC3339Nano)
	}
	raw, err := json.Marshal(map[string]any{"version": "4", "groupKey": "{}:{}", "receiver": "watchbill", "alerts": []any{map[string]any{
		"status": status, "labels": labels, "startsAt": startsAt.Format(time.RFC3339Nano), "endsAt": ends,
	}}})
	if err != nil {
		panic(err)
	}
	n, err := event.DecodeNotification(raw)
	if err != nil {
		panic(err)
	}
	l.step(event.NewNotification("am", n))
}

func (l *life) say(verb, incident, args string) error {
	e, err := event.New(&event.Command{Record: "incident", Verb: verb, ID: incident, Actor: "ann", Args: json.RawMessage(args)})
	if err != nil {
		panic(err)
	}
	if a := l.step(e); a.Err != nil {
		return a.Err
	}
	return nil
}

// unseen lists the critical alerts that fire, or of which nothing else is known, and
// that no open incident shows.
func (l *life) unseen() []string {
	var out []string
	for id, a := range l.alerts {
		if a.Severity != correlator.Critical || a.Status != correlator.AlertFiring && a.Status != correlator.AlertStale {
			continue
		}
		if a.FinalFate == correlator.FateDuplicate || a.FinalFate == "" && a.Fate == correlator.FateDuplicate {
			continue // another replica's
		}
		if i, ok := l.incidents[a.Incident]; !ok || !i.Live() {
			out = append(out, fmt.Sprintf("%s %v fires, its incident %q is %q (fate %s: %s; %s: %s)", id, a.Labels, a.Incident, i.State, a.Fate, a.Why, a.FinalFate, a.FinalWhy))
		}
	}
	slices.Sort(out)
	return out
}

// window is how long a person's word stands against an alert that goes on firing.
var window = time.Duration(correlator.DefaultConfig().ReopenWindow)

// What people and time do to incidents hides no alert: whoever resolves, closes,
// cancels or merges what still fires, or fires again, sees it in an open incident
// once the reopen window and the hold are over.
func TestEveryCriticalAlertThatFiresIsInAnOpenIncident(t *testing.T) {
	verbs := []string{"acknowledge", "resolve", "close", "reopen", "cancel", "merge", "split", "hold", "resume"}
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		for h := range 4 {
			l.tell(&event.CI{Ref: event.Ref{Class: "host", Name: fmt.Sprintf("h%d", h)}, Attributes: map[string]any{"hostname": fmt.Sprintf("h%d", h)}})
			l.tell(&event.CI{Ref: event.Ref{Class: "service", Name: fmt.Sprintf("s%d", h)}})
			l.tell(&event.Relation{From: event.Ref{Class: "service", Name: fmt.Sprintf("s%d", h)}, Type: "runs_on", To: event.Ref{Class: "host", Name: fmt.Sprintf("h%d", h)}})
		}
		l.tell(&event.Relation{From: event.Ref{Class: "service", Name: "s0"}, Type: "depends_on", To: event.Ref{Class: "service", Name: "s1"}})
		fires := map[int]time.Time{}
		for range rapid.IntRange(3, 60).Draw(t, "events") {
			switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case k < 4:
				n := rapid.IntRange(0, 9).Draw(t, "alert")
				labels := map[string]string{"alertname": []string{"Down", "Full", "Slow"}[n%3], "severity": "critical", "instance": fmt.Sprintf("h%d:9100", n/3), "replica": fmt.Sprint(n % 2)}
				at, on := fires[n]
				if on && rapid.Bool().Draw(t, "ends") {
					l.send(event.Resolved, at, labels)
					delete(fires, n)
					continue
				}
				if !on || rapid.IntRange(0, 3).Draw(t, "anew") == 0 {
					fires[n] = l.now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "late")) * time.Second)
				}
				l.send(event.Firing, fires[n], labels)
			case k < 7 && len(l.opened) > 0:
				last := min(5, len(l.opened))
				pick := func(what string) string {
					return l.opened[len(l.opened)-1-rapid.IntRange(0, last-1).Draw(t, what)]
				}
				id, args := pick("incident"), `{}`
				verb := rapid.SampledFrom(verbs).Draw(t, "verb")
				switch verb {
				case "resolve":
					args = `{"resolution":"done"}`
				case "cancel", "reopen":
					args = `{"reason":"so"}`
				case "hold":
					args = `{"reason":"vendor","note":"called"}`
				case "merge":
					args = `{"into":"` + pick("into") + `"}`
				case "split":
					for a, x := range l.alerts {
						if x.Incident == id && (args == `{}` || a < args) {
							args = a
						}
					}
					args = `{"alerts":["` + args + `"]}`
				}
				_ = l.say(verb, id, args) // a refusal is an answer too
			default:
				l.wait(rapid.SampledFrom([]time.Duration{5 * time.Second, time.Minute, 6 * time.Minute, 11 * time.Minute, 20 * time.Minute, window + time.Minute, 2 * time.Hour, 7 * time.Hour, 26 * time.Hour, 8 * 24 * time.Hour}).Draw(t, "wait"))
			}
		}
		l.wait(window + 2*time.Minute)
		if u := l.unseen(); len(u) > 0 {
			t.Fatalf("%d alerts fire and nobody sees them:\n%v", len(u), u)
		}
	})
}

// A person resolves and closes, and seconds later the alert fires again.
func TestAClosedIncidentTakesNothingBack(t *testing.T) {
	for _, again := range []time.Duration{6 * time.Second, time.Minute, 8 * time.Minute, 29 * time.Minute, 2 * time.Hour} {
		l := newLife(t)
		labels := map[string]string{"alertname": "HostDown", "severity": "critical", "instance": "web3:9100"}
		l.send(event.Firing, l.now, labels)
		l.wait(2 * time.Minute)
		l.send(event.Resolved, l.now.Add(-2*time.Minute), labels)
		first := l.opened[0]
		if err := l.say("resolve", first, `{"resolution":"power"}`); err != nil {
			t.Fatal(err)
		}
		if err := l.say("close", first, `{}`); err != nil {
			t.Fatal(err)
		}
		l.wait(again)
		l.send(event.Firing, l.now, labels)
		l.wait(time.Minute)
		if len(l.opened) != 2 || l.incidents[first].State != itsm.Closed {
			t.Fatalf("after %s there are %v, and %s is %s", again, l.opened, first, l.incidents[first].State)
		}
		if u := l.unseen(); len(u) > 0 {
			t.Errorf("after %s: %v", again, u)
		}
	}
}

// Who closes or cancels what still fires is told that it comes back, and when.
func TestWhatStillFiresWhenItsIncidentIsCanceledOpensAnother(t *testing.T) {
	l := newLife(t)
	labels := map[string]string{"alertname": "HostDown", "severity": "critical", "instance": "web3:9100"}
	l.send(event.Firing, l.now, labels)
	l.wait(2 * time.Minute)
	first := l.opened[0]
	if err := l.say("cancel", first, `{"reason":"no incident"}`); err != nil {
		t.Fatal(err)
	}
	l.wait(window - time.Second)
	if len(l.opened) != 1 {
		t.Fatalf("before the reopen window was over %v opened", l.opened[1:])
	}
	l.wait(2 * time.Minute)
	if len(l.opened) != 2 {
		t.Fatalf("incidents %v, want another", l.opened)
	}
	if u := l.unseen(); len(u) > 0 {
		t.Error(u)
	}
}
