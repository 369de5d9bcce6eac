package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Once takes one full round and delivers it, for --once without --output.
func (a *Agent) Once(ctx context.Context, now time.Time) error {
	r := a.options.Source.Collect(ctx, now, true)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	if err := a.take(now, r, true); err != nil {
		return err
	}
	if !a.enrolled && a.id.Credential == "" {
		if err := a.enroll(ctx); err != nil {
			return err
		}
	}
	a.enrolled = true
	body, _, err := a.envelope(now)
	if err != nil {
		return err
	}
	reply, err := a.send(ctx, now, body)
	if err != nil {
		return err
	}
	for section, reason := range reply.Rejected {
		return fmt.Errorf("the server refused section %s: %s", section, reason)
	}
	return a.answered(ctx, now, reply, true)
}

// PrintOnly completes a report for printing: nothing is sent and nothing is
// written, so an agent that never joined has no id to show.
func PrintOnly(r report.Report, stateDirPath string, self Self, newID func() string) report.Report {
	id, err := stateDir{stateDirPath}.loadIdentity()
	if r.Problems == nil {
		r.Problems = make(map[string][]report.Problem)
	}
	if err != nil || id.AgentID == "" {
		id.AgentID = newID()
		reason := "id: none is kept in the state directory yet; this one is for this print only"
		if err != nil {
			reason = "id: " + err.Error()
		}
		r.Problems[report.SectionAgent] = []report.Problem{{Reason: reason}}
	}
	r.Agent = report.Agent{
		ID: id.AgentID, Version: self.Version, BootID: self.BootID, Sequence: id.Sequence, StartedAt: self.StartedAt.UTC(),
		User: self.User, Capabilities: self.Capabilities, SpoolDropped: id.Dropped,
	}
	return r
}
