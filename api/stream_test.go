package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/internal/engine"
)

// listener reads server-sent events.
type listener struct {
	t    *testing.T
	sc   *bufio.Scanner
	last string
}

type sse struct{ id, event, data string }

func (h *house) listen(last string) *listener {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	h.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", h.url+"/api/v1/stream", nil)
	h.must(err)
	req.Header.Set("Authorization", "Bearer "+h.tokens[auth.Viewer])
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	h.must(err)
	h.t.Cleanup(func() { resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		h.t.Fatalf("stream: %d %s", resp.StatusCode, ct)
	}
	return &listener{t: h.t, sc: bufio.NewScanner(resp.Body)}
}

// next returns the next event, false at the end of the stream.
func (l *listener) next() (sse, bool) {
	var e sse
	for l.sc.Scan() {
		line := l.sc.Text()
		switch {
		case line == "":
			if e.id != "" {
				l.last = e.id
			}
			if e.event != "" {
				return e, true
			}
			if e.id != "" {
				return e, true // the greeting
			}
		case strings.HasPrefix(line, "id: "):
			e.id = line[4:]
		case strings.HasPrefix(line, "event: "):
			e.event = line[7:]
		case strings.HasPrefix(line, "data: "):
			e.data = line[6:]
		}
	}
	return e, false
}

func TestStreamTellsWhatChanged(t *testing.T) {
	h := build(t)
	l := h.listen("")
	if e, ok := l.next(); !ok || e.event != "" {
		t.Fatalf("greeting: %+v", e)
	}
	i := h.open("x", 1, 1)
	e, ok := l.next()
	if !ok || e.event != "incident" || !strings.Contains(e.data, `"id":"`+i.ID+`"`) || !strings.Contains(e.data, `"position":`+e.id) {
		t.Fatalf("%+v", e)
	}
	// Who comes back gets what was missed, and nothing twice.
	second := h.open("y", 1, 1)
	third := h.open("z", 1, 1)
	back := h.listen(e.id)
	for _, want := range []string{second.ID, third.ID} {
		if got, ok := back.next(); !ok || !strings.Contains(got.data, want) {
			t.Errorf("after a pause: %+v, want %s", got, want)
		}
	}
	// A position that this server never had is told to begin anew.
	if got, ok := h.listen("99999999").next(); !ok || got.event != "reset" {
		t.Errorf("an unknown position: %+v", got)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/stream", nil, "Last-Event-ID", "x"); a.status != http.StatusBadRequest {
		t.Errorf("a nonsense position: %d", a.status)
	}
	h.api.Close()
	for {
		if _, ok := l.next(); !ok {
			break
		}
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/stream", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", a.status)
	}
}

func TestStreamForgetsWholePositions(t *testing.T) {
	s := &stream{readers: map[chan struct{}]struct{}{}, since: 10}
	for pos := uint64(11); pos < 11+remember; pos++ {
		s.add([]engine.Change{{Position: pos, Kind: "incident", ID: fmt.Sprint(pos)}, {Position: pos, Kind: "alert", ID: fmt.Sprint(pos)}})
	}
	if len(s.past) > remember || s.past[0].Kind != "incident" || s.past[0].Position != s.since+1 {
		t.Errorf("%d remembered, the first is %+v, since %d", len(s.past), s.past[0], s.since)
	}
	if _, whole := s.after(s.since - 1); whole {
		t.Error("forgotten changes were said to be whole")
	}
	if c, whole := s.after(s.since + 1); !whole || c[0].Position != s.since+2 {
		t.Errorf("%v %v", c[0], whole)
	}
	at := s.newest()
	s.add(nil) // the engine was faster
	if _, whole := s.after(at); whole {
		t.Error("a loss was not told")
	}
	if c, whole := s.after(s.newest()); !whole || len(c) != 0 {
		t.Errorf("after the reset: %v %v", c, whole)
	}
}
