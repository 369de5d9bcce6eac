package fold

import (
	"encoding/json"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// Effect is one thing that a step wants done, with the position of the event
// that caused it: no record exists without a cause in the journal.
type Effect struct {
	Cause uint64
	Body  Body
}

// Body is one of the effects below.
type Body interface{ effect() }

// PutAlert writes an alert record. Where Full is false the stored annotations
// and generator URL stay, and an empty Why leaves the stored one: memory does not
// hold them.
type PutAlert struct {
	Alert correlator.Alert
	Full  bool
}

// Onto completes the record with what only the one before it holds.
func (p PutAlert) Onto(old correlator.Alert) correlator.Alert {
	return correlator.AlertDecided{Alert: p.Alert, Full: p.Full}.Onto(old)
}

// PutIncident writes an incident record.
type PutIncident struct{ Incident itsm.Incident }

// PutProblem writes a problem record.
type PutProblem struct{ Problem itsm.Problem }

// PutMaintenance writes a maintenance window.
type PutMaintenance struct{ Maintenance itsm.Maintenance }

// PutReview writes a post-incident review as a person finished it.
type PutReview struct{ Review itsm.Review }

// TimelineRow is one line of a record's timeline.
type TimelineRow struct {
	Record   string `json:"record"`
	Seq      int    `json:"seq"` // from 1, without gaps
	Position uint64 `json:"position"`
	itsm.Entry
}

// AuditRow is one privileged act: who did what to which record, and its outcome.
type AuditRow struct {
	Position uint64          `json:"position"`
	At       time.Time       `json:"at"`
	Actor    string          `json:"actor"`
	Remote   string          `json:"remote,omitempty"`
	Verb     string          `json:"verb"`
	Kind     string          `json:"kind"`
	Record   string          `json:"record,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"`
	Refused  string          `json:"refused,omitempty"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
}

// MeasureRow is one observation of the event log that KPIs are computed from.
type MeasureRow struct {
	Position uint64    `json:"position"`
	Seq      int       `json:"seq"` // within the position
	At       time.Time `json:"at"`
	Record   string    `json:"record,omitempty"` // the incident or problem
	Priority int       `json:"priority,omitempty"`
	Services []string  `json:"services,omitempty"`
	Team     string    `json:"team,omitempty"`
	itsm.Measure
}

// Observation is the row as KPIs read it.
func (m MeasureRow) Observation() itsm.Observation {
	return itsm.Observation{At: m.At, Record: m.Record, Priority: m.Priority, Services: m.Services, Team: m.Team, Measure: m.Measure}
}

// PutTeaching writes what a person taught, or that it was used or withdrawn.
type PutTeaching struct{ Teaching correlator.Teaching }

// PutHour writes how many alerts an hour brought, so far.
type PutHour struct{ Hour itsm.Hour }

// QuarantineRow keeps an alert object that could not be read, and why.
type QuarantineRow struct {
	Position uint64    `json:"position"`
	Seq      int       `json:"seq"`
	At       time.Time `json:"at"`
	Source   string    `json:"source"`
	Reason   string    `json:"reason"`
	Raw      string    `json:"raw"` // as received, at most 64 KiB
}

// Message is something that leaves the process, through the outbox.
type Message struct {
	Position uint64          `json:"position"`
	Seq      int             `json:"seq"`
	At       time.Time       `json:"at"`
	Topic    string          `json:"topic"` // "incident.opened", ...
	Record   string          `json:"record"`
	To       []string        `json:"to,omitempty"` // receivers; empty: whom the routes name
	Body     json.RawMessage `json:"body,omitempty"`
}

// Answer is the outcome of the command at Cause.
type Answer struct {
	Record string          // id of what the command made or changed
	Result json.RawMessage // its document
	Err    *fault.Error    // set: the command was refused
}

// Unreadable says that an event could not be decoded; it is logged and counted.
type Unreadable struct {
	Kind event.Kind
	Err  error
}

func (PutAlert) effect()       {}
func (PutIncident) effect()    {}
func (PutProblem) effect()     {}
func (TimelineRow) effect()    {}
func (AuditRow) effect()       {}
func (MeasureRow) effect()     {}
func (PutMaintenance) effect() {}
func (PutReview) effect()      {}
func (PutTeaching) effect()    {}
func (PutHour) effect()        {}
func (QuarantineRow) effect()  {}
func (Message) effect()        {}
func (Answer) effect()         {}
func (Unreadable) effect()     {}
