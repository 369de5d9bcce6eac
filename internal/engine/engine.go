// Package engine is the one writer of incidents, problems and alerts. Its shell
// tails the journal, steps the fold, and commits position, records and outbox
// rows in one transaction; it answers commands at their position and journals
// ticks when deadlines are due. All decisions are the fold's.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// Options of an engine.
type Options struct {
	DB      store.DB
	Journal *journal.Journal
	Rules   fold.Rules
	Version string // of the program, for the start event
	Logger  *slog.Logger
	Now     func() time.Time
	// SnapshotEvery is the least time between snapshots; 0 means a minute.
	SnapshotEvery time.Duration
}

// Engine is the shell around one fold.State. Methods are safe for concurrent use.
type Engine struct {
	o       Options
	records *Records
	log     *slog.Logger

	mu      sync.RWMutex // guards what follows: only stepping writes
	state   *fold.State
	stepped uint64 // the state holds everything up to here

	// Read without the lock: whoever receives asks for them with each body.
	position atomic.Uint64 // this much is committed
	lastSnap atomic.Uint64 // position that the newest snapshot covers

	snapMu   sync.Mutex        // guards what follows
	pages    map[string]uint64 // snapshot page → position of its newest version
	snap     *snapshot         // encoded and not written yet
	snapTook time.Duration
	snapAt   time.Time

	waitMu  sync.Mutex
	waiting map[uint64]chan fold.Answer
	moved   chan struct{} // closed and replaced when position moves

	counted counted
	hub     *hub
}

// Open loads the newest snapshot and steps on to the committed position,
// discarding effects: what is committed is never decided again. It fails where
// that does not lead to what was committed.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = time.Minute
	}
	e := &Engine{o: o, records: NewRecords(o.DB), log: o.Logger, waiting: map[uint64]chan fold.Answer{}, pages: map[string]uint64{}, moved: make(chan struct{}), hub: newHub(), snapAt: o.Now()}
	if err := e.load(ctx); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	return e, nil
}

// Records returns the reader of what the engine wrote.
func (e *Engine) Records() *Records { return e.records }

// Start journals that the server listens from now on, and the rules where they
// differ from those in force. The start comes first: any event before it would work
// off the deadlines that passed while the server was down. Call it once, before Run
// and before anything is received.
func (e *Engine) Start(ctx context.Context) error {
	ev, err := event.New(&event.Start{Version: e.o.Version})
	if err != nil {
		return err
	}
	if _, err := e.o.Journal.Write(ctx, ev); err != nil {
		return err
	}
	return e.Reload(ctx, e.o.Rules)
}

// Reload journals rules where they differ from those in force.
func (e *Engine) Reload(ctx context.Context, rules fold.Rules) error {
	if err := rules.Validate(); err != nil {
		return err
	}
	raw, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("encode rules: %w", err)
	}
	e.mu.Lock()
	// The first rules are always journaled: an export must carry what it was decided by.
	same := e.stepped > 0 && string(e.state.RulesJSON()) == string(raw)
	e.mu.Unlock()
	if same {
		return nil
	}
	ev, err := event.New(&event.Config{Rules: raw})
	if err != nil {
		return err
	}
	_, err = e.o.Journal.Write(ctx, ev)
	return err
}

// batch bounds how many events one commit takes, and with it a command's wait.
const batch = 64

// Run works until ctx ends, then writes a last snapshot. An error means that the
// engine can go on no more. While one batch is being committed the next is
// stepped: a commit waits for the disk, a step for nothing.
func (e *Engine) Run(ctx context.Context) error {
	work := make(chan stepped, 1)
	failed := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for w := range work {
			// A batch that was stepped is committed even when ctx ends: its answers are waited for.
			if err := e.finish(ctx, w); err != nil {
				failed <- err
				for range work { // nothing after it may be committed
				}
				return
			}
		}
	}()
	err := e.loop(ctx, work, failed)
	close(work)
	<-done
	if err == nil {
		select {
		case err = <-failed:
		default:
			err = e.lastSnapshot(context.WithoutCancel(ctx))
		}
	}
	if errors.Is(err, errLeft) {
		err = nil
	}
	return err
}

// stopSnapshot is how long a stop may take for its snapshot. Without one the next start
// steps on from an older one, which takes it longer.
const stopSnapshot = 15 * time.Second

func (e *Engine) lastSnapshot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopSnapshot)
	defer cancel()
	err := e.Snapshot(ctx)
	if errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) == fault.Unavailable {
		e.log.Warn("the last snapshot could not be written; the next start takes longer, and an upgrade wants a clean stop first", "err", err)
		return nil
	}
	return err
}

// errLeft says that stepped batches were not committed because the server stops while
// nothing can be written. They are in the journal, and are decided again.
var errLeft = errors.New("decisions were left to the next start")

// stepped is a batch whose effects wait to be committed.
type stepped struct {
	effects []fold.Effect
	mark    committed
	barrier chan struct{} // closed when everything before it is committed
}

func (e *Engine) loop(ctx context.Context, work chan<- stepped, failed chan error) error {
	var writing chan error // of the snapshot that is being written, nil while none is
	for ctx.Err() == nil {
		select {
		case err := <-writing:
			if writing = nil; err != nil && ctx.Err() == nil {
				if fault.KindOf(err) != fault.Unavailable {
					return err
				}
				e.log.Warn("a snapshot could not be written; it is tried again", "err", err)
			}
		default:
		}
		e.mu.RLock()
		after := e.stepped
		e.mu.RUnlock()
		events, err := e.o.Journal.Read(ctx, after, batch)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: what was not read is read at the next start
		}
		if err != nil {
			return err
		}
		if len(events) == 0 {
			e.idle(ctx, after)
			continue
		}
		w := e.step(events)
		select {
		case work <- w:
		case err := <-failed:
			return err
		}
		if writing == nil && e.snapshotDue() {
			barrier := make(chan struct{})
			work <- stepped{barrier: barrier}
			select {
			case <-barrier:
			case err := <-failed:
				return err
			}
			writing = make(chan error, 1)
			if err := e.beginSnapshot(ctx, writing); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAgain is how long the engine waits at most before it looks at the time again:
// the clock may be set while it waits.
const lookAgain = 10 * time.Second

// idle waits for an event or the next deadline, for which it journals a tick.
func (e *Engine) idle(ctx context.Context, after uint64) {
	e.mu.Lock()
	at, ok := e.state.NextDeadline()
	e.mu.Unlock()
	wait := lookAgain
	if ok {
		wait = min(wait, at.Sub(e.o.Journal.Now()))
	}
	if ok && wait <= 0 {
		if _, err := e.o.Journal.Write(ctx, event.Event{Kind: event.KindTick, Body: json.RawMessage("{}")}); err != nil && ctx.Err() == nil {
			e.log.Error("could not journal a tick", "err", err)
			sleep(ctx, time.Second)
		}
		return
	}
	wctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_ = e.o.Journal.Wait(wctx, after) // the loop looks for itself
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// step applies events to the state.
func (e *Engine) step(events []event.Event) stepped {
	e.mu.Lock()
	defer e.mu.Unlock()
	var w stepped
	for _, ev := range events {
		w.effects = append(w.effects, e.state.Step(ev)...)
	}
	e.stepped = events[len(events)-1].Position
	w.mark = committed{Position: e.stepped, Version: fold.Version, Digest: e.state.Digest()}
	return w
}

// finish commits a stepped batch and tells who waits for it.
func (e *Engine) finish(ctx context.Context, w stepped) error {
	if w.barrier != nil {
		close(w.barrier)
		return nil
	}
	if err := e.commitPatiently(ctx, w); err != nil {
		return fmt.Errorf("commit the decisions up to position %d: %w", w.mark.Position, err)
	}
	e.position.Store(w.mark.Position)
	e.publish(w.effects)
	return nil
}

// commitAgain is how long a commit waits for room on the disk before it is tried again.
const commitAgain = 500 * time.Millisecond

// commitPatiently commits a batch, and waits while the disk has no room: the facts are
// in the journal, and nobody else may decide them.
func (e *Engine) commitPatiently(ctx context.Context, w stepped) error {
	effects, told := coalesce(w.effects), false
	for {
		err := e.commit(context.WithoutCancel(ctx), effects, &w.mark)
		if err == nil && told {
			e.log.Info("decisions are committed again")
		}
		if fault.KindOf(err) != fault.Unavailable || err == nil {
			return err
		}
		if ctx.Err() != nil {
			e.log.Warn("decisions could not be committed and are made again at the next start", "position", w.mark.Position, "err", err)
			return errLeft
		}
		if !told {
			e.log.Error("decisions wait to be committed", "position", w.mark.Position, "err", err)
			told = true
		}
		sleep(ctx, commitAgain)
	}
}

// commitMost is how many effects go into one transaction. More come first in
// transactions of their own, without the position: puts are idempotent, so a crash
// in between only repeats them.
// The number is small because the collector's appends wait behind each.
const commitMost = 250

func (e *Engine) commit(ctx context.Context, effects []fold.Effect, mark *committed) error {
	for len(effects) > commitMost {
		if err := e.commitChunk(ctx, effects[:commitMost], nil); err != nil {
			return err
		}
		effects = effects[commitMost:]
	}
	return e.commitChunk(ctx, effects, mark)
}

func (e *Engine) commitChunk(ctx context.Context, effects []fold.Effect, mark *committed) error {
	ready, err := e.records.prepare(effects)
	if err != nil {
		return err
	}
	snapshot := e.lastSnap.Load()
	err = e.o.DB.Update(ctx, func(tx store.Tx) error {
		for _, f := range ready {
			if err := e.records.write(tx, f); err != nil {
				return err
			}
		}
		if mark == nil {
			return nil
		}
		end, err := journal.EndOf(tx)
		if err != nil {
			return err
		}
		if err := checkMarks(end, mark.Position, snapshot); err != nil {
			return err
		}
		return putCommitted(tx, *mark)
	})
	if errors.Is(err, store.ErrTooLarge) && len(effects) > 1 {
		half := len(effects) / 2
		if err := e.commitChunk(ctx, effects[:half], nil); err != nil {
			return err
		}
		return e.commitChunk(ctx, effects[half:], mark)
	}
	return err
}

// publish answers waiting commands and tells the stream what changed.
func (e *Engine) publish(effects []fold.Effect) {
	var changes []Change
	for _, f := range effects {
		switch b := f.Body.(type) {
		case fold.Answer:
			e.waitMu.Lock()
			ch := e.waiting[f.Cause]
			delete(e.waiting, f.Cause)
			e.waitMu.Unlock()
			if ch != nil {
				ch <- b
			}
		case fold.Unreadable:
			e.log.Error("an event in the journal could not be read and was passed over", "position", f.Cause, "kind", b.Kind, "err", b.Err)
		case fold.PutIncident:
			changes = append(changes, Change{f.Cause, "incident", b.Incident.ID})
		case fold.PutProblem:
			changes = append(changes, Change{f.Cause, "problem", b.Problem.ID})
		case fold.PutMaintenance:
			changes = append(changes, Change{f.Cause, "maintenance", b.Maintenance.ID})
		case fold.PutAlert:
			changes = append(changes, Change{f.Cause, "alert", b.Alert.ID})
		}
	}
	for _, f := range effects {
		e.hub.effect(f)
	}
	e.hub.publish(changes)
	e.waitMu.Lock()
	close(e.moved)
	e.moved = make(chan struct{})
	e.waitMu.Unlock()
}

// Position returns the newest committed position.
func (e *Engine) Position() uint64 { return e.position.Load() }

// NextDeadline returns when something is due without an event, if anything is.
func (e *Engine) NextDeadline() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.NextDeadline()
}

// Lag returns how many events are journaled and not yet decided.
func (e *Engine) Lag() uint64 {
	end, _ := e.o.Journal.End()
	if pos := e.Position(); end > pos {
		return end - pos
	}
	return 0
}

// CaughtUp waits until everything journaled before the call is decided and committed.
func (e *Engine) CaughtUp(ctx context.Context) error {
	end, _ := e.o.Journal.End()
	for {
		e.waitMu.Lock()
		moved := e.moved
		e.waitMu.Unlock()
		if e.Position() >= end {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Outcome of a command.
type Outcome struct {
	Position uint64
	Record   string
	Result   json.RawMessage
}

// Submit journals a command and waits until its position is committed. A refusal
// is returned as its fault. When ctx ends first the command still takes effect:
// the error says so.
func (e *Engine) Submit(ctx context.Context, c event.Command) (Outcome, error) {
	ev, err := event.New(&c)
	if err != nil {
		return Outcome{}, err
	}
	answer := make(chan fold.Answer, 1)
	var pos uint64
	err = e.o.DB.Update(ctx, func(tx store.Tx) error {
		// Registered before the journal shows the event to the engine, or the answer could come first.
		tx.OnCommit(func() {
			e.waitMu.Lock()
			e.waiting[pos] = answer
			e.waitMu.Unlock()
		})
		out, err := e.o.Journal.Append(tx, ev)
		if err == nil {
			pos = out[0].Position
		}
		return err
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("journal the command: %w", err)
	}
	select {
	case a := <-answer:
		if a.Err != nil {
			return Outcome{Position: pos, Record: a.Record}, a.Err
		}
		return Outcome{pos, a.Record, a.Result}, nil
	case <-ctx.Done():
		e.waitMu.Lock()
		delete(e.waiting, pos)
		e.waitMu.Unlock()
		return Outcome{Position: pos}, fault.Unavailablef("the command was accepted at position %d and takes effect, but its outcome did not come in time: read the record", pos)
	}
}

// Rules returns the rules in force.
func (e *Engine) Rules() fold.Rules {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.state.Rules()
}

// Unresolved lists what the rules name and is not there.
func (e *Engine) Unresolved() []itsm.Unresolved {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.Unresolved()
}

// Outages lists the outages of services that are under way or can be corrected, newest first.
func (e *Engine) Outages() []itsm.Outage {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.Outages()
}

// Meant is what a reference leads to.
type Meant struct {
	Ref    string   `json:"ref"`
	ID     string   `json:"id,omitempty"`
	Others []string `json:"others,omitempty"` // ids of the items that go by it, where there are several
	Near   []string `json:"near,omitempty"`   // what may have been meant, where there is none
}

// Resolve says which items references name, as the engine resolves them.
func (e *Engine) Resolve(refs []string) []Meant {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Meant, len(refs))
	for n, ref := range refs {
		id, others, near := e.state.Resolve(ref)
		out[n] = Meant{ref, id, others, near}
	}
	return out
}

// Status is what the engine's metrics show.
type Status struct {
	Position, Snapshot uint64
	Received, Released uint64
	Fates              map[correlator.Fate]uint64
	Open               map[[2]string]int // (state, priority) → incidents
	OldestOpen         time.Time
	Problems           map[itsm.ProblemState]int
	Correlator         correlator.Gauges
}

// countShare bounds the share of time in which the state is counted, during which nothing
// is stepped: a count of countLarge alerts and more is good for so many times of what it
// took. Fewer are counted within milliseconds, always anew.
const (
	countShare = 20
	countLarge = 5000
)

// counted is the newest count of the state.
type counted struct {
	mu       sync.Mutex // one counts, and the others take the same
	status   Status     // its maps are read only
	position uint64     // what was stepped when it was counted
	known    bool
	at       time.Time
	took     time.Duration
}

// Status counts what is held. While the state changes, the counts of a large one may be
// some seconds old; the counters of what was received, Position and Snapshot are of now.
// The maps are shared: nobody changes them.
func (e *Engine) Status() Status {
	c := &e.counted
	c.mu.Lock()
	defer c.mu.Unlock()
	e.mu.RLock()
	began := time.Now() // of the machine: it spaces counts and decides nothing
	young := c.status.Correlator.Total >= countLarge && began.Sub(c.at) < countShare*c.took
	if !c.known || c.position != e.stepped && !young {
		var st Status
		st.Open, st.OldestOpen, st.Correlator = e.state.Gauges()
		st.Problems = e.state.Problems()
		c.status, c.position, c.known = st, e.stepped, true
		c.at = time.Now()
		c.took = c.at.Sub(began)
	}
	st := c.status
	st.Received, st.Fates, st.Released = e.state.Fates()
	e.mu.RUnlock()
	st.Position, st.Snapshot = e.position.Load(), e.lastSnap.Load()
	return st
}
