// Package load makes the traffic of benchmarks and storms: webhook bodies as an
// Alertmanager sends them, and posts of its v2 API for the peers. It decides
// nothing and checks nothing.
package load

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Labels of the n-th synthetic alert: one of 50 rules on one of many hosts, like
// a common Prometheus installation writes them.
func Labels(n int) map[string]string {
	return map[string]string{
		"alertname": fmt.Sprintf("LoadRule%02d", n%50),
		"cluster":   fmt.Sprintf("cluster-%d", n%8),
		"instance":  fmt.Sprintf("node-%06d.example.org:9100", n),
		"job":       "node-exporter",
		"namespace": fmt.Sprintf("team-%02d", n%40),
		"severity":  []string{"warning", "critical", "info", "warning"}[n%4],
		"service":   fmt.Sprintf("svc-%03d", n%300),
	}
}

// Annotations of the n-th alert.
func Annotations(n int) map[string]string {
	return map[string]string{
		"summary":     fmt.Sprintf("node-%06d does not do what rule %02d wants", n, n%50),
		"description": fmt.Sprintf("The value has been above its threshold for more than 10 minutes on node-%06d. See the dashboard for the numbers.", n),
		"runbook_url": fmt.Sprintf("https://runbooks.example.org/rules/%02d", n%50),
	}
}

type webhookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// Webhook is the body that carries the alerts [from, to), firing since start.
func Webhook(from, to int, start time.Time, resolved bool) []byte {
	alerts := make([]webhookAlert, 0, to-from)
	status, ends := "firing", "0001-01-01T00:00:00Z"
	if resolved {
		status, ends = "resolved", start.Add(10*time.Minute).UTC().Format(time.RFC3339Nano)
	}
	for n := from; n < to; n++ {
		l := Labels(n)
		alerts = append(alerts, webhookAlert{
			Status: status, Labels: l, Annotations: Annotations(n), StartsAt: start.UTC().Format(time.RFC3339Nano), EndsAt: ends,
			GeneratorURL: "http://prometheus.example.org:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1", Fingerprint: event.LabelsFrom(l).Fingerprint(),
		})
	}
	b, err := json.Marshal(map[string]any{
		"receiver": "watchbill", "status": status, "alerts": alerts, "groupLabels": map[string]string{"job": "node-exporter"},
		"commonLabels": map[string]string{"job": "node-exporter"}, "commonAnnotations": map[string]string{}, "externalURL": "http://alertmanager.example.org:9093",
		"version": "4", "groupKey": "{}:{job=\"node-exporter\"}", "truncatedAlerts": 0,
	})
	if err != nil {
		panic(err) // maps of strings always encode
	}
	return b
}

// V2 is the body of Alertmanager's POST /api/v2/alerts with the same alerts.
func V2(from, to int, start time.Time) []byte {
	type alert struct {
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     string            `json:"startsAt"`
		GeneratorURL string            `json:"generatorURL"`
	}
	alerts := make([]alert, 0, to-from)
	for n := from; n < to; n++ {
		alerts = append(alerts, alert{Labels(n), Annotations(n), start.UTC().Format(time.RFC3339Nano), "http://prometheus.example.org:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"})
	}
	b, err := json.Marshal(alerts)
	if err != nil {
		panic(err)
	}
	return b
}
