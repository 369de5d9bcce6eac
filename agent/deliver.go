package agent

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// hand makes an envelope of the newest round and sends or spools it.
func (a *Agent) hand(ctx context.Context, now time.Time) error {
	if err := a.join(ctx, now); err != nil {
		return err
	}
	body, names, err := a.envelope(now)
	if err != nil {
		return err
	}
	if a.spool.empty() && a.enrolled && !now.Before(a.nextSend) {
		reply, err := a.send(ctx, now, body)
		if err == nil {
			return a.answered(ctx, now, reply, true)
		}
		if !a.retriable(err) {
			a.refused(names, err)
			return nil
		}
		a.backOff(now, err)
	}
	// An envelope that says nothing new is not worth the disk: the next one
	// says the same.
	if len(names) == 0 {
		return nil
	}
	dropped, err := a.spool.put(a.sequence, body)
	if err != nil {
		a.log.Error("cannot keep a report for later", "error", err)
		dropped = 1
	}
	if dropped > 0 {
		a.id.Dropped += uint64(dropped)
		// What was in the dropped ones must be sent again.
		clear(a.queued)
		a.log.Warn("reports were dropped: the spool is full while the server is away", "dropped", dropped, "dropped_in_all", a.id.Dropped)
		return a.dir.saveIdentity(a.id)
	}
	return nil
}

// envelope encodes the newest round: every hash, and the data that the server
// has not been given. names lists the sections with data; it also counts
// changes, under "".
func (a *Agent) envelope(now time.Time) (body []byte, names []string, err error) {
	if a.sequence++; a.sequence > a.id.Sequence {
		a.id.Sequence = a.sequence + sequenceBlock - 1
		if err := a.dir.saveIdentity(a.id); err != nil {
			return nil, nil, err
		}
	}
	// What the agent may do stands in its section; here it would be a third of
	// an envelope that says nothing new.
	self := a.self()
	self.Capabilities = nil
	e := report.Envelope{Agent: self, TakenAt: now.UTC(), Sections: make(map[string]report.Section, len(a.hashes)), Changes: a.changes}
	for name, hash := range a.hashes {
		// The hash covers the problems: they go with the data, once.
		e.Sections[name] = report.Section{Hash: hash}
		if a.queued[name] == hash {
			continue
		}
		if e.Sections[name], err = a.last.Section(name); err != nil {
			return nil, nil, err
		}
		a.queued[name] = hash
		names = append(names, name)
	}
	if len(a.changes) > 0 {
		names = append(names, "")
	}
	sort.Strings(names)
	body, err = compress(e)
	if err != nil {
		return nil, nil, err
	}
	a.changes = nil
	return body, names, nil
}

// send posts one envelope; a credential that is no longer known is renewed once.
func (a *Agent) send(ctx context.Context, now time.Time, body []byte) (report.Reply, error) {
	reply, err := a.options.Sender.Report(ctx, a.id.Credential, body)
	var status *StatusError
	if errors.As(err, &status) && status.Code == 401 {
		a.log.Warn("the server does not know this agent's credential: joining again", "error", err)
		a.enrolled = false
		if err := a.enroll(ctx); err != nil {
			return report.Reply{}, err
		}
		reply, err = a.options.Sender.Report(ctx, a.id.Credential, body)
	}
	if err == nil {
		a.failures, a.nextSend = 0, time.Time{}
		if a.quiet {
			a.quiet = false
			a.log.Info("the server is back", "spooled", len(a.spool.names))
		}
	}
	return reply, err
}

// retriable says whether the same envelope may succeed later. A server that
// calls it malformed or too large will always do so.
func (a *Agent) retriable(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return true
	}
	switch status.Code {
	case 400, 404, 405, 413, 415, 422:
		return false
	}
	return true
}

// refused gives an envelope up. Its sections go again with the next full
// round, not each time: what was refused once is refused again.
func (a *Agent) refused(names []string, err error) {
	a.log.Error("the server refused a report for good", "sections", names, "error", err)
	for _, name := range names {
		a.rejected[name] = true
	}
}

// answered does what a reply asks for. follow allows one envelope more at once
// for the sections that the server lacks.
func (a *Agent) answered(ctx context.Context, now time.Time, reply report.Reply, follow bool) error {
	if reply.Forked {
		return a.fork(ctx, now)
	}
	a.speakable()
	kept := a.id
	if reply.CI != "" {
		a.id.CI = reply.CI
	}
	a.id.Schedule = overlay(report.Schedule{}, reply.Schedule)
	if kept != a.id {
		if err := a.dir.saveIdentity(a.id); err != nil {
			return err
		}
		a.reschedule(now)
	}
	for name, reason := range reply.Rejected {
		if !a.rejected[name] {
			a.log.Error("the server refused a section", "section", name, "reason", reason)
		}
		a.rejected[name] = true
	}
	missing := false
	for _, name := range reply.Want {
		if _, known := a.hashes[name]; known && !a.rejected[name] {
			delete(a.queued, name)
			missing = true
		}
	}
	if missing && follow && a.spool.empty() {
		body, names, err := a.envelope(now)
		if err != nil {
			return err
		}
		next, err := a.send(ctx, now, body)
		if err != nil {
			if a.retriable(err) {
				a.backOff(now, err)
				for _, name := range names {
					delete(a.queued, name)
				}
			} else {
				a.refused(names, err)
			}
			return nil
		}
		return a.answered(ctx, now, next, false)
	}
	return nil
}

// backOff waits longer after each failure, up to five minutes, and never in
// step with the other agents that lost the same server.
func (a *Agent) backOff(now time.Time, err error) {
	wait := longestBackoff
	if a.failures < 7 {
		wait = min(firstBackoff<<a.failures, longestBackoff)
	}
	a.failures++
	wait = wait/2 + time.Duration(a.options.Random()*float64(wait))
	var status *StatusError
	if errors.As(err, &status) && status.RetryAfter > 0 {
		wait = status.RetryAfter + time.Duration(a.options.Random()*float64(status.RetryAfter))
	}
	a.nextSend = now.Add(wait)
	level := slog.LevelDebug
	if !a.quiet {
		a.quiet, level = true, slog.LevelWarn
	}
	a.log.Log(context.Background(), level, "the server cannot be reached: keeping reports on disk", "error", err, "retry_in", wait.Round(time.Second))
}

// drain sends what was spooled, oldest first, until it is empty or fails.
func (a *Agent) drain(ctx context.Context, now time.Time) error {
	if err := a.join(ctx, now); err != nil || !a.enrolled || now.Before(a.nextSend) {
		return err
	}
	for !a.spool.empty() && ctx.Err() == nil {
		body, err := a.spool.oldest()
		if err != nil {
			return err
		}
		if body == nil {
			return nil
		}
		reply, err := a.send(ctx, now, body)
		switch {
		case err == nil:
		case a.retriable(err):
			a.backOff(now, err)
			return nil
		default:
			a.log.Error("the server refused a spooled report for good", "error", err)
			// Its sections are not with the server after all.
			clear(a.queued)
		}
		if err := a.spool.drop(); err != nil {
			return err
		}
		if err == nil {
			if err := a.answered(ctx, now, reply, a.spool.empty()); err != nil {
				return err
			}
		}
	}
	return nil
}

// close says the last word: that the host goes down, if it does.
func (a *Agent) close() {
	if a.options.GoingDown == nil || !a.options.GoingDown() || a.hashes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	now := time.Now()
	a.changes = append(a.changes, report.Change{At: now.UTC(), Type: report.ChangeRebooting, Object: a.last.Host.Hostname, Summary: "the host is going down"})
	if err := a.hand(ctx, now); err != nil {
		a.log.Error("cannot say that the host goes down", "error", err)
	}
}
