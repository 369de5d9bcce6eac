// Command causes fits the weights by which a cause is found, and says how far they
// can be trusted on what they were not fitted on:
//
//	go run ./test/scenarios/causes [-objects NAME,…] [-fixed] NAME=GLOB …
//
// Each NAME is one maker of recordings, GLOB the recordings of theirs, with
// X.truth.json beside X.jsonl.gz. Makers count by the square root of their incidents. With -objects a pod or a service of these makers stands for its
// workload: their truth names applications.
//
// It prints the table of weights for correlator/weights.go, the score of each maker by
// weights that the others taught, and the reliability table. With -fixed it fits
// nothing and judges the weights in force.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
)

func main() {
	objects := flag.String("objects", "", "makers whose truth names applications, by comma")
	fixed := flag.Bool("fixed", false, "judge the weights in force instead of fitting")
	ridge := flag.Float64("ridge", defaultRidge, "how much small weights are preferred")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	var makers []maker
	for _, arg := range flag.Args() {
		name, glob, ok := strings.Cut(arg, "=")
		files, err := filepath.Glob(glob)
		if !ok || err != nil || len(files) == 0 {
			fail(fmt.Errorf("%s: want NAME=GLOB with recordings", arg))
		}
		m := maker{name: name}
		for _, f := range files {
			cases, err := casesOf(f, slices.Contains(strings.Split(*objects, ","), name))
			if err != nil {
				fail(fmt.Errorf("%s: %w", f, err))
			}
			m.cases = append(m.cases, cases...)
		}
		makers = append(makers, m)
	}
	if *fixed {
		tell("weights in force", makers, func(int) []float64 { return nil })
		return
	}
	began := time.Now()
	all := fit(makers, -1, *ridge)
	tell("fitted on all", makers, func(int) []float64 { return all })
	tell("fitted on the other makers", makers, func(k int) []float64 { return fit(makers, k, *ridge) })
	fmt.Println()
	table("causeWeights", "featureCount", correlator.FeatureNames, all)
	table("noneWeights", "noneCount", correlator.NoneNames, all[len(correlator.FeatureNames):])
	fmt.Printf("fitted in %s\n", time.Since(began).Round(time.Second))
}

// table prints weights as correlator/weights.go has them.
func table(name, count string, features []string, w []float64) {
	fmt.Printf("var %s = [%s]float64{\n", name, count)
	for i, f := range features {
		fmt.Printf("\t%.2f, // %s\n", w[i], f)
	}
	fmt.Println("}")
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "causes:", err)
	os.Exit(1)
}

// maker is who made recordings.
type maker struct {
	name  string
	cases []incident
}

// incident is one true incident as the incident that shows it was seen.
type incident struct {
	rows  [][]float64 // features by suspect
	right []bool      // it is the cause, or stands for it
	told  []float64   // probability in force
	thing []string    // what it stands for: equal ones are one answer
	none  []float64   // features of none of them
	noneP float64
	root  bool // the true cause is an item
}

// weight of each incident of a maker: by the square root of how many there are, for a
// thousand likenesses of one system say less than a thousand incidents of many.
func (m *maker) weight(all []maker) float64 {
	sum := 0.0
	for k := range all {
		sum += math.Sqrt(float64(len(all[k].cases)))
	}
	return 1 / math.Sqrt(float64(len(m.cases))) / sum
}

const (
	rounds = 800
	step   = 0.05
	// defaultRidge keeps weights small where the recordings say little.
	defaultRidge = 0.01
)

// fit maximises the mean logarithm of the probability of what is right, without the
// maker that is left out.
func fit(makers []maker, without int, ridge float64) []float64 {
	n := len(correlator.FeatureNames) + len(correlator.NoneNames)
	w, m, v := make([]float64, n), make([]float64, n), make([]float64, n)
	g := make([]float64, n)
	for t := 1; t <= rounds; t++ {
		for i := range g {
			g[i] = -ridge * w[i]
		}
		for k := range makers {
			if k != without {
				for i := range makers[k].cases {
					makers[k].cases[i].gradient(w, g, makers[k].weight(makers))
				}
			}
		}
		for i := range w { // Adam
			m[i] = 0.9*m[i] + 0.1*g[i]
			v[i] = 0.999*v[i] + 0.001*g[i]*g[i]
			w[i] += step * (m[i] / (1 - math.Pow(0.9, float64(t)))) / (math.Sqrt(v[i]/(1-math.Pow(0.999, float64(t)))) + 1e-9)
		}
	}
	return w
}

// probabilities of the suspects and, last, of none of them.
func (c *incident) probabilities(w []float64) []float64 {
	if w == nil {
		return append(slices.Clone(c.told), c.noneP)
	}
	p := make([]float64, len(c.rows)+1)
	n := len(correlator.FeatureNames)
	most := math.Inf(-1)
	for i := range p {
		f, u := c.none, w[n:]
		if i < len(c.rows) {
			f, u = c.rows[i], w[:n]
		}
		for k, x := range f {
			p[i] += u[k] * x
		}
		most = max(most, p[i])
	}
	sum := 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func (c *incident) isRight(i int) bool {
	if i < len(c.rows) {
		return c.right[i]
	}
	return !slices.Contains(c.right, true)
}

func (c *incident) gradient(w, g []float64, weight float64) {
	p := c.probabilities(w)
	good := 0.0
	for i := range p {
		if c.isRight(i) {
			good += p[i]
		}
	}
	n := len(correlator.FeatureNames)
	for i := range p {
		d := -p[i]
		if c.isRight(i) {
			d += p[i] / max(good, 1e-12)
		}
		d *= weight
		if i < len(c.rows) {
			for k, x := range c.rows[i] {
				g[k] += d * x
			}
			continue
		}
		for k, x := range c.none {
			g[n+k] += d * x
		}
	}
}

const bins = 10

// tell prints how weights do: w gives those for a maker.
func tell(title string, makers []maker, w func(k int) []float64) {
	fmt.Printf("\n%s\n%-12s %6s %6s %6s %6s %6s %6s %6s\n", title, "", "rooted", "listed", "AC@1", "AC@3", "abst-", "abst+", "loss")
	var told, right [bins]float64
	var sum [bins]float64
	for k, m := range makers {
		x := w(k)
		var rooted, listed, first, third, abst, rootless, abstRight, loss float64
		for i := range m.cases {
			c := &m.cases[i]
			p := c.probabilities(x)
			good := 0.0
			for j := range p {
				if c.isRight(j) {
					good += p[j]
				}
			}
			loss -= math.Log(max(good, 1e-9))
			order := make([]int, len(c.rows))
			for j := range order {
				order[j] = j
			}
			slices.SortStableFunc(order, func(a, b int) int {
				switch {
				case p[a] > p[b]:
					return -1
				case p[a] < p[b]:
					return 1
				}
				return 0
			})
			abstains := len(order) == 0 || p[len(p)-1] >= 0.5
			if !abstains {
				b := min(bins-1, int(p[order[0]]*bins))
				told[b]++
				sum[b] += p[order[0]]
				if c.right[order[0]] {
					right[b]++
				}
			}
			if !c.root {
				rootless++
				if abstains {
					abstRight++
				}
				continue
			}
			rooted++
			if slices.Contains(c.right, true) {
				listed++
			}
			if abstains {
				abst++
				continue
			}
			var things []string
			for _, j := range order {
				if slices.Contains(things, c.thing[j]) {
					continue
				}
				things = append(things, c.thing[j])
				if c.right[j] {
					if len(things) == 1 {
						first++
					}
					third++
				}
				if len(things) == 3 || c.right[j] {
					break
				}
			}
		}
		fmt.Printf("%-12s %6.0f %6.3f %6.3f %6.3f %6.3f %6.3f %6.3f\n", m.name, rooted, listed/rooted, first/rooted, third/rooted, abst/rooted, abstRight/max(1, rootless), loss/float64(len(m.cases)))
	}
	fmt.Println("told at     n   mean  right")
	for b := range bins {
		if told[b] > 0 {
			fmt.Printf("%.1f–%.1f %5.0f  %.3f  %.3f\n", float64(b)/bins, float64(b+1)/bins, told[b], sum[b]/told[b], right[b]/told[b])
		}
	}
}
