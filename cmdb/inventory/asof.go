package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Snapshot is an item at a past time.
type Snapshot struct {
	CI cmdb.CI   `json:"ci"`
	At time.Time `json:"at"`
	// Exists is false before the item was created and after it was removed.
	Exists bool `json:"exists"`
	// Relations are "TYPE TO-ID", sorted.
	Relations []string `json:"relations,omitempty"`
	// Software maps "type/name" to the versions then, separated by commas.
	Software map[string]string `json:"software,omitempty"`
}

// AsOf rebuilds an item as it was at a time, by taking back what its history says
// came later.
func (inv *Inventory) AsOf(ctx context.Context, id string, at time.Time) (Snapshot, error) {
	s := Snapshot{At: at, Exists: true}
	software := map[string]string{}
	relations := map[string]bool{}
	c, err := inv.Get(ctx, id)
	switch {
	case fault.KindOf(err) == fault.NotFound && err != nil:
		c, s.Exists = cmdb.CI{ID: id}, false
	case err != nil:
		return s, err
	default:
		packages, err := inv.Packages(ctx, c.ID)
		if err != nil {
			return s, err
		}
		for _, p := range packages {
			k := p.Type + "/" + p.Name
			if have := software[k]; have != "" && have != p.Version {
				software[k] = have + ", " + p.Version
			} else {
				software[k] = p.Version
			}
		}
		inv.mu.RLock()
		if o, ok := inv.mem.byID[c.ID]; ok {
			for _, l := range inv.mem.entries[o].out {
				relations[inv.mem.kinds[l.kind]+" "+inv.mem.entries[l.ord].id] = true
			}
		}
		inv.mu.RUnlock()
	}
	id = c.ID
	if c.Attributes == nil {
		c.Attributes = cmdb.Attributes{}
	}
	found := false
	err = inv.db.View(ctx, func(r store.Reader) error {
		cursor := ""
		for {
			page, err := inv.cols.history.List(r, store.Query[Entry]{
				Prefix: []byte(id + " "), From: fmt.Appendf(nil, "%s %016x", id, at.UnixMilli()+1), To: []byte(id + "!"), Reverse: true, Cursor: cursor, Limit: 1000,
			})
			if err != nil {
				return err
			}
			for _, row := range page.Rows {
				found = true
				e := row.Doc
				s.Exists = takeBack(&c, &e, software, relations, s.Exists)
			}
			if cursor = page.Next; cursor == "" {
				return nil
			}
		}
	})
	if err != nil {
		return s, fmt.Errorf("rebuild %s: %w", id, err)
	}
	if !s.Exists && !found {
		return s, fault.NotFoundf("configuration item %q does not exist", id)
	}
	maps.DeleteFunc(c.Attributes, func(k string, _ any) bool {
		f, ok := inv.Registry().Field(c.Class, k)
		return ok && f.Counter
	})
	c.Claims = nil
	c.Completeness, c.Incomplete = inv.Registry().Complete(c.Class, c.Attributes)
	s.CI, s.Relations, s.Software = c, slices.Sorted(maps.Keys(relations)), software
	return s, nil
}

// takeBack undoes one entry.
func takeBack(c *cmdb.CI, e *Entry, software map[string]string, relations map[string]bool, exists bool) bool {
	old := cmdb.Normalize(e.Old)
	text := cmdb.TextOf(old)
	kind, rest, _ := strings.Cut(e.Field, ":")
	switch {
	case e.Field == Created:
		return false
	case e.Field == Removed:
		var was cmdb.CI
		if err := json.Unmarshal([]byte(text), &was); err == nil {
			*c = was
		}
		return true
	case kind == "software" && rest != "":
		if delete(software, rest); text != "" {
			software[rest] = text
		}
	case kind == "relation" && rest != "":
		if n := cmdb.TextOf(cmdb.Normalize(e.New)); n != "" {
			delete(relations, rest+" "+n)
		}
		if text != "" {
			relations[rest+" "+text] = true
		}
	case kind+":" == changePrefix: // it says what was done, and alters nothing here
	case e.Field == "liveness":
		c.Liveness = cmdb.Liveness(text)
	case strings.HasPrefix(e.Field, "label."):
		k := strings.TrimPrefix(e.Field, "label.")
		if text == "" {
			delete(c.Labels, k)
		} else {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels[k] = text
		}
	case strings.HasPrefix(e.Field, "ci."):
		list, _ := old.([]string)
		switch e.Field {
		case "ci.name":
			c.Name = text
		case "ci.class":
			c.Class = text
		case "ci.parent":
			c.Parent = text
		case "ci.tags":
			c.Tags = list
		case "ci.aliases":
			c.Aliases = list
		case "ci.merged_into":
			c.MergedInto = text
		}
	case old == nil:
		delete(c.Attributes, e.Field)
	default:
		c.Attributes[e.Field] = old
	}
	return exists
}

// Compare tells what differs between two items, or one item at two times: a at
// atA and b at atB. A zero time is now.
func (inv *Inventory) Compare(ctx context.Context, a string, atA time.Time, b string, atB time.Time) ([]cmdb.Difference, error) {
	now := inv.now()
	if atA.IsZero() {
		atA = now
	}
	if atB.IsZero() {
		atB = now
	}
	x, err := inv.AsOf(ctx, a, atA)
	if err != nil {
		return nil, err
	}
	y, err := inv.AsOf(ctx, b, atB)
	if err != nil {
		return nil, err
	}
	out := cmdb.DiffCIs(&x.CI, &y.CI)
	flat := func(s Snapshot) cmdb.Attributes {
		f := cmdb.Attributes{}
		for k, v := range s.Software {
			f["software:"+k] = v
		}
		for _, r := range s.Relations {
			f["relation:"+r] = true
		}
		return f
	}
	return append(out, cmdb.Diff(flat(x), flat(y))...), nil
}
