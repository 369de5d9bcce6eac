package load

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// BenchmarkMemory reports what one more active alert costs, as the slope from
// 10,000 to 100,000: of the heap, and of what is resident, which includes the
// store's mapped files.
func BenchmarkMemory(b *testing.B) {
	start := time.Now().Add(-time.Minute)
	for range b.N {
		h := open(b)
		var heap, anon, file [2]float64
		for i, to := range []int{10_000, 100_000} {
			from := []int{0, 10_000}[i]
			for n := from; n < to; n += per {
				h.post(b, [][]byte{Webhook(n, n+per, start, false)}, 1)
			}
			heap[i], anon[i], file[i] = settled()
		}
		for name, v := range map[string][2]float64{"heap-B/alert": heap, "anon-B/alert": anon, "file-B/alert": file} {
			b.ReportMetric((v[1]-v[0])/90_000, name)
		}
		if path := os.Getenv("HEAP_PROFILE"); path != "" {
			f, _ := os.Create(path)
			_ = pprof.WriteHeapProfile(f)
			f.Close()
		}
		h.close(b)
	}
}

// settled waits until the store's work in the background is over, which is when
// three looks in a row find nothing more to give back.
func settled() (heap, anon, file float64) {
	for still := 0; still < 3; {
		time.Sleep(500 * time.Millisecond)
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if now := float64(m.HeapAlloc); heap == 0 || now < heap*.99 {
			heap, still = now, 0
		} else {
			still++
		}
	}
	return heap, resident("RssAnon"), resident("RssFile")
}

// resident reads one kind of this process' resident memory, in bytes.
func resident(kind string) float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, kind+":"); ok {
			var kb float64
			_, _ = fmt.Sscan(rest, &kb)
			return kb * 1024
		}
	}
	return 0
}
