package api

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
)

type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		Role     string                `json:"x-role"`
		Security []map[string][]string `json:"security"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

// own are routes that are no part of the programming interface: pages and files.
var own = map[string]bool{"GET /login/{code}": true, "GET /openapi.json": true, "GET /docs": true, "GET /docs/{file}": true,
	"GET /acknowledge/{id}": true, "POST /acknowledge/{id}": true}

// The table of roles and the OpenAPI document name the same routes and the same roles.
func TestRolesTableEqualsOpenAPI(t *testing.T) {
	h := build(t)
	doc := get[document](h, "", "/openapi.json")
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			pattern := strings.ToUpper(method) + " " + path
			seen[pattern] = true
			acc, ok := routes[pattern]
			if !ok {
				t.Errorf("%s is documented and not in the table", pattern)
			}
			want := string(acc.role)
			if acc.public {
				want = "public"
			}
			if o.Role != want {
				t.Errorf("%s: documented as %s, the table says %s", pattern, o.Role, want)
			}
			if o.Security == nil {
				t.Errorf("%s: no security is documented", pattern)
			}
		}
	}
	for pattern := range routes {
		if !seen[pattern] && !own[pattern] {
			t.Errorf("%s is in the table and not documented", pattern)
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("huma's error form is still documented")
	}
}

// Every route, called by every role and by nobody: who may not is told so, and
// who may gets past the guard. This asks the server, not the table's code.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	h := build(t, func(o *Options) { o.Listen = "0.0.0.0:7470" })
	param := regexp.MustCompile(`\{[^}]+\}`)
	for pattern, acc := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/api/v1/stream" || path == "/api/v1/logout" {
			continue // the one does not end, the other is tested with sessions
		}
		path = param.ReplaceAllString(path, "none")
		for _, role := range append([]auth.Role{""}, auth.Roles()...) {
			a := h.call(role, method, path, nil)
			denied := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
			may := acc.public || role != "" && role.Allows(acc.role)
			switch {
			case acc.public && path == "/login/none": // answers 401 for a code that is none, as it should
			case role == auth.Agent && path == "/api/v1/agent/reports": // a join token may not; TestAgentCredentialsAreBound
			case may && denied:
				t.Errorf("%s as %q: %d %s", pattern, role, a.status, a.body)
			case !may && !denied:
				t.Errorf("%s as %q was let in: %d", pattern, role, a.status)
			case !may && role == "" && (a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == ""):
				t.Errorf("%s as nobody: %d, %q", pattern, a.status, a.header.Get("WWW-Authenticate"))
			}
		}
	}
}

func TestLoopbackNeedsNoTokenForMetricsAndHealth(t *testing.T) {
	h := build(t)
	for _, path := range []string{"/metrics", "/-/healthy", "/-/ready"} {
		if a := h.call("", "GET", path, nil); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := h.call("", "POST", "/-/reload", nil); a.status != http.StatusUnauthorized {
		t.Errorf("reload without a token: %d", a.status)
	}
	for listen, want := range map[string]bool{"127.0.0.1:7470": true, "[::1]:7470": true, "localhost:1": true, "0.0.0.0:7470": false, ":7470": false, "10.0.0.1:80": false, "[::]:7470": false, "example.org:80": false} {
		if isLoopback(listen) != want {
			t.Errorf("isLoopback(%s) = %v", listen, !want)
		}
	}
}

func TestTokensAreShownOnceScopedExpiringRevocable(t *testing.T) {
	h := build(t)
	a := h.call(auth.Admin, "POST", "/api/v1/tokens", map[string]any{"name": "robot", "role": "viewer", "expires_in": "2d"})
	var made MadeToken
	h.must(json.Unmarshal([]byte(a.body), &made))
	if a.status != http.StatusCreated || !strings.HasPrefix(made.Secret, "wb_"+made.ID+"_") || made.ExpiresAt == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h.tokens["robot"] = made.Secret
	list := h.call(auth.Admin, "GET", "/api/v1/tokens", nil)
	if strings.Contains(list.body, made.Secret) || strings.Contains(list.body, "hash") || !strings.Contains(list.body, made.ID) {
		t.Errorf("list: %s", list.body)
	}
	if w := get[Who](h, "robot", "/api/v1/session"); w.Actor != "token:robot" || w.Role != auth.Viewer || w.Via != "token" {
		t.Errorf("%+v", w)
	}
	h.clock.add(49 * time.Hour)
	if p := h.call("robot", "GET", "/api/v1/incidents", nil).problem(t); p.Status != http.StatusUnauthorized || !strings.Contains(p.Detail, "expired") {
		t.Errorf("%+v", p)
	}
	b := h.call(auth.Admin, "POST", "/api/v1/tokens", map[string]any{"name": "other", "role": "responder", "user": "admin"})
	h.must(json.Unmarshal([]byte(b.body), &made))
	h.tokens["other"] = made.Secret
	if w := get[Who](h, "other", "/api/v1/session"); w.Actor != "admin" || w.Role != auth.Responder {
		t.Errorf("a user's token acts as the user: %+v", w)
	}
	if a := h.call(auth.Admin, "DELETE", "/api/v1/tokens/"+made.ID, nil); a.status != http.StatusNoContent {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if p := h.call("other", "GET", "/api/v1/incidents", nil).problem(t); p.Status != http.StatusUnauthorized || !strings.Contains(p.Detail, made.ID) {
		t.Errorf("%+v", p)
	}
	if strings.Contains(h.log.String(), made.Secret) {
		t.Error("a secret stands in the log")
	}
	rows := h.audit("kind:token%20record:" + made.ID)
	if len(rows.Items) != 2 || rows.Items[0].Verb != "revoke" || rows.Items[0].Refused != "" {
		t.Errorf("audit: %+v", rows.Items)
	}
	if all := h.call(auth.Manager, "GET", "/api/v1/audit?limit=1000", nil); strings.Contains(all.body, made.Secret) {
		t.Error("a secret stands in the audit")
	}
}

// login opens a browser session and returns its cookie.
func (h *house) login(user, password string) string {
	h.t.Helper()
	a := h.call("", "POST", "/api/v1/login", map[string]any{"user": user, "password": password})
	if a.status != http.StatusOK {
		h.t.Fatalf("login: %d %s", a.status, a.body)
	}
	return a.header.Get("Set-Cookie")
}

func TestSessions(t *testing.T) {
	h := build(t)
	if a := h.call(auth.Admin, "POST", "/api/v1/users", map[string]any{"name": "Ada", "role": "responder", "password": "correct horse battery"}); a.status != http.StatusCreated || strings.Contains(a.body, "argon") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	set := h.login("ada", "correct horse battery")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie lacks %s: %s", want, set)
		}
	}
	cookie, _, _ := strings.Cut(set, ";")
	if a := h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie); a.status != http.StatusOK || !strings.Contains(a.body, `"via":"session"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	body := map[string]any{"title": "x", "impact": 1, "urgency": 1}
	// Another site's page can send the cookie along; our own pages and tools may write.
	for _, c := range []struct {
		header []string
		status int
	}{
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "same-origin"}, http.StatusCreated},
		{[]string{"Origin", h.url}, http.StatusCreated},
		{nil, http.StatusCreated},
	} {
		if a := h.call("", "POST", "/api/v1/incidents", body, append(c.header, "Cookie", cookie)...); a.status != c.status {
			t.Errorf("%v: %d, want %d: %s", c.header, a.status, c.status, a.body)
		}
	}
	if a := h.call("", "POST", "/api/v1/login", map[string]any{"user": "ada", "password": "x"}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("another site logs people in: %d", a.status)
	}
	if a := h.call("", "POST", "/api/v1/logout", nil, "Cookie", cookie); a.status != http.StatusNoContent || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %s", a.status, a.header.Get("Set-Cookie"))
	}
	if a := h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie); a.status != http.StatusUnauthorized {
		t.Errorf("after logout: %d", a.status)
	}
	// A role that is taken away ends the sessions that had it.
	cookie, _, _ = strings.Cut(h.login("ada", "correct horse battery"), ";")
	if a := h.call(auth.Admin, "PATCH", "/api/v1/users/ada", map[string]any{"role": "viewer"}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie); a.status != http.StatusUnauthorized {
		t.Errorf("with the old role: %d", a.status)
	}
	cookie, _, _ = strings.Cut(h.login("ada", "correct horse battery"), ";")
	h.clock.add(auth.SessionLife)
	if a := h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie); a.status != http.StatusUnauthorized {
		t.Errorf("after a week: %d", a.status)
	}
}

func TestOwnPassword(t *testing.T) {
	h := build(t)
	h.call(auth.Admin, "POST", "/api/v1/users", map[string]any{"name": "ada", "role": "viewer", "password": "correct horse battery"})
	cookie, _, _ := strings.Cut(h.login("ada", "correct horse battery"), ";")
	if a := h.call("", "POST", "/api/v1/session/password", map[string]any{"current": "wrong", "new": "another good phrase"}, "Cookie", cookie); a.status != http.StatusBadRequest {
		t.Errorf("with the wrong password: %d %s", a.status, a.body)
	}
	a := h.call("", "POST", "/api/v1/session/password", map[string]any{"current": "correct horse battery", "new": "another good phrase"}, "Cookie", cookie)
	fresh, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.status != http.StatusOK || h.call("", "GET", "/api/v1/session", nil, "Cookie", fresh).status != http.StatusOK || h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie).status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.login("ada", "another good phrase")
}

func TestLoginRateLimit(t *testing.T) {
	h := build(t)
	h.call(auth.Admin, "POST", "/api/v1/users", map[string]any{"name": "ada", "role": "viewer", "password": "correct horse battery"})
	var statuses []int
	for range 7 {
		statuses = append(statuses, h.call("", "POST", "/api/v1/login", map[string]any{"user": "ada", "password": "guess"}).status)
	}
	if statuses[4] != http.StatusUnauthorized || statuses[5] != http.StatusTooManyRequests {
		t.Errorf("%v", statuses)
	}
	a := h.call("", "POST", "/api/v1/login", map[string]any{"user": "ada", "password": "correct horse battery"})
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	h.clock.add(time.Minute)
	h.login("ada", "correct horse battery")
	unknown := h.call("", "POST", "/api/v1/login", map[string]any{"user": "nobody", "password": "guess"}).problem(t)
	wrong := h.call("", "POST", "/api/v1/login", map[string]any{"user": "ada", "password": "guess"}).problem(t)
	if unknown.Detail != wrong.Detail {
		t.Errorf("who exists shows: %q, %q", unknown.Detail, wrong.Detail)
	}
}

func TestOneTimeLinks(t *testing.T) {
	h := build(t)
	path := LoginPath(h.started.LoginCode)
	if a := h.call("", "GET", path, nil, "Sec-Purpose", "prefetch"); a.status != http.StatusNoContent {
		t.Errorf("a prefetch: %d", a.status)
	}
	a := h.call("", "GET", path, nil)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/" || h.call("", "GET", "/api/v1/session", nil, "Cookie", cookie).status != http.StatusOK {
		t.Fatalf("%d %s %v", a.status, a.body, a.header)
	}
	if again := h.call("", "GET", path, nil); again.status != http.StatusUnauthorized || again.header.Get("Set-Cookie") != "" || !strings.Contains(again.body, "login-link") {
		t.Errorf("a second use: %d %s", again.status, again.body)
	}
	var l LoginLink
	h.must(json.Unmarshal([]byte(h.call(auth.Admin, "POST", "/api/v1/login-links", map[string]any{"user": "admin"}).body), &l))
	h.clock.add(auth.LinkLife)
	if late := h.call("", "GET", strings.TrimPrefix(l.URL, "http://127.0.0.1:7470"), nil); late.status != http.StatusUnauthorized {
		t.Errorf("an expired link: %d", late.status)
	}
	if a := h.call(auth.Admin, "POST", "/api/v1/login-links", map[string]any{"user": "nobody"}); a.status != http.StatusNotFound {
		t.Errorf("for nobody: %d", a.status)
	}
}

func TestFirstAndLaterStarts(t *testing.T) {
	h := build(t)
	if !h.started.First || h.started.LoginCode == "" {
		t.Fatalf("%+v", h.started)
	}
	for name, want := range map[string]string{"alertmanager.yml": "url: http://127.0.0.1:7470/api/v1/ingest/alertmanager", "admin-token": "wb_", "join-token": "wb_"} {
		path := filepath.Join(h.dir, "bootstrap", name)
		st, err := os.Stat(path)
		h.must(err)
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, st.Mode())
		}
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
	b, err := os.ReadFile(h.started.AdminToken)
	h.must(err)
	h.tokens["first"] = strings.TrimSpace(string(b))
	if w := get[Who](h, "first", "/api/v1/session"); w.Actor != "admin" || w.Role != auth.Admin {
		t.Errorf("%+v", w)
	}
	snippet, err := os.ReadFile(h.started.Alertmanager)
	h.must(err)
	h.tokens["snippet"] = regexp.MustCompile(`credentials: (\S+)`).FindStringSubmatch(string(snippet))[1]
	if a := h.call("snippet", "POST", "/api/v1/ingest/alertmanager", `{"version":"4","alerts":[]}`); a.status != http.StatusOK {
		t.Errorf("the snippet's token: %d %s", a.status, a.body)
	}
	// Later starts follow the address and the given token, and make nothing.
	later, err := h.auth.Start(t.Context(), auth.Bootstrap{Dir: h.dir, URL: "https://wb.example:7470", AdminToken: "given-given-given-given-1"})
	h.must(err)
	if later.First || later.LoginCode != "" {
		t.Errorf("%+v", later)
	}
	now, err := os.ReadFile(h.started.Alertmanager)
	h.must(err)
	if strings.ReplaceAll(string(now), "https://wb.example:7470", "http://127.0.0.1:7470") != string(snippet) || string(now) == string(snippet) {
		t.Errorf("snippet is now\n%s", now)
	}
	h.tokens["given"] = "given-given-given-given-1"
	if a := h.call("given", "GET", "/api/v1/tokens", nil); a.status != http.StatusOK {
		t.Errorf("given token: %d", a.status)
	}
	_, err = h.auth.Start(t.Context(), auth.Bootstrap{Dir: h.dir, URL: "https://wb.example:7470", AdminToken: "given-given-given-given-2"})
	h.must(err)
	if a := h.call("given", "GET", "/api/v1/tokens", nil); a.status != http.StatusUnauthorized {
		t.Errorf("replaced token: %d", a.status)
	}
	if _, err := h.auth.Start(t.Context(), auth.Bootstrap{Dir: h.dir, AdminToken: "two words"}); err == nil || !strings.Contains(err.Error(), "WATCHBILL_ADMIN_TOKEN") {
		t.Errorf("a token of two words: %v", err)
	}
}

func TestHeadersAndPages(t *testing.T) {
	h := build(t)
	for _, path := range []string{"/", "/docs", "/docs/docs.js", "/openapi.json", "/api/v1/incidents"} {
		a := h.call(auth.Viewer, "GET", path, nil)
		csp := a.header.Get("Content-Security-Policy")
		if a.status != http.StatusOK || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if strings.Contains(a.body, "https://") && path != "/openapi.json" {
			t.Errorf("%s loads from elsewhere:\n%s", path, a.body)
		}
	}
	if a := h.call("", "GET", "/", nil); !strings.Contains(a.body, "without its pages") || !strings.Contains(a.body, "make build") {
		t.Errorf("a server without pages: %s", a.body)
	}
	for _, path := range []string{"/etc/passwd", "/docs/none.js", "/api/v1/", "/api/v1/requests", "/%2e%2e/x"} {
		if a := h.call(auth.Admin, "GET", path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

var update = flag.Bool("update", false, "write api/openapi.json anew")

// The document that clients are generated from stands in the repository, so that
// a change of the interface shows in review. Mend it with go test ./api -run Document -update.
func TestOpenAPIDocumentInRepository(t *testing.T) {
	h := build(t)
	var doc any
	h.must(json.Unmarshal([]byte(h.call("", "GET", "/openapi.json", nil).body), &doc))
	now, err := json.MarshalIndent(doc, "", "  ")
	h.must(err)
	now = append(now, '\n')
	if *update {
		h.must(os.WriteFile("openapi.json", now, 0o644))
	}
	have, err := os.ReadFile("openapi.json")
	if err != nil || string(have) != string(now) {
		t.Errorf("api/openapi.json is not what the server serves (%v): run go test ./api -run Document -update", err)
	}
}
