package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

// attributesOf turns a section into the attributes that it decides; nil for
// sections that decide none. Missing values are nil: the machine no longer says so.
func attributesOf(section any) map[string]any {
	switch s := section.(type) {
	case report.Agent:
		return values("agent_id", s.ID, "agent_version", s.Version)
	case report.Host:
		return hostAttributes(s)
	case report.OS:
		return values("os", s.ID, "os_name", s.Name, "os_version", s.Version, "os_codename", s.Codename, "os_family", s.Family, "kernel", s.Kernel, "arch", s.Arch)
	case report.Hardware:
		return values("cpu_model", s.CPUModel, "cpu_sockets", s.CPUSockets, "cpu_cores", s.CPUCores, "cpu_threads", s.CPUThreads,
			"memory_bytes", s.MemoryBytes, "swap_bytes", s.SwapBytes, "bios_version", s.BIOSVersion)
	case []report.Disk:
		var bytes uint64
		var serials []string
		for _, d := range s {
			switch d.Kind {
			case "loop", "lvm", "crypt", "raid":
				continue
			}
			bytes += d.SizeBytes
			if s := plausible(d.Serial); s != "" {
				serials = append(serials, s)
			}
		}
		slices.Sort(serials)
		return values("disk_bytes", bytes, "disk_serials", slices.Compact(serials))
	}
	return nil
}

// plausible is a serial number as it is printed, "" for a placeholder.
func plausible(s string) string {
	if cmdb.Serial(s) == "" {
		return ""
	}
	return strings.TrimSpace(s)
}

// values pairs names with normalised values; zero numbers are no values.
func values(pairs ...any) map[string]any {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		v := cmdb.Normalize(pairs[i+1])
		if v == float64(0) {
			v = nil
		}
		if s, ok := v.(string); ok {
			if s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD")); len(s) > 1024 {
				s = s[:1024]
			}
			v = cmdb.Normalize(s)
		}
		out[pairs[i].(string)] = v
	}
	return out
}

func hostAttributes(h report.Host) map[string]any {
	v := values("hostname", h.Hostname, "fqdn", h.FQDN, "machine_id", h.MachineID, "virtualization", h.Virtualization, "timezone", h.Timezone, "boot_time", h.BootTime)
	v["container"] = nil
	if h.Container {
		// Firmware and cloud speak of the container's host.
		v["container"] = true
		for k, x := range values("parent_hint", h.ParentHint) {
			v[k] = x
		}
		return v
	}
	for k, x := range values("product_uuid", h.ProductUUID, "serial_number", plausible(h.SerialNumber), "vendor", h.Vendor, "product", h.Product) {
		v[k] = x
	}
	cloud := report.Cloud{}
	if h.Cloud != nil {
		cloud = *h.Cloud
	}
	for k, x := range values("cloud_provider", cloud.Provider, "cloud_account", cloud.Account, "cloud_instance", cloud.InstanceID,
		"cloud_region", cloud.Region, "cloud_zone", cloud.Zone, "cloud_type", cloud.Type) {
		v[k] = x
	}
	v["aliases"] = nil
	if cloud.InstanceID != "" {
		v["aliases"] = []string{cloud.InstanceID}
	}
	return v
}

// localBridges carry the same private addresses on every machine.
var localBridges = []string{"docker", "br-", "virbr", "cni", "lxcbr", "lxdbr", "podman", "flannel", "cali", "cbr", "nerdctl"}

// isLocal says that an interface leads only to what lies on its own machine: the
// loopback, a container's bridge, the near end of a container's cable. The interface
// of the default route never does, whatever it is called: a guest of LXC, Incus or
// Proxmox has a veth for its uplink.
func isLocal(i report.Interface, routes []report.Route) bool {
	if slices.ContainsFunc(routes, func(r report.Route) bool { return r.Destination == "default" && r.Interface == i.Name }) {
		return false
	}
	switch i.Kind {
	case "loopback":
		return true
	case "veth":
		return i.PeerHere || i.Master != ""
	}
	return slices.ContainsFunc(localBridges, func(p string) bool { return strings.HasPrefix(i.Name, p) })
}

// localNetworks are the networks of a machine's own containers.
func localNetworks(ifs []report.Interface, routes []report.Route) []string {
	var out []string
	for _, i := range ifs {
		if !isLocal(i, routes) {
			continue
		}
		for _, a := range i.Addresses {
			if p, err := netip.ParsePrefix(a); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
				out = append(out, p.Masked().String())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func interfaceAttributes(ifs []report.Interface, routes []report.Route) map[string]any {
	var addresses, macs []string
	for _, i := range ifs {
		local := isLocal(i, routes)
		for _, a := range i.Addresses {
			p, err := netip.ParsePrefix(a)
			if err != nil || local || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() {
				continue
			}
			addresses = append(addresses, p.Addr().Unmap().String())
		}
		if m := i.PermanentMAC; i.Kind == "physical" {
			if m == "" {
				m = i.MAC
			}
			if m != "" {
				macs = append(macs, strings.ToLower(m))
			}
		}
	}
	slices.Sort(addresses)
	slices.Sort(macs)
	return values("addresses", slices.Compact(addresses), "macs", slices.Compact(macs))
}
