package correlator

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// What may have failed, and what speaks for each. A suspect is an item whose failure
// could show where the alerts are; features are what is counted of it, in terms of any
// estate: its own alerts, what it explains, when it began, what it is. None of them
// knows the name of a rule or of an item.

// affected is an item of an incident with what is seen there.
type affected struct {
	first   *canonical // its earliest alert
	classes []string
	alerts  int
	rank    int  // of its gravest alert
	lost    bool // its neighbours say that it is gone
	guess   bool // its alerts name it only for want of something nearer
}

// scene is what is seen of an incident when its cause is sought.
type scene struct {
	items    map[string]*affected
	order    []string // the items as they came
	alerts   int      // that are about an item
	unplaced int      // that are about none that is known
	onset    time.Time
	rank     int // of the gravest alert
	evidence float64
	changed  map[string]*change // suspects that were changed just before
}

// causeMax bounds the alerts that a ranking looks at: the earliest say most.
const causeMax = 400

// survey gathers what is seen of a group.
func (s *State) survey(g *group) *scene {
	v := &scene{items: map[string]*affected{}, rank: Info.Rank()}
	for _, m := range g.Members[:min(len(g.Members), causeMax)] {
		c := s.alerts.Get(m)
		if c == nil {
			continue
		}
		v.rank = min(v.rank, c.Severity.Rank())
		if c.Binding == nil {
			v.unplaced++
			continue
		}
		v.alerts++
		a := v.items[c.Binding.CI]
		if a == nil {
			a = &affected{first: c, rank: Info.Rank(), guess: true}
			v.items[c.Binding.CI] = a
			v.order = append(v.order, c.Binding.CI)
		}
		a.alerts++
		a.rank = min(a.rank, c.Severity.Rank())
		a.guess = a.guess && broad(c)
		a.lost = a.lost || s.testified(c)
		if c.Onset.Before(a.first.Onset) {
			a.first = c
		}
		if class := classOf(c); !slices.Contains(a.classes, class) {
			a.classes = append(a.classes, class)
		}
		if v.onset.IsZero() || c.Onset.Before(v.onset) {
			v.onset = c.Onset
		}
	}
	return v
}

// tally is what speaks for one item as a cause. It is kept by the number of the
// item, for all items, and cleared after use: a map would cost more than the sums.
type tally struct {
	gain      float64
	explained float64
	strength  float64 // summed over other items
	items     int     // explained at all
	others    int     // of them, not the item itself, explained clearly
	far       string  // an explained item, for the path
}

// suspect is one item that may be the cause.
type suspect struct {
	at   int32
	node *node
	own  *affected // nil: it has no alert of its own
	log  float64   // how well it explains what is seen, by the model of spread
	tally
	x [featureCount]float64
	p float64 // probability that it is the cause
}

const (
	// suspectsMost is how many items are weighed as causes, beside those that alert.
	suspectsMost = 24
	// clearly is from which strength an item explains another well enough to say so.
	clearly = 0.1
	// priorShare is how much of the prior a ranking takes: where the alerts are says
	// more about the cause than about whether they belong together.
	priorShare = 0.5
)

// suspectsOf lists what may have failed, the best by the model of spread first.
func (s *State) suspectsOf(v *scene) []*suspect {
	if n := len(s.g.ids) - len(s.tallies); n > 0 {
		s.tallies = append(s.tallies, make([]tally, n)...)
	}
	var touched []int32
	v.evidence = 0
	for _, ci := range v.order {
		weight := 1 + 0.3*float64(min(len(v.items[ci].classes), 3)-1)
		v.evidence += weight
		for _, r := range s.reachesOf(v.items[ci].first) {
			x := &s.tallies[r.at]
			if x.items == 0 {
				touched = append(touched, r.at)
			}
			x.gain += weight * r.shown
			x.explained += weight * min(1, r.strength*1.5)
			x.items++
			if s.g.ids[r.at] != ci {
				x.strength += r.strength
				if r.strength >= clearly {
					x.others++
				}
				if x.far == "" {
					x.far = ci
				}
			}
		}
	}
	list := make([]*suspect, 0, len(touched))
	for _, at := range touched {
		x := &suspect{at: at, tally: s.tallies[at], node: s.g.nodes.Get(s.g.ids[at])}
		s.tallies[at] = tally{}
		if x.node == nil {
			continue
		}
		x.own = v.items[x.node.ID]
		x.log = quantise(priorShare*s.g.logPrior(at) + x.gain + v.evidence*logStray)
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *suspect) int {
		return cmp.Or(cmp.Compare(b.log, a.log), strings.Compare(a.node.ID, b.node.ID))
	})
	n := 0
	list = slices.DeleteFunc(list, func(x *suspect) bool {
		n++
		return n > suspectsMost && x.own == nil
	})
	return list
}

// features of a suspect, in the order of its vector.
const (
	fModel       = iota // how well it explains what is seen, beside the best
	fExplained          // share of the other items that it explains clearly
	fStrength           // how strongly, on the mean
	fCoverage           // how much of what would fail with it is seen to
	fUp                 // how strongly another item that alerts explains it
	fUpEarly            // the same, where that one began no later
	fDependents         // share of what needs it directly that alerts
	fComplaining        // how many of what needs it directly alert
	fChanged            // it was changed just before
	fOwn                // it has alerts of its own
	fOwnKinds           // of several kinds
	fOwnShare           // share of all alerts
	fOwnGravest         // as grave as any
	fOwnFirst           // among the first
	fOwnLate            // how late
	fOwnOrder           // share of what it explains that began no earlier
	fOwnWide            // in an incident of many items
	fGuess              // it only stands for somewhere within it
	fOnly               // nothing else alerts
	fServes             // a whole cluster needs it
	fMachine            // what it is, if it alerts
	fNetwork
	fData
	fPlace
	fOutside
	fSilentMachine // what it is, if it does not
	fSilentNetwork
	fSilentApp
	fSilentData
	fSilentPlace
	fSilentOutside
	fSilentLone        // it explains one item
	fSilentFeeds       // it holds or feeds others, which seldom fail through it
	fSilentStrength    // how strongly it explains the others
	fSilentDependents  // share of what needs it directly that alerts
	fSilentComplaining // how many of it alert
	fSilentWide        // in an incident of many items
	fSilentPart        // one of several that are alike and make up another item
	featureCount
)

// sorts of items, by what their failure looks like
const (
	sortApp = iota
	sortMachine
	sortNetwork
	sortData
	sortPlace
	sortOutside
)

func sortOf(class string) int {
	switch class {
	case "switch", "pdu", "router", "firewall", "network", "loadbalancer":
		return sortNetwork
	case "namespace", "cluster", "site", "rack":
		return sortPlace
	case "external", "certificate":
		return sortOutside
	case "container":
		return sortApp
	}
	switch {
	case machineClass(class):
		return sortMachine
	case engineClass(class):
		return sortData
	}
	return sortApp
}

const (
	// modelFade and modelLeast scale how much worse than the best a suspect explains.
	modelFade, modelLeast = 4.0, -5.0
	// coverLeast is the logarithm below which coverage says no more.
	coverLeast = -6.0
	// sameTime is within which two onsets are one: rules are evaluated that seldom.
	sameTime = time.Minute
	// lateMost is from when later is no different.
	lateMost = 30 * time.Minute
)

// describe fills in the features of all suspects.
func (s *State) describe(v *scene, list []*suspect) {
	if len(list) == 0 {
		return
	}
	best := list[0].log
	var weight func(*change) float64
	if len(v.changed) > 0 {
		weight = s.weights(v.onset)
	}
	for _, x := range list {
		f := &x.x
		f[fModel] = max(modelLeast, (x.log-best)/modelFade)
		others := len(v.order)
		if x.own != nil {
			others--
		}
		if others > 0 {
			f[fExplained] = float64(x.others) / float64(others)
			f[fStrength] = x.strength / float64(others)
		}
		f[fCoverage] = max(coverLeast, math.Log(max(1e-9, x.explained/s.g.mass(x.at)))) / -coverLeast
		s.upstream(v, x)
		s.dependants(v, x)
		if c := v.changed[x.node.ID]; c != nil {
			f[fChanged] = weight(c)
		}
		if x.node.serves() {
			f[fServes] = 1
		}
		sort := sortOf(x.node.Class)
		if x.own == nil {
			f[[...]int{fSilentApp, fSilentMachine, fSilentNetwork, fSilentData, fSilentPlace, fSilentOutside}[sort]] = 1
			f[fSilentStrength], f[fSilentDependents], f[fSilentComplaining] = f[fStrength], f[fDependents], f[fComplaining]
			f[fSilentWide] = math.Log(float64(len(v.order)))
			if x.node.Class == "rack" || x.node.Class == "pdu" {
				f[fSilentFeeds] = 1
			}
			if x.items < 2 {
				f[fSilentLone] = 1
			}
			if x.node.Class == "pod" || x.node.Class == "container" {
				f[fSilentPart] = 1
			}
			continue
		}
		if sort != sortApp {
			f[[...]int{0, fMachine, fNetwork, fData, fPlace, fOutside}[sort]] = 1
		}
		s.ownAlerts(v, x)
	}
}

// ownAlerts describes what is seen at the suspect itself.
func (s *State) ownAlerts(v *scene, x *suspect) {
	f, own := &x.x, x.own
	f[fOwn] = 1
	f[fOwnKinds] = math.Log(float64(len(own.classes)))
	f[fOwnShare] = float64(own.alerts) / float64(v.alerts)
	if own.rank == v.rank {
		f[fOwnGravest] = 1
	}
	late := own.first.Onset.Sub(v.onset)
	if late <= sameTime {
		f[fOwnFirst] = 1
	}
	f[fOwnLate] = min(late, lateMost).Minutes() / lateMost.Minutes()
	f[fOwnWide] = math.Log(float64(len(v.order)))
	if own.guess {
		f[fGuess] = 1
	}
	if len(v.order) == 1 {
		f[fOnly] = 1
	}
	after, all := 0, 0
	for _, ci := range v.order {
		if ci == x.node.ID {
			continue
		}
		for _, r := range s.reachesOf(v.items[ci].first) {
			if r.strength < clearly {
				break
			}
			if r.at == x.at {
				all++
				if v.items[ci].first.Onset.Add(sameTime).After(own.first.Onset) {
					after++
				}
				break
			}
		}
	}
	if all > 0 {
		f[fOwnOrder] = float64(after) / float64(all)
	}
}

// upstream finds what alerts among what the suspect needs itself.
func (s *State) upstream(v *scene, x *suspect) {
	for _, r := range s.g.reaches(x.at, plain) {
		a := v.items[s.g.ids[r.at]]
		if a == nil || r.at == x.at || a.guess {
			continue
		}
		x.x[fUp] = max(x.x[fUp], r.strength)
		if x.own == nil || !a.first.Onset.After(x.own.first.Onset.Add(sameTime)) {
			x.x[fUpEarly] = max(x.x[fUpEarly], r.strength)
		}
	}
}

// dependants counts what needs the suspect directly, and how much of that alerts.
func (s *State) dependants(v *scene, x *suspect) {
	all, alert := 0, 0
	for n, e := range s.g.needed[x.node.ID] {
		if n == fanMax {
			break
		}
		if e.Type == "located_in" {
			continue
		}
		all++
		if v.items[e.From] != nil {
			alert++
		}
	}
	if all > 0 {
		x.x[fDependents] = float64(alert) / float64(all)
		x.x[fComplaining] = math.Log(1 + float64(alert))
	}
}
