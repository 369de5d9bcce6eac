package api

import (
	"bytes"
	"context"
	"maps"
	"math"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
	"github.com/watchbill/watchbill/itsm"
)

// decided runs an engine over the script's journal, with restarts in between, and
// returns it stopped with the metrics of its last life.
func decided(t *testing.T, m *month, lives int) (*engine.Engine, *Metrics, store.DB) {
	t.Helper()
	ctx := background(t)
	db, err := badgerdb.Open(badgerdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var e *engine.Engine
	var metrics *Metrics
	per := (len(m.events) + lives - 1) / lives
	for part := range slices.Chunk(m.events, per) {
		// The clock stands at the script's: a later one would make deadlines due.
		now := func() time.Time { return part[len(part)-1].At }
		j, err := journal.Open(ctx, db, now)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = engine.Open(ctx, engine.Options{DB: db, Journal: j, Rules: monthRules(), Version: "test", Now: now}); err != nil {
			t.Fatal(err)
		}
		if metrics, err = NewMetrics(ctx, e, "test", now); err != nil {
			t.Fatal(err)
		}
		for some := range slices.Chunk(part, 200) {
			err := db.Update(ctx, func(tx store.Tx) error {
				_, err := j.AppendAt(tx, some...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		life, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- e.Run(life) }()
		if err := e.CaughtUp(ctx); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return e, metrics, db
}

// raw is what the records alone say, computed here and by nothing of the product.
type raw struct {
	counts map[string]float64
	clocks map[string][]float64 // name and priority where known → seconds
	open   int
	sla    map[string]int // level and result → how many
}

// fromRecords reads incidents, problems, and their timelines, and does the sums anew.
func fromRecords(t *testing.T, r *engine.Records) raw {
	t.Helper()
	ctx := t.Context()
	out := raw{counts: map[string]float64{}, clocks: map[string][]float64{}, sla: map[string]int{}}
	add := func(name string, d time.Duration) { out.clocks[name] = append(out.clocks[name], d.Seconds()) }
	for cursor := ""; ; {
		p, err := r.Incidents(ctx, engine.IncidentFilter{}, engine.Range{Cursor: cursor, Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range p.Items {
			out.counts["incidents_opened_total"]++
			if i.AcknowledgedAt != nil {
				add("incident_acknowledgement_seconds", i.AcknowledgedAt.Sub(i.OpenedAt))
			}
			if i.RespondedAt != nil {
				add("incident_first_response_seconds", i.RespondedAt.Sub(i.OpenedAt))
			}
			if i.SeenBefore != "" {
				out.counts["incidents_recurring_total"]++
			}
			if i.MergedInto != "" {
				out.counts["incidents_merged_total"]++
			} else if i.State == itsm.Canceled {
				out.counts["incidents_canceled_total"]++
			}
			if i.State == itsm.New || i.State == itsm.InProgress || i.State == itsm.OnHold {
				out.open++
			}
			tl, err := r.Timeline(ctx, i.ID, engine.Range{Limit: 10000})
			if err != nil {
				t.Fatal(err)
			}
			var restored *time.Time
			for _, row := range tl.Items {
				if row.Kind == "sla" {
					name, text, _ := strings.Cut(row.Text, ": ")
					for begin, result := range map[string]string{"met ": "met", "breached": "breached", "canceled": "canceled", "goes on": "withdrawn"} {
						if strings.HasPrefix(text, begin) {
							out.sla[name+"/"+result]++
						}
					}
				}
				switch {
				case row.Kind == "clear" && row.Text == "all alerts are clear":
					restored = &row.At
				case row.Kind == "alert" && row.Text == "an alert is active again":
					restored = nil
				case row.Kind == "state" && strings.HasPrefix(row.Text, "resolved"):
					add("incident_resolution_seconds", row.At.Sub(i.OpenedAt))
					if restored == nil && i.Alerts == 0 {
						restored = &row.At
					}
					if restored != nil {
						add("incident_recovery_seconds", restored.Sub(i.Onset))
						add("incident_response_seconds", restored.Sub(i.OpenedAt))
						if i.WorkStartedAt != nil && !i.WorkStartedAt.After(*restored) {
							add("incident_repair_seconds", restored.Sub(*i.WorkStartedAt))
						}
					}
				case row.Kind == "state" && strings.HasPrefix(row.Text, "reopened"):
					out.counts["incidents_reopened_total"]++
					restored = nil
				}
			}
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	ps, err := r.Problems(ctx, nil, engine.Range{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps.Items {
		out.counts["problems_opened_total"]++
		tl, err := r.Timeline(ctx, p.ID, engine.Range{Limit: 10000})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range tl.Items {
			switch {
			case row.Kind == "state" && strings.HasPrefix(row.Text, "resolved"):
				add("problem_resolution_seconds", row.At.Sub(p.OpenedAt))
			case row.Kind == "state" && strings.HasPrefix(row.Text, "reopened"):
				out.counts["problems_reopened_total"]++
			}
		}
	}
	return out
}

func gathered(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	fams, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range fams {
		out[f.GetName()] = f
	}
	return out
}

// sums adds the series of a family up.
func sums(f *dto.MetricFamily) (count uint64, sum float64) {
	for _, m := range f.GetMetric() {
		if h := m.GetHistogram(); h != nil {
			count += h.GetSampleCount()
			sum += h.GetSampleSum()
		}
		if c := m.GetCounter(); c != nil {
			sum += c.GetValue()
		}
		if g := m.GetGauge(); g != nil {
			sum += g.GetValue()
		}
	}
	return count, sum
}

func ms(v float64) int64 { return int64(math.Round(v * 1000)) }

func TestMonthKPIsAgree(t *testing.T) {
	m := newMonth(t, 31)
	e, metrics, _ := decided(t, m, 3)
	if got := e.Position(); got != uint64(len(m.events)) {
		t.Fatalf("the engine is at %d of %d events", got, len(m.events))
	}
	k := NewKPIs(e.Records(), e.Rules, func() time.Time { return m.end })
	report, err := k.Report(t.Context(), url.Values{"from": {"2026-10-01"}, "to": {m.end.Add(time.Second).Format(time.RFC3339)}})
	if err != nil {
		t.Fatal(err)
	}
	want, fams := fromRecords(t, e.Records()), gathered(t, metrics)
	independent := map[string]bool{}
	for _, x := range itsm.Metrics() {
		fam := fams["watchbill_"+x.Name]
		if fam == nil && x.Name != itsm.MSLA {
			t.Fatalf("%s is not in /metrics", x.Name)
		}
		n, sum := sums(fam)
		if !x.Clock {
			if x.Name == itsm.MSLA {
				continue
			}
			if got := report.Total.Counts[x.Name]; ms(got) != ms(sum) {
				t.Errorf("%s: the API says %v, /metrics %v", x.Name, got, sum)
			}
			if w, ok := want.counts[x.Name]; ok {
				independent[x.Name] = true
				if ms(w) != ms(sum) {
					t.Errorf("%s: /metrics says %v, the records %v", x.Name, sum, w)
				}
			}
			continue
		}
		got := report.Total.Clocks[x.Name]
		if uint64(got.Count) != n || ms(got.Sum) != ms(sum) {
			t.Errorf("%s: the API says %d, %v s; /metrics %d, %v s", x.Name, got.Count, got.Sum, n, sum)
		}
		if w, ok := want.clocks[x.Name]; ok {
			independent[x.Name] = true
			slices.Sort(w)
			var total int64
			for _, v := range w {
				total += ms(v)
			}
			p50, p90 := w[int(math.Ceil(float64(len(w))*0.5))-1], w[int(math.Ceil(float64(len(w))*0.9))-1]
			if len(w) != got.Count || total != ms(got.Sum) || p50 != got.P50 || p90 != got.P90 {
				t.Errorf("%s: the records say %d, %d ms, p50 %v, p90 %v; the API %d, %d ms, %v, %v", x.Name, len(w), total, p50, p90, got.Count, ms(got.Sum), got.P50, got.P90)
			}
		}
	}
	bySLA, err := k.Report(t.Context(), url.Values{"from": {"2026-10-01"}, "to": {m.end.Add(time.Second).Format(time.RFC3339)}, "by": {"sla"}})
	if err != nil {
		t.Fatal(err)
	}
	fromAPI, fromProm := map[string]int{}, map[string]int{}
	for _, g := range bySLA.Groups {
		for result, n := range g.SLA {
			fromAPI[g.Key+"/"+result] = n
		}
	}
	for _, s := range fams["watchbill_sla_results_total"].GetMetric() {
		if v := int(s.GetCounter().GetValue()); v > 0 {
			fromProm[s.GetLabel()[1].GetValue()+"/"+s.GetLabel()[0].GetValue()] = v
		}
	}
	if !maps.Equal(want.sla, fromAPI) || !maps.Equal(want.sla, fromProm) || len(want.sla) < 15 {
		t.Errorf("service levels: records %v\nAPI %v\n/metrics %v", want.sla, fromAPI, fromProm)
	}
	for _, name := range []string{itsm.MOpened, itsm.MAcknowledgement, itsm.MFirstResponse, itsm.MRepair, itsm.MRecovery, itsm.MResponse, itsm.MResolution, itsm.MReopened, itsm.MRecurring, itsm.MCanceled, itsm.MMerged, itsm.MProblemsOpened, itsm.MProblemResolution} {
		if !independent[name] {
			t.Errorf("the month brought no %s: the script proves nothing about it", name)
		}
	}
	if _, open := sums(fams["watchbill_incidents_open"]); int(open) != want.open || report.Total.Backlog.Open != want.open {
		t.Errorf("open incidents: /metrics %v, API %d, records %d", open, report.Total.Backlog.Open, want.open)
	}
	_, received := sums(fams["watchbill_alerts_received_total"])
	_, fates := sums(fams["watchbill_alerts_fates_total"])
	if received != fates || uint64(received) != report.Total.Alerts.Received {
		t.Errorf("alerts: received %v, fates %v, API %d", received, fates, report.Total.Alerts.Received)
	}
	t.Logf("%d events, %v incidents, %v problems, %d received alerts, noise reduction %.2f", len(m.events), want.counts[itsm.MOpened], want.counts[itsm.MProblemsOpened], report.Total.Alerts.Received, *report.Total.NoiseReduction)

	windows, err := e.Records().Maintenances(t.Context(), false, engine.Range{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	hidden := 0
	for _, w := range windows.Items {
		hidden += w.Suppressed
	}
	if hidden == 0 || uint64(hidden) != report.Total.Alerts.Fates["suppressed"] {
		t.Errorf("%d windows say that they suppressed %d alerts, the fates %d", len(windows.Items), hidden, report.Total.Alerts.Fates["suppressed"])
	}

	byPriority, err := k.Report(t.Context(), url.Values{"from": {"2026-10-01"}, "to": {m.end.Add(time.Second).Format(time.RFC3339)}, "by": {"priority"}})
	if err != nil {
		t.Fatal(err)
	}
	var again int
	for _, g := range byPriority.Groups {
		again += g.Clocks[itsm.MAcknowledgement].Count
		for _, s := range fams["watchbill_incident_acknowledgement_seconds"].GetMetric() {
			if s.GetLabel()[0].GetValue() == g.Key && s.GetHistogram().GetSampleCount() != uint64(g.Clocks[itsm.MAcknowledgement].Count) {
				t.Errorf("acknowledged at priority %s: /metrics %d, API %d", g.Key, s.GetHistogram().GetSampleCount(), g.Clocks[itsm.MAcknowledgement].Count)
			}
		}
	}
	if again != report.Total.Clocks[itsm.MAcknowledgement].Count {
		t.Errorf("the groups have %d acknowledgements, the total %d", again, report.Total.Clocks[itsm.MAcknowledgement].Count)
	}
	var csv bytes.Buffer
	if err := byPriority.WriteCSV(&csv); err != nil {
		t.Fatal(err)
	}
	if want := "priority,,incidents_opened_total,count," + strconv.FormatFloat(report.Total.Counts[itsm.MOpened], 'f', -1, 64); !strings.Contains(csv.String(), want) {
		t.Errorf("the CSV lacks %q", want)
	}
}

func TestMetricsBeginAtZeroWithoutIDs(t *testing.T) {
	e, metrics, _ := decided(t, &month{t: t, end: monthStart, events: []event.Event{event.NewTick(monthStart)}}, 1)
	_ = e
	fams := gathered(t, metrics)
	for _, x := range itsm.Metrics() {
		if x.Name == itsm.MSLA {
			continue // has series as soon as a level is configured
		}
		f := fams["watchbill_"+x.Name]
		if f == nil || len(f.GetMetric()) == 0 {
			t.Errorf("%s has no series before its first event", x.Name)
		}
	}
	rec := httptest.NewRecorder()
	req := httptest.NewRequest("GET", "/metrics", nil)
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	metrics.Handler().ServeHTTP(rec, req)
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), `watchbill_incidents_opened_total{priority="1"} 0`) {
		t.Fatalf("GET /metrics: %d\n%.300s", rec.Code, rec.Body)
	}
	for name, f := range fams {
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				switch l.GetName() {
				case "priority", "service", "fate", "state", "sla", "result", "version":
				default:
					t.Errorf("%s has a label %s", name, l.GetName())
				}
			}
		}
	}
}

// TestMonthTimelineReads shows the richest incident of the month as a person reads it.
func TestMonthTimelineReads(t *testing.T) {
	m := newMonth(t, 31)
	e, _, _ := decided(t, m, 1)
	var best itsm.Incident
	var entries []itsm.Entry
	kinds := 0
	for _, id := range m.seen {
		tl, err := e.Records().Timeline(t.Context(), id, engine.Range{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		var es []itsm.Entry
		for n, row := range tl.Items {
			if row.Seq != n+1 {
				t.Fatalf("%s has a gap in its timeline at %d", id, row.Seq)
			}
			has[row.Kind] = true
			es = append(es, row.Entry)
		}
		if len(has) > kinds && len(es) < 40 {
			kinds, entries = len(has), es
			best, _, err = e.Records().Incident(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if kinds < 7 {
		t.Errorf("the richest timeline has only %d kinds of entries", kinds)
	}
	draft := itsm.Draft(best, entries)
	for _, want := range []string{"# Review of " + best.ID, "## Timeline", "opened with priority", "## What we do about it"} {
		if !strings.Contains(draft, want) {
			t.Errorf("the draft lacks %q", want)
		}
	}
	var text strings.Builder
	if err := itsm.WriteTimeline(&text, entries); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s\n%s", best.ID, best.Title, text.String())
}
