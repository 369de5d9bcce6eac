package itsm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

var t0 = time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC) // a Monday

func TestProblemLife(t *testing.T) {
	p, _ := OpenProblem(Problem{ID: "PRB1", Title: "it leaks", OpenedBy: "ann"}, t0)
	week := 7 * 24 * time.Hour
	do := func(v Verb, a ProblemArgs, after time.Duration) error {
		_, err := p.Apply(v, a, "ann", week, t0.Add(after))
		return err
	}
	err := do(Close, ProblemArgs{}, time.Hour)
	if fault.KindOf(err) != fault.Conflict || !slices.Contains(fault.Public(err).Legal, "assess") || !strings.Contains(err.Error(), "is new") {
		t.Fatalf("closing a new problem: %v", err)
	}
	if err := do(KnownError, ProblemArgs{}, time.Hour); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a known error without cause or workaround: %v", err)
	}
	for _, v := range []Verb{StartAssess, StartRootCause, StartFix, Resolve} {
		if err := do(v, ProblemArgs{RootCause: "a leak"}, 2*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := do(Close, ProblemArgs{}, 3*time.Hour); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "2026-10-12") {
		t.Errorf("closing without proof: %v", err)
	}
	if c := p.Return("INC9", t0.Add(4*time.Hour)); p.State != ProblemRootCause || p.Reopened != 1 || len(c.Measures) != 1 {
		t.Errorf("its return leaves it %s", p.State)
	}
	if err := do(Resolve, ProblemArgs{Revision: 9}, 5*time.Hour); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "revision 0, not 9") {
		t.Errorf("a stale edit: %v", err)
	}
	if err := do(Resolve, ProblemArgs{}, 5*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := do(Close, ProblemArgs{Reason: "the machine is gone"}, 6*time.Hour); err != nil || p.State != ProblemClosed {
		t.Errorf("closing with a reason: %v, %s", err, p.State)
	}
}

func TestEditsAreRefusedWhole(t *testing.T) {
	i, _ := Open(Opening{ID: "INC1", Title: "x", Impact: 3, Urgency: 3, OpenedBy: "ann"}, t0)
	before, _ := json.Marshal(i)
	for what, a := range map[string]Args{
		"no reason":    {Title: "y", Impact: 1},
		"off scale":    {Title: "y", Urgency: 4, Reason: "because"},
		"nothing":      {},
		"stale":        {Title: "y", Revision: 3},
		"unknown role": {},
	} {
		verb := Edit
		if what == "unknown role" {
			verb, a = Major, Args{Roles: map[string]string{"commanderr": "bob"}}
		}
		if _, err := i.Apply(verb, a, "ann", t0); err == nil {
			t.Errorf("%s: was taken", what)
		}
		if after, _ := json.Marshal(i); string(after) != string(before) {
			t.Errorf("%s: was refused, yet changed %s", what, after)
		}
	}
	c, err := i.Apply(Edit, Args{Impact: 1, Urgency: 1, Reason: "the chief calls"}, "ann", t0)
	if err != nil || i.Priority != 1 || !i.Overridden || !strings.Contains(c.Entries[0].Text, "the chief calls") {
		t.Errorf("override: %v, priority %d", err, i.Priority)
	}
	if c := i.Assess(3, 3, "severity info", t0); i.Priority != 1 || len(c.Entries) > 0 {
		t.Error("a reassessment undid a person's override")
	}
	if _, err := i.Apply(Major, Args{Roles: map[string]string{"commander": "bob"}}, "ann", t0); err != nil || !i.Major || i.Roles["commander"] != "bob" {
		t.Errorf("major: %v %v", err, i.Roles)
	}
}

func TestDistributionIsNearestRank(t *testing.T) {
	d := Distribute([]float64{5, 1, 4, 2, 3, 10, 9, 8, 7, 6})
	if d.Count != 10 || d.P50 != 5 || d.P90 != 9 || d.Max != 10 || d.Mean != 5.5 || d.Sum != 55 {
		t.Errorf("%+v", d)
	}
	if d := Distribute([]float64{3}); d.P50 != 3 || d.P90 != 3 {
		t.Errorf("%+v", d)
	}
}
