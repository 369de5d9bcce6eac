package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/store"
)

// Audit is one privileged act: who did what to which record, from where, and
// what it changed or why it was refused.
type Audit struct {
	Position uint64          `json:"position"`
	At       time.Time       `json:"at"`
	Actor    string          `json:"actor"`
	Remote   string          `json:"remote,omitempty"`
	Verb     string          `json:"verb"`
	Kind     string          `json:"kind" doc:"incident, problem, token, user, session, ..."`
	Record   string          `json:"record,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"`
	Refused  string          `json:"refused,omitempty" doc:"Why it was not done"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
}

var auditLanguage = filter.Language[fold.AuditRow]{
	Fields: map[string]filter.Field[fold.AuditRow]{
		"actor":   {Text: func(r fold.AuditRow) []string { return []string{r.Actor} }},
		"verb":    {Text: func(r fold.AuditRow) []string { return []string{r.Verb} }},
		"kind":    {Text: func(r fold.AuditRow) []string { return []string{r.Kind} }},
		"record":  {Text: func(r fold.AuditRow) []string { return []string{r.Record} }},
		"remote":  {Text: func(r fold.AuditRow) []string { return []string{r.Remote} }},
		"refused": {Doc: "yes, no, or the reason", Text: func(r fold.AuditRow) []string { return append(yesNo(r.Refused != ""), r.Refused) }},
		"at":      {Doc: "time", Time: func(r fold.AuditRow) time.Time { return r.At }},
	},
	Free: func(r fold.AuditRow) []string {
		return []string{r.Actor, r.Verb, r.Record, r.Refused, string(r.Args)}
	},
}.With(filter.Record[fold.AuditRow]())

func (a *API) auditRoutes() {
	o := order[fold.AuditRow]{
		natural: []string{"-at"},
		keys:    map[string]func(fold.AuditRow) []byte{"at": func(r fold.AuditRow) []byte { return store.Key(r.Position) }},
		id:      func(r fold.AuditRow) string { return "" },
		lang:    auditLanguage,
		fetch: func(ctx context.Context, q filter.Query[fold.AuditRow], _ string, at engine.Range) (engine.Page[fold.AuditRow], error) {
			f := engine.AuditFilter{Keep: q.Keep}
			if record, ok := q.Equal("record"); ok {
				f.Record = record
			} else if actor, ok := q.Equal("actor"); ok {
				f.Actor = actor
			}
			return a.o.Engine.Records().Audit(ctx, f, at)
		},
	}
	handle(a, describedAs(op(http.MethodGet, "/api/v1/audit", "list-audit", "audit", "Every privileged act, newest first"), o.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[Audit]], error) {
			p, err := o.list(ctx, a, *in)
			out := make([]Audit, len(p.Items))
			for i, r := range p.Items {
				out[i] = Audit(r)
			}
			return pageOf(out, p.Next), err
		})
}
