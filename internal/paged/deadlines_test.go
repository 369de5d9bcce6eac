package paged

import (
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	t0 := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	rows := map[string]*time.Time{"a": {}, "b": {}, "c": {}}
	field := func(d Deadline) *time.Time { return rows[d.Key] }
	var ds Deadlines
	ds.Schedule(rows["a"], Deadline{t0.Add(2 * time.Second), 1, "a"})
	ds.Schedule(rows["b"], Deadline{t0.Add(1500 * time.Microsecond), 2, "b"})
	if want := t0.Add(2 * time.Millisecond); !rows["b"].Equal(want) {
		t.Errorf("a deadline within a millisecond is at %v, want its end %v: journal time knows nothing finer", rows["b"], want)
	}
	if _, ok := ds.Take(t0.Add(time.Millisecond), field); ok {
		t.Error("a deadline was due before its time")
	}
	ds.Schedule(rows["c"], Deadline{t0.Add(2 * time.Millisecond), 1, "c"})
	ds.Schedule(rows["a"], Deadline{time.Time{}, 1, "a"}) // cancelled: its entry is dead
	var order string
	for {
		d, ok := ds.Take(t0.Add(time.Hour), field)
		if !ok {
			break
		}
		order += d.Key
		if !rows[d.Key].IsZero() {
			t.Errorf("%s is due again", d.Key)
		}
	}
	if order != "cb" {
		t.Errorf("worked off in the order %q, want cb: equal times go by kind", order)
	}
	ds.Restore(Deadline{t0, 1, "gone"})
	if _, ok := ds.Next(func(Deadline) *time.Time { return nil }); ok {
		t.Error("a row that is gone has a deadline")
	}
}
