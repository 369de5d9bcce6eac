package inventory

import (
	"context"
	"fmt"
	"slices"

	"github.com/watchbill/watchbill/cmdb/report"
)

// A large host (thousands of containers, listeners, certificates) must neither be
// refused whole nor hold up the others: what its report makes of items and edges is
// written a part at a time, each a transaction of its own, with others' between.

const (
	// writesAtOnce is how many items and edges one transaction makes for one caller.
	// Each takes about ten rows with its facts and history; a transaction of the
	// store takes some 20,000, and many callers share one.
	writesAtOnce = 600
	// maxFound is how many of one section become items. A host with more has
	// something wrong with it, or is a machine of another kind.
	maxFound = 2000
)

// room is what is left of writesAtOnce, and whose items and edges did not fit.
type room struct {
	left int
	more map[string]bool // machines
	// from is where the part before ended in the list of what was found, next where
	// this one did.
	from, next int
}

// begin gives a closure its room.
func (b *batch) begin() {
	b.room = room{left: writesAtOnce}
}

// fits takes room for one item or edge of a machine, or notes that there is none.
func (b *batch) fits(machine string) bool {
	if b.room.left > 0 {
		b.room.left--
		return true
	}
	if b.room.more == nil {
		b.room.more = map[string]bool{}
	}
	b.room.more[machine] = true
	return false
}

// postpone marks the machines of which something did not fit, in the transaction
// that left it out, and those that are done: resume goes on with the former, after
// a crash too.
func (b *batch) postpone(done string) error {
	ids := []string{done}
	for id := range b.room.more {
		if id != done {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		d, err := read(b, b.hosts, b.inv.cols.host, id)
		if err != nil {
			return fmt.Errorf("read what is left of %s: %w", id, err)
		}
		if d == nil || d.Unfinished == b.room.more[id] {
			continue
		}
		x := *d
		x.Unfinished = b.room.more[id]
		b.putHost(d, &x)
	}
	return nil
}

// unfinished lists machines of which something is left to be written.
func (inv *Inventory) unfinished() []string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	var out []string
	for id := range inv.left {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// finish writes what is left of machines, a part at a time.
func (inv *Inventory) finish(ctx context.Context) error {
	// Each part makes progress; the bound is for what others add meanwhile.
	const rounds = 20 * maxFound / writesAtOnce
	for range rounds {
		ids := inv.unfinished()
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			if err := inv.do(ctx, func(b *batch) error { return b.resume(id) }); err != nil {
				return fmt.Errorf("go on with %s: %w", id, err)
			}
		}
	}
	return nil
}

// resume goes on with a machine's items and edges where the room ended.
func (b *batch) resume(id string) error {
	c, err := b.ci(id)
	if err != nil {
		return err
	}
	e := b.inv.mem.at(id)
	if c == nil || e == nil || e.host == nil {
		b.inv.mu.Lock()
		delete(b.inv.left, id)
		b.inv.mu.Unlock()
		return nil
	}
	b.begin()
	b.room.from = b.inv.left[id]
	if err := b.reconcile(c, c, incoming{resumed: true}); err != nil {
		return err
	}
	if err := b.postpone(id); err != nil {
		return err
	}
	if b.room.more[id] {
		b.inv.mu.Lock()
		b.inv.left[id] = b.room.next
		b.inv.mu.Unlock()
	}
	return nil
}

// atMost cuts a list to what becomes items.
func atMost[T any](list []T) []T { return list[:min(len(list), maxFound)] }

// bounded says on the machine what of its sections does not become items.
func bounded(fresh map[string]*content) {
	for _, c := range fresh {
		n := 0
		switch v := c.value.(type) {
		case []report.Listener:
			n = len(v)
		case []report.Container:
			n = len(v)
		case []report.Certificate:
			n = len(v)
		}
		if n > maxFound {
			c.probs = append(slices.Clone(c.probs), report.Problem{Reason: fmt.Sprintf("has %d entries: only the first %d became items", n, maxFound)})
		}
	}
}
