package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/prometheus/alertmanager/dispatch"

	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/itsm"
)

// linkKey is where the key lies that signs links in messages. It outlives restarts,
// so that the link in last night's page still works.
var linkKey = []byte("m/notify/link-key")

// teller is what delivers messages.
type teller struct {
	base       *url.URL
	links      *notify.Links
	outbox     *engine.Outbox
	metrics    *notify.Metrics
	dispatcher *notify.Dispatcher // nil while no receivers are configured
}

// openTeller prepares delivery; the outbox listens before the engine runs.
func (s *server) openTeller(ctx context.Context) error {
	address := s.cfg.Notifications.ExternalURL
	if address == "" {
		address = s.url
	}
	base, err := url.Parse(address)
	if err != nil {
		return fault.Invalidf("notifications.external_url", "%v", err)
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make a key for links: %w", err)
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		have, ok, err := tx.Get(linkKey)
		if err != nil {
			return err
		}
		if ok {
			key = have
			return nil
		}
		return tx.Put(linkKey, key)
	})
	if err != nil {
		return fmt.Errorf("keep the key for links: %w", err)
	}
	links, err := notify.NewLinks(base, key)
	if err != nil {
		return err
	}
	s.tell = teller{base: base, links: links, outbox: s.engine.Outbox(links)}
	return nil
}

// loadReceivers reads the receivers file that a configuration in dir names, nil
// without one.
func loadReceivers(n config.Notifications, dir string) (*notify.Receivers, error) {
	if n.ReceiversFile == "" {
		return nil, nil
	}
	file := n.ReceiversFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	r, err := notify.LoadReceivers(file, nil, nil)
	if err != nil {
		return nil, fault.List{fault.Invalidf("notifications.receivers_file", "%v", err)}
	}
	return r, nil
}

// routeTable is what decisions need of the routes: who gets a message, not how.
func routeTable(r *dispatch.Route) *itsm.Route {
	out := itsm.Route{Receiver: r.RouteOpts.Receiver, Continue: r.Continue}
	for _, m := range r.Matchers {
		out.Matchers = append(out.Matchers, m.String())
	}
	for _, child := range r.Routes {
		out.Routes = append(out.Routes, *routeTable(child))
	}
	return &out
}

// addressed gives receivers the address of this server, for links; nil stays nil.
func (s *server) addressed(r *notify.Receivers) (*notify.Receivers, error) {
	if r == nil {
		return nil, nil
	}
	r, err := r.At(s.tell.base, s.log)
	if err != nil {
		return nil, fmt.Errorf("notifications.receivers_file: %w", err)
	}
	return r, nil
}

// startTelling begins delivery and the heartbeat. Receivers may be nil.
func (s *server) startTelling(n config.Notifications, r *notify.Receivers) error {
	s.tell.metrics = notify.NewMetrics(s.metrics.Registry())
	r, err := s.addressed(r)
	if err != nil {
		return err
	}
	s.retell(r)
	if n.HeartbeatURL != "" {
		h := notify.Heartbeat{URL: n.HeartbeatURL, Every: n.HeartbeatInterval.Std(), Well: s.well, Logger: s.log}
		s.life.background("heartbeat", s.failed, h.Run)
	}
	return nil
}

// retell puts other receivers into force; it begins delivery where there was none.
func (s *server) retell(r *notify.Receivers) {
	switch {
	case r == nil:
	case s.tell.dispatcher != nil:
		s.tell.dispatcher.Reload(r)
	default:
		s.tell.dispatcher = notify.NewDispatcher(notify.Options{
			Outbox: s.tell.outbox, Receivers: r, Links: s.tell.links, Logger: s.log, Now: s.now, Metrics: s.tell.metrics,
		})
		s.life.background("notifications", s.failed, s.tell.dispatcher.Run)
	}
}

// lagMost is how many undecided events the heartbeat bears: beyond, incidents open
// too late for the server to be called well.
const lagMost = 10000

func (s *server) well() error {
	if lag := s.engine.Lag(); lag > lagMost {
		return fmt.Errorf("%d events are not decided", lag)
	}
	return s.ready()
}
