package probe

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how a walk over the disks spares the machine it runs on. The
// zero value does not: it walks as fast as it can, for a report that somebody
// waits for.
type Patience struct {
	// Idle has the walk run when nobody else wants processor or disk.
	Idle bool
	// Step is how long the walk works at a time, and Rest how long it then
	// sleeps; zero for no rests.
	Step, Rest time.Duration
}

// Gentle is the patience of the agent's loop: a tenth of one idle core at most.
func Gentle() Patience {
	return Patience{Idle: true, Step: 20 * time.Millisecond, Rest: 180 * time.Millisecond}
}

// run calls work on a thread of its own. A thread's priority cannot be raised
// again without privilege, so an idle one is never given back.
func (p Patience) run(work func()) {
	if !p.Idle {
		work()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		lowerPriority()
		work()
	}()
	<-done
}

// lowerPriority makes the calling thread the last in every queue. A refusal
// only means that the walk is less polite.
func lowerPriority() {
	const (
		idleClass  = 3 << 13
		whoProcess = 1
	)
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(unix.Gettid()), idleClass)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: 19}, 0)
}

// pacer divides a walk into steps.
type pacer struct {
	patience Patience
	since    time.Time
}

// breathe rests when a step is over; it returns the context's error.
func (p *pacer) breathe(ctx context.Context) error {
	if p.patience.Rest > 0 {
		if p.since.IsZero() {
			p.since = time.Now()
		} else if time.Since(p.since) >= p.patience.Step {
			timer := time.NewTimer(p.patience.Rest)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			p.since = time.Now()
		}
	}
	return ctx.Err()
}
