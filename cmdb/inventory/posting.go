package inventory

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// posting is the set of items that share one value. Most values stand on few
// items, where a bitmap would be mostly header: it becomes one when it grows.
type posting struct {
	few  []uint32 // sorted
	many *roaring.Bitmap
}

const fewMax = 24

func (p *posting) add(n uint32) {
	if p.many != nil {
		p.many.Add(n)
		return
	}
	if i, found := slices.BinarySearch(p.few, n); !found {
		p.few = slices.Insert(p.few, i, n)
	}
	if len(p.few) > fewMax {
		p.many = roaring.BitmapOf(p.few...)
		p.few = nil
	}
}

// addMany adds sorted numbers.
func (p *posting) addMany(ns []uint32) {
	if p.many == nil && len(p.few)+len(ns) > fewMax {
		p.many = roaring.BitmapOf(p.few...)
		p.few = nil
	}
	if p.many != nil {
		p.many.AddMany(ns)
		return
	}
	for _, n := range ns {
		p.add(n)
	}
}

func (p *posting) remove(n uint32) {
	if p.many != nil {
		p.many.Remove(n)
		if p.many.GetCardinality() <= fewMax/2 {
			p.few, p.many = p.many.ToArray(), nil
		}
		return
	}
	if i, found := slices.BinarySearch(p.few, n); found {
		p.few = slices.Delete(p.few, i, i+1)
	}
}

func (p *posting) len() int {
	if p.many != nil {
		return int(p.many.GetCardinality())
	}
	return len(p.few)
}

// into adds the posting's items to set.
func (p *posting) into(set *roaring.Bitmap) {
	if p.many != nil {
		set.Or(p.many)
		return
	}
	set.AddMany(p.few)
}

func (p *posting) contains(n uint32) bool {
	if p.many != nil {
		return p.many.Contains(n)
	}
	_, found := slices.BinarySearch(p.few, n)
	return found
}

// each walks up to limit items in order; 0 means all.
func (p *posting) each(limit int, f func(uint32)) {
	n := 0
	if p.many == nil {
		for _, x := range p.few {
			if limit > 0 && n == limit {
				return
			}
			f(x)
			n++
		}
		return
	}
	for it := p.many.Iterator(); it.HasNext() && (limit == 0 || n < limit); n++ {
		f(it.Next())
	}
}
