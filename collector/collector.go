// Package collector turns what senders post into journaled facts. It translates
// and makes durable, and answers 200 only then; it decides nothing about
// grouping, and refuses work that it could not keep.
package collector

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// Journal is where facts become durable: Write returns when they are synced.
type Journal interface {
	Write(ctx context.Context, events ...event.Event) ([]event.Event, error)
}

// Quarantine keeps what could not be read, for people to look at.
type Quarantine interface {
	Quarantine(ctx context.Context, at time.Time, source, reason string, raw []byte) error
}

// Options of a collector.
type Options struct {
	Journal    Journal
	Quarantine Quarantine
	// Lag returns how many journaled events are not decided yet.
	Lag func() uint64
	// Room returns an error while free disk space is below the watermark.
	Room func() error
	Now  func() time.Time
	// Find names an item of the inventory by class and name; nil leaves names as
	// they came. The engine knows items by id only: a change under another name
	// would stand beside its item.
	Find func(class, name string) (event.Ref, bool)
	// MaxBody bounds one body in bytes, unpacked; 0 means 32 MiB.
	MaxBody int64
	// MaxLag is the backlog of undecided events above which it refuses; 0 means 2000.
	MaxLag uint64
	// MaxInFlight bounds the bytes of bodies being worked on; 0 means 128 MiB.
	MaxInFlight int64
	Logger      *slog.Logger
}

// Collector accepts bodies. It is safe for concurrent use.
type Collector struct {
	o        Options
	inFlight atomic.Int64
	stats    Stats
}

// Stats count requests by outcome. They are atomic: read them at any time.
type Stats struct {
	Accepted, Refused, Overloaded, NoRoom, Failed atomic.Uint64
	Bytes                                         atomic.Uint64
}

// New makes a collector.
func New(o Options) *Collector {
	if o.MaxBody == 0 {
		o.MaxBody = 32 << 20
	}
	if o.MaxLag == 0 {
		o.MaxLag = 2000
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 128 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Collector{o: o}
}

// Stats returns the counters.
func (c *Collector) Stats() *Stats { return &c.stats }

// Body is one posted body as HTTP brings it.
type Body struct {
	Reader   io.Reader
	Length   int64  // Content-Length, -1 when unknown
	Encoding string // Content-Encoding
}

// Alertmanager accepts one webhook body of source, the id of the ingest token
// that came with it. It returns how many alert objects the body held once they
// are synced. Errors: Invalid, the body is useless (kept in quarantine and not
// counted); Unavailable, try again, for Alertmanager retries 5xx only.
func (c *Collector) Alertmanager(ctx context.Context, source string, b Body) (int, error) {
	raw, err := c.read(ctx, b)
	if err != nil {
		return 0, err
	}
	defer c.inFlight.Add(-int64(cap(raw)))
	n, err := event.DecodeNotification(raw)
	if err != nil {
		c.refuse(ctx, source, err, raw)
		return 0, err
	}
	if err := c.journal(ctx, event.NewNotification(source, n)); err != nil {
		return 0, err
	}
	c.stats.Bytes.Add(uint64(len(raw)))
	return n.Received(), nil
}

// Changes accepts change events: one object or an array of them. All are
// journaled or, where one is wrong, none: a sender can mend and repeat the whole.
func (c *Collector) Changes(ctx context.Context, source string, b Body) (int, error) {
	raw, err := c.read(ctx, b)
	if err != nil {
		return 0, err
	}
	defer c.inFlight.Add(-int64(cap(raw)))
	var list []event.Change
	if t := strings.TrimSpace(string(raw)); strings.HasPrefix(t, "[") {
		err = strict(t, &list)
	} else {
		list = make([]event.Change, 1)
		err = strict(t, &list[0])
	}
	if err != nil {
		return 0, fault.Invalidf("body", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	events := make([]event.Event, len(list))
	for i := range list {
		ch := &list[i]
		at := fmt.Sprintf("[%d]", i)
		if ch.CI.ID == "" && (ch.CI.Class == "" || ch.CI.Name == "") {
			return 0, fault.Invalidf(at+".ci", "name the item by id, or by class and name")
		}
		if ch.Type == "" {
			return 0, fault.Invalidf(at+".type", "is missing: say what kind of change it is, e.g. deployed")
		}
		if ch.CI.ID == "" && c.o.Find != nil {
			if ref, ok := c.o.Find(ch.CI.Class, ch.CI.Name); ok {
				ch.CI = ref
			}
		}
		if ch.Summary == "" {
			ch.Summary = ch.Type + " " + ch.CI.Name
		}
		if events[i], err = event.New(ch); err != nil {
			return 0, err
		}
		events[i].Source = source
	}
	if len(events) == 0 {
		return 0, nil
	}
	return len(events), c.journal(ctx, events...)
}

func strict(s string, into any) error {
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// read takes the body in, if there is room for it. It refuses early: before the
// body is read where its length is told.
func (c *Collector) read(ctx context.Context, b Body) ([]byte, error) {
	if err := c.o.Room(); err != nil {
		c.stats.NoRoom.Add(1)
		return nil, fault.Unavailablef("%v: free space on the server's disk; Alertmanager will try again", err)
	}
	if lag := c.o.Lag(); lag > c.o.MaxLag {
		c.stats.Overloaded.Add(1)
		return nil, fault.Unavailablef("overloaded: %d events wait to be decided; try again", lag)
	}
	if b.Length > c.o.MaxBody {
		c.stats.Refused.Add(1)
		return nil, fault.Invalidf("body", "is %d bytes, the most is %d: lower max_alerts in the receiver", b.Length, c.o.MaxBody)
	}
	if c.inFlight.Load()+max(b.Length, 0) > c.o.MaxInFlight {
		c.stats.Overloaded.Add(1)
		return nil, fault.Unavailablef("overloaded: too many bodies at once; try again")
	}
	r := b.Reader
	switch strings.ToLower(b.Encoding) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			c.stats.Refused.Add(1)
			return nil, fault.Invalidf("Content-Encoding", "says gzip, but the body is not: %v", err)
		}
		r = z
	default:
		c.stats.Refused.Add(1)
		return nil, fault.Invalidf("Content-Encoding", "want gzip or none, got %q", b.Encoding)
	}
	raw, err := readAll(io.LimitReader(r, c.o.MaxBody+1), b.Length)
	if err != nil {
		c.stats.Failed.Add(1)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Invalidf("body", "broke off: %v", err)
	}
	if int64(len(raw)) > c.o.MaxBody {
		c.stats.Refused.Add(1)
		return nil, fault.Invalidf("body", "is larger than %d bytes: lower max_alerts in the receiver", c.o.MaxBody)
	}
	c.inFlight.Add(int64(cap(raw)))
	return raw, nil
}

// readAll is io.ReadAll with one allocation where the length is told.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length <= 0 {
		return io.ReadAll(r)
	}
	buf := make([]byte, 0, length+1) // one more byte, so that the end is seen without growing
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func (c *Collector) journal(ctx context.Context, events ...event.Event) error {
	if _, err := c.o.Journal.Write(ctx, events...); err != nil {
		c.stats.Failed.Add(1)
		if ctx.Err() != nil {
			return fault.Unavailablef("the request ended before the alerts were kept")
		}
		c.o.Logger.Error("alerts could not be journaled; their sender was told to try again", "err", err)
		return fault.Unavailablef("the alerts could not be kept: try again")
	}
	c.stats.Accepted.Add(1)
	return nil
}

func (c *Collector) refuse(ctx context.Context, source string, why error, raw []byte) {
	c.stats.Refused.Add(1)
	reason := fault.Public(why).Error()
	c.o.Logger.Warn("a webhook body could not be read and is in quarantine", "source", source, "reason", reason, "bytes", len(raw))
	if err := c.o.Quarantine.Quarantine(ctx, c.o.Now(), source, reason, raw); err != nil {
		c.o.Logger.Error("an unreadable body could not be kept in quarantine", "source", source, "err", err)
	}
}
