package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// ProblemRecord is a problem as the API shows it. (Problem is the document that
// failed calls answer.)
type ProblemRecord struct {
	itsm.Problem
	Legal []string `json:"legal" nullable:"false" doc:"Verbs that the problem's state allows now"`
}

func problemOf(p itsm.Problem) ProblemRecord { return ProblemRecord{p, wordsOf(p.Legal())} }

var problemLanguage = filter.Language[itsm.Problem]{
	Fields: map[string]filter.Field[itsm.Problem]{
		"id": {Text: func(p itsm.Problem) []string { return []string{p.ID} }},
		"state": {Doc: "new, assess, root_cause, fix, resolved, closed; open is the first four", Values: texts("open", itsm.ProblemNew, itsm.ProblemAssess, itsm.ProblemRootCause, itsm.ProblemFix, itsm.ProblemResolved, itsm.ProblemClosed), Text: func(p itsm.Problem) []string {
			if p.Live() {
				return []string{string(p.State), "open"}
			}
			return []string{string(p.State)}
		}},
		"priority":    {Number: func(p itsm.Problem) float64 { return float64(p.Priority) }},
		"title":       {Text: func(p itsm.Problem) []string { return []string{p.Title} }},
		"known_error": {Flag: func(p itsm.Problem) bool { return p.KnownError }},
		"assignee":    {Text: func(p itsm.Problem) []string { return []string{p.Assignee} }},
		"incidents":   {Number: func(p itsm.Problem) float64 { return float64(p.Incidents) }},
		"opened":      {Doc: "time", Time: func(p itsm.Problem) time.Time { return p.OpenedAt }},
		"last":        {Doc: "time of the last incident", Time: func(p itsm.Problem) time.Time { return p.LastAt }},
	},
	Free: func(p itsm.Problem) []string {
		return []string{p.ID, p.Title, p.Signature, p.Workaround, p.RootCause, p.Assignee}
	},
}.With(filter.Record[itsm.Problem]())

func (a *API) problemOrder() order[itsm.Problem] {
	return order[itsm.Problem]{
		natural: []string{"-opened"},
		alias:   map[string]string{"opened_at": "opened", "id": "opened"},
		keys: map[string]func(itsm.Problem) []byte{
			"opened":    func(p itsm.Problem) []byte { return store.Key(p.OpenedAt) },
			"last":      func(p itsm.Problem) []byte { return store.Key(p.LastAt) },
			"priority":  func(p itsm.Problem) []byte { return store.Key(p.Priority, p.OpenedAt) },
			"incidents": func(p itsm.Problem) []byte { return store.Key(p.Incidents) },
			"state":     func(p itsm.Problem) []byte { return store.Key(string(p.State)) },
			"title":     func(p itsm.Problem) []byte { return store.Key(strings.ToLower(p.Title)) },
		},
		id:   func(p itsm.Problem) string { return p.ID },
		lang: problemLanguage,
		fetch: func(ctx context.Context, q filter.Query[itsm.Problem], _ string, at engine.Range) (engine.Page[itsm.Problem], error) {
			return a.o.Engine.Records().Problems(ctx, q.Keep, at)
		},
	}
}

func (a *API) problemRecord(ctx context.Context, id string) (*recorded[ProblemRecord], error) {
	doc, _, err := a.o.Engine.Records().Problem(ctx, id)
	return &recorded[ProblemRecord]{etag(doc.Revision), problemOf(doc)}, err
}

func (a *API) problemRoutes() {
	k := kind[ProblemRecord]{"problem", "problems", a.problemRecord}
	o := a.problemOrder()
	handle(a, describedAs(op(http.MethodGet, "/api/v1/problems", "list-problems", "problems", "List problems"), o.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[ProblemRecord]], error) {
			p, err := o.list(ctx, a, *in)
			out := make([]ProblemRecord, len(p.Items))
			for i := range p.Items {
				out[i] = problemOf(p.Items[i])
			}
			return pageOf(out, p.Next), err
		})
	readable(a, k, "One problem")
	handle(a, op(http.MethodGet, "/api/v1/problems/{id}/incidents", "list-problem-incidents", "problems", "The incidents that it explains, newest first"),
		func(ctx context.Context, in *Within) (*reply[Page[Incident]], error) {
			if _, err := a.problemRecord(ctx, in.ID); err != nil {
				return nil, err
			}
			o := a.incidentOrder()
			o.natural = o.natural[:1]
			o.fetch = func(ctx context.Context, q filter.Query[itsm.Incident], _ string, at engine.Range) (engine.Page[itsm.Incident], error) {
				return a.o.Engine.Records().Incidents(ctx, engine.IncidentFilter{Problem: in.ID, Keep: q.Keep}, at)
			}
			p, err := o.list(ctx, a, in.Listing)
			if err != nil {
				return nil, err
			}
			shown, err := a.show(ctx, p.Items)
			return pageOf(shown, p.Next), err
		})
	creatable[NewProblem](a, k, "Open a problem by hand", nil)
	for _, v := range []struct {
		name, summary string
		register      verb[ProblemRecord]
	}{
		{"assess", "Somebody looks at it", takes[reasonArgs, ProblemRecord]},
		{"root_cause", "Look for the cause", takes[reasonArgs, ProblemRecord]},
		{"fix", "The cause is known and being mended", takes[causeArgs, ProblemRecord]},
		{"resolve", "It is mended; closes when it does not come back", takes[mendArgs, ProblemRecord]},
		{"close", "Close before the time of proof, with a reason", takes[reasonArgs, ProblemRecord]},
		{"reopen", "It was not mended", takes[reasonArgs, ProblemRecord]},
		{"known_error", "The cause or a workaround is known; shown on each incident of it", takes[knownArgs, ProblemRecord]},
		{"workaround", "What helps until the cause is mended; shown on each incident of it", takes[aroundArgs, ProblemRecord]},
		{"software", "Bind it to a version: it resolves when that has arrived everywhere, and reopens where it is taken back", takes[softwareArgs, ProblemRecord]},
		{"assign", "Give it to a person or a team", takes[assignArgs, ProblemRecord]},
		{"notes", "Write on the timeline", takes[textArgs, ProblemRecord]},
		{"link", "An incident belongs to it", takes[linkArgs, ProblemRecord]},
		{"unlink", "An incident does not belong to it", takes[linkArgs, ProblemRecord]},
		{"edit", "Change title, description, priority or root cause", takes[problemEdit, ProblemRecord]},
	} {
		v.register(a, k, v.name, v.summary)
	}
}

// NewProblem is what a person opens a problem with.
type NewProblem struct {
	Title       string   `json:"title" minLength:"1" maxLength:"500"`
	Description string   `json:"description,omitempty" maxLength:"20000"`
	Priority    int      `json:"priority,omitempty" minimum:"1" maximum:"5" doc:"1 critical to 5 planning; without it 3"`
	Assignee    string   `json:"assignee,omitempty" maxLength:"100"`
	Team        string   `json:"team,omitempty" maxLength:"100"`
	Incidents   []string `json:"incidents,omitempty" maxItems:"1000" nullable:"false" doc:"Ids of the incidents that it explains"`
}

type (
	causeArgs struct {
		RootCause string `json:"root_cause,omitempty" maxLength:"20000"`
		Reason    string `json:"reason,omitempty" maxLength:"2000"`
		Note      string `json:"note,omitempty" maxLength:"20000"`
	}
	mendArgs struct {
		Fix       string `json:"fix,omitempty" maxLength:"20000" doc:"What was done"`
		RootCause string `json:"root_cause,omitempty" maxLength:"20000"`
		Note      string `json:"note,omitempty" maxLength:"20000"`
	}
	knownArgs struct {
		KnownError *bool  `json:"known_error,omitempty" doc:"false takes it back"`
		RootCause  string `json:"root_cause,omitempty" maxLength:"20000"`
		Workaround string `json:"workaround,omitempty" maxLength:"20000"`
		Reason     string `json:"reason,omitempty" maxLength:"2000"`
		Note       string `json:"note,omitempty" maxLength:"20000"`
	}
	aroundArgs struct {
		Workaround string `json:"workaround" minLength:"1" maxLength:"20000"`
		Note       string `json:"note,omitempty" maxLength:"20000"`
	}
	softwareArgs struct {
		Product   string   `json:"product" minLength:"1" maxLength:"300" doc:"A package, or the service or workload that is deployed"`
		Ecosystem string   `json:"ecosystem,omitempty" maxLength:"30" doc:"Whose rules order its versions: deb, rpm, apk, npm, pypi, ..."`
		FixedIn   string   `json:"fixed_in" minLength:"1" maxLength:"200" doc:"The first version without the defect"`
		Items     []string `json:"items,omitempty" maxItems:"500" nullable:"false" doc:"Items that need it, by id or class:name; without any, the suspected causes of its incidents"`
		Reason    string   `json:"reason,omitempty" maxLength:"2000"`
		Note      string   `json:"note,omitempty" maxLength:"20000"`
	}
	linkArgs struct {
		Incident string `json:"incident" minLength:"1" maxLength:"200"`
		Reason   string `json:"reason,omitempty" maxLength:"2000"`
	}
	problemEdit struct {
		Title       string `json:"title,omitempty" maxLength:"500"`
		Description string `json:"description,omitempty" maxLength:"20000"`
		Priority    int    `json:"priority,omitempty" minimum:"1" maximum:"5"`
		RootCause   string `json:"root_cause,omitempty" maxLength:"20000"`
		Reason      string `json:"reason,omitempty" maxLength:"2000"`
		Note        string `json:"note,omitempty" maxLength:"20000"`
	}
)
