// Package fold is the product's one decision: Step(state, event) → (state,
// effects). In it the correlator proposes and itsm decides. It is pure: no I/O,
// clock, goroutine, randomness or map order, so that any past can be replayed byte
// for byte. It refuses to know where events come from and where effects go.
package fold

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	Desk    itsm.Rules          `json:"desk"`
}

// DefaultRules need no tuning.
func DefaultRules() Rules {
	return Rules{
		Correlation: correlator.DefaultConfig(),
		AutoClose:   correlator.Duration(7 * 24 * time.Hour),
		Archive:     correlator.Duration(30 * 24 * time.Hour),
		Desk:        itsm.DefaultRules(),
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
	if err := r.Desk.Validate(); err != nil {
		return err
	}
	return r.Correlation.Validate()
}

// Version is raised when the same events would be decided otherwise: a state
// must not be carried on from the middle by other rules than it was begun with.
const Version = 13

// counters number what the fold makes, and count what it disposed of.
type counters struct {
	Seq      map[string]uint64          `json:"seq"`
	Received uint64                     `json:"received"`
	Fates    map[correlator.Fate]uint64 `json:"fates"`
	Released uint64                     `json:"released"`
	Events   uint64                     `json:"events"`
	Last     time.Time                  `json:"last"`
	Hour     itsm.Hour                  `json:"hour"` // the one that Last lies in
}

// incident is a live or recent incident with its next deadline.
type incident struct {
	Doc itsm.Incident `json:"doc"`
	Due time.Time     `json:"due,omitzero"`
	// Points are the log that service levels are recomputed from.
	Points   []itsm.Point `json:"points"`
	ClockDue time.Time    `json:"clock_due,omitzero"`
	Page     paging       `json:"page"`
	PageDue  time.Time    `json:"page_due,omitzero"`
	Where    string       `json:"where,omitempty"` // services and team, as measured last
	// Grave is since when the priority is at least as grave as the index says, for
	// outages; Began what the incident began with when that was last looked at.
	Grave [6]time.Time `json:"grave,omitzero"`
	Began time.Time    `json:"began,omitzero"`
}

// problem is a problem with its next deadline.
type problem struct {
	Doc itsm.Problem `json:"doc"`
	Due time.Time    `json:"due,omitzero"`
}

// State is everything the engine holds. Not safe for concurrent use.
type State struct {
	rules     Rules
	count     counters
	corr      *correlator.State
	incidents *paged.Table[incident]
	problems  *paged.Table[problem]
	services  *paged.Table[service]     // those that are down
	over      *paged.Table[itsm.Outage] // outages that can be corrected
	owners    *paged.Table[owner]
	windows   *paged.Table[window]
	storms    *paged.Table[storm] // by receiver
	desk      *itsm.Desk
	due       paged.Deadlines

	now time.Time
	pos uint64
	out []Effect
	seq int // rows made by this event, for their keys

	measured []MeasureRow // of incidents, by this event
}

// New makes an empty state that follows rules until the journal brings others.
func New(rules Rules) *State {
	s := &State{
		rules: rules, incidents: paged.NewTable[incident]("incident"), problems: paged.NewTable[problem]("problem"),
		services: paged.NewTable[service]("service"), over: paged.NewTable[itsm.Outage]("outage"), owners: paged.NewTable[owner]("owner"),
		windows: paged.NewTable[window]("maintenance"), storms: paged.NewTable[storm]("storm"),
	}
	s.desk, _ = itsm.NewDesk(rules.Desk) // whoever made the rules has validated them
	s.count = counters{Seq: map[string]uint64{}, Fates: map[correlator.Fate]uint64{}}
	s.corr = correlator.New(rules.Correlation, s.nextID)
	return s
}

// prefixes of ids by kind; the number is the sequence within partition 0.
var prefixes = map[string]string{"alert": "ALT", "incident": "INC", "problem": "PRB", "change": "CHG", "maintenance": "MNT", "teaching": "TCH", "outage": "OUT"}

func (s *State) nextID(kind string) string {
	s.count.Seq[kind]++
	return idOf(kind, s.count.Seq[kind])
}

func idOf(kind string, n uint64) string { return fmt.Sprintf("%s%08d", prefixes[kind], n) }

// Rules returns the rules in force.
func (s *State) Rules() Rules { return s.rules }

// HoldsIncident says whether an incident can still change; one that is archived
// cannot.
func (s *State) HoldsIncident(id string) bool { return s.incidents.Get(id) != nil }

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
			if oldest.IsZero() || i.Shown().Before(oldest) {
				oldest = i.Shown()
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
	s.turnHour()
	before := s.count.Hour
	if n, ok := body.(*event.Notification); ok {
		s.count.Received += uint64(n.Received())
		s.count.Hour.Received += uint64(n.Received())
	}
	episodes := s.count.Seq["alert"]
	for _, d := range s.corr.Step(e, body) {
		s.decide(d)
	}
	s.count.Hour.Episodes += s.count.Seq["alert"] - episodes
	switch b := body.(type) {
	case *event.Command:
		s.command(b)
	case *event.CI:
		s.own(b)
		s.arrived(b)
	case *event.Change:
		s.softwareChanged(b)
	}
	s.label()
	if s.count.Hour.Received != before.Received || s.count.Hour.Released != before.Released || s.count.Hour.Episodes != before.Episodes {
		h := s.count.Hour
		h.Fates = maps.Clone(h.Fates)
		s.emit(PutHour{h})
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
	s.emit(AuditRow{Position: s.pos, At: s.now, Actor: itsm.System, Verb: "configure", Kind: "rules", Before: s.RulesJSON(), After: mustJSON(r)})
	s.rules = r
	before := s.desk
	s.desk, _ = itsm.NewDesk(r.Desk) // validated by ParseRules
	s.corr.Configure(r.Correlation)
	if string(mustJSON(r.Desk)) == string(mustJSON(before.Rules)) {
		return
	}
	s.reroute()
	for _, id := range s.incidents.Keys() { // other services and service levels may hold now
		if i := &s.incidents.Get(id).Doc; i.Live() {
			s.commit(id, s.reserve(i, before.ServicesOn(i.CIs, s.corr)))
		}
	}
	s.recover()
}

// turnHour begins the count of a new hour.
func (s *State) turnHour() {
	if start := s.now.Truncate(time.Hour); !start.Equal(s.count.Hour.Start) {
		s.count.Hour = itsm.Hour{Start: start, Fates: map[string]uint64{}}
	}
}

func (s *State) fate(f correlator.Fate, n uint64) {
	s.count.Fates[f] += n
	s.count.Hour.Fates[string(f)] += n
}

// decide turns a proposal of the correlator into records.
func (s *State) decide(d correlator.Decision) {
	switch d := d.(type) {
	case correlator.AlertDecided:
		if d.Fate != "" {
			s.fate(d.Fate, 1)
		}
		if d.Fate == correlator.FateSuppressed {
			s.suppressed(d.Alert)
		}
		if d.Released {
			s.count.Released++
			s.count.Hour.Released++
		}
		s.emit(PutAlert{d.Alert, d.Full})
		s.joined(d.Alert)
	case correlator.Counted:
		s.fate(d.Fate, uint64(d.N))
	case correlator.Quarantined:
		s.seq++
		s.emit(QuarantineRow{s.pos, s.seq, s.now, d.Source, d.Reason, clip(d.Raw)})
	case correlator.IncidentOpened:
		a := d.Assessment
		doc, c := itsm.Open(itsm.Opening{
			ID: d.ID, Title: a.Title, Severity: string(a.Severity), Impact: a.Impact, Urgency: a.Urgency,
			Derivation: a.Derived, OpenedBy: itsm.System, Onset: a.Onset, Why: d.Why, Since: d.Since,
		}, s.now)
		s.take(doc, a, &c)
		s.incidents.Put(d.ID, &incident{Doc: *doc})
		s.commit(d.ID, c)
	case correlator.IncidentChanged:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			var c itsm.Change
			if d.Text != "" {
				c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "alert", Actor: itsm.System, Text: d.Text})
			}
			c.Add(i.Assess(d.Assessment.Impact, d.Assessment.Urgency, d.Assessment.Derived, s.now))
			s.take(i, d.Assessment, &c)
			return c
		})
	case correlator.IncidentCleared:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			i.Recovery = nil
			if d.Recovered && d.After != nil {
				x := changeOf(*d.After)
				i.Recovery = &x
			}
			return i.Restore(d.At, d.Recovered, s.now)
		})
	case correlator.IncidentFiring:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change { return i.Unrestore(s.now) })
	case correlator.IncidentSplit:
		s.with(d.From, func(i *itsm.Incident) itsm.Change {
			return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "split", Actor: itsm.System, Text: fmt.Sprintf("%d alerts left for %s: %s", d.Alerts, d.Into, d.Why)}}}
		})
		s.with(d.Into, func(i *itsm.Incident) itsm.Change {
			return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "split", Actor: itsm.System, Text: fmt.Sprintf("its %d alerts were part of %s until now", d.Alerts, d.From)}}}
		})
	case correlator.IncidentQuiet:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			c := i.AutoResolve(d.Recovered, time.Duration(s.rules.Correlation.HoldDown), s.desk.Rules.ByHand, s.now)
			if !i.Live() {
				s.corr.Resolved(d.ID, s.now)
			}
			return c
		})
	case correlator.IncidentReturned:
		s.with(d.ID, func(i *itsm.Incident) itsm.Change {
			if d.Anew {
				return i.Recurs(d.Why, d.Onset, s.now)
			}
			return i.AutoReopen(d.Why, d.Onset, s.now)
		})
	case correlator.IncidentMerged:
		s.mergeRecords(d.From, d.Into, itsm.System, d.Why)
	case correlator.ProblemOpened:
		s.openProblem(itsm.Problem{ID: d.ID, Title: d.Title, Signature: d.Signature, OpenedBy: itsm.System, Why: d.Why})
		for _, id := range d.Incidents {
			s.joinProblem(d.ID, id, itsm.System, d.Why)
		}
	case correlator.TeachingChanged:
		s.emit(PutTeaching{d.Teaching})
	case correlator.ProblemJoined:
		s.joinProblem(d.ID, d.Incident, itsm.System, d.Why)
	}
}

// take copies the correlator's view into the record.
func (s *State) take(i *itsm.Incident, a correlator.Assessment, c *itsm.Change) {
	if i.OpenedBy == itsm.System && !i.Titled && a.Title != "" {
		i.Title = a.Title
	}
	i.Severity, i.Alerts, i.Active = string(a.Severity), a.Alerts, a.Active
	i.CIs = a.CIs
	services := merged(a.Services, s.desk.ServicesOn(a.CIs, s.corr))
	if i.OpenedBy != itsm.System { // what a person said of it stays
		services = merged(services, i.Services)
	}
	if a.SeenBefore != i.SeenBefore {
		i.Mended = s.howMended(a.SeenBefore)
		if i.Mended != "" {
			c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "seen", Actor: itsm.System, Text: "what helped in " + a.SeenBefore + ": " + i.Mended})
		}
	}
	c.Add(i.Affect(services, s.now))
	c.Add(i.Begin(a.Onset, s.now))
	c.Add(i.Recur(a.SeenBefore, s.now))
	i.Page, i.PageWhy = a.Page, a.PageWhy
	i.Causes = make([]itsm.Cause, len(a.Causes))
	for n, x := range a.Causes {
		i.Causes[n] = itsm.Cause(x)
	}
	i.Verdict = nil
	if v := a.Verdict; v.Text != "" {
		i.Verdict = &itsm.CauseVerdict{Grade: string(v.Grade), Text: v.Text, Common: v.Common, Check: v.Check, Probability: v.Probability}
	}
	i.Changes = nil
	for _, x := range a.Changes {
		i.Changes = append(i.Changes, changeOf(x))
	}
	assignee, team, why := s.ownerOf(i)
	c.Add(i.Own(assignee, team, why, s.now))
}

func changeOf(x correlator.SuspectChange) itsm.SuspectChange {
	return itsm.SuspectChange{At: x.At, CI: x.CI, Name: x.Name, Type: x.Type, Summary: x.Summary, Version: x.Version}
}

// merged unites two ordered lists.
func merged(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
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
	s.outages(x, &c)
	s.clocks(x, &c)
	s.announce(x, &c)
	for _, e := range c.Entries {
		i.Entries++
		s.emit(TimelineRow{id, i.Entries, s.pos, e})
	}
	if where := i.Team + "/" + strings.Join(i.Services, "/"); where != x.Where {
		x.Where = where
		if !slices.ContainsFunc(c.Measures, func(m itsm.Measure) bool { return m.Of == "" }) {
			c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MMoved})
		}
	}
	for _, m := range c.Measures {
		s.measured = append(s.measured, MeasureRow{Record: id, Priority: i.Priority, Services: i.Services, Team: i.Team, Measure: m})
	}
	switch i.State {
	case itsm.Resolved:
		s.schedule(dueIncident, id, &x.Due, i.ResolvedAt.Add(time.Duration(s.rules.AutoClose)))
	case itsm.Closed, itsm.Canceled:
		s.schedule(dueIncident, id, &x.Due, i.ClosedAt.Add(time.Duration(s.rules.Archive)))
	default:
		x.Due = time.Time{}
	}
	i.Revision++
	s.incidents.Touch(id)
	s.emit(PutIncident{*i})
}

// label emits what was measured of incidents in this step, under what they are at its
// end: an incident that opens and is reassessed in one step opened as what it is then.
func (s *State) label() {
	for _, m := range s.measured {
		if x := s.incidents.Get(m.Record); x != nil {
			m.Priority, m.Services, m.Team = x.Doc.Priority, x.Doc.Services, x.Doc.Team
		}
		s.measure(m)
	}
	s.measured = s.measured[:0]
}

func (s *State) measure(m MeasureRow) {
	s.seq++
	m.Position, m.Seq, m.At = s.pos, s.seq, s.now
	s.emit(m)
}

func clip(raw []byte) string {
	const most = 64 << 10
	return strings.ToValidUTF8(string(raw[:min(len(raw), most)]), "\uFFFD")
}

// Suspects describes what may be the cause of an incident as it is now: for those who
// fit or explain the weights that causes are found by.
func (s *State) Suspects(incident string) (list []correlator.Suspect, none []float64, noneOf float64) {
	return s.corr.Suspects(incident)
}
