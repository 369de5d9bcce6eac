package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// line queues writers. The first becomes the leader: it runs the closures of all
// that wait, one after the other, and commits them in one transaction, so that a
// slow disk is paid for once per batch and closures see each other's effects.
type line struct {
	mu      sync.Mutex
	busy    bool
	waiting []*writer
}

type writer struct {
	f    func(*batch) error
	done chan error
	lead chan struct{}
}

const (
	batchMax   = 256
	batchBytes = 1 << 20 // well below what one transaction of the store can take
)

// do runs f in the next batch and returns when it is durable. f must not be
// called concurrently with anything that writes, and it is not. After an error
// of f nothing of it is left.
func (inv *Inventory) do(ctx context.Context, f func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &writer{f: f, done: make(chan error, 1), lead: make(chan struct{}, 1)}
	l := &inv.line
	l.mu.Lock()
	l.waiting = append(l.waiting, w)
	leads := !l.busy
	l.busy = true
	l.mu.Unlock()
	if !leads {
		select {
		case err := <-w.done:
			return err
		case <-w.lead:
		}
	}
	inv.runBatch()
	l.mu.Lock()
	if len(l.waiting) > 0 {
		l.waiting[0].lead <- struct{}{}
	} else {
		l.busy = false
	}
	l.mu.Unlock()
	return <-w.done
}

// together is how many writes of one caller share a transaction: each is synced to
// disk, which takes longer than the write.
const together = 100

// each runs f for 0 to n-1, many in one transaction. An error of f undoes what that
// call did and nothing else, and is returned in its place; err is the store's, and
// what shared its transaction is lost with it.
func (inv *Inventory) each(ctx context.Context, n int, f func(b *batch, i int) error) (errs []error, err error) {
	errs = make([]error, n)
	for i := 0; i < n; {
		err := inv.do(ctx, func(b *batch) error {
			for from := i; i < n && (i == from || i-from < together && b.bytes < batchBytes/2); i++ {
				mark := len(b.undo)
				if errs[i] = b.guard(func(b *batch) error { return f(b, i) }); errs[i] != nil {
					b.rollback(mark)
				}
			}
			return nil
		})
		if err != nil {
			return errs, err
		}
	}
	return errs, nil
}

func (inv *Inventory) runBatch() {
	b := &batch{
		inv: inv, now: inv.now(), cis: map[string]*cmdb.CI{}, relations: map[string]*cmdb.Relation{},
		hosts: map[string]*hostDoc{}, sections: map[string]*sectionDoc{}, tasks: map[string]*Task{},
	}
	inv.mu.Lock()
	inv.overlay = b
	inv.mu.Unlock()
	var joined []*writer
	for len(joined) < batchMax && b.bytes < batchBytes {
		inv.line.mu.Lock()
		if len(inv.line.waiting) == 0 {
			inv.line.mu.Unlock()
			break
		}
		w := inv.line.waiting[0]
		inv.line.waiting = inv.line.waiting[1:]
		inv.line.mu.Unlock()
		mark := len(b.undo)
		b.begin()
		if err := b.guard(w.f); err != nil {
			b.rollback(mark)
			w.done <- err
			continue
		}
		joined = append(joined, w)
	}
	err := b.commit()
	if err != nil {
		b.rollback(0)
	} else {
		inv.soft.unsaved = nil
	}
	inv.mu.Lock()
	inv.overlay = nil
	inv.mu.Unlock()
	if err == nil {
		inv.readers.publish(b)
	}
	for _, w := range joined {
		w.done <- err
	}
}

// batch is what the closures of one transaction wrote so far. nil documents are deletions.
type batch struct {
	inv       *Inventory
	now       time.Time
	cis       map[string]*cmdb.CI
	relations map[string]*cmdb.Relation
	hosts     map[string]*hostDoc
	sections  map[string]*sectionDoc
	tasks     map[string]*Task
	others    []func(tx store.Tx) error // history, views: only written
	events    []event.Event
	undo      []func()
	room      room
	bytes     int
}

func (b *batch) guard(f func(*batch) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// One hostile report must not take the writers behind it down.
			err = fmt.Errorf("inventory write panicked: %v", p)
			b.inv.log.Error("inventory write panicked", "panic", p)
		}
	}()
	return f(b)
}

// rollback undoes what was done after mark, newest first.
func (b *batch) rollback(mark int) {
	b.inv.mu.Lock()
	defer b.inv.mu.Unlock()
	for i := len(b.undo) - 1; i >= mark; i-- {
		b.undo[i]()
	}
	b.undo = b.undo[:mark]
}

// later registers how to take a change back. It runs with the lock held.
func (b *batch) later(f func()) { b.undo = append(b.undo, f) }

// commit writes everything. Sections and packages may need transactions of their
// own before: they mean nothing until the host row names their hash. Documents,
// relations and facts stay together.
func (b *batch) commit() error {
	ctx := context.Background() // decided already: nobody may cancel what others wait for
	c := &b.inv.cols
	var bulk, core []func(tx store.Tx) error
	for _, p := range b.inv.soft.unsaved {
		bulk = append(bulk, func(tx store.Tx) error { return c.pkg.Overwrite(tx, p) })
	}
	for id, s := range b.sections {
		bulk = append(bulk, put(c.section, id, s))
	}
	bulk = append(bulk, b.others...)
	for id, d := range b.cis {
		core = append(core, put(c.ci, id, d))
	}
	for id, d := range b.relations {
		core = append(core, put(c.relation, id, d))
	}
	for id, d := range b.hosts {
		core = append(core, put(c.host, id, d))
	}
	for id, d := range b.tasks {
		core = append(core, put(c.task, id, d))
	}
	if len(b.events) > 0 {
		core = append(core, func(tx store.Tx) error {
			_, err := b.inv.journal.Append(tx, b.events...)
			return err
		})
	}
	if len(bulk)+len(core) == 0 {
		return nil
	}
	run := func(steps []func(tx store.Tx) error) error {
		return b.inv.db.Update(ctx, func(tx store.Tx) error {
			for _, f := range steps {
				if err := f(tx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if b.bytes < batchBytes {
		if err := run(slices.Concat(bulk, core)); err != nil {
			return fmt.Errorf("commit inventory: %w", err)
		}
		return nil
	}
	for part := range slices.Chunk(bulk, 200) {
		if err := run(part); err != nil {
			return fmt.Errorf("commit sections: %w", err)
		}
	}
	if err := run(core); err != nil {
		return fmt.Errorf("commit inventory: %w", err)
	}
	return nil
}

func put[T any](c *store.Collection[T], id string, doc *T) func(store.Tx) error {
	return func(tx store.Tx) error {
		if doc == nil {
			return c.Delete(tx, id)
		}
		return c.Overwrite(tx, *doc)
	}
}

// read finds a row in the batch, then in the store. The result is the batch's: it
// must be cloned before it is edited.
func read[T any](b *batch, pending map[string]*T, c *store.Collection[T], id string) (*T, error) {
	if d, ok := pending[id]; ok {
		return d, nil
	}
	var out *T
	err := b.inv.db.View(context.Background(), func(r store.Reader) error {
		row, ok, err := c.Find(r, id)
		if ok {
			out = &row.Doc
		}
		return err
	})
	return out, err
}

func set[T any](b *batch, pending map[string]*T, id string, doc *T) {
	old, had := pending[id]
	b.inv.mu.Lock()
	pending[id] = doc
	b.inv.mu.Unlock()
	b.bytes += 400
	b.later(func() {
		if had {
			pending[id] = old
		} else {
			delete(pending, id)
		}
	})
}

// ci returns an item, nil if it does not exist.
func (b *batch) ci(id string) (*cmdb.CI, error) {
	if b.inv.mem.at(id) == nil {
		return nil, nil
	}
	return read(b, b.cis, b.inv.cols.ci, id)
}

// putCI stores the new form of an item whose stored form is old (nil: it is new),
// writes its history and tells the engine what it needs to know.
func (b *batch) putCI(old, doc *cmdb.CI, source string) {
	inv := b.inv
	doc.Completeness, doc.Incomplete = inv.Registry().Complete(doc.Class, doc.Attributes)
	set(b, b.cis, doc.ID, doc)
	before, after := inv.recordedKeys(old), inv.recordedKeys(doc)
	inv.mu.Lock()
	o := inv.mem.put(doc)
	inv.mem.dropKeys(o, before)
	inv.mem.addKeys(o, after)
	inv.mu.Unlock()
	b.later(func() {
		inv.mem.dropKeys(o, after)
		if old == nil {
			inv.mem.remove(doc.ID)
		} else {
			inv.mem.put(old)
			inv.mem.addKeys(o, before)
		}
	})
	b.remember(old, doc, source)
	b.tellCI(old, doc)
}

// dropCI removes an item and its relations for good.
func (b *batch) dropCI(doc *cmdb.CI) error {
	e := b.inv.mem.at(doc.ID)
	o := b.inv.mem.byID[doc.ID]
	for _, l := range slices.Clone(e.out) {
		if err := b.dropRelation(relationID(b.inv.mem, o, l.kind, l.ord)); err != nil {
			return err
		}
	}
	for _, l := range slices.Clone(e.in) {
		if err := b.dropRelation(relationID(b.inv.mem, l.ord, l.kind, o)); err != nil {
			return err
		}
	}
	lost := *e
	keys := b.inv.recordedKeys(doc)
	set(b, b.cis, doc.ID, nil)
	b.inv.mu.Lock()
	b.inv.mem.dropKeys(o, keys)
	b.inv.mem.remove(doc.ID)
	b.inv.mu.Unlock()
	b.later(func() {
		n := b.inv.mem.put(doc)
		b.inv.mem.addKeys(n, keys)
		b.inv.mem.entries[n].host = lost.host
		for _, c := range lost.children {
			b.inv.mem.entries[c].parent = n + 1
			b.inv.mem.entries[n].children = append(b.inv.mem.entries[n].children, c)
		}
	})
	b.tell(&event.CI{Ref: doc.Ref(), Removed: true})
	return nil
}

// assert records that source says "from kind to". A new relation is a fact.
func (b *batch) assert(from uint32, kind uint8, to uint32, source, evidence string) error {
	m := b.inv.mem
	id := relationID(m, from, kind, to)
	known := slices.Contains(m.entries[from].out, link{to, kind})
	r := &cmdb.Relation{From: m.entries[from].id, Type: m.kinds[kind], To: m.entries[to].id, FirstSeen: b.now}
	if known {
		old, err := read(b, b.relations, b.inv.cols.relation, id)
		if err != nil {
			return err
		}
		if old != nil {
			if slices.Contains(old.Sources, source) {
				return nil
			}
			c := *old
			r = &c
		}
	}
	r.Sources = append(slices.Clone(r.Sources), source)
	slices.Sort(r.Sources)
	faded := r.Weight != 0
	r.Unseen, r.Weight, r.Evidence = time.Time{}, 0, cmp.Or(evidence, r.Evidence)
	set(b, b.relations, id, r)
	b.mark(r)
	if known {
		if faded {
			b.tell(&event.Relation{From: b.inv.ref(r.From), Type: r.Type, To: b.inv.ref(r.To), Weight: 1})
		}
		return nil
	}
	b.inv.mu.Lock()
	m.link(from, kind, to)
	b.inv.mu.Unlock()
	b.later(func() { m.unlink(from, kind, to) })
	b.tell(&event.Relation{From: b.inv.ref(r.From), Type: r.Type, To: b.inv.ref(r.To)})
	b.log(r.From, "relation:"+r.Type, nil, r.To, source)
	return nil
}

// retract records that source does not say so any more. The relation goes at
// once, or after a while if linger is set: one quiet minute does not make two
// services independent.
func (b *batch) retract(id, source string, linger bool) error {
	old, err := read(b, b.relations, b.inv.cols.relation, id)
	if err != nil || old == nil {
		return err
	}
	r := *old
	r.Sources = slices.DeleteFunc(slices.Clone(old.Sources), func(s string) bool { return s == source })
	if len(r.Sources) == 0 {
		if !linger {
			b.drop(old)
			return nil
		}
		if r.Unseen.IsZero() {
			r.Unseen = b.now
		}
	}
	set(b, b.relations, id, &r)
	b.mark(&r)
	return nil
}

// mark keeps the set of relations that wait for their expiry.
func (b *batch) mark(r *cmdb.Relation) {
	id := r.ID()
	was, had := b.inv.unseen[id]
	if r.Unseen.IsZero() {
		delete(b.inv.unseen, id)
	} else {
		b.inv.unseen[id] = fading{r.Unseen, cmp.Or(r.Weight, 1)}
	}
	b.later(func() {
		delete(b.inv.unseen, id)
		if had {
			b.inv.unseen[id] = was
		}
	})
}

func (b *batch) dropRelation(id string) error {
	r, err := read(b, b.relations, b.inv.cols.relation, id)
	if err == nil && r != nil {
		b.drop(r)
	}
	return err
}

// drop removes a relation that was read.
func (b *batch) drop(r *cmdb.Relation) {
	inv := b.inv
	set(b, b.relations, r.ID(), nil)
	of, okFrom := inv.mem.byID[r.From]
	ot, okTo := inv.mem.byID[r.To]
	if okFrom && okTo {
		kind := inv.mem.kind(r.Type)
		inv.mu.Lock()
		inv.mem.unlink(of, kind, ot)
		inv.mu.Unlock()
		b.later(func() { inv.mem.link(of, kind, ot) })
	}
	gone := *r
	gone.Unseen = time.Time{}
	b.mark(&gone)
	b.tell(&event.Relation{From: b.inv.ref(r.From), Type: r.Type, To: b.inv.ref(r.To), Removed: true})
	b.log(r.From, "relation:"+r.Type, r.To, nil, strings.Join(r.Sources, ","))
}

// tell queues a fact for the engine.
func (b *batch) tell(body event.Body) {
	e, err := event.New(body)
	if err != nil {
		b.inv.log.Error("a fact could not be encoded", "error", err)
		return
	}
	n := len(b.events)
	b.events = append(b.events, e)
	b.bytes += len(e.Body) + 64
	b.later(func() { b.events = b.events[:n] })
}

func relationID(m *memory, from uint32, kind uint8, to uint32) string {
	r := cmdb.Relation{From: m.entries[from].id, Type: m.kinds[kind], To: m.entries[to].id}
	return r.ID()
}
