package api

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// month scripts a month of a fleet's alerts and of people's work in simulated
// time: it steps a fold of its own to know what there is to act upon, and keeps
// the journal that an engine then decides from.
type month struct {
	t      *testing.T
	rng    *rand.Rand
	state  *fold.State
	events []event.Event
	now    time.Time
	end    time.Time
	todo   agenda
	live   map[string]itsm.Incident // as the fold wrote them last
	probs  map[string]itsm.Problem
	seen   []string
	sent   int // alert objects
}

type act struct {
	at  time.Time
	seq int
	do  func()
}

type agenda []act

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].seq < a[j].seq
	}
	return a[i].at.Before(a[j].at)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(act)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}

var monthStart = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC) // Europe's clocks change in it

const hosts = 40

func monthRules() fold.Rules {
	r := fold.DefaultRules()
	// The independent model counts an incident once. That several occurrences of one lone
	// alert may share a record is off here; itsm's own tests hold what each then counts as.
	r.Correlation.SameRecordWithin = 0
	var desk itsm.Rules
	err := json.Unmarshal([]byte(`{
		"problem_verify": "5d",
		"calendars": {"office": {"zone": "Europe/Berlin", "holidays": ["10-03"], "open": [{"weekdays": ["monday:friday"], "times": [{"start_time": "08:00", "end_time": "18:00"}]}]},
			"night": {"zone": "Europe/Berlin", "open": [{"times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]}]}},
		"services": [
			{"name": "shop", "team": "web", "availability": 0.995, "outage_priority": 3},
			{"name": "billing", "owner": "bea", "hours": "office", "outage_priority": 4, "cis": ["host:h01", "host:h02", "host:h03", "host:h04", "host:h05"]}
		],
		"slas": [
			{"name": "answer-fast", "clock": "response", "target": "30m", "priorities": [1, 2]},
			{"name": "answer", "clock": "response", "target": "4h", "calendar": "office"},
			{"name": "mend-fast", "clock": "resolution", "target": "3h", "priorities": [1, 2]},
			{"name": "mend-office", "clock": "resolution", "target": "8h", "calendar": "office", "services": ["billing"]},
			{"name": "mend", "clock": "resolution", "target": "1d"},
			{"name": "back", "clock": "restoration", "target": "2h", "services": ["shop"]}
		],
		"notify": {"enabled": true, "priorities": [1, 2, 3, 4], "limit": 5, "window": "10m",
			"escalation": [{"priorities": [1, 2], "after": ["10m", "20m"], "repeat": "1h"}],
			"quiet": {"calendar": "night", "from": 3}}
		}`), &desk)
	if err != nil {
		panic(err)
	}
	r.Desk = desk
	return r
}

func newMonth(t *testing.T, days int) *month {
	m := &month{t: t, rng: rand.New(rand.NewPCG(7, 11)), state: fold.New(monthRules()), now: monthStart, live: map[string]itsm.Incident{}, probs: map[string]itsm.Problem{}}
	m.end = monthStart.AddDate(0, 0, days)
	raw, err := json.Marshal(monthRules())
	if err != nil {
		t.Fatal(err)
	}
	m.body(&event.Config{Rules: raw})
	m.body(&event.Start{Version: "test"})
	for i := range hosts {
		m.body(&event.CI{Ref: event.Ref{Class: "host", Name: host(i)}, Attributes: map[string]any{"hostname": host(i), "owner": []string{"ann", "bob", ""}[i%3], "team": []string{"linux", "", "db"}[i%3]}})
	}
	m.body(&event.CI{Ref: event.Ref{Class: "service", Name: "shop"}, Attributes: map[string]any{"criticality": "critical"}})
	for i := 10; i < 14; i++ {
		m.body(&event.Relation{From: event.Ref{Class: "service", Name: "shop"}, Type: "runs_on", To: event.Ref{Class: "host", Name: host(i)}})
	}
	m.after(8*time.Hour, m.late)
	m.after(time.Minute, m.disturb)
	m.after(3*time.Minute, m.work)
	m.after(10*time.Hour, m.byHand)
	m.after(20*time.Hour, m.maintain)
	for m.todo.Len() > 0 {
		a := heap.Pop(&m.todo).(act)
		if a.at.After(m.end) {
			break
		}
		m.until(a.at)
		m.now = a.at
		a.do()
	}
	m.until(m.end)
	return m
}

func host(i int) string { return fmt.Sprintf("h%02d", i) }

func (m *month) after(d time.Duration, do func()) {
	heap.Push(&m.todo, act{m.now.Add(d.Round(time.Second)), m.todo.Len() + len(m.events), do})
}

func (m *month) span(from, to time.Duration) time.Duration {
	return from + time.Duration(m.rng.Int64N(int64(to-from)))
}

// until journals the ticks that a live engine would.
func (m *month) until(at time.Time) {
	for {
		due, ok := m.state.NextDeadline()
		if !ok || due.After(at) {
			return
		}
		if due.Before(m.now) {
			due = m.now
		}
		m.now = due
		m.step(event.NewTick(due))
	}
}

func (m *month) step(e event.Event) (answer *fold.Answer) {
	e.At, e.Position = event.Instant(m.now), uint64(len(m.events)+1)
	m.events = append(m.events, e)
	for _, f := range m.state.Step(e) {
		switch b := f.Body.(type) {
		case fold.PutIncident:
			if _, ok := m.live[b.Incident.ID]; !ok {
				m.seen = append(m.seen, b.Incident.ID)
			}
			m.live[b.Incident.ID] = b.Incident
		case fold.PutProblem:
			m.probs[b.Problem.ID] = b.Problem
		case fold.Answer:
			answer = &b
		}
	}
	return answer
}

func (m *month) body(b event.Body) *fold.Answer {
	m.t.Helper()
	e, err := event.New(b)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.step(e)
}

func (m *month) do(record, verb, id, actor string, args any) *fold.Answer {
	raw, err := json.Marshal(args)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.body(&event.Command{Verb: verb, Record: record, ID: id, Actor: actor, Remote: "192.0.2.7", Args: raw})
}

type fields = map[string]any

func (m *month) alerts(status string, starts time.Time, ends time.Time, labels ...fields) {
	var alerts []fields
	for _, l := range labels {
		a := fields{"status": status, "labels": l, "startsAt": starts.Format(time.RFC3339Nano), "annotations": fields{"summary": "it is bad"}}
		if !ends.IsZero() {
			a["endsAt"] = ends.Format(time.RFC3339Nano)
		}
		alerts = append(alerts, a)
	}
	raw, err := json.Marshal(fields{"version": "4", "status": status, "receiver": "wb", "alerts": alerts})
	if err != nil {
		m.t.Fatal(err)
	}
	n, err := event.DecodeNotification(raw)
	if err != nil {
		m.t.Fatal(err)
	}
	m.sent += len(labels)
	m.step(event.NewNotification("prom", n))
}

// disturb fires alerts on one or several hosts, and later ends them, or forgets to.
func (m *month) disturb() {
	n := 1
	if m.rng.IntN(8) == 0 {
		n = 2 + m.rng.IntN(4)
	}
	h := m.rng.IntN(hosts)
	var labels []fields
	for i := range n {
		l := fields{"alertname": []string{"HostDown", "DiskFull", "HighLoad", "ClockSkew"}[m.rng.IntN(4)], "instance": host((h+i)%hosts) + ":9100", "severity": []string{"critical", "warning", "error", "info"}[m.rng.IntN(4)]}
		labels = append(labels, l)
	}
	if m.rng.IntN(40) == 0 {
		labels = append(labels, fields{"alertname": "Strange", "weird": 7}) // is quarantined
	}
	starts := m.now.Add(-m.span(0, 5*time.Minute))
	m.alerts("firing", starts, time.Time{}, labels...)
	good := slices.DeleteFunc(slices.Clone(labels), func(l fields) bool { return l["weird"] != nil })
	if m.rng.IntN(25) > 0 { // the rest is never heard of again, and expires
		m.after(m.span(2*time.Minute, 6*time.Hour), func() {
			m.alerts("resolved", starts, m.now, good...)
			if m.rng.IntN(6) == 0 { // it flaps, before or after the hold-down
				m.after(m.span(time.Minute, 20*time.Minute), func() {
					again := m.now
					m.alerts("firing", again, time.Time{}, good...)
					m.after(m.span(time.Minute, time.Hour), func() { m.alerts("resolved", again, m.now, good...) })
				})
			}
		})
	}
	if m.rng.IntN(3) == 0 {
		m.after(time.Minute, func() { m.alerts("firing", starts, time.Time{}, good...) })
	}
	if m.rng.IntN(4) == 0 { // what a slower rule tells later had begun before
		m.after(m.span(time.Minute, 4*time.Minute), func() {
			early := starts.Add(-m.span(time.Minute, 20*time.Minute))
			slow := fields{"alertname": "SlowRule", "instance": host(h) + ":9100", "severity": "critical"}
			m.alerts("firing", early, time.Time{}, slow)
			m.after(m.span(5*time.Minute, 2*time.Hour), func() { m.alerts("resolved", early, m.now, slow) })
		})
	}
	m.after(m.span(10*time.Minute, 3*time.Hour), m.disturb)
}

// late has an outage of billing turn out to have begun earlier than its incident knew.
func (m *month) late() {
	disk := fields{"alertname": "DiskFull", "instance": host(1) + ":9100", "severity": "critical"}
	slow := fields{"alertname": "SlowRule", "instance": host(1) + ":9100", "severity": "critical"}
	starts := m.now
	m.alerts("firing", starts, time.Time{}, disk)
	m.after(2*time.Minute, func() { m.alerts("firing", starts.Add(-17*time.Minute), time.Time{}, slow) })
	m.after(time.Hour, func() {
		m.alerts("resolved", starts, m.now, disk)
		m.alerts("resolved", starts.Add(-17*time.Minute), m.now, slow)
	})
}

// work has people do something to the incidents that there are.
func (m *month) work() {
	m.after(m.span(5*time.Minute, 50*time.Minute), m.work)
	people := []string{"ann", "bob", "cid"}
	who := people[m.rng.IntN(len(people))]
	if len(m.seen) == 0 {
		return
	}
	recent := m.seen[max(0, len(m.seen)-12):]
	id := recent[m.rng.IntN(len(recent))]
	switch m.rng.IntN(16) {
	case 0, 1, 2, 3:
		m.do("incident", "acknowledge", id, who, fields{})
	case 4:
		m.do("incident", "hold", id, who, fields{"reason": []string{"caller", "vendor", "problem", "change"}[m.rng.IntN(4)]})
	case 5, 6:
		m.do("incident", "resume", id, who, fields{})
	case 7, 8:
		m.do("incident", "resolve", id, who, fields{"resolution": "restarted it"})
	case 9:
		m.do("incident", "reopen", id, who, fields{"reason": "not mended"})
	case 10:
		m.do("incident", "notes", id, who, fields{"note": "looking at it"})
	case 11:
		m.do("incident", "edit", id, who, fields{"impact": 1 + m.rng.IntN(3), "urgency": 1 + m.rng.IntN(3), "reason": "the customer said so"})
	case 12:
		if m.rng.IntN(3) == 0 {
			m.do("incident", "cancel", id, who, fields{"reason": "a test"})
		}
	case 13:
		to := []fields{{"assignee": people[m.rng.IntN(3)], "team": "linux"}, {"assignee": people[m.rng.IntN(3)]}, {"assignee": who}, {"team": "db"}, {"team": "", "assignee": "cid"}, {"assignee": ""}}
		m.do("incident", "assign", id, who, to[m.rng.IntN(len(to))])
	case 14:
		other := recent[m.rng.IntN(len(recent))]
		if m.rng.IntN(3) == 0 {
			m.do("incident", "merge", id, who, fields{"into": other, "reason": "the same"})
		}
	case 15:
		m.workProblem(who)
	}
}

func (m *month) workProblem(who string) {
	var ids []string
	for id := range m.probs {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	p := m.probs[ids[m.rng.IntN(len(ids))]]
	verb := map[itsm.ProblemState]string{itsm.ProblemNew: "assess", itsm.ProblemAssess: "root_cause", itsm.ProblemRootCause: "fix", itsm.ProblemFix: "resolve", itsm.ProblemResolved: "close"}[p.State]
	if verb != "" {
		m.do("problem", verb, p.ID, who, fields{"workaround": "restart it", "root_cause": "a leak"})
	}
}

// maintain plans windows, on a host or on all that the service billing stands on.
func (m *month) maintain() {
	m.after(m.span(20*time.Hour, 60*time.Hour), m.maintain)
	args := fields{"summary": "new kernel", "cis": []string{"host:" + host(m.rng.IntN(hosts))}}
	if m.rng.IntN(3) == 0 {
		args = fields{"summary": "month's end", "services": []string{"billing"}}
	}
	args["starts_at"], args["ends_at"] = m.now.Add(time.Hour), m.now.Add(9*time.Hour)
	a := m.do("maintenance", "create", "", "ann", args)
	if a.Err != nil {
		m.t.Fatal(a.Err)
	}
	switch m.rng.IntN(4) {
	case 0:
		m.do("maintenance", "cancel", a.Record, "ann", fields{})
	case 1:
		m.after(5*time.Hour, func() { m.do("maintenance", "end", a.Record, "ann", fields{"reason": "done"}) })
	}
}

// byHand opens incidents that no alert told of.
func (m *month) byHand() {
	m.after(m.span(6*time.Hour, 18*time.Hour), m.byHand)
	a := m.do("incident", "create", "", "dora", fields{"title": "the printer is on fire", "impact": 1 + m.rng.IntN(3), "urgency": 1 + m.rng.IntN(3), "service": []string{"shop", "billing", ""}[m.rng.IntN(3)]})
	if a.Err != nil {
		m.t.Fatal(a.Err)
	}
	id := a.Record
	m.after(m.span(time.Minute, 30*time.Hour), func() { m.do("incident", "resolve", id, "ann", fields{"resolution": "put out"}) })
}

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx
}
