package inventory

import (
	"bytes"
	"slices"
	"strings"
)

// haystack is the texts of a column one behind the other. A bare word is looked for
// in several columns with a value for nearly every item: one run of memory is read
// many times as fast as a million strings that lie apart.
type haystack struct {
	text   []byte   // each text with a zero behind it
	starts []uint32 // where each begins
	ids    []uint32 // the value that it was of
	dead   int      // bytes of values that are gone
}

const zero = "\x00"

func (h *haystack) add(id uint32, text string) {
	if strings.Contains(text, zero) {
		text = strings.ReplaceAll(text, zero, " ")
	}
	h.starts, h.ids = append(h.starts, uint32(len(h.text))), append(h.ids, id)
	h.text = append(append(h.text, text...), 0)
}

// drop counts a text that is gone. It stays until half of all are: what finds it
// sees that the value has another text now.
func (h *haystack) drop(text string, values []value) {
	if h.dead += len(text) + 1; h.dead < 1<<16 || h.dead < len(h.text)/2 {
		return
	}
	*h = haystack{text: make([]byte, 0, len(h.text)/2), starts: h.starts[:0], ids: h.ids[:0]}
	for id := range values {
		if t := values[id].text; t != "" {
			h.add(uint32(id), t)
		}
	}
}

// find calls f for every value in which needle occurs, once.
func (h *haystack) find(needle string, values []value, f func(*value)) {
	for from := 0; from < len(h.text); {
		i := bytes.Index(h.text[from:], []byte(needle))
		if i < 0 {
			return
		}
		n, exact := slices.BinarySearch(h.starts, uint32(from+i))
		if !exact {
			n--
		}
		end := len(h.text)
		if n+1 < len(h.starts) {
			end = int(h.starts[n+1])
		}
		if v := &values[h.ids[n]]; v.text == string(h.text[h.starts[n]:end-1]) {
			f(v)
		}
		from = end
	}
}
