package itsm

import (
	"fmt"
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Notify says when people are told. No field with a default is left out of the
// JSON: rules are journaled and read over the defaults again. How people are told is
// the receivers' matter, and no part of the decisions.
type Notify struct {
	// Enabled is set where receivers are configured; without it no message is made.
	Enabled bool `json:"enabled"`
	// Priorities are those that people are told of.
	Priorities []int `json:"priorities"`
	// Escalation takes DefaultEscalation where it is absent; an empty list is none.
	Escalation []Escalation `json:"escalation"`
	Quiet      *Quiet       `json:"quiet,omitempty"`
	// Limit is the most pages to one receiver within Window; what exceeds it is told in
	// one summary.
	Limit  int      `json:"limit"`
	Window Duration `json:"window"`
	// Routes say which receiver a message goes to. They come from the receivers file;
	// without them all receivers share one limit.
	Routes *Route `json:"routes,omitempty"`
}

// Escalation tells again, one level higher, until a person acknowledges.
type Escalation struct {
	Priorities []int      `json:"priorities,omitempty"` // empty: all
	After      []Duration `json:"after"`                // since the page before, one per level
	// Repeat tells the last level again and again; 0 does not.
	Repeat Duration `json:"repeat,omitempty"`
}

// Quiet holds the less grave back while its calendar is open.
type Quiet struct {
	Calendar string `json:"calendar"`
	// From is the gravest priority that is held back; 0 means 3.
	From int `json:"from,omitempty"`
}

// DefaultNotify pages for priorities 1 to 3, and sums up what exceeds 20 pages to a
// receiver in 10 minutes.
func DefaultNotify() Notify {
	return Notify{
		Priorities: []int{1, 2, 3},
		Limit:      20, Window: Duration(10 * time.Minute),
	}
}

// DefaultEscalation keeps calling for priority 1, and calls twice more for 2. It is
// no part of DefaultNotify: JSON decoded over a list leaves remains of its elements.
func DefaultEscalation() []Escalation {
	return []Escalation{
		{Priorities: []int{1}, After: []Duration{Duration(5 * time.Minute), Duration(10 * time.Minute)}, Repeat: Duration(15 * time.Minute)},
		{Priorities: []int{2}, After: []Duration{Duration(15 * time.Minute), Duration(30 * time.Minute)}},
	}
}

func (n Notify) check(calendars map[string]CalendarRule) fault.List {
	var l fault.List
	bad := func(field, format string, args ...any) {
		l = append(l, fault.Invalidf("notify."+field, format, args...))
	}
	prios := func(at string, ps []int) {
		for i, p := range ps {
			if p < 1 || p > 5 {
				bad(fmt.Sprintf("%s[%d]", at, i), "want 1 to 5, got %d", p)
			}
		}
	}
	prios("priorities", n.Priorities)
	for i, e := range n.Escalation {
		at := fmt.Sprintf("escalation[%d].", i)
		prios(at+"priorities", e.Priorities)
		if len(e.After) == 0 {
			bad(at+"after", "is empty: say after how long without acknowledgement each level is told")
		}
		for k, d := range e.After {
			if time.Duration(d) < time.Minute {
				bad(fmt.Sprintf("%safter[%d]", at, k), "want at least 1m, got %s", time.Duration(d))
			}
		}
		if e.Repeat != 0 && time.Duration(e.Repeat) < time.Minute {
			bad(at+"repeat", "want at least 1m, got %s", time.Duration(e.Repeat))
		}
	}
	if q := n.Quiet; q != nil {
		if c, ok := calendars[q.Calendar]; !ok {
			bad("quiet.calendar", "there is no calendar %q", q.Calendar)
		} else if len(c.Open) == 0 {
			bad("quiet.calendar", "the calendar %q never closes: nobody would ever be told", q.Calendar)
		}
		if q.From < 0 || q.From > 5 {
			bad("quiet.from", "want 1 to 5, got %d", q.From)
		}
	}
	if n.Limit < 0 {
		bad("limit", "must not be negative; 0 is no limit")
	}
	if n.Limit > 0 && time.Duration(n.Window) < time.Minute {
		bad("window", "want at least 1m, got %s", time.Duration(n.Window))
	}
	return l
}

// Tells says whether people are told of incidents of a priority.
func (d *Desk) Tells(priority int) bool {
	return d.Rules.Notify.Enabled && slices.Contains(d.Rules.Notify.Priorities, priority)
}

// QuietUntil says until when an incident of priority is held back at now.
func (d *Desk) QuietUntil(priority int, now time.Time) (time.Time, bool) {
	q := d.Rules.Notify.Quiet
	if q == nil {
		return time.Time{}, false
	}
	from := q.From
	if from == 0 {
		from = 3
	}
	if priority < from {
		return time.Time{}, false
	}
	return d.Calendars[q.Calendar].Ends(now)
}

// Next says after how long without acknowledgement the next level is told, when
// level pages were told already; false: none.
func (d *Desk) Next(priority, level int) (time.Duration, bool) {
	steps := d.Rules.Notify.Escalation
	if steps == nil {
		steps = DefaultEscalation()
	}
	for _, e := range steps {
		if len(e.Priorities) > 0 && !slices.Contains(e.Priorities, priority) {
			continue
		}
		if level < len(e.After) {
			return time.Duration(e.After[level]), true
		}
		return time.Duration(e.Repeat), e.Repeat > 0
	}
	return 0, false
}
