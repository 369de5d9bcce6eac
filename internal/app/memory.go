package app

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// TendMemory keeps what the process takes in proportion to what it needs, until ctx
// ends. Where GOGC or GOMEMLIMIT is set, how much garbage may gather is left to them.
// It acts on the whole process: one of it is enough.
func TendMemory(ctx context.Context) error {
	theirs := os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != ""
	t := time.NewTicker(time.Second)
	defer t.Stop()
	given, percent, credit := time.Now(), 100, creditMost
	for {
		h := readHeap()
		if p := h.garbage(); p != percent && !theirs {
			debug.SetGCPercent(p)
			percent = p
		}
		if h.idle(time.Since(given), credit) {
			debug.FreeOSMemory()
			credit -= h.collection()
			given = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			credit = min(creditMost, credit+time.Second/100)
		}
	}
}

// heap is what the runtime says of itself, in bytes.
type heap struct {
	live    uint64 // what the last collection found in use
	objects uint64 // that and what was made since, some of which is garbage
	free    uint64 // empty, and not given back to the system
}

func readHeap() heap {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	return heap{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}

// plain is the heap up to which garbage may gather to as much again, the runtime's
// own rule.
const plain = 512 << 20

// garbage is how much may gather before the next collection, in percent of what is in
// use. Past a size it grows with the root of the heap, which is where a byte less of
// it costs as much work in a large heap as in a small one: 71 % of 1 GiB, 50 % of 2.
// Steps of five keep the runtime from being told something new each second.
func (h heap) garbage() int {
	if h.live <= plain {
		return 100
	}
	return max(25, 5*int(20*math.Sqrt(plain/float64(h.live))))
}

// creditMost is the processor time that collections for idle memory may take at once;
// what was taken comes back at a hundredth of one processor.
const creditMost = 4 * time.Second

// collection is about how much processor time a collection of the heap takes: up to a
// second for each gigabyte in use.
func (h heap) collection() time.Duration {
	return time.Duration(float64(h.live) / (1 << 30) * float64(time.Second))
}

// idle reports whether memory of a storm that is over should go back to the system at
// once: the runtime takes many minutes, in which a machine shared with others lacks
// it. It costs a collection of the whole heap, so there must be credit for one.
func (h heap) idle(since, credit time.Duration) bool {
	if since < 10*time.Second || h.collection() > credit {
		return false
	}
	gain := h.free + max(h.objects, h.live) - h.live
	return gain > 32<<20 && gain > h.live/8
}
