// Command cmdb measures the inventory under a generated fleet: machines with
// packages and connections, reports changed and unchanged, queries and impacts.
// It uses the inventory as the server does, on disk, prints one Markdown row per
// size, and draws the growth from size to size.
//
//	go run ./test/load/cmdb -sizes 1000,10000,100000 -data /var/tmp/load
//
// A large fleet takes minutes to load: with -for it stops and keeps what it has,
// and the next run with the same -data goes on; -reuse measures what is there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/app"
)

type options struct {
	packages, edges, callers int
	data, profile            string
	rounds, reports          int
	reuse                    bool
	until                    time.Time // zero: no bound for loading
}

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start() error {
	sizes := flag.String("sizes", "1000,10000", "numbers of machines, separated by commas")
	var o options
	flag.IntVar(&o.packages, "packages", 500, "packages of each machine")
	flag.IntVar(&o.edges, "edges", 20, "edges of each machine")
	flag.IntVar(&o.callers, "callers", 64, "concurrent reporters")
	flag.IntVar(&o.rounds, "rounds", 300, "runs of each query")
	flag.IntVar(&o.reports, "reports", 4000, "changed reports that are measured")
	flag.StringVar(&o.data, "data", "", "directory that keeps the fleets and results; empty: a temporary one")
	flag.BoolVar(&o.reuse, "reuse", false, "measure the part of a fleet that earlier runs left in -data, and load nothing")
	flag.StringVar(&o.profile, "profile", "", "directory for CPU profiles")
	limit := flag.Duration("for", 0, "load for so long, then stop; the next run goes on")
	draw := flag.Bool("chart", false, "only draw the growth of the results in -data")
	flag.Parse()
	if *limit > 0 {
		o.until = time.Now().Add(*limit)
	}
	if o.data == "" {
		dir, err := os.MkdirTemp("", "cmdb-load-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.data = dir
	}
	if !*draw {
		// As in the server. It ends with the process.
		go func() { _ = app.TendMemory(context.Background()) }()
		fmt.Println(heading)
		for s := range strings.SplitSeq(*sizes, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil || n < 1 {
				return fmt.Errorf("-sizes: want numbers, got %q", s)
			}
			res, err := run(n, o)
			if errors.Is(err, errPaused) {
				fmt.Fprintln(os.Stderr, err)
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Println(res.row())
			if err := res.keep(o.data); err != nil {
				return err
			}
		}
	}
	all, err := kept(o.data)
	if err != nil {
		return err
	}
	fmt.Println()
	fmt.Print(chart(all))
	return nil
}

// run loads a fleet, or what an earlier run left of it, and measures it.
func run(n int, o options) (result, error) {
	res := result{Machines: n}
	dir := filepath.Join(o.data, strconv.Itoa(n))
	ctx := context.Background()
	stop := func() {}
	if o.reuse {
		stop = profile(o.profile, n, "cold")
	}
	began, cpu := time.Now(), spent()
	p, err := open(ctx, dir)
	stop()
	if err != nil {
		return res, err
	}
	res.Cold = pair{time.Since(began).Seconds(), (spent() - cpu).Seconds()}
	fmt.Fprintf(os.Stderr, "opened in %.1f s, %.1f s of processor time, %d MiB resident\n", res.Cold.Clock, res.Cold.CPU, status("VmRSS")>>10)
	f := newFleet(n, o, p)
	if err := f.load(ctx, &res); err != nil {
		return res, errors.Join(err, p.db.Close())
	}
	if err := f.reports(ctx, &res); err != nil {
		return res, err
	}
	stats := p.inv.Stats()
	res.Relations = stats.Relations
	for _, c := range stats.Counts {
		res.Items += c.Items
	}
	if err := f.queries(ctx, &res); err != nil {
		return res, err
	}
	res.PeakMiB = status("VmHWM") >> 10
	debug.FreeOSMemory()
	heapProfile(o.profile, n, "heap")
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	res.ResidentMiB, res.HeapMiB = status("VmRSS")>>10, int(mem.HeapAlloc>>20)
	if err := p.db.Close(); err != nil {
		return res, err
	}
	res.DiskMiB = int(size(dir) >> 20)
	if o.reuse {
		return res, nil // the start is measured
	}
	*p = parts{}
	runtime.GC()
	stop = profile(o.profile, n, "cold")
	began, cpu = time.Now(), spent()
	again, err := open(ctx, dir)
	if err != nil {
		return res, err
	}
	res.Cold = pair{time.Since(began).Seconds(), (spent() - cpu).Seconds()}
	stop()
	if got := again.inv.Stats(); got.Relations != stats.Relations {
		return res, fmt.Errorf("after the restart there are %d relations, want %d", got.Relations, stats.Relations)
	}
	return res, again.db.Close()
}

// queries measures what people ask.
func (f *fleet) queries(ctx context.Context, res *result) error {
	r := rand.New(rand.NewPCG(7, uint64(f.n)))
	page := func(query, sort string) func() error {
		return func() error {
			q := strings.ReplaceAll(query, "#", strconv.Itoa(r.IntN(f.n)))
			_, err := f.inv.List(ctx, inventory.ListQuery{Query: strings.ReplaceAll(q, "%", strconv.Itoa(r.IntN(400))), Sort: sort, Limit: 100})
			return err
		}
	}
	for _, m := range []struct {
		name string
		into *spread
		f    func() error
	}{
		{"software", &res.Software, page("class:host software:lib-%<1.5.0", "")},
		{"filter", &res.Filter, page("class:host os:debian team:team-3 seen<24h not tag:lab memory>8GiB", "")},
		{"search", &res.Search, page("m-0#", "")},
		{"sorted", &res.Sorted, page("class:host os:debian", "-memory_bytes")},
		// The first hundredth are the servers that all others call: the worst start.
		{"impact", &res.Impact, func() error {
			_, err := f.inv.Impact(ctx, f.ids[r.IntN(max(1, f.n/100))], 5)
			return err
		}},
	} {
		stop := profile(f.o.profile, f.n, m.name)
		var err error
		*m.into, err = quantiles(f.o.rounds, m.f)
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// keep writes the result beside the fleets, so that a chart can show sizes that
// were measured on different days.
func (r result) keep(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fmt.Sprintf("result-%09d.json", r.Machines)), append(b, '\n'), 0o644)
}

func kept(dir string) ([]result, error) {
	files, err := filepath.Glob(filepath.Join(dir, "result-*.json"))
	if err != nil {
		return nil, err
	}
	var out []result
	for _, name := range files { // in order of size
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r result
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, r)
	}
	return out, nil
}
