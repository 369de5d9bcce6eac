package inventory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// load reads the database into memory: what a start needs of it, decoded on all
// processors, and what touches other parts of the memory at the same time.
func (inv *Inventory) load(ctx context.Context) error {
	if err := inv.beside(ctx, steps(inv.loadPackages), steps(inv.loadCIs, inv.loadHosts, inv.loadRecorded)); err != nil {
		return err
	}
	inv.mem.sort()
	return inv.beside(ctx, steps(inv.loadSections), steps(inv.loadRelations, inv.loadSites, inv.loadSeen))
}

func steps(fs ...func(store.Reader) error) func(store.Reader) error {
	return func(r store.Reader) error {
		for _, f := range fs {
			if err := f(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// beside runs readers at the same time, each on its own view. Nothing writes yet.
func (inv *Inventory) beside(ctx context.Context, fs ...func(store.Reader) error) error {
	errs := make(chan error, len(fs))
	for _, f := range fs {
		go func() { errs <- inv.db.View(ctx, f) }()
	}
	var first error
	for range fs {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (inv *Inventory) loadPackages(r store.Reader) error {
	return decodeAll(inv, r, inv.cols.pkg, func(p *packageDoc) {
		n, err := strconv.ParseUint(p.ID, 16, 32)
		if err != nil {
			return
		}
		for uint64(len(inv.soft.rows)) < n {
			inv.soft.rows = append(inv.soft.rows, installed{}) // a number that was never committed
		}
		inv.soft.add(p.Package, packageKey(&p.Package))
	})
}

func (inv *Inventory) loadCIs(r store.Reader) error {
	m := inv.mem
	type orphan struct{ id, parent string }
	var orphans []orphan
	err := decodeAll(inv, r, inv.cols.ci, func(d *loadedCI) {
		if d.MergedInto != "" {
			inv.merged[d.ID] = d.MergedInto
			return
		}
		if _, ok := m.byID[d.Parent]; d.Parent != "" && !ok {
			orphans = append(orphans, orphan{d.ID, d.Parent})
		}
		x := d.index()
		m.keep(&x)
	})
	if err != nil {
		return err
	}
	for _, c := range orphans {
		if p, ok := m.byID[c.parent]; ok {
			o := m.byID[c.id]
			m.entries[o].parent = p + 1
			m.entries[p].children = append(m.entries[p].children, o)
		}
	}
	return nil
}

// loadRecorded indexes what identifies the machines that people and imports told
// of; those that report have said it themselves by then.
func (inv *Inventory) loadRecorded(r store.Reader) error {
	m := inv.mem
	for o := range m.entries {
		e := &m.entries[o]
		if e.id == "" || e.host != nil || !e.told || !isMachine[m.classes[e.class]] {
			continue
		}
		row, err := inv.cols.ci.Get(r, e.id)
		if err != nil {
			inv.log.Error("what identifies an item cannot be read", "ci", e.id, "error", err)
			continue
		}
		m.addKeys(uint32(o), inv.recordedKeys(&row.Doc))
	}
	return nil
}

func (inv *Inventory) loadHosts(r store.Reader) error {
	m := inv.mem
	return decodeAll(inv, r, inv.cols.host, func(d *loadedHost) {
		if m := inv.watch.join(d.CI, strings.Clone(d.AgentID), strings.Clone(d.Site)); m != nil {
			m.shown.Key = strings.Clone(d.SiteKey)
			if d.Lost != "" {
				m.verdict, m.since = d.Lost, d.LostAt
			}
		}
		o, ok := m.byID[d.CI]
		if !ok {
			return
		}
		h := &hostState{run: strings.Clone(d.Run), packages: uint32(d.Packages), booted: d.Booted, shared: d.Shared, proved: strings.Clone(d.SiteKey), local: prefixesOf(d.Local)}
		for _, f := range d.Forwards {
			h.forwards = append(h.forwards, forward{f.Port, strings.Clone(f.To)})
		}
		for i := range d.Sections {
			h.hashes[i] = d.Sections[i].Hash
		}
		m.entries[o].host = h
		inv.leave(m.entries[o].id, d.Unfinished, 0)
		m.addKeys(o, d.Ident.Keys())
	})
}

func (inv *Inventory) loadSites(r store.Reader) error {
	return decodeAll(inv, r, inv.cols.site, func(s *siteDoc) {
		x := inv.watch.site(s.Name)
		x.cut, x.key = s.Since, s.Key
		for _, m := range x.members {
			m.proved = s.Key != "" && m.shown.Key == s.Key
		}
	})
}

func (inv *Inventory) loadSeen(r store.Reader) error {
	return decodeAll(inv, r, inv.cols.seen, func(s *seenDoc) {
		if e := inv.mem.at(s.CI); e != nil {
			e.lastSeen = max(e.lastSeen, s.At)
		}
	})
}

func (inv *Inventory) loadRelations(r store.Reader) error {
	m := inv.mem
	return decodeAll(inv, r, inv.cols.relation, func(x *loadedRelation) {
		from, okFrom := m.byID[x.From]
		to, okTo := m.byID[x.To]
		if !okFrom || !okTo {
			return
		}
		kind := m.kind(x.Type)
		m.link(from, kind, to)
		if !x.Unseen.IsZero() {
			inv.unseen[relationID(m, from, kind, to)] = fading{x.Unseen, cmp.Or(x.Weight, 1)}
		}
		for _, s := range x.Sources {
			if id, ok := strings.CutPrefix(s, "agent:"); ok {
				if e := m.at(id); e != nil && e.host != nil {
					e.host.asserted = append(e.host.asserted, edge{from, to, kind})
				}
			}
		}
	})
}

// loadedSections are what must be resident of some machines' sections.
type loadedSections struct {
	// installed pairs a package's number with a machine's, sorted: all machines that
	// have a package are put into its set together.
	installed []uint64
	talks     []loadedConnections
}

type loadedConnections struct {
	ord   uint32
	conns []report.Connection
}

// loadSections reads who talks to whom, and which packages the machines have.
func (inv *Inventory) loadSections(r store.Reader) error {
	type stored struct {
		ord                   uint32
		id                    string
		packages, connections []byte
	}
	get := func(id, name string) ([]byte, error) {
		d, ok, err := inv.cols.section.Find(r, id+" "+name)
		if err != nil || !ok {
			return nil, err
		}
		return d.Doc.Packed, nil
	}
	read := func(yield func(stored, error) bool) {
		for o := range inv.mem.entries {
			e := &inv.mem.entries[o]
			if e.host == nil {
				continue
			}
			s := stored{ord: uint32(o), id: e.id}
			var err error
			if s.packages, err = get(e.id, report.SectionPackages); err != nil {
				inv.log.Error("a package list cannot be read", "ci", e.id, "error", err)
			}
			if e.host.hashes[sectionNumber(report.SectionConnections)] != 0 {
				if s.connections, err = get(e.id, report.SectionConnections); err != nil {
					inv.log.Error("connections cannot be read", "ci", e.id, "error", err)
				}
			}
			if !yield(s, nil) {
				return
			}
		}
	}
	// Who talks to whom touches nothing that the packages do: beside them.
	conns := make(chan []loadedConnections, 8)
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		for list := range conns {
			for _, x := range list {
				inv.applyConnections(x.ord, x.conns)
			}
		}
	}()
	defer func() { close(conns); <-joined }()
	return inOrder(chunks(read, loadChunk), func(list []stored) (out loadedSections) {
		for _, s := range list {
			for _, n := range unpackNumbers(s.packages) {
				out.installed = append(out.installed, uint64(n)<<32|uint64(s.ord))
			}
			if s.connections == nil {
				continue
			}
			conns, err := unpack[[]report.Connection](s.connections)
			if err != nil {
				inv.log.Error("connections cannot be read", "ci", s.id, "error", err)
				continue
			}
			out.talks = append(out.talks, loadedConnections{s.ord, conns})
		}
		slices.Sort(out.installed)
		return out
	}, func(x loadedSections) {
		conns <- x.talks
		inv.applyPackages(x.installed)
	})
}

func (inv *Inventory) applyPackages(installed []uint64) {
	var ords []uint32
	for len(installed) > 0 {
		row := installed[0] >> 32
		ords = ords[:0]
		for len(installed) > 0 && installed[0]>>32 == row {
			ords, installed = append(ords, uint32(installed[0])), installed[1:]
		}
		if row < uint64(len(inv.soft.rows)) {
			inv.soft.rows[row].hosts.addMany(ords)
		}
	}
}

func (inv *Inventory) applyConnections(ord uint32, list []report.Connection) {
	h := inv.mem.entries[ord].host
	h.conns, h.talks = inv.compact(list), true
	for _, c := range h.conns {
		p := inv.peers[c.peer]
		if p == nil {
			p = &posting{}
			inv.peers[c.peer] = p
		}
		p.add(ord)
	}
}

// recordedKeys are the identity keys of an item that people or imports told of;
// a machine that reports has its own.
func (inv *Inventory) recordedKeys(c *cmdb.CI) []string {
	if c == nil || c.MergedInto != "" || !isMachine[c.Class] {
		return nil
	}
	if e := inv.mem.at(c.ID); e != nil && e.host != nil || c.Source == cmdb.SourceAgent {
		return nil
	}
	return cmdb.IdentifiersFrom(c.Name, c.Attributes).Keys()
}

// known is resolve for callers that want an item: a missing one is fault.NotFound.
func (inv *Inventory) known(id string) (string, error) {
	if now := inv.resolve(id); now != "" {
		return now, nil
	}
	return "", fault.NotFoundf("configuration item %q does not exist", id)
}

// resolve follows merges to the item that id means now; "" if there is none.
func (inv *Inventory) resolve(id string) string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for range 16 {
		next, ok := inv.merged[id]
		if !ok {
			break
		}
		id = next
	}
	if _, ok := inv.mem.byID[id]; !ok {
		return ""
	}
	return id
}

// find returns the item of a class with a name. Names of machines are host names, in
// which capitals mean nothing; the name's own writing comes first all the same.
func (m *memory) find(class, name string) (uint32, bool) {
	col := m.columns["name"]
	if col == nil {
		return 0, false
	}
	v, ok := col.ids[strings.ToLower(name)]
	if !ok {
		return 0, false
	}
	var hit uint32
	found, exact := false, false
	col.values[v].post.each(0, func(o uint32) {
		e := &m.entries[o]
		same := e.name == name
		if m.classes[e.class] != class || !same && (exact || !isMachine[class] || !strings.EqualFold(e.name, name)) {
			return
		}
		if !found || same && !exact || e.id < m.entries[hit].id {
			hit, found, exact = o, true, same
		}
	})
	return hit, found
}
