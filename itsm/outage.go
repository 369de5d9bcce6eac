package itsm

import (
	"slices"
	"time"
)

// Downtime is an incident's part in an outage of a service.
type Downtime struct {
	Incident string    `json:"incident"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to,omitzero"` // zero: it goes on
}

// Span is from when to when parts keep a service down, and whether all are over.
func Span(parts []Downtime) (from, to time.Time, over bool) {
	over = len(parts) > 0
	for n, p := range parts {
		if n == 0 || p.From.Before(from) {
			from = p.From
		}
		if p.To.After(to) {
			to = p.To
		}
		over = over && !p.To.IsZero()
	}
	return from, to, over
}

// Outage is a time in which a service was down, as measured, and as a person corrected it.
type Outage struct {
	ID        string      `json:"id"`
	Service   string      `json:"service"`
	From      time.Time   `json:"from"`
	Until     time.Time   `json:"until,omitzero"` // zero: it goes on
	Parts     []Downtime  `json:"parts"`
	Corrected *Correction `json:"corrected,omitempty"`
}

// Correction is what an outage was in truth, and who says so.
type Correction struct {
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	None   bool      `json:"none,omitempty"` // it was no outage
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Outages collects when services were down, from the event log. Not safe for
// concurrent use.
type Outages struct {
	over map[string][]down // by service
	open map[string]time.Time
}

// down is an outage that is over: as measured, and as it was in truth.
type down struct {
	id       string
	measured spanOf
	truth    spanOf
	none     bool
}

// NewOutages makes an empty collection.
func NewOutages() *Outages { return &Outages{over: map[string][]down{}, open: map[string]time.Time{}} }

// Take notes one observation.
func (u *Outages) Take(o Observation) {
	switch o.Name {
	case MServiceFailures: // an earlier version measured it at the beginning
		if o.Until.IsZero() {
			u.open[o.Of] = o.From
		}
	case MMoved:
		switch {
		case o.Of == "":
		case o.From.IsZero():
			delete(u.open, o.Of)
		default:
			u.open[o.Of] = o.From
		}
	case MServiceDowntime:
		delete(u.open, o.Of)
		s := spanOf{o.From, o.Until}
		u.over[o.Of] = append(u.over[o.Of], down{id: o.Outage, measured: s, truth: s})
	case MCorrected:
		for n := range u.over[o.Of] {
			if d := &u.over[o.Of][n]; d.id == o.Outage {
				d.truth, d.none = spanOf{o.From, o.Until}, o.Result == "none"
			}
		}
	}
}

// Forget drops what ended before at: no later report may begin earlier.
func (u *Outages) Forget(at time.Time) {
	for k := range u.over {
		u.over[k] = slices.DeleteFunc(u.over[k], func(d down) bool { return d.measured.to.Before(at) && d.truth.to.Before(at) })
	}
}
