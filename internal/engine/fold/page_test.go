package fold_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// watch steps a fold through a script, with the ticks that a live engine makes.
type watch struct {
	t    *testing.T
	s    *fold.State
	now  time.Time
	pos  uint64
	told []string // "HH:MM topic record @receivers"
	msgs []fold.Message
	last fold.Notice
	rows []fold.AuditRow
	log  []itsm.Entry
	line []fold.TimelineRow
	each func(itsm.Measure) // nil: nobody looks
	docs map[string]itsm.Incident
	disk pages // not nil: the state is saved and loaded after each step
}

func newWatch(t *testing.T, rules string) *watch {
	r := fold.DefaultRules()
	r.Desk.Notify.Enabled = true
	if err := json.Unmarshal([]byte(rules), &r.Desk); err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return &watch{t: t, s: fold.New(r), docs: map[string]itsm.Incident{}, now: time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC)}
}

func (w *watch) step(e event.Event) (a fold.Answer) {
	w.pos++
	e.At, e.Position = w.now, w.pos
	for _, f := range w.s.Step(e) {
		if f.Cause != w.pos {
			w.t.Errorf("an effect names %d as its cause, not %d", f.Cause, w.pos)
		}
		switch b := f.Body.(type) {
		case fold.Message:
			text := strings.TrimSpace(w.now.Format("15:04 ") + b.Topic + " " + b.Record)
			if len(b.To) > 0 {
				text += " @" + strings.Join(b.To, ",")
			}
			w.told = append(w.told, text)
			w.msgs = append(w.msgs, b)
			if err := json.Unmarshal(b.Body, &w.last); err != nil {
				w.t.Fatal(err)
			}
		case fold.Answer:
			a = b
		case fold.PutIncident:
			w.docs[b.Incident.ID] = b.Incident
		case fold.AuditRow:
			w.rows = append(w.rows, b)
		case fold.MeasureRow:
			if w.each != nil {
				w.each(b.Measure)
			}
		case fold.TimelineRow:
			w.log = append(w.log, b.Entry)
			w.line = append(w.line, b)
		}
	}
	if w.disk != nil {
		if err := w.s.Save(w.disk.put); err != nil {
			w.t.Fatal(err)
		}
		samePages(w.t, "saved now and then", w.disk, snapshot(w.t, w.s))
		w.s = restore(w.t, w.disk)
	}
	return a
}

func (w *watch) until(clock string) *watch {
	w.t.Helper()
	at, err := time.Parse("15:04", clock)
	if err != nil {
		w.t.Fatal(err)
	}
	to := w.now.Truncate(24 * time.Hour).Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute)
	if to.Before(w.now) {
		to = to.Add(24 * time.Hour)
	}
	for n := 0; ; n++ {
		due, ok := w.s.NextDeadline()
		if !ok || due.After(to) {
			break
		}
		if n > 10_000 {
			w.t.Fatalf("the deadline at %s comes again and again", due)
		}
		if due.Before(w.now) {
			w.t.Fatalf("a deadline at %s, and it is %s", due, w.now)
		}
		w.now = due
		w.step(event.NewTick(due))
	}
	w.now = to
	return w
}

func (w *watch) do(record, verb, id string, args any) fold.Answer {
	w.t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := event.New(&event.Command{Verb: verb, Record: record, ID: id, Actor: "ann", Remote: "192.0.2.1", Args: raw})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.step(e)
}

func (w *watch) body(b event.Body) fold.Answer {
	w.t.Helper()
	e, err := event.New(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.step(e)
}

// configure puts other rules of the desk into force.
func (w *watch) configure(rules string) {
	w.t.Helper()
	r := fold.DefaultRules()
	r.Desk.Notify.Enabled = true
	if err := json.Unmarshal([]byte(rules), &r.Desk); err != nil {
		w.t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.body(&event.Config{Rules: raw})
}

func (w *watch) open(impact, urgency int) string {
	w.t.Helper()
	a := w.do("incident", "create", "", map[string]any{"title": "x", "impact": impact, "urgency": urgency})
	if a.Err != nil {
		w.t.Fatal(a.Err)
	}
	return a.Record
}

func (w *watch) want(told ...string) {
	w.t.Helper()
	if !slices.Equal(w.told, told) {
		w.t.Errorf("told\n  %s\nwant\n  %s", strings.Join(w.told, "\n  "), strings.Join(told, "\n  "))
	}
}

const one, two = "INC00000001", "INC00000002"

func TestEscalatesUntilAPersonAcknowledges(t *testing.T) {
	w := newWatch(t, `{"notify": {"escalation": [{"priorities": [1], "after": ["5m", "10m"], "repeat": "20m"}]}}`)
	w.open(1, 1)
	w.until("09:40").do("incident", "acknowledge", one, nil)
	w.until("12:00").do("incident", "resolve", one, map[string]any{"resolution": "mended"})
	w.want("09:00 incident.opened "+one, "09:05 incident.escalated "+one, "09:15 incident.escalated "+one, "09:35 incident.escalated "+one,
		"09:40 incident.acknowledged "+one, "12:00 incident.resolved "+one)
}

func TestOneMessageForEachStep(t *testing.T) {
	w := newWatch(t, `{"notify": {"escalation": []}, "slas": [{"name": "mend", "clock": "resolution", "target": "2h", "warn": [50]}]}`)
	w.open(2, 2)
	w.do("incident", "notes", one, map[string]any{"note": "nobody is told of notes"})
	w.do("incident", "acknowledge", one, nil)
	w.do("incident", "acknowledge", one, nil) // is refused: no step
	w.until("09:10").do("incident", "edit", one, map[string]any{"impact": 1, "urgency": 1, "reason": "it spreads"})
	w.until("09:20").do("incident", "major", one, map[string]any{"roles": map[string]string{"commander": "bob"}})
	w.until("11:30").do("incident", "resolve", one, nil)
	w.until("11:40").do("incident", "reopen", one, map[string]any{"reason": "no"})
	w.until("11:50").do("incident", "cancel", one, nil)
	w.want("09:00 incident.opened "+one, "09:00 incident.acknowledged "+one, "09:10 incident.priority "+one, "09:20 incident.major "+one,
		"10:00 incident.sla "+one, "11:00 incident.sla "+one, "11:30 incident.resolved "+one, "11:40 incident.reopened "+one, "11:50 incident.canceled "+one)
}

func TestQuietHoursHoldTheLessGraveBack(t *testing.T) {
	rules := `{"calendars": {"night": {"open": [{"times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]}]}},
		"notify": {"escalation": [], "quiet": {"calendar": "night", "from": 3}}}`
	w := newWatch(t, rules).until("23:00")
	w.open(2, 2) // priority 3: waits for the morning
	w.open(1, 1) // priority 1: does not
	w.until("23:30").open(2, 2)
	w.until("23:40").do("incident", "resolve", "INC00000003", nil) // is over before anybody was told: nobody is
	w.until("01:00").open(2, 2)
	w.until("02:00").do("incident", "edit", "INC00000004", map[string]any{"impact": 1, "urgency": 1, "reason": "worse"}) // is grave now
	w.until("07:00")
	w.want("23:00 incident.opened "+two, "02:00 incident.opened INC00000004", "06:00 incident.opened "+one)
}

func TestStormsAreSummedUp(t *testing.T) {
	w := newWatch(t, `{"notify": {"escalation": [{"after": ["30m"]}], "limit": 3, "window": "10m"}}`)
	for range 40 {
		w.open(1, 2)
	}
	w.do("incident", "acknowledge", "INC00000020", nil)
	w.do("incident", "cancel", "INC00000021", nil)
	if len(w.told) != 4 || w.told[3] != "09:00 storm.begun" {
		t.Fatalf("told %v", w.told)
	}
	w.until("09:11")
	if len(w.told) != 5 || w.told[4] != "09:10 storm.summary" {
		t.Fatalf("told %v", w.told)
	}
	if w.last.Count != 35 || len(w.last.Incidents) != 20 || !strings.Contains(w.last.Text, "35 of priority 2") {
		t.Errorf("the summary says %d, names %d: %s", w.last.Count, len(w.last.Incidents), w.last.Text)
	}
	// The storm is over after a window without more; a page comes at once again.
	w.until("09:25").open(1, 1)
	if got := w.told[len(w.told)-1]; got != "09:25 incident.opened INC00000041" {
		t.Errorf("told %s after the storm", got)
	}
	// Told in a summary or not, every incident is escalated when nobody comes.
	w.until("11:30")
	escalated := map[string]bool{}
	for _, m := range w.told {
		if strings.Contains(m, "escalated") {
			escalated[strings.Fields(m)[2]] = true
		}
	}
	if len(escalated) < 3 {
		t.Errorf("only %v were escalated", escalated)
	}
	if n := len(w.told); n > 40 {
		t.Errorf("%d messages in a storm of 41 incidents", n)
	}
}

func TestMaintenanceSuppressesAndShowsWhat(t *testing.T) {
	w := newWatch(t, `{}`)
	ci, err := event.New(&event.CI{Ref: event.Ref{Class: "host", Name: "h1"}, Attributes: map[string]any{"hostname": "h1"}})
	if err != nil {
		t.Fatal(err)
	}
	w.step(ci)
	a := w.do("maintenance", "create", "", map[string]any{"summary": "new kernel", "cis": []string{"host:h1"}, "ends_at": w.now.Add(time.Hour)})
	if a.Err != nil || a.Record != "MNT00000001" {
		t.Fatalf("%+v", a)
	}
	fire := func(name string) {
		n, err := event.DecodeNotification(fmt.Appendf(nil, `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":%q,"instance":"h1:9100","severity":"critical"},"startsAt":%q}]}`, name, w.now.Format(time.RFC3339)))
		if err != nil {
			t.Fatal(err)
		}
		w.step(event.NewNotification("am", n))
	}
	fire("HostDown")
	w.until("09:30")
	w.want()
	end := w.do("maintenance", "end", "MNT00000001", map[string]any{"reason": "done"})
	var m itsm.Maintenance
	if err := json.Unmarshal(end.Result, &m); err != nil || m.State != itsm.WindowEnded || m.Suppressed != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	fire("DiskFull")
	w.until("09:40")
	if len(w.told) == 0 || !strings.HasPrefix(w.told[0], "09:3") {
		t.Errorf("told %v of an alert after the window", w.told)
	}
	if again := w.do("maintenance", "end", "MNT00000001", nil); again.Err == nil || !strings.Contains(again.Err.Error(), "is ended") {
		t.Errorf("ending it twice: %v", again.Err)
	}
}

// Every act is in the audit with what was before and after, a refused one too.
func TestAuditIsComplete(t *testing.T) {
	w := newWatch(t, `{}`)
	w.open(1, 1)
	w.do("incident", "acknowledge", one, nil)
	w.do("incident", "close", one, nil) // is refused
	w.do("problem", "create", "", map[string]any{"title": "it leaks", "incidents": []string{one}})
	w.do("problem", "assess", "PRB00000001", nil)
	w.do("incident", "fly", one, map[string]any{"high": true})
	if len(w.rows) != 6 {
		t.Fatalf("%d rows for 6 acts", len(w.rows))
	}
	for n, r := range w.rows {
		if r.Actor != "ann" || r.Remote != "192.0.2.1" || r.At.IsZero() || r.Verb == "" || r.Kind == "" {
			t.Errorf("row %d: %+v", n, r)
		}
		refused := n == 2 || n == 5
		if refused != (r.Refused != "") || refused == (len(r.After) > 0) {
			t.Errorf("row %d: refused %q, after %s", n, r.Refused, r.After)
		}
	}
	var before, after itsm.Incident
	if json.Unmarshal(w.rows[1].Before, &before) != nil || json.Unmarshal(w.rows[1].After, &after) != nil || before.State != itsm.New || after.State != itsm.InProgress {
		t.Errorf("acknowledging: before %s, after %s", before.State, after.State)
	}
	if w.rows[3].Record != "PRB00000001" {
		t.Errorf("what was made is %q", w.rows[3].Record)
	}
}
