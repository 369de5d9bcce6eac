package correlator

import (
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Each replica of a Prometheus shows the same alert, as episodes whose labels differ
// in a replica label. They are views of one canonical alert, and all views of it are
// part of an incident of several alerts. Where the alert is alone, a second view is no
// company and no evidence: it is a repeat of the first, and joins the incident when
// that finds company, or when it is the only view that still fires.

// outliveAfter is how long a view must fire by itself before it is shown in place of
// the one that ended: two group intervals, for replicas end an alert in two
// notifications.
const outliveAfter = 10 * time.Minute

// repeats says whether an episode only repeats, as another replica's view, what its
// group shows already.
func (s *State) repeats(g *group, c *canonical, ep *episode) bool {
	if g.sole() == "" || s.cfg.ignores("views") {
		return false
	}
	if o := s.shown(c, ep); o != nil {
		return !o.Labels.Equal(ep.Labels)
	}
	return !s.leadOf(g, c).Equal(ep.Labels)
}

// shown is a firing episode of an alert, other than ep, that is no mere view.
func (s *State) shown(c *canonical, ep *episode) *episode {
	for _, k := range c.Episodes {
		if o := s.episodes.Get(k); o != nil && o != ep && !o.View && !o.ended() {
			return o
		}
	}
	return nil
}

// leadOf are the labels under which the only alert of a group was shown first.
func (s *State) leadOf(g *group, c *canonical) event.Labels {
	for _, m := range g.Members {
		if o := s.alerts.Get(m); o != nil {
			return o.Labels
		}
	}
	return c.Labels
}

// setAside makes an episode a view: see repeats.
func (s *State) setAside(g *group, c *canonical, ep *episode) {
	ep.View, c.Views = true, true
	where := ""
	if !g.Held {
		where = " of " + g.ID
	}
	why := fmt.Sprintf("another replica's view of alert %s%s, which had no company", c.ID, where)
	if ep.Fate == "" {
		ep.Fate, ep.Why = FateDuplicate, why
	} else {
		ep.FinalFate, ep.FinalWhy = FateDuplicate, why
	}
	if !g.Held && s.shown(c, ep) == nil {
		s.watchView(g)
	}
}

// watchView has a view looked at that may turn out to be the only one left.
func (s *State) watchView(g *group) {
	s.schedule(dueView, g.ID, &g.ViewDue, s.now.Add(outliveAfter))
	s.groups.Touch(g.ID)
}

// outlive shows the views of an alert that none but they show any more.
func (s *State) outlive(g *group) {
	if g.sole() == "" {
		return
	}
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && c.Active && s.shown(c, nil) == nil {
			s.showViews(c, "the only view of it that still fires")
		}
	}
}

// showViews makes all views of an alert part of its incident.
func (s *State) showViews(c *canonical, why string) {
	if !c.Views {
		return
	}
	c.Views = false
	s.alerts.Touch(c.ID)
	for _, k := range c.Episodes {
		ep := s.episodes.Get(k)
		if ep == nil || !ep.View {
			continue
		}
		ep.View, ep.Joined = false, s.now
		if ep.Fate != FateResolve { // what was over at once has its fate
			ep.FinalFate, ep.FinalWhy = FateIncident, why
		}
		s.episodes.Touch(k)
		s.record(ep, "", false)
	}
}

// showOne leaves one view of a lone alert that is shown from now on: one that fires,
// and of those the one under which its group was known before. The records are written
// by releaseRecords, once the alert is in its incident.
func (s *State) showOne(g *group, c *canonical) {
	if s.cfg.ignores("views") {
		return
	}
	var best *episode
	lead := s.leadOf(g, c)
	rank := func(ep *episode) (n int) {
		if !ep.ended() {
			n += 4
		}
		if ep.Labels.Equal(lead) {
			n += 2
		}
		if !ep.View {
			n++
		}
		return n
	}
	for _, k := range c.Episodes {
		ep := s.episodes.Get(k)
		if ep == nil {
			continue
		}
		if best == nil || rank(ep) > rank(best) {
			best = ep
		}
	}
	if best == nil {
		return
	}
	for _, k := range c.Episodes {
		ep := s.episodes.Get(k)
		switch {
		case ep == nil:
			continue
		case ep == best:
			ep.View = false
		case !ep.View && !ep.Labels.Equal(best.Labels):
			s.setAside(g, c, ep)
		}
		s.episodes.Touch(k)
	}
}
