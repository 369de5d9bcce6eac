package itsm

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	_ "time/tzdata" // the same zones on every machine: a replay must not depend on what is installed

	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/watchbill/watchbill/internal/fault"
)

// Duration is a span that JSON writes as Go does; it reads days and weeks too ("30d", "2w", "1h30m").
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

var longSpan = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	m := longSpan.FindStringSubmatch(string(b))
	var v time.Duration
	if m[3] != "" {
		var err error
		if v, err = time.ParseDuration(m[3]); err != nil {
			return fmt.Errorf("want a duration such as 90s, 4h or 30d, got %q", b)
		}
	} else if m[1] == "" && m[2] == "" {
		return fmt.Errorf("want a duration such as 90s, 4h or 30d, got %q", b)
	}
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
		if m[i+1] != "" {
			n, err := strconv.Atoi(m[i+1])
			if err != nil || n > 5000 {
				return fmt.Errorf("duration %q is too long", b)
			}
			v += time.Duration(n) * unit
		}
	}
	*d = Duration(v)
	return nil
}

// CalendarRule says when business is open, in Alertmanager's time interval syntax.
type CalendarRule struct {
	// Zone is an IANA name; intervals with a location of their own keep it.
	Zone string `json:"zone,omitempty"`
	// Open lists the intervals of business; none means around the clock.
	Open []timeinterval.TimeInterval `json:"open,omitempty"`
	// Holidays are dates (2026-12-25, or 12-25 for every year) on which it is closed.
	Holidays []string `json:"holidays,omitempty"`
	// Except lists further intervals in which it is closed.
	Except []timeinterval.TimeInterval `json:"except,omitempty"`
}

// Calendar counts business time. It remembers days that it worked out: use one
// per goroutine.
type Calendar struct {
	rule     CalendarRule
	zone     *time.Location
	holidays map[string]bool
	days     map[int64][]spanOf
}

type spanOf struct{ from, to time.Time }

// Calendars are the configured ones by name; "" is always open.
type Calendars map[string]*Calendar

// NewCalendar checks rule and makes it countable.
func NewCalendar(rule CalendarRule) (*Calendar, error) {
	c := &Calendar{rule: rule, zone: time.UTC, holidays: map[string]bool{}, days: map[int64][]spanOf{}}
	if rule.Zone != "" {
		z, err := time.LoadLocation(rule.Zone)
		if err != nil || rule.Zone == "Local" {
			return nil, fault.Invalidf("zone", "want an IANA zone such as Europe/Berlin, got %q", rule.Zone)
		}
		c.zone = z
	}
	for i, h := range rule.Holidays {
		if _, err := time.Parse("2006-01-02", h); err != nil {
			if _, err := time.Parse("2006-01-02", "2024-"+h); err != nil {
				return nil, fault.Invalidf(fmt.Sprintf("holidays[%d]", i), "want a date such as 2026-12-25, or 12-25 for every year, got %q", h)
			}
		}
		c.holidays[h] = true
	}
	return c, nil
}

// NewCalendars makes all of them; errors name the calendar.
func NewCalendars(rules map[string]CalendarRule) (Calendars, error) {
	out := Calendars{"": nil}
	var l fault.List
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		c, err := NewCalendar(rules[name])
		if err != nil {
			f := fault.Public(err)
			l = append(l, fault.Invalidf("calendars."+name+"."+f.Field, "%s", f.Message))
			continue
		}
		out[name] = c
	}
	return out, l.Err()
}

// always says whether the calendar never closes.
func (c *Calendar) always() bool {
	return c == nil || len(c.rule.Open) == 0 && len(c.holidays) == 0 && len(c.rule.Except) == 0
}

// Midnight is the first instant of a local date. Where the clocks skip midnight, that
// is the instant at which they jump; a date that they skip whole begins where the
// next one does.
func Midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	at := time.Date(y, m, d, 0, 0, 0, 0, zone)
	_, offset := at.Zone()
	shown := time.Unix(at.Unix()+int64(offset), 0).UTC()
	wanted := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	begin, end := at.ZoneBounds()
	switch {
	case shown.Before(wanted): // at lies before the jump
		return end.In(zone)
	case shown.After(wanted):
		return begin.In(zone)
	}
	return at
}

// bounds are the local date that holds t and its first instants and the next one's.
// Dates follow each other without gap: where the clocks go back over midnight, the
// time shown twice belongs to whichever date has begun.
func (c *Calendar) bounds(t time.Time) (from, to, date time.Time) {
	y, m, d := t.In(c.zone).Date()
	from, to = Midnight(y, m, d, c.zone), Midnight(y, m, d+1, c.zone)
	for t.Before(from) {
		d--
		from, to = Midnight(y, m, d, c.zone), from
	}
	for !t.Before(to) {
		d++
		from, to = to, Midnight(y, m, d+1, c.zone)
	}
	return from, to, time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// day returns the open spans of the local date that holds t, and its bounds. Days
// are 23 or 25 hours long when the clocks change; the spans are real time.
func (c *Calendar) day(t time.Time) (spans []spanOf, from, to time.Time) {
	from, to, date := c.bounds(t)
	key := from.Unix()
	if s, ok := c.days[key]; ok {
		return s, from, to
	}
	if !c.holidays[date.Format("2006-01-02")] && !c.holidays[date.Format("01-02")] {
		open := false
		var began time.Time
		for m := from; m.Before(to); m = m.Add(time.Minute) {
			if now := c.minute(m); now != open {
				if open = now; open {
					began = m
				} else {
					spans = append(spans, spanOf{began, m})
				}
			}
		}
		if open {
			spans = append(spans, spanOf{began, to})
		}
	}
	if len(c.days) > 4000 { // bounds the memory; what is dropped is worked out again
		clear(c.days)
	}
	c.days[key] = spans
	return spans, from, to
}

func (c *Calendar) minute(t time.Time) bool {
	t = t.In(c.zone)
	for _, x := range c.rule.Except {
		if x.ContainsTime(t) {
			return false
		}
	}
	if len(c.rule.Open) == 0 {
		return true
	}
	for _, o := range c.rule.Open {
		if o.ContainsTime(t) {
			return true
		}
	}
	return false
}

// Contains says whether t is business time.
func (c *Calendar) Contains(t time.Time) bool {
	if c.always() {
		return true
	}
	spans, _, _ := c.day(t)
	for _, s := range spans {
		if !t.Before(s.from) && t.Before(s.to) {
			return true
		}
	}
	return false
}

// Between counts the business time of [a, b).
func (c *Calendar) Between(a, b time.Time) time.Duration {
	if !a.Before(b) {
		return 0
	}
	if c.always() {
		return b.Sub(a)
	}
	var sum time.Duration
	for t := a; t.Before(b); {
		spans, _, next := c.day(t)
		for _, s := range spans {
			from, to := later(s.from, a), earlier(s.to, b)
			if from.Before(to) {
				sum += to.Sub(from)
			}
		}
		t = next
	}
	return sum
}

// horizon bounds how far ahead a calendar is searched for business time.
const horizon = 3 * 366

// Add returns when d of business time has passed since a; false where the
// calendar does not open for so long that it counts as never.
func (c *Calendar) Add(a time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 || c.always() {
		return a.Add(max(d, 0)), true
	}
	t := a
	for range horizon {
		spans, _, next := c.day(t)
		for _, s := range spans {
			from := later(s.from, a)
			if !from.Before(s.to) {
				continue
			}
			if have := s.to.Sub(from); have < d {
				d -= have
				continue
			}
			return from.Add(d).UTC(), true
		}
		t = next
	}
	return time.Time{}, false
}

// Ends returns when the business time that holds t ends; false where t is not
// business time, or it never ends.
func (c *Calendar) Ends(t time.Time) (time.Time, bool) {
	if c.always() || !c.Contains(t) {
		return time.Time{}, false
	}
	at := t
	for range horizon {
		spans, _, next := c.day(at)
		var end time.Time
		for _, s := range spans {
			if !at.Before(s.from) && at.Before(s.to) {
				end = s.to
			}
		}
		if end.IsZero() {
			return at.UTC(), true
		}
		if end.Before(next) {
			return end.UTC(), true
		}
		at = next
	}
	return time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
