package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/engine/replay"
	"github.com/watchbill/watchbill/internal/event"
)

// Demo runs a server whose past is a recorded storm: the recording is played
// through the real collector, inventory and engine in minutes of its own time,
// moved so that it ends now. Then the clock is the real one again.
func Demo(ctx context.Context, o Options, recording io.Reader) (err error) {
	events, err := toNow(recording, time.Now())
	if err != nil {
		return err
	}
	c := &stagedClock{at: events[0].At}
	s := newServer(o, c.now)
	defer func() { err = errors.Join(err, s.life.stop()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := s.play(ctx, c, events); err != nil {
		return fmt.Errorf("play the recording: %w", err)
	}
	c.release()
	fmt.Fprintf(o.Out, "%d recorded events of %s were played in %s; press Ctrl-C to end the demonstration\n", len(events), events[len(events)-1].At.Sub(events[0].At).Round(time.Minute), time.Since(began).Round(100*time.Millisecond))
	return s.wait(ctx, nil)
}

// stagedClock stands where it is put, until it is released to the wall clock.
type stagedClock struct {
	mu sync.Mutex
	at time.Time // zero: released
}

func (c *stagedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now()
	}
	return c.at
}

func (c *stagedClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.at) {
		c.at = at
	}
}

func (c *stagedClock) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}

// instants are the times in a recording, wherever they stand. Year 1 means "none".
var instants = regexp.MustCompile(`"(20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}))"`)

// toNow reads a recording and moves all of its times so that it ends at now.
func toNow(recording io.Reader, now time.Time) ([]event.Event, error) {
	var events []event.Event
	for e, err := range replay.Read(recording) {
		if err != nil {
			return nil, err
		}
		switch e.Kind {
		case event.KindCI, event.KindRelation, event.KindChange, event.KindMaintenance, event.KindAlertmanager:
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return nil, errors.New("the recording is empty")
	}
	by := now.Sub(events[len(events)-1].At)
	for i := range events {
		e := &events[i]
		body := instants.ReplaceAllFunc(e.Body, func(m []byte) []byte {
			t, err := time.Parse(time.RFC3339Nano, string(m[1:len(m)-1]))
			if err != nil {
				return m
			}
			return []byte(`"` + t.Add(by).UTC().Format(time.RFC3339Nano) + `"`)
		})
		events[i] = event.Event{At: event.Instant(e.At.Add(by)), Kind: e.Kind, Body: json.RawMessage(body)}
	}
	return events, nil
}

// play feeds events at their times. Deadlines in between come at theirs, as they
// would have in life.
func (s *server) play(ctx context.Context, c *stagedClock, events []event.Event) error {
	for _, e := range events {
		for {
			at, ok := s.engine.NextDeadline()
			if !ok || !at.Before(e.At) {
				break
			}
			c.set(at)
			if _, err := s.journal.Write(ctx, event.NewTick(at)); err != nil {
				return err
			}
			if err := s.engine.CaughtUp(ctx); err != nil {
				return err
			}
		}
		c.set(e.At)
		if err := s.feed(ctx, e); err != nil {
			return err
		}
		if e.Kind != event.KindCI && e.Kind != event.KindRelation {
			if err := s.engine.CaughtUp(ctx); err != nil {
				return err
			}
		}
	}
	return s.engine.CaughtUp(ctx)
}

// feed hands one event to the part that would have met it.
func (s *server) feed(ctx context.Context, e event.Event) error {
	if e.Kind == event.KindAlertmanager {
		_, err := s.collector.Alertmanager(ctx, "demo", collector.Body{Reader: bytes.NewReader(e.Body), Length: int64(len(e.Body))})
		return err
	}
	body, err := e.Payload()
	if err != nil {
		return err
	}
	known := func(r event.Ref) event.Ref {
		if f, ok := s.inventory.Find(r.Class, r.Name); ok {
			return f
		}
		return r
	}
	var line inventory.Line
	switch b := body.(type) {
	case *event.CI:
		attributes := make(cmdb.Attributes, len(b.Attributes))
		for k, v := range b.Attributes {
			attributes[k] = cmdb.Normalize(v)
		}
		line.CI = &inventory.Item{Class: b.Class, Name: b.Name, Attributes: attributes, Labels: b.Labels}
	case *event.Relation:
		line.Relation = &inventory.Link{From: b.From, Type: b.Type, To: b.To, Removed: b.Removed}
	case *event.Change:
		b.CI = known(b.CI)
		return s.fact(ctx, b)
	case *event.Maintenance:
		for i, r := range b.CIs {
			b.CIs[i] = known(r)
		}
		return s.fact(ctx, b)
	}
	bad, err := s.inventory.Import(ctx, []inventory.Line{line}, inventory.SourceImport)
	for _, l := range bad {
		s.log.Warn("a line of the recording was left out", "err", l.Err)
	}
	return err
}

func (s *server) fact(ctx context.Context, b event.Body) error {
	ev, err := event.New(b)
	if err != nil {
		return err
	}
	_, err = s.journal.Write(ctx, ev)
	return err
}
