// Package fold is the product's one decision: Step(state, event) → (state,
// effects). In it the correlator proposes and itsm decides. It is pure: no I/O,
// clock, goroutine, randomness or map order, so that any past can be replayed byte
// for byte. It refuses to know where events come from and where effects go.
package fold

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/paged"
	"github.com/watchbill/watchbill/itsm"
)

// Rules are the journaled configuration: all that decisions follow.
type Rules struct {
	Correlation correlator.Config `json:"correlation"`
	// AutoClose is how long an incident stays resolved before it closes by itself.
	AutoClose correlator.Duration `json:"auto_close"`
	// Archive is how long after closing a record can still be commented on.
	Archive correlator.Duration `json:"archive"`
}

// DefaultRules need no tuning.
func DefaultRules() Rules {
	return Rules{
		Correlation: correlator.DefaultConfig(),
		AutoClose:   correlator.Duration(7 * 24 * time.Hour),
		Archive:     correlator.Duration(30 * 24 * time.Hour),
	}
}

// Validate reports every value that cannot work.
func (r Rules) Validate() error {
	if r.AutoClose <= 0 {
		return fault.Invalidf("auto_close", "must be longer than 0s")
	}
	if r.Archive <= 0 {
		return fault.Invalidf("archive", "must be longer than 0s")
	}
	return r.Correlation.Validate()
}

// Version is raised when the same events would be decided otherwise: a state
// must not be carried on from the middle by other rules than it was begun with.
const Version = 1

// counters number what the fold makes, and count what it disposed of.
type counters struct {
	Seq      map[string]uint64          `json:"seq"`
	Received uint64                     `json:"received"`
	Fates    map[correlator.Fate]uint64 `json:"fates"`
	Released uint64                     `json:"released"`
	Events   uint64                     `json:"events"`
	Last     time.Time                  `json:"last"`
}

// incident is a live or recent incident with its next deadline.
type incident struct {
	Doc itsm.Incident `json:"doc"`
	Due time.Time     `json:"due,omitzero"`
}

// State is everything the engine holds. Not safe for concurrent use.
type State struct {
	rules     Rules
	count     counters
	corr      *correlator.State
	incidents *paged.Table[incident]
	problems  *paged.Table[itsm.Problem]
	due       dueHeap

	now time.Time
	pos uint64
	out []Effect
	seq int // rows made by this event, for their keys
}

// New makes an empty state that follows rules until the journal brings others.
func New(rules Rules) *State {
	s := &State{rules: rules, incidents: paged.NewTable[incident]("incident"), problems: paged.NewTable[itsm.Problem]("problem")}
	s.count = counters{Seq: map[string]uint64{}, Fates: map[correlator.Fate]uint64{}}
	s.corr = correlator.New(rules.Correlation, s.nextID)
	return s
}

// prefixes of ids by kind; the number is the sequence within partition 0.
var prefixes = map[string]string{"alert": "ALT", "incident": "INC", "problem": "PRB", "change": "CHG"}

func (s *State) nextID(kind string) string {
	s.count.Seq[kind]++
	return fmt.Sprintf("%s%08d", prefixes[kind], s.count.Seq[kind])
}

// Fates returns how many alert objects were disposed of how; their sum is Received.
func (s *State) Fates() (received uint64, fates map[correlator.Fate]uint64, released uint64) {
	out := make(map[correlator.Fate]uint64, 6)
	for _, f := range correlator.Fates() {
		out[f] = s.count.Fates[f]
	}
	return s.count.Received, out, s.count.Released
}

// Gauges returns the sizes of what is held: open incidents by state and
// priority, and what the correlator holds.
func (s *State) Gauges() (open map[[2]string]int, oldest time.Time, corr correlator.Gauges) {
	open = map[[2]string]int{}
	for _, k := range s.incidents.Keys() {
		i := &s.incidents.Get(k).Doc
		if i.Live() {
			open[[2]string{string(i.State), fmt.Sprint(i.Priority)}]++
			if oldest.IsZero() || i.OpenedAt.Before(oldest) {
				oldest = i.OpenedAt
			}
		}
	}
	return open, oldest, s.corr.Gauges()
}

// Step applies one event. Effects come in the order in which they were decided.
func (s *State) Step(e event.Event) []Effect {
	s.now, s.pos, s.out, s.seq = e.At, e.Position, nil, 0
	s.count.Events++
	s.count.Last = e.At
	body, err := e.Payload()
	if err != nil {
		s.emit(Unreadable{e.Kind, err})
		body = &event.Tick{} // its time still passes
	}
	if c, ok := body.(*event.Config); ok {
		s.configure(c)
	}
	s.workOff()
	if n, ok := body.(*event.Notification); ok {
		s.count.Received += uint64(n.Received())
	}
	for _, d := range s.corr.Step(e, body) {
		s.decide(d)
	}
	if c, ok := body.(*event.Command); ok {
		s.command(c)
	}
	out := s.out
	s.out = nil
	return out
}

func (s *State) emit(b Body) { s.out = append(s.out, Effect{s.pos, b}) }

// ParseRules reads journaled rules over the defaults; unknown fields are refused by name.
func ParseRules(raw json.RawMessage) (Rules, error) {
	r := DefaultRules()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fault.Invalidf("rules", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return r, r.Validate()
}

func (s *State) configure(c *event.Config) {
	r, err := ParseRules(c.Rules)
	if err != nil {
		s.emit(Unreadable{event.KindConfig, err})
		return
	}
	s.rules = r
	s.corr.Configure(r.Correlation)
}

// decide turns a proposal of the correlator into records.
func (s *State) decide(d correlator.Decision) {
	switch d := d.(type) {
	case correlator.AlertDecided:
		if d.Fate != "" {
			s.count.Fates[d.Fate]++
		}
		if d.Released {
			s.count.Released++
		}
		s.emit(PutAlert{d.Alert, d.Full})
	case correlator.Counted:
		s.count.Fates[d.Fate] += uint64(d.N)
	case correlator.Quarantined:
		s.seq++
		s.emit(QuarantineRow{s.pos, s.seq, s.now, d.Source, d.Reason, clip(d.Raw)})
	case correlator.IncidentOpened:
		a := d.Assessment
		doc, c := itsm.Open(itsm.Opening{
			ID: d.ID, Title: a.Title, Severity: string(a.Severity), Impact: a.Impact, Urgency: a.Urgency,
			Derivation: a.Derived, OpenedBy: itsm.System, Onset: a.Onset, Why: d.Why,
		}, s.now)
		take(doc, a)
		s.incidents.Put(d.ID, &incident{Doc: *doc})
		s.commit(d.ID, c)
	case correlator.IncidentChanged:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			take(i, d.Assessment)
			c := i.Assess(d.Assessment.Impact, d.Assessment.Urgency, d.Assessment.Derived, s.now)
			if d.Text != "" {
				c.Entries = append([]itsm.Entry{{At: s.now, Kind: "alert", Actor: itsm.System, Text: d.Text}}, c.Entries...)
			}
			return c
		})
	case correlator.IncidentCleared:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change { return i.Restore(d.At, d.Recovered) })
	case correlator.IncidentFiring:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change { return i.Unrestore(s.now) })
	case correlator.IncidentQuiet:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			c := i.AutoResolve(d.Recovered, time.Duration(s.rules.Correlation.HoldDown), s.now)
			s.corr.Resolved(d.ID, s.now)
			return c
		})
	case correlator.IncidentReturned:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change { return i.AutoReopen(d.Why, s.now) })
	case correlator.IncidentMerged:
		s.with(d.From, func(i *itsm.Incident) itsm.Change { return i.MergeInto(d.Into, itsm.System, d.Why, s.now) })
		s.with(d.Into, func(i *itsm.Incident) itsm.Change {
			return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "merge", Actor: itsm.System, Text: d.From + " was merged into this: " + d.Why}}}
		})
	case correlator.ProblemOpened:
		p := itsm.Problem{ID: d.ID, State: itsm.ProblemNew, Title: d.Title, Signature: d.Signature, OpenedBy: itsm.System, OpenedAt: s.now, Why: d.Why, Priority: 3}
		s.problems.Put(d.ID, &p)
		for _, id := range d.Incidents {
			s.joinProblem(d.ID, id, d.Why)
		}
		s.note(d.ID, itsm.Entry{At: s.now, Kind: "opened", Actor: itsm.System, Text: d.Why})
	case correlator.ProblemJoined:
		s.joinProblem(d.ID, d.Incident, d.Why)
		s.note(d.ID, itsm.Entry{At: s.now, Kind: "incident", Actor: itsm.System, Text: d.Incident + ": " + d.Why})
	}
}

// take copies the correlator's view into the record.
func take(i *itsm.Incident, a correlator.Assessment) {
	if i.OpenedBy == itsm.System && a.Title != "" {
		i.Title = a.Title
	}
	i.Severity, i.CIs, i.Services, i.Alerts, i.Active = string(a.Severity), a.CIs, a.Services, a.Alerts, a.Active
	if !a.Onset.IsZero() && a.Onset.Before(i.Onset) {
		i.Onset = a.Onset
	}
	i.SeenBefore = a.SeenBefore // also taken back, where it turned out to be another thing
	i.Causes = make([]itsm.Cause, len(a.Causes))
	for n, c := range a.Causes {
		i.Causes[n] = itsm.Cause(c)
	}
	i.Changes = nil
	for _, c := range a.Changes {
		i.Changes = append(i.Changes, itsm.SuspectChange{At: c.At, CI: c.CI, Name: c.Name, Type: c.Type, Summary: c.Summary, Version: c.Version})
	}
}

// with changes an incident and commits what that did. An incident that is
// archived already is left alone.
func (s *State) with(id string, f func(*itsm.Incident) itsm.Change) {
	x := s.incidents.Get(id)
	if x == nil {
		return
	}
	c := f(&x.Doc)
	s.commit(id, c)
}

// commit emits the record of an incident and what a change did to it.
func (s *State) commit(id string, c itsm.Change) {
	x := s.incidents.Get(id)
	i := &x.Doc
	for _, e := range c.Entries {
		i.Entries++
		s.emit(TimelineRow{id, i.Entries, s.pos, e})
	}
	service := ""
	if len(i.Services) > 0 {
		service = i.Services[0]
	}
	for _, m := range c.Measures {
		s.seq++
		s.emit(MeasureRow{s.pos, s.seq, s.now, id, i.Priority, service, m})
	}
	switch {
	case i.State == itsm.Resolved:
		s.schedule(id, i.ResolvedAt.Add(time.Duration(s.rules.AutoClose)))
	case i.State == itsm.Closed || i.State == itsm.Canceled:
		s.schedule(id, i.ClosedAt.Add(time.Duration(s.rules.Archive)))
	default:
		x.Due = time.Time{}
	}
	s.incidents.Touch(id)
	s.emit(PutIncident{*i})
}

func (s *State) note(problem string, e itsm.Entry) {
	p := s.problems.Get(problem)
	if p == nil {
		return
	}
	p.Entries++
	s.problems.Touch(problem)
	s.emit(TimelineRow{problem, p.Entries, s.pos, e})
	s.emit(PutProblem{*p})
}

func (s *State) joinProblem(problem, id, why string) {
	p := s.problems.Get(problem)
	if p == nil {
		return
	}
	p.Incidents++
	p.LastAt = s.now
	s.problems.Touch(problem)
	s.with(id, func(i *itsm.Incident) itsm.Change {
		i.Problem = problem
		if p.Priority > i.Priority {
			p.Priority = i.Priority
		}
		return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "problem", Actor: itsm.System, Text: "belongs to " + problem + ": " + why}}}
	})
}

func clip(raw []byte) string {
	const most = 64 << 10
	return strings.ToValidUTF8(string(raw[:min(len(raw), most)]), "\uFFFD")
}

type due struct {
	at time.Time
	id string
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].id < h[j].id
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (s *State) schedule(id string, at time.Time) {
	x := s.incidents.Get(id)
	if !x.Due.Equal(at) {
		x.Due = at
		heap.Push(&s.due, due{at, id})
	}
}

// NextDeadline returns the next time at which something is due without an event.
func (s *State) NextDeadline() (time.Time, bool) {
	mine, ok := s.nextOwn()
	theirs, has := s.corr.NextDeadline()
	if !ok || has && theirs.Before(mine) {
		return theirs, has
	}
	return mine, true
}

func (s *State) nextOwn() (time.Time, bool) {
	for len(s.due) > 0 {
		d := s.due[0]
		if x := s.incidents.Get(d.id); x != nil && x.Due.Equal(d.at) {
			return d.at, true
		}
		heap.Pop(&s.due)
	}
	return time.Time{}, false
}

// workOff closes what stayed resolved, and archives what stayed closed.
func (s *State) workOff() {
	for {
		at, ok := s.nextOwn()
		if !ok || at.After(s.now) {
			return
		}
		d := heap.Pop(&s.due).(due)
		x := s.incidents.Get(d.id)
		x.Due = time.Time{}
		if x.Doc.State == itsm.Resolved {
			c := x.Doc.AutoClose(s.now)
			s.commit(d.id, c)
			s.corr.Closed(d.id, s.now)
			continue
		}
		s.incidents.Delete(d.id)
	}
}
