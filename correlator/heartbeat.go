package correlator

import (
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// heartbeat is an alert that always fires: its silence is the signal.
type heartbeat struct {
	Source  string    `json:"source"`
	Name    string    `json:"name"`
	Last    time.Time `json:"last"`
	Every   Duration  `json:"every,omitempty"` // its rhythm as learned; 0 until it was heard twice
	Beats   int       `json:"beats,omitempty"`
	Missing bool      `json:"missing,omitempty"`
	Group   string    `json:"group,omitempty"`
	Episode string    `json:"episode"`
	Due     time.Time `json:"due,omitzero"`
}

// beat takes a heartbeat.
func (s *State) beat(src string, a *event.Alert) Fate {
	key := src + "\x00" + s.identity(a.Labels)
	b := s.beats.Get(key)
	if b == nil {
		b = &heartbeat{Source: src, Name: a.Labels.Get("alertname")}
		s.beats.Put(key, b)
	}
	s.beats.Touch(key)
	if a.Status == event.Firing {
		if gap := s.now.Sub(b.Last); !b.Last.IsZero() && gap >= time.Second && !b.Missing {
			b.Every = max(b.Every-b.Every/64, Duration(gap))
			b.Beats++
		}
		b.Last = s.now
		s.schedule(dueBeat, key, &b.Due, s.now.Add(s.patience(b)))
		if b.Missing {
			b.Missing = false
			if g := s.groups.Get(b.Group); g != nil && g.live() {
				s.clear(g, true)
			}
		}
	}
	ek := episodeKey(src, a)
	if ep := s.episodes.Get(ek); ep != nil {
		if a.Status == event.Resolved && !ep.ended() {
			s.endWithFate(ek, ep, AlertResolved, FateResolve, "the heartbeat's source ended it")
			return FateResolve
		}
		if a.Status == event.Firing && ep.ended() {
			ep.Status, ep.Ended, ep.EndWhy = AlertStale, time.Time{}, "" // mention brings it back
		}
		s.mention(ek, ep)
		return FateDuplicate
	}
	ep := s.newEpisode(src, ek, a)
	ep.Fate, ep.Why = FateHeld, "a heartbeat: its absence opens an incident, not its presence"
	if a.Status == event.Resolved {
		ep.Status, ep.Ended = AlertResolved, s.now
		ep.Fate, ep.Why = FateResolve, "the heartbeat's source ended it"
	}
	ep.Canonical = ep.ID
	b.Episode = ek
	s.schedule(dueEpisode, ek, &ep.Due, s.now.Add(s.expiry()))
	s.recordFull(ep, &canonical{ID: ep.ID, Severity: s.severity(a.Labels), Labels: a.Labels}, a)
	return ep.Fate
}

// patience is how long a heartbeat may be silent: as configured, else twice its own
// rhythm, which is Alertmanager's repeat interval. Before the rhythm is known it may
// be anything up to the expiry of alerts.
func (s *State) patience(b *heartbeat) time.Duration {
	switch {
	case s.cfg.WatchdogTimeout > 0:
		return time.Duration(s.cfg.WatchdogTimeout)
	case b.Beats < 6:
		return s.expiry()
	}
	return max(2*time.Duration(b.Every)+5*time.Minute, 15*time.Minute)
}

// beatDue tells that a heartbeat is silent: in the incident of its last silence, if
// that is not long over, else in one of its own.
func (s *State) beatDue(key string) {
	b := s.beats.Get(key)
	b.Missing = true
	s.beats.Touch(key)
	g := s.groups.Get(b.Group)
	switch {
	case g == nil || g.Closed || !g.live() && s.now.Sub(g.ResolvedAt) > time.Duration(s.cfg.ReopenWindow):
		b.Group = s.openBeat(b)
	case g.live():
		s.unclear(g)
	default:
		s.revive(g, "the heartbeat "+b.Name+" is silent again", s.now)
	}
}

// openBeat opens an incident for a silent heartbeat.
func (s *State) openBeat(b *heartbeat) string {
	from := ""
	if b.Source != "" {
		from = " from " + b.Source
	}
	g := &group{ID: s.seq("incident"), OpenedAt: s.now, LastJoined: s.now, Beat: b.Name}
	g.Last = Assessment{
		Title:    fmt.Sprintf("%s has not been heard%s for %s: alerting itself may be down", b.Name, from, event.Span(s.now.Sub(b.Last))),
		Severity: Critical, Onset: b.Last, Impact: 1, Urgency: 1, Derived: "a silent heartbeat means that nothing else would be heard",
	}
	s.groups.Put(g.ID, g)
	s.emit(IncidentOpened{ID: g.ID, Assessment: g.Last, Why: "the heartbeat " + b.Name + " is silent"})
	return g.ID
}
