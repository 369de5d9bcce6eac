package api

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
		if p.Status != http.StatusPreconditionFailed || p.Revision == nil || *p.Revision != now {
			t.Errorf("%s of a stale revision: %+v", verb, p)
		}
	}
	if rows := h.audit("record:" + i.ID + "+refused:yes"); len(rows.Items) != 4 {
		t.Errorf("the audit has %d of the 4 refusals", len(rows.Items))
	}
}

// The audit tells what an act found and left, who took copies, and can be exported whole.
func TestAuditTellsBeforeAndAfter(t *testing.T) {
	h := build(t)
	if a := h.call(auth.Admin, "POST", "/api/v1/users", map[string]any{"name": "eve", "role": "viewer"}); a.status != http.StatusCreated {
		t.Fatal(a.status, a.body)
	}
	h.call(auth.Admin, "PATCH", "/api/v1/users/eve", map[string]any{"role": "admin", "password": "correct horse battery"})
	h.call(auth.Admin, "DELETE", "/api/v1/users/eve", nil)
	h.call(auth.Admin, "GET", "/api/v1/backup", nil)
	h.must(h.engine.CaughtUp(t.Context()))
	for verb, want := range map[string][2]string{
		"create": {"", `{"role":"viewer"}`}, "edit": {`{"role":"viewer"}`, `{"role":"admin","password":"set"}`}, "delete": {`{"role":"admin","password":"set"}`, ""},
	} {
		rows := h.audit("kind:user+record:eve+verb:" + verb).Items
		if len(rows) != 1 || string(rows[0].Before) != want[0] || string(rows[0].After) != want[1] || rows[0].Actor == "" || rows[0].Remote == "" {
			t.Errorf("%s: %+v", verb, rows)
		}
	}
	if rows := h.audit("kind:server+verb:backup").Items; len(rows) != 1 {
		t.Errorf("the backup left %+v", rows)
	}
	all := h.audit("kind:user").Items
	lines := h.call(auth.Admin, "GET", "/api/v1/audit/export?q=kind:user", nil)
	if n := strings.Count(lines.body, "\n"); lines.status != http.StatusOK || n != len(all) || strings.Contains(lines.body, "horse") {
		t.Errorf("%d lines of %d rows:\n%s", n, len(all), lines.body)
	}
	table := h.call(auth.Admin, "GET", "/api/v1/audit/export?format=csv&q=record:eve", nil)
	rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][4] != "delete" {
		t.Errorf("%v %v", rows, err)
	}
	if p := h.call(auth.Admin, "GET", "/api/v1/audit/export?q=colour:red", nil).problem(t); p.Status != http.StatusBadRequest {
		t.Errorf("%+v", p)
	}
}

// Who called is the peer, unless that is a proxy that the operator trusts; what
// callers write about themselves is never believed.
func TestProxiesAreTrustedByNameOnly(t *testing.T) {
	for _, c := range []struct{ trusted, peer, forwarded, want string }{
		{"", "192.0.2.1:99", "203.0.113.9", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1:99", "203.0.113.9", "203.0.113.9"},
		{"192.0.2.1/32", "192.0.2.1:99", "", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1:99", "10.9.9.9, 203.0.113.9", "203.0.113.9"}, // the first is the caller's own word
		{"192.0.2.0/24", "192.0.2.1:99", "203.0.113.9, 192.0.2.7", "203.0.113.9"},
		{"192.0.2.1/32", "198.51.100.4:99", "203.0.113.9", "198.51.100.4"},
		{"192.0.2.1/32", "192.0.2.1:99", "who knows", "192.0.2.1"},
		{"::1/128", "[::1]:99", "2001:db8::7", "2001:db8::7"},
	} {
		a := &API{}
		if c.trusted != "" {
			a.o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := a.remoteOf(r); got != c.want {
			t.Errorf("%+v: the caller is %s", c, got)
		}
	}
}
