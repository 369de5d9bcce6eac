package badgerdb

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/watchbill/watchbill/internal/store"
)

// job is one closure that waits for its commit.
type job struct {
	f    func(store.Tx) error
	done chan error // buffered: the committer never waits for a caller
	ctx  context.Context
}

// Update implements store.DB. A context that ends while the closure is queued
// cancels it; once it runs, the outcome is waited for, so that nobody is told
// "failed" about something that is kept.
func (db *DB) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{f: f, done: make(chan error, 1), ctx: ctx}
	select {
	case <-db.stop:
		return store.ErrClosed
	case db.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-db.done:
		// The committer ended: it may have answered just before.
		select {
		case err := <-j.done:
			return err
		default:
			return store.ErrClosed
		}
	}
}

// foldMax bounds how many closures share one sync, and with it the latency of the first.
const foldMax = 512

func (db *DB) commitLoop() {
	defer close(db.done)
	for {
		var first *job
		select {
		case first = <-db.queue:
		case <-db.stop:
			select { // what is queued is still committed
			case first = <-db.queue:
			default:
				return
			}
		}
		for first != nil {
			first = db.commitBatch(first)
		}
	}
}

// commitBatch folds first and what else is queued into one transaction. It
// returns a closure that did not fit any more and must begin the next batch.
func (db *DB) commitBatch(first *job) (leftover *job) {
	if err := db.mayWrite(); err != nil {
		first.done <- err
		return nil
	}
	txn := db.b.NewTransaction(false)
	defer txn.Discard()
	b := &batch{base: reader{txn, &db.health}}
	var joined []*job
	var refused []refusal
	for j := first; j != nil; j = db.next(len(joined) + len(refused)) {
		t := &tx{batch: b, own: map[string]write{}, onDisk: !db.b.Opts().InMemory}
		err := j.ctx.Err()
		if err == nil {
			err = protect(j.f, t)
		}
		if err == nil && (t.count() > db.maxCount || t.bytes > db.maxBytes) {
			err = store.ErrTooLarge
		}
		if err != nil {
			refused = append(refused, refusal{j, err})
			continue
		}
		if b.count()+t.count() > db.maxCount || b.bytes+t.bytes > db.maxBytes {
			leftover = j // runs again on the state after this batch
			break
		}
		b.take(t)
		joined = append(joined, j)
	}
	err := db.write(b)
	if err == nil {
		for _, f := range b.after {
			f()
		}
	}
	for _, j := range joined {
		j.done <- err
	}
	for _, r := range refused {
		if err != nil { // what the refusal was grounded on was not kept
			r.err = err
		}
		r.j.done <- r.err
	}
	return leftover
}

// refusal is a closure's own error. It may be grounded on what closures before it
// in the batch wrote ("that name is taken"), so it is told after their commit.
type refusal struct {
	j   *job
	err error
}

// next returns a queued closure without waiting, nil when the batch is full or the queue empty.
func (db *DB) next(taken int) *job {
	if taken >= foldMax {
		return nil
	}
	select {
	case j := <-db.queue:
		return j
	default:
		return nil
	}
}

func (db *DB) write(b *batch) error {
	if len(b.writes) == 0 {
		return nil
	}
	if err := db.takeValues(b); err != nil {
		return err
	}
	txn := db.b.NewTransaction(true)
	defer txn.Discard()
	for _, w := range b.writes {
		var err error
		if w.value == nil {
			err = txn.Delete(w.key)
		} else {
			err = txn.SetEntry(badger.NewEntry(w.key, w.value))
		}
		if err != nil {
			return fmt.Errorf("collect transaction: %w", err)
		}
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	db.bearWitness()
	return nil
}

// mayWrite refuses a batch while the disk has no room for it.
func (db *DB) mayWrite() error {
	if db.room != nil {
		if err := db.room(); err != nil {
			return noRoom(err)
		}
	}
	if db.blocks == nil {
		return nil
	}
	if err := db.blocks.follow(); err != nil {
		return noRoom(err)
	}
	return nil
}

// recordOverhead is more than what Badger adds to a value in its value log.
const recordOverhead = 64

func (db *DB) takeValues(b *batch) error {
	if db.blocks == nil {
		return nil
	}
	big := int64(0)
	for _, w := range b.writes {
		if len(w.value) >= bigValue {
			big += int64(len(w.key)+len(w.value)) + recordOverhead
		}
	}
	if big == 0 {
		return nil
	}
	if err := db.blocks.forValues(big); err != nil {
		return noRoom(err)
	}
	return nil
}

// bearWitness notes the newest commit, which is synced, before anybody is told of it.
func (db *DB) bearWitness() {
	if db.witness == nil {
		return
	}
	txn := db.b.NewTransaction(false) // only this goroutine commits: it sees the newest
	defer txn.Discard()
	if err := db.witness.set(txn.ReadTs()); err != nil && !db.witnessFailed {
		db.witnessFailed = true
		db.log.Warn("the mark of the newest commit could not be written: commits go on, and a loss at the end of a log would not be noticed", "err", err)
	}
}

// protect turns a panic of one closure into its error: the others of the batch,
// and the committer, are not its business.
func protect(f func(store.Tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("transaction closure panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f(t)
}

// write is one key's new value; nil deletes it.
type write struct{ key, value []byte }

// batch is what the closures that joined so far wrote.
type batch struct {
	base   reader
	writes map[string]write
	bytes  int64
	after  []func()
}

func (b *batch) count() int64 { return int64(len(b.writes)) }

func (b *batch) take(t *tx) {
	if b.writes == nil {
		b.writes = t.own // mostly one closure writes nearly all
	} else {
		maps.Copy(b.writes, t.own)
	}
	b.bytes += t.bytes
	b.after = append(b.after, t.after...)
}

// entryOverhead is more than what Badger adds to an entry when it weighs a transaction.
const entryOverhead = 32

// tx is one closure's view: its own writes over the batch's over the snapshot.
type tx struct {
	batch  *batch
	own    map[string]write
	bytes  int64
	onDisk bool
	after  []func()
}

func (t *tx) count() int64 { return int64(len(t.own)) }

func (t *tx) Put(key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return t.set(key, value)
}

func (t *tx) Delete(key []byte) error { return t.set(key, nil) }

func (t *tx) set(key, value []byte) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	k := string(key)
	if old, ok := t.own[k]; ok {
		t.bytes -= t.weigh(k, old.value)
	}
	t.own[k] = write{key, value}
	t.bytes += t.weigh(k, value)
	return nil
}

// weigh is what an entry takes of a transaction's limit. On disk a big value goes
// to the value log and only its place counts.
func (t *tx) weigh(key string, value []byte) int64 {
	if t.onDisk && len(value) >= bigValue {
		return int64(len(key)) + entryOverhead
	}
	return int64(len(value)) + int64(len(key)) + entryOverhead
}

func (t *tx) OnCommit(f func()) { t.after = append(t.after, f) }

func (t *tx) Get(key []byte) ([]byte, bool, error) {
	for _, m := range []map[string]write{t.own, t.batch.writes} {
		if w, ok := m[string(key)]; ok {
			return slices.Clone(w.value), w.value != nil, nil
		}
	}
	return t.batch.base.Get(key)
}

func (t *tx) Scan(from, to []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		over := t.pending(from, to, reverse)
		before := func(a, b []byte) bool {
			if reverse {
				a, b = b, a
			}
			return string(a) < string(b)
		}
		for p, err := range t.batch.base.Scan(from, to, reverse) {
			if err != nil {
				yield(p, err)
				return
			}
			for len(over) > 0 && before(over[0].Key, p.Key) {
				if over[0].Value != nil && !yield(over[0], nil) {
					return
				}
				over = over[1:]
			}
			if len(over) > 0 && string(over[0].Key) == string(p.Key) {
				p, over = over[0], over[1:]
				if p.Value == nil {
					continue
				}
			}
			if !yield(p, nil) {
				return
			}
		}
		for _, p := range over {
			if p.Value != nil && !yield(p, nil) {
				return
			}
		}
	}
}

// pending returns the unwritten changes of the range in walking order.
func (t *tx) pending(from, to []byte, reverse bool) []store.Pair {
	in := func(k string) bool { return k >= string(from) && (to == nil || k < string(to)) }
	var out []store.Pair
	for k, w := range t.own {
		if in(k) {
			out = append(out, store.Pair{Key: []byte(k), Value: slices.Clone(w.value)})
		}
	}
	for k, w := range t.batch.writes {
		if _, mine := t.own[k]; !mine && in(k) {
			out = append(out, store.Pair{Key: []byte(k), Value: slices.Clone(w.value)})
		}
	}
	slices.SortFunc(out, func(a, b store.Pair) int {
		if reverse {
			a, b = b, a
		}
		return slices.Compare(a.Key, b.Key)
	})
	return out
}
