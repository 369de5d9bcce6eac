package inventory

import (
	"net/netip"
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

// machines are the classes that an address can mean.
var machines = map[string]bool{"host": true, "virtual_machine": true, "hypervisor": true, "switch": true, "pdu": true, "storage": true, "loadbalancer": true, "database": true}

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
		if !machines[m.classes[e.class]] || e.live == gone {
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
