package api

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/collector"
)

// A body that is too large is lost to its sender: 413, and a trace of it stays.
func TestOversizedBody(t *testing.T) {
	var stats *collector.Stats
	h := build(t, func(o *Options) { stats = o.Ingest.(*collector.Collector).Stats() })
	body := `{"version":"4","alerts":[],"x":"` + strings.Repeat("y", 32<<20) + `"}`
	p := h.call(auth.Ingest, "POST", "/api/v1/ingest/alertmanager", body).problem(t)
	if p.Status != http.StatusRequestEntityTooLarge || !strings.HasSuffix(p.Type, "too-large") || !strings.Contains(p.Detail, "max_alerts") {
		t.Errorf("%+v", p)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(NewIngestMetrics(stats))
	families, err := r.Gather()
	h.must(err)
	series := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			series[name] = m.GetCounter().GetValue()
		}
	}
	if series["watchbill_ingest_requests_total alertmanager too_large"] != 1 {
		t.Errorf("not counted: %v", series)
	}
	// All of them are there from the start: increase() would miss the first.
	for _, receiver := range collector.Receivers {
		for _, result := range collector.Results {
			if _, ok := series["watchbill_ingest_requests_total "+receiver+" "+string(result)]; !ok {
				t.Errorf("no series of %s %s", receiver, result)
			}
		}
	}
	q := get[Page[Quarantined]](h, auth.Admin, "/api/v1/quarantine").Items
	if len(q) != 1 || !strings.Contains(q[0].Reason, "larger than") || !strings.HasPrefix(q[0].Raw, `{"version":"4"`) || len(q[0].Raw) > 64<<10 {
		t.Errorf("quarantine %d, %.200s", len(q), q)
	}
}

// What a source leaves out, clocks that are wrong, and silence are seen where people
// look for a source's health.
func TestSourceHealth(t *testing.T) {
	h := build(t)
	post := func(alerts string) {
		if a := h.call(auth.Ingest, "POST", "/api/v1/ingest/alertmanager", `{"version":"4","truncatedAlerts":3,"alerts":[`+alerts+`]}`); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		h.must(h.engine.CaughtUp(t.Context()))
	}
	heard := func() Source {
		for _, s := range get[Page[Source]](h, auth.Viewer, "/api/v1/sources").Items {
			if s.LastHeard != nil {
				return s
			}
		}
		t.Fatal("no source was heard")
		return Source{}
	}
	post(`{"status":"firing","labels":{"alertname":"Old","instance":"web1:9100"},"startsAt":"1970-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"1"}`)
	post(`{"status":"firing","labels":{"alertname":"Now","instance":"web1:9100"},"startsAt":"2026-05-04T09:59:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"2"}`)
	if s := heard(); s.Truncated != 6 || s.Clamped != 1 || s.State != "healthy" || s.Why != "" {
		t.Errorf("%+v", s)
	}
	if s := heard(); !strings.Contains(s.Warning, "2 of its alerts") {
		t.Errorf("nothing says how often they are repeated, and the warning is %q", s.Warning)
	}
	// What its alerts may go unmentioned for (25 h, as no rhythm is known) makes silence silence.
	h.clock.add(24 * time.Hour)
	if s := heard(); s.State != "healthy" {
		t.Errorf("before the expiry: %+v", s)
	}
	h.clock.add(2 * time.Hour)
	if s := heard(); s.State != "silent" || !strings.Contains(s.Why, "not heard for 26h0m") {
		t.Errorf("after the expiry: %+v", s)
	}
	if page := get[Page[Source]](h, auth.Viewer, "/api/v1/sources?q=state:silent").Items; len(page) != 1 {
		t.Errorf("state:silent gives %+v", page)
	}
}

// A change that was accepted can be read on its item; one that is about nothing known is told.
func TestToldChanges(t *testing.T) {
	h := build(t)
	a := h.call(auth.Admin, "POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web1"})
	if a.status != http.StatusCreated {
		t.Fatal(a.body)
	}
	id := decode[CIDetail](t, a, http.StatusCreated).ID
	h.clock.add(time.Hour)
	n := decode[Noted](t, h.call(auth.Ingest, "POST", "/api/v1/ingest/changes", `[
		{"ci":{"class":"host","name":"web1"},"type":"deployed","summary":"shop","version":"2.0"},
		{"ci":{"class":"bogus","name":"nosuch"},"type":"deployed"},
		{"ci":{"id":"`+id+`"},"type":"config_changed","summary":"nginx.conf","at":"2026-05-04T10:10:00Z"}]`), http.StatusOK)
	if n.Accepted != 2 || len(n.Unknown) != 1 || n.Unknown[0].Field != "[1].ci" || !strings.Contains(n.Unknown[0].Message, `bogus named "nosuch"`) {
		t.Errorf("%+v", n)
	}
	got := get[Page[inventory.Entry]](h, auth.Viewer, "/api/v1/cis/"+id+"/history?q=field:change*").Items
	if len(got) != 2 || got[0].Field != "change:deployed" || got[0].New != "shop (2.0)" || !strings.HasPrefix(got[0].Source, "told:") ||
		got[1].Field != "change:config_changed" || !got[1].At.Equal(time.Date(2026, 5, 4, 10, 10, 0, 0, time.UTC)) {
		t.Errorf("%+v", got)
	}
	// They change nothing about what the item was.
	past := get[inventory.Snapshot](h, auth.Viewer, "/api/v1/cis/"+id+"/past?at=2026-05-04T10:05:00Z")
	for k := range past.CI.Attributes {
		if strings.Contains(k, "change") {
			t.Errorf("a change became the attribute %s", k)
		}
	}
	// And they explain what follows.
	h.alerts("DiskFull")
	h.must(h.engine.CaughtUp(t.Context()))
	i := get[Page[Incident]](h, auth.Viewer, "/api/v1/incidents").Items[0]
	if len(i.Changes) != 2 || !i.Changes[0].At.Equal(got[0].At) && !i.Changes[1].At.Equal(got[1].At) {
		t.Errorf("the incident's changes: %+v", i.Changes)
	}
}

// A typing error at night must not make a service that is down.
func TestOpenedByHandNamesWhatThereIs(t *testing.T) {
	h := build(t)
	web := decode[CIDetail](t, h.call(auth.Admin, "POST", "/api/v1/cis", map[string]any{"class": "host", "name": "web1"}), http.StatusCreated).ID
	decode[CIDetail](t, h.call(auth.Admin, "POST", "/api/v1/cis", map[string]any{"class": "business_service", "name": "shop"}), http.StatusCreated)
	open := func(more map[string]any) answer {
		body := map[string]any{"title": "x", "impact": 1, "urgency": 1}
		for k, v := range more {
			body[k] = v
		}
		return h.call(auth.Responder, "POST", "/api/v1/incidents", body)
	}
	for field, value := range map[string]string{"ci": "nope", "service": "nope"} {
		if p := open(map[string]any{field: value}).problem(t); p.Status != http.StatusBadRequest || len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", field, p)
		}
	}
	for _, more := range []map[string]any{{"ci": web}, {"ci": "host:web1"}, {"service": "shop"}, {"assignee": "somebody who never logs in"}} {
		i := decode[Incident](t, open(more), http.StatusCreated)
		if more["ci"] != nil && (len(i.CIs) != 1 || i.CIs[0] != web) {
			t.Errorf("%v: about %v", more, i.CIs)
		}
	}
	for _, s := range get[Page[Service]](h, auth.Viewer, "/api/v1/services").Items {
		if s.Name == "nope" {
			t.Error("a service was made of a typing error")
		}
	}
}

// An export is JSON for every reader, whatever bytes a sender put into a text.
func TestExportIsUTF8(t *testing.T) {
	h := build(t)
	body := "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"},\"annotations\":{\"summary\":\"x\xff\xfey\"},\"startsAt\":\"2026-05-04T09:00:00Z\",\"endsAt\":\"0001-01-01T00:00:00Z\",\"fingerprint\":\"1\"}]}"
	if a := h.call(auth.Ingest, "POST", "/api/v1/ingest/alertmanager", body); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	h.must(h.engine.CaughtUp(t.Context()))
	z, err := gzip.NewReader(strings.NewReader(h.call(auth.Admin, "GET", "/api/v1/export", nil, "Accept-Encoding", "identity").body))
	h.must(err)
	text, err := io.ReadAll(z)
	h.must(err)
	if !utf8.Valid(text) || !strings.Contains(string(text), "x\uFFFD\uFFFDy") {
		t.Errorf("%q", text)
	}
}

// Grafana posts version "1" with a name and a password; so do others that know no
// bearer tokens. The token is the password of whatever name.
func TestGrafanasWebhook(t *testing.T) {
	h := build(t)
	body := `{"version":"1","orgId":1,"state":"alerting","receiver":"r","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"High memory","severity":"critical"},
		"startsAt":"2026-05-04T11:59:00.123+02:00","endsAt":"0001-01-01T00:00:00Z","fingerprint":"c6eadffa33fcdf37","values":{"B":14.2}}]}`
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("grafana:"+password))
	}
	for _, path := range []string{"/api/v1/ingest/grafana", "/api/v1/ingest/alertmanager"} {
		for _, header := range []string{basic(h.tokens[auth.Ingest]), "Bearer " + h.tokens[auth.Ingest]} {
			if a := h.call("", "POST", path, body, "Authorization", header); a.status != 200 || !strings.Contains(a.body, `"accepted":1`) {
				t.Errorf("%s with %.6s…: %d %s", path, header, a.status, a.body)
			}
		}
		if a := h.call("", "POST", path, body, "Authorization", basic("wrong")); a.status != 401 {
			t.Errorf("%s with a wrong password: %d", path, a.status)
		}
		if a := h.call("", "POST", path, body, "Authorization", basic(h.tokens[auth.Viewer])); a.status != 403 {
			t.Errorf("%s with a viewer's token: %d", path, a.status)
		}
	}
	h.must(h.engine.CaughtUp(t.Context()))
	if n := len(get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts").Items); n != 1 {
		t.Errorf("%d alerts are recorded", n)
	}
}
