package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

// This file tells traffic that means a dependency from traffic that does not: the
// product's own, and what only measures.

const (
	// agentProgram and serverProgram are the product's own. What an agent sends, and
	// what its mesh gossips, is no dependency of the machine that it stands on.
	agentProgram  = "watchbill-agent"
	serverProgram = "watchbill"
	// meshPort is where agents gossip unless configured otherwise.
	meshPort = 7471
	// watches is the relation of what measures to what it measures.
	watches = "watches"
)

// monitors are programs that call others to measure them. Losing what they measure
// is what they are there to tell.
var monitors = map[string]bool{
	"prometheus": true, "prometheus-server": true, "vmagent": true, "victoria-metrics": true, "victoriametrics": true, "vmsingle": true, "grafana-agent": true, "alloy": true,
	"telegraf": true, "otelcol": true, "otelcol-contrib": true, "opentelemetry-collector": true, "datadog-agent": true, "netdata": true, "zabbix_server": true, "zabbix-server": true,
	"zabbix_proxy": true, "icinga2": true, "nagios": true, "nagios4": true, "naemon": true, "munin-update": true, "collectd": true, "checkmk": true, "uptime-kuma": true, "gatus": true,
}

// needed by a monitor all the same: where it sends what it found.
var notMeasured = map[string]bool{"alertmanager": true, "prometheus-alertmanager": true, "mimir": true, "thanos": true, "cortex": true, "kafka": true, serverProgram: true}

// isExporter says that a program is there to be scraped.
func isExporter(program string) bool {
	return strings.HasSuffix(program, "_exporter") || strings.HasSuffix(program, "-exporter") || program == "cadvisor" || program == "zabbix_agentd" || program == "zabbix_agent2" || program == "node-exporter"
}

// programOf is what an item runs, as narrowly as is known: its unit or program, lower case.
func (inv *Inventory) programOf(o uint32) string {
	e := &inv.mem.entries[o]
	return strings.ToLower(cmp.Or(baseName(e.key), inv.mem.text(o, "process")))
}

// is says that an item runs a program, under whatever unit.
func (inv *Inventory) is(o uint32, program string) bool {
	return inv.programOf(o) == program || inv.mem.text(o, "process") == program
}

// measures says that a call from one program to another is a measurement.
func (inv *Inventory) measures(caller string, to uint32) bool {
	target := inv.programOf(to)
	if isExporter(target) || isExporter(inv.mem.text(to, "process")) {
		return true
	}
	return (monitors[caller] || isExporter(caller)) && !notMeasured[target]
}

// ownTraffic says that a connection is an agent's: its reports, its gossip, its probes.
func ownTraffic(c report.Connection) bool {
	return c.Process == agentProgram || baseName(unitKey(c.Unit)) == agentProgram
}

// refused says that an edge is one that no report may make: from a whole machine to
// what one program on it called, or of the product's own agents. Older versions did.
func (inv *Inventory) refused(o uint32, e edge) bool {
	m := inv.mem
	if m.kinds[e.kind] != dependsOn {
		return false
	}
	if e.from == o || m.entries[e.from].host != nil {
		return true
	}
	return inv.is(e.from, agentProgram) || inv.is(e.to, agentProgram)
}

// forget joins again the edges of machines whose edges of an older version are
// refused now.
func (b *batch) forget() error {
	inv := b.inv
	for o := range inv.mem.entries {
		e := &inv.mem.entries[o]
		if e.host == nil || !slices.ContainsFunc(e.host.asserted, func(x edge) bool { return inv.refused(uint32(o), x) }) {
			continue
		}
		if err := b.join(e.id, false); err != nil {
			return err
		}
	}
	return nil
}

// sharedSpace is RFC 6598's range, which clusters and carriers use inside.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// neighbourly says that an address can only be of one's own estate: one machine of
// it is an item, not a network of strangers.
func neighbourly(a netip.Addr) bool { return a.IsPrivate() || sharedSpace.Contains(a) }

// nowhere says that an address means no one machine: a group, or a link's own.
func nowhere(a netip.Addr) bool {
	return a.IsMulticast() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Keys of what calls others and is no service.
const (
	clientKey    = "client:"
	userKey      = "user:"
	maxClients   = 16 // programs of one machine that are told apart; the others are one item
	unknownNames = "unknown-client"
)

// clientFor finds or makes the item of a machine's programs that call others and are
// no service: by program or user where it is known. What they call fails them and
// nothing else of the machine.
func (b *batch) clientFor(machine uint32, owner string) (uint32, error) {
	m := b.inv.mem
	key, base := clientKey, unknownNames
	if program, ok := strings.CutPrefix(owner, "process:"); ok && program != "" {
		key, base = clientKey+program, program
	} else if user, ok := strings.CutPrefix(owner, userKey); ok {
		key, base = clientKey+owner, "user-"+user
	}
	named := 0
	for _, ch := range m.entries[machine].children {
		if k := m.entries[ch].key; k == key {
			return ch, b.keepClient(machine, ch, base)
		} else if strings.HasPrefix(k, clientKey) && k != clientKey {
			named++
		}
	}
	if key != clientKey && named >= maxClients {
		return b.clientFor(machine, "")
	}
	e := &m.entries[machine]
	c := &cmdb.CI{
		ID: b.inv.newID(), Class: "client", Name: base + "@" + e.name, Parent: e.id, Key: key, Source: cmdb.SourceAgent,
		Attributes: cmdb.Attributes{}, FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Seen,
	}
	if key != clientKey {
		for k, v := range values("process", strings.TrimPrefix(owner, "process:"), "user", "") {
			if v != nil && !strings.HasPrefix(owner, userKey) {
				c.Attributes[k] = v
			}
		}
		if user, ok := strings.CutPrefix(owner, userKey); ok {
			c.Attributes["user"] = user
		}
	}
	b.putCI(nil, c, cmdb.SourceAgent)
	return m.byID[c.ID], nil
}

// keepClient brings a known client's name and life up to date with its machine's.
func (b *batch) keepClient(machine, client uint32, base string) error {
	m := b.inv.mem
	name := base + "@" + m.entries[machine].name
	if e := &m.entries[client]; e.name == name && e.missing == 0 && (e.live == seen || e.live == recorded) {
		return nil
	}
	old, err := b.ci(m.entries[client].id)
	if err != nil || old == nil {
		return err
	}
	c := old.Clone()
	c.Name, c.Missing = name, time.Time{}
	b.alive(c)
	b.putCI(old, c, cmdb.SourceAgent)
	return nil
}
