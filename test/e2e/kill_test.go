package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/test/load"
)

// kills is how often the server dies in the storm. The recording of the run is
// replayed at the end: the state must equal a clean replay.
const kills = 50

// TestFiftyKills ends the server with SIGKILL at random points of a storm. Each
// acknowledged alert must be there afterwards, once, and what was decided must
// equal a clean replay of the journal.
func TestFiftyKills(t *testing.T) {
	n := kills
	if testing.Short() {
		n = 5
	}
	rnd := rand.New(rand.NewPCG(1, 2)) // the points of death differ anyway with the machine's timing
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"), "")
	token := s.token("ingest")
	begin := time.Now().Add(-time.Minute)

	type posted struct{ from, to int }
	var mu sync.Mutex
	var acked []posted
	next := 0
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				from := next
				next += 5
				mu.Unlock()
				body := load.Webhook(from, from+5, begin, false)
				// As Alertmanager does: until it is taken.
				for ctx.Err() == nil {
					if post(ctx, s.url, token, body) == nil {
						mu.Lock()
						acked = append(acked, posted{from, from + 5})
						mu.Unlock()
						break
					}
					pause(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	for range n {
		pause(ctx, time.Duration(20+rnd.IntN(200))*time.Millisecond)
		s.kill()
		s.start()
	}
	cancel()
	wg.Wait()

	want := map[string]bool{}
	for _, p := range acked {
		for i := p.from; i < p.to; i++ {
			want[load.Labels(i)["instance"]] = true
		}
	}
	var got map[string]int
	eventually(t, patience, "every acknowledged alert is there", func() error {
		alerts, err := all[alert](s, "/api/v1/alerts")
		if err != nil {
			return err
		}
		got = map[string]int{}
		for _, a := range alerts {
			got[a.Labels["instance"]]++
		}
		for k := range want {
			if got[k] == 0 {
				return fmt.Errorf("%s was acknowledged and is not there", k)
			}
		}
		return nil
	})
	for k, n := range got {
		if n > 1 {
			t.Errorf("%s is there %d times", k, n)
		}
	}
	t.Logf("%d kills, %d alerts acknowledged, %d there", n, len(want), len(got))

	// A clean replay of the installation's own past must decide the same.
	s.stop()
	s.start()
	s.sameInReplay()
	s.stop()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func post(ctx context.Context, url, token string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/ingest/alertmanager", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, b)
	}
	return nil
}
