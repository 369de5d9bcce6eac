package badgerdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/store"
)

// knownBadger is the version whose stopCompactions and startCompactions were read:
// the first ends the compactors and waits for them, may be called twice and before
// Close; the second starts as many again.
const knownBadger = "github.com/dgraph-io/badger/v4 v4.9.6"

// TestRestIsOfThisBadger fails with every other Badger, so that somebody looks.
func TestRestIsOfThisBadger(t *testing.T) {
	b, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), knownBadger) {
		t.Errorf("go.mod names another Badger than %s: read its stopCompactions and startCompactions (rest.go, ADR 24), see whether it has a public way now, then name it here", knownBadger)
	}
}

// fillTable writes as much as makes one memtable a table.
func fillTable(t *testing.T, db *DB, round int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(round), 1))
	for n := 0; n < memtableSize; n += 256 << 10 {
		err := db.Update(context.Background(), func(tx store.Tx) error {
			for i := range 8 {
				v := make([]byte, 32<<10)
				for j := range v {
					v[j] = byte(rnd.Uint32())
				}
				if err := tx.Put(fmt.Appendf(nil, "key/%02d/%09d", i, n), v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// levels counts tables on level zero, and below.
func levels(db *DB) (zero, below int) {
	for _, i := range db.b.Tables() {
		if i.Level == 0 {
			zero++
		} else {
			below++
		}
	}
	return zero, below
}

// until waits for a condition of Badger's own work, which nothing announces.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-tick.C:
		}
	}
}

// TestRest: no compaction runs while they rest, and they go on after, and a database
// ends and starts from both.
func TestRest(t *testing.T) {
	dir := scratch(t)
	db, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	db.Rest(true)
	db.Rest(true) // twice is once
	rounds := db.b.Opts().NumLevelZeroTables + 4
	for n := range rounds {
		fillTable(t, db, n)
	}
	until(t, "level zero holds more tables than a compaction lets it", func() bool {
		zero, _ := levels(db)
		return zero > db.b.Opts().NumLevelZeroTables+1
	})
	if _, below := levels(db); below > 0 {
		t.Fatalf("%d tables below level zero: a compaction ran while they had to rest", below)
	}
	db.Rest(false)
	until(t, "a compaction runs", func() bool {
		_, below := levels(db)
		return below > 0
	})
	db.Rest(true)
	if err := db.Close(); err != nil {
		t.Fatalf("close while compactions rest: %v", err)
	}
	if db, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCloseWithoutRoom: where the disk has no room Badger's own end, which writes
// tables through memory, is left out; nothing committed is lost by it.
func TestCloseWithoutRoom(t *testing.T) {
	dir := scratch(t)
	var full error
	db, err := Open(Options{Dir: dir, Room: func() error { return full }})
	if err != nil {
		t.Fatal(err)
	}
	put := func(k string) error {
		return db.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte(k), []byte("v")) })
	}
	if err := put("a"); err != nil {
		t.Fatal(err)
	}
	full = fmt.Errorf("no room")
	if err := put("b"); err == nil {
		t.Error("a write without room was taken")
	}
	if err := db.Close(); err != nil {
		t.Fatalf("close without room: %v", err)
	}
	if _, err := os.Stat(db.blocks.memPath(db.blocks.mem)); err != nil {
		t.Errorf("the log of what was committed: %v", err)
	}
	left := scratch(t) // the files as the next process finds them
	copyDir(t, dir, left)
	if err := db.b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Options{Dir: left})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	got, err := content(again)
	if err != nil || len(got) != 1 || got["a"] != "v" {
		t.Errorf("after the next start: %v %v, want a alone", got, err)
	}
}
