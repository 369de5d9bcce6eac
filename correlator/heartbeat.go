package correlator

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// heartbeat is an alert that always fires: its silence is the signal.
type heartbeat struct {
	Source  string    `json:"source"`
	Name    string    `json:"name"`
	Last    time.Time `json:"last"`
	Every   Duration  `json:"every,omitempty"` // its rhythm as learned; 0 until it was heard twice
	Beats   int       `json:"beats,omitempty"`
	Missing bool      `json:"missing,omitempty"`
	Group   string    `json:"group,omitempty"`
	Episode string    `json:"episode"`
	Due     time.Time `json:"due,omitzero"`
}

// How a heartbeat is told from an alert: it is configured, or its expression is a
// constant, or its name says only that. A name that may as well be of something that
// failed (Heartbeat) needs a severity that calls nobody.

// constant is an expression that is true whatever is measured.
var constant = regexp.MustCompile(`^(vector)?[0-9.]+((==|>=?|<=?|!=)(bool)?[0-9.-]+)?$`)

// plainly are names that are given to heartbeats only, maybe to what may fail too, and
// beside are words that such names go with. All longest first.
var (
	plainly = []string{"deadmansswitch", "deadmanssnitch", "deadmanswitch", "deadmansnitch", "alwaysfiring", "watchdog", "deadmans", "deadman"}
	maybe   = []string{"heartbeat", "alwayson", "keepalive", "alive"}
	beside  = []string{"victoriametrics", "alertmanager", "kubernetes", "monitoring", "prometheus", "endtoend", "alerting", "pipeline", "grafana", "vmalert", "cluster", "general", "system", "thanos", "alerts", "alert", "mimir", "stack", "check", "test", "kube", "ping", "e2e", "k8s", "loki", "vm"}
)

// isHeartbeat says whether it is an alert's absence that counts.
func (s *State) isHeartbeat(src string, a *event.Alert) bool {
	name := a.Labels.Get("alertname")
	if slices.Contains(s.cfg.Watchdogs, name) {
		return true
	}
	if constantly(a.GeneratorURL) {
		return true
	}
	switch word := beatWord(name); {
	case word == "":
		return false
	case slices.Contains(plainly, word):
		return true
	}
	level, given := s.cfg.Severities[strings.ToLower(a.Labels.Get(s.cfg.SeverityLabel))]
	if !given {
		level = s.cfg.DefaultSeverity
	}
	return level == None || a.Labels.Get(s.cfg.SeverityLabel) == "" || s.beats.Get(src+"\x00"+s.identity(a.Labels)) != nil
}

// constantly says whether the rule behind an alert is true whatever is measured.
func constantly(generator string) bool {
	_, query, ok := strings.Cut(generator, "?")
	if !ok || !strings.Contains(query, "expr=") {
		return false
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	return constant.MatchString(strings.NewReplacer(" ", "", "(", "", ")", "").Replace(q.Get("g0.expr")))
}

// beatWord is the word for a heartbeat in a name that says nothing else.
func beatWord(name string) (word string) {
	rest := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
	strip := func(words []string) string {
		for _, w := range words {
			if t, ok := strings.CutPrefix(rest, w); ok {
				rest = t
				return w
			}
		}
		return ""
	}
	for rest != "" {
		if w := strip(plainly); w != "" {
			word = w
		} else if w := strip(maybe); w != "" {
			if word == "" {
				word = w
			}
		} else if strip(beside) == "" {
			return ""
		}
	}
	return word
}

// isBeat says whether an episode is that of a heartbeat.
func (s *State) isBeat(ep *episode) bool {
	return s.beats.Get(ep.Source+"\x00"+s.identity(ep.Labels)) != nil
}

// beat takes a heartbeat.
func (s *State) beat(src string, a *event.Alert) Fate {
	key := src + "\x00" + s.identity(a.Labels)
	b := s.beats.Get(key)
	if b == nil {
		b = &heartbeat{Source: src, Name: a.Labels.Get("alertname")}
		s.beats.Put(key, b)
	}
	s.beats.Touch(key)
	if a.Status == event.Firing {
		if gap := s.now.Sub(b.Last); !b.Last.IsZero() && gap >= time.Second && !b.Missing {
			b.Every = max(b.Every-b.Every/64, Duration(gap))
			b.Beats++
		}
		b.Last = s.now
		s.schedule(dueBeat, key, &b.Due, s.now.Add(s.patience(b)))
		if b.Missing {
			b.Missing = false
			if g := s.groups.Get(b.Group); g != nil && g.live() {
				s.clear(g, true)
			}
		}
	}
	ek := episodeKey(src, a)
	if ep := s.episodes.Get(ek); ep != nil {
		if a.Status == event.Resolved && !ep.ended() {
			s.endWithFate(ek, ep, AlertResolved, FateResolve, "the heartbeat's source ended it")
			return FateResolve
		}
		if a.Status == event.Firing && ep.ended() {
			ep.Status, ep.Ended, ep.EndWhy = AlertStale, time.Time{}, "" // mention brings it back
		}
		s.mention(ek, ep)
		return FateDuplicate
	}
	ep := s.newEpisode(src, ek, a)
	ep.Fate, ep.Why = FateHeld, "a heartbeat: its absence opens an incident, not its presence"
	if a.Status == event.Resolved {
		ep.Status, ep.Ended = AlertResolved, s.now
		ep.Fate, ep.Why = FateResolve, "the heartbeat's source ended it"
	}
	ep.Canonical = ep.ID
	b.Episode = ek
	s.schedule(dueEpisode, ek, &ep.Due, s.now.Add(s.expiryOfEpisode(ep)))
	s.recordFull(ep, &canonical{ID: ep.ID, Severity: s.severity(a.Labels), Labels: a.Labels}, a)
	return ep.Fate
}

// patience is how long a heartbeat may be silent: as configured, else twice its own
// rhythm, which is Alertmanager's repeat interval. Before the rhythm is known it may
// be anything up to the expiry of alerts.
func (s *State) patience(b *heartbeat) time.Duration {
	switch {
	case s.cfg.WatchdogTimeout > 0:
		return time.Duration(s.cfg.WatchdogTimeout)
	case b.Beats < 6:
		return s.quiet(b.Source)
	}
	return max(2*time.Duration(b.Every)+5*time.Minute, 15*time.Minute)
}

// beatDue tells that a heartbeat is silent: in the incident of its last silence, if
// that is not long over, else in one of its own.
func (s *State) beatDue(key string) {
	b := s.beats.Get(key)
	b.Missing = true
	s.beats.Touch(key)
	g := s.groups.Get(b.Group)
	switch {
	case g == nil || g.Closed || !g.live() && s.now.Sub(g.ResolvedAt) > time.Duration(s.cfg.ReopenWindow):
		b.Group = s.openBeat(b)
	case g.live():
		s.unclear(g)
	default:
		s.revive(g, "the heartbeat "+b.Name+" is silent again", s.now)
	}
}

// openBeat opens an incident for a silent heartbeat.
func (s *State) openBeat(b *heartbeat) string {
	from := ""
	if b.Source != "" {
		from = " from " + b.Source
	}
	g := &group{ID: s.seq("incident"), OpenedAt: s.now, LastJoined: s.now, Beat: b.Name}
	g.Last = Assessment{
		Title:    fmt.Sprintf("%s has not been heard%s for %s: alerting itself may be down", b.Name, from, event.Span(s.now.Sub(b.Last))),
		Severity: Critical, Onset: b.Last, Impact: 1, Urgency: 1, Derived: "a silent heartbeat means that nothing else would be heard",
	}
	s.groups.Put(g.ID, g)
	s.emit(IncidentOpened{ID: g.ID, Assessment: g.Last, Why: "the heartbeat " + b.Name + " is silent"})
	return g.ID
}
