package correlator

import (
	"fmt"
	"strings"
)

const (
	// sureCause is the probability from which one item is called the cause, and sureSet
	// that from which the cause is said to be one of a few.
	sureCause = 0.6
	sureSet   = 0.6
	setMost   = 3 // items that are still "a few"
	// sureNone is the probability from which none of the suspects is the cause and none
	// is told.
	sureNone = 0.5
	// leastCause is the probability below which the best suspect is not told: of the
	// causes told so seldom sure one in five is right, and where the true cause is no
	// item of the inventory the best is mostly such a one.
	leastCause = 0.16
)

// verdict puts the probabilities into words.
func (s *State) verdict(g *group, v *scene, list []*suspect, none float64) Verdict {
	if abstains(v, list, none) {
		return s.unclearVerdict(g, v, list)
	}
	if list[0].p < sureCause && itself(v, list[0]) {
		return Verdict{Grade: GradeProbable, Text: s.itselfText(g, list[0].node.Name), Probability: list[0].p, Check: s.check(v, list)}
	}
	if list[0].p >= sureCause {
		return Verdict{Grade: GradeCause, Text: "Cause: " + naming(list[0]), Probability: list[0].p}
	}
	var names []string
	sum := 0.0
	for _, x := range list[:min(len(list), setMost)] {
		names = append(names, naming(x))
		if sum += x.p; sum >= sureSet {
			return Verdict{Grade: GradeProbable, Text: "Probably one of: " + strings.Join(names, ", "), Probability: quantise(sum), Check: s.check(v, list)}
		}
	}
	return s.unclearVerdict(g, v, list)
}

// abstains says that no suspect is worth telling.
func abstains(v *scene, list []*suspect, none float64) bool {
	if len(list) == 0 || none >= sureNone {
		return true
	}
	return list[0].p < leastCause && !itself(v, list[0])
}

// itself says that all alerts are about one item and that nothing is likelier to fail
// than that: there is nothing common to look for.
func itself(v *scene, best *suspect) bool {
	return v.unplaced == 0 && len(v.order) == 1 && v.order[0] == best.node.ID
}

// itselfText tells what fires at the only item of an incident.
func (s *State) itselfText(g *group, item string) string {
	var kinds []string
	for _, k := range s.kindsFiring(g) {
		kinds = append(kinds, k.name)
	}
	text := strings.Join(kinds[:min(len(kinds), setMost)], ", ")
	if n := len(kinds) - setMost; n > 0 {
		text += fmt.Sprintf(" and %d more kinds", n)
	}
	return item + " itself: " + text
}

func naming(x *suspect) string {
	return strings.ReplaceAll(x.node.Class, "_", " ") + " " + x.node.Name
}

// clock is how a verdict tells a time of day. Times are those of the alerts, in UTC.
const clock = "15:04 UTC"

// unclearVerdict says what is known although no cause is: the first alert, what all
// share, and what to look at.
func (s *State) unclearVerdict(g *group, v *scene, list []*suspect) Verdict {
	out := Verdict{Grade: GradeUnclear, Text: "No common cause"}
	if n := s.onlyItem(v); n != nil {
		out.Text, out.Check = s.itselfText(g, n.Name), s.check(v, list)
		return out
	}
	if first := s.earliest(g); first != nil {
		out.Text += "; first: " + classOf(first) + " at " + first.Onset.UTC().Format(clock)
		if first.Binding != nil {
			out.Text += " on " + first.Binding.Name
		} else if where := ownPlace(first); where != "" {
			out.Text += " on " + where
		}
	}
	out.Common = s.inCommon(g, v, list)
	out.Check = s.check(v, list)
	return out
}

// onlyItem is the item that all alerts are about; nil where they are about several, or
// about what is not known.
func (s *State) onlyItem(v *scene) *node {
	if v.unplaced > 0 || len(v.order) != 1 {
		return nil
	}
	return s.g.nodes.Get(v.order[0])
}

func (s *State) earliest(g *group) *canonical {
	var first *canonical
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && (first == nil || c.Onset.Before(first.Onset)) {
			first = c
		}
	}
	return first
}

// inCommon says what all that alerts has in common, the narrowest first.
func (s *State) inCommon(g *group, v *scene, list []*suspect) string {
	if len(g.Members) < 2 {
		return ""
	}
	var out []string
	if len(g.Classes) == 1 {
		for k := range g.Classes {
			out = append(out, "all are "+k)
		}
	}
	places := [...]struct {
		noun string
		of   func(n *node) string
	}{{"namespace", func(n *node) string { return n.Namespace }}, {"cluster", func(n *node) string { return n.Cluster }}}
	for _, p := range places {
		var shared string
		same := len(v.order) > 1
		for k, ci := range v.order {
			n := s.g.nodes.Get(ci)
			if n == nil || p.of(n) == "" || k > 0 && p.of(n) != shared {
				same = false
				break
			}
			shared = p.of(n)
		}
		if same {
			out = append(out, "all are in "+p.noun+" "+shared)
			break
		}
	}
	for _, x := range list {
		if n := x.items; x.own == nil && n > 1 {
			out = append(out, fmt.Sprintf("%d of %d need %s, which has no alert of its own", n, len(v.order), x.node.Name))
			break
		}
	}
	return strings.Join(out, "; ")
}

// check says what to look at next: what would tell the likeliest suspects apart.
func (s *State) check(v *scene, list []*suspect) string {
	var silent, own string
	for _, x := range list[:min(len(list), setMost)] {
		switch {
		case x.own == nil && silent == "":
			silent = x.node.Name
		case x.own != nil && own == "":
			own = x.node.Name
		}
	}
	switch {
	case silent != "" && own != "":
		return fmt.Sprintf("whether %s answers: it has no alert of its own; if it does, look at %s first", silent, own)
	case silent != "":
		return fmt.Sprintf("whether %s answers: it has no alert of its own", silent)
	case own != "":
		return fmt.Sprintf("%s first: it alerts itself", own)
	case v.unplaced > 0 && len(v.order) == 0:
		return "what its labels name: no item of the inventory is known by them"
	}
	return ""
}
