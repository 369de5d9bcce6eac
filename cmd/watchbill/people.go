package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/watchbill/watchbill/api"
)

type userCmd struct {
	List   userListCmd   `cmd:"" help:"List people."`
	Create userCreateCmd `cmd:"" help:"Add a person; a login link lets them in."`
	Edit   userEditCmd   `cmd:"" help:"Change a person; another role ends their sessions."`
	Delete userDeleteCmd `cmd:"" help:"Remove a person with their tokens and sessions."`
}

type userListCmd struct {
	Limit int `name:"limit" default:"0" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *userListCmd) Run(io streams) error {
	return showQuery(c.remote, c.show, io, "/api/v1/users", nil, c.Limit, []string{"NAME", "ROLE", "STATE", "PASSWORD", "DISPLAY", "SINCE"},
		func(u api.User) []string {
			state, password := "active", "no"
			if u.Disabled {
				state = "disabled"
			}
			if u.Password {
				password = "yes"
			}
			return []string{u.Name, string(u.Role), state, password, or(u.Display), stamp(u.CreatedAt)}
		})
}

type userCreateCmd struct {
	Name    string `arg:"" help:"How they log in and how records name them."`
	Role    string `name:"role" required:"" enum:"viewer,responder,manager,admin" placeholder:"ROLE" help:"viewer, responder, manager or admin."`
	Display string `name:"display" placeholder:"TEXT" help:"Their name for people."`
	show
	remote
}

// Run implements kong's command.
func (c *userCreateCmd) Run(io streams) error {
	return c.person(io, c.show, http.MethodPost, "/api/v1/users", api.NewUser{Name: c.Name, Role: c.Role, Display: c.Display})
}

type userEditCmd struct {
	Name    string  `arg:"" help:"Who."`
	Role    *string `name:"role" enum:"viewer,responder,manager,admin" placeholder:"ROLE" help:"viewer, responder, manager or admin."`
	Display *string `name:"display" placeholder:"TEXT" help:"Their name for people."`
	Disable bool    `name:"disable" xor:"access" help:"They cannot log in any more; records keep their name."`
	Enable  bool    `name:"enable" xor:"access" help:"They can log in again."`
	show
	remote
}

// Run implements kong's command.
func (c *userEditCmd) Run(io streams) error {
	e := api.UserEdit{Role: c.Role, Display: c.Display}
	if c.Disable || c.Enable {
		e.Disabled = &c.Disable
	}
	if e == (api.UserEdit{}) {
		return usagef("give --role, --display, --disable or --enable: what changes?")
	}
	return c.person(io, c.show, http.MethodPatch, "/api/v1/users/"+url.PathEscape(c.Name), e)
}

func (r remote) person(io streams, s show, method, path string, body any) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	var u api.User
	if err := c.call(ctx, method, path, body, &u); err != nil {
		return err
	}
	if s.json() {
		return writeJSON(io.out, u)
	}
	state := ""
	if u.Disabled {
		state = ", disabled"
	}
	_, err = fmt.Fprintf(io.out, "%s is %s%s\n", u.Name, u.Role, state)
	return err
}

type userDeleteCmd struct {
	Names []string `arg:"" name:"name" help:"Who."`
	remote
}

// Run implements kong's command.
func (c *userDeleteCmd) Run(io streams) error {
	return c.remove(io, "user", "/api/v1/users/", c.Names, "is removed")
}

// remove deletes what names name, one by one.
func (r remote) remove(io streams, what, path string, names []string, done string) error {
	cl, err := r.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	for _, n := range names {
		if err := cl.call(ctx, http.MethodDelete, path+url.PathEscape(n), nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(io.out, "%s %s %s\n", what, n, done)
	}
	return nil
}

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List privileged acts, newest first, e.g. watchbill audit list actor:ann refused:yes."`
	Export auditExportCmd `cmd:"" help:"Write all of them into a file."`
}

type auditListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *auditListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/audit", c.listFlags, []string{"AT", "ACTOR", "FROM", "VERB", "KIND", "RECORD", "REFUSED"},
		func(a api.Audit) []string {
			return []string{stamp(a.At), a.Actor, or(a.Remote), a.Verb, a.Kind, or(a.Record), cut(or(a.Refused), 80)}
		})
}

type auditExportCmd struct {
	File  string   `arg:"" help:"Where to: FILE.jsonl, or FILE.csv (- for standard output)."`
	Query []string `arg:"" optional:"" name:"query" help:"Filter, e.g. actor:ann at>=2026-01-01. Without it: all."`
	remote
}

// Run implements kong's command.
func (c *auditExportCmd) Run(io streams) error {
	q := url.Values{}
	if len(c.Query) > 0 {
		q.Set("q", strings.Join(c.Query, " "))
	}
	if strings.HasSuffix(c.File, ".csv") {
		q.Set("format", "csv")
	}
	return c.download(io, "/api/v1/audit/export?"+q.Encode(), c.File, false)
}
