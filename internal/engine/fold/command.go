package fold

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// CreateArgs open an incident by hand.
type CreateArgs struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Impact      int    `json:"impact"`
	Urgency     int    `json:"urgency"`
	Assignee    string `json:"assignee,omitempty"`
	Team        string `json:"team,omitempty"`
	CI          string `json:"ci,omitempty"`
	Service     string `json:"service,omitempty"`
}

// MergeArgs name the incident that takes over.
type MergeArgs struct {
	Into     string `json:"into"`
	Reason   string `json:"reason,omitempty"`
	Teach    *bool  `json:"teach,omitempty"`    // false: later decisions stay as they are
	Revision uint64 `json:"revision,omitempty"` // that the caller has read
}

// SplitArgs name the alerts that leave for an incident of their own.
type SplitArgs struct {
	Alerts   []string `json:"alerts"`
	Reason   string   `json:"reason,omitempty"`
	Teach    *bool    `json:"teach,omitempty"`    // false: later decisions stay as they are
	Revision uint64   `json:"revision,omitempty"` // that the caller has read
}

// ReviewArgs hold a finished post-incident review, as Markdown.
type ReviewArgs struct {
	Text string `json:"text"`
}

// command decides a verb at its journal position. A refusal is a fact too: it is
// answered and audited like a success.
func (s *State) command(c *event.Command) {
	row := AuditRow{Position: s.pos, At: s.now, Actor: c.Actor, Remote: c.Remote, Verb: c.Verb, Kind: c.Record, Record: c.ID, Args: c.Args}
	row.Before = s.before(c)
	id, doc, err := s.run(c)
	a := Answer{Record: id}
	if err != nil {
		a.Err = fault.Public(err)
		row.Refused = a.Err.Error()
		row.Before = nil
	} else {
		row.Record = id
		row.After = c.After
		if doc != nil {
			a.Result = mustJSON(doc)
			row.After = a.Result
		}
	}
	s.emit(row)
	s.emit(a)
}

// before is the record as the command found it, for the audit.
func (s *State) before(c *event.Command) json.RawMessage {
	if noted(c.Record) {
		return c.Before
	}
	switch c.Record {
	case "incident":
		if x := s.incidents.Get(c.ID); x != nil {
			return mustJSON(x.Doc)
		}
	case "problem":
		if x := s.problems.Get(c.ID); x != nil {
			return mustJSON(x.Doc)
		}
	case "maintenance":
		if x := s.windows.Get(c.ID); x != nil {
			return mustJSON(x.Doc)
		}
	case "outage":
		if o := s.over.Get(c.ID); o != nil {
			return mustJSON(o)
		}
	}
	return nil
}

// noted are acts that are done elsewhere, in the transaction that journals them:
// the fold only puts them into the audit.
func noted(record string) bool {
	switch record {
	case "token", "user", "session", "ci", "task", "server", "audit":
		return true
	default:
		return false
	}
}

func (s *State) run(c *event.Command) (string, any, error) {
	switch c.Record {
	case "incident":
		return s.runIncident(c)
	case "problem":
		return s.runProblem(c)
	case "maintenance":
		return s.runMaintenance(c)
	case "teaching":
		return s.runTeaching(c)
	case "outage":
		return s.runOutage(c)
	}
	if noted(c.Record) {
		return c.ID, nil, nil
	}
	return "", nil, fault.Invalidf("record", "want incident, problem, maintenance, teaching or outage, got %q", c.Record)
}

func (s *State) runIncident(c *event.Command) (string, any, error) {
	if c.Verb == "create" {
		return s.create(c)
	}
	x := s.incidents.Get(c.ID)
	if x == nil {
		return c.ID, nil, s.missing(c.ID)
	}
	var err error
	switch c.Verb {
	case "merge":
		err = s.merge(x, c)
	case "split":
		return s.split(x, c)
	case "review":
		return c.ID, x.Doc, s.review(x, c)
	default:
		err = s.verb(x, c)
	}
	return c.ID, x.Doc, err
}

// missing tells an archived incident from one that never was.
func (s *State) missing(id string) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, prefixes["incident"]), 10, 64)
	if err == nil && n > 0 && n <= s.count.Seq["incident"] && id == idOf("incident", n) {
		return fault.Conflictf("incident %s is archived: it can be read, not changed", id)
	}
	return fault.NotFoundf("incident %q does not exist", id)
}

func (s *State) create(c *event.Command) (string, any, error) {
	var a CreateArgs
	if err := strict(c.Args, &a); err != nil {
		return "", nil, err
	}
	if strings.TrimSpace(a.Title) == "" {
		return "", nil, fault.Invalidf("title", "is missing: say in a few words what is wrong")
	}
	for _, f := range []struct {
		name string
		v    int
	}{{"impact", a.Impact}, {"urgency", a.Urgency}} {
		if f.v < 1 || f.v > 3 {
			return "", nil, fault.Invalidf(f.name, "want 1 (high) to 3 (low), got %d", f.v)
		}
	}
	var cis []string
	if a.CI != "" {
		ci, err := s.item("ci", a.CI)
		if err != nil {
			return "", nil, err
		}
		cis = []string{ci}
	}
	if a.Service != "" {
		if err := s.knownService("service", a.Service); err != nil {
			return "", nil, err
		}
	}
	id := s.nextID("incident")
	doc, ch := itsm.Open(itsm.Opening{
		ID: id, Title: a.Title, Description: a.Description, Impact: a.Impact, Urgency: a.Urgency,
		Derivation: "given by " + c.Actor, OpenedBy: c.Actor, Onset: s.now, Why: "by hand",
	}, s.now)
	doc.Assignee, doc.Team = a.Assignee, a.Team
	doc.CIs = cis
	services := s.desk.ServicesOn(doc.CIs, s.corr)
	if a.Service != "" {
		services = merged(services, []string{a.Service})
	}
	ch.Add(doc.Affect(services, s.now))
	who, team, why := s.ownerOf(doc)
	ch.Add(doc.Own(who, team, why, s.now))
	s.incidents.Put(id, &incident{Doc: *doc})
	s.commit(id, ch)
	return id, s.incidents.Get(id).Doc, nil
}

// verb applies one of the state machine's verbs and tells the correlator.
func (s *State) verb(x *incident, c *event.Command) error {
	a, err := itsm.ParseArgs(c.Args)
	if err != nil {
		return err
	}
	ch, err := x.Doc.Apply(itsm.Verb(c.Verb), a, c.Actor, s.now)
	if err != nil {
		return err
	}
	s.commit(c.ID, ch)
	switch itsm.Verb(c.Verb) {
	case itsm.Resolve:
		s.corr.Resolved(c.ID, s.now)
	case itsm.Reopen:
		s.corr.Reopened(c.ID, s.now)
	case itsm.Close, itsm.Cancel:
		for _, d := range s.corr.Closed(c.ID, s.now) {
			s.decide(d)
		}
	}
	return nil
}

func (s *State) merge(x *incident, c *event.Command) error {
	var a MergeArgs
	if err := strict(c.Args, &a); err != nil {
		return err
	}
	if err := x.Doc.Allow(itsm.Merge, a.Revision); err != nil {
		return err
	}
	into := s.incidents.Get(a.Into)
	switch {
	case a.Into == "":
		return fault.Invalidf("into", "name the incident that takes over")
	case a.Into == c.ID:
		return fault.Invalidf("into", "is the incident itself")
	case into == nil:
		return s.missing(a.Into)
	case !into.Doc.Live():
		return fault.Conflictf("incident %s is %s: only an open one takes another over", a.Into, into.Doc.State)
	}
	s.mergeRecords(c.ID, a.Into, c.Actor, a.Reason)
	for _, d := range s.corr.Merge(c.ID, a.Into, teacher(a.Teach, c.Actor), s.now) {
		s.decide(d)
	}
	return nil
}

// mergeRecords ends an incident as a part of another, which takes over its start, its
// priority and its running clocks.
func (s *State) mergeRecords(from, into, actor, why string) {
	x, y := s.incidents.Get(from), s.incidents.Get(into)
	if x != nil && y != nil && x.Doc.Live() && y.Doc.Live() {
		ch := y.Doc.TakeOver(&x.Doc, actor, why, s.now)
		ch.Add(y.Doc.Affect(merged(y.Doc.Services, x.Doc.Services), s.now))
		y.takeClocks(x, s.now)
		s.commit(into, ch)
		s.passOutages(from, into)
	}
	s.with(from, func(i *itsm.Incident) itsm.Change { return i.MergeInto(into, actor, why, s.now) })
}

// takeClocks lets an incident's service levels run since those of another that it took
// over, where that was there first.
func (x *incident) takeClocks(from *incident, now time.Time) {
	if len(from.Points) == 0 || len(x.Points) > 0 && !from.Points[0].At.Before(x.Points[0].At) {
		return
	}
	var points []itsm.Point
	for _, p := range from.Points {
		if len(x.Points) == 0 || p.At.Before(x.Points[0].At) {
			points = append(points, p)
		}
	}
	x.Points = append(points, x.Points...)
	clocks := slices.Clone(x.Doc.Clocks)
	for _, k := range from.Doc.Clocks {
		k.Held = now // here; what leaves at once counts in the other only
		switch n := slices.IndexFunc(clocks, func(o itsm.Clock) bool { return o.SLA == k.SLA }); {
		case k.Result == itsm.CanceledClock || k.Result == itsm.Met || !k.Active:
		case n < 0:
			clocks = append(clocks, k)
		case clocks[n].BreachedAt == nil:
			k.Held = clocks[n].Held
			clocks[n] = k
		}
	}
	x.Doc.Clocks = clocks
}

// review keeps the post-incident review as a person wrote it.
func (s *State) review(x *incident, c *event.Command) error {
	var a ReviewArgs
	if err := strict(c.Args, &a); err != nil {
		return err
	}
	switch {
	case x.Doc.Live():
		return fault.Conflictf("incident %s is %s: it is reviewed when it is resolved", c.ID, x.Doc.State)
	case strings.TrimSpace(a.Text) == "":
		return fault.Invalidf("text", "is empty: begin from the draft")
	case len(a.Text) > 256<<10:
		return fault.Invalidf("text", "is longer than 256 KiB")
	}
	s.emit(PutReview{itsm.Review{Incident: c.ID, Text: a.Text, By: c.Actor, At: s.now}})
	s.with(c.ID, func(*itsm.Incident) itsm.Change {
		return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "review", Actor: c.Actor, Text: "wrote the review"}}}
	})
	return nil
}

func (s *State) split(x *incident, c *event.Command) (string, any, error) {
	var a SplitArgs
	if err := strict(c.Args, &a); err != nil {
		return c.ID, nil, err
	}
	if err := x.Doc.Allow(itsm.Split, a.Revision); err != nil {
		return c.ID, nil, err
	}
	if len(a.Alerts) == 0 {
		return c.ID, nil, fault.Invalidf("alerts", "name the alerts that leave for an incident of their own")
	}
	id, ds, err := s.corr.Split(c.ID, a.Alerts, teacher(a.Teach, c.Actor), s.now)
	if err != nil {
		return c.ID, nil, err
	}
	for _, d := range ds {
		s.decide(d)
	}
	s.with(c.ID, func(*itsm.Incident) itsm.Change {
		return itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "split", Actor: c.Actor, Text: "alerts left for " + id}}}
	})
	return id, s.incidents.Get(id).Doc, nil
}

func strict(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.Invalidf("body", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// mustJSON encodes a document of our own; its types cannot fail to encode.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
