package api

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/itsm"
)

var metricName = regexp.MustCompile(`\bwatchbill_[a-z_]+`)

// Every metric that a rule, a dashboard or a page of the docs names exists; one
// that is spelled wrong would be silent for ever.
func TestDeployedNamesExist(t *testing.T) {
	_, m, _ := decided(t, &month{t: t, end: monthStart, events: []event.Event{event.NewTick(monthStart)}}, 1)
	notify.NewMetrics(m.Registry())
	m.Registry().MustRegister(NewIngestMetrics(collector.New(collector.Options{}).Stats()))
	m.Registry().MustRegister(NewStorageMetrics(func() StorageStatus { return StorageStatus{} }))
	known := gathered(t, m)
	rules, err := os.ReadFile("../deploy/prometheus/watchbill-rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, x := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(string(rules), -1) {
		recorded[x[1]] = true
	}
	for _, file := range []string{"../deploy/prometheus/watchbill-rules.yml", "../deploy/prometheus/watchbill-rules_test.yml", "../deploy/grafana/watchbill.json", "../docs/kpis.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricName.FindAllString(string(text), -1) {
			base := name
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if known[name] == nil && known[base] == nil && base != "watchbill_sla_results_total" {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
		for _, name := range regexp.MustCompile(`\bwatchbill:[a-z0-9_:]+`).FindAllString(string(text), -1) {
			if !recorded[name] {
				t.Errorf("%s names %s, which no rule records", file, name)
			}
		}
	}
	var dashboard struct {
		Panels []struct {
			Title string
			ID    int
		}
	}
	raw, err := os.ReadFile("../deploy/grafana/watchbill.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Errorf("the dashboard has %d panels, %v", len(dashboard.Panels), err)
	}
}

// The docs hold the formula and source of every metric, as the code declares them.
func TestKPIDocsEqualTheCode(t *testing.T) {
	text, err := os.ReadFile("../docs/kpis.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range itsm.Metrics() {
		row := "| `watchbill_" + x.Name + "` | " + x.Formula + " | " + x.Source + " |"
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/kpis.md lacks the row\n%s", row)
		}
	}
}

func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not installed: apt-get install prometheus")
		}
		t.Skip("SKIPPED, NOTHING IS CHECKED: promtool is not installed (apt-get install prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "watchbill-rules.yml"}, {"test", "rules", "watchbill-rules_test.yml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = filepath.Join("..", "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
