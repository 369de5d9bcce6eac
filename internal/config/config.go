// Package config reads the server's configuration file: strict, with defaults,
// and with every error at once, each with its field path. It refuses secrets in
// the file (tokens live in the store) and knows nothing of how values are used.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/internal/fault"
)

// Duration is a span in Prometheus' notation: 30s, 5m, 4h, 30d, 2w, 1y.
type Duration time.Duration

var durationForm = regexp.MustCompile(`^(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?$`)

// ParseDuration reads Prometheus' notation.
func ParseDuration(s string) (Duration, error) {
	if s == "0" {
		return 0, nil
	}
	m := durationForm.FindStringSubmatch(s)
	if s == "" || m == nil {
		return 0, fmt.Errorf("want a duration such as 30s, 5m, 4h or 30d, got %q", s)
	}
	var total time.Duration
	for _, unit := range []struct {
		group int
		each  time.Duration
	}{{2, 365 * 24 * time.Hour}, {4, 7 * 24 * time.Hour}, {6, 24 * time.Hour}, {8, time.Hour}, {10, time.Minute}, {12, time.Second}, {14, time.Millisecond}} {
		if m[unit.group] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[unit.group], 10, 64)
		if err != nil || n > int64(100*365*24*time.Hour/unit.each) {
			return 0, fmt.Errorf("duration %q is too long", s)
		}
		total += time.Duration(n) * unit.each
	}
	return Duration(total), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil {
		// This type of error lets the decoder go on to the mistakes after it.
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*d = v
	return nil
}

// String writes what ParseDuration reads, in its largest whole unit.
func (d Duration) String() string {
	for _, u := range []struct {
		each time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d.Std()%u.each == 0 {
			return strconv.FormatInt(int64(d.Std()/u.each), 10) + u.name
		}
	}
	return strconv.FormatInt(d.Std().Milliseconds(), 10) + "ms"
}

// Std returns the standard library's form.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Config is the file. Every field has a default; an absent file is a valid one.
type Config struct {
	Storage     Storage     `yaml:"storage"`
	Backup      Backup      `yaml:"backup"`
	Ingest      Ingest      `yaml:"ingest"`
	Correlation Correlation `yaml:"correlation"`
	Incidents   Incidents   `yaml:"incidents"`
	Agents      Agents      `yaml:"agents"`
	CMDB        CMDB        `yaml:"cmdb"`
	// Desk holds calendars, services, service levels, and when people are told; its
	// fields are those of itsm.Rules.
	Desk          Section       `yaml:"desk"`
	Notifications Notifications `yaml:"notifications"`
}

// Notifications say how people are told. Without a receivers file nobody is.
type Notifications struct {
	// ReceiversFile has routes, receivers, templates and time intervals in
	// Alertmanager's configuration syntax; relative to this file.
	ReceiversFile string `yaml:"receivers_file"`
	// ExternalURL is where people reach this server, for links in messages.
	ExternalURL string `yaml:"external_url"`
	// HeartbeatURL is called as long as the server is well, for an outside watchdog.
	HeartbeatURL      string   `yaml:"heartbeat_url"`
	HeartbeatInterval Duration `yaml:"heartbeat_interval"`
}

// Storage says how long things are kept.
type Storage struct {
	JournalRetention Duration `yaml:"journal_retention"`
	RecordRetention  Duration `yaml:"record_retention"`
	// FreeSpaceWatermark is the free disk space in MiB below which writes are refused.
	FreeSpaceWatermarkMiB int64 `yaml:"free_space_watermark_mib"`
}

// Backup says where copies of everything go by themselves. Without a directory none do.
type Backup struct {
	// Directory should lie on another disk; a copy on the same one is lost with it.
	Directory string   `yaml:"directory"`
	Every     Duration `yaml:"every"`
	Keep      int      `yaml:"keep"` // how many of the newest stay
}

// Ingest bounds what senders may post.
type Ingest struct {
	MaxBodyMiB int64 `yaml:"max_body_mib"`
	MaxBacklog int   `yaml:"max_backlog"` // undecided events above which 503 is answered
	// Alertmanagers are asked for their silences: what is silenced is not sent.
	Alertmanagers []Prometheus `yaml:"alertmanagers"`
}

// Correlation are the rules of grouping. Absent values keep the built-in ones.
type Correlation struct {
	SeverityLabel    string              `yaml:"severity_label"`
	Severities       map[string]string   `yaml:"severities"`
	DefaultSeverity  string              `yaml:"default_severity"`
	ReplicaLabels    []string            `yaml:"replica_labels"`
	RuleFor          map[string]Duration `yaml:"rule_for"`
	Hold             map[string]Duration `yaml:"hold"`
	HoldDown         *Duration           `yaml:"hold_down"`
	ReopenWindow     *Duration           `yaml:"reopen_window"`
	SameRecordWithin *Duration           `yaml:"same_record_within"`
	Expiry           *Duration           `yaml:"expiry"`
	LateFiring       *Duration           `yaml:"late_firing"`
	Watchdogs        []string            `yaml:"watchdogs"`
	WatchdogTimeout  *Duration           `yaml:"watchdog_timeout"`
	ProblemAfter     *int                `yaml:"problem_after"`
	ProblemWindow    *Duration           `yaml:"problem_window"`
	// Rules decide otherwise than evidence would; docs/rules.md.
	Rules []Rule `yaml:"rules"`
}

// Rule is one of correlation.rules; its fields are those of correlator.Rule.
type Rule struct {
	Name        string    `yaml:"name"`
	Match       []string  `yaml:"match"`
	With        []string  `yaml:"with"`
	NeverGroup  bool      `yaml:"never_group"`
	AlwaysGroup *[]string `yaml:"always_group"`
	Hold        *Hold     `yaml:"hold"`
	Priority    int       `yaml:"priority"`
	Page        string    `yaml:"page"`
}

// Hold is a duration, or "forever".
type Hold struct {
	For     Duration
	Forever bool
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (h *Hold) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "forever" {
		h.Forever = true
		return nil
	}
	return h.For.UnmarshalYAML(n)
}

// Incidents are the rules of the desk.
type Incidents struct {
	AutoClose Duration `yaml:"auto_close"`
	Archive   Duration `yaml:"archive"`
}

// Agents is the schedule that the server gives them.
type Agents struct {
	SampleInterval Duration `yaml:"sample_interval"`
	ReportInterval Duration `yaml:"report_interval"`
	FullInterval   Duration `yaml:"full_interval"`
	StaleAfter     Duration `yaml:"stale_after"`
	GoneAfter      Duration `yaml:"gone_after"`
}

const day = 24 * time.Hour

const (
	// leastWatermarkMiB is what the store's flushes and compactions may take at once.
	leastWatermarkMiB = 128
	// leastRecordsKept is how long the engine can still write to what has ended.
	leastRecordsKept = day
)

// Default is what an absent file means.
func Default() Config {
	return Config{
		Storage:   Storage{JournalRetention: Duration(30 * day), RecordRetention: Duration(2 * 365 * day), FreeSpaceWatermarkMiB: 512},
		Backup:    Backup{Every: Duration(day), Keep: 7},
		Ingest:    Ingest{MaxBodyMiB: 32, MaxBacklog: 2000},
		Incidents: Incidents{AutoClose: Duration(7 * day), Archive: Duration(30 * day)},
		Agents: Agents{
			SampleInterval: Duration(30 * time.Second), ReportInterval: Duration(time.Minute), FullInterval: Duration(6 * time.Hour),
			StaleAfter: Duration(day), GoneAfter: Duration(60 * day),
		},
		Notifications: Notifications{HeartbeatInterval: Duration(time.Minute)},
	}
}

// Load reads the file at path; "" gives the defaults.
func Load(path string) (Config, error) {
	if path == "" {
		return Default(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	c, err := Parse(f)
	if err != nil {
		return c, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// Parse reads a configuration. The error is a fault.List with every mistake, and
// the configuration holds what could be read beside them, so that others can check
// what is theirs of it.
func Parse(r io.Reader) (Config, error) {
	c := Default()
	b, err := io.ReadAll(r)
	if err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	var wrong fault.List
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		wrong = Explain(b, err, sectionName)
		var readable *yaml.TypeError
		if !errors.As(err, &readable) {
			return c, wrong // not YAML: nothing of it was read
		}
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		wrong = append(wrong, fault.Invalidf("", "the file holds more than one document: keep one"))
	}
	var values fault.List
	if errors.As(c.Validate(), &values) {
		for _, v := range values {
			// What could not be read has no value to speak of.
			if !slices.ContainsFunc(wrong, func(f *fault.Error) bool { return f.Field == v.Field }) {
				wrong = append(wrong, v)
			}
		}
	}
	return c, wrong.Err()
}

// sectionName is how people call the part of the file that a type reads.
func sectionName(typ string) string {
	switch typ {
	case "Config":
		return "the top level"
	case "CMDBClass":
		return "cmdb.classes"
	case "CMDBField":
		return "cmdb.classes.fields"
	case "Prometheus":
		return "cmdb.prometheus"
	}
	return strings.ToLower(typ)
}

// Validate reports every value that cannot work.
func (c Config) Validate() error {
	var l fault.List
	bad := func(field, format string, args ...any) { l = append(l, fault.Invalidf(field, format, args...)) }
	if c.Storage.JournalRetention.Std() < time.Hour {
		bad("storage.journal_retention", "must be at least 1h")
	}
	if c.Storage.RecordRetention.Std() < leastRecordsKept {
		bad("storage.record_retention", "must be at least %s: what ended within it can still be written to", Duration(leastRecordsKept))
	}
	if c.Storage.RecordRetention < c.Storage.JournalRetention {
		bad("storage.record_retention", "must not be shorter than storage.journal_retention")
	}
	if c.Storage.FreeSpaceWatermarkMiB < leastWatermarkMiB {
		bad("storage.free_space_watermark_mib", "must be at least %d: the store's own work in the background takes that, and dies where it does not find it", leastWatermarkMiB)
	}
	if c.Backup.Every.Std() < time.Minute {
		bad("backup.every", "must be at least 1m")
	}
	if c.Backup.Keep < 1 {
		bad("backup.keep", "must be at least 1, got %d", c.Backup.Keep)
	}
	if c.Ingest.MaxBodyMiB < 1 || c.Ingest.MaxBodyMiB > 1024 {
		bad("ingest.max_body_mib", "must be 1 to 1024, got %d", c.Ingest.MaxBodyMiB)
	}
	if c.Ingest.MaxBacklog < 10 {
		bad("ingest.max_backlog", "must be at least 10, got %d", c.Ingest.MaxBacklog)
	}
	l = append(l, servers("ingest.alertmanagers", c.Ingest.Alertmanagers)...)
	levels := []string{"critical", "error", "warning", "info"}
	for _, v := range sortedKeys(c.Correlation.Severities) {
		if s := c.Correlation.Severities[v]; s != "none" && !slices.Contains(levels, s) {
			bad("correlation.severities."+v, "want critical, error, warning, info or none, got %q", s)
		}
	}
	if s := c.Correlation.DefaultSeverity; s != "" && !slices.Contains(levels, s) {
		bad("correlation.default_severity", "want critical, error, warning or info, got %q", s)
	}
	for _, s := range sortedKeys(c.Correlation.Hold) {
		if !slices.Contains(levels, s) {
			bad("correlation.hold."+s, "is no severity: want critical, error, warning or info")
		}
	}
	if n := c.Correlation.ProblemAfter; n != nil && *n < 2 {
		bad("correlation.problem_after", "must be at least 2, got %d", *n)
	}
	if d := c.Correlation.SameRecordWithin; d != nil && *d < 0 {
		bad("correlation.same_record_within", "must not be negative; 0s gives each occurrence a record of its own")
	}
	for _, d := range []struct {
		field string
		v     *Duration
	}{
		{"hold_down", c.Correlation.HoldDown}, {"reopen_window", c.Correlation.ReopenWindow}, {"expiry", c.Correlation.Expiry},
		{"late_firing", c.Correlation.LateFiring}, {"watchdog_timeout", c.Correlation.WatchdogTimeout}, {"problem_window", c.Correlation.ProblemWindow},
	} {
		if d.v != nil && *d.v <= 0 {
			bad("correlation."+d.field, "must be longer than 0s")
		}
	}
	for _, d := range []struct {
		field string
		v     Duration
	}{
		{"incidents.auto_close", c.Incidents.AutoClose}, {"incidents.archive", c.Incidents.Archive},
		{"agents.sample_interval", c.Agents.SampleInterval}, {"agents.report_interval", c.Agents.ReportInterval}, {"agents.full_interval", c.Agents.FullInterval},
		{"agents.stale_after", c.Agents.StaleAfter}, {"agents.gone_after", c.Agents.GoneAfter},
	} {
		if d.v.Std() < time.Second {
			bad(d.field, "must be at least 1s")
		}
	}
	if c.Agents.GoneAfter < c.Agents.StaleAfter {
		bad("agents.gone_after", "must not be shorter than agents.stale_after")
	}
	l = append(l, c.CMDB.validate()...)
	for _, u := range []struct{ field, v string }{{"external_url", c.Notifications.ExternalURL}, {"heartbeat_url", c.Notifications.HeartbeatURL}} {
		if x, err := url.Parse(u.v); u.v != "" && (err != nil || x.Host == "" || x.Scheme != "http" && x.Scheme != "https") {
			bad("notifications."+u.field, "want an address such as https://watchbill.example.org, got %q", u.v)
		}
	}
	if c.Notifications.HeartbeatInterval.Std() < 5*time.Second {
		bad("notifications.heartbeat_interval", "must be at least 5s")
	}
	return l.Err()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
