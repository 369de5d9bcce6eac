package correlator

import (
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// How an incident ends and comes back: its alerts clear, the hold-down passes, it is
// resolved, and within the reopen window it may return.

// revive reopens a resolved incident, because of what began at onset.
func (s *State) revive(g *group, why string, onset time.Time) {
	s.again(g, IncidentReturned{ID: g.ID, Why: why, Onset: onset})
}

// again makes a resolved incident live.
func (s *State) again(g *group, d IncidentReturned) {
	g.ResolvedAt, g.ClearedAt = time.Time{}, time.Time{}
	s.overAt(g, time.Time{})
	s.schedule(dueGroup, g.ID, &g.Due, time.Time{})
	s.relist(g)
	s.groups.Touch(g.ID)
	s.emit(d)
}

// alertEnded follows the end of a canonical alert.
func (s *State) alertEnded(c *canonical) {
	g := s.groups.Get(c.Group)
	if g == nil || !g.live() {
		return
	}
	if !g.Held {
		s.touchGroup(g.ID, "")
	}
	// Members are looked at from the last that was active: an incident of very many
	// must not be walked whole with each end.
	for ; g.scan < len(g.Members); g.scan++ {
		if o := s.alerts.Get(g.Members[g.scan]); o != nil && o.Active {
			return
		}
	}
	g.scan = 0
	recovered := true
	for n, m := range g.Members {
		if o := s.alerts.Get(m); o != nil {
			if o.Active {
				g.scan = n
				return
			}
			recovered = recovered && !o.Unrecovered
		}
	}
	if g.Held {
		s.letGo(g)
		return
	}
	s.clear(g, recovered)
}

// letGo ends a hold whose alerts are over: it was nothing.
func (s *State) letGo(g *group) {
	s.unlist(g)
	s.schedule(dueHold, g.ID, &g.HoldDue, time.Time{})
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		s.cameAlone(c)
		c.Group = ""
		s.alerts.Touch(m)
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && ep.Fate == FateHeld && ep.FinalFate == "" {
				ep.FinalFate, ep.FinalWhy = FateHeld, "cleared before its hold was over"
				s.episodes.Touch(k)
			}
		}
	}
	s.groups.Delete(g.ID)
}

// clear starts the hold-down of an incident without active alerts.
func (s *State) clear(g *group, recovered bool) {
	g.ClearedAt, g.Recovered = s.now, recovered
	s.schedule(dueGroup, g.ID, &g.Due, s.now.Add(time.Duration(s.cfg.HoldDown)))
	s.groups.Touch(g.ID)
	s.emit(IncidentCleared{g.ID, s.lastOver(g), recovered, s.recovery(g)})
}

func (s *State) unclear(g *group) {
	if g.Held || g.ClearedAt.IsZero() {
		return
	}
	g.ClearedAt = time.Time{}
	s.schedule(dueGroup, g.ID, &g.Due, time.Time{})
	s.groups.Touch(g.ID)
	s.emit(IncidentFiring{g.ID})
}

// groupDue ends a hold-down, or the reopen window after a resolution.
func (s *State) groupDue(id string) {
	g := s.groups.Get(id)
	s.groups.Touch(id)
	switch {
	case g.live() && !g.ClearedAt.IsZero():
		if len(g.Members) == 1 {
			if c := s.alerts.Get(g.Members[0]); c != nil {
				s.cameAlone(c)
			}
		}
		s.settle(g)
		s.emit(IncidentQuiet{id, g.Recovered})
	case !g.live() && !g.Closed && s.firing(g) > 0:
		// A person resolved it, and nothing would ever tell of these alerts again.
		s.revive(g, fmt.Sprintf("%d of its alerts still fire %s after it was resolved", s.firing(g), event.Span(s.now.Sub(g.ResolvedAt))), s.now)
	case !g.live():
		if n := s.firing(g); n > 0 {
			s.weighAnew(g, fmt.Sprintf("still firing %s after %s was closed", event.Span(s.now.Sub(g.ClosedAt)), id))
		}
		if until := s.sharedUntil(g); until.After(s.now) {
			s.schedule(dueGroup, id, &g.Due, until)
			return
		}
		s.dropGroup(g)
	}
}

// firing counts the alerts of a group that are active.
func (s *State) firing(g *group) int {
	n := 0
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && c.Active {
			n++
		}
	}
	return n
}

// dropGroup forgets an incident that can no longer change.
func (s *State) dropGroup(g *group) {
	s.unlist(g)
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		s.unregister(c)
		s.alerts.Delete(m)
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && ep.ended() && ep.Due.IsZero() {
				s.episodes.Delete(k)
			}
		}
	}
	s.groups.Delete(g.ID)
}

// Resolved tells that the incident was resolved, by the hold-down or by a person.
// Within the reopen window a returning alert reopens it.
func (s *State) Resolved(id string, now time.Time) {
	g := s.groups.Get(id)
	if g == nil || !g.live() {
		return
	}
	s.unlist(g)
	s.overAt(g, now)
	g.ResolvedAt = now
	g.ClearedAt = time.Time{}
	s.schedule(dueGroup, id, &g.Due, now.Add(time.Duration(s.cfg.ReopenWindow)))
	s.groups.Touch(id)
}

// Reopened tells that a person reopened the incident.
func (s *State) Reopened(id string, now time.Time) {
	g := s.groups.Get(id)
	if g == nil || g.live() {
		return
	}
	g.ResolvedAt, g.Closed = time.Time{}, false
	s.overAt(g, time.Time{})
	s.schedule(dueGroup, id, &g.Due, time.Time{})
	if g.Beat == "" {
		s.relist(g)
	}
	s.groups.Touch(id)
}

// Closed tells that the incident was closed or canceled: it takes no more alerts, and
// gives back those that still fire when the reopen window is over.
func (s *State) Closed(id string, now time.Time) []Decision {
	s.now, s.out = now, nil
	if g := s.groups.Get(id); g != nil && !g.Closed {
		s.closeGroup(g)
		if n := s.firing(g); n > 0 {
			s.emit(IncidentChanged{id, g.Last, s.stillFiring(n, g.Due)})
		}
	}
	out := s.out
	s.out = nil
	return out
}

func (s *State) closeGroup(g *group) {
	s.unlist(g)
	g.Closed, g.ClosedAt = true, s.now
	s.schedule(dueGroup, g.ID, &g.Due, s.now.Add(time.Duration(s.cfg.ReopenWindow)))
	s.groups.Touch(g.ID)
}
