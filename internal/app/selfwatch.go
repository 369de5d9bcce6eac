package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/internal/event"
)

// selfAlert is something about the server itself that a person has to mend.
type selfAlert struct {
	name     string // alertname
	severity string
	what     func() string // what is wrong, "" if nothing
}

// selfAlerts are those that the server raises. They go the way of all alerts, so that
// whoever is on call is told as of anything else.
func (s *server) selfAlerts() []selfAlert {
	alerts := []selfAlert{{"WatchbillDataDamaged", "critical", s.damage}}
	if s.clock != nil {
		alerts = append(alerts, selfAlert{"WatchbillClockWrong", "warning", func() string { return s.clock.state().warning() }})
	}
	return alerts
}

// damage says what of the stored data is found damaged, "" if nothing is.
func (s *server) damage() string {
	found := s.db.Damage()
	if len(found) == 0 {
		return ""
	}
	text := "the stored data is damaged: " + found[0].String()
	if len(found) > 1 {
		text += fmt.Sprintf(", and %d more", len(found)-1)
	}
	return text + "; restore a backup, or see watchbill verify and watchbill repair"
}

// warnings are what people have to know of a server that serves.
func (s *server) warnings() []string {
	var out []string
	for _, a := range s.selfAlerts() {
		if w := a.what(); w != "" {
			out = append(out, w)
		}
	}
	return out
}

const (
	selfEvery = 2 * time.Second
	// selfRepeat is how often an alert that goes on is said again: often enough that
	// it never expires as one whose sender is gone does.
	selfRepeat = time.Hour
)

// watchSelf raises and resolves the server's alerts about itself.
func (s *server) watchSelf(ctx context.Context) error {
	w := selfWatcher{s: s, firing: map[string]firing{}}
	tick := time.NewTicker(selfEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look(ctx)
		}
	}
}

type firing struct {
	since, told time.Time
	what        string
}

type selfWatcher struct {
	s      *server
	firing map[string]firing
}

// look raises what is new, repeats what goes on and resolves what is over.
func (w *selfWatcher) look(ctx context.Context) {
	now := w.s.now()
	for _, a := range w.s.selfAlerts() {
		what := a.what()
		f, was := w.firing[a.name]
		switch {
		case what == "" && was:
			if w.tell(ctx, a, f.since, now, f.what) {
				delete(w.firing, a.name)
				w.s.log.Info("what was wrong with the server itself is over", "alert", a.name)
			}
		case what != "" && !was:
			w.s.log.Error(what, "alert", a.name)
			f = firing{since: now, what: what}
			if w.tell(ctx, a, f.since, time.Time{}, what) {
				f.told = now
			}
			w.firing[a.name] = f
		case what != "" && now.Sub(f.told) >= selfRepeat:
			if w.tell(ctx, a, f.since, time.Time{}, what) {
				f.told = now
				w.firing[a.name] = f
			}
		}
	}
}

// tell journals one alert as Alertmanager would send it. ended is zero while it fires.
func (w *selfWatcher) tell(ctx context.Context, a selfAlert, since, ended time.Time, what string) bool {
	status := "firing"
	if !ended.IsZero() {
		status = "resolved"
	}
	raw, err := json.Marshal(map[string]any{
		"version": "4", "status": status, "receiver": event.SelfSource, "externalURL": w.s.url,
		"alerts": []map[string]any{{
			"status": status, "startsAt": since.UTC(), "endsAt": ended.UTC(),
			"labels":      map[string]string{"alertname": a.name, "severity": a.severity, "job": "watchbill", "instance": w.s.url},
			"annotations": map[string]string{"summary": "Watchbill itself needs a person", "description": what},
		}},
	})
	if err == nil {
		var n *event.Notification
		if n, err = event.DecodeNotification(raw); err == nil {
			_, err = w.s.journal.Write(ctx, event.NewNotification(event.SelfSource, n))
		}
	}
	if err != nil && ctx.Err() == nil {
		w.s.log.Warn("an alert about the server itself could not be journaled; it is tried again", "alert", a.name, "err", err)
	}
	return err == nil
}

// storageStatus is what the metrics show of the store, its copies and the clock.
func (s *server) storageStatus() api.StorageStatus {
	free, watermark := s.space.left()
	st := api.StorageStatus{
		Damaged: len(s.db.Damage()), Free: free, Watermark: watermark, BackupFailures: s.backups.failed.Load(),
		Checked: instant(s.scrubbed.Load()), Backup: instant(s.backups.last.Load()),
	}
	if c := s.backups.cfg.Load(); c != nil && c.Directory != "" {
		st.BackupEvery = c.Every.Std()
	}
	if s.clock != nil {
		c := s.clock.state()
		st.ClockOffset, st.ClockUnsettled, st.StepsForward, st.StepsBack = c.Offset, c.Unsettled, c.Forward, c.Back
	}
	return st
}

// instant is the time of a number of seconds; 0 is none.
func instant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
