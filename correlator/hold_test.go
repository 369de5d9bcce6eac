package correlator_test

import (
	"testing"
	"time"
)

// Two warnings of one item open an incident. Where one of them is known to come and
// go alone, they wait for a third.
func TestAnAlertThatComesAndGoesIsPoorCompany(t *testing.T) {
	pair := func(d *table) string {
		d.fire("Slow@svc-3 warning")
		d.wait(10 * time.Second)
		d.fire("Errors@svc-3 warning")
		d.wait(10 * time.Second)
		return d.where("Errors@svc-3")
	}
	if pair(newTable(t)) == "" {
		t.Fatal("two warnings of one item opened nothing")
	}
	d := newTable(t)
	for range 3 {
		d.fire("Slow@svc-3 warning")
		d.wait(20 * time.Second)
		d.end("Slow@svc-3 warning")
	}
	if in := pair(d); in != "" {
		t.Errorf("it opened %s with an alert that came and went alone three times", in)
	}
	d.fire("Down@svc-3 warning")
	if d.where("Slow@svc-3") == "" || d.where("Slow@svc-3") != d.where("Down@svc-3") {
		t.Errorf("the third opened nothing: %q and %q", d.where("Slow@svc-3"), d.where("Down@svc-3"))
	}
}
