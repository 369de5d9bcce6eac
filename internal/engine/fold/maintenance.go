package fold

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// window is a planned maintenance with its next deadline.
type window struct {
	Doc itsm.Maintenance `json:"doc"`
	Due time.Time        `json:"due,omitzero"`
}

func (s *State) runMaintenance(c *event.Command) (string, any, error) {
	var a itsm.MaintenanceArgs
	if err := strict(c.Args, &a); err != nil {
		return c.ID, nil, err
	}
	x := s.windows.Get(c.ID)
	if x == nil && c.Verb != "create" {
		return c.ID, nil, fault.NotFoundf("maintenance %q does not exist, or is over for long", c.ID)
	}
	cis, err := s.items("cis", a.CIs)
	if err != nil {
		return c.ID, nil, err
	}
	a.CIs = slices.Compact(slices.Sorted(slices.Values(append(cis, a.Matched...))))
	if c.Verb == "create" {
		return s.plan(a, c.Actor)
	}
	ch, err := x.Doc.Apply(itsm.Verb(c.Verb), a, c.Actor, s.now)
	if err != nil {
		return c.ID, nil, err
	}
	s.commitWindow(c.ID, ch)
	s.cover(&x.Doc)
	return c.ID, &x.Doc, nil
}

func (s *State) plan(a itsm.MaintenanceArgs, actor string) (string, any, error) {
	for n, name := range a.Services {
		if err := s.knownService(fmt.Sprintf("services[%d]", n), name); err != nil {
			return "", nil, err
		}
	}
	m, ch, err := itsm.Plan("", a, actor, s.now)
	if err != nil {
		return "", nil, err
	}
	m.ID = s.nextID("maintenance")
	s.windows.Put(m.ID, &window{Doc: *m})
	s.cover(m)
	s.predict(m.ID)
	s.commitWindow(m.ID, ch)
	return m.ID, s.windows.Get(m.ID).Doc, nil
}

// commitWindow emits the record of a window and what a change did to it.
func (s *State) commitWindow(id string, c itsm.Change) {
	x := s.windows.Get(id)
	m := &x.Doc
	for _, e := range c.Entries {
		m.Entries++
		s.emit(TimelineRow{id, m.Entries, s.pos, e})
	}
	at := m.Due()
	if at.IsZero() { // it is forgotten when nobody would correct it any more
		at = s.now.Add(time.Duration(s.rules.Archive))
	}
	s.schedule(dueMaintenance, id, &x.Due, at)
	m.Revision++
	s.windows.Touch(id)
	s.emit(PutMaintenance{*m})
}

func (s *State) windowDue(id string) {
	x := s.windows.Get(id)
	if x.Doc.State == itsm.WindowPlanned {
		s.predict(id) // the topology may have changed since it was planned
	}
	if c := x.Doc.Turn(s.now); len(c.Entries) > 0 {
		s.commitWindow(id, c)
		return
	}
	s.windows.Delete(id)
}

// predict notes which items' alerts the window is expected to suppress: those that
// it covers and what needs them.
func (s *State) predict(id string) {
	m := &s.windows.Get(id).Doc
	all := s.corr.Expected(s.covered(m))
	named := make([]itsm.Awaited, 0, len(all))
	for _, ci := range all {
		named = append(named, itsm.Awaited{CI: ci, Name: s.corr.NameOf(ci)})
	}
	m.Predict(named)
}

// cover tells the correlator what a window covers now.
func (s *State) cover(m *itsm.Maintenance) {
	b := &event.Maintenance{ID: m.ID, StartsAt: m.StartsAt, EndsAt: m.EndsAt, Summary: m.Mark(), Canceled: m.State == itsm.WindowCanceled || m.State == itsm.WindowEnded}
	for _, ci := range s.covered(m) {
		b.CIs = append(b.CIs, event.Ref{ID: ci})
	}
	for _, d := range s.corr.Step(event.Event{Position: s.pos, At: s.now, Kind: event.KindMaintenance}, b) {
		s.decide(d)
	}
}

// covered are the items of a window and of its services.
func (s *State) covered(m *itsm.Maintenance) []string {
	var out []string
	for _, ref := range m.CIs { // earlier versions kept them as they were named
		out = append(out, s.itemOr(ref))
	}
	for _, name := range m.Services {
		out = append(out, s.itemsOfService(name)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// suppressed counts an alert that a window kept back. The reason names the window.
func (s *State) suppressed(a correlator.Alert) {
	why := a.Why
	const n = len("MNT00000000")
	at := strings.Index(why, prefixes["maintenance"])
	if at < 0 || len(why) < at+n {
		return
	}
	if x := s.windows.Get(why[at : at+n]); x != nil {
		item, name := "", ""
		if a.Binding != nil {
			item, name = a.Binding.CI, a.Binding.Name
		}
		x.Doc.Suppress(item, name)
		s.windows.Touch(x.Doc.ID)
		s.emit(PutMaintenance{x.Doc})
	}
}
