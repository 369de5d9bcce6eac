package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// outboxRow is a message with what became of it.
type outboxRow struct {
	fold.Message
	DoneAt *time.Time `json:"done_at,omitempty"`
}

// threadRow is what an integration remembers of an incident's thread.
type threadRow struct {
	ID       string            `json:"id"`
	Remember map[string]string `json:"remember"`
}

// Outbox gives the messages that the engine committed to their delivery, as
// people read them. It is safe for concurrent use.
type Outbox struct {
	r     *Records
	links *notify.Links

	mu      sync.Mutex
	changed chan struct{}
}

var _ notify.Outbox = (*Outbox)(nil)

// Outbox opens the outbox; links may be nil. Call it before Run: it listens for
// what is committed.
func (e *Engine) Outbox(links *notify.Links) *Outbox {
	o := &Outbox{r: e.records, links: links, changed: make(chan struct{})}
	e.Tap(func(f fold.Effect) {
		if _, ok := f.Body.(fold.Message); ok {
			o.mu.Lock()
			close(o.changed)
			o.changed = make(chan struct{})
			o.mu.Unlock()
		}
	})
	return o
}

// Changed implements notify.Outbox.
func (o *Outbox) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

// Pending implements notify.Outbox.
func (o *Outbox) Pending(ctx context.Context, after string, limit int) ([]notify.Message, error) {
	var out []notify.Message
	if limit <= 0 {
		return nil, nil
	}
	err := o.r.db.View(ctx, func(r store.Reader) error {
		done, err := readMark[committed](r, committedKey)
		if err != nil {
			return err
		}
		// What lies beyond belongs to a commit that is not whole yet: after a crash it
		// is decided again.
		q := store.Query[outboxRow]{Index: "pending", Limit: limit, To: store.Key(rowID(done.Position+1, 0))}
		if after != "" {
			q.From = append(store.Key(after), 0xff)
		}
		page, err := o.r.outbox.List(r, q)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			m, err := o.render(row.Doc.Message)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// Deliveries implements notify.Outbox.
func (o *Outbox) Deliveries(ctx context.Context, message string) ([]notify.Delivery, error) {
	p, err := o.r.Deliveries(ctx, message, Range{Limit: 1000})
	return p.Items, err
}

// Record implements notify.Outbox.
func (o *Outbox) Record(ctx context.Context, d notify.Delivery, last bool) error {
	return o.r.db.Update(ctx, func(tx store.Tx) error {
		if err := o.r.deliveries.Put(tx, d); err != nil || !last {
			return err
		}
		row, ok, err := o.r.outbox.Find(tx, d.Message)
		if err != nil || !ok {
			return err
		}
		at := d.At
		row.Doc.DoneAt = &at
		return o.r.outbox.Put(tx, row.Doc)
	})
}

// Thread implements notify.Outbox.
func (o *Outbox) Thread(ctx context.Context, lane notify.Lane, key string) (map[string]string, error) {
	var out map[string]string
	err := o.r.db.View(ctx, func(r store.Reader) error {
		row, _, err := o.r.threads.Find(r, string(lane)+" "+key)
		out = row.Doc.Remember
		return err
	})
	return out, err
}

// KeepThread implements notify.Outbox.
func (o *Outbox) KeepThread(ctx context.Context, lane notify.Lane, key string, remember map[string]string) error {
	return o.r.db.Update(ctx, func(tx store.Tx) error {
		return o.r.threads.Put(tx, threadRow{string(lane) + " " + key, remember})
	})
}

// render makes a message as people read it. Links to acknowledge are added where
// the receiver is known.
func (o *Outbox) render(m fold.Message) (notify.Message, error) {
	var n fold.Notice
	if err := json.Unmarshal(m.Body, &n); err != nil {
		return notify.Message{}, fmt.Errorf("read message %s: %w", rowID(m.Position, m.Seq), err)
	}
	out := notify.Message{
		ID: rowID(m.Position, m.Seq), At: m.At, Key: m.Record, StartsAt: m.At, To: m.To,
		Labels: n.Labels(m.Topic), Annotations: map[string]string{},
	}
	i := n.Incident
	if i == nil {
		out.Key = "storm"
		if len(m.To) > 0 { // each receiver has its own, also where two share an account
			out.Key += "/" + strings.Join(m.To, "/")
		}
		out.Annotations["summary"] = n.Text
		text := n.Text + o.named(n)
		out.Annotations["description"], out.Plain = text, text
		return out, nil
	}
	out.StartsAt = i.OpenedAt
	if m.Topic == fold.TellResolved || m.Topic == fold.TellCanceled {
		out.EndsAt = m.At
	}
	out.Acknowledge = i.Live() && i.AcknowledgedAt == nil
	out.Annotations["summary"] = fmt.Sprintf("[P%d] %s %s", i.Priority, i.ID, i.Title)
	out.Annotations["description"] = describe(i, n.Text)
	out.Plain = out.Annotations["summary"] + "\n" + out.Annotations["description"]
	if o.links != nil {
		out.Annotations["link"] = o.links.Incident(i.ID)
		out.Plain += "\n" + out.Annotations["link"]
	}
	return out, nil
}

// named lists what a summary is about, one incident a line: whoever reads it must
// see from the message alone whether to get up, and be there with one click.
func (o *Outbox) named(n fold.Notice) string {
	var b strings.Builder
	for k, id := range n.Incidents {
		b.WriteString("\n" + id)
		if k < len(n.Titles) {
			b.WriteString(" " + n.Titles[k])
		}
		if o.links != nil {
			b.WriteString(" " + o.links.Incident(id))
		}
	}
	if more := n.Count - len(n.Incidents); len(n.Incidents) > 0 && more > 0 {
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// describe says what somebody who was just woken needs first.
func describe(i *itsm.Incident, what string) string {
	lines := []string{what}
	if len(i.Causes) > 0 {
		c := i.Causes[0]
		lines = append(lines, fmt.Sprintf("Suspected cause: %s %s (%.0f %%): %s", c.Class, c.Name, c.Score*100, c.Path))
	}
	if len(i.Changes) > 0 {
		c := i.Changes[0]
		lines = append(lines, fmt.Sprintf("Changed before: %s on %s at %s: %s", c.Type, c.Name, c.At.UTC().Format("15:04"), c.Summary))
	}
	if i.Workaround != "" {
		lines = append(lines, "Workaround: "+i.Workaround)
	}
	if i.SeenBefore != "" {
		lines = append(lines, "Seen before: "+i.SeenBefore)
	}
	if i.Derivation != "" {
		lines = append(lines, "Priority: "+i.Derivation)
	}
	if i.Alerts > 0 {
		lines = append(lines, fmt.Sprintf("Alerts: %d, active %d", i.Alerts, i.Active))
	}
	return strings.Join(lines, "\n")
}

// Deliveries lists what became of a message.
func (r *Records) Deliveries(ctx context.Context, message string, at Range) (Page[notify.Delivery], error) {
	return list(ctx, r.db, r.deliveries, store.Query[notify.Delivery]{Prefix: []byte(message + "/"), Cursor: at.Cursor, Limit: at.Limit})
}

// Messages lists what was told of a record, oldest first, with when all receivers
// had it.
func (r *Records) Messages(ctx context.Context, record string, at Range) (Page[Told], error) {
	p, err := list(ctx, r.db, r.outbox, store.Query[outboxRow]{Index: "record", Prefix: store.Key(record), Cursor: at.Cursor, Limit: at.Limit})
	out := Page[Told]{Next: p.Next, Unreadable: p.Unreadable, Items: make([]Told, len(p.Items))}
	for n, row := range p.Items {
		out.Items[n] = Told{rowID(row.Position, row.Seq), row.At, row.Topic, row.To, row.DoneAt}
	}
	return out, err
}

// Told is one message about a record.
type Told struct {
	ID     string     `json:"id"`
	At     time.Time  `json:"at"`
	Step   string     `json:"step"`
	To     []string   `json:"to,omitempty" doc:"Receivers; without it whom the routes name"`
	DoneAt *time.Time `json:"done_at,omitempty"` // nil: some receiver lacks it
}

// Waiting counts messages that some receiver lacks, up to a bound, and tells when
// the oldest was made.
func (r *Records) Waiting(ctx context.Context, most int) (n int, oldest time.Time, err error) {
	p, err := list(ctx, r.db, r.outbox, store.Query[outboxRow]{Index: "pending", Limit: most})
	if len(p.Items) > 0 {
		oldest = p.Items[0].At
	}
	return len(p.Items), oldest, err
}
