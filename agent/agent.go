// Package agent is the loop that discovers one host and tells the server: when
// to look, what has changed, what to send, and what to do while the server is
// away. It owns the agent's identity, its spool and its schedule; it refuses
// to know how a fact is found (agent/probe) and what becomes of it on the
// server (cmdb/inventory).
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sort"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Source finds facts. Collector is the real one.
type Source interface {
	// Sample looks at what comes and goes between two reports.
	Sample(ctx context.Context, now time.Time)
	// Collect returns a report without its agent section. A full one looks at
	// everything, the others may repeat what is slow to find.
	Collect(ctx context.Context, now time.Time, full bool) report.Report
}

// Sender delivers to the server. Server is the real one.
type Sender interface {
	Enroll(ctx context.Context, joinToken string, request report.EnrollRequest) (report.EnrollReply, error)
	Report(ctx context.Context, credential string, envelope []byte) (report.Reply, error)
}

// Event is something that is told at once, without waiting for the next report.
type Event struct {
	Changes []report.Change
	// Peers is what this agent saw of other members of its mesh.
	Peers []report.Peer
	// Collect asks for a report as soon as things have settled.
	Collect bool
}

// Options make an agent. Fields without a default are required.
type Options struct {
	StateDir  string
	Source    Source
	Sender    Sender
	JoinToken func() (string, error) // asked only when the agent must enrol
	Self      Self
	Logger    *slog.Logger
	Random    func() float64 // in [0, 1)
	NewID     func() string

	// Schedule is the agent's own; the server's replaces what it names.
	Schedule report.Schedule // default DefaultSchedule
	// SpoolBytes bounds the spool; default 16 MiB.
	SpoolBytes int64
	// Events and Peers wake the loop; nil for none.
	Events <-chan Event
	Peers  <-chan report.Peer
	// GoingDown says whether the host itself is being shut down; nil for never.
	GoingDown func() bool
	// Rest is called after a round, before the loop idles for long; nil for nothing.
	Rest func()
}

// Self is what the agent says about its own program and run.
type Self struct {
	Version      string
	BootID       string
	User         string
	Capabilities []string
	StartedAt    time.Time
	Site         string // of its mesh, "" for none
}

// DefaultSchedule samples sockets twice a minute (a closed connection stays
// visible for one), reports every five minutes and looks at what is slow to
// find four times a day.
func DefaultSchedule() report.Schedule {
	return report.Schedule{SampleSeconds: 30, ReportSeconds: 300, FullSeconds: 6 * 3600}
}

const (
	defaultSpoolBytes = 16 << 20
	settle            = 10 * time.Second // after an event, before the host is looked at
	firstBackoff      = 5 * time.Second
	longestBackoff    = 5 * time.Minute
	farewell          = 2 * time.Second // for the last word before the host goes down
)

// Agent is one host's agent. Its methods are not safe for concurrent use.
type Agent struct {
	options Options
	dir     stateDir
	id      identity
	spool   *spool
	log     *slog.Logger

	last     *report.Report    // of the last round, also of a run before
	hashes   map[string]string // of the last round
	queued   map[string]string // section → hash of what was last handed over or spooled
	rejected map[string]bool   // sections that the server refused as they are
	enrolled bool

	nextSample, nextReport, nextFull, nextSend time.Time
	failures                                   int
	changes                                    []report.Change // not yet in an envelope
	peers                                      []report.Peer   // likewise
	quiet                                      bool            // the server's absence was logged
}

// New opens the state directory and makes an agent id on the first start.
func New(options Options) (*Agent, error) {
	if options.Source == nil || options.Sender == nil || options.JoinToken == nil || options.Logger == nil || options.Random == nil || options.NewID == nil {
		return nil, errors.New("agent: source, sender, join token, logger, random and id maker are all required")
	}
	if options.SpoolBytes == 0 {
		options.SpoolBytes = defaultSpoolBytes
	}
	options.Schedule = overlay(DefaultSchedule(), options.Schedule)
	dir, err := openStateDir(options.StateDir)
	if err != nil {
		return nil, err
	}
	id, err := dir.loadIdentity()
	if err != nil {
		return nil, err
	}
	if id.AgentID == "" {
		id.AgentID = options.NewID()
		if err := dir.saveIdentity(id); err != nil {
			return nil, err
		}
	}
	queue, err := openSpool(filepath.Join(dir.path, "spool"), options.SpoolBytes)
	if err != nil {
		return nil, err
	}
	return &Agent{
		options: options, dir: dir, id: id, spool: queue, log: options.Logger, last: dir.loadReport(),
		queued: make(map[string]string), rejected: make(map[string]bool),
	}, nil
}

// ID is the agent's own id. It changes when the server forks the agent.
func (a *Agent) ID() string { return a.id.AgentID }

// overlay lays the values that the second schedule names over the first's.
func overlay(base, over report.Schedule) report.Schedule {
	if over.SampleSeconds > 0 {
		base.SampleSeconds = over.SampleSeconds
	}
	if over.ReportSeconds > 0 {
		base.ReportSeconds = over.ReportSeconds
	}
	if over.FullSeconds > 0 {
		base.FullSeconds = over.FullSeconds
	}
	return base
}

// schedule is the one in force, kept within what can be borne: a mistyped
// second on the server must not melt a fleet.
func (a *Agent) schedule() (sample, full, each time.Duration) {
	s := overlay(a.options.Schedule, a.id.Schedule)
	return time.Duration(max(s.SampleSeconds, 1)) * time.Second, time.Duration(max(s.FullSeconds, 10)) * time.Second, time.Duration(max(s.ReportSeconds, 1)) * time.Second
}

// Run loops until the context ends, then says good-bye if the host goes down.
func (a *Agent) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			a.close()
			return nil
		case event := <-a.options.Events:
			a.Notice(ctx, time.Now(), event)
		case peer := <-a.options.Peers:
			a.Notice(ctx, time.Now(), Event{Peers: []report.Peer{peer}})
		case <-timer.C:
		}
		next, err := a.Step(ctx, time.Now())
		if err != nil {
			return err
		}
		timer.Reset(time.Until(next))
	}
}

// Step does what is due at now and returns when the next thing is due. An
// error means that the agent's own state cannot be kept, which is no passing
// trouble; a server that is away is none.
func (a *Agent) Step(ctx context.Context, now time.Time) (time.Time, error) {
	sample, full, each := a.schedule()
	if a.nextReport.IsZero() {
		a.nextReport, a.nextFull, a.nextSample = now, now, now.Add(sample)
	}
	if !now.Before(a.nextReport) {
		isFull := !now.Before(a.nextFull)
		r := a.options.Source.Collect(ctx, now, isFull)
		if ctx.Err() != nil {
			return now, nil // cut off half way: it would look like a loss
		}
		if err := a.take(now, r, isFull); err != nil {
			return now, err
		}
		if isFull {
			a.nextFull = a.phase(now, full)
		}
		a.nextReport = a.phase(now, each)
		a.nextSample = now.Add(sample)
		if err := a.hand(ctx, now); err != nil {
			return now, err
		}
		if a.options.Rest != nil {
			a.options.Rest()
		}
	}
	if !now.Before(a.nextSample) {
		a.options.Source.Sample(ctx, now)
		a.nextSample = now.Add(sample)
	}
	if !a.spool.empty() && !now.Before(a.nextSend) {
		if err := a.drain(ctx, now); err != nil {
			return now, err
		}
	}
	next := a.nextReport
	if a.nextSample.Before(next) {
		next = a.nextSample
	}
	if !a.spool.empty() && a.nextSend.Before(next) {
		next = a.nextSend
	}
	return next, nil
}

// phase returns the next instant that is this agent's own: a fleet that was
// started at one moment does not report at one moment. The first interval may
// so be as short as half of one.
func (a *Agent) phase(now time.Time, interval time.Duration) time.Time {
	var hash uint64 = 14695981039346656037
	for _, c := range []byte(a.id.AgentID) {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	offset := time.Duration(hash % uint64(interval))
	next := now.Truncate(interval).Add(offset)
	for !next.After(now.Add(interval / 2)) {
		next = next.Add(interval)
	}
	return next
}

// take compares a round with the one before and remembers it.
func (a *Agent) take(now time.Time, r report.Report, full bool) error {
	r.Agent = a.self()
	a.steadyBoot(&r)
	changed := false
	if a.last != nil {
		// What is switched off or hidden has not gone; Diff knows.
		found := Diff(*a.last, r, now)
		changed = len(found) > 0
		a.changes = append(a.changes, found...)
	}
	hashes, err := r.Hashes(a.last, a.hashes)
	if err != nil {
		return err
	}
	a.hashes = hashes
	if full {
		// What was refused may pass by now; once per full round is enough to see.
		clear(a.rejected)
	}
	if full || changed || a.last == nil {
		if err := a.dir.saveReport(r); err != nil {
			return err
		}
	}
	a.last = &r
	return nil
}

func (a *Agent) self() report.Agent {
	s := a.options.Self
	return report.Agent{
		ID: a.id.AgentID, Version: s.Version, BootID: s.BootID, Sequence: a.id.Sequence, StartedAt: s.StartedAt.UTC(),
		User: s.User, Capabilities: s.Capabilities, SpoolDropped: a.id.Dropped, Site: s.Site,
	}
}

// steadyBoot keeps the boot time that was first seen in this boot: the kernel
// computes it from the wall clock anew each time, so it wanders with the clock.
func (a *Agent) steadyBoot(r *report.Report) {
	if a.last != nil && a.last.Agent.BootID == r.Agent.BootID && !a.last.Host.BootTime.IsZero() {
		r.Host.BootTime = a.last.Host.BootTime
	}
}

// Notice tells an event at once and has the host looked at soon.
func (a *Agent) Notice(ctx context.Context, now time.Time, event Event) {
	a.changes = append(a.changes, event.Changes...)
	a.peers = append(a.peers, event.Peers...)
	if event.Collect && (a.nextReport.IsZero() || a.nextReport.After(now.Add(settle))) {
		if !a.nextReport.IsZero() {
			a.nextReport = now.Add(settle)
		}
	}
	if len(event.Changes)+len(event.Peers) > 0 && a.hashes != nil {
		if err := a.hand(ctx, now); err != nil {
			a.log.Error("cannot tell what is happening", "error", err)
		}
	}
}

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
	dropped, err := a.spool.put(a.id.Sequence, body)
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
	a.id.Sequence++
	if err := a.dir.saveIdentity(a.id); err != nil {
		return nil, nil, err
	}
	// What the agent may do stands in its section; here it would be a third of
	// an envelope that says nothing new.
	self := a.self()
	self.Capabilities = nil
	e := report.Envelope{Agent: self, TakenAt: now.UTC(), Sections: make(map[string]report.Section, len(a.hashes)), Changes: a.changes, Peers: a.peers}
	for name, hash := range a.hashes {
		e.Sections[name] = report.Section{Hash: hash, Problems: a.last.Problems[name]}
		if a.queued[name] == hash {
			continue
		}
		if e.Sections[name], err = a.last.Section(name); err != nil {
			return nil, nil, err
		}
		a.queued[name] = hash
		names = append(names, name)
	}
	if len(a.changes)+len(a.peers) > 0 {
		names = append(names, "")
	}
	sort.Strings(names)
	body, err = compress(e)
	if err != nil {
		return nil, nil, err
	}
	a.changes, a.peers = nil, nil
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

// reschedule brings the next rounds forward where the schedule became tighter.
func (a *Agent) reschedule(now time.Time) {
	sample, full, each := a.schedule()
	for _, due := range []struct {
		at       *time.Time
		interval time.Duration
	}{{&a.nextSample, sample}, {&a.nextReport, each}, {&a.nextFull, full}} {
		if due.at.Sub(now) > due.interval+due.interval/2 {
			*due.at = a.phase(now, due.interval)
		}
	}
}

// fork makes this agent another one: the server has seen two machines under
// its id, which was copied with the disk.
func (a *Agent) fork(ctx context.Context, now time.Time) error {
	old := a.id.AgentID
	a.id = identity{AgentID: a.options.NewID(), Schedule: a.id.Schedule}
	a.log.Warn("another machine uses this agent's id (a copied disk?): going on as a new agent", "old_id", old, "new_id", a.id.AgentID)
	if err := a.dir.saveIdentity(a.id); err != nil {
		return err
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
