package auth

import (
	"sync"
	"time"
)

// limiter bounds failed logins: per user and address, and per address. Each has
// a bucket that refills over a minute. Who fails against one name from one place
// cannot lock that person out from elsewhere.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	b   map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

const (
	attemptsPerUser    = 5.0 // per minute, for one name from one address
	attemptsPerAddress = 30.0
	bucketsMost        = 10000
)

func newLimiter(now func() time.Time) *limiter { return &limiter{now: now, b: map[string]*bucket{}} }

// take uses up one attempt; it returns how long to wait when there is none left.
func (l *limiter) take(user, remote string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.b) > bucketsMost {
		for k, b := range l.b {
			if now.Sub(b.at) > time.Minute {
				delete(l.b, k)
			}
		}
		if len(l.b) > bucketsMost { // a flood of names: forgetting all is better than growing without end
			clear(l.b)
		}
	}
	wait := max(l.wait("a "+remote, attemptsPerAddress, now), l.wait("u "+user+" "+remote, attemptsPerUser, now))
	if wait == 0 {
		l.b["a "+remote].left--
		l.b["u "+user+" "+remote].left--
	}
	return wait
}

func (l *limiter) wait(key string, perMinute float64, now time.Time) time.Duration {
	b := l.b[key]
	if b == nil {
		b = &bucket{left: perMinute, at: now}
		l.b[key] = b
	}
	b.left = min(perMinute, b.left+now.Sub(b.at).Minutes()*perMinute)
	b.at = now
	if b.left >= 1 {
		return 0
	}
	return time.Duration((1 - b.left) / perMinute * float64(time.Minute))
}

// forget gives back the attempts after a success.
func (l *limiter) forget(user, remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.b, "u "+user+" "+remote)
	if b := l.b["a "+remote]; b != nil {
		b.left = min(attemptsPerAddress, b.left+1)
	}
}
