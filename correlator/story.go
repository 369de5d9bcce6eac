package correlator

import (
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// The pods of a workload come and go under new names, and its jobs' runs do: an alert
// about the next of them tells on what the last one told.

// passing are labels that name one pod, container, run or place of a workload, as
// kube-state-metrics, cAdvisor, OpenTelemetry and usual relabelling write them.
var passing = map[string]bool{
	"pod": true, "pod_name": true, "exported_pod": true, "kubernetes_pod_name": true, "k8s_pod_name": true, "k8s.pod.name": true,
	"uid": true, "pod_uid": true, "k8s_pod_uid": true, "k8s.pod.uid": true, "pod_ip": true, "host_ip": true, "container_id": true, "id": true, "name": true,
	"image": true, "image_id": true, "instance": true, "exported_instance": true, "service_instance_id": true, "service.instance.id": true,
	"node": true, "exported_node": true, "k8s_node_name": true, "k8s.node.name": true, "host": true, "replicaset": true, "pod_template_hash": true,
	"job_name": true, "exported_job_name": true,
}

// storyOf names what an alert about a part of a workload has in common with those about
// its other parts; without a workload it is the alert's own identity.
func (s *State) storyOf(c *canonical) string {
	workload := ""
	if b := c.Binding; b != nil {
		switch b.Class {
		case "workload":
			workload = b.CI
		case "pod":
			workload = s.workloadOf(b.CI)
		}
	}
	if workload == "" {
		return c.Identity
	}
	parts := []string{workload}
	for _, l := range c.Labels {
		if !passing[l.Name] && !slices.Contains(s.cfg.ReplicaLabels, l.Name) {
			parts = append(parts, l.Name, l.Value)
		}
	}
	return hashOf(parts...) + hashOf(append(parts, "2")...)
}

// register lets an alert hold its identity and its story from now on.
func (s *State) register(c *canonical) {
	c.Story = s.storyOf(c)
	for _, id := range []string{s.byIdentity[c.Identity], s.byStory[c.Story]} {
		if old := s.alerts.Get(id); old != nil && old.ID != c.ID {
			if old.Identity == c.Identity {
				old.Replaced, c.Before = true, old.record()
			}
			if old.Story == c.Story {
				old.Told, c.follows = true, old.Group
			}
			s.alerts.Touch(old.ID)
		}
	}
	s.byIdentity[c.Identity], s.byStory[c.Story] = c.ID, c.ID
}

// unregister gives them up, when the alert is forgotten.
func (s *State) unregister(c *canonical) {
	if s.byIdentity[c.Identity] == c.ID {
		delete(s.byIdentity, c.Identity)
	}
	if s.byStory[c.Story] == c.ID {
		delete(s.byStory, c.Story)
	}
}

// continued is the incident, resolved a moment ago, whose story an alert goes on with
// under another name: follows is where that was told last.
func (s *State) continued(follows string) *group {
	g := s.groups.Get(follows)
	if g == nil || g.Held || g.Closed || g.live() || s.now.Sub(g.ResolvedAt) > time.Duration(s.cfg.ReopenWindow) || len(g.Members) >= s.cfg.MaxGroup {
		return nil
	}
	return g
}

// resume reopens it.
func (s *State) resume(g *group, c *canonical, ep *episode) {
	why := "the same alert of the same workload came again " + event.Span(s.now.Sub(g.ResolvedAt)) + " after " + g.ID + " resolved"
	c.Evidence = []Evidence{{"habit", why, attachOdds}}
	s.revive(g, why, c.Onset)
	s.join(g, c)
	s.touchGroup(g.ID, "")
	ep.Fate, ep.Why = FateIncident, why
}

// commonStory is the story that all alerts of a group tell, or nothing.
func (s *State) commonStory(g *group) string {
	story := ""
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		switch {
		case c == nil:
		case story == "":
			story = c.Story
		case story != c.Story:
			return ""
		}
	}
	return story
}
