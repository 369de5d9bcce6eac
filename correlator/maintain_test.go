package correlator_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// together is one body of a group of Alertmanager's.
func together(bodies ...*event.Notification) *event.Notification {
	n := &event.Notification{Receiver: "watchbill", GroupKey: `{}:{cluster="fra"}`}
	for _, b := range bodies {
		n.Alerts = append(n.Alerts, b.Alerts...)
	}
	return n
}

// A body lists all of its group that fires, so what is suppressed and left out of a
// later one is over, whether or not its resolve was received. What is still listed
// when the work is long over is judged anew.
func TestAfterMaintenanceOnlyWhatIsStillListedIsJudgedAnew(t *testing.T) {
	at := dawn.Add(time.Hour)
	down := firing(at.Add(time.Minute), map[string]string{"alertname": "HostDown", "instance": "10.0.0.2:9100", "severity": "critical"})
	other := firing(at.Add(time.Minute), map[string]string{"alertname": "HostUnusual", "instance": "10.0.0.2:9100", "severity": "warning"})
	for name, x := range map[string]struct {
		later *event.Notification
		anew  bool
	}{
		"listed":    {together(down, other), true},
		"left out":  {together(other), false},
		"truncated": {func() *event.Notification { n := together(other); n.Truncated = 1; return n }(), true},
		"no group":  {func() *event.Notification { n := together(other); n.GroupKey = ""; return n }(), true},
		"another":   {func() *event.Notification { n := together(other); n.GroupKey = "another"; return n }(), true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, twoHosts()...)
			d.step(at, &event.Maintenance{ID: "m", CIs: []event.Ref{{ID: "id-other"}}, StartsAt: at, EndsAt: at.Add(time.Hour), Summary: "new disks"})
			d.step(at.Add(time.Minute), together(down, other))
			if a := d.alert("HostDown"); a.Fate != correlator.FateSuppressed {
				t.Fatalf("%s: %s", a.Fate, a.Why)
			}
			d.step(at.Add(50*time.Minute), x.later)
			d.wait(at.Add(3 * time.Hour))
			a := d.alert("HostDown")
			if (a.Incident != "") != x.anew {
				t.Errorf("after the window it is in incident %q", a.Incident)
			}
			if x.anew {
				return
			}
			d.status("HostDown", correlator.AlertExpired)
			// It was silenced, and the silence is over: it fires still.
			back := at.Add(4 * time.Hour)
			d.step(back, together(down, other))
			d.wait(back.Add(time.Minute))
			if d.alert("HostDown").Incident == "" {
				t.Error("listed again, it is in no incident")
			}
		})
	}
}
