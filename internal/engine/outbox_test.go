package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
	"github.com/watchbill/watchbill/itsm"
)

// pager is a receiver that can be down, and remembers what it took.
type pager struct {
	*httptest.Server
	mu    sync.Mutex
	down  bool
	calls int
	keys  []string // idempotency keys of what was taken, in order
	texts []string
	flaky func() bool
	grown chan struct{}
}

type hook struct {
	Status string `json:"status"`
	Alerts []struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"alerts"`
	Text string `json:"text"` // of a custom payload
}

func newPager(t *testing.T) *pager {
	p := &pager{grown: make(chan struct{}, 1)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender was killed in the middle: nothing was taken
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls++
		select {
		case p.grown <- struct{}{}:
		default:
		}
		if p.down || p.flaky != nil && p.flaky() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var h hook
		if err := json.Unmarshal(body, &h); err != nil {
			t.Errorf("the pager got %s", body)
		}
		p.keys = append(p.keys, r.Header.Get("Idempotency-Key"))
		text := h.Text
		if len(h.Alerts) > 0 {
			text = h.Alerts[0].Labels["incident"] + " " + h.Alerts[0].Labels["step"]
		}
		p.texts = append(p.texts, text)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *pager) got() ([]string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.texts), p.calls
}

// until waits for a condition, woken by each call.
func (p *pager) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = 3 * time.Minute // says nothing about speed: a machine under load takes long
	late := time.After(patience)
	for !ok() {
		select {
		case <-p.grown:
		case <-time.After(20 * time.Millisecond): // the condition may be the store's
		case <-late:
			texts, calls := p.got()
			t.Fatalf("waited %s until %s; the pager had %d calls and took %v", patience, what, calls, texts)
		}
	}
}

func notifyRules() fold.Rules {
	r := fold.DefaultRules()
	r.Desk.Notify.Enabled = true
	r.Desk.Notify.Limit = 0
	return r
}

// house is an engine with its outbox and delivery, running.
type house struct {
	e    *engine.Engine
	stop func()
}

func open(t interface{ Fatal(...any) }, dir, receivers string) *house {
	return openBy(t, dir, receivers, notifyRules())
}

func openBy(t interface{ Fatal(...any) }, dir, receivers string, rules fold.Rules) *house {
	ctx, cancel := context.WithCancel(context.Background())
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	must(err)
	j, err := journal.Open(ctx, db, time.Now)
	must(err)
	e, err := engine.Open(ctx, engine.Options{DB: db, Journal: j, Rules: rules, Version: "test", Now: time.Now})
	must(err)
	base, err := url.Parse("http://watchbill.example:7470/wb")
	must(err)
	links, err := notify.NewLinks(base, []byte(strings.Repeat("k", 32)))
	must(err)
	out := e.Outbox(links)
	rc, err := notify.ParseReceivers(receivers, base, nil)
	must(err)
	d := notify.NewDispatcher(notify.Options{Outbox: out, Receivers: rc, Links: links, Now: time.Now, Backoff: time.Millisecond, BackoffMost: 10 * time.Millisecond})
	must(e.Start(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = e.Run(ctx) })
	wg.Go(func() { _ = d.Run(ctx) })
	return &house{e, func() {
		cancel()
		wg.Wait()
		_ = db.Close()
	}}
}

func (h *house) do(t *testing.T, verb, id string, args map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.e.Submit(t.Context(), event.Command{Verb: verb, Record: "incident", ID: id, Actor: "ann", Args: raw})
	if err != nil {
		t.Fatal(err)
	}
	return out.Record
}

func (h *house) waiting(t *testing.T) int {
	t.Helper()
	n, _, err := h.e.Records().Waiting(t.Context(), 10000)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var grave = map[string]any{"title": "it is down", "impact": 1, "urgency": 1}

// A receiver that is down keeps its own messages back, in order, and nobody
// else's; when it is back it gets each once.
func TestReceiverDownLosesNothing(t *testing.T) {
	bad, good := newPager(t), newPager(t)
	bad.set(true)
	h := open(t, "", fmt.Sprintf(`
route:
  receiver: both
receivers:
  - name: both
    webhook_configs:
      - url: %s
      - url: %s
`, bad.URL, good.URL))
	defer h.stop()
	var want []string
	for range 5 {
		id := h.do(t, "create", "", grave)
		h.do(t, "acknowledge", id, nil)
		h.do(t, "resolve", id, map[string]any{"resolution": "mended"})
		h.do(t, "reopen", id, map[string]any{"reason": "no"})
		for _, step := range []string{"opened", "acknowledged", "resolved", "reopened"} {
			want = append(want, id+" "+step)
		}
	}
	good.until(t, "the good receiver has all", func() bool { texts, _ := good.got(); return len(texts) == len(want) })
	bad.until(t, "the bad one was tried often", func() bool { _, calls := bad.got(); return calls > 20 })
	if n := h.waiting(t); n != len(want) {
		t.Errorf("%d messages wait, want %d", n, len(want))
	}
	bad.set(false)
	bad.until(t, "nothing waits", func() bool { return h.waiting(t) == 0 })
	for name, p := range map[string]*pager{"bad": bad, "good": good} {
		if texts, _ := p.got(); !slices.Equal(texts, want) {
			t.Errorf("the %s receiver took %v\nwant %v", name, texts, want)
		}
		keys := slices.Clone(p.keys)
		slices.Sort(keys)
		if len(slices.Compact(keys)) != len(want) {
			t.Errorf("the %s receiver saw keys %v", name, p.keys)
		}
	}
	told, err := h.e.Records().Messages(t.Context(), strings.Fields(want[0])[0], engine.Range{})
	if err != nil || len(told.Items) != 4 || told.Items[0].DoneAt == nil {
		t.Errorf("the record says that it was told %v, %v", told.Items, err)
	}
}

// A template that fails is reported, and the page goes out as plain text.
func TestBrokenTemplateIsReplaced(t *testing.T) {
	p := newPager(t)
	h := open(t, "", fmt.Sprintf(`
route:
  receiver: r
  routes:
    - matchers: ['priority="1"']
      receiver: typo
receivers:
  - name: r
  - name: typo
    webhook_configs:
      - url: %s
        payload:
          text: '{{ template "no.such" . }}'
`, p.URL))
	defer h.stop()
	id := h.do(t, "create", "", grave)
	h.do(t, "create", "", map[string]any{"title": "small", "impact": 2, "urgency": 2}) // its route has no integration
	p.until(t, "nothing waits", func() bool { return h.waiting(t) == 0 })
	texts, _ := p.got()
	if len(texts) != 1 || !strings.HasPrefix(texts[0], "\t[P1] "+id+" it is down\nopened with priority 1") || !strings.Contains(texts[0], "http://watchbill.example:7470/wb/incidents/"+id) {
		t.Errorf("took %q", texts)
	}
	told, err := h.e.Records().Messages(t.Context(), id, engine.Range{})
	if err != nil || len(told.Items) != 1 {
		t.Fatal(told, err)
	}
	ds, err := h.e.Records().Deliveries(t.Context(), told.Items[0].ID, engine.Range{})
	if err != nil || len(ds.Items) != 1 || ds.Items[0].Outcome != notify.Plainly || !strings.Contains(ds.Items[0].Error, "no.such") {
		t.Errorf("the delivery says %+v, %v", ds.Items, err)
	}
}

// A refused message does not hold up those after it.
func TestRefusedIsNotRepeated(t *testing.T) {
	n := 0
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 1 {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer srv.Close()
	p := newPager(t)
	h := open(t, "", "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: "+srv.URL+"}]}]\n")
	defer h.stop()
	h.do(t, "create", "", grave)
	h.do(t, "create", "", grave)
	p.until(t, "nothing waits", func() bool { return h.waiting(t) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if n != 2 {
		t.Errorf("the receiver was called %d times, want 2", n)
	}
}

// The storm of one team's receiver keeps back no page of another's, also over a
// restart in its middle, and the record names whom each message went to.
func TestStormOfOneTeamKeepsBackNoOther(t *testing.T) {
	noisy, calm := newPager(t), newPager(t)
	receivers := fmt.Sprintf("route: {receiver: calm, routes: [{receiver: noisy, matchers: [team=noisy]}]}\nreceivers: [{name: noisy, webhook_configs: [{url: %s}]}, {name: calm, webhook_configs: [{url: %s}]}]\n", noisy.URL, calm.URL)
	rules := notifyRules()
	rules.Desk.Notify.Limit = 2
	rules.Desk.Notify.Routes = &itsm.Route{Receiver: "calm", Routes: []itsm.Route{{Receiver: "noisy", Matchers: []string{`team="noisy"`}}}}
	dir := filepath.Join(t.TempDir(), "data")
	of := func(h *house, team string) string {
		return h.do(t, "create", "", map[string]any{"title": "it is down", "impact": 1, "urgency": 1, "team": team})
	}
	var loud, quiet []string
	for range 2 { // starts
		h := openBy(t, dir, receivers, rules)
		for range 5 {
			loud = append(loud, of(h, "noisy"))
		}
		quiet = append(quiet, of(h, "calm"))
		calm.until(t, "the other team has its page", func() bool { texts, _ := calm.got(); return len(texts) == len(quiet) })
		noisy.until(t, "nothing waits", func() bool { return h.waiting(t) == 0 })
		told, err := h.e.Records().Messages(t.Context(), loud[0], engine.Range{})
		if err != nil || len(told.Items) != 1 || !slices.Equal(told.Items[0].To, []string{"noisy"}) {
			t.Errorf("the record says that it was told %v, %v", told.Items, err)
		}
		h.stop()
	}
	if texts, _ := noisy.got(); !slices.Equal(texts, []string{loud[0] + " opened", loud[1] + " opened", " begun"}) {
		t.Errorf("the noisy team's receiver took %q", texts)
	}
	if texts, _ := calm.got(); !slices.Equal(texts, []string{quiet[0] + " opened", quiet[1] + " opened"}) {
		t.Errorf("the other team's receiver took %q", texts)
	}
}

// Where nobody is told no message piles up.
func TestNoMessagesWithoutNotification(t *testing.T) {
	s := fold.New(fold.DefaultRules())
	raw, _ := json.Marshal(grave)
	ev, err := event.New(&event.Command{Verb: "create", Record: "incident", Actor: "ann", Args: raw})
	if err != nil {
		t.Fatal(err)
	}
	ev.At = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range s.Step(ev) {
		if m, ok := f.Body.(fold.Message); ok {
			t.Errorf("made %+v", m)
		}
	}
}

const (
	childEnv  = "WATCHBILL_TEST_OUTBOX_CHILD"
	incidents = 60
)

// TestOutboxChild is the process that TestOutboxSurvivesKill kills.
func TestOutboxChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("only runs as the child of TestOutboxSurvivesKill")
	}
	h := open(t, dir, "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: "+os.Getenv(childEnv+"_URL")+"}]}]\n")
	defer h.stop()
	for {
		p, err := h.e.Records().Incidents(t.Context(), engine.IncidentFilter{}, engine.Range{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) >= incidents {
			break
		}
		h.do(t, "create", "", grave)
	}
	for h.waiting(t) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("all delivered")
}

// kill -9 at any moment: every message arrives, and what arrives twice has the
// same idempotency key and is at most the one that was on its way.
func TestOutboxSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	rng, mood := rand.New(rand.NewPCG(4, 2)), rand.New(rand.NewPCG(4, 3)) // of this goroutine, and of the pager's
	p := newPager(t)
	p.mu.Lock() // its server runs already
	p.flaky = func() bool { return mood.IntN(5) == 0 }
	p.mu.Unlock()
	dir := filepath.Join(t.TempDir(), "data")
	kills := 0
	for done := false; !done; {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOutboxChild$", "-test.v")
		cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_URL="+p.URL)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		wait := time.Duration(60+rng.IntN(240)) * time.Millisecond
		if kills >= 15 {
			wait = 10 * time.Minute
		}
		var result error
		select {
		case result = <-ended:
			done = true
		case <-time.After(wait):
			err := cmd.Process.Kill()
			if done = errors.Is(err, os.ErrProcessDone); err != nil && !done {
				t.Fatal(err)
			}
			result = <-ended
		}
		if done {
			if result != nil || !strings.Contains(out.String(), "all delivered") {
				t.Fatalf("the child ended with %v:\n%s", result, out.String())
			}
			break
		}
		if kills++; kills > 15 {
			t.Fatalf("the child did not finish:\n%s", out.String())
		}
	}
	p.mu.Lock() // a request of a killed child may still be under way
	defer p.mu.Unlock()
	seen := map[string]int{}
	opened := map[string]bool{}
	for n, k := range p.keys {
		seen[k]++
		opened[p.texts[n]] = true
	}
	twice := 0
	for _, n := range seen {
		twice += n - 1
	}
	if len(opened) < incidents || len(seen) != len(opened) {
		t.Errorf("%d keys and %d pages arrived, want %d", len(seen), len(opened), incidents)
	}
	if twice > kills {
		t.Errorf("%d messages arrived twice in %d kills: more than were on their way", twice, kills)
	}
	t.Logf("%d kills, %d messages, %d arrived twice under the same key", kills, len(seen), twice)
}
