package correlator

import "fmt"

// Stray says what of the alerts in memory is not as it must be between two steps:
// where is the incident that each record was last written with. Empty: nothing.
func (s *State) Stray(where map[string]string) string {
	for _, id := range s.alerts.Keys() {
		c := s.alerts.Get(id)
		for _, k := range c.Episodes {
			ep := s.episodes.Get(k)
			if ep == nil || ep.Canonical != id {
				continue
			}
			if is, was := alertOf(ep, c).Incident, where[ep.ID]; is != was {
				return fmt.Sprintf("%s is in %q, its record says %q", ep.ID, is, was)
			}
			if g := s.groups.Get(c.Group); ep.View && g != nil && !g.Held && g.sole() == "" {
				return fmt.Sprintf("%s is a view although %s has company", ep.ID, g.ID)
			}
		}
		if g := s.groups.Get(c.Group); g != nil && !g.Held && c.Active && g.live() && g.sole() != "" && s.shown(c, nil) == nil && g.ViewDue.IsZero() {
			return fmt.Sprintf("%s fires in %s and no view of it is ever shown", id, g.ID)
		}
	}
	return ""
}

// Incidents lists those that take alerts, and AlertsOf the episodes of one.
func (s *State) Incidents() []string {
	var out []string
	for _, id := range s.groups.Keys() {
		if g := s.groups.Get(id); !g.Held && g.live() && g.Beat == "" {
			out = append(out, id)
		}
	}
	return out
}

// AlertsOf lists the episodes of an incident.
func (s *State) AlertsOf(incident string) []string {
	var out []string
	for _, m := range s.groups.Get(incident).Members {
		if c := s.alerts.Get(m); c != nil {
			for _, k := range c.Episodes {
				if ep := s.episodes.Get(k); ep != nil {
					out = append(out, ep.ID)
				}
			}
		}
	}
	return out
}
