package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

type kpiCmd struct {
	From   string `name:"from" placeholder:"TIME" help:"First instant: 2026-01-31, or RFC 3339. Without it 30 days before --to."`
	To     string `name:"to" placeholder:"TIME" help:"End, exclusive. Without it now."`
	By     string `name:"by" enum:",priority,service,team,sla,day,week,month" default:"" placeholder:"WHAT" help:"priority, service, team, sla, day, week or month."`
	TZ     string `name:"tz" placeholder:"ZONE" help:"Zone of dates, e.g. Europe/Berlin. Without it UTC."`
	Output string `name:"output" short:"o" enum:"table,json,csv" default:"table" env:"WATCHBILL_OUTPUT" placeholder:"FORMAT" help:"table, json or csv (${default})."`
	remote
}

// Run implements kong's command.
func (c *kpiCmd) Run(s streams) error {
	q := url.Values{}
	for k, v := range map[string]string{"from": c.From, "to": c.To, "by": c.By, "tz": c.TZ} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if c.Output == "csv" {
		q.Set("format", "csv")
		cl, err := c.client()
		if err != nil {
			return err
		}
		ctx, stop := interrupted()
		defer stop()
		resp, err := cl.fetch(ctx, http.MethodGet, "/api/v1/kpis?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(s.out, resp.Body)
		return err
	}
	return showOne(c.remote, show{c.Output}, s, "/api/v1/kpis?"+q.Encode(), func(r itsm.Report) error {
		fmt.Fprintf(s.out, "%s to %s; p50 / p90 of each clock\n\n", stamp(r.From), stamp(r.To))
		head := "GROUP"
		if r.By != "" {
			head = "BY " + r.By
		}
		t := newTable(s.out, head, "OPENED", "RESOLVED", "DETECT", "ACKNOWLEDGE", "RECOVER", "RESOLVE", "SLA", "REOPENED", "RECURRING", "OPEN", "OLDEST")
		for _, k := range append([]itsm.KPIs{r.Total}, r.Groups...) {
			name := or(k.Key)
			if k.Key == "" && k.Counts[itsm.MOpened] == r.Total.Counts[itsm.MOpened] {
				name = "total"
			}
			oldest := "-"
			if k.Backlog.Oldest != nil {
				oldest = span(r.To.Sub(*k.Backlog.Oldest))
			}
			t.row(name, fmt.Sprint(k.Counts[itsm.MOpened]), fmt.Sprint(k.Clocks[itsm.MResolution].Count), both(k.Clocks[itsm.MDetection]), both(k.Clocks[itsm.MAcknowledgement]),
				both(k.Clocks[itsm.MRecovery]), both(k.Clocks[itsm.MResolution]), percent(k.SLACompliance), percent(k.ReopenRate), percent(k.RecurrenceRate), fmt.Sprint(k.Backlog.Open), oldest)
		}
		if err := t.end(); err != nil || len(r.Services) == 0 {
			return err
		}
		fmt.Fprintln(s.out)
		t = newTable(s.out, "SERVICE", "AVAILABLE", "OBJECTIVE", "DOWN", "OF", "FAILURES", "MTBF")
		for _, a := range r.Services {
			objective, mtbf := "-", "-"
			if a.Objective > 0 {
				objective = percent(&a.Objective)
			}
			if a.MTBF != nil {
				mtbf = event.Span(seconds(*a.MTBF))
			}
			t.row(a.Service, percent(a.Availability), objective, event.Span(seconds(a.Downtime)), event.Span(seconds(a.Agreed)), fmt.Sprint(a.Failures), mtbf)
		}
		return t.end()
	})
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

func both(d itsm.Distribution) string {
	if d.Count == 0 {
		return "-"
	}
	return event.Span(seconds(d.P50)) + " / " + event.Span(seconds(d.P90))
}

func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100**v)
}
