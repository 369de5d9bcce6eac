package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/collector"
)

// Taken says what of a webhook body was made durable.
type Taken struct {
	Status      string `json:"status" enum:"ok"`
	Accepted    int    `json:"accepted" doc:"Alerts that were taken"`
	Quarantined int    `json:"quarantined,omitempty" doc:"Objects that could not be read; /api/v1/quarantine has them with the reason"`
}

// Noted says what of a body of changes was made durable.
type Noted struct {
	Status   string              `json:"status" enum:"ok"`
	Accepted int                 `json:"accepted" doc:"Changes that stand in the history of their item now"`
	Unknown  []collector.Unknown `json:"unknown,omitempty" doc:"Changes that name no item of the inventory: they are not kept"`
}

func (a *API) ingestRoutes() {
	hook := describedAs(op(http.MethodPost, "/api/v1/ingest/alertmanager", "ingest-alertmanager", "machines", "Receive Alertmanager's webhook"),
		"Wants a token of role ingest; what it brings belongs to that token's source. 200 only after all of it is synced to disk. "+
			"400: the body is no webhook, 413: it is too large; its begin is kept in quarantine, and Alertmanager does not try again. "+
			"503: overloaded or the disk is full; Alertmanager tries again. The body is read as JSON whatever Content-Type says: a wrong header must not cost an alert. "+
			"Where a sender can only log in with a name and a password, the token is the password of any name.")
	hook.RequestBody = jsonBody("The body that Alertmanager posts; unknown fields are fine")
	handle(a, hook, func(ctx context.Context, in *Raw) (*reply[Taken], error) {
		n, err := a.o.Ingest.Alertmanager(ctx, callOf(ctx).who.Source, bodyOf(in.r))
		return &reply[Taken]{Taken{"ok", n.Accepted, n.Quarantined}}, err
	})
	grafana := describedAs(op(http.MethodPost, "/api/v1/ingest/grafana", "ingest-grafana", "machines", "Receive the webhook of Grafana's own alerting"),
		"The contact point of type webhook, with the token as its password or under Authorization. Answers like ingest/alertmanager, which takes these bodies too.")
	grafana.RequestBody = jsonBody("The body that Grafana posts; unknown fields are fine")
	handle(a, grafana, func(ctx context.Context, in *Raw) (*reply[Taken], error) {
		n, err := a.o.Ingest.Grafana(ctx, callOf(ctx).who.Source, bodyOf(in.r))
		return &reply[Taken]{Taken{"ok", n.Accepted, n.Quarantined}}, err
	})
	changes := describedAs(op(http.MethodPost, "/api/v1/ingest/changes", "ingest-changes", "machines", "Receive deployments and other changes"),
		"One object or an array of them: {\"ci\": {\"id\"} or {\"class\", \"name\"}, \"type\": \"deployed\", \"summary\", \"version\", \"at\"}. Without at it happened now. "+
			"Where one is wrong none is taken. They stand in their item's history as change:TYPE, and explain incidents for six hours. "+
			"What names no item of the inventory is told under unknown and not kept.")
	changes.RequestBody = jsonBody("One change or an array of changes")
	handle(a, changes, func(ctx context.Context, in *Raw) (*reply[Noted], error) {
		n, err := a.o.Ingest.Changes(ctx, callOf(ctx).who.Source, bodyOf(in.r))
		return &reply[Noted]{Noted{"ok", n.Accepted, n.Unknown}}, err
	})
}

func bodyOf(r *http.Request) collector.Body {
	return collector.Body{Reader: r.Body, Length: r.ContentLength, Encoding: r.Header.Get("Content-Encoding")}
}

// jsonBody documents a body that the handler reads itself.
func jsonBody(text string) *huma.RequestBody {
	return &huma.RequestBody{Description: text, Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}}}
}
