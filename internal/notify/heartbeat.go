package notify

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Heartbeat calls an outside watchdog as long as the server is well: who watches
// the watch notices when the calls stop.
type Heartbeat struct {
	URL   string
	Every time.Duration
	// Well says why the server is not well; nil: it is.
	Well   func() error
	Client *http.Client // nil: one with a 10 s timeout
	Logger *slog.Logger
}

// Run calls until ctx ends. A failed call is logged when it begins to fail and when
// it works again, not each time.
func (h Heartbeat) Run(ctx context.Context) error {
	if h.Client == nil {
		h.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if h.Logger == nil {
		h.Logger = slog.New(slog.DiscardHandler)
	}
	failing := false
	for ctx.Err() == nil {
		err := h.beat(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			failing = true
			h.Logger.Error("the outside watchdog was not called", "err", err)
		case err == nil && failing:
			failing = false
			h.Logger.Info("the outside watchdog is called again")
		}
		sleep(ctx, h.Every)
	}
	return nil
}

func (h Heartbeat) beat(ctx context.Context) error {
	if err := h.Well(); err != nil {
		return fmt.Errorf("the server is not well: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return err
	}
	resp, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the watchdog answered %s", resp.Status)
	}
	return nil
}
