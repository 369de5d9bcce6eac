package correlator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/watchbill/watchbill/internal/fault"
)

// Rule is what an installation wants decided otherwise than evidence would. Rules
// are consulted in order; of several that hold, prioritise or page the same alert,
// the first counts.
type Rule struct {
	// Name is how reasons call it.
	Name string `json:"name"`
	// Match are matchers in Alertmanager's syntax; an alert must fit all. Beside the
	// alert's labels, ci and ci_class are the name and class of the configuration item
	// that it is bound to.
	Match []string `json:"match"`
	// With narrows NeverGroup to the company of alerts that fit these matchers.
	With []string `json:"with,omitempty"`
	// NeverGroup keeps the alert out of incidents of others, and others out of its own.
	NeverGroup bool `json:"never_group,omitempty"`
	// AlwaysGroup makes one incident of the alerts that fit and agree in these labels;
	// an empty list asks for no agreement, nil is no wish.
	AlwaysGroup []string `json:"always_group"`
	// Hold replaces how long the alert waits for company; Forever: it opens nothing by itself.
	Hold *Duration `json:"hold,omitempty"`
	// Priority replaces the priority that impact and urgency give: 1 critical to 5 planning.
	Priority int `json:"priority,omitempty"`
	// Page is "always" or "never": whether people are told of its incident, whatever
	// its priority and the hour.
	Page string `json:"page,omitempty"`
}

// Forever as a rule's hold: the alert opens no incident by itself.
const Forever = Duration(-1)

// Values of Rule.Page and Assessment.Page.
const (
	PageAlways = "always"
	PageNever  = "never"
)

// Validate reports what cannot work, by its path under field.
func (r Rule) validate(field string) (l fault.List) {
	bad := func(f, format string, args ...any) { l = append(l, fault.Invalidf(field+f, format, args...)) }
	if strings.TrimSpace(r.Name) == "" {
		bad(".name", "is missing: reasons call the rule by it")
	}
	if len(r.Match) == 0 {
		bad(".match", "is empty: give at least one matcher, such as alertname=\"DiskFull\"")
	}
	for _, x := range []struct {
		name string
		list []string
	}{{"match", r.Match}, {"with", r.With}} {
		for n, m := range x.list {
			if _, err := parseMatcher(m); err != nil {
				bad(fmt.Sprintf(".%s[%d]", x.name, n), "%v", err)
			}
		}
	}
	if len(r.With) > 0 && !r.NeverGroup {
		bad(".with", "narrows never_group, which the rule does not set")
	}
	if r.NeverGroup && len(r.With) == 0 && r.AlwaysGroup != nil {
		bad(".always_group", "contradicts never_group")
	}
	if r.Hold != nil && *r.Hold < 0 && *r.Hold != Forever {
		bad(".hold", "must not be negative")
	}
	if r.Priority < 0 || r.Priority > 5 {
		bad(".priority", "want 1 (critical) to 5 (planning), got %d", r.Priority)
	}
	if r.Page != "" && r.Page != PageAlways && r.Page != PageNever {
		bad(".page", "want always or never, got %q", r.Page)
	}
	if !r.NeverGroup && r.AlwaysGroup == nil && r.Hold == nil && r.Priority == 0 && r.Page == "" {
		bad("", "does nothing: give never_group, always_group, hold, priority or page")
	}
	return l
}

func parseMatcher(s string) (*labels.Matcher, error) {
	m, err := parse.Matcher(s)
	if err != nil {
		return nil, fmt.Errorf("want a matcher such as alertname=\"DiskFull\" or team=~\"web|shop\", got %q: %w", s, unwrapped(err))
	}
	return m, nil
}

// unwrapped is the innermost error: the outer ones repeat the input.
func unwrapped(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// side is one of the two kinds of alerts or failures that a ruling keeps apart or
// brings together.
type side struct {
	any   []labels.Matchers // an alert that fits one of them
	cause string            // or an incident whose likely cause this item is
}

func (x side) empty() bool { return len(x.any) == 0 && x.cause == "" }

// ruling is a rule or a teaching, ready to be applied.
type ruling struct {
	Rule
	why      string // how reasons call it
	teaching string // its id, where a person taught it
	a, b     side
	together bool // a and b belong into one incident
}

// compile makes the rulings: what people taught first, the newest first, then the
// rules of the configuration in their order.
func (s *State) compile() {
	s.rulings = s.rulings[:0]
	s.ruled++
	keys := s.teachings.Keys()
	for n := len(keys) - 1; n >= 0; n-- {
		if t := s.teachings.Get(keys[n]); t.Withdrawn == nil {
			s.rulings = append(s.rulings, t.ruling())
		}
	}
	for _, r := range s.cfg.Rules {
		x := ruling{Rule: r, why: "rule " + fmt.Sprintf("%q", r.Name), together: r.AlwaysGroup != nil}
		x.a.any = []labels.Matchers{compiled(r.Match)}
		if len(r.With) > 0 {
			x.b.any = []labels.Matchers{compiled(r.With)}
		}
		s.rulings = append(s.rulings, x)
	}
}

// compiled parses matchers that were validated; what does not parse matches nothing.
func compiled(list []string) labels.Matchers {
	out := make(labels.Matchers, 0, len(list))
	for _, t := range list {
		m, err := parseMatcher(t)
		if err != nil {
			return nil
		}
		out = append(out, m)
	}
	return out
}

func (c *canonical) value(label string) string {
	switch label {
	case "ci":
		if c.Binding != nil {
			return c.Binding.Name
		}
		return ""
	case "ci_class":
		if c.Binding != nil {
			return c.Binding.Class
		}
		return ""
	}
	return c.Labels.Get(label)
}

func (x side) fits(c *canonical) bool {
	if x.cause != "" && c.Binding != nil && c.Binding.CI == x.cause {
		return true
	}
	for _, ms := range x.any {
		if len(ms) > 0 && !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(c.value(m.Name)) }) {
			return true
		}
	}
	return false
}

// sides of a ruling that an alert, or an incident, is on.
const (
	onA = 1 << iota
	onB
)

// sidesOf says for each ruling on which sides the alert is. It is asked for often
// and changes only with the rulings.
func (s *State) sidesOf(c *canonical) []uint8 {
	if c.ruled == s.ruled {
		return c.sides
	}
	c.ruled, c.sides = s.ruled, make([]uint8, len(s.rulings))
	for n, r := range s.rulings {
		if r.a.fits(c) {
			c.sides[n] |= onA
		}
		if r.b.fits(c) {
			c.sides[n] |= onB
		}
	}
	return c.sides
}

// groupSides says for each ruling on which sides the incident is.
func (s *State) groupSides(g *group) []uint8 {
	out := make([]uint8, len(s.rulings))
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil {
			for n, v := range s.sidesOf(c) {
				out[n] |= v
			}
		}
	}
	for n, r := range s.rulings {
		if r.a.cause != "" && g.blames(r.a.cause) {
			out[n] |= onA
		}
		if r.b.cause != "" && g.blames(r.b.cause) {
			out[n] |= onB
		}
	}
	return out
}

// blames says whether the incident's likeliest cause is the item.
func (g *group) blames(ci string) bool {
	if len(g.Ranked) > 0 {
		return g.Ranked[0].CI == ci
	}
	return len(g.Suspects) > 0 && g.Suspects[0].CI == ci
}

// apart says why an alert, or an incident, must not join an incident; empty: it may.
func (s *State) apart(c *canonical, g *group) string {
	if len(g.Lost) > 0 {
		if why := s.lossesApart(s.lossOf(c), g.Lost); why != "" {
			return why
		}
	}
	if len(s.rulings) == 0 || !s.keepsApart() {
		return ""
	}
	return s.apartBy(s.sidesOf(c), s.groupSides(g))
}

func (s *State) apartGroups(g, h *group) string {
	if why := s.lossesApart(g.Lost, h.Lost); why != "" {
		return why
	}
	if len(s.rulings) == 0 || !s.keepsApart() {
		return ""
	}
	return s.apartBy(s.groupSides(g), s.groupSides(h))
}

func (s *State) keepsApart() bool {
	return slices.ContainsFunc(s.rulings, func(r ruling) bool { return r.NeverGroup })
}

func (s *State) apartBy(x, y []uint8) string {
	for n, r := range s.rulings {
		crossed := x[n]&onA != 0 && y[n]&onB != 0 || x[n]&onB != 0 && y[n]&onA != 0
		if r.together && crossed {
			return "" // taught later, or stands above
		}
		if !r.NeverGroup {
			continue
		}
		if r.b.empty() {
			if (x[n]|y[n])&onA != 0 {
				return r.why
			}
			continue
		}
		if crossed {
			return r.why
		}
	}
	return ""
}

// firstRuling returns the first that the alert falls under and that has an opinion.
func (s *State) firstRuling(c *canonical, has func(ruling) bool) *ruling {
	if len(s.rulings) == 0 {
		return nil
	}
	for n, v := range s.sidesOf(c) {
		if r := &s.rulings[n]; v&onA != 0 && has(*r) {
			return r
		}
	}
	return nil
}

// ruledHold is how long a rule has the alert wait, if one does.
func (s *State) ruledHold(c *canonical) (time.Duration, *ruling) {
	r := s.firstRuling(c, func(r ruling) bool { return r.Hold != nil || r.Page == PageAlways })
	switch {
	case r == nil:
		return 0, nil
	case r.Hold != nil:
		return time.Duration(*r.Hold), r
	default:
		return 0, r
	}
}

// rule lets rules have their say about an incident's priority and whether people
// are told: the gravest of its alerts' priorities, and always before never.
func (s *State) rule(g *group, a *Assessment) {
	if len(s.rulings) == 0 {
		return
	}
	var prioritised *ruling
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if r := s.firstRuling(c, func(r ruling) bool { return r.Priority > 0 }); r != nil && (prioritised == nil || r.Priority < prioritised.Priority) {
			prioritised = r
		}
		if r := s.firstRuling(c, func(r ruling) bool { return r.Page != "" }); r != nil && (a.Page == "" || a.Page == PageNever && r.Page == PageAlways) {
			a.Page, a.PageWhy = r.Page, r.why
		}
	}
	if prioritised == nil {
		return
	}
	// Of the ways to a priority, the one that keeps what impact says where it can.
	p := prioritised.Priority
	a.Impact = min(max(a.Impact, p-2), min(p, 3))
	a.Urgency = p + 1 - a.Impact
	a.Derived = fmt.Sprintf("priority %d by %s", p, prioritised.why)
}

// ruledHoldText tells why and how long a rule has the alert wait; empty: none does.
func (s *State) ruledHoldText(c *canonical) string {
	hold, r := s.ruledHold(c)
	switch {
	case r == nil:
		return ""
	case hold < 0:
		return "by " + r.why + " it opens no incident by itself"
	default:
		return fmt.Sprintf("by %s it waits up to %s for company", r.why, hold)
	}
}

// keptApart says whether a rule keeps the alert out of the incident, and notes it
// for the reason that is told.
func (s *State) keptApart(c *canonical, g *group, kept *string) bool {
	why := s.apart(c, g)
	if why == "" {
		return false
	}
	if *kept == "" {
		where := "what is held"
		if !g.Held {
			where = g.ID
		}
		*kept = "; kept apart from " + where + " by " + why
		for n := range s.rulings {
			if s.rulings[n].why == why {
				s.used(&s.rulings[n])
			}
		}
	}
	return true
}

// obeyRules lets rules have their say once evidence has placed an alert. It returns
// the group that holds it then.
func (s *State) obeyRules(g *group, c *canonical) *group {
	if len(s.rulings) == 0 {
		return g
	}
	g = s.bond(g, c)
	if hold, r := s.ruledHold(c); r != nil && hold == 0 && g.Held {
		s.used(r)
		why := "by " + r.why + " it is not held"
		c.Evidence = append(c.Evidence, Evidence{"rule", why, 1})
		g = s.open(g, why)
	}
	return g
}

// bond brings an alert's group together with those that a rule or a teaching says
// it belongs to. It returns the group that holds the alert afterwards.
func (s *State) bond(g *group, c *canonical) *group {
	if !slices.ContainsFunc(s.rulings, func(r ruling) bool { return r.together }) {
		return g
	}
	for n := range s.rulings {
		r := &s.rulings[n]
		if !r.together {
			continue
		}
		for i := len(s.recent) - 1; i >= 0; i-- {
			h := s.recent[i]
			if h == g || !s.takes(h) || !s.takes(g) || len(g.Members)+len(h.Members) > s.cfg.MaxGroup || !s.bonds(n, c, g, h) || s.apartGroups(g, h) != "" {
				continue
			}
			s.used(r)
			c.Evidence = append(c.Evidence, Evidence{"rule", "belongs there by " + r.why, 1})
			into, from := h, g
			if h.Held && !g.Held || h.Held == g.Held && g.OpenedAt.Before(h.OpenedAt) {
				into, from = g, h
			}
			s.absorb(into, from, r.why)
			g = into
			if g.Held {
				s.maybeOpen(g, r.why)
			}
			break // the list of recent groups has changed; one match is one incident
		}
	}
	return g
}

// bonds says whether ruling n has the alert's group and h be one.
func (s *State) bonds(n int, c *canonical, g, h *group) bool {
	r := &s.rulings[n]
	if r.teaching != "" {
		x, y := s.groupSides(g)[n], s.groupSides(h)[n]
		return x&onA != 0 && y&onB != 0 || x&onB != 0 && y&onA != 0
	}
	if s.sidesOf(c)[n]&onA == 0 {
		return false
	}
	for _, m := range h.Members {
		o := s.alerts.Get(m)
		if o == nil || s.sidesOf(o)[n]&onA == 0 {
			continue
		}
		if !slices.ContainsFunc(r.AlwaysGroup, func(l string) bool { return o.value(l) != c.value(l) }) {
			return true
		}
	}
	return false
}
