package api

import (
	"math"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/itsm"
)

// every reads a list to its end.
func every[T any](t *testing.T, page func(engine.Range) (engine.Page[T], error)) []T {
	t.Helper()
	var out []T
	for cursor := ""; ; {
		p, err := page(engine.Range{Cursor: cursor, Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p.Items...)
		if cursor = p.Next; cursor == "" {
			return out
		}
	}
}

// TestTrimTakesNothingBack: what is older than the retention is gone with all that
// belongs to it, what is open or can still change is not, and counters and
// histograms are after a restart what they were before.
func TestTrimTakesNothingBack(t *testing.T) {
	m := newMonth(t, 75)
	e, metrics, db := decided(t, m, 1)
	ctx := t.Context()
	r := e.Records()
	incidents := func() []itsm.Incident {
		return every(t, func(at engine.Range) (engine.Page[itsm.Incident], error) {
			return r.Incidents(ctx, engine.IncidentFilter{}, at)
		})
	}
	measures := func() (n int) {
		if err := r.Measures(ctx, 0, func(fold.MeasureRow) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	counts := map[string]uint64{}
	values := map[string]float64{}
	shape := map[string][]uint64{}
	read := func(m *Metrics) {
		for name, f := range gathered(t, m) {
			n, sum := sums(f)
			counts[name], values[name] = n, sum
			for _, x := range f.GetMetric() {
				for _, b := range x.GetHistogram().GetBucket() {
					if !math.IsInf(b.GetUpperBound(), 1) { // there only where it holds an exemplar
						shape[name] = append(shape[name], b.GetCumulativeCount())
					}
				}
				for _, d := range x.GetHistogram().GetPositiveDelta() {
					shape[name] = append(shape[name], uint64(d))
				}
			}
		}
	}
	read(metrics)
	wantCounts, wantValues, wantShape := counts, values, shape
	before := m.end.AddDate(0, 0, -20)
	had, rows := incidents(), measures()

	if n, err := e.TrimRecords(ctx, before); err != nil || n == 0 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := e.TrimRecords(ctx, before); err != nil || n != 0 {
		t.Fatalf("a second call removed %d more, %v", n, err)
	}
	kept := map[string]bool{}
	for _, i := range incidents() {
		kept[i.ID] = true
	}
	gone := 0
	for _, i := range had {
		// Nothing archives before its time: 30 days after closing.
		over := i.ClosedAt != nil && i.ClosedAt.Before(before) && i.ClosedAt.Before(m.end.AddDate(0, 0, -30))
		if kept[i.ID] == over {
			t.Errorf("%s (%s, closed %v) kept: %v", i.ID, i.State, i.ClosedAt, kept[i.ID])
		}
		if over {
			gone++
			for what, left := range map[string]int{
				"timeline rows": len(every(t, func(at engine.Range) (engine.Page[fold.TimelineRow], error) { return r.Timeline(ctx, i.ID, at) })),
				"audit rows": len(every(t, func(at engine.Range) (engine.Page[fold.AuditRow], error) {
					return r.Audit(ctx, engine.AuditFilter{Record: i.ID, Keep: func(a fold.AuditRow) bool { return a.At.Before(before) }}, at)
				})),
			} {
				if left > 0 {
					t.Errorf("%d %s of %s are left", left, what, i.ID)
				}
			}
		}
	}
	if gone == 0 || gone == len(had) || measures() >= rows {
		t.Fatalf("%d of %d incidents gone, %d of %d measures left: the test tests nothing", gone, len(had), measures(), rows)
	}
	for _, a := range every(t, func(at engine.Range) (engine.Page[correlator.Alert], error) {
		return r.Alerts(ctx, engine.AlertFilter{}, at)
	}) {
		if ended := a.Status != "firing" && a.Status != "stale"; ended && a.LastReceived.Before(before) && !kept[a.Incident] {
			t.Errorf("%s ended and is in no kept incident (%q)", a.ID, a.Incident)
		}
		if a.Why == "" {
			t.Errorf("%s (%s) lost why it was disposed of so", a.ID, a.Status)
		}
	}

	now := func() time.Time { return m.end }
	j, err := journal.Open(ctx, db, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := engine.Open(ctx, engine.Options{DB: db, Journal: j, Rules: monthRules(), Version: "test", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if metrics, err = NewMetrics(ctx, again, "test", now); err != nil {
		t.Fatal(err)
	}
	counts, values, shape = map[string]uint64{}, map[string]float64{}, map[string][]uint64{}
	read(metrics)
	for _, x := range itsm.Metrics() {
		name := prefix + x.Name
		if counts[name] != wantCounts[name] || ms(values[name]) != ms(wantValues[name]) {
			t.Errorf("%s is %d and %v after the restart, was %d and %v", name, counts[name], values[name], wantCounts[name], wantValues[name])
		}
		for n, want := range wantShape[name] {
			if len(shape[name]) != len(wantShape[name]) || shape[name][n] != want {
				t.Errorf("%s has buckets %v after the restart, had %v", name, shape[name], wantShape[name])
				break
			}
		}
	}
}
