package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/collector"
)

// Taken says how many objects of a body were made durable.
type Taken struct {
	Status   string `json:"status" enum:"ok"`
	Accepted int    `json:"accepted"`
}

func (a *API) ingestRoutes() {
	hook := describedAs(op(http.MethodPost, "/api/v1/ingest/alertmanager", "ingest-alertmanager", "machines", "Receive Alertmanager's webhook, version 4"),
		"Wants a token of role ingest; what it brings belongs to that token's source. 200 only after all of it is synced to disk. "+
			"400: the body is no webhook, and is kept in quarantine. 503: overloaded or the disk is full; Alertmanager tries again.")
	hook.RequestBody = jsonBody("The body that Alertmanager posts; unknown fields are fine")
	handle(a, hook, func(ctx context.Context, in *Raw) (*reply[Taken], error) {
		n, err := a.o.Ingest.Alertmanager(ctx, callOf(ctx).who.Source, bodyOf(in.r))
		return &reply[Taken]{Taken{"ok", n}}, err
	})
	changes := describedAs(op(http.MethodPost, "/api/v1/ingest/changes", "ingest-changes", "machines", "Receive deployments and other changes"),
		"One object or an array of them: {\"ci\": {\"id\"} or {\"class\", \"name\"}, \"type\": \"deployed\", \"summary\", \"version\"}. All are taken, or none.")
	changes.RequestBody = jsonBody("One change or an array of changes")
	handle(a, changes, func(ctx context.Context, in *Raw) (*reply[Taken], error) {
		n, err := a.o.Ingest.Changes(ctx, callOf(ctx).who.Source, bodyOf(in.r))
		return &reply[Taken]{Taken{"ok", n}}, err
	})
}

func bodyOf(r *http.Request) collector.Body {
	return collector.Body{Reader: r.Body, Length: r.ContentLength, Encoding: r.Header.Get("Content-Encoding")}
}

// jsonBody documents a body that the handler reads itself.
func jsonBody(text string) *huma.RequestBody {
	return &huma.RequestBody{Description: text, Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}}}
}
