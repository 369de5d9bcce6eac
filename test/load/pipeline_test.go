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

// BenchmarkPipeline posts bodies of 100 alerts straight into the collector, on
// disk, and counts an alert when its body is synced and its record is committed.
func BenchmarkPipeline(b *testing.B) {
	const per, total, workers = 100, 50_000, 8
	start := time.Now().Add(-time.Minute)
	for _, mode := range []string{"distinct", "repeated"} {
		b.Run(mode, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				ctx, cancel := context.WithCancel(context.Background())
				db, err := badgerdb.Open(badgerdb.Options{Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				j, err := journal.Open(ctx, db, time.Now)
				if err != nil {
					b.Fatal(err)
				}
				e, err := engine.Open(ctx, engine.Options{DB: db, Journal: j, Rules: fold.DefaultRules(), Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Start(ctx); err != nil {
					b.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- e.Run(ctx) }()
				c := collector.New(collector.Options{Journal: j, Lag: e.Lag, Room: func() error { return nil }, Now: time.Now, Limits: collector.Limits{MaxLag: 1 << 40}})
				var bodies [][]byte
				for n := 0; n < total; n += per {
					bodies = append(bodies, Webhook(n, n+per, start, false))
				}
				post := func() {
					var next atomic.Int64
					var wg sync.WaitGroup
					for range workers {
						wg.Go(func() {
							for {
								i := int(next.Add(1)) - 1
								if i >= len(bodies) {
									return
								}
								if _, err := c.Alertmanager(ctx, "bench", collector.Body{Reader: bytes.NewReader(bodies[i]), Length: int64(len(bodies[i]))}); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					if err := e.CaughtUp(ctx); err != nil {
						b.Error(err)
					}
				}
				if mode == "repeated" {
					post()
				}
				began, cpu := time.Now(), cpuTime()
				b.StartTimer()
				post()
				b.StopTimer()
				b.ReportMetric(float64(total)/time.Since(began).Seconds(), "alerts/s")
				b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/total, "cpu-µs/alert")
				cancel()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				db.Close()
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
