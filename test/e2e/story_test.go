// Package e2e runs the real binaries beside a real Prometheus, Alertmanager and
// node_exporter.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type incident struct {
	ID             string     `json:"id"`
	State          string     `json:"state"`
	Priority       int        `json:"priority"`
	Title          string     `json:"title"`
	CIs            []string   `json:"cis"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	ResolvedAt     *time.Time `json:"resolved_at"`
}

type alert struct {
	ID          string            `json:"id"`
	Fingerprint string            `json:"fingerprint"`
	StartsAt    time.Time         `json:"starts_at"`
	Labels      map[string]string `json:"labels"`
	Incident    string            `json:"incident"`
	Fate        string            `json:"fate"`
	Binding     *struct {
		Class    string `json:"class"`
		Name     string `json:"name"`
		Evidence string `json:"evidence"`
	} `json:"binding"`
	Evidence []struct{ Text string } `json:"evidence"`
}

// TestStoppedExporterBecomesOneIncident is the product in one story: a real
// exporter stops, a real rule fires, a real Alertmanager posts; one incident opens
// on the discovered host, is acknowledged, and resolves by itself when the
// exporter is back.
func TestStoppedExporterBecomesOneIncident(t *testing.T) {
	prometheus := need(t, "prometheus", "prometheus")
	alertmanager := need(t, "prometheus-alertmanager", "prometheus-alertmanager")
	exporter := need(t, "prometheus-node-exporter", "prometheus-node-exporter")
	dir := t.TempDir()

	cfg := writeFile(t, filepath.Join(dir, "watchbill.yml"), "correlation:\n  hold: {critical: 1s, error: 1s, warning: 1s, info: 1s}\n  hold_down: 3s\n")
	s := startServer(t, filepath.Join(dir, "data"), cfg)

	join := writeFile(t, filepath.Join(dir, "join-token"), s.token("agent"))
	start(t, nil, filepath.Join(bin, "watchbill-agent"), "--server.url="+s.url, "--token-file="+join, "--state-dir="+filepath.Join(dir, "agent"))
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "own host in the inventory", func() error {
		hosts, err := all[struct {
			ID, Class, Name string
		}](s, "/api/v1/cis?q=class:host")
		if err != nil {
			return err
		}
		if len(hosts) != 1 || !strings.HasPrefix(hosts[0].Name, strings.Split(hostname, ".")[0]) {
			return fmt.Errorf("hosts are %v", hosts)
		}
		return nil
	})

	nodePort, promPort, amPort := freePort(t), freePort(t), freePort(t)
	// One collector suffices, and a scrape has time: one that runs late on a busy
	// machine would be an outage of its own.
	nodeArgs := []string{fmt.Sprintf("--web.listen-address=127.0.0.1:%d", nodePort), "--collector.disable-defaults", "--collector.uname"}
	node := start(t, nil, exporter, nodeArgs...)
	writeFile(t, filepath.Join(dir, "am.yml"), fmt.Sprintf(`
route: {receiver: watchbill, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: watchbill
  webhook_configs:
  - url: %s/api/v1/ingest/alertmanager
    send_resolved: true
    http_config: {authorization: {credentials: %s}}
`, s.url, s.token("ingest")))
	start(t, nil, alertmanager, "--config.file="+filepath.Join(dir, "am.yml"), "--storage.path="+filepath.Join(dir, "am"),
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", amPort), "--cluster.listen-address=")
	writeFile(t, filepath.Join(dir, "rules.yml"), `
groups:
- name: e2e
  interval: 1s
  rules:
  - alert: NodeExporterDown
    expr: up{job="node"} == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.instance }} cannot be scraped"}
`)
	writeFile(t, filepath.Join(dir, "prom.yml"), fmt.Sprintf(`
global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 1s}
rule_files: [%s]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:%d"]}]}]}
scrape_configs:
- {job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}
`, filepath.Join(dir, "rules.yml"), amPort, nodePort))
	start(t, nil, prometheus, "--config.file="+filepath.Join(dir, "prom.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", promPort))
	eventually(t, patience, "Prometheus ready", func() error { return getOK(fmt.Sprintf("http://127.0.0.1:%d/-/ready", promPort)) })
	eventually(t, patience, "Alertmanager ready", func() error { return getOK(fmt.Sprintf("http://127.0.0.1:%d/-/ready", amPort)) })
	eventually(t, patience, "exporter up", func() error { return getOK(fmt.Sprintf("http://127.0.0.1:%d/metrics", nodePort)) })

	node.stop()
	var inc incident
	eventually(t, patience, "incident opened", func() error {
		list, err := all[incident](s, "/api/v1/incidents")
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d incidents", len(list))
		}
		inc = list[0]
		return nil
	})
	if inc.State != "new" || inc.Priority < 1 || inc.Priority > 5 {
		t.Errorf("incident opened as %+v", inc)
	}
	alerts, err := all[alert](s, "/api/v1/incidents/"+inc.ID+"/alerts")
	if err != nil || len(alerts) != 1 {
		t.Fatalf("alerts of the incident: %v, %v", alerts, err)
	}
	if b := alerts[0].Binding; b == nil || !strings.HasPrefix(b.Name, hostname) && !strings.Contains(b.Evidence, hostname) || b.Evidence == "" {
		t.Errorf("the alert is bound to %+v, want this host %s with evidence", b, hostname)
	}

	if err := s.call("POST", "/api/v1/incidents/"+inc.ID+"/acknowledge", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "watchbill"), "incident", "show", inc.ID, "--server.url="+s.url, "--token="+adminToken).CombinedOutput()
	if err != nil {
		t.Fatalf("incident show: %v\n%s", err, out)
	}
	for _, want := range []string{inc.ID, "NodeExporterDown", "in_progress", "acknowledged"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("incident show lacks %q:\n%s", want, out)
		}
	}
	t.Logf("incident show:\n%s", out)

	start(t, nil, exporter, nodeArgs...)
	eventually(t, patience, "incident resolved by itself", func() error {
		if err := s.call("GET", "/api/v1/incidents/"+inc.ID, nil, &inc); err != nil {
			return err
		}
		if inc.State != "resolved" {
			return errors.New(inc.State)
		}
		return nil
	})
	if list, err := all[incident](s, "/api/v1/incidents"); err != nil || len(list) != 1 {
		t.Errorf("in the end there are %d incidents, want 1 (%v)", len(list), err)
	}
	s.sameInReplay()
	s.stop()
}
