package app

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	part, err := os.MkdirTemp(dir, "restoring-")
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
	return nil
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
	return store.CheckSchema(ctx, db, SchemaVersion)
}
