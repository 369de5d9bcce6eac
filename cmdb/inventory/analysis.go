package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// SinglePoint is an item whose failure takes the start of a query down, because
// nothing else of its kind is there to take over.
type SinglePoint struct {
	GraphNode
	// Cuts are the items between the start and it that lose their only way.
	Cuts int `json:"cuts"`
}

// SinglePoints lists what an item needs and has only once: every item within the
// hops over relations that carry failures, except those that have an alternative
// (another item of the same class that all who need the one need too, or that it
// replicates, or behind the same load balancer). Worst first.
func (inv *Inventory) SinglePoints(ctx context.Context, id string, hops int) ([]SinglePoint, error) {
	if hops == 0 {
		hops = 5
	}
	if hops < 0 || hops > MaxHops {
		return nil, fault.Invalidf("hops", "want 1 to %d, got %d", MaxHops, hops)
	}
	id, err := inv.known(id)
	if err != nil {
		return nil, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	carries := inv.carrying()
	start := m.byID[id]
	dist := map[uint32]int{start: 0}
	order := []uint32{start}
	for i := 0; i < len(order) && len(order) < MaxGraphNodes; i++ {
		if dist[order[i]] >= hops {
			break
		}
		for _, l := range m.entries[order[i]].out {
			if _, known := dist[l.ord]; !known && carries[l.kind] && m.entries[l.ord].live != gone {
				dist[l.ord] = dist[order[i]] + 1
				order = append(order, l.ord)
			}
		}
	}
	var out []SinglePoint
	for _, o := range order[1:] {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if inv.alternative(o, dist, carries) {
			continue
		}
		cuts := 0
		for _, l := range m.entries[o].in {
			if _, in := dist[l.ord]; in && carries[l.kind] {
				cuts++
			}
		}
		out = append(out, SinglePoint{inv.node(o, dist[o]), cuts})
	}
	slices.SortFunc(out, func(a, b SinglePoint) int {
		return cmp.Or(-cmp.Compare(a.Cuts, b.Cuts), cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (inv *Inventory) carrying() []bool {
	out := make([]bool, len(inv.mem.kinds))
	for i, k := range inv.mem.kinds {
		t, _ := inv.Registry().Relation(k)
		out[i] = t.Carries
	}
	return out
}

// alternative says that something of the same class can take o's place for all
// within the query that need it.
func (inv *Inventory) alternative(o uint32, within map[uint32]int, carries []bool) bool {
	m := inv.mem
	class := m.entries[o].class
	for _, l := range slices.Concat(m.entries[o].out, m.entries[o].in) {
		if m.kinds[l.kind] == "replicates" && m.entries[l.ord].live != gone && m.entries[l.ord].missing == 0 {
			return true
		}
	}
	common := map[uint32]int{}
	needers := 0
	for _, l := range m.entries[o].in {
		if _, in := within[l.ord]; !in || !carries[l.kind] {
			continue
		}
		needers++
		seen := map[uint32]bool{}
		for _, s := range m.entries[l.ord].out {
			if s.ord != o && s.kind == l.kind && m.entries[s.ord].class == class && m.entries[s.ord].live != gone && m.entries[s.ord].missing == 0 && !seen[s.ord] && inv.twins(o, s.ord) {
				seen[s.ord] = true
				common[s.ord]++
			}
		}
	}
	for _, n := range common {
		if n == needers {
			return true
		}
	}
	return false
}

// twins says that two items do the same: services with the same key on two
// machines, or listed under one service by hand.
func (inv *Inventory) twins(a, b uint32) bool {
	x, y := &inv.mem.entries[a], &inv.mem.entries[b]
	if x.key != "" || y.key != "" {
		return x.key == y.key
	}
	return x.parent == 0 && y.parent == 0
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

// Health rolls up the state of what an item needs: itself or something it needs
// without an alternative that is not running makes it down; the loss of something
// with an alternative degrades it. trouble tells of more than the inventory
// knows, such as open incidents: it returns why an item is not well, "" if it
// is. It may be nil.
func (inv *Inventory) Health(ctx context.Context, id string, trouble func(id string) string) (Health, error) {
	id, err := inv.known(id)
	if err != nil {
		return Health{}, err
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	carries := inv.carrying()
	start := m.byID[id]
	dist := map[uint32]int{start: 0}
	order := []uint32{start}
	for i := 0; i < len(order) && len(order) < MaxGraphNodes; i++ {
		if dist[order[i]] >= 5 {
			break
		}
		for _, l := range m.entries[order[i]].out {
			if _, known := dist[l.ord]; !known && carries[l.kind] {
				dist[l.ord] = dist[order[i]] + 1
				order = append(order, l.ord)
			}
		}
	}
	h := Health{Status: "ok", Checked: len(order)}
	if ctx.Err() != nil {
		return h, ctx.Err()
	}
	silent := 0
	for _, o := range order {
		e := &m.entries[o]
		why := ""
		switch {
		case e.live == gone:
			why = "gone"
		case e.live == stale:
			why = "not heard of"
			silent++
		case e.missing != 0:
			why = "not running: its machine reports without it"
		case m.text(o, "state") == "failed":
			why = "its unit failed"
		}
		if why == "" && trouble != nil {
			why = trouble(e.id)
		}
		if why == "" {
			continue
		}
		h.Troubled = append(h.Troubled, HealthNode{inv.node(o, dist[o]), why})
		switch {
		case o != start && inv.alternative(o, dist, carries):
			h.Status = worse(h.Status, "degraded")
		case why == "not heard of":
			h.Status = worse(h.Status, "unknown")
		default:
			h.Status = worse(h.Status, "down")
		}
	}
	slices.SortFunc(h.Troubled, func(a, b HealthNode) int {
		return cmp.Or(cmp.Compare(a.Hops, b.Hops), strings.Compare(a.Name, b.Name))
	})
	return h, nil
}

func worse(a, b string) string {
	rank := []string{"ok", "degraded", "unknown", "down"}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// Proposal is a service that could be composed of what runs together.
type Proposal struct {
	Name    string   `json:"name"`
	Class   string   `json:"class"`
	Members []string `json:"members"` // ids
	Names   []string `json:"names"`
	// Calls are the proposed or known services it depends on, by edges between members.
	Calls []string `json:"calls,omitempty"`
	Why   string   `json:"why"`
}

// ProposeServices groups the discovered services of several machines that do the
// same (one key on machines whose names differ only in digits) and that nothing
// composes yet, for a person to accept as one service. Largest first.
func (inv *Inventory) ProposeServices(ctx context.Context, limit int) ([]Proposal, error) {
	if limit <= 0 || limit > maxLimit {
		limit = 100
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	type group struct{ ords []uint32 }
	groups := map[string]*group{}
	member := map[uint32]string{}
	for o := range m.entries {
		e := &m.entries[o]
		if e.id == "" || e.parent == 0 || e.missing != 0 || e.live == gone || !strings.HasPrefix(e.key, "unit:") {
			continue
		}
		composed := slices.ContainsFunc(e.in, func(l link) bool {
			k := m.kinds[l.kind]
			return k == "composed_of" || k == "exposes"
		})
		if composed || everywhere[baseName(e.key)] {
			continue
		}
		k := m.classes[e.class] + "\x00" + baseName(e.key) + "\x00" + stem(m.entries[e.parent-1].name)
		if groups[k] == nil {
			groups[k] = &group{}
		}
		groups[k].ords = append(groups[k].ords, uint32(o))
		member[uint32(o)] = k
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	named := func(k string) string {
		parts := strings.Split(k, "\x00")
		if parts[2] == "" || strings.Contains(parts[1], parts[2]) {
			return parts[1]
		}
		return parts[2] + "-" + parts[1]
	}
	var out []Proposal
	for k, g := range groups {
		calls := map[string]bool{}
		called := false
		for _, o := range g.ords {
			for _, l := range m.entries[o].out {
				if other, ok := member[l.ord]; ok && other != k && m.kinds[l.kind] == dependsOn {
					calls[named(other)] = true
				}
			}
			called = called || slices.ContainsFunc(m.entries[o].in, func(l link) bool { return m.kinds[l.kind] == dependsOn })
		}
		if len(g.ords) < 2 && !called && len(calls) == 0 {
			continue // one program that nobody calls and that calls nobody is no service
		}
		p := Proposal{Name: named(k), Class: strings.Split(k, "\x00")[0], Why: "the same unit on machines of one name"}
		if len(g.ords) == 1 {
			p.Why = "one unit that others call or that calls others"
		}
		for _, o := range g.ords {
			p.Members = append(p.Members, m.entries[o].id)
			p.Names = append(p.Names, m.entries[o].name)
		}
		slices.Sort(p.Members)
		slices.Sort(p.Names)
		for c := range calls {
			p.Calls = append(p.Calls, c)
		}
		slices.Sort(p.Calls)
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(-cmp.Compare(len(a.Members), len(b.Members)), strings.Compare(a.Name, b.Name), strings.Compare(a.Members[0], b.Members[0]))
	})
	if len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// everywhere lists units that belong to the machine, not to what it is for.
var everywhere = map[string]bool{
	"ssh": true, "sshd": true, "cron": true, "systemd-resolved": true, "systemd-timesyncd": true, "chrony": true, "chronyd": true, "rpcbind": true,
	"node_exporter": true, "prometheus-node-exporter": true, "rsyslog": true, "postfix": true, "exim4": true, "avahi-daemon": true, "cups": true,
	"dbus": true, "NetworkManager": true, "systemd-networkd": true, "snapd": true, "docker": true, "containerd": true, "watchbill-agent": true,
}

// stem is a machine's name without the digits that number it.
func stem(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return strings.Trim(strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, name), "-_")
}

// AcceptService makes a proposal, or any set of items, a service composed of them.
func (inv *Inventory) AcceptService(ctx context.Context, it Item, members []string, source string) (cmdb.CI, error) {
	var out cmdb.CI
	if len(members) == 0 {
		return out, fault.Invalidf("members", "a service is composed of at least one item")
	}
	if it.Class == "" {
		it.Class = "service"
	}
	err := inv.do(ctx, func(b *batch) error {
		c, _, err := b.upsert(it, source)
		if err != nil {
			return err
		}
		m := b.inv.mem
		for _, id := range members {
			to, ok := m.byID[inv.resolve(id)]
			if !ok {
				return fault.NotFoundf("members: configuration item %q does not exist", id)
			}
			if to == m.byID[c.ID] {
				return fault.Invalidf("members", "a service cannot be composed of itself")
			}
			if err := b.assert(m.byID[c.ID], m.kind("composed_of"), to, source, ""); err != nil {
				return err
			}
		}
		out = *c
		return nil
	})
	return out, err
}
