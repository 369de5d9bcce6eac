package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

// conn is one connection as far as edges need it, with interned strings.
type conn struct {
	owner, peer uint32
	local, port uint16
	inbound     bool
}

type edge struct {
	from, to uint32
	kind     uint8
}

const (
	runsOn    = "runs_on"
	dependsOn = "depends_on"
)

// reconcile brings a machine's services and edges to what its newest sections
// say, and joins again the edges of those who talk to it.
func (b *batch) reconcile(c, old *cmdb.CI, in incoming) error {
	touched := false
	for _, n := range []string{report.SectionServices, report.SectionListeners, report.SectionConnections, report.SectionContainers, report.SectionCertificates} {
		touched = touched || in.fresh[n] != nil
	}
	moved := !cmdb.Equal(old.Attributes["addresses"], c.Attributes["addresses"]) || old.Liveness != c.Liveness
	if !touched && !moved && old.Name == c.Name {
		return nil
	}
	id := c.ID
	listeners, err := section[[]report.Listener](b, id, report.SectionListeners, in.fresh)
	if err != nil {
		return err
	}
	conns, err := section[[]report.Connection](b, id, report.SectionConnections, in.fresh)
	if err != nil {
		return err
	}
	units, err := section[[]report.Service](b, id, report.SectionServices, in.fresh)
	if err != nil {
		return err
	}
	containers, err := section[[]report.Container](b, id, report.SectionContainers, in.fresh)
	if err != nil {
		return err
	}
	certs, err := section[[]report.Certificate](b, id, report.SectionCertificates, in.fresh)
	if err != nil {
		return err
	}
	changed, err := b.children(c, services(units, listeners, conns, containers, certs), units)
	if err != nil {
		return err
	}
	h := b.inv.mem.at(id).host
	first := false
	if in.fresh[report.SectionConnections] != nil {
		first = !h.talks
		b.setConns(id, conns)
	}
	if err := b.join(id, true); err != nil {
		return err
	}
	if changed || moved || first {
		return b.rejoin(append(old.Attributes.List("addresses"), c.Attributes.List("addresses")...), id)
	}
	return nil
}

// children creates, updates and misses what was found on a machine. changed says
// that others' edges may lead elsewhere now.
func (b *batch) children(c *cmdb.CI, want []child, units []report.Service) (changed bool, err error) {
	m := b.inv.mem
	have := map[string]string{}
	for _, o := range m.at(c.ID).children {
		have[m.entries[o].key] = m.entries[o].id
	}
	states := map[string]string{}
	for _, u := range units {
		if k := unitKey(u.Name); k != "" {
			states[k] = u.State
		}
	}
	for _, w := range want {
		id, known := have[w.key]
		delete(have, w.key)
		if !known {
			s := &cmdb.CI{
				ID: b.inv.newID(), Class: w.class, Name: w.base + "@" + c.Name, Parent: c.ID, Key: w.key, Source: cmdb.SourceAgent,
				Attributes: cmdb.Attributes{}, FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Seen,
			}
			b.sayHost(s, w.values, b.now)
			b.putCI(nil, s, cmdb.SourceAgent)
			changed = true
			continue
		}
		old, err := b.ci(id)
		if err != nil {
			return false, err
		}
		s := old.Clone()
		if !old.Missing.IsZero() || old.Liveness != cmdb.Seen {
			s.Missing = time.Time{}
			b.alive(s)
			changed = true
		}
		s.Class = w.class
		if name := w.base + "@" + c.Name; s.Name != name {
			s.Name = name
			s.AddAlias(old.Name)
			s.Aliases = slices.DeleteFunc(s.Aliases, func(a string) bool { return a == name })
		}
		b.sayHost(s, w.values, b.now)
		if len(cmdb.DiffCIs(old, s)) > 0 || s.Liveness != old.Liveness || !s.Missing.Equal(old.Missing) {
			changed = changed || !cmdb.Equal(old.Attributes["ports"], s.Attributes["ports"])
			b.putCI(old, s, cmdb.SourceAgent)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		old, err := b.ci(have[key])
		if err != nil {
			return false, err
		}
		s := old.Clone()
		if old.Missing.IsZero() {
			s.Missing, changed = b.now, true
		}
		if st, ok := states[key]; ok {
			b.sayHost(s, values("state", st), b.now)
		}
		if !s.Missing.Equal(old.Missing) || len(cmdb.DiffCIs(old, s)) > 0 {
			b.putCI(old, s, cmdb.SourceAgent)
		}
	}
	return changed, nil
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
		if c.Namespace != "" && c.Direction == "inbound" {
			continue // to a port of another network namespace, which is not this machine's
		}
		out = append(out, conn{
			owner: inv.words.id(connKey(c)), peer: inv.words.id(peer),
			local: uint16(c.LocalPort), port: uint16(c.PeerPort), inbound: c.Direction == "inbound",
		})
	}
	slices.SortFunc(out, func(a, b conn) int {
		return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.port, b.port), cmp.Compare(a.local, b.local), cmp.Compare(a.owner, b.owner))
	})
	return slices.Clip(slices.Compact(out))
}

// join computes a machine's edges and brings the stored ones to them. An edge
// that the machine no longer reports lingers; one that leads elsewhere because
// more is known goes at once.
func (b *batch) join(id string, linger bool) error {
	inv, m := b.inv, b.inv.mem
	o := m.byID[id]
	h := m.entries[o].host
	want := map[edge]string{}
	byKey, byPort := map[string]uint32{}, map[uint16]uint32{}
	run := m.kind(runsOn)
	var certs []uint32
	for _, ch := range m.entries[o].children {
		e := &m.entries[ch]
		if e.missing != 0 || e.live == gone {
			continue
		}
		if m.classes[e.class] == "certificate" {
			certs = append(certs, ch)
			continue
		}
		byKey[e.key] = ch
		want[edge{ch, o, run}] = ""
		for _, p := range b.inv.portsOf(ch) {
			byPort[p] = ch
		}
	}
	secured := m.kind("secured_by")
	for _, ch := range certs {
		port, err := strconv.ParseUint(m.text(ch, "listener_port"), 10, 16)
		if svc, ok := byPort[uint16(port)]; ok && err == nil {
			want[edge{svc, ch, secured}] = "port " + strconv.FormatUint(port, 10)
		}
	}
	dep := m.kind(dependsOn)
	outside := map[string][]func(to uint32) (edge, string){}
	for _, c := range h.conns {
		addr := inv.words.texts[c.peer]
		a, _ := netip.ParseAddr(addr) // not valid for a prefix
		p := addr
		if a.IsValid() {
			p = prefixOf(a)
		}
		if c.inbound {
			to, ok := byPort[c.local]
			if !ok || a.IsLoopback() {
				continue
			}
			from, known := b.machineAt(addr)
			if known && (from == o || m.entries[from].host != nil && m.entries[from].host.talks) {
				continue // its own report says which program calls
			}
			how := fmt.Sprintf("%s to port %d", addr, c.local)
			if known {
				want[edge{from, to, dep}] = how
				continue
			}
			outside[p] = append(outside[p], func(x uint32) (edge, string) { return edge{x, to, dep}, how })
			continue
		}
		from, ok := byKey[inv.words.texts[c.owner]]
		if !ok {
			from = o
		}
		how := net.JoinHostPort(addr, strconv.Itoa(int(c.port)))
		var to uint32
		known := true
		if a.IsLoopback() {
			to, known = byPort[c.port]
			if !known {
				continue
			}
		} else if to, known = b.machineAt(addr); known {
			if svc, ok := b.serviceAt(to, c.port); ok {
				to = svc
			}
		} else {
			outside[p] = append(outside[p], func(x uint32) (edge, string) { return edge{from, x, dep}, how })
			continue
		}
		if to != from && to != o {
			want[edge{from, to, dep}] = how
		}
	}
	for i, p := range slices.Sorted(maps.Keys(outside)) {
		name := p
		if i >= maxPrefixes {
			name = elsewhere
		}
		x, err := b.external(name)
		if err != nil {
			return err
		}
		for _, f := range outside[p] {
			e, how := f(x)
			want[e] = how
		}
	}
	return b.assertAll(o, want, linger)
}

// maxPrefixes bounds the outside networks that one machine's edges name: a web
// server is called from everywhere. What lies beyond is one item.
const (
	maxPrefixes = 64
	elsewhere   = "elsewhere"
)

// assertAll brings what machine o asserts from what it asserted to want.
func (b *batch) assertAll(o uint32, want map[edge]string, linger bool) error {
	m := b.inv.mem
	h := m.entries[o].host
	source := "agent:" + m.entries[o].id
	before := h.asserted
	var after []edge
	for e := range want {
		after = append(after, e)
	}
	order := func(a, b edge) int {
		return cmp.Or(cmp.Compare(m.entries[a.from].id, m.entries[b.from].id), cmp.Compare(a.kind, b.kind), cmp.Compare(m.entries[a.to].id, m.entries[b.to].id))
	}
	slices.SortFunc(after, order)
	for _, e := range after {
		if !slices.Contains(before, e) {
			if err := b.assert(e.from, e.kind, e.to, source, want[e]); err != nil {
				return err
			}
		}
	}
	for _, e := range before {
		if _, keep := want[e]; keep {
			continue
		}
		if err := b.retract(relationID(m, e.from, e.kind, e.to), source, linger); err != nil {
			return err
		}
		if err := b.dropLonely(e.from, e.to); err != nil {
			return err
		}
	}
	h.asserted = slices.Clip(after)
	b.later(func() {
		if h := m.entries[o].host; h != nil {
			h.asserted = before
		}
	})
	return nil
}

// dropLonely removes outside networks that no edge leads to any more.
func (b *batch) dropLonely(ords ...uint32) error {
	m := b.inv.mem
	for _, o := range ords {
		e := &m.entries[o]
		if e.id == "" || m.classes[e.class] != "external" || len(e.in)+len(e.out) > 0 {
			continue
		}
		c, err := b.ci(e.id)
		if err != nil {
			return err
		}
		if c != nil && c.Source == cmdb.SourceAgent {
			if err := b.dropCI(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// rejoin joins again the edges of the machines that talk to addresses.
func (b *batch) rejoin(addresses []string, except string) error {
	set := map[uint32]bool{}
	for _, a := range addresses {
		w, ok := b.inv.words.ids[a]
		if !ok {
			continue
		}
		if p := b.inv.peers[w]; p != nil {
			p.each(0, func(o uint32) { set[o] = true })
		}
	}
	for _, o := range slices.Sorted(maps.Keys(set)) {
		if id := b.inv.mem.entries[o].id; id != except && b.inv.mem.entries[o].host != nil {
			if err := b.join(id, false); err != nil {
				return err
			}
		}
	}
	return nil
}

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
