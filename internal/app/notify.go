package app

import (
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/notify"
)

// openNotify begins to deliver what the engine puts into the outbox, where the
// configuration names receivers.
func (s *server) openNotify(metrics prometheus.Registerer) error {
	c := s.cfg.Notifications
	if c.ConfigFile != "" {
		receivers, err := s.receivers(c)
		if err != nil {
			return err
		}
		s.dispatcher = notify.NewDispatcher(notify.Options{
			Outbox: s.engine.Outbox(nil), Receivers: receivers, Logger: s.log, Now: time.Now, Registerer: metrics,
		})
		s.late = append(s.late, func() { s.life.background("notifications", s.failed, s.dispatcher.Run) })
	}
	if c.WatchdogURL != "" {
		beat := notify.Heartbeat{URL: c.WatchdogURL, Every: c.WatchdogInterval.Std(), Logger: s.log, Well: s.well}
		s.late = append(s.late, func() { s.life.background("outside watchdog", s.failed, beat.Run) })
	}
	return nil
}

func (s *server) receivers(c config.Notifications) (*notify.Receivers, error) {
	u := c.ExternalURL // where people reach the server: as configured, else as it listens
	if u == "" {
		u = s.url
	}
	external, err := url.Parse(u)
	if err != nil {
		return nil, err
	}
	r, err := notify.LoadReceivers(c.ConfigFile, external, s.log)
	if err != nil {
		return nil, fmt.Errorf("notifications.config_file: %w", err)
	}
	return r, nil
}
