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

func problemOf(p itsm.Problem) ProblemRecord {
	x := ProblemRecord{Problem: p, Legal: []string{}}
	for _, v := range p.Legal() {
		x.Legal = append(x.Legal, string(v))
	}
	if p.Live() {
		x.Legal = append(x.Legal, "link")
	}
	if p.Incidents > 0 {
		x.Legal = append(x.Legal, "unlink")
	}
	return x
}

var problemLanguage = filter.Language[itsm.Problem]{
	Fields: map[string]filter.Field[itsm.Problem]{
		"id": {Text: func(p itsm.Problem) []string { return []string{p.ID} }},
		"state": {Doc: "new, assess, root_cause, fix, resolved, closed; open is the first four", Text: func(p itsm.Problem) []string {
			if p.Live() {
				return []string{string(p.State), "open"}
			}
			return []string{string(p.State)}
		}},
		"priority":    {Number: func(p itsm.Problem) float64 { return float64(p.Priority) }},
		"title":       {Text: func(p itsm.Problem) []string { return []string{p.Title} }},
		"known_error": {Doc: "yes or no", Text: func(p itsm.Problem) []string { return []string{yesNo(p.KnownError)} }},
		"assignee":    {Text: func(p itsm.Problem) []string { return []string{p.Assignee} }},
		"incidents":   {Number: func(p itsm.Problem) float64 { return float64(p.Incidents) }},
		"opened":      {Doc: "time", Time: func(p itsm.Problem) time.Time { return p.OpenedAt }},
		"last":        {Doc: "time of the last incident", Time: func(p itsm.Problem) time.Time { return p.LastAt }},
	},
	Free: func(p itsm.Problem) []string {
		return []string{p.ID, p.Title, p.Signature, p.Workaround, p.RootCause, p.Assignee}
	},
}

func (a *API) problemOrder() order[itsm.Problem] {
	return order[itsm.Problem]{
		natural: []string{"-opened"},
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

type problemReply struct {
	ETag string `header:"ETag"`
	Body ProblemRecord
}

func (a *API) problemRecord(ctx context.Context, id string) (*problemReply, error) {
	doc, _, err := a.o.Engine.Records().Problem(ctx, id)
	return &problemReply{etag(doc.Revision), problemOf(doc)}, err
}

func (a *API) problemRoutes() {
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
	handle(a, op(http.MethodGet, "/api/v1/problems/{id}", "get-problem", "problems", "One problem"),
		func(ctx context.Context, in *ByID) (*problemReply, error) { return a.problemRecord(ctx, in.ID) })
	handle(a, op(http.MethodGet, "/api/v1/problems/{id}/timeline", "list-problem-timeline", "problems", "Its timeline, oldest first"),
		func(ctx context.Context, in *struct {
			ByID
			Paging
		}) (*reply[Page[TimelineEntry]], error) {
			if _, err := a.problemRecord(ctx, in.ID); err != nil {
				return nil, err
			}
			return a.timeline(ctx, in.ID, in.at())
		})
	handle(a, op(http.MethodGet, "/api/v1/problems/{id}/incidents", "list-problem-incidents", "problems", "The incidents that it explains, newest first"),
		func(ctx context.Context, in *struct {
			ByID
			Paging
		}) (*reply[Page[Incident]], error) {
			if _, err := a.problemRecord(ctx, in.ID); err != nil {
				return nil, err
			}
			p, err := a.o.Engine.Records().Incidents(ctx, engine.IncidentFilter{Problem: in.ID}, in.at())
			if err != nil {
				return nil, err
			}
			shown, err := a.show(ctx, p.Items)
			return pageOf(shown, p.Next), err
		})
	create := op(http.MethodPost, "/api/v1/problems", "create-problem", "problems", "Open a problem by hand")
	create.DefaultStatus = http.StatusCreated
	handle(a, create, func(ctx context.Context, in *struct{ Body NewProblem }) (*created[ProblemRecord], error) {
		id, err := a.submit(ctx, verbOf{record: "problem", name: "create"}, "", in.Body)
		if err != nil {
			return nil, err
		}
		x, err := a.problemRecord(ctx, id)
		if err != nil {
			return nil, err
		}
		return &created[ProblemRecord]{Location: "/api/v1/problems/" + id, ETag: x.ETag, Body: x.Body}, nil
	})
	for _, v := range []struct {
		name, summary string
		args          argument
	}{
		{"assess", "Somebody looks at it", arguments[reasonArgs]},
		{"root_cause", "Look for the cause", arguments[reasonArgs]},
		{"fix", "The cause is known and being mended", arguments[causeArgs]},
		{"resolve", "It is mended; closes when it does not come back", arguments[mendArgs]},
		{"close", "Close before the time of proof, with a reason", arguments[reasonArgs]},
		{"reopen", "It was not mended", arguments[reasonArgs]},
		{"known_error", "The cause or a workaround is known; shown on each incident of it", arguments[knownArgs]},
		{"workaround", "What helps until the cause is mended; shown on each incident of it", arguments[aroundArgs]},
		{"assign", "Give it to a person or a team", arguments[assignArgs]},
		{"notes", "Write on the timeline", arguments[textArgs]},
		{"link", "An incident belongs to it", arguments[linkArgs]},
		{"unlink", "An incident does not belong to it", arguments[linkArgs]},
	} {
		v.args(a, verbOf{"problem", v.name, op(http.MethodPost, "/api/v1/problems/{id}/"+v.name, strings.ReplaceAll(v.name, "_", "-")+"-problem", "problems", v.summary)})
	}
	arguments[problemEdit](a, verbOf{"problem", "edit", op(http.MethodPatch, "/api/v1/problems/{id}", "edit-problem", "problems", "Change title, description, priority or root cause")})
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
