package agent

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
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Server is the agents' side of a Watchbill server's API. It is safe for
// concurrent use.
type Server struct {
	base    string
	client  *http.Client
	version string
	peer    atomic.Pointer[netip.AddrPort] // of the newest connection
}

// Peer is where the newest connection to the server led; ok is false before the first.
func (s *Server) Peer() (at netip.AddrPort, ok bool) {
	if p := s.peer.Load(); p != nil {
		return *p, true
	}
	return netip.AddrPort{}, false
}

// requestTimeout bounds one request as a whole.
const requestTimeout = 60 * time.Second

// NewServer returns a client for a server's base URL. caFile pins the
// authorities that may have signed its certificate; "" takes the system's.
func NewServer(rawURL, caFile, version string) (*Server, error) {
	u, err := url.Parse(strings.TrimSuffix(rawURL, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--server.url %q is no server's address: give one like https://watchbill.example.org:7470", rawURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--server.url %q: user, query and fragment have no place here; the token goes into --token-file", u.Redacted())
	}
	s := &Server{base: u.String(), version: version}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				if at, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
					at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
					s.peer.Store(&at)
				}
			}
			return c, err
		},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: requestTimeout, MaxIdleConns: 1,
		// A connection kept over the minutes between reports costs buffers here
		// and a socket on the server, for one handshake saved.
		IdleConnTimeout: 5 * time.Second, ForceAttemptHTTP2: false,
		WriteBufferSize: 4 << 10, ReadBufferSize: 4 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caFile != "" {
		if u.Scheme != "https" {
			return nil, fmt.Errorf("--tls.ca-file needs an https address in --server.url, not %q", rawURL)
		}
		data, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("--tls.ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("--tls.ca-file %s holds no certificate in PEM form", caFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	// A redirect would carry the credential to another place: refuse it.
	s.client = &http.Client{Transport: transport, Timeout: requestTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s, nil
}

// Insecure says that tokens would cross a network in clear.
func (s *Server) Insecure() bool {
	u, err := url.Parse(s.base)
	if err != nil || u.Scheme == "https" {
		return false
	}
	address := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (address == nil || !address.IsLoopback())
}

// StatusError is an answer other than success.
type StatusError struct {
	Code       int
	Detail     string
	RetryAfter time.Duration // 0 when the server named none
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("server answered %d %s", e.Code, http.StatusText(e.Code))
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Enroll trades a join token for a credential.
func (s *Server) Enroll(ctx context.Context, joinToken string, request report.EnrollRequest) (report.EnrollReply, error) {
	body, err := compress(request)
	if err != nil {
		return report.EnrollReply{}, err
	}
	var reply report.EnrollReply
	if err := s.post(ctx, "/api/v1/agent/enroll", joinToken, body, &reply); err != nil {
		return report.EnrollReply{}, fmt.Errorf("enrol at %s: %w", s.base, err)
	}
	if reply.Credential == "" {
		return report.EnrollReply{}, fmt.Errorf("enrol at %s: the answer holds no credential", s.base)
	}
	return reply, nil
}

// Report sends one envelope, already encoded and compressed.
func (s *Server) Report(ctx context.Context, credential string, envelope []byte) (report.Reply, error) {
	var reply report.Reply
	if err := s.post(ctx, "/api/v1/agent/reports", credential, envelope, &reply); err != nil {
		return report.Reply{}, fmt.Errorf("send report to %s: %w", s.base, err)
	}
	return reply, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

func (s *Server) post(ctx context.Context, path, token string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("User-Agent", "watchbill-agent/"+s.version)
	response, err := s.client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // it repeats the URL
		}
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &StatusError{Code: response.StatusCode, Detail: problemDetail(answer), RetryAfter: retryAfterHeader(response.Header)}
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// problemDetail takes the text for people out of a problem document.
func problemDetail(answer []byte) string {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(answer, &problem) != nil {
		return ""
	}
	if problem.Detail != "" {
		return problem.Detail
	}
	return problem.Title
}

func retryAfterHeader(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
