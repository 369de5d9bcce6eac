package probe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// containerKind is what the agent itself runs in; the zero value is a machine.
type containerKind struct{ kind, id string }

// standing is whether the agent stands on the machine itself, as far as the kernel
// tells: a marker that is missing proves nothing, and one that is there may be left
// over from what a machine's disk was made of.
type standing uint8

const (
	unsure standing = iota
	onMachine
	inContainer
)

// Inode numbers that the kernel gives to the namespaces of its own start
// (include/linux/proc_ns.h); every other namespace has another number.
const (
	firstPIDs  = "pid:[4026531836]"
	firstUsers = "user:[4026531837]"
)

// container tells whether the agent itself runs in a container, and of which kind.
// What the container's own manager says is believed first; then what only such a
// manager puts there; then what the kernel's namespaces show. Files that an image
// brings are believed only where nothing speaks against them.
func (t Tree) container() containerKind {
	mounts := t.mounts()
	home := HomeOf(cgroupPath(t.text("/proc/self/cgroup")))
	if home.Container == "" {
		// A namespace of cgroups hides the agent's own place; the first process
		// may still show it.
		if first := HomeOf(cgroupPath(t.text("/proc/1/cgroup"))); first.Container != "" && t.kernelThreads(mounts) != onMachine {
			home = first
		}
	}
	if id := t.containerMount(); home.Container == "" {
		home.Container = id
	}
	where := t.standing(mounts)
	if kind := t.toldContainer(); kind != "" {
		return containerKind{kind, home.Container}
	}
	if where != onMachine {
		if home.Container != "" && home.Runtime != "" {
			return containerKind{home.Runtime, home.Container}
		}
		if kind := mountedContainer(mounts); kind != "" {
			return containerKind{kind, home.Container}
		}
		if kind := t.builtContainer(); kind != "" {
			return containerKind{kind, home.Container}
		}
	}
	if where == inContainer || where == unsure && !onBlockDevice(mounts) {
		switch {
		case t.exists("/run/.containerenv"):
			return containerKind{"podman", home.Container}
		case t.exists("/.dockerenv"), t.exists("/.dockerinit"):
			return containerKind{"docker", home.Container}
		case t.exists("/run/secrets/kubernetes.io"), t.exists("/var/run/secrets/kubernetes.io"):
			return containerKind{"kubernetes", home.Container}
		}
	}
	if where == inContainer {
		return containerKind{"container-other", home.Container}
	}
	return containerKind{}
}

// toldContainer is what the manager says, by the conventions that they share: a file
// of systemd's, one that managers make, and a variable of the first process. Of that
// process's environment only this variable is looked at.
func (t Tree) toldContainer() string {
	for _, name := range []string{"/run/systemd/container", "/run/host/container-manager"} {
		if kind := firstLine(t.text(name)); kind != "" {
			return containerName(kind)
		}
	}
	data, err := t.read("/proc/1/environ")
	if err != nil {
		return ""
	}
	for variable := range bytes.SplitSeq(data, []byte{0}) {
		if kind, ok := bytes.CutPrefix(variable, []byte("container=")); ok && len(kind) > 0 {
			return containerName(string(kind))
		}
	}
	return ""
}

// containerName makes one name of what managers call themselves.
func containerName(kind string) string {
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case strings.HasPrefix(kind, "lxc"), kind == "lxd", kind == "incus":
		return "lxc"
	case kind == "oci":
		return "container-other"
	}
	return strings.ToValidUTF8(kind, "?")
}

// mountedContainer knows managers by what they mount: LXC's views of its limits over
// the kernel's files, terminals in a directory of its own, a root in the manager's store.
func mountedContainer(mounts []mount) string {
	for _, m := range mounts {
		switch {
		case m.kind == "fuse.lxcfs" && (strings.HasPrefix(m.point, "/proc/") || strings.HasPrefix(m.point, "/sys/")):
			return "lxc"
		case strings.HasPrefix(m.point, "/dev/lxc/"), m.point == "/dev/.lxc", strings.HasPrefix(m.point, "/dev/.lxc/"), m.point == "/dev/lxd", m.point == "/dev/incus":
			return "lxc"
		case m.point == "/" && strings.HasPrefix(m.source, "/dev/ploop"), m.point == "/" && m.kind == "simfs":
			return "openvz"
		case m.point != "/" || m.kind != "overlay" && m.kind != "fuse.fuse-overlayfs":
			continue
		}
		options := strings.Join(m.options, ",")
		for _, store := range []struct{ dir, kind string }{
			{"/docker/overlay2/", "docker"}, {"/docker/rootfs/overlayfs/", "docker"}, {"/containers/storage/overlay/", "podman"}, {"/io.containerd.snapshotter", "containerd"},
		} {
			if strings.Contains(options, store.dir) {
				return store.kind
			}
		}
	}
	return ""
}

// builtContainer knows managers by the devices and kernel files that they make.
func (t Tree) builtContainer() string {
	switch {
	case t.isDir("/dev/lxc"), t.exists("/dev/.lxc"), t.exists("/dev/lxd"), t.exists("/dev/incus"), t.exists("/dev/.lxc-boot-id"):
		return "lxc"
	case t.exists("/proc/vz") && !t.exists("/proc/bc"):
		return "openvz"
	case t.vserver():
		return "vserver"
	case strings.Contains(t.text("/proc/sys/kernel/osrelease"), "icrosoft"), strings.Contains(t.text("/proc/sys/kernel/osrelease"), "WSL"):
		return "wsl" // distributions share one kernel of Windows' making
	}
	return ""
}

// vserver is told by the kernel's patch, which numbers its guests.
func (t Tree) vserver() bool {
	for line := range strings.Lines(t.text("/proc/self/status")) {
		name, value, _ := strings.Cut(line, ":")
		if id, err := strconv.Atoi(strings.TrimSpace(value)); (name == "VxID" || name == "s_context") && err == nil && id > 1 {
			return true
		}
	}
	return false
}

// standing weighs what the kernel shows. A process of the machine's own namespaces
// whose root is the machine's is on the machine, whatever lies in the root; one in a
// namespace of processes of its own is not.
func (t Tree) standing(mounts []mount) standing {
	threads := t.kernelThreads(mounts)
	if threads != onMachine {
		return threads
	}
	if users := t.link("/proc/self/ns/user"); users != "" && users != firstUsers && !t.sameRoot(mounts) {
		return inContainer
	}
	if t.sameRoot(mounts) {
		return onMachine
	}
	return unsure
}

// kernelThreads says whether the agent sees the processes of the machine: the number
// of its namespace, or the kernel's own threads, which the first namespace alone has.
func (t Tree) kernelThreads(mounts []mount) standing {
	pids := ""
	if !t.Live() {
		pids = t.link("/proc/1/ns/pid") // who looks is not of the tree
	}
	switch pids = firstOf(pids, t.link("/proc/self/ns/pid")); {
	case pids == firstPIDs:
		return onMachine
	case strings.HasPrefix(pids, "pid:["):
		return inContainer
	}
	switch second := t.text("/proc/2/comm"); {
	case second == "kthreadd":
		return onMachine
	case second != "":
		return inContainer // a container's second process, or a clone of the name
	case procHides(mounts) != "":
		return unsure
	case t.text("/proc/1/comm") != "", t.exists("/proc/1"):
		return inContainer // the first process is there and the kernel's is not
	}
	return unsure
}

// sameRoot says whether the agent's root is that of the machine's first process. Who
// may not see that one's mounts goes by the device: images lie on none.
func (t Tree) sameRoot(mounts []mount) bool {
	data, err := t.read("/proc/1/mounts")
	if err != nil || len(data) == 0 {
		return onBlockDevice(mounts)
	}
	root := func(all []mount) (found mount) {
		for _, m := range all {
			if m.point == "/" {
				found = m
			}
		}
		return found
	}
	own, first := root(mounts), root(parseMounts(string(data)))
	if own.source != first.source || own.kind != first.kind {
		return false
	}
	if own.kind != "overlay" {
		return true
	}
	// Overlays differ by what they are made of only.
	made := func(m mount) []string {
		return slices.DeleteFunc(slices.Clone(m.options), func(option string) bool { return !strings.Contains(option, "dir=") })
	}
	return slices.Equal(made(own), made(first))
}

// onBlockDevice says whether "/" is mounted from one.
func onBlockDevice(mounts []mount) bool {
	for _, m := range slices.Backward(mounts) {
		if m.point == "/" {
			return strings.HasPrefix(m.source, "/dev/")
		}
	}
	return false
}

// procHides says how /proc hides other users' processes: the mount option, "" where
// it does not.
func procHides(mounts []mount) string {
	hides := ""
	for _, m := range mounts {
		if m.point != "/proc" {
			continue
		}
		hides = ""
		for _, option := range m.options {
			switch value, ok := strings.CutPrefix(option, "hidepid="); {
			case ok && value != "0" && value != "off":
				hides = option
			case option == "subset=pid" && hides == "":
				hides = option
			}
		}
	}
	return hides
}

// ownBootID says whether the id of the boot is the container's own: LXC mounts one
// over the kernel's.
func (t Tree) ownBootID() bool {
	return slices.ContainsFunc(t.mounts(), func(m mount) bool { return m.point == "/proc/sys/kernel/random/boot_id" })
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
