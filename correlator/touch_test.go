package correlator

import (
	"strings"
	"testing"
)

// A look that is due goes with what is told in the same step, in either order.
func TestALookThatIsDueIsNotLostWithWhatIsTold(t *testing.T) {
	const look = "(look)"
	for _, texts := range [][]string{{"it joined", look}, {look, "it joined"}, {look, "it joined", ""}, {"it joined", look, "more"}} {
		s := New(DefaultConfig(), func(kind string) string { return kind })
		for _, text := range texts {
			if text == look {
				s.lookAt("x")
			} else {
				s.touchGroup("x", text)
			}
		}
		if n := s.changed["x"]; !n.due || !strings.HasPrefix(n.text, "it joined") {
			t.Errorf("after %q: %+v", texts, n)
		}
	}
}
