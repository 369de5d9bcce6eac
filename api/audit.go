package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/cmdb/inventory"
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
	handle(a, binary(describedAs(op(http.MethodGet, "/api/v1/audit/export", "export-audit", "audit", "All of the audit that matches, newest first"),
		"JSON lines, or CSV with format=csv. "+o.doc()), "application/x-ndjson", "The rows"),
		func(ctx context.Context, in *struct {
			Q      string `query:"q" maxLength:"2000" doc:"Filter"`
			Format string `query:"format" enum:"jsonl,csv" default:"jsonl"`
		}) (*huma.StreamResponse, error) {
			if _, err := o.lang.Parse(in.Q, a.o.Now()); err != nil {
				return nil, err
			}
			if err := a.noteAct(ctx, "export", "audit", "", map[string]string{"q": in.Q}); err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(h huma.Context) {
				r, w := humago.Unwrap(h)
				_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
				out := auditLines(w)
				if in.Format == "csv" {
					out = auditTable(w)
				}
				a.brokeOff(r.Context(), "audit", o.each(r.Context(), a, in.Q, func(x fold.AuditRow) error { return out.row(Audit(x)) }, out.end))
			}}, nil
		})
}

// auditWriter writes the rows of an export.
type auditWriter struct {
	row func(Audit) error
	end func() error
}

func auditLines(w http.ResponseWriter) auditWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="watchbill-audit.jsonl"`)
	e := json.NewEncoder(w)
	return auditWriter{func(x Audit) error { return e.Encode(x) }, func() error { return nil }}
}

func auditTable(w http.ResponseWriter) auditWriter {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="watchbill-audit.csv"`)
	c := csv.NewWriter(w)
	_ = c.Write([]string{"position", "at", "actor", "remote", "verb", "kind", "record", "refused", "args", "before", "after"}) // an error stays until the end
	return auditWriter{func(x Audit) error {
		return c.Write([]string{
			strconv.FormatUint(x.Position, 10), x.At.UTC().Format(time.RFC3339Nano), inventory.PlainCell(x.Actor), inventory.PlainCell(x.Remote), inventory.PlainCell(x.Verb), inventory.PlainCell(x.Kind), inventory.PlainCell(x.Record),
			inventory.PlainCell(x.Refused), string(x.Args), string(x.Before), string(x.After),
		})
	}, func() error {
		c.Flush()
		return c.Error()
	}}
}
