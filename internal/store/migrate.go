package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Migration brings the stored rows of one schema version to those of the next.
type Migration struct {
	From, To string
	What     string // what changes, for the log
	Rows     []Rewrite
}

// Rewrite changes the values of the rows whose keys begin with Prefix. Value returns the
// new value, nil to delete the row. It is called once for each row, also where a
// migration is interrupted and goes on later.
type Rewrite struct {
	Prefix []byte
	Value  func(p Pair) ([]byte, error)
}

// migratingKey holds how far an interrupted migration came. While it is there the schema
// version names both versions, which every program but one that can go on refuses.
var migratingKey = []byte("m/migrating")

type migrating struct {
	Rewrite int    `json:"rewrite"` // which of the migration's
	After   []byte `json:"after"`   // the last key that it changed; empty: none yet
}

func (m Migration) between() string { return m.From + ">" + m.To }

// Migrate brings a database forward to a schema version, one version after the other, and
// makes a new one of that version. It refuses what no migration leads from, as CheckSchema
// does. A migration that is interrupted goes on with the next call.
func Migrate(ctx context.Context, db DB, version string, steps []Migration, log *slog.Logger) error {
	for {
		have, err := schemaOf(ctx, db)
		if err != nil {
			return err
		}
		step, ok := stepFrom(have, steps)
		if !ok || have == version {
			return CheckSchema(ctx, db, version)
		}
		log.Info("stored data of an earlier version is brought forward; the earlier program does not read it any more", "from", step.From, "to", step.To, "what", step.What)
		rows, err := step.run(ctx, db)
		if err != nil {
			return fmt.Errorf("bring stored data from schema version %s to %s: %w", step.From, step.To, err)
		}
		log.Info("stored data is brought forward", "version", step.To, "rows", rows)
	}
}

func schemaOf(ctx context.Context, db DB) (have string, err error) {
	err = db.View(ctx, func(r Reader) error {
		b, _, err := r.Get(schemaKey)
		have = string(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the schema version: %w", err)
	}
	return have, nil
}

func stepFrom(have string, steps []Migration) (Migration, bool) {
	for _, m := range steps {
		if have == m.From || have == m.between() {
			return m, true
		}
	}
	return Migration{}, false
}

// migrateShare is the part of a transaction's limit that a migration fills: the rows it
// writes may be larger than those it reads.
const migrateShare = 8

func (m Migration) run(ctx context.Context, db DB) (rows int, err error) {
	// A restore that was interrupted is refused before anything is changed.
	var at migrating
	err = db.Update(ctx, func(tx Tx) error {
		have, _, err := tx.Get(schemaKey)
		if err != nil {
			return err
		}
		if string(have) == m.between() {
			at, err = markOf(tx)
			return err
		}
		if err := CheckRestored(tx); err != nil {
			return err
		}
		if err := putMark(tx, at); err != nil {
			return err
		}
		return tx.Put(schemaKey, []byte(m.between()))
	})
	limit := db.Limit()
	for err == nil && at.Rewrite < len(m.Rows) {
		var n int
		next := at
		err = db.Update(ctx, func(tx Tx) (err error) {
			n, next, err = m.chunk(tx, at, limit.Pairs/migrateShare, limit.Bytes/migrateShare)
			if err == nil {
				err = putMark(tx, next)
			}
			return err
		})
		if err == nil {
			at, rows = next, rows+n
		}
	}
	if err != nil {
		return rows, err
	}
	return rows, db.Update(ctx, func(tx Tx) error {
		if err := tx.Delete(migratingKey); err != nil {
			return err
		}
		return tx.Put(schemaKey, []byte(m.To))
	})
}

// chunk rewrites what fits into one transaction.
func (m Migration) chunk(tx Tx, at migrating, pairs, bytes int64) (rows int, next migrating, err error) {
	w := m.Rows[at.Rewrite]
	from := w.Prefix
	if len(at.After) > 0 {
		from = append(append([]byte{}, at.After...), 0)
	}
	size := int64(0)
	next = at
	for p, err := range tx.Scan(from, PrefixEnd(w.Prefix), false) {
		if err != nil {
			return rows, next, err
		}
		v, err := w.Value(p)
		if err != nil {
			return rows, next, fmt.Errorf("row %q: %w", p.Key, err)
		}
		if v == nil {
			err = tx.Delete(p.Key)
		} else {
			err = tx.Put(p.Key, v)
		}
		if err != nil {
			return rows, next, err
		}
		next.After = p.Key
		rows++
		if size += int64(len(p.Key) + len(v)); int64(rows) >= pairs || size >= bytes {
			return rows, next, nil
		}
	}
	return rows, migrating{Rewrite: at.Rewrite + 1}, nil
}

func putMark(tx Tx, at migrating) error {
	b, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return tx.Put(migratingKey, b)
}

func markOf(r Reader) (at migrating, err error) {
	b, ok, err := r.Get(migratingKey)
	if err == nil && !ok {
		err = fmt.Errorf("the mark of how far an interrupted migration came is missing: restore a backup")
	}
	if err != nil {
		return at, err
	}
	return at, json.Unmarshal(b, &at)
}
