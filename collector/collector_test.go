package collector

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// bench is a collector with everything around it within reach.
type bench struct {
	c           *Collector
	journaled   []event.Event
	quarantined []string
	begins      [][]byte
	log         *bytes.Buffer
	now         time.Time
	lag         uint64
	room, write error
}

func (b *bench) Write(_ context.Context, events ...event.Event) ([]event.Event, error) {
	if b.write != nil {
		return nil, b.write
	}
	b.journaled = append(b.journaled, events...)
	return events, nil
}

func (b *bench) Quarantine(_ context.Context, _ time.Time, _, reason string, raw []byte) error {
	b.quarantined = append(b.quarantined, reason)
	b.begins = append(b.begins, raw)
	return nil
}

func newBench() *bench {
	b := &bench{log: &bytes.Buffer{}, now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}
	b.c = New(Options{
		Logger:  slog.New(slog.NewTextHandler(b.log, nil)),
		Journal: b, Quarantine: b, Lag: func() uint64 { return b.lag }, Room: func() error { return b.room },
		Now: func() time.Time { return b.now }, Limits: Limits{MaxBody: 1 << 16, MaxLag: 10},
	})
	return b
}

// unread fails the test when somebody reads it: what is refused early must be
// refused before the body is taken in.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read although it is refused")
	return 0, io.EOF
}

func webhook(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "webhooks", "v0.34.2-mixed.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRealBodyIsJournaledAsItIs(t *testing.T) {
	b, body := newBench(), webhook(t)
	n, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: bytes.NewReader(body), Length: int64(len(body))})
	if err != nil || n.Accepted == 0 || n.Quarantined != 0 || b.c.Stats().Count("alertmanager", Accepted) != 1 || b.c.Stats().Bytes() != uint64(len(body)) {
		t.Fatalf("%+v, %v", n, err)
	}
	if len(b.journaled) != 1 || b.journaled[0].Source != "am" || !bytes.Equal(b.journaled[0].Body, body) {
		t.Errorf("journaled %+v", b.journaled)
	}
	if left := b.c.inFlight.Used(); left != 0 {
		t.Errorf("%d bytes are still counted as being worked on", left)
	}
}

func TestRefusedEarlyAndForNow(t *testing.T) {
	for name, set := range map[string]func(*bench){
		"backlog":    func(b *bench) { b.lag = 11 },
		"disk space": func(b *bench) { b.room = errors.New("12 MiB free") },
		"in flight":  func(b *bench) { b.c.inFlight.Resize(0, 0) },
	} {
		b := newBench()
		set(b)
		_, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: unread{t}, Length: 100})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v is not an answer after which Alertmanager tries again", name, err)
		}
		if want := map[string]Result{"backlog": Overloaded, "disk space": NoRoom, "in flight": Overloaded}[name]; b.c.Stats().Count("alertmanager", want) != 1 {
			t.Errorf("%s: not counted as %s", name, want)
		}
	}
	b, body := newBench(), webhook(t)
	b.write = errors.New("disk")
	if _, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: bytes.NewReader(body), Length: -1}); fault.KindOf(err) != fault.Unavailable || strings.Contains(fault.Public(err).Message, "disk") {
		t.Errorf("a failed write gives %v", err)
	}
}

func TestBadBodies(t *testing.T) {
	zipped := func(s string) string {
		var w bytes.Buffer
		z := gzip.NewWriter(&w)
		_, _ = io.WriteString(z, s)
		_ = z.Close()
		return w.String()
	}
	long := `{"version":"4","alerts":[],"x":"` + strings.Repeat("y", 1<<17) + `"}`
	for _, c := range []struct {
		name, body, encoding string
		length               int64
		says                 string
		result               Result
	}{
		{"no JSON", "alerts!", "", -1, "not readable JSON", Invalid},
		{"custom payload", `{"text":"Custom"}`, "", -1, "alerts: missing, and version too", Invalid},
		{"told too long", long, "", int64(len(long)), "lower max_alerts", TooLarge},
		{"too long without a length", long, "", -1, "lower max_alerts", TooLarge},
		{"unpacks too long", zipped(long), "gzip", -1, "lower max_alerts", TooLarge},
		{"says gzip and is not", "{}", "gzip", 2, "says gzip", Invalid},
		{"unknown encoding", "{}", "br", 2, "want gzip or none", Invalid},
	} {
		b := newBench()
		_, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: strings.NewReader(c.body), Length: c.length, Encoding: c.encoding})
		var large *Oversized
		if errors.As(err, &large) != (c.result == TooLarge) || large == nil && fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		// Alertmanager drops what is answered so: a trace of it must stay.
		if len(b.quarantined) != 1 || len(b.journaled) != 0 || len(b.begins[0]) == 0 || len(b.begins[0]) > quarantineMost {
			t.Errorf("%s: quarantine %v, journal %v", c.name, b.quarantined, b.journaled)
		}
		if b.c.Stats().Count("alertmanager", c.result) != 1 || !strings.Contains(b.log.String(), "is in quarantine") {
			t.Errorf("%s: no metric or no line in the log: %s", c.name, b.log)
		}
		if left := b.c.inFlight.Used(); left != 0 {
			t.Errorf("%s: %d bytes are still counted as being worked on", c.name, left)
		}
	}
}

func TestChangesAreTakenAllOrNone(t *testing.T) {
	b := newBench()
	good := `{"ci":{"class":"host","name":"web1"},"type":"deployed"}`
	for body, says := range map[string]string{
		`[` + good + `,{"type":"deployed"}]`:        "[1].ci",
		`[` + good + `,{"ci":{"id":"x"}}]`:          "[1].type",
		`{"ci":{"id":"x"},"type":"d","whatever":1}`: `"whatever" is no field`,
		`{"ci":"web1","type":"d"}`:                  "ci: want an object, got string",
		`nonsense`:                                  "is no valid JSON at byte 2",
		``:                                          "is empty",
		good + good:                                 "send an array",
		`{"ci":{"id":"x"},"type":"d","at":"2026-05-04T11:00:00Z"}`:                   "at: lies in the future",
		`{"ci":{"id":"x"},"type":"d","summary":"` + strings.Repeat("x", 2001) + `"}`: "summary: has 2001 bytes",
	} {
		if _, err := b.c.Changes(t.Context(), "ci", Body{Reader: strings.NewReader(body), Length: -1}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if len(b.journaled) != 0 {
		t.Fatalf("journaled %v", b.journaled)
	}
	if n, err := b.c.Changes(t.Context(), "ci", Body{Reader: strings.NewReader(`[` + good + `,` + good + `]`), Length: -1}); err != nil || n.Accepted != 2 || len(b.journaled) != 2 {
		t.Errorf("%+v, %v, %v", n, err, b.journaled)
	}
}

// Refusals are told when they begin and then once a minute, and when they end: an
// Alertmanager that tries again every few seconds must not fill the log.
func TestRefusalsAreLoggedByChange(t *testing.T) {
	b, body := newBench(), webhook(t)
	post := func() {
		_, _ = b.c.Alertmanager(t.Context(), "am", Body{Reader: bytes.NewReader(body), Length: int64(len(body))})
	}
	lines := func() (out []string) {
		for l := range strings.Lines(b.log.String()) {
			out = append(out, l)
		}
		b.log.Reset()
		return out
	}
	b.room = errors.New("12 MiB free")
	for range 50 {
		post()
	}
	if l := lines(); len(l) != 1 || !strings.Contains(l[0], "level=WARN") || !strings.Contains(l[0], "12 MiB free") {
		t.Errorf("50 refusals: %q", l)
	}
	b.now = b.now.Add(61 * time.Second)
	post()
	if l := lines(); len(l) != 1 || !strings.Contains(l[0], "untold=49") {
		t.Errorf("a minute later: %q", l)
	}
	b.room = nil
	post()
	post()
	if l := lines(); len(l) != 1 || !strings.Contains(l[0], "taken again") || !strings.Contains(l[0], "refused=51") {
		t.Errorf("after the end: %q", l)
	}
	b.room = errors.New("again")
	post()
	if l := lines(); len(l) != 1 {
		t.Errorf("it begins anew: %q", l)
	}
}

func TestWhatIsWrongWithABodyThatIsTaken(t *testing.T) {
	b := newBench()
	n, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: strings.NewReader(`{"version":"4","truncatedAlerts":7,"alerts":[{"status":"odd"},` +
		`{"status":"firing","labels":{"alertname":"x"},"startsAt":"2026-05-04T09:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"1"}]}`), Length: -1})
	if err != nil || n != (Taken{Accepted: 1, Quarantined: 1}) {
		t.Errorf("%+v, %v", n, err)
	}
	for _, want := range []string{"are in quarantine; their siblings were taken", "left alerts out", "alerts=7", "source=am"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, b.log)
		}
	}
}

// slow is a body that begins and never ends.
type slow struct {
	size int
	end  chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if s.size == 0 {
		<-s.end
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), s.size)
	for i := range p[:n] {
		p[i] = ' '
	}
	s.size -= n
	return n, nil
}

// Bodies that are announced, begun and never ended must neither fill the memory nor
// keep the other senders out.
func TestSlowBodiesTakeABoundedPart(t *testing.T) {
	b := newBench()
	b.c.Limit(Limits{MaxBody: 32 << 20})
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, _ = b.c.Alertmanager(context.Background(), "slow", Body{Reader: &slow{31 << 20, end}, Length: 32 << 20})
		})
	}
	most := b.c.o.MaxInFlight
	for b.c.inFlight.Used() < most/4 {
		runtime.Gosched()
	}
	body := `{"version":"4","alerts":[]}`
	if _, err := b.c.Alertmanager(context.Background(), "honest", Body{Reader: strings.NewReader(body), Length: int64(len(body))}); err != nil {
		t.Errorf("an honest sender beside them: %v", err)
	}
	if used := b.c.inFlight.Used(); used > most {
		t.Errorf("%d MiB are taken", used>>20)
	}
	close(end)
	wg.Wait()
	if left := b.c.inFlight.Used(); left != 0 {
		t.Errorf("%d bytes are never given back", left)
	}
}
