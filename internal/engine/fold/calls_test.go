package fold_test

import (
	"testing"

	"github.com/watchbill/watchbill/internal/event"
)

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

// A receiver that the rules have no more takes no incident with it, whatever it was to
// hear of it.
func TestAReopenedIncidentThatWaitedForAReceiverThatIsGoneIsTold(t *testing.T) {
	w := newWatch(t, `{"slas": [], "notify": {"priorities": [1, 2, 3, 4, 5], "escalation": [], "limit": 1, "window": "30m", "routes": {"receiver": "a"}}}`)
	since := w.now
	w.slow(event.Firing, since)
	w.until("09:02")
	w.slow(event.Resolved, since)
	w.until("09:13").of("a", 1, 1) // begins the storm
	since = w.now
	w.slow(event.Firing, since)
	w.until("09:14").want("09:00 incident.opened "+inc(1)+" @a", "09:07 incident.resolved "+inc(1)+" @a", "09:13 storm.begun @a")
	w.told = nil
	w.notify(`{"enabled": true, "priorities": [1, 2, 3, 4, 5], "escalation": [], "limit": 0, "routes": {"receiver": "mail"}}`)
	w.until("09:15").want("09:14 incident.opened "+inc(1)+" @mail", "09:14 incident.opened "+inc(2)+" @mail")
}
