package probe

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// socketPrivilege is what reading other users' open files needs: both together
// give root's view, one alone does not.
const socketPrivilege = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"

// Network looks at sockets and says whose they are. It remembers whom it found
// between samples, so that descriptors are read for new sockets only. Not safe
// for concurrent use.
type Network struct {
	tree      Tree
	self      int // the agent's own process, 0 where the tree is not this machine's
	round     int
	listeners map[uint32]holder // by socket inode
	edges     map[edgeAt]attribution
}

// holder is the process that held a socket when it was looked for; pid is 0
// when none could be found: the kernel's own sockets have none, and without
// privilege other users' cannot be seen.
type holder struct {
	pid   int
	start uint64
	tried int // the round of the look
}

type edgeAt struct {
	Edge
	namespace uint64
}

type attribution struct {
	seen                     int // the last round in which the edge was there
	tried                    int // the round in which its holder was looked for
	found, self              bool
	process, unit, container string
}

// forgetAfter is for how many samples an absent edge's owner is remembered.
const forgetAfter = 120

// retryAfter is after how many samples an edge without an owner is looked at
// again: reading all descriptors for it each time would be most of the work.
const retryAfter = 20

// NewNetwork returns a look at the sockets of a tree's machine.
func NewNetwork(tree Tree) *Network {
	n := &Network{tree: tree, listeners: make(map[uint32]holder), edges: make(map[edgeAt]attribution)}
	if tree.Live() {
		n.self = os.Getpid()
	}
	return n
}

// OwnedEdge is an edge with its sample and its owner.
type OwnedEdge struct {
	Edge
	EdgeSample
	Namespace string
	Process   string
	Unit      string
	Container string
	User      string // where neither process nor unit can be told
	Self      bool   // the agent's own
}

// NetworkSample is one look at every network namespace that can be seen.
type NetworkSample struct {
	Listeners []report.Listener
	Edges     []OwnedEdge
	// ListenerProblems and EdgeProblems say what is missing in each.
	ListenerProblems []report.Problem
	EdgeProblems     []report.Problem
}

// Sample looks once. procs is the process list. It may be an older one if
// refresh can bring a new one: the list is read again only when there are
// sockets whose owner is not known, which between two reports is rare.
func (n *Network) Sample(procs []*Proc, refresh func() []*Proc) NetworkSample {
	n.round++
	var listening, edging problems
	own := n.tree.OwnNamespace()
	type listenerAt struct {
		Socket
		namespace uint64
	}
	var listeners []listenerAt
	edges := make(map[edgeAt]EdgeSample)
	look := func(namespace uint64, some, all func(visit func(Socket)) error) {
		var here []Socket
		if err := some(func(s Socket) {
			if s.Listening() {
				here = append(here, s)
			}
		}); err != nil {
			listening.denied(err, socketPrivilege, "sockets")
			edging.denied(err, socketPrivilege, "sockets")
			return
		}
		for _, s := range here {
			listeners = append(listeners, listenerAt{s, namespace})
		}
		low, high := n.tree.PortRange()
		folder := NewFolder(here, low, high)
		if err := all(folder.Add); err != nil {
			edging.denied(err, socketPrivilege, "sockets")
		}
		for edge, sample := range folder.Edges() {
			edges[edgeAt{edge, namespace}] = sample
		}
	}
	look(own,
		func(visit func(Socket)) error { return n.tree.Sockets(true, visit) },
		func(visit func(Socket)) error { return n.tree.Sockets(false, visit) })
	hidden := 0
	visited := map[uint64]bool{own: true, 0: true}
	for _, p := range procs {
		if p.Namespace == 0 {
			hidden++
		}
		if visited[p.Namespace] {
			continue
		}
		visited[p.Namespace] = true
		all := func(visit func(Socket)) error { return n.tree.SocketsOf(p.PID, visit) }
		look(p.Namespace, all, all)
	}
	if hidden > 0 && n.tree.Live() {
		for _, p := range []*problems{&listening, &edging} {
			p.add(socketPrivilege, "other network namespaces: some processes' namespaces cannot be told")
		}
	}

	// Who holds what is not known yet: one walk for all of it.
	byPID := make(map[int]*Proc, len(procs))
	for _, p := range procs {
		byPID[p.PID] = p
	}
	alive := func(h holder) *Proc {
		if p := byPID[h.pid]; p != nil && p.Start == h.start {
			return p
		}
		return nil
	}
	wanted := make(map[uint32]bool)
	for _, l := range listeners {
		// Between two reports nobody asks who listens.
		have, known := n.listeners[l.Inode]
		by := alive(have)
		// What a service manager holds, its service takes over when it starts.
		waiting := by != nil && by.manages() && n.round-have.tried >= retryAfter
		if l.Inode != 0 && refresh == nil && (waiting || by == nil && (!known || have.pid != 0 || n.round-have.tried >= retryAfter)) {
			wanted[l.Inode] = true
		}
	}
	for edge, sample := range edges {
		have, known := n.edges[edge]
		if sample.Inode != 0 && (!known || !have.found && n.round-have.tried >= retryAfter) {
			wanted[sample.Inode] = true
		}
	}
	if len(wanted) > 0 && refresh != nil {
		procs = refresh()
	}
	found, skipped := n.tree.Holders(procs, wanted)

	var cgroups map[uint64]string
	home := func(id uint64) Home {
		if id <= 1 {
			return Home{}
		}
		if cgroups == nil {
			cgroups = n.tree.Cgroups()
		}
		return HomeOf(cgroups[id])
	}
	sample := NetworkSample{Listeners: make([]report.Listener, 0, len(listeners))}
	type place struct {
		protocol, address, namespace string
		port                         int
	}
	at := make(map[place]int)
	kept := make(map[uint32]holder, len(listeners))
	unresolved := 0
	var sockets []activation
	forWhom := func(l listenerAt, unit string) string {
		if unit != "init.scope" {
			return unit
		}
		if sockets == nil {
			sockets = append(n.tree.activations(), activation{})
		}
		return firstOf(activated(sockets, protocolName(l.Protocol, l.Family), l.Local.Addr(), l.Local.Port()), unit)
	}
	for _, l := range listeners {
		p := found[l.Inode]
		if p == nil {
			p = alive(n.listeners[l.Inode])
		}
		out := report.Listener{
			Protocol: protocolName(l.Protocol, l.Family), Address: l.Local.Addr().String(), Port: int(l.Local.Port()),
			Namespace: NamespaceOf(l.namespace, own),
		}
		if have, known := n.listeners[l.Inode]; known {
			kept[l.Inode] = have
		}
		if wanted[l.Inode] {
			kept[l.Inode] = holder{tried: n.round}
		}
		if p != nil {
			if have := kept[l.Inode]; have.pid != p.PID || have.start != p.Start || wanted[l.Inode] {
				kept[l.Inode] = holder{p.PID, p.Start, n.round}
			}
			product := p.Product()
			out.PID, out.Process, out.Unit, out.Container = p.PID, p.Program(), p.Home.Unit, p.Home.Container
			out.Product, out.Version = product.Name, product.Version
			if p.manages() {
				out.Unit = forWhom(l, firstOf(p.Home.Unit, "init.scope"))
			}
		} else {
			unresolved++
			at := home(l.Cgroup)
			out.Unit, out.Container = forWhom(l, at.Unit), at.Container
		}
		// Workers that share a port each have a socket of their own.
		key := place{out.Protocol, out.Address, out.Namespace, out.Port}
		if i, ok := at[key]; ok {
			if have := sample.Listeners[i]; out.PID != 0 && (have.PID == 0 || out.PID < have.PID) {
				sample.Listeners[i] = out
			}
			continue
		}
		at[key] = len(sample.Listeners)
		sample.Listeners = append(sample.Listeners, out)
	}
	n.listeners = kept
	if unresolved > 0 && (skipped > 0 || !n.mayReadDescriptors(procs)) {
		listening.add(socketPrivilege, "processes of listeners: other users' open files cannot be read")
	}
	unresolved = 0
	var users map[uint32]string
	for edge, seen := range edges {
		have, known := n.edges[edge]
		have.seen = n.round
		if wanted[seen.Inode] && seen.Inode != 0 || !known {
			if p := found[seen.Inode]; p != nil {
				have.found, have.process, have.unit, have.container = true, p.Program(), p.Home.Unit, p.Home.Container
				have.self = p.PID == n.self
			} else if !have.found {
				at := home(edge.Owner.Cgroup)
				have.unit, have.container = at.Unit, at.Container
			}
			have.tried = n.round
		}
		n.edges[edge] = have
		if edge.Owner.Held && !have.found {
			unresolved++
		}
		sample.Edges = append(sample.Edges, OwnedEdge{Edge: edge.Edge, EdgeSample: seen, Namespace: NamespaceOf(edge.namespace, own), Process: have.process, Unit: have.unit, Container: have.container, Self: have.self})
		if edge.Owner.Held && have.process == "" && have.unit == "" && have.container == "" {
			if users == nil {
				users = UserNames(n.tree)
			}
			sample.Edges[len(sample.Edges)-1].User = cmp.Or(users[edge.Owner.UID], strconv.FormatUint(uint64(edge.Owner.UID), 10))
		}
	}
	if unresolved > 0 && (skipped > 0 || !n.mayReadDescriptors(procs)) {
		edging.add(socketPrivilege, "processes of connections: other users' open files cannot be read")
	}
	for edge, have := range n.edges {
		if n.round-have.seen > forgetAfter {
			delete(n.edges, edge)
		}
	}
	slices.SortFunc(sample.Listeners, func(a, b report.Listener) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Namespace, b.Namespace))
	})
	sample.ListenerProblems, sample.EdgeProblems = listening.list, edging.list
	return sample
}

// mayReadDescriptors says whether some process of another user can be read: a
// walk that was not needed this time skipped nothing, yet may be impossible.
func (n *Network) mayReadDescriptors(procs []*Proc) bool {
	for _, p := range procs {
		if p.Exe == "" {
			return false
		}
	}
	return true
}

func protocolName(protocol, family uint8) string {
	name := "tcp"
	if protocol == unix.IPPROTO_UDP {
		name = "udp"
	}
	if family == unix.AF_INET6 {
		name += "6"
	}
	return name
}

// EdgeProtocol names an edge's protocol by the addresses it runs over.
func EdgeProtocol(e Edge) string {
	family := uint8(unix.AF_INET)
	if isV6(e.Local) {
		family = unix.AF_INET6
	}
	return protocolName(e.Protocol, family)
}

func isV6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }
