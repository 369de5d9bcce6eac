package probe

import (
	"net/netip"
	"strconv"
	"strings"
)

// activation is one address that a socket unit of systemd listens on.
type activation struct {
	unit     string // whose listener it is: the service, or the socket unit where each connection has a service of its own
	protocol string // "tcp" or "udp"
	address  netip.Addr
	port     uint16
}

// generatedUnitDirs hold what systemd's generators made, beside the unit files.
var generatedUnitDirs = []string{"/run/systemd/generator.early", "/run/systemd/generator", "/run/systemd/generator.late"}

// activations reads the socket units. systemd listens for their services until the
// first client comes: only the unit files tell for whom.
func (t Tree) activations() []activation {
	var out []activation
	seen := make(map[string]bool)
	dirs := append(append([]string(nil), unitDirs...), generatedUnitDirs...)
	for _, dir := range dirs {
		for _, name := range t.names(dir) {
			base, ok := strings.CutSuffix(name, ".socket")
			if !ok || seen[name] || strings.HasSuffix(base, "@") {
				continue
			}
			seen[name] = true
			text := t.text(dir + "/" + name)
			for _, over := range dirs {
				for _, file := range t.Glob(over + "/" + name + ".d/*.conf") {
					text += "\n" + t.text(file)
				}
			}
			out = append(out, parseSocketUnit(name, text)...)
		}
	}
	return out
}

// parseSocketUnit reads a socket unit with what was added to it. An empty assignment
// takes back what stood before.
func parseSocketUnit(name, text string) []activation {
	unit := strings.TrimSuffix(name, ".socket") + ".service"
	each := false
	var out []activation
	for line := range strings.Lines(text) {
		field, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(field) {
		case "Service":
			if value != "" {
				unit = value
			}
		case "Accept":
			each = value == "yes" || value == "true" || value == "1" || value == "on"
		case "ListenStream", "ListenDatagram":
			protocol := "tcp"
			if strings.TrimSpace(field) == "ListenDatagram" {
				protocol = "udp"
			}
			if value == "" {
				out = nil
				continue
			}
			if at, ok := listenAddress(value); ok {
				out = append(out, activation{protocol: protocol, address: at.Addr(), port: at.Port()})
			}
		}
	}
	if each {
		unit = name
	}
	for i := range out {
		out[i].unit = unit
	}
	return out
}

// listenAddress reads "22", "127.0.0.1:631", "[::]:9090"; a bare port is for every
// address. A path is no port.
func listenAddress(value string) (netip.AddrPort, bool) {
	if port, err := strconv.ParseUint(value, 10, 16); err == nil {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port)), true
	}
	value, _, _ = strings.Cut(value, "%") // the interface
	if at, err := netip.ParseAddrPort(value); err == nil {
		return at, true
	}
	return netip.AddrPort{}, false
}

// activated names the unit that a service manager's own listener belongs to, "" when no
// unit says so.
func activated(units []activation, protocol string, address netip.Addr, port uint16) string {
	found := ""
	for _, a := range units {
		if a.protocol != strings.TrimSuffix(protocol, "6") || a.port != port {
			continue
		}
		if a.address == address {
			return a.unit
		}
		if a.address.IsUnspecified() || address.IsUnspecified() {
			found = a.unit
		}
	}
	return found
}
