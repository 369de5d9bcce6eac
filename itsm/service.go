package itsm

import (
	"slices"
	"strings"
	"time"
)

// Service is what the business calls one thing: who owns it, when it must run,
// what it consists of, what is promised.
type Service struct {
	Name  string `json:"name"`
	Owner string `json:"owner,omitempty"`
	Team  string `json:"team,omitempty"`
	// Hours names the calendar of its agreed time; "" is around the clock.
	Hours string   `json:"hours,omitempty"`
	CIs   []string `json:"cis,omitempty"` // ids or class:name of the items that it stands on
	// Availability is the objective, as a share of the agreed time, e.g. 0.999.
	Availability float64 `json:"availability,omitempty"`
	// OutagePriority is the least grave priority at which an incident is an outage; 0 means 2.
	OutagePriority int `json:"outage_priority,omitempty"`
}

// Least is the least grave priority at which an incident is an outage of the service.
func (s *Service) Least() int {
	if s.OutagePriority == 0 {
		return 2
	}
	return s.OutagePriority
}

// Availability is how a service kept up within a report.
type Availability struct {
	Service  string  `json:"service"`
	Agreed   float64 `json:"agreed_seconds"`
	Downtime float64 `json:"downtime_seconds"`
	// Measured is the downtime as the incidents tell it, where people corrected it.
	Measured     *float64 `json:"measured_downtime_seconds,omitempty"`
	Failures     int      `json:"failures"`
	Availability *float64 `json:"availability,omitempty"`
	Objective    float64  `json:"objective,omitempty"`
	MTBF         *float64 `json:"mtbf_seconds,omitempty"`
}

// Sum clips the outages to [from, to): one that spans an edge counts on both
// sides for what lies there. What is still down counts up to the end, or now.
func (u *Outages) Sum(services []Service, from, to time.Time, cal Calendars, now time.Time) []Availability {
	var out []Availability
	to = earlier(to, now)
	for _, s := range services {
		a := Availability{Service: s.Name, Objective: s.Availability}
		c := cal[s.Hours]
		a.Agreed = c.Between(from, to).Seconds()
		var spans, measured []spanOf
		begun := func(at time.Time) {
			if !at.Before(from) && at.Before(to) {
				a.Failures++
			}
		}
		for _, d := range u.over[s.Name] {
			measured = append(measured, d.measured)
			if !d.none {
				spans = append(spans, d.truth)
				begun(d.truth.from)
			}
		}
		if since, ok := u.open[s.Name]; ok {
			spans, measured = append(spans, spanOf{since, to}), append(measured, spanOf{since, to})
			begun(since)
		}
		a.Downtime = union(spans, from, to, c).Seconds()
		if as := union(measured, from, to, c).Seconds(); as != a.Downtime {
			a.Measured = &as
		}
		if a.Agreed > 0 {
			v := 1 - a.Downtime/a.Agreed
			a.Availability = &v
		}
		if a.Failures > 0 {
			v := (a.Agreed - a.Downtime) / float64(a.Failures)
			a.MTBF = &v
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Availability) int { return strings.Compare(a.Service, b.Service) })
	return out
}

// union counts the agreed time that at least one span covers within [from, to).
func union(spans []spanOf, from, to time.Time, c *Calendar) time.Duration {
	slices.SortFunc(spans, func(a, b spanOf) int { return a.from.Compare(b.from) })
	var sum time.Duration
	done := from
	for _, s := range spans {
		begin, end := later(s.from, done), earlier(s.to, to)
		if begin.Before(end) {
			sum += c.Between(begin, end)
			done = end
		}
	}
	return sum
}
