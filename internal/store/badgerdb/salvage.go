package badgerdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Salvaged says what came of a damaged database.
type Salvaged struct {
	Rows int // that could be read, of all versions
	Lost []Damage
}

// Salvage writes what can be read of a closed database into a new one, in a directory
// that is not there yet. It changes nothing of the old one, and says of each part that
// cannot be read what it held, as far as that can be told.
func Salvage(ctx context.Context, dir, into string) (out Salvaged, err error) {
	if _, err := os.Lstat(into); err == nil {
		return out, fmt.Errorf("%s is there already", into)
	}
	s, err := survey(dir)
	if err != nil {
		return out, err
	}
	o := badger.DefaultOptions(into).WithLogger(nil).WithSyncWrites(false).WithDetectConflicts(false).WithNumVersionsToKeep(1).
		WithCompression(options.Snappy).WithMemTableSize(memtableSize).WithValueThreshold(bigValue).WithMetricsEnabled(false)
	b, err := badger.OpenManaged(o)
	if err != nil {
		return out, err
	}
	w := &salvager{ctx: ctx, dir: dir, into: b, batch: b.NewManagedWriteBatch(), out: &out}
	defer w.batch.Cancel()
	// A manifest that cannot be read tells of no table, and those that are there may be
	// what a compaction has replaced: versions of rows decide between them.
	tables := s.tables
	if len(tables) == 0 {
		tables = nil
		names, _ := filepath.Glob(filepath.Join(dir, "*.sst")) // the pattern is a good one
		for _, n := range names {
			tables = append(tables, filepath.Base(n))
		}
	}
	orphans, _ := filepath.Glob(filepath.Join(dir, asideName, "*.sst"))
	for _, n := range orphans {
		tables = append(tables, filepath.Join(asideName, filepath.Base(n)))
	}
	for _, name := range tables {
		if err := w.table(name); err != nil {
			return out, errors.Join(err, b.Close())
		}
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*.mem"))
	slices.Sort(logs)
	for _, path := range logs {
		if err := w.log(filepath.Base(path)); err != nil {
			return out, errors.Join(err, b.Close())
		}
	}
	for _, d := range s.damage {
		if strings.Contains(d.What, "is missing") || d.File == "" || d.File == badger.ManifestFilename {
			out.Lost = append(out.Lost, d)
		}
	}
	err = errors.Join(w.batch.Flush(), b.Sync(), b.Close())
	return out, err
}

type salvager struct {
	ctx   context.Context
	dir   string
	into  *badger.DB
	batch *badger.WriteBatch
	out   *Salvaged
}

func (w *salvager) lost(file, format string, args ...any) {
	w.out.Lost = append(w.out.Lost, Damage{file, fmt.Sprintf(format, args...)})
}

// put writes one version of a row.
func (w *salvager) put(file string, key []byte, version uint64, meta byte, value []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if strings.HasPrefix(string(key), "!badger!") || version == 0 {
		return nil // its own
	}
	key, value = slices.Clone(key), slices.Clone(value)
	if meta&metaDelete != 0 {
		return w.batch.DeleteAt(key, version)
	}
	if meta&metaPointer != 0 {
		v, err := w.bigValue(value)
		if err != nil {
			w.lost(file, "names a big value of key %q that cannot be read: %v", key, err)
			return nil
		}
		value = v
	}
	w.out.Rows++
	return w.batch.SetEntryAt(badger.NewEntry(key, value), version)
}

func (w *salvager) bigValue(place []byte) (v []byte, err error) {
	p, ok := pointerOf(record{meta: metaPointer, value: place})
	if !ok {
		return nil, errors.New("its place is unreadable")
	}
	name := fmt.Sprintf("%06d.vlog", p.file)
	err = mapped(filepath.Join(w.dir, name), func(data []byte, _ int) {
		if r, ok := readRecord(data, min(int(p.offset), len(data))); ok {
			v = slices.Clone(r.value)
		}
	})
	if err == nil && v == nil {
		err = fmt.Errorf("%s is damaged at byte %d", name, p.offset)
	}
	return v, err
}

// table saves a table block by block: one that is damaged costs its own rows only.
func (w *salvager) table(name string) (err error) {
	path := filepath.Join(w.dir, name)
	var t *table.Table
	var mf *z.MmapFile
	open := func() (err error) {
		defer func() {
			if x := recover(); x != nil {
				err = errors.New("its index is damaged")
			}
		}()
		if mf, err = z.OpenMmapFile(path, os.O_RDONLY, 0); err != nil {
			return err
		}
		if len(mf.Data) < 16 {
			return errors.New("it is cut off")
		}
		o := tableOptions()
		o.ChkMode = options.OnBlockRead
		t, err = table.OpenTable(mf, o)
		return err
	}
	if err := open(); err != nil {
		w.lost(name, "is lost whole: %s", firstLine(err.Error()))
		return nil
	}
	defer func() { _ = mf.Close(-1) }()
	begins := t.KeySplits(math.MaxInt, nil)
	read := 0
	for i, begin := range begins {
		var end []byte
		if i+1 < len(begins) {
			end = []byte(begins[i+1])
		}
		n, bad, err := w.block(t, name, []byte(begin), end)
		if err != nil {
			return err
		}
		read += n
		if bad {
			to := "its end"
			if end != nil {
				to = fmt.Sprintf("key %q", y.ParseKey(end))
			}
			w.lost(name, "cannot be read from key %q to %s", y.ParseKey([]byte(begin)), to)
		}
	}
	if missing := int(t.KeyCount()) - read; missing > 0 {
		w.lost(name, "held %d rows, of which %d are lost", t.KeyCount(), missing)
	}
	return nil
}

func (w *salvager) block(t *table.Table, name string, begin, end []byte) (n int, bad bool, err error) {
	defer func() {
		if x := recover(); x != nil {
			bad = true
		}
	}()
	it := t.NewIterator(0)
	defer it.Close()
	it.Seek(begin)
	for ; it.Valid() && (end == nil || y.CompareKeys(it.Key(), end) < 0); it.Next() {
		v := it.Value()
		if err := w.put(name, y.ParseKey(it.Key()), y.ParseTs(it.Key()), v.Meta, v.Value); err != nil {
			return n, false, err
		}
		n++
	}
	return n, n == 0, nil
}

// log saves all readable records of a log, also those behind a damaged place.
func (w *salvager) log(name string) (err error) {
	e := mapped(filepath.Join(w.dir, name), func(data []byte, _ int) {
		l := readLog(data, true)
		if l.torn {
			w.lost(name, "cannot be read at byte %d; %d good records stand behind it and are kept", l.end, len(l.behind))
		}
		for _, r := range append(l.records, l.behind...) {
			if r.meta&metaEnd == 0 && err == nil {
				err = w.put(name, r.key, r.number, r.meta, r.value)
			}
		}
	})
	return errors.Join(err, e)
}
