// Package scenarios_test replays labelled recordings and holds what was reached
// on them, so that a change that makes the engine worse is seen at once.
package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

// bound is what a measure must keep: at least, or at most.
type bound struct {
	measure string
	most    bool
	value   float64
}

func least(measure string, v float64) bound { return bound{measure, false, v} }

func most(measure string, v float64) bound { return bound{measure, true, v} }

// TestRecordingsOfTheRepository holds the mean over the recordings that come with
// the source. They are few and small: the bounds leave room for the luck of one.
func TestRecordingsOfTheRepository(t *testing.T) {
	hold(t, "../../testdata/storms", 3, []bound{
		// AC@3 was .82 before nothing was named below a probability of .16: the second
		// and third of those go unsaid too.
		least("B3", 0.84), least("B3inc", 0.815), least("macro", 0.87), least("match", 0.86), most("missA", 0.015), most("missI", 0.01),
		most("noise/d", 6), most("t95", 170), least("AC@1", 0.645), least("AC@3", 0.79), least("abst+", 0.3),
	})
}

// TestSharedRecordings holds the mean over the whole development set where it lies
// beside the source.
func TestSharedRecordings(t *testing.T) {
	const dir = "../../../shared/storms/dev"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the large labelled recordings are not here: only those of the repository are held")
	}
	hold(t, dir, 14, []bound{
		// Since returns are weighed like new alerts and each alert binds to what it is
		// about, two noise incidents a day more open, t95 is 23 s later, "seen before"
		// points wrong in one of five instead of one of twelve, and matches are .01
		// fewer; recall of recurrence and B3 are better. abst+ was .50 when causes
		// had no probabilities: more of it costs AC@1 (docs/correlation.md).
		least("B3", 0.84), least("B3inc", 0.77), least("macro", 0.765), least("match", 0.755), most("missA", 0.04), most("missI", 0.01),
		most("noise/d", 27), most("t95", 252), least("AC@1", 0.59), least("AC@3", 0.70), least("abst+", 0.22),
		least("probF", 0.565), least("seenP", 0.80), least("seenR", 0.565),
	})
}

func hold(t *testing.T, dir string, want int, bounds []bound) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl.gz"))
	if err != nil || len(files) < want {
		t.Fatalf("%s: %d recordings, %v", dir, len(files), err)
	}
	var all []scores
	for _, name := range files {
		if strings.HasPrefix(filepath.Base(name), "smoke") {
			continue // one incident: it has no mean
		}
		all = append(all, scored(t, name))
	}
	m := mean(all)
	var told []string
	for _, k := range slices.Sorted(keys(m)) {
		told = append(told, fmt.Sprintf("%s %.3f", k, m[k]))
	}
	t.Log(strings.Join(told, ", "))
	for _, b := range bounds {
		if v, ok := m[b.measure]; !ok || b.most && v > b.value || !b.most && v < b.value {
			t.Errorf("%s is %.3f, and was %.3f at worst", b.measure, v, b.value)
		}
	}
}

func keys(m scores) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func scored(t *testing.T, name string) scores {
	t.Helper()
	b, err := os.ReadFile(strings.TrimSuffix(name, ".jsonl.gz") + ".truth.json")
	if err != nil {
		t.Fatal(err)
	}
	truth, err := readTruth(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := replay.File(f, fold.DefaultRules(), time.Now, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return score(r, truth)
}

// One failure of fifteen alerts, which anyone can check by eye: one incident with
// its cause, and nothing else.
func TestSmoke(t *testing.T) {
	s := scored(t, "../../testdata/storms/smoke.jsonl.gz")
	for _, k := range []string{"B3", "macro", "match", "AC@1"} {
		if s[k] < 1 {
			t.Errorf("%s is %.3f, want 1: %v", k, s[k], s)
		}
	}
}
