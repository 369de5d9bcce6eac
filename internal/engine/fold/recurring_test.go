package fold_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// What recurs is recognised as long as it does: the last time as the third, whatever
// its rhythm and whatever else happens, and it is one problem from the third at the
// latest.
func TestWhatRecursIsRecognisedAsLongAsItDoes(t *testing.T) {
	const day = 24 * time.Hour
	pair := func(int) []map[string]string {
		return []map[string]string{
			{"alertname": "DiskFull", "severity": "critical", "instance": "db1:9100"},
			{"alertname": "PostgresDown", "severity": "critical", "instance": "db1:9187"},
		}
	}
	lone := func(severity string) func(int) []map[string]string {
		return func(int) []map[string]string {
			return []map[string]string{{"alertname": "BackupFailed", "severity": severity, "instance": "db1:9100"}}
		}
	}
	for _, c := range []struct {
		name   string
		every  time.Duration
		jitter time.Duration
		times  int
		alerts func(int) []map[string]string
	}{
		{"a pair each day", day, 0, 60, pair},
		{"a pair each week, a day sooner or later", 7 * day, day, 30, pair},
		{"a pair each month", 30 * day, 2 * day, 14, pair},
		{"one alert each night", day, time.Hour, 60, lone("critical")},
		{"one alert each week", 7 * day, 12 * time.Hour, 20, lone("page")},
		{"one alert each month", 31 * day, day, 12, lone("p1")},
		{"one alert of no known item", 8 * day, 0, 12, func(int) []map[string]string {
			return []map[string]string{{"alertname": "CertExpires", "severity": "critical", "cn": "shop.example.org"}}
		}},
		{"a job's runs", day, 0, 20, func(n int) []map[string]string {
			return []map[string]string{{"alertname": "KubeJobFailed", "severity": "critical", "namespace": "shop", "job": "kube-state-metrics", "instance": "10.42.1.28:8080", "workload": "report",
				"pod": fmt.Sprintf("report-%d-x7k2p", 28_900_000+n*1440), "uid": fmt.Sprint(n)}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, rnd := newLife(t), rand.New(rand.NewPCG(1, 2))
			for h := range 12 {
				l.tell(&event.CI{Ref: event.Ref{Class: "host", Name: fmt.Sprintf("n%02d", h)}, Attributes: map[string]any{"hostname": fmt.Sprintf("n%02d", h)}})
			}
			l.tell(&event.CI{Ref: event.Ref{Class: "host", Name: "db1"}, Attributes: map[string]any{"hostname": "db1"}})
			l.tell(&event.CI{Ref: event.Ref{Class: "workload", Name: "report"}, Attributes: map[string]any{"namespace": "shop"}})
			start := l.now
			ours := []itsm.Incident{}
			for n := range c.times {
				// Something else goes wrong as often.
				odd := map[string]string{"alertname": fmt.Sprintf("Odd%d", n), "severity": "critical", "instance": fmt.Sprintf("n%02d:9100", rnd.IntN(12))}
				at := start.Add(time.Duration(n)*c.every + 2*time.Hour)
				l.wait(at.Sub(l.now))
				l.send(event.Firing, l.now, odd)
				l.wait(20 * time.Minute)
				l.send(event.Resolved, l.now.Add(-20*time.Minute), odd)
				l.wait(10 * time.Hour)
				if c.jitter > 0 {
					l.wait(time.Duration(rnd.Int64N(int64(c.jitter))))
				}
				before := len(l.opened)
				began := l.now
				for _, labels := range c.alerts(n) {
					l.send(event.Firing, l.now, labels)
					l.wait(20 * time.Second)
				}
				l.wait(time.Hour)
				for _, labels := range c.alerts(n) {
					l.send(event.Resolved, began, labels)
				}
				l.wait(10 * time.Minute)
				if len(l.opened) != before+1 {
					t.Fatalf("time %d: opened %v", n, l.opened[before:])
				}
				ours = append(ours, l.incidents[l.opened[before]])
			}
			for n, i := range ours {
				i = l.incidents[i.ID]
				if n > 0 && i.SeenBefore == "" {
					t.Errorf("time %d (%s) was not seen before", n+1, i.ID)
				}
				if n > 2 && (i.Problem == "" || i.Problem != l.incidents[ours[2].ID].Problem) {
					t.Errorf("time %d (%s) belongs to problem %q, the third to %q", n+1, i.ID, i.Problem, l.incidents[ours[2].ID].Problem)
				}
			}
		})
	}
}
