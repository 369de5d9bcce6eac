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
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/store"
)

// backups makes copies of everything by itself, and remembers when the last was made.
type backups struct {
	last   atomic.Int64 // when the newest was finished, Unix seconds; 0: never
	failed atomic.Uint64
	cfg    atomic.Pointer[config.Backup]
}

const (
	backupBegin = "watchbill-"
	backupEnd   = ".backup.gz"
	backupStamp = "20060102T150405Z"
	// backupLook is how often it is looked whether one is due, and backupAgain how long
	// after a failed one the next is tried.
	backupLook  = 10 * time.Second
	backupAgain = 10 * time.Minute
)

// keepBackups makes a backup whenever one is due.
func (s *server) keepBackups(ctx context.Context) error {
	tick := time.NewTicker(backupLook)
	defer tick.Stop()
	var tried time.Time
	for {
		if c := s.backups.cfg.Load(); c != nil && c.Directory != "" {
			if have := made(c.Directory); len(have) > 0 {
				if at := stampOf(have[len(have)-1]); at.Unix() > s.backups.last.Load() {
					s.backups.last.Store(at.Unix())
				}
			}
			now := time.Now() // of files that people look at, not of decisions
			due := now.Sub(time.Unix(s.backups.last.Load(), 0)) >= c.Every.Std()
			if due && now.Sub(tried) >= min(backupAgain, c.Every.Std()) {
				tried = now
				if err := s.backUp(ctx, *c, now); err != nil && ctx.Err() == nil {
					s.backups.failed.Add(1)
					s.log.Error("the backup failed; it is tried again", "directory", c.Directory, "err", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// backUp writes one backup, reads it again, and removes those that are too many.
func (s *server) backUp(ctx context.Context, c config.Backup, now time.Time) error {
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return err
	}
	name := filepath.Join(c.Directory, backupBegin+now.UTC().Format(backupStamp)+backupEnd)
	tmp, err := os.CreateTemp(c.Directory, ".unfinished-") // made 0600: it holds everything
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	z := gzip.NewWriter(tmp)
	if err := errors.Join(s.db.Backup(ctx, z), z.Close(), tmp.Sync()); err != nil {
		return err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	pairs, err := readBackup(ctx, tmp)
	if err != nil {
		return fmt.Errorf("what was written cannot be read again: %w", err)
	}
	if err := errors.Join(os.Rename(tmp.Name(), name), syncDir(c.Directory)); err != nil {
		return err
	}
	s.backups.last.Store(now.Unix())
	s.log.Info("backup made", "file", name, "rows", pairs)
	have := made(c.Directory)
	for len(have) > c.Keep {
		if err := os.Remove(have[0]); err != nil {
			return err
		}
		have = have[1:]
	}
	return nil
}

// readBackup reads a backup to its end, with all its checksums.
func readBackup(ctx context.Context, r io.Reader) (pairs uint64, err error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return 0, err
	}
	if pairs, err = store.CheckBackup(ctx, z); err == nil {
		_, err = io.Copy(io.Discard, z) // its own checksum
	}
	return pairs, err
}

// made are the backups in a directory, oldest first.
func made(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, backupBegin+"*"+backupEnd)) // the pattern is a good one
	names = slices.DeleteFunc(names, func(n string) bool { return stampOf(n).IsZero() })
	slices.Sort(names)
	return names
}

func stampOf(file string) time.Time {
	text := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), backupBegin), backupEnd)
	at, _ := time.Parse(backupStamp, text) // zero where it is another's file
	return at
}
