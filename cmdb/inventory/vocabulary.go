package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/watchbill/watchbill/cmdb"
)

// answer evaluates a parsed query after a look at its words: one that nothing can
// ever match is a mistake, and an empty list would hide it. The error is
// *cmdb.SyntaxError. The caller holds the lock.
func (inv *Inventory) answer(n *cmdb.Node) (*roaring.Bitmap, error) {
	if err := inv.understand(n); err != nil {
		return nil, err
	}
	return inv.eval(n, inv.now())
}

func (inv *Inventory) understand(n *cmdb.Node) error {
	if n == nil {
		return nil
	}
	for _, a := range n.Args {
		if err := inv.understand(a); err != nil {
			return err
		}
	}
	if n.Op != "term" || n.Term.Field == "" {
		return nil
	}
	t := &n.Term
	field := t.Field
	if a, ok := fieldAliases[field]; ok {
		field = a
	}
	wrong := inv.vocabulary(field, t.Field)
	if wrong == nil {
		return nil
	}
	col := inv.mem.columns[field]
	for _, v := range t.Values {
		if strings.Contains(v, "*") {
			continue
		}
		if col != nil {
			if _, stored := col.ids[v]; stored {
				continue // of a class or a rule that is not configured any more
			}
		}
		if why := wrong(v); why != "" {
			return &cmdb.SyntaxError{At: t.At, End: t.End, Message: why}
		}
	}
	return nil
}

// vocabulary returns what tells why a word is no value of a field, nil for fields
// that take any. A wrong word gets a reason, in which the field is called as the
// query calls it; a right one gets "".
func (inv *Inventory) vocabulary(field, called string) func(v string) string {
	oneOf := func(words []string) func(string) string {
		return func(v string) string {
			if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v) }) { // queries are in lower case
				return ""
			}
			return fmt.Sprintf("%s is one of %s, not %q%s", called, strings.Join(words, ", "), v, likely(v, words))
		}
	}
	switch field {
	case "class":
		var names []string
		for _, c := range inv.Registry().Classes() {
			names = append(names, c.Name)
		}
		return func(v string) string {
			if slices.Contains(names, v) {
				return ""
			}
			return fmt.Sprintf("there is no class %q%s", v, likely(v, names))
		}
	case "liveness":
		var names []string
		for _, l := range livenessNames {
			names = append(names, string(l))
		}
		return oneOf(names)
	case "agent":
		return oneOf([]string{"true", "false", "yes", "no"})
	}
	f, ok := inv.Registry().Agreed(field)
	if !ok {
		return nil
	}
	switch f.Type {
	case cmdb.Enum:
		return oneOf(f.Values)
	case cmdb.Bool:
		return oneOf([]string{"true", "false"})
	case cmdb.Number, cmdb.Numbers:
		return func(v string) string {
			if _, ok := quantity(v); ok {
				return ""
			}
			return fmt.Sprintf("%s wants a number such as 8, 1.5 or 16GiB, got %q", called, v)
		}
	case cmdb.Date:
		return func(v string) string {
			if v[0] >= '0' && v[0] <= '9' {
				return "" // its beginning is enough: warranty_end<2027
			}
			return fmt.Sprintf("%s wants a date such as 2027-01-31, got %q", called, v)
		}
	}
	return nil
}
