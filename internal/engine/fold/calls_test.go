package fold_test

import "testing"

// Who was told of nothing yet is not merely called again.
func TestAFirstPageIsMoreThanACall(t *testing.T) {
	t.Run("it waits for the end of quiet hours", func(t *testing.T) {
		w := newWatch(t, `{"slas": [], "calendars": {"night": {"open": [{"times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]}]}},
			"notify": {"quiet": {"calendar": "night", "from": 2}}}`).until("23:00")
		w.of("a", 2, 2)
		if len(w.told) > 0 {
			t.Fatalf("no quiet hours: %q", w.told)
		}
		if w.s.OnlyCalls() {
			t.Error("a replay would end before anybody is told of the incident")
		}
	})
	t.Run("it waits for a summary", func(t *testing.T) {
		w := newWatch(t, `{"slas": [], "notify": {"enabled": true, "limit": 1, "window": "10m"}}`)
		w.of("a", 1, 1)
		w.of("a", 1, 1)
		if w.s.OnlyCalls() {
			t.Error("a replay would end before the summary that tells of an incident first")
		}
		w.until("09:45")
		if !w.s.OnlyCalls() {
			t.Error("all that is left are calls, and a replay would not end")
		}
	})
}

func TestCallsGoOnWhenNotificationsAreEnabledAgain(t *testing.T) {
	w := newWatch(t, `{"slas": [], "notify": {"enabled": true, "escalation": [{"after": ["5m"], "repeat": "5m"}]}}`)
	w.of("a", 1, 1)
	w.notify(`{"enabled": false}`)
	w.until("09:20").notify(`{"enabled": true, "escalation": [{"after": ["5m"], "repeat": "5m"}]}`)
	before := len(w.told)
	w.until("09:40")
	if len(w.told) == before {
		t.Error("nobody is called again although nobody acknowledged")
	}
}
