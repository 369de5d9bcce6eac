package itsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// WindowState is a maintenance window's place in its life.
type WindowState string

const (
	WindowPlanned  WindowState = "planned"
	WindowActive   WindowState = "active"
	WindowEnded    WindowState = "ended"
	WindowCanceled WindowState = "canceled"
)

// Maintenance is a planned window: alerts about what it covers open nothing
// while it is active.
type Maintenance struct {
	ID      string      `json:"id"`
	State   WindowState `json:"state"`
	Summary string      `json:"summary"`
	// What it covers: items by id, services by name. Query is what items are selected
	// by: CIs hold those that it gave when the window was planned, and those that came
	// to match it since.
	CIs        []string  `json:"cis,omitempty"`
	Services   []string  `json:"services,omitempty"`
	Query      string    `json:"query,omitempty"`
	StartsAt   time.Time `json:"starts_at"`
	EndsAt     time.Time `json:"ends_at"`
	CreatedBy  string    `json:"created_by"`
	CreatedAt  time.Time `json:"created_at"`
	Suppressed int       `json:"suppressed"` // alerts so far that it kept from opening incidents
	// Expected are the items whose alerts it was expected to suppress, by name, at
	// most awaitedMost of ExpectedItems; Unexpected those that alerted beside them.
	Expected        []Awaited `json:"expected,omitempty"`
	ExpectedItems   int       `json:"expected_items"`
	Unexpected      []Awaited `json:"unexpected,omitempty"`
	UnexpectedItems int       `json:"unexpected_items"`
	Entries         int       `json:"entries"`
	Revision        uint64    `json:"revision"`
}

// MaintenanceArgs plan a window, or move its times.
type MaintenanceArgs struct {
	Summary string   `json:"summary,omitempty"`
	CIs     []string `json:"cis,omitempty"` // references: ids, class:name, names
	// Matched are ids that the inventory gave for Query: they are taken as they are.
	Matched  []string  `json:"matched,omitempty"`
	Services []string  `json:"services,omitempty"`
	Query    string    `json:"query,omitempty"`
	StartsAt time.Time `json:"starts_at,omitzero"` // zero: now
	EndsAt   time.Time `json:"ends_at,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	Revision uint64    `json:"revision,omitempty"`
}

// The verbs of a window beyond create and cancel.
const (
	End    Verb = "end"
	Extend Verb = "extend"
	Cover  Verb = "cover" // more items than before
)

// CoverMost bounds the items of one window: beyond it, it is no planned work.
const CoverMost = 5000

// longest bounds a window: what is switched off for longer is forgotten.
const longest = 90 * 24 * time.Hour

// Plan makes a window.
func Plan(id string, a MaintenanceArgs, actor string, now time.Time) (*Maintenance, Change, error) {
	var c Change
	if a.StartsAt.IsZero() {
		a.StartsAt = now
	}
	a.StartsAt, a.EndsAt = a.StartsAt.UTC().Truncate(time.Millisecond), a.EndsAt.UTC().Truncate(time.Millisecond)
	if strings.TrimSpace(a.Summary) == "" {
		return nil, c, fault.Invalidf("summary", "is missing: say what is done")
	}
	if len(a.CIs) == 0 && len(a.Services) == 0 {
		return nil, c, fault.Invalidf("cis", "name the items or services that are worked on; a query must match something")
	}
	if err := timesOf(a.StartsAt, a.EndsAt, now); err != nil {
		return nil, c, err
	}
	m := &Maintenance{
		ID: id, State: WindowPlanned, Summary: a.Summary, CIs: slices.Compact(slices.Sorted(slices.Values(a.CIs))), Services: a.Services, Query: a.Query,
		StartsAt: a.StartsAt, EndsAt: a.EndsAt, CreatedBy: actor, CreatedAt: now,
	}
	c.say(now, "opened", actor, "planned from %s to %s: %s", m.StartsAt.Format(time.RFC3339), m.EndsAt.Format(time.RFC3339), m.Summary)
	c.Add(m.Turn(now))
	return m, c, nil
}

func timesOf(from, to, now time.Time) error {
	switch {
	case to.IsZero():
		return fault.Invalidf("ends_at", "is missing: say when it ends")
	case !from.Before(to):
		return fault.Invalidf("ends_at", "must be later than starts_at (%s)", from.Format(time.RFC3339))
	case !now.Before(to):
		return fault.Invalidf("ends_at", "is over already")
	case to.Sub(from) > longest:
		return fault.Invalidf("ends_at", "a window is at most %s long", event.Span(longest))
	}
	return nil
}

// Turn follows the time: planned, active, ended.
func (m *Maintenance) Turn(now time.Time) Change {
	var c Change
	if m.State == WindowPlanned && !now.Before(m.StartsAt) {
		m.State = WindowActive
		c.say(now, "state", System, "active")
	}
	if m.State == WindowActive && !now.Before(m.EndsAt) {
		m.State = WindowEnded
		c.say(now, "state", System, "ended; %s", m.outcome())
	}
	return c
}

// Due is when Turn next does something; zero: never.
func (m *Maintenance) Due() time.Time {
	switch m.State {
	case WindowPlanned:
		return m.StartsAt
	case WindowActive:
		return m.EndsAt
	}
	return time.Time{}
}

// Legal lists the verbs that the window's state allows now.
func (m *Maintenance) Legal() []Verb {
	switch m.State {
	case WindowPlanned:
		return []Verb{Cancel, Extend, Cover}
	case WindowActive:
		return []Verb{End, Extend, Cover}
	}
	return nil
}

// Apply does verb as a person.
func (m *Maintenance) Apply(verb Verb, a MaintenanceArgs, actor string, now time.Time) (Change, error) {
	var c Change
	r := record{"maintenance", m.ID, string(m.State), m.Legal(), m.Revision}
	if err := r.allow(verb, a.Revision); err != nil {
		return c, err
	}
	switch verb {
	case Cancel:
		m.State = WindowCanceled
		c.say(now, "state", actor, "canceled%s", because(a.Reason))
	case End:
		m.State, m.EndsAt = WindowEnded, now
		c.say(now, "state", actor, "ended early%s; %s", because(a.Reason), m.outcome())
	case Extend:
		if err := timesOf(m.StartsAt, a.EndsAt.UTC(), now); err != nil {
			return c, err
		}
		m.EndsAt = a.EndsAt.UTC().Truncate(time.Millisecond)
		c.say(now, "edited", actor, "ends at %s%s", m.EndsAt.Format(time.RFC3339), because(a.Reason))
	case Cover:
		return c, m.cover(&c, a, actor, now)
	}
	return c, nil
}

// cover adds items; what is covered already is left out.
func (m *Maintenance) cover(c *Change, a MaintenanceArgs, actor string, now time.Time) error {
	more := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(a.CIs))), func(ci string) bool {
		_, has := slices.BinarySearch(m.CIs, ci)
		return has
	})
	switch {
	case len(more) == 0:
		return fault.Invalidf("cis", "name items that %s does not cover yet", m.ID)
	case len(m.CIs)+len(more) > CoverMost:
		return fault.Invalidf("cis", "%s would cover %d items, the most is %d", m.ID, len(m.CIs)+len(more), CoverMost)
	}
	m.CIs = slices.Sorted(slices.Values(append(slices.Clone(m.CIs), more...)))
	c.say(now, "edited", actor, "covers %d more items%s", len(more), because(a.Reason))
	return nil
}

// Mark is how the window is named where alerts say why they were suppressed.
func (m *Maintenance) Mark() string { return fmt.Sprintf("%s: %s", m.ID, m.Summary) }
