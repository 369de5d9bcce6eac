package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/itsm"
)

// decode reads an answer, which must have the status.
func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var out T
	if a.status != status {
		t.Fatalf("%d %s, want %d", a.status, a.body, status)
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProblemLife(t *testing.T) {
	h := build(t)
	i := h.open("x", 2, 2)
	p := decode[ProblemRecord](t, h.call(auth.Responder, "POST", "/api/v1/problems", map[string]any{"title": "disks fill up", "incidents": []string{i.ID}}), 201)
	path := "/api/v1/problems/" + p.ID
	for _, step := range []struct {
		verb  string
		body  any
		state itsm.ProblemState
	}{
		{"assess", nil, itsm.ProblemAssess},
		{"root_cause", nil, itsm.ProblemRootCause},
		{"known_error", map[string]any{"workaround": "delete old logs", "root_cause": "no rotation"}, itsm.ProblemRootCause},
		{"fix", nil, itsm.ProblemFix},
		{"resolve", map[string]any{"fix": "rotation"}, itsm.ProblemResolved},
	} {
		if p = decode[ProblemRecord](t, h.call(auth.Responder, "POST", path+"/"+step.verb, step.body), 200); p.State != step.state {
			t.Errorf("after %s the state is %s", step.verb, p.State)
		}
	}
	if shown := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID); shown.Workaround != "delete old logs" || shown.Problem != p.ID {
		t.Errorf("the incident shows %q of %q", shown.Workaround, shown.Problem)
	}
	if list := get[Page[Incident]](h, auth.Viewer, path+"/incidents"); len(list.Items) != 1 {
		t.Errorf("%+v", list)
	}
	if x := h.call(auth.Responder, "POST", path+"/assess", nil).problem(t); x.Status != http.StatusConflict || len(x.Legal) == 0 {
		t.Errorf("%+v", x)
	}
	stale := h.call(auth.Responder, "PATCH", path, map[string]any{"title": "y"}, "If-Match", `"1"`).problem(t)
	if stale.Status != http.StatusPreconditionFailed || stale.Revision == nil || *stale.Revision != p.Revision {
		t.Errorf("%+v", stale)
	}
	for q, n := range map[string]int{"state:resolved": 1, "state:open": 0, "known_error:yes incidents>=1": 1, "fill": 1} {
		if got := get[Page[ProblemRecord]](h, auth.Viewer, "/api/v1/problems?q="+url.QueryEscape(q)); len(got.Items) != n {
			t.Errorf("%s finds %d", q, len(got.Items))
		}
	}
}

func TestMaintenance(t *testing.T) {
	h := build(t)
	c := decode[CIDetail](t, h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web1", "attributes": map[string]any{"hostname": "web1"}}), 201)
	h.must(h.engine.CaughtUp(t.Context()))
	ends := h.clock.now().Add(time.Hour)
	m := decode[Maintenance](t, h.call(auth.Responder, "POST", "/api/v1/maintenance", map[string]any{"summary": "new kernel", "query": "class:host web1", "ends_at": ends}), 201)
	if m.State != itsm.WindowActive || len(m.CIs) != 1 || m.Refs[c.ID] != (Ref{"host", "web1"}) {
		t.Fatalf("%+v", m)
	}
	h.alerts("HostDown")
	if a := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts?q=fate:suppressed"); len(a.Items) != 1 || !strings.Contains(a.Items[0].Why, "new kernel") {
		t.Errorf("%+v", a.Items)
	}
	path := "/api/v1/maintenance/" + m.ID
	m = decode[Maintenance](t, h.call(auth.Responder, "POST", path+"/extend", map[string]any{"ends_at": ends.Add(time.Hour)}), 200)
	m = decode[Maintenance](t, h.call(auth.Responder, "POST", path+"/end", nil, "If-Match", etag(m.Revision)), 200)
	if m.State != itsm.WindowEnded {
		t.Errorf("%+v", m)
	}
	if p := h.call(auth.Responder, "POST", path+"/end", nil).problem(t); p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
	for body, field := range map[string]string{
		`{"summary":"x","query":"class:rack","ends_at":"2027-01-01T00:00:00Z"}`:      "query", // there is none
		`{"summary":"x","query":"class:spaceship","ends_at":"2027-01-01T00:00:00Z"}`: "q",
		`{"summary":"x","query":"class:(","ends_at":"2027-01-01T00:00:00Z"}`:         "q",
		`{"summary":"x","cis":["` + c.ID + `"],"ends_at":"2020-01-01T00:00:00Z"}`:    "ends_at",
	} {
		if p := h.call(auth.Responder, "POST", "/api/v1/maintenance", body).problem(t); p.Status != 400 || len(p.Errors) == 0 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

func TestReview(t *testing.T) {
	h := build(t)
	i := h.open("x", 1, 1)
	path := "/api/v1/incidents/" + i.ID
	if r := get[itsm.Review](h, auth.Viewer, path+"/review"); !r.Draft || !strings.Contains(r.Text, i.ID) {
		t.Errorf("%+v", r)
	}
	if p := h.call(auth.Responder, "PUT", path+"/review", map[string]any{"text": "# done"}).problem(t); p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
	h.call(auth.Responder, "POST", path+"/resolve", nil)
	if r := decode[itsm.Review](t, h.call(auth.Responder, "PUT", path+"/review", map[string]any{"text": "# done"}), 200); r.Draft || r.Text != "# done" || r.By != "token:test responder" {
		t.Errorf("%+v", r)
	}
	get[Page[struct{}]](h, auth.Viewer, path+"/notifications")
}

// A link in a message acknowledges one incident, by a person's click only.
func TestSignedLinksAcknowledge(t *testing.T) {
	base, _ := url.Parse("http://wb.example")
	links, err := notify.NewLinks(base, bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	h := build(t, func(o *Options) { o.Links = links })
	i, other := h.open("x", 1, 1), h.open("y", 1, 1)
	u, _ := url.Parse(links.Acknowledge(i.ID, "oncall", h.clock.now()))
	path := u.Path + "?" + u.RawQuery
	if a := h.call("", "GET", path, nil); a.status != 200 || !strings.Contains(a.body, "<button>") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if x := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID); x.AcknowledgedAt != nil {
		t.Fatal("looking at the link acknowledged it")
	}
	if a := h.call("", "POST", path, nil, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("another site's page: %d", a.status)
	}
	if a := h.call("", "POST", path, nil, "Sec-Fetch-Site", "same-origin"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if x := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+i.ID); x.AcknowledgedBy != "receiver:oncall" {
		t.Errorf("acknowledged by %q", x.AcknowledgedBy)
	}
	if a := h.call("", "POST", "/acknowledge/"+other.ID+"?"+u.RawQuery, nil); a.status != http.StatusBadRequest {
		t.Errorf("another incident with this link: %d", a.status)
	}
	h.clock.add(25 * time.Hour)
	if a := h.call("", "GET", path, nil); a.status != http.StatusBadRequest {
		t.Errorf("a day later: %d", a.status)
	}
}

func TestAssets(t *testing.T) {
	h := build(t)
	rep := decode[inventory.ImportReport](t, h.call(auth.Manager, "POST", "/api/v1/cis/csv?class=host&dry_run=true", "name,owner,cost,currency,warranty_end\nweb1,ada,100,EUR,2026-06-01\n,bob,1,EUR,\n", "Content-Type", "text/csv"), 200)
	if rep.Created != 1 || rep.Failed != 1 || !rep.DryRun || get[CIPage](h, auth.Viewer, "/api/v1/cis").Total != 0 {
		t.Fatalf("a dry run: %+v", rep)
	}
	decode[inventory.ImportReport](t, h.call(auth.Manager, "POST", "/api/v1/cis/csv?class=host", "name,owner,cost,currency,warranty_end\nweb1,ada,100,EUR,2026-06-01\nweb2,ada,50,EUR,2030-01-01\n", "Content-Type", "text/csv"), 200)
	edit := decode[inventory.ImportReport](t, h.call(auth.Manager, "POST", "/api/v1/cis/edit", map[string]any{"q": "owner:ada", "set": map[string]any{"team": "web"}, "add_tags": []string{"gold"}}), 200)
	if edit.Changed != 2 {
		t.Errorf("%+v", edit)
	}
	if p := h.call(auth.Manager, "POST", "/api/v1/cis/edit", map[string]any{"q": "owner:ada", "set": map[string]any{"team": "x"}, "max": 1}).problem(t); p.Status != 400 {
		t.Errorf("%+v", p)
	}
	if e := get[Page[inventory.Ending]](h, auth.Viewer, "/api/v1/endings?within=90d"); len(e.Items) != 1 || e.Items[0].Name != "web1" {
		t.Errorf("%+v", e)
	}
	if c := get[Page[inventory.Cost]](h, auth.Viewer, "/api/v1/costs?by=team"); len(c.Items) != 1 || c.Items[0].Total != 150 {
		t.Errorf("%+v", c)
	}
	if q := get[inventory.Quality](h, auth.Viewer, "/api/v1/quality"); len(q.Groups) == 0 {
		t.Errorf("%+v", q)
	}
	if c := get[Completion](h, auth.Viewer, "/api/v1/cis/complete?q=own"); len(c.Proposals) == 0 || c.From != 0 {
		t.Errorf("%+v", c)
	}
	hosts := get[CIPage](h, auth.Viewer, "/api/v1/cis?q=class:host").Items
	if d := get[Page[cmdb.Difference]](h, auth.Viewer, "/api/v1/cis/"+hosts[0].ID+"/diff?with="+hosts[1].ID); len(d.Items) == 0 {
		t.Errorf("%+v", d)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis/"+hosts[0].ID+"/sbom", nil); a.status != 404 || a.header.Get("Content-Type") != problemType {
		t.Errorf("a bill of a host without packages: %d %s", a.status, a.body)
	}
	m := decode[inventory.Merge](t, h.call(auth.Manager, "POST", "/api/v1/merges", map[string]any{"keep": hosts[0].ID, "other": hosts[1].ID}), 200)
	if get[CIPage](h, auth.Viewer, "/api/v1/cis?q=class:host").Total != 1 {
		t.Errorf("%+v", m)
	}
	decode[cmdb.CI](t, h.call(auth.Manager, "DELETE", "/api/v1/merges/"+m.ID, nil), 200)
	if get[CIPage](h, auth.Viewer, "/api/v1/cis?q=class:host").Total != 2 {
		t.Error("the merge was not taken back")
	}
	decode[inventory.View](t, h.call(auth.Responder, "PUT", "/api/v1/views/mine", map[string]any{"q": "class:host"}), 200)
	if p := h.call(auth.Viewer, "PUT", "/api/v1/views/mine", map[string]any{"q": "class:site"}).problem(t); p.Status != http.StatusConflict {
		t.Errorf("somebody else's view: %+v", p)
	}
	if v := get[Page[inventory.View]](h, auth.Viewer, "/api/v1/views"); len(v.Items) != 1 || v.Items[0].Owner != "token:test responder" {
		t.Errorf("%+v", v)
	}
	if a := h.call(auth.Responder, "DELETE", "/api/v1/views/mine", nil); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	svc := decode[CIDetail](t, h.call(auth.Manager, "POST", "/api/v1/services", map[string]any{"name": "shop", "members": []string{hosts[0].ID}}), 201)
	if x := get[inventory.Health](h, auth.Viewer, "/api/v1/cis/"+svc.ID+"/health"); x.Status == "" {
		t.Errorf("%+v", x)
	}
	get[Page[inventory.SinglePoint]](h, auth.Viewer, "/api/v1/cis/"+svc.ID+"/single-points")
	get[Page[inventory.Proposal]](h, auth.Viewer, "/api/v1/service-proposals")
	get[inventory.Snapshot](h, auth.Viewer, "/api/v1/cis/"+svc.ID+"/past?at="+h.clock.now().Format(time.RFC3339))
}

// A deployment that names its item by class and name is a suspect of that item's incident.
func TestChangesFindTheirItem(t *testing.T) {
	h := build(t)
	c := decode[CIDetail](t, h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web1", "attributes": map[string]any{"hostname": "web1"}}), 201)
	if a := h.call(auth.Ingest, "POST", "/api/v1/ingest/changes", `[{"ci":{"class":"host","name":"web1"},"type":"deployed","summary":"shop 2.0"}]`); a.status != 200 || !strings.Contains(a.body, `"accepted":1`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h.clock.add(time.Minute)
	h.alerts("HostDown")
	list := get[Page[Incident]](h, auth.Viewer, "/api/v1/incidents")
	if len(list.Items) != 1 || len(list.Items[0].Changes) != 1 || list.Items[0].Changes[0].CI != c.ID {
		t.Errorf("%+v", list.Items)
	}
	for body, field := range map[string]string{`[{"ci":{},"type":"deployed"}]`: "[0].ci", `{"ci":{"id":"x"}}`: "[0].type", `{"what":1}`: "body"} {
		if p := h.call(auth.Ingest, "POST", "/api/v1/ingest/changes", body).problem(t); p.Status != 400 || len(p.Errors) == 0 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", body, p)
		}
	}
}
