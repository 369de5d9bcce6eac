package correlator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

// How people name items: by id, as class:name, or by a name or alias alone. One
// resolver serves all who are told of items: maintenance, services, changes, commands.

// Resolve returns the item that a reference names, "" where no item goes by it or
// several do, which others then lists. A name is weighed before an alias, and its own
// writing before another.
func (s *State) Resolve(ref string) (id string, others []string) { return s.g.resolve(ref) }

func (g *graph) resolve(ref string) (id string, others []string) {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return "", nil
	}
	if g.nodes.Get(ref) != nil {
		return ref, nil
	}
	class, name, both := strings.Cut(ref, ":")
	hits := g.called(ref, "")
	if both && name != "" {
		hits = append(hits, g.called(name, class)...)
	}
	best := 0
	for _, h := range hits {
		best = max(best, h.rank)
	}
	for _, h := range hits {
		if h.rank == best && !slices.Contains(others, h.id) {
			others = append(others, h.id)
		}
	}
	if len(others) == 1 {
		return others[0], nil
	}
	return "", others
}

// hit is an item that goes by a name, the better the higher its rank.
type hit struct {
	id   string
	rank int
}

// called finds the items that go by a name, those of a class alone where one is given.
func (g *graph) called(name, class string) []hit {
	var out []hit
	for _, id := range g.alias[canonicalName(name)] {
		n := g.nodes.Get(id)
		if n == nil || class != "" && !strings.EqualFold(n.Class, class) {
			continue
		}
		h := hit{id, 1}
		switch {
		case n.Name == name:
			h.rank = 3
		case strings.EqualFold(n.Name, name):
			h.rank = 2
		}
		out = append(out, h)
	}
	return out
}

// References are the forms in which people may name an item, in lower case: what is
// looked up by them is to be resolved, because several items may share one.
func (s *State) References(id string) []string {
	out := []string{strings.ToLower(id)}
	n := s.g.nodes.Get(id)
	if n == nil {
		return out
	}
	for _, a := range n.Aliases {
		out = append(out, a, strings.ToLower(n.Class)+":"+a)
	}
	return out
}

// nearMost is how many names a mistyped one is answered with.
const nearMost = 3

// Near lists items whose names a mistyped reference may have meant, as class:name,
// the nearest first. It walks all items: for commands, not for alerts.
func (s *State) Near(ref string) []string {
	class, name, both := strings.Cut(strings.ToLower(ref), ":")
	if !both {
		class, name = "", class
	}
	type place struct {
		text string
		far  int
	}
	var found []place
	for _, id := range s.g.nodes.Keys() {
		n := s.g.nodes.Get(id)
		far := distance(name, strings.ToLower(n.Name), 1+len(name)/4)
		if far < 0 {
			continue
		}
		if class != "" && !strings.EqualFold(n.Class, class) {
			far += 2 // another class is a worse guess than another letter or two
		}
		found = append(found, place{n.Class + ":" + n.Name, far})
	}
	slices.SortFunc(found, func(a, b place) int { return cmp.Or(cmp.Compare(a.far, b.far), strings.Compare(a.text, b.text)) })
	var out []string
	for _, f := range found {
		if !slices.Contains(out, f.text) && len(out) < nearMost {
			out = append(out, f.text)
		}
	}
	return out
}

// distance is by how many letters two words differ, -1 for more than most.
func distance(a, b string, most int) int {
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return -1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			was := row[j+1]
			step := diagonal
			if a[i] != b[j] {
				step = 1 + min(diagonal, was, row[j])
			}
			row[j+1], diagonal = step, was
			least = min(least, step)
		}
		if least > most {
			return -1
		}
	}
	if row[len(b)] > most {
		return -1
	}
	return row[len(b)]
}

// meant is the id of what a fact is about: facts from elsewhere name items as they
// like. What is not known keeps its own key, until an item goes by it.
func (s *State) meant(r event.Ref) string {
	if id, _ := s.g.resolve(r.Key()); id != "" {
		return id
	}
	return r.Key()
}

// arrived gives an item what named it before it was known: recent changes, and
// windows of maintenance.
func (s *State) arrived(id string) {
	n := s.g.nodes.Get(id)
	if n == nil || len(s.changesOn) == 0 && s.windows.Len() == 0 {
		return
	}
	for _, ref := range s.unnamed(id) {
		for _, key := range s.changesOn[ref] {
			c := s.changes.Get(key)
			c.CI, c.Class, c.Name = id, n.Class, n.Name
			s.changes.Touch(key)
			s.changesOn[id] = insert(s.changesOn[id], key, strings.Compare)
		}
		delete(s.changesOn, ref)
		for _, k := range s.windows.Keys() {
			w := s.windows.Get(k)
			for n, ci := range w.CIs {
				if ci == ref {
					w.CIs[n] = id
					s.windows.Touch(k)
				}
			}
		}
	}
}

// unnamed are the forms of an item that lead to it and are no item of their own.
func (s *State) unnamed(id string) []string {
	var out []string
	n := s.g.nodes.Get(id)
	for _, ref := range append(s.References(id), n.Class+":"+n.Name, n.Name) {
		if ref == id || s.g.nodes.Get(ref) != nil || slices.Contains(out, ref) {
			continue
		}
		if to, _ := s.g.resolve(ref); to == id {
			out = append(out, ref)
		}
	}
	return out
}

// Serves says whether an item of that name was given a criticality: people speak of it
// as a service, whatever its class.
func (s *State) Serves(name string) bool {
	return slices.ContainsFunc(s.g.called(name, ""), func(h hit) bool { n := s.g.nodes.Get(h.id); return n.Name == name && n.Criticality != "" })
}
