package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/fault"
)

// itemsRest is how long changes of the inventory are gathered after some were told.
const itemsRest = time.Second

// mark is how far a reader of the stream has read: the journal's position, and
// the number of the inventory's changes, which are not in the journal.
type mark struct{ position, items uint64 }

func (m mark) String() string { return fmt.Sprintf("%d-%d", m.position, m.items) }

func parseMark(s string) (m mark, err error) {
	position, items, _ := strings.Cut(s, "-")
	if m.position, err = strconv.ParseUint(position, 10, 64); err == nil && items != "" {
		m.items, err = strconv.ParseUint(items, 10, 64)
	}
	if err != nil {
		return m, fault.Invalidf("Last-Event-ID", "want the id of an event of this stream, got %q", s)
	}
	return m, nil
}

// itemLog remembers the newest changes of the inventory, numbered in their order.
type itemLog struct {
	past   []itemChange // oldest first
	since  uint64       // every change after this number is in past
	newest uint64
}

type itemChange struct {
	number uint64
	inventory.Changed
}

func (s *stream) addItems(changes []inventory.Changed) {
	if len(changes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.inv
	for _, c := range changes {
		l.newest++
		l.past = append(l.past, itemChange{l.newest, c})
	}
	if over := len(l.past) - remember; over > 0 {
		l.since = l.past[over-1].number
		l.past = append(l.past[:0:0], l.past[over:]...)
	}
	s.wake()
}

// itemsAfter returns the inventory's changes after a number, and false where some are forgotten.
func (s *stream) itemsAfter(number uint64) ([]itemChange, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < s.inv.since {
		return nil, false
	}
	i := len(s.inv.past)
	for i > 0 && s.inv.past[i-1].number > number {
		i--
	}
	return append([]itemChange(nil), s.inv.past[i:]...), true
}

func (s *stream) mark() mark {
	position := s.newest()
	s.mu.Lock()
	defer s.mu.Unlock()
	return mark{position, s.inv.newest}
}

// itemEvents writes each changed item once, and moves the reader's mark.
func (x *sender) itemEvents(changes []itemChange, at *mark) string {
	var b strings.Builder
	last := map[inventory.Changed]uint64{}
	for _, c := range changes {
		last[c.Changed] = c.number
	}
	for _, c := range changes {
		at.items = c.number
		if last[c.Changed] == c.number && x.wants(c.Kind) {
			write(&b, *at, StreamEvent{ID: c.ID, Kind: c.Kind})
		}
	}
	return b.String()
}
