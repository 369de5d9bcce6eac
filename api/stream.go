package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
)

// stream passes the changes of the engine and of the inventory on to browsers. It
// remembers the newest ones, so that a reader who was away shortly misses nothing.
type stream struct {
	sub   *engine.Subscription
	items *inventory.Subscription
	done  chan struct{} // closed by close
	gone  chan struct{} // closed when the follower has ended

	mu      sync.Mutex
	past    []engine.Change // the newest changes, oldest first
	since   uint64          // every change after this position is in past
	inv     itemLog
	readers map[chan struct{}]*reading
	callers map[string]int // readers of each
	wg      sync.WaitGroup
	closed  bool
}

// reading is one reader of the stream.
type reading struct {
	caller string
	c      *http.ResponseController // nil until it begins to write
}

// A page holds one stream, and a person has some pages on some machines: more of one
// caller is a mistake or an attack, and each costs with every change.
const (
	streamsOfCaller = 32
	streamsOfAll    = 1024
)

// streamRest is how often a reader is told at most: in a storm it reads what happened
// meanwhile in one go.
const streamRest = 200 * time.Millisecond

// remember is how many changes are kept for readers that come back.
const remember = 8192

// newStream follows from now on. start must grow from one start of the server to
// the next: a number of the inventory's that an earlier one gave is then known as old.
func newStream(e *engine.Engine, inv Inventory, start uint64) *stream {
	s := &stream{
		sub: e.Subscribe(), done: make(chan struct{}), gone: make(chan struct{}),
		since: e.Position(), inv: itemLog{since: start, newest: start}, readers: map[chan struct{}]*reading{}, callers: map[string]int{},
	}
	if inv != nil {
		s.items = inv.Subscribe()
	}
	go s.follow()
	return s
}

func (s *stream) follow() {
	defer close(s.gone)
	defer s.sub.Close()
	// The first change of the inventory is told at once, what follows together:
	// ten thousand agents would otherwise keep every page reading.
	var changed <-chan struct{}
	var rest <-chan time.Time
	if s.items != nil {
		defer s.items.Close()
		changed = s.items.C
	}
	for {
		select {
		case changes := <-s.sub.C:
			s.add(changes)
		case <-changed:
			s.addItems(s.items.Take())
			changed, rest = nil, time.After(itemsRest)
		case <-rest:
			changed, rest = s.items.C, nil
		case <-s.done:
			return
		}
	}
}

func (s *stream) add(changes []engine.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changes == nil { // the engine was faster than we: nobody may believe to know all
		if n := len(s.past); n > 0 {
			s.since = s.past[n-1].Position + 1
		} else {
			s.since++
		}
		s.past = s.past[:0]
	}
	s.past = append(s.past, changes...)
	if over := len(s.past) - remember; over > 0 {
		// Cut between positions: half of one would look whole.
		for over < len(s.past) && s.past[over].Position == s.past[over-1].Position {
			over++
		}
		s.since = s.past[over-1].Position
		s.past = append(s.past[:0:0], s.past[over:]...)
	}
	s.wake()
}

// wake tells the readers that there is something new. The lock is held.
func (s *stream) wake() {
	for c := range s.readers {
		select {
		case c <- struct{}{}:
		default: // it is awake already
		}
	}
}

// after returns the changes after a position, and false where some are forgotten.
func (s *stream) after(position uint64) ([]engine.Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if position < s.since {
		return nil, false
	}
	i := len(s.past)
	for i > 0 && s.past[i-1].Position > position {
		i--
	}
	return append([]engine.Change(nil), s.past[i:]...), true
}

func (s *stream) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.past); n > 0 {
		return s.past[n-1].Position
	}
	return s.since
}

// join registers a caller's reader; it is woken through the channel.
func (s *stream) join(caller string) (wake chan struct{}, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, fault.Unavailablef("the server is shutting down")
	case s.callers[caller] >= streamsOfCaller:
		return nil, nil, fault.Unavailablef("%d streams of yours are open, and more are not served at once: close some", streamsOfCaller)
	case len(s.readers) >= streamsOfAll:
		return nil, nil, fault.Unavailablef("%d streams are open, and more are not served at once: try again later", streamsOfAll)
	}
	wake = make(chan struct{}, 1)
	s.readers[wake] = &reading{caller: caller}
	s.callers[caller]++
	s.wg.Add(1)
	return wake, func() {
		s.mu.Lock()
		delete(s.readers, wake)
		if s.callers[caller]--; s.callers[caller] == 0 {
			delete(s.callers, caller)
		}
		s.mu.Unlock()
		s.wg.Done()
	}, nil
}

// writes says through what a reader is written to, so that close need not wait for one
// that takes nothing.
func (s *stream) writes(wake chan struct{}, c *http.ResponseController) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.readers[wake]; r != nil {
		r.c = c
	}
}

// patience gives a reader time to take what is written to it; none once the stream is
// closed.
func (s *stream) patience(c *http.ResponseController, d time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	_ = c.SetWriteDeadline(time.Now().Add(d)) // not every writer has deadlines
	return true
}

func (s *stream) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	for _, r := range s.readers {
		if r.c != nil {
			_ = r.c.SetWriteDeadline(time.Now())
		}
	}
	s.mu.Unlock()
	close(s.done)
	<-s.gone
	s.wg.Wait()
}

const (
	heartbeat  = 15 * time.Second
	streamLife = time.Hour // a reader comes back by itself; so a new version is met, and a balance kept
)

// StreamEvent is the data of one server-sent event.
type StreamEvent struct {
	ID       string `json:"id" doc:"The record that changed; empty for very many items or tasks at once"`
	Kind     string `json:"kind" enum:"incident,alert,problem,maintenance,ci,task"`
	Position uint64 `json:"position" doc:"Of the event in the journal that changed it; 0 for what the inventory keeps outside of it"`
}

func (a *API) streamRoutes() {
	o := describedAs(op(http.MethodGet, "/api/v1/stream", "stream", "records", "Server-sent events of what changed"),
		"`event` is the kind of record, `data` is {id, kind, position}; a reader that comes back with the last `id` as Last-Event-ID gets what it missed. "+
			"Changes of the inventory (ci, task) come at most once a second, each item once. "+
			"`event: reset` says that changes were lost: read everything anew. Comments are heartbeats.")
	a.huma.OpenAPI().Components.Schemas.Schema(typeOf[StreamEvent](), true, "")
	o.Responses = map[string]*huma.Response{"200": {Description: "The stream", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}}}
	handle(a, o, func(ctx context.Context, in *struct {
		Raw
		Kinds string `query:"kinds" maxLength:"100" doc:"Only these kinds, separated by commas"`
		Last  string `header:"Last-Event-ID" maxLength:"40" doc:"The id of the last event that was seen"`
	}) (*huma.StreamResponse, error) {
		var from mark
		resume := in.Last != ""
		if resume {
			var err error
			if from, err = parseMark(in.Last); err != nil {
				return nil, err
			}
		}
		wake, leave, err := a.stream.join(callOf(ctx).caller())
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(h huma.Context) {
			defer leave()
			r, w := humago.Unwrap(h)
			x := &sender{w: w, c: http.NewResponseController(w), kinds: in.Kinds, s: a.stream}
			a.stream.writes(wake, x.c)
			a.serve(r, x, wake, from, resume)
		}}, nil
	})
}

// sender writes events to one reader.
type sender struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	kinds string
	s     *stream
}

// readerPatience is how long a reader may take for what was written to it.
const readerPatience = 15 * time.Second

func (x *sender) wants(kind string) bool {
	if x.kinds == "" {
		return true
	}
	for k := range strings.SplitSeq(x.kinds, ",") {
		if strings.TrimSpace(k) == kind {
			return true
		}
	}
	return false
}

// write sends text at once; a reader that takes none of it for long is dropped.
func (x *sender) write(text string) error {
	if !x.s.patience(x.c, readerPatience) {
		return http.ErrServerClosed
	}
	if _, err := x.w.Write([]byte(text)); err != nil {
		return err
	}
	return x.c.Flush()
}

func (a *API) serve(r *http.Request, x *sender, wake chan struct{}, from mark, resume bool) {
	_ = x.c.SetReadDeadline(time.Time{})
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	x.w.WriteHeader(http.StatusOK)
	at := a.stream.mark()
	begin := fmt.Sprintf("retry: 2000\nid: %s\n: watching\n\n", at)
	if resume && from.position <= at.position && from.items <= at.items {
		at, begin = from, "retry: 2000\n: watching\n\n"
	} else if resume { // a position of another server's journal
		begin = fmt.Sprintf("retry: 2000\nid: %s\nevent: reset\ndata: {}\n\n", at)
	}
	if x.write(begin) != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	rest := time.NewTimer(streamRest)
	defer rest.Stop()
	for {
		changes, whole := a.stream.after(at.position)
		items, wholeItems := a.stream.itemsAfter(at.items)
		var text string
		if !whole || !wholeItems {
			at = a.stream.mark()
			text = fmt.Sprintf("id: %s\nevent: reset\ndata: {}\n\n", at)
		} else {
			text = x.events(changes, &at) + x.itemEvents(items, &at)
		}
		if text != "" && x.write(text) != nil {
			return
		}
		if text != "" {
			rest.Reset(streamRest)
			select {
			case <-rest.C:
			case <-a.stream.done:
				return
			case <-r.Context().Done():
				return
			}
		}
		select {
		case <-wake:
		case <-beat.C:
			// A session that ended or a token that was revoked must not go on listening.
			if _, err := a.identify(r); err != nil || x.write(": still here\n\n") != nil {
				return
			}
		case <-end.C:
			return
		case <-a.stream.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// events writes each changed record once per position, and moves the reader's mark.
func (x *sender) events(changes []engine.Change, at *mark) string {
	var b strings.Builder
	seen := map[engine.Change]bool{}
	for _, c := range changes {
		at.position = c.Position
		if seen[c] || !x.wants(c.Kind) {
			continue
		}
		seen[c] = true
		write(&b, *at, StreamEvent{c.ID, c.Kind, c.Position})
	}
	return b.String()
}

func write(b *strings.Builder, at mark, e StreamEvent) {
	data, err := json.Marshal(e)
	if err != nil {
		return // three plain fields always encode
	}
	fmt.Fprintf(b, "id: %s\nevent: %s\ndata: %s\n\n", at, e.Kind, data)
}
