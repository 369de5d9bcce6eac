package inventory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Merge says that two items were one, and keeps what taking it back needs.
type Merge struct {
	ID       string    `json:"id"` // the id of the item that went
	Survivor string    `json:"survivor"`
	Actor    string    `json:"actor"`
	At       time.Time `json:"at"`
	Undone   time.Time `json:"undone_at,omitzero"`
}

// mergeDoc is a merge with both documents as they were.
type mergeDoc struct {
	Merge
	Lost      cmdb.CI         `json:"lost"`
	Before    cmdb.CI         `json:"before"` // the survivor
	After     cmdb.CI         `json:"after"`
	Host      *hostDoc        `json:"host,omitempty"`
	Relations []cmdb.Relation `json:"relations,omitempty"` // of the lost one, said by people and imports
	Added     []string        `json:"added,omitempty"`     // relations that the survivor got
}

// Merge makes two items one. Of two machines the one that reports survives, of
// two that report the one heard last; else keep does. What people and imports
// said of the other is kept under their names, its relations and names too. It
// can be taken back with Unmerge. Two machines that both report are two: without
// force that is a fault.Conflict.
func (inv *Inventory) Merge(ctx context.Context, keep, other, actor string, force bool) (Merge, error) {
	var out Merge
	err := inv.do(ctx, func(b *batch) error {
		w, l, err := b.pair(keep, other, force)
		if err != nil {
			return err
		}
		doc, err := b.merge(w, l, actor)
		if err != nil {
			return err
		}
		out = doc.Merge
		b.write(func(tx store.Tx) error { return inv.cols.merge.Put(tx, *doc) })
		return b.closeTasks(w.ID, l.ID, actor+": merged")
	})
	return out, err
}

// pair returns the survivor and the one that goes.
func (b *batch) pair(keep, other string, force bool) (w, l *cmdb.CI, err error) {
	m := b.inv.mem
	for _, p := range []struct {
		id string
		to **cmdb.CI
	}{{keep, &w}, {other, &l}} {
		id := b.inv.resolve(p.id)
		if id == "" {
			return nil, nil, fault.NotFoundf("configuration item %q does not exist", p.id)
		}
		if *p.to, err = b.ci(id); err != nil || *p.to == nil {
			return nil, nil, cmp.Or(err, error(fault.NotFoundf("configuration item %q does not exist", p.id)))
		}
	}
	we, le := m.at(w.ID), m.at(l.ID)
	switch {
	case w.ID == l.ID:
		return nil, nil, fault.Invalidf("with", "both are the same item already")
	case w.Class != l.Class && (b.inv.machine(w.Class) != b.inv.machine(l.Class)):
		return nil, nil, fault.Invalidf("with", "a %s and a %s are not one thing", w.Class, l.Class)
	case we.parent != 0 && le.parent != 0 && we.parent == le.parent && we.missing == 0 && le.missing == 0:
		return nil, nil, fault.Conflictf("both are found on the same machine at the same time: they are two")
	case !force && b.inv.reports(m.byID[w.ID], b.now) && b.inv.reports(m.byID[l.ID], b.now):
		return nil, nil, fault.Conflictf("%s and %s both report, each by an agent of its own: they are two machines, and after a merge one of them would come back as a new item. "+
			"Stop the agent of the one that is wrong and wait %s, or merge them by force", w.Name, l.Name, b.inv.cooldown())
	}
	if le.host != nil && (we.host == nil || b.inv.lastSeen(m.byID[l.ID]) > b.inv.lastSeen(m.byID[w.ID])) {
		w, l = l, w
	}
	return w, l, nil
}

func (b *batch) merge(w, l *cmdb.CI, actor string) (*mergeDoc, error) {
	inv, m := b.inv, b.inv.mem
	doc := &mergeDoc{Merge: Merge{ID: l.ID, Survivor: w.ID, Actor: actor, At: b.now}, Lost: *l, Before: *w}
	lo := m.byID[l.ID]
	moved, err := b.told(lo)
	if err != nil {
		return nil, err
	}
	doc.Relations = moved
	if m.entries[lo].host != nil {
		if doc.Host, err = read(b, b.hosts, inv.cols.host, l.ID); err != nil {
			return nil, err
		}
		for _, ch := range slices.Clone(m.entries[lo].children) {
			if err := b.removeCI(m.entries[ch].id, actor); err != nil {
				return nil, err
			}
		}
		if err := b.dropHost(l.ID); err != nil {
			return nil, err
		}
	}
	c := w.Clone()
	if c.Heard == nil {
		c.Heard = map[string]time.Time{}
	}
	for s, at := range l.Heard {
		if at.After(c.Heard[s]) {
			c.Heard[s] = at
		}
	}
	for field, claims := range l.AllClaims() {
		for _, x := range claims {
			if x.Source == cmdb.SourceAgent && w.Source == cmdb.SourceAgent {
				continue // the survivor's own report knows better
			}
			inv.rules.Load().Authority.Say(c, x.Source, map[string]any{field: x.Value}, x.At, inv.heard(c), b.now)
		}
	}
	for k, v := range l.Labels {
		if _, has := c.Labels[k]; !has {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels[k] = v
		}
	}
	c.Tags = sortedTags(append(c.Tags, l.Tags...))
	for _, n := range append([]string{l.Name}, l.Aliases...) {
		c.AddAlias(n)
	}
	if l.FirstSeen.Before(c.FirstSeen) {
		c.FirstSeen = l.FirstSeen
	}
	places := b.placesOf(lo)
	gone := l.Clone()
	gone.MergedInto = w.ID
	if err := b.hide(l, gone, actor); err != nil {
		return nil, err
	}
	b.putCI(w, c, actor)
	wo := m.byID[w.ID]
	for _, r := range moved {
		from, to := m.byID[r.From], m.byID[r.To]
		if r.From == l.ID {
			from = wo
		}
		if r.To == l.ID {
			to = wo
		}
		if from == to {
			continue
		}
		id := relationID(m, from, m.kind(r.Type), to)
		if !slices.Contains(m.entries[from].out, link{to, m.kind(r.Type)}) {
			doc.Added = append(doc.Added, id)
		}
		for _, s := range r.Sources {
			if !strings.HasPrefix(s, "agent:") {
				if err := b.assert(from, m.kind(r.Type), to, s, r.Evidence); err != nil {
					return nil, err
				}
			}
		}
	}
	doc.After = *c
	return doc, b.rejoin(append(places, b.placesOf(wo)...), "")
}

// told lists the relations of an item that people and imports told of.
func (b *batch) told(o uint32) ([]cmdb.Relation, error) {
	m := b.inv.mem
	ids := map[string]bool{}
	for _, l := range m.entries[o].out {
		ids[relationID(m, o, l.kind, l.ord)] = true
	}
	for _, l := range m.entries[o].in {
		ids[relationID(m, l.ord, l.kind, o)] = true
	}
	var out []cmdb.Relation
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		r, err := read(b, b.relations, b.inv.cols.relation, id)
		if err != nil {
			return nil, err
		}
		if r != nil && slices.ContainsFunc(r.Sources, func(s string) bool { return !strings.HasPrefix(s, "agent:") }) {
			out = append(out, *r)
		}
	}
	return out, nil
}

// hide takes an item that was merged out of the index; its document stays.
func (b *batch) hide(old, doc *cmdb.CI, actor string) error {
	inv := b.inv
	if err := b.dropCI(old); err != nil {
		return err
	}
	set(b, b.cis, doc.ID, doc)
	b.log(doc.ID, "ci.merged_into", nil, doc.MergedInto, actor)
	inv.mu.Lock()
	inv.merged[doc.ID] = doc.MergedInto
	inv.mu.Unlock()
	b.later(func() { delete(inv.merged, doc.ID) })
	return nil
}

// closeTasks ends what was asked about two items that are one now.
func (b *batch) closeTasks(a, z, decision string) error {
	ids := []string{a, z}
	slices.Sort(ids)
	keys := []string{"proposal-" + strings.Join(ids, "-"), "conflict-" + strings.Join(ids, "-"), "contested-" + a, "contested-" + z}
	for _, id := range ids {
		d, err := read(b, b.hosts, b.inv.cols.host, id)
		if err != nil {
			return err
		}
		if d != nil && d.Contest != "" && !slices.Contains(keys, d.Contest) {
			keys = append(keys, d.Contest)
		}
	}
	for _, key := range keys {
		t, err := read(b, b.tasks, b.inv.cols.task, key)
		if err != nil {
			return err
		}
		if t == nil || t.Done != "" {
			continue
		}
		c := *t
		if t.Kind == TaskContested {
			// It may be about other machines too.
			c.Others = slices.DeleteFunc(slices.Clone(t.Others), func(id string) bool { id = b.inv.resolve(id); return id == a || id == z || id == "" })
			if len(c.Others) > 0 {
				set(b, b.tasks, key, &c)
				continue
			}
			c.Others = t.Others
		}
		c.Done, c.DoneAt = decision, b.now
		set(b, b.tasks, key, &c)
	}
	return nil
}

// Unmerge takes a merge back: id is the item that went. What changed on the
// survivor since stays; what the merge brought goes back.
func (inv *Inventory) Unmerge(ctx context.Context, id, actor string) (cmdb.CI, error) {
	var out cmdb.CI
	err := inv.do(ctx, func(b *batch) error {
		var doc mergeDoc
		if err := inv.db.View(ctx, func(r store.Reader) error {
			row, ok, err := inv.cols.merge.Find(r, id)
			if err == nil && (!ok || !row.Doc.Undone.IsZero()) {
				err = fault.NotFoundf("no merge of %q can be taken back", id)
			}
			doc = row.Doc
			return err
		}); err != nil {
			return err
		}
		inv.mu.Lock()
		delete(inv.merged, id)
		inv.mu.Unlock()
		b.later(func() { inv.merged[id] = doc.Survivor })
		old, err := b.ci(doc.Survivor)
		if err != nil {
			return err
		}
		if old != nil {
			for _, r := range doc.Added {
				if err := b.dropRelation(r); err != nil {
					return err
				}
			}
			b.putCI(old, inv.without(old, &doc), actor)
		}
		lost := doc.Lost.Clone()
		lost.MergedInto = ""
		b.putCI(nil, lost, actor)
		m := inv.mem
		if doc.Host != nil {
			h := *doc.Host
			h.Sections = [sectionCount]mark{} // its agent is asked for everything again
			b.putHost(nil, &h)
		}
		for _, r := range doc.Relations {
			from, okFrom := m.byID[r.From]
			to, okTo := m.byID[r.To]
			if !okFrom || !okTo {
				continue
			}
			for _, s := range r.Sources {
				if !strings.HasPrefix(s, "agent:") {
					if err := b.assert(from, m.kind(r.Type), to, s, r.Evidence); err != nil {
						return err
					}
				}
			}
		}
		doc.Undone = b.now
		b.write(func(tx store.Tx) error { return inv.cols.merge.Put(tx, doc) })
		out = *lost
		places := b.placesOf(m.byID[id])
		if so, ok := m.byID[doc.Survivor]; ok {
			places = append(places, b.placesOf(so)...)
		}
		return b.rejoin(places, "")
	})
	return out, err
}

// without is the survivor minus what the merge changed, where that still stands.
func (inv *Inventory) without(now *cmdb.CI, doc *mergeDoc) *cmdb.CI {
	c := now.Clone()
	for _, d := range cmdb.Diff(doc.Before.Attributes, doc.After.Attributes) {
		if !cmdb.Equal(c.Attributes[d.Field], d.New) {
			continue
		}
		if d.Old == nil {
			delete(c.Attributes, d.Field)
		} else {
			c.Attributes[d.Field] = d.Old
		}
		delete(c.Claims, d.Field)
		if claims, ok := doc.Before.Claims[d.Field]; ok {
			if c.Claims == nil {
				c.Claims = map[string][]cmdb.Claim{}
			}
			c.Claims[d.Field] = claims
		}
	}
	for k, v := range doc.After.Labels {
		if _, had := doc.Before.Labels[k]; !had && c.Labels[k] == v {
			delete(c.Labels, k)
		}
	}
	c.Tags = slices.DeleteFunc(c.Tags, func(t string) bool { return !slices.Contains(doc.Before.Tags, t) && slices.Contains(doc.After.Tags, t) })
	c.Aliases = slices.DeleteFunc(c.Aliases, func(a string) bool {
		return !slices.Contains(doc.Before.Aliases, a) && slices.Contains(doc.After.Aliases, a)
	})
	c.FirstSeen = doc.Before.FirstSeen
	return c
}

// Merges lists merges, newest id last.
func (inv *Inventory) Merges(ctx context.Context, cursor string, limit int) ([]Merge, string, error) {
	if limit <= 0 || limit > maxLimit {
		limit = 100
	}
	var out []Merge
	var next string
	err := inv.db.View(ctx, func(r store.Reader) error {
		page, err := inv.cols.merge.List(r, store.Query[mergeDoc]{Cursor: cursor, Limit: limit})
		for _, row := range page.Rows {
			out = append(out, row.Doc.Merge)
		}
		next = page.Next
		return err
	})
	return out, next, err
}
