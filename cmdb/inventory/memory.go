package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/watchbill/watchbill/cmdb"
)

// memory is what the inventory keeps resident: enough of every item to find,
// filter, sort and walk it, but not the documents. An item's number (ord) is
// this process's own and is reused after a removal; it never leaves the package.
type memory struct {
	entries []entry
	free    []uint32
	byID    map[string]uint32
	columns map[string]*column
	order   []string // column names as numbered in entry.terms
	classes []string
	classOf map[string]uint16
	all     *roaring.Bitmap
	byName  []uint32            // live ords by (name, id)
	keys    map[string]*posting // identity keys of reporting machines
	sorted  bool
	kinds   []string // relation types as numbered in links
}

// kind numbers a relation type.
func (m *memory) kind(name string) uint8 {
	if i := slices.Index(m.kinds, name); i >= 0 {
		return uint8(i)
	}
	m.kinds = append(m.kinds, strings.Clone(name))
	return uint8(len(m.kinds) - 1)
}

type entry struct {
	id, name, key string
	class         uint16
	parent        uint32 // ord+1; 0 is none
	live          liveness
	complete      bool
	told          bool  // people or imports spoke of it: never forgotten by itself
	firstSeen     int64 // Unix seconds
	lastSeen      int64
	missing       int64 // since when the parent reports without it; 0 while reported
	terms         []term
	out, in       []link
	children      []uint32
	host          *hostState
}

type liveness uint8

const (
	recorded liveness = iota
	seen
	stale
	gone
)

var livenessNames = [...]cmdb.Liveness{cmdb.Recorded, cmdb.Seen, cmdb.Stale, cmdb.Gone}

type link struct {
	ord  uint32
	kind uint8
}

type term struct {
	column uint16
	value  uint32
}

// column is the dictionary of one field: every value that stands on some item.
type column struct {
	name   string
	number uint16
	ids    map[string]uint32
	values []value
	free   []uint32
	hay    *haystack // of the columns that a bare word is looked for in
}

type value struct {
	text string
	num  float64
	is   bool   // text is a number
	at   uint32 // where it stands in the column's haystack
	post posting
}

func newMemory() *memory {
	return &memory{
		byID: map[string]uint32{}, columns: map[string]*column{}, classOf: map[string]uint16{},
		all: roaring.New(), keys: map[string]*posting{},
	}
}

func (m *memory) class(name string) uint16 {
	c, ok := m.classOf[name]
	if !ok {
		c = uint16(len(m.classes))
		m.classes = append(m.classes, strings.Clone(name))
		m.classOf[m.classes[c]] = c
	}
	return c
}

func (m *memory) at(id string) *entry {
	if o, ok := m.byID[id]; ok {
		return &m.entries[o]
	}
	return nil
}

// indexed is what the memory keeps of a document.
type indexed struct {
	id, class, name, parent, key string
	firstSeen, lastSeen, missing int64 // Unix seconds
	live                         liveness
	complete, told               bool
	pairs                        []pair
}

// pair is a field and a text by which the item can be found.
type pair struct{ column, text string }

// indexOf takes out of a document what is indexed of it.
func indexOf(c *cmdb.CI) indexed {
	x := indexed{
		id: c.ID, class: c.Class, name: c.Name, parent: c.Parent, key: c.Key,
		firstSeen: c.FirstSeen.Unix(), lastSeen: c.LastSeen.Unix(), live: livenessOf(string(c.Liveness)),
		complete: len(c.Incomplete) == 0, told: c.Source != cmdb.SourceAgent || len(c.Heard) > 0,
	}
	if !c.Missing.IsZero() {
		x.missing = c.Missing.Unix()
	}
	for k, v := range c.Attributes {
		x.attribute(k, v)
	}
	for k, v := range c.Labels {
		x.add("label."+k, v)
	}
	x.rest(c.Name, c.Class, c.Source, c.Tags, c.Aliases, c.Incomplete)
	return x
}

func livenessOf(s string) liveness {
	return liveness(max(0, slices.Index(livenessNames[:], cmdb.Liveness(s))))
}

// put indexes a document; runtime state of a known item is kept.
func (m *memory) put(c *cmdb.CI) uint32 {
	x := indexOf(c)
	return m.keep(&x)
}

func (m *memory) keep(x *indexed) uint32 {
	o, known := m.byID[x.id]
	if !known {
		if n := len(m.free); n > 0 {
			o, m.free = m.free[n-1], m.free[:n-1]
		} else {
			o = uint32(len(m.entries))
			m.entries = append(m.entries, entry{})
		}
		id := strings.Clone(x.id) // part of a document it would keep the whole alive
		m.entries[o] = entry{id: id}
		m.byID[id] = o
		m.all.Add(o)
	}
	e := &m.entries[o]
	if !known || e.name != x.name {
		if known {
			m.unorder(o)
		}
		e.name = strings.Clone(x.name)
		m.reorder(o)
	}
	e.class = m.class(x.class)
	if e.key != x.key {
		e.key = unique.Make(x.key).Value() // unit names repeat from machine to machine
	}
	if parent, ok := m.byID[x.parent]; ok && e.parent != parent+1 {
		m.unparent(o)
		e.parent = parent + 1
		m.entries[parent].children = append(m.entries[parent].children, o)
	} else if x.parent == "" {
		m.unparent(o)
	}
	e.firstSeen, e.missing = x.firstSeen, x.missing
	if !known || x.lastSeen > e.lastSeen {
		e.lastSeen = x.lastSeen
	}
	e.live, e.complete, e.told = x.live, x.complete, x.told
	m.reterm(o, x.pairs)
	return o
}

func (m *memory) unparent(o uint32) {
	e := &m.entries[o]
	if e.parent == 0 {
		return
	}
	p := &m.entries[e.parent-1]
	if i := slices.Index(p.children, o); i >= 0 {
		p.children = slices.Delete(p.children, i, i+1)
	}
	e.parent = 0
}

func (m *memory) remove(id string) {
	o, ok := m.byID[id]
	if !ok {
		return
	}
	e := &m.entries[o]
	for _, t := range e.terms {
		m.drop(o, t)
	}
	m.unorder(o)
	m.unparent(o)
	for _, c := range slices.Clone(e.children) {
		m.entries[c].parent = 0
	}
	for _, l := range slices.Clone(e.out) {
		m.unlink(o, l.kind, l.ord)
	}
	for _, l := range slices.Clone(e.in) {
		m.unlink(l.ord, l.kind, o)
	}
	delete(m.byID, id)
	m.all.Remove(o)
	m.entries[o] = entry{}
	m.free = append(m.free, o)
}

func (m *memory) compareOrds(a, b uint32) int {
	x, y := &m.entries[a], &m.entries[b]
	return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.id, y.id))
}

// reorder puts a new name into the order of names. Before the first sort (while
// loading) names are only collected.
func (m *memory) reorder(o uint32) {
	if !m.sorted {
		m.byName = append(m.byName, o)
		return
	}
	i, _ := slices.BinarySearchFunc(m.byName, o, m.compareOrds)
	m.byName = slices.Insert(m.byName, i, o)
}

func (m *memory) unorder(o uint32) {
	m.sort()
	if i, found := slices.BinarySearchFunc(m.byName, o, m.compareOrds); found {
		m.byName = slices.Delete(m.byName, i, i+1)
	}
}

func (m *memory) sort() {
	if !m.sorted {
		slices.SortFunc(m.byName, m.compareOrds)
		m.sorted = true
	}
}

func (m *memory) link(from uint32, kind uint8, to uint32) {
	out := &m.entries[from].out
	if slices.Contains(*out, link{to, kind}) {
		return
	}
	*out = append(*out, link{to, kind})
	m.entries[to].in = append(m.entries[to].in, link{from, kind})
}

func (m *memory) unlink(from uint32, kind uint8, to uint32) {
	cut := func(s *[]link, l link) {
		if i := slices.Index(*s, l); i >= 0 {
			(*s)[i] = (*s)[len(*s)-1]
			*s = (*s)[:len(*s)-1]
		}
	}
	cut(&m.entries[from].out, link{to, kind})
	cut(&m.entries[to].in, link{from, kind})
}

// indexed values longer than this are for reading, not for finding.
const maxIndexed = 200

// add lists a text by which the item can be found.
func (x *indexed) add(column, text string) {
	if text != "" && len(text) <= maxIndexed {
		x.pairs = append(x.pairs, pair{column, text})
	}
}

// attribute lists a value, a list by its elements.
func (x *indexed) attribute(name string, v any) {
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			x.add(name, s)
		}
	case []float64:
		for _, n := range v {
			x.add(name, cmdb.TextOf(n))
		}
	default:
		x.add(name, cmdb.TextOf(v))
	}
}

// rest lists what every item has.
func (x *indexed) rest(name, class, source string, tags, aliases, incomplete []string) {
	for _, t := range tags {
		x.add("tag", t)
	}
	for _, a := range aliases {
		x.add("alias", a)
	}
	x.pairs = append(x.pairs, pair{"name", name}) // whatever its length: imports find items by it
	x.add("class", class)
	x.add("source", source)
	for _, s := range incomplete {
		x.add("incomplete", s)
	}
}

func (m *memory) reterm(o uint32, pairs []pair) {
	e := &m.entries[o]
	next := make([]term, 0, len(pairs))
	for _, p := range pairs {
		col := m.columns[p.column]
		if col == nil {
			col = &column{name: strings.Clone(p.column), number: uint16(len(m.order)), ids: map[string]uint32{}}
			if slices.Contains(searched, p.column) {
				col.hay = &haystack{}
			}
			m.columns[col.name] = col
			m.order = append(m.order, col.name)
		}
		next = append(next, term{col.number, col.intern(strings.ToLower(p.text))})
	}
	slices.SortFunc(next, compareTerms)
	next = slices.Compact(next)
	for _, t := range next {
		if _, had := slices.BinarySearchFunc(e.terms, t, compareTerms); !had {
			m.columns[m.order[t.column]].values[t.value].post.add(o)
		}
	}
	for _, t := range e.terms {
		if _, keeps := slices.BinarySearchFunc(next, t, compareTerms); !keeps {
			m.drop(o, t)
		}
	}
	e.terms = slices.Clip(next)
}

func compareTerms(a, b term) int {
	return cmp.Or(cmp.Compare(a.column, b.column), cmp.Compare(a.value, b.value))
}

func (m *memory) drop(o uint32, t term) {
	col := m.columns[m.order[t.column]]
	v := &col.values[t.value]
	v.post.remove(o)
	if v.post.len() == 0 {
		delete(col.ids, v.text)
		at, length := v.at, len(v.text)
		*v = value{}
		col.free = append(col.free, t.value)
		if col.hay != nil {
			col.hay.drop(at, length, col.values)
		}
	}
}

func (c *column) intern(text string) uint32 {
	if id, ok := c.ids[text]; ok {
		return id
	}
	text = strings.Clone(text) // a field of a decoded document would keep the whole document alive
	v := value{text: text}
	v.num, v.is = number(text)
	var id uint32
	if n := len(c.free); n > 0 {
		id, c.free = c.free[n-1], c.free[:n-1]
		c.values[id] = v
	} else {
		id = uint32(len(c.values))
		c.values = append(c.values, v)
	}
	c.ids[text] = id
	if c.hay != nil {
		c.values[id].at = c.hay.add(id, text)
	}
	return id
}

// key holds what identifies reporting machines.
func (m *memory) addKeys(o uint32, keys []string) {
	for _, k := range keys {
		p := m.keys[k]
		if p == nil {
			p = &posting{}
			m.keys[k] = p
		}
		p.add(o)
	}
}

func (m *memory) dropKeys(o uint32, keys []string) {
	for _, k := range keys {
		if p := m.keys[k]; p != nil {
			if p.remove(o); p.len() == 0 {
				delete(m.keys, k)
			}
		}
	}
}

func unix(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}
