package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/engine"
)

// stepped is a wall clock that can be set, beside real time that cannot.
type stepped struct {
	real   time.Duration
	offset time.Duration
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (s *stepped) clock() *steadyClock {
	return &steadyClock{
		wall:    func() time.Time { return noon.Add(s.real + s.offset) },
		elapsed: func() time.Duration { return s.real },
	}
}

// run lets real time pass, looked at each second.
func (s *stepped) run(c *steadyClock, d time.Duration) {
	for end := s.real + d; s.real < end; {
		s.real += time.Second
		c.Now()
	}
}

func TestClockGoesOnWhateverIsDoneToIt(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, -24 * time.Hour, -56 * 365 * 24 * time.Hour, time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			s := &stepped{}
			c := s.clock()
			s.run(c, time.Hour)
			before := c.Now()
			s.offset = step
			s.run(c, time.Minute)
			if passed := c.Now().Sub(before); passed < 50*time.Second || passed > 61*time.Second {
				t.Errorf("in a minute after the step %s pass", passed)
			}
			if c.state().warning() == "" {
				t.Error("nobody is told")
			}
			// A clock that is put right again leaves nothing but a little slowness.
			s.offset = 0
			s.run(c, 5*time.Minute)
			if off := c.state().Offset; off < -time.Second || off > time.Second {
				t.Errorf("after it was put right the time is off by %s", off)
			}
			if h := before.Add(6 * time.Minute).Sub(c.Housekeeping()); h < -10*time.Second {
				t.Errorf("housekeeping went %s ahead", -h)
			}
		})
	}
}

func TestClockBelievesAStepForwardThatStands(t *testing.T) {
	s := &stepped{}
	c := s.clock()
	s.run(c, time.Minute)
	s.offset = 30 * 24 * time.Hour
	s.run(c, stepSettle+2*time.Second)
	if st := c.state(); st.Offset != 0 || st.warning() != "" || st.Unsettled != 30*24*time.Hour {
		t.Errorf("after %s: %+v", stepSettle, st)
	}
	s.run(c, debtMost+time.Second)
	if st := c.state(); st.Unsettled != 0 {
		t.Errorf("after a day: %+v", st)
	}
}

func TestClockComesBackToTheWall(t *testing.T) {
	s := &stepped{}
	c := s.clock()
	s.run(c, time.Minute)
	s.offset = -time.Minute
	was := c.Now()
	for range 1200 {
		s.real += time.Second
		now := c.Now()
		if d := now.Sub(was); d < 800*time.Millisecond || d > 1100*time.Millisecond {
			t.Fatalf("a second is %s long", d)
		}
		was = now
	}
	if off := c.state().Offset; off > stepLeast {
		t.Errorf("it is still %s ahead", off)
	}
}

func TestClockResumesBehindItsOwnPast(t *testing.T) {
	s := &stepped{}
	c := s.clock()
	c.resume(noon.Add(time.Hour)) // the journal ends in the clock's future
	s.run(c, 10*time.Second)
	if d := c.Now().Sub(noon.Add(time.Hour)); d < 8*time.Second || d > 11*time.Second {
		t.Errorf("in 10 s of the second run %s pass", d)
	}
	if c.state().warning() == "" {
		t.Error("nobody is told")
	}
	// And one that starts ten years ahead must not make housekeeping remove anything.
	late := &stepped{offset: 10 * 365 * 24 * time.Hour}
	c = late.clock()
	c.resume(noon.Add(-time.Hour))
	if h := c.Housekeeping(); h.After(noon) {
		t.Errorf("housekeeping's time is %s", h)
	}
	late.run(c, time.Hour)
	if h := c.Housekeeping(); h.After(noon.Add(time.Hour)) {
		t.Errorf("an hour later housekeeping's time is %s", h)
	}
}

// A clock that was an hour ahead at the start: incidents open as ever, and the server
// says what is wrong, in an incident of its own too.
func TestServerWithAClockThatWasSetBack(t *testing.T) {
	var back atomic.Bool
	file := filepath.Join(t.TempDir(), "watchbill.yml")
	if err := os.WriteFile(file, []byte("correlation: {hold: {critical: 1s, warning: 1s}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &steadyClock{elapsed: sinceBoot, wall: func() time.Time {
		if back.Load() {
			return time.Now()
		}
		return time.Now().Add(time.Hour)
	}}
	s := newServer(Options{ConfigFile: file, ListenAddress: "127.0.0.1:0", StoragePath: t.TempDir(), Version: "test", Logger: slog.New(slog.DiscardHandler), Out: &words{}}, c.Now)
	s.clock = c
	t.Cleanup(func() {
		if err := s.life.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	back.Store(true)
	body := `{"version":"4","alerts":[{"status":"firing","startsAt":"` + time.Now().UTC().Format(time.RFC3339) + `","labels":{"alertname":"HostDown","severity":"critical","instance":"db1"}}]}`
	if _, err := s.collector.Alertmanager(t.Context(), "am", collector.Body{Reader: strings.NewReader(body), Length: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var titles string
	for !strings.Contains(titles, "HostDown") || !strings.Contains(titles, "WatchbillClockWrong") {
		p, err := s.engine.Records().Incidents(ctx, engine.IncidentFilter{}, engine.Range{Limit: 10})
		if err != nil {
			t.Fatalf("%v: incidents: %s", err, titles)
		}
		titles = ""
		for _, i := range p.Items {
			titles += i.Title + "; "
		}
		sub := s.engine.Subscribe()
		select {
		case <-sub.C:
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("incidents: %s", titles)
		}
		sub.Close()
	}
	if w := s.warnings(); len(w) != 1 || !strings.Contains(w[0], "behind") {
		t.Errorf("ready says %v", w)
	}
}
