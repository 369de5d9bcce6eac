package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
)

// flagInstant reads a point in time as people write it: a date, an RFC 3339 time, or
// how long ago it was.
func flagInstant(flag, s string) (time.Time, error) {
	if age, err := cmdb.ParseAge(s); err == nil {
		return time.Now().Add(-age), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s: want a date such as 2026-01-31, an RFC 3339 time or an age such as 7d, got %q", flag, s)
}

func setInstant(q url.Values, flag, s string) error {
	if s == "" {
		return nil
	}
	t, err := flagInstant(flag, s)
	if err != nil {
		return err
	}
	q.Set(strings.ReplaceAll(flag, "-", "_"), t.UTC().Format(time.RFC3339Nano))
	return nil
}

type ciPastCmd struct {
	item
	At string `name:"at" required:"" placeholder:"TIME" help:"2026-01-31, an RFC 3339 time, or an age such as 7d."`
}

// Run implements kong's command.
func (c *ciPastCmd) Run(io streams) error {
	q := url.Values{}
	if err := setInstant(q, "at", c.At); err != nil {
		return err
	}
	return ask(c.item, io, "/past", q, func(_ context.Context, _ *client, id string, s inventory.Snapshot) error {
		r := &report{w: io.out}
		if !s.Exists {
			r.printf("%s was not there at %s\n", id, stamp(s.At))
			return r.err
		}
		r.printf("%s  %s %s, as of %s\n\n", s.CI.ID, s.CI.Class, s.CI.Name, stamp(s.At))
		r.field("liveness", "%s", string(s.CI.Liveness))
		r.field("aliases", "%s", strings.Join(s.CI.Aliases, ", "))
		r.field("tags", "%s", strings.Join(s.CI.Tags, ", "))
		values := map[string]string{}
		for k := range s.CI.Attributes {
			values[k] = s.CI.Attributes.Text(k)
		}
		pairs(r, "Attributes", values)
		pairs(r, "Labels", s.CI.Labels)
		pairs(r, "Software that changed since", s.Software)
		if len(s.Relations) > 0 {
			r.printf("\nRelations\n")
			for _, x := range s.Relations {
				r.printf("  %s\n", x)
			}
		}
		return r.err
	})
}

type ciDiffCmd struct {
	item
	With   string `arg:"" optional:"" help:"The other item; without it the same one."`
	At     string `name:"at" placeholder:"TIME" help:"Time of the first; without it now."`
	WithAt string `name:"with-at" placeholder:"TIME" help:"Time of the other; without it now."`
}

// Run implements kong's command.
func (c *ciDiffCmd) Run(io streams) error {
	if c.With == "" && c.At == "" && c.WithAt == "" {
		return usagef("name another item, or --at TIME: an item does not differ from itself")
	}
	q := url.Values{}
	for k, v := range map[string]string{"at": c.At, "with-at": c.WithAt} {
		if err := setInstant(q, k, v); err != nil {
			return err
		}
	}
	return c.on(func(ctx context.Context, cl *client, id string) error {
		if c.With != "" {
			other := c.item
			other.ID = c.With
			with, err := other.find(ctx, cl)
			if err != nil {
				return err
			}
			q.Set("with", with)
		}
		return tell(ctx, cl, c.show, io, id, "/diff", q, func(_ context.Context, _ *client, _ string, p listed[cmdb.Difference]) error {
			return differences(io.out, p.Items)
		})
	})
}

func differences(w io.Writer, all []cmdb.Difference) error {
	t := newTable(w, "FIELD", "FIRST", "OTHER")
	for _, d := range all {
		t.row(d.Field, cut(or(cmdb.TextOf(cmdb.Normalize(d.Old))), 50), cut(or(cmdb.TextOf(cmdb.Normalize(d.New))), 50))
	}
	return t.end()
}

type ciPointsCmd struct {
	item
	Hops int `name:"hops" default:"5" placeholder:"N" help:"How far to look (${default})."`
}

// Run implements kong's command.
func (c *ciPointsCmd) Run(io streams) error {
	return ask(c.item, io, "/single-points", url.Values{"hops": {fmt.Sprint(c.Hops)}}, func(_ context.Context, _ *client, _ string, p listed[inventory.SinglePoint]) error {
		t := newTable(io.out, "ITEM", "CRITICALITY", "LIVENESS", "HOPS", "CUTS OFF")
		for _, s := range p.Items {
			t.row(cut(s.Class+" "+s.Name, 60), or(s.Criticality), string(s.Liveness), fmt.Sprint(s.Hops), fmt.Sprint(s.Cuts))
		}
		return t.end()
	})
}

type ciHealthCmd struct{ item }

// Run implements kong's command.
func (c *ciHealthCmd) Run(io streams) error {
	return ask(c.item, io, "/health", nil, func(_ context.Context, _ *client, _ string, h inventory.Health) error {
		fmt.Fprintf(io.out, "%s; %d items were looked at\n", h.Status, h.Checked)
		if len(h.Troubled) == 0 {
			return nil
		}
		t := newTable(io.out, "ITEM", "HOPS", "WHY")
		for _, n := range h.Troubled {
			t.row(cut(n.Class+" "+n.Name, 60), fmt.Sprint(n.Hops), cut(n.Why, 80))
		}
		return t.end()
	})
}

type ciSBOMCmd struct {
	ID   string `arg:"" name:"id" help:"The item's id, or its name."`
	File string `name:"file" placeholder:"FILE" help:"Write it there; without it to standard output."`
	remote
}

// Run implements kong's command.
func (c *ciSBOMCmd) Run(io streams) error {
	return item{ID: c.ID, remote: c.remote}.on(func(ctx context.Context, cl *client, id string) error {
		return download(ctx, cl, "/api/v1/cis/"+url.PathEscape(id)+"/sbom", c.File, io)
	})
}

// download writes an answer to a file, which is whole or not there, or to standard output.
func download(ctx context.Context, c *client, path, file string, out streams) error {
	resp, err := c.fetch(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if file == "" || file == "-" {
		_, err := io.Copy(out.out, resp.Body)
		return err
	}
	f, err := os.Create(file + ".part")
	if err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	n, err := io.Copy(f, resp.Body)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error says what is wrong
		return fmt.Errorf("write %s: %w", file, err)
	}
	fmt.Fprintf(out.err, "%s: %d bytes\n", file, n)
	return nil
}

type ciClassesCmd struct {
	Class string `arg:"" optional:"" help:"Show the fields of this class."`
	show
	remote
}

// Run implements kong's command.
func (c *ciClassesCmd) Run(io streams) error {
	type classes struct {
		Classes   []cmdb.Class        `json:"classes"`
		Relations []cmdb.RelationType `json:"relations"`
	}
	return showOne(c.remote, c.show, io, "/api/v1/classes", func(x classes) error {
		if c.Class == "" {
			t := newTable(io.out, "CLASS", "FIELDS", "REQUIRED", "WHAT IT IS")
			for _, k := range x.Classes {
				var required []string
				for _, f := range k.Fields {
					if f.Required {
						required = append(required, f.Name)
					}
				}
				t.row(k.Name, fmt.Sprint(len(k.Fields)), or(strings.Join(required, ", ")), k.Description)
			}
			return t.end()
		}
		i := slices.IndexFunc(x.Classes, func(k cmdb.Class) bool { return k.Name == c.Class })
		if i < 0 {
			return fmt.Errorf("there is no class %q: watchbill ci classes lists them", c.Class)
		}
		t := newTable(io.out, "FIELD", "TYPE", "REQUIRED", "WHAT IT IS")
		for _, f := range x.Classes[i].Fields {
			kind := string(f.Type) + prefixed(": ", strings.Join(f.Values, ", "))
			t.row(f.Name, kind, map[bool]string{true: "yes", false: "-"}[f.Required], f.Description)
		}
		return t.end()
	})
}

type ciQualityCmd struct {
	show
	remote
}

// Run implements kong's command.
func (c *ciQualityCmd) Run(io streams) error {
	return showOne(c.remote, c.show, io, "/api/v1/quality", func(q inventory.Quality) error {
		t := newTable(io.out, "CLASS", "OWNER", "ITEMS", "COMPLETE", "STALE", "GONE", "ORPHANS")
		for _, g := range q.Groups {
			t.row(g.Class, or(g.Owner), fmt.Sprint(g.Items), fmt.Sprintf("%.0f %%", 100*g.Completeness()), fmt.Sprint(g.Stale), fmt.Sprint(g.Gone), fmt.Sprint(g.Orphans))
		}
		if err := t.end(); err != nil {
			return err
		}
		r := &report{w: io.out}
		if len(q.Missing) > 0 {
			r.printf("\nLacking\n")
			for _, f := range slices.Sorted(maps.Keys(q.Missing)) {
				r.printf("  %-14s %d items: watchbill ci list incomplete:%s\n", f, q.Missing[f], f)
			}
		}
		if len(q.Duplicates) > 0 {
			r.printf("\nDuplicates\n")
			for n, d := range q.Duplicates {
				if n == 50 {
					r.printf("  and %d more: -o json\n", len(q.Duplicates)-n)
					break
				}
				r.printf("  %s %s: %s\n", d.Field, oneLine(d.Value), strings.Join(d.CIs, ", "))
			}
		}
		return r.err
	})
}

type ciEndingsCmd struct {
	Query  []string `arg:"" optional:"" help:"Only items that match."`
	Within string   `name:"within" default:"90d" placeholder:"SPAN" help:"How far to look, e.g. 90d or 52w (${default})."`
	Fields []string `name:"fields" placeholder:"NAME" help:"Only these date fields."`
	show
	remote
}

// Run implements kong's command.
func (c *ciEndingsCmd) Run(io streams) error {
	q := url.Values{"within": {c.Within}, "q": {strings.Join(c.Query, " ")}}
	if len(c.Fields) > 0 {
		q.Set("fields", strings.Join(c.Fields, ","))
	}
	return showOne(c.remote, c.show, io, "/api/v1/endings?"+q.Encode(), func(p listed[inventory.Ending]) error {
		t := newTable(io.out, "DATE", "DAYS", "WHAT", "ITEM", "OWNER")
		for _, e := range p.Items {
			t.row(e.Date, fmt.Sprint(e.Days), e.Field, cut(e.Class+" "+e.Name, 60), or(e.Owner))
		}
		return t.end()
	})
}

type ciCostsCmd struct {
	Query []string `arg:"" optional:"" help:"Only items that match."`
	By    string   `name:"by" default:"team" placeholder:"FIELD" help:"owner, team, location, class, ... (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *ciCostsCmd) Run(io streams) error {
	q := url.Values{"by": {c.By}, "q": {strings.Join(c.Query, " ")}}
	return showOne(c.remote, c.show, io, "/api/v1/costs?"+q.Encode(), func(p listed[inventory.Cost]) error {
		t := newTable(io.out, strings.ToUpper(c.By), "ITEMS", "TOTAL", "CURRENCY")
		for _, x := range p.Items {
			t.row(or(x.Group), fmt.Sprint(x.Items), fmt.Sprintf("%.2f", x.Total), or(x.Currency))
		}
		return t.end()
	})
}

type ciCoverageCmd struct {
	Query []string `arg:"" optional:"" help:"Only machines that match."`
	show
	remote
}

// Run implements kong's command.
func (c *ciCoverageCmd) Run(io streams) error {
	path := "/api/v1/coverage?" + url.Values{"q": {strings.Join(c.Query, " ")}}.Encode()
	return showOne(c.remote, c.show, io, path, func(x cmdb.Coverage) error {
		t := newTable(io.out, "ITEM", "PORT", "LACKS", "SCRAPED AS")
		for _, g := range x.Gaps {
			port := "-"
			if g.Port > 0 {
				port = fmt.Sprint(g.Port)
			}
			t.row(cut(g.Class+" "+g.Name, 60), port, g.Missing, or(strings.Join(g.Jobs, ", ")))
		}
		if err := t.end(); err != nil {
			return err
		}
		r := &report{w: io.out}
		r.printf("\n%d of %d machines and ports are covered.\n", x.Covered, x.Watched)
		if len(x.UnknownTargets) > 0 {
			r.printf("Targets on no known machine: %s\n", strings.Join(x.UnknownTargets, ", "))
		}
		return r.err
	})
}
