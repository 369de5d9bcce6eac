package api

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/itsm"
)

// This file computes every figure anew from what people can read: incidents,
// problems and their timelines. It uses data types of the product and none of its
// formulas: no state machine, no clock, no calendar, no sum.

// fact is one measure as the records alone tell it.
type fact struct {
	name     string
	at       time.Time
	position uint64
	value    float64
	priority int
	services []string
	team     string
	of       string // the service, of failures and downtime
	sla      string
	result   string
}

// snapshot is an incident from at on, for the backlog.
type snapshot struct {
	at       time.Time
	position uint64
	live     bool
	acked    bool
	priority int
	services []string
	team     string
	state    string
	opened   time.Time
}

// outage is an incident's part in keeping a service down.
type outage struct {
	service          string
	from, to         time.Time
	begins, ends     uint64 // positions
	beginsAt, endsAt time.Time
	begin, end       snapshot
}

// told is all that the records tell.
type told struct {
	facts     []fact
	incidents [][]snapshot
	down      map[string][]stretch // service → when it was down, merged per failure
	problems  map[string]int       // state → how many
}

type stretch struct{ from, to time.Time }

// reader follows one incident through its timeline.
type reader struct {
	rules    itsm.Rules
	doc      itsm.Incident
	now      snapshot
	hold     string
	assignee string
	restored *time.Time
	taken    bool // it got alerts although a person opened it
	work     *time.Time
	resolved time.Time
	onset    time.Time
	shown    time.Time // when this occurrence was there to act upon
	began    time.Time // when this occurrence began; zero: with the onset
	reopened int
	handoffs int
	out      []fact
	points   []situation
	history  []snapshot
	outages  []outage
	pending  []fact // of the position that is being read: labelled at its end
}

// situation is what service levels look at.
type situation struct {
	at              time.Time
	position        uint64
	state, hold     string
	acked, restored bool
	priority        int
	services        []string
	team            string
}

func (r *reader) fact(name string, at time.Time, v float64) {
	r.pending = append(r.pending, fact{name: name, at: at, value: v})
}

func (r *reader) clock(name string, from, to time.Time, at time.Time) {
	r.fact(name, at, max(0, to.Sub(from).Seconds()))
}

func parsed(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

var systemActor = "watchbill"

// line reads one line of the timeline.
func (r *reader) line(e fold.TimelineRow) {
	at, text := e.At, e.Text
	switch e.Kind {
	case "opened":
		r.now.state, r.now.opened, r.shown = "new", at, at
		r.now.priority = int(strings.TrimPrefix(text, "opened with priority ")[0] - '0')
		r.fact("incidents_opened_total", at, 1)
		r.clock("incident_detection_seconds", r.onset, at, at)
	case "onset":
		now, _, _ := strings.Cut(strings.TrimPrefix(text, "began on "), ", not on ")
		r.onset = parsed(now)
	case "service":
		r.now.services = nil
		if list, ok := strings.CutPrefix(text, "affects "); ok && !strings.HasPrefix(text, "affects no service") {
			r.now.services = strings.Split(list, ", ")
		}
	case "priority":
		p := strings.TrimPrefix(strings.TrimPrefix(text, "priority "), "is now ")
		if n := int(p[0] - '0'); n != r.now.priority {
			r.now.priority = n
			r.fact("incident_priority_changes_total", at, 1)
		}
	case "assigned":
		who, _, _ := strings.Cut(strings.TrimPrefix(text, "assigned to "), ": ")
		hadTeam, had := r.now.team, r.assignee
		r.now.team = ""
		assignee := ""
		for _, name := range strings.Split(who, ", ") {
			if slices.Contains([]string{"linux", "db", "web"}, name) {
				r.now.team = name
			} else {
				assignee = name
			}
		}
		r.assignee = assignee
		if e.Actor != systemActor && r.doc.RespondedAt.Before(at) && (assignee != had && assignee != e.Actor || r.now.team != hadTeam) {
			r.handoffs++
		}
	case "acknowledged":
		r.now.acked = true
		if r.now.state == "new" {
			r.now.state = "in_progress"
		}
		if r.work == nil {
			r.work = &at
		}
		r.clock("incident_acknowledgement_seconds", r.shown, at, at)
	case "clear":
		if text == "all alerts are clear" {
			r.restored = &at
		}
	case "merge":
		r.taken = true
	case "alert":
		r.taken = true
		if text == "an alert is active again" {
			r.restored = nil
		}
	case "recurrence":
		r.fact("incidents_recurring_total", at, 1)
	case "state":
		r.state(e)
	}
}

func (r *reader) state(e fold.TimelineRow) {
	at, text, byHand := e.At, e.Text, e.Actor != systemActor
	switch {
	case strings.HasPrefix(text, "on hold: waits for the "):
		r.now.state, r.hold = "on_hold", strings.TrimPrefix(text, "on hold: waits for the ")
		r.handoffs++
	case text == "back in progress":
		r.now.state, r.hold = "in_progress", ""
	case strings.HasPrefix(text, "resolved"):
		if byHand && r.restored == nil && (r.doc.Alerts == 0 || r.doc.OpenedBy != systemActor && !r.taken) {
			r.restored = &at
		}
		if r.restored != nil && (byHand || strings.Contains(text, "all alerts stayed clear")) {
			begin := r.onset
			if !r.began.IsZero() {
				begin = r.began
			}
			r.clock("incident_recovery_seconds", begin, *r.restored, at)
			r.clock("incident_response_seconds", r.shown, *r.restored, at)
			if r.work != nil && !r.work.After(*r.restored) {
				r.clock("incident_repair_seconds", *r.work, *r.restored, at)
			}
		}
		r.clock("incident_resolution_seconds", r.shown, at, at)
		if byHand && r.handoffs == 0 && r.doc.RespondedBy == e.Actor && (r.reopened == 0 || r.doc.RespondedAt.Equal(at)) {
			r.fact("incidents_first_contact_resolved_total", at, 1)
		}
		r.now.state, r.hold, r.resolved = "resolved", "", at
	case strings.HasPrefix(text, "reopened"):
		name := "incidents_reopened_total"
		if at.Sub(r.resolved) > 7*24*time.Hour {
			name = "incidents_reopened_late_total"
		}
		r.fact(name, at, 1)
		r.now.state, r.restored, r.work = "in_progress", nil, nil
		r.now.acked, r.now.opened, r.shown, r.began = false, at, at, at
		if _, began, ok := strings.Cut(text, "; began again on "); ok {
			r.began = parsed(began)
		}
		r.reopened++
	case text == "closed":
		r.now.state = "closed"
	case strings.HasPrefix(text, "canceled"):
		r.now.state, r.hold = "canceled", ""
		r.fact("incidents_canceled_total", at, 1)
	case strings.HasPrefix(text, "merged into "):
		r.now.state, r.hold = "canceled", ""
		r.fact("incidents_merged_total", at, 1)
	}
}

// settle ends a position: what was measured in it is labelled by what the incident
// is after it.
func (r *reader) settle(at time.Time, position uint64) {
	r.now.at, r.now.position = at, position
	r.now.live = slices.Contains([]string{"new", "in_progress", "on_hold"}, r.now.state)
	for _, f := range r.pending {
		f.at, f.position, f.priority, f.services, f.team = at, position, r.now.priority, slices.Clone(r.now.services), r.now.team
		r.out = append(r.out, f)
	}
	r.pending = nil
	snap := r.now
	snap.services = slices.Clone(r.now.services)
	r.history = append(r.history, snap)
	r.points = append(r.points, situation{at: at, position: position, state: r.now.state, hold: r.hold, acked: r.now.acked, restored: r.restored != nil, priority: r.now.priority, services: snap.services, team: r.now.team})
	for _, s := range r.rules.Services {
		n := slices.IndexFunc(r.outages, func(o outage) bool { return o.service == s.Name && o.ends == 0 })
		is := r.now.live && (n >= 0 || slices.Contains(r.now.services, s.Name) && r.now.priority <= s.OutagePriority)
		switch {
		case is && n < 0:
			from := r.onset
			if r.reopened > 0 {
				from = at
			}
			r.outages = append(r.outages, outage{service: s.Name, from: from, begins: position, beginsAt: at, begin: snap})
		case is && r.reopened == 0:
			r.outages[n].from = r.onset
		case !is && n >= 0:
			o := &r.outages[n]
			o.to, o.ends, o.endsAt, o.end = at, position, at, snap
			if r.restored != nil {
				o.to = *r.restored
			}
		}
	}
}

func all[T any](t *testing.T, read func(at engine.Range) (engine.Page[T], error)) []T {
	t.Helper()
	var out []T
	at := engine.Range{Limit: 1000}
	for {
		p, err := read(at)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p.Items...)
		if at.Cursor = p.Next; at.Cursor == "" {
			return out
		}
	}
}

// tell reads all records. clock says when each position was decided.
func tell(t *testing.T, r *engine.Records, rules itsm.Rules, clock func(position uint64) time.Time) told {
	t.Helper()
	out := told{down: map[string][]stretch{}, problems: map[string]int{}}
	var outages []outage
	for _, i := range all(t, func(at engine.Range) (engine.Page[itsm.Incident], error) {
		return r.Incidents(t.Context(), engine.IncidentFilter{}, at)
	}) {
		lines := all(t, func(at engine.Range) (engine.Page[fold.TimelineRow], error) { return r.Timeline(t.Context(), i.ID, at) })
		x := &reader{rules: rules, doc: i, onset: i.Onset}
		for _, e := range lines { // the first move of the onset tells what it was at the opening
			if _, before, ok := strings.Cut(e.Text, ", not on "); ok && e.Kind == "onset" {
				x.onset = parsed(before)
				break
			}
		}
		for n, e := range lines {
			x.line(e)
			if n == len(lines)-1 || lines[n+1].Position != e.Position {
				if i.RespondedAt != nil && i.RespondedAt.Equal(clock(e.Position)) {
					x.clock("incident_first_response_seconds", i.OpenedAt, *i.RespondedAt, *i.RespondedAt)
				}
				x.settle(clock(e.Position), e.Position)
			}
		}
		if x.now.state != string(i.State) || x.now.priority != i.Priority || !slices.Equal(x.now.services, i.Services) || x.now.team != i.Team || !x.onset.Equal(i.Onset) {
			t.Errorf("%s: the timeline tells %+v, onset %v; the record says %s, %d, %v, %s, %v", i.ID, x.now, x.onset, i.State, i.Priority, i.Services, i.Team, i.Onset)
		}
		out.facts = append(out.facts, x.out...)
		results, used := levels(rules, x.points, clock(math.MaxUint64))
		out.facts = append(out.facts, results...)
		for _, k := range i.Clocks {
			if want, over := used[k.SLA]; over != (k.Active && k.Phase == itsm.Stopped) || over && ms(k.Elapsed) != want.Milliseconds() {
				t.Errorf("%s: the clock %s says %s after %v s; the timeline %v (stopped: %v)", i.ID, k.SLA, k.Phase, k.Elapsed, want, over)
			}
		}
		out.incidents = append(out.incidents, x.history)
		outages = append(outages, x.outages...)
	}
	for _, s := range rules.Services {
		out.failures(s, slices.DeleteFunc(slices.Clone(outages), func(o outage) bool { return o.service != s.Name }))
	}
	for _, p := range all(t, func(at engine.Range) (engine.Page[itsm.Problem], error) { return r.Problems(t.Context(), nil, at) }) {
		out.problems[string(p.State)]++
		priority := 0
		say := func(name string, at time.Time, v float64) {
			out.facts = append(out.facts, fact{name: name, value: v, at: at, priority: priority, team: p.Team})
		}
		for _, e := range all(t, func(at engine.Range) (engine.Page[fold.TimelineRow], error) { return r.Timeline(t.Context(), p.ID, at) }) {
			switch text := strings.TrimPrefix(e.Text, "opened with "); {
			case e.Kind == "opened", e.Kind == "priority":
				priority = int(strings.TrimPrefix(strings.TrimPrefix(text, "priority "), "is now ")[0] - '0')
				if e.Kind == "opened" {
					say("problems_opened_total", e.At, 1)
				}
			case e.Kind == "state" && strings.HasPrefix(text, "resolved"):
				say("problem_resolution_seconds", e.At, e.At.Sub(p.OpenedAt).Seconds())
			case e.Kind == "state" && strings.HasPrefix(text, "reopened"):
				say("problems_reopened_total", e.At, 1)
			}
		}
	}
	return out
}

// failures follows which incidents keep a service down.
func (o *told) failures(s itsm.Service, parts []outage) {
	type turn struct {
		position uint64
		begins   bool
		part     *outage
	}
	var turns []turn
	for n := range parts {
		turns = append(turns, turn{parts[n].begins, true, &parts[n]})
		if parts[n].ends > 0 {
			turns = append(turns, turn{parts[n].ends, false, &parts[n]})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.position, b.position) })
	down := 0
	var now stretch
	label := func(f fact, x snapshot) fact {
		f.priority, f.services, f.team, f.of = x.priority, x.services, x.team, s.Name
		return f
	}
	for _, x := range turns {
		if x.begins {
			if down == 0 {
				now = stretch{from: x.part.from}
				o.facts = append(o.facts, label(fact{name: "service_failures_total", value: 1, at: x.part.beginsAt}, x.part.begin))
			}
			if x.part.from.Before(now.from) {
				now.from = x.part.from
			}
			down++
			continue
		}
		if x.part.to.After(now.to) {
			now.to = x.part.to
		}
		if down--; down > 0 {
			continue
		}
		o.facts = append(o.facts, label(fact{name: "service_downtime_seconds_total", value: openTime(s.Hours, now.from, now.to).Seconds(), at: x.part.endsAt}, x.part.end))
		o.down[s.Name] = append(o.down[s.Name], now)
	}
	if down > 0 {
		o.down[s.Name] = append(o.down[s.Name], stretch{now.from, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)})
	}
}

var berlin = func() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return z
}()

// officeDay is when the office of the script's rules is open on the day of t, and
// when the next day begins.
func officeDay(t time.Time) (from, to, next time.Time) {
	y, m, d := t.In(berlin).Date()
	next = time.Date(y, m, d+1, 0, 0, 0, 0, berlin)
	if w := t.In(berlin).Weekday(); w == time.Saturday || w == time.Sunday || m == time.October && d == 3 {
		return next, next, next
	}
	return time.Date(y, m, d, 8, 0, 0, 0, berlin), time.Date(y, m, d, 18, 0, 0, 0, berlin), next
}

// openTime is how much of [a, b) a calendar of the script is open.
func openTime(calendar string, a, b time.Time) time.Duration {
	if calendar == "" {
		return max(0, b.Sub(a))
	}
	var sum time.Duration
	for t := a; t.Before(b); {
		from, to, next := officeDay(t)
		if from.Before(a) {
			from = a
		}
		if to.After(b) {
			to = b
		}
		sum += max(0, to.Sub(from))
		t = next
	}
	return sum
}

// usedUp is when d of open time has passed since a.
func usedUp(calendar string, a time.Time, d time.Duration) time.Time {
	if calendar == "" {
		return a.Add(d)
	}
	for t := a; ; {
		from, to, next := officeDay(t)
		if from.Before(a) {
			from = a
		}
		if have := to.Sub(from); have >= d {
			return from.Add(d)
		} else if have > 0 {
			d -= have
		}
		t = next
	}
}

// level is one service level on one incident.
type level struct {
	rule     itsm.SLA
	breached bool
	result   string
}

// phase of a level's clock after some of the incident's situations.
func (l *level) phase(points []situation) (phase string, used time.Duration) {
	phase = "waiting"
	for n, p := range points {
		if phase == "stopped" && l.rule.Clock == "response" && p.state == "in_progress" && !p.acked {
			used = 0 // it was reopened, and asks for an answer anew
		}
		over := p.state == "resolved" || p.state == "closed" || l.rule.Clock == "response" && p.acked || l.rule.Clock == "restoration" && p.restored
		switch {
		case over && phase != "waiting":
			phase = "stopped"
			continue
		case over:
		case p.state == "canceled":
			if phase == "running" || phase == "paused" {
				phase = "canceled"
			}
		case l.rule.Clock != "response" && p.state == "on_hold" && (p.hold == "caller" || p.hold == "vendor"):
			phase = "paused"
		default:
			phase = "running"
		}
		if phase == "running" && n+1 < len(points) {
			used += openTime(l.rule.Calendar, p.at, points[n+1].at)
		}
	}
	return phase, used
}

// levels replays an incident's service levels; it is the independent reading of
// docs/kpis.md, "Service levels". used is the business time of the clocks that have stopped.
func levels(rules itsm.Rules, points []situation, end time.Time) (out []fact, used map[string]time.Duration) {
	used = map[string]time.Duration{}
	for _, clock := range []string{"response", "restoration", "resolution"} {
		var ls []*level
		for _, r := range rules.SLAs {
			if r.Clock == clock {
				ls = append(ls, &level{rule: r})
			}
		}
		var holds *level
		for n, p := range points {
			say := func(l *level, at time.Time, result string) {
				out = append(out, fact{name: "sla_results_total", at: at, value: 1, priority: p.priority, services: p.services, team: p.team, sla: l.rule.Name, result: result})
			}
			seen := points[:n+1]
			stays := false
			if holds != nil {
				phase, _ := holds.phase(seen)
				stays = holds.breached || phase == "stopped"
			}
			if !stays {
				n := slices.IndexFunc(ls, func(l *level) bool {
					return (len(l.rule.Priorities) == 0 || slices.Contains(l.rule.Priorities, p.priority)) &&
						(len(l.rule.Services) == 0 || slices.ContainsFunc(p.services, func(s string) bool { return slices.Contains(l.rule.Services, s) }))
				})
				holds = nil
				if n >= 0 {
					holds = ls[n]
				}
			}
			if holds == nil || holds.breached {
				continue
			}
			phase, used := holds.phase(seen)
			target := time.Duration(holds.rule.Target)
			switch {
			case used >= target:
				holds.breached = true
				say(holds, p.at, "breached")
				continue
			case phase == "stopped" && holds.result != "met":
				holds.result = "met"
				say(holds, p.at, "met")
			case phase == "canceled" && holds.result != "canceled":
				holds.result = "canceled"
				say(holds, p.at, "canceled")
			case (phase == "running" || phase == "paused") && holds.result == "met":
				holds.result = "withdrawn"
				say(holds, p.at, "withdrawn")
			}
			if phase != "running" {
				continue
			}
			until := end
			if n+1 < len(points) {
				until = points[n+1].at
			}
			if at := usedUp(holds.rule.Calendar, p.at, target-used); !at.After(until) {
				holds.breached = true
				say(holds, at, "breached")
			}
		}
		if holds != nil {
			if phase, d := holds.phase(points); phase == "stopped" {
				used[holds.rule.Name] = d
			}
		}
	}
	return out, used
}
