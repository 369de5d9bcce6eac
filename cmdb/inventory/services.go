package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

// child is something found on a machine that becomes an item of its own.
type child struct {
	key, class, base string
	values           map[string]any
}

// unitKey is a service's key on its machine: stable through restarts and renames
// of the machine. "" for units that are no service (sessions, scopes, users).
func unitKey(unit string) string {
	base, ok := strings.CutSuffix(unit, ".service")
	if !ok {
		if base, ok = strings.CutSuffix(unit, ".socket"); !ok {
			return ""
		}
	}
	if strings.HasPrefix(base, "user@") || strings.HasPrefix(base, "session-") {
		return ""
	}
	return "unit:" + base
}

// ownerKey says which service a listener belongs to, as narrowly as is known.
func ownerKey(l report.Listener) string {
	proto := strings.TrimSuffix(l.Protocol, "6")
	switch {
	case l.Container != "":
		return "container:" + l.Container + "/" + cmp.Or(l.Process, fmt.Sprintf("%s-%d", proto, l.Port))
	case unitKey(l.Unit) != "":
		return unitKey(l.Unit)
	case l.Process != "":
		return "process:" + l.Process
	}
	return fmt.Sprintf("port:%s-%d", proto, l.Port)
}

func connKey(c report.Connection) string {
	if k := unitKey(c.Unit); k != "" && c.Container == "" {
		return k
	}
	switch {
	case c.Container != "":
		return "container:" + c.Container + "/" + c.Process
	case c.Process != "":
		return "process:" + c.Process
	case c.User != "":
		return userKey + c.User
	}
	return ""
}

func ownerName(l report.Listener) string { return baseName(ownerKey(l)) }

func baseName(key string) string {
	_, base, _ := strings.Cut(key, ":")
	if _, process, ok := strings.Cut(base, "/"); ok && strings.HasPrefix(key, "container:") {
		return process
	}
	return base
}

// listenKeys names every open port.
func listenKeys(ls []report.Listener) map[string]report.Listener {
	out := map[string]report.Listener{}
	for _, l := range ls {
		if listens(l) {
			out[fmt.Sprintf("%s/%d", strings.TrimSuffix(l.Protocol, "6"), l.Port)] = l
		}
	}
	return out
}

// listens leaves out what no one can depend on: a UDP socket on a high port is a
// client's, which the kernel shows no other way.
func listens(l report.Listener) bool {
	if l.Forward != "" {
		return false // what is passed on to elsewhere is served there
	}
	return !strings.HasPrefix(l.Protocol, "udp") || l.Port < 32768
}

// products give well-known servers their class.
var products = map[string]string{
	"postgresql": "database", "postgres": "database", "mysql": "database", "mysqld": "database", "mariadb": "database", "mariadbd": "database",
	"mongodb": "database", "mongod": "database", "etcd": "database", "cassandra": "database", "clickhouse": "database", "clickhouse-server": "database",
	"elasticsearch": "database", "opensearch": "database", "influxdb": "database", "influxd": "database", "couchdb": "database", "cockroach": "database",
	"redis": "cache", "redis-server": "cache", "valkey": "cache", "valkey-server": "cache", "memcached": "cache",
	"rabbitmq": "queue", "rabbitmq-server": "queue", "kafka": "queue", "nats-server": "queue", "mosquitto": "queue", "activemq": "queue",
	"haproxy": "loadbalancer", "envoy": "loadbalancer", "traefik": "loadbalancer",
	"ceph-osd": "storage", "ceph-mon": "storage", "minio": "storage", "glusterd": "storage",
}

func classOf(product, base string) string {
	for _, n := range []string{product, base} {
		n, _, _ = strings.Cut(strings.ToLower(n), "@")
		if c := products[n]; c != "" {
			return c
		}
	}
	return "service"
}

// services derives the services of a machine: what listens, and what calls
// others. The result depends on the newest sections only.
func services(units []report.Service, listeners []report.Listener, conns []report.Connection, containers []report.Container, certs []report.Certificate) []child {
	type found struct {
		child
		ports            []int
		product, version string
		unit, process    string
	}
	all := map[string]*found{}
	at := func(key string) *found {
		if all[key] == nil {
			all[key] = &found{child: child{key: key, base: baseName(key)}}
		}
		return all[key]
	}
	names := map[string]string{}
	for _, c := range containers {
		names[c.ID] = cmp.Or(c.Name, shortID(c.ID))
	}
	for _, l := range listeners {
		if !listens(l) {
			continue
		}
		f := at(ownerKey(l))
		if l.Namespace == "" && !slices.Contains(f.ports, l.Port) {
			f.ports = append(f.ports, l.Port) // a port of another network namespace is not this machine's
		}
		f.product, f.version = cmp.Or(f.product, l.Product), cmp.Or(f.version, l.Version)
		f.unit, f.process = cmp.Or(f.unit, l.Unit), cmp.Or(f.process, l.Process)
		if n := names[l.Container]; n != "" {
			f.base = n
		}
	}
	for _, c := range conns {
		// Without a unit it may be anybody's shell: that is no service.
		if k := unitKey(c.Unit); c.Direction == "outbound" && k != "" && c.Container == "" && !ownTraffic(c) && !loopback(c.PeerAddress) {
			f := at(k)
			f.unit, f.process = cmp.Or(f.unit, c.Unit), cmp.Or(f.process, c.Process)
		}
	}
	states := map[string]string{}
	for _, u := range units {
		if k := unitKey(u.Name); k != "" && strings.HasSuffix(u.Name, ".service") {
			states[k] = u.State
		}
	}
	out := make([]child, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		f := all[key]
		slices.Sort(f.ports)
		f.class = classOf(f.product, f.base)
		f.values = values("ports", f.ports, "unit", f.unit, "process", f.process, "product", f.product, "version", f.version, "state", states[key])
		out = append(out, f.child)
	}
	for _, c := range containers {
		out = append(out, child{key: "container:" + c.ID, class: "container", base: cmp.Or(c.Name, shortID(c.ID)),
			values: values("image", c.Image, "runtime", c.Runtime, "container_id", c.ID, "state", c.State, "namespace", c.Namespace, "pod", c.Pod)})
	}
	return append(out, certificates(certs)...)
}

// trustStores hold the certificates that a machine trusts, not its own.
var trustStores = []string{"/etc/ssl/certs/", "/usr/share/ca-certificates/", "/usr/local/share/ca-certificates/", "/etc/pki/ca-trust/", "/etc/ca-certificates/"}

// certificates lists the machine's own certificates: they expire, and what
// listens with them fails.
func certificates(list []report.Certificate) []child {
	byPrint := map[string]child{}
	for _, c := range list {
		if slices.ContainsFunc(trustStores, func(p string) bool { return strings.HasPrefix(c.Location, p) }) {
			continue
		}
		name := commonName(c.Subject)
		if name == "" && len(c.DNSNames) > 0 {
			name = c.DNSNames[0]
		}
		v := values("fingerprint", c.Fingerprint, "subject", c.Subject, "issuer", c.Issuer, "serial", c.Serial, "dns_names", c.DNSNames, "aliases", c.DNSNames,
			"not_before", day(c.NotBefore), "not_after", day(c.NotAfter), "path", c.Location)
		if p, ok := strings.CutPrefix(c.Location, "listener:"); ok {
			v["path"], v["listener_port"] = nil, cmdb.Normalize(p)
		}
		key := "certificate:" + c.Fingerprint
		if have, ok := byPrint[key]; ok { // in a file and on a port: the port says more
			for k, x := range v {
				if x != nil {
					have.values[k] = x
				}
			}
			continue
		}
		byPrint[key] = child{key: key, class: "certificate", base: cmp.Or(name, shortID(c.Fingerprint)), values: v}
	}
	out := make([]child, 0, len(byPrint))
	for _, k := range slices.Sorted(maps.Keys(byPrint)) {
		out = append(out, byPrint[k])
	}
	return out
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func commonName(subject string) string {
	for part := range strings.SplitSeq(subject, ",") {
		if n, ok := strings.CutPrefix(strings.TrimSpace(part), "CN="); ok {
			return n
		}
	}
	return ""
}

func shortID(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

func loopback(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Unmap().IsLoopback()
}
