package api

import (
	"strings"
	"testing"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/correlator"
)

// What a person teaches is listed, changes what happens next, and can be taken back.
func TestTeachings(t *testing.T) {
	h := build(t)
	h.alerts("OneThing", "AnotherOne")
	alerts := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts").Items
	if len(alerts) != 2 || alerts[0].Incident == "" || alerts[0].Incident == alerts[1].Incident {
		t.Fatalf("%+v", alerts)
	}
	// A merge teaches, unless it says that it does not.
	decode[Incident](t, h.call(auth.Responder, "POST", "/api/v1/incidents/"+alerts[0].Incident+"/merge", map[string]any{"into": alerts[1].Incident, "teach": false}), 200)
	if l := get[Page[correlator.Teaching]](h, auth.Viewer, "/api/v1/teachings"); len(l.Items) != 0 {
		t.Errorf("it taught %+v", l.Items)
	}
	if a := h.call(auth.Viewer, "POST", "/api/v1/teachings", NewTeaching{Kind: correlator.AlwaysPage, Alert: alerts[0].ID}); a.status != 403 {
		t.Errorf("a viewer teaches: %d", a.status)
	}
	x := decode[correlator.Teaching](t, h.call(auth.Responder, "POST", "/api/v1/teachings", NewTeaching{Kind: correlator.NotRelated, Alert: alerts[0].ID, Reason: "it only shares the machine"}), 201)
	if x.By != "token:test responder" || !strings.Contains(x.Text, `alertname="`+alerts[0].Name+`"`) || x.Reason == "" {
		t.Errorf("%+v", x)
	}
	one, other := get[Alert](h, auth.Viewer, "/api/v1/alerts/"+alerts[0].ID), get[Alert](h, auth.Viewer, "/api/v1/alerts/"+alerts[1].ID)
	if one.Incident == other.Incident {
		t.Errorf("both are in %s", one.Incident)
	}
	if p := h.call(auth.Responder, "POST", "/api/v1/teachings", NewTeaching{Kind: correlator.AlwaysPage, Match: []string{"team="}}).problem(t); p.Status != 400 || !strings.Contains(p.Detail, "match[0]") {
		t.Errorf("%+v", p)
	}
	if l := get[Page[correlator.Teaching]](h, auth.Viewer, "/api/v1/teachings"); len(l.Items) != 1 || l.Items[0].ID != x.ID {
		t.Errorf("%+v", l)
	}
	if y := decode[correlator.Teaching](t, h.call(auth.Responder, "DELETE", "/api/v1/teachings/"+x.ID, nil), 200); y.Withdrawn == nil {
		t.Errorf("%+v", y)
	}
	if a := h.call(auth.Responder, "DELETE", "/api/v1/teachings/"+x.ID, nil); a.status != 409 {
		t.Errorf("withdrawn twice: %d", a.status)
	}
	if a := h.call(auth.Responder, "DELETE", "/api/v1/teachings/TCH00000099", nil); a.status != 404 {
		t.Errorf("none such: %d", a.status)
	}
	now, all := get[Page[correlator.Teaching]](h, auth.Viewer, "/api/v1/teachings"), get[Page[correlator.Teaching]](h, auth.Viewer, "/api/v1/teachings?all=true")
	if len(now.Items) != 0 || len(all.Items) != 1 {
		t.Errorf("in force %d, all %d", len(now.Items), len(all.Items))
	}
	if rows := h.audit("record:" + x.ID); len(rows.Items) != 3 || rows.Items[0].Refused == "" {
		t.Errorf("the audit has %+v", rows.Items)
	}
	one = get[Alert](h, auth.Viewer, "/api/v1/alerts/"+alerts[0].ID)
	decode[Incident](t, h.call(auth.Responder, "POST", "/api/v1/incidents/"+one.Incident+"/merge", map[string]any{"into": other.Incident}), 200)
	if l := get[Page[correlator.Teaching]](h, auth.Viewer, "/api/v1/teachings"); len(l.Items) != 1 || l.Items[0].Kind != correlator.Related || !strings.HasPrefix(l.Items[0].From, "merge ") {
		t.Errorf("a merge taught %+v", l.Items)
	}
}
