package inventory

import (
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
)

// toldOf names the attributes that the engine is told of an item. An inventory that was
// written under others tells every item anew: see settle.
func toldOf() string { return strings.Join(event.ItemAttributes, " ") }

// fact is an item as the engine needs it; Removed where it should forget it. Nothing
// but event.ItemAttributes reaches the journal.
func fact(c *cmdb.CI) *event.CI {
	f := &event.CI{Ref: c.Ref(), Labels: c.Labels, Removed: c.Liveness == cmdb.Gone || c.MergedInto != ""}
	if f.Removed {
		f.Labels = nil
		return f
	}
	f.Attributes = map[string]any{}
	for _, k := range event.ItemAttributes {
		if v, ok := c.Attributes[k]; ok {
			f.Attributes[k] = v
		}
	}
	if !c.FirstSeen.IsZero() { // whose name it is, among namesakes
		f.Attributes["first_seen"] = c.FirstSeen.UTC().Format(event.TimeFormat)
	}
	if len(c.Aliases) > 0 {
		names := slices.Concat(c.Attributes.List("aliases"), c.Aliases)
		slices.Sort(names)
		f.Attributes["aliases"] = slices.Compact(names)
	}
	return f
}

// tellCI tells the engine of an item if what it needs of it changed.
func (b *batch) tellCI(old, doc *cmdb.CI) {
	now := fact(doc)
	if old == nil {
		if !now.Removed {
			b.tell(now)
		}
		return
	}
	was := fact(old)
	if was.Removed && now.Removed || sameFact(was, now) {
		return
	}
	b.tell(now)
}

// retell tells the engine of an item that it knows, with what it was not told before.
func (b *batch) retell(c *cmdb.CI) {
	if f := fact(c); !f.Removed {
		b.tell(f)
	}
}

func sameFact(a, b *event.CI) bool {
	return a.Ref == b.Ref && a.Removed == b.Removed &&
		len(cmdb.Diff(a.Attributes, b.Attributes)) == 0 && equalLabels(a.Labels, b.Labels)
}

func equalLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// ref names an item of the index.
func (inv *Inventory) ref(id string) event.Ref {
	e := inv.mem.at(id)
	if e == nil {
		return event.Ref{ID: id}
	}
	return event.Ref{ID: id, Class: inv.mem.classes[e.class], Name: e.name}
}
