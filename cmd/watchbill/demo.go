package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/watchbill/watchbill"
	"github.com/watchbill/watchbill/internal/app"
)

// demoCmd shows the product on a recorded storm, in a directory that goes with it.
type demoCmd struct {
	Recording     string `arg:"" optional:"" type:"existingfile" placeholder:"REC" help:"Recording to play (a storm that the program carries)."`
	ListenAddress string `name:"web.listen-address" placeholder:"HOST:PORT" default:"127.0.0.1:7471" help:"Address to listen on (${default})."`
	NoBrowser     bool   `name:"no-browser" help:"Do not open the pages in a browser."`
	LogLevel      string `name:"log.level" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"warn" help:"debug, info, warn or error (${default})."`
}

// Run implements kong's command.
func (c *demoCmd) Run(s streams) error {
	dir, err := os.MkdirTemp("", "watchbill-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demonstration: %w", err)
	}
	defer os.RemoveAll(dir)
	var recording io.Reader = bytes.NewReader(watchbill.Storm)
	if c.Recording != "" {
		f, err := os.Open(c.Recording)
		if err != nil {
			return err
		}
		defer f.Close()
		recording = f
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	out := s.out
	if !c.NoBrowser {
		out = &linkOpener{Writer: s.out, ctx: ctx}
	}
	return app.Demo(ctx, app.Options{
		ListenAddress: c.ListenAddress, StoragePath: dir, Version: version, Logger: logger(s.err, c.LogLevel, "logfmt"), Out: out,
	}, recording)
}

// linkOpener passes words on and opens the login link among them in the browser,
// where there is one; the link stands in the words anyway.
type linkOpener struct {
	io.Writer
	ctx context.Context // ends the opener with the demonstration
}

func (o *linkOpener) Write(p []byte) (int, error) {
	if i := bytes.Index(p, []byte("http")); i >= 0 && bytes.Contains(p, []byte("/login/")) {
		link := string(bytes.Fields(p[i:])[0])
		if path, err := exec.LookPath("xdg-open"); err == nil && os.Getenv("DISPLAY") != "" {
			_ = exec.CommandContext(o.ctx, path, link).Start() // without a browser the person opens the link
		}
	}
	return o.Writer.Write(p)
}
