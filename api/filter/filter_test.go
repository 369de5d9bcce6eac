package filter

import (
	"strings"
	"testing"
	"time"
)

type thing struct {
	name   string
	tags   []string
	size   float64
	made   time.Time
	labels map[string]string
}

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

var language = Language[thing]{
	Fields: map[string]Field[thing]{
		"name": {Text: func(t thing) []string { return []string{t.name} }},
		"tag":  {Text: func(t thing) []string { return t.tags }},
		"size": {Number: func(t thing) float64 { return t.size }},
		"made": {Time: func(t thing) time.Time { return t.made }},
	},
	Dynamic: map[string]func(thing, string) []string{"label.": func(t thing, n string) []string { return []string{t.labels[n]} }},
	Free:    func(t thing) []string { return []string{t.name} },
}

func TestFilter(t *testing.T) {
	x := thing{name: "Web-1:9100", tags: []string{"gold", "eu", "déjà"}, size: 3, made: now.Add(-2 * time.Hour), labels: map[string]string{"Env": "prod"}}
	for q, want := range map[string]bool{
		"": true, "   ": true,
		"web": true, "WEB-1": true, `"web-1:9100"`: true, "db": false, "web db": false, "not db": true, "-db": true, "not web": false, "not not web": true,
		"tag:gold": true, "tag:GOLD": true, "tag:go": false, "tag:go*": true, "tag:*": true, "tag:*ol*": true, "tag:silver,eu": true, "tag!=gold": false, "tag!=silver": true, "-tag:silver": true,
		"tag:déjà": true, "-tag:déjà web": false, "voilà": false, // some bytes of à would be a space alone
		`name:"web-1:9100"`: true, "name:web-1:9100": true, `name:"web\-1:9100"`: true,
		"size:3": true, "size=3": true, "size<3": false, "size<=3": true, "size>2": true, "size!=3": false, "size:1,3": true,
		"made<3h": true, "made>3h": false, "made<1h": false, "made>=1h": true, "made<1d": true, "made:2026-05-04": true, "made:2026-05-03": false,
		"made>2026-05-04T07:00:00Z": true, "made<2026-01-01": false,
		"label.Env:prod": true, "label.env:prod": false, "label.none:prod": false,
	} {
		f, err := language.Parse(q, now)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if f.Keep(x) != want {
			t.Errorf("%q keeps it: %v", q, !want)
		}
	}
	if f, _ := language.Parse("made<1h", now); f.Keep(thing{}) {
		t.Error("a time that never was is no age")
	}
}

func TestMistakesNameThePlace(t *testing.T) {
	for q, want := range map[string]string{
		"colour:red":              `at character 1: "colour" is no field here; fields are made, name, size, tag, label.NAME`,
		"web colour:red":          "at character 5",
		"naïveté colour:red":      "at character 9",
		"size:big":                "size wants a number",
		"name<3":                  "name is text: use : or !=",
		"made:5h":                 "compare the age with < or >",
		"made<soon":               "wants an age such as 24h",
		"tag:":                    "tag: wants a value",
		"tag:a,":                  "tag: wants a value",
		`"web`:                    "the quote is not closed",
		`name:"web`:               "the quote is not closed",
		"web not":                 "say what",
		"label.:x":                "is no field here",
		strings.Repeat("x", 1001): "longer than",
	} {
		if _, err := language.Parse(q, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", q, err, want)
		}
	}
}

func TestEqualIsForIndexes(t *testing.T) {
	for q, want := range map[string]string{"tag:a": "a", "TAG:a": "a", "not tag:a": "", "tag:a,b": "", "tag:a*": "", "tag!=a": "", "web": ""} {
		f, err := language.Parse(q, now)
		if v, _ := f.Equal("tag"); err != nil || v != want {
			t.Errorf("%q: %q, %v", q, v, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, q := range []string{"a", `a:"b\"c" -d`, "size<=3 not made>2h", "label.x:1,2", `"`, "::", "not"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		p, err := language.Parse(q, now)
		if err == nil {
			p.Keep(thing{name: "x", made: now})
		} else if !strings.HasPrefix(err.Error(), "q: ") {
			t.Errorf("%q: the error does not name the field: %v", q, err)
		}
	})
}

type shown struct {
	ID     string            `json:"id"`
	State  string            `json:"state" enum:"up,down"`
	Major  bool              `json:"major,omitempty"`
	Count  *int              `json:"count"`
	At     *time.Time        `json:"made_at"`
	Tags   []string          `json:"tags"`
	Labels map[string]string `json:"labels"`
	Place  *struct {
		City string `json:"city"`
	} `json:"place,omitempty"`
	Value  any     `json:"value"`
	Parts  []thing `json:"parts"`
	hidden string  //nolint:unused // must not be reachable
	Secret string  `json:"-"`
}

// Every member of a record can be asked for under its own name, also where it is not there.
func TestRecord(t *testing.T) {
	three := 3
	at := now.Add(-time.Hour)
	l := Record[shown]()
	full := shown{ID: "A1", State: "up", Major: true, Count: &three, At: &at, Tags: []string{"x", "y"}, Labels: map[string]string{"Env": "prod"}, Value: 2.5, Secret: "s",
		Place: &struct {
			City string `json:"city"`
		}{"Oslo"}}
	for q, want := range map[string][2]bool{ // of full, of the empty one
		"id:a1": {true, false}, "state:up": {true, false}, "state!=up": {false, true}, "major:yes": {true, false}, "major:false": {false, true}, "major!=true": {false, true},
		"count:3": {true, false}, "count<1": {false, true}, "made_at<2h": {true, false}, "tags:y": {true, false}, "labels.Env:prod": {true, false},
		"place.city:oslo": {true, false}, "value:2.5": {true, false}, "oslo": {true, false},
	} {
		f, err := l.Parse(q, now)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if got := [2]bool{f.Keep(full), f.Keep(shown{})}; got != want {
			t.Errorf("%q keeps %v, want %v", q, got, want)
		}
	}
	for q, text := range map[string]string{
		"state:lost": "state is one of up, down", "major:perhaps": "yes or no", "major<yes": "major:yes", "secret:s": "no field", "hidden:x": "no field", "parts:x": "no field",
	} {
		if _, err := l.Parse(q, now); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", q, err)
		}
	}
}
