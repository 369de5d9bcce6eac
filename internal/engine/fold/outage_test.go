package fold_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/itsm"
)

// availability is what a report of the day says of the shop.
func (w *watch) availability(from string, log []itsm.Observation) itsm.Availability {
	w.t.Helper()
	outages := itsm.NewOutages()
	for _, o := range log {
		outages.Take(o)
	}
	begin, err := time.Parse("15:04", from)
	if err != nil {
		w.t.Fatal(err)
	}
	day := w.now.Truncate(24 * time.Hour)
	return outages.Sum([]itsm.Service{{Name: "shop"}}, day.Add(time.Duration(begin.Hour())*time.Hour), w.now, nil, w.now)[0]
}

func TestOutagesFollowPriorityAndTruth(t *testing.T) {
	begin := func() (*watch, *[]itsm.Observation) {
		w := newWatch(t, `{"services": [{"name": "shop"}]}`)
		w.disk = pages{}
		var log []itsm.Observation
		w.each = func(m itsm.Measure) { log = append(log, itsm.Observation{At: w.now, Measure: m}) }
		return w, &log
	}
	open := func(w *watch, impact, urgency int) string {
		t.Helper()
		a := w.do("incident", "create", "", map[string]any{"title": "x", "impact": impact, "urgency": urgency, "service": "shop"})
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		return a.Record
	}
	edit := func(w *watch, id string, impact int) {
		t.Helper()
		if a := w.do("incident", "edit", id, map[string]any{"impact": impact, "reason": "VIP"}); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	want := func(w *watch, log []itsm.Observation, downtime float64, failures int) {
		t.Helper()
		if a := w.availability("09:00", log); a.Downtime != downtime || a.Failures != failures {
			t.Errorf("down for %v s, %d failures; want %v, %d", a.Downtime, a.Failures, downtime, failures)
		}
	}
	t.Run("the priority goes up and down", func(t *testing.T) {
		w, log := begin()
		id := open(w, 2, 2)
		w.until("12:30")
		edit(w, id, 1)
		w.until("12:31")
		want(w, *log, 60, 1) // while it lasts
		edit(w, id, 2)
		w.until("15:00")
		want(w, *log, 60, 1)
		w.do("incident", "cancel", id, map[string]any{"reason": "was none"})
		w.until("15:30")
		want(w, *log, 0, 0)
	})
	t.Run("a canceled one was none while another goes on", func(t *testing.T) {
		w, log := begin()
		a := open(w, 1, 1)
		w.until("10:00")
		b := open(w, 1, 1)
		w.until("10:30").do("incident", "cancel", a, nil)
		want(w, *log, 1800, 1)
		w.until("11:00").do("incident", "resolve", b, nil)
		want(w, *log, 3600, 1)
	})
	t.Run("a merge goes on in the other", func(t *testing.T) {
		w, log := begin()
		old := open(w, 1, 1)
		w.do("incident", "major", old, map[string]any{"roles": map[string]string{"commander": "ann"}})
		w.until("12:45")
		young := open(w, 3, 3)
		w.until("13:00").do("incident", "merge", old, map[string]any{"into": young})
		if i := w.incident(young); i.Priority != 1 || !i.Major || i.Roles["commander"] != "ann" || i.OpenedAt.Hour() != 9 || i.Onset.Hour() != 9 {
			t.Errorf("after the merge: priority %d, major %v, opened %v", i.Priority, i.Major, i.OpenedAt)
		}
		w.until("14:00").do("incident", "resolve", young, nil)
		want(w, *log, 5*3600, 1)
	})
	t.Run("a manager corrects it, and both figures stay", func(t *testing.T) {
		w, log := begin()
		id := open(w, 1, 1)
		w.until("10:00").do("incident", "resolve", id, nil)
		out := w.s.Outages()
		if len(out) != 1 || out[0].ID != "OUT00000001" {
			t.Fatalf("outages %+v", out)
		}
		for _, args := range []map[string]any{{"none": true}, {"until": w.now.Add(time.Hour), "reason": "x"}, {"from": w.now, "reason": "x"}} {
			if a := w.do("outage", "correct", "OUT00000001", args); a.Err == nil {
				t.Errorf("%v was taken", args)
			}
		}
		if a := w.do("outage", "correct", "OUT00000001", map[string]any{"from": w.now.Add(-20 * time.Minute), "reason": "one customer before"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		w.until("12:00")
		want(w, *log, 1200, 1)
		if a := w.availability("09:00", *log); a.Measured == nil || *a.Measured != 3600 {
			t.Errorf("measured %v", a.Measured)
		}
	})
}

// Levels run on in whatever an incident is merged into.
func TestMergedLevelsRunOn(t *testing.T) {
	w := newWatch(t, `{"slas": [{"name": "mend-urgent", "clock": "resolution", "target": "4h", "priorities": [1]}]}`)
	old := w.open(1, 1)
	w.until("12:30")
	young := w.open(1, 1)
	w.until("12:45").do("incident", "merge", old, map[string]any{"into": young})
	w.until("16:20").do("incident", "resolve", young, nil)
	if k := w.incident(young).Clocks[0]; k.Result != itsm.Breached || k.BreachedAt.Format("15:04") != "13:00" {
		t.Errorf("7h20m of a 4-hour promise: %+v", k)
	}
}

// Restored is when the alert ended, and what only expired proves nothing.
func TestRestoredIsWhenItEnded(t *testing.T) {
	w := newWatch(t, `{"services": [{"name": "shop", "outage_priority": 4, "cis": ["host:pay01"]}], "slas": [{"name": "back", "clock": "restoration", "target": "25m"}]}`)
	var downtime []float64
	w.each = func(m itsm.Measure) {
		if m.Name == itsm.MServiceDowntime {
			downtime = append(downtime, m.Value)
		}
	}
	w.body(discovered("CI1", "host", "pay01", nil))
	starts := w.now
	w.alert("firing", "PayDown", "pay01:9100", "critical", starts, time.Time{})
	w.until("09:27")
	w.alert("resolved", "PayDown", "pay01:9100", "critical", starts, starts.Add(20*time.Minute))
	w.until("10:00")
	i := w.incident("INC00000001")
	if i.RestoredAt == nil || !i.RestoredAt.Equal(starts.Add(20*time.Minute)) || len(downtime) != 1 || downtime[0] != 1200 {
		t.Errorf("restored at %v, down for %v s", i.RestoredAt, downtime)
	}
	if k := i.Clocks[0]; k.Result != itsm.Met || k.BreachedAt != nil {
		t.Errorf("the level of 25m after 20m: %+v", k)
	}
}
