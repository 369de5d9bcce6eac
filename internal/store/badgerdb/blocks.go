package badgerdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/internal/fault"
)

// noRoom is what every writer is told while the disk has no room.
func noRoom(err error) error {
	return fault.Unavailablef("the server's disk has no room, nothing was written; try again: %v", err)
}

// blocks takes the disk's blocks of logs before Badger writes to them. Its logs are
// sparse files that it writes through memory: a block that cannot be had there is a
// signal that ends the process, and here it is an error.
type blocks struct {
	dir        string
	mem, vlog  int   // numbers of the newest files
	values     int64 // what was written to the newest value log at most
	taken      int64 // and how much of it has blocks
	unreserved bool  // the newest memtable's log lacks blocks
}

// valuesAhead is how much of a value log is taken at once.
const valuesAhead = 8 << 20

func newBlocks(dir string) *blocks {
	b := &blocks{dir: dir}
	for _, kind := range []struct {
		pattern string
		newest  *int
	}{{"*.mem", &b.mem}, {"*.vlog", &b.vlog}} {
		names, _ := filepath.Glob(filepath.Join(dir, kind.pattern)) // the pattern is a good one
		for _, n := range names {
			*kind.newest = max(*kind.newest, number(filepath.Base(n)))
		}
	}
	b.unreserved = true
	return b
}

func (b *blocks) memPath(n int) string  { return filepath.Join(b.dir, fmt.Sprintf("%05d.mem", n)) }
func (b *blocks) vlogPath(n int) string { return filepath.Join(b.dir, fmt.Sprintf("%06d.vlog", n)) }

// follow finds out whether Badger has begun a new log, and takes its blocks.
func (b *blocks) follow() error {
	for exists(b.memPath(b.mem + 1)) {
		b.mem++
		b.unreserved = true
	}
	if b.unreserved {
		if err := take(b.memPath(b.mem), memtableLog); err != nil {
			return err
		}
		b.unreserved = false
	}
	return nil
}

// forValues takes the blocks that big values of a commit need.
func (b *blocks) forValues(n int64) error {
	for exists(b.vlogPath(b.vlog + 1)) {
		b.vlog++
		b.values, b.taken = 0, 0
	}
	b.values += n
	// A log that is full is ended after the write, so that the next begins another.
	if b.values+logHeader > b.taken {
		want := b.values + valuesAhead
		if err := take(b.vlogPath(b.vlog), want); err != nil {
			b.values -= n
			return err
		}
		b.taken = want
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// take gives a file blocks up to a size, without making it longer.
func take(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) { // flushed meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINTR) {
		return nil // the watermark alone has to do
	}
	return err
}

// free is what the file system of dir has for this process.
func free(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

const (
	// roomLeast has to be free for a database that nobody else watches the room of, as
	// a restore's: three memtables that become tables, and a compaction of as many.
	roomLeast = 128 << 20
	// closeNeeds has to be free for an orderly end: it makes tables of the memtables.
	closeNeeds = 96 << 20
)

// ownRoom watches the room of a database that nobody else does it for.
func ownRoom(dir string) func() error {
	return func() error {
		n, err := free(dir)
		if err == nil && n < roomLeast {
			err = fmt.Errorf("%d MiB free in %s, below the %d MiB that writing needs: make room there", n>>20, dir, roomLeast>>20)
		}
		return err
	}
}

// mayClose returns an error where Badger's own end would meet the end of the disk.
func (db *DB) mayClose() error {
	if db.dir == "" {
		return nil
	}
	if err := db.room(); err != nil {
		return err
	}
	n, err := free(db.dir)
	if err == nil && n < closeNeeds {
		err = fmt.Errorf("%d MiB free in %s, and an orderly end takes up to %d", n>>20, db.dir, closeNeeds>>20)
	}
	return err
}
