package inventory

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
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
	if _, err := l.Coverage(ctx, ""); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "cmdb.prometheus") {
		t.Errorf("without a Prometheus: %v", err)
	}
	if err := l.Reload(Rules{Prometheus: []*Prometheus{p}}); err != nil {
		t.Fatal(err)
	}
	c, err := l.Coverage(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	got := gaps(c)
	want := []string{"db-1:0 lacks target ", "shop@db-1:8080 lacks target ", "shop@web-1:8080 lacks rule shop", "shop@web-2:8080 lacks target ", "web-2:0 lacks up node"}
	if !slices.Equal(got, want) || c.Covered != 1 || c.Watched != 6 || !slices.Equal(c.UnknownTargets, []string{"nobody:9100"}) {
		t.Errorf("got %q, want %q; %d of %d; unknown %q", got, want, c.Covered, c.Watched, c.UnknownTargets)
	}
	if x := l.Stats().Coverage; x == nil || x.Watched != 6 || x.Covered != 1 || x.Gaps["target"] != 3 || x.Gaps["rule"] != 1 || x.UnknownTargets != 1 {
		t.Errorf("for the metrics: %+v", x)
	}
	prom.Close()
	if _, err := l.Coverage(ctx, ""); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a Prometheus that is away: %v", err)
	}
	if _, err := NewPrometheus("prometheus:9090", nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a URL without scheme: %v", err)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func gaps(c cmdb.Coverage) []string {
	var out []string
	for _, g := range c.Gaps {
		out = append(out, fmt.Sprintf("%s:%d lacks %s %s", g.Name, g.Port, g.Missing, strings.Join(g.Jobs, ",")))
	}
	return out
}

// TestCoverageOfARealPrometheus: the answers of Prometheus' own API are read, and
// what it scrapes, cannot scrape and has no rule for is told apart.
func TestCoverageOfARealPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED, coverage is not tested against a real Prometheus: install prometheus (Debian package) first")
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "up_and_well 1") }))
	defer web.Close()
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	closed, at := free(), free()
	_, dead, _ := net.SplitHostPort(closed)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules.yml", `groups: [{name: g, rules: [{alert: ShopDown, expr: 'up{job="shop"} == 0'}, {record: r, expr: 'up{job="batch"}'}]}]`)
	write("prometheus.yml", `global: {scrape_interval: 1s, scrape_timeout: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: shop, static_configs: [{targets: ['127.0.0.1:`+port+`']}]}
  - {job_name: batch, static_configs: [{targets: ['localhost:`+port+`']}]}
  - {job_name: db, static_configs: [{targets: ['127.0.0.1:`+dead+`']}]}
`)
	// The processes of a test end with it, also when it fails.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = cmd.Wait() }()

	l := newLab(t)
	here, err := os.Hostname() // a loopback target is on Prometheus' machine: this one
	if err != nil {
		t.Fatal(err)
	}
	shop, batch, db := l.box("shop-1", 1), l.box("batch-1", 2), l.box("db-1", 3)
	shop.rep.Interfaces[0].Addresses = []string{"192.0.2.1/24"}
	shop.rep.Host.FQDN = "127.0.0.1" // it is scraped by this name
	batch.rep.Host.FQDN = "localhost"
	own := l.box(here, 4)
	own.rep.Listeners = []report.Listener{{Protocol: "tcp", Address: "127.0.0.1", Port: atoi(t, port), Process: "shop", Unit: "shop.service"}}
	for _, b := range []*box{shop, batch, db, own} {
		b.enroll().send()
	}
	p, err := NewPrometheus("http://"+at, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(Rules{Prometheus: []*Prometheus{p}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"batch-1:0 lacks rule batch", "db-1:0 lacks target "}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for {
		c, err := l.Coverage(context.Background(), "")
		if err == nil && slices.Equal(gaps(c), want) && c.Covered == 3 && len(c.UnknownTargets) == 0 {
			break // Prometheus has scraped
		}
		select {
		case <-deadline:
			t.Fatalf("got %q, want %q; %+v %v", gaps(c), want, c, err)
		case <-tick.C:
		}
	}
	if c, err := l.Coverage(context.Background(), "name:db-1"); err != nil || c.Watched != 1 {
		t.Errorf("of one machine: %+v %v", c, err)
	}
	if _, err := l.Coverage(context.Background(), "name:"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a query that cannot be read: %v", err)
	}
}
