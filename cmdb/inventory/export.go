package inventory

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
