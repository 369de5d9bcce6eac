package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/fault"
)

// CMDBRules turns a configuration into what the inventory decides by. Files that
// it names are looked for beside the configuration file, in dir. The error is a
// fault.List whose fields are paths in the file.
func CMDBRules(c config.Config, dir string) (inventory.Rules, error) {
	r := inventory.Rules{Schedule: schedule(c.Agents)}
	var bad fault.List
	custom := make([]cmdb.Class, 0, len(c.CMDB.Classes))
	for _, x := range c.CMDB.Classes {
		k := cmdb.Class{Name: x.Name, Description: x.Description, Role: cmdb.RoleName(x.Role), StaleAfter: x.StaleAfter.Std(), GoneAfter: x.GoneAfter.Std()}
		for _, f := range x.Fields {
			k.Fields = append(k.Fields, cmdb.Field{Name: f.Name, Type: cmdb.FieldType(f.Type), Values: f.Values, Required: f.Required, Counter: f.Counter, Description: f.Description})
		}
		custom = append(custom, k)
	}
	var err error
	if r.Registry, err = cmdb.NewRegistryWith(c.Agents.StaleAfter.Std(), c.Agents.GoneAfter.Std(), custom...); err != nil {
		bad = append(bad, under("cmdb", err)...)
	}
	silence := map[string]time.Duration{}
	for kind, d := range c.CMDB.Silence {
		silence[kind] = d.Std()
	}
	if r.Authority, err = cmdb.NewAuthority(r.Registry, c.CMDB.Authority, silence); err != nil {
		bad = append(bad, under("cmdb", err)...)
	}
	for i, p := range c.CMDB.Prometheus {
		at := fmt.Sprintf("cmdb.prometheus[%d]", i)
		client, err := prometheusClient(p, dir)
		if err != nil {
			bad = append(bad, under(at, err)...)
			continue
		}
		x, err := inventory.NewPrometheus(p.URL, client)
		if err != nil {
			bad = append(bad, under(at, err)...)
			continue
		}
		r.Prometheus = append(r.Prometheus, x)
	}
	return r, bad.Err()
}

// coverage asks the configured Prometheus now and then what they watch, for the
// metrics. It waits on them alone: one that hangs must not keep the inventory from
// ageing.
func (s *server) coverage(ctx context.Context) error {
	t := time.NewTicker(5 * time.Minute)
	defer t.Stop()
	for {
		if s.inventory.Monitored() {
			if _, err := s.inventory.Coverage(ctx, ""); err != nil && ctx.Err() == nil {
				s.log.Warn("coverage is not known", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// under puts the fields of a package's faults below their place in the file.
func under(path string, err error) fault.List {
	var list fault.List
	var one *fault.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = fault.List{one}
	default:
		return fault.List{fault.Invalidf(path, "%v", err)}
	}
	out := make(fault.List, len(list))
	for i, f := range list {
		out[i] = &fault.Error{Kind: f.Kind, Field: path + "." + f.Field, Message: f.Message}
	}
	return out
}

// credentials adds what a Prometheus wants to each request. The files are read
// each time: they are renewed under a running server.
type credentials struct {
	next               http.RoundTripper
	bearerFile         string
	user, passwordFile string
}

// RoundTrip implements http.RoundTripper.
func (c credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case c.bearerFile != "":
		s, err := secretFile(c.bearerFile)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+s)
	case c.user != "":
		s, err := secretFile(c.passwordFile)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.SetBasicAuth(c.user, s)
	}
	return c.next.RoundTrip(r)
}

func secretFile(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return s, nil
}

func prometheusClient(p config.Prometheus, dir string) (*http.Client, error) {
	beside := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	var bad fault.List
	for _, f := range []struct{ field, name string }{{"bearer_token_file", p.BearerTokenFile}, {"password_file", p.PasswordFile}} {
		if f.name == "" {
			continue
		}
		if _, err := secretFile(beside(f.name)); err != nil {
			bad = append(bad, fault.Invalidf(f.field, "%v", err))
		}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if p.CAFile != "" {
		pool := x509.NewCertPool()
		if pem, err := os.ReadFile(beside(p.CAFile)); err != nil {
			bad = append(bad, fault.Invalidf("ca_file", "%v", err))
		} else if !pool.AppendCertsFromPEM(pem) {
			bad = append(bad, fault.Invalidf("ca_file", "%s holds no certificate in PEM", p.CAFile))
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	// A redirect must not carry the credentials to somewhere else.
	return &http.Client{
		Timeout: p.TimeoutOr(), Transport: credentials{t, beside(p.BearerTokenFile), p.Username, beside(p.PasswordFile)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, bad.Err()
}
