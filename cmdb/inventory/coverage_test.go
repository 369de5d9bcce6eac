package inventory

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

func TestCoverageAgainstPrometheus(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	for i, n := range []string{"web-1", "web-2", "db-1"} {
		b := l.box(n, i+1)
		b.rep.Listeners = append(b.rep.Listeners, report.Listener{Protocol: "tcp", Port: 8080, Process: "shop", Unit: "shop.service"})
		b.enroll().send()
	}
	prom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/prom/api/v1/targets":
			fmt.Fprint(w, `{"status":"success","data":{"activeTargets":[
				{"labels":{"job":"node","instance":"web-1:9100"},"discoveredLabels":{"__address__":"10.0.0.2:9100"},"health":"up"},
				{"labels":{"job":"shop","instance":"http://web-1.example.com:8080/"},"discoveredLabels":{"__address__":"prober:9115"},"health":"up"},
				{"labels":{"job":"node","instance":"web-2:9100"},"discoveredLabels":{"__address__":"web-2:9100"},"health":"down"},
				{"labels":{"job":"node","instance":"nobody:9100"},"discoveredLabels":{},"health":"up"}]}}`)
		case "/prom/api/v1/rules":
			fmt.Fprint(w, `{"status":"success","data":{"groups":[{"rules":[{"name":"NodeDown","query":"up{job=~\"node|windows\"} == 0","type":"alerting"}]}]}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer prom.Close()
	p, err := NewPrometheus(prom.URL+"/prom", prom.Client())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Coverage(ctx, "", p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range c.Gaps {
		got = append(got, fmt.Sprintf("%s:%d lacks %s %s", g.Name, g.Port, g.Missing, strings.Join(g.Jobs, ",")))
	}
	want := []string{"db-1:0 lacks target ", "shop@db-1:8080 lacks target ", "shop@web-1:8080 lacks rule shop", "shop@web-2:8080 lacks target ", "web-2:0 lacks up node"}
	if !slices.Equal(got, want) || c.Covered != 1 || c.Watched != 6 || !slices.Equal(c.UnknownTargets, []string{"nobody:9100"}) {
		t.Errorf("got %q, want %q; %d of %d; unknown %q", got, want, c.Covered, c.Watched, c.UnknownTargets)
	}
	prom.Close()
	if _, err := l.Coverage(ctx, "", p); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a Prometheus that is away: %v", err)
	}
	if _, err := NewPrometheus("prometheus:9090", nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a URL without scheme: %v", err)
	}
}
