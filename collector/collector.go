// Package collector turns what senders post into journaled facts. It translates
// and makes durable, and answers 200 only then; it decides nothing about
// grouping, and refuses work that it could not keep.
package collector

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/internal/budget"
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
	// Items keeps changes with the item that they are about; nil journals them under
	// the names that they came with.
	Items  Items
	Limits Limits
	// MaxInFlight bounds the bytes of bodies being worked on; 0 means 128 MiB.
	MaxInFlight int64
	Logger      *slog.Logger
}

// Limits are what a reload of the configuration can change.
type Limits struct {
	// MaxBody bounds one body in bytes, unpacked; 0 means 32 MiB.
	MaxBody int64
	// MaxLag is the backlog of undecided events above which it refuses; 0 means 2000.
	MaxLag uint64
}

// Collector accepts bodies. It is safe for concurrent use.
type Collector struct {
	o        Options
	limits   atomic.Pointer[Limits]
	inFlight *budget.Budget
	stats    *Stats
	tell     *teller
}

// New makes a collector.
func New(o Options) *Collector {
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 128 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{o: o, inFlight: budget.New(o.MaxInFlight, o.MaxInFlight), stats: newStats(), tell: newTeller(o.Logger, o.Now)}
	c.Limit(o.Limits)
	return c
}

// Limit puts other limits into force for bodies that come from now on.
func (c *Collector) Limit(l Limits) {
	if l.MaxBody == 0 {
		l.MaxBody = 32 << 20
	}
	if l.MaxLag == 0 {
		l.MaxLag = 2000
	}
	c.limits.Store(&l)
	// A sender that sends slowly, or never ends, leaves room for the others. A body
	// takes nearly twice its size while its buffer grows.
	c.inFlight.Resize(max(c.o.MaxInFlight, 4*l.MaxBody), max(c.o.MaxInFlight/2, 2*l.MaxBody))
}

// Stats returns the counters.
func (c *Collector) Stats() *Stats { return c.stats }

func (c *Collector) count(receiver string, r Result) { c.stats.counts[receiver][r].Add(1) }

// Body is one posted body as HTTP brings it.
type Body struct {
	Reader   io.Reader
	Length   int64  // Content-Length, -1 when unknown
	Encoding string // Content-Encoding
}

// Taken says what a webhook body held: alerts that are taken, and objects that
// could not be read and went into quarantine.
type Taken struct{ Accepted, Quarantined int }

// Oversized is the refusal of a body that is larger than what is taken.
type Oversized struct{ Most int64 }

func (o *Oversized) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes: lower max_alerts in the receiver, or raise ingest.max_body_mib", o.Most)
}

// Alertmanager accepts one webhook body of source, the id of the ingest token
// that came with it. It returns what the body held once it is synced. Errors:
// *Oversized and Invalid, the body is useless (its begin is kept in quarantine, and
// it is not counted as received); Unavailable, try again, for Alertmanager retries
// 5xx only.
func (c *Collector) Alertmanager(ctx context.Context, source string, b Body) (Taken, error) {
	return c.webhook(ctx, "alertmanager", source, b)
}

// Grafana accepts a webhook body of Grafana's own alerting: the same with more fields.
func (c *Collector) Grafana(ctx context.Context, source string, b Body) (Taken, error) {
	return c.webhook(ctx, "grafana", source, b)
}

func (c *Collector) webhook(ctx context.Context, receiver, source string, b Body) (Taken, error) {
	share := c.inFlight.Share(source)
	defer share.Close()
	raw, err := c.read(ctx, receiver, source, b, share)
	if err != nil {
		return Taken{}, err
	}
	n, err := event.DecodeNotification(raw)
	if err != nil {
		c.refuse(ctx, receiver, source, Invalid, err, raw)
		return Taken{}, err
	}
	if err := c.journal(ctx, receiver, event.NewNotification(source, n)); err != nil {
		return Taken{}, err
	}
	c.stats.bytes.Add(uint64(len(raw)))
	if len(n.Invalid) > 0 {
		c.tell.tell("invalid alerts", source, "alerts of a body could not be read and are in quarantine; their siblings were taken", "alerts", len(n.Invalid), "reason", n.Invalid[0].Reason)
	}
	if n.Truncated > 0 {
		c.tell.tell("truncated", source, "the sender left alerts out of a body: raise or remove max_alerts in its receiver", "alerts", n.Truncated)
	}
	return Taken{len(n.Alerts), len(n.Invalid)}, nil
}

// bodyOverhead is the least that a body takes of the budget.
const bodyOverhead = 64 << 10

// read takes the body in, as far as share has room for it. What is announced takes
// nothing; each part is taken before it is read.
func (c *Collector) read(ctx context.Context, receiver, source string, b Body, share *budget.Share) ([]byte, error) {
	if err := c.o.Room(); err != nil {
		c.count(receiver, NoRoom)
		c.tell.unavailable(string(NoRoom), "alerts are refused: the disk is full; their senders try again", "err", err)
		return nil, fault.Unavailablef("%v: free space on the server's disk; Alertmanager will try again", err)
	}
	limits := c.limits.Load()
	if lag := c.o.Lag(); lag > limits.MaxLag {
		c.overloaded(receiver, "events wait to be decided", "events", lag)
		return nil, fault.Unavailablef("overloaded: %d events wait to be decided; try again", lag)
	}
	if b.Length > limits.MaxBody {
		err := &Oversized{limits.MaxBody}
		c.refuse(ctx, receiver, source, TooLarge, err, begin(b.Reader))
		return nil, err
	}
	if c.inFlight.Used() > c.o.MaxInFlight {
		return nil, c.tooMany(receiver, source)
	}
	r := b.Reader
	switch strings.ToLower(b.Encoding) {
	case "", "identity":
	case "gzip":
		packed := bufio.NewReaderSize(r, quarantineMost)
		if magic, err := packed.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
			why := fault.Invalidf("Content-Encoding", "says gzip, but the body is not")
			c.refuse(ctx, receiver, source, Invalid, why, begin(packed))
			return nil, why
		}
		z, err := gzip.NewReader(packed)
		if err != nil {
			why := fault.Invalidf("Content-Encoding", "says gzip, but the body is not: %v", err)
			c.refuse(ctx, receiver, source, Invalid, why, nil)
			return nil, why
		}
		r = z
	default:
		why := fault.Invalidf("Content-Encoding", "want gzip or none, got %q", b.Encoding)
		c.refuse(ctx, receiver, source, Invalid, why, begin(r))
		return nil, why
	}
	raw, err := readAll(io.LimitReader(r, limits.MaxBody+1), share, int(limits.MaxBody)+1)
	if errors.Is(err, budget.ErrSpent) {
		return nil, c.tooMany(receiver, source)
	}
	if err != nil {
		c.count(receiver, Failed)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Invalidf("body", "broke off: %v", err)
	}
	if int64(len(raw)) > limits.MaxBody {
		err := &Oversized{limits.MaxBody}
		c.refuse(ctx, receiver, source, TooLarge, err, raw[:min(len(raw), quarantineMost)])
		// The answer reaches a sender only that has sent everything: else the connection
		// breaks off under it.
		_, _ = io.Copy(io.Discard, io.LimitReader(b.Reader, limits.MaxBody))
		return nil, err
	}
	return raw, nil
}

func (c *Collector) tooMany(receiver, source string) error {
	c.overloaded(receiver, "too many bodies at once", "source", source, "bytes", c.inFlight.Used())
	return fault.Unavailablef("overloaded: too many bodies at once; try again")
}

func (c *Collector) overloaded(receiver, why string, args ...any) {
	c.count(receiver, Overloaded)
	c.tell.unavailable(string(Overloaded), "alerts are refused: overloaded, "+why+"; their senders try again", args...)
}

// quarantineMost is how much of a refused body is kept for people to look at.
const quarantineMost = 64 << 10

// begin reads what is kept of a body that is refused.
func begin(r io.Reader) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, quarantineMost)) // what came of it
	return b
}

// growSlowly is the size from which a buffer grows by a quarter: two of them are there
// while it grows.
const growSlowly = 4 << 20

// readAll is io.ReadAll within a share: what the buffer grows to is taken before it
// grows, beside the smaller one that it is copied from.
func readAll(r io.Reader, share *budget.Share, most int) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			grown := max(bodyOverhead, 2*cap(buf))
			if cap(buf) > growSlowly {
				grown = cap(buf) + cap(buf)/4
			}
			grown = min(grown, most+1) // one more, so that the end is seen
			if err := share.Take(int64(grown)); err != nil {
				return nil, err
			}
			larger := make([]byte, len(buf), grown)
			copy(larger, buf)
			share.Give(int64(cap(buf)))
			buf = larger
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *Collector) journal(ctx context.Context, receiver string, events ...event.Event) error {
	if _, err := c.o.Journal.Write(ctx, events...); err != nil {
		return c.notKept(ctx, receiver, err)
	}
	c.count(receiver, Accepted)
	c.tell.taken()
	return nil
}

// notKept is the answer where what was sent could not be made durable.
func (c *Collector) notKept(ctx context.Context, receiver string, err error) error {
	c.count(receiver, Failed)
	if ctx.Err() != nil {
		return fault.Unavailablef("the request ended before all of it was kept")
	}
	c.tell.unavailable(string(Failed), "what was sent could not be journaled; its sender was told to try again", "receiver", receiver, "err", err)
	return fault.Unavailablef("what was sent could not be kept: try again")
}

// refuse keeps the begin of a body that is of no use in quarantine.
func (c *Collector) refuse(ctx context.Context, receiver, source string, r Result, why error, raw []byte) {
	c.count(receiver, r)
	reason := fault.Public(why).Error()
	var o *Oversized
	if errors.As(why, &o) {
		reason = o.Error()
	}
	c.tell.tell(string(r), source, "a body was refused, what it held is lost; its begin is in quarantine", "receiver", receiver, "reason", reason)
	if err := c.o.Quarantine.Quarantine(ctx, c.o.Now(), source, reason, raw); err != nil {
		c.o.Logger.Error("an unreadable body could not be kept in quarantine", "source", source, "err", err)
	}
}
