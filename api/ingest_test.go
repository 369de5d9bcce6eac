package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
	// The configured expiry (5 h) is what makes silence silence, not another constant.
	h.clock.add(4*time.Hour + 30*time.Minute)
	if s := heard(); s.State != "healthy" {
		t.Errorf("before the expiry: %+v", s)
	}
	h.clock.add(time.Hour)
	if s := heard(); s.State != "silent" || !strings.Contains(s.Why, "not heard for 5h30m") {
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
