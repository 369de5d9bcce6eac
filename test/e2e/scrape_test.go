package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// promQuery asks a Prometheus and decodes its data.
func promQuery(prom, path string, q url.Values, out any) error {
	resp, err := http.Get(prom + path + "?" + q.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, b)
	}
	var answer struct{ Data json.RawMessage }
	if err := json.Unmarshal(b, &answer); err != nil {
		return err
	}
	return json.Unmarshal(answer.Data, out)
}

// A real Prometheus reads what /metrics says: native histograms without buckets of
// ours, series that began at 0 and so have an increase, exemplars that name the
// incident; and promtool finds nothing to complain of.
func TestPrometheusReadsNativeHistogramsAndExemplars(t *testing.T) {
	prometheus := need(t, "prometheus", "prometheus")
	promtool := need(t, "promtool", "prometheus")
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"), "")

	port := freePort(t)
	prom := fmt.Sprintf("http://127.0.0.1:%d", port)
	cfg := writeFile(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf("scrape_configs:\n  - job_name: watchbill\n    scrape_interval: 1s\n    static_configs: [{targets: ['127.0.0.1:%d']}]\n", s.port))
	start(t, nil, prometheus, "--config.file="+cfg, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port),
		"--enable-feature=native-histograms,exemplar-storage")
	value := func(query string, want float64) error {
		var data struct {
			Result []struct{ Value [2]any }
		}
		if err := promQuery(prom, "/api/v1/query", url.Values{"query": {query}}, &data); err != nil {
			return err
		}
		if len(data.Result) != 1 || fmt.Sprint(data.Result[0].Value[1]) != fmt.Sprint(want) {
			return fmt.Errorf("%s is %v, want %v", query, data.Result, want)
		}
		return nil
	}
	// Series are there before anything happens.
	eventually(t, 60*time.Second, "first scrape", func() error {
		return value(`histogram_count(watchbill_incident_acknowledgement_seconds{priority="2"})`, 0)
	})

	var i incident
	if err := s.call("POST", "/api/v1/incidents", map[string]any{"title": "it is down", "impact": 1, "urgency": 2}, &i); err != nil {
		t.Fatal(err)
	}
	if err := s.call("POST", "/api/v1/incidents/"+i.ID+"/acknowledge", nil, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the native histogram", func() error {
		return value(`histogram_count(watchbill_incident_acknowledgement_seconds{priority="2"})`, 1)
	})
	for query, want := range map[string]float64{
		`count(histogram_quantile(0.5, watchbill_incident_acknowledgement_seconds{priority="2"}) < 60)`: 1,
		`sum(watchbill_incidents_opened_total)`:                                                         1,
		`sum(watchbill_alerts_received_total) - sum(watchbill_alerts_fates_total)`:                      0,
		`count(increase(watchbill_incidents_opened_total{priority="2"}[5m]) > 0)`:                       1,
	} {
		eventually(t, 30*time.Second, query, func() error { return value(query, want) })
	}
	eventually(t, 30*time.Second, "an exemplar that names the incident", func() error {
		var found []struct {
			Exemplars []struct{ Labels map[string]string }
		}
		q := url.Values{"query": {`watchbill_incidents_opened_total`}, "start": {fmt.Sprint(time.Now().Add(-time.Hour).Unix())}, "end": {fmt.Sprint(time.Now().Add(time.Hour).Unix())}}
		if err := promQuery(prom, "/api/v1/query_exemplars", q, &found); err != nil {
			return err
		}
		for _, f := range found {
			for _, e := range f.Exemplars {
				if e.Labels["record_id"] == i.ID {
					return nil
				}
			}
		}
		return fmt.Errorf("found %+v", found)
	})

	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = resp.Body
	if out, err := check.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	s.sameInReplay()
}
