package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/itsm"
)

// hygieneMost bounds how many alerts a report looks at: the newest.
const hygieneMost = 500_000

// behindMost bounds how many incidents are named behind a rule: more than a reader opens.
const behindMost = 50

// HygieneReport is the correlator's report with the way to what is behind it.
type HygieneReport struct {
	correlator.HygieneReport
	// Behind are the incidents of each rule that the report names, newest alert first.
	Behind map[string][]string `json:"recent_incidents" nullable:"false" doc:"By rule that the report names: its newest incidents, at most 50"`
}

// behind gathers incidents by rule.
type behind map[string][]string

func (b behind) add(a correlator.Alert) {
	rule := cmp.Or(a.Labels.Get("alertname"), "?")
	if ids := b[rule]; a.Incident != "" && len(ids) < behindMost && !slices.Contains(ids, a.Incident) {
		b[rule] = append(ids, a.Incident)
	}
}

// of adds to a report the incidents of the rules that it names.
func (b behind) of(rep correlator.HygieneReport) HygieneReport {
	var named []string
	for _, r := range rep.Rules {
		named = append(named, r.Rule)
	}
	for _, p := range rep.Together {
		named = append(named, p.Rules...)
	}
	out := HygieneReport{rep, map[string][]string{}}
	for _, rule := range named {
		if ids := b[rule]; len(ids) > 0 {
			out.Behind[rule] = ids
		}
	}
	return out
}

// Hygiene reports from the records which rules cost attention without being of use.
func (r *Records) Hygiene(ctx context.Context, since, now time.Time) (HygieneReport, error) {
	h := correlator.NewHygiene(since, now)
	incidents := behind{}
	known := map[string]bool{}
	acted := func(id string) bool {
		was, ok := known[id]
		if !ok {
			// An incident that is gone says nothing; its alerts are gone soon, too.
			i, _, err := r.Incident(ctx, id)
			was = err == nil && (i.AcknowledgedAt != nil || i.ResolvedBy != "" && i.ResolvedBy != itsm.System)
			known[id] = was
		}
		return was
	}
	cursor := ""
	for n := 0; n < hygieneMost; {
		p, err := r.Alerts(ctx, AlertFilter{}, Range{Cursor: cursor, Limit: 1000})
		if err != nil {
			return HygieneReport{}, err
		}
		for _, a := range p.Items {
			n++
			if a.FirstReceived.Before(since) {
				return incidents.of(h.Report()), nil // they come newest first
			}
			h.Add(a, acted)
			incidents.add(a)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	return incidents.of(h.Report()), nil
}
