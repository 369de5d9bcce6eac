package engine

import (
	"sync"

	"github.com/watchbill/watchbill/internal/engine/fold"
)

// Change says which record changed, at which position.
type Change struct {
	Position uint64 `json:"position"`
	Kind     string `json:"kind"`
	ID       string `json:"id"`
}

// hub passes committed changes on. A slow subscriber loses changes, and is told
// so, rather than holding up the engine.
type hub struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{}
	taps []func(fold.Effect)
}

// Subscription receives changes until Close.
type Subscription struct {
	C    <-chan []Change // nil slice: changes were lost, read everything anew
	c    chan []Change
	lost bool
	h    *hub
}

func newHub() *hub { return &hub{subs: map[*Subscription]struct{}{}} }

// Subscribe begins a subscription.
func (e *Engine) Subscribe() *Subscription {
	c := make(chan []Change, 64)
	s := &Subscription{C: c, c: c, h: e.hub}
	e.hub.mu.Lock()
	e.hub.subs[s] = struct{}{}
	e.hub.mu.Unlock()
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.h.mu.Lock()
	delete(s.h.subs, s)
	s.h.mu.Unlock()
}

// Tap has f called with every committed effect, in order, on the engine's
// goroutine: it must be quick. Register before Run.
func (e *Engine) Tap(f func(fold.Effect)) {
	e.hub.mu.Lock()
	e.hub.taps = append(e.hub.taps, f)
	e.hub.mu.Unlock()
}

func (h *hub) effect(f fold.Effect) {
	h.mu.Lock()
	taps := h.taps
	h.mu.Unlock()
	for _, t := range taps {
		t(f)
	}
}

func (h *hub) publish(changes []Change) {
	if len(changes) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if s.lost {
			select {
			case s.c <- nil:
				s.lost = false
			default:
				continue
			}
		}
		select {
		case s.c <- changes:
		default:
			s.lost = true
		}
	}
}
