// Package api is the server's face: REST with its OpenAPI document, the stream of
// changes, authentication, the embedded pages. It translates between HTTP and
// the packages below, and shows every failure in one form. It refuses to decide
// anything about records: a person's verb goes to the engine.
package api

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/budget"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
)

// Ingest makes what senders post durable. *collector.Collector is one.
type Ingest interface {
	Alertmanager(ctx context.Context, source string, b collector.Body) (collector.Taken, error)
	Grafana(ctx context.Context, source string, b collector.Body) (collector.Taken, error)
	Changes(ctx context.Context, source string, b collector.Body) (collector.Noted, error)
}

// Options of an API. All are needed unless they say otherwise.
type Options struct {
	Engine  *engine.Engine
	Journal *journal.Journal
	DB      store.DB
	Auth    *auth.Store
	Ingest  Ingest
	// Inventory of configuration items; nil leaves its routes out.
	Inventory Inventory
	// Links checks the signed links in messages; nil leaves them out.
	Links Links
	// Metrics serves /metrics; nil leaves the route out.
	Metrics http.Handler
	// Reload reads the configuration anew; nil leaves the route out.
	Reload func(ctx context.Context) (Reloading, error)
	// Ready returns why the server cannot serve yet or any more; nil: it always can.
	Ready func() error
	// Room returns an error while nothing can be kept; nil: there is always room.
	Room func() error
	// Verify reads everything that is stored; nil leaves the route out.
	Verify func(context.Context) (Verified, error)
	// Warnings are what people have to know of a server that is ready; nil: nothing ever.
	Warnings func() []string
	// Pages are the built web app; nil: this binary was built without.
	Pages fs.FS
	// Listen is the address that the server listens on; on loopback, metrics and
	// health need no token.
	Listen string
	// TrustedProxies are whose X-Forwarded-For is believed; none by default.
	TrustedProxies []netip.Prefix
	// TLS says that the server speaks it: cookies are then for TLS only.
	TLS bool
	// URL under which people and machines reach the server, without a path.
	URL     string
	Version string
	Now     func() time.Time
	Rand    io.Reader // crypto/rand.Reader
	Logger  *slog.Logger
}

// API is the handler of all of it. Close it before the engine ends.
type API struct {
	o        Options
	log      *slog.Logger
	mux      *http.ServeMux
	huma     huma.API
	origin   *http.CrossOriginProtection
	loopback bool
	stream   *stream
	begun    time.Time
	bodies   *budget.Budget
	sorts    *budget.Budget

	randMu    sync.Mutex
	verifying sync.Mutex
}

// New makes the handler and begins to follow the engine's changes.
func New(o Options) (*API, error) {
	for what, missing := range map[string]bool{
		"Engine": o.Engine == nil, "Journal": o.Journal == nil, "DB": o.DB == nil, "Auth": o.Auth == nil,
		"Ingest": o.Ingest == nil, "Now": o.Now == nil, "Rand": o.Rand == nil,
	} {
		if missing {
			return nil, fmt.Errorf("api: option %s is missing", what)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Room == nil {
		o.Room = func() error { return nil }
	}
	if o.Warnings == nil {
		o.Warnings = func() []string { return nil }
	}
	a := &API{o: o, log: o.Logger, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), loopback: isLoopback(o.Listen), begun: o.Now(),
		bodies: budget.New(bodiesOfAll, bodiesOfCaller), sorts: budget.New(sortsOfAll, sortsOfCaller)}
	config := huma.DefaultConfig("Watchbill", o.Version)
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.CreateHooks = nil // they add a $schema member to every document
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{a.ownWords}
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) { next(plainStatus{ctx}) })

	a.incidentRoutes()
	a.alertRoutes()
	a.problemRoutes()
	a.maintenanceRoutes()
	a.teachingRoutes()
	a.reviewRoutes()
	a.auditRoutes()
	a.tokenRoutes()
	a.userRoutes()
	a.sessionRoutes()
	a.ingestRoutes()
	a.streamRoutes()
	a.operationRoutes()
	a.kpiRoutes()
	if o.Inventory != nil {
		a.inventoryRoutes()
		a.agentRoutes()
	}
	if err := a.describe(); err != nil {
		return nil, err
	}
	a.stream = newStream(o.Engine, o.Inventory, uint64(o.Now().UnixMilli()))
	return a, nil
}

// Close ends every stream and waits for them. Calls that are under way go on.
func (a *API) Close() { a.stream.close() }

// noBody is the answer of a call that has nothing to say.
type noBody struct{}

// reply carries a body of type T.
type reply[T any] struct{ Body T }

// handle registers one operation. Whatever error h returns becomes a problem document.
func handle[I, O any](a *API, op huma.Operation, h func(ctx context.Context, in *I) (*O, error)) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	// huma reads every body that it knows a schema of: one that the handler reads
	// itself is documented afterwards.
	own := op.RequestBody
	op.RequestBody = nil
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
	if own != nil {
		a.huma.OpenAPI().Paths[op.Path].Post.RequestBody = own
	}
}

// op describes an operation; its id is what generated clients call it.
func op(method, path, id, tag, summary string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary}
}

func describedAs(o huma.Operation, text string) huma.Operation {
	o.Description = text
	return o
}

// Raw gives a handler the request itself, for bodies and answers that stream.
type Raw struct {
	w http.ResponseWriter
	r *http.Request
}

// How long a body may take to arrive. Imports are the longest.
const (
	bodyTime    = time.Minute
	longestBody = 5 * time.Minute
)

// Resolve implements huma.Resolver.
func (x *Raw) Resolve(ctx huma.Context) []error {
	x.r, x.w = humago.Unwrap(ctx)
	if x.r.Method != http.MethodGet {
		// A body that trickles in would hold its memory for ever. Where the transport
		// knows no deadline (a test's recorder) there is nothing to hold.
		most := bodyTime
		if x.r.URL.Path == "/api/v1/import" {
			most = longestBody
		}
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(most))
	}
	return nil
}
