package fold

import (
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// CreateProblemArgs open a problem by hand.
type CreateProblemArgs struct {
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Priority    int      `json:"priority,omitempty"`
	Assignee    string   `json:"assignee,omitempty"`
	Team        string   `json:"team,omitempty"`
	Incidents   []string `json:"incidents,omitempty"`
}

// LinkArgs name the incident that joins or leaves a problem.
type LinkArgs struct {
	Incident string `json:"incident"`
	Reason   string `json:"reason,omitempty"`
	Revision uint64 `json:"revision,omitempty"` // that the caller has read
}

// openProblem begins a problem.
func (s *State) openProblem(p itsm.Problem) {
	doc, c := itsm.OpenProblem(p, s.now)
	s.problems.Put(p.ID, &problem{Doc: *doc})
	s.commitProblem(p.ID, c)
}

// commitProblem emits the record of a problem and what a change did to it.
func (s *State) commitProblem(id string, c itsm.Change) {
	x := s.problems.Get(id)
	p := &x.Doc
	for _, e := range c.Entries {
		p.Entries++
		s.emit(TimelineRow{id, p.Entries, s.pos, e})
	}
	for _, m := range c.Measures {
		s.measure(MeasureRow{Record: id, Priority: p.Priority, Team: p.Team, Measure: m})
	}
	if p.State == itsm.ProblemResolved {
		s.schedule(dueProblem, id, &x.Due, s.verified(p))
	} else {
		x.Due = time.Time{}
	}
	p.Revision++
	s.problems.Touch(id)
	s.emit(PutProblem{*p})
}

// verified is when a resolved problem has proved that it does not come back: the
// time runs anew from an incident that joined it after the resolution.
func (s *State) verified(p *itsm.Problem) time.Time {
	return p.ResolvedAt.Add(time.Duration(s.rules.Desk.ProblemVerify))
}

func (s *State) problemDue(id string) {
	x := s.problems.Get(id)
	c := x.Doc.AutoClose(time.Duration(s.rules.Desk.ProblemVerify), s.now)
	s.commitProblem(id, c)
}

// joinProblem makes an incident one of the problem's. A problem that was resolved
// and has a new incident was not mended.
func (s *State) joinProblem(problem, id, actor, why string) {
	x := s.problems.Get(problem)
	if x == nil {
		return
	}
	p := &x.Doc
	var c itsm.Change
	if i := s.incidents.Get(id); i != nil {
		if i.Doc.Problem == problem {
			return
		}
		c.Add(p.Graver(i.Doc.Priority, id, s.now))
		if p.ResolvedAt != nil && i.Doc.OpenedAt.After(*p.ResolvedAt) {
			c.Add(p.Return(id, s.now))
		}
	}
	p.Incidents++
	p.LastAt = s.now
	if i := s.incidents.Get(id); i != nil {
		p.Watch(suspected(&i.Doc))
	}
	c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "incident", Actor: actor, Text: id + ": " + why})
	s.commitProblem(problem, c)
	s.with(id, func(i *itsm.Incident) itsm.Change {
		i.Problem = problem
		c := itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "problem", Actor: actor, Text: "belongs to " + problem + ": " + why}}}
		c.Add(i.Know(p, s.now))
		return c
	})
}

// Problems counts the problems by state.
func (s *State) Problems() map[itsm.ProblemState]int {
	out := map[itsm.ProblemState]int{}
	for _, k := range s.problems.Keys() {
		out[s.problems.Get(k).Doc.State]++
	}
	return out
}

func (s *State) runProblem(c *event.Command) (string, any, error) {
	if c.Verb == "create" {
		return s.createProblem(c)
	}
	x := s.problems.Get(c.ID)
	if x == nil {
		return c.ID, nil, fault.NotFoundf("problem %q does not exist", c.ID)
	}
	switch c.Verb {
	case "link", "unlink":
		return c.ID, &x.Doc, s.link(x, c)
	}
	var a itsm.ProblemArgs
	if err := strict(c.Args, &a); err != nil {
		return c.ID, nil, err
	}
	if itsm.Verb(c.Verb) == itsm.BindSoftware {
		var err error
		if a.Items, err = s.items("items", a.Items); err != nil {
			return c.ID, nil, err
		}
		if len(a.Items) == 0 {
			a.Items = s.itemsOf(c.ID)
		}
	}
	p := &x.Doc
	known, around := p.KnownError, p.Workaround
	ch, err := p.Apply(itsm.Verb(c.Verb), a, c.Actor, time.Duration(s.rules.Desk.ProblemVerify), s.now)
	if err != nil {
		return c.ID, nil, err
	}
	s.commitProblem(c.ID, ch)
	if p.KnownError != known || p.Workaround != around {
		for _, id := range s.incidents.Keys() {
			if i := &s.incidents.Get(id).Doc; i.Problem == c.ID && (i.Live() || i.State == itsm.Resolved) {
				s.with(id, func(i *itsm.Incident) itsm.Change { return i.Know(p, s.now) })
			}
		}
	}
	return c.ID, p, nil
}

func (s *State) createProblem(c *event.Command) (string, any, error) {
	var a CreateProblemArgs
	if err := strict(c.Args, &a); err != nil {
		return "", nil, err
	}
	if strings.TrimSpace(a.Title) == "" {
		return "", nil, fault.Invalidf("title", "is missing: say in a few words what keeps happening")
	}
	if a.Priority < 0 || a.Priority > 5 {
		return "", nil, fault.Invalidf("priority", "want 1 (critical) to 5 (planning), got %d", a.Priority)
	}
	for _, id := range a.Incidents {
		if s.incidents.Get(id) == nil {
			return "", nil, s.missing(id)
		}
	}
	id := s.nextID("problem")
	s.openProblem(itsm.Problem{ID: id, Title: a.Title, Description: a.Description, Priority: a.Priority, OpenedBy: c.Actor, Assignee: a.Assignee, Team: a.Team, Why: "by hand"})
	for _, i := range a.Incidents {
		s.joinProblem(id, i, c.Actor, "linked by "+c.Actor)
	}
	return id, &s.problems.Get(id).Doc, nil
}

func (s *State) link(x *problem, c *event.Command) error {
	var a LinkArgs
	if err := strict(c.Args, &a); err != nil {
		return err
	}
	if err := x.Doc.Allow(itsm.Verb(c.Verb), a.Revision); err != nil {
		return err
	}
	i := s.incidents.Get(a.Incident)
	switch {
	case a.Incident == "":
		return fault.Invalidf("incident", "name the incident")
	case i == nil:
		return s.missing(a.Incident)
	case c.Verb == "link" && i.Doc.Problem == c.ID:
		return fault.Conflictf("%s belongs to %s already", a.Incident, c.ID)
	case c.Verb == "link" && i.Doc.Problem != "":
		return fault.Conflictf("%s belongs to %s: unlink it there first", a.Incident, i.Doc.Problem)
	case c.Verb == "unlink" && i.Doc.Problem != c.ID:
		return fault.Conflictf("%s does not belong to %s", a.Incident, c.ID)
	}
	why := "linked by " + c.Actor
	if a.Reason != "" {
		why = a.Reason
	}
	if c.Verb == "link" {
		s.joinProblem(c.ID, a.Incident, c.Actor, why)
		return nil
	}
	x.Doc.Incidents--
	s.commitProblem(c.ID, itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "incident", Actor: c.Actor, Text: a.Incident + " does not belong here: " + why}}})
	s.with(a.Incident, func(i *itsm.Incident) itsm.Change {
		i.Problem, i.Workaround, i.KnownError = "", "", false
		return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "problem", Actor: c.Actor, Text: "does not belong to " + c.ID + ": " + why}}}
	})
	return nil
}
