package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/app"
)

const latencyAdmin = "bench-admin-token-0123456789abcdef0123456789abcdef"

// served is a whole server in this process, with its clients.
type served struct {
	b    *testing.B
	url  string
	stop func()
}

func serve(b *testing.B) *served {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Options{ListenAddress: addr, StoragePath: b.TempDir(), AdminToken: latencyAdmin, Version: "bench", Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, nil)
	}()
	s := &served{b: b, url: "http://" + addr}
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
	for late := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if code, _, err := s.call("GET", "/-/ready", "", nil); err == nil && code == http.StatusOK {
			return s
		}
		if time.Now().After(late) {
			b.Fatal("the server is not ready after a minute")
		}
	}
}

func (s *served) call(method, path, token string, body []byte) (code int, answer []byte, err error) {
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// must calls and decodes what has to succeed.
func (s *served) must(method, path, token string, body []byte, out any) {
	s.b.Helper()
	code, answer, err := s.call(method, path, token, body)
	if err != nil || code >= 300 {
		s.b.Fatalf("%s %s: %d %s %v", method, path, code, answer, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			s.b.Fatal(err)
		}
	}
}

// post sends alerts until they are taken, as Alertmanager does.
func (s *served) post(token string, body []byte) {
	for {
		code, _, err := s.call("POST", "/api/v1/ingest/alertmanager", token, body)
		if err == nil && code == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lookEvery is the pace of each of the clients that are timed.
const lookEvery = 50 * time.Millisecond

// timed measures what people and Prometheus wait for, for a while.
func (s *served) timed(phase string, d time.Duration) {
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	measure := func(name string, f func() (time.Duration, error)) {
		wg.Go(func() {
			var took []time.Duration
			for time.Now().Before(end) {
				d, err := f()
				if err != nil {
					s.b.Errorf("%s: %v", name, err)
					return
				}
				took = append(took, d)
				time.Sleep(lookEvery)
			}
			slices.Sort(took)
			at := func(q float64) float64 {
				return float64(took[min(len(took)-1, int(q*float64(len(took))))]) / float64(time.Millisecond)
			}
			s.b.Logf("%-9s %-8s n=%d p50=%.1f ms p99=%.1f ms max=%.1f ms", phase, name, len(took), at(.5), at(.99), at(1))
			s.b.ReportMetric(at(.99), phase+"-"+name+"-p99-ms")
		})
	}
	get := func(path string) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			began := time.Now()
			code, _, err := s.call("GET", path, latencyAdmin, nil)
			if err == nil && code != http.StatusOK {
				err = fmt.Errorf("GET %s: %d", path, code)
			}
			return time.Since(began), err
		}
	}
	measure("status", get("/api/v1/status"))
	measure("metrics", get("/metrics"))
	measure("ack", func() (time.Duration, error) {
		var i struct{ ID string }
		s.must("POST", "/api/v1/incidents", latencyAdmin, []byte(`{"title":"latency","impact":3,"urgency":3}`), &i)
		began := time.Now()
		s.must("POST", "/api/v1/incidents/"+i.ID+"/acknowledge", latencyAdmin, []byte("{}"), nil)
		return time.Since(began), nil
	})
	wg.Wait()
}

// seconds reads how long something lasts from the environment.
func seconds(name string, otherwise int) time.Duration {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		otherwise = n
	}
	return time.Duration(otherwise) * time.Second
}

// BenchmarkLatency times acknowledgement, /metrics and the status with 100,000 active
// alerts: while nothing changes, and while alerts that repeat all over dirty every page, so
// that each snapshot is a whole one. LATENCY_SECONDS is the length of each phase; a
// snapshot comes each minute.
func BenchmarkLatency(b *testing.B) {
	active := 100_000
	if n, err := strconv.Atoi(os.Getenv("LATENCY_ALERTS")); err == nil {
		active = n
	}
	d := seconds("LATENCY_SECONDS", 130)
	for range b.N {
		s := serve(b)
		var token struct{ Token string }
		s.must("POST", "/api/v1/tokens", latencyAdmin, []byte(`{"name":"bench","role":"ingest"}`), &token)
		begin := time.Now().Add(-time.Minute)
		for n := 0; n < active; n += per {
			s.post(token.Token, Webhook(n, n+per, begin, false))
		}
		s.timed("idle", d)
		// Every page of the table of alerts has a changed row after a second or two.
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; ; n = (n + per) % active {
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
					s.post(token.Token, Webhook(n, n+per, begin, false))
				}
			}
		})
		s.timed("snapshots", d)
		close(done)
		wg.Wait()
		began := time.Now()
		s.stop()
		b.Logf("stop after %s", time.Since(began).Round(time.Millisecond))
	}
}
