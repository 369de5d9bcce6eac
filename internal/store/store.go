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
)

// ErrTooLarge: one closure wrote more than the backend can commit at once.
// Nothing of it was written; the caller cuts its work into smaller closures.
var ErrTooLarge = errors.New("transaction too large: cut the work into smaller transactions")

// ErrClosed: the database was closed.
var ErrClosed = errors.New("database is closed")

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
	// returned as it is and nothing is written.
	Update(ctx context.Context, f func(Tx) error) error
	// Backup writes a consistent copy while the database is in use.
	Backup(ctx context.Context, w io.Writer) error
	// Restore loads a backup into an empty database.
	Restore(ctx context.Context, r io.Reader) error
	Close() error
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

// CheckSchema makes a new database one of the given schema version, and refuses
// one of another version: reading it with this program would damage it.
func CheckSchema(ctx context.Context, db DB, version string) error {
	return db.Update(ctx, func(tx Tx) error {
		have, ok, err := tx.Get(schemaKey)
		switch {
		case err != nil:
			return err
		case !ok:
			return tx.Put(schemaKey, []byte(version))
		case string(have) != version:
			return fmt.Errorf("the data has schema version %s and this program reads version %s: use the program version that wrote it, or restore a backup made with this one", have, version)
		}
		return nil
	})
}
