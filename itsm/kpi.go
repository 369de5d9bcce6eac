package itsm

import (
	"cmp"
	"encoding/csv"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Observation is one measure with when and about what it was taken: a row of the
// event log.
type Observation struct {
	At       time.Time
	Record   string
	Priority int
	Services []string // what the record is about; it counts for each of them
	Team     string
	Measure
}

// Hour counts the alerts received in one hour: their fates and how many new
// episodes they were.
type Hour struct {
	Start    time.Time         `json:"start"`
	Received uint64            `json:"received"`
	Episodes uint64            `json:"episodes"`
	Released uint64            `json:"released"`
	Fates    map[string]uint64 `json:"fates"`
}

// Query selects the observations of a report: From ≤ at < To.
type Query struct {
	From, To time.Time
	By       string // one of Dimensions, "" for the whole
	Zone     *time.Location
}

// Dimensions are what a report can be grouped by.
func Dimensions() []string {
	return []string{"priority", "service", "team", "sla", "day", "week", "month"}
}

// Validate names what cannot be answered.
func (q Query) Validate() error {
	if q.By != "" && !slices.Contains(Dimensions(), q.By) {
		return fault.Invalidf("by", "want priority, service, team, sla, day, week or month, got %q", q.By)
	}
	if !q.From.Before(q.To) {
		return fault.Invalidf("to", "must be later than from (%s)", q.From.Format(time.RFC3339))
	}
	return nil
}

// Distribution sums up a clock. Percentiles are nearest-rank over the observed
// values: p50 is always a time that somebody really waited.
type Distribution struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	Mean  float64 `json:"mean"`
	Max   float64 `json:"max"`
	Sum   float64 `json:"sum"`
}

// Backlog is what was open at the end of the report.
type Backlog struct {
	Open   int          `json:"open"`
	Oldest *time.Time   `json:"oldest,omitempty"`
	Age    Distribution `json:"age_seconds"`
	// Unacknowledged is the age of those that nobody acknowledged: they are missing
	// in the acknowledgement clock and must not be forgotten.
	Unacknowledged Distribution `json:"unacknowledged_age_seconds"`
}

// KPIs are one group of a report. A ratio is absent where its denominator is 0:
// nothing happened is neither good nor bad.
type KPIs struct {
	Key    string                  `json:"key"`
	Counts map[string]float64      `json:"counts"`
	Clocks map[string]Distribution `json:"clocks"`
	// SLA counts the clocks that were due in the period by their result, as known now.
	SLA              map[string]int `json:"sla,omitempty"`
	ReopenRate       *float64       `json:"reopen_rate,omitempty"`
	RecurrenceRate   *float64       `json:"recurrence_rate,omitempty"`
	FirstContactRate *float64       `json:"first_contact_rate,omitempty"`
	SLACompliance    *float64       `json:"sla_compliance,omitempty"`
	NoiseReduction   *float64       `json:"noise_reduction,omitempty"`
	Alerts           *Hour          `json:"alerts,omitempty"`
	// Backlog is absent where it is not known: in groups by time and by service level.
	Backlog *Backlog `json:"backlog,omitempty"`
}

// Report is the answer of /api/v1/kpis.
type Report struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	By     string    `json:"by,omitempty"`
	Total  KPIs      `json:"total"`
	Groups []KPIs    `json:"groups"`
	// Services are availability and MTBF of the services that are configured.
	Services []Availability `json:"services,omitempty"`
}

// gathered is a group in the making.
type gathered struct {
	counts map[string]float64
	clocks map[string][]float64
	sla    map[string]int
	hour   Hour
	hours  bool
	open   []live
	held   bool // the backlog is known
	// Of what opened or was resolved in the period, as known now.
	merged, recurred, resolved, reopened, byPeople float64
}

type live struct {
	opened time.Time
	keys   []string
	acked  bool
}

// The keys in CSV of the whole, and of what belongs to no team or service.
const (
	totalKey = "(total)"
	noKey    = "(none)"
)

// WriteCSV writes a report as one line per group, figure and statistic, so that a
// spreadsheet can pivot it.
func (r Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	line := func(key, name, stat string, v float64) {
		_ = out.Write([]string{r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339), r.By, key, name, stat, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	spread := func(key, name string, d Distribution) {
		line(key, name, "count", float64(d.Count))
		if d.Count > 0 {
			line(key, name, "p50", d.P50)
			line(key, name, "p90", d.P90)
			line(key, name, "mean", d.Mean)
			line(key, name, "max", d.Max)
			line(key, name, "sum", d.Sum)
		}
	}
	_ = out.Write([]string{"from", "to", "by", "key", "name", "statistic", "value"})
	for nth, k := range append([]KPIs{r.Total}, r.Groups...) {
		key := cmp.Or(k.Key, noKey)
		if nth == 0 {
			key = totalKey
		}
		for _, n := range slices.Sorted(maps.Keys(k.Counts)) {
			line(key, n, "count", k.Counts[n])
		}
		for _, n := range slices.Sorted(maps.Keys(k.Clocks)) {
			spread(key, n, k.Clocks[n])
		}
		for _, n := range slices.Sorted(maps.Keys(k.SLA)) {
			line(key, MSLA, n, float64(k.SLA[n]))
		}
		for _, x := range []struct {
			name string
			v    *float64
		}{{"reopen_rate", k.ReopenRate}, {"recurrence_rate", k.RecurrenceRate}, {"first_contact_rate", k.FirstContactRate}, {"sla_compliance", k.SLACompliance}, {"noise_reduction", k.NoiseReduction}} {
			if x.v != nil {
				line(key, x.name, "ratio", *x.v)
			}
		}
		if k.Backlog != nil {
			line(key, "backlog", "open", float64(k.Backlog.Open))
			spread(key, "backlog_age_seconds", k.Backlog.Age)
			spread(key, "backlog_unacknowledged_age_seconds", k.Backlog.Unacknowledged)
		}
	}
	for _, a := range r.Services {
		line(a.Service, "service", "agreed_seconds", a.Agreed)
		line(a.Service, "service", "downtime_seconds", a.Downtime)
		line(a.Service, "service", "failures", float64(a.Failures))
		if a.Availability != nil {
			line(a.Service, "service", "availability", *a.Availability)
		}
		if a.MTBF != nil {
			line(a.Service, "service", "mtbf_seconds", *a.MTBF)
		}
	}
	out.Flush()
	return out.Error()
}

func newGathered() *gathered {
	return &gathered{counts: map[string]float64{}, clocks: map[string][]float64{}, sla: map[string]int{}, hour: Hour{Fates: map[string]uint64{}}}
}

// Compute makes a report of the event log. Observations come in log order from
// the log's beginning (the backlog is a sum of all that opened and ended), hours
// in any order; now bounds what is still running.
func Compute(q Query, log iter.Seq[Observation], hours iter.Seq[Hour], services []Service, cal Calendars, now time.Time) Report {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	total, groups := newGathered(), map[string]*gathered{}
	open := map[string]live{}
	outages, cohorts := NewOutages(), NewCohorts()
	for o := range log {
		cohorts.Take(o, q.keys(o))
		outages.Take(o)
		if !o.At.Before(q.To) {
			continue
		}
		follow(open, o, q)
		if o.At.Before(q.From) || o.Name == MSLA {
			continue
		}
		total.add(o)
		for _, key := range q.keys(o) {
			group(groups, key).add(o)
		}
	}
	cohorts.gather(q, total, groups)
	for h := range hours {
		if h.Start.Before(q.From) || !h.Start.Before(q.To) {
			continue
		}
		total.addHour(h)
		if key, ok := q.timeKey(h.Start); ok {
			group(groups, key).addHour(h)
		}
	}
	placed := slices.Contains([]string{"priority", "service", "team"}, q.By) // an open incident has its place in it
	for _, id := range slices.Sorted(maps.Keys(open)) {
		l := open[id]
		total.open = append(total.open, l)
		if placed {
			for _, key := range l.keys {
				g := group(groups, key)
				g.open = append(g.open, l)
			}
		}
	}
	at := earlier(q.To, now)
	total.held = true
	r := Report{From: q.From, To: q.To, By: q.By, Total: total.sum("", at), Groups: []KPIs{}}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		groups[k].held = placed
		r.Groups = append(r.Groups, groups[k].sum(k, at))
	}
	r.Services = outages.Sum(services, q.From, q.To, cal, now)
	return r
}

func group(groups map[string]*gathered, key string) *gathered {
	g := groups[key]
	if g == nil {
		g = newGathered()
		groups[key] = g
	}
	return g
}

// follow keeps which incidents are open.
func follow(open map[string]live, o Observation, q Query) {
	keys := q.keys(o)
	l, is := open[o.Record]
	switch o.Name {
	case MOpened:
		open[o.Record] = live{opened: o.At, keys: keys}
		return
	case MReopened, MReopenedLate:
		open[o.Record] = live{opened: o.At, keys: keys}
		return
	case MResolution, MExpired, MCanceled, MMerged:
		delete(open, o.Record)
		return
	case MMoved: // a merge dates it back, and brings who acknowledged
		if o.Of == "" && !o.From.IsZero() {
			l.opened = o.From
		}
		l.acked = l.acked || o.Result == "acknowledged"
	case MAcknowledgement:
		l.acked = true
	}
	// A measure about one service says nothing of where the incident belongs.
	if is && o.Of == "" {
		l.keys = keys
	}
	if is {
		open[o.Record] = l
	}
}

// keys says to which groups an observation belongs.
func (q Query) keys(o Observation) []string {
	switch q.By {
	case "priority":
		if o.Priority > 0 {
			return []string{strconv.Itoa(o.Priority)}
		}
	case "service":
		switch {
		case o.Of != "":
			return []string{o.Of}
		case len(o.Services) > 0:
			return o.Services
		case o.Record != "":
			return []string{""}
		}
	case "team":
		if o.Record != "" {
			return []string{o.Team}
		}
	case "sla":
		if o.SLA != "" {
			return []string{o.SLA}
		}
	default:
		if key, ok := q.timeKey(o.At); ok {
			return []string{key}
		}
	}
	return nil
}

func (q Query) timeKey(at time.Time) (string, bool) {
	t := at.In(q.Zone)
	switch q.By {
	case "day":
		return t.Format("2006-01-02"), true
	case "week":
		y, w := t.ISOWeek()
		return strconv.Itoa(y) + "-W" + pad(w), true
	case "month":
		return t.Format("2006-01"), true
	}
	return "", false
}

func pad(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

var clockNames = func() map[string]bool {
	m := map[string]bool{}
	for _, x := range Metrics() {
		if x.Clock {
			m[x.Name] = true
		}
	}
	return m
}()

func (g *gathered) add(o Observation) {
	switch {
	case clockNames[o.Name]:
		g.clocks[o.Name] = append(g.clocks[o.Name], o.Value)
	default:
		g.counts[o.Name] += o.Value
	}
}

func (g *gathered) addHour(h Hour) {
	g.hours = true
	g.hour.Received += h.Received
	g.hour.Episodes += h.Episodes
	g.hour.Released += h.Released
	for f, n := range h.Fates {
		g.hour.Fates[f] += n
	}
}

func (g *gathered) sum(key string, to time.Time) KPIs {
	k := KPIs{Key: key, Counts: map[string]float64{}, Clocks: map[string]Distribution{}}
	for _, m := range Metrics() {
		switch {
		case m.Name == MSLA:
		case m.Clock:
			k.Clocks[m.Name] = Distribute(g.clocks[m.Name])
		default:
			k.Counts[m.Name] = g.counts[m.Name]
		}
	}
	k.ReopenRate = ratio(g.reopened, g.resolved)
	k.RecurrenceRate = ratio(g.recurred, g.counts[MOpened])
	k.FirstContactRate = ratio(g.counts[MFirstContact], g.byPeople)
	if len(g.sla) > 0 {
		k.SLA = g.sla
		k.SLACompliance = ratio(float64(g.sla[Met]), float64(g.sla[Met]+g.sla[Breached]))
	}
	if g.hours {
		k.Alerts = &g.hour
		if n := ratio(g.counts[MOpened]-g.merged, float64(g.hour.Episodes)); n != nil {
			v := max(0, 1-*n) // more incidents than alerts: people opened them, no noise was reduced
			k.NoiseReduction = &v
		}
	}
	if !g.held {
		return k
	}
	k.Backlog = &Backlog{}
	var ages, waiting []float64
	for _, l := range g.open {
		age := to.Sub(l.opened).Seconds()
		ages = append(ages, age)
		if !l.acked {
			waiting = append(waiting, age)
		}
		if k.Backlog.Oldest == nil || l.opened.Before(*k.Backlog.Oldest) {
			at := l.opened
			k.Backlog.Oldest = &at
		}
	}
	k.Backlog.Open, k.Backlog.Age, k.Backlog.Unacknowledged = len(g.open), Distribute(ages), Distribute(waiting)
	return k
}

func ratio(a, b float64) *float64 {
	if b <= 0 {
		return nil
	}
	v := a / b
	return &v
}

// Distribute sums values up; it sorts a copy. Sums are kept in whole milliseconds,
// so that they do not depend on the order of the values.
func Distribute(values []float64) Distribution {
	d := Distribution{Count: len(values)}
	if len(values) == 0 {
		return d
	}
	v := slices.Clone(values)
	slices.SortFunc(v, cmp.Compare)
	var ms int64
	for _, x := range v {
		ms += int64(math.Round(x * 1000))
	}
	d.Sum = float64(ms) / 1000
	d.Mean = math.Round(float64(ms)/float64(len(v))) / 1000
	d.P50, d.P90, d.Max = rank(v, 50), rank(v, 90), v[len(v)-1]
	return d
}

// rank is the nearest-rank percentile of sorted values.
func rank(v []float64, p int) float64 {
	return v[max(0, (len(v)*p+99)/100-1)]
}
