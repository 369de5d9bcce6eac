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
	descChecked   = prometheus.NewDesc("watchbill_storage_checked_timestamp_seconds", "When all stored data was last read with its checksums; 0: not since the start.", nil, nil)
	descBackup    = prometheus.NewDesc("watchbill_backup_last_success_timestamp_seconds", "When the newest backup was made that the server makes by itself; 0: never, or none are configured.", nil, nil)
	descBackups   = prometheus.NewDesc("watchbill_backup_failures_total", "Backups that failed since the start.", nil, nil)
	descPlanned   = prometheus.NewDesc("watchbill_backup_interval_seconds", "How often the server makes a backup by itself; 0: never.", nil, nil)
	descFree      = prometheus.NewDesc("watchbill_storage_free_bytes", "Free space of the disk that the data is on, with the reserve.", nil, nil)
	descWatermark = prometheus.NewDesc("watchbill_storage_watermark_bytes", "Free space below which writers are refused.", nil, nil)
	descSteps     = prometheus.NewDesc("watchbill_clock_steps_total", "Steps of the system's clock since the start.", []string{"direction"}, nil)
)

// Describe implements prometheus.Collector.
func (m *storageMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDamaged, descOffset, descUnsettled, descSteps, descChecked, descBackup, descBackups, descPlanned, descFree, descWatermark} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *storageMetrics) Collect(c chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(descDamaged, float64(len(m.s.db.Damage())))
	gauge(descChecked, float64(m.s.scrubbed.Load()))
	gauge(descBackup, float64(m.s.backups.last.Load()))
	every := 0.0
	if cfg := m.s.backups.cfg.Load(); cfg != nil && cfg.Directory != "" {
		every = cfg.Every.Std().Seconds()
	}
	gauge(descPlanned, every)
	free, watermark := m.s.space.left()
	gauge(descFree, float64(free))
	gauge(descWatermark, float64(watermark))
	c <- prometheus.MustNewConstMetric(descBackups, prometheus.CounterValue, float64(m.s.backups.failed.Load()))
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
