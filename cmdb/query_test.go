package cmdb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// text writes a parsed query so that it can be read beside what was asked.
func text(n *Node) string {
	if n == nil {
		return "all"
	}
	if n.Op == "term" {
		t := n.Term
		name := ""
		if t.Name != "" {
			name = "(" + t.Name + ")"
		}
		return t.Field + name + t.Op + strings.Join(t.Values, "|")
	}
	var args []string
	for _, a := range n.Args {
		args = append(args, text(a))
	}
	return n.Op + "[" + strings.Join(args, " ") + "]"
}

func TestParseQuery(t *testing.T) {
	for q, want := range map[string]string{
		"":                                  "all",
		"  ":                                "all",
		"web-1":                             ":web-1",
		"class:host os:debian":              "and[class:host os:debian]",
		"CLASS:Host and Os:Debian":          "and[class:host os:debian]",
		"software:openssl<3.0.14":           "software(openssl)<3.0.14",
		"software:openssl=3.0.14-1~deb12u1": "software(openssl)=3.0.14-1~deb12u1",
		"software:lib*":                     "software(lib*):",
		"not tag:lab":                       "not[tag:lab]",
		"-tag:lab x":                        "and[not[tag:lab] :x]",
		"not not a:b":                       "not[not[a:b]]",
		"seen<24h":                          "seen<24h",
		"seen:stale":                        "liveness:stale",
		"owner:team-a,team-b":               "owner:team-a|team-b",
		`owner:"Team A (west)"`:             "owner:team a (west)",
		"(a:b or c:d) e:f":                  "and[or[a:b c:d] e:f]",
		"a:b or c:d e:f":                    "or[a:b and[c:d e:f]]",
		"memory_bytes>=8GiB":                "memory_bytes>=8gib",
		"notes":                             ":notes",
		"orbit":                             ":orbit",
		"label.env:prod":                    "label.env:prod",
		"address:2001:db8::1":               "address:2001:db8::1",
	} {
		n, err := ParseQuery(q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
		} else if got := text(n); got != want {
			t.Errorf("%s: got %s, want %s", q, got, want)
		}
	}
}

func TestQueryErrorsHaveAPosition(t *testing.T) {
	for q, want := range map[string]struct {
		at   int
		says string
	}{
		"(a:b":                        {0, "not closed"},
		"a:b)":                        {3, "closing parenthesis"},
		"()":                          {0, "nothing between"},
		"a:b not":                     {4, "nothing to negate"},
		"a:b or":                      {6, "both sides"},
		"and a:b":                     {0, "before it"},
		"a:b and":                     {7, "after it"},
		`name:"x`:                     {5, "quote is not closed"},
		":x":                          {0, "needs a field"},
		"seen:24h":                    {0, "seen<24h"},
		"seen<never":                  {0, "wants an age"},
		"cost<1,2":                    {0, "one value"},
		strings.Repeat("(", 40) + "a": {17, "nested deeper"},
		strings.Repeat("a ", 100):     {128, "more than 64 terms"},
		strings.Repeat("x", 5000):     {4096, "longer"},
		"a:\xff":                      {0, "UTF-8"},
	} {
		_, err := ParseQuery(q)
		var se *SyntaxError
		if !errors.As(err, &se) || se.At != want.at || !strings.Contains(se.Message, want.says) {
			t.Errorf("%.40q: %v (%+v), want at %d %q", q, err, se, want.at, want.says)
		}
	}
}

// FuzzParseQuery: nothing panics, and every error points into the query.
func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{"class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab", "(a or b)", `-"x y"`, "a>=", "software:x<", "not (", "::", "a,b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		n, err := ParseQuery(q)
		var se *SyntaxError
		if err != nil && (!errors.As(err, &se) || se.At < 0 || se.At > len(q) || se.End > len(q)+1) {
			t.Fatalf("%q: %v %+v", q, err, se)
		}
		if err == nil {
			_ = text(n)
		}
	})
}

func TestRegistry(t *testing.T) {
	r, err := NewRegistry(
		Class{Name: "printer", Fields: []Field{{Name: "pages", Type: Number, Counter: true}, {Name: "color", Type: Bool, Required: true}}},
		Class{Name: "host", Fields: []Field{{Name: "rack_unit", Type: Number}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Check("printer", Attributes{"pages": "12", "color": "yes", "owner": "eve", "toner": []any{"black"}})
	if err == nil || !strings.Contains(err.Error(), `attributes.color: want true or false, got "yes"`) {
		t.Errorf("%v %v", got, err)
	}
	if got, err = r.Check("printer", Attributes{"pages": "12", "color": "true", "toner": []any{"black"}}); err != nil || got["pages"] != 12.0 || got["color"] != true || fmt.Sprint(got["toner"]) != "[black]" {
		t.Errorf("%v %v", got, err)
	}
	if share, missing := r.Complete("printer", Attributes{}); share != 0 || len(missing) != 1 {
		t.Errorf("%v %v", share, missing)
	}
	if _, ok := r.Field("host", "kernel"); !ok {
		t.Error("a field added to host took the built-in ones away")
	}
	_, err = NewRegistry(Class{Name: "Bad Name"}, Class{Name: "x", Fields: []Field{{Name: "e", Type: Enum}, {Name: "F", Type: "money"}}})
	for _, want := range []string{"classes[0].name", "classes[1].fields[0].values", "classes[1].fields[1].name", "classes[1].fields[1].type"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %s", err, want)
		}
	}
}
