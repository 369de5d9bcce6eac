package paged

import (
	"container/heap"
	"time"
)

// Deadline is a time at which a row wants to be looked at.
type Deadline struct {
	At   time.Time
	Kind int // equal times are worked off in the order of kinds, then of keys
	Key  string
}

// Deadlines says when which row wants to be looked at, in an order that depends on
// nothing but their values, so that a fold over them is deterministic. The zero
// value holds none.
type Deadlines struct{ h deadlineHeap }

// Schedule sets a row's deadline, which is kept in field; a zero d.At cancels it.
// Deadlines are whole milliseconds, as journal time is, and never earlier than asked
// for: else a tick would come before what it is for, find nothing due, and come again
// for ever. Entries that no longer equal their row's deadline are dead: a restored
// state has none of them, so they must never be seen from outside.
func (ds *Deadlines) Schedule(field *time.Time, d Deadline) {
	if ms := d.At.Truncate(time.Millisecond); ms.Before(d.At) {
		d.At = ms.Add(time.Millisecond)
	}
	if field.Equal(d.At) {
		return
	}
	*field = d.At
	ds.Restore(d)
}

// Restore takes a row's deadline from a snapshot; a zero one is none.
func (ds *Deadlines) Restore(d Deadline) {
	if !d.At.IsZero() {
		heap.Push(&ds.h, d)
	}
}

// Next returns the first deadline. field finds where a row keeps its own, nil
// where the row is gone; dead entries are dropped.
func (ds *Deadlines) Next(field func(Deadline) *time.Time) (Deadline, bool) {
	for len(ds.h) > 0 {
		d := ds.h[0]
		if at := field(d); at != nil && at.Equal(d.At) {
			return d, true
		}
		heap.Pop(&ds.h)
	}
	return Deadline{}, false
}

// Any says whether a deadline is one that want says. It walks them all.
func (ds *Deadlines) Any(field func(Deadline) *time.Time, want func(Deadline) bool) bool {
	for _, d := range ds.h {
		if at := field(d); at != nil && at.Equal(d.At) && want(d) {
			return true
		}
	}
	return false
}

// Take removes and returns the first deadline that is not after now, and clears
// its row's: that changes the row, so its page must be marked whatever is done then.
func (ds *Deadlines) Take(now time.Time, field func(Deadline) *time.Time) (Deadline, bool) {
	d, ok := ds.Next(field)
	if !ok || d.At.After(now) {
		return Deadline{}, false
	}
	heap.Pop(&ds.h)
	*field(d) = time.Time{}
	return d, true
}

type deadlineHeap []Deadline

func (h deadlineHeap) Len() int { return len(h) }
func (h deadlineHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if !a.At.Equal(b.At) {
		return a.At.Before(b.At)
	}
	if a.Kind != b.Kind {
		return a.Kind < b.Kind
	}
	return a.Key < b.Key
}
func (h deadlineHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *deadlineHeap) Push(x any)   { *h = append(*h, x.(Deadline)) }
func (h *deadlineHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
