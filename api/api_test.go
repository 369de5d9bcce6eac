package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// clock is a wall clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// house is a whole server in memory: real store, journal, engine, collector.
type house struct {
	t       *testing.T
	api     *API
	url     string
	engine  *engine.Engine
	auth    *auth.Store
	inv     *inventory.Inventory
	db      store.DB
	clock   *clock
	log     *lockedBuffer
	tokens  map[auth.Role]string
	started auth.Started
	dir     string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func build(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{t: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}, log: &lockedBuffer{}, tokens: map[auth.Role]string{}, dir: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	db, err := badgerdb.Open(badgerdb.Options{})
	h.must(err)
	h.db = db
	j, err := journal.Open(ctx, db, h.clock.now)
	h.must(err)
	log := slog.New(slog.NewTextHandler(h.log, nil))
	rules := fold.DefaultRules()
	for s := range rules.Correlation.Hold { // what is posted opens at once
		rules.Correlation.Hold[s] = 0
	}
	h.engine, err = engine.Open(ctx, engine.Options{DB: db, Journal: j, Rules: rules, Now: h.clock.now, Logger: log})
	h.must(err)
	h.must(h.engine.Start(ctx))
	ended := make(chan error, 1)
	go func() { ended <- h.engine.Run(ctx) }()
	h.auth = auth.New(auth.Options{DB: db, Journal: j, Now: h.clock.now, Rand: rand.Reader, Logger: log})
	h.started, err = h.auth.Start(ctx, auth.Bootstrap{Dir: h.dir, URL: "http://127.0.0.1:7470"})
	h.must(err)
	n := 0
	h.inv, err = inventory.New(ctx, inventory.Options{DB: db, Journal: j, Now: h.clock.now, NewID: func() string { n++; return fmt.Sprintf("CI%04d", n) }, Logger: log,
		Rules: inventory.Rules{Schedule: report.Schedule{SampleSeconds: 15, ReportSeconds: 60, FullSeconds: 3600}}})
	h.must(err)
	c := collector.New(collector.Options{
		Journal: j, Quarantine: h.engine.Records(), Lag: h.engine.Lag, Room: func() error { return nil }, Now: h.clock.now, Items: h.inv, Logger: log,
	})
	o := Options{
		Inventory: h.inv, Engine: h.engine, Journal: j, DB: db, Auth: h.auth, Ingest: c, Listen: "127.0.0.1:7470", URL: "http://127.0.0.1:7470", Version: "test",
		Now: h.clock.now, Rand: rand.Reader, Logger: log,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "# none\n") }),
		Reload:  func(context.Context) (Reloading, error) { return Reloading{}, nil },
		Verify:  func(context.Context) (Verified, error) { return Verified{Wrong: []string{}}, nil },
	}
	for _, f := range change {
		f(&o)
	}
	h.api, err = New(o)
	h.must(err)
	srv := httptest.NewServer(h.api)
	h.url = srv.URL
	t.Cleanup(func() {
		h.api.Close()
		srv.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine ended with %v", err)
		}
		h.must(db.Close())
	})
	for _, r := range auth.Roles() {
		_, secret, err := h.auth.CreateToken(ctx, auth.By{Actor: "test"}, auth.NewToken{Name: "test " + string(r), Role: r})
		h.must(err)
		h.tokens[r] = secret
	}
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// answer is what a call brought.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t *testing.T) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("no problem document: %d %s", a.status, a.body)
	}
	if a.header.Get("Content-Type") != problemType {
		t.Errorf("content type %q", a.header.Get("Content-Type"))
	}
	if p.Status != a.status {
		t.Errorf("the document says %d, the answer %d", p.Status, a.status)
	}
	return p
}

// call does one request. A body that is no string is sent as JSON.
func (h *house) call(role auth.Role, method, path string, body any, header ...string) answer {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		h.must(err)
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, h.url+path, r)
	h.must(err)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+h.tokens[role])
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	h.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	h.must(err)
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// get reads path into out and fails unless it is there.
func get[T any](h *house, role auth.Role, path string) T {
	h.t.Helper()
	var out T
	a := h.call(role, "GET", path, nil)
	if a.status != http.StatusOK {
		h.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	h.must(json.Unmarshal([]byte(a.body), &out))
	return out
}

// open makes an incident by hand.
func (h *house) open(title string, impact, urgency int) Incident {
	h.t.Helper()
	a := h.call(auth.Responder, "POST", "/api/v1/incidents", map[string]any{"title": title, "impact": impact, "urgency": urgency})
	if a.status != http.StatusCreated {
		h.t.Fatalf("open: %d %s", a.status, a.body)
	}
	var i Incident
	h.must(json.Unmarshal([]byte(a.body), &i))
	return i
}

// alerts posts firing alerts as Alertmanager does, and waits until they are decided.
func (h *house) alerts(names ...string) {
	h.t.Helper()
	var list []string
	for _, n := range names {
		list = append(list, fmt.Sprintf(`{"status":"firing","labels":{"alertname":%q,"instance":"web1:9100","severity":"critical"},"annotations":{"summary":"s"},"startsAt":%q,"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/","fingerprint":"%016x"}`,
			n, h.clock.now().Format(time.RFC3339), len(n)*7919))
	}
	a := h.call(auth.Ingest, "POST", "/api/v1/ingest/alertmanager", `{"version":"4","groupKey":"k","status":"firing","receiver":"watchbill","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am","alerts":[`+strings.Join(list, ",")+`]}`)
	if a.status != http.StatusOK {
		h.t.Fatalf("ingest: %d %s", a.status, a.body)
	}
	h.must(h.engine.CaughtUp(h.t.Context()))
}

// audit lists the acts that pass a filter, once everything journaled is decided.
func (h *house) audit(q string) Page[Audit] {
	h.t.Helper()
	h.must(h.engine.CaughtUp(h.t.Context()))
	return get[Page[Audit]](h, auth.Manager, "/api/v1/audit?q="+q)
}
