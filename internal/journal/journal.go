// Package journal is the one ordered, durable log of facts. It owns positions
// and journal time; it refuses to know what an event means.
package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Partition is the only one there is as long as one engine decides everything;
// it stands in every key so that more can come without rewriting the log.
const Partition uint16 = 0

var lastKey = []byte("m/journal/0/last")

// tailBytes bounds the committed events kept decoded for the engine. A reader
// that falls further behind reads from the store.
const tailBytes = 64 << 20

// Journal appends and reads. It is safe for concurrent use.
type Journal struct {
	db  store.DB
	now func() time.Time

	mu       sync.Mutex
	last     uint64 // newest committed position
	lastAt   time.Time
	tail     []event.Event // the newest events, positions without gaps up to last
	tailSize int
	grown    chan struct{} // closed and replaced when last moves
	consumed uint64        // highest position that the engine has read: memory may drop what lies before
}

// Open reads where the log ends. now is the wall clock.
func Open(ctx context.Context, db store.DB, now func() time.Time) (*Journal, error) {
	j := &Journal{db: db, now: now, grown: make(chan struct{})}
	err := db.View(ctx, func(r store.Reader) error {
		pos, at, err := readLast(r)
		if err != nil {
			return err
		}
		j.last, j.lastAt = pos, at
		return checkEnd(r, pos)
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

func readLast(r store.Reader) (uint64, time.Time, error) {
	b, ok, err := r.Get(lastKey)
	if err != nil || !ok {
		return 0, time.Time{}, err
	}
	if len(b) != 16 {
		return 0, time.Time{}, fmt.Errorf("the journal's end mark has %d bytes, want 16", len(b))
	}
	return binary.BigEndian.Uint64(b), time.UnixMilli(int64(binary.BigEndian.Uint64(b[8:]))).UTC(), nil
}

// ErrDamaged says that the journal's marks and its entries do not belong together:
// going on would number events anew that were acknowledged.
var ErrDamaged = errors.New("the journal is damaged: restore a backup, or see watchbill verify")

// checkEnd compares the end mark with the newest entry. Entries go from the begin only,
// so that the newest stands at the mark unless all were trimmed.
func checkEnd(r store.Reader, end uint64) error {
	for p, err := range r.Scan(prefix(), store.PrefixEnd(prefix()), true) {
		if err != nil {
			return err
		}
		if !bytes.Equal(p.Key, key(end)) {
			return fmt.Errorf("%w: its end mark says %d, and its newest entry is %x", ErrDamaged, end, p.Key[len(prefix()):])
		}
		break
	}
	return nil
}

// EndOf returns the newest position in r's state.
func EndOf(r store.Reader) (uint64, error) {
	pos, _, err := readLast(r)
	return pos, err
}

// end returns the mark in tx. It can be ahead of what was committed before, never behind.
func (j *Journal) end(tx store.Reader) (uint64, time.Time, error) {
	pos, at, err := readLast(tx)
	if err != nil {
		return 0, at, fmt.Errorf("find the journal's end: %w", err)
	}
	if last, _ := j.End(); pos < last {
		return 0, at, fmt.Errorf("%w: its end mark says %d, and %d was committed", ErrDamaged, pos, last)
	}
	return pos, at, nil
}

// Append writes events within tx and returns them with position and time.
// Journal time is max(previous, wall clock): it never runs backwards. Readers
// see them when tx is durable.
func (j *Journal) Append(tx store.Tx, events ...event.Event) ([]event.Event, error) {
	pos, prev, err := j.end(tx)
	if err != nil {
		return nil, err
	}
	at := event.Instant(j.now())
	if at.Before(prev) {
		at = prev
	}
	return j.append(tx, pos, at, events)
}

// AppendAt is Append with the events' own times, for importing a recording: a time
// before the journal's end is lifted to it, and one that is still to come is now. A
// journal ahead of the clock would hold every later event in that time.
func (j *Journal) AppendAt(tx store.Tx, events ...event.Event) ([]event.Event, error) {
	var out []event.Event
	now := event.Instant(j.now())
	for _, e := range events {
		pos, at, err := j.end(tx)
		if err != nil {
			return nil, err
		}
		own := event.Instant(e.At)
		if own.After(now) {
			own = now
		}
		if own.After(at) {
			at = own
		}
		one, err := j.append(tx, pos, at, []event.Event{e})
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func (j *Journal) append(tx store.Tx, pos uint64, at time.Time, events []event.Event) ([]event.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	out := make([]event.Event, len(events))
	for i, e := range events {
		pos++
		if len(e.Body) > MaxBody {
			return nil, fault.Invalidf("body", "has %d bytes, the journal takes at most %d: cut it into smaller ones", len(e.Body), MaxBody)
		}
		// Whoever reads it from memory decides on the bytes, as one who reads it from the
		// store does: what the writer decoded or built before is not passed on.
		e = e.Undecoded()
		e.Position, e.At = pos, at
		if err := tx.Put(key(pos), encode(e)); err != nil {
			return nil, fmt.Errorf("append to journal: %w", err)
		}
		out[i] = e
	}
	mark := binary.BigEndian.AppendUint64(nil, pos)
	if err := tx.Put(lastKey, binary.BigEndian.AppendUint64(mark, uint64(at.UnixMilli()))); err != nil {
		return nil, fmt.Errorf("append to journal: %w", err)
	}
	tx.OnCommit(func() { j.committed(out) })
	return out, nil
}

// Write is Append in a transaction of its own: it returns when the events are synced.
func (j *Journal) Write(ctx context.Context, events ...event.Event) ([]event.Event, error) {
	var out []event.Event
	err := j.db.Update(ctx, func(tx store.Tx) error {
		var err error
		out, err = j.Append(tx, events...)
		return err
	})
	return out, err
}

func (j *Journal) committed(events []event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range events {
		j.tail = append(j.tail, e)
		j.tailSize += weight(e)
	}
	j.last, j.lastAt = events[len(events)-1].Position, events[len(events)-1].At
	drop := 0
	for drop < len(j.tail) && (j.tailSize > tailBytes || j.tail[drop].Position <= j.consumed) {
		j.tailSize -= weight(j.tail[drop])
		j.tail[drop] = event.Event{}
		drop++
	}
	j.tail = j.tail[drop:]
	close(j.grown)
	j.grown = make(chan struct{})
}

// weight guesses what an event takes in memory: its body, and its alerts decoded.
func weight(e event.Event) int { return 3*len(e.Body) + 256 }

// End returns the newest committed position and its time.
func (j *Journal) End() (uint64, time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last, j.lastAt
}

// Now returns the time that an event appended now would get.
func (j *Journal) Now() time.Time {
	at := event.Instant(j.now())
	if _, last := j.End(); at.Before(last) {
		return last
	}
	return at
}

// Wait returns when an event after position is committed, or with ctx's error.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		last, grown := j.last, j.grown
		j.mu.Unlock()
		if last > after {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Read returns up to limit (at least 1) events after the given position, oldest first. It is
// served from memory where the reader keeps up. Reading declares everything up to
// after as done with, as far as the memory is concerned.
func (j *Journal) Read(ctx context.Context, after uint64, limit int) ([]event.Event, error) {
	limit = max(limit, 1)
	j.mu.Lock()
	j.consumed = max(j.consumed, after)
	if len(j.tail) > 0 && j.tail[0].Position <= after+1 && after < j.last {
		from := int(after + 1 - j.tail[0].Position)
		out := append([]event.Event(nil), j.tail[from:from+min(len(j.tail)-from, limit)]...)
		j.mu.Unlock()
		return out, nil
	}
	j.mu.Unlock()
	return j.ReadStored(ctx, after, limit)
}

// ReadStored is Read past the memory, for exports and checks; it has no effect on the engine's tail.
func (j *Journal) ReadStored(ctx context.Context, after uint64, limit int) ([]event.Event, error) {
	if after == math.MaxUint64 {
		return nil, nil
	}
	limit = max(limit, 1)
	var out []event.Event
	err := j.db.View(ctx, func(r store.Reader) error {
		for p, err := range r.Scan(key(after+1), store.PrefixEnd(prefix()), false) {
			if err != nil {
				return err
			}
			e, err := decode(p.Key, p.Value)
			if err != nil {
				return err
			}
			if out = append(out, e); len(out) == limit {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read journal after position %d: %w", after, err)
	}
	return out, nil
}

// trimChunk is how many events one trimming transaction removes.
const trimChunk = 1000

// Trim removes events that are both older than before and not after upTo, the
// newest position that a snapshot covers. It returns how many it removed. It looks
// for them outside of a transaction: the committer would stand still meanwhile.
func (j *Journal) Trim(ctx context.Context, before time.Time, upTo uint64) (int, error) {
	total := 0
	for {
		old, err := j.older(ctx, before, upTo)
		if err == nil && len(old) > 0 {
			err = j.db.Update(ctx, func(tx store.Tx) error {
				for _, k := range old {
					if err := tx.Delete(k); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil {
			return total, fmt.Errorf("trim journal: %w", err)
		}
		total += len(old)
		if len(old) < trimChunk {
			return total, nil
		}
	}
}

// older returns the keys of the oldest events that may go, at most trimChunk.
func (j *Journal) older(ctx context.Context, before time.Time, upTo uint64) (old [][]byte, err error) {
	end := store.PrefixEnd(prefix())
	if upTo < math.MaxUint64 {
		end = key(upTo + 1)
	}
	err = j.db.View(ctx, func(r store.Reader) error {
		for p, err := range r.Scan(prefix(), end, false) {
			if err != nil {
				return err
			}
			if len(old) == trimChunk {
				break
			}
			at, _, err := decodeTime(p.Key, p.Value)
			if err != nil {
				return err
			}
			if !at.Before(before) {
				break
			}
			old = append(old, p.Key)
		}
		return nil
	})
	return old, err
}

func prefix() []byte {
	return binary.BigEndian.AppendUint16([]byte("j/"), Partition)
}

func key(pos uint64) []byte { return binary.BigEndian.AppendUint64(prefix(), pos) }

// A stored event is: format byte, time (ms), kind, source, flag, body. Bodies
// beyond compressFrom are compressed: a webhook body repeats its labels.
const (
	format       = 1
	compressFrom = 512
	plain        = 0
	compressed   = 1
)

// MaxBody bounds an event's body, so that a damaged entry that claims to unpack to
// gigabytes is an error and not the end of the process.
const MaxBody = 128 << 20

func encode(e event.Event) []byte {
	b := make([]byte, 0, len(e.Body)/4+64)
	b = append(b, format)
	b = binary.AppendVarint(b, e.At.UnixMilli())
	b = binary.AppendUvarint(b, uint64(len(e.Kind)))
	b = append(b, e.Kind...)
	b = binary.AppendUvarint(b, uint64(len(e.Source)))
	b = append(b, e.Source...)
	if len(e.Body) < compressFrom {
		return append(append(b, plain), e.Body...)
	}
	return append(append(b, compressed), s2.Encode(nil, e.Body)...)
}

func unreadable(k []byte, what string, err error) error {
	if err != nil {
		what += ": " + err.Error()
	}
	return fmt.Errorf("journal entry %x: %s", k, what)
}

// decodeTime reads the beginning of an entry and returns the rest of it.
func decodeTime(k, b []byte) (time.Time, []byte, error) {
	if len(b) == 0 || b[0] != format {
		return time.Time{}, nil, unreadable(k, "format is unknown to this program version", nil)
	}
	ms, n := binary.Varint(b[1:])
	if n <= 0 {
		return time.Time{}, nil, unreadable(k, "time is unreadable", nil)
	}
	return time.UnixMilli(ms).UTC(), b[1+n:], nil
}

func decode(k, b []byte) (event.Event, error) {
	var e event.Event
	if len(k) != len(prefix())+8 {
		return e, unreadable(k, "key has the wrong length", nil)
	}
	e.Position = binary.BigEndian.Uint64(k[len(prefix()):])
	var err error
	if e.At, b, err = decodeTime(k, b); err != nil {
		return e, err
	}
	text := func() (string, bool) {
		l, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < l {
			return "", false
		}
		s := string(b[n : n+int(l)])
		b = b[n+int(l):]
		return s, true
	}
	kind, ok := text()
	if !ok {
		return e, unreadable(k, "kind is unreadable", nil)
	}
	e.Kind = event.Kind(kind)
	if e.Source, ok = text(); !ok || len(b) == 0 {
		return e, unreadable(k, "source is unreadable", nil)
	}
	how, body := b[0], b[1:]
	switch how {
	case plain:
		e.Body = body
	case compressed:
		if n, err := s2.DecodedLen(body); err != nil || n > MaxBody {
			return e, unreadable(k, fmt.Sprintf("body of %d bytes is unreadable", n), err)
		}
		if e.Body, err = s2.Decode(nil, body); err != nil {
			return e, unreadable(k, "body is unreadable", err)
		}
	default:
		return e, unreadable(k, "body is packed in a way unknown to this program version", nil)
	}
	return e, nil
}

// Checked is what a check of a stored journal found.
type Checked struct {
	Events      int
	First, Last uint64
	Wrong       []string // what is wrong, by position
}

// checkMost bounds how many wrong places are told.
const checkMost = 20

// Check reads a whole stored journal: positions without a gap up to the end mark, times
// that never run back, entries that can be read.
func Check(ctx context.Context, r store.Reader) (Checked, error) {
	var c Checked
	wrong := func(format string, args ...any) {
		if len(c.Wrong) < checkMost {
			c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
		}
	}
	end, _, err := readLast(r)
	if err != nil {
		wrong("the end mark cannot be read: %v", err)
	}
	var at time.Time
	for p, err := range r.Scan(prefix(), store.PrefixEnd(prefix()), false) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return c, err
		}
		e, err := decode(p.Key, p.Value)
		if err != nil {
			wrong("%v", err)
			if len(p.Key) != len(prefix())+8 {
				continue
			}
			e.Position = binary.BigEndian.Uint64(p.Key[len(prefix()):])
			e.At = at
		}
		switch {
		case c.Events == 0:
			c.First = e.Position
		case e.Position != c.Last+1:
			wrong("positions %d to %d are missing", c.Last+1, e.Position-1)
		}
		if e.At.Before(at) {
			wrong("position %d is earlier than the one before it", e.Position)
		}
		c.Events++
		c.Last, at = e.Position, e.At
	}
	if c.Events > 0 && c.Last != end {
		wrong("the end mark says %d, and the newest entry is %d", end, c.Last)
	}
	return c, nil
}
