package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/watchbill/watchbill/internal/store"
)

func pairs(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "1", "b", "2")
	put(t, db, "a", "3")
	equal(t, "after replacing", all(t, db), []string{"a=3", "b=2"})
	update(t, db, func(tx store.Tx) error {
		if err := tx.Delete([]byte("a")); err != nil {
			return err
		}
		if _, ok, err := tx.Get([]byte("a")); ok || err != nil {
			return fmt.Errorf("a deleted key is still read: %v %v", ok, err)
		}
		return tx.Delete([]byte("never there"))
	})
	equal(t, "after deleting", all(t, db), []string{"b=2"})
	view(t, db, func(r store.Reader) error {
		for _, k := range []string{"", "a", "never there", strings.Repeat("k", 2*store.MaxKey)} {
			if _, ok, err := r.Get([]byte(k)); ok || err != nil {
				return fmt.Errorf("get of %.20q: ok %v, error %v; want neither", k, ok, err)
			}
		}
		return nil
	})
}

func emptyValue(t *testing.T, b Backend) {
	db := b.Open(t)
	update(t, db, func(tx store.Tx) error {
		if err := tx.Put([]byte("a"), nil); err != nil {
			return err
		}
		if _, ok, err := tx.Get([]byte("a")); !ok || err != nil {
			return fmt.Errorf("own empty value is not there: %v", err)
		}
		return nil
	})
	view(t, db, func(r store.Reader) error {
		if v, ok, err := r.Get([]byte("a")); !ok || err != nil || len(v) != 0 {
			return fmt.Errorf("empty value: got %q, %v, %v", v, ok, err)
		}
		return nil
	})
	equal(t, "scan", all(t, db), []string{"a="})
}

func ranges(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "1", "b", "2", "b\x00", "3", "c", "4", "\xff", "5")
	for _, c := range []struct {
		from, to string
		open     bool // no upper end
		want     []string
	}{
		{"", "", true, []string{"a=1", "b=2", "b\x00=3", "c=4", "\xff=5"}},
		{"b", "c", false, []string{"b=2", "b\x00=3"}},
		{"aa", "b\x00", false, []string{"b=2"}},
		{"b\x00", "", true, []string{"b\x00=3", "c=4", "\xff=5"}},
		{"c", "b", false, []string{}},
		{"b", "b", false, []string{}},
		{"", "", false, []string{}},
		{"d", "e", false, []string{}},
	} {
		to := []byte(c.to)
		if c.open {
			to = nil
		}
		view(t, db, func(r store.Reader) error {
			got, err := scan(r, []byte(c.from), to, false)
			if err != nil {
				return err
			}
			equal(t, fmt.Sprintf("[%q,%q)", c.from, c.to), got, c.want)
			back, err := scan(r, []byte(c.from), to, true)
			if err != nil {
				return err
			}
			slices.Reverse(back)
			equal(t, fmt.Sprintf("[%q,%q) backwards", c.from, c.to), back, c.want)
			return nil
		})
	}
	view(t, db, func(r store.Reader) error {
		for range r.Scan(nil, nil, false) {
			break // a walk may be left early
		}
		return nil
	})
}

func ownWrites(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "b", "old", "d", "old", "f", "old", "h", "old")
	var forth, back []string
	update(t, db, func(tx store.Tx) (err error) {
		forth, back = nil, nil
		for k, v := range map[string]string{"a": "new", "d": "changed", "e": "new", "z": "new"} {
			if err := tx.Put([]byte(k), []byte(v)); err != nil {
				return err
			}
		}
		for _, k := range []string{"f", "g", "e"} {
			if err := tx.Delete([]byte(k)); err != nil {
				return err
			}
		}
		if err := tx.Put([]byte("e"), []byte("again")); err != nil {
			return err
		}
		if forth, err = scan(tx, nil, nil, false); err != nil {
			return err
		}
		back, err = scan(tx, []byte("b"), []byte("h"), true)
		return err
	})
	want := []string{"a=new", "b=old", "d=changed", "e=again", "h=old", "z=new"}
	equal(t, "own writes over what is stored", forth, want)
	equal(t, "the same backwards", back, []string{"e=again", "d=changed", "b=old"})
	equal(t, "after the commit", all(t, db), want)
}

func readersOwn(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "k", "value")
	spoil := func(r store.Reader) error {
		v, _, err := r.Get([]byte("k"))
		if err != nil {
			return err
		}
		v[0] = 'X'
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			p.Key[0], p.Value[0] = 'X', 'X'
		}
		if v, _, err = r.Get([]byte("k")); string(v) != "value" {
			return fmt.Errorf("a reader changed what others read: %q %v", v, err)
		}
		return nil
	}
	view(t, db, spoil)
	update(t, db, func(tx store.Tx) error {
		if err := tx.Put([]byte("k"), []byte("value")); err != nil {
			return err
		}
		return spoil(tx)
	})
	equal(t, "stored", all(t, db), []string{"k=value"})
}

func consistentView(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "0", "b", "0")
	view(t, db, func(r store.Reader) error {
		put(t, db, "a", "1", "b", "1", "c", "1")
		got, err := scan(r, nil, nil, false)
		equal(t, "a view begun before a write", got, []string{"a=0", "b=0"})
		return err
	})
	equal(t, "a view begun after it", all(t, db), []string{"a=1", "b=1", "c=1"})
}

// neighbours runs bad among many good closures at the same time, so that backends
// that fold closures have them in one batch, and checks that just the good ones hold.
func neighbours(t *testing.T, db store.DB, bad func(store.Tx) error, check func(error)) {
	t.Helper()
	const good, rounds = 16, 10
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range good {
			wg.Go(func() {
				err := db.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put(fmt.Appendf(nil, "good/%02d/%02d", round, i), []byte("x"))
				})
				if err != nil {
					t.Errorf("a neighbour failed: %v", err)
				}
			})
		}
		wg.Go(func() {
			check(db.Update(context.Background(), func(tx store.Tx) error {
				if err := tx.Put([]byte("bad"), []byte("x")); err != nil {
					return err
				}
				return bad(tx)
			}))
		})
		wg.Wait()
	}
	if got := len(all(t, db)); got != good*rounds {
		t.Fatalf("%d pairs are stored, want the %d of the good closures", got, good*rounds)
	}
}

func errorsAlone(t *testing.T, b Backend) {
	mine := errors.New("mine")
	neighbours(t, b.Open(t), func(store.Tx) error { return mine }, func(err error) {
		if err != mine {
			t.Errorf("got %v, want the closure's own error as it is", err)
		}
	})
}

func panicsAlone(t *testing.T, b Backend) {
	neighbours(t, b.Open(t), func(store.Tx) error { panic("boom") }, func(err error) {
		if err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("got %v, want an error that tells the panic", err)
		}
	})
}

func badKeys(t *testing.T, b Backend) {
	for _, key := range []string{"", strings.Repeat("k", store.MaxKey+1)} {
		neighbours(t, b.Open(t), func(tx store.Tx) error {
			if err := tx.Put([]byte(key), nil); err != nil {
				return err
			}
			return errors.New("an impossible key was taken")
		}, func(err error) {
			if err == nil || !strings.Contains(err.Error(), "key") {
				t.Errorf("key of %d bytes: got %v, want Put to refuse it", len(key), err)
			}
		})
	}
	db := b.Open(t)
	put(t, db, strings.Repeat("k", store.MaxKey), "fits")
	if len(all(t, db)) != 1 {
		t.Fatal("the longest key that fits is not there")
	}
}

func tooLarge(t *testing.T, b Backend) {
	db := b.Open(t)
	for _, c := range []struct {
		what       string
		n, valueOf int
	}{{"in bytes", 64, 1 << 20}, {"in pairs", 400_000, 1}} {
		err := db.Update(context.Background(), func(tx store.Tx) error {
			for i := range c.n {
				if err := tx.Put(fmt.Appendf(nil, "k%07d", i), make([]byte, c.valueOf)); err != nil {
					return err
				}
			}
			return nil
		})
		n := len(all(t, db))
		switch {
		case err == nil && n == c.n: // a backend without that limit
		case errors.Is(err, store.ErrTooLarge) && n == 0:
		default:
			t.Fatalf("large %s: error %v and %d of %d pairs written; want all, or ErrTooLarge and none", c.what, err, n, c.n)
		}
		if err == nil {
			db = b.Open(t)
		}
	}
	put(t, db, "after", "x")
}

func manyLarge(t *testing.T, b Backend) {
	db := b.Open(t)
	var wg sync.WaitGroup
	const n = 48
	for i := range n {
		wg.Go(func() {
			err := db.Update(context.Background(), func(tx store.Tx) error {
				return tx.Put(fmt.Appendf(nil, "k%02d", i), make([]byte, 700<<10))
			})
			if err != nil {
				t.Errorf("closure %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := len(all(t, db)); got != n {
		t.Fatalf("%d of %d are stored", got, n)
	}
}

func serial(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "n", "")
	var wg sync.WaitGroup
	const writers, each = 8, 40
	for range writers {
		wg.Go(func() {
			for range each {
				err := db.Update(context.Background(), func(tx store.Tx) error {
					v, _, err := tx.Get([]byte("n"))
					if err != nil {
						return err
					}
					return tx.Put([]byte("n"), append(v, 'x'))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(t, "a counter", all(t, db), []string{"n=" + strings.Repeat("x", writers*each)})
}

// phantom: two closures that find a range empty and both insert must not both
// believe that they are the one, where a unique key says "at most one".
func phantom(t *testing.T, b Backend) {
	db := b.Open(t)
	c := docs()
	const rounds, rivals = 20, 8
	for round := range rounds {
		var won atomic.Int32
		var wg sync.WaitGroup
		email := fmt.Sprintf("only-one-%d", round)
		for i := range rivals {
			wg.Go(func() {
				err := db.Update(context.Background(), func(tx store.Tx) error {
					// The scan invites the phantom; the unique key decides.
					p, err := c.List(tx, store.Query[doc]{Index: "name", Prefix: store.Key(email)})
					if err != nil || len(p.Rows) > 0 {
						return errors.Join(err, fmt.Errorf("there is one already"))
					}
					return c.Put(tx, doc{ID: fmt.Sprintf("%d-%d", round, i), Name: email, Email: email})
				})
				if err == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if n := won.Load(); n != 1 {
			t.Fatalf("round %d: %d of %d rivals were told that they won", round, n, rivals)
		}
		if got := listIDs(t, db, c, store.Query[doc]{Index: "name", Prefix: store.Key(email)}); len(got) != 1 {
			t.Fatalf("round %d: %q are stored", round, got)
		}
	}
}

func onCommit(t *testing.T, b Backend) {
	db := b.Open(t)
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	const n = 100
	for i := range n {
		wg.Go(func() {
			mine := 0
			err := db.Update(context.Background(), func(tx store.Tx) error {
				v, _, err := tx.Get([]byte("n"))
				if err != nil {
					return err
				}
				if i%5 == 0 {
					tx.OnCommit(func() { t.Error("OnCommit of a closure that failed ran") })
					return errors.New("no")
				}
				now := len(v) + 1
				tx.OnCommit(func() {
					mu.Lock()
					defer mu.Unlock()
					mine = now
					order = append(order, now)
				})
				return tx.Put([]byte("n"), append(v, 'x'))
			})
			mu.Lock()
			defer mu.Unlock()
			if i%5 != 0 && (err != nil || mine == 0) {
				t.Errorf("Update returned %v before its OnCommit ran", err)
			}
		})
	}
	wg.Wait()
	if len(order) != n-n/5 || !slices.IsSorted(order) {
		t.Fatalf("OnCommit ran as %v, want each committed closure once and in commit order", order)
	}

	seen := make(chan error, 1)
	update(t, db, func(tx store.Tx) error {
		tx.OnCommit(func() {
			done := make(chan error) // another goroutine reads: f itself must not
			go func() {
				done <- db.View(context.Background(), func(r store.Reader) error {
					if _, ok, err := r.Get([]byte("fresh")); !ok || err != nil {
						return fmt.Errorf("OnCommit ran before the write could be read: %v", err)
					}
					return nil
				})
			}()
			seen <- <-done
		})
		return tx.Put([]byte("fresh"), nil)
	})
	if err := <-seen; err != nil {
		t.Fatal(err)
	}
}

func canceled(t *testing.T, b Backend) {
	db := b.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := db.Update(ctx, func(tx store.Tx) error { return tx.Put([]byte("a"), nil) })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("update under a canceled context: %v", err)
	}
	if err := db.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("view under a canceled context: %v", err)
	}
	// One that is canceled while it waits behind another, and one that is canceled while it runs.
	entered, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	running, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		var once sync.Once
		first <- db.Update(running, func(tx store.Tx) error {
			once.Do(func() { close(entered); <-release })
			return tx.Put([]byte("first"), nil)
		})
	}()
	<-entered
	waiting, giveUp := context.WithCancel(context.Background())
	second := make(chan error, 1)
	go func() {
		second <- db.Update(waiting, func(tx store.Tx) error { return tx.Put([]byte("second"), nil) })
	}()
	giveUp()
	stop()
	close(release)
	err1, err2 := <-first, <-second
	got := all(t, db)
	if kept := slices.Contains(got, "first="); kept != (err1 == nil) {
		t.Fatalf("the running closure was answered %v but kept: %v", err1, kept)
	}
	if kept := slices.Contains(got, "second="); kept != (err2 == nil) {
		t.Fatalf("the waiting closure was answered %v but kept: %v", err2, kept)
	}
}

func closed(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "1")
	var wg sync.WaitGroup
	for range 8 { // those that race with Close get an answer, too
		wg.Go(func() {
			for {
				err := db.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("b"), nil) })
				if err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("a racing update: %v", err)
					}
					return
				}
			}
		})
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	ctx := context.Background()
	for what, err := range map[string]error{
		"Update":  db.Update(ctx, func(store.Tx) error { return nil }),
		"View":    db.View(ctx, func(store.Reader) error { return nil }),
		"Backup":  db.Backup(ctx, &strings.Builder{}),
		"Restore": db.Restore(ctx, strings.NewReader("watchbill backup 1\n")),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
}

// closeWaits: files that go away under a reader may kill the process.
func closeWaits(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "1")
	inside, closing := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		closing <- db.Close()
	}()
	view(t, db, func(r store.Reader) error {
		close(inside)
		for db.View(context.Background(), func(store.Reader) error { return nil }) == nil {
			// until Close has begun
		}
		select {
		case err := <-closing:
			return fmt.Errorf("a view was still reading when Close returned (%v)", err)
		default:
		}
		got, err := scan(r, nil, nil, false)
		equal(t, "the view that Close waits for", got, []string{"a=1"})
		return err
	})
	if err := <-closing; err != nil {
		t.Fatal(err)
	}
}
