package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// verbOf is a person's verb on a kind of record, and the operation that does it.
type verbOf struct {
	record, name string
	op           huma.Operation
}

// argument registers a verb whose body has one type of arguments.
type argument func(a *API, v verbOf)

const verbDoc = "Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. " +
	"With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 409 with the current `revision`."

type verbInput[B any] struct {
	ByID
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The revision that the act is based on"`
	Body    *B
}

// arguments registers a verb that takes a B. The body may be left out where
// nothing in it is needed.
func arguments[B any](a *API, v verbOf) {
	v.op = describedAs(v.op, verbDoc)
	switch v.record {
	case "maintenance":
		handle(a, v.op, func(ctx context.Context, in *verbInput[B]) (*maintenanceReply, error) {
			id, err := perform(ctx, a, v, in)
			if err != nil {
				return nil, err
			}
			return a.maintenanceRecord(ctx, id)
		})
		return
	case "problem":
		handle(a, v.op, func(ctx context.Context, in *verbInput[B]) (*problemReply, error) {
			id, err := perform(ctx, a, v, in)
			if err != nil {
				return nil, err
			}
			return a.problemRecord(ctx, id)
		})
		return
	}
	handle(a, v.op, func(ctx context.Context, in *verbInput[B]) (*incidentReply, error) {
		id, err := perform(ctx, a, v, in)
		if err != nil {
			return nil, err
		}
		return a.incident(ctx, id)
	})
}

// perform does a verb. The engine compares the revision where it decides, so that no
// other edit can come in between; verbs that take none are compared here.
func perform[B any](ctx context.Context, a *API, v verbOf, in *verbInput[B]) (string, error) {
	args := map[string]any{}
	if in.Body != nil {
		raw, err := json.Marshal(in.Body)
		if err != nil {
			return "", fmt.Errorf("encode the arguments of %s: %w", v.name, err)
		}
		if err := json.Unmarshal(raw, &args); err != nil {
			return "", fmt.Errorf("encode the arguments of %s: %w", v.name, err)
		}
	}
	if in.IfMatch != "" && in.IfMatch != "*" {
		want, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(in.IfMatch, "W/"), `"`), 10, 64)
		if err != nil || want == 0 {
			return "", fault.Invalidf("If-Match", "want the revision that the record was read with, got %q", in.IfMatch)
		}
		now, err := a.revision(ctx, v.record, in.ID)
		if err != nil {
			return "", err
		}
		if now != want {
			return "", &stale{now, fault.Conflictf("%s is at revision %d, not %d: somebody changed it; read it again and repeat the edit", in.ID, now, want)}
		}
		if !unversioned[v.name] {
			args["revision"] = want
		}
	}
	id, err := a.submit(ctx, v, in.ID, args)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Conflict && f.Legal == nil && args["revision"] != nil {
		if now, e := a.revision(ctx, v.record, in.ID); e == nil && now != args["revision"] {
			return "", &stale{now, f}
		}
	}
	return id, err
}

// unversioned verbs have no revision among their arguments.
var unversioned = map[string]bool{"merge": true, "split": true, "link": true, "unlink": true}

func (a *API) revision(ctx context.Context, record, id string) (uint64, error) {
	switch record {
	case "maintenance":
		doc, _, err := a.o.Engine.Records().Maintenance(ctx, id)
		return doc.Revision, err
	case "problem":
		doc, _, err := a.o.Engine.Records().Problem(ctx, id)
		return doc.Revision, err
	default:
		doc, _, err := a.o.Engine.Records().Incident(ctx, id)
		return doc.Revision, err
	}
}

// commandWait bounds how long a verb waits for its outcome.
const commandWait = 15 * time.Second

// submit journals a person's verb and waits for its outcome. It returns the id of
// the record that the verb made or changed.
func (a *API) submit(ctx context.Context, v verbOf, id string, args any) (string, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return "", fmt.Errorf("encode the arguments of %s: %w", v.name, err)
	}
	c := callOf(ctx)
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	out, err := a.o.Engine.Submit(ctx, event.Command{Verb: v.name, Record: v.record, ID: id, Actor: c.who.Actor, Remote: c.remote, Args: raw})
	return out.Record, err
}
