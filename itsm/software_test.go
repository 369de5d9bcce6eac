package itsm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/itsm"
)

// A problem that is bound to a version resolves with the last item that has it, and
// reopens where the defect is put back.
func TestProblemBoundToAVersion(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	compare := func(_, a, b string) int { return strings.Compare(a, b) }
	p, _ := itsm.OpenProblem(itsm.Problem{ID: "PRB1", Title: "it leaks", OpenedBy: "ann"}, now)
	bind := func(a itsm.ProblemArgs) error {
		_, err := p.Apply(itsm.BindSoftware, a, "ann", time.Hour, now)
		return err
	}
	for _, x := range []struct {
		a     itsm.ProblemArgs
		field string
	}{
		{itsm.ProblemArgs{FixedIn: "2", Items: []string{"a"}}, "product"},
		{itsm.ProblemArgs{Product: "lib", Items: []string{"a"}}, "fixed_in"},
		{itsm.ProblemArgs{Product: "lib", FixedIn: "2"}, "items"},
	} {
		if err := bind(x.a); err == nil || !strings.Contains(err.Error(), x.field) {
			t.Errorf("%+v: %v", x.a, err)
		}
	}
	if err := bind(itsm.ProblemArgs{Product: "lib", FixedIn: "2.0", Items: []string{"b", "a", "b"}}); err != nil {
		t.Fatal(err)
	}
	put := func(ci, version string, state itsm.ProblemState, left int, says string) {
		t.Helper()
		var text string
		for _, e := range p.Installed(ci, version, compare, now).Entries {
			text += e.Text + "\n"
		}
		if p.State != state || len(p.Software.Pending) != left || !strings.Contains(text, says) || says == "" && text != "" {
			t.Errorf("%s has %s: %s, %d pending, said %q; want %s, %d, %q", ci, version, p.State, len(p.Software.Pending), text, state, left, says)
		}
	}
	put("a", "1.9", itsm.ProblemNew, 2, "")
	put("c", "2.0", itsm.ProblemNew, 2, "") // not watched
	put("a", "2.0", itsm.ProblemNew, 1, "the fix is on 1 of 2 items")
	p.Watch("d")
	put("b", "2.1", itsm.ProblemNew, 1, "the fix is on 2 of 3 items")
	put("d", "2.0", itsm.ProblemResolved, 0, "lib 2.0 has arrived on 3 items")
	if p.Fix != "lib 2.0" || p.ResolvedAt == nil {
		t.Errorf("fix %q, resolved %v", p.Fix, p.ResolvedAt)
	}
	put("b", "2.2", itsm.ProblemResolved, 0, "")
	put("b", "1.9", itsm.ProblemRootCause, 1, "b has a version with the defect again")
	if p.Reopened != 1 {
		t.Errorf("reopened %d times", p.Reopened)
	}
	put("b", "2.2", itsm.ProblemResolved, 0, "has arrived on 3 items")
	p.AutoClose(time.Hour, now)
	put("a", "1.0", itsm.ProblemRootCause, 1, "with the defect again")
}
