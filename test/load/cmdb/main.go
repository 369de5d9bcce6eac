// Command cmdb measures the inventory under a generated fleet: machines with
// packages and connections, reports changed and unchanged, queries and impacts.
// It prints one Markdown row per size, so that the growth from size to size can
// be read and drawn. It uses the inventory as the server does, on disk.
//
//	go run ./test/load/cmdb -sizes 1000,10000,100000 -dir /tmp/load
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

type options struct {
	packages, edges, callers int
	dir, profile             string
	rounds                   int
	reuse                    bool
}

func main() {
	sizes := flag.String("sizes", "1000,10000", "numbers of machines, separated by commas")
	var o options
	flag.IntVar(&o.packages, "packages", 500, "packages of each machine")
	flag.IntVar(&o.edges, "edges", 20, "edges of each machine")
	flag.IntVar(&o.callers, "callers", 16, "concurrent reporters")
	flag.IntVar(&o.rounds, "rounds", 300, "runs of each query")
	flag.StringVar(&o.dir, "dir", "", "directory for the data; empty: a temporary one")
	flag.BoolVar(&o.reuse, "reuse", false, "measure queries and the start on data that an earlier run left in -dir")
	flag.StringVar(&o.profile, "profile", "", "directory for CPU profiles of the queries and reports")
	flag.Parse()
	fmt.Println("| machines | items | edges | load/s | unchanged/s (CPU µs) | changed/s (CPU µs) | software p50/p99/p99 CPU ms | filter p50/p99/p99 CPU ms | search p50/p99/p99 CPU ms | sorted page p50/p99/p99 CPU ms | impact p50/p99/p99 CPU ms | resident MiB | heap MiB | disk MiB | cold start s (CPU) |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "sizes: want numbers, got %q\n", s)
			os.Exit(2)
		}
		if err := run(n, o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(n int, o options) error {
	dir := o.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "cmdb-load-*"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	dir = filepath.Join(dir, strconv.Itoa(n))
	ctx := context.Background()
	inv, db, j, err := open(ctx, dir)
	if err != nil {
		return err
	}
	f := newFleet(n, o)
	f.journal = j
	var load, unchanged, changed float64
	var unchangedCPU, changedCPU time.Duration
	if o.reuse {
		f.ids, err = inv.Select("class:host")
	} else {
		load, unchanged, changed, unchangedCPU, changedCPU, err = f.reports(ctx, inv)
	}
	if err != nil {
		return err
	}
	stats := inv.Stats()
	items := 0
	for _, c := range stats.Counts {
		items += c.Items
	}
	r := rand.New(rand.NewPCG(7, uint64(n)))
	page := func(query, sort string) func() error {
		return func() error {
			q := strings.ReplaceAll(query, "#", strconv.Itoa(r.IntN(n)))
			_, err := inv.List(ctx, inventory.ListQuery{Query: strings.ReplaceAll(q, "%", strconv.Itoa(r.IntN(400))), Sort: sort, Limit: 100})
			return err
		}
	}
	measures := []struct {
		name string
		f    func() error
	}{
		{"software", page("class:host software:lib-%<1.5.0", "")},
		{"filter", page("class:host os:debian team:team-3 seen<24h not tag:lab memory>8GiB", "")},
		{"search", page("m-0#", "")},
		{"sorted", page("class:host os:debian", "-memory_bytes")},
		{"impact", func() error { _, err := inv.Impact(ctx, f.ids[r.IntN(max(1, n/100))], 5); return err }},
	}
	var cells []string
	for _, m := range measures {
		stop := profile(o.profile, n, m.name)
		p50, p99, own, err := quantiles(o.rounds, m.f)
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		cells = append(cells, fmt.Sprintf("%.2f / %.2f / %.2f", p50, p99, own))
	}
	debug.FreeOSMemory()
	if o.profile != "" {
		if file, err := os.Create(filepath.Join(o.profile, fmt.Sprintf("heap-%d.pprof", n))); err == nil {
			_ = pprof.WriteHeapProfile(file)
			_ = file.Close()
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	rss := resident()
	if err := db.Close(); err != nil {
		return err
	}
	f.hashes = nil
	inv = nil
	runtime.GC()
	started, cpu := time.Now(), spent()
	stop := profile(o.profile, n, "cold")
	again, db, _, err := open(ctx, dir)
	stop()
	if err != nil {
		return err
	}
	cold, coldCPU := time.Since(started), spent()-cpu
	if got := again.Stats(); got.Relations != stats.Relations {
		return fmt.Errorf("after the restart there are %d relations, want %d", got.Relations, stats.Relations)
	}
	fmt.Printf("| %d | %d | %d | %.0f | %.0f (%d) | %.0f (%d) | %s | %d | %d | %d | %.1f (%.1f) |\n",
		n, items, stats.Relations, load, unchanged, unchangedCPU.Microseconds(), changed, changedCPU.Microseconds(), strings.Join(cells, " | "), rss>>20, mem.HeapAlloc>>20, size(dir)>>20, cold.Seconds(), coldCPU.Seconds())
	return db.Close()
}

// reports loads the fleet, then measures quiet and changed reports: calls a
// second, and processor time of each.
func (f *fleet) reports(ctx context.Context, inv *inventory.Inventory) (load, unchanged, changed float64, unchangedCPU, changedCPU time.Duration, err error) {
	started := time.Now()
	stop := profile(f.o.profile, f.n, "load")
	if err = f.each(func(i int, r *rand.Rand) error { return f.first(ctx, inv, i, r) }); err != nil {
		return
	}
	stop()
	load = float64(f.n) / time.Since(started).Seconds()

	stop = profile(f.o.profile, f.n, "unchanged")
	cpu := spent()
	unchanged, err = f.timed(100_000, func(i int, r *rand.Rand) error { return f.again(ctx, inv, i) })
	stop()
	if err != nil {
		return
	}
	unchangedCPU = (spent() - cpu) / 100_000
	stop = profile(f.o.profile, f.n, "changed")
	cpu = spent()
	changed, err = f.timed(min(3*f.n, 6000), func(i int, r *rand.Rand) error { return f.change(ctx, inv, i, r) })
	stop()
	if err != nil {
		return
	}
	changedCPU = (spent() - cpu) / time.Duration(min(3*f.n, 6000))
	return
}

func open(ctx context.Context, dir string) (*inventory.Inventory, *badgerdb.DB, *journal.Journal, error) {
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	if err != nil {
		return nil, nil, nil, err
	}
	j, err := journal.Open(ctx, db, time.Now)
	if err != nil {
		return nil, nil, nil, err
	}
	var ids atomic.Uint64
	inv, err := inventory.New(ctx, inventory.Options{DB: db, Journal: j, Now: time.Now, NewID: func() string { return fmt.Sprintf("c%09x", ids.Add(1)) }})
	return inv, db, j, err
}

// fleet generates machines. Every hundredth is a server that many others call;
// each machine runs three services and calls others so that it has the edges.
type fleet struct {
	n       int
	o       options
	ids     []string
	seq     []uint64
	hashes  []map[string]report.Section
	journal *journal.Journal
}

func newFleet(n int, o options) *fleet {
	return &fleet{n: n, o: o, ids: make([]string, n), seq: make([]uint64, n), hashes: make([]map[string]report.Section, n)}
}

func (f *fleet) each(do func(i int, r *rand.Rand) error) error {
	var next atomic.Int64
	errs := make(chan error, f.o.callers)
	for c := range f.o.callers {
		go func() {
			r := rand.New(rand.NewPCG(uint64(c), 99))
			for {
				i := int(next.Add(1)) - 1
				if i >= f.n {
					errs <- nil
					return
				}
				if i%max(1, f.n/10) == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d machines loaded, %d MiB resident\n", i, f.n, resident()>>20)
				}
				if err := do(i, r); err != nil {
					errs <- fmt.Errorf("machine %d: %w", i, err)
					return
				}
			}
		}()
	}
	var first error
	for range f.o.callers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// timed returns how many calls per second callers reach.
func (f *fleet) timed(calls int, do func(i int, r *rand.Rand) error) (float64, error) {
	var left atomic.Int64
	left.Store(int64(calls))
	errs := make(chan error, f.o.callers)
	started := time.Now()
	for c := range f.o.callers {
		go func() {
			r := rand.New(rand.NewPCG(uint64(c), 3))
			// Each caller has machines of its own: an agent does not overtake itself.
			for k := c; left.Add(-1) >= 0; k += f.o.callers {
				if err := do(k%f.n, r); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var first error
	for range f.o.callers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return float64(calls) / time.Since(started).Seconds(), first
}

func (f *fleet) address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>14, i>>7&127, i&127+1) }

func (f *fleet) report(i int, seed uint64, version int) report.Report {
	r := rand.New(rand.NewPCG(uint64(i), seed))
	oses := []string{"debian", "debian", "ubuntu", "rhel"}
	rep := report.Report{
		Agent: report.Agent{ID: fmt.Sprintf("agent-%08x-0000", i), Version: "1.0", BootID: fmt.Sprintf("boot-%08x", i), Sequence: f.seq[i]},
		Host: report.Host{Hostname: fmt.Sprintf("m-%06d", i), FQDN: fmt.Sprintf("m-%06d.dc%d.example.com", i, i%4), MachineID: fmt.Sprintf("%024xabcdef%02x", i+1, i%251),
			ProductUUID: fmt.Sprintf("b1b2c3d4-%04x-4000-8000-%012x", i%65521, i+1), SerialNumber: fmt.Sprintf("SER%07d", i), Vendor: "Acme"},
		OS:         report.OS{Family: "linux", ID: oses[i%4], Name: oses[i%4], Version: "12", Kernel: fmt.Sprintf("6.1.0-%d", i%30), Arch: "amd64"},
		Hardware:   report.Hardware{CPUModel: "X", CPUCores: 8, CPUThreads: 16, MemoryBytes: uint64(4+i%9*4) << 30},
		Interfaces: []report.Interface{{Name: "eth0", Kind: "physical", MAC: fmt.Sprintf("00:25:90:%02x:%02x:%02x", i>>16, i>>8&255, i&255), Addresses: []string{f.address(i) + "/8"}}},
		Disks:      []report.Disk{{Name: "sda", Kind: "ssd", Serial: fmt.Sprintf("DSK%09d", i), SizeBytes: 1 << 40}},
	}
	for k, s := range []string{"ssh", "node_exporter", "app"} {
		rep.Services = append(rep.Services, report.Service{Name: s + ".service", State: "active", Kind: "service"})
		rep.Listeners = append(rep.Listeners, report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: []int{22, 9100, 8080}[k], Process: s, Unit: s + ".service"})
	}
	hubs := max(1, f.n/100)
	for k := range f.o.edges - 3 {
		to := r.IntN(f.n)
		if k%3 == 0 {
			to = r.IntN(hubs)
		}
		rep.Connections = append(rep.Connections, report.Connection{Direction: "outbound", Protocol: "tcp", PeerAddress: f.address(to), PeerPort: 8080, Process: "app", Unit: "app.service"})
	}
	for p := range f.o.packages {
		name, v := p, i%7
		if p >= f.o.packages*9/10 { // a tenth differs from machine to machine
			name, v = p+r.IntN(2000), r.IntN(9)
		}
		if p == version%f.o.packages {
			v = 20 + version%50
		}
		pv := fmt.Sprintf("1.%d.%d-%d", name%9, v, p%4)
		n := fmt.Sprintf("lib-%d", name)
		rep.Packages = append(rep.Packages, report.Package{Type: "deb", Name: n, Version: pv, Arch: "amd64", PURL: "pkg:deb/debian/" + n + "@" + pv + "?arch=amd64", Source: n, SizeKiB: uint64(name * 7)})
	}
	return rep
}

func (f *fleet) first(ctx context.Context, inv *inventory.Inventory, i int, r *rand.Rand) error {
	rep := f.report(i, 1, 0)
	out, err := inv.Enroll(ctx, report.EnrollRequest{Agent: rep.Agent, Host: rep.Host, MACs: []string{rep.Interfaces[0].MAC}}, "")
	if err != nil {
		return err
	}
	f.ids[i] = out.CI.ID
	if err := f.post(ctx, inv, i, rep); err != nil {
		return err
	}
	item := inventory.Item{ID: out.CI.ID, Attributes: cmdb.Attributes{"team": fmt.Sprintf("team-%d", i%40), "owner": "o", "location": "dc1"}}
	if i%50 == 0 {
		item.Tags = []string{"lab"}
	}
	_, _, err = inv.Upsert(ctx, item, "import")
	return err
}

func (f *fleet) post(ctx context.Context, inv *inventory.Inventory, i int, rep report.Report) error {
	f.seq[i]++
	rep.Agent.Sequence = f.seq[i]
	sections, err := rep.Split()
	if err != nil {
		return err
	}
	if f.hashes[i] != nil {
		for name, s := range sections {
			if f.hashes[i][name].Hash == s.Hash {
				s.Data = nil
				sections[name] = s
			}
		}
	}
	reply, err := inv.Report(ctx, f.ids[i], report.Envelope{Agent: rep.Agent, TakenAt: time.Now(), Sections: sections})
	if err != nil {
		return err
	}
	if f.seq[i]%8 == 1 { // an engine keeps up with the journal
		end, _ := f.journal.End()
		if _, err := f.journal.Read(ctx, end, 1); err != nil {
			return err
		}
	}
	if reply.Forked || len(reply.Rejected) > 0 || len(reply.Want) > 0 {
		return fmt.Errorf("reply %+v", reply)
	}
	only := make(map[string]report.Section, len(sections))
	for name, s := range sections {
		only[name] = report.Section{Hash: s.Hash}
	}
	f.hashes[i] = only
	return nil
}

// again sends the report of a quiet machine: hashes only, through JSON as on the wire.
func (f *fleet) again(ctx context.Context, inv *inventory.Inventory, i int) error {
	f.seq[i]++
	env := report.Envelope{Agent: report.Agent{ID: fmt.Sprintf("agent-%08x-0000", i), BootID: fmt.Sprintf("boot-%08x", i), Sequence: f.seq[i]}, TakenAt: time.Now(), Sections: f.hashes[i]}
	b, err := json.Marshal(env)
	if err != nil {
		return err
	}
	var got report.Envelope
	if err := json.Unmarshal(b, &got); err != nil {
		return err
	}
	_, err = inv.Report(ctx, f.ids[i], got)
	return err
}

// change sends a report with one upgraded package: the whole package section travels.
func (f *fleet) change(ctx context.Context, inv *inventory.Inventory, i int, r *rand.Rand) error {
	return f.post(ctx, inv, i, f.report(i, 1, 1+r.IntN(1<<20)))
}

// quantiles runs f and returns the median and the 99th percentile of its time in
// milliseconds, and the 99th percentile of the processor time of its thread:
// what is left when the machine has nothing else to do.
func quantiles(rounds int, f func() error) (p50, p99, own float64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, used []float64
	for range rounds {
		started, cpu := time.Now(), threadTime()
		if err := f(); err != nil {
			return 0, 0, 0, err
		}
		took = append(took, float64(time.Since(started).Microseconds())/1000)
		used = append(used, float64((threadTime()-cpu).Microseconds())/1000)
	}
	slices.Sort(took)
	slices.Sort(used)
	return took[len(took)/2], took[len(took)*99/100], used[len(used)*99/100], nil
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spent is the processor time of this process: what stays comparable when the
// machine is shared.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

func size(dir string) (n int64) {
	_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// profile writes a CPU profile until the returned function is called.
func profile(dir string, n int, name string) (stop func()) {
	if dir == "" {
		return func() {}
	}
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", name, n)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return func() {}
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}
}
