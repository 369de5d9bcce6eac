package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/api/v1/stream", nil)
	h.must(err)
	req.Header.Set("Authorization", "Bearer "+h.tokens[auth.Viewer])
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	h.must(err)
	h.t.Cleanup(func() { resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != "text/event-stream" {
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
	if !ok || e.event != "incident" || !strings.Contains(e.data, `"id":"`+i.ID+`"`) || !strings.Contains(e.data, `"position":`+strings.Split(e.id, "-")[0]) {
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

// A page of the inventory must follow what agents and people change, also after a
// pause; the same item many times is told once.
func TestStreamTellsWhatChangedInTheInventory(t *testing.T) {
	h := build(t)
	rack := func(name string) string {
		return decode[CIDetail](t, h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "rack", "name": name}), 201).ID
	}
	l := h.listen("")
	greeting, _ := l.next()
	first := rack("r1")
	e, ok := l.next()
	if !ok || e.event != "ci" || !strings.Contains(e.data, `"id":"`+first+`"`) {
		t.Fatalf("%+v", e)
	}
	for n := range 20 {
		decode[CIDetail](t, h.call(auth.Manager, "PATCH", "/api/v1/cis/"+first, map[string]any{"tags": []string{fmt.Sprint(n)}}), 200)
	}
	other := rack("r2")
	told := 0
	for {
		e, ok := l.next()
		if !ok || e.event != "ci" {
			t.Fatalf("%+v", e)
		}
		if told++; strings.Contains(e.data, other) {
			break
		}
	}
	if told > 6 { // each pause tells the rack at most once
		t.Errorf("20 edits of one item were told as %d events", told-1)
	}
	back := h.listen(greeting.id)
	for _, want := range []string{first, other} {
		if got, ok := back.next(); !ok || !strings.Contains(got.data, want) {
			t.Errorf("after a pause: %+v, want %s", got, want)
		}
	}
	// An id of before the last start: its number says nothing about this one's changes.
	old := strings.Split(greeting.id, "-")[0] + "-12"
	if got, ok := h.listen(old).next(); !ok || got.event != "reset" {
		t.Errorf("an id of an earlier start: %+v", got)
	}
}

func TestStreamSaysManyInsteadOfThousands(t *testing.T) {
	s := &stream{readers: map[chan struct{}]*reading{}, callers: map[string]int{}, inv: itemLog{since: 7, newest: 7}}
	for n := range remember + 5 {
		s.addItems([]inventory.Changed{{Kind: "ci", ID: fmt.Sprint(n)}})
	}
	if _, whole := s.itemsAfter(7); whole || len(s.inv.past) != remember {
		t.Errorf("forgotten changes were said to be whole; %d remembered", len(s.inv.past))
	}
	if c, whole := s.itemsAfter(s.inv.newest - 1); !whole || len(c) != 1 {
		t.Errorf("%v %v", c, whole)
	}
}

func TestStreamForgetsWholePositions(t *testing.T) {
	s := &stream{readers: map[chan struct{}]*reading{}, callers: map[string]int{}, since: 10}
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

// One caller's streams must not cost all others theirs.
func TestStreamsOfACallerAreBounded(t *testing.T) {
	s := &stream{readers: map[chan struct{}]*reading{}, callers: map[string]int{}, done: make(chan struct{}), gone: make(chan struct{})}
	close(s.gone)
	var leaves []func()
	for n := range streamsOfCaller + 1 {
		_, leave, err := s.join("greedy")
		if (err != nil) != (n == streamsOfCaller) {
			t.Fatalf("stream %d: %v", n, err)
		}
		if err == nil {
			leaves = append(leaves, leave)
		}
	}
	_, leave, err := s.join("other")
	if err != nil {
		t.Fatalf("another caller: %v", err)
	}
	leaves[0]()
	if _, leaves[0], err = s.join("greedy"); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	for _, l := range append(leaves, leave) {
		l()
	}
	s.close()
	if _, _, err := s.join("late"); err == nil {
		t.Error("a closed stream takes readers")
	}
}
