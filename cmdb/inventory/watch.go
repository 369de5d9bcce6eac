package inventory

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
)

// watch is who of each mesh was heard when, and what its members say of each
// other. Only verdicts are stored: testimony that stands is told again every minute.
// Safe for concurrent use.
type watch struct {
	mu      sync.Mutex
	since   time.Time // silence before it proves nothing: the server did not listen
	judged  time.Time
	sites   map[string]*meshSite
	members map[string]*member // by item
}

type meshSite struct {
	name    string
	pulse   time.Duration // promised by who speaks for it
	heard   time.Time
	members map[string]*member // by agent id
	said    map[[2]string]cluster.Testimony
	cut     time.Time // since when it counts as cut off; zero: it does not
}

type member struct {
	ci, agent string
	site      *meshSite
	heard     time.Time
	left      bool            // it was stopped, which is no loss
	verdict   cluster.Verdict // as stored: Fine, HostGone or AgentGone
	since     time.Time       // when that was decided
}

func newWatch(now time.Time) *watch {
	return &watch{since: now, judged: now, sites: map[string]*meshSite{}, members: map[string]*member{}}
}

// listens is since when silence proves something.
func (w *watch) listens() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.since
}

func (w *watch) site(name string) *meshSite {
	s := w.sites[name]
	if s == nil {
		s = &meshSite{name: name, members: map[string]*member{}, said: map[[2]string]cluster.Testimony{}}
		w.sites[name] = s
	}
	return s
}

// join notes that the machine is a member of a site's mesh, under the agent's id.
func (w *watch) join(ci, agent, site string) *member {
	m := w.members[ci]
	if m != nil && (m.site.name != site || m.agent != agent) {
		delete(m.site.members, m.agent)
		if len(m.site.members) == 0 && m.site.cut.IsZero() {
			delete(w.sites, m.site.name)
		}
		if site == "" {
			delete(w.members, ci)
		}
	}
	if site == "" {
		return nil
	}
	if m == nil {
		m = &member{ci: ci, verdict: cluster.Fine}
		w.members[ci] = m
	}
	m.agent, m.site = agent, w.site(site)
	m.site.members[agent] = m
	return m
}

// forget drops a machine that is not in the inventory any more.
func (w *watch) forget(ci string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.join(ci, "", "")
}

// hear takes what an envelope says by having come, and what it says of others. The
// times of the witness's clock count only as differences: it may be wrong.
func (w *watch) hear(ci string, env *report.Envelope, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.join(ci, env.Agent.ID, env.Agent.Site)
	if m == nil {
		return
	}
	m.heard, m.left = now, env.Leaving
	s := m.site
	s.heard = now
	if env.PulseSeconds > 0 {
		s.pulse = time.Duration(min(max(env.PulseSeconds, pulseLeast), pulseMost)) * time.Second
	}
	for _, p := range env.Peers[:min(len(env.Peers), maxPeers)] {
		if s.members[p.Agent] == nil || p.Agent == m.agent {
			continue // of another site, or unknown: nobody speaks for those
		}
		ago := max(0, env.TakenAt.Sub(p.At))
		s.said[[2]string{p.Agent, m.agent}] = cluster.Testimony{
			Witness: m.agent, About: p.Agent, At: now.Add(-ago), Gone: p.Gone, Answers: p.Answers, Connections: p.Connections,
		}
	}
}

const (
	pulseLeast, pulseMost = 1, 60 // seconds
	maxPeers              = 10000
	// stalled is a gap between two looks from which on the server itself was away.
	stalled = 5 * time.Second
)

// ruling is a verdict that differs from what is stored.
type ruling struct {
	site    *meshSite
	name    string // of the site
	ci      string // "" for the site as a whole
	verdict cluster.Verdict
	since   time.Time
	hosts   int
	reasons []string
}

// judge draws verdicts for all sites and returns what they change, in order.
func (w *watch) judge(now time.Time, interval time.Duration, name func(ci string) string) []ruling {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.judged) > stalled {
		w.since = now // whoever wanted to be heard meanwhile could not
	}
	w.judged = now
	var out []ruling
	for _, key := range slices.Sorted(maps.Keys(w.sites)) {
		out = append(out, w.sites[key].judge(now, w.since, interval, name)...)
	}
	return out
}

func (s *meshSite) judge(now, since time.Time, interval time.Duration, name func(string) string) []ruling {
	for k, t := range s.said {
		if m := s.members[k[0]]; m == nil || !t.At.After(m.heard) || now.Sub(t.At) > testimonyKept {
			delete(s.said, k)
		}
	}
	in := cluster.Site{Name: s.name, Pulse: s.pulse, LastHeard: latest(s.heard, since)}
	quiet := len(s.said) == 0 && s.cut.IsZero()
	for _, agent := range slices.Sorted(maps.Keys(s.members)) {
		m := s.members[agent]
		if m.verdict != cluster.Fine {
			quiet = false
		}
		if !m.left {
			in.Hosts = append(in.Hosts, cluster.Host{Agent: agent, LastHeard: latest(m.heard, since), Interval: interval})
		}
	}
	if quiet && now.Sub(in.LastHeard) < 2*interval && (s.pulse == 0 || now.Sub(in.LastHeard) < s.pulse) {
		return nil // the usual: somebody speaks, and nobody is missed
	}
	for k, t := range s.said {
		if m := s.members[k[0]]; m != nil && m.left {
			continue
		}
		// People know machines by their names.
		if m := s.members[t.Witness]; m != nil {
			t.Witness = cmp.Or(name(m.ci), t.Witness)
		}
		in.Testimonies = append(in.Testimonies, t)
	}
	whole, hosts := cluster.Judge(now, in)
	var out []ruling
	if cut := whole.Verdict == cluster.SiteCutOff; cut && s.cut.IsZero() {
		out = append(out, ruling{s, s.name, "", whole.Verdict, whole.Since, len(in.Hosts), whole.Reasons})
	} else if !cut && !s.cut.IsZero() && !s.heard.Before(s.cut) {
		out = append(out, ruling{s, s.name, "", cluster.Fine, s.heard, len(in.Hosts), []string{"it is heard again"}})
	}
	for _, j := range hosts {
		m := s.members[j.Agent]
		verdict, reasons := j.Verdict, j.Reasons
		switch verdict {
		case cluster.Silent:
			continue
		case cluster.Fine:
			// That nobody says so any more does not bring a host back.
			if m.verdict == cluster.Fine || m.heard.Before(m.since) && !s.backSince(m) {
				continue
			}
			reasons = []string{"it is heard again"}
		}
		if verdict != m.verdict {
			out = append(out, ruling{s, s.name, m.ci, verdict, j.Since, 0, reasons})
		}
	}
	return out
}

// testimonyKept is how long testimony counts that is not told again.
const testimonyKept = 10 * time.Minute

// backSince says whether a neighbour has a lost member back.
func (s *meshSite) backSince(m *member) bool {
	for k, t := range s.said {
		if k[0] == m.agent && !t.Gone && t.At.After(m.since) {
			return true
		}
	}
	return false
}

// ruled notes that a ruling is stored.
func (w *watch) ruled(r ruling, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.ci != "" {
		if m := w.members[r.ci]; m != nil {
			m.verdict, m.since = r.verdict, now
		}
		return
	}
	r.site.cut = time.Time{}
	if r.verdict == cluster.SiteCutOff {
		r.site.cut = now
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
