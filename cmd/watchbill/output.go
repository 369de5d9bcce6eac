package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// show is how a command shows its result.
type show struct {
	Output string `name:"output" short:"o" enum:"table,json" default:"table" env:"WATCHBILL_OUTPUT" placeholder:"FORMAT" help:"table or json (${default})."`
}

func (s show) json() bool { return s.Output == "json" }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// listFlags narrow a list.
type listFlags struct {
	Query []string `arg:"" optional:"" name:"query" help:"Filter: FIELD:VALUE, numbers and times with < or > in quotes ('opened<24h'), or text; a wrong field is answered with those that there are. Without it: all."`
	Sort  string   `name:"sort" placeholder:"ORDER" help:"Field to order by; a minus turns it round: --sort=-FIELD."`
	Limit int      `name:"limit" default:"50" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
}

func (l listFlags) values() map[string][]string {
	v := map[string][]string{}
	if q := strings.Join(l.Query, " "); q != "" {
		v["q"] = []string{q}
	}
	if l.Sort != "" {
		v["sort"] = []string{l.Sort}
	}
	return v
}

// table writes rows in columns.
type table struct {
	w *tabwriter.Writer
}

func newTable(w io.Writer, head ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(cells, "\t"), " "))
}

func (t *table) end() error { return t.w.Flush() }

// oneLine keeps what a host or a person wrote from moving the terminal's cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// clean is oneLine for text that may have lines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}

func cut(s string, most int) string {
	r := []rune(oneLine(s))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}

// or is s, or a dash where it is empty.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// stamp is an instant in the reader's zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func stampOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return stamp(*t)
}

// age is how long ago t was, shortly.
func age(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return span(time.Since(t))
}

func ageOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return age(*t)
}

func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// more says that a list goes on.
func more(w io.Writer, next *string) {
	if next != nil {
		fmt.Fprintln(w, "There are more: --limit 0 shows all, a query narrows them.")
	}
}

// showList reads a list and shows it: as the server sent it, or in a table.
func showList[T any](r remote, s show, io streams, path string, l listFlags, head []string, row func(T) []string) error {
	return showQuery(r, s, io, path, l.values(), l.Limit, head, row)
}

func showQuery[T any](r remote, s show, io streams, path string, query map[string][]string, limit int, head []string, row func(T) []string) error {
	if limit < 0 {
		return usagef("--limit: want 0 or more, got %d", limit)
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	if s.json() {
		p, err := list[json.RawMessage](ctx, c, path, query, limit)
		if err != nil {
			return err
		}
		return writeJSON(io.out, p)
	}
	p, err := list[T](ctx, c, path, query, limit)
	if err != nil {
		return err
	}
	t := newTable(io.out, head...)
	for _, x := range p.Items {
		t.row(row(x)...)
	}
	if err := t.end(); err != nil {
		return err
	}
	if len(p.Items) == 0 && p.Next == nil {
		fmt.Fprintln(io.err, "none")
	}
	more(io.err, p.Next)
	return nil
}

// showOne reads one document and shows it: as the server sent it, or as text.
func showOne[T any](r remote, s show, io streams, path string, text func(T) error) error {
	raw, err := r.answer("GET", path, nil)
	if err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, raw)
	}
	var x T
	if err := json.Unmarshal(raw, &x); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return text(x)
}
