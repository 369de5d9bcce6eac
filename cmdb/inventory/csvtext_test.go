package inventory

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// Files as other programs write them: read rightly, or refused by the line, never
// stored broken and never passed over in silence.
func TestCSVOfOtherPrograms(t *testing.T) {
	wide := func(order binary.AppendByteOrder, s string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	for _, c := range []struct {
		what, file     string
		created, wrong int
		owner          string // of host a, where one was made
	}{
		{"plain", "class,name,owner\nhost,a,Ann\n", 1, 0, "Ann"},
		{"a mark", "\ufeffclass,name,owner\nhost,a,Jürgen\n", 1, 0, "Jürgen"},
		{"a mark before a quote", "\ufeff\"class\",name,owner\nhost,a,Ann\n", 1, 0, "Ann"},
		{"semicolons", "class;name;owner\nhost;a;\"Ann; Bob\"\n", 1, 0, "Ann; Bob"},
		{"semicolons with commas in a heading", "class;name;owner;\"label.a,b\"\nhost;a;Ann;x\n", 1, 0, "Ann"},
		{"tabs", "class\tname\towner\nhost\ta\tAnn\n", 1, 0, "Ann"},
		{"bars", "class|name|owner\nhost|a|Ann\n", 1, 0, "Ann"},
		{"said by Excel", "sep=;\nclass;name;owner\nhost;a;Ann\n", 1, 0, "Ann"},
		{"UTF-16, little end first", wide(binary.LittleEndian, "class\tname\towner\r\nhost\ta\tJürgen\r\n"), 1, 0, "Jürgen"},
		{"UTF-16, big end first", wide(binary.BigEndian, "class,name,owner\nhost,a,Jürgen\n"), 1, 0, "Jürgen"},
		{"carriage returns alone", "class,name,owner\rhost,a,Ann\rhost,b,Bob\r", 2, 0, "Ann"},
		{"Windows-1252 in one line", "class,name,owner\nhost,a,Ann\nhost,b,J\xfcrgen\n", 1, 1, "Ann"},
		{"empty columns behind", "class,name,owner,,\nhost,a,Ann,,\nhost,b,Bob,,,\n", 2, 0, "Ann"},
		{"too many cells", "class,name\nhost,a,Ann\n", 0, 1, ""},
		{"capitals", "class,name,owner\nhost,A,Ann\nhost,a,Bob\n", 1, 0, "Bob"},
		{"a quote that is not closed", "class,name,owner\nhost,a,\"Ann\nhost,b,Bob\nhost,c,Cid\n", 0, 3, ""},
		{"a quote that closes much later", "class,name,owner\nhost,a,\"Ann\nhost,b,Bob\nhost,c,Cid\"\nhost,d,Dan\n", 1, 3, ""},
		{"a cell of two lines", "class,name,owner\nhost,a,\"Ann\nBob\"\n", 1, 0, "Ann\nBob"},
	} {
		l := newLab(t)
		rep, err := l.ImportCSV(t.Context(), strings.NewReader(c.file), ImportOptions{})
		if err != nil || rep.Created != c.created || rep.Failed != c.wrong {
			t.Errorf("%s: %+v, %v", c.what, rep, err)
			continue
		}
		if c.owner == "" {
			continue
		}
		if o, ok := l.mem.find("host", "a"); !ok {
			t.Errorf("%s: no host a", c.what)
		} else if ci, err := l.Get(t.Context(), l.mem.entries[o].id); err != nil || ci.Attributes["owner"] != c.owner {
			t.Errorf("%s: owner %q, %v", c.what, ci.Attributes["owner"], err)
		}
	}
	l := newLab(t)
	for what, file := range map[string]string{"no text": "class,name\x00\nhost,a\n", "half a character": "\xff\xfec", "a heading that is not UTF-8": "class,name,Gr\xf6\xdfe\nhost,a,1\n"} {
		if rep, err := l.ImportCSV(t.Context(), strings.NewReader(file), ImportOptions{}); err == nil {
			t.Errorf("%s was taken: %+v", what, rep)
		}
	}
}
