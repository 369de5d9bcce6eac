package correlator

import "time"

// over is when an episode ended that is resolved now.
func (s *State) over(ep *episode, endsAt time.Time) time.Time {
	switch {
	case endsAt.IsZero() || endsAt.After(s.now):
		return s.now
	case endsAt.Before(ep.Last):
		return ep.Last
	}
	return endsAt.UTC().Truncate(time.Millisecond)
}

// lastOver is when the last of a group's alerts ended, as far as is known.
func (s *State) lastOver(g *group) time.Time {
	var at time.Time
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && ep.Over.After(at) {
				at = ep.Over
			}
		}
	}
	if at.IsZero() {
		return s.now
	}
	return at
}
