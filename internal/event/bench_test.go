package event

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// benchBody is a body of n alerts as Alertmanager 0.34 sends it.
func benchBody(n int) []byte {
	type alert struct {
		Status       string            `json:"status"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     time.Time         `json:"startsAt"`
		EndsAt       time.Time         `json:"endsAt"`
		GeneratorURL string            `json:"generatorURL"`
		Fingerprint  string            `json:"fingerprint"`
	}
	var alerts []alert
	for i := range n {
		l := map[string]string{
			"alertname": "KubePodCrashLooping", "cluster": "prod-eu-1", "namespace": fmt.Sprintf("team-%d", i%7), "pod": fmt.Sprintf("api-7d9f8b6c5-%05d", i),
			"container": "api", "job": "kube-state-metrics", "instance": fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250), "severity": "warning", "prometheus": "monitoring/k8s",
		}
		alerts = append(alerts, alert{
			"firing", l,
			map[string]string{
				"summary":     "Pod is crash looping.",
				"description": fmt.Sprintf("Pod team-%d/api-7d9f8b6c5-%05d (api) is in waiting state (reason: \"CrashLoopBackOff\") > 5 %%.", i%7, i),
				"runbook_url": "https://runbooks.example.net/kubernetes/kubepodcrashlooping",
			},
			time.Date(2026, 11, 21, 6, 40, i%60, 123e6, time.UTC), time.Time{},
			"http://prometheus.example.net:9090/graph?g0.expr=max_over_time%28kube_pod_container_status_waiting_reason%5B5m%5D%29+%3E%3D+1&g0.tab=1",
			LabelsFrom(l).Fingerprint(),
		})
	}
	b, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": `{}:{alertname="KubePodCrashLooping"}`, "truncatedAlerts": 0, "status": "firing", "receiver": "watchbill",
		"groupLabels": map[string]string{"alertname": "KubePodCrashLooping"}, "commonLabels": map[string]string{"alertname": "KubePodCrashLooping", "severity": "warning"},
		"commonAnnotations": map[string]string{}, "externalURL": "http://am.example.net:9093", "notification_reason": "first notification", "routeLabels": map[string]string{}, "alerts": alerts,
	})
	if err != nil {
		panic(err)
	}
	return b
}

// BenchmarkDecode compares the decoder with encoding/json into the plain structs
// that a receiver would write by hand: the ratio of their MB/s is what counts.
func BenchmarkDecode(b *testing.B) {
	body := benchBody(100)
	b.Run("watchbill", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if n, err := DecodeNotification(body); err != nil || len(n.Alerts) != 100 {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var n struct {
				Version, Receiver, ExternalURL, GroupKey string
				TruncatedAlerts                          uint64
				Alerts                                   []struct {
					Status, GeneratorURL, Fingerprint string
					Labels, Annotations               map[string]string
					StartsAt, EndsAt                  time.Time
				}
			}
			if err := json.Unmarshal(body, &n); err != nil || len(n.Alerts) != 100 {
				b.Fatal(err)
			}
		}
	})
}
