package engine

import (
	"encoding/json"
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
				if old := out[at].Body.(fold.PutAlert); old.Full {
					b.Alert.Annotations, b.Alert.GeneratorURL, b.Full = old.Alert.Annotations, old.Alert.GeneratorURL, true
					f.Body = b
				}
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

// encode makes the documents that need nothing from the store, so that the
// transaction, behind which everybody waits, does not have to.
func encode(effects []fold.Effect) ([][]byte, error) {
	out := make([][]byte, len(effects))
	for i, f := range effects {
		var doc any
		switch b := f.Body.(type) {
		case fold.PutAlert:
			if !b.Full {
				continue
			}
			doc = b.Alert
		case fold.PutIncident:
			doc = b.Incident
		case fold.TimelineRow:
			doc = b
		default:
			continue
		}
		b, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("encode a record caused by position %d: %w", f.Cause, err)
		}
		out[i] = b
	}
	return out, nil
}

// write puts one effect into its collection; body is its document where encode made it.
func (r *Records) write(tx store.Tx, e fold.Effect, body []byte) error {
	switch b := e.Body.(type) {
	case fold.PutAlert:
		if b.Full {
			return r.alerts.PutEncoded(tx, b.Alert, body)
		}
		doc := b.Alert
		old, ok, err := r.alerts.Find(tx, doc.ID)
		var bad *store.Undecodable
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		if ok {
			doc.Annotations, doc.GeneratorURL = old.Doc.Annotations, old.Doc.GeneratorURL
		}
		return r.alerts.Put(tx, doc)
	case fold.PutIncident:
		return r.incidents.PutEncoded(tx, b.Incident, body)
	case fold.PutProblem:
		return r.problems.Put(tx, b.Problem)
	case fold.TimelineRow:
		return r.timeline.PutEncoded(tx, b, body)
	case fold.AuditRow:
		return r.audit.Put(tx, b)
	case fold.MeasureRow:
		return r.measures.Put(tx, b)
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
