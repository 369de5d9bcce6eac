package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Entry is one change of one field of one item, with who said so. Fields are
// attribute names; "label.NAME", "ci.name", "ci.tags", "ci.aliases" and the like
// for the rest of the document; "software:TYPE/NAME" for installed versions;
// "relation:TYPE" for edges that came or went; "change:TYPE" for what was told
// (a deployment, a reboot); "liveness".
type Entry struct {
	ID     string    `json:"id"`
	CI     string    `json:"ci"`
	At     time.Time `json:"at"`
	Field  string    `json:"field"`
	Old    any       `json:"old,omitempty"`
	New    any       `json:"new,omitempty"`
	Source string    `json:"source"`
}

// Created is the field of an item's first entry, its new value the class; Removed
// that of the last, its old value the whole document as JSON.
const (
	Created = "created"
	Removed = "removed"
)

func (b *batch) log(ci, field string, old, new any, source string) {
	b.logAt(b.now, ci, field, old, new, source)
}

func (b *batch) logAt(at time.Time, ci, field string, old, new any, source string) {
	// The id sorts an item's entries by time, then by order of writing.
	id := fmt.Sprintf("%s %016x%08x", ci, at.UnixMilli(), b.inv.seq.Add(1)&0xffffffff)
	e := Entry{ID: id, CI: ci, At: event.Instant(at), Field: field, Old: old, New: new, Source: source}
	b.write(func(tx store.Tx) error { return b.inv.cols.history.Overwrite(tx, e) })
}

// write queues a row that nothing in the batch reads back.
func (b *batch) write(f func(store.Tx) error) {
	n := len(b.others)
	b.others = append(b.others, f)
	b.bytes += 300
	b.later(func() { b.others = b.others[:n] })
}

// remember writes the history of a changed document. Counters have none.
func (b *batch) remember(old, doc *cmdb.CI, source string) {
	if old == nil {
		b.log(doc.ID, Created, nil, doc.Class, source)
	}
	for _, d := range cmdb.DiffCIs(old, doc) {
		if f, ok := b.inv.Registry().Field(doc.Class, d.Field); ok && f.Counter {
			continue
		}
		b.log(doc.ID, d.Field, d.Old, d.New, source)
	}
	if old != nil && old.Liveness != doc.Liveness {
		b.log(doc.ID, "liveness", string(old.Liveness), string(doc.Liveness), source)
	}
}

// HistoryQuery selects entries of an item's history.
type HistoryQuery struct {
	Field  string    // only this field; empty: all
	Oldest bool      // as it happened; without it the newest come first
	Since  time.Time // only entries at or after
	Until  time.Time // only entries before; zero: no bound
	Cursor string
	Limit  int // 0: 100; at most 1000
}

// History lists what changed on an item. That of a removed one stays; an item that
// never was is fault.NotFound.
func (inv *Inventory) History(ctx context.Context, id string, q HistoryQuery) ([]Entry, string, error) {
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 100
	}
	sq := store.Query[Entry]{Prefix: []byte(id + " "), Reverse: !q.Oldest, Cursor: q.Cursor, Limit: q.Limit}
	if !q.Since.IsZero() {
		sq.From = fmt.Appendf(nil, "%s %016x", id, q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		sq.To = fmt.Appendf(nil, "%s %016x", id, q.Until.UnixMilli())
	}
	if q.Field != "" {
		sq.Keep = func(e Entry) bool { return e.Field == q.Field }
	}
	var out []Entry
	var next string
	err := inv.db.View(ctx, func(r store.Reader) error {
		page, err := inv.cols.history.List(r, sq)
		for _, row := range page.Rows {
			row.Doc.Old, row.Doc.New = cmdb.Normalize(row.Doc.Old), cmdb.Normalize(row.Doc.New)
			out = append(out, row.Doc)
		}
		next = page.Next
		if err != nil || len(out) > 0 || inv.resolve(id) != "" {
			return err
		}
		any, err := inv.cols.history.List(r, store.Query[Entry]{Prefix: sq.Prefix, Limit: 1})
		if err == nil && len(any.Rows) == 0 {
			err = fault.NotFoundf("configuration item %q does not exist", id)
		}
		return err
	})
	return out, next, err
}
