package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/watchbill/watchbill/internal/event"
)

// Work that nobody announced here, but that was seen: an item rebooted, packages
// were exchanged on it, or people silenced it in their Alertmanager.

const (
	// rebootSettles and packagesSettle are how long the alerts of such work may take to
	// clear: what fires longer is no part of it.
	rebootSettles  = 10 * time.Minute
	packagesSettle = 5 * time.Minute
	// observedEarly is how much earlier than the work was told its alerts may begin: an
	// agent tells of a reboot when it is over.
	observedEarly = 10 * time.Minute
	// ballMax bounds how many items a search visits: an unbounded one would make one
	// change's cost grow with the estate.
	ballMax = 2000
)

// observe makes a short window of a change that brings alerts by its nature. Of
// packages, it explains no critical alert: services restart, machines do not.
func (s *State) observe(key string, c *event.Change, ch SuspectChange) {
	w := &window{CIs: []string{ch.CI}, StartsAt: s.now, Observed: true}
	switch {
	case c.Type == "rebooted":
		w.Summary, w.EndsAt, w.Down = "a reboot", s.now.Add(rebootSettles), true
	case strings.HasPrefix(c.Type, "package_"):
		w.Summary, w.EndsAt = "a package transaction", s.now.Add(packagesSettle)
	default:
		return
	}
	if s.g.nodes.Get(ch.CI) == nil {
		return
	}
	key = "observed/" + key
	w.Group = group{ID: heldPrefix + "window/" + key, Held: true}
	s.windows.Put(key, w)
	s.schedule(dueWindow, key, &w.Due, w.EndsAt)
}

// silence takes the silence of an item for a maintenance of it. One that names a
// rule says that the rule is not wanted, not that the item is worked on.
func (s *State) silence(e event.Event, b *event.Silence) {
	m := &event.Maintenance{ID: "silence/" + e.Source + "/" + b.ID, StartsAt: b.StartsAt, EndsAt: b.EndsAt, Canceled: b.Ended}
	m.Summary = fmt.Sprintf("silenced by %s", b.CreatedBy)
	if b.Comment != "" {
		m.Summary += ": " + b.Comment
	}
	named := map[string]string{}
	for _, t := range b.Matchers {
		x, err := parseMatcher(t)
		if err != nil || x.Name == "alertname" {
			m.Canceled = true // it may have been another one before
			break
		}
		if x.Type == labels.MatchEqual {
			named[x.Name] = x.Value
		}
	}
	if !m.Canceled {
		for _, l := range append([]event.Labels{event.LabelsFrom(named)}, b.Muted...) {
			c := &canonical{Labels: l}
			if c.Binding, _ = s.g.bind(l, ""); c.Binding == nil || broad(c) {
				continue
			}
			if r := (event.Ref{ID: c.Binding.CI}); !slices.Contains(m.CIs, r) {
				m.CIs = append(m.CIs, r)
			}
		}
		if len(m.CIs) == 0 {
			return
		}
	}
	s.maintenance(e, m)
}

// Expected are the items whose alerts work on the given ones explains without
// further evidence: what needs them. Sorted by name.
func (s *State) Expected(cis []string) []string {
	seen := map[string]bool{}
	front := slices.Clone(cis)
	for _, c := range cis {
		seen[c] = true
	}
	for len(front) > 0 && len(seen) < ballMax {
		var next []string
		for _, id := range front {
			for _, e := range s.g.needed[id] {
				if seen[e.From] || !tight(e, s.g) {
					continue
				}
				seen[e.From] = true
				if s.explains(cis, e.From) {
					next = append(next, e.From)
				} else {
					seen[e.From] = false // it may be reached on a better way
				}
			}
		}
		front = next
	}
	var out []string
	for id, in := range seen {
		if in && s.g.nodes.Get(id) != nil {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(s.g.name(a)+"\x00"+a, s.g.name(b)+"\x00"+b) })
	return out
}

// explains says whether work on one of the items plainly explains an alert about id.
func (s *State) explains(cis []string, id string) bool {
	i, ok := s.g.index[id]
	if !ok {
		return false
	}
	for _, r := range s.g.reaches(i, plain) {
		if r.strength >= plainlyPlanned && slices.Contains(cis, s.g.ids[r.at]) {
			return true
		}
	}
	return false
}

// NameOf is how people call an item.
func (s *State) NameOf(ci string) string { return s.g.name(ci) }
