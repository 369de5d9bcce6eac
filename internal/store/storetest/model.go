package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// model is what a collection of docs should be: a map, and lists made by sorting it.
type model map[string]store.Row[doc]

// entry is one line of an index as the model has it.
type entry struct {
	key []byte
	id  string
}

func (m model) entries(index string) []entry {
	var out []entry
	for id, r := range m {
		switch index {
		case "":
			out = append(out, entry{[]byte(id), id})
		case "rank":
			out = append(out, entry{store.Key(r.Doc.Rank), id})
		case "name":
			out = append(out, entry{store.Key(r.Doc.Name, r.Doc.Rank), id})
		case "tag":
			for tag := range maps.Keys(toSet(r.Doc.Tags)) {
				out = append(out, entry{store.Key(tag), id})
			}
		case "email":
			if r.Doc.Email != "" {
				out = append(out, entry{store.Key(r.Doc.Email), id})
			}
		}
	}
	slices.SortFunc(out, func(a, b entry) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	})
	return out
}

func toSet(l []string) map[string]bool {
	m := map[string]bool{}
	for _, x := range l {
		m[x] = true
	}
	return m
}

func (m model) holder(email, but string) string {
	for id, r := range m {
		if email != "" && r.Doc.Email == email && id != but {
			return id
		}
	}
	return ""
}

// collectionModel: whatever is done to a collection in whatever transactions, it
// equals the map, and its lists equal the sorted map.
func collectionModel(t *testing.T, b Backend) {
	word := rapid.SampledFrom([]string{"a", "b", "a\x00", "a\x00b", "é", "ab", "\u00ff"})
	gen := rapid.Custom(func(t *rapid.T) doc {
		return doc{
			ID: word.Draw(t, "id"), Name: word.Draw(t, "name"), Rank: rapid.Int64Range(-2, 2).Draw(t, "rank"),
			Tags: rapid.SliceOfN(word, 0, 3).Draw(t, "tags"), Email: rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "email"),
		}
	})
	giveUp := errors.New("the caller gives up")
	rapid.Check(t, func(rt *rapid.T) {
		db, c, m := b.Open(t), docs(), model{}
		defer db.Close()
		// Everything is drawn here: a closure runs on a goroutine of the backend.
		drawLists := func() (qs []store.Query[doc]) {
			for _, index := range []string{"", "rank", "name", "tag", "email"} {
				q := store.Query[doc]{
					Index: index, Limit: rapid.IntRange(1, 4).Draw(rt, "limit"), Scan: rapid.IntRange(0, 3).Draw(rt, "scan"),
					Reverse: rapid.Bool().Draw(rt, "reverse"),
				}
				if index != "" && rapid.Bool().Draw(rt, "prefixed") {
					q.Prefix = store.Key(word.Draw(rt, "prefix"))
				}
				qs = append(qs, q)
			}
			return qs
		}
		verify := func(r store.Reader, want model, qs []store.Query[doc]) error {
			for _, q := range qs {
				es := slices.DeleteFunc(want.entries(q.Index), func(e entry) bool { return !bytes.HasPrefix(e.key, q.Prefix) })
				if q.Reverse {
					slices.Reverse(es)
				}
				got, err := walk(r, c, q)
				if err != nil {
					return err
				}
				wantIDs := []string{}
				for _, e := range es {
					wantIDs = append(wantIDs, e.id)
				}
				if !slices.Equal(got, wantIDs) {
					return fmt.Errorf("list %+v:\n got %q\nwant %q", q, got, wantIDs)
				}
			}
			for id, row := range want {
				got, err := c.Get(r, id)
				if err != nil || asJSON(got) != asJSON(row) {
					return fmt.Errorf("get %q: %s %v, want %s", id, asJSON(got), err, asJSON(row))
				}
				if row.Doc.Email != "" {
					got, ok, err := c.Lookup(r, "email", store.Key(row.Doc.Email))
					if err != nil || !ok || got.Doc.ID != id {
						return fmt.Errorf("lookup %q: %v %v %v, want %q", row.Doc.Email, got, ok, err, id)
					}
				}
			}
			return nil
		}
		for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
			type op struct {
				kind string
				doc  doc
				rev  uint64
			}
			ops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
				return op{rapid.SampledFrom([]string{"put", "put", "putif", "delete"}).Draw(t, "op"), gen.Draw(t, "doc"), rapid.Uint64Range(0, 3).Draw(t, "rev")}
			}), 1, 6).Draw(rt, "ops")
			abort := rapid.IntRange(0, 5).Draw(rt, "abort") == 0
			within, after := drawLists(), drawLists()
			next := maps.Clone(m)
			err := db.Update(context.Background(), func(tx store.Tx) error {
				next = maps.Clone(m)
				for _, o := range ops {
					old := next[o.doc.ID]
					if o.kind == "delete" {
						if err := c.Delete(tx, o.doc.ID); err != nil {
							return err
						}
						delete(next, o.doc.ID)
						continue
					}
					var err error
					refuse := next.holder(o.doc.Email, o.doc.ID) != ""
					if o.kind == "put" {
						err = c.Put(tx, o.doc)
					} else {
						err = c.PutIf(tx, o.doc, o.rev)
						refuse = refuse || old.Revision != o.rev
					}
					switch {
					case refuse && fault.KindOf(err) != fault.Conflict:
						return fmt.Errorf("%+v: got %v, want a conflict", o, err)
					case !refuse && err != nil:
						return err
					case !refuse:
						next[o.doc.ID] = store.Row[doc]{Doc: o.doc, Revision: old.Revision + 1}
					}
				}
				if err := verify(tx, next, within); err != nil {
					return fmt.Errorf("within the transaction: %w", err)
				}
				if abort {
					return giveUp
				}
				return nil
			})
			switch {
			case abort && errors.Is(err, giveUp):
			case err != nil:
				rt.Fatal(err)
			default:
				m = next
			}
			if err := db.View(context.Background(), func(r store.Reader) error { return verify(r, m, after) }); err != nil {
				rt.Fatal(err)
			}
		}
	})
}
