package correlator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

func TestHygieneFindsWhatCostsAttention(t *testing.T) {
	now := time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC)
	h := correlator.NewHygiene(now.AddDate(0, 0, -30), now)
	acted := func(id string) bool { return id[0] == 'A' }
	n := 0
	add := func(rule, incident string, bound bool, at time.Time, d time.Duration, fingerprint string) {
		n++
		end := at.Add(d)
		a := correlator.Alert{Labels: event.LabelsFrom(map[string]string{"alertname": rule}), Fingerprint: fingerprint, StartsAt: at, EndsAt: &end, Incident: incident, Fate: correlator.FateIncident}
		if incident == "" {
			a.Fate, a.FinalFate = correlator.FateHeld, correlator.FateHeld
		}
		if bound {
			a.Binding = &correlator.Binding{CI: "x"}
		}
		h.Add(a, acted)
	}
	for i := range 12 {
		at := now.AddDate(0, 0, -1-i)
		add("Good", fmt.Sprintf("A%d", i), true, at, time.Hour, "g")
		add("GoodToo", fmt.Sprintf("A%d", i), true, at, time.Hour, "h")
		add("Ignored", fmt.Sprintf("N%d", i), true, at, time.Hour, "i")
		add("Held", "", true, at, time.Minute, "j")
		add("Nowhere", fmt.Sprintf("A%d", i%2), false, at, time.Hour, fmt.Sprint("n", i))
	}
	for i := range 7 {
		add("Flaps", "A99", true, now.Add(-48*time.Hour+time.Duration(i)*time.Hour), time.Minute, "f")
	}
	add("Forever", "A98", true, now.AddDate(0, 0, -20), 15*24*time.Hour, "v")
	r := h.Report()
	got := map[string]string{}
	for _, x := range r.Rules {
		got[x.Rule] = fmt.Sprint(x.Findings)
		if x.Text == "" {
			t.Errorf("%s has no text", x.Rule)
		}
	}
	want := map[string]string{"Ignored": "[never_acted]", "Held": "[never_opened]", "Nowhere": "[never_bound]", "Flaps": "[flapping]", "Forever": "[long_firing]"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if len(r.Together) != 1 || !slices.Equal(r.Together[0].Rules, []string{"Good", "GoodToo"}) || r.Together[0].Incidents != 12 || r.Alerts != n {
		t.Errorf("together %+v of %d", r.Together, r.Alerts)
	}
}
