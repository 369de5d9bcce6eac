package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// signature is what recurring incidents share: the suspected cause and the names
// of its own alerts, not the whole set of symptoms, which differs each time.
type signature struct {
	Title     string      `json:"title"`
	Incidents []string    `json:"incidents"` // newest last, at most sigKeep
	Times     []time.Time `json:"times"`
	Problem   string      `json:"problem,omitempty"`
	Due       time.Time   `json:"due,omitzero"`
}

const sigKeep = 50

// recognise looks whether an incident was seen before. It decides at the first
// moment at which there is a cause, and once.
func (s *State) recognise(g *group) {
	if g.Signature != "" || len(g.Last.Causes) == 0 {
		return
	}
	top := g.Last.Causes[0]
	var names []string
	for _, m := range g.Members {
		if c := s.alerts.Get(m); c != nil && c.Binding != nil && c.Binding.CI == top.CI {
			names = insert(names, c.Labels.Get("alertname"), strings.Compare)
		}
	}
	if len(names) == 0 {
		return
	}
	g.Signature = hashOf(append([]string{top.CI}, names[0])...)
	sig := s.sigs.Get(g.Signature)
	if sig == nil {
		sig = &signature{Title: fmt.Sprintf("%s on %s", names[0], top.Name)}
		s.sigs.Put(g.Signature, sig)
	}
	window := time.Duration(s.cfg.ProblemWindow)
	for len(sig.Times) > 0 && (s.now.Sub(sig.Times[0]) > window || len(sig.Times) >= sigKeep) {
		sig.Times, sig.Incidents = sig.Times[1:], sig.Incidents[1:]
	}
	if n := len(sig.Incidents); n > 0 {
		g.SeenBefore = sig.Incidents[n-1]
		s.touchGroup(g.ID, "seen before: "+g.SeenBefore)
	}
	sig.Incidents, sig.Times = append(sig.Incidents, g.ID), append(sig.Times, s.now)
	s.schedule(dueSignature, g.Signature, &sig.Due, s.now.Add(window))
	s.sigs.Touch(g.Signature)
	switch {
	case sig.Problem != "":
		g.Problem = sig.Problem
		s.emit(ProblemJoined{sig.Problem, g.ID, "the same cause and alerts again: " + sig.Title})
	case len(sig.Incidents) >= s.cfg.ProblemAfter:
		sig.Problem = s.seq("problem")
		g.Problem = sig.Problem
		s.emit(ProblemOpened{sig.Problem, sig.Title, g.Signature, slices.Clone(sig.Incidents),
			fmt.Sprintf("%d incidents of one signature within %s", len(sig.Incidents), window)})
	}
	s.groups.Touch(g.ID)
}
