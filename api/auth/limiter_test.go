package auth

import (
	"fmt"
	"testing"
	"time"
)

// TestGuessesFromManyAddresses: one name is guessed at from ever new addresses.
func TestGuessesFromManyAddresses(t *testing.T) {
	for name, address := range map[string]func(i int) string{
		"IPv4":          func(i int) string { return fmt.Sprintf("192.0.%d.%d", 2+i/250, i%250) },
		"IPv6, one /64": func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
		"IPv6, many":    func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i) },
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			l := newLimiter(func() time.Time { return now })
			if l.take("admin", "198.51.100.1") > 0 {
				t.Fatal("the first login has to wait")
			}
			l.forget("admin", "198.51.100.1")
			taken := 0
			for i := range 3000 { // an hour of a guess each 1.2 s
				if l.take("admin", address(i%60000)) == 0 {
					taken++
				}
				now = now.Add(1200 * time.Millisecond)
			}
			if taken > 400 {
				t.Errorf("%d of 3000 guesses were taken, want at most 400", taken)
			}
			if w := l.take("admin", "198.51.100.1"); w > 0 {
				t.Errorf("the person has to wait %s where it logged in before", w)
			}
			if w := l.take("somebody", "198.51.100.9"); w > 0 {
				t.Errorf("another name has to wait %s", w)
			}
		})
	}
}
