package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/itsm"
)

type incidentCmd struct {
	List        incidentListCmd        `cmd:"" help:"List incidents, newest first."`
	Show        incidentShowCmd        `cmd:"" help:"Show one incident as a report."`
	Create      createCmd[newIncident] `cmd:"" help:"Open an incident by hand."`
	Acknowledge verbCmd[noteFlags]     `cmd:"" help:"Say that you work on it, which ends the escalation."`
	Assign      verbCmd[assignFlags]   `cmd:"" help:"Give it to a person or a team."`
	Hold        verbCmd[holdFlags]     `cmd:"" help:"It waits for the caller, a problem, a vendor or a change."`
	Resume      verbCmd[noteFlags]     `cmd:"" help:"Go on after a hold."`
	Resolve     verbCmd[resolveFlags]  `cmd:"" help:"It works again; say what mended it."`
	Close       verbCmd[noteFlags]     `cmd:"" help:"Close what is resolved: nothing is left to do."`
	Reopen      verbCmd[reasonFlags]   `cmd:"" help:"It was not over: back to work."`
	Cancel      verbCmd[reasonFlags]   `cmd:"" help:"It was no incident, e.g. a test."`
	Edit        verbCmd[incidentEdit]  `cmd:"" help:"Change title, description, impact or urgency."`
	Major       verbCmd[majorFlags]    `cmd:"" help:"Declare a major incident, or change who has which role."`
	Minor       verbCmd[reasonFlags]   `cmd:"" help:"No longer a major incident."`
	Merge       verbCmd[mergeFlags]    `cmd:"" help:"They are one failure: another incident takes its alerts over."`
	Note        noteCmd                `cmd:"" help:"Write on the timeline."`
	Split       splitCmd               `cmd:"" help:"They are two failures: some of its alerts become an incident of their own."`
	Review      reviewCmd              `cmd:"" help:"Show the post-incident review, or its draft; --file finishes it."`
}

type incidentListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *incidentListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/incidents", c.listFlags,
		[]string{"ID", "PRIORITY", "STATE", "AGE", "ACK", "FIRING/ALL", "CAUSE", "TITLE"},
		func(i api.Incident) []string {
			ack := "-"
			if i.AcknowledgedAt != nil {
				ack = i.AcknowledgedBy
			}
			return []string{i.ID, fmt.Sprint(i.Priority), string(i.State), age(i.OpenedAt), cut(ack, 20), fmt.Sprintf("%d/%d", i.Active, i.Alerts), cut(or(cause(i)), 30), cut(i.Title, 60)}
		})
}

func cause(i api.Incident) string {
	if len(i.Causes) == 0 {
		return ""
	}
	return i.Causes[0].Class + " " + i.Causes[0].Name
}

type incidentShowCmd struct {
	ID recordID `arg:"" help:"The incident, e.g. INC00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *incidentShowCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	path := "/api/v1/incidents/" + c.ID.path()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return err
	}
	alerts, err := list[json.RawMessage](ctx, cl, path+"/alerts", nil, 0)
	if err != nil {
		return err
	}
	timeline, err := list[json.RawMessage](ctx, cl, path+"/timeline", nil, 0)
	if err != nil {
		return err
	}
	if c.json() {
		return writeJSON(io.out, map[string]any{"incident": raw, "alerts": alerts.Items, "timeline": timeline.Items})
	}
	var i api.Incident
	if err := json.Unmarshal(raw, &i); err != nil {
		return fmt.Errorf("read the incident: %w", err)
	}
	as, err := typed[api.Alert](alerts.Items)
	if err != nil {
		return err
	}
	tl, err := typed[api.TimelineEntry](timeline.Items)
	if err != nil {
		return err
	}
	return incidentReport(io.out, i, as, tl)
}

func typed[T any](raw []json.RawMessage) ([]T, error) {
	out := make([]T, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &out[i]); err != nil {
			return nil, fmt.Errorf("read a record: %w", err)
		}
	}
	return out, nil
}

// report writes text with a sticky error.
type report struct {
	w   io.Writer
	err error
}

func (r *report) printf(format string, args ...any) {
	if r.err == nil {
		_, r.err = io.WriteString(r.w, clean(fmt.Sprintf(format, args...)))
	}
}

// field writes a name and a value, unless there is none.
func (r *report) field(name, format string, args ...any) {
	if v := fmt.Sprintf(format, args...); strings.TrimSpace(v) != "" && v != "-" {
		r.printf("  %-13s %s\n", name, strings.ReplaceAll(v, "\n", "\n                "))
	}
}

// incidentReport tells an incident as a person would: what, how bad, why, which
// alerts and how they belong, what happened.
func incidentReport(w io.Writer, i api.Incident, alerts []api.Alert, timeline []api.TimelineEntry) error {
	r := &report{w: w}
	r.printf("%s  %s\n\n", i.ID, i.Title)
	state := string(i.State)
	if i.HoldReason != "" {
		state += " (waits for the " + string(i.HoldReason) + ")"
	}
	if i.Major {
		state += ", MAJOR"
	}
	r.field("state", "%s", state)
	r.field("priority", "%d (impact %d, urgency %d)%s", i.Priority, i.Impact, i.Urgency, prefixed(": ", i.Derivation))
	r.field("severity", "%s", i.Severity)
	r.field("assigned to", "%s", strings.Trim(i.Assignee+", "+i.Team, ", "))
	for _, role := range slices.Sorted(maps.Keys(i.Roles)) {
		r.field(role, "%s", i.Roles[role])
	}
	r.field("began", "%s", stamp(i.Onset))
	r.field("opened", "%s by %s", stamp(i.OpenedAt), i.OpenedBy)
	if i.AcknowledgedAt != nil {
		r.field("acknowledged", "%s by %s", stamp(*i.AcknowledgedAt), i.AcknowledgedBy)
	} else if i.Live() {
		r.field("acknowledged", "not yet, for %s", age(i.OpenedAt))
	}
	r.field("restored", "%s", stampOf(i.RestoredAt))
	if i.ResolvedAt != nil {
		r.field("resolved", "%s by %s%s", stamp(*i.ResolvedAt), i.ResolvedBy, prefixed(": ", i.Resolution))
	}
	r.field("closed", "%s", stampOf(i.ClosedAt))
	r.field("services", "%s", strings.Join(i.Services, ", "))
	r.field("problem", "%s%s", i.Problem, prefixed("; workaround: ", i.Workaround))
	r.field("seen before", "%s%s", i.SeenBefore, prefixed("; what helped then: ", i.Mended))
	if c := i.Recovery; c != nil {
		r.field("recovered", "after %s on %s at %s", c.Summary, c.Name, stamp(c.At))
	}
	r.field("merged into", "%s", i.MergedInto)
	r.field("possible now", "%s", strings.Join(i.Legal, ", "))
	if i.Description != "" {
		r.printf("\n%s\n", i.Description)
	}
	causes(r, i)
	alertsByCI(r, i, alerts)
	if len(timeline) > 0 {
		r.printf("\nTimeline\n")
		for _, e := range timeline {
			r.printf("  %s  %-13s %s: %s\n", stamp(e.At), e.Kind, e.Actor, strings.ReplaceAll(e.Text, "\n", "\n      "))
		}
	}
	return r.err
}

func prefixed(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

func causes(r *report, i api.Incident) {
	if len(i.Causes) > 0 || i.Verdict != nil {
		r.printf("\nSuspected cause\n")
		if v := i.Verdict; v != nil {
			r.printf("  %s\n", v.Text)
			if v.Common != "" {
				r.printf("  In common: %s\n", v.Common)
			}
			if v.Check != "" {
				r.printf("  Check next: %s\n", v.Check)
			}
		}
		for n, c := range i.Causes {
			r.printf("  %d. %s %s (%s)%s\n", n+1, c.Class, c.Name, itsm.Likely(c.Score), prefixed(": ", c.Path))
		}
	} else if i.Alerts > 0 {
		r.printf("\nSuspected cause\n  none: the evidence does not favour any item\n")
	}
	if len(i.Changes) > 0 {
		r.printf("\nChanges before it\n")
		for _, c := range i.Changes {
			r.printf("  %s  %s  %s%s\n", stamp(c.At), c.Name, c.Summary, prefixed(" ", c.Version))
		}
	}
}

// alertsByCI lists alerts under the item that they are about, the most first.
func alertsByCI(r *report, i api.Incident, alerts []api.Alert) {
	if len(alerts) == 0 {
		return
	}
	groups := map[string][]api.Alert{}
	for _, a := range alerts {
		key := "not bound to any item"
		if a.Binding != nil {
			key = a.Binding.Class + " " + a.Binding.Name
		}
		groups[key] = append(groups[key], a)
	}
	keys := make([]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y string) int {
		if d := len(groups[y]) - len(groups[x]); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	r.printf("\nAlerts: %d, %d of them active\n", i.Alerts, i.Active)
	for _, k := range keys {
		r.printf("  %s\n", k)
		if b := groups[k][0].Binding; b != nil {
			r.printf("      known by: %s\n", b.Evidence)
		}
		for _, a := range groups[k] {
			r.printf("    %s  %s  %s, %s, since %s\n", a.ID, a.Name, a.Severity, a.Status, stamp(a.StartsAt))
			if s := summary(a); s != "" {
				r.printf("      %s\n", s)
			}
			r.printf("      disposition: %s\n", disposition(a))
			for _, e := range a.Evidence {
				r.printf("      %s: %s\n", e.Kind(), e.Text)
			}
		}
	}
}

// disposition is what became of an alert. Where its evidence follows, that is the reason.
func disposition(a api.Alert) string {
	if len(a.Evidence) > 0 && a.FinalFate == "" {
		return string(a.Fate)
	}
	out := outcome(a.Fate, a.Why)
	if a.FinalFate != "" {
		out += "; then " + outcome(a.FinalFate, a.FinalWhy)
	}
	return out
}

func summary(a api.Alert) string {
	for _, k := range []string{"summary", "description", "message"} {
		if v := a.Annotations[k]; v != "" {
			return v
		}
	}
	return ""
}

type newIncident struct {
	Title       string `name:"title" json:"title" required:"" placeholder:"TEXT" help:"What is wrong, in a few words."`
	Impact      int    `name:"impact" json:"impact" default:"2" placeholder:"1-3" help:"1 high, 2 medium, 3 low (${default})."`
	Urgency     int    `name:"urgency" json:"urgency" default:"2" placeholder:"1-3" help:"1 high, 2 medium, 3 low (${default})."`
	Description string `name:"description" json:"description,omitempty" placeholder:"TEXT" help:"More words."`
	Assignee    string `name:"assignee" json:"assignee,omitempty" placeholder:"USER" help:"Who works on it."`
	Team        string `name:"team" json:"team,omitempty" placeholder:"TEAM" help:"Which team works on it."`
	CI          string `name:"ci" json:"ci,omitempty" placeholder:"ID" help:"The configuration item that it is about."`
	Service     string `name:"service" json:"service,omitempty" placeholder:"NAME" help:"The service that it concerns."`
}

func (n newIncident) check() error {
	for _, f := range []struct {
		flag string
		v    int
	}{{"--impact", n.Impact}, {"--urgency", n.Urgency}} {
		if f.v < 1 || f.v > 3 {
			return usagef("%s: want 1 (high), 2 or 3 (low), got %d", f.flag, f.v)
		}
	}
	return nil
}

// What the verbs of an incident take.
type (
	holdFlags struct {
		Reason string `name:"reason" json:"reason" required:"" enum:"caller,problem,vendor,change" placeholder:"REASON" help:"caller, problem, vendor or change."`
		noteFlags
	}
	resolveFlags struct {
		Resolution string `name:"resolution" json:"resolution,omitempty" placeholder:"TEXT" help:"What mended it."`
		noteFlags
	}
	incidentEdit struct {
		Title       string  `name:"title" json:"title,omitempty" placeholder:"TEXT" help:"What is wrong, in a few words."`
		Description *string `name:"description" json:"description,omitempty" placeholder:"TEXT" help:"More words; --description= takes them away."`
		Impact      int     `name:"impact" json:"impact,omitempty" placeholder:"1-3" help:"1 high, 2 medium, 3 low; wants --reason."`
		Urgency     int     `name:"urgency" json:"urgency,omitempty" placeholder:"1-3" help:"1 high, 2 medium, 3 low; wants --reason."`
		reasonFlags
	}
	majorFlags struct {
		Roles map[string]string `name:"role" json:"roles,omitempty" placeholder:"ROLE=WHO" help:"commander, communications, operations, planning, scribe or liaison; may be repeated. ROLE= frees it."`
		reasonFlags
	}
	mergeFlags struct {
		Into   recordID `name:"into" json:"into" required:"" placeholder:"ID" help:"The incident that takes over."`
		Reason string   `name:"reason" json:"reason,omitempty" placeholder:"TEXT" help:"Why."`
		Teach  bool     `name:"teach" json:"teach" default:"true" negatable:"" help:"--no-teach: only this once; later failures like the two are grouped as before."`
	}
)

type splitCmd struct {
	ID     recordID   `arg:"" help:"The incident."`
	Alerts []recordID `arg:"" name:"alert" help:"The alerts that leave, e.g. ALT00000001."`
	Reason string     `name:"reason" placeholder:"TEXT" help:"Why."`
	Teach  bool       `name:"teach" default:"true" negatable:"" help:"--no-teach: only this once; later alerts like these are grouped as before."`
	show
	remote
}

// Run implements kong's command.
func (c *splitCmd) Run(io streams) error {
	return c.act(io, c.show, "incidents", "split", []recordID{c.ID}, map[string]any{"alerts": c.Alerts, "reason": c.Reason, "teach": c.Teach})
}

type reviewCmd struct {
	ID   recordID `arg:"" help:"The incident."`
	File string   `name:"file" placeholder:"FILE" help:"Markdown that becomes the review (- for standard input); the incident must be over."`
	show
	remote
}

// Run implements kong's command.
func (c *reviewCmd) Run(s streams) error {
	path := "/api/v1/incidents/" + c.ID.path() + "/review"
	if c.File != "" {
		in, err := opened(c.File, s)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		defer in.Close()
		text, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		cl, err := c.client()
		if err != nil {
			return err
		}
		ctx, stop := interrupted()
		defer stop()
		if err := cl.call(ctx, http.MethodPut, path, api.ReviewText{Text: string(text)}, nil); err != nil {
			return err
		}
	}
	return showOne(c.remote, c.show, s, path, func(r itsm.Review) error {
		_, err := fmt.Fprint(s.out, clean(strings.TrimRight(r.Text, "\n")+"\n"))
		return err
	})
}
