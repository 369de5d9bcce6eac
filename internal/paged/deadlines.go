package paged

import "time"

// Deadline is a time at which a row wants to be looked at.
type Deadline struct {
	At   time.Time
	Kind int // equal times are worked off in the order of kinds, then of keys
	Key  string
}

// Deadlines is a container/heap of deadlines in an order that depends on nothing
// but their values, so that a fold over them is deterministic.
type Deadlines []Deadline

func (h Deadlines) Len() int { return len(h) }
func (h Deadlines) Less(i, j int) bool {
	a, b := h[i], h[j]
	if !a.At.Equal(b.At) {
		return a.At.Before(b.At)
	}
	if a.Kind != b.Kind {
		return a.Kind < b.Kind
	}
	return a.Key < b.Key
}
func (h Deadlines) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *Deadlines) Push(x any) { *h = append(*h, x.(Deadline)) }

// Pop implements heap.Interface.
func (h *Deadlines) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
