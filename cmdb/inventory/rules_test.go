package inventory

import (
	"context"
	"slices"
	"testing"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// TestReloadedRulesSettleStoredItems: a class, a required field and an authority
// that come by configuration hold for what is stored already, also when they came
// while the server was down, and leave their trace in the history.
func TestReloadedRulesSettleStoredItems(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	tick := func() {
		t.Helper()
		if err := l.Tick(ctx, l.now()); err != nil {
			t.Fatal(err)
		}
	}
	a := l.box("web-1", 1).enroll()
	a.send()
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"owner": "eve", "team": "web", "location": "dc1", "vendor": "Typed by hand"}}, "person:eve")
	l.upsert(Item{ID: a.ci, Attributes: cmdb.Attributes{"owner": "from HR"}}, "import:hr")
	if c := l.get(a.ci); c.Attributes.Text("owner") != "eve" || len(c.Incomplete) > 0 {
		t.Fatalf("at first: %v, incomplete %v", c.Attributes, c.Incomplete)
	}
	if _, _, err := l.Upsert(ctx, Item{Class: "turbine", Name: "t-1"}, "import"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a class that is not there yet: %v", err)
	}
	rules := func() Rules {
		r, err := cmdb.NewRegistry(
			cmdb.Class{Name: "turbine", Fields: []cmdb.Field{{Name: "blades", Type: cmdb.Number}}},
			cmdb.Class{Name: "host", Fields: []cmdb.Field{{Name: "patch_window", Type: cmdb.Text, Required: true}}})
		if err != nil {
			t.Fatal(err)
		}
		au, err := cmdb.NewAuthority(r, map[string][]string{"owner": {"import:hr", "person"}, "host.vendor": {"person", "agent"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return Rules{Registry: r, Authority: au}
	}
	check := func(when string) {
		t.Helper()
		c := l.get(a.ci)
		if c.Attributes.Text("owner") != "from HR" || c.Attributes.Text("vendor") != "Typed by hand" || !slices.Equal(c.Incomplete, []string{"patch_window"}) {
			t.Errorf("%s: owner %v, vendor %v, incomplete %v", when, c.Attributes["owner"], c.Attributes["vendor"], c.Incomplete)
		}
		if ids, err := l.Select("incomplete:patch_window"); err != nil || !slices.Equal(ids, []string{a.ci}) {
			t.Errorf("%s: found %v %v", when, ids, err)
		}
	}
	if err := l.Reload(rules()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Upsert(ctx, Item{Class: "turbine", Name: "t-1", Attributes: cmdb.Attributes{"blades": "three"}}, "import"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a value that is none of the new field's: %v", err)
	}
	l.upsert(Item{Class: "turbine", Name: "t-1", Attributes: cmdb.Attributes{"blades": "3"}}, "import")
	tick()
	check("after the reload")
	entries, _, err := l.History(ctx, a.ci, HistoryQuery{Field: "owner"})
	if err != nil || len(entries) != 2 || entries[0].Source != "configuration" || entries[0].Old != "eve" {
		t.Errorf("history: %+v %v", entries, err)
	}
	if err := l.Reload(rules()); err != nil { // the same again
		t.Fatal(err)
	}
	if l.unsettled != 0 {
		t.Error("equal rules begin a settling")
	}
	// The old rules again, by a restart.
	l.reopen()
	tick()
	if c := l.get(a.ci); c.Attributes.Text("owner") != "eve" || len(c.Incomplete) > 0 {
		t.Errorf("after a restart with other rules: %v, incomplete %v", c.Attributes["owner"], c.Incomplete)
	}
	if l.unsettled != 0 {
		t.Errorf("unsettled from %d", l.unsettled)
	}
	before := l.picture()
	tick()
	if after := l.picture(); after != before {
		t.Error("a tick under settled rules changes something")
	}
}
