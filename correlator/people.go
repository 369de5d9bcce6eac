package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Gauges are sizes of what is held now.
type Gauges struct {
	AlertsFiring int // received episodes that fire
	AlertsStale  int // of sources that are silent
	AlertsHeld   int // canonical alerts that wait
	Bound, Total int // canonical alerts in memory, and how many of them have an item
	Sources      map[string]Source
}

// Source is how a sender of notifications does.
type Source struct {
	Heard     time.Time // last
	Truncated uint64    // alerts that it left out of its bodies, so far
	Clamped   uint64    // alerts whose onset lay in the future or too far back, so far
	Stale     int       // alerts of it that nobody has spoken of for too long
	Missing   []string  // watchdogs of it that are not heard, sorted
	// Quiet is the longest that it is taken to say nothing while it lives.
	Quiet time.Duration
	// Unknown counts its firing alerts of which nobody says how often they are repeated:
	// an end that is lost is noticed late.
	Unknown int
}

// Gauges counts; it walks the episodes, so call it once per scrape.
func (s *State) Gauges() Gauges {
	g := Gauges{Sources: map[string]Source{}}
	for _, k := range s.sources.Keys() {
		so := s.sources.Get(k)
		g.Sources[k] = Source{Heard: so.Heard, Truncated: so.Truncated, Clamped: so.Clamped, Quiet: s.quiet(k)}
	}
	// Few rules are heartbeats: the identity of an alert of another rule is not worked out.
	beats := map[[2]string]bool{}
	s.beats.Count(func(b *heartbeat) { beats[[2]string{b.Source, b.Name}] = true })
	s.episodes.Count(func(ep *episode) {
		switch ep.Status {
		case AlertFiring:
			g.AlertsFiring++
			if _, known := s.expiryOf(ep.Source, ep.Labels); known || ep.lasting() {
				return
			}
			if beats[[2]string{ep.Source, ep.Labels.Get("alertname")}] && s.isBeat(ep) {
				return
			}
			so := g.Sources[ep.Source]
			so.Unknown++
			g.Sources[ep.Source] = so
		case AlertStale:
			g.AlertsStale++
			so := g.Sources[ep.Source]
			so.Stale++
			g.Sources[ep.Source] = so
		}
	})
	s.alerts.Count(func(c *canonical) {
		g.Total++
		if c.Binding != nil {
			g.Bound++
		}
		if c.Active && strings.HasPrefix(c.Group, heldPrefix) {
			g.AlertsHeld++
		}
	})
	for _, k := range s.beats.Keys() {
		if b := s.beats.Get(k); b.Missing {
			so := g.Sources[b.Source]
			so.Missing = append(so.Missing, b.Name)
			slices.Sort(so.Missing)
			g.Sources[b.Source] = so
		}
	}
	return g
}

// Merge moves all alerts of one incident into another, as a person decided. With
// by set it teaches, too: failures like the two belong together.
func (s *State) Merge(from, into, by string, now time.Time) []Decision {
	s.now, s.out = now, nil
	f, g := s.groups.Get(from), s.groups.Get(into)
	if f == nil {
		return nil
	}
	if g == nil { // opened by hand: it becomes a group under its own id
		g = &group{ID: into, OpenedAt: now}
		s.groups.Put(into, g)
	}
	if by != "" {
		t := Teaching{Kind: Related, By: by, At: now, From: "merge " + from + " into " + into, A: s.sideOf(f, nil), B: s.sideOf(g, nil)}
		if !t.A.empty() && !t.B.empty() {
			s.teach(&t)
		}
	}
	for _, m := range f.Members {
		if c := s.alerts.Get(m); c != nil {
			s.move(c, g, "merged from "+from)
		}
	}
	f.Members = nil
	s.schedule(dueSettle, from, &f.SettleDue, time.Time{})
	s.closeGroup(f)
	s.mergeProfile(from, into)
	s.unclear(g)
	s.touchGroup(into, "")
	s.flush()
	return s.out
}

// Split moves alerts of an incident into one of their own. With by set it teaches,
// too: such alerts are not related to failures like those that stay.
func (s *State) Split(id string, alerts []string, by string, now time.Time) (string, []Decision, error) {
	s.now, s.out = now, nil
	g := s.groups.Get(id)
	if g == nil {
		return "", nil, fault.Conflictf("incident %s has no alerts", id)
	}
	var leave []*canonical
	for n, a := range alerts {
		c := s.memberByAlert(g, a)
		if c == nil {
			return "", nil, fault.Invalidf(fmt.Sprintf("alerts[%d]", n), "%s is not an alert of %s", a, id)
		}
		if !slices.Contains(leave, c) {
			leave = append(leave, c)
		}
	}
	if len(leave) == len(g.Members) {
		return "", nil, fault.Invalidf("alerts", "are all alerts of %s: at least one must stay", id)
	}
	to := s.splitOff(g, leave, "split from "+id+" by a person")
	if by != "" {
		s.teachSplit(g, leave, by, to)
	}
	s.flush()
	return to, s.out, nil
}

// splitOff opens an incident for alerts of another.
func (s *State) splitOff(g *group, leave []*canonical, why string) string {
	to := &group{ID: s.seq("incident"), OpenedAt: s.now}
	s.groups.Put(to.ID, to)
	for _, c := range leave { // shown since they joined, whatever the record is called
		if at := latest(c.AttachedAt, g.OpenedAt); !c.AttachedAt.IsZero() && at.Before(to.OpenedAt) {
			to.OpenedAt = at
		}
	}
	for _, c := range leave {
		s.leave(g, c)
		s.move(c, to, why)
	}
	to.Last = s.assess(to)
	s.emit(IncidentOpened{ID: to.ID, Assessment: to.Last, Why: "split from " + g.ID + ": " + why, Since: to.OpenedAt})
	s.touchGroup(g.ID, "")
	s.touchGroup(to.ID, "")
	return to.ID
}

// teachSplit notes what a split says of later alerts. Kinds of alerts that are on
// both sides of it say nothing.
func (s *State) teachSplit(g *group, leave []*canonical, by, to string) {
	told := g.Last
	g.Last = s.assess(g) // as it is without them
	t := Teaching{Kind: NotRelated, By: by, At: s.now, From: "split " + g.ID + " into " + to, B: s.sideOf(g, nil, leave...)}
	g.Last = told
	for _, c := range leave {
		k := kindOf(c)
		one := Side{Alerts: [][]string{k}}.compile()
		stays := slices.ContainsFunc(g.Members, func(m string) bool { o := s.alerts.Get(m); return o != nil && one.fits(o) })
		if stays || t.B.compile().fits(c) || slices.ContainsFunc(t.A.Alerts, func(o []string) bool { return slices.Equal(o, k) }) {
			continue
		}
		if t.A.Alerts = append(t.A.Alerts, k); len(t.A.Alerts) == sideMost {
			break
		}
	}
	if !t.A.empty() && !t.B.empty() {
		s.teach(&t)
	}
}

func (s *State) memberByAlert(g *group, alert string) *canonical {
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		for _, k := range c.Episodes {
			if ep := s.episodes.Get(k); ep != nil && ep.ID == alert {
				return c
			}
		}
	}
	return nil
}

func (s *State) move(c *canonical, g *group, why string) {
	c.Evidence = []Evidence{{"person", why, 1}}
	s.join(g, c)
	for _, k := range c.Episodes {
		if ep := s.episodes.Get(k); ep != nil {
			s.episodes.Touch(k)
			s.record(ep, "", false)
		}
	}
}
