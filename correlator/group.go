package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// group is an incident as the correlator sees it: the alerts that belong together.
type group struct {
	ID         string     `json:"id"`
	Members    []string   `json:"members"` // canonical alerts, in the order in which they came
	OpenedAt   time.Time  `json:"opened"`
	LastJoined time.Time  `json:"joined"`
	ClearedAt  time.Time  `json:"cleared,omitzero"`
	ResolvedAt time.Time  `json:"resolved,omitzero"`
	Recovered  bool       `json:"recovered,omitempty"`
	Closed     bool       `json:"closed,omitempty"` // by a person, or out of its reopen window: takes nothing any more
	Beat       string     `json:"beat,omitempty"`   // the silent heartbeat that opened it
	Last       Assessment `json:"last"`
	Signature  string     `json:"sig,omitempty"`
	Problem    string     `json:"problem,omitempty"`
	SeenBefore string     `json:"seen,omitempty"`
	Due        time.Time  `json:"due,omitzero"`
}

// live says whether the incident still takes alerts.
func (g *group) live() bool { return g.ResolvedAt.IsZero() && !g.Closed }

// dispose decides where an alert goes when one of its episodes is first heard.
func (s *State) dispose(c *canonical, ep *episode, isNew bool) {
	if !isNew {
		s.rejoin(c, ep)
		return
	}
	c.Active = true
	if why := s.maintained(c); why != "" {
		c.Suppressed = why
		ep.Fate, ep.Why = FateSuppressed, why
		return
	}
	if g, ev := s.bestGroup(c); g != nil {
		s.attach(g, c, ev)
		ep.Fate, ep.Why = FateIncident, sentence(ev)
		return
	}
	if mates, ev := s.heldMates(c); len(mates) > 0 {
		g := s.open(append(mates, c), "alerts that belong together: "+sentence(ev))
		c.Evidence = ev
		ep.Fate, ep.Why = FateIncident, "opened "+g.ID+" with alerts that were held: "+sentence(ev)
		return
	}
	hold := time.Duration(s.cfg.Hold[c.Severity])
	if hold <= 0 {
		g := s.open([]*canonical{c}, "alerts of severity "+string(c.Severity)+" are not held")
		ep.Fate, ep.Why = FateIncident, "opened "+g.ID+": alerts of severity "+string(c.Severity)+" are not held"
		return
	}
	unbound := ""
	if c.Binding == nil {
		unbound = "; " + c.HoldWhy
	}
	c.HoldWhy = fmt.Sprintf("waits up to %s for company or its end before it opens an incident by itself", hold) + unbound
	ep.Fate, ep.Why = FateHeld, c.HoldWhy
	s.schedule(dueHold, c.ID, &c.Due, s.now.Add(hold))
}

// rejoin handles another episode of a known alert: a replica's, or the alert come back.
func (s *State) rejoin(c *canonical, ep *episode) {
	wasActive := c.Active
	c.Active, c.Ended, c.Unrecovered = true, time.Time{}, false
	s.alerts.Touch(c.ID)
	g := s.groups.Get(c.Group)
	switch {
	case c.Suppressed != "":
		ep.Fate, ep.Why = FateSuppressed, c.Suppressed
	case g == nil && wasActive:
		ep.Fate, ep.Why = FateHeld, c.HoldWhy
	case g == nil:
		// Held, ended, and back: it waits again.
		s.dispose(c, ep, true)
	case wasActive:
		ep.Fate, ep.Why = FateIncident, "another replica's view of an alert of "+g.ID
	case g.live():
		ep.Fate, ep.Why = FateIncident, "came back while "+g.ID+" was open"
		s.unclear(g)
	default:
		ep.Fate, ep.Why = FateIncident, fmt.Sprintf("came back %s after %s resolved", s.now.Sub(g.ResolvedAt).Round(time.Second), g.ID)
		g.ResolvedAt = time.Time{}
		s.unclear(g)
		s.emit(IncidentReturned{g.ID, ep.Why})
	}
	if g != nil {
		s.touchGroup(g.ID, "")
	}
}

// maintained says which planned window covers the alert's item or what it runs on.
func (s *State) maintained(c *canonical) string {
	if c.Binding == nil || s.windows.Len() == 0 {
		return ""
	}
	near := map[string]bool{c.Binding.CI: true}
	front := []string{c.Binding.CI}
	for range s.cfg.Hops {
		var next []string
		for _, f := range front {
			for _, e := range s.g.needs[f] {
				if (e.Type == "runs_on" || e.Type == "exposes" || e.Type == "member_of") && !near[e.To] {
					near[e.To] = true
					next = append(next, e.To)
				}
			}
		}
		front = next
	}
	for _, k := range s.windows.Keys() {
		w := s.windows.Get(k)
		if s.now.Before(w.StartsAt) || !s.now.Before(w.EndsAt) {
			continue
		}
		for _, ci := range w.CIs {
			if near[ci] {
				return fmt.Sprintf("maintenance of %s until %s: %s", s.g.name(ci), w.EndsAt.UTC().Format(time.RFC3339), w.Summary)
			}
		}
	}
	return ""
}

// related weighs how two alerts belong together; 0 means that they do not.
func (s *State) related(c, o *canonical, ball map[string]int) (float64, []Evidence) {
	gap := c.Onset.Sub(o.Onset).Abs()
	window := time.Duration(s.cfg.Window)
	if gap > window || c.Binding == nil || o.Binding == nil {
		return 0, nil
	}
	d, ok := ball[o.Binding.CI]
	if !ok {
		return 0, nil
	}
	closeness := 1 / (1 + float64(d))
	timing := 1 - gap.Seconds()/window.Seconds()/2
	text := fmt.Sprintf("%s is %d relations from %s", c.Binding.Name, d, o.Binding.Name)
	if d == 0 {
		text = "both are about " + c.Binding.Name
	}
	return quantise(closeness * timing), []Evidence{
		{"topology", text, quantise(closeness)},
		{"time", fmt.Sprintf("began %s apart", gap.Round(time.Second)), quantise(timing)},
	}
}

// bestGroup finds the open incident that the alert belongs to.
func (s *State) bestGroup(c *canonical) (*group, []Evidence) {
	if c.Binding == nil {
		return nil, nil
	}
	ball := s.g.ball(c.Binding.CI, s.cfg.Hops)
	var best *group
	var bestScore float64
	var bestEv []Evidence
	for _, id := range s.groups.Keys() {
		g := s.groups.Get(id)
		if !g.live() || len(g.Members) >= s.cfg.MaxGroup || s.now.Sub(g.LastJoined) > time.Duration(s.cfg.Window) {
			continue
		}
		for _, m := range g.Members {
			if o := s.alerts.Get(m); o != nil {
				if w, ev := s.related(c, o, ball); w > bestScore {
					best, bestScore, bestEv = g, w, ev
				}
			}
		}
	}
	return best, bestEv
}

// heldMates finds held alerts that the new one belongs with.
func (s *State) heldMates(c *canonical) ([]*canonical, []Evidence) {
	if c.Binding == nil {
		return nil, nil
	}
	ball := s.g.ball(c.Binding.CI, s.cfg.Hops)
	var mates []*canonical
	var ev []Evidence
	for _, d := range s.held() {
		if d == c {
			continue
		}
		if w, e := s.related(c, d, ball); w > 0 {
			mates = append(mates, d)
			ev = e
		}
	}
	return mates, ev
}

// held lists alerts that wait, oldest first.
func (s *State) held() []*canonical {
	var ids []string
	for _, d := range s.due {
		if d.kind == dueHold {
			if c := s.alerts.Get(d.key); c != nil && c.Active && c.Group == "" && c.Due.Equal(d.at) {
				ids = append(ids, d.key)
			}
		}
	}
	slices.Sort(ids)
	out := make([]*canonical, len(ids))
	for i, id := range ids {
		out[i] = s.alerts.Get(id)
	}
	return out
}

// open makes an incident of alerts that had none.
func (s *State) open(members []*canonical, why string) *group {
	g := &group{ID: s.seq("incident"), OpenedAt: s.now}
	s.groups.Put(g.ID, g)
	for _, c := range members {
		s.join(g, c)
	}
	g.Last = s.assess(g)
	s.emit(IncidentOpened{g.ID, g.Last, why})
	s.recognise(g)
	s.touchGroup(g.ID, "")
	for _, c := range members {
		s.releaseRecords(c, "joined "+g.ID)
	}
	return g
}

func (s *State) attach(g *group, c *canonical, ev []Evidence) {
	c.Evidence = ev
	s.join(g, c)
	s.unclear(g)
	s.touchGroup(g.ID, fmt.Sprintf("%s joined: %s", c.Labels.Get("alertname"), sentence(ev)))
}

func (s *State) join(g *group, c *canonical) {
	c.Group, c.AttachedAt = g.ID, s.now
	c.HoldWhy = ""
	s.schedule(dueHold, c.ID, &c.Due, time.Time{})
	s.alerts.Touch(c.ID)
	g.Members = append(g.Members, c.ID)
	g.LastJoined = s.now
	s.groups.Touch(g.ID)
}

// releaseRecords tells the records of a held alert that it is in an incident now.
func (s *State) releaseRecords(c *canonical, why string) {
	for _, k := range c.Episodes {
		ep := s.episodes.Get(k)
		if ep == nil || ep.Fate != FateHeld {
			continue
		}
		ep.FinalFate, ep.FinalWhy = FateIncident, why
		s.episodes.Touch(k)
		s.record(ep, "", true)
	}
}

// holdOver opens an incident for an alert that waited in vain for company.
func (s *State) holdOver(id string) {
	c := s.alerts.Get(id)
	s.alerts.Touch(id)
	if !c.Active || c.Group != "" {
		return
	}
	if g, ev := s.bestGroup(c); g != nil {
		s.attach(g, c, ev)
		s.releaseRecords(c, "joined "+g.ID+": "+sentence(ev))
		return
	}
	s.open([]*canonical{c}, "still firing after its hold, without company")
}

// alertEnded follows the end of a canonical alert.
func (s *State) alertEnded(c *canonical) {
	g := s.groups.Get(c.Group)
	if g == nil {
		if !c.Due.IsZero() {
			s.schedule(dueHold, c.ID, &c.Due, time.Time{})
			for _, k := range c.Episodes {
				if ep := s.episodes.Get(k); ep != nil && ep.Fate == FateHeld {
					ep.FinalFate, ep.FinalWhy = FateHeld, "cleared before its hold was over"
					s.episodes.Touch(k)
				}
			}
		}
		return
	}
	if !g.live() {
		return
	}
	s.touchGroup(g.ID, "")
	recovered := true
	for _, m := range g.Members {
		if o := s.alerts.Get(m); o != nil {
			if o.Active {
				return
			}
			recovered = recovered && !o.Unrecovered
		}
	}
	s.clear(g, recovered)
}

// clear starts the hold-down of an incident without active alerts.
func (s *State) clear(g *group, recovered bool) {
	g.ClearedAt, g.Recovered = s.now, recovered
	s.schedule(dueGroup, g.ID, &g.Due, s.now.Add(time.Duration(s.cfg.HoldDown)))
	s.groups.Touch(g.ID)
	s.emit(IncidentCleared{g.ID, s.now, recovered})
}

func (s *State) unclear(g *group) {
	if g.ClearedAt.IsZero() {
		return
	}
	g.ClearedAt = time.Time{}
	s.schedule(dueGroup, g.ID, &g.Due, time.Time{})
	s.groups.Touch(g.ID)
	s.emit(IncidentFiring{g.ID})
}

// groupDue ends a hold-down, or the reopen window after a resolution.
func (s *State) groupDue(id string) {
	g := s.groups.Get(id)
	s.groups.Touch(id)
	switch {
	case g.live() && !g.ClearedAt.IsZero():
		s.emit(IncidentQuiet{id, g.Recovered})
	case !g.live():
		s.dropGroup(g)
	}
}

// dropGroup forgets an incident that can no longer change.
func (s *State) dropGroup(g *group) {
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if s.byIdentity[c.Identity] == m {
			delete(s.byIdentity, c.Identity)
		}
		s.alerts.Delete(m)
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && ep.ended() && ep.Due.IsZero() {
				s.episodes.Delete(k)
			}
		}
	}
	s.groups.Delete(g.ID)
}

// Resolved tells that the incident was resolved, by the hold-down or by a person.
// Within the reopen window a returning alert reopens it.
func (s *State) Resolved(id string, now time.Time) {
	g := s.groups.Get(id)
	if g == nil || !g.live() {
		return
	}
	g.ResolvedAt = now
	g.ClearedAt = time.Time{}
	s.schedule(dueGroup, id, &g.Due, now.Add(time.Duration(s.cfg.ReopenWindow)))
	s.groups.Touch(id)
}

// Reopened tells that a person reopened the incident.
func (s *State) Reopened(id string, now time.Time) {
	g := s.groups.Get(id)
	if g == nil || g.live() {
		return
	}
	g.ResolvedAt, g.Closed = time.Time{}, false
	s.schedule(dueGroup, id, &g.Due, time.Time{})
	s.groups.Touch(id)
}

// Closed tells that the incident was closed or cancelled: it takes no more alerts.
func (s *State) Closed(id string, now time.Time) {
	g := s.groups.Get(id)
	if g == nil {
		return
	}
	g.Closed = true
	s.schedule(dueGroup, id, &g.Due, now.Add(time.Duration(s.cfg.ReopenWindow)))
	s.groups.Touch(id)
}

// openBeat opens an incident for a silent heartbeat.
func (s *State) openBeat(b *heartbeat) string {
	g := &group{ID: s.seq("incident"), OpenedAt: s.now, LastJoined: s.now, Beat: b.Name}
	g.Last = Assessment{
		Title:    fmt.Sprintf("%s has not been heard from %s for %s: alerting itself may be down", b.Name, b.Source, s.now.Sub(b.Last).Round(time.Second)),
		Severity: Critical, Onset: b.Last, Impact: 1, Urgency: 1, Derived: "a silent heartbeat means that nothing else would be heard",
	}
	s.groups.Put(g.ID, g)
	s.emit(IncidentOpened{g.ID, g.Last, "the heartbeat " + b.Name + " is silent"})
	return g.ID
}

// reassess recomputes what is known of an incident and tells if it changed.
func (s *State) reassess(id, text string) {
	g := s.groups.Get(id)
	if g == nil || g.Beat != "" {
		return
	}
	a := s.assess(g)
	if text == "" && equalAssessment(a, g.Last) {
		return
	}
	g.Last = a
	s.groups.Touch(id)
	s.emit(IncidentChanged{id, a, text})
}

func equalAssessment(a, b Assessment) bool {
	return a.Title == b.Title && a.Severity == b.Severity && a.Onset.Equal(b.Onset) && a.Impact == b.Impact && a.Urgency == b.Urgency &&
		a.Alerts == b.Alerts && a.Active == b.Active && a.SeenBefore == b.SeenBefore && slices.Equal(a.CIs, b.CIs) &&
		slices.Equal(a.Causes, b.Causes) && len(a.Changes) == len(b.Changes)
}

func sentence(ev []Evidence) string {
	parts := make([]string, len(ev))
	for i, e := range ev {
		parts[i] = e.Text
	}
	return strings.Join(parts, "; ")
}

// quantise keeps scores comparable across machines: the last bits of a float are
// no reason to decide differently.
func quantise(x float64) float64 { return float64(int64(x*1000+0.5)) / 1000 }
