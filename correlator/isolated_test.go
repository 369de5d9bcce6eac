package correlator_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
)

// Where no relation of any item is known, what comes together is one incident, as it
// would be by time alone, and what comes an hour later is another.
func TestWithoutRelationsTimeDecides(t *testing.T) {
	var topology []event.Body
	for n := range 8 {
		topology = append(topology, &event.CI{Ref: ref("service", fmt.Sprintf("svc-%d", n))})
	}
	d := newDesk(t, topology...)
	at := dawn.Add(time.Hour)
	for n := range 8 {
		if n == 5 {
			at = at.Add(3 * time.Hour)
		}
		at = at.Add(5 * time.Second)
		d.step(at, firing(at, map[string]string{"alertname": fmt.Sprintf("Fails%d", n%2), "service": fmt.Sprintf("svc-%d", n), "severity": "critical"}))
	}
	d.step(at.Add(5*time.Minute), &event.Notification{})
	gone := map[string]bool{}
	for _, m := range said[correlator.IncidentMerged](d.said) {
		gone[m.From] = true
	}
	var sizes []int
	for id, a := range d.last {
		if !gone[id] {
			sizes = append(sizes, a.Alerts)
		}
	}
	if len(sizes) != 2 || sizes[0]+sizes[1] != 8 || sizes[0]*sizes[1] != 15 {
		t.Errorf("incidents of %v alerts, want 5 and 3", sizes)
	}
}
