package correlator

import (
	"fmt"
	"slices"
	"strings"
)

// The same defect may come back on a sibling: another item of the same make. Such
// an incident belongs to the same problem although nothing failed twice.

const (
	// What two incidents of siblings must share: how alike the kinds of alerts are,
	// how much those tell together (in nats), and by how much the rarest kind that
	// only one of them had may be rarer than the rarest of both.
	siblingClasses = 0.75
	siblingKnown   = 3.5
	siblingMissed  = 0.6
)

// sibling says why the likely causes of two incidents are of the same make, or
// nothing where they are not.
func (s *State) sibling(a, b *profile) string {
	for _, c := range a.Changes {
		if _, ok := slices.BinarySearch(b.Changes, c); ok {
			return "the same version before both (" + strings.Join(strings.Fields(c), " ") + ")"
		}
	}
	if len(a.Causes) == 0 || len(b.Causes) == 0 || a.Causes[0].CI == b.Causes[0].CI {
		return ""
	}
	x, y := s.g.nodes.Get(a.Causes[0].CI), s.g.nodes.Get(b.Causes[0].CI)
	if x == nil || y == nil || x.Class != y.Class || x.Cluster != y.Cluster || x.Engine != y.Engine {
		return ""
	}
	switch x.Class {
	case "service", "workload":
		return "" // each is software of its own: another one's failure is another defect
	case "pod":
		if w := s.workloadOf(x.ID); w == "" || w != s.workloadOf(y.ID) {
			return ""
		}
	case "host", "virtual_machine", "hypervisor", "switch", "pdu", "rack":
		// Machines are of one make where they are named in one series.
		if series(x.Name) != series(y.Name) {
			return ""
		}
	}
	return fmt.Sprintf("%s is a sibling of %s", x.Name, y.Name)
}

func (s *State) workloadOf(pod string) string {
	for _, e := range s.g.needs[pod] {
		if n := s.g.nodes.Get(e.To); e.Type == "member_of" && n != nil && n.Class == "workload" {
			return n.ID
		}
	}
	return ""
}

// series is a machine's name without domain and numbers.
func series(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, name)
}
