package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/cmdb/report"
)

func runWith(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongUsageNamesFlagAndMend(t *testing.T) {
	for _, c := range []struct {
		args []string
		says []string
	}{
		{nil, []string{"--server.url is missing"}},
		{[]string{"--output", "-"}, []string{"--output needs --once"}},
		{[]string{"--no-such-flag"}, []string{"no-such-flag"}},
		{[]string{"--log.level=loud", "--once", "--output=-"}, []string{"--log.level", "debug"}},
		{[]string{"--server.url=nonsense", "--state-dir", t.TempDir()}, []string{"--server.url", "https://"}},
		{[]string{"--server.url=http://127.0.0.1:1", "--tls.ca-file=/x", "--state-dir", t.TempDir()}, []string{"--tls.ca-file", "https"}},
	} {
		code, _, stderr := runWith(t, c.args...)
		if code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", c.args, code, exitUsage)
		}
		for _, s := range append(c.says, "--help") {
			if !strings.Contains(stderr, s) {
				t.Errorf("%v: %q does not say %q", c.args, stderr, s)
			}
		}
	}
}

// What a configuration file says is no mistake of the call: 1, as the server has it.
func TestWrongConfigurationFile(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yml")
	text := "sektions: {}\nsections:\n  nonsense: false\n  host: false\nspool_bytes: 3\nwatch_files: relative\nschedule: {report: 30}\n"
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string][]string{
		"/does/not/exist": {"--config.file"},
		bad:               {`line 1: unknown field "sektions" in the top level`, "sections.nonsense", "sections.host", "spool_bytes", `watch_files: want a list, got "relative" (line 6)`, `schedule.report: "30" is no time span`},
	} {
		code, _, stderr := runWith(t, "--server.url=http://127.0.0.1:1", "--config.file="+file)
		if code != exitFailed {
			t.Errorf("%s: exit code %d, want %d", file, code, exitFailed)
		}
		for _, s := range says {
			if !strings.Contains(stderr, s) {
				t.Errorf("%s: %q does not say %q", file, stderr, s)
			}
		}
		if strings.Contains(stderr, "agent.") || strings.Contains(stderr, "unmarshal") {
			t.Errorf("words of the inside reach the user: %s", stderr)
		}
	}
}

// A variable that is set for the command line must not turn the agent into something else.
func TestVariablesOfTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("WATCHBILL_OUTPUT", "json")
	code, _, stderr := runWith(t, "--once", "--server.url=http://127.0.0.1:1", "--state-dir", filepath.Join(dir, "state"))
	if _, err := os.Stat("json"); err == nil || code != exitFailed || !strings.Contains(stderr, "--token-file") {
		t.Errorf("WATCHBILL_OUTPUT=json: exit code %d, %s, %v", code, stderr, err)
	}
	// The loop does not take it for a flag that it cannot have.
	if f := (flags{ServerURL: "http://127.0.0.1:1"}); true {
		f.sharedOutput()
		if err := f.check(); err != nil {
			t.Error(err)
		}
	}
	t.Setenv("WATCHBILL_OUTPUT", "report.json")
	f := flags{Once: true}
	f.sharedOutput()
	if f.Output != "report.json" {
		t.Errorf("a file in WATCHBILL_OUTPUT: %q", f.Output)
	}
	// The agent's own variable goes before the one that it shares.
	t.Setenv("WATCHBILL_OUTPUT", "")
	t.Setenv("WATCHBILL_CONFIG_FILE", "/of/the/server.yml")
	t.Setenv("WATCHBILL_AGENT_CONFIG_FILE", "/of/the/agent.yml")
	if _, _, stderr := runWith(t, "--server.url=http://127.0.0.1:1"); !strings.Contains(stderr, "/of/the/agent.yml") {
		t.Errorf("read %s", stderr)
	}
}

func TestHelpNamesEveryFlagAndItsVariable(t *testing.T) {
	code, stdout, _ := runWith(t, "--help")
	if code != exitFine {
		t.Errorf("exit code %d", code)
	}
	for _, s := range []string{"--server.url", "--token-file", "--once", "--output", "--state-dir", "--config.file", "--log.level", "--log.format", "--tls.ca-file", "WATCHBILL_SERVER_URL", "WATCHBILL_TLS_CA_FILE"} {
		if !strings.Contains(stdout, s) {
			t.Errorf("help does not name %s", s)
		}
	}
}

func TestFailureToJoinIsExitCodeOne(t *testing.T) {
	code, _, stderr := runWith(t, "--once", "--server.url=http://127.0.0.1:1", "--state-dir", t.TempDir())
	if code != exitFailed || !strings.Contains(stderr, "--token-file") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestPrintsOneWholeReport runs the binary as users do.
func TestPrintsOneWholeReport(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "watchbill-agent")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	config := filepath.Join(t.TempDir(), "agent.yml")
	if err := os.WriteFile(config, []byte("language_packages: false\nsections:\n  cron: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	cmd := exec.Command(binary, "--once", "--output", "-", "--state-dir", state)
	cmd.Env = append(os.Environ(), "WATCHBILL_CONFIG_FILE="+config)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(out, &sections); err != nil {
		t.Fatal(err)
	}
	for _, name := range report.Sections() {
		if raw := string(sections[name]); raw == "" || raw == "null" {
			t.Errorf("section %s is %q", name, raw)
		}
	}
	var r report.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Agent.ID == "" || r.Agent.BootID == "" || r.Host.Hostname == "" || r.OS.Kernel == "" || r.Hardware.MemoryBytes == 0 || len(r.Interfaces) == 0 || len(r.Processes) == 0 {
		t.Errorf("a report without its essentials: %+v %+v %+v", r.Agent, r.Host, r.OS)
	}
	if len(r.Cron) != 0 || len(r.Problems[report.SectionCron]) == 0 {
		t.Error("a section that is switched off is not empty, or does not say so")
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("printing wrote a state directory")
	}
}
