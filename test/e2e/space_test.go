package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchbill/watchbill/test/load"
)

// smallDisk mounts a file system of a size in MiB, which takes root.
func smallDisk(t *testing.T, mib int) (dir string, resize func(mib int)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		msg := fmt.Sprintf("MISSING RIGHT: a small file system cannot be mounted (%v): run this test as root", err)
		if os.Getenv("CI") == "true" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir, func(mib int) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", mib)); err != nil {
			t.Fatalf("resize: %v", err)
		}
	}
}

func free(t *testing.T, dir string) uint64 {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Bavail * uint64(st.Bsize)
}

// bulky is a webhook body whose alerts carry noise that no compression makes smaller.
func bulky(n int, begin time.Time) []byte {
	rnd := rand.New(rand.NewPCG(uint64(n), 3))
	noise := make([]byte, 20<<10)
	for i := range noise {
		noise[i] = 'a' + byte(rnd.IntN(26))
	}
	return []byte(strings.ReplaceAll(string(load.Webhook(n, n+50, begin, false)), "See the dashboard", string(noise)))
}

// TestFullDisk fills a real small disk: the server must refuse with 503 before
// its store meets the end of it, which would kill it, lose nothing that it took, and
// take alerts again when there is room.
func TestFullDisk(t *testing.T) {
	const size, watermark = 400, 128 // MiB
	dir, resize := smallDisk(t, size)
	cfg := writeFile(t, filepath.Join(t.TempDir(), "watchbill.yml"), fmt.Sprintf("storage: {free_space_watermark_mib: %d}\n", watermark))
	s := startServer(t, filepath.Join(dir, "data"), cfg)
	token := s.token("ingest")
	begin := time.Now().Add(-time.Minute)
	ctx := context.Background()

	acked, n := map[string]bool{}, 0
	var refused error
	for ; refused == nil && n < 50*1000; n += 50 {
		err := post(ctx, s.url, token, bulky(n, begin))
		switch {
		case err == nil:
			for i := n; i < n+50; i++ {
				acked[load.Labels(i)["instance"]] = true
			}
		case strings.Contains(err.Error(), "503") && strings.Contains(err.Error(), "overloaded"):
			n -= 50 // the backlog: as Alertmanager does, again
			pause(ctx, 20*time.Millisecond)
		default:
			refused = err
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "503") || !strings.Contains(refused.Error(), "free space") {
		t.Fatalf("with %d MiB free the answer was %v, want 503 and why", free(t, dir)>>20, refused)
	}
	// What was taken is decided in the room below the watermark, and the store's own
	// work in the background fits there as well.
	eventually(t, patience, "every acknowledged alert is there", func() error {
		if s.ended() {
			t.Fatalf("the server ended: %v", s.err)
		}
		alerts, err := all[alert](s, "/api/v1/alerts")
		if err != nil {
			return err
		}
		got := map[string]bool{}
		for _, a := range alerts {
			got[a.Labels["instance"]] = true
		}
		for k := range acked {
			if !got[k] {
				return fmt.Errorf("%s was acknowledged and is not there", k)
			}
		}
		return nil
	})
	if err := getOK(s.url + "/-/healthy"); err != nil {
		t.Errorf("not healthy on a disk that is nearly full: %v", err)
	}
	left := free(t, dir)
	if left == 0 {
		t.Error("the disk is full: the watermark came too late")
	}
	t.Logf("%d alerts acknowledged, %d MiB free at the end", len(acked), left>>20)

	resize(2 * size)
	eventually(t, patience, "alerts are taken again", func() error { return post(ctx, s.url, token, load.Webhook(n, n+1, begin, false)) })
	s.sameInReplay()
	s.stop()
}

// fill takes all that is free, as another program's log would.
func fill(t *testing.T, dir string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "somebody-elses")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // down to the last byte
		}
	}
	return file
}

// TestDiskFilledByOthers: another program takes everything within a storm. Every writer
// is told 503 in words, the server lives, stops and starts on the full disk, and what
// was acknowledged is there.
func TestDiskFilledByOthers(t *testing.T) {
	dir, _ := smallDisk(t, 1200)
	s := startServer(t, filepath.Join(dir, "data"), "")
	token := s.token("ingest")
	begin := time.Now().Add(-time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	acked := make(chan map[string]bool, 1)
	go func() {
		got := map[string]bool{}
		for n := 0; ctx.Err() == nil && n < 50*400; n += 50 {
			if post(ctx, s.url, token, bulky(n, begin)) == nil {
				for i := n; i < n+50; i++ {
					got[load.Labels(i)["instance"]] = true
				}
			} else {
				pause(ctx, 5*time.Millisecond)
			}
		}
		acked <- got
	}()
	pause(ctx, 500*time.Millisecond)
	var file string
	for range 20 { // it takes what the server gives up as well
		file = fill(t, dir)
		pause(ctx, 50*time.Millisecond)
	}
	if s.ended() {
		t.Fatalf("the server ended: %v", s.err)
	}
	for path, body := range map[string]string{
		"/api/v1/incidents": `{"title":"x","impact":1,"urgency":1}`, "/api/v1/import": `{"kind":"host","name":"h1"}`, "/api/v1/login": `{"user":"admin","password":"x"}`,
		"/api/v1/cis": `{"class":"host","name":"h1"}`, "/api/v1/tokens": `{"name":"x","role":"viewer"}`,
	} {
		code, text := s.try(t, "POST", path, body)
		if code != 503 || !strings.Contains(text, "free") {
			t.Errorf("POST %s on the full disk: %d %s", path, code, text)
		}
	}
	if err := post(ctx, s.url, token, load.Webhook(0, 1, begin, false)); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a webhook on the full disk: %v", err)
	}
	if code, _ := s.try(t, "GET", "/api/v1/status", ""); code != 200 {
		t.Errorf("reading on the full disk: %d", code)
	}
	stop()
	kept := <-acked
	s.stop()
	if s.err != nil {
		t.Fatalf("stopped on the full disk: %v", s.err)
	}
	// Too little for a start, and just enough for one: words or a server, never a signal.
	for _, mib := range []int64{8, 80} {
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, max(0, st.Size()-mib<<20)); err != nil {
			t.Fatal(err)
		}
		out := s.startFull()
		if strings.Contains(out, "SIG") || strings.Contains(out, "goroutine ") {
			t.Errorf("a start with %d MiB free: %s", mib, out[:min(len(out), 600)])
		}
		fill(t, dir)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.start()
	eventually(t, patience, "every acknowledged alert is there", func() error {
		alerts, err := all[alert](s, "/api/v1/alerts")
		if err != nil {
			return err
		}
		got := map[string]bool{}
		for _, a := range alerts {
			got[a.Labels["instance"]] = true
		}
		for k := range kept {
			if !got[k] {
				return fmt.Errorf("%s was acknowledged and is not there", k)
			}
		}
		return nil
	})
	t.Logf("%d alerts were acknowledged", len(kept))
}

// try makes a call as the admin and returns what came of it.
func (s *server) try(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body) // what came
	return resp.StatusCode, string(b)
}

// startFull starts the server on a disk that may be too full for it, stops it if it
// runs, and returns what it said.
func (s *server) startFull() string {
	s.t.Helper()
	s.proc = start(s.t, []string{"WATCHBILL_ADMIN_TOKEN=" + adminToken}, filepath.Join(bin, "watchbill"), s.args()...)
	eventually(s.t, patience, "it ends, or is healthy", func() error {
		if s.ended() {
			return nil
		}
		return getOK(s.url + "/-/healthy")
	})
	s.stop()
	return s.out.String()
}
