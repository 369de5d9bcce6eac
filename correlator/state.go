package correlator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/paged"
)

// Sequence hands out ids by kind ("alert", "incident", "problem"). Ids come from
// the fold's counters, so that a replay gives the same ones.
type Sequence func(kind string) string

// State is everything the correlator knows. Not safe for concurrent use.
type State struct {
	cfg   Config
	seq   Sequence
	g     *graph
	model *model

	sources  *paged.Table[source]
	episodes *paged.Table[episode]
	alerts   *paged.Table[canonical]
	groups   *paged.Table[group]
	profiles *paged.Table[profile]
	windows  *paged.Table[window]
	beats    *paged.Table[heartbeat]
	changes  *paged.Table[change]
	totals   *paged.Table[ledger]
	customs  *paged.Table[custom] // by class of alert
	habits   *paged.Table[habit]  // by identity of alert
	kinds    *paged.Table[changeKind]
	rhythms  *paged.Table[rhythm] // by source, rule and severity: see rhythmKey
	// teachings are what people taught, by id.
	teachings *paged.Table[Teaching]

	// derived from the tables, rebuilt when loaded
	byIdentity map[string]string   // labels without replica labels → canonical alert
	bySeries   map[string][]string // source and fingerprint → keys of episodes that are not ended
	due        paged.Deadlines
	recent     []*group                  // live groups by their last join, latest last
	bySuspect  map[int32][]*group        // live groups by what they suspect most
	byItem     map[int32][]*group        // live groups by the items of their alerts
	changesOn  map[string][]string       // keys of changes by the item that was changed
	byProfile  map[string][]string       // incidents by what they were suspected of and their commonest class
	together   map[string]map[string]int // remembered incidents by two of their classes
	families   map[string]int            // remembered incidents by family
	kinOf      map[string]map[string]int // the same of each class: see countKin
	byStory    map[string]string         // stories → the newest alert of each: see storyOf
	search     uint64
	rulings    []ruling // rules and teachings in force
	ruled      uint64   // raised when they change

	scratch    []float64 // see lookup
	scratchOf  *reach
	scratchSet []reach
	tallies    []tally // see rank

	// of the event being stepped
	now     time.Time
	out     []Decision
	mark    uint64          // of the body: see bodyMark
	changed map[string]news // groups to reassess → what happened
	order   []string        // the same in order of first mention
}

// source is one sender of notifications.
type source struct {
	Heard     time.Time `json:"heard"`
	Since     time.Time `json:"since"`               // it is heard without a long silence from here on
	Truncated uint64    `json:"truncated,omitempty"` // alerts lost to max_alerts so far
	Clamped   uint64    `json:"clamped,omitempty"`   // alerts with an onset in the future or too far back, so far
	Stale     []string  `json:"stale,omitempty"`     // episode keys that wait for it to be heard again
}

// New makes an empty state.
func New(cfg Config, seq Sequence) *State {
	s := &State{
		cfg: cfg, seq: seq, g: newGraph(), model: builtin(),
		sources: paged.NewTable[source]("source"), episodes: paged.NewTable[episode]("episode"),
		alerts: paged.NewTable[canonical]("canonical"), groups: paged.NewTable[group]("group"),
		profiles: paged.NewTable[profile]("profile"), windows: paged.NewTable[window]("window"),
		beats: paged.NewTable[heartbeat]("heartbeat"), changes: paged.NewTable[change]("change"),
		totals: paged.NewTable[ledger]("ledger"), customs: paged.NewTable[custom]("custom"), habits: paged.NewTable[habit]("habit"), kinds: paged.NewTable[changeKind]("change-kind"),
		rhythms:    paged.NewTable[rhythm]("rhythm"),
		byIdentity: map[string]string{}, bySeries: map[string][]string{}, changed: map[string]news{}, bySuspect: map[int32][]*group{}, byItem: map[int32][]*group{}, byProfile: map[string][]string{}, together: map[string]map[string]int{}, families: map[string]int{}, kinOf: map[string]map[string]int{}, byStory: map[string]string{}, changesOn: map[string][]string{},
		teachings: paged.NewTable[Teaching]("teaching"),
	}
	s.compile()
	return s
}

// Configure puts cfg into force for decisions from now on.
func (s *State) Configure(cfg Config) {
	s.cfg = cfg
	s.compile()
}

// Step applies one event and returns what it decides, in order. Deadlines up to
// the event's time are worked off first.
func (s *State) Step(e event.Event, body event.Body) []Decision {
	s.now, s.out, s.mark = e.At, nil, 0
	if _, ok := body.(*event.Start); ok {
		s.started() // before the deadlines that passed while the server was down: they prove nothing
	}
	s.workOff()
	s.scratchOf = nil // what it holds may change with the topology
	switch b := body.(type) {
	case *event.Notification:
		s.notification(e.Source, b)
	case *event.CI:
		s.g.ci(b, e.At)
		s.arrived(b.Key())
	case *event.Relation:
		s.g.relation(b)
	case *event.Change:
		s.change(e, b)
	case *event.Maintenance:
		s.maintenance(e, b)
	case *event.Silence:
		s.silence(e, b)
	case *event.Liveness:
		s.liveness(b)
	}
	s.flush()
	out := s.out
	s.out = nil
	return out
}

func (s *State) emit(d Decision) { s.out = append(s.out, d) }

// news is what a step has to tell of a group.
type news struct {
	text string
	due  bool // it is to be looked at even if it is large
}

// touchGroup has a group reassessed once at the end of the step.
func (s *State) touchGroup(id, text string) { s.tellOf(id, news{text: text}) }

// lookAt has a group reassessed at the end of the step although it is large.
func (s *State) lookAt(id string) { s.tellOf(id, news{due: true}) }

func (s *State) tellOf(id string, n news) {
	old, ok := s.changed[id]
	if !ok {
		s.order = append(s.order, id)
	}
	switch {
	case n.text == "":
		n.text = old.text
	case old.text != "" && old.text != n.text:
		n.text = old.text + "; " + n.text
	}
	n.due = n.due || old.due
	s.changed[id] = n
}

func (s *State) flush() {
	for _, id := range s.order {
		s.reassess(id, s.changed[id])
	}
	s.order = s.order[:0]
	clear(s.changed)
}

// started gives every firing episode its grace: silence while the server was
// down proves nothing.
func (s *State) started() {
	s.books().Up = s.now
	s.totals.Touch(ledgerKey)
	for _, k := range s.sources.Keys() {
		s.sources.Get(k).Stale = nil // their clocks run anew, like the others'
		s.sources.Touch(k)
	}
	for _, k := range s.episodes.Keys() {
		ep := s.episodes.Get(k)
		if !ep.ended() && !ep.lasting() {
			ep.Base = s.now
			s.schedule(dueEpisode, k, &ep.Due, s.now.Add(s.expiryOfEpisode(ep)))
			s.episodes.Touch(k)
		}
	}
	for _, k := range s.beats.Keys() {
		b := s.beats.Get(k)
		if !b.Missing {
			s.schedule(dueBeat, k, &b.Due, s.now.Add(s.patience(b)))
			s.beats.Touch(k)
		}
	}
}

// kinds of deadlines, in the order in which equal times are worked off
const (
	dueWindow = iota
	dueChange
	dueHold
	dueEpisode
	dueBeat
	dueGroup
	dueProfile
	dueView
	dueHabit
	dueSettle
	dueRhythm
)

// schedule sets a row's deadline; zero cancels it.
func (s *State) schedule(kind int, key string, field *time.Time, at time.Time) {
	s.due.Schedule(field, paged.Deadline{At: at, Kind: kind, Key: key})
}

func (s *State) dueOf(d paged.Deadline) *time.Time {
	switch d.Kind {
	case dueWindow:
		if x := s.windows.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueChange:
		if x := s.changes.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueHold:
		if x := s.groups.Get(d.Key); x != nil {
			return &x.HoldDue
		}
	case dueView:
		if x := s.groups.Get(d.Key); x != nil {
			return &x.ViewDue
		}
	case dueSettle:
		if x := s.groups.Get(d.Key); x != nil {
			return &x.SettleDue
		}
	case dueHabit:
		if x := s.habits.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueRhythm:
		if x := s.rhythms.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueEpisode:
		if x := s.episodes.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueBeat:
		if x := s.beats.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueGroup:
		if x := s.groups.Get(d.Key); x != nil {
			return &x.Due
		}
	case dueProfile:
		if x := s.profiles.Get(d.Key); x != nil {
			return &x.Due
		}
	}
	return nil
}

// NextDeadline returns the next time at which something is due, if anything is.
func (s *State) NextDeadline() (time.Time, bool) {
	d, ok := s.due.Next(s.dueOf)
	return d.At, ok
}

func (s *State) workOff() {
	for {
		d, ok := s.due.Take(s.now, s.dueOf)
		if !ok {
			return
		}
		switch d.Kind {
		case dueWindow:
			s.windowDue(d.Key)
		case dueChange:
			remove(s.changesOn, s.changes.Get(d.Key).CI, d.Key, strings.Compare)
			s.changes.Delete(d.Key)
		case dueHold:
			s.groups.Touch(d.Key)
			s.holdOver(d.Key)
		case dueEpisode:
			s.episodes.Touch(d.Key)
			s.episodeDue(d.Key)
		case dueBeat:
			s.beatDue(d.Key)
		case dueGroup:
			s.groups.Touch(d.Key)
			s.groupDue(d.Key)
		case dueProfile:
			s.profileDue(d.Key)
		case dueView:
			s.groups.Touch(d.Key)
			s.lookAt(d.Key)
		case dueSettle:
			s.settle(s.groups.Get(d.Key))
		case dueHabit:
			s.habits.Delete(d.Key)
		case dueRhythm:
			s.rhythms.Delete(d.Key)
		}
	}
}

// tables in a fixed order, for snapshots
func (s *State) tables() []saver {
	return []saver{s.g.nodes, s.g.edges, s.sources, s.episodes, s.alerts, s.groups, s.profiles, s.windows, s.beats, s.changes, s.totals, s.customs, s.habits, s.teachings, s.kinds, s.rhythms}
}

type saver interface {
	Name() string
	Save(func(string, []byte) error) error
	SaveAll(func(string, []byte) error) error
	Load([]byte) error
}

// Save writes the pages that changed since the last Save.
func (s *State) Save(put func(key string, value []byte) error) error {
	for _, t := range s.tables() {
		if err := t.Save(put); err != nil {
			return err
		}
	}
	return nil
}

// SaveAll writes every page.
func (s *State) SaveAll(put func(key string, value []byte) error) error {
	for _, t := range s.tables() {
		if err := t.SaveAll(put); err != nil {
			return err
		}
	}
	return nil
}

// Load reads one page. Call Loaded after the last.
func (s *State) Load(key string, value []byte) error {
	name, _, _ := strings.Cut(key, "/")
	for _, t := range s.tables() {
		if t.Name() == name {
			return t.Load(value)
		}
	}
	return fmt.Errorf("page %q belongs to no table of this version", key)
}

// Loaded rebuilds what is derived from the tables.
func (s *State) Loaded() {
	s.compile()
	s.g.reindex()
	for _, k := range s.episodes.Keys() {
		ep := s.episodes.Get(k)
		if !ep.ended() {
			s.list(k)
		}
		s.reschedule(dueEpisode, k, ep.Due)
	}
	for _, k := range s.alerts.Keys() {
		c := s.alerts.Get(k)
		if !c.Replaced {
			s.byIdentity[c.Identity] = k
		}
		if !c.Told {
			s.byStory[c.Story] = k
		}
	}
	for _, k := range s.groups.Keys() {
		g := s.groups.Get(k)
		s.reschedule(dueGroup, k, g.Due)
		s.reschedule(dueHold, k, g.HoldDue)
		s.reschedule(dueView, k, g.ViewDue)
		s.reschedule(dueSettle, k, g.SettleDue)
		for n := range g.Suspects {
			g.Suspects[n].at = s.g.intern(g.Suspects[n].CI)
		}
		order := g.Order
		g.Order = 0
		for _, m := range g.Members {
			if c := s.alerts.Get(m); c != nil {
				s.seat(g, c)
			}
		}
		if g.Order = order; order > 0 {
			for i := range g.items {
				s.byItem[i] = append(s.byItem[i], g)
			}
			s.recent = append(s.recent, g)
			s.reindexGroup(g)
		}
	}
	slices.SortFunc(s.recent, func(a, b *group) int { return cmp.Compare(a.Order, b.Order) })
	for _, k := range s.habits.Keys() {
		s.reschedule(dueHabit, k, s.habits.Get(k).Due)
	}
	for _, k := range s.rhythms.Keys() {
		s.reschedule(dueRhythm, k, s.rhythms.Get(k).Due)
	}
	for _, k := range s.windows.Keys() {
		w := s.windows.Get(k)
		s.reschedule(dueWindow, k, w.Due)
		for _, m := range w.Group.Members {
			if c := s.alerts.Get(m); c != nil {
				s.seat(&w.Group, c)
			}
		}
	}
	for _, k := range s.changes.Keys() {
		c := s.changes.Get(k)
		s.changesOn[c.CI] = insert(s.changesOn[c.CI], k, strings.Compare)
		s.reschedule(dueChange, k, c.Due)
	}
	for _, k := range s.beats.Keys() {
		s.reschedule(dueBeat, k, s.beats.Get(k).Due)
	}
	for _, k := range s.profiles.Keys() {
		p := s.profiles.Get(k)
		s.reschedule(dueProfile, k, p.Due)
		s.indexProfile(k, p)
	}
}

func (s *State) reschedule(kind int, key string, at time.Time) {
	s.due.Restore(paged.Deadline{At: at, Kind: kind, Key: key})
}

// hashOf names a text shortly, for keys.
func hashOf(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 36)
}
