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
	due      time.Time // of a clock: what it is counted by
	record   string
	flag     bool // an opening: seen before; a resolution: by people
	back     bool // an opening: merged away; a resolution: reopened within a week
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
	none             bool // its incident was canceled
	passed           bool // another incident took it over
}

// told is all that the records tell.
type told struct {
	end       time.Time
	facts     []fact
	clocks    []fact // of service levels, each once, with its last result
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

	id       string
	expired  bool
	lastSeen time.Time
	opened   time.Time // as first response is measured from
	pointAt  time.Time // when the situation of the position began, where that was before it
	grave    map[string]time.Time
	graveOn  map[string]bool // grave since it began
	mergers  []merger
	merged   string      // into which
	states   []held      // of its service levels, before its last position
	before   []situation // its own, of those that were merged into it
	read     func(id string) *reader
}

// merger is another incident that was merged into this.
type merger struct {
	position uint64
	from     *reader
}

// situation is what service levels look at.
type situation struct {
	at              time.Time
	position        uint64
	state, hold     string
	acked, restored bool
	expired         bool
	priority        int
	services        []string
	team            string
}

// like says whether the clocks see no difference.
func (s situation) like(o situation) bool {
	return s.state == o.state && s.hold == o.hold && s.acked == o.acked && s.restored == o.restored && s.expired == o.expired
}

// nextAt is when the n-th situation ended: one that was found out later may be dated back.
func nextAt(points []situation, n int) time.Time {
	at := points[n+1].at
	for _, p := range points[n+1:] {
		if p.at.Before(at) {
			at = p.at
		}
	}
	return at
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
		r.now.state, r.now.opened, r.shown, r.opened = "new", at, at, at
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
		switch {
		case text == "all alerts are clear":
			r.restored, r.expired = &at, false
		case strings.HasPrefix(text, "all alerts are clear since "):
			since := parsed(strings.TrimPrefix(text, "all alerts are clear since "))
			r.restored, r.expired, r.pointAt = &since, false, since
		case strings.HasPrefix(text, "no alert is active any more"):
			_, last, _ := strings.Cut(text, "last seen on ")
			r.expired, r.pointAt = true, parsed(last)
			r.lastSeen = r.pointAt
		}
	case "merge":
		r.taken = true
		from := r.read(text[:len("INC00000000")])
		r.mergers = append(r.mergers, merger{e.Position, from})
		if _, since, ok := strings.Cut(text, "; it was there since "); ok {
			since, _, _ = strings.Cut(since, ";")
			r.shown = parsed(since)
			r.now.opened = r.shown
			if r.reopened == 0 {
				r.opened = r.shown
			}
		}
		if strings.Contains(text, "; acknowledged by ") {
			r.now.acked, r.work = true, from.work
			if r.now.state == "new" {
				r.now.state = "in_progress"
			}
		}
		if from.beginning().Before(r.beginning()) && r.reopened > 0 {
			r.began = from.beginning()
		}
	case "alert":
		r.taken = true
		if text == "an alert is active again" {
			r.restored, r.expired = nil, false
		}
	case "recurrence":
		r.fact("incidents_recurring_total", at, 1)
		r.opening().flag = true
	case "state":
		r.state(e)
	}
}

// beginning is when this occurrence began.
func (r *reader) beginning() time.Time {
	if !r.began.IsZero() {
		return r.began
	}
	return r.onset
}

// opening is the fact that it opened.
func (r *reader) opening() *fact {
	for _, l := range [][]fact{r.out, r.pending} {
		for n := range l {
			if l[n].name == "incidents_opened_total" {
				return &l[n]
			}
		}
	}
	return &fact{}
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
		if byHand {
			r.expired = false
		}
		if byHand && r.restored == nil && (r.doc.Alerts == 0 || r.doc.OpenedBy != systemActor && !r.taken) {
			r.restored = &at
		}
		if r.restored != nil && (byHand || strings.Contains(text, "all alerts stayed clear")) {
			r.clock("incident_recovery_seconds", r.beginning(), *r.restored, at)
			r.clock("incident_response_seconds", r.shown, *r.restored, at)
			if r.work != nil && !r.work.After(*r.restored) {
				r.clock("incident_repair_seconds", *r.work, *r.restored, at)
			}
		}
		if r.expired {
			r.fact("incidents_expired_total", at, 1)
		} else {
			r.clock("incident_resolution_seconds", r.shown, at, at)
			r.pending[len(r.pending)-1].flag = byHand
		}
		if byHand && r.handoffs == 0 && r.reopened == 0 && r.doc.RespondedBy == e.Actor && at.Sub(*r.doc.RespondedAt) <= time.Hour {
			r.fact("incidents_first_contact_resolved_total", at, 1)
		}
		r.now.state, r.hold, r.resolved = "resolved", "", at
	case strings.HasPrefix(text, "reopened"):
		name := "incidents_reopened_total"
		if at.Sub(r.resolved) > 7*24*time.Hour {
			name = "incidents_reopened_late_total"
		}
		r.fact(name, at, 1)
		for n := range r.out {
			if f := &r.out[n]; f.name == "incident_resolution_seconds" && f.at.Equal(r.resolved) && name == "incidents_reopened_total" {
				f.back = true
			}
		}
		r.now.state, r.restored, r.work, r.expired = "in_progress", nil, nil, false
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
		for n := range r.outages {
			r.outages[n].none = true
		}
	case strings.HasPrefix(text, "merged into "):
		r.now.state, r.hold = "canceled", ""
		r.fact("incidents_merged_total", at, 1)
		r.opening().back = true
		r.merged = strings.TrimPrefix(text, "merged into ")[:len("INC00000000")]
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
	pointAt := at
	if !r.pointAt.IsZero() && r.now.live {
		pointAt = r.pointAt
		n := len(r.points) - 1 // it cannot be before the situation that it ends
		for n > 0 && r.points[n].like(r.points[n-1]) {
			n--
		}
		if n >= 0 && pointAt.Before(r.points[n].at) {
			pointAt = r.points[n].at
		}
	}
	r.pointAt = time.Time{}
	r.points = append(r.points, situation{at: pointAt, position: position, state: r.now.state, hold: r.hold, acked: r.now.acked, restored: r.restored != nil, expired: r.expired, priority: r.now.priority, services: snap.services, team: r.now.team})
	first := len(r.points) == 1 || r.reopened > 0 && r.shown.Equal(at)
	for _, s := range r.rules.Services {
		switch {
		case !r.now.live || r.now.priority > s.OutagePriority:
			delete(r.grave, s.Name)
		case r.grave[s.Name].IsZero() && first:
			r.grave[s.Name], r.graveOn[s.Name] = r.beginning(), true
		case r.grave[s.Name].IsZero():
			r.grave[s.Name], r.graveOn[s.Name] = at, false
		case r.graveOn[s.Name]:
			r.grave[s.Name] = r.beginning()
		}
		n := slices.IndexFunc(r.outages, func(o outage) bool { return o.service == s.Name && o.ends == 0 })
		is := !r.grave[s.Name].IsZero() && (n >= 0 || slices.Contains(r.now.services, s.Name))
		switch {
		case is && n < 0:
			r.outages = append(r.outages, outage{service: s.Name, from: r.grave[s.Name], begins: position, beginsAt: at, begin: snap})
		case is && r.grave[s.Name].Before(r.outages[n].from):
			r.outages[n].from = r.grave[s.Name]
		case !is && n >= 0:
			o := &r.outages[n]
			o.to, o.ends, o.endsAt, o.end = at, position, at, snap
			switch {
			case r.now.live:
			case r.restored != nil:
				o.to = *r.restored
			case r.expired:
				o.to = r.lastSeen
			}
			if o.to.Before(o.from) {
				o.to = o.from
			}
			if r.merged != "" {
				o.passed, o.to = true, o.from
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
	out := told{end: clock(math.MaxUint64), down: map[string][]stretch{}, problems: map[string]int{}}
	var outages []outage
	docs := map[string]itsm.Incident{}
	var ids []string
	for _, i := range all(t, func(at engine.Range) (engine.Page[itsm.Incident], error) {
		return r.Incidents(t.Context(), engine.IncidentFilter{}, at)
	}) {
		docs[i.ID] = i
		ids = append(ids, i.ID)
	}
	readers := map[string]*reader{}
	var read func(id string) *reader
	read = func(id string) *reader {
		if x := readers[id]; x != nil {
			return x
		}
		i := docs[id]
		lines := all(t, func(at engine.Range) (engine.Page[fold.TimelineRow], error) { return r.Timeline(t.Context(), i.ID, at) })
		x := &reader{id: id, rules: rules, doc: i, onset: i.Onset, read: read, grave: map[string]time.Time{}, graveOn: map[string]bool{}}
		readers[id] = x
		for _, e := range lines { // the first move of the onset tells what it was at the opening
			if _, before, ok := strings.Cut(e.Text, ", not on "); ok && e.Kind == "onset" {
				x.onset = parsed(before)
				break
			}
		}
		for n, e := range lines {
			x.line(e)
			if n == len(lines)-1 || lines[n+1].Position != e.Position {
				if i.RespondedAt != nil && i.RespondedAt.Equal(clock(e.Position)) && e.Kind != "merge" {
					x.clock("incident_first_response_seconds", x.opened, *i.RespondedAt, *i.RespondedAt)
				}
				x.settle(clock(e.Position), e.Position)
			}
		}
		if x.now.state != string(i.State) || x.now.priority != i.Priority || !slices.Equal(x.now.services, i.Services) || x.now.team != i.Team || !x.onset.Equal(i.Onset) {
			t.Errorf("%s: the timeline tells %+v, onset %v; the record says %s, %d, %v, %s, %v", i.ID, x.now, x.onset, i.State, i.Priority, i.Services, i.Team, i.Onset)
		}
		return x
	}
	for _, id := range ids {
		x := read(id)
		for n := range x.out {
			x.out[n].record = id
		}
		out.facts = append(out.facts, x.out...)
		results, used := x.levels(clock(math.MaxUint64))
		out.clocks = append(out.clocks, results...)
		for _, k := range docs[id].Clocks {
			if want, over := used[k.SLA]; over != (k.Active && k.Phase == itsm.Stopped) || over && ms(k.Elapsed) != want.Milliseconds() {
				t.Errorf("%s: the clock %s says %s after %v s; the timeline %v (stopped: %v)", id, k.SLA, k.Phase, k.Elapsed, want, over)
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
		if parts[n].none {
			continue
		}
		turns = append(turns, turn{parts[n].begins, true, &parts[n]})
		if parts[n].ends > 0 {
			turns = append(turns, turn{parts[n].ends, false, &parts[n]})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int {
		later := func(x turn) int { // whoever takes an outage over begins before the other ends
			if !x.begins && x.part.passed {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(later(a), later(b)))
	})
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
		o.facts = append(o.facts, label(fact{name: "service_failures_total", value: 1, at: x.part.endsAt}, x.part.end))
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
	left     bool
	result   string
	known    bool // it applied once
	overrun  bool // the target was used up, as read last
}

// held is which level of a clock holds, and how all of them stand.
type held struct {
	levels []*level
	holds  *level
}

func (h held) copied() held {
	out := held{}
	for _, l := range h.levels {
		c := *l
		out.levels = append(out.levels, &c)
		if l == h.holds {
			out.holds = &c
		}
	}
	return out
}

// phase of a level's clock after some of the incident's situations.
func (l *level) phase(points []situation) (phase string, used time.Duration) {
	phase, l.overrun = "waiting", false
	for n, p := range points {
		if phase == "stopped" && l.rule.Clock == "response" && p.state == "in_progress" && !p.acked {
			used = 0 // it was reopened, and asks for an answer anew
		}
		over := p.state == "resolved" || p.state == "closed" || l.rule.Clock == "response" && p.acked || l.rule.Clock == "restoration" && p.restored
		switch {
		case p.expired:
			if phase == "running" || phase == "paused" {
				phase = "canceled"
			}
		case over && phase != "waiting":
			phase = "stopped"
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
			used += openTime(l.rule.Calendar, p.at, nextAt(points, n))
			l.overrun = l.overrun || used >= time.Duration(l.rule.Target)
		}
	}
	return phase, used
}

// levels replays an incident's service levels; it is the independent reading of
// docs/kpis.md, "Service levels". used is the business time of the clocks that have stopped.
func (r *reader) levels(end time.Time) (out []fact, used map[string]time.Duration) {
	used = map[string]time.Duration{}
	r.states = nil
	for _, clock := range []string{"response", "restoration", "resolution"} {
		var h held
		for _, x := range r.rules.SLAs {
			if x.Clock == clock {
				h.levels = append(h.levels, &level{rule: x})
			}
		}
		last := map[string]fact{}
		var before []situation // of incidents that were merged into this
		for n, p := range r.points {
			for _, m := range r.mergers {
				if m.position == p.position {
					before = h.takeOver(m.from, clock, before, r.points[0], end)
				}
			}
			seen := slices.Concat(before, r.points[:n+1])
			r.judge(&h, seen, n, end, last)
			if n == len(r.points)-2 {
				r.states = append(r.states, h.copied())
			}
		}
		for _, f := range last {
			if f.result != "withdrawn" {
				out = append(out, f)
			}
		}
		if h.holds != nil {
			if phase, d := h.holds.phase(slices.Concat(before, r.points)); phase == "stopped" {
				used[h.holds.rule.Name] = d
			}
		}
		r.before = before
	}
	return out, used
}

// takeOver lets the levels run since those of an incident that was there first.
func (h *held) takeOver(from *reader, clock string, before []situation, first situation, end time.Time) []situation {
	from.levels(end)
	theirs := from.points[:len(from.points)-1] // without the end as a part of this
	theirs = slices.Concat(from.before, theirs)
	begin := first.at
	if len(before) > 0 {
		begin = before[0].at
	}
	if len(theirs) == 0 || !theirs[0].at.Before(begin) {
		return before
	}
	n := slices.Index([]string{"response", "restoration", "resolution"}, clock)
	if n < len(from.states) {
		if l := from.states[n].holds; l != nil && l.result != "met" && l.result != "canceled" {
			for _, mine := range h.levels {
				if mine.rule.Name == l.rule.Name && !mine.breached {
					rule := mine.rule
					*mine = *l
					mine.rule = rule
					if mine.breached {
						h.holds = mine
					}
				}
			}
		}
	}
	var out []situation
	for _, p := range theirs {
		if p.at.Before(begin) {
			out = append(out, p)
		}
	}
	return append(out, before...)
}

// judge follows the levels of one clock at the n-th situation.
func (r *reader) judge(h *held, seen []situation, n int, end time.Time, last map[string]fact) {
	p := r.points[n]
	say := func(l *level, due time.Time, result string) {
		last[l.rule.Name] = fact{record: r.id, name: "sla_results_total", at: p.at, due: due, value: 1, priority: p.priority, services: p.services, team: p.team, sla: l.rule.Name, result: result}
	}
	due := func(l *level, at time.Time, used time.Duration) time.Time {
		return usedUp(l.rule.Calendar, at, time.Duration(l.rule.Target)-used)
	}
	was, stays := h.holds, false
	at := r.clockOf(p)
	if was != nil && was.breached && p.at.Before(at) { // it was over before that was known
		if was.phase(seen); !was.overrun {
			was.breached, was.result = false, ""
			delete(last, was.rule.Name)
		}
	}
	if was != nil {
		phase, _ := was.phase(seen)
		stays = was.breached || phase == "stopped"
	}
	if !stays {
		n := slices.IndexFunc(h.levels, func(l *level) bool {
			return (len(l.rule.Priorities) == 0 || slices.Contains(l.rule.Priorities, p.priority)) &&
				(len(l.rule.Services) == 0 || slices.ContainsFunc(p.services, func(s string) bool { return slices.Contains(l.rule.Services, s) }))
		})
		h.holds = nil
		if n >= 0 {
			h.holds = h.levels[n]
		}
		if was != nil && was != h.holds {
			if phase, used := was.phase(seen); was.result == "" && phase != "waiting" && !was.left {
				was.left, was.result = true, "canceled"
				say(was, due(was, at, used), "canceled")
			}
		}
	}
	holds := h.holds
	if holds == nil || holds.breached {
		return
	}
	fresh := !holds.known // what is over when a level first applies owes it nothing
	holds.known = true
	phase, used := holds.phase(seen)
	target := time.Duration(holds.rule.Target)
	switch {
	case used >= target:
		holds.breached, holds.result = true, "breached"
		say(holds, breachOf(holds, seen), "breached")
		return
	case phase == "stopped" && holds.result != "met":
		holds.result = "met"
		say(holds, due(holds, at, used), "met")
	case phase == "canceled" && holds.result != "canceled":
		holds.result = "canceled"
		if !fresh {
			say(holds, due(holds, at, used), "canceled")
		}
	case (phase == "running" || phase == "paused") && holds.result == "met":
		holds.result = "withdrawn"
		say(holds, at, "withdrawn")
	case (phase == "running" || phase == "paused") && holds.result == "canceled":
		holds.result = ""
	}
	if phase != "running" {
		return
	}
	until := end
	if n+1 < len(r.points) {
		until = r.clockOf(r.points[n+1])
	}
	if at := due(holds, p.at, used); !at.After(until) {
		holds.breached, holds.result = true, "breached"
		say(holds, at, "breached")
	}
}

// clockOf is when the situation was decided.
func (r *reader) clockOf(p situation) time.Time {
	for _, s := range r.history {
		if s.position == p.position {
			return s.at
		}
	}
	return p.at
}

// breachOf is when a level's time was used up in the past, as it is counted now.
func breachOf(l *level, points []situation) time.Time {
	for n := len(points) - 1; n > 0; n-- {
		if _, had := l.phase(points[:n]); had < time.Duration(l.rule.Target) {
			return usedUp(l.rule.Calendar, points[n-1].at, time.Duration(l.rule.Target)-had)
		}
	}
	return time.Time{}
}
