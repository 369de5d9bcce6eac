// Package event holds the facts that the journal keeps and recordings carry:
// what was received, found, commanded or due, at which journal time. Events
// are immutable and versioned by their kind's body; the same type serves live
// operation, export and replay. The package decides nothing about them.
package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Kind names what an event is. The first five are the recording format's own.
type Kind string

const (
	KindAlertmanager Kind = "alertmanager" // the exact webhook body
	KindCI           Kind = "ci"           // a configuration item as the correlator needs it
	KindRelation     Kind = "relation"
	KindChange       Kind = "change"
	KindMaintenance  Kind = "maintenance"
	KindCommand      Kind = "command"  // a person's or a client's verb
	KindConfig       Kind = "config"   // the rules in force from here on
	KindTick         Kind = "tick"     // a deadline came due; carries nothing but its time
	KindLiveness     Kind = "liveness" // a host or a whole site was lost, or is back
	KindSilence      Kind = "silence"  // a silence of a source's Alertmanager was set, changed or ended
	KindStart        Kind = "start"    // the server began to listen: silence before it proves nothing
)

// Event is one fact. Position is 0 until the journal has taken it.
type Event struct {
	Position uint64
	At       time.Time // journal time, UTC, whole milliseconds
	Kind     Kind
	Source   string // id of the ingest source for alerts, else empty
	Body     json.RawMessage

	payload Body // decoded from Body by Payload, and from nothing else
}

// line is the event's form in recordings and exports.
type line struct {
	At       string          `json:"at"`
	Kind     Kind            `json:"kind"`
	Position uint64          `json:"position,omitempty"`
	Source   string          `json:"source,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// TimeFormat is how recordings write instants: RFC 3339 with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z07:00"

// AppendLine appends the recording line without its newline. The body stands in it
// byte for byte, except that line breaks between its values become spaces.
func (e Event) AppendLine(b []byte) []byte {
	b = append(b, `{"at":"`...)
	b = e.At.UTC().AppendFormat(b, TimeFormat)
	b = appendQuoted(append(b, `","kind":`...), string(e.Kind))
	if e.Position != 0 {
		b = strconv.AppendUint(append(b, `,"position":`...), e.Position, 10)
	}
	if e.Source != "" {
		b = appendQuoted(append(b, `,"source":`...), strings.ToValidUTF8(e.Source, "\uFFFD"))
	}
	if len(e.Body) > 0 {
		b = append(append(b, `,"body":`...), oneLine(e.Body)...)
	}
	return append(b, '}')
}

// oneLine copies a JSON text with its line breaks as spaces: they can only stand
// between values, and a recording is a file of lines.
func oneLine(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return b
}

// MarshalJSON writes the recording line as encoding/json rewrites it: compact, and
// with characters of HTML escaped. A recording is written with AppendLine, whose
// bodies are exact.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendLine(nil), nil }

// UnmarshalJSON reads a recording line; the body stays undecoded until Decode.
func (e *Event) UnmarshalJSON(b []byte) error {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("read recording line: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, l.At)
	if err != nil {
		return fault.Invalidf("at", "want an RFC 3339 time, got %q", l.At)
	}
	*e = Event{Position: l.Position, At: Instant(at), Kind: l.Kind, Source: l.Source, Body: l.Body}
	return nil
}

// Instant is t as the journal keeps time: UTC in whole milliseconds, so that a
// recording loses nothing and a replay compares equal.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// NewNotification makes the event of an accepted webhook body. Only the bytes go on:
// what n holds beside them is for the receiver.
func NewNotification(source string, n *Notification) Event {
	return Event{Kind: KindAlertmanager, Source: source, Body: n.Raw}
}

// New makes an event from one of this package's bodies. What is decided on is read back
// from its bytes (see Payload), never the value given here: a type that JSON does not
// keep, such as a list of numbers in an attribute, must not be one thing to the running
// engine and another to a replay.
func New(body Body) (Event, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return Event{}, fmt.Errorf("encode %s event: %w", body.kind(), err)
	}
	return Event{Kind: body.kind(), Body: b}, nil
}

// NewTick makes a tick at t, for replays; live ticks take the journal's time.
func NewTick(t time.Time) Event {
	return Event{At: Instant(t), Kind: KindTick, Body: json.RawMessage("{}")}
}

// Body is implemented by the payload of every kind.
type Body interface{ kind() Kind }

// Undecoded is the event without what was decoded of it: as the journal gives it back.
func (e Event) Undecoded() Event {
	e.payload = nil
	return e
}

// Payload returns the body as decoded from its bytes, decoding it once. The result is
// shared: do not change it. An unknown kind or an unreadable body is Invalid.
func (e *Event) Payload() (Body, error) {
	if e.payload != nil {
		return e.payload, nil
	}
	var b Body
	switch e.Kind {
	case KindAlertmanager:
		n, err := DecodeNotification(e.Body)
		if err != nil {
			return nil, err
		}
		e.payload = n
		return n, nil
	case KindCI:
		b = &CI{}
	case KindRelation:
		b = &Relation{}
	case KindChange:
		b = &Change{}
	case KindMaintenance:
		b = &Maintenance{}
	case KindLiveness:
		b = &Liveness{}
	case KindSilence:
		b = &Silence{}
	case KindCommand:
		b = &Command{}
	case KindConfig:
		b = &Config{}
	case KindTick:
		b = &Tick{}
	case KindStart:
		b = &Start{}
	default:
		return nil, fault.Invalidf("kind", "unknown kind %q", e.Kind)
	}
	if len(bytes.TrimSpace(e.Body)) > 0 {
		if err := json.Unmarshal(e.Body, b); err != nil {
			return nil, fault.Invalidf("body", "%s body: %v", e.Kind, err)
		}
	}
	e.payload = b
	return b, nil
}

// Span writes a duration for people: "6d3h", "1h30m", "45s".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	if d = d.Round(time.Second); d >= 2*day {
		d = d.Round(time.Minute)
	}
	days := ""
	if d >= day {
		days = fmt.Sprintf("%dd", d/day)
		if d %= day; d == 0 {
			return days
		}
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return days + s
}

// SelfSource is the source of the alerts that the server raises about itself.
const SelfSource = "watchbill-itself"
