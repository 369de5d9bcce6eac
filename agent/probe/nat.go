package probe

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Forward is a port of this host that the kernel passes on to another machine.
type Forward struct {
	Protocol string // "tcp", "udp"
	At, To   netip.AddrPort
}

// maxFlows bounds how much of a table of connections is read: a gateway has millions.
const maxFlows = 200_000

// Forwards reads where the kernel passes ports of the host's own addresses on to:
// translations that are in use (/proc/net/nf_conntrack, whatever wrote the rule), and
// the services of its load balancer (/proc/net/ip_vs).
func Forwards(t Tree, own []netip.Addr) ([]Forward, []report.Problem) {
	var p problems
	var out []Forward
	at := make(map[netip.Addr]bool, len(own))
	for _, a := range own {
		at[a] = true
	}
	read := func(name, what string, parse func(io.Reader) ([]Forward, error)) {
		f, err := os.Open(t.Path(name))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				p.denied(err, "CAP_DAC_READ_SEARCH", what)
			}
			return
		}
		defer f.Close()
		list, err := parse(f)
		p.denied(err, "CAP_NET_ADMIN", what)
		for _, x := range list {
			if at[x.At.Addr()] && !at[x.To.Addr()] {
				out = append(out, x)
			}
		}
	}
	read("/proc/net/nf_conntrack", "translated addresses", parseConntrack)
	read("/proc/net/ip_vs", "the kernel's load balancer", parseIPVS)
	return out, p.list
}

// parseConntrack reads the table of tracked connections: where the answer comes from
// another place than the call went to, the destination was translated.
func parseConntrack(r io.Reader) ([]Forward, error) {
	seen := make(map[Forward]bool)
	var out []Forward
	lines := bufio.NewScanner(r)
	for n := 0; n < maxFlows && lines.Scan(); n++ {
		if f, ok := parseFlow(lines.Text()); ok && !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out, lines.Err()
}

func parseFlow(line string) (Forward, bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || fields[2] != "tcp" && fields[2] != "udp" {
		return Forward{}, false
	}
	// The first of each pair is the call's, the second the answer's.
	var source, destination, sourcePort, destinationPort []string
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "src":
			source = append(source, value)
		case "dst":
			destination = append(destination, value)
		case "sport":
			sourcePort = append(sourcePort, value)
		case "dport":
			destinationPort = append(destinationPort, value)
		}
	}
	if len(source) < 2 || len(destination) < 2 || len(sourcePort) < 2 || len(destinationPort) < 2 {
		return Forward{}, false
	}
	called, ok := addressAndPort(destination[0], destinationPort[0])
	if !ok {
		return Forward{}, false
	}
	served, ok := addressAndPort(source[1], sourcePort[1])
	if !ok || called == served || called.Addr() == served.Addr() {
		return Forward{}, false
	}
	return Forward{Protocol: fields[2], At: called, To: served}, true
}

func addressAndPort(address, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a, uint16(n)), err == nil && n != 0
}

// parseIPVS reads the kernel's load balancer: a service, and below it its servers.
func parseIPVS(r io.Reader) ([]Forward, error) {
	var out []Forward
	var service Forward
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) < 2:
		case f[0] == "TCP", f[0] == "UDP":
			service = Forward{Protocol: strings.ToLower(f[0])}
			if at, ok := hexAddress(f[1]); ok {
				service.At = at
			}
		case f[0] == "->" && service.At.IsValid():
			if to, ok := hexAddress(f[1]); ok && to != service.At {
				x := service
				x.To = to
				out = append(out, x)
			}
		case f[0] != "->":
			service = Forward{} // by a mark of the firewall: it has no address
		}
	}
	return out, lines.Err()
}

// hexAddress reads "0A000001:0050" and "[2001:...]:0050", the port in hexadecimal.
func hexAddress(s string) (netip.AddrPort, bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(s[i+1:], 16, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, false
	}
	host := s[:i]
	if strings.HasPrefix(host, "[") {
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return netip.AddrPortFrom(a, uint16(port)), err == nil
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw) != 4 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw)), uint16(port)), true
}

// Neighbours reads the kernel's ARP and NDP tables: the cards of those on the same
// links, by address.
func Neighbours(t Tree) (map[netip.Addr]string, error) {
	if !t.Live() {
		return nil, nil
	}
	out := make(map[netip.Addr]string)
	err := dumpWhole(unixGetNeighbour, make([]byte, 12), func() { clear(out) }, func(payload []byte) {
		if a, mac, ok := parseNeighbour(payload); ok {
			out[a] = mac
		}
	})
	if err != nil {
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	return out, nil
}

// Resolvers are the name servers that the host's programs ask by default.
func (t Tree) Resolvers() []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(t.text("/etc/resolv.conf")) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, a.WithZone(""))
		}
	}
	return out
}
