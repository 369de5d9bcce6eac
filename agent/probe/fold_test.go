package probe_test

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/agent/probe"
)

const (
	established = 1
	timeWait    = 6
	udpClosed   = 7
	listen      = 10
	synSent     = 2
)

func tcp(state uint8, local, peer string, inode uint32) probe.Socket {
	s := probe.Socket{Protocol: unix.IPPROTO_TCP, Family: unix.AF_INET, State: state, Local: netip.MustParseAddrPort(local), Inode: inode}
	if peer != "" {
		s.Peer = netip.MustParseAddrPort(peer)
	}
	if s.Local.Addr().Is6() {
		s.Family = unix.AF_INET6
	}
	return s
}

func fold(listeners []probe.Socket, sockets ...probe.Socket) []probe.OwnedEdge {
	f := probe.NewFolder(listeners, 32768, 60999)
	for _, s := range sockets {
		f.Add(s)
	}
	var out []probe.OwnedEdge
	for e, s := range f.Edges() {
		out = append(out, probe.OwnedEdge{Edge: e, EdgeSample: s})
	}
	return out
}

func TestFoldDirections(t *testing.T) {
	for name, c := range map[string]struct {
		listeners []probe.Socket
		socket    probe.Socket
		inbound   bool
		port      uint16
		evidence  string
	}{
		"listener here":                        {[]probe.Socket{tcp(listen, "0.0.0.0:80", "", 1)}, tcp(established, "10.0.0.1:80", "10.0.0.9:40000", 2), true, 80, probe.EvidenceListener},
		"listener on an ephemeral port":        {[]probe.Socket{tcp(listen, "0.0.0.0:40001", "", 1)}, tcp(established, "10.0.0.1:40001", "10.0.0.9:50000", 2), true, 40001, probe.EvidenceListener},
		"listener on another address":          {[]probe.Socket{tcp(listen, "127.0.0.1:45000", "", 1)}, tcp(established, "10.0.0.1:45000", "10.0.0.9:443", 2), false, 443, probe.EvidencePortRange},
		"IPv6 wildcard takes IPv4":             {[]probe.Socket{tcp(listen, "[::]:80", "", 1)}, tcp(established, "10.0.0.1:80", "10.0.0.9:40000", 2), true, 80, probe.EvidenceListener},
		"client":                               {nil, tcp(established, "10.0.0.1:40000", "10.0.0.9:5432", 2), false, 5432, probe.EvidencePortRange},
		"listener gone":                        {nil, tcp(established, "10.0.0.1:8080", "10.0.0.9:40000", 2), true, 8080, probe.EvidencePortRange},
		"both ephemeral":                       {nil, tcp(established, "10.0.0.1:40000", "10.0.0.9:50000", 2), false, 50000, probe.EvidenceNoListener},
		"loopback client of an own listener":   {[]probe.Socket{tcp(listen, "127.0.0.1:45000", "", 1)}, tcp(established, "127.0.0.1:50000", "127.0.0.1:45000", 2), false, 45000, probe.EvidenceListener},
		"closed client connection, no process": {nil, tcp(timeWait, "10.0.0.1:40000", "10.0.0.9:5432", 0), false, 5432, probe.EvidencePortRange},
	} {
		got := fold(c.listeners, c.socket)
		if len(got) != 1 {
			t.Errorf("%s: %d edges", name, len(got))
			continue
		}
		e := got[0]
		port := e.PeerPort
		if e.Inbound {
			port = e.LocalPort
		}
		if e.Inbound != c.inbound || port != c.port || e.Evidence != c.evidence || e.Inbound && e.PeerPort != 0 || !e.Inbound && e.LocalPort != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestFoldDropsClientPortsAndAttempts(t *testing.T) {
	var sockets []probe.Socket
	for i := range 1000 {
		sockets = append(sockets, tcp(established, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(33000+i)).String(), "10.0.0.9:5432", uint32(i+1)))
	}
	sockets = append(sockets, tcp(synSent, "10.0.0.1:40000", "10.0.0.7:5432", 5), tcp(timeWait, "10.0.0.1:59000", "10.0.0.9:5432", 0))
	got := fold(nil, sockets...)
	if len(got) != 1 || got[0].Count != 1001 {
		t.Fatalf("%d edges, want one of 1001 sockets: %+v", len(got), got)
	}
	if got[0].Inode == 0 {
		t.Error("no socket is left to find the process by")
	}
}

func TestFoldKeepsOwnersApart(t *testing.T) {
	a, b := tcp(established, "10.0.0.1:40000", "10.0.0.9:5432", 1), tcp(established, "10.0.0.1:40001", "10.0.0.9:5432", 2)
	a.Cgroup, b.Cgroup = 7, 8
	if got := fold(nil, a, b, tcp(timeWait, "10.0.0.1:40002", "10.0.0.9:5432", 0)); len(got) != 3 {
		t.Errorf("%d edges, want one per unit and one whose owner is not known", len(got))
	}
}

func TestUDPClientsAreNoListeners(t *testing.T) {
	server := probe.Socket{Protocol: unix.IPPROTO_UDP, Family: unix.AF_INET, State: udpClosed, Local: netip.MustParseAddrPort("0.0.0.0:53")}
	client := server
	client.Local = netip.MustParseAddrPort("0.0.0.0:50000")
	answer := probe.Socket{Protocol: unix.IPPROTO_UDP, Family: unix.AF_INET, State: established, Local: netip.MustParseAddrPort("10.0.0.1:50000"), Peer: netip.MustParseAddrPort("10.0.0.9:53"), Inode: 3}
	got := fold([]probe.Socket{server, client}, answer)
	if len(got) != 1 || got[0].Inbound {
		t.Errorf("%+v", got)
	}
}

func TestAServerThatEndedIsToldByThePortThatItsSocketsShare(t *testing.T) {
	var here, there []probe.Socket
	for i := range 500 {
		client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(50000+i)).String()
		here = append(here, tcp(timeWait, "10.0.0.1:40000", client, 0))
		there = append(there, tcp(timeWait, client, "10.0.0.1:40000", 0))
	}
	if got := fold(nil, here...); len(got) != 1 || !got[0].Inbound || got[0].LocalPort != 40000 || got[0].Count != 500 || got[0].Evidence != probe.EvidenceSharedPort {
		t.Errorf("%d edges, the first %+v", len(got), got[0])
	}
	if got := fold(nil, there...); len(got) != 1 || got[0].Inbound || got[0].PeerPort != 40000 || got[0].Count != 500 {
		t.Errorf("at its client: %d edges, the first %+v", len(got), got[0])
	}
}
