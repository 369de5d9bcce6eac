package probe

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Home is where a process lives: its unit, and its container if it has one.
type Home struct {
	Unit      string // "nginx.service"
	Container string // the runtime's id
	Runtime   string // "docker", "containerd", "cri-o", "podman", "lxc", "systemd-nspawn"
	Pod       string // the pod's UID
}

var (
	containerID = regexp.MustCompile(`^(?:(docker|cri-containerd|crio|libpod|containerd|nerdctl)-)?(?:conmon-)?([0-9a-f]{64})(?:\.scope)?$`)
	podSlice    = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})`)
)

// HomeOf reads a cgroup path. Unit is the innermost unit of the system's own
// manager; a user's units are named as they are, with their user's slice lost.
func HomeOf(path string) Home {
	var home Home
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		if m := podSlice.FindStringSubmatch(part); m != nil {
			home.Pod = strings.ReplaceAll(m[1], "_", "-")
		}
		if m := containerID.FindStringSubmatch(part); m != nil {
			home.Container = m[2]
			home.Runtime = runtimeOf(m[1], parts[:i])
			continue
		}
		if home.Container != "" {
			continue // units of an init system inside the container are its own
		}
		switch {
		case strings.HasPrefix(part, "lxc.payload."):
			home.Container, home.Runtime = strings.TrimPrefix(part, "lxc.payload."), "lxc"
		case part != "" && i > 0 && parts[i-1] == "lxc":
			home.Container, home.Runtime = part, "lxc"
		case strings.HasPrefix(part, "systemd-nspawn@") && strings.HasSuffix(part, ".service"):
			home.Unit = part
			home.Container, home.Runtime = unescapeUnit(strings.TrimSuffix(strings.TrimPrefix(part, "systemd-nspawn@"), ".service")), "systemd-nspawn"
		case strings.HasPrefix(part, "machine-") && strings.HasSuffix(part, ".scope") && !strings.Contains(part, "qemu"):
			home.Unit = part
			home.Container, home.Runtime = unescapeUnit(strings.TrimSuffix(strings.TrimPrefix(part, "machine-"), ".scope")), "systemd-nspawn"
		case strings.HasSuffix(part, ".service"), strings.HasSuffix(part, ".scope"):
			home.Unit = part
		}
	}
	return home
}

func runtimeOf(prefix string, parents []string) string {
	switch prefix {
	case "docker":
		return "docker"
	case "crio":
		return "cri-o"
	case "libpod":
		return "podman"
	case "cri-containerd", "containerd", "nerdctl":
		return "containerd"
	}
	for _, p := range parents {
		switch {
		case p == "docker":
			return "docker"
		case strings.HasPrefix(p, "libpod"):
			return "podman"
		case strings.HasPrefix(p, "crio"):
			return "cri-o"
		}
	}
	return "containerd"
}

// unescapeUnit undoes systemd's escaping of "-" and "\xNN" in unit names.
func unescapeUnit(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if i+3 < len(name) && name[i] == '\\' && name[i+1] == 'x' {
			high, okHigh := unhex(name[i+2])
			low, okLow := unhex(name[i+3])
			if okHigh && okLow {
				out.WriteByte(high<<4 | low)
				i += 3
				continue
			}
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// cgroupPath picks the path that tells most out of /proc/PID/cgroup: the
// unified one, else systemd's, else any that is not the root.
func cgroupPath(data string) string {
	best, rank := "", 0
	for line := range strings.Lines(data) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[2] == "/" {
			continue
		}
		this := 1
		switch fields[1] {
		case "":
			this = 3
		case "name=systemd":
			this = 2
		}
		if this > rank {
			best, rank = fields[2], this
		}
	}
	return best
}

// Cgroups maps the id that the kernel gives for a socket's cgroup (its
// directory's inode in the unified hierarchy) to the cgroup's path.
func (t Tree) Cgroups() map[uint64]string {
	root := "/sys/fs/cgroup"
	if t.isDir(root + "/unified") {
		root += "/unified"
	}
	out := make(map[uint64]string)
	base := t.Path(root)
	_ = filepath.WalkDir(base, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil //nolint:nilerr // a cgroup that went while we walked
		}
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			out[st.Ino] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, base), "/")
		}
		return nil
	})
	return out
}
