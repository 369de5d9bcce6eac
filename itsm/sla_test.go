package itsm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func desk(t *testing.T, rules string) *Desk {
	t.Helper()
	r := DefaultRules()
	if err := json.Unmarshal([]byte(rules), &r); err != nil {
		t.Fatal(err)
	}
	d, err := NewDesk(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const office = `"calendars": {
	"office": {"zone": "Europe/Berlin", "holidays": ["12-25"], "open": [{"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}]},
	"month_end": {"zone": "Europe/Berlin", "open": [{"days_of_month": ["-3:-1"]}]},
	"nightly": {"zone": "Europe/Berlin", "open": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}
}`

// sheet drives one incident through its life and its clocks as the engine does.
type sheet struct {
	t      *testing.T
	d      *Desk
	i      *Incident
	points []Point
	next   time.Time
	count  map[string]int
	log    []string
	now    time.Time
}

func newSheet(t *testing.T, rules, at string, impact, urgency int) *sheet {
	s := &sheet{t: t, d: desk(t, rules), count: map[string]int{}, now: when(t, at)}
	s.i, _ = Open(Opening{ID: "INC1", Title: "x", Impact: impact, Urgency: urgency, OpenedBy: "ann", Onset: s.now}, s.now)
	s.tick()
	return s
}

func when(t *testing.T, s string) time.Time {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", s, z)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func (s *sheet) tick() {
	var last Point
	if n := len(s.points); n > 0 {
		last = s.points[n-1]
	}
	p := PointOf(s.i, last, s.now)
	if n := len(s.points); n == 0 || !s.points[n-1].Same(p) {
		s.points = append(s.points, p)
	}
	c, next := s.d.Tick(s.i, s.points, p.At.Before(s.now), s.now)
	s.next = next
	for _, m := range c.Measures {
		s.count[m.SLA+" "+m.Result]++
	}
	for _, e := range c.Entries {
		s.log = append(s.log, e.Text)
	}
}

// at goes to a time by way of the deadlines before it.
func (s *sheet) at(at string) *sheet {
	to := when(s.t, at)
	for !s.next.IsZero() && !s.next.After(to) {
		if s.next.Before(s.now) {
			s.t.Fatalf("the deadline %s lies before now, %s", s.next, s.now)
		}
		was := s.next
		s.now = s.next
		s.tick()
		if s.next.Equal(was) {
			s.t.Fatalf("the deadline %s does not pass", was)
		}
	}
	s.now = to
	s.tick()
	return s
}

func (s *sheet) do(at string, v Verb, a Args) *sheet {
	s.at(at)
	if _, err := s.i.Apply(v, a, "ann", s.now); err != nil {
		s.t.Fatal(err)
	}
	s.tick()
	return s
}

func (s *sheet) clock(name string) Clock {
	for _, k := range s.i.Clocks {
		if k.SLA == name {
			return k
		}
	}
	return Clock{}
}

// TestSLATraps is the trap table: what makes service levels wrong elsewhere.
func TestSLATraps(t *testing.T) {
	mend := `{` + office + `, "slas": [{"name": "mend", "clock": "resolution", "target": "16h", "calendar": "office"}]}`
	tiers := `{` + office + `, "slas": [{"name": "fast", "clock": "resolution", "target": "4h", "priorities": [1]}, {"name": "slow", "clock": "resolution", "target": "48h"}]}`
	tests := []struct {
		trap    string
		run     func(t *testing.T) *sheet
		sla     string
		elapsed time.Duration
		result  string
		breach  string // "" none
		counts  string
	}{
		{"a priority change keeps the original start: 5 h old and now urgent is late at once", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 3, 3).do("2026-10-05 13:00", Edit, Args{Impact: 1, Urgency: 1, Reason: "x"})
		}, "fast", 5 * time.Hour, Breached, "2026-10-05 12:00", "map[fast breached:1 slow canceled:1]"},
		{"a priority change within the new target runs on from the original start", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 3, 3).do("2026-10-05 10:00", Edit, Args{Impact: 1, Urgency: 1, Reason: "x"}).do("2026-10-05 11:30", Resolve, Args{})
		}, "fast", 210 * time.Minute, Met, "", "map[fast met:1 slow canceled:1]"},
		{"a priority that flips to and fro is neither restarted nor counted twice", func(t *testing.T) *sheet {
			s := newSheet(t, tiers, "2026-10-05 08:00", 3, 3)
			for _, at := range []string{"08:30", "09:00", "09:30", "10:00"} {
				s.do("2026-10-05 "+at, Edit, Args{Impact: 1, Urgency: 1, Reason: "x"}).do("2026-10-05 "+at, Edit, Args{Impact: 3, Urgency: 3, Reason: "y"})
			}
			return s.do("2026-10-05 12:00", Resolve, Args{})
		}, "slow", 4 * time.Hour, Met, "", "map[fast canceled:1 slow canceled:1 slow met:1]"},
		{"a reopening goes on where the clock stopped and takes the result back", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).do("2026-10-05 11:00", Resolve, Args{}).do("2026-10-06 11:00", Reopen, Args{}).do("2026-10-06 11:30", Resolve, Args{})
		}, "fast", 210 * time.Minute, Met, "", "map[fast met:2 fast withdrawn:1]"},
		{"a reopening that exceeds the target breaches once", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).do("2026-10-05 11:00", Resolve, Args{}).do("2026-10-06 11:00", Reopen, Args{}).do("2026-10-06 14:00", Resolve, Args{})
		}, "fast", 6 * time.Hour, Breached, "2026-10-06 12:00", "map[fast breached:1 fast met:1 fast withdrawn:1]"},
		{"a pause over the weekend is not subtracted from time that did not count", func(t *testing.T) *sheet {
			return newSheet(t, mend, "2026-10-02 16:00", 3, 3).do("2026-10-02 16:30", Hold, Args{Reason: "vendor"}).do("2026-10-05 10:00", Resume, Args{}).do("2026-10-05 11:00", Resolve, Args{})
		}, "mend", 90 * time.Minute, Met, "", "map[mend met:1]"},
		{"a weekend without a pause counts nothing", func(t *testing.T) *sheet {
			return newSheet(t, mend, "2026-10-02 16:00", 3, 3).do("2026-10-05 10:00", Resolve, Args{})
		}, "mend", 2 * time.Hour, Met, "", "map[mend met:1]"},
		{"a hold for a problem is no pause by default", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).do("2026-10-05 09:00", Hold, Args{Reason: "problem"}).at("2026-10-05 13:00")
		}, "fast", 5 * time.Hour, Breached, "2026-10-05 12:00", "map[fast breached:1]"},
		{"the day on which the clocks go back has 25 hours", func(t *testing.T) *sheet {
			return newSheet(t, `{`+office+`, "slas": [{"name": "n", "clock": "resolution", "target": "30h", "calendar": "nightly"}]}`, "2026-10-24 12:00", 3, 3).do("2026-10-26 12:00", Resolve, Args{})
		}, "n", 13 * time.Hour, Met, "", "map[n met:1]"},
		{"the day on which they go forward has 23", func(t *testing.T) *sheet {
			return newSheet(t, `{`+office+`, "slas": [{"name": "n", "clock": "resolution", "target": "30h", "calendar": "nightly"}]}`, "2026-03-28 12:00", 3, 3).do("2026-03-30 12:00", Resolve, Args{})
		}, "n", 11 * time.Hour, Met, "", "map[n met:1]"},
		{"a holiday counts nothing", func(t *testing.T) *sheet {
			return newSheet(t, mend, "2026-12-24 16:00", 3, 3).do("2026-12-28 10:00", Resolve, Args{})
		}, "mend", 2 * time.Hour, Met, "", "map[mend met:1]"},
		{"the last days of a month are found in months of any length", func(t *testing.T) *sheet {
			return newSheet(t, `{`+office+`, "slas": [{"name": "m", "clock": "resolution", "target": "200h", "calendar": "month_end"}]}`, "2026-01-30 12:00", 3, 3).do("2026-03-01 12:00", Resolve, Args{})
		}, "m", 36*time.Hour + 72*time.Hour, Met, "", "map[m met:1]"},
		{"a month's end within business time is no end of the clock", func(t *testing.T) *sheet {
			return newSheet(t, mend, "2026-09-30 16:00", 3, 3).do("2026-10-01 10:00", Resolve, Args{})
		}, "mend", 2 * time.Hour, Met, "", "map[mend met:1]"},
		{"flapping between hold and work neither restarts the clock nor loses time", func(t *testing.T) *sheet {
			s := newSheet(t, tiers, "2026-10-05 08:00", 1, 1)
			for m := 10; m < 60; m += 10 {
				s.do(fmt.Sprintf("2026-10-05 08:%02d", m), Hold, Args{Reason: "caller"}).do(fmt.Sprintf("2026-10-05 08:%02d", m+5), Resume, Args{})
			}
			return s.do("2026-10-05 12:24", Note, Args{Note: "not yet"}).do("2026-10-05 12:26", Resolve, Args{})
		}, "fast", 4*time.Hour + time.Minute, Breached, "2026-10-05 12:25", "map[fast breached:1]"},
		{"a breach counts when it happens, not when somebody looks", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).at("2026-10-05 12:00")
		}, "fast", 4 * time.Hour, Breached, "2026-10-05 12:00", "map[fast breached:1]"},
		{"what is resolved in the last minute is met", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).do("2026-10-05 11:59", Resolve, Args{})
		}, "fast", 239 * time.Minute, Met, "", "map[fast met:1]"},
		{"a canceled incident owes nothing", func(t *testing.T) *sheet {
			return newSheet(t, tiers, "2026-10-05 08:00", 1, 1).do("2026-10-05 09:00", Cancel, Args{}).at("2026-10-07 09:00")
		}, "fast", time.Hour, CanceledClock, "", "map[fast canceled:1]"},
		{"a change of priority after the answer does not judge the answer anew", func(t *testing.T) *sheet {
			rules := `{"slas": [{"name": "q", "clock": "response", "target": "15m", "priorities": [1]}, {"name": "a", "clock": "response", "target": "4h"}]}`
			return newSheet(t, rules, "2026-10-05 08:00", 3, 3).do("2026-10-05 09:00", Acknowledge, Args{}).do("2026-10-05 10:00", Edit, Args{Impact: 1, Urgency: 1, Reason: "x"})
		}, "a", time.Hour, Met, "", "map[a met:1]"},
	}
	for _, x := range tests {
		t.Run(x.trap, func(t *testing.T) {
			s := x.run(t)
			k := s.clock(x.sla)
			breach := ""
			if k.BreachedAt != nil {
				z, _ := time.LoadLocation("Europe/Berlin")
				breach = k.BreachedAt.In(z).Format("2006-01-02 15:04")
			}
			if got := time.Duration(k.Elapsed * float64(time.Second)); got != x.elapsed || k.Result != x.result || breach != x.breach || fmt.Sprint(s.count) != x.counts {
				t.Errorf("elapsed %s, %s, breached %q, counted %v; want %s, %s, %q, %s\n%s", got, k.Result, breach, s.count, x.elapsed, x.result, x.breach, x.counts, strings.Join(s.log, "\n"))
			}
		})
	}
}

func TestSLAWarnsAtItsShares(t *testing.T) {
	s := newSheet(t, `{"slas": [{"name": "fast", "clock": "resolution", "target": "4h"}]}`, "2026-10-05 08:00", 1, 1).at("2026-10-05 20:00")
	want := "fast: 50 % used, 2h of business time left|fast: 75 % used, 1h of business time left|fast: breached after 4h of business time"
	if got := strings.Join(s.log, "|"); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

func TestBadRulesAreNamed(t *testing.T) {
	tests := []struct{ rules, want string }{
		{`{"slas": [{"name": "x", "clock": "resolution", "target": "4h", "start": ["in_progress"], "pause": ["on_hold/vendor"]}]}`, `slas[0].pause[0]: "on_hold/vendor" and the start condition (in_progress) exclude each other`},
		{`{"slas": [{"name": "x", "clock": "resolution", "target": "4h", "start": ["resolved"]}]}`, "slas[0].pause[0]"},
		{`{"slas": [{"name": "x", "clock": "resolution", "target": "4h", "start": ["resolved"], "pause": ["never"]}]}`, "slas[0].start: never holds"},
		{`{"slas": [{"name": "x", "clock": "resolution", "target": "4h", "pause": ["on_hold/lunch"]}]}`, `slas[0].pause[0]: want a state`},
		{`{"slas": [{"name": "x", "clock": "mending", "target": "0s", "calendar": "moon"}]}`, "slas[0].clock: want response"},
		{`{"slas": [{"name": "x", "clock": "mending", "target": "0s", "calendar": "moon"}]}`, `slas[0].calendar: there is no calendar "moon"`},
		{`{"calendars": {"c": {"zone": "Europe/Berlyn"}}}`, "calendars.c.zone: want an IANA zone"},
		{`{"calendars": {"c": {"holidays": ["Xmas"]}}}`, "calendars.c.holidays[0]: want a date"},
		{`{"services": [{"name": "a"}, {"name": "a", "hours": "x"}]}`, `services[1].name: "a" stands twice`},
		{`{"notify": {"escalation": [{"after": ["1s"]}], "limit": -1}}`, "notify.escalation[0].after[0]: want at least 1m"},
		{`{"calendars": {"c": {}}, "notify": {"quiet": {"calendar": "c"}}}`, "notify.quiet.calendar: the calendar \"c\" never closes"},
	}
	for _, x := range tests {
		r := DefaultRules()
		if err := json.Unmarshal([]byte(x.rules), &r); err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s\nsays %v\nwant %s", x.rules, err, x.want)
		}
	}
}

// A replay of any log over any calendar equals a count minute by minute.
func TestReadEqualsCountingMinutes(t *testing.T) {
	d := desk(t, `{`+office+`}`)
	rng := rand.New(rand.NewPCG(3, 5))
	for range 60 {
		cal := d.Calendars[[]string{"", "office", "month_end", "nightly"}[rng.IntN(4)]]
		a := SLA{Name: "x", Clock: ClockResolution, Target: Duration(time.Duration(1+rng.IntN(40)) * time.Hour)}.complete()
		at := when(t, "2026-10-20 00:00").Add(time.Duration(rng.IntN(20000)) * time.Minute)
		var points []Point
		for range 1 + rng.IntN(8) {
			points = append(points, Point{At: at, State: []State{New, InProgress, OnHold, Resolved}[rng.IntN(4)], Hold: HoldVendor})
			at = at.Add(time.Duration(1+rng.IntN(3000)) * time.Minute)
		}
		var elapsed time.Duration
		var breach time.Time
		for n, p := range points {
			end := at
			if n+1 < len(points) {
				end = points[n+1].At
			}
			for m := p.At; m.Before(end); m = m.Add(time.Minute) {
				if (p.State == New || p.State == InProgress) && cal.Contains(m) {
					if elapsed += time.Minute; elapsed >= time.Duration(a.Target) && breach.IsZero() {
						breach = m.Add(time.Minute)
					}
				}
			}
		}
		if r := a.Read(points, cal, at); r.Elapsed != elapsed || !r.BreachAt.Equal(breach) {
			t.Fatalf("%v: elapsed %s, breach %s; minute by minute %s, %s", points, r.Elapsed, r.BreachAt, elapsed, breach)
		}
	}
}

func TestCalendarAddIsTheInverseOfBetween(t *testing.T) {
	d := desk(t, `{`+office+`}`)
	rng := rand.New(rand.NewPCG(1, 9))
	for range 200 {
		cal := d.Calendars[[]string{"office", "month_end", "nightly"}[rng.IntN(3)]]
		a := when(t, "2026-03-01 00:00").Add(time.Duration(rng.IntN(400000)) * time.Minute)
		want := time.Duration(1+rng.IntN(5000)) * time.Minute
		b, ok := cal.Add(a, want)
		if !ok || cal.Between(a, b) != want || cal.Between(a, b.Add(-time.Millisecond)) == want {
			t.Fatalf("%s + %s = %s, between them lie %s", a, want, b, cal.Between(a, b))
		}
	}
	closed, err := NewCalendar(CalendarRule{Except: desk(t, `{`+office+`}`).Rules.Calendars["office"].Open, Open: desk(t, `{`+office+`}`).Rules.Calendars["office"].Open})
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := closed.Add(t0, time.Hour); ok {
		t.Errorf("a calendar that never opens reached %s", at)
	}
}

func TestRulesSurviveTheJournal(t *testing.T) {
	d := desk(t, `{`+office+`, "slas": [{"name": "x", "clock": "response", "target": "1d", "priorities": [1]}], "services": [{"name": "s", "hours": "office"}]}`)
	one, err := json.Marshal(d.Rules)
	if err != nil {
		t.Fatal(err)
	}
	var back Rules
	if err := json.Unmarshal(one, &back); err != nil {
		t.Fatal(err)
	}
	two, _ := json.Marshal(back)
	if string(one) != string(two) {
		t.Errorf("%s\n%s", one, two)
	}
}
