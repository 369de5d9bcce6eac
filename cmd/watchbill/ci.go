package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	agent "github.com/watchbill/watchbill/cmdb/report"
)

// item names a configuration item by id or name.
type item struct {
	ID string `arg:"" name:"id" help:"The item's id, or its name."`
	show
	remote
}

// find turns a name into an id. A name that several items have is told with them.
func (i item) find(ctx context.Context, c *client) (string, error) {
	var doc cmdb.CI
	err := c.call(ctx, http.MethodGet, "/api/v1/cis/"+url.PathEscape(i.ID), nil, &doc)
	if err == nil {
		return doc.ID, nil
	}
	q := url.Values{"q": {`name:"` + strings.NewReplacer(`"`, ``, `\`, ``).Replace(i.ID) + `"`}}
	found, e := list[cmdb.CI](ctx, c, "/api/v1/cis", q, 20)
	if e != nil {
		return "", e
	}
	// A host goes before what was found on hosts and happens to have the same name.
	hosts := slices.DeleteFunc(slices.Clone(found.Items), func(x cmdb.CI) bool { return x.Class != "host" })
	switch {
	case len(found.Items) == 0:
		return "", err
	case len(found.Items) == 1:
		return found.Items[0].ID, nil
	case len(hosts) == 1:
		return hosts[0].ID, nil
	}
	names := make([]string, len(found.Items))
	for n, x := range found.Items {
		names[n] = x.ID + " (" + x.Class + ")"
	}
	return "", usagef("%q is the name of several items: give one of the ids %s", i.ID, strings.Join(names, ", "))
}

// on finds the item and does something with it.
func (i item) on(f func(ctx context.Context, c *client, id string) error) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	id, err := i.find(ctx, c)
	if err != nil {
		return err
	}
	return f(ctx, c, id)
}

// ask finds the item and reads one document about it.
func ask[T any](i item, io streams, path string, query url.Values, text func(ctx context.Context, c *client, id string, x T) error) error {
	return i.on(func(ctx context.Context, c *client, id string) error {
		return tell(ctx, c, i.show, io, id, path, query, text)
	})
}

func tell[T any](ctx context.Context, c *client, s show, io streams, id, path string, query url.Values, text func(ctx context.Context, c *client, id string, x T) error) error {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/cis/"+url.PathEscape(id)+path+"?"+query.Encode(), nil, &raw); err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, raw)
	}
	var x T
	if err := json.Unmarshal(raw, &x); err != nil {
		return fmt.Errorf("read the item: %w", err)
	}
	return text(ctx, c, id, x)
}

type ciShowCmd struct {
	item
	All bool `name:"all" help:"Every package, service and listener, not the first twenty."`
}

// Run implements kong's command.
func (c *ciShowCmd) Run(io streams) error {
	return ask(c.item, io, "", nil, func(ctx context.Context, cl *client, id string, d api.CIDetail) error {
		r := &report{w: io.out}
		r.printf("%s  %s %s\n\n", d.ID, d.Class, d.Name)
		r.field("liveness", "%s, last seen %s (%s ago)", string(d.Liveness), stamp(d.LastSeen), age(d.LastSeen))
		r.field("first seen", "%s", stamp(d.FirstSeen))
		r.field("told by", "%s", d.Source)
		if d.ParentRef != nil {
			r.field("found on", "%s %s", d.ParentRef.Class, d.ParentRef.Name)
		}
		r.field("aliases", "%s", strings.Join(d.Aliases, ", "))
		r.field("tags", "%s", strings.Join(d.Tags, ", "))
		r.field("complete", "%.0f %%%s", 100*d.Completeness, prefixed("; missing: ", strings.Join(d.Incomplete, ", ")))
		values := map[string]string{}
		for k := range d.Attributes {
			values[k] = d.Attributes.Text(k)
		}
		pairs(r, "Attributes", values)
		pairs(r, "Labels", d.Labels)
		for _, s := range d.Sections {
			if err := c.section(ctx, cl, r, id, s); err != nil {
				return err
			}
		}
		return r.err
	})
}

// section lists the sections that people ask a host for, and says of every one
// why it is not whole.
func (c *ciShowCmd) section(ctx context.Context, cl *client, r *report, id string, s inventory.SectionState) error {
	path := "/api/v1/cis/" + url.PathEscape(id) + "/sections/" + s.Name
	var lines []string
	var err error
	switch s.Name {
	case agent.SectionPackages:
		lines, err = lines3(ctx, cl, path, func(p agent.Package) string { return p.Type + "  " + p.Name + "  " + p.Version })
	case agent.SectionServices:
		lines, err = lines3(ctx, cl, path, func(s agent.Service) string { return s.Name + "  " + s.State })
	case agent.SectionListeners:
		lines, err = lines3(ctx, cl, path, func(l agent.Listener) string {
			return fmt.Sprintf("%s %s:%d  %s  %s", l.Protocol, l.Address, l.Port, l.Process, l.Unit)
		})
	case agent.SectionFilesystems:
		lines, err = lines3(ctx, cl, path, func(f agent.Filesystem) string { return f.Mountpoint + "  " + f.Type })
	}
	if err != nil {
		return err
	}
	if len(lines) == 0 && len(s.Problems) == 0 && s.Rejected == "" {
		return nil
	}
	r.printf("\n%s%s\n", strings.ToUpper(s.Name[:1])+s.Name[1:], map[bool]string{true: fmt.Sprintf(": %d", len(lines))}[len(lines) > 0])
	for n, l := range lines {
		if n == 20 && !c.All {
			r.printf("  and %d more: --all\n", len(lines)-n)
			break
		}
		r.printf("  %s\n", oneLine(l))
	}
	if s.Rejected != "" {
		r.printf("  the newest was refused: %s\n", s.Rejected)
	}
	for _, p := range s.Problems {
		r.printf("  not whole: %s%s\n", p.Reason, prefixed("; mended by ", p.Privilege))
	}
	return nil
}

func lines3[T any](ctx context.Context, c *client, path string, line func(T) string) ([]string, error) {
	var items []T
	if err := c.call(ctx, http.MethodGet, path, nil, &items); err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, x := range items {
		out[i] = line(x)
	}
	return out, nil
}

type ciHistoryCmd struct {
	item
	Field string `name:"field" placeholder:"NAME" help:"Only this field."`
	Text  string `name:"text" placeholder:"TEXT" help:"Only what has this text in the field, the values or the source."`
	Since string `name:"since" placeholder:"TIME" help:"Only what changed at or after: 2026-01-31, an RFC 3339 time, or an age such as 7d."`
	Until string `name:"until" placeholder:"TIME" help:"Only what changed before."`
	Sort  string `name:"sort" enum:"-at,at" default:"-at" placeholder:"ORDER" help:"-at: the newest first; at: as it happened (${default})."`
	Limit int    `name:"limit" default:"50" placeholder:"N" help:"Most rows (${default})."`
}

// Run implements kong's command.
func (c *ciHistoryCmd) Run(io streams) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usagef("--limit: want 1 to 1000, got %d", c.Limit)
	}
	q := url.Values{"limit": {fmt.Sprint(c.Limit)}, "sort": {c.Sort}}
	if c.Field != "" {
		q.Set("field", c.Field)
	}
	if c.Text != "" {
		q.Set("q", `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.Text)+`"`)
	}
	for k, v := range map[string]string{"since": c.Since, "until": c.Until} {
		if err := setInstant(q, k, v); err != nil {
			return err
		}
	}
	return ask(c.item, io, "/history", q, func(_ context.Context, _ *client, _ string, p listed[inventory.Entry]) error {
		t := newTable(io.out, "AT", "FIELD", "OLD", "NEW", "SOURCE")
		for _, e := range p.Items {
			t.row(stamp(e.At), e.Field, cut(or(cmdb.TextOf(cmdb.Normalize(e.Old))), 40), cut(or(cmdb.TextOf(cmdb.Normalize(e.New))), 40), cut(e.Source, 30))
		}
		if err := t.end(); err != nil {
			return err
		}
		more(io.err, p.Next)
		return nil
	})
}

type ciGraphCmd struct {
	item
	Hops      int    `name:"hops" default:"2" placeholder:"N" help:"How far to look (${default})."`
	Direction string `name:"direction" enum:"both,needs,dependents" default:"both" placeholder:"WHICH" help:"both, needs (what it depends on) or dependents (${default})."`
}

// Run implements kong's command.
func (c *ciGraphCmd) Run(io streams) error {
	q := url.Values{"hops": {fmt.Sprint(c.Hops)}, "direction": {c.Direction}}
	return ask(c.item, io, "/graph", q, func(_ context.Context, _ *client, _ string, g inventory.Graph) error {
		names := map[string]string{}
		for _, n := range g.Nodes {
			names[n.ID] = n.Class + " " + n.Name
		}
		t := newTable(io.out, "FROM", "RELATION", "TO")
		for _, e := range g.Edges {
			t.row(cut(names[e.From], 50), e.Type, cut(names[e.To], 50))
		}
		if err := t.end(); err != nil {
			return err
		}
		if g.Truncated {
			fmt.Fprintln(io.err, "There is more: fewer --hops, or one --direction.")
		}
		return nil
	})
}

type ciImpactCmd struct {
	item
	Hops int `name:"hops" default:"5" placeholder:"N" help:"How far to look (${default})."`
}

// Run implements kong's command.
func (c *ciImpactCmd) Run(io streams) error {
	return ask(c.item, io, "/impact", url.Values{"hops": {fmt.Sprint(c.Hops)}}, func(_ context.Context, _ *client, _ string, x inventory.Impact) error {
		names := map[string]string{}
		for _, n := range x.Affected {
			names[n.ID] = n.Class + " " + n.Name
		}
		t := newTable(io.out, "ITEM", "STATE", "CRITICALITY", "HOPS", "THROUGH")
		for _, n := range x.Affected {
			t.row(cut(n.Class+" "+n.Name, 60), n.State, or(n.Criticality), fmt.Sprint(n.Hops), or(names[n.Via]))
		}
		if err := t.end(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(io.out, "\n%d items fail with it, %d are degraded.\n", x.Total, x.Degraded)
		return err
	})
}
