package app

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// Restore reads a backup into a storage path that holds no data yet, while no
// server runs. A backup that is cut off, damaged or of another schema leaves the
// path without data, as it was.
func Restore(ctx context.Context, dir string, r io.Reader) (err error) {
	final := filepath.Join(dir, "db")
	if entries, err := os.ReadDir(final); err == nil && len(entries) > 0 {
		return fault.Conflictf("%s holds data already: name an empty --storage.path", dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into --storage.path=%s: %w", dir, err)
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return fault.Invalidf("", "the file is no backup of watchbill: %v", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--storage.path=%s: %w", dir, err)
	}
	lock, err := lockPath(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Of restores that were killed: nobody else works here, so nobody needs them.
	for _, left := range unfinished(dir) {
		if err := os.RemoveAll(left); err != nil {
			return fmt.Errorf("remove what an interrupted restore left: %w", err)
		}
	}
	part, err := os.MkdirTemp(dir, restoringName)
	if err != nil {
		return fmt.Errorf("--storage.path=%s: %w", dir, err)
	}
	defer os.RemoveAll(part)
	if err := load(ctx, part, z); err != nil {
		return err
	}
	_ = os.Remove(final) // an empty one would be in the way of the rename
	if err := os.Rename(part, final); err != nil {
		return fmt.Errorf("put the restored data in its place: %w", err)
	}
	return syncDir(dir)
}

// restoringName begins the names of directories that are being restored into.
const restoringName = "restoring-"

// unfinished are the directories that interrupted restores left in a storage path.
func unfinished(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, restoringName+"*")) // the pattern is a good one
	return names
}

// lockPath keeps other processes of this program off a storage path until it is closed
// or the process ends.
func lockPath(dir string) (io.Closer, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("--storage.path=%s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.Conflictf("--storage.path=%s is in use by another process: stop it first", dir)
	}
	return f, nil
}

// syncDir makes renames in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func load(ctx context.Context, dir string, z *gzip.Reader) (err error) {
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Restore(ctx, z); err != nil {
		return fmt.Errorf("the backup is damaged or cut off: %w", err)
	}
	// The end of the gzip stream carries the checksum: a file that was cut between
	// two of the store's frames is found here.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return fmt.Errorf("the backup is damaged or cut off: %w", err)
	}
	empty := true
	if err := db.View(ctx, func(r store.Reader) error {
		for _, err := range r.Scan(nil, nil, false) {
			empty = false
			return err
		}
		return nil
	}); err != nil {
		return err
	}
	if empty {
		return fault.Invalidf("", "the backup is empty")
	}
	if err := store.Migrate(ctx, db, SchemaVersion, migrations(), slog.New(slog.DiscardHandler)); err != nil { // a backup of an earlier version as well
		return err
	}
	v, err := verify(ctx, db, 0)
	if err == nil && len(v.Wrong) > 0 {
		err = fault.Invalidf("", "the backup was made of damaged data: %s", v.Wrong[0])
	}
	return err
}
