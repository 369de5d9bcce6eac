package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// group is a set of alerts that belong together: an incident, or, while it waits
// for evidence, one that is held and has no number yet.
type group struct {
	ID         string         `json:"id"`
	Held       bool           `json:"held,omitempty"`     // not opened: its ID is internal
	Members    []string       `json:"members"`            // canonical alerts, in the order in which they came
	Sole       string         `json:"sole,omitempty"`     // see sole
	Classes    map[string]int `json:"classes"`            // members by class
	Clusters   map[string]int `json:"clusters,omitempty"` // members by cluster label
	Suspects   []suspicion    `json:"suspects,omitempty"`
	Ranked     []suspicion    `json:"ranked,omitempty"` // causes at the last assessment, told or not
	Evidence   float64        `json:"evidence"`         // weight of the members, as believe counts it
	Bond       float64        `json:"bond"`             // how well the members fit each other, summed
	Onset      time.Time      `json:"onset"`            // earliest of its members
	Middle     time.Time      `json:"middle"`           // mean of when its members were first heard
	OpenedAt   time.Time      `json:"opened"`
	LastJoined time.Time      `json:"joined"`
	Fast       float64        `json:"fast"`
	Slow       float64        `json:"slow"`
	PaceAt     time.Time      `json:"pace_at,omitzero"`
	Order      uint64         `json:"order"` // of its last join among all joins
	ClearedAt  time.Time      `json:"cleared,omitzero"`
	ResolvedAt time.Time      `json:"resolved,omitzero"`
	Recovered  bool           `json:"recovered,omitempty"`
	Closed     bool           `json:"closed,omitempty"` // by a person, or out of its reopen window: takes nothing any more
	ClosedAt   time.Time      `json:"closed_at,omitzero"`
	Flood      bool           `json:"flood,omitempty"` // what many lone alerts share
	Beat       string         `json:"beat,omitempty"`  // the silent heartbeat that opened it
	Lost       []string       `json:"lost,omitempty"`  // machines whose neighbours say that they are gone
	Apart      []string       `json:"apart,omitempty"` // incidents that it was parted from: it merges with none of them
	Last       Assessment     `json:"last"`
	Assessed   int            `json:"assessed,omitempty"` // members at the last assessment
	Alike      float64        `json:"alike,omitempty"`    // to SeenBefore
	Problem    string         `json:"problem,omitempty"`
	SeenBefore string         `json:"seen,omitempty"`
	Due        time.Time      `json:"due,omitzero"`
	HoldDue    time.Time      `json:"hold_due,omitzero"`
	SettleDue  time.Time      `json:"settle_due,omitzero"`
	ViewDue    time.Time      `json:"view_due,omitzero"`

	belief  posterior
	scan    int           // see alertEnded: only saves time
	items   map[int32]int // members by item
	indexed []int32       // suspects under which it is found
	mark    uint64        // last search that saw it
}

// live says whether the group still takes alerts.
func (g *group) live() bool { return g.ResolvedAt.IsZero() && !g.Closed }

// attachOdds is the log odds from which an alert joins a group.
const attachOdds = 1.0

// heldPrefix begins the internal ids of groups that are held.
const heldPrefix = "held/"

const (
	searchRecent = 24 // groups looked at because they are the latest
	searchPer    = 24 // a suspect of more groups than this is a hub: it tells nothing
	indexTop     = 16 // suspects under which a group is found
	linger       = 75 * time.Minute
)

func (s *State) reachesOf(c *canonical) []reach {
	if c.Binding == nil {
		return nil
	}
	if s.cfg.ignores("complaint") {
		return s.g.reaches(s.itemOf(c), plain)
	}
	return s.g.reaches(s.itemOf(c), c.Complaint)
}

// itemOf is the number of the alert's item, which must be bound.
func (s *State) itemOf(c *canonical) int32 {
	if c.item == 0 {
		c.item = s.g.intern(c.Binding.CI) + 1
	}
	return c.item - 1
}

// dispose decides where an alert goes when one of its episodes is first heard.
func (s *State) dispose(c *canonical, ep *episode, isNew bool) {
	if !isNew {
		s.rejoin(c, ep)
		return
	}
	c.Active = true
	s.books()
	follows := c.follows
	c.follows = "" // only at once: a state that is loaded does not know it
	if why := s.silent(c); why != "" {
		c.HoldWhy = why
		ep.Fate, ep.Why = FateHeld, why
		return
	}
	planned, whyPlanned, plannedOdds := s.planned(c)
	v := s.sight(c)
	var best fit
	var others []fit
	kept := "" // what rules kept it out of
	for _, g := range s.nearby(v.reaches, v.near, nil) {
		f := s.fitness(v, g)
		// Time alone is no reason to join at once: the alert may be the first of
		// another failure, whose own alerts will show in a moment.
		if t := f.total(); t >= attachOdds && (f.place > 0 || (v.broad || v.isolated) && f.place > -1 || s.holdOf(c) == 0) {
			if s.keptApart(c, g, &kept) {
				continue
			}
			others = append(others, f)
			if best.g == nil || t > best.total() {
				best = f
			}
		}
	}
	if planned != nil && (best.g == nil || best.total() < plannedOdds+1) {
		c.Suppressed = whyPlanned
		s.suppress(planned, c)
		ep.Fate, ep.Why = FateSuppressed, whyPlanned
		return
	}
	if g, why := s.wreck(c); g != nil && !s.keptApart(c, g, &kept) {
		c.Evidence = []Evidence{{"topology", why, attachOdds}}
		s.join(g, c)
		s.unclear(g)
		s.touchGroup(g.ID, fmt.Sprintf("%s joined: %s", classOf(c), why))
		ep.Fate, ep.Why = FateIncident, why
		return
	}
	if g := s.continued(follows); g != nil && best.g == nil && !s.keptApart(c, g, &kept) {
		s.resume(g, c, ep)
		return
	}
	if best.g != nil {
		ev := s.evidence(c, best)
		g := s.detach(best.g)
		c.Evidence = ev
		g.Bond = quantise(g.Bond + best.total())
		s.join(g, c)
		s.unclear(g)
		if g.Held {
			s.maybeOpen(g, sentence(ev))
		}
		for _, f := range others {
			if f.g != g && s.takes(f.g) && s.takes(g) {
				g = s.maybeMerge(g, f.g)
			}
		}
		g = s.sweep(g)
		if slices.Contains(sweepAt, len(g.Members)) {
			s.review(g)
			g = s.groups.Get(c.Group) // it may have left with the part that did
		}
		g = s.obeyRules(g, c)
		if !g.Held {
			if first := s.alerts.Get(g.Members[0]); first != nil && len(g.Members) == 2 {
				s.foundCompany(g, first)
			}
			s.foundCompany(g, c)
			s.touchGroup(g.ID, fmt.Sprintf("%s joined: %s", classOf(c), sentence(ev)))
			ep.Fate, ep.Why = FateIncident, sentence(c.Evidence)+kept
			return
		}
		c.HoldWhy = s.holdReason(g) + kept
		ep.Fate, ep.Why = FateHeld, c.HoldWhy
		return
	}
	g := &group{ID: heldPrefix + c.ID, Held: true, OpenedAt: s.now}
	s.groups.Put(g.ID, g)
	s.join(g, c)
	if g = s.obeyRules(g, c); !g.Held {
		ep.Fate, ep.Why = FateIncident, "in "+g.ID+" by "+sentence(c.Evidence)+kept
		return
	}
	if s.holdOf(c) == 0 {
		if s.sameRecord(g, c) {
			ep.Fate, ep.Why = FateIncident, sentence(c.Evidence)+kept
			return
		}
		why := "alerts of severity " + string(c.Severity) + " are not held"
		g = s.open(g, why)
		ep.Fate, ep.Why = FateIncident, "opened "+g.ID+": "+why+kept
		return
	}
	s.scheduleHold(g)
	c.HoldWhy = s.holdReason(g) + kept
	ep.Fate, ep.Why = FateHeld, c.HoldWhy
}

// rejoin handles another episode of a known alert: a replica's, or the alert come back.
func (s *State) rejoin(c *canonical, ep *episode) {
	wasActive := c.Active
	c.Active, c.Ended, c.Unrecovered = true, time.Time{}, false
	s.alerts.Touch(c.ID)
	g := s.groups.Get(c.Group)
	view := c.Suppressed == "" && g != nil && s.repeats(g, c, ep)
	switch {
	case c.Suppressed != "":
		ep.Fate, ep.Why = FateSuppressed, c.Suppressed
	case g == nil && wasActive:
		ep.Fate, ep.Why = FateHeld, c.HoldWhy
	case g == nil:
		// Held, ended, and back: it waits again.
		s.dispose(c, ep, true)
	case g.Held:
		ep.Fate, ep.Why = FateHeld, c.HoldWhy
		if !wasActive {
			s.quicken(g, 0.3)
		}
	case wasActive:
		ep.Fate, ep.Why = FateIncident, s.twinText(c, ep)+" of "+g.ID
	case g.live():
		ep.Fate, ep.Why = FateIncident, "came back while "+g.ID+" was open"
		s.quicken(g, 0.3)
		s.unclear(g)
	default:
		ep.Fate, ep.Why = FateIncident, fmt.Sprintf("came back %s after %s resolved", event.Span(s.now.Sub(g.ResolvedAt)), g.ID)
		s.revive(g, ep.Why, ep.Onset)
	}
	if view {
		ep.Fate = ""
		s.setAside(g, c, ep)
	}
	if g != nil {
		s.groups.Touch(g.ID)
		if !g.Held {
			s.touchGroup(g.ID, "")
		}
	}
}

// join puts an alert into a group.
func (s *State) join(g *group, c *canonical) {
	// An alert that was in an incident already has been shown since then, whatever
	// that is merged into.
	if c.AttachedAt.IsZero() || c.Group == "" || strings.HasPrefix(c.Group, heldPrefix) {
		c.AttachedAt = s.now
	}
	c.Group = g.ID
	if !g.Held {
		c.HoldWhy = ""
	}
	s.alerts.Touch(c.ID)
	alone := g.sole() != ""
	s.admit(g, c)
	switch {
	case g.Held:
	case g.sole() == "":
		s.showViews(c, "joined "+g.ID)
		if alone {
			for _, m := range g.Members {
				if o := s.alerts.Get(m); o != nil {
					s.showViews(o, g.ID+" found company")
				}
			}
		}
	case c.Active && c.Views && s.shown(c, nil) == nil:
		s.watchView(g) // its former incident did until now
	}
	g.LastJoined = s.now
	s.quicken(g, 1)
	if g.live() {
		s.relist(g)
	}
	s.groups.Touch(g.ID)
}

// several stands for the identities of more than one alert.
const several = "*"

// sole is the identity of the only alert of a group, however often it came, or
// nothing if there are several. The members may be forgotten before their group is.
func (g *group) sole() string {
	if g.Sole == several {
		return ""
	}
	return g.Sole
}

// admit counts an alert in for all that a group derives from its members.
func (s *State) admit(g *group, c *canonical) {
	weight := 1.0
	if s.seat(g, c) > 1 {
		weight = again
	}
	switch {
	case len(g.Members) == 0:
		g.Sole = c.Identity
	case g.Sole != c.Identity:
		g.Sole = several
	}
	g.Members = append(g.Members, c.ID)
	for _, host := range s.lossOf(c) {
		g.Lost = insert(g.Lost, host, strings.Compare)
	}
	g.count(c)
	if n := time.Duration(len(g.Members)); n == 1 {
		g.Middle = c.First
	} else {
		g.Middle = g.Middle.Add(c.First.Sub(g.Middle) / n).Truncate(time.Millisecond)
	}
	if g.Onset.IsZero() || c.Onset.Before(g.Onset) {
		g.Onset = c.Onset
	}
	s.believe(g, c, weight)
}

func (g *group) count(c *canonical) {
	if g.Classes == nil {
		g.Classes, g.Clusters = map[string]int{}, map[string]int{}
	}
	g.Classes[classOf(c)]++
	if cl := clusterOf(c); cl != "" {
		if g.Clusters == nil {
			g.Clusters = map[string]int{}
		}
		g.Clusters[cl]++
	}
}

// seat notes that an alert of the group is about its item, and returns how many are.
func (s *State) seat(g *group, c *canonical) int {
	if c.Binding == nil {
		return 0
	}
	i := s.itemOf(c)
	if g.items == nil {
		g.items = map[int32]int{}
	}
	g.items[i]++
	if g.items[i] == 1 && g.Order > 0 {
		s.byItem[i] = append(s.byItem[i], g)
	}
	return g.items[i]
}

// unseatAll takes a forgotten alert out of what is derived from alerts: a state
// that is loaded would not find it either.
func (s *State) unseatAll(c *canonical) {
	if c.Binding == nil {
		return
	}
	i := s.itemOf(c)
	unseat := func(g *group) {
		if g == nil || g.items[i] == 0 || !slices.Contains(g.Members, c.ID) {
			return
		}
		if g.items[i]--; g.items[i] == 0 {
			delete(g.items, i)
			if g.Order > 0 {
				drop(s.byItem, i, g)
			}
		}
	}
	unseat(s.groups.Get(c.Group))
	if s.windows.Len() > 0 {
		for _, k := range s.windows.Keys() {
			unseat(&s.windows.Get(k).Group)
		}
	}
}

// open makes an incident of a held group.
func (s *State) open(g *group, why string) *group {
	s.unlist(g)
	s.schedule(dueHold, g.ID, &g.HoldDue, time.Time{})
	s.groups.Delete(g.ID)
	g.ID, g.Held, g.OpenedAt = s.seq("incident"), false, s.now
	s.groups.Put(g.ID, g)
	s.relist(g)
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			c.Group, c.AttachedAt, c.HoldWhy = g.ID, s.now, ""
			s.alerts.Touch(m)
			if len(g.Members) > 1 {
				s.foundCompany(g, c)
			}
			if g.sole() != "" {
				s.showOne(g, c)
			} else {
				s.showViews(c, "joined "+g.ID)
			}
		}
	}
	g.Last = s.assess(g)
	g.Assessed = len(g.Members)
	s.emit(IncidentOpened{ID: g.ID, Assessment: g.Last, Why: why})
	told := s.recognise(g)
	s.schedule(dueSettle, g.ID, &g.SettleDue, s.now.Add(settleAfter))
	s.touchGroup(g.ID, told)
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			s.releaseRecords(c, "joined "+g.ID)
		}
	}
	return g
}

// releaseRecords tells the records of a held alert that it is in an incident now.
func (s *State) releaseRecords(c *canonical, why string) {
	for _, k := range c.Episodes {
		ep := s.episodes.Get(k)
		if ep == nil || ep.FinalFate == FateIncident || ep.Fate == FateIncident && ep.FinalFate == "" {
			continue
		}
		waited := !ep.Shown && (ep.Fate == FateHeld || ep.Fate == FateSuppressed)
		switch {
		case ep.View && !waited:
			continue // its record says so
		case !ep.View && ep.Fate != FateResolve: // what was over at once has its fate
			ep.FinalFate, ep.FinalWhy = FateIncident, why
		}
		s.episodes.Touch(k)
		s.record(ep, "", waited && !ep.View)
	}
}

// absorb moves all members of h into g; both are live. A held h leaves no trace,
// an incident h is merged.
func (s *State) absorb(g, h *group, why string) {
	members := h.Members
	opened := !h.Held
	if opened && g.Held {
		// What is shown already must not go back into hiding.
		s.open(g, why)
	}
	s.unlist(h)
	for _, m := range members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if len(c.Evidence) == 0 || opened {
			c.Evidence = []Evidence{{"merge", why, 1}}
		}
		s.join(g, c)
		if g.sole() == "" {
			s.foundCompany(g, c)
		}
		switch {
		case opened && !g.Held:
			for _, k := range c.Episodes {
				if ep := s.episodes.Get(k); ep != nil {
					s.episodes.Touch(k)
					s.record(ep, "", false)
				}
			}
		case !g.Held:
			s.releaseRecords(c, "joined "+g.ID+": "+why)
		}
	}
	if opened {
		h.Members, h.items, h.scan = nil, nil, 0
		s.mergeProfile(h.ID, g.ID)
		s.schedule(dueSettle, h.ID, &h.SettleDue, time.Time{})
		s.emit(IncidentMerged{h.ID, g.ID, why})
		s.closeGroup(h)
	} else {
		s.schedule(dueHold, h.ID, &h.HoldDue, time.Time{})
		s.groups.Delete(h.ID)
	}
	s.unclear(g)
	if !g.Held {
		s.touchGroup(g.ID, "")
	}
}

// viewEvery is how often a large incident is looked at anew: to do so with every
// alert would make a storm cost its square.
const (
	viewEvery  = 15 * time.Second
	largeGroup = 16
)

// reassess recomputes what is known of an incident and tells if it changed.
func (s *State) reassess(id string, n news) {
	g := s.groups.Get(id)
	if g == nil || g.Beat != "" || g.Held || len(g.Members) == 0 { // what was merged away keeps what was told of it
		return
	}
	if n.due {
		s.outlive(g)
	}
	if size := len(g.Members); size > largeGroup && g.live() && size < g.Assessed+g.Assessed/6 && !n.due {
		if g.ViewDue.IsZero() {
			s.schedule(dueView, id, &g.ViewDue, s.now.Add(viewEvery))
			s.groups.Touch(id)
		}
		return
	}
	a := s.assess(g)
	if !g.live() && len(g.Members) == g.Assessed {
		// What was held when it ended stays: items come and go after it.
		a.Causes, a.Verdict = g.Last.Causes, g.Last.Verdict
		a.Impact, a.Urgency, a.Derived = g.Last.Impact, g.Last.Urgency, g.Last.Derived
	}
	g.Assessed = len(g.Members)
	s.groups.Touch(id) // what is told may be as before, what it is ranked by is not
	if n.text == "" && equalAssessment(a, g.Last) {
		return
	}
	g.Last = a
	if told := s.recognise(g); told != "" {
		n.text = strings.TrimPrefix(n.text+"; "+told, "; ")
	}
	s.emit(IncidentChanged{id, g.Last, n.text})
}

func equalAssessment(a, b Assessment) bool {
	return a.Title == b.Title && a.Severity == b.Severity && a.Onset.Equal(b.Onset) && a.Impact == b.Impact && a.Urgency == b.Urgency &&
		a.Alerts == b.Alerts && a.Active == b.Active && a.SeenBefore == b.SeenBefore && a.Page == b.Page && slices.Equal(a.CIs, b.CIs) &&
		slices.Equal(a.Causes, b.Causes) && a.Verdict == b.Verdict && len(a.Changes) == len(b.Changes)
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
func quantise(x float64) float64 {
	if x < 0 {
		return -float64(int64(-x*1000+0.5)) / 1000
	}
	return float64(int64(x*1000+0.5)) / 1000
}
