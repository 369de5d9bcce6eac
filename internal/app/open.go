package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/api/ui"
	"github.com/watchbill/watchbill/internal/fault"
)

// openAPI makes the credentials of a first start and the handler of everything.
func (s *server) openAPI(ctx context.Context) (auth.Started, error) {
	// Credentials live in the reader's time, also where a demonstration's clock is
	// staged: there a link made two days ago would be dead before anybody could open it.
	s.auth = auth.New(auth.Options{DB: s.db, Journal: s.journal, Now: time.Now, Rand: rand.Reader, Logger: s.log})
	started, err := s.auth.Start(ctx, auth.Bootstrap{Dir: s.o.StoragePath, URL: s.url, AdminToken: s.o.AdminToken})
	if err != nil {
		return started, err
	}
	if s.metrics, err = api.NewMetrics(ctx, s.engine, s.o.Version, s.now); err != nil {
		return started, fmt.Errorf("read the measures of the event log: %w", err)
	}
	if err := s.metrics.Registry().Register(api.NewInventoryMetrics(s.inventory, s.now)); err != nil {
		return started, fmt.Errorf("register the inventory's metrics: %w", err)
	}
	if err := s.metrics.Registry().Register(api.NewIngestMetrics(s.collector.Stats())); err != nil {
		return started, fmt.Errorf("register the collector's metrics: %w", err)
	}
	if err := s.metrics.Registry().Register(api.NewStorageMetrics(s.storageStatus)); err != nil {
		return started, fmt.Errorf("register the store's metrics: %w", err)
	}
	pages, _ := ui.Files()
	s.api, err = api.New(api.Options{
		Engine: s.engine, Journal: s.journal, DB: s.db, Auth: s.auth, Ingest: s.collector, Inventory: s.inventory, Metrics: s.metrics.Handler(), Links: s.tell.links, Reload: s.Reload,
		Verify: func(ctx context.Context) (Verified, error) { return verify(ctx, s.db, 0) },
		Ready:  s.ready, Warnings: s.warnings, Room: s.space.check, Listen: s.o.ListenAddress, TrustedProxies: s.o.TrustedProxies, TLS: s.tls, URL: s.url, Version: s.o.Version,
		Now: s.now, Rand: rand.Reader, Logger: s.log, Pages: pages,
	})
	if err != nil {
		return started, err
	}
	s.life.onStop("streams", func() error {
		s.api.Close()
		return nil
	})
	return started, nil
}

// ready says why the server cannot take alerts now, if so.
func (s *server) ready() error {
	if err := s.space.check(); err != nil {
		return fault.Unavailablef("%v", err)
	}
	if d := s.damage(); d != "" {
		return fault.Unavailablef("%s", d)
	}
	return nil
}

// welcome tells the person who started the server where to go on. Secrets are
// shown on the first start only, and then only the one-time link.
func (s *server) welcome(b auth.Started) {
	fmt.Fprintf(s.o.Out, "\nWatchbill %s is at %s\n", s.o.Version, s.url)
	if b.First {
		fmt.Fprintf(s.o.Out, "  log in once with      %s/login/%s\n", s.url, b.LoginCode)
	} else {
		fmt.Fprintf(s.o.Out, "  a new login link      watchbill login-link admin\n")
	}
	// After a restore the credentials are there and the files that held them are not.
	if b.AdminToken == "" && s.o.AdminToken == "" {
		fmt.Fprintf(s.o.Out, "  no admin token lies here: yours goes on to work, or start once with WATCHBILL_ADMIN_TOKEN set to a new one\n")
	}
	if here(b.Alertmanager) {
		fmt.Fprintf(s.o.Out, "  Alertmanager receiver %s\n", b.Alertmanager)
	} else {
		fmt.Fprintf(s.o.Out, "  Alertmanager receiver those that are set up go on to work; another one: POST /api/v1/sources, or Sources in the pages\n")
	}
	fmt.Fprintf(s.o.Out, "  add another host      %s\n\n", s.joinCommand(b))
	s.log.Info("listening", "url", s.url, "storage", s.o.StoragePath, "version", s.o.Version)
}

func here(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// joinCommand is what to run on another host. A server that listens on loopback
// only cannot be reached from there: the command says so.
func (s *server) joinCommand(b auth.Started) string {
	file := "FILE: a copy of " + b.JoinToken
	if !here(b.JoinToken) {
		file = "FILE: what prints watchbill token create --role=agent --name=join"
	}
	cmd := fmt.Sprintf("watchbill-agent --server.url=%s --token-file=FILE   (%s)", s.url, file)
	host, _, err := net.SplitHostPort(s.o.ListenAddress)
	port := "7470"
	if u, bad := url.Parse(s.url); bad == nil && u.Port() != "" {
		port = u.Port()
	}
	ip := net.ParseIP(host)
	if err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return fmt.Sprintf("start the server with --web.listen-address=0.0.0.0:%s --web.config.file=TLS.yml first (now it listens on this machine only), then\n"+
			"                        watchbill-agent --server.url=https://THIS-HOST:%s --tls.ca-file=CA.pem --token-file=FILE   (%s)", port, port, file)
	}
	if !s.tls {
		return cmd + "\n                        without --web.config.file the token and all reports travel in the clear: use TLS outside a trusted network"
	}
	return cmd
}
