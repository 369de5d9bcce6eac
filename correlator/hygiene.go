package correlator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// What is found about a rule that its owner may want to mend.
const (
	NeverActed  = "never_acted"  // its incidents came and went without anybody
	NeverOpened = "never_opened" // all its alerts were held to their end
	Flapping    = "flapping"     // one of its alerts comes and goes many times a day
	NeverBound  = "never_bound"  // no alert of it names a known item
	LongFiring  = "long_firing"  // it fires for so long that nobody looks any more
)

const (
	actedFrom   = 3 // incidents before "nobody acts" says something
	openedFrom  = 10
	flapsFrom   = 6 // times within a day
	boundFrom   = 3
	longFrom    = 7 * 24 * time.Hour
	pairsFrom   = 5   // incidents before "always together" says something
	pairsAlways = 0.9 // of the incidents of each
	kindsMost   = 40  // kinds of alerts of an incident whose pairs are counted
)

// RuleHygiene is what a rule's alerts did in a time.
type RuleHygiene struct {
	Rule      string   `json:"rule"` // its alertname
	Alerts    int      `json:"alerts"`
	Incidents int      `json:"incidents"`
	Acted     int      `json:"acted"` // of these, those that a person acknowledged or resolved
	Held      int      `json:"held"`  // alerts that were held to their end, or are held
	Bound     int      `json:"bound"` // alerts that name a known item
	MostInDay int      `json:"most_in_day"`
	Longest   Duration `json:"longest"`
	Findings  []string `json:"findings"`
	Text      string   `json:"text"` // the findings as a sentence
}

// RulePair are rules whose alerts come together nearly always.
type RulePair struct {
	Rules     []string `json:"rules"`
	Incidents int      `json:"incidents"`
}

// HygieneReport says which rules cost attention without being of use.
type HygieneReport struct {
	Since    time.Time     `json:"since"`
	Until    time.Time     `json:"until"`
	Alerts   int           `json:"alerts"`
	Rules    []RuleHygiene `json:"rules"`    // those with findings, the most alerts first
	Together []RulePair    `json:"together"` // candidates for one rule, or for an inhibition
}

// Hygiene gathers a report from alert records. Its zero value is no use: New.
type Hygiene struct {
	now   time.Time
	rep   HygieneReport
	rules map[string]*ruleTally
	kinds map[string]map[string]bool // by incident
}

type ruleTally struct {
	RuleHygiene
	incidents map[string]bool
	days      map[string]int // by fingerprint and day
	long      int            // alerts that fire for too long
}

// NewHygiene begins a report of the alerts between since and now.
func NewHygiene(since, now time.Time) *Hygiene {
	return &Hygiene{now: now, rep: HygieneReport{Since: since, Until: now}, rules: map[string]*ruleTally{}, kinds: map[string]map[string]bool{}}
}

// Add counts one received episode; acted says whether a person did something about
// its incident.
func (h *Hygiene) Add(a Alert, acted func(incident string) bool) {
	name := a.Labels.Get("alertname")
	if name == "" {
		name = "?"
	}
	t := h.rules[name]
	if t == nil {
		t = &ruleTally{RuleHygiene: RuleHygiene{Rule: name}, incidents: map[string]bool{}, days: map[string]int{}}
		h.rules[name] = t
	}
	h.rep.Alerts++
	t.Alerts++
	if a.Binding != nil {
		t.Bound++
	}
	if a.Incident == "" && (a.FinalFate == FateHeld || a.FinalFate == "" && a.Fate == FateHeld) {
		t.Held++
	}
	if a.Incident != "" {
		if _, known := t.incidents[a.Incident]; !known {
			t.incidents[a.Incident] = acted(a.Incident)
		}
		if h.kinds[a.Incident] == nil {
			h.kinds[a.Incident] = map[string]bool{}
		}
		h.kinds[a.Incident][name] = true
	}
	day := a.Fingerprint + a.StartsAt.UTC().Format("2006-01-02")
	t.days[day]++
	t.MostInDay = max(t.MostInDay, t.days[day])
	end := h.now
	if a.EndsAt != nil {
		end = *a.EndsAt
	}
	d := end.Sub(a.StartsAt)
	t.Longest = max(t.Longest, Duration(d))
	if d >= longFrom {
		t.long++
	}
}

// Report judges what was gathered.
func (h *Hygiene) Report() HygieneReport {
	out := h.rep
	out.Rules, out.Together = []RuleHygiene{}, []RulePair{}
	for _, name := range slices.Sorted(maps.Keys(h.rules)) {
		t := h.rules[name]
		t.Incidents = len(t.incidents)
		for _, acted := range t.incidents {
			if acted {
				t.Acted++
			}
		}
		r := t.RuleHygiene
		r.Findings = []string{}
		say := func(finding, format string, args ...any) {
			r.Findings = append(r.Findings, finding)
			if r.Text != "" {
				r.Text += "; "
			}
			r.Text += fmt.Sprintf(format, args...)
		}
		if r.Incidents >= actedFrom && r.Acted == 0 {
			say(NeverActed, "nobody acted on any of its %d incidents", r.Incidents)
		}
		if r.Alerts >= openedFrom && r.Held == r.Alerts {
			say(NeverOpened, "all its %d alerts ended while they were held", r.Alerts)
		}
		if r.MostInDay >= flapsFrom {
			say(Flapping, "one of its alerts came %d times within a day", r.MostInDay)
		}
		if r.Alerts >= boundFrom && r.Bound == 0 {
			say(NeverBound, "none of its alerts names a known item")
		}
		if t.long > 0 {
			say(LongFiring, "%d of its alerts fired for %d days or longer", t.long, int(longFrom.Hours()/24))
		}
		if len(r.Findings) > 0 {
			out.Rules = append(out.Rules, r)
		}
	}
	slices.SortStableFunc(out.Rules, func(a, b RuleHygiene) int { return cmp.Compare(b.Alerts, a.Alerts) })
	out.Together = h.pairs()
	return out
}

// pairs finds rules whose alerts are in the same incidents nearly always.
func (h *Hygiene) pairs() []RulePair {
	both := map[[2]string]int{}
	for _, kinds := range h.kinds {
		if len(kinds) > kindsMost {
			continue
		}
		names := slices.Sorted(maps.Keys(kinds))
		for i, a := range names {
			for _, b := range names[i+1:] {
				both[[2]string{a, b}]++
			}
		}
	}
	out := []RulePair{}
	for p, n := range both {
		least := max(len(h.rules[p[0]].incidents), len(h.rules[p[1]].incidents))
		if n >= pairsFrom && float64(n) >= pairsAlways*float64(least) {
			out = append(out, RulePair{[]string{p[0], p[1]}, n})
		}
	}
	slices.SortFunc(out, func(a, b RulePair) int {
		return cmp.Or(cmp.Compare(b.Incidents, a.Incidents), slices.Compare(a.Rules, b.Rules))
	})
	return out
}
