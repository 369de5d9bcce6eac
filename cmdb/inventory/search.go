package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/watchbill/watchbill/cmdb"
)

func number(text string) (float64, bool) {
	if text == "" || (text[0] > '9' && text[0] != '-') {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// eval answers a parsed query with the numbers of the items. The caller holds the lock.
func (inv *Inventory) eval(n *cmdb.Node, now time.Time) (*roaring.Bitmap, error) {
	m := inv.mem
	if n == nil {
		return m.all.Clone(), nil
	}
	switch n.Op {
	case "and":
		return inv.evalAnd(n.Args, now)
	case "or":
		out := roaring.New()
		for _, a := range n.Args {
			x, err := inv.eval(a, now)
			if err != nil {
				return nil, err
			}
			out.Or(x)
		}
		return out, nil
	case "not":
		x, err := inv.eval(n.Args[0], now)
		if err != nil {
			return nil, err
		}
		out := m.all.Clone()
		out.AndNot(x)
		return out, nil
	}
	return inv.evalTerm(&n.Term, now)
}

// evalAnd intersects what has an index, and tests the rest (ages, liveness) on
// what is left only.
func (inv *Inventory) evalAnd(args []*cmdb.Node, now time.Time) (*roaring.Bitmap, error) {
	var out *roaring.Bitmap
	var without []*cmdb.Node
	var tests []func(uint32) bool
	for _, a := range args {
		inner, negated := a, false
		if a.Op == "not" {
			inner, negated = a.Args[0], true
		}
		if inner.Op == "term" {
			test, err := inv.test(&inner.Term, now)
			if err != nil {
				return nil, err
			}
			if test != nil {
				if negated {
					plain := test
					test = func(o uint32) bool { return !plain(o) }
				}
				tests = append(tests, test)
				continue
			}
		}
		if negated {
			without = append(without, inner)
			continue
		}
		x, err := inv.eval(a, now)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = x
		} else {
			out.And(x)
		}
	}
	if out == nil {
		out = inv.mem.all.Clone()
	}
	for _, a := range without {
		x, err := inv.eval(a, now)
		if err != nil {
			return nil, err
		}
		out.AndNot(x)
	}
	if len(tests) == 0 {
		return out, nil
	}
	kept := roaring.New()
	for it := out.Iterator(); it.HasNext(); {
		o := it.Next()
		if !slices.ContainsFunc(tests, func(f func(uint32) bool) bool { return !f(o) }) {
			kept.Add(o)
		}
	}
	return kept, nil
}

// test returns the condition of a term that has no index, nil for the others.
func (inv *Inventory) test(t *cmdb.Term, now time.Time) (func(uint32) bool, error) {
	m := inv.mem
	switch t.Field {
	case "liveness":
		if slices.Contains(t.Values, "*") {
			return func(uint32) bool { return true }, nil
		}
		return func(o uint32) bool { return slices.Contains(t.Values, string(livenessNames[m.entries[o].live])) }, nil
	case "agent":
		want := slices.Contains(t.Values, "true") || slices.Contains(t.Values, "yes") || slices.Contains(t.Values, "*")
		return func(o uint32) bool { return (m.entries[o].host != nil) == want }, nil
	case "seen", "first_seen", "missing":
		return inv.testAge(t, now)
	}
	return nil, nil
}

// words that search a column for a bare word.
var searched = []string{"name", "hostname", "fqdn", "alias", "addresses", "serial_number", "asset_tag", "product", "description"}

// fieldAliases are short names of fields.
var fieldAliases = map[string]string{
	"address": "addresses", "ip": "addresses", "port": "ports", "serial": "serial_number", "mac": "macs", "tags": "tag",
	"memory": "memory_bytes", "disk": "disk_bytes", "cpus": "cpu_threads", "missing_field": "incomplete", "env": "environment",
}

func (inv *Inventory) evalTerm(t *cmdb.Term, now time.Time) (*roaring.Bitmap, error) {
	m, out := inv.mem, roaring.New()
	bad := func(format string, args ...any) error {
		return &cmdb.SyntaxError{At: t.At, End: t.End, Message: fmt.Sprintf(format, args...)}
	}
	field := t.Field
	if a, ok := fieldAliases[field]; ok {
		field = a
	}
	if test, err := inv.test(t, now); err != nil {
		return nil, err
	} else if test != nil {
		for it := m.all.Iterator(); it.HasNext(); {
			if o := it.Next(); test(o) {
				out.Add(o)
			}
		}
		return out, nil
	}
	switch field {
	case "":
		for _, name := range searched {
			if col := m.columns[name]; col != nil {
				col.hay.find(t.Values[0], col.values, func(v *value) { v.post.into(out) })
			}
		}
		return out, nil
	case "software":
		return inv.evalSoftware(t)
	case "id":
		for _, v := range t.Values {
			if o, ok := m.byID[v]; ok {
				out.Add(o)
			}
		}
		return out, nil
	case "on":
		return inv.evalOn(t, out), nil
	}
	col := m.columns[field]
	if col == nil {
		if inv.knownField(field) {
			return out, nil // nothing has it yet
		}
		return nil, bad("no item has a field %q%s", t.Field, inv.suggest(t.Field))
	}
	for _, want := range t.Values {
		if err := col.find(t.Op, want, out); err != nil {
			return nil, bad("%s", err.Error())
		}
	}
	return out, nil
}

// evalOn finds what was found on, or runs on, a named machine.
func (inv *Inventory) evalOn(t *cmdb.Term, out *roaring.Bitmap) *roaring.Bitmap {
	m := inv.mem
	hosts := roaring.New()
	for _, name := range []string{"name", "hostname", "fqdn", "alias"} {
		if col := m.columns[name]; col != nil {
			for _, v := range t.Values {
				_ = col.find(":", v, hosts) // ":" has no malformed values
			}
		}
	}
	run := m.kind(runsOn)
	for it := hosts.Iterator(); it.HasNext(); {
		o := it.Next()
		out.AddMany(m.entries[o].children)
		for _, l := range m.entries[o].in {
			if l.kind == run {
				out.Add(l.ord)
			}
		}
	}
	return out
}

// match adds the items of every value that f accepts.
func (c *column) match(f func(*value) bool, out *roaring.Bitmap) {
	for i := range c.values {
		if v := &c.values[i]; v.text != "" && f(v) {
			v.post.into(out)
		}
	}
}

// find adds the items whose value compares to want. Numbers compare as numbers
// and may carry a unit; other values as text, which is right for dates.
func (c *column) find(op, want string, out *roaring.Bitmap) error {
	if op == ":" || op == "=" {
		switch {
		case want == "*" && op == ":":
			c.match(func(*value) bool { return true }, out)
		case strings.Contains(want, "*") && op == ":":
			c.match(func(v *value) bool { return glob(want, v.text) }, out)
		default:
			if id, ok := c.ids[want]; ok {
				c.values[id].post.into(out)
			} else if n, ok := quantity(want); ok {
				c.match(func(v *value) bool { return v.is && v.num == n }, out)
			}
		}
		return nil
	}
	holds := func(cmp int) bool {
		switch op {
		case "<":
			return cmp < 0
		case "<=":
			return cmp <= 0
		case ">":
			return cmp > 0
		}
		return cmp >= 0
	}
	if n, ok := quantity(want); ok {
		c.match(func(v *value) bool {
			switch {
			case !v.is:
				return false
			case v.num < n:
				return holds(-1)
			case v.num > n:
				return holds(1)
			}
			return holds(0)
		}, out)
		return nil
	}
	if strings.Contains(want, "*") {
		return fmt.Errorf("%s compares with one value, not with a pattern", op)
	}
	if rank := slices.Index(cmdb.Criticalities, want); rank >= 0 && c.name == "criticality" {
		c.match(func(v *value) bool {
			r := slices.Index(cmdb.Criticalities, v.text)
			return r >= 0 && holds(r-rank)
		}, out)
		return nil
	}
	c.match(func(v *value) bool { return holds(strings.Compare(v.text, want)) }, out)
	return nil
}

// quantity reads a number with an optional binary or decimal unit.
func quantity(s string) (float64, bool) {
	unit := 1.0
	for _, u := range []struct {
		name string
		n    float64
	}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}} {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = n, u.n
			break
		}
	}
	f, ok := number(s)
	return f * unit, ok
}

// glob matches a pattern in which * stands for any text.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}

// testAge compares how long ago something was.
func (inv *Inventory) testAge(t *cmdb.Term, now time.Time) (func(uint32) bool, error) {
	m := inv.mem
	all := t.Values[0] == "*"
	age := time.Duration(0)
	if !all {
		var err error
		if age, err = cmdb.ParseAge(t.Values[0]); err != nil {
			return nil, &cmdb.SyntaxError{At: t.At, End: t.End, Message: err.Error()}
		}
	}
	limit := now.Add(-age).Unix()
	return func(o uint32) bool {
		e := &m.entries[o]
		at := e.lastSeen
		switch t.Field {
		case "first_seen":
			at = e.firstSeen
		case "missing":
			at = e.missing
		default:
			if e.parent != 0 && e.missing == 0 {
				at = max(at, m.entries[e.parent-1].lastSeen) // as its machine reports, so does it
			}
		}
		if at == 0 {
			return false
		}
		switch t.Op {
		case "<":
			return all || at > limit
		case "<=":
			return all || at >= limit
		case ">":
			return all || at < limit
		case ">=":
			return all || at <= limit
		}
		return all
	}, nil
}

// evalSoftware finds the machines with a product, of a version if one is asked for.
func (inv *Inventory) evalSoftware(t *cmdb.Term) (*roaring.Bitmap, error) {
	s, out := inv.soft, roaring.New()
	names := t.Values
	if t.Name != "" {
		names = []string{t.Name}
	}
	compare := t.Name != "" && len(t.Values) == 1
	for _, name := range names {
		ecosystem := ""
		if e, n, ok := strings.Cut(name, "/"); ok && ecosystems[e] {
			ecosystem, name = e, n
		}
		for _, rows := range s.named(name) {
			for _, n := range rows {
				r := &s.rows[n]
				if ecosystem != "" && r.pkg.Type != ecosystem {
					continue
				}
				if compare && !versionHolds(r.pkg.Type, r.pkg.Version, t.Op, t.Values[0]) {
					continue
				}
				r.hosts.into(out)
			}
		}
	}
	return out, nil
}

var ecosystems = map[string]bool{"deb": true, "rpm": true, "apk": true, "alpm": true, "opkg": true, "ebuild": true, "slackware": true, "brew": true, "snap": true, "pypi": true, "npm": true, "gem": true, "golang": true, "maven": true, "cargo": true}

func versionHolds(ecosystem, have, op, want string) bool {
	if op == "=" && (have == want || strings.HasPrefix(have, want+"-")) {
		return true // a product's version without the packager's revision
	}
	if e, rest, ok := strings.Cut(have, ":"); ok && !strings.Contains(want, ":") && strings.Trim(e, "0123456789") == "" {
		have = rest // who asks for vim<9 does not know that the packager's epoch is 2
	}
	c := cmdb.CompareVersions(ecosystem, strings.ToLower(have), want)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	return c == 0
}

// named lists the rows of every product that a name or pattern means.
func (s *software) named(pattern string) [][]uint32 {
	if !strings.Contains(pattern, "*") {
		if rows := s.byName[pattern]; rows != nil {
			return [][]uint32{rows}
		}
		return nil
	}
	var out [][]uint32
	for name, rows := range s.byName {
		if glob(pattern, name) {
			out = append(out, rows)
		}
	}
	return out
}
