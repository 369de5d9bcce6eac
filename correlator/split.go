package correlator

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// An incident may have grown over two failures: the first alerts of the second
// could also have come from the first. When enough is seen of both, two causes
// explain the alerts better than one, and the incident is parted. What is weighed
// is the same as when an alert joins: where it is, of which class, and when.

const (
	// splitOdds is how likely two failures must be against one, in logarithms of
	// odds, after what two failures at once cost.
	splitOdds = 6.0
	// splitLeast is how many alerts must leave for a record of their own.
	splitLeast = 3
	// splitTau is how far apart in time, in minutes, alerts of one failure are.
	splitTau      = 15.0
	splitCap      = 1.0
	sharedCause   = 0.05 // strength from which two causes share what may have failed both
	splitClass    = 0.5  // weight of classes: they tell failures apart less surely than places
	splitSeeds    = 6    // causes tried for the second part
	splitSuspects = 24   // causes of the whole that are weighed
	splitMost     = 400  // alerts looked at: a larger storm stays whole
	splitRounds   = 4
)

// place is all that alerts at one item say about an incident's parts.
type place struct {
	item    int32 // -1: none is known
	alerts  []*canonical
	logs    []float64 // by suspect: how much better than chance its failure explains them; 0 where no item is known
	near    []neighbour
	classes map[string]int
	at      float64 // minutes since the incident's onset, when first heard
	weight  float64
	broad   bool
}

// part is one of the failures that an incident may be.
type part struct {
	cause   int // index into the suspects; -1 is unknown
	items   map[int32]float64
	classes map[string]float64
	n       float64
	middle  float64
}

type partition struct {
	s        *State
	places   []*place
	suspects []int32
	// complaining are the suspects that alert themselves. Only such a one may be a
	// second failure: what is merely suspected of a part of a storm is none.
	complaining []int
	q           map[string]float64
}

// review parts an incident if two failures explain it better than one does.
func (s *State) review(g *group) {
	if s.cfg.ignores("split") || g.Held || g.Flood || g.Beat != "" || !g.live() || !g.ClearedAt.IsZero() || len(g.Members) < 2*splitLeast || len(g.Members) > splitMost {
		return
	}
	p := s.partition(g)
	if p == nil || len(p.places) < 4 {
		return
	}
	side, odds, causes := p.best()
	if odds < splitOdds {
		return
	}
	var leave, stay []*canonical
	for n, x := range p.places {
		if side[n] {
			leave = append(leave, x.alerts...)
		} else {
			stay = append(stay, x.alerts...)
		}
	}
	if len(leave) > len(stay) {
		leave = stay
		causes[0], causes[1] = causes[1], causes[0]
	}
	if len(leave) < splitLeast {
		return
	}
	s.part(g, leave, fmt.Sprintf("two failures explain its alerts better than one does: %s, and %s", causes[0], causes[1]))
}

// partition lays out an incident by items; nil where a person or a rule decided about it.
func (s *State) partition(g *group) *partition {
	p := &partition{s: s, q: map[string]float64{}}
	index := map[string]*place{}
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if len(c.Evidence) > 0 && (c.Evidence[0].Signal == "person" || c.Evidence[0].Signal == "rule") {
			return nil
		}
		key := "\x00" + classOf(c)
		if c.Binding != nil {
			key = c.Binding.CI
		}
		x := index[key]
		if x == nil {
			x = &place{item: -1, classes: map[string]int{}, broad: broad(c), at: c.First.Sub(g.Onset).Minutes()}
			if c.Binding != nil {
				x.item = s.itemOf(c)
				if !x.broad {
					x.near = s.g.neighbours(x.item)
				}
			}
			index[key] = x
			p.places = append(p.places, x)
		}
		x.alerts = append(x.alerts, c)
		class := classOf(c)
		x.classes[class]++
		p.q[class] = 0
		x.weight = 1 + again*float64(len(x.alerts)-1)
	}
	for class := range p.q {
		p.q[class] = s.classShare(class)
	}
	p.suspect(g)
	return p
}

// suspect lists the causes worth trying and what each explains: what the incident
// suspects, and what complains itself.
func (p *partition) suspect(g *group) {
	s := p.s
	for _, x := range g.Suspects[:min(len(g.Suspects), splitSuspects)] {
		p.suspects = append(p.suspects, x.at)
	}
	for _, x := range p.places {
		if x.item < 0 || x.broad || len(p.suspects) >= 2*splitSuspects {
			continue
		}
		k := slices.Index(p.suspects, x.item)
		if k < 0 {
			k = len(p.suspects)
			p.suspects = append(p.suspects, x.item)
		}
		if n := s.g.nodes.Get(s.g.ids[x.item]); n != nil && n.Class != "namespace" && n.Class != "cluster" {
			p.complaining = append(p.complaining, k)
		}
	}
	logs := make([]float64, len(p.places)*len(p.suspects))
	for n, x := range p.places {
		x.logs = logs[n*len(p.suspects) : (n+1)*len(p.suspects)]
		if x.item < 0 || x.broad {
			continue
		}
		reaches := s.reachesOf(x.alerts[0])
		for k, at := range p.suspects {
			gain := s.lookup(reaches, at)
			if gain == 0 {
				x.logs[k] = logStray
			} else {
				x.logs[k] = math.Log(stray + (1-stray)*gain)
			}
		}
	}
}

// at is how well a place fits a cause and what alerts beside it, not counting itself.
func (p *partition) at(x *place, t *part, member bool) float64 {
	if x.item < 0 || x.broad {
		return 0
	}
	ratio := 1.0
	if t.cause >= 0 {
		ratio = math.Exp(x.logs[t.cause])
	}
	var sum float64
	items := float64(len(t.items))
	if member {
		items--
	}
	for _, r := range x.near {
		if t.items[r.at] == 0 {
			continue
		}
		sum += r.share
	}
	adjacent := sum * float64(p.s.size()) / (items + 1)
	// Explained is explained: that another cause would explain it better still is no
	// reason to part, or each machine of a dead switch would be a failure of its own.
	return min(splitCap, math.Log(max(0.7*ratio+adjacentShare*adjacent, 1e-3)))
}

// like is how well a place's classes fit a part, not counting itself.
func (p *partition) like(x *place, t *part, member bool) float64 {
	var sum float64
	for _, class := range slices.Sorted(maps.Keys(x.classes)) {
		n, k, q := t.n, t.classes[class], p.q[class]
		if member {
			n, k = n-float64(len(x.classes)), k-1
		}
		sum += math.Log((k + 2*q) / (n + 2) / q)
	}
	return splitClass * min(4, max(-4, sum/float64(len(x.classes))))
}

func (p *partition) fit(x *place, t *part, member bool) float64 {
	return x.weight*p.at(x, t, member) + p.like(x, t, member) - math.Abs(x.at-t.middle)/splitTau
}

// describe makes a part of the places on one side and finds its cause.
func (p *partition) describe(in func(n int) bool) *part {
	t := &part{cause: -1, items: map[int32]float64{}, classes: map[string]float64{}}
	var at []float64
	for n, x := range p.places {
		if !in(n) {
			continue
		}
		if x.item >= 0 {
			t.items[x.item]++
		}
		for class := range x.classes {
			t.classes[class]++
			t.n++
		}
		at = append(at, x.at)
	}
	slices.Sort(at)
	if len(at) > 0 {
		t.middle = at[len(at)/2]
	}
	best := math.Log(unknownCause)
	for k, i := range p.suspects {
		l := p.s.g.logPrior(i)
		for n, x := range p.places {
			if in(n) {
				l += x.weight * x.logs[k]
			}
		}
		if l = quantise(l); l > best {
			best, t.cause = l, k
		}
	}
	return t
}

// total weighs a part as a whole.
func (p *partition) total(t *part, in func(n int) bool) float64 {
	sum := math.Log(unknownCause)
	if t.cause >= 0 {
		sum = p.s.g.logPrior(p.suspects[t.cause])
	}
	for n, x := range p.places {
		if in(n) {
			sum += p.fit(x, t, true)
		}
	}
	return sum
}

// best finds the best way to part the places: true are those of the second part.
func (p *partition) best() (side []bool, odds float64, causes [2]string) {
	all := func(int) bool { return true }
	odds = math.Inf(-1)
	whole := p.describe(all)
	seeds := p.seeds(whole)
	if len(seeds) == 0 {
		return nil, odds, causes
	}
	one := p.total(whole, all)
	for _, seed := range seeds {
		cur := seed
		var a, b *part
		inA, inB := func(n int) bool { return !cur[n] }, func(n int) bool { return cur[n] }
		for range splitRounds {
			a, b = p.describe(inA), p.describe(inB)
			next := make([]bool, len(cur))
			moved, second := false, 0
			for n, x := range p.places {
				next[n] = quantise(p.fit(x, b, cur[n])-p.fit(x, a, !cur[n])) > 0
				moved = moved || next[n] != cur[n]
				if next[n] {
					second++
				}
			}
			if second == 0 || second == len(next) {
				a = nil
				break
			}
			cur = next
			if !moved {
				break
			}
		}
		if a == nil {
			continue
		}
		a, b = p.describe(inA), p.describe(inB)
		if p.related(a, b) {
			continue
		}
		two := p.total(a, inA) + p.total(b, inB)
		coincidence := math.Log(failureRate * (math.Abs(a.middle-b.middle) + 10))
		if o := quantise(two - one + coincidence); o > odds {
			side, odds = slices.Clone(cur), o
			causes = [2]string{p.name(a), p.name(b)}
		}
	}
	return side, odds, causes
}

// related says that the two causes may be one: the same, one below the other, or
// both below a third that carries them.
func (p *partition) related(a, b *part) bool {
	if a.cause < 0 || !slices.Contains(p.complaining, b.cause) {
		return true
	}
	x, y := p.suspects[a.cause], p.suspects[b.cause]
	of := map[int32]float64{}
	for _, r := range p.s.g.reaches(x, plain) {
		of[r.at] = r.strength
	}
	for _, r := range p.s.g.reaches(y, plain) {
		if min(r.strength, of[r.at]) >= sharedCause {
			return true
		}
	}
	return of[y] >= 0.1
}

func (p *partition) name(t *part) string {
	if t.cause < 0 {
		return "one of unknown cause"
	}
	return "one of " + p.s.g.name(p.s.g.ids[p.suspects[t.cause]])
}

// seeds are first guesses at the second part: what a suspect that complains itself
// explains better than the first failure does, where that does not explain it at all.
func (p *partition) seeds(whole *part) [][]bool {
	type hope struct {
		k    int
		gain float64
	}
	base := func(x *place) float64 {
		if whole.cause < 0 {
			return 0
		}
		return min(0, x.logs[whole.cause])
	}
	var hopes []hope
	for _, k := range p.complaining {
		gain := 0.0
		for _, x := range p.places {
			if d := min(splitCap, x.logs[k]) - base(x); d > 0 && base(x) < 0 {
				gain += x.weight * d
			}
		}
		if gain = quantise(gain + p.s.g.logPrior(p.suspects[k])); gain > 0 {
			hopes = append(hopes, hope{k, gain})
		}
	}
	slices.SortStableFunc(hopes, func(a, b hope) int { return cmp.Compare(b.gain, a.gain) })
	var out [][]bool
	for _, h := range hopes[:min(len(hopes), splitSeeds)] {
		side := make([]bool, len(p.places))
		for n, x := range p.places {
			side[n] = x.logs[h.k] > base(x)
		}
		if slices.Contains(side, false) {
			out = append(out, side)
		}
	}
	return out
}

// part gives alerts of an incident one of their own, which is as old as the first
// of them was shown: nobody's clock begins anew because the machine was mistaken.
func (s *State) part(g *group, leave []*canonical, why string) *group {
	to := &group{ID: s.seq("incident"), OpenedAt: s.now}
	share := float64(len(leave)) / float64(len(g.Members))
	s.groups.Put(to.ID, to)
	s.leave(g, leave...)
	to.PaceAt, to.Fast, to.Slow = g.PaceAt, quantise(share*g.Fast), quantise(share*g.Slow)
	g.Fast, g.Slow = quantise((1-share)*g.Fast), quantise((1-share)*g.Slow)
	to.Apart = insert(slices.Clone(g.Apart), g.ID, strings.Compare)
	g.Apart = insert(g.Apart, to.ID, strings.Compare)
	for _, c := range leave {
		to.Members = append(to.Members, c.ID)
		if c.AttachedAt.Before(to.OpenedAt) {
			to.OpenedAt = c.AttachedAt
		}
		if c.First.After(to.LastJoined) {
			to.LastJoined = c.First
		}
		c.Group = to.ID
		c.Evidence = []Evidence{{"split", why, 1}}
		s.alerts.Touch(c.ID)
	}
	if to.OpenedAt.Before(g.OpenedAt) {
		to.OpenedAt = g.OpenedAt
	}
	s.refill(to)
	s.relist(to)
	for _, c := range leave {
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil {
				s.episodes.Touch(k)
				s.record(ep, "", false)
			}
		}
	}
	to.Last = s.assess(to)
	to.Assessed = len(to.Members)
	s.emit(IncidentOpened{ID: to.ID, Assessment: to.Last, Why: why, Since: to.OpenedAt})
	s.emit(IncidentSplit{From: g.ID, Into: to.ID, Alerts: len(leave), Why: why})
	told := s.recognise(to)
	s.schedule(dueSettle, to.ID, &to.SettleDue, s.now.Add(settleAfter))
	s.touchGroup(to.ID, told)
	s.lookAt(g.ID)
	for _, x := range []*group{g, to} {
		s.rest(x)
	}
	return to
}

// detach takes the alert out of the record of its own that it came back to, now that
// it has company: what it did alone before is not part of this.
func (s *State) detach(g *group) *group {
	if g.Held || g.Flood || g.sole() == "" || len(g.Members) < 2 {
		return g
	}
	c := s.alerts.Get(g.Members[len(g.Members)-1])
	if c == nil || !c.Active {
		return g
	}
	return s.part(g, []*canonical{c}, "it came alone before, and has company now")
}

// rest begins the hold-down of an incident of which no alert is active.
func (s *State) rest(g *group) {
	g.scan = 0
	recovered := true
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			if c.Active {
				return
			}
			recovered = recovered && !c.Unrecovered
		}
	}
	s.clear(g, recovered)
}

// leave takes alerts out of a group.
func (s *State) leave(g *group, gone ...*canonical) {
	g.Members = slices.DeleteFunc(g.Members, func(m string) bool {
		return slices.ContainsFunc(gone, func(c *canonical) bool { return c.ID == m })
	})
	s.refill(g)
	if g.live() && g.Order > 0 {
		s.reindexGroup(g)
	}
}

// refill builds anew what a group derives from its members.
func (s *State) refill(g *group) {
	g.Classes, g.Clusters, g.Suspects, g.Lost, g.Evidence, g.Onset = nil, nil, nil, nil, 0, time.Time{}
	g.belief.valid = false
	members := g.Members
	g.Members, g.scan = nil, 0
	if g.Order > 0 {
		for i := range g.items {
			drop(s.byItem, i, g)
		}
	}
	clear(g.items)
	for _, m := range members {
		if c := s.alerts.Get(m); c != nil {
			s.admit(g, c)
		}
	}
	s.groups.Touch(g.ID)
}
