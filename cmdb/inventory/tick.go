package inventory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// Tick does what time brings: machines that were silent for too long become
// stale, then gone; edges and services that nobody reports any more expire; the
// last-seen times of quiet machines are saved; items
// are settled under rules that were reloaded. The caller calls it about once a
// minute; now is the wall clock.
func (inv *Inventory) Tick(ctx context.Context, now time.Time) error {
	if err := inv.saveSeen(ctx); err != nil {
		return err
	}
	if err := inv.settle(ctx); err != nil {
		return err
	}
	for _, id := range inv.overdue(now) {
		if err := inv.thin(ctx, id, now); err != nil {
			return err
		}
		for more := true; more; {
			if err := inv.do(ctx, func(b *batch) (err error) { more, err = b.age(id, now); return err }); err != nil {
				return err
			}
		}
		for more := true; more; {
			if err := inv.do(ctx, func(b *batch) (err error) { more, err = b.ageFound(id); return err }); err != nil {
				return err
			}
		}
	}
	if err := inv.finish(ctx); err != nil {
		return err
	}
	if !inv.forgot {
		if err := inv.do(ctx, (*batch).forget); err != nil {
			return err
		}
		inv.forgot = true
	}
	if err := inv.settleContests(ctx, now); err != nil {
		return err
	}
	return inv.do(ctx, func(b *batch) error {
		var old, faded []string
		for id, f := range inv.unseen {
			switch quiet := now.Sub(f.since); {
			case quiet > inv.edgeTTL:
				old = append(old, id)
			case cmdb.Fade(quiet, inv.edgeTTL) != f.told:
				faded = append(faded, id)
			}
		}
		slices.Sort(old)
		slices.Sort(faded)
		if len(faded) > expiryMax {
			faded = faded[:expiryMax]
		}
		for _, id := range faded {
			if err := b.fade(id, now); err != nil {
				return err
			}
		}
		if len(old) > expiryMax {
			old = old[:expiryMax] // the rest goes with the next tick
		}
		for _, id := range old {
			r, err := read(b, b.relations, inv.cols.relation, id)
			if err != nil {
				return err
			}
			if err := b.dropRelation(id); err != nil {
				return err
			}
			if r == nil {
				delete(inv.unseen, id)
				continue
			}
			for _, end := range []string{r.From, r.To} {
				if o, ok := inv.mem.byID[end]; ok {
					if err := b.dropLonely(o); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

const expiryMax = 2000

// fade brings the weight of an edge that no report shows any more to what now says,
// and tells the engine.
func (b *batch) fade(id string, now time.Time) error {
	old, err := read(b, b.relations, b.inv.cols.relation, id)
	if err != nil || old == nil {
		return err
	}
	r := *old
	r.Weight = cmdb.Fade(now.Sub(r.Unseen), b.inv.edgeTTL)
	set(b, b.relations, id, &r)
	b.mark(&r)
	b.tell(&event.Relation{From: b.inv.ref(r.From), Type: r.Type, To: b.inv.ref(r.To), Weight: r.Weight})
	return nil
}

// Gone items that nobody but an agent spoke of are forgotten after this long;
// their history stays. An asset with an owner or a price is people's to retire.
const forgetAfter = 180 * 24 * time.Hour

// saveSeen writes the last-seen times that moved, in chunks.
func (inv *Inventory) saveSeen(ctx context.Context) error {
	inv.mu.Lock()
	docs := make([]seenDoc, 0, len(inv.unsaved))
	for o := range inv.unsaved {
		if e := &inv.mem.entries[o]; e.id != "" {
			docs = append(docs, seenDoc{e.id, e.lastSeen})
		}
	}
	clear(inv.unsaved)
	inv.mu.Unlock()
	for chunk := range slices.Chunk(docs, 2000) {
		err := inv.db.Update(ctx, func(tx store.Tx) error {
			for _, d := range chunk {
				if err := inv.cols.seen.Put(tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// overdue lists the items whose liveness time has changed.
func (inv *Inventory) overdue(now time.Time) []string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	type bound struct{ stale, gone int64 }
	bounds := make([]bound, len(m.classes))
	for i, c := range m.classes {
		s, g := inv.Registry().Silences(c)
		bounds[i] = bound{int64(s / time.Second), int64(g / time.Second)}
	}
	var out []string
	for o := range m.entries {
		e := &m.entries[o]
		if e.id == "" || e.live == recorded {
			continue
		}
		quiet := now.Unix() - e.lastSeen
		due := false
		switch {
		case e.host != nil:
			b := bounds[e.class]
			due = e.live == seen && quiet > b.stale || e.live == stale && quiet > b.gone || e.live == gone && !e.told && quiet > b.gone+int64(forgetAfter/time.Second)
		case e.missing != 0:
			missing := now.Unix() - e.missing
			due = e.live != gone && missing > int64(inv.svcTTL/time.Second) || e.live == gone && !e.told && missing > int64((inv.svcTTL+forgetAfter)/time.Second)
		}
		if due {
			out = append(out, e.id)
		}
	}
	return out
}

// age brings one item's liveness to what now says. What was found on a machine
// shares its fate.
func (b *batch) age(id string, now time.Time) (more bool, err error) {
	inv := b.inv
	old, err := b.ci(id)
	if err != nil || old == nil {
		return false, err
	}
	o := inv.mem.byID[id]
	e := &inv.mem.entries[o]
	c := old.Clone()
	c.LastSeen = unix(inv.lastSeen(o))
	quiet := now.Sub(c.LastSeen)
	staleAfter, goneAfter := inv.Registry().Silences(c.Class)
	if e.host == nil && !c.Missing.IsZero() {
		quiet, goneAfter = now.Sub(c.Missing), inv.svcTTL
		staleAfter = goneAfter
	}
	switch {
	case quiet > goneAfter+forgetAfter && !e.told:
		return false, b.removeCI(id, "expiry")
	case quiet > goneAfter:
		c.Liveness = cmdb.Gone
	case quiet > staleAfter:
		c.Liveness = cmdb.Stale
	default:
		return false, nil
	}
	inv.rules.Load().Authority.Settle(c, inv.heard(c), now)
	if c.Liveness == cmdb.Gone {
		if more, err := b.isolate(o); err != nil || more {
			return more, err // its liveness changes with the last of its edges
		}
	}
	b.putCI(old, c, "expiry")
	return false, b.rejoin(c.Attributes.List("addresses"), id)
}

// ageFound gives what was found on a machine the machine's liveness, a part at a
// time. more says that some is left.
func (b *batch) ageFound(id string) (more bool, err error) {
	m := b.inv.mem
	e := m.at(id)
	if e == nil || e.live != stale && e.live != gone {
		return false, nil
	}
	live := livenessNames[e.live]
	for _, ch := range slices.Clone(e.children) {
		if m.entries[ch].live == gone || m.entries[ch].live == e.live {
			continue
		}
		if !b.fits(id) {
			return true, nil
		}
		was, err := b.ci(m.entries[ch].id)
		if err != nil || was == nil {
			return false, err
		}
		s := was.Clone()
		s.Liveness = live
		if live == cmdb.Gone {
			if more, err := b.isolate(ch); err != nil || more {
				return more, err
			}
		}
		b.putCI(was, s, "expiry")
	}
	return false, nil
}

// thin removes what was found on a machine that is about to be forgotten, but for
// what fits into one transaction with it.
func (inv *Inventory) thin(ctx context.Context, id string, now time.Time) error {
	forgotten := func() bool {
		inv.mu.RLock()
		defer inv.mu.RUnlock()
		e := inv.mem.at(id)
		if e == nil || e.live != gone || e.told || e.host == nil {
			return false
		}
		_, goneAfter := inv.Registry().Silences(inv.mem.classes[e.class])
		return now.Sub(unix(e.lastSeen)) > goneAfter+forgetAfter
	}
	if !forgotten() {
		return nil
	}
	return inv.clear(ctx, id, "expiry")
}

// clear removes what was found on a machine until the rest fits into one transaction.
func (inv *Inventory) clear(ctx context.Context, id, source string) error {
	for more := true; more; {
		err := inv.do(ctx, func(b *batch) error {
			more = false
			e := b.inv.mem.at(id)
			if e == nil || len(e.children) <= writesAtOnce {
				return nil
			}
			more = true
			for _, ch := range slices.Clone(e.children[:writesAtOnce]) {
				if err := b.removeCI(b.inv.mem.entries[ch].id, source); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (inv *Inventory) lastSeen(o uint32) int64 {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return inv.mem.entries[o].lastSeen
}

// isolate drops the edges that reports made of an item that is gone. What people
// recorded stays. more says that some did not fit into this transaction.
func (b *batch) isolate(o uint32) (more bool, err error) {
	m := b.inv.mem
	ids := map[string]bool{}
	for _, l := range m.entries[o].out {
		ids[relationID(m, o, l.kind, l.ord)] = true
	}
	for _, l := range m.entries[o].in {
		ids[relationID(m, l.ord, l.kind, o)] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		r, err := read(b, b.relations, b.inv.cols.relation, id)
		if err != nil {
			return false, err
		}
		if r == nil || slices.ContainsFunc(r.Sources, func(s string) bool { return len(s) < 6 || s[:6] != "agent:" }) {
			continue
		}
		if !b.fits(m.entries[o].id) {
			return true, nil
		}
		if err := b.dropRelation(id); err != nil {
			return false, err
		}
		for _, s := range r.Sources {
			if e := m.at(s[6:]); e != nil && e.host != nil {
				h, before := e.host, e.host.asserted
				h.asserted = slices.DeleteFunc(slices.Clone(before), func(x edge) bool { return relationID(m, x.from, x.kind, x.to) == id })
				b.later(func() { h.asserted = before })
			}
		}
	}
	return false, nil
}
