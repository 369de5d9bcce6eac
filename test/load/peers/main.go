// Command peers measures ingest beside a real Alertmanager in one run: the same
// alerts, 100 per request, distinct and repeated, at several numbers of
// connections; memory as the slope from 10,000 to 100,000 active alerts; latency at
// half the peak; and the share reached of this machine's own limits. An alert
// counts for Watchbill only when it was acknowledged, which it is only when synced,
// and when a sample of them can be queried within five seconds.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/test/load"
)

const per = 100 // alerts in one request

func main() {
	am := flag.String("alertmanager", "", "path of the Alertmanager binary (required)")
	wb := flag.String("watchbill", "bin/watchbill", "path of the watchbill binary")
	alerts := flag.Int("alerts", 100_000, "distinct alerts")
	conns := flag.String("connections", "4,8,16", "connections, one round each")
	parts := flag.String("parts", "rates,memory,latency,limits", "what to measure")
	flag.Parse()
	if *am == "" {
		fmt.Fprintln(os.Stderr, "--alertmanager is missing: give the path of a real Alertmanager, e.g. the one that `make bench-peers` builds")
		os.Exit(2)
	}
	if err := run(*am, *wb, *alerts, *conns, *parts); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// target is a program under load.
type target struct {
	name  string
	url   string
	token string
	body  func(from, to int) []byte
	cmd   *exec.Cmd
	dir   string
}

func run(am, wb string, alerts int, conns, parts string) error {
	fmt.Printf("%d alerts, %d per request; each program on a fresh data directory, one after the other\n\n", alerts, per)
	peak := 14_000.0 // Alertmanager's, where its rate is not measured in this run
	for _, p := range strings.Split(parts, ",") {
		var err error
		switch p {
		case "rates":
			peak, err = rates(am, wb, alerts, conns)
		case "memory":
			err = slopes(am, wb)
		case "latency":
			err = halfPeak(am, wb, peak/2)
		case "limits":
			err = limits()
		default:
			err = fmt.Errorf("--parts: %q is none of rates, memory, latency, limits", p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rates prints alerts per second of both programs and returns Alertmanager's best.
func rates(am, wb string, alerts int, conns string) (peak float64, err error) {
	fmt.Printf("%-13s %5s  %11s %11s %11s  %8s %8s  %8s  %13s\n", "program", "conns", "distinct/s", "queryable/s", "repeated/s", "p50 ms", "p99 ms", "RSS MiB", "CPU µs/alert")
	for _, c := range strings.Split(conns, ",") {
		n, err := strconv.Atoi(c)
		if err != nil {
			return 0, fmt.Errorf("--connections: %w", err)
		}
		var reached [2]result
		for i, begin := range []func(string, string) (*target, error){startAlertmanager, startWatchbill} {
			path := am
			if i == 1 {
				path = wb
			}
			r, err := round(begin, path, alerts, n)
			if err != nil {
				return 0, err
			}
			reached[i] = r
			if i == 0 {
				peak = max(peak, r.distinct)
			}
			fmt.Printf("%-13s %5d  %11.0f %11.0f %11.0f  %8.1f %8.1f  %8.0f  %13.1f\n", r.name, n, r.distinct, r.queryable, r.repeated, r.p50, r.p99, r.rss, r.cpu)
		}
		a, w := reached[0], reached[1]
		fmt.Printf("%-13s %5d  %11.2f %11.2f %11.2f  %8.2f %8.2f  %8.2f  %13.2f\n\n", "ratio", n, w.distinct/a.distinct, w.queryable/a.queryable, w.repeated/a.repeated, w.p50/a.p50, w.p99/a.p99, w.rss/a.rss, w.cpu/a.cpu)
	}
	return peak, nil
}

type result struct {
	name               string
	distinct, repeated float64 // alerts per second, until the last is acknowledged
	queryable          float64 // distinct alerts per second, until the last can be queried
	p50, p99           float64 // milliseconds a request, distinct
	rss                float64 // MiB at the end
	cpu                float64 // of the program for one distinct alert, until it can be queried
}

func round(begin func(string, string) (*target, error), path string, alerts, conns int) (result, error) {
	t, err := begin(path, "")
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	bodies := t.bodies(alerts)
	began, used := time.Now(), t.cpu()
	d, lat, err := t.post(bodies, conns, 0)
	if err != nil {
		return result{}, err
	}
	if err := t.queryable(alerts); err != nil {
		return result{}, err
	}
	whole, used := time.Since(began), t.cpu()-used
	again, _, err := t.post(bodies, conns, 0)
	if err != nil {
		return result{}, err
	}
	slices.Sort(lat)
	return result{
		name: t.name, distinct: float64(alerts) / d.Seconds(), repeated: float64(alerts) / again.Seconds(), queryable: float64(alerts) / whole.Seconds(),
		p50: ms(lat, .5), p99: ms(lat, .99), rss: t.rss(), cpu: used.Seconds() * 1e6 / float64(alerts),
	}, nil
}

func ms(sorted []time.Duration, q float64) float64 {
	return sorted[int(q*float64(len(sorted)-1))].Seconds() * 1000
}

// slopes prints the resident memory that one active alert costs.
func slopes(am, wb string) error {
	fmt.Printf("%-13s %12s %12s %14s\n", "program", "MiB at 10k", "MiB at 100k", "KiB per alert")
	var kib [2]float64
	for i, begin := range []func(string, string) (*target, error){startAlertmanager, startWatchbill} {
		path := am
		if i == 1 {
			path = wb
		}
		t, err := begin(path, "")
		if err != nil {
			return err
		}
		bodies := t.bodies(100_000)
		var at [2]float64
		for j, upTo := range []int{10_000, 100_000} {
			from := []int{0, 10_000}[j]
			if _, _, err := t.post(bodies[from/per:upTo/per], 8, 0); err != nil {
				t.stop()
				return err
			}
			if err := t.queryable(upTo); err != nil {
				t.stop()
				return err
			}
			at[j] = t.settledRSS()
		}
		kib[i] = (at[1] - at[0]) * 1024 / 90_000
		fmt.Printf("%-13s %12.0f %12.0f %14.2f\n", t.name, at[0], at[1], kib[i])
		t.stop()
	}
	fmt.Printf("%-13s %40.2f\n\n", "ratio", kib[1]/kib[0])
	return nil
}

// halfPeak posts at a fixed rate and prints latencies.
func halfPeak(am, wb string, rate float64) error {
	fmt.Printf("at %.0f alerts/s, half of Alertmanager's peak, 8 connections\n%-13s %9s %9s\n", rate, "program", "p50 ms", "p99 ms")
	for i, begin := range []func(string, string) (*target, error){startAlertmanager, startWatchbill} {
		path := am
		if i == 1 {
			path = wb
		}
		t, err := begin(path, "")
		if err != nil {
			return err
		}
		_, lat, err := t.post(t.bodies(60_000), 8, rate)
		t.stop()
		if err != nil {
			return err
		}
		slices.Sort(lat)
		fmt.Printf("%-13s %9.1f %9.1f\n", t.name, ms(lat, .5), ms(lat, .99))
	}
	fmt.Println()
	return nil
}

// limits prints what this machine could do at most: decoding alone, on one core,
// and appending the same bytes with a sync each.
func limits() error {
	body := load.Webhook(0, per, time.Now(), false)
	began, n := time.Now(), 0
	for time.Since(began) < 2*time.Second {
		if _, err := event.DecodeNotification(body); err != nil {
			return err
		}
		n++
	}
	decode := float64(n*per) / time.Since(began).Seconds()
	f, err := os.CreateTemp("", "sync")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	began, n = time.Now(), 0
	for time.Since(began) < 2*time.Second {
		if _, err := f.Write(body); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		n++
	}
	fmt.Printf("limits of this machine: decoding alone %.0f alerts/s on one core; one synced write per request %.0f alerts/s\n", decode, float64(n*per)/time.Since(began).Seconds())
	return nil
}

func (t *target) bodies(alerts int) [][]byte {
	var out [][]byte
	for n := 0; n < alerts; n += per {
		out = append(out, t.body(n, n+per))
	}
	return out
}

// post sends bodies over conns connections, at most rate alerts per second (0: as
// fast as they are taken), and returns how long that took and each latency.
func (t *target) post(bodies [][]byte, conns int, rate float64) (time.Duration, []time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}}
	var next atomic.Int64
	lat := make([]time.Duration, len(bodies))
	errs := make([]error, conns)
	var wg sync.WaitGroup
	began := time.Now()
	for c := range conns {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				if rate > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(i*per) / rate * float64(time.Second)))))
				}
				at := time.Now()
				for {
					again, err := t.send(client, bodies[i])
					if err != nil {
						errs[c] = err
						return
					}
					if !again {
						break
					}
					time.Sleep(5 * time.Millisecond) // refused for overload: the wait counts
				}
				lat[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	return time.Since(began), lat, errors.Join(errs...)
}

func (t *target) send(client *http.Client, body []byte) (again bool, err error) {
	req, err := http.NewRequest(http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if t.token != "" {
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return true, nil
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s: %s: %s", t.name, resp.Status, b)
	}
	return false, nil
}

// queryable checks that a sample of the newest alerts can be read within 5 s.
func (t *target) queryable(alerts int) error {
	if t.token == "" {
		return nil // Alertmanager holds them in memory
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, n := range []int{alerts - 1, alerts - per/2, alerts / 2, 0} {
		fp := event.LabelsFrom(load.Labels(n)).Fingerprint()
		for {
			var page struct {
				Items []json.RawMessage `json:"items"`
			}
			if err := t.get("/api/v1/alerts?q=fingerprint:"+fp, &page); err != nil {
				return err
			}
			if len(page.Items) > 0 {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("alert %d was acknowledged and cannot be queried after 5 s: the run does not count", n)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func (t *target) get(path string, out any) error {
	u := t.url[:strings.Index(t.url, "/api/")] + path
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, b)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// rss returns the resident memory in MiB.
func (t *target) rss() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// cpu is the processor time that the program has used.
func (t *target) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * time.Second / 100 // in ticks of 10 ms on every Linux
}

// settledRSS waits until the memory stops shrinking: both programs are given the
// time to collect their garbage.
func (t *target) settledRSS() float64 {
	least := t.rss()
	for range 40 {
		time.Sleep(250 * time.Millisecond)
		least = min(least, t.rss())
	}
	return least
}

func (t *target) stop() {
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
	_ = os.RemoveAll(t.dir)
}

func port() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func launch(t *target, ready string, path string, env []string, args ...string) error {
	t.cmd = exec.Command(path, args...)
	t.cmd.Env = append(os.Environ(), env...)
	logs, err := os.Create(filepath.Join(t.dir, "log"))
	if err != nil {
		return err
	}
	t.cmd.Stdout, t.cmd.Stderr = logs, logs
	if err := t.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", t.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if resp, err := http.Get(ready); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			b, _ := os.ReadFile(logs.Name())
			return fmt.Errorf("%s was not ready within 30 s:\n%s", t.name, b)
		}
	}
}

var begin = time.Now().Add(-time.Minute)

func startAlertmanager(path, _ string) (*target, error) {
	dir, err := os.MkdirTemp("", "peer-am")
	if err != nil {
		return nil, err
	}
	p, err := port()
	if err != nil {
		return nil, err
	}
	cfg := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(cfg, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		return nil, err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", p)
	t := &target{name: "alertmanager", url: base + "/api/v2/alerts", dir: dir, body: func(from, to int) []byte { return load.V2(from, to, begin) }}
	return t, launch(t, base+"/-/ready", path, nil, "--config.file="+cfg, "--storage.path="+dir, fmt.Sprintf("--web.listen-address=127.0.0.1:%d", p), "--cluster.listen-address=", "--log.level=error")
}

const adminToken = "bench-admin-token-0123456789abcdef0123456789"

func startWatchbill(path, _ string) (*target, error) {
	dir, err := os.MkdirTemp("", "peer-wb")
	if err != nil {
		return nil, err
	}
	p, err := port()
	if err != nil {
		return nil, err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", p)
	t := &target{name: "watchbill", url: base + "/api/v1/ingest/alertmanager", dir: dir, body: func(from, to int) []byte { return load.Webhook(from, to, begin, false) }}
	if err := launch(t, base+"/-/ready", path, []string{"WATCHBILL_ADMIN_TOKEN=" + adminToken}, "server", "--storage.path="+filepath.Join(dir, "data"), fmt.Sprintf("--web.listen-address=127.0.0.1:%d", p), "--log.level=error"); err != nil {
		return t, err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/api/v1/tokens", strings.NewReader(`{"name":"bench","role":"ingest"}`))
	if err != nil {
		return t, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return t, err
	}
	if t.token = out.Token; t.token == "" {
		return t, errors.New("watchbill gave no ingest token")
	}
	return t, nil
}
