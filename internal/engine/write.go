package engine

import (
	"errors"
	"fmt"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/store"
)

// coalesce drops writes of a record that a later one of the same batch replaces:
// in a storm an incident changes with each of its alerts.
func coalesce(effects []fold.Effect) []fold.Effect {
	last := make(map[string]int, len(effects))
	out := make([]fold.Effect, 0, len(effects))
	for _, f := range effects {
		id := ""
		switch b := f.Body.(type) {
		case fold.PutAlert:
			id = b.Alert.ID
			if at, ok := last[id]; ok && !b.Full {
				// What memory does not hold is in the write that goes.
				old := out[at].Body.(fold.PutAlert)
				f.Body = fold.PutAlert{Alert: b.Onto(old.Alert), Full: old.Full}
			}
		case fold.PutIncident:
			id = b.Incident.ID
		case fold.PutProblem:
			id = b.Problem.ID
		}
		if id != "" {
			if at, ok := last[id]; ok {
				out[at] = f
				continue
			}
			last[id] = len(out)
		}
		out = append(out, f)
	}
	return out
}

// prepared is an effect whose documents are made already: the transaction, behind
// which everybody waits, has only to put them.
type prepared struct {
	fold.Effect
	pairs []store.Pair // all writes of a record that is new
	body  []byte       // or the document of one that may be stored already
}

// prepare makes what needs nothing from the store.
func (r *Records) prepare(effects []fold.Effect) ([]prepared, error) {
	out := make([]prepared, len(effects))
	for i, f := range effects {
		p := prepared{Effect: f}
		var err error
		switch b := f.Body.(type) {
		case fold.PutAlert:
			if b.Full { // its id comes from the sequence just now
				p.pairs, err = r.alerts.EncodeNew(b.Alert)
			}
		case fold.PutIncident:
			p.body, err = r.incidents.Encode(b.Incident)
		case fold.TimelineRow:
			p.pairs, err = r.timeline.EncodeNew(b)
		case fold.MeasureRow:
			p.pairs, err = r.measures.EncodeNew(b)
		case fold.AuditRow:
			p.pairs, err = r.audit.EncodeNew(b)
		}
		if err != nil {
			return nil, fmt.Errorf("encode a record caused by position %d: %w", f.Cause, err)
		}
		out[i] = p
	}
	return out, nil
}

// write puts one effect into its collection.
func (r *Records) write(tx store.Tx, e prepared) error {
	for _, p := range e.pairs {
		if err := tx.Put(p.Key, p.Value); err != nil {
			return err
		}
	}
	switch b := e.Body.(type) {
	case fold.PutAlert:
		if b.Full {
			return nil
		}
		doc := b.Alert
		old, ok, err := r.alerts.Find(tx, doc.ID)
		var bad *store.Undecodable
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		if ok {
			doc = b.Onto(old.Doc)
		}
		return r.alerts.Put(tx, doc)
	case fold.PutIncident:
		return r.incidents.PutEncoded(tx, b.Incident, e.body)
	case fold.PutProblem:
		return r.problems.Put(tx, b.Problem)
	case fold.PutMaintenance:
		return r.windows.Put(tx, b.Maintenance)
	case fold.PutReview:
		return r.reviews.Put(tx, b.Review)
	case fold.PutTeaching:
		return r.teachings.Put(tx, b.Teaching)
	case fold.PutHour:
		return r.hours.Put(tx, b.Hour)
	case fold.QuarantineRow:
		return r.quarantine.Put(tx, b)
	case fold.Message:
		// A message that is there already may be delivered already: a commit that a
		// crash cut in two is repeated.
		if _, ok, err := r.outbox.Find(tx, rowID(b.Position, b.Seq)); err != nil || ok {
			return err
		}
		return r.outbox.Put(tx, outboxRow{Message: b})
	}
	return nil
}
