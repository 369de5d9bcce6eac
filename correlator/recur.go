package correlator

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// profile is what an incident is remembered by: what was suspected, of which
// classes its alerts were and what they were about. Not the whole set of alerts:
// symptoms differ each time.
type profile struct {
	Title   string         `json:"title"`
	At      time.Time      `json:"at"`
	Causes  []suspicion    `json:"causes,omitempty"` // best first, with their scores
	Classes map[string]int `json:"classes"`
	Items   []string       `json:"items,omitempty"`   // sorted
	Alone   string         `json:"alone,omitempty"`   // the identity of its only alert
	Family  string         `json:"family,omitempty"`  // the first incident of its kind
	Problem string         `json:"problem,omitempty"` // on the family's first: the problem they share
	Count   int            `json:"count,omitempty"`   // on the family's first: incidents so far
	Members []string       `json:"members,omitempty"` // on the family's first: newest last, at most familyKeep
	Settled bool           `json:"settled,omitempty"` // counted for its family
	Due     time.Time      `json:"due,omitzero"`
}

const (
	profileItems = 64
	familyKeep   = 50
	alikeFrom    = 0.6 // likeness from which an incident counts as seen before
	lookback     = 60  // profiles compared per key, the newest
	// settleAfter is how long after its opening an incident is told to be a
	// recurrence for good: by then most of what it does is seen.
	settleAfter = 45 * time.Minute
)

// remember brings an incident's profile up to date with its assessment.
func (s *State) remember(g *group) *profile {
	p := s.profiles.Get(g.ID)
	if p == nil {
		p = &profile{At: g.OpenedAt}
		s.profiles.Put(g.ID, p)
		s.schedule(dueProfile, g.ID, &p.Due, s.now.Add(time.Duration(s.cfg.ProblemWindow)))
	}
	s.unindexProfile(g.ID, p)
	p.Title = g.Last.Title
	p.Causes = p.Causes[:0]
	p.Causes = append(p.Causes, g.Ranked...)
	p.Classes = make(map[string]int, len(g.Classes))
	for k, n := range g.Classes {
		p.Classes[k] = n
	}
	p.Items = p.Items[:0]
	for i := range g.items {
		p.Items = append(p.Items, s.g.ids[i])
	}
	slices.Sort(p.Items)
	p.Items = p.Items[:min(len(p.Items), profileItems)]
	p.Alone = s.solo(g)
	s.indexProfile(g.ID, p)
	s.profiles.Touch(g.ID)
	return p
}

// keys under which a profile is looked for: its suspects and its commonest class.
func (p *profile) keys() []string {
	out := make([]string, 0, 4)
	for _, c := range p.Causes {
		out = append(out, c.CI)
	}
	best := ""
	for k, n := range p.Classes {
		if b := p.Classes[best]; n > b || n == b && k < best {
			best = k
		}
	}
	return append(out, "\x00"+best)
}

func (s *State) indexProfile(id string, p *profile) {
	for _, k := range p.keys() {
		s.byProfile[k] = insert(s.byProfile[k], id, strings.Compare)
	}
}

func (s *State) unindexProfile(id string, p *profile) {
	if len(p.Classes) == 0 {
		return
	}
	for _, k := range p.keys() {
		remove(s.byProfile, k, id, strings.Compare)
	}
}

func (s *State) forgetProfile(id string) {
	if p := s.profiles.Get(id); p != nil {
		s.unindexProfile(id, p)
		s.profiles.Delete(id)
	}
}

// weightOf a class in comparisons: rare classes tell more.
func (s *State) weightOf(class string) float64 { return 0.3 - math.Log(s.classShare(class)) }

// alike compares two incidents: 0 have nothing in common, 1 are the same again.
func (s *State) alike(a, b *profile) float64 {
	if a.Alone != "" || b.Alone != "" {
		if a.Alone == b.Alone {
			return 1
		}
		return 0
	}
	classes := s.classCosine(a, b)
	shared := 0
	for _, i := range a.Items {
		if _, ok := slices.BinarySearch(b.Items, i); ok {
			shared++
		}
	}
	items := 0.0
	if n := len(a.Items) + len(b.Items) - shared; n > 0 {
		items = min(1, 2*float64(shared)/float64(n))
	}
	if len(a.Causes) == 0 && len(b.Causes) == 0 {
		return quantise(0.65*classes + 0.35*items)
	}
	var dot, na, nb float64
	for _, x := range a.Causes {
		na += x.Gain * x.Gain
		for _, y := range b.Causes {
			if x.CI == y.CI {
				dot += x.Gain * y.Gain
			}
		}
	}
	for _, y := range b.Causes {
		nb += y.Gain * y.Gain
	}
	causes := 0.0
	if na > 0 && nb > 0 {
		causes = dot / math.Sqrt(na*nb)
	}
	return quantise(0.45*causes + 0.35*classes + 0.2*items)
}

func (s *State) classCosine(a, b *profile) float64 {
	var dot, na, nb float64
	value := func(p *profile, class string) float64 {
		n := p.Classes[class]
		if n == 0 {
			return 0
		}
		return (1 + math.Log(float64(n))) * s.weightOf(class)
	}
	for _, class := range sortedKeys(a.Classes) {
		x, y := value(a, class), value(b, class)
		dot += x * y
		na += x * x
	}
	for _, class := range sortedKeys(b.Classes) {
		y := value(b, class)
		nb += y * y
	}
	if na == 0 || nb == 0 {
		return 0
	}
	return dot / math.Sqrt(na*nb)
}

func sortedKeys(m map[string]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// recognise looks for the earlier incident that this one resembles most.
// It returns what to tell of a changed answer.
func (s *State) recognise(g *group) string {
	if g.Beat != "" || len(g.Members) == 0 {
		return ""
	}
	p := s.remember(g)
	if p.Settled {
		return ""
	}
	type found struct {
		id   string
		odds float64
	}
	var best found
	seen := map[string]bool{g.ID: true}
	for _, k := range p.keys() {
		ids := s.byProfile[k]
		for n := len(ids) - 1; n >= 0 && n >= len(ids)-lookback; n-- {
			id := ids[n]
			if seen[id] {
				continue
			}
			seen[id] = true
			o := s.profiles.Get(id)
			if o == nil || !o.At.Before(p.At) || s.overlaps(id, p) {
				continue
			}
			if v := s.alike(p, o); v > best.odds || v == best.odds && id > best.id {
				best = found{id, v}
			}
		}
	}
	before := g.SeenBefore
	g.SeenBefore, g.Alike = "", 0
	if best.odds >= alikeFrom {
		g.SeenBefore, g.Alike = best.id, best.odds
	}
	s.groups.Touch(g.ID)
	if g.SeenBefore == before {
		return ""
	}
	g.Last.SeenBefore = g.SeenBefore
	if g.SeenBefore == "" {
		return before + " is no longer taken for an earlier occurrence"
	}
	return fmt.Sprintf("seen before: %s was alike (%.2f)", g.SeenBefore, g.Alike)
}

// overlaps says whether the other incident was still going on when this one
// began: then it is no earlier occurrence but a part, or a neighbour.
func (s *State) overlaps(id string, p *profile) bool {
	g := s.groups.Get(id)
	return g != nil && g.live() && g.ClearedAt.IsZero() && p.At.Sub(g.Middle) < 2*settleAfter
}

// settle counts an incident for its family and opens a problem where it is due.
func (s *State) settle(g *group) {
	p := s.profiles.Get(g.ID)
	if p == nil || p.Settled || g.Beat != "" {
		return
	}
	s.recognise(g)
	p.Settled = true
	s.schedule(dueSettle, g.ID, &g.SettleDue, time.Time{})
	s.profiles.Touch(g.ID)
	s.groups.Touch(g.ID)
	root := g.ID
	if g.SeenBefore != "" {
		root = g.SeenBefore
		for range 100 {
			o := s.profiles.Get(root)
			if o == nil || o.Family == "" || o.Family == root {
				break
			}
			root = o.Family
		}
	}
	first := s.profiles.Get(root)
	if first == nil {
		root, first = g.ID, p
	}
	p.Family = root
	if first.Count == 0 && root != g.ID {
		first.Count, first.Members, first.Family = 1, []string{root}, root
	}
	first.Count++
	if first.Members = append(first.Members, g.ID); len(first.Members) > familyKeep {
		first.Members = slices.Delete(first.Members, 1, 2)
	}
	s.profiles.Touch(root)
	if root == g.ID || p.Alone != "" {
		return
	}
	window := time.Duration(s.cfg.ProblemWindow)
	switch {
	case first.Problem != "":
		g.Problem = first.Problem
		s.emit(ProblemJoined{first.Problem, g.ID, fmt.Sprintf("like %s (%.2f): the same cause and kind of alerts again", g.SeenBefore, g.Alike)})
	case first.Count >= s.cfg.ProblemAfter || first.Count == 2 && g.Alike >= sureAlike:
		first.Problem = s.seq("problem")
		g.Problem = first.Problem
		s.emit(ProblemOpened{first.Problem, first.Title, root, slices.Clone(first.Members),
			fmt.Sprintf("%d incidents of one kind within %s, alike by %.2f", first.Count, window, g.Alike)})
	}
}

// sureAlike is the likeness from which a second incident is a problem already.
const sureAlike = 0.65
