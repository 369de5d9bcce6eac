package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
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
	deaf   bool                 // the kernel does not tell of ends
	kept   int
}

// callee is what a connection was made to.
type callee struct {
	protocol uint8
	peer     netip.AddrPort
}

const (
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
	b := &Brief{tree: t, procs: NewProcesses(t), owned: make(map[Edge]OwnedEdge), known: make(map[callee]time.Time)}
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
	var cgroups map[uint64]string
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		news := b.news(began)
		cost := time.Since(began)
		if len(news) > 0 && began.Sub(walked) >= walkRest {
			walked = began
			if cgroups == nil {
				cgroups = b.tree.Cgroups()
			}
			b.own(news, cgroups, began)
			if len(b.known) > briefMost {
				b.mu.Lock()
				clear(b.known)
				b.mu.Unlock()
			}
		}
		timer.Reset(min(max(cost*lookShare, looksBetter), looksWorst))
	}
}

// news lists open connections to callees whose owner is not known.
func (b *Brief) news(now time.Time) []Socket {
	const states = 1<<stateEstablished | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11 // and what is closing; not TIME_WAIT, which has no owner
	var out []Socket
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		_ = sockDiag(family, unix.IPPROTO_TCP, states, func(s Socket) {
			at, ok := b.known[callee{s.Protocol, s.Peer}]
			if (!ok || now.Sub(at) > ownerKept) && (s.Inode != 0 || s.Cgroup > 1) && !b.folder.listens(s.Protocol, s.Local) {
				out = append(out, s)
			}
		})
	}
	return out
}

// own finds out whose connections are and keeps it for the next sample.
func (b *Brief) own(news []Socket, cgroups map[uint64]string, now time.Time) {
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
		e := OwnedEdge{Edge: Edge{Protocol: s.Protocol, Local: s.Local.Addr(), Peer: s.Peer.Addr(), PeerPort: s.Peer.Port()}, EdgeSample: EdgeSample{Evidence: EvidencePortRange}}
		if p := found[s.Inode]; p != nil {
			e.Process, e.Unit, e.Container = p.Program(), p.Home.Unit, p.Home.Container
		} else {
			home := HomeOf(cgroups[s.Cgroup])
			e.Unit, e.Container = home.Unit, home.Container
		}
		if e.Process == "" && e.Unit == "" {
			continue
		}
		b.known[callee{s.Protocol, s.Peer}] = now
		b.owned[e.Edge] = e
	}
}
