// Package budget shares a bounded amount of something, mostly memory, among callers:
// it is taken before it is used, and nobody has more than a part. It knows nothing of
// what it is spent on.
package budget

import (
	"errors"
	"io"
	"sync"
)

// ErrSpent says that there is not enough left, for this caller or for all.
var ErrSpent = errors.New("too much is under way at once")

// Budget is safe for concurrent use.
type Budget struct {
	all, each int64

	mu   sync.Mutex
	used int64
	by   map[string]int64
}

// New makes a budget of all, of which each caller has at most each.
func New(all, each int64) *Budget {
	return &Budget{all: all, each: each, by: map[string]int64{}}
}

// Resize bounds what is taken from now on.
func (b *Budget) Resize(all, each int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all, b.each = all, each
}

// Take takes n for a caller, or nothing.
func (b *Budget) Take(caller string, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.all || b.by[caller]+n > b.each {
		return ErrSpent
	}
	b.used += n
	b.by[caller] += n
	return nil
}

// Give gives back what was taken.
func (b *Budget) Give(caller string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.by[caller] -= n; b.by[caller] <= 0 {
		delete(b.by, caller)
	}
}

// Used returns what is taken by all.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Share is what one piece of work of a caller has taken. It is not safe for concurrent
// use.
type Share struct {
	b      *Budget
	caller string
	taken  int64
}

// Share begins a piece of work of a caller. Close gives back all that it takes.
func (b *Budget) Share(caller string) *Share { return &Share{b: b, caller: caller} }

// Take takes n more.
func (s *Share) Take(n int64) error {
	if err := s.b.Take(s.caller, n); err != nil {
		return err
	}
	s.taken += n
	return nil
}

// Give gives n of it back.
func (s *Share) Give(n int64) {
	s.b.Give(s.caller, n)
	s.taken -= n
}

// Close gives everything back; a second call does nothing.
func (s *Share) Close() {
	if s.taken > 0 {
		s.b.Give(s.caller, s.taken)
		s.taken = 0
	}
}

// step is how much a reader takes at once.
const step = 64 << 10

// Reader reads from r and takes weight times what it reads, before it reads it: what
// becomes of a body may weigh more than the body.
func (s *Share) Reader(r io.Reader, weight int64) io.Reader {
	return &reader{s: s, r: r, weight: weight}
}

type reader struct {
	s      *Share
	r      io.Reader
	weight int64
	left   int64 // taken and not read yet
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		if err := r.s.Take(step * r.weight); err != nil {
			return 0, err
		}
		r.left = step
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}
