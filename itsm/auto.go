package itsm

import (
	"maps"
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

// Restore notes at now that all alerts are clear since at. Recovered is false where
// an alert only expired: that is no recovery and stays out of the KPIs; at is then when
// it was last seen.
func (i *Incident) Restore(at time.Time, recovered bool, now time.Time) Change {
	var c Change
	if !i.Live() {
		return c
	}
	if !recovered {
		i.ExpiredAt = &at
		c.say(now, "clear", System, "no alert is active any more, but at least one only expired: that proves no recovery; last seen on %s", at.UTC().Format(time.RFC3339Nano))
		return c
	}
	i.RestoredAt, i.ExpiredAt = &at, nil
	since := ""
	if at.Before(now) {
		since = " since " + at.UTC().Format(time.RFC3339Nano)
	}
	c.say(now, "clear", System, "all alerts are clear%s", since)
	return c
}

// Unrestore notes that an alert came back.
func (i *Incident) Unrestore(now time.Time) Change {
	var c Change
	if i.Live() {
		i.RestoredAt, i.ExpiredAt = nil, nil
		c.say(now, "alert", System, "an alert is active again")
	}
	return c
}

// AutoResolve ends an incident whose alerts stayed clear through the hold-down.
// The restoration clocks are measured here: before it, the alert could come back. A
// major incident that people put on hold, and the priorities byHand, wait for people.
func (i *Incident) AutoResolve(recovered bool, holdDown time.Duration, byHand []int, now time.Time) Change {
	var c Change
	if !i.Live() {
		return c
	}
	if i.RestoredAt != nil && recovered {
		i.measureRestoration(&c)
	}
	if i.Major && i.State == OnHold || slices.Contains(byHand, i.Priority) {
		c.say(now, "clear", System, "its alerts stayed clear for %s: people say when it is over", event.Span(holdDown))
		return c
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

// TakeOver makes the incident what it is with another that was merged into it: the
// earlier start, the graver priority, major, and whoever acknowledged.
func (i *Incident) TakeOver(from *Incident, actor, why string, now time.Time) Change {
	var c Change
	text := from.ID + " was merged into this" + because(why)
	m := Measure{Name: MMoved}
	if from.Shown().Before(i.Shown()) {
		text += "; it was there since " + from.Shown().UTC().Format(time.RFC3339Nano)
		m.From = from.Shown()
		if i.Again != nil {
			at := from.Shown()
			i.Again = &at
		} else {
			i.OpenedAt = from.Shown()
		}
	}
	if i.AcknowledgedAt == nil && from.AcknowledgedAt != nil {
		at := *from.AcknowledgedAt
		i.AcknowledgedAt, i.AcknowledgedBy, i.WorkStartedAt = &at, from.AcknowledgedBy, from.WorkStartedAt
		text += "; acknowledged by " + from.AcknowledgedBy + " there"
		m.Result = "acknowledged"
		if i.State == New {
			i.State = InProgress
		}
	}
	if i.RespondedAt == nil && from.RespondedAt != nil {
		i.RespondedAt, i.RespondedBy = from.RespondedAt, from.RespondedBy
	}
	c.say(now, "merge", actor, "%s", text)
	if !m.From.IsZero() || m.Result != "" {
		c.Measures = append(c.Measures, m)
	}
	if began := from.Began(); began.Before(i.Began()) {
		if i.AgainOnset != nil {
			i.AgainOnset = &began
		} else {
			c.Add(i.Begin(began, now))
		}
	}
	if from.Priority < i.Priority {
		old := i.Priority
		i.Impact, i.Urgency, i.Priority = from.Impact, from.Urgency, from.Priority
		i.Derivation = "as " + from.ID + ", which was merged into this: " + from.Derivation
		// What a person said of it does not go with new evidence of the other.
		i.Overridden = i.Overridden || from.Overridden || from.OpenedBy != System
		c.say(now, "priority", actor, "priority %d, was %d: %s", i.Priority, old, i.Derivation)
		c.measure(MPriorityChanged, 1)
	}
	if from.Major && !i.Major {
		i.Major = true
		c.say(now, "major", actor, "a major incident, as %s was", from.ID)
	}
	if len(from.Roles) > 0 {
		filled := maps.Clone(from.Roles)
		maps.Copy(filled, i.Roles)
		i.Roles = filled
	}
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
