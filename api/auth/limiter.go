package auth

import (
	"net/netip"
	"sync"
	"time"
)

// limiter bounds failed logins: per user and address, per address, and per user from
// everywhere. Each has a bucket that refills over a minute; the last one refills the slower
// the more failed in a row. Who fails against one name cannot lock that person out from
// where that person has logged in before.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	b   map[string]*bucket
	// known are addresses from which a user has logged in since the start.
	known map[[2]string]bool
}

type bucket struct {
	left   float64
	at     time.Time
	failed float64 // in a row, of a user from everywhere
}

const (
	attemptsPerUser    = 5.0 // per minute, for one name from one address
	attemptsPerAddress = 30.0
	// attemptsPerName are for one name from all addresses where it is not known; after as
	// many failures it is half of them, and so on, down to attemptsLeast.
	attemptsPerName = 20.0
	attemptsLeast   = 1.0
	bucketsMost     = 10000
	// forgetAfter is how long failures at a name are remembered where nobody tries any more.
	forgetAfter = time.Hour
)

// placeOf is the network that one sender has for himself: an IPv6 host chooses among
// the addresses of its /64.
func placeOf(remote string) string {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // an IPv6 address has one
	return p.String()
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, b: map[string]*bucket{}, known: map[[2]string]bool{}}
}

// take uses up one attempt; it returns how long to wait when there is none left.
func (l *limiter) take(user, remote string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	remote = placeOf(remote)
	if len(l.b) > bucketsMost {
		for k, b := range l.b {
			if now.Sub(b.at) > time.Minute && (b.failed == 0 || now.Sub(b.at) > forgetAfter) {
				delete(l.b, k)
			}
		}
		if len(l.b) > bucketsMost { // a flood of names: forgetting all is better than growing without end
			clear(l.b)
		}
	}
	all, strange := "n "+user, user != "" && !l.known[[2]string{user, remote}]
	wait := max(l.wait("a "+remote, attemptsPerAddress, now), l.wait("u "+user+" "+remote, attemptsPerUser, now))
	if strange {
		perMinute := attemptsPerName
		if b := l.b[all]; b != nil {
			perMinute = max(attemptsLeast, attemptsPerName/(1+b.failed/attemptsPerName))
		}
		wait = max(wait, l.wait(all, perMinute, now))
	}
	if wait == 0 {
		l.b["a "+remote].left--
		l.b["u "+user+" "+remote].left--
		if strange {
			l.b[all].left--
			l.b[all].failed++
		}
	}
	return wait
}

func (l *limiter) wait(key string, perMinute float64, now time.Time) time.Duration {
	b := l.b[key]
	if b == nil {
		b = &bucket{left: perMinute, at: now}
		l.b[key] = b
	}
	idle := now.Sub(b.at)
	if idle > forgetAfter {
		b.failed = 0
	}
	b.left = min(perMinute, b.left+idle.Minutes()*perMinute)
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
	remote = placeOf(remote)
	delete(l.b, "u "+user+" "+remote)
	if user != "" {
		// The failures of others at this name count on: a success says nothing about them.
		if len(l.known) >= bucketsMost {
			clear(l.known)
		}
		if k := [2]string{user, remote}; !l.known[k] {
			l.known[k] = true
			if b := l.b["n "+user]; b != nil {
				b.left, b.failed = b.left+1, max(0, b.failed-1)
			}
		}
	}
	if b := l.b["a "+remote]; b != nil {
		b.left = min(attemptsPerAddress, b.left+1)
	}
}
