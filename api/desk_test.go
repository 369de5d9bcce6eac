package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/itsm"
)

// A link acknowledges only when a person presses the button: mail scanners open
// what they find.
func TestAcknowledgeByLink(t *testing.T) {
	h := build(t)
	id, other := h.open("it is down", 1, 1).ID, h.open("that too", 1, 1).ID
	link := strings.TrimPrefix(h.links.Acknowledge(id, "oncall", h.clock.now()), "http://127.0.0.1:7470")
	page := func(method, path string) (int, string) {
		req, err := http.NewRequest(method, h.url+path, nil)
		h.must(err)
		resp, err := http.DefaultClient.Do(req)
		h.must(err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		h.must(err)
		return resp.StatusCode, string(b)
	}
	acked := func() *time.Time { return get[itsm.Incident](h, auth.Viewer, "/api/v1/incidents/"+id).AcknowledgedAt }
	if code, body := page("GET", link); code != 200 || !strings.Contains(body, "<button>") || acked() != nil {
		t.Errorf("asking: %d %s", code, body)
	}
	for name, bad := range map[string]string{
		"another incident": strings.Replace(link, id, other, 1),
		"another receiver": strings.Replace(link, "to=oncall", "to=boss", 1),
		"another end":      strings.Replace(link, "until=1", "until=2", 1),
		"no signature":     strings.Split(link, "?")[0],
	} {
		if code, body := page("POST", bad); code != http.StatusBadRequest || acked() != nil {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if code, body := page("POST", link); code != 200 || !strings.Contains(body, "Thank you") || acked() == nil {
		t.Errorf("acknowledging: %d %s", code, body)
	}
	if i := get[itsm.Incident](h, auth.Viewer, "/api/v1/incidents/"+id); i.AcknowledgedBy != "link:oncall" {
		t.Errorf("acknowledged by %q", i.AcknowledgedBy)
	}
	if code, body := page("POST", link); code != 200 || !strings.Contains(body, "link:oncall") {
		t.Errorf("twice: %d %s", code, body)
	}
	h.clock.add(25 * time.Hour)
	if code, body := page("POST", link); code != http.StatusBadRequest || !strings.Contains(body, "has ended") {
		t.Errorf("a day later: %d %s", code, body)
	}
}

func TestMaintenanceAndReview(t *testing.T) {
	h := build(t)
	bad := h.call(auth.Responder, "POST", "/api/v1/maintenance", map[string]any{"summary": "x", "cis": []string{"host:a"}, "ends_at": h.clock.now().Add(-time.Hour)}).problem(t)
	if bad.Status != 400 && bad.Status != 422 || !strings.Contains(bad.Detail, "ends_at") && len(bad.Errors) == 0 {
		t.Errorf("a window in the past: %+v", bad)
	}
	made := h.call(auth.Responder, "POST", "/api/v1/maintenance", map[string]any{"summary": "new kernel", "cis": []string{"host:a"}, "ends_at": h.clock.now().Add(time.Hour)})
	var m itsm.Maintenance
	h.must(json.Unmarshal([]byte(made.body), &m))
	if made.status != 201 || m.State != itsm.WindowActive {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if p := h.call(auth.Responder, "POST", "/api/v1/maintenance/"+m.ID+"/cancel", nil).problem(t); p.Status != 409 || strings.Join(p.Legal, " ") != "end extend" {
		t.Errorf("canceling an active window: %+v", p)
	}
	if a := h.call(auth.Responder, "POST", "/api/v1/maintenance/"+m.ID+"/end", map[string]any{"reason": "done"}); a.status != 200 || !strings.Contains(a.body, `"ended"`) {
		t.Errorf("end: %d %s", a.status, a.body)
	}
	id := h.open("it was down", 1, 1).ID
	if p := h.call(auth.Responder, "POST", "/api/v1/incidents/"+id+"/review", map[string]any{"text": "x"}).problem(t); p.Status != 409 {
		t.Errorf("reviewing an open incident: %+v", p)
	}
	h.call(auth.Responder, "POST", "/api/v1/incidents/"+id+"/resolve", map[string]any{"resolution": "put back"})
	draft := get[itsm.Review](h, auth.Viewer, "/api/v1/incidents/"+id+"/review")
	if !draft.Draft || !strings.Contains(draft.Text, "# Review of "+id) || !strings.Contains(draft.Text, "resolved: put back") {
		t.Errorf("%+v", draft)
	}
	if a := h.call(auth.Responder, "POST", "/api/v1/incidents/"+id+"/review", map[string]any{"text": "We learned."}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := get[itsm.Review](h, auth.Viewer, "/api/v1/incidents/"+id+"/review"); r.Draft || r.Text != "We learned." {
		t.Errorf("%+v", r)
	}
}
