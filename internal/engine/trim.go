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

const (
	// trimRows is how many rows one trimming transaction removes: others wait behind it.
	trimRows = 250
	// leastKept is how long a record is kept at least: the fold still writes to what
	// ended within it.
	leastKept = 24 * time.Hour
	// leastMeasured is how long measures stay rows at least: the availability of the
	// last 30 days is computed from them.
	leastMeasured = 31 * 24 * time.Hour
)

// TrimRecords removes records that were over before the given time: closed
// incidents with their alerts, timeline, messages and review, closed problems,
// ended alerts of no incident, maintenance windows that are over, and audit rows,
// measures and the like that belong to nothing that is kept. What is open stays,
// however old, and so does what the fold can still write to. Of measures their sums
// stay, so that no counter goes back. It returns how many rows it removed, in
// bounded transactions; a crash in between leaves the rest for the next call.
func (e *Engine) TrimRecords(ctx context.Context, before time.Time) (int, error) {
	now := e.o.Now()
	t := &trim{e: e, r: e.records, ctx: ctx, before: earlier(before, now.Add(-leastKept))}
	for _, pass := range []struct {
		of  string
		run func() error
	}{
		{"incidents", t.incidents}, {"problems", t.problems}, {"maintenance windows", t.windows}, {"alerts", t.alerts},
		{"audit rows", t.audit}, {"messages", t.messages}, {"quarantined alerts", t.quarantine}, {"hours", t.hours},
		{"measures", func() error { return t.measures(earlier(t.before, now.Add(-leastMeasured))) }},
		{"threads", t.threads},
	} {
		if err := pass.run(); err != nil {
			return t.removed, fmt.Errorf("trim %s: %w", pass.of, err)
		}
	}
	return t.removed, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// trim is one call of TrimRecords.
type trim struct {
	e       *Engine
	r       *Records
	ctx     context.Context
	before  time.Time
	removed int
}

// sweep walks a collection by q, while rows can be old, and removes each that is
// over. What is over is judged in the transaction that removes it.
func sweep[T any](t *trim, c *store.Collection[T], q store.Query[T], at func(T) time.Time, over func(store.Reader, T) (bool, error), drop func(store.Tx, T) error) error {
	q.Limit = trimRows
	for {
		var page store.Page[T]
		err := t.r.db.View(t.ctx, func(r store.Reader) (err error) {
			page, err = c.List(r, q)
			return err
		})
		if err != nil {
			return err
		}
		var old []T
		for _, row := range page.Rows {
			if at(row.Doc).Before(t.before) {
				old = append(old, row.Doc)
			}
		}
		n := 0
		if len(old) > 0 {
			err = t.r.db.Update(t.ctx, func(tx store.Tx) error {
				n = 0
				for _, doc := range old {
					yes, err := over(tx, doc)
					if err != nil {
						return err
					}
					if !yes {
						continue
					}
					if err := drop(tx, doc); err != nil {
						return err
					}
					n++
				}
				return nil
			})
		}
		if err != nil {
			return err
		}
		t.removed += n
		// Rows come in the order in which they were made: after the first page without
		// an old one there is none.
		if q.Cursor = page.Next; q.Cursor == "" || len(old) == 0 && len(page.Rows) > 0 && q.Index == "" {
			return nil
		}
	}
}

func always[T any](store.Reader, T) (bool, error) { return true, nil }

// members removes what of a query is over, whatever its order.
func members[T any](t *trim, c *store.Collection[T], q store.Query[T], id func(T) string, over func(store.Reader, T) (bool, error)) error {
	return sweep(t, c, q, func(T) time.Time { return time.Time{} }, over, func(tx store.Tx, doc T) error { return c.Delete(tx, id(doc)) })
}

func (t *trim) timeline(record string) error {
	return members(t, t.r.timeline, store.Query[fold.TimelineRow]{Prefix: []byte(record + "/")}, timelineID, always)
}

// incidents removes those that are closed and archived, each with what belongs to
// it. The record itself goes last, so that what a crash left is found again.
func (t *trim) incidents() error {
	q := store.Query[itsm.Incident]{Limit: trimRows}
	for {
		var page store.Page[itsm.Incident]
		err := t.r.db.View(t.ctx, func(r store.Reader) (err error) {
			page, err = t.r.incidents.List(r, q)
			return err
		})
		if err != nil {
			return err
		}
		old := false
		for _, row := range page.Rows {
			i := row.Doc
			old = old || i.OpenedAt.Before(t.before)
			if i.ClosedAt == nil || !i.ClosedAt.Before(t.before) || i.State != itsm.Closed && i.State != itsm.Canceled || t.held(i.ID) {
				continue
			}
			if err := t.incident(i.ID); err != nil {
				return fmt.Errorf("%s: %w", i.ID, err)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" || !old {
			return nil
		}
	}
}

// held says whether the fold can still write to an incident. What it let go it never
// takes up again.
func (t *trim) held(id string) bool {
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	return t.e.state.HoldsIncident(id)
}

func (t *trim) incident(id string) error {
	ended := func(_ store.Reader, a correlator.Alert) (bool, error) { return !active(a), nil }
	if err := members(t, t.r.alerts, store.Query[correlator.Alert]{Index: "incident", Prefix: store.Key(id)}, func(a correlator.Alert) string { return a.ID }, ended); err != nil {
		return err
	}
	if err := t.timeline(id); err != nil {
		return err
	}
	err := t.r.db.Update(t.ctx, func(tx store.Tx) error {
		if err := t.r.reviews.Delete(tx, id); err != nil {
			return err
		}
		return t.r.incidents.Delete(tx, id)
	})
	if err == nil {
		t.removed++
	}
	return err
}

func active(a correlator.Alert) bool {
	return a.Status == correlator.AlertFiring || a.Status == correlator.AlertStale
}

func (t *trim) problems() error {
	return sweep(t, t.r.problems, store.Query[itsm.Problem]{}, func(p itsm.Problem) time.Time { return p.OpenedAt },
		func(r store.Reader, p itsm.Problem) (bool, error) {
			row, ok, err := t.r.problems.Find(r, p.ID)
			return ok && row.Doc.State == itsm.ProblemClosed && row.Doc.ClosedAt != nil && row.Doc.ClosedAt.Before(t.before), err
		},
		func(tx store.Tx, p itsm.Problem) error {
			if err := dropTimeline(t.r, tx, p.ID); err != nil {
				return err
			}
			return t.r.problems.Delete(tx, p.ID)
		})
}

func (t *trim) windows() error {
	return sweep(t, t.r.windows, store.Query[itsm.Maintenance]{}, func(m itsm.Maintenance) time.Time { return m.CreatedAt },
		func(r store.Reader, m itsm.Maintenance) (bool, error) {
			row, ok, err := t.r.windows.Find(r, m.ID)
			return ok && row.Doc.State != itsm.WindowPlanned && row.Doc.State != itsm.WindowActive && row.Doc.EndsAt.Before(t.before), err
		},
		func(tx store.Tx, m itsm.Maintenance) error {
			if err := dropTimeline(t.r, tx, m.ID); err != nil {
				return err
			}
			return t.r.windows.Delete(tx, m.ID)
		})
}

// dropTimeline removes a short timeline: those of problems and windows grow by hand.
func dropTimeline(r *Records, tx store.Tx, record string) error {
	page, err := r.timeline.List(tx, store.Query[fold.TimelineRow]{Prefix: []byte(record + "/"), Limit: 2000})
	if err != nil {
		return err
	}
	for _, row := range page.Rows {
		if err := r.timeline.Delete(tx, timelineID(row.Doc)); err != nil {
			return err
		}
	}
	return nil
}

// alerts removes ended ones that are in no incident that is kept.
func (t *trim) alerts() error {
	return sweep(t, t.r.alerts, store.Query[correlator.Alert]{}, func(a correlator.Alert) time.Time { return a.FirstReceived },
		func(r store.Reader, a correlator.Alert) (bool, error) {
			row, ok, err := t.r.alerts.Find(r, a.ID)
			if err != nil || !ok || active(row.Doc) || !row.Doc.LastReceived.Before(t.before) {
				return false, err
			}
			return t.gone(r, row.Doc.Incident)
		},
		func(tx store.Tx, a correlator.Alert) error { return t.r.alerts.Delete(tx, a.ID) })
}

// gone says that a record is not kept (any more); one without a name never was.
func (t *trim) gone(r store.Reader, id string) (bool, error) {
	var ok bool
	var err error
	switch id[:min(len(id), 3)] {
	case "INC":
		_, ok, err = t.r.incidents.Find(r, id)
	case "PRB":
		_, ok, err = t.r.problems.Find(r, id)
	case "MNT":
		_, ok, err = t.r.windows.Find(r, id)
	}
	return !ok, err
}

func (t *trim) audit() error {
	return sweep(t, t.r.audit, store.Query[fold.AuditRow]{}, func(a fold.AuditRow) time.Time { return a.At },
		func(r store.Reader, a fold.AuditRow) (bool, error) { return t.gone(r, a.Record) },
		func(tx store.Tx, a fold.AuditRow) error { return t.r.audit.Delete(tx, auditID(a)) })
}

// messages removes those that were delivered, with how that went.
func (t *trim) messages() error {
	return sweep(t, t.r.outbox, store.Query[outboxRow]{}, func(m outboxRow) time.Time { return m.At },
		func(r store.Reader, m outboxRow) (bool, error) {
			if m.DoneAt == nil {
				return false, nil
			}
			return t.gone(r, m.Record)
		},
		func(tx store.Tx, m outboxRow) error {
			id := rowID(m.Position, m.Seq)
			page, err := t.r.deliveries.List(tx, store.Query[notify.Delivery]{Prefix: []byte(id + "/"), Limit: 1000})
			if err != nil {
				return err
			}
			for _, d := range page.Rows {
				if err := t.r.deliveries.Delete(tx, deliveryID(d.Doc)); err != nil {
					return err
				}
			}
			return t.r.outbox.Delete(tx, id)
		})
}

// quarantine walks all: bodies that never became an event stand after those that did.
func (t *trim) quarantine() error {
	return members(t, t.r.quarantine, store.Query[fold.QuarantineRow]{}, func(q fold.QuarantineRow) string { return rowID(q.Position, q.Seq) },
		func(_ store.Reader, q fold.QuarantineRow) (bool, error) { return q.At.Before(t.before), nil })
}

func (t *trim) hours() error {
	return sweep(t, t.r.hours, store.Query[itsm.Hour]{}, func(h itsm.Hour) time.Time { return h.Start }, always[itsm.Hour],
		func(tx store.Tx, h itsm.Hour) error { return t.r.hours.Delete(tx, hourID(h)) })
}

// measures turns rows into sums, in one transaction each, so that nothing is
// counted twice or not at all.
func (t *trim) measures(before time.Time) error {
	upTo := t.e.Position() // what lies beyond may be decided again
	old := *t
	old.before = before
	err := sweep(&old, t.r.measures, store.Query[fold.MeasureRow]{}, func(m fold.MeasureRow) time.Time { return m.At },
		func(r store.Reader, m fold.MeasureRow) (bool, error) {
			if m.Position > upTo {
				return false, nil
			}
			return t.gone(r, m.Record)
		},
		func(tx store.Tx, m fold.MeasureRow) error {
			p := itsm.PastOf(m.Observation())
			row, ok, err := t.r.past.Find(tx, p.Key())
			if err != nil {
				return err
			}
			if ok {
				p = row.Doc.Add(p)
			}
			if err := t.r.past.Put(tx, p); err != nil {
				return err
			}
			return t.r.measures.Delete(tx, rowID(m.Position, m.Seq))
		})
	t.removed = old.removed
	return err
}

// threads removes what integrations remember of incidents that are gone.
func (t *trim) threads() error {
	return members(t, t.r.threads, store.Query[threadRow]{}, func(x threadRow) string { return x.ID }, func(r store.Reader, x threadRow) (bool, error) {
		key := x.ID[strings.LastIndexByte(x.ID, ' ')+1:]
		if !strings.HasPrefix(key, "INC") {
			return false, nil
		}
		return t.gone(r, key)
	})
}
