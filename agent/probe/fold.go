package probe

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// How an edge's direction is known, strongest first.
const (
	EvidenceListener   = "listener"    // the local port is one that somebody here listens on
	EvidenceNoListener = "no_listener" // nobody here listens on it and both ports could be a client's or a server's
	EvidencePortRange  = "port_range"  // the port within ip_local_port_range is the client's
	EvidenceSharedPort = "shared_port" // the port that many of the sockets share is the server's
)

// Owner is what the kernel says about whose socket it is, before any process
// is looked at. The zero Owner is a socket that no process holds any more.
type Owner struct {
	Cgroup uint64
	UID    uint32
	Held   bool
}

// Edge is what sockets of one kind of connection have in common: the client's
// port is dropped, so that a thousand requests are one edge.
type Edge struct {
	Inbound   bool
	Protocol  uint8
	Local     netip.Addr
	LocalPort uint16 // inbound only
	Peer      netip.Addr
	PeerPort  uint16 // outbound only
	Owner     Owner
}

// EdgeSample is what one look at the sockets said about an edge.
type EdgeSample struct {
	Count    int
	Inode    uint32 // of one socket that a process holds, 0 when none is held
	Evidence string
}

// Folder folds sockets of one network namespace to edges. It holds one entry
// per edge, not per socket, so 50,000 sockets cost little memory.
type Folder struct {
	listening map[listenKey][]listenAt
	low, high uint16
	edges     map[Edge]EdgeSample
	unsure    []Socket // both ports may be a client's, and nobody here listens
}

type listenKey struct {
	protocol uint8
	port     uint16
}

type listenAt struct {
	address netip.Addr
	v6Only  bool
}

// NewFolder returns a folder for a namespace with these listeners and this
// range of ephemeral ports.
func NewFolder(listeners []Socket, low, high uint16) *Folder {
	f := &Folder{listening: make(map[listenKey][]listenAt, len(listeners)), low: low, high: high, edges: make(map[Edge]EdgeSample)}
	for _, l := range listeners {
		if !l.Listening() {
			continue
		}
		// A client's unconnected UDP socket looks like a server's; only the
		// port tells. Taken as a listener it would turn its answers around.
		if l.Protocol == unix.IPPROTO_UDP && f.ephemeral(l.Local.Port()) {
			continue
		}
		key := listenKey{l.Protocol, l.Local.Port()}
		f.listening[key] = append(f.listening[key], listenAt{l.Local.Addr(), l.V6Only})
	}
	return f
}

func (f *Folder) ephemeral(port uint16) bool { return port >= f.low && port <= f.high }

// listens says whether somebody here takes connections to an address.
func (f *Folder) listens(protocol uint8, at netip.AddrPort) bool {
	for _, l := range f.listening[listenKey{protocol, at.Port()}] {
		switch {
		case l.address == at.Addr():
			return true
		case !l.address.IsUnspecified():
		case l.address.Is4() == at.Addr().Is4(), l.address.Is6() && !l.v6Only:
			return true
		}
	}
	return false
}

// Add folds one socket in; one that is no connection is ignored.
func (f *Folder) Add(s Socket) {
	if !s.Connected() || !s.Peer.IsValid() || s.Peer.Addr().IsUnspecified() {
		return
	}
	edge := Edge{Protocol: s.Protocol, Local: s.Local.Addr(), Peer: s.Peer.Addr()}
	var evidence string
	switch local, peer := f.ephemeral(s.Local.Port()), f.ephemeral(s.Peer.Port()); {
	case f.listens(s.Protocol, s.Local):
		edge.Inbound, evidence = true, EvidenceListener
	case f.listens(s.Protocol, s.Peer) && s.Local.Addr() == s.Peer.Addr():
		evidence = EvidenceListener // the other end of a connection within the host
	case !local && peer:
		edge.Inbound, evidence = true, EvidencePortRange
	case local && !peer:
		evidence = EvidencePortRange
	case local && peer:
		f.unsure = append(f.unsure, s)
		return
	default:
		evidence = EvidenceNoListener
	}
	f.count(s, edge, evidence)
}

// weighUnsure tells the direction of what neither listeners nor the range of ports do: a
// server on a port of that range that has just ended leaves thousands of sockets
// with its port on one side and a different one on the other.
func (f *Folder) weighUnsure() {
	type end struct {
		protocol uint8
		at       netip.AddrPort
	}
	here, there := make(map[end]int), make(map[end]int)
	for _, s := range f.unsure {
		here[end{s.Protocol, s.Local}]++
		there[end{s.Protocol, s.Peer}]++
	}
	for _, s := range f.unsure {
		edge := Edge{Protocol: s.Protocol, Local: s.Local.Addr(), Peer: s.Peer.Addr()}
		evidence := EvidenceNoListener
		if l, p := here[end{s.Protocol, s.Local}], there[end{s.Protocol, s.Peer}]; l != p {
			edge.Inbound, evidence = l > p, EvidenceSharedPort
		}
		f.count(s, edge, evidence)
	}
	f.unsure = nil
}

// count adds a socket whose direction is known to its edge.
func (f *Folder) count(s Socket, edge Edge, evidence string) {
	if edge.Inbound {
		edge.LocalPort = s.Local.Port()
	} else {
		edge.PeerPort = s.Peer.Port()
	}
	if s.Inode != 0 {
		edge.Owner = Owner{Cgroup: s.Cgroup, UID: s.UID, Held: true}
	}
	sample := f.edges[edge]
	sample.Count++
	if sample.Inode == 0 {
		sample.Inode = s.Inode
	}
	if sample.Evidence == "" || evidence == EvidenceListener {
		sample.Evidence = evidence
	}
	f.edges[edge] = sample
}

// Edges returns what was folded. Sockets that no process holds any more count
// towards the one owner that is known for the same ends, if there is just one:
// a connection in TIME_WAIT is the same service's.
func (f *Folder) Edges() map[Edge]EdgeSample {
	f.weighUnsure()
	owners := make(map[Edge][]Owner)
	for edge := range f.edges {
		if edge.Owner.Held {
			owner := edge.Owner
			edge.Owner = Owner{}
			owners[edge] = append(owners[edge], owner)
		}
	}
	for edge, sample := range f.edges {
		if edge.Owner.Held || len(owners[edge]) != 1 {
			continue
		}
		held := edge
		held.Owner = owners[edge][0]
		known := f.edges[held]
		known.Count += sample.Count
		f.edges[held] = known
		delete(f.edges, edge)
	}
	return f.edges
}
