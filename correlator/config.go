package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Duration is a time.Duration that JSON writes as Go does ("90s").
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Config is what decisions follow. It is journaled, so that a replay decides by
// the rules that were in force.
type Config struct {
	// SeverityLabel names the label that holds an alert's severity.
	SeverityLabel string `json:"severity_label"`
	// Severities maps label values (lower case) to the four levels, or to none.
	Severities map[string]Severity `json:"severities"`
	// DefaultSeverity is taken where the label is absent or its value unknown.
	DefaultSeverity Severity `json:"default_severity"`
	// ReplicaLabels tell the replicas of one Prometheus apart; alerts that differ
	// only in them are one.
	ReplicaLabels []string `json:"replica_labels"`
	// For is the `for` of rules by alert name, where it is known: startsAt lies
	// that much behind the first symptom.
	For map[string]Duration `json:"for,omitempty"`
	// Hold is the longest that an alert of a severity waits for company before it
	// opens an incident by itself.
	Hold map[Severity]Duration `json:"hold"`
	// HoldDown is how long all alerts of an incident stay clear before it resolves by itself.
	HoldDown Duration `json:"hold_down"`
	// ReopenWindow is how long after resolution a returning alert reopens its incident.
	ReopenWindow Duration `json:"reopen_window"`
	// SameRecordWithin is for how long after the onset of an incident of one alert its
	// later occurrences share the record; 0 gives each a record of its own. It changes
	// no figure: each occurrence counts as opened and as recurring.
	SameRecordWithin Duration `json:"same_record_within"`
	// Expiry is how long a firing alert may go unmentioned by a source that is
	// heard; it must exceed Alertmanager's repeat_interval + group_interval. 0 follows
	// the rhythm of the sender's repeats.
	Expiry Duration `json:"expiry"`
	// LateFiring is how long after a resolve a firing of the same episode is taken
	// for a late duplicate of a high-availability peer rather than a return.
	LateFiring Duration `json:"late_firing"`
	// Watchdogs are alert names whose absence is the signal, beside those that are
	// plainly heartbeats.
	Watchdogs []string `json:"watchdogs"`
	// WatchdogTimeout is how long a heartbeat may be silent; 0 learns it from its rhythm.
	WatchdogTimeout Duration `json:"watchdog_timeout"`
	// MaxOnsetAge bounds how far in the past an onset may lie when an alert is first heard.
	MaxOnsetAge Duration `json:"max_onset_age"`
	// MaxGroup bounds the alerts of one incident; a storm beyond it opens another.
	MaxGroup int `json:"max_group"`
	// ProblemAfter is how many incidents of one signature open a problem, within ProblemWindow.
	ProblemAfter  int      `json:"problem_after"`
	ProblemWindow Duration `json:"problem_window"`
	// Rules decide otherwise than evidence would, in order.
	Rules []Rule `json:"rules,omitempty"`
	// Ignore names signals that are left out of what alerts are weighed by, to
	// measure what each is worth. It is no setting for operation.
	Ignore []string `json:"ignore,omitempty"`
}

// Signals are what alerts are weighed by.
var Signals = []string{"time", "topology", "adjacency", "class", "age", "habit", "promise", "complaint", "split", "views", "changes", "company"}

func (c *Config) ignores(signal string) bool { return slices.Contains(c.Ignore, signal) }

// Severity is an alert's level.
type Severity string

// The levels, gravest first.
const (
	Critical Severity = "critical"
	Major    Severity = "error"
	Warning  Severity = "warning"
	Info     Severity = "info"
	// None is no level: such alerts speak to other programs, and open and join nothing.
	None Severity = "none"
)

// Rank orders severities: 0 is the gravest.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 0
	case Major:
		return 1
	case Warning:
		return 2
	default:
		return 3
	}
}

// DefaultConfig needs no tuning for a common Prometheus installation.
func DefaultConfig() Config {
	return Config{
		SeverityLabel: "severity",
		Severities: map[string]Severity{
			"critical": Critical, "page": Critical, "emergency": Critical, "fatal": Critical, "disaster": Critical, "p1": Critical, "sev1": Critical, "alert": Critical,
			"error": Major, "major": Major, "high": Major, "p2": Major, "sev2": Major, "ticket": Major,
			"warning": Warning, "warn": Warning, "minor": Warning, "medium": Warning, "average": Warning, "p3": Warning, "sev3": Warning,
			"info": Info, "information": Info, "informational": Info, "notice": Info, "low": Info, "debug": Info, "p4": Info, "p5": Info, "sev4": Info,
			"none": None,
		},
		DefaultSeverity: Warning,
		ReplicaLabels:   []string{"replica", "prometheus_replica", "__replica__"},
		Hold: map[Severity]Duration{
			Critical: Duration(30 * time.Second), Major: Duration(60 * time.Second),
			Warning: Duration(24 * time.Hour), Info: Duration(24 * time.Hour),
		},
		HoldDown:         Duration(5 * time.Minute),
		ReopenWindow:     Duration(30 * time.Minute),
		SameRecordWithin: Duration(24 * time.Hour),
		LateFiring:       Duration(5 * time.Minute),
		Watchdogs:        []string{"Watchdog", "DeadMansSwitch", "PrometheusAlertmanagerE2eDeadManSwitch"},
		MaxOnsetAge:      Duration(24 * time.Hour),
		MaxGroup:         500,
		ProblemAfter:     3,
		ProblemWindow:    Duration(30 * 24 * time.Hour),
	}
}

// Validate reports every value that cannot work, by its path.
func (c Config) Validate() error {
	var l fault.List
	positive := func(field string, d Duration) {
		if d <= 0 {
			l = append(l, fault.Invalidf(field, "must be longer than 0s"))
		}
	}
	positive("hold_down", c.HoldDown)
	positive("reopen_window", c.ReopenWindow)
	if c.SameRecordWithin < 0 {
		l = append(l, fault.Invalidf("same_record_within", "must not be negative; 0s gives each occurrence a record of its own"))
	}
	if c.Expiry < 0 {
		l = append(l, fault.Invalidf("expiry", "must not be negative; leave it out to follow the sender's own rhythm"))
	}
	if c.WatchdogTimeout < 0 {
		l = append(l, fault.Invalidf("watchdog_timeout", "must not be negative"))
	}
	positive("max_onset_age", c.MaxOnsetAge)
	if c.MaxGroup < 2 {
		l = append(l, fault.Invalidf("max_group", "must be at least 2, got %d", c.MaxGroup))
	}
	if c.ProblemAfter < 2 {
		l = append(l, fault.Invalidf("problem_after", "must be at least 2, got %d", c.ProblemAfter))
	}
	for n, v := range c.Ignore {
		if !slices.Contains(Signals, v) {
			l = append(l, fault.Invalidf(fmt.Sprintf("ignore[%d]", n), "want one of %s, got %q", strings.Join(Signals, ", "), v))
		}
	}
	for v, s := range c.Severities {
		if s.Rank() == 3 && s != Info && s != None {
			l = append(l, fault.Invalidf("severities."+v, "want critical, error, warning, info or none, got %q", s))
		}
	}
	for s, d := range c.Hold {
		if d < 0 {
			l = append(l, fault.Invalidf("hold."+string(s), "must not be negative"))
		}
	}
	names := map[string]int{}
	for n, r := range c.Rules {
		field := fmt.Sprintf("rules[%d]", n)
		l = append(l, r.validate(field)...)
		if first, twice := names[r.Name]; twice && r.Name != "" {
			l = append(l, fault.Invalidf(field+".name", "%q is the name of rules[%d] too", r.Name, first))
		} else {
			names[r.Name] = n
		}
	}
	return l.Err()
}
