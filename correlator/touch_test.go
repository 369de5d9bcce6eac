package correlator

import (
	"strings"
	"testing"
)

// A look that is due goes with what is told in the same step, in either order.
func TestALookThatIsDueIsNotLostWithWhatIsTold(t *testing.T) {
	for _, texts := range [][]string{{"it joined", forced}, {forced, "it joined"}, {forced, "it joined", ""}, {"it joined", forced, "more"}} {
		s := New(DefaultConfig(), func(kind string) string { return kind })
		for _, text := range texts {
			s.touchGroup("x", text)
		}
		told, due := s.changed["x"], false
		if rest, ok := strings.CutPrefix(told, forced); ok {
			told, due = rest, true
		}
		if !due || strings.Contains(told, forced) || !strings.HasPrefix(told, "it joined") {
			t.Errorf("after %q: %q", texts, s.changed["x"])
		}
	}
}
