package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/store"
)

// Service is what people call one thing, with its health.
type Service struct {
	Name        string   `json:"name"`
	ID          string   `json:"id,omitempty" doc:"Its configuration item, where it has one"`
	Class       string   `json:"class,omitempty"`
	Owner       string   `json:"owner,omitempty"`
	Team        string   `json:"team,omitempty"`
	Criticality string   `json:"criticality,omitempty"`
	Objective   float64  `json:"availability_objective,omitempty"`
	State       string   `json:"state" enum:"ok,degraded,down" doc:"down: an open incident of priority 1 or 2; degraded: any other open one"`
	Open        int      `json:"open_incidents"`
	Priority    int      `json:"priority,omitempty" doc:"The gravest of its open incidents"`
	Incidents   []string `json:"incidents" nullable:"false" doc:"The newest of its open incidents, at most 20"`
}

// servicesMost bounds the items that a list of services looks at.
const servicesMost = 1000

func (a *API) services(ctx context.Context) ([]Service, error) {
	byName := map[string]*Service{}
	at := func(name string) *Service {
		if byName[name] == nil {
			byName[name] = &Service{Name: name, State: "ok", Incidents: []string{}}
		}
		return byName[name]
	}
	for _, s := range a.o.Engine.Rules().Desk.Services {
		x := at(s.Name)
		x.Owner, x.Team, x.Objective = s.Owner, s.Team, s.Availability
	}
	// A service that an agent found is one program on one machine; it is one that
	// people speak of when they said how critical it is, or composed it.
	p, err := a.o.Inventory.List(ctx, inventory.ListQuery{Query: "class:business_service or class:application or (class:service (criticality:* or not source:agent))", Limit: servicesMost})
	if err != nil {
		return nil, err
	}
	for _, c := range p.Items {
		x := at(c.Name)
		x.ID, x.Class, x.Criticality = c.ID, c.Class, c.Attributes.Text("criticality")
		if x.Owner == "" {
			x.Owner = c.Attributes.Text("owner")
		}
		if x.Team == "" {
			x.Team = c.Attributes.Text("team")
		}
	}
	open, err := a.openIncidents(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range open {
		for _, name := range i.Services {
			x := at(name)
			x.Open++
			if x.Priority == 0 || i.Priority < x.Priority {
				x.Priority = i.Priority
			}
			if len(x.Incidents) < 20 {
				x.Incidents = append(x.Incidents, i.ID)
			}
		}
	}
	out := make([]Service, 0, len(byName))
	for _, s := range byName {
		switch {
		case s.Open == 0:
		case s.Priority <= 2:
			s.State = "down"
		default:
			s.State = "degraded"
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(x, y Service) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

var serviceLanguage = filter.Language[Service]{
	Free: func(s Service) []string { return []string{s.Name, s.Owner, s.Team} },
}.With(filter.Record[Service]())

func servicesOf(all []Service) order[Service] {
	o := wholeList("name", serviceLanguage, func(s Service) string { return s.Name }, all)
	o.keys = map[string]func(Service) []byte{
		// The gravest first; what has none comes last.
		"criticality": func(s Service) []byte { return store.Key(-slices.Index(cmdb.Criticalities, s.Criticality)) },
		"state":       func(s Service) []byte { return store.Key(slices.Index([]string{"down", "degraded", "ok"}, s.State)) },
	}
	return o
}

func (a *API) serviceRoutes() {
	handle(a, describedAs(op(http.MethodGet, "/api/v1/services", "list-services", "inventory", "Services with their health"),
		"Configured services, items of class business_service and application, services that people composed or gave a criticality, and what open incidents name.\n\n"+servicesOf(nil).doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[Service]], error) {
			all, err := a.services(ctx)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, servicesOf(all), *in, asKept)
		})
}
