package inventory

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

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
	if !touched && !moved && !in.rewired && !in.resumed && old.Name == c.Name {
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
	listeners, containers, certs = atMost(listeners), atMost(containers), atMost(certs)
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
	if changed || moved || first || in.rewired {
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
		if !strings.HasPrefix(m.entries[o].key, clientKey) { // those come and go with their edges
			have[m.entries[o].key] = m.entries[o].id
		}
	}
	states := map[string]string{}
	for _, u := range units {
		if k := unitKey(u.Name); k != "" {
			states[k] = u.State
		}
	}
	b.room.next = len(want)
	for i, w := range want {
		id, known := have[w.key]
		delete(have, w.key)
		if i < b.room.from {
			continue // brought to this by the part before
		}
		if b.room.left == 0 {
			b.room.next = min(b.room.next, i)
		}
		if !known {
			if !b.fits(c.ID) {
				continue
			}
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
			if !b.fits(c.ID) {
				continue
			}
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
			if !b.fits(c.ID) {
				continue
			}
			b.putCI(old, s, cmdb.SourceAgent)
		}
	}
	return changed, nil
}

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
	had := make(map[edge]bool, len(before))
	for _, e := range before {
		had[e] = true
	}
	id := m.entries[o].id
	after = slices.DeleteFunc(after, func(e edge) bool { return !had[e] && !b.fits(id) })
	for _, e := range after {
		if !had[e] {
			if err := b.assert(e.from, e.kind, e.to, source, want[e]); err != nil {
				return err
			}
		}
	}
	for _, e := range before {
		if _, keep := want[e]; keep {
			continue
		}
		if !b.fits(id) {
			after = append(after, e) // it goes with the next part
			continue
		}
		if err := b.retract(relationID(m, e.from, e.kind, e.to), source, linger && !b.inv.refused(o, e) && !b.explained(o, e, want)); err != nil {
			return err
		}
		for _, end := range []uint32{e.from, e.to} {
			if err := b.describe(end); err != nil {
				return err
			}
		}
		if err := b.dropLonely(e.from, e.to); err != nil {
			return err
		}
	}
	h = m.entries[o].host
	h.asserted = slices.Clip(after)
	b.later(func() {
		if h := m.entries[o].host; h != nil {
			h.asserted = before
		}
	})
	return nil
}

// explained says that an edge of unknown programs of machine o is one of a known
// program now: whose closed socket it was has been found out.
func (b *batch) explained(o uint32, e edge, want map[edge]string) bool {
	m := b.inv.mem
	if x := &m.entries[e.from]; x.key != clientKey || x.parent != o+1 {
		return false
	}
	for w := range want {
		if w.to == e.to && w.kind == e.kind && w.from != e.from && m.entries[w.from].parent == o+1 {
			return true
		}
	}
	return false
}

// dropLonely removes what exists only as an end of edges, once no edge leads to it
// any more: outside networks, unmanaged neighbours, unknown programs.
func (b *batch) dropLonely(ords ...uint32) error {
	m := b.inv.mem
	for _, o := range ords {
		e := &m.entries[o]
		if e.id == "" || e.told {
			continue
		}
		edges := len(e.in) + len(e.out)
		switch m.classes[e.class] {
		case "external", unmanagedClass:
		case "client":
			edges -= len(slices.DeleteFunc(slices.Clone(e.out), func(l link) bool { return m.kinds[l.kind] != runsOn })) // that it runs somewhere is no edge of its own
		default:
			continue
		}
		if edges > 0 {
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
