package fold

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/itsm"
)

// The steps of an incident that people are told of, as Message.Topic.
const (
	TellOpened       = "incident.opened"
	TellEscalated    = "incident.escalated"
	TellAcknowledged = "incident.acknowledged"
	TellPriority     = "incident.priority"
	TellMajor        = "incident.major"
	TellSLA          = "incident.sla"
	TellResolved     = "incident.resolved"
	TellReopened     = "incident.reopened"
	TellCanceled     = "incident.canceled"
	TellStorm        = "storm.begun"
	TellSummary      = "storm.summary"
)

// paging is what people were told of an incident so far.
type paging struct {
	Told     string `json:"told,omitempty"` // the last topic; empty: nothing yet
	Priority int    `json:"priority,omitempty"`
	Acked    bool   `json:"acked,omitempty"`
	Major    bool   `json:"major,omitempty"`
	Level    int    `json:"level,omitempty"` // escalations told
	Held     string `json:"held,omitempty"`  // "quiet" or "storm": the opening waits; "rule": it is not told
}

// storm is more pages than people can take.
type storm struct {
	Pages []time.Time `json:"pages,omitempty"` // of the last window
	Held  []string    `json:"held,omitempty"`  // incidents whose page waits for the summary
	Since time.Time   `json:"since,omitzero"`
	Due   time.Time   `json:"due,omitzero"`
}

// Notice is the body of a Message.
type Notice struct {
	Incident *itsm.Incident `json:"incident,omitempty"`
	Level    int            `json:"level,omitempty"` // of escalation; 0 is the first page
	Text     string         `json:"text"`            // a sentence of what happened
	// Incidents and Count are what a summary is about; at most maxSummary are named.
	Incidents []string `json:"incidents,omitempty"`
	Count     int      `json:"count,omitempty"`
}

const maxSummary = 20

func (s *State) tell(topic, record string, n Notice) {
	s.seq++
	s.emit(Message{Position: s.pos, Seq: s.seq, At: s.now, Topic: topic, Record: record, Body: mustJSON(n)})
}

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
		p.Told, p.Priority, p.Major, p.Acked = topic, i.Priority, i.Major, i.AcknowledgedAt != nil
		s.tell(topic, i.ID, Notice{Incident: i, Level: p.Level, Text: fmt.Sprintf(format, args...)})
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
		p.Level = 0
		say(TellReopened, "reopened")
		s.page()
		s.escalate(x)
	case !i.Live():
	case i.AcknowledgedAt != nil && !p.Acked:
		say(TellAcknowledged, "acknowledged by %s", i.AcknowledgedBy)
	case i.Priority < p.Priority:
		say(TellPriority, "priority %d, was %d", i.Priority, p.Priority)
		s.escalate(x)
	case i.Major && !p.Major:
		say(TellMajor, "declared a major incident")
	default:
		for _, e := range c.Entries {
			if e.Kind == "sla" && (strings.Contains(e.Text, "%") || strings.Contains(e.Text, "breached")) {
				say(TellSLA, "%s", e.Text)
			}
		}
	}
	if !i.Live() || i.AcknowledgedAt != nil {
		s.schedule(duePage, i.ID, &x.PageDue, time.Time{})
	}
}

// announceFirst tells of an incident that nobody was told of yet, or holds it.
func (s *State) announceFirst(x *incident, c *itsm.Change) {
	i, p := &x.Doc, &x.Page
	if i.Page == correlator.PageNever && i.Live() && p.Held == "" {
		p.Held = "rule"
		c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: "nobody is told: " + i.PageWhy})
	}
	always := i.Page == correlator.PageAlways
	if !i.Live() || i.Page == correlator.PageNever || !always && !s.desk.Tells(i.Priority) || i.AcknowledgedAt != nil {
		// Whoever acknowledged knows, and what is over needs nobody.
		if p.Held != "" {
			s.letGo(x)
		}
		return
	}
	if p.Held == "storm" {
		return
	}
	if until, quiet := s.desk.QuietUntil(i.Priority, s.now); quiet && !always {
		if p.Held == "" {
			p.Held = "quiet"
			c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: "quiet hours: nobody is told before " + until.Format(time.RFC3339)})
		}
		s.schedule(duePage, i.ID, &x.PageDue, until)
		return
	}
	if !s.mayPage() {
		p.Held = "storm"
		s.hold(i.ID)
		c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: "too many pages: this one goes into the summary"})
		return
	}
	s.page()
	p.Held, p.Told, p.Priority, p.Major, p.Acked = "", TellOpened, i.Priority, i.Major, false
	text := "opened with priority " + fmt.Sprint(i.Priority)
	if always {
		text += "; pages always by " + i.PageWhy
	}
	s.tell(TellOpened, i.ID, Notice{Incident: i, Text: text})
	s.escalate(x)
}

// letGo drops a held page.
func (s *State) letGo(x *incident) {
	if x.Page.Held == "storm" {
		s.count.Storm.Held = slices.DeleteFunc(slices.Clone(s.count.Storm.Held), func(id string) bool { return id == x.Doc.ID })
	}
	x.Page.Held = ""
	s.schedule(duePage, x.Doc.ID, &x.PageDue, time.Time{})
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
	if p.Told == "" {
		s.commit(id, itsm.Change{}) // announces
		return
	}
	if !s.desk.Rules.Notify.Enabled || !i.Live() || i.AcknowledgedAt != nil {
		return
	}
	p.Level++
	text := fmt.Sprintf("nobody has acknowledged for %s: level %d", itsm.Span(s.now.Sub(i.OpenedAt)), p.Level)
	c := itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "notify", Actor: itsm.System, Text: "escalated: " + text}}}
	if s.mayPage() {
		s.page()
		s.tell(TellEscalated, id, Notice{Incident: i, Level: p.Level, Text: text})
	} else {
		s.hold(id)
	}
	s.escalate(x)
	s.commit(id, c)
}

// mayPage says whether another page is within the limit.
func (s *State) mayPage() bool {
	n := s.desk.Rules.Notify
	if n.Limit == 0 {
		return true
	}
	st := &s.count.Storm
	for len(st.Pages) > 0 && s.now.Sub(st.Pages[0]) >= time.Duration(n.Window) {
		st.Pages = st.Pages[1:]
	}
	// During a storm everything goes into the summary: people cannot take more, and
	// a page now and then between summaries would only look like the whole.
	return len(st.Pages) < n.Limit && st.Since.IsZero()
}

func (s *State) page() {
	if s.desk.Rules.Notify.Limit > 0 {
		s.count.Storm.Pages = append(slices.Clone(s.count.Storm.Pages), s.now)
	}
}

// hold puts an incident into the next summary, and says once that there will be one.
func (s *State) hold(id string) {
	st := &s.count.Storm
	if !slices.Contains(st.Held, id) {
		st.Held = append(slices.Clone(st.Held), id)
	}
	if !st.Since.IsZero() {
		return
	}
	st.Since = s.now
	n := s.desk.Rules.Notify
	s.tell(TellStorm, "", Notice{Text: fmt.Sprintf("more than %d pages in %s: further ones come as a summary each %s", n.Limit, itsm.Span(time.Duration(n.Window)), itsm.Span(time.Duration(n.Window)))})
	s.schedule(dueStorm, "", &st.Due, s.now.Add(time.Duration(n.Window)))
}

// stormDue sends the summary; a window without anything to sum up ends the storm.
func (s *State) stormDue() {
	st := &s.count.Storm
	held := st.Held
	st.Held = nil
	if len(held) == 0 || !s.desk.Rules.Notify.Enabled {
		*st = storm{}
		return
	}
	byPriority := map[int]int{}
	var named []string
	for _, id := range held {
		x := s.incidents.Get(id)
		if x == nil || !x.Doc.Live() || x.Doc.AcknowledgedAt != nil {
			continue
		}
		byPriority[x.Doc.Priority]++
		named = append(named, id)
	}
	slices.SortStableFunc(named, func(a, b string) int { return s.incidents.Get(a).Doc.Priority - s.incidents.Get(b).Doc.Priority })
	if len(named) > 0 {
		var parts []string
		for p := 1; p <= 5; p++ {
			if n := byPriority[p]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d of priority %d", n, p))
			}
		}
		s.tell(TellSummary, "", Notice{
			Text:      fmt.Sprintf("%d incidents wait since %s: %s", len(named), st.Since.UTC().Format(time.RFC3339), strings.Join(parts, ", ")),
			Incidents: named[:min(len(named), maxSummary)], Count: len(named),
		})
	}
	s.schedule(dueStorm, "", &st.Due, s.now.Add(time.Duration(s.desk.Rules.Notify.Window)))
	for _, id := range named {
		x := s.incidents.Get(id)
		if p := &x.Page; p.Told == "" { // the summary was its first page
			p.Held, p.Told, p.Priority, p.Major = "", TellOpened, x.Doc.Priority, x.Doc.Major
			s.escalate(x)
			s.commit(id, itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "notify", Actor: itsm.System, Text: "told in a summary of " + fmt.Sprint(len(named)) + " incidents"}}})
		}
	}
}
