package fold_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// two teams with a pager each, and nobody else
const teams = `"routes": {"receiver": "mail", "routes": [{"receiver": "a", "matchers": ["team=a"]}, {"receiver": "b", "matchers": ["team=b"]}]}`

func inc(n int) string { return fmt.Sprintf("INC%08d", n) }

// of opens an incident of a team.
func (w *watch) of(team string, impact, urgency int) string {
	w.t.Helper()
	a := w.do("incident", "create", "", map[string]any{"title": "x", "impact": impact, "urgency": urgency, "team": team})
	if a.Err != nil {
		w.t.Fatal(a.Err)
	}
	return a.Record
}

func (w *watch) must(verb, id string, args any) {
	w.t.Helper()
	if a := w.do("incident", verb, id, args); a.Err != nil {
		w.t.Fatal(a.Err)
	}
}

// notify puts other rules of notification into force.
func (w *watch) notify(rules string) {
	w.t.Helper()
	r := w.s.Rules()
	r.Desk.Notify = itsm.DefaultNotify()
	if err := json.Unmarshal([]byte(rules), &r.Desk.Notify); err != nil {
		w.t.Fatal(err)
	}
	w.govern(r)
}

// govern puts other rules into force.
func (w *watch) govern(r fold.Rules) {
	w.t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := event.New(&event.Config{Rules: raw})
	if err != nil {
		w.t.Fatal(err)
	}
	w.step(e)
}

// slow is what Alertmanager says of one critical alert of the application pay.
func (w *watch) slow(status event.Status, since time.Time) {
	w.t.Helper()
	a := event.Alert{Status: status, Labels: event.LabelsFrom(map[string]string{"alertname": "Slow", "app": "pay", "severity": "critical"}), Fingerprint: "f", StartsAt: since}
	if status == event.Resolved {
		a.EndsAt = w.now
	}
	e, err := event.New(&event.Notification{Alerts: []event.Alert{a}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.step(e)
}

func (w *watch) said(text string) bool {
	return slices.ContainsFunc(w.log, func(e itsm.Entry) bool { return e.Text == text })
}

// One receiver's storm is its own: what it brings, whom it holds up, how it ends. Each
// story is played as it is, and once more with the state saved and loaded after every
// step.
func TestStormsOfReceivers(t *testing.T) {
	fix := map[string]any{"resolution": "mended"}
	for _, c := range []struct {
		name, rules string
		play        func(w *watch)
		want        []string
		said        []string // on the timelines
	}{
		{
			"one team's storm leaves the other's pages alone", `"escalation": [], "limit": 2, "window": "10m", ` + teams,
			func(w *watch) {
				for range 4 {
					w.of("a", 1, 1)
				}
				w.of("b", 1, 1)
				w.must("notes", inc(3), map[string]any{"note": "it waits once, whatever happens to it"})
				w.until("09:15").of("a", 1, 1) // a window without any more has not passed
				w.of("b", 1, 1)
				w.until("09:31").of("a", 1, 1)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @a", "09:00 incident.opened " + inc(2) + " @a", "09:00 storm.begun @a", "09:00 incident.opened " + inc(5) + " @b",
				"09:10 storm.summary @a", "09:15 incident.opened " + inc(7) + " @b", "09:20 storm.summary @a", "09:31 incident.opened " + inc(8) + " @a",
			},
			[]string{"too many pages to a: this one goes into the summary there", "a was told in a summary of 2 incidents", "a was told in a summary of 1 incident"},
		},
		{
			"whose receivers are partly in a storm is told to the others at once",
			`"escalation": [], "limit": 2, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "channel", "continue": true}, {"receiver": "a", "matchers": ["team=a"]}, {"receiver": "b", "matchers": ["team=b"]}]}`,
			func(w *watch) {
				w.of("b", 1, 1)
				w.of("b", 1, 1)
				w.of("a", 1, 1) // its channel is full
				w.of("a", 1, 1)
				w.until("09:05").must("acknowledge", inc(3), nil) // before the summary: the channel is spared all of it
				w.until("09:06").must("resolve", inc(3), fix)
				w.until("09:12").must("acknowledge", inc(4), nil) // after: the channel hears this
				w.must("reopen", inc(3), map[string]any{"reason": "no"})
				w.until("09:31").must("resolve", inc(3), fix)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @channel,b", "09:00 incident.opened " + inc(2) + " @channel,b",
				"09:00 incident.opened " + inc(3) + " @a", "09:00 storm.begun @channel", "09:00 incident.opened " + inc(4) + " @a",
				"09:05 incident.acknowledged " + inc(3) + " @a", "09:06 incident.resolved " + inc(3) + " @a", "09:10 storm.summary @channel",
				"09:12 incident.acknowledged " + inc(4) + " @channel,a", "09:12 incident.reopened " + inc(3) + " @a", "09:20 storm.summary @channel", "09:31 incident.resolved " + inc(3) + " @channel,a",
			},
			[]string{"too many pages to channel: this one goes into the summary there", "channel was told in a summary of 1 incident"},
		},
		{
			"what is over or in hands before the summary is not told, and the storm ends", `"escalation": [], "limit": 1, "window": "10m", ` + teams,
			func(w *watch) {
				for range 3 {
					w.of("a", 1, 1)
				}
				w.must("acknowledge", inc(2), nil)
				w.must("cancel", inc(3), nil)
				w.must("resolve", inc(2), fix)
				w.until("09:11").of("a", 1, 1)
			},
			[]string{"09:00 incident.opened " + inc(1) + " @a", "09:00 storm.begun @a", "09:11 incident.opened " + inc(4) + " @a"},
			nil,
		},
		{
			"escalation goes on past a receiver in a storm, from the summary where all wait",
			`"escalation": [{"after": ["7m", "8m"]}], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "boss", "matchers": ["escalation=2"], "continue": true}, {"receiver": "a", "matchers": ["team=a"]}]}`,
			func(w *watch) {
				w.of("a", 1, 1)
				w.of("a", 1, 1)
				w.until("09:29")
				w.must("acknowledge", inc(1), nil)
				w.must("acknowledge", inc(2), nil)
				w.until("11:00")
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @a", "09:00 storm.begun @a", // at 09:07 number 1 would be escalated: it waits too
				"09:10 storm.summary @a", "09:15 incident.escalated " + inc(1) + " @boss", "09:20 storm.summary @a", "09:25 incident.escalated " + inc(2) + " @boss",
				"09:29 incident.acknowledged " + inc(1) + " @boss,a", "09:29 incident.acknowledged " + inc(2) + " @boss,a",
			},
			[]string{"a was told in a summary of 2 incidents"},
		},
		{
			"who was called in an incident's first life is not told of the end of its second",
			`"escalation": [{"after": ["5m"]}], "limit": 9, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "boss", "matchers": ["escalation=1"]}]}`,
			func(w *watch) {
				w.of("a", 1, 1)
				w.until("09:06").must("resolve", inc(1), fix)
				w.until("09:07").must("reopen", inc(1), map[string]any{"reason": "no"})
				w.must("resolve", inc(1), fix)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @mail", "09:05 incident.escalated " + inc(1) + " @boss", "09:06 incident.resolved " + inc(1) + " @boss,mail",
				"09:07 incident.reopened " + inc(1) + " @mail", "09:07 incident.resolved " + inc(1) + " @mail",
			},
			nil,
		},
		{
			"a later step that is a receiver's first counts as a page to it",
			`"escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "on-call", "matchers": ["priority=1"]}]}`,
			func(w *watch) {
				w.of("a", 2, 2)
				w.must("edit", inc(1), map[string]any{"impact": 1, "urgency": 1, "reason": "it spreads"})
				w.of("a", 1, 1)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @mail", "09:00 incident.priority " + inc(1) + " @on-call,mail", "09:00 storm.begun @on-call", "09:10 storm.summary @on-call",
			},
			nil,
		},
		{
			"a raised priority calls whom it concerns now, within their limit",
			`"escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "on-call", "matchers": ["priority=1"]}, {"receiver": "mail"}]}`,
			func(w *watch) {
				up := map[string]any{"impact": 1, "urgency": 1, "reason": "it spreads"}
				for range 3 {
					w.of("a", 2, 2)
				}
				w.until("09:01").must("edit", inc(2), up) // nobody was told: on-call is, at once
				w.until("09:02").must("edit", inc(1), up) // mail was told and hears it; to on-call it is the second page
				w.until("09:30").must("edit", inc(2), map[string]any{"impact": 2, "urgency": 2, "reason": "it does not"})
				w.must("resolve", inc(2), fix) // on-call was called, and hears the end though mail has it now
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @mail", "09:00 storm.begun @mail", "09:01 incident.opened " + inc(2) + " @on-call",
				"09:02 incident.priority " + inc(1) + " @mail", "09:02 storm.begun @on-call", "09:10 storm.summary @mail", "09:12 storm.summary @on-call", "09:30 incident.resolved " + inc(2) + " @mail,on-call",
			},
			[]string{"too many pages to on-call: this one goes into the summary there"},
		},
		{
			"who was called hears the end when another team has it, unless its routes say otherwise",
			`"escalation": [], "limit": 9, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "log", "matchers": ["step=resolved", "team=b"]}, {"receiver": "a", "matchers": ["team=a"]}, {"receiver": "b", "matchers": ["team=b"]}]}`,
			func(w *watch) {
				w.of("a", 1, 1)
				w.must("assign", inc(1), map[string]any{"team": "c"}) // who assigns acknowledges nothing
				w.until("09:05").must("resolve", inc(1), fix)
				w.of("b", 1, 1)
				w.must("resolve", inc(2), fix)
			},
			[]string{"09:00 incident.opened " + inc(1) + " @a", "09:00 incident.assigned " + inc(1) + " @mail,a", "09:05 incident.resolved " + inc(1) + " @mail,a", "09:05 incident.opened " + inc(2) + " @b", "09:05 incident.resolved " + inc(2) + " @log"},
			nil,
		},
		{
			"another receivers file in the middle of a storm", `"escalation": [], "limit": 1, "window": "10m", ` + teams,
			func(w *watch) {
				for range 3 {
					w.of("a", 1, 1)
				}
				w.of("b", 1, 1)
				w.of("b", 1, 1)
				w.until("09:05").notify(`{"enabled": true, "escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "alpha", "matchers": ["team=a"]}, {"receiver": "b", "matchers": ["team=b"]}]}}`)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @a", "09:00 storm.begun @a", "09:00 incident.opened " + inc(4) + " @b", "09:00 storm.begun @b",
				"09:05 incident.opened " + inc(2) + " @alpha", "09:05 storm.begun @alpha", "09:10 storm.summary @b", "09:15 storm.summary @alpha",
			},
			[]string{"too many pages to alpha: this one goes into the summary there", "alpha was told in a summary of 1 incident"},
		},
		{
			"a receiver that goes takes no page of what others were told with it",
			`"escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "channel", "continue": true}, {"receiver": "a", "matchers": ["team=a"]}]}`,
			func(w *watch) {
				w.of("b", 1, 1)
				w.of("a", 1, 1)
				w.until("09:05").notify(`{"enabled": true, "escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "mail", "routes": [{"receiver": "chat", "continue": true}, {"receiver": "a", "matchers": ["team=a"]}]}}`)
				w.until("09:06").notify(`{"enabled": false}`)
				w.until("10:00")
			},
			[]string{"09:00 incident.opened " + inc(1) + " @channel", "09:00 incident.opened " + inc(2) + " @a", "09:00 storm.begun @channel", "09:05 incident.opened " + inc(2) + " @chat"},
			nil,
		},
		{
			"a further call that waited for a receiver that goes", `"escalation": [{"after": ["5m"]}], "limit": 1, "window": "10m", ` + teams,
			func(w *watch) {
				w.of("a", 1, 1)
				w.of("a", 1, 1)
				w.until("09:06").notify(`{"enabled": true, "escalation": [], "limit": 1, "window": "10m", "routes": {"receiver": "alpha"}}`)
			},
			[]string{
				"09:00 incident.opened " + inc(1) + " @a", "09:00 storm.begun @a", "09:06 incident.escalated " + inc(1) + " @alpha",
				"09:06 storm.begun @alpha", "09:16 storm.summary @alpha",
			},
			nil,
		},
		{
			"routes come to an installation that had none", `"escalation": [], "limit": 1, "window": "10m"`,
			func(w *watch) {
				for range 3 {
					w.of("a", 1, 1)
				}
				w.until("09:05").notify(`{"enabled": true, "escalation": [], "limit": 1, "window": "10m", ` + teams + `}`)
				w.until("09:06").must("resolve", inc(1), fix)
			},
			[]string{
				"09:00 incident.opened " + inc(1), "09:00 storm.begun", "09:05 incident.opened " + inc(2) + " @a", "09:05 storm.begun @a",
				"09:06 incident.resolved " + inc(1) + " @a", "09:15 storm.summary @a",
			},
			[]string{"too many pages: this one goes into the summary"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cut := range []pages{nil, {}} {
				w := newWatch(t, `{"notify": {`+c.rules+`}}`)
				w.disk = cut
				c.play(w)
				w.until("12:00")
				w.want(c.want...)
				for _, text := range c.said {
					if !w.said(text) {
						t.Errorf("no timeline says %q: %v", text, w.log)
					}
				}
			}
		})
	}
}

// Quiet hours are by priority, what they held back is told within each receiver's limit.
func TestMorningAfterQuietHours(t *testing.T) {
	w := newWatch(t, `{"calendars": {"night": {"open": [{"times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]}]}},
		"notify": {"escalation": [], "quiet": {"calendar": "night", "from": 3}, "limit": 1, "window": "10m", `+teams+`}}`)
	w.disk = pages{}
	w.until("21:55")
	w.of("c", 2, 2)
	w.of("c", 2, 2)
	w.of("c", 2, 2)
	w.until("22:01").must("notes", inc(2), map[string]any{"note": "its summary was promised before the night"})
	w.must("edit", inc(3), map[string]any{"impact": 3, "urgency": 3, "reason": "nobody is to be told"})
	w.must("edit", inc(3), map[string]any{"impact": 2, "urgency": 2, "reason": "it is, in the morning"})
	w.until("22:50")
	w.want("21:55 incident.opened "+inc(1)+" @mail", "21:55 storm.begun @mail", "22:05 storm.summary @mail")
	quiet := slices.DeleteFunc(slices.Clone(w.line), func(l fold.TimelineRow) bool { return !strings.HasPrefix(l.Text, "quiet hours: ") })
	if len(quiet) != 1 || quiet[0].Record != inc(3) {
		t.Errorf("quiet hours hold %v back", quiet)
	}
	w.must("acknowledge", inc(1), nil)
	w.must("acknowledge", inc(2), nil)
	w.told = nil
	w.until("23:00")
	w.of("a", 2, 2)
	w.of("a", 2, 2)
	w.of("b", 2, 2)
	w.of("a", 1, 1)
	w.of("a", 1, 1)
	w.until("08:00")
	w.want("23:00 incident.opened "+inc(7)+" @a", "23:00 storm.begun @a", "23:10 storm.summary @a",
		"06:00 incident.opened "+inc(3)+" @mail", "06:00 incident.opened "+inc(4)+" @a", "06:00 storm.begun @a", "06:00 incident.opened "+inc(6)+" @b", "06:10 storm.summary @a")
}

// An incident that comes back by itself is a page like another: a hundred that flap are
// a storm. Rules that page always do so within the limit.
func TestReturningIncidentsAreWithinTheLimit(t *testing.T) {
	w := newWatch(t, `{"notify": {"priorities": [1], "escalation": [], "limit": 2, "window": "1h", `+teams+`}}`)
	r := w.s.Rules()
	r.Correlation.ReplicaLabels = nil
	r.Correlation.Rules = rulesThatPage
	w.govern(r)
	w.disk = pages{}
	since := w.now
	w.slow(event.Firing, since)
	w.until("09:02")
	for _, at := range []string{"09:12", "09:22", "09:32"} {
		w.slow(event.Resolved, since)
		w.until(at)
		since = w.now
		w.slow(event.Firing, since)
	}
	w.until("11:00")
	got := strings.Join(w.told, "\n")
	if strings.Count(got, "incident.reopened") != 1 || strings.Count(got, "storm.begun @mail") != 1 || strings.Count(got, "storm.summary @mail") != 1 {
		t.Errorf("told\n%s", got)
	}
}

// Whatever happens: nobody gets more pages in a window than the limit, and nobody who
// is to be called waits for longer than a window without a page or a summary.
func TestNobodyIsFloodedAndNobodyForgotten(t *testing.T) {
	const limit, window = 3, 10 * time.Minute
	rules := `{"notify": {"priorities": [1, 2, 3], "escalation": [{"after": ["12m", "20m"]}], "limit": 3, "window": "10m",
		"routes": {"receiver": "mail", "routes": [{"receiver": "boss", "matchers": ["escalation=2"], "continue": true}, {"receiver": "channel", "continue": true},
			{"receiver": "a", "matchers": ["team=a"]}, {"receiver": "b", "matchers": ["team=b", "priority=~\"1|2\""]}]}}}`
	desk, err := itsm.NewDesk(func() itsm.Rules {
		r := itsm.DefaultRules()
		if err := json.Unmarshal([]byte(rules), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 6))
		w := newWatch(t, rules)
		w.disk = pages{}
		var ids []string
		for range 150 {
			id := ""
			if len(ids) > 0 {
				id = ids[rng.IntN(len(ids))]
			}
			switch n := rng.IntN(12); {
			case n < 5 || id == "":
				ids = append(ids, w.of([]string{"a", "b", "c"}[rng.IntN(3)], 1+rng.IntN(2), 1+rng.IntN(2)))
			case n == 5:
				w.do("incident", "acknowledge", id, nil)
			case n == 6:
				w.do("incident", "resolve", id, map[string]any{"resolution": "mended"})
			case n == 7:
				w.do("incident", "reopen", id, map[string]any{"reason": "no"})
			case n == 8:
				w.do("incident", "edit", id, map[string]any{"impact": 1 + rng.IntN(2), "urgency": 1 + rng.IntN(2), "reason": "so"})
			case n == 9:
				w.do("incident", "cancel", id, nil)
			default:
				w.until(w.now.Add(time.Duration(rng.IntN(6)) * time.Minute).Format("15:04"))
			}
		}
		w.until(w.now.Add(window + time.Minute).Format("15:04"))

		known := map[string]map[string]bool{} // receiver → incidents it was told of
		called := map[string][]time.Time{}
		summaries := map[string]int{}
		for _, m := range w.msgs {
			var n fold.Notice
			if err := json.Unmarshal(m.Body, &n); err != nil {
				t.Fatal(err)
			}
			if len(m.To) == 0 {
				t.Fatalf("seed %d: %s %s names no receiver", seed, m.Topic, m.Record)
			}
			for _, r := range m.To {
				if known[r] == nil {
					known[r] = map[string]bool{}
				}
				known[r][m.Record] = true
				switch m.Topic {
				case fold.TellSummary:
					summaries[r]++
					if n.Count != len(n.Incidents) && n.Count <= 20 {
						t.Errorf("seed %d: a summary of %d names %d", seed, n.Count, len(n.Incidents))
					}
				case fold.TellOpened, fold.TellEscalated:
					called[r] = append(called[r], m.At)
				}
			}
		}
		for _, l := range w.line { // a summary names 20, the timelines all
			if r, of, yes := strings.Cut(l.Text, " was told in a summary of "); yes && of != "" {
				known[r][l.Record] = true
			}
		}
		for r, at := range called {
			for n := range at {
				if n >= limit && at[n].Sub(at[n-limit]) < window {
					t.Errorf("seed %d: %s was called %d times within %s", seed, r, limit+1, at[n].Sub(at[n-limit]))
				}
			}
		}
		last := map[string]itsm.Incident{}
		for _, row := range w.rows {
			var i itsm.Incident
			if json.Unmarshal(row.After, &i) == nil && row.Kind == "incident" && i.ID != "" {
				last[i.ID] = i
			}
		}
		for _, id := range slices.Sorted(maps.Keys(last)) {
			i := last[id]
			if !i.Live() || i.AcknowledgedAt != nil {
				continue
			}
			for _, r := range desk.ReceiversOf(fold.Notice{Incident: &i}.Labels(fold.TellOpened)) {
				if r == "b" && !known[r][id] {
					continue // whoever has it by a lowered priority is not called for it
				}
				if !known[r][id] {
					t.Errorf("seed %d: %s never heard of %s", seed, r, id)
				}
			}
		}
		if summaries["a"]+summaries["channel"] == 0 {
			t.Fatalf("seed %d: no storm: this proves nothing", seed)
		}
	}
}

// What an earlier version held back for its one summary is told within the limit.
func TestStormOfAnEarlierVersion(t *testing.T) {
	w := newWatch(t, `{"notify": {"escalation": [], "limit": 1, "window": "10m"}}`)
	w.open(1, 1)
	w.open(1, 1)
	old := pages{}
	for k, v := range snapshot(t, w.s) {
		if strings.HasPrefix(k, "desk/storm/") {
			continue
		}
		if strings.HasPrefix(k, "desk/incident/") {
			for _, now := range []string{`"heard":[{"receiver":"","waits":true}]`} {
				v = []byte(strings.ReplaceAll(string(v), now, `"held":"storm"`))
			}
		}
		old[k] = v
	}
	w.s = restore(t, old)
	w.until("09:01")
	w.want("09:00 incident.opened "+inc(1), "09:00 storm.begun", "09:00 incident.opened "+inc(2))
}

var rulesThatPage = []correlator.Rule{{Name: "pay", Match: []string{"app=pay"}, Page: correlator.PageAlways, Priority: 4}}

// A summary says in words how many wait, and of each its priority and title.
func TestSummaryNamesWhatWaits(t *testing.T) {
	for waiting, words := range map[int]string{1: "1 incident waits since ", 2: "2 incidents wait since "} {
		w := newWatch(t, `{"notify": {"escalation": [], "limit": 1, "window": "10m", `+teams+`}}`)
		w.of("a", 1, 1)
		for range waiting {
			w.of("a", 1, 1)
		}
		w.until("09:31")
		var n fold.Notice
		for _, m := range w.msgs {
			if m.Topic == fold.TellSummary && n.Count == 0 {
				if err := json.Unmarshal(m.Body, &n); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n.Count != waiting || !strings.HasPrefix(n.Text, words) || len(n.Titles) != waiting || !strings.HasPrefix(n.Titles[0], "[P") || len(n.Titles[0]) < len("[P3] x") {
			t.Errorf("%d wait: %+v", waiting, n)
		}
	}
}
