package inventory

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

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

// ImportCSV reads items from CSV with a heading line, in UTF-8 or UTF-16 with its mark,
// separated by whatever of , ; tab | its heading uses. Columns are "class",
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
	text, err := csvText(r)
	if err != nil {
		return rep, err
	}
	separator, text, skipped := csvSeparator(text)
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord, in.TrimLeadingSpace, in.Comma = -1, separator != '\t', separator
	head, err := in.Read()
	if err != nil {
		return rep, fault.Invalidf("file", "want CSV with a heading line: %v", err)
	}
	if why := unreadable(head, head); why != "" {
		return rep, fault.Invalidf("file", "the heading's %s", why)
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
	}
	for len(head) > 1 && head[len(head)-1] == "" { // spreadsheets leave such columns behind
		head = head[:len(head)-1]
	}
	if err := inv.checkHead(head, o.Class); err != nil {
		return rep, err
	}
	var group []csvLine
	for {
		record, err := in.Read()
		var bad *csv.ParseError
		end := err
		switch {
		case err == nil && len(rep.Lines)+len(group) >= o.MaxLines:
			end = fault.Invalidf("file", "more than %d lines: cut it", o.MaxLines)
		case err == nil:
			at, _ := in.FieldPos(0)
			at += skipped
			if swallowed(record, separator, len(head)) {
				until := at
				for _, v := range record {
					until += strings.Count(v, "\n")
				}
				group = append(group, notRead(at, until, "a cell holds whole lines")...)
				break
			}
			group = append(group, inv.readLine(head, record, o, at))
		case errors.Is(err, io.EOF):
		case errors.As(err, &bad):
			group = append(group, notRead(bad.StartLine+skipped, max(bad.StartLine, min(bad.Line, strings.Count(text, "\n")+1))+skipped, bad.Err.Error())...)
			end = io.EOF // what follows cannot be told from it
			if errors.Is(bad.Err, csv.ErrQuote) || errors.Is(bad.Err, csv.ErrBareQuote) {
				end = nil
			}
		default:
			end = fmt.Errorf("read import: %w", err)
		}
		if end == nil && len(group) < together {
			continue
		}
		done, err := inv.importLines(ctx, group, o)
		for _, l := range done {
			rep.add(l)
		}
		group = group[:0]
		switch {
		case err != nil:
			return rep, err
		case errors.Is(end, io.EOF):
			return rep, nil
		case end != nil:
			return rep, end
		}
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

// csvLine is one line of an import: what it says, if its report has no error.
type csvLine struct {
	report LineReport
	item   Item
}

// notRead reports lines that a quote made one of: each is told, none is guessed at.
func notRead(from, until int, why string) []csvLine {
	out := []csvLine{{report: LineReport{Line: from, Outcome: "failed", Errors: []string{why + ": is a quote not closed, or one within a cell not doubled?"}}}}
	for at := from + 1; at <= until; at++ {
		out = append(out, csvLine{report: LineReport{Line: at, Outcome: "failed", Errors: []string{fmt.Sprintf("not read: it stands within the quotes that line %d opens", from)}}})
	}
	return out
}

// readLine makes an item of a line's cells.
func (inv *Inventory) readLine(head, record []string, o ImportOptions, at int) csvLine {
	l := LineReport{Line: at, Outcome: "failed"}
	it := Item{Class: o.Class, Attributes: cmdb.Attributes{}}
	for len(record) > len(head) && strings.TrimSpace(record[len(record)-1]) == "" {
		record = record[:len(record)-1]
	}
	if why := unreadable(head, record); why != "" {
		l.Errors = []string{why}
		return csvLine{report: l}
	}
	if len(record) > len(head) {
		l.Errors = []string{fmt.Sprintf("has %d cells, the heading %d", len(record), len(head))}
		return csvLine{report: l}
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
	return csvLine{l, it}
}

// importLines records what lines say, many in one transaction, and returns what
// became of each. The error is the store's.
func (inv *Inventory) importLines(ctx context.Context, lines []csvLine, o ImportOptions) ([]LineReport, error) {
	errs, err := inv.each(ctx, len(lines), func(b *batch, i int) error {
		if l := &lines[i]; len(l.report.Errors) == 0 {
			return b.importLine(&l.report, l.item, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]LineReport, len(lines))
	for i := range lines {
		if err := errs[i]; err != nil && !errors.Is(err, errRehearsed) {
			if fault.KindOf(err) == fault.Internal {
				return out[:i], err
			}
			lines[i].report.fail(err)
		}
		out[i] = lines[i].report
	}
	return out, nil
}

// fail tells every mistake that err names.
func (l *LineReport) fail(err error) {
	l.Outcome, l.Errors = "failed", nil
	var list fault.List
	if !errors.As(err, &list) {
		l.Errors = []string{fault.Public(err).Error()}
	}
	for _, e := range list {
		l.Errors = append(l.Errors, e.Error())
	}
}

// importLine records what one line says. In a dry run its error is errRehearsed.
func (b *batch) importLine(l *LineReport, it Item, o ImportOptions) error {
	key := it.ID
	if key == "" {
		key = it.Class + "\x00" + it.Name
		if isMachine[it.Class] { // as find looks it up
			key = strings.ToLower(key)
		}
	}
	before, again := o.rehearsed[key]
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
	l.CI, l.Name, l.Outcome = c.ID, c.Name, "unchanged"
	if created {
		l.Outcome = "created"
	} else if l.Changes = cmdb.DiffCIs(old, c); len(l.Changes) > 0 {
		l.Outcome = "changed"
	}
	if !o.DryRun {
		return nil
	}
	o.rehearsed[key] = before.and(it)
	if created || isNew {
		l.CI = "" // it will have another
	}
	return errRehearsed
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
	lines := make([]LineReport, len(ids))
	errs, err := inv.each(ctx, len(ids), func(b *batch, i int) error {
		l := &lines[i]
		*l = LineReport{Line: i + 1, Outcome: "failed", CI: ids[i]}
		old, err := b.ci(ids[i])
		if err != nil {
			return err
		}
		if old == nil {
			return fault.NotFoundf("removed since")
		}
		it := Item{ID: ids[i], Attributes: e.Set}
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
	if err != nil {
		return rep, err
	}
	for i, err := range errs {
		if err != nil && !errors.Is(err, errRehearsed) {
			if fault.KindOf(err) == fault.Internal {
				return rep, err
			}
			lines[i].fail(err)
		}
		rep.add(lines[i])
	}
	return rep, nil
}
