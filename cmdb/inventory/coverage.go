package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
)

// Prometheus reads what a Prometheus scrapes and alerts on, from its HTTP API.
type Prometheus struct {
	base   *url.URL
	client *http.Client
}

// NewPrometheus names a Prometheus by its base URL, such as
// http://prometheus:9090/. client decides time-outs and credentials.
func NewPrometheus(base string, client *http.Client) (*Prometheus, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fault.Invalidf("prometheus.url", "want an http or https URL, got %q", base)
	}
	return &Prometheus{u, client}, nil
}

// answerMost bounds one answer of a Prometheus.
const answerMost = 256 << 20

func (p *Prometheus) get(ctx context.Context, path, query string, data any) error {
	u := p.base.JoinPath(path)
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("ask Prometheus: %w", err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fault.Unavailablef("Prometheus at %s does not answer: %v", p.base.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fault.Unavailablef("Prometheus at %s answers %s to %s", p.base.Host, resp.Status, path)
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerMost)).Decode(&answer); err != nil {
		return fault.Unavailablef("Prometheus at %s answers what is no API answer: %v", p.base.Host, err)
	}
	if answer.Status != "success" {
		return fault.Unavailablef("Prometheus at %s: %s", p.base.Host, answer.Error)
	}
	return nil
}

// Targets lists the active targets.
func (p *Prometheus) Targets(ctx context.Context) ([]cmdb.Target, error) {
	var data struct {
		ActiveTargets []struct {
			Labels           map[string]string `json:"labels"`
			DiscoveredLabels map[string]string `json:"discoveredLabels"`
			Health           string            `json:"health"`
		} `json:"activeTargets"`
	}
	if err := p.get(ctx, "/api/v1/targets", "state=active", &data); err != nil {
		return nil, err
	}
	out := make([]cmdb.Target, 0, len(data.ActiveTargets))
	for _, t := range data.ActiveTargets {
		out = append(out, cmdb.Target{Job: t.Labels["job"], Instance: t.Labels["instance"], Address: p.placed(t.DiscoveredLabels["__address__"]), Up: t.Health == "up"})
	}
	return out, nil
}

// placed turns a loopback address, which means Prometheus' own machine, into one by
// which the inventory may know that machine.
func (p *Prometheus) placed(address string) string {
	loopback := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && ip.IsLoopback()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !loopback(host) {
		return address
	}
	own := p.base.Hostname()
	if loopback(own) {
		if own, err = os.Hostname(); err != nil {
			return address
		}
	}
	return net.JoinHostPort(own, port)
}

// Rules lists the alerting rules.
func (p *Prometheus) Rules(ctx context.Context) ([]cmdb.Rule, error) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Query, Type string } `json:"rules"`
		} `json:"groups"`
	}
	if err := p.get(ctx, "/api/v1/rules", "type=alert", &data); err != nil {
		return nil, err
	}
	var out []cmdb.Rule
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			if r.Type == "alerting" {
				out = append(out, cmdb.Rule{Name: r.Name, Query: r.Query})
			}
		}
	}
	return out, nil
}

// Monitored says that a Prometheus is configured.
func (inv *Inventory) Monitored() bool { return len(inv.rules.Load().Prometheus) > 0 }

// Coverage tells which machines and open ports of those that match a query
// (empty: every machine that is not retired) no target or no rule of the
// configured Prometheus watches. Without one it is fault.Conflict; one that does
// not answer is fault.Unavailable.
func (inv *Inventory) Coverage(ctx context.Context, query string) (cmdb.Coverage, error) {
	sources := inv.rules.Load().Prometheus
	if len(sources) == 0 {
		return cmdb.Coverage{}, fault.Conflictf("no Prometheus is configured: name one under cmdb.prometheus in the configuration")
	}
	if err := inv.CheckQuery(query); err != nil {
		return cmdb.Coverage{}, err
	}
	var targets []cmdb.Target
	var rules []cmdb.Rule
	for _, p := range sources {
		t, err := p.Targets(ctx)
		if err != nil {
			return cmdb.Coverage{}, err
		}
		r, err := p.Rules(ctx)
		if err != nil {
			return cmdb.Coverage{}, err
		}
		targets, rules = append(targets, t...), append(rules, r...)
	}
	watched, err := inv.watched(query)
	if err != nil {
		return cmdb.Coverage{}, err
	}
	c := cmdb.Cover(watched, targets, rules)
	if query == "" {
		inv.stats.covered(c)
	}
	return c, nil
}

// watched lists the machines that match and the services found on them.
func (inv *Inventory) watched(query string) ([]cmdb.Watched, error) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	set, err := inv.matching(query)
	if err != nil {
		return nil, err
	}
	m := inv.mem
	run := m.kind(runsOn)
	var out []cmdb.Watched
	for it := set.Iterator(); it.HasNext(); {
		o := it.Next()
		e := &m.entries[o]
		class := m.classes[e.class]
		life := m.text(o, "lifecycle")
		if (class != "host" && class != "virtual_machine" && class != "hypervisor") || e.live == gone || life == "retired" || life == "disposed" {
			continue
		}
		names := append([]string{e.name}, m.texts(o, "hostname", "fqdn", "addresses", "alias")...)
		out = append(out, cmdb.Watched{CI: e.id, Class: class, Name: e.name, Names: names})
		for _, l := range e.in {
			s := &m.entries[l.ord]
			if l.kind != run || s.live == gone || s.missing != 0 || everywhere[strings.TrimPrefix(s.key, "unit:")] {
				continue
			}
			w := cmdb.Watched{CI: s.id, Class: m.classes[s.class], Name: s.name, Names: names}
			for _, p := range inv.portsOf(l.ord) {
				w.Ports = append(w.Ports, int(p))
			}
			if len(w.Ports) > 0 {
				out = append(out, w)
			}
		}
	}
	return out, nil
}

// texts returns an item's indexed values of several columns.
func (m *memory) texts(o uint32, columns ...string) []string {
	var out []string
	for _, name := range columns {
		col := m.columns[name]
		if col == nil {
			continue
		}
		for _, t := range m.entries[o].terms {
			if t.column == col.number {
				out = append(out, col.values[t.value].text)
			}
		}
	}
	return out
}
