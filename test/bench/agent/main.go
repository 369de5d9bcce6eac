// Command agent weighs watchbill-agent beside other agents on one machine in
// one run: processor time and resident memory of a full inventory, of the loop
// on its default schedule, of tens of thousands of sockets, and the bytes sent.
// It owns the load and the measuring; it refuses to judge by fixed limits, as
// figures of one machine hold beside each other only.
package main

import (
	"bufio"
	"compress/gzip"
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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/config"
)

func main() {
	agent := flag.String("agent", "bin/watchbill-agent", "the agent's binary")
	seconds := flag.Int("seconds", 120, "how long the loops run")
	processes := flag.Int("processes", 300, "processes of the load")
	sockets := flag.Int("sockets", 2000, "sockets of the load")
	many := flag.Int("many", 50000, "sockets of the heavy load; 0 for none")
	hold := flag.Int("hold", 0, "open so many sockets, say so, and hold them until standard input ends (for the bench's own use)")
	flag.Parse()
	if *hold > 0 {
		if err := holdSockets(*hold); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*agent, time.Duration(*seconds)*time.Second, *processes, *sockets, *many); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(agent string, span time.Duration, processes, sockets, many int) error {
	work, err := os.MkdirTemp("", "agent-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for range processes {
		cmd := exec.Command("sleep", "86400")
		if err := cmd.Start(); err != nil {
			return err
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	load := &connections{}
	defer load.close()
	if err := load.grow(sockets); err != nil {
		return err
	}
	quick := filepath.Join(work, "quick.yml")
	if err := os.WriteFile(quick, []byte("language_packages: false\n"), 0o600); err != nil {
		return err
	}
	out := filepath.Join(work, "report.json")
	fmt.Printf("load: %d processes, %d sockets\n\n", processes, load.count())
	fmt.Println("| full inventory | CPU s | RSS MiB | wall s |")
	fmt.Println("|---|---|---|---|")
	once := []string{"--once", "--output", out, "--state-dir", filepath.Join(work, "none")}
	line("watchbill-agent, no language packages", append([]string{agent, "--config.file", quick}, once...))
	debs := packages(out)
	line("watchbill-agent, whole", append([]string{agent}, once...))
	all := packages(out)
	for _, peer := range [][]string{{"facter", "--json"}, {"ohai"}, {"fusioninventory-inventory"}, {"glpi-inventory"}, {"ocsinventory-agent", "--stdout"}} {
		if _, err := exec.LookPath(peer[0]); err != nil {
			fmt.Printf("| SKIPPED %s: not installed | | | |\n", peer[0])
			continue
		}
		line(peer[0], peer)
	}
	fmt.Printf("\npackages found: %d without, %d with language packages\n", debs, all)

	if err := loops(agent, work, span); err != nil {
		return err
	}
	if many > 0 {
		if err := load.grow(many); err != nil {
			fmt.Println("SKIPPED the heavy load:", err)
			return nil
		}
		config := filepath.Join(work, "sockets.yml")
		var off strings.Builder
		off.WriteString("language_packages: false\nlistener_certificates: false\nsections:\n")
		for _, s := range report.Sections() {
			if s != report.SectionAgent && s != report.SectionHost && s != report.SectionListeners && s != report.SectionConnections {
				fmt.Fprintf(&off, "  %s: false\n", s)
			}
		}
		if err := os.WriteFile(config, []byte(off.String()), 0o600); err != nil {
			return err
		}
		fmt.Printf("\n| %d sockets | CPU s | RSS MiB | wall s |\n|---|---|---|---|\n", load.count())
		line("watchbill-agent, sockets only", append([]string{agent, "--config.file", config}, once...))
		line("watchbill-agent, no language packages", append([]string{agent, "--config.file", quick}, once...))
		if _, err := exec.LookPath("ss"); err == nil {
			line("ss -antup", []string{"ss", "-antup"})
		}
	}
	return nil
}

// line runs a program to its end, three times, and prints the middle one.
func line(name string, args []string) {
	var runs []usage
	for range 3 {
		u, err := weigh(args)
		if err != nil {
			fmt.Printf("| SKIPPED %s: %v | | | |\n", name, err)
			return
		}
		runs = append(runs, u)
	}
	for i := range runs {
		for j := i + 1; j < len(runs); j++ {
			if runs[j].cpu < runs[i].cpu {
				runs[i], runs[j] = runs[j], runs[i]
			}
		}
	}
	u := runs[1]
	if u.code != 0 {
		name += fmt.Sprintf(" (ended with exit code %d)", u.code)
	}
	fmt.Printf("| %s | %.3f | %.1f | %.2f |\n", name, u.cpu.Seconds(), float64(u.rss)/(1<<20), u.wall.Seconds())
}

type usage struct {
	cpu, wall time.Duration
	rss       int64 // bytes, of the largest process
	code      int   // some inventory tools print all and still end with an error
}

func weigh(args []string) (usage, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	start := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(start)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return u, err
	}
	u.code = cmd.ProcessState.ExitCode()
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.rss = r.Maxrss * 1024
	}
	return u, nil
}

func packages(name string) int {
	var r report.Report
	data, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(data, &r) != nil {
		return 0
	}
	return len(r.Packages)
}

// connections is the load of sockets, in processes of their own: one may not
// have that many files open.
type connections struct {
	total int
	ends  []func()
}

// most is how many sockets one process holds.
const most = 10000

func (c *connections) count() int { return c.total }

// grow opens connections until there are so many sockets.
func (c *connections) grow(sockets int) error {
	for c.total < sockets {
		n := min(most, sockets-c.total)
		cmd := exec.Command(os.Args[0], "-hold", strconv.Itoa(n))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		c.ends = append(c.ends, func() { stdin.Close(); _ = cmd.Wait() })
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
			return fmt.Errorf("open %d sockets: %q, %v", n, line, err)
		}
		c.total += n
	}
	return nil
}

func (c *connections) close() {
	for _, end := range c.ends {
		end()
	}
}

// holdSockets makes connections with itself: each is two sockets. Every
// destination address has ephemeral ports of its own.
func holdSockets(sockets int) error {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.%d.%d:0", os.Getpid()>>8&0x7f+1, os.Getpid()&0xff))
	if err != nil {
		return err
	}
	var ends []net.Conn
	for len(ends) < sockets {
		out, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		in, err := l.Accept()
		if err != nil {
			return err
		}
		ends = append(ends, out, in)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, e := range ends {
		_ = e.Close()
	}
	return nil
}

// receiver is a server that takes every report.
type receiver struct {
	mu    sync.Mutex
	sizes []int64
	plain []int64 // of envelopes without data
	wire  []int64 // of those, with the headers of HTTP
	// schedule is what it tells agents, as the real server does.
	schedule report.Schedule
}

// metered counts what comes in over a connection, headers too.
type metered struct {
	net.Conn
	read, told int64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.read += int64(n)
	return n, err
}

type meteredListener struct{ net.Listener }

func (l meteredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &metered{Conn: c}, nil
}

type meterKey struct{}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	count := &counter{r: q.Body}
	unzip, err := gzip.NewReader(count)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(q.URL.Path, "/enroll") {
		_ = json.NewEncoder(w).Encode(report.EnrollReply{Credential: "bench", CI: "bench"})
		return
	}
	var e report.Envelope
	if err := json.NewDecoder(unzip).Decode(&e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(io.Discard, unzip)
	data := false
	for _, s := range e.Sections {
		data = data || s.Data != nil
	}
	r.mu.Lock()
	r.sizes = append(r.sizes, count.n)
	m := q.Context().Value(meterKey{}).(*metered)
	if !data && len(e.Changes) == 0 {
		r.plain, r.wire = append(r.plain, count.n), append(r.wire, m.read-m.told)
	}
	m.told = m.read
	r.mu.Unlock()
	_ = json.NewEncoder(w).Encode(report.Reply{CI: "bench", Schedule: r.schedule})
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// loops runs the agent on its default schedule beside node_exporter, scraped as
// Prometheus does, and weighs both over the same time. The first rounds are
// weighed apart: they are what a start costs.
func loops(agent, work string, span time.Duration) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	agents := config.Default().Agents
	seconds := func(d config.Duration) int { return int(d.Std() / time.Second) }
	taken := &receiver{schedule: report.Schedule{SampleSeconds: seconds(agents.SampleInterval), ReportSeconds: seconds(agents.ReportInterval), FullSeconds: seconds(agents.FullInterval)}}
	server := &http.Server{Handler: taken, ReadHeaderTimeout: 10 * time.Second, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, meterKey{}, c)
	}}
	go func() { _ = server.Serve(meteredListener{l}) }()
	defer server.Close()
	token := filepath.Join(work, "token")
	if err := os.WriteFile(token, []byte("bench\n"), 0o600); err != nil {
		return err
	}
	var running []*watched
	start := func(name string, args ...string) error {
		cmd := exec.Command(args[0], args[1:]...)
		if err := cmd.Start(); err != nil {
			return err
		}
		running = append(running, &watched{name: name, cmd: cmd})
		return nil
	}
	defer func() {
		for _, w := range running {
			_ = w.cmd.Process.Signal(syscall.SIGTERM)
			_ = w.cmd.Wait()
		}
	}()
	if err := start("watchbill-agent", agent, "--server.url", "http://"+l.Addr().String(), "--token-file", token, "--state-dir", filepath.Join(work, "state"), "--log.level", "error"); err != nil {
		return err
	}
	scrape := ""
	for _, name := range []string{"prometheus-node-exporter", "node_exporter"} {
		if path, err := exec.LookPath(name); err == nil {
			scrape = "127.0.0.1:19100"
			if err := start(name, path, "--web.listen-address="+scrape, "--log.level=error"); err != nil {
				return err
			}
			break
		}
	}
	if scrape == "" {
		fmt.Println("SKIPPED node_exporter: not installed")
	}
	settled := 60 * time.Second
	fmt.Printf("\nloops: %v to settle, then %v weighed\n", settled, span)
	watchFor(running, scrape, settled)
	for _, w := range running {
		w.begin, w.started = cpu(w.cmd.Process.Pid), cpu(w.cmd.Process.Pid)
		w.largest, w.sum, w.samples = 0, 0, 0
	}
	watchFor(running, scrape, span)
	fmt.Println("\n| loop | CPU of the start, s | share of a core | RSS MiB (mean of samples) | RSS MiB (largest) |")
	fmt.Println("|---|---|---|---|---|")
	for _, w := range running {
		used := cpu(w.cmd.Process.Pid) - w.begin
		fmt.Printf("| %s | %.2f | %.3f %% | %.1f | %.1f |\n", w.name, w.started.Seconds(), 100*used.Seconds()/span.Seconds(), w.mean()/(1<<20), float64(w.largest)/(1<<20))
	}
	taken.mu.Lock()
	defer taken.mu.Unlock()
	if len(taken.sizes) > 0 {
		fmt.Printf("\nschedule: %+v\nsent: first report %d B; %d reports in all; unchanged ones %v B, with HTTP's headers %v B\n", taken.schedule, taken.sizes[0], len(taken.sizes), taken.plain, taken.wire)
	}
	return nil
}

type watched struct {
	name           string
	cmd            *exec.Cmd
	begin, started time.Duration
	largest        int64
	sum, samples   float64
}

func (w *watched) mean() float64 {
	if w.samples == 0 {
		return 0
	}
	return w.sum / w.samples
}

func watchFor(running []*watched, scrape string, span time.Duration) {
	end := time.Now().Add(span)
	for tick := 0; time.Now().Before(end); tick++ {
		time.Sleep(time.Second)
		for _, w := range running {
			rss := resident(w.cmd.Process.Pid)
			w.largest = max(w.largest, rss)
			w.sum += float64(rss)
			w.samples++
		}
		if scrape != "" && tick%15 == 0 {
			if r, err := http.Get("http://" + scrape + "/metrics"); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		}
	}
}

// cpu is what a process and its ended children have used, in ticks of 10 ms:
// run the loops for minutes, or the tick shows.
func cpu(pid int) time.Duration {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 15 {
		return 0
	}
	var total int64
	for _, field := range f[11:15] { // user and system, own and of ended children
		n, _ := strconv.ParseInt(field, 10, 64)
		total += n
	}
	return time.Duration(total) * 10 * time.Millisecond
}

func resident(pid int) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(data))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}
