package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
)

// Page is how every list answers.
type Page[T any] struct {
	Items []T     `json:"items" nullable:"false"`
	Next  *string `json:"next" doc:"Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one"`
}

// pageOf makes the answer of a list.
func pageOf[T any](items []T, next string) *reply[Page[T]] {
	p := &reply[Page[T]]{Page[T]{Items: items}}
	if items == nil {
		p.Body.Items = []T{}
	}
	if next != "" {
		p.Body.Next = &next
	}
	return p
}

// Listing is what every list takes.
type Listing struct {
	Q      string `query:"q" maxLength:"1000" doc:"Filter, e.g. state:open priority<=2 \"disk full\""`
	Sort   string `query:"sort" maxLength:"64" doc:"Order; a minus turns it round"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most items of a page"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
}

// Paging is Listing for lists that have one order and no filter.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most items of a page"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
}

func (p Paging) at() engine.Range { return engine.Range{Cursor: p.Cursor, Limit: p.Limit} }

// sortMost bounds how many records a list sorts in memory for one page. The
// natural orders come from an index and have no bound.
const sortMost = 20000

// order is what a list of T can be sorted by.
type order[T any] struct {
	natural []string                  // orders that fetch knows itself; the first is the default
	keys    map[string]func(T) []byte // other orders, by store.Key
	id      func(T) string            // tells equal ones apart
	fetch   fetcher[T]                // reads a page in a natural order
	lang    filter.Language[T]        // of q
}

// fetcher reads one page of what passes q, in a natural order.
type fetcher[T any] func(ctx context.Context, q filter.Query[T], natural string, at engine.Range) (engine.Page[T], error)

// sorts lists the names that sort takes.
func (o order[T]) sorts() []string {
	out := slices.Clone(o.natural)
	for _, k := range slices.Sorted(maps.Keys(o.keys)) {
		out = append(out, k, "-"+k)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// list answers one page. Cursors name places in the order, not rows, so they stay
// good while records come and go.
func (o order[T]) list(ctx context.Context, a *API, in Listing) (engine.Page[T], error) {
	var none engine.Page[T]
	q, err := o.lang.Parse(in.Q, a.o.Now())
	if err != nil {
		return none, err
	}
	if in.Sort == "" {
		in.Sort = o.natural[0]
	}
	if slices.Contains(o.natural, in.Sort) {
		return o.fetch(ctx, q, in.Sort, engine.Range{Cursor: in.Cursor, Limit: in.Limit})
	}
	name, down := strings.CutPrefix(in.Sort, "-")
	key := o.keys[name]
	if key == nil {
		return none, fault.Invalidf("sort", "want one of %s, got %q", strings.Join(o.sorts(), ", "), in.Sort)
	}
	return o.sorted(ctx, q, in, key, down)
}

const sortedCursor = "s."

// sorted collects what passes, orders it and cuts out the page.
func (o order[T]) sorted(ctx context.Context, q filter.Query[T], in Listing, key func(T) []byte, down bool) (engine.Page[T], error) {
	type place struct {
		key []byte
		doc T
	}
	var all []place
	out := engine.Page[T]{}
	at := engine.Range{Limit: 1000}
	for {
		p, err := o.fetch(ctx, q, o.natural[0], at)
		if err != nil {
			return out, err
		}
		out.Unreadable += p.Unreadable
		for _, x := range p.Items {
			all = append(all, place{append(append(key(x), 0xff), o.id(x)...), x})
		}
		if len(all) > sortMost {
			return out, fault.Invalidf("sort", "more than %d records pass the filter: narrow q, or sort by %s", sortMost, o.natural[0])
		}
		if at.Cursor = p.Next; at.Cursor == "" {
			break
		}
	}
	slices.SortFunc(all, func(x, y place) int {
		if down {
			return bytes.Compare(y.key, x.key)
		}
		return bytes.Compare(x.key, y.key)
	})
	from := 0
	if in.Cursor != "" {
		text, ok := strings.CutPrefix(in.Cursor, sortedCursor)
		after, err := base64.RawURLEncoding.DecodeString(text)
		if !ok || err != nil {
			return out, fault.Invalidf("cursor", "is not one that this list gave; begin again without it")
		}
		for from < len(all) && (!down && bytes.Compare(all[from].key, after) <= 0 || down && bytes.Compare(all[from].key, after) >= 0) {
			from++
		}
	}
	to := min(len(all), from+in.Limit)
	for _, p := range all[from:to] {
		out.Items = append(out.Items, p.doc)
	}
	if to < len(all) && to > from {
		out.Next = sortedCursor + base64.RawURLEncoding.EncodeToString(all[to-1].key)
	}
	return out, nil
}

// cutPage orders a list that is in memory whole and cuts out the page after the
// cursor, which names a place in the order: the key and the id.
func cutPage[T any](all []T, in Listing, keys map[string]func(T) string, first string, id func(T) string) ([]T, string, error) {
	name, down := strings.CutPrefix(cmp.Or(in.Sort, first), "-")
	key := keys[name]
	if key == nil {
		return nil, "", fault.Invalidf("sort", "want one of %s, got %q", strings.Join(slices.Sorted(maps.Keys(keys)), ", "), in.Sort)
	}
	order := func(k1, id1, k2, id2 string) int {
		switch {
		case (k1 == "") != (k2 == ""): // what lacks the field comes last either way
			return cmp.Compare(len(k2), len(k1))
		case down:
			return cmp.Or(strings.Compare(k2, k1), strings.Compare(id1, id2))
		}
		return cmp.Or(strings.Compare(k1, k2), strings.Compare(id1, id2))
	}
	slices.SortFunc(all, func(x, y T) int { return order(key(x), id(x), key(y), id(y)) })
	if in.Cursor != "" {
		b, err := base64.RawURLEncoding.DecodeString(in.Cursor)
		k, i, ok := strings.Cut(string(b), "\x00")
		if err != nil || !ok {
			return nil, "", fault.Invalidf("cursor", "is not one that this list gave; begin again without it")
		}
		all = slices.DeleteFunc(all, func(x T) bool { return order(key(x), id(x), k, i) <= 0 })
	}
	if len(all) <= in.Limit {
		return all, "", nil
	}
	all = all[:in.Limit]
	last := all[in.Limit-1]
	return all, base64.RawURLEncoding.EncodeToString([]byte(key(last) + "\x00" + id(last))), nil
}

// doc says what a list's q and sort understand.
func (o order[T]) doc() string {
	return "Filter (q): " + o.lang.Doc() + "\n\nOrder (sort): " + strings.Join(o.sorts(), ", ") + "; without it " + o.natural[0] + "."
}
