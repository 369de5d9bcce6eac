package badgerdb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
	"github.com/watchbill/watchbill/internal/store/storetest"
)

func open(t testing.TB, dir string) store.DB {
	t.Helper()
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestInMemory(t *testing.T) {
	storetest.Run(t, storetest.Backend{Open: func(t testing.TB) store.DB { return open(t, "") }})
}

func TestOnDisk(t *testing.T) {
	dirs := map[store.DB]string{}
	storetest.Run(t, storetest.Backend{
		Open: func(t testing.TB) store.DB {
			dir := t.TempDir()
			db := open(t, dir)
			dirs[db] = dir
			return db
		},
		Reopen: func(t testing.TB, db store.DB) store.DB {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, dirs[db])
		},
	})
}

func TestCrash(t *testing.T) { storetest.Crash(t, open) }

// Badger has a limit of its own; the suite allows backends without one.
func TestTransactionLimit(t *testing.T) {
	db := open(t, "")
	err := db.Update(context.Background(), func(tx store.Tx) error {
		return tx.Put([]byte("k"), make([]byte, 16<<20))
	})
	if !errors.Is(err, store.ErrTooLarge) {
		t.Fatalf("16 MiB in one transaction: %v", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if db, err := badgerdb.Open(badgerdb.Options{Dir: dir}); err == nil {
		db.Close()
		t.Fatal("two databases were opened on one directory")
	}
}
