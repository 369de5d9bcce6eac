package inventory

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/watchbill/watchbill/internal/fault"
)

type sortItem struct{ key, id string }

// sortKey returns what items sort by: a text whose order is the field's.
func (inv *Inventory) sortKey(field string) (func(uint32) string, error) {
	m := inv.mem
	// Eight bytes in the order of the numbers.
	stamp := func(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63)) }
	switch field {
	case "class":
		return func(o uint32) string { return m.classes[m.entries[o].class] }, nil
	case "seen", "last_seen":
		return func(o uint32) string { return stamp(m.entries[o].lastSeen) }, nil
	case "first_seen":
		return func(o uint32) string { return stamp(m.entries[o].firstSeen) }, nil
	case "liveness":
		return func(o uint32) string { return string(livenessNames[m.entries[o].live]) }, nil
	}
	col := m.columns[columnOf(field)]
	if col == nil {
		if inv.knownField(columnOf(field)) {
			return func(uint32) string { return "" }, nil
		}
		return nil, fault.Invalidf("sort", "no item has a field %q%s", field, inv.suggest(field))
	}
	keys := map[uint32]string{} // few values stand on many items: each is written once
	return func(o uint32) string {
		id, ok := m.valueOf(o, col)
		if !ok {
			return ""
		}
		v := &col.values[id]
		if !v.is {
			return v.text
		}
		k, ok := keys[id]
		if !ok {
			k = v.key()
			keys[id] = k
		}
		return k
	}, nil
}

// key is a text whose order is the value's.
func (v *value) key() string {
	if v.is {
		return sortable(v.num)
	}
	return v.text
}

// sortable writes a number so that text order is number order.
func sortable(f float64) string {
	if f < 0 {
		return fmt.Sprintf("-%030.6f", 1e22+f)
	}
	return fmt.Sprintf("0%030.6f", f)
}

// sortOrder compares by key and id. What lacks the field comes last either way.
func sortOrder(down bool) func(a, b sortItem) int {
	return func(a, b sortItem) int {
		if (a.key == "") != (b.key == "") {
			if a.key == "" {
				return 1
			}
			return -1
		}
		c := strings.Compare(a.key, b.key)
		if down {
			c = -c
		}
		return cmp.Or(c, strings.Compare(a.id, b.id))
	}
}

// fewValues is up to how many values a field is sorted by walking its values; with
// more, looking at each item is cheaper.
const fewValues = 4096

// byValues walks a field's values in order until the page is full, and looks at the
// items of those values only.
func (m *memory) byValues(set *roaring.Bitmap, col *column, order func(a, b sortItem) int, limit int, resume bool, from sortItem) *top[sortItem] {
	type valueAt struct {
		id  uint32
		key string
	}
	values := make([]valueAt, 0, len(col.values))
	for i := range col.values {
		if v := &col.values[i]; v.post.len() > 0 {
			values = append(values, valueAt{uint32(i), v.key()})
		}
	}
	slices.SortFunc(values, func(a, b valueAt) int { return order(sortItem{key: a.key}, sortItem{key: b.key}) })
	top := newTop(limit, order)
	add := func(o uint32, key string) {
		x := sortItem{key, m.entries[o].id}
		if !resume || order(x, from) > 0 {
			top.add(x)
		}
	}
	for i, v := range values {
		if resume && order(sortItem{key: v.key}, sortItem{key: from.key}) < 0 {
			continue // all of them stand before the cursor
		}
		if len(top.items) == limit && v.key != values[i-1].key {
			return top
		}
		col.values[v.id].post.each(0, func(o uint32) {
			// An item with several values stands where its first one does.
			if first, _ := m.valueOf(o, col); first == v.id && set.Contains(o) {
				add(o, v.key)
			}
		})
	}
	if len(top.items) == limit {
		return top
	}
	for it := set.Iterator(); it.HasNext(); {
		if o := it.Next(); !m.has(o, col) {
			add(o, "")
		}
	}
	return top
}

func (m *memory) has(o uint32, col *column) bool {
	_, ok := m.valueOf(o, col)
	return ok
}

// columnOf is the column behind a field's short name.
func columnOf(field string) string {
	switch field {
	case "class", "seen", "last_seen", "first_seen", "liveness":
		return "" // kept beside the columns
	}
	return cmp.Or(fieldAliases[field], field)
}

// top keeps the first n of what is added, by order.
type top[T any] struct {
	n     int
	order func(a, b T) int
	items []T // a heap whose root is the last of the kept
}

func newTop[T any](n int, order func(a, b T) int) *top[T] { return &top[T]{n: n, order: order} }

func (t *top[T]) add(x T) {
	if len(t.items) == t.n {
		if t.order(x, t.items[0]) >= 0 {
			return
		}
		t.items[0] = x
		for i := 0; ; {
			c := 2*i + 1
			if c >= len(t.items) {
				return
			}
			if c+1 < len(t.items) && t.order(t.items[c+1], t.items[c]) > 0 {
				c++
			}
			if t.order(t.items[c], t.items[i]) <= 0 {
				return
			}
			t.items[i], t.items[c] = t.items[c], t.items[i]
			i = c
		}
	}
	t.items = append(t.items, x)
	for i := len(t.items) - 1; i > 0; {
		p := (i - 1) / 2
		if t.order(t.items[i], t.items[p]) <= 0 {
			return
		}
		t.items[i], t.items[p] = t.items[p], t.items[i]
		i = p
	}
}

func (t *top[T]) sorted() []T {
	slices.SortFunc(t.items, t.order)
	return t.items
}
