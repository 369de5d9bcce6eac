package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/store"
)

// Stored: m/engine/committed and m/engine/snapshot, and s/PAGE\0POSITION for
// pages. A page is kept under the position of its snapshot, and the mark moves
// last: a crash in the middle leaves the older snapshot whole.
var (
	committedKey = []byte("m/engine/committed")
	snapshotKey  = []byte("m/engine/snapshot")
	pagePrefix   = []byte("s/")
)

// committed is the end of what was decided and written.
type committed struct {
	Position uint64 `json:"position"`
	Version  int    `json:"version"` // of the decisions
	Digest   string `json:"digest"`  // of the counters after Position
}

type snapshotMark struct {
	Position uint64 `json:"position"`
	Version  int    `json:"version"`
}

func putCommitted(tx store.Tx, c committed) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.Put(committedKey, b)
}

func readMark[T any](r store.Reader, key []byte) (m T, err error) {
	b, ok, err := r.Get(key)
	if err != nil || !ok {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

func pageKey(page string, position uint64) []byte {
	k := append(append(bytes.Clone(pagePrefix), page...), 0)
	return binary.BigEndian.AppendUint64(k, position)
}

func splitPageKey(k []byte) (string, uint64, error) {
	if len(k) < len(pagePrefix)+9 {
		return "", 0, fmt.Errorf("snapshot page key %x is too short", k)
	}
	end := len(k) - 8
	return string(k[len(pagePrefix) : end-1]), binary.BigEndian.Uint64(k[end:]), nil
}

func (e *Engine) load(ctx context.Context) error {
	e.state = fold.New(e.o.Rules)
	var mark snapshotMark
	var done committed
	err := e.o.DB.View(ctx, func(r store.Reader) (err error) {
		if mark, err = readMark[snapshotMark](r, snapshotKey); err != nil {
			return fmt.Errorf("read the snapshot's mark: %w", err)
		}
		if done, err = readMark[committed](r, committedKey); err != nil {
			return fmt.Errorf("read the committed position: %w", err)
		}
		if done.Version != 0 && done.Version != fold.Version && mark.Position < done.Position {
			return fmt.Errorf("the data was left at position %d by a program that decides by version %d, without a clean stop, and this one decides by version %d: start the earlier program once and stop it, then upgrade",
				done.Position, done.Version, fold.Version)
		}
		return e.loadPages(r, mark.Position)
	})
	if err != nil {
		return err
	}
	e.state.Loaded()
	e.position, e.lastSnap = mark.Position, mark.Position
	for e.position < done.Position {
		events, err := e.o.Journal.ReadStored(ctx, e.position, 1000)
		if err != nil {
			return err
		}
		if len(events) == 0 || events[0].Position != e.position+1 {
			return fmt.Errorf("the journal lacks position %d, which lies between the snapshot and the committed position %d", e.position+1, done.Position)
		}
		for _, ev := range events {
			if ev.Position > done.Position {
				break
			}
			e.state.Step(ev) // effects are committed already
			e.position = ev.Position
		}
	}
	if got := e.state.Digest(); done.Position > 0 && got != done.Digest {
		return fmt.Errorf("stepping from the snapshot at %d to the committed position %d gives %s where %s was committed: this program decides otherwise than the one that wrote the data", mark.Position, done.Position, got, done.Digest)
	}
	return nil
}

func (e *Engine) loadPages(r store.Reader, upTo uint64) error {
	var page string
	var value []byte
	flush := func() error {
		if len(value) == 0 {
			return nil
		}
		return e.state.Load(page, value)
	}
	for p, err := range r.Scan(pagePrefix, store.PrefixEnd(pagePrefix), false) {
		if err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		name, pos, err := splitPageKey(p.Key)
		if err != nil {
			return err
		}
		if pos > upTo {
			continue // of a snapshot that was not finished
		}
		if name != page {
			if err := flush(); err != nil {
				return err
			}
		}
		page, value = name, p.Value // versions come in order: the newest wins
	}
	return flush()
}

// maybeSnapshot keeps the share of time that snapshots take small.
func (e *Engine) maybeSnapshot(ctx context.Context) error {
	e.mu.Lock()
	wait := max(e.o.SnapshotEvery, 50*e.snapTook)
	due := e.position > e.lastSnap && e.o.Now().Sub(e.snapAt) >= wait
	e.mu.Unlock()
	if !due {
		return nil
	}
	return e.Snapshot(ctx)
}

// snapshotChunk bounds the bytes of one snapshot transaction.
const snapshotChunk = 2 << 20

// Snapshot writes the pages that changed since the last one. It stops the engine
// for its duration.
func (e *Engine) Snapshot(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.position == e.lastSnap {
		return nil
	}
	began := time.Now() // only to space snapshots: decides nothing
	type page struct {
		key   []byte
		value []byte
	}
	var chunk []page
	var names []string
	size := 0
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		err := e.o.DB.Update(ctx, func(tx store.Tx) error {
			for _, p := range chunk {
				if err := tx.Put(p.key, p.value); err != nil {
					return err
				}
			}
			return nil
		})
		chunk, size = nil, 0
		return err
	}
	err := e.state.Save(func(key string, value []byte) error {
		chunk = append(chunk, page{pageKey(key, e.position), value})
		names = append(names, key)
		if size += len(value) + len(key); size >= snapshotChunk {
			return flush()
		}
		return nil
	})
	if err = errors.Join(err, flush()); err != nil {
		return fmt.Errorf("write snapshot at position %d: %w", e.position, err)
	}
	mark, err := json.Marshal(snapshotMark{e.position, fold.Version})
	if err != nil {
		return err
	}
	if err := e.o.DB.Update(ctx, func(tx store.Tx) error { return tx.Put(snapshotKey, mark) }); err != nil {
		return fmt.Errorf("mark snapshot at position %d: %w", e.position, err)
	}
	e.lastSnap, e.snapAt = e.position, e.o.Now()
	if err := e.dropOldPages(ctx, names); err != nil {
		e.log.Warn("older snapshot pages could not be removed; they only take space", "err", err)
	}
	e.snapTook = time.Since(began)
	return nil
}

// dropOldPages removes the versions that the snapshot at lastSnap replaced.
func (e *Engine) dropOldPages(ctx context.Context, names []string) error {
	for len(names) > 0 {
		some := names[:min(len(names), 500)]
		names = names[len(some):]
		err := e.o.DB.Update(ctx, func(tx store.Tx) error {
			for _, n := range some {
				for p, err := range tx.Scan(pageKey(n, 0), pageKey(n, e.lastSnap), false) {
					if err != nil {
						return err
					}
					if err := tx.Delete(p.Key); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Trim removes journal events older than before that a snapshot covers.
func (e *Engine) Trim(ctx context.Context, before time.Time) (int, error) {
	e.mu.Lock()
	upTo := e.lastSnap
	e.mu.Unlock()
	return e.o.Journal.Trim(ctx, before, upTo)
}
