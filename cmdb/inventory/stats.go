package inventory

import (
	"sync"
	"sync/atomic"

	"github.com/watchbill/watchbill/cmdb"
)

// counters are totals since the start.
type counters struct {
	reports, unchanged, clones, badChanges atomic.Uint64

	mu       sync.Mutex
	rejected map[string]uint64
	tasks    map[string]uint64
	coverage *Covered
}

// Covered is the newest coverage of the whole inventory, in numbers.
type Covered struct {
	Watched, Covered int
	Gaps             map[string]int // by what is missing: "target", "up", "rule"
	UnknownTargets   int
}

func (c *counters) covered(x cmdb.Coverage) {
	n := Covered{Watched: x.Watched, Covered: x.Covered, Gaps: map[string]int{"target": 0, "up": 0, "rule": 0}, UnknownTargets: len(x.UnknownTargets)}
	for _, g := range x.Gaps {
		n.Gaps[g.Missing]++
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.coverage = &n
}

func (c *counters) sections(rejected map[string]string) {
	if len(rejected) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejected == nil {
		c.rejected = map[string]uint64{}
	}
	for name := range rejected {
		if sectionNumber(name) < 0 {
			name = "unknown"
		}
		c.rejected[name]++
	}
}

func (c *counters) task(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tasks == nil {
		c.tasks = map[string]uint64{}
	}
	c.tasks[kind]++
}

// Count is how many items there are of one class in one liveness.
type Count struct {
	Class    string
	Liveness cmdb.Liveness
	Items    int
	Complete int // of them, with every required field
}

// Stats are the figures for metrics.
type Stats struct {
	Counts           []Count
	Relations        int
	Packages         int // distinct ones
	Reports          uint64
	UnchangedReports uint64
	Clones           uint64
	BadChanges       uint64
	RejectedSections map[string]uint64 // by section, every section present
	TasksOpened      map[string]uint64 // by kind, every kind present
	Coverage         *Covered          // nil until it was asked for
}

// Stats counts what the inventory holds and did since the start.
func (inv *Inventory) Stats() Stats {
	s := Stats{
		Reports: inv.stats.reports.Load(), UnchangedReports: inv.stats.unchanged.Load(), Clones: inv.stats.clones.Load(),
		BadChanges: inv.stats.badChanges.Load(), RejectedSections: map[string]uint64{"unknown": 0}, TasksOpened: map[string]uint64{TaskClone: 0, TaskContested: 0, TaskConflict: 0, TaskProposal: 0, TaskSiteKey: 0, TaskAgentGone: 0},
	}
	for _, n := range sectionNames {
		s.RejectedSections[n] = 0
	}
	inv.stats.mu.Lock()
	for k, v := range inv.stats.rejected {
		s.RejectedSections[k] = v
	}
	for k, v := range inv.stats.tasks {
		s.TasksOpened[k] = v
	}
	s.Coverage = inv.stats.coverage
	inv.stats.mu.Unlock()
	m := inv.mem
	type cell struct{ items, complete int }
	cells := map[uint16]*[len(livenessNames)]cell{}
	inv.eachEntry(func(_ uint32, e *entry) {
		byLive := cells[e.class]
		if byLive == nil {
			byLive = new([len(livenessNames)]cell)
			cells[e.class] = byLive
		}
		c := &byLive[e.live]
		c.items++
		if e.complete {
			c.complete++
		}
		s.Relations += len(e.out)
	})
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for i, byLive := range cells {
		for l, c := range byLive {
			if c.items > 0 {
				s.Counts = append(s.Counts, Count{m.classes[i], livenessNames[l], c.items, c.complete})
			}
		}
	}
	s.Packages = len(inv.soft.rows)
	return s
}

// walkChunk is how many items are looked at under one lock: a walk over a whole
// fleet must not hold up the reports, and behind them the queries, for its length.
const walkChunk = 20_000

// eachEntry calls f for every item. What changes meanwhile may be seen or not.
func (inv *Inventory) eachEntry(f func(o uint32, e *entry)) {
	for from := 0; ; from += walkChunk {
		inv.mu.RLock()
		entries := inv.mem.entries
		end := min(from+walkChunk, len(entries))
		for o := from; o < end; o++ {
			if entries[o].id != "" {
				f(uint32(o), &entries[o])
			}
		}
		done := end == len(entries)
		inv.mu.RUnlock()
		if done {
			return
		}
	}
}
