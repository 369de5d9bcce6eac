package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pair is a figure by the clock, and one of processor time, which stays comparable
// when the machine has other things to do.
type pair struct{ Clock, CPU float64 }

// spread is a distribution in milliseconds: by the clock, and of the processor time
// of the calling thread.
type spread struct{ P50, P99, CPU50, CPU99 float64 }

// result is what was measured of one size.
type result struct {
	Machines, Items, Relations               int
	Load, Unchanged, Changed                 pair // calls a second, microseconds of processor time each
	Software, Filter, Search, Sorted, Impact spread
	PeakMiB, ResidentMiB, HeapMiB, DiskMiB   int
	Cold                                     pair // seconds
}

const heading = "| machines | items | edges | loaded /s (CPU µs) | unchanged /s (CPU µs) | changed /s (CPU µs) | software | filter | search | sorted page | impact, 5 hops | resident at most, at rest, heap, disk MiB | cold start s (CPU) |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|---|"

func (r result) row() string {
	rate := func(p pair) string { return fmt.Sprintf("%.0f (%.0f)", p.Clock, p.CPU) }
	dist := func(s spread) string { return fmt.Sprintf("%.2f / %.2f (%.2f / %.2f)", s.P50, s.P99, s.CPU50, s.CPU99) }
	return fmt.Sprintf("| %d | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s | %d, %d, %d, %d | %.1f (%.1f) |",
		r.Machines, r.Items, r.Relations, rate(r.Load), rate(r.Unchanged), rate(r.Changed), dist(r.Software), dist(r.Filter), dist(r.Search), dist(r.Sorted), dist(r.Impact),
		r.PeakMiB, r.ResidentMiB, r.HeapMiB, r.DiskMiB, r.Cold.Clock, r.Cold.CPU)
}

// chart draws each figure's growth over the sizes on logarithmic bars: as many
// marks more for ten times as much, so that a bar that grows by the width of a
// decade from size to size is linear, and one that stays is constant.
func chart(all []result) string {
	const decade = 8
	var b strings.Builder
	for _, m := range []struct {
		name, unit string
		goal       float64
		f          func(result) float64
	}{
		{"unchanged report", "µs CPU", 0, func(r result) float64 { return r.Unchanged.CPU }},
		{"changed report", "µs CPU", 0, func(r result) float64 { return r.Changed.CPU }},
		{"software query p99", "ms CPU", 100, func(r result) float64 { return r.Software.CPU99 }},
		{"filter p99", "ms CPU", 100, func(r result) float64 { return r.Filter.CPU99 }},
		{"search p99", "ms CPU", 100, func(r result) float64 { return r.Search.CPU99 }},
		{"sorted page p99", "ms CPU", 100, func(r result) float64 { return r.Sorted.CPU99 }},
		{"impact p99", "ms CPU", 20, func(r result) float64 { return r.Impact.CPU99 }},
		{"resident at most", "MiB", 4096, func(r result) float64 { return float64(r.PeakMiB) }},
		{"cold start, on all cores together", "s CPU", 60, func(r result) float64 { return r.Cold.CPU }},
	} {
		fmt.Fprintf(&b, "%s (%s)\n", m.name, m.unit)
		least := math.Inf(1)
		for _, r := range all {
			if v := m.f(r); v > 0 {
				least = min(least, v)
			}
		}
		bar := func(v float64) int { return max(0, int(math.Round(decade*(1+math.Log10(v/least))))) }
		for _, r := range all {
			v := m.f(r)
			if v <= 0 {
				continue
			}
			fmt.Fprintf(&b, "  %7d %s %.3g\n", r.Machines, strings.Repeat("▇", bar(v)), v)
		}
		if m.goal > 0 && len(all) > 0 {
			fmt.Fprintf(&b, "     goal %s %g\n", strings.Repeat("·", bar(m.goal)), m.goal)
		}
	}
	return b.String()
}

// quantiles runs f on a thread of its own.
func quantiles(rounds int, f func() error) (spread, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, used []float64
	for range rounds {
		began, cpu := time.Now(), threadTime()
		if err := f(); err != nil {
			return spread{}, err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		used = append(used, float64((threadTime()-cpu).Microseconds())/1000)
	}
	slices.Sort(took)
	slices.Sort(used)
	at := func(s []float64, q int) float64 { return s[len(s)*q/100] }
	return spread{at(took, 50), at(took, 99), at(used, 50), at(used, 99)}, nil
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	return usage(thread)
}

// spent is the processor time of this process.
func spent() time.Duration { return usage(syscall.RUSAGE_SELF) }

func usage(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// status reads a figure of this process in KiB: VmRSS is what is resident now, VmHWM
// what was at most.
func status(name string) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name+":" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// memory tells what is resident and why: what the process made, of which the
// heap's live part and the size at which the runtime collects the rest, and mapped
// files, which the system takes back when it needs them.
func memory() string {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sample)
	mib := func(i int) uint64 { return sample[i].Value.Uint64() >> 20 }
	return fmt.Sprintf("%d MiB resident (%d made, %d of files; heap %d live, collected at %d, %d free)",
		status("VmRSS")>>10, status("RssAnon")>>10, status("RssFile")>>10, mib(0), mib(1), mib(2))
}

func heapProfile(dir string, n int, name string) {
	if dir == "" {
		return
	}
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", name, n)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer file.Close()
	if err := pprof.WriteHeapProfile(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
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
