package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
)

// Inventory is what the API needs of the configuration items.
// *inventory.Inventory is one.
type Inventory interface {
	Registry() *cmdb.Registry
	List(ctx context.Context, q inventory.ListQuery) (inventory.Page, error)
	Matching(ctx context.Context, query string, most int) ([]string, error)
	Fields() []string
	Get(ctx context.Context, id string) (cmdb.CI, error)
	Ref(id string) (event.Ref, bool)
	Find(class, name string) (event.Ref, bool)
	Sections(ctx context.Context, id string) ([]inventory.SectionState, error)
	Section(ctx context.Context, id, name string) ([]byte, error)
	History(ctx context.Context, id string, q inventory.HistoryQuery) ([]inventory.Entry, string, error)
	Graph(ctx context.Context, id string, q inventory.GraphQuery) (inventory.Graph, error)
	Impact(ctx context.Context, id string, hops int) (inventory.Impact, error)
	Software(ctx context.Context, q inventory.SoftwareQuery) ([]inventory.Product, string, error)
	Tasks(ctx context.Context, all bool, cursor string, limit int) ([]inventory.Task, string, error)
	CloseTask(ctx context.Context, id, actor, decision string) (inventory.Task, error)
	AcceptTask(ctx context.Context, id, other, actor string) (inventory.Task, string, error)
	Upsert(ctx context.Context, it inventory.Item, source string) (cmdb.CI, bool, error)
	Relate(ctx context.Context, l inventory.Link, source string) error
	CheckRemove(id string) error
	Remove(ctx context.Context, id, source string) error
	Import(ctx context.Context, lines []inventory.Line, source string) ([]inventory.LineError, error)
	Join(ctx context.Context, req report.EnrollRequest, proof inventory.Proof) (inventory.Enrolled, error)
	Report(ctx context.Context, ci string, env report.Envelope) (report.Reply, error)
	Schedule() report.Schedule
	CheckColumns(columns []string) error
	ExportCSV(ctx context.Context, w io.Writer, query, sort string, columns []string) error
	ExportJSON(ctx context.Context, w io.Writer, query, sort string) error
	ImportCSV(ctx context.Context, r io.Reader, o inventory.ImportOptions) (inventory.ImportReport, error)
	BulkEdit(ctx context.Context, query string, e inventory.Edit, source string, dryRun bool, max int) (inventory.ImportReport, error)
	Complete(query string, pos, limit int) inventory.Completion
	Quality(ctx context.Context) (inventory.Quality, error)
	Coverage(ctx context.Context, query string) (cmdb.Coverage, error)
	Endings(ctx context.Context, query string, within time.Duration, fields []string) ([]inventory.Ending, error)
	Costs(ctx context.Context, query, by string) ([]inventory.Cost, error)
	AsOf(ctx context.Context, id string, at time.Time) (inventory.Snapshot, error)
	Compare(ctx context.Context, a string, atA time.Time, b string, atB time.Time) ([]cmdb.Difference, error)
	SinglePoints(ctx context.Context, id string, hops int) ([]inventory.SinglePoint, error)
	Health(ctx context.Context, id string, trouble func(id string) string) (inventory.Health, error)
	SBOM(ctx context.Context, id string, w io.Writer) error
	Merge(ctx context.Context, keep, other, actor string, force bool) (inventory.Merge, error)
	Unmerge(ctx context.Context, id, actor string) (cmdb.CI, error)
	Merges(ctx context.Context, cursor string, limit int) ([]inventory.Merge, string, error)
	ProposeServices(ctx context.Context, limit int) ([]inventory.Proposal, error)
	AcceptService(ctx context.Context, it inventory.Item, members []string, source string) (cmdb.CI, error)
	View(ctx context.Context, name string) (inventory.View, error)
	Views(ctx context.Context) ([]inventory.View, error)
	SaveView(ctx context.Context, v inventory.View) error
	DeleteView(ctx context.Context, name string) error
	Subscribe() *inventory.Subscription
}

// CIPage is a page of items; it also counts what matches in all.
type CIPage struct {
	Page[cmdb.CI]
	Total int `json:"total" doc:"Items that match"`
}

// CIDetail is one item with what is known of its sections.
type CIDetail struct {
	cmdb.CI
	ParentRef *Ref                     `json:"parent_ref,omitempty" doc:"The item that it was found on"`
	Sections  []inventory.SectionState `json:"sections" nullable:"false" doc:"Of a host that reports: what was received, and why it may not be whole"`
}

const queryDoc = "Filter (q): the inventory's query language, e.g. `class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab`. " +
	"Terms stand side by side and all must hold; or and parentheses are there; FIELD:* means any value; * in a value is any text; a bare word is looked for in names, aliases and addresses. " +
	"Errors name the place. /api/v1/classes lists classes and fields."

func (a *API) inventoryRoutes() {
	handle(a, describedAs(op(http.MethodGet, "/api/v1/cis", "list-cis", "inventory", "List configuration items"), queryDoc+"\n\nOrder (sort): name (the default), class, seen, first_seen or an attribute; a minus turns it round."),
		func(ctx context.Context, in *struct {
			Listing
		}) (*reply[CIPage], error) {
			p, err := a.o.Inventory.List(ctx, inventory.ListQuery{Query: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit})
			if err != nil {
				return nil, err
			}
			return &reply[CIPage]{CIPage{pageOf(p.Items, p.Next).Body, p.Total}}, nil
		})
	a.ciExport()
	a.assetRoutes()
	handle(a, op(http.MethodGet, "/api/v1/cis/{id}", "get-ci", "inventory", "One item: attributes with their sources, liveness, completeness, sections"),
		func(ctx context.Context, in *ByID) (*reply[CIDetail], error) {
			d, err := a.ciDetail(ctx, in.ID)
			return &reply[CIDetail]{d}, err
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/cis/{id}/sections/{section}", "get-ci-section", "inventory", "The newest content of a section of a host's report"),
		"As the agent sent it: "+strings.Join(report.Sections(), ", ")+"."),
		func(ctx context.Context, in *struct {
			ByID
			Section string `path:"section" maxLength:"40"`
		}) (*reply[json.RawMessage], error) {
			b, err := a.o.Inventory.Section(ctx, in.ID, in.Section)
			return &reply[json.RawMessage]{b}, err
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/cis/{id}/history", "list-ci-history", "inventory", "What changed on an item, newest first"),
		"Fields are attribute names; label.NAME; ci.name and the like for the rest of the item; software:TYPE/NAME for installed versions; relation:TYPE for edges; change:TYPE for what was told (deployed, rebooted); liveness.\n\n"+a.historyOrder("", inventory.HistoryQuery{}).doc()),
		func(ctx context.Context, in *struct {
			Within
			Field string    `query:"field" maxLength:"200" doc:"Only this field"`
			Since time.Time `query:"since" doc:"Only what changed at or after"`
			Until time.Time `query:"until" doc:"Only what changed before"`
		}) (*reply[Page[inventory.Entry]], error) {
			return page(ctx, a, a.historyOrder(in.ID, inventory.HistoryQuery{Field: in.Field, Since: in.Since, Until: in.Until}), in.Listing, asKept)
		})
	handle(a, op(http.MethodGet, "/api/v1/cis/{id}/graph", "get-ci-graph", "inventory", "The topology around an item, nearest first"),
		func(ctx context.Context, in *struct {
			ByID
			Hops      int      `query:"hops" minimum:"1" maximum:"10" default:"2"`
			Direction string   `query:"direction" enum:"both,needs,dependents" default:"both" doc:"needs: what it depends on; dependents: what depends on it"`
			Types     []string `query:"types" nullable:"false" doc:"Only relations of these types, separated by commas"`
			Limit     int      `query:"limit" minimum:"1" maximum:"5000" default:"500" doc:"Most nodes"`
		}) (*reply[inventory.Graph], error) {
			g, err := a.o.Inventory.Graph(ctx, in.ID, inventory.GraphQuery{Hops: in.Hops, Direction: in.Direction, Types: in.Types, Limit: in.Limit})
			g.Nodes, g.Edges = orEmpty(g.Nodes), orEmpty(g.Edges)
			return &reply[inventory.Graph]{g}, err
		})
	handle(a, op(http.MethodGet, "/api/v1/cis/{id}/impact", "get-ci-impact", "inventory", "What fails with an item, most critical and nearest first"),
		func(ctx context.Context, in *struct {
			ByID
			Hops int `query:"hops" minimum:"1" maximum:"10" default:"5"`
		}) (*reply[inventory.Impact], error) {
			x, err := a.o.Inventory.Impact(ctx, in.ID, in.Hops)
			x.Affected = orEmpty(x.Affected)
			return &reply[inventory.Impact]{x}, err
		})
	handle(a, op(http.MethodGet, "/api/v1/classes", "list-classes", "inventory", "Classes with their fields, relation types, and every field that a query can name"),
		func(context.Context, *struct{}) (*reply[Classes], error) {
			r := a.o.Inventory.Registry()
			return &reply[Classes]{Classes{orEmpty(r.Classes()), orEmpty(r.Relations()), orEmpty(a.o.Inventory.Fields())}}, nil
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/software", "list-software", "inventory", "Installed products with versions and numbers of hosts"),
		a.softwareOrder(inventory.SoftwareQuery{}).doc()+"\n\nA single word is a part of the product's name, or a pattern of the whole with *."),
		func(ctx context.Context, in *struct {
			Listing
			Type string `query:"type" maxLength:"40" doc:"Ecosystem: deb, rpm, npm, ..."`
			CIs  string `query:"cis" maxLength:"1000" doc:"Only hosts that match this query of items"`
		}) (*reply[Page[inventory.Product]], error) {
			return page(ctx, a, a.softwareOrder(inventory.SoftwareQuery{Type: in.Type, CIs: in.CIs}), in.Listing, asKept)
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/tasks", "list-tasks", "inventory", "What the inventory saw and does not decide alone: clones, conflicts, proposals, agents that are gone"), a.taskOrder(false).doc()),
		func(ctx context.Context, in *struct {
			Listing
			All bool `query:"all" doc:"Also those that were decided"`
		}) (*reply[Page[inventory.Task]], error) {
			return page(ctx, a, a.taskOrder(in.All), in.Listing, asKept)
		})
	a.inventoryWrites()
	a.serviceRoutes()
}

func (a *API) historyOrder(id string, h inventory.HistoryQuery) order[inventory.Entry] {
	return order[inventory.Entry]{
		natural: []string{"-at", "at"},
		id:      func(e inventory.Entry) string { return e.ID },
		lang:    filter.Record[inventory.Entry](),
		fetch: func(ctx context.Context, q filter.Query[inventory.Entry], natural string, at engine.Range) (engine.Page[inventory.Entry], error) {
			h.Oldest = natural == "at"
			return kept(q, at, func(at engine.Range) ([]inventory.Entry, string, error) {
				h.Cursor, h.Limit = at.Cursor, at.Limit
				return a.o.Inventory.History(ctx, id, h)
			})
		},
	}
}

// softwareLanguage has bare words look in names only: that is what people type.
var softwareLanguage = filter.Language[inventory.Product]{
	Fields: map[string]filter.Field[inventory.Product]{
		"version": {Doc: "any that is installed", Text: func(p inventory.Product) []string {
			out := make([]string, len(p.Versions))
			for i, v := range p.Versions {
				out[i] = v.Version
			}
			return out
		}},
	},
	Free: func(p inventory.Product) []string { return []string{p.Name} },
}.With(filter.Record[inventory.Product]())

func (a *API) softwareOrder(s inventory.SoftwareQuery) order[inventory.Product] {
	return order[inventory.Product]{
		natural: []string{"name", "-name", "hosts", "-hosts"}, id: func(p inventory.Product) string { return p.Name + " " + p.Type }, lang: softwareLanguage,
		fetch: func(ctx context.Context, q filter.Query[inventory.Product], natural string, at engine.Range) (engine.Page[inventory.Product], error) {
			s.Sort = natural
			if word, ok := q.Word(); ok { // the inventory finds it sooner
				s.Name, q = word, filter.Query[inventory.Product]{}
			}
			return kept(q, at, func(at engine.Range) ([]inventory.Product, string, error) {
				s.Cursor, s.Limit = at.Cursor, at.Limit
				return a.o.Inventory.Software(ctx, s)
			})
		},
	}
}

func (a *API) taskOrder(all bool) order[inventory.Task] {
	return order[inventory.Task]{
		natural: []string{"id"}, id: func(t inventory.Task) string { return t.ID }, lang: filter.Record[inventory.Task](),
		fetch: func(ctx context.Context, q filter.Query[inventory.Task], _ string, at engine.Range) (engine.Page[inventory.Task], error) {
			return kept(q, at, func(at engine.Range) ([]inventory.Task, string, error) {
				return a.o.Inventory.Tasks(ctx, all, at.Cursor, at.Limit)
			})
		},
	}
}

// Classes is what kinds of items and relations there are.
type Classes struct {
	Classes   []cmdb.Class        `json:"classes" nullable:"false"`
	Relations []cmdb.RelationType `json:"relations" nullable:"false"`
	Fields    []string            `json:"fields" nullable:"false" doc:"What a query can name"`
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (a *API) ciDetail(ctx context.Context, id string) (CIDetail, error) {
	c, err := a.o.Inventory.Get(ctx, id)
	if err != nil {
		return CIDetail{}, err
	}
	d := CIDetail{CI: c}
	if d.Sections, err = a.o.Inventory.Sections(ctx, c.ID); err != nil {
		return d, err
	}
	d.Sections = orEmpty(d.Sections)
	if r, ok := a.o.Inventory.Ref(c.Parent); ok {
		d.ParentRef = &Ref{r.Class, r.Name}
	}
	return d, nil
}

// CIWrite is what a person says of an item.
type CIWrite struct {
	Class      string            `json:"class" minLength:"1" maxLength:"64"`
	Name       string            `json:"name" minLength:"1" maxLength:"300"`
	Attributes map[string]any    `json:"attributes,omitempty" doc:"Fields of the class; null takes back what you said before"`
	Labels     map[string]string `json:"labels,omitempty" doc:"Replace those there are"`
	Tags       []string          `json:"tags,omitempty" nullable:"false" doc:"Replace those there are"`
}

// CIEdit changes what it names.
type CIEdit struct {
	Name       string            `json:"name,omitempty" maxLength:"300"`
	Attributes map[string]any    `json:"attributes,omitempty" doc:"Fields of the class; null takes back what you said before. Others stay as they are"`
	Labels     map[string]string `json:"labels,omitempty" doc:"Replace those there are"`
	Tags       []string          `json:"tags,omitempty" nullable:"false" doc:"Replace those there are"`
}

// source names the caller among the sources of an item's attributes.
func source(ctx context.Context) string { return "person:" + callOf(ctx).who.Actor }

func (a *API) inventoryWrites() {
	create := op(http.MethodPost, "/api/v1/cis", "create-ci", "inventory", "Record an item by hand; one that is known by its identifiers, or class and name, is edited")
	create.DefaultStatus = http.StatusCreated
	handle(a, create, func(ctx context.Context, in *struct{ Body CIWrite }) (*created[CIDetail], error) {
		b := in.Body
		c, _, err := a.o.Inventory.Upsert(ctx, inventory.Item{Class: b.Class, Name: b.Name, Attributes: attributes(b.Attributes), Labels: b.Labels, Tags: b.Tags}, source(ctx))
		if err != nil {
			return nil, err
		}
		if err := a.noteAct(ctx, "record", "ci", c.ID, b); err != nil {
			return nil, err
		}
		d, err := a.ciDetail(ctx, c.ID)
		return &created[CIDetail]{Location: "/api/v1/cis/" + c.ID, Body: d}, err
	})
	handle(a, op(http.MethodPatch, "/api/v1/cis/{id}", "edit-ci", "inventory", "Edit an item: what a person says wins over what was discovered, by the field's authority"),
		func(ctx context.Context, in *struct {
			ByID
			Body CIEdit
		}) (*reply[CIDetail], error) {
			c, err := a.o.Inventory.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			it := inventory.Item{ID: c.ID, Class: c.Class, Name: c.Name, Attributes: attributes(in.Body.Attributes), Labels: in.Body.Labels, Tags: in.Body.Tags}
			if in.Body.Name != "" {
				it.Name = in.Body.Name
			}
			after, _, err := a.o.Inventory.Upsert(ctx, it, source(ctx))
			if err != nil {
				return nil, err
			}
			if err := a.noteChange(ctx, "edit", "ci", c.ID, in.Body, c, after); err != nil {
				return nil, err
			}
			d, err := a.ciDetail(ctx, c.ID)
			return &reply[CIDetail]{d}, err
		})
	remove := describedAs(op(http.MethodDelete, "/api/v1/cis/{id}", "delete-ci", "inventory", "Remove an item with what was found on it; its history stays, its agent's credential ends"),
		"409: it reports and would come back as a new item, or others stand in it; force removes it all the same.")
	remove.DefaultStatus = http.StatusNoContent
	handle(a, remove, func(ctx context.Context, in *struct {
		ByID
		Force bool `query:"force" doc:"Also a machine that reports, or a place that holds something"`
	}) (*noBody, error) {
		c, err := a.o.Inventory.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !in.Force {
			if err := a.o.Inventory.CheckRemove(c.ID); err != nil {
				return nil, err
			}
		}
		if err := a.o.Inventory.Remove(ctx, c.ID, source(ctx)); err != nil {
			return nil, err
		}
		if err := a.o.Auth.UnbindAgents(ctx, callOf(ctx).by(), c.ID); err != nil {
			return nil, err
		}
		return nil, a.noteChange(ctx, "delete", "ci", c.ID, nil, c, nil)
	})
	relate := op(http.MethodPost, "/api/v1/relations", "write-relation", "inventory", "Record a relation, or take it back with removed: true")
	relate.DefaultStatus = http.StatusNoContent
	handle(a, relate, func(ctx context.Context, in *struct{ Body RelationWrite }) (*noBody, error) {
		b := in.Body
		if err := a.o.Inventory.Relate(ctx, inventory.Link{From: event.Ref(b.From), Type: b.Type, To: event.Ref(b.To), Removed: b.Removed}, source(ctx)); err != nil {
			return nil, err
		}
		return nil, a.noteAct(ctx, "relate", "ci", b.From.ID, b)
	})
	handle(a, op(http.MethodPost, "/api/v1/tasks/{id}/close", "close-task", "inventory", "Say how a task was decided"),
		func(ctx context.Context, in *struct {
			ByID
			Body struct {
				Decision string `json:"decision" minLength:"1" maxLength:"2000"`
			}
		}) (*reply[inventory.Task], error) {
			t, err := a.o.Inventory.CloseTask(ctx, in.ID, callOf(ctx).who.Actor, in.Body.Decision)
			if err != nil {
				return nil, err
			}
			return &reply[inventory.Task]{t}, a.noteAct(ctx, "close", "task", in.ID, in.Body)
		})
	handle(a, describedAs(op(http.MethodPost, "/api/v1/tasks/{id}/accept", "accept-task", "inventory", "Say that what a task asks is so: the items are one"),
		"Of a contested identity: the newcomer is the machine, installed anew. The item keeps its id, owner and history, and the credential of the agent that reported before ends."),
		func(ctx context.Context, in *struct {
			ByID
			Body TaskAcceptance
		}) (*reply[inventory.Task], error) {
			by := callOf(ctx).by()
			t, ci, err := a.o.Inventory.AcceptTask(ctx, in.ID, in.Body.Other, callOf(ctx).who.Actor)
			if err != nil {
				return nil, err
			}
			if t.Kind == inventory.TaskContested || t.Kind == inventory.TaskClone {
				if err := a.o.Auth.UnbindAgents(ctx, by, ci); err != nil {
					return nil, err
				}
			}
			return &reply[inventory.Task]{t}, a.noteAct(ctx, "accept", "task", in.ID, in.Body)
		})
	a.importRoute()
}

// TaskAcceptance accepts what a task asks.
type TaskAcceptance struct {
	Other string `json:"other,omitempty" maxLength:"200" doc:"Which of the newcomers it is, where the task names several"`
}

// attributes puts JSON values into the inventory's form; null stays, it takes back.
func attributes(m map[string]any) cmdb.Attributes {
	if m == nil {
		return nil
	}
	out := make(cmdb.Attributes, len(m))
	for k, v := range m {
		if v == nil {
			out[k] = nil
			continue
		}
		out[k] = cmdb.Normalize(v)
	}
	return out
}

// RelationWrite is an edge, read "from TYPE to": from needs to.
type RelationWrite struct {
	From    Named  `json:"from"`
	Type    string `json:"type" minLength:"1" maxLength:"64" doc:"runs_on, depends_on, member_of, ...; /api/v1/classes lists them"`
	To      Named  `json:"to"`
	Removed bool   `json:"removed,omitempty"`
}

// Named names an item by id, or by class and name.
type Named struct {
	ID    string `json:"id,omitempty" maxLength:"300"`
	Class string `json:"class,omitempty" maxLength:"64"`
	Name  string `json:"name,omitempty" maxLength:"300"`
}

// noteAct makes a fact of an act that was done elsewhere.
func (a *API) noteAct(ctx context.Context, verb, kind, id string, args any) error {
	return a.noteChange(ctx, verb, kind, id, args, nil, nil)
}

// noteChange is noteAct with what there was before and after it; nil: nothing.
func (a *API) noteChange(ctx context.Context, verb, kind, id string, args, before, after any) error {
	who := callOf(ctx)
	c := event.Command{Verb: verb, Record: kind, ID: id, Actor: who.who.Actor, Remote: who.remote}
	if err := c.Audit(args, before, after); err != nil {
		return err
	}
	ev, err := event.New(&c)
	if err != nil {
		return err
	}
	_, err = a.o.Journal.Write(ctx, ev)
	return err
}
