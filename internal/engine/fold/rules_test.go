package fold_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
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
	w.govern(r)
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
	w.must("notes", one, map[string]any{"note": "it is only the lab"})
	said := 0
	for _, x := range w.log {
		if x.Text == `nobody is told: rule "lab"` {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the timeline says %d times why nobody is told: %v", said, w.log)
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

// A window says beforehand what it will silence, and afterwards what it did.
func TestMaintenancePredictsAndCompares(t *testing.T) {
	w := newWatch(t, `{}`)
	step := func(b event.Body) {
		t.Helper()
		e, err := event.New(b)
		if err != nil {
			t.Fatal(err)
		}
		w.step(e)
	}
	host := event.Ref{Class: "host", Name: "h1"}
	step(&event.CI{Ref: host, Attributes: map[string]any{"hostname": "h1"}})
	for _, n := range []string{"shop", "pay"} {
		s := event.Ref{Class: "service", Name: n}
		step(&event.CI{Ref: s})
		step(&event.Relation{From: s, Type: "runs_on", To: host})
	}
	window := func(a fold.Answer) (m itsm.Maintenance) {
		t.Helper()
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		if err := json.Unmarshal(a.Result, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := window(w.do("maintenance", "create", "", map[string]any{"summary": "disk swap", "cis": []string{"host:h1"}, "ends_at": w.now.Add(time.Hour)}))
	if m.ExpectedItems != 3 || len(m.Expected) != 3 || m.Expected[0].Name != "h1" || m.Expected[1].Name != "pay" {
		t.Errorf("expected %+v", m.Expected)
	}
	for n, at := range []string{"instance=h1", "service=shop", "service=shop"} {
		label, name, _ := strings.Cut(at, "=")
		l := event.LabelsFrom(map[string]string{"alertname": "Down" + string(rune('A'+n)), label: name, "severity": "critical"})
		step(&event.Notification{Alerts: []event.Alert{{Status: event.Firing, Labels: l, Fingerprint: string(rune('a' + n)), StartsAt: w.now}}})
	}
	m = window(w.do("maintenance", "end", m.ID, nil))
	if m.Suppressed != 3 || m.UnexpectedItems != 0 {
		t.Errorf("%+v", m)
	}
	said := false
	for _, e := range w.log {
		said = said || strings.Contains(e.Text, "3 alerts were suppressed: 2 of 3 expected items alerted")
	}
	if !said {
		t.Errorf("the timeline does not compare: %v", w.log)
	}
}
