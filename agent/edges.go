package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

const (
	// edgeWindow is how long an edge stays in the report after its last sight:
	// long enough for what runs every half hour not to come and go.
	edgeWindow = time.Hour
	// externalPeers and privatePeers are how many peers of one service are
	// told apart before they are folded to prefixes.
	externalPeers = 64
	privatePeers  = 1024
	// maxEdges bounds the table as a whole.
	maxEdges = 20000
)

// ends are what two sightings of one edge have in common.
type ends struct {
	inbound   bool
	protocol  string
	local     netip.Addr
	localPort uint16
	peer      netip.Prefix
	peerPort  uint16
	namespace string
	private   bool // the peer's own address was; its prefix may not show it any more
}

type edgeOwner struct{ process, unit, container, user string }

type sighting struct {
	count, samples int
	evidence       string
	first, last    time.Time
}

// service is one side of inbound edges: what peers are folded for.
type service struct {
	protocol, namespace string
	local               netip.Addr
	port                uint16
	private             bool
}

// edgeTable adds up samples of connections. Its size depends on how many
// services talk, not on how many clients they have.
type edgeTable struct {
	window  time.Duration
	edges   map[ends]map[edgeOwner]*sighting
	peers   map[service]int       // edges of each service
	level   map[service]int       // how coarsely its peers are folded
	cards   map[netip.Addr]string // of neighbours on the same links
	mine    Endpoints
	total   int
	dropped bool
}

func newEdgeTable(window time.Duration) *edgeTable {
	return &edgeTable{window: window, edges: make(map[ends]map[edgeOwner]*sighting), peers: make(map[service]int), level: make(map[service]int)}
}

// prefixes are the steps of folding: IPv4 and IPv6 prefix lengths.
var prefixes = []struct{ v4, v6 int }{{32, 128}, {24, 56}, {16, 48}, {8, 32}, {0, 0}}

func foldPeer(peer netip.Addr, level int) netip.Prefix {
	bits := prefixes[level].v6
	if peer.Is4() {
		bits = prefixes[level].v4
	}
	p, err := peer.WithZone("").Prefix(bits)
	if err != nil {
		return netip.PrefixFrom(peer.WithZone(""), peer.BitLen())
	}
	return p
}

// add takes one sample in.
func (t *edgeTable) add(sample []probe.OwnedEdge, now time.Time) {
	// The newest sample's counts replace the old ones.
	for _, owners := range t.edges {
		for _, s := range owners {
			s.count = 0
		}
	}
	for _, e := range sample {
		if t.mine.own(e) {
			continue
		}
		key := ends{inbound: e.Inbound, protocol: probe.EdgeProtocol(e.Edge), local: e.Local, localPort: e.LocalPort, peerPort: e.PeerPort, namespace: e.Namespace, private: isPrivate(e.Peer)}
		key.peer = foldPeer(e.Peer, 0)
		if s := serviceOf(key); e.Inbound {
			key.peer = foldPeer(e.Peer, t.level[s])
		}
		t.see(key, edgeOwner{e.Process, e.Unit, e.Container, e.User}, sighting{count: e.Count, samples: 1, evidence: e.Evidence, first: now, last: now})
	}
	t.expire(now)
}

func serviceOf(key ends) service {
	return service{protocol: key.protocol, namespace: key.namespace, local: key.local, port: key.localPort, private: key.private}
}

func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

// sharedSpace is RFC 6598's range, which clusters and carriers use inside.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// Endpoints are where the agent itself calls and is called. A closed socket no longer
// says whose it was: what led there and has no owner was the agent's.
type Endpoints struct {
	Mesh   uint16                        // the port of its mesh, 0 for none
	Server func() (netip.AddrPort, bool) // where its reports went last; nil for nowhere
	// Resolvers are the host's name servers: everything on it asks them, the agent too.
	Resolvers []netip.Addr
}

const dnsPort = 53

// own says that an edge is the agent's own traffic: its reports, its gossip, its
// handshakes with the host's own listeners.
func (m Endpoints) own(e probe.OwnedEdge) bool {
	if e.Self {
		return true
	}
	if e.Process != "" || e.Unit != "" || e.Container != "" || e.User != "" {
		return false
	}
	switch {
	case e.Inbound:
		return e.Local == e.Peer || m.Mesh != 0 && e.LocalPort == m.Mesh
	case e.Local == e.Peer || e.Peer.IsLoopback(): // within the host a nameless client is a probe or somebody's test
		return true
	case m.Mesh != 0 && e.PeerPort == m.Mesh:
		return true
	case e.PeerPort == dnsPort && slices.Contains(m.Resolvers, e.Peer):
		return true
	}
	if m.Server != nil {
		at, ok := m.Server()
		return ok && at.Addr() == e.Peer && at.Port() == e.PeerPort
	}
	return false
}

// see adds a sighting. Without an owner (TIME_WAIT, or no privilege) it counts
// for an owner known for these ends, whichever spoke last; with one it takes over
// what was seen without.
func (t *edgeTable) see(key ends, owner edgeOwner, s sighting) {
	owners := t.edges[key]
	if owners == nil {
		if t.total >= maxEdges {
			t.dropped = true
			return
		}
		owners = make(map[edgeOwner]*sighting, 1)
		t.edges[key] = owners
		if key.inbound {
			t.peers[serviceOf(key)]++
		}
	}
	nobody := edgeOwner{}
	if owner == nobody {
		owner = latest(owners)
	}
	if have, ok := owners[nobody]; ok && owner != nobody {
		delete(owners, nobody)
		t.total--
		s.merge(*have)
	}
	have := owners[owner]
	if have == nil {
		kept := s
		owners[owner] = &kept
		t.total++
	} else {
		have.merge(s)
	}
	if key.inbound {
		t.limit(serviceOf(key))
	}
}

// latest is the owner that was seen last; of two the first by name.
func latest(owners map[edgeOwner]*sighting) edgeOwner {
	var best edgeOwner
	var at time.Time
	name := func(o edgeOwner) string { return o.unit + " " + o.process + " " + o.container + " " + o.user }
	for o, s := range owners {
		if s.last.After(at) || s.last.Equal(at) && name(o) < name(best) {
			best, at = o, s.last
		}
	}
	return best
}

// merge joins two sightings of one edge; two in the same sample are one sample.
func (s *sighting) merge(other sighting) {
	s.count += other.count
	if other.last.Equal(s.last) {
		s.samples = max(s.samples, other.samples)
	} else {
		s.samples += other.samples
	}
	if other.first.Before(s.first) {
		s.first = other.first
	}
	if other.last.After(s.last) {
		s.last = other.last
	}
	if s.evidence == "" || other.evidence == probe.EvidenceListener {
		s.evidence = other.evidence
	}
}

// limit folds a service's peers more coarsely once there are too many.
func (t *edgeTable) limit(s service) {
	most := externalPeers
	if s.private {
		most = privatePeers
	}
	for t.peers[s] > most && t.level[s] < len(prefixes)-1 {
		t.level[s]++
		moved := make(map[ends]map[edgeOwner]*sighting)
		for key, owners := range t.edges {
			if key.inbound && serviceOf(key) == s {
				moved[key] = owners
			}
		}
		for key, owners := range moved {
			delete(t.edges, key)
			t.total -= len(owners)
		}
		t.peers[s] = 0
		for key, owners := range moved {
			coarse := key
			coarse.peer = foldPeer(key.peer.Addr(), t.level[s])
			target := t.edges[coarse]
			if target == nil {
				target = make(map[edgeOwner]*sighting, len(owners))
				t.edges[coarse] = target
				t.peers[s]++
			}
			for owner, seen := range owners {
				if have := target[owner]; have != nil {
					have.merge(*seen)
				} else {
					target[owner] = seen
					t.total++
				}
			}
		}
	}
}

func (t *edgeTable) expire(now time.Time) {
	for key, owners := range t.edges {
		for owner, s := range owners {
			if now.Sub(s.last) > t.window {
				delete(owners, owner)
				t.total--
			}
		}
		if len(owners) == 0 {
			delete(t.edges, key)
			if key.inbound {
				s := serviceOf(key)
				if t.peers[s]--; t.peers[s] <= 0 {
					delete(t.peers, s)
					delete(t.level, s)
				}
			}
		}
	}
}

// connections prints the table as a section.
func (t *edgeTable) connections(now time.Time) ([]report.Connection, []report.Problem) {
	t.expire(now)
	var problems []report.Problem
	if t.dropped {
		problems = append(problems, report.Problem{Reason: fmt.Sprintf("connections: more than %d edges at once, the others are left out", maxEdges)})
		t.dropped = false
	}
	out := make([]report.Connection, 0, t.total)
	for key, owners := range t.edges {
		for owner, s := range owners {
			c := report.Connection{
				Direction: "outbound", Protocol: key.protocol, LocalAddress: key.local.String(), LocalPort: int(key.localPort), PeerPort: int(key.peerPort),
				Process: owner.process, Unit: owner.unit, Container: owner.container, User: owner.user, Namespace: key.namespace,
				Count: s.count, Samples: s.samples, Evidence: s.evidence, FirstSeen: s.first.UTC(), LastSeen: s.last.UTC(),
			}
			if key.inbound {
				c.Direction = "inbound"
			}
			c.PeerAddress = key.peer.Addr().String()
			if key.private && key.namespace == "" && key.peer.IsSingleIP() {
				c.PeerMAC = t.cards[key.peer.Addr()]
			}
			if key.peer.Bits() != key.peer.Addr().BitLen() {
				c.PeerAddress = key.peer.String()
			}
			out = append(out, c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return edgeLess(out[i], out[j]) })
	return out, problems
}

// edgeLess orders edges by what names them, so that equal sets print equally.
func edgeLess(a, b report.Connection) bool {
	switch {
	case a.Direction != b.Direction:
		return a.Direction < b.Direction
	case a.Protocol != b.Protocol:
		return a.Protocol < b.Protocol
	case a.LocalPort != b.LocalPort:
		return a.LocalPort < b.LocalPort
	case a.PeerAddress != b.PeerAddress:
		return a.PeerAddress < b.PeerAddress
	case a.PeerPort != b.PeerPort:
		return a.PeerPort < b.PeerPort
	case a.LocalAddress != b.LocalAddress:
		return a.LocalAddress < b.LocalAddress
	case a.Namespace != b.Namespace:
		return a.Namespace < b.Namespace
	case a.Unit != b.Unit:
		return a.Unit < b.Unit
	case a.Process != b.Process:
		return a.Process < b.Process
	}
	return a.Container < b.Container
}
