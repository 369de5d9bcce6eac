package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/test/load"
)

// TestSyncComesBefore200 traces the server's system calls. kill -9 keeps the page
// cache, so killing cannot tell whether an acknowledged alert would survive a
// power cut: only the order of sync and answer can.
func TestSyncComesBefore200(t *testing.T) {
	strace := need(t, "strace", "strace")
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"), "")
	token := s.token("ingest")
	trace := filepath.Join(dir, "trace")
	tr := start(t, nil, strace, "-f", "-s", "60", "-e", "trace=read,write,msync,fsync,fdatasync,sync_file_range", "-o", trace, "-p", fmt.Sprint(s.cmd.Process.Pid))
	eventually(t, patience, "strace attached", func() error {
		if tr.ended() {
			t.Fatalf("strace ended: %s", tr.out.String())
		}
		if !strings.Contains(tr.out.String(), "attached") {
			return fmt.Errorf("strace says %q", tr.out.String())
		}
		return nil
	})
	const posts = 20
	for i := range posts {
		quiet(t, trace) // the engine's own commit of the post before is over
		if err := post(context.Background(), s.url, token, load.Webhook(i, i+1, time.Now(), false)); err != nil {
			t.Fatal(err)
		}
	}
	quiet(t, trace)
	tr.stop()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var begun, synced bool
	answered := 0
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := sc.Text()
		switch {
		case strings.Contains(line, "POST /api/v1/ingest"):
			begun, synced = true, false
		case begun && strings.Contains(line, "sync") && strings.HasSuffix(strings.TrimSpace(line), "= 0"):
			synced = true
		case begun && strings.Contains(line, "HTTP/1.1 200"):
			if !synced {
				t.Errorf("answer %d was written before any sync was over", answered+1)
			}
			answered++
			begun = false
		}
	}
	if answered != posts {
		t.Errorf("the trace shows %d answers, want %d", answered, posts)
	}
	s.sameInReplay()
}

// quiet waits until no sync was traced for a moment: a sync of the engine's own
// commit must not be taken for that of the next post. Reads and writes do not
// count, as the runtime wakes its threads with them however idle the server is.
func quiet(t *testing.T, path string) {
	t.Helper()
	last, since := -1, time.Now()
	eventually(t, patience, "no more syncs", func() error {
		trace, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(trace, []byte("sync(")); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) < 250*time.Millisecond {
			return fmt.Errorf("%d syncs, the last just now", last)
		}
		return nil
	})
}

// TestFailedSyncIsNot200 makes every sync fail and posts: an answer of 200 would
// be a promise that nobody can keep.
func TestFailedSyncIsNot200(t *testing.T) {
	strace := need(t, "strace", "strace")
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"), "")
	token := s.token("ingest")
	tr := start(t, nil, strace, "-f", "-e", "trace=msync,fsync,fdatasync", "-e", "inject=msync,fsync,fdatasync:error=EIO", "-o", os.DevNull, "-p", fmt.Sprint(s.cmd.Process.Pid))
	eventually(t, patience, "strace attached", func() error {
		if !strings.Contains(tr.out.String(), "attached") {
			return fmt.Errorf("strace says %q", tr.out.String())
		}
		return nil
	})
	err := post(context.Background(), s.url, token, load.Webhook(0, 1, time.Now(), false))
	if err == nil {
		t.Error("the server answered 200 although nothing could be synced")
	} else if strings.Contains(err.Error(), fmt.Sprint(http.StatusBadRequest)) {
		t.Errorf("the server blamed the sender: %v", err)
	}
}
