package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
)

// previous is what sections held before this report, for the changes it makes.
type previous struct {
	services     []report.Service
	listeners    []report.Listener
	hasServices  bool
	hasListeners bool
}

// before reads what is compared. steady says that a section was found in the same way,
// and as whole, as the time before: what was hidden and shows has not come, and what is
// hidden now has not gone.
func (b *batch) before(id string, in incoming, steady func(section string) bool) (p previous, err error) {
	h := b.inv.mem.at(id).host
	if steady(report.SectionServices) && h.hashes[sectionNumber(report.SectionServices)] != 0 {
		p.hasServices = true
		if p.services, err = section[[]report.Service](b, id, report.SectionServices, nil); err != nil {
			return p, err
		}
	}
	if steady(report.SectionListeners) && h.hashes[sectionNumber(report.SectionListeners)] != 0 {
		p.hasListeners = true
		p.listeners, err = section[[]report.Listener](b, id, report.SectionListeners, nil)
	}
	return p, err
}

// changes tells the engine what changed on the machine: what the agent saw, and
// what the sections show that it did not tell.
func (b *batch) changes(c, old *cmdb.CI, in incoming, was previous, diff packageDiff, rebooted bool) error {
	told := map[string]bool{}
	tell := func(ref event.Ref, kind, summary, version string) {
		b.tell(&event.Change{CI: ref, Type: kind, Summary: strings.ToValidUTF8(summary, "\uFFFD"), Version: version})
	}
	for _, group := range foldChanges(in.env.Changes, &b.inv.stats) {
		for _, x := range group {
			if x.Type == report.ChangeRebooted && c.Attributes["container"] != true {
				continue // told below, once it is sure that it is no copy of the machine that was started
			}
			told[x.Type] = true
			ref := c.Ref()
			if strings.HasPrefix(x.Type, "unit_") {
				ref = b.childRef(c, unitKey(x.Object))
			}
			tell(ref, x.Type, x.Summary, x.Version)
			if !strings.HasPrefix(x.Type, "package_") { // those stand there by product
				b.log(ref.ID, changePrefix+x.Type, nil, worded(x.Summary, x.Version), "agent")
			}
		}
	}
	for _, x := range diff.facts() {
		if !told[x.Type] {
			tell(c.Ref(), x.Type, x.Summary, x.Version)
		}
	}
	if rebooted && c.Attributes["container"] != true {
		tell(c.Ref(), report.ChangeRebooted, c.Name+" was booted again", c.Attributes.Text("kernel"))
	}
	if a, z := old.Attributes.Text("kernel"), c.Attributes.Text("kernel"); a != "" && z != "" && a != z && !told[report.ChangeKernel] {
		tell(c.Ref(), report.ChangeKernel, fmt.Sprintf("kernel %s after %s", z, a), z)
	}
	if was.hasServices && !told[report.ChangeUnitFailed] {
		before := map[string]string{}
		for _, s := range was.services {
			before[s.Name] = s.State
		}
		for _, s := range in.fresh[report.SectionServices].value.([]report.Service) {
			if s.State == "failed" && before[s.Name] != "failed" {
				tell(b.childRef(c, unitKey(s.Name)), report.ChangeUnitFailed, s.Name+" failed on "+c.Name, "")
			}
		}
	}
	if was.hasListeners {
		before, after := listenKeys(was.listeners), listenKeys(in.fresh[report.SectionListeners].value.([]report.Listener))
		for _, k := range slices.Sorted(maps.Keys(after)) {
			if _, had := before[k]; !had && !told[report.ChangeListenerAdded] {
				tell(b.childRef(c, ownerKey(after[k])), report.ChangeListenerAdded, fmt.Sprintf("%s listens on %s of %s", ownerName(after[k]), k, c.Name), "")
			}
		}
		for _, k := range slices.Sorted(maps.Keys(before)) {
			if _, has := after[k]; !has && !told[report.ChangeListenerRemoved] {
				tell(b.childRef(c, ownerKey(before[k])), report.ChangeListenerRemoved, fmt.Sprintf("%s listens no more on %s of %s", ownerName(before[k]), k, c.Name), "")
			}
		}
	}
	return nil
}

// childRef names the service with the key on c, c itself where there is none.
func (b *batch) childRef(c *cmdb.CI, key string) event.Ref {
	m := b.inv.mem
	for _, o := range m.at(c.ID).children {
		if m.entries[o].key == key && key != "" {
			return b.inv.ref(m.entries[o].id)
		}
	}
	return c.Ref()
}

// foldChanges groups what the agent saw by type. Many of one type in one report
// (a distribution upgrade) become one fact.
func foldChanges(changes []report.Change, stats *counters) [][]report.Change {
	var order []string
	groups := map[string][]report.Change{}
	for _, x := range changes {
		if x.Type == "" || len(x.Type) > 64 || len(x.Summary) > 1024 {
			stats.badChanges.Add(1)
			continue
		}
		if groups[x.Type] == nil {
			order = append(order, x.Type)
		}
		groups[x.Type] = append(groups[x.Type], x)
	}
	out := make([][]report.Change, 0, len(order))
	for _, t := range order {
		g := groups[t]
		if len(g) > singly {
			var names []string
			for _, x := range g[:singly] {
				names = append(names, cmp.Or(x.Object, x.Summary))
			}
			g = []report.Change{{Type: t, At: g[0].At, Summary: fmt.Sprintf("%d at once: %s, ...", len(g), strings.Join(names, ", "))}}
		}
		out = append(out, g)
	}
	return out
}
