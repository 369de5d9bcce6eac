package inventory

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
)

// watch is who of each mesh was heard when, and what its members say of each
// other. Only verdicts are stored: testimony that stands is told again every minute.
// Safe for concurrent use.
type watch struct {
	mu      sync.Mutex
	since   time.Time    // silence before it proves nothing: the server did not listen
	listen  atomic.Int64 // since, in ns, for those who hold the inventory's lock: judge asks for it under this one
	judged  time.Time
	sites   map[string]*meshSite
	members map[string]*member // by item
}

type meshSite struct {
	name string
	// key is the public key that its members prove to hold. The first proof brings
	// it; later it changes only as rotate says.
	key     string
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
	proved    bool            // it holds the site's key
	shown     cluster.Proof   // the last valid proof, whatever its key
	verdict   cluster.Verdict // as stored: Fine, HostGone or AgentGone
	since     time.Time       // when that was decided
}

func newWatch(now time.Time) *watch {
	w := &watch{since: now, judged: now, sites: map[string]*meshSite{}, members: map[string]*member{}}
	w.listen.Store(now.UnixNano())
	return w
}

// listens is since when silence proves something.
func (w *watch) listens() time.Time { return time.Unix(0, w.listen.Load()) }

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
		if len(m.site.members) == 0 && m.site.cut.IsZero() && m.site.key == "" {
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
	if m.site == nil || m.site.name != site || m.agent != agent {
		m.proved, m.shown = false, cluster.Proof{}
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

// keyChange is what the proofs of members make of a site's key.
type keyChange struct {
	site, key string
	// asked: it is not the members' majority that shows it. A person decides.
	asked bool
}

// prove takes an agent's proof of membership. It returns what is to be stored.
func (w *watch) prove(ci string, a report.Agent, now time.Time) (change keyChange, ok bool) {
	if a.Site == "" || a.SiteProof == "" {
		return change, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.join(ci, a.ID, a.Site)
	p := cluster.Proof{Key: a.SiteKey, Signature: a.SiteProof}
	s := m.site
	if p == m.shown && (m.proved || s.key != p.Key) {
		return change, false
	}
	if !p.Holds(a.Site, a.ID) {
		return change, false
	}
	fresh := m.shown.Key != p.Key
	m.shown = p
	switch {
	case s.key == "" || s.key == p.Key:
		m.proved = true
		return keyChange{site: s.name, key: p.Key}, s.key == ""
	case s.rotated(p.Key, now):
		return keyChange{site: s.name, key: p.Key}, true
	}
	// A member that shows another key is the beginning of a rotation.
	return keyChange{site: s.name, key: p.Key, asked: true}, fresh && !m.proved
}

// rotated says whether most of those who proved the site's key, and are heard,
// show another one now: the site got a new key. Who never held the old one has no
// say in it.
func (s *meshSite) rotated(key string, now time.Time) bool {
	electors, votes := 0, 0
	for _, m := range s.members {
		if !m.proved || m.left || now.Sub(m.heard) > electorHeard {
			continue
		}
		electors++
		if m.shown.Key == key {
			votes++
		}
	}
	return votes > 0 && 2*votes > electors
}

// electorHeard is how long a silent member still counts when a site's key changes.
const electorHeard = time.Hour

// setKey puts a site's key in force: who has shown it is a member.
func (w *watch) setKey(site, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.site(site)
	s.key = key
	for _, m := range s.members {
		m.proved = key != "" && m.shown.Key == key
	}
}

func (w *watch) keyOf(site string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sites[site]; s != nil {
		return s.key
	}
	return ""
}

// provedBy returns the key that a machine's agent is a proved member under.
func (w *watch) provedBy(ci string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.members[ci]; m != nil && m.proved {
		return m.site.key
	}
	return ""
}

// hear takes what an envelope says by having come, and, of an agent that proved
// that it is a member of its site, what it says of others. The times of the
// witness's clock count only as differences: it may be wrong.
func (w *watch) hear(ci string, env *report.Envelope, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.join(ci, env.Agent.ID, env.Agent.Site)
	if m == nil {
		return
	}
	m.heard, m.left = now, env.Leaving
	s := m.site
	if !m.proved {
		return // its word is worth nothing here: it may call itself whatever it likes
	}
	s.heard = now
	if env.PulseSeconds > 0 {
		s.pulse = time.Duration(min(max(env.PulseSeconds, pulseLeast), pulseMost)) * time.Second
	}
	for _, p := range env.Peers[:min(len(env.Peers), maxPeers)] {
		if about := s.members[p.Agent]; about == nil || !about.proved || p.Agent == m.agent {
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
		w.listen.Store(now.UnixNano())
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
		if !m.left && m.proved {
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
