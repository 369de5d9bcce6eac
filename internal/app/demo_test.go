package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// words collects what the server tells the person who started it.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// The printed link must let a person in after the storm was played: its days of
// past are not the reader's.
func TestTheDemonstrationsLinkLogsIn(t *testing.T) {
	recording, err := os.Open("../../testdata/storms/dev-02-clean-b.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer recording.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := &words{}
	ended := make(chan error, 1)
	go func() {
		ended <- Demo(ctx, Options{ListenAddress: "127.0.0.1:0", StoragePath: t.TempDir(), Version: "test", Logger: slog.New(slog.DiscardHandler), Out: out}, recording)
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for !strings.Contains(out.String(), "were played") {
		select {
		case err := <-ended:
			ended <- err
			t.Fatal("the demonstration ended early")
		case <-time.After(50 * time.Millisecond):
		}
	}
	link := regexp.MustCompile(`http://\S+/login/\S+`).FindString(out.String())
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) == 0 {
		t.Errorf("%s answers %s without a session", link, r.Status)
	}
}
