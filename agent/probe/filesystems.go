package probe

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/shirou/gopsutil/v3/disk"

	"github.com/watchbill/watchbill/cmdb/report"
)

// mount is one line of the mount table.
type mount struct {
	source, point, kind string
	options             []string
	readOnly            bool
}

// mounts reads the mount table of the agent's own namespace.
func (t Tree) mounts() []mount { return t.mountsOf("/proc/self", "/proc") }

// hostMounts reads the mount table as the init process sees it. The agent's own
// may be another one: a hardened unit sees every file system read-only.
func (t Tree) hostMounts() []mount {
	if all := t.mountsOf("/proc/1"); len(all) > 0 {
		return all
	}
	return t.mounts()
}

func (t Tree) mountsOf(dirs ...string) []mount {
	for _, dir := range dirs {
		if data, err := t.read(dir + "/mounts"); err == nil && len(data) > 0 {
			return parseMounts(string(data))
		}
	}
	return nil
}

func parseMounts(data string) []mount {
	var out []mount
	for line := range strings.Lines(data) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		m := mount{source: unescapeMount(fields[0]), point: unescapeMount(fields[1]), kind: fields[2], options: strings.Split(fields[3], ",")}
		m.readOnly = slices.Contains(m.options, "ro")
		out = append(out, m)
	}
	return out
}

// visible leaves out what another mount covers: of one mount point the later, and
// what lay below a directory before something was mounted over it. "/" is no such
// directory: it is mounted after what the start of the machine had mounted already.
func visible(all []mount) []mount {
	out := make([]mount, 0, len(all))
	for i, m := range all {
		covered := slices.ContainsFunc(all[i+1:], func(later mount) bool {
			return later.point == m.point || later.point != "/" && strings.HasPrefix(m.point, later.point+"/")
		})
		if !covered {
			out = append(out, m)
		}
	}
	return out
}

// unescapeMount undoes the octal escapes for space, tab, newline and backslash.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return strings.ToValidUTF8(s, "?")
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]) {
			out.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		out.WriteByte(s[i])
	}
	return strings.ToValidUTF8(out.String(), "?")
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// storing file systems keep data on something; the others are views of kernel
// state or of memory.
var storing = map[string]bool{
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "f2fs": true, "jfs": true, "reiserfs": true, "reiser4": true, "bcachefs": true,
	"vfat": true, "msdos": true, "exfat": true, "ntfs": true, "ntfs3": true, "fuseblk": true, "iso9660": true, "udf": true, "erofs": true, "hfs": true, "hfsplus": true, "apfs": true,
	"nilfs2": true, "ocfs2": true, "gfs2": true, "minix": true, "ufs": true, "ubifs": true, "jffs2": true, "vxfs": true, "simfs": true, "aufs": true,
	"overlay": true, "virtiofs": true, "9p": true,
}

// remote file systems may hang when their server is away.
var remote = map[string]bool{
	"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "smbfs": true, "ncpfs": true, "ceph": true, "glusterfs": true, "lustre": true, "beegfs": true, "afs": true, "coda": true,
	"gpfs": true, "mmfs": true, "orangefs": true, "pvfs2": true, "panfs": true, "wekafs": true, "davfs": true, "vboxsf": true, "vmhgfs": true, "prl_fs": true, "drvfs": true,
}

// shared disks have other machines behind them, whose lock may be waited for, and a
// hypervisor's share has a program.
var shared = map[string]bool{"ocfs2": true, "gfs2": true, "9p": true, "virtiofs": true, "fuseblk": true}

// views are file systems of programs that store nothing: they show what is elsewhere.
var views = []string{
	"fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse", "fuse.gvfs-fuse-daemon", "fuse.snapfuse", "fuse.squashfuse", "fuse.squashfuse_ll", "fuse.vmware-vmblock", "fuse.vmblock", "fuse.revokefs-fuse",
	"fuse.archivemount", "fuse.fuse-overlayfs", "fuse.dumpfs", "fuse.xdg-document-portal", "fuse.jetbrains-toolbox", "fuse.kio-fuse", "fuse.ltfs-view", "fuse.osspd",
}

// served says whether somebody else answers for what is below a mount: another
// machine, a program of this one, or whoever mounts on demand.
func served(kind string) bool {
	return remote[kind] || shared[kind] || kind == "autofs" || kind == "fuse" || strings.HasPrefix(kind, "fuse.")
}

// stores says whether a mount keeps data, for a list of file systems.
func stores(m mount) bool {
	switch {
	case storing[m.kind], remote[m.kind]:
		return true
	case m.kind == "fuse", strings.HasPrefix(m.kind, "fuse."):
		// An AppImage or a snap that runs shows itself as a file system, read-only.
		image := strings.HasPrefix(m.point, "/tmp/.mount_") || strings.HasPrefix(m.point, "/snap/")
		return !slices.Contains(views, m.kind) && !strings.HasPrefix(m.point, "/run/user/") && !image
	}
	return false
}

// kernelViews show the kernel's state: a read may wait for its next event.
var kernelViews = map[string]bool{
	"proc": true, "sysfs": true, "tracefs": true, "debugfs": true, "securityfs": true, "configfs": true, "devtmpfs": true, "devpts": true, "mqueue": true, "cgroup": true, "cgroup2": true,
	"pstore": true, "efivarfs": true, "binfmt_misc": true, "rpc_pipefs": true, "nfsd": true, "fusectl": true, "bpf": true, "selinuxfs": true, "smackfs": true, "resctrl": true, "nsfs": true, "functionfs": true, "usbfs": true,
}

func kernelView(kind string) bool { return kernelViews[kind] }

// Filesystems reads the mounted file systems that store something, each device
// once per mount point and bind mounts of a device's part left out.
func Filesystems(ctx context.Context, t Tree) ([]report.Filesystem, []report.Problem) {
	var p problems
	out := []report.Filesystem{}
	seen := make(map[string]bool)
	container := t.container().isContainer()
	all := t.mounts()
	if !container {
		all = t.hostMounts()
	}
	if all == nil {
		p.add("", "file systems: the mount table cannot be read")
	}
	for _, m := range visible(all) {
		if !stores(m) || m.kind == "overlay" && m.point != "/" {
			continue
		}
		// A device seen before is a bind mount, or a container's file.
		if seen[m.source] && m.kind != "overlay" || seen["@"+m.point] || strings.HasPrefix(m.source, "/dev/loop") && m.readOnly {
			continue
		}
		if container && m.point != "/" && strings.HasPrefix(m.point, "/etc/") {
			continue // files that the runtime mounts in
		}
		seen[m.source], seen["@"+m.point] = true, true
		f := report.Filesystem{Mountpoint: m.point, Device: m.source, Type: m.kind, ReadOnly: m.readOnly}
		usage, err := t.usage(ctx, m)
		if err != nil {
			p.denied(err, "CAP_DAC_READ_SEARCH", "size of "+m.point)
		} else {
			f.SizeBytes, f.UsedBytes = usage.Total, usage.Used
		}
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Mountpoint < out[j].Mountpoint })
	return out, p.list
}

// usage asks for a file system's size. One that somebody serves is asked aside: statfs
// on a mount whose server is away never returns, and must not stop the agent.
func (t Tree) usage(ctx context.Context, m mount) (*disk.UsageStat, error) {
	point := t.Path(m.point)
	if where, _ := t.guard.on(m.point); where != onServer && (m.point == "/" || !served(m.kind)) {
		return disk.UsageWithContext(ctx, point)
	}
	// Beyond the context: what hangs is not to be waited for at the end either.
	return ask(&t.guard.aside, m.point, askPatience, func() (*disk.UsageStat, error) {
		return disk.UsageWithContext(context.WithoutCancel(ctx), point)
	})
}
