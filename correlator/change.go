package correlator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Changes are suspects: what was changed just before a failure is likelier to be its
// cause. How much likelier depends on the kind of change, by how often changes of that
// kind came before incidents here.

const (
	// changeOdds is how much likelier an item is to be the cause right after a change
	// of it, and changeFades in how many minutes that fades.
	changeOdds  = 1.8
	changeFades = 15.0
	// kindMost bounds what experience with a kind of change adds to changeOdds; it may
	// take all of it. kindWeight is for how many changes of a kind what is known of all
	// kinds stands, and changeKinds how many kinds are told apart.
	kindMost    = 1.5
	kindWeight  = 5.0
	changeKinds = 200
	// changeBlamed is how long before the failure a change may lie to be blamed for it.
	changeBlamed = 30 * time.Minute
	changeLate   = 2 * time.Minute // clocks differ, and the first symptom may come before the change is told
)

func (s *State) change(e event.Event, c *event.Change) {
	id := s.meant(c.CI)
	at := e.At
	if !c.At.IsZero() && c.At.Before(at) {
		at = event.Instant(c.At)
	}
	ch := change{SuspectChange: SuspectChange{At: at, CI: id, Class: c.CI.Class, Name: c.CI.Name, Type: c.Type, Summary: c.Summary, Version: c.Version}}
	if n := s.g.nodes.Get(id); n != nil {
		ch.Class, ch.Name = n.Class, n.Name
	}
	key := fmt.Sprintf("%020d", e.Position)
	if e.Position == 0 {
		key = s.seq("change")
	}
	s.changes.Put(key, &ch)
	s.changesOn[id] = insert(s.changesOn[id], key, strings.Compare)
	s.observe(key, c, ch.SuspectChange)
	s.schedule(dueChange, key, &ch.Due, at.Add(changeMemory))
	k := s.kind(ch.kind())
	k.Made++
}

// changeMemory is how long a change stays a suspect.
const changeMemory = 6 * time.Hour

// change is a recent change on an item.
type change struct {
	SuspectChange
	Blamed bool      `json:"blamed,omitempty"` // an incident came after it: counted for its kind
	Due    time.Time `json:"due"`
}

// changeKind is what is known of a kind of change.
type changeKind struct {
	Made    float64 `json:"made"`              // changes
	Trouble float64 `json:"trouble,omitempty"` // those of them that an incident of their item followed
}

// kind is what changes of one sort share: what was done, to what class of item.
func (c *change) kind() string { return c.Type + " " + c.Class }

func (s *State) kind(name string) *changeKind {
	k := s.kinds.Get(name)
	if k == nil {
		if s.kinds.Len() >= changeKinds {
			s.forgetKind()
		}
		k = &changeKind{}
		s.kinds.Put(name, k)
	}
	s.kinds.Touch(name)
	return k
}

// forgetKind makes room: what was done least often is known least.
func (s *State) forgetKind() {
	rarest := ""
	for _, name := range s.kinds.Keys() {
		if rarest == "" || s.kinds.Get(name).Made < s.kinds.Get(rarest).Made {
			rarest = name
		}
	}
	s.kinds.Delete(rarest)
}

// blame counts the changes that a settled incident came after.
func (s *State) blame(g *group) {
	if g.sole() != "" {
		return // a lone alert is chance more often than not
	}
	for i := range named(g.Last.Causes, g.Last.CIs) {
		for _, key := range s.changesOn[i] {
			if c := s.changes.Get(key); !c.Blamed && c.justBefore(g.Onset) {
				c.Blamed = true
				s.changes.Touch(key)
				s.kind(c.kind()).Trouble++
			}
		}
	}
}

// weights tells by how much, in log odds, changes make their items likelier to be the
// cause of a failure that began at onset: by the share of changes of a kind that an
// incident followed, beside that of all changes, which stands for what little is known
// of a kind. All kinds are summed up once for as many changes as are asked about.
func (s *State) weights(onset time.Time) func(*change) float64 {
	sum := changeKind{Made: 2 * kindWeight, Trouble: 1} // before there is experience
	for _, k := range s.kinds.Keys() {
		x := s.kinds.Get(k)
		sum.Made, sum.Trouble = sum.Made+x.Made, sum.Trouble+x.Trouble
	}
	all := sum.Trouble / sum.Made
	return func(c *change) float64 {
		var k changeKind
		if x := s.kinds.Get(c.kind()); x != nil {
			k = *x
		}
		own := (k.Trouble + kindWeight*all) / (k.Made + kindWeight)
		odds := max(0, changeOdds+min(kindMost, math.Log(own/all)))
		return odds * math.Exp(-c.age(onset).Minutes()/changeFades)
	}
}

// tell says what was changed, and what is known of such changes.
func (s *State) tell(c *change, onset time.Time) string {
	text := fmt.Sprintf("%s %s before", c.Summary, event.Span(c.age(onset).Round(time.Minute)))
	if k := s.kinds.Get(c.kind()); k != nil && k.Trouble > 0 {
		text += fmt.Sprintf(" (an incident followed %.0f of %.0f such changes)", k.Trouble, k.Made)
	}
	return text
}

// age of a change when a failure began.
func (c *change) age(onset time.Time) time.Duration { return max(0, onset.Sub(c.At)) }

// justBefore says whether a change lies where it may be blamed for a failure.
func (c *change) justBefore(onset time.Time) bool {
	return !c.At.Before(onset.Add(-changeBlamed)) && !c.At.After(onset.Add(changeLate))
}

// changedBefore lists which of the items were changed shortly before a failure, with
// the last change of each.
func (s *State) changedBefore(items map[string]bool, onset time.Time) map[string]*change {
	if s.cfg.ignores("changes") {
		return nil
	}
	var out map[string]*change
	for _, c := range s.changesOf(items) {
		if c.justBefore(onset) && (out[c.CI] == nil || c.At.After(out[c.CI].At)) {
			if out == nil {
				out = map[string]*change{}
			}
			out[c.CI] = c
		}
	}
	return out
}

// changesOf lists the changes of the items, in the order in which they were told. It
// looks up the items' own: an estate may tell of very many changes in a few hours.
func (s *State) changesOf(items map[string]bool) []*change {
	if len(s.changesOn) == 0 {
		return nil
	}
	var keys []string
	for i := range items {
		keys = append(keys, s.changesOn[i]...)
	}
	slices.Sort(keys)
	out := make([]*change, len(keys))
	for n, k := range keys {
		out[n] = s.changes.Get(k)
	}
	return out
}

// named are the items of an assessment: its causes, and what is affected.
func named(causes []Cause, cis []string) map[string]bool {
	on := make(map[string]bool, len(causes)+len(cis))
	for _, c := range causes {
		on[c.CI] = true
	}
	for _, c := range cis {
		on[c] = true
	}
	return on
}

// suspects lists recent changes on the causes and the affected items, the likeliest first.
func (s *State) suspects(causes []Cause, cis []string, onset time.Time) []SuspectChange {
	var found []*change
	for _, c := range s.changesOf(named(causes, cis)) {
		if !c.At.After(onset.Add(5*time.Minute)) && onset.Sub(c.At) <= 2*time.Hour {
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		weight := s.weights(onset)
		slices.SortStableFunc(found, func(a, b *change) int {
			return cmp.Or(cmp.Compare(weight(b), weight(a)), b.At.Compare(a.At))
		})
	}
	var out []SuspectChange
	for _, c := range found[:min(len(found), 5)] {
		out = append(out, c.SuspectChange)
	}
	return out
}
