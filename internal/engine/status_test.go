package engine

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
)

// TestStatusCountsSeldom: what was counted is good for the same position, and for a
// multiple of what the count took; then the state is counted anew.
func TestStatusCountsSeldom(t *testing.T) {
	e := &Engine{state: fold.New(fold.DefaultRules())}
	e.stepped = 1
	e.Status()
	if !e.counted.known || e.counted.position != 1 {
		t.Fatalf("the first look counted up to %d, want 1", e.counted.position)
	}
	mark := time.Now().Add(-time.Hour)
	e.counted.at = mark
	if e.Status(); e.counted.at != mark {
		t.Error("the same position was counted twice")
	}
	e.stepped, e.counted.at, e.counted.took = 2, time.Now(), time.Hour
	e.counted.status.Correlator.Total = countLarge
	if e.Status(); e.counted.position != 1 {
		t.Error("a count that takes an hour was made again at once")
	}
	e.counted.at = time.Now().Add(-countShare * time.Hour)
	if e.Status(); e.counted.position != 2 {
		t.Error("an old count was not made anew")
	}
	e.stepped, e.counted.at, e.counted.took = 3, time.Now(), time.Hour
	if e.Status(); e.counted.position != 3 {
		t.Error("few alerts were not counted anew")
	}
}
