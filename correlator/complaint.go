package correlator

import (
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

// complaint is what kind of thing an alert says, where that points elsewhere than
// to what its item needs.
type complaint uint8

const (
	plain complaint = iota
	// idle: something does not happen at a service. It points from the called to the
	// callers.
	idle
	// network: a machine's link is bad. The other end of the link is as likely to be
	// why as the machine.
	network
	// served: it is told of a machine, and names the service that runs there, which
	// may be spread over several. What the service needs is as likely to be why.
	served
	// somewhere: what is bound is only where the alert's subject is. What is in it is as
	// likely to be why, each by itself, and the place seldom is.
	somewhere
	complaints = 5
)

func (g *graph) complaintOf(b *Binding, l event.Labels) complaint {
	switch {
	case b == nil:
	case b.Place:
		return somewhere
	case b.Class == "service":
		if mentions(l.Get("alertname"), absenceWords) {
			return idle
		}
	case machineClass(b.Class):
		if mentions(l.Get("alertname"), networkWords) {
			return network
		}
		if g.serves(b.CI, l) {
			return served
		}
	}
	return plain
}

// serves says whether the labels name a service that runs on the machine.
func (g *graph) serves(machine string, l event.Labels) bool {
	for n, e := range g.needed[machine] {
		from := g.nodes.Get(e.From)
		if n == fanMax {
			break
		}
		if e.Type != "runs_on" || from == nil || from.Class != "service" {
			continue
		}
		for _, label := range []string{"service", "service_name", "app", "job"} {
			if v := l.Get(label); v != "" && strings.EqualFold(v, from.Name) {
				return true
			}
		}
	}
	return false
}
