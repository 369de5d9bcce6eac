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
	List       alertListCmd  `cmd:"" help:"List every received alert with its fate, newest first."`
	Show       alertShowCmd  `cmd:"" help:"Show one alert: binding, fate, evidence."`
	Hygiene    hygieneCmd    `cmd:"" help:"Which alert rules cost attention without being of use: never acted on, flapping, never bound, always together."`
	Quarantine quarantineCmd `cmd:"" help:"What was received and could not be read, newest first."`
}

type quarantineCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *quarantineCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/quarantine", c.listFlags, []string{"AGE", "SOURCE", "REASON", "RECEIVED"},
		func(q api.Quarantined) []string {
			return []string{age(q.At), q.Source, cut(q.Reason, 80), cut(q.Raw, 60)}
		})
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
			return []string{a.ID, string(a.Status), string(a.Severity), age(a.StartsAt), fateOf(a), or(a.Incident), cut(or(about(a)), 30), cut(nameOf(a), 40)}
		})
}

// about is what an alert is about: its item, or what its label says where no item is known.
func about(a api.Alert) string {
	if a.Binding != nil {
		return a.Binding.Class + " " + a.Binding.Name
	}
	for _, l := range []string{"instance", "node", "host", "service", "job"} {
		if v := a.Labels[l]; v != "" {
			return l + "=" + v + " ?"
		}
	}
	return ""
}

func nameOf(a api.Alert) string {
	if a.Name == "" {
		return "(no alertname)"
	}
	return a.Name
}

// fateOf is the disposition at receipt, and where a held alert ended.
func fateOf(a api.Alert) string {
	if a.FinalFate == "" || a.FinalFate == a.Fate {
		return string(a.Fate)
	}
	return string(a.Fate) + "→" + string(a.FinalFate)
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
	ID recordID `arg:"" help:"The alert, e.g. ALT00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *alertShowCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, "/api/v1/alerts/"+c.ID.path(), func(a api.Alert) error {
		r := &report{w: io.out}
		r.printf("%s  %s\n\n", a.ID, a.Name)
		r.field("status", "%s", string(a.Status))
		r.field("severity", "%s", string(a.Severity))
		r.field("source", "%s", a.Source)
		r.field("fingerprint", "%s", a.Fingerprint)
		r.field("began", "%s%s", stamp(a.Onset), later(a.Onset, a.StartsAt))
		r.field("ended", "%s%s", stampOf(a.EndsAt), prefixed(": ", a.EndWhy))
		r.field("received", "%s, last %s", atLeast(a.Receipts), stamp(a.LastReceived))
		r.field("fate", "%s", outcome(a.Fate, a.Why))
		r.field("in the end", "%s", outcome(a.FinalFate, a.FinalWhy))
		r.field("incident", "%s", a.Incident)
		switch repeats := a.Fate == correlator.FateDuplicate || a.FinalFate == correlator.FateDuplicate; {
		case a.Canonical == a.ID || a.Canonical == "":
		case repeats:
			r.field("same alert as", "%s, seen by another replica", a.Canonical)
		default:
			r.field("same alert as", "%s", a.Canonical)
		}
		if b := a.Binding; b != nil {
			r.field("item", "%s %s (%s, %d %%): %s", b.Class, b.Name, b.CI, b.Score, b.Evidence)
		} else {
			r.field("item", "none: no label names a known item")
		}
		if len(a.Evidence) > 0 {
			r.printf("\nEvidence\n")
			for _, e := range a.Evidence {
				r.printf("  %-12s  %s\n", e.Kind(), e.Text)
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
	if startsAt.Sub(onset).Abs() < time.Second { // they would read the same
		return ""
	}
	return fmt.Sprintf(" (its rule fired at %s)", stamp(startsAt))
}

func atLeast(receipts int) string {
	if receipts <= 1 {
		return "at least once"
	}
	return fmt.Sprintf("at least %d times", receipts)
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

type softwareCmd struct {
	List softwareListCmd `cmd:"" help:"List installed products with versions and numbers of hosts."`
}

type softwareListCmd struct {
	Name  string `arg:"" optional:"" help:"Part of the product's name, or a pattern with *."`
	Sort  string `name:"sort" enum:",name,-name,hosts,-hosts" default:"" placeholder:"ORDER" help:"name, -name, hosts (the rarest first) or -hosts."`
	Type  string `name:"type" placeholder:"TYPE" help:"Ecosystem: deb, rpm, npm, ..."`
	CIs   string `name:"cis" placeholder:"QUERY" help:"Only hosts that match this query of items."`
	Limit int    `name:"limit" default:"50" placeholder:"N" help:"Most products; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *softwareListCmd) Run(io streams) error {
	q := url.Values{}
	for k, v := range map[string]string{"q": c.Name, "type": c.Type, "cis": c.CIs, "sort": c.Sort} {
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
	Past    ciPastCmd    `cmd:"" help:"Show an item as it was at a time."`
	Diff    ciDiffCmd    `cmd:"" help:"What differs between two items, or an item now and then."`
	Graph   ciGraphCmd   `cmd:"" help:"What an item needs and what needs it, step by step."`
	Impact  ciImpactCmd  `cmd:"" help:"What fails with an item."`
	Points  ciPointsCmd  `cmd:"" name:"single-points" help:"Single points of failure: what an item needs and has only once."`
	Health  ciHealthCmd  `cmd:"" help:"Health of an item by what it needs, and why."`
	SBOM    ciSBOMCmd    `cmd:"" name:"sbom" help:"The software bill of a host or a service, CycloneDX."`

	Create  ciCreateCmd  `cmd:"" help:"Record an item by hand."`
	Edit    ciEditCmd    `cmd:"" help:"Change fields, labels, tags or the name of one item."`
	Delete  ciDeleteCmd  `cmd:"" help:"Remove an item with what was found on it; its history stays."`
	Relate  ciRelateCmd  `cmd:"" help:"Record that one item needs another, or take it back."`
	Bulk    ciBulkCmd    `cmd:"" name:"edit-all" help:"Change everything that a query matches; without --yes only tell what would change."`
	Import  ciImportCmd  `cmd:"" help:"Read items from CSV, line by line; with --dry-run only tell what would happen."`
	Export  ciExportCmd  `cmd:"" help:"Write everything that a query matches, as CSV or JSON lines."`
	Merge   ciMergeCmd   `cmd:"" help:"Make two items one."`
	Unmerge ciUnmergeCmd `cmd:"" help:"Take a merge back."`
	Merges  ciMergesCmd  `cmd:"" help:"List what was merged."`

	Classes  ciClassesCmd  `cmd:"" help:"List classes, or the fields of one."`
	Quality  ciQualityCmd  `cmd:"" help:"How well the inventory is kept, by class and owner."`
	Endings  ciEndingsCmd  `cmd:"" help:"What ends when: warranties, support, certificates, contracts."`
	Costs    ciCostsCmd    `cmd:"" help:"Purchase prices added up by a field and currency."`
	Coverage ciCoverageCmd `cmd:"" help:"Machines and ports that no Prometheus target or rule watches."`
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
