// Package store is the seam between the product and what keeps its bytes: a
// backend does little (get, put, delete, ordered range, transaction), and
// everything above it (indexes, uniqueness, revisions, cursors) is written once,
// in Collection. It refuses to know any document.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/watchbill/watchbill/internal/fault"
)

// ErrTooLarge says that one closure wrote more than the backend can commit at once.
// Nothing of it was written; the caller cuts its work into smaller closures.
var ErrTooLarge = errors.New("transaction too large: cut the work into smaller transactions")

// ErrClosed says that the database was closed.
var ErrClosed = errors.New("database is closed")

// MaxKey bounds a stored key, in bytes. It is the least that the backends to come
// can index (a PostgreSQL B-tree page holds about this much), and it is checked
// when the key is put: a backend that refuses it at commit would fail every
// closure that was folded into the same transaction.
const MaxKey = 2600

// CheckKey refuses a key that no backend has to take.
func CheckKey(key []byte) error {
	switch {
	case len(key) == 0:
		return errors.New("a stored key must not be empty")
	case len(key) > MaxKey:
		return fmt.Errorf("a stored key of %d bytes is longer than the %d that fit", len(key), MaxKey)
	}
	return nil
}

// Pair is one key and its value. Both are the reader's to keep.
type Pair struct {
	Key, Value []byte
}

// Reader sees one consistent state.
type Reader interface {
	// Get returns the value of key; ok says whether there is one.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan walks the keys of [from, to) in byte order, or backwards from the
	// end; nil to means no upper end. A failed walk yields the error last.
	Scan(from, to []byte, reverse bool) iter.Seq2[Pair, error]
}

// Tx is a Reader that sees its own writes.
type Tx interface {
	Reader
	// Put keeps key and value as they are: do not change them afterwards. A key is 1 to MaxKey
	// bytes long; another one is refused here, and the closure should return that error.
	Put(key, value []byte) error
	Delete(key []byte) error
	// OnCommit runs f after the transaction is durable, in commit order, before
	// Update returns. f must be quick and must not call the database.
	OnCommit(f func())
}

// DB is a backend. All methods are safe for concurrent use.
type DB interface {
	// View runs f on one consistent state.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f and makes its writes durable, all or none; it returns nil
	// only after they are synced to disk. f may run more than once and must have
	// no effect but its writes; two closures never interleave. An error from f is
	// returned as it is and nothing is written; it is returned only after all that f
	// saw is durable, so a refusal is never grounded on what a crash takes back. f
	// runs on a goroutine of the backend: it must not call Update, and a test must
	// not end itself (t.Fatal) in it.
	Update(ctx context.Context, f func(Tx) error) error
	// Limit is what one Update may write: more is ErrTooLarge.
	Limit() Limit
	// Backup writes a consistent copy while the database is in use.
	Backup(ctx context.Context, w io.Writer) error
	// Restore loads a backup into an empty database; one that holds anything is
	// fault.Conflict. A restore that failed leaves a database that CheckSchema refuses.
	Restore(ctx context.Context, r io.Reader) error
	Close() error
}

// Limit is what one transaction of a backend holds.
type Limit struct {
	Pairs int64 // writes; 0 means any number
	Bytes int64 // of keys and values together, with what the backend adds to each; 0 means any
}

// PrefixEnd returns the end of the range of keys that begin with prefix: the
// first key after all of them, nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// schemaKey holds the version of everything that is stored.
var schemaKey = []byte("m/schema")

// CheckSchema makes a new database one of the given schema version. It refuses one
// of another version, because reading it with this program would damage it, and
// one whose restore was interrupted, because part of it is missing.
func CheckSchema(ctx context.Context, db DB, version string) error {
	return db.Update(ctx, func(tx Tx) error {
		if err := CheckRestored(tx); err != nil {
			return err
		}
		have, ok, err := tx.Get(schemaKey)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema version: %w", err)
		case ok && string(have) != version:
			return fault.Conflictf("the data has schema version %s and this program reads version %s: use the program version that wrote it, or restore a backup made with this one", have, version)
		case ok:
			return nil
		}
		empty, err := isEmpty(tx)
		if err != nil {
			return fmt.Errorf("read the schema version: %w", err)
		}
		if !empty {
			return fault.Conflictf("the storage path holds data without a schema version: it is not this program's, or it is damaged; name another path or restore a backup")
		}
		return tx.Put(schemaKey, []byte(version))
	})
}

// CheckRestored refuses a database whose restore was interrupted: part of the data is missing.
func CheckRestored(r Reader) error {
	if _, broken, err := r.Get(restoringKey); err != nil || broken {
		return errors.Join(err, fault.Conflictf("the restore into this storage path was interrupted and part of the data is missing: empty the path and restore again"))
	}
	return nil
}

func isEmpty(r Reader) (bool, error) {
	for _, err := range r.Scan(nil, nil, false) {
		return false, err
	}
	return true, nil
}
