package correlator_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/internal/event"
)

// people has somebody merge, split or resolve incidents now and then.
func (r *run) people(t *rapid.T, a act) {
	list := r.s.Incidents()
	if len(list) == 0 {
		return
	}
	pick := func(label string, list []string) string { return rapid.SampledFrom(list).Draw(t, label) }
	one, other := pick("one", list), pick("other", list)
	switch rapid.IntRange(0, 19).Draw(t, "person") {
	case 0:
		if one != other {
			r.take(a.at, r.s.Merge(one, other, "", a.at))
			r.open[one] = false
		}
	case 1:
		if all := r.s.AlertsOf(one); len(all) > 0 {
			_, out, err := r.s.Split(one, []string{pick("alert", all)}, "", a.at)
			if err == nil {
				r.take(a.at, out)
			}
		}
	case 2:
		r.s.Resolved(one, a.at)
	}
}

// Whatever is sent, every alert is in the record of its incident, and one that fires is
// shown sooner or later.
func TestNoAlertIsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRun()
		check := func(after string) {
			if what := r.s.Stray(r.where); what != "" {
				t.Fatalf("after %s: %s", after, what)
			}
		}
		for _, a := range history(t) {
			for {
				at, ok := r.s.NextDeadline()
				if !ok || !at.Before(a.at) {
					break
				}
				r.step(at, &event.Tick{})
				check("a deadline")
			}
			r.step(a.at, a.body)
			check("an event")
			r.people(t, a)
			check("a person's act")
		}
	})
}

// What changes is written with the next snapshot: the changed pages, one snapshot
// after the other, are the state.
func TestSnapshotsOfChangesAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRun()
		kept := map[string][]byte{}
		for _, a := range history(t) {
			for {
				at, ok := r.s.NextDeadline()
				if !ok || !at.Before(a.at) {
					break
				}
				r.step(at, &event.Tick{})
			}
			r.step(a.at, a.body)
			r.people(t, a)
			if err := r.s.Save(func(k string, v []byte) error {
				kept[k] = append([]byte(nil), v...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.s.SaveAll(func(k string, v []byte) error {
			n := 0
			for n < min(len(v), len(kept[k])) && v[n] == kept[k][n] {
				n++
			}
			if !bytes.Equal(kept[k], v) {
				t.Fatalf("page %s was changed and not written: ...%s", k, v[max(0, n-100):min(len(v), n+40)])
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
