package correlator

import (
	"fmt"
	"time"
)

// What comes back: within moments it never was over; within the reopen window after
// its incident was resolved it reopens that; later, and where the incident is closed,
// it is an occurrence of its own, weighed like an alert that was never heard before.

const (
	// groupInterval is Alertmanager's default: an end and a return reach us up to so
	// much later than they were.
	groupInterval = 5 * time.Minute
	// lostReturn is how long an alert must not have been heard of before another
	// beginning says that its resolve was lost: a second replica may begin it late.
	lostReturn = 60 * time.Minute
)

// flap is how soon an alert must be back to have been there all along: an incident
// whose alerts are all clear for the hold-down is over, so is an alert of one.
func (s *State) flap() time.Duration { return time.Duration(s.cfg.HoldDown) + groupInterval }

// goesOn says whether an episode belongs to the alert that was known before under
// its labels. Where it does not, it is judged like a new one.
func (s *State) goesOn(c *canonical, ep *episode) bool {
	if !c.Lost && ep.StartsAt.Sub(s.heardOf(c)) > lostReturn {
		c.Lost = true
		s.alerts.Touch(c.ID)
	}
	if c.Lost || c.Active {
		return !c.Lost
	}
	g := s.groups.Get(c.Group)
	switch {
	case g == nil || g.Closed:
		return false
	case g.live():
		return s.now.Sub(c.Ended) <= s.flap()
	default:
		return s.now.Sub(g.ResolvedAt) <= time.Duration(s.cfg.ReopenWindow)
	}
}

// heardOf is when anything of an alert was last heard: a mention or its end. That
// one replica's resolve was lost must not keep the alert alive for the other.
func (s *State) heardOf(c *canonical) time.Time {
	at := c.First
	for _, k := range c.Episodes {
		if ep := s.episodes.Get(k); ep != nil {
			if ep.ended() && ep.Ended.After(at) {
				at = ep.Ended
			}
			if ep.Last.After(at) && ep.Status != AlertSuperseded {
				at = ep.Last
			}
		}
	}
	return at
}

// twinText says what an episode is beside another of the same alert that fires: as
// another replica shows it, or told with another beginning.
func (s *State) twinText(c *canonical, ep *episode) string {
	for _, k := range c.Episodes {
		if o := s.episodes.Get(k); o != nil && o != ep && o.Labels.Equal(ep.Labels) {
			return "another beginning of an alert"
		}
	}
	return "another replica's view of an alert"
}

// weighAnew judges what still fires of an incident that is closed as if it had come
// just now: a person's word ends a record, not what is wrong.
func (s *State) weighAnew(g *group, why string) {
	var again []*canonical
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && c.Active {
			again = append(again, c)
		}
	}
	s.leave(g, again...)
	for _, c := range again {
		c.Group, c.Evidence, c.HoldWhy, c.AttachedAt = "", nil, "", time.Time{}
		c.First, c.Onset = s.now, s.now // its hold begins now, and so do the clocks of what it opens
		s.alerts.Touch(c.ID)
		var last *episode
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && !ep.ended() {
				ep.FinalFate, ep.FinalWhy, ep.Shown = FateHeld, why, true
				s.episodes.Touch(k)
				last = ep
			}
		}
		if last == nil {
			continue
		}
		fate, text := last.Fate, last.Why
		s.dispose(c, last, true)
		last.Fate, last.Why = fate, text // what was decided at receipt stays
		if x := s.groups.Get(c.Group); x != nil && !x.Held {
			s.releaseRecords(c, why)
		}
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && !ep.ended() {
				s.record(ep, "", false)
			}
		}
	}
}

// stillFiring says what becomes of alerts that fire in an incident that is closed.
func (s *State) stillFiring(n int, until time.Time) string {
	return fmt.Sprintf("%d of its alerts still fire: what does until %s is judged anew and opens another incident", n, until.UTC().Format(time.RFC3339))
}
