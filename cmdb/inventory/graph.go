package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// GraphNode is an item in a graph or an impact.
type GraphNode struct {
	ID          string        `json:"id"`
	Class       string        `json:"class"`
	Name        string        `json:"name"`
	Liveness    cmdb.Liveness `json:"liveness"`
	Criticality string        `json:"criticality,omitempty"`
	Hops        int           `json:"hops"`
	// Via names the item through which it was reached, towards the start.
	Via string `json:"via,omitempty"`
}

// GraphEdge is a relation between two nodes: From needs To.
type GraphEdge struct {
	From string `json:"from"`
	Type string `json:"type"`
	To   string `json:"to"`
}

// Graph is a part of the topology around one item.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	// Truncated says that there is more within the hops than Limit allowed.
	Truncated bool `json:"truncated,omitempty"`
}

// Bounds of a graph query: a hub must not make one call cost the whole estate.
const (
	MaxHops       = 10
	MaxGraphNodes = 5000
)

// Directions of a graph query.
const (
	Both       = "both"
	Needs      = "needs"      // what it depends on
	Dependents = "dependents" // what depends on it
)

// GraphQuery bounds a graph.
type GraphQuery struct {
	Hops      int    // 0: 2; at most MaxHops
	Direction string // Both by default
	Types     []string
	Limit     int // nodes; 0: 500; at most MaxGraphNodes
}

// Graph returns what lies within the hops of an item, nearest first.
func (inv *Inventory) Graph(ctx context.Context, id string, q GraphQuery) (Graph, error) {
	if q.Hops == 0 {
		q.Hops = 2
	}
	if q.Limit <= 0 {
		q.Limit = 500
	}
	if q.Hops < 0 || q.Hops > MaxHops {
		return Graph{}, fault.Invalidf("hops", "want 1 to %d, got %d", MaxHops, q.Hops)
	}
	q.Limit = min(q.Limit, MaxGraphNodes)
	if q.Direction == "" {
		q.Direction = Both
	}
	if !slices.Contains([]string{Both, Needs, Dependents}, q.Direction) {
		return Graph{}, fault.Invalidf("direction", "want both, needs or dependents, got %q", q.Direction)
	}
	for _, t := range q.Types {
		if _, ok := inv.Registry().Relation(t); !ok {
			return Graph{}, fault.Invalidf("types", "%q is no relation type", t)
		}
	}
	id, err := inv.known(id)
	if err != nil {
		return Graph{}, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	keep := make([]bool, len(m.kinds))
	for i, k := range m.kinds {
		keep[i] = len(q.Types) == 0 || slices.Contains(q.Types, k)
	}
	start := m.byID[id]
	dist := map[uint32]uint8{start: 0}
	order := []uint32{start}
	via := map[uint32]uint32{}
	var g Graph
	for i := 0; i < len(order); i++ {
		o := order[i]
		d := dist[o]
		if int(d) >= q.Hops {
			break
		}
		visit := func(l link) {
			if !keep[l.kind] {
				return
			}
			if _, seen := dist[l.ord]; seen {
				return
			}
			if len(order) >= q.Limit {
				g.Truncated = true
				return
			}
			dist[l.ord], via[l.ord] = d+1, o
			order = append(order, l.ord)
		}
		if q.Direction != Dependents {
			for _, l := range m.entries[o].out {
				visit(l)
			}
		}
		if q.Direction != Needs {
			for _, l := range m.entries[o].in {
				visit(l)
			}
		}
		if ctx.Err() != nil {
			return Graph{}, ctx.Err()
		}
	}
	for _, o := range order {
		n := inv.node(o, int(dist[o]))
		if v, ok := via[o]; ok {
			n.Via = m.entries[v].id
		}
		g.Nodes = append(g.Nodes, n)
		for _, l := range m.entries[o].out {
			if _, in := dist[l.ord]; in && keep[l.kind] {
				g.Edges = append(g.Edges, GraphEdge{m.entries[o].id, m.kinds[l.kind], m.entries[l.ord].id})
			}
		}
	}
	slices.SortStableFunc(g.Nodes, func(a, b GraphNode) int {
		return cmp.Or(cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(g.Edges, func(a, b GraphEdge) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Type, b.Type), strings.Compare(a.To, b.To))
	})
	return g, nil
}

func (inv *Inventory) node(o uint32, hops int) GraphNode {
	m := inv.mem
	e := &m.entries[o]
	return GraphNode{ID: e.id, Class: m.classes[e.class], Name: e.name, Liveness: livenessNames[e.live], Criticality: m.text(o, "criticality"), Hops: hops}
}

// text returns an item's indexed value of a column.
func (m *memory) text(o uint32, column string) string {
	col := m.columns[column]
	if col == nil {
		return ""
	}
	if id, ok := m.valueOf(o, col); ok {
		return col.values[id].text
	}
	return ""
}

// valueOf returns the first value that an item has in a column.
func (m *memory) valueOf(o uint32, col *column) (uint32, bool) {
	terms := m.entries[o].terms
	i, _ := slices.BinarySearchFunc(terms, col.number, func(t term, n uint16) int { return cmp.Compare(t.column, n) })
	if i < len(terms) && terms[i].column == col.number {
		return terms[i].value, true
	}
	return 0, false
}
