package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

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
