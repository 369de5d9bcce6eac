package correlator

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// What a group believes about its cause, kept up to date with every alert that
// joins, and how well a further alert fits it. All is in natural logarithms of
// odds, so that signals add up and each can be told.

// suspicion is one item and how much better its failure explains the group's
// alerts than chance does.
type suspicion struct {
	CI   string  `json:"ci"`
	Gain float64 `json:"g"`
	at   int32   // the item's index in the graph
	rank float64 // of the last sort
}

// posterior is what a group's suspicions amount to, kept until it or the topology
// changes.
type posterior struct {
	epoch         uint64
	weights       []float64
	unknown, best float64
	valid         bool
}

const (
	unknownCause = 0.05
	stray        = 0.08
	// stray is how likely an alert of an incident is to come from an item that
	// nothing known connects with the cause: relations are missing and wrong.
	// unknownCause weighs that the cause is nothing the CMDB holds: CMDBs are worn, so it
	// is not small beside what little a single alert says about its suspects.
	// again is what a further alert of the same item counts: it is no new place.
	again = 0.4
)

var logStray = math.Log(stray)

// believe adds an alert to a group's suspicions.
func (s *State) believe(g *group, c *canonical, weight float64) {
	g.Evidence = quantise(g.Evidence + weight)
	g.belief.valid = false
	if c.Binding == nil {
		return
	}
	reaches := s.reachesOf(c)
	if len(reaches) == 0 {
		return
	}
	s.fill(reaches)
	for n := range g.Suspects {
		x := &g.Suspects[n]
		if gain := s.lookup(reaches, x.at); gain > 0 {
			x.Gain = quantise(x.Gain + weight*math.Log(1+(1-stray)/stray*gain))
			s.scratch[x.at] = -gain // taken
		}
	}
	for _, r := range reaches {
		if s.scratch[r.at] > 0 {
			g.Suspects = append(g.Suspects, suspicion{CI: s.g.ids[r.at], Gain: quantise(weight * r.shown), at: r.at})
		}
	}
	for _, r := range reaches {
		s.scratch[r.at] = math.Abs(s.scratch[r.at])
	}
	for n := range g.Suspects {
		x := &g.Suspects[n]
		x.rank = quantise(x.Gain + s.g.logPrior(x.at))
	}
	slices.SortFunc(g.Suspects, func(a, b suspicion) int {
		if a.rank != b.rank {
			return cmp.Compare(b.rank, a.rank)
		}
		return strings.Compare(a.CI, b.CI)
	})
	if most := min(64, 8+8*len(g.Members)); len(g.Suspects) > most {
		if len(g.Members) == 1 { // most stay alone: they keep no room to grow
			g.Suspects = slices.Clone(g.Suspects[:most])
		} else {
			clear(g.Suspects[most:])
			g.Suspects = g.Suspects[:most]
		}
	}
}

// lookup returns how much better than even the item at i explains an alert with
// these reaches: a table of the whole topology that is filled once per alert.
func (s *State) lookup(reaches []reach, i int32) float64 {
	if len(reaches) == 0 {
		return 0
	}
	s.fill(reaches)
	return s.scratch[i]
}

func (s *State) fill(reaches []reach) {
	if n := len(s.g.ids) - len(s.scratch); n > 0 {
		s.scratch = append(s.scratch, make([]float64, n)...)
	}
	if s.scratchOf == &reaches[0] {
		return
	}
	for _, r := range s.scratchSet {
		s.scratch[r.at] = 0
	}
	for _, r := range reaches {
		s.scratch[r.at] = r.better
	}
	s.scratchOf, s.scratchSet = &reaches[0], reaches
}

// posterior is the share of belief in each suspect, in their order, and in an
// unknown cause; best is the log weight of the strongest explanation.
func (s *State) posterior(g *group) (w []float64, unknown, best float64) {
	p := &g.belief
	if p.valid && p.epoch == s.g.epoch {
		return p.weights, p.unknown, p.best
	}
	w = slices.Grow(p.weights[:0], len(g.Suspects))[:len(g.Suspects)]
	best = math.Log(unknownCause)
	for i, x := range g.Suspects {
		w[i] = s.g.logPrior(x.at) + x.Gain + g.Evidence*logStray
		best = max(best, w[i])
	}
	unknown = math.Exp(math.Log(unknownCause) - best)
	sum := unknown
	for i := range w {
		w[i] = math.Exp(w[i] - best)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	*p = posterior{s.g.epoch, w, unknown / sum, best, true}
	return w, p.unknown, best
}

// pace is how many further alerts a minute a group is expected to bring now.
func (s *State) pace(g *group) float64 {
	d := s.now.Sub(g.PaceAt)
	rate := max(decayed(g.Fast, d, fastTau)/fastTau.Minutes(), 0.5*decayed(g.Slow, d, slowTau)/slowTau.Minutes())
	if g.sole() != "" {
		if c := s.alerts.Get(g.Members[len(g.Members)-1]); c != nil {
			rate *= soleBase + soleProm*s.promise(classOf(c)) // it may be alone
		}
	}
	return max(rate, 1e-4)
}

const (
	soleBase = 0.15
	soleProm = 1.2
	// A failure shows within minutes, by its slow rules within half an hour. Where fastTau is
	// three minutes or less, slow notification groups come too late to be expected; where it
	// is more, what comes alone joins what happens to be beside it.
	fastTau = 4 * time.Minute
	slowTau = 20 * time.Minute
)

// quicken notes that n alerts came to the group.
func (s *State) quicken(g *group, n float64) {
	d := s.now.Sub(g.PaceAt)
	if g.PaceAt.IsZero() {
		d = 0
	}
	g.Fast = quantise(decayed(g.Fast, d, fastTau) + n)
	g.Slow = quantise(decayed(g.Slow, d, slowTau) + n)
	g.PaceAt = s.now
}
