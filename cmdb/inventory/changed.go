package inventory

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Changed names something of the inventory that changed: kind "ci" or "task".
// An id of "" stands for very many of the kind.
type Changed struct {
	Kind string
	ID   string
}

// Subscription collects what changes, each thing once until it is taken: however
// many reports come, a slow reader costs a bounded set.
type Subscription struct {
	// C is signalled when there is something to take.
	C <-chan struct{}

	wake  chan struct{}
	leave func()
	mu    sync.Mutex
	set   map[Changed]struct{}
}

// changedMost is how many changed things one reader is told by name; of more he
// is told that they are many.
const changedMost = 1000

// Take returns what changed since the last call, in order of kind and id.
func (s *Subscription) Take() []Changed {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Changed, 0, len(s.set))
	for c := range s.set {
		out = append(out, c)
	}
	clear(s.set)
	slices.SortFunc(out, func(a, b Changed) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Close ends the subscription.
func (s *Subscription) Close() { s.leave() }

func (s *Subscription) add(changes []Changed) {
	s.mu.Lock()
	for _, c := range changes {
		if _, many := s.set[Changed{Kind: c.Kind}]; many {
			continue
		}
		if len(s.set) >= changedMost {
			for k := range s.set {
				if k.Kind == c.Kind {
					delete(s.set, k)
				}
			}
			c.ID = ""
		}
		s.set[c] = struct{}{}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// readers are those who follow what changes.
type readers struct {
	mu  sync.Mutex
	all map[*Subscription]struct{}
}

// Subscribe tells of changes from now on, after they are durable. A report that
// changes nothing but the time of the last one is no change.
func (inv *Inventory) Subscribe() *Subscription {
	wake := make(chan struct{}, 1)
	s := &Subscription{C: wake, wake: wake, set: map[Changed]struct{}{}}
	r := &inv.readers
	s.leave = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.all, s)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[*Subscription]struct{}{}
	}
	r.all[s] = struct{}{}
	return s
}

// publish tells the readers what a committed batch changed.
func (r *readers) publish(b *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return
	}
	ids := map[Changed]struct{}{}
	for id := range b.cis {
		ids[Changed{"ci", id}] = struct{}{}
	}
	for key := range b.sections {
		id, _, _ := strings.Cut(key, " ")
		ids[Changed{"ci", id}] = struct{}{}
	}
	for key := range b.relations {
		if ends := strings.Fields(key); len(ends) == 3 { // FROM TYPE TO, also of one that is gone
			ids[Changed{"ci", ends[0]}] = struct{}{}
			ids[Changed{"ci", ends[2]}] = struct{}{}
		}
	}
	for id := range b.tasks {
		ids[Changed{"task", id}] = struct{}{}
	}
	if len(ids) == 0 {
		return
	}
	list := make([]Changed, 0, len(ids))
	for c := range ids {
		list = append(list, c)
	}
	for s := range r.all {
		s.add(list)
	}
}
