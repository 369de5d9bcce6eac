// Command shop is the service of the real estate: it answers each request by asking
// its backend, or, without one, by writing to its disk. It measures itself.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

func main() {
	listen := flag.String("listen", ":8080", "address")
	backend := flag.String("backend", "", "URL that answers are taken from")
	dir := flag.String("dir", "", "directory that requests are written to")
	broken := flag.String("broken", "", "answer errors while this file exists: a bad release")
	flag.Parse()
	var requests, failures, lag atomic.Int64
	client := &http.Client{Timeout: time.Second}
	answer := func() error {
		if *broken != "" {
			if _, err := os.Stat(*broken); err == nil {
				return fmt.Errorf("this release is broken")
			}
		}
		if *dir != "" {
			// Beside the old one, as programs do that must not lose it.
			next := filepath.Join(*dir, "request.new")
			if err := os.WriteFile(next, make([]byte, 64<<10), 0o600); err != nil {
				return err
			}
			return os.Rename(next, filepath.Join(*dir, "request"))
		}
		resp, err := client.Get(*backend)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the backend answers %s: %w", resp.Status, err)
		}
		return nil
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		if err := answer(); err != nil {
			failures.Add(1)
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "shop_requests_total %d\nshop_failures_total %d\nshop_scheduling_lag_seconds %g\n", requests.Load(), failures.Load(), time.Duration(lag.Swap(0)).Seconds())
	})
	go func() { // how late a tick comes says how much of the processor it is given
		const every = 20 * time.Millisecond
		for last := time.Now(); ; {
			time.Sleep(every)
			now := time.Now()
			lag.Store(max(lag.Load(), int64(now.Sub(last)-every)))
			last = now
		}
	}()
	go func() { // its visitors
		self := "http://127.0.0.1" + *listen
		for range time.Tick(100 * time.Millisecond) {
			if resp, err := client.Get(self + "/"); err == nil {
				resp.Body.Close()
			}
		}
	}()
	fmt.Fprintln(os.Stderr, http.ListenAndServe(*listen, nil))
	os.Exit(1)
}
