package fold

import (
	"fmt"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// howMended tells what helped when an incident happened before, as far as is
// remembered: what a person wrote when resolving it, the change that its recovery
// followed, and what its problem knows.
func (s *State) howMended(id string) string {
	x := s.incidents.Get(id)
	if x == nil {
		return ""
	}
	i := &x.Doc
	var parts []string
	switch {
	case i.ResolvedBy != "" && i.ResolvedBy != itsm.System:
		text := "resolved by " + i.ResolvedBy
		if i.Resolution != "" {
			text += ": " + i.Resolution
		}
		parts = append(parts, text)
	case i.ResolvedAt != nil && i.Recovery == nil:
		parts = append(parts, fmt.Sprintf("it recovered by itself after %s", event.Span(i.ResolvedAt.Sub(i.Onset))))
	case i.Live():
		parts = append(parts, "it is still open")
	}
	if c := i.Recovery; c != nil {
		parts = append(parts, fmt.Sprintf("it recovered after %s on %s", c.Summary, c.Name))
	}
	if p := s.problems.Get(i.Problem); p != nil {
		if p.Doc.Workaround != "" {
			parts = append(parts, fmt.Sprintf("workaround of %s: %s", i.Problem, p.Doc.Workaround))
		}
		if p.Doc.Fix != "" {
			parts = append(parts, fmt.Sprintf("fix of %s: %s", i.Problem, p.Doc.Fix))
		}
	}
	return strings.Join(parts, "; ")
}
