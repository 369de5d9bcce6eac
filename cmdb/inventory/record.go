package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Item is what a person or an import says of a configuration item.
type Item struct {
	// ID names a known item. Without it the item is found by what identifies it,
	// then by its class and name, else it is new.
	ID    string `json:"id,omitempty"`
	Class string `json:"class"`
	Name  string `json:"name"`
	// Attributes listed are said; nil takes back what this source said before.
	// Others stay as they are.
	Attributes cmdb.Attributes `json:"attributes,omitempty"`
	// Labels and Tags replace those there are; nil leaves them.
	Labels map[string]string `json:"labels,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
}

// SourceImport is the source of imports without a name; "import:NAME" is one of
// several, "person:NAME" a person.
const SourceImport = "import"

// Upsert records what source says of an item. created tells whether it was new.
func (inv *Inventory) Upsert(ctx context.Context, it Item, source string) (c cmdb.CI, created bool, err error) {
	err = inv.do(ctx, func(b *batch) error {
		doc, isNew, err := b.upsert(it, source)
		if err != nil {
			return err
		}
		c, created = *doc, isNew
		return nil
	})
	return c, created, err
}

// Line is one line of an import: an item or a relation.
type Line struct {
	CI       *Item
	Relation *Link
}

// Link is a relation by reference. A reference has an id, or class and name.
type Link struct {
	From    event.Ref `json:"from"`
	Type    string    `json:"type"`
	To      event.Ref `json:"to"`
	Removed bool      `json:"removed,omitempty"`
}

// LineError is a line that was not taken, with the reason. Lines count from 0.
type LineError struct {
	Line int
	Err  error
}

// importChunk is how many lines share a transaction.
const importChunk = 100

// Import records lines in order. A line that is wrong is reported and left out
// whole; the others are taken. The error is one of the store.
func (inv *Inventory) Import(ctx context.Context, lines []Line, source string) (bad []LineError, err error) {
	base := -importChunk
	for chunk := range slices.Chunk(lines, importChunk) {
		base += importChunk
		var wrong []LineError
		err := inv.do(ctx, func(b *batch) error {
			wrong = nil
			for i, l := range chunk {
				mark := len(b.undo)
				var err error
				switch {
				case l.CI != nil:
					_, _, err = b.upsert(*l.CI, source)
				case l.Relation != nil:
					err = b.relate(*l.Relation, source)
				}
				if err == nil {
					continue
				}
				b.rollback(mark)
				if fault.KindOf(err) == fault.Internal {
					return err
				}
				wrong = append(wrong, LineError{base + i, err})
			}
			return nil
		})
		bad = append(bad, wrong...)
		if err != nil {
			return bad, err
		}
	}
	return bad, nil
}

func (b *batch) upsert(it Item, source string) (*cmdb.CI, bool, error) {
	inv := b.inv
	old, err := b.findItem(it, source)
	if err != nil {
		return nil, false, err
	}
	if old != nil {
		it.Class = old.Class
		if it.Name == "" {
			it.Name = old.Name
		}
	}
	var bad fault.List
	bad = append(bad, inv.Registry().CheckName(it.Class, it.Name)...)
	attrs, err := inv.Registry().Check(it.Class, it.Attributes)
	var list fault.List
	var one *fault.Error
	switch {
	case errors.As(err, &list):
		bad = append(bad, list...)
	case errors.As(err, &one):
		bad = append(bad, one)
	}
	bad = append(bad, checkMarks(it)...)
	if err := bad.Err(); err != nil {
		return nil, false, err
	}
	said := make(map[string]any, len(it.Attributes))
	for k := range it.Attributes {
		said[k] = attrs[k] // nil where the value was empty
	}
	var c *cmdb.CI
	if old == nil {
		c = &cmdb.CI{
			ID: inv.newID(), Class: it.Class, Name: it.Name, Source: source, Attributes: cmdb.Attributes{},
			FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Recorded,
		}
	} else {
		c = old.Clone()
		if it.Name != c.Name {
			if it.ID != "" {
				c.Name = it.Name
				c.AddAlias(old.Name)
			} else {
				c.AddAlias(it.Name)
			}
		}
	}
	if c.Heard == nil {
		c.Heard = map[string]time.Time{}
	}
	c.Heard[source] = b.now
	inv.rules.Load().Authority.Say(c, source, said, b.now, inv.heard(c), b.now)
	if it.Labels != nil {
		c.Labels = maps.Clone(it.Labels)
	}
	if it.Tags != nil {
		c.Tags = sortedTags(it.Tags)
	}
	if old != nil && len(cmdb.DiffCIs(old, c)) == 0 && cmdb.SameClaims(old.Claims, c.Claims) && b.now.Sub(old.Heard[source]) < time.Hour {
		return old, false, nil
	}
	var places []string
	if old != nil {
		places = b.placesOf(inv.mem.byID[old.ID])
	}
	b.putCI(old, c, source)
	_, moved := said["addresses"]
	_, opened := said["ports"]
	if moved || opened || old == nil {
		if err := b.rejoin(append(places, b.placesOf(inv.mem.byID[c.ID])...), ""); err != nil {
			return nil, false, err
		}
	}
	if old == nil && isMachine[c.Class] {
		return c, true, b.proposeRow(c)
	}
	return c, old == nil, nil
}

// proposeRow asks whether a new row is a machine that reports: a name alone does
// not say so, and two items without a word would both be half of one.
func (b *batch) proposeRow(c *cmdb.CI) error {
	in := cmdb.IdentifiersFrom(c.Name, c.Attributes)
	known, err := b.candidates(in, "", true)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(k cmdb.Candidate) bool { return k.CI == c.ID || !k.Recorded })
	return b.propose(c.ID, cmdb.Identify(in, known, b.shared), in)
}

// isMachine are the classes whose rows are compared with what agents report.
var isMachine = map[string]bool{"host": true, "virtual_machine": true, "hypervisor": true}

func sortedTags(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

func checkMarks(it Item) (bad fault.List) {
	if len(it.Labels) > 128 || len(it.Tags) > 128 {
		bad = append(bad, fault.Invalidf("labels", "more than 128 labels or tags"))
	}
	for k, v := range it.Labels {
		if k == "" || len(k) > 128 || len(v) > 1024 {
			bad = append(bad, fault.Invalidf("labels."+k, "want a name of 1 to 128 bytes and a value of up to 1024"))
		}
	}
	for i, t := range it.Tags {
		if t == "" || len(t) > 64 || strings.ContainsAny(t, " ,\"\t\n") {
			bad = append(bad, fault.Invalidf(fmt.Sprintf("tags[%d]", i), "want 1 to 64 characters without spaces, commas and quotes, got %.80q", t))
		}
	}
	return bad
}

// findItem returns the known item that is meant, nil if it is new.
func (b *batch) findItem(it Item, source string) (*cmdb.CI, error) {
	m := b.inv.mem
	if it.ID != "" {
		id := b.inv.resolve(it.ID)
		if id == "" {
			return nil, fault.NotFoundf("configuration item %q does not exist", it.ID)
		}
		c, err := b.ci(id)
		if err == nil && c != nil && it.Class != "" && it.Class != c.Class {
			return nil, fault.Invalidf("class", "%s is a %s: an item keeps its class", c.Name, c.Class)
		}
		return c, err
	}
	var named *cmdb.CI
	if o, ok := m.find(it.Class, it.Name); ok {
		c, err := b.ci(m.entries[o].id)
		if err != nil {
			return nil, err
		}
		if c != nil && c.MergedInto != "" {
			c, err = b.ci(b.inv.resolve(c.ID))
			if err != nil {
				return nil, err
			}
		}
		named = c
	}
	if !isMachine[it.Class] {
		return named, nil
	}
	attrs := make(cmdb.Attributes, len(it.Attributes))
	for k, v := range it.Attributes {
		attrs[k] = cmdb.Normalize(v)
	}
	in := cmdb.IdentifiersFrom(it.Name, attrs)
	known, err := b.candidates(in, "", true)
	if err != nil {
		return nil, err
	}
	v := cmdb.Identify(in, known, b.shared)
	switch {
	case v.Outcome == cmdb.Conflict:
		return nil, fault.Conflictf("what identifies %s belongs to %d items: give the id of the one that is meant", it.Name, len(v.Findings))
	case v.Outcome == cmdb.Match && named != nil && named.ID != v.CI:
		return nil, fault.Conflictf("%s %s is %s by name and %s by its %s: give the id of the one that is meant", it.Class, it.Name, named.ID, v.CI, v.Rule)
	case v.Outcome == cmdb.Match:
		return b.ci(v.CI)
	}
	return named, nil
}

// Relate records or takes back a relation.
func (inv *Inventory) Relate(ctx context.Context, l Link, source string) error {
	return inv.do(ctx, func(b *batch) error { return b.relate(l, source) })
}

func (b *batch) relate(l Link, source string) error {
	m := b.inv.mem
	if _, ok := b.inv.Registry().Relation(l.Type); !ok {
		var names []string
		for _, t := range b.inv.Registry().Relations() {
			names = append(names, t.Name)
		}
		return fault.Invalidf("type", "%q is no relation type: want one of %s", l.Type, strings.Join(names, ", "))
	}
	from, err := b.meant("from", l.From)
	if err != nil {
		return err
	}
	to, err := b.meant("to", l.To)
	if err != nil {
		return err
	}
	if from == to {
		return fault.Invalidf("to", "an item cannot be related to itself")
	}
	kind := m.kind(l.Type)
	places := b.placesOf(from)
	if l.Removed {
		err = b.dropRelation(relationID(m, from, kind, to))
	} else {
		err = b.assert(from, kind, to, source, "")
	}
	if err != nil || l.Type != runsOn {
		return err
	}
	return b.rejoin(append(places, b.placesOf(from)...), "")
}

func (b *batch) meant(field string, r event.Ref) (uint32, error) {
	if r.ID != "" {
		if o, ok := b.inv.mem.byID[b.inv.resolve(r.ID)]; ok {
			return o, nil
		}
		return 0, fault.NotFoundf("%s: configuration item %q does not exist", field, r.ID)
	}
	if o, ok := b.inv.mem.find(r.Class, r.Name); ok {
		return b.inv.mem.byID[b.inv.resolve(b.inv.mem.entries[o].id)], nil
	}
	return 0, fault.NotFoundf("%s: there is no %s named %q: its line must come first", field, r.Class, r.Name)
}

// CheckRemove says what removing an item would do that its caller may not mean: a
// machine that reports comes back with its next report as a new item, and what
// stands in a place or hangs on a power unit would stand nowhere.
func (inv *Inventory) CheckRemove(id string) error {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	o, ok := m.byID[id]
	if !ok {
		return fault.NotFoundf("configuration item %q does not exist", id)
	}
	e := &m.entries[o]
	if inv.reports(o, inv.now()) {
		return fault.Conflictf("%s reports: removed, it would come back as a new item, without its owner, cost and history. Retire it (lifecycle=retired), stop its agent first, or remove it by force", e.name)
	}
	var held []string
	n := 0
	for _, l := range e.in {
		from := &m.entries[l.ord]
		if !slices.Contains(holding, m.kinds[l.kind]) || from.live == gone || from.parent == o+1 || m.text(l.ord, "lifecycle") == "disposed" {
			continue
		}
		if n++; len(held) < heldNamed {
			held = append(held, m.classes[from.class]+" "+from.name)
		}
	}
	if n == 0 {
		return nil
	}
	slices.Sort(held)
	what := strings.Join(held, ", ")
	if n > len(held) {
		what += fmt.Sprintf(" and %d more", n-len(held))
	}
	return fault.Conflictf("%s still holds %s: move them first, or remove it by force", e.name, what)
}

// holding are the relations to what holds an item in some way: a place, a power
// unit, a switch, a platform.
var holding = []string{"located_in", "powered_by", "attached_to", runsOn}

const heldNamed = 5 // items that a refusal names

// Remove deletes an item with what was found on it. Its history stays.
func (inv *Inventory) Remove(ctx context.Context, id, source string) error {
	if err := inv.clear(ctx, id, source); err != nil {
		return err
	}
	return inv.do(ctx, func(b *batch) error { return b.removeCI(id, source) })
}

func (b *batch) removeCI(id, source string) error {
	inv := b.inv
	c, err := b.ci(id)
	if err != nil {
		return err
	}
	if c == nil {
		return fault.NotFoundf("configuration item %q does not exist", id)
	}
	o := inv.mem.byID[id]
	for _, ch := range slices.Clone(inv.mem.entries[o].children) {
		if err := b.removeCI(inv.mem.entries[ch].id, source); err != nil {
			return err
		}
	}
	if inv.mem.entries[o].host != nil {
		if err := b.dropHost(id); err != nil {
			return err
		}
	}
	whole, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keep the last state of %s: %w", id, err)
	}
	b.log(id, Removed, string(whole), nil, source)
	places := b.placesOf(o)
	if err := b.dropCI(c); err != nil {
		return err
	}
	b.write(func(tx store.Tx) error { return inv.cols.seen.Delete(tx, id) })
	return b.rejoin(places, id)
}

// dropHost forgets that an item reports: its edges, sections and identity.
func (b *batch) dropHost(id string) error {
	inv := b.inv
	o := inv.mem.byID[id]
	if err := b.assertAll(o, nil, false); err != nil {
		return err
	}
	b.setConns(id, nil)
	numbers, err := b.packageNumbers(id)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	for _, n := range numbers {
		inv.soft.rows[n].hosts.remove(o)
	}
	inv.mu.Unlock()
	b.later(func() {
		for _, n := range numbers {
			inv.soft.rows[n].hosts.add(o)
		}
	})
	for _, name := range sectionNames {
		set(b, b.sections, id+" "+name, nil)
	}
	d, err := read(b, b.hosts, inv.cols.host, id)
	if err != nil || d == nil {
		return err
	}
	set(b, b.hosts, id, nil)
	keys := d.Ident.Keys()
	inv.mu.Lock()
	was := inv.mem.entries[o].host
	inv.mem.entries[o].host = nil
	inv.mem.dropKeys(o, keys)
	delete(inv.unsaved, o)
	inv.mu.Unlock()
	b.later(func() {
		inv.mem.entries[o].host = was
		inv.mem.addKeys(o, keys)
	})
	return nil
}
