package inventory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/watchbill/watchbill/internal/fault"
)

// How files of other programs are read: by their marks, never by a silent guess.

const byteOrderMark = "\ufeff"

// csvText reads a whole file as text with line feeds. UTF-16 is told by its mark; what
// is neither that nor UTF-8 is left as it is, for the lines that hold it to be refused.
func csvText(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("read import: %w", err)
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case bytes.IndexByte(b, 0) >= 0:
		return "", fault.Invalidf("file", "is no text: it holds zero bytes. Save it as CSV in UTF-8")
	}
	text := string(b)
	if order != nil {
		if len(b)%2 != 0 {
			return "", fault.Invalidf("file", "says UTF-16 and ends within a character: save it as CSV in UTF-8")
		}
		units := make([]uint16, 0, len(b)/2)
		for i := 2; i < len(b); i += 2 {
			units = append(units, order.Uint16(b[i:]))
		}
		text = string(utf16.Decode(units))
	}
	text = strings.TrimPrefix(text, byteOrderMark)
	// Old Macs end lines with a carriage return alone.
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), nil
}

// separators are what programs put between cells; where two are as frequent in the
// heading, the earlier one counts.
const separators = ",;\t|"

// csvSeparator finds what separates the cells of a heading line. Excel may say it in a
// line of its own before ("sep=;"), which rest leaves out; skipped is 1 then.
func csvSeparator(text string) (separator rune, rest string, skipped int) {
	first, after, _ := strings.Cut(text, "\n")
	if said, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(first)), "sep="); ok && utf8.RuneCountInString(said) <= 1 {
		if said == "" { // the tab was trimmed as space
			said = "\t"
		}
		c, _ := utf8.DecodeRuneInString(said)
		return c, after, 1
	}
	separator, most := ',', 0
	for _, c := range separators {
		n, quoted := 0, false
		for _, x := range first {
			switch {
			case x == '"':
				quoted = !quoted
			case x == c && !quoted:
				n++
			}
		}
		if n > most {
			separator, most = c, n
		}
	}
	return separator, text, 0
}

// unreadable says which cell of a record is not text as the file should be.
func unreadable(head, record []string) string {
	for i, v := range record {
		if !utf8.ValidString(v) {
			column := fmt.Sprint(i + 1)
			if i < len(head) {
				column = head[i]
			}
			return fmt.Sprintf("column %s holds bytes that are not UTF-8, so its letters are not known: save the file as CSV UTF-8", column)
		}
	}
	return ""
}

// swallowed says that a cell holds whole lines of the file: a quote that was not closed
// took them in, up to the next one.
func swallowed(record []string, separator rune, columns int) bool {
	for _, v := range record {
		lines := strings.Split(v, "\n")
		for i := 1; i < len(lines); i++ {
			if columns > 1 && strings.Count(lines[i], string(separator)) >= columns-1 {
				return true
			}
		}
	}
	return false
}
