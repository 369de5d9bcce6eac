package inventory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/topology"
	"github.com/watchbill/watchbill/internal/fault"
)

// hopsAsked is how far a question about failures goes where it does not say: five
// relations take one from a business service to the machine below its database.
const hopsAsked = 5

// ImpactNode is an item that a failure reaches.
type ImpactNode struct {
	GraphNode
	// State is "lost", or "degraded" where something else stands in.
	State string `json:"state"`
	// Uncounted items (strangers, unknown programs) are affected and are no
	// dependents of their own: who they are or how many is not known.
	Uncounted bool `json:"uncounted,omitempty"`
	// Strength is how surely it shows the failure, 0 to 1.
	Strength float64 `json:"strength"`
}

// Impact is what fails with an item.
type Impact struct {
	// Affected are the dependents: those that are lost first, then the most critical
	// and nearest.
	Affected []ImpactNode `json:"affected"`
	// Total counts the dependents that are lost, ByCriticality by their own
	// criticality ("" for none); Degraded those for whom something stands in.
	Total         int            `json:"total"`
	Degraded      int            `json:"degraded"`
	ByCriticality map[string]int `json:"by_criticality"`
	// Score adds up the weights of what is lost, halved with every hop; what is
	// degraded counts half.
	Score     float64 `json:"score"`
	Truncated bool    `json:"truncated,omitempty"`
}

// weights of criticalities in an impact's score; what has none counts little.
var weights = map[string]float64{"": 1, "low": 2, "medium": 4, "high": 8, "critical": 16}

// degradedShare is what a degraded item counts in a score beside a lost one.
const degradedShare = 0.5

// Impact finds what fails with an item, directly or not (see cmdb/topology). hops 0
// means 5. It returns at most MaxGraphNodes items.
func (inv *Inventory) Impact(ctx context.Context, id string, hops int) (Impact, error) {
	id, hops, err := inv.question(id, hops)
	if err != nil {
		return Impact{}, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if ctx.Err() != nil {
		return Impact{}, ctx.Err()
	}
	m := inv.mem
	o := topology.Fail(inv.topology(), []uint32{m.byID[id]}, topology.Limits{Hops: hops, Items: MaxGraphNodes})
	out := Impact{Affected: make([]ImpactNode, 0, len(o.Effects)), ByCriticality: map[string]int{}, Truncated: o.Truncated}
	for _, e := range o.Effects {
		n := ImpactNode{GraphNode: inv.node(e.At, e.Hops), State: e.State.String(), Uncounted: e.Uncounted, Strength: e.Strength}
		n.Via = m.entries[e.Via].id
		out.Affected = append(out.Affected, n)
		if e.Uncounted {
			continue
		}
		weight := weights[n.Criticality] / float64(int(1)<<(n.Hops-1))
		if e.State == topology.Degraded {
			out.Degraded++
			out.Score += degradedShare * weight
			continue
		}
		out.Total++
		out.ByCriticality[n.Criticality]++
		out.Score += weight
	}
	slices.SortFunc(out.Affected, func(a, b ImpactNode) int {
		return cmp.Or(-strings.Compare(a.State, b.State), boolFirst(b.Uncounted, a.Uncounted), -cmp.Compare(weights[a.Criticality], weights[b.Criticality]),
			cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// boolFirst orders true before false.
func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// question checks what is asked about failures.
func (inv *Inventory) question(id string, hops int) (string, int, error) {
	if hops == 0 {
		hops = hopsAsked
	}
	if hops < 0 || hops > MaxHops {
		return "", 0, fault.Invalidf("hops", "want 1 to %d, got %d", MaxHops, hops)
	}
	id, err := inv.known(id)
	return id, hops, err
}

// SinglePoint is an item whose failure alone takes the start of a query down.
type SinglePoint struct {
	GraphNode
	// Cuts are the items that are lost with it on the way to the start, which is one of them.
	Cuts int `json:"cuts"`
}

// SinglePoints lists what an item needs and has only once: every item within the
// hops whose failure alone takes it down (see cmdb/topology). Worst first.
func (inv *Inventory) SinglePoints(ctx context.Context, id string, hops int) ([]SinglePoint, error) {
	id, hops, err := inv.question(id, hops)
	if err != nil {
		return nil, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var out []SinglePoint
	for _, p := range topology.SinglePoints(inv.topology(), inv.mem.byID[id], topology.Limits{Hops: hops, Items: MaxGraphNodes}) {
		out = append(out, SinglePoint{inv.node(p.At, p.Hops), p.Cuts})
	}
	slices.SortFunc(out, func(a, b SinglePoint) int {
		return cmp.Or(-cmp.Compare(a.Cuts, b.Cuts), cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Health is how a service stands by what it needs.
type Health struct {
	Status string `json:"status"` // "ok", "degraded", "down", "unknown"
	// Troubled are the needed items that are not well, nearest first, with why.
	Troubled []HealthNode `json:"troubled,omitempty"`
	Checked  int          `json:"checked"` // items that were looked at
}

// HealthNode is one item that is not well.
type HealthNode struct {
	GraphNode
	Why string `json:"why"`
}

// silent is why an item of which nothing was heard is not well: it may be fine.
const silent = "not heard of"

// Health rolls up the state of what an item needs: it is down if it fails with what
// is not well, degraded if something stands in for all of it, and unknown if it
// would fail with what only was not heard of. trouble tells of more than the
// inventory knows, such as open incidents: it returns why an item is not well, ""
// if it is. It may be nil.
func (inv *Inventory) Health(ctx context.Context, id string, trouble func(id string) string) (Health, error) {
	id, hops, err := inv.question(id, 0)
	if err != nil {
		return Health{}, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if ctx.Err() != nil {
		return Health{}, ctx.Err()
	}
	g := inv.topology()
	g.gone = true // what is gone is needed all the same
	start := inv.mem.byID[id]
	limits := topology.Limits{Hops: hops, Items: MaxGraphNodes}
	order, dist, _ := topology.Needs(g, start, limits)
	h := Health{Status: "ok", Checked: len(order)}
	var failed, quiet []uint32
	for _, o := range order {
		why := inv.unwell(o)
		if (why == "" || why == silent) && trouble != nil {
			why = cmp.Or(trouble(inv.mem.entries[o].id), why)
		}
		switch why {
		case "":
			continue
		case silent:
			quiet = append(quiet, o)
		default:
			failed = append(failed, o)
		}
		h.Troubled = append(h.Troubled, HealthNode{inv.node(o, dist[o]), why})
	}
	switch state := topology.Stands(g, start, failed, limits); {
	case state == topology.Lost:
		h.Status = "down"
	case topology.Stands(g, start, slices.Concat(failed, quiet), limits) == topology.Lost:
		h.Status = "unknown"
	case len(h.Troubled) > 0:
		h.Status = "degraded"
	}
	slices.SortFunc(h.Troubled, func(a, b HealthNode) int {
		return cmp.Or(cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name))
	})
	return h, nil
}

// unwell says why the inventory alone thinks that an item is not well, "" if it is.
func (inv *Inventory) unwell(o uint32) string {
	e := &inv.mem.entries[o]
	switch {
	case e.live == gone:
		return "gone"
	case e.live == stale:
		return silent
	case e.missing != 0:
		return "not running: its machine reports without it"
	case inv.mem.text(o, "state") == "failed":
		return "its unit failed"
	}
	return ""
}

// topo shows the memory to cmdb/topology. It is good as long as the lock is held.
type topo struct {
	inv   *Inventory
	roles []*cmdb.Role         // by class
	types []*cmdb.RelationType // by kind
	faded map[edge]float64
	gone  bool // items that are gone count as there
}

func (inv *Inventory) topology() *topo {
	m, r := inv.mem, inv.Registry()
	g := &topo{inv: inv, roles: make([]*cmdb.Role, len(m.classes)), types: make([]*cmdb.RelationType, len(m.kinds)), faded: map[edge]float64{}}
	for i, c := range m.classes {
		g.roles[i] = r.Role(c)
	}
	for i, k := range m.kinds {
		t, _ := r.Relation(k)
		g.types[i] = &t
	}
	for id, f := range inv.unseen {
		ends := strings.Fields(id)
		if f.told == 1 || len(ends) != 3 {
			continue
		}
		from, okFrom := m.byID[ends[0]]
		to, okTo := m.byID[ends[2]]
		if kind := slices.Index(m.kinds, ends[1]); okFrom && okTo && kind >= 0 {
			g.faded[edge{from, to, uint8(kind)}] = f.told
		}
	}
	return g
}

// Node implements topology.Graph.
func (g *topo) Node(o uint32) topology.Node {
	e := &g.inv.mem.entries[o]
	if e.live == gone && !g.gone {
		return topology.Node{}
	}
	return topology.Node{Role: g.roles[e.class], Down: e.missing != 0 || e.live == gone}
}

// Alike implements topology.Graph: discovered services do the same when they have
// the same unit or program, recorded items when their names differ in digits only.
func (g *topo) Alike(o uint32) string {
	e := &g.inv.mem.entries[o]
	name := e.name
	if e.parent != 0 {
		name = strings.TrimSuffix(name, "@"+g.inv.mem.entries[e.parent-1].name)
	}
	name = stem(name)
	if name == "" {
		return ""
	}
	return g.inv.mem.classes[e.class] + " " + name
}

// Needs implements topology.Graph.
func (g *topo) Needs(o uint32) iter.Seq[topology.Link[uint32]] {
	return func(yield func(topology.Link[uint32]) bool) {
		for _, l := range g.inv.mem.entries[o].out {
			if !yield(g.link(l, edge{o, l.ord, l.kind})) {
				return
			}
		}
	}
}

// Needed implements topology.Graph.
func (g *topo) Needed(o uint32) iter.Seq[topology.Link[uint32]] {
	return func(yield func(topology.Link[uint32]) bool) {
		for _, l := range g.inv.mem.entries[o].in {
			if !yield(g.link(l, edge{l.ord, o, l.kind})) {
				return
			}
		}
	}
}

func (g *topo) link(l link, e edge) topology.Link[uint32] {
	weight := 1.0
	if len(g.faded) > 0 {
		if w, ok := g.faded[e]; ok {
			weight = w
		}
	}
	return topology.Link[uint32]{End: l.ord, Relation: g.types[l.kind], Weight: weight}
}
