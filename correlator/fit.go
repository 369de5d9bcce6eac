package correlator

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// How well an alert fits a group, signal by signal, and how that is told.

// fit is how well an alert fits a group, signal by signal.
type fit struct {
	g                              *group
	time, place, class, age, habit float64
	via                            string // the suspect that both point at
	beside                         string // an item of the group that the alert's item is joined to
	with                           string // a class of the group that the alert's class came with before
}

const (
	// settled is how long after the middle of its alerts a failure has done most of
	// what it does.
	settled = 25 * time.Minute
	// earlyFade and lateFade are minutes by which an alert is too early or too late
	// for each unit of evidence against it.
	earlyFade = 6.0
	lateFade  = 12.0
	// What the class and the habit of an alert say is not independent of the rest,
	// so it counts in part.
	sameKind   = 0.8
	newKind    = 0.5
	habitShare = 0.8
)

func (f fit) total() float64 { return quantise(f.time + f.place + f.class + f.age + f.habit) }

// sight is an alert as groups look at it: what does not depend on the group is
// worked out once.
type sight struct {
	c            *canonical
	reaches      []reach
	near         []neighbour
	broad        bool
	isolated     bool // see isolated
	class        string
	share        float64 // of the class among all alerts that are not of a given incident
	habit        float64
	elsewhere    float64 // how many alerts a minute come otherwise
	cluster      string
	clusterShare float64 // of the alert's cluster among all items
}

func (s *State) sight(c *canonical) *sight {
	alone := s.isolated(c)
	v := &sight{c: c, isolated: alone, broad: broad(c), class: classOf(c), elsewhere: s.aloneRate() + failureRate, cluster: clusterOf(c)}
	v.share = s.classShare(v.class)
	if x, _ := s.habitual(c); x > 1 {
		v.habit = -habitShare * math.Log(x)
	}
	if !v.broad {
		v.reaches = s.reachesOf(c)
		v.near = s.g.neighbours(s.itemOf(c))
	}
	if v.cluster != "" {
		v.clusterShare = float64(s.g.clusterSize[v.cluster]+1) / float64(s.size()+1)
	}
	return v
}

// linkedLeast is how many relations an item has on the mean where they are known at all.
const linkedLeast = 0.5

// isolated says that nothing is known of where an alert's item stands: it has no
// relation, in an estate of which hardly any is known. That it is connected with
// nothing else then speaks against no incident.
func (s *State) isolated(c *canonical) bool {
	return c.Binding != nil && len(s.g.needs[c.Binding.CI]) == 0 && len(s.g.needed[c.Binding.CI]) == 0 &&
		float64(s.g.edges.Len()) < linkedLeast*float64(s.g.nodes.Len())
}

// fitness weighs an alert against a group.
func (s *State) fitness(v *sight, g *group) fit {
	f := fit{g: g, habit: v.habit}
	f.time = math.Log(s.pace(g) / v.elsewhere)
	w, unknown, _ := s.posterior(g)
	ratio := unknown
	if len(v.reaches) > 0 {
		s.fill(v.reaches)
		var most float64
		for i, x := range g.Suspects {
			if w[i] < 1e-4 {
				continue
			}
			p := w[i] * (stray + (1-stray)*s.scratch[x.at])
			ratio += p
			if p > most {
				most, f.via = p, x.CI
			}
		}
	} else {
		ratio = v.sharesCluster(g)
	}
	if v.isolated {
		ratio = max(ratio, 1, v.sharesCluster(g)) // nothing is known, so nothing speaks against it
	}
	adjacent, beside := s.adjacency(v, g)
	if ratio < adjacent {
		f.via, f.beside = "", beside
	}
	f.place = math.Log(max(0.7*ratio+adjacentShare*adjacent, 1e-3))
	f.class = v.classFit(g)
	// An alert older than the failure is no effect of it.
	if early := g.Onset.Sub(v.c.Onset); early > 2*time.Minute {
		f.age = -min(4, early.Minutes()/earlyFade)
	}
	// What a failure does, it does soon: what comes long after the bulk is another matter.
	if late := s.now.Sub(g.Middle) - settled; late > 0 && len(g.Members) > 1 {
		f.age = -min(5, late.Minutes()/lateFade)
	}
	if len(s.cfg.Ignore) > 0 {
		f = f.without(&s.cfg, v)
	}
	// Company is looked up only where it may decide: it costs more than the rest.
	if t := f.total(); f.class < 0 && t < attachOdds && t+companyMost >= attachOdds {
		var company float64
		company, f.with = s.companyOf(v.class, g)
		f.class = min(0, f.class+company)
	}
	return f
}

// without leaves signals out. Without topology it counts whether the clusters agree.
func (f fit) without(c *Config, v *sight) fit {
	keep := func(signal string, x float64) float64 {
		if c.ignores(signal) {
			return 0
		}
		return x
	}
	f.time, f.class, f.age, f.habit = keep("time", f.time), keep("class", f.class), keep("age", f.age), keep("habit", f.habit)
	if c.ignores("topology") {
		f.place, f.via, f.beside = math.Log(v.sharesCluster(f.g)), "", ""
	}
	return f
}

// adjacentShare is how much of belief says that failures go from item to item
// along relations, whatever their first cause: it holds where the cause is unknown
// and where relations to it are missing.
const adjacentShare = 0.3

// adjacency is how much likelier than chance the alert's item is as the next one
// of the group, because items next to it alert already.
func (s *State) adjacency(v *sight, g *group) (ratio float64, beside string) {
	if len(g.items) == 0 || v.broad || s.cfg.ignores("adjacency") {
		return 0, ""
	}
	var sum float64
	if g.items[s.itemOf(v.c)] > 0 {
		sum, beside = 2, v.c.Binding.CI
	}
	for _, n := range v.near {
		if g.items[n.at] == 0 {
			continue
		}
		sum += n.share
		if beside == "" {
			beside = s.g.ids[n.at]
		}
	}
	return sum * float64(s.size()) / float64(len(g.items)+1), beside
}

// broad says whether an alert names no item but at most a place that holds many.
func broad(c *canonical) bool {
	b := c.Binding
	switch {
	case b == nil || b.Class == "cluster":
		return true
	case b.Place && (b.Class == "site" || b.Class == "rack"):
		return true
	case b.Class == "namespace":
		// The namespace of a scrape job is where the watched thing lives, all over
		// the cluster; that of kube-state-metrics' objects is their own.
		if job := c.Labels.Get("job"); job != "" && job != "kube-state-metrics" {
			return true
		}
		return slices.Contains(platform, b.Name[strings.LastIndexByte(b.Name, '/')+1:])
	}
	return b.Everywhere
}

// sharesCluster compares how much of a group is of the alert's cluster with how
// much of everything is.
func (v *sight) sharesCluster(g *group) float64 {
	if v.cluster == "" {
		return 0.5
	}
	in := (float64(g.Clusters[v.cluster]) + v.clusterShare) / (float64(len(g.Members)) + 1)
	return min(in/v.clusterShare, 8)
}

func clusterOf(c *canonical) string { return first(c.Labels, "cluster", "k8s_cluster") }

// classFit is how much likelier the alert's class is in the group than elsewhere.
func (v *sight) classFit(g *group) float64 {
	n, k := float64(len(g.Members)), float64(g.Classes[v.class])
	// How varied the group is says how likely a class is that it has not had.
	variety := max(0.3, float64(len(g.Classes))/math.Log(2+n))
	if k == 0 {
		return math.Log(variety/(n+variety)) * newKind
	}
	return max(0, math.Log((k+variety*v.share)/(n+variety)/v.share)) * sameKind
}

// evidence tells a fit in sentences for somebody who is tired: what speaks for it, in
// words. How much each speaks is its weight, which is no part of the sentence.
func (s *State) evidence(c *canonical, f fit) []Evidence {
	g := f.g
	out := []Evidence{{"time", s.timing(g), quantise(f.time)}}
	if c.Binding != nil {
		out = append(out, Evidence{"topology", s.linked(c, f), quantise(f.place)})
	}
	class := classOf(c)
	switch n := g.Classes[class]; {
	case n == 1 && len(g.Members) == 1:
		out = append(out, Evidence{"class", "its alert is " + class + " too", quantise(f.class)})
	case n > 0:
		out = append(out, Evidence{"class", fmt.Sprintf("%d of its %d alerts are %s too", n, len(g.Members), class), quantise(f.class)})
	default:
		out = append(out, Evidence{"class", "no other alert of it is " + class, quantise(f.class)})
	}
	if f.with != "" {
		out = append(out, Evidence{"company", fmt.Sprintf("%s came with %s in %d earlier incidents", class, f.with, s.together[class][f.with]), 0})
	}
	if f.age < 0 {
		text := "it began before the failure did"
		if c.Onset.After(g.Onset) {
			text = "it comes long after most of its alerts"
		}
		out = append(out, Evidence{"age", text, quantise(f.age)})
	}
	if f.habit < 0 {
		_, n := s.habitual(c)
		out = append(out, Evidence{"habit", fmt.Sprintf("it came by itself %d times before", n), quantise(f.habit)})
	}
	return out
}

// atOnce is up to when two alerts came at once.
const atOnce = 2 * time.Second

// timing says when an alert came beside the last one of a group, and how often one
// comes by itself here, which makes the first mean something.
func (s *State) timing(g *group) string {
	gap := s.now.Sub(g.LastJoined)
	text := "it came at once with the alert before it"
	if gap > atOnce {
		text = "it came " + event.Span(gap.Round(time.Second)) + " after the alert before it"
	}
	every := time.Duration(float64(time.Minute) / s.aloneRate())
	return text + ", where one by itself comes about every " + event.Span(every.Round(time.Minute))
}

// linked says what is known to connect an alert's item with a group.
func (s *State) linked(c *canonical, f fit) string {
	name := c.Binding.Name
	switch {
	case f.beside == c.Binding.CI:
		return "it has alerts about " + name + " already"
	case f.beside != "":
		return name + " " + s.g.relationWord(c.Binding.CI, f.beside) + " " + s.g.name(f.beside) + ", which alerts too"
	case f.via == "" || f.place <= 0:
		return "nothing known connects " + name + " with what alerts"
	case f.via == c.Binding.CI:
		return name + " may be its cause"
	}
	if way := s.g.way(c.Binding.CI, f.via, c.Complaint); way != "" {
		return way + ", which may be its cause"
	}
	return name + " needs " + s.g.name(f.via) + ", which may be its cause"
}
