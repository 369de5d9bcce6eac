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
	ProblemVerify Duration `json:"problem_verify"`
	// ByHand lists priorities whose incidents only people resolve, whatever their alerts do.
	ByHand    []int                   `json:"resolved_by_hand,omitempty"`
	Calendars map[string]CalendarRule `json:"calendars,omitempty"`
	Services  []Service               `json:"services,omitempty"`
	SLAs      []SLA                   `json:"slas,omitempty"`
	Notify    Notify                  `json:"notify"`
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

	slas      []SLA // complete
	services  map[string]*Service
	routes    *route                // nil: whoever delivers knows them
	receivers map[string]bool       // that the routes name
	byRef     map[string][]standing // reference in lower case → services that stand on what it names
}

// NewDesk checks rules and compiles them. The error holds every fault with its path.
func NewDesk(r Rules) (*Desk, error) {
	var l fault.List
	d := &Desk{Rules: r, services: map[string]*Service{}, byRef: map[string][]standing{}}
	var err error
	if d.Calendars, err = NewCalendars(r.Calendars); err != nil {
		if fl := (fault.List)(nil); errors.As(err, &fl) {
			l = append(l, fl...)
		}
	}
	if r.ProblemVerify < 0 {
		l = append(l, fault.Invalidf("problem_verify", "must not be negative"))
	}
	for n, p := range r.ByHand {
		if p < 1 || p > 5 {
			l = append(l, fault.Invalidf(fmt.Sprintf("resolved_by_hand[%d]", n), "want 1 to 5, got %d", p))
		}
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
		for i, ref := range s.CIs {
			if strings.TrimSpace(ref) == "" {
				l = append(l, fault.Invalidf(fmt.Sprintf("%scis[%d]", at, i), "is empty"))
				continue
			}
			key := strings.ToLower(strings.TrimSpace(ref))
			d.byRef[key] = append(d.byRef[key], standing{s.Name, ref})
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
	if r.Notify.Routes != nil {
		root, wrong := r.Notify.Routes.compile("notify.routes")
		d.routes, d.receivers = &root, map[string]bool{}
		root.names(d.receivers)
		l = append(l, wrong...)
	}
	return d, l.Err()
}

// Service returns a configured service, nil if there is none of that name.
func (d *Desk) Service(name string) *Service { return d.services[name] }

// standing is a service, and the reference by which it names an item.
type standing struct{ service, ref string }

// Items is what the desk asks about configuration items, by which the rules' references
// are resolved whenever they are used: an item may appear, or be renamed, at any time.
type Items interface {
	// Resolve returns the id of the one item that a reference names, "" where none or
	// several go by it, which others then lists.
	Resolve(ref string) (id string, others []string)
	// References are the forms, in lower case, in which an item may be named.
	References(id string) []string
}

// ServicesOn returns the configured services that stand on any of the items, in order.
func (d *Desk) ServicesOn(cis []string, items Items) []string {
	if len(d.byRef) == 0 {
		return nil
	}
	var out []string
	for _, ci := range cis {
		for _, form := range items.References(ci) {
			for _, s := range d.byRef[form] {
				n, has := slices.BinarySearch(out, s.service)
				if has {
					continue
				}
				if id, _ := items.Resolve(s.ref); id == ci || id == "" && s.ref == ci {
					out = slices.Insert(out, n, s.service)
				}
			}
		}
	}
	return out
}

// Names says whether the rules name an item.
func (d *Desk) Names(ci string, items Items) bool { return len(d.ServicesOn([]string{ci}, items)) > 0 }

// Text says what is wrong with the reference, for people.
func (u Unresolved) Text() string {
	switch {
	case len(u.Others) > 0:
		return fmt.Sprintf("%s: %q names %d items (%s): give the id of one", u.Field, u.Ref, len(u.Others), strings.Join(u.Others[:min(len(u.Others), 5)], ", "))
	case len(u.Near) > 0:
		return fmt.Sprintf("%s: nothing is called %q yet; did you mean %s?", u.Field, u.Ref, strings.Join(u.Near, " or "))
	}
	return fmt.Sprintf("%s: nothing is called %q yet; it takes effect when something is", u.Field, u.Ref)
}

// Unresolved is a reference of the rules that leads to nothing, or to several items.
type Unresolved struct {
	Of     string   `json:"of"`    // the service or service level that names it
	Field  string   `json:"field"` // its path in the rules
	Ref    string   `json:"ref"`
	Others []string `json:"others,omitempty"` // ids of the items that go by it, where there are several
	Near   []string `json:"near,omitempty"`   // what may have been meant
}

// References are the items that services of the rules stand on, as they are named.
func (r Rules) References() []Unresolved {
	var out []Unresolved
	for n := range r.Services {
		for i, ref := range r.Services[n].CIs {
			out = append(out, Unresolved{Of: r.Services[n].Name, Field: fmt.Sprintf("desk.services[%d].cis[%d]", n, i), Ref: ref})
		}
	}
	return out
}

// Unresolved lists what the rules name and is not there: items of services, and
// services of service levels that known does not know.
func (d *Desk) Unresolved(items Items, known func(service string) bool) []Unresolved {
	var out []Unresolved
	for _, u := range d.Rules.References() {
		if id, others := items.Resolve(u.Ref); id == "" {
			u.Others = others
			out = append(out, u)
		}
	}
	for n := range d.Rules.SLAs {
		for i, name := range d.Rules.SLAs[n].Services {
			if d.services[name] == nil && !known(name) {
				out = append(out, Unresolved{Of: d.Rules.SLAs[n].Name, Field: fmt.Sprintf("desk.slas[%d].services[%d]", n, i), Ref: name})
			}
		}
	}
	return out
}
