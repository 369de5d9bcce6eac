// Package storetest is what every store.DB must keep: each promise of package
// store is a named test here that every backend runs. It owns no backend and
// refuses promises that only one backend could keep.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Backend is how the suite gets at the databases under test.
type Backend struct {
	// Open makes a fresh, empty database that is closed when the test ends.
	Open func(t testing.TB) store.DB
	// Reopen closes db and opens the same data again; nil where nothing is kept.
	Reopen func(t testing.TB, db store.DB) store.DB
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Backend)
	}{
		{"pairs are put, read, replaced and deleted", pairs},
		{"an empty value is a value", emptyValue},
		{"a range is ordered both ways and ends are exclusive", ranges},
		{"a transaction sees its own writes in ranges", ownWrites},
		{"what a reader was given is its own", readersOwn},
		{"a view is one consistent state", consistentView},
		{"a closure's error writes nothing and harms no neighbour", errorsAlone},
		{"a closure's panic is its own error", panicsAlone},
		{"a bad key is refused and harms no neighbour", badKeys},
		{"a too large transaction is refused whole", tooLarge},
		{"many large closures all commit", manyLarge},
		{"concurrent updates are serial", serial},
		{"at most one holds although both scanned nothing", phantom},
		{"OnCommit runs once, in order, when the write can be read", onCommit},
		{"a canceled context ends what has not begun", canceled},
		{"a closed database says so", closed},
		{"close waits for readers", closeWaits},
		{"documents are created, read, replaced and deleted", documents},
		{"a new document is what a put of it would be", encodeNew},
		{"a document is overwritten as a put would, where no index is", overwrite},
		{"an index is in the order of its keys", indexOrder},
		{"partial and multi-valued indexes", partialAndMulti},
		{"a unique key is held by one", unique},
		{"a refused document leaves its transaction as it was", refusedLeavesNothing},
		{"revisions guard edits", revisions},
		{"ids that do not fit are refused, odd ones are found again", badIDs},
		{"lists are cut by prefix, range, filter and scan bound", lists},
		{"a cursor survives writes", cursors},
		{"a foreign cursor is refused", foreignCursors},
		{"an undecodable row is named and hides nothing", undecodable},
		{"an entry that its document does not bear out is skipped", staleEntries},
		{"a collection equals a map", collectionModel},
		{"a backup taken while writing is one state and restores equal", backup},
		{"a backup of any size and shape of rows restores", backupSizes},
		{"a damaged or cut backup is refused and noticed", backupDamaged},
		{"restore wants an empty database", restoreNonEmpty},
		{"another schema version is refused", schema},
		{"what was written is there after reopening", reopen},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// --- helpers

func update(t testing.TB, db store.DB, f func(store.Tx) error) {
	t.Helper()
	if err := db.Update(context.Background(), f); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t testing.TB, db store.DB, f func(store.Reader) error) {
	t.Helper()
	if err := db.View(context.Background(), f); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func put(t testing.TB, db store.DB, kv ...string) {
	t.Helper()
	update(t, db, func(tx store.Tx) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Put([]byte(kv[i]), []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// scan reads a range as "key=value" words.
func scan(r store.Reader, from, to []byte, reverse bool) ([]string, error) {
	out := []string{}
	for p, err := range r.Scan(from, to, reverse) {
		if err != nil {
			return nil, err
		}
		out = append(out, string(p.Key)+"="+string(p.Value))
	}
	return out, nil
}

func all(t testing.TB, db store.DB) []string {
	t.Helper()
	var out []string
	view(t, db, func(r store.Reader) (err error) {
		out, err = scan(r, nil, nil, false)
		return err
	})
	return out
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func wantKind(t testing.TB, err error, k fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != k {
		t.Fatalf("got error %v of kind %s, want kind %s", err, fault.KindOf(err), k)
	}
}

// doc is the suite's document.
type doc struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Rank  int64    `json:"rank"`
	Tags  []string `json:"tags,omitempty"`
	Email string   `json:"email,omitempty"`
}

func docs() *store.Collection[doc] {
	return store.NewCollection("doc", func(d doc) string { return d.ID },
		store.Index[doc]{Name: "rank", Keys: func(d doc) [][]byte { return store.Keys(d.Rank) }},
		store.Index[doc]{Name: "name", Keys: func(d doc) [][]byte { return store.Keys(d.Name, d.Rank) }},
		store.Index[doc]{Name: "tag", Keys: func(d doc) [][]byte {
			var out [][]byte
			for _, tag := range d.Tags {
				out = append(out, store.Key(tag))
			}
			return out
		}},
		store.Index[doc]{Name: "email", Unique: true, Keys: func(d doc) [][]byte {
			if d.Email == "" {
				return nil
			}
			return store.Keys(d.Email)
		}},
	)
}

func putDocs(t testing.TB, db store.DB, c *store.Collection[doc], ds ...doc) {
	t.Helper()
	update(t, db, func(tx store.Tx) error {
		for _, d := range ds {
			if err := c.Put(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func ids[T any](rows []store.Row[T], id func(T) string) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, id(r.Doc))
	}
	return out
}

func list(t testing.TB, db store.DB, c *store.Collection[doc], q store.Query[doc]) store.Page[doc] {
	t.Helper()
	var p store.Page[doc]
	view(t, db, func(r store.Reader) (err error) {
		p, err = c.List(r, q)
		return err
	})
	return p
}

func listIDs(t testing.TB, db store.DB, c *store.Collection[doc], q store.Query[doc]) []string {
	t.Helper()
	return ids(list(t, db, c, q).Rows, func(d doc) string { return d.ID })
}

// walk reads all pages of a query.
func walk(r store.Reader, c *store.Collection[doc], q store.Query[doc]) ([]string, error) {
	out := []string{}
	for range 10_000 {
		p, err := c.List(r, q)
		if err != nil {
			return nil, err
		}
		out = append(out, ids(p.Rows, func(d doc) string { return d.ID })...)
		if p.Next == "" {
			return out, nil
		}
		q.Cursor = p.Next
	}
	return nil, errors.New("the pages do not end")
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
