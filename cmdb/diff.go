package cmdb

import (
	"maps"
	"slices"
)

// Difference is one field that two documents do not share. Old or New is nil
// where that side has no value.
type Difference struct {
	Field string `json:"field"`
	Old   any    `json:"old"`
	New   any    `json:"new"`
}

// Diff compares two sets of attributes, sorted by field.
func Diff(old, new Attributes) []Difference {
	var out []Difference
	for k, v := range new {
		if o := old[k]; !Equal(o, v) {
			out = append(out, Difference{k, o, v})
		}
	}
	for k, o := range old {
		if _, ok := new[k]; !ok {
			out = append(out, Difference{k, o, nil})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		if a.Field < b.Field {
			return -1
		}
		return 1
	})
	return out
}

// DiffCIs compares two items, or one item at two times, field by field. Names,
// classes, labels, tags and aliases count as fields of their own; what was only
// observed in passing (when seen, how complete) does not.
func DiffCIs(old, new *CI) []Difference { return Diff(old.flat(), new.flat()) }

// flat is the item as one map of comparable fields.
func (c *CI) flat() Attributes {
	out := Attributes{}
	if c == nil {
		return out
	}
	maps.Copy(out, c.Attributes)
	for k, v := range map[string]any{
		"class": c.Class, "name": c.Name, "parent": c.Parent, "merged_into": c.MergedInto,
		"tags": c.Tags, "aliases": c.Aliases,
	} {
		if v = Normalize(v); v != nil {
			out["ci."+k] = v
		}
	}
	for k, v := range c.Labels {
		out["label."+k] = v
	}
	return out
}
