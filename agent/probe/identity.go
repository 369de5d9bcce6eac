package probe

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

const dmi = "/sys/class/dmi/id/"

// Identity reads which machine this is. Inside a container the host's hardware
// identity is left out: it is visible there but belongs to another thing.
func Identity(ctx context.Context, t Tree) (report.Host, []report.Problem) {
	var p problems
	host := report.Host{MachineID: t.machineID(), BootTime: t.bootTime(), Timezone: t.timezone()}
	if t.Live() {
		host.Hostname, _ = os.Hostname()
	} else {
		host.Hostname = t.text("/etc/hostname")
	}
	if host.Hostname == "" {
		p.add("", "host name: none is set")
	}
	host.FQDN = t.fqdn(ctx, host.Hostname)
	container := t.container()
	host.Container, host.ContainerID = container.kind != "", container.id
	if host.Container {
		host.Virtualization = container.kind
		if boot := t.BootID(); boot != "" && !t.ownBootID() {
			// The kernel is shared with the host, and so is its boot id.
			host.ParentHint = "boot-id:" + boot
		}
		p.add("", "hardware identity: this is a container (%s), the machine's own DMI data belongs to its host", container.kind)
		return host, p.list
	}
	host.Virtualization = t.hypervisor()
	host.Vendor, host.Product = t.text(dmi+"sys_vendor"), t.text(dmi+"product_name")
	if !t.exists(dmi) {
		host.Vendor, host.Product = "", t.text("/proc/device-tree/model")
		host.SerialNumber = t.text("/proc/device-tree/serial-number")
		if host.Product == "" {
			p.add("", "hardware identity: this kernel offers neither DMI nor a device tree")
		}
	} else {
		for _, f := range []struct {
			into *string
			name string
		}{{&host.ProductUUID, "product_uuid"}, {&host.SerialNumber, "product_serial"}, {&host.ChassisSerial, "chassis_serial"}, {&host.BoardSerial, "board_serial"}} {
			data, err := t.read(dmi + f.name)
			p.denied(err, "CAP_DAC_READ_SEARCH", "DMI "+f.name)
			*f.into = strings.ToValidUTF8(strings.TrimSpace(string(data)), "")
		}
	}
	host.AssetTag = t.text(dmi + "chassis_asset_tag")
	host.Cloud = t.cloud()
	return host, p.list
}

// BootID is the kernel's random name of this boot.
func (t Tree) BootID() string { return t.text("/proc/sys/kernel/random/boot_id") }

// machineID reads the operating system's own id; "uninitialized" is a state of
// systemd's first boot, not an id.
func (t Tree) machineID() string {
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if id := t.text(name); len(id) == 32 {
			return strings.ToLower(id)
		}
	}
	return ""
}

// bootTime is the kernel's own idea of it, in whole seconds.
func (t Tree) bootTime() time.Time {
	data, err := t.read("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			if n := parseInt(strings.TrimSpace(rest)); n > 0 {
				return time.Unix(n, 0).UTC()
			}
		}
	}
	return time.Time{}
}

// timezone is the one in force: what /etc/localtime leads to. The file beside it is
// a note of some distributions, which other tools do not keep. Without either the
// machine goes by universal time.
func (t Tree) timezone() string {
	const variants = "posix/ right/"
	for name, links := "/etc/localtime", 0; links < maxLinks; links++ {
		to := t.link(name)
		if to == "" {
			break
		}
		if _, zone, ok := strings.Cut(to, "zoneinfo/"); ok {
			for _, variant := range strings.Fields(variants) {
				zone = strings.TrimPrefix(zone, variant)
			}
			return zone
		}
		if !strings.HasPrefix(to, "/") {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	noted := ""
	for _, name := range []string{"/etc/timezone", "/etc/TZ"} {
		if zone := firstLine(t.text(name)); zone != "" && !strings.ContainsAny(zone, " \t") && noted == "" {
			noted = zone
		}
	}
	if noted == "" {
		noted = t.zoneSetting()
	}
	if noted != "" && t.exists("/etc/localtime") && !t.sameZone(noted) {
		return t.zoneLike()
	}
	return noted
}

// zoneSetting is what older distributions of Red Hat and SUSE keep.
func (t Tree) zoneSetting() string {
	for _, line := range strings.Split(t.text("/etc/sysconfig/clock"), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if value = strings.Trim(value, `"'`); (name == "ZONE" || name == "TIMEZONE") && value != "" {
			return strings.ReplaceAll(value, " ", "_")
		}
	}
	return ""
}

const zoneDir = "/usr/share/zoneinfo/"

// sameZone says whether a copy of a zone at /etc/localtime may be the named one:
// it is, unless the zone's own file says otherwise.
func (t Tree) sameZone(name string) bool {
	want, err := t.read(zoneDir + name)
	have := t.text("/etc/localtime")
	return err != nil || have == "" || strings.TrimSpace(string(want)) == have
}

// zoneLike finds the zone whose file was copied to /etc/localtime; the first by name
// of those that are alike, with a place rather than an abbreviation.
func (t Tree) zoneLike() string {
	have := t.text("/etc/localtime")
	for _, pattern := range []string{zoneDir + "[A-Z]*/[A-Z]*", zoneDir + "[A-Z]*"} {
		for _, name := range t.Glob(pattern) {
			if info, err := t.stat(name); err == nil && info.regular() && t.text(name) == have {
				return strings.TrimPrefix(name, zoneDir)
			}
		}
	}
	return ""
}

// fqdn asks what the host's own files say first: a name service may be slow or
// away. Only the live machine asks the resolver, briefly.
func (t Tree) fqdn(ctx context.Context, short string) string {
	if short == "" {
		return ""
	}
	if strings.Contains(short, ".") {
		return short
	}
	for line := range strings.Lines(t.text("/etc/hosts")) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		for _, name := range fields[1:] {
			if name != short {
				continue
			}
			for _, full := range fields[1:] {
				if strings.HasPrefix(full, short+".") && full != short+".localdomain" {
					return full
				}
			}
		}
	}
	if !t.Live() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	name, err := net.DefaultResolver.LookupCNAME(ctx, short)
	if err != nil {
		return ""
	}
	name = strings.TrimSuffix(name, ".")
	if !strings.HasPrefix(name, short+".") {
		return ""
	}
	return name
}

// hypervisors are told by what the firmware says about itself.
var hypervisors = []struct{ vendor, product, name string }{
	{"QEMU", "", "kvm"}, {"", "KVM", "kvm"}, {"Amazon EC2", "metal", "none"}, {"Amazon EC2", "", "amazon"}, {"Google", "Google Compute Engine", "google"},
	{"VMware", "", "vmware"}, {"", "VMware", "vmware"}, {"innotek", "", "virtualbox"}, {"", "VirtualBox", "virtualbox"},
	{"Xen", "", "xen"}, {"", "HVM domU", "xen"}, {"Microsoft Corporation", "Virtual Machine", "hyperv"}, {"Parallels", "", "parallels"},
	{"", "OpenStack", "kvm"}, {"Red Hat", "KVM", "kvm"}, {"Red Hat", "RHEV", "kvm"}, {"Red Hat", "OpenStack", "kvm"}, {"oVirt", "", "kvm"}, {"Nutanix", "AHV", "kvm"}, {"BHYVE", "", "bhyve"}, {"", "BHYVE", "bhyve"},
	{"DigitalOcean", "", "kvm"}, {"Hetzner", "vServer", "kvm"}, {"Alibaba Cloud", "ECS", "kvm"}, {"Scaleway", "", "kvm"}, {"Apple Inc.", "Apple Virtualization", "apple"},
}

// bareToo are vendors whose name stands on machines without a hypervisor as well.
// Amazon's say so by their type.
var bareToo = map[string]bool{"Google": true, "Alibaba Cloud": true, "Scaleway": true}

// onX86 says whether the processors tell of a hypervisor at all.
func onX86(cpu string) bool {
	for line := range strings.Lines(cpu) {
		if name, _, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			return true
		}
	}
	return false
}

// guestFlag says whether the processors say that a hypervisor is below them.
func guestFlag(cpu string) bool {
	for line := range strings.Lines(cpu) {
		if name, flags, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			return slices.Contains(strings.Fields(flags), "hypervisor")
		}
	}
	return false
}

// hypervisor names what the machine runs on: "none" for real hardware.
func (t Tree) hypervisor() string {
	vendor, product := t.text(dmi+"sys_vendor"), t.text(dmi+"product_name")
	cpu := t.text("/proc/cpuinfo")
	for _, h := range hypervisors {
		if vendor+product == "" || !strings.Contains(vendor, h.vendor) || !strings.Contains(product, h.product) {
			continue
		}
		// A cloud's own name stands on its bare machines too. The processor tells
		// them apart where it can: it knows that it is shared.
		if bareToo[h.vendor] && onX86(cpu) && !guestFlag(cpu) {
			return "none"
		}
		return h.name
	}
	switch kind := t.text("/sys/hypervisor/type"); {
	case kind == "xen" && strings.Contains(t.text("/proc/xen/capabilities"), "control_d"):
		return "none" // the hypervisor's own management domain
	case kind != "":
		return kind
	}
	if compatible := t.text("/proc/device-tree/hypervisor/compatible"); compatible != "" {
		if strings.Contains(compatible, "xen") {
			return "xen"
		}
		return "kvm"
	}
	if strings.Contains(cpu, "User Mode Linux") {
		return "uml"
	}
	if !guestFlag(cpu) {
		return "none"
	}
	switch clocks := t.text("/sys/devices/system/clocksource/clocksource0/available_clocksource"); {
	case strings.Contains(clocks, "kvm-clock"):
		return "kvm"
	case strings.Contains(clocks, "hyperv"):
		return "hyperv"
	case strings.Contains(clocks, "xen"):
		return "xen"
	}
	return "vm-other"
}
