package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/cmdb"
)

// TestAStartIndexesWhatAWriteIndexes: what a start reads out of a stored document
// is what the index had of it when it was written.
func TestAStartIndexesWhatAWriteIndexes(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"web-1", "", "ü <&> \u2028", "1e3", "true", `a"b\c`}))
	value := rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }), rapid.Map(rapid.IntRange(-5, 1<<40), func(n int) any { return n }),
		rapid.Map(rapid.SampledFrom([]float64{1e21, 1e-7, 1e300, -0.5, 4294967296}), func(f float64) any { return f }),
		rapid.Map(rapid.SliceOfN(text, 0, 3), func(s []string) any { return s }), rapid.Map(rapid.SliceOfN(rapid.Float64(), 0, 3), func(s []float64) any { return s }),
	)
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1, 1<<33).Draw(t, "at"), 0).UTC()
		c := cmdb.CI{
			ID: "ci1", Class: "host", Name: text.Draw(t, "name"), Source: rapid.SampledFrom([]string{"agent", "import"}).Draw(t, "source"),
			Attributes: cmdb.Attributes{}, Labels: rapid.MapOfN(text, text, 0, 2).Draw(t, "labels"), Tags: rapid.SliceOfN(text, 0, 2).Draw(t, "tags"),
			Aliases: rapid.SliceOfN(text, 0, 2).Draw(t, "aliases"), Parent: "p", Key: "unit:a", FirstSeen: at, LastSeen: at.Add(time.Hour),
			Liveness: rapid.SampledFrom(livenessNames[:]).Draw(t, "liveness"), Incomplete: rapid.SliceOfN(text, 0, 2).Draw(t, "incomplete"),
			Claims: map[string][]cmdb.Claim{"owner": {{Source: "person:eve", Value: []string{"a"}, At: at}}},
		}
		for k, v := range rapid.MapOfN(text, value, 0, 6).Draw(t, "attributes") {
			if v = cmdb.Normalize(v); v != nil {
				c.Attributes[k] = v
			}
		}
		if rapid.Bool().Draw(t, "missing") {
			c.Missing = at
		}
		if rapid.Bool().Draw(t, "heard") {
			c.Heard = map[string]time.Time{"import": at}
		}
		b, err := json.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		var stored cmdb.CI
		if err := json.Unmarshal(b, &stored); err != nil {
			t.Fatal(err)
		}
		d, err := decodeLoaded[loadedCI](b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		got, want := d.index(), indexOf(&stored)
		for _, x := range []*indexed{&got, &want} {
			slices.SortFunc(x.pairs, func(a, b pair) int { return slices.Compare([]string{a.column, a.text}, []string{b.column, b.text}) })
		}
		if fmt.Sprintf("%q", got.pairs) != fmt.Sprintf("%q", want.pairs) {
			t.Fatalf("%s\nread    %q\nwritten %q", b, got.pairs, want.pairs)
		}
		got.pairs, want.pairs = nil, nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s\nread    %+v\nwritten %+v", b, got, want)
		}
	})
}

// TestWorkSideBySideKeepsTheOrder: outcomes are applied in the order of what was
// read, and everything before an error is applied.
func TestWorkSideBySideKeepsTheOrder(t *testing.T) {
	broken := errors.New("broken")
	items := func(n int, err error) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
			}
		}
	}
	for _, fails := range []error{nil, broken} {
		var got []int
		err := inOrder(chunks(items(1000, fails), 7), func(in []int) int { return len(in)*1000 + in[0] }, func(x int) { got = append(got, x) })
		if !errors.Is(err, fails) || !slices.IsSorted(got[:len(got)-1]) || len(got) != 143 && fails == nil || len(got) != 142 && fails != nil {
			t.Errorf("%v: %d outcomes %v, error %v", fails, len(got), got, err)
		}
	}
}
