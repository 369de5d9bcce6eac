package api

import (
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
)

// The report names the incidents behind each rule that it names, each once, and none
// behind others.
func TestHygieneNamesTheIncidentsBehindARule(t *testing.T) {
	h := build(t)
	for range 3 {
		h.alerts("NamesNothing")
		h.clock.add(time.Hour)
	}
	h.alerts("CameOnlyOnce")
	var want []string
	for _, a := range get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts?q=name:NamesNothing").Items {
		if a.Incident != "" && !slices.Contains(want, a.Incident) {
			want = append(want, a.Incident)
		}
	}
	if len(want) == 0 {
		t.Fatal("no alert of the rule opened an incident")
	}
	rep := get[engine.HygieneReport](h, auth.Viewer, "/api/v1/hygiene?days=7")
	if len(rep.Rules) != 1 || rep.Rules[0].Rule != "NamesNothing" || !slices.Contains(rep.Rules[0].Findings, correlator.NeverBound) {
		t.Fatalf("findings: %+v", rep.Rules)
	}
	if got := rep.Behind["NamesNothing"]; !slices.Equal(got, want) {
		t.Errorf("behind it are %v, not %v", got, want)
	}
	if len(rep.Behind) != 1 {
		t.Errorf("incidents of rules without findings: %v", rep.Behind)
	}
}
