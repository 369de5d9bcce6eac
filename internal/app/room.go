package app

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// room watches free disk space: Badger dies of SIGBUS on a full disk, so writes
// are refused before.
type room struct {
	dir string
	now func() time.Time

	mu        sync.Mutex
	watermark uint64 // bytes
	at        time.Time
	last      error
}

// set puts another watermark into force, from the next look on.
func (r *room) set(watermark uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watermark, r.at = watermark, time.Time{}
}

// roomFor is how long one look at the disk is good for.
const roomFor = 500 * time.Millisecond

// check returns an error while free space is below the watermark.
func (r *room) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watermark == 0 {
		return nil
	}
	now := r.now()
	if !r.at.IsZero() && now.Sub(r.at) < roomFor {
		return r.last
	}
	r.at, r.last = now, nil
	var st syscall.Statfs_t
	if err := syscall.Statfs(r.dir, &st); err != nil {
		r.last = fmt.Errorf("free space of %s cannot be told: %w", r.dir, err)
	} else if free := st.Bavail * uint64(st.Bsize); free < r.watermark {
		r.last = fmt.Errorf("%d MiB free in %s, below the watermark of %d MiB", free>>20, r.dir, r.watermark>>20)
	}
	return r.last
}
