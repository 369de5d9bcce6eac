package correlator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// episode is a received episode in memory: all but the annotations and, once they
// are written, the reasons, which only its record keeps.
type episode struct {
	ID          string       `json:"id"`
	Source      string       `json:"source"`
	Fingerprint string       `json:"fp"`
	StartsAt    time.Time    `json:"starts"`
	Labels      event.Labels `json:"labels"`
	Status      AlertStatus  `json:"status"`
	Onset       time.Time    `json:"onset"`
	First       time.Time    `json:"first"`
	Last        time.Time    `json:"last"`
	Base        time.Time    `json:"base"` // silence counts from here
	Receipts    int          `json:"n"`
	Written     time.Time    `json:"written"` // when the record last got Last and Receipts
	Ended       time.Time    `json:"ended,omitzero"`
	EndsAt      time.Time    `json:"ends,omitzero"`
	// Over is when it ended as far as is known: endsAt, but not before it was last seen
	// firing, nor after that was received; of an expired one, when it was last seen.
	Over      time.Time `json:"over,omitzero"`
	Canonical string    `json:"canonical"`
	Fate      Fate      `json:"fate"`
	Why       string    `json:"why,omitempty"` // empty once its record has it
	FinalFate Fate      `json:"final,omitempty"`
	FinalWhy  string    `json:"final_why,omitempty"`
	EndWhy    string    `json:"end_why,omitempty"`
	Clamped   bool      `json:"clamped,omitempty"`
	Body      string    `json:"body,omitempty"`  // of a suppressed alert: the group of Alertmanager's that carried it
	View      bool      `json:"view,omitempty"`  // shown by another replica already: see repeats
	Shown     bool      `json:"shown,omitempty"` // in an incident that was closed: it is released no second time
	Joined    time.Time `json:"joined,omitzero"` // when a view was made part of its incident
	Mark      uint64    `json:"mark,omitempty"`  // of the body that mentioned it last: see bodyMark
	Due       time.Time `json:"due,omitzero"`
}

func (ep *episode) ended() bool { return ep.Status != AlertFiring && ep.Status != AlertStale }

// counted is the fate to count with the episode's record; duplicates are counted
// together, at the end of their body.
func (ep *episode) counted() Fate {
	if ep.Fate == FateDuplicate {
		return ""
	}
	return ep.Fate
}

func (ep *episode) series() string { return ep.Source + "\x00" + ep.Fingerprint }

// seriesOf is series as a part of the episode's key: what is kept for each of very
// many episodes shares its memory.
func seriesOf(key string) string { return key[:strings.LastIndexByte(key, 0)] }

// keepEnded is how long an ended episode stays in memory, to recognise late
// duplicates and repeated resolves; rewriteEvery is how often a repeated alert's
// record learns of its repeats.
const (
	keepEnded    = 6 * time.Hour
	rewriteEvery = 10 * time.Minute
)

func (s *State) notification(src string, n *event.Notification) {
	so := s.sources.Get(src)
	if so == nil {
		so = &source{}
		s.sources.Put(src, so)
	}
	s.heard(src, so)
	so.Truncated += n.Truncated
	s.sources.Touch(src)
	for _, bad := range n.Invalid {
		s.emit(Counted{FateInvalid, 1})
		s.emit(Quarantined{src, bad})
	}
	repeats := 0
	s.mark = bodyMark(n)
	for i := range n.Alerts {
		if s.receive(src, &n.Alerts[i]) == FateDuplicate {
			repeats++
		}
	}
	s.noteBody(src, n)
	if repeats > 0 {
		s.emit(Counted{FateDuplicate, repeats})
	}
}

// heard notes that a source speaks. What went stale in its silence gets time to be
// mentioned: a body is about one group of alerts and proves nothing about others.
func (s *State) heard(src string, so *source) {
	if so.Since.IsZero() || s.now.Sub(so.Heard) > s.quiet(src) {
		so.Since = s.now // no living source is silent for so long: the clocks stood still
	}
	so.Heard = s.now
	for _, k := range so.Stale {
		if ep := s.episodes.Get(k); ep != nil && ep.Status == AlertStale {
			s.schedule(dueEpisode, k, &ep.Due, latest(s.expires(ep, so), s.now.Add(lastRepeat(s.expiryOfEpisode(ep)))))
			s.episodes.Touch(k)
		}
	}
	so.Stale = nil
	s.sources.Touch(src)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// receive disposes of one alert object. Duplicates are counted by the caller;
// every other fate is emitted here with the record.
func (s *State) receive(src string, a *event.Alert) Fate {
	if s.isHeartbeat(src, a) {
		return s.beat(src, a)
	}
	key := episodeKey(src, a)
	ep := s.episodes.Get(key)
	if ep != nil && !ep.Labels.Equal(a.Labels) {
		// Two label sets with one fingerprint: a collision must not join two alerts.
		key += "#" + hashOf(fmt.Sprint(a.Labels))
		ep = s.episodes.Get(key)
	}
	switch {
	case ep == nil && a.Status == event.Resolved:
		return s.lateResolve(src, key, a)
	case ep == nil:
		return s.fire(src, key, a)
	case a.Status == event.Resolved:
		if ep.ended() {
			s.mention(key, ep)
			return FateDuplicate
		}
		ep.EndsAt, ep.Over = a.EndsAt, s.over(ep, a.EndsAt)
		ep.Receipts++
		ep.Last = s.now
		s.endWithFate(key, ep, AlertResolved, FateResolve, "resolved by its source")
		s.endTwins(key, ep, a.EndsAt)
		return FateResolve
	case ep.ended():
		if s.now.Sub(ep.Ended) <= time.Duration(s.cfg.LateFiring) && ep.Status == AlertResolved {
			s.mention(key, ep) // a slow peer repeats what it said before the resolve
			return FateDuplicate
		}
		return s.refire(key, ep)
	default:
		s.mention(key, ep)
		return FateDuplicate
	}
}

func episodeKey(src string, a *event.Alert) string {
	return src + "\x00" + a.Fingerprint + "\x00" + strconv.FormatInt(a.StartsAt.UnixNano(), 36)
}

// mention notes a repeat; the record learns of it now and then, not each time.
func (s *State) mention(key string, ep *episode) {
	if !ep.ended() {
		s.said(key, ep, ep.Last)
	}
	ep.Last = s.now
	ep.Base = s.now
	ep.Receipts++
	s.episodes.Touch(key)
	back := ep.Status == AlertStale
	if back {
		ep.Status = AlertFiring
		s.schedule(dueEpisode, key, &ep.Due, s.now.Add(s.expiryOfEpisode(ep)))
	}
	if back || s.now.Sub(ep.Written) >= rewriteEvery {
		s.record(ep, "", false)
	}
}

func (s *State) newEpisode(src, key string, a *event.Alert) *episode {
	series := seriesOf(key)
	ep := &episode{
		ID: s.seq("alert"), Source: series[:len(src)], Fingerprint: series[len(src)+1:], StartsAt: a.StartsAt, Labels: a.Labels,
		Status: AlertFiring, First: s.now, Last: s.now, Base: s.now, Receipts: 1, EndsAt: a.EndsAt, Mark: s.mark,
	}
	ep.Onset, ep.Clamped = s.onset(a)
	if so := s.sources.Get(src); ep.Clamped && so != nil {
		so.Clamped++
		s.sources.Touch(src)
	}
	s.episodes.Put(key, ep)
	return ep
}

// onset is startsAt less the rule's `for`, kept between now and MaxOnsetAge ago:
// a clock that is wrong must not open incidents in the future or the deep past.
func (s *State) onset(a *event.Alert) (time.Time, bool) {
	at := a.StartsAt.Add(-time.Duration(s.cfg.For[a.Labels.Get("alertname")])).Truncate(time.Millisecond)
	if oldest := s.now.Add(-time.Duration(s.cfg.MaxOnsetAge)); at.Before(oldest) {
		return oldest, true
	}
	if at.After(s.now) {
		return s.now, true
	}
	return at, false
}

// fire takes a new firing episode.
func (s *State) fire(src, key string, a *event.Alert) Fate {
	s.supersede(src, a)
	ep := s.newEpisode(src, key, a)
	s.list(key)
	s.schedule(dueEpisode, key, &ep.Due, s.now.Add(s.expiryOfEpisode(ep)))
	c, isNew := s.canonicalFor(key, ep, a)
	s.dispose(c, ep, isNew)
	s.recordFull(ep, c, a)
	return ep.Fate
}

// list notes an episode that is not ended under its series.
func (s *State) list(key string) {
	series := seriesOf(key)
	s.bySeries[series] = insert(s.bySeries[series], key, strings.Compare)
}

// refire brings back an ended episode that is mentioned as firing long after its end.
func (s *State) refire(key string, ep *episode) Fate {
	if ep.Status == AlertExpired {
		s.said(key, ep, ep.Last) // it was there all along: its rhythm is slower than it seemed
	}
	ep.Status, ep.Ended, ep.Over, ep.EndWhy = AlertFiring, time.Time{}, time.Time{}, ""
	ep.FinalFate, ep.FinalWhy = "", "" // of its former firing
	ep.Last, ep.Base = s.now, s.now
	ep.Receipts++
	s.list(key)
	s.schedule(dueEpisode, key, &ep.Due, s.now.Add(s.expiryOfEpisode(ep)))
	s.episodes.Touch(key)
	a := &event.Alert{Labels: ep.Labels}
	c, isNew := s.canonicalFor(key, ep, a)
	s.dispose(c, ep, isNew)
	s.record(ep, ep.counted(), false)
	return ep.Fate
}

// supersede ends older episodes of the same series that the new one replaces:
// it began after they were last mentioned, so their resolve was lost.
func (s *State) supersede(src string, a *event.Alert) {
	for _, k := range slices.Clone(s.bySeries[src+"\x00"+a.Fingerprint]) {
		old := s.episodes.Get(k)
		if old.Labels.Equal(a.Labels) && a.StartsAt.After(old.Last) {
			if c := s.alerts.Get(old.Canonical); c != nil && a.StartsAt.Sub(old.Last) > lostReturn {
				c.Lost = true
				s.alerts.Touch(c.ID)
			}
			s.end(k, old, AlertSuperseded, a.StartsAt, "it fired anew, so its resolve was lost")
		}
	}
}

// endTwins ends the same alert's episodes under another startsAt: peers differ in
// it, and Alertmanager keeps the earlier when it merges them. Equal labels are asked
// for because fingerprints may collide.
func (s *State) endTwins(key string, ep *episode, endsAt time.Time) {
	for _, k := range slices.Clone(s.bySeries[ep.series()]) {
		twin := s.episodes.Get(k)
		if k == key || !twin.Labels.Equal(ep.Labels) || !endsAt.IsZero() && twin.StartsAt.After(endsAt) {
			continue
		}
		twin.EndsAt, twin.Over = endsAt, s.over(twin, endsAt)
		s.end(k, twin, AlertResolved, s.now, "resolved by its source under another startsAt")
	}
}

// lateResolve takes a resolve whose firing never came.
func (s *State) lateResolve(src, key string, a *event.Alert) Fate {
	ep := s.newEpisode(src, key, a)
	ep.Status, ep.Ended, ep.Over = AlertResolved, s.now, s.over(&episode{Last: ep.Onset}, a.EndsAt)
	ep.Fate, ep.Why = FateResolve, "resolved; its firing was never received"
	s.endTwins(key, ep, a.EndsAt)
	c := s.placeEnded(key, ep, a)
	s.schedule(dueEpisode, key, &ep.Due, s.now.Add(keepEnded))
	s.recordFull(ep, c, a)
	return FateResolve
}

// placeEnded finds the incident that an alert belonged to which fired and ended
// between two notifications: it is part of the story although it is over. It
// never opens or holds anything.
func (s *State) placeEnded(key string, ep *episode, a *event.Alert) *canonical {
	id := s.identity(a.Labels)
	if c := s.alerts.Get(s.byIdentity[id]); c != nil && !c.Lost {
		if g := s.groups.Get(c.Group); g != nil && !g.Closed && (c.Active || ep.Onset.Sub(c.Ended) <= s.flap()) {
			if s.repeats(g, c, ep) {
				ep.View, c.Views = true, true
			}
			c.Episodes = append(c.Episodes, key)
			ep.Canonical = c.ID
			s.alerts.Touch(c.ID)
			if !g.Held {
				if ep.View {
					ep.Why += "; another replica's view of an alert of " + g.ID
				} else {
					ep.Why += "; part of " + g.ID
				}
				s.touchGroup(g.ID, "")
			}
			return c
		}
	}
	b, why := s.g.bind(a.Labels, a.GeneratorURL)
	c := &canonical{ID: ep.ID, Identity: id, Labels: ep.Labels, Severity: s.severity(a.Labels), Binding: b, Onset: ep.Onset, First: s.now, Ended: s.now, Complaint: s.g.complaintOf(b, a.Labels)}
	if b == nil {
		ep.Why += "; " + why
	}
	if w, _, _ := s.planned(c); w != nil {
		return c
	}
	v := s.sight(c)
	var best fit
	for _, g := range s.nearby(v.reaches, v.near, nil) {
		if g.Held || !g.ClearedAt.IsZero() {
			continue
		}
		f := s.fitness(v, g)
		if t := f.total(); t >= attachOdds && (best.g == nil || t > best.total()) {
			best = f
		}
	}
	if best.g == nil {
		return c
	}
	c.Episodes = []string{key}
	c.Evidence = s.evidence(c, best)
	ep.Canonical = c.ID
	ep.Why += "; part of " + best.g.ID + ": " + sentence(c.Evidence)
	s.alerts.Put(c.ID, c)
	s.register(c)
	s.join(best.g, c)
	s.touchGroup(best.g.ID, "")
	return c
}

// end closes an episode for another reason than its own resolve.
func (s *State) end(key string, ep *episode, st AlertStatus, at time.Time, why string) {
	ep.EndWhy = why
	s.close(key, ep, st, at)
	s.record(ep, "", false)
}

func (s *State) endWithFate(key string, ep *episode, st AlertStatus, f Fate, why string) {
	ep.EndWhy = why
	s.close(key, ep, st, s.now)
	s.record(ep, f, false)
}

func (s *State) close(key string, ep *episode, st AlertStatus, at time.Time) {
	ep.Status, ep.Ended = st, at
	if at.After(s.now) {
		ep.Ended = s.now
	}
	if ep.Over.IsZero() {
		ep.Over = ep.Last
	}
	remove(s.bySeries, ep.series(), key, strings.Compare)
	s.schedule(dueEpisode, key, &ep.Due, s.now.Add(keepEnded))
	s.episodes.Touch(key)
	c := s.alerts.Get(ep.Canonical)
	if c == nil || !c.Active {
		return
	}
	for _, k := range c.Episodes {
		if o := s.episodes.Get(k); o != nil && !o.ended() {
			if g := s.groups.Get(c.Group); g != nil && !g.Held && g.sole() != "" && s.shown(c, nil) == nil {
				s.watchView(g)
			}
			return
		}
	}
	c.Active, c.Ended, c.Unrecovered = false, s.now, st == AlertExpired
	s.alerts.Touch(c.ID)
	s.alertEnded(c)
}

// episodeDue looks at an episode whose time may be over: a firing one may have
// expired or gone stale, an ended one is forgotten.
func (s *State) episodeDue(key string) {
	ep := s.episodes.Get(key)
	if ep.ended() {
		s.forget(key, ep)
		return
	}
	so := s.sources.Get(ep.Source)
	if so == nil {
		return // its own facts end it
	}
	if at := s.expires(ep, so); at.After(s.now) {
		s.schedule(dueEpisode, key, &ep.Due, at)
		s.episodes.Touch(key)
		return
	}
	if expiry := s.expiryOfEpisode(ep); !so.Heard.Before(s.now.Add(-lastRepeat(expiry))) {
		s.end(key, ep, AlertExpired, s.now, fmt.Sprintf("not mentioned for %s while its source was heard", event.Span(expiry)))
		return
	}
	so.Stale = append(so.Stale, key)
	s.sources.Touch(ep.Source)
	if ep.Status == AlertStale {
		return
	}
	ep.Status = AlertStale
	s.episodes.Touch(key)
	s.record(ep, "", false)
}

func (s *State) forget(key string, ep *episode) {
	c := s.alerts.Get(ep.Canonical)
	if c != nil {
		if g := s.groups.Get(c.Group); g != nil && (g.live() || s.sharedUntil(g).After(s.now)) {
			return // its incident is open, or may be again, and must know its members: dropGroup forgets it
		}
		c.Episodes = slices.DeleteFunc(c.Episodes, func(k string) bool { return k == key })
		s.alerts.Touch(c.ID)
		if len(c.Episodes) == 0 {
			s.unseatAll(c)
			s.alerts.Delete(c.ID)
			s.unregister(c)
		}
	}
	s.episodes.Delete(key)
}

// record emits the episode's record without annotations, which stay as stored, as
// does its reason where no new one was given.
func (s *State) record(ep *episode, f Fate, released bool) {
	ep.Written = s.now
	c := s.alerts.Get(ep.Canonical)
	if c == nil {
		c = &canonical{ID: ep.Canonical, Severity: s.severity(ep.Labels)}
	}
	s.emit(AlertDecided{Alert: alertOf(ep, c), Fate: f, Released: released && !ep.lasting()})
	ep.Why = ""
}

func (s *State) recordFull(ep *episode, c *canonical, a *event.Alert) {
	ep.Written = s.now
	doc := alertOf(ep, c)
	doc.Annotations, doc.GeneratorURL = a.Annotations, a.GeneratorURL
	s.emit(AlertDecided{Alert: doc, Fate: ep.counted(), Full: true})
	ep.Why, c.Unbound = "", ""
}

func alertOf(ep *episode, c *canonical) Alert {
	a := Alert{
		ID: ep.ID, Source: ep.Source, Fingerprint: ep.Fingerprint, StartsAt: ep.StartsAt, Labels: ep.Labels,
		Status: ep.Status, Severity: c.Severity, Onset: ep.Onset, FirstReceived: ep.First, LastReceived: ep.Last,
		Receipts: ep.Receipts, Canonical: c.ID, Binding: c.Binding, Fate: ep.Fate, Why: ep.Why,
		FinalFate: ep.FinalFate, FinalWhy: ep.FinalWhy, EndWhy: ep.EndWhy, Evidence: c.Evidence, Clamped: ep.Clamped,
	}
	held := c.Group == "" || strings.HasPrefix(c.Group, heldPrefix) || ep.View
	if !held {
		a.Incident = c.Group
	}
	if !ep.EndsAt.IsZero() {
		at := ep.EndsAt
		a.EndsAt = &at
	}
	if !held && !c.AttachedAt.IsZero() {
		at := c.AttachedAt
		at = latest(latest(at, ep.First), ep.Joined)
		a.AttachedAt = &at
	}
	return a
}
