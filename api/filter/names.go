package filter

import (
	"maps"
	"slices"
	"strings"
)

// Names lists the fields, sorted; dynamic ones end in "NAME".
func (l Language[T]) Names() []string {
	names := slices.Sorted(maps.Keys(l.Fields))
	for _, p := range slices.Sorted(maps.Keys(l.Dynamic)) {
		names = append(names, p+"NAME")
	}
	return names
}

// Doc describes the language in a few lines, for the API's documentation.
func (l Language[T]) Doc() string {
	var b strings.Builder
	b.WriteString("Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, \"free text\"; * matches any text. Fields: ")
	for i, n := range slices.Sorted(maps.Keys(l.Fields)) {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(n)
		if d := l.Fields[n].Doc; d != "" {
			b.WriteString(" (" + d + ")")
		}
	}
	for _, p := range slices.Sorted(maps.Keys(l.Dynamic)) {
		b.WriteString("; " + p + "NAME")
	}
	return b.String() + "."
}
