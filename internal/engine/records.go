package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// Records reads what the engine decided. It is safe for concurrent use; only the
// engine writes.
type Records struct {
	db         store.DB
	alerts     *store.Collection[correlator.Alert]
	incidents  *store.Collection[itsm.Incident]
	problems   *store.Collection[itsm.Problem]
	timeline   *store.Collection[fold.TimelineRow]
	audit      *store.Collection[fold.AuditRow]
	measures   *store.Collection[fold.MeasureRow]
	past       *store.Collection[itsm.Past] // measures that were trimmed, summed up
	quarantine *store.Collection[fold.QuarantineRow]
	hours      *store.Collection[itsm.Hour]
	windows    *store.Collection[itsm.Maintenance]
	reviews    *store.Collection[itsm.Review]
	teachings  *store.Collection[correlator.Teaching]
	outbox     *store.Collection[outboxRow]
	deliveries *store.Collection[notify.Delivery]
	threads    *store.Collection[threadRow]
}

func one(ok bool, parts ...any) [][]byte {
	if !ok {
		return nil
	}
	return store.Keys(parts...)
}

// NewRecords opens the records in db.
func NewRecords(db store.DB) *Records {
	return &Records{
		db: db,
		alerts: store.NewCoded("alert", alertCodec(), func(a correlator.Alert) string { return a.ID },
			store.Index[correlator.Alert]{Name: "active", Keys: func(a correlator.Alert) [][]byte {
				return one(a.Status == correlator.AlertFiring || a.Status == correlator.AlertStale, true)
			}},
			store.Index[correlator.Alert]{Name: "incident", Keys: func(a correlator.Alert) [][]byte { return one(a.Incident != "", a.Incident) }},
			store.Index[correlator.Alert]{Name: "ci", Keys: func(a correlator.Alert) [][]byte {
				if a.Binding == nil {
					return nil
				}
				return store.Keys(a.Binding.CI)
			}},
			store.Index[correlator.Alert]{Name: "fingerprint", Keys: func(a correlator.Alert) [][]byte { return store.Keys(a.Fingerprint) }},
		),
		incidents: store.NewCollection("incident", func(i itsm.Incident) string { return i.ID },
			store.Index[itsm.Incident]{Name: "open", Keys: func(i itsm.Incident) [][]byte {
				return one(i.Live(), i.AcknowledgedAt != nil, i.Priority, i.OpenedAt)
			}},
			store.Index[itsm.Incident]{Name: "ci", Keys: func(i itsm.Incident) [][]byte { return each(i.CIs) }},
			store.Index[itsm.Incident]{Name: "service", Keys: func(i itsm.Incident) [][]byte { return each(i.Services) }},
			store.Index[itsm.Incident]{Name: "problem", Keys: func(i itsm.Incident) [][]byte { return one(i.Problem != "", i.Problem) }},
		),
		problems: store.NewCollection("problem", func(p itsm.Problem) string { return p.ID }),
		timeline: store.NewCollection("timeline", timelineID),
		audit: store.NewCollection("audit", auditID,
			store.Index[fold.AuditRow]{Name: "record", Keys: func(r fold.AuditRow) [][]byte { return one(r.Record != "", r.Record) }},
			store.Index[fold.AuditRow]{Name: "actor", Keys: func(r fold.AuditRow) [][]byte { return store.Keys(r.Actor) }},
		),
		measures:   store.NewCollection("measure", func(r fold.MeasureRow) string { return rowID(r.Position, r.Seq) }),
		past:       store.NewCollection("past", itsm.Past.Key),
		quarantine: store.NewCollection("quarantine", func(r fold.QuarantineRow) string { return rowID(r.Position, r.Seq) }),
		hours:      store.NewCollection("hour", hourID),
		windows: store.NewCollection("maintenance", func(m itsm.Maintenance) string { return m.ID },
			store.Index[itsm.Maintenance]{Name: "open", Keys: func(m itsm.Maintenance) [][]byte {
				return one(m.State == itsm.WindowPlanned || m.State == itsm.WindowActive, m.StartsAt)
			}}),
		reviews:   store.NewCollection("review", func(v itsm.Review) string { return v.Incident }),
		teachings: store.NewCollection("teaching", func(t correlator.Teaching) string { return t.ID }),
		outbox: store.NewCollection("outbox", func(m outboxRow) string { return rowID(m.Position, m.Seq) },
			store.Index[outboxRow]{Name: "pending", Keys: func(m outboxRow) [][]byte { return one(m.DoneAt == nil, rowID(m.Position, m.Seq)) }},
			store.Index[outboxRow]{Name: "record", Keys: func(m outboxRow) [][]byte { return one(m.Record != "", m.Record) }}),
		deliveries: store.NewCollection("delivery", deliveryID),
		threads:    store.NewCollection("thread", func(t threadRow) string { return t.ID }),
	}
}

func auditID(r fold.AuditRow) string       { return fmt.Sprintf("%020d", r.Position) }
func timelineID(r fold.TimelineRow) string { return fmt.Sprintf("%s/%08d", r.Record, r.Seq) }
func hourID(h itsm.Hour) string            { return h.Start.UTC().Format(time.RFC3339) }
func deliveryID(d notify.Delivery) string  { return d.Message + "/" + string(d.Lane) }

func rowID(position uint64, seq int) string { return fmt.Sprintf("%020d-%06d", position, seq) }

func each(values []string) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = store.Key(v)
	}
	return out
}

// Page is one page of records.
type Page[T any] struct {
	Items []T
	Next  string
	// Unreadable counts damaged rows that the page leaves out.
	Unreadable int
}

func list[T any](ctx context.Context, db store.DB, c *store.Collection[T], q store.Query[T]) (Page[T], error) {
	var out Page[T]
	err := db.View(ctx, func(r store.Reader) error {
		p, err := c.List(r, q)
		if err != nil {
			return err
		}
		out = Page[T]{Items: make([]T, len(p.Rows)), Next: p.Next, Unreadable: len(p.Unreadable)}
		for i, row := range p.Rows {
			out.Items[i] = row.Doc
		}
		return nil
	})
	return out, err
}

func get[T any](ctx context.Context, db store.DB, c *store.Collection[T], id string) (T, uint64, error) {
	var row store.Row[T]
	err := db.View(ctx, func(r store.Reader) error {
		var err error
		row, err = c.Get(r, id)
		return err
	})
	return row.Doc, row.Revision, err
}

// Range is what lists have in common.
type Range struct {
	Cursor string
	Limit  int
}

// scanMost bounds how many rows one call looks at: a rare filter continues by cursor.
const scanMost = 20000

// Incident returns one incident with its revision.
func (r *Records) Incident(ctx context.Context, id string) (itsm.Incident, uint64, error) {
	return get(ctx, r.db, r.incidents, id)
}

// IncidentFilter selects incidents. Open, CI, Service and Problem use an index;
// at most one of them is given.
type IncidentFilter struct {
	Open    bool // unacknowledged first, then by priority, oldest first
	CI      string
	Service string
	Problem string
	Keep    func(itsm.Incident) bool
}

// Incidents lists incidents, newest first unless Open.
func (r *Records) Incidents(ctx context.Context, f IncidentFilter, at Range) (Page[itsm.Incident], error) {
	q := store.Query[itsm.Incident]{Cursor: at.Cursor, Limit: at.Limit, Keep: f.Keep, Scan: scanMost, Reverse: true}
	switch {
	case f.CI != "":
		q.Index, q.Prefix = "ci", store.Key(f.CI)
	case f.Service != "":
		q.Index, q.Prefix = "service", store.Key(f.Service)
	case f.Problem != "":
		q.Index, q.Prefix = "problem", store.Key(f.Problem)
	case f.Open:
		q.Index, q.Reverse = "open", false
	}
	return list(ctx, r.db, r.incidents, q)
}

// Alert returns one received episode.
func (r *Records) Alert(ctx context.Context, id string) (correlator.Alert, error) {
	doc, _, err := get(ctx, r.db, r.alerts, id)
	return doc, err
}

// AlertFilter selects alerts; at most one of the first four is given.
type AlertFilter struct {
	Active      bool
	Incident    string
	CI          string
	Fingerprint string
	Keep        func(correlator.Alert) bool
}

// Alerts lists received episodes, newest first; those of an incident in the order of receipt.
func (r *Records) Alerts(ctx context.Context, f AlertFilter, at Range) (Page[correlator.Alert], error) {
	q := store.Query[correlator.Alert]{Cursor: at.Cursor, Limit: at.Limit, Keep: f.Keep, Scan: scanMost, Reverse: true}
	switch {
	case f.Incident != "":
		q.Index, q.Prefix, q.Reverse = "incident", store.Key(f.Incident), false
	case f.CI != "":
		q.Index, q.Prefix = "ci", store.Key(f.CI)
	case f.Fingerprint != "":
		q.Index, q.Prefix = "fingerprint", store.Key(f.Fingerprint)
	case f.Active:
		q.Index = "active"
	}
	return list(ctx, r.db, r.alerts, q)
}

// Problem returns one problem.
func (r *Records) Problem(ctx context.Context, id string) (itsm.Problem, uint64, error) {
	return get(ctx, r.db, r.problems, id)
}

// Problems lists problems, newest first.
func (r *Records) Problems(ctx context.Context, keep func(itsm.Problem) bool, at Range) (Page[itsm.Problem], error) {
	return list(ctx, r.db, r.problems, store.Query[itsm.Problem]{Cursor: at.Cursor, Limit: at.Limit, Keep: keep, Scan: scanMost, Reverse: true})
}

// Timeline lists a record's timeline, oldest first.
func (r *Records) Timeline(ctx context.Context, record string, at Range) (Page[fold.TimelineRow], error) {
	return list(ctx, r.db, r.timeline, store.Query[fold.TimelineRow]{Prefix: []byte(record + "/"), Cursor: at.Cursor, Limit: at.Limit})
}

// AuditFilter selects audit rows; at most one of the first two is given.
type AuditFilter struct {
	Record, Actor string
	Keep          func(fold.AuditRow) bool
}

// Audit lists privileged acts, newest first.
func (r *Records) Audit(ctx context.Context, f AuditFilter, at Range) (Page[fold.AuditRow], error) {
	q := store.Query[fold.AuditRow]{Cursor: at.Cursor, Limit: at.Limit, Keep: f.Keep, Scan: scanMost, Reverse: true}
	switch {
	case f.Record != "":
		q.Index, q.Prefix = "record", store.Key(f.Record)
	case f.Actor != "":
		q.Index, q.Prefix = "actor", store.Key(f.Actor)
	}
	return list(ctx, r.db, r.audit, q)
}

// Measures walks the event log's observations in order, from a position on.
func (r *Records) Measures(ctx context.Context, after uint64, each func(fold.MeasureRow) error) error {
	cursor := ""
	for {
		p, err := list(ctx, r.db, r.measures, store.Query[fold.MeasureRow]{From: []byte(rowID(after+1, 0)), Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, m := range p.Items {
			if err := each(m); err != nil {
				return err
			}
		}
		if cursor = p.Next; cursor == "" {
			return nil
		}
	}
}

// Past walks the sums of the measures that were trimmed.
func (r *Records) Past(ctx context.Context, each func(itsm.Past)) error {
	cursor := ""
	for {
		p, err := list(ctx, r.db, r.past, store.Query[itsm.Past]{Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			each(x)
		}
		if cursor = p.Next; cursor == "" {
			return nil
		}
	}
}

// Maintenance returns one maintenance window.
func (r *Records) Maintenance(ctx context.Context, id string) (itsm.Maintenance, uint64, error) {
	return get(ctx, r.db, r.windows, id)
}

// Maintenances lists maintenance windows, newest first; open ones by their start.
func (r *Records) Maintenances(ctx context.Context, open bool, at Range) (Page[itsm.Maintenance], error) {
	q := store.Query[itsm.Maintenance]{Cursor: at.Cursor, Limit: at.Limit, Reverse: true}
	if open {
		q.Index, q.Reverse = "open", false
	}
	return list(ctx, r.db, r.windows, q)
}

// Review returns an incident's post-incident review: as a person finished it, or
// drafted from the records while nobody has.
func (r *Records) Review(ctx context.Context, incident string) (itsm.Review, error) {
	i, _, err := r.Incident(ctx, incident)
	if err != nil {
		return itsm.Review{}, err
	}
	var done itsm.Review
	var ok bool
	err = r.db.View(ctx, func(tx store.Reader) error {
		row, has, err := r.reviews.Find(tx, incident)
		done, ok = row.Doc, has
		return err
	})
	if err != nil || ok {
		return done, err
	}
	tl, err := r.Timeline(ctx, incident, Range{Limit: 5000})
	if err != nil {
		return itsm.Review{}, err
	}
	entries := make([]itsm.Entry, len(tl.Items))
	for n, row := range tl.Items {
		entries[n] = row.Entry
	}
	return itsm.Review{Incident: incident, Draft: true, Text: itsm.Draft(i, entries)}, nil
}

// Teaching returns what a person taught.
func (r *Records) Teaching(ctx context.Context, id string) (correlator.Teaching, error) {
	doc, _, err := get(ctx, r.db, r.teachings, id)
	return doc, err
}

// Teachings lists what people taught, newest first; with all, also what was withdrawn.
func (r *Records) Teachings(ctx context.Context, all bool, at Range) (Page[correlator.Teaching], error) {
	return list(ctx, r.db, r.teachings, store.Query[correlator.Teaching]{
		Cursor: at.Cursor, Limit: at.Limit, Scan: scanMost, Reverse: true,
		Keep: func(t correlator.Teaching) bool { return all || t.Withdrawn == nil },
	})
}

// Hours walks the hourly counts of alerts that begin within [from, to).
func (r *Records) Hours(ctx context.Context, from, to time.Time, each func(itsm.Hour) error) error {
	key := func(t time.Time) []byte { return []byte(t.UTC().Format(time.RFC3339)) }
	cursor := ""
	for {
		p, err := list(ctx, r.db, r.hours, store.Query[itsm.Hour]{From: key(from), To: key(to), Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, h := range p.Items {
			if err := each(h); err != nil {
				return err
			}
		}
		if cursor = p.Next; cursor == "" {
			return nil
		}
	}
}

// Quarantined lists alert objects that could not be read, newest first.
func (r *Records) Quarantined(ctx context.Context, at Range) (Page[fold.QuarantineRow], error) {
	return list(ctx, r.db, r.quarantine, store.Query[fold.QuarantineRow]{Cursor: at.Cursor, Limit: at.Limit, Reverse: true})
}

// Quarantine keeps an undecodable body that never became an event.
func (r *Records) Quarantine(ctx context.Context, at time.Time, source, reason string, raw []byte) error {
	const most = 64 << 10
	row := fold.QuarantineRow{At: at, Source: source, Reason: reason, Raw: strings.ToValidUTF8(string(raw[:min(len(raw), most)]), "\uFFFD")}
	row.Seq = int(at.UnixMilli() % 1e6)
	row.Position = uint64(at.UnixMilli())
	return r.db.Update(ctx, func(tx store.Tx) error { return r.quarantine.Put(tx, row) })
}
