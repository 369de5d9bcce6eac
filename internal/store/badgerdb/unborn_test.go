package badgerdb

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/watchbill/watchbill/internal/store"
)

// A kill between creating a memtable's log and sizing it leaves a file of no
// length, which Badger refuses to open.
func TestOpensAfterAKillBeforeALogWasSized(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx store.Tx) error { return tx.Put([]byte("k"), []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00042.mem", "000042.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if db, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(r store.Reader) error {
		v, ok, err := r.Get([]byte("k"))
		if !ok || string(v) != "v" {
			t.Errorf("read %q, %v", v, ok)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
