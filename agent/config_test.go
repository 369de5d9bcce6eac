package agent_test

import (
	"os"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/config"
)

// TestDocumentedConfigurationLoads holds the example of the manual to the parser.
func TestDocumentedConfigurationLoads(t *testing.T) {
	manual, err := os.ReadFile("../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(manual), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the manual has no example")
	}
	c, err := agent.ParseConfig([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if off := c.Off(); len(off) != 1 || off[0] != "cron" || c.OwnSchedule() != agent.DefaultSchedule() || c.Mesh.Site != "fra1" || len(c.Mesh.Join) != 2 {
		t.Errorf("%+v", c)
	}
}

// What an agent does before a server has spoken is what a server tells it by
// default: weighed is that one schedule.
func TestServersAndAgentsAgreeOnTheDefaultSchedule(t *testing.T) {
	a := config.Default().Agents
	seconds := func(d config.Duration) int { return int(d.Std().Seconds()) }
	server := report.Schedule{SampleSeconds: seconds(a.SampleInterval), ReportSeconds: seconds(a.ReportInterval), FullSeconds: seconds(a.FullInterval)}
	if server != agent.DefaultSchedule() {
		t.Errorf("the server's is %+v, the agent's %+v", server, agent.DefaultSchedule())
	}
}

func TestWrongConfigurationNamesEveryField(t *testing.T) {
	_, err := agent.ParseConfig([]byte("sections: {nope: false, agent: false}\nwatch_files: [x]\nspool_bytes: 1\nmesh: {site: a, join: [nowhere]}\n"))
	for _, field := range []string{"sections.nope", "sections.agent", "watch_files[0]", "spool_bytes", "mesh.key_file", "mesh.join[0]"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	for text, says := range map[string]string{"schedule: {report: 30}\n": "30s", "schedule: {sample: -5s}\n": "time span", "mesh: {key_file: /x}\n": "mesh.site", "spool: 7\n": "spool", "a: [": "YAML"} {
		if _, err := agent.ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v does not say %q", text, err, says)
		}
	}
	if c, err := agent.ParseConfig(nil); err != nil || c.OwnSchedule().ReportSeconds != 0 || len(c.Off()) != 0 {
		t.Errorf("an empty file: %+v %v", c, err)
	}
}
