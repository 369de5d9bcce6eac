package engine_test

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// box is what an endpoint of the tests took, in order.
type box[T any] struct {
	mu    sync.Mutex
	items []T
	grown chan struct{}
}

func newBox[T any]() *box[T] { return &box[T]{grown: make(chan struct{}, 1)} }

func (b *box[T]) put(x T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, x)
	select {
	case b.grown <- struct{}{}:
	default:
	}
}

// first waits for n items.
func (b *box[T]) first(t *testing.T, n int) []T {
	t.Helper()
	for {
		b.mu.Lock()
		items := b.items[:min(n, len(b.items))]
		b.mu.Unlock()
		if len(items) == n {
			return items
		}
		select {
		case <-b.grown:
		case <-t.Context().Done():
			t.Fatalf("%d of %d came", len(items), n)
		}
	}
}

// mailServer takes mail as an SMTP server does.
func mailServer(t *testing.T) (string, *box[*mail.Message]) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	took := newBox[*mail.Message]()
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				takeMail(t, c, took)
			})
		}
	})
	return l.Addr().String(), took
}

func takeMail(t *testing.T, c net.Conn, took *box[*mail.Message]) {
	r := bufio.NewReader(c)
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	say("220 mail.example ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line); {
		case strings.HasPrefix(verb, "EHLO"), strings.HasPrefix(verb, "HELO"):
			say("250 mail.example")
		case strings.HasPrefix(verb, "DATA"):
			say("354 go on")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			m, err := mail.ReadMessage(strings.NewReader(text.String()))
			if err != nil {
				t.Errorf("%v in %s", err, text.String())
				return
			}
			body, _ := io.ReadAll(m.Body) // it is in memory
			m.Body = strings.NewReader(strings.ReplaceAll(strings.ReplaceAll(string(body), "=\r\n", ""), "=3D", "="))
			took.put(m)
			say("250 taken")
		case strings.HasPrefix(verb, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// call is one request that a chat or paging service took.
type call struct {
	path string
	body map[string]any
}

// service answers like Slack's web API and PagerDuty's events API.
func service(t *testing.T) (http.Handler, *box[call]) {
	took := newBox[call]()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("%s: %v", r.URL, err)
		}
		took.put(call{r.URL.Path, body})
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/api/chat.") {
			_, _ = io.WriteString(w, `{"ok": true, "ts": "1.5", "channel": "C1"}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}), took
}

// slack stands where slack.com would be: the integration allows no other address
// for messages that are updated, but it goes through a proxy.
func slack(t *testing.T) (proxy, ca string, took *box[call]) {
	h, took := service(t)
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	px := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "slack.com:443" {
			t.Errorf("the proxy was asked for %s %s", r.Method, r.Host)
		}
		up, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer down.Close()
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down) }()
		_, _ = io.Copy(down, up)
	}))
	t.Cleanup(px.Close)
	return px.URL, ca, took
}

// One incident's steps at receivers that thread: mails have one thread, each mail an
// id of its own by which a mailbox knows a repeat; Slack's message is updated in
// place; PagerDuty has one incident that is triggered and resolved. What they read
// is about the incident, with no template configured.
func TestUpdatesAreThreaded(t *testing.T) {
	smarthost, mails := mailServer(t)
	proxy, ca, chat := slack(t)
	h, pages := service(t)
	pd := httptest.NewServer(h)
	defer pd.Close()
	w := open(t, "", fmt.Sprintf(`
global: {smtp_smarthost: '%s', smtp_from: wb@example.org, smtp_require_tls: false}
route: {receiver: all}
receivers:
  - name: all
    email_configs: [{to: desk@example.org, send_resolved: true}]
    slack_configs:
      - api_url: https://slack.com/api/chat.postMessage
        channel: '#desk'
        send_resolved: true
        update_message: true
        http_config: {proxy_url: '%s', tls_config: {ca_file: '%s', server_name: example.com}}
    pagerduty_configs: [{routing_key: k, url: '%s/v2/enqueue'}]
`, smarthost, proxy, ca, pd.URL))
	defer w.stop()
	id := w.do(t, "create", "", grave)
	w.do(t, "acknowledge", id, nil)
	w.do(t, "resolve", id, map[string]any{"resolution": "restarted"})
	other := w.do(t, "create", "", grave)

	steps := []string{"opened with priority 1", "acknowledged by ann", "resolved by ann: restarted", "opened with priority 1"}
	ids, threads := map[string]bool{}, map[string]int{}
	for n, m := range mails.first(t, 4) {
		of := id
		if n == 3 {
			of = other
		}
		body, _ := io.ReadAll(m.Body)
		subject := m.Header.Get("Subject")
		if subject != "[P1] "+of+" it is down" || !strings.Contains(string(body), steps[n]) || !strings.Contains(string(body), "http://watchbill.example:7470/wb/incidents/"+of) {
			t.Errorf("mail %d: %s\n%s", n, subject, body)
		}
		if link := strings.Contains(string(body), "/wb/acknowledge/"+of+"?"); link != (n == 0 || n == 3) {
			t.Errorf("mail %d has a link to acknowledge: %v\n%s", n, link, body)
		}
		ids[m.Header.Get("Message-Id")] = true
		threads[m.Header.Get("References")]++
	}
	if len(ids) != 4 || len(threads) != 2 || threads[""] > 0 {
		t.Errorf("4 mails about 2 incidents have the ids %v and the threads %v", ids, threads)
	}

	want := []string{"/api/chat.postMessage", "/api/chat.update", "/api/chat.update", "/api/chat.postMessage"}
	for n, c := range chat.first(t, 4) {
		text, _ := json.Marshal(c.body)
		if c.path != want[n] || strings.HasSuffix(c.path, "update") != (c.body["ts"] == "1.5" && c.body["channel"] == "C1") || !strings.Contains(string(text), steps[n]) {
			t.Errorf("Slack call %d: %s %s", n, c.path, text)
		}
	}

	actions := []string{"trigger", "trigger", "resolve", "trigger"}
	keys := []any{}
	for n, c := range pages.first(t, 4) {
		if c.body["event_action"] != actions[n] || c.body["client"] != "Watchbill" {
			t.Errorf("PagerDuty call %d: %v", n, c.body)
		}
		if u, err := url.Parse(fmt.Sprint(c.body["client_url"])); err != nil || !strings.HasPrefix(u.Path, "/wb/incidents/INC") {
			t.Errorf("PagerDuty call %d leads to %v", n, c.body["client_url"])
		}
		keys = append(keys, c.body["dedup_key"])
	}
	if keys[0] != keys[1] || keys[1] != keys[2] || keys[2] == keys[3] {
		t.Errorf("PagerDuty knows the incidents by %v", keys)
	}
}
