package correlator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A title says what fires, where and how wide, from the alerts alone: who is woken
// by it must be able to trust every word. What is suspected is told apart, by the
// verdict.

// titleNames is how many items a title names before it only counts them.
const titleNames = 2

// firing is what an incident holds of one kind of alert.
type firing struct {
	name  string
	first *canonical // the earliest of them
	rank  int        // of the gravest severity
	lost  bool       // told by the neighbours of what was lost, not by a rule
	items []*Binding // what they are about, in the order in which it began
}

// kindsFiring lists the kinds of alerts of a group, what a title leads with first:
// a loss that neighbours testify, then the gravest, the widest and the earliest kind.
func (s *State) kindsFiring(g *group) []*firing {
	by := map[string]*firing{}
	var out []*firing
	members := make([]*canonical, 0, len(g.Members))
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			members = append(members, c)
		}
	}
	slices.SortStableFunc(members, func(a, b *canonical) int { return a.Onset.Compare(b.Onset) })
	seen := map[[2]string]bool{}
	for _, c := range members {
		name := c.Labels.Get("alertname")
		k := by[name]
		if k == nil {
			k = &firing{name: name, first: c, rank: c.Severity.Rank()}
			by[name] = k
			out = append(out, k)
		}
		k.rank, k.lost = min(k.rank, c.Severity.Rank()), k.lost || s.testified(c)
		if b := c.Binding; b != nil && !seen[[2]string{name, b.CI}] {
			seen[[2]string{name, b.CI}] = true
			k.items = append(k.items, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *firing) int {
		switch {
		case a.lost != b.lost && a.lost:
			return -1
		case a.lost != b.lost:
			return 1
		}
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(len(b.items), len(a.items)), a.first.Onset.Compare(b.first.Onset), strings.Compare(a.name, b.name))
	})
	return out
}

func (s *State) title(g *group) string {
	if g.Flood {
		return fmt.Sprintf("Flood of %d alerts without known connection, of %d kinds", len(g.Members), len(g.Classes))
	}
	kinds := s.kindsFiring(g)
	if len(kinds) == 0 {
		return g.ID
	}
	k := kinds[0]
	t := strings.Join(strings.Fields(k.name), " ")
	if t == "" {
		t = "alert " + k.first.ID
	}
	where := ownPlace(k.first)
	if len(k.items) > 0 {
		where = itemsInWords(k.items)
	}
	if where != "" {
		t += " on " + where
	}
	if n := s.itemsBeside(g, k.items); n > 0 {
		t += fmt.Sprintf(" and %d more affected", n)
	}
	return t
}

// itemsBeside counts the items of a group that are not among the given.
func (s *State) itemsBeside(g *group, items []*Binding) int {
	n := len(g.items)
	for _, b := range items {
		if i, ok := s.g.index[b.CI]; ok && g.items[i] > 0 {
			n--
		}
	}
	return n
}

// itemsInWords names items: one by its name, more by their number and class and the
// first of them.
func itemsInWords(items []*Binding) string {
	if len(items) == 1 {
		return items[0].Name
	}
	noun := plural(items[0].Class)
	for _, b := range items {
		if b.Class != items[0].Class {
			noun = "items"
			break
		}
	}
	var names []string
	for _, b := range items[:min(len(items), titleNames)] {
		names = append(names, b.Name)
	}
	if len(items) > titleNames {
		names = append(names, "…")
	}
	return fmt.Sprintf("%d %s (%s)", len(items), noun, strings.Join(names, ", "))
}

// plural of a class of items, as people say it.
func plural(class string) string {
	w := strings.ReplaceAll(class, "_", " ")
	switch {
	case strings.HasSuffix(w, "ch"), strings.HasSuffix(w, "s"), strings.HasSuffix(w, "x"):
		return w + "es"
	case strings.HasSuffix(w, "y") && !strings.HasSuffix(w, "ay"):
		return strings.TrimSuffix(w, "y") + "ies"
	}
	return w + "s"
}

// placeLabels say where an alert is that is about no known item, the nearest first.
var placeLabels = []string{"instance", "pod", "node", "host", "service", "namespace", "site", "cluster"}

// ownPlace is where an alert is by its own labels, for want of an item.
func ownPlace(c *canonical) string {
	for _, l := range placeLabels {
		if v := c.Labels.Get(l); v != "" {
			return v
		}
	}
	return ""
}
