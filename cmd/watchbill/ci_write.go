package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
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
	ID string `arg:"" name:"id" help:"The item's id, or its name."`
	remote
}

// Run implements kong's command.
func (c *ciDeleteCmd) Run(io streams) error {
	return item{ID: c.ID, remote: c.remote}.on(func(ctx context.Context, cl *client, id string) error {
		if err := cl.call(ctx, http.MethodDelete, "/api/v1/cis/"+url.PathEscape(id), nil, nil); err != nil {
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
		if err := cl.call(ctx, http.MethodPost, "/api/v1/merges", api.MergeWish{Keep: keep, Other: other}, &m); err != nil {
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

type taskCmd struct {
	List  taskListCmd  `cmd:"" help:"List what waits for a decision."`
	Close taskCloseCmd `cmd:"" help:"Say how it was decided. Two items that are one: watchbill ci merge."`
}

type taskListCmd struct {
	All   bool `name:"all" help:"Also those that were decided."`
	Limit int  `name:"limit" default:"50" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *taskListCmd) Run(io streams) error {
	q := map[string][]string{}
	if c.All {
		q["all"] = []string{"true"}
	}
	return showQuery(c.remote, c.show, io, "/api/v1/tasks", q, c.Limit, []string{"ID", "KIND", "SEEN", "TIMES", "WHAT", "ITEMS", "DECIDED"},
		func(t inventory.Task) []string {
			items := slices.DeleteFunc(append([]string{t.CI}, t.Others...), func(s string) bool { return s == "" })
			return []string{t.ID, t.Kind, age(t.Last), fmt.Sprint(t.Count), cut(t.Summary, 100), strings.Join(items, ", "), or(cut(t.Done, 40))}
		})
}

type taskCloseCmd struct {
	ID       string   `arg:"" help:"The task."`
	Decision []string `arg:"" help:"What was decided, in words."`
	remote
}

// Run implements kong's command.
func (c *taskCloseCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	body := map[string]string{"decision": strings.Join(c.Decision, " ")}
	if err := cl.call(ctx, http.MethodPost, "/api/v1/tasks/"+url.PathEscape(c.ID)+"/close", body, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s is decided\n", c.ID)
	return err
}

type viewCmd struct {
	List   viewListCmd   `cmd:"" help:"List the saved lists."`
	Show   viewShowCmd   `cmd:"" help:"Show the items of a saved list."`
	Save   viewSaveCmd   `cmd:"" help:"Save a query under a name."`
	Delete viewDeleteCmd `cmd:"" help:"Forget a saved list."`
}

type viewListCmd struct {
	show
	remote
}

// Run implements kong's command.
func (c *viewListCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, "/api/v1/views", func(p listed[inventory.View]) error {
		t := newTable(io.out, "NAME", "QUERY", "SORT", "COLUMNS", "OWNER")
		for _, v := range p.Items {
			t.row(v.Name, cut(or(v.Query), 80), or(v.Sort), or(strings.Join(v.Columns, ",")), or(v.Owner))
		}
		return t.end()
	})
}

type viewShowCmd struct {
	Name  string `arg:"" help:"The saved list."`
	Limit int    `name:"limit" default:"50" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *viewShowCmd) Run(io streams) error {
	v, err := findView(c.remote, c.Name)
	if err != nil {
		return err
	}
	q := map[string][]string{}
	if v.Query != "" {
		q["q"] = []string{v.Query}
	}
	if v.Sort != "" {
		q["sort"] = []string{v.Sort}
	}
	columns := v.Columns
	if len(columns) == 0 {
		columns = []string{"id", "class", "name", "liveness", "owner", "team", "addresses"}
	}
	head := make([]string, len(columns))
	for i, n := range columns {
		head[i] = strings.ToUpper(n)
	}
	return showQuery(c.remote, c.show, io, "/api/v1/cis", q, c.Limit, head, func(x cmdb.CI) []string {
		row := make([]string, len(columns))
		for i, n := range columns {
			row[i] = cut(or(inventory.Cell(&x, n)), 60)
		}
		return row
	})
}

func findView(r remote, name string) (inventory.View, error) {
	cl, err := r.client()
	if err != nil {
		return inventory.View{}, err
	}
	ctx, stop := interrupted()
	defer stop()
	var all listed[inventory.View]
	if err := cl.call(ctx, http.MethodGet, "/api/v1/views", nil, &all); err != nil {
		return inventory.View{}, err
	}
	names := map[string]inventory.View{}
	for _, v := range all.Items {
		names[v.Name] = v
	}
	if v, ok := names[name]; ok {
		return v, nil
	}
	return inventory.View{}, fmt.Errorf("there is no saved list %q; there are: %s", name, or(strings.Join(slices.Sorted(maps.Keys(names)), ", ")))
}

type viewSaveCmd struct {
	Name    string   `arg:"" help:"Its name."`
	Query   []string `arg:"" optional:"" help:"Which items."`
	Sort    string   `name:"sort" placeholder:"ORDER" help:"Order; a minus turns it round."`
	Columns []string `name:"columns" placeholder:"NAME" help:"What is shown of each."`
	remote
}

// Run implements kong's command.
func (c *viewSaveCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	b := api.NewView{Query: strings.Join(c.Query, " "), Sort: c.Sort, Columns: c.Columns}
	if err := cl.call(ctx, http.MethodPut, "/api/v1/views/"+url.PathEscape(c.Name), b, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "saved: watchbill view show %q\n", c.Name)
	return err
}

type viewDeleteCmd struct {
	Name string `arg:"" help:"The saved list."`
	remote
}

// Run implements kong's command.
func (c *viewDeleteCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	if err := cl.call(ctx, http.MethodDelete, "/api/v1/views/"+url.PathEscape(c.Name), nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s is forgotten\n", c.Name)
	return err
}
