package api

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
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
		func(context.Context, *struct{}) (*reply[State], error) {
			if err := a.o.Ready(); err != nil {
				return nil, fault.Unavailablef("not ready: %v", err)
			}
			return &reply[State]{State{"ready"}}, nil
		})
	if a.o.Reload != nil {
		handle(a, describedAs(op(http.MethodPost, "/-/reload", "reload", "operations", "Read the configuration anew"), "400 with every mistake where it does not load; the old one stays in force then."),
			func(ctx context.Context, _ *struct{}) (*reply[State], error) {
				return &reply[State]{State{"reloaded"}}, a.o.Reload(ctx)
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
}

// State is one word.
type State struct {
	Status string `json:"status"`
}

func binary(o huma.Operation, mime, text string) huma.Operation {
	o.Responses = map[string]*huma.Response{"200": {Description: text, Content: map[string]*huma.MediaType{mime: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	return o
}

func (a *API) backupRoutes() {
	handle(a, binary(describedAs(op(http.MethodGet, "/api/v1/backup", "backup", "operations", "A consistent copy of everything, while the server runs"),
		"Gzip; `watchbill restore` reads it. A copy that broke off is no whole gzip stream and is refused there."), "application/gzip", "The copy"),
		func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
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
			return &huma.StreamResponse{Body: func(h huma.Context) {
				r, w := humago.Unwrap(h)
				a.download(w, "watchbill-"+a.o.Now().UTC().Format("20060102T150405Z")+".jsonl.gz")
				z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
				b := bufio.NewWriterSize(z, 1<<16)
				err := a.export(r.Context(), in.From, in.To, json.NewEncoder(b))
				if err == nil {
					err = b.Flush()
				}
				if err == nil {
					err = z.Close()
				}
				a.brokeOff(r.Context(), "export", err)
			}}, nil
		})
}

// export writes the journal's events of [from, to), and before them what a replay
// must know from earlier.
func (a *API) export(ctx context.Context, from, to time.Time, out *json.Encoder) error {
	end, _ := a.o.Journal.End()
	for pos := uint64(0); pos < end; {
		events, err := a.o.Journal.ReadStored(ctx, pos, 500)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			pos = e.Position
			if pos > end || !to.IsZero() && !e.At.Before(to) {
				return nil
			}
			if e.At.Before(from) && !stands(e.Kind) {
				continue
			}
			if err := out.Encode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// stands says whether an event holds on until another takes it back.
func stands(k event.Kind) bool {
	switch k {
	case event.KindConfig, event.KindCI, event.KindRelation, event.KindMaintenance:
		return true
	default:
		return false
	}
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
