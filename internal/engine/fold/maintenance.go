package fold

import (
	"strings"
	"time"

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
	if c.Verb == "create" {
		return s.plan(a, c.Actor)
	}
	x := s.windows.Get(c.ID)
	if x == nil {
		return c.ID, nil, fault.NotFoundf("maintenance %q does not exist, or is over for long", c.ID)
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
	for _, name := range a.Services {
		if s.desk.Service(name) == nil && len(s.itemsNamed("service", name)) == 0 {
			return "", nil, fault.Invalidf("services", "there is no service %q", name)
		}
	}
	m, ch, err := itsm.Plan("", a, actor, s.now)
	if err != nil {
		return "", nil, err
	}
	m.ID = s.nextID("maintenance")
	s.windows.Put(m.ID, &window{Doc: *m})
	s.commitWindow(m.ID, ch)
	s.cover(m)
	return m.ID, m, nil
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
	if c := x.Doc.Turn(s.now); len(c.Entries) > 0 {
		s.commitWindow(id, c)
		return
	}
	s.windows.Delete(id)
}

// cover tells the correlator what a window covers now.
func (s *State) cover(m *itsm.Maintenance) {
	b := &event.Maintenance{ID: m.ID, StartsAt: m.StartsAt, EndsAt: m.EndsAt, Summary: m.Mark(), Canceled: m.State == itsm.WindowCanceled || m.State == itsm.WindowEnded}
	for _, ci := range m.CIs {
		b.CIs = append(b.CIs, event.Ref{ID: ci})
	}
	for _, name := range m.Services {
		for _, id := range s.itemsNamed("service", name) {
			b.CIs = append(b.CIs, event.Ref{ID: id})
		}
		if v := s.desk.Service(name); v != nil {
			for _, ci := range v.CIs {
				b.CIs = append(b.CIs, event.Ref{ID: ci})
			}
		}
	}
	for _, d := range s.corr.Step(event.Event{Position: s.pos, At: s.now, Kind: event.KindMaintenance}, b) {
		s.decide(d)
	}
}

// suppressed counts an alert that a window kept back. The reason names the window.
func (s *State) suppressed(why string) {
	const n = len("MNT00000000")
	at := strings.Index(why, prefixes["maintenance"])
	if at < 0 || len(why) < at+n {
		return
	}
	if x := s.windows.Get(why[at : at+n]); x != nil {
		x.Doc.Suppressed++
		s.windows.Touch(x.Doc.ID)
		s.emit(PutMaintenance{x.Doc})
	}
}
