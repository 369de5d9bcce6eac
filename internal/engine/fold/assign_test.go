package fold_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/itsm"
)

// An assignment changes what it names and nothing else; who takes it himself works on it.
func TestAssignmentKeepsWhatItDoesNotName(t *testing.T) {
	w := newWatch(t, `{"slas": [{"name": "web-gold", "clock": "resolution", "target": "1h", "teams": ["web"]}]}`)
	id := w.open(1, 1)
	step := func(args map[string]any, who, team string, acknowledged bool) {
		t.Helper()
		if a := w.do("incident", "assign", id, args); a.Err != nil {
			t.Fatal(a.Err)
		}
		if i := w.incident(id); i.Assignee != who || i.Team != team || (i.AcknowledgedAt != nil) != acknowledged {
			t.Errorf("%v: assigned to %q, %q, acknowledged %v", args, i.Assignee, i.Team, i.AcknowledgedAt)
		}
	}
	step(map[string]any{"team": "web"}, "", "web", false)
	step(map[string]any{"assignee": "bob"}, "bob", "web", false)
	step(map[string]any{"assignee": ""}, "", "web", false)
	w.until("09:50")
	step(map[string]any{"assignee": "ann"}, "ann", "web", true)
	if k := w.incident(id).Clocks; len(k) != 1 || !k[0].Active || k[0].Phase != itsm.Running {
		t.Errorf("the team's level: %+v", k)
	}
	w.until("10:30")
	if k := w.incident(id).Clocks[0]; k.Result != itsm.Breached {
		t.Errorf("the team's level after 90m of 60m: %+v", k)
	}
	step(map[string]any{"team": ""}, "ann", "", true)
	if a := w.do("incident", "assign", id, map[string]any{}); a.Err == nil || a.Err.Field != "assignee" {
		t.Errorf("an assignment of nothing: %v", a.Err)
	}
	for _, escalated := range w.told {
		if strings.Contains(escalated, "escalated") && escalated > "09:50" {
			t.Errorf("called again though somebody took it: %s", escalated)
		}
	}
	text := ""
	for _, m := range w.msgs {
		text += m.Topic + string(m.Body)
	}
	if !strings.Contains(text, "incident.assigned") || !strings.Contains(text, "assigned to bob, web by ann") {
		t.Errorf("nobody is told of the assignment: %v", w.told)
	}
}

// A reopened incident is unacknowledged, calls anew, and measures its own occurrence.
func TestReopenedIsUnacknowledged(t *testing.T) {
	w := newWatch(t, `{"notify": {"priorities": [1], "escalation": [{"after": ["5m"]}]},
		"slas": [{"name": "answer", "clock": "response", "target": "10m"}, {"name": "mend", "clock": "resolution", "target": "8h"}]}`)
	measured := map[string][]float64{}
	w.each = func(m itsm.Measure) {
		k := m.Name
		if m.SLA != "" {
			k += m.SLA + m.Result
		}
		measured[k] = append(measured[k], m.Value)
	}
	id := w.open(1, 1)
	w.until("09:09").do("incident", "acknowledge", id, nil)
	w.until("09:30").do("incident", "resolve", id, nil)
	w.until("15:30").do("incident", "reopen", id, map[string]any{"reason": "not mended"})
	if i := w.incident(id); i.AcknowledgedAt != nil || i.AcknowledgedBy != "" || i.Reopened != 1 || !i.Shown().Equal(w.now) {
		t.Errorf("reopened: %+v", i)
	}
	w.until("15:37").do("incident", "acknowledge", id, nil)
	w.until("15:40").do("incident", "resolve", id, nil)
	if !slices.Contains(w.told, "15:30 incident.reopened "+id) || !slices.Contains(w.told, "15:35 incident.escalated "+id) {
		t.Errorf("told %v", w.told)
	}
	for name, want := range map[string][]float64{
		itsm.MAcknowledgement: {540, 420}, itsm.MResolution: {1800, 600}, itsm.MRecovery: {1800, 600}, itsm.MRepair: {1260, 180}, itsm.MReopened: {1},
		itsm.MSLA + "answer" + itsm.Met: {1, 1}, itsm.MSLA + "answer" + itsm.Breached: nil,
	} {
		if !slices.Equal(measured[name], want) {
			t.Errorf("%s: measured %v, want %v", name, measured[name], want)
		}
	}
	if k := w.incident(id).Clocks; k[1].Elapsed != 2400 {
		t.Errorf("the resolution's level counts %v s, want 40 minutes: %+v", k[1].Elapsed, k)
	}
}

// A critical alert that joins what somebody works on is told, once for all that join
// within a while.
func TestGraveAlertsThatJoinAreTold(t *testing.T) {
	w := newWatch(t, `{}`)
	w.body(discovered("CI1", "host", "db9", nil))
	w.alert("firing", "HostDown", "db9:9100", "critical", w.now, time.Time{})
	w.until("09:05")
	w.do("incident", "acknowledge", "INC00000001", nil)
	w.now = w.now.Add(time.Minute)
	w.alert("firing", "DiskSlow", "db9:9100", "warning", w.now, time.Time{})
	w.now = w.now.Add(time.Minute)
	w.alert("firing", "DataCorruption", "db9:9100", "critical", w.now, time.Time{})
	w.now = w.now.Add(time.Minute)
	w.alert("firing", "RaidLost", "db9:9100", "critical", w.now, time.Time{})
	w.until("09:30")
	var joined []string
	for _, m := range w.msgs {
		if m.Topic == "incident.joined" {
			joined = append(joined, m.At.Format("15:04 ")+string(m.Body))
		}
	}
	if len(w.docs) != 1 || len(joined) != 2 || !strings.HasPrefix(joined[0], "09:07") || !strings.Contains(joined[0], "DataCorruption on db9") || !strings.HasPrefix(joined[1], "09:17") || !strings.Contains(joined[1], "RaidLost on db9") {
		t.Errorf("%d incidents; told of %d: %.300s", len(w.docs), len(joined), joined)
	}
}
