// Package topology is the one model of what fails when something fails. It owns
// how a failure passes along typed relations, where redundancy stops it, what is a
// single point of failure and how an impact is counted. What a class and a relation
// mean for it is data of the registry (cmdb.Role, cmdb.RelationType). It is pure and
// keeps no graph: who asks brings one.
package topology

import (
	"cmp"
	"iter"
	"slices"

	"github.com/watchbill/watchbill/cmdb"
)

// Link is a relation as one of its ends sees it: End is the other.
type Link[K cmp.Ordered] struct {
	End      K
	Relation *cmdb.RelationType
	// Weight is how well the relation is known, 0 to 1: 1 while it is seen, less once
	// it no longer shows.
	Weight float64
}

// Node is what the model reads of an item.
type Node struct {
	Role *cmdb.Role
	// Down items carry nothing already: they are no stand-in.
	Down bool
}

// Graph is a topology. Relations read "From type To": From needs To.
type Graph[K cmp.Ordered] interface {
	// Node tells of an item; its Role is nil for one that is not there.
	Node(K) Node
	// Alike names what an item does. Two items of one role and the same name can stand
	// in for each other, as far as their role lets them. "" is like nothing.
	Alike(K) string
	// Needs visits the relations of which the item is From, Needed those of which it is To.
	Needs(K) iter.Seq[Link[K]]
	Needed(K) iter.Seq[Link[K]]
}

// State is how an item stands.
type State uint8

const (
	Fine     State = iota
	Degraded       // something that it needs is lost, and something else stands in
	Lost
)

// String names a state for people and the API.
func (s State) String() string { return [...]string{"fine", "degraded", "lost"}[s] }

// Effect is one item that a failure reaches.
type Effect[K cmp.Ordered] struct {
	At    K
	State State
	// Hops is how many relations lie between it and what failed, Via the item next
	// to it on the way there.
	Hops int
	Via  K
	// Strength is how surely it shows the failure, 0 to 1.
	Strength float64
	// Uncounted items are no dependents of their own (see cmdb.Role).
	Uncounted bool
}

// Outcome is what a failure does, nearest first, then by item.
type Outcome[K cmp.Ordered] struct {
	Effects []Effect[K]
	// Truncated says that there is more than the limits of the question allowed.
	Truncated bool
}

// Dependents counts the items that are lost and those that are degraded, without
// those that are no dependents of their own.
func (o Outcome[K]) Dependents() (lost, degraded int) {
	for _, e := range o.Effects {
		switch {
		case e.Uncounted:
		case e.State == Lost:
			lost++
		case e.State == Degraded:
			degraded++
		}
	}
	return lost, degraded
}

// Of returns the state of an item that is not itself among what failed.
func (o Outcome[K]) Of(k K) State {
	for _, e := range o.Effects {
		if e.At == k {
			return e.State
		}
	}
	return Fine
}

// Limits bound a question. The zero value asks for everything.
type Limits struct {
	Hops  int // relations from what failed; 0 is no bound
	Items int // items reached; 0 is no bound
}

// Fail tells what fails when items fail together. The items themselves are not
// among the effects.
func Fail[K cmp.Ordered](g Graph[K], failed []K, l Limits) Outcome[K] {
	return spread(g, failed, l, nil)
}

// mark is what is known of an item while a failure spreads.
type mark struct {
	state    State
	hops     int
	strength float64
	// one says that a single one of the many programs that the item stands for is
	// affected: what it runs goes on.
	one bool
}

type spreading[K cmp.Ordered] struct {
	g      Graph[K]
	limits Limits
	within map[K]int // nil: everywhere
	marks  map[K]mark
	via    map[K]K
	cut    bool
	round  int
	next   []K
}

// spread passes a failure on in rounds: what is lost in one round is settled before
// what depends on it is looked at, so that the order of relations cannot be seen.
func spread[K cmp.Ordered](g Graph[K], failed []K, l Limits, within map[K]int) Outcome[K] {
	s := &spreading[K]{g: g, limits: l, within: within, marks: make(map[K]mark), via: make(map[K]K)}
	front := slices.Clone(failed)
	slices.Sort(front)
	front = slices.Compact(front)
	for _, k := range front {
		s.marks[k] = mark{state: Lost, strength: 1}
	}
	roots := len(front)
	for hops := 1; len(front) > 0 && (l.Hops == 0 || hops <= l.Hops); hops++ {
		s.next, s.round = s.next[:0], hops
		for _, k := range front {
			s.pass(k, hops)
		}
		slices.Sort(s.next)
		front = slices.Clone(slices.Compact(s.next))
	}
	out := Outcome[K]{Truncated: s.cut, Effects: make([]Effect[K], 0, max(0, len(s.marks)-roots))}
	for k, m := range s.marks {
		if m.hops > 0 {
			out.Effects = append(out.Effects, Effect[K]{At: k, State: m.state, Hops: m.hops, Via: s.via[k], Strength: m.strength, Uncounted: g.Node(k).Role.Uncounted})
		}
	}
	slices.SortFunc(out.Effects, func(a, b Effect[K]) int { return cmp.Or(cmp.Compare(a.Hops, b.Hops), cmp.Compare(a.At, b.At)) })
	return out
}

// pass tells those who need a lost item.
func (s *spreading[K]) pass(k K, hops int) {
	here := s.marks[k]
	for l := range s.g.Needed(k) {
		if !l.Relation.Carries || here.one && !l.Relation.Call {
			continue
		}
		n := s.g.Node(l.End)
		if n.Role == nil {
			continue
		}
		m := mark{state: Lost, hops: hops, strength: here.strength * l.Relation.Strength * l.Weight, one: l.Relation.Call && n.Role.Many}
		if s.standsIn(l.End, n, k, l.Relation) {
			m.state = Degraded
		}
		s.reach(l.End, k, m, n)
	}
	for l := range s.g.Needs(k) {
		if role := s.g.Node(k).Role; !l.Relation.Membership || here.one || role != nil && !role.Member {
			continue
		}
		whole := s.g.Node(l.End)
		if whole.Role == nil || !whole.Role.Members {
			continue
		}
		m := mark{state: Lost, hops: hops, strength: here.strength * l.Weight}
		if s.memberLeft(l.End) {
			m.state = Degraded
		}
		s.reach(l.End, k, m, whole)
	}
}

// reach records what a failure does to an item. A worse state replaces a better
// one; the way and the distance told are those of the state that holds.
func (s *spreading[K]) reach(k, via K, m mark, n Node) {
	if s.within != nil {
		if _, in := s.within[k]; !in {
			return
		}
	}
	old, known := s.marks[k]
	switch {
	case known && old.hops == 0: // it failed by itself
		return
	case !known && s.limits.Items > 0 && len(s.marks) > s.limits.Items:
		s.cut = true
		return
	case known && (old.state > m.state || old.state == m.state && (!old.one || m.one)):
		if old.state == m.state && old.hops == m.hops {
			if via < s.via[k] {
				s.via[k] = via
			}
			old.strength = max(old.strength, m.strength)
			s.marks[k] = old
		}
		return
	}
	s.marks[k], s.via[k] = m, via
	// Strangers and unknown programs pass nothing on: which of them is affected, and
	// whether it is the one that others call, is not known.
	if m.state == Lost && (!n.Role.Many || !n.Role.Uncounted || !m.one) {
		s.next = append(s.next, k)
	}
}

// alive says that an item can stand in for another. What is lost in this very round
// counts in the next one.
func (s *spreading[K]) alive(k K) bool {
	n := s.g.Node(k)
	m := s.marks[k]
	return n.Role != nil && !n.Down && (m.state != Lost || m.one || m.hops == s.round)
}

// standsIn says that something alive can take the lost item's place for one that
// needs it.
func (s *spreading[K]) standsIn(from K, n Node, lost K, r *cmdb.RelationType) bool {
	if r.Redundancy == cmdb.RedundancySoft {
		return true
	}
	if r.Redundancy == cmdb.RedundancyNone {
		return false
	}
	gone := s.g.Node(lost)
	if gone.Role == nil {
		return r.Redundancy == cmdb.RedundancyAlike && s.replicaLeft(lost) // it is not there any more: what it was is not known
	}
	for l := range s.g.Needs(from) {
		if l.Relation.Name != r.Name || l.End == lost || !s.alive(l.End) {
			continue
		}
		other := s.g.Node(l.End)
		if other.Role.Name != gone.Role.Name {
			continue
		}
		if r.Redundancy == cmdb.RedundancyAny {
			return true
		}
		if does := s.g.Alike(lost); does != "" && does == s.g.Alike(l.End) && (!gone.Role.Stateful || n.Role.Spreads || s.together(lost, l.End)) {
			return true
		}
	}
	return r.Redundancy == cmdb.RedundancyAlike && s.replicaLeft(lost)
}

// replicaLeft says that what replicates an item, or what it replicates, is alive.
func (s *spreading[K]) replicaLeft(k K) bool {
	for l := range s.g.Needed(k) {
		if l.Relation.Replica && s.alive(l.End) {
			return true
		}
	}
	for l := range s.g.Needs(k) {
		if l.Relation.Replica && s.alive(l.End) {
			return true
		}
	}
	return false
}

// together says that two items keep the same data: they replicate one another or
// the same third, or are members of one cluster.
func (s *spreading[K]) together(a, b K) bool {
	groups := func(k K) []K {
		out := []K{k}
		for l := range s.g.Needs(k) {
			n := s.g.Node(l.End)
			if l.Relation.Replica || l.Relation.Membership && n.Role != nil && n.Role.Members {
				out = append(out, l.End)
			}
		}
		return out
	}
	of := groups(a)
	return slices.ContainsFunc(groups(b), func(k K) bool { return slices.Contains(of, k) })
}

// memberLeft says that a whole has a member that is alive.
func (s *spreading[K]) memberLeft(whole K) bool {
	for l := range s.g.Needed(whole) {
		if l.Relation.Membership && s.alive(l.End) && s.g.Node(l.End).Role.Member {
			return true
		}
	}
	return false
}
