package correlator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// assessed is what is held of the one incident about a host that is lost.
func assessed(t *testing.T, host string, topology []event.Body) correlator.Assessment {
	t.Helper()
	d := newDesk(t, topology...)
	d.step(dawn.Add(time.Hour), lostHost(host, dawn.Add(time.Hour)))
	for _, a := range d.last {
		if slices.Contains(a.CIs, "id-"+host) {
			return a
		}
	}
	t.Fatalf("%s is in no incident", host)
	return correlator.Assessment{}
}

// The impact follows from what fails with what is lost, not from all that is near it.
func TestImpactCountsWhatFailsAndHasNoStandIn(t *testing.T) {
	for _, c := range []struct {
		host   string
		impact int
		says   string
	}{
		// haproxy has another web server, and no database needs a web server.
		{"web1", 3, "1 other item fails with web1, something stands in for web1 in 1 more"},
		// Three applications, both web servers and the balancer have no other database.
		{"db2", 2, "fail with db2"},
		// What nothing needs makes nothing worse, though something runs there.
		{"mq1", 3, "nothing else is known to depend on it"},
		{"mon1", 3, "nothing else is known to depend on it"},
	} {
		a := assessed(t, c.host, smallEstate())
		if a.Impact != c.impact || !strings.Contains(a.Derived, c.says) {
			t.Errorf("%s: impact %d, %q; want %d, %q", c.host, a.Impact, a.Derived, c.impact, c.says)
		}
	}
	critical := append(smallEstate(), &event.CI{Ref: ref("service", "haproxy@lb1"), Attributes: map[string]any{"criticality": "critical"}})
	for host, impact := range map[string]int{"lb1": 1, "db2": 1, "web1": 2, "mon1": 3} {
		if a := assessed(t, host, critical); a.Impact != impact {
			t.Errorf("%s, with a critical balancer: impact %d, %q; want %d", host, a.Impact, a.Derived, impact)
		}
	}
}
