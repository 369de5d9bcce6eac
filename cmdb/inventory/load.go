package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/store"
)

// load reads the database into memory, what does not depend on each other side
// by side: decoding is most of a cold start. A row that cannot be read is logged
// and left out: one damaged item must not keep the others from being served.
func (inv *Inventory) load(ctx context.Context) error {
	m := inv.mem
	type machine struct {
		id    string
		state *hostState
		keys  []string
	}
	var hosts []machine
	var orphans, told []*cmdb.CI
	err := inv.beside(ctx, func(r store.Reader) error {
		if err := each(inv, r, inv.cols.host, func(d *hostDoc) {
			hosts = append(hosts, machine{d.CI, d.state(nil), d.Ident.Keys()})
			if m := inv.watch.join(d.CI, d.AgentID, d.Site); m != nil && d.Lost != "" {
				m.verdict, m.since = d.Lost, d.LostAt
			}
		}); err != nil {
			return err
		}
		return each(inv, r, inv.cols.pkg, func(p *packageDoc) {
			n, err := strconv.ParseUint(p.ID, 16, 32)
			if err != nil {
				return
			}
			for uint64(len(inv.soft.rows)) < n {
				inv.soft.rows = append(inv.soft.rows, installed{}) // a number that was never committed
			}
			inv.soft.add(p.Package, packageKey(&p.Package))
		})
	}, func(r store.Reader) error {
		return each(inv, r, inv.cols.ci, func(c *cmdb.CI) {
			if c.MergedInto != "" {
				inv.merged[c.ID] = c.MergedInto
				return
			}
			if _, ok := m.byID[c.Parent]; c.Parent != "" && !ok {
				orphans = append(orphans, &cmdb.CI{ID: c.ID, Parent: c.Parent})
			}
			m.put(c)
			if c.Source != cmdb.SourceAgent {
				told = append(told, c.Clone())
			}
		})
	})
	if err != nil {
		return err
	}
	for _, c := range orphans {
		if p, ok := m.byID[c.Parent]; ok {
			o := m.byID[c.ID]
			m.entries[o].parent = p + 1
			m.entries[p].children = append(m.entries[p].children, o)
		}
	}
	for _, h := range hosts {
		if o, ok := m.byID[h.id]; ok {
			m.entries[o].host = h.state
			m.addKeys(o, h.keys)
		}
	}
	for _, c := range told {
		m.addKeys(m.byID[c.ID], inv.recordedKeys(c))
	}
	m.sort()
	return inv.beside(ctx, inv.loadSections, func(r store.Reader) error {
		if err := each(inv, r, inv.cols.relation, inv.loadRelation); err != nil {
			return err
		}
		if err := each(inv, r, inv.cols.site, func(s *siteDoc) { inv.watch.site(s.Name).cut = s.Since }); err != nil {
			return err
		}
		return each(inv, r, inv.cols.seen, func(s *seenDoc) {
			if e := m.at(s.CI); e != nil {
				e.lastSeen = max(e.lastSeen, s.At)
			}
		})
	})
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

func (inv *Inventory) loadRelation(x *cmdb.Relation) {
	m := inv.mem
	from, okFrom := m.byID[x.From]
	to, okTo := m.byID[x.To]
	if !okFrom || !okTo {
		return
	}
	kind := m.kind(x.Type)
	m.link(from, kind, to)
	if !x.Unseen.IsZero() {
		inv.unseen[x.ID()] = x.Unseen
	}
	for _, s := range x.Sources {
		if id, ok := strings.CutPrefix(s, "agent:"); ok {
			if e := m.at(id); e != nil && e.host != nil {
				e.host.asserted = append(e.host.asserted, edge{from, to, kind})
			}
		}
	}
}

// loadSections reads what must be resident of the machines' sections: who talks
// to whom, and which packages they have.
func (inv *Inventory) loadSections(r store.Reader) error {
	for o := range inv.mem.entries {
		e := &inv.mem.entries[o]
		if e.host == nil {
			continue
		}
		if d, ok, err := inv.cols.section.Find(r, e.id+" "+report.SectionPackages); err != nil {
			inv.log.Error("a package list cannot be read", "ci", e.id, "error", err)
		} else if ok {
			for _, n := range unpackNumbers(d.Doc.Packed) {
				if int(n) < len(inv.soft.rows) {
					inv.soft.rows[n].hosts.add(uint32(o))
				}
			}
		}
		if e.host.hashes[sectionNumber(report.SectionConnections)] == 0 {
			continue
		}
		d, ok, err := inv.cols.section.Find(r, e.id+" "+report.SectionConnections)
		if err != nil || !ok {
			continue
		}
		list, err := unpack[[]report.Connection](&d.Doc)
		if err != nil {
			inv.log.Error("connections cannot be read", "ci", e.id, "error", err)
			continue
		}
		e.host.conns, e.host.talks = inv.compact(list), true
		for _, c := range e.host.conns {
			p := inv.peers[c.peer]
			if p == nil {
				p = &posting{}
				inv.peers[c.peer] = p
			}
			p.add(uint32(o))
		}
	}
	return nil
}

// each walks a whole collection.
func each[T any](inv *Inventory, r store.Reader, c *store.Collection[T], f func(*T)) error {
	cursor := ""
	for {
		page, err := c.List(r, store.Query[T]{Cursor: cursor, Limit: 10_000})
		if err != nil {
			return fmt.Errorf("read inventory: %w", err)
		}
		for _, bad := range page.Unreadable {
			inv.log.Error("a row of the inventory cannot be read and is left out", "error", bad)
		}
		for i := range page.Rows {
			f(&page.Rows[i].Doc)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// recordedKeys are the identity keys of an item that people or imports told of;
// a machine that reports has its own.
func (inv *Inventory) recordedKeys(c *cmdb.CI) []string {
	if c == nil || c.MergedInto != "" || (c.Class != "host" && c.Class != "virtual_machine" && c.Class != "hypervisor") {
		return nil
	}
	if e := inv.mem.at(c.ID); e != nil && e.host != nil || c.Source == cmdb.SourceAgent {
		return nil
	}
	return cmdb.IdentifiersFrom(c.Attributes).Keys()
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
	found := false
	col.values[v].post.each(0, func(o uint32) {
		e := &m.entries[o]
		if e.name == name && m.classes[e.class] == class && (!found || e.id < m.entries[hit].id) {
			hit, found = o, true
		}
	})
	return hit, found
}
