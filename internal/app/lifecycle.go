package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// lifecycle ends what was begun, in reverse order, by name: the log of a stop
// tells which part did not want to end.
type lifecycle struct {
	log   *slog.Logger
	steps []step
}

type step struct {
	name string
	end  func() error
}

// onStop registers how to end what was just begun.
func (l *lifecycle) onStop(name string, end func() error) { l.steps = append(l.steps, step{name, end}) }

// stop ends everything once; a second call does nothing.
func (l *lifecycle) stop() error {
	var errs []error
	for len(l.steps) > 0 {
		s := l.steps[len(l.steps)-1]
		l.steps = l.steps[:len(l.steps)-1]
		if err := s.end(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// background runs f until it is stopped, and reports on failed when it ends with
// an error of its own.
func (l *lifecycle) background(name string, failed chan<- error, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
			select {
			case failed <- fmt.Errorf("%s: %w", name, err):
			default:
				l.log.Error("a part of the server failed", "part", name, "err", err)
			}
		}
	})
	l.onStop(name, func() error {
		cancel()
		wg.Wait()
		return nil
	})
}
