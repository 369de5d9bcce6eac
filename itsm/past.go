package itsm

import (
	"fmt"
	"math"
	"sort"
)

// ClockBuckets are the upper ends, in seconds, in which clocks are counted: from a
// fast detection to a month-long problem.
func ClockBuckets() []float64 {
	return []float64{10, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 86400, 3 * 86400, 7 * 86400, 14 * 86400, 30 * 86400}
}

// Past is what stays of observations whose rows are trimmed: their number and sum.
// Counters and histograms that are made of it equal those made of the rows, so that
// trimming takes nothing back. Values are kept apart by the buckets of both kinds of
// histogram that they fall into: with their mean, each falls there again.
type Past struct {
	Name     string  `json:"name"`
	Priority int     `json:"priority,omitempty"`
	Of       string  `json:"of,omitempty"`
	SLA      string  `json:"sla,omitempty"`
	Result   string  `json:"result,omitempty"`
	Bucket   string  `json:"bucket"`
	Count    uint64  `json:"count"`
	Sum      float64 `json:"sum"`
}

// PastOf is one observation as a Past.
func PastOf(o Observation) Past {
	return Past{o.Name, o.Priority, o.Of, o.SLA, o.Result, bucketOf(o.Value), 1, o.Value}
}

// Key says which observations are summed up in one.
func (p Past) Key() string {
	return fmt.Sprintf("%s/%d/%q/%q/%q/%s", p.Name, p.Priority, p.Of, p.SLA, p.Result, p.Bucket)
}

// Add sums up two of the same key.
func (p Past) Add(o Past) Past {
	p.Count += o.Count
	p.Sum += o.Sum
	return p
}

// nativeSchema is Prometheus' for a growth of at most 1.1 from bucket to bucket:
// 2^3 of them double the value.
const nativeSchema = 3

func bucketOf(v float64) string {
	if v <= 0 {
		return "0"
	}
	return fmt.Sprintf("%d.%d", sort.SearchFloat64s(ClockBuckets(), v), int(math.Ceil(math.Log2(v)*(1<<nativeSchema))))
}
