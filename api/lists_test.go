package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
)

// listRoutes are the paths of every list in the OpenAPI document: what answers
// items and next.
func listRoutes(h *house) []string {
	type schema struct {
		Ref        string         `json:"$ref"`
		Properties map[string]any `json:"properties"`
	}
	doc := get[struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name string `json:"name"`
			} `json:"parameters"`
			Responses map[string]struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}](h, "", "/openapi.json")
	var out []string
	for path, methods := range doc.Paths {
		o, ok := methods["get"]
		if !ok {
			continue
		}
		s := o.Responses["200"].Content["application/json"].Schema
		if s.Ref != "" {
			s = doc.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		}
		if s.Properties["items"] == nil || s.Properties["next"] == nil {
			continue
		}
		out = append(out, path)
		for _, want := range []string{"q", "sort", "limit", "cursor"} {
			has := false
			for _, p := range o.Parameters {
				has = has || p.Name == want
			}
			if !has {
				h.t.Errorf("GET %s is a list and takes no %s", path, want)
			}
		}
	}
	slices.Sort(out)
	return out
}

// change writes with whichever role may.
func (h *house) change(method, path string, body any) answer {
	h.t.Helper()
	role := auth.Admin
	if strings.HasPrefix(path, "/api/v1/ingest/") {
		role = auth.Ingest
	}
	a := h.call(role, method, path, body)
	if a.status >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// A client written against one list reads all of them: each takes q, sort, limit
// and cursor, names what is wrong with them, and pages without loss.
func TestEveryListTakesTheSame(t *testing.T) {
	h := build(t)
	h.change("POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web1", "attributes": map[string]any{"environment": "production"}})
	h.change("POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web2"})
	h.change("POST", "/api/v1/cis", map[string]any{"class": "business_service", "name": "shop"})
	h.change("POST", "/api/v1/cis", map[string]any{"class": "business_service", "name": "billing"})
	h.change("POST", "/api/v1/users", map[string]any{"name": "bob", "role": "viewer"})
	h.change("POST", "/api/v1/sources", map[string]any{"name": "second", "source": "am2"})
	h.change("PUT", "/api/v1/views/a", map[string]any{"q": "class:host"})
	h.change("PUT", "/api/v1/views/b", map[string]any{"q": "class:host"})
	for i := range 3 {
		h.open(fmt.Sprintf("incident %d", i), 1, 2)
		h.change("POST", "/api/v1/maintenance", map[string]any{"summary": fmt.Sprint("window ", i), "query": "class:host", "ends_at": "2026-05-05T00:00:00Z"})
		h.change("POST", "/api/v1/ingest/alertmanager", `{"version":"4","alerts":[{"status":"odd"}]}`)
	}
	ci := get[CIPage](h, auth.Admin, "/api/v1/cis?q=name:web1").Items[0].ID
	lists := listRoutes(h)
	if len(lists) < 25 {
		t.Fatalf("only %d lists: %v", len(lists), lists)
	}
	full := 0
	for _, path := range lists {
		if strings.Contains(path, "problems/") || strings.Contains(path, "maintenance/") {
			continue
		}
		id := ci
		if strings.Contains(path, "incidents/") {
			id = "INC00000001"
		}
		path = strings.ReplaceAll(path, "{id}", id)
		for _, query := range []string{"q=bogus:1", "sort=bogus"} {
			a := h.call(auth.Admin, "GET", path+"?"+query, nil)
			if a.status != http.StatusBadRequest || !strings.Contains(a.body, "bogus") {
				if path == "/api/v1/cis" || path == "/api/v1/endings" || path == "/api/v1/costs" {
					continue // the inventory's language: an attribute that no item has is no mistake
				}
				t.Errorf("%s?%s: %d %s", path, query, a.status, a.body)
			}
		}
		if a := h.call(auth.Admin, "GET", path+"?cursor=nonsense", nil); a.status != http.StatusBadRequest || !strings.Contains(a.body, "begin again") {
			t.Errorf("%s?cursor=nonsense: %d %s", path, a.status, a.body)
		}
		all := get[Page[json.RawMessage]](h, auth.Admin, path+"?limit=1000").Items
		if len(all) >= 2 {
			full++
		}
		var paged []json.RawMessage
		for cursor := ""; ; {
			p := get[Page[json.RawMessage]](h, auth.Admin, path+"?limit=1&cursor="+url.QueryEscape(cursor))
			if len(p.Items) > 1 {
				t.Errorf("%s: a page of %d items with limit=1", path, len(p.Items))
			}
			if paged = append(paged, p.Items...); p.Next == nil || len(paged) > len(all) {
				break
			}
			cursor = *p.Next
		}
		if fmt.Sprintf("%s", paged) != fmt.Sprintf("%s", all) {
			t.Errorf("%s: one by one\n%s\nat once\n%s", path, paged, all)
		}
	}
	if full < 9 {
		t.Errorf("only %d lists had two items: the test does not prove much", full)
	}
}

// What a list shows can be asked for and sorted by under the name that it is shown with.
func TestRecordsOwnNames(t *testing.T) {
	h := build(t)
	h.open("first", 1, 2)
	h.clock.add(3600e9)
	h.open("second", 3, 3)
	titles := func(query string) string {
		var out []string
		for _, i := range get[Page[Incident]](h, auth.Viewer, "/api/v1/incidents?"+query).Items {
			out = append(out, i.Title)
		}
		return strings.Join(out, " ")
	}
	for query, want := range map[string]string{
		"q=" + url.QueryEscape("opened_at<30m"): "second",
		"q=acknowledged:false":                  "second first",
		"q=acknowledged:true":                   "",
		"q=" + url.QueryEscape("opened_by:*"):   "second first",
		"sort=opened_at":                        "first second",
		"sort=-opened_at":                       "second first",
		"sort=id":                               "first second",
		"sort=urgency":                          "first second",
		"sort=-urgency":                         "second first",
		"sort=-title":                           "second first",
	} {
		if got := titles(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for query, text := range map[string]string{
		"incidents?q=state:bogus":          "state is one of open, new, in_progress, on_hold, resolved, closed, canceled",
		"incidents?q=acknowledged:perhaps": "yes or no",
		"incidents?q=severity:high":        "critical, error, warning, info",
		"alerts?q=status:open":             "active, firing, resolved",
		"alerts?q=fate:lost":               "suppressed",
		"problems?q=state:new,gone":        "root_cause",
		"services?q=state:broken":          "ok, degraded, down",
		"tokens?q=role:root":               "viewer, responder",
	} {
		a := h.call(auth.Admin, "GET", "/api/v1/"+query, nil)
		if a.status != http.StatusBadRequest || !strings.Contains(a.body, text) {
			t.Errorf("%s: %d %s, want %q", query, a.status, a.body, text)
		}
	}
	for _, query := range []string{"alerts?sort=starts_at", "alerts?q=labels.alertname:x", "alerts?q=starts_at<1h", "alerts?q=bound:false", "alerts?q=binding.ci:x", "audit?sort=-actor", "sources?q=state:never&sort=-source"} {
		path, q, _ := strings.Cut(query, "?")
		if a := h.call(auth.Admin, "GET", "/api/v1/"+path+"?"+strings.ReplaceAll(q, "<", "%3C"), nil); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// A list that is made whole for each call goes on where it was although rows went.
func TestWholeListKeepsItsPlace(t *testing.T) {
	h := build(t)
	for _, n := range []string{"a", "b", "c", "d"} {
		h.change("PUT", "/api/v1/views/"+n, map[string]any{"q": "class:host"})
	}
	p := get[Page[struct{ Name string }]](h, auth.Admin, "/api/v1/views?limit=2")
	h.change("DELETE", "/api/v1/views/a", nil)
	h.change("DELETE", "/api/v1/views/b", nil)
	rest := get[Page[struct{ Name string }]](h, auth.Admin, "/api/v1/views?limit=2&cursor="+*p.Next)
	if len(p.Items) != 2 || p.Items[1].Name != "b" {
		t.Errorf("first page %v", p.Items)
	}
	if len(rest.Items) > 2 || rest.Next != nil {
		t.Errorf("after two rows went: %v", rest.Items)
	}
	h.change("DELETE", "/api/v1/views/c", nil)
	sorted := get[Page[struct{ Name string }]](h, auth.Admin, "/api/v1/views?sort=-name")
	if len(sorted.Items) != 1 || sorted.Items[0].Name != "d" {
		t.Errorf("sorted: %v", sorted.Items)
	}
}
