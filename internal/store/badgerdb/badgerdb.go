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

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/watchbill/watchbill/internal/store"
)

// Options of a database.
type Options struct {
	// Dir is the data directory; empty keeps everything in memory.
	Dir    string
	Logger *slog.Logger
}

// bigValue is the size from which Badger keeps a value in its value log. There it
// weighs nothing in a transaction, so that even the largest webhook body fits into
// one.
const bigValue = 64 << 10

// DB is a store.DB on Badger.
type DB struct {
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
}

var _ store.DB = (*DB)(nil)

// Open opens or creates a database. Writes are synced: Badger's own Sync covers
// only the active memtable, so SyncWrites is the only setting that holds.
func Open(o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
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
		WithMemTableSize(16 << 20).
		WithBaseTableSize(2 << 20).
		WithBaseLevelSize(64 << 20). // about one level zero: a level less to be rewritten through
		WithNumMemtables(3).
		WithNumLevelZeroTables(5).
		WithNumLevelZeroTablesStall(30).
		WithNumCompactors(2).
		WithValueLogFileSize(256 << 20).
		WithMetricsEnabled(false).
		WithLogger(logger{o.Logger})
	if o.Dir != "" {
		bo = bo.WithValueThreshold(bigValue) // in memory there is no value log
	}
	if err := dropUnborn(o.Dir); err != nil {
		return nil, fmt.Errorf("open database in %s: %w", o.Dir, err)
	}
	b, err := badger.Open(bo)
	if err != nil {
		return nil, fmt.Errorf("open database in %s: %w", o.Dir, err)
	}
	db := &DB{
		b: b, queue: make(chan *job, 1024), stop: make(chan struct{}), done: make(chan struct{}),
		maxCount: b.MaxBatchCount() * 8 / 10, maxBytes: b.MaxBatchSize() * 8 / 10,
	}
	go db.commitLoop()
	return db, nil
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
	return f(reader{txn})
}

// Limit implements store.DB: it follows from the size of Badger's memtable.
func (db *DB) Limit() store.Limit { return store.Limit{Pairs: db.maxCount, Bytes: db.maxBytes} }

// Backup implements store.DB.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	return db.View(ctx, func(r store.Reader) error { return store.WriteBackup(ctx, r, w) })
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
// second call waits for the first and returns the same.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.gate.Lock()
		db.closed = true
		db.gate.Unlock()
		close(db.stop)
		<-db.done
		db.users.Wait()
		if err := db.b.Close(); err != nil {
			db.closeErr = fmt.Errorf("close database: %w", err)
		}
	})
	return db.closeErr
}

// reader is one Badger snapshot.
type reader struct{ txn *badger.Txn }

func (r reader) Get(key []byte) ([]byte, bool, error) {
	if len(key) == 0 { // Badger calls it an error; it is a key that nobody can have put
		return nil, false, nil
	}
	it, err := r.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get key: %w", err)
	}
	v, err := it.ValueCopy(nil)
	return v, err == nil, err
}

func (r reader) Scan(from, to []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if to != nil && len(to) == 0 { // nothing lies before the empty key; Badger's Seek would take it for "no bound"
			return
		}
		o := badger.DefaultIteratorOptions
		o.Reverse = reverse
		o.PrefetchSize = 32
		it := r.txn.NewIterator(o)
		defer it.Close()
		if reverse {
			// Badger's reverse seek lands on the key itself or the one before: the end is exclusive.
			if to == nil {
				it.Rewind()
			} else if it.Seek(to); it.Valid() && string(it.Item().Key()) == string(to) {
				it.Next()
			}
		} else {
			it.Seek(from)
		}
		for ; it.Valid(); it.Next() {
			k := it.Item().KeyCopy(nil)
			if reverse && string(k) < string(from) || !reverse && to != nil && string(k) >= string(to) {
				return
			}
			v, err := it.Item().ValueCopy(nil)
			if err != nil {
				yield(store.Pair{Key: k}, fmt.Errorf("read value: %w", err))
				return
			}
			if !yield(store.Pair{Key: k, Value: v}, nil) {
				return
			}
		}
	}
}

// logger passes Badger's words on: its own info lines are of use only to debug.
type logger struct{ l *slog.Logger }

func (l logger) Errorf(f string, a ...any)   { l.l.Error("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Warningf(f string, a ...any) { l.l.Warn("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Infof(f string, a ...any)    { l.l.Debug("store: " + fmt.Sprintf(f, a...)) }
func (l logger) Debugf(f string, a ...any)   { l.l.Debug("store: " + fmt.Sprintf(f, a...)) }
