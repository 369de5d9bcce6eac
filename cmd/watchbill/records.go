package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/correlator"
)

type alertCmd struct {
	List    alertListCmd `cmd:"" help:"List every received alert with its fate, newest first."`
	Show    alertShowCmd `cmd:"" help:"Show one alert: binding, fate, evidence."`
	Hygiene hygieneCmd   `cmd:"" help:"Which rules cost attention without being of use."`
}

type alertListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *alertListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/alerts", c.listFlags, []string{"ID", "STATUS", "SEVERITY", "AGE", "FATE", "INCIDENT", "ITEM", "ALERT"},
		func(a api.Alert) []string {
			item := ""
			if a.Binding != nil {
				item = a.Binding.Class + " " + a.Binding.Name
			}
			fate := string(a.Fate)
			if a.FinalFate != "" {
				fate += "→" + string(a.FinalFate)
			}
			return []string{a.ID, string(a.Status), string(a.Severity), age(a.StartsAt), fate, or(a.Incident), cut(or(item), 30), cut(a.Name, 40)}
		})
}

type hygieneCmd struct {
	Days int `name:"days" default:"30" placeholder:"N" help:"Look at the last N days (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *hygieneCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, fmt.Sprintf("/api/v1/hygiene?days=%d", c.Days), func(h correlator.HygieneReport) error {
		fmt.Fprintf(io.out, "%d alerts since %s\n\n", h.Alerts, stamp(h.Since))
		t := newTable(io.out, "RULE", "ALERTS", "INCIDENTS", "ACTED", "HELD", "FINDINGS")
		for _, r := range h.Rules {
			t.row(cut(r.Rule, 40), fmt.Sprint(r.Alerts), fmt.Sprint(r.Incidents), fmt.Sprint(r.Acted), fmt.Sprint(r.Held), r.Text)
		}
		if err := t.end(); err != nil {
			return err
		}
		if len(h.Together) > 0 {
			fmt.Fprintf(io.out, "\nAlways together: one rule, or an inhibition, may be enough\n")
		}
		for _, p := range h.Together {
			fmt.Fprintf(io.out, "  %s, in %d incidents\n", oneLine(strings.Join(p.Rules, " and ")), p.Incidents)
		}
		return nil
	})
}

type alertShowCmd struct {
	ID string `arg:"" help:"The alert, e.g. ALT00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *alertShowCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, "/api/v1/alerts/"+url.PathEscape(strings.ToUpper(c.ID)), func(a api.Alert) error {
		r := &report{w: io.out}
		r.printf("%s  %s\n\n", a.ID, a.Name)
		r.field("status", "%s", string(a.Status))
		r.field("severity", "%s", string(a.Severity))
		r.field("source", "%s", a.Source)
		r.field("fingerprint", "%s", a.Fingerprint)
		r.field("began", "%s%s", stamp(a.Onset), later(a.Onset, a.StartsAt))
		r.field("ended", "%s%s", stampOf(a.EndsAt), prefixed(": ", a.EndWhy))
		r.field("received", "at least %d times, last %s", a.Receipts, stamp(a.LastReceived))
		r.field("fate", "%s", outcome(a.Fate, a.Why))
		r.field("in the end", "%s", outcome(a.FinalFate, a.FinalWhy))
		r.field("incident", "%s", a.Incident)
		if b := a.Binding; b != nil {
			r.field("item", "%s %s (%s, %d %%): %s", b.Class, b.Name, b.CI, b.Score, b.Evidence)
		} else {
			r.field("item", "none: no label names a known item")
		}
		if len(a.Evidence) > 0 {
			r.printf("\nEvidence\n")
			for _, e := range a.Evidence {
				r.printf("  %-10s %+.2f  %s\n", e.Signal, e.Weight, e.Text)
			}
		}
		pairs(r, "Labels", a.Labels)
		pairs(r, "Annotations", a.Annotations)
		return r.err
	})
}

// outcome is a fate with its reason, which may begin with the fate's own word.
func outcome(f correlator.Fate, why string) string {
	if strings.HasPrefix(why, string(f)) && f != "" {
		return why
	}
	return string(f) + prefixed(": ", why)
}

// later tells the rule's firing apart from the first symptom, where they differ.
func later(onset, startsAt time.Time) string {
	if onset.Equal(startsAt) {
		return ""
	}
	return fmt.Sprintf(" (its rule fired at %s)", stamp(startsAt))
}

func pairs(r *report, title string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	r.printf("\n%s\n", title)
	for _, k := range keys {
		r.printf("  %s = %s\n", k, m[k])
	}
}

type problemCmd struct {
	List problemListCmd `cmd:"" help:"List problems, newest first."`
	Show problemShowCmd `cmd:"" help:"Show one problem with its incidents."`
}

type problemListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *problemListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/problems", c.listFlags, []string{"ID", "PRIORITY", "STATE", "INCIDENTS", "LAST", "KNOWN", "TITLE"},
		func(p api.ProblemRecord) []string {
			known := "-"
			if p.KnownError {
				known = "yes"
			}
			return []string{p.ID, fmt.Sprint(p.Priority), string(p.State), fmt.Sprint(p.Incidents), age(p.LastAt), known, cut(p.Title, 60)}
		})
}

type problemShowCmd struct {
	ID string `arg:"" help:"The problem, e.g. PRB00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *problemShowCmd) Run(io streams) error {
	path := "/api/v1/problems/" + url.PathEscape(strings.ToUpper(c.ID))
	return showOne(c.remote, c.show, io, path, func(p api.ProblemRecord) error {
		r := &report{w: io.out}
		r.printf("%s  %s\n\n", p.ID, p.Title)
		r.field("state", "%s", string(p.State))
		r.field("priority", "%d", p.Priority)
		r.field("opened", "%s by %s%s", stamp(p.OpenedAt), p.OpenedBy, prefixed(": ", p.Why))
		r.field("assigned to", "%s", strings.Trim(p.Assignee+", "+p.Team, ", "))
		r.field("root cause", "%s", p.RootCause)
		r.field("workaround", "%s", p.Workaround)
		r.field("fix", "%s", p.Fix)
		r.field("resolved", "%s", stampOf(p.ResolvedAt))
		r.field("closed", "%s", stampOf(p.ClosedAt))
		r.field("possible now", "%s", strings.Join(p.Legal, ", "))
		cl, err := c.client()
		if err != nil {
			return err
		}
		ctx, stop := interrupted()
		defer stop()
		incidents, err := list[api.Incident](ctx, cl, path+"/incidents", nil, 20)
		if err != nil {
			return err
		}
		timeline, err := list[api.TimelineEntry](ctx, cl, path+"/timeline", nil, 0)
		if err != nil {
			return err
		}
		r.printf("\nIncidents: %d\n", p.Incidents)
		for _, i := range incidents.Items {
			r.printf("  %s  %s  %s  %s\n", i.ID, stamp(i.OpenedAt), i.State, i.Title)
		}
		r.printf("\nTimeline\n")
		for _, e := range timeline.Items {
			r.printf("  %s  %-13s %s: %s\n", stamp(e.At), e.Kind, e.Actor, e.Text)
		}
		return r.err
	})
}

type serviceCmd struct {
	List serviceListCmd `cmd:"" help:"List services with their health."`
}

type serviceListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *serviceListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/services", c.listFlags, []string{"NAME", "STATE", "OPEN", "PRIORITY", "CRITICALITY", "OWNER", "TEAM"},
		func(s api.Service) []string {
			priority := "-"
			if s.Priority > 0 {
				priority = fmt.Sprint(s.Priority)
			}
			return []string{cut(s.Name, 40), s.State, fmt.Sprint(s.Open), priority, or(s.Criticality), or(s.Owner), or(s.Team)}
		})
}

type softwareCmd struct {
	List softwareListCmd `cmd:"" help:"List installed products with versions and numbers of hosts."`
}

type softwareListCmd struct {
	Name  string `arg:"" optional:"" help:"Part of the product's name, or a pattern with *."`
	Type  string `name:"type" placeholder:"TYPE" help:"Ecosystem: deb, rpm, npm, ..."`
	CIs   string `name:"cis" placeholder:"QUERY" help:"Only hosts that match this query of items."`
	Limit int    `name:"limit" default:"50" placeholder:"N" help:"Most products; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *softwareListCmd) Run(io streams) error {
	q := url.Values{}
	for k, v := range map[string]string{"q": c.Name, "type": c.Type, "cis": c.CIs} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return showQuery(c.remote, c.show, io, "/api/v1/software", q, c.Limit, []string{"TYPE", "NAME", "HOSTS", "VERSIONS"},
		func(p inventory.Product) []string {
			versions := make([]string, 0, len(p.Versions))
			for _, v := range p.Versions {
				versions = append(versions, fmt.Sprintf("%s (%d)", v.Version, v.Hosts))
			}
			return []string{p.Type, cut(p.Name, 50), fmt.Sprint(p.Hosts), cut(strings.Join(versions, ", "), 80)}
		})
}

type ciCmd struct {
	List    ciListCmd    `cmd:"" help:"List configuration items, e.g. watchbill ci list class:host os:debian."`
	Show    ciShowCmd    `cmd:"" help:"Show one item: attributes, packages, services, listeners."`
	History ciHistoryCmd `cmd:"" help:"What changed on an item, newest first."`
	Graph   ciGraphCmd   `cmd:"" help:"What is around an item."`
	Impact  ciImpactCmd  `cmd:"" help:"What fails with an item."`
}

type ciListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *ciListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/cis", c.listFlags, []string{"ID", "CLASS", "NAME", "LIVENESS", "SEEN", "OWNER", "OS", "ADDRESSES"},
		func(i cmdb.CI) []string {
			os := strings.TrimSpace(i.Attributes.Text("os") + " " + i.Attributes.Text("os_version"))
			return []string{i.ID, i.Class, cut(i.Name, 40), string(i.Liveness), age(i.LastSeen), or(i.Attributes.Text("owner")), cut(or(os), 24), cut(or(i.Attributes.Text("addresses")), 40)}
		})
}
