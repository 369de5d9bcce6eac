package itsm

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Review is a post-incident review, as Markdown.
type Review struct {
	Incident string    `json:"incident"`
	Text     string    `json:"text"`
	Draft    bool      `json:"draft,omitempty"` // nobody has finished it
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// Draft begins a post-incident review with what the records know, and leaves the
// questions that only people can answer.
func Draft(i Incident, entries []Entry) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# Review of %s: %s\n\n", i.ID, i.Title)
	p("| | |\n|---|---|\n")
	p("| priority | %d (impact %d, urgency %d) |\n", i.Priority, i.Impact, i.Urgency)
	if i.Derivation != "" {
		p("| because | %s |\n", cell(i.Derivation))
	}
	if len(i.Services) > 0 {
		p("| services | %s |\n", strings.Join(i.Services, ", "))
	}
	p("| began | %s |\n", i.Onset.UTC().Format(time.RFC3339))
	step := func(name string, at *time.Time, from time.Time, by string) {
		if at == nil {
			p("| %s | never |\n", name)
			return
		}
		if by != "" {
			by = " by " + by
		}
		p("| %s | %s, %s later%s |\n", name, at.UTC().Format(time.RFC3339), event.Span(at.Sub(from)), by)
	}
	step("detected", &i.OpenedAt, i.Onset, "")
	step("acknowledged", i.AcknowledgedAt, i.OpenedAt, i.AcknowledgedBy)
	step("restored", i.RestoredAt, i.Onset, "")
	step("resolved", i.ResolvedAt, i.OpenedAt, i.ResolvedBy)
	p("| alerts | %d |\n", i.Alerts)
	if i.Reopened > 0 {
		p("| reopened | %d times |\n", i.Reopened)
	}
	if i.Problem != "" {
		p("| problem | %s |\n", i.Problem)
	}
	p("\n## What happened\n\n_Tell it in a few sentences, for somebody who was not there._\n\n")
	p("## Suspected causes\n\n")
	switch {
	case i.Verdict != nil:
		p("%s.\n\n", i.Verdict.Text)
	case len(i.Causes) == 0:
		p("No cause was found by itself.\n")
	}
	for n, c := range i.Causes {
		p("%d. %s %s (%s): %s\n", n+1, c.Class, c.Name, Likely(c.Score), c.Path)
	}
	if len(i.Changes) > 0 {
		p("\nChanges shortly before:\n\n")
		for _, c := range i.Changes {
			p("- %s %s on %s: %s\n", c.At.UTC().Format(time.RFC3339), c.Type, c.Name, c.Summary)
		}
	}
	if len(i.Clocks) > 0 {
		p("\n## Service levels\n\n")
		for _, k := range i.Clocks {
			result := k.Result
			if result == "" {
				result = string(k.Phase)
			}
			p("- %s: %s, %s of %s used\n", k.SLA, result, event.Span(time.Duration(k.Elapsed*float64(time.Second))), event.Span(time.Duration(k.Target)))
		}
	}
	p("\n## Timeline\n\n```\n")
	_ = WriteTimeline(&b, entries) // a builder does not fail
	p("```\n\n## What went well\n\n- \n\n## What went badly\n\n- \n\n## What we do about it\n\n| what | who | until |\n|---|---|---|\n| | | |\n")
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// WriteTimeline writes a timeline as a person reads it: each day once, then time,
// how long since the beginning, who, and what.
func WriteTimeline(w io.Writer, entries []Entry) error {
	day := ""
	for _, e := range entries {
		at := e.At.UTC()
		if d := at.Format("Mon 2006-01-02"); d != day {
			day = d
			if _, err := fmt.Fprintf(w, "%s UTC\n", d); err != nil {
				return err
			}
		}
		since := "+" + event.Span(e.At.Sub(entries[0].At).Round(time.Second))
		who := e.Actor
		if who == System {
			who = "-"
		}
		text := strings.ReplaceAll(e.Text, "\n", "\n"+strings.Repeat(" ", 45))
		if _, err := fmt.Fprintf(w, "  %s  %-10s %-12s %-12s %s\n", at.Format("15:04:05"), since, who, e.Kind, text); err != nil {
			return err
		}
	}
	return nil
}

// What a probability is called: people read words at night, and two digits would say
// more than is known.
const (
	likely   = 0.6
	possible = 0.2
)

// Likely puts the probability of a cause into a word.
func Likely(p float64) string {
	switch {
	case p >= likely:
		return "likely"
	case p >= possible:
		return "possible"
	}
	return "a guess"
}
