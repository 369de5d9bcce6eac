package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

const prefix = "watchbill_"

// serviceCap is how many services have series of their own; the rest share "other",
// so that a CMDB full of services does not become a Prometheus full of series.
const serviceCap = 50

// availabilityWindow is what the availability gauge looks back over.
const availabilityWindow = 30 * 24 * time.Hour

// Metrics shows the event log to Prometheus: counters and histograms hold exactly
// the measures that were committed, before this process as well as in it, so a
// restart takes nothing back. Safe for concurrent use.
type Metrics struct {
	engine   *engine.Engine
	registry *prometheus.Registry
	now      func() time.Time

	counters map[string]*prometheus.CounterVec
	clocks   map[string]*prometheus.HistogramVec

	mu       sync.Mutex // guards outages and services
	outages  *itsm.Outages
	services []string // with series of their own; grows only

	unreadable prometheus.Counter
	d          descs
}

// descs of what is read at each scrape.
type descs struct {
	received, fates, released, active, bound, open, oldest, problems *prometheus.Desc
	position, snapshot, lag, availability, sourceOldest              *prometheus.Desc
	truncated, clamped                                               *prometheus.Desc
}

// NewMetrics reads what was measured up to the engine's position and follows it
// from there. Call it after engine.Open and before Run: what was committed counts
// once, whichever way it comes.
func NewMetrics(ctx context.Context, e *engine.Engine, version string, now func() time.Time) (*Metrics, error) {
	m := &Metrics{
		engine: e, registry: prometheus.NewRegistry(), now: now, outages: itsm.NewOutages(),
		counters: map[string]*prometheus.CounterVec{}, clocks: map[string]*prometheus.HistogramVec{},
	}
	for _, x := range itsm.Metrics() {
		if x.Clock {
			m.clocks[x.Name] = prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: prefix + x.Name, Help: x.Help, Buckets: itsm.ClockBuckets(),
				NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
			}, x.Labels)
			m.registry.MustRegister(m.clocks[x.Name])
			continue
		}
		m.counters[x.Name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + x.Name, Help: x.Help}, x.Labels)
		m.registry.MustRegister(m.counters[x.Name])
	}
	m.unreadable = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "journal_unreadable_total", Help: "Journal events that could not be read and were passed over, since the start."})
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.unreadable, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.describe()
	m.registry.MustRegister(m)

	m.refresh()
	upTo := e.Position()
	if err := e.Records().Past(ctx, m.recall); err != nil {
		return nil, fmt.Errorf("read the sums of trimmed measures: %w", err)
	}
	err := e.Records().Measures(ctx, 0, func(r fold.MeasureRow) error {
		// Rows beyond belong to a commit that a crash cut off: they are decided, and
		// tapped, again.
		if r.Position <= upTo {
			m.take(r, false)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the measures of the event log: %w", err)
	}
	e.Tap(func(f fold.Effect) {
		switch b := f.Body.(type) {
		case fold.MeasureRow:
			m.take(b, true)
		case fold.Unreadable:
			m.unreadable.Inc()
		}
	})
	return m, nil
}

// Registry is where other parts of the program add their metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Handler serves the metrics. Exemplars and native histograms go to a scraper that
// asks for OpenMetrics or protocol buffers.
func (m *Metrics) Handler() http.Handler {
	all := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		m.refresh()
		return m.registry.Gather()
	})
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// take counts one row of the event log.
func (m *Metrics) take(r fold.MeasureRow, live bool) {
	o := r.Observation()
	if o.Of != "" {
		m.mu.Lock()
		m.outages.Take(o)
		m.mu.Unlock()
	}
	if h := m.clocks[r.Name]; h != nil {
		obs := h.WithLabelValues(m.labels(r)...)
		// An exemplar says where its value comes from at the time of the scrape; what
		// is read again at a start is too old for that.
		if ex, ok := obs.(prometheus.ExemplarObserver); ok && live && r.Record != "" {
			ex.ObserveWithExemplar(r.Value, prometheus.Labels{"record_id": r.Record})
			return
		}
		obs.Observe(r.Value)
		return
	}
	if c := m.counters[r.Name]; c != nil { // a measure that this version no longer knows is left out
		counter := c.WithLabelValues(m.labels(r)...)
		if ex, ok := counter.(prometheus.ExemplarAdder); ok && live && r.Record != "" {
			ex.AddWithExemplar(r.Value, prometheus.Labels{"record_id": r.Record})
			return
		}
		counter.Add(r.Value)
	}
}

// recall counts what was measured before the retention.
func (m *Metrics) recall(p itsm.Past) {
	labels := m.labels(fold.MeasureRow{Priority: p.Priority, Measure: itsm.Measure{Name: p.Name, Of: p.Of, SLA: p.SLA, Result: p.Result}})
	if h := m.clocks[p.Name]; h != nil {
		for range p.Count {
			h.WithLabelValues(labels...).Observe(p.Sum / float64(p.Count))
		}
	}
	if c := m.counters[p.Name]; c != nil {
		c.WithLabelValues(labels...).Add(p.Sum)
	}
}

func (m *Metrics) labels(r fold.MeasureRow) []string {
	for _, x := range itsm.Metrics() {
		if x.Name != r.Name {
			continue
		}
		out := make([]string, len(x.Labels))
		for i, l := range x.Labels {
			switch l {
			case "priority":
				out[i] = strconv.Itoa(r.Priority)
			case "service":
				out[i] = m.service(r.Of)
			case "sla":
				out[i] = r.SLA
			case "result":
				out[i] = r.Result
			}
		}
		return out
	}
	return nil
}

// service is the label value of a service.
func (m *Metrics) service(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.services, name) {
		return name
	}
	return "other"
}

// refresh creates every series that the rules in force can have, at 0: one that
// appears with its first event would lose it in increase().
func (m *Metrics) refresh() {
	r := m.engine.Rules().Desk
	m.mu.Lock()
	for _, s := range r.Services {
		if len(m.services) < serviceCap && !slices.Contains(m.services, s.Name) {
			m.services = append(m.services, s.Name)
		}
	}
	services := append(slices.Clone(m.services), "other")
	m.mu.Unlock()
	for _, x := range itsm.Metrics() {
		switch {
		case slices.Equal(x.Labels, []string{"priority"}):
			for p := 1; p <= 5; p++ {
				m.touch(x.Name, strconv.Itoa(p))
			}
		case slices.Equal(x.Labels, []string{"service"}):
			for _, s := range services {
				m.touch(x.Name, s)
			}
		case x.Name == itsm.MSLA:
			for _, a := range r.SLAs {
				for _, result := range itsm.SLAResults() {
					m.touch(x.Name, a.Name, result)
				}
			}
		case len(x.Labels) == 0:
			m.touch(x.Name)
		}
	}
}

func (m *Metrics) touch(name string, labels ...string) {
	if h := m.clocks[name]; h != nil {
		h.WithLabelValues(labels...)
		return
	}
	m.counters[name].WithLabelValues(labels...)
}

func (m *Metrics) describe() {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	m.d = descs{
		received:     d("alerts_received_total", "Alert objects of accepted bodies; always the sum of alerts_fates_total."),
		fates:        d("alerts_fates_total", "Alert objects by their disposition at receipt.", "fate"),
		released:     d("alerts_released_total", "Held alerts that joined an incident later."),
		active:       d("alerts_active", "Alerts by what is known of them now.", "state"),
		bound:        d("alerts_bound_ratio", "Share of the alerts in memory that are bound to a configuration item; 0 without any."),
		open:         d("incidents_open", "Open incidents.", "priority", "state"),
		oldest:       d("incident_oldest_open_timestamp_seconds", "When the oldest open incident opened; 0 without any."),
		problems:     d("problems_open", "Open problems.", "state"),
		position:     d("engine_position", "Newest journal position that is decided and committed."),
		snapshot:     d("engine_snapshot_position", "Journal position that the newest snapshot covers."),
		lag:          d("engine_lag_events", "Journal events that are not decided yet."),
		availability: d("service_availability_ratio", "Share of the agreed time of the last 30 days in which a service had no unplanned outage.", "service"),
		truncated:    d("alerts_truncated_total", "Alerts that senders left out of their bodies (max_alerts): they were never received."),
		clamped:      d("alerts_clamped_total", "Received alerts whose onset lay in the future or too far back and was clamped."),
		sourceOldest: d("source_oldest_heard_timestamp_seconds", "When the alert source that is silent longest was last heard; 0 without any."),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.d.received, m.d.fates, m.d.released, m.d.active, m.d.bound, m.d.open, m.d.oldest, m.d.problems,
		m.d.position, m.d.snapshot, m.d.lag, m.d.availability, m.d.sourceOldest, m.d.truncated, m.d.clamped,
	} {
		c <- d
	}
}

// Collect implements prometheus.Collector: what the engine holds now.
func (m *Metrics) Collect(c chan<- prometheus.Metric) {
	st := m.engine.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(m.d.received, st.Received)
	for _, f := range correlator.Fates() {
		counter(m.d.fates, st.Fates[f], string(f))
	}
	counter(m.d.released, st.Released)
	gauge(m.d.active, float64(st.Correlator.AlertsFiring), "firing")
	gauge(m.d.active, float64(st.Correlator.AlertsStale), "stale")
	gauge(m.d.active, float64(st.Correlator.AlertsHeld), "held")
	share := 0.0
	if st.Correlator.Total > 0 {
		share = float64(st.Correlator.Bound) / float64(st.Correlator.Total)
	}
	gauge(m.d.bound, share)
	for _, s := range []itsm.State{itsm.New, itsm.InProgress, itsm.OnHold} {
		for p := 1; p <= 5; p++ {
			k := [2]string{string(s), strconv.Itoa(p)}
			gauge(m.d.open, float64(st.Open[k]), k[1], k[0])
		}
	}
	gauge(m.d.oldest, stamp(st.OldestOpen))
	for _, s := range []itsm.ProblemState{itsm.ProblemNew, itsm.ProblemAssess, itsm.ProblemRootCause, itsm.ProblemFix} {
		gauge(m.d.problems, float64(st.Problems[s]), string(s))
	}
	gauge(m.d.position, float64(st.Position))
	gauge(m.d.snapshot, float64(st.Snapshot))
	gauge(m.d.lag, float64(m.engine.Lag()))
	var oldest time.Time
	var truncated, clamped uint64
	for name, s := range st.Correlator.Sources {
		if name == event.SelfSource { // it speaks when something is wrong only
			continue
		}
		truncated, clamped = truncated+s.Truncated, clamped+s.Clamped
		if !s.Heard.IsZero() && (oldest.IsZero() || s.Heard.Before(oldest)) {
			oldest = s.Heard
		}
	}
	counter(m.d.truncated, truncated)
	counter(m.d.clamped, clamped)
	gauge(m.d.sourceOldest, stamp(oldest))
	for _, a := range m.availability() {
		if a.Availability != nil {
			gauge(m.d.availability, *a.Availability, a.Service)
		}
	}
}

// availability is what the KPI report computes, over a fixed window.
func (m *Metrics) availability() []itsm.Availability {
	desk, err := itsm.NewDesk(m.engine.Rules().Desk)
	if err != nil {
		return nil // rules in force were validated
	}
	services := desk.Rules.Services[:min(len(desk.Rules.Services), serviceCap)]
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outages.Forget(now.Add(-availabilityWindow))
	return m.outages.Sum(services, now.Add(-availabilityWindow), now, desk.Calendars, now)
}

func stamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
