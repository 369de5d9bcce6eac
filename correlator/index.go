package correlator

import (
	"cmp"
	"slices"
)

// How groups are found: by their latest activity, by what they suspect and by the
// items of their alerts, so that an alert's cost does not grow with their number.
// All of it is derived from the groups and built anew when loaded.

// relist keeps the order of latest activity and the index by suspect.
func (s *State) relist(g *group) {
	listed := g.Order > 0
	if n, ok := s.placeOf(g); ok {
		s.recent = slices.Delete(s.recent, n, n+1)
	}
	l := s.books()
	l.Order++
	s.totals.Touch(ledgerKey)
	g.Order = l.Order
	s.recent = append(s.recent, g)
	if !listed {
		for i := range g.items {
			s.byItem[i] = append(s.byItem[i], g)
		}
	}
	s.reindexGroup(g)
}

// placeOf finds a group among the latest.
func (s *State) placeOf(g *group) (int, bool) {
	if g.Order == 0 {
		return 0, false
	}
	return slices.BinarySearchFunc(s.recent, g.Order, func(x *group, o uint64) int { return cmp.Compare(x.Order, o) })
}

func (s *State) reindexGroup(g *group) {
	top := g.Suspects[:min(len(g.Suspects), indexTop)]
	if slices.EqualFunc(top, g.indexed, func(x suspicion, i int32) bool { return x.at == i }) {
		return
	}
	for _, i := range g.indexed {
		s.unindex(i, g)
	}
	g.indexed = g.indexed[:0]
	for _, x := range top {
		g.indexed = append(g.indexed, x.at)
		s.bySuspect[x.at] = append(s.bySuspect[x.at], g)
	}
}

func (s *State) unindex(i int32, g *group) { drop(s.bySuspect, i, g) }

// drop takes a group out of an index, whose lists have no order.
func drop(m map[int32][]*group, i int32, g *group) {
	l := m[i]
	if n := slices.Index(l, g); n >= 0 {
		l[n] = l[len(l)-1]
		l = l[:len(l)-1]
	}
	if len(l) == 0 {
		delete(m, i)
	} else {
		m[i] = l
	}
}

func (s *State) unlist(g *group) {
	if g.Order == 0 {
		return
	}
	if n, ok := s.placeOf(g); ok {
		s.recent = slices.Delete(s.recent, n, n+1)
	}
	for _, i := range g.indexed {
		s.unindex(i, g)
	}
	g.indexed = g.indexed[:0]
	for i := range g.items {
		drop(s.byItem, i, g)
	}
	g.Order = 0
}

// nearby lists the groups that an alert may belong to: the latest, and those that
// suspect what its item needs. Its cost does not grow with the number of groups.
func (s *State) nearby(reaches []reach, near []neighbour, except *group) []*group {
	s.search++
	var out []*group
	take := func(g *group) {
		if g.mark == s.search || g == except || !s.takes(g) {
			return
		}
		g.mark = s.search
		out = append(out, g)
	}
	for i := len(s.recent) - 1; i >= 0 && i >= len(s.recent)-searchRecent; i-- {
		take(s.recent[i])
	}
	for _, r := range reaches {
		if r.strength < 0.05 {
			break
		}
		if l := s.bySuspect[r.at]; len(l) <= searchPer {
			for _, g := range l {
				take(g)
			}
		}
	}
	for _, n := range near {
		if l := s.byItem[n.at]; len(l) <= searchPer {
			for _, g := range l {
				take(g)
			}
		}
	}
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(b.Order, a.Order) })
	return out
}

func (s *State) takes(g *group) bool {
	if !g.live() || g.Beat != "" || g.Flood || len(g.Members) >= s.cfg.MaxGroup {
		return false
	}
	// A lone alert that still fires may be the forerunner of something, however old.
	return len(g.Members) == 1 && g.ClearedAt.IsZero() || s.now.Sub(g.LastJoined) <= linger
}
