package probe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// lxc is a container on a rack server as LXC shows it, without any marker: its root is
// a block device, the firmware's data and the disks are the host's.
var lxc = with(physical, map[string]string{
	"/proc/2/comm": "", "/proc/1/comm": "init\n", "/proc/self/cgroup": "0::/\n",
	"/proc/self/mounts":   "/dev/mapper/pve-vm--105--disk--0 / ext4 rw 0 0\nnone /dev tmpfs rw 0 0\nproc /proc proc rw 0 0\n",
	"/sys/block/sda/size": "1000\n", "/sys/block/sda/device/vpd_pg80": "\x00\x80\x00\x08Z3TXXXX1",
})

func TestContainersAreToldByAnyOneSign(t *testing.T) {
	mounts := lxc["/proc/self/mounts"]
	for name, c := range map[string]struct {
		files map[string]string
		kind  string
	}{
		"lxcfs over /proc":                {map[string]string{"/proc/self/mounts": mounts + "lxcfs /proc/uptime fuse.lxcfs rw 0 0\n"}, "lxc"},
		"lxcfs over /sys":                 {map[string]string{"/proc/self/mounts": mounts + "lxcfs /sys/devices/system/cpu fuse.lxcfs rw 0 0\n"}, "lxc"},
		"a directory of terminals":        {map[string]string{"/dev/lxc/tty1": "x"}, "lxc"},
		"a terminal mounted":              {map[string]string{"/proc/self/mounts": mounts + "devpts /dev/lxc/console devpts rw 0 0\n"}, "lxc"},
		"LXD's socket":                    {map[string]string{"/dev/lxd/sock": "x"}, "lxc"},
		"the first process's variable":    {map[string]string{"/proc/1/environ": "TERM=linux\x00container=lxc\x00"}, "lxc"},
		"libvirt's LXC":                   {map[string]string{"/proc/1/environ": "container=lxc-libvirt\x00"}, "lxc"},
		"nspawn without systemd":          {map[string]string{"/proc/1/environ": "container=systemd-nspawn\x00"}, "systemd-nspawn"},
		"a manager's own file":            {map[string]string{"/run/host/container-manager": "systemd-nspawn\n"}, "systemd-nspawn"},
		"podman":                          {map[string]string{"/proc/1/environ": "container=podman\x00"}, "podman"},
		"the first process's cgroup":      {map[string]string{"/proc/1/cgroup": "0::/lxc.payload.ct105\n"}, "lxc"},
		"cgroup v1":                       {map[string]string{"/proc/self/cgroup": "4:memory:/lxc/ct105\n"}, "lxc"},
		"docker's store":                  {map[string]string{"/proc/self/mounts": "overlay / overlay rw,lowerdir=/x,upperdir=/var/lib/docker/overlay2/ab/diff,workdir=/y 0 0\n"}, "docker"},
		"docker's file":                   {map[string]string{"/.dockerenv": "x"}, "docker"},
		"rootless podman":                 {map[string]string{"/proc/self/mounts": "fuse-overlayfs / fuse.fuse-overlayfs rw,lowerdir=/home/u/.local/share/containers/storage/overlay/l 0 0\n"}, "podman"},
		"Virtuozzo":                       {map[string]string{"/proc/self/mounts": "/dev/ploop12345p1 / ext4 rw 0 0\n"}, "openvz"},
		"OpenVZ":                          {map[string]string{"/proc/vz/veinfo": "x"}, "openvz"},
		"a namespace of processes":        {map[string]string{"/proc/self/ns/pid": "-> pid:[4026532841]"}, "container-other"},
		"no kernel threads and no marker": {nil, "container-other"},
	} {
		machine := tree(t, with(lxc, c.files))
		h, _ := probe.Identity(t.Context(), machine)
		if !h.Container || h.Virtualization != c.kind {
			t.Errorf("%s: container %v, %q, want %q", name, h.Container, h.Virtualization, c.kind)
		}
		if h.ProductUUID+h.SerialNumber+h.Vendor+h.ChassisSerial+h.BoardSerial != "" {
			t.Errorf("%s: it took its host's hardware: %+v", name, h)
		}
		if disks, problems := probe.Disks(machine); len(disks) > 0 || !said(problems, "container") {
			t.Errorf("%s: it took its host's disks: %+v", name, disks)
		}
	}
	own := tree(t, with(lxc, map[string]string{"/proc/self/mounts": mounts + "none /proc/sys/kernel/random/boot_id tmpfs ro 0 0\n", "/dev/lxc/tty1": "x"}))
	if h, _ := probe.Identity(t.Context(), own); h.ParentHint != "" {
		t.Errorf("a boot id of its own was told as its host's: %q", h.ParentHint)
	}
}

func TestMachinesAreNoContainers(t *testing.T) {
	hidden := "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw,hidepid=2 0 0\n"
	live := "overlay / overlay rw,lowerdir=/run/live/rootfs,upperdir=/run/live/overlay/rw,workdir=/w 0 0\n"
	for name, files := range map[string]map[string]string{
		"lxcfs for its own containers":        {"/proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\nlxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n"},
		"left-over of an image":               {"/.dockerenv": "x", "/run/.containerenv": "x"},
		"hidden processes and a left-over":    {"/proc/self/mounts": hidden, "/proc/2/comm": "", "/.dockerenv": "x"},
		"hidden processes, its own namespace": {"/proc/self/mounts": hidden, "/proc/2/comm": "", "/proc/self/ns/pid": "-> pid:[4026531836]", "/.dockerenv": "x"},
		"a live system's overlay":             {"/proc/self/mounts": live, "/proc/1/mounts": live, "/.dockerenv": "x"},
		"a server without disks":              {"/proc/self/mounts": "10.0.0.1:/root / nfs4 rw 0 0\n", "/proc/1/mounts": "10.0.0.1:/root / nfs4 rw 0 0\n"},
		"the agent of an LXD machine":         {"/dev/lxd/sock": "x"},
		"a host of containers":                {"/var/lib/docker/containers/x": "x", "/proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\noverlay /var/lib/docker/overlay2/ab/merged overlay rw,upperdir=/var/lib/docker/overlay2/ab/diff 0 0\n"},
		"a hardened unit's own mounts":        {"/proc/self/mounts": "/dev/sda1 / ext4 ro 0 0\n", "/proc/1/mounts": "/dev/sda1 / ext4 rw 0 0\n"},
	} {
		h, _ := probe.Identity(t.Context(), tree(t, with(physical, files)))
		if h.Container || h.SerialNumber == "" {
			t.Errorf("%s: taken for a container: %+v", name, h)
		}
	}
	// And a container that sees all processes is one.
	pod := with(physical, map[string]string{"/proc/self/mounts": "overlay / overlay rw,upperdir=/var/lib/docker/overlay2/ab/diff 0 0\n", "/proc/1/mounts": "/dev/sda1 / ext4 rw 0 0\n", "/proc/self/ns/pid": "-> pid:[4026531836]"})
	if h, _ := probe.Identity(t.Context(), tree(t, pod)); !h.Container {
		t.Errorf("a container with its host's processes passes for the host: %+v", h)
	}
}

func TestBareMachinesOfClouds(t *testing.T) {
	dmi := "/sys/class/dmi/id/"
	for name, c := range map[string]struct {
		vendor, product, cpu, want string
	}{
		"GCE bare metal":      {"Google", "Google Compute Engine", "flags\t\t: fpu vmx\n", "none"},
		"GCE machine":         {"Google", "Google Compute Engine", "flags\t\t: fpu hypervisor\n", "google"},
		"Chromebook":          {"Google", "Eve", "flags : fpu\n", "none"},
		"Alibaba's bare ones": {"Alibaba Cloud", "Alibaba Cloud ECS", "flags : fpu\n", "none"},
		"Alibaba's machines":  {"Alibaba Cloud", "Alibaba Cloud ECS", "flags : fpu hypervisor\n", "kvm"},
		"EC2 metal":           {"Amazon EC2", "m5.metal", "flags : fpu\n", "none"},
		"QEMU that hides":     {"QEMU", "Standard PC (Q35 + ICH9, 2009)", "flags : fpu\n", "kvm"},
		"Firecracker":         {"", "", "flags : fpu hypervisor\n", "vm-other"},
		"Hyper-V":             {"Microsoft Corporation", "Virtual Machine", "flags : fpu hypervisor\n", "hyperv"},
		"Surface":             {"Microsoft Corporation", "Surface Pro 7", "flags : fpu\n", "none"},
	} {
		h, _ := probe.Identity(t.Context(), tree(t, with(physical, map[string]string{dmi + "sys_vendor": c.vendor, dmi + "product_name": c.product, "/proc/cpuinfo": c.cpu})))
		if h.Virtualization != c.want {
			t.Errorf("%s: %q, want %q", name, h.Virtualization, c.want)
		}
	}
}

func TestTimeZoneInForce(t *testing.T) {
	zones := map[string]string{"/usr/share/zoneinfo/Europe/Berlin": "TZif2 berlin", "/usr/share/zoneinfo/Etc/UTC": "TZif2 utc"}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"stale note":      {map[string]string{"/etc/timezone": "Etc/UTC\n", "/etc/localtime": "-> /usr/share/zoneinfo/Europe/Berlin"}, "Europe/Berlin"},
		"relative link":   {map[string]string{"/etc/localtime": "-> ../usr/share/zoneinfo/America/Argentina/Ushuaia"}, "America/Argentina/Ushuaia"},
		"link to a link":  {map[string]string{"/etc/localtime": "-> /etc/zone", "/etc/zone": "-> /usr/share/zoneinfo/Asia/Tokyo"}, "Asia/Tokyo"},
		"variant":         {map[string]string{"/etc/localtime": "-> /usr/share/zoneinfo/posix/Asia/Tokyo"}, "Asia/Tokyo"},
		"only the note":   {map[string]string{"/etc/timezone": "Europe/Oslo\n"}, "Europe/Oslo"},
		"copy, same note": {with(zones, map[string]string{"/etc/timezone": "Europe/Berlin\n", "/etc/localtime": "TZif2 berlin"}), "Europe/Berlin"},
		"copy, stale":     {with(zones, map[string]string{"/etc/timezone": "Etc/UTC\n", "/etc/localtime": "TZif2 berlin"}), "Europe/Berlin"},
		"Red Hat of old":  {map[string]string{"/etc/sysconfig/clock": "ZONE=\"Europe/Rome\"\n"}, "Europe/Rome"},
		"a loop":          {map[string]string{"/etc/localtime": "-> /etc/localtime"}, ""},
	} {
		h, _ := probe.Identity(t.Context(), tree(t, with(with(physical, map[string]string{"/etc/localtime": ""}), c.files)))
		if h.Timezone != c.want {
			t.Errorf("%s: %q, want %q", name, h.Timezone, c.want)
		}
	}
}

func TestDisksAreDisks(t *testing.T) {
	block := func(name string, more ...string) map[string]string {
		out := map[string]string{"/sys/block/" + name + "/size": "1000\n", "/sys/block/" + name + "/queue/rotational": "0\n"}
		for i := 0; i+1 < len(more); i += 2 {
			out["/sys/block/"+name+"/"+more[i]] = more[i+1]
		}
		return out
	}
	files := with(physical, nil)
	for _, add := range []map[string]string{
		block("nvme0n1", "device/serial", "S1"), block("nvme0c0n1", "hidden", "1\n"), block("nvme1c1n1"), block("zram0"), block("ram0"), block("loop3"), block("fd0"),
		block("sr0", "device/type", "5\n"), block("sr1"), block("st0", "device/type", "1\n"), block("mmcblk0"), block("mmcblk0boot0"), block("mmcblk0rpmb"), block("mtdblock0"), block("nullb0"),
		block("sda", "device/type", "0\n", "device/model", "LUN", "device/wwid", "naa.6001", "device/vpd_pg80", "\x00\x80\x00\x04LUN1"),
		block("sdb", "device/type", "0\n", "device/model", "LUN", "device/wwid", "naa.6001"),
		block("dm-0", "dm/uuid", "mpath-36001\n", "slaves/sda/x", "x", "slaves/sdb/x", "x"),
		block("sdc", "device/wwid", "naa.6002"), block("sdd", "device/wwid", "naa.6002"), block("sde", "device/wwid", "naa.6003"),
		block("sdf", "device/type", "0\n"), block("sdg", "device/type", "0\n"), block("vda"), block("hda", "device/media", "cdrom\n"),
	} {
		files = with(files, add)
	}
	disks, _ := probe.Disks(tree(t, files))
	var names []string
	for _, d := range disks {
		names = append(names, d.Name)
		if d.Name == "dm-0" && (d.Serial != "LUN1" || d.Model != "LUN" || d.Kind != "ssd") {
			t.Errorf("the multipath device does not say what it is: %+v", d)
		}
	}
	if want := []string{"dm-0", "mmcblk0", "nvme0n1", "sdc", "sde", "sdf", "sdg", "vda"}; !slices.Equal(names, want) {
		t.Errorf("disks %v, want %v", names, want)
	}
}

func TestMountsThatAreThere(t *testing.T) {
	table := "sysfs /sys sysfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\nsystemd-1 /auto autofs rw 0 0\nnas:/auto /auto nfs4 rw 0 0\n/dev/sdb1 /data ext4 rw 0 0\n/dev/sdb2 /data/old xfs rw 0 0\n/dev/mapper/vg-data /data xfs rw 0 0\n" +
		"/dev/sdc1 /data/new btrfs rw 0 0\ns3fs /bucket fuse.s3fs rw 0 0\nbucket /gcs fuse.gcsfuse rw 0 0\n1:2 /pool fuse.mergerfs rw 0 0\nrclone /r fuse.rclone rw 0 0\nlxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n" +
		"portal /run/user/1000/doc fuse.portal rw 0 0\ngvfsd-fuse /run/user/1000/gvfs fuse.gvfsd-fuse rw 0 0\nx.AppImage /tmp/.mount_abc fuse.x.AppImage ro 0 0\nfusectl /sys/fs/fuse/connections fusectl rw 0 0\n"
	files := with(physical, map[string]string{"/proc/self/mounts": table, "/proc/1/mounts": table})
	for _, dir := range []string{"/data/new/x", "/bucket/x", "/gcs/x", "/pool/x", "/r/x", "/auto/x"} {
		files[dir] = "x"
	}
	list, _ := probe.Filesystems(t.Context(), tree(t, files))
	var got []string
	for _, f := range list {
		got = append(got, f.Mountpoint+"="+f.Device)
		if f.Mountpoint == "/data/new" && f.Type != "btrfs" || f.SizeBytes == 0 {
			t.Errorf("%+v", f)
		}
	}
	want := []string{"/=/dev/sda1", "/auto=nas:/auto", "/bucket=s3fs", "/data=/dev/mapper/vg-data", "/data/new=/dev/sdc1", "/gcs=bucket", "/pool=1:2", "/r=rclone"}
	if !slices.Equal(got, want) {
		t.Errorf("file systems %v\nwant %v", got, want)
	}
}

func TestHiddenProcessesAreNamed(t *testing.T) {
	for options, want := range map[string]bool{"rw": false, "rw,hidepid=0": false, "rw,hidepid=off": false, "rw,hidepid=1": true, "rw,hidepid=2": true, "rw,hidepid=invisible": true, "rw,gid=4,hidepid=ptraceable": true} {
		files := map[string]string{"/proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\nproc /proc proc " + options + " 0 0\n", "/proc/77/stat": "77 (own) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n"}
		procs := probe.NewProcesses(tree(t, files))
		if _, err := procs.Refresh(); err != nil {
			t.Fatal(err)
		}
		if got := procs.Hidden(); (got != "") != want {
			t.Errorf("%s: %q", options, got)
		}
		files["/proc/1/stat"] = "1 (init) S 0 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n"
		procs = probe.NewProcesses(tree(t, files))
		if got := procs.Hidden(); got != "" {
			t.Errorf("%s, but the first process is seen: %q", options, got)
		}
	}
}

func TestOtherPackageManagers(t *testing.T) {
	read := func(files map[string]string) (string, []report.Problem) {
		list, problems := probe.OtherManagers(tree(t, files), probe.Distro{ID: "x", Version: "1"}, false, map[string]bool{"/usr/bin/openssl": true}, func(path, purl string) {
			if path != "/usr/bin/openssl" || purl == "" {
				t.Errorf("owner of %s: %q", path, purl)
			}
		})
		var out []string
		for _, p := range list {
			if p.PURL == "" {
				t.Errorf("%s has no purl", p.Name)
			}
			out = append(out, p.Type+" "+p.Name+" "+p.Version)
		}
		return strings.Join(out, ", "), problems
	}
	for want, files := range map[string]map[string]string{
		"alpm openssl 3.3.1-1":              {"/var/lib/pacman/local/openssl-3.3.1-1/desc": "%NAME%\nopenssl\n\n%VERSION%\n3.3.1-1\n\n%ARCH%\nx86_64\n", "/var/lib/pacman/local/openssl-3.3.1-1/files": "%FILES%\nusr/\nusr/bin/openssl\n", "/var/lib/pacman/local/ALPM_DB_VERSION": "9\n"},
		"ebuild dev-libs/openssl 3.0.13-r2": {"/var/db/pkg/dev-libs/openssl-3.0.13-r2/CATEGORY": "dev-libs\n"},
		"ebuild app-misc/foo-2-bar 1.0_rc1": {"/var/db/pkg/app-misc/foo-2-bar-1.0_rc1/PF": "x"},
		"opkg busybox 1.36.1-1":             {"/usr/lib/opkg/status": "Package: busybox\nVersion: 1.36.1-1\nStatus: install user installed\nArchitecture: mips\n\nPackage: gone\nVersion: 1\nStatus: deinstall user not-installed\n"},
		"slackware aaa_base 15.0-3":         {"/var/lib/pkgtools/packages/aaa_base-15.0-x86_64-3": "PACKAGE NAME: x\n"},
		"brew jq 1.7.1":                     {"/home/linuxbrew/.linuxbrew/Cellar/jq/1.7.1/bin/jq": "x"},
		"snap lxd 5.21":                     {"/snap/lxd/current": "-> 28373", "/snap/lxd/28373/meta/snap.yaml": "name: lxd\nversion: '5.21'\n"},
	} {
		if got, problems := read(files); got != want || len(problems) > 0 {
			t.Errorf("got %q, problems %v, want %q", got, problems, want)
		}
	}
	for manager, file := range map[string]string{
		"nix": "/nix/store/abc-openssl-3/x", "guix": "/gnu/store/x/y", "xbps": "/var/db/xbps/pkgdb-0.38.plist", "eopkg": "/var/lib/eopkg/package/x/y", "swupd": "/usr/share/clear/bundles/os-core", "flatpak": "/var/lib/flatpak/app/org.x/y",
	} {
		if got, problems := read(map[string]string{file: "x"}); got != "" || !said(problems, manager) {
			t.Errorf("%s: %q %v", manager, got, problems)
		}
	}
	if _, problems := read(map[string]string{"/etc/hostname": "x"}); !said(problems, "no package manager") {
		t.Errorf("a host without one: %v", problems)
	}
}
