package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/watchbill/watchbill/cmdb"
)

// placesOf are the addresses under which connections find an item: its own, and
// those of what it runs on.
func (b *batch) placesOf(o uint32) []string {
	m := b.inv.mem
	col := m.columns["addresses"]
	if col == nil {
		return nil
	}
	var out []string
	add := func(o uint32) {
		for _, t := range m.entries[o].terms {
			if t.column == col.number {
				out = append(out, col.values[t.value].text)
			}
		}
	}
	add(o)
	run := m.kind(runsOn)
	for _, l := range m.entries[o].out {
		if l.kind == run {
			add(l.ord)
		}
	}
	return out
}

func prefixOf(a netip.Addr) string {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return elsewhere
	}
	return p.String()
}

// external finds or makes the item of an outside network.
func (b *batch) external(prefix string) (uint32, error) {
	m := b.inv.mem
	if o, ok := m.find("external", prefix); ok {
		return o, nil
	}
	c := &cmdb.CI{
		ID: b.inv.newID(), Class: "external", Name: prefix, Source: cmdb.SourceAgent, Attributes: cmdb.Attributes{},
		FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Recorded,
	}
	if prefix != elsewhere {
		c.Attributes["prefix"] = prefix
	}
	b.putCI(nil, c, cmdb.SourceAgent)
	return m.byID[c.ID], nil
}

// unmanagedClass is the class of machines that talk here and have no agent.
const unmanagedClass = "unmanaged_host"

// unmanaged finds or makes the item of a neighbour without an agent.
func (b *batch) unmanaged(address string) (uint32, error) {
	m := b.inv.mem
	if o, known := m.find(unmanagedClass, address); known {
		return o, b.describe(o)
	}
	c := &cmdb.CI{
		ID: b.inv.newID(), Class: unmanagedClass, Name: address, Source: cmdb.SourceAgent, Attributes: cmdb.Attributes{"addresses": []string{address}},
		FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Recorded,
	}
	b.observe(c)
	b.putCI(nil, c, cmdb.SourceAgent)
	return m.byID[c.ID], nil
}

// observe sets what those who talk to an unmanaged machine show of it: the ports that
// they call, its card.
func (b *batch) observe(c *cmdb.CI) {
	inv := b.inv
	var ports []int
	var macs []string
	peer, ok := inv.words.ids[c.Name]
	if p := inv.peers[peer]; ok && p != nil {
		p.each(0, func(o uint32) {
			h := inv.mem.entries[o].host
			if h == nil {
				return
			}
			i, _ := slices.BinarySearchFunc(h.conns, peer, func(x conn, peer uint32) int { return cmp.Compare(x.peer, peer) })
			for ; i < len(h.conns) && h.conns[i].peer == peer; i++ {
				if x := h.conns[i]; !x.inbound {
					ports = append(ports, int(x.port))
				}
				if mac := inv.words.texts[h.conns[i].mac]; mac != "" {
					macs = append(macs, mac)
				}
			}
		})
	}
	slices.Sort(ports)
	slices.Sort(macs)
	for k, v := range values("ports", slices.Compact(ports), "macs", slices.Compact(macs)) {
		if v == nil {
			delete(c.Attributes, k)
		} else {
			c.Attributes[k] = v
		}
	}
}

// describe brings a known unmanaged machine up to what is seen of it now.
func (b *batch) describe(o uint32) error {
	e := &b.inv.mem.entries[o]
	if e.id == "" || b.inv.mem.classes[e.class] != unmanagedClass || e.told {
		return nil
	}
	old, err := b.ci(e.id)
	if err != nil || old == nil {
		return err
	}
	c := old.Clone()
	b.observe(c)
	if len(cmdb.DiffCIs(old, c)) > 0 {
		b.putCI(old, c, cmdb.SourceAgent)
	}
	return nil
}

// machine says whether an address can mean items of a class: by role, so that a
// configured class of machines is found like the built-in ones.
func (inv *Inventory) machine(class string) bool {
	switch inv.Registry().Role(class).Name {
	case cmdb.RoleMachine, cmdb.RoleDevice, cmdb.RoleStore, cmdb.RoleBalancer:
		return true
	}
	return false
}

// claimed says that some known machine has an address, or several do.
func (b *batch) claimed(addr string) bool {
	m := b.inv.mem
	col := m.columns["addresses"]
	if col == nil {
		return false
	}
	found := false
	if v, ok := col.ids[addr]; ok {
		col.values[v].post.each(16, func(o uint32) {
			e := &m.entries[o]
			found = found || e.live != gone && b.inv.machine(m.classes[e.class])
		})
	}
	return found
}

// machineAt returns the one machine that answers on addr. An address that several
// known machines have says nothing.
func (b *batch) machineAt(addr string) (uint32, bool) {
	m := b.inv.mem
	col := m.columns["addresses"]
	if col == nil {
		return 0, false
	}
	v, ok := col.ids[addr]
	if !ok {
		return 0, false
	}
	var hit, reporting []uint32
	col.values[v].post.each(16, func(o uint32) {
		e := &m.entries[o]
		if !b.inv.machine(m.classes[e.class]) || e.live == gone {
			return
		}
		hit = append(hit, o)
		if e.host != nil && e.live == seen {
			reporting = append(reporting, o)
		}
	})
	if len(reporting) == 1 {
		return reporting[0], true
	}
	if len(reporting) == 0 && len(hit) == 1 {
		return hit[0], true
	}
	return 0, false
}

// serviceAt returns the one service on a machine that listens on a port.
func (b *batch) serviceAt(machine uint32, port uint16) (uint32, bool) {
	m := b.inv.mem
	col := m.columns["ports"]
	if col == nil {
		return 0, false
	}
	v, ok := col.ids[strconv.Itoa(int(port))]
	if !ok {
		return 0, false
	}
	post := &col.values[v].post
	run := m.kind(runsOn)
	hit, found, twice := uint32(0), false, false
	try := func(o uint32) {
		if m.entries[o].missing == 0 && m.entries[o].live != gone && post.contains(o) && (!found || o != hit) {
			twice = twice || found
			hit, found = o, true
		}
	}
	for _, o := range m.entries[machine].children {
		try(o)
	}
	for _, l := range m.entries[machine].in {
		if l.kind == run {
			try(l.ord)
		}
	}
	return hit, found && !twice
}

// portsOf an item, from the index.
func (inv *Inventory) portsOf(o uint32) []uint16 {
	m := inv.mem
	col := m.columns["ports"]
	if col == nil {
		return nil
	}
	var out []uint16
	for _, t := range m.entries[o].terms {
		if t.column == col.number {
			out = append(out, uint16(col.values[t.value].num))
		}
	}
	return out
}
