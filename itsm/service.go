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

// Outage says whether an incident of priority is an outage of the service.
func (s *Service) Outage(priority int) bool {
	most := s.OutagePriority
	if most == 0 {
		most = 2
	}
	return priority <= most
}

// Availability is how a service kept up within a report.
type Availability struct {
	Service      string   `json:"service"`
	Agreed       float64  `json:"agreed_seconds"`
	Downtime     float64  `json:"downtime_seconds"`
	Failures     int      `json:"failures"`
	Availability *float64 `json:"availability,omitempty"`
	Objective    float64  `json:"objective,omitempty"`
	MTBF         *float64 `json:"mtbf_seconds,omitempty"`
}

// Outages collects when services were down, from the event log. Not safe for
// concurrent use.
type Outages struct {
	spans map[string][]spanOf
	open  map[string]time.Time
	begun map[string][]time.Time
}

// NewOutages makes an empty collection.
func NewOutages() *Outages {
	return &Outages{spans: map[string][]spanOf{}, open: map[string]time.Time{}, begun: map[string][]time.Time{}}
}

// Take notes one observation.
func (u *Outages) Take(o Observation) {
	switch o.Name {
	case MServiceFailures:
		u.open[o.Of] = o.From
		u.begun[o.Of] = append(u.begun[o.Of], o.At)
	case MMoved:
		if o.Of != "" {
			u.open[o.Of] = o.From
		}
	case MServiceDowntime:
		delete(u.open, o.Of)
		u.spans[o.Of] = append(u.spans[o.Of], spanOf{o.From, o.Until})
	}
}

// Forget drops what ended before at: no later report may begin earlier.
func (u *Outages) Forget(at time.Time) {
	for k := range u.spans {
		u.spans[k] = slices.DeleteFunc(u.spans[k], func(s spanOf) bool { return s.to.Before(at) })
	}
	for k := range u.begun {
		u.begun[k] = slices.DeleteFunc(u.begun[k], func(t time.Time) bool { return t.Before(at) })
	}
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
		spans := slices.Clone(u.spans[s.Name])
		if since, ok := u.open[s.Name]; ok {
			spans = append(spans, spanOf{since, to})
		}
		a.Downtime = union(spans, from, to, c).Seconds()
		for _, at := range u.begun[s.Name] {
			if !at.Before(from) && at.Before(to) {
				a.Failures++
			}
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
