package probe_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// deadShare mounts a file system whose server answers nothing, not even the first
// question: whoever asks for anything on it waits for ever.
func deadShare(t *testing.T, point string) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("root is needed here (to mount), CI must not skip")
		}
		t.Skip("SKIPPED: root is needed (to mount)")
	}
	if err := os.MkdirAll(point, 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("SKIPPED: this kernel has no FUSE: %v", err)
	}
	if err := unix.Mount("server:/export", point, "fuse.sshfs", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)); err != nil {
		unix.Close(fd)
		t.Skipf("SKIPPED: FUSE cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		unix.Close(fd) // which ends every wait
		_ = unix.Unmount(point, unix.MNT_DETACH)
	})
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// within fails when the work is not done in time: it hangs then.
func within(t *testing.T, most time.Duration, what string, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	select {
	case <-done:
	case <-time.After(most):
		t.Fatalf("%s hangs", what)
	}
}

func said(problems []report.Problem, words ...string) bool {
	for _, p := range problems {
		all := true
		for _, w := range words {
			all = all && strings.Contains(p.Reason, w)
		}
		if all {
			return true
		}
	}
	return false
}

func TestDeadShareCostsOneThreadAndAWord(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, to string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	write("/etc/os-release", "ID=debian\n")
	write("/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\nserver:/export /mnt/share fuse.sshfs rw 0 0\n")
	write("/proc/2/comm", "kthreadd\n")
	write("/usr/lib/python3/dist-packages/six-1.dist-info/METADATA", "Name: six\nVersion: 1\n")
	link("/etc/ssl/x.pem", "/mnt/share/x.pem")
	link("/etc/ssl/far.pem", "../nginx/y.pem")
	link("/etc/nginx/y.pem", "/mnt/share/deep/../y.pem")
	link("/etc/nginx/conf.pem", "/shortcut/y.pem")
	link("/shortcut", "mnt/share")
	link("/usr/local/sbin/foo", "/mnt/share/foo")
	link("/usr/local/bin/bar", "/usr/local/sbin/foo")
	link("/usr/lib/python3/dist-packages/k-1.dist-info/METADATA", "/mnt/share/METADATA")
	link("/etc/cron.d/job", "/mnt/share/job")
	link("/etc/crontab", "/mnt/share/crontab")
	link("/var/lib/dpkg/status", "/mnt/share/status")
	link("/home/u", "/mnt/share/home/u")
	link("/opt/app", "/mnt/share/app")
	link("/etc/timezone", "/mnt/share/tz")
	link("/etc/passwd", "/mnt/share/passwd")
	deadShare(t, filepath.Join(root, "/mnt/share"))

	tree := probe.NewTree(root)
	before := threads(t)
	for range 5 {
		within(t, 20*time.Second, "a report", func() {
			fs, problems := probe.Filesystems(t.Context(), tree)
			if len(fs) != 2 || fs[1].Mountpoint != "/mnt/share" || fs[1].SizeBytes != 0 || !said(problems, "/mnt/share") {
				t.Errorf("file systems %+v, problems %v", fs, problems)
			}
			_, problems = probe.CertificateFiles(tree)
			if !said(problems, "/mnt/share") {
				t.Errorf("certificates: %v", problems)
			}
			_, problems = probe.Cron(tree)
			if !said(problems, "/etc/crontab") {
				t.Errorf("cron: %v", problems)
			}
			_, problems = probe.Dpkg(tree, probe.Distro{})
			if len(problems) == 0 {
				t.Error("dpkg's status cannot be read, and nobody says so")
			}
			_, problems = probe.Users(tree)
			if len(problems) == 0 {
				t.Error("the accounts cannot be read, and nobody says so")
			}
			probe.Identity(t.Context(), tree)
			found, _, problems, err := probe.Languages(t.Context(), tree, probe.Patience{}, []*probe.Proc{{PID: 7, Exe: "/mnt/share/bin/daemon"}}, nil)
			if err != nil || len(found) != 1 || !said(problems, "/mnt/share") {
				t.Errorf("languages %v, problems %v, %v", found, problems, err)
			}
		})
	}
	// The runtime's own threads come and go; one lost for each look would be dozens.
	if after := threads(t); after > before+6 {
		t.Errorf("%d threads after five looks, %d before", after, before)
	}
	blocked := 0
	entries, _ := os.ReadDir("/proc/self/task")
	for _, e := range entries {
		if wchan, err := os.ReadFile("/proc/self/task/" + e.Name() + "/wchan"); err == nil && strings.Contains(string(wchan), "fuse") || waitsForFuse(e.Name()) {
			blocked++
		}
	}
	if blocked > 1 {
		t.Errorf("%d threads wait for the share", blocked)
	}
}

func waitsForFuse(task string) bool {
	stack, err := os.ReadFile("/proc/self/task/" + task + "/stack")
	return err == nil && strings.Contains(string(stack), "fuse")
}

func TestLocalUserCannotHoldTheAgentUp(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	site := "/home/u/.local/lib/python3.11/site-packages/"
	must(os.WriteFile(at(site+"good-1.dist-info/METADATA"), []byte("Name: good\nVersion: 1\n"), 0o644))
	// The names of the kernel's files, within the tree and outside of it.
	must(os.WriteFile(at("/proc/kmsg"), []byte("Name: kmsg\nVersion: 1\n"), 0o644))
	must(os.WriteFile(at("/proc/2/comm"), []byte("kthreadd\n"), 0o644))
	must(os.WriteFile(at("/sys/kernel/tracing/trace_pipe"), []byte("Name: pipe\nVersion: 1\n"), 0o644))
	must(os.WriteFile(at("/proc/self/mounts"), []byte("/dev/sda1 / ext4 rw 0 0\ntracefs /sys/kernel/tracing tracefs rw 0 0\nproc /srv/jail/proc proc rw 0 0\n"), 0o644))
	must(os.WriteFile(at("/srv/jail/proc/kmsg"), []byte("Name: jail\nVersion: 1\n"), 0o644))
	for i, to := range []string{
		"/proc/kmsg", "/sys/kernel/tracing/trace_pipe", "../../../../../../../../proc/kmsg", "/proc/self/../kmsg", "/dev/zero", "/srv/jail/proc/kmsg", "METADATA", "/home/u/loop", "/proc/1/fd/0", "/hop/kmsg",
	} {
		must(os.Symlink(to, at(site+"k"+strconv.Itoa(i)+"-1.dist-info/METADATA")))
	}
	must(os.Symlink("/proc", at("/hop")))
	must(os.Symlink("/home/u/loop2", at("/home/u/loop")))
	must(os.Symlink("/home/u/loop", at("/home/u/loop2")))
	for _, fifo := range []string{
		site + "f-1.dist-info/METADATA", "/usr/lib/node_modules/x/package.json", "/opt/a/x.jar", "/usr/local/bin/tool", "/etc/cron.d/job", "/etc/crontab", "/etc/ssl/x.pem", "/etc/os-release", "/etc/passwd", "/etc/anacrontab",
		"/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/gems/specifications/x-1.gemspec", "/etc/timezone", "/etc/hosts", "/etc/machine-id", "/var/lib/pacman/local/x-1/desc", "/var/lib/dpkg/status.d/x",
	} {
		must(unix.Mkfifo(at(fifo), 0o644))
	}
	tree := probe.NewTree(root)
	within(t, 20*time.Second, "a look", func() {
		found, _, problems, err := probe.Languages(t.Context(), tree, probe.Patience{}, nil, nil)
		if err != nil || len(found) != 1 || found[0].Name != "good" {
			t.Errorf("found %v, %v", found, err)
		}
		if !said(problems, "a link leads to a view of the kernel") {
			t.Errorf("nobody says why: %v", problems)
		}
		probe.Identity(t.Context(), tree)
		probe.System(tree)
		probe.Users(tree)
		_, problems = probe.Cron(tree)
		if !said(problems, "/etc/crontab", "not a regular file") {
			t.Errorf("cron: %v", problems)
		}
		probe.CertificateFiles(tree)
		probe.Dpkg(tree, probe.Distro{})
		probe.Apk(tree, probe.Distro{}, nil, nil)
		probe.OtherManagers(tree, probe.Distro{}, false, nil, func(string, string) {})
	})
}
