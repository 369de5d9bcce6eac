package correlator

import (
	"fmt"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// One alert that comes and goes by itself all day is one thing to look at: within a
// bounded time its occurrences share a record, where the alert is found to be alone
// each time. What it is a part of when it has company is another incident.

// record is the incident that an alert is in, or was in when it last came.
func (c *canonical) record() string {
	if c.Group == "" || strings.HasPrefix(c.Group, heldPrefix) {
		return c.Before
	}
	return c.Group
}

// sharedUntil is when a resolved incident of one alert takes no further occurrence of
// it; zero where it takes none.
func (s *State) sharedUntil(g *group) time.Time {
	if g.Held || g.Closed || g.Flood || g.Beat != "" || g.sole() == "" || s.cfg.SameRecordWithin <= 0 || len(g.Members) >= s.cfg.MaxGroup {
		return time.Time{}
	}
	within := time.Duration(s.cfg.SameRecordWithin)
	until := g.Onset.Add(within)
	if pause := g.ResolvedAt.Add(within / pauseShare); !g.live() && pause.Before(until) {
		return pause
	}
	return until
}

// pauseShare is the part of the time of a shared record that may pass between two of
// its occurrences: what comes once a night has a record of each night.
const pauseShare = 2

// sameRecord makes an alert that waited alone another occurrence in the record of its
// former one.
func (s *State) sameRecord(g *group, c *canonical) bool {
	r := s.groups.Get(c.Before)
	if r == nil || r == g || r.sole() != c.Identity || !s.sharedUntil(r).After(c.Onset) {
		return false
	}
	why := "another occurrence of the only alert of " + r.ID
	if r.live() { // the end of its former one was lost
		s.unclear(r)
	} else {
		why += fmt.Sprintf(", which resolved %s before", event.Span(c.Onset.Sub(r.ResolvedAt).Abs()))
		s.again(r, IncidentReturned{ID: r.ID, Why: why, Onset: c.Onset, Anew: true})
		s.countOccurrence(r)
	}
	c.Evidence = []Evidence{{"habit", why, attachOdds}}
	s.absorb(r, g, why)
	s.showOne(r, c)
	s.releaseRecords(c, why)
	return true
}

// countOccurrence counts an occurrence for the family of its incident as if it had a
// record of its own: the third opens a problem.
func (s *State) countOccurrence(g *group) {
	p := s.profiles.Get(g.ID)
	if p == nil || !p.Settled {
		return
	}
	first, root := s.profiles.Get(p.Family), p.Family
	if first == nil {
		first, root = p, g.ID
	}
	first.Count++
	s.profiles.Touch(root)
	if first.Problem == "" && first.Count >= s.cfg.ProblemAfter {
		first.Problem = s.seq("problem")
		g.Problem = first.Problem
		s.groups.Touch(g.ID)
		s.emit(ProblemOpened{first.Problem, first.Title, root, []string{g.ID},
			fmt.Sprintf("the same alert came by itself %d times since %s", first.Count, first.At.UTC().Format(time.DateOnly))})
	}
}
