package inventory

import (
	"context"
	"strings"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// View is a saved list: a query with what to show of its items.
type View struct {
	Name    string   `json:"name"`
	Query   string   `json:"q"`
	Sort    string   `json:"sort,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Owner   string   `json:"owner,omitempty"` // who saved it
}

// SaveView stores a view under its name, new or not. A query that cannot be
// answered is refused now, not when somebody opens the view.
func (inv *Inventory) SaveView(ctx context.Context, v View) error {
	if v.Name = strings.TrimSpace(v.Name); v.Name == "" || len(v.Name) > 128 {
		return fault.Invalidf("name", "want 1 to 128 characters")
	}
	if len(v.Columns) > 64 {
		return fault.Invalidf("columns", "more than 64")
	}
	if err := inv.CheckQuery(v.Query); err != nil {
		return err
	}
	return inv.do(ctx, func(b *batch) error {
		b.write(func(tx store.Tx) error { return inv.cols.view.Put(tx, v) })
		return nil
	})
}

// CheckQuery says what is wrong with a query, nil if it can be answered.
func (inv *Inventory) CheckQuery(query string) error {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	_, err := inv.matching(query)
	return err
}

// View returns a saved view.
func (inv *Inventory) View(ctx context.Context, name string) (View, error) {
	var v View
	err := inv.db.View(ctx, func(r store.Reader) error {
		row, ok, err := inv.cols.view.Find(r, name)
		if err == nil && !ok {
			err = fault.NotFoundf("view %q does not exist", name)
		}
		v = row.Doc
		return err
	})
	return v, err
}

// Views lists the saved views by name.
func (inv *Inventory) Views(ctx context.Context) ([]View, error) {
	var out []View
	err := inv.db.View(ctx, func(r store.Reader) error {
		page, err := inv.cols.view.List(r, store.Query[View]{Limit: maxLimit})
		for _, row := range page.Rows {
			out = append(out, row.Doc)
		}
		return err
	})
	return out, err
}

// DeleteView removes a saved view; a missing one is fine.
func (inv *Inventory) DeleteView(ctx context.Context, name string) error {
	return inv.do(ctx, func(b *batch) error {
		b.write(func(tx store.Tx) error { return inv.cols.view.Delete(tx, name) })
		return nil
	})
}
