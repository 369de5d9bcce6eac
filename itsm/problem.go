package itsm

import "time"

// ProblemState is a problem's place in its life.
type ProblemState string

const (
	ProblemNew       ProblemState = "new"
	ProblemAssess    ProblemState = "assess"
	ProblemRootCause ProblemState = "root_cause"
	ProblemFix       ProblemState = "fix"
	ProblemResolved  ProblemState = "resolved"
	ProblemClosed    ProblemState = "closed"
)

// Problem is the record of what makes incidents recur.
type Problem struct {
	ID         string       `json:"id"`
	State      ProblemState `json:"state"`
	Title      string       `json:"title"`
	Priority   int          `json:"priority"`
	Signature  string       `json:"signature,omitempty"`
	OpenedBy   string       `json:"opened_by"`
	OpenedAt   time.Time    `json:"opened_at"`
	Why        string       `json:"why,omitempty"`
	KnownError bool         `json:"known_error,omitempty"`
	Workaround string       `json:"workaround,omitempty"`
	RootCause  string       `json:"root_cause,omitempty"`
	Assignee   string       `json:"assignee,omitempty"`
	Incidents  int          `json:"incidents"` // how many; the incidents name their problem
	LastAt     time.Time    `json:"last_incident_at"`
	ResolvedAt *time.Time   `json:"resolved_at,omitempty"`
	ClosedAt   *time.Time   `json:"closed_at,omitempty"`
	Entries    int          `json:"entries"`
}
