package app

import (
	"testing"
	"time"
)

func TestGarbageGrowsWithTheRootOfTheHeap(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 100}, {64 << 20, 100}, {512 << 20, 100}, {1 << 30, 70}, {2 << 30, 50}, {8 << 30, 25}, {1 << 40, 25}} {
		if got := (heap{live: c.live}).garbage(); got != c.want {
			t.Errorf("%d MiB in use: %d %% may gather, want %d", c.live>>20, got, c.want)
		}
	}
}

// What is given back must be worth a collection, and collections for it must stay
// rare: one every ten seconds was a tenth of a processor on a gigabyte at rest.
func TestIdleMemoryIsGivenBackWhereItIsWorthIt(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name          string
		heap          heap
		since, credit time.Duration
		want          bool
	}{
		{"after a storm", heap{live: 50 * mib, objects: 60 * mib, free: 400 * mib}, 10 * time.Second, creditMost, true},
		{"garbage that nothing collects", heap{live: 50 * mib, objects: 95 * mib}, 10 * time.Second, creditMost, true},
		{"just given back", heap{live: 50 * mib, objects: 60 * mib, free: 400 * mib}, 9 * time.Second, creditMost, false},
		{"little to win", heap{live: 50 * mib, objects: 60 * mib, free: 20 * mib}, time.Hour, creditMost, false},
		{"little for its size", heap{live: 4096 * mib, objects: 4200 * mib, free: 300 * mib}, time.Hour, creditMost, false},
		{"a large heap, too often", heap{live: 1024 * mib, objects: 1500 * mib, free: 900 * mib}, time.Hour, 999 * time.Millisecond, false},
		{"a large heap", heap{live: 1024 * mib, objects: 1500 * mib, free: 900 * mib}, 10 * time.Second, time.Second, true},
		{"figures read while a collection ends", heap{live: 1024 * mib, objects: 900 * mib}, time.Hour, creditMost, false},
	} {
		if got := c.heap.idle(c.since, c.credit); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
