package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// Items is what the inventory knows and keeps of changes. *inventory.Inventory is one.
type Items interface {
	Find(class, name string) (event.Ref, bool)
	Ref(id string) (event.Ref, bool)
	// Changed keeps changes of known items, in their history and as facts for the
	// engine, all of them or none, and returns when they are synced.
	Changed(ctx context.Context, source string, changes []event.Change) error
}

// Unknown is a change that names no item of the inventory, so that nothing can
// ever be explained by it.
type Unknown struct {
	Field   string `json:"field" doc:"Which change of the body"`
	Message string `json:"message"`
}

// Noted says what became of a body of changes.
type Noted struct {
	Accepted int
	Unknown  []Unknown
}

// Bounds of one change.
const (
	typeMost    = 100
	summaryMost = 2000
	versionMost = 200
	// aheadMost is how far a sender's clock may be ahead.
	aheadMost = 5 * time.Minute
)

// Changes accepts change events: one object or an array of them. Where one is wrong
// none is taken: a sender can mend and repeat the whole. What names no item of the
// inventory is told and left out: a pipeline need not know what is recorded.
func (c *Collector) Changes(ctx context.Context, source string, b Body) (Noted, error) {
	share := c.inFlight.Share(source)
	defer share.Close()
	raw, err := c.read(ctx, "changes", source, b, share)
	if err != nil {
		return Noted{}, err
	}
	list, err := decodeChanges(raw, c.o.Now())
	if err != nil {
		c.count("changes", Invalid)
		return Noted{}, err
	}
	var out Noted
	if c.o.Items == nil {
		out.Accepted = len(list)
		return out, c.journalChanges(ctx, source, list)
	}
	known := list[:0]
	for i, ch := range list {
		ref, ok := c.o.Items.Ref(ch.CI.ID)
		if ch.CI.ID == "" {
			ref, ok = c.o.Items.Find(ch.CI.Class, ch.CI.Name)
		}
		if !ok {
			out.Unknown = append(out.Unknown, Unknown{fmt.Sprintf("[%d].ci", i), fmt.Sprintf("the inventory holds no %s: the change is not kept", named(ch.CI))})
			continue
		}
		ch.CI = ref
		if ch.Summary == "" {
			ch.Summary = ch.Type + " " + ref.Name
		}
		known = append(known, ch)
	}
	if len(out.Unknown) > 0 {
		c.tell.tell("unknown item", source, "a change names an item that the inventory does not hold", "unknown", len(out.Unknown), "first", out.Unknown[0].Message)
	}
	out.Accepted = len(known)
	if len(known) > 0 {
		if err := c.o.Items.Changed(ctx, source, known); err != nil {
			return Noted{}, c.notKept(ctx, "changes", err)
		}
	}
	c.count("changes", Accepted)
	return out, nil
}

func (c *Collector) journalChanges(ctx context.Context, source string, list []event.Change) error {
	events := make([]event.Event, len(list))
	for i := range list {
		if list[i].Summary == "" {
			list[i].Summary = list[i].Type + " " + list[i].CI.Name
		}
		var err error
		if events[i], err = event.New(&list[i]); err != nil {
			return err
		}
		events[i].Source = source
	}
	if len(events) == 0 {
		return nil
	}
	return c.journal(ctx, "changes", events...)
}

func named(r event.Ref) string {
	if r.ID != "" {
		return fmt.Sprintf("item with the id %q", r.ID)
	}
	return fmt.Sprintf("%s named %q", r.Class, r.Name)
}

// decodeChanges reads and checks a body.
func decodeChanges(raw []byte, now time.Time) ([]event.Change, error) {
	t := strings.TrimSpace(string(raw))
	var list []event.Change
	var err error
	if strings.HasPrefix(t, "[") {
		err = strict(t, &list)
	} else {
		list = make([]event.Change, 1)
		err = strict(t, &list[0])
	}
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := check(&list[i], now); err != nil {
			err.Field = fmt.Sprintf("[%d].%s", i, err.Field)
			return nil, err
		}
	}
	return list, nil
}

func check(ch *event.Change, now time.Time) *fault.Error {
	switch {
	case ch.CI.ID == "" && (ch.CI.Class == "" || ch.CI.Name == ""):
		return fault.Invalidf("ci", "name the item by id, or by class and name")
	case ch.Type == "":
		return fault.Invalidf("type", "is missing: say what kind of change it is, e.g. deployed")
	case ch.At.After(now.Add(aheadMost)):
		return fault.Invalidf("at", "lies in the future: %s", ch.At.UTC().Format(time.RFC3339))
	}
	for _, x := range []struct {
		field, value string
		most         int
	}{{"type", ch.Type, typeMost}, {"summary", ch.Summary, summaryMost}, {"version", ch.Version, versionMost}} {
		if len(x.value) > x.most {
			return fault.Invalidf(x.field, "has %d bytes, the most is %d", len(x.value), x.most)
		}
	}
	return nil
}

// strict decodes one JSON document and says in the sender's terms what is wrong.
func strict(s string, into any) error {
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.JSON("body", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.Invalidf("body", "holds more than one JSON document: send an array")
	}
	return nil
}
