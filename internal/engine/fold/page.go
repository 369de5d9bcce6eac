package fold

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// paging is what people were told of an incident so far.
type paging struct {
	Told     string `json:"told,omitempty"` // the last topic; empty: nothing yet
	Priority int    `json:"priority,omitempty"`
	Acked    bool   `json:"acked,omitempty"`
	Major    bool   `json:"major,omitempty"`
	Level    int    `json:"level,omitempty"` // escalations told
	For      string `json:"for,omitempty"`   // assignee and team, as told
	// Joined are grave alerts that joined since somebody works on it and nobody was told
	// of, and JoinedAt when such were told last.
	Joined   []string  `json:"joined,omitempty"`
	JoinedAt time.Time `json:"joined_at,omitzero"`
	// Held says why nobody is told: heldQuiet, heldRule; heldStorm in states that
	// earlier versions saved.
	Held  string    `json:"held,omitempty"`
	Heard []hearing `json:"heard,omitempty"` // by the receivers' names
}

const (
	heldQuiet = "quiet"
	heldRule  = "rule"
	heldStorm = "storm"
)

// toldOf keeps what people know of an incident now.
func (s *State) toldOf(x *incident, topic string) {
	i, p := &x.Doc, &x.Page
	p.Held, p.Told, p.Priority, p.Major, p.Acked = "", topic, i.Priority, i.Major, i.AcknowledgedAt != nil
	p.For = forWhom(i)
}

// forWhom is who an incident is assigned to, never empty: an empty one is of a state that
// an earlier version saved.
func forWhom(i *itsm.Incident) string { return strconv.Quote(i.Assignee) + strconv.Quote(i.Team) }

// announce tells people of the step that an incident has taken, if it took one:
// one message per incident and step, whatever its alerts do.
func (s *State) announce(x *incident, c *itsm.Change) {
	i, p := &x.Doc, &x.Page
	if !s.desk.Rules.Notify.Enabled {
		return
	}
	if p.Told == "" {
		s.announceFirst(x, c)
		return
	}
	say := func(topic, format string, args ...any) {
		s.toldOf(x, topic)
		s.update(x, topic, fmt.Sprintf(format, args...), c)
	}
	ended := p.Told == TellResolved || p.Told == TellCanceled
	switch {
	case i.State == itsm.Resolved && !ended:
		say(TellResolved, "resolved by %s: %s", i.ResolvedBy, i.Resolution)
	case i.State == itsm.Canceled && !ended:
		text := "canceled"
		if i.MergedInto != "" {
			text = "merged into " + i.MergedInto
		}
		say(TellCanceled, "%s", text)
	case i.Live() && ended:
		s.toldOf(x, TellReopened)
		p.Level, p.Heard = 0, nil // it is news again, to whom it concerns now
		s.page(x, TellReopened, "reopened", c)
		s.escalate(x)
	case !i.Live():
	case i.AcknowledgedAt != nil && !p.Acked:
		say(TellAcknowledged, "acknowledged by %s", i.AcknowledgedBy)
	case i.Priority < p.Priority:
		say(TellPriority, "priority %d, was %d", i.Priority, p.Priority)
		s.escalate(x)
	case i.Major && !p.Major:
		say(TellMajor, "declared a major incident")
	case p.For == "":
		p.For = forWhom(i)
	case p.For != forWhom(i):
		say(TellAssigned, "%s", assignedText(i, c))
	default:
		for _, e := range c.Entries {
			if e.Kind == "sla" && (strings.Contains(e.Text, "%") || strings.Contains(e.Text, "breached")) {
				say(TellSLA, "%s", e.Text)
			}
		}
	}
	if !i.Live() || i.AcknowledgedAt != nil {
		s.letGo(x)
	}
	s.tellJoined(x, c)
}

// assignedText says who was given an incident, and by whom.
func assignedText(i *itsm.Incident, c *itsm.Change) string {
	to := strings.Trim(i.Assignee+", "+i.Team, ", ")
	if to == "" {
		to = "nobody"
	}
	for _, e := range c.Entries {
		if e.Kind == "assigned" && e.Actor != itsm.System {
			return fmt.Sprintf("assigned to %s by %s", to, e.Actor)
		}
	}
	return "assigned to " + to
}

// joinedEvery is how often at most people are told of grave alerts that join what they
// work on: a failure that spreads must not call them for each.
const joinedEvery = 10 * time.Minute

// joinedMost is how many of them a message names.
const joinedMost = 5

// joined notes a grave alert that has joined an incident. While nobody works on it, it is
// called out anyway; who has acknowledged looks at something else by now.
func (s *State) joined(a correlator.Alert) {
	x := s.incidents.Get(a.Incident)
	if x == nil || a.Severity != correlator.Critical || a.Status != correlator.AlertFiring || a.AttachedAt == nil || !a.AttachedAt.Equal(s.now) {
		return
	}
	if x.Doc.AcknowledgedAt == nil || !x.Doc.AcknowledgedAt.Before(s.now) || !x.Doc.Live() || !s.desk.Rules.Notify.Enabled || x.Page.Told == "" && !s.desk.Tells(x.Doc.Priority) {
		return
	}
	name := a.Labels.Get("alertname")
	if a.Binding != nil {
		name += " on " + a.Binding.Name
	}
	if !slices.Contains(x.Page.Joined, name) {
		x.Page.Joined = append(x.Page.Joined, name)
	}
	s.incidents.Touch(a.Incident)
	s.schedule(duePage, a.Incident, &x.PageDue, latest(s.now, x.Page.JoinedAt.Add(joinedEvery)))
}

// tellJoined tells of the grave alerts that joined, once it is time to.
func (s *State) tellJoined(x *incident, c *itsm.Change) {
	p := &x.Page
	if len(p.Joined) == 0 {
		return
	}
	if !x.Doc.Live() || x.Doc.AcknowledgedAt == nil {
		p.Joined = nil
		return
	}
	if at := p.JoinedAt.Add(joinedEvery); at.After(s.now) {
		s.schedule(duePage, x.Doc.ID, &x.PageDue, at)
		return
	}
	text := "joined, critical: " + strings.Join(p.Joined[:min(len(p.Joined), joinedMost)], ", ")
	if n := len(p.Joined) - joinedMost; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	p.Joined, p.JoinedAt = nil, s.now
	s.schedule(duePage, x.Doc.ID, &x.PageDue, time.Time{})
	s.update(x, TellJoined, text, c)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// announceFirst tells of an incident that nobody was told of yet, or holds it.
func (s *State) announceFirst(x *incident, c *itsm.Change) {
	i, p := &x.Doc, &x.Page
	if i.Page == correlator.PageNever && i.Live() && p.Held != heldRule {
		p.Held = heldRule
		c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: "nobody is told: " + i.PageWhy})
	}
	always := i.Page == correlator.PageAlways
	if !i.Live() || i.Page == correlator.PageNever || !always && !s.desk.Tells(i.Priority) || i.AcknowledgedAt != nil {
		// Whoever acknowledged knows, and what is over needs nobody.
		s.letGo(x)
		p.Heard = nil
		s.tellJoined(x, c)
		if p.Held != heldRule { // which the timeline says once
			p.Held = ""
		}
		return
	}
	if until, quiet := s.desk.QuietUntil(i.Priority, s.now); quiet && !always {
		if len(p.Heard) > 0 { // a summary was promised before
			return
		}
		if p.Held != heldQuiet {
			p.Held = heldQuiet
			c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: "quiet hours: nobody is told before " + until.Format(time.RFC3339)})
		}
		s.schedule(duePage, i.ID, &x.PageDue, until)
		return
	}
	p.Held = ""
	if s.page(x, TellOpened, firstText(x), c) {
		s.toldOf(x, TellOpened)
		s.escalate(x)
	}
}

// firstText is what the first page of an incident says.
func firstText(x *incident) string {
	text := "opened with priority " + fmt.Sprint(x.Doc.Priority)
	if x.Doc.Page == correlator.PageAlways {
		text += "; pages always by " + x.Doc.PageWhy
	}
	return text
}

// againText is what a further call says.
func (s *State) againText(x *incident) string {
	return fmt.Sprintf("nobody has acknowledged for %s: level %d", event.Span(s.now.Sub(x.Doc.Shown())), x.Page.Level)
}

// escalate sets when the next level is told.
func (s *State) escalate(x *incident) {
	at := time.Time{}
	if d, ok := s.desk.Next(x.Doc.Priority, x.Page.Level); ok && x.Doc.Live() && x.Doc.AcknowledgedAt == nil {
		at = s.now.Add(d)
	}
	s.schedule(duePage, x.Doc.ID, &x.PageDue, at)
}

// pageDue ends quiet hours, or tells the next level because nobody acknowledged.
func (s *State) pageDue(id string) {
	x := s.incidents.Get(id)
	s.incidents.Touch(id)
	i, p := &x.Doc, &x.Page
	if p.Told == "" || len(p.Joined) > 0 {
		s.commit(id, itsm.Change{}) // announces
		return
	}
	if !i.Live() || i.AcknowledgedAt != nil {
		return
	}
	if !s.desk.Rules.Notify.Enabled {
		s.escalate(x) // the calls go on when they are enabled again
		return
	}
	p.Level++
	text := s.againText(x)
	c := itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "notify", Actor: itsm.System, Text: "escalated: " + text}}}
	s.page(x, TellEscalated, text, &c)
	s.escalate(x)
	s.commit(id, c)
}
