package cmdb

import (
	"cmp"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Target is one thing that a Prometheus scrapes or probes.
type Target struct {
	Job      string
	Instance string // the instance label: host:port, an address or a URL
	Address  string // where it is scraped
	Up       bool
}

// Rule is one alerting rule.
type Rule struct {
	Name  string
	Query string
}

// Watched is one machine or service that should be monitored.
type Watched struct {
	CI, Class, Name string
	Names           []string // of the machine: host names and addresses
	Ports           []int    // none for the machine itself
}

// Gap is something that nobody watches.
type Gap struct {
	CI    string `json:"ci"`
	Class string `json:"class"`
	Name  string `json:"name"`
	Port  int    `json:"port,omitempty"`
	// Missing is "target" where nothing is scraped, "up" where the scrape fails,
	// "rule" where what is scraped has no alerting rule.
	Missing string   `json:"missing"`
	Jobs    []string `json:"jobs,omitempty"` // that scrape it
}

// Coverage is how much of what should be watched is.
type Coverage struct {
	Watched int   `json:"watched"` // machines and open ports that were looked at
	Covered int   `json:"covered"`
	Gaps    []Gap `json:"gaps"`
	// UnknownTargets are scraped and stand on no known machine: work for the asset manager.
	UnknownTargets []string `json:"unknown_targets"`
}

// Cover compares what there is with what is scraped and alerted on. A machine is
// covered by any target on it, a port by a target on that port, by a probe of it,
// or by a target of a job named after its service. A job has a rule if an
// alerting rule names it in a matcher, or watches up of every job.
func Cover(watched []Watched, targets []Target, rules []Rule) Coverage {
	type place struct {
		host string
		port int
	}
	byHost := map[string][]Target{}
	byPlace := map[place][]Target{}
	used := map[string]bool{}
	for _, t := range targets {
		seen := map[place]bool{}
		for _, a := range []string{t.Instance, t.Address} {
			h, p := hostPort(a)
			if h == "" || seen[place{h, p}] {
				continue
			}
			seen[place{h, p}] = true
			byHost[h] = append(byHost[h], t)
			byPlace[place{h, p}] = append(byPlace[place{h, p}], t)
		}
	}
	out := Coverage{Gaps: []Gap{}}
	for _, w := range watched {
		var on []Target
		at := map[int][]Target{}
		for _, n := range w.Names {
			n = strings.ToLower(n)
			on = append(on, byHost[n]...)
			for _, p := range w.Ports {
				at[p] = append(at[p], byPlace[place{n, p}]...)
			}
		}
		for _, t := range on {
			used[t.Instance+"\x00"+t.Job] = true
		}
		if len(w.Ports) == 0 {
			out.look(w, 0, on, rules)
			continue
		}
		service, _, _ := strings.Cut(w.Name, "@")
		for _, p := range w.Ports {
			hits := at[p]
			if len(hits) == 0 {
				for _, t := range on {
					if strings.Contains(strings.ToLower(t.Job), strings.ToLower(service)) {
						hits = append(hits, t) // postgres_exporter speaks for postgres
					}
				}
			}
			out.look(w, p, hits, rules)
		}
	}
	unknown := map[string]bool{}
	for _, t := range targets {
		if !used[t.Instance+"\x00"+t.Job] {
			unknown[t.Instance] = true
		}
	}
	for n := range unknown {
		out.UnknownTargets = append(out.UnknownTargets, n)
	}
	slices.Sort(out.UnknownTargets)
	slices.SortFunc(out.Gaps, func(a, b Gap) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port), strings.Compare(a.CI, b.CI))
	})
	return out
}

func (c *Coverage) look(w Watched, port int, hits []Target, rules []Rule) {
	c.Watched++
	g := Gap{CI: w.CI, Class: w.Class, Name: w.Name, Port: port}
	up, ruled := false, false
	for _, t := range hits {
		if !slices.Contains(g.Jobs, t.Job) {
			g.Jobs = append(g.Jobs, t.Job)
		}
		up = up || t.Up
		ruled = ruled || slices.ContainsFunc(rules, func(r Rule) bool { return r.covers(t.Job) })
	}
	slices.Sort(g.Jobs)
	switch {
	case len(hits) == 0:
		g.Missing = "target"
	case !up:
		g.Missing = "up"
	case !ruled:
		g.Missing = "rule"
	default:
		c.Covered++
		return
	}
	c.Gaps = append(c.Gaps, g)
}

var (
	jobMatcher = regexp.MustCompile(`\bjob\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"`)
	upOfAll    = regexp.MustCompile(`\bup\b\s*(\{[^}]*\})?`)
)

// covers says that the rule can fire for a job's targets, as far as its text tells.
func (r Rule) covers(job string) bool {
	found := jobMatcher.FindAllStringSubmatch(r.Query, -1)
	if len(found) == 0 {
		return upOfAll.MatchString(r.Query)
	}
	for _, m := range found {
		value, err := strconv.Unquote(`"` + m[2] + `"`)
		if err != nil {
			value = m[2]
		}
		hit := value == job
		if strings.HasSuffix(m[1], "~") {
			re, err := regexp.Compile("^(?:" + value + ")$")
			hit = err == nil && re.MatchString(job)
		}
		if hit != strings.HasPrefix(m[1], "!") {
			return true
		}
	}
	return false
}

// hostPort reads host:port, a bare host or a URL; the port of a URL is its
// scheme's where it names none.
func hostPort(s string) (string, int) {
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil {
			return "", 0
		}
		p, err := strconv.Atoi(u.Port())
		if err != nil {
			p = map[string]int{"http": 80, "https": 443}[u.Scheme]
		}
		return strings.ToLower(u.Hostname()), p
	}
	if h, p, err := net.SplitHostPort(s); err == nil {
		n, _ := strconv.Atoi(p)
		return strings.ToLower(h), n
	}
	return strings.ToLower(s), 0
}
