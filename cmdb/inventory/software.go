package inventory

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
)

// packageDoc is one interned package: what many machines have in common is stored once.
type packageDoc struct {
	ID string `json:"id"` // its number in hex
	report.Package
}

// software interns packages and knows which machines have which. A machine's own
// list is a row of numbers.
type software struct {
	rows   []installed
	ids    map[string]uint32
	byName map[string][]uint32 // "name" in lower case → rows
	names  []string            // sorted; rebuilt when stale
	fresh  bool
	// unsaved rows have a number already and no row in the store yet. Any batch may
	// use a number, so the next commit saves them, whatever became of the closure or
	// the batch that first met them.
	unsaved []packageDoc
}

type installed struct {
	pkg   report.Package
	hosts posting
}

func newSoftware() *software {
	return &software{ids: map[string]uint32{}, byName: map[string][]uint32{}}
}

// packageKey is what makes two packages one row. Where it lies on disk differs
// between machines and is part of it: a listing must show it truly.
func packageKey(p *report.Package) string {
	return strings.Join([]string{p.Type, p.Name, p.Version, p.Arch, p.PURL, p.Source, p.Location, p.OwnedBy, p.Vendor, p.Module, strconv.FormatUint(p.SizeKiB, 10)}, "\x00")
}

func (s *software) add(p report.Package, key string) uint32 {
	n := uint32(len(s.rows))
	for _, t := range []*string{&p.Type, &p.Name, &p.Version, &p.Arch, &p.PURL, &p.Source, &p.Location, &p.OwnedBy, &p.Vendor, &p.Module} {
		*t = strings.Clone(*t)
	}
	s.rows = append(s.rows, installed{pkg: p})
	s.ids[key] = n
	name := strings.ToLower(p.Name)
	if _, known := s.byName[name]; !known {
		s.fresh = false
	}
	s.byName[name] = append(s.byName[name], n)
	return n
}

// packNumbers writes sorted numbers as differences.
func packNumbers(ids []uint32) []byte {
	out := make([]byte, 0, len(ids)*2)
	var prev uint32
	for _, id := range ids {
		out = binary.AppendUvarint(out, uint64(id-prev))
		prev = id
	}
	return out
}

func unpackNumbers(b []byte) []uint32 {
	out := make([]uint32, 0, len(b)/2)
	var prev uint32
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 {
			return out
		}
		prev += uint32(d)
		out = append(out, prev)
		b = b[n:]
	}
	return out
}

// storePackages replaces a machine's package list. Where it was not found in the same
// way, and as whole, as the one before (steady), only other versions of what is in both
// are changes: the first walk over a disk finds what had been there long.
func (b *batch) storePackages(id string, d *hostDoc, c *content, steady bool) (packageDiff, error) {
	inv, s := b.inv, b.inv.soft
	o := inv.mem.byID[id]
	old, err := b.packageNumbers(id)
	if err != nil {
		return packageDiff{}, err
	}
	list := c.value.([]report.Package)
	ids := make([]uint32, 0, len(list))
	for i := range list {
		key := packageKey(&list[i])
		n, known := s.ids[key]
		if !known {
			inv.mu.Lock()
			n = s.add(list[i], key)
			inv.mu.Unlock()
			// Numbers are never taken back: a row that nobody has costs little, and
			// another closure of this batch may use it already.
			s.unsaved = append(s.unsaved, packageDoc{ID: packageID(n), Package: s.rows[n].pkg})
			b.bytes += 600
		}
		ids = append(ids, n)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	gone, added := apart(old, ids)
	inv.mu.Lock()
	for _, n := range gone {
		s.rows[n].hosts.remove(o)
	}
	for _, n := range added {
		s.rows[n].hosts.add(o)
	}
	inv.mu.Unlock()
	b.later(func() {
		for _, n := range added {
			s.rows[n].hosts.remove(o)
		}
		for _, n := range gone {
			s.rows[n].hosts.add(o)
		}
	})
	d.Packages = len(ids)
	packed := packNumbers(ids)
	set(b, b.sections, id+" "+report.SectionPackages, &sectionDoc{CI: id, Name: report.SectionPackages, Packed: packed, Problems: c.probs})
	b.bytes += len(packed)
	diff := s.diff(gone, added, inv.mem.at(id).host.hashes[c.number] == 0)
	if !steady {
		diff.changes = slices.DeleteFunc(diff.changes, func(x packageChange) bool { return x.old == "" || x.new == "" })
	}
	for _, x := range diff.changes {
		b.log(id, "software:"+x.typ+"/"+x.name, textOrNil(x.old), textOrNil(x.new), "agent")
	}
	return diff, nil
}

func packageID(n uint32) string { return fmt.Sprintf("%08x", n) }

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (b *batch) packageNumbers(id string) ([]uint32, error) {
	d, err := read(b, b.sections, b.inv.cols.section, id+" "+report.SectionPackages)
	if err != nil || d == nil {
		return nil, err
	}
	return unpackNumbers(d.Packed), nil
}

// apart compares two sorted lists: what only a has, what only b has.
func apart(a, b []uint32) (onlyA, onlyB []uint32) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0] < b[0]:
			onlyA, a = append(onlyA, a[0]), a[1:]
		default:
			onlyB, b = append(onlyB, b[0]), b[1:]
		}
	}
	return append(onlyA, a...), append(onlyB, b...)
}

// packageDiff is what changed in a machine's packages, by product.
type packageDiff struct {
	changes []packageChange
}

type packageChange struct{ typ, name, old, new string }

// diff folds rows that went and came into products that changed. The first list
// of a machine changes nothing.
func (s *software) diff(gone, added []uint32, first bool) packageDiff {
	if first {
		return packageDiff{}
	}
	type product struct{ typ, name, arch string }
	versions := map[product]*packageChange{}
	at := func(n uint32) (*packageChange, string) {
		p := s.rows[n].pkg
		k := product{p.Type, p.Name, p.Arch}
		if versions[k] == nil {
			versions[k] = &packageChange{typ: p.Type, name: p.Name}
		}
		return versions[k], p.Version
	}
	join := func(have, v string) string {
		if have == "" || have == v {
			return v
		}
		return have + ", " + v
	}
	for _, n := range gone {
		c, v := at(n)
		c.old = join(c.old, v)
	}
	for _, n := range added {
		c, v := at(n)
		c.new = join(c.new, v)
	}
	var d packageDiff
	for _, c := range versions {
		if c.old != c.new { // the rest moved on disk or changed its maintainer
			d.changes = append(d.changes, *c)
		}
	}
	slices.SortFunc(d.changes, func(a, b packageChange) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.typ, b.typ), cmp.Compare(a.old, b.old), cmp.Compare(a.new, b.new))
	})
	return d
}

// singly is up to how many package changes of one kind are told one by one; a
// distribution upgrade is one fact.
const singly = 10

// facts tells the engine of the changes.
func (d packageDiff) facts() []event.Change {
	groups := map[string][]packageChange{}
	for _, c := range d.changes {
		kind := report.ChangePackageUpgraded
		switch {
		case c.old == "":
			kind = report.ChangePackageInstalled
		case c.new == "":
			kind = report.ChangePackageRemoved
		}
		groups[kind] = append(groups[kind], c)
	}
	var out []event.Change
	for _, kind := range slices.Sorted(maps.Keys(groups)) {
		g := groups[kind]
		if len(g) > singly {
			var names []string
			for _, c := range g[:singly] {
				names = append(names, c.name)
			}
			out = append(out, event.Change{Type: kind, Summary: fmt.Sprintf("%d packages: %s, ...", len(g), strings.Join(names, ", "))})
			continue
		}
		for _, c := range g {
			x := event.Change{Type: kind, Version: c.new, Product: c.name}
			switch kind {
			case report.ChangePackageInstalled:
				x.Summary = fmt.Sprintf("%s %s installed", c.name, c.new)
			case report.ChangePackageRemoved:
				x.Summary, x.Version = fmt.Sprintf("%s %s removed", c.name, c.old), c.old
			default:
				x.Summary = fmt.Sprintf("%s %s after %s", c.name, c.new, c.old)
			}
			out = append(out, x)
		}
	}
	return out
}
