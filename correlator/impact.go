package correlator

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/topology"
)

// How grave an incident is: urgency from its alerts, impact from what fails with what
// they are about, by the failure model of the inventory. What something stands in for
// is degraded, not lost: one of two web servers is not the shop.

const (
	// impactHops is how far a failure is followed: five relations lead from the machine
	// below a database to a business service.
	impactHops = 5
	// impactItems bounds the items followed: from manyLost on, more change nothing.
	impactItems = 200
	// manyLost and someLost are how many items must be lost for a high and for a medium
	// impact where no criticality says more.
	manyLost = 10
	someLost = 2
)

// impacts in ITIL's words
const (
	highImpact   = 1
	mediumImpact = 2
	lowImpact    = 3
)

// priority derives impact from what fails with what alerts, and urgency from severity.
func (s *State) priority(a *Assessment) (impact, urgency int, derived string) {
	urgency = min(lowImpact, a.Severity.Rank()+1)
	impact, why := s.impactOf(a)
	return impact, urgency, fmt.Sprintf("urgency %d from severity %s; impact %d because %s", urgency, a.Severity, impact, why)
}

func (s *State) impactOf(a *Assessment) (int, string) {
	failed := slices.Clone(a.CIs)
	if a.Verdict.Grade == GradeCause && len(a.Causes) > 0 {
		failed = insert(failed, a.Causes[0].CI, strings.Compare)
	}
	failed = slices.DeleteFunc(failed, func(id string) bool { return s.g.nodes.Get(id) == nil })
	if len(failed) == 0 {
		return mediumImpact, "what it affects is not known"
	}
	lost, degraded, worst := s.losses(failed)
	what := s.g.name(failed[0])
	if len(failed) > 1 {
		what = fmt.Sprintf("the %d items that it is about", len(failed))
		if len(a.CIs) == maxNamed {
			what = fmt.Sprintf("%d of the items that it is about", len(failed))
		}
	}
	counts := []string{}
	if lost > 0 {
		counts = append(counts, fmt.Sprintf("%s with %s", fails(lost), what))
	}
	if degraded > 0 {
		counts = append(counts, fmt.Sprintf("something stands in for %s in %d more", what, degraded))
	}
	reason := strings.Join(counts, ", ")
	switch {
	case worst.at != "" && worst.level >= len(criticalities)-1:
		return highImpact, worst.name(s) + " carries a critical service"
	case lost >= manyLost:
		return highImpact, reason
	case worst.at != "" && worst.level == len(criticalities)-2:
		return mediumImpact, worst.name(s) + " carries a service of high criticality"
	case lost >= someLost:
		return mediumImpact, reason
	case reason == "":
		reason = "nothing else is known to depend on it"
	}
	return lowImpact, reason
}

func fails(n int) string {
	if n == 1 {
		return "1 other item fails"
	}
	return fmt.Sprintf("%d other items fail", n)
}

// criticalities in their order; what is degraded counts one less.
var criticalities = []string{"low", "medium", "high", "critical"}

// gravest is the most critical item that is affected, and which of what failed it is
// affected by.
type gravest struct {
	level int
	at    string
}

func (w gravest) name(s *State) string { return s.g.name(w.at) }

// losses counts what fails together with the items, and what is degraded.
func (s *State) losses(failed []string) (lost, degraded int, worst gravest) {
	worst.level = -1
	grave := func(id, at string, less int) {
		n := s.g.nodes.Get(id)
		if n == nil {
			return
		}
		if l := slices.Index(criticalities, n.Criticality) - less; l > worst.level {
			worst = gravest{l, at}
		}
	}
	for _, id := range failed {
		grave(id, id, 0)
	}
	g := failing{s.g, s.model}
	for _, e := range topology.Fail(g, failed, topology.Limits{Hops: impactHops, Items: impactItems}).Effects {
		switch {
		case e.Uncounted || s.onlyCalls(e.At, e.Via):
		case e.State == topology.Degraded:
			degraded++
			grave(e.At, e.Via, 1)
		default:
			grave(e.At, e.Via, 0)
			if e.Hops > 1 || s.noticed(e.At) {
				lost++
			}
		}
	}
	return lost, degraded, worst
}

// onlyCalls says whether an item stands for many programs of which one calls what is
// lost: the item itself goes on.
func (s *State) onlyCalls(id, via string) bool {
	n := s.g.nodes.Get(id)
	if n == nil || !s.model.classes.Role(n.Class).Many {
		return false
	}
	calls := false
	for _, e := range s.g.needs[id] {
		if t := s.model.relations[e.Type]; e.To == via && t != nil && t.Carries {
			if !t.Call {
				return false
			}
			calls = true
		}
	}
	return calls
}

// noticed says whether anybody needs an item: of what merely runs on a dead machine,
// what nothing calls makes the failure no wider.
func (s *State) noticed(id string) bool {
	n := s.g.nodes.Get(id)
	if n == nil || n.Criticality != "" {
		return n != nil
	}
	runs := slices.ContainsFunc(s.g.needs[id], func(e edge) bool { return e.Type == "runs_on" })
	return !runs || len(s.g.needed[id]) > 0
}

// failing shows the correlator's topology to the failure model.
type failing struct {
	g     *graph
	model *model
}

// model is what classes and relations mean for what fails with what.
type model struct {
	classes   *cmdb.Registry
	relations map[string]*cmdb.RelationType
}

// builtin are the classes and relations that need no configuration.
func builtin() *model {
	r, err := cmdb.NewRegistry()
	if err != nil {
		panic("correlator: the built-in classes: " + err.Error()) // none of them is input
	}
	m := &model{classes: r, relations: map[string]*cmdb.RelationType{}}
	for _, t := range r.Relations() {
		m.relations[t.Name] = &t
	}
	return m
}

// Node implements topology.Graph.
func (f failing) Node(id string) topology.Node {
	n := f.g.nodes.Get(id)
	if n == nil {
		return topology.Node{}
	}
	return topology.Node{Role: f.model.classes.Role(n.Class)}
}

// Alike implements topology.Graph: items of one class do the same where their names
// differ in numbers only, the machine that a name ends with aside.
func (f failing) Alike(id string) string {
	n := f.g.nodes.Get(id)
	if n == nil {
		return ""
	}
	name, _, _ := strings.Cut(n.Name, "@")
	if name = series(name); name == "" {
		return ""
	}
	return n.Class + " " + n.Cluster + " " + n.Namespace + " " + name
}

// Needs implements topology.Graph.
func (f failing) Needs(id string) iter.Seq[topology.Link[string]] {
	return f.links(f.g.needs[id], func(e edge) string { return e.To })
}

// Needed implements topology.Graph.
func (f failing) Needed(id string) iter.Seq[topology.Link[string]] {
	return f.links(f.g.needed[id], func(e edge) string { return e.From })
}

func (f failing) links(edges []edge, end func(edge) string) iter.Seq[topology.Link[string]] {
	return func(yield func(topology.Link[string]) bool) {
		for _, e := range edges {
			t := f.model.relations[e.Type]
			if t != nil && !yield(topology.Link[string]{End: end(e), Relation: t, Weight: 1}) {
				return
			}
		}
	}
}
