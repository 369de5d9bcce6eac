package fold_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// A resolved problem closes when it has not come back, and opens again when it has.
func TestProblemIsVerifiedByTime(t *testing.T) {
	w := newWatch(t, `{"problem_verify": "5d"}`)
	first := w.open(2, 2)
	read := func(raw json.RawMessage) (p itsm.Problem) {
		t.Helper()
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	do := func(verb string, args map[string]any) itsm.Problem {
		t.Helper()
		a := w.do("problem", verb, "PRB00000001", args)
		if a.Err != nil {
			t.Fatalf("%s: %v", verb, a.Err)
		}
		return read(a.Result)
	}
	if a := w.do("problem", "create", "", map[string]any{"title": "it leaks", "incidents": []string{first}}); a.Err != nil {
		t.Fatal(a.Err)
	}
	do("assess", nil)
	do("workaround", map[string]any{"workaround": "restart it at night"})
	if a := w.do("incident", "notes", first, map[string]any{"note": "x"}); !strings.Contains(string(a.Result), `"workaround":"restart it at night"`) {
		t.Errorf("the incident does not show the workaround: %s", a.Result)
	}
	do("root_cause", nil)
	do("resolve", map[string]any{"fix": "a new version"})
	w.now = w.now.Add(48 * time.Hour)
	w.until("10:00")
	second := w.open(2, 2)
	if p := do("link", map[string]any{"incident": second}); p.State != itsm.ProblemRootCause || p.Reopened != 1 {
		t.Errorf("its return leaves it %s", p.State)
	}
	if a := w.do("problem", "link", "PRB00000001", map[string]any{"incident": second}); a.Err == nil {
		t.Error("an incident was linked twice")
	}
	if a := w.do("incident", "notes", second, map[string]any{"note": "x"}); !strings.Contains(string(a.Result), `"workaround":"restart it at night"`) {
		t.Errorf("the new incident does not show the workaround: %s", a.Result)
	}
	do("resolve", nil)
	for range 6 {
		w.until(w.now.Add(23 * time.Hour).Format("15:04"))
	}
	a := w.do("problem", "notes", "PRB00000001", map[string]any{"note": "x"})
	if p := read(a.Result); p.State != itsm.ProblemClosed {
		t.Errorf("after 5 days without recurrence it is %s", p.State)
	}
	closed := false
	for _, e := range w.log {
		closed = closed || e.Text == "closed: no recurrence in 5d"
	}
	if !closed {
		t.Error("the timeline does not say why it closed")
	}
	if p := do("unlink", map[string]any{"incident": second, "reason": "another matter"}); p.Incidents != 1 {
		t.Errorf("%d incidents are left", p.Incidents)
	}
}

// A person's edit of what somebody else has changed is refused with the revision.
func TestStaleEditIsRefused(t *testing.T) {
	w := newWatch(t, `{}`)
	w.open(2, 2)
	w.do("incident", "acknowledge", one, nil)
	a := w.do("incident", "edit", one, map[string]any{"title": "y", "revision": 1})
	if a.Err == nil || !strings.Contains(a.Err.Error(), "is at revision 2, not 1") {
		t.Errorf("%v", a.Err)
	}
	if a := w.do("incident", "edit", one, map[string]any{"title": "y", "revision": 2}); a.Err != nil {
		t.Error(a.Err)
	}
	if a := w.do("incident", "edit", one, map[string]any{"tittle": "y"}); a.Err == nil || !strings.Contains(a.Err.Error(), `"tittle"`) {
		t.Errorf("an unknown field: %v", a.Err)
	}
}

// An outage is the union of its incidents' times within the service's hours; one
// that flaps within the hold-down is one failure.
func TestServiceOutagesAreUnited(t *testing.T) {
	w := newWatch(t, `{"services": [{"name": "shop"}]}`)
	begin := func() string {
		a := w.do("incident", "create", "", map[string]any{"title": "x", "impact": 1, "urgency": 1, "service": "shop"})
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		return a.Record
	}
	var got []itsm.Measure
	w.each = func(m itsm.Measure) {
		if m.Of == "shop" && m.Name != itsm.MMoved {
			got = append(got, m)
		}
	}
	a := begin()
	w.until("09:20")
	b := begin()
	w.until("09:30").do("incident", "resolve", a, nil)
	w.until("09:50").do("incident", "resolve", b, nil)
	w.until("12:00").do("incident", "reopen", b, nil)
	w.until("12:10").do("incident", "resolve", b, nil)
	if len(got) != 4 || got[0].Name != itsm.MServiceFailures || got[1].Name != itsm.MServiceDowntime || got[1].Value != 50*60 || got[2].Name != itsm.MServiceFailures || got[3].Value != 10*60 {
		t.Errorf("measured %+v", got)
	}
}

// The inventory's facts of installed versions verify a problem's fix.
func TestProblemFollowsInstalledVersions(t *testing.T) {
	w := newWatch(t, `{"problem_verify": "1d"}`)
	change := func(host, product, version, kind string) {
		t.Helper()
		e, err := event.New(&event.Change{CI: event.Ref{Class: "host", Name: host}, Type: kind, Summary: product + " " + version + " after 1", Version: version, Product: product})
		if err != nil {
			t.Fatal(err)
		}
		w.step(e)
	}
	state := func() itsm.ProblemState {
		t.Helper()
		var p itsm.Problem
		a := w.do("problem", "notes", "PRB00000001", map[string]any{"note": "x"})
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		if err := json.Unmarshal(a.Result, &p); err != nil {
			t.Fatal(err)
		}
		return p.State
	}
	for _, host := range []string{"a", "b"} {
		w.body(&event.CI{Ref: event.Ref{Class: "host", Name: host}})
	}
	w.do("problem", "create", "", map[string]any{"title": "it leaks"})
	if a := w.do("problem", "software", "PRB00000001", map[string]any{"product": "openssl", "ecosystem": "deb", "fixed_in": "3.0.10-1"}); a.Err == nil || a.Err.Field != "items" {
		t.Errorf("bound to nothing: %v", a.Err)
	}
	if a := w.do("problem", "software", "PRB00000001", map[string]any{"product": "openssl", "ecosystem": "deb", "fixed_in": "3.0.10-1", "items": []string{"host:a", "host:b"}}); a.Err != nil {
		t.Fatal(a.Err)
	}
	change("a", "openssl", "3.0.10-1", "package_upgraded")
	change("b", "openssl", "3.0.9-1", "package_upgraded") // older by deb's rules, newer as text
	change("b", "curl", "9.0", "package_upgraded")
	if s := state(); s != itsm.ProblemNew {
		t.Errorf("with b behind it is %s", s)
	}
	change("b", "openssl", "3.0.11-1", "package_upgraded")
	if s := state(); s != itsm.ProblemResolved {
		t.Errorf("with the fix everywhere it is %s", s)
	}
	change("a", "openssl", "3.0.9-1", "package_upgraded")
	if s := state(); s != itsm.ProblemRootCause {
		t.Errorf("after a went back it is %s", s)
	}
	change("a", "openssl", "3.0.12-1", "package_upgraded")
	for range 3 {
		w.until(w.now.Add(23 * time.Hour).Format("15:04"))
	}
	if s := state(); s != itsm.ProblemClosed {
		t.Errorf("a day without recurrence leaves it %s", s)
	}
}
