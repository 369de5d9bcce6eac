package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/internal/budget"
	"github.com/watchbill/watchbill/internal/fault"
)

// call is what is known of one request.
type call struct {
	id     string
	method string
	path   string
	remote string
	who    auth.Principal
	nonce  string // of this page's content security policy
	share  *budget.Share
}

// caller names who takes a part of what is bounded: a credential, or an address where
// there is none.
func (c *call) caller() string {
	switch {
	case c.who.CI != "":
		return "item " + c.who.CI
	case c.who.Source != "":
		return "source " + c.who.Source
	case c.who.Actor != "":
		return "actor " + c.who.Actor
	}
	return "address " + c.remote
}

// Bodies that are read whole take what becomes of them in memory before it does.
const (
	bodiesOfAll    = 160 << 20
	bodiesOfCaller = 128 << 20
	// bodyWeight is what a decoded body takes, as a multiple of its text.
	bodyWeight = 2
)

// streamedBodies are worked on line by line, or taken as they are unpacked. What
// senders of alerts post has a budget of its own.
var streamedBodies = map[string]bool{
	"POST /api/v1/import":        true,
	"POST /api/v1/agent/reports": true, "POST /api/v1/agent/enroll": true,
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

func (c *call) by() auth.By { return auth.By{Actor: c.who.Actor, Remote: c.remote} }

// sessionCookie names the browser session.
const sessionCookie = "watchbill_session"

// maxBody bounds every body that has no bound of its own.
const maxBody = 4 << 20

// ServeHTTP answers one request: headers, who is it, may they, and then the
// route. A route that the table does not list is not there.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: a.random(), method: r.Method, path: r.URL.Path, remote: a.remoteOf(r), nonce: a.random()}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	a.headers(w, c)
	tw := &tracked{ResponseWriter: w}
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		if err, ok := x.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(x) // net/http breaks the connection off, which is what was asked for
		}
		a.log.Error("a request panicked", "request", c.id, "method", c.method, "path", c.path, "panic", fmt.Sprint(x), "stack", string(debug.Stack()))
		if tw.wrote {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		a.writeProblem(w, a.plain(r.Context(), http.StatusInternalServerError, "internal error; the server's log has the cause"))
	}()

	h, pattern := a.mux.Handler(r)
	acc, listed := routes[pattern]
	switch {
	case pattern == "" || !listed:
		a.elsewhere(tw, r, h)
		return
	case acc.public || acc.operations && a.loopback:
	default:
		who, err := a.identify(r)
		if err == nil {
			c.who = who
			err = permit(who, acc.role)
		}
		if err != nil {
			a.writeProblem(tw, a.problem(r.Context(), err))
			return
		}
	}
	// Reloading is how a watermark is lowered, and the receivers count and tell what they refuse.
	if unsafe(r.Method) && pattern != "POST /-/reload" && acc.role != auth.Ingest {
		if err := a.o.Room(); err != nil {
			a.writeProblem(tw, a.problem(r.Context(), fault.Unavailablef("%v: nothing can be kept; try again when there is room", err)))
			return
		}
	}
	c.share = a.bodies.Share(c.caller())
	defer c.share.Close()
	if unsafe(r.Method) && acc.role != auth.Ingest && !streamedBodies[pattern] && r.Body != nil {
		r.Body = &takenBody{r.Body, c.share.Reader(r.Body, bodyWeight)}
	}
	if acc.public && unsafe(r.Method) && r.Header.Get("Authorization") == "" {
		if err := a.sameOrigin(r); err != nil {
			a.writeProblem(tw, a.problem(r.Context(), err))
			return
		}
	}
	a.mux.ServeHTTP(tw, r)
}

// takenBody takes a part of the budget for what is read of it.
type takenBody struct {
	io.Closer
	io.Reader
}

// headers that every answer carries. The pages load nothing from elsewhere; the
// nonce is for the one style element that the component library makes.
func (a *API) headers(w http.ResponseWriter, c *call) {
	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+c.nonce+"'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	if a.o.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if strings.HasPrefix(c.path, "/api/") {
		h.Set("Cache-Control", "no-store")
	}
}

// identify finds who calls: by token, as bearer or as the password of basic
// authentication, which is all that some senders can do, else by browser session. A cookie
// comes along with requests that other sites make, so what it may change must
// come from our own pages.
func (a *API) identify(r *http.Request) (auth.Principal, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		if _, password, ok := r.BasicAuth(); ok {
			return a.o.Auth.Bearer(r.Context(), strings.TrimSpace(password))
		}
		scheme, secret, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return auth.Principal{}, &auth.Denied{Reason: auth.Unauthenticated, Message: fmt.Sprintf("Authorization: want the scheme Bearer with a token, or Basic with the token as password, got %q", scheme)}
		}
		return a.o.Auth.Bearer(r.Context(), strings.TrimSpace(secret))
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return auth.Principal{}, &auth.Denied{Reason: auth.Unauthenticated, Message: "log in, or send \"Authorization: Bearer TOKEN\""}
	}
	if unsafe(r.Method) {
		if err := a.sameOrigin(r); err != nil {
			return auth.Principal{}, err
		}
	}
	return a.o.Auth.Browser(r.Context(), cookie.Value)
}

func (a *API) sameOrigin(r *http.Request) error {
	if a.origin.Check(r) != nil {
		return &auth.Denied{Reason: auth.Forbidden, Message: "the request was made by a page of another site"}
	}
	return nil
}

func permit(who auth.Principal, need auth.Role) error {
	if who.Role.Allows(need) {
		return nil
	}
	if !need.Human() {
		return &auth.Denied{Reason: auth.Forbidden, Message: fmt.Sprintf("this wants a token of role %s, yours is %s", need, who.Role)}
	}
	return &auth.Denied{Reason: auth.Forbidden, Message: fmt.Sprintf("this wants the role %s, yours is %s", need, who.Role)}
}

func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// elsewhere answers what no route does: pages of the web app, or a problem.
func (a *API) elsewhere(w http.ResponseWriter, r *http.Request, h http.Handler) {
	own := false
	for _, p := range []string{"/api/", "/-/", "/metrics", "/openapi", "/docs", "/login/", "/acknowledge/"} {
		own = own || strings.HasPrefix(r.URL.Path, p)
	}
	if !own && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		a.page(w, r)
		return
	}
	// The mux knows best whether it is the path or the method that is wrong.
	probe := &discard{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		p := a.plain(r.Context(), probe.status, "%s is not possible here; possible are %s", r.Method, probe.header.Get("Allow"))
		p.header.Set("Allow", probe.header.Get("Allow"))
		a.writeProblem(w, p)
		return
	}
	a.writeProblem(w, a.plain(r.Context(), http.StatusNotFound, "%s is no address of this server; /openapi.json lists them", r.URL.Path))
}

// remoteOf is the address that a request comes from: its peer's, unless that is a
// proxy that the operator trusts. Of what X-Forwarded-For says only what trusted
// proxies wrote counts: the rest of it is the caller's own word.
func (a *API) remoteOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for n := len(hops) - 1; n >= 0 && a.trusts(host); n-- {
		ip, err := netip.ParseAddr(strings.TrimSpace(hops[n]))
		if err != nil {
			break
		}
		host = ip.Unmap().String()
	}
	return host
}

func (a *API) trusts(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(a.o.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// isLoopback says whether a listen address can only be reached from this machine.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// random makes a short name that is unique enough for a log and a nonce.
func (a *API) random() string {
	var b [12]byte
	a.randMu.Lock()
	defer a.randMu.Unlock()
	if _, err := io.ReadFull(a.o.Rand, b[:]); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(b[:])
}

// tracked knows whether an answer was begun.
type tracked struct {
	http.ResponseWriter
	wrote bool
}

func (t *tracked) WriteHeader(code int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(code)
}

func (t *tracked) Write(b []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// discard keeps status and headers of an answer that nobody sees.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(code int) {
	if d.status == 0 {
		d.status = code
	}
}
func (d *discard) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return len(b), nil
}
