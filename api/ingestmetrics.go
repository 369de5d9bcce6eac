package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/watchbill/watchbill/collector"
)

// IngestMetrics shows what senders are answered, so that somebody learns of refused
// alerts. Alertmanager repeats what was answered 5xx; what was answered 4xx is lost.
type IngestMetrics struct {
	stats           *collector.Stats
	requests, bytes *prometheus.Desc
}

// NewIngestMetrics shows the counters of a collector.
func NewIngestMetrics(s *collector.Stats) *IngestMetrics {
	return &IngestMetrics{
		stats:    s,
		requests: prometheus.NewDesc(prefix+"ingest_requests_total", "Bodies that senders posted, by what they were answered: accepted (200), invalid (400), too_large (413), overloaded and no_room (503), failed (broke off, or 503).", []string{"receiver", "result"}, nil),
		bytes:    prometheus.NewDesc(prefix+"ingest_bytes_total", "Bytes of accepted webhook bodies, unpacked.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *IngestMetrics) Describe(c chan<- *prometheus.Desc) {
	c <- m.requests
	c <- m.bytes
}

// Collect implements prometheus.Collector.
func (m *IngestMetrics) Collect(c chan<- prometheus.Metric) {
	for _, receiver := range collector.Receivers {
		for _, r := range collector.Results {
			c <- prometheus.MustNewConstMetric(m.requests, prometheus.CounterValue, float64(m.stats.Count(receiver, r)), receiver, string(r))
		}
	}
	c <- prometheus.MustNewConstMetric(m.bytes, prometheus.CounterValue, float64(m.stats.Bytes()))
}
