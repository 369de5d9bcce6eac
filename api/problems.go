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
	Revision uint64 `json:"revision,omitempty" doc:"For If-Match; not in lists"`
}

var problemLanguage = filter.Language[itsm.Problem]{
	Fields: map[string]filter.Field[itsm.Problem]{
		"id": {Text: func(p itsm.Problem) []string { return []string{p.ID} }},
		"state": {Doc: "new, assess, root_cause, fix, resolved, closed; open is the first four", Text: func(p itsm.Problem) []string {
			if p.State != itsm.ProblemResolved && p.State != itsm.ProblemClosed {
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
	doc, rev, err := a.o.Engine.Records().Problem(ctx, id)
	return &problemReply{etag(rev), ProblemRecord{doc, rev}}, err
}

func (a *API) problemRoutes() {
	o := a.problemOrder()
	handle(a, describedAs(op(http.MethodGet, "/api/v1/problems", "list-problems", "problems", "List problems"), o.doc()),
		func(ctx context.Context, in *listing) (*reply[Page[ProblemRecord]], error) {
			p, err := o.list(ctx, a, *in)
			out := make([]ProblemRecord, len(p.Items))
			for i := range p.Items {
				out[i].Problem = p.Items[i]
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
}
