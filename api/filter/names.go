package filter

import (
	"maps"
	"slices"
	"strings"
)

// Field finds a field by its name, whatever its case; dynamic ones keep theirs.
func (l Language[T]) Field(name string) (Field[T], bool) {
	if f, ok := l.Fields[strings.ToLower(name)]; ok {
		return f, true
	}
	for p, read := range l.Dynamic {
		if n, has := strings.CutPrefix(name, p); has && n != "" {
			return Field[T]{Text: func(x T) []string { return read(x, n) }}, true
		}
	}
	return Field[T]{}, false
}

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
		f := l.Fields[n]
		switch {
		case f.Doc != "":
			b.WriteString(" (" + f.Doc + ")")
		case len(f.Values) > 0:
			b.WriteString(" (" + strings.Join(f.Values, ", ") + ")")
		case f.Flag != nil:
			b.WriteString(" (yes or no)")
		}
	}
	for _, p := range slices.Sorted(maps.Keys(l.Dynamic)) {
		b.WriteString("; " + p + "NAME")
	}
	return b.String() + "."
}
