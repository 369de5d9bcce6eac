package inventory

import (
	"context"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

// changePrefix begins the field of a history entry about a change that was told: a
// deployment, a reboot. Its new value is the change in words; it alters no attribute.
const changePrefix = "change:"

// Changed keeps changes that a pipeline told of known items, in their history and as
// facts for the engine, all of them or none. It returns when they are synced.
func (inv *Inventory) Changed(ctx context.Context, source string, changes []event.Change) error {
	return inv.do(ctx, func(b *batch) error {
		for i := range changes {
			ch := changes[i]
			if ref, ok := inv.Ref(ch.CI.ID); ok {
				ch.CI = ref // it may have been merged since
			}
			at := b.now
			if !ch.At.IsZero() && ch.At.Before(at) {
				at = event.Instant(ch.At)
			}
			b.logAt(at, ch.CI.ID, changePrefix+ch.Type, nil, worded(ch.Summary, ch.Version), "told:"+source)
			b.tell(&ch)
			if n := len(b.events); n > 0 {
				b.events[n-1].Source = source
			}
		}
		return nil
	})
}

// worded is a change in one text.
func worded(summary, version string) string {
	if version != "" && !strings.Contains(summary, version) {
		summary += " (" + version + ")"
	}
	return strings.ToValidUTF8(summary, "\uFFFD")
}
