// Package badgerdb keeps a store.DB in Badger, on disk or in memory. It owns the
// committer that folds many closures into one synced transaction, because Badger
// syncs each transaction for itself; it refuses to know keys or documents.
package badgerdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/watchbill/watchbill/internal/store"
)

// Options of a database.
type Options struct {
	// Dir is the data directory; empty keeps everything in memory.
	Dir    string
	Logger *slog.Logger
	// Room returns an error while nothing may be written, because the disk is nearly
	// full; nil: the database itself keeps a little room.
	Room func() error
}

// bigValue is the size from which Badger keeps a value in its value log. There it
// weighs nothing in a transaction, so that even the largest webhook body fits into
// one.
const bigValue = 64 << 10

// memtableSize bounds the writes that Badger keeps in memory before they become a table.
const memtableSize = 16 << 20

// DB is a store.DB on Badger.
type DB struct {
	dir   string // "" in memory
	log   *slog.Logger
	b     *badger.DB
	queue chan *job
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once

	gate     sync.RWMutex // guards closed
	closed   bool
	users    sync.WaitGroup // of Badger outside of the committer
	closeErr error
	// limits of one Badger transaction, with room for what Badger adds itself
	maxCount, maxBytes int64

	room    func() error
	blocks  *blocks // nil in memory
	restMu  sync.Mutex
	resting bool // compactions are

	witness       *witness // nil in memory
	witnessFailed bool     // and it was told
	health        health
}

var _ store.DB = (*DB)(nil)

// Open opens or creates a database. Writes are synced: Badger's own Sync covers
// only the active memtable, so SyncWrites is the only setting that holds.
func Open(o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Room == nil && o.Dir != "" {
		o.Room = ownRoom(o.Dir)
	}
	// A compaction builds up to thirteen tables at once, each in buffers of about six
	// times its size that the heap holds. Badger's own sizes grow with the level up to
	// 16 MiB, which was most of a server's memory while a fleet enrolled.
	defaults := badger.DefaultOptions(o.Dir)
	defaults.TableSizeMultiplier = 1
	bo := defaults.
		WithInMemory(o.Dir == "").
		WithSyncWrites(o.Dir != "").
		WithDetectConflicts(false). // one committer: nothing to conflict with
		WithNumVersionsToKeep(1).
		WithCompression(options.Snappy).
		WithBlockCacheSize(8 << 20).
		WithIndexCacheSize(8 << 20).
		WithMemTableSize(memtableSize).
		WithBaseTableSize(2 << 20).
		WithBaseLevelSize(64 << 20). // about one level zero: a level less to be rewritten through
		WithNumMemtables(3).
		WithNumLevelZeroTables(5).
		WithNumLevelZeroTablesStall(30).
		WithNumCompactors(2).
		WithValueLogFileSize(256 << 20).
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(options.OnBlockRead). // all are read once at the start, by survey
		WithVerifyValueChecksum(true).
		WithLogger(logger{o.Logger})
	if o.Dir != "" {
		bo = bo.WithValueThreshold(bigValue) // in memory there is no value log
	}
	aside, err := prepare(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open database in %s: %w", o.Dir, err)
	}
	if o.Room != nil { // opening makes tables of what logs hold
		if err := o.Room(); err != nil {
			return nil, fmt.Errorf("open database in %s: %w", o.Dir, noRoom(err))
		}
	}
	b, err := openBadger(bo)
	if err == nil {
		err = aside.settle(b)
	}
	if err != nil {
		return nil, fmt.Errorf("open database in %s: %w", o.Dir, err)
	}
	db := &DB{
		dir: o.Dir, log: o.Logger, room: o.Room,
		b: b, queue: make(chan *job, 1024), stop: make(chan struct{}), done: make(chan struct{}),
		maxCount: b.MaxBatchCount() * 8 / 10, maxBytes: b.MaxBatchSize() * 8 / 10,
	}
	if o.Dir != "" {
		db.blocks = newBlocks(o.Dir)
		if err := db.blocks.follow(); err != nil {
			return nil, errors.Join(fmt.Errorf("open database in %s: the disk has no room for its log: %w", o.Dir, err), b.Close())
		}
		if db.witness, err = openWitness(o.Dir); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	go db.commitLoop()
	return db, nil
}

// prepare looks at a closed database's files before Badger does: it cuts off what it
// cannot read, and removes tables that it does not know.
func prepare(dir string) (setAside, error) {
	none := setAside{}
	if dir == "" {
		return none, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return none, err
	}
	// Badger takes the same lock: without it this would read what another process writes.
	lock, err := os.Open(dir)
	if err != nil {
		return none, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return none, fmt.Errorf("another process uses it: %w", err)
	}
	if err := dropUnborn(dir); err != nil {
		return none, err
	}
	s, err := survey(dir)
	if err != nil {
		return none, err
	}
	if len(s.damage) > 0 {
		return none, &Damaged{Dir: dir, Found: s.damage}
	}
	return putAside(dir, s.orphans)
}

// openBadger is badger.Open with its panics as errors: some kinds of damage end in one.
func openBadger(o badger.Options) (b *badger.DB, err error) {
	defer func() {
		if x := recover(); x != nil {
			err = &Damaged{Dir: o.Dir, Found: []Damage{{What: firstLine(fmt.Sprint(x))}}}
		}
	}()
	return badger.Open(o)
}

// enter registers a user of Badger's files. Close waits for it: Badger reads from
// mapped memory, and unmapping it under a reader kills the process.
func (db *DB) enter() error {
	db.gate.RLock()
	defer db.gate.RUnlock()
	if db.closed {
		return store.ErrClosed
	}
	db.users.Add(1)
	return nil
}

// dropUnborn removes log files of no length. A process that is killed between
// creating such a file and sizing it leaves one behind, and Badger then refuses to
// open ("Create a new file") although it holds nothing.
func dropUnborn(dir string) error {
	if dir == "" {
		return nil
	}
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			if st, err := os.Stat(f); err != nil || st.Size() > 0 {
				continue
			}
			if err := os.Remove(f); err != nil {
				return fmt.Errorf("remove the empty file that a crash left: %w", err)
			}
		}
	}
	return nil
}

// View implements store.DB.
func (db *DB) View(ctx context.Context, f func(store.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.users.Done()
	txn := db.b.NewTransaction(false)
	defer txn.Discard()
	return f(reader{txn, &db.health})
}

// Limit implements store.DB: it follows from the size of Badger's memtable.
func (db *DB) Limit() store.Limit { return store.Limit{Pairs: db.maxCount, Bytes: db.maxBytes} }

// Backup implements store.DB.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	err := db.View(ctx, func(r store.Reader) error { return store.WriteBackup(ctx, r, w) })
	if err != nil {
		return err
	}
	// Badger ends a walk at a block that it cannot read as if nothing came after: a copy
	// counts only when all tables can be read.
	found, err := db.checkTables(ctx)
	if err == nil && len(found) > 0 {
		err = &Damaged{Dir: db.dir, Found: found}
	}
	return err
}

// Restore implements store.DB.
func (db *DB) Restore(ctx context.Context, r io.Reader) error { return store.ReadBackup(ctx, db, r) }

// Reclaim rewrites value-log files that hold mostly deleted data. Call it now
// and then; it returns at once where there is nothing to win.
func (db *DB) Reclaim() error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.users.Done()
	err := db.b.RunValueLogGC(0.5)
	if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) || errors.Is(err, badger.ErrGCInMemoryMode) {
		return nil
	}
	return err
}

// Close commits what was queued, waits for running views and closes the files. A
// second call waits for the first and returns the same. On a disk without room the
// files are left as a crash would leave them: all that was committed is in the logs, which
// the next Open reads, and the files stay locked until the process ends.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.gate.Lock()
		db.closed = true
		db.gate.Unlock()
		close(db.stop)
		<-db.done
		db.users.Wait()
		if err := db.mayClose(); err != nil {
			db.rest(true)
			db.log.Warn("the disk has no room for an orderly end: the stored data is left as it is, whole, and the next start reads its logs", "err", err)
		} else if err := db.b.Close(); err != nil {
			db.closeErr = fmt.Errorf("close database: %w", err)
			return
		}
		if db.witness != nil {
			if err := db.witness.close(); err != nil {
				db.closeErr = fmt.Errorf("close the mark of the newest commit: %w", err)
			}
		}
	})
	return db.closeErr
}

// reader is one Badger snapshot.
type reader struct {
	txn    *badger.Txn
	health *health
}

func (r reader) Get(key []byte) (v []byte, ok bool, err error) {
	if len(key) == 0 { // Badger calls it an error; it is a key that nobody can have put
		return nil, false, nil
	}
	err = r.health.guard(func() error {
		it, err := r.txn.Get(key)
		if err != nil {
			return err
		}
		v, err = valueOf(it)
		return err
	})
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("get key: %w", err)
	}
	return v, true, nil
}

func (r reader) Scan(from, to []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if to != nil && len(to) == 0 { // nothing lies before the empty key; Badger's Seek would take it for "no bound"
			return
		}
		o := badger.DefaultIteratorOptions
		o.Reverse = reverse
		o.PrefetchSize = 32
		var it *badger.Iterator
		err := r.health.guard(func() error {
			it = r.txn.NewIterator(o)
			switch {
			case !reverse:
				it.Seek(from)
			// Badger's reverse seek lands on the key itself or the one before: the end is exclusive.
			case to == nil:
				it.Rewind()
			default:
				if it.Seek(to); it.Valid() && string(it.Item().Key()) == string(to) {
					it.Next()
				}
			}
			return nil
		})
		if it != nil {
			defer it.Close()
		}
		for err == nil {
			var p store.Pair
			over := false
			err = r.health.guard(func() error {
				if over = !it.Valid(); over {
					return nil
				}
				p.Key = it.Item().KeyCopy(nil)
				if over = reverse && string(p.Key) < string(from) || !reverse && to != nil && string(p.Key) >= string(to); over {
					return nil
				}
				var err error
				if p.Value, err = valueOf(it.Item()); err == nil {
					it.Next()
				}
				return err
			})
			if over {
				return
			}
			if err != nil {
				yield(p, fmt.Errorf("read value: %w", err))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
		yield(store.Pair{}, fmt.Errorf("read range: %w", err))
	}
}

// valueOf reads a value. Badger logs that a big value cannot be read, and returns an
// empty one without an error; a big value is never empty.
func valueOf(it *badger.Item) ([]byte, error) {
	v, err := it.ValueCopy(nil)
	if err == nil && len(v) == 0 && it.ValueSize() > 0 {
		return nil, errUnreadable
	}
	return v, err
}

var errUnreadable = errors.New("a big value is missing in its value log, or damaged there")

// logger passes Badger's words on: its own info lines are of use only to debug.
type logger struct{ l *slog.Logger }

func (l logger) Errorf(f string, a ...any)   { l.l.Error("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Warningf(f string, a ...any) { l.l.Warn("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Infof(f string, a ...any)    { l.l.Debug("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Debugf(f string, a ...any)   { l.l.Debug("store: " + fmt.Sprintf(f, a...)) }
