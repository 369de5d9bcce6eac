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
}

// Stats counts what the inventory holds and did since the start.
func (inv *Inventory) Stats() Stats {
	s := Stats{
		Reports: inv.stats.reports.Load(), UnchangedReports: inv.stats.unchanged.Load(), Clones: inv.stats.clones.Load(),
		BadChanges: inv.stats.badChanges.Load(), RejectedSections: map[string]uint64{"unknown": 0}, TasksOpened: map[string]uint64{TaskClone: 0, TaskConflict: 0, TaskProposal: 0},
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
	inv.stats.mu.Unlock()
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	type cell struct{ items, complete int }
	cells := make([][len(livenessNames)]cell, len(m.classes))
	for o := range m.entries {
		e := &m.entries[o]
		if e.id == "" {
			continue
		}
		c := &cells[e.class][e.live]
		c.items++
		if e.complete {
			c.complete++
		}
		s.Relations += len(e.out)
	}
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
