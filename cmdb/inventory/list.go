package inventory

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// ListQuery selects a page of items.
type ListQuery struct {
	Query string // the query language; empty: all
	// Sort is a field, "-" before it for descending order: "name" (the default),
	// "class", "seen", "first_seen" or an attribute. Items without it come last.
	Sort   string
	Cursor string
	Limit  int // 0: 100; at most 1000
	// MaxBytes bounds the page; 0: 4 MiB. A page has at least one item.
	MaxBytes int
}

// Page is one page of items.
type Page struct {
	Items []cmdb.CI
	Next  string // cursor of the next page; empty at the end
	Total int    // items that match
}

const (
	maxLimit     = 1000
	defaultBytes = 4 << 20
)

// Matching returns the ids of all items that match a query. More than most are refused.
func (inv *Inventory) Matching(ctx context.Context, query string, most int) ([]string, error) {
	var ids []string
	q := ListQuery{Query: query, Limit: 1000}
	for {
		p, err := inv.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if p.Total > most {
			return nil, fault.Invalidf("query", "matches %d items, the most is %d: narrow it", p.Total, most)
		}
		for _, c := range p.Items {
			ids = append(ids, c.ID)
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			return ids, nil
		}
	}
}

// List returns the items that match. A query that cannot be read is
// fault.Invalid with the field "q" and the position in its message.
func (inv *Inventory) List(ctx context.Context, q ListQuery) (Page, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, maxLimit)
	if q.MaxBytes <= 0 {
		q.MaxBytes = defaultBytes
	}
	ids, keys, total, err := inv.find(q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Total: total}
	more := len(ids) > q.Limit
	size := 0
	for i, id := range ids[:min(len(ids), q.Limit)] {
		c, err := inv.Get(ctx, id)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			continue // removed since
		}
		if err != nil {
			return page, err
		}
		if n := weigh(&c); size+n > q.MaxBytes && len(page.Items) > 0 {
			more = true
			q.Limit = i
			break
		} else {
			size += n
		}
		page.Items = append(page.Items, c)
	}
	if more {
		page.Next = encodeCursor(keys[min(q.Limit, len(keys))-1], ids[min(q.Limit, len(ids))-1])
	}
	return page, nil
}

func weigh(c *cmdb.CI) int {
	n := 400 + len(c.Name)
	for k, v := range c.Attributes {
		n += len(k) + len(cmdb.TextOf(v)) + 8
	}
	for k, v := range c.Labels {
		n += len(k) + len(v) + 8
	}
	return n
}

func encodeCursor(key, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key + "\x00" + id))
}

func decodeCursor(s string) (key, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		var ok bool
		if i := strings.LastIndexByte(string(b), 0); i >= 0 {
			key, id, ok = string(b[:i]), string(b[i+1:]), true
		}
		if !ok {
			err = errors.New("no separator")
		}
	}
	if err != nil {
		return "", "", fault.Invalidf("cursor", "is not one that this list gave; begin again without it")
	}
	return key, id, nil
}

// Select returns the ids of all items that match, in no order.
func (inv *Inventory) Select(query string) ([]string, error) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	set, err := inv.matching(query)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, set.GetCardinality())
	for it := set.Iterator(); it.HasNext(); {
		out = append(out, inv.mem.entries[it.Next()].id)
	}
	return out, nil
}

func (inv *Inventory) matching(query string) (*roaring.Bitmap, error) {
	n, err := cmdb.ParseQuery(query)
	var set *roaring.Bitmap
	if err == nil {
		set, err = inv.answer(n)
	}
	var se *cmdb.SyntaxError
	if errors.As(err, &se) {
		return nil, fault.Invalidf("q", "%s", se.In(query))
	}
	return set, err
}

// find returns up to Limit+1 ids with their sort keys.
func (inv *Inventory) find(q ListQuery) (ids, keys []string, total int, err error) {
	field, down := strings.CutPrefix(q.Sort, "-")
	field = cmp.Or(field, "name")
	after, afterID := "", ""
	if q.Cursor != "" {
		if after, afterID, err = decodeCursor(q.Cursor); err != nil {
			return nil, nil, 0, err
		}
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	set, err := inv.matching(q.Query)
	if err != nil {
		return nil, nil, 0, err
	}
	total = int(set.GetCardinality())
	if field == "name" {
		return inv.byNames(set, down, q.Cursor != "", after, afterID, q.Limit+1, total)
	}
	from := sortItem{after, afterID}
	var top *top[sortItem]
	order := sortOrder(down)
	if col := m.columns[columnOf(field)]; col != nil && len(col.values) <= fewValues {
		top = m.byValues(set, col, order, q.Limit+1, q.Cursor != "", from)
	} else {
		key, err := inv.sortKey(field)
		if err != nil {
			return nil, nil, 0, err
		}
		// Keep the best Limit+1 after the cursor in a bounded heap: sorting all matches
		// would make a page cost what the whole list costs.
		top = newTop(q.Limit+1, order)
		for it := set.Iterator(); it.HasNext(); {
			o := it.Next()
			x := sortItem{key(o), m.entries[o].id}
			if q.Cursor == "" || order(x, from) > 0 {
				top.add(x)
			}
		}
	}
	for _, x := range top.sorted() {
		ids, keys = append(ids, x.id), append(keys, x.key)
	}
	return ids, keys, total, nil
}

// byNames walks the standing order of names.
func (inv *Inventory) byNames(set *roaring.Bitmap, down, resume bool, after, afterID string, limit, total int) (ids, keys []string, _ int, _ error) {
	m := inv.mem
	at := func(i int) *entry { return &m.entries[m.byName[i]] }
	n := len(m.byName)
	start := 0
	if resume {
		start, _ = slices.BinarySearchFunc(m.byName, sortItem{after, afterID}, func(o uint32, x sortItem) int {
			e := &m.entries[o]
			return cmp.Or(strings.Compare(e.name, x.key), strings.Compare(e.id, x.id))
		})
	}
	take := func(i int) {
		if set.Contains(m.byName[i]) {
			ids, keys = append(ids, at(i).id), append(keys, at(i).name)
		}
	}
	if down {
		if !resume {
			start = n
		}
		for i := start - 1; i >= 0 && len(ids) < limit; i-- {
			take(i)
		}
		return ids, keys, total, nil
	}
	for i := start; i < n && len(ids) < limit; i++ {
		if resume && at(i).name == after && at(i).id == afterID {
			continue
		}
		take(i)
	}
	return ids, keys, total, nil
}

func (inv *Inventory) knownField(name string) bool {
	for _, c := range inv.Registry().Classes() {
		if _, ok := inv.Registry().Field(c.Name, name); ok {
			return true
		}
	}
	return strings.HasPrefix(name, "label.") || slices.Contains([]string{"name", "class", "tag", "alias", "source", "incomplete", "seen", "first_seen", "missing", "liveness", "software", "id", "agent", "on"}, name)
}

// Fields lists every field that a query can name.
func (inv *Inventory) Fields() []string {
	set := map[string]bool{}
	for _, n := range []string{"name", "class", "tag", "alias", "source", "incomplete", "seen", "first_seen", "missing", "liveness", "software", "id", "agent", "on"} {
		set[n] = true
	}
	for _, c := range inv.Registry().Classes() {
		for _, f := range c.Fields {
			set[f.Name] = true
		}
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for n := range inv.mem.columns {
		set[n] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// suggest names the field that was likely meant. The caller holds the lock.
func (inv *Inventory) suggest(name string) string {
	fields := slices.Collect(maps.Keys(inv.mem.columns))
	for _, c := range inv.Registry().Classes() {
		for _, f := range c.Fields {
			fields = append(fields, f.Name)
		}
	}
	return likely(name, fields)
}

// likely asks whether the nearest of words was meant, "" where none is near.
func likely(name string, words []string) string {
	best, far := "", 3
	for _, w := range words {
		if d := distance(name, w); d < far || d == far && w < best {
			best, far = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of edits between two short words.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := prev
			if a[i-1] != b[j-1] {
				cost++
			}
			prev = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// Get returns an item as it is now.
func (inv *Inventory) Get(ctx context.Context, id string) (cmdb.CI, error) {
	id, err := inv.known(id)
	if err != nil {
		return cmdb.CI{}, err
	}
	inv.mu.RLock()
	var pending *cmdb.CI
	if inv.overlay != nil {
		pending = inv.overlay.cis[id]
	}
	inv.mu.RUnlock()
	var c cmdb.CI
	if pending != nil {
		c = *pending.Clone()
	} else if err := inv.db.View(ctx, func(r store.Reader) error {
		row, err := inv.cols.ci.Get(r, id)
		c = row.Doc
		return err
	}); err != nil {
		return cmdb.CI{}, fmt.Errorf("get configuration item: %w", err)
	}
	inv.dress(&c)
	return c, nil
}

// dress adds what is only known in memory.
func (inv *Inventory) dress(c *cmdb.CI) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	e := inv.mem.at(c.ID)
	if e == nil {
		return
	}
	last := e.lastSeen
	if e.parent != 0 && e.missing == 0 {
		last = max(last, inv.mem.entries[e.parent-1].lastSeen)
	}
	if t := unix(last); t.After(c.LastSeen) {
		c.LastSeen = t
	}
}

// SectionState says what is known of one section of a machine.
type SectionState struct {
	Name     string           `json:"name"`
	Received time.Time        `json:"received_at,omitzero"`
	Problems []report.Problem `json:"problems,omitempty"` // why it is not whole, as the agent says
	Rejected string           `json:"rejected,omitempty"` // why the newest was refused; the content is older
}

// Sections lists the state of a machine's sections; none for items that do not report.
func (inv *Inventory) Sections(ctx context.Context, id string) ([]SectionState, error) {
	id, err := inv.known(id)
	if err != nil {
		return nil, err
	}
	var out []SectionState
	err = inv.db.View(ctx, func(r store.Reader) error {
		row, ok, err := inv.cols.host.Find(r, id)
		if err != nil || !ok {
			return err
		}
		for i, m := range row.Doc.Sections {
			if m.Hash != 0 || m.Rejected != "" {
				out = append(out, SectionState{sectionNames[i], m.At, m.Problems, m.Rejected})
			}
		}
		return nil
	})
	return out, err
}

// Section returns the newest content of a machine's section as JSON, as its agent
// reported it. A section that was never reported is fault.NotFound.
func (inv *Inventory) Section(ctx context.Context, id, name string) ([]byte, error) {
	if sectionNumber(name) < 0 {
		return nil, fault.Invalidf("section", "%q is no section: want one of %s", name, strings.Join(sectionNames, ", "))
	}
	id, err := inv.known(id)
	if err != nil {
		return nil, err
	}
	var d sectionDoc
	err = inv.db.View(ctx, func(r store.Reader) error {
		row, ok, err := inv.cols.section.Find(r, id+" "+name)
		if err == nil && !ok {
			err = fault.NotFoundf("section %s of this item was never reported", name)
		}
		d = row.Doc
		return err
	})
	if err != nil {
		return nil, err
	}
	return inv.sectionJSON(&d)
}
