package itsm

import (
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// ProblemState is a problem's place in its life.
type ProblemState string

const (
	ProblemNew       ProblemState = "new"
	ProblemAssess    ProblemState = "assess"
	ProblemRootCause ProblemState = "root_cause"
	ProblemFix       ProblemState = "fix"
	ProblemResolved  ProblemState = "resolved"
	ProblemClosed    ProblemState = "closed"
)

// Problem is the record of what makes incidents recur.
type Problem struct {
	ID          string       `json:"id"`
	State       ProblemState `json:"state"`
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	Priority    int          `json:"priority"`
	Signature   string       `json:"signature,omitempty"`
	OpenedBy    string       `json:"opened_by"`
	OpenedAt    time.Time    `json:"opened_at"`
	Why         string       `json:"why,omitempty"`
	KnownError  bool         `json:"known_error,omitempty"`
	Workaround  string       `json:"workaround,omitempty"`
	RootCause   string       `json:"root_cause,omitempty"`
	Fix         string       `json:"fix,omitempty"`
	Software    *Software    `json:"software,omitempty"` // the version that mends it
	Assignee    string       `json:"assignee,omitempty"`
	Team        string       `json:"team,omitempty"`
	Incidents   int          `json:"incidents"` // how many; the incidents name their problem
	LastAt      time.Time    `json:"last_incident_at,omitzero"`
	ResolvedAt  *time.Time   `json:"resolved_at,omitempty"`
	ClosedAt    *time.Time   `json:"closed_at,omitempty"`
	Reopened    int          `json:"reopened,omitempty"`
	Entries     int          `json:"entries"`
	Revision    uint64       `json:"revision"`
}

// Live says whether the problem still needs somebody.
func (p *Problem) Live() bool { return p.State != ProblemResolved && p.State != ProblemClosed }

// The verbs of a problem beyond those that it shares with incidents.
const (
	StartAssess    Verb = "assess"
	StartRootCause Verb = "root_cause"
	StartFix       Verb = "fix"
	KnownError     Verb = "known_error"
	SetWorkaround  Verb = "workaround"
	Link           Verb = "link"   // an incident belongs to it
	Unlink         Verb = "unlink" // an incident does not belong to it
)

var problemLegal = map[ProblemState][]Verb{
	ProblemNew:       {StartAssess, KnownError, SetWorkaround, Assign, Note, Edit, BindSoftware, Link, Unlink},
	ProblemAssess:    {StartRootCause, Resolve, KnownError, SetWorkaround, Assign, Note, Edit, BindSoftware, Link, Unlink},
	ProblemRootCause: {StartFix, Resolve, KnownError, SetWorkaround, Assign, Note, Edit, BindSoftware, Link, Unlink},
	ProblemFix:       {Resolve, StartRootCause, KnownError, SetWorkaround, Assign, Note, Edit, BindSoftware, Link, Unlink},
	ProblemResolved:  {Close, Reopen, KnownError, SetWorkaround, Note, Edit, BindSoftware, Link, Unlink},
	ProblemClosed:    {Reopen, Note, Link, Unlink},
}

// Legal lists the verbs that the problem's state allows now.
func (p *Problem) Legal() []Verb {
	out := slices.Clone(problemLegal[p.State])
	return slices.DeleteFunc(out, func(v Verb) bool { return v == Unlink && p.Incidents == 0 })
}

// Allow says why verb is not possible now, nil if it is. revision is the one that
// the caller has read, 0 if it does not matter.
func (p *Problem) Allow(verb Verb, revision uint64) error {
	return record{"problem", p.ID, string(p.State), p.Legal(), p.Revision}.allow(verb, revision)
}

// ProblemArgs are what a verb on a problem may carry.
type ProblemArgs struct {
	Reason      string `json:"reason,omitempty"`
	Note        string `json:"note,omitempty"` // notes, and with any verb
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Priority    int    `json:"priority,omitempty"`    // edit: 1 to 5
	RootCause   string `json:"root_cause,omitempty"`  // fix, known_error, resolve, edit: what makes it happen
	Workaround  string `json:"workaround,omitempty"`  // workaround, known_error
	Fix         string `json:"fix,omitempty"`         // resolve: what was done
	KnownError  *bool  `json:"known_error,omitempty"` // known_error: false takes it back
	// Assignee and Team: what is absent stays, an empty one takes it away.
	Assignee *string `json:"assignee,omitempty"`
	Team     *string `json:"team,omitempty"`
	Revision uint64  `json:"revision,omitempty"`
	// software: what mends it, and where that is needed; without items on the
	// suspected causes of its incidents.
	Product   string   `json:"product,omitempty"`
	Ecosystem string   `json:"ecosystem,omitempty"`
	FixedIn   string   `json:"fixed_in,omitempty"`
	Items     []string `json:"items,omitempty"`
}

// OpenProblem begins a problem at now.
func OpenProblem(p Problem, now time.Time) (*Problem, Change) {
	p.State, p.OpenedAt = ProblemNew, now
	if p.Priority == 0 {
		p.Priority = 3
	}
	var c Change
	c.say(now, "opened", p.OpenedBy, "opened with priority %d%s", p.Priority, because(p.Why))
	c.measure(MProblemsOpened, 1)
	return &p, c
}

// Apply does verb as a person. verify is how long a resolved problem must stay
// without a new incident before it may close without a reason.
func (p *Problem) Apply(verb Verb, a ProblemArgs, actor string, verify time.Duration, now time.Time) (Change, error) {
	var c Change
	if err := p.Allow(verb, a.Revision); err != nil {
		return c, err
	}
	if err := p.act(&c, verb, a, actor, verify, now); err != nil {
		return Change{}, err
	}
	if strings.TrimSpace(a.Note) != "" {
		c.say(now, "note", actor, "%s", a.Note)
	}
	return c, nil
}

func (p *Problem) act(c *Change, verb Verb, a ProblemArgs, actor string, verify time.Duration, now time.Time) error {
	switch verb {
	case StartAssess:
		p.step(c, ProblemAssess, "being assessed", a.Reason, actor, now)
	case StartRootCause:
		p.step(c, ProblemRootCause, "root cause analysis began", a.Reason, actor, now)
	case StartFix:
		p.explain(c, a.RootCause, actor, now)
		p.step(c, ProblemFix, "fix in progress", a.Reason, actor, now)
	case Resolve:
		p.explain(c, a.RootCause, actor, now)
		if a.Fix != "" {
			p.Fix = a.Fix
		}
		p.ResolvedAt = &now
		p.step(c, ProblemResolved, "resolved", a.Fix, actor, now)
		c.measure(MProblemResolution, seconds(p.OpenedAt, now))
	case Close:
		return p.close(c, a, actor, verify, now)
	case Reopen:
		p.reopen(c, actor, a.Reason, now)
	case KnownError:
		p.explain(c, a.RootCause, actor, now)
		p.workAround(c, a.Workaround, actor, now)
		known := a.KnownError == nil || *a.KnownError
		if known && p.RootCause == "" && p.Workaround == "" {
			return fault.Invalidf("root_cause", "a known error has a root cause or a workaround: give one")
		}
		if known != p.KnownError {
			p.KnownError = known
			c.say(now, "known_error", actor, "%s", map[bool]string{true: "is a known error now", false: "is no known error any more"}[known]+because(a.Reason))
		}
	case SetWorkaround:
		if strings.TrimSpace(a.Workaround) == "" {
			return fault.Invalidf("workaround", "is empty: say what helps until the cause is mended")
		}
		p.workAround(c, a.Workaround, actor, now)
	case Assign:
		if a.Assignee == nil && a.Team == nil {
			return fault.Invalidf("assignee", "name an assignee or a team; an empty one takes it away")
		}
		if a.Assignee != nil {
			p.Assignee = *a.Assignee
		}
		if a.Team != nil {
			p.Team = *a.Team
		}
		c.say(now, "assigned", actor, "assigned to %s", ownerText(p.Assignee, p.Team))
	case Note:
		if strings.TrimSpace(a.Note) == "" {
			return fault.Invalidf("note", "is empty")
		}
	case BindSoftware:
		return p.bind(c, a, actor, now)
	case Edit:
		return p.edit(c, a, actor, now)
	}
	return nil
}

func (p *Problem) step(c *Change, to ProblemState, what, why, actor string, now time.Time) {
	p.State = to
	c.say(now, "state", actor, "%s%s", what, because(why))
}

func (p *Problem) explain(c *Change, cause, actor string, now time.Time) {
	if cause != "" && cause != p.RootCause {
		p.RootCause = cause
		c.say(now, "root_cause", actor, "root cause: %s", cause)
	}
}

func (p *Problem) workAround(c *Change, how, actor string, now time.Time) {
	if how != "" && how != p.Workaround {
		p.Workaround = how
		c.say(now, "workaround", actor, "workaround: %s", how)
	}
}

// close needs proof: time without recurrence, or a person who answers for less.
func (p *Problem) close(c *Change, a ProblemArgs, actor string, verify time.Duration, now time.Time) error {
	if ready := p.ResolvedAt.Add(verify); now.Before(ready) && strings.TrimSpace(a.Reason) == "" {
		return fault.Conflictf("problem %s was resolved on %s and closes when it has not come back until %s; to close it before, give a reason",
			p.ID, p.ResolvedAt.Format(time.RFC3339), ready.Format(time.RFC3339))
	}
	p.State, p.ClosedAt = ProblemClosed, &now
	c.say(now, "state", actor, "closed%s", because(a.Reason))
	return nil
}

func (p *Problem) reopen(c *Change, actor, why string, now time.Time) {
	p.State, p.ResolvedAt, p.ClosedAt = ProblemRootCause, nil, nil
	p.Reopened++
	c.say(now, "state", actor, "reopened%s", because(why))
	c.measure(MProblemsReopened, 1)
}

func (p *Problem) edit(c *Change, a ProblemArgs, actor string, now time.Time) error {
	if a.Priority < 0 || a.Priority > 5 {
		return fault.Invalidf("priority", "want 1 (critical) to 5 (planning), got %d", a.Priority)
	}
	if a.Title == "" && a.Description == "" && a.Priority == 0 && a.RootCause == "" {
		return fault.Invalidf("body", "give a title, a description, a priority or a root cause to change")
	}
	if a.Title != "" && a.Title != p.Title {
		p.Title = a.Title
		c.say(now, "edited", actor, "title is now %q", a.Title)
	}
	if a.Description != "" && a.Description != p.Description {
		p.Description = a.Description
		c.say(now, "edited", actor, "the description was changed")
	}
	if a.Priority != 0 && a.Priority != p.Priority {
		p.Priority = a.Priority
		c.say(now, "priority", actor, "priority is now %d%s", a.Priority, because(a.Reason))
	}
	p.explain(c, a.RootCause, actor, now)
	return nil
}

// Graver takes over the priority of an incident of the problem, where that is graver.
func (p *Problem) Graver(priority int, incident string, now time.Time) Change {
	var c Change
	if priority < p.Priority {
		c.say(now, "priority", System, "priority is now %d: as %s", priority, incident)
		p.Priority = priority
	}
	return c
}

// Return notes that an incident of the problem happened again: what was resolved
// or closed was not mended.
func (p *Problem) Return(incident string, now time.Time) Change {
	var c Change
	if !p.Live() {
		p.reopen(&c, System, incident+" shows that it is not mended", now)
	}
	return c
}

// AutoClose closes a resolved problem that did not come back.
func (p *Problem) AutoClose(verify time.Duration, now time.Time) Change {
	var c Change
	if p.State == ProblemResolved {
		p.State, p.ClosedAt = ProblemClosed, &now
		c.say(now, "state", System, "closed: no recurrence in %s", event.Span(verify))
	}
	return c
}
