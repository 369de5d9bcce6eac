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
	text   []byte   // each text with a zero behind it; zeros where one was
	starts []uint32 // where each begins, in order
	ids    []uint32 // the value that it is of
	dead   int      // bytes of texts that are gone
}

const zero = "\x00"

// add returns where the text begins, for drop.
func (h *haystack) add(id uint32, text string) uint32 {
	if strings.Contains(text, zero) {
		text = strings.ReplaceAll(text, zero, " ")
	}
	at := uint32(len(h.text))
	h.starts, h.ids = append(h.starts, at), append(h.ids, id)
	h.text = append(append(h.text, text...), 0)
	return at
}

// drop blanks a text. When half of all are blank, the rest is put together anew.
func (h *haystack) drop(at uint32, length int, values []value) {
	clear(h.text[at : int(at)+length])
	if h.dead += length + 1; h.dead < 1<<16 || h.dead < len(h.text)/2 {
		return
	}
	*h = haystack{text: make([]byte, 0, len(h.text)/2), starts: h.starts[:0], ids: h.ids[:0]}
	for id := range values {
		if v := &values[id]; v.text != "" {
			v.at = h.add(uint32(id), v.text)
		}
	}
}

// find calls f for every value in which needle occurs, once. A needle with a zero
// occurs in none.
func (h *haystack) find(needle string, values []value, f func(*value)) {
	if needle == "" || strings.Contains(needle, zero) {
		return
	}
	for from := 0; from < len(h.text); {
		i := bytes.Index(h.text[from:], []byte(needle))
		if i < 0 {
			return
		}
		n, exact := slices.BinarySearch(h.starts, uint32(from+i))
		if !exact {
			n--
		}
		f(&values[h.ids[n]])
		if n+1 == len(h.starts) {
			return
		}
		from = int(h.starts[n+1])
	}
}
