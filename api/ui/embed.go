// Package ui embeds the web app that Vite builds into dist. It owns nothing but
// the files; it refuses to serve them: the api package does, with its headers.
package ui

import (
	"embed"
	"io/fs"
)

// dist always holds .gitkeep, so that the server compiles without Node.
//
//go:embed all:dist
var dist embed.FS

// Files returns the built pages, and false when this binary was built without
// them: the server then says so on "/" instead of showing an empty page.
func Files() (fs.FS, bool) {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(sub, "index.html"); err != nil {
		return nil, false
	}
	return sub, true
}
