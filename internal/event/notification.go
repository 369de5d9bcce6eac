package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/watchbill/watchbill/internal/fault"
)

// Status is an alert's own status. The body's root status is not kept: it is
// computed after truncation and misleads.
type Status string

const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Label is one name and value.
type Label struct{ Name, Value string }

// Labels are sorted by name. They are immutable once made.
type Labels []Label

// Get returns the value of name, "" if it is absent.
func (l Labels) Get(name string) string {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value
		}
	}
	return ""
}

// Equal says whether both hold the same names and values.
func (l Labels) Equal(o Labels) bool { return slices.Equal(l, o) }

// Map copies the labels into a map, for documents.
func (l Labels) Map() map[string]string {
	m := make(map[string]string, len(l))
	for _, x := range l {
		m[x.Name] = x.Value
	}
	return m
}

// LabelsFrom makes sorted labels from a map.
func LabelsFrom(m map[string]string) Labels {
	l := make(Labels, 0, len(m))
	for n, v := range m {
		l = append(l, Label{n, v})
	}
	l.sort()
	return l
}

func (l Labels) sort() {
	slices.SortFunc(l, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
}

// MarshalJSON writes an object in label order.
func (l Labels) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	var err error
	for i, x := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, x.Name); err != nil {
			return nil, fmt.Errorf("label name %q: %w", x.Name, err)
		}
		b = append(b, ':')
		if b, err = jsontext.AppendQuote(b, x.Value); err != nil {
			return nil, fmt.Errorf("label %s: %w", x.Name, err)
		}
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads an object of strings.
func (l *Labels) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*l = LabelsFrom(m)
	return nil
}

// Fingerprint is Prometheus' FNV-1a signature of the labels, as Alertmanager
// computes it (prometheus/common model.LabelSet.Fingerprint).
func (l Labels) Fingerprint() string {
	h := fnv.New64a()
	sep := []byte{0xff}
	for _, x := range l {
		io.WriteString(h, x.Name)
		h.Write(sep)
		io.WriteString(h, x.Value)
		h.Write(sep)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Alert is one alert object of one accepted body.
type Alert struct {
	Status       Status
	Labels       Labels
	Annotations  Labels
	StartsAt     time.Time
	EndsAt       time.Time // zero while firing: Alertmanager writes year 1
	GeneratorURL string
	Fingerprint  string
}

// Invalid is an alert object that could not be taken, with the reason.
type Invalid struct {
	Index  int
	Reason string // names the field and the mend
	Raw    json.RawMessage
}

// Notification is an accepted webhook body, cut into its alerts.
type Notification struct {
	Raw         json.RawMessage // the exact body
	Receiver    string
	ExternalURL string
	GroupKey    string
	Truncated   uint64 // alerts that max_alerts cut from this body
	Alerts      []Alert
	Invalid     []Invalid
}

// Received counts the alert objects of the body: the unit of conservation.
func (n *Notification) Received() int { return len(n.Alerts) + len(n.Invalid) }

// Limits of one alert object: what lies beyond is a mistake or an attack, and
// would be carried through every record that names the alert.
const (
	MaxLabels     = 256
	MaxLabelBytes = 64 << 10 // all names and values of one alert's labels
	maxAnnotation = 256 << 10
)

// DecodeNotification reads a webhook body of version "4". The error is Invalid
// where the body as a whole cannot be used; one bad alert is set aside in
// Invalid and loses nothing else. Unknown fields are fine: Alertmanager adds some
// with its releases. The body is kept and shared: do not change it afterwards.
func DecodeNotification(body []byte) (*Notification, error) {
	n := &Notification{Raw: body}
	d := newScanner(body)
	if k := d.PeekKind(); k != '{' {
		if k == 0 {
			return nil, d.fail("")
		}
		return nil, fault.Invalidf("", "want a JSON object as Alertmanager's webhook sends it, got a JSON %s", kindName(k))
	}
	_, _ = d.ReadToken()
	var version string
	var hasAlerts bool
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, d.wrap("", err)
		}
		switch name.String() {
		case "version":
			if version, err = d.text("version"); err != nil {
				return nil, err
			}
		case "receiver":
			if n.Receiver, err = d.text("receiver"); err != nil {
				return nil, err
			}
		case "externalURL":
			if n.ExternalURL, err = d.text("externalURL"); err != nil {
				return nil, err
			}
		case "groupKey":
			if n.GroupKey, err = d.text("groupKey"); err != nil {
				return nil, err
			}
		case "truncatedAlerts":
			v, err := d.ReadValue()
			if err != nil {
				return nil, d.wrap("truncatedAlerts", err)
			}
			if string(v) != "null" {
				if n.Truncated, err = strconv.ParseUint(string(v), 10, 64); err != nil {
					return nil, fault.Invalidf("truncatedAlerts", "want a whole number of alerts, got %.40s", v)
				}
			}
		case "alerts":
			if hasAlerts {
				return nil, fault.Invalidf("alerts", "the field stands twice")
			}
			hasAlerts = true
			if err := d.alerts(n); err != nil {
				return nil, err
			}
		default:
			if err := d.SkipValue(); err != nil {
				return nil, d.wrap("", err)
			}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, d.wrap("", err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fault.Invalidf("", "there is more after the JSON object")
	}
	switch {
	case version == "":
		return nil, fault.Invalidf("version", `missing: want Alertmanager's own webhook body, version "4"; a receiver with a custom payload: cannot be read`)
	case version != "4":
		return nil, fault.Invalidf("version", `want "4", got %.40q`, version)
	case !hasAlerts:
		return nil, fault.Invalidf("alerts", "missing: want the list of the group's alerts")
	}
	return n, nil
}

// scanner walks a body token by token. Duplicate names and broken UTF-8 are let
// through here because one bad label must not lose its siblings.
type scanner struct {
	*jsontext.Decoder
}

func newScanner(b []byte) scanner {
	return scanner{jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

func (d scanner) wrap(field string, err error) error {
	return fault.Invalidf(field, "the body is not readable JSON at byte %d: %s", d.InputOffset(), plain(err))
}

func (d scanner) fail(field string) error {
	_, err := d.ReadToken()
	if errors.Is(err, io.EOF) {
		return fault.Invalidf(field, "the body is empty")
	}
	return d.wrap(field, err)
}

func plain(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends in the middle"
	}
	var se *jsontext.SyntacticError
	if errors.As(err, &se) && se.Err != nil {
		return se.Err.Error()
	}
	return err.Error()
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '[':
		return "array"
	default:
		return "object"
	}
}

func (d scanner) text(field string) (string, error) {
	switch k := d.PeekKind(); k {
	case '"':
		t, err := d.ReadToken()
		if err != nil {
			return "", d.wrap(field, err)
		}
		return strings.ToValidUTF8(t.String(), "\uFFFD"), nil
	case 'n':
		_, _ = d.ReadToken()
		return "", nil
	case 0:
		return "", d.fail(field)
	default:
		return "", fault.Invalidf(field, "want a string, got a JSON %s", kindName(k))
	}
}

func (d scanner) alerts(n *Notification) error {
	switch k := d.PeekKind(); k {
	case '[':
	case 'n':
		_, err := d.ReadToken()
		return err
	case 0:
		return d.fail("alerts")
	default:
		return fault.Invalidf("alerts", "want an array, got a JSON %s", kindName(k))
	}
	_, _ = d.ReadToken()
	for i := 0; d.PeekKind() != ']'; i++ {
		start := d.InputOffset()
		raw, err := d.ReadValue()
		if err != nil {
			return fault.Invalidf(fmt.Sprintf("alerts[%d]", i), "the body is not readable JSON after byte %d: %s", start, plain(err))
		}
		a, err := decodeAlert(raw)
		if err != nil {
			f := fault.Public(err)
			n.Invalid = append(n.Invalid, Invalid{Index: i, Reason: f.Error(), Raw: bytes.Clone(raw)})
			continue
		}
		n.Alerts = append(n.Alerts, a)
	}
	_, err := d.ReadToken()
	return err
}

func decodeAlert(raw []byte) (Alert, error) {
	var a Alert
	d := newScanner(raw)
	if k := d.PeekKind(); k != '{' {
		return a, fault.Invalidf("alert", "want an object, got a JSON %s", kindName(k))
	}
	_, _ = d.ReadToken()
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return a, d.wrap("", err)
		}
		switch name.String() {
		case "status":
			s, err := d.text("status")
			if err != nil {
				return a, err
			}
			a.Status = Status(s)
		case "labels":
			a.Labels, err = d.labels("labels", MaxLabelBytes)
		case "annotations":
			a.Annotations, err = d.labels("annotations", maxAnnotation)
		case "startsAt":
			a.StartsAt, err = d.time("startsAt")
		case "endsAt":
			a.EndsAt, err = d.time("endsAt")
		case "generatorURL":
			a.GeneratorURL, err = d.text("generatorURL")
		case "fingerprint":
			a.Fingerprint, err = d.text("fingerprint")
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return a, err
		}
	}
	if a.Status != Firing && a.Status != Resolved {
		return a, fault.Invalidf("status", `want "firing" or "resolved", got %.40q`, string(a.Status))
	}
	if len(a.Labels) == 0 {
		return a, fault.Invalidf("labels", "missing or empty: an alert is known by its labels")
	}
	if a.StartsAt.Year() <= 1 {
		return a, fault.Invalidf("startsAt", "missing: an alert must say when it began")
	}
	if a.EndsAt.Year() <= 1 {
		a.EndsAt = time.Time{}
	}
	if a.Fingerprint == "" {
		a.Fingerprint = a.Labels.Fingerprint()
	} else if len(a.Fingerprint) > 64 {
		return a, fault.Invalidf("fingerprint", "longer than 64 bytes")
	}
	return a, nil
}

func (d scanner) labels(field string, limit int) (Labels, error) {
	switch k := d.PeekKind(); k {
	case '{':
	case 'n':
		_, _ = d.ReadToken()
		return nil, nil
	default:
		return nil, fault.Invalidf(field, "want an object of strings, got a JSON %s", kindName(k))
	}
	_, _ = d.ReadToken()
	l := make(Labels, 0, 12)
	size, sorted := 0, true
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, d.wrap(field, err)
		}
		n := name.String()
		if d.PeekKind() != '"' {
			return nil, fault.Invalidf(field+"."+n, "want a string, got a JSON %s", kindName(d.PeekKind()))
		}
		value, err := d.ReadToken()
		if err != nil {
			return nil, d.wrap(field, err)
		}
		v := strings.ToValidUTF8(value.String(), "\uFFFD")
		if v == "" && field == "labels" {
			continue // Prometheus: an empty label is an absent one
		}
		size += len(n) + len(v)
		if size > limit {
			return nil, fault.Invalidf(field, "larger than %d bytes together", limit)
		}
		if len(l) == MaxLabels {
			return nil, fault.Invalidf(field, "more than %d names", MaxLabels)
		}
		sorted = sorted && (len(l) == 0 || l[len(l)-1].Name < n)
		l = append(l, Label{strings.ToValidUTF8(n, "\uFFFD"), v})
	}
	_, err := d.ReadToken()
	if !sorted {
		l.sort()
		for i := 1; i < len(l); i++ {
			if l[i].Name == l[i-1].Name {
				return nil, fault.Invalidf(field+"."+l[i].Name, "the name stands twice")
			}
		}
	}
	return l, err
}

func (d scanner) time(field string) (time.Time, error) {
	s, err := d.text(field)
	if err != nil || s == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fault.Invalidf(field, "want an RFC 3339 time, got %.60q", s)
	}
	return t.UTC(), nil
}
