package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/itsm"
)

// The whole life of an incident through the API, and what each record then says.
func TestIncidentLife(t *testing.T) {
	h := build(t)
	i := h.open("disk full on web1", 1, 2)
	if i.State != itsm.New || i.Priority != 2 || !slices.Contains(i.Legal, "acknowledge") || slices.Contains(i.Legal, "close") {
		t.Fatalf("opened as %+v", i)
	}
	path := "/api/v1/incidents/" + i.ID
	for _, step := range []struct {
		verb  string
		body  any
		state itsm.State
	}{
		{"acknowledge", nil, itsm.InProgress},
		{"assign", map[string]any{"assignee": "ada", "team": "storage"}, itsm.InProgress},
		{"hold", map[string]any{"reason": "vendor"}, itsm.OnHold},
		{"resume", map[string]any{}, itsm.InProgress},
		{"notes", map[string]any{"note": "looked at it"}, itsm.InProgress},
		{"resolve", map[string]any{"resolution": "made room"}, itsm.Resolved},
		{"reopen", map[string]any{"reason": "full again"}, itsm.InProgress},
		{"resolve", map[string]any{"resolution": "more room"}, itsm.Resolved},
		{"close", nil, itsm.Closed},
	} {
		a := h.call(auth.Responder, "POST", path+"/"+step.verb, step.body)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", step.verb, a.status, a.body)
		}
		h.must(json.Unmarshal([]byte(a.body), &i))
		if i.State != step.state {
			t.Errorf("after %s the state is %s, want %s", step.verb, i.State, step.state)
		}
		if a.header.Get("ETag") != etag(i.Revision) || i.Revision == 0 {
			t.Errorf("after %s: ETag %q, revision %d", step.verb, a.header.Get("ETag"), i.Revision)
		}
	}
	tl := get[Page[TimelineEntry]](h, auth.Viewer, path+"/timeline")
	var text []string
	for n, e := range tl.Items {
		if e.Seq != n+1 {
			t.Errorf("timeline entry %d has seq %d", n, e.Seq)
		}
		text = append(text, e.Kind+" "+e.Actor+" "+e.Text)
	}
	if all := strings.Join(text, "\n"); !strings.Contains(all, "note token:test responder looked at it") || !strings.Contains(all, "reopened: full again") {
		t.Errorf("timeline:\n%s", all)
	}
	audit := h.audit("record:" + i.ID)
	if len(audit.Items) != 10 || audit.Items[0].Verb != "close" || audit.Items[0].Actor != "token:test responder" || audit.Items[0].Remote != "127.0.0.1" {
		t.Errorf("audit has %d rows, the newest is %+v", len(audit.Items), audit.Items[0])
	}
}

func TestIllegalVerbNamesTheLegalOnes(t *testing.T) {
	h := build(t)
	i := h.open("x", 2, 2)
	p := h.call(auth.Responder, "POST", "/api/v1/incidents/"+i.ID+"/close", nil).problem(t)
	if p.Status != http.StatusConflict || !slices.Contains(p.Legal, "acknowledge") || slices.Contains(p.Legal, "close") || !strings.Contains(p.Detail, "new") || !strings.Contains(p.Detail, "close") {
		t.Errorf("%+v", p)
	}
	if p.RequestID == "" {
		t.Error("no request id")
	}
	refused := h.audit("refused:yes")
	if len(refused.Items) != 1 || refused.Items[0].Verb != "close" {
		t.Errorf("a refusal is a fact too: %+v", refused.Items)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	h := build(t)
	i := h.open("x", 2, 2)
	path := "/api/v1/incidents/" + i.ID
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		field, text  string
	}{
		{"POST", "/api/v1/incidents", map[string]any{"title": "x", "impact": 4, "urgency": 1}, 400, "impact", "<= 3"},
		{"POST", "/api/v1/incidents", map[string]any{"title": "x", "impact": 1}, 400, "urgency", "is missing"},
		{"POST", "/api/v1/incidents", map[string]any{"title": "x", "impact": 1, "urgency": 1, "sevrity": 1}, 400, "sevrity", "is no field"},
		{"POST", "/api/v1/incidents", `{"title":`, 400, "body", "JSON"},
		{"POST", "/api/v1/incidents", nil, 400, "", "body is required"},
		{"POST", path + "/hold", map[string]any{"reason": "lunch"}, 400, "reason", "caller"},
		{"POST", path + "/hold", map[string]any{"reasn": "vendor", "reason": "vendor"}, 400, "reasn", "is no field"},
		{"POST", path + "/notes", map[string]any{"note": "  "}, 400, "note", "empty"},
		{"POST", path + "/assign", map[string]any{}, 400, "assignee", "name an assignee"},
		{"POST", path + "/merge", map[string]any{"into": i.ID}, 400, "into", "itself"},
		{"POST", path + "/merge", map[string]any{"into": "INC99999999"}, 404, "", "does not exist"},
		{"PATCH", path, map[string]any{"impact": 1}, 400, "reason", "say why"},
		{"GET", "/api/v1/incidents/INC99999999", nil, 404, "", "does not exist"},
		{"POST", "/api/v1/incidents/INC99999999/acknowledge", nil, 404, "", "does not exist"},
		{"GET", "/api/v1/incidents?limit=0", nil, 400, "limit", "1"},
		{"GET", "/api/v1/incidents?limit=5000", nil, 400, "limit", "1000"},
		{"GET", "/api/v1/incidents?limt=5", nil, 400, "limt", "is no parameter"},
		{"GET", "/api/v1/incidents?cursor=nonsense", nil, 400, "cursor", "begin again"},
		{"GET", "/api/v1/incidents?sort=colour", nil, 400, "sort", "attention"},
		{"GET", "/api/v1/incidents?q=colour:red", nil, 400, "q", `"colour" is no field here`},
		{"GET", "/api/v1/incidents?q=priority%3Chigh", nil, 400, "q", "at character 1: priority wants a number"},
		{"GET", "/api/v1/incidents?q=%22open", nil, 400, "q", "quote is not closed"},
		{"POST", "/api/v1/tokens", map[string]any{"name": "x", "role": "root"}, 400, "role", "viewer"},
		{"POST", "/api/v1/tokens", map[string]any{"name": "x", "role": "viewer", "expires_in": "soon"}, 400, "expires_in", "12h"},
		{"POST", "/api/v1/tokens", map[string]any{"name": "x", "role": "viewer", "source": "am"}, 400, "source", "ingest"},
		{"POST", "/api/v1/users", map[string]any{"name": "bob", "role": "viewer", "password": "short"}, 400, "password", "12"},
		{"DELETE", "/api/v1/users/admin", nil, 409, "", "last admin"},
		{"PUT", "/api/v1/incidents", nil, 405, "", "GET, HEAD, POST"},
		{"GET", "/api/v1/silences", nil, 404, "", "no address"},
		{"GET", "/api/v2/alerts", nil, 404, "", "no address"},
	} {
		a := h.call(auth.Admin, c.method, c.path, c.body)
		p := a.problem(t)
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Field
		}
		if p.Status != c.status || field != c.field || !strings.Contains(a.body, strings.ReplaceAll(strings.ReplaceAll(c.text, `"`, `\"`), "<", `\u003c`)) && !strings.Contains(p.Detail, c.text) {
			t.Errorf("%s %s %v: %d %q %s", c.method, c.path, c.body, p.Status, field, a.body)
		}
	}
	if a := h.call(auth.Admin, "POST", "/api/v1/incidents", `{"title":"`+strings.Repeat("x", maxBody)+`"}`); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d", a.status)
	}
	if a := h.call(auth.Admin, "POST", "/api/v1/incidents", `title=x`, "Content-Type", "application/x-www-form-urlencoded"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form: %d %s", a.status, a.body)
	}
	if log := h.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("bad input is no error of ours:\n%s", log)
	}
}

func TestStaleEdit(t *testing.T) {
	h := build(t)
	i := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+h.open("x", 2, 2).ID)
	path := "/api/v1/incidents/" + i.ID
	if a := h.call(auth.Responder, "PATCH", path, map[string]any{"title": "y"}, "If-Match", etag(i.Revision)); a.status != http.StatusOK {
		t.Fatalf("fresh edit: %d %s", a.status, a.body)
	}
	a := h.call(auth.Responder, "PATCH", path, map[string]any{"title": "z"}, "If-Match", etag(i.Revision))
	p := a.problem(t)
	if p.Status != http.StatusPreconditionFailed || p.Revision == nil || *p.Revision != i.Revision+1 || a.header.Get("ETag") != etag(i.Revision+1) {
		t.Errorf("stale edit: %s", a.body)
	}
	if now := get[Incident](h, auth.Viewer, path); now.Title != "y" {
		t.Errorf("the stale edit was done: %q", now.Title)
	}
	if a := h.call(auth.Responder, "PATCH", path, map[string]any{"title": "z"}, "If-Match", "new"); a.status != http.StatusBadRequest {
		t.Errorf("nonsense If-Match: %d", a.status)
	}
}

func TestAlertsTellTheirFate(t *testing.T) {
	h := build(t)
	h.alerts("DiskFull", "HostDown1")
	p := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts?q=name:DiskFull")
	if len(p.Items) != 1 || p.Items[0].Fate == "" || p.Items[0].Why == "" || p.Items[0].Labels["instance"] != "web1:9100" {
		t.Fatalf("%+v", p.Items)
	}
	one := get[Alert](h, auth.Viewer, "/api/v1/alerts/"+p.Items[0].ID)
	if one.Fingerprint != p.Items[0].Fingerprint || one.Incident == "" {
		t.Errorf("%+v", one)
	}
	in := get[Page[Alert]](h, auth.Viewer, "/api/v1/incidents/"+one.Incident+"/alerts")
	if len(in.Items) == 0 || in.Items[0].Evidence == nil {
		t.Errorf("%+v", in.Items)
	}
	for q, n := range map[string]int{"label.instance:web1*": 2, "-label.instance:web1*": 0, "status:active": 2, "incident:" + one.Incident + " name:HostDown1,DiskFull": len(in.Items), "severity!=critical": 0, "started<1h web1": 2, "label.Instance:web1*": 0} {
		if got := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts?q="+strings.ReplaceAll(strings.ReplaceAll(q, " ", "%20"), "<", "%3C")); len(got.Items) != n {
			t.Errorf("%s finds %d, want %d", q, len(got.Items), n)
		}
	}
	if s := get[Status](h, auth.Viewer, "/api/v1/status"); s.Received != 2 || s.Fates["incident"]+s.Fates["held"] != 2 {
		t.Errorf("%+v", s)
	}
	bad := h.call(auth.Ingest, "POST", "/api/v1/ingest/alertmanager", `{"alerts": 7`)
	if bad.problem(t).Status != http.StatusBadRequest {
		t.Errorf("an undecodable body: %d", bad.status)
	}
	if q := get[Page[Quarantined]](h, auth.Responder, "/api/v1/quarantine"); len(q.Items) != 1 || q.Items[0].Raw != `{"alerts": 7` {
		t.Errorf("quarantine: %+v", q.Items)
	}
	src := get[Page[Source]](h, auth.Viewer, "/api/v1/sources")
	states := map[string]string{}
	for _, s := range src.Items {
		states[s.State] += s.Source
	}
	if states["never"] != "alertmanager" || states["healthy"] == "" {
		t.Errorf("sources: %+v", states)
	}
}

// Paging sees each record once that was there all the time, whatever comes and
// goes in between, in every order.
func TestCursorsUnderWrites(t *testing.T) {
	h := build(t)
	want := map[string]bool{}
	for n := range 25 {
		want[h.open(fmt.Sprintf("incident %02d", n), 1+n%3, 1+n%2).ID] = true
	}
	for _, sort := range []string{"-opened", "opened", "attention", "priority", "-title"} {
		for _, q := range []string{"", "state:open"} {
			seen := map[string]int{}
			cursor, pages := "", 0
			for {
				path := "/api/v1/incidents?limit=4&sort=" + sort + "&q=" + q
				if cursor != "" {
					path += "&cursor=" + cursor
				}
				p := get[Page[Incident]](h, auth.Viewer, path)
				for _, i := range p.Items {
					seen[i.ID]++
				}
				if pages++; pages%3 == 0 {
					h.open("late", 3, 3)
				}
				if p.Next == nil {
					break
				}
				cursor = *p.Next
			}
			for id := range want {
				if seen[id] != 1 {
					t.Errorf("sort %s q %q: %s was seen %d times", sort, q, id, seen[id])
				}
			}
		}
	}
}

func TestSortAttention(t *testing.T) {
	h := build(t)
	low, high, taken := h.open("low", 3, 3), h.open("high", 1, 1), h.open("taken", 1, 1)
	h.call(auth.Responder, "POST", "/api/v1/incidents/"+taken.ID+"/acknowledge", nil)
	gone := h.open("gone", 1, 1)
	h.call(auth.Responder, "POST", "/api/v1/incidents/"+gone.ID+"/cancel", nil)
	var got []string
	for _, i := range get[Page[Incident]](h, auth.Viewer, "/api/v1/incidents?sort=attention").Items {
		got = append(got, i.ID)
	}
	if want := []string{high.ID, low.ID, taken.ID}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
