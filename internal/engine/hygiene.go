package engine

import (
	"context"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/itsm"
)

// hygieneMost bounds how many alerts a report looks at: the newest.
const hygieneMost = 500_000

// Hygiene reports from the records which rules cost attention without being of use.
func (r *Records) Hygiene(ctx context.Context, since, now time.Time) (correlator.HygieneReport, error) {
	h := correlator.NewHygiene(since, now)
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
			return correlator.HygieneReport{}, err
		}
		for _, a := range p.Items {
			n++
			if a.FirstReceived.Before(since) {
				return h.Report(), nil // they come newest first
			}
			h.Add(a, acted)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	return h.Report(), nil
}
