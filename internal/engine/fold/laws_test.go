package fold_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
	"github.com/watchbill/watchbill/internal/event"
)

// The laws of the fold, each on whole recordings: these hold whatever the
// correlator and the desk decide.

const storms = "../../../testdata/storms"

// recordings returns the names of all recordings, in order.
func recordings(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(storms, "*.jsonl.gz"))
	if err != nil || len(names) < 3 {
		t.Fatalf("recordings %q, %v", names, err)
	}
	return names
}

func read(t testing.TB, name string) []event.Event {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []event.Event
	for e, err := range replay.Read(f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// journaled turns a recording into what a live engine's journal would hold: dense
// positions, and a tick where a deadline is due before the next event. People act
// on it, by a fixed seed, where acts is set.
func journaled(t testing.TB, events []event.Event, acts bool) []event.Event {
	t.Helper()
	s := fold.New(fold.DefaultRules())
	rnd := rand.New(rand.NewPCG(7, 7))
	var out []event.Event
	var incidents, problems, alerts []string
	now := time.Time{}
	add := func(e event.Event) {
		if e.At.Before(now) {
			e.At = now
		}
		now = e.At
		e.Position = uint64(len(out) + 1)
		out = append(out, e)
		for _, f := range s.Step(e) {
			switch b := f.Body.(type) {
			case fold.PutIncident:
				if !slices.Contains(incidents, b.Incident.ID) {
					incidents = append(incidents, b.Incident.ID)
				}
			case fold.PutProblem:
				if !slices.Contains(problems, b.Problem.ID) {
					problems = append(problems, b.Problem.ID)
				}
			case fold.PutAlert:
				alerts = append(alerts, b.Alert.ID)
			}
		}
	}
	ticks := func(limit time.Time) {
		for n := 0; ; n++ {
			at, ok := s.NextDeadline()
			if !ok || !limit.IsZero() && !at.Before(limit) {
				return
			}
			if n > 100_000 {
				t.Fatalf("the deadlines do not end: %v is due again and again", at)
			}
			add(event.NewTick(at))
		}
	}
	for n, e := range events {
		ticks(e.At)
		add(e)
		if acts && n%3 == 0 {
			if c, ok := act(rnd, incidents, problems, alerts); ok {
				c.At = e.At
				add(c)
			}
		}
	}
	ticks(time.Time{})
	return out
}

// act is something that a person, or a person's mistake, does.
func act(rnd *rand.Rand, incidents, problems, alerts []string) (event.Event, bool) {
	if len(incidents) == 0 || len(alerts) == 0 {
		return event.Event{}, false
	}
	latest := func(l []string) string { return l[max(0, len(l)-1-rnd.IntN(6))] }
	i, other, alert := latest(incidents), latest(incidents), latest(alerts)
	cmds := []event.Command{
		{Record: "incident", Verb: "acknowledge"},
		{Record: "incident", Verb: "assign", Args: json.RawMessage(`{"assignee":"ann","team":"night"}`)},
		{Record: "incident", Verb: "hold", Args: json.RawMessage(`{"reason":"vendor","note":"<called & waiting>"}`)},
		{Record: "incident", Verb: "resume"},
		{Record: "incident", Verb: "resolve", Args: json.RawMessage(`{"resolution":"restarted"}`)},
		{Record: "incident", Verb: "close"},
		{Record: "incident", Verb: "reopen", Args: json.RawMessage(`{"reason":"again"}`)},
		{Record: "incident", Verb: "cancel", Args: json.RawMessage(`{"reason":"test"}`)},
		{Record: "incident", Verb: "notes", Args: json.RawMessage(`{"note":"looking"}`)},
		{Record: "incident", Verb: "edit", Args: json.RawMessage(`{"impact":1,"urgency":1}`)},
		{Record: "incident", Verb: "merge", Args: json.RawMessage(`{"into":"` + other + `"}`)},
		{Record: "incident", Verb: "split", Args: json.RawMessage(`{"alerts":["` + alert + `"]}`)},
		{Record: "incident", Verb: "dance"},
		{Record: "incident", Verb: "create", Args: json.RawMessage(`{"title":"by hand","impact":2,"urgency":2}`)},
		{Record: "incident", Verb: "create", Args: json.RawMessage(`{"titel":"no such field"}`)},
		{Record: "nonsense", Verb: "create"},
		{Record: "teaching", Verb: "create", Args: json.RawMessage(`{"kind":"not_related","alert":"` + alert + `"}`)},
		{Record: "teaching", Verb: "create", Args: json.RawMessage(`{"kind":"not_related","alert":"` + alert + `","incident":"` + other + `"}`)},
		{Record: "teaching", Verb: "create", Args: json.RawMessage(`{"kind":"always_page","alert":"` + alert + `"}`)},
		{Record: "teaching", Verb: "create", Args: json.RawMessage(`{"kind":"related","match":["severity=critical"],"with":["severity=\"warning\"","ci_class=~\"host|service\""]}`)},
		{Record: "teaching", Verb: "withdraw", Args: json.RawMessage(`{}`)},
		{Record: "problem", Verb: "create", Args: json.RawMessage(`{"title":"it keeps happening","incidents":["` + other + `"]}`)},
	}
	c := cmds[rnd.IntN(len(cmds))]
	c.ID, c.Actor = i, "ann"
	if c.Verb == "create" {
		c.ID = ""
	}
	if c.Verb == "withdraw" {
		c.ID = fmt.Sprintf("TCH%08d", 1+rnd.IntN(12))
	}
	if len(problems) > 0 && rnd.IntN(4) == 0 {
		verbs := []string{"software", "assess", "root_cause", "fix", "resolve", "close", "reopen", "known_error", "workaround", "link", "unlink"}
		c = event.Command{Record: "problem", Verb: verbs[rnd.IntN(len(verbs))], ID: latest(problems), Actor: "bob"}
		switch c.Verb {
		case "link", "unlink":
			c.Args = json.RawMessage(`{"incident":"` + i + `"}`)
		case "software":
			c.Args = json.RawMessage(`{"product":"packages","fixed_in":"6.1.0"}`)
		case "workaround":
			c.Args = json.RawMessage(`{"workaround":"restart it"}`)
		}
	}
	if rnd.IntN(25) == 0 {
		rules := fold.DefaultRules()
		rules.Correlation.HoldDown = correlator.Duration(time.Duration(1+rnd.IntN(5)) * time.Minute)
		if rnd.IntN(2) == 0 {
			hold := correlator.Duration(time.Duration(rnd.IntN(3)) * time.Minute)
			rules.Correlation.Rules = []correlator.Rule{
				{Name: "apart", Match: []string{"severity=warning"}, With: []string{"severity=critical", "ci_class=host"}, NeverGroup: true},
				{Name: "waits", Match: []string{`alertname=~".*Down"`}, Hold: &hold, Priority: 1 + rnd.IntN(5), Page: correlator.PageAlways},
				{Name: "one", Match: []string{"namespace!=\"\""}, AlwaysGroup: []string{"cluster", "namespace"}},
			}
		}
		raw, err := json.Marshal(rules)
		if err != nil {
			panic(err)
		}
		e, err := event.New(&event.Config{Rules: raw})
		if err != nil {
			panic(err)
		}
		return e, true
	}
	if rnd.IntN(20) == 0 {
		l := event.Liveness{Site: "fra", Lost: rnd.IntN(2) == 0, Since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Hosts: 3}
		if n := rnd.IntN(5); n > 0 {
			l.CI = event.Ref{Class: "host", Name: fmt.Sprintf("host-%d", n)}
		}
		e, err := event.New(&l)
		if err != nil {
			panic(err)
		}
		return e, true
	}
	if rnd.IntN(25) == 0 {
		e, err := event.New(&event.Start{Version: "test"})
		if err != nil {
			panic(err)
		}
		return e, true
	}
	e, err := event.New(&c)
	if err != nil {
		panic(err)
	}
	return e, true
}

// fresh forgets the decoded payload, as reading from the journal does.
func fresh(e event.Event) event.Event {
	return event.Event{Position: e.Position, At: e.At, Kind: e.Kind, Source: e.Source, Body: bytes.Clone(e.Body)}
}

func line(t testing.TB, f fold.Effect) string {
	t.Helper()
	body := any(f.Body)
	if u, ok := f.Body.(fold.Unreadable); ok {
		body = u.Err.Error()
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatalf("effect %T has no JSON: %v", f.Body, err)
	}
	return fmt.Sprintf("%d %T %s", f.Cause, f.Body, b)
}

// step applies events and returns all effects as lines.
func step(t testing.TB, s *fold.State, events []event.Event) []string {
	t.Helper()
	var out []string
	for _, e := range events {
		for _, f := range s.Step(fresh(e)) {
			out = append(out, line(t, f))
		}
	}
	return out
}

// pages are a snapshot: nil bytes delete one.
type pages map[string][]byte

func (p pages) put(k string, v []byte) error {
	if v == nil {
		delete(p, k)
	} else {
		p[k] = bytes.Clone(v)
	}
	return nil
}

func snapshot(t testing.TB, s *fold.State) pages {
	t.Helper()
	p := pages{}
	if err := s.SaveAll(p.put); err != nil {
		t.Fatal(err)
	}
	return p
}

// restore makes a state of a snapshot; the rules that it is made with do not
// matter, for the snapshot holds those in force.
func restore(t testing.TB, p pages) *fold.State {
	t.Helper()
	other := fold.DefaultRules()
	other.Correlation.For = map[string]correlator.Duration{"NoSuchAlert": 1}
	other.Correlation.Severities["no such severity"] = correlator.Critical
	s := fold.New(other)
	for k, v := range p {
		if err := s.Load(k, v); err != nil {
			t.Fatal(err)
		}
	}
	s.Loaded()
	return s
}

func samePages(t testing.TB, what string, got, want pages) {
	t.Helper()
	for k := range want {
		if !bytes.Equal(got[k], want[k]) {
			t.Errorf("%s: page %s is\n%.1500s\nand should be\n%.1500s", what, k, got[k], want[k])
			return
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: page %s should not be there: %.300s", what, k, got[k])
			return
		}
	}
}

func sameLines(t testing.TB, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: effect %d is\n%.2000s\nand should be\n%.2000s", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d effects and should be %d", what, len(got), len(want))
	}
}

// each runs a law on every recording, without and with people's acts.
func each(t *testing.T, law func(t *testing.T, events []event.Event)) {
	for _, name := range recordings(t) {
		for _, acts := range []bool{false, true} {
			title := strings.TrimSuffix(filepath.Base(name), ".jsonl.gz")
			if acts {
				title += " with acts"
			}
			t.Run(title, func(t *testing.T) { law(t, journaled(t, read(t, name), acts)) })
		}
	}
}

func TestReplayTwiceIsByteEqual(t *testing.T) {
	each(t, func(t *testing.T, events []event.Event) {
		a, b := fold.New(fold.DefaultRules()), fold.New(fold.DefaultRules())
		first, second := step(t, a, events), step(t, b, events)
		sameLines(t, "second run", second, first)
		samePages(t, "second run", snapshot(t, b), snapshot(t, a))
		if len(first) < 20 {
			t.Fatalf("only %d effects: this proves nothing", len(first))
		}
	})
}

func TestCutSnapshotAndResumeEqualsTheWholeRun(t *testing.T) {
	each(t, func(t *testing.T, events []event.Event) {
		whole := fold.New(fold.DefaultRules())
		var after []int // how many effects there were after each event
		var lines []string
		for _, e := range events {
			lines = append(lines, step(t, whole, []event.Event{e})...)
			after = append(after, len(lines))
		}
		end := snapshot(t, whole)
		rnd := rand.New(rand.NewPCG(1, uint64(len(events))))
		for range 6 {
			cut := rnd.IntN(len(events))
			s := fold.New(fold.DefaultRules())
			step(t, s, events[:cut+1])
			half := snapshot(t, s)
			resumed := restore(t, half)
			samePages(t, fmt.Sprintf("a snapshot at %d, loaded and written again", cut+1), snapshot(t, resumed), half)
			a, okA := s.NextDeadline()
			b, okB := resumed.NextDeadline()
			if okA != okB || !a.Equal(b) {
				t.Errorf("cut at %d: the next deadline is %v and should be %v", cut+1, b, a)
			}
			got := step(t, resumed, events[cut+1:])
			sameLines(t, fmt.Sprintf("after a cut at %d of %d", cut+1, len(events)), got, lines[after[cut]:])
			samePages(t, fmt.Sprintf("after a cut at %d of %d", cut+1, len(events)), snapshot(t, resumed), end)
			if t.Failed() {
				return
			}
		}
	})
}

// TestIncrementalSnapshotEqualsWhole: a row that was changed without being marked
// is missing from the pages.
func TestIncrementalSnapshotEqualsWhole(t *testing.T) {
	each(t, func(t *testing.T, events []event.Event) {
		s, twin := fold.New(fold.DefaultRules()), fold.New(fold.DefaultRules())
		rnd := rand.New(rand.NewPCG(2, 2))
		p := pages{}
		for n, e := range events {
			s.Step(fresh(e))
			twin.Step(fresh(e))
			if rnd.IntN(40) != 0 && n != len(events)-1 {
				continue
			}
			if err := s.Save(p.put); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(8) == 0 || n == len(events)-1 {
				if samePages(t, fmt.Sprintf("pages saved up to position %d", e.Position), p, snapshot(t, twin)); t.Failed() {
					return
				}
			}
		}
	})
}

// TestDuplicateDeliveryChangesNoIncident delivers every webhook twice.
func TestDuplicateDeliveryChangesNoIncident(t *testing.T) {
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		for _, name := range recordings(t) {
			t.Run(fmt.Sprintf("%s after %s", filepath.Base(name), delay), func(t *testing.T) {
				events := read(t, name)
				var twice []event.Event
				for _, e := range events {
					twice = append(twice, e)
					if e.Kind == event.KindAlertmanager {
						again := fresh(e)
						again.At = again.At.Add(delay)
						twice = append(twice, again)
					}
				}
				slices.SortStableFunc(twice, func(a, b event.Event) int { return a.At.Compare(b.At) })
				once, n1 := outcome(t, events)
				both, n2 := outcome(t, twice)
				if delay > 0 { // what counts from the last word of a sender moves by the delay
					both, once = timeless(both), timeless(once)
				}
				sameLines(t, "incidents and problems", both, once)
				if n2 != 2*n1 {
					t.Errorf("%d alert objects were received, want %d", n2, 2*n1)
				}
			})
		}
	}
}

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d[\dhms.]*[hms]\b`)

func timeless(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, instant.ReplaceAllString(l, "…"))
	}
	return out
}

// outcome replays and returns the final records of incidents and problems, and
// every line of their timelines.
func outcome(t testing.TB, events []event.Event) (lines []string, received uint64) {
	t.Helper()
	p := &replay.Player{State: fold.New(fold.DefaultRules())}
	docs := map[string]string{}
	take := func(f fold.Effect) {
		switch b := f.Body.(type) {
		case fold.PutIncident:
			b.Incident.Revision = 0 // counts writes, not changes
			docs["incident "+b.Incident.ID] = line(t, fold.Effect{Body: b})
		case fold.PutProblem:
			b.Problem.Revision = 0
			docs["problem "+b.Problem.ID] = line(t, fold.Effect{Body: b})
		case fold.TimelineRow:
			b.Position = 0
			docs[fmt.Sprintf("timeline %s %06d", b.Record, b.Seq)] = line(t, fold.Effect{Body: b})
		}
	}
	for _, e := range events {
		p.Play(fresh(e), take)
	}
	p.Finish(take)
	for _, d := range docs {
		lines = append(lines, d)
	}
	slices.Sort(lines)
	received, _, _ = p.State.Fates()
	return lines, received
}

// TestEveryEffectNamesItsCause and stands under keys that no other effect has.
func TestEveryEffectNamesItsCause(t *testing.T) {
	each(t, func(t *testing.T, events []event.Event) {
		s := fold.New(fold.DefaultRules())
		seen := map[string]bool{}
		entries := map[string]int{}
		for _, e := range events {
			answers := 0
			for _, f := range s.Step(fresh(e)) {
				pos, key := e.Position, ""
				switch b := f.Body.(type) {
				case fold.TimelineRow:
					pos, key = b.Position, fmt.Sprintf("timeline %s %d", b.Record, b.Seq)
					if entries[b.Record]++; entries[b.Record] != b.Seq {
						t.Fatalf("the timeline of %s goes from entry %d to %d", b.Record, entries[b.Record]-1, b.Seq)
					}
				case fold.AuditRow:
					pos, key = b.Position, fmt.Sprintf("audit %d", b.Position)
					if b.Actor == "" || b.Verb == "" {
						t.Fatalf("an act without actor or verb: %+v", b)
					}
				case fold.MeasureRow:
					pos, key = b.Position, fmt.Sprintf("measure %d %d", b.Position, b.Seq)
				case fold.QuarantineRow:
					pos, key = b.Position, fmt.Sprintf("quarantine %d %d", b.Position, b.Seq)
				case fold.Message:
					pos, key = b.Position, fmt.Sprintf("message %d %d", b.Position, b.Seq)
				case fold.Answer:
					answers++
				case fold.PutIncident:
					if b.Incident.OpenedAt.After(e.At) || b.Incident.ID == "" {
						t.Fatalf("incident %q of %v is decided at %v", b.Incident.ID, b.Incident.OpenedAt, e.At)
					}
				}
				if f.Cause != e.Position || pos != e.Position {
					t.Fatalf("effect %s of position %d names %d and %d", line(t, f), e.Position, f.Cause, pos)
				}
				if key != "" && seen[key] {
					t.Fatalf("two effects have the key %s", key)
				}
				seen[key] = true
			}
			if want := map[bool]int{true: 1}[e.Kind == event.KindCommand]; answers != want {
				t.Fatalf("position %d, a %s, was answered %d times", e.Position, e.Kind, answers)
			}
		}
	})
}

func TestEveryReceivedAlertHasOneFate(t *testing.T) {
	each(t, func(t *testing.T, events []event.Event) {
		s := fold.New(fold.DefaultRules())
		want := uint64(0)
		for _, e := range events {
			if e.Kind == event.KindAlertmanager {
				n, err := event.DecodeNotification(e.Body)
				if err != nil {
					t.Fatal(err)
				}
				want += uint64(n.Received())
			}
			s.Step(fresh(e))
			received, fates, _ := s.Fates()
			sum := uint64(0)
			for _, n := range fates {
				sum += n
			}
			if received != want || sum != want {
				t.Fatalf("after position %d: %d alert objects came, %d are counted and %d have a fate: %v", e.Position, want, received, sum, fates)
			}
		}
		if want < 15 {
			t.Fatalf("only %d alert objects: this proves nothing", want)
		}
	})
}

// TestTicksAreWhatAReplayInserts: a recording without ticks is decided as the
// journal with them.
func TestTicksAreWhatAReplayInserts(t *testing.T) {
	for _, name := range recordings(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			events := read(t, name)
			full := journaled(t, events, false)
			if len(full) < len(events)+3 {
				t.Fatalf("only %d ticks: this proves nothing", len(full)-len(events))
			}
			play := func(events []event.Event) (lines []string, s *fold.State) {
				p := &replay.Player{State: fold.New(fold.DefaultRules())}
				take := func(f fold.Effect) { lines = append(lines, line(t, f)) }
				for _, e := range events {
					p.Play(fresh(e), take)
				}
				p.Finish(take)
				return lines, p.State
			}
			want, ws := play(full)
			got, gs := play(events)
			sameLines(t, "without ticks", got, want)
			samePages(t, "without ticks", snapshot(t, gs), snapshot(t, ws))
		})
	}
}

// TestAJournalUnderOtherRulesKeepsTheirDeadlines: a journal brings the ticks of the
// rules that it was decided by; under others it is decided as the recording without
// ticks is.
func TestAJournalUnderOtherRulesKeepsTheirDeadlines(t *testing.T) {
	events := read(t, filepath.Join(storms, "smoke.jsonl.gz"))
	rules := fold.DefaultRules()
	rules.Correlation.HoldDown = correlator.Duration(47 * time.Second)
	rules.Correlation.Hold = map[correlator.Severity]correlator.Duration{correlator.Critical: correlator.Duration(7 * time.Second)}
	p, anew := &replay.Player{State: fold.New(rules)}, &replay.Player{State: fold.New(rules)}
	var want, got []string
	for _, e := range events {
		p.Play(fresh(e), func(f fold.Effect) { want = append(want, line(t, f)) })
	}
	for _, e := range journaled(t, events, false) {
		anew.PlayAnew(fresh(e), func(f fold.Effect) { got = append(got, line(t, f)) })
	}
	sameLines(t, "journaled", got, want)
}

// TestALateTickIsDecidedAsItWasLive: a journal whose server was late has an event
// between a deadline and its tick; a replay must not put a tick of its own there.
func TestALateTickIsDecidedAsItWasLive(t *testing.T) {
	full := journaled(t, read(t, filepath.Join(storms, "smoke.jsonl.gz")), false)
	var late []event.Event
	for i := 0; i < len(full); i++ {
		if full[i].Kind == event.KindTick && i+1 < len(full) && full[i+1].Kind != event.KindTick {
			tick := full[i]
			tick.At = full[i+1].At
			late = append(late, full[i+1], tick)
			i++
			continue
		}
		late = append(late, full[i])
	}
	for i := range late {
		late[i].Position = uint64(i + 1)
	}
	live := step(t, fold.New(fold.DefaultRules()), late)
	var replayed []string
	p := &replay.Player{State: fold.New(fold.DefaultRules())}
	for _, e := range late {
		p.Play(fresh(e), func(f fold.Effect) { replayed = append(replayed, line(t, f)) })
	}
	sameLines(t, "replayed", replayed, live)
	if p.Events != len(late) {
		t.Errorf("%d events were stepped, the journal holds %d", p.Events, len(late))
	}
}

func TestEventsThatCannotBeReadPassTime(t *testing.T) {
	s := fold.New(fold.DefaultRules())
	at := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	for n, e := range []event.Event{
		{Kind: "nonsense"}, {Kind: event.KindAlertmanager, Body: json.RawMessage(`{}`)}, {Kind: event.KindCI, Body: json.RawMessage(`7`)},
		{Kind: event.KindConfig, Body: json.RawMessage(`{"rules":{"no_such_rule":1}}`)}, {Kind: event.KindConfig, Body: json.RawMessage(`{"rules":{"correlation":{"max_group":1}}}`)},
	} {
		e.Position, e.At = uint64(n+1), at
		fs := s.Step(e)
		if len(fs) != 1 {
			t.Fatalf("%s: effects %v", e.Kind, fs)
		}
		if u, ok := fs[0].Body.(fold.Unreadable); !ok || u.Kind != e.Kind || u.Err == nil {
			t.Fatalf("%s: %+v", e.Kind, fs[0])
		}
	}
}

func TestBadAlertsAreQuarantinedAndCounted(t *testing.T) {
	s := fold.New(fold.DefaultRules())
	big := strings.Repeat("é", 50<<10)
	body := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-21T06:40:14Z"},7,{"x":"` + big + `"}]}`
	n, err := event.DecodeNotification([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	e := event.NewNotification("am", n)
	e.Position, e.At = 1, time.Date(2026, 11, 21, 6, 41, 0, 0, time.UTC)
	var rows []fold.QuarantineRow
	for _, f := range s.Step(e) {
		if q, ok := f.Body.(fold.QuarantineRow); ok {
			rows = append(rows, q)
		}
	}
	if len(rows) != 2 || rows[0].Raw != "7" || rows[0].Source != "am" || !strings.Contains(rows[0].Reason, "want an object") || len(rows[1].Raw) > 64<<10+3 || rows[1].Reason == "" {
		t.Fatalf("quarantine: %+v", rows)
	}
	received, fates, _ := s.Fates()
	if received != 3 || fates[correlator.FateInvalid] != 2 {
		t.Fatalf("received %d, fates %v", received, fates)
	}
}
