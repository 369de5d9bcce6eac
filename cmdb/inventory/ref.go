package inventory

import (
	"github.com/watchbill/watchbill/internal/event"
)

// Ref names an item from memory; ok is false for one that is not there. An item
// that was merged away is named by the one it became.
func (inv *Inventory) Ref(id string) (ref event.Ref, ok bool) {
	if id = inv.resolve(id); id == "" {
		return event.Ref{}, false
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	o, ok := inv.mem.byID[id]
	if !ok {
		return event.Ref{}, false
	}
	e := &inv.mem.entries[o]
	return event.Ref{ID: e.id, Class: inv.mem.classes[e.class], Name: e.name}, true
}

// Find names an item by class and name; ok is false where there is none.
func (inv *Inventory) Find(class, name string) (ref event.Ref, ok bool) {
	inv.mu.RLock()
	o, ok := inv.mem.find(class, name)
	id := ""
	if ok {
		id = inv.mem.entries[o].id
	}
	inv.mu.RUnlock()
	if !ok {
		return event.Ref{}, false
	}
	return inv.Ref(id)
}
