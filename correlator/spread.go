package correlator

import (
	"math"
	"slices"
	"strings"
)

// This file holds the model of how failures spread. An item fails what needs it:
// the caller of a database, the machines of a hypervisor, the pods of a workload.
// Walked from an alert's item towards what it needs, the model lists the items
// whose failure could have raised the alert, each with a strength. All numbers are
// about relation types, none about names of alerts or items.

// reach is one item whose failure would show at another, and how surely.
type reach struct {
	at       int32 // index in the graph's interning
	strength float64
	better   float64 // how much likelier than chance the alert's item is to show it
	shown    float64 // the same in logarithms, allowing for strays
}

// modes of a walk: what was passed so far bounds where it may still go.
const (
	fresh    uint8 = iota // no call passed yet
	called1               // one call passed
	called2               // two calls
	called3               // three calls: no further one
	physical              // below a machine: only what carries it
	hosting               // at a pod of the affected workload: only to its machine
	starved               // at a caller of a service that nothing calls any more
	final                 // nothing further
	modes
)

// callStrength is what is left after the n-th call: failures fade along call chains.
var callStrength = [4]float64{0.8, 0.55, 0.45, 0}

// calledByMachine is for a call of which only the machine is known that it comes from:
// some process there needs what it calls, the machine itself does not.
const calledByMachine = 0.05

const (
	reachDepth = 7    // relations walked at most
	reachMin   = 0.02 // strengths below say nothing
	reachMax   = 160  // items listed at most, strongest first
	fanMax     = 64   // dependants of one item looked at when walking against a relation
)

// platform names the namespaces whose workloads serve a whole Kubernetes cluster:
// a convention of Kubernetes itself, not of an installation.
var platform = []string{"kube-system", "kube-public", "openshift-dns"}

func engineClass(c string) bool { return slices.Contains(engines, c) }

func machineClass(c string) bool { return slices.Contains(machines, c) }

// callers lists who calls a service, as the reason why it is idle.
func (g *graph) callers(n *node, strength float64, out []move) []move {
	fan := 0
	for _, e := range g.needed[n.ID] {
		if from := g.nodes.Get(e.From); e.Type == "depends_on" && from != nil && from.Class == "service" {
			if fan++; fan > fanMax/4 {
				break
			}
			out = append(out, move{from, starved, strength})
		}
	}
	return out
}

// carried lists the services of a machine, as what fails there and may fail through
// what it needs itself.
func (g *graph) carried(n *node, out []move) []move {
	for k, e := range g.needed[n.ID] {
		if from := g.nodes.Get(e.From); k < fanMax && e.Type == "runs_on" && from != nil && from.Class == "service" {
			out = append(out, move{from, fresh, 0.85})
		}
	}
	return out
}

type move struct {
	to       *node
	mode     uint8
	strength float64
}

// towardsCause lists the steps from an affected item to what may have failed.
func (g *graph) towardsCause(n *node, mode uint8, start bool, out []move) []move {
	out = out[:0]
	if mode == final {
		return out
	}
	if mode == starved {
		for _, e := range g.needs[n.ID] {
			to := g.nodes.Get(e.To)
			if to == nil {
				continue
			}
			switch e.Type {
			case "depends_on":
				out = append(out, move{to, final, 0.5})
			case "exposes", "secured_by":
				out = append(out, move{to, final, 0.8})
			}
		}
		return g.callers(n, 0.5, out)
	}
	for _, e := range g.needs[n.ID] {
		to := g.nodes.Get(e.To)
		if to == nil {
			continue
		}
		m, w := carry(n, e.Type, to, mode)
		if w > 0 {
			out = append(out, move{to, m, w})
		}
	}
	if mode != fresh && (mode > called3 || n.Class != "workload" && !engineClass(n.Class)) {
		return out
	}
	// Against the relation: what uses or makes up the item may be why it alerts.
	fan := 0
	for _, e := range g.needed[n.ID] {
		from := g.nodes.Get(e.From)
		if from == nil {
			continue
		}
		if fan++; fan > fanMax {
			break
		}
		switch {
		case e.Type == "member_of" && n.Class == "workload" && from.Class == "pod":
			out = append(out, move{from, hosting, 0.5})
		case e.Type == "depends_on" && engineClass(n.Class) && from.Class == "workload":
			out = append(out, move{from, final, 0.35}) // a batch that overloads it
		case !start:
		case e.Type == "runs_on" && machineClass(n.Class) && engineClass(from.Class):
			out = append(out, move{from, final, 0.3})
		case e.Type == "runs_on" && machineClass(n.Class) && (from.Class == "service" || from.Class == "workload"):
			out = append(out, move{from, final, 0.3})
		case e.Type == "attached_to" && n.Class == "switch" && from.Class == "switch":
			out = append(out, move{from, final, 0.4}) // its port to it went down
		case e.Type == "replicates":
			out = append(out, move{from, final, 0.3})
		case e.Type == "depends_on" && n.Class == "service":
			out = append(out, move{from, final, 0.12})
		}
	}
	return out
}

// carry says how surely a failure of to shows at what needs it by a relation.
func carry(from *node, relation string, to *node, mode uint8) (uint8, float64) {
	if mode == hosting {
		if relation == "runs_on" {
			return physical, 0.9
		}
		return final, 0
	}
	switch relation {
	case "runs_on":
		switch {
		case from.Class == "service" || from.Class == "workload": // usually on several machines
			return physical, 0.4
		case to.Class == "hypervisor":
			return physical, 0.85
		}
		return physical, 0.9
	case "attached_to":
		if from.Class == "switch" {
			return physical, 0.45
		}
		return physical, 0.8
	case "powered_by":
		return physical, 0.5
	case "located_in":
		if to.Class == "rack" {
			return physical, 0.3
		}
		return final, 0
	case "exposes":
		return mode, 0.95
	case "watches": // what measures it does not need it
		return final, 0
	case "member_of":
		switch to.Class {
		case "workload":
			return mode, 0.9
		case "namespace":
			return final, 0.5
		case "cluster":
			return final, 0 // holds too much to be a cause of what it holds
		}
		return final, 0.3
	case "secured_by":
		return final, 0.85
	case "replicates":
		return called3, 0.6 // and with the primary what carries it
	case "depends_on":
		if mode > called3 {
			return final, 0
		}
		if machineClass(from.Class) {
			return final, calledByMachine
		}
		w := callStrength[mode]
		return min(mode+1, called3), w
	}
	if mode > called3 {
		return final, 0.3
	}
	return final, 0.5 // a relation this model does not know still says that one needs the other
}

// reaches lists the items whose failure could show at id, strongest first, itself
// included. The result is shared: do not change it.
//
// how is what the alert complains of.
// Such alerts point from the called to the callers.
func (g *graph) reaches(i int32, how complaint) []reach {
	g.refresh()
	k := complaints*int(i) + int(how)
	if g.reachCache[k] == nil {
		out := g.walk(g.ids[i], how)
		for n := range out {
			r := &out[n]
			r.better = float64(g.size()) * r.strength / g.mass(r.at)
			r.shown = math.Log(1 + (1-stray)/stray*r.better)
		}
		g.reachCache[k] = slices.Clip(append(out, reach{}))
	}
	r := g.reachCache[k]
	return r[: len(r)-1 : len(r)-1] // the last only says that it is known
}

const (
	// A complaint about a link speaks of its two ends: the machine's, and the switch.
	linkOwn  = 0.4
	linkMore = 1.25
	linkEnd  = 0.95
)

const suffersDNS = 0.3

// suffers says how surely a failure of something that serves a whole cluster shows
// at one of its items: names fail for services, the API for the cluster itself.
func (n *node) suffers(p *node) float64 {
	switch {
	case p == nil || p.ID == n.ID:
		return 0
	case p.Engine != "": // etcd
		if n.Class == "cluster" || n.Class == "namespace" && slices.Contains(platform, n.Namespace) {
			return 0.7
		}
	case n.Class == "service":
		return suffersDNS
	case n.Class == "cluster":
		return 0.3
	}
	return 0
}

type walker struct {
	n        *node
	mode     uint8
	strength float64
}

const (
	// placeShows is how surely a failure in a place raises alerts that name the place alone,
	// and placeItself how surely one of the place itself (its quota, its network) does.
	placeShows  = 0.5
	placeItself = 0.2
)

// within lists the suspects of an alert that says only where it is: what is in the place,
// directly or in what is in it, or what a certificate stands for.
func (g *graph) within(id string) map[string]float64 {
	best := map[string]float64{id: placeItself}
	front := []string{id}
	for len(front) > 0 && len(best) < ballMax {
		var next []string
		for _, p := range front {
			for _, e := range g.needed[p] {
				if e.Type != "member_of" && e.Type != "located_in" && e.Type != "secured_by" {
					continue
				}
				if _, seen := best[e.From]; seen || g.nodes.Get(e.From) == nil || len(best) >= ballMax {
					continue
				}
				best[e.From] = placeShows
				next = append(next, e.From)
			}
		}
		front = next
	}
	return best
}

func (g *graph) walk(id string, how complaint) []reach {
	n := g.nodes.Get(id)
	if n == nil {
		return nil
	}
	if how == somewhere {
		return g.sorted(g.within(id), how)
	}
	best := map[string]float64{id: 1}
	seen := map[string]*[modes]float64{}
	front := []walker{{n, fresh, 1}}
	var buf []move
	for depth := range reachDepth {
		var next []walker
		for _, w := range front {
			if s := seen[w.n.ID]; s != nil && s[w.mode] > w.strength {
				continue // a stronger way came later
			}
			buf = g.towardsCause(w.n, w.mode, depth == 0, buf)
			switch {
			case depth > 0:
			case how == idle && w.n.Class == "service":
				buf = g.callers(w.n, 0.7, buf)
			case how == served:
				buf = g.carried(w.n, buf)
			}
			for _, m := range buf {
				s := w.strength * m.strength
				if s < reachMin {
					continue
				}
				at := seen[m.to.ID]
				if at == nil {
					at = &[modes]float64{}
					seen[m.to.ID] = at
				}
				if at[m.mode] >= s {
					continue
				}
				at[m.mode] = s
				if m.mode != hosting {
					best[m.to.ID] = max(best[m.to.ID], s)
				}
				next = append(next, walker{m.to, m.mode, s})
			}
		}
		front = next
	}
	if n.Cluster != "" {
		for _, p := range g.platforms[n.Cluster] {
			if w := n.suffers(g.nodes.Get(p)); w > 0 {
				best[p] = max(best[p], w)
			}
		}
		if n.Namespace != "" {
			if ns, ok := g.namespaces[n.Cluster+"/"+n.Namespace]; ok {
				best[ns] = max(best[ns], 0.4)
			}
		}
	}
	return g.sorted(best, how)
}

// sorted lists items by how surely their failure shows, the surest first.
func (g *graph) sorted(best map[string]float64, how complaint) []reach {
	out := make([]reach, 0, len(best))
	for k, s := range best {
		if how == network {
			if n := g.nodes.Get(k); n.Class == "switch" {
				s = min(linkEnd, s*linkMore)
			} else {
				s *= linkOwn
			}
		}
		out = append(out, reach{at: g.index[k], strength: quantise(s)})
	}
	slices.SortFunc(out, func(a, b reach) int {
		if a.strength != b.strength {
			if a.strength > b.strength {
				return -1
			}
			return 1
		}
		return strings.Compare(g.ids[a.at], g.ids[b.at])
	})
	if len(out) > reachMax {
		out = out[:reachMax:reachMax]
	}
	return out
}

// massMax bounds how many dependants are counted: beyond it a hub says nothing anyway.
const massMax = 1500

// mass is how much would fail with an item: the sum of the strengths of all that
// needs it. A failure of an item with a large mass shows at many places, so few
// alerts below it speak against it.
func (g *graph) mass(i int32) float64 {
	g.refresh()
	if m := g.massCache[i]; m != 0 {
		return m
	}
	m := g.weighDependants(g.ids[i])
	g.massCache[i] = m
	return m
}

func (g *graph) weighDependants(id string) float64 {
	n := g.nodes.Get(id)
	if n == nil {
		return 1
	}
	type at struct {
		n     *node
		s     float64
		calls uint8
	}
	best := map[string]float64{id: 1}
	front := []at{{n, 1, fresh}}
	total := 1.0
	for range 6 {
		var next []at
		for _, w := range front {
			for _, e := range g.needed[w.n.ID] {
				from := g.nodes.Get(e.From)
				if from == nil {
					continue
				}
				mode := w.calls
				_, s := carry(from, e.Type, w.n, mode)
				if e.Type == "depends_on" {
					if mode > called2 {
						continue
					}
					s = callStrength[mode]
					mode++
				} else if e.Type == "located_in" && w.n.Class != "rack" {
					continue
				}
				if s *= w.s; s < 0.04 {
					continue
				}
				old, ok := best[e.From]
				if ok && old >= s {
					continue
				}
				if !ok && len(best) >= massMax {
					continue
				}
				best[e.From] = s
				total += s - old
				next = append(next, at{from, s, mode})
			}
		}
		front = next
	}
	if n.Class == "workload" {
		for _, e := range g.needs[id] {
			if to := g.nodes.Get(e.To); e.Type == "depends_on" && to != nil && engineClass(to.Class) {
				total += 0.35 * g.mass(g.index[to.ID])
			}
		}
	}
	for _, p := range g.platforms[n.Cluster] {
		if p == id {
			total = max(total, suffersDNS*float64(g.clusterApps[n.Cluster]))
		}
	}
	switch n.Class {
	case "cluster":
		total = max(total, 0.1*float64(g.clusterSize[n.Cluster]))
	case "workload": // its machines show it too
		total++
	}
	if engineClass(n.Class) || n.Class == "service" {
		total++
	}
	return quantise(total)
}

// prior is how likely an item is to fail before anything is known: each class as
// likely as any other, so that one of few switches counts for more than one of
// many pods.
func (g *graph) prior(i int32) float64 {
	n := g.nodes.Get(g.ids[i])
	if n == nil {
		return 0
	}
	w := 1.0
	switch n.Class {
	case "site":
		return 0
	case "pod", "cluster":
		w = 0.2 // seldom the cause itself: others contain or run them
	case "rack", "pdu":
		w = 0.2
	}
	class := g.classCount[n.Class]
	if n.serves() {
		w = 0.5
		class = len(g.platforms[n.Cluster]) * len(g.platforms)
	}
	return w / float64(max(3, class))
}

// logPrior is the logarithm of prior, kept.
func (g *graph) logPrior(i int32) float64 {
	g.refresh()
	if l := g.priorCache[i]; l != 0 {
		return l
	}
	l := math.Log(g.prior(i) + 1e-9)
	g.priorCache[i] = l
	return l
}

// way tells how a failure of cause shows at id, for people: "api-1 depends_on db-1".
func (g *graph) way(id, cause string, how complaint) string {
	if id == cause {
		return ""
	}
	g.refresh()
	k := route{id, cause, how}
	w, ok := g.wayCache[k]
	if !ok {
		w = g.findWay(id, cause, how)
		if len(g.wayCache) >= waysKept {
			clear(g.wayCache)
		}
		g.wayCache[k] = w
	}
	return w
}

// route is a question to way. Storms ask the same again and again.
type route struct {
	from, cause string
	how         complaint
}

const waysKept = 10_000

func (g *graph) findWay(id, cause string, how complaint) string {
	type at struct {
		n    *node
		mode uint8
		from int // index of the step before
	}
	n := g.nodes.Get(id)
	if n == nil {
		return ""
	}
	tell := func(steps []at, last int, end *node) string {
		nodes := []*node{end}
		for ; last >= 0; last = steps[last].from {
			nodes = append(nodes, steps[last].n)
		}
		slices.Reverse(nodes)
		path := nodes[0].Name
		for k := 1; k < len(nodes); k++ {
			path += " " + g.relationWord(nodes[k-1].ID, nodes[k].ID) + " " + nodes[k].Name
		}
		return path
	}
	seen := map[*node]bool{n: true}
	steps := []at{{n, fresh, -1}}
	begin := 0
	var buf []move
	for depth := range reachDepth {
		end := len(steps)
		for k := begin; k < end; k++ {
			w := steps[k]
			buf = g.towardsCause(w.n, w.mode, depth == 0, buf)
			switch {
			case depth > 0:
			case how == idle && w.n.Class == "service":
				buf = g.callers(w.n, 0.7, buf)
			case how == served:
				buf = g.carried(w.n, buf)
			}
			for _, m := range buf {
				if seen[m.to] {
					continue
				}
				seen[m.to] = true
				if m.to.ID == cause {
					return tell(steps, k, m.to)
				}
				steps = append(steps, at{m.to, m.mode, k})
			}
		}
		begin = end
	}
	c := g.nodes.Get(cause)
	if c != nil && c.Cluster != "" && c.Cluster == n.Cluster {
		return n.Name + " shares cluster " + c.Cluster + " with " + c.Name
	}
	return ""
}

var words = map[string][2]string{
	"runs_on": {"runs on", "carries"}, "depends_on": {"calls", "is called by"}, "member_of": {"is part of", "has"},
	"exposes": {"exposes", "is exposed by"}, "attached_to": {"is attached to", "connects"}, "powered_by": {"is powered by", "powers"},
	"located_in": {"is in", "holds"}, "secured_by": {"is secured by", "secures"}, "replicates": {"replicates", "is replicated by"},
}

func (g *graph) relationWord(from, to string) string {
	for _, e := range g.needs[from] {
		if e.To == to {
			if w, ok := words[e.Type]; ok {
				return w[0]
			}
			return e.Type
		}
	}
	for _, e := range g.needed[from] {
		if e.From == to {
			if w, ok := words[e.Type]; ok {
				return w[1]
			}
			return "is needed (" + e.Type + ") by"
		}
	}
	return "is near"
}
