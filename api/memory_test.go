package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/watchbill/watchbill/internal/fault"
)

// zeros is a body of which so much is given out.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// TestBodiesShareABudget: whatever is sent at once, by whomever, what is held stays
// within the budget, one caller leaves room for the others, and all is given back.
func TestBodiesShareABudget(t *testing.T) {
	var m memory
	var peak int64
	var watch sync.Mutex
	refused := 0
	var all sync.WaitGroup
	var open []*metered
	for i := range 60 {
		r := &metered{Reader: &zeros{32 << 20}, memory: &m, whom: string(rune('a' + i%20))}
		open = append(open, r)
		all.Go(func() {
			_, err := io.Copy(io.Discard, r)
			watch.Lock()
			defer watch.Unlock()
			if err != nil {
				if fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
				refused++
			}
			m.mu.Lock()
			peak = max(peak, m.used)
			m.mu.Unlock()
		})
	}
	all.Wait()
	if peak > bodiesMost || refused == 0 {
		t.Errorf("peak %d of %d, %d refused", peak, bodiesMost, refused)
	}
	for _, r := range open {
		r.Close()
	}
	if m.used != 0 || len(m.byWhom) != 0 {
		t.Errorf("%d bytes are not given back, %v", m.used, m.byWhom)
	}
	// One caller has no more than its part, and another still gets in.
	for range 10 {
		r := &metered{Reader: &zeros{32 << 20}, memory: &m, whom: "greedy"}
		io.Copy(io.Discard, r) //nolint:errcheck // most are refused
	}
	honest := &metered{Reader: &zeros{8 << 20}, memory: &m, whom: "honest"}
	if _, err := io.Copy(io.Discard, honest); err != nil {
		t.Errorf("beside a greedy one: %v", err)
	}
}

// TestAReportBeyondTheBudgetIsAskedForAgain: 503 with Retry-After, which agents
// repeat; a body that is too large for ever is 413.
func TestAReportBeyondTheBudgetIsAskedForAgain(t *testing.T) {
	h := build(t)
	one, _ := h.join("web1", "")
	if err := h.api.bodies.reserve("others", bodiesMost/2); err != nil {
		t.Fatal(err)
	}
	if err := h.api.bodies.reserve("more", bodiesMost/2); err != nil {
		t.Fatal(err)
	}
	a := h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 1))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	h.api.bodies.release("others", bodiesMost/2)
	h.api.bodies.release("more", bodiesMost/2)
	if a := h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 2)); a.status != http.StatusOK {
		t.Errorf("with room again: %d %s", a.status, a.body)
	}
	if h.api.bodies.used != 0 {
		t.Errorf("%d bytes are not given back", h.api.bodies.used)
	}
}

func TestMeteredKeepsWhatItReads(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	text := strings.Repeat("watchbill ", 100_000)
	io.WriteString(z, text) //nolint:errcheck // a buffer
	z.Close()
	u, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	r := &metered{Reader: u, memory: &memory{}, whom: "x"}
	got, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, io.EOF) || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
