package paged

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type item struct {
	N int            `json:"n"`
	M map[string]int `json:"m,omitempty"`
}

// disk is where pages go: nil bytes delete one.
type disk map[string][]byte

func (d disk) put(k string, v []byte) error {
	if v == nil {
		delete(d, k)
	} else {
		d[k] = bytes.Clone(v)
	}
	return nil
}

func (d disk) equal(o disk) bool { return maps.EqualFunc(d, o, bytes.Equal) }

type fatal interface{ Fatal(args ...any) }

func load(t fatal, d disk) *Table[item] {
	tb := NewTable[item]("t")
	for _, v := range d {
		if err := tb.Load(v); err != nil {
			t.Fatal(err)
		}
	}
	return tb
}

func saveAll(t fatal, tb *Table[item]) disk {
	d := disk{}
	if err := tb.SaveAll(d.put); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSaveEqualsSaveAll: whatever is done to a table, saved now and then, the
// pages equal those of a whole snapshot, and loading them gives the table back.
func TestSaveEqualsSaveAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tb, d, want := NewTable[item]("t"), disk{}, map[string]int{}
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("k%d", rapid.IntRange(0, 60).Draw(t, "key")) })
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			k := key.Draw(t, "k")
			switch rapid.SampledFrom([]string{"put", "put", "change", "delete", "save", "restart"}).Draw(t, "op") {
			case "put":
				n := rapid.Int().Draw(t, "n")
				tb.Put(k, &item{N: n, M: map[string]int{"b": 1, "a": n}})
				want[k] = n
			case "change":
				if v := tb.Get(k); v != nil {
					v.N++
					tb.Touch(k)
					want[k]++
				}
			case "delete":
				tb.Delete(k)
				delete(want, k)
			case "save":
				if err := tb.Save(d.put); err != nil {
					t.Fatal(err)
				}
			case "restart":
				if err := tb.Save(d.put); err != nil {
					t.Fatal(err)
				}
				tb = load(t, d)
			}
		}
		if err := tb.Save(d.put); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, k := range tb.Keys() {
			got[k] = tb.Get(k).N
		}
		if !maps.Equal(got, want) || tb.Len() != len(want) || !slices.IsSorted(tb.Keys()) {
			t.Fatalf("table %v, want %v", got, want)
		}
		if whole := saveAll(t, load(t, d)); !whole.equal(d) {
			t.Fatalf("incremental pages\n%q\nare not those of a whole snapshot\n%q", d, whole)
		}
	})
}

func TestBytesDoNotDependOnHistory(t *testing.T) {
	a, b := NewTable[item]("t"), NewTable[item]("t")
	for i := range 3000 {
		a.Put(fmt.Sprint(i), &item{N: i})
		b.Put(fmt.Sprint(2999-i), &item{N: 2999 - i})
		b.Put("gone", &item{})
	}
	b.Delete("gone")
	if !saveAll(t, a).equal(saveAll(t, b)) {
		t.Fatal("equal tables gave other bytes")
	}
}

func TestSaveWritesOnlyWhatChanged(t *testing.T) {
	tb, d := NewTable[item]("t"), disk{}
	for i := range 5000 {
		tb.Put(fmt.Sprint(i), &item{N: i})
	}
	if err := tb.Save(d.put); err != nil {
		t.Fatal(err)
	}
	var written []string
	note := func(k string, v []byte) error { written = append(written, k); return d.put(k, v) }
	if err := tb.Save(note); err != nil || len(written) != 0 {
		t.Fatalf("an unchanged table wrote %d pages, %v", len(written), err)
	}
	if load(t, d).Len() != 5000 {
		t.Fatal("rows were lost")
	}
	tb.Delete("never there")
	tb.Get("7").N = -7
	tb.Touch("7")
	if err := tb.Save(note); err != nil || len(written) != 1 || !strings.HasPrefix(written[0], "t/") {
		t.Fatalf("one changed row wrote the pages %q, %v", written, err)
	}
	if load(t, d).Get("7").N != -7 {
		t.Fatal("the change is not in the page")
	}
	fresh := load(t, d)
	written = nil
	if err := fresh.Save(note); err != nil || len(written) != 0 {
		t.Fatalf("a loaded table wrote %d pages, %v", len(written), err)
	}
}

// A page whose writing failed is written again: else the snapshot would miss it for good.
func TestFailedSaveIsRepeated(t *testing.T) {
	tb, d := NewTable[item]("t"), disk{}
	for i := range 50 {
		tb.Put(fmt.Sprint(i), &item{N: i})
	}
	full, n := errors.New("disk full"), 0
	err := tb.Save(func(k string, v []byte) error {
		if n++; n > 10 {
			return full
		}
		return d.put(k, v)
	})
	if !errors.Is(err, full) {
		t.Fatal(err)
	}
	if err := tb.Save(d.put); err != nil {
		t.Fatal(err)
	}
	if got := load(t, d).Len(); got != 50 {
		t.Fatalf("%d of 50 rows are in the snapshot", got)
	}
}

func TestUnreadablePageNamesItsTable(t *testing.T) {
	err := NewTable[item]("episodes").Load([]byte("{"))
	if err == nil || !strings.Contains(err.Error(), "episodes") {
		t.Fatalf("got %v", err)
	}
}
