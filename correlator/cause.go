package correlator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxNamed bounds the lists in an assessment: no document grows with its incident.
const maxNamed = 20

// assess computes what is held of an incident now.
func (s *State) assess(g *group) Assessment {
	a := Assessment{Severity: Info, SeenBefore: g.SeenBefore}
	var lead *canonical
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		shown, active := s.countEpisodes(c)
		a.Alerts += shown
		a.Active += active
		if c.Severity.Rank() < a.Severity.Rank() {
			a.Severity = c.Severity
		}
		if a.Onset.IsZero() || c.Onset.Before(a.Onset) {
			a.Onset = c.Onset
		}
		if c.Binding != nil {
			if len(a.CIs) < maxNamed {
				a.CIs = insert(a.CIs, c.Binding.CI, strings.Compare)
			}
			if c.Binding.Class == "service" && len(a.Services) < maxNamed {
				a.Services = insert(a.Services, c.Binding.Name, strings.Compare)
			}
		}
		if lead == nil || c.Severity.Rank() < lead.Severity.Rank() {
			lead = c
		}
	}
	if !g.Flood {
		a.Causes = s.causes(g)
	}
	a.Changes = s.suspects(a.Causes, a.CIs, a.Onset)
	a.Impact, a.Urgency, a.Derived = s.weigh(a)
	s.rule(g, &a)
	a.Title = s.title(g, a, lead)
	return a
}

// title names the cause first, else the gravest alert.
func (s *State) title(g *group, a Assessment, lead *canonical) string {
	if g.Flood {
		return fmt.Sprintf("Flood of %d alerts without known connection, of %d kinds", len(g.Members), len(g.Classes))
	}
	if lead == nil {
		return g.ID
	}
	name := lead.Labels.Get("alertname")
	if name == "" {
		name = "alert " + lead.ID
	}
	if len(a.Causes) > 0 {
		c := a.Causes[0]
		if lead.Binding == nil || lead.Binding.CI != c.CI {
			for _, m := range g.Members { // the cause's own alert says more than the gravest symptom
				if o := s.alerts.Get(m); o != nil && o.Binding != nil && o.Binding.CI == c.CI && o.Labels.Get("alertname") != "" {
					name = o.Labels.Get("alertname")
					break
				}
			}
		}
		t := fmt.Sprintf("%s on %s", name, c.Name)
		if n := len(a.CIs) - 1; n > 0 {
			t += fmt.Sprintf(" and %d more affected", n)
		}
		return t
	}
	if lead.Binding != nil {
		return fmt.Sprintf("%s on %s", name, lead.Binding.Name)
	}
	return name
}

// weigh derives impact from criticality and dependents, urgency from severity.
func (s *State) weigh(a Assessment) (impact, urgency int, derived string) {
	urgency = min(3, a.Severity.Rank()+1)
	impact, reason := 3, "nothing else is known to depend on it"
	for _, ci := range a.CIs {
		n, critical := s.g.dependents(ci, 3)
		name := s.g.name(ci)
		switch {
		case critical == "critical" || n >= 10:
			if impact > 1 {
				impact, reason = 1, fmt.Sprintf("%d items depend on %s", n, name)
				if critical == "critical" {
					reason = name + " carries a critical service"
				}
			}
		case critical == "high" || n >= 2:
			if impact > 2 {
				impact, reason = 2, fmt.Sprintf("%d items depend on %s", n, name)
				if critical == "high" {
					reason = name + " carries a service of high criticality"
				}
			}
		}
	}
	if impact == 3 && len(a.CIs) == 0 {
		impact, reason = 2, "what it affects is not known"
	}
	return impact, urgency, fmt.Sprintf("urgency %d from severity %s; impact %d because %s", urgency, a.Severity, impact, reason)
}

// affected is an item of an incident with what is seen there.
type affected struct {
	first   *canonical // its earliest alert
	classes []string
}

const (
	// rarelyItself weighs down what holds or feeds others and does not alert.
	rarelyItself = -5.3
	// priorShare is how much of the prior a ranking takes: where the alerts are says
	// more about the cause than about whether they belong together.
	priorShare = 0.5
)

// causeMax bounds the alerts that a ranking looks at: the earliest say most.
const causeMax = 400

// causes ranks what may have failed by how much better it explains where the
// alerts are, and where none are, than chance does. It abstains where no item
// explains enough: then the cause is none that the CMDB holds.
func (s *State) causes(g *group) []Cause {
	seen := map[string]*affected{}
	var order []string
	unplaced := 0
	for _, m := range g.Members[:min(len(g.Members), causeMax)] {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		if c.Binding == nil {
			unplaced++
			continue
		}
		a := seen[c.Binding.CI]
		if a == nil {
			a = &affected{first: c}
			seen[c.Binding.CI] = a
			order = append(order, c.Binding.CI)
		}
		if c.Onset.Before(a.first.Onset) {
			a.first = c
		}
		if class := classOf(c); !slices.Contains(a.classes, class) {
			a.classes = append(a.classes, class)
		}
	}
	if len(order) == 0 {
		return nil
	}
	list, evidence := s.rank(seen, order)
	ranking := make(map[string]bool, len(list))
	for _, r := range list {
		ranking[s.g.ids[r.at]] = true
	}
	changed := s.changedBefore(ranking, g.Onset)
	if len(changed) > 0 {
		weight := s.weights(g.Onset)
		for n := range list {
			if c, ok := changed[s.g.ids[list[n].at]]; ok {
				list[n].log = quantise(list[n].log + weight(c))
			}
		}
		slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.log, a.log) })
	}
	if len(list) == 0 || list[0].log < math.Log(unknownCause) {
		return nil
	}
	top := list[0].log
	g.Ranked = g.Ranked[:0]
	for _, r := range list[:min(len(list), 3)] {
		g.Ranked = append(g.Ranked, suspicion{CI: s.g.ids[r.at], Gain: quantise(math.Exp((r.log - top) / 4))})
	}
	_, blamed := changed[s.g.ids[list[0].at]]
	if !blamed && s.doubtful(g, seen, list[0].at, list[0].log, list[min(1, len(list)-1)].log, evidence, list[0].explained, list[0].items) {
		return nil
	}
	var out []Cause
	for _, r := range list {
		n := s.g.nodes.Get(s.g.ids[r.at])
		if n == nil || top-r.log > 12 {
			continue
		}
		path := fmt.Sprintf("explains %d of %d affected items", r.items, len(order))
		if own := seen[n.ID]; own != nil {
			path = strings.Join(own.classes[:min(len(own.classes), 3)], ", ") + " there; " + path
		} else {
			path = "no alert of its own; " + path
		}
		if c, ok := changed[n.ID]; ok {
			path = s.tell(c, g.Onset) + "; " + path
		}
		if r.far != "" {
			if way := s.g.way(r.far, n.ID, seen[r.far].first.Complaint); way != "" {
				path += " (" + way + ")"
			}
		}
		out = append(out, Cause{CI: n.ID, Class: n.Class, Name: n.Name, Score: quantise(math.Exp((r.log - top) / 4)), Path: path})
	}
	return out
}

// tally is what speaks for one item as a cause. It is kept by the number of the
// item, for all items, and cleared after use: a map would cost more than the sums.
type tally struct {
	gain      float64
	explained float64
	items     int
	far       string // an explained item, for the path
}

type ranked struct {
	at  int32
	log float64
	tally
}

// causesTold is how many causes are told at most.
const causesTold = 5

// rank lists the likeliest causes of what is seen, best first, and how much
// evidence there is in all.
func (s *State) rank(seen map[string]*affected, order []string) (list []ranked, evidence float64) {
	if n := len(s.g.ids) - len(s.tallies); n > 0 {
		s.tallies = append(s.tallies, make([]tally, n)...)
	}
	var touched []int32
	for _, ci := range order {
		weight := 1 + 0.3*float64(min(len(seen[ci].classes), 3)-1)
		evidence += weight
		for _, r := range s.reachesOf(seen[ci].first) {
			x := &s.tallies[r.at]
			if x.items == 0 {
				touched = append(touched, r.at)
			}
			x.gain += weight * r.shown
			x.explained += weight * min(1, r.strength*1.5)
			x.items++
			if x.far == "" && s.g.ids[r.at] != ci {
				x.far = ci
			}
		}
	}
	before := func(a, b ranked) int {
		if a.log != b.log {
			return cmp.Compare(b.log, a.log)
		}
		return strings.Compare(s.g.ids[a.at], s.g.ids[b.at])
	}
	for _, at := range touched {
		x := ranked{at: at, tally: s.tallies[at]}
		s.tallies[at] = tally{}
		p := s.g.logPrior(at)
		if p < -20 {
			continue // a place, not a thing that fails
		}
		// A rarely failing class weighs less, so an item that is not among the best
		// with its full prior is not with less.
		x.log = quantise(priorShare*p + x.gain + evidence*logStray)
		if len(list) == causesTold && before(x, list[causesTold-1]) > 0 {
			continue
		}
		if n := s.g.nodes.Get(s.g.ids[at]); n != nil && (n.Class == "rack" || n.Class == "pdu") && seen[n.ID] == nil {
			p += rarelyItself // it groups, but what it holds or feeds seldom fails through it
			x.log = quantise(priorShare*p + x.gain + evidence*logStray)
		}
		n, _ := slices.BinarySearchFunc(list, x, before)
		list = slices.Insert(list, n, x)
		list = list[:min(len(list), causesTold)]
	}
	return list, evidence
}

const (
	wellExplained = 0.9
	wellCovered   = 0.3
)

// doubtful says that the best explanation is too poor to be told: an item that
// does not alert itself, where another explains the same as well, where too little
// of what it would bring down is down, or where one and the same complaint of
// machines everywhere points at what they happen to share.
func (s *State) doubtful(g *group, seen map[string]*affected, at int32, best, second, evidence, explained float64, items int) bool {
	n := s.g.nodes.Get(s.g.ids[at])
	if n == nil || seen[n.ID] != nil {
		return false
	}
	close := math.Exp((second - best) / 4)
	if len(seen) == 1 {
		close = 0 // one item: what it needs is all there is to say
	}
	coverage := explained / s.g.mass(at)
	switch {
	case close > 0.75 && items > 1:
		return true
	case n.serves() && coverage < 0.4:
		return true
	case items <= 2 && close > 0.45:
		return true
	}
	if n.Class == "switch" || n.Class == "hypervisor" || n.Class == "pdu" || n.Class == "rack" {
		most, total := 0, 0
		for _, k := range g.Classes {
			most = max(most, k)
			total += k
		}
		if items >= 5 && float64(most) >= 0.7*float64(total) && coverage < 0.6 && (best+4)/evidence < 2.2 {
			return true
		}
		// In a small estate nothing is much likelier than chance: there it counts that
		// most of what alerts is below it, and enough of what is below it alerts.
		if items >= 5 && float64(items) >= wellExplained*float64(len(seen)) && coverage >= wellCovered {
			return false
		}
		return (best+4)/evidence < 1
	}
	return false
}
