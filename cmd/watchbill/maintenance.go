package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api"
)

type maintenanceCmd struct {
	List   maintenanceListCmd   `cmd:"" help:"List windows, newest first."`
	Show   maintenanceShowCmd   `cmd:"" help:"Show one window with what it covers."`
	Create maintenanceCreateCmd `cmd:"" help:"Plan a window: alerts about what it covers open nothing meanwhile."`
	Cancel verbCmd[reasonFlags] `cmd:"" help:"It does not take place: alerts count again."`
	End    verbCmd[reasonFlags] `cmd:"" help:"It is done before its time."`
	Extend maintenanceExtendCmd `cmd:"" help:"Let it end later, or sooner."`
	Cover  verbCmd[coverFlags]  `cmd:"" help:"Add items that are worked on too."`
}

type coverFlags struct {
	CIs    []string `name:"ci" json:"cis" required:"" placeholder:"ID" help:"Item by id or class:name; may be repeated."`
	Reason string   `name:"reason" json:"reason,omitempty" placeholder:"TEXT" help:"Why."`
}

type maintenanceListCmd struct {
	Open bool `name:"open" help:"Only planned and active ones."`
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *maintenanceListCmd) Run(io streams) error {
	q := url.Values(c.values())
	if c.Open {
		q.Set("open", "true")
	}
	return showQuery(c.remote, c.show, io, "/api/v1/maintenance", q, c.Limit, []string{"ID", "STATE", "STARTS", "ENDS", "ITEMS", "SUPPRESSED", "SUMMARY"},
		func(m api.Maintenance) []string {
			return []string{m.ID, string(m.State), stamp(m.StartsAt), stamp(m.EndsAt), fmt.Sprint(len(m.CIs)), fmt.Sprint(m.Suppressed), cut(m.Summary, 60)}
		})
}

type maintenanceShowCmd struct {
	ID recordID `arg:"" help:"The window, e.g. MNT00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *maintenanceShowCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, "/api/v1/maintenance/"+c.ID.path(), func(m api.Maintenance) error {
		r := &report{w: io.out}
		r.printf("%s  %s\n\n", m.ID, m.Summary)
		r.field("state", "%s", string(m.State))
		r.field("from", "%s", stamp(m.StartsAt))
		r.field("to", "%s", stamp(m.EndsAt))
		r.field("planned", "%s by %s", stamp(m.CreatedAt), m.CreatedBy)
		r.field("query", "%s", m.Query)
		r.field("services", "%s", strings.Join(m.Services, ", "))
		r.field("suppressed", "%d alerts", m.Suppressed)
		r.field("possible now", "%s", strings.Join(m.Legal, ", "))
		if len(m.CIs) > 0 {
			r.printf("\nCovers\n")
		}
		for _, id := range m.CIs {
			r.printf("  %s%s\n", id, prefixed("  ", strings.TrimSpace(m.Refs[id].Class+" "+m.Refs[id].Name)))
		}
		return r.err
	})
}

// until says when a window ends.
type until struct {
	Ends string        `name:"ends" xor:"end" placeholder:"TIME" help:"When it ends: 2026-01-31, or RFC 3339."`
	For  time.Duration `name:"for" xor:"end" placeholder:"SPAN" help:"How long it lasts, e.g. 2h, counted from its begin."`
}

func (u until) from(begin time.Time) (time.Time, error) {
	if u.For > 0 {
		return begin.Add(u.For), nil
	}
	if u.Ends == "" {
		return begin, usagef("give --ends TIME or --for SPAN")
	}
	return flagTime("--ends", u.Ends)
}

func flagTime(flag, s string) (time.Time, error) {
	t, err := instant(s)
	if err != nil {
		return t, usagef("%s: want a date such as 2026-01-31 or an RFC 3339 time, got %q", flag, s)
	}
	return t, nil
}

type maintenanceCreateCmd struct {
	Summary  string   `name:"summary" required:"" placeholder:"TEXT" help:"What is done."`
	CIs      []string `name:"ci" placeholder:"ID" help:"Item by id or class:name; may be repeated."`
	Services []string `name:"service" placeholder:"NAME" help:"Service by name; may be repeated."`
	Query    string   `name:"query" placeholder:"QUERY" help:"Items that match, also those that come to match before it ends."`
	Starts   string   `name:"starts" placeholder:"TIME" help:"When it starts: 2026-01-31, or RFC 3339. Without it: now."`
	until
	show
	remote
}

// Run implements kong's command.
func (c *maintenanceCreateCmd) Run(io streams) error {
	if len(c.CIs) == 0 && len(c.Services) == 0 && c.Query == "" {
		return usagef("give --ci, --service or --query: what is worked on?")
	}
	body := api.NewMaintenance{Summary: c.Summary, CIs: c.CIs, Services: c.Services, Query: c.Query}
	begin := time.Now()
	if c.Starts != "" {
		var err error
		if begin, err = flagTime("--starts", c.Starts); err != nil {
			return err
		}
		body.StartsAt = &begin
	}
	var err error
	if body.EndsAt, err = c.from(begin); err != nil {
		return err
	}
	return c.write(io, c.show, http.MethodPost, "/api/v1/maintenance", body)
}

type maintenanceExtendCmd struct {
	ID     recordID `arg:"" help:"The window, e.g. MNT00000001."`
	Ends   string   `name:"ends" required:"" placeholder:"TIME" help:"When it ends: 2026-01-31, or RFC 3339."`
	Reason string   `name:"reason" placeholder:"TEXT" help:"Why."`
	show
	remote
}

// Run implements kong's command.
func (c *maintenanceExtendCmd) Run(io streams) error {
	ends, err := flagTime("--ends", c.Ends)
	if err != nil {
		return err
	}
	return c.act(io, c.show, "maintenance", "extend", []recordID{c.ID}, map[string]any{"ends_at": ends, "reason": c.Reason})
}
