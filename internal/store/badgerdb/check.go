package badgerdb

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
	"golang.org/x/sys/unix"
)

// Damage is one thing that is wrong with the files of a database.
type Damage struct {
	File string // within the directory; "" where it is none in particular
	What string
}

func (d Damage) String() string {
	if d.File == "" {
		return d.What
	}
	return d.File + " " + d.What
}

// Damaged is the error of opening a database whose files are damaged. Nothing was
// changed: what can be read still can.
type Damaged struct {
	Dir   string
	Found []Damage
}

func (d *Damaged) Error() string {
	// More are told by a check; an error is read by people.
	const most = 5
	var b strings.Builder
	fmt.Fprintf(&b, "the stored data in %s is damaged, and starting on it would lose data in silence:", d.Dir)
	for _, x := range d.Found[:min(len(d.Found), most)] {
		fmt.Fprintf(&b, "\n  %s", x)
	}
	if more := len(d.Found) - most; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	b.WriteString("\nNothing was changed. Look at the disk first. Then restore a backup into an empty path (watchbill restore), or keep what can be read and be told exactly what is lost (watchbill repair)")
	return b.String()
}

// surveyed is what a look at the files of a closed database tells.
type surveyed struct {
	damage  []Damage
	orphans []string // tables that the manifest does not know
	logs    []string // names of memtables' logs, oldest first
	vlogs   []string
	tables  []string
	newest  uint64 // newest complete commit
}

func (s *surveyed) bad(file, format string, args ...any) {
	s.damage = append(s.damage, Damage{file, fmt.Sprintf(format, args...)})
}

// Check reads all files of a closed database and says what is wrong with them. It
// changes nothing, and a directory that holds none is fine.
func Check(dir string) ([]Damage, error) {
	s, err := survey(dir)
	return s.damage, err
}

// tableOptions read a table without any cache, each block with its checksum.
func tableOptions() table.Options {
	d := badger.DefaultOptions("")
	return table.Options{ReadOnly: true, BlockSize: d.BlockSize, BloomFalsePositive: d.BloomFalsePositive, ChkMode: options.OnTableAndBlockRead, Compression: options.Snappy}
}

func survey(dir string) (s surveyed, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("look into the database's directory: %w", err)
	}
	present := map[uint64]string{}
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir():
		case strings.HasSuffix(name, ".mem"):
			s.logs = append(s.logs, name)
		case strings.HasSuffix(name, ".vlog"):
			s.vlogs = append(s.vlogs, name)
		case strings.HasSuffix(name, ".sst"):
			if id, ok := table.ParseFileID(name); ok {
				present[id] = name
			}
		}
	}
	known, whole := s.manifest(dir, len(present)+len(s.logs)+len(s.vlogs) > 0)
	if !whole {
		return s, nil
	}
	ids := make([]uint64, 0, len(known))
	for id := range known {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		name := table.IDToFilename(id)
		if present[id] == "" {
			s.bad(name, "is missing: the manifest names it")
			continue
		}
		s.tables = append(s.tables, name)
		newest, err := checkTable(filepath.Join(dir, name))
		if err != nil {
			s.bad(name, "cannot be read: %v", err)
		}
		s.newest = max(s.newest, newest)
	}
	for id, name := range present {
		if _, ok := known[id]; !ok {
			s.orphans = append(s.orphans, name)
		}
	}
	slices.Sort(s.orphans)
	return s, s.readLogs(dir)
}

// manifest returns the tables that belong to the database; whole is false where that
// cannot be known.
func (s *surveyed) manifest(dir string, used bool) (known map[uint64]badger.TableManifest, whole bool) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		if used {
			s.bad(badger.ManifestFilename, "is missing, and there are files that it has to name")
		}
		return nil, !used
	}
	if err != nil {
		s.bad(badger.ManifestFilename, "cannot be read: %v", err)
		return nil, false
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		s.bad(badger.ManifestFilename, "cannot be read: %s", firstLine(err.Error()))
		return nil, false
	}
	return m.Tables, true
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// checkTable reads every block of a table. Badger panics on some kinds of damage.
func checkTable(path string) (newest uint64, err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("its blocks or its index are damaged")
		}
	}()
	mf, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	if len(mf.Data) < 16 { // a footer is longer
		_ = mf.Close(-1)
		return 0, fmt.Errorf("it is cut off at %d bytes", len(mf.Data))
	}
	t, err := table.OpenTable(mf, tableOptions())
	if err != nil {
		return 0, errors.New(firstLine(err.Error()))
	}
	defer func() { _ = mf.Close(-1) }()
	return t.MaxVersion(), nil
}

// mapped reads a log up to the end of its data, and tells its size: it may be half a
// gigabyte, most of it a hole. A look at a hole takes a block on some file systems, which
// on a full disk ends the process.
func mapped(path string, f func(data []byte, size int)) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() == 0 {
		f(nil, 0)
		return nil
	}
	mf, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = mf.Close(-1) }()
	f(mf.Data[:dataEnd(mf.Fd, len(mf.Data))], len(mf.Data))
	return nil
}

// dataEnd is where the last data of a file ends, its size where the file system cannot tell.
func dataEnd(f *os.File, size int) int {
	end := int64(0)
	for end < int64(size) {
		data, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but a hole from here
			return int(end)
		}
		if err != nil {
			return size
		}
		if end, err = f.Seek(data, unix.SEEK_HOLE); err != nil {
			return size
		}
	}
	return size
}

func number(name string) int {
	n, _ := strconv.Atoi(name[:strings.IndexByte(name, '.')])
	return n
}

// memtableLog is the size that Badger gives a memtable's log when it begins it.
const memtableLog = 2 * memtableSize

func (s *surveyed) readLogs(dir string) error {
	byNumber := func(a, b string) int { return number(a) - number(b) }
	slices.SortFunc(s.logs, byNumber)
	slices.SortFunc(s.vlogs, byNumber)
	values := map[string]pointer{} // key → where its newest value lies
	numbers := map[string]uint64{}
	for i, name := range s.logs {
		newest := i == len(s.logs)-1
		err := mapped(filepath.Join(dir, name), func(data []byte, size int) {
			if size == 0 { // a kill between its creation and its sizing
				return
			}
			l := readLog(data, true)
			if why := l.lostBehind(newest, s.newest); why != "" {
				s.bad(name, "%s", why)
			} else if size < memtableLog && l.end != size {
				s.bad(name, "is cut off at %d bytes: it was larger when it was begun", size)
			}
			s.newest = max(s.newest, l.last)
			for _, r := range l.records {
				// Values that a newer one replaced may be gone already, and one that was
				// moved stands here twice: only the newest of a key has to be there.
				k := string(r.key)
				if r.number < numbers[k] || r.meta&metaEnd != 0 {
					continue
				}
				numbers[k] = r.number
				if p, ok := pointerOf(r); ok {
					values[k] = p
				} else {
					delete(values, k)
				}
			}
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	pointers := slices.Collect(maps.Values(values))
	slices.SortFunc(pointers, func(a, b pointer) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.offset, b.offset)) })
	if err := s.readValues(dir, pointers); err != nil {
		return err
	}
	acked, err := readWitness(dir)
	if err == nil && acked > s.newest && len(s.damage) == 0 {
		s.bad("", "the newest commits are missing: %d was acknowledged, and the data ends at %d", acked, s.newest)
	}
	return err
}

// pointer is where a big value lies.
type pointer struct{ file, length, offset uint32 }

// pointerOf reads a place as Badger writes it, in the machine's order of bytes.
func pointerOf(r record) (p pointer, ok bool) {
	if r.meta&metaPointer == 0 || len(r.value) != 12 {
		return p, false
	}
	at := func(n int) uint32 { return binary.NativeEndian.Uint32(r.value[n:]) }
	return pointer{at(0), at(4), at(8)}, true
}

func (s *surveyed) readValues(dir string, pointers []pointer) error {
	for i, name := range s.vlogs {
		newest := i == len(s.vlogs)-1
		err := mapped(filepath.Join(dir, name), func(data []byte, _ int) {
			// Others than the newest are complete and are not cut off at a start: their
			// values are verified when they are read, and by Verify.
			if newest && len(data) > 0 {
				if why := readLog(data, false).lostValues(newest, s.newest); why != "" {
					s.bad(name, "%s", why)
				}
			}
			for _, p := range pointers {
				if int(p.file) != number(name) {
					continue
				}
				if r, ok := readRecord(data, min(int(p.offset), len(data))); !ok || r.end-r.at != int(p.length) {
					s.bad(name, "lacks the value at byte %d, or it cannot be read", p.offset)
				}
			}
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	for _, p := range pointers {
		if !slices.ContainsFunc(s.vlogs, func(n string) bool { return number(n) == int(p.file) }) {
			s.bad(fmt.Sprintf("%06d.vlog", p.file), "is missing: values of commits lie in it")
			break
		}
	}
	return nil
}
