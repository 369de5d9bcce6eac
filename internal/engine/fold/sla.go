package fold

import (
	"time"

	"github.com/watchbill/watchbill/itsm"
)

// maxPoints bounds an incident's log: beyond it, flapping alerts add nothing to
// it, while people's acts still do.
const maxPoints = 2000

// clocks replays the incident's service levels after a change.
func (s *State) clocks(x *incident, c *itsm.Change) {
	i := &x.Doc
	n := len(x.Points)
	var last itsm.Point
	if n > 0 {
		last = x.Points[n-1]
	}
	p := itsm.PointOf(i, last, s.now)
	corrected := p.At.Before(s.now)
	if n >= maxPoints {
		p.Restored = x.Points[n-1].Restored
	}
	switch {
	case n == 0:
		p.At = i.OpenedAt
		x.Points = append(x.Points, p)
	case !x.Points[n-1].Same(p):
		x.Points = append(x.Points, p)
	}
	if len(s.desk.Rules.SLAs) == 0 {
		x.ClockDue = time.Time{} // levels that were taken away count no more; the record keeps their last state
		return
	}
	ch, next := s.desk.Tick(i, x.Points, corrected, s.now)
	c.Add(ch)
	s.schedule(dueClock, i.ID, &x.ClockDue, next)
}
