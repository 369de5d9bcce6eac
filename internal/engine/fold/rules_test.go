package fold_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
)

// Rules decide whether people are told: always goes over the least priority and
// quiet hours, never over everything, and the timeline says so.
func TestRulesDecideWhoIsTold(t *testing.T) {
	w := newWatch(t, `{"notify": {"priorities": [1]}}`)
	r := w.s.Rules()
	r.Correlation.Rules = []correlator.Rule{
		{Name: "lab", Match: []string{"team=lab"}, Page: correlator.PageNever},
		{Name: "pay", Match: []string{"team=pay"}, Page: correlator.PageAlways, Priority: 4},
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.New(&event.Config{Rules: raw})
	if err != nil {
		t.Fatal(err)
	}
	w.step(e)
	fire := func(team, name string) {
		l := event.LabelsFrom(map[string]string{"alertname": name, "team": team, "severity": "critical"})
		e, err := event.New(&event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, Fingerprint: name, StartsAt: w.now}}})
		if err != nil {
			t.Fatal(err)
		}
		w.step(e)
	}
	fire("lab", "Boiler")
	w.until("10:00")
	if len(w.told) > 0 {
		t.Errorf("told %q", w.told)
	}
	said := false
	for _, x := range w.log {
		said = said || x.Text == `nobody is told: rule "lab"`
	}
	if !said {
		t.Errorf("the timeline does not say why nobody is told: %v", w.log)
	}
	fire("pay", "Slow")
	w.until("11:00")
	if len(w.told) != 1 || !strings.Contains(w.told[0], fold.TellOpened) || w.last.Incident.Priority != 4 || !strings.Contains(w.last.Text, `always by rule "pay"`) {
		t.Errorf("told %q: %+v", w.told, w.last)
	}
	fire("lab", "Kettle")
	w.until("12:00")
	if len(w.told) != 1 {
		t.Errorf("told %q", w.told)
	}
}
