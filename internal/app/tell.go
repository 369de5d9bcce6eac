package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/internal/store"
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

// loadReceivers reads the receivers file, nil without one.
func (s *server) loadReceivers(n config.Notifications) (*notify.Receivers, error) {
	if n.ReceiversFile == "" {
		return nil, nil
	}
	file := n.ReceiversFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(s.o.ConfigFile), file)
	}
	r, err := notify.LoadReceivers(file, s.tell.base, s.log)
	if err != nil {
		return nil, fmt.Errorf("notifications.receivers_file: %w", err)
	}
	return r, nil
}

// startTelling begins delivery and the heartbeat.
func (s *server) startTelling(n config.Notifications) error {
	r, err := s.loadReceivers(n)
	if err != nil {
		return err
	}
	s.tell.metrics = notify.NewMetrics(s.metrics.Registry())
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
