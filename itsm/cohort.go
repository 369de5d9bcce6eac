package itsm

import "time"

// Cohorts count clocks, resolutions and openings once each, in the period to which they
// belong, with what became of them as known now. A ratio of them lies in 0..1 and adds up
// over any partition of time, because nothing that happens later moves into another
// period. Not safe for concurrent use.
type Cohorts struct {
	clocks      map[[2]string]*member // by record and service level
	order       []*member             // clocks, in the order of the log
	resolutions map[string][]*member  // by record
	openings    map[string]*member    // by record
}

// member is one of a cohort, with the groups that it belonged to when it was measured.
type member struct {
	at     time.Time // that it is counted by
	keys   []string
	sla    string
	result string // of a clock: "" is none yet
	back   bool   // a resolution: reopened within reopenCounts
	people bool   // a resolution: by people
	merged bool   // an opening: a part of another
	again  bool   // an opening: seen before
}

// NewCohorts makes an empty collection.
func NewCohorts() *Cohorts {
	return &Cohorts{clocks: map[[2]string]*member{}, resolutions: map[string][]*member{}, openings: map[string]*member{}}
}

// Take notes one observation, in the order of the log. Keys are the groups that it
// belongs to.
func (c *Cohorts) Take(o Observation, keys []string) {
	switch o.Name {
	case MSLA:
		k := [2]string{o.Record, o.SLA}
		m := c.clocks[k]
		if m == nil {
			m = &member{sla: o.SLA}
			c.clocks[k] = m
			c.order = append(c.order, m)
		}
		m.at, m.keys, m.result = o.Until, keys, o.Result
		if m.at.IsZero() { // an earlier version did not say when it was due
			m.at = o.At
		}
		if o.Result == Withdrawn {
			m.result = ""
		}
	case MResolution:
		c.resolutions[o.Record] = append(c.resolutions[o.Record], &member{at: o.At, keys: keys, people: o.Result == ByPeople})
	case MReopened:
		if l := c.resolutions[o.Record]; len(l) > 0 && (o.From.IsZero() || !l[len(l)-1].at.After(o.At)) {
			l[len(l)-1].back = true
		}
	case MOpened:
		c.openings[o.Record] = &member{at: o.At, keys: keys}
	case MMerged:
		if m := c.openings[o.Record]; m != nil {
			m.merged = true
		}
	case MRecurring:
		if m := c.openings[o.Record]; m != nil {
			m.again = true
		}
	}
}

// gather adds what belongs to a report's period to its total and its groups.
func (c *Cohorts) gather(q Query, total *gathered, groups map[string]*gathered) {
	within := func(m *member) bool { return !m.at.Before(q.From) && m.at.Before(q.To) }
	each := func(m *member, add func(*gathered)) {
		if !within(m) {
			return
		}
		add(total)
		keys := m.keys
		if key, ok := q.timeKey(m.at); ok { // by when it is counted, not by when that was measured
			keys = []string{key}
		}
		for _, key := range keys {
			add(group(groups, key))
		}
	}
	for _, m := range c.order {
		if m.result != "" {
			each(m, func(g *gathered) { g.sla[m.result]++ })
		}
	}
	for _, l := range c.resolutions {
		for _, m := range l {
			each(m, func(g *gathered) {
				g.resolved++
				if m.back {
					g.reopened++
				}
				if m.people {
					g.byPeople++
				}
			})
		}
	}
	for _, m := range c.openings {
		each(m, func(g *gathered) {
			if m.merged {
				g.merged++
			}
			if m.again {
				g.recurred++
			}
		})
	}
}

// Forget drops what is counted before at: no later report may begin earlier.
func (c *Cohorts) Forget(at time.Time) {
	order := c.order[:0]
	for _, m := range c.order {
		if m.result == "" || !m.at.Before(at) {
			order = append(order, m)
		}
	}
	c.order = order
	for k, m := range c.clocks {
		if m.result != "" && m.at.Before(at) {
			delete(c.clocks, k)
		}
	}
	for k, l := range c.resolutions {
		if len(l) > 0 && l[len(l)-1].at.Before(at) {
			delete(c.resolutions, k)
		}
	}
	for k, m := range c.openings {
		if m.at.Before(at) {
			delete(c.openings, k)
		}
	}
}

// Ratios are the shares of clocks that were met, by service level, and of resolutions that
// were taken back, within [from, to); absent where there is nothing to divide by.
func (c *Cohorts) Ratios(from, to time.Time) (compliance map[string]float64, reopened *float64) {
	q := Query{From: from, To: to, By: "sla"}
	total, groups := newGathered(), map[string]*gathered{}
	c.gather(q, total, groups)
	compliance = map[string]float64{}
	for sla, g := range groups {
		if v := ratio(float64(g.sla[Met]), float64(g.sla[Met]+g.sla[Breached])); v != nil {
			compliance[sla] = *v
		}
	}
	return compliance, ratio(total.reopened, total.resolved)
}
