package itsm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// State is an incident's place in its life.
type State string

// The states of an incident, with ServiceNow's meaning.
const (
	New        State = "new"
	InProgress State = "in_progress"
	OnHold     State = "on_hold"
	Resolved   State = "resolved"
	Closed     State = "closed"
	Canceled   State = "canceled"
)

// HoldReason says what an incident on hold waits for.
type HoldReason string

const (
	HoldCaller  HoldReason = "caller"
	HoldProblem HoldReason = "problem"
	HoldVendor  HoldReason = "vendor"
	HoldChange  HoldReason = "change"
)

// Cause is a suspected root cause as the record shows it.
type Cause struct {
	CI    string  `json:"ci"`
	Class string  `json:"class"`
	Name  string  `json:"name"`
	Score float64 `json:"score"`
	Path  string  `json:"path"`
}

// SuspectChange is a change on the path of an incident.
type SuspectChange struct {
	At      time.Time `json:"at"`
	CI      string    `json:"ci"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Summary string    `json:"summary"`
	Version string    `json:"version,omitempty"`
}

// Incident is the record of one incident. Attached alerts and timeline entries
// are rows of their own: no document holds a growing list.
type Incident struct {
	ID          string     `json:"id"`
	State       State      `json:"state"`
	HoldReason  HoldReason `json:"hold_reason,omitempty"`
	Title       string     `json:"title"`
	Description string     `json:"description,omitempty"`
	Severity    string     `json:"severity,omitempty"`
	Impact      int        `json:"impact"`               // 1 high … 3 low
	Urgency     int        `json:"urgency"`              // 1 high … 3 low
	Priority    int        `json:"priority"`             // 1 critical … 5 planning
	Derivation  string     `json:"derivation,omitempty"` // how the priority came about
	Overridden  bool       `json:"overridden,omitempty"` // a person set impact or urgency
	OpenedBy    string     `json:"opened_by"`
	Assignee    string     `json:"assignee,omitempty"`
	Team        string     `json:"team,omitempty"`

	Causes     []Cause         `json:"causes"` // best first; empty: the correlator abstains
	Changes    []SuspectChange `json:"changes,omitempty"`
	CIs        []string        `json:"cis,omitempty"`
	Services   []string        `json:"services,omitempty"`
	Alerts     int             `json:"alerts"`
	Active     int             `json:"active_alerts"`
	Problem    string          `json:"problem,omitempty"`
	SeenBefore string          `json:"seen_before,omitempty"`
	MergedInto string          `json:"merged_into,omitempty"`

	// Clocks (DESIGN.md §5). Nil: has not happened.
	Onset          time.Time  `json:"onset"`
	OpenedAt       time.Time  `json:"opened_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"` // by a person
	AcknowledgedBy string     `json:"acknowledged_by,omitempty"`
	WorkStartedAt  *time.Time `json:"work_started_at,omitempty"`
	RestoredAt     *time.Time `json:"restored_at,omitempty"` // alerts clear
	ResolvedAt     *time.Time `json:"resolved_at,omitempty"`
	ResolvedBy     string     `json:"resolved_by,omitempty"`
	Resolution     string     `json:"resolution,omitempty"`
	ClosedAt       *time.Time `json:"closed_at,omitempty"`
	Reopened       int        `json:"reopened,omitempty"`
	Entries        int        `json:"entries"` // timeline rows so far
}

// Live says whether the incident still needs somebody.
func (i *Incident) Live() bool { return i.State == New || i.State == InProgress || i.State == OnHold }

// Verb is what people and the correlator do to an incident.
type Verb string

const (
	Acknowledge Verb = "acknowledge"
	Assign      Verb = "assign"
	Hold        Verb = "hold"
	Resume      Verb = "resume"
	Resolve     Verb = "resolve"
	Close       Verb = "close"
	Reopen      Verb = "reopen"
	Cancel      Verb = "cancel"
	Note        Verb = "notes"
	Edit        Verb = "edit"
)

// legal is the state machine: which verbs a state allows.
var legal = map[State][]Verb{
	New:        {Acknowledge, Assign, Hold, Resolve, Cancel, Note, Edit},
	InProgress: {Acknowledge, Assign, Hold, Resolve, Cancel, Note, Edit},
	OnHold:     {Acknowledge, Assign, Resume, Resolve, Cancel, Note, Edit},
	Resolved:   {Close, Reopen, Note},
	Closed:     {Note},
	Canceled:   {Note},
}

// Legal lists the verbs that the incident's state allows now.
func (i *Incident) Legal() []Verb {
	out := slices.Clone(legal[i.State])
	if i.AcknowledgedAt != nil {
		out = slices.DeleteFunc(out, func(v Verb) bool { return v == Acknowledge })
	}
	return out
}

// Args are what a verb may carry. Unknown fields are refused by name.
type Args struct {
	Reason     string `json:"reason,omitempty"`     // hold: caller, problem, vendor or change; others: why
	Assignee   string `json:"assignee,omitempty"`   // assign
	Team       string `json:"team,omitempty"`       // assign
	Note       string `json:"note,omitempty"`       // notes, and with any verb
	Resolution string `json:"resolution,omitempty"` // resolve
	Title      string `json:"title,omitempty"`      // edit
	Impact     int    `json:"impact,omitempty"`     // edit
	Urgency    int    `json:"urgency,omitempty"`    // edit
}

// ParseArgs reads a verb's arguments.
func ParseArgs(raw json.RawMessage) (Args, error) {
	var a Args
	if len(raw) == 0 {
		return a, nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fault.Invalidf("body", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return a, nil
}

// Entry is one line of a timeline.
type Entry struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // "opened", "alert", "state", "note", "priority", "cause", ...
	Actor string    `json:"actor"`
	Text  string    `json:"text"`
}

// Measure is one observation that KPIs are made of.
type Measure struct {
	Name  string  `json:"name"`  // metric name without the prefix, e.g. "incident_acknowledgement_seconds"
	Value float64 `json:"value"` // seconds for clocks, 1 for counts
}

// Change is what a verb did.
type Change struct {
	Entries  []Entry
	Measures []Measure
}

func (c *Change) say(at time.Time, kind, actor, format string, args ...any) {
	c.Entries = append(c.Entries, Entry{at, kind, actor, fmt.Sprintf(format, args...)})
}

func (c *Change) measure(name string, v float64) {
	c.Measures = append(c.Measures, Measure{name, v})
}

// Apply does verb as a person (actor) at now. A verb that the state does not
// allow is fault.Conflict and names the legal ones; nothing is changed then.
func (i *Incident) Apply(verb Verb, a Args, actor string, now time.Time) (Change, error) {
	var c Change
	if !slices.Contains(i.Legal(), verb) {
		return c, i.refuse(verb)
	}
	switch verb {
	case Acknowledge:
		i.acknowledge(&c, actor, now)
	case Assign:
		if a.Assignee == "" && a.Team == "" {
			return c, fault.Invalidf("assignee", "name an assignee or a team")
		}
		i.Assignee, i.Team = a.Assignee, a.Team
		c.say(now, "assigned", actor, "assigned to %s", strings.Trim(a.Assignee+", "+a.Team, ", "))
	case Hold:
		r := HoldReason(a.Reason)
		if !slices.Contains([]HoldReason{HoldCaller, HoldProblem, HoldVendor, HoldChange}, r) {
			return c, fault.Invalidf("reason", "want caller, problem, vendor or change, got %q", a.Reason)
		}
		i.acknowledge(&c, actor, now)
		i.State, i.HoldReason = OnHold, r
		c.say(now, "state", actor, "on hold: waits for the %s", r)
	case Resume:
		i.State, i.HoldReason = InProgress, ""
		c.say(now, "state", actor, "back in progress")
	case Resolve:
		i.acknowledge(&c, actor, now)
		i.resolve(&c, actor, a.Resolution, now)
	case Close:
		i.close(&c, actor, now)
	case Reopen:
		i.reopen(&c, actor, a.Reason, now)
	case Cancel:
		i.State, i.HoldReason = Canceled, ""
		i.ClosedAt = &now
		c.say(now, "state", actor, "canceled%s", because(a.Reason))
	case Note:
		if strings.TrimSpace(a.Note) == "" {
			return c, fault.Invalidf("note", "is empty")
		}
	case Edit:
		if err := i.edit(&c, a, actor, now); err != nil {
			return c, err
		}
	}
	if strings.TrimSpace(a.Note) != "" {
		c.say(now, "note", actor, "%s", a.Note)
	}
	return c, nil
}

func (i *Incident) refuse(verb Verb) error {
	names := make([]string, 0, 8)
	for _, v := range i.Legal() {
		names = append(names, string(v))
	}
	f := fault.Conflictf("incident %s is %s: %q is not possible now; possible are %s", i.ID, i.State, verb, strings.Join(names, ", "))
	if verb == Acknowledge && i.AcknowledgedAt != nil {
		f.Message = fmt.Sprintf("incident %s was acknowledged by %s already; possible are %s", i.ID, i.AcknowledgedBy, strings.Join(names, ", "))
	}
	f.Legal = names
	return f
}

// acknowledge starts the work: the first person's verb does it.
func (i *Incident) acknowledge(c *Change, actor string, now time.Time) {
	if i.AcknowledgedAt != nil {
		return
	}
	i.AcknowledgedAt, i.AcknowledgedBy = &now, actor
	c.say(now, "acknowledged", actor, "acknowledged %s after it opened", now.Sub(i.OpenedAt).Round(time.Second))
	c.measure("incident_acknowledgement_seconds", seconds(i.OpenedAt, now))
	if i.WorkStartedAt == nil {
		i.WorkStartedAt = &now
	}
	if i.State == New {
		i.State = InProgress
	}
}

func (i *Incident) resolve(c *Change, actor, how string, now time.Time) {
	i.State, i.HoldReason = Resolved, ""
	i.ResolvedAt, i.ResolvedBy, i.Resolution = &now, actor, how
	c.say(now, "state", actor, "resolved%s", because(how))
	c.measure("incident_resolution_seconds", seconds(i.OpenedAt, now))
}

func (i *Incident) close(c *Change, actor string, now time.Time) {
	i.State, i.ClosedAt = Closed, &now
	c.say(now, "state", actor, "closed")
}

func (i *Incident) reopen(c *Change, actor, why string, now time.Time) {
	i.State = InProgress
	i.ResolvedAt, i.ResolvedBy, i.Resolution, i.RestoredAt = nil, "", "", nil
	i.Reopened++
	c.say(now, "state", actor, "reopened%s", because(why))
	c.measure("incidents_reopened_total", 1)
}

func (i *Incident) edit(c *Change, a Args, actor string, now time.Time) error {
	for field, v := range map[string]int{"impact": a.Impact, "urgency": a.Urgency} {
		if v < 0 || v > 3 {
			return fault.Invalidf(field, "want 1 (high) to 3 (low), got %d", v)
		}
	}
	if a.Title == "" && a.Impact == 0 && a.Urgency == 0 {
		return fault.Invalidf("body", "give a title, an impact or an urgency to change")
	}
	if a.Title != "" && a.Title != i.Title {
		i.Title = a.Title
		c.say(now, "edited", actor, "title is now %q", a.Title)
	}
	if a.Impact != 0 || a.Urgency != 0 {
		if strings.TrimSpace(a.Reason) == "" {
			return fault.Invalidf("reason", "say why the priority is overridden")
		}
		if a.Impact != 0 {
			i.Impact = a.Impact
		}
		if a.Urgency != 0 {
			i.Urgency = a.Urgency
		}
		i.Overridden = true
		i.Derivation = fmt.Sprintf("set by %s: %s", actor, a.Reason)
		i.Priority = Priority(i.Impact, i.Urgency)
		c.say(now, "priority", actor, "priority is now %d (impact %d, urgency %d)%s", i.Priority, i.Impact, i.Urgency, because(a.Reason))
	}
	return nil
}

// Priority is impact + urgency − 1 on scales of 1 to 3: 1 critical … 5 planning.
func Priority(impact, urgency int) int {
	return min(max(impact, 1), 3) + min(max(urgency, 1), 3) - 1
}

func because(why string) string {
	if why = strings.TrimSpace(why); why == "" {
		return ""
	}
	return ": " + why
}

func seconds(from, to time.Time) float64 { return max(0, to.Sub(from).Seconds()) }
