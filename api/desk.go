package api

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/itsm"
)

// NewMaintenance plans a window.
type NewMaintenance struct {
	Summary  string    `json:"summary" minLength:"1" maxLength:"500" doc:"What is done"`
	CIs      []string  `json:"cis,omitempty" maxItems:"10000" nullable:"false" doc:"Ids of the items that are worked on, or class:name"`
	Services []string  `json:"services,omitempty" maxItems:"1000" nullable:"false" doc:"Names of the services that are worked on"`
	Query    string    `json:"query,omitempty" maxLength:"2000" doc:"What the items were selected by, as a remark; the window covers cis"`
	StartsAt time.Time `json:"starts_at,omitzero" doc:"Without it: now"`
	EndsAt   time.Time `json:"ends_at"`
}

type extendArgs struct {
	EndsAt time.Time `json:"ends_at" doc:"The new end"`
	Reason string    `json:"reason,omitempty" maxLength:"2000"`
}

type reviewArgs struct {
	Text string `json:"text" minLength:"1" maxLength:"262144" doc:"Markdown"`
}

type maintenanceReply struct {
	ETag string `header:"ETag"`
	Body itsm.Maintenance
}

func (a *API) maintenance(ctx context.Context, id string) (*maintenanceReply, error) {
	doc, _, err := a.o.Engine.Records().Maintenance(ctx, id)
	return &maintenanceReply{etag(doc.Revision), doc}, err
}

// deskRoutes are maintenance, reviews, and what people were told.
func (a *API) deskRoutes() {
	handle(a, op(http.MethodGet, "/api/v1/maintenance", "list-maintenance", "maintenance", "Maintenance windows, newest first; with open only those to come or under way, by their start"),
		func(ctx context.Context, in *struct {
			Paging
			Open bool `query:"open"`
		}) (*reply[Page[itsm.Maintenance]], error) {
			p, err := a.o.Engine.Records().Maintenances(ctx, in.Open, in.at())
			return pageOf(p.Items, p.Next), err
		})
	handle(a, op(http.MethodGet, "/api/v1/maintenance/{id}", "get-maintenance", "maintenance", "One maintenance window"),
		func(ctx context.Context, in *ByID) (*maintenanceReply, error) { return a.maintenance(ctx, in.ID) })
	create := op(http.MethodPost, "/api/v1/maintenance", "create-maintenance", "maintenance", "Plan a maintenance window")
	create.DefaultStatus = http.StatusCreated
	handle(a, create, func(ctx context.Context, in *struct{ Body NewMaintenance }) (*created[itsm.Maintenance], error) {
		id, err := a.submit(ctx, verbOf{record: "maintenance", name: "create"}, "", in.Body)
		if err != nil {
			return nil, err
		}
		x, err := a.maintenance(ctx, id)
		if err != nil {
			return nil, err
		}
		return &created[itsm.Maintenance]{Location: "/api/v1/maintenance/" + id, ETag: x.ETag, Body: x.Body}, nil
	})
	windowVerb[reasonOnly](a, "cancel", "Cancel a window that has not begun")
	windowVerb[reasonOnly](a, "end", "End a window before its time")
	windowVerb[extendArgs](a, "extend", "Move the end of a window")

	handle(a, describedAs(op(http.MethodGet, "/api/v1/incidents/{id}/review", "get-review", "incidents", "Its post-incident review, as Markdown"),
		"Drafted from the records until somebody has written it; `draft` says so."),
		func(ctx context.Context, in *ByID) (*reply[itsm.Review], error) {
			r, err := a.o.Engine.Records().Review(ctx, in.ID)
			return &reply[itsm.Review]{Body: r}, err
		})
	arguments[reviewArgs](a, verbOf{"incident", "review", op(http.MethodPost, "/api/v1/incidents/{id}/review", "review-incident", "incidents", "Write its post-incident review")})
	handle(a, op(http.MethodGet, "/api/v1/incidents/{id}/notifications", "list-notifications", "incidents", "What people were told of it, oldest first, and whether all receivers have it"),
		func(ctx context.Context, in *struct {
			ByID
			Paging
		}) (*reply[Page[engine.Told]], error) {
			p, err := a.o.Engine.Records().Messages(ctx, in.ID, in.at())
			return pageOf(p.Items, p.Next), err
		})
	handle(a, op(http.MethodGet, "/api/v1/notifications/{id}", "list-deliveries", "incidents", "What became of one notification at each receiver"),
		func(ctx context.Context, in *ByID) (*reply[Page[notify.Delivery]], error) {
			p, err := a.o.Engine.Records().Deliveries(ctx, in.ID, engine.Range{Limit: 1000})
			return pageOf(p.Items, p.Next), err
		})
	a.linkRoutes()
}

type reasonOnly struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

func windowVerb[B any](a *API, name, summary string) {
	handle(a, op(http.MethodPost, "/api/v1/maintenance/{id}/"+name, name+"-maintenance", "maintenance", summary),
		func(ctx context.Context, in *struct {
			ByID
			Body *B
		}) (*maintenanceReply, error) {
			var args any = struct{}{}
			if in.Body != nil {
				args = in.Body
			}
			if _, err := a.submit(ctx, verbOf{record: "maintenance", name: name}, in.ID, args); err != nil {
				return nil, err
			}
			return a.maintenance(ctx, in.ID)
		})
}

// linkPage asks before it acknowledges: mail scanners and chat previews open links.
var linkPage = template.Must(template.New("link").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:18px/1.5 system-ui,sans-serif;max-width:36em;margin:3em auto;padding:0 1em}button{font:inherit;padding:.6em 1.4em}</style>
<h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Ask}}<form method="post"><button>Acknowledge</button></form>{{end}}</html>
`))

type linkWords struct {
	Title, Text string
	Ask         bool
}

// linkRoutes let who got a message acknowledge its incident without logging in.
// The link's signature is the credential.
func (a *API) linkRoutes() {
	if a.o.Links == nil {
		return
	}
	type input struct {
		ByID
		To    string `query:"to" maxLength:"200"`
		Until string `query:"until" maxLength:"20"`
		Sig   string `query:"sig" maxLength:"100"`
	}
	page := func(method, name, summary string, act bool) {
		o := op(method, notify.AcknowledgePath+"{id}", name, "incidents", summary)
		o.Responses = map[string]*huma.Response{"200": {Description: "A page", Content: map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: "string"}}}}}
		handle(a, o, func(_ context.Context, in *input) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(c huma.Context) {
				r, w := humago.Unwrap(c)
				status, words := a.followLink(r, in.ID, act)
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("Referrer-Policy", "no-referrer")
				w.WriteHeader(status)
				_ = linkPage.Execute(w, words) // the client is gone: nobody to tell
			}}, nil
		})
	}
	page(http.MethodGet, "ask-by-link", "The page that a link in a message leads to: asks, and does nothing yet", false)
	page(http.MethodPost, "acknowledge-by-link", "Acknowledge by a link in a message", true)
}

func (a *API) followLink(r *http.Request, id string, act bool) (int, linkWords) {
	to, err := a.o.Links.Verify(id, r.URL.Query(), a.o.Now())
	if err != nil {
		return http.StatusBadRequest, linkWords{Title: "This link does not work", Text: fault.Public(err).Message}
	}
	doc, _, err := a.o.Engine.Records().Incident(r.Context(), id)
	if err != nil {
		return http.StatusNotFound, linkWords{Title: "This incident is not there", Text: fault.Public(err).Message}
	}
	title := doc.ID + ": " + doc.Title
	if doc.AcknowledgedAt != nil {
		return http.StatusOK, linkWords{Title: title, Text: "Acknowledged by " + doc.AcknowledgedBy + "."}
	}
	if !act {
		return http.StatusOK, linkWords{Title: title, Text: "Nobody has acknowledged it yet. Whoever does says that they look after it.", Ask: true}
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandWait)
	defer cancel()
	_, err = a.o.Engine.Submit(ctx, event.Command{Verb: string(itsm.Acknowledge), Record: "incident", ID: id, Actor: "link:" + to, Remote: r.RemoteAddr})
	if err != nil {
		return http.StatusConflict, linkWords{Title: title, Text: fault.Public(err).Message}
	}
	return http.StatusOK, linkWords{Title: title, Text: "Acknowledged. Thank you."}
}
