package api

import (
	"io"
	"sync"

	"github.com/watchbill/watchbill/internal/fault"
)

const (
	// bodiesMost is the memory that the bodies of agents may take together while
	// they are read and decoded, bodiesEach what those of one credential may.
	bodiesMost = 192 << 20
	bodiesEach = bodiesMost / 2
	// unpackedCosts is how many bytes of memory a byte of an unpacked report takes
	// in all: the decoder's buffer, the sections cut out of it, the values.
	unpackedCosts = 3
	// reserveStep is what is reserved at a time. A body costs what has arrived of
	// it, not what it announces.
	reserveStep = 256 << 10
)

// memory is a budget that is reserved before it is used. It is safe for concurrent use.
type memory struct {
	mu     sync.Mutex
	used   int64
	byWhom map[string]int64
}

// reserve takes n bytes for a caller, or says that there are none now.
func (m *memory) reserve(whom string, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used+n > bodiesMost || m.byWhom[whom]+n > bodiesEach {
		return fault.Unavailablef("overloaded: too many reports are being read at once; try again")
	}
	if m.byWhom == nil {
		m.byWhom = map[string]int64{}
	}
	m.used += n
	m.byWhom[whom] += n
	return nil
}

func (m *memory) release(whom string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	if m.byWhom[whom] -= n; m.byWhom[whom] <= 0 {
		delete(m.byWhom, whom)
	}
}

// metered is a body that reserves memory for what it gives out. Close gives it back.
type metered struct {
	io.Reader
	memory     *memory
	whom       string
	held, read int64
}

// Read implements io.Reader.
func (r *metered) Read(p []byte) (int, error) {
	p = p[:min(len(p), reserveStep)]
	if want := (r.read + int64(len(p))) * unpackedCosts; want > r.held {
		more := max(want-r.held, reserveStep)
		if err := r.memory.reserve(r.whom, more); err != nil {
			return 0, err
		}
		r.held += more
	}
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	return n, err
}

// Close gives the memory back. What was decoded must not be used any more.
func (r *metered) Close() error {
	r.memory.release(r.whom, r.held)
	r.held = 0
	return nil
}
