package itsm

import (
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// System is the actor of what no person did.
const System = "watchbill"

// Opening is what an incident begins with.
type Opening struct {
	ID          string
	Title       string
	Description string
	Severity    string
	Impact      int
	Urgency     int
	Derivation  string
	OpenedBy    string
	Onset       time.Time
	Why         string
	// Since, where set, is when it was first shown, as part of another incident: a
	// record that is split off owes its service levels from there.
	Since time.Time
}

// Open begins an incident at now.
func Open(o Opening, now time.Time) (*Incident, Change) {
	i := &Incident{
		ID: o.ID, State: New, Title: o.Title, Description: o.Description, Severity: o.Severity, Impact: o.Impact, Urgency: o.Urgency,
		Priority: Priority(o.Impact, o.Urgency), Derivation: o.Derivation, OpenedBy: o.OpenedBy,
		Onset: o.Onset, OpenedAt: now, Causes: []Cause{},
	}
	if !o.Since.IsZero() && o.Since.Before(now) {
		i.OpenedAt = o.Since
	}
	if i.Onset.IsZero() || i.Onset.After(i.OpenedAt) {
		i.Onset = i.OpenedAt
	}
	var c Change
	c.say(now, "opened", o.OpenedBy, "opened with priority %d%s", i.Priority, because(o.Why))
	if o.Derivation != "" {
		c.say(now, "priority", o.OpenedBy, "priority %d: %s", i.Priority, o.Derivation)
	}
	c.measure(MOpened, 1)
	c.measure(MDetection, seconds(i.Onset, i.OpenedAt))
	return i, c
}

// Restore notes that all alerts are clear since at. Recovered is false where
// an alert only expired: that is no recovery and stays out of the KPIs.
func (i *Incident) Restore(at time.Time, recovered bool) Change {
	var c Change
	if !i.Live() {
		return c
	}
	if !recovered {
		c.say(at, "clear", System, "no alert is active any more, but at least one only expired: that proves no recovery")
		return c
	}
	i.RestoredAt = &at
	c.say(at, "clear", System, "all alerts are clear")
	return c
}

// Unrestore notes that an alert came back.
func (i *Incident) Unrestore(now time.Time) Change {
	var c Change
	if i.Live() {
		i.RestoredAt = nil
		c.say(now, "alert", System, "an alert is active again")
	}
	return c
}

// AutoResolve ends an incident whose alerts stayed clear through the hold-down.
// The restoration clocks are measured here: before it, the alert could come back.
func (i *Incident) AutoResolve(recovered bool, holdDown time.Duration, now time.Time) Change {
	var c Change
	if !i.Live() {
		return c
	}
	if i.RestoredAt != nil && recovered {
		i.measureRestoration(&c)
	}
	how := "all alerts stayed clear for " + event.Span(holdDown)
	if !recovered {
		how = "no alert was active for " + event.Span(holdDown)
	}
	i.resolve(&c, System, how, now)
	return c
}

func (i *Incident) measureRestoration(c *Change) {
	c.measure(MRecovery, seconds(i.Began(), *i.RestoredAt))
	c.measure(MResponse, seconds(i.Shown(), *i.RestoredAt))
	if i.WorkStartedAt != nil && !i.WorkStartedAt.After(*i.RestoredAt) {
		c.measure(MRepair, seconds(*i.WorkStartedAt, *i.RestoredAt))
	}
}

// AutoReopen takes back a resolution because an alert returned, which began at onset.
func (i *Incident) AutoReopen(why string, onset, now time.Time) Change {
	var c Change
	if i.State == Resolved {
		i.reopen(&c, System, why, onset, now)
	}
	return c
}

// Recurs begins another occurrence in a resolved record, of what began at onset. It
// counts like an incident of its own that was seen before: whether occurrences share a
// record changes no figure.
func (i *Incident) Recurs(why string, onset, now time.Time) Change {
	var c Change
	if i.State != Resolved {
		return c
	}
	i.beginAgain(onset, now)
	c.say(now, "recurrence", System, "happened again%s; began on %s", because(why), i.AgainOnset.UTC().Format(time.RFC3339Nano))
	c.measure(MOpened, 1)
	c.measure(MDetection, seconds(*i.AgainOnset, now))
	c.measure(MRecurring, 1)
	return c
}

// AutoClose closes an incident that stayed resolved.
func (i *Incident) AutoClose(now time.Time) Change {
	var c Change
	if i.State == Resolved {
		i.close(&c, System, now)
	}
	return c
}

// Assess takes over what the correlator holds of the incident now; a person's
// override of impact and urgency stays.
func (i *Incident) Assess(impact, urgency int, derivation string, now time.Time) Change {
	var c Change
	if i.Overridden || !i.Live() || impact == i.Impact && urgency == i.Urgency {
		return c
	}
	old := i.Priority
	i.Impact, i.Urgency, i.Derivation = impact, urgency, derivation
	if i.Priority = Priority(impact, urgency); i.Priority != old {
		c.say(now, "priority", System, "priority %d, was %d: %s", i.Priority, old, derivation)
		c.measure(MPriorityChanged, 1)
	}
	return c
}

// MergeInto ends the incident as a part of another.
func (i *Incident) MergeInto(other, actor, why string, now time.Time) Change {
	var c Change
	i.State, i.MergedInto, i.ClosedAt, i.HoldReason = Canceled, other, &now, ""
	c.say(now, "state", actor, "merged into %s%s", other, because(why))
	c.measure(MMerged, 1)
	return c
}

// Affect notes which services the incident is about now.
func (i *Incident) Affect(services []string, now time.Time) Change {
	var c Change
	if slices.Equal(services, i.Services) {
		return c
	}
	i.Services = services
	text := "affects " + strings.Join(services, ", ")
	if len(services) == 0 {
		text = "affects no service that is known"
	}
	c.say(now, "service", System, "%s", text)
	return c
}

// Begin notes that the disturbance began at onset, where that is earlier than was known.
func (i *Incident) Begin(onset, now time.Time) Change {
	var c Change
	if onset.IsZero() || !onset.Before(i.Onset) {
		return c
	}
	c.say(now, "onset", System, "began on %s, not on %s", onset.UTC().Format(time.RFC3339Nano), i.Onset.UTC().Format(time.RFC3339Nano))
	i.Onset = onset
	return c
}

// Recur notes that the same disturbance was seen before in another incident; an
// empty one takes that back, where it turned out to be another thing. It counts
// once: a counter cannot go back.
func (i *Incident) Recur(before string, now time.Time) Change {
	var c Change
	i.SeenBefore = before
	if before != "" && !i.Recurred {
		i.Recurred = true
		c.say(now, "recurrence", System, "the same was seen before in %s", before)
		c.measure(MRecurring, 1)
	}
	return c
}

// Own assigns the incident to the owner of what it is about, where nobody has it yet.
func (i *Incident) Own(assignee, team, why string, now time.Time) Change {
	var c Change
	if i.Assignee != "" || i.Team != "" || !i.Live() || assignee == "" && team == "" {
		return c
	}
	i.Assignee, i.Team = assignee, team
	c.say(now, "assigned", System, "assigned to %s: %s", ownerText(assignee, team), why)
	return c
}

// Know shows the workaround of the incident's problem.
func (i *Incident) Know(p *Problem, now time.Time) Change {
	var c Change
	if i.Workaround == p.Workaround && i.KnownError == p.KnownError {
		return c
	}
	if p.Workaround != "" && p.Workaround != i.Workaround {
		c.say(now, "workaround", System, "workaround of %s: %s", p.ID, p.Workaround)
	}
	i.Workaround, i.KnownError = p.Workaround, p.KnownError
	return c
}
