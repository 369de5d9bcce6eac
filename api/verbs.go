package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// kind is a sort of record that people act upon: R is its form in the API.
type kind[R any] struct {
	name, plural string
	read         func(ctx context.Context, id string) (*recorded[R], error)
}

func (k kind[R]) path() string { return "/api/v1/" + k.plural }

// recorded answers a record with the revision that an edit names in If-Match.
type recorded[R any] struct {
	ETag string `header:"ETag"`
	Body R
}

// created answers a record that was made.
type created[R any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     R
}

// readable registers how one record of a kind and its timeline are read.
func readable[R any](a *API, k kind[R], summary string) {
	handle(a, op(http.MethodGet, k.path()+"/{id}", "get-"+k.name, k.plural, summary),
		func(ctx context.Context, in *ByID) (*recorded[R], error) { return k.read(ctx, in.ID) })
	handle(a, op(http.MethodGet, k.path()+"/{id}/timeline", "list-"+k.name+"-timeline", k.plural, "Its timeline, oldest first"),
		func(ctx context.Context, in *Within) (*reply[Page[TimelineEntry]], error) {
			if _, err := k.read(ctx, in.ID); err != nil {
				return nil, err
			}
			return page(ctx, a, a.timelineOrder(in.ID), in.Listing, entryOf)
		})
}

// creatable registers how a record of a kind is made from a B. args turns it into
// the command's arguments; nil: it is them.
func creatable[B, R any](a *API, k kind[R], summary string, args func(ctx context.Context, b B) (any, error)) {
	o := op(http.MethodPost, k.path(), "create-"+k.name, k.plural, summary)
	o.DefaultStatus = http.StatusCreated
	handle(a, o, func(ctx context.Context, in *struct{ Body B }) (*created[R], error) {
		var given any = in.Body
		if args != nil {
			var err error
			if given, err = args(ctx, in.Body); err != nil {
				return nil, err
			}
		}
		id, err := a.submit(ctx, k.name, "create", "", given)
		if err != nil {
			return nil, err
		}
		x, err := k.read(ctx, id)
		if err != nil {
			return nil, err
		}
		return &created[R]{Location: k.path() + "/" + id, ETag: x.ETag, Body: x.Body}, nil
	})
}

// verb registers one verb of a kind.
type verb[R any] func(a *API, k kind[R], name, summary string)

const verbDoc = "Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. " +
	"With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`."

// completed is a verb's body that names what must be looked up first.
type completed interface{ complete(a *API) error }

// takes is a verb whose body is a B, which may be left out where nothing in it is needed.
func takes[B, R any](a *API, k kind[R], name, summary string) {
	method, path := http.MethodPost, k.path()+"/{id}/"+name
	if name == "edit" {
		method, path = http.MethodPatch, k.path()+"/{id}"
	}
	o := op(method, path, strings.ReplaceAll(name, "_", "-")+"-"+k.name, k.plural, summary)
	handle(a, describedAs(o, verbDoc), func(ctx context.Context, in *struct {
		ByID
		IfMatch string `header:"If-Match" maxLength:"64" doc:"The revision that the act is based on"`
		Body    *B
	}) (*recorded[R], error) {
		if b, ok := any(in.Body).(completed); ok && in.Body != nil {
			if err := b.complete(a); err != nil {
				return nil, err
			}
		}
		args, err := argumentsOf(in.Body, in.IfMatch)
		if err != nil {
			return nil, fmt.Errorf("read the arguments of %s: %w", name, err)
		}
		id, err := a.submit(ctx, k.name, name, in.ID, args)
		if err != nil {
			return nil, err
		}
		return k.read(ctx, id)
	})
}

// argumentsOf is what a verb's command carries: the body, and the revision that the
// caller has read. The engine compares it where it decides, so that no other edit
// can come in between.
func argumentsOf[B any](body *B, ifMatch string) (map[string]any, error) {
	args := map[string]any{}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
	}
	if ifMatch != "" && ifMatch != "*" {
		revision, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
		if err != nil || revision == 0 {
			return nil, fault.Invalidf("If-Match", "want the revision that the record was read with, got %q", ifMatch)
		}
		args["revision"] = revision
	}
	return args, nil
}

// commandWait bounds how long a verb waits for its outcome.
const commandWait = 15 * time.Second

// submit journals a person's verb and waits for its outcome. It returns the id of
// the record that the verb made or changed.
func (a *API) submit(ctx context.Context, record, verb, id string, args any) (string, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return "", fmt.Errorf("encode the arguments of %s: %w", verb, err)
	}
	c := callOf(ctx)
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	out, err := a.o.Engine.Submit(ctx, event.Command{Verb: verb, Record: record, ID: id, Actor: c.who.Actor, Remote: c.remote, Args: raw})
	return out.Record, err
}

// wordsOf writes verbs as the API does.
func wordsOf[V ~string](verbs []V) []string {
	out := make([]string, len(verbs))
	for n, v := range verbs {
		out[n] = string(v)
	}
	return out
}
