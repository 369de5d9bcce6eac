package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
)

// Completion proposes how a query may go on.
type Completion struct {
	From      int      `json:"from" doc:"First byte of the query that a proposal replaces"`
	To        int      `json:"to"`
	Proposals []string `json:"proposals" nullable:"false"`
}

// BulkEdit changes many items at once.
type BulkEdit struct {
	Query  string         `json:"q" minLength:"1" maxLength:"1000" doc:"The items that are changed"`
	Set    map[string]any `json:"set,omitempty" doc:"Fields to set; null takes back what you said before"`
	Add    []string       `json:"add_tags,omitempty" nullable:"false"`
	Remove []string       `json:"remove_tags,omitempty" nullable:"false"`
	DryRun bool           `json:"dry_run,omitempty" doc:"Tell what would change, and change nothing"`
	Most   int            `json:"max,omitempty" minimum:"1" maximum:"100000" doc:"Refuse the whole where more items match; without it 10000"`
}

// NewView saves a list.
type NewView struct {
	Query   string   `json:"q" maxLength:"1000"`
	Sort    string   `json:"sort,omitempty" maxLength:"64"`
	Columns []string `json:"columns,omitempty" maxItems:"64" nullable:"false"`
}

// NewService composes a service of items.
type NewService struct {
	Class      string         `json:"class,omitempty" maxLength:"64" doc:"Without it: service"`
	Name       string         `json:"name" minLength:"1" maxLength:"300"`
	Members    []string       `json:"members" minItems:"1" maxItems:"5000" nullable:"false" doc:"Ids of the items that it is composed of"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

func (a *API) ciExport() {
	o := describedAs(op(http.MethodGet, "/api/v1/cis/export", "export-cis", "inventory", "Every item that matches, as CSV or JSON lines"), queryDoc)
	o.Responses = map[string]*huma.Response{"200": {Description: "The items", Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: "string"}}, "application/x-ndjson": {Schema: &huma.Schema{Type: "string"}},
	}}}
	handle(a, o, func(ctx context.Context, in *struct {
		Q       string   `query:"q" maxLength:"1000"`
		Sort    string   `query:"sort" maxLength:"64"`
		Format  string   `query:"format" enum:"csv,json" default:"csv"`
		Columns []string `query:"columns" nullable:"false" doc:"Of CSV: id, class, name, liveness, first_seen, last_seen, tags, aliases, label.NAME, or attributes; separated by commas"`
	}) (*huma.StreamResponse, error) {
		// What is wrong with the request is told before the answer begins.
		if _, err := a.o.Inventory.List(ctx, inventory.ListQuery{Query: in.Q, Sort: in.Sort, Limit: 1}); err != nil {
			return nil, err
		}
		if err := a.o.Inventory.CheckColumns(in.Columns); err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(h huma.Context) {
			r, w := humago.Unwrap(h)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
			w.Header().Set("Content-Disposition", `attachment; filename="watchbill-cis.`+map[string]string{"csv": "csv", "json": "jsonl"}[in.Format]+`"`)
			var err error
			if in.Format == "json" {
				w.Header().Set("Content-Type", "application/x-ndjson")
				err = a.o.Inventory.ExportJSON(r.Context(), w, in.Q, in.Sort)
			} else {
				w.Header().Set("Content-Type", "text/csv; charset=utf-8")
				err = a.o.Inventory.ExportCSV(r.Context(), w, in.Q, in.Sort, in.Columns)
			}
			a.brokeOff(r.Context(), "inventory export", err)
		}}, nil
	})
}

// assetRoutes are what an asset manager asks beside lists.
func (a *API) assetRoutes() {
	inv := a.o.Inventory
	handle(a, op(http.MethodGet, "/api/v1/cis/complete", "complete-query", "inventory", "How a query may go on at a position"),
		func(_ context.Context, in *struct {
			Q     string `query:"q" maxLength:"1000"`
			At    int    `query:"at" minimum:"-1" default:"-1" doc:"Byte of the query; without it its end"`
			Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
		}) (*reply[Completion], error) {
			at := in.At
			if at < 0 {
				at = len(in.Q)
			}
			c := inv.Complete(in.Q, at, in.Limit)
			return &reply[Completion]{Completion{c.From, c.To, orEmpty(c.Proposals)}}, nil
		})
	handle(a, op(http.MethodPost, "/api/v1/cis/edit", "edit-cis", "inventory", "Change every item that matches, or with dry_run tell what would change"),
		func(ctx context.Context, in *struct{ Body BulkEdit }) (*reply[inventory.ImportReport], error) {
			b := in.Body
			r, err := inv.BulkEdit(ctx, b.Query, inventory.Edit{Set: attributes(b.Set), AddTags: b.Add, RemoveTags: b.Remove}, source(ctx), b.DryRun, b.Most)
			if err != nil {
				return nil, err
			}
			r.Lines = orEmpty(r.Lines)
			if !b.DryRun {
				err = a.noteAct(ctx, "edit", "ci", "", map[string]any{"q": b.Query, "set": b.Set, "add_tags": b.Add, "remove_tags": b.Remove, "changed": r.Changed})
			}
			return &reply[inventory.ImportReport]{r}, err
		})
	csv := describedAs(op(http.MethodPost, "/api/v1/cis/csv", "import-cis", "inventory", "Import items from CSV, or with dry_run tell line by line what would happen"),
		"Columns are class, name, id, tags, label.NAME or fields; an empty cell says nothing. Each line is taken whole or not at all.")
	csv.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: "string"}}}}
	handle(a, csv, func(ctx context.Context, in *struct {
		Raw
		Source string `query:"source" maxLength:"40" pattern:"^[a-z0-9-]*$" doc:"Whose words these are"`
		Class  string `query:"class" maxLength:"64" doc:"For files without a column class"`
		DryRun bool   `query:"dry_run"`
	}) (*reply[inventory.ImportReport], error) {
		body, err := a.unpacked(&in.Raw, reportMost)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		name := inventory.SourceImport
		if in.Source != "" {
			name += ":" + in.Source
		}
		r, err := inv.ImportCSV(ctx, body, inventory.ImportOptions{Source: name, DryRun: in.DryRun, Class: in.Class})
		if err != nil {
			return nil, err
		}
		r.Lines = orEmpty(r.Lines)
		if !in.DryRun {
			err = a.noteAct(ctx, "import", "ci", "", map[string]int{"created": r.Created, "changed": r.Changed, "failed": r.Failed})
		}
		return &reply[inventory.ImportReport]{r}, err
	})
	handle(a, op(http.MethodGet, "/api/v1/quality", "get-quality", "inventory", "How well the inventory is kept: completeness, staleness, orphans, duplicates"),
		func(ctx context.Context, _ *struct{}) (*reply[inventory.Quality], error) {
			q, err := inv.Quality(ctx)
			q.Groups, q.Duplicates = orEmpty(q.Groups), orEmpty(q.Duplicates)
			return &reply[inventory.Quality]{q}, err
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/coverage", "get-coverage", "inventory", "Machines and open ports that no Prometheus target or alerting rule watches"),
		"Asks the Prometheus that the configuration names under cmdb.prometheus, now. 409 where it names none, 503 where one does not answer."),
		func(ctx context.Context, in *struct {
			Q string `query:"q" maxLength:"1000" doc:"Only machines that match"`
		}) (*reply[cmdb.Coverage], error) {
			c, err := inv.Coverage(ctx, in.Q)
			c.Gaps, c.UnknownTargets = orEmpty(c.Gaps), orEmpty(c.UnknownTargets)
			return &reply[cmdb.Coverage]{c}, err
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/endings", "list-endings", "inventory", "What ends: warranties, support, certificates, contracts; what is over comes first"), queryDoc+"\n\n"+endingsOf(nil).sortDoc()),
		func(ctx context.Context, in *struct {
			Listing
			Within string   `query:"within" maxLength:"20" default:"90d" doc:"How far to look: 90d, 52w"`
			Fields []string `query:"fields" nullable:"false" doc:"Only these date fields, separated by commas"`
		}) (*reply[Page[inventory.Ending]], error) {
			d, err := Span(in.Within)
			if err != nil || d < 0 {
				return nil, fault.Invalidf("within", "want a span such as 90d or 52w, got %q", in.Within)
			}
			out, err := inv.Endings(ctx, in.Q, d, in.Fields)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, endingsOf(out), in.without(), asKept)
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/costs", "list-costs", "inventory", "Purchase prices added up by a field and currency"), queryDoc+"\n\n"+costsOf(nil).sortDoc()),
		func(ctx context.Context, in *struct {
			Listing
			By string `query:"by" maxLength:"64" default:"team" doc:"owner, team, location, class, ..."`
		}) (*reply[Page[inventory.Cost]], error) {
			out, err := inv.Costs(ctx, in.Q, in.By)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, costsOf(out), in.without(), asKept)
		})
	a.itemRoutes()
	a.mergeRoutes()
	a.viewRoutes()
}

// without is the listing of what q has chosen already: there it asks for the items
// that a report is about.
func (l Listing) without() Listing {
	l.Q = ""
	return l
}

// The orders of reports, which are made whole for each call.
func endingsOf(all []inventory.Ending) order[inventory.Ending] {
	return wholeList("date", filter.Record[inventory.Ending](), func(e inventory.Ending) string { return e.CI + " " + e.Field }, all)
}

func costsOf(all []inventory.Cost) order[inventory.Cost] {
	return wholeList("group", filter.Record[inventory.Cost](), func(c inventory.Cost) string { return c.Group + " " + c.Currency }, all)
}

func differencesOf(all []cmdb.Difference) order[cmdb.Difference] {
	return wholeList("field", filter.Record[cmdb.Difference](), func(d cmdb.Difference) string { return d.Field }, all)
}

func singlePointsOf(all []inventory.SinglePoint) order[inventory.SinglePoint] {
	return wholeList("-cuts", filter.Record[inventory.SinglePoint](), func(p inventory.SinglePoint) string { return p.ID }, all)
}

func proposalsOf(all []inventory.Proposal) order[inventory.Proposal] {
	return wholeList("largest", filter.Record[inventory.Proposal](), func(p inventory.Proposal) string { return p.Class + " " + p.Name }, all)
}

func viewsOf(all []inventory.View) order[inventory.View] {
	return wholeList("name", filter.Record[inventory.View](), func(v inventory.View) string { return v.Name }, all)
}

// itemRoutes are questions about one item.
func (a *API) itemRoutes() {
	inv := a.o.Inventory
	handle(a, op(http.MethodGet, "/api/v1/cis/{id}/past", "get-ci-past", "inventory", "An item as it was at a time, rebuilt from its history"),
		func(ctx context.Context, in *struct {
			ByID
			At time.Time `query:"at" required:"true"`
		}) (*reply[inventory.Snapshot], error) {
			s, err := inv.AsOf(ctx, in.ID, in.At)
			return &reply[inventory.Snapshot]{s}, err
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/cis/{id}/diff", "diff-ci", "inventory", "What differs between an item and another one, or itself at another time"), differencesOf(nil).doc()),
		func(ctx context.Context, in *struct {
			Within
			With   string    `query:"with" maxLength:"200" doc:"The other item; without it the same one"`
			At     time.Time `query:"at" doc:"Time of the first; without it now"`
			WithAt time.Time `query:"with_at" doc:"Time of the other; without it now"`
		}) (*reply[Page[cmdb.Difference]], error) {
			if in.With == "" {
				in.With = in.ID
			}
			out, err := inv.Compare(ctx, in.ID, in.At, in.With, in.WithAt)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, differencesOf(out), in.Listing, asKept)
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/cis/{id}/single-points", "list-single-points", "inventory", "What an item needs and has only once, worst first"), singlePointsOf(nil).doc()),
		func(ctx context.Context, in *struct {
			Within
			Hops int `query:"hops" minimum:"1" maximum:"10" default:"5"`
		}) (*reply[Page[inventory.SinglePoint]], error) {
			out, err := inv.SinglePoints(ctx, in.ID, in.Hops)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, singlePointsOf(out), in.Listing, asKept)
		})
	handle(a, op(http.MethodGet, "/api/v1/cis/{id}/health", "get-ci-health", "inventory", "How a service stands by what it needs, open incidents included"),
		func(ctx context.Context, in *ByID) (*reply[inventory.Health], error) {
			open, err := a.openIncidents(ctx)
			if err != nil {
				return nil, err
			}
			by := map[string]string{}
			for _, i := range open {
				for _, id := range i.CIs {
					by[id] = i.ID + ": " + i.Title
				}
			}
			x, err := inv.Health(ctx, in.ID, func(id string) string { return by[id] })
			return &reply[inventory.Health]{x}, err
		})
	o := describedAs(op(http.MethodGet, "/api/v1/cis/{id}/sbom", "get-ci-sbom", "inventory", "The software bill of a host or a service, CycloneDX 1.6"), "404 where it leads to no host with a package list.")
	o.Responses = map[string]*huma.Response{"200": {Description: "The bill", Content: map[string]*huma.MediaType{"application/vnd.cyclonedx+json": {Schema: &huma.Schema{Type: "object"}}}}}
	handle(a, o, func(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(h huma.Context) {
			r, w := humago.Unwrap(h)
			out := &late{w: w, before: func() {
				w.Header().Set("Content-Type", "application/vnd.cyclonedx+json")
				w.Header().Set("Content-Disposition", `attachment; filename="`+in.ID+`.cdx.json"`)
			}}
			err := inv.SBOM(r.Context(), in.ID, out)
			if err != nil && !out.begun {
				a.writeProblem(w, a.problem(r.Context(), err))
				return
			}
			a.brokeOff(r.Context(), "software bill", err)
		}}, nil
	})
}

// late begins an answer with its first byte: until then it can still be a problem.
type late struct {
	w      http.ResponseWriter
	before func()
	begun  bool
}

func (l *late) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.before()
	}
	return l.w.Write(b)
}

// MergeWish names two items that are one.
type MergeWish struct {
	Keep  string `json:"keep" minLength:"1" maxLength:"200" doc:"The one that stays; of two of which one reports, that one does"`
	Other string `json:"other" minLength:"1" maxLength:"200"`
	Force bool   `json:"force,omitempty" doc:"Also two machines that both report now"`
}

// proposalsMost bounds the services that are proposed at once.
const proposalsMost = 1000

func (a *API) mergeRoutes() {
	inv := a.o.Inventory
	merges := order[inventory.Merge]{
		natural: []string{"id"}, id: func(m inventory.Merge) string { return m.ID }, lang: filter.Record[inventory.Merge](),
		fetch: func(ctx context.Context, q filter.Query[inventory.Merge], _ string, at engine.Range) (engine.Page[inventory.Merge], error) {
			return kept(q, at, func(at engine.Range) ([]inventory.Merge, string, error) { return inv.Merges(ctx, at.Cursor, at.Limit) })
		},
	}
	handle(a, describedAs(op(http.MethodGet, "/api/v1/merges", "list-merges", "inventory", "Items that were made one; each can be taken back"), merges.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[inventory.Merge]], error) {
			return page(ctx, a, merges, *in, asKept)
		})
	handle(a, op(http.MethodPost, "/api/v1/merges", "merge-cis", "inventory", "Make two items one"),
		func(ctx context.Context, in *struct{ Body MergeWish }) (*reply[inventory.Merge], error) {
			m, err := inv.Merge(ctx, in.Body.Keep, in.Body.Other, callOf(ctx).who.Actor, in.Body.Force)
			if err != nil {
				return nil, err
			}
			return &reply[inventory.Merge]{m}, a.noteAct(ctx, "merge", "ci", m.Survivor, in.Body)
		})
	handle(a, op(http.MethodDelete, "/api/v1/merges/{id}", "unmerge-cis", "inventory", "Take a merge back; id is the item that went"),
		func(ctx context.Context, in *ByID) (*reply[cmdb.CI], error) {
			c, err := inv.Unmerge(ctx, in.ID, callOf(ctx).who.Actor)
			if err != nil {
				return nil, err
			}
			return &reply[cmdb.CI]{c}, a.noteAct(ctx, "unmerge", "ci", in.ID, struct{}{})
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/service-proposals", "list-service-proposals", "inventory", "Services that could be composed of what runs together, largest first"), proposalsOf(nil).doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[inventory.Proposal]], error) {
			out, err := inv.ProposeServices(ctx, proposalsMost)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, proposalsOf(out), *in, asKept)
		})
	accept := op(http.MethodPost, "/api/v1/services", "create-service", "inventory", "Compose a service of items")
	accept.DefaultStatus = http.StatusCreated
	handle(a, accept, func(ctx context.Context, in *struct{ Body NewService }) (*created[CIDetail], error) {
		b := in.Body
		c, err := inv.AcceptService(ctx, inventory.Item{Class: b.Class, Name: b.Name, Attributes: attributes(b.Attributes)}, b.Members, source(ctx))
		if err != nil {
			return nil, err
		}
		if err := a.noteAct(ctx, "compose", "ci", c.ID, b); err != nil {
			return nil, err
		}
		d, err := a.ciDetail(ctx, c.ID)
		return &created[CIDetail]{Location: "/api/v1/cis/" + c.ID, Body: d}, err
	})
}

func (a *API) viewRoutes() {
	inv := a.o.Inventory
	handle(a, describedAs(op(http.MethodGet, "/api/v1/views", "list-views", "inventory", "Saved lists"), viewsOf(nil).doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[inventory.View]], error) {
			out, err := inv.Views(ctx)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, viewsOf(out), *in, asKept)
		})
	// A view is its owner's; a manager may change anybody's.
	mine := func(ctx context.Context, name string) error {
		v, err := inv.View(ctx, name)
		if err != nil {
			var f *fault.Error
			if errors.As(err, &f) && f.Kind == fault.NotFound {
				return nil
			}
			return err
		}
		who := callOf(ctx).who
		if v.Owner != who.Actor && permit(who, "manager") != nil {
			return fault.Conflictf("the view %q is %s's: save yours under another name", name, v.Owner)
		}
		return nil
	}
	handle(a, op(http.MethodPut, "/api/v1/views/{name}", "save-view", "inventory", "Save a list under a name"),
		func(ctx context.Context, in *struct {
			Name string `path:"name" maxLength:"128"`
			Body NewView
		}) (*reply[inventory.View], error) {
			if err := mine(ctx, in.Name); err != nil {
				return nil, err
			}
			v := inventory.View{Name: in.Name, Query: in.Body.Query, Sort: in.Body.Sort, Columns: in.Body.Columns, Owner: callOf(ctx).who.Actor}
			return &reply[inventory.View]{v}, inv.SaveView(ctx, v)
		})
	remove := op(http.MethodDelete, "/api/v1/views/{name}", "delete-view", "inventory", "Forget a saved list")
	remove.DefaultStatus = http.StatusNoContent
	handle(a, remove, func(ctx context.Context, in *struct {
		Name string `path:"name" maxLength:"128"`
	}) (*noBody, error) {
		if _, err := inv.View(ctx, in.Name); err != nil {
			return nil, err
		}
		if err := mine(ctx, in.Name); err != nil {
			return nil, err
		}
		return nil, inv.DeleteView(ctx, in.Name)
	})
}
