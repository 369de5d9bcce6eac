package inventory

import (
	"slices"
	"strings"
)

// Completion proposes how a query may go on at a position.
type Completion struct {
	// From and To are the bytes of the query that a proposal replaces.
	From, To  int
	Proposals []string
}

// Complete proposes fields, values and words at byte pos of a query, at most
// limit (0: 20). It never fails: where nothing fits it proposes nothing.
func (inv *Inventory) Complete(query string, pos, limit int) Completion {
	pos = max(0, min(pos, len(query)))
	if limit <= 0 {
		limit = 20
	}
	from := strings.LastIndexAny(query[:pos], " \t\n(") + 1
	if from < pos && query[from] == '-' {
		from++
	}
	word := query[from:pos]
	c := Completion{From: from, To: pos}
	sep := strings.IndexAny(word, ":<>=")
	if sep < 0 {
		for _, f := range append([]string{"not ", "or "}, inv.Fields()...) {
			if strings.HasPrefix(f, strings.ToLower(word)) && len(c.Proposals) < limit {
				if !strings.HasSuffix(f, " ") {
					f += ":"
				}
				c.Proposals = append(c.Proposals, f)
			}
		}
		return c
	}
	field := strings.ToLower(word[:sep])
	if a, ok := fieldAliases[field]; ok {
		field = a
	}
	value := sep + 1
	if i := strings.LastIndexAny(word, ":<>=,"); i >= 0 {
		value = i + 1
	}
	c.From = from + value
	c.Proposals = inv.values(field, strings.ToLower(word[value:]), limit)
	return c
}

// values lists known values of a field that begin with a prefix, the most common first.
func (inv *Inventory) values(field, prefix string, limit int) []string {
	type found struct {
		text string
		n    int
	}
	var all []found
	add := func(text string, n int) {
		if text != "" && strings.HasPrefix(text, prefix) {
			if strings.ContainsAny(text, " \t(),\"") {
				text = `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
			}
			all = append(all, found{text, n})
		}
	}
	switch field {
	case "seen":
		for _, v := range []string{"24h", "1h", "7d", "30d"} {
			add(v, 0)
		}
	case "liveness":
		for _, v := range livenessNames {
			add(string(v), 0)
		}
	case "class":
		for _, k := range inv.Registry().Classes() {
			add(k.Name, 0)
		}
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if field == "software" {
		for name, rows := range inv.soft.byName {
			if strings.HasPrefix(name, prefix) {
				n := 0
				for _, r := range rows {
					n += inv.soft.rows[r].hosts.len()
				}
				add(name, n)
			}
		}
	} else if col := inv.mem.columns[field]; col != nil {
		for i := range col.values {
			add(col.values[i].text, col.values[i].post.len())
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.text, b.text)
	})
	var out []string
	for _, f := range all {
		if !slices.Contains(out, f.text) {
			out = append(out, f.text)
		}
		if len(out) == limit {
			break
		}
	}
	return out
}
