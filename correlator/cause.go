package correlator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxNamed bounds the lists in an assessment: no document grows with its incident.
const maxNamed = 20

// assess computes what is held of an incident now.
func (s *State) assess(g *group) Assessment {
	a := Assessment{Severity: Info, SeenBefore: g.SeenBefore}
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		shown, active := s.countEpisodes(c)
		a.Alerts += shown
		a.Active += active
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
	}
	if !g.Flood {
		a.Causes, a.Verdict = s.causes(g)
	}
	a.Changes = s.suspects(a.Causes, a.CIs, a.Onset)
	a.Impact, a.Urgency, a.Derived = s.priority(&a)
	s.rule(g, &a)
	a.Title = s.title(g)
	return a
}

// causesTold is how many causes are told at most, and leastTold the probability below
// which one is not worth a line.
const (
	causesTold = 5
	leastTold  = 0.02
)

// causes ranks what may have failed and says in words what comes of it. It names
// nothing where it is likelier that none of the suspects is the cause.
func (s *State) causes(g *group) ([]Cause, Verdict) {
	v, list, none := s.investigate(g)
	s.keepRanked(g, list)
	verdict := s.verdict(g, v, list, none)
	if abstains(v, list, none) {
		return nil, verdict
	}
	var out []Cause
	for _, x := range list[:min(len(list), causesTold)] {
		if x.p >= leastTold || len(out) == 0 {
			out = append(out, Cause{CI: x.node.ID, Class: x.node.Class, Name: x.node.Name, Score: x.p, Path: s.path(g, v, x)})
		}
	}
	return out, verdict
}

// path says what speaks for a suspect.
func (s *State) path(g *group, v *scene, x *suspect) string {
	path := fmt.Sprintf("explains %d of %d affected items", x.items, len(v.order))
	if x.own != nil {
		path = strings.Join(x.own.classes[:min(len(x.own.classes), 3)], ", ") + " there; " + path
	} else {
		path = "no alert of its own; " + path
	}
	if c, ok := v.changed[x.node.ID]; ok {
		path = s.tell(c, g.Onset) + "; " + path
	}
	if x.far != "" {
		if way := s.g.way(x.far, x.node.ID, v.items[x.far].first.Complaint); way != "" {
			path += " (" + way + ")"
		}
	}
	return path
}

// keepRanked keeps what incidents are recognised by later: the items that explain
// this one best by the model of spread, told or not.
func (s *State) keepRanked(g *group, list []*suspect) {
	best := slices.Clone(list)
	slices.SortStableFunc(best, func(a, b *suspect) int { return cmp.Compare(b.log, a.log) })
	if len(best) == 0 || best[0].log < math.Log(unknownCause) {
		return
	}
	g.Ranked = g.Ranked[:0]
	for _, x := range best[:min(len(best), rankedKept)] {
		g.Ranked = append(g.Ranked, suspicion{CI: x.node.ID, Gain: quantise(math.Exp((x.log - best[0].log) / modelFade))})
	}
}

// rankedKept is how many of them are kept.
const rankedKept = 3
