package itsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Rules are the desk's configuration. They are journaled, so that a replay
// decides by what was in force; they hold no secret.
type Rules struct {
	// ProblemVerify is how long a resolved problem must not come back before it closes.
	ProblemVerify Duration                `json:"problem_verify"`
	Calendars     map[string]CalendarRule `json:"calendars,omitempty"`
	Services      []Service               `json:"services,omitempty"`
	SLAs          []SLA                   `json:"slas,omitempty"`
	Notify        Notify                  `json:"notify"`
}

// DefaultRules need no tuning: no service levels, and nobody is notified.
func DefaultRules() Rules {
	return Rules{ProblemVerify: Duration(14 * 24 * time.Hour), Notify: DefaultNotify()}
}

// Validate reports every value that cannot work.
func (r Rules) Validate() error {
	_, err := NewDesk(r)
	return err
}

// Desk is a set of rules, checked and ready to decide by. Not safe for
// concurrent use: its calendars remember days.
type Desk struct {
	Rules     Rules
	Calendars Calendars

	slas     []SLA // complete
	services map[string]*Service
	byCI     map[string][]string // item → names of the services that stand on it
}

// NewDesk checks rules and compiles them. The error holds every fault with its path.
func NewDesk(r Rules) (*Desk, error) {
	var l fault.List
	d := &Desk{Rules: r, services: map[string]*Service{}, byCI: map[string][]string{}}
	var err error
	if d.Calendars, err = NewCalendars(r.Calendars); err != nil {
		if fl := (fault.List)(nil); errors.As(err, &fl) {
			l = append(l, fl...)
		}
	}
	if r.ProblemVerify < 0 {
		l = append(l, fault.Invalidf("problem_verify", "must not be negative"))
	}
	for n := range r.Services {
		s := &r.Services[n]
		at := fmt.Sprintf("services[%d].", n)
		switch {
		case strings.TrimSpace(s.Name) == "":
			l = append(l, fault.Invalidf(at+"name", "is missing"))
		case d.services[s.Name] != nil:
			l = append(l, fault.Invalidf(at+"name", "%q stands twice", s.Name))
		}
		if _, ok := r.Calendars[s.Hours]; s.Hours != "" && !ok {
			l = append(l, fault.Invalidf(at+"hours", "there is no calendar %q", s.Hours))
		}
		if s.Availability < 0 || s.Availability >= 1 {
			l = append(l, fault.Invalidf(at+"availability", "want a share of the agreed time such as 0.999, got %g", s.Availability))
		}
		if s.OutagePriority < 0 || s.OutagePriority > 5 {
			l = append(l, fault.Invalidf(at+"outage_priority", "want 1 to 5, got %d", s.OutagePriority))
		}
		d.services[s.Name] = s
		for _, ci := range s.CIs {
			d.byCI[ci] = append(d.byCI[ci], s.Name)
		}
	}
	names := map[string]bool{}
	for n := range r.SLAs {
		a := r.SLAs[n].complete()
		at := fmt.Sprintf("slas[%d].", n)
		l = append(l, a.check(at, r.Calendars)...)
		if names[a.Name] {
			l = append(l, fault.Invalidf(at+"name", "%q stands twice", a.Name))
		}
		names[a.Name] = true
		d.slas = append(d.slas, a)
	}
	l = append(l, r.Notify.check(r.Calendars)...)
	return d, l.Err()
}

// Service returns a configured service, nil if there is none of that name.
func (d *Desk) Service(name string) *Service { return d.services[name] }

// ServicesOn returns the configured services that stand on any of the items, in order.
func (d *Desk) ServicesOn(cis []string) []string {
	var out []string
	for _, ci := range cis {
		for _, s := range d.byCI[ci] {
			if n, has := slices.BinarySearch(out, s); !has {
				out = slices.Insert(out, n, s)
			}
		}
	}
	return out
}
