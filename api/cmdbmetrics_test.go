package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/report"
)

func inventorySeries(t *testing.T, m *InventoryMetrics) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(m); err != nil {
		t.Fatal(err)
	}
	fams, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range fams {
		for _, x := range f.Metric {
			var labels []string
			for _, l := range x.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			v := x.GetGauge().GetValue()
			if f.GetType() == dto.MetricType_COUNTER {
				v = x.GetCounter().GetValue()
			}
			out[strings.TrimPrefix(f.GetName(), prefix)+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return out
}

// TestInventoryMetrics: every series is there from the start, at 0 or, for a share
// of nothing, at 1; afterwards they are what the inventory says; owners are capped.
func TestInventoryMetrics(t *testing.T) {
	h := build(t)
	empty := inventorySeries(t, NewInventoryMetrics(h.inv, h.clock.now))
	for series, want := range map[string]float64{
		"cmdb_cis{class=host,liveness=stale}": 0, "cmdb_cis{class=business_service,liveness=recorded}": 0, "cmdb_completeness_ratio{class=host}": 1,
		"cmdb_owner_cis{owner=other}": 0, "cmdb_owner_cis{owner=}": 0, "cmdb_incomplete_cis{field=owner}": 0, "cmdb_duplicates{field=serial_number}": 0,
		"cmdb_tasks_total{kind=conflict}": 0, "agent_sections_rejected_total{section=packages}": 0, "agent_sections_rejected_total{section=unknown}": 0,
		"agent_reports_total{content=changed}": 0, "agent_reports_total{content=unchanged}": 0, "cmdb_relations{}": 0,
	} {
		if v, ok := empty[series]; !ok || v != want {
			t.Errorf("at the start %s is %v (there: %v), want %v", series, v, ok, want)
		}
	}
	for s := range empty {
		if strings.HasPrefix(s, "cmdb_coverage") {
			t.Errorf("%s without a Prometheus", s)
		}
	}
	agent, ci := h.join("web1", "")
	env := envelope("web1", 1)
	env.Sections[report.SectionListeners] = report.Section{Hash: "x", Data: []byte(`[{"protocol":"tcp","address":"0.0.0.0","port":99999}]`)}
	if a := h.call(agent, "POST", "/api/v1/agent/reports", zipped(t, env), "Content-Encoding", "gzip"); a.status != http.StatusOK || !strings.Contains(a.body, "99999") {
		t.Fatalf("report: %d %s", a.status, a.body)
	}
	for n := range ownerCap + 10 {
		h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "rack", "name": fmt.Sprintf("r%d", n), "attributes": map[string]any{"owner": fmt.Sprintf("o%02d", n), "location": "dc1"}})
	}
	got := inventorySeries(t, NewInventoryMetrics(h.inv, h.clock.now))
	for series, want := range map[string]float64{
		"cmdb_cis{class=host,liveness=seen}": 1, "cmdb_completeness_ratio{class=host}": 0, "cmdb_completeness_ratio{class=rack}": 1, "cmdb_cis{class=rack,liveness=recorded}": ownerCap + 10,
		"agent_sections_rejected_total{section=listeners}": 1, "agent_reports_total{content=changed}": 1, "cmdb_owner_cis{owner=}": 1, "cmdb_owner_cis{owner=o00}": 1, "cmdb_owner_cis{owner=other}": 10,
		"cmdb_owner_completeness_ratio{owner=}": 0, "cmdb_incomplete_cis{field=owner}": 1,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s is %v (there: %v), want %v", series, v, ok, want)
		}
	}
	for s := range got {
		if strings.Contains(s, ci) || strings.Contains(s, "web1") {
			t.Errorf("%s names a machine", s)
		}
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/coverage", nil); a.status != http.StatusConflict || !strings.Contains(a.body, "cmdb.prometheus") {
		t.Errorf("coverage without a Prometheus: %d %s", a.status, a.body)
	}
}
