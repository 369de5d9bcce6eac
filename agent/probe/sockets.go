package probe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket is one IP socket as the kernel tells it.
type Socket struct {
	Protocol uint8 // unix.IPPROTO_TCP or unix.IPPROTO_UDP
	Family   uint8 // unix.AF_INET or unix.AF_INET6
	State    uint8 // the kernel's TCP states, for UDP too
	V6Only   bool  // does not take IPv4 connections
	Local    netip.AddrPort
	Peer     netip.AddrPort
	UID      uint32
	Inode    uint32 // 0 once no process holds it (TIME_WAIT)
	Cgroup   uint64 // id of the cgroup v2 it was made in, 0 when not told
}

// The kernel's socket states that matter here.
const (
	stateEstablished = 1
	stateSynSent     = 2
	stateSynReceived = 3
	stateTimeWait    = 6
	stateClose       = 7
	stateListen      = 10
	stateNewSyn      = 12
)

// Connected says that the socket is or lately was one end of a connection; an
// attempt that got no answer is none.
func (s Socket) Connected() bool {
	if s.Protocol == unix.IPPROTO_UDP {
		return s.State == stateEstablished
	}
	switch s.State {
	case stateListen, stateClose, stateSynSent, stateSynReceived, stateNewSyn:
		return false
	}
	return true
}

// Listening says that the socket takes traffic from anyone: a TCP listener, or
// a bound UDP socket without a peer.
func (s Socket) Listening() bool {
	if s.Protocol == unix.IPPROTO_UDP {
		return s.State == stateClose && s.Local.Port() != 0
	}
	return s.State == stateListen
}

// sockDiag asks inet_diag for the sockets of one family and protocol in the
// given states (a bit set) of the caller's network namespace.
func sockDiag(family, protocol uint8, states uint32, visit func(Socket)) error {
	const sockDiagByFamily = 20
	request := make([]byte, 56)
	request[0], request[1] = family, protocol
	binary.NativeEndian.PutUint32(request[4:], states)
	err := dump(unix.NETLINK_SOCK_DIAG, sockDiagByFamily, request, func(kind uint16, payload []byte) error {
		if kind != sockDiagByFamily {
			return nil
		}
		if s, ok := parseDiag(protocol, payload); ok {
			visit(s)
		}
		return nil
	})
	if errors.Is(err, errInterrupted) {
		return nil // sockets come and go all the time; a sample is a sample
	}
	return err
}

// parseDiag reads one struct inet_diag_msg with its attributes.
func parseDiag(protocol uint8, payload []byte) (Socket, bool) {
	const (
		size             = 72
		attributeV6Only  = 11
		attributeCgroups = 21
	)
	if len(payload) < size {
		return Socket{}, false
	}
	s := Socket{Protocol: protocol, Family: payload[0], State: payload[1]}
	local, okLocal := diagAddress(s.Family, payload[8:24])
	peer, okPeer := diagAddress(s.Family, payload[24:40])
	if !okLocal || !okPeer {
		return Socket{}, false
	}
	s.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(payload[4:]))
	s.Peer = netip.AddrPortFrom(peer, binary.BigEndian.Uint16(payload[6:]))
	s.UID = binary.NativeEndian.Uint32(payload[64:])
	s.Inode = binary.NativeEndian.Uint32(payload[68:])
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch {
		case kind == attributeV6Only && len(value) >= 1:
			s.V6Only = value[0] != 0
		case kind == attributeCgroups && len(value) >= 8:
			s.Cgroup = binary.NativeEndian.Uint64(value)
		}
	})
	return s, true
}

// diagAddress turns the kernel's bytes into an address; an IPv4 address on an
// IPv6 socket becomes the IPv4 address it is.
func diagAddress(family uint8, raw []byte) (netip.Addr, bool) {
	switch family {
	case unix.AF_INET:
		return netip.AddrFrom4([4]byte(raw[:4])), true
	case unix.AF_INET6:
		return netip.AddrFrom16([16]byte(raw[:16])).Unmap(), true
	}
	return netip.Addr{}, false
}

// allStates asks for every state; listenStates for what Listening may hold.
const (
	allStates    = ^uint32(0)
	listenStates = 1<<stateListen | 1<<stateClose
)

// Sockets visits every TCP and UDP socket of the agent's own network namespace,
// by inet_diag where the kernel has it, else from /proc. only restricts it to
// those that listen, which costs next to nothing however many are connected.
func (t Tree) Sockets(onlyListening bool, visit func(Socket)) error {
	states := allStates
	if onlyListening {
		states = listenStates
	}
	kept := func(s Socket) {
		if !onlyListening || s.Listening() {
			visit(s)
		}
	}
	for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if t.Live() {
				mask := states
				if protocol == unix.IPPROTO_TCP {
					mask &^= 1 << stateClose // bound but unused: neither listens nor is connected
				}
				if sockDiag(family, protocol, mask, kept) == nil {
					continue
				}
			}
			if err := t.procSockets("/proc/net", family, protocol, kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// SocketsOf visits every TCP and UDP socket of the network namespace of a
// process, read from its /proc/PID/net, which needs no CAP_SYS_ADMIN.
func (t Tree) SocketsOf(pid int, visit func(Socket)) error {
	dir := "/proc/" + strconv.Itoa(pid) + "/net"
	for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if err := t.procSockets(dir, family, protocol, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// procSockets streams one of /proc/net/{tcp,tcp6,udp,udp6}.
func (t Tree) procSockets(dir string, family, protocol uint8, visit func(Socket)) error {
	name := "tcp"
	if protocol == unix.IPPROTO_UDP {
		name = "udp"
	}
	if family == unix.AF_INET6 {
		name += "6"
	}
	f, err := os.Open(t.Path(dir + "/" + name))
	if errors.Is(err, fs.ErrNotExist) && family == unix.AF_INET6 {
		return nil // no IPv6 here
	}
	if err != nil {
		return fmt.Errorf("read sockets: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if s, ok := parseProcSocket(family, protocol, lines.Bytes()); ok {
			visit(s)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read sockets of %s/%s: %w", dir, name, err)
	}
	return nil
}

// parseProcSocket reads one line of /proc/net/tcp and its kin; the heading and
// anything else is refused.
func parseProcSocket(family, protocol uint8, line []byte) (Socket, bool) {
	fields := bytes.Fields(line)
	if len(fields) < 10 {
		return Socket{}, false
	}
	local, ok := procAddress(family, fields[1])
	if !ok {
		return Socket{}, false
	}
	peer, ok := procAddress(family, fields[2])
	if !ok {
		return Socket{}, false
	}
	state, err := strconv.ParseUint(string(fields[3]), 16, 8)
	if err != nil {
		return Socket{}, false
	}
	uid, err := strconv.ParseUint(string(fields[7]), 10, 32)
	if err != nil {
		return Socket{}, false
	}
	inode, err := strconv.ParseUint(string(fields[9]), 10, 32)
	if err != nil {
		return Socket{}, false
	}
	return Socket{Protocol: protocol, Family: family, State: uint8(state), Local: local, Peer: peer, UID: uint32(uid), Inode: uint32(inode)}, true
}

// procAddress reads "0100007F:1F90": words of the address in the machine's own
// byte order, the port as a number.
func procAddress(family uint8, field []byte) (netip.AddrPort, bool) {
	want := 8
	if family == unix.AF_INET6 {
		want = 32
	}
	if len(field) != want+5 || field[want] != ':' {
		return netip.AddrPort{}, false
	}
	raw := make([]byte, want/2)
	if _, err := hex.Decode(raw, field[:want]); err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	port, err := strconv.ParseUint(string(field[want+1:]), 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	address, ok := diagAddress(family, raw)
	return netip.AddrPortFrom(address, uint16(port)), ok
}

// PortRange returns the host's range of ephemeral ports, the kernel's default
// where it cannot be read.
func (t Tree) PortRange() (low, high uint16) {
	low, high = 32768, 60999
	fields := bytes.Fields([]byte(t.text("/proc/sys/net/ipv4/ip_local_port_range")))
	if len(fields) != 2 {
		return low, high
	}
	first, err1 := strconv.ParseUint(string(fields[0]), 10, 16)
	last, err2 := strconv.ParseUint(string(fields[1]), 10, 16)
	if err1 != nil || err2 != nil || first > last {
		return low, high
	}
	return uint16(first), uint16(last)
}

// ConnectedWith counts the established TCP connections with an address. It is
// safe for concurrent use.
func (t Tree) ConnectedWith(peer netip.Addr) int {
	count := 0
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		visit := func(s Socket) {
			if s.State == stateEstablished && s.Peer.Addr() == peer {
				count++
			}
		}
		if !t.Live() || sockDiag(family, unix.IPPROTO_TCP, 1<<stateEstablished, visit) != nil {
			_ = t.procSockets("/proc/net", family, unix.IPPROTO_TCP, visit) // none can be counted where none can be read
		}
	}
	return count
}
