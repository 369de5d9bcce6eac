// Package agent is the loop that discovers one host and tells the server: when
// to look, what has changed, what to send, and what to do while the server is
// away. It owns the agent's identity, its spool and its schedule; it refuses
// to know how a fact is found (agent/probe) and what becomes of it on the
// server (cmdb/inventory).
package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
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
	// Events wake the loop; nil for none.
	Events <-chan Event
	// GoingDown says whether the host itself is being shut down; nil for never.
	GoingDown func() bool
	// Forked is called with the agent's new id when the server has made it another
	// agent; nil for nothing.
	Forked func(id string)
	// Rest is called before the loop idles, after a report or a sample; nil for nothing.
	Rest func(report bool)
}

// Self is what the agent says about its own program and run.
type Self struct {
	Version      string
	BootID       string
	User         string
	Capabilities []string
	StartedAt    time.Time
	Site         string // of its mesh, "" for none
	// Prove shows that the agent with an id holds its site's key; nil without a mesh.
	Prove func(agentID string) (key, proof string)
}

// DefaultSchedule samples sockets twice a minute (a closed connection stays
// visible for one), reports once a minute and looks at what is slow to find four
// times a day. A server hands out the same unless it is configured otherwise.
func DefaultSchedule() report.Schedule {
	return report.Schedule{SampleSeconds: 30, ReportSeconds: 60, FullSeconds: 6 * 3600}
}

const (
	defaultSpoolBytes = 16 << 20
	settle            = 10 * time.Second // after an event, before the host is looked at
	firstBackoff      = 5 * time.Second
	longestBackoff    = 5 * time.Minute
	farewell          = 2 * time.Second // for the last word before the host goes down
	// sequenceBlock is how many sequence numbers are taken at a time: a number must
	// not be used twice, but a synced write each minute only for that is too much. A
	// start goes on behind the block.
	sequenceBlock = 64
)

// Agent is one host's agent. Its methods are not safe for concurrent use, but for
// what a Herald asks of it.
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
	sequence uint64 // of the newest envelope; what is kept on disk is never less

	nextSample, nextReport, nextFull, nextSend time.Time
	failures                                   int
	changes                                    []report.Change // not yet in an envelope
	quiet                                      bool            // the server's absence was logged

	proof struct{ of, key, text string } // of membership, for the agent id it is of

	voice atomic.Pointer[voice] // as what a herald may speak; nil before the first report was taken
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
		sequence: id.Sequence, queued: make(map[string]string), rejected: make(map[string]bool),
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
			return now, nil //nolint:nilerr // cut off half way: it would look like a loss
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
		a.rest(true)
	}
	if !now.Before(a.nextSample) {
		a.options.Source.Sample(ctx, now)
		a.nextSample = now.Add(sample)
		a.rest(false)
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

func (a *Agent) rest(report bool) {
	if a.options.Rest != nil {
		a.options.Rest(report)
	}
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
	if a.last != nil && !sameMachine(*a.last, r) {
		a.log.Warn("the hardware is another than at the last report (a copied or moved disk?): what differs is not told as changes")
		a.last, a.hashes = nil, nil
	}
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
		if err := a.dir.saveReport(r, a.last == nil || !sameList(a.last.Packages, r.Packages)); err != nil {
			return err
		}
	}
	a.last = &r
	return nil
}

func (a *Agent) self() report.Agent {
	s := a.options.Self
	out := report.Agent{
		ID: a.id.AgentID, Version: s.Version, BootID: s.BootID, Sequence: a.sequence, StartedAt: s.StartedAt.UTC(),
		User: s.User, Capabilities: s.Capabilities, SpoolDropped: a.id.Dropped, Site: s.Site,
	}
	if s.Prove != nil {
		if a.proof.of != out.ID { // it changes with the id only
			a.proof.of = out.ID
			a.proof.key, a.proof.text = s.Prove(out.ID)
		}
		out.SiteKey, out.SiteProof = a.proof.key, a.proof.text
	}
	return out
}

// sameMachine says whether two rounds can be of one machine. A disk that was copied, or
// put into another one, brings the last round with it: that the other is another is no
// reboot and no change. Only what differs in both firmware and network speaks against.
func sameMachine(before, after report.Report) bool {
	if a, b := before.Host.ProductUUID, after.Host.ProductUUID; a == "" || b == "" || a == b {
		return true
	}
	had, both := 0, 0
	for _, i := range before.Interfaces {
		if i.PermanentMAC == "" {
			continue
		}
		had++
		if slices.ContainsFunc(after.Interfaces, func(j report.Interface) bool { return j.PermanentMAC == i.PermanentMAC }) {
			both++
		}
	}
	return had == 0 || both > 0
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
	if event.Collect && (a.nextReport.IsZero() || a.nextReport.After(now.Add(settle))) {
		if !a.nextReport.IsZero() {
			a.nextReport = now.Add(settle)
		}
	}
	if len(event.Changes) > 0 && a.hashes != nil {
		if err := a.hand(ctx, now); err != nil {
			a.log.Error("cannot tell what is happening", "error", err)
		}
	}
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
