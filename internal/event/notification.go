package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	size := 2
	for _, x := range l {
		size += len(x.Name) + len(x.Value) + 8
	}
	b := append(make([]byte, 0, size), '{')
	for i, x := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, x.Name), ':')
		b = appendQuoted(b, x.Value)
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
	h := uint64(14695981039346656037)
	add := func(t string) {
		for i := range len(t) {
			h = (h ^ uint64(t[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	for _, x := range l {
		add(x.Name)
		add(x.Value)
	}
	const hex = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = hex[h>>60]
		h <<= 4
	}
	return string(b[:])
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
	Reason string          // names the field and the mend
	Raw    json.RawMessage // as received, but on one line, as in a recording
}

// Notification is an accepted webhook body, cut into its alerts.
type Notification struct {
	Raw         json.RawMessage // the exact body
	Receiver    string          // as it is named in Alertmanager's configuration
	ExternalURL string
	GroupKey    string
	Truncated   uint64 // alerts that max_alerts cut from this body
	Alerts      []Alert
	Invalid     []Invalid
}

// Received counts the alert objects of the body: the unit of conservation.
func (n *Notification) Received() int { return len(n.Alerts) + len(n.Invalid) }

// MarshalJSON writes the body that it was read from or, of one that was made here, the
// body that reads as it: every notification has a form that a journal can keep.
func (n *Notification) MarshalJSON() ([]byte, error) {
	if n.Raw != nil {
		return n.Raw, nil
	}
	type alert struct {
		Status       Status    `json:"status"`
		Labels       Labels    `json:"labels"`
		Annotations  Labels    `json:"annotations"`
		StartsAt     time.Time `json:"startsAt"`
		EndsAt       time.Time `json:"endsAt"`
		GeneratorURL string    `json:"generatorURL"`
		Fingerprint  string    `json:"fingerprint,omitempty"`
	}
	list := make([]any, 0, n.Received())
	for _, a := range n.Alerts {
		list = append(list, alert(a))
	}
	for _, bad := range n.Invalid {
		list = slices.Insert[[]any, any](list, min(max(bad.Index, 0), len(list)), bad.Raw)
	}
	return json.Marshal(map[string]any{
		"version": "4", "receiver": n.Receiver, "externalURL": n.ExternalURL, "groupKey": n.GroupKey, "truncatedAlerts": n.Truncated, "alerts": list,
	})
}

// Limits of one alert object: what lies beyond is a mistake or an attack, and
// would be carried through every record that names the alert.
const (
	MaxLabels     = 256
	MaxLabelBytes = 64 << 10 // all names and values of one alert's labels
	// Annotations are text for people: what is longer is cut, the alert is kept.
	maxAnnotation  = 64 << 10  // of one of them
	maxAnnotations = 256 << 10 // of all of one alert
	// maxTruncated bounds what one body adds to a counter: no Alertmanager has cut
	// more, and a sum of such must not run over.
	maxTruncated = 1 << 32
)

// MaxAlerts bounds the alert objects of one body: each costs a row and a decision,
// and an object can be as short as two bytes.
const MaxAlerts = 50_000

// versions are what senders of this body call it: Alertmanager and what is built on it
// "4", Grafana's own alerting "1". Scripts that copy it leave it out.
var versions = []string{"", "1", "4"}

// DecodeNotification reads a webhook body of Alertmanager or of Grafana, which adds
// fields to the same. The error is Invalid
// where the body as a whole cannot be used; one bad alert is set aside in
// Invalid and loses nothing else. Unknown fields are fine: Alertmanager adds some
// with its releases. The body is kept and shared: do not change it afterwards.
func DecodeNotification(body []byte) (*Notification, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.b, s.i, s.depth = body, 0, 0
	defer func() { s.b = nil }()
	n := &Notification{Raw: body}
	if err := s.notification(n); err != nil {
		if se, ok := errors.AsType[*syntaxError](err); ok {
			return nil, fault.Invalidf("", "%s", se.Error())
		}
		return nil, err
	}
	return n, nil
}

func (s *scanner) notification(n *Notification) error {
	if c := s.peek(); c != '{' {
		if s.i == len(s.b) {
			return fault.Invalidf("", "the body is empty")
		}
		return s.mismatch("", "a JSON object as Alertmanager's webhook sends it")
	}
	if err := s.open(); err != nil {
		return err
	}
	var version string
	var hasAlerts bool
	text := func(into *string, field string) error {
		b, err := s.stringOr(field)
		*into = s.words.get(b)
		return err
	}
	for first := true; ; first = false {
		name, ok, err := s.member(first)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch string(name) {
		case "version":
			if c := s.peek(); c >= '0' && c <= '9' {
				var b []byte
				b, err = s.number()
				version = string(b)
			} else {
				err = text(&version, "version")
			}
		case "receiver":
			if err = text(&n.Receiver, "receiver"); err == nil {
				n.Receiver = unquoteMeta(n.Receiver)
			}
		case "externalURL":
			err = text(&n.ExternalURL, "externalURL")
		case "groupKey":
			err = text(&n.GroupKey, "groupKey")
		case "truncatedAlerts":
			n.Truncated, err = s.count("truncatedAlerts")
			n.Truncated = min(n.Truncated, maxTruncated)
		case "alerts":
			if hasAlerts {
				return fault.Invalidf("alerts", "the field stands twice")
			}
			hasAlerts = true
			err = s.alerts(n)
		default:
			err = s.skip()
		}
		if err != nil {
			return err
		}
	}
	if s.peek(); s.i < len(s.b) {
		return fault.Invalidf("", "there is more after the JSON object, at byte %d", s.i)
	}
	switch {
	case !slices.Contains(versions, version):
		return fault.Invalidf("version", `want "4" as Alertmanager's webhook says, or "1" as Grafana's does, got %.40q`, version)
	case !hasAlerts && version == "":
		return fault.Invalidf("alerts", `missing, and version too: want the webhook body of Alertmanager ("4") or Grafana ("1"); a receiver with a custom payload: cannot be read`)
	case !hasAlerts:
		return fault.Invalidf("alerts", "missing: want the list of the group's alerts")
	}
	return nil
}

// unquoteMeta takes back regexp.QuoteMeta, which Alertmanager puts on the name of
// the receiver (template.Data): "web.hook" comes as "web\.hook".
func unquoteMeta(q string) string {
	if !strings.Contains(q, `\`) {
		return q
	}
	b := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] == '\\' && i+1 < len(q) && strings.IndexByte(`\.+*?()|[]{}^$`, q[i+1]) >= 0 {
			i++
		}
		b = append(b, q[i])
	}
	return string(b)
}

func (s *scanner) count(field string) (uint64, error) {
	c := s.peek()
	if c == 'n' {
		return 0, s.literal("null")
	}
	if c != '-' && (c < '0' || c > '9') {
		return 0, s.mismatch(field, "a whole number of alerts")
	}
	v, err := s.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil {
		return 0, fault.Invalidf(field, "want a whole number of alerts, got %.40s", v)
	}
	return n, nil
}

func (s *scanner) alerts(n *Notification) error {
	switch s.peek() {
	case '[':
	case 'n':
		return s.literal("null")
	default:
		return s.mismatch("alerts", "an array")
	}
	if err := s.open(); err != nil {
		return err
	}
	n.Alerts = make([]Alert, 0, min((len(s.b)-s.i)/600+1, 1000)) // an alert takes 600 bytes and more
	for i := 0; ; i++ {
		ok, err := s.next(i == 0, ']')
		if err != nil || !ok {
			return err
		}
		if i == MaxAlerts {
			return fault.Invalidf("alerts", "more than %d in one body: set max_alerts in the receiver", MaxAlerts)
		}
		s.peek()
		start, depth := s.i, s.depth
		a, err := s.alert()
		var f *fault.Error
		switch {
		case err == nil:
			n.Alerts = append(n.Alerts, a)
		case errors.As(err, &f):
			// It is stepped over from its beginning: the fault may lie in its middle.
			s.i, s.depth = start, depth
			if err := s.skip(); err != nil {
				return err
			}
			n.Invalid = append(n.Invalid, Invalid{Index: i, Reason: f.Error(), Raw: oneLine(s.b[start:s.i])})
		default:
			return err
		}
	}
}

// alertFields are those that are read, to notice one that stands twice: which of
// them counts would be a guess.
var alertFields = [...]string{"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}

func (s *scanner) alert() (a Alert, err error) {
	if s.peek() != '{' {
		return a, s.mismatch("alert", "an object")
	}
	if err := s.open(); err != nil {
		return a, err
	}
	var seen [len(alertFields)]bool
	for first := true; ; first = false {
		name, ok, err := s.member(first)
		if err != nil {
			return a, err
		}
		if !ok {
			break
		}
		for i, f := range alertFields {
			if string(name) == f {
				if seen[i] {
					return a, fault.Invalidf(f, "the field stands twice")
				}
				seen[i] = true
			}
		}
		var b []byte
		switch string(name) {
		case "status":
			b, err = s.stringOr("status")
			a.Status = Status(s.words.get(b))
		case "labels":
			a.Labels, err = s.labelSet()
		case "annotations":
			a.Annotations, err = s.annotations()
		case "startsAt":
			a.StartsAt, err = s.time("startsAt")
		case "endsAt":
			a.EndsAt, err = s.time("endsAt")
		case "generatorURL":
			b, err = s.stringOr("generatorURL")
			a.GeneratorURL = string(b)
		case "fingerprint":
			b, err = s.stringOr("fingerprint")
			a.Fingerprint = s.words.get(b)
		default:
			err = s.skip()
		}
		if err != nil {
			return a, err
		}
	}
	return a, a.finish()
}

// finish checks an alert whose fields were read.
func (a *Alert) finish() error {
	if a.Status != Firing && a.Status != Resolved {
		return fault.Invalidf("status", `want "firing" or "resolved", got %.40q`, string(a.Status))
	}
	if len(a.Labels) == 0 {
		return fault.Invalidf("labels", "missing or empty: an alert is known by its labels")
	}
	if a.StartsAt.Year() <= 1 {
		return fault.Invalidf("startsAt", "missing: an alert must say when it began")
	}
	if a.Status == Firing || a.EndsAt.Year() <= 1 {
		a.EndsAt = time.Time{}
	}
	if a.Fingerprint == "" {
		a.Fingerprint = a.Labels.Fingerprint()
		return nil
	}
	if len(a.Fingerprint) > 64 {
		return fault.Invalidf("fingerprint", "longer than 64 bytes")
	}
	for i := range len(a.Fingerprint) {
		if c := a.Fingerprint[i]; c <= ' ' || c > '~' {
			return fault.Invalidf("fingerprint", "want printable ASCII, as Alertmanager's 16 hexadecimal digits, got %.70q", a.Fingerprint)
		}
	}
	return nil
}

func (s *scanner) labelSet() (Labels, error) {
	const field = "labels"
	if isNull, err := s.openSet(field); err != nil || isNull {
		return nil, err
	}
	l := s.labels[:0]
	size, sorted := 0, true
	for first := true; ; first = false {
		b, ok, err := s.member(first)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		name := s.words.get(b)
		if s.peek() != '"' {
			return nil, s.mismatch(field+"."+clipName(name), "a string")
		}
		if b, err = s.str(); err != nil {
			return nil, err
		}
		if len(b) == 0 {
			continue // Prometheus: an empty label is an absent one
		}
		size += len(name) + len(b)
		if size > MaxLabelBytes {
			return nil, fault.Invalidf(field, "larger than %d bytes together", MaxLabelBytes)
		}
		if len(l) == MaxLabels {
			return nil, fault.Invalidf(field, "more than %d names", MaxLabels)
		}
		sorted = sorted && (len(l) == 0 || l[len(l)-1].Name < name)
		l = append(l, Label{name, s.words.get(b)})
	}
	s.labels = l[:0]
	out := Labels(slices.Clone(l))
	if !sorted {
		out.sort()
		for i := 1; i < len(out); i++ {
			if out[i].Name == out[i-1].Name {
				return nil, fault.Invalidf(field+"."+clipName(out[i].Name), "the name stands twice")
			}
		}
	}
	return out, nil
}

// openSet steps into an object of strings; null stands for an empty one.
func (s *scanner) openSet(field string) (isNull bool, err error) {
	switch s.peek() {
	case '{':
		return false, s.open()
	case 'n':
		return true, s.literal("null")
	default:
		return false, s.mismatch(field, "an object of strings")
	}
}

// annotations reads what an alert says to people. Nothing in it costs the alert: what
// is too long is cut, what is no string stands as it was written, and of a name that
// stands twice the first counts.
func (s *scanner) annotations() (Labels, error) {
	if s.peek() != '{' && s.peek() != 'n' {
		return nil, s.skip()
	}
	if isNull, err := s.openSet("annotations"); err != nil || isNull {
		return nil, err
	}
	l := s.labels[:0]
	room := maxAnnotations
	for first := true; ; first = false {
		b, ok, err := s.member(first)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		name := s.words.get(b)
		if s.peek() == '"' {
			b, err = s.str()
		} else {
			start := s.i
			err = s.skip()
			if b = s.b[start:s.i]; string(b) == "null" {
				b = nil
			}
		}
		if err != nil {
			return nil, err
		}
		known := slices.ContainsFunc(l, func(x Label) bool { return x.Name == name })
		if known || len(l) == MaxLabels || len(name) > maxAnnotation || room <= len(name) {
			continue
		}
		value := cut(b, min(maxAnnotation, room-len(name)))
		if value == nil {
			value = b
		}
		room -= len(name) + len(value)
		l = append(l, Label{name, s.words.get(value)})
	}
	s.labels = l[:0]
	out := Labels(slices.Clone(l))
	out.sort()
	return out, nil
}

// cut shortens a text to at most so many bytes, and says so at its end; nil where it
// is short enough.
func cut(b []byte, most int) []byte {
	if len(b) <= most {
		return nil
	}
	end := fmt.Sprintf("… (cut: %d bytes)", len(b))
	keep := max(0, most-len(end))
	for keep > 0 && !utf8.RuneStart(b[keep]) {
		keep--
	}
	return append(slices.Clone(b[:keep]), end...)
}

// clipName keeps a stranger's label name from filling a message.
func clipName(name string) string {
	if len(name) <= 100 {
		return name
	}
	return strings.ToValidUTF8(name[:100], "") + "…"
}

const yearOne = "0001-01-01T00:00:00Z"

func (s *scanner) time(field string) (time.Time, error) {
	b, err := s.stringOr(field)
	if err != nil || len(b) == 0 || string(b) == yearOne {
		return time.Time{}, err
	}
	var t time.Time
	if err := t.UnmarshalText(b); err != nil {
		return time.Time{}, fault.Invalidf(field, "want an RFC 3339 time, got %.60q", b)
	}
	return t.UTC(), nil
}
