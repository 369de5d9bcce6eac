package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/cmdb/inventory"
)

type serviceCmd struct {
	List      serviceListCmd      `cmd:"" help:"List services with their open incidents."`
	Show      serviceShowCmd      `cmd:"" help:"Show a service's health by what it needs, and its single points of failure."`
	Proposals serviceProposalsCmd `cmd:"" help:"Services that could be composed of what runs together."`
	Create    serviceCreateCmd    `cmd:"" help:"Compose a service of items."`
	Accept    serviceAcceptCmd    `cmd:"" help:"Compose a proposed service."`
}

type serviceListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *serviceListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/services", c.listFlags, []string{"NAME", "STATE", "OPEN", "PRIORITY", "CRITICALITY", "OWNER", "TEAM"},
		func(s api.Service) []string {
			priority := "-"
			if s.Priority > 0 {
				priority = fmt.Sprint(s.Priority)
			}
			return []string{cut(s.Name, 40), s.State, fmt.Sprint(s.Open), priority, or(s.Criticality), or(s.Owner), or(s.Team)}
		})
}

type serviceShowCmd struct{ item }

// Run implements kong's command.
func (c *serviceShowCmd) Run(io streams) error {
	return ask(c.item, io, "/health", nil, func(ctx context.Context, cl *client, id string, h inventory.Health) error {
		r := &report{w: io.out}
		path := "/api/v1/cis/" + url.PathEscape(id)
		var d api.CIDetail
		if err := cl.call(ctx, http.MethodGet, path, nil, &d); err != nil {
			return err
		}
		var g inventory.Graph
		if err := cl.call(ctx, http.MethodGet, path+"/graph?hops=1&direction=needs", nil, &g); err != nil {
			return err
		}
		var points listed[inventory.SinglePoint]
		if err := cl.call(ctx, http.MethodGet, path+"/single-points", nil, &points); err != nil {
			return err
		}
		r.printf("%s  %s %s is %s\n\n", d.ID, d.Class, d.Name, h.Status)
		r.field("criticality", "%s", d.Attributes.Text("criticality"))
		r.field("owner", "%s", d.Attributes.Text("owner"))
		r.field("team", "%s", d.Attributes.Text("team"))
		r.field("looked at", "%d items that it needs", h.Checked)
		if len(h.Troubled) > 0 {
			r.printf("\nNot well\n")
			for _, n := range h.Troubled {
				r.printf("  %s %s: %s\n", n.Class, n.Name, n.Why)
			}
		}
		if len(g.Nodes) > 1 {
			r.printf("\nNeeds\n")
			for _, n := range g.Nodes[1:] {
				r.printf("  %s %s, %s\n", n.Class, n.Name, n.Liveness)
			}
		}
		if len(points.Items) > 0 {
			r.printf("\nOnly once\n")
			for _, p := range points.Items {
				r.printf("  %s %s, %d hops away\n", p.Class, p.Name, p.Hops)
			}
		}
		return r.err
	})
}

type serviceProposalsCmd struct {
	Limit int `name:"limit" default:"50" placeholder:"N" help:"Most rows (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *serviceProposalsCmd) Run(io streams) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usagef("--limit: want 1 to 1000, got %d", c.Limit)
	}
	return showOne(c.remote, c.show, io, fmt.Sprintf("/api/v1/service-proposals?limit=%d", c.Limit), func(p listed[inventory.Proposal]) error {
		t := newTable(io.out, "NAME", "CLASS", "PARTS", "CALLS", "WHY")
		for _, x := range p.Items {
			t.row(x.Name, x.Class, cut(strings.Join(x.Names, ", "), 60), or(cut(strings.Join(x.Calls, ", "), 40)), cut(x.Why, 60))
		}
		return t.end()
	})
}

type serviceCreateCmd struct {
	Name    string   `arg:"" help:"Its name."`
	Members []string `arg:"" help:"The items that it is composed of, by id or name."`
	Class   string   `name:"class" default:"service" placeholder:"CLASS" help:"service, application or business_service (${default})."`
	saying
	show
	remote
}

// Run implements kong's command.
func (c *serviceCreateCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	b := api.NewService{Class: c.Class, Name: c.Name, Attributes: c.attributes()}
	for _, m := range c.Members {
		id, err := item{ID: m, remote: c.remote}.find(ctx, cl)
		if err != nil {
			return err
		}
		b.Members = append(b.Members, id)
	}
	return written(ctx, cl, c.show, io, http.MethodPost, "/api/v1/services", b)
}

type serviceAcceptCmd struct {
	Name string `arg:"" help:"The proposal's name: watchbill service proposals lists them."`
	As   string `name:"as" placeholder:"NAME" help:"Another name for the service."`
	saying
	show
	remote
}

// Run implements kong's command.
func (c *serviceAcceptCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	var all listed[inventory.Proposal]
	if err := cl.call(ctx, http.MethodGet, "/api/v1/service-proposals?limit=1000", nil, &all); err != nil {
		return err
	}
	for _, p := range all.Items {
		if p.Name != c.Name {
			continue
		}
		b := api.NewService{Class: p.Class, Name: p.Name, Members: p.Members, Attributes: c.attributes()}
		if c.As != "" {
			b.Name = c.As
		}
		return written(ctx, cl, c.show, io, http.MethodPost, "/api/v1/services", b)
	}
	return fmt.Errorf("no service %q is proposed: watchbill service proposals lists those that are", c.Name)
}
