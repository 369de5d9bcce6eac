package badgerdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// asideName is where tables lie that the manifest does not name.
const asideName = "aside"

// setAside are tables that the manifest does not name, out of Badger's reach: it would
// remove them. A crash leaves such tables, whose rows stand elsewhere as well; where
// the manifest lost its end, they are the only ones to hold theirs.
type setAside struct {
	dir   string
	names []string
}

func putAside(dir string, names []string) (setAside, error) {
	a := setAside{dir: dir}
	// Those that an earlier start set aside and did not come to judge.
	if left, err := os.ReadDir(filepath.Join(dir, asideName)); err == nil {
		for _, e := range left {
			a.names = append(a.names, e.Name())
		}
	}
	if len(names) == 0 {
		return a, nil
	}
	if err := os.MkdirAll(filepath.Join(dir, asideName), 0o700); err != nil {
		return a, err
	}
	for _, n := range names {
		if err := os.Rename(filepath.Join(dir, n), filepath.Join(dir, asideName, n)); err != nil {
			return a, err
		}
		a.names = append(a.names, n)
	}
	return a, nil
}

// settle removes the tables whose rows are all in the database, or closes it and says
// what would be lost without them.
func (a setAside) settle(b *badger.DB) error {
	var found []Damage
	for _, n := range a.names {
		path := filepath.Join(a.dir, asideName, n)
		lost, rows := missing(path, b)
		if lost > 0 {
			found = append(found, Damage{filepath.Join(asideName, n), fmt.Sprintf("holds %d of %d rows that are nowhere else: the manifest has lost its end, where it was named", lost, rows)})
			continue
		}
		// What cannot be read was never finished: a table is named once it is whole.
		if err := os.Remove(path); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if len(found) > 0 {
		return errors.Join(&Damaged{Dir: a.dir, Found: found}, b.Close())
	}
	if a.dir != "" {
		_ = os.Remove(filepath.Join(a.dir, asideName)) // it is not there mostly
	}
	return nil
}

// missing counts a table's rows that the database lacks, in that version or a newer one.
func missing(path string, b *badger.DB) (lost, rows int) {
	defer func() {
		if x := recover(); x != nil { // unreadable: it was never finished
			lost = 0
		}
	}()
	mf, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil || len(mf.Data) < 16 {
		return 0, 0
	}
	t, err := table.OpenTable(mf, tableOptions())
	if err != nil {
		return 0, 0
	}
	defer func() { _ = mf.Close(-1) }()
	txn := b.NewTransaction(false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.AllVersions, o.InternalAccess, o.PrefetchValues = true, true, false
	in := txn.NewIterator(o)
	defer in.Close()
	it := t.NewIterator(0)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		rows++
		key, version := y.ParseKey(it.Key()), y.ParseTs(it.Key())
		in.Seek(key)
		there := in.Valid() && string(in.Item().Key()) == string(key) && in.Item().Version() >= version
		if gone := it.Value().Meta&metaDelete != 0; !there && !gone {
			lost++
		}
	}
	return lost, rows
}
