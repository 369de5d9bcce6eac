package api

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/watchbill/watchbill/api/auth"
)

// The web app answers where it has pages; whoever asks for anything else must not
// take a page for an answer.
func TestOnlyTheAppsPagesAreServed(t *testing.T) {
	h := build(t, func(o *Options) {
		o.Pages = fstest.MapFS{"index.html": {Data: []byte("<html>app</html>")}, "assets/x.js": {Data: []byte("1")}, "icon.svg": {Data: []byte("<svg/>")}}
	})
	for path, status := range map[string]int{
		"/": 200, "/incidents": 200, "/incidents/": 200, "/incidents/INC00000001": 200, "/incidents/INC00000001/review": 200, "/inventory/CI1": 200, "/inventory/CI1/graph": 200,
		"/inventory/host%3Aa%2Fb": 200, "/login": 200, "/icon.svg": 200, "/assets/x.js": 200, "/index.html": 200,
		"/http_sd": 404, "/api": 404, "/.env": 404, "/favicon.ico": 404, "/robots.txt": 404, "/foo": 404, "/assets/y.js": 404, "/assets": 404,
		"/incidents/INC00000001/none": 404, "/inventory/a/b/c": 404, "/api/v1/http_sd": 404, "/api/v2/alerts": 404, "/start/x": 404,
	} {
		a := h.call(auth.Viewer, "GET", path, nil)
		if a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
		if status == http.StatusNotFound && a.header.Get("Content-Type") != problemType {
			t.Errorf("%s: %s, not a problem document", path, a.header.Get("Content-Type"))
		}
	}
	// Somebody who follows a broken link gets the app, which says so and leads back.
	if a := h.call(auth.Viewer, "GET", "/foo", nil, "Accept", "text/html,application/xhtml+xml"); a.status != http.StatusNotFound || a.body != "<html>app</html>" {
		t.Errorf("a browser gets %d %s", a.status, a.body)
	}
}

// The server's list of pages is the app's.
func TestAppRoutes(t *testing.T) {
	source, err := os.ReadFile("ui/src/App.tsx")
	if err != nil {
		t.Fatal(err)
	}
	var app []string
	for _, m := range regexp.MustCompile(`<Route path="([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		app = append(app, m[1])
	}
	own := slices.Clone(appRoutes)
	slices.Sort(own)
	slices.Sort(app)
	if !slices.Equal(own, app) {
		t.Errorf("appRoutes in pages.go:\n%s\nroutes in ui/src/App.tsx:\n%s", strings.Join(own, " "), strings.Join(app, " "))
	}
}
