package api

import (
	"context"
	"net/http"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
)

// User is a person who logs in.
type User struct {
	Name      string    `json:"name"`
	Display   string    `json:"display,omitempty"`
	Role      auth.Role `json:"role"`
	Password  bool      `json:"password" doc:"Whether one is set; without one only login links let them in"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

func userOf(u auth.User) User {
	return User{u.Name, u.Display, u.Role, u.Password != "", u.Disabled, u.CreatedAt, u.CreatedBy}
}

// NewUser adds a person.
type NewUser struct {
	Name     string `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9._@-]*$" doc:"a-z, 0-9 and . _ @ -"`
	Display  string `json:"display,omitempty" maxLength:"200"`
	Role     string `json:"role" enum:"viewer,responder,manager,admin"`
	Password string `json:"password,omitempty" maxLength:"1024" doc:"At least 12 characters"`
}

// UserEdit changes what it names.
type UserEdit struct {
	Display  *string `json:"display,omitempty" maxLength:"200"`
	Role     *string `json:"role,omitempty" enum:"viewer,responder,manager,admin"`
	Disabled *bool   `json:"disabled,omitempty"`
	Password *string `json:"password,omitempty" maxLength:"1024" doc:"At least 12 characters; empty takes it away"`
}

// ByName names a person.
type ByName struct {
	Name string `path:"name" maxLength:"64"`
}

func (a *API) userRoutes() {
	users := order[auth.User]{
		natural: []string{"name"}, id: func(u auth.User) string { return u.Name },
		lang: filter.From(filter.Language[User]{Fields: map[string]filter.Field[User]{
			"role": {Values: texts(auth.Roles()[:4]...), Text: func(u User) []string { return []string{string(u.Role)} }},
		}}.With(filter.Record[User]()), userOf),
		fetch: func(ctx context.Context, q filter.Query[auth.User], _ string, at engine.Range) (engine.Page[auth.User], error) {
			items, next, err := a.o.Auth.Users(ctx, at.Cursor, at.Limit, q.Keep)
			return engine.Page[auth.User]{Items: items, Next: next}, err
		},
	}
	handle(a, describedAs(op(http.MethodGet, "/api/v1/users", "list-users", "people", "List people"), users.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[User]], error) {
			return page(ctx, a, users, *in, userOf)
		})
	create := op(http.MethodPost, "/api/v1/users", "create-user", "people", "Add a person")
	create.DefaultStatus = http.StatusCreated
	handle(a, create, func(ctx context.Context, in *struct{ Body NewUser }) (*created[User], error) {
		b := in.Body
		u, err := a.o.Auth.CreateUser(ctx, callOf(ctx).by(), auth.User{Name: b.Name, Display: b.Display, Role: auth.Role(b.Role)}, b.Password)
		return &created[User]{Location: "/api/v1/users/" + u.Name, Body: userOf(u)}, err
	})
	handle(a, op(http.MethodGet, "/api/v1/users/{name}", "get-user", "people", "One person"),
		func(ctx context.Context, in *ByName) (*reply[User], error) {
			u, err := a.o.Auth.User(ctx, in.Name)
			return &reply[User]{userOf(u)}, err
		})
	handle(a, op(http.MethodPatch, "/api/v1/users/{name}", "edit-user", "people", "Change a person; a changed role or password ends their sessions"),
		func(ctx context.Context, in *struct {
			ByName
			Body UserEdit
		}) (*reply[User], error) {
			e := auth.UserEdit{Display: in.Body.Display, Disabled: in.Body.Disabled, Password: in.Body.Password}
			if in.Body.Role != nil {
				r := auth.Role(*in.Body.Role)
				e.Role = &r
			}
			u, err := a.o.Auth.EditUser(ctx, callOf(ctx).by(), in.Name, e)
			return &reply[User]{userOf(u)}, err
		})
	remove := op(http.MethodDelete, "/api/v1/users/{name}", "delete-user", "people", "Remove a person with their tokens and sessions")
	remove.DefaultStatus = http.StatusNoContent
	handle(a, remove, func(ctx context.Context, in *ByName) (*noBody, error) {
		return nil, a.o.Auth.DeleteUser(ctx, callOf(ctx).by(), in.Name)
	})
	link := op(http.MethodPost, "/api/v1/login-links", "create-login-link", "people", "Make a one-time login link")
	link.DefaultStatus = http.StatusCreated
	handle(a, link, func(ctx context.Context, in *struct{ Body NewLoginLink }) (*reply[LoginLink], error) {
		code, expires, err := a.o.Auth.NewLink(ctx, callOf(ctx).by(), in.Body.User)
		return &reply[LoginLink]{LoginLink{URL: a.base(ctx) + LoginPath(code), ExpiresAt: expires}}, err
	})
}

// NewLoginLink names whom to let in.
type NewLoginLink struct {
	User string `json:"user" minLength:"1" maxLength:"64"`
}

// LoginLink logs a browser in, once.
type LoginLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// LoginPath is the path of a login link.
func LoginPath(code string) string { return "/login/" + code }

// Who says who the caller is.
type Who struct {
	Actor string    `json:"actor" doc:"How records name the caller"`
	User  string    `json:"user,omitempty"`
	Role  auth.Role `json:"role"`
	Via   string    `json:"via" enum:"session,token"`
	// Password says whether the user has one, so that pages can offer to set it.
	Password bool   `json:"password"`
	Version  string `json:"version" doc:"Of the server"`
}

// Login is a person's name and password.
type Login struct {
	User     string `json:"user" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// PasswordChange sets the caller's own password.
type PasswordChange struct {
	Current string `json:"current,omitempty" maxLength:"1024" doc:"Needed where one is set"`
	New     string `json:"new" minLength:"1" maxLength:"1024" doc:"At least 12 characters"`
}

type cookieReply struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   Who
}

func (a *API) cookie(value string, life time.Duration) http.Cookie {
	c := http.Cookie{Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.o.TLS, MaxAge: int(life.Seconds())}
	if life <= 0 {
		c.MaxAge = -1
	}
	return c
}

func (a *API) who(ctx context.Context, p auth.Principal) (Who, error) {
	w := Who{Actor: p.Actor, User: p.User, Role: p.Role, Via: "token", Version: a.o.Version}
	if p.Session != "" {
		w.Via = "session"
	}
	if p.User == "" {
		return w, nil
	}
	u, err := a.o.Auth.User(ctx, p.User)
	w.Password = u.Password != ""
	return w, err
}

func (a *API) sessionRoutes() {
	handle(a, describedAs(op(http.MethodPost, "/api/v1/login", "login", "people", "Log a browser in"), "Sets the session cookie (HttpOnly, SameSite=Lax). Too many failures answer 429 with Retry-After."),
		func(ctx context.Context, in *struct{ Body Login }) (*cookieReply, error) {
			x, secret, err := a.o.Auth.Login(ctx, in.Body.User, in.Body.Password, callOf(ctx).remote)
			if err != nil {
				return nil, err
			}
			p, err := a.o.Auth.Browser(ctx, secret)
			if err != nil {
				return nil, err
			}
			w, err := a.who(ctx, p)
			return &cookieReply{a.cookie(secret, x.ExpiresAt.Sub(a.o.Now())), w}, err
		})
	out := op(http.MethodPost, "/api/v1/logout", "logout", "people", "End this browser session")
	out.DefaultStatus = http.StatusNoContent
	handle(a, out, func(ctx context.Context, _ *struct{}) (*struct {
		Cookie http.Cookie `header:"Set-Cookie"`
	}, error) {
		c := callOf(ctx)
		if c.who.Session == "" {
			return nil, fault.Conflictf("a token has no session to end: revoke it instead")
		}
		return &struct {
			Cookie http.Cookie `header:"Set-Cookie"`
		}{a.cookie("", 0)}, a.o.Auth.Logout(ctx, c.by(), c.who.Session)
	})
	handle(a, op(http.MethodGet, "/api/v1/session", "get-session", "people", "Who the caller is"),
		func(ctx context.Context, _ *struct{}) (*reply[Who], error) {
			w, err := a.who(ctx, callOf(ctx).who)
			return &reply[Who]{w}, err
		})
	pass := op(http.MethodPost, "/api/v1/session/password", "set-own-password", "people", "Set the caller's own password; ends their other sessions")
	handle(a, pass, func(ctx context.Context, in *struct{ Body PasswordChange }) (*cookieReply, error) {
		c := callOf(ctx)
		if c.who.Session == "" {
			return nil, fault.Conflictf("only a browser session sets its user's password")
		}
		x, secret, err := a.o.Auth.ChangePassword(ctx, c.by(), c.who, in.Body.Current, in.Body.New)
		if err != nil {
			return nil, err
		}
		w, err := a.who(ctx, c.who)
		return &cookieReply{a.cookie(secret, x.ExpiresAt.Sub(a.o.Now())), w}, err
	})
	a.mux.HandleFunc("GET /login/{code}", a.redeem)
}

// redeem turns a one-time link into a session. What fetches links without a
// person behind it (previews, prefetching, HEAD) must not use it up.
func (a *API) redeem(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	x, secret, err := a.o.Auth.Redeem(r.Context(), r.PathValue("code"), callOf(r.Context()).remote)
	if err != nil {
		p := a.problem(r.Context(), err)
		a.notice(w, p.Status, "This link does not log you in", p.Detail, "")
		return
	}
	c := a.cookie(secret, x.ExpiresAt.Sub(a.o.Now()))
	http.SetCookie(w, &c)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
