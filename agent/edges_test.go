package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/agent/probe"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func inbound(peer string, process string) probe.OwnedEdge {
	return probe.OwnedEdge{Edge: probe.Edge{Inbound: true, Protocol: unix.IPPROTO_TCP, Local: netip.MustParseAddr("198.51.100.1"), LocalPort: 443, Peer: netip.MustParseAddr(peer)},
		EdgeSample: probe.EdgeSample{Count: 1, Evidence: probe.EvidenceListener}, Process: process}
}

func TestEdgesAddUpOverSamples(t *testing.T) {
	table := newEdgeTable(time.Hour)
	for i := range 5 {
		table.add([]probe.OwnedEdge{inbound("10.0.0.9", "nginx")}, noon.Add(time.Duration(i)*30*time.Second))
	}
	got, _ := table.connections(noon.Add(2 * time.Minute))
	if len(got) != 1 || got[0].Samples != 5 || !got[0].FirstSeen.Equal(noon) || !got[0].LastSeen.Equal(noon.Add(2*time.Minute)) || got[0].Count != 1 || got[0].PeerAddress != "10.0.0.9" {
		t.Fatalf("%+v", got)
	}
	if got, _ := table.connections(noon.Add(2 * time.Hour)); len(got) != 0 {
		t.Errorf("an edge not seen for two hours is still there: %+v", got)
	}
}

func TestEdgeWithoutOwnerJoinsTheOneWithOne(t *testing.T) {
	table := newEdgeTable(time.Hour)
	table.add([]probe.OwnedEdge{inbound("10.0.0.9", "")}, noon)
	table.add([]probe.OwnedEdge{inbound("10.0.0.9", "nginx")}, noon.Add(time.Minute))
	table.add([]probe.OwnedEdge{inbound("10.0.0.9", "")}, noon.Add(2*time.Minute))
	got, _ := table.connections(noon.Add(2 * time.Minute))
	if len(got) != 1 || got[0].Process != "nginx" || got[0].Samples != 3 || !got[0].FirstSeen.Equal(noon) {
		t.Errorf("%+v", got)
	}
}

func TestManyExternalPeersFoldToPrefixes(t *testing.T) {
	table := newEdgeTable(time.Hour)
	var sample []probe.OwnedEdge
	for i := range 50000 {
		sample = append(sample, inbound(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "nginx"))
	}
	sample = append(sample, inbound("10.0.0.9", "nginx"))
	table.add(sample, noon)
	got, problems := table.connections(noon)
	if len(got) > externalPeers+1 || len(problems) != 0 {
		t.Fatalf("%d edges of 50,000 clients, problems %v", len(got), problems)
	}
	total, private := 0, 0
	for _, c := range got {
		total += c.Count
		if c.PeerAddress == "10.0.0.9" {
			private++
		} else if p, err := netip.ParsePrefix(c.PeerAddress); err != nil || !p.Contains(netip.MustParseAddr("203.0.195.79")) && !p.Addr().Is4() {
			t.Errorf("peer %q is no prefix", c.PeerAddress)
		}
	}
	if total != 50001 || private != 1 {
		t.Errorf("%d sockets in all, %d edges of the private peer", total, private)
	}
	table.add(nil, noon.Add(2*time.Hour))
	if len(table.edges)+len(table.peers)+len(table.level)+table.total != 0 {
		t.Errorf("left behind: %d edges, %d services, %d levels, total %d", len(table.edges), len(table.peers), len(table.level), table.total)
	}
}

func TestEdgeTableIsBounded(t *testing.T) {
	table := newEdgeTable(time.Hour)
	var sample []probe.OwnedEdge
	for i := range maxEdges + 100 {
		e := probe.OwnedEdge{Edge: probe.Edge{Protocol: unix.IPPROTO_TCP, Local: netip.MustParseAddr("10.0.0.1"), Peer: netip.MustParseAddr(fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255)), PeerPort: 80}}
		sample = append(sample, e)
	}
	table.add(sample, noon)
	got, problems := table.connections(noon)
	if len(got) != maxEdges || len(problems) != 1 {
		t.Errorf("%d edges, problems %v", len(got), problems)
	}
}

func outbound(local, peer string, port uint16, process string) probe.OwnedEdge {
	return probe.OwnedEdge{Edge: probe.Edge{Protocol: unix.IPPROTO_TCP, Local: netip.MustParseAddr(local), Peer: netip.MustParseAddr(peer), PeerPort: port}, EdgeSample: probe.EdgeSample{Count: 1}, Process: process}
}

func TestTheAgentsOwnTrafficIsNoEdge(t *testing.T) {
	table := newEdgeTable(time.Hour)
	table.mine = Endpoints{Mesh: 7999, Server: func() (netip.AddrPort, bool) { return netip.MustParseAddrPort("10.0.0.5:443"), true }}
	self := outbound("10.0.0.1", "10.0.0.8", 80, "watchbill-agent")
	self.Self = true
	gossiped := inbound("10.0.0.9", "")
	gossiped.LocalPort = 7999
	probed := inbound("198.51.100.1", "")
	table.add([]probe.OwnedEdge{
		self, gossiped, probed,
		outbound("10.0.0.1", "10.0.0.5", 443, ""),       // a report, closed already
		outbound("10.0.0.1", "10.0.0.9", 7999, ""),      // gossip, closed already
		outbound("127.0.0.1", "127.0.0.1", 8443, ""),    // a handshake with the host's own listener
		outbound("10.0.0.1", "10.0.0.5", 443, "curl"),   // somebody else's
		outbound("10.0.0.1", "10.0.0.6", 443, ""),       // nobody known, elsewhere
		outbound("127.0.0.1", "127.0.0.1", 5432, "app"), // a program and its database on one host
	}, noon)
	got, _ := table.connections(noon)
	var names []string
	for _, c := range got {
		names = append(names, c.Process+" "+c.PeerAddress)
	}
	if want := []string{"app 127.0.0.1", "curl 10.0.0.5", " 10.0.0.6"}; !sameStrings(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func sameStrings(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestSocketWithoutOwnerCountsForWhoCalledBefore(t *testing.T) {
	table := newEdgeTable(time.Hour)
	table.add([]probe.OwnedEdge{outbound("10.0.0.1", "10.0.0.9", 6379, "web"), outbound("10.0.0.1", "10.0.0.9", 6379, "jobs")}, noon)
	table.add([]probe.OwnedEdge{outbound("10.0.0.1", "10.0.0.9", 6379, "jobs")}, noon.Add(time.Minute))
	table.add([]probe.OwnedEdge{outbound("10.0.0.1", "10.0.0.9", 6379, "")}, noon.Add(2*time.Minute))
	got, _ := table.connections(noon.Add(2 * time.Minute))
	if len(got) != 2 || got[0].Process != "jobs" || got[0].Samples != 3 {
		t.Errorf("two programs call, and a closed socket is one of theirs: %+v", got)
	}
}
