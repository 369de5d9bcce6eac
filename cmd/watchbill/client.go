package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// remote says which server a command talks to and with which credential.
type remote struct {
	ServerURL string `name:"server.url" group:"client" env:"WATCHBILL_SERVER_URL" default:"http://127.0.0.1:7470" placeholder:"URL" help:"Address of the server (${default})."`
	Token     string `name:"token" group:"client" env:"WATCHBILL_TOKEN" placeholder:"TOKEN" help:"Bearer token. Without any, a server on this machine is asked with WATCHBILL_ADMIN_TOKEN or ./data/bootstrap/admin-token."`
	TokenFile string `name:"token-file" group:"client" env:"WATCHBILL_TOKEN_FILE" placeholder:"FILE" help:"File that holds the bearer token."`
	CAFile    string `name:"tls.ca-file" group:"client" env:"WATCHBILL_TLS_CA_FILE" placeholder:"FILE" help:"Trust these authorities (PEM) for the server's certificate."`
}

// bootstrapToken is where the first start in the current directory leaves the admin's token.
const bootstrapToken = "data/bootstrap/admin-token"

// client does calls for one command.
type client struct {
	base  string
	token string
	http  *http.Client
}

func (r remote) client() (*client, error) {
	u, err := url.Parse(r.ServerURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("--server.url: want an address such as http://127.0.0.1:7470, got %q", r.ServerURL)
	}
	c := &client{base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/")}
	if c.token, err = r.secret(u.Hostname()); err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 2 * time.Minute
	if r.CAFile != "" {
		if u.Scheme != "https" {
			return nil, usagef("--tls.ca-file needs an https address in --server.url, not %s", r.ServerURL)
		}
		pem, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--tls.ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--tls.ca-file: %s holds no certificate in PEM", r.CAFile)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	// The token must not follow a redirect to somewhere else.
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// secret finds the token. What this machine's server left for its admin is sent
// to this machine only.
func (r remote) secret(host string) (string, error) {
	if r.Token != "" {
		return strings.TrimSpace(r.Token), nil
	}
	if r.TokenFile != "" {
		b, err := os.ReadFile(r.TokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		s := strings.TrimSpace(string(b))
		if s == "" || strings.ContainsAny(s, " \t\r\n") {
			return "", fmt.Errorf("--token-file: %s must hold one token and nothing else", r.TokenFile)
		}
		return s, nil
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() {
		if s := os.Getenv("WATCHBILL_ADMIN_TOKEN"); s != "" {
			return strings.TrimSpace(s), nil
		}
		if b, err := os.ReadFile(bootstrapToken); err == nil {
			return strings.TrimSpace(string(b)), nil
		}
	}
	return "", usagef("no token: give --token-file FILE (or WATCHBILL_TOKEN), or run this where ./%s lies; an admin makes tokens with: watchbill token create", bootstrapToken)
}

// problem is a problem document.
type problem struct {
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
}

// fetch does one request and returns its answer, which the caller closes. Any
// status but success is an error that says what the server said.
func (c *client) fetch(ctx context.Context, method, path string, body io.Reader, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", "watchbill/"+version)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("cannot reach the server at %s: %w (is it running? --server.url names another one)", c.base, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what of it came is shown
	var p problem
	if json.Unmarshal(b, &p) != nil || p.Title == "" {
		return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += " (--token or --token-file gives another token)"
	case http.StatusInternalServerError:
		text += " (request " + p.RequestID + ")"
	}
	return nil, errors.New(text)
}

// call does one request with a JSON body and decodes the answer into out.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	var r io.Reader
	var header []string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r, header = bytes.NewReader(b), []string{"Content-Type", "application/json"}
	}
	resp, err := c.fetch(ctx, method, path, r, header...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// listed is a list's answer.
type listed[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// list reads up to limit items; 0 reads all.
func list[T any](ctx context.Context, c *client, path string, query url.Values, limit int) (listed[T], error) {
	out := listed[T]{Items: []T{}}
	if query == nil {
		query = url.Values{}
	}
	for {
		page := 500
		if limit > 0 {
			page = min(page, limit-len(out.Items))
		}
		query.Set("limit", fmt.Sprint(page))
		var p listed[T]
		if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &p); err != nil {
			return out, err
		}
		out.Items = append(out.Items, p.Items...)
		out.Next = p.Next
		if p.Next == nil || limit > 0 && len(out.Items) >= limit {
			return out, nil
		}
		query.Set("cursor", *p.Next)
	}
}

// answer does one call and returns what the server sent; Ctrl-C ends it.
func (r remote) answer(method, path string, body any) (json.RawMessage, error) {
	c, err := r.client()
	if err != nil {
		return nil, err
	}
	ctx, stop := interrupted()
	defer stop()
	var raw json.RawMessage
	err = c.call(ctx, method, path, body, &raw)
	return raw, err
}

// interrupted ends a call at Ctrl-C.
func interrupted() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
