package correlator

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
)

// ownership is what package fold reads of an item, for assignment.
var ownership = []string{"owner", "owner_team", "support_group", "team"}

// What the graph reads of an item is what writers of facts are asked to tell, and
// nothing is asked for that nobody reads.
func TestTheGraphReadsWhatIsTold(t *testing.T) {
	r, err := cmdb.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, c := range r.Classes() {
		names := slices.Clone(event.ItemAttributes)
		for _, f := range c.Fields {
			names = append(names, f.Name)
		}
		bare := nodeFrom("x", &event.CI{Ref: event.Ref{Class: c.Name, Name: "n"}})
		for _, k := range names {
			for _, v := range []any{"v-1", []any{7.0}} {
				if n := nodeFrom("x", &event.CI{Ref: event.Ref{Class: c.Name, Name: "n"}, Attributes: map[string]any{k: v}}); !reflect.DeepEqual(n, bare) {
					read[k] = true
				}
			}
		}
	}
	for k := range read {
		if !slices.Contains(event.ItemAttributes, k) {
			t.Errorf("%s of an item is read and not among event.ItemAttributes: nobody tells it", k)
		}
	}
	for _, k := range event.ItemAttributes {
		if !read[k] && !slices.Contains(ownership, k) {
			t.Errorf("%s is told and never read", k)
		}
	}
}

// A graph that is rebuilt from its own facts is the same graph: an export whose
// beginning was trimmed decides as the installation did.
func TestTopologyRebuildsTheGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9./-]{1,8}`)
		c := &event.CI{
			Ref:    event.Ref{ID: "CI1", Class: rapid.SampledFrom([]string{"host", "pod", "database", "cluster", "namespace", "service", "workload"}).Draw(t, "class"), Name: word.Draw(t, "name")},
			Labels: map[string]string{"app": word.Draw(t, "app")}, Attributes: map[string]any{},
		}
		for _, k := range event.ItemAttributes {
			if slices.Contains(ownership, k) {
				continue // kept, and told, by package fold
			}
			switch rapid.IntRange(0, 2).Draw(t, k) {
			case 1:
				c.Attributes[k] = word.Draw(t, "value")
			case 2:
				c.Attributes[k] = []any{word.Draw(t, "element"), float64(rapid.IntRange(0, 65535).Draw(t, "number"))}
			}
		}
		s := New(DefaultConfig(), func(string) string { return "X" })
		s.Step(event.Event{Kind: event.KindCI}, c)
		rebuilt := New(DefaultConfig(), func(string) string { return "X" })
		for _, b := range s.Topology() {
			e, err := event.New(b)
			if err != nil {
				t.Fatal(err)
			}
			p, err := e.Payload()
			if err != nil {
				t.Fatal(err)
			}
			rebuilt.Step(e, p)
		}
		if want, got := s.g.nodes.Get("CI1"), rebuilt.g.nodes.Get("CI1"); !reflect.DeepEqual(want, got) {
			t.Fatalf("rebuilt as %+v, was %+v", got, want)
		}
	})
}
