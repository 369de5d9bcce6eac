package correlator

import (
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// canonical is the alert that overlapping episodes of replicas share.
type canonical struct {
	ID          string       `json:"id"`
	Identity    string       `json:"identity"`
	Labels      event.Labels `json:"labels"`
	Severity    Severity     `json:"severity"`
	Binding     *Binding     `json:"binding,omitempty"`
	Onset       time.Time    `json:"onset"`
	First       time.Time    `json:"first"`
	Active      bool         `json:"active"`
	Ended       time.Time    `json:"ended,omitzero"`
	Unrecovered bool         `json:"unrecovered,omitempty"` // it ended by expiry, not by recovery
	Episodes    []string     `json:"episodes"`
	Group       string       `json:"group,omitempty"`
	AttachedAt  time.Time    `json:"attached,omitzero"`
	Evidence    []Evidence   `json:"evidence,omitempty"`
	Suppressed  string       `json:"suppressed,omitempty"` // why
	HoldWhy     string       `json:"hold,omitempty"`
	Unbound     string       `json:"unbound,omitempty"` // why no item is known, until its record has it
	Complaint   complaint    `json:"complaint,omitempty"`
	Counted     bool         `json:"counted,omitempty"` // learned from already
	Alone       float64      `json:"alone,omitempty"`   // what it counts among those that came alone
	Lost        bool         `json:"lost,omitempty"`    // its resolve was lost: it is over
	Views       bool         `json:"views,omitempty"`   // some of its episodes are mere views: see repeats

	Story    string `json:"story,omitempty"`    // see storyOf
	Before   string `json:"before,omitempty"`   // the incident that its former occurrence was in
	Replaced bool   `json:"replaced,omitempty"` // another alert has its identity now
	Told     bool   `json:"told,omitempty"`     // another alert goes on with its story

	follows string  // of a new one: the group of the alert whose story it goes on with
	ruled   uint64  // when sides was worked out: see sidesOf
	sides   []uint8 // of the rulings
	item    int32   // see itemOf
}

// canonicalFor finds or makes the alert that an episode belongs to.
func (s *State) canonicalFor(key string, ep *episode, a *event.Alert) (*canonical, bool) {
	id := s.identity(a.Labels)
	if c := s.alerts.Get(s.byIdentity[id]); c != nil && s.goesOn(c, ep) {
		if !slices.Contains(c.Episodes, key) {
			c.Episodes = append(c.Episodes, key)
		}
		if ep.Onset.Before(c.Onset) && c.Active {
			c.Onset = ep.Onset
		}
		ep.Canonical = c.ID
		s.alerts.Touch(c.ID)
		return c, false
	}
	b, why := s.g.bind(a.Labels, a.GeneratorURL)
	c := &canonical{
		ID: ep.ID, Identity: id, Labels: ep.Labels, Severity: s.severity(a.Labels), Binding: b,
		Onset: ep.Onset, First: s.now, Episodes: []string{key}, Complaint: s.g.complaintOf(b, a.Labels),
	}
	if b == nil {
		c.Unbound = why
	}
	if old := s.alerts.Get(c.ID); old != nil {
		// The same episode, back after so long that it is judged anew: its former
		// incident keeps its story, not the alert.
		s.unseatAll(old)
		c.Before = old.record()
		if g := s.groups.Get(old.Group); g != nil {
			g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return m == c.ID })
			g.scan = 0
			s.groups.Touch(g.ID)
		}
	}
	ep.Canonical, ep.View = c.ID, false // it repeats nothing any more
	s.alerts.Put(c.ID, c)
	s.register(c)
	return c, true
}

// identity is what replicas of one alert share: all labels but the configured
// replica labels.
func (s *State) identity(l event.Labels) string {
	var b strings.Builder
	for _, x := range l {
		if slices.Contains(s.cfg.ReplicaLabels, x.Name) {
			continue
		}
		b.WriteString(x.Name)
		b.WriteByte(0)
		b.WriteString(x.Value)
		b.WriteByte(0)
	}
	return hashOf(b.String()) + hashOf("2", b.String())
}

func (s *State) severity(l event.Labels) Severity {
	if v, ok := s.cfg.Severities[strings.ToLower(l.Get(s.cfg.SeverityLabel))]; ok {
		return v
	}
	return s.cfg.DefaultSeverity
}

// countEpisodes counts the episodes that are shown of an alert, and how many of them fire.
func (s *State) countEpisodes(c *canonical) (shown, active int) {
	if len(c.Episodes) == 1 && !c.Views {
		if c.Active { // as its only episode is
			return 1, 1
		}
		return 1, 0
	}
	for _, k := range c.Episodes {
		if ep := s.episodes.Get(k); ep != nil && !ep.View {
			shown++
			if !ep.ended() {
				active++
			}
		}
	}
	return shown, active
}
