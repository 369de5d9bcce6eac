package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// conn is one connection as far as edges need it, with interned strings.
type conn struct {
	owner, peer, mac uint32 // mac: of a neighbour, "" where it is not known
	local, port      uint16
	inbound          bool
}

// setConns keeps a machine's connections resident, and who talks to whom.
func (b *batch) setConns(id string, list []report.Connection) {
	inv := b.inv
	inv.mu.Lock()
	defer inv.mu.Unlock()
	o := inv.mem.byID[id]
	h := inv.mem.entries[o].host
	old, talked := h.conns, h.talks
	index := func(cs []conn, f func(p *posting)) {
		for _, c := range cs {
			p := inv.peers[c.peer]
			if p == nil {
				p = &posting{}
				inv.peers[c.peer] = p
			}
			f(p)
			if p.len() == 0 {
				delete(inv.peers, c.peer)
			}
		}
	}
	index(old, func(p *posting) { p.remove(o) })
	h.conns, h.talks = inv.compact(list), true
	next := h.conns
	index(next, func(p *posting) { p.add(o) })
	b.later(func() {
		index(next, func(p *posting) { p.remove(o) })
		index(old, func(p *posting) { p.add(o) })
		if h := inv.mem.entries[o].host; h != nil {
			h.conns, h.talks = old, talked
		}
	})
}

func (inv *Inventory) compact(list []report.Connection) []conn {
	out := make([]conn, 0, len(list))
	for _, c := range list {
		peer := c.PeerAddress
		if a, err := netip.ParseAddr(peer); err == nil {
			peer = a.Unmap().WithZone("").String()
		} else if p, err := netip.ParsePrefix(peer); err == nil {
			peer = p.Masked().String()
		} else {
			continue
		}
		if ownTraffic(c) {
			continue
		}
		if c.Namespace != "" && c.Direction == "inbound" {
			continue // to a port of another network namespace, which is not this machine's
		}
		out = append(out, conn{
			owner: inv.words.id(connKey(c)), peer: inv.words.id(peer), mac: inv.words.id(strings.ToLower(c.PeerMAC)),
			local: uint16(c.LocalPort), port: uint16(c.PeerPort), inbound: c.Direction == "inbound",
		})
	}
	slices.SortFunc(out, func(a, b conn) int {
		return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.port, b.port), cmp.Compare(a.local, b.local), cmp.Compare(a.owner, b.owner), cmp.Compare(a.mac, b.mac))
	})
	return slices.Clip(slices.Compact(out))
}
