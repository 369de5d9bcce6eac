package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxNamed bounds the lists in an assessment: no document grows with its incident.
const maxNamed = 20

// assess computes what is held of an incident now.
func (s *State) assess(g *group) Assessment {
	a := Assessment{Severity: Info, SeenBefore: g.SeenBefore}
	var lead *canonical
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil {
				a.Alerts++
				if !ep.ended() {
					a.Active++
				}
			}
		}
		if c.Severity.Rank() < a.Severity.Rank() {
			a.Severity = c.Severity
		}
		if a.Onset.IsZero() || c.Onset.Before(a.Onset) {
			a.Onset = c.Onset
		}
		if c.Binding != nil {
			if len(a.CIs) < maxNamed {
				a.CIs = insert(a.CIs, c.Binding.CI, strings.Compare)
			}
			if c.Binding.Class == "service" && len(a.Services) < maxNamed {
				a.Services = insert(a.Services, c.Binding.Name, strings.Compare)
			}
		}
		if lead == nil || c.Severity.Rank() < lead.Severity.Rank() {
			lead = c
		}
	}
	a.Causes = s.causes(g)
	a.Changes = s.suspects(a.Causes, a.CIs, a.Onset)
	a.Impact, a.Urgency, a.Derived = s.weigh(a)
	a.Title = s.title(g, a, lead)
	return a
}

// title names the cause first, else the gravest alert.
func (s *State) title(g *group, a Assessment, lead *canonical) string {
	if lead == nil {
		return g.ID
	}
	name := lead.Labels.Get("alertname")
	if name == "" {
		name = "alert " + lead.ID
	}
	if len(a.Causes) > 0 {
		c := a.Causes[0]
		if lead.Binding == nil || lead.Binding.CI != c.CI {
			for _, m := range g.Members { // the cause's own alert says more than the gravest symptom
				if o := s.alerts.Get(m); o != nil && o.Binding != nil && o.Binding.CI == c.CI && o.Labels.Get("alertname") != "" {
					name = o.Labels.Get("alertname")
					break
				}
			}
		}
		t := fmt.Sprintf("%s on %s", name, c.Name)
		if n := len(a.CIs) - 1; n > 0 {
			t += fmt.Sprintf(" and %d more affected", n)
		}
		return t
	}
	if lead.Binding != nil {
		return fmt.Sprintf("%s on %s", name, lead.Binding.Name)
	}
	return name
}

// weigh derives impact from criticality and dependents, urgency from severity.
func (s *State) weigh(a Assessment) (impact, urgency int, derived string) {
	urgency = min(3, a.Severity.Rank()+1)
	impact, reason := 3, "nothing else is known to depend on it"
	for _, ci := range a.CIs {
		n, critical := s.g.dependents(ci, 3)
		name := s.g.name(ci)
		switch {
		case critical == "critical" || n >= 10:
			if impact > 1 {
				impact, reason = 1, fmt.Sprintf("%d items depend on %s", n, name)
				if critical == "critical" {
					reason = name + " carries a critical service"
				}
			}
		case critical == "high" || n >= 2:
			if impact > 2 {
				impact, reason = 2, fmt.Sprintf("%d items depend on %s", n, name)
				if critical == "high" {
					reason = name + " carries a service of high criticality"
				}
			}
		}
	}
	if impact == 3 && len(a.CIs) == 0 {
		impact, reason = 2, "what it affects is not known"
	}
	return impact, urgency, fmt.Sprintf("urgency %d from severity %s; impact %d because %s", urgency, a.Severity, impact, reason)
}

// causes ranks items by how much of the incident they explain: an item explains
// itself and what needs it, directly or not; an early alert of its own speaks for it.
func (s *State) causes(g *group) []Cause {
	type score struct {
		explained int
		own       time.Time
		depth     int
		path      string
	}
	scores := map[string]*score{}
	affected := map[string]*canonical{}
	var order []string
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && c.Binding != nil {
			if old := affected[c.Binding.CI]; old == nil || c.Onset.Before(old.Onset) {
				if old == nil {
					order = append(order, c.Binding.CI)
				}
				affected[c.Binding.CI] = c
			}
		}
	}
	for _, ci := range order {
		for dep, hop := range s.upstream(ci, 3) {
			x := scores[dep]
			if x == nil {
				x = &score{}
				scores[dep] = x
			}
			x.explained++
			if x.path == "" || hop.depth > x.depth {
				x.path, x.depth = hop.path, hop.depth
			}
		}
	}
	var out []Cause
	for ci, x := range scores {
		n := s.g.nodes.Get(ci)
		if n == nil {
			continue
		}
		own := affected[ci]
		v := float64(x.explained) / float64(len(order))
		path := fmt.Sprintf("explains %d of %d affected items", x.explained, len(order))
		if own != nil {
			v = v*0.6 + 0.4
			path = own.Labels.Get("alertname") + " there; " + path
		} else {
			v *= 0.5
			path = "no alert of its own; " + path
		}
		if x.path != "" && x.depth > 0 {
			path += " (" + x.path + ")"
		}
		out = append(out, Cause{CI: ci, Class: n.Class, Name: n.Name, Score: quantise(v), Path: path})
	}
	slices.SortFunc(out, func(a, b Cause) int {
		if a.Score != b.Score {
			if a.Score > b.Score {
				return -1
			}
			return 1
		}
		x, y := affected[a.CI], affected[b.CI]
		if x != nil && y != nil && !x.Onset.Equal(y.Onset) {
			return x.Onset.Compare(y.Onset)
		}
		return strings.Compare(a.CI, b.CI)
	})
	return out[:min(len(out), 5)]
}

type hop struct {
	depth int
	path  string
}

// upstream lists what an item needs, itself included, with the shortest way.
func (s *State) upstream(id string, hops int) map[string]hop {
	out := map[string]hop{id: {}}
	front := []string{id}
	for d := 1; d <= hops; d++ {
		var next []string
		for _, f := range front {
			for _, e := range s.g.needs[f] {
				if _, seen := out[e.To]; seen || !tight(e, s.g) || len(out) >= ballMax {
					continue
				}
				way := out[f].path
				if way == "" {
					way = s.g.name(f)
				}
				out[e.To] = hop{d, way + " " + e.Type + " " + s.g.name(e.To)}
				next = append(next, e.To)
			}
		}
		front = next
	}
	return out
}

// suspects lists recent changes on the causes and the affected items.
func (s *State) suspects(causes []Cause, cis []string, onset time.Time) []SuspectChange {
	if s.changes.Len() == 0 {
		return nil
	}
	on := map[string]bool{}
	for _, c := range causes {
		on[c.CI] = true
	}
	for _, c := range cis {
		on[c] = true
	}
	var out []SuspectChange
	for _, k := range s.changes.Keys() {
		c := s.changes.Get(k)
		if on[c.CI] && !c.At.After(onset.Add(5*time.Minute)) && onset.Sub(c.At) <= 2*time.Hour {
			out = append(out, c.SuspectChange)
		}
	}
	slices.SortStableFunc(out, func(a, b SuspectChange) int { return b.At.Compare(a.At) })
	return out[:min(len(out), 5)]
}
