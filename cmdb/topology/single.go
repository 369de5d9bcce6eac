package topology

import (
	"cmp"
	"slices"

	"github.com/watchbill/watchbill/cmdb"
)

// Point is an item whose failure alone takes another down.
type Point[K cmp.Ordered] struct {
	At   K
	Hops int // from the item that was asked about
	// Cuts counts the items that are lost with it on the way to, and including, the
	// item that was asked about.
	Cuts int
}

// Needs lists what an item needs, directly or not, nearest first, with the distance:
// the relations that carry failures, and the members of what lives by its members.
// The item itself comes first, at distance 0.
func Needs[K cmp.Ordered](g Graph[K], start K, l Limits) (order []K, hops map[K]int, truncated bool) {
	hops = map[K]int{start: 0}
	order = []K{start}
	called := map[K]bool{start: true}
	visit := func(k K, d int, call bool) {
		called[k] = called[k] || call
		if _, known := hops[k]; known || g.Node(k).Role == nil {
			return
		}
		if l.Items > 0 && len(order) >= l.Items {
			truncated = true
			return
		}
		hops[k] = d
		order = append(order, k)
	}
	for i := 0; i < len(order); i++ {
		k := order[i]
		d := hops[k] + 1
		if l.Hops > 0 && d > l.Hops {
			break
		}
		role := g.Node(k).Role
		if role == nil { // only start can be one that is not there
			role = cmdb.RoleNamed("")
		}
		for x := range g.Needs(k) {
			// What one of many programs calls is not what the others are needed for.
			if other := x.Relation.Call && role.Many && k != start && (role.Uncounted || !called[k]); x.Relation.Carries && !other {
				visit(x.End, d, x.Relation.Call)
			}
		}
		if !role.Members {
			continue
		}
		for x := range g.Needed(k) {
			if n := g.Node(x.End); x.Relation.Membership && n.Role != nil && n.Role.Member {
				visit(x.End, d, false)
			}
		}
	}
	return order, hops, truncated
}

// SinglePoints lists the items each of which alone takes start down. Those whose
// failure cuts off most come first, then the nearest.
func SinglePoints[K cmp.Ordered](g Graph[K], start K, l Limits) []Point[K] {
	order, hops, _ := Needs(g, start, l)
	var out []Point[K]
	for _, k := range order[1:] {
		o := spread(g, []K{k}, Limits{}, hops)
		if o.Of(start) != Lost {
			continue
		}
		lost := 0
		for _, e := range o.Effects {
			if e.State == Lost {
				lost++
			}
		}
		out = append(out, Point[K]{At: k, Hops: hops[k], Cuts: lost})
	}
	slices.SortStableFunc(out, func(a, b Point[K]) int {
		return cmp.Or(-cmp.Compare(a.Cuts, b.Cuts), cmp.Compare(a.Hops, b.Hops), cmp.Compare(a.At, b.At))
	})
	return out
}

// Stands tells how an item stands when others have failed.
func Stands[K cmp.Ordered](g Graph[K], start K, failed []K, l Limits) State {
	if slices.Contains(failed, start) {
		return Lost
	}
	_, within, _ := Needs(g, start, l)
	return spread(g, failed, Limits{}, within).Of(start)
}
