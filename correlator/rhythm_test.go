package correlator_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// learning is a desk whose senders' rhythm is not configured.
func learning(t *testing.T) *desk {
	d := newDesk(t)
	d.s.Configure(correlator.DefaultConfig())
	return d
}

func grouped(key string, bodies ...*event.Notification) *event.Notification {
	n := &event.Notification{GroupKey: key, Receiver: "watchbill"}
	for _, b := range bodies {
		n.Alerts = append(n.Alerts, b.Alerts...)
	}
	return n
}

// Whatever its Alertmanager's repeat interval is, an alert that fires all the time
// stays open all the time: also before the first repeat, and while another group of
// the same source is heard every few minutes.
func TestWhatFiresAllTheTimeStaysOpen(t *testing.T) {
	for _, every := range []time.Duration{5 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		for _, key := range []string{"one", ""} { // groups of their own, or one key for all
			t.Run(fmt.Sprint(every, key), func(t *testing.T) {
				d := learning(t)
				next := hour
				for at := hour; at.Before(hour.Add(9 * 24 * time.Hour)); at = at.Add(30 * time.Minute) {
					d.wait(at)
					d.step(at, grouped(key+"b", firing(hour, map[string]string{"alertname": "Chatter", "severity": "warning", "host": "x"})))
					for ; !next.After(at); next = next.Add(every) {
						d.step(at, grouped(key+"b"+key, firing(hour, critical("Full"))))
					}
				}
				d.status("Full", correlator.AlertFiring)
				if c := said[correlator.IncidentCleared](d.said); len(c) != 0 {
					t.Errorf("it cleared %d times", len(c))
				}
			})
		}
	}
}

// Once the rhythm is known a lost end is noticed soon after a repeat is due.
func TestALostEndIsNoticedByTheSendersRhythm(t *testing.T) {
	for _, every := range []time.Duration{5 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour} {
		d := learning(t)
		at := hour
		beat := func(until time.Time) { // another group shows that the source lives
			for x := at; x.Before(until); x = x.Add(10 * time.Minute) {
				d.wait(x)
				d.step(x, grouped("beat", firing(hour, map[string]string{"alertname": "Watchdog", "severity": "none"})))
			}
			d.wait(until)
		}
		for range 4 {
			beat(at.Add(every))
			at = at.Add(every)
			d.step(at, grouped("g", firing(hour, critical("Full"))))
		}
		last := at
		beat(last.Add(every + every/10))
		d.status("Full", correlator.AlertFiring)
		at = last.Add(every + every/10)
		beat(last.Add(2*every + 30*time.Minute))
		d.status("Full", correlator.AlertExpired)
	}
}

// A group that changes is sent each time: that is no rhythm.
func TestChangesOfAGroupAreNoRhythm(t *testing.T) {
	d := learning(t)
	all := []*event.Notification{firing(hour, critical("Full"))}
	at := hour
	for n := range 12 {
		d.wait(at)
		d.step(at, grouped("g", all...))
		all = append(all, firing(at, critical(fmt.Sprint("More", n))))
		at = at.Add(5 * time.Minute)
	}
	for x := at; x.Before(at.Add(11 * time.Hour)); x = x.Add(20 * time.Minute) {
		d.wait(x)
		d.step(x, grouped("other", firing(x, critical("Other"))))
	}
	d.status("Full", correlator.AlertFiring)
}

// What is not known of a sender is counted, so that people can mend it.
func TestUnknownRhythmIsCounted(t *testing.T) {
	d := learning(t)
	d.step(hour, grouped("g", firing(hour, critical("Full"))))
	d.step(hour, grouped("w", firing(hour, map[string]string{"alertname": "Watchdog", "severity": "none"})))
	if so := d.s.Gauges().Sources["am"]; so.Unknown != 1 || so.Quiet < 24*time.Hour {
		t.Errorf("%+v", so)
	}
	for n := 1; n <= 3; n++ {
		at := hour.Add(time.Duration(n) * 4 * time.Hour)
		d.wait(at)
		d.step(at, grouped("g", firing(hour, critical("Full"))))
	}
	if so := d.s.Gauges().Sources["am"]; so.Unknown != 0 {
		t.Errorf("after three repeats: %+v", so)
	}
}
