// Package app wires the server together and runs it: everything that can fail
// comes first, named cleanups run in reverse order, a reload changes nothing
// unless the whole new configuration holds. It decides nothing about records.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// Options of a server, as its flags give them.
type Options struct {
	ConfigFile    string
	ListenAddress string // host:port
	StoragePath   string
	WebConfigFile string // TLS, in the format of Prometheus' exporter-toolkit
	// TrustedProxies are whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	AdminToken     string // the first admin's token; "" has one made
	Version        string
	Logger         *slog.Logger
	Out            io.Writer // words for the person who starts it
}

// server is what runs between start and stop.
type server struct {
	o      Options
	now    func() time.Time
	clock  *steadyClock // behind now; nil where a test or a demonstration stages the time
	log    *slog.Logger
	cfg    config.Config
	life   *lifecycle
	failed chan error

	db        *badgerdb.DB
	journal   *journal.Journal
	engine    *engine.Engine
	inventory *inventory.Inventory
	auth      *auth.Store
	collector *collector.Collector
	api       *api.API
	reload    chan chan reloaded
	// How long the journal and records are kept, in nanoseconds.
	retention, records atomic.Int64
	scrubbed           atomic.Int64 // when all data was last read, Unix seconds
	backups            backups
	space              *room
	metrics            *api.Metrics
	tell               teller
	tls                bool
	url                string
}

// Run serves until ctx ends, then stops in order. hup, where not nil, asks for a
// reload with each value.
func Run(ctx context.Context, o Options, hup <-chan os.Signal) (err error) {
	clock := newSteadyClock()
	s := newServer(o, clock.Now)
	s.clock = clock
	defer func() { err = errors.Join(err, s.life.stop()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.wait(ctx, hup)
}

func newServer(o Options, now func() time.Time) *server {
	return &server{o: o, now: now, log: o.Logger, life: &lifecycle{log: o.Logger}, failed: make(chan error, 8), reload: make(chan chan reloaded)}
}

// wait serves until ctx ends or a part fails.
func (s *server) wait(ctx context.Context, hup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			s.log.Info("stopping")
			return nil
		case err := <-s.failed:
			return err
		case <-hup:
			if _, err := s.load(ctx); err != nil {
				s.log.Error("the configuration was not reloaded: the old one stays in force", "err", err)
			} else if warnings, err := s.missing(ctx); err == nil && len(warnings) > 0 {
				s.log.Warn("the configuration names what is not there", "references", strings.Join(warnings, "; "))
			}
		case answer := <-s.reload:
			var x reloaded
			if x.outcome.NeedsRestart, x.err = s.load(ctx); x.err == nil {
				x.outcome.Warnings, x.err = s.missing(ctx)
			}
			answer <- x
		}
	}
}

func (s *server) open(ctx context.Context) (err error) {
	s.life.background("memory", s.failed, TendMemory)
	loaded, err := Load(s.o.ConfigFile)
	if err != nil {
		return err
	}
	s.cfg = loaded.Config
	rules, items := loaded.Rules, loaded.Items
	if err := s.checkWeb(); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.o.ListenAddress)
	if err != nil {
		return fmt.Errorf("--web.listen-address=%s: %w", s.o.ListenAddress, err)
	}
	s.life.onStop("listener", func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	s.url = publicURL(l.Addr(), s.o.ListenAddress, s.tls)
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if s.journal, err = journal.Open(ctx, s.db, s.now); err != nil {
		return err
	}
	if s.clock != nil {
		_, last := s.journal.End()
		s.clock.resume(last)
	}
	if s.engine, err = engine.Open(ctx, engine.Options{DB: s.db, Journal: s.journal, Rules: rules, Version: s.o.Version, Logger: s.log, Now: s.now}); err != nil {
		return err
	}
	if s.inventory, err = inventory.New(ctx, inventory.Options{DB: s.db, Journal: s.journal, Now: s.now, NewID: newCI, Rules: items, Logger: s.log}); err != nil {
		return err
	}
	s.collector = collector.New(collector.Options{
		Journal: s.journal, Quarantine: s.engine.Records(), Lag: s.engine.Lag, Room: s.space.check, Now: s.now, Items: s.inventory, Logger: s.log,
	})
	s.limit(s.cfg)
	if err := s.openTeller(ctx); err != nil {
		return err
	}
	started, err := s.openAPI(ctx)
	if err != nil {
		return err
	}
	if err := s.engine.Start(ctx); err != nil {
		return fmt.Errorf("begin to listen: %w", err)
	}
	s.life.background("engine", s.failed, s.engine.Run)
	if err := s.startTelling(s.cfg.Notifications, loaded.Receivers); err != nil {
		return err
	}
	s.life.background("housekeeping", s.failed, s.housekeeping)
	s.life.background("liveness", s.failed, s.watchLiveness)
	s.life.background("coverage", s.failed, s.coverage)
	s.life.background("scrub", s.failed, s.scrub)
	s.life.background("backups", s.failed, s.keepBackups)
	s.life.background("self-watch", s.failed, s.watchSelf)
	if err := s.watchSilences(s.cfg.Ingest.Alertmanagers); err != nil {
		return err
	}
	s.space.opened()
	s.serve(l)
	s.welcome(started)
	return nil
}

func (s *server) openStore(ctx context.Context) error {
	if err := os.MkdirAll(s.o.StoragePath, 0o700); err != nil {
		return fmt.Errorf("--storage.path=%s: %w", s.o.StoragePath, err)
	}
	lock, err := lockPath(s.o.StoragePath)
	if err != nil {
		return err
	}
	s.life.onStop("storage path", lock.Close)
	if left := unfinished(s.o.StoragePath); len(left) > 0 {
		if _, err := os.Stat(filepath.Join(s.o.StoragePath, "db")); errors.Is(err, os.ErrNotExist) {
			return fault.Conflictf("a restore into --storage.path=%s was interrupted, and there is nothing else: run watchbill restore again, or remove %s to begin with an empty installation", s.o.StoragePath, left[0])
		}
		s.log.Warn("an interrupted restore has left a directory that is of no use: remove it", "directory", left[0])
	}
	s.space = &room{dir: s.o.StoragePath, log: s.log, watermark: watermarkOf(s.cfg)}
	if err := s.space.begin(); err != nil {
		return err
	}
	db, err := badgerdb.Open(badgerdb.Options{Dir: filepath.Join(s.o.StoragePath, "db"), Logger: s.log, Room: s.space.store})
	if err != nil {
		return fmt.Errorf("--storage.path=%s: %w", s.o.StoragePath, err)
	}
	s.db = db
	s.life.onStop("store", func() error {
		s.space.yield(reserveMost) // what is in memory becomes a table
		return db.Close()
	})
	s.life.background("disk space", s.failed, func(ctx context.Context) error { return s.space.tend(ctx, db.Rest) })
	return store.Migrate(ctx, db, SchemaVersion, migrations(), s.log)
}

// checkWeb reads the TLS configuration before anything is begun.
func (s *server) checkWeb() error {
	if s.o.WebConfigFile == "" {
		return nil
	}
	if err := web.Validate(s.o.WebConfigFile); err != nil {
		return fmt.Errorf("--web.config.file=%s: %w", s.o.WebConfigFile, err)
	}
	b, err := os.ReadFile(s.o.WebConfigFile)
	if err != nil {
		return fmt.Errorf("--web.config.file=%s: %w", s.o.WebConfigFile, err)
	}
	var parts map[string]any
	if err := yaml.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("--web.config.file=%s: %w", s.o.WebConfigFile, err)
	}
	_, s.tls = parts["tls_server_config"]
	return nil
}

// webErrors passes on what the web server says. What a single connection did wrong is
// of use to debug only; that none can be accepted any more is told, once a minute.
type webErrors struct {
	log *slog.Logger

	mu   sync.Mutex
	told time.Time
}

// tellAccept is how often the log repeats that connections cannot be accepted.
const tellAccept = time.Minute

// Write implements io.Writer for package log: one line each.
func (w *webErrors) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if !strings.Contains(text, "Accept error") {
		w.log.Debug(text)
		return len(line), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.told) >= tellAccept || w.told.IsZero() {
		w.told = now
		w.log.Error("connections cannot be accepted; if the limit of open files is reached, raise it (LimitNOFILE)", "err", text)
	}
	return len(line), nil
}

// serve answers requests until the server stops. Streams end first, then what is
// under way gets time to finish.
func (s *server) serve(l net.Listener) {
	base, endStreams := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler: s.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    log.New(&webErrors{log: s.log}, "", 0),
	}
	none := false
	flags := &web.FlagConfig{WebListenAddresses: &[]string{s.o.ListenAddress}, WebSystemdSocket: &none, WebConfigFile: &s.o.WebConfigFile}
	s.life.background("web server", s.failed, func(context.Context) error {
		// Its own words on each start say nothing that ours do not.
		if err := web.Serve(l, srv, flags, slog.New(slog.DiscardHandler)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.life.onStop("requests", func() error {
		endStreams()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			return srv.Close()
		}
		return nil
	})
}

// aged is the time by which things are old enough to be removed or declared gone.
func (s *server) aged() time.Time {
	if s.clock == nil {
		return s.now()
	}
	return s.clock.Housekeeping()
}

// housekeeping trims what is older than its retention and ages the inventory.
func (s *server) housekeeping(ctx context.Context) error {
	often, rarely := time.NewTicker(10*time.Second), time.NewTicker(10*time.Minute)
	defer often.Stop()
	defer rarely.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-often.C:
			if s.space.store() != nil {
				continue // nothing can be written
			}
			if err := s.inventory.Tick(ctx, s.aged()); err != nil && ctx.Err() == nil {
				s.log.Error("the inventory could not be aged", "err", err)
			}
			if err := s.coverNewItems(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("maintenance windows could not follow their queries", "err", err)
			}
			if err := s.keepReferences(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("the tasks for what the configuration names could not be kept", "err", err)
			}
		case <-rarely.C:
			if s.space.store() != nil {
				continue
			}
			if n, err := s.engine.Trim(ctx, s.aged().Add(-time.Duration(s.retention.Load()))); err != nil && ctx.Err() == nil {
				s.log.Error("the journal could not be trimmed", "err", err)
			} else if n > 0 {
				s.log.Info("journal trimmed", "events", n)
			}
			if n, err := s.engine.TrimRecords(ctx, s.aged().Add(-time.Duration(s.records.Load()))); err != nil && ctx.Err() == nil {
				s.log.Error("old records could not be trimmed", "err", err)
			} else if n > 0 {
				s.log.Info("records trimmed", "rows", n)
			}
			if err := s.db.Reclaim(); err != nil {
				s.log.Warn("disk space could not be reclaimed", "err", err)
			}
		}
	}
}

// watchLiveness judges who of the agents' meshes is alive. It goes by itself: a verdict
// that waits for housekeeping is late.
func (s *server) watchLiveness(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if s.space.store() != nil {
				continue
			}
			if err := s.inventory.Judge(ctx, s.now()); err != nil && ctx.Err() == nil {
				s.log.Error("liveness could not be judged", "err", err)
			}
		}
	}
}

// load reads the configuration again: all of it takes effect, or none. It returns
// the settings that were changed and are read at a start only.
func (s *server) load(ctx context.Context) (later []string, err error) {
	loaded, err := Load(s.o.ConfigFile)
	if err != nil {
		return nil, err
	}
	cfg := loaded.Config
	receivers, err := s.addressed(loaded.Receivers)
	if err != nil {
		return nil, err
	}
	if err := s.engine.Reload(ctx, loaded.Rules); err != nil {
		return nil, err
	}
	if err := s.inventory.Reload(loaded.Items); err != nil {
		return nil, err
	}
	s.retell(receivers)
	s.limit(cfg)
	was, now := &s.cfg.Notifications, &cfg.Notifications
	if was.ExternalURL != now.ExternalURL {
		later = append(later, "notifications.external_url")
	}
	if was.HeartbeatURL != now.HeartbeatURL {
		later = append(later, "notifications.heartbeat_url")
	}
	if was.HeartbeatInterval != now.HeartbeatInterval {
		later = append(later, "notifications.heartbeat_interval")
	}
	// What is in force stays known, so that the next reload tells of it again.
	now.ExternalURL, now.HeartbeatURL, now.HeartbeatInterval = was.ExternalURL, was.HeartbeatURL, was.HeartbeatInterval
	s.cfg = cfg
	s.log.Info("configuration reloaded", "file", s.o.ConfigFile)
	if len(later) > 0 {
		s.log.Warn("some changes take effect with the next start only", "settings", strings.Join(later, ", "))
	}
	return later, nil
}

// limit puts the bounds of a configuration into force.
func (s *server) limit(cfg config.Config) {
	s.space.set(watermarkOf(cfg))
	s.backups.cfg.Store(&cfg.Backup)
	s.collector.Limit(collector.Limits{MaxBody: cfg.Ingest.MaxBodyMiB << 20, MaxLag: uint64(cfg.Ingest.MaxBacklog)})
	s.retention.Store(int64(cfg.Storage.JournalRetention))
	s.records.Store(int64(cfg.Storage.RecordRetention))
}

func watermarkOf(cfg config.Config) uint64 { return uint64(cfg.Storage.FreeSpaceWatermarkMiB) << 20 }

// reloaded is the answer of a reload.
type reloaded struct {
	outcome api.Reloading
	err     error
}

// Reload asks the running server to load its configuration again, for POST /-/reload.
// It returns the settings that need a restart, and what the configuration names and is
// not there.
func (s *server) Reload(ctx context.Context) (api.Reloading, error) {
	var none api.Reloading
	answer := make(chan reloaded, 1)
	select {
	case s.reload <- answer:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case x := <-answer:
		return x.outcome, x.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func schedule(a config.Agents) report.Schedule {
	return report.Schedule{
		SampleSeconds: int(a.SampleInterval.Std().Seconds()), ReportSeconds: int(a.ReportInterval.Std().Seconds()), FullSeconds: int(a.FullInterval.Std().Seconds()),
	}
}

// publicURL is how others reach the server: the listen address, with this
// machine's name where it listens on all of them.
func publicURL(addr net.Addr, listen string, tls bool) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	host, _, err := net.SplitHostPort(listen)
	_, port, perr := net.SplitHostPort(addr.String())
	if err != nil || perr != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func newCI() string { return "CI" + strings.ToLower(rand.Text()[:13]) }
