package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// parts are what of the server is measured.
type parts struct {
	inv     *inventory.Inventory
	db      *badgerdb.DB
	journal *journal.Journal
}

func open(ctx context.Context, dir string) (*parts, error) {
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(ctx, db, time.Now)
	if err != nil {
		return nil, err
	}
	var ids atomic.Uint64
	inv, err := inventory.New(ctx, inventory.Options{DB: db, Journal: j, Now: time.Now, NewID: func() string { return fmt.Sprintf("c%09x", ids.Add(1)) }})
	if err != nil {
		return nil, err
	}
	known, err := inv.Select("")
	if err != nil {
		return nil, err
	}
	for _, id := range known {
		if n, err := strconv.ParseUint(id[1:], 16, 64); err == nil && n > ids.Load() {
			ids.Store(n)
		}
	}
	return &parts{inv, db, j}, nil
}

// fleet generates machines. Every hundredth is a server that many others call;
// each machine runs three services and calls others so that it has the edges.
type fleet struct {
	*parts
	n      int
	o      options
	ids    []string // "" for a machine that is not loaded yet
	seq    []uint64
	hashes []map[string]report.Section // what the inventory has of each machine; nil: not known
}

// newFleet finds the machines that an earlier run loaded.
func newFleet(n int, o options, p *parts) *fleet {
	f := &fleet{parts: p, n: n, o: o, ids: make([]string, n), seq: make([]uint64, n), hashes: make([]map[string]report.Section, n)}
	for i := range n {
		// Sequences only grow, over all runs.
		f.seq[i] = uint64(time.Now().Unix())
		if ref, ok := p.inv.Find("host", f.name(i)); ok {
			f.ids[i] = ref.ID
		}
	}
	return f
}

var errPaused = errors.New("the time for loading is over: run it again to go on")

// load reports every machine that is not there yet.
func (f *fleet) load(ctx context.Context, res *result) error {
	var todo []int
	for i, id := range f.ids {
		if id == "" {
			todo = append(todo, i)
		}
	}
	if f.o.reuse {
		f.n -= len(todo)
		for i, id := range f.ids[:f.n] {
			if id == "" {
				return fmt.Errorf("machine %d is missing among those that were loaded: run it without -reuse first", i)
			}
		}
		res.Machines = f.n
		return nil
	}
	began, cpu := time.Now(), spent()
	stop := profile(f.o.profile, f.n, "load")
	err := f.spread(len(todo), func(k int, r *rand.Rand) error {
		if k%max(1, f.n/20) == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d of %d machines loaded, %s, %d CPU s\n", time.Now().Format(time.TimeOnly), f.n-len(todo)+k, f.n, memory(), int(spent().Seconds()))
			heapProfile(f.o.profile, f.n, "heap-loading")
		}
		if !f.o.until.IsZero() && time.Now().After(f.o.until) {
			return errPaused
		}
		return f.first(ctx, todo[k])
	})
	took, used := time.Since(began).Seconds(), (spent() - cpu).Seconds()
	stop()
	if err != nil || len(todo) == 0 {
		return err
	}
	// What it costs to make the reports is not the inventory's.
	made, err := f.rate("made-whole", 400, func(k int, _ *rand.Rand) error {
		_, err := f.wire(k%f.n, f.report(k%f.n, 1, 0), true)
		return err
	})
	res.Load = pair{float64(len(todo)) / took, used/float64(len(todo))*1e6 - made.CPU}
	return err
}

// reports measures quiet and changed reports.
func (f *fleet) reports(ctx context.Context, res *result) error {
	// The machines that take part. What an earlier run changed on them is put back,
	// so that their hashes are known.
	some := f.some()
	if err := f.spread(some, func(i int, _ *rand.Rand) error {
		if f.hashes[i] != nil {
			return nil
		}
		return f.post(ctx, i, f.report(i, 1, 0), true)
	}); err != nil {
		return err
	}
	var err error
	const quiet = 100_000
	if res.Unchanged, err = f.rate("unchanged", quiet, func(k int, _ *rand.Rand) error { return f.again(ctx, k%some) }); err != nil {
		return err
	}
	// What it costs to make the reports is not the inventory's.
	made, err := f.rate("made", 400, func(k int, r *rand.Rand) error {
		_, err := f.wire(k%some, f.report(k%some, 1, 1+r.IntN(1<<20)), false)
		return err
	})
	if err != nil {
		return err
	}
	if res.Changed, err = f.rate("changed", f.o.reports, func(k int, r *rand.Rand) error {
		return f.post(ctx, k%some, f.report(k%some, 1, 1+r.IntN(1<<20)), false)
	}); err != nil {
		return err
	}
	res.Changed.CPU -= made.CPU
	return nil
}

// some is how many machines the measured reports come from.
func (f *fleet) some() int { return min(f.n, max(1000, f.o.reports/2)) }

// rate runs calls, and tells how many are done in a second and the processor time
// of one in microseconds.
func (f *fleet) rate(name string, calls int, do func(k int, r *rand.Rand) error) (pair, error) {
	stop := profile(f.o.profile, f.n, name)
	defer stop()
	began, cpu := time.Now(), spent()
	err := f.spread(calls, do)
	return pair{float64(calls) / time.Since(began).Seconds(), float64((spent() - cpu).Microseconds()) / float64(calls)}, err
}

// spread shares calls out among the callers, each with calls of its own: an agent
// does not overtake itself.
func (f *fleet) spread(calls int, do func(k int, r *rand.Rand) error) error {
	errs := make(chan error, f.o.callers)
	var failed atomic.Bool
	for c := range f.o.callers {
		go func() {
			r := rand.New(rand.NewPCG(uint64(c), 3))
			for k := c; k < calls && !failed.Load(); k += f.o.callers {
				if err := do(k, r); err != nil {
					failed.Store(true)
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
	return first
}

func (f *fleet) name(i int) string    { return fmt.Sprintf("m-%06d", i) }
func (f *fleet) address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>14, i>>7&127, i&127+1) }

func (f *fleet) report(i int, seed uint64, version int) report.Report {
	r := rand.New(rand.NewPCG(uint64(i), seed))
	oses := []string{"debian", "debian", "ubuntu", "rhel"}
	rep := report.Report{
		Agent: report.Agent{ID: fmt.Sprintf("agent-%08x-0000", i), Version: "1.0", BootID: fmt.Sprintf("boot-%08x", i), Sequence: f.seq[i]},
		Host: report.Host{Hostname: f.name(i), FQDN: fmt.Sprintf("%s.dc%d.example.com", f.name(i), i%4), MachineID: fmt.Sprintf("%024xabcdef%02x", i+1, i%251),
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
	hubs := max(1, len(f.ids)/100)
	for k := range f.o.edges - 3 {
		to := r.IntN(len(f.ids))
		if k%3 == 0 {
			to = r.IntN(hubs)
		}
		rep.Connections = append(rep.Connections, report.Connection{Direction: "outbound", Protocol: "tcp", PeerAddress: f.address(to), PeerPort: 8080, Process: "app", Unit: "app.service"})
	}
	rep.Packages = make([]report.Package, 0, f.o.packages)
	for p := range f.o.packages {
		name, v := p, i%7
		if p >= f.o.packages*9/10 { // a tenth differs from machine to machine
			name, v = p+r.IntN(2000), r.IntN(9)
		}
		if version > 0 && p == version%f.o.packages {
			v = 20 + version%50
		}
		pv := fmt.Sprintf("1.%d.%d-%d", name%9, v, p%4)
		n := fmt.Sprintf("lib-%d", name)
		rep.Packages = append(rep.Packages, report.Package{Type: "deb", Name: n, Version: pv, Arch: "amd64", PURL: "pkg:deb/debian/" + n + "@" + pv + "?arch=amd64", Source: n, SizeKiB: uint64(name * 7)})
	}
	return rep
}

// first enrols a machine, sends its first report, and has an import say whose it is.
func (f *fleet) first(ctx context.Context, i int) error {
	rep := f.report(i, 1, 0)
	out, err := f.inv.Enroll(ctx, report.EnrollRequest{Agent: rep.Agent, Host: rep.Host, MACs: []string{rep.Interfaces[0].MAC}}, "")
	if err != nil {
		return fmt.Errorf("machine %d: %w", i, err)
	}
	f.ids[i] = out.CI.ID
	if err := f.post(ctx, i, rep, true); err != nil {
		return fmt.Errorf("machine %d: %w", i, err)
	}
	item := inventory.Item{ID: out.CI.ID, Attributes: cmdb.Attributes{"team": fmt.Sprintf("team-%d", i%40), "owner": "o", "location": "dc1"}}
	if i%50 == 0 {
		item.Tags = []string{"lab"}
	}
	_, _, err = f.inv.Upsert(ctx, item, "import")
	return err
}

// wire is a report as it comes from the wire: what the inventory has already
// comes as hashes only, if it is not wanted whole.
func (f *fleet) wire(i int, rep report.Report, whole bool) (report.Envelope, error) {
	rep.Agent.Sequence = f.seq[i]
	sections, err := rep.Split()
	if err != nil {
		return report.Envelope{}, err
	}
	for name, s := range sections {
		if !whole && f.hashes[i][name].Hash == s.Hash {
			s.Data = nil
			sections[name] = s
		}
	}
	return report.Envelope{Agent: rep.Agent, TakenAt: time.Now(), Sections: sections}, nil
}

func (f *fleet) post(ctx context.Context, i int, rep report.Report, whole bool) error {
	f.seq[i]++
	env, err := f.wire(i, rep, whole)
	if err != nil {
		return err
	}
	reply, err := f.inv.Report(ctx, f.ids[i], env)
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
		return fmt.Errorf("reply to machine %d: %+v", i, reply)
	}
	if i >= f.some() {
		return nil
	}
	only := make(map[string]report.Section, len(env.Sections))
	for name, s := range env.Sections {
		only[name] = report.Section{Hash: s.Hash}
	}
	f.hashes[i] = only
	return nil
}

// again sends the report of a quiet machine: hashes only, through JSON as on the wire.
func (f *fleet) again(ctx context.Context, i int) error {
	env := report.Envelope{Agent: report.Agent{ID: fmt.Sprintf("agent-%08x-0000", i), BootID: fmt.Sprintf("boot-%08x", i), Sequence: f.seq[i]}, TakenAt: time.Now(), Sections: f.hashes[i]}
	b, err := json.Marshal(env)
	if err != nil {
		return err
	}
	var got report.Envelope
	if err := json.Unmarshal(b, &got); err != nil {
		return err
	}
	_, err = f.inv.Report(ctx, f.ids[i], got)
	return err
}
