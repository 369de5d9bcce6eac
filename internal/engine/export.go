package engine

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/watchbill/watchbill/internal/event"
)

// Export writes a recording of the installation's own past, gzipped: everything
// decided from the journal between from and to (zero times: all that is kept).
// Topology and rules from before the period are part of it, because the period
// was decided by them; where the journal no longer holds them, today's stand in.
func (e *Engine) Export(ctx context.Context, from, to time.Time, w io.Writer) (n int, err error) {
	z := gzip.NewWriter(w)
	buf := bufio.NewWriterSize(z, 64<<10)
	var line []byte
	write := func(ev event.Event) error {
		n++
		line = append(valid(ev.AppendLine(line[:0])), '\n')
		_, err := buf.Write(line)
		return err
	}
	after := uint64(0)
	first := true
	for {
		events, err := e.o.Journal.ReadStored(ctx, after, 500)
		if err != nil {
			return n, err
		}
		if len(events) == 0 {
			break
		}
		if first && events[0].Position > 1 {
			if err := e.baseline(events[0].At, write); err != nil {
				return n, err
			}
		}
		first = false
		for _, ev := range events {
			after = ev.Position
			if !to.IsZero() && ev.At.After(to) {
				continue
			}
			if !from.IsZero() && ev.At.Before(from) && !timeless(ev.Kind) {
				continue
			}
			if err := write(ev); err != nil {
				return n, fmt.Errorf("write recording: %w", err)
			}
		}
	}
	if err := buf.Flush(); err != nil {
		return n, fmt.Errorf("write recording: %w", err)
	}
	if err := z.Close(); err != nil {
		return n, fmt.Errorf("write recording: %w", err)
	}
	return n, nil
}

// timeless kinds stay in force after their time.
func timeless(k event.Kind) bool {
	return k == event.KindCI || k == event.KindRelation || k == event.KindConfig || k == event.KindMaintenance
}

func (e *Engine) baseline(at time.Time, write func(event.Event) error) error {
	e.mu.Lock()
	facts := e.state.Baseline()
	e.mu.Unlock()
	for _, f := range facts {
		ev, err := event.New(f)
		if err != nil {
			return err
		}
		ev.At = at
		if err := write(ev); err != nil {
			return fmt.Errorf("write recording: %w", err)
		}
	}
	return nil
}

// valid replaces each byte that is no UTF-8 by the character as which it is decoded
// anyway: others read recordings too, and strict readers of JSON refuse a file with one.
func valid(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}
