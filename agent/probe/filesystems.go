package probe

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/disk"

	"github.com/watchbill/watchbill/cmdb/report"
)

// mount is one line of the mount table.
type mount struct {
	source, point, kind string
	readOnly            bool
}

// mounts reads the mount table of the agent's own namespace.
func (t Tree) mounts() []mount {
	name := "/proc/self/mounts"
	data, err := t.read(name)
	if err != nil {
		data, err = t.read("/proc/mounts")
	}
	if err != nil {
		return nil
	}
	return parseMounts(string(data))
}

// hostMounts reads the mount table as the init process sees it. The agent's own
// may be another one: a hardened unit sees every file system read-only.
func (t Tree) hostMounts() []mount {
	if data, err := t.read("/proc/1/mounts"); err == nil && len(data) > 0 {
		return parseMounts(string(data))
	}
	return t.mounts()
}

func parseMounts(data string) []mount {
	var out []mount
	for line := range strings.Lines(data) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		m := mount{source: unescapeMount(fields[0]), point: unescapeMount(fields[1]), kind: fields[2]}
		for _, option := range strings.Split(fields[3], ",") {
			if option == "ro" {
				m.readOnly = true
			}
		}
		out = append(out, m)
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
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "f2fs": true, "jfs": true, "reiserfs": true, "bcachefs": true,
	"vfat": true, "exfat": true, "ntfs": true, "ntfs3": true, "fuseblk": true, "iso9660": true, "udf": true, "erofs": true, "hfsplus": true, "nilfs2": true, "ocfs2": true, "gfs2": true,
	"overlay": true, "virtiofs": true, "9p": true,
}

// remote file systems may hang when their server is away.
var remote = map[string]bool{
	"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "ceph": true, "glusterfs": true, "fuse.glusterfs": true, "fuse.sshfs": true, "lustre": true, "beegfs": true, "afs": true,
}

// statPatience is how long a remote file system may take to say its size.
const statPatience = 2 * time.Second

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
	for _, m := range all {
		if !storing[m.kind] && !remote[m.kind] || m.kind == "overlay" && m.point != "/" {
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

// usage asks for a file system's size. A remote one is asked aside: statfs on
// a mount whose server is away never returns, and must not stop the agent.
func (t Tree) usage(ctx context.Context, m mount) (*disk.UsageStat, error) {
	if !remote[m.kind] {
		return disk.UsageWithContext(ctx, t.Path(m.point))
	}
	type answer struct {
		usage *disk.UsageStat
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		usage, err := disk.UsageWithContext(ctx, t.Path(m.point))
		answers <- answer{usage, err}
	}()
	timer := time.NewTimer(statPatience)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.usage, a.err
	case <-timer.C:
		return nil, errNoAnswer
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type noAnswer struct{}

func (noAnswer) Error() string { return "its server did not answer in time" }

var errNoAnswer = noAnswer{}
