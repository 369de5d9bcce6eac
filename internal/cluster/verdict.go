// Package cluster tells who is alive: a mesh of agents per site that watch each
// other (mesh.go), and the verdict that the server draws from their testimony
// (this file, pure). It gives liveness and hints; it refuses to be a lock, a
// store or a way to send commands, and nobody's decision may rest on a mesh
// that is complete.
package cluster

import (
	"fmt"
	"hash/fnv"
	"sort"
	"time"
)

// Verdict is what became of a host.
type Verdict string

const (
	// Fine: the host was heard, or nobody says otherwise.
	Fine Verdict = "fine"
	// Silent: it was not heard for long, and nobody else can say why.
	Silent Verdict = "silent"
	// HostGone: it does not answer anybody any more.
	HostGone Verdict = "host_gone"
	// AgentGone: the host answers its neighbours, its agent does not.
	AgentGone Verdict = "agent_gone"
	// SiteCutOff: no agent of its site is heard; of the host nothing is known.
	SiteCutOff Verdict = "site_cut_off"
)

// Testimony is what one agent says about another that it lost.
type Testimony struct {
	Witness string    // the agent that says it
	About   string    // the agent that it is about
	At      time.Time // when the witness saw it
	Gone    bool      // the mesh took it for dead; false: it is back
	// Answers says that the host itself still answers (it refused a connection
	// to the agent's port, which a dead host cannot).
	Answers bool
	// Connections counts the witness's live connections with the host.
	Connections int
}

// Host is what the server knows of one agent's host.
type Host struct {
	Agent     string
	LastHeard time.Time     // its newest report or pulse
	Interval  time.Duration // in which it should report
}

// Site is one mesh as the server knows it.
type Site struct {
	Name string
	// Pulse is how often somebody of the site is heard, whoever it is; 0 when no
	// member promised to speak for it.
	Pulse       time.Duration
	LastHeard   time.Time // of any member
	Hosts       []Host
	Testimonies []Testimony // those received so far, in any order
}

// Judgement is a verdict with what it rests on, in words for people.
type Judgement struct {
	Agent   string // "" for the site as a whole
	Verdict Verdict
	Since   time.Time // when that state began, as far as is known
	Reasons []string
}

const (
	// missed is how many intervals of silence are no accident.
	missed = 3
	// cutOffMembers is how many agents a site needs for their common silence to
	// say something about the site.
	cutOffMembers = 2
	// quorum is how many witnesses it takes to lose a host that is not overdue
	// itself: one alone may be cut off, or not be who it says it is.
	quorum = 2
)

// Judge draws a verdict for the site as a whole and one for every host of it, by
// agent. It is pure: now is the server's clock.
//
// A site of which nobody is heard is cut off: none of its agents could have told
// the server of a death, so silence proves none, and nothing is said of its hosts.
// Otherwise a host counts as gone when its neighbours say so and it was not heard
// since, and it is the agent alone that is gone when the host still answers any of
// them. Without neighbours' testimony long silence stays silence: a stopped agent
// and a dead host look alike from afar.
func Judge(now time.Time, site Site) (whole Judgement, hosts []Judgement) {
	whole = Judgement{Verdict: Fine, Since: site.LastHeard}
	if silence, limit := now.Sub(site.LastHeard), site.patience(); len(site.Hosts) >= cutOffMembers && silence > limit {
		whole.Verdict = SiteCutOff
		whole.Reasons = []string{fmt.Sprintf("none of the %d agents of site %q was heard for %s, since %s; one of them speaks every %s",
			len(site.Hosts), site.Name, silence.Round(time.Second), site.LastHeard.UTC().Format(time.RFC3339), limit/missed)}
		return whole, nil
	}
	newest := make(map[string]map[string]Testimony) // about → witness
	for _, t := range site.Testimonies {
		if newest[t.About] == nil {
			newest[t.About] = make(map[string]Testimony)
		}
		if have, ok := newest[t.About][t.Witness]; !ok || t.At.After(have.At) {
			newest[t.About][t.Witness] = t
		}
	}
	for _, h := range site.Hosts {
		j := Judgement{Agent: h.Agent, Verdict: Fine, Since: h.LastHeard}
		j.witnessed(now, h, newest[h.Agent], len(site.Hosts)-1)
		if j.Verdict == Fine && now.Sub(h.LastHeard) > missed*h.Interval {
			j.Verdict = Silent
			j.Reasons = []string{fmt.Sprintf("not heard since %s, and no neighbour says why", h.LastHeard.UTC().Format(time.RFC3339))}
		}
		hosts = append(hosts, j)
	}
	sort.Slice(hosts, func(i, k int) bool { return hosts[i].Agent < hosts[k].Agent })
	return whole, hosts
}

// patience is how long a site may be silent.
func (s Site) patience() time.Duration {
	every := s.Pulse
	for _, h := range s.Hosts {
		if every == 0 || s.Pulse == 0 && h.Interval < every {
			every = h.Interval
		}
	}
	return missed * every
}

// witnessed weighs the testimony about one host.
func (j *Judgement) witnessed(now time.Time, h Host, by map[string]Testimony, neighbours int) {
	names := make([]string, 0, len(by))
	for name := range by {
		names = append(names, name)
	}
	sort.Strings(names)
	answers := false
	var since time.Time
	var reasons []string
	for _, name := range names {
		t := by[name]
		if !t.At.After(h.LastHeard) {
			continue // what was said before the host was last heard is history
		}
		if !t.Gone {
			return // a neighbour has it back
		}
		if since.IsZero() || t.At.Before(since) {
			since = t.At
		}
		switch at := t.At.UTC().Format(time.RFC3339); {
		case t.Connections > 0:
			answers = true
			reasons = append(reasons, fmt.Sprintf("%s lost the agent at %s but has %d live connections with the host", name, at, t.Connections))
		case t.Answers:
			answers = true
			reasons = append(reasons, fmt.Sprintf("%s lost the agent at %s, and the host refuses connections to its port: it is up", name, at))
		default:
			reasons = append(reasons, fmt.Sprintf("%s lost the agent at %s, and the host does not answer", name, at))
		}
	}
	overdue := now.Sub(h.LastHeard) > h.Interval+h.Interval/2
	if len(reasons) == 0 || len(reasons) < min(quorum, neighbours) && !overdue {
		return
	}
	j.Since, j.Verdict, j.Reasons = since, HostGone, reasons
	if answers {
		j.Verdict = AgentGone
	}
}

// Witnesses picks who tells the server about a lost member: the same few for
// every member that knows the same mesh, so that one death is not a thousand
// messages, and others for each lost one, so that the work is shared.
func Witnesses(lost string, members []string, count int) []string {
	type ranked struct {
		name string
		rank uint64
	}
	list := make([]ranked, 0, len(members))
	for _, m := range members {
		if m == lost {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(lost))
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(m))
		list = append(list, ranked{m, mix(h.Sum64())})
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].rank != list[j].rank {
			return list[i].rank < list[j].rank
		}
		return list[i].name < list[j].name
	})
	out := make([]string, 0, count)
	for _, r := range list[:min(count, len(list))] {
		out = append(out, r.name)
	}
	return out
}

// mix spreads a hash's bits: names that differ in their last letter only would
// rank alike.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
