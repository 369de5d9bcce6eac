package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
)

// ownerCap bounds the owners that have series of their own; the smaller ones share
// "other", and what nobody owns is "".
const ownerCap = 50

// qualityAge is how old a figure that takes a walk over the whole inventory may be.
const qualityAge = 30 * time.Second

// InventoryMetrics shows the inventory to Prometheus. Every series that the
// configuration allows is there from the start. Safe for concurrent use.
type InventoryMetrics struct {
	inv *inventory.Inventory
	now func() time.Time
	d   map[string]*prometheus.Desc

	mu     sync.Mutex // guards the rest: what was walked last
	at     time.Time
	stats  inventory.Stats
	health inventory.Quality
}

var _ prometheus.Collector = (*InventoryMetrics)(nil)

// NewInventoryMetrics makes the collector; its caller registers it.
func NewInventoryMetrics(inv *inventory.Inventory, now func() time.Time) *InventoryMetrics {
	m := &InventoryMetrics{inv: inv, now: now, d: map[string]*prometheus.Desc{}}
	for _, x := range []struct {
		name, help string
		labels     []string
	}{
		{"cmdb_cis", "Configuration items.", []string{"class", "liveness"}},
		{"cmdb_completeness_ratio", "Share of the items that have every field which their class requires; 1 for a class without items.", []string{"class"}},
		{"cmdb_orphans", "Items without any relation.", []string{"class"}},
		{"cmdb_owner_cis", "Configuration items by owner; the smaller ones as other.", []string{"owner"}},
		{"cmdb_owner_completeness_ratio", "Share of an owner's items that have every required field.", []string{"owner"}},
		{"cmdb_owner_stale_cis", "Items of an owner that are stale or gone.", []string{"owner"}},
		{"cmdb_incomplete_cis", "Items that lack a field which their class requires.", []string{"field"}},
		{"cmdb_duplicates", "Values that should be one item's own and stand on several live ones.", []string{"field"}},
		{"cmdb_relations", "Relations between items.", nil},
		{"cmdb_packages", "Distinct installed packages.", nil},
		{"cmdb_tasks_total", "Tasks that were opened for people since the start.", []string{"kind"}},
		{"cmdb_clones_total", "Machines that reported with a copy of another one's identity, since the start.", nil},
		{"cmdb_coverage_ratio", "Share of machines and open ports that a Prometheus scrapes and alerts on, of the newest look; absent where none is configured.", nil},
		{"cmdb_coverage_gaps", "Machines and open ports that lack a target, a scrape that succeeds, or a rule.", []string{"missing"}},
		{"cmdb_unknown_targets", "Targets of Prometheus on no known machine.", nil},
		{"agent_reports_total", "Reports that were taken since the start.", []string{"content"}},
		{"agent_sections_rejected_total", "Sections of reports that were refused since the start; the reason stands on the host.", []string{"section"}},
		{"agent_changes_rejected_total", "Changes in reports that were no changes, since the start.", nil},
	} {
		m.d[x.name] = prometheus.NewDesc(prefix+x.name, x.help, x.labels, nil)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *InventoryMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range m.d {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *InventoryMetrics) Collect(c chan<- prometheus.Metric) {
	st, q := m.look()
	gauge := func(name string, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(m.d[name], prometheus.GaugeValue, v, labels...)
	}
	counter := func(name string, v uint64, labels ...string) {
		c <- prometheus.MustNewConstMetric(m.d[name], prometheus.CounterValue, float64(v), labels...)
	}
	m.classes(st, q, gauge)
	m.owners(q, gauge)
	fields := map[string]int{}
	for _, k := range m.inv.Registry().Classes() {
		for _, f := range k.Fields {
			if f.Required {
				fields[f.Name] = 0
			}
		}
	}
	for f, n := range q.Missing {
		fields[f] = n
	}
	for f, n := range fields {
		gauge("cmdb_incomplete_cis", float64(n), f)
	}
	duplicates := map[string]int{}
	for _, f := range inventory.OwnFields() {
		duplicates[f] = 0
	}
	for _, d := range q.Duplicates {
		duplicates[d.Field]++
	}
	for f, n := range duplicates {
		gauge("cmdb_duplicates", float64(n), f)
	}
	gauge("cmdb_relations", float64(st.Relations))
	gauge("cmdb_packages", float64(st.Packages))
	for k, n := range st.TasksOpened {
		counter("cmdb_tasks_total", n, k)
	}
	counter("cmdb_clones_total", st.Clones)
	if x := st.Coverage; x != nil && m.inv.Monitored() {
		share := 1.0
		if x.Watched > 0 {
			share = float64(x.Covered) / float64(x.Watched)
		}
		gauge("cmdb_coverage_ratio", share)
		for missing, n := range x.Gaps {
			gauge("cmdb_coverage_gaps", float64(n), missing)
		}
		gauge("cmdb_unknown_targets", float64(x.UnknownTargets))
	}
	counter("agent_reports_total", st.UnchangedReports, "unchanged")
	counter("agent_reports_total", st.Reports-st.UnchangedReports, "changed")
	for s, n := range st.RejectedSections {
		counter("agent_sections_rejected_total", n, s)
	}
	counter("agent_changes_rejected_total", st.BadChanges)
}

// look walks the inventory, or remembers what it saw a moment ago.
func (m *InventoryMetrics) look() (inventory.Stats, inventory.Quality) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats = m.inv.Stats()
	if now := m.now(); m.at.IsZero() || now.Sub(m.at) > qualityAge || now.Before(m.at) {
		if q, err := m.inv.Quality(context.Background()); err == nil { // it fails with its context only
			m.health, m.at = q, now
		}
	}
	return m.stats, m.health
}

func (m *InventoryMetrics) classes(st inventory.Stats, q inventory.Quality, gauge func(string, float64, ...string)) {
	type sum struct {
		live                     map[cmdb.Liveness]int
		items, complete, orphans int
	}
	sums := map[string]*sum{}
	at := func(class string) *sum {
		if sums[class] == nil {
			sums[class] = &sum{live: map[cmdb.Liveness]int{cmdb.Seen: 0, cmdb.Stale: 0, cmdb.Gone: 0, cmdb.Recorded: 0}}
		}
		return sums[class]
	}
	for _, k := range m.inv.Registry().Classes() {
		at(k.Name)
	}
	for _, x := range st.Counts {
		s := at(x.Class)
		s.live[x.Liveness] = x.Items
		s.items += x.Items
		s.complete += x.Complete
	}
	for _, g := range q.Groups {
		at(g.Class).orphans += g.Orphans
	}
	for class, s := range sums {
		for l, n := range s.live {
			gauge("cmdb_cis", float64(n), class, string(l))
		}
		ratio := 1.0
		if s.items > 0 {
			ratio = float64(s.complete) / float64(s.items)
		}
		gauge("cmdb_completeness_ratio", ratio, class)
		gauge("cmdb_orphans", float64(s.orphans), class)
	}
}

// owners adds up by owner. The largest have series of their own.
func (m *InventoryMetrics) owners(q inventory.Quality, gauge func(string, float64, ...string)) {
	type sum struct {
		owner                  string
		items, complete, stale int
	}
	by := map[string]*sum{}
	for _, g := range q.Groups {
		s := by[g.Owner]
		if s == nil {
			s = &sum{owner: g.Owner}
			by[g.Owner] = s
		}
		s.items += g.Items
		s.complete += g.Complete
		s.stale += g.Stale + g.Gone
	}
	all := make([]*sum, 0, len(by))
	for _, s := range by {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *sum) int {
		if (a.owner == "") != (b.owner == "") { // nobody's items are always told
			return strings.Compare(a.owner, b.owner)
		}
		return cmp.Or(cmp.Compare(b.items, a.items), strings.Compare(a.owner, b.owner))
	})
	out := map[string]*sum{"": {}, "other": {owner: "other"}}
	for i, s := range all {
		if i <= ownerCap && s.owner != "other" {
			out[s.owner] = s
			continue
		}
		o := out["other"]
		o.items, o.complete, o.stale = o.items+s.items, o.complete+s.complete, o.stale+s.stale
	}
	for _, s := range out {
		ratio := 1.0
		if s.items > 0 {
			ratio = float64(s.complete) / float64(s.items)
		}
		gauge("cmdb_owner_cis", float64(s.items), s.owner)
		gauge("cmdb_owner_completeness_ratio", ratio, s.owner)
		gauge("cmdb_owner_stale_cis", float64(s.stale), s.owner)
	}
}
