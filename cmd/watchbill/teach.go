package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/watchbill/watchbill/correlator"
)

type teachCmd struct {
	List       teachListCmd     `cmd:"" help:"List what people taught, newest first."`
	NotRelated teachApartCmd    `cmd:"" name:"not-related" help:"Such alerts are not grouped with failures like that one."`
	Related    teachTogetherCmd `cmd:"" help:"Such alerts belong with failures like that one."`
	AlwaysPage teachPageCmd     `cmd:"" name:"always-page" help:"Such alerts are never held, and people are told whatever the hour."`
	Withdraw   teachWithdrawCmd `cmd:"" help:"Take a teaching back."`
}

type teachListCmd struct {
	All   bool `name:"all" help:"Also what was withdrawn."`
	Limit int  `name:"limit" default:"50" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *teachListCmd) Run(io streams) error {
	query := map[string][]string{}
	if c.All {
		query["all"] = []string{"true"}
	}
	return showQuery(c.remote, c.show, io, "/api/v1/teachings", query, c.Limit, []string{"ID", "BY", "AGE", "USES", "STATE", "TEACHES"},
		func(t correlator.Teaching) []string {
			state := "in force"
			if t.Withdrawn != nil {
				state = "withdrawn by " + t.WithdrawnBy
			}
			return []string{t.ID, cut(t.By, 20), age(t.At), fmt.Sprint(t.Uses), state, t.Text}
		})
}

// lesson is about an alert, or about alerts that fit matchers.
type lesson struct {
	Alert  string   `arg:"" optional:"" help:"The alert, e.g. ALT00000001: alerts of its name about its item are meant."`
	Match  []string `name:"match" sep:"none" placeholder:"MATCHER" help:"Instead of an alert: a matcher in Alertmanager's syntax; may be given again."`
	Reason string   `name:"reason" placeholder:"TEXT" help:"Why."`
	show
	remote
}

func (l lesson) teach(io streams, kind string, more map[string]any) error {
	body := map[string]any{"kind": kind}
	if l.Alert == "" && len(l.Match) == 0 {
		return usagef("name an alert, or give --match")
	}
	if l.Alert != "" {
		body["alert"] = strings.ToUpper(l.Alert)
	}
	if len(l.Match) > 0 {
		body["match"] = l.Match
	}
	if l.Reason != "" {
		body["reason"] = l.Reason
	}
	for k, v := range more {
		body[k] = v
	}
	return changeTeaching(l.remote, l.show, io, http.MethodPost, "/api/v1/teachings", body)
}

func changeTeaching(r remote, s show, io streams, method, path string, body any) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	var t correlator.Teaching
	if err := c.call(ctx, method, path, body, &t); err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, t)
	}
	state := ""
	if t.Withdrawn != nil {
		state = " (withdrawn)"
	}
	_, err = fmt.Fprintf(io.out, "%s: %s%s\n", t.ID, clean(t.Text), state)
	return err
}

// other is the kind of failures that a lesson sets alerts in relation to.
type other struct {
	Incident string   `name:"incident" placeholder:"ID" help:"The incident that shows the other kind; without it the alert's own."`
	With     []string `name:"with" sep:"none" placeholder:"MATCHER" help:"Instead of an incident: a matcher of the other kind of alerts; may be given again."`
}

func (o other) args() map[string]any {
	args := map[string]any{}
	if o.Incident != "" {
		args["incident"] = strings.ToUpper(o.Incident)
	}
	if len(o.With) > 0 {
		args["with"] = o.With
	}
	return args
}

type teachApartCmd struct {
	lesson
	other
}

// Run implements kong's command.
func (c *teachApartCmd) Run(io streams) error { return c.teach(io, correlator.NotRelated, c.args()) }

type teachTogetherCmd struct {
	lesson
	other
}

// Run implements kong's command.
func (c *teachTogetherCmd) Run(io streams) error { return c.teach(io, correlator.Related, c.args()) }

type teachPageCmd struct{ lesson }

// Run implements kong's command.
func (c *teachPageCmd) Run(io streams) error { return c.teach(io, correlator.AlwaysPage, nil) }

type teachWithdrawCmd struct {
	ID string `arg:"" help:"The teaching, e.g. TCH00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *teachWithdrawCmd) Run(io streams) error {
	return changeTeaching(c.remote, c.show, io, http.MethodDelete, "/api/v1/teachings/"+url.PathEscape(strings.ToUpper(c.ID)), nil)
}
