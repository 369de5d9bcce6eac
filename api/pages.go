package api

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

//go:embed docs
var docs embed.FS

// docsRoutes serves the browsable documentation: own files only, nothing is
// loaded from elsewhere.
func (a *API) docsRoutes() {
	serve := func(w http.ResponseWriter, r *http.Request, name string) {
		b, err := docs.ReadFile("docs/" + name)
		if err != nil {
			a.writeProblem(w, a.problem(r.Context(), fault.NotFoundf("%s is no file of the documentation", name)))
			return
		}
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	}
	a.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) { serve(w, r, "index.html") })
	a.mux.HandleFunc("GET /docs/{file}", func(w http.ResponseWriter, r *http.Request) { serve(w, r, r.PathValue("file")) })
}

// nonceMark stands in the web app's index where a page's nonce belongs.
const nonceMark = "__CSP_NONCE__"

// appRoutes are the addresses that the web app shows pages under, as its router
// writes them; a test compares them. Any other address is not there: a 200 with a
// page would tell a program that asks for what does not exist (http_sd) that it does.
var appRoutes = []string{
	"/", "/incidents", "/incidents/:id", "/incidents/:id/review", "/alerts", "/alerts/:id", "/sources", "/inventory", "/inventory/:id/:tab?",
	"/services", "/tasks", "/quality", "/endings", "/maintenance", "/maintenance/:id", "/software", "/problems", "/problems/:id",
	"/kpis", "/hygiene", "/teachings", "/tokens", "/audit", "/start", "/login",
}

// shows says whether the web app has a page at an address.
func shows(address string) bool {
	have := strings.Split(strings.Trim(address, "/"), "/")
	return slices.ContainsFunc(appRoutes, func(route string) bool {
		want := strings.Split(strings.Trim(route, "/"), "/")
		if n := len(want); n == len(have)+1 && strings.HasSuffix(want[n-1], "?") {
			want = want[:n-1]
		}
		return len(want) == len(have) && !slices.ContainsFunc(want, func(w string) bool {
			i := slices.Index(want, w)
			return w != have[i] && (!strings.HasPrefix(w, ":") || have[i] == "")
		})
	})
}

// page serves the web app: its files, and its index for every address that it has
// a page for, because the app reads the address itself.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	if a.o.Pages == nil {
		if r.URL.Path != "/" {
			a.writeProblem(w, a.plain(r.Context(), http.StatusNotFound, "%s is no address of this server; /openapi.json lists them", r.URL.Path))
			return
		}
		a.notice(w, http.StatusOK, "Watchbill runs", "This server was built without its pages: install Node.js 20 or newer and run `make build` again. The API is described at /docs, and the command line works: `watchbill incident list`.", "")
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name != "" && name != "index.html" {
		if b, err := fs.ReadFile(a.o.Pages, name); err == nil {
			a.asset(w, r, name, b)
			return
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !isDir(a.o.Pages, name) {
			a.writeProblem(w, a.problem(r.Context(), err))
			return
		}
	}
	status := http.StatusOK
	if name != "" && name != "index.html" && !shows(r.URL.EscapedPath()) {
		// A browser gets the app's own page for it, with the way back; programs the problem.
		if status = http.StatusNotFound; !strings.Contains(r.Header.Get("Accept"), "text/html") {
			a.writeProblem(w, a.plain(r.Context(), http.StatusNotFound, "%s is no address of this server; /openapi.json lists them", r.URL.Path))
			return
		}
	}
	b, err := fs.ReadFile(a.o.Pages, "index.html")
	if err != nil {
		a.writeProblem(w, a.problem(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.ReplaceAll(b, []byte(nonceMark), []byte(callOf(r.Context()).nonce)))
}

func isDir(f fs.FS, name string) bool {
	st, err := fs.Stat(f, name)
	return err == nil && st.IsDir()
}

// asset serves one built file. Those below assets/ have a hash of their content
// in the name and never change. A file that was compressed by the build is
// served so to who takes it.
func (a *API) asset(w http.ResponseWriter, r *http.Request, name string, b []byte) {
	ct := mime.TypeByExtension(path.Ext(name))
	if ct == "" {
		ct = "application/octet-stream"
	}
	w.Header().Set("Content-Type", ct)
	if strings.HasPrefix(name, "assets/") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.Header().Add("Vary", "Accept-Encoding")
	for _, enc := range []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r.Header.Get("Accept-Encoding"), enc.name) {
			continue
		}
		if z, err := fs.ReadFile(a.o.Pages, name+enc.ext); err == nil {
			w.Header().Set("Content-Encoding", enc.name)
			b = z
			break
		}
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}

func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == encoding && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

var noticePage = template.Must(template.New("notice").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>{{.Title}}</title><link rel="stylesheet" href="/docs/docs.css"></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Button}}<form method="post"><button>{{.Button}}</button></form>{{end}}</main></body></html>
`))

// notice is a page of one sentence, and of one button where button says something.
func (a *API) notice(w http.ResponseWriter, status int, title, text, button string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	var b bytes.Buffer
	if err := noticePage.Execute(&b, struct{ Title, Text, Button string }{title, text, button}); err == nil {
		_, _ = io.Copy(w, &b)
	}
}

// base is the address under which the caller reaches this server.
func (a *API) base(context.Context) string { return a.o.URL }
