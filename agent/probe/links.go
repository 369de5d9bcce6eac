package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// dumpWhole repeats a dump that the table's own change interrupted.
func dumpWhole(kind uint16, request []byte, reset func(), visit func(payload []byte)) error {
	for range 5 {
		reset()
		err := dump(unix.NETLINK_ROUTE, kind, request, func(_ uint16, payload []byte) error {
			visit(payload)
			return nil
		})
		if !errors.Is(err, errInterrupted) {
			return err
		}
	}
	return errInterrupted
}

// linkInfo is one interface as rtnetlink tells it.
type linkInfo struct {
	index, master int
	peer          int32  // the kernel's number of the namespace of a veth's other end, -1 when it is none
	kind          string // IFLA_INFO_KIND
	loopback      bool
	out           report.Interface
}

// Interfaces reads the network interfaces of the agent's own namespace.
func Interfaces(t Tree) ([]report.Interface, []report.Problem) {
	var p problems
	if !t.Live() {
		p.add("", "interfaces: the kernel can be asked on the running machine only")
		return []report.Interface{}, p.list
	}
	var links []linkInfo
	request := make([]byte, 16) // struct ifinfomsg, all zero: every family
	err := dumpWhole(unix.RTM_GETLINK, request, func() { links = nil }, func(payload []byte) {
		if l, ok := parseLink(payload); ok {
			links = append(links, l)
		}
	})
	if err != nil {
		p.add("", "interfaces: %v", err)
		return []report.Interface{}, p.list
	}
	addresses := make(map[int][]string)
	err = dumpWhole(unix.RTM_GETADDR, make([]byte, 8), func() { clear(addresses) }, func(payload []byte) {
		if index, prefix, ok := parseAddress(payload); ok {
			addresses[index] = append(addresses[index], prefix.String())
		}
	})
	if err != nil {
		p.add("", "addresses: %v", err)
	}
	names := make(map[int]string, len(links))
	peers := false
	for _, l := range links {
		names[l.index] = l.out.Name
		peers = peers || l.kind == "veth" && l.peer >= 0
	}
	var here map[int32]bool
	if peers {
		here = namespaceIDs(t)
	}
	out := make([]report.Interface, 0, len(links))
	for _, l := range links {
		i := l.out
		i.Master = names[l.master]
		i.Addresses = append([]string{}, addresses[l.index]...)
		sort.Strings(i.Addresses)
		device := "/sys/class/net/" + i.Name
		i.Driver = baseName(t.link(device + "/device/driver"))
		i.PeerHere = l.kind == "veth" && (l.peer >= 0 && here[l.peer] || l.peer < 0)
		i.Kind = interfaceKind(l, i.Driver != "" || t.exists(device+"/device"))
		if speed := t.number(device + "/speed"); speed > 0 {
			i.SpeedMbps = int(speed)
		}
		// Before Linux 5.6 rtnetlink has no permanent address. The kernel says
		// in addr_assign_type whether the present one is it (0).
		if i.PermanentMAC == "" && i.Kind == "physical" && t.text(device+"/addr_assign_type") == "0" && i.Master == "" {
			i.PermanentMAC = i.MAC
		}
		out = append(out, i)
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Name < out[b].Name })
	return out, p.list
}

// parseLink reads struct ifinfomsg and its attributes.
func parseLink(payload []byte) (linkInfo, bool) {
	const size = 16
	if len(payload) < size {
		return linkInfo{}, false
	}
	l := linkInfo{index: int(int32(binary.NativeEndian.Uint32(payload[4:]))), peer: -1}
	l.loopback = binary.NativeEndian.Uint32(payload[8:])&unix.IFF_LOOPBACK != 0
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.out.Name = attributeText(value)
		case unix.IFLA_ADDRESS:
			l.out.MAC = hardwareAddress(value)
		case unix.IFLA_PERM_ADDRESS:
			l.out.PermanentMAC = hardwareAddress(value)
		case unix.IFLA_MTU:
			l.out.MTU = int(attributeNumber(value))
		case unix.IFLA_LINK_NETNSID:
			l.peer = int32(attributeNumber(value))
		case unix.IFLA_MASTER:
			l.master = int(attributeNumber(value))
		case unix.IFLA_OPERSTATE:
			l.out.State = operState(attributeNumber(value))
		case unix.IFLA_LINKINFO:
			attributes(value, func(kind uint16, value []byte) {
				switch kind {
				case unix.IFLA_INFO_KIND:
					l.kind = attributeText(value)
				case unix.IFLA_INFO_DATA:
					if l.kind == "vlan" {
						attributes(value, func(kind uint16, value []byte) {
							if kind == unix.IFLA_VLAN_ID {
								l.out.VLAN = int(attributeNumber(value))
							}
						})
					}
				}
			})
		}
	})
	if l.out.State == "" {
		l.out.State = "unknown"
	}
	return l, l.out.Name != ""
}

// hardwareAddress prints an Ethernet address; other kinds (an InfiniBand
// address, a tunnel's IPv4 address) are no MAC, and all zeros is none.
func hardwareAddress(value []byte) string {
	if len(value) != 6 || [6]byte(value) == [6]byte{} {
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", value[0], value[1], value[2], value[3], value[4], value[5])
}

func operState(state uint32) string {
	switch state {
	case 6:
		return "up"
	case 2, 3, 5:
		return "down"
	}
	return "unknown"
}

func interfaceKind(l linkInfo, hasDevice bool) string {
	switch l.kind {
	case "bond", "team":
		return "bond"
	case "bridge", "openvswitch":
		return "bridge"
	case "vlan", "veth":
		return l.kind
	case "tun", "ipip", "gre", "gretap", "sit", "vti", "ip6tnl", "ip6gre", "wireguard", "vxlan", "geneve", "xfrm", "vti6", "erspan":
		return "tunnel"
	case "":
	default:
		return "virtual"
	}
	switch {
	case l.loopback:
		return "loopback"
	case hasDevice:
		return "physical"
	}
	return "virtual"
}

// parseAddress reads struct ifaddrmsg. IFA_LOCAL is the own address;
// IFA_ADDRESS is the peer's on a point-to-point link.
func parseAddress(payload []byte) (int, netip.Prefix, bool) {
	const size = 8
	if len(payload) < size {
		return 0, netip.Prefix{}, false
	}
	family, bits := payload[0], int(payload[1])
	index := int(binary.NativeEndian.Uint32(payload[4:]))
	var own, other netip.Addr
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			own = addressOf(family, value)
		case unix.IFA_ADDRESS:
			other = addressOf(family, value)
		}
	})
	if !own.IsValid() {
		own = other
	}
	prefix := netip.PrefixFrom(own, bits)
	return index, prefix, prefix.IsValid()
}

func addressOf(family uint8, value []byte) netip.Addr {
	switch {
	case family == unix.AF_INET && len(value) == 4:
		return netip.AddrFrom4([4]byte(value))
	case family == unix.AF_INET6 && len(value) == 16:
		return netip.AddrFrom16([16]byte(value))
	}
	return netip.Addr{}
}

// Routes reads the main routing table of the agent's own namespace.
func Routes(t Tree) ([]report.Route, []report.Problem) {
	var p problems
	out := []report.Route{}
	if !t.Live() {
		p.add("", "routes: the kernel can be asked on the running machine only")
		return out, p.list
	}
	names := make(map[int]string)
	err := dumpWhole(unix.RTM_GETLINK, make([]byte, 16), func() { clear(names) }, func(payload []byte) {
		if l, ok := parseLink(payload); ok {
			names[l.index] = l.out.Name
		}
	})
	if err != nil {
		p.add("", "routes: %v", err)
		return out, p.list
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var found []report.Route
		err := dumpWhole(unix.RTM_GETROUTE, append([]byte{family}, make([]byte, 11)...), func() { found = nil }, func(payload []byte) {
			found = append(found, parseRoute(payload, names)...)
		})
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			p.add("", "routes: %v", err)
		}
		out = append(out, found...)
	}
	sort.Slice(out, func(a, b int) bool {
		x, y := out[a], out[b]
		if x.Family != y.Family {
			return x.Family < y.Family
		}
		if x.Destination != y.Destination {
			return x.Destination < y.Destination
		}
		if x.Metric != y.Metric {
			return x.Metric < y.Metric
		}
		if x.Interface != y.Interface {
			return x.Interface < y.Interface
		}
		return x.Gateway < y.Gateway
	})
	return out, p.list
}

// parseRoute reads struct rtmsg: entries of the main table that lead
// somewhere. A route over several next hops is one entry for each.
func parseRoute(payload []byte, names map[int]string) []report.Route {
	const size = 12
	if len(payload) < size {
		return nil
	}
	family, bits, table, kind := payload[0], int(payload[1]), uint32(payload[4]), payload[7]
	flags := binary.NativeEndian.Uint32(payload[8:])
	const cached = 0x200
	if kind != unix.RTN_UNICAST || flags&cached != 0 {
		return nil
	}
	route := report.Route{Family: "inet", Destination: "default"}
	if family == unix.AF_INET6 {
		route.Family = "inet6"
	}
	var hops []report.Route
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_TABLE:
			table = attributeNumber(value)
		case unix.RTA_DST:
			if a := addressOf(family, value); a.IsValid() && bits > 0 {
				route.Destination = netip.PrefixFrom(a, bits).String()
			}
		case unix.RTA_GATEWAY:
			if a := addressOf(family, value); a.IsValid() {
				route.Gateway = a.String()
			}
		case unix.RTA_VIA: // a gateway of the other family
			if len(value) > 2 {
				if a := addressOf(value[0], value[2:]); a.IsValid() {
					route.Gateway = a.String()
				}
			}
		case unix.RTA_OIF:
			route.Interface = linkName(names, int(attributeNumber(value)))
		case unix.RTA_PRIORITY:
			route.Metric = int(attributeNumber(value))
		case unix.RTA_MULTIPATH:
			hops = parseHops(family, value, names)
		}
	})
	if table != unix.RT_TABLE_MAIN {
		return nil
	}
	if len(hops) == 0 {
		return []report.Route{route}
	}
	for i := range hops {
		hops[i].Family, hops[i].Destination, hops[i].Metric = route.Family, route.Destination, route.Metric
	}
	return hops
}

// parseHops reads a list of struct rtnexthop.
func parseHops(family uint8, data []byte, names map[int]string) []report.Route {
	const size = 8
	var out []report.Route
	for len(data) >= size {
		length := int(binary.NativeEndian.Uint16(data))
		if length < size || length > len(data) {
			return out
		}
		hop := report.Route{Interface: linkName(names, int(int32(binary.NativeEndian.Uint32(data[4:]))))}
		attributes(data[size:length], func(kind uint16, value []byte) {
			if kind == unix.RTA_GATEWAY {
				if a := addressOf(family, value); a.IsValid() {
					hop.Gateway = a.String()
				}
			}
		})
		out = append(out, hop)
		next := (length + 3) &^ 3
		if next > len(data) {
			return out
		}
		data = data[next:]
	}
	return out
}

func linkName(names map[int]string, index int) string {
	if name := names[index]; name != "" {
		return name
	}
	return "if" + strconv.Itoa(index)
}

const unixGetNeighbour = unix.RTM_GETNEIGH

// parseNeighbour reads struct ndmsg: an address on a link, and the card that answers
// for it. What did not answer has none.
func parseNeighbour(payload []byte) (netip.Addr, string, bool) {
	const size = 12
	if len(payload) < size {
		return netip.Addr{}, "", false
	}
	family := payload[0]
	state := binary.NativeEndian.Uint16(payload[8:])
	const useless = unix.NUD_FAILED | unix.NUD_INCOMPLETE | unix.NUD_NOARP
	if state&useless != 0 || state == 0 {
		return netip.Addr{}, "", false
	}
	var address netip.Addr
	mac := ""
	attributes(payload[size:], func(kind uint16, value []byte) {
		switch kind {
		case unix.NDA_DST:
			address = addressOf(family, value)
		case unix.NDA_LLADDR:
			mac = hardwareAddress(value)
		}
	})
	return address, mac, address.IsValid() && mac != ""
}

// namespaceIDs are the numbers by which the kernel names, to this namespace, the
// network namespaces of processes that can be seen from here. They tell whether the
// other end of a veth lies on this machine.
func namespaceIDs(t Tree) map[int32]bool {
	out := make(map[int32]bool)
	own := t.OwnNamespace()
	seen := map[uint64]bool{own: true, 0: true}
	for _, name := range t.names("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		var id uint64
		if _, err := fmt.Sscanf(t.link("/proc/"+name+"/ns/net"), "net:[%d]", &id); err != nil || seen[id] {
			continue
		}
		seen[id] = true
		request := make([]byte, 12) // struct rtgenmsg, padded, and one attribute
		binary.NativeEndian.PutUint16(request[4:], 8)
		binary.NativeEndian.PutUint16(request[6:], unix.NETNSA_PID)
		binary.NativeEndian.PutUint32(request[8:], uint32(pid))
		_ = single(unix.NETLINK_ROUTE, unix.RTM_GETNSID, request, func(_ uint16, payload []byte) error {
			if len(payload) < 4 {
				return nil
			}
			attributes(payload[4:], func(kind uint16, value []byte) {
				if number := int32(attributeNumber(value)); kind == unix.NETNSA_NSID && number >= 0 {
					out[number] = true
				}
			})
			return nil
		})
	}
	return out
}
