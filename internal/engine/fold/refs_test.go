package fold_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// discovered is an item as the inventory tells of it: its id says nothing of its name.
func discovered(id, class, name string, attributes map[string]any) *event.CI {
	if attributes == nil {
		attributes = map[string]any{}
	}
	return &event.CI{Ref: event.Ref{ID: id, Class: class, Name: name}, Attributes: attributes}
}

func (w *watch) alert(status, name, instance, severity string, starts, ends time.Time) {
	w.t.Helper()
	a := map[string]any{"status": status, "startsAt": starts.Format(time.RFC3339Nano), "labels": map[string]string{"alertname": name, "instance": instance, "severity": severity}}
	if !ends.IsZero() {
		a["endsAt"] = ends.Format(time.RFC3339Nano)
	}
	raw, err := json.Marshal(map[string]any{"version": "4", "status": status, "receiver": "wb", "alerts": []any{a}})
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := event.DecodeNotification(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	w.step(event.NewNotification("prom", n))
}

func (w *watch) incident(id string) (i itsm.Incident) {
	w.t.Helper()
	d, ok := w.docs[id]
	if !ok {
		w.t.Fatalf("there is no incident %s; there are %d", id, len(w.docs))
	}
	return d
}

const shopRules = `{"services": [{"name": "shop", "owner": "ann", "team": "web", "cis": ["host:pay01"]}],
	"slas": [{"name": "answer", "clock": "response", "target": "30m", "services": ["shop"]}]}`

// A service that names its items as class:name stands on discovered ones, in whatever
// order item, incident and rules come.
func TestServicesStandOnDiscoveredItems(t *testing.T) {
	for name, attributes := range map[string]map[string]any{
		"by its name": nil, "by its host name": {"hostname": "pay01"},
	} {
		called := map[string]string{"by its name": "pay01", "by its host name": "PAY01.example.org"}[name]
		for _, order := range []string{"item first", "item last"} {
			t.Run(name+", "+order, func(t *testing.T) {
				w := newWatch(t, shopRules)
				w.disk = pages{}
				if order == "item first" {
					w.body(discovered("CIkbcfc5kdgevnx", "host", called, attributes))
				}
				if got := len(w.s.Unresolved()); got != map[string]int{"item first": 0, "item last": 1}[order] {
					t.Errorf("%d references lead to nothing: %+v", got, w.s.Unresolved())
				}
				w.body(discovered("CIkbcfc5kdgevny", "host", "pay02", nil))
				if order == "item last" {
					w.body(discovered("CIkbcfc5kdgevnx", "host", called, attributes))
				}
				w.alert("firing", "PayDown", "pay01:9100", "critical", w.now, time.Time{})
				w.until("09:10")
				i := w.incident("INC00000001")
				if len(i.Services) != 1 || i.Services[0] != "shop" || i.Team != "web" || i.Assignee != "ann" || len(i.Clocks) != 1 {
					t.Errorf("services %v, team %q, assignee %q, levels %v", i.Services, i.Team, i.Assignee, i.Clocks)
				}
				if got := w.s.Unresolved(); len(got) != 0 {
					t.Errorf("unresolved: %+v", got)
				}
			})
		}
	}
}

// Rules that come into force take hold of open incidents, and let go of them.
func TestRulesTakeHoldOfOpenIncidents(t *testing.T) {
	w := newWatch(t, `{}`)
	w.body(discovered("CI1", "host", "pay01", nil))
	w.alert("firing", "PayDown", "pay01:9100", "critical", w.now, time.Time{})
	w.until("09:10")
	w.configure(shopRules)
	if i := w.incident("INC00000001"); len(i.Services) != 1 || i.Team != "web" {
		t.Errorf("services %v, team %q", i.Services, i.Team)
	}
	w.configure(`{}`)
	if i := w.incident("INC00000001"); len(i.Services) != 0 {
		t.Errorf("services %v of rules that are gone", i.Services)
	}
}

// Maintenance takes items as people name them, refuses what is not there with what was
// meant, and suppresses what it covers.
func TestMaintenanceOfDiscoveredItems(t *testing.T) {
	window := func(w *watch, args map[string]any) (m itsm.Maintenance, wrong string) {
		args["summary"], args["ends_at"] = "new kernel", w.now.Add(time.Hour)
		a := w.do("maintenance", "create", "", args)
		if a.Err != nil {
			return m, a.Err.Error()
		}
		if err := json.Unmarshal(a.Result, &m); err != nil {
			t.Fatal(err)
		}
		return m, ""
	}
	for _, ref := range []string{"host:hx", "hx", "HX", "hx.example.org", "host:hx.example.org", "192.0.2.9", "CIhx"} {
		w := newWatch(t, shopRules)
		w.body(discovered("CIhx", "host", "hx", map[string]any{"fqdn": "hx.example.org", "addresses": []any{"192.0.2.9"}}))
		w.body(discovered("CIhy", "host", "hy", nil))
		m, wrong := window(w, map[string]any{"cis": []string{ref}})
		if wrong != "" || len(m.CIs) != 1 || m.CIs[0] != "CIhx" || m.ExpectedItems != 1 {
			t.Fatalf("%s: covers %v, expects %d, %s", ref, m.CIs, m.ExpectedItems, wrong)
		}
		w.alert("firing", "HostDown", "hx:9100", "critical", w.now, time.Time{})
		w.until("09:30")
		if len(w.docs) != 0 {
			t.Errorf("%s: planned work opened %d incidents", ref, len(w.docs))
		}
	}
	w := newWatch(t, shopRules)
	w.body(discovered("CIh8", "host", "h8", nil))
	w.body(discovered("CIa", "host", "twin", nil))
	w.body(discovered("CIb", "host", "twin", nil))
	for ref, want := range map[string]string{"host:h88": "host:h8", "hosts:h8": "host:h8", "host:twin": "names 2 items", "host:entirely-else": "class:name"} {
		if _, wrong := window(w, map[string]any{"cis": []string{ref}}); !strings.Contains(wrong, want) {
			t.Errorf("%s: %q, want %q in it", ref, wrong, want)
		}
	}
	if _, wrong := window(w, map[string]any{"services": []string{"Shop"}}); !strings.Contains(wrong, "did you mean shop?") {
		t.Errorf("a mistyped service: %q", wrong)
	}
	// What a service stands on may appear while the window is active.
	if m, wrong := window(w, map[string]any{"services": []string{"shop"}}); wrong != "" || m.ExpectedItems != 0 {
		t.Errorf("%s: expects %d items", wrong, m.ExpectedItems)
	}
	w.body(discovered("CIpay", "host", "pay01", nil))
	w.alert("firing", "HostDown", "pay01:9100", "critical", w.now, time.Time{})
	w.until("09:30")
	if len(w.docs) != 0 {
		t.Errorf("planned work opened %d incidents", len(w.docs))
	}
}

// Changes and windows that were told before the item was known are found when it is.
func TestChangesWaitForTheirItem(t *testing.T) {
	w := newWatch(t, `{}`)
	w.body(&event.Change{CI: event.Ref{Class: "host", Name: "Web1"}, Type: "deployed", Summary: "shop 2.0", Version: "2.0"})
	w.body(&event.Maintenance{CIs: []event.Ref{{Class: "host", Name: "web2"}}, StartsAt: w.now, EndsAt: w.now.Add(time.Hour), Summary: "disks"})
	w.body(discovered("CI1", "host", "Web1", nil))
	w.body(discovered("CI2", "host", "web2", nil))
	w.alert("firing", "HostDown", "web2:9100", "critical", w.now, time.Time{})
	w.until("09:02")
	w.alert("firing", "Errors", "web1:9100", "critical", w.now, time.Time{})
	w.until("09:10")
	if len(w.docs) != 1 {
		t.Fatalf("%d incidents", len(w.docs))
	}
	if i := w.incident("INC00000001"); len(i.Changes) != 1 || i.Changes[0].CI != "CI1" || i.Changes[0].Name != "Web1" {
		t.Errorf("suspect changes %+v", i.Changes)
	}
}

// An incident by hand names its item in any form, and nothing that is not there.
func TestIncidentsByHandNameItems(t *testing.T) {
	w := newWatch(t, shopRules)
	w.body(discovered("CI1", "host", "pay01", nil))
	a := w.do("incident", "create", "", map[string]any{"title": "slow", "impact": 2, "urgency": 2, "ci": "host:pay01"})
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	if i := w.incident(a.Record); len(i.CIs) != 1 || i.CIs[0] != "CI1" || len(i.Services) != 1 {
		t.Errorf("cis %v, services %v", i.CIs, i.Services)
	}
	for field, v := range map[string]string{"ci": "host:pay1", "service": "shopp"} {
		if a := w.do("incident", "create", "", map[string]any{"title": "slow", "impact": 2, "urgency": 2, field: v}); a.Err == nil || a.Err.Field != field {
			t.Errorf("%s %s: %v", field, v, a.Err)
		}
	}
}
