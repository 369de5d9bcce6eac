package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin holds the built binaries; TestMain fills it once.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "watchbill-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		for _, name := range []string{"watchbill", "watchbill-agent"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../../cmd/"+name)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// need returns the path of a real program that a test cannot do without. Where
// it is missing the test says so loudly, and fails in CI.
func need(t *testing.T, name, pkg string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err == nil {
		return p
	}
	msg := fmt.Sprintf("MISSING PART: %s is not installed; run: apt-get install -y %s", name, pkg)
	if os.Getenv("CI") == "true" {
		t.Fatal(msg)
	}
	t.Skip(msg)
	return ""
}

// proc is one started program. Its output is kept and shown if the test fails.
type proc struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan struct{}
	err  error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, env []string, path string, args ...string) *proc {
	t.Helper()
	p := &proc{t: t, name: filepath.Base(path), out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			out := p.out.String()
			t.Logf("--- last output of %s:\n%s", p.name, out[max(0, len(out)-6000):])
		}
	})
	return p
}

func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends the program as an init system would, and waits for it.
func (p *proc) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("%s did not end within %s of SIGTERM", p.name, patience)
		p.kill()
	}
}

func (p *proc) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// freePort returns a loopback port that was free a moment ago. It lies below those
// that the kernel gives to outgoing connections: a server that is killed and started
// again must not find its port taken by somebody's client.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return 0
}

// patience is how long a test waits for what must come. It bounds a test that hangs
// and says nothing about speed: a machine under load takes long for everything.
const patience = 3 * time.Minute

// eventually polls until f says nil, or fails with its last error.
func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
	}
}

const adminToken = "test-admin-token-0123456789abcdef0123456789abcdef"

// server is a running watchbill server and its client.
type server struct {
	*proc
	t    *testing.T
	url  string
	dir  string
	port int
	cfg  string

	client *http.Client // nil: the default one
}

func startServer(t *testing.T, dir, cfg string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, port: freePort(t), cfg: cfg}
	s.url = fmt.Sprintf("http://127.0.0.1:%d", s.port)
	s.start()
	return s
}

func (s *server) args() []string {
	args := []string{"server", fmt.Sprintf("--web.listen-address=127.0.0.1:%d", s.port), "--storage.path=" + s.dir, "--log.level=info"}
	if s.cfg != "" {
		args = append(args, "--config.file="+s.cfg)
	}
	return args
}

func (s *server) start() {
	s.t.Helper()
	s.proc = start(s.t, []string{"WATCHBILL_ADMIN_TOKEN=" + adminToken}, filepath.Join(bin, "watchbill"), s.args()...)
	eventually(s.t, patience, "server ready", func() error {
		if s.ended() {
			s.t.Fatalf("the server ended: %v\n%s", s.err, s.out.String())
		}
		return getOK(s.url + "/-/ready")
	})
}

func getOK(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// call does one API request and decodes the answer into out, if any.
func (s *server) call(method, path string, body, out any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.url+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.DefaultClient
	if s.client != nil {
		client = s.client
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (s *server) token(role string) string {
	s.t.Helper()
	var out struct {
		Token string `json:"token"`
	}
	if err := s.call("POST", "/api/v1/tokens", map[string]any{"name": "e2e " + role, "role": role}, &out); err != nil {
		s.t.Fatal(err)
	}
	if out.Token == "" {
		s.t.Fatal("a new token was not shown")
	}
	return out.Token
}

// all reads a whole list through its cursors.
func all[T any](s *server, path string) ([]T, error) {
	var items []T
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	cursor := ""
	for {
		var page struct {
			Items []T     `json:"items"`
			Next  *string `json:"next"`
		}
		p := path + sep + "limit=500"
		if cursor != "" {
			p += "&cursor=" + cursor
		}
		if err := s.call("GET", p, nil, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == nil || *page.Next == "" {
			return items, nil
		}
		cursor = *page.Next
	}
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
