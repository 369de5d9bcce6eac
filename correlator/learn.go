package correlator

import (
	"math"
	"time"
)

// What is learned online, without labels: how often alerts of a class come alone,
// and which single alerts come again and again. Both say how little it means that
// such an alert comes now. Nothing here is keyed on what a name says.

// custom is what is known of a class of alerts.
type custom struct {
	Alone   float64 `json:"alone"`         // canonical alerts that found no company
	Grouped float64 `json:"grouped"`       // those that did
	Led     float64 `json:"led,omitempty"` // those of them that had waited for it: firsts of incidents
}

// fresh says that nothing is known of the class yet.
func (k *custom) fresh() bool { return k.Alone+k.Grouped == 0 }

// habit is what is known of one alert, replicas aside.
type habit struct {
	N     int       `json:"n"` // times it came alone
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Due   time.Time `json:"due,omitzero"`
}

// ledger are totals.
type ledger struct {
	Since   time.Time `json:"since"`       // first alert heard
	Up      time.Time `json:"up,omitzero"` // last start of the server
	Alone   float64   `json:"alone"`
	Grouped float64   `json:"grouped"`
	Order   uint64    `json:"order"` // of joins
	// Of alerts whose class was never heard before: how many led incidents, how
	// many came to nothing.
	FreshLed   float64 `json:"fresh_led,omitempty"`
	FreshAlone float64 `json:"fresh_alone,omitempty"`
	// Lone counts incidents that opened without company, fading; Storm is the one
	// that takes them when they are too many.
	Lone   float64   `json:"lone,omitempty"`
	LoneAt time.Time `json:"lone_at,omitzero"`
	Storm  string    `json:"storm,omitempty"`
}

const (
	ledgerKey   = "ledger"
	habitMemory = 14 * 24 * time.Hour
	// freshAlone and freshSpan stand for experience before there is any: two
	// lone alerts in two hours.
	freshAlone = 2.0
	freshSpan  = 2 * time.Hour
	// failureRate is how many failures per minute an estate is taken to have.
	failureRate = 0.006
)

func (s *State) books() *ledger {
	l := s.totals.Get(ledgerKey)
	if l == nil {
		l = &ledger{Since: s.now}
		s.totals.Put(ledgerKey, l)
	}
	return l
}

// class is what alerts of one kind share.
func classOf(c *canonical) string {
	if n := c.Labels.Get("alertname"); n != "" {
		return n
	}
	return "?"
}

// aloneRate is how many alerts per minute come without company.
func (s *State) aloneRate() float64 {
	l := s.books()
	span := s.now.Sub(l.Since) + freshSpan
	return (l.Alone + freshAlone) / span.Minutes()
}

// aloneShare is the share of a class among the alerts that come alone.
func (s *State) aloneShare(class string) float64 {
	l := s.books()
	n := float64(s.customs.Len() + 10)
	var k float64
	if c := s.customs.Get(class); c != nil {
		k = c.Alone
	}
	return (k + 0.5) / (l.Alone + 0.5*n)
}

// classShare is the share of a class among all that an alert may be instead of
// part of a given incident: alone, or the first of another failure.
func (s *State) classShare(class string) float64 {
	l := s.books()
	n := float64(s.customs.Len() + 10)
	var k float64
	if c := s.customs.Get(class); c != nil {
		k = c.Grouped
	}
	grouped := (k + 0.5) / (l.Grouped + 0.5*n)
	alone := s.aloneRate()
	return (alone*s.aloneShare(class) + failureRate*grouped) / (alone + failureRate)
}

// habitual is how much more often than any other alert of its class this very one
// comes alone, as a factor of at least 1.
func (s *State) habitual(c *canonical) (float64, int) {
	h := s.habits.Get(c.Identity)
	if h == nil || h.N < 2 {
		return 1, 0
	}
	span := max(s.now.Sub(h.First), time.Hour)
	own := float64(h.N-1) / span.Minutes()
	usual := s.aloneRate() * s.aloneShare(classOf(c)) / float64(s.size())
	return 1 + own/max(usual, 1e-9), h.N
}

// size of the estate, for shares.
func (s *State) size() int { return s.g.size() }

// cameAlone notes that an alert found no company: once per canonical alert.
func (s *State) cameAlone(c *canonical) {
	if c.Counted {
		return
	}
	c.Counted = true
	s.alerts.Touch(c.ID)
	class := classOf(c)
	k := s.customs.Get(class)
	if k == nil {
		k = &custom{}
		s.customs.Put(class, k)
	}
	l := s.books()
	if k.fresh() {
		l.FreshAlone++
	}
	c.Alone = 0.2
	h := s.habits.Get(c.Identity)
	if h == nil {
		c.Alone = 1
		h = &habit{First: c.First}
		s.habits.Put(c.Identity, h)
		// Only the first time counts for its class: one alert that chatters must
		// not make its whole class look like chatter.
	}
	k.Alone = quantise(k.Alone + c.Alone)
	l.Alone = quantise(l.Alone + c.Alone)
	h.N++
	h.Last = s.now
	s.schedule(dueHabit, c.Identity, &h.Due, s.now.Add(habitMemory))
	s.habits.Touch(c.Identity)
	s.customs.Touch(class)
	s.totals.Touch(ledgerKey)
}

// foundCompany notes that an alert belongs to an incident of several.
func (s *State) foundCompany(g *group, c *canonical) {
	if c.Counted && c.Alone == 0 {
		return
	}
	class := classOf(c)
	k := s.customs.Get(class)
	if k == nil {
		k = &custom{}
		s.customs.Put(class, k)
	}
	l := s.books()
	if c.Counted { // it was taken for one that comes to nothing
		k.Alone, l.Alone = max(0, quantise(k.Alone-c.Alone)), max(0, quantise(l.Alone-c.Alone))
		if h := s.habits.Get(c.Identity); h != nil {
			h.N--
			s.habits.Touch(c.Identity)
		}
	}
	if g.Members[0] == c.ID && s.now.Sub(c.First) >= leadWait {
		if k.fresh() {
			l.FreshLed++
		}
		k.Led++
	}
	c.Counted, c.Alone = true, 0
	s.alerts.Touch(c.ID)
	// A storm of one class is one experience with it, not a hundred.
	n := 1 / float64(max(1, g.Classes[class]))
	k.Grouped = quantise(k.Grouped + n)
	l.Grouped = quantise(l.Grouped + n)
	s.customs.Touch(class)
	s.totals.Touch(ledgerKey)
}

// promise is how likely a lone alert of a class is the first of an incident: by
// how often such alerts led one and how often they came to nothing. That the class
// is part of incidents says less. Of a class never heard before it is what other
// classes were when they were new.
func (s *State) promise(class string) float64 {
	if s.cfg.ignores("promise") {
		return 0
	}
	l := s.books()
	fresh := (l.FreshLed + 1) / (l.FreshLed + l.FreshAlone + freshAgainst)
	var k custom
	if c := s.customs.Get(class); c != nil {
		k = *c
	}
	led := k.Led + partShare*k.Grouped
	return quantise((led + freshWeight*fresh) / (led + k.Alone + freshWeight))
}

const (
	partShare    = 0.1
	freshWeight  = 1.0
	freshAgainst = 4.0
	leadWait     = time.Minute
)

// decayed is a count that fades with time constant tau.
func decayed(v float64, since time.Duration, tau time.Duration) float64 {
	if since <= 0 {
		return v
	}
	return v * math.Exp(-since.Seconds()/tau.Seconds())
}
