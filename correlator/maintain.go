package correlator

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// window is a planned maintenance. While it lasts it is a failure of known cause:
// what that explains is suppressed, unless an incident explains it better.
type window struct {
	CIs      []string  `json:"cis"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	Summary  string    `json:"summary"`
	Over     bool      `json:"over,omitempty"` // in the grace after its end
	// Observed work was seen, not announced: it explains only what clears soon.
	Observed bool `json:"observed,omitempty"`
	// Down says that the item itself goes down with it: a reboot.
	Down bool `json:"down,omitempty"`
	// Group holds what it suppressed. It is never open and never found by alerts'
	// items: only this file looks at it.
	Group group     `json:"group"`
	Due   time.Time `json:"due"`
	// Bodies is when each of Alertmanager's groups that carried a suppressed alert was last sent.
	Bodies map[string]time.Time `json:"bodies,omitempty"`
}

const (
	// plainlyPlanned is the strength from which an item's maintenance explains an
	// alert without further evidence.
	plainlyPlanned = 0.25
	// plannedPace is how many alerts a minute work is expected to bring while it lasts.
	plannedPace = 0.1
	// afterWork is how long after a window's end what it suppressed may still clear.
	afterWork = time.Hour
	// unsaid is how much later than an alert its group must have been sent to tell that
	// the alert is over: peers and queues mix up the order of what is sent together.
	unsaid = time.Minute
)

func (s *State) maintenance(_ event.Event, m *event.Maintenance) {
	key := m.ID
	if key == "" {
		key = m.StartsAt.UTC().Format(time.RFC3339) + "/" + m.Summary
		for _, c := range m.CIs {
			key += "/" + c.Key()
		}
	}
	old := s.windows.Get(key)
	if m.Canceled {
		if old != nil {
			s.windows.Delete(key) // first: it must not take its alerts again
			s.release(old, "the maintenance was cancelled")
		}
		return
	}
	w := &window{StartsAt: m.StartsAt, EndsAt: m.EndsAt, Summary: m.Summary, Group: group{ID: heldPrefix + "window/" + key, Held: true}}
	if old != nil {
		w.Group, w.Bodies = old.Group, old.Bodies
	}
	for _, c := range m.CIs {
		w.CIs = append(w.CIs, s.meant(c))
	}
	s.windows.Put(key, w)
	s.schedule(dueWindow, key, &w.Due, m.EndsAt)
}

func (s *State) windowDue(key string) {
	w := s.windows.Get(key)
	if w.Observed {
		s.windows.Delete(key)
		s.release(w, fmt.Sprintf("still firing %s after %s", event.Span(w.EndsAt.Sub(w.StartsAt)), w.Summary))
		return
	}
	if !w.Over {
		w.Over = true
		s.windows.Touch(key)
		s.schedule(dueWindow, key, &w.Due, s.now.Add(afterWork))
		return
	}
	s.windows.Delete(key)
	s.release(w, fmt.Sprintf("still firing %s after the maintenance of %s was to end", event.Span(afterWork), s.nameAll(w.CIs)))
}

// release lets alerts that maintenance no longer explains go their usual way.
func (s *State) release(w *window, why string) {
	for _, id := range w.Group.Members {
		c := s.alerts.Get(id)
		if c == nil || c.Suppressed == "" {
			continue
		}
		c.Suppressed = ""
		s.alerts.Touch(id)
		if !c.Active || c.Group != "" {
			continue
		}
		var last *episode
		for _, k := range c.Episodes {
			ep := s.episodes.Get(k)
			if ep == nil || ep.ended() {
				continue
			}
			if w.Bodies[ep.Body].Sub(ep.Last) >= unsaid {
				s.end(k, ep, AlertExpired, s.now, "its group was sent again without it")
				continue
			}
			ep.FinalFate, ep.FinalWhy = FateHeld, why
			s.episodes.Touch(k)
			last = ep
		}
		if last == nil {
			continue
		}
		c.First = s.now // its hold begins now
		fate, text := last.Fate, last.Why
		s.dispose(c, last, true)
		last.Fate, last.Why = fate, text // what was decided at receipt stays
		if g := s.groups.Get(c.Group); g != nil && !g.Held {
			s.releaseRecords(c, why)
		}
		s.record(last, "", false)
	}
}

// noteBody notes when a group of Alertmanager's was sent that carries what windows
// suppress. Such a body lists all of its group that fires: what it leaves out is
// resolved, and the resolve was lost, or it is silenced or inhibited. Neither is a
// reason to judge it anew when the work is over.
func (s *State) noteBody(src string, n *event.Notification) {
	if s.windows.Len() == 0 || n.GroupKey == "" || n.Truncated > 0 || len(n.Invalid) > 0 {
		return
	}
	body, carries := hashOf(src, n.ExternalURL, n.Receiver, n.GroupKey), false
	for i := range n.Alerts {
		key := episodeKey(src, &n.Alerts[i])
		if ep := s.episodes.Get(key); ep != nil && ep.Fate == FateSuppressed && ep.FinalFate == "" && !ep.ended() {
			ep.Body, carries = body, true
			s.episodes.Touch(key)
		}
	}
	for _, k := range s.windows.Keys() {
		w := s.windows.Get(k)
		if _, known := w.Bodies[body]; !known && !carries {
			continue
		}
		if w.Bodies == nil {
			w.Bodies = map[string]time.Time{}
		}
		w.Bodies[body] = s.now
		s.windows.Touch(k)
	}
}

// planned says whether maintenance explains the alert, and how well.
func (s *State) planned(c *canonical) (*window, string, float64) {
	if s.windows.Len() == 0 {
		return nil, "", 0
	}
	var best *window
	var bestWhy string
	var bestOdds float64
	for _, k := range s.windows.Keys() {
		w := s.windows.Get(k)
		if w.Observed && (c.Severity == Critical && !w.Down || c.Onset.Before(w.StartsAt.Add(-observedEarly))) {
			continue
		}
		if s.now.Before(w.StartsAt) || w.Over && c.Onset.After(w.EndsAt) {
			continue
		}
		if why, odds := s.plannedBy(c, w); odds > bestOdds {
			best, bestWhy, bestOdds = w, why, odds
		}
	}
	return best, bestWhy, bestOdds
}

func (s *State) plannedBy(c *canonical, w *window) (string, float64) {
	until := w.EndsAt.UTC().Format(time.RFC3339)
	var strength, ratio float64
	via := ""
	v := s.sight(c)
	if !v.broad {
		for _, r := range v.reaches {
			if id := s.g.ids[r.at]; slices.Contains(w.CIs, id) {
				if r.strength > strength {
					strength, via = r.strength, id
				}
				ratio = max(ratio, float64(s.size())*r.strength/s.g.mass(r.at))
			}
		}
	} else {
		ratio = v.sharesCluster(&w.Group)
	}
	if strength >= plainlyPlanned {
		text := fmt.Sprintf("maintenance of %s until %s: %s", s.g.name(via), until, w.Summary)
		if w.Observed {
			text = fmt.Sprintf("%s on %s, awaited until %s", w.Summary, s.g.name(via), until)
		}
		if c.Binding.CI != via {
			if way := s.g.way(c.Binding.CI, via, c.Complaint); way != "" {
				text += " (" + way + ")"
			}
		}
		return text, 6 + strength
	}
	if len(w.Group.Members) == 0 || w.Observed {
		return "", 0 // nothing shows of the work yet: too little to go by
	}
	adjacent, _ := s.adjacency(v, &w.Group)
	place := math.Log(max(0.7*max(ratio, stray)+adjacentShare*adjacent, 1e-3))
	pace := max(s.pace(&w.Group), plannedPace)
	odds := quantise(math.Log(pace/(s.aloneRate()+failureRate)) + place + v.classFit(&w.Group))
	if odds < attachOdds+1 {
		return "", 0
	}
	return fmt.Sprintf("goes with the maintenance of %s until %s: %s", s.nameAll(w.CIs), until, w.Summary), odds
}

func (s *State) nameAll(ids []string) string {
	if len(ids) == 0 {
		return "nothing"
	}
	name := s.g.name(ids[0])
	if n := len(ids) - 1; n > 0 {
		name += fmt.Sprintf(" and %d more", n)
	}
	return name
}

// suppress notes an alert under a window.
func (s *State) suppress(w *window, c *canonical) {
	g := &w.Group
	s.seat(g, c)
	g.Members = append(g.Members, c.ID)
	g.count(c)
	s.quicken(g, 1)
	for _, k := range s.windows.Keys() {
		if s.windows.Get(k) == w {
			s.windows.Touch(k)
		}
	}
}
