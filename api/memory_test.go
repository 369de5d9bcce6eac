package api

import (
	"net/http"
	"testing"
)

// TestAReportBeyondTheBudgetIsAskedForAgain: 503 with Retry-After, which agents
// repeat; a body that is too large for ever is 413.
func TestAReportBeyondTheBudgetIsAskedForAgain(t *testing.T) {
	h := build(t)
	one, _ := h.join("web1", "")
	if err := h.api.bodies.Take("others", bodiesOfCaller); err != nil {
		t.Fatal(err)
	}
	if err := h.api.bodies.Take("more", bodiesOfAll-bodiesOfCaller); err != nil {
		t.Fatal(err)
	}
	a := h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 1))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	h.api.bodies.Give("others", bodiesOfCaller)
	h.api.bodies.Give("more", bodiesOfAll-bodiesOfCaller)
	if a := h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 2)); a.status != http.StatusOK {
		t.Errorf("with room again: %d %s", a.status, a.body)
	}
	if h.api.bodies.Used() != 0 {
		t.Errorf("%d bytes are not given back", h.api.bodies.Used())
	}
}
