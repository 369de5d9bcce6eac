package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StorageStatus is what of the store, its copies and the clock a person has to know.
type StorageStatus struct {
	Damaged         int       // places of the stored data that were found damaged
	Checked         time.Time // when all of it was last read; zero: not since the start
	Free, Watermark uint64    // bytes of the disk
	Backup          time.Time // when the newest one was made by itself; zero: never
	BackupEvery     time.Duration
	BackupFailures  uint64
	ClockOffset     time.Duration // the server's time minus the system's clock
	ClockUnsettled  time.Duration // what passed on the clock and does not age data yet
	StepsForward    uint64
	StepsBack       uint64
}

// NewStorageMetrics shows the status that a function returns.
func NewStorageMetrics(status func() StorageStatus) prometheus.Collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	return &storageMetrics{
		status:    status,
		damaged:   d("storage_damaged", "How many places of the stored data were found damaged since the start."),
		checked:   d("storage_checked_timestamp_seconds", "When all stored data was last read with its checksums; 0: not since the start."),
		free:      d("storage_free_bytes", "Free space of the disk that the data is on, with the reserve."),
		watermark: d("storage_watermark_bytes", "Free space below which writers are refused."),
		backup:    d("backup_last_success_timestamp_seconds", "When the newest backup was made that the server makes by itself; 0: never."),
		every:     d("backup_interval_seconds", "How often the server makes a backup by itself; 0: never."),
		failures:  d("backup_failures_total", "Backups that failed since the start."),
		offset:    d("clock_offset_seconds", "The server's time minus the system's clock; positive while that is set back."),
		unsettled: d("clock_unsettled_seconds", "What passed on the clock and does not count yet when old data is removed."),
		steps:     d("clock_steps_total", "Steps of the system's clock since the start.", "direction"),
	}
}

type storageMetrics struct {
	status                            func() StorageStatus
	damaged, checked, free, watermark *prometheus.Desc
	backup, every, failures           *prometheus.Desc
	offset, unsettled, steps          *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (m *storageMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.damaged, m.checked, m.free, m.watermark, m.backup, m.every, m.failures, m.offset, m.unsettled, m.steps} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *storageMetrics) Collect(c chan<- prometheus.Metric) {
	st := m.status()
	gauge := func(d *prometheus.Desc, v float64) { c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(m.damaged, float64(st.Damaged))
	gauge(m.checked, stamp(st.Checked))
	gauge(m.free, float64(st.Free))
	gauge(m.watermark, float64(st.Watermark))
	gauge(m.backup, stamp(st.Backup))
	gauge(m.every, st.BackupEvery.Seconds())
	counter(m.failures, st.BackupFailures)
	gauge(m.offset, st.ClockOffset.Seconds())
	gauge(m.unsettled, st.ClockUnsettled.Seconds())
	counter(m.steps, st.StepsForward, "forward")
	counter(m.steps, st.StepsBack, "back")
}
