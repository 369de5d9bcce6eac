package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// Maintenance is a planned window as the API shows it.
type Maintenance struct {
	itsm.Maintenance
	Refs  map[string]Ref `json:"refs" doc:"Class and name of the items that it covers, by id"`
	Legal []string       `json:"legal" nullable:"false" doc:"Verbs that the window's state allows now"`
}

// refsMost bounds the names that come along with a window of many items.
const refsMost = 1000

func (a *API) maintenanceOf(m itsm.Maintenance) Maintenance {
	x := Maintenance{Maintenance: m, Refs: map[string]Ref{}, Legal: wordsOf(m.Legal())}
	for _, id := range m.CIs[:min(len(m.CIs), refsMost)] {
		if r, ok := a.ref(id); ok {
			x.Refs[id] = r
		}
	}
	return x
}

func (a *API) maintenanceRecord(ctx context.Context, id string) (*recorded[Maintenance], error) {
	m, _, err := a.o.Engine.Records().Maintenance(ctx, id)
	return &recorded[Maintenance]{etag(m.Revision), a.maintenanceOf(m)}, err
}

// NewMaintenance plans a window.
type NewMaintenance struct {
	Summary  string     `json:"summary" minLength:"1" maxLength:"500" doc:"What is done"`
	CIs      []string   `json:"cis,omitempty" maxItems:"5000" nullable:"false" doc:"Items that are worked on, by id, class:name or name"`
	Services []string   `json:"services,omitempty" maxItems:"500" nullable:"false" doc:"Services that are worked on, by name"`
	Query    string     `json:"query,omitempty" maxLength:"1000" doc:"Items that match this query are covered too, also those that come to match it before the window ends"`
	StartsAt *time.Time `json:"starts_at,omitempty" doc:"Without it: now"`
	EndsAt   time.Time  `json:"ends_at"`
}

type (
	extendArgs struct {
		EndsAt time.Time `json:"ends_at"`
		Reason string    `json:"reason,omitempty" maxLength:"2000"`
	}
	coverArgs struct {
		CIs    []string `json:"cis" minItems:"1" maxItems:"5000" nullable:"false" doc:"Further items that are worked on, by id, class:name or name"`
		Reason string   `json:"reason,omitempty" maxLength:"2000"`
	}
	whyArgs struct {
		Reason string `json:"reason,omitempty" maxLength:"2000"`
	}
)

// covered are the items that match a query now.
func (a *API) covered(ctx context.Context, query string) ([]string, error) {
	if a.o.Inventory == nil {
		return nil, fault.Invalidf("query", "there is no inventory to ask")
	}
	ids, err := a.o.Inventory.Matching(ctx, query, itsm.CoverMost)
	if err == nil && len(ids) == 0 {
		err = fault.Invalidf("query", "matches no item now")
	}
	return ids, err
}

func (a *API) maintenanceOrder(open bool) order[itsm.Maintenance] {
	natural := "-id"
	if open {
		natural = "starts_at"
	}
	return order[itsm.Maintenance]{
		natural: []string{natural},
		id:      func(m itsm.Maintenance) string { return m.ID },
		lang: filter.Language[itsm.Maintenance]{Fields: map[string]filter.Field[itsm.Maintenance]{
			"state": {Values: texts(itsm.WindowPlanned, itsm.WindowActive, itsm.WindowEnded, itsm.WindowCanceled), Text: func(m itsm.Maintenance) []string { return []string{string(m.State)} }},
		}}.With(filter.Record[itsm.Maintenance]()),
		fetch: func(ctx context.Context, q filter.Query[itsm.Maintenance], _ string, at engine.Range) (engine.Page[itsm.Maintenance], error) {
			return kept(q, at, func(at engine.Range) ([]itsm.Maintenance, string, error) {
				p, err := a.o.Engine.Records().Maintenances(ctx, open, at)
				return p.Items, p.Next, err
			})
		},
	}
}

func (a *API) maintenanceRoutes() {
	k := kind[Maintenance]{"maintenance", "maintenance", a.maintenanceRecord}
	handle(a, describedAs(op(http.MethodGet, "/api/v1/maintenance", "list-maintenance", "maintenance", "List maintenance windows, newest first; open ones by their begin"), a.maintenanceOrder(false).doc()),
		func(ctx context.Context, in *struct {
			Listing
			Open bool `query:"open" doc:"Only planned and active ones"`
		}) (*reply[Page[Maintenance]], error) {
			return page(ctx, a, a.maintenanceOrder(in.Open), in.Listing, a.maintenanceOf)
		})
	readable(a, k, "One window")
	creatable(a, k, "Plan a window: alerts about what it covers open nothing meanwhile", func(ctx context.Context, b NewMaintenance) (any, error) {
		args := itsm.MaintenanceArgs{Summary: b.Summary, CIs: a.allMerged(b.CIs), Services: b.Services, Query: b.Query, EndsAt: b.EndsAt}
		if b.StartsAt != nil {
			args.StartsAt = *b.StartsAt
		}
		if b.Query == "" {
			return args, nil
		}
		ids, err := a.covered(ctx, b.Query)
		args.Matched = ids
		return args, err
	})
	for _, v := range []struct {
		name, summary string
		register      verb[Maintenance]
	}{
		{"cancel", "It does not take place", takes[whyArgs, Maintenance]},
		{"end", "It is done before its time", takes[whyArgs, Maintenance]},
		{"extend", "It ends later, or sooner", takes[extendArgs, Maintenance]},
		{"cover", "More items are worked on", takes[coverArgs, Maintenance]},
	} {
		v.register(a, k, v.name, v.summary)
	}
}

// ReviewText finishes a post-incident review.
type ReviewText struct {
	Text string `json:"text" minLength:"1" maxLength:"262144" doc:"Markdown; begin from the draft"`
}

// reviewRoutes are what is written and told about an incident beside its record.
func (a *API) reviewRoutes() {
	handle(a, op(http.MethodGet, "/api/v1/incidents/{id}/review", "get-incident-review", "incidents", "Its post-incident review: as a person finished it, or a draft from the records"),
		func(ctx context.Context, in *ByID) (*reply[itsm.Review], error) {
			r, err := a.o.Engine.Records().Review(ctx, in.ID)
			return &reply[itsm.Review]{r}, err
		})
	handle(a, op(http.MethodPut, "/api/v1/incidents/{id}/review", "write-incident-review", "incidents", "Finish the review of an incident that is over"),
		func(ctx context.Context, in *struct {
			ByID
			Body ReviewText
		}) (*reply[itsm.Review], error) {
			if _, err := a.submit(ctx, "incident", "review", in.ID, in.Body); err != nil {
				return nil, err
			}
			r, err := a.o.Engine.Records().Review(ctx, in.ID)
			return &reply[itsm.Review]{r}, err
		})
	handle(a, op(http.MethodGet, "/api/v1/incidents/{id}/notifications", "list-incident-notifications", "incidents", "What was told about it, and when all receivers had it"),
		func(ctx context.Context, in *Within) (*reply[Page[engine.Told]], error) {
			if _, _, err := a.o.Engine.Records().Incident(ctx, in.ID); err != nil {
				return nil, err
			}
			return page(ctx, a, order[engine.Told]{
				natural: []string{"id"}, id: func(t engine.Told) string { return t.ID }, lang: filter.Record[engine.Told](),
				fetch: func(ctx context.Context, q filter.Query[engine.Told], _ string, at engine.Range) (engine.Page[engine.Told], error) {
					return kept(q, at, func(at engine.Range) ([]engine.Told, string, error) {
						p, err := a.o.Engine.Records().Messages(ctx, in.ID, at)
						return p.Items, p.Next, err
					})
				},
			}, in.Listing, asKept)
		})
	if a.o.Links != nil {
		a.mux.HandleFunc("GET /acknowledge/{id}", a.askAcknowledge)
		a.mux.HandleFunc("POST /acknowledge/{id}", a.linkAcknowledge)
	}
}

// Links checks the signed links in messages. *notify.Links is one.
type Links interface {
	Verify(incident string, q url.Values, now time.Time) (receiver string, err error)
}

// askAcknowledge shows a button: whatever fetches links by itself (previews,
// scanners of mail) must not acknowledge an incident that nobody has seen.
func (a *API) askAcknowledge(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := a.o.Links.Verify(id, r.URL.Query(), a.o.Now()); err != nil {
		a.noticeOf(w, r, err)
		return
	}
	i, _, err := a.o.Engine.Records().Incident(r.Context(), id)
	if err != nil {
		a.noticeOf(w, r, err)
		return
	}
	if i.AcknowledgedAt != nil {
		a.notice(w, http.StatusOK, i.ID+" is acknowledged", i.Title+": acknowledged by "+i.AcknowledgedBy+".", "")
		return
	}
	a.notice(w, http.StatusOK, "Acknowledge "+i.ID+"?", i.Title, "Acknowledge: I work on it")
}

func (a *API) linkAcknowledge(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	receiver, err := a.o.Links.Verify(id, r.URL.Query(), a.o.Now())
	if err != nil {
		a.noticeOf(w, r, err)
		return
	}
	c := callOf(r.Context())
	ctx, cancel := context.WithTimeout(r.Context(), commandWait)
	defer cancel()
	out, err := a.o.Engine.Submit(ctx, event.Command{Verb: "acknowledge", Record: "incident", ID: id, Actor: "receiver:" + receiver, Remote: c.remote})
	if err != nil {
		a.noticeOf(w, r, err)
		return
	}
	a.notice(w, http.StatusOK, out.Record+" is acknowledged", "Log in to work on it.", "")
}

func (a *API) noticeOf(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), err)
	a.notice(w, p.Status, "That was not possible", p.Detail, "")
}
