package api

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// KPIs answers what the event log says of a span of time. It computes nothing of
// its own: itsm.Compute is the one definition. Safe for concurrent use.
type KPIs struct {
	records *engine.Records
	rules   func() fold.Rules
	now     func() time.Time
}

// NewKPIs answers from records, under the services and calendars of rules.
func NewKPIs(records *engine.Records, rules func() fold.Rules, now func() time.Time) *KPIs {
	return &KPIs{records, rules, now}
}

// kpiParameters are what the call takes; another name is a typing mistake.
var kpiParameters = []string{"from", "to", "by", "tz", "format"}

// Report answers a call's query: from and to are RFC 3339 times or dates (the
// beginning of the day in tz), the default is the last 30 days.
func (k *KPIs) Report(ctx context.Context, v url.Values) (itsm.Report, error) {
	var zero itsm.Report
	for name := range v {
		if !slices.Contains(kpiParameters, name) {
			return zero, fault.Invalidf(name, "unknown parameter; there are %s", strings.Join(kpiParameters, ", "))
		}
	}
	q := itsm.Query{By: v.Get("by"), Zone: time.UTC}
	if tz := v.Get("tz"); tz != "" {
		z, err := time.LoadLocation(tz)
		if err != nil || tz == "Local" {
			return zero, fault.Invalidf("tz", "want an IANA zone such as Europe/Berlin, got %q", tz)
		}
		q.Zone = z
	}
	now := k.now()
	q.To, q.From = now, now.AddDate(0, 0, -30)
	var err error
	if q.To, err = instant("to", v.Get("to"), q.Zone, q.To); err != nil {
		return zero, err
	}
	if v.Get("from") == "" && v.Get("to") != "" {
		q.From = q.To.AddDate(0, 0, -30)
	}
	if q.From, err = instant("from", v.Get("from"), q.Zone, q.From); err != nil {
		return zero, err
	}
	if err := q.Validate(); err != nil {
		return zero, err
	}
	desk, err := itsm.NewDesk(k.rules().Desk)
	if err != nil {
		return zero, err
	}
	var failed error
	log := iter.Seq[itsm.Observation](func(yield func(itsm.Observation) bool) {
		failed = k.records.Measures(ctx, 0, func(r fold.MeasureRow) error {
			if !yield(r.Observation()) {
				return errStop
			}
			return nil
		})
	})
	hours := iter.Seq[itsm.Hour](func(yield func(itsm.Hour) bool) {
		if failed != nil {
			return
		}
		failed = k.records.Hours(ctx, q.From, q.To, func(h itsm.Hour) error {
			if !yield(h) {
				return errStop
			}
			return nil
		})
	})
	r := itsm.Compute(q, log, hours, desk.Rules.Services, desk.Calendars, now)
	return r, failed
}

// errStop ends a walk whose reader has had enough; Compute always reads to the end.
var errStop = fault.Unavailablef("the walk was ended")

func instant(field, s string, zone *time.Location, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return itsm.Midnight(t.Year(), t.Month(), t.Day(), zone), nil
	}
	return time.Time{}, fault.Invalidf(field, "want a date such as 2026-11-01 or an RFC 3339 time, got %q", s)
}

// Handler serves GET /api/v1/kpis as JSON, or as CSV with format=csv or Accept:
// text/csv. fail writes an error in the API's way.
func (k *KPIs) Handler(fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query()
		format := v.Get("format")
		if format == "" && strings.Contains(r.Header.Get("Accept"), "text/csv") {
			format = "csv"
		}
		if format != "" && format != "csv" && format != "json" {
			fail(w, r, fault.Invalidf("format", "want json or csv, got %q", format))
			return
		}
		report, err := k.Report(r.Context(), v)
		if err != nil {
			fail(w, r, err)
			return
		}
		if format == "csv" {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="watchbill-kpis.csv"`)
			_ = report.WriteCSV(w) // the client is gone: nobody to tell
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report)
	})
}
