package app

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// steadyClock is the server's time. It follows the wall clock, but within a run a span
// of it is a span of real time: deadlines must not wait for an hour because somebody
// set the clock back for one, and a clock that is wrong for a minute must not make
// years pass. Safe for concurrent use.
type steadyClock struct {
	wall    func() time.Time
	elapsed func() time.Duration // real time, whatever is done to the clock; time asleep counts

	mu   sync.Mutex
	at   time.Time     // given last
	mono time.Duration // when it was given
	// A step of the wall clock forward that is not believed yet, and since when it stands.
	step  time.Duration
	since time.Duration
	begun bool
	// debts are steps that time has made and that housekeeping does not count yet.
	debts []debt
	steps [2]uint64 // forward, back
}

// debt is a span that passed on the clock and not in reality.
type debt struct {
	span  time.Duration
	until time.Duration // elapsed time at which it counts
}

const (
	// slew is how much slower time goes while it is ahead of the wall clock: it comes
	// back to it, and a deadline is at most a tenth late for it.
	slew = 10
	// stepLeast is the least difference that is a step and no drift: NTP slews what is
	// less than an eighth of a second and steps the rest; a busy machine looks rarely.
	stepLeast = 2 * time.Second
	// stepSettle is how long a step forward has to stand until it is believed.
	stepSettle = 2 * time.Minute
	// debtMost bounds how long housekeeping waits until it counts a step: an operator who
	// is told has a day to put a wrong clock right before anything is removed for it.
	debtMost = 24 * time.Hour
)

func newSteadyClock() *steadyClock {
	return &steadyClock{wall: time.Now, elapsed: sinceBoot}
}

// sinceBoot counts real time, in which a machine that sleeps ages as well.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(ts.Nano())
}

// processStart carries a monotonic reading.
var processStart = time.Now()

// resume begins where an earlier run ended. What the clock says beyond that may be a
// stop of days or a wrong clock: decisions believe it, housekeeping waits.
func (c *steadyClock) resume(last time.Time) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if last.IsZero() {
		return
	}
	switch gap := now.Sub(last); {
	case gap < 0:
		c.at = last
	case gap > stepLeast:
		c.owe(gap)
	}
}

// owe puts a span into debt. The lock is held.
func (c *steadyClock) owe(span time.Duration) {
	c.debts = append(c.debts, debt{span, c.mono + min(span, debtMost)})
}

// Now is the time by which decisions are made. It never goes back.
func (c *steadyClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, mono := c.wall().Round(0), c.elapsed()
	if !c.begun {
		c.begun, c.at, c.mono = true, wall, mono
		return c.at
	}
	passed := max(0, mono-c.mono)
	c.mono = mono
	steady := c.at.Add(passed)
	ahead := steady.Sub(wall)
	switch {
	case ahead > 0: // the wall clock was set back: go on, a little slower, until it comes
		switch {
		case ahead <= stepLeast:
			c.step = 0
		case c.step >= 0:
			c.steps[1]++
			c.step = -ahead
		}
		c.at = steady.Add(-min(passed/slew, ahead))
	case ahead < -stepLeast:
		if c.step <= 0 || -ahead > c.step+stepLeast || -ahead < c.step-stepLeast {
			c.step, c.since = -ahead, mono
			c.steps[0]++
		}
		c.at = steady
		if mono-c.since >= stepSettle {
			c.owe(-ahead)
			c.at, c.step = wall, 0
		}
	default: // drift
		c.step, c.at = 0, wall
	}
	return c.at
}

// Housekeeping is the time by which old things are removed or declared gone: steps of
// the clock count in it only after as much real time, at most a day.
func (c *steadyClock) Housekeeping() time.Time {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.debts[:0]
	for _, d := range c.debts {
		if c.mono < d.until {
			kept = append(kept, d)
			now = now.Add(-d.span)
		}
	}
	c.debts = kept
	return now
}

// clockState is how the server's time stands to the wall clock.
type clockState struct {
	Offset    time.Duration // the server's time minus the wall clock's
	Unsettled time.Duration // what housekeeping does not count yet
	Forward   uint64        // steps that were met
	Back      uint64
}

func (c *steadyClock) state() clockState {
	now := c.Now()
	house := c.Housekeeping()
	c.mu.Lock()
	defer c.mu.Unlock()
	return clockState{now.Sub(c.wall().Round(0)), now.Sub(house), c.steps[0], c.steps[1]}
}

// warning says what is wrong with the clock, "" if nothing is.
func (s clockState) warning() string {
	switch off := s.Offset.Round(time.Second); {
	case off > stepLeast:
		return fmt.Sprintf("the system's clock is %s behind the server's time: it was set back, or was ahead before; time goes on by the steady clock, a tenth slower, until they meet", off)
	case off < -stepLeast:
		return fmt.Sprintf("the system's clock has jumped ahead by %s: it is believed once it has stood for %s", -off, stepSettle)
	}
	return ""
}
