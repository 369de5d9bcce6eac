package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Brief sees the connections that open and close between two samples. The kernel
// tells of each socket that ends (with CAP_NET_ADMIN); it does not tell whose it was,
// so that a quick look at what is open, many times a second as far as that costs next
// to nothing, finds the owners of what comes back. It is safe for concurrent use.
type Brief struct {
	tree  Tree
	procs *Processes

	mu     sync.Mutex
	folder *Folder
	owned  map[Edge]OwnedEdge
	known  map[callee]time.Time // whose owner was found, and when
	hunted map[callee]*hunt     // whose owner is not known
	deaf   bool                 // the kernel does not tell of ends
	kept   int
}

// callee is what a connection was made to.
type callee struct {
	protocol uint8
	peer     netip.AddrPort
}

// hunt is the search for the owner of what calls one place now and then.
type hunt struct{ began, last time.Time }

const (
	// While an owner is hunted, looks may cost a fiftieth of a processor: connections of a
	// program that opens one for each request live for a millisecond. It ends after
	// huntFor, so that what cannot be found costs nothing in the long run.
	huntShare  = 50
	huntBetter = time.Millisecond
	huntFor    = 2 * time.Minute
	huntMost   = 64 // at a time
	// lookShare bounds what quick looks cost: a look of a millisecond is taken twice a second.
	lookShare   = 500
	looksBetter = 100 * time.Millisecond // no more often
	looksWorst  = 5 * time.Second        // no less often, however much is open
	// walkRest is between two walks over all descriptors, which cost much more.
	walkRest = time.Second
	// ownerKept is for how long a callee's owner is not looked for again.
	ownerKept = 10 * time.Minute
	// briefMost bounds what is kept between two samples.
	briefMost = 20_000
)

// NewBrief returns a watch over the connections of the agent's own network namespace.
func NewBrief(t Tree) *Brief {
	b := &Brief{tree: t, procs: NewProcesses(t), owned: make(map[Edge]OwnedEdge), known: make(map[callee]time.Time), hunted: make(map[callee]*hunt)}
	b.folder = b.fresh()
	return b
}

// fresh returns an empty folder that knows who listens now.
func (b *Brief) fresh() *Folder {
	var listening []Socket
	_ = b.tree.Sockets(true, func(s Socket) { listening = append(listening, s) }) // a sample says why it cannot
	low, high := b.tree.PortRange()
	return NewFolder(listening, low, high)
}

// Run watches until the context ends. It does nothing where the kernel can tell nothing.
func (b *Brief) Run(ctx context.Context) {
	if !b.tree.Live() {
		return
	}
	var beside sync.WaitGroup
	beside.Go(func() { b.hear(ctx) })
	b.look(ctx)
	beside.Wait()
}

// Take returns what was seen since it was last asked, and what could not be.
func (b *Brief) Take() ([]OwnedEdge, []report.Problem) {
	next := b.fresh()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]OwnedEdge, 0, len(b.owned))
	for _, e := range b.owned {
		out = append(out, e)
	}
	for edge, sample := range b.folder.Edges() {
		out = append(out, OwnedEdge{Edge: edge, EdgeSample: sample})
	}
	b.folder, b.kept = next, 0
	clear(b.owned)
	var p problems
	if b.deaf {
		p.add("CAP_NET_ADMIN", "connections that open and close between two samples are seen only by chance: the kernel does not tell of closed sockets")
	}
	return out, p.list
}

// hear reads what the kernel tells of sockets that end.
func (b *Brief) hear(ctx context.Context) {
	setDeaf := func() {
		b.mu.Lock()
		b.deaf = true
		b.mu.Unlock()
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		setDeaf()
		return
	}
	defer unix.Close(fd)
	// SKNLGRP_INET_TCP_DESTROY, _UDP_, INET6_TCP_, INET6_UDP_ are the groups 1 to 4.
	const groups = 1 | 1<<1 | 1<<2 | 1<<3
	const room = 1 << 20
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room) // what does not fit is lost, and comes again
	timeout := unix.Timeval{Usec: 500_000}                            // to see the context end
	if unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}) != nil || unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) != nil {
		setDeaf()
		return
	}
	buffer := make([]byte, netlinkBuffer)
	for ctx.Err() == nil {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			setDeaf()
			return
		}
		b.mu.Lock()
		_, _, _ = messages(buffer[:n], func(_ uint16, payload []byte) error {
			b.ended(payload)
			return nil
		})
		b.mu.Unlock()
	}
}

// ended takes one closed socket in.
func (b *Brief) ended(payload []byte) {
	s, answered, ok := parseEnded(payload)
	if !ok || b.kept >= briefMost || !s.Peer.IsValid() || s.Peer.Port() == 0 {
		return
	}
	// A call that nobody answered is no connection. One that came in was answered here.
	if !answered && !b.folder.listens(s.Protocol, s.Local) {
		return
	}
	s.State = stateEstablished // as it was
	b.kept++
	b.folder.Add(s)
	now, to := time.Now(), callee{s.Protocol, s.Peer}
	if at, ok := b.known[to]; ok && now.Sub(at) <= ownerKept || b.folder.listens(s.Protocol, s.Local) {
		return
	}
	if h := b.hunted[to]; h != nil {
		h.last = now
	} else if len(b.hunted) < huntMost {
		b.hunted[to] = &hunt{began: now, last: now}
	}
}

// hunting says whether some owner is being looked for, and forgets hunts that are over.
func (b *Brief) hunting(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	on := false
	for to, h := range b.hunted {
		switch {
		case now.Sub(h.last) > ownerKept, now.Sub(h.began) > ownerKept:
			delete(b.hunted, to)
		case now.Sub(h.began) <= huntFor:
			on = true
		}
	}
	return on
}

// parseEnded reads what the kernel tells of a socket that ends. answered says that the
// other side was heard of.
func parseEnded(payload []byte) (s Socket, answered, ok bool) {
	const (
		size              = 72
		attributeInfo     = 2
		attributeProtocol = 10
		bytesAcked        = 120 // of struct tcp_info
	)
	if s, ok = parseDiag(unix.IPPROTO_TCP, payload); !ok {
		return s, false, false
	}
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch {
		case kind == attributeProtocol && len(value) >= 1:
			s.Protocol = value[0]
		case kind == attributeInfo && len(value) >= bytesAcked+8:
			answered = binary.NativeEndian.Uint64(value[bytesAcked:]) > 0
		}
	})
	s.Inode, s.UID, s.Cgroup = 0, 0, 0
	if s.Protocol == unix.IPPROTO_UDP {
		answered = true // a datagram's arrival is not told; the socket was connected on purpose
	}
	return s, answered, s.Protocol == unix.IPPROTO_TCP || s.Protocol == unix.IPPROTO_UDP
}

// look finds the owners of connections whose callee is not known to have one.
func (b *Brief) look(ctx context.Context) {
	timer := time.NewTimer(looksBetter)
	defer timer.Stop()
	var walked time.Time
	cgroups := b.tree.Cgroups()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		news := b.news(began)
		cost := time.Since(began)
		if len(news) > 0 {
			news = b.units(news, cgroups, began)
		}
		if len(news) > 0 && began.Sub(walked) >= walkRest {
			walked = began
			b.own(news, began)
			cgroups = b.tree.Cgroups() // units come and go
		}
		rest := min(max(cost*lookShare, looksBetter), looksWorst)
		if b.hunting(began) {
			rest = min(max(cost*huntShare, huntBetter), rest)
		}
		timer.Reset(rest)
	}
}

// news lists open connections to callees whose owner is not known.
func (b *Brief) news(now time.Time) []Socket {
	const states = 1<<stateEstablished | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11 // and what is closing; not TIME_WAIT, which has no owner
	var out []Socket
	b.mu.Lock()
	defer b.mu.Unlock()
	udp := false
	for to := range b.hunted {
		udp = udp || to.protocol == unix.IPPROTO_UDP
	}
	visit := func(s Socket) {
		at, ok := b.known[callee{s.Protocol, s.Peer}]
		if (!ok || now.Sub(at) > ownerKept) && (s.Inode != 0 || s.Cgroup > 1) && !b.folder.listens(s.Protocol, s.Local) {
			out = append(out, s)
		}
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		_ = sockDiag(family, unix.IPPROTO_TCP, states, visit)
		if udp {
			_ = sockDiag(family, unix.IPPROTO_UDP, 1<<stateEstablished, visit)
		}
	}
	return out
}

// units takes those whose control group says the unit, without a look at any process,
// and returns the others.
func (b *Brief) units(news []Socket, cgroups map[uint64]string, now time.Time) []Socket {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []Socket
	for _, s := range news {
		home := HomeOf(cgroups[s.Cgroup])
		if s.Cgroup <= 1 || home.Unit == "" && home.Container == "" {
			left = append(left, s)
			continue
		}
		b.keep(s, OwnedEdge{Unit: home.Unit, Container: home.Container}, now)
	}
	return left
}

// keep remembers the owner of a connection for the next sample.
func (b *Brief) keep(s Socket, e OwnedEdge, now time.Time) {
	e.Edge = Edge{Protocol: s.Protocol, Local: s.Local.Addr(), Peer: s.Peer.Addr(), PeerPort: s.Peer.Port()}
	e.EdgeSample = EdgeSample{Evidence: EvidencePortRange}
	to := callee{s.Protocol, s.Peer}
	if len(b.known) > briefMost {
		clear(b.known)
	}
	b.known[to] = now
	delete(b.hunted, to)
	b.owned[e.Edge] = e
}

// own finds out which processes hold connections and keeps it for the next sample.
func (b *Brief) own(news []Socket, now time.Time) {
	wanted := make(map[uint32]bool)
	for _, s := range news {
		if s.Inode != 0 {
			wanted[s.Inode] = true
		}
	}
	procs, err := b.procs.Refresh()
	if err != nil {
		return
	}
	found, _ := b.tree.Holders(procs, wanted)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range news {
		if p := found[s.Inode]; p != nil {
			b.keep(s, OwnedEdge{Process: p.Program(), Unit: p.Home.Unit, Container: p.Home.Container, Self: p.PID == os.Getpid()}, now)
		}
	}
}
