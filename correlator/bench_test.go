package correlator_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// estate is a made-up installation of hosts machines: racks of switches and
// hypervisors, virtual machines on them, services on those that call each other
// and databases.
func estate(hosts int) []event.Body {
	var out []event.Body
	ci := func(class, name string, attributes map[string]any) event.Ref {
		r := event.Ref{Class: class, Name: name}
		out = append(out, &event.CI{Ref: r, Attributes: attributes})
		return r
	}
	rel := func(from event.Ref, kind string, to event.Ref) {
		out = append(out, &event.Relation{From: from, Type: kind, To: to})
	}
	var hypervisors, machines, databases, services []event.Ref
	for n := range max(1, hosts/200) {
		sw := ci("switch", fmt.Sprintf("tor-%d", n), nil)
		for k := range 10 {
			h := ci("hypervisor", fmt.Sprintf("pve-%d-%d", n, k), nil)
			rel(h, "attached_to", sw)
			hypervisors = append(hypervisors, h)
		}
	}
	for n := range hosts {
		h := ci("host", fmt.Sprintf("host-%d", n), map[string]any{"hostname": fmt.Sprintf("host-%d", n), "addresses": []any{fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)}})
		rel(h, "runs_on", hypervisors[n%len(hypervisors)])
		machines = append(machines, h)
	}
	for n := range max(1, hosts/40) {
		d := ci("database", fmt.Sprintf("db-%d", n), map[string]any{"engine": "postgresql"})
		rel(d, "runs_on", machines[(n*37)%hosts])
		databases = append(databases, d)
	}
	for n := range hosts / 2 {
		s := ci("service", fmt.Sprintf("svc-%d", n), nil)
		rel(s, "runs_on", machines[(n*2)%hosts])
		rel(s, "runs_on", machines[(n*2+1)%hosts])
		rel(s, "depends_on", databases[n%len(databases)])
		for k := 1; k <= 2 && n > k*7; k++ {
			rel(s, "depends_on", services[n-k*7])
		}
		services = append(services, s)
	}
	return out
}

type bench struct {
	s   *correlator.State
	seq map[string]int
	at  time.Time
	pos uint64
}

func newBench(hosts int) *bench {
	b := &bench{seq: map[string]int{}, at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.s = correlator.New(correlator.DefaultConfig(), func(kind string) string {
		b.seq[kind]++
		return fmt.Sprintf("%s%08d", kind, b.seq[kind])
	})
	for _, body := range estate(hosts) {
		b.step(body)
	}
	return b
}

func (b *bench) step(body event.Body) []correlator.Decision {
	b.pos++
	return b.s.Step(event.Event{Position: b.pos, At: b.at}, body)
}

// alertAt makes the nth alert: about hosts, services and databases in turn.
func alertAt(n, hosts int, at time.Time, severity string) event.Alert {
	m := map[string]string{"severity": severity, "alertname": fmt.Sprintf("Rule%d", n%60), "n": fmt.Sprint(n)}
	switch n % 4 {
	case 0, 1:
		m["instance"], m["job"] = fmt.Sprintf("host-%d:9100", (n*7919)%hosts), "node-exporter"
	case 2:
		m["service_name"] = fmt.Sprintf("svc-%d", (n*104729)%(hosts/2))
	default:
		m["instance"], m["job"] = fmt.Sprintf("host-%d:9187", (n*7919)%hosts), "postgres"
	}
	return event.Alert{Status: event.Firing, Labels: event.LabelsFrom(m), StartsAt: at, Fingerprint: fmt.Sprintf("%016x", n)}
}

func notify(alerts []event.Alert) *event.Notification { return &event.Notification{Alerts: alerts} }

// cpu is the processor time that the process has used: on a machine that others
// use too, the wall clock tells how busy they are.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkNew is the cost of an alert never heard before, at 4,000 machines: a
// stream of unrelated ones, a hundred to a body, that ends after an hour.
func BenchmarkNew(b *testing.B) {
	const hosts = 4000
	x := newBench(hosts)
	b.ReportAllocs()
	n := 0
	body := func() []event.Alert {
		x.at = x.at.Add(time.Second)
		alerts := make([]event.Alert, 100)
		for k := range alerts {
			alerts[k] = alertAt(n, hosts, x.at, []string{"warning", "critical", "warning", "info"}[n/7%4])
			n++
		}
		return alerts
	}
	for range 40 {
		x.step(notify(body())) // what the topology is asked is kept
	}
	n = 4000
	began := cpu()
	for b.Loop() {
		b.StopTimer()
		alerts := body()
		b.StartTimer()
		x.step(notify(alerts))
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(100*b.N), "cpu-µs/alert")
}

// BenchmarkStorm is the cost of an alert in a storm: one switch after the other
// loses what hangs on it.
func BenchmarkStorm(b *testing.B) {
	const hosts = 4000
	x := newBench(hosts)
	n := 0
	for b.Loop() {
		rack := n / 400
		if n%50 == 0 {
			x.at = x.at.Add(time.Second)
		}
		if n%400 == 0 {
			x.at = x.at.Add(10 * time.Minute)
		}
		h := (rack%20)*10 + n%10 + n/10%20*200
		m := map[string]string{"severity": "critical", "alertname": fmt.Sprintf("Rule%d", n%3), "instance": fmt.Sprintf("host-%d:9100", h%hosts), "n": fmt.Sprint(n)}
		x.step(notify([]event.Alert{{Status: event.Firing, Labels: event.LabelsFrom(m), StartsAt: x.at, Fingerprint: fmt.Sprintf("%016x", n)}}))
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkRepeat is the cost of hearing an alert again.
func BenchmarkRepeat(b *testing.B) {
	const hosts, active = 4000, 20_000
	x := newBench(hosts)
	alerts := make([]event.Alert, active)
	for n := range alerts {
		alerts[n] = alertAt(n, hosts, x.at, "warning")
		x.step(notify(alerts[n : n+1]))
		if n%50 == 0 {
			x.at = x.at.Add(time.Second)
		}
	}
	n := 0
	for b.Loop() {
		x.step(notify(alerts[n%active : n%active+1]))
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkMemory is the resident cost of an active alert, as the slope from
// 10,000 to 100,000.
func BenchmarkMemory(b *testing.B) {
	const hosts = 4000
	for b.Loop() {
		x := newBench(hosts)
		fill := func(from, to int) {
			for n := from; n < to; n++ {
				x.step(notify([]event.Alert{alertAt(n, hosts, x.at, "warning")}))
				if n%20 == 0 {
					x.at = x.at.Add(time.Second)
				}
			}
		}
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		fill(0, 10_000)
		low := heap()
		fill(10_000, 100_000)
		high := heap()
		b.ReportMetric(float64(high-low)/90_000, "B/alert")
		runtime.KeepAlive(x)
	}
}

// BenchmarkUnbound is a storm of critical alerts that name nothing known.
func BenchmarkUnbound(b *testing.B) {
	x := newBench(400)
	n, opened := 0, 0
	for b.Loop() {
		m := map[string]string{"severity": "critical", "alertname": fmt.Sprintf("Rule%d", n%500), "what": fmt.Sprint(n)}
		if n%1000 == 0 {
			x.at = x.at.Add(time.Second)
		}
		for _, d := range x.step(notify([]event.Alert{{Status: event.Firing, Labels: event.LabelsFrom(m), StartsAt: x.at, Fingerprint: fmt.Sprintf("%016x", n)}})) {
			if _, ok := d.(correlator.IncidentOpened); ok {
				opened++
			}
		}
		n++
	}
	x.at = x.at.Add(2 * time.Minute)
	for _, d := range x.step(&event.Tick{}) {
		if _, ok := d.(correlator.IncidentOpened); ok {
			opened++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64(opened), "incidents")
}
