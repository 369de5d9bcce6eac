package agent

import (
	"context"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// join enrols if the agent has no credential.
func (a *Agent) join(ctx context.Context, now time.Time) error {
	if a.enrolled || now.Before(a.nextSend) {
		return nil
	}
	if a.id.Credential != "" {
		a.enrolled = true
		return nil
	}
	if err := a.enroll(ctx); err != nil {
		a.backOff(now, err)
	}
	return nil
}

func (a *Agent) enroll(ctx context.Context) error {
	token, err := a.options.JoinToken()
	if err != nil {
		return err
	}
	request := report.EnrollRequest{Agent: a.self(), Previous: a.id.Credential}
	if a.last != nil {
		request.Host = a.last.Host
		for _, i := range a.last.Interfaces {
			if i.PermanentMAC != "" {
				request.MACs = append(request.MACs, i.PermanentMAC)
			}
		}
	}
	reply, err := a.options.Sender.Enroll(ctx, token, request)
	if err != nil {
		return err
	}
	a.id.Credential, a.id.CI = reply.Credential, reply.CI
	a.id.Schedule = overlay(report.Schedule{}, reply.Schedule)
	if err := a.dir.saveIdentity(a.id); err != nil {
		return err
	}
	a.enrolled, a.failures, a.nextSend, a.quiet = true, 0, time.Time{}, false
	a.log.Info("joined", "ci", reply.CI, "agent_id", a.id.AgentID)
	return nil
}

// fork makes this agent another one: the server has seen two machines under
// its id, which was copied with the disk.
func (a *Agent) fork(ctx context.Context, now time.Time) error {
	old := a.id.AgentID
	a.voice.Store(nil)
	a.sequence = 0
	a.id = identity{AgentID: a.options.NewID(), Schedule: a.id.Schedule}
	a.log.Warn("another machine uses this agent's id (a copied disk?): going on as a new agent", "old_id", old, "new_id", a.id.AgentID)
	if err := a.dir.saveIdentity(a.id); err != nil {
		return err
	}
	if a.options.Forked != nil {
		a.options.Forked(a.id.AgentID)
	}
	if _, err := a.spool.clear(); err != nil {
		return err
	}
	clear(a.queued)
	clear(a.rejected)
	a.enrolled, a.failures, a.nextSend = false, 0, time.Time{}
	if a.last != nil {
		if err := a.take(now, *a.last, true); err != nil {
			return err
		}
	}
	// Not at once: a server that forks each new agent too would be a storm.
	a.nextReport = now.Add(settle)
	return a.join(ctx, now)
}
