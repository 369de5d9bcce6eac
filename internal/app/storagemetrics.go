package app

import (
	"github.com/prometheus/client_golang/prometheus"
)

// storageMetrics shows what of the store and of the clock a person has to know.
func (s *server) storageMetrics() prometheus.Collector { return &storageMetrics{s} }

type storageMetrics struct{ s *server }

var (
	descDamaged   = prometheus.NewDesc("watchbill_storage_damaged", "How many places of the stored data were found damaged since the start.", nil, nil)
	descOffset    = prometheus.NewDesc("watchbill_clock_offset_seconds", "The server's time minus the system's clock; positive while that is set back.", nil, nil)
	descUnsettled = prometheus.NewDesc("watchbill_clock_unsettled_seconds", "What passed on the clock and does not count yet when old data is removed.", nil, nil)
	descSteps     = prometheus.NewDesc("watchbill_clock_steps_total", "Steps of the system's clock since the start.", []string{"direction"}, nil)
)

// Describe implements prometheus.Collector.
func (m *storageMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDamaged, descOffset, descUnsettled, descSteps} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *storageMetrics) Collect(c chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(descDamaged, float64(len(m.s.db.Damage())))
	var st clockState
	if m.s.clock != nil {
		st = m.s.clock.state()
	}
	gauge(descOffset, st.Offset.Seconds())
	gauge(descUnsettled, st.Unsettled.Seconds())
	for direction, n := range map[string]uint64{"forward": st.Forward, "back": st.Back} {
		c <- prometheus.MustNewConstMetric(descSteps, prometheus.CounterValue, float64(n), direction)
	}
}
