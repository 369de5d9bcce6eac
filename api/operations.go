package api

import (
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// Status is how the server does, for the first page and the first run.
type Status struct {
	Version   string         `json:"version"`
	StartedAt time.Time      `json:"started_at"`
	Position  uint64         `json:"position" doc:"Newest decided event of the journal"`
	Backlog   uint64         `json:"backlog" doc:"Journaled events that are not decided yet"`
	Open      int            `json:"open_incidents"`
	Firing    int            `json:"alerts_firing"`
	Stale     int            `json:"alerts_stale"`
	Held      int            `json:"alerts_held"`
	Received  uint64         `json:"alerts_received"`
	Fates     map[string]int `json:"alert_fates" doc:"How many received alerts ended how; their sum is alerts_received"`
}

func (a *API) status() Status {
	st := a.o.Engine.Status()
	out := Status{
		Version: a.o.Version, StartedAt: a.begun, Position: st.Position, Backlog: a.o.Engine.Lag(), Received: st.Received,
		Firing: st.Correlator.AlertsFiring, Stale: st.Correlator.AlertsStale, Held: st.Correlator.AlertsHeld, Fates: map[string]int{},
	}
	for _, n := range st.Open {
		out.Open += n
	}
	for f, n := range st.Fates {
		out.Fates[string(f)] = int(n)
	}
	return out
}

func (a *API) operationRoutes() {
	handle(a, op(http.MethodGet, "/api/v1/status", "get-status", "operations", "How the server does"),
		func(context.Context, *struct{}) (*reply[Status], error) { return &reply[Status]{a.status()}, nil })
	handle(a, op(http.MethodGet, "/-/healthy", "healthy", "operations", "The process runs"),
		func(context.Context, *struct{}) (*reply[State], error) { return &reply[State]{State{"healthy"}}, nil })
	handle(a, op(http.MethodGet, "/-/ready", "ready", "operations", "The server can serve: 200, or 503 with the reason"),
		func(context.Context, *struct{}) (*reply[Readiness], error) {
			if err := a.o.Ready(); err != nil {
				return nil, fault.Unavailablef("not ready: %v", err)
			}
			return &reply[Readiness]{Readiness{"ready", a.o.Warnings()}}, nil
		})
	if a.o.Reload != nil {
		handle(a, describedAs(op(http.MethodPost, "/-/reload", "reload", "operations", "Read the configuration anew"), "400 with every mistake where it does not load; the old one stays in force then."),
			func(ctx context.Context, _ *struct{}) (*reply[Reloaded], error) {
				x, err := a.o.Reload(ctx)
				if err != nil {
					return nil, err
				}
				return &reply[Reloaded]{Reloaded{"reloaded", x}}, a.noteAct(ctx, "reload", "server", "", nil)
			})
	}
	if a.o.Metrics != nil {
		o := op(http.MethodGet, "/metrics", "metrics", "operations", "Metrics for Prometheus")
		o.Responses = map[string]*huma.Response{"200": {Description: "Metrics", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}}}}
		handle(a, o, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(h huma.Context) {
				r, w := humago.Unwrap(h)
				a.o.Metrics.ServeHTTP(w, r)
			}}, nil
		})
	}
	a.backupRoutes()
	a.referenceRoutes()
	a.outageRoutes()
	if a.o.Verify != nil {
		handle(a, describedAs(op(http.MethodPost, "/api/v1/verify", "verify", "operations", "Read all stored data and say whether it is whole"),
			"Every table with its checksums, every row and index entry, the journal's positions, the marks. It reads as fast as the disk gives, one call at a time."),
			func(ctx context.Context, _ *struct{}) (*reply[Verified], error) {
				if !a.verifying.TryLock() {
					return nil, fault.Unavailablef("a check is under way: wait for it")
				}
				defer a.verifying.Unlock()
				v, err := a.o.Verify(ctx)
				return &reply[Verified]{v}, err
			})
	}
}

// Reloaded says that the configuration is in force.
type Reloaded struct {
	Status string `json:"status" enum:"reloaded"`
	Reloading
}

// Reloading is what a reload has to tell.
type Reloading struct {
	NeedsRestart []string `json:"needs_restart,omitempty" doc:"Settings that were changed and take effect with the next start only"`
	Warnings     []string `json:"warnings,omitempty" doc:"What the configuration names and is not there: it takes effect when it is"`
}

// State is one word.
type State struct {
	Status string `json:"status"`
}

// Verified is what a check of stored data read, and what it found wrong.
type Verified struct {
	Tables    int      `json:"tables" doc:"Files of the store that were read with their checksums"`
	Rows      int      `json:"rows"`
	Bytes     int64    `json:"bytes"`
	Documents int      `json:"documents"`
	Entries   int      `json:"index_entries"`
	Events    int      `json:"journal_events"`
	Wrong     []string `json:"wrong" nullable:"false" doc:"What is damaged or does not belong together; empty: nothing is"`
}

// Readiness says that the server serves, and what a person should mend nevertheless.
type Readiness struct {
	Status   string   `json:"status" enum:"ready"`
	Warnings []string `json:"warnings,omitempty" doc:"What is wrong although it serves, such as a clock that was set back"`
}

func binary(o huma.Operation, mime, text string) huma.Operation {
	o.Responses = map[string]*huma.Response{"200": {Description: text, Content: map[string]*huma.MediaType{mime: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	return o
}

func (a *API) backupRoutes() {
	handle(a, binary(describedAs(op(http.MethodGet, "/api/v1/backup", "backup", "operations", "A consistent copy of everything, while the server runs"),
		"Gzip; `watchbill restore` reads it. A copy that broke off is no whole gzip stream and is refused there."), "application/gzip", "The copy"),
		func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
			// Before it goes: who has taken a copy of everything must stand in the audit.
			if err := a.noteAct(ctx, "backup", "server", "", nil); err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(h huma.Context) {
				r, w := humago.Unwrap(h)
				a.download(w, "watchbill-"+a.o.Now().UTC().Format("20060102T150405Z")+".backup.gz")
				z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a constant that exists
				err := a.o.DB.Backup(r.Context(), z)
				if err == nil {
					err = z.Close()
				}
				a.brokeOff(r.Context(), "backup", err)
			}}, nil
		})
	handle(a, binary(describedAs(op(http.MethodGet, "/api/v1/export", "export", "operations", "A recording of this installation's own past"),
		"JSON lines, gzip. What was known before `from` (configuration, items, relations, maintenance) comes first, so that a replay stands on it."), "application/gzip", "The recording"),
		func(ctx context.Context, in *struct {
			From time.Time `query:"from" doc:"First instant; without it from the journal's begin"`
			To   time.Time `query:"to" doc:"End, exclusive; without it up to now"`
		}) (*huma.StreamResponse, error) {
			if !in.To.IsZero() && !in.To.After(in.From) {
				return nil, fault.Invalidf("to", "must be after from")
			}
			if err := a.noteAct(ctx, "export", "server", "", in); err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(h huma.Context) {
				r, w := humago.Unwrap(h)
				a.download(w, "watchbill-"+a.o.Now().UTC().Format("20060102T150405Z")+".jsonl.gz")
				_, err := a.o.Engine.Export(r.Context(), in.From, in.To, w)
				a.brokeOff(r.Context(), "export", err)
			}}, nil
		})
}

// kpiRoutes documents and mounts the KPIs.
func (a *API) kpiRoutes() {
	k := NewKPIs(a.o.Engine.Records(), a.o.Engine.Rules, a.o.Now)
	o := describedAs(op(http.MethodGet, "/api/v1/kpis", "get-kpis", "kpis", "KPIs of a span of time, computed from the event log"), "JSON, or CSV with format=csv or Accept: text/csv.")
	o.Responses = map[string]*huma.Response{"200": {Description: "The report", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(typeOf[itsm.Report](), true, "")},
		"text/csv":         {Schema: &huma.Schema{Type: "string"}},
	}}}
	h := k.Handler(func(w http.ResponseWriter, r *http.Request, err error) {
		a.writeProblem(w, a.problem(r.Context(), err))
	})
	handle(a, o, func(context.Context, *struct {
		From   string `query:"from" maxLength:"40" doc:"RFC 3339 time, or a date: its begin in tz; without it 30 days before to"`
		To     string `query:"to" maxLength:"40" doc:"End, exclusive; without it now"`
		By     string `query:"by" maxLength:"40" doc:"Break the figures down by this"`
		TZ     string `query:"tz" maxLength:"64" doc:"IANA zone of dates, e.g. Europe/Berlin"`
		Format string `query:"format" maxLength:"10" doc:"json or csv"`
	}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humago.Unwrap(c)
			h.ServeHTTP(w, r)
		}}, nil
	})
}

// download prepares an answer that may take long.
func (a *API) download(w http.ResponseWriter, name string) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

// brokeOff ends a download that failed so that it cannot be taken for whole.
func (a *API) brokeOff(ctx context.Context, what string, err error) {
	if err == nil {
		return
	}
	if ctx.Err() == nil {
		a.log.Error("a download broke off", "what", what, "request", callOf(ctx).id, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// BaseURL is the address that others reach a listen address by. name is this
// machine's name, for addresses that mean every interface.
func BaseURL(listen string, tls bool, name string) string {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return scheme + listen
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = name
	}
	return scheme + net.JoinHostPort(host, port)
}

// References are what somebody wrote to name items.
type References struct {
	Refs []string `json:"refs" minItems:"1" maxItems:"5000" nullable:"false" doc:"Ids, class:name, names or aliases"`
}

// Resolved says what each reference names.
type Resolved struct {
	Items []engine.Meant `json:"items" nullable:"false"`
}

func (a *API) referenceRoutes() {
	handle(a, describedAs(op(http.MethodPost, "/api/v1/references", "resolve-references", "inventory", "Say which items references name"),
		"As configuration, maintenance, changes and verbs resolve them: with `id` where one item goes by it, `others` where several do, `near` where none does."),
		func(_ context.Context, in *struct{ Body References }) (*reply[Resolved], error) {
			return &reply[Resolved]{Resolved{a.o.Engine.Resolve(in.Body.Refs)}}, nil
		})
}
