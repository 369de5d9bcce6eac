package correlator

import (
	"cmp"
	"fmt"
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
	unknownCause = 0.02
	stray        = 0.08
	// stray is how likely an alert of an incident is to come from an item that
	// nothing known connects with the cause: relations are missing and wrong.
	// unknownCause weighs that the cause is nothing the CMDB holds.
	// again is what a further alert of the same item counts: it is no new place.
	again = 0.3
)

var logStray = math.Log(stray)

// shownAt is how much better than chance a failure of the item explains an alert.
func (s *State) shownAt(r reach) float64 {
	return math.Log(1 + (1-stray)/stray*float64(s.size())*r.strength/s.g.mass(r.at))
}

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
			g.Suspects = append(g.Suspects, suspicion{s.g.ids[r.at], quantise(weight * s.shownAt(r)), r.at})
		}
	}
	for _, r := range reaches {
		s.scratch[r.at] = math.Abs(s.scratch[r.at])
	}
	slices.SortFunc(g.Suspects, func(a, b suspicion) int {
		if x, y := quantise(a.Gain+s.g.logPrior(a.at)), quantise(b.Gain+s.g.logPrior(b.at)); x != y {
			return cmp.Compare(y, x)
		}
		return strings.Compare(a.CI, b.CI)
	})
	if most := min(64, 8+8*len(g.Members)); len(g.Suspects) > most {
		g.Suspects = slices.Clone(g.Suspects[:most])
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
		s.scratch[r.at] = float64(s.size()) * r.strength / s.g.mass(r.at)
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
	if len(g.Members) == 1 {
		if c := s.alerts.Get(g.Members[0]); c != nil {
			rate *= soleBase + soleProm*s.promise(classOf(c)) // it may be alone
		}
	}
	return max(rate, 1e-4)
}

const (
	soleBase = 0.2
	soleProm = 1.5
	// A failure shows within minutes, by its slow rules within half an hour.
	fastTau = 5 * time.Minute
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

// fit is how well an alert fits a group, signal by signal.
type fit struct {
	g                              *group
	time, place, class, age, habit float64
	via                            string // the suspect that both point at
	beside                         string // an item of the group that the alert's item is joined to
}

const (
	// settled is how long after the middle of its alerts a failure has done most of
	// what it does.
	settled = 25 * time.Minute
	// earlyFade and lateFade are minutes by which an alert is too early or too late
	// for each unit of evidence against it.
	earlyFade = 6.0
	lateFade  = 12.0
	// What the class and the habit of an alert say is not independent of the rest,
	// so it counts in part.
	sameKind   = 0.8
	newKind    = 0.5
	habitShare = 0.5
)

func (f fit) total() float64 { return quantise(f.time + f.place + f.class + f.age + f.habit) }

// fitness weighs an alert against a group.
func (s *State) fitness(c *canonical, g *group, reaches []reach) fit {
	f := fit{g: g}
	f.time = math.Log(s.pace(g) / (s.aloneRate() + failureRate))
	if broad(c) {
		reaches = nil
	}
	// place
	w, unknown, _ := s.posterior(g)
	ratio := unknown
	if len(reaches) > 0 {
		var most float64
		for i, x := range g.Suspects {
			if w[i] < 1e-4 {
				continue
			}
			p := w[i] * (stray + (1-stray)*s.lookup(reaches, x.at))
			ratio += p
			if p > most {
				most, f.via = p, x.CI
			}
		}
	} else {
		ratio = s.sharesCluster(c, g)
	}
	adjacent, beside := s.adjacency(c, g)
	if ratio < adjacent {
		f.via, f.beside = "", beside
	}
	f.place = math.Log(max(0.7*ratio+adjacentShare*adjacent, 1e-3))
	// class
	f.class = s.classFit(c, g)
	// An alert older than the failure is no effect of it.
	if early := g.Onset.Sub(c.Onset); early > 2*time.Minute {
		f.age = -min(4, early.Minutes()/earlyFade)
	}
	// What a failure does, it does soon: what comes long after the bulk is another matter.
	if late := s.now.Sub(g.Middle) - settled; late > 0 && len(g.Members) > 1 {
		f.age = -min(5, late.Minutes()/lateFade)
	}
	if x, _ := s.habitual(c); x > 1 {
		f.habit = -habitShare * math.Log(x)
	}
	return f
}

// adjacentShare is how much of belief says that failures go from item to item
// along relations, whatever their first cause: it holds where the cause is unknown
// and where relations to it are missing.
const adjacentShare = 0.3

// neighboursOf lists the items with a tight relation to the alert's, as reaches.
func (s *State) neighboursOf(c *canonical) []reach {
	if c.Binding == nil || broad(c) {
		return nil
	}
	id := c.Binding.CI
	var out []reach
	for n, e := range s.g.needs[id] {
		if to := s.g.nodes.Get(e.To); to != nil && tight(e, s.g) && n < fanMax {
			out = append(out, reach{s.g.index[e.To], 1})
		}
	}
	for n, e := range s.g.needed[id] {
		if from := s.g.nodes.Get(e.From); from != nil && tight(e, s.g) && n < fanMax {
			out = append(out, reach{s.g.index[e.From], 0.6})
		}
	}
	return out
}

// adjacency is how much likelier than chance the alert's item is as the next one
// of the group, because items next to it alert already.
func (s *State) adjacency(c *canonical, g *group) (ratio float64, beside string) {
	if len(g.items) == 0 || c.Binding == nil {
		return 0, ""
	}
	i, ok := s.g.index[c.Binding.CI]
	if !ok {
		return 0, ""
	}
	var sum float64
	if g.items[i] > 0 && !broad(c) {
		sum, beside = 2, c.Binding.CI
	}
	for _, r := range s.neighboursOf(c) {
		if g.items[r.at] == 0 {
			continue
		}
		// Of many neighbours each is the next with a small share.
		id := s.g.ids[r.at]
		degree := len(s.g.needs[id]) + len(s.g.needed[id])
		sum += r.strength / float64(max(degree, 3))
		if beside == "" {
			beside = id
		}
	}
	return sum * float64(s.size()) / float64(len(g.items)+1), beside
}

// broad says whether an alert names no item but at most a place that holds many.
func broad(c *canonical) bool {
	b := c.Binding
	switch {
	case b == nil || b.Class == "cluster":
		return true
	case b.Class == "namespace":
		// The namespace of a scrape job is where the watched thing lives, all over
		// the cluster; that of kube-state-metrics' objects is their own.
		if job := c.Labels.Get("job"); job != "" && job != "kube-state-metrics" {
			return true
		}
		return slices.Contains(platform, b.Name[strings.LastIndexByte(b.Name, '/')+1:])
	}
	return b.Everywhere
}

// sharesCluster compares how much of a group is of the alert's cluster with how
// much of everything is.
func (s *State) sharesCluster(c *canonical, g *group) float64 {
	cl := clusterOf(c)
	if cl == "" {
		return 0.5
	}
	all := float64(s.g.clusterSize[cl]+1) / float64(s.size()+1)
	in := (float64(g.Clusters[cl]) + all) / (float64(len(g.Members)) + 1)
	return min(in/all, 8)
}

func clusterOf(c *canonical) string { return first(c.Labels, "cluster", "k8s_cluster") }

// classFit is how much likelier the alert's class is in the group than elsewhere.
func (s *State) classFit(c *canonical, g *group) float64 {
	class := classOf(c)
	q := s.classShare(class)
	n, k := float64(len(g.Members)), float64(g.Classes[class])
	// How varied the group is says how likely a class is that it has not had.
	variety := max(0.3, float64(len(g.Classes))/math.Log(2+n))
	if k == 0 {
		return math.Log(variety/(n+variety)) * newKind
	}
	return max(0, math.Log((k+variety*q)/(n+variety)/q)) * sameKind
}

// evidence tells a fit in sentences.
func (s *State) evidence(c *canonical, f fit) []Evidence {
	var out []Evidence
	g := f.g
	out = append(out, Evidence{"time", fmt.Sprintf("%d alerts of it came within the last minutes; %.1f alerts an hour come alone here", len(g.Members), s.aloneRate()*60), quantise(f.time)})
	if c.Binding != nil {
		text := "nothing known connects " + c.Binding.Name + " with its likely cause"
		if f.via != "" && f.place > 0 {
			if f.via == c.Binding.CI {
				text = c.Binding.Name + " is a likely cause of it"
			} else if way := s.g.way(c.Binding.CI, f.via, c.idle()); way != "" {
				text = way + ", a likely cause of it"
			} else {
				text = c.Binding.Name + " needs " + s.g.name(f.via) + ", a likely cause of it"
			}
		}
		if f.beside == c.Binding.CI {
			text = "it has alerts about " + c.Binding.Name + " already"
		} else if f.beside != "" {
			text = c.Binding.Name + " " + s.g.relationWord(c.Binding.CI, f.beside) + " " + s.g.name(f.beside) + ", which alerts too"
		}
		out = append(out, Evidence{"topology", text, quantise(f.place)})
	}
	class := classOf(c)
	if n := g.Classes[class]; n > 0 {
		out = append(out, Evidence{"class", fmt.Sprintf("%d of its %d alerts are %s too", n, len(g.Members), class), quantise(f.class)})
	} else {
		out = append(out, Evidence{"class", "no other alert of it is " + class, quantise(f.class)})
	}
	if f.age < 0 {
		text := "it is older than the failure"
		if c.Onset.After(g.Onset) {
			text = "it comes long after most of its alerts"
		}
		out = append(out, Evidence{"age", text, quantise(f.age)})
	}
	if f.habit < 0 {
		_, n := s.habitual(c)
		out = append(out, Evidence{"habit", fmt.Sprintf("it came alone %d times before", n), quantise(f.habit)})
	}
	return out
}
