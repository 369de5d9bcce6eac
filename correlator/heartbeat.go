package correlator

import (
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

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
		s.mention(ek, ep)
		if a.Status == event.Resolved && !ep.ended() {
			s.endWithFate(ek, ep, AlertResolved, FateResolve, "the heartbeat's source ended it")
			return FateResolve
		}
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

// patience is how long a heartbeat may be silent: twice its own rhythm, which is
// Alertmanager's repeat interval, and not less than configured. Before the rhythm
// is known it may be anything up to the expiry of alerts.
func (s *State) patience(b *heartbeat) time.Duration {
	if b.Beats < 6 {
		return max(s.expiry(), time.Duration(s.cfg.WatchdogTimeout))
	}
	return max(2*time.Duration(b.Every)+5*time.Minute, time.Duration(s.cfg.WatchdogTimeout))
}

func (s *State) beatDue(key string) {
	b := s.beats.Get(key)
	b.Missing = true
	s.beats.Touch(key)
	b.Group = s.openBeat(b)
}
