package inventory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// Quality is how well the inventory is kept, by class and by owner.
type Quality struct {
	Groups     []QualityGroup `json:"groups"`
	Duplicates []Duplicate    `json:"duplicates"`
	// Missing counts, by field, the items that lack it though their class requires it.
	Missing map[string]int `json:"missing"`
}

// QualityGroup is one class of one owner.
type QualityGroup struct {
	Class    string `json:"class"`
	Owner    string `json:"owner"` // "" for none
	Items    int    `json:"items"`
	Complete int    `json:"complete"`
	Stale    int    `json:"stale"`
	Gone     int    `json:"gone"`
	Orphans  int    `json:"orphans"` // without any relation
}

// Completeness is the share of complete items, 1 for none.
func (g QualityGroup) Completeness() float64 {
	if g.Items == 0 {
		return 1
	}
	return float64(g.Complete) / float64(g.Items)
}

// Duplicate is several live items that share what should be one's own.
type Duplicate struct {
	Field string   `json:"field"`
	Value string   `json:"value"`
	CIs   []string `json:"cis"`
}

// own are fields whose value should stand on one item only.
var own = []string{"serial_number", "product_uuid", "machine_id", "fqdn", "agent_id", "cloud_instance", "asset_tag", "fingerprint"}

// OwnFields lists the fields that Quality looks for duplicates in.
func OwnFields() []string { return append(slices.Clone(own), "name") }

const maxDuplicates = 1000

// Quality examines the whole inventory.
func (inv *Inventory) Quality(ctx context.Context) (Quality, error) {
	m := inv.mem
	q := Quality{Missing: map[string]int{}}
	groups := map[[2]string]*QualityGroup{}
	inv.eachEntry(func(o uint32, e *entry) {
		k := [2]string{m.classes[e.class], m.text(o, "owner")}
		g := groups[k]
		if g == nil {
			g = &QualityGroup{Class: k[0], Owner: k[1]}
			groups[k] = g
		}
		g.Items++
		if e.complete {
			g.Complete++
		}
		switch e.live {
		case stale:
			g.Stale++
		case gone:
			g.Gone++
		}
		if len(e.in)+len(e.out)+len(e.children) == 0 {
			g.Orphans++
		}
	})
	if ctx.Err() != nil {
		return q, ctx.Err()
	}
	for _, g := range groups {
		q.Groups = append(q.Groups, *g)
	}
	slices.SortFunc(q.Groups, func(a, b QualityGroup) int {
		return cmp.Or(strings.Compare(a.Class, b.Class), strings.Compare(a.Owner, b.Owner))
	})
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if col := m.columns["incomplete"]; col != nil {
		for i := range col.values {
			if v := &col.values[i]; v.text != "" {
				q.Missing[v.text] = v.post.len()
			}
		}
	}
	for _, field := range own {
		q.Duplicates = append(q.Duplicates, inv.duplicates(field, maxDuplicates-len(q.Duplicates))...)
	}
	q.Duplicates = append(q.Duplicates, inv.sameNames(maxDuplicates-len(q.Duplicates))...)
	return q, nil
}

func (inv *Inventory) duplicates(field string, limit int) []Duplicate {
	col := inv.mem.columns[field]
	if col == nil || limit <= 0 {
		return nil
	}
	var out []Duplicate
	for i := range col.values {
		v := &col.values[i]
		if v.post.len() < 2 || len(out) >= limit {
			continue
		}
		if field == "serial_number" && cmdb.Serial(v.text) == "" || field == "product_uuid" && cmdb.UUID(v.text) == "" {
			continue // a placeholder says nothing
		}
		d := Duplicate{Field: field, Value: v.text}
		v.post.each(100, func(o uint32) {
			if inv.mem.entries[o].live != gone {
				d.CIs = append(d.CIs, inv.mem.entries[o].id)
			}
		})
		if len(d.CIs) > 1 {
			slices.Sort(d.CIs)
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Duplicate) int { return strings.Compare(a.Value, b.Value) })
	return out
}

// sameNames finds items of one class and name.
func (inv *Inventory) sameNames(limit int) []Duplicate {
	m := inv.mem
	var out []Duplicate
	for i := 0; i < len(m.byName); {
		j := i + 1
		for j < len(m.byName) && m.entries[m.byName[j]].name == m.entries[m.byName[i]].name {
			j++
		}
		if j-i > 1 {
			byClass := map[string][]string{}
			for _, o := range m.byName[i:j] {
				if e := &m.entries[o]; e.live != gone {
					byClass[m.classes[e.class]] = append(byClass[m.classes[e.class]], e.id)
				}
			}
			for _, c := range slices.Sorted(maps.Keys(byClass)) {
				if ids := byClass[c]; len(ids) > 1 && len(out) < limit {
					out = append(out, Duplicate{Field: "name", Value: c + " " + m.entries[m.byName[i]].name, CIs: ids})
				}
			}
		}
		i = j
	}
	return out
}

// Ending is something of an item that ends.
type Ending struct {
	CI    string `json:"ci"`
	Class string `json:"class"`
	Name  string `json:"name"`
	Field string `json:"field"` // "warranty_end", "end_of_life", "not_after", ...
	Date  string `json:"date"`  // YYYY-MM-DD
	Days  int    `json:"days"`  // from today; negative: over
	Owner string `json:"owner,omitempty"`
}

// ending are the date fields that reports look at when none is named.
var ending = []string{"warranty_end", "end_of_life", "not_after", "license_end"}

// Endings lists what ends within the time from now, over already included, the
// earliest first. Items that are retired or gone are left out. fields empty means
// warranty, end of life, certificates and licences.
func (inv *Inventory) Endings(ctx context.Context, query string, within time.Duration, fields []string) ([]Ending, error) {
	if len(fields) == 0 {
		fields = ending
	}
	for _, f := range fields {
		if !fieldOK(f) {
			return nil, fault.Invalidf("fields", "%q is no field", f)
		}
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	set, err := inv.matching(query)
	if err != nil {
		return nil, err
	}
	m := inv.mem
	today := inv.now().UTC().Truncate(24 * time.Hour)
	last := today.Add(within).Format(time.DateOnly)
	out := []Ending{}
	for _, f := range fields {
		col := m.columns[f]
		if col == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for i := range col.values {
			v := &col.values[i]
			if len(v.text) < 10 || v.text[:10] > last {
				continue
			}
			day, err := time.Parse(time.DateOnly, v.text[:10])
			if err != nil {
				continue
			}
			v.post.each(0, func(o uint32) {
				e := &m.entries[o]
				life := m.text(o, "lifecycle")
				if !set.Contains(o) || e.live == gone || life == "retired" || life == "disposed" {
					return
				}
				out = append(out, Ending{e.id, m.classes[e.class], e.name, f, v.text[:10], int(day.Sub(today) / (24 * time.Hour)), m.text(o, "owner")})
			})
		}
	}
	slices.SortFunc(out, func(a, b Ending) int {
		return cmp.Or(strings.Compare(a.Date, b.Date), strings.Compare(a.Name, b.Name), strings.Compare(a.CI, b.CI), strings.Compare(a.Field, b.Field))
	})
	return out, nil
}

func fieldOK(f string) bool {
	return f != "" && strings.Trim(f, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// Cost is the purchase price of items by group and currency: amounts of two
// currencies are never added up.
type Cost struct {
	Group    string  `json:"group"`
	Currency string  `json:"currency"`
	Items    int     `json:"items"`
	Total    float64 `json:"total"`
}

// Costs adds up the cost of the items that match, by the values of a field such
// as owner, team, location or class.
func (inv *Inventory) Costs(_ context.Context, query, by string) ([]Cost, error) {
	if by == "" {
		by = "team"
	}
	if !fieldOK(by) {
		return nil, fault.Invalidf("by", "%q is no field", by)
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	set, err := inv.matching(query)
	if err != nil {
		return nil, err
	}
	m := inv.mem
	sums := map[[2]string]*Cost{}
	if col := m.columns["cost"]; col != nil {
		for i := range col.values {
			v := &col.values[i]
			if !v.is {
				continue
			}
			v.post.each(0, func(o uint32) {
				if !set.Contains(o) || m.text(o, "lifecycle") == "disposed" {
					return
				}
				k := [2]string{m.text(o, by), strings.ToUpper(m.text(o, "currency"))}
				if sums[k] == nil {
					sums[k] = &Cost{Group: k[0], Currency: k[1]}
				}
				sums[k].Items++
				sums[k].Total += v.num
			})
		}
	}
	out := []Cost{}
	for _, c := range sums {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Cost) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Currency, b.Currency))
	})
	return out, nil
}
