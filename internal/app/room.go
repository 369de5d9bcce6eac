package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// room watches the disk. Badger writes through mapped files, and a full disk is not an
// error there but a signal that ends the process: so writers are refused before, and
// part of the disk is held back for what the store has to write nevertheless.
type room struct {
	dir string
	log *slog.Logger

	mu        sync.Mutex
	watermark uint64 // bytes
	held      uint64 // bytes of the reserve's file
	at        time.Time
	free      uint64
	failed    error // of the look
	inodes    uint64
	noInodes  bool // the file system counts none
	opening   bool // the little that a start writes is let through
	refusing  bool // with a little more than the watermark it goes on: no flutter
}

const (
	// reserveName is a file whose blocks are taken and hold nothing: it is given up
	// when the disk is full, so that the store can finish what it has begun.
	reserveName = "reserve"
	// reserveMost and reserveLeast bound it, within half of the watermark. The store
	// flushes up to three memtables of 16 MiB and ends a compaction of as many tables.
	reserveMost  = 256 << 20
	reserveLeast = 32 << 20
	// reserveStep is how much of it is given up at once.
	reserveStep = 32 << 20
	// startNeeds is what the store takes when it is opened: a log of 32 MiB, and a table
	// of what an earlier log holds.
	startNeeds = 64 << 20
	// inodesLeast are kept: each table and log of the store is one, and a store that
	// cannot make a file does not go on.
	inodesLeast = 256
	// roomAgain is how much above the watermark, as its share, makes writers welcome again.
	roomAgain = 32
)

// roomFor is how long one look at the disk is good for: another program fills a fast
// disk with a gigabyte a second.
const roomFor = 20 * time.Millisecond

// set puts another watermark into force, from the next look on.
func (r *room) set(watermark uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watermark, r.at = watermark, time.Time{}
}

// look asks the file system, if the last answer is too old. The lock is held.
func (r *room) look() {
	now := time.Now() // of the disk, not of decisions: never staged
	if !r.at.IsZero() && now.Sub(r.at) < roomFor && now.After(r.at) {
		return
	}
	var st unix.Statfs_t
	r.at = now
	if r.failed = unix.Statfs(r.dir, &st); r.failed != nil {
		return
	}
	r.free = st.Bavail * uint64(st.Bsize)
	r.inodes, r.noInodes = st.Ffree, st.Files == 0
}

// lacks says what is missing where less than least bytes are free, nil where enough is.
func (r *room) lacks(least uint64) error {
	switch {
	case r.failed != nil:
		return fmt.Errorf("free space of %s cannot be told: %w", r.dir, r.failed)
	case r.free+r.held < least:
		return fmt.Errorf("%d MiB free in %s, below the watermark of %d MiB", (r.free+r.held)>>20, r.dir, r.watermark>>20)
	case !r.noInodes && r.inodes < inodesLeast:
		return fmt.Errorf("%d inodes free in %s, below the %d that the store needs: remove files", r.inodes, r.dir, inodesLeast)
	}
	return nil
}

// check returns an error while senders and people have to be refused.
func (r *room) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	least := r.watermark
	if r.refusing {
		least += least / roomAgain
	}
	err := r.lacks(least)
	r.refusing = err != nil
	return err
}

// store returns an error while nothing at all may be written: what was accepted before
// is decided and kept in the half of the watermark above this.
func (r *room) store() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	if r.opening && r.failed == nil && r.free >= reserveStep {
		return nil
	}
	return r.lacks(r.watermark / 2)
}

// opened ends what begin allowed.
func (r *room) opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opening = false
}

// left is what is free, and below what writers are refused.
func (r *room) left() (free, watermark uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	return r.free + r.held, r.watermark
}

// hold takes the reserve's blocks as far as the disk has room beyond the watermark, and
// keeps what is held.
func (r *room) hold() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := filepath.Join(r.dir, reserveName)
	if st, err := os.Stat(path); err == nil {
		r.held = uint64(st.Size())
	}
	r.at = time.Time{}
	r.look()
	want := max(reserveLeast, min(reserveMost, r.watermark/4))
	if r.held >= want || r.failed != nil || r.free < r.watermark+want {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.Fallocate(int(f.Fd()), 0, 0, int64(want))
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return os.Remove(path) // a hole would hold nothing
	}
	if err != nil {
		return err
	}
	r.held, r.at = want, time.Time{}
	return nil
}

// yield gives up n bytes of the reserve, all of it where it holds less.
func (r *room) yield(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == 0 {
		return
	}
	path := filepath.Join(r.dir, reserveName)
	var err error
	if n >= r.held {
		err = os.Remove(path)
		r.held = 0
	} else {
		err = os.Truncate(path, int64(r.held-n))
		r.held -= n
	}
	r.at = time.Time{}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.log.Warn("the reserve could not be given up", "err", err)
	}
}

// begin makes sure that the store can be opened: it is where a full disk would end it.
func (r *room) begin() error {
	if err := r.hold(); err != nil {
		r.log.Warn("no room could be held back on the disk", "err", err)
	}
	r.mu.Lock()
	r.opening = true
	free, held, failed := r.free, r.held, r.failed
	r.mu.Unlock()
	if failed == nil && free < startNeeds && held > 0 {
		r.yield(startNeeds)
		r.mu.Lock()
		r.look()
		free = r.free
		r.mu.Unlock()
	}
	if failed == nil && free < startNeeds {
		return fmt.Errorf("the disk of --storage.path=%s is full: %d MiB are free, and a start needs %d: make room there. What is stored is untouched", r.dir, free>>20, startNeeds>>20)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.noInodes && failed == nil && r.inodes < inodesLeast/4 {
		return fmt.Errorf("the disk of --storage.path=%s has no room for files: %d inodes are free: remove files there. What is stored is untouched", r.dir, r.inodes)
	}
	return nil
}

// tend gives the reserve up while the disk is full, and takes it again after. pause is
// told whether the store's own work in the background has to rest.
func (r *room) tend(ctx context.Context, pause func(bool)) error {
	tick := time.NewTicker(roomFor)
	defer tick.Stop()
	resting := false
	// The newest wish counts, and one at a time is carried out: pause waits for what is under way.
	wishes := make(chan bool, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for yes := range wishes {
			pause(yes)
		}
	})
	defer wg.Wait()
	defer close(wishes)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		r.mu.Lock()
		r.look()
		free, failed := r.free, r.failed
		short := r.lacks(r.watermark/2) != nil
		r.mu.Unlock()
		if failed != nil {
			continue
		}
		if short != resting {
			select {
			case wishes <- short:
				resting = short
			default: // the one before is not carried out yet: at the next look
			}
		}
		switch {
		case free < reserveStep/2:
			r.yield(reserveStep)
		case !short && free > reserveMost:
			if err := r.hold(); err != nil {
				r.log.Debug("no room could be held back on the disk", "err", err)
			}
		}
	}
}
