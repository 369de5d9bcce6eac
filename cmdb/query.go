package cmdb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The query language of lists and rules:
//
//	class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab
//
// Terms stand side by side and all must hold; "or" and parentheses are there,
// "not" or a leading - negates one term. A term is FIELD:VALUE, FIELD<VALUE (and
// <=, >, >=), FIELD:* (has a value), or a bare word that is looked for in names,
// aliases and addresses. A value may hold * for any text and be quoted; VALUE,VALUE
// means either. software:NAME, with or without a version to compare, asks for
// installed products: versions compare as their ecosystem orders them.
// seen<24h means heard of within a day, seen>24h silent for longer.

// Node is one node of a parsed query: And, Or, Not or Term.
type Node struct {
	Op   string // "and", "or", "not", "term"
	Args []*Node
	Term Term
}

// Term is one comparison.
type Term struct {
	Field string // lower case; "" for a bare word
	Op    string // ":", "<", "<=", ">", ">=", "="
	// Values are lower case; several mean any of them.
	Values []string
	// Name is the product of a software term.
	Name string
	// At and End are the bytes of the query that the term stands in.
	At, End int
}

// SyntaxError is what is wrong with a query, and where.
type SyntaxError struct {
	At, End int // bytes of the query
	Message string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at byte %d: %s", e.At+1, e.Message)
}

// In is the error for a person who sees the query, where letters count and not
// their bytes.
func (e *SyntaxError) In(query string) string {
	return fmt.Sprintf("at character %d: %s", utf8.RuneCountInString(query[:min(e.At, len(query))])+1, e.Message)
}

const (
	maxQuery = 4096
	maxTerms = 64
	maxDepth = 16
)

// ParseQuery reads a query. An empty one is nil: everything. The error is *SyntaxError.
func ParseQuery(q string) (*Node, error) {
	if len(q) > maxQuery {
		return nil, &SyntaxError{maxQuery, len(q), fmt.Sprintf("the query is longer than %d bytes", maxQuery)}
	}
	if !utf8.ValidString(q) {
		return nil, &SyntaxError{0, len(q), "the query is not valid UTF-8"}
	}
	p := &parser{q: q}
	n, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.i < len(q) {
		return nil, &SyntaxError{p.i, p.i + 1, "a closing parenthesis without its opening one"}
	}
	return n, nil
}

type parser struct {
	q     string
	i     int
	terms int
}

func (p *parser) skip() {
	for p.i < len(p.q) {
		r, n := utf8.DecodeRuneInString(p.q[p.i:])
		if !unicode.IsSpace(r) {
			return
		}
		p.i += n
	}
}

// word returns the bare word that begins here, in lower case, without taking it.
func (p *parser) word() string {
	j := p.i
	for j < len(p.q) && (p.q[j]|0x20 >= 'a' && p.q[j]|0x20 <= 'z') {
		j++
	}
	if j < len(p.q) && !strings.ContainsRune(" \t\r\n()", rune(p.q[j])) {
		return ""
	}
	return strings.ToLower(p.q[p.i:j])
}

func (p *parser) or(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, &SyntaxError{p.i, p.i + 1, fmt.Sprintf("parentheses nested deeper than %d", maxDepth)}
	}
	var alts []*Node
	for {
		n, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		p.skip()
		more := p.word() == "or"
		if n == nil && (more || len(alts) > 0) {
			return nil, &SyntaxError{p.i, min(p.i+2, len(p.q)), `"or" needs a term on both sides`}
		}
		alts = append(alts, n)
		if !more {
			break
		}
		p.i += 2
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return &Node{Op: "or", Args: alts}, nil
}

func (p *parser) and(depth int) (*Node, error) {
	var all []*Node
	for {
		p.skip()
		w := p.word()
		if p.i == len(p.q) || p.q[p.i] == ')' || w == "or" {
			break
		}
		if w == "and" {
			if len(all) == 0 {
				return nil, &SyntaxError{p.i, p.i + 3, `"and" needs a term before it`}
			}
			p.i += 3
			if p.skip(); p.i == len(p.q) || p.q[p.i] == ')' {
				return nil, &SyntaxError{p.i, p.i, `"and" needs a term after it`}
			}
			continue
		}
		n, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return &Node{Op: "and", Args: all}, nil
}

func (p *parser) not(depth int) (*Node, error) {
	at := p.i
	negated := p.word() == "not"
	switch {
	case negated:
		p.i += 3
	case p.q[p.i] == '-' && p.i+1 < len(p.q) && !unicode.IsSpace(rune(p.q[p.i+1])):
		negated = true
		p.i++
	}
	if negated {
		p.skip()
		if p.i == len(p.q) || p.q[p.i] == ')' {
			return nil, &SyntaxError{at, p.i, "nothing to negate"}
		}
		if depth++; depth > maxDepth {
			return nil, &SyntaxError{at, p.i, fmt.Sprintf("nested deeper than %d", maxDepth)}
		}
		n, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		return &Node{Op: "not", Args: []*Node{n}}, nil
	}
	if p.q[p.i] == '(' {
		open := p.i
		p.i++
		n, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.skip(); p.i == len(p.q) {
			return nil, &SyntaxError{open, open + 1, "the parenthesis is not closed"}
		}
		p.i++
		if n == nil {
			return nil, &SyntaxError{open, p.i, "there is nothing between the parentheses"}
		}
		return n, nil
	}
	return p.term()
}

func (p *parser) term() (*Node, error) {
	t := Term{At: p.i}
	if p.terms++; p.terms > maxTerms {
		return nil, &SyntaxError{p.i, len(p.q), fmt.Sprintf("more than %d terms", maxTerms)}
	}
	start := p.i
	for p.i < len(p.q) && fieldByte(p.q[p.i]) {
		p.i++
	}
	field := p.q[start:p.i]
	op := p.operator()
	if field == "" || op == "" {
		if field == "" && op != "" {
			return nil, &SyntaxError{start, p.i, fmt.Sprintf("%q needs a field before it, such as name%sweb", op, op)}
		}
		p.i = start
		v, err := p.value("")
		if err != nil {
			return nil, err
		}
		t.Op, t.Values, t.End = ":", []string{v}, p.i
		return &Node{Op: "term", Term: t}, nil
	}
	t.Field, t.Op = strings.ToLower(field), op
	for {
		v, err := p.value(field + op)
		if err != nil {
			return nil, err
		}
		t.Values = append(t.Values, v)
		if p.i == len(p.q) || p.q[p.i] != ',' {
			break
		}
		p.i++
	}
	if t.Field == "software" && op == ":" && len(t.Values) == 1 {
		t.Name = t.Values[0]
		t.Values = nil
		if vop := p.operator(); vop != "" {
			v, err := p.value("software:" + t.Name + vop)
			if err != nil {
				return nil, err
			}
			t.Op, t.Values = vop, []string{v}
			if vop == ":" {
				t.Op = "="
			}
		}
	}
	t.End = p.i
	if err := t.check(); err != nil {
		return nil, err
	}
	return &Node{Op: "term", Term: t}, nil
}

func fieldByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' || c == '/'
}

func (p *parser) operator() string {
	if p.i == len(p.q) {
		return ""
	}
	switch c := p.q[p.i]; c {
	case ':', '=':
		p.i++
		return string(c)
	case '<', '>':
		p.i++
		if p.i < len(p.q) && p.q[p.i] == '=' {
			p.i++
			return string(c) + "="
		}
		return string(c)
	}
	return ""
}

func (p *parser) value(after string) (string, error) {
	start := p.i
	if p.i < len(p.q) && p.q[p.i] == '"' {
		p.i++
		var b strings.Builder
		for p.i < len(p.q) && p.q[p.i] != '"' {
			if p.q[p.i] == '\\' && p.i+1 < len(p.q) {
				p.i++
			}
			b.WriteByte(p.q[p.i])
			p.i++
		}
		if p.i == len(p.q) {
			return "", &SyntaxError{start, p.i, "the quote is not closed"}
		}
		p.i++
		return strings.ToLower(b.String()), nil
	}
	stops := " \t\r\n()\""
	if after != "" {
		stops += ","
		if strings.EqualFold(after, "software:") {
			stops += "<>="
		}
	}
	if j := strings.IndexAny(p.q[p.i:], stops); j >= 0 {
		p.i += j
	} else {
		p.i = len(p.q)
	}
	if p.i == start {
		return "", &SyntaxError{start, min(start+1, len(p.q)), fmt.Sprintf("a value is missing after %s", cmpText(after, "this"))}
	}
	return strings.ToLower(p.q[start:p.i]), nil
}

func cmpText(a, b string) string {
	if a == "" {
		return b
	}
	return strconv.Quote(a)
}

// ageFields compare how long ago something was.
var ageFields = []string{"seen", "first_seen", "missing"}

func (t *Term) check() error {
	if slices.Contains(ageFields, t.Field) && t.Values[0] != "*" {
		if t.Op == ":" || t.Op == "=" {
			if t.Field != "seen" || !slices.Contains([]string{"seen", "stale", "gone", "recorded"}, t.Values[0]) {
				return &SyntaxError{t.At, t.End, fmt.Sprintf("%s is compared with < or > and an age, such as %s<24h", t.Field, t.Field)}
			}
			t.Field = "liveness"
			return nil
		}
		if _, err := ParseAge(t.Values[0]); err != nil {
			return &SyntaxError{t.At, t.End, fmt.Sprintf("%s wants an age such as 90m, 24h, 30d or 8w, got %q", t.Field, t.Values[0])}
		}
	}
	if len(t.Values) > 1 && t.Op != ":" && t.Op != "=" {
		return &SyntaxError{t.At, t.End, fmt.Sprintf("%s compares with one value", t.Op)}
	}
	return nil
}

// ParseAge reads a duration that may also count days and weeks.
func ParseAge(s string) (time.Duration, error) {
	for unit, d := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			f, err := strconv.ParseFloat(n, 64)
			if err != nil || f < 0 || f > 1e5 {
				return 0, fmt.Errorf("%q is no age", s)
			}
			return time.Duration(f * float64(d)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", s)
	}
	return d, err
}
