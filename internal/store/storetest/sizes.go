package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/internal/store"
)

// Long says that tests run in the long form that `make chaos` asks for.
func Long() bool { return os.Getenv("WATCHBILL_CHAOS") != "" }

// shape makes the n-th row of a kind of data. Rows of a kind differ in their
// proportion of keys to values, which is what a transaction's limit is about.
type shape struct {
	name string
	row  func(n int) store.Pair
}

// shapes of rows as installations have them: an alert has a document of a few hundred
// bytes and many index rows of nothing but a key; a host has few and large ones.
var shapes = []shape{
	{"alerts", func(n int) store.Pair {
		if n%6 == 0 {
			return store.Pair{Key: fmt.Appendf(nil, "d/alert\x00ALT%08d", n), Value: bytes.Repeat([]byte{byte(n)}, 300)}
		}
		return store.Pair{Key: fmt.Appendf(nil, "i/alert\x00x%d\x00ALT%08d", n%6, n), Value: []byte{}}
	}},
	{"hosts", func(n int) store.Pair {
		if n%3 == 0 {
			return store.Pair{Key: fmt.Appendf(nil, "d/ci\x00CI%08d", n), Value: bytes.Repeat([]byte{byte(n)}, 1500)}
		}
		return store.Pair{Key: fmt.Appendf(nil, "i/ci\x00x%d\x00host-%08d.example.org", n%3, n), Value: []byte{}}
	}},
	{"keys only", func(n int) store.Pair { return store.Pair{Key: fmt.Appendf(nil, "%08d", n), Value: []byte{}} }},
	{"long keys", func(n int) store.Pair {
		return store.Pair{Key: fmt.Appendf(nil, "%s%08d", strings.Repeat("k", store.MaxKey-8), n), Value: []byte{}}
	}},
	{"large values", func(n int) store.Pair {
		return store.Pair{Key: fmt.Appendf(nil, "%08d", n), Value: bytes.Repeat([]byte{byte(n), byte(n >> 8)}, 20<<10)}
	}},
}

// backupSizes: a transaction is limited in rows and in bytes, and a backup's rows are
// cut into transactions anew when they are restored.
func backupSizes(t *testing.T, b Backend) {
	rnd := rand.New(rand.NewPCG(7, 11))
	for _, s := range shapes {
		sizes := []int{1, 2000 + rnd.IntN(3000), 30_000 + rnd.IntN(10_000)}
		if Long() {
			sizes = append(sizes, 100_000+rnd.IntN(1000), 300_000+rnd.IntN(1000), 1_000_000+rnd.IntN(1000), 2_000_000)
		}
		for _, n := range sizes {
			switch s.name {
			case "long keys":
				n = min(n/4, 50_000)
			case "large values":
				n = min(n/30, 5_000)
			case "hosts":
				n = min(n, 500_000)
			}
			t.Run(fmt.Sprintf("%s %d", s.name, n), func(t *testing.T) { roundTrip(t, b, s, max(n, 1)) })
		}
	}
}

func roundTrip(t *testing.T, b Backend, s shape, n int) {
	db := b.Open(t)
	limit := db.Limit()
	for at := 0; at < n; {
		begin := at
		update(t, db, func(tx store.Tx) error {
			at = begin // a closure may run again
			bytes := int64(0)
			for rows := int64(0); at < n && (limit.Pairs == 0 || rows < limit.Pairs/2) && (limit.Bytes == 0 || bytes < limit.Bytes/2); rows++ {
				p := s.row(at)
				if err := tx.Put(p.Key, p.Value); err != nil {
					return err
				}
				bytes += int64(len(p.Key)+len(p.Value)) + 64
				at++
			}
			return nil
		})
	}
	var file bytes.Buffer
	if err := db.Backup(context.Background(), &file); err != nil {
		t.Fatal(err)
	}
	again := b.Open(t)
	if err := again.Restore(context.Background(), &file); err != nil {
		t.Fatalf("a backup of %d rows does not restore: %v", n, err)
	}
	rows := 0
	view(t, again, func(r store.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			rows++
			want, ok, err := get(db, p.Key)
			if err != nil || !ok || !bytes.Equal(want, p.Value) {
				return fmt.Errorf("row %q is restored as another one (%v)", p.Key, err)
			}
		}
		return nil
	})
	if rows != n {
		t.Fatalf("%d of %d rows were restored", rows, n)
	}
}

func get(db store.DB, key []byte) (value []byte, ok bool, err error) {
	err = db.View(context.Background(), func(r store.Reader) error {
		value, ok, err = r.Get(key)
		return err
	})
	return value, ok, err
}
