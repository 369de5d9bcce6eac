// Package paged holds maps whose changes since the last snapshot are known page
// by page, so that a snapshot of a large state writes little, and whose order is
// fixed, so that a fold over them is deterministic. It refuses I/O: pages are
// bytes that somebody else stores.
package paged

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
)

// pages is how many pages a table has. At 100,000 rows a page holds about 100
// of them: small enough that scattered changes do not rewrite everything.
const pages = 1024

// Table is a map from string keys to rows. Rows are pointers: after changing one
// in place call Touch, else the snapshot misses the change. Not safe for
// concurrent use.
type Table[V any] struct {
	name  string
	rows  map[string]*V
	dirty map[uint32]struct{}
}

// NewTable makes an empty table; name prefixes its page keys.
func NewTable[V any](name string) *Table[V] {
	return &Table[V]{name: name, rows: map[string]*V{}, dirty: map[uint32]struct{}{}}
}

func page(key string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(key))
	return h.Sum32() % pages
}

// Get returns the row of key, nil if there is none.
func (t *Table[V]) Get(key string) *V { return t.rows[key] }

// Len counts the rows.
func (t *Table[V]) Len() int { return len(t.rows) }

// Put stores v under key.
func (t *Table[V]) Put(key string, v *V) {
	t.rows[key] = v
	t.Touch(key)
}

// Touch marks key's row as changed.
func (t *Table[V]) Touch(key string) { t.dirty[page(key)] = struct{}{} }

// Delete removes key.
func (t *Table[V]) Delete(key string) {
	if _, ok := t.rows[key]; ok {
		delete(t.rows, key)
		t.Touch(key)
	}
}

// Count calls f with every row, in no order: for sums, which are the same in any, where
// putting 100,000 keys in order would take most of the time. Nothing else may use it.
func (t *Table[V]) Count(f func(*V)) {
	for _, v := range t.rows {
		f(v)
	}
}

// Keys returns all keys in order: the only way to walk a table but for sums, because a
// fold must not depend on map order.
func (t *Table[V]) Keys() []string { return slices.Sorted(maps.Keys(t.rows)) }

// row is one entry of an encoded page.
type row[V any] struct {
	Key   string `json:"k"`
	Value *V     `json:"v"`
}

// Save hands every page that changed since the last Save to put, nil bytes for
// an empty page, and forgets the changes. Equal tables give equal bytes.
func (t *Table[V]) Save(put func(key string, value []byte) error) error {
	if len(t.dirty) == 0 {
		return nil
	}
	byPage := make(map[uint32][]string, len(t.dirty))
	for k := range t.rows {
		p := page(k)
		if _, ok := t.dirty[p]; ok {
			byPage[p] = append(byPage[p], k)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(t.dirty)) {
		keys := byPage[p]
		slices.Sort(keys)
		rows := make([]row[V], len(keys))
		for i, k := range keys {
			rows[i] = row[V]{k, t.rows[k]}
		}
		var b []byte
		if len(rows) > 0 {
			var err error
			if b, err = json.Marshal(rows); err != nil {
				return fmt.Errorf("encode page %d of %s: %w", p, t.name, err)
			}
		}
		if err := put(t.name+"/"+strconv.Itoa(int(p)), b); err != nil {
			return err
		}
	}
	clear(t.dirty)
	return nil
}

// SaveAll is Save with every page marked, for a snapshot that stands alone.
func (t *Table[V]) SaveAll(put func(key string, value []byte) error) error {
	for k := range t.rows {
		t.Touch(k)
	}
	return t.Save(put)
}

// Load reads one page that Save wrote. Loaded rows are not marked as changed.
func (t *Table[V]) Load(value []byte) error {
	var rows []row[V]
	if err := json.Unmarshal(value, &rows); err != nil {
		return fmt.Errorf("read a page of %s: %w", t.name, err)
	}
	for _, r := range rows {
		t.rows[r.Key] = r.Value
	}
	return nil
}

// Name is the prefix of the table's page keys.
func (t *Table[V]) Name() string { return t.name }
