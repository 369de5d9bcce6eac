package probe

import (
	"bytes"
	"context"
	"net"
	"os"
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
		if boot := t.BootID(); boot != "" {
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

func (t Tree) timezone() string {
	if name := t.text("/etc/timezone"); name != "" && !strings.ContainsAny(name, "\n ") {
		return name
	}
	if _, name, ok := strings.Cut(t.link("/etc/localtime"), "zoneinfo/"); ok {
		return name
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

type containerKind struct{ kind, id string }

// container tells whether the agent itself runs in a container. A left-over
// /.dockerenv (an image made into a virtual machine keeps it) is believed only
// where nothing speaks against it: the kernel's own threads are visible to the
// host's processes only, and its root lies on a real block device.
func (t Tree) container() containerKind {
	home := HomeOf(cgroupPath(t.text("/proc/self/cgroup")))
	if id := t.containerMount(); home.Container == "" {
		home.Container = id
	}
	onHost := t.text("/proc/2/comm") == "kthreadd" && t.rootOnDisk()
	if kind := t.text("/run/systemd/container"); kind != "" {
		return containerKind{kind, home.Container}
	}
	if home.Container != "" && home.Runtime != "" && !onHost {
		return containerKind{home.Runtime, home.Container}
	}
	if onHost {
		return containerKind{}
	}
	switch {
	case t.exists("/run/.containerenv"):
		return containerKind{"podman", home.Container}
	case t.exists("/.dockerenv"):
		return containerKind{"docker", home.Container}
	case t.exists("/var/run/secrets/kubernetes.io"):
		return containerKind{"kubernetes", home.Container}
	case t.exists("/dev/lxd"), t.exists("/dev/.lxc"):
		return containerKind{"lxc", ""}
	case t.exists("/proc/vz") && !t.exists("/proc/bc"):
		return containerKind{"openvz", ""}
	}
	return containerKind{}
}

// rootOnDisk says whether "/" is mounted from a block device.
func (t Tree) rootOnDisk() bool {
	for _, m := range t.mounts() {
		if m.point == "/" {
			return strings.HasPrefix(m.source, "/dev/")
		}
	}
	return false
}

// containerMount finds the container's id in the files its runtime mounts over
// /etc/hostname and its kin.
func (t Tree) containerMount() string {
	data, err := t.read("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) < 5 || fields[4] != "/etc/hostname" && fields[4] != "/etc/resolv.conf" {
			continue
		}
		for _, part := range strings.Split(fields[3], "/") {
			if len(part) == 64 && containerID.MatchString(part) {
				return part
			}
		}
	}
	return ""
}

// hypervisors are told by what the firmware says about itself.
var hypervisors = []struct{ vendor, product, name string }{
	{"QEMU", "", "kvm"}, {"", "KVM", "kvm"}, {"Amazon EC2", "metal", "none"}, {"Amazon EC2", "", "amazon"}, {"Google", "", "google"},
	{"VMware", "", "vmware"}, {"", "VMware", "vmware"}, {"innotek", "", "virtualbox"}, {"", "VirtualBox", "virtualbox"},
	{"Xen", "", "xen"}, {"", "HVM domU", "xen"}, {"Microsoft Corporation", "Virtual Machine", "hyperv"}, {"Parallels", "", "parallels"},
	{"", "OpenStack", "kvm"}, {"Red Hat", "", "kvm"}, {"oVirt", "", "kvm"}, {"Nutanix", "AHV", "kvm"}, {"BHYVE", "", "bhyve"}, {"", "BHYVE", "bhyve"},
	{"DigitalOcean", "", "kvm"}, {"Hetzner", "vServer", "kvm"}, {"Alibaba Cloud", "ECS", "kvm"}, {"Scaleway", "", "kvm"}, {"Apple Inc.", "Apple Virtualization", "apple"},
}

// hypervisor names what the machine runs on: "none" for real hardware.
func (t Tree) hypervisor() string {
	vendor, product := t.text(dmi+"sys_vendor"), t.text(dmi+"product_name")
	for _, h := range hypervisors {
		if vendor+product != "" && strings.Contains(vendor, h.vendor) && strings.Contains(product, h.product) {
			return h.name
		}
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
	cpu := t.text("/proc/cpuinfo")
	if strings.Contains(cpu, "User Mode Linux") {
		return "uml"
	}
	if !strings.Contains(cpu, " hypervisor") {
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
