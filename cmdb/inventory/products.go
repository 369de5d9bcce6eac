package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	CIs    string
	Cursor string
	Limit  int // 0: 100; at most 1000
}

// Software lists installed products by name, with versions and numbers of machines.
func (inv *Inventory) Software(ctx context.Context, q SoftwareQuery) ([]Product, string, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, maxLimit)
	after, afterType := "", ""
	if q.Cursor != "" {
		var err error
		if after, afterType, err = decodeCursor(q.Cursor); err != nil {
			return nil, "", err
		}
	}
	inv.soft.sort(inv)
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	s := inv.soft
	var within *roaring.Bitmap
	if q.CIs != "" {
		var err error
		if within, err = inv.matching(q.CIs); err != nil {
			return nil, "", err
		}
	}
	want := strings.ToLower(q.Name)
	start, _ := slices.BinarySearch(s.names, after)
	var out []Product
	for _, name := range s.names[start:] {
		if strings.Contains(want, "*") && !glob(want, name) || !strings.Contains(want, "*") && !strings.Contains(name, want) {
			continue
		}
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		for _, p := range s.products(name, q.Type, within) {
			if name == after && p.Type <= afterType {
				continue
			}
			if len(out) == q.Limit {
				last := out[len(out)-1]
				return out, encodeCursor(strings.ToLower(last.Name), last.Type), nil
			}
			out = append(out, p)
		}
	}
	return out, "", nil
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
