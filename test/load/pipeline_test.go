package load

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

const per = 100 // alerts in one body

// house is the way of an alert without HTTP: collector, journal, engine, store on disk.
type house struct {
	ctx    context.Context
	cancel context.CancelFunc
	db     *badgerdb.DB
	engine *engine.Engine
	c      *collector.Collector
	done   chan error
}

func open(b *testing.B) *house {
	b.Helper()
	h := &house{done: make(chan error, 1)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	var err error
	if h.db, err = badgerdb.Open(badgerdb.Options{Dir: b.TempDir()}); err != nil {
		b.Fatal(err)
	}
	j, err := journal.Open(h.ctx, h.db, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	if h.engine, err = engine.Open(h.ctx, engine.Options{DB: h.db, Journal: j, Rules: fold.DefaultRules(), Now: time.Now}); err != nil {
		b.Fatal(err)
	}
	if err := h.engine.Start(h.ctx); err != nil {
		b.Fatal(err)
	}
	go func() { h.done <- h.engine.Run(h.ctx) }()
	h.c = collector.New(collector.Options{Journal: j, Lag: h.engine.Lag, Room: func() error { return nil }, Now: time.Now, MaxLag: 1 << 40})
	return h
}

func (h *house) close(b *testing.B) {
	b.Helper()
	h.cancel()
	if err := <-h.done; err != nil {
		b.Fatal(err)
	}
	if err := h.db.Close(); err != nil {
		b.Fatal(err)
	}
}

// post returns when all bodies are synced and decided, with the time at which the
// last was synced.
func (h *house) post(b *testing.B, bodies [][]byte, workers int) (acknowledged time.Time) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				if _, err := h.c.Alertmanager(h.ctx, "bench", collector.Body{Reader: bytes.NewReader(bodies[i]), Length: int64(len(bodies[i]))}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	acknowledged = time.Now()
	if err := h.engine.CaughtUp(h.ctx); err != nil {
		b.Error(err)
	}
	return acknowledged
}

// BenchmarkPipeline posts bodies of 100 alerts straight into the collector, on
// disk, and counts an alert when its body is synced and its record is committed.
func BenchmarkPipeline(b *testing.B) {
	const total, workers = 50_000, 8
	start := time.Now().Add(-time.Minute)
	for _, mode := range []string{"distinct", "repeated"} {
		b.Run(mode, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				h := open(b)
				var bodies [][]byte
				for n := 0; n < total; n += per {
					bodies = append(bodies, Webhook(n, n+per, start, false))
				}
				if mode == "repeated" {
					h.post(b, bodies, workers)
				}
				began, cpu := time.Now(), cpuTime()
				b.StartTimer()
				acknowledged := h.post(b, bodies, workers)
				b.StopTimer()
				b.ReportMetric(float64(total)/time.Since(began).Seconds(), "alerts/s")
				b.ReportMetric(float64(total)/acknowledged.Sub(began).Seconds(), "acknowledged/s")
				b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/total, "cpu-µs/alert")
				h.close(b)
			}
		})
	}
}

// cpuTime is what the process has used: on a shared machine it is steadier than the clock.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
