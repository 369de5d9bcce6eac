package inventory

import "slices"

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
