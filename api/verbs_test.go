package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
)

// Every verb of an incident from every state: what the record lists as legal is
// done, and everything else is refused in words that name state, verb and the
// legal ones. This asks the server, not the state machine's table.
func TestEveryVerbFromEveryState(t *testing.T) {
	h := build(t)
	bodies := map[string]any{
		"acknowledge": nil, "assign": map[string]any{"assignee": "bob"}, "hold": map[string]any{"reason": "vendor"}, "resume": nil,
		"resolve": map[string]any{"resolution": "x"}, "close": nil, "reopen": map[string]any{"reason": "y"}, "cancel": nil, "notes": map[string]any{"note": "n"},
		"major": nil, "minor": nil, "edit": map[string]any{"title": "z"}, "merge": nil, "split": map[string]any{"alerts": []string{"ALT00000001"}},
	}
	do := func(id, verb string) answer {
		method, path, body := "POST", "/api/v1/incidents/"+id+"/"+verb, bodies[verb]
		switch verb {
		case "edit":
			method, path = "PATCH", "/api/v1/incidents/"+id
		case "merge":
			body = map[string]any{"into": h.open("other", 2, 2).ID}
		}
		return h.call(auth.Responder, method, path, body)
	}
	for state, way := range map[string][]string{
		"new": nil, "in_progress": {"acknowledge"}, "on_hold": {"hold"}, "resolved": {"resolve"}, "closed": {"resolve", "close"}, "canceled": {"cancel"},
	} {
		for verb := range bodies {
			i := h.open("it is down", 1, 2)
			for _, v := range way {
				if a := do(i.ID, v); a.status != http.StatusOK {
					t.Fatalf("%s on the way to %s: %d %s", v, state, a.status, a.body)
				}
			}
			before := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID)
			if string(before.State) != state {
				t.Fatalf("%v leads to %s, not %s", way, before.State, state)
			}
			a := do(i.ID, verb)
			if slices.Contains(before.Legal, verb) {
				if a.status != http.StatusOK {
					t.Errorf("%s of an incident that is %s is legal and answers %d %s", verb, state, a.status, a.body)
				}
				continue
			}
			p := a.problem(t)
			if p.Status != http.StatusConflict || !slices.Equal(p.Legal, before.Legal) || !strings.Contains(p.Detail, `"`+verb+`"`) || !strings.Contains(p.Detail, " is "+state) || !strings.Contains(p.Detail, strings.Join(before.Legal, ", ")) {
				t.Errorf("%s of an incident that is %s: %+v", verb, state, p)
			}
			if after := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID); after.Revision != before.Revision {
				t.Errorf("a refused %s changed the incident", verb)
			}
		}
	}
}

// A stale edit is told the current revision, whatever the verb; merge and split too.
func TestStaleEditsAreRefused(t *testing.T) {
	h := build(t)
	i, other := h.open("x", 1, 2), h.open("y", 1, 2)
	if a := h.call(auth.Responder, "POST", "/api/v1/incidents/"+i.ID+"/acknowledge", nil, "If-Match", etag(i.Revision)); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	now := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID).Revision
	for verb, body := range map[string]any{"resolve": nil, "close": nil, "merge": map[string]any{"into": other.ID}, "split": map[string]any{"alerts": []string{"x"}}} {
		p := h.call(auth.Responder, "POST", "/api/v1/incidents/"+i.ID+"/"+verb, body, "If-Match", etag(i.Revision)).problem(t)
		if p.Status != http.StatusConflict || p.Revision == nil || *p.Revision != now {
			t.Errorf("%s of a stale revision: %+v", verb, p)
		}
	}
	if rows := h.audit("record:" + i.ID + "+refused:yes"); len(rows.Items) != 4 {
		t.Errorf("the audit has %d of the 4 refusals", len(rows.Items))
	}
}
