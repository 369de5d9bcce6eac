package correlator

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

const (
	// promising is the share of a class's alerts that began incidents from which a
	// lone one is not kept waiting; shortHold is how long it waits then.
	promising = 0.18
	shortHold = 45 * time.Second
	// habitFrom is how often an alert must have come and gone alone to be known for it.
	habitFrom = 2
)

// holdOf is how long an alert waits for company before it opens an incident by itself.
// Where experience says that alerts of its class mostly begin incidents, it waits less.
func (s *State) holdOf(c *canonical) time.Duration {
	if hold, r := s.ruledHold(c); r != nil {
		return hold
	}
	hold := time.Duration(s.cfg.Hold[c.Severity])
	if c.Severity.Rank() > Major.Rank() {
		if s.promise(classOf(c)) >= promising {
			hold = min(hold, shortHold)
		}
	}
	return hold
}

// silent says why an alert opens nothing and joins nothing: its rule tells other
// programs of something, and no people. A rule of ours may decide otherwise.
func (s *State) silent(c *canonical) string {
	if c.Severity != None {
		return ""
	}
	if _, r := s.ruledHold(c); r != nil {
		return ""
	}
	return fmt.Sprintf("held: its severity %q says that it calls nobody; it opens no incident", c.Labels.Get(s.cfg.SeverityLabel))
}

// holdDeadline is when a held group opens without further evidence; zero is never:
// it stays held, and is shown so, until it ends or finds company.
func (s *State) holdDeadline(g *group) time.Time {
	var at time.Time
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil || !c.Active {
			continue
		}
		hold := s.holdOf(c)
		if hold < 0 {
			continue // a rule has it open nothing by itself
		}
		until := c.First.Add(hold)
		if _, r := s.ruledHold(c); r == nil {
			if _, n := s.habitual(c); n >= habitFrom && c.Severity != Critical {
				continue // it comes and goes
			}
			until = waited(c, hold)
		}
		if at.IsZero() || until.Before(at) {
			at = until
		}
	}
	return at
}

// waited is when an alert has waited its hold. What its Alertmanager kept back
// before it sent it counts, up to half: company that began with it is on its way too,
// but each group of notifications has its own clock.
func waited(c *canonical, hold time.Duration) time.Time {
	return latest(c.Onset.Add(hold), c.First.Add(hold/2))
}

func (s *State) scheduleHold(g *group) {
	at := s.holdDeadline(g)
	if !at.IsZero() && !at.After(s.now) {
		at = s.now.Add(time.Millisecond)
	}
	s.schedule(dueHold, g.ID, &g.HoldDue, at)
	s.groups.Touch(g.ID)
}

func (s *State) holdReason(g *group) string {
	at := s.holdDeadline(g)
	var c *canonical
	if len(g.Members) > 0 {
		c = s.alerts.Get(g.Members[len(g.Members)-1])
	}
	unbound := ""
	if c != nil && c.Binding == nil {
		why := c.Unbound
		if why == "" { // the record has it: find it out again
			_, why = s.g.bind(c.Labels, "")
		}
		unbound = "; " + why
	}
	company := ""
	if n := len(g.Members) - 1; n > 0 {
		company = fmt.Sprintf(" with %d like it", n)
	}
	if c != nil {
		if text := s.ruledHoldText(c); text != "" {
			return "held" + company + ": " + text + unbound
		}
	}
	if at.IsZero() {
		n := 0
		if c != nil {
			_, n = s.habitual(c)
		}
		return fmt.Sprintf("held%s: it came and went alone %d times before; waits for company or its end%s", company, n, unbound)
	}
	return fmt.Sprintf("held%s: waits up to %s for company or its end before it opens an incident%s", company, event.Span(at.Sub(s.now)), unbound)
}

// maybeOpen opens a held group whose evidence suffices.
func (s *State) maybeOpen(g *group, why string) {
	critical, habitual := 0, 0
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if c.Severity == Critical {
			critical++
		}
		if _, n := s.habitual(c); n >= habitFrom {
			habitual++
		}
	}
	// An alert that comes and goes by itself is poor company: that it fires beside
	// another is chance more often than one failure.
	n := len(g.Members)
	if g.sole() != "" {
		s.scheduleHold(g)
		return
	}
	if n >= manyTogether || n >= 3 && n-habitual >= 2 || n == 2 && habitual == 0 && (critical > 0 || g.Bond >= surePair) {
		s.open(g, fmt.Sprintf("%d alerts that belong together: %s", n, why))
		return
	}
	s.scheduleHold(g)
}

const (
	// surePair is the log odds from which two warnings are enough for an incident.
	surePair = 1.7
	// manyTogether is how many alerts open an incident although each of them is known
	// to come and go alone.
	manyTogether = 5
)

// holdOver opens an incident for alerts that waited in vain for company.
func (s *State) holdOver(id string) {
	g := s.groups.Get(id)
	s.groups.Touch(id)
	if g == nil || !g.Held {
		return
	}
	if at := s.holdDeadline(g); at.IsZero() || at.After(s.now) {
		s.scheduleHold(g)
		return
	}
	if len(g.Members) == 1 {
		c := s.alerts.Get(g.Members[0])
		if s.joinLate(g, c) {
			return
		}
		s.cameAlone(c)
		if s.sameRecord(g, c) || s.swept(g) {
			return
		}
		s.open(g, "still firing after its hold, without company")
		return
	}
	s.open(g, "still firing after their hold")
}

const (
	// loneMost is how many alerts may open incidents by themselves within about
	// loneSpan; more share one record, so that a flood of what nothing is known of
	// does not page once per alert.
	loneMost = 40
	loneSpan = 5 * time.Minute
)

// swept lets an alert share the record of a flood, if there is one.
func (s *State) swept(g *group) bool {
	l := s.books()
	l.Lone = quantise(decayed(l.Lone, s.now.Sub(l.LoneAt), loneSpan)) + 1
	l.LoneAt = s.now
	s.totals.Touch(ledgerKey)
	if l.Lone <= loneMost {
		return false
	}
	why := fmt.Sprintf("more than %d alerts without known connection came within %s: they share this record", loneMost, event.Span(loneSpan))
	if storm := s.groups.Get(l.Storm); storm != nil && storm.live() && s.now.Sub(storm.LastJoined) <= linger {
		if c := s.alerts.Get(g.Members[0]); c != nil && len(c.Evidence) == 0 {
			c.Evidence = []Evidence{{"flood", why, 1}}
		}
		s.absorb(storm, g, why)
		return true
	}
	opened := s.open(g, why)
	opened.Flood = true
	l.Storm = opened.ID
	return true
}

// joinLate looks once more for an incident that a lone alert belongs to.
func (s *State) joinLate(g *group, c *canonical) bool {
	v := s.sight(c)
	var best fit
	for _, o := range s.nearby(v.reaches, v.near, g) {
		f := s.fitness(v, o)
		if s.apart(c, o) != "" {
			continue
		}
		if t := f.total(); t >= attachOdds && (best.g == nil || t > best.total()) {
			best = f
		}
	}
	if best.g == nil {
		return false
	}
	c.Evidence = s.evidence(c, best)
	best.g.Bond = quantise(best.g.Bond + best.total())
	into := s.detach(best.g)
	s.absorb(into, g, sentence(c.Evidence))
	if into.Held {
		s.maybeOpen(into, sentence(c.Evidence))
	}
	return true
}

// sizes at which a growing group looks for held alerts and incidents that it explains
var sweepAt = []int{2, 3, 4, 5, 7, 9, 12, 16, 22, 30, 45, 70, 110, 180, 300}

// sweep lets a group that has grown take in what was held before its cause was
// clear, and other groups of the same cause.
func (s *State) sweep(g *group) *group {
	if !slices.Contains(sweepAt, len(g.Members)) {
		return g
	}
	w, _, _ := s.posterior(g)
	var at []reach
	for i, x := range g.Suspects {
		if w[i] > 0.02 && len(at) < 8 {
			at = append(at, reach{at: x.at, strength: 1})
		}
	}
	for _, h := range s.nearby(at, nil, g) {
		if !s.takes(h) || !s.takes(g) {
			continue
		}
		if h.sole() == "" || len(h.Members) == 1 && !h.Held && s.now.Sub(h.LastJoined) < 10*time.Minute {
			g = s.maybeMerge(g, h)
			continue
		}
		c := s.alerts.Get(h.Members[len(h.Members)-1])
		if c == nil || !c.Active {
			continue
		}
		f := s.fitness(s.sight(c), g)
		if s.now.Sub(c.First) > 10*time.Minute {
			f.time = math.Min(f.time, 0) // it did not come with the others
		}
		if s.accuses(g, c) {
			f.age, f.habit = 0, f.habit/2 // the cause itself may complain long before it fails
		}
		if f.total() < attachOdds || s.apart(c, g) != "" {
			continue
		}
		c.Evidence = s.evidence(c, f)
		g.Bond = quantise(g.Bond + f.total())
		why := sentence(c.Evidence)
		s.absorb(g, s.detach(h), why)
		if g.Held {
			s.maybeOpen(g, why)
		}
	}
	return g
}

// accuses says whether the alert is about what the group suspects most, or about
// what that runs on or carries.
func (s *State) accuses(g *group, c *canonical) bool {
	w, _, _ := s.posterior(g)
	if c.Binding == nil || len(g.Suspects) == 0 || w[0] < 0.25 || broad(c) {
		return false
	}
	top := g.Suspects[0].CI
	if top == c.Binding.CI {
		return true
	}
	for _, e := range s.g.needs[c.Binding.CI] {
		if e.To == top && e.Type == "runs_on" {
			return true
		}
	}
	for _, e := range s.g.needed[c.Binding.CI] {
		if e.From == top && e.Type == "runs_on" && machineClass(c.Binding.Class) {
			return true
		}
	}
	return false
}

// mergeOdds is how likely one failure must be against two for groups to merge. It
// is below even odds because one failure in two records costs its reader more than
// what a merge that has to be split again does.
const mergeOdds = -1.0

// maybeMerge joins two groups where one failure explains both better than two do.
// It returns the group that holds g's alerts afterwards.
func (s *State) maybeMerge(g, h *group) *group {
	if len(g.Members)+len(h.Members) > s.cfg.MaxGroup || g == h || s.apartGroups(g, h) != "" || slices.Contains(g.Apart, h.ID) || slices.Contains(h.Apart, g.ID) {
		return g
	}
	_, _, bg := s.posterior(g)
	_, _, bh := s.posterior(h)
	best, cause := math.Inf(-1), ""
	for _, x := range g.Suspects {
		for _, y := range h.Suspects {
			if x.at != y.at {
				continue
			}
			if l := s.g.logPrior(x.at) + x.Gain + y.Gain + (g.Evidence+h.Evidence)*logStray; l > best {
				best, cause = l, x.CI
			}
			break
		}
	}
	if cause == "" {
		return g
	}
	// Two failures so close together are rare themselves.
	apart := g.Middle.Sub(h.Middle).Abs()
	coincidence := -math.Log(failureRate * (apart.Minutes() + 5))
	// And what one failure does, it does soon.
	spread := max(0, apart.Minutes()-10) / 12
	odds := quantise(best - bg - bh + coincidence - spread)
	if odds < mergeOdds {
		return g
	}
	why := fmt.Sprintf("a failure of %s would explain both", s.g.name(cause))
	into, from := g, h
	if g.Held && !h.Held || g.Held == h.Held && h.OpenedAt.Before(g.OpenedAt) {
		into, from = h, g
	}
	into.Bond = quantise(into.Bond + from.Bond + odds)
	s.absorb(into, from, why)
	if into.Held {
		s.maybeOpen(into, why)
	}
	return into
}
