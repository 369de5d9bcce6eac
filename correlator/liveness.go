package correlator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// A liveness fact stands in its incident as an alert that no rule made: so it is
// grouped, ranked, cleared and learned from like the others, and people read it
// where they read those. It was not received, so it has no fate to count.

// LivenessSource is the source of the alerts that liveness facts stand as.
const LivenessSource = "watchbill"

// Names of the alerts that liveness facts stand as.
const (
	HostDown = "HostDown"
	SiteDown = "SiteUnreachable"
)

// itemLabel names an item by its id, where a name may be that of several.
const itemLabel = "ci_id"

// liveness opens an incident for what was lost, at once: that the neighbours of a
// host agree on its death is no symptom to wait with. What is back ends its alert.
func (s *State) liveness(l *event.Liveness) {
	a := livenessAlert(l)
	series := LivenessSource + "\x00" + a.Fingerprint
	standing := slices.Clone(s.bySeries[series])
	if !l.Lost {
		for _, k := range standing {
			s.end(k, s.episodes.Get(k), AlertResolved, s.now, sentences(l, "it is back"))
		}
		return
	}
	if len(standing) > 0 {
		return // lost already: a fact told twice is one
	}
	key := episodeKey(LivenessSource, a)
	if old := s.episodes.Get(key); old != nil {
		a.StartsAt = s.now // lost again since the same moment, as far as its neighbours know
		key = episodeKey(LivenessSource, a)
	}
	ep := s.newEpisode(LivenessSource, key, a)
	s.bySeries[series] = insert(s.bySeries[series], key, strings.Compare)
	c, isNew := s.canonicalFor(key, ep, a)
	switch {
	case isNew && aboutSite(l):
		s.openSite(c)
	case !isNew || !s.joinVictims(c, ep):
		s.dispose(c, ep, isNew)
	}
	s.takeVictims(c)
	if g := s.groups.Get(c.Group); g != nil && g.Held {
		ep.Fate = FateIncident // before it opens: nothing is released, for nothing was held
		g = s.open(g, sentences(l, "lost"))
		ep.Why = "opened " + g.ID + ": what was lost is not held"
	}
	s.episodes.Touch(key)
	ep.Written = s.now
	doc := alertOf(ep, c)
	doc.Annotations = a.Annotations
	s.emit(AlertDecided{Alert: doc, Full: true})
}

// openSite gives a lost site a record of its own. It has no place in the topology,
// and what happened at the same time elsewhere is no reason to join that.
func (s *State) openSite(c *canonical) {
	c.Active = true
	g := &group{ID: heldPrefix + c.ID, Held: true, OpenedAt: s.now}
	s.groups.Put(g.ID, g)
	s.join(g, c)
}

// What runs on a host that was lost fails with it: that is known, not guessed, so
// it needs no odds.

const (
	victimsWithin = 10 * time.Minute // after the host was lost, or before its loss was told
	victimDepth   = 3                // container on service on host, say
)

// hostsOf lists the item and what it runs on, nearest first.
func (s *State) hostsOf(id string) []string {
	out := []string{id}
	for n := 0; n < len(out) && len(out) <= victimDepth; n++ {
		for _, e := range s.g.needs[out[n]] {
			if e.Type == "runs_on" && !slices.Contains(out, e.To) {
				out = append(out, e.To)
			}
		}
	}
	return out
}

// victims says whether all alerts of a group are about what runs on the host, and
// came about when it was lost.
func (s *State) victims(g *group, host string) bool {
	if !s.takes(g) || s.now.Sub(g.LastJoined) > victimsWithin {
		return false
	}
	for _, m := range g.Members {
		c := s.alerts.Get(m)
		if c == nil || c.Binding == nil || !c.Active || !slices.Contains(s.hostsOf(c.Binding.CI), host) {
			return false
		}
	}
	return len(g.Members) > 0
}

// joinVictims adds a lost host to the incident that what runs on it has opened.
func (s *State) joinVictims(c *canonical, ep *episode) bool {
	if c.Binding == nil {
		return false
	}
	if w, _, _ := s.planned(c); w != nil {
		return false
	}
	for _, g := range slices.Backward(s.recent[max(0, len(s.recent)-searchRecent):]) {
		if g.Held || !s.victims(g, c.Binding.CI) || s.apart(c, g) != "" {
			continue
		}
		c.Active = true
		why := "its alerts are about what runs on " + c.Binding.Name
		c.Evidence = []Evidence{{"topology", why, attachOdds}}
		s.join(g, c)
		s.unclear(g)
		s.touchGroup(g.ID, fmt.Sprintf("%s joined: %s", classOf(c), why))
		ep.Fate, ep.Why = FateIncident, why
		return true
	}
	return false
}

// takeVictims lets the incident of a lost host take in what waits on its account.
func (s *State) takeVictims(c *canonical) {
	g := s.groups.Get(c.Group)
	if g == nil || c.Binding == nil {
		return
	}
	for _, h := range slices.Clone(s.recent[max(0, len(s.recent)-searchRecent):]) {
		if h != g && h.Held && s.takes(g) && s.victims(h, c.Binding.CI) && s.apart(c, h) == "" {
			s.absorb(g, h, "it runs on "+c.Binding.Name+", which was lost")
		}
	}
}

// wreck finds the incident of a lost host that an alert's item runs on.
func (s *State) wreck(c *canonical) (*group, string) {
	if c.Binding == nil || broad(c) {
		return nil, ""
	}
	for _, host := range s.hostsOf(c.Binding.CI) {
		for _, k := range s.bySeries[LivenessSource+"\x00host/"+host] {
			lost := s.alerts.Get(s.episodes.Get(k).Canonical)
			if lost == nil || s.now.Sub(lost.First) > victimsWithin {
				continue
			}
			if g := s.groups.Get(lost.Group); g != nil && !g.Held && s.takes(g) {
				return g, c.Binding.Name + " runs on " + s.g.name(host) + ", which was lost"
			}
		}
	}
	return nil, ""
}

// testified says whether an alert is what the neighbours of something lost tell, not
// what a rule measured.
func (s *State) testified(c *canonical) bool {
	for _, k := range c.Episodes {
		if strings.HasPrefix(k, LivenessSource+"\x00") {
			return true
		}
	}
	return false
}

// isLost says whether the neighbours of a machine say now that it is gone.
func (s *State) isLost(host string) bool { return len(s.bySeries[LivenessSource+"\x00host/"+host]) > 0 }

// carries says whether a relation is by which a machine hangs on what carries it: its
// hypervisor, switch, power or rack.
func carries(relation string) bool {
	switch relation {
	case "runs_on", "attached_to", "powered_by", "located_in":
		return true
	}
	return false
}

const (
	// carrierDepth is how many relations up what carries a machine is looked for: a
	// host on a hypervisor in a rack on a power strip.
	carrierDepth = 3
	// carrierShare is the share of the machines on a switch, in a rack or on a power
	// strip that must be lost before their loss is one: two of forty are chance.
	carrierShare = 0.5
)

// carriersOf lists what a machine hangs on, nearest first. A site holds too much to be
// why a machine is lost.
func (s *State) carriersOf(host string) []string {
	out := []string{host}
	begin := 0
	for range carrierDepth {
		end := len(out)
		for ; begin < end; begin++ {
			for _, e := range s.g.needs[out[begin]] {
				n := s.g.nodes.Get(e.To)
				if n != nil && carries(e.Type) && sortOf(n.Class) != sortApp && n.Class != "site" && n.Class != "cluster" && !slices.Contains(out, e.To) {
					out = append(out, e.To)
				}
			}
		}
	}
	return out[1:]
}

// commonCarrier is what both machines hang on and what so many machines are lost with
// that it may be why; empty is nothing.
func (s *State) commonCarrier(a, b string) string {
	of := s.carriersOf(a)
	for _, id := range s.carriersOf(b) {
		if slices.Contains(of, id) && s.mayCarryLoss(id) {
			return id
		}
	}
	return ""
}

// mayCarryLoss says whether enough is lost of what an item carries.
func (s *State) mayCarryLoss(id string) bool {
	lost, all := 0, 0
	for _, e := range s.g.needed[id] {
		if n := s.g.nodes.Get(e.From); n != nil && carries(e.Type) && sortOf(n.Class) == sortMachine {
			all++
			if s.isLost(e.From) {
				lost++
			}
		}
	}
	n := s.g.nodes.Get(id)
	if n != nil && sortOf(n.Class) == sortMachine {
		return lost > 1 // machines die with the one that they run on, by two or by twenty
	}
	return lost > 1 && float64(lost) >= carrierShare*float64(all)
}

// lossesApart says why two sets of lost machines are not one failure. A machine does
// not die of another one's death unless it runs on it, or on what that ran on.
func (s *State) lossesApart(a, b []string) string {
	for _, x := range a {
		for _, y := range b {
			if x == y || slices.Contains(s.carriersOf(x), y) || slices.Contains(s.carriersOf(y), x) || s.commonCarrier(x, y) != "" {
				return ""
			}
		}
	}
	if len(a) == 0 || len(b) == 0 {
		return ""
	}
	return s.g.name(a[0]) + " and " + s.g.name(b[0]) + " were lost apart: nothing carries both"
}

// lossOf is the machine that an alert says is lost, as a list.
func (s *State) lossOf(c *canonical) []string {
	if c.Binding == nil || !s.testified(c) {
		return nil
	}
	return []string{c.Binding.CI}
}

func aboutSite(l *event.Liveness) bool { return l.CI == event.Ref{} }

func livenessAlert(l *event.Liveness) *event.Alert {
	labels := map[string]string{"severity": string(Critical)}
	a := &event.Alert{Status: event.Firing, StartsAt: l.Since}
	if aboutSite(l) {
		labels["alertname"], labels["site"] = SiteDown, l.Site
		a.Fingerprint = "site/" + l.Site
	} else {
		labels["alertname"], labels["host"], labels[itemLabel] = HostDown, l.CI.Name, l.CI.Key()
		if l.Site != "" {
			labels["site"] = l.Site
		}
		a.Fingerprint = "host/" + l.CI.Key()
	}
	a.Labels = event.LabelsFrom(labels)
	a.Annotations = event.LabelsFrom(map[string]string{"summary": summaryOf(l), "description": strings.Join(l.Evidence, "; ")})
	return a
}

func summaryOf(l *event.Liveness) string {
	since := l.Since.UTC().Format(time.RFC3339)
	if aboutSite(l) {
		return fmt.Sprintf("nothing is heard of site %s with its %d hosts since %s", l.Site, l.Hosts, since)
	}
	return fmt.Sprintf("%s does not answer since %s, its neighbours say", l.CI.Name, since)
}

func sentences(l *event.Liveness, otherwise string) string {
	if len(l.Evidence) == 0 {
		return otherwise
	}
	return strings.Join(l.Evidence, "; ")
}

// lasting says that an episode ends only by its own fact: silence means nothing.
func (ep *episode) lasting() bool { return ep.Source == LivenessSource }
