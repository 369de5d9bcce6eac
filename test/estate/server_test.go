package estate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const adminToken = "wb_estate_0123456789abcdef0123456789abcdef"

// dial opens a connection from within the monitoring host's network.
func (e *estate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	target, err := os.Open("/run/netns/" + e.prefix + "mon1")
	if err != nil {
		return nil, err
	}
	defer target.Close()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	runtime.LockOSThread() // the namespace is the thread's; a socket keeps the one it was made in
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	c, dialErr := (&net.Dialer{}).DialContext(ctx, network, address)
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err // still locked: the thread ends with its goroutine
	}
	runtime.UnlockOSThread()
	return c, dialErr
}

// get asks the server and hands the answer's body on.
func (e *estate) ask(method, path string, body any) ([]byte, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://10.88.0.5:7470"+path, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DialContext: e.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	return b, err
}

func (e *estate) call(method, path string, body, out any) error {
	b, err := e.ask(method, path, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(b, out)
}

func (e *estate) token(role string) string {
	e.t.Helper()
	var out struct{ Token string }
	if err := e.call("POST", "/api/v1/tokens", map[string]any{"name": "estate " + role, "role": role}, &out); err != nil {
		e.t.Fatal(err)
	}
	return out.Token
}

type item struct{ ID, Class, Name string }

func (e *estate) items(query string) ([]item, error) {
	var out struct{ Items []item }
	err := e.call("GET", "/api/v1/cis?limit=500&q="+query, nil, &out)
	return out.Items, err
}

type incident struct {
	ID       string
	State    string
	Title    string
	Priority int
	Impact   int
	Derived  string `json:"derivation"`
	Alerts   int
	OpenedAt time.Time  `json:"opened_at"`
	Resolved *time.Time `json:"resolved_at"`
	Causes   []struct {
		CI, Class, Name string
		Score           float64
	}
}

func (e *estate) incidents() ([]incident, error) {
	var out struct{ Items []incident }
	err := e.call("GET", "/api/v1/incidents?limit=200", nil, &out)
	return out.Items, err
}

// open are the incidents that somebody would have to care for.
func (e *estate) open() ([]incident, error) {
	list, err := e.incidents()
	var out []incident
	for _, i := range list {
		if i.Resolved == nil && i.State != "closed" && i.State != "canceled" {
			out = append(out, i)
		}
	}
	return out, err
}
