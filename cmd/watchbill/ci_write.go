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
)

// saying is what a person says of an item. The server brings text into the type of
// its field.
type saying struct {
	Set   map[string]string `name:"set" mapsep:"none" placeholder:"FIELD=VALUE" help:"A field; again for another one. A list has commas."`
	Unset []string          `name:"unset" placeholder:"FIELD" help:"Take back what you said of these fields."`
}

func (s saying) attributes() map[string]any {
	if len(s.Set)+len(s.Unset) == 0 {
		return nil
	}
	out := make(map[string]any, len(s.Set)+len(s.Unset))
	for k, v := range s.Set {
		out[k] = v
	}
	for _, k := range s.Unset {
		out[k] = nil
	}
	return out
}

// marks replace an item's labels and tags.
type marks struct {
	Label map[string]string `name:"label" mapsep:"none" placeholder:"NAME=VALUE" help:"A label; those that are given replace all there are."`
	Tags  []string          `name:"tags" placeholder:"TAG" help:"Replace the tags there are."`
}

type ciCreateCmd struct {
	Class string `arg:"" help:"Its class: watchbill ci classes lists them."`
	Name  string `arg:"" help:"Its name."`
	saying
	marks
	show
	remote
}

// Run implements kong's command.
func (c *ciCreateCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	return written(ctx, cl, c.show, io, http.MethodPost, "/api/v1/cis", api.CIWrite{Class: c.Class, Name: c.Name, Attributes: c.attributes(), Labels: c.Label, Tags: c.Tags})
}

// written sends one item and shows what became of it.
func written(ctx context.Context, c *client, s show, io streams, method, path string, body any) error {
	var raw json.RawMessage
	if err := c.call(ctx, method, path, body, &raw); err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, raw)
	}
	var d api.CIDetail
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read the item: %w", err)
	}
	_, err := fmt.Fprintf(io.out, "%s  %s %s, %.0f %% complete%s\n", d.ID, d.Class, oneLine(d.Name), 100*d.Completeness, prefixed("; missing: ", strings.Join(d.Incomplete, ", ")))
	return err
}

type ciEditCmd struct {
	item
	Name string `name:"name" placeholder:"NAME" help:"Another name; the old one becomes an alias."`
	saying
	marks
}

// Run implements kong's command.
func (c *ciEditCmd) Run(io streams) error {
	b := api.CIEdit{Name: c.Name, Attributes: c.attributes(), Labels: c.Label, Tags: c.Tags}
	if b.Name == "" && b.Attributes == nil && b.Labels == nil && b.Tags == nil {
		return usagef("nothing to change: give --set, --unset, --label, --tags or --name")
	}
	return c.on(func(ctx context.Context, cl *client, id string) error {
		return written(ctx, cl, c.show, io, http.MethodPatch, "/api/v1/cis/"+url.PathEscape(id), b)
	})
}

type ciDeleteCmd struct {
	ID    string `arg:"" name:"id" help:"The item's id, or its name."`
	Force bool   `name:"force" help:"Also a machine that reports now, which would come back as a new item, or a place that still holds something."`
	remote
}

// Run implements kong's command.
func (c *ciDeleteCmd) Run(io streams) error {
	return item{ID: c.ID, remote: c.remote}.on(func(ctx context.Context, cl *client, id string) error {
		path := "/api/v1/cis/" + url.PathEscape(id)
		if c.Force {
			path += "?force=true"
		}
		if err := cl.call(ctx, http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(io.out, "%s is removed\n", id)
		return err
	})
}

type ciRelateCmd struct {
	From    string `arg:"" help:"The item that needs the other, by id or name."`
	Type    string `arg:"" help:"runs_on, depends_on, composed_of, ..."`
	To      string `arg:"" help:"The item that is needed."`
	Removed bool   `name:"remove" help:"Take it back."`
	remote
}

// Run implements kong's command.
func (c *ciRelateCmd) Run(io streams) error {
	return item{ID: c.From, remote: c.remote}.on(func(ctx context.Context, cl *client, from string) error {
		to, err := item{ID: c.To, remote: c.remote}.find(ctx, cl)
		if err != nil {
			return err
		}
		b := api.RelationWrite{From: api.Named{ID: from}, Type: c.Type, To: api.Named{ID: to}, Removed: c.Removed}
		if err := cl.call(ctx, http.MethodPost, "/api/v1/relations", b, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "%s %s %s%s\n", from, c.Type, to, map[bool]string{true: ": taken back"}[c.Removed])
		return err
	})
}

type ciBulkCmd struct {
	Query []string `arg:"" help:"The items that are changed, e.g. class:host owner:eve."`
	saying
	Add    []string `name:"add-tags" placeholder:"TAG" help:"Tags that are added."`
	Remove []string `name:"remove-tags" placeholder:"TAG" help:"Tags that are taken away."`
	Yes    bool     `name:"yes" help:"Do it. Without it only tell what would change."`
	Most   int      `name:"max" default:"10000" placeholder:"N" help:"Refuse the whole where more items match (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *ciBulkCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	b := api.BulkEdit{Query: strings.Join(c.Query, " "), Set: c.attributes(), Add: c.Add, Remove: c.Remove, DryRun: !c.Yes, Most: c.Most}
	var r inventory.ImportReport
	if err := cl.call(ctx, http.MethodPost, "/api/v1/cis/edit", b, &r); err != nil {
		return err
	}
	if err := importTold(io, c.show, r); err != nil || c.json() {
		return err
	}
	if r.DryRun {
		fmt.Fprintln(io.err, "Nothing was changed: --yes does it.")
	}
	return nil
}

type ciImportCmd struct {
	File   string `arg:"" help:"CSV with a heading line (- for standard input): class, name, id, tags, label.NAME or fields."`
	Class  string `name:"class" placeholder:"CLASS" help:"For a file without a column class."`
	Source string `name:"source" placeholder:"NAME" help:"Whose words these are, among the sources of an item."`
	DryRun bool   `name:"dry-run" help:"Tell line by line what would happen, and change nothing."`
	show
	remote
}

// Run implements kong's command.
func (c *ciImportCmd) Run(io streams) error {
	in, err := opened(c.File, io)
	if err != nil {
		return err
	}
	defer in.Close()
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	q := url.Values{"dry_run": {fmt.Sprint(c.DryRun)}}
	for k, v := range map[string]string{"class": c.Class, "source": c.Source} {
		if v != "" {
			q.Set(k, v)
		}
	}
	resp, err := cl.fetch(ctx, http.MethodPost, "/api/v1/cis/csv?"+q.Encode(), in, "Content-Type", "text/csv")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var r inventory.ImportReport
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return importTold(io, c.show, r)
}

// importTold shows what became of each line that did something, and fails where
// one was left out.
func importTold(io streams, s show, r inventory.ImportReport) error {
	if s.json() {
		if err := writeJSON(io.out, r); err != nil {
			return err
		}
	} else {
		t := newTable(io.out, "LINE", "OUTCOME", "ITEM", "NAME", "WHAT")
		for _, l := range r.Lines {
			if l.Outcome == "unchanged" {
				continue
			}
			what := slices.Clone(l.Errors)
			for _, d := range l.Changes {
				what = append(what, fmt.Sprintf("%s: %s → %s", d.Field, or(cmdb.TextOf(cmdb.Normalize(d.Old))), or(cmdb.TextOf(cmdb.Normalize(d.New)))))
			}
			t.row(fmt.Sprint(l.Line), l.Outcome, or(l.CI), cut(or(l.Name), 40), cut(or(strings.Join(what, "; ")), 160))
		}
		if err := t.end(); err != nil {
			return err
		}
		would := map[bool]string{true: "would be "}[r.DryRun]
		fmt.Fprintf(io.out, "\n%d %screated, %d %schanged, %d unchanged, %d failed\n", r.Created, would, r.Changed, would, r.Unchanged, r.Failed)
	}
	if r.Failed > 0 {
		return fmt.Errorf("%d lines were left out", r.Failed)
	}
	return nil
}

type ciExportCmd struct {
	Query   []string `arg:"" optional:"" help:"Which items; without it all."`
	File    string   `name:"file" placeholder:"FILE" help:"Write there; without it to standard output."`
	Format  string   `name:"format" enum:"csv,json" default:"csv" placeholder:"FORMAT" help:"csv or json lines (${default})."`
	Columns []string `name:"columns" placeholder:"NAME" help:"Of CSV: id, class, name, tags, label.NAME, or attributes."`
	Sort    string   `name:"sort" placeholder:"ORDER" help:"Order; a minus turns it round."`
	remote
}

// Run implements kong's command.
func (c *ciExportCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	q := url.Values{"format": {c.Format}}
	for k, v := range map[string]string{"q": strings.Join(c.Query, " "), "sort": c.Sort, "columns": strings.Join(c.Columns, ",")} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return download(ctx, cl, "/api/v1/cis/export?"+q.Encode(), c.File, io)
}

type ciMergeCmd struct {
	Keep  string `arg:"" help:"The one that stays, by id or name; of two of which one reports, that one does."`
	Other string `arg:"" help:"The one that becomes it."`
	Force bool   `name:"force" help:"Also two machines that both report now."`
	show
	remote
}

// Run implements kong's command.
func (c *ciMergeCmd) Run(io streams) error {
	return item{ID: c.Keep, remote: c.remote}.on(func(ctx context.Context, cl *client, keep string) error {
		other, err := item{ID: c.Other, remote: c.remote}.find(ctx, cl)
		if err != nil {
			return err
		}
		var m inventory.Merge
		if err := cl.call(ctx, http.MethodPost, "/api/v1/merges", api.MergeWish{Keep: keep, Other: other, Force: c.Force}, &m); err != nil {
			return err
		}
		if c.json() {
			return writeJSON(io.out, m)
		}
		_, err = fmt.Fprintf(io.out, "%s is %s now; take it back with: watchbill ci unmerge %s\n", m.ID, m.Survivor, m.ID)
		return err
	})
}

type ciUnmergeCmd struct {
	ID string `arg:"" name:"id" help:"The id of the item that went."`
	show
	remote
}

// Run implements kong's command.
func (c *ciUnmergeCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	return written(ctx, cl, c.show, io, http.MethodDelete, "/api/v1/merges/"+url.PathEscape(c.ID), nil)
}

type ciMergesCmd struct {
	Limit int `name:"limit" default:"50" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *ciMergesCmd) Run(io streams) error {
	return showQuery(c.remote, c.show, io, "/api/v1/merges", map[string][]string{}, c.Limit, []string{"ITEM", "BECAME", "BY", "AT", "TAKEN BACK"},
		func(m inventory.Merge) []string {
			return []string{m.ID, m.Survivor, m.Actor, stamp(m.At), stamp(m.Undone)}
		})
}
