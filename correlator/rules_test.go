package correlator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// table plays alerts into a correlator and looks at where they are.
type table struct {
	t         *testing.T
	s         *correlator.State
	now       time.Time
	pos       uint64
	seq       map[string]int
	alerts    map[string]correlator.Alert // by alertname and item
	open      map[string]correlator.Assessment
	whys      map[string]string // of openings
	teachings map[string]correlator.Teaching
}

func newTable(t *testing.T, rules ...correlator.Rule) *table {
	t.Helper()
	cfg := correlator.DefaultConfig()
	cfg.Rules = rules
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	d := &table{t: t, seq: map[string]int{}, alerts: map[string]correlator.Alert{}, open: map[string]correlator.Assessment{}, whys: map[string]string{}, teachings: map[string]correlator.Teaching{}, now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}
	d.s = correlator.New(cfg, func(kind string) string {
		d.seq[kind]++
		return fmt.Sprintf("%s%d", kind, d.seq[kind])
	})
	for _, b := range estate(12) {
		d.step(b)
	}
	return d
}

func (d *table) step(b event.Body) {
	d.pos++
	d.take(d.s.Step(event.Event{Position: d.pos, At: d.now, Source: "am"}, b))
}

func (d *table) take(ds []correlator.Decision) {
	for _, x := range ds {
		switch x := x.(type) {
		case correlator.AlertDecided:
			d.alerts[key(x.Alert.Labels)] = x.Onto(d.alerts[key(x.Alert.Labels)])
		case correlator.IncidentOpened:
			d.open[x.ID], d.whys[x.ID] = x.Assessment, x.Why
		case correlator.IncidentChanged:
			d.open[x.ID] = x.Assessment
		case correlator.IncidentMerged:
			delete(d.open, x.From)
		case correlator.IncidentQuiet:
			d.s.Resolved(x.ID, d.now)
			d.s.Closed(x.ID, d.now)
		case correlator.TeachingChanged:
			d.teachings[x.Teaching.ID] = x.Teaching
		}
	}
}

func key(l event.Labels) string {
	return l.Get("alertname") + "@" + l.Get("instance") + l.Get("service_name")
}

// wait works off what is due within d.
func (d *table) wait(span time.Duration) {
	to := d.now.Add(span)
	for {
		at, ok := d.s.NextDeadline()
		if !ok || at.After(to) {
			break
		}
		d.now = at
		d.step(&event.Tick{})
	}
	d.now = to
}

// alert fires, or ends where it is marked, one alert: "Down@host-1 critical team=web".
func (d *table) alert(status event.Status, text string) correlator.Alert {
	d.t.Helper()
	words := strings.Fields(text)
	name, item, _ := strings.Cut(words[0], "@")
	m := map[string]string{"alertname": name, "severity": words[1]}
	if strings.HasPrefix(item, "svc") {
		m["service_name"] = item
	} else {
		m["instance"] = item
	}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		m[k] = v
	}
	l := event.LabelsFrom(m)
	a := event.Alert{Status: status, Labels: l, Fingerprint: fmt.Sprint(l), StartsAt: d.now}
	if status == event.Resolved {
		a.StartsAt, a.EndsAt = d.alerts[key(l)].StartsAt, d.now
	}
	d.step(&event.Notification{Alerts: []event.Alert{a}})
	return d.alerts[key(l)]
}

func (d *table) fire(text string) correlator.Alert { d.t.Helper(); return d.alert(event.Firing, text) }

// end resolves the alerts and lets their incidents be over.
func (d *table) end(texts ...string) {
	for _, text := range texts {
		d.alert(event.Resolved, text)
	}
	d.wait(8 * time.Hour)
}

func (d *table) where(k string) string { return d.alerts[k].Incident }

func TestRulesDecideOtherwise(t *testing.T) {
	hold := func(d time.Duration) *correlator.Duration { x := correlator.Duration(d); return &x }
	forever := correlator.Forever
	// A database, what runs it, and what needs it: without rules one incident.
	storm := func(d *table) {
		for _, a := range []string{"DiskFull@host-0 critical team=dba", "Down@svc-0 critical team=web", "Slow@svc-1 warning team=web"} {
			d.fire(a)
			d.wait(5 * time.Second)
		}
		d.wait(3 * time.Minute)
	}
	t.Run("without rules it is one incident", func(t *testing.T) {
		d := newTable(t)
		storm(d)
		if a, b := d.where("DiskFull@host-0"), d.where("Down@svc-0"); a == "" || a != b {
			t.Fatalf("%q and %q: the other cases show nothing", a, b)
		}
	})
	t.Run("never group", func(t *testing.T) {
		d := newTable(t, correlator.Rule{Name: "disks", Match: []string{`alertname="DiskFull"`}, NeverGroup: true})
		storm(d)
		if a, b := d.where("DiskFull@host-0"), d.where("Down@svc-0"); a == b || a == "" {
			t.Errorf("DiskFull is in %q, Down in %q", a, b)
		}
		if why := d.alerts["Down@svc-0"].Why; !strings.Contains(why, `rule "disks"`) {
			t.Errorf("the reason does not name the rule: %s", why)
		}
	})
	t.Run("never group with others", func(t *testing.T) {
		d := newTable(t, correlator.Rule{Name: "apart", Match: []string{"team=dba"}, With: []string{"ci=~svc-.*", "team!=dba"}, NeverGroup: true})
		storm(d)
		if a, b, c := d.where("DiskFull@host-0"), d.where("Down@svc-0"), d.where("Slow@svc-1"); a == b || b != c && c != "" {
			t.Errorf("%q %q %q", a, b, c)
		}
	})
	t.Run("always group", func(t *testing.T) {
		d := newTable(t, correlator.Rule{Name: "team", Match: []string{"shift=~.+"}, AlwaysGroup: []string{"shift"}})
		for _, a := range []string{"Third@host-9 warning shift=d", "Odd@host-1 warning shift=n", "Other@svc-4 warning shift=n"} {
			d.wait(40 * time.Minute)
			d.fire(a)
		}
		a := d.alerts["Other@svc-4"]
		if !strings.Contains(a.Why+fmt.Sprint(a.Evidence), `rule "team"`) {
			t.Errorf("the reason does not name the rule: %s %v", a.Why, a.Evidence)
		}
		d.wait(9 * time.Hour)
		if x, y, z := d.where("Odd@host-1"), d.where("Other@svc-4"), d.where("Third@host-9"); x == "" || x != y || z == x {
			t.Errorf("%q %q %q", x, y, z)
		}
	})
	t.Run("hold", func(t *testing.T) {
		d := newTable(t,
			correlator.Rule{Name: "at once", Match: []string{"alertname=Page"}, Hold: hold(0)},
			correlator.Rule{Name: "later", Match: []string{"alertname=Late"}, Hold: hold(20 * time.Minute)},
			correlator.Rule{Name: "never alone", Match: []string{"alertname=Quiet"}, Hold: &forever},
		)
		if a := d.fire("Page@host-1 info"); a.Incident == "" || !strings.Contains(a.Why, `rule "at once"`) {
			t.Errorf("held: %s", a.Why)
		}
		late, quiet := d.fire("Late@host-7 critical"), d.fire("Quiet@host-10 critical")
		if !strings.Contains(late.Why, "waits up to 20m") || !strings.Contains(quiet.Why, "opens no incident by itself") {
			t.Errorf("%s; %s", late.Why, quiet.Why)
		}
		d.wait(19 * time.Minute)
		if in := d.where("Late@host-7"); in != "" {
			t.Errorf("opened %s before its time", in)
		}
		d.wait(10 * time.Hour)
		if d.where("Late@host-7") == "" || d.where("Quiet@host-10") != "" {
			t.Errorf("after their time: %q, %q", d.where("Late@host-7"), d.where("Quiet@host-10"))
		}
	})
	t.Run("priority and page", func(t *testing.T) {
		for p := 1; p <= 5; p++ {
			d := newTable(t,
				correlator.Rule{Name: "grave", Match: []string{"alertname=Down"}, Priority: p, Page: correlator.PageAlways},
				correlator.Rule{Name: "silent", Match: []string{"team=web"}, Page: correlator.PageNever},
			)
			d.fire("Down@svc-0 critical")
			d.fire("Slow@svc-0 critical team=web")
			d.wait(time.Minute)
			a := d.open[d.where("Down@svc-0")]
			if a.Impact+a.Urgency-1 != p || a.Impact < 1 || a.Impact > 3 || a.Urgency < 1 || a.Urgency > 3 || a.Derived != fmt.Sprintf(`priority %d by rule "grave"`, p) {
				t.Errorf("priority %d: impact %d, urgency %d, %s", p, a.Impact, a.Urgency, a.Derived)
			}
			if a.Page != correlator.PageAlways || a.PageWhy != `rule "grave"` {
				t.Errorf("page %q by %s", a.Page, a.PageWhy)
			}
		}
	})
}

func TestRulesAreValidatedByPath(t *testing.T) {
	cfg := correlator.DefaultConfig()
	cfg.Rules = []correlator.Rule{
		{Name: "a", Match: []string{"alertname=Down", `team=~"("`}, NeverGroup: true},
		{Name: "a", Match: []string{"x=y"}, Page: "perhaps", Priority: 6},
		{Match: nil},
		{Name: "c", Match: []string{"x"}, With: []string{"b=c"}, Hold: new(correlator.Duration)},
		{Name: "d", Match: []string{"x=y"}, NeverGroup: true, AlwaysGroup: []string{}},
	}
	var l fault.List
	if !errors.As(cfg.Validate(), &l) {
		t.Fatal("nothing was found")
	}
	var got []string
	for _, f := range l {
		got = append(got, f.Field)
	}
	want := []string{"rules[0].match[1]", "rules[1].name", "rules[1].page", "rules[1].priority", "rules[2].name", "rules[2].match", "rules[2]", "rules[3].match[0]", "rules[3].with", "rules[4].always_group"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTeachings(t *testing.T) {
	pair := []string{"DiskFull@host-0 critical", "Down@svc-0 critical"}
	both := func(d *table) (string, string) {
		for _, a := range pair {
			d.fire(a)
			d.wait(5 * time.Second)
		}
		d.wait(time.Minute)
		return d.where("DiskFull@host-0"), d.where("Down@svc-0")
	}
	teach := func(d *table, l correlator.Lesson) correlator.Teaching {
		d.t.Helper()
		l.By = "ann"
		x, ds, err := d.s.Teach(l, d.now)
		if err != nil {
			d.t.Fatal(err)
		}
		d.take(ds)
		return x
	}
	withdraw := func(d *table, id string) {
		d.t.Helper()
		_, ds, err := d.s.Withdraw(id, "bob", d.now)
		if err != nil {
			d.t.Fatal(err)
		}
		d.take(ds)
		if _, _, err := d.s.Withdraw(id, "bob", d.now); err == nil {
			d.t.Error("it was withdrawn twice")
		}
	}
	t.Run("not related", func(t *testing.T) {
		d := newTable(t)
		if a, b := both(d); a != b || a == "" {
			t.Fatalf("%q and %q", a, b)
		}
		x := teach(d, correlator.Lesson{Kind: correlator.NotRelated, Alert: d.alerts["Down@svc-0"].ID})
		if a, b := d.where("DiskFull@host-0"), d.where("Down@svc-0"); a == b || b == "" {
			t.Errorf("it stays: %q, %q", a, b)
		}
		d.end(pair...)
		if a, b := both(d); a == b || a == "" {
			t.Errorf("the next time they are grouped again: %q, %q", a, b)
		}
		if why := d.alerts["Down@svc-0"].Why; !strings.Contains(why, x.ID+", taught by ann") {
			t.Errorf("the reason does not name the teaching: %s", why)
		}
		if u := d.teachings[x.ID]; u.Uses == 0 || u.LastUsed == nil {
			t.Errorf("its use is not counted: %+v", u)
		}
		d.end(pair...)
		withdraw(d, x.ID)
		if a, b := both(d); a != b || a == "" {
			t.Errorf("withdrawn, and they are still apart: %q, %q", a, b)
		}
	})
	t.Run("always page", func(t *testing.T) {
		d := newTable(t)
		a := d.fire("Slow@svc-3 warning")
		if a.Fate != correlator.FateHeld {
			t.Fatalf("fate %s", a.Fate)
		}
		x := teach(d, correlator.Lesson{Kind: correlator.AlwaysPage, Alert: a.ID})
		in := d.where("Slow@svc-3")
		if in == "" || d.open[in].Page != correlator.PageAlways || !strings.Contains(d.whys[in], x.ID) {
			t.Errorf("in %q, page %q, opened because %s", in, d.open[in].Page, d.whys[in])
		}
		d.end("Slow@svc-3 warning")
		if a = d.fire("Slow@svc-3 warning"); a.Incident == "" {
			t.Errorf("held again: %s", a.Why)
		}
		d.wait(2 * time.Hour)
		if a = d.fire("Slow@svc-4 warning"); a.Fate != correlator.FateHeld {
			t.Errorf("another item's is not held: %s", a.Why)
		}
		d.end("Slow@svc-3 warning", "Slow@svc-4 warning")
		withdraw(d, x.ID)
		if a = d.fire("Slow@svc-3 warning"); a.Fate != correlator.FateHeld || d.alerts["Slow@svc-3"].Incident != "" {
			t.Errorf("withdrawn, and not held: %s", a.Why)
		}
	})
	far := []string{"Odd@host-1 critical", "Other@host-10 critical"}
	apart := func(d *table) (string, string) {
		for _, a := range far {
			d.fire(a)
			d.wait(20 * time.Minute)
		}
		return d.where("Odd@host-1"), d.where("Other@host-10")
	}
	t.Run("merge teaches", func(t *testing.T) {
		for _, teaches := range []bool{true, false} {
			d := newTable(t)
			a, b := apart(d)
			if a == b || a == "" || b == "" {
				t.Fatalf("%q and %q", a, b)
			}
			by := ""
			if teaches {
				by = "ann"
			}
			d.take(d.s.Merge(b, a, by, d.now))
			if x, y := d.where("Odd@host-1"), d.where("Other@host-10"); x != y {
				t.Fatalf("not merged: %q, %q", x, y)
			}
			d.end(far...)
			if a, b = apart(d); (a == b) != teaches {
				t.Errorf("taught %v: %q, %q", teaches, a, b)
			}
			if !teaches {
				if len(d.s.Teachings()) > 0 {
					t.Error("it taught")
				}
				continue
			}
			x := d.s.Teachings()[0]
			if !strings.HasPrefix(x.From, "merge ") || !strings.Contains(fmt.Sprint(d.alerts["Other@host-10"].Evidence), x.ID) {
				t.Errorf("from %q, evidence %v", x.From, d.alerts["Other@host-10"].Evidence)
			}
		}
	})
	t.Run("split teaches, and what is taught later counts", func(t *testing.T) {
		d := newTable(t)
		a, _ := both(d)
		to, ds, err := d.s.Split(a, []string{d.alerts["Down@svc-0"].ID}, "ann", d.now)
		if err != nil {
			t.Fatal(err)
		}
		d.take(ds)
		d.end(pair...)
		if a, b := both(d); a == b {
			t.Errorf("the next time they are grouped again in %q; split made %s", a, to)
		}
		x := d.s.Teachings()
		if len(x) != 1 || x[0].Kind != correlator.NotRelated {
			t.Fatalf("%+v", x)
		}
		d.end(pair...)
		teach(d, correlator.Lesson{Kind: correlator.Related, Match: x[0].A.Alerts[0], With: []string{"alertname=DiskFull"}})
		if a, b := both(d); a != b {
			t.Errorf("taught otherwise, and they are apart: %q, %q", a, b)
		}
	})
	t.Run("nonsense is refused by field", func(t *testing.T) {
		d := newTable(t)
		for _, x := range []struct {
			l     correlator.Lesson
			field string
		}{
			{correlator.Lesson{Kind: "friends"}, "kind"},
			{correlator.Lesson{Kind: correlator.AlwaysPage}, "alert"},
			{correlator.Lesson{Kind: correlator.AlwaysPage, Match: []string{"x"}}, "match[0]"},
			{correlator.Lesson{Kind: correlator.AlwaysPage, Match: []string{"x=y"}, With: []string{"a=b"}}, "with"},
			{correlator.Lesson{Kind: correlator.NotRelated, Match: []string{"x=y"}}, "incident"},
			{correlator.Lesson{Kind: correlator.NotRelated, Alert: "ALT9", Match: []string{"x=y"}}, "match"},
		} {
			_, ds, err := d.s.Teach(x.l, d.now)
			var f *fault.Error
			if !errors.As(err, &f) || f.Field != x.field || len(ds) > 0 {
				t.Errorf("%+v: %v", x.l, err)
			}
		}
		if _, _, err := d.s.Teach(correlator.Lesson{Kind: correlator.AlwaysPage, Alert: "ALT9"}, d.now); err == nil {
			t.Error("an alert that does not exist was taught about")
		}
	})
}
