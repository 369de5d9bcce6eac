package badgerdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/watchbill/watchbill/internal/store"
)

// health remembers damage that was met while the database is in use.
type health struct {
	mu    sync.Mutex
	found []Damage
}

// guard runs a call of Badger's that reads. Some kinds of damage end in a panic there,
// which is the reader's error and not the end of the process.
func (h *health) guard(f func() error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("the stored data is damaged: %s", firstLine(fmt.Sprint(x)))
			h.note(Damage{What: firstLine(fmt.Sprint(x))})
		}
	}()
	err = f()
	if errors.Is(err, y.ErrChecksumMismatch) || errors.Is(err, errUnreadable) {
		h.note(Damage{What: firstLine(err.Error())})
	}
	return err
}

func (h *health) note(d ...Damage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range d {
		if !slices.Contains(h.found, x) {
			h.found = append(h.found, x)
		}
	}
}

// Damage returns what was found damaged since the database was opened. It does not
// heal: what was found once stays until the data is restored or repaired.
func (db *DB) Damage() []Damage {
	db.health.mu.Lock()
	defer db.health.mu.Unlock()
	return slices.Clone(db.health.found)
}

// Verified is what Verify looked at.
type Verified struct {
	Tables, Rows int
	Bytes        int64 // of keys and values
	Found        []Damage
}

// Verify reads all tables and all values with their checksums, while the database is
// in use. What it finds also counts as Damage. rest is how long it pauses for each MiB, so that
// a pass in the background leaves the disk to others; 0 reads as fast as it can.
func (db *DB) Verify(ctx context.Context, rest time.Duration) (Verified, error) {
	var v Verified
	var err error
	if v.Found, err = db.checkTables(ctx); err != nil {
		return v, err
	}
	v.Tables = len(db.b.Tables())
	read := int64(0)
	err = db.View(ctx, func(r store.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				d := Damage{What: fmt.Sprintf("the value of key %q cannot be read: %v", p.Key, err)}
				db.health.note(d)
				v.Found = append(v.Found, d)
				return nil
			}
			v.Rows++
			n := int64(len(p.Key) + len(p.Value))
			v.Bytes += n
			if read += n; rest > 0 && read >= 1<<20 {
				read = 0
				if err := pause(ctx, rest); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkTables reads the tables that are in use. One that a compaction replaces
// meanwhile is none of it.
func (db *DB) checkTables(ctx context.Context) ([]Damage, error) {
	if db.dir == "" {
		return nil, nil
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.users.Done()
	var found []Damage
	for _, t := range db.b.Tables() {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		name := table.IDToFilename(t.ID)
		if _, err := checkTable(filepath.Join(db.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) && db.uses(t.ID) {
			found = append(found, Damage{name, fmt.Sprintf("cannot be read: %v", err)})
		}
	}
	db.health.note(found...)
	return found, nil
}

func (db *DB) uses(id uint64) bool {
	return slices.ContainsFunc(db.b.Tables(), func(t badger.TableInfo) bool { return t.ID == id })
}
