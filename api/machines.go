package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/budget"
	"github.com/watchbill/watchbill/internal/engine/replay"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Bounds of what machines send, unpacked.
const (
	enrollMost = 1 << 20
	reportMost = 32 << 20
	importMost = 1 << 30
)

// unpacked opens a body that may be gzip and bounds what comes out of it.
func (a *API) unpacked(x *Raw, most int64) (io.ReadCloser, error) {
	switch enc := strings.ToLower(x.r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return http.MaxBytesReader(x.w, x.r.Body, most), nil
	case "gzip":
		z, err := gzip.NewReader(http.MaxBytesReader(x.w, x.r.Body, most))
		if err != nil {
			return nil, fault.Invalidf("Content-Encoding", "says gzip, but the body is not: %v", err)
		}
		return http.MaxBytesReader(x.w, z, most), nil
	default:
		return nil, fault.Invalidf("Content-Encoding", "want gzip or none, got %q", enc)
	}
}

// decodeBody reads one JSON document. Unknown fields are fine: an agent may be newer.
// What is unpacked is taken out of the caller's share of memory, until the call ends.
func (a *API) decodeBody(x *Raw, most int64, into any) error {
	b, err := a.unpacked(x, most)
	if err != nil {
		return err
	}
	if err := json.NewDecoder(callOf(x.r.Context()).share.Reader(b, bodyWeight)).Decode(into); err != nil {
		if errors.Is(err, budget.ErrSpent) {
			return fault.Unavailablef("%v: try again", err)
		}
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return err
		}
		return fault.JSON("body", err)
	}
	return nil
}

func (a *API) agentRoutes() {
	enroll := describedAs(op(http.MethodPost, "/api/v1/agent/enroll", "enroll-agent", "machines", "Trade a join token for a credential bound to one item"),
		"Wants a token of role agent that is bound to nothing, within its limits. Every earlier credential of that item ends. Who comes under the identity of a machine "+
			"whose agent reports, without that agent's credential in previous, gets an item of its own and takes over nothing; a task asks a person. "+
			"409: the identifiers belong to two machines; a task asks a person.")
	enroll.RequestBody = jsonBody("EnrollRequest; gzip is fine")
	handle(a, enroll, func(ctx context.Context, in *Raw) (*reply[report.EnrollReply], error) {
		who := callOf(ctx).who
		if who.CI != "" {
			return nil, &auth.Denied{Reason: auth.Forbidden, Message: "this credential is bound to an item already: join with a join token"}
		}
		var req report.EnrollRequest
		if err := a.decodeBody(in, enrollMost, &req); err != nil {
			return nil, err
		}
		if err := a.o.Auth.Admit(ctx, who.Token, callOf(ctx).remote, req.Agent.Site); err != nil {
			return nil, err
		}
		// The earlier credential proves that it is the same installation; one that is
		// not good any more proves nothing.
		previous := ""
		if req.Previous != "" {
			p, err := a.o.Auth.Bearer(ctx, req.Previous)
			var d *auth.Denied
			if err != nil && !errors.As(err, &d) {
				return nil, err
			}
			previous = p.CI
		}
		x, err := a.o.Inventory.Join(ctx, req, inventory.Proof{Previous: previous, Held: a.o.Auth.Bound})
		if err != nil {
			return nil, err
		}
		_, secret, err := a.o.Auth.BindAgent(ctx, callOf(ctx).by(), who.Token, previous == "", x.CI.ID, "agent on "+x.CI.Name)
		if err != nil {
			return nil, err
		}
		for _, ci := range x.Contested {
			a.log.Warn("an agent came under the identity of a machine that reports: it got an item of its own, see the tasks", "ci", ci, "newcomer", x.CI.ID, "name", x.CI.Name, "remote", callOf(ctx).remote)
			if err := a.noteAct(ctx, "contest", "ci", ci, map[string]string{"newcomer": x.CI.ID, "join_token": who.Token}); err != nil {
				return nil, err
			}
		}
		return &reply[report.EnrollReply]{report.EnrollReply{Credential: secret, CI: x.CI.ID, Schedule: a.o.Inventory.Schedule()}}, nil
	})
	reports := describedAs(op(http.MethodPost, "/api/v1/agent/reports", "report-agent", "machines", "Receive one report of an agent"),
		"Wants the credential that enrolment gave: it can report for its own item only. Sections that did not change come as hashes.")
	reports.RequestBody = jsonBody("Envelope; gzip is fine")
	handle(a, reports, func(ctx context.Context, in *Raw) (*reply[report.Reply], error) {
		ci := callOf(ctx).who.CI
		if ci == "" {
			return nil, &auth.Denied{Reason: auth.Forbidden, Message: "a join token cannot report: trade it for a credential at /api/v1/agent/enroll first"}
		}
		var env report.Envelope
		if err := a.decodeBody(in, reportMost, &env); err != nil {
			return nil, err
		}
		if s := callOf(ctx).who.Site; s != "" && env.Agent.Site != s {
			env.Agent.Site, env.Peers = "", nil // of a mesh that its join token was not for
		}
		out, err := a.o.Inventory.Report(ctx, ci, env)
		return &reply[report.Reply]{out}, err
	})
}

// Imported says what became of an import's lines.
type Imported struct {
	Items     int         `json:"items"`
	Relations int         `json:"relations"`
	Events    int         `json:"events" doc:"Alerts, changes and maintenance that were journaled"`
	Wrong     []WrongLine `json:"wrong" nullable:"false" doc:"Lines that were left out, at most 1000 of them"`
	WrongAll  int         `json:"wrong_total"`
}

// WrongLine is a line of an import that was left out whole.
type WrongLine struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

func (a *API) importRoute() {
	o := describedAs(op(http.MethodPost, "/api/v1/import", "import", "operations", "Read a recording into this installation"),
		"JSON lines, gzip or not. Items and relations are taken at any time. Alerts, changes and maintenance only into an installation that has received no alert yet: "+
			"they count as received now, in their order. Commands, rules and ticks of a recording are left out.")
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: &huma.Schema{Type: "string"}}}}
	handle(a, o, func(ctx context.Context, in *struct {
		Raw
		Source string `query:"source" maxLength:"40" pattern:"^[a-z0-9-]*$" doc:"Whose words these are, among the sources of an item"`
	}) (*reply[Imported], error) {
		body, err := a.unpacked(&in.Raw, importMost)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		name := inventory.SourceImport
		if in.Source != "" {
			name += ":" + in.Source
		}
		out, err := a.importAll(ctx, body, name)
		if err != nil {
			return nil, err
		}
		return &reply[Imported]{out}, a.noteAct(ctx, "import", "ci", "", map[string]int{"items": out.Items, "relations": out.Relations, "events": out.Events, "wrong": out.WrongAll})
	})
}

// importer gathers lines for the inventory and events for the journal.
type importer struct {
	a      *API
	source string
	known  map[string]event.Ref // id in the recording → what it means here
	lines  []inventory.Line
	at     []int // line numbers of lines
	events []event.Event
	out    Imported
}

const importBatch = 500

func (a *API) importAll(ctx context.Context, r io.Reader, source string) (Imported, error) {
	x := &importer{a: a, source: source, known: map[string]event.Ref{}, out: Imported{Wrong: []WrongLine{}}}
	n := 0
	empty := a.o.Engine.Status().Received == 0
	for e, err := range replay.Read(r) {
		if err != nil {
			return x.out, err
		}
		n++
		switch e.Kind {
		case event.KindCI, event.KindRelation:
			if err := x.item(e, n); err != nil {
				x.wrong(n, err)
			}
		case event.KindAlertmanager, event.KindChange, event.KindMaintenance, event.KindLiveness:
			if !empty {
				return x.out, fault.Conflictf("line %d is of kind %s: those are only read into an installation that has received no alert yet; items and relations are taken at any time", n, e.Kind)
			}
			if _, err := e.Payload(); err != nil {
				x.wrong(n, err)
				continue
			}
			x.events = append(x.events, e)
		}
		if len(x.lines) >= importBatch || len(x.events) >= importBatch {
			if err := x.flush(ctx); err != nil {
				return x.out, err
			}
		}
	}
	return x.out, x.flush(ctx)
}

func (x *importer) wrong(line int, err error) {
	x.out.WrongAll++
	if len(x.out.Wrong) < 1000 {
		x.out.Wrong = append(x.out.Wrong, WrongLine{line, fault.Public(err).Error()})
	}
}

// item takes an item or relation line. Ids of another installation mean nothing
// here: its items are known by class and name.
func (x *importer) item(e event.Event, line int) error {
	body, err := e.Payload()
	if err != nil {
		return err
	}
	switch b := body.(type) {
	case *event.CI:
		if b.ID != "" {
			x.known[b.ID] = event.Ref{Class: b.Class, Name: b.Name}
		}
		if b.Removed {
			return nil
		}
		x.lines = append(x.lines, inventory.Line{CI: &inventory.Item{Class: b.Class, Name: b.Name, Attributes: attributes(b.Attributes), Labels: b.Labels}})
	case *event.Relation:
		x.lines = append(x.lines, inventory.Line{Relation: &inventory.Link{From: x.here(b.From), Type: b.Type, To: x.here(b.To), Removed: b.Removed}})
	}
	x.at = append(x.at, line)
	return nil
}

func (x *importer) here(r event.Ref) event.Ref {
	if k, ok := x.known[r.ID]; ok && r.ID != "" {
		return k
	}
	if r.Class != "" && r.Name != "" {
		r.ID = ""
	}
	return r
}

// flush writes what was gathered: items first, so that events find them.
func (x *importer) flush(ctx context.Context) error {
	bad, err := x.a.o.Inventory.Import(ctx, x.lines, x.source)
	for _, b := range bad {
		x.wrong(x.at[b.Line], b.Err)
	}
	if err != nil {
		return fmt.Errorf("import items: %w", err)
	}
	left := map[int]bool{}
	for _, b := range bad {
		left[b.Line] = true
	}
	for i, l := range x.lines {
		switch {
		case left[i]:
		case l.CI != nil:
			x.out.Items++
		default:
			x.out.Relations++
		}
	}
	if len(x.events) > 0 {
		for i := range x.events {
			if err := x.rename(&x.events[i]); err != nil {
				return err
			}
		}
		err = x.a.o.DB.Update(ctx, func(tx store.Tx) error {
			_, err := x.a.o.Journal.AppendAt(tx, x.events...)
			return err
		})
		if err != nil {
			return fmt.Errorf("journal the recording: %w", err)
		}
		x.out.Events += len(x.events)
	}
	x.lines, x.at, x.events = x.lines[:0], x.at[:0], nil
	return nil
}

// rename puts the ids of this installation into an event that names items.
func (x *importer) rename(e *event.Event) error {
	body, err := e.Payload()
	if err != nil {
		return err
	}
	var named event.Body
	switch b := body.(type) {
	case *event.Change:
		c := *b
		c.CI = x.found(c.CI)
		named = &c
	case *event.Maintenance:
		m := *b
		m.CIs = make([]event.Ref, len(b.CIs))
		for i, r := range b.CIs {
			m.CIs[i] = x.found(r)
		}
		named = &m
	case *event.Liveness:
		l := *b
		if l.CI != (event.Ref{}) {
			l.CI = x.found(l.CI)
		}
		named = &l
	default:
		return nil
	}
	at, source := e.At, e.Source
	if *e, err = event.New(named); err != nil {
		return err
	}
	e.At, e.Source = at, source
	return nil
}

func (x *importer) found(r event.Ref) event.Ref {
	r = x.here(r)
	if f, ok := x.a.o.Inventory.Find(r.Class, r.Name); ok && r.ID == "" {
		return f
	}
	return r
}
