package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
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

// sheet is what the records alone say of one group of a report.
type sheet struct {
	resolved, reopened, byPeople, merged, again int64
	clocks                                      map[string][]int64 // ms
	counts                                      map[string]int64   // thousandths
	sla                                         map[string]int
	open                                        int
	ages                                        []int64
	waiting                                     []int64
}

// grouped sums the records' facts up, for a report from ≤ at < to grouped by by.
func (o told) grouped(by string, from, to time.Time) map[string]*sheet {
	out := map[string]*sheet{}
	at := func(key string) *sheet {
		if out[key] == nil {
			out[key] = &sheet{clocks: map[string][]int64{}, counts: map[string]int64{}, sla: map[string]int{}}
		}
		return out[key]
	}
	keys := func(t time.Time, priority int, services []string, team, of, sla string, incident bool) []string {
		switch {
		case by == "":
			return []string{""}
		case by == "priority" && priority > 0:
			return []string{strconv.Itoa(priority)}
		case by == "service" && of != "":
			return []string{of}
		case by == "service" && len(services) > 0:
			return services
		case by == "service":
			return []string{""}
		case by == "team":
			return []string{team}
		case by == "sla" && sla != "":
			return []string{sla}
		case by == "day":
			return []string{t.UTC().Format("2006-01-02")}
		case by == "month":
			return []string{t.UTC().Format("2006-01")}
		}
		return nil
	}
	for _, f := range o.facts {
		if f.at.Before(from) || !f.at.Before(to) {
			continue
		}
		for _, k := range keys(f.at, f.priority, f.services, f.team, f.of, f.sla, true) {
			g := at(k)
			switch f.name {
			case "incident_resolution_seconds":
				g.resolved++
				if f.back {
					g.reopened++
				}
				if f.flag {
					g.byPeople++
				}
			case "incidents_opened_total":
				if f.back {
					g.merged++
				}
				if f.flag {
					g.again++
				}
			}
			switch {
			case strings.HasSuffix(f.name, "_seconds"):
				g.clocks[f.name] = append(g.clocks[f.name], ms(f.value))
			default:
				g.counts[f.name] += ms(f.value)
			}
		}
	}
	for _, f := range o.clocks {
		if f.due.Before(from) || !f.due.Before(to) {
			continue
		}
		for _, k := range keys(f.due, f.priority, f.services, f.team, f.of, f.sla, true) {
			at(k).sla[f.result]++
		}
	}
	if by == "sla" || by == "day" || by == "month" {
		return out
	}
	for _, history := range o.incidents {
		n := slices.IndexFunc(history, func(s snapshot) bool { return !s.at.Before(to) })
		if n < 0 {
			n = len(history)
		}
		if n == 0 || !history[n-1].live {
			continue
		}
		s := history[n-1]
		for _, k := range keys(s.at, s.priority, s.services, s.team, "", "", true) {
			g := at(k)
			g.open++
			upTo := to
			if o.end.Before(to) {
				upTo = o.end
			}
			age := upTo.Sub(s.opened).Milliseconds()
			g.ages = append(g.ages, age)
			if !s.acked {
				g.waiting = append(g.waiting, age)
			}
		}
	}
	return out
}

// distributed compares a distribution with the values that it is of, in ms.
func distributed(d itsm.Distribution, v []int64) bool {
	if d.Count != len(v) {
		return false
	}
	if len(v) == 0 {
		return d == itsm.Distribution{}
	}
	slices.Sort(v)
	var sum int64
	for _, x := range v {
		sum += x
	}
	at := func(p float64) int64 { return v[int(math.Ceil(float64(len(v))*p))-1] }
	return ms(d.Sum) == sum && ms(d.P50) == at(0.5) && ms(d.P90) == at(0.9) && ms(d.Max) == v[len(v)-1] && math.Abs(d.Mean*float64(len(v))-float64(sum)/1000) <= float64(len(v))/1000
}

func ratioOf(a, b int64) *float64 {
	if b <= 0 {
		return nil
	}
	v := float64(a) / float64(b)
	return &v
}

func equal(a, b *float64) bool {
	return a == nil && b == nil || a != nil && b != nil && math.Abs(*a-*b) <= 1e-9*math.Abs(*a)
}

// compare checks one group of a report against the records.
func compare(t *testing.T, where string, got itsm.KPIs, want *sheet) (checked int) {
	t.Helper()
	if want == nil {
		want = &sheet{clocks: map[string][]int64{}, counts: map[string]int64{}, sla: map[string]int{}}
	}
	for _, x := range itsm.Metrics() {
		switch {
		case x.Name == itsm.MSLA:
		case x.Clock:
			checked += 5
			if !distributed(got.Clocks[x.Name], want.clocks[x.Name]) {
				t.Errorf("%s: %s: the records say %v, the API %+v", where, x.Name, want.clocks[x.Name], got.Clocks[x.Name])
			}
		default:
			checked++
			if ms(got.Counts[x.Name]) != want.counts[x.Name] {
				t.Errorf("%s: %s: the records say %v, the API %v", where, x.Name, float64(want.counts[x.Name])/1000, got.Counts[x.Name])
			}
		}
	}
	for _, result := range itsm.SLAResults() {
		checked++
		if got.SLA[result] != want.sla[result] {
			t.Errorf("%s: service levels %s: the records say %d, the API %d", where, result, want.sla[result], got.SLA[result])
		}
	}
	met := int64(want.sla["met"])
	for name, x := range map[string][2]*float64{
		"reopen rate":        {got.ReopenRate, ratioOf(want.reopened, want.resolved)},
		"recurrence rate":    {got.RecurrenceRate, ratioOf(1000*want.again, want.counts["incidents_opened_total"])},
		"first contact rate": {got.FirstContactRate, ratioOf(want.counts["incidents_first_contact_resolved_total"], 1000*want.byPeople)},
		"SLA compliance":     {got.SLACompliance, ratioOf(met, met+int64(want.sla["breached"]))},
	} {
		if !equal(x[0], x[1]) {
			t.Errorf("%s: %s: the API says %v, the records %v", where, name, said(x[0]), said(x[1]))
		}
	}
	if got.Backlog == nil {
		return checked
	}
	if b := got.Backlog; b.Open != want.open || !distributed(b.Age, want.ages) || !distributed(b.Unacknowledged, want.waiting) {
		t.Errorf("%s: backlog: the API says %+v, the records %d open, ages %v, unacknowledged %v", where, b, want.open, want.ages, want.waiting)
	}
	return checked
}

// A month of everything that happens: /api/v1/kpis for several spans and groupings,
// /metrics per priority, service and level, and a calculation from the records
// that shares no formula with either agree, to the millisecond.
func TestMonthKPIsAgree(t *testing.T) {
	m := newMonth(t, 31)
	e, metrics, _ := decided(t, m, 3)
	if got := e.Position(); got != uint64(len(m.events)) {
		t.Fatalf("the engine is at %d of %d events", got, len(m.events))
	}
	rules := monthRules().Desk
	records := tell(t, e.Records(), rules, func(position uint64) time.Time {
		if position > uint64(len(m.events)) {
			return m.end
		}
		return m.events[position-1].At
	})
	final := map[string]string{}
	if err := e.Records().Measures(t.Context(), 0, func(r fold.MeasureRow) error {
		if r.Name == itsm.MSLA {
			final[r.Record+" "+r.SLA] = r.Result + " " + r.Until.UTC().Format(time.RFC3339Nano)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, f := range records.clocks {
		key := f.record + " " + f.sla
		if want := f.result + " " + f.due.UTC().Format(time.RFC3339Nano); final[key] != want {
			t.Errorf("%s: measured %q, the records say %q", key, final[key], want)
		}
		delete(final, key)
	}
	for key, result := range final {
		if !strings.HasPrefix(result, itsm.Withdrawn) {
			t.Errorf("%s: measured %q, the records say nothing", key, result)
		}
	}
	k := NewKPIs(e.Records(), e.Rules, func() time.Time { return m.end })
	ask := func(from, to time.Time, by string) itsm.Report {
		t.Helper()
		r, err := k.Report(t.Context(), url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "by": {by}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	checked := 0
	whole := m.end.Add(time.Second)
	for _, w := range []stretch{{monthStart, whole}, {monthStart.AddDate(0, 0, 7), monthStart.AddDate(0, 0, 21)}, {monthStart.AddDate(0, 0, 23).Add(7 * time.Hour), monthStart.AddDate(0, 0, 26)}} {
		for _, by := range []string{"", "priority", "service", "team", "sla", "day", "month"} {
			got, want := ask(w.from, w.to, by), records.grouped(by, w.from, w.to)
			where := w.from.Format("01-02") + " to " + w.to.Format("01-02")
			if by == "" {
				checked += compare(t, where, got.Total, want[""])
				continue
			}
			keys := map[string]bool{}
			for _, g := range got.Groups {
				keys[g.Key] = true
				checked += compare(t, where+" by "+by+" "+g.Key, g, want[g.Key])
			}
			for key := range want {
				if !keys[key] {
					t.Errorf("%s by %s: the API has no group %q", where, by, key)
				}
			}
		}
		for _, a := range ask(w.from, w.to, "").Services {
			compareService(t, a, records, rules, w, m.end)
		}
	}
	report := ask(monthStart, whole, "")
	for _, x := range itsm.Metrics() {
		if x.Name != itsm.MReopenedLate && x.Name != itsm.MSLA && report.Total.Counts[x.Name] == 0 && report.Total.Clocks[x.Name].Count == 0 {
			t.Errorf("the month brought no %s: the script proves nothing about it", x.Name)
		}
	}
	fams := gathered(t, metrics)
	compareMetrics(t, fams, records, whole)
	_, received := sums(fams["watchbill_alerts_received_total"])
	_, fates := sums(fams["watchbill_alerts_fates_total"])
	if received != fates || int(received) != m.sent || report.Total.Alerts.Received != uint64(m.sent) {
		t.Errorf("alerts: sent %d, received %v, fates %v, API %d", m.sent, received, fates, report.Total.Alerts.Received)
	}
	alerts := all(t, func(at engine.Range) (engine.Page[correlator.Alert], error) {
		return e.Records().Alerts(t.Context(), engine.AlertFilter{}, at)
	})
	want := records.grouped("", monthStart, whole)[""]
	noise := 1 - float64(want.counts["incidents_opened_total"]-1000*want.merged)/1000/float64(len(alerts))
	if !equal(report.Total.NoiseReduction, &noise) {
		t.Errorf("noise reduction: the API says %v, the records %v", *report.Total.NoiseReduction, noise)
	}
	hidden := 0
	for _, w := range all(t, func(at engine.Range) (engine.Page[itsm.Maintenance], error) {
		return e.Records().Maintenances(t.Context(), false, at)
	}) {
		hidden += w.Suppressed
	}
	if hidden == 0 || uint64(hidden) != report.Total.Alerts.Fates["suppressed"] {
		t.Errorf("the windows say that they suppressed %d alerts, the fates %d", hidden, report.Total.Alerts.Fates["suppressed"])
	}
	compareCSV(t, ask(monthStart, whole, "priority"))
	t.Logf("%d events, %d incidents, %d received alerts, noise reduction %.2f; %d figures compared", len(m.events), len(records.incidents), m.sent, noise, checked)
}

func said(v *float64) any {
	if v == nil {
		return "none"
	}
	return *v
}

// compareService checks availability and MTBF of one service in a span of time.
func compareService(t *testing.T, got itsm.Availability, records told, rules itsm.Rules, w stretch, now time.Time) {
	t.Helper()
	hours := rules.Services[slices.IndexFunc(rules.Services, func(s itsm.Service) bool { return s.Name == got.Service })].Hours
	to := w.to
	if now.Before(to) {
		to = now
	}
	// Minute by minute would be independent too, and inexact: outages are cut, sorted
	// and laid over each other.
	parts := slices.Clone(records.down[got.Service])
	slices.SortFunc(parts, func(a, b stretch) int { return a.from.Compare(b.from) })
	var down time.Duration
	done := w.from
	for _, p := range parts {
		from, until := p.from, p.to
		if from.Before(done) {
			from = done
		}
		if until.After(to) {
			until = to
		}
		if from.Before(until) {
			down += openTime(hours, from, until)
			done = until
		}
	}
	agreed := openTime(hours, w.from, to)
	failures := 0
	for _, p := range parts {
		if !p.from.Before(w.from) && p.from.Before(to) {
			failures++
		}
	}
	availability := 1 - down.Seconds()/agreed.Seconds()
	var mtbf *float64
	if failures > 0 {
		v := (agreed - down).Seconds() / float64(failures)
		mtbf = &v
	}
	if ms(got.Downtime) != down.Milliseconds() || ms(got.Agreed) != agreed.Milliseconds() || got.Failures != failures || !equal(got.Availability, &availability) || !equal(got.MTBF, mtbf) {
		t.Errorf("%s from %v: the API says down %v s of %v s, %d failures, availability %v, MTBF %v s; the records %v of %v, %d, %v, %v", got.Service, w.from,
			got.Downtime, got.Agreed, got.Failures, said(got.Availability), said(got.MTBF), down, agreed, failures, availability, said(mtbf))
	}
	if down == 0 {
		t.Errorf("%s was not down from %v on: nothing is proved", got.Service, w.from)
	}
}

// compareMetrics checks every series of the event log in /metrics, and what is held now.
func compareMetrics(t *testing.T, fams map[string]*dto.MetricFamily, records told, end time.Time) {
	t.Helper()
	label := func(m *dto.Metric, name string) string {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				return l.GetValue()
			}
		}
		return ""
	}
	total := records.grouped("", monthStart, end)[""]
	groups := map[string]map[string]*sheet{"priority": records.grouped("priority", monthStart, end), "service": records.grouped("service", monthStart, end), "sla": records.grouped("sla", monthStart, end)}
	for _, x := range itsm.Metrics() {
		fam := fams["watchbill_"+x.Name]
		if fam == nil {
			t.Errorf("%s is not in /metrics", x.Name)
			continue
		}
		for _, m := range fam.GetMetric() {
			want := total
			for by := range groups {
				if key := label(m, by); key != "" {
					want = groups[by][key]
				}
			}
			if want == nil {
				want = &sheet{}
			}
			var count, sum int64
			for _, v := range want.clocks[x.Name] {
				count++
				sum += v
			}
			switch {
			case x.Clock:
				h := m.GetHistogram()
				if int64(h.GetSampleCount()) != count || ms(h.GetSampleSum()) != sum {
					t.Errorf("%s %v: /metrics says %d, %v s; the records %d, %d ms", x.Name, m.GetLabel(), h.GetSampleCount(), h.GetSampleSum(), count, sum)
				}
				inBuckets := h.GetZeroCount()
				for _, spans := range [][]int64{h.GetPositiveDelta()} {
					at := int64(0)
					for _, d := range spans {
						at += d
						inBuckets += uint64(at)
					}
				}
				if int64(inBuckets) != count {
					t.Errorf("%s %v: the native histogram holds %d of %d", x.Name, m.GetLabel(), inBuckets, count)
				}
			case x.Name == itsm.MSLA: // counts each end, the records the last
				if w := want.sla[label(m, "result")]; int(m.GetCounter().GetValue()) < w {
					t.Errorf("%s %v: /metrics says %v, the records %d", x.Name, m.GetLabel(), m.GetCounter().GetValue(), w)
				}
			default:
				if w := want.counts[x.Name]; ms(m.GetCounter().GetValue()) != w {
					t.Errorf("%s %v: /metrics says %v, the records %d thousandths", x.Name, m.GetLabel(), m.GetCounter().GetValue(), w)
				}
			}
		}
	}
	open, oldest := map[string]int{}, time.Time{}
	for _, history := range records.incidents {
		if s := history[len(history)-1]; s.live {
			open[strconv.Itoa(s.priority)+" "+s.state]++
			if oldest.IsZero() || s.opened.Before(oldest) {
				oldest = s.opened
			}
		}
	}
	for _, m := range fams["watchbill_incidents_open"].GetMetric() {
		if w := open[label(m, "priority")+" "+label(m, "state")]; int(m.GetGauge().GetValue()) != w {
			t.Errorf("open %v: /metrics says %v, the records %d", m.GetLabel(), m.GetGauge().GetValue(), w)
		}
	}
	if _, v := sums(fams["watchbill_incident_oldest_open_timestamp_seconds"]); ms(v) != oldest.UnixMilli() {
		t.Errorf("oldest open: /metrics says %v, the records %v", v, oldest)
	}
	for _, m := range fams["watchbill_problems_open"].GetMetric() {
		if w := records.problems[label(m, "state")]; int(m.GetGauge().GetValue()) != w {
			t.Errorf("problems %v: /metrics says %v, the records %d", m.GetLabel(), m.GetGauge().GetValue(), w)
		}
	}
}

// compareCSV checks that each line of the CSV is a figure of the report.
func compareCSV(t *testing.T, r itsm.Report) {
	t.Helper()
	var text bytes.Buffer
	if err := r.WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, row := range rows[1:] {
		have[strings.Join(row[3:6], ",")] = row[6]
	}
	want := func(key string, v float64) {
		if s := strconv.FormatFloat(v, 'f', -1, 64); have[key] != s {
			t.Errorf("the CSV says %q of %s, the report %s", have[key], key, s)
		}
	}
	for n, k := range append([]itsm.KPIs{r.Total}, r.Groups...) {
		switch {
		case n == 0:
			k.Key = "(total)"
		case k.Key == "":
			k.Key = "(none)"
		}
		for name, v := range k.Counts {
			want(k.Key+","+name+",count", v)
		}
		for name, d := range k.Clocks {
			want(k.Key+","+name+",count", float64(d.Count))
			if d.Count > 0 {
				want(k.Key+","+name+",p50", d.P50)
				want(k.Key+","+name+",p90", d.P90)
				want(k.Key+","+name+",sum", d.Sum)
			}
		}
		want(k.Key+",backlog,open", float64(k.Backlog.Open))
	}
	for _, a := range r.Services {
		want(a.Service+",service,downtime_seconds", a.Downtime)
		want(a.Service+",service,availability", *a.Availability)
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
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
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
