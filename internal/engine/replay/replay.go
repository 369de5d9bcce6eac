// Package replay runs recordings through the fold: the same decisions as in live
// operation, without a store. It owns the recording and result formats; it
// refuses to decide anything.
package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// maxLine bounds a line of a recording: a webhook body of thousands of alerts fits.
const maxLine = 64 << 20

// Read yields the events of a recording, gzipped or not. An unreadable line ends
// it with an error that names the line.
func Read(r io.Reader) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		br := bufio.NewReaderSize(r, 1<<20)
		if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
			z, err := gzip.NewReader(br)
			if err != nil {
				yield(event.Event{}, fault.Invalidf("recording", "is not readable gzip: %v", err))
				return
			}
			br = bufio.NewReaderSize(z, 1<<20)
		}
		sc := bufio.NewScanner(br)
		sc.Buffer(make([]byte, 1<<20), maxLine)
		n := 0
		for sc.Scan() {
			n++
			if len(bytes.TrimSpace(sc.Bytes())) == 0 {
				continue
			}
			var e event.Event
			if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
				yield(e, fault.Invalidf(fmt.Sprintf("line %d", n), "%v", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(event.Event{}, fault.Invalidf(fmt.Sprintf("line %d", n+1), "%v", err))
		}
	}
}

// Player steps a state through events and inserts the ticks that a live engine
// would have journaled: a deadline is worked off when it is due, not when the
// next event happens to come.
type Player struct {
	State *fold.State
	// Position of the last event; live events keep theirs.
	Position uint64
	Events   int
	last     time.Time
	ownTicks bool // the recording was journaled and brings its ticks: insert none
}

// PlayAnew is Play for a journaled recording under other rules than its own: other
// rules have other deadlines, so the ticks that it brings are passed over, and the
// rules that it brings as well.
func (p *Player) PlayAnew(e event.Event, each func(fold.Effect)) {
	if e.Kind == event.KindTick || e.Kind == event.KindConfig {
		return
	}
	e.Position = 0
	p.until(e.At, each)
	p.step(e, each)
}

// Play applies e after the deadlines before it; each gets every effect.
func (p *Player) Play(e event.Event, each func(fold.Effect)) {
	// A journal holds a tick for every deadline, though not always before the next
	// event: one of our own in its place would be decided at another position.
	if e.Position > 0 || e.Kind == event.KindTick || e.Kind == event.KindStart {
		p.ownTicks = true
	}
	if e.At.Before(p.last) { // journal time never runs backwards
		e.At = p.last
	}
	if !p.ownTicks {
		p.until(e.At, each)
	}
	p.step(e, each)
}

// Finish works off what is still due, up to the last deadline at which anything is
// decided: an incident that nobody acknowledges calls for ever.
func (p *Player) Finish(each func(fold.Effect)) {
	for {
		at, ok := p.State.NextDeadline()
		if !ok || p.State.OnlyCalls() {
			return
		}
		p.step(event.NewTick(at), each)
	}
}

func (p *Player) until(limit time.Time, each func(fold.Effect)) {
	for {
		at, ok := p.State.NextDeadline()
		if !ok || !at.Before(limit) {
			return
		}
		p.step(event.NewTick(at), each)
	}
}

func (p *Player) step(e event.Event, each func(fold.Effect)) {
	if e.At.Before(p.last) {
		e.At = p.last
	}
	if e.Position == 0 {
		e.Position = p.Position + 1
	}
	p.Position, p.last = e.Position, e.At
	p.Events++
	for _, f := range p.State.Step(e) {
		each(f)
	}
}

// Result is what `watchbill replay --output` writes.
type Result struct {
	Incidents []Incident        `json:"incidents"`
	Problems  []Problem         `json:"problems"`
	Fates     map[string]uint64 `json:"fates"`
	Stats     Stats             `json:"stats"`
}

// Incident of a result.
type Incident struct {
	ID             string               `json:"id"`
	OpenedAt       string               `json:"opened_at"`
	ResolvedAt     *string              `json:"resolved_at"`
	Title          string               `json:"title"`
	Severity       string               `json:"severity"`
	Alerts         []Alert              `json:"alerts"`
	ProbableCauses []Cause              `json:"probable_causes"`
	Changes        []itsm.SuspectChange `json:"changes"`
	Problem        *string              `json:"problem"`
	SeenBefore     *string              `json:"seen_before"`
}

// Alert of a result: a received episode, unaltered.
type Alert struct {
	Fingerprint string                `json:"fingerprint"`
	StartsAt    string                `json:"starts_at"`
	AttachedAt  string                `json:"attached_at"`
	Evidence    []correlator.Evidence `json:"evidence,omitempty"`
}

// Cause of a result.
type Cause struct {
	Class string  `json:"class"`
	Name  string  `json:"name"`
	Score float64 `json:"score"`
	Path  string  `json:"path,omitempty"`
}

// Problem of a result.
type Problem struct {
	ID        string   `json:"id"`
	OpenedAt  string   `json:"opened_at"`
	Incidents []string `json:"incidents"`
}

// Stats of a run.
type Stats struct {
	Events     int     `json:"events"`
	Alerts     uint64  `json:"alerts"`
	Released   uint64  `json:"released"`
	Unreadable int     `json:"unreadable"`
	Seconds    float64 `json:"seconds"`
}

// Collector gathers effects into a Result.
type Collector struct {
	incidents  map[string]itsm.Incident
	problems   map[string]itsm.Problem
	alerts     map[string]correlator.Alert
	unreadable int
	// firstUnreadable says what is wrong with the first of them.
	firstUnreadable string
	// Each, where set, sees every effect as well.
	Each func(fold.Effect)
}

// NewCollector makes an empty one.
func NewCollector() *Collector {
	return &Collector{incidents: map[string]itsm.Incident{}, problems: map[string]itsm.Problem{}, alerts: map[string]correlator.Alert{}}
}

// Unreadable tells how many events could not be read, and what is wrong with the first.
func (c *Collector) Unreadable() (n int, first string) { return c.unreadable, c.firstUnreadable }

// Take notes one effect.
func (c *Collector) Take(f fold.Effect) {
	switch b := f.Body.(type) {
	case fold.PutAlert:
		c.alerts[b.Alert.ID] = b.Onto(c.alerts[b.Alert.ID])
	case fold.PutIncident:
		c.incidents[b.Incident.ID] = b.Incident
	case fold.PutProblem:
		c.problems[b.Problem.ID] = b.Problem
	case fold.Unreadable:
		c.unreadable++
		if c.unreadable == 1 {
			c.firstUnreadable = fmt.Sprintf("event %d (%s): %v", f.Cause, b.Kind, b.Err)
		}
	}
	if c.Each != nil {
		c.Each(f)
	}
}

// Alerts returns every received episode as last decided, by its id.
func (c *Collector) Alerts() []correlator.Alert {
	out := make([]correlator.Alert, 0, len(c.alerts))
	for _, id := range sorted(c.alerts) {
		out = append(out, c.alerts[id])
	}
	return out
}

// Incidents returns every incident as last decided, by its id; merged ones too.
func (c *Collector) Incidents() []itsm.Incident {
	out := make([]itsm.Incident, 0, len(c.incidents))
	for _, id := range sorted(c.incidents) {
		out = append(out, c.incidents[id])
	}
	return out
}

// Standing is the incident that an incident was merged into, or itself.
func (c *Collector) Standing(id string) string {
	for range len(c.incidents) {
		into := c.incidents[id].MergedInto
		if into == "" {
			break
		}
		id = into
	}
	return id
}

// Result assembles what was gathered. Incidents that were merged away are gone.
func (c *Collector) Result(p *Player, took time.Duration) Result {
	r := Result{Incidents: []Incident{}, Problems: []Problem{}, Fates: map[string]uint64{}}
	byIncident := map[string][]correlator.Alert{}
	for _, id := range sorted(c.alerts) {
		if a := c.alerts[id]; a.Incident != "" {
			byIncident[a.Incident] = append(byIncident[a.Incident], a)
		}
	}
	members := map[string][]string{}
	for _, id := range sorted(c.incidents) {
		doc := c.incidents[id]
		if doc.MergedInto != "" {
			continue
		}
		i := Incident{
			ID: id, OpenedAt: stamp(doc.OpenedAt), Title: doc.Title, Severity: doc.Severity, Alerts: []Alert{}, ProbableCauses: []Cause{},
			Changes: doc.Changes, Problem: orNil(doc.Problem), SeenBefore: orNil(doc.SeenBefore),
		}
		if i.Changes == nil {
			i.Changes = []itsm.SuspectChange{}
		}
		if doc.ResolvedAt != nil {
			at := stamp(*doc.ResolvedAt)
			i.ResolvedAt = &at
		}
		for _, a := range byIncident[id] {
			at := a.FirstReceived
			if a.AttachedAt != nil {
				at = *a.AttachedAt
			}
			i.Alerts = append(i.Alerts, Alert{a.Fingerprint, a.StartsAt.UTC().Format(time.RFC3339Nano), stamp(at), a.Evidence})
		}
		for _, x := range doc.Causes {
			i.ProbableCauses = append(i.ProbableCauses, Cause{x.Class, x.Name, x.Score, x.Path})
		}
		if doc.Problem != "" {
			members[doc.Problem] = append(members[doc.Problem], id)
		}
		r.Incidents = append(r.Incidents, i)
	}
	for _, id := range sorted(c.problems) {
		r.Problems = append(r.Problems, Problem{id, stamp(c.problems[id].OpenedAt), members[id]})
	}
	received, fates, released := p.State.Fates()
	for f, n := range fates {
		r.Fates[string(f)] = n
	}
	r.Stats = Stats{Events: p.Events, Alerts: received, Released: released, Unreadable: c.unreadable, Seconds: took.Seconds()}
	return r
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func stamp(t time.Time) string { return t.UTC().Format(event.TimeFormat) }

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// File replays a whole recording under rules.
func File(r io.Reader, rules fold.Rules, now func() time.Time, each func(fold.Effect)) (Result, error) {
	began := now()
	p := &Player{State: fold.New(rules)}
	c := NewCollector()
	c.Each = each
	for e, err := range Read(r) {
		if err != nil {
			return Result{}, err
		}
		if e.Kind == "" {
			return Result{}, errors.New("an event has no kind")
		}
		p.Play(e, c.Take)
	}
	p.Finish(c.Take)
	return c.Result(p, now().Sub(began)), nil
}
