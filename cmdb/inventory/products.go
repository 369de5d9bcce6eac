package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/klauspost/compress/s2"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// Product is installed software of one name, with its versions.
type Product struct {
	Type     string    `json:"type"`
	Name     string    `json:"name"`
	Hosts    int       `json:"hosts"`
	Versions []Version `json:"versions"` // newest first
}

// Version is one version of a product and where it is installed.
type Version struct {
	Version string `json:"version"`
	Hosts   int    `json:"hosts"`
}

// SoftwareQuery selects products.
type SoftwareQuery struct {
	// Name is part of the product's name, or a pattern with *.
	Name string
	Type string // ecosystem; empty: all
	// CIs limits to machines that match this query of items; empty: all.
	CIs string
	// Sort is "name" (the default) or "hosts", "-" before it turns the order.
	Sort   string
	Cursor string
	Limit  int // 0: 100; at most 1000
}

// Software lists installed products with versions and numbers of machines.
func (inv *Inventory) Software(ctx context.Context, q SoftwareQuery) ([]Product, string, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, maxLimit)
	by, down := strings.CutPrefix(cmp.Or(q.Sort, "name"), "-")
	if by != "name" && by != "hosts" {
		return nil, "", fault.Invalidf("sort", "want name, -name, hosts or -hosts, got %q", q.Sort)
	}
	after, err := productAfter(q.Cursor, by == "hosts")
	if err != nil {
		return nil, "", err
	}
	inv.soft.sort(inv)
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	s := inv.soft
	var within *roaring.Bitmap
	if q.CIs != "" {
		if within, err = inv.matching(q.CIs); err != nil {
			return nil, "", err
		}
	}
	want := strings.ToLower(q.Name)
	means := func(name string) bool {
		if strings.Contains(want, "*") {
			return glob(want, name)
		}
		return strings.Contains(name, want)
	}
	places := func(yield func(productPlace) bool) {
		names := s.names
		for i := range names {
			name := names[i]
			if by == "name" && down {
				name = names[len(names)-1-i]
			}
			if !means(name) {
				continue
			}
			if ctx.Err() != nil {
				return
			}
			for _, p := range s.places(name, q.Type, within, by == "hosts", down) {
				if !yield(p) {
					return
				}
			}
		}
	}
	order := productOrder(by == "hosts", down)
	var page []productPlace
	if by == "name" { // they come in order: the page ends the walk
		for p := range places {
			if q.Cursor != "" && order(p, after) <= 0 {
				continue
			}
			if page = append(page, p); len(page) > q.Limit {
				break
			}
		}
	} else {
		top := newTop(q.Limit+1, order)
		for p := range places {
			if q.Cursor == "" || order(p, after) > 0 {
				top.add(p)
			}
		}
		page = top.sorted()
	}
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	next := ""
	if len(page) > q.Limit {
		page = page[:q.Limit]
		last := page[q.Limit-1]
		next = encodeCursor(fmt.Sprintf("%012d\x00%s", last.hosts, last.name), last.typ)
		if by == "name" {
			next = encodeCursor(last.name, last.typ)
		}
	}
	out := make([]Product, 0, len(page))
	for _, p := range page {
		out = append(out, s.products(p.name, p.typ, within)...)
	}
	return out, next, nil
}

// productPlace is a product's place in the order of a list.
type productPlace struct {
	name, typ string // the name in lower case
	hosts     int    // 0 where the order does not ask
}

func productOrder(hosts, down bool) func(a, b productPlace) int {
	return func(a, b productPlace) int {
		named := cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.typ, b.typ))
		switch {
		case hosts && down:
			return cmp.Or(cmp.Compare(b.hosts, a.hosts), named)
		case hosts:
			return cmp.Or(cmp.Compare(a.hosts, b.hosts), named)
		case down:
			return -named
		}
		return named
	}
}

func productAfter(cursor string, hosts bool) (p productPlace, err error) {
	if cursor == "" {
		return p, nil
	}
	if p.name, p.typ, err = decodeCursor(cursor); err != nil || !hosts {
		return p, err
	}
	n, name, ok := strings.Cut(p.name, "\x00")
	p.name = name
	if p.hosts, err = strconv.Atoi(n); err != nil || !ok {
		return p, fault.Invalidf("cursor", "is not one that this list gave; begin again without it")
	}
	return p, nil
}

// places lists the products of one name that some machine has, one per ecosystem.
func (s *software) places(name, typ string, within *roaring.Bitmap, count, down bool) []productPlace {
	byType := map[string][]uint32{}
	for _, n := range s.byName[name] {
		r := &s.rows[n]
		if (typ == "" || r.pkg.Type == typ) && r.hosts.len() > 0 {
			byType[r.pkg.Type] = append(byType[r.pkg.Type], n)
		}
	}
	var out []productPlace
	for t, rows := range byType {
		p := productPlace{name: name, typ: t}
		if count || within != nil {
			all := roaring.New()
			for _, n := range rows {
				s.rows[n].hosts.into(all)
			}
			if within != nil {
				all.And(within)
			}
			if p.hosts = int(all.GetCardinality()); p.hosts == 0 {
				continue
			}
		}
		if !count {
			p.hosts = 0
		}
		out = append(out, p)
	}
	slices.SortFunc(out, productOrder(false, down))
	return out
}

// sort rebuilds the order of names when products came.
func (s *software) sort(inv *Inventory) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if s.fresh {
		return
	}
	s.names = slices.AppendSeq(s.names[:0:0], maps.Keys(s.byName))
	slices.Sort(s.names)
	s.fresh = true
}

func (s *software) products(name, typ string, within *roaring.Bitmap) []Product {
	type group struct {
		name     string
		versions map[string]*roaring.Bitmap
	}
	groups := map[string]*group{}
	for _, n := range s.byName[name] {
		r := &s.rows[n]
		if typ != "" && r.pkg.Type != typ || r.hosts.len() == 0 {
			continue
		}
		set := roaring.New()
		r.hosts.into(set)
		if within != nil {
			if set.And(within); set.IsEmpty() {
				continue
			}
		}
		g := groups[r.pkg.Type]
		if g == nil {
			g = &group{r.pkg.Name, map[string]*roaring.Bitmap{}}
			groups[r.pkg.Type] = g
		}
		if have := g.versions[r.pkg.Version]; have != nil {
			have.Or(set)
		} else {
			g.versions[r.pkg.Version] = set
		}
	}
	var out []Product
	for _, t := range slices.Sorted(maps.Keys(groups)) {
		g := groups[t]
		p := Product{Type: t, Name: g.name}
		all := roaring.New()
		for v, set := range g.versions {
			p.Versions = append(p.Versions, Version{v, int(set.GetCardinality())})
			all.Or(set)
		}
		p.Hosts = int(all.GetCardinality())
		slices.SortFunc(p.Versions, func(a, b Version) int {
			return cmp.Or(-cmdb.CompareVersions(t, a.Version, b.Version), strings.Compare(a.Version, b.Version))
		})
		out = append(out, p)
	}
	return out
}

// Packages lists what is installed on a machine.
func (inv *Inventory) Packages(ctx context.Context, id string) ([]report.Package, error) {
	b, err := inv.Section(ctx, id, report.SectionPackages)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	return decode[[]report.Package](b)
}

// sectionJSON unpacks a stored section.
func (inv *Inventory) sectionJSON(d *sectionDoc) ([]byte, error) {
	if d.Name != report.SectionPackages {
		b, err := s2.Decode(nil, d.Packed)
		if err != nil {
			return nil, fmt.Errorf("section %s of %s: %w", d.Name, d.CI, err)
		}
		return b, nil
	}
	numbers := unpackNumbers(d.Packed)
	list := make([]report.Package, 0, len(numbers))
	inv.mu.RLock()
	for _, n := range numbers {
		if int(n) < len(inv.soft.rows) {
			list = append(list, inv.soft.rows[n].pkg)
		}
	}
	inv.mu.RUnlock()
	slices.SortFunc(list, func(a, b report.Package) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return json.Marshal(list)
}
