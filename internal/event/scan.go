package event

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/watchbill/watchbill/internal/fault"
)

// scanner walks a JSON text once, checking its syntax on the way, because decoding
// is the largest share of what an accepted body costs. Two things set it apart from
// a general decoder: a broken alert object can be stepped over as long as it is
// JSON, and strings that come again and again are kept once.
type scanner struct {
	b     []byte
	i     int
	depth int

	words  words
	labels []Label // scratch for one label set
	text   []byte  // scratch for one unquoted string
}

// scanners are reused for their scratch and their words; they hold nothing that a
// result depends on.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// maxDepth is how deep objects and arrays may nest, as in encoding/json.
const maxDepth = 10_000

// syntaxError says that the body is no JSON; no alert of it can be saved.
type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("the body is not readable JSON at byte %d: %s", e.at, e.what)
}

func (s *scanner) bad(what string) error {
	if s.i >= len(s.b) {
		what = "it ends in the middle"
	}
	return &syntaxError{min(s.i, len(s.b)), what}
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// kind names the value that begins with c, for messages.
func kind(c byte) string {
	switch c {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '[':
		return "array"
	case '{':
		return "object"
	default:
		return "number"
	}
}

// open enters an object or array.
func (s *scanner) open() error {
	if s.depth++; s.depth > maxDepth {
		return s.bad(fmt.Sprintf("it nests deeper than %d", maxDepth))
	}
	s.i++
	return nil
}

// next says whether another element follows before end, and steps over the comma.
func (s *scanner) next(first bool, end byte) (bool, error) {
	c := s.peek()
	if c == end {
		s.i++
		s.depth--
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, s.bad(fmt.Sprintf("want a comma or %q", end))
	}
	s.i++
	if s.peek() == end {
		return false, s.bad("a comma stands before the end")
	}
	return true, nil
}

// member reads the name of an object's next member and its colon; ok is false at
// the end of the object. The name is good until the next string is read.
func (s *scanner) member(first bool) (name []byte, ok bool, err error) {
	if ok, err = s.next(first, '}'); err != nil || !ok {
		return nil, false, err
	}
	if s.peek() != '"' {
		return nil, false, s.bad("want a name in double quotes")
	}
	if name, err = s.str(); err != nil {
		return nil, false, err
	}
	if s.peek() != ':' {
		return nil, false, s.bad("want a colon after a name")
	}
	s.i++
	return name, true, nil
}

// str reads a string and returns what it means in valid UTF-8, in the body itself
// or in scratch: good until the next string is read.
func (s *scanner) str() ([]byte, error) {
	s.i++
	start := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			raw := s.b[start:s.i]
			s.i++
			return raw, nil
		case c == '\\' || c >= utf8.RuneSelf:
			return s.unquote(start)
		case c < ' ':
			return nil, s.bad("a control character stands in a string")
		}
		s.i++
	}
	return nil, s.bad("")
}

// unquote goes on with a string that does not stand for itself. Bytes that are no
// UTF-8 and halves of surrogate pairs become U+FFFD, as in encoding/json.
func (s *scanner) unquote(start int) ([]byte, error) {
	out := append(s.text[:0], s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			s.text = out
			return out, nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		case c < ' ':
			return nil, s.bad("a control character stands in a string")
		case c < utf8.RuneSelf:
			out = append(out, c)
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			out = utf8.AppendRune(out, r)
			s.i += n
		}
	}
	return nil, s.bad("")
}

func (s *scanner) escape() (rune, error) {
	s.i++
	if s.i >= len(s.b) {
		return 0, s.bad("")
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := s.hex4()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
			back := s.i
			s.i += 2
			low, err := s.hex4()
			if err != nil {
				return 0, err
			}
			if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
				return whole, nil
			}
			s.i = back // the second is a character of its own
		}
		return utf8.RuneError, nil
	}
	s.i--
	return 0, s.bad("an escape in a string is none of JSON's")
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		if s.i >= len(s.b) {
			return 0, s.bad("")
		}
		c := s.b[s.i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.bad(`want four hexadecimal digits after \u`)
		}
		r = r<<4 | rune(c)
		s.i++
	}
	return r, nil
}

// skip steps over one value of any kind.
func (s *scanner) skip() error {
	switch c := s.peek(); c {
	case '"':
		_, err := s.str()
		return err
	case '{':
		if err := s.open(); err != nil {
			return err
		}
		for first := true; ; first = false {
			_, ok, err := s.member(first)
			if err != nil || !ok {
				return err
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	case '[':
		if err := s.open(); err != nil {
			return err
		}
		for first := true; ; first = false {
			ok, err := s.next(first, ']')
			if err != nil || !ok {
				return err
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		_, err := s.number()
		return err
	}
}

func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(string(s.b[s.i:min(len(s.b), s.i+len(word))]), word) {
		return s.bad("want a value")
	}
	s.i += len(word)
	return nil
}

func (s *scanner) number() ([]byte, error) {
	start := s.i
	digits := func() bool {
		from := s.i
		for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
			s.i++
		}
		return s.i > from
	}
	at := func(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }
	if at('-') {
		s.i++
	}
	if at('0') {
		s.i++
	} else if !digits() {
		return nil, s.bad("want a value")
	}
	if at('.') {
		s.i++
		if !digits() {
			return nil, s.bad("want a digit")
		}
	}
	if at('e') || at('E') {
		s.i++
		if at('+') || at('-') {
			s.i++
		}
		if !digits() {
			return nil, s.bad("want a digit")
		}
	}
	return s.b[start:s.i], nil
}

// stringOr reads a string; null reads as empty; another kind is the field's fault.
// The result is good until the next string is read.
func (s *scanner) stringOr(field string) ([]byte, error) {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case 'n':
		return nil, s.literal("null")
	default:
		return nil, s.mismatch(field, "a string")
	}
}

// mismatch is the fault of a field whose value is of the wrong kind, or the syntax
// error where it is no value at all.
func (s *scanner) mismatch(field, want string) error {
	got := kind(s.peek())
	if err := s.skip(); err != nil {
		return err
	}
	return fault.Invalidf(field, "want %s, got a JSON %s", want, got)
}

// words keeps strings that were seen before: label names and most values of one
// sender are few, and every alert in memory would hold copies of its own. A slot
// holds one word; another with the same hash takes its place.
type words [2048]string

// longWord is the longest that is kept: longer ones are mostly prose.
const longWord = 64

func (w *words) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > longWord {
		return string(b)
	}
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	slot := &w[(h^h>>15)%uint32(len(w))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// appendQuoted appends t, valid UTF-8, as a JSON string.
func appendQuoted(b []byte, t string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
