package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestHaystackFindsWhatEachValueContains: whatever came and went, a word is found in
// the values that contain it, and in no other, each once.
func TestHaystackFindsWhatEachValueContains(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab-ü1")), 1, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory()
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := fmt.Sprintf("ci%d", rapid.IntRange(0, 8).Draw(t, "item"))
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				m.remove(id)
				continue
			}
			x := indexed{id: id, class: "host", name: text.Draw(t, "name")}
			x.rest(x.name, "host", "import", nil, rapid.SliceOfN(text, 0, 3).Draw(t, "aliases"), nil)
			m.keep(&x)
			if step%7 == 0 { // as if half of it were gone
				for _, col := range m.columns {
					if col.hay != nil && len(col.hay.text) > 0 {
						col.hay.dead = 1 << 30
						col.hay.drop(0, 0, col.values)
					}
				}
			}
		}
		needle := rapid.StringOfN(rapid.SampledFrom([]rune("ab-ü1")), 1, 3, -1).Draw(t, "needle")
		for _, name := range []string{"name", "alias"} {
			col := m.columns[name]
			if col == nil {
				continue
			}
			var got, want []string
			col.hay.find(needle, col.values, func(v *value) { got = append(got, v.text) })
			for _, v := range col.values {
				if v.text != "" && strings.Contains(v.text, needle) {
					want = append(want, v.text)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%q in %s: %q, want %q", needle, name, got, want)
			}
		}
	})
}
