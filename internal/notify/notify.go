// Package notify delivers what leaves the process: it takes messages from the
// outbox, finds their receivers by Alertmanager's own routes, and hands them to
// Alertmanager's own integrations, in order for each receiver, again and again
// until they are taken. It decides nothing about when people are told, and
// refuses to know the records: whoever fills the outbox renders them.
package notify

import (
	"context"
	"strconv"
	"time"
)

// Message is one thing to tell.
type Message struct {
	ID string // stable over restarts and retries: the idempotency key
	At time.Time
	// Key is what messages of one thread have in common: the incident. Receivers
	// that update or thread messages do it by this.
	Key         string
	Labels      map[string]string // what routes match; become the alert's labels
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time // set: resolved
	Plain       string    // what is sent where a receiver's template fails
	// To names the receivers; empty: those that the routes name.
	To []string
	// Acknowledge says that a link to acknowledge makes sense.
	Acknowledge bool
}

// outside is how receivers know the message: its time keeps it apart from those of
// another installation, which count from one too.
func (m Message) outside() string { return m.ID + "-" + strconv.FormatInt(m.At.UnixMilli(), 36) }

// Lane is one integration of one receiver, e.g. "oncall/webhook[0]". Its messages
// are delivered in order.
type Lane string

// Delivery is the outcome of one message on one lane.
type Delivery struct {
	Message  string    `json:"message"`
	Lane     Lane      `json:"lane"`
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Outcome  Outcome   `json:"outcome"`
	Error    string    `json:"error,omitempty"` // why it was refused, or why a template was replaced
}

// Outcome of a delivery.
type Outcome string

const (
	Delivered Outcome = "delivered"
	Plainly   Outcome = "plain"    // delivered as plain text, because a template failed
	Refused   Outcome = "refused"  // the receiver will never take it
	Skipped   Outcome = "skipped"  // the receiver does not want resolved messages
	Outdated  Outcome = "outdated" // it could not be delivered for so long that it would only confuse
)

// Outbox is where messages wait. Implementations are safe for concurrent use.
type Outbox interface {
	// Pending lists messages that are not done, in order, that come after the id
	// after ("" from the beginning).
	Pending(ctx context.Context, after string, limit int) ([]Message, error)
	// Deliveries returns what was recorded of a message before.
	Deliveries(ctx context.Context, message string) ([]Delivery, error)
	// Record keeps a delivery; where last is set the message is done. It returns
	// when that is durable.
	Record(ctx context.Context, d Delivery, last bool) error
	// Thread returns what an integration wants to remember of a thread; KeepThread
	// keeps it.
	Thread(ctx context.Context, lane Lane, key string) (map[string]string, error)
	KeepThread(ctx context.Context, lane Lane, key string, remember map[string]string) error
	// Changed returns a channel that is closed when there may be more to deliver.
	Changed() <-chan struct{}
}
