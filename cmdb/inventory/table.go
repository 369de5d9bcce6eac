package inventory

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// defaultColumns are exported when none are asked for.
var defaultColumns = []string{"id", "class", "name", "liveness", "lifecycle", "owner", "team", "location", "os", "os_version", "addresses", "serial_number", "criticality", "tags", "last_seen"}

// Cell is what an export shows of an item in a column.
func Cell(c *cmdb.CI, column string) string {
	switch column {
	case "id":
		return c.ID
	case "class":
		return c.Class
	case "name":
		return c.Name
	case "liveness":
		return string(c.Liveness)
	case "first_seen":
		return c.FirstSeen.UTC().Format(time.RFC3339)
	case "last_seen", "seen":
		return c.LastSeen.UTC().Format(time.RFC3339)
	case "tags":
		return strings.Join(c.Tags, ";")
	case "aliases":
		return strings.Join(c.Aliases, ";")
	case "source":
		return c.Source
	case "parent":
		return c.Parent
	case "completeness":
		return cmdb.TextOf(c.Completeness)
	}
	if k, ok := strings.CutPrefix(column, "label."); ok {
		return c.Labels[k]
	}
	switch c.Attributes[column].(type) {
	case []string, []float64:
		return strings.Join(c.Attributes.List(column), ";")
	}
	return c.Attributes.Text(column)
}

// PlainCell keeps a spreadsheet from running what a host was named: a cell that
// begins like a formula gets an apostrophe, which spreadsheets drop.
func PlainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Walk calls f for every item that matches, page by page, in order of sort. It
// holds no more than a page in memory.
func (inv *Inventory) Walk(ctx context.Context, query, sort string, f func(*cmdb.CI) error) error {
	q := ListQuery{Query: query, Sort: sort, Limit: maxLimit}
	for {
		page, err := inv.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if err := f(&page.Items[i]); err != nil {
				return err
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// CheckColumns refuses a column of an export that no item can fill.
func (inv *Inventory) CheckColumns(columns []string) error {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for _, c := range columns {
		if inv.mem.columns[c] == nil && !inv.knownField(c) && !slices.Contains(readOnly, c) && c != "tags" {
			return fault.Invalidf("columns", "no item has a field %q%s", c, inv.suggest(c))
		}
	}
	return nil
}

// ExportCSV writes the items that match as CSV with a heading line. It streams:
// a mistake in the query or the columns is returned before anything is written.
func (inv *Inventory) ExportCSV(ctx context.Context, w io.Writer, query, sort string, columns []string) error {
	if len(columns) == 0 {
		columns = defaultColumns
	}
	if err := inv.CheckColumns(columns); err != nil {
		return err
	}
	if err := inv.CheckQuery(query); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	row := make([]string, len(columns))
	err := inv.Walk(ctx, query, sort, func(c *cmdb.CI) error {
		for i, col := range columns {
			row[i] = PlainCell(Cell(c, col))
		}
		return out.Write(row)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// ExportJSON writes the items that match as JSON lines.
func (inv *Inventory) ExportJSON(ctx context.Context, w io.Writer, query, sort string) error {
	if err := inv.CheckQuery(query); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	return inv.Walk(ctx, query, sort, func(c *cmdb.CI) error { return enc.Encode(c) })
}

// Lines of an import and what became of each.
type (
	// ImportReport tells line by line what an import did, or would do.
	ImportReport struct {
		DryRun    bool         `json:"dry_run,omitempty"`
		Created   int          `json:"created"`
		Changed   int          `json:"changed"`
		Unchanged int          `json:"unchanged"`
		Failed    int          `json:"failed"`
		Lines     []LineReport `json:"lines"`
	}
	// LineReport is one line's outcome. Lines count from 1, the heading is line 1.
	LineReport struct {
		Line    int               `json:"line"`
		Outcome string            `json:"outcome"` // "created", "changed", "unchanged", "failed"
		CI      string            `json:"ci,omitempty"`
		Name    string            `json:"name,omitempty"`
		Changes []cmdb.Difference `json:"changes,omitempty"`
		Errors  []string          `json:"errors,omitempty"`
	}
)

// ImportOptions of ImportCSV.
type ImportOptions struct {
	Source string // "import:NAME"; empty: "import"
	DryRun bool   // tell what would happen, and change nothing
	Class  string // for files without a class column
	// MaxLines bounds the file; 0: 100,000.
	MaxLines int
	// rehearsed is what lines of a dry run said before, by what names their item: a
	// later line of the same item must find it as it will be then.
	rehearsed map[string]Item
}

// errRehearsed ends a dry run's closure: everything it did is taken back.
var errRehearsed = errors.New("dry run")

// ImportCSV reads items from CSV with a heading line. Columns are "class",
// "name", "id", "tags", "label.NAME" or fields; an empty cell says nothing. Each
// line is taken whole or not at all, and reported. The error is one of the file
// as a whole or of the store.
func (inv *Inventory) ImportCSV(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	rep := ImportReport{DryRun: o.DryRun}
	if o.Source == "" {
		o.Source = SourceImport
	}
	if o.MaxLines == 0 {
		o.MaxLines = 100_000
	}
	if o.DryRun {
		o.rehearsed = map[string]Item{}
	}
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.TrimLeadingSpace = -1, true
	head, err := in.Read()
	if err != nil {
		return rep, fault.Invalidf("file", "want CSV with a heading line: %v", err)
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(head[i], "\ufeff")))
	}
	if err := inv.checkHead(head, o.Class); err != nil {
		return rep, err
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rep, nil
		}
		line, _ := in.FieldPos(0)
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			rep.add(LineReport{Line: bad.Line, Outcome: "failed", Errors: []string{bad.Err.Error()}})
			if errors.Is(bad.Err, csv.ErrQuote) || errors.Is(bad.Err, csv.ErrBareQuote) {
				continue
			}
			return rep, nil
		}
		if err != nil {
			return rep, fmt.Errorf("read import: %w", err)
		}
		if len(rep.Lines) >= o.MaxLines {
			return rep, fault.Invalidf("file", "more than %d lines: cut it", o.MaxLines)
		}
		l, err := inv.importLine(ctx, head, record, o)
		l.Line = line
		if err != nil {
			return rep, err
		}
		rep.add(l)
	}
}

func (r *ImportReport) add(l LineReport) {
	r.Lines = append(r.Lines, l)
	switch l.Outcome {
	case "created":
		r.Created++
	case "changed":
		r.Changed++
	case "unchanged":
		r.Unchanged++
	default:
		r.Failed++
	}
}

func (inv *Inventory) checkHead(head []string, class string) error {
	var bad fault.List
	seen := map[string]bool{}
	for i, h := range head {
		switch {
		case h == "":
			bad = append(bad, fault.Invalidf("file", "column %d has no heading", i+1))
		case seen[h]:
			bad = append(bad, fault.Invalidf("file", "the heading %q stands twice", h))
		}
		seen[h] = true
	}
	if !seen["id"] && !seen["name"] {
		bad = append(bad, fault.Invalidf("file", `want a "name" or an "id" column`))
	}
	if !seen["id"] && !seen["class"] && class == "" {
		bad = append(bad, fault.Invalidf("file", `want a "class" column, or the class for all lines`))
	}
	return bad.Err()
}

// readOnly columns of an export are passed over when it comes back.
var readOnly = []string{"liveness", "first_seen", "last_seen", "seen", "source", "parent", "completeness", "aliases"}

func (inv *Inventory) importLine(ctx context.Context, head, record []string, o ImportOptions) (LineReport, error) {
	l := LineReport{Outcome: "failed"}
	it := Item{Class: o.Class, Attributes: cmdb.Attributes{}}
	if len(record) > len(head) {
		l.Errors = []string{fmt.Sprintf("has %d cells, the heading %d", len(record), len(head))}
		return l, nil
	}
	cells := map[string]string{}
	for i, v := range record {
		v = strings.TrimSpace(v)
		if len(v) > 1 && v[0] == '\'' && PlainCell(v[1:]) != v[1:] {
			v = v[1:] // an export's own apostrophe
		}
		if v != "" {
			cells[head[i]] = v
		}
	}
	if c := cells["class"]; c != "" {
		it.Class = c
	}
	it.ID, it.Name = cells["id"], cells["name"]
	l.Name = it.Name
	for _, h := range slices.Sorted(maps.Keys(cells)) {
		v := cells[h]
		switch {
		case h == "id" || h == "class" || h == "name" || slices.Contains(readOnly, h):
		case h == "tags":
			it.Tags = sortedTags(strings.FieldsFunc(v, func(c rune) bool { return c == ';' || c == ',' || c == ' ' }))
		case strings.HasPrefix(h, "label."):
			if it.Labels == nil {
				it.Labels = map[string]string{}
			}
			it.Labels[strings.TrimPrefix(h, "label.")] = v
		default:
			x, err := inv.Registry().Parse(it.Class, h, v)
			if err != nil {
				l.Errors = append(l.Errors, err.Error())
				continue
			}
			it.Attributes[h] = x
		}
	}
	if len(l.Errors) > 0 {
		return l, nil
	}
	key := it.ID
	if key == "" {
		key = it.Class + "\x00" + it.Name
	}
	before, again := o.rehearsed[key]
	err := inv.do(ctx, func(b *batch) error {
		isNew := false
		if again {
			var err error
			if _, isNew, err = b.upsert(before, o.Source); err != nil {
				return err
			}
		}
		var old *cmdb.CI
		if known, err := b.findItem(it, o.Source); err != nil {
			return err
		} else if known != nil {
			old = known.Clone()
		}
		if old != nil && it.Labels != nil { // a file names some labels, not all
			labels := maps.Clone(old.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, it.Labels)
			it.Labels = labels
		}
		c, created, err := b.upsert(it, o.Source)
		if err != nil {
			return err
		}
		l.CI, l.Name, l.Outcome, l.Changes = c.ID, c.Name, "unchanged", nil
		switch {
		case created:
			l.Outcome = "created"
		default:
			if l.Changes = cmdb.DiffCIs(old, c); len(l.Changes) > 0 {
				l.Outcome = "changed"
			}
		}
		if o.DryRun {
			if created || isNew {
				l.CI = "" // it will have another
			}
			return errRehearsed
		}
		return nil
	})
	if o.DryRun && errors.Is(err, errRehearsed) {
		o.rehearsed[key] = before.and(it)
	}
	switch {
	case err == nil || errors.Is(err, errRehearsed):
		return l, nil
	case fault.KindOf(err) == fault.Internal:
		return l, err
	}
	l.Outcome = "failed"
	var list fault.List
	if errors.As(err, &list) {
		for _, e := range list {
			l.Errors = append(l.Errors, e.Error())
		}
	} else {
		l.Errors = append(l.Errors, fault.Public(err).Error())
	}
	return l, nil
}

// and is what two lines say of one item, the later one last.
func (it Item) and(later Item) Item {
	if it.Attributes != nil {
		attrs := maps.Clone(it.Attributes)
		maps.Copy(attrs, later.Attributes)
		later.Attributes = attrs
	}
	if later.Labels == nil { // those of a later line stand beside the earlier ones already
		later.Labels = it.Labels
	}
	if later.Tags == nil {
		later.Tags = it.Tags
	}
	return later
}

// Edit is a change that people make to many items at once.
type Edit struct {
	Set        cmdb.Attributes `json:"set,omitempty"` // nil values take back
	AddTags    []string        `json:"add_tags,omitempty"`
	RemoveTags []string        `json:"remove_tags,omitempty"`
}

// BulkEdit changes every item that matches a query. With dryRun it tells what
// would happen and changes nothing. More than max items (0: 10,000) is refused
// whole: an empty query must not be a fleet's new owner by accident.
func (inv *Inventory) BulkEdit(ctx context.Context, query string, e Edit, source string, dryRun bool, max int) (ImportReport, error) {
	rep := ImportReport{DryRun: dryRun}
	if len(e.Set) == 0 && len(e.AddTags)+len(e.RemoveTags) == 0 {
		return rep, fault.Invalidf("edit", "changes nothing: give set, add_tags or remove_tags")
	}
	ids, err := inv.Select(query)
	if err != nil {
		return rep, err
	}
	if max == 0 {
		max = 10_000
	}
	if len(ids) > max {
		return rep, fault.Invalidf("q", "matches %d items, more than %d: narrow it", len(ids), max)
	}
	slices.Sort(ids)
	for i, id := range ids {
		l := LineReport{Line: i + 1, Outcome: "failed", CI: id}
		err := inv.do(ctx, func(b *batch) error {
			old, err := b.ci(id)
			if err != nil {
				return err
			}
			if old == nil {
				return fault.NotFoundf("removed since")
			}
			it := Item{ID: id, Attributes: e.Set}
			if len(e.AddTags)+len(e.RemoveTags) > 0 {
				it.Tags = slices.DeleteFunc(sortedTags(append(slices.Clone(old.Tags), e.AddTags...)), func(t string) bool { return slices.Contains(e.RemoveTags, t) })
				if it.Tags == nil {
					it.Tags = []string{}
				}
			}
			before := old.Clone()
			c, _, err := b.upsert(it, source)
			if err != nil {
				return err
			}
			l.Name, l.Outcome = c.Name, "unchanged"
			if l.Changes = cmdb.DiffCIs(before, c); len(l.Changes) > 0 {
				l.Outcome = "changed"
			}
			if dryRun {
				return errRehearsed
			}
			return nil
		})
		if err != nil && !errors.Is(err, errRehearsed) {
			if fault.KindOf(err) == fault.Internal {
				return rep, err
			}
			l.Outcome, l.Errors = "failed", []string{fault.Public(err).Error()}
			var list fault.List
			if errors.As(err, &list) {
				l.Errors = nil
				for _, x := range list {
					l.Errors = append(l.Errors, x.Error())
				}
			}
		}
		rep.add(l)
	}
	return rep, nil
}
