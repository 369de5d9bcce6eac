package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
)

// Rows is what a check of documents and indexes found.
type Rows struct {
	Documents, Entries int
	// Wrong says what does not belong together, at most wrongMost of them.
	Wrong    []string
	WrongAll int
}

// wrongMost bounds what is told by name: more are a number.
const wrongMost = 20

func (r *Rows) wrong(format string, args ...any) {
	if r.WrongAll++; len(r.Wrong) < wrongMost {
		r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
	}
}

// CheckRows looks at all documents and index entries of collections: that each row can
// be taken apart, and that each entry leads to a document.
func CheckRows(ctx context.Context, r Reader) (Rows, error) {
	var out Rows
	docs := []byte("d/")
	for p, err := range r.Scan(docs, PrefixEnd(docs), false) {
		if err != nil {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		out.Documents++
		if _, n := binary.Uvarint(p.Value); n <= 0 || bytes.IndexByte(p.Key[len(docs):], 0) < 1 {
			out.wrong("document %q cannot be taken apart", p.Key)
		}
	}
	entries := []byte("i/")
	for p, err := range r.Scan(entries, PrefixEnd(entries), false) {
		if err != nil {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		out.Entries++
		name, rest, ok := bytes.Cut(p.Key[len(entries):], []byte{0})
		_, key, has := bytes.Cut(rest, []byte{0})
		id := string(p.Value)
		if ok && has && id == "" {
			id, err = idAfterKey(key)
		}
		if !ok || !has || err != nil || id == "" {
			out.wrong("index entry %q cannot be taken apart", p.Key)
			continue
		}
		doc := append(append(append([]byte("d/"), name...), 0), id...)
		if _, there, err := r.Get(doc); err != nil {
			return out, err
		} else if !there {
			out.wrong("an index of %s names %q, and there is no such document", name, id)
		}
	}
	return out, nil
}
