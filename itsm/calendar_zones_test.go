package itsm

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"go.yaml.in/yaml/v3"
)

// zones lists every zone of the time zone database that the Go distribution carries.
func zones(t *testing.T) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return systemZones(t)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return systemZones(t)
	}
	defer z.Close()
	var out []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			out = append(out, f.Name)
		}
	}
	return out
}

func systemZones(t *testing.T) []string {
	t.Helper()
	const table = "/usr/share/zoneinfo/tzdata.zi"
	b, err := os.ReadFile(table)
	if err != nil {
		t.Skip("no list of the time zone database on this machine")
	}
	var out []string
	for _, line := range strings.Split(string(b), "\n") {
		switch f := strings.Fields(line); {
		case len(f) > 1 && f[0] == "Z":
			out = append(out, f[1])
		case len(f) > 2 && f[0] == "L":
			out = append(out, f[2])
		}
	}
	return out
}

func open(t *testing.T, zone, text string) *Calendar {
	t.Helper()
	var in []timeinterval.TimeInterval
	if err := yaml.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	c, err := NewCalendar(CalendarRule{Zone: zone, Open: in})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// In every zone, over thirty years, dates follow each other without gap, each is as
// long as the clocks say, and all of the time of a change of clocks is counted.
func TestDatesOfEveryZoneTileThirtyYears(t *testing.T) {
	begin, end := time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	kinds := map[string]bool{} // changes of clocks that behave alike are counted once
	seen := 0
	for _, name := range zones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen++
		c := open(t, name, `[{times: [{start_time: "00:00", end_time: "24:00"}]}]`)
		days := 0
		for at := begin; at.Before(end); days++ {
			from, to, date := c.bounds(at)
			if from.After(at) || !to.After(at) {
				t.Fatalf("%s: %v lies outside of its date, [%v, %v)", name, at, from, to)
			}
			if y, m, d := at.In(zone).Date(); days > 0 && at.Equal(from) && !date.Equal(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) && to.Sub(from) > 2*time.Hour {
				// The first instant of a date shows that date, but for clocks that go back over it.
				_, was := from.Add(-time.Second).In(zone).Zone()
				if _, is := from.In(zone).Zone(); is >= was {
					t.Errorf("%s: %v begins the date %s", name, from.In(zone), date.Format(time.DateOnly))
				}
			}
			_, before := from.Add(-time.Second).In(zone).Zone()
			if _, after := to.In(zone).Zone(); before != after {
				moved := time.Duration(after-before) * time.Second
				kind := from.In(zone).Format("15:04") + to.In(zone).Format("15:04") + moved.String() + to.Sub(from).String()
				if !kinds[kind] {
					kinds[kind] = true
					a, b := from.Add(-5*time.Hour), to.Add(7*time.Hour)
					if got := c.Between(a, b); got != b.Sub(a) {
						t.Errorf("%s around %s: %v of %v counted", name, date.Format(time.DateOnly), got, b.Sub(a))
					}
					if got, ok := c.Add(a, b.Sub(a)); !ok || !got.Equal(b) {
						t.Errorf("%s around %s: Add leads to %v, want %v", name, date.Format(time.DateOnly), got, b)
					}
				}
			}
			at = to
		}
		if days < 10955 || days > 10960 {
			t.Errorf("%s: %d dates in 30 years", name, days)
		}
	}
	if seen < 400 {
		t.Errorf("only %d zones were looked at", seen)
	}
	t.Logf("%d zones, %d kinds of changes of clocks", seen, len(kinds))
}

// The clocks skip midnight, go back over it, or skip a whole date.
func TestDatesWithoutMidnight(t *testing.T) {
	for _, x := range []struct {
		zone, from, to string
		hours          float64 // of the span, elapsed
		night          float64 // of them between 22:00 and 02:00 by the wall clock
	}{
		{"America/Santiago", "2026-09-05T12:00:00-04:00", "2026-09-06T12:00:00-03:00", 23, 3},
		{"America/Santiago", "2026-04-04T12:00:00-03:00", "2026-04-05T12:00:00-04:00", 25, 5},
		{"America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-04T12:00:00-02:00", 23, 3},
		{"America/Havana", "2026-03-07T12:00:00-05:00", "2026-03-08T12:00:00-04:00", 23, 3},
		{"Pacific/Apia", "2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", 24, 4},
		{"America/St_Johns", "2010-11-06T12:00:00-02:30", "2010-11-07T12:00:00-03:30", 25, 5},
		{"Europe/Berlin", "2026-10-24T12:00:00+02:00", "2026-10-25T12:00:00+01:00", 25, 4},
	} {
		from, _ := time.Parse(time.RFC3339, x.from)
		to, _ := time.Parse(time.RFC3339, x.to)
		whole := open(t, x.zone, `[{times: [{start_time: "00:00", end_time: "24:00"}]}]`)
		night := open(t, x.zone, `[{times: [{start_time: "22:00", end_time: "24:00"}, {start_time: "00:00", end_time: "02:00"}]}]`)
		if got := whole.Between(from, to).Hours(); got != x.hours {
			t.Errorf("%s: %v h elapsed, want %v", x.zone, got, x.hours)
		}
		if got := night.Between(from, to).Hours(); got != x.night {
			t.Errorf("%s: %v h of the night, want %v", x.zone, got, x.night)
		}
		if got, ok := night.Add(from, time.Duration(x.night*float64(time.Hour))); !ok || got.After(to) || got.Before(from) {
			t.Errorf("%s: the night's time is used up at %v", x.zone, got)
		}
		if end, ok := night.Ends(from.Add(11 * time.Hour)); !ok || !slices.Contains([]string{"02:00"}, end.In(whole.zone).Format("15:04")) {
			t.Errorf("%s: the night ends at %v", x.zone, end.In(whole.zone))
		}
	}
}
