package correlator

import (
	"fmt"
	"time"
)

// maintained says which planned window covers the alert's item or what it runs on.
func (s *State) maintained(c *canonical) string {
	if c.Binding == nil || s.windows.Len() == 0 {
		return ""
	}
	near := map[string]bool{c.Binding.CI: true}
	front := []string{c.Binding.CI}
	for range s.cfg.Hops {
		var next []string
		for _, f := range front {
			for _, e := range s.g.needs[f] {
				if (e.Type == "runs_on" || e.Type == "exposes" || e.Type == "member_of") && !near[e.To] {
					near[e.To] = true
					next = append(next, e.To)
				}
			}
		}
		front = next
	}
	for _, k := range s.windows.Keys() {
		w := s.windows.Get(k)
		if s.now.Before(w.StartsAt) || !s.now.Before(w.EndsAt) {
			continue
		}
		for _, ci := range w.CIs {
			if near[ci] {
				return fmt.Sprintf("maintenance of %s until %s: %s", s.g.name(ci), w.EndsAt.UTC().Format(time.RFC3339), w.Summary)
			}
		}
	}
	return ""
}
