package collector

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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

func (b *bench) Quarantine(_ context.Context, _ time.Time, _, reason string, _ []byte) error {
	b.quarantined = append(b.quarantined, reason)
	return nil
}

func newBench() *bench {
	b := &bench{}
	b.c = New(Options{
		Journal: b, Quarantine: b, Lag: func() uint64 { return b.lag }, Room: func() error { return b.room },
		Now: func() time.Time { return time.Unix(0, 0) }, MaxBody: 1 << 16, MaxLag: 10,
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
	if err != nil || n == 0 {
		t.Fatalf("%d, %v", n, err)
	}
	if len(b.journaled) != 1 || b.journaled[0].Source != "am" || !bytes.Equal(b.journaled[0].Body, body) {
		t.Errorf("journaled %+v", b.journaled)
	}
	if left := b.c.inFlight.Load(); left != 0 {
		t.Errorf("%d bytes are still counted as being worked on", left)
	}
}

func TestRefusedEarlyAndForNow(t *testing.T) {
	for name, set := range map[string]func(*bench){
		"backlog":    func(b *bench) { b.lag = 11 },
		"disk space": func(b *bench) { b.room = errors.New("12 MiB free") },
		"in flight":  func(b *bench) { b.c.inFlight.Store(1 << 40) },
	} {
		b := newBench()
		set(b)
		_, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: unread{t}, Length: 100})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v is not an answer after which Alertmanager tries again", name, err)
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
		quarantined          bool
	}{
		{"no JSON", "alerts!", "", -1, "not readable JSON", true},
		{"custom payload", `{"text":"Custom"}`, "", -1, "version: missing", true},
		{"told too long", long, "", int64(len(long)), "lower max_alerts", false},
		{"too long without a length", long, "", -1, "lower max_alerts", false},
		{"unpacks too long", zipped(long), "gzip", -1, "lower max_alerts", false},
		{"says gzip and is not", "{}", "gzip", 2, "says gzip", false},
		{"unknown encoding", "{}", "br", 2, "want gzip or none", false},
	} {
		b := newBench()
		_, err := b.c.Alertmanager(t.Context(), "am", Body{Reader: strings.NewReader(c.body), Length: c.length, Encoding: c.encoding})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := len(b.quarantined) == 1; got != c.quarantined || len(b.journaled) != 0 {
			t.Errorf("%s: quarantine %v, journal %v", c.name, b.quarantined, b.journaled)
		}
		if left := b.c.inFlight.Load(); left != 0 {
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
		`{"ci":{"id":"x"},"type":"d","whatever":1}`: "whatever",
	} {
		if _, err := b.c.Changes(t.Context(), "ci", Body{Reader: strings.NewReader(body), Length: -1}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if len(b.journaled) != 0 {
		t.Fatalf("journaled %v", b.journaled)
	}
	if n, err := b.c.Changes(t.Context(), "ci", Body{Reader: strings.NewReader(`[` + good + `,` + good + `]`), Length: -1}); err != nil || n != 2 || len(b.journaled) != 2 {
		t.Errorf("%d, %v, %v", n, err, b.journaled)
	}
}
