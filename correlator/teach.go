package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/watchbill/watchbill/internal/fault"
)

// What a teaching says.
const (
	// NotRelated: alerts or failures of the one kind are not grouped with those of the other.
	NotRelated = "not_related"
	// Related: they are one failure where they come together.
	Related = "related"
	// AlwaysPage: such alerts are never held, and people are told whatever the hour.
	AlwaysPage = "always_page"
)

// Side is a kind of alerts, or of failures.
type Side struct {
	// Alerts are lists of matchers; an alert that fits all of one list is meant.
	Alerts [][]string `json:"alerts,omitempty"`
	// Cause is an item: failures whose likely cause it is are meant.
	Cause string `json:"cause,omitempty"`
	// CauseName is how people call it.
	CauseName string `json:"cause_name,omitempty"`
}

func (x Side) empty() bool { return len(x.Alerts) == 0 && x.Cause == "" }

// String tells a side in words.
func (x Side) String() string {
	parts := make([]string, 0, len(x.Alerts)+1)
	if x.Cause != "" {
		parts = append(parts, "failures of "+x.CauseName)
	}
	for n, ms := range x.Alerts {
		if n == 3 {
			parts = append(parts, fmt.Sprintf("%d more kinds", len(x.Alerts)-n))
			break
		}
		parts = append(parts, "alerts {"+strings.Join(ms, ", ")+"}")
	}
	return strings.Join(parts, " or ")
}

// Teaching is what a person taught: it changes later decisions until it is withdrawn.
type Teaching struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind"` // not_related, related or always_page
	A           Side       `json:"a"`
	B           Side       `json:"b,omitzero"`
	Text        string     `json:"text"` // what it says, in words
	Reason      string     `json:"reason,omitempty"`
	From        string     `json:"from,omitempty"` // the act that taught it: "merge INC1 into INC2"
	By          string     `json:"by"`
	At          time.Time  `json:"at"`
	Withdrawn   *time.Time `json:"withdrawn_at,omitempty"`
	WithdrawnBy string     `json:"withdrawn_by,omitempty"`
	Uses        int        `json:"uses"` // decisions that it changed
	LastUsed    *time.Time `json:"last_used_at,omitempty"`
}

// TeachingChanged carries a teaching that was given, used or withdrawn.
type TeachingChanged struct{ Teaching Teaching }

func (TeachingChanged) decision() {}

func (x Side) compile() side {
	out := side{cause: x.Cause}
	for _, ms := range x.Alerts {
		out.any = append(out.any, compiled(ms))
	}
	return out
}

func (t *Teaching) ruling() ruling {
	r := ruling{why: fmt.Sprintf("%s, taught by %s", t.ID, t.By), teaching: t.ID, a: t.A.compile(), b: t.B.compile()}
	switch t.Kind {
	case NotRelated:
		r.NeverGroup = true
	case Related:
		r.together = true
	case AlwaysPage:
		r.Page = PageAlways
	}
	return r
}

// Lesson is what a person wants taught: about an alert, or by matchers.
type Lesson struct {
	Kind     string
	Alert    string   // id of a received episode
	Match    []string // instead of an alert
	Incident string   // not_related: with the failures like this one; without it the alert's own
	With     []string // not_related, related: instead of an incident
	Reason   string
	By       string
}

// Teach takes a lesson. An alert that is not related leaves the incident that it
// is in; one that always pages is held no longer.
func (s *State) Teach(l Lesson, now time.Time) (Teaching, []Decision, error) {
	s.now, s.out = now, nil
	t := Teaching{Kind: l.Kind, Reason: l.Reason, By: l.By, At: now}
	if !slices.Contains([]string{NotRelated, Related, AlwaysPage}, l.Kind) {
		return t, nil, fault.Invalidf("kind", "want not_related, related or always_page, got %q", l.Kind)
	}
	c, err := s.lessonSides(&t, l)
	if err != nil {
		return t, nil, err
	}
	t.From = strings.TrimSpace(l.Kind + " " + l.Alert)
	s.teach(&t)
	if c != nil {
		s.obey(&t, c)
	}
	s.flush()
	return *s.teachings.Get(t.ID), s.out, nil
}

// lessonSides turns a lesson's words into sides. It returns the alert that it is about.
func (s *State) lessonSides(t *Teaching, l Lesson) (*canonical, error) {
	var c *canonical
	switch {
	case l.Alert != "" && len(l.Match) > 0:
		return nil, fault.Invalidf("match", "give an alert or matchers, not both")
	case l.Alert != "":
		if c = s.canonicalOf(l.Alert); c == nil {
			return nil, fault.NotFoundf("alert %q does not exist, or is over for long: give matchers instead", l.Alert)
		}
		t.A.Alerts = [][]string{kindOf(c)}
	case len(l.Match) > 0:
		t.A.Alerts = [][]string{l.Match}
	default:
		return nil, fault.Invalidf("alert", "name the alert, or give matchers")
	}
	for _, x := range []struct {
		field string
		list  []string
	}{{"match", l.Match}, {"with", l.With}} {
		for n, m := range x.list {
			if _, err := parseMatcher(m); err != nil {
				return nil, fault.Invalidf(fmt.Sprintf("%s[%d]", x.field, n), "%v", err)
			}
		}
	}
	if t.Kind == AlwaysPage {
		if l.Incident != "" || len(l.With) > 0 {
			return nil, fault.Invalidf("with", "has no meaning for always_page")
		}
		return c, nil
	}
	if len(l.With) > 0 {
		t.B.Alerts = [][]string{l.With}
		return c, nil
	}
	id := l.Incident
	if id == "" && c != nil {
		id = c.Group
	}
	g := s.groups.Get(id)
	if g == nil || g.Held {
		return nil, fault.Invalidf("incident", "name the incident that is meant, or give matchers in with")
	}
	t.B = s.sideOf(g, func(o *canonical) bool { return o == c || t.A.compile().fits(o) })
	if t.B.empty() {
		return nil, fault.Invalidf("incident", "%s has nothing beside such alerts", id)
	}
	return c, nil
}

// kindOf are the matchers of an alert's kind at its place.
func kindOf(c *canonical) []string {
	quoted := func(name, value string) string {
		m := labels.Matcher{Type: labels.MatchEqual, Name: name, Value: value}
		return m.String()
	}
	out := []string{quoted("alertname", c.Labels.Get("alertname"))}
	if c.Binding != nil && !broad(c) {
		return append(out, quoted("ci", c.Binding.Name), quoted("ci_class", c.Binding.Class))
	}
	for _, l := range []string{"cluster", "namespace", "job", "instance", "service"} {
		if v := c.Labels.Get(l); v != "" {
			out = append(out, quoted(l, v))
		}
	}
	return out
}

// sideMost bounds the kinds of alerts that a side lists.
const sideMost = 10

// fewKinds is up to how many kinds of alerts an incident is known by all of them:
// of a larger one, most are symptoms that other failures have too.
const fewKinds = 5

// sideOf is what failures like the group are known by: its likely cause where one
// is told, with the alerts about it, and all its kinds of alerts where they are few
// or the cause is unknown. Alerts that skip holds for are left out, and no item that
// they or the others are about is a cause: the two sides must differ.
func (s *State) sideOf(g *group, skip func(*canonical) bool, others ...*canonical) Side {
	var out Side
	kinds := map[string]bool{}
	about := map[string]bool{}
	for _, c := range others {
		if c.Binding != nil {
			about[c.Binding.CI] = true
		}
	}
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			if skip == nil || !skip(c) {
				kinds[strings.Join(kindOf(c), ",")] = true
			} else if c.Binding != nil {
				about[c.Binding.CI] = true
			}
		}
	}
	if len(g.Last.Causes) > 0 && !about[g.Last.Causes[0].CI] {
		out.Cause, out.CauseName = g.Last.Causes[0].CI, g.Last.Causes[0].Name
	}
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil || skip != nil && skip(c) {
			continue
		}
		if out.Cause != "" && len(kinds) > fewKinds && (c.Binding == nil || c.Binding.CI != out.Cause) {
			continue
		}
		k := kindOf(c)
		if !slices.ContainsFunc(out.Alerts, func(o []string) bool { return slices.Equal(o, k) }) {
			out.Alerts = append(out.Alerts, k)
		}
		if len(out.Alerts) == sideMost {
			break
		}
	}
	return out
}

func (s *State) canonicalOf(alert string) *canonical {
	for _, k := range s.episodes.Keys() {
		if ep := s.episodes.Get(k); ep.ID == alert {
			return s.alerts.Get(ep.Canonical)
		}
	}
	return nil
}

// teach puts a teaching into force. Where it contradicts an older one, it counts.
func (s *State) teach(t *Teaching) {
	t.ID = s.seq("teaching")
	switch t.Kind {
	case NotRelated:
		t.Text = fmt.Sprintf("%s are not related to %s", t.A, t.B)
	case Related:
		t.Text = fmt.Sprintf("%s belong with %s", t.A, t.B)
	case AlwaysPage:
		t.Text = fmt.Sprintf("%s always page", t.A)
	}
	s.teachings.Put(t.ID, t)
	s.compile()
	s.emit(TeachingChanged{*t})
}

// obey applies a new teaching to the alert that it was given about.
func (s *State) obey(t *Teaching, c *canonical) {
	g := s.groups.Get(c.Group)
	switch {
	case t.Kind == AlwaysPage && g != nil && g.Held:
		s.used(s.rulingOf(t.ID))
		s.open(g, t.ID+", taught by "+t.By+", always pages")
	case t.Kind == NotRelated && g != nil && !g.Held && g.live() && len(g.Members) > 1:
		s.splitOff(g, []*canonical{c}, t.ID+", taught by "+t.By)
	case t.Kind == Related && g != nil:
		s.bond(g, c)
	}
	if g != nil && !g.Held {
		s.touchGroup(g.ID, "")
	}
}

func (s *State) rulingOf(teaching string) *ruling {
	for n := range s.rulings {
		if s.rulings[n].teaching == teaching {
			return &s.rulings[n]
		}
	}
	return nil
}

// used counts a decision that a teaching changed.
func (s *State) used(r *ruling) {
	if r == nil || r.teaching == "" {
		return
	}
	t := s.teachings.Get(r.teaching)
	now := s.now
	t.Uses++
	t.LastUsed = &now
	s.teachings.Touch(t.ID)
	s.emit(TeachingChanged{*t})
}

// Withdraw takes a teaching back: later decisions are as if it had not been given.
func (s *State) Withdraw(id, by string, now time.Time) (Teaching, []Decision, error) {
	s.now, s.out = now, nil
	t := s.teachings.Get(id)
	if t == nil {
		return Teaching{}, nil, fault.NotFoundf("teaching %q does not exist", id)
	}
	if t.Withdrawn != nil {
		return *t, nil, fault.Conflictf("teaching %s was withdrawn by %s on %s", id, t.WithdrawnBy, t.Withdrawn.Format(time.RFC3339))
	}
	s.retract(t, by)
	s.compile()
	return *t, s.out, nil
}

func (s *State) retract(t *Teaching, by string) {
	now := s.now
	t.Withdrawn, t.WithdrawnBy = &now, by
	s.teachings.Touch(t.ID)
	s.emit(TeachingChanged{*t})
}

// Teachings lists what is taught and in force, oldest first.
func (s *State) Teachings() []Teaching {
	var out []Teaching
	for _, k := range s.teachings.Keys() {
		if t := s.teachings.Get(k); t.Withdrawn == nil {
			out = append(out, *t)
		}
	}
	return out
}
