package notify

import (
	"log/slog"
	"net/url"
	"testing"
	"time"
)

// A message that two routes bring to one receiver waits only where both are shut: what
// is grave has a route of its own beside the one that is muted by night.
func TestAMessageWaitsOnlyWhereAllItsRoutesAreShut(t *testing.T) {
	r, err := ParseReceivers(`
route:
  receiver: pager
  routes:
    - {receiver: pager, mute_time_intervals: [night], continue: true}
    - {receiver: pager, matchers: [severity=critical]}
time_intervals:
  - {name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}
receivers: [{name: pager, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]`, &url.URL{Scheme: "http", Host: "127.0.0.1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	night := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	for _, to := range [][]string{nil, {"pager"}} {
		for severity, muted := range map[string]bool{"critical": false, "warning": true} {
			s := r.stops(Message{To: to, Labels: map[string]string{"severity": severity}})
			if len(s) != 1 {
				t.Fatalf("to %q it goes to %d lanes", to, len(s))
			}
			if got := r.muted(s[0].routes, night); got != muted {
				t.Errorf("to %q, %s: held back by night is %t, want %t", to, severity, got, muted)
			}
		}
	}
}
