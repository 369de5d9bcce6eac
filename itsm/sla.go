package itsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// SLA is one service level: a clock over a calendar, for the incidents it matches.
// Of all levels with the same Clock, the first that matches an incident holds.
type SLA struct {
	Name   string   `json:"name"`
	Clock  string   `json:"clock"`  // response, restoration or resolution
	Target Duration `json:"target"` // of business time
	// What it applies to; an empty list matches all.
	Priorities []int    `json:"priorities,omitempty"`
	Services   []string `json:"services,omitempty"`
	Teams      []string `json:"teams,omitempty"`
	Calendar   string   `json:"calendar,omitempty"` // "" is around the clock
	// Conditions are lists of terms, of which one must hold: a state (new,
	// in_progress, on_hold, resolved, closed, canceled), on_hold/REASON,
	// acknowledged, restored. An empty list takes the clock's default.
	Start  []string `json:"start,omitempty"`
	Pause  []string `json:"pause,omitempty"` // "never": no pauses at all
	Stop   []string `json:"stop,omitempty"`
	Cancel []string `json:"cancel,omitempty"`
	// Warn lists the shares of the target, in percent, at which a warning is due.
	Warn []int `json:"warn,omitempty"`
}

// The clocks of service levels.
const (
	ClockResponse    = "response"
	ClockRestoration = "restoration"
	ClockResolution  = "resolution"
)

// Point is an incident's situation from At on: what a service level's conditions
// look at. The list of an incident's points is the log that its clocks replay.
type Point struct {
	At           time.Time  `json:"at"`
	State        State      `json:"state"`
	Hold         HoldReason `json:"hold,omitempty"`
	Acknowledged bool       `json:"ack,omitempty"`
	Restored     bool       `json:"restored,omitempty"`
	Expired      bool       `json:"expired,omitempty"` // its alerts are heard of no more
}

// PointOf is an incident's situation, which was found out now. That it was restored, or
// that its alerts were seen last, may have been before.
func PointOf(i *Incident, last Point, now time.Time) Point {
	p := Point{At: now, State: i.State, Hold: i.HoldReason, Acknowledged: i.AcknowledgedAt != nil, Restored: i.RestoredAt != nil, Expired: i.ExpiredAt != nil}
	switch {
	case p.Restored && !last.Restored && i.Live():
		p.At = later(last.At, *i.RestoredAt)
	case p.Expired && !last.Expired && i.Live():
		p.At = later(last.At, *i.ExpiredAt)
	}
	return p
}

// Same says whether the situation is the same, whenever it began.
func (p Point) Same(o Point) bool {
	p.At, o.At = time.Time{}, time.Time{}
	return p == o
}

func (p Point) is(term string) bool {
	switch term {
	case "acknowledged":
		return p.Acknowledged
	case "restored":
		return p.Restored
	}
	if state, reason, ok := strings.Cut(term, "/"); ok {
		return string(p.State) == state && string(p.Hold) == reason
	}
	return string(p.State) == term
}

func (p Point) any(terms []string) bool { return slices.ContainsFunc(terms, p.is) }

var (
	states      = []State{New, InProgress, OnHold, Resolved, Closed, Canceled}
	holdReasons = []HoldReason{HoldCaller, HoldProblem, HoldVendor, HoldChange}
)

func validTerm(term string) bool {
	if term == "acknowledged" || term == "restored" {
		return true
	}
	if state, reason, ok := strings.Cut(term, "/"); ok {
		return state == string(OnHold) && slices.Contains(holdReasons, HoldReason(reason))
	}
	return slices.Contains(states, State(term))
}

// situations lists every point that can be, for checking conditions against each other.
func situations() []Point {
	var out []Point
	for _, s := range states {
		holds := []HoldReason{""}
		if s == OnHold {
			holds = holdReasons
		}
		for _, h := range holds {
			for n := range 4 {
				out = append(out, Point{State: s, Hold: h, Acknowledged: n&1 != 0, Restored: n&2 != 0})
			}
		}
	}
	return out
}

// complete fills in the defaults of the clock.
func (a SLA) complete() SLA {
	or := func(l *[]string, terms ...string) {
		if len(*l) == 0 {
			*l = terms
		}
	}
	or(&a.Start, string(New), string(InProgress), string(OnHold))
	switch a.Clock {
	case ClockResponse:
		or(&a.Pause, "never")
		or(&a.Stop, "acknowledged", string(Resolved), string(Closed))
	case ClockRestoration:
		or(&a.Pause, "on_hold/caller", "on_hold/vendor")
		or(&a.Stop, "restored", string(Resolved), string(Closed))
	default:
		or(&a.Pause, "on_hold/caller", "on_hold/vendor")
		or(&a.Stop, string(Resolved), string(Closed))
	}
	or(&a.Cancel, string(Canceled))
	if len(a.Pause) == 1 && a.Pause[0] == "never" {
		a.Pause = nil
	}
	if a.Warn == nil {
		a.Warn = []int{50, 75}
	}
	return a
}

// check names what cannot work in a completed level; at is its path.
func (a SLA) check(at string, calendars map[string]CalendarRule) fault.List {
	var l fault.List
	bad := func(field, format string, args ...any) { l = append(l, fault.Invalidf(at+field, format, args...)) }
	if strings.TrimSpace(a.Name) == "" {
		bad("name", "is missing")
	}
	if !slices.Contains([]string{ClockResponse, ClockRestoration, ClockResolution}, a.Clock) {
		bad("clock", "want response, restoration or resolution, got %q", a.Clock)
	}
	if a.Target <= 0 {
		bad("target", "must be longer than 0s")
	}
	if _, ok := calendars[a.Calendar]; a.Calendar != "" && !ok {
		bad("calendar", "there is no calendar %q", a.Calendar)
	}
	for n, p := range a.Priorities {
		if p < 1 || p > 5 {
			bad(fmt.Sprintf("priorities[%d]", n), "want 1 to 5, got %d", p)
		}
	}
	for n, w := range a.Warn {
		if w < 1 || w > 99 {
			bad(fmt.Sprintf("warn[%d]", n), "want 1 to 99 percent, got %d", w)
		}
	}
	before := len(l)
	for _, c := range []struct {
		field string
		terms []string
	}{{"start", a.Start}, {"pause", a.Pause}, {"stop", a.Stop}, {"cancel", a.Cancel}} {
		for n, t := range c.terms {
			if !validTerm(t) {
				bad(fmt.Sprintf("%s[%d]", c.field, n), "want a state, on_hold/REASON, acknowledged or restored, got %q", t)
			}
		}
	}
	if len(l) > before {
		return l
	}
	l = append(l, a.exclusive(at)...)
	return l
}

// exclusive finds conditions that can never work together. A pause that no
// running clock can reach would cancel the clock instead of pausing it: that
// looks like compliance and is none.
func (a SLA) exclusive(at string) fault.List {
	var l fault.List
	reach := func(terms []string) bool {
		return slices.ContainsFunc(situations(), func(p Point) bool { return p.any(a.Start) && p.any(terms) && !p.any(a.Stop) && !p.any(a.Cancel) })
	}
	for n, t := range a.Pause {
		if !reach([]string{t}) {
			l = append(l, fault.Invalidf(fmt.Sprintf("%spause[%d]", at, n), "%q and the start condition (%s) exclude each other: the clock would be canceled, never paused; start must hold while it pauses", t, strings.Join(a.Start, ", ")))
		}
	}
	if !slices.ContainsFunc(situations(), func(p Point) bool { return p.any(a.Start) && !p.any(a.Pause) && !p.any(a.Stop) && !p.any(a.Cancel) }) {
		l = append(l, fault.Invalidf(at+"start", "never holds without pause, stop or cancel holding too: the clock would not run"))
	}
	return l
}

// Matches says whether the level applies to the incident as it is.
func (a *SLA) Matches(i *Incident) bool {
	if len(a.Priorities) > 0 && !slices.Contains(a.Priorities, i.Priority) {
		return false
	}
	if len(a.Teams) > 0 && !slices.Contains(a.Teams, i.Team) {
		return false
	}
	return len(a.Services) == 0 || slices.ContainsFunc(i.Services, func(s string) bool { return slices.Contains(a.Services, s) })
}

// Phase is where a clock stands.
type Phase string

const (
	Waiting Phase = "waiting" // its start condition has not held yet
	Running Phase = "running"
	Paused  Phase = "paused"
	Stopped Phase = "stopped"
	Ended   Phase = "canceled"
)

// Reading is what a replay of the log gives.
type Reading struct {
	Phase   Phase
	Start   time.Time
	Elapsed time.Duration // business time, without pauses
	// BreachAt is when Elapsed reached the target; zero: it has not.
	BreachAt time.Time
	Overrun  bool // it was reached, maybe before a clock that waits for an answer began anew
}

// Read replays an incident's log up to now. Business time is counted first and
// pauses are left out of it, so a pause over a weekend takes nothing twice. A
// clock that stopped and starts again, because the incident was reopened, goes on:
// it keeps its start, and the time between does not count. One that waits for an
// answer begins anew.
func (a *SLA) Read(points []Point, cal *Calendar, now time.Time) Reading {
	r := Reading{Phase: Waiting}
	target := time.Duration(a.Target)
	for n, p := range points {
		stopped := r.Phase == Stopped
		switch {
		case p.Expired:
			if r.Phase != Waiting && r.Phase != Stopped {
				r.Phase = Ended
			}
		case p.any(a.Stop):
			if r.Phase != Waiting { // else nothing was owed
				r.Phase = Stopped
			}
		case p.any(a.Cancel), !p.any(a.Start):
			if r.Phase != Waiting && r.Phase != Stopped {
				r.Phase = Ended
			}
		case p.any(a.Pause):
			if r.Phase == Waiting {
				r.Start = p.At
			}
			r.Phase = Paused
		default:
			if r.Phase == Waiting {
				r.Start = p.At
			}
			r.Phase = Running
		}
		if stopped && r.Phase == Running && a.Clock == ClockResponse {
			r.Start, r.Elapsed, r.BreachAt = p.At, 0, time.Time{} // what came back asks for an answer of its own
		}
		if r.Phase != Running {
			continue
		}
		until := now
		if n+1 < len(points) {
			until = earlier(points[n+1].At, now)
		}
		d := cal.Between(p.At, until)
		if r.BreachAt.IsZero() && r.Elapsed+d >= target {
			r.BreachAt, _ = cal.Add(p.At, target-r.Elapsed)
			r.Overrun = true
		}
		r.Elapsed += d
	}
	return r
}

// Clock is a service level on one incident, as the record shows it.
type Clock struct {
	SLA        string     `json:"sla"`
	Clock      string     `json:"clock"`
	Target     Duration   `json:"target"`
	Phase      Phase      `json:"phase"`
	Start      time.Time  `json:"start"`
	Elapsed    float64    `json:"elapsed_seconds"` // business time, as of the record's last change
	Due        *time.Time `json:"due,omitempty"`   // when it breaches if it keeps running
	BreachedAt *time.Time `json:"breached_at,omitempty"`
	Warned     int        `json:"warned,omitempty"` // the last share announced, in percent
	// Result is what was counted last: met, breached, canceled or withdrawn.
	Result string `json:"result,omitempty"`
	Active bool   `json:"active"` // false: another level took over, with its own clock
	// Held is when the level applied first.
	Held time.Time `json:"held,omitzero"`
	Left bool      `json:"left,omitempty"` // it was counted as canceled because another level took over
}

// Tick recomputes the incident's clocks from its log, counts what ended, tells
// what is due, and returns the next time at which that may change.
func (d *Desk) Tick(i *Incident, points []Point, corrected bool, now time.Time) (c Change, next time.Time) {
	clocks := slices.Clone(i.Clocks) // the record that was written before keeps its own
	// A clock that breached, or has stopped, was decided under the level that held
	// then: a later change of priority does not judge it anew.
	decided := map[string]string{}
	for _, k := range clocks {
		if a := d.sla(k.SLA); a != nil && k.Active && (k.BreachedAt != nil || a.Read(points, d.Calendars[a.Calendar], now).Phase == Stopped) {
			decided[k.Clock] = k.SLA
		}
	}
	taken := map[string]bool{}
	for n := range d.slas {
		a := &d.slas[n]
		at := slices.IndexFunc(clocks, func(k Clock) bool { return k.SLA == a.Name })
		holds := !taken[a.Clock] && a.Matches(i)
		if name := decided[a.Clock]; name != "" {
			holds = name == a.Name
		}
		if holds {
			taken[a.Clock] = true
		}
		if at < 0 {
			if !holds {
				continue
			}
			clocks = append(clocks, Clock{SLA: a.Name, Clock: a.Clock})
			at = len(clocks) - 1
		}
		k := &clocks[at]
		if !holds {
			d.leave(a, k, points, &c, now)
			continue
		}
		k.Active, k.Target = true, a.Target
		if k.Held.IsZero() {
			k.Held = now
		}
		due := d.read(a, k, points, corrected, &c, now)
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	i.Clocks = slices.DeleteFunc(clocks, func(k Clock) bool { return k.Phase == Waiting || k.Phase == "" })
	return c, next
}

// leave ends a clock whose level no longer matches: the one that took over
// measures from the same start.
func (d *Desk) leave(a *SLA, k *Clock, points []Point, c *Change, now time.Time) {
	if !k.Active {
		return
	}
	r := a.Read(points, d.Calendars[a.Calendar], now)
	// A priority that flips to and fro counts once, and one that is found with the record
	// not at all.
	if k.Result == "" && r.Phase != Waiting && !k.Left && now.After(k.Held) {
		d.end(a, k, CanceledClock, r, c, now)
		k.Left = true
	}
	k.Active, k.Due, k.Phase = false, nil, Ended
	c.say(now, "sla", System, "%s: no longer applies", a.Name)
}

func (d *Desk) sla(name string) *SLA {
	if n := slices.IndexFunc(d.slas, func(a SLA) bool { return a.Name == name }); n >= 0 {
		return &d.slas[n]
	}
	return nil
}

// end counts the result of a clock. Until says when it was due: the period that the
// clock belongs to, however and whenever it ended.
func (d *Desk) end(a *SLA, k *Clock, result string, r Reading, c *Change, now time.Time) {
	k.Result = result
	due := r.BreachAt
	if due.IsZero() {
		due = now
		if at, ok := d.Calendars[a.Calendar].Add(now, time.Duration(a.Target)-r.Elapsed); ok {
			due = at
		}
	}
	c.Measures = append(c.Measures, Measure{Name: MSLA, Value: 1, SLA: a.Name, Result: result, From: r.Start, Until: due})
}

func (d *Desk) read(a *SLA, k *Clock, points []Point, corrected bool, c *Change, now time.Time) (due time.Time) {
	cal := d.Calendars[a.Calendar]
	r := a.Read(points, cal, now)
	k.Phase, k.Start, k.Elapsed, k.Due = r.Phase, r.Start, r.Elapsed.Seconds(), nil
	target := time.Duration(a.Target)
	if !r.BreachAt.IsZero() && k.BreachedAt == nil {
		at := r.BreachAt
		k.BreachedAt, k.Warned = &at, 100
		d.end(a, k, Breached, r, c, now)
		late := ""
		if now.Sub(at) > time.Second {
			late = " on " + at.Format(time.RFC3339)
		}
		c.say(now, "sla", System, "%s: breached%s after %s of business time", a.Name, late, event.Span(target))
	}
	if corrected && k.BreachedAt != nil && !r.Overrun {
		c.say(now, "sla", System, "%s: was not breached: it was over before that was known", a.Name)
		k.BreachedAt, k.Result, k.Warned = nil, "", 0
	}
	if k.BreachedAt != nil {
		return time.Time{} // a breach is for ever: nothing that follows undoes or repeats it
	}
	switch r.Phase {
	case Stopped:
		if k.Result != Met {
			d.end(a, k, Met, r, c, now)
			c.say(now, "sla", System, "%s: met with %s of %s used", a.Name, event.Span(r.Elapsed), event.Span(target))
		}
	case Ended:
		if k.Result != CanceledClock && !now.After(k.Held) {
			k.Result = CanceledClock // it opened and was merged at once: it owed nothing
		} else if k.Result != CanceledClock {
			d.end(a, k, CanceledClock, r, c, now)
			why := ""
			if points[len(points)-1].Expired {
				why = ": expired"
			}
			c.say(now, "sla", System, "%s: canceled%s", a.Name, why)
		}
	case Running, Paused:
		switch k.Result {
		case Met:
			d.end(a, k, Withdrawn, r, c, now)
			c.say(now, "sla", System, "%s: goes on with %s of %s used", a.Name, event.Span(r.Elapsed), event.Span(target))
		case CanceledClock: // its start condition holds again: it goes on
			k.Result = ""
		}
	}
	if r.Phase != Running {
		return time.Time{}
	}
	return d.warn(a, k, r, c, now)
}

// warn tells the shares of the target that are used up, and when the next will be.
func (d *Desk) warn(a *SLA, k *Clock, r Reading, c *Change, now time.Time) time.Time {
	cal, target := d.Calendars[a.Calendar], time.Duration(a.Target)
	if at, ok := cal.Add(now, target-r.Elapsed); ok {
		k.Due = &at
	}
	next := target
	for _, w := range a.Warn {
		at := target * time.Duration(w) / 100
		if r.Elapsed >= at {
			if k.Warned < w {
				k.Warned = w
				left := target - r.Elapsed
				c.say(now, "sla", System, "%s: %d %% used, %s of business time left", a.Name, w, event.Span(left))
			}
		} else {
			next = min(next, at)
		}
	}
	due, ok := cal.Add(now, next-r.Elapsed)
	if !ok {
		return time.Time{}
	}
	return due
}
