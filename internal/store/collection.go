package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
	codec   Codec[T]
	indexes []Index[T]
}

// Codec is how documents of one type become bytes and come back.
type Codec[T any] struct {
	// Append appends the encoded document to b.
	Append func(b []byte, doc T) ([]byte, error)
	// Decode reads what Append wrote; b is not the document's to keep.
	Decode func(b []byte, doc *T) error
}

// JSON is the codec of collections that name none.
func JSON[T any]() Codec[T] {
	return Codec[T]{
		Append: func(b []byte, doc T) ([]byte, error) {
			body, err := json.Marshal(doc)
			return append(b, body...), err
		},
		Decode: func(b []byte, doc *T) error { return json.Unmarshal(b, doc) },
	}
}

// NewCollection declares a collection. Names are part of the stored keys: they
// never change. It panics on a repeated or empty index name, a programmer's error.
func NewCollection[T any](name string, id func(T) string, indexes ...Index[T]) *Collection[T] {
	return NewCoded(name, JSON[T](), id, indexes...)
}

// NewCoded is NewCollection for documents of which there are so many that JSON
// costs too much.
func NewCoded[T any](name string, codec Codec[T], id func(T) string, indexes ...Index[T]) *Collection[T] {
	seen := map[string]bool{"": true}
	for _, ix := range indexes {
		if seen[ix.Name] {
			panic(fmt.Sprintf("collection %s: index name %q is empty or stands twice", name, ix.Name))
		}
		seen[ix.Name] = true
	}
	return &Collection[T]{name: name, id: id, codec: codec, indexes: indexes}
}

// Row is a stored document with its revision, which grows by one with each write.
type Row[T any] struct {
	Doc      T
	Revision uint64
}

// Stored keys: d/NAME\0ID for documents, i/NAME\0INDEX\0KEY\0ID for index entries
// (ID after KEY, so that equal keys stay apart and in id order; unique entries
// hold the id as their value instead). A row is a revision as uvarint and the
// encoded document.

func (c *Collection[T]) docKey(id string) []byte {
	b := make([]byte, 0, len(c.name)+len(id)+3)
	return append(append(append(append(b, "d/"...), c.name...), 0), id...)
}

func (c *Collection[T]) indexPrefix(index string) []byte {
	return c.appendPrefix(make([]byte, 0, len(c.name)+len(index)+4), index)
}

func (c *Collection[T]) appendPrefix(b []byte, index string) []byte {
	b = append(append(append(b, "i/"...), c.name...), 0)
	return append(append(b, index...), 0)
}

func (c *Collection[T]) entryKey(ix *Index[T], key []byte, id string) []byte {
	b := make([]byte, 0, len(c.name)+len(ix.Name)+len(key)+len(id)+5)
	b = append(c.appendPrefix(b, ix.Name), key...)
	if ix.Unique {
		return b
	}
	return append(append(b, endOfKey), id...)
}

// encodeRow makes a row of a document, or of its body where that is encoded already.
func (c *Collection[T]) encodeRow(doc T, body []byte, revision uint64) ([]byte, error) {
	b := binary.AppendUvarint(make([]byte, 0, len(body)+4), revision)
	if body != nil {
		return append(b, body...), nil
	}
	b, err := c.codec.Append(b, doc)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", c.name, c.id(doc), err)
	}
	return b, nil
}

func (c *Collection[T]) decodeRow(b []byte) (Row[T], error) {
	var r Row[T]
	rev, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errors.New("row has no revision")
	}
	r.Revision = rev
	return r, c.codec.Decode(b[n:], &r.Doc)
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
	if row, err = c.decodeRow(b); err != nil {
		return row, false, &Undecodable{c.name, id, err}
	}
	return row, true, nil
}

// Lookup returns the document under key of a unique index.
func (c *Collection[T]) Lookup(r Reader, index string, key []byte) (row Row[T], ok bool, err error) {
	ix, err := c.index(index)
	if err == nil && !ix.Unique {
		err = fmt.Errorf("index %s.%s is not unique", c.name, index)
	}
	if err != nil {
		return row, false, err
	}
	id, ok, err := r.Get(c.entryKey(ix, key, ""))
	if err != nil {
		return row, false, fmt.Errorf("look up %s by %s: %w", c.name, index, err)
	}
	if !ok {
		return row, false, nil
	}
	row, ok, err = c.Find(r, string(id))
	if ok && !contains(ix.Keys(row.Doc), key) {
		return Row[T]{}, false, nil
	}
	return row, ok, err
}

func (c *Collection[T]) index(name string) (*Index[T], error) {
	for i := range c.indexes {
		if c.indexes[i].Name == name {
			return &c.indexes[i], nil
		}
	}
	return nil, fmt.Errorf("collection %s has no index %q", c.name, name)
}

// Put stores doc, new or not, and keeps the indexes true. A taken unique key is
// fault.Conflict and nothing is written.
func (c *Collection[T]) Put(tx Tx, doc T) error { return c.write(tx, doc, nil, nil) }

// Encode makes a document's stored form before the transaction: closures run one
// after the other, and encoding in them would make everybody wait.
func (c *Collection[T]) Encode(doc T) ([]byte, error) {
	b, err := c.codec.Append(nil, doc)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", c.name, c.id(doc), err)
	}
	return b, nil
}

// PutEncoded is Put of a document that Encode was given before.
func (c *Collection[T]) PutEncoded(tx Tx, doc T, body []byte) error {
	return c.write(tx, doc, body, nil)
}

// EncodeNew makes the writes of a document whose id was never used, which takes no
// look at what is stored: most documents are of this kind. An index of the
// collection must not be unique. Writing the same document anew, as after a crash,
// changes nothing but that its revision begins again.
func (c *Collection[T]) EncodeNew(doc T) ([]Pair, error) {
	id := c.id(doc)
	if err := c.checkID(id); err != nil {
		return nil, err
	}
	row, err := c.encodeRow(doc, nil, 1)
	if err != nil {
		return nil, err
	}
	out := make([]Pair, 1, 1+len(c.indexes))
	out[0] = Pair{c.docKey(id), row}
	for i := range c.indexes {
		ix := &c.indexes[i]
		if ix.Unique {
			return nil, fmt.Errorf("index %s.%s is unique: what is stored must be looked at", c.name, ix.Name)
		}
		for _, k := range ix.Keys(doc) {
			entry := c.entryKey(ix, k, id)
			if err := CheckKey(entry); err != nil {
				return nil, fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
			out = append(out, Pair{entry, nil})
		}
	}
	return out, nil
}

// Overwrite is Put without a look at what is stored, which costs more than the write
// where most documents are new. The collection must have no index, and nobody can ask
// for a revision: each write begins it again.
func (c *Collection[T]) Overwrite(tx Tx, doc T) error {
	if len(c.indexes) > 0 {
		return fmt.Errorf("collection %s has indexes: what is stored must be looked at", c.name)
	}
	id := c.id(doc)
	if err := c.checkID(id); err != nil {
		return err
	}
	row, err := c.encodeRow(doc, nil, 1)
	if err != nil {
		return err
	}
	return tx.Put(c.docKey(id), row)
}

// PutIf stores doc if its stored revision is still the given one (0: it must not
// exist yet); otherwise fault.Conflict tells the current revision.
func (c *Collection[T]) PutIf(tx Tx, doc T, revision uint64) error {
	return c.write(tx, doc, nil, &revision)
}

// maxID leaves room in MaxKey for the collection's name and an index key before it.
const maxID = 1024

func (c *Collection[T]) checkID(id string) error {
	switch {
	case id == "":
		return fault.Invalidf("id", "a %s needs an id", c.name)
	case len(id) > maxID:
		return fault.Invalidf("id", "the id of a %s has %d bytes, at most %d fit", c.name, len(id), maxID)
	}
	return nil
}

func (c *Collection[T]) write(tx Tx, doc T, body []byte, want *uint64) error {
	id := c.id(doc)
	if err := c.checkID(id); err != nil {
		return err
	}
	old, had, err := c.Find(tx, id)
	var bad *Undecodable
	if errors.As(err, &bad) {
		// A damaged row is replaced whole. What its keys were is not known: its index
		// entries stay, and are skipped by readers because the row does not have them.
		had, err = false, nil
	}
	if err != nil {
		return err
	}
	if want != nil && *want != old.Revision {
		return fault.Conflictf("%s %q is at revision %d, not %d: read it again and repeat the edit", c.name, id, old.Revision, *want)
	}
	b, err := c.encodeRow(doc, body, old.Revision+1)
	if err != nil {
		return err
	}
	// All that can be refused is refused before the first write: a caller may take
	// the conflict as an answer and go on with the same transaction.
	before, after := make([][][]byte, len(c.indexes)), make([][][]byte, len(c.indexes))
	for i := range c.indexes {
		ix := &c.indexes[i]
		if had {
			before[i] = ix.Keys(old.Doc)
		}
		after[i] = ix.Keys(doc)
		for _, k := range after[i] {
			entry := c.entryKey(ix, k, id)
			if err := CheckKey(entry); err != nil {
				return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
			if !ix.Unique || contains(before[i], k) {
				continue
			}
			holder, err := c.holder(tx, ix, entry, k)
			if err != nil {
				return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
			if holder != "" && holder != id {
				return fault.Conflictf("%s: %s is taken by %q", c.name, ix.Name, holder)
			}
		}
	}
	for i := range c.indexes {
		ix := &c.indexes[i]
		for _, k := range before[i] {
			if contains(after[i], k) {
				continue
			}
			if err := tx.Delete(c.entryKey(ix, k, id)); err != nil {
				return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
		}
		for _, k := range after[i] {
			if contains(before[i], k) {
				continue
			}
			var value []byte
			if ix.Unique {
				value = []byte(id)
			}
			if err := tx.Put(c.entryKey(ix, k, id), value); err != nil {
				return fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
			}
		}
	}
	return tx.Put(c.docKey(id), b)
}

// holder returns the id of the document that has key in a unique index, "" if
// none has. An entry that its document does not bear out is left over from a
// damaged row and holds nothing; a document that cannot be read keeps its keys.
func (c *Collection[T]) holder(r Reader, ix *Index[T], entry, key []byte) (string, error) {
	id, taken, err := r.Get(entry)
	if err != nil || !taken {
		return "", err
	}
	row, ok, err := c.Find(r, string(id))
	var bad *Undecodable
	switch {
	case errors.As(err, &bad):
		return string(id), nil
	case err != nil:
		return "", err
	case !ok || !contains(ix.Keys(row.Doc), key):
		return "", nil
	}
	return string(id), nil
}

// Delete removes the document of id and its index entries; a missing one is fine.
func (c *Collection[T]) Delete(tx Tx, id string) error {
	if len(c.indexes) == 0 {
		return tx.Delete(c.docKey(id))
	}
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
	From    []byte // first index key or id, inclusive; never widens Prefix
	To      []byte // end, exclusive; never widens Prefix
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
	var ix *Index[T]
	base := c.docKey("")
	if q.Index != "" {
		var err error
		if ix, err = c.index(q.Index); err != nil {
			return page, err
		}
		base = c.indexPrefix(q.Index)
	}
	from := slices.Concat(base, q.Prefix)
	to := PrefixEnd(from)
	if at := slices.Concat(base, q.From); q.From != nil && bytes.Compare(at, from) > 0 {
		from = at
	}
	if at := slices.Concat(base, q.To); q.To != nil && bytes.Compare(at, to) < 0 {
		to = at
	}
	if q.Cursor != "" {
		at, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		// A place outside of the range is another list's: going on from it would
		// show rows that this list does not hold.
		if err != nil || bytes.Compare(at, from) < 0 || bytes.Compare(at, to) >= 0 {
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
		row, ok, err := c.follow(r, base, ix, p)
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

// Body is a stored document as it lies there: JSON that nobody has read.
type Body struct {
	ID   string
	JSON []byte
}

// Bodies walks all documents in order of id without decoding them: for a reader of
// the whole collection that wants a part of each, or decodes on several processors.
func (c *Collection[T]) Bodies(r Reader) iter.Seq2[Body, error] {
	return func(yield func(Body, error) bool) {
		base := c.docKey("")
		for p, err := range r.Scan(base, PrefixEnd(base), false) {
			if err != nil {
				yield(Body{}, fmt.Errorf("read %s: %w", c.name, err))
				return
			}
			b := Body{ID: string(p.Key[len(base):])}
			// A row without a revision has no document either: what decodes it says so.
			if _, n := binary.Uvarint(p.Value); n > 0 {
				b.JSON = p.Value[n:]
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// follow turns a scanned pair into its row. An index entry that its document does
// not bear out is no row.
func (c *Collection[T]) follow(r Reader, base []byte, ix *Index[T], p Pair) (row Row[T], ok bool, err error) {
	rest := p.Key[len(base):]
	if ix == nil {
		if row, err = c.decodeRow(p.Value); err != nil {
			return row, false, &Undecodable{c.name, string(rest), err}
		}
		return row, true, nil
	}
	id, key := string(p.Value), rest
	if !ix.Unique {
		if id, err = idAfterKey(rest); err != nil {
			return row, false, fmt.Errorf("index %s.%s: %w", c.name, ix.Name, err)
		}
		key = rest[:len(rest)-len(id)-1]
	}
	row, ok, err = c.Find(r, id)
	return row, ok && contains(ix.Keys(row.Doc), key), err
}

func contains(keys [][]byte, k []byte) bool {
	return slices.ContainsFunc(keys, func(x []byte) bool { return bytes.Equal(x, k) })
}
