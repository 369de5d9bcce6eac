package correlator_test

import (
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// The rules of received episodes: what a body says, and above all what its silence
// does not say.

// hour is when these tests begin.
var hour = dawn.Add(time.Hour)

// critical is an alert of its own kind on a host of its own.
func critical(name string) map[string]string {
	return map[string]string{"alertname": name, "host": name + "-host", "severity": "critical"}
}

func resolved(startsAt, endsAt time.Time, labels map[string]string) *event.Notification {
	n := firing(startsAt, labels)
	n.Alerts[0].Status, n.Alerts[0].EndsAt = event.Resolved, endsAt
	return n
}

// alert returns the newest alert of a name.
func (d *desk) alert(name string) correlator.Alert {
	d.t.Helper()
	var found correlator.Alert
	for _, a := range d.alerts {
		if a.Labels.Get("alertname") == name && (found.ID == "" || a.ID > found.ID) {
			found = a
		}
	}
	if found.ID == "" {
		d.t.Fatalf("no alert %s", name)
	}
	return found
}

// wait works off all deadlines up to at.
func (d *desk) wait(at time.Time) {
	for {
		due, ok := d.s.NextDeadline()
		if !ok || due.After(at) {
			return
		}
		d.step(due, &event.Tick{})
	}
}

func (d *desk) status(name string, want correlator.AlertStatus) {
	d.t.Helper()
	if got := d.alert(name); got.Status != want {
		d.t.Errorf("%s is %s (%s), want %s", name, got.Status, got.EndWhy, want)
	}
}

// expiry is what these tests configure.
const expiry = 5 * time.Hour

func TestUnmentionedByASourceThatIsHeardExpires(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("Gone")))
	d.step(hour, firing(hour, critical("Stays")))
	for at := hour; at.Before(hour.Add(expiry)); at = at.Add(time.Hour / 2) {
		d.wait(at)
		d.step(at, firing(hour, critical("Stays")))
	}
	d.status("Gone", correlator.AlertFiring)
	d.wait(hour.Add(expiry))
	d.status("Gone", correlator.AlertExpired)
	d.status("Stays", correlator.AlertFiring)
	for _, c := range said[correlator.IncidentCleared](d.said) {
		if c.Recovered {
			t.Errorf("%s counts as recovered, and expiry proves no recovery", c.ID)
		}
	}
}

func TestASilentSourceLeavesItsAlertsStale(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("A")))
	d.step(hour, firing(hour, critical("B")))
	d.wait(hour.Add(3 * expiry))
	d.status("A", correlator.AlertStale)
	d.status("B", correlator.AlertStale)
	if c := said[correlator.IncidentCleared](d.said); len(c) != 0 {
		t.Fatalf("silence cleared %+v", c)
	}

	// A body of one group says nothing about another group.
	back := hour.Add(3 * expiry)
	d.step(back, firing(hour, critical("A")))
	d.status("A", correlator.AlertFiring)
	d.status("B", correlator.AlertStale)
	d.wait(back.Add(3 * time.Minute))
	d.step(back.Add(3*time.Minute), firing(hour, critical("B")))
	d.status("B", correlator.AlertFiring)
	if c := said[correlator.IncidentCleared](d.said); len(c) != 0 {
		t.Errorf("the return of the source cleared %+v", c)
	}
}

func TestAfterASilenceTheExpiryRunsAnew(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("Gone")))
	d.step(hour, firing(hour, critical("Stays")))
	back := hour.Add(3 * expiry)
	d.wait(back)
	for at := back; at.Before(back.Add(expiry)); at = at.Add(time.Hour / 2) {
		d.wait(at)
		d.step(at, firing(hour, critical("Stays")))
		d.status("Gone", correlator.AlertStale)
	}
	d.wait(back.Add(expiry))
	d.status("Gone", correlator.AlertExpired)
}

// An Alertmanager with one group is heard once in four hours. That is not silence.
func TestARarelyHeardSourceStillExpiresWhatItForgot(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("Gone")))
	for at := hour.Add(2 * time.Hour); at.Before(hour.Add(24 * time.Hour)); at = at.Add(4 * time.Hour) {
		d.wait(at)
		d.step(at, firing(hour, critical("Stays")))
	}
	d.status("Gone", correlator.AlertExpired)
}

func TestDowntimeOfTheServerProvesNothing(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("A")))
	d.step(hour, firing(hour, critical("B")))
	up := hour.Add(2 * expiry)
	d.step(up, &event.Start{}) // the deadlines in between were never worked off
	d.status("A", correlator.AlertFiring)
	d.step(up.Add(time.Minute), firing(hour, critical("A")))
	d.wait(up.Add(time.Hour))
	d.status("B", correlator.AlertFiring)
}

func TestASilentHeartbeatOpensOneIncidentUntilItIsBackForGood(t *testing.T) {
	cfg := correlator.DefaultConfig()
	cfg.WatchdogTimeout, cfg.Expiry = correlator.Duration(10*time.Minute), correlator.Duration(expiry)
	d := newDesk(t)
	d.s.Configure(cfg)
	beat := map[string]string{"alertname": "Watchdog", "severity": "none"}
	at := hour
	for range 3 {
		d.wait(at)
		d.step(at, firing(hour, beat))
		at = at.Add(5 * time.Minute)
	}
	last := at.Add(-5 * time.Minute)
	d.wait(last.Add(10*time.Minute - time.Second))
	if o := said[correlator.IncidentOpened](d.said); len(o) != 0 {
		t.Fatalf("before its timeout it opened %+v", o)
	}
	d.wait(last.Add(10 * time.Minute))
	o := said[correlator.IncidentOpened](d.said)
	if len(o) != 1 {
		t.Fatalf("after its timeout there are %d incidents", len(o))
	}

	// It is back, the incident resolves, and soon it is silent again.
	at = last.Add(expiry + time.Hour)
	d.wait(at)
	d.status("Watchdog", correlator.AlertStale)
	d.step(at, firing(hour, beat))
	d.status("Watchdog", correlator.AlertFiring)
	for range 2 {
		at = at.Add(5 * time.Minute)
		d.wait(at)
		d.step(at, firing(hour, beat))
	}
	if q := said[correlator.IncidentQuiet](d.said); len(q) != 1 {
		t.Fatalf("its return resolved %d incidents", len(q))
	}
	d.wait(at.Add(11 * time.Minute))
	if r := said[correlator.IncidentReturned](d.said); len(r) != 1 || r[0].ID != o[0].ID {
		t.Errorf("its second silence reopened %+v, want %s", r, o[0].ID)
	}
	if n := len(said[correlator.IncidentOpened](d.said)); n != 1 {
		t.Errorf("there are %d incidents about one heartbeat", n)
	}
}

func TestReceivedEpisodes(t *testing.T) {
	labels := critical("Down")
	replica := func(r string) map[string]string { return replica(labels, r) }
	min := func(n int) time.Time { return hour.Add(time.Duration(n) * time.Minute) }
	type body struct {
		at time.Time
		n  *event.Notification
	}
	for _, c := range []struct {
		name   string
		bodies []body
		fates  []correlator.Fate // of those, in order; a duplicate is ""
		status []correlator.AlertStatus
		opened int
	}{
		{
			"a repeat is a duplicate",
			[]body{{min(0), firing(min(0), labels)}, {min(4), firing(min(0), labels)}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateDuplicate},
			[]correlator.AlertStatus{correlator.AlertFiring}, 1,
		},
		{
			"both peers of a high-availability pair resolve it",
			[]body{{min(0), firing(min(0), labels)}, {min(2), resolved(min(0), min(2), labels)}, {min(3), resolved(min(0), min(2), labels)}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateResolve, correlator.FateDuplicate},
			[]correlator.AlertStatus{correlator.AlertResolved}, 1,
		},
		{
			"a slow peer says firing after the resolve",
			[]body{{min(0), firing(min(0), labels)}, {min(2), resolved(min(0), min(2), labels)}, {min(3), firing(min(0), labels)}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateResolve, correlator.FateDuplicate},
			[]correlator.AlertStatus{correlator.AlertResolved}, 1,
		},
		{
			"a resolve without its firing opens nothing",
			[]body{{min(0), resolved(min(-5), min(0), labels)}},
			[]correlator.Fate{correlator.FateResolve},
			[]correlator.AlertStatus{correlator.AlertResolved}, 0,
		},
		{
			"a refire ends the episode whose resolve was lost",
			[]body{{min(0), firing(min(0), labels)}, {min(20), firing(min(15), labels)}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateIncident},
			[]correlator.AlertStatus{correlator.AlertSuperseded, correlator.AlertFiring}, 1,
		},
		{
			"two Prometheus replicas are one alert",
			[]body{{min(0), firing(min(0), replica("a"))}, {min(1), firing(min(0), replica("b"))}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateDuplicate},
			[]correlator.AlertStatus{correlator.AlertFiring, correlator.AlertFiring}, 1,
		},
		{
			"it is active until its last replica resolves",
			[]body{{min(0), firing(min(0), replica("a"))}, {min(1), firing(min(0), replica("b"))}, {min(2), resolved(min(0), min(2), replica("a"))}},
			[]correlator.Fate{correlator.FateHeld, correlator.FateDuplicate, correlator.FateResolve},
			[]correlator.AlertStatus{correlator.AlertResolved, correlator.AlertFiring}, 1,
		},
		{
			"a startsAt in the future is now",
			[]body{{min(0), firing(min(90), labels)}},
			[]correlator.Fate{correlator.FateHeld},
			[]correlator.AlertStatus{correlator.AlertFiring}, 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			var fates []correlator.Fate
			for _, b := range c.bodies {
				d.wait(b.at)
				fate := correlator.Fate("")
				for _, x := range d.step(b.at, b.n) {
					switch x := x.(type) {
					case correlator.AlertDecided:
						if x.Fate != "" {
							fate = x.Fate
						}
					case correlator.Counted:
						fate = x.Fate
					}
				}
				fates = append(fates, fate)
			}
			d.wait(c.bodies[len(c.bodies)-1].at.Add(2 * time.Minute))
			if !slices.Equal(fates, c.fates) {
				t.Errorf("fates %v, want %v", fates, c.fates)
			}
			ids := make([]string, 0, len(d.alerts))
			for id := range d.alerts {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			var status []correlator.AlertStatus
			for _, id := range ids {
				status = append(status, d.alerts[id].Status)
				if a := d.alerts[id]; a.Onset.After(a.FirstReceived) {
					t.Errorf("its onset %s lies in the future", a.Onset)
				}
			}
			if !slices.Equal(status, c.status) {
				t.Errorf("statuses %v, want %v", status, c.status)
			}
			if n := len(said[correlator.IncidentOpened](d.said)); n != c.opened {
				t.Errorf("%d incidents opened, want %d", n, c.opened)
			}
		})
	}
}

func TestACollisionOfFingerprintsJoinsNoTwoAlerts(t *testing.T) {
	d := newDesk(t)
	a, b := firing(hour, critical("A")), firing(hour, critical("B"))
	b.Alerts[0].Fingerprint = a.Alerts[0].Fingerprint
	d.step(hour, a)
	d.step(hour, b)
	d.step(hour.Add(time.Minute), resolved(hour, hour.Add(time.Minute), critical("A")))
	d.status("A", correlator.AlertResolved)
	d.status("B", correlator.AlertFiring)
}

// A person may resolve what still fires; it must not be forgotten for that.
func TestWhatStillFiresAfterItWasResolvedComesBack(t *testing.T) {
	d := newDesk(t)
	d.step(hour, firing(hour, critical("Down")))
	d.wait(hour.Add(time.Minute))
	o := said[correlator.IncidentOpened](d.said)
	if len(o) != 1 {
		t.Fatalf("opened %+v", o)
	}
	at := hour.Add(10 * time.Minute)
	d.s.Resolved(o[0].ID, at)
	window := time.Duration(correlator.DefaultConfig().ReopenWindow)
	d.wait(at.Add(window - time.Second))
	if r := said[correlator.IncidentReturned](d.said); len(r) != 0 {
		t.Fatalf("it came back at once: %+v", r)
	}
	d.wait(at.Add(window))
	if r := said[correlator.IncidentReturned](d.said); len(r) != 1 || r[0].ID != o[0].ID {
		t.Errorf("after the reopen window returned %+v, want %s", r, o[0].ID)
	}
}
