package fold

import (
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// Outages: a service is down from the beginning of the first incident on it that is
// grave enough until the last of them is over. One that was measured can be corrected.

// service is a configured service that is down, and because of what.
type service struct {
	Outage string          `json:"outage"`
	Parts  []itsm.Downtime `json:"parts"`
	Told   time.Time       `json:"told,omitzero"` // the beginning, as measured

	// Down and Since are how an earlier version kept it.
	Down  []string  `json:"down,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// grave follows since when the incident is as grave as each priority. What it is from
// its first record on, it was since it began.
func (x *incident) grave(now time.Time) {
	i := &x.Doc
	began := i.Began()
	first := len(x.Points) == 0 || i.Again != nil && i.Again.Equal(now)
	for p := 1; p <= 5; p++ {
		at := &x.Grave[p]
		switch {
		case !i.Live() || i.Priority > p:
			*at = time.Time{}
		case at.IsZero() && first:
			*at = began
		case at.IsZero():
			*at = now
		case at.Equal(x.Began) && began.Before(x.Began): // it began earlier than was known
			*at = began
		}
	}
	x.Began = began
}

// outages follows which configured services an incident keeps down. A person's canceled
// incident was none, and so was its outage.
func (s *State) outages(x *incident, c *itsm.Change) {
	i := &x.Doc
	x.grave(s.now)
	void := i.State == itsm.Canceled && i.MergedInto == ""
	for n := range s.desk.Rules.Services {
		v := &s.desk.Rules.Services[n]
		row := s.services.Get(v.Name)
		var open *itsm.Downtime
		if row != nil {
			if n := slices.IndexFunc(row.Parts, func(p itsm.Downtime) bool { return p.Incident == i.ID && p.To.IsZero() }); n >= 0 {
				open = &row.Parts[n]
			}
		}
		from := x.Grave[v.Least()]
		is := !from.IsZero() && (open != nil || slices.Contains(i.Services, v.Name))
		switch {
		case void:
			if row == nil || !row.without(i.ID) {
				continue
			}
		case is && open == nil:
			if row == nil {
				row = &service{Outage: s.nextID("outage")}
				s.services.Put(v.Name, row)
			}
			row.Parts = append(row.Parts, itsm.Downtime{Incident: i.ID, From: from})
		case is && from.Before(open.From):
			open.From = from
		case is || open == nil:
			continue
		default:
			open.To = later(s.ended(i), open.From)
		}
		s.settleOutage(v, row, c)
	}
	if void && i.ClosedAt != nil && i.ClosedAt.Equal(s.now) {
		s.voidOutages(i.ID, c)
	}
}

// ended is when an incident stopped to keep a service down.
func (s *State) ended(i *itsm.Incident) time.Time {
	switch {
	case i.Live(): // its priority was lowered
		return s.now
	case i.RestoredAt != nil:
		return *i.RestoredAt
	case i.ExpiredAt != nil:
		return *i.ExpiredAt
	}
	return s.now
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// without takes an incident's part out, and says whether it had any.
func (r *service) without(id string) bool {
	n := len(r.Parts)
	r.Parts = slices.DeleteFunc(r.Parts, func(p itsm.Downtime) bool { return p.Incident == id })
	return len(r.Parts) < n
}

// settleOutage measures what is known of an outage after a change.
func (s *State) settleOutage(v *itsm.Service, row *service, c *itsm.Change) {
	s.services.Touch(v.Name)
	from, to, over := itsm.Span(row.Parts)
	switch {
	case len(row.Parts) == 0:
		c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MMoved, Of: v.Name})
		s.services.Delete(v.Name)
	case over:
		down := s.desk.Calendars[v.Hours].Between(from, to)
		for _, m := range []itsm.Measure{{Name: itsm.MServiceFailures, Value: 1}, {Name: itsm.MServiceDowntime, Value: down.Seconds()}} {
			m.Of, m.From, m.Until, m.Outage = v.Name, from, to, row.Outage
			c.Measures = append(c.Measures, m)
		}
		s.keepOutage(&itsm.Outage{ID: row.Outage, Service: v.Name, From: from, Until: to, Parts: row.Parts})
		s.services.Delete(v.Name)
	case !from.Equal(row.Told):
		row.Told = from
		c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MMoved, Of: v.Name, From: from, Outage: row.Outage})
	}
}

// outageKept is how long an outage can be corrected: until a year's report is written.
const outageKept = 400 * 24 * time.Hour

// keepOutage keeps an outage that is over, and forgets those that nobody corrects any more.
func (s *State) keepOutage(o *itsm.Outage) {
	s.over.Put(o.ID, o)
	for _, id := range s.over.Keys() {
		if s.now.Sub(s.over.Get(id).Until) < outageKept {
			break // ids are in the order of time, nearly
		}
		s.over.Delete(id)
	}
}

// passOutages makes what one incident keeps down another's, which took it over.
func (s *State) passOutages(from, into string) {
	for _, name := range s.services.Keys() {
		row := s.services.Get(name)
		if !slices.ContainsFunc(row.Parts, func(p itsm.Downtime) bool { return p.Incident == from }) {
			continue
		}
		had := slices.ContainsFunc(row.Parts, func(p itsm.Downtime) bool { return p.Incident == into && p.To.IsZero() })
		for n := range row.Parts {
			if p := &row.Parts[n]; p.Incident == from {
				p.Incident = into
				if p.To.IsZero() && had {
					p.To = p.From // the other's goes on
				}
			}
		}
		s.services.Touch(name)
	}
}

// voidOutages takes the part of a canceled incident out of outages that are over.
func (s *State) voidOutages(id string, c *itsm.Change) {
	for _, key := range s.over.Keys() {
		o := s.over.Get(key)
		if !slices.ContainsFunc(o.Parts, func(p itsm.Downtime) bool { return p.Incident == id }) {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(o.Parts), func(p itsm.Downtime) bool { return p.Incident == id })
		fix := itsm.Correction{By: itsm.System, At: s.now, Reason: id + " was canceled", None: len(kept) == 0}
		fix.From, fix.Until, _ = itsm.Span(kept)
		c.Measures = append(c.Measures, s.correct(o, fix, kept))
	}
}

// correct notes what an outage was in truth.
func (s *State) correct(o *itsm.Outage, fix itsm.Correction, parts []itsm.Downtime) itsm.Measure {
	o.Parts, o.Corrected = parts, &fix
	s.over.Touch(o.ID)
	m := itsm.Measure{Name: itsm.MCorrected, Of: o.Service, Outage: o.ID, From: fix.From, Until: fix.Until}
	if fix.None {
		m.Result = "none"
	}
	return m
}

// CorrectArgs say what an outage was in truth.
type CorrectArgs struct {
	From   time.Time `json:"from,omitzero"`  // zero: as measured
	Until  time.Time `json:"until,omitzero"` // zero: as measured
	None   bool      `json:"none,omitempty"` // it was no outage
	Reason string    `json:"reason"`
}

func (s *State) runOutage(c *event.Command) (string, any, error) {
	var a CorrectArgs
	if err := strict(c.Args, &a); err != nil {
		return c.ID, nil, err
	}
	o := s.over.Get(c.ID)
	if o == nil {
		for _, name := range s.services.Keys() {
			if s.services.Get(name).Outage == c.ID {
				return c.ID, nil, fault.Conflictf("outage %s of %s is not over: it can be corrected when it is", c.ID, name)
			}
		}
		return c.ID, nil, fault.NotFoundf("outage %q does not exist, or is too old to be corrected", c.ID)
	}
	fix := itsm.Correction{From: a.From, Until: a.Until, None: a.None, Reason: a.Reason, By: c.Actor, At: s.now}
	if fix.From.IsZero() {
		fix.From = o.From
	}
	if fix.Until.IsZero() {
		fix.Until = o.Until
	}
	fix.From, fix.Until = event.Instant(fix.From), event.Instant(fix.Until)
	switch {
	case c.Verb != "correct":
		return c.ID, nil, fault.Invalidf("verb", "want correct, got %q", c.Verb)
	case strings.TrimSpace(a.Reason) == "":
		return c.ID, nil, fault.Invalidf("reason", "say why the figure is another one: it is shown beside it")
	case !fix.None && !fix.From.Before(fix.Until):
		return c.ID, nil, fault.Invalidf("until", "must be later than from (%s)", fix.From.Format(time.RFC3339))
	case !fix.None && fix.Until.After(s.now):
		return c.ID, nil, fault.Invalidf("until", "lies in the future")
	}
	s.measure(MeasureRow{Measure: s.correct(o, fix, o.Parts)})
	return c.ID, o, nil
}

// Outages lists those that are under way and those that can be corrected.
func (s *State) Outages() []itsm.Outage {
	var out []itsm.Outage
	for _, id := range s.over.Keys() {
		out = append(out, *s.over.Get(id))
	}
	for _, name := range s.services.Keys() {
		row := s.services.Get(name)
		from, _, _ := itsm.Span(row.Parts)
		out = append(out, itsm.Outage{ID: row.Outage, Service: name, From: from, Parts: slices.Clone(row.Parts)})
	}
	slices.SortFunc(out, func(a, b itsm.Outage) int { return strings.Compare(b.ID, a.ID) })
	return out
}
