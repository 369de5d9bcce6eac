package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

func documents(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putDocs(t, db, c, doc{ID: "a", Name: "x", Tags: []string{"t"}})
	putDocs(t, db, c, doc{ID: "a", Name: "y"}, doc{ID: "b"})
	view(t, db, func(r store.Reader) error {
		row, err := c.Get(r, "a")
		if err != nil || row.Doc.Name != "y" || row.Revision != 2 {
			return fmt.Errorf("got %+v, %v; want the second form at revision 2", row, err)
		}
		if _, ok, err := c.Find(r, "none"); ok || err != nil {
			return fmt.Errorf("find of a missing one: %v %v", ok, err)
		}
		_, err = c.Get(r, "none")
		wantKind(t, err, fault.NotFound)
		var bodies []string
		for b, err := range c.Bodies(r) {
			var d doc
			if err = errors.Join(err, json.Unmarshal(b.JSON, &d)); err != nil {
				return err
			}
			bodies = append(bodies, b.ID+" is "+d.ID+d.Name)
		}
		equal(t, "bodies", bodies, []string{"a is ay", "b is b"})
		return nil
	})
	for index, want := range map[string][]string{"name": {"b", "a"}, "tag": {}, "": {"a", "b"}} {
		equal(t, "index "+index, listIDs(t, db, c, store.Query[doc]{Index: index}), want)
	}
	update(t, db, func(tx store.Tx) error {
		return errors.Join(c.Delete(tx, "a"), c.Delete(tx, "b"), c.Delete(tx, "none"))
	})
	if left := all(t, db); len(left) != 0 {
		t.Fatalf("deleting every document leaves %q", left)
	}
}

// encodeNew: what is made without a look at the store equals what Put makes of it,
// can be put again, and can be changed and deleted like any other.
func encodeNew(t *testing.T, b Backend) {
	c := store.NewCollection("d", func(d doc) string { return d.ID },
		store.Index[doc]{Name: "name", Keys: func(d doc) [][]byte { return store.Keys(d.Name) }},
		store.Index[doc]{Name: "tag", Keys: func(d doc) [][]byte { return eachTag(d.Tags) }})
	x := doc{ID: "a", Name: "x", Tags: []string{"t", "u"}}
	plain, made := b.Open(t), b.Open(t)
	putDocs(t, plain, c, x)
	pairs, err := c.EncodeNew(x)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		update(t, made, func(tx store.Tx) error {
			for _, p := range pairs {
				if err := tx.Put(p.Key, p.Value); err != nil {
					return err
				}
			}
			return nil
		})
		equal(t, "stored", all(t, made), all(t, plain))
	}
	putDocs(t, made, c, doc{ID: "a", Name: "y", Tags: []string{"u"}})
	putDocs(t, plain, c, doc{ID: "a", Name: "y", Tags: []string{"u"}})
	equal(t, "changed", all(t, made), all(t, plain))
	for _, id := range []string{"", strings.Repeat("i", 2000)} {
		_, err := c.EncodeNew(doc{ID: id})
		wantKind(t, err, fault.Invalid)
	}
	only := store.NewCollection("u", func(d doc) string { return d.ID },
		store.Index[doc]{Name: "name", Unique: true, Keys: func(d doc) [][]byte { return store.Keys(d.Name) }})
	if _, err := only.EncodeNew(x); err == nil {
		t.Fatal("a unique key was given away without a look at who holds it")
	}
}

// overwrite: a document that is written without a look at the one before is read as
// if it had been put, and can be deleted; where there is an index it is refused.
func overwrite(t *testing.T, b Backend) {
	c := store.NewCollection("o", func(d doc) string { return d.ID })
	plain, made := b.Open(t), b.Open(t)
	putDocs(t, plain, c, doc{ID: "a", Name: "x"})
	for _, name := range []string{"w", "x"} {
		update(t, made, func(tx store.Tx) error { return c.Overwrite(tx, doc{ID: "a", Name: name}) })
	}
	equal(t, "stored", all(t, made), all(t, plain))
	update(t, made, func(tx store.Tx) error { return c.Delete(tx, "a") })
	equal(t, "deleted", all(t, made), all(t, b.Open(t)))
	indexed := store.NewCollection("i", func(d doc) string { return d.ID },
		store.Index[doc]{Name: "name", Keys: func(d doc) [][]byte { return store.Keys(d.Name) }})
	err := made.Update(context.Background(), func(tx store.Tx) error { return indexed.Overwrite(tx, doc{ID: "a"}) })
	if err == nil {
		t.Fatal("a document with index entries was overwritten without a look at them")
	}
	err = made.Update(context.Background(), func(tx store.Tx) error { return c.Overwrite(tx, doc{}) })
	wantKind(t, err, fault.Invalid)
}

func eachTag(tags []string) [][]byte {
	out := make([][]byte, len(tags))
	for i, x := range tags {
		out[i] = store.Key(x)
	}
	return out
}

// indexOrder: the bytes of keys must sort as their parts do.
func indexOrder(t *testing.T, b Backend) {
	now := time.Date(2026, 11, 21, 6, 40, 14, 123, time.UTC)
	for name, keys := range map[string][][]byte{
		"strings":   {store.Key(""), store.Key("\x00"), store.Key("\x00\x00"), store.Key("\x00\x01"), store.Key("\x01"), store.Key("a"), store.Key("a\x00"), store.Key("a\x00b"), store.Key("a\x01"), store.Key("ab"), store.Key("b"), store.Key("\xff")},
		"parts":     {store.Key("a"), store.Key("a", ""), store.Key("a", "b"), store.Key("a", "c"), store.Key("a\x00", "a"), store.Key("ab"), store.Key("ab", "")},
		"integers":  {store.Key(int64(math.MinInt64)), store.Key(-256), store.Key(-1), store.Key(0), store.Key(1), store.Key(255), store.Key(256), store.Key(int64(math.MaxInt64))},
		"unsigned":  {store.Key(uint64(0)), store.Key(uint64(1)), store.Key(uint64(math.MaxUint64))},
		"bools":     {store.Key(false), store.Key(false, 1), store.Key(true)},
		"times":     {store.Key(time.Time{}), store.Key(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)), store.Key(time.Date(1969, 1, 1, 0, 0, 0, 5, time.UTC)), store.Key(time.Unix(0, 0)), store.Key(now), store.Key(now.Add(1)), store.Key(now.Add(time.Second)), store.Key(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))},
		"mixed":     {store.Key("a", -1, "z"), store.Key("a", 0, "b"), store.Key("a", 0, "b", now), store.Key("a", 0, "c"), store.Key("b", -5)},
		"long ones": {store.Key("a" + strings.Repeat("x", 4000)), store.Key("b"), store.Key("b" + strings.Repeat("x", 4000)), store.Key("c")},
	} {
		type item struct {
			ID string
			N  int
		}
		db := b.Open(t)
		c := store.NewCollection("item", func(i item) string { return i.ID }, store.Index[item]{Name: "k", Keys: func(i item) [][]byte { return keys[i.N : i.N+1] }})
		var want []string
		update(t, db, func(tx store.Tx) error {
			want = nil
			for n := range keys {
				// Two documents under each key, in id order; ids that look like keys' ends.
				for _, id := range []string{fmt.Sprintf(" %02d", n), fmt.Sprintf("z\x00\x01%02d", n)} {
					want = append(want, id)
					if err := c.Put(tx, item{id, n}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		view(t, db, func(r store.Reader) error {
			p, err := c.List(r, store.Query[item]{Index: "k"})
			equal(t, name, ids(p.Rows, func(i item) string { return i.ID }), want)
			if err != nil {
				return err
			}
			p, err = c.List(r, store.Query[item]{Index: "k", Reverse: true})
			slices.Reverse(want)
			equal(t, name+" backwards", ids(p.Rows, func(i item) string { return i.ID }), want)
			return err
		})
	}
	if bytes.Equal(store.Key(strings.Repeat("x", 4000)), store.Key(strings.Repeat("x", 4001))) {
		t.Fatal("two long strings have one key")
	}
	if len(store.Key(strings.Repeat("\x00", 100_000))) > store.MaxKey/2 {
		t.Fatal("one long string fills a whole key")
	}
}

func partialAndMulti(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putDocs(t, db, c, doc{ID: "a", Tags: []string{"red", "blue", "red"}}, doc{ID: "b", Tags: []string{"red"}}, doc{ID: "c"})
	tagged := func(tag string) []string {
		return listIDs(t, db, c, store.Query[doc]{Index: "tag", Prefix: store.Key(tag)})
	}
	equal(t, "red", tagged("red"), []string{"a", "b"})
	equal(t, "blue", tagged("blue"), []string{"a"})
	equal(t, "all tags", listIDs(t, db, c, store.Query[doc]{Index: "tag"}), []string{"a", "a", "b"})
	equal(t, "documents without a tag stay out", listIDs(t, db, c, store.Query[doc]{Index: "email"}), []string{})
	putDocs(t, db, c, doc{ID: "a", Tags: []string{"green"}}, doc{ID: "c", Tags: []string{"red"}})
	equal(t, "red after edits", tagged("red"), []string{"b", "c"})
	equal(t, "blue after edits", tagged("blue"), []string{})
	equal(t, "a tag is not the beginning of another", tagged("gree"), []string{})
}

func unique(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putDocs(t, db, c, doc{ID: "a", Email: "a@x"}, doc{ID: "b", Email: "b@x"})
	err := db.Update(context.Background(), func(tx store.Tx) error { return c.Put(tx, doc{ID: "c", Email: "a@x"}) })
	wantKind(t, err, fault.Conflict)
	if !strings.Contains(err.Error(), `"a"`) {
		t.Fatalf("%q does not name the holder", err)
	}
	lookup := func(email string) string {
		var id string
		view(t, db, func(r store.Reader) error {
			row, ok, err := c.Lookup(r, "email", store.Key(email))
			if ok {
				id = row.Doc.ID
			}
			return err
		})
		return id
	}
	putDocs(t, db, c, doc{ID: "a", Email: "a@x", Name: "kept"}, doc{ID: "b", Email: "b2@x"}, doc{ID: "c", Email: "b@x"})
	for email, want := range map[string]string{"a@x": "a", "b@x": "c", "b2@x": "b", "none": ""} {
		if got := lookup(email); got != want {
			t.Errorf("lookup of %s gives %q, want %q", email, got, want)
		}
	}
	equal(t, "walk of a unique index", listIDs(t, db, c, store.Query[doc]{Index: "email"}), []string{"a", "b", "c"})
	view(t, db, func(r store.Reader) error {
		for _, index := range []string{"rank", "no such index"} {
			if _, _, err := c.Lookup(r, index, store.Key("x")); err == nil {
				t.Errorf("lookup in %q, which is not a unique index, is no error", index)
			}
		}
		return nil
	})
}

func refusedLeavesNothing(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putDocs(t, db, c, doc{ID: "a", Email: "a@x"}, doc{ID: "b", Name: "b", Rank: 7, Tags: []string{"t"}, Email: "b@x"})
	before := all(t, db)
	update(t, db, func(tx store.Tx) error {
		err := c.Put(tx, doc{ID: "b", Name: "other", Rank: 8, Email: "a@x"})
		if fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("want a conflict, got %v", err)
		}
		return nil // the caller takes it for an answer and commits what else it did
	})
	equal(t, "what a refused document left", all(t, db), before)
}

func revisions(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putIf := func(d doc, rev uint64) error {
		return db.Update(context.Background(), func(tx store.Tx) error { return c.PutIf(tx, d, rev) })
	}
	wantKind(t, putIf(doc{ID: "a"}, 1), fault.Conflict)
	for rev := range uint64(3) {
		if err := putIf(doc{ID: "a", Rank: int64(rev)}, rev); err != nil {
			t.Fatal(err)
		}
	}
	for _, stale := range []uint64{0, 2, 4} {
		err := putIf(doc{ID: "a", Name: "lost update"}, stale)
		wantKind(t, err, fault.Conflict)
		if !strings.Contains(err.Error(), "revision 3") {
			t.Fatalf("%q does not tell the current revision", err)
		}
	}
	view(t, db, func(r store.Reader) error {
		row, err := c.Get(r, "a")
		if row.Revision != 3 || row.Doc.Rank != 2 || row.Doc.Name != "" {
			t.Fatalf("got %+v", row)
		}
		return err
	})
}

func badIDs(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	for _, id := range []string{"", strings.Repeat("x", 2000)} {
		wantKind(t, db.Update(context.Background(), func(tx store.Tx) error { return c.Put(tx, doc{ID: id}) }), fault.Invalid)
	}
	odd := []string{" ", "\x00", "\x01", "\x04abc\x00\x01", "a\x00b", "a\x00\x01", "é", strings.Repeat("x", 1000), "~", "a/b"}
	for _, id := range odd {
		putDocs(t, db, c, doc{ID: id, Rank: 1, Name: "n\x00"})
	}
	slices.Sort(odd)
	for _, index := range []string{"", "rank", "name"} {
		equal(t, "ids by "+index, listIDs(t, db, c, store.Query[doc]{Index: index}), odd)
	}
}

func lists(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	var ds []doc
	for i := range 10 {
		ds = append(ds, doc{ID: fmt.Sprintf("id%d", i), Rank: int64(i), Name: []string{"even", "odd"}[i%2]})
	}
	putDocs(t, db, c, ds...)
	// A sibling whose name begins with the collection's must not be seen.
	sibling := store.NewCollection("doc2", func(d doc) string { return d.ID })
	putDocs(t, db, sibling, doc{ID: "id1"})

	even := func(d doc) bool { return d.Rank%2 == 0 }
	for name, c2 := range map[string]struct {
		q    store.Query[doc]
		want string
	}{
		"all":                         {store.Query[doc]{}, "0123456789"},
		"backwards":                   {store.Query[doc]{Reverse: true}, "9876543210"},
		"ids from":                    {store.Query[doc]{From: []byte("id3")}, "3456789"},
		"ids to":                      {store.Query[doc]{To: []byte("id3")}, "012"},
		"ids in a range backwards":    {store.Query[doc]{From: []byte("id2"), To: []byte("id5"), Reverse: true}, "432"},
		"id prefix":                   {store.Query[doc]{Prefix: []byte("id7")}, "7"},
		"index prefix":                {store.Query[doc]{Index: "name", Prefix: store.Key("odd")}, "13579"},
		"index prefix from":           {store.Query[doc]{Index: "name", Prefix: store.Key("odd"), From: store.Key("odd", 4)}, "579"},
		"index prefix to":             {store.Query[doc]{Index: "name", Prefix: store.Key("odd"), To: store.Key("odd", 4)}, "13"},
		"from before the prefix":      {store.Query[doc]{Index: "name", Prefix: store.Key("odd"), From: store.Key("even", 4)}, "13579"},
		"to after the prefix":         {store.Query[doc]{Index: "name", Prefix: store.Key("even"), To: store.Key("odd", 4)}, "02468"},
		"from after the prefix":       {store.Query[doc]{Index: "name", Prefix: store.Key("even"), From: store.Key("odd", 4)}, ""},
		"negative to":                 {store.Query[doc]{Index: "rank", To: store.Key(-1)}, ""},
		"filter":                      {store.Query[doc]{Keep: even}, "02468"},
		"filter backwards in a range": {store.Query[doc]{Index: "rank", From: store.Key(3), Reverse: true, Keep: even}, "864"},
	} {
		for _, limit := range []int{0, 1, 3, 10} {
			for _, bound := range []int{0, 1, 4} {
				q := c2.q
				q.Limit, q.Scan = limit, bound
				view(t, db, func(r store.Reader) error {
					got, err := walk(r, c, q)
					if s := strings.ReplaceAll(strings.Join(got, ""), "id", ""); s != c2.want {
						t.Errorf("%s, limit %d, scan %d: got %s, want %s", name, limit, bound, s, c2.want)
					}
					return err
				})
			}
		}
	}
	if p := list(t, db, c, store.Query[doc]{Limit: 10}); p.Next != "" {
		t.Error("a page that ends with the list has a cursor")
	}
	if p := list(t, db, c, store.Query[doc]{Keep: func(doc) bool { return false }, Scan: 4}); p.Next == "" || len(p.Rows) != 0 {
		t.Error("a bounded scan that found nothing must go on where it stopped")
	}
	if err := db.View(context.Background(), func(r store.Reader) error {
		_, err := c.List(r, store.Query[doc]{Index: "none"})
		return err
	}); err == nil {
		t.Error("an index that is not declared is no error")
	}
}

func cursors(t *testing.T, b Backend) {
	for _, reverse := range []bool{false, true} {
		db, c := b.Open(t), docs()
		for i := range 9 {
			putDocs(t, db, c, doc{ID: fmt.Sprintf("id%d", i), Rank: int64(10 * i)})
		}
		q := store.Query[doc]{Index: "rank", Limit: 3, Reverse: reverse}
		seen := map[string]int{}
		for page := 0; ; page++ {
			p := list(t, db, c, q)
			for _, r := range p.Rows {
				seen[r.Doc.ID]++
			}
			if p.Next == "" {
				break
			}
			q.Cursor = p.Next
			last := p.Rows[len(p.Rows)-1].Doc
			// The row that the cursor stands on goes away, rows before it and after it come.
			update(t, db, func(tx store.Tx) error { return c.Delete(tx, last.ID) })
			putDocs(t, db, c,
				doc{ID: fmt.Sprintf("below%d", page), Rank: last.Rank - 1}, doc{ID: fmt.Sprintf("above%d", page), Rank: last.Rank + 1})
		}
		for i := range 9 {
			if id := fmt.Sprintf("id%d", i); seen[id] != 1 {
				t.Errorf("reverse %v: %s was seen %d times", reverse, id, seen[id])
			}
		}
		ahead, behind := "above0", "below0"
		if reverse {
			ahead, behind = behind, ahead
		}
		if seen[ahead] != 1 || seen[behind] != 0 {
			t.Errorf("reverse %v: a row that came ahead was seen %d times, one that came behind %d", reverse, seen[ahead], seen[behind])
		}
	}
}

func foreignCursors(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	for i := range 6 {
		putDocs(t, db, c, doc{ID: fmt.Sprintf("id%d", i), Name: []string{"mine", "theirs"}[i%2], Rank: int64(i), Tags: []string{"t"}})
	}
	mine := list(t, db, c, store.Query[doc]{Index: "name", Prefix: store.Key("mine"), Limit: 1}).Next
	theirs := list(t, db, c, store.Query[doc]{Index: "name", Prefix: store.Key("theirs"), Limit: 1}).Next
	byTag := list(t, db, c, store.Query[doc]{Index: "tag", Limit: 1}).Next
	for what, q := range map[string]store.Query[doc]{
		"of another prefix":  {Index: "name", Prefix: store.Key("mine"), Cursor: theirs},
		"of an earlier one":  {Index: "name", Prefix: store.Key("theirs"), Cursor: mine},
		"backwards":          {Index: "name", Prefix: store.Key("mine"), Cursor: theirs, Reverse: true},
		"of another index":   {Index: "name", Cursor: byTag},
		"of the primary":     {Cursor: mine},
		"beyond a range":     {Index: "name", To: store.Key("mine"), Cursor: mine},
		"no base64":          {Index: "name", Cursor: "not a cursor!"},
		"nothing":            {Index: "name", Cursor: "AAAA"},
		"a key of elsewhere": {Index: "name", Cursor: "bS9zY2hlbWE"},
	} {
		err := db.View(context.Background(), func(r store.Reader) error {
			_, err := c.List(r, q)
			return err
		})
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "cursor") {
			t.Errorf("a cursor %s: got %v, want Invalid of the field cursor", what, err)
		}
	}
	if got := listIDs(t, db, c, store.Query[doc]{Index: "name", Prefix: store.Key("mine"), Cursor: mine}); len(got) != 2 {
		t.Errorf("its own cursor gives %q", got)
	}
}

// damage overwrites the stored row of an id.
func damage(t testing.TB, db store.DB, id string) {
	t.Helper()
	update(t, db, func(tx store.Tx) error {
		for p, err := range tx.Scan([]byte("d/"), store.PrefixEnd([]byte("d/")), false) {
			if err != nil {
				return err
			}
			if bytes.HasSuffix(p.Key, []byte("\x00"+id)) {
				return tx.Put(p.Key, []byte("\x05{not json"))
			}
		}
		return fmt.Errorf("no row of %s", id)
	})
}

func undecodable(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	for i := range 4 {
		putDocs(t, db, c, doc{ID: fmt.Sprintf("id%d", i), Rank: int64(i), Email: fmt.Sprintf("%d@x", i)})
	}
	damage(t, db, "id2")
	for _, index := range []string{"", "rank", "email"} {
		p := list(t, db, c, store.Query[doc]{Index: index, Limit: 3})
		equal(t, "readable by "+index, ids(p.Rows, func(d doc) string { return d.ID }), []string{"id0", "id1", "id3"})
		if len(p.Unreadable) != 1 || p.Unreadable[0].ID != "id2" || !strings.Contains(p.Unreadable[0].Error(), `doc "id2"`) {
			t.Fatalf("unreadable by %q: %v", index, p.Unreadable)
		}
	}
	err := db.View(context.Background(), func(r store.Reader) error {
		_, err := c.Get(r, "id2")
		return err
	})
	var u *store.Undecodable
	if !errors.As(err, &u) || u.ID != "id2" || u.Collection != "doc" {
		t.Fatalf("get of a damaged row: %v", err)
	}
	err = db.Update(context.Background(), func(tx store.Tx) error { return c.Put(tx, doc{ID: "new", Email: "2@x"}) })
	wantKind(t, err, fault.Conflict) // what cannot be read may well hold its key
	putDocs(t, db, c, doc{ID: "id2", Rank: 9, Email: "mended@x"})
	equal(t, "after mending", listIDs(t, db, c, store.Query[doc]{Index: "rank"}), []string{"id0", "id1", "id3", "id2"})
	damage(t, db, "id3")
	update(t, db, func(tx store.Tx) error { return c.Delete(tx, "id3") })
	p := list(t, db, c, store.Query[doc]{Index: "rank"})
	if len(p.Rows) != 3 || len(p.Unreadable) != 0 {
		t.Fatalf("after deleting a damaged row: %+v", p)
	}
}

// staleEntries: replacing a damaged row leaves index entries of what it was.
func staleEntries(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	putDocs(t, db, c, doc{ID: "a", Rank: 1, Email: "old@x"})
	damage(t, db, "a")
	putDocs(t, db, c, doc{ID: "a", Rank: 2, Email: "new@x"})
	equal(t, "by rank", listIDs(t, db, c, store.Query[doc]{Index: "rank"}), []string{"a"})
	equal(t, "by email", listIDs(t, db, c, store.Query[doc]{Index: "email"}), []string{"a"})
	view(t, db, func(r store.Reader) error {
		_, ok, err := c.Lookup(r, "email", store.Key("old@x"))
		if ok {
			t.Error("lookup finds a document under a key that it does not have")
		}
		return err
	})
	putDocs(t, db, c, doc{ID: "b", Email: "old@x"}) // a key that nobody has can be taken
	view(t, db, func(r store.Reader) error {
		row, ok, err := c.Lookup(r, "email", store.Key("old@x"))
		if !ok || row.Doc.ID != "b" {
			t.Errorf("lookup gives %+v", row)
		}
		return err
	})
}
