package main

import (
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

type taskCmd struct {
	List   taskListCmd   `cmd:"" help:"List what waits for a decision."`
	Accept taskAcceptCmd `cmd:"" help:"Say that it is so: the items that it names are one."`
	Close  taskCloseCmd  `cmd:"" help:"Say how it was decided. Two items that are one: watchbill ci merge."`
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

type taskAcceptCmd struct {
	ID    string `arg:"" help:"The task."`
	Other string `arg:"" optional:"" help:"Which of the newcomers it is, where the task names several."`
	remote
}

// Run implements kong's command.
func (c *taskAcceptCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	if err := cl.call(ctx, http.MethodPost, "/api/v1/tasks/"+url.PathEscape(c.ID)+"/accept", api.TaskAcceptance{Other: c.Other}, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s is accepted: its items are one\n", c.ID)
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
