package correlator

import (
	"cmp"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Fate is an alert object's disposition at receipt: each has exactly one.
type Fate string

const (
	FateIncident   Fate = "incident"   // in an incident at once
	FateDuplicate  Fate = "duplicate"  // a repeat of a known episode
	FateResolve    Fate = "resolve"    // ends an episode
	FateSuppressed Fate = "suppressed" // maintenance or change
	FateHeld       Fate = "held"       // waits, with a reason
	FateInvalid    Fate = "invalid"    // could not be read
)

// Fates lists them, for counters that begin at 0.
func Fates() []Fate {
	return []Fate{FateIncident, FateDuplicate, FateResolve, FateSuppressed, FateHeld, FateInvalid}
}

// AlertStatus is what became of a received episode.
type AlertStatus string

const (
	AlertFiring     AlertStatus = "firing"
	AlertResolved   AlertStatus = "resolved"
	AlertExpired    AlertStatus = "expired"    // its source is heard but does not mention it any more; not a recovery
	AlertStale      AlertStatus = "stale"      // its source is silent: nothing is known
	AlertSuperseded AlertStatus = "superseded" // it fired anew: its resolve was lost
)

// Alert is the record of one received episode: (source, fingerprint, startsAt),
// unaltered, with what was decided about it.
type Alert struct {
	ID            string       `json:"id"`
	Source        string       `json:"source"`
	Fingerprint   string       `json:"fingerprint"`
	StartsAt      time.Time    `json:"starts_at"`
	EndsAt        *time.Time   `json:"ends_at,omitempty"`
	Labels        event.Labels `json:"labels"`
	Annotations   event.Labels `json:"annotations,omitempty"`
	GeneratorURL  string       `json:"generator_url,omitempty"`
	Status        AlertStatus  `json:"status"`
	Severity      Severity     `json:"severity"`
	Onset         time.Time    `json:"onset"` // startsAt less the rule's `for`, clamped
	FirstReceived time.Time    `json:"first_received"`
	LastReceived  time.Time    `json:"last_received"`
	Receipts      int          `json:"receipts"`  // as of the last written change
	Canonical     string       `json:"canonical"` // id of the alert that its replicas share
	Binding       *Binding     `json:"binding,omitempty"`
	Fate          Fate         `json:"fate"` // at receipt
	Why           string       `json:"why"`
	FinalFate     Fate         `json:"final_fate,omitempty"` // where a held alert ended
	FinalWhy      string       `json:"final_why,omitempty"`
	EndWhy        string       `json:"end_why,omitempty"` // how it is known that it is over
	Incident      string       `json:"incident,omitempty"`
	AttachedAt    *time.Time   `json:"attached_at,omitempty"`
	Evidence      []Evidence   `json:"evidence,omitempty"` // why it is in its incident
	Clamped       bool         `json:"clamped,omitempty"`  // startsAt lay in the future or too far back
}

// Binding says which configuration item an alert is about, and how that is known.
type Binding struct {
	CI       string `json:"ci"` // id
	Class    string `json:"class"`
	Name     string `json:"name"`
	Label    string `json:"label"`    // the label that named it
	Value    string `json:"value"`    // and its value
	Evidence string `json:"evidence"` // a sentence
	Score    int    `json:"score"`    // 0–100: how surely
	// Everywhere says that the item runs on all machines of a cluster, so that it
	// names no place.
	Everywhere bool `json:"everywhere,omitempty"`
	// Place says that the item is not what the alert is about but where that is: anything
	// in it may be.
	Place bool `json:"place,omitempty"`
}

// Evidence is one reason for a decision, as a sentence and as a number.
type Evidence struct {
	Signal string  `json:"signal"` // "time", "topology", "class", ...
	Text   string  `json:"text"`
	Weight float64 `json:"weight"` // logarithm of odds: a detail for those who ask
}

// Kind is what a reason is in plain words: evidence is of four kinds, and otherwise a
// person's or a rule's word.
func (e Evidence) Kind() string {
	switch e.Signal {
	case "time", "age", "flood":
		return "same time"
	case "topology", "merge", "split":
		return "linked by"
	case "class":
		return "same kind"
	case "habit", "company":
		return "learned from"
	}
	return e.Signal
}

// Cause is a suspected root cause.
type Cause struct {
	CI    string  `json:"ci"`
	Class string  `json:"class"`
	Name  string  `json:"name"`
	Score float64 `json:"score"` // the probability that it is the cause, quantised
	Path  string  `json:"path"`  // why, readable
}

// Grade is how sure a verdict is.
type Grade string

// The grades of a verdict, the surest first.
const (
	GradeCause    Grade = "cause"    // one item is likely the cause
	GradeProbable Grade = "probable" // it is likely one of a few
	GradeUnclear  Grade = "unclear"  // nothing known is likely enough to say so
)

// Verdict says in words what is held of an incident's cause.
type Verdict struct {
	Grade Grade  `json:"grade,omitempty"`
	Text  string `json:"text,omitempty"`
	// Common is what all that alerts has in common, where no cause is named.
	Common string `json:"common,omitempty"`
	// Check is what to look at next, where that would tell more.
	Check string `json:"check,omitempty"`
	// Probability that the cause is among what the text names.
	Probability float64 `json:"probability,omitempty"`
}

// SuspectChange is a change on the path of an incident.
type SuspectChange struct {
	At      time.Time `json:"at"`
	CI      string    `json:"ci"`
	Class   string    `json:"class"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Summary string    `json:"summary"`
	Version string    `json:"version,omitempty"`
}

// Assessment is what the correlator holds of an incident at one moment.
type Assessment struct {
	Title      string          `json:"title"`
	Severity   Severity        `json:"severity"`
	Onset      time.Time       `json:"onset"`
	Impact     int             `json:"impact"`  // 1 high … 3 low
	Urgency    int             `json:"urgency"` // 1 high … 3 low
	Derived    string          `json:"derived"` // how impact and urgency came about
	CIs        []string        `json:"cis,omitempty"`
	Services   []string        `json:"services,omitempty"`
	Causes     []Cause         `json:"causes,omitempty"` // best first; empty abstains
	Verdict    Verdict         `json:"verdict"`
	Changes    []SuspectChange `json:"changes,omitempty"`
	Alerts     int             `json:"alerts"` // received episodes attached
	Active     int             `json:"active"` // of them not ended
	SeenBefore string          `json:"seen_before,omitempty"`
	// Page is PageAlways or PageNever where a rule says so, PageWhy which one.
	Page    string `json:"page,omitempty"`
	PageWhy string `json:"page_why,omitempty"`
}

// Decision is one thing that the correlator decided, in order.
type Decision interface{ decision() }

// AlertDecided is a new or changed alert record. Fate is set when it answers a
// received alert object, and then counts once. Full says that the record is
// complete; otherwise annotations stay as stored, and an empty Why does too.
type AlertDecided struct {
	Alert    Alert
	Fate     Fate
	Full     bool
	Released bool // a held alert left its hold
}

// Onto completes the record with what only the one before it holds.
func (d AlertDecided) Onto(old Alert) Alert {
	a := d.Alert
	if !d.Full {
		a.Annotations, a.GeneratorURL, a.Why = old.Annotations, old.GeneratorURL, cmp.Or(a.Why, old.Why)
	}
	return a
}

// Counted disposes of received alert objects that write no record: repeats.
type Counted struct {
	Fate Fate
	N    int
}

// Quarantined is an alert object that could not be read.
type Quarantined struct {
	Source string
	event.Invalid
}

// IncidentOpened proposes a new incident under an id from the sequence.
type IncidentOpened struct {
	ID         string
	Assessment Assessment
	Why        string
	// Since, where set, is when its first alert was shown, as part of the incident
	// that it was split from: its clocks run from there.
	Since time.Time
}

// IncidentSplit says that alerts of From were found to be another failure and are Into now,
// which was opened before this.
type IncidentSplit struct {
	From, Into string
	Alerts     int // how many left
	Why        string
}

// IncidentChanged carries a new assessment. Text, where set, belongs on the timeline.
type IncidentChanged struct {
	ID         string
	Assessment Assessment
	Text       string
}

// IncidentCleared says that no alert of it is active any more. Recovered is false where
// one of them only expired.
type IncidentCleared struct {
	ID        string
	At        time.Time // when the last alert ended; where one expired, when the last was seen
	Recovered bool
	// After is the last change on what it is about while it went on, if there was one.
	After *SuspectChange
}

// IncidentFiring says that an alert came back before the hold-down was over.
type IncidentFiring struct{ ID string }

// IncidentQuiet says that the hold-down is over; the incident may resolve by itself.
type IncidentQuiet struct {
	ID        string
	Recovered bool
}

// IncidentReturned says that an alert came back within the reopen window after
// resolution, or later as another occurrence that shares the record.
type IncidentReturned struct {
	ID  string
	Why string
	// Onset is when what came back began; zero where that is not known.
	Onset time.Time
	// Anew says that it is an occurrence of its own, which counts as recurring and not
	// as reopened.
	Anew bool
}

// IncidentMerged says that all of From is now part of Into.
type IncidentMerged struct{ From, Into, Why string }

// ProblemOpened groups recurring incidents.
type ProblemOpened struct {
	ID        string
	Title     string
	Signature string
	Incidents []string
	Why       string
}

// ProblemJoined adds an incident to a problem.
type ProblemJoined struct{ ID, Incident, Why string }

func (AlertDecided) decision()     {}
func (Counted) decision()          {}
func (Quarantined) decision()      {}
func (IncidentOpened) decision()   {}
func (IncidentChanged) decision()  {}
func (IncidentCleared) decision()  {}
func (IncidentFiring) decision()   {}
func (IncidentQuiet) decision()    {}
func (IncidentReturned) decision() {}
func (IncidentMerged) decision()   {}
func (IncidentSplit) decision()    {}
func (ProblemOpened) decision()    {}
func (ProblemJoined) decision()    {}
