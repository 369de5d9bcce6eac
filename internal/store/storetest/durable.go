package storetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

func backup(t *testing.T, b Backend) {
	db, c := b.Open(t), docs()
	for i := range 500 {
		putDocs(t, db, c, doc{ID: fmt.Sprintf("id%03d", i), Rank: int64(i), Email: fmt.Sprint(i), Name: strings.Repeat("n", i)})
	}
	put(t, db, "pair/a", "0", "pair/b", "0")
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ctx.Err() == nil; n++ { // the two are equal in every state
			v := strconv.Itoa(n)
			put(t, db, "pair/a", v, fmt.Sprintf("pair/a%06d", n), v, "pair/b", v)
		}
	})
	var file bytes.Buffer
	err := db.Backup(context.Background(), &file)
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	again := b.Open(t)
	if err := again.Restore(context.Background(), bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	var va, vb []byte
	view(t, again, func(r store.Reader) (err error) {
		va, _, err = r.Get([]byte("pair/a"))
		if err == nil {
			vb, _, err = r.Get([]byte("pair/b"))
		}
		return err
	})
	if len(va) == 0 || string(va) != string(vb) {
		t.Fatalf("the backup holds half of a transaction: %q and %q", va, vb)
	}
	equal(t, "documents", listIDs(t, again, c, store.Query[doc]{Limit: 1000}), listIDs(t, db, c, store.Query[doc]{Limit: 1000}))

	var second bytes.Buffer
	if err := again.Backup(context.Background(), &second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), second.Bytes()) {
		t.Error("the backup of a restored backup is another one")
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := again.Backup(canceled, &second); err == nil {
		t.Error("a canceled backup says that it is complete")
	}
	putDocs(t, again, c, doc{ID: "after", Email: "after"}) // and it works on
}

func backupDamaged(t *testing.T, b Backend) {
	db := b.Open(t)
	if err := store.CheckSchema(context.Background(), db, "1"); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		put(t, db, fmt.Sprintf("z%03d", i), strings.Repeat(strconv.Itoa(i*7919), 3000)) // after the schema, and more than one transaction
	}
	var file bytes.Buffer
	if err := db.Backup(context.Background(), &file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0x40
	for what, bad := range map[string][]byte{
		"empty": {}, "another file": []byte("PK\x03\x04 something else entirely"),
		"cut in half": whole[:len(whole)/2], "cut at the end": whole[:len(whole)-3], "cut after its name": whole[:19], "a flipped bit": flipped,
	} {
		into := b.Open(t)
		err := into.Restore(context.Background(), bytes.NewReader(bad))
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want Invalid", what, err)
		}
		if len(all(t, into)) == 0 {
			continue // refused before anything was written
		}
		if err := store.CheckSchema(context.Background(), into, "1"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: what is left of a failed restore is taken for a database: %v", what, err)
		}
	}
}

func restoreNonEmpty(t *testing.T, b Backend) {
	db := b.Open(t)
	put(t, db, "a", "from the backup")
	var file bytes.Buffer
	if err := db.Backup(context.Background(), &file); err != nil {
		t.Fatal(err)
	}
	into := b.Open(t)
	put(t, into, "mine", "1")
	wantKind(t, into.Restore(context.Background(), &file), fault.Conflict)
	equal(t, "what was there", all(t, into), []string{"mine=1"})
}

func schema(t *testing.T, b Backend) {
	db := b.Open(t)
	ctx := context.Background()
	for range 2 {
		if err := store.CheckSchema(ctx, db, "3"); err != nil {
			t.Fatal(err)
		}
	}
	err := store.CheckSchema(ctx, db, "4")
	wantKind(t, err, fault.Conflict)
	for _, word := range []string{"version 3", "version 4", "backup"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	foreign := b.Open(t)
	put(t, foreign, "somebody", "else")
	wantKind(t, store.CheckSchema(ctx, foreign, "3"), fault.Conflict)
}

func reopen(t *testing.T, b Backend) {
	if b.Reopen == nil {
		t.Log("this backend keeps nothing: there is nothing to reopen")
		return
	}
	db, c := b.Open(t), docs()
	for i := range 50 {
		putDocs(t, db, c, doc{ID: fmt.Sprintf("id%02d", i), Rank: int64(i)})
	}
	update(t, db, func(tx store.Tx) error { return c.Delete(tx, "id07") })
	before := all(t, db)
	db = b.Reopen(t, db)
	equal(t, "after reopening", all(t, db), before)
	putDocs(t, db, c, doc{ID: "id07"})
}

// crashDir tells the re-executed test binary that it is the one to be killed.
const crashDir = "STORETEST_CRASH_DIR"

// Crash kills a process that writes (kill -9) again and again, and checks after
// each time that every acknowledged Update is there and none is there by half.
// Call it from a test of its own; the test is run again in a child process.
func Crash(t *testing.T, open func(t testing.TB, dir string) store.DB) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashWrite(t, open(t, dir))
		return
	}
	dir := t.TempDir()
	acked := 0
	for round := range 6 {
		acked = max(acked, crashRound(t, dir, acked+30+round*90))
		db := open(t, dir)
		n := crashCheck(t, db)
		if n < acked {
			t.Fatalf("round %d: %d updates were acknowledged and %d are there", round, acked, n)
		}
		acked = n
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crashWrite goes on from where the data ends until it is killed.
func crashWrite(t *testing.T, db store.DB) {
	n := crashCheck(t, db)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				mine := 0
				err := db.Update(context.Background(), func(tx store.Tx) error {
					n++ // closures never interleave
					mine = n
					body := []byte(strings.Repeat("x", n%3000))
					for _, half := range []string{"a", "b"} {
						if err := tx.Put(fmt.Appendf(nil, "%s%08d", half, n), body); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("acked %d\n", mine)
			}
		})
	}
	wg.Wait()
}

func crashCheck(t testing.TB, db store.DB) int {
	t.Helper()
	n := 0
	view(t, db, func(r store.Reader) error {
		for p, err := range r.Scan([]byte("a"), []byte("b"), false) {
			if err != nil {
				return err
			}
			n++
			twin, ok, err := r.Get(append([]byte("b"), p.Key[1:]...))
			if err != nil {
				return err
			}
			if string(p.Key[1:]) != fmt.Sprintf("%08d", n) || !ok || !bytes.Equal(twin, p.Value) || len(p.Value) != n%3000 {
				return fmt.Errorf("update %d is there by half (row %q)", n, p.Key)
			}
		}
		return nil
	})
	return n
}

// crashRound lets a child write until it acknowledged upTo updates, kills it, and
// returns the highest acknowledged one.
func crashRound(t *testing.T, dir string, upTo int) int {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	child.Stderr = &complaints
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	highest := 0
	killed := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "acked "))
		if err != nil {
			t.Errorf("the child says %q", lines.Text())
			continue
		}
		highest = max(highest, n)
		if highest >= upTo && !killed {
			killed = true
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		} // what it acknowledged before the signal came is read to the end
	}
	_ = child.Wait() // "signal: killed"
	if !killed {
		t.Fatalf("the child ended by itself after %d updates: %s", highest, complaints.String())
	}
	return highest
}
