package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/watchbill/watchbill/internal/fault"
)

// Index is a declared order or lookup over a collection.
type Index[T any] struct {
	Name string
	// Keys returns the index keys of a document: none leaves it out (a partial
	// index), several list it several times (a multi-valued one). Make them with Key.
	Keys func(T) [][]byte
	// Unique allows one document per key. It is the only way to promise "at most
	// one": a scan that finds nothing proves nothing on a backend with phantoms.
	Unique bool
}

// Collection is a set of documents of one type with its indexes. It is stateless
// and safe for concurrent use; domain packages expose verbs, never the collection.
type Collection[T any] struct {
	name    string
	id      func(T) string
	indexes []Index[T]
}

// NewCollection declares a collection. Names are part of the stored keys: they
// never change. It panics on a repeated or empty index name, a programmer's error.
func NewCollection[T any](name string, id func(T) string, indexes ...Index[T]) *Collection[T] {
	seen := map[string]bool{"": true}
	for _, ix := range indexes {
		if seen[ix.Name] {
			panic(fmt.Sprintf("collection %s: index name %q is empty or stands twice", name, ix.Name))
		}
		seen[ix.Name] = true
	}
	return &Collection[T]{name: name, id: id, indexes: indexes}
}

// Row is a stored document with its revision, which grows by one with each write.
type Row[T any] struct {
	Doc      T
	Revision uint64
}

// Stored keys: d/NAME\0ID for documents, i/NAME\0INDEX\0KEY ID for index entries
// (ID after KEY, so that equal keys stay apart and in id order; unique entries
// hold the id as their value instead). A row is a revision as uvarint and JSON.

func (c *Collection[T]) docKey(id string) []byte {
	return slices.Concat([]byte("d/"), []byte(c.name), []byte{0}, []byte(id))
}

func (c *Collection[T]) indexPrefix(index string) []byte {
	return slices.Concat([]byte("i/"), []byte(c.name), []byte{0}, []byte(index), []byte{0})
}

func (c *Collection[T]) entryKey(ix *Index[T], key []byte, id string) []byte {
	if ix.Unique {
		return slices.Concat(c.indexPrefix(ix.Name), key)
	}
	return slices.Concat(c.indexPrefix(ix.Name), key, []byte(id))
}

func encodeRow(doc any, revision uint64) ([]byte, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return append(binary.AppendUvarint(make([]byte, 0, len(b)+4), revision), b...), nil
}

func decodeRow[T any](b []byte) (Row[T], error) {
	var r Row[T]
	rev, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errors.New("row has no revision")
	}
	r.Revision = rev
	return r, json.Unmarshal(b[n:], &r.Doc)
}

// Undecodable is a row that cannot be read: what is wrong with which one. It
// never hides the others.
type Undecodable struct {
	Collection, ID string
	Err            error
}

func (u *Undecodable) Error() string {
	return fmt.Sprintf("%s %q cannot be decoded: %v", u.Collection, u.ID, u.Err)
}

func (u *Undecodable) Unwrap() error { return u.Err }

// Get returns the document of id. A missing one is fault.NotFound, an unreadable
// one *Undecodable.
func (c *Collection[T]) Get(r Reader, id string) (Row[T], error) {
	row, ok, err := c.Find(r, id)
	if err == nil && !ok {
		err = fault.NotFoundf("%s %q does not exist", c.name, id)
	}
	return row, err
}

// Find is Get for documents that may well be missing.
func (c *Collection[T]) Find(r Reader, id string) (row Row[T], ok bool, err error) {
	b, ok, err := r.Get(c.docKey(id))
	if err != nil {
		return row, false, fmt.Errorf("get %s %q: %w", c.name, id, err)
	}
	if !ok {
		return row, false, nil
	}
	if row, err = decodeRow[T](b); err != nil {
		return row, false, &Undecodable{c.name, id, err}
	}
	return row, true, nil
}

// Lookup returns the document under key of a unique index.
func (c *Collection[T]) Lookup(r Reader, index string, key []byte) (row Row[T], ok bool, err error) {
	id, ok, err := r.Get(slices.Concat(c.indexPrefix(index), key))
	if err != nil || !ok {
		return row, false, err
	}
	return c.Find(r, string(id))
}

// Put stores doc, new or not, and keeps the indexes true. A taken unique key is
// fault.Conflict and nothing is written.
func (c *Collection[T]) Put(tx Tx, doc T) error { return c.write(tx, doc, nil) }

// PutIf stores doc if its stored revision is still the given one (0: it must not
// exist yet); otherwise fault.Conflict tells the current revision.
func (c *Collection[T]) PutIf(tx Tx, doc T, revision uint64) error {
	return c.write(tx, doc, &revision)
}

func (c *Collection[T]) write(tx Tx, doc T, want *uint64) error {
	id := c.id(doc)
	if id == "" {
		return fault.Invalidf("id", "a %s needs an id", c.name)
	}
	old, had, err := c.Find(tx, id)
	var bad *Undecodable
	if errors.As(err, &bad) {
		// A damaged row is replaced whole; its index entries are found and dropped by Check.
		had, err = false, nil
	}
	if err != nil {
		return err
	}
	if want != nil && *want != old.Revision {
		return fault.Conflictf("%s %q is at revision %d, not %d: read it again and repeat the edit", c.name, id, old.Revision, *want)
	}
	for i := range c.indexes {
		ix := &c.indexes[i]
		var before [][]byte
		if had {
			before = ix.Keys(old.Doc)
		}
		after := ix.Keys(doc)
		for _, k := range before {
			if !contains(after, k) {
				if err := tx.Delete(c.entryKey(ix, k, id)); err != nil {
					return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
				}
			}
		}
		for _, k := range after {
			if contains(before, k) {
				continue
			}
			entry, value := c.entryKey(ix, k, id), []byte(nil)
			if ix.Unique {
				holder, taken, err := tx.Get(entry)
				if err != nil {
					return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
				}
				if taken && string(holder) != id {
					return fault.Conflictf("%s: %s is taken by %q", c.name, ix.Name, holder)
				}
				value = []byte(id)
			}
			if err := tx.Put(entry, value); err != nil {
				return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
		}
	}
	b, err := encodeRow(doc, old.Revision+1)
	if err != nil {
		return fmt.Errorf("encode %s %q: %w", c.name, id, err)
	}
	return tx.Put(c.docKey(id), b)
}

// Delete removes the document of id and its index entries; a missing one is fine.
func (c *Collection[T]) Delete(tx Tx, id string) error {
	old, had, err := c.Find(tx, id)
	var bad *Undecodable
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	if had {
		for i := range c.indexes {
			ix := &c.indexes[i]
			for _, k := range ix.Keys(old.Doc) {
				if err := tx.Delete(c.entryKey(ix, k, id)); err != nil {
					return err
				}
			}
		}
	}
	return tx.Delete(c.docKey(id))
}

// Query selects a page of a collection.
type Query[T any] struct {
	Index   string // "" walks by id
	Prefix  []byte // index keys (or ids) that begin with it
	From    []byte // first index key or id, inclusive, within Prefix
	To      []byte // end, exclusive
	Reverse bool
	Cursor  string // Page.Next of the page before
	Limit   int    // rows of a page; 0 means 100
	// Keep drops rows that it refuses; they do not count to the limit.
	Keep func(T) bool
	// Scan bounds how many rows are looked at for one page, kept or not, so that
	// a rare filter does not read everything in one call; 0 means no bound.
	Scan int
}

// Page is one page of rows.
type Page[T any] struct {
	Rows []Row[T]
	// Next continues after this page; empty at the end.
	Next string
	// Unreadable rows stood in the page; the caller reports them once.
	Unreadable []*Undecodable
}

// List returns one page. A cursor stays good while rows come and go: it names a
// place in the order, not a row.
func (c *Collection[T]) List(r Reader, q Query[T]) (Page[T], error) {
	var page Page[T]
	if q.Limit <= 0 {
		q.Limit = 100
	}
	base, unique := slices.Concat([]byte("d/"), []byte(c.name), []byte{0}), false
	if q.Index != "" {
		i := slices.IndexFunc(c.indexes, func(ix Index[T]) bool { return ix.Name == q.Index })
		if i < 0 {
			return page, fmt.Errorf("collection %s has no index %q", c.name, q.Index)
		}
		base, unique = c.indexPrefix(q.Index), c.indexes[i].Unique
	}
	from := slices.Concat(base, q.Prefix)
	to := PrefixEnd(from)
	if q.From != nil {
		from = slices.Concat(base, q.From)
	}
	if q.To != nil {
		to = slices.Concat(base, q.To)
	}
	if q.Cursor != "" {
		at, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err != nil || !bytes.HasPrefix(at, base) {
			return page, fault.Invalidf("cursor", "is not one that this list gave; begin again without it")
		}
		if q.Reverse {
			to = at
		} else {
			from = append(at, 0)
		}
	}
	var last []byte
	looked := 0
	for p, err := range r.Scan(from, to, q.Reverse) {
		if err != nil {
			return page, fmt.Errorf("list %s: %w", c.name, err)
		}
		if len(page.Rows) == q.Limit || (q.Scan > 0 && looked == q.Scan) {
			page.Next = base64.RawURLEncoding.EncodeToString(last)
			break
		}
		looked++
		last = p.Key
		row, ok, err := c.follow(r, base, unique, q.Index == "", p)
		var bad *Undecodable
		switch {
		case errors.As(err, &bad):
			page.Unreadable = append(page.Unreadable, bad)
			continue
		case err != nil:
			return page, err
		case !ok || q.Keep != nil && !q.Keep(row.Doc):
			continue
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// follow turns a scanned pair into its row.
func (c *Collection[T]) follow(r Reader, base []byte, unique, primary bool, p Pair) (Row[T], bool, error) {
	if primary {
		row, err := decodeRow[T](p.Value)
		if err != nil {
			return row, false, &Undecodable{c.name, string(p.Key[len(base):]), err}
		}
		return row, true, nil
	}
	if unique {
		return c.Find(r, string(p.Value))
	}
	rest := p.Key[len(base):]
	id, err := idAfterKey(rest)
	if err != nil {
		return Row[T]{}, false, fmt.Errorf("index of %s: %w", c.name, err)
	}
	return c.Find(r, id)
}

func contains(keys [][]byte, k []byte) bool {
	return slices.ContainsFunc(keys, func(x []byte) bool { return bytes.Equal(x, k) })
}
