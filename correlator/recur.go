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

// profile is what an incident is remembered by: what was suspected, of which
// classes its alerts were and what they were about. Not the whole set of alerts:
// symptoms differ each time.
type profile struct {
	Title   string         `json:"title"`
	At      time.Time      `json:"at"`
	Middle  time.Time      `json:"middle"`           // of its alerts
	Causes  []suspicion    `json:"causes,omitempty"` // best first, with their scores
	Classes map[string]int `json:"classes"`
	Items   []string       `json:"items,omitempty"`   // sorted; only what alerts name as their place
	Placed  float64        `json:"placed,omitempty"`  // share of its alerts that name a place
	Changes []string       `json:"changes,omitempty"` // versions that came just before it
	Alone   string         `json:"alone,omitempty"`   // the identity of its only alert
	Story   string         `json:"story,omitempty"`   // what all its alerts tell, where it is one: see storyOf
	Ended   time.Time      `json:"ended,omitzero"`    // when it was resolved
	Family  string         `json:"family,omitempty"`  // the first incident of its kind
	Problem string         `json:"problem,omitempty"` // on the family's first: the problem they share
	Count   int            `json:"count,omitempty"`   // on the family's first: incidents so far
	Members []string       `json:"members,omitempty"` // on the family's first: newest last, at most familyKeep
	Settled bool           `json:"settled,omitempty"` // counted for its family
	Due     time.Time      `json:"due,omitzero"`

	sorted []string // classes in order
	keys   []string // under which it is found
	kin    string   // the family that its classes are counted for
}

const (
	profileItems   = 64
	profileClasses = 24
	familyKeep     = 50
	lookback       = 60 // profiles compared per key, the newest
	// kinLookback is how many of one family are compared per key: its newest tell, and
	// what recurs daily must not hide what recurs monthly.
	kinLookback = 3
	// memorySpans is for how many problem windows an incident is remembered: what comes
	// once a month is to be recognised.
	memorySpans = 4
	// settleAfter is how long after its opening an incident is told to be a
	// recurrence for good: by then most of what it does is seen.
	settleAfter = 45 * time.Minute
	// apart is how long after the middle of an earlier incident's alerts another
	// must begin to be it again: before that it is a part of the same storm.
	apart = 45 * time.Minute
)

// remember brings an incident's profile up to date with its assessment.
func (s *State) remember(g *group) *profile {
	p := s.profiles.Get(g.ID)
	if p == nil {
		p = &profile{At: g.OpenedAt}
		s.profiles.Put(g.ID, p)
		s.schedule(dueProfile, g.ID, &p.Due, s.now.Add(s.memory()))
	}
	p.Title, p.Middle = g.Last.Title, g.Middle
	p.Causes = append(p.Causes[:0], g.Ranked...)
	p.Classes = maps.Clone(g.Classes)
	p.Items, p.Changes = p.Items[:0], p.Changes[:0]
	placed, seen := 0, 0
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if seen++; broad(c) {
			continue // what runs on all machines, or a whole cluster, is no place
		}
		placed++
		p.Items = append(p.Items, c.Binding.CI)
	}
	p.Placed = quantise(float64(placed) / float64(max(1, seen)))
	slices.Sort(p.Items)
	p.Items = slices.Compact(p.Items)
	p.Items = p.Items[:min(len(p.Items), profileItems)]
	for _, c := range g.Last.Changes {
		if c.Version != "" {
			p.Changes = insert(p.Changes, c.Type+" "+strings.ReplaceAll(c.Summary, c.Name, "")+" "+c.Version, strings.Compare)
		}
	}
	p.Alone, p.Story = g.sole(), s.commonStory(g)
	s.indexProfile(g.ID, p)
	s.profiles.Touch(g.ID)
	return p
}

// indexProfile lists a profile under its suspects and its classes, and takes it
// from where it was listed before.
func (s *State) indexProfile(id string, p *profile) {
	p.sorted = p.sorted[:0]
	for k := range p.Classes {
		p.sorted = append(p.sorted, k)
	}
	slices.Sort(p.sorted)
	keys := make([]string, 0, 1+len(p.Causes)+len(p.sorted))
	if p.Story != "" {
		keys = append(keys, storyKey+p.Story)
	}
	for _, c := range p.Causes {
		keys = append(keys, c.CI)
	}
	for _, k := range p.sorted[:min(len(p.sorted), profileClasses)] {
		keys = append(keys, classKey+k)
	}
	kin := cmp.Or(p.Family, id)
	if slices.Equal(keys, p.keys) && kin == p.kin {
		return
	}
	s.unindexProfile(id, p)
	p.keys, p.kin = keys, kin
	s.pairUp(keys, 1)
	s.countKin(p, 1)
	for _, k := range keys {
		s.byProfile[k] = insert(s.byProfile[k], id, strings.Compare)
	}
}

// countKin counts the families that had a kind of alert: how often one of them came
// back says nothing of how common its kinds are.
func (s *State) countKin(p *profile, n int) {
	if p.kin == "" {
		return
	}
	count := func(of map[string]int) map[string]int {
		if of == nil {
			of = map[string]int{}
		}
		if of[p.kin] += n; of[p.kin] == 0 {
			delete(of, p.kin)
		}
		return of
	}
	s.families = count(s.families)
	for _, k := range p.keys {
		if !strings.HasPrefix(k, classKey) {
			continue
		}
		if of := count(s.kinOf[k]); len(of) > 0 {
			s.kinOf[k] = of
		} else {
			delete(s.kinOf, k)
		}
	}
}

// memory is how long an incident is remembered, if nothing like it comes.
func (s *State) memory() time.Duration { return memorySpans * time.Duration(s.cfg.ProblemWindow) }

// classKey begins the keys that are classes, storyKey those that are stories: no
// item's id does.
const (
	classKey = "\x00"
	storyKey = "\x01"
)

func (s *State) unindexProfile(id string, p *profile) {
	for _, k := range p.keys {
		remove(s.byProfile, k, id, strings.Compare)
	}
	s.pairUp(p.keys, -1)
	s.countKin(p, -1)
	p.keys, p.kin = nil, ""
}

// profileDue forgets what nothing came back to. Of a family the first is kept, which
// counts for all, as long as any of it.
func (s *State) profileDue(id string) {
	p := s.profiles.Get(id)
	if p.Family == id {
		for _, m := range p.Members {
			if x := s.profiles.Get(m); m != id && x != nil && x.Due.After(s.now) {
				s.schedule(dueProfile, id, &p.Due, x.Due.Add(time.Millisecond))
				s.profiles.Touch(id)
				return
			}
		}
	}
	s.forgetProfile(id)
}

func (s *State) forgetProfile(id string) {
	if p := s.profiles.Get(id); p != nil {
		s.unindexProfile(id, p)
		s.profiles.Delete(id)
	}
}

// mergeProfile lets an incident stand for another that became a part of it: what
// pointed at that one points at it, and its family, if it began one, goes on.
func (s *State) mergeProfile(from, into string) {
	p := s.profiles.Get(from)
	if p == nil {
		return
	}
	// Whatever points at it is listed where it is.
	var near []string
	for _, k := range p.keys {
		near = append(near, s.byProfile[k]...)
	}
	slices.Sort(near)
	s.forgetProfile(from)
	for _, k := range slices.Compact(near) {
		if g := s.groups.Get(k); g != nil && g.SeenBefore == from {
			if g.SeenBefore = into; k == into {
				g.SeenBefore, g.Alike = "", 0
			}
			s.groups.Touch(k)
			if !g.Held {
				s.touchGroup(k, "")
			}
		}
	}
	o := s.profiles.Get(into)
	if o == nil || p.Family != from {
		return
	}
	if o.Family == "" { // it continues the family under its own name
		o.Family, o.Settled = into, true
		s.indexProfile(into, o)
		if g := s.groups.Get(into); g != nil {
			s.schedule(dueSettle, into, &g.SettleDue, time.Time{})
			s.groups.Touch(into)
			if g.Problem == "" && p.Problem != "" {
				g.Problem = p.Problem
				s.emit(ProblemJoined{p.Problem, into, "takes over " + from})
			}
		}
	}
	root := o
	if r := s.profiles.Get(o.Family); r != nil {
		root = r
	}
	if root.Count == 0 {
		root.Count, root.Members = 1, []string{o.Family}
	}
	for _, m := range p.Members {
		if x := s.profiles.Get(m); x != nil && m != from && x.Family == from {
			x.Family = o.Family
			s.indexProfile(m, x)
			s.profiles.Touch(m)
			root.Count++
			root.Members = append(root.Members, m)
		}
	}
	if root.Problem == "" {
		root.Problem = p.Problem
	}
	s.profiles.Touch(o.Family)
	s.profiles.Touch(into)
}

// rarity of a class among the incidents that are remembered: what few of them had
// tells more of what an incident is than what comes with every failure.
func (s *State) rarity(class string) float64 {
	return math.Log(float64(len(s.families)+unseen) / (float64(len(s.kinOf[classKey+class])) + 0.5))
}

// unseen is how many incidents stand for experience before there is any: among the
// first few, no kind of alert can be told to be common.
const unseen = 20

// likeness is what two incidents have in common, each from 0 to 1.
type likeness struct {
	classes float64 // kinds of alerts, the rare ones first
	causes  float64 // suspects, by how much they are suspected
	items   float64 // places
	known   float64 // what the shared kinds of alerts tell together
	alone   bool    // one of them is a single alert
	same    bool    // both are the same alert
	sibling string  // why another item counts as the same place
}

// The weights of likenesses are the coefficients of a logistic regression over
// pairs of incidents of the recordings in docs/recurrence.md, each set judged by
// what the others taught. They are rounded: nothing hangs on the second digit.
const (
	alikeBase    = -4.5
	alikeClasses = 3.6
	alikeCauses  = 1.1
	alikeItems   = 2.4
	alikeAlone   = -4.0
	alikeKnown   = 1.9
	// alikeFrom is the probability from which an earlier incident is pointed at, and
	// sureAlike that from which a second time is a problem already.
	alikeFrom = 0.55
	sureAlike = 0.55
	// sameStory is how surely an alert that was an incident by itself is that
	// incident again: no other reading is left, but what fails may differ.
	sameStory = 0.9
	// leastKnown is what the shared kinds of alerts must tell together, in nats.
	leastKnown = 1.2
	// wellKnown is from where they tell all that they can.
	wellKnown = 4.0
	// minCauses and minItems are the least of causes or items that two incidents must share: kinds
	// of alerts alone say what fails, not that the same thing does.
	minCauses, minItems = 0.3, 0.25
)

// probability that it is the same failure again.
func (l likeness) probability() float64 {
	if l.same {
		return sameStory
	}
	causes, items := l.causes, l.items
	if l.sibling != "" {
		causes, items = 1, 0.35
	}
	x := alikeBase + alikeClasses*l.classes + alikeCauses*causes + alikeItems*items + alikeKnown*l.known
	if l.alone {
		x += alikeAlone
	}
	return quantise(1 / (1 + math.Exp(-x)))
}

// alike compares two incidents. It returns false where they share too little for
// the question to arise.
func (s *State) alike(a, b *profile) (likeness, bool) {
	l := likeness{alone: a.Alone != "" || b.Alone != ""}
	if a.Story != "" && a.Story == b.Story {
		l.same, l.classes, l.items = true, 1, 1
		return l, true
	}
	// Alerts without a place happen with every failure of their cluster.
	if a.Placed < 0.5 || b.Placed < 0.5 {
		return l, false
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
	if na > 0 && nb > 0 {
		l.causes = dot / math.Sqrt(na*nb)
	}
	shared := 0
	for _, i := range a.Items {
		if _, ok := slices.BinarySearch(b.Items, i); ok {
			shared++
		}
	}
	if n := len(a.Items) + len(b.Items) - shared; n > 0 {
		l.items = float64(shared) / float64(n)
	}
	somewhere := l.causes >= minCauses || l.items >= minItems
	if !somewhere && (l.alone || s.sibling(a, b) == "") {
		return l, false
	}
	var known float64
	var rarest, missed float64
	l.classes, known, rarest, missed = s.classLikeness(a, b)
	l.known = min(known, wellKnown) / wellKnown
	if known < leastKnown {
		return l, false
	}
	if !somewhere {
		if l.classes < siblingClasses || known < siblingKnown || missed-rarest > siblingMissed {
			return l, false
		}
		l.sibling = s.sibling(a, b)
	}
	return l, true
}

// classLikeness compares the kinds of alerts. known is how much the shared ones
// tell, in nats; rarest is the rarity of the rarest shared one, missed that of the
// rarest that only one of the two had.
func (s *State) classLikeness(a, b *profile) (cosine, known, rarest, missed float64) {
	var dot, na, nb float64
	value := func(n int, rarity float64) float64 { return (1 + math.Log(float64(n))) * rarity }
	i, j := 0, 0
	for i < len(a.sorted) || j < len(b.sorted) {
		switch {
		case j == len(b.sorted) || i < len(a.sorted) && a.sorted[i] < b.sorted[j]:
			r := s.rarity(a.sorted[i])
			x := value(a.Classes[a.sorted[i]], r)
			na += x * x
			missed = max(missed, r)
			i++
		case i == len(a.sorted) || b.sorted[j] < a.sorted[i]:
			r := s.rarity(b.sorted[j])
			y := value(b.Classes[b.sorted[j]], r)
			nb += y * y
			missed = max(missed, r)
			j++
		default:
			r := s.rarity(a.sorted[i])
			x, y := value(a.Classes[a.sorted[i]], r), value(b.Classes[b.sorted[j]], r)
			dot, na, nb = dot+x*y, na+x*x, nb+y*y
			known += min(3, max(0, r-0.5))
			rarest = max(rarest, r)
			i, j = i+1, j+1
		}
	}
	if na > 0 && nb > 0 {
		cosine = dot / math.Sqrt(na*nb)
	}
	return cosine, known, rarest, missed
}

// recognise looks for the earlier incident that this one resembles most.
// It returns what to tell of a changed answer.
func (s *State) recognise(g *group) string {
	if g.Beat != "" || g.Flood || len(g.Members) == 0 {
		return ""
	}
	p := s.remember(g)
	if p.Settled {
		return ""
	}
	best, like, odds := s.earlier(g.ID, p)
	before := g.SeenBefore
	g.SeenBefore, g.Alike = "", 0
	if odds >= alikeFrom {
		g.SeenBefore, g.Alike = best, odds
	}
	s.groups.Touch(g.ID)
	if g.SeenBefore == before {
		return ""
	}
	g.Last.SeenBefore = g.SeenBefore
	if g.SeenBefore == "" {
		return before + " is no longer taken for an earlier occurrence"
	}
	return fmt.Sprintf("seen before: %s (probability %.2f): %s", g.SeenBefore, g.Alike, s.likenessText(p, s.profiles.Get(best), like))
}

// earlier finds the incident that p repeats most probably.
func (s *State) earlier(self string, p *profile) (best string, like likeness, odds float64) {
	keys := make([]string, 0, 8)
	if p.Story != "" {
		keys = append(keys, storyKey+p.Story)
	}
	for _, c := range p.Causes {
		keys = append(keys, c.CI)
	}
	// The rarest classes find siblings and what was blamed on another item then.
	classes := slices.Clone(p.sorted)
	slices.SortStableFunc(classes, func(a, b string) int { return cmp.Compare(s.rarity(b), s.rarity(a)) })
	for _, k := range classes[:min(len(classes), 3)] {
		keys = append(keys, classKey+k)
	}
	seen := map[string]bool{self: true}
	for _, k := range keys {
		ids := s.byProfile[k]
		kin := map[string]int{}
		for n, looked := len(ids)-1, 0; n >= 0 && looked < lookback; n-- {
			id := ids[n]
			o := s.profiles.Get(id)
			if o == nil || kin[o.kin] >= kinLookback || !s.before(o, p) {
				continue
			}
			kin[o.kin]++
			looked++
			if seen[id] {
				continue
			}
			seen[id] = true
			l, ok := s.alike(p, o)
			if !ok {
				continue
			}
			if v := l.probability(); v > odds || v == odds && id > best {
				best, like, odds = id, l, v
			}
		}
	}
	return best, like, odds
}

// before says whether one incident may be an earlier occurrence of another: it was
// over, or it began so long before that both are no parts of one storm.
func (s *State) before(o, p *profile) bool {
	if o.Story != "" && o.Story == p.Story && !o.Ended.IsZero() && !o.Ended.After(p.At) {
		return true
	}
	return p.At.Sub(o.Middle) >= apart
}

// overAt notes when an incident was resolved; zero: it goes on.
func (s *State) overAt(g *group, at time.Time) {
	if p := s.profiles.Get(g.ID); p != nil {
		p.Ended = at
		s.profiles.Touch(g.ID)
	}
}

// likenessText says what two incidents share.
func (s *State) likenessText(a, b *profile, l likeness) string {
	var parts []string
	switch {
	case l.same:
		return "the same alert and no other"
	case l.sibling != "":
		parts = append(parts, l.sibling)
	case len(a.Causes) > 0 && len(b.Causes) > 0 && a.Causes[0].CI == b.Causes[0].CI:
		parts = append(parts, "the same likely cause "+s.g.name(a.Causes[0].CI))
	case l.causes >= minCauses:
		parts = append(parts, "suspects in common")
	}
	var both []string
	for _, k := range a.sorted {
		if b.Classes[k] > 0 {
			both = append(both, k)
		}
	}
	slices.SortStableFunc(both, func(x, y string) int { return cmp.Compare(s.rarity(y), s.rarity(x)) })
	if len(both) > 0 {
		parts = append(parts, "the same kinds of alerts ("+strings.Join(both[:min(len(both), 3)], ", ")+")")
	}
	if l.items > 0 {
		parts = append(parts, fmt.Sprintf("%.0f %% of the affected items", 100*l.items))
	}
	return strings.Join(parts, ", ")
}

// settle counts an incident for its family and opens a problem where it is due.
func (s *State) settle(g *group) {
	p := s.profiles.Get(g.ID)
	if p == nil || p.Settled || g.Beat != "" {
		return
	}
	s.recognise(g)
	p.Settled = true
	s.blame(g)
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
	s.indexProfile(g.ID, p)
	if first.Count == 0 && root != g.ID {
		first.Count, first.Members, first.Family = 1, []string{root}, root
	}
	if root != g.ID { // the family lives as long as it comes back
		s.schedule(dueProfile, root, &first.Due, latest(first.Due, s.now.Add(s.memory())))
	}
	first.Count++
	if first.Members = append(first.Members, g.ID); len(first.Members) > familyKeep {
		first.Members = slices.Delete(first.Members, 1, 2)
	}
	s.profiles.Touch(root)
	if root == g.ID {
		return
	}
	switch {
	case first.Problem != "":
		g.Problem = first.Problem
		s.emit(ProblemJoined{first.Problem, g.ID, fmt.Sprintf("like %s (%.2f): the same cause and kind of alerts again", g.SeenBefore, g.Alike)})
	case first.Count >= s.cfg.ProblemAfter || first.Count == 2 && g.Alike >= sureAlike && p.Alone == "":
		first.Problem = s.seq("problem")
		g.Problem = first.Problem
		s.emit(ProblemOpened{first.Problem, first.Title, root, slices.Clone(first.Members),
			fmt.Sprintf("%d incidents of one kind since %s, the last with probability %.2f", first.Count, first.At.UTC().Format(time.DateOnly), g.Alike)})
	}
}

// recovery is the last change on what an incident is about, or on its suspected
// causes, while it was going on: what its end may be owed to.
func (s *State) recovery(g *group) *SuspectChange {
	var last *SuspectChange
	for _, c := range s.changesOf(named(g.Last.Causes, g.Last.CIs)) {
		if c.At.After(g.OpenedAt) && !c.At.After(s.now) && (last == nil || c.At.After(last.At)) {
			last = &c.SuspectChange
		}
	}
	if last == nil {
		return nil
	}
	x := *last
	return &x
}
