package itsm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
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
	Score float64 `json:"score"` // the probability that it is the cause
	Path  string  `json:"path"`
}

// CauseVerdict says in words what is held of the cause: that it is one item ("cause"), one
// of a few ("probable"), or that nothing known is likely enough to say so ("unclear").
type CauseVerdict struct {
	Grade       string  `json:"grade"`
	Text        string  `json:"text"`
	Common      string  `json:"common,omitempty"`      // what all that alerts has in common, where no cause is named
	Check       string  `json:"check,omitempty"`       // what to look at next
	Probability float64 `json:"probability,omitempty"` // that the cause is among what the text names
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
	Titled      bool       `json:"titled,omitempty"` // a person wrote the title: the correlator leaves it
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
	// Revision grows by one with each written change; an edit that names another
	// one is refused.
	Revision uint64 `json:"revision"`
	// Major marks an incident that is handled by named roles.
	Major bool              `json:"major,omitempty"`
	Roles map[string]string `json:"roles,omitempty"` // commander, communications, scribe, … → who

	Causes     []Cause         `json:"causes"` // best first; empty: the correlator abstains
	Verdict    *CauseVerdict   `json:"verdict,omitempty"`
	Changes    []SuspectChange `json:"changes,omitempty"`
	CIs        []string        `json:"cis,omitempty"`
	Services   []string        `json:"services,omitempty"`
	Alerts     int             `json:"alerts"`
	Active     int             `json:"active_alerts"`
	Problem    string          `json:"problem,omitempty"`
	SeenBefore string          `json:"seen_before,omitempty"`
	// Mended is what helped in SeenBefore, as far as is remembered.
	Mended string `json:"seen_before_mended,omitempty"`
	// Recovery is the change that its recovery followed, if one did.
	Recovery   *SuspectChange `json:"recovery_change,omitempty"`
	Recurred   bool           `json:"recurred,omitempty"`    // SeenBefore was set once: it counts as a recurrence
	Workaround string         `json:"workaround,omitempty"`  // of the known problem
	KnownError bool           `json:"known_error,omitempty"` // the problem's cause is known
	MergedInto string         `json:"merged_into,omitempty"`
	// Page is "always" or "never" where a rule or a teaching decides whether people
	// are told, PageWhy which one.
	Page    string `json:"page,omitempty"`
	PageWhy string `json:"page_why,omitempty"`

	// Clocks (DESIGN.md §5). Nil: has not happened.
	Onset          time.Time  `json:"onset"`
	OpenedAt       time.Time  `json:"opened_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"` // by a person
	AcknowledgedBy string     `json:"acknowledged_by,omitempty"`
	RespondedAt    *time.Time `json:"responded_at,omitempty"` // the first act of a person
	RespondedBy    string     `json:"responded_by,omitempty"`
	WorkStartedAt  *time.Time `json:"work_started_at,omitempty"`
	RestoredAt     *time.Time `json:"restored_at,omitempty"` // alerts clear
	// ExpiredAt is when its alerts were last seen, where one of them only expired: that
	// restores nothing, and what is not known breaches nothing.
	ExpiredAt  *time.Time `json:"expired_at,omitempty"`
	ResolvedAt *time.Time `json:"resolved_at,omitempty"`
	ResolvedBy string     `json:"resolved_by,omitempty"`
	Resolution string     `json:"resolution,omitempty"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
	Reopened   int        `json:"reopened,omitempty"`
	// Again and AgainOnset are when it was reopened last, and when what brought it back
	// began: the clocks of this occurrence run from there.
	Again      *time.Time `json:"reopened_at,omitempty"`
	AgainOnset *time.Time `json:"reopened_onset,omitempty"`
	Handoffs   int        `json:"handoffs,omitempty"` // holds, and assignments to others after the first response
	Entries    int        `json:"entries"`            // timeline rows so far

	Clocks []Clock `json:"slas,omitempty"` // service levels
}

// Began is when the disturbance began, and Shown when the record was there to act upon:
// of this occurrence, where the incident was reopened.
func (i *Incident) Began() time.Time {
	if i.AgainOnset != nil {
		return *i.AgainOnset
	}
	return i.Onset
}

// Shown is when this occurrence was there to act upon.
func (i *Incident) Shown() time.Time {
	if i.Again != nil {
		return *i.Again
	}
	return i.OpenedAt
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
	Major       Verb = "major" // declare, or change the roles
	Minor       Verb = "minor" // take the declaration back
	Merge       Verb = "merge" // another incident takes its alerts over
	Split       Verb = "split" // some of its alerts become an incident of their own
)

// legal is the state machine: which verbs a state allows.
var legal = map[State][]Verb{
	New:        {Acknowledge, Assign, Hold, Resolve, Cancel, Note, Edit, Major, Minor, Merge, Split},
	InProgress: {Acknowledge, Assign, Hold, Resolve, Cancel, Note, Edit, Major, Minor, Merge, Split},
	OnHold:     {Acknowledge, Assign, Resume, Resolve, Cancel, Note, Edit, Major, Minor, Merge, Split},
	Resolved:   {Close, Reopen, Note},
	Closed:     {Note},
	Canceled:   {Note},
}

// Legal lists the verbs that the incident's state allows now.
func (i *Incident) Legal() []Verb {
	out := slices.Clone(legal[i.State])
	return slices.DeleteFunc(out, func(v Verb) bool {
		return v == Acknowledge && i.AcknowledgedAt != nil || v == Minor && !i.Major || v == Split && i.Alerts < 2
	})
}

// Allow says why verb is not possible now, nil if it is. revision is the one that
// the caller has read, 0 if it does not matter.
func (i *Incident) Allow(verb Verb, revision uint64) error {
	r := record{"incident", i.ID, string(i.State), i.Legal(), i.Revision}
	if verb == Acknowledge && i.AcknowledgedAt != nil {
		r.state += " and was acknowledged by " + i.AcknowledgedBy + " already"
	}
	return r.allow(verb, revision)
}

// Args are what a verb may carry. Unknown fields are refused by name.
type Args struct {
	Reason string `json:"reason,omitempty"` // hold: caller, problem, vendor or change; others: why
	// Assignee and Team are for assign: what is absent stays, an empty one takes it away.
	Assignee    *string           `json:"assignee,omitempty"`
	Team        *string           `json:"team,omitempty"`
	Note        string            `json:"note,omitempty"`        // notes, and with any verb
	Resolution  string            `json:"resolution,omitempty"`  // resolve
	Title       string            `json:"title,omitempty"`       // edit
	Description *string           `json:"description,omitempty"` // edit; an empty one takes it away
	Impact      int               `json:"impact,omitempty"`      // edit
	Urgency     int               `json:"urgency,omitempty"`     // edit
	Roles       map[string]string `json:"roles,omitempty"`       // major: role → who
	// Revision, where given, is the one that the caller has read: an edit of
	// anything newer is refused.
	Revision uint64 `json:"revision,omitempty"`
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

// Measure is one observation that KPIs are made of; Metrics lists them.
type Measure struct {
	Name  string  `json:"name"`  // metric name without the prefix, e.g. "incident_acknowledgement_seconds"
	Value float64 `json:"value"` // seconds for clocks, 1 for counts
	SLA   string  `json:"sla,omitempty"`
	// Result of a service level's clock: met, breached, canceled or withdrawn.
	Result string `json:"result,omitempty"`
	// Of is the service that an outage is about; From and Until are when it began
	// and ended. Of a reopening, From is when the resolution was that it undid.
	Of string `json:"of,omitempty"`
	// Of a service level's result, Until is when its clock was due.
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Outage string    `json:"outage,omitempty"` // id of the outage
}

// Change is what a verb did.
type Change struct {
	Entries  []Entry
	Measures []Measure
}

// Add appends what another change did.
func (c *Change) Add(o Change) {
	c.Entries = append(c.Entries, o.Entries...)
	c.Measures = append(c.Measures, o.Measures...)
}

func (c *Change) say(at time.Time, kind, actor, format string, args ...any) {
	c.Entries = append(c.Entries, Entry{at, kind, actor, fmt.Sprintf(format, args...)})
}

func (c *Change) measure(name string, v float64) {
	c.Measures = append(c.Measures, Measure{Name: name, Value: v})
}

// Apply does verb as a person (actor) at now. A verb that the state does not
// allow is fault.Conflict and names the legal ones; nothing is changed then.
func (i *Incident) Apply(verb Verb, a Args, actor string, now time.Time) (Change, error) {
	var c Change
	if err := i.Allow(verb, a.Revision); err != nil {
		return c, err
	}
	if err := i.act(&c, verb, a, actor, now); err != nil {
		return Change{}, err
	}
	i.respond(&c, actor, now)
	if strings.TrimSpace(a.Note) != "" {
		c.say(now, "note", actor, "%s", a.Note)
	}
	return c, nil
}

// respond notes the first act of a person.
func (i *Incident) respond(c *Change, actor string, now time.Time) {
	if i.RespondedAt != nil {
		return
	}
	i.RespondedAt, i.RespondedBy = &now, actor
	c.measure(MFirstResponse, seconds(i.OpenedAt, now))
}

func (i *Incident) act(c *Change, verb Verb, a Args, actor string, now time.Time) error {
	switch verb {
	case Acknowledge:
		i.acknowledge(c, actor, now)
	case Assign:
		return i.assign(c, a, actor, now)
	case Hold:
		r := HoldReason(a.Reason)
		if !slices.Contains([]HoldReason{HoldCaller, HoldProblem, HoldVendor, HoldChange}, r) {
			return fault.Invalidf("reason", "want caller, problem, vendor or change, got %q", a.Reason)
		}
		i.acknowledge(c, actor, now)
		i.State, i.HoldReason = OnHold, r
		i.Handoffs++
		c.say(now, "state", actor, "on hold: waits for the %s", r)
	case Resume:
		i.State, i.HoldReason = InProgress, ""
		c.say(now, "state", actor, "back in progress")
	case Resolve:
		i.acknowledge(c, actor, now)
		i.resolveByHand(c, a.Resolution, actor, now)
	case Close:
		i.close(c, actor, now)
	case Reopen:
		i.reopen(c, actor, a.Reason, now, now)
	case Cancel:
		i.State, i.HoldReason = Canceled, ""
		i.ClosedAt = &now
		c.say(now, "state", actor, "canceled%s", because(a.Reason))
		c.measure(MCanceled, 1)
	case Note:
		if strings.TrimSpace(a.Note) == "" {
			return fault.Invalidf("note", "is empty")
		}
	case Edit:
		return i.edit(c, a, actor, now)
	case Major:
		return i.declare(c, a, actor, now)
	case Minor:
		i.Major, i.Roles = false, nil
		c.say(now, "major", actor, "no longer a major incident%s", because(a.Reason))
	}
	return nil
}

// assign gives the incident to a person, a team, or both. Who takes it himself works
// on it: that acknowledges.
func (i *Incident) assign(c *Change, a Args, actor string, now time.Time) error {
	if a.Assignee == nil && a.Team == nil {
		return fault.Invalidf("assignee", "name an assignee or a team; an empty one takes it away")
	}
	who, team := i.Assignee, i.Team
	if a.Assignee != nil {
		who = *a.Assignee
	}
	if a.Team != nil {
		team = *a.Team
	}
	if i.RespondedAt != nil && (who != i.Assignee && who != actor || team != i.Team) {
		i.Handoffs++
	}
	i.Assignee, i.Team = who, team
	c.say(now, "assigned", actor, "assigned to %s", ownerText(who, team))
	if a.Assignee != nil && who == actor && i.Live() {
		i.acknowledge(c, actor, now)
	}
	return nil
}

// ownerText is whom something is assigned to, in words.
func ownerText(who, team string) string {
	if who == "" && team == "" {
		return "nobody"
	}
	return strings.Trim(who+", "+team, ", ")
}

// roles are who handles a major incident; any other name is a typing mistake.
var roles = []string{"commander", "communications", "operations", "planning", "scribe", "liaison"}

// declare makes the incident a major one, or fills its roles.
func (i *Incident) declare(c *Change, a Args, actor string, now time.Time) error {
	names := slices.Sorted(maps.Keys(a.Roles))
	for _, r := range names {
		if !slices.Contains(roles, r) {
			return fault.Invalidf("roles."+r, "want one of %s", strings.Join(roles, ", "))
		}
	}
	if i.Major && len(names) == 0 {
		return fault.Invalidf("roles", "%s is a major incident already: name the roles to fill", i.ID)
	}
	if !i.Major {
		i.Major = true
		c.say(now, "major", actor, "declared a major incident%s", because(a.Reason))
	}
	filled := maps.Clone(i.Roles) // the record that was written before keeps its own
	if filled == nil {
		filled = map[string]string{}
	}
	for _, r := range names {
		if filled[r] = a.Roles[r]; a.Roles[r] == "" {
			delete(filled, r)
			c.say(now, "major", actor, "%s: nobody", r)
			continue
		}
		c.say(now, "major", actor, "%s: %s", r, a.Roles[r])
	}
	i.Roles = filled
	return nil
}

// resolveByHand ends the incident by a person's word. Where no alert watches it,
// that word is also the only proof that the service is back.
func (i *Incident) resolveByHand(c *Change, how, actor string, now time.Time) {
	if i.RestoredAt == nil && i.Alerts == 0 {
		i.RestoredAt = &now
	}
	i.ExpiredAt = nil // a person's word is better than silence
	if i.RestoredAt != nil {
		i.measureRestoration(c)
	}
	i.resolve(c, actor, how, now)
	first := i.RespondedAt == nil || actor == i.RespondedBy && now.Sub(*i.RespondedAt) <= firstContact
	if first && i.Handoffs == 0 && i.Reopened == 0 {
		c.measure(MFirstContact, 1)
	}
}

// firstContact is how long after the first response a resolution still belongs to it:
// later, somebody came back to it.
const firstContact = time.Hour

// Who resolved an incident, as Measure.Result.
const (
	ByPeople    = "by_people"
	ByWatchbill = "by_watchbill"
)

// acknowledge starts the work: the first person's verb does it.
func (i *Incident) acknowledge(c *Change, actor string, now time.Time) {
	if i.AcknowledgedAt != nil {
		return
	}
	i.AcknowledgedAt, i.AcknowledgedBy = &now, actor
	since := "it opened"
	if i.Again != nil {
		since = "it was reopened"
	}
	c.say(now, "acknowledged", actor, "acknowledged %s after %s", event.Span(now.Sub(i.Shown())), since)
	c.measure(MAcknowledgement, seconds(i.Shown(), now))
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
	if i.ExpiredAt != nil {
		c.measure(MExpired, 1)
		return
	}
	m := Measure{Name: MResolution, Value: seconds(i.Shown(), now), Result: ByWatchbill}
	if actor != System {
		m.Result = ByPeople
	}
	c.Measures = append(c.Measures, m)
}

func (i *Incident) close(c *Change, actor string, now time.Time) {
	i.State, i.ClosedAt = Closed, &now
	c.say(now, "state", actor, "closed")
}

// reopen takes a resolution back: nobody has acknowledged what came back at onset, and
// its clocks begin anew. Who acknowledged before stands in the timeline.
func (i *Incident) reopen(c *Change, actor, why string, onset, now time.Time) {
	m := Measure{Name: MReopened, Value: 1, From: *i.ResolvedAt}
	if now.Sub(*i.ResolvedAt) > reopenCounts {
		m.Name = MReopenedLate
	}
	c.Measures = append(c.Measures, m)
	i.beginAgain(onset, now)
	i.Reopened++
	text := "reopened" + because(why)
	if i.AgainOnset.Before(now) {
		text += "; began again on " + i.AgainOnset.UTC().Format(time.RFC3339Nano)
	}
	c.say(now, "state", actor, "%s", text)
}

// beginAgain takes back what was said of the former occurrence.
func (i *Incident) beginAgain(onset, now time.Time) {
	if onset.IsZero() || onset.After(now) {
		onset = now
	}
	i.State = InProgress
	i.ResolvedAt, i.ResolvedBy, i.Resolution, i.RestoredAt, i.ExpiredAt = nil, "", "", nil, nil
	i.AcknowledgedAt, i.AcknowledgedBy, i.WorkStartedAt = nil, "", nil
	i.Again, i.AgainOnset = &now, &onset
}

func (i *Incident) edit(c *Change, a Args, actor string, now time.Time) error {
	if err := scale("impact", a.Impact); err != nil {
		return err
	}
	if err := scale("urgency", a.Urgency); err != nil {
		return err
	}
	if a.Title == "" && a.Description == nil && a.Impact == 0 && a.Urgency == 0 {
		return fault.Invalidf("body", "give a title, a description, an impact or an urgency to change")
	}
	if (a.Impact != 0 || a.Urgency != 0) && strings.TrimSpace(a.Reason) == "" {
		return fault.Invalidf("reason", "say why the priority is overridden")
	}
	if a.Title != "" && a.Title != i.Title {
		i.Title, i.Titled = a.Title, true
		c.say(now, "edited", actor, "title is now %q", a.Title)
	}
	if a.Description != nil && *a.Description != i.Description {
		i.Description = *a.Description
		c.say(now, "edited", actor, "the description was changed")
	}
	if a.Impact != 0 || a.Urgency != 0 {
		old := i.Priority
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
		if i.Priority != old {
			c.measure(MPriorityChanged, 1)
		}
	}
	return nil
}

func scale(field string, v int) error {
	if v < 0 || v > 3 {
		return fault.Invalidf(field, "want 1 (high) to 3 (low), got %d", v)
	}
	return nil
}

// reopenCounts is how soon after its resolution a reopening counts for the
// reopen rate; a later one is a new disturbance.
const reopenCounts = 7 * 24 * time.Hour

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
