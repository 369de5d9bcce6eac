package app

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/config"
)

// watchSilences asks the configured Alertmanagers for their silences, each on its
// own: one that hangs must not keep the others from being heard. A change of the
// list takes a restart.
func (s *server) watchSilences(list []config.Prometheus) error {
	for n, x := range list {
		client, err := prometheusClient(x, filepath.Dir(s.o.ConfigFile))
		if err != nil {
			return fmt.Errorf("ingest.alertmanagers[%d]: %w", n, err)
		}
		source := x.URL
		if u, err := url.Parse(x.URL); err == nil {
			source = u.Host
		}
		w := collector.NewSilences(collector.SilenceOptions{URL: x.URL, Source: source, Client: client, Journal: s.journal, Now: s.now, Logger: s.log})
		s.life.background("silences of "+source, s.failed, func(ctx context.Context) error {
			w.Run(ctx)
			return nil
		})
	}
	return nil
}
