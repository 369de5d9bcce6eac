package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/journal"
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

// checkMarks: what is decided was journaled, and a snapshot holds what is decided.
func checkMarks(journaled, committed, snapshot uint64) error {
	if journaled < committed || committed < snapshot {
		return fmt.Errorf("%w: the journal ends at %d, decisions are committed up to %d, the snapshot covers %d; none may be ahead of the one before",
			journal.ErrDamaged, journaled, committed, snapshot)
	}
	return nil
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
	var stale [][]byte
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
		end, err := journal.EndOf(r)
		if err != nil {
			return err
		}
		if err := checkMarks(end, done.Position, mark.Position); err != nil {
			return err
		}
		stale, err = e.loadPages(r, mark.Position)
		return err
	})
	if err != nil {
		return err
	}
	if err := e.deleteKeys(ctx, stale); err != nil && fault.KindOf(err) != fault.Unavailable { // they only take room
		return fmt.Errorf("remove leftovers of an unfinished snapshot: %w", err)
	}
	e.state.Loaded()
	e.stepped = mark.Position
	e.lastSnap.Store(mark.Position)
	defer func() { e.position.Store(e.stepped) }()
	for e.stepped < done.Position {
		events, err := e.o.Journal.ReadStored(ctx, e.stepped, 1000)
		if err != nil {
			return err
		}
		if len(events) == 0 || events[0].Position != e.stepped+1 {
			return fmt.Errorf("the journal lacks position %d, which lies between the snapshot and the committed position %d", e.stepped+1, done.Position)
		}
		for _, ev := range events {
			if ev.Position > done.Position {
				break
			}
			e.state.Step(ev) // effects are committed already
			e.stepped = ev.Position
		}
	}
	if got := e.state.Digest(); done.Position > 0 && got != done.Digest {
		return fmt.Errorf("stepping from the snapshot at %d to the committed position %d gives %s where %s was committed: this program decides otherwise than the one that wrote the data", mark.Position, done.Position, got, done.Digest)
	}
	return nil
}

// loadPages gives the state the newest version of each page that the snapshot
// covers, and notes the leftovers: versions of a snapshot that was never finished,
// and those that a finished one could not remove any more.
func (e *Engine) loadPages(r store.Reader, upTo uint64) (stale [][]byte, err error) {
	var page string
	var value []byte
	var held []byte // key of value
	flush := func() error {
		if len(value) == 0 {
			return nil
		}
		return e.state.Load(page, value)
	}
	for p, err := range r.Scan(pagePrefix, store.PrefixEnd(pagePrefix), false) {
		if err != nil {
			return nil, fmt.Errorf("read snapshot: %w", err)
		}
		name, pos, err := splitPageKey(p.Key)
		if err != nil {
			return nil, err
		}
		if pos > upTo {
			stale = append(stale, p.Key)
			continue
		}
		if name == page {
			stale = append(stale, held) // versions come in order: the newest wins
		} else if err := flush(); err != nil {
			return nil, err
		}
		page, value, held = name, p.Value, p.Key
		e.pages[name] = pos
	}
	return stale, flush()
}

// snapshotDue keeps the share of time that snapshots take small.
func (e *Engine) snapshotDue() bool {
	e.snapMu.Lock()
	defer e.snapMu.Unlock()
	e.mu.RLock()
	defer e.mu.RUnlock()
	wait := max(e.o.SnapshotEvery, 50*e.snapTook)
	since := e.o.Now().Sub(e.snapAt)
	return e.stepped > e.lastSnap.Load() && (since >= wait || since < 0)
}

// snapshotChunk bounds the bytes of one snapshot transaction.
const snapshotChunk = 1 << 20

// snapshot is the changed pages of one position, encoded and not written yet.
type snapshot struct {
	position uint64
	names    []string
	pages    []store.Pair
}

// Snapshot writes the pages that changed since the last one. Everything stepped must
// be committed when it is called: a snapshot ahead of the records would lose what lies
// between after a crash. Nothing is stepped while the pages are encoded; reading goes on.
func (e *Engine) Snapshot(ctx context.Context) error {
	e.snapMu.Lock()
	defer e.snapMu.Unlock()
	// What an earlier call could not write is in no page's marks any more.
	if err := e.writeSnapshot(ctx); err != nil {
		return err
	}
	if err := e.takeSnapshot(); err != nil {
		return err
	}
	return e.writeSnapshot(ctx)
}

// beginSnapshot encodes the changed pages and writes them while the engine goes on; how
// that ended comes on done.
func (e *Engine) beginSnapshot(ctx context.Context, done chan<- error) error {
	e.snapMu.Lock()
	if err := e.takeSnapshot(); err != nil {
		e.snapMu.Unlock()
		return err
	}
	go func() {
		err := e.writeSnapshot(ctx)
		if err != nil {
			e.snapAt = e.o.Now() // not at once again
		}
		e.snapMu.Unlock()
		done <- err
	}()
	return nil
}

// takeSnapshot encodes the changed pages. The engine steps nothing meanwhile, and
// whoever only reads the state is not held up.
func (e *Engine) takeSnapshot() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	position := e.position.Load()
	if position == e.lastSnap.Load() || e.snap != nil {
		return nil
	}
	if position != e.stepped {
		return fmt.Errorf("snapshot asked for at position %d, which is ahead of the committed %d", e.stepped, position)
	}
	s := &snapshot{position: position}
	err := e.state.Save(func(key string, value []byte) error {
		s.pages = append(s.pages, store.Pair{Key: pageKey(key, position), Value: value})
		s.names = append(s.names, key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("encode snapshot at position %d: %w", position, err)
	}
	e.snap = s
	return nil
}

// writeSnapshot writes what takeSnapshot encoded. It can be called again after an error.
func (e *Engine) writeSnapshot(ctx context.Context) error {
	s := e.snap
	if s == nil {
		return nil
	}
	began := time.Now() // only to space snapshots: decides nothing
	for at := 0; at < len(s.pages); {
		end, size := at, 0
		for end < len(s.pages) && (size == 0 || size < snapshotChunk) {
			size += len(s.pages[end].Key) + len(s.pages[end].Value)
			end++
		}
		chunk := s.pages[at:end]
		err := e.o.DB.Update(ctx, func(tx store.Tx) error {
			for _, p := range chunk {
				if err := tx.Put(p.Key, p.Value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("write snapshot at position %d: %w", s.position, err)
		}
		at = end
	}
	mark, err := json.Marshal(snapshotMark{s.position, fold.Version})
	if err != nil {
		return err
	}
	if err := e.o.DB.Update(ctx, func(tx store.Tx) error { return tx.Put(snapshotKey, mark) }); err != nil {
		return fmt.Errorf("mark snapshot at position %d: %w", s.position, err)
	}
	e.lastSnap.Store(s.position)
	e.snap, e.snapAt = nil, e.o.Now()
	if err := e.dropOldPages(ctx, s); err != nil {
		e.log.Warn("older snapshot pages could not be removed; they only take space", "err", err)
	}
	e.snapTook = time.Since(began)
	return nil
}

// dropOldPages removes the versions that a snapshot replaced. The
// engine remembers where each page's newest version is: looking for it would read
// every page again.
func (e *Engine) dropOldPages(ctx context.Context, s *snapshot) error {
	var old [][]byte
	for _, n := range s.names {
		if at, ok := e.pages[n]; ok && at != s.position {
			old = append(old, pageKey(n, at))
		}
		e.pages[n] = s.position
	}
	return e.deleteKeys(ctx, old)
}

func (e *Engine) deleteKeys(ctx context.Context, old [][]byte) error {
	for len(old) > 0 {
		some := old[:min(len(old), 5000)]
		old = old[len(some):]
		err := e.o.DB.Update(ctx, func(tx store.Tx) error {
			for _, k := range some {
				if err := tx.Delete(k); err != nil {
					return err
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
	return e.o.Journal.Trim(ctx, before, e.lastSnap.Load())
}

// CheckMarks compares the marks of a stored state: the journal's end, what is committed,
// what the snapshot covers. It returns what is wrong, "" if nothing is.
func CheckMarks(r store.Reader) (string, error) {
	end, err := journal.EndOf(r)
	if err != nil {
		return "", err
	}
	done, err := readMark[committed](r, committedKey)
	if err != nil {
		return fmt.Sprintf("the committed position cannot be read: %v", err), nil
	}
	snap, err := readMark[snapshotMark](r, snapshotKey)
	if err != nil {
		return fmt.Sprintf("the snapshot's mark cannot be read: %v", err), nil
	}
	if wrong := checkMarks(end, done.Position, snap.Position); wrong != nil {
		return wrong.Error(), nil //nolint:nilerr // that they do not belong together is the answer, not a failure of the look
	}
	return "", nil
}
