package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"
)

// recordID is a record's id; people may write it in small letters.
type recordID string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *recordID) UnmarshalText(b []byte) error {
	*r = recordID(strings.ToUpper(string(b)))
	return nil
}

func (r recordID) path() string { return url.PathEscape(string(r)) }

// plurals are the paths of the kinds of records, by the name of their command.
var plurals = map[string]string{"incident": "incidents", "problem": "problems", "maintenance": "maintenance"}

// verbCmd does the verb that it is named after to records of the kind that its
// parent command is named after. The flags are the verb's arguments.
type verbCmd[F any] struct {
	IDs []recordID `arg:"" name:"id" help:"One or more ids, as list shows them; the first refusal ends it."`
	F   F          `embed:""`
	show
	remote
}

// Run implements kong's command.
func (c *verbCmd[F]) Run(io streams, k *kong.Context) error {
	if err := checked(c.F); err != nil {
		return err
	}
	verb := k.Selected()
	return c.act(io, c.show, plurals[verb.Parent.Name], strings.ReplaceAll(verb.Name, "-", "_"), c.IDs, c.F)
}

// createCmd makes a record of the kind that its parent command is named after.
type createCmd[F any] struct {
	F F `embed:""`
	show
	remote
}

// Run implements kong's command.
func (c *createCmd[F]) Run(io streams, k *kong.Context) error {
	if err := checked(c.F); err != nil {
		return err
	}
	return c.write(io, c.show, http.MethodPost, "/api/v1/"+plurals[k.Selected().Parent.Name], c.F)
}

// checked says what is wrong with flags before a server is asked.
func checked(flags any) error {
	if c, ok := flags.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

// act does a verb to each record; it stops at the first that refuses.
func (r remote) act(io streams, s show, kind, verb string, ids []recordID, args any) error {
	for _, id := range ids {
		method, path := http.MethodPost, "/api/v1/"+kind+"/"+id.path()+"/"+verb
		if verb == "edit" {
			method, path = http.MethodPatch, "/api/v1/"+kind+"/"+id.path()
		}
		if err := r.write(io, s, method, path, args); err != nil {
			return err
		}
	}
	return nil
}

// write does one call that answers a record, and says what that is now.
func (r remote) write(io streams, s show, method, path string, body any) error {
	raw, err := r.answer(method, path, body)
	if err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, raw)
	}
	var x struct {
		ID, State, Title, Summary string
		Priority                  int
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return fmt.Errorf("read the record: %w", err)
	}
	priority := ""
	if x.Priority > 0 {
		priority = fmt.Sprintf(", priority %d", x.Priority)
	}
	_, err = fmt.Fprintf(io.out, "%s is %s%s: %s\n", x.ID, x.State, priority, oneLine(x.Title+x.Summary))
	return err
}

// What verbs of several kinds take.
type (
	noteFlags struct {
		Note string `name:"note" json:"note,omitempty" placeholder:"TEXT" help:"Goes onto the timeline."`
	}
	reasonFlags struct {
		Reason string `name:"reason" json:"reason,omitempty" placeholder:"TEXT" help:"Why."`
		noteFlags
	}
	assignFlags struct {
		Assignee *string `name:"assignee" json:"assignee,omitempty" placeholder:"USER" help:"Who works on it; --assignee= takes it away. Without it the assignee stays."`
		Team     *string `name:"team" json:"team,omitempty" placeholder:"TEAM" help:"Which team works on it; --team= takes it away. Without it the team stays."`
		noteFlags
	}
)

func (a assignFlags) check() error {
	if a.Assignee == nil && a.Team == nil {
		return usagef("assign: give --assignee or --team")
	}
	return nil
}

// noteCmd writes on the timeline of an incident or a problem.
type noteCmd struct {
	ID   recordID `arg:"" help:"The record, as list shows it."`
	Text []string `arg:"" help:"What to write."`
	show
	remote
}

// Run implements kong's command.
func (c *noteCmd) Run(io streams, k *kong.Context) error {
	return c.act(io, c.show, plurals[k.Selected().Parent.Name], "notes", []recordID{c.ID}, noteFlags{strings.Join(c.Text, " ")})
}
