package fold

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// storm is what one receiver gets, so that it is never more pages than people can
// take. Its row exists from the receiver's first page on.
type storm struct {
	Pages []time.Time `json:"pages,omitempty"` // of the last window, at most the limit in a calm
	Held  []string    `json:"held,omitempty"`  // incidents that the next summary names
	Since time.Time   `json:"since,omitzero"`  // zero: no storm
	Due   time.Time   `json:"due,omitzero"`    // the next summary
}

// hearing is what one receiver knows of an incident.
type hearing struct {
	Receiver string `json:"receiver"`
	// As are the labels by which it was told last; nil: it was not told, because its
	// page waits for a summary or what was to be told was over before.
	As    map[string]string `json:"as,omitempty"`
	Waits bool              `json:"waits,omitempty"` // its next summary names the incident
}

// hearing finds what a receiver knows, nil for nothing.
func (p *paging) hearing(receiver string) *hearing {
	if n, has := p.find(receiver); has {
		return &p.Heard[n]
	}
	return nil
}

func (p *paging) find(receiver string) (int, bool) {
	return slices.BinarySearchFunc(p.Heard, receiver, func(h hearing, name string) int { return strings.Compare(h.Receiver, name) })
}

// hears returns what a receiver knows, to change it. It is good until the next call.
func (p *paging) hears(receiver string) *hearing {
	n, has := p.find(receiver)
	if !has {
		p.Heard = slices.Insert(p.Heard, n, hearing{Receiver: receiver})
	}
	return &p.Heard[n]
}

// told says whether a receiver was told of the incident. Where receivers shared one
// limit, all of them were; so they were by an earlier version, which kept no list.
func (p *paging) told(receiver string) bool {
	if p.Told != "" && len(p.Heard) == 0 {
		return true
	}
	for _, name := range []string{receiver, itsm.AllReceivers} {
		if h := p.hearing(name); h != nil && h.As != nil {
			return true
		}
	}
	return false
}

// page tells a step that calls people. A receiver that has had its pages waits for
// its summary, the others are told at once. It reports whether nobody waits or
// somebody was told.
func (s *State) page(x *incident, topic, text string, c *itsm.Change) bool {
	i, p := &x.Doc, &x.Page
	n := Notice{Incident: i, Level: p.Level, Text: text}
	labels := n.Labels(topic)
	var now, later []string
	for _, r := range s.desk.ReceiversOf(labels) {
		h := p.hearing(r)
		switch {
		case h != nil && h.Waits: // the summary says it
		case topic == TellOpened && p.told(r):
		case i.AcknowledgedAt != nil || s.mayPage(r): // whoever works on it is not called away from something else
			now = append(now, r)
		default:
			later = append(later, r)
		}
	}
	for _, r := range now {
		s.countPage(r)
	}
	s.send(x, topic, n, labels, now, now)
	s.hold(x, later, c)
	return len(now) > 0 || !slices.ContainsFunc(p.Heard, func(h hearing) bool { return h.Waits })
}

// update tells a later step: to those whom the routes name, but for those whose page
// was held back, and to those who were told before the incident was another team's or
// of another priority: who was called must hear that it is over. What reaches a
// receiver first is a page to it.
func (s *State) update(x *incident, topic, text string, c *itsm.Change) {
	i, p := &x.Doc, &x.Page
	n := Notice{Incident: i, Level: p.Level, Text: text}
	labels := n.Labels(topic)
	calls := i.Live() && i.AcknowledgedAt == nil
	var now, later []string
	for _, r := range s.desk.ReceiversOf(labels) {
		switch {
		case p.told(r):
			now = append(now, r)
		case p.hearing(r) != nil: // waits for the summary, or was spared it
		case !calls:
			now = append(now, r)
		case s.mayPage(r):
			s.countPage(r)
			now = append(now, r)
		default:
			later = append(later, r)
		}
	}
	to := slices.Clone(now)
	for _, h := range p.Heard {
		if h.As == nil {
			continue
		}
		as := maps.Clone(h.As)
		as[stepLabel] = step(topic)
		for _, r := range s.desk.ReceiversOf(as) {
			if (r == h.Receiver || h.Receiver == itsm.AllReceivers && p.told(r)) && !slices.Contains(to, r) {
				to = append(to, r)
			}
		}
	}
	s.send(x, topic, n, labels, to, now)
	s.hold(x, later, c)
}

// send makes the message, and keeps by which labels the receivers of known heard it.
func (s *State) send(x *incident, topic string, n Notice, labels map[string]string, to, known []string) {
	if len(to) == 0 {
		return
	}
	for _, r := range known {
		x.Page.hears(r).As = labels
	}
	s.tell(topic, x.Doc.ID, n, to)
}

// lane is the storm row of a receiver, without the pages that left the window.
func (s *State) lane(receiver string) *storm {
	st := s.storms.Get(receiver)
	if st == nil {
		st = &storm{}
		s.storms.Put(receiver, st)
	}
	s.storms.Touch(receiver)
	window := time.Duration(s.desk.Rules.Notify.Window)
	st.Pages = slices.DeleteFunc(st.Pages, func(at time.Time) bool { return s.now.Sub(at) >= window })
	return st
}

// mayPage says whether another page to a receiver is within the limit.
func (s *State) mayPage(receiver string) bool {
	n := s.desk.Rules.Notify
	if n.Limit == 0 {
		return true
	}
	st := s.lane(receiver)
	// During a storm everything goes into the summary: people cannot take more, and
	// a page now and then between summaries would only look like the whole.
	return len(st.Pages) < n.Limit && st.Since.IsZero()
}

func (s *State) countPage(receiver string) {
	if s.desk.Rules.Notify.Limit > 0 {
		st := s.lane(receiver)
		st.Pages = append(st.Pages, s.now)
	}
}

// hold puts an incident into the next summaries of receivers, and says to each once
// that there will be one.
func (s *State) hold(x *incident, receivers []string, c *itsm.Change) {
	if len(receivers) == 0 {
		return
	}
	for _, r := range receivers {
		x.Page.hears(r).Waits = true
		st := s.lane(r)
		st.Held = append(st.Held, x.Doc.ID)
		if !st.Since.IsZero() {
			continue
		}
		st.Since = s.now
		n := s.desk.Rules.Notify
		span := event.Span(time.Duration(n.Window))
		s.tell(TellStorm, "", Notice{Text: fmt.Sprintf("more than %d pages in %s: further ones come as a summary each %s", n.Limit, span, span)}, []string{r})
		s.schedule(dueStorm, r, &st.Due, s.now.Add(time.Duration(n.Window)))
	}
	text := "too many pages: this one goes into the summary"
	if names := named(receivers); names != "" {
		text = "too many pages to " + names + ": this one goes into the summary there"
	}
	c.Entries = append(c.Entries, itsm.Entry{At: s.now, Kind: "notify", Actor: itsm.System, Text: text})
}

// named lists receivers in words, "" for all of them.
func named(receivers []string) string {
	if slices.Contains(receivers, itsm.AllReceivers) {
		return ""
	}
	return strings.Join(receivers, ", ")
}

// letGo takes an incident out of the summaries: whoever acknowledged knows, and what
// is over needs nobody.
func (s *State) letGo(x *incident) {
	for n := range x.Page.Heard {
		h := &x.Page.Heard[n]
		if !h.Waits {
			continue
		}
		h.Waits = false
		if st := s.storms.Get(h.Receiver); st != nil {
			st.Held = slices.DeleteFunc(st.Held, func(id string) bool { return id == x.Doc.ID })
			s.storms.Touch(h.Receiver)
		}
	}
	s.schedule(duePage, x.Doc.ID, &x.PageDue, time.Time{})
}

// stormDue sends a receiver's summary; a window without anything to sum up ends its
// storm.
func (s *State) stormDue(receiver string) {
	st := s.lane(receiver)
	held := st.Held
	st.Held = nil
	if len(held) == 0 {
		s.storms.Delete(receiver)
		return
	}
	slices.SortStableFunc(held, func(a, b string) int { return s.incidents.Get(a).Doc.Priority - s.incidents.Get(b).Doc.Priority })
	byPriority := map[int]int{}
	for _, id := range held {
		byPriority[s.incidents.Get(id).Doc.Priority]++
	}
	var parts []string
	for p := 1; p <= 5; p++ {
		if n := byPriority[p]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d of priority %d", n, p))
		}
	}
	titles := make([]string, min(len(held), maxSummary))
	for n := range titles {
		d := &s.incidents.Get(held[n]).Doc
		titles[n] = fmt.Sprintf("[P%d] %s", d.Priority, d.Title)
	}
	s.tell(TellSummary, "", Notice{
		Text:      fmt.Sprintf("%s since %s: %s", waiting(len(held)), st.Since.UTC().Format(time.RFC3339), strings.Join(parts, ", ")),
		Incidents: held[:min(len(held), maxSummary)], Count: len(held), Titles: titles,
	}, []string{receiver})
	s.schedule(dueStorm, receiver, &st.Due, s.now.Add(time.Duration(s.desk.Rules.Notify.Window)))
	for _, id := range held {
		s.summed(id, receiver, len(held))
	}
}

// incidents is a count of them in words.
func incidents(n int) string {
	if n == 1 {
		return "1 incident"
	}
	return strconv.Itoa(n) + " incidents"
}

// waiting says that so many incidents wait.
func waiting(n int) string {
	if n == 1 {
		return "1 incident waits"
	}
	return incidents(n) + " wait"
}

// summed keeps that a receiver was told of an incident among others.
func (s *State) summed(id, receiver string, others int) {
	x := s.incidents.Get(id)
	p := &x.Page
	h := p.hears(receiver)
	first := h.As == nil
	h.Waits, h.As = false, Notice{Incident: &x.Doc, Level: p.Level}.Labels(TellSummary)
	s.incidents.Touch(id)
	if p.Told == "" { // it is the first page of the incident
		s.toldOf(x, TellOpened)
		s.escalate(x)
	}
	if !first { // it was to be called again, which the timeline says
		return
	}
	text := "told in a summary of " + incidents(others)
	if receiver != itsm.AllReceivers {
		text = fmt.Sprintf("%s was told in a summary of %s", receiver, incidents(others))
	}
	s.commit(id, itsm.Change{Entries: []itsm.Entry{{At: s.now, Kind: "notify", Actor: itsm.System, Text: text}}})
}

// reroute ends the storms of receivers that the rules have no more. What waited for
// their summaries is told to whom the routes name now: a summary to nobody would be
// silence.
func (s *State) reroute() {
	enabled := s.desk.Rules.Notify.Enabled
	var again []string
	calls := map[string]bool{} // again that waited for a further call
	for _, r := range s.storms.Keys() {
		if enabled && s.desk.HasReceiver(r) {
			continue
		}
		for _, id := range s.storms.Get(r).Held {
			x := s.incidents.Get(id)
			h := x.Page.hears(r)
			h.Waits, calls[id] = false, calls[id] || h.As != nil
			x.Page.Heard = slices.DeleteFunc(x.Page.Heard, func(h hearing) bool { return h.Receiver == r && h.As == nil })
			s.incidents.Touch(id)
			if len(x.Page.Heard) == 0 { // as when it was reopened in the storm: nobody knows of it
				x.Page.Told = ""
			}
			if x.Page.Told != "" && !slices.Contains(again, id) {
				again = append(again, id)
			}
		}
		s.storms.Delete(r)
	}
	if !enabled {
		return
	}
	for _, id := range again { // those that nobody was told of page by themselves
		x := s.incidents.Get(id)
		var c itsm.Change
		if calls[id] {
			s.page(x, TellEscalated, s.againText(x), &c)
		} else {
			s.page(x, TellOpened, firstText(x), &c)
		}
		s.commit(id, c)
	}
}
