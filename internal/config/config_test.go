package config

import (
	"strings"
	"testing"
	"time"
)

func TestEveryMistakeIsToldAtOnceWithItsPath(t *testing.T) {
	_, err := Parse(strings.NewReader(`
storage: {journal_retention: 1m}
ingest: {max_body_mib: 0, max_backlog: 1}
correlation:
  severities: {p0: terrible}
  default_severity: bad
  hold: {urgent: 1s}
  hold_down: 0
  problem_after: 1
notifications: {external_url: "watchbill"}
agents: {report_interval: 1ms}
`))
	if err == nil {
		t.Fatal("taken")
	}
	for _, path := range []string{
		"storage.journal_retention", "ingest.max_body_mib", "ingest.max_backlog", "correlation.severities.p0", "correlation.default_severity",
		"correlation.hold.urgent", "correlation.hold_down", "correlation.problem_after", "notifications.external_url", "agents.report_interval",
	} {
		if !strings.Contains(err.Error(), path+": ") {
			t.Errorf("%s is not told:\n%v", path, err)
		}
	}
}

func TestUnknownFieldsAreRefusedByName(t *testing.T) {
	for text, says := range map[string]string{
		"storag: {}":                        `line 1: unknown field "storag" in the top level`,
		"correlation: {holds: {}}":          `unknown field "holds" in correlation`,
		"correlation: {hold_down: soon}":    "want a duration such as 30s",
		"storage: {}\n---\nstorage: {}":     "more than one document",
		"ingest: {max_body_mib: [1, 2, 3]}": "line 1",
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if _, err := Parse(strings.NewReader("")); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "2w": 336 * time.Hour, "1y": 8760 * time.Hour, "0": 0} {
		if d, err := ParseDuration(s); err != nil || d.Std() != want {
			t.Errorf("%s: %v, %v", s, d.Std(), err)
		}
	}
	for _, s := range []string{"", "5", "m5", "1.5h", "-1h", "999999999999999999999y", "9999y"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q is taken for %v", s, d.Std())
		}
	}
}
