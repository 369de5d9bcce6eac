package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// Alerts are by far the most records: one for each received episode. As JSON they
// took half of the engine's time and twice the disk; here they are their fields in
// a fixed order. A field added later comes last, under a new format number.
const alertFormat = 1

// alertCodec stores alerts: format, then each field. Texts are their length and
// bytes, times are seconds and nanoseconds of the epoch.
func alertCodec() store.Codec[correlator.Alert] {
	return store.Codec[correlator.Alert]{Append: appendAlert, Decode: decodeAlert}
}

// flags of what is left out because it is mostly the same
const (
	ownCanonical = 1 << iota // Canonical is the ID
	clamped
	hasEnds
	hasAttached
	hasBinding
	everywhere
	place
)

func appendAlert(b []byte, a correlator.Alert) ([]byte, error) {
	var flags uint64
	set := func(f uint64, on bool) {
		if on {
			flags |= f
		}
	}
	set(ownCanonical, a.Canonical == a.ID)
	set(clamped, a.Clamped)
	set(hasEnds, a.EndsAt != nil)
	set(hasAttached, a.AttachedAt != nil)
	set(hasBinding, a.Binding != nil)
	set(everywhere, a.Binding != nil && a.Binding.Everywhere)
	set(place, a.Binding != nil && a.Binding.Place)

	b = append(b, alertFormat)
	b = binary.AppendUvarint(b, flags)
	b = appendText(b, a.ID)
	b = appendText(b, a.Source)
	b = appendText(b, a.Fingerprint)
	b = appendTime(b, a.StartsAt)
	b = appendLabels(b, a.Labels)
	b = appendLabels(b, a.Annotations)
	b = appendText(b, a.GeneratorURL)
	b = appendText(b, string(a.Status))
	b = appendText(b, string(a.Severity))
	b = appendTime(b, a.Onset)
	b = appendTime(b, a.FirstReceived)
	b = appendTime(b, a.LastReceived)
	b = binary.AppendVarint(b, int64(a.Receipts))
	if a.Canonical != a.ID {
		b = appendText(b, a.Canonical)
	}
	b = appendText(b, string(a.Fate))
	b = appendText(b, a.Why)
	b = appendText(b, string(a.FinalFate))
	b = appendText(b, a.FinalWhy)
	b = appendText(b, a.EndWhy)
	b = appendText(b, a.Incident)
	if a.EndsAt != nil {
		b = appendTime(b, *a.EndsAt)
	}
	if a.AttachedAt != nil {
		b = appendTime(b, *a.AttachedAt)
	}
	if x := a.Binding; x != nil {
		for _, t := range []string{x.CI, x.Class, x.Name, x.Label, x.Value, x.Evidence} {
			b = appendText(b, t)
		}
		b = binary.AppendVarint(b, int64(x.Score))
	}
	b = binary.AppendUvarint(b, uint64(len(a.Evidence)))
	for _, e := range a.Evidence {
		b = appendText(appendText(b, e.Signal), e.Text)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.Weight))
	}
	return b, nil
}

func decodeAlert(b []byte, a *correlator.Alert) error {
	if len(b) == 0 || b[0] != alertFormat {
		return errors.New("the alert's format is unknown to this program version")
	}
	d := &fields{b: b[1:]}
	flags := d.uvarint()
	*a = correlator.Alert{
		ID: d.text(), Source: d.text(), Fingerprint: d.text(), StartsAt: d.time(), Labels: d.labels(), Annotations: d.labels(),
		GeneratorURL: d.text(), Status: correlator.AlertStatus(d.text()), Severity: correlator.Severity(d.text()),
		Onset: d.time(), FirstReceived: d.time(), LastReceived: d.time(), Receipts: int(d.varint()), Clamped: flags&clamped != 0,
	}
	if a.Canonical = a.ID; flags&ownCanonical == 0 {
		a.Canonical = d.text()
	}
	a.Fate, a.Why = correlator.Fate(d.text()), d.text()
	a.FinalFate, a.FinalWhy = correlator.Fate(d.text()), d.text()
	a.EndWhy, a.Incident = d.text(), d.text()
	if flags&hasEnds != 0 {
		at := d.time()
		a.EndsAt = &at
	}
	if flags&hasAttached != 0 {
		at := d.time()
		a.AttachedAt = &at
	}
	if flags&hasBinding != 0 {
		a.Binding = &correlator.Binding{
			CI: d.text(), Class: d.text(), Name: d.text(), Label: d.text(), Value: d.text(), Evidence: d.text(),
			Score: int(d.varint()), Everywhere: flags&everywhere != 0, Place: flags&place != 0,
		}
	}
	if n := d.count(); n > 0 {
		a.Evidence = make([]correlator.Evidence, n)
		for i := range a.Evidence {
			a.Evidence[i] = correlator.Evidence{Signal: d.text(), Text: d.text(), Weight: d.float()}
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes follow the last field", len(d.b))
	}
	return d.err
}

// AlertsWithoutJSON is the change of stored alerts from schema version 1, where they were
// JSON, to 2.
func AlertsWithoutJSON() store.Rewrite {
	return store.Rewrite{Prefix: []byte("d/alert\x00"), Value: func(p store.Pair) ([]byte, error) {
		_, n := binary.Uvarint(p.Value) // its revision stays
		if n <= 0 {
			return nil, errors.New("the alert's revision cannot be read")
		}
		var a correlator.Alert
		if err := json.Unmarshal(p.Value[n:], &a); err != nil {
			return nil, fmt.Errorf("the alert cannot be read: %w", err)
		}
		return appendAlert(append([]byte{}, p.Value[:n]...), a)
	}}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

func appendLabels(b []byte, l event.Labels) []byte {
	b = binary.AppendUvarint(b, uint64(len(l)))
	for _, x := range l {
		b = appendText(appendText(b, x.Name), x.Value)
	}
	return b
}

// fields reads what append wrote. The first error sticks, and everything after it reads as zero.
type fields struct {
	b   []byte
	err error
}

func (d *fields) fail() {
	if d.err == nil {
		d.err = errors.New("the alert ends within a field")
	}
	d.b = nil
}

func (d *fields) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *fields) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many follow. Each takes at least a byte, so that a damaged
// number cannot ask for all memory.
func (d *fields) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *fields) text() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *fields) time() time.Time {
	sec, ns := d.varint(), d.uvarint()
	return time.Unix(sec, int64(ns)).UTC()
}

func (d *fields) float() float64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v
}

func (d *fields) labels() event.Labels {
	n := d.count()
	if n == 0 {
		return nil
	}
	l := make(event.Labels, n)
	for i := range l {
		l[i] = event.Label{Name: d.text(), Value: d.text()}
	}
	return l
}
