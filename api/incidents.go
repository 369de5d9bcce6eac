package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// Incident is an incident as the API shows it.
type Incident struct {
	itsm.Incident
	Refs  map[string]Ref `json:"refs" doc:"Class and name of the configuration items that the incident mentions, by id"`
	Legal []string       `json:"legal" nullable:"false" doc:"Verbs that the incident's state allows now"`
}

// Ref names a configuration item.
type Ref struct {
	Class string `json:"class"`
	Name  string `json:"name"`
}

var incidentLanguage = filter.Language[itsm.Incident]{
	Fields: map[string]filter.Field[itsm.Incident]{
		"id": {Text: func(i itsm.Incident) []string { return []string{i.ID} }},
		"state": {Doc: "new, in_progress, on_hold, resolved, closed, canceled; open is the first three", Values: texts("open", itsm.New, itsm.InProgress, itsm.OnHold, itsm.Resolved, itsm.Closed, itsm.Canceled), Text: func(i itsm.Incident) []string {
			if i.Live() {
				return []string{string(i.State), "open"}
			}
			return []string{string(i.State)}
		}},
		"hold":          {Values: texts(itsm.HoldCaller, itsm.HoldProblem, itsm.HoldVendor, itsm.HoldChange), Text: func(i itsm.Incident) []string { return []string{string(i.HoldReason)} }},
		"priority":      {Doc: "1 critical to 5 planning", Number: func(i itsm.Incident) float64 { return float64(i.Priority) }},
		"impact":        {Number: func(i itsm.Incident) float64 { return float64(i.Impact) }},
		"urgency":       {Number: func(i itsm.Incident) float64 { return float64(i.Urgency) }},
		"severity":      {Values: severities, Text: func(i itsm.Incident) []string { return []string{i.Severity} }},
		"title":         {Text: func(i itsm.Incident) []string { return []string{i.Title} }},
		"ci":            {Doc: "id of an item, or name of a suspected cause", Text: incidentCIs},
		"service":       {Text: func(i itsm.Incident) []string { return i.Services }},
		"cause":         {Text: incidentCauses},
		"problem":       {Text: func(i itsm.Incident) []string { return []string{i.Problem} }},
		"assignee":      {Text: func(i itsm.Incident) []string { return []string{i.Assignee} }},
		"team":          {Text: func(i itsm.Incident) []string { return []string{i.Team} }},
		"opened_by":     {Text: func(i itsm.Incident) []string { return []string{i.OpenedBy} }},
		"acknowledged":  {Flag: func(i itsm.Incident) bool { return i.AcknowledgedAt != nil }},
		"seen_before":   {Doc: "yes, no or an incident", Text: func(i itsm.Incident) []string { return append(yesNo(i.SeenBefore != ""), i.SeenBefore) }},
		"merged_into":   {Text: func(i itsm.Incident) []string { return []string{i.MergedInto} }},
		"alerts":        {Number: func(i itsm.Incident) float64 { return float64(i.Alerts) }},
		"active_alerts": {Number: func(i itsm.Incident) float64 { return float64(i.Active) }},
		"reopened":      {Number: func(i itsm.Incident) float64 { return float64(i.Reopened) }},
		"opened":        {Doc: "time", Time: func(i itsm.Incident) time.Time { return i.OpenedAt }},
		"onset":         {Doc: "time", Time: func(i itsm.Incident) time.Time { return i.Onset }},
		"resolved":      {Doc: "time", Time: func(i itsm.Incident) time.Time { return orZero(i.ResolvedAt) }},
		"closed":        {Doc: "time", Time: func(i itsm.Incident) time.Time { return orZero(i.ClosedAt) }},
	},
	Free: func(i itsm.Incident) []string {
		out := []string{i.ID, i.Title, i.Description, i.Assignee, i.Team}
		return append(append(out, incidentCauses(i)...), i.Services...)
	},
}.With(filter.Record[itsm.Incident]())

func incidentCIs(i itsm.Incident) []string { return append(incidentCauses(i), i.CIs...) }

func incidentCauses(i itsm.Incident) []string {
	out := make([]string, 0, 2*len(i.Causes)+len(i.CIs))
	for _, c := range i.Causes {
		out = append(out, c.Name, c.CI)
	}
	return out
}

// yesNo is for fields that can be asked for as a flag and by their text.
func yesNo(b bool) []string {
	if b {
		return []string{"yes", "true"}
	}
	return []string{"no", "false"}
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// incidentOrder sorts by "attention" as the on-call needs it: open ones,
// unacknowledged first, then by priority, oldest first.
func (a *API) incidentOrder() order[itsm.Incident] {
	return order[itsm.Incident]{
		natural: []string{"-opened", "attention"},
		alias:   map[string]string{"opened_at": "opened", "id": "opened", "resolved_at": "resolved"},
		keys: map[string]func(itsm.Incident) []byte{
			"opened":   func(i itsm.Incident) []byte { return store.Key(i.OpenedAt) },
			"priority": func(i itsm.Incident) []byte { return store.Key(i.Priority, i.OpenedAt) },
			"state":    func(i itsm.Incident) []byte { return store.Key(string(i.State), i.OpenedAt) },
			"title":    func(i itsm.Incident) []byte { return store.Key(strings.ToLower(i.Title)) },
			"alerts":   func(i itsm.Incident) []byte { return store.Key(i.Alerts) },
			"resolved": func(i itsm.Incident) []byte { return store.Key(orZero(i.ResolvedAt).Unix()) },
			"assignee": func(i itsm.Incident) []byte { return store.Key(i.Assignee, i.OpenedAt) },
			"severity": func(i itsm.Incident) []byte { return store.Key(severityRank(i.Severity), i.OpenedAt) },
		},
		id:    func(i itsm.Incident) string { return i.ID },
		lang:  incidentLanguage,
		fetch: a.fetchIncidents,
	}
}

func severityRank(s string) int {
	switch s {
	case "critical":
		return 0
	case "error":
		return 1
	case "warning":
		return 2
	default:
		return 3
	}
}

func (a *API) fetchIncidents(ctx context.Context, q filter.Query[itsm.Incident], natural string, at engine.Range) (engine.Page[itsm.Incident], error) {
	f := engine.IncidentFilter{Keep: q.Keep}
	problem, byProblem := q.Equal("problem")
	state, byState := q.Equal("state")
	if ci, ok := a.itemOf(q.Equal("ci")); ok && natural != "attention" {
		f.CI = ci
		return a.o.Engine.Records().Incidents(ctx, f, at)
	}
	switch {
	case natural == "attention":
		f.Open = true
	case byProblem:
		f.Problem = strings.ToUpper(problem)
	case byState && state != "resolved" && state != "closed" && state != "canceled":
		// Few are open: read those, in the order of opening.
		return a.openByAge(ctx, f, at)
	}
	return a.o.Engine.Records().Incidents(ctx, f, at)
}

// itemOf says whether what a filter wants of ci is an item's id, so that the index
// by item can be used; a name is looked for in the records.
func (a *API) itemOf(value string, given bool) (string, bool) {
	if !given || a.o.Inventory == nil {
		return "", false
	}
	r, ok := a.o.Inventory.Ref(value)
	return r.ID, ok && r.ID == value
}

// openByAge lists open incidents newest first without reading the closed ones.
func (a *API) openByAge(ctx context.Context, f engine.IncidentFilter, at engine.Range) (engine.Page[itsm.Incident], error) {
	o := order[itsm.Incident]{
		natural: []string{"attention"},
		id:      func(i itsm.Incident) string { return i.ID },
		fetch: func(ctx context.Context, _ filter.Query[itsm.Incident], _ string, at engine.Range) (engine.Page[itsm.Incident], error) {
			return a.o.Engine.Records().Incidents(ctx, engine.IncidentFilter{Open: true, Keep: f.Keep}, at)
		},
	}
	byID := func(i itsm.Incident) []byte { return store.Key(i.ID) }
	return o.sorted(ctx, filter.Query[itsm.Incident]{}, Listing{Limit: at.Limit, Cursor: at.Cursor}, byID, true)
}

// show makes the API's form of incidents.
func (a *API) show(ctx context.Context, docs []itsm.Incident) ([]Incident, error) {
	out := make([]Incident, len(docs))
	for i := range docs {
		d := docs[i]
		x := Incident{Incident: d, Refs: map[string]Ref{}, Legal: wordsOf(d.Legal())}
		for _, c := range d.Causes {
			x.Refs[c.CI] = Ref{c.Class, c.Name}
		}
		for _, id := range d.CIs {
			if r, ok := a.ref(id); ok {
				x.Refs[id] = r
			} else if _, known := x.Refs[id]; !known {
				x.Refs[id] = refFromID(id)
			}
		}
		if x.Causes == nil {
			x.Causes = []itsm.Cause{}
		}
		out[i] = x
	}
	return out, nil
}

// ref names an item of the inventory.
func (a *API) ref(id string) (Ref, bool) {
	if a.o.Inventory == nil {
		return Ref{}, false
	}
	r, ok := a.o.Inventory.Ref(id)
	return Ref{r.Class, r.Name}, ok
}

// openIncidents returns every open incident.
func (a *API) openIncidents(ctx context.Context) ([]itsm.Incident, error) {
	var out []itsm.Incident
	at := engine.Range{Limit: 1000}
	for {
		p, err := a.o.Engine.Records().Incidents(ctx, engine.IncidentFilter{Open: true}, at)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if at.Cursor = p.Next; at.Cursor == "" {
			return out, nil
		}
	}
}

// refFromID reads the class and name that ids of imported items are made of.
func refFromID(id string) Ref {
	if class, name, ok := strings.Cut(id, ":"); ok {
		return Ref{class, name}
	}
	return Ref{Name: id}
}

func (a *API) incident(ctx context.Context, id string) (*recorded[Incident], error) {
	doc, _, err := a.o.Engine.Records().Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	shown, err := a.show(ctx, []itsm.Incident{doc})
	if err != nil {
		return nil, err
	}
	return &recorded[Incident]{etag(doc.Revision), shown[0]}, nil
}

// ByID names a record.
type ByID struct {
	ID string `path:"id" maxLength:"200"`
}

// incidentRoutes registers what people do with incidents.
func (a *API) incidentRoutes() {
	k := kind[Incident]{"incident", "incidents", a.incident}
	o := a.incidentOrder()
	handle(a, describedAs(op(http.MethodGet, "/api/v1/incidents", "list-incidents", "incidents", "List incidents"), o.doc()+"\n\nattention lists open ones only: unacknowledged first, then by priority, oldest first."),
		func(ctx context.Context, in *Listing) (*reply[Page[Incident]], error) {
			p, err := o.list(ctx, a, *in)
			if err != nil {
				return nil, err
			}
			shown, err := a.show(ctx, p.Items)
			return pageOf(shown, p.Next), err
		})
	readable(a, k, "One incident, with causes, paths and legal verbs")
	handle(a, op(http.MethodGet, "/api/v1/incidents/{id}/alerts", "list-incident-alerts", "incidents", "Its alerts in the order of receipt, each with fate and evidence"),
		func(ctx context.Context, in *Within) (*reply[Page[Alert]], error) {
			if _, _, err := a.o.Engine.Records().Incident(ctx, in.ID); err != nil {
				return nil, err
			}
			return page(ctx, a, a.alertsOf(in.ID), in.Listing, alertOf)
		})
	creatable(a, k, "Open an incident by hand", a.openable)
	for _, v := range []struct {
		name, summary string
		register      verb[Incident]
	}{
		{"acknowledge", "Somebody works on it", takes[noteArgs, Incident]},
		{"assign", "Give it to a person or a team", takes[assignArgs, Incident]},
		{"hold", "Wait for somebody else", takes[holdArgs, Incident]},
		{"resume", "Go on after a hold", takes[noteArgs, Incident]},
		{"resolve", "It works again", takes[resolveArgs, Incident]},
		{"close", "Nothing is left to do", takes[noteArgs, Incident]},
		{"reopen", "It was not over", takes[reasonArgs, Incident]},
		{"cancel", "It was none", takes[reasonArgs, Incident]},
		{"notes", "Write on the timeline", takes[textArgs, Incident]},
		{"merge", "Another incident takes its alerts over", takes[mergeArgs, Incident]},
		{"split", "Some of its alerts become an incident of their own, which is answered", takes[splitArgs, Incident]},
		{"major", "Declare a major incident, or change who has which role", takes[majorArgs, Incident]},
		{"minor", "Take the declaration back", takes[reasonArgs, Incident]},
		{"edit", "Change title, description, impact or urgency", takes[editArgs, Incident]},
	} {
		v.register(a, k, v.name, v.summary)
	}
}

// NewIncident is what a person opens an incident with.
type NewIncident struct {
	Title       string `json:"title" minLength:"1" maxLength:"500"`
	Description string `json:"description,omitempty" maxLength:"20000"`
	Impact      int    `json:"impact" minimum:"1" maximum:"3" doc:"1 high to 3 low"`
	Urgency     int    `json:"urgency" minimum:"1" maximum:"3" doc:"1 high to 3 low"`
	Assignee    string `json:"assignee,omitempty" maxLength:"100"`
	Team        string `json:"team,omitempty" maxLength:"100"`
	CI          string `json:"ci,omitempty" maxLength:"300" doc:"The configuration item that it is about: id, class:name or name"`
	Service     string `json:"service,omitempty" maxLength:"300" doc:"Name of the service that it concerns"`
}

// What the verbs take. Their names are part of the OpenAPI document.
type (
	noteArgs struct {
		Note string `json:"note,omitempty" maxLength:"20000" doc:"Goes onto the timeline"`
	}
	textArgs struct {
		Note string `json:"note" minLength:"1" maxLength:"20000"`
	}
	assignArgs struct {
		Assignee *string `json:"assignee,omitempty" maxLength:"100" doc:"Absent: stays; empty: nobody. Who assigns it to himself acknowledges"`
		Team     *string `json:"team,omitempty" maxLength:"100" doc:"Absent: stays; empty: none"`
		Note     string  `json:"note,omitempty" maxLength:"20000"`
	}
	holdArgs struct {
		Reason string `json:"reason" enum:"caller,problem,vendor,change" doc:"Whom or what it waits for"`
		Note   string `json:"note,omitempty" maxLength:"20000"`
	}
	resolveArgs struct {
		Resolution string `json:"resolution,omitempty" maxLength:"20000" doc:"What mended it"`
		Note       string `json:"note,omitempty" maxLength:"20000"`
	}
	reasonArgs struct {
		Reason string `json:"reason,omitempty" maxLength:"2000"`
		Note   string `json:"note,omitempty" maxLength:"20000"`
	}
	mergeArgs struct {
		Into   string `json:"into" minLength:"1" maxLength:"200" doc:"Id of the incident that takes over"`
		Reason string `json:"reason,omitempty" maxLength:"2000"`
		Teach  *bool  `json:"teach,omitempty" doc:"false: only this once; without it, failures like the two are brought together later (see /api/v1/teachings)"`
	}
	splitArgs struct {
		Alerts []string `json:"alerts" minItems:"1" maxItems:"10000" nullable:"false" doc:"Ids of the alerts that leave"`
		Reason string   `json:"reason,omitempty" maxLength:"2000"`
		Teach  *bool    `json:"teach,omitempty" doc:"false: only this once; without it, alerts like these are kept apart from failures like this one later (see /api/v1/teachings)"`
	}
	majorArgs struct {
		Roles  map[string]string `json:"roles,omitempty" doc:"Role (commander, communications, scribe, ...) to who has it"`
		Reason string            `json:"reason,omitempty" maxLength:"2000"`
		Note   string            `json:"note,omitempty" maxLength:"20000"`
	}
	editArgs struct {
		Title       string  `json:"title,omitempty" maxLength:"500"`
		Description *string `json:"description,omitempty" maxLength:"20000" doc:"Absent: stays; empty: none"`
		Impact      int     `json:"impact,omitempty" minimum:"1" maximum:"3"`
		Urgency     int     `json:"urgency,omitempty" minimum:"1" maximum:"3"`
		Reason      string  `json:"reason,omitempty" maxLength:"2000" doc:"Why; needed to override the priority"`
		Note        string  `json:"note,omitempty" maxLength:"20000"`
	}
)

// TimelineEntry is one line of a record's timeline.
type TimelineEntry struct {
	Seq      int       `json:"seq" doc:"From 1, without gaps"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind" doc:"opened, alert, state, note, priority, acknowledged, assigned, merge, ..."`
	Actor    string    `json:"actor"`
	Text     string    `json:"text"`
	Position uint64    `json:"position" doc:"Of the event in the journal that caused it"`
}

// timelineOrder is the order of a record's timeline.
func (a *API) timelineOrder(record string) order[fold.TimelineRow] {
	return order[fold.TimelineRow]{
		natural: []string{"seq"},
		id:      func(r fold.TimelineRow) string { return fmt.Sprintf("%08d", r.Seq) },
		lang:    filter.From(filter.Record[TimelineEntry](), entryOf),
		fetch: func(ctx context.Context, q filter.Query[fold.TimelineRow], _ string, at engine.Range) (engine.Page[fold.TimelineRow], error) {
			return kept(q, at, func(at engine.Range) ([]fold.TimelineRow, string, error) {
				p, err := a.o.Engine.Records().Timeline(ctx, record, at)
				return p.Items, p.Next, err
			})
		},
	}
}

func entryOf(r fold.TimelineRow) TimelineEntry {
	return TimelineEntry{Seq: r.Seq, At: r.At, Kind: r.Kind, Actor: r.Actor, Text: r.Text, Position: r.Position}
}
