package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

var day = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

// clock is a wall clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func newJournal(t testing.TB) (*Journal, store.DB, *clock) {
	t.Helper()
	db, err := badgerdb.Open(badgerdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &clock{now: day}
	return reopen(t, db, c), db, c
}

func reopen(t testing.TB, db store.DB, c *clock) *Journal {
	t.Helper()
	j, err := Open(context.Background(), db, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func tick(n int) event.Event {
	return event.Event{Kind: event.KindTick, Source: fmt.Sprintf("s%d", n), Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

func write(t testing.TB, j *Journal, events ...event.Event) []event.Event {
	t.Helper()
	out, err := j.Write(context.Background(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t testing.TB, what string, got, want []event.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.Position != w.Position || !g.At.Equal(w.At) || g.At.Location() != time.UTC || g.Kind != w.Kind || g.Source != w.Source || !bytes.Equal(g.Body, w.Body) {
			t.Fatalf("%s: event %d is\n%+v, want\n%+v", what, i, g, w)
		}
	}
}

func TestPositionsAreDenseAndTimeNeverRunsBack(t *testing.T) {
	j, db, c := newJournal(t)
	var all []event.Event
	n := 0
	for _, step := range []time.Duration{0, time.Second, -time.Hour, -time.Second, 2 * time.Hour, 300 * time.Microsecond, -24 * time.Hour} {
		c.Set(c.Now().Add(step))
		if n == 4 {
			j = reopen(t, db, c) // a restart with the clock behind must not turn back time either
		}
		all = append(all, write(t, j, tick(n), tick(n+1))...)
		n += 2
	}
	for i, e := range all {
		if e.Position != uint64(i+1) {
			t.Fatalf("event %d is at position %d", i, e.Position)
		}
		if i > 0 && e.At.Before(all[i-1].At) {
			t.Fatalf("time runs back from %v to %v", all[i-1].At, e.At)
		}
		if !e.At.Equal(e.At.Truncate(time.Millisecond)) {
			t.Fatalf("journal time %v has a fraction of a millisecond", e.At)
		}
	}
	if pos, at := j.End(); pos != 14 || !at.Equal(all[13].At) || !j.Now().Equal(at) {
		t.Fatalf("end is %d at %v, now %v; want 14, %v and the same", pos, at, j.Now(), all[13].At)
	}
	stored, err := j.ReadStored(context.Background(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "stored", stored, all)
}

func TestConcurrentWritersGetPositionsOfTheirOwn(t *testing.T) {
	j, _, _ := newJournal(t)
	var mu sync.Mutex
	seen := map[uint64]string{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				out, err := j.Write(context.Background(), tick(w*1000+i))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[out[0].Position] = out[0].Source
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got, err := j.Read(context.Background(), 0, 1000)
	if err != nil || len(got) != 200 || len(seen) != 200 {
		t.Fatalf("%d events, %d positions, %v; want 200 of each", len(got), len(seen), err)
	}
	for i, e := range got {
		if e.Position != uint64(i+1) || seen[e.Position] != e.Source {
			t.Fatalf("position %d at place %d holds %s, its writer was told of %s", e.Position, i, e.Source, seen[e.Position])
		}
	}
}

func TestAFailedTransactionLeavesNothing(t *testing.T) {
	j, db, _ := newJournal(t)
	write(t, j, tick(1))
	no := errors.New("no")
	err := db.Update(context.Background(), func(tx store.Tx) error {
		out, err := j.Append(tx, tick(2), tick(3))
		if err != nil || out[1].Position != 3 {
			return fmt.Errorf("append: %v %w", out, err)
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if pos, _ := j.End(); pos != 1 {
		t.Fatalf("the end is %d after a failed transaction", pos)
	}
	next := write(t, j, tick(4))
	if next[0].Position != 2 {
		t.Fatalf("the position of a failed transaction was not used again: %d", next[0].Position)
	}
	for name, read := range map[string]func(context.Context, uint64, int) ([]event.Event, error){"memory": j.Read, "store": j.ReadStored} {
		got, err := read(context.Background(), 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, next)
	}
}

func TestAppendOfNothingIsNothing(t *testing.T) {
	j, _, _ := newJournal(t)
	if out := write(t, j); len(out) != 0 {
		t.Fatalf("got %v", out)
	}
	if pos, _ := j.End(); pos != 0 {
		t.Fatalf("the end moved to %d", pos)
	}
}

func TestTwoAppendsInOneTransaction(t *testing.T) {
	j, db, _ := newJournal(t)
	err := db.Update(context.Background(), func(tx store.Tx) error {
		a, err := j.Append(tx, tick(1))
		if err != nil {
			return err
		}
		b, err := j.Append(tx, tick(2))
		if err == nil && (a[0].Position != 1 || b[0].Position != 2) {
			err = fmt.Errorf("positions %d and %d", a[0].Position, b[0].Position)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := j.Read(context.Background(), 0, 10); len(got) != 2 {
		t.Fatalf("%d events are read", len(got))
	}
}

func TestAppendAtKeepsTheRecordingsTimes(t *testing.T) {
	j, db, _ := newJournal(t)
	at := func(n int, t time.Time) event.Event { e := tick(n); e.At = t; return e }
	old := day.AddDate(-1, 0, 0)
	var out []event.Event
	err := db.Update(context.Background(), func(tx store.Tx) (err error) {
		out, err = j.AppendAt(tx, at(1, old), at(2, old.Add(time.Hour)), at(3, old.Add(time.Minute)), at(4, old.Add(time.Hour+1500*time.Microsecond)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Time{old, old.Add(time.Hour), old.Add(time.Hour), old.Add(time.Hour + time.Millisecond)} {
		if !out[i].At.Equal(want) || out[i].Position != uint64(i+1) {
			t.Errorf("event %d: %d at %v, want %v", i, out[i].Position, out[i].At, want)
		}
	}
	if next := write(t, j, tick(5)); !next[0].At.Equal(day) {
		t.Errorf("after an import of the past time is %v, want the wall clock's %v", next[0].At, day)
	}
}

// An import that carries the future would put all later events there.
func TestAppendAtTakesNothingFromTheFuture(t *testing.T) {
	j, db, _ := newJournal(t)
	ahead := tick(1)
	ahead.At = day.AddDate(70, 0, 0)
	var out []event.Event
	err := db.Update(context.Background(), func(tx store.Tx) (err error) {
		out, err = j.AppendAt(tx, ahead)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	next := write(t, j, tick(2))
	if !out[0].At.Equal(day) || !next[0].At.Equal(day) {
		t.Errorf("an event of %v is journaled at %v, and the next at %v; it is %v", ahead.At, out[0].At, next[0].At, day)
	}
}

// TestReadFromMemoryEqualsStore reads at every place, while the reader keeps up,
// after it fell behind, and with a memory that holds only the newest.
func TestReadFromMemoryEqualsStore(t *testing.T) {
	j, db, c := newJournal(t)
	ctx := context.Background()
	var all []event.Event
	check := func(when string) {
		t.Helper()
		for after := range uint64(len(all) + 3) {
			for _, limit := range []int{-1, 0, 1, 3, len(all), math.MaxInt} {
				want := all[min(int(after), len(all)):]
				want = want[:min(len(want), max(limit, 1))]
				stored, err := j.ReadStored(ctx, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprintf("%s, store after %d limit %d", when, after, limit), stored, want)
				got, err := j.Read(ctx, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprintf("%s, after %d limit %d", when, after, limit), got, want)
			}
		}
	}
	check("empty")
	for i := range 6 {
		c.Set(c.Now().Add(time.Second))
		all = append(all, write(t, j, tick(i))...)
	}
	check("first")
	all = append(all, write(t, j, tick(7), tick(8))...) // what was read before may be dropped from memory now
	if len(j.tail) >= len(all) {
		t.Fatalf("memory holds all %d events although they were read", len(j.tail))
	}
	check("after the memory dropped what was read")
	j = reopen(t, db, c)
	check("after a restart")
	all = append(all, write(t, j, tick(9))...)
	check("with a memory that begins in the middle")
	if got, err := j.Read(ctx, math.MaxUint64, 5); err != nil || len(got) != 0 {
		t.Fatalf("after the last possible position: %v %v", got, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	j, _, _ := newJournal(t)
	body := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	for range tailBytes/(3<<20) + 10 {
		write(t, j, event.Event{Kind: event.KindTick, Body: body})
	}
	if j.tailSize > tailBytes {
		t.Fatalf("%d bytes are kept for a reader that never comes, at most %d may be", j.tailSize, tailBytes)
	}
	n := 0
	for _, e := range j.tail {
		n += weight(e)
	}
	if n != j.tailSize {
		t.Fatalf("the memory holds %d bytes and believes %d", n, j.tailSize)
	}
	if got, err := j.Read(context.Background(), 0, 2); err != nil || len(got) != 2 || got[0].Position != 1 || !bytes.Equal(got[0].Body, body) {
		t.Fatalf("a reader that fell behind does not get the store's: %d events, %v", len(got), err)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &Journal{grown: make(chan struct{})} // Badger's goroutines do not live in a bubble
		returned := make(chan error, 2)
		go func() { returned <- j.Wait(t.Context(), 1) }()
		j.committed([]event.Event{{Position: 1}})
		synctest.Wait()
		select {
		case err := <-returned:
			t.Fatalf("Wait for an event after 1 returned (%v) when 1 came", err)
		default:
		}
		j.committed([]event.Event{{Position: 2}})
		if err := <-returned; err != nil {
			t.Fatal(err)
		}
		if err := j.Wait(t.Context(), 0); err != nil {
			t.Fatalf("waiting for what is there: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := j.Wait(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want the context's error", err)
		}
	})
}

func TestTrim(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		before time.Duration // after day
		upTo   uint64
		want   int
	}{
		{"nothing is old", 0, 100, 0},
		{"nothing is covered", time.Hour, 0, 0},
		{"the older half", 5 * time.Second, 100, 5},
		{"no further than the snapshot", time.Hour, 3, 3},
		{"both bounds", 2 * time.Second, 3, 2},
		{"everything", time.Hour, math.MaxUint64, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, db, wall := newJournal(t)
			var all []event.Event
			for i := range 10 { // position i+1 at i seconds
				wall.Set(day.Add(time.Duration(i) * time.Second))
				all = append(all, write(t, j, tick(i))...)
			}
			n, err := j.Trim(ctx, day.Add(c.before), c.upTo)
			if err != nil || n != c.want {
				t.Fatalf("trimmed %d, %v; want %d", n, err, c.want)
			}
			left, err := j.ReadStored(ctx, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "what is left", left, all[c.want:])
			if n, err := j.Trim(ctx, day.Add(c.before), c.upTo); n != 0 || err != nil {
				t.Fatalf("a second time trims %d, %v", n, err)
			}
			// Positions go on even where nothing is left to count them by.
			j = reopen(t, db, wall)
			if next := write(t, j, tick(11)); next[0].Position != 11 {
				t.Fatalf("the next position is %d", next[0].Position)
			}
		})
	}
}

func TestTrimWorksInChunks(t *testing.T) {
	j, _, wall := newJournal(t)
	var many []event.Event
	for i := range 2*trimChunk + 7 {
		many = append(many, tick(i))
	}
	write(t, j, many...)
	wall.Set(day.Add(time.Hour))
	last := write(t, j, tick(0))
	if n, err := j.Trim(context.Background(), day.Add(time.Minute), math.MaxUint64); err != nil || n != len(many) {
		t.Fatalf("trimmed %d, %v; want %d", n, err, len(many))
	}
	left, err := j.ReadStored(context.Background(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "left", left, last)
}

func TestCodecKeepsEverything(t *testing.T) {
	for _, n := range []int{0, 1, compressFrom - 1, compressFrom, compressFrom + 1, 1 << 20} {
		for _, at := range []time.Time{day, day.Add(time.Millisecond), time.UnixMilli(0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)} {
			in := event.Event{Position: uint64(n) + 1, At: at.UTC(), Kind: event.KindAlertmanager, Source: "src-é", Body: bytes.Repeat([]byte("ab"), n/2+n%2)[:n]}
			out, err := decode(key(in.Position), encode(in))
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprint(n, at), []event.Event{out}, []event.Event{in})
		}
	}
}

func TestDecodeNamesTheEntryAndWhatIsWrong(t *testing.T) {
	good := encode(event.Event{At: day, Kind: "k", Source: "s", Body: json.RawMessage("{}")})
	long := encode(event.Event{At: day, Kind: "k", Source: "s", Body: bytes.Repeat([]byte("x"), compressFrom)})
	bomb := append(bytes.Clone(long[:bytes.IndexByte(long, 's')+2]), 0xff, 0xff, 0xff, 0xff, 0x0f)
	for what, c := range map[string]struct {
		k, v []byte
	}{
		"wrong length":    {[]byte("j/x"), good},
		"format":          {key(7), append([]byte{9}, good[1:]...)},
		"format is":       {key(7), nil},
		"time":            {key(7), good[:1]},
		"kind":            {key(7), good[:8]},
		"source":          {key(7), good[:len(good)-3]},
		"packed in a way": {key(7), bytes.Replace(good, []byte("\x01s\x00"), []byte("\x01s\x07"), 1)},
		"body":            {key(7), long[:len(long)-1]},
		"4294967295":      {key(7), bomb},
	} {
		_, err := decode(c.k, c.v)
		if err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), fmt.Sprintf("%x", c.k)) {
			t.Errorf("want an error about %q that names the entry, got %v", what, err)
		}
	}
}

func TestTooLargeABodyIsRefused(t *testing.T) {
	j, _, _ := newJournal(t)
	_, err := j.Write(context.Background(), event.Event{Kind: event.KindTick, Body: make([]byte, MaxBody+1)})
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("got %v, want Invalid", err)
	}
}

func TestADamagedEntryIsAnErrorWithItsPosition(t *testing.T) {
	j, db, wall := newJournal(t)
	write(t, j, tick(1), tick(2))
	if err := db.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key(2), []byte("?")) }); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, db, wall)
	_, err := j.Read(context.Background(), 0, 10)
	if err == nil || !strings.Contains(err.Error(), "position 0") || !strings.Contains(err.Error(), fmt.Sprintf("%x", key(2))) {
		t.Fatalf("got %v", err)
	}
}

// FuzzDecode: an entry is either refused or means the same after a round trip.
func FuzzDecode(f *testing.F) {
	f.Add(encode(event.Event{At: day, Kind: event.KindTick, Body: json.RawMessage("{}")}))
	f.Add(encode(event.Event{At: day, Kind: event.KindAlertmanager, Source: "am", Body: bytes.Repeat([]byte(`{"a":"b"}`), 100)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decode(key(42), b)
		if err != nil {
			return
		}
		again, err := decode(key(42), encode(e))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		same(t, "round trip", []event.Event{again}, []event.Event{e})
	})
}
