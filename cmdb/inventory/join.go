package inventory

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxPrefixes and maxNeighbours bound the outside networks and the unmanaged
// machines that one machine's edges name: a web server is called from everywhere.
// What lies beyond is one item, or the neighbours' network.
const (
	maxPrefixes   = 64
	maxNeighbours = 256
	elsewhere     = "elsewhere"
)

// joining is the edges of one machine while they are worked out.
type joining struct {
	b             *batch
	o             uint32
	h             *hostState
	want          map[edge]string
	byKey         map[string]uint32
	byPort        map[uint16]uint32
	dep, run, see uint8
	// outside are the edges to and from what is no item yet, by its name.
	outside map[string]*stranger
}

// stranger is an outside network, or an unmanaged machine, with its edges.
type stranger struct {
	address netip.Addr // of an unmanaged machine
	edges   []func(o uint32) (edge, string)
}

// join computes a machine's edges and brings the stored ones to them. An edge
// that the machine no longer reports lingers; one that leads elsewhere because
// more is known goes at once.
func (b *batch) join(id string, linger bool) error {
	m := b.inv.mem
	j := &joining{
		b: b, o: m.byID[id], want: map[edge]string{}, byKey: map[string]uint32{}, byPort: map[uint16]uint32{},
		dep: m.kind(dependsOn), run: m.kind(runsOn), see: m.kind(watches), outside: map[string]*stranger{},
	}
	j.h = m.entries[j.o].host
	j.found()
	for _, c := range j.h.conns {
		a, _ := netip.ParseAddr(b.inv.words.texts[c.peer]) // not valid for a prefix
		if c.inbound {
			if err := j.inbound(c, a); err != nil {
				return err
			}
			continue
		}
		if err := j.outbound(c, a); err != nil {
			return err
		}
	}
	if err := j.strangers(); err != nil {
		return err
	}
	return b.assertAll(j.o, j.want, linger)
}

// found are the edges between a machine and what was found on it.
func (j *joining) found() {
	m := j.b.inv.mem
	var certs []uint32
	for _, ch := range m.entries[j.o].children {
		e := &m.entries[ch]
		if e.missing != 0 || e.live == gone || strings.HasPrefix(e.key, clientKey) {
			continue
		}
		if m.classes[e.class] == "certificate" {
			certs = append(certs, ch)
			continue
		}
		j.byKey[e.key] = ch
		j.want[edge{ch, j.o, j.run}] = ""
		for _, p := range j.b.inv.portsOf(ch) {
			j.byPort[p] = ch
		}
	}
	secured := m.kind("secured_by")
	for _, ch := range certs {
		port, err := strconv.ParseUint(m.text(ch, "listener_port"), 10, 16)
		if svc, ok := j.byPort[uint16(port)]; ok && err == nil {
			j.want[edge{svc, ch, secured}] = "port " + strconv.FormatUint(port, 10)
		}
	}
}

// caller is the service of this machine that owns a connection: a unit or program
// that listens or was found, or the container it runs in.
func (j *joining) caller(owner string) (uint32, bool) {
	if o, ok := j.byKey[owner]; ok {
		return o, true
	}
	if inside, _, ok := strings.Cut(owner, "/"); ok && strings.HasPrefix(owner, "container:") {
		o, ok := j.byKey[inside]
		return o, ok
	}
	return 0, false
}

// client adds the edge of what is no service of a machine, which runs on it.
func (j *joining) client(machine uint32, owner string) (uint32, error) {
	c, err := j.b.clientFor(machine, owner)
	if err == nil {
		j.want[edge{c, machine, j.run}] = ""
	}
	return c, err
}

// outbound adds the edge of a connection that a program here made.
func (j *joining) outbound(c conn, a netip.Addr) error {
	inv, m := j.b.inv, j.b.inv.mem
	addr, owner := inv.words.texts[c.peer], inv.words.texts[c.owner]
	from, known := j.caller(owner)
	if known && inv.is(from, agentProgram) {
		return nil
	}
	program := strings.ToLower(baseName(owner))
	if known {
		program = inv.programOf(from)
	}
	how := net.JoinHostPort(addr, strconv.Itoa(int(c.port)))
	machine, here := j.o, a.IsLoopback()
	if !here {
		var ok bool
		if machine, ok = j.b.machineAt(addr); !ok {
			if owner == "" && c.port == meshPort {
				return nil // an agent's gossip with one that is not enrolled yet
			}
			return j.stranger(c, a, func() (uint32, error) {
				if known {
					return from, nil
				}
				return j.client(j.o, owner)
			}, how)
		}
		here = machine == j.o
	}
	// Within the machine only a program that is known tells anything: the rest is a
	// probe, or somebody's test.
	if here && !known {
		return nil
	}
	targets := j.targets(machine, c.port, here)
	for _, to := range targets {
		if to == j.o || known && to == from || inv.is(to, agentProgram) || m.entries[to].host != nil && c.port == meshPort && owner == "" {
			continue
		}
		if owner == "" && inv.is(to, serverProgram) {
			continue // an agent's report, whose socket is closed already
		}
		kind := j.dep
		if inv.measures(program, to) {
			kind = j.see
		}
		if !known {
			var err error
			if from, err = j.client(j.o, owner); err != nil {
				return err
			}
		}
		j.want[edge{from, to, kind}] = how
	}
	return nil
}

// targets are what a call to a port of a machine reaches: the service there, and
// where the machine passes the port on, the true server behind it as well.
func (j *joining) targets(machine uint32, port uint16, here bool) []uint32 {
	if here {
		if svc, ok := j.byPort[port]; ok {
			return []uint32{svc}
		}
		return nil
	}
	if svc, ok := j.b.serviceAt(machine, port); ok {
		return []uint32{svc}
	}
	out := []uint32{machine}
	if h := j.b.inv.mem.entries[machine].host; h != nil {
		for _, f := range h.forwards {
			if f.Port != port {
				continue
			}
			at, err := netip.ParseAddrPort(f.To)
			if err != nil {
				continue
			}
			behind, ok := j.b.machineAt(at.Addr().String())
			if !ok {
				continue
			}
			if svc, ok := j.b.serviceAt(behind, at.Port()); ok {
				out = append(out, svc)
			} else {
				out = append(out, behind)
			}
		}
	}
	return out
}

// inbound adds the edge of a connection that somebody made to a service here, unless
// that machine's own report says which of its programs did.
func (j *joining) inbound(c conn, a netip.Addr) error {
	inv, m := j.b.inv, j.b.inv.mem
	addr := inv.words.texts[c.peer]
	to, ok := j.byPort[c.local]
	if !ok || a.IsLoopback() || inv.is(to, agentProgram) {
		return nil
	}
	kind := j.dep
	if inv.measures("", to) {
		kind = j.see
	}
	how := fmt.Sprintf("%s to port %d", addr, c.local)
	machine, known := j.b.machineAt(addr)
	switch {
	case known && (machine == j.o || m.entries[machine].host != nil && m.entries[machine].host.talks):
		return nil
	case known && m.entries[machine].host != nil && inv.is(to, serverProgram):
		return nil // its agent's reports: it tells of no connections
	case known:
		from, err := j.client(machine, "")
		if err == nil {
			j.want[edge{from, to, kind}] = how
		}
		return err
	}
	s := j.strangerAt(addr, a)
	if s == nil {
		return nil
	}
	s.edges = append(s.edges, func(x uint32) (edge, string) { return edge{x, to, kind}, how })
	return nil
}

// strangerAt is the outside network or unmanaged machine that an address or a prefix
// is of; nil where it is none, or one of this machine's own networks.
func (j *joining) strangerAt(addr string, a netip.Addr) *stranger {
	name := addr
	var s stranger
	if a.IsValid() {
		switch {
		case nowhere(a) || a.IsLoopback() || slices.ContainsFunc(j.h.local, func(p netip.Prefix) bool { return p.Contains(a) }):
			return nil
		case neighbourly(a) && !j.b.claimed(addr):
			s.address = a
		default:
			name = prefixOf(a)
		}
	}
	if j.outside[name] == nil {
		j.outside[name] = &s
	}
	return j.outside[name]
}

// stranger keeps an edge to what is no item, or not yet.
func (j *joining) stranger(c conn, a netip.Addr, from func() (uint32, error), how string) error {
	s := j.strangerAt(j.b.inv.words.texts[c.peer], a)
	if s == nil {
		return nil
	}
	f, err := from()
	if err != nil {
		return err
	}
	kind := j.dep
	if program := j.b.inv.programOf(f); monitors[program] || isExporter(program) {
		kind = j.see
	}
	s.edges = append(s.edges, func(x uint32) (edge, string) { return edge{f, x, kind}, how })
	return nil
}

// strangers finds or makes the items of what is outside and wants their edges.
func (j *joining) strangers() error {
	prefixes, neighbours := 0, 0
	for _, name := range slices.Sorted(maps.Keys(j.outside)) {
		s := j.outside[name]
		var x uint32
		var err error
		if s.address.IsValid() && neighbours < maxNeighbours {
			neighbours++
			x, err = j.b.unmanaged(name)
		} else {
			if s.address.IsValid() {
				name = prefixOf(s.address)
			}
			if prefixes++; prefixes > maxPrefixes {
				name = elsewhere
			}
			x, err = j.b.external(name)
		}
		if err != nil {
			return err
		}
		for _, f := range s.edges {
			e, how := f(x)
			j.want[e] = how
		}
	}
	return nil
}
