package api

import (
	"context"
	"net/http"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
)

// NewTeaching is a lesson that a person gives.
type NewTeaching struct {
	Kind     string   `json:"kind" enum:"not_related,related,always_page" doc:"not_related: such alerts are not grouped with failures of the other kind; related: they are one where they come together; always_page: such alerts are never held and people are told whatever the hour"`
	Alert    string   `json:"alert,omitempty" maxLength:"200" doc:"The alert that it is about: alerts of its name about its item are meant"`
	Match    []string `json:"match,omitempty" maxItems:"50" nullable:"false" doc:"Instead of an alert: matchers in Alertmanager's syntax, all of which must fit"`
	Incident string   `json:"incident,omitempty" maxLength:"200" doc:"not_related, related: the incident that shows the other kind; without it the alert's own"`
	With     []string `json:"with,omitempty" maxItems:"50" nullable:"false" doc:"Instead of an incident: matchers of the other kind of alerts"`
	Reason   string   `json:"reason,omitempty" maxLength:"2000"`
}

func (a *API) teaching(ctx context.Context, id string) (*reply[correlator.Teaching], error) {
	t, err := a.o.Engine.Records().Teaching(ctx, id)
	return &reply[correlator.Teaching]{t}, err
}

func (a *API) teachingOrder(all bool) order[correlator.Teaching] {
	return order[correlator.Teaching]{
		natural: []string{"-id"}, id: func(t correlator.Teaching) string { return t.ID },
		lang: filter.Language[correlator.Teaching]{}.With(filter.Record[correlator.Teaching]()),
		fetch: func(ctx context.Context, q filter.Query[correlator.Teaching], _ string, at engine.Range) (engine.Page[correlator.Teaching], error) {
			return kept(q, at, func(at engine.Range) ([]correlator.Teaching, string, error) {
				p, err := a.o.Engine.Records().Teachings(ctx, all, at)
				return p.Items, p.Next, err
			})
		},
	}
}

func (a *API) teachingRoutes() {
	handle(a, describedAs(op(http.MethodGet, "/api/v1/teachings", "list-teachings", "correlation", "What people taught, newest first"),
		"Merging and splitting incidents teaches too, unless `teach` is false. Each teaching changes later decisions, whose reasons name it, until it is withdrawn. "+a.teachingOrder(false).doc()),
		func(ctx context.Context, in *struct {
			All bool `query:"all" doc:"Also what was withdrawn"`
			Listing
		}) (*reply[Page[correlator.Teaching]], error) {
			return page(ctx, a, a.teachingOrder(in.All), in.Listing, same)
		})
	handle(a, op(http.MethodGet, "/api/v1/teachings/{id}", "get-teaching", "correlation", "One teaching, with how often it was used"),
		func(ctx context.Context, in *ByID) (*reply[correlator.Teaching], error) {
			return a.teaching(ctx, in.ID)
		})
	made := op(http.MethodPost, "/api/v1/teachings", "create-teaching", "correlation", "Teach: not related, related, or always page")
	made.DefaultStatus = http.StatusCreated
	handle(a, made, func(ctx context.Context, in *struct{ Body NewTeaching }) (*created[correlator.Teaching], error) {
		id, err := a.submit(ctx, "teaching", "create", "", in.Body)
		if err != nil {
			return nil, err
		}
		t, err := a.teaching(ctx, id)
		if err != nil {
			return nil, err
		}
		return &created[correlator.Teaching]{Location: "/api/v1/teachings/" + id, Body: t.Body}, nil
	})
	handle(a, op(http.MethodDelete, "/api/v1/teachings/{id}", "withdraw-teaching", "correlation", "Take a teaching back: later decisions are as without it"),
		func(ctx context.Context, in *ByID) (*reply[correlator.Teaching], error) {
			if _, err := a.submit(ctx, "teaching", "withdraw", in.ID, struct{}{}); err != nil {
				return nil, err
			}
			return a.teaching(ctx, in.ID)
		})
}
