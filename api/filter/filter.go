// Package filter is the small language in which lists are narrowed:
//
//	state:open priority<=2 ci:web1 not team:storage "disk full"
//
// Terms are joined by and. A field takes ":" or "=" (equal, "*" matches any
// text, alternatives stand behind commas), "!=", "<", "<=", ">", ">="; a term is
// turned round by "not" or "-". Times compare as ages ("opened<24h": less than
// a day ago) or with instants ("opened>=2026-01-31"). What is no field is text
// that must occur. The package is pure; it refuses to know records.
package filter

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/watchbill/watchbill/internal/fault"
)

// Field says how one name of the language reads a record. Exactly one function is set.
type Field[T any] struct {
	Doc    string
	Text   func(T) []string // any of them may match, whatever the case
	Values []string         // of Text: all that there can be; empty: any. Others are refused
	Flag   func(T) bool     // yes or no, true or false
	Number func(T) float64
	Time   func(T) time.Time // zero never matches
}

// Language is the fields of one kind of record.
type Language[T any] struct {
	Fields map[string]Field[T]
	// Dynamic reads names that begin with a prefix, such as "label.".
	Dynamic map[string]func(T, string) []string
	// Free returns what bare words are looked for in.
	Free func(T) []string
}

// Query is a parsed filter.
type Query[T any] struct {
	terms []term[T]
	equal map[string]string
	bare  []string
}

type term[T any] struct {
	not  bool
	test func(T) bool
}

// Keep says whether the record passes every term.
func (q Query[T]) Keep(x T) bool {
	for _, t := range q.terms {
		if t.test(x) == t.not {
			return false
		}
	}
	return true
}

// Empty says whether everything passes.
func (q Query[T]) Empty() bool { return len(q.terms) == 0 }

// Equal returns the one value that field must have, so that an index can be used.
func (q Query[T]) Equal(field string) (string, bool) {
	v, ok := q.equal[field]
	return v, ok
}

// Word returns what is looked for where the whole filter is one bare word or text.
func (q Query[T]) Word() (string, bool) {
	if len(q.terms) != 1 || len(q.bare) != 1 || q.terms[0].not {
		return "", false
	}
	return q.bare[0], true
}

const longest = 1000

// Parse reads a filter. now is what ages count from. Errors name the place.
func (l Language[T]) Parse(s string, now time.Time) (Query[T], error) {
	q := Query[T]{equal: map[string]string{}}
	if len(s) > longest {
		return q, fault.Invalidf("q", "is longer than %d bytes", longest)
	}
	not := false
	for i := 0; i < len(s); {
		if space(s[i]) {
			i++
			continue
		}
		at := utf8.RuneCountInString(s[:i])
		w, next, err := word(s, i)
		if err != nil {
			return q, err
		}
		i = next
		if w.op == "" && !w.quoted && strings.EqualFold(w.text, "not") {
			not = !not
			continue
		}
		if !w.quoted && strings.HasPrefix(w.text, "-") && len(w.text) > 1 && w.field == "" {
			not, w.text = !not, w.text[1:]
		}
		if strings.HasPrefix(w.field, "-") {
			not, w.field = !not, w.field[1:]
		}
		test, err := l.test(w, at, now)
		if err != nil {
			return q, err
		}
		if w.field != "" && !not && (w.op == ":" || w.op == "=") && len(w.values) == 1 && !strings.Contains(w.values[0], "*") {
			q.equal[strings.ToLower(w.field)] = w.values[0]
		}
		if w.field == "" {
			q.bare = append(q.bare, w.text)
		}
		q.terms = append(q.terms, term[T]{not, test})
		not = false
	}
	if not {
		return q, fault.Invalidf("q", "ends with \"not\": say what")
	}
	return q, nil
}

// lexeme is one term as it was written.
type lexeme struct {
	field, op string
	values    []string
	text      string // of a bare word
	quoted    bool
}

var operators = []string{"!=", "<=", ">=", ":", "=", "<", ">"}

func word(s string, i int) (lexeme, int, error) {
	var w lexeme
	if s[i] == '"' {
		v, next, err := quotedText(s, i)
		return lexeme{text: v, quoted: true}, next, err
	}
	begin := i
	for i < len(s) && !space(s[i]) {
		if op := operatorAt(s[i:]); op != "" && i > begin {
			w.field, w.op = s[begin:i], op
			i += len(op)
			break
		}
		i++
	}
	if w.op == "" {
		w.text = s[begin:i]
		return w, i, nil
	}
	for {
		var v string
		if i < len(s) && s[i] == '"' {
			var err error
			if v, i, err = quotedText(s, i); err != nil {
				return w, i, err
			}
		} else {
			b := i
			for i < len(s) && s[i] != ',' && !space(s[i]) {
				i++
			}
			v = s[b:i]
		}
		if v == "" {
			return w, i, fault.Invalidf("q", "at character %d: %s%s wants a value", utf8.RuneCountInString(s[:begin])+1, w.field, w.op)
		}
		w.values = append(w.values, v)
		if i >= len(s) || s[i] != ',' {
			return w, i, nil
		}
		i++
	}
}

// space says whether a byte parts words. Of the bytes of a longer letter none does, though
// some would be spaces if they stood alone.
func space(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

func operatorAt(s string) string {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

func quotedText(s string, i int) (string, int, error) {
	var b strings.Builder
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '"':
			return b.String(), j + 1, nil
		case '\\':
			if j+1 < len(s) {
				j++
			}
		}
		b.WriteByte(s[j])
	}
	return "", len(s), fault.Invalidf("q", "at character %d: the quote is not closed", utf8.RuneCountInString(s[:i])+1)
}

func (l Language[T]) test(w lexeme, at int, now time.Time) (func(T) bool, error) {
	if w.field == "" {
		needle := strings.ToLower(w.text)
		free := l.Free
		return func(x T) bool {
			for _, v := range free(x) {
				if strings.Contains(strings.ToLower(v), needle) {
					return true
				}
			}
			return false
		}, nil
	}
	f, ok := l.Field(w.field)
	if !ok {
		return nil, fault.Invalidf("q", "at character %d: %q is no field here; fields are %s", at+1, w.field, strings.Join(l.Names(), ", "))
	}
	switch {
	case f.Text != nil:
		return textTest(f, w, at)
	case f.Flag != nil:
		return flagTest(f, w, at)
	case f.Number != nil:
		return numberTest(f, w, at)
	default:
		return timeTest(f, w, at, now)
	}
}

func textTest[T any](f Field[T], w lexeme, at int) (func(T) bool, error) {
	if w.op != ":" && w.op != "=" && w.op != "!=" {
		return nil, fault.Invalidf("q", "at character %d: %s is text: use : or !=", at+1, w.field)
	}
	want := make([]string, len(w.values))
	for i, v := range w.values {
		want[i] = strings.ToLower(v)
		// A word that no record can have finds nothing, which reads as "there are none".
		if len(f.Values) > 0 && !strings.Contains(v, "*") && !slices.ContainsFunc(f.Values, func(x string) bool { return strings.EqualFold(x, v) }) {
			return nil, fault.Invalidf("q", "at character %d: %s is one of %s; got %q", at+1, w.field, strings.Join(f.Values, ", "), v)
		}
	}
	has := func(x T) bool {
		values := f.Text(x)
		for _, v := range values {
			v = strings.ToLower(v)
			for _, p := range want {
				if match(p, v) {
					return true
				}
			}
		}
		return false
	}
	if w.op == "!=" {
		return func(x T) bool { return !has(x) }, nil
	}
	return has, nil
}

func flagTest[T any](f Field[T], w lexeme, at int) (func(T) bool, error) {
	if w.op != ":" && w.op != "=" && w.op != "!=" || len(w.values) != 1 {
		return nil, fault.Invalidf("q", "at character %d: use %s:yes or %s:no", at+1, w.field, w.field)
	}
	var want bool
	switch strings.ToLower(w.values[0]) {
	case "yes", "true":
		want = true
	case "no", "false":
	default:
		return nil, fault.Invalidf("q", "at character %d: %s is yes or no; got %q", at+1, w.field, w.values[0])
	}
	if w.op == "!=" {
		want = !want
	}
	return func(x T) bool { return f.Flag(x) == want }, nil
}

// match compares with * for any text.
func match(pattern, s string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

func numberTest[T any](f Field[T], w lexeme, at int) (func(T) bool, error) {
	want := make([]float64, len(w.values))
	for i, v := range w.values {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, fault.Invalidf("q", "at character %d: %s wants a number, got %q", at+1, w.field, v)
		}
		want[i] = n
	}
	return func(x T) bool {
		n := f.Number(x)
		for _, v := range want {
			if holds(w.op, n < v, n == v) {
				return true
			}
		}
		return false
	}, nil
}

func holds(op string, less, equal bool) bool {
	switch op {
	case ":", "=":
		return equal
	case "!=":
		return !equal
	case "<":
		return less
	case "<=":
		return less || equal
	case ">":
		return !less && !equal
	default:
		return !less
	}
}

func timeTest[T any](f Field[T], w lexeme, at int, now time.Time) (func(T) bool, error) {
	v := w.values[0]
	if age, err := parseAge(v); err == nil {
		if w.op == ":" || w.op == "=" || w.op == "!=" {
			return nil, fault.Invalidf("q", "at character %d: compare the age with < or >, e.g. %s<%s", at+1, w.field, v)
		}
		return func(x T) bool {
			t := f.Time(x)
			return !t.IsZero() && holds(w.op, now.Sub(t) < age, now.Sub(t) == age)
		}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		want, err := time.Parse(layout, v)
		if err != nil {
			continue
		}
		day := layout == "2006-01-02" && (w.op == ":" || w.op == "=")
		return func(x T) bool {
			t := f.Time(x)
			if t.IsZero() {
				return false
			}
			if day {
				return !t.Before(want) && t.Before(want.AddDate(0, 0, 1))
			}
			return holds(w.op, t.Before(want), t.Equal(want))
		}, nil
	}
	return nil, fault.Invalidf("q", "at character %d: %s wants an age such as 24h or 7d, or a time such as 2026-01-31, got %q", at+1, w.field, v)
}

// parseAge reads 30s, 5m, 24h, 7d, 2w.
func parseAge(s string) (time.Duration, error) {
	if n := len(s); n > 1 && (s[n-1] == 'd' || s[n-1] == 'w') {
		days, err := strconv.ParseFloat(s[:n-1], 64)
		if s[n-1] == 'w' {
			days *= 7
		}
		return time.Duration(days * 24 * float64(time.Hour)), err
	}
	return time.ParseDuration(s)
}
