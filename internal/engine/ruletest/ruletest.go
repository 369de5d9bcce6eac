// Package ruletest runs unit tests of rules, in the manner of promtool: alerts at
// given times in, incidents and fates at given times expected. It owns the format
// of test files; it decides nothing itself.
package ruletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// File is one file of tests.
type File struct {
	// Config is the configuration whose rules are tested, relative to the file;
	// empty: the built-in rules.
	Config string `yaml:"config"`
	Tests  []Test `yaml:"tests"`
}

// Test is one history with what is expected of it.
type Test struct {
	Name      string     `yaml:"name"`
	Start     time.Time  `yaml:"start"` // of its clock; without it the first of 2026
	Items     []Item     `yaml:"items"`
	Relations []Relation `yaml:"relations"`
	Input     []Input    `yaml:"input"`
	Expect    []Expect   `yaml:"expect"`
}

// Item is a configuration item that is known from the beginning.
type Item struct {
	Class      string            `yaml:"class"`
	Name       string            `yaml:"name"`
	Attributes map[string]any    `yaml:"attributes"`
	Labels     map[string]string `yaml:"labels"`
}

// Relation joins items, named class:name. From needs To.
type Relation struct {
	From string `yaml:"from"`
	Type string `yaml:"type"`
	To   string `yaml:"to"`
}

// Input is what is received at a time.
type Input struct {
	At          Span         `yaml:"at"`
	Alerts      []Alert      `yaml:"alerts"`
	Change      *Change      `yaml:"change"`
	Maintenance *Maintenance `yaml:"maintenance"`
}

// Alert fires, or ends.
type Alert struct {
	Labels map[string]string `yaml:"labels"`
	Status string            `yaml:"status"` // firing, which is the default, or resolved
}

// Change happened to an item.
type Change struct {
	Item    string `yaml:"item"` // class:name
	Type    string `yaml:"type"`
	Summary string `yaml:"summary"`
	Version string `yaml:"version"`
}

// Maintenance begins at its input's time.
type Maintenance struct {
	Items   []string `yaml:"items"`
	For     Span     `yaml:"for"`
	Summary string   `yaml:"summary"`
}

// Expect is what must hold at a time.
type Expect struct {
	At Span `yaml:"at"`
	// Incidents are all that are open then; nil asks nothing, an empty list for none.
	Incidents *[]Incident `yaml:"incidents"`
	Fates     []Fate      `yaml:"fates"`
}

// Incident is expected to be open. Fields that are left out are not compared.
type Incident struct {
	// Alerts are matchers in braces; each must fit one of its alerts at least, and
	// each of its alerts one of them.
	Alerts   []string `yaml:"alerts"`
	Priority int      `yaml:"priority"`
	Severity string   `yaml:"severity"`
	Page     *string  `yaml:"page"`
	Cause    string   `yaml:"cause"` // class:name of the first suspect; "none": it abstains
}

// Fate of the alerts that fit: incident, held, suppressed.
type Fate struct {
	Alert string `yaml:"alert"`
	Fate  string `yaml:"fate"`
	Why   string `yaml:"why"` // a part of the reason
}

// Span is a time since the test's start, in Prometheus' notation.
type Span time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Span) UnmarshalYAML(n *yaml.Node) error {
	v, err := config.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*s = Span(v)
	return nil
}

func (s Span) String() string { return event.Span(time.Duration(s)) }

// Parse reads a file of tests strictly; every mistake is told with its place.
func Parse(r io.Reader) (File, error) {
	var f File
	b, err := io.ReadAll(r)
	if err != nil {
		return f, fmt.Errorf("read the tests: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return f, fault.Invalidf("tests", "the file is empty")
		}
		return f, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "type ruletest.", ""))
	}
	return f, f.validate()
}

func (f File) validate() error {
	var l fault.List
	bad := func(field, format string, args ...any) { l = append(l, fault.Invalidf(field, format, args...)) }
	if len(f.Tests) == 0 {
		bad("tests", "there is none")
	}
	for n, t := range f.Tests {
		at := fmt.Sprintf("tests[%d]", n)
		if t.Name == "" {
			bad(at+".name", "is missing")
		}
		if len(t.Expect) == 0 {
			bad(at+".expect", "expects nothing: the test cannot fail")
		}
		known := map[string]bool{}
		for _, i := range t.Items {
			known[i.Class+":"+i.Name] = true
		}
		for k, r := range t.Relations {
			for _, x := range []struct{ field, v string }{{"from", r.From}, {"to", r.To}} {
				if !known[x.v] {
					bad(fmt.Sprintf("%s.relations[%d].%s", at, k, x.field), "%q is not among the items: write class:name", x.v)
				}
			}
		}
		for k, in := range t.Input {
			if k > 0 && in.At < t.Input[k-1].At {
				bad(fmt.Sprintf("%s.input[%d].at", at, k), "%s comes after %s", in.At, t.Input[k-1].At)
			}
			for m, a := range in.Alerts {
				where := fmt.Sprintf("%s.input[%d].alerts[%d]", at, k, m)
				if a.Labels["alertname"] == "" {
					bad(where+".labels", "an alert has an alertname")
				}
				if a.Status != "" && a.Status != string(event.Firing) && a.Status != string(event.Resolved) {
					bad(where+".status", "want firing or resolved, got %q", a.Status)
				}
			}
		}
		for k, e := range t.Expect {
			where := fmt.Sprintf("%s.expect[%d]", at, k)
			if k > 0 && e.At < t.Expect[k-1].At {
				bad(where+".at", "%s comes after %s", e.At, t.Expect[k-1].At)
			}
			if e.Incidents == nil && len(e.Fates) == 0 {
				bad(where, "expects neither incidents nor fates")
			}
			if e.Incidents != nil {
				for m, i := range *e.Incidents {
					if len(i.Alerts) == 0 {
						bad(fmt.Sprintf("%s.incidents[%d].alerts", where, m), "is empty")
					}
					for o, s := range i.Alerts {
						if _, err := parse.Matchers(s); err != nil {
							bad(fmt.Sprintf("%s.incidents[%d].alerts[%d]", where, m, o), "want matchers such as {alertname=\"Down\"}: %v", err)
						}
					}
				}
			}
			for m, x := range e.Fates {
				if _, err := parse.Matchers(x.Alert); err != nil {
					bad(fmt.Sprintf("%s.fates[%d].alert", where, m), "want matchers such as {alertname=\"Down\"}: %v", err)
				}
				if !slices.Contains([]string{"incident", "held", "suppressed"}, x.Fate) {
					bad(fmt.Sprintf("%s.fates[%d].fate", where, m), "want incident, held or suppressed, got %q", x.Fate)
				}
			}
		}
	}
	return l.Err()
}

// Failure is one expectation that did not hold.
type Failure struct {
	Test string
	At   Span
	Text string // expected and found, on lines of their own
}

// run is one test under way.
type run struct {
	s         *fold.State
	start     time.Time
	pos       uint64
	alerts    map[string]correlator.Alert
	incidents map[string]itsm.Incident
	began     map[string]time.Time // firing alerts, by their labels
}

// Run plays the test by the rules and returns what did not hold.
func (t Test) Run(rules fold.Rules) ([]Failure, error) {
	r := &run{s: fold.New(rules), start: t.Start, alerts: map[string]correlator.Alert{}, incidents: map[string]itsm.Incident{}, began: map[string]time.Time{}}
	if r.start.IsZero() {
		r.start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	for _, i := range t.Items {
		// What YAML calls a number or a list, JSON does too: the engine reads JSON.
		raw, err := json.Marshal(i.Attributes)
		if err != nil {
			return nil, fmt.Errorf("item %s: %w", i.Name, err)
		}
		b := &event.CI{Ref: event.Ref{Class: i.Class, Name: i.Name}, Labels: i.Labels}
		if err := json.Unmarshal(raw, &b.Attributes); err != nil {
			return nil, fmt.Errorf("item %s: %w", i.Name, err)
		}
		if err := r.step(r.start, b); err != nil {
			return nil, err
		}
	}
	for _, x := range t.Relations {
		if err := r.step(r.start, &event.Relation{From: ref(x.From), Type: x.Type, To: ref(x.To)}); err != nil {
			return nil, err
		}
	}
	var out []Failure
	expect := t.Expect
	for n := 0; n <= len(t.Input); n++ {
		for len(expect) > 0 && (n == len(t.Input) || expect[0].At < t.Input[n].At) {
			if err := r.until(r.start.Add(time.Duration(expect[0].At))); err != nil {
				return nil, err
			}
			for _, text := range r.check(expect[0]) {
				out = append(out, Failure{t.Name, expect[0].At, text})
			}
			expect = expect[1:]
		}
		if n == len(t.Input) {
			break
		}
		if err := r.input(t.Input[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func ref(s string) event.Ref {
	class, name, _ := strings.Cut(s, ":")
	return event.Ref{Class: class, Name: name}
}

// until works off what is due up to at, as a live engine does.
func (r *run) until(at time.Time) error {
	for {
		due, ok := r.s.NextDeadline()
		if !ok || due.After(at) {
			return nil
		}
		if err := r.step(due, &event.Tick{}); err != nil {
			return err
		}
	}
}

func (r *run) step(at time.Time, b event.Body) error {
	e, err := event.New(b)
	if err != nil {
		return err
	}
	r.pos++
	e.Position, e.At, e.Source = r.pos, at, "test"
	for _, f := range r.s.Step(e) {
		switch b := f.Body.(type) {
		case fold.PutAlert:
			if b.Alert.Why == "" { // its first record has it
				b.Alert.Why = r.alerts[b.Alert.ID].Why
			}
			r.alerts[b.Alert.ID] = b.Alert
		case fold.PutIncident:
			r.incidents[b.Incident.ID] = b.Incident
		case fold.Unreadable:
			return b.Err
		}
	}
	return nil
}

func (r *run) input(in Input) error {
	at := r.start.Add(time.Duration(in.At))
	if err := r.until(at); err != nil {
		return err
	}
	if m := in.Maintenance; m != nil {
		b := &event.Maintenance{StartsAt: at, EndsAt: at.Add(time.Duration(m.For)), Summary: m.Summary}
		for _, i := range m.Items {
			b.CIs = append(b.CIs, ref(i))
		}
		if err := r.step(at, b); err != nil {
			return err
		}
	}
	if c := in.Change; c != nil {
		if err := r.step(at, &event.Change{CI: ref(c.Item), Type: c.Type, Summary: c.Summary, Version: c.Version}); err != nil {
			return err
		}
	}
	if len(in.Alerts) == 0 {
		return nil
	}
	n := &event.Notification{}
	for _, a := range in.Alerts {
		l := event.LabelsFrom(a.Labels)
		key := fmt.Sprint(l)
		h := fnv.New64a()
		h.Write([]byte(key))
		x := event.Alert{Status: event.Firing, Labels: l, Fingerprint: fmt.Sprintf("%016x", h.Sum64()), StartsAt: at}
		if began, ok := r.began[key]; ok {
			x.StartsAt = began
		}
		r.began[key] = x.StartsAt
		if a.Status == string(event.Resolved) {
			x.Status, x.EndsAt = event.Resolved, at
			delete(r.began, key)
		}
		n.Alerts = append(n.Alerts, x)
	}
	return r.step(at, n)
}

// check compares what is with what is expected.
func (r *run) check(e Expect) (out []string) {
	if e.Incidents != nil {
		if text := r.checkIncidents(*e.Incidents); text != "" {
			out = append(out, text)
		}
	}
	for _, x := range e.Fates {
		ms, _ := parse.Matchers(x.Alert) // validated
		found := false
		for _, id := range slices.Sorted(maps.Keys(r.alerts)) {
			a := r.alerts[id]
			if !fits(ms, a) {
				continue
			}
			found = true
			fate, why := a.Fate, a.Why
			if a.FinalFate != "" {
				fate, why = a.FinalFate, a.FinalWhy
			}
			if string(fate) != x.Fate || !strings.Contains(why, x.Why) {
				want := x.Fate
				if x.Why != "" {
					want += ", because … " + x.Why + " …"
				}
				out = append(out, fmt.Sprintf("fate of %s\n  - expected: %s\n  + found:    %s, because %s", nameOf(a), want, fate, why))
			}
		}
		if !found {
			out = append(out, fmt.Sprintf("fate of %s\n  - expected: %s\n  + found:    no such alert was received by then", x.Alert, x.Fate))
		}
	}
	return out
}

func (r *run) checkIncidents(want []Incident) string {
	type found struct {
		doc    itsm.Incident
		alerts []correlator.Alert
	}
	var have []found
	for _, id := range slices.Sorted(maps.Keys(r.incidents)) {
		if i := r.incidents[id]; i.Live() {
			f := found{doc: i}
			for _, a := range slices.Sorted(maps.Keys(r.alerts)) {
				if r.alerts[a].Incident == id {
					f.alerts = append(f.alerts, r.alerts[a])
				}
			}
			have = append(have, f)
		}
	}
	var missing, lines []string
	taken := make([]bool, len(have))
	for _, w := range want {
		best, reasons := -1, []string(nil)
		for n, h := range have {
			if taken[n] || !sameAlerts(w.Alerts, h.alerts) {
				continue
			}
			if diff := w.differs(h.doc); best < 0 || len(diff) < len(reasons) {
				best, reasons = n, diff
			}
		}
		if best < 0 {
			missing = append(missing, "  - expected: "+w.String())
			continue
		}
		taken[best] = true
		if len(reasons) > 0 {
			lines = append(lines, "  - expected: "+w.String(), "  + found:    "+told(have[best].doc, have[best].alerts)+"   ("+strings.Join(reasons, ", ")+")")
		}
	}
	lines = append(lines, missing...)
	for n, h := range have {
		if !taken[n] {
			lines = append(lines, "  + found:    "+told(h.doc, h.alerts))
		}
	}
	if len(missing) > 0 && !slices.Contains(taken, false) {
		lines = append(lines, "  + found:    no other open incident")
	}
	if len(lines) == 0 {
		return ""
	}
	return "open incidents\n" + strings.Join(lines, "\n")
}

func fits(ms labels.Matchers, a correlator.Alert) bool {
	for _, m := range ms {
		if !m.Matches(a.Labels.Get(m.Name)) {
			return false
		}
	}
	return true
}

func sameAlerts(want []string, have []correlator.Alert) bool {
	hit := make([]bool, len(have))
	for _, w := range want {
		ms, _ := parse.Matchers(w) // validated
		any := false
		for n, a := range have {
			if fits(ms, a) {
				hit[n], any = true, true
			}
		}
		if !any {
			return false
		}
	}
	return !slices.Contains(hit, false)
}

// differs lists the fields that are not as expected.
func (w Incident) differs(i itsm.Incident) (out []string) {
	if w.Priority != 0 && w.Priority != i.Priority {
		out = append(out, "priority: "+i.Derivation)
	}
	if w.Severity != "" && w.Severity != i.Severity {
		out = append(out, "severity")
	}
	if w.Page != nil && *w.Page != i.Page {
		out = append(out, "page")
	}
	if w.Cause != "" && w.Cause != causeOf(i) {
		out = append(out, "cause")
	}
	return out
}

func causeOf(i itsm.Incident) string {
	if len(i.Causes) == 0 {
		return "none"
	}
	return i.Causes[0].Class + ":" + i.Causes[0].Name
}

// String tells an expected incident on one line.
func (w Incident) String() string {
	s := strings.Join(w.Alerts, " ")
	if w.Priority != 0 {
		s += fmt.Sprintf(" priority %d", w.Priority)
	}
	if w.Severity != "" {
		s += " severity " + w.Severity
	}
	if w.Page != nil {
		s += fmt.Sprintf(" page %q", *w.Page)
	}
	if w.Cause != "" {
		s += " cause " + w.Cause
	}
	return s
}

// told tells an incident that is there on one line.
func told(i itsm.Incident, alerts []correlator.Alert) string {
	names := make([]string, len(alerts))
	for n, a := range alerts {
		names[n] = nameOf(a)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s %s priority %d severity %s page %q cause %s", i.ID, strings.Join(slices.Compact(names), " "), i.Priority, i.Severity, i.Page, causeOf(i))
}

func nameOf(a correlator.Alert) string {
	var parts []string
	for _, l := range a.Labels {
		if l.Name != "alertname" {
			parts = append(parts, fmt.Sprintf("%s=%q", l.Name, l.Value))
		}
	}
	return a.Labels.Get("alertname") + "{" + strings.Join(parts, ", ") + "}"
}
