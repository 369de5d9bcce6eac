package correlator

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// How likely each suspect is to be the cause, and how likely it is that none of them
// is. The weights are the coefficients of a conditional logistic regression over the
// recordings of several makers, each maker judged by what the others taught; what
// fits them is test/scenarios/causes. What comes out is a probability: of the causes
// told at 0.8, about four in five are right (docs/correlation.md has the table).

// features of the answer that it is none of the suspects
const (
	nAlways   = iota
	nWide     // how many items alert
	nUnplaced // share of alerts about no known item
	nPoor     // how badly the best suspect explains what is seen
	nGuesses  // all that alerts is named only for want of something nearer
	noneCount
)

// noCause describes what speaks for a cause that is no suspect.
func noCause(v *scene, list []*suspect) (f [noneCount]float64) {
	f[nAlways] = 1
	f[nWide] = math.Log(float64(max(1, len(v.order))))
	f[nUnplaced] = float64(v.unplaced) / float64(max(1, v.unplaced+v.alerts))
	if len(list) > 0 && v.evidence > 0 {
		f[nPoor] = -min(2, max(-2, list[0].log/v.evidence))
	}
	f[nGuesses] = 1
	for _, a := range v.items {
		if !a.guess {
			f[nGuesses] = 0
		}
	}
	return f
}

// weigh gives each suspect its probability, sorts them by it, and returns that of
// none of them.
func (s *State) weigh(v *scene, list []*suspect) (none float64) {
	if len(list) == 0 {
		return 1
	}
	s.describe(v, list)
	var n float64
	for k, f := range noCause(v, list) {
		n += noneWeights[k] * f
	}
	most := n
	score := make([]float64, len(list))
	for i, x := range list {
		for k, f := range x.x {
			score[i] += causeWeights[k] * f
		}
		most = max(most, score[i])
	}
	none = math.Exp(n - most)
	sum := none
	for i := range list {
		score[i] = math.Exp(score[i] - most)
		sum += score[i]
	}
	for i, x := range list {
		x.p = quantise(score[i] / sum)
	}
	holdBack(list)
	slices.SortStableFunc(list, func(a, b *suspect) int {
		return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.log, a.log), strings.Compare(a.node.ID, b.node.ID))
	})
	return quantise(none / sum)
}

// support is how many others a silent item must explain to come before one that alerts.
const support = 2

// rank orders suspects that are equally likely: what alerts itself, what does not, and
// last what is no more than a place.
func (x *suspect) rank() int {
	switch {
	case sortOf(x.node.Class) == sortPlace || x.own != nil && x.own.guess:
		return 2
	case x.own == nil:
		return 1
	}
	return 0
}

// holdBack lets nothing come before what alerts itself that is only a place which
// holds it, or that has no alert and explains next to nothing: what was asked about
// and is well is no cause for want of a better one.
func holdBack(list []*suspect) {
	best := -1.0
	for _, x := range list {
		if x.rank() == 0 {
			best = max(best, x.p)
		}
	}
	if best < 0 {
		return
	}
	for _, x := range list {
		if x.rank() == 2 || x.rank() == 1 && x.others < support {
			x.p = min(x.p, best)
		}
	}
}

// Suspect is one item as a ranking of causes looks at it: for those who fit or explain
// the weights.
type Suspect struct {
	CI          string
	Class, Name string
	Features    []float64 // as FeatureNames
	Probability float64
	Parts       []string // ids of items that stand for the same thing: what it makes up or shows
}

// FeatureNames are what is counted of a suspect, NoneNames of the answer that it is
// none of them.
var (
	FeatureNames = []string{"model", "explained", "strength", "coverage", "up", "up early", "dependents", "complaining", "changed", "own", "own kinds", "own share", "own gravest", "own first", "own late", "own order", "own wide", "guess", "only", "serves",
		"machine", "network", "data", "place", "outside", "silent machine", "silent network", "silent app", "silent data", "silent place", "silent outside", "silent lone", "silent feeds", "silent strength", "silent dependents", "silent complaining", "silent wide", "silent part"}
	NoneNames = []string{"always", "wide", "unplaced", "poor", "guesses"}
)

// Suspects describes what may be the cause of an incident as it is now, and the
// answer that it is none of these.
func (s *State) Suspects(incident string) (list []Suspect, none []float64, noneOf float64) {
	g := s.groups.Get(incident)
	if g == nil || g.Held {
		return nil, nil, 0
	}
	v, found, p := s.investigate(g)
	f := noCause(v, found)
	for _, x := range found {
		c := Suspect{CI: x.node.ID, Class: x.node.Class, Name: x.node.Name, Features: slices.Clone(x.x[:]), Probability: x.p}
		for _, e := range s.g.needs[x.node.ID] {
			if to := s.g.nodes.Get(e.To); to != nil && (e.Type == "member_of" || e.Type == "exposes") && to.Class == "workload" {
				c.Parts = append(c.Parts, to.Name)
			}
		}
		list = append(list, c)
	}
	return list, f[:], p
}

// investigate weighs what may be the cause of what a group holds.
func (s *State) investigate(g *group) (*scene, []*suspect, float64) {
	v := s.survey(g)
	list := s.suspectsOf(v)
	ids := make(map[string]bool, len(list))
	for _, x := range list {
		ids[x.node.ID] = true
	}
	v.changed = s.changedBefore(ids, g.Onset)
	none := s.weigh(v, list)
	if lost, rest := s.lostFirst(v, list); lost != nil {
		return v, lost, rest
	}
	return v, list, none
}

// testimony is the probability that a machine whose neighbours say that it is gone is
// why: they asked it themselves, by several ways, before they said so.
const testimony = 0.95

// lostFirst lists the lost machines as the only suspects, and before them what carries
// them where that may be why: it alerts itself, or enough of what it carries is lost.
// A dead machine needs no other cause.
func (s *State) lostFirst(v *scene, list []*suspect) (out []*suspect, none float64) {
	var lost []*suspect
	carried := map[string]int{}
	for _, x := range list {
		if x.own != nil && x.own.lost {
			lost = append(lost, x)
			for _, id := range s.carriersOf(x.node.ID) {
				carried[id]++
			}
		}
	}
	if len(lost) == 0 {
		return nil, 0
	}
	for _, x := range list {
		n := carried[x.node.ID]
		if n == len(lost) && !slices.Contains(lost, x) && (x.own != nil && !x.own.guess || n > 1 && s.mayCarryLoss(x.node.ID)) {
			out = append(out, x)
			break // the likeliest: list is sorted
		}
	}
	slices.SortStableFunc(lost, func(a, b *suspect) int { return cmp.Compare(b.explained, a.explained) })
	out = append(out, lost...)
	// Each of several is half as likely as the one before: something had to be first.
	left := 1.0
	for _, x := range out {
		x.p = quantise(left * testimony)
		left -= x.p
	}
	return out, quantise(left)
}
