package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
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

// Within is the listing of what belongs to one record.
type Within struct {
	ByID
	Listing
}

// sortMost bounds how many records a list sorts in memory for one page. The
// natural orders come from an index and have no bound.
const sortMost = 20000

// order is what a list of T can be narrowed and sorted by. Every list has one, so
// that all of them take the same q, sort, limit and cursor.
type order[T any] struct {
	natural []string                  // orders that fetch knows itself; the first is the default
	keys    map[string]func(T) []byte // orders that are not those of a field of lang, by store.Key
	alias   map[string]string         // other names of natural ones and keys: those that the records show
	id      func(T) string            // tells equal ones apart
	fetch   fetcher[T]                // reads a page in a natural order
	lang    filter.Language[T]        // of q; what it has one value of can be sorted by
}

// fetcher reads one page of what passes q, in a natural order.
type fetcher[T any] func(ctx context.Context, q filter.Query[T], natural string, at engine.Range) (engine.Page[T], error)

// sorts lists the names that sort takes; a minus turns each round.
func (o order[T]) sorts() []string {
	var out []string
	for _, n := range o.natural {
		out = append(out, strings.TrimPrefix(n, "-"))
	}
	out = slices.AppendSeq(out, maps.Keys(o.keys))
	out = append(out, o.lang.Names()...)
	slices.Sort(out)
	return slices.Compact(out)
}

// list answers one page. Cursors name places in the order, not rows, so they stay
// good while records come and go.
func (o order[T]) list(ctx context.Context, a *API, in Listing) (engine.Page[T], error) {
	q, err := o.lang.Parse(in.Q, a.o.Now())
	if err != nil {
		return engine.Page[T]{}, err
	}
	name, down := strings.CutPrefix(in.Sort, "-")
	if other, ok := o.alias[name]; ok {
		name = other
	}
	sign := ""
	if down {
		sign = "-"
	}
	switch {
	case name == "":
		return o.fetch(ctx, q, o.natural[0], engine.Range{Cursor: in.Cursor, Limit: in.Limit})
	case slices.Contains(o.natural, sign+name):
		return o.fetch(ctx, q, sign+name, engine.Range{Cursor: in.Cursor, Limit: in.Limit})
	}
	key := o.keys[name]
	if key == nil {
		f, ok := o.lang.Field(name)
		if !ok {
			return engine.Page[T]{}, fault.Invalidf("sort", "want one of %s, or one with a minus before it; got %q", strings.Join(o.sorts(), ", "), in.Sort)
		}
		key = keyOf(f)
	}
	who := callOf(ctx).caller()
	if err := a.sorts.Take(who, 1); err != nil {
		return engine.Page[T]{}, fault.Unavailablef("too many lists in another order than %s are read at once: try again", o.natural[0])
	}
	defer a.sorts.Give(who, 1)
	return o.sorted(ctx, q, in, key, down)
}

// keyOf puts what a field says into the order that people expect of it.
func keyOf[T any](f filter.Field[T]) func(T) []byte {
	switch {
	case f.Text != nil:
		return func(x T) []byte { return store.Key(strings.ToLower(strings.Join(f.Text(x), " "))) }
	case f.Flag != nil:
		return func(x T) []byte { return store.Key(f.Flag(x)) }
	case f.Number != nil:
		return func(x T) []byte {
			// The bits of floats are in order once the negative ones are turned round.
			b := math.Float64bits(f.Number(x))
			if b>>63 != 0 {
				return store.Key(^b)
			}
			return store.Key(b | 1<<63)
		}
	default:
		return func(x T) []byte { return store.Key(f.Time(x)) }
	}
}

// page is list in the API's own form.
func page[T, R any](ctx context.Context, a *API, o order[T], in Listing, show func(T) R) (*reply[Page[R]], error) {
	p, err := o.list(ctx, a, in)
	if err != nil {
		return nil, err
	}
	out := make([]R, len(p.Items))
	for i := range p.Items {
		out[i] = show(p.Items[i])
	}
	return pageOf(out, p.Next), nil
}

// asKept shows records as they are kept.
func asKept[T any](x T) T { return x }

// keepMost bounds how many rows one call looks at for those that pass: a rare
// filter goes on by cursor.
const keepMost = 20000

// kept filters the pages of a store that does not do so itself: it reads on until
// something passes.
func kept[T any](q filter.Query[T], at engine.Range, read func(at engine.Range) ([]T, string, error)) (engine.Page[T], error) {
	for looked := 0; ; {
		items, next, err := read(at)
		if err != nil {
			return engine.Page[T]{}, err
		}
		looked += max(len(items), 1)
		items = slices.DeleteFunc(items, func(x T) bool { return !q.Keep(x) })
		if len(items) > 0 || next == "" || looked >= keepMost {
			return engine.Page[T]{Items: items, Next: next}, nil
		}
		at.Cursor = next
	}
}

// wholeList is the order of a list that is made whole for each call, in the order that
// it is made in, which natural names.
func wholeList[T any](natural string, lang filter.Language[T], id func(T) string, all []T) order[T] {
	return order[T]{natural: []string{natural}, lang: lang, id: id, fetch: func(_ context.Context, q filter.Query[T], _ string, at engine.Range) (engine.Page[T], error) {
		from := 0
		if at.Cursor != "" {
			n, after, err := placeOf(at.Cursor)
			if err != nil {
				return engine.Page[T]{}, err
			}
			// Where the row before has gone, its number is the nearest there is.
			from = min(n, len(all))
			if i := slices.IndexFunc(all, func(x T) bool { return id(x) == after }); i >= 0 {
				from = i + 1
			}
		}
		var out engine.Page[T]
		for i := from; i < len(all); i++ {
			if !q.Keep(all[i]) {
				continue
			}
			if len(out.Items) == at.Limit {
				out.Next = placed(from, id(out.Items[len(out.Items)-1]))
				break
			}
			out.Items = append(out.Items, all[i])
			from = i + 1
		}
		return out, nil
	}}
}

const wholeCursor = "w."

func placed(n int, id string) string {
	return wholeCursor + base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(n)+" "+id))
}

func placeOf(cursor string) (n int, id string, err error) {
	text, ok := strings.CutPrefix(cursor, wholeCursor)
	b, err := base64.RawURLEncoding.DecodeString(text)
	number, id, _ := strings.Cut(string(b), " ")
	n, bad := strconv.Atoi(number)
	if !ok || err != nil || bad != nil || n < 0 {
		return 0, "", errCursor
	}
	return n, id, nil
}

var errCursor = fault.Invalidf("cursor", "is not one that this list gave; begin again without it")

const sortedCursor = "s."

// sortPage is how many records are read at once to be sorted.
const sortPage = 1000

// Lists that are ordered by something else than they are kept by are read whole for
// each page: some at once are enough.
const (
	sortsOfAll    = 8
	sortsOfCaller = 4
)

// sorted reads what passes and keeps the page that was asked for: no more than some
// pages of rows are in memory at once, however many pass.
func (o order[T]) sorted(ctx context.Context, q filter.Query[T], in Listing, key func(T) []byte, down bool) (engine.Page[T], error) {
	type place struct {
		key []byte
		doc T
	}
	var after []byte
	if in.Cursor != "" {
		text, ok := strings.CutPrefix(in.Cursor, sortedCursor)
		var err error
		if after, err = base64.RawURLEncoding.DecodeString(text); !ok || err != nil {
			return engine.Page[T]{}, errCursor
		}
	}
	order := func(x, y place) int {
		if down {
			return bytes.Compare(y.key, x.key)
		}
		return bytes.Compare(x.key, y.key)
	}
	// One more than the page, so that it is known whether there is another.
	most := in.Limit + 1
	var best []place
	cut := func() {
		slices.SortFunc(best, order)
		clear(best[min(len(best), most):])
		best = best[:min(len(best), most)]
	}
	out := engine.Page[T]{}
	at := engine.Range{Limit: sortPage}
	for passed := 0; ; {
		p, err := o.fetch(ctx, q, o.natural[0], at)
		if err != nil {
			return out, err
		}
		out.Unreadable += p.Unreadable
		if passed += len(p.Items); passed > sortMost {
			return out, fault.Invalidf("sort", "more than %d records pass the filter: narrow q, or sort by %s", sortMost, o.natural[0])
		}
		for _, x := range p.Items {
			x := place{append(append(key(x), 0xff), o.id(x)...), x}
			if in.Cursor == "" || order(x, place{key: after}) > 0 {
				best = append(best, x)
			}
		}
		if len(best) >= most+sortPage {
			cut()
		}
		if at.Cursor = p.Next; at.Cursor == "" {
			break
		}
	}
	cut()
	for _, p := range best[:min(len(best), in.Limit)] {
		out.Items = append(out.Items, p.doc)
	}
	if len(best) > in.Limit && in.Limit > 0 {
		out.Next = sortedCursor + base64.RawURLEncoding.EncodeToString(best[in.Limit-1].key)
	}
	return out, nil
}

// each walks everything that passes q in the natural order, and ends with end.
func (o order[T]) each(ctx context.Context, a *API, q string, do func(T) error, end func() error) error {
	in := Listing{Q: q, Limit: 1000}
	for {
		p, err := o.list(ctx, a, in)
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			if err := do(x); err != nil {
				return err
			}
		}
		if in.Cursor = p.Next; in.Cursor == "" {
			return end()
		}
	}
}

// doc says what a list's q and sort understand.
func (o order[T]) doc() string {
	return "Filter (q): " + o.lang.Doc() + "\n\n" + o.sortDoc()
}

func (o order[T]) sortDoc() string {
	special := ""
	for _, n := range o.sorts() {
		if _, ok := o.lang.Field(n); !ok && !strings.HasSuffix(n, "NAME") {
			special += ", " + n
		}
	}
	return "Order (sort): a field of the list" + special + "; a minus turns it round. Without it " + o.natural[0] + "."
}
