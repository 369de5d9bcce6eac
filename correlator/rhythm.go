package correlator

import (
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// How long a firing alert may go unmentioned follows its sender: Alertmanager says an
// unchanged group again after its repeat_interval, which is anything from minutes to
// days. Where the configuration here says it, that holds; else it is learned from what
// is repeated unchanged: of the same rule, or else of others of
// its source; until then an alert is kept for long.

const (
	// unknownExpiry is how long an alert of unknown rhythm may go unmentioned: a day,
	// the longest repeat interval in common use, and an hour.
	unknownExpiry = 25 * time.Hour
	// likelyExpiry is the least that an alert is kept whose own rhythm is not known
	// although others of its source are: what Alertmanager's default, four hours, asks for.
	likelyExpiry = 5*time.Hour + 30*time.Minute
	// rhythmGaps is how many repeats tell a rhythm. Fewer may be restarts of the sender.
	rhythmGaps = 3
	// othersGaps is how many are kept of all rules of a severity or a source, and
	// slowRepeat the least that counts there: what is repeated within minutes is a
	// heartbeat with a route of its own, or the view of a second replica.
	othersGaps = 12
	slowRepeat = time.Hour
	// rhythmSlack and rhythmLate are by how much gaps of one rhythm differ at most, and
	// how late beyond it a repeat may be: a retry waits for the next group interval.
	rhythmSlack = 4 // a fourth of it
	rhythmLate  = 15 * time.Minute
	// sameFlush is within what the members of a high-availability pair, and retries,
	// say the same again.
	sameFlush = time.Minute
	// rhythmMemory is how long the rhythm of alerts that no longer come is kept.
	rhythmMemory = 60 * 24 * time.Hour
)

// rhythm is how often a source repeats the unchanged alerts of a rule and severity:
// routes choose by these most of all.
type rhythm struct {
	Gaps []Duration `json:"gaps"` // the latest
	At   time.Time  `json:"at"`   // of the last
	Due  time.Time  `json:"due,omitzero"`
}

// steady is the longest of the gaps, where they are enough and one rhythm.
func (r *rhythm) steady() (time.Duration, bool) {
	if r == nil || len(r.Gaps) < rhythmGaps {
		return 0, false
	}
	most, least := time.Duration(slices.Max(r.Gaps)), time.Duration(slices.Min(r.Gaps))
	return most, most-least <= least/rhythmSlack+2*groupInterval
}

// longest of the gaps; 0 where there are none.
func (r *rhythm) longest() time.Duration {
	if r == nil || len(r.Gaps) == 0 {
		return 0
	}
	return time.Duration(slices.Max(r.Gaps))
}

func (s *State) rhythmKey(src string, l event.Labels) string {
	return src + "\x00" + l.Get("alertname") + "\x00" + l.Get(s.cfg.SeverityLabel)
}

// severityKey and sourceKey are under which the gaps of all rules of a severity, and
// of all of a source, are known.
func (s *State) severityKey(src string, l event.Labels) string {
	return src + "\x00\x00" + l.Get(s.cfg.SeverityLabel)
}

func sourceKey(src string) string { return src + "\x00" }

// guessed is how long an alert may go unmentioned whose own rhythm is not known, by how
// its source repeats others: as the slowest of them that may share its route.
func (s *State) guessed(src string, l event.Labels) (time.Duration, bool) {
	all := s.rhythms.Get(sourceKey(src))
	if all == nil || len(all.Gaps) < rhythmGaps {
		return 0, false
	}
	every := max(all.longest(), s.rhythms.Get(s.severityKey(src, l)).longest(), s.rhythms.Get(s.rhythmKey(src, l)).longest())
	return max(s.overdue(every), likelyExpiry), true
}

// expiryOf is how long an alert of a source may go unmentioned; known is false where
// nothing says so.
func (s *State) expiryOf(src string, l event.Labels) (d time.Duration, known bool) {
	if s.cfg.Expiry > 0 {
		return time.Duration(s.cfg.Expiry), true
	}
	if every, ok := s.rhythms.Get(s.rhythmKey(src, l)).steady(); ok {
		return s.overdue(every), true
	}
	if d, ok := s.guessed(src, l); ok {
		return min(d, unknownExpiry), true
	}
	return unknownExpiry, false
}

// overdue is when what is repeated so often is no longer only late.
func (s *State) overdue(every time.Duration) time.Duration {
	return (every + every/rhythmSlack + rhythmLate).Truncate(time.Second)
}

func (s *State) expiryOfEpisode(ep *episode) time.Duration {
	d, _ := s.expiryOf(ep.Source, ep.Labels)
	return d
}

// expires is when an episode was unmentioned for its expiry while its source was heard.
func (s *State) expires(ep *episode, so *source) time.Time {
	return latest(ep.Base, so.Since).Add(s.expiryOfEpisode(ep))
}

// lastRepeat is how long before an alert expires its source must have been heard for
// that to prove anything: by then it would have been mentioned.
func lastRepeat(expiry time.Duration) time.Duration {
	return max(expiry/10, min(2*groupInterval, expiry/2)).Truncate(time.Millisecond)
}

// quiet is the longest that a living source is taken to say nothing.
func (s *State) quiet(src string) time.Duration {
	if s.cfg.Expiry > 0 {
		return time.Duration(s.cfg.Expiry)
	}
	return unknownExpiry
}

// bodyMark tells bodies apart that carry other alerts, or the same with other states:
// only what is said again unchanged is a repeat, and not a change of its group. It is
// 0 where a body may not carry all of its group.
func bodyMark(n *event.Notification) uint64 {
	if n.Truncated > 0 || len(n.Invalid) > 0 {
		return 0
	}
	h := uint64(14695981039346656037)
	add := func(t string) {
		for i := range len(t) {
			h = (h ^ uint64(t[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	add(n.ExternalURL)
	add(n.Receiver)
	add(n.GroupKey)
	for i := range n.Alerts {
		a := &n.Alerts[i]
		add(a.Fingerprint)
		add(string(a.Status))
		h = (h ^ uint64(a.StartsAt.UnixNano())) * 1099511628211
	}
	return h
}

// said notes in which body an alert was mentioned, and learns from a repeat.
func (s *State) said(key string, ep *episode, before time.Time) {
	was := ep.Mark
	ep.Mark = s.mark
	gap := s.now.Sub(before)
	if s.cfg.Expiry > 0 || s.mark == 0 || was != s.mark || gap < sameFlush || before.Before(s.books().Up) {
		return
	}
	s.beatOn(s.rhythmKey(ep.Source, ep.Labels), gap, rhythmGaps)
	if gap >= slowRepeat {
		s.beatOn(s.severityKey(ep.Source, ep.Labels), gap, othersGaps)
		s.beatOn(sourceKey(ep.Source), gap, othersGaps)
	}
	if at := s.now.Add(s.expiryOfEpisode(ep)); ep.Due.After(at) {
		s.schedule(dueEpisode, key, &ep.Due, at)
	}
}

// beatOn notes a gap of a rhythm. One repeat of many alerts is one repeat.
func (s *State) beatOn(k string, gap time.Duration, most int) {
	r := s.rhythms.Get(k)
	if r == nil {
		r = &rhythm{}
		s.rhythms.Put(k, r)
	}
	if r.At.Equal(s.now) {
		return
	}
	r.At = s.now
	if r.Gaps = append(r.Gaps, Duration(gap)); len(r.Gaps) > most {
		r.Gaps = slices.Delete(r.Gaps, 0, 1)
	}
	s.schedule(dueRhythm, k, &r.Due, s.now.Add(rhythmMemory))
	s.rhythms.Touch(k)
}
