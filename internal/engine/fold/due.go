package fold

import (
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/paged"
	"github.com/watchbill/watchbill/itsm"
)

// kinds of deadlines, in the order in which equal times are worked off
const (
	dueIncident    = iota // close what stayed resolved, archive what stayed closed
	dueProblem            // close what did not come back
	dueClock              // a service level warns or is breached
	duePage               // quiet hours end, or nobody acknowledged
	dueMaintenance        // a window begins or ends
	dueStorm              // tell a receiver what the page limit held back
)

// schedule sets a row's deadline; zero cancels it.
func (s *State) schedule(kind int, key string, field *time.Time, at time.Time) {
	s.due.Schedule(field, paged.Deadline{At: at, Kind: kind, Key: key})
}

func (s *State) dueOf(d paged.Deadline) *time.Time {
	switch d.Kind {
	case dueIncident:
		if x := s.incidents.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueProblem:
		if x := s.problems.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueClock:
		if x := s.incidents.Get(d.Key); x != nil {
			return &x.ClockDue
		}
	case duePage:
		if x := s.incidents.Get(d.Key); x != nil {
			return &x.PageDue
		}
	case dueMaintenance:
		if x := s.windows.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueStorm:
		if st := s.storms.Get(d.Key); st != nil {
			return &st.Due
		}
	}
	return nil
}

// NextDeadline returns the next time at which something is due without an event.
func (s *State) NextDeadline() (time.Time, bool) {
	mine, ok := s.due.Next(s.dueOf)
	theirs, has := s.corr.NextDeadline()
	if !ok || has && theirs.Before(mine.At) {
		return theirs, has
	}
	return mine.At, true
}

// OnlyCalls says that nothing is due any more but to call people again, which goes on
// for as long as nobody acknowledges.
func (s *State) OnlyCalls() bool {
	untold := func(id string) bool { // of it there is something to come that nobody knows
		p := &s.incidents.Get(id).Page
		return p.Told == "" || len(p.Joined) > 0
	}
	calls := func(d paged.Deadline) bool {
		switch d.Kind {
		case duePage:
			return !untold(d.Key)
		case dueStorm:
			return !slices.ContainsFunc(s.storms.Get(d.Key).Held, untold)
		}
		return false
	}
	if d, ok := s.due.Next(s.dueOf); !ok || !calls(d) {
		return false
	}
	if _, ok := s.corr.NextDeadline(); ok {
		return false
	}
	return !s.due.Any(s.dueOf, func(d paged.Deadline) bool { return !calls(d) })
}

func (s *State) workOff() {
	for {
		d, ok := s.due.Take(s.now, s.dueOf)
		if !ok {
			return
		}
		switch d.Kind {
		case dueIncident:
			s.incidentDue(d.Key)
		case dueProblem:
			s.problemDue(d.Key)
		case dueClock:
			s.commit(d.Key, itsm.Change{})
		case duePage:
			s.pageDue(d.Key)
		case dueMaintenance:
			s.windowDue(d.Key)
		case dueStorm:
			s.stormDue(d.Key)
		}
	}
}

// incidentDue closes what stayed resolved, and archives what stayed closed.
func (s *State) incidentDue(id string) {
	x := s.incidents.Get(id)
	if x.Doc.Live() {
		s.incidents.Touch(id) // its deadline is gone
		return
	}
	if x.Doc.State == itsm.Resolved {
		c := x.Doc.AutoClose(s.now)
		s.commit(id, c)
		for _, d := range s.corr.Closed(id, s.now) {
			s.decide(d)
		}
		return
	}
	s.incidents.Delete(id)
}

// reload fills the heap from the rows, after a snapshot was read.
func (s *State) reload() {
	push := func(kind int, key string, at time.Time) {
		s.due.Restore(paged.Deadline{At: at, Kind: kind, Key: key})
	}
	for _, k := range s.incidents.Keys() {
		x := s.incidents.Get(k)
		push(dueIncident, k, x.Due)
		push(dueClock, k, x.ClockDue)
		if x.Page.Held == heldStorm { // the summary that an earlier version promised
			s.schedule(duePage, k, &x.PageDue, s.count.Last)
			s.incidents.Touch(k)
		}
		push(duePage, k, x.PageDue)
	}
	for _, k := range s.services.Keys() {
		row := s.services.Get(k)
		for _, id := range row.Down { // as an earlier version kept it
			row.Parts = append(row.Parts, itsm.Downtime{Incident: id, From: row.Since})
		}
		row.Down, row.Since = nil, time.Time{}
	}
	for _, k := range s.storms.Keys() {
		push(dueStorm, k, s.storms.Get(k).Due)
	}
	for _, k := range s.windows.Keys() {
		push(dueMaintenance, k, s.windows.Get(k).Due)
	}
	for _, k := range s.problems.Keys() {
		push(dueProblem, k, s.problems.Get(k).Due)
	}
}
