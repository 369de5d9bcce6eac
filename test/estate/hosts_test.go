package estate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// uplink is how a host is connected to the estate's bridge.
type uplink string

const (
	veth    uplink = "veth"    // as guests of LXC, Incus and Proxmox are
	macvlan uplink = "macvlan" // as physical ports look
)

// host is one machine of the estate: namespaces and control groups of its own.
type host struct {
	e       *estate
	name    string
	address string
	pid     int // its first process, seen from outside
	dir     string
}

// estate is what the test made.
type estate struct {
	t      *testing.T
	dir    string // files of the test
	prefix string // of namespaces and control groups
	hosts  map[string]*host
	began  time.Time
}

// hierarchies are the places where a process can be put into a unit's control group.
var hierarchies = []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}

// controlGroups are the hierarchies of this machine that units live in.
func controlGroups() []string {
	var out []string
	for _, h := range hierarchies {
		if _, err := os.Stat(filepath.Join(h, "cgroup.procs")); err == nil {
			out = append(out, h)
		}
	}
	return out
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	dir, err := os.MkdirTemp("", "estate")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user must reach what is its own
		t.Fatal(err)
	}
	e := &estate{t: t, dir: dir, prefix: fmt.Sprintf("wbe%d", os.Getpid()%100000), hosts: map[string]*host{}, began: time.Now()}
	t.Cleanup(e.clean)
	e.unify()
	e.command("ip", "netns", "add", e.prefix+"sw")
	e.onSwitch("link", "set", "lo", "up")
	e.onSwitch("link", "add", "br0", "type", "bridge")
	e.onSwitch("link", "set", "br0", "up")
	// macvlan ports hang on one end of a cable whose other end is in the bridge.
	e.onSwitch("link", "add", "mv0", "type", "veth", "peer", "name", "mv1")
	e.onSwitch("link", "set", "mv0", "master", "br0", "up")
	e.onSwitch("link", "set", "mv1", "up", "promisc", "on")
	return e
}

// unify mounts the unified hierarchy where this machine has none: that is what today's
// distributions have, and where the kernel tells a socket's unit.
func (e *estate) unify() {
	for _, h := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(h, "cgroup.controllers")); err == nil {
			return
		}
	}
	const at = "/sys/fs/cgroup/unified"
	if os.MkdirAll(at, 0o755) != nil || exec.Command("mount", "-t", "cgroup2", "none", at).Run() != nil {
		e.t.Log("no unified hierarchy here: units of short connections will not be known")
		return
	}
	e.t.Cleanup(func() { _ = exec.Command("umount", at).Run() }) // runs before the estate ends if it is in use: then it stays
}

func (e *estate) command(name string, args ...string) string {
	e.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (e *estate) onSwitch(args ...string) {
	e.t.Helper()
	e.command("ip", append([]string{"-n", e.prefix + "sw"}, args...)...)
}

// clean ends every process of the estate and takes its namespaces away.
func (e *estate) clean() {
	for _, h := range e.hosts {
		if p, err := os.FindProcess(h.pid); err == nil {
			_ = p.Kill() // the first process of a namespace takes all others with it
		}
	}
	for name := range e.hosts {
		_ = exec.Command("ip", "netns", "del", e.prefix+name).Run()
	}
	_ = exec.Command("ip", "netns", "del", e.prefix+"sw").Run()
	_ = os.RemoveAll(e.dir)
	for _, root := range controlGroups() {
		_ = exec.Command("find", filepath.Join(root, e.prefix), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
	}
}

// firstProcess is what a host does first: a name, files and kernel tables of its own.
const firstProcess = `set -e
hostname "$NAME"
mount --make-rprivate /
mkdir -p "$DIR/cgroup"
mount --rbind /sys/fs/cgroup "$DIR/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$DIR/cgroup" /sys/fs/cgroup
mount --bind "$DIR/machine-id" /etc/machine-id
mount --bind "$DIR/hostname" /etc/hostname
mount --bind "$DIR/boot-id" /proc/sys/kernel/random/boot_id
[ ! -d /sys/class/dmi/id ] || mount -t tmpfs tmpfs /sys/class/dmi/id
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib/watchbill-agent 2>/dev/null || true
ip link set lo up
exec sleep infinity
`

// machine makes a host's files and its empty network; number tells its identity from others'.
func (e *estate) machine(name, address string, number int) *host {
	e.t.Helper()
	h := &host{e: e, name: name, address: address, dir: filepath.Join(e.dir, name)}
	e.hosts[name] = h
	for _, d := range []string{h.dir, filepath.Join(h.dir, "log"), filepath.Join(h.dir, "data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			e.t.Fatal(err)
		}
	}
	_ = os.Chmod(filepath.Join(h.dir, "data"), 0o777) // servers run as users of their own
	h.write("machine-id", fmt.Sprintf("%024x%08x\n", os.Getpid(), number))
	h.write("hostname", name+"\n")
	h.write("boot-id", fmt.Sprintf("%08x-0000-4000-8000-%012x\n", os.Getpid(), number))
	e.command("ip", "netns", "add", e.prefix+name)
	return h
}

// host adds a machine to the estate's network, at a place of 10.88.0.0/24 and fd00:88::/64.
func (e *estate) host(name string, place int, by uplink) *host {
	e.t.Helper()
	h := e.machine(name, fmt.Sprintf("10.88.0.%d", place), place)
	ns := e.prefix + name
	switch by {
	case veth:
		e.onSwitch("link", "add", "v-"+name, "type", "veth", "peer", "name", "eth0", "netns", ns)
		e.onSwitch("link", "set", "v-"+name, "master", "br0", "up")
	case macvlan:
		e.onSwitch("link", "add", "link", "mv1", "name", "m-"+name, "type", "macvlan", "mode", "bridge")
		e.onSwitch("link", "set", "m-"+name, "netns", ns)
		e.command("ip", "-n", ns, "link", "set", "m-"+name, "name", "eth0")
	}
	in := func(args ...string) { e.t.Helper(); e.command("ip", append([]string{"-n", ns}, args...)...) }
	in("addr", "add", h.address+"/24", "dev", "eth0")
	in("addr", "add", fmt.Sprintf("fd00:88::%d/64", place), "dev", "eth0", "nodad")
	in("link", "set", "eth0", "up")
	in("route", "add", "default", "via", "10.88.0.1")
	return e.boot(h)
}

// behind adds a machine on a network of its own, which another host leads to.
func (e *estate) behind(gateway *host, name string) *host {
	e.t.Helper()
	h := e.machine(name, "10.89.0.2", 2)
	in := func(ns string, args ...string) {
		e.t.Helper()
		e.command("ip", append([]string{"-n", e.prefix + ns}, args...)...)
	}
	in(gateway.name, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", e.prefix+name)
	in(gateway.name, "addr", "add", "10.89.0.1/24", "dev", "eth1")
	in(gateway.name, "link", "set", "eth1", "up")
	in(name, "addr", "add", h.address+"/24", "dev", "eth0")
	in(name, "link", "set", "eth0", "up")
	in(name, "route", "add", "default", "via", "10.89.0.1")
	return e.boot(h)
}

// boot starts the first process of a machine.
func (e *estate) boot(h *host) *host {
	e.t.Helper()
	name, ns := h.name, e.prefix+h.name
	for _, root := range controlGroups() {
		if err := os.MkdirAll(filepath.Join(root, e.prefix, name), 0o755); err != nil {
			e.t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", h.join("")+"exec nsenter --net=/run/netns/"+ns+" unshare --mount --uts --ipc --pid --cgroup --fork --mount-proc --kill-child sh -c \"$BOOT\"")
	cmd.Env = append(os.Environ(), "NAME="+name, "DIR="+h.dir, "BOOT="+firstProcess)
	cmd.Stdout, cmd.Stderr = h.log("boot"), h.log("boot")
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }() // it ends when the estate does
	e.until("host "+name+" is up", func() error {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			return err
		}
		if h.pid, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
			return err
		}
		if b, err = os.ReadFile(fmt.Sprintf("/proc/%d/comm", h.pid)); err != nil || string(b) != "sleep\n" {
			return fmt.Errorf("its first process is %q, %w", b, err)
		}
		return nil
	})
	return h
}

// join is shell text that moves the shell into a unit's control group.
func (h *host) join(unit string) string {
	var b strings.Builder
	for _, root := range controlGroups() {
		d := filepath.Join(root, h.e.prefix, h.name)
		if unit != "" {
			d = filepath.Join(d, "system.slice", unit)
		}
		fmt.Fprintf(&b, "mkdir -p '%s' && echo $$ > '%s/cgroup.procs'; ", d, d)
	}
	return b.String()
}

func (h *host) write(name, text string) string {
	h.e.t.Helper()
	p := filepath.Join(h.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		h.e.t.Fatal(err)
	}
	return p
}

func (h *host) log(name string) *os.File {
	f, err := os.OpenFile(filepath.Join(h.dir, "log", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.e.t.Fatal(err)
	}
	return f
}

// inside is the command line that runs shell text in the host, in a unit or in none.
func (h *host) inside(unit, text string) *exec.Cmd {
	ns := "/run/netns/" + h.e.prefix + h.name
	enter := fmt.Sprintf("exec nsenter -t %d --net=%s -m -u -i -p -C sh -c \"$TEXT\"", h.pid, ns)
	cmd := exec.Command("sh", "-c", h.join(unit)+enter)
	cmd.Env = append(os.Environ(), "TEXT="+text, "HOME=/root")
	return cmd
}

// run does one thing in the host and returns what it prints.
func (h *host) run(text string) string {
	h.e.t.Helper()
	out, err := h.inside("", text).CombinedOutput()
	if err != nil {
		h.e.t.Fatalf("%s: %s: %v\n%s", h.name, text, err, out)
	}
	return string(out)
}

// start runs a unit: whatever the shell text starts is in its control group.
func (h *host) start(unit, text string) {
	h.e.t.Helper()
	cmd := h.inside(unit, "exec "+text)
	f := h.log(unit)
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		h.e.t.Fatalf("%s: start %s: %v", h.name, unit, err)
	}
	go func() { _ = cmd.Wait() }()
}

// cable pulls the host's cable (down) or plugs it in (up).
func (h *host) cable(state string) {
	h.e.t.Helper()
	ns := h.e.prefix + h.name
	h.e.command("ip", "-n", ns, "link", "set", "eth0", state)
	if state == "up" { // the kernel has forgotten what hung on the link
		place := h.address[strings.LastIndexByte(h.address, '.')+1:]
		_ = exec.Command("ip", "-n", ns, "addr", "add", "fd00:88::"+place+"/64", "dev", "eth0", "nodad").Run()
		_ = exec.Command("ip", "-n", ns, "route", "add", "default", "via", "10.88.0.1").Run()
	}
}

// patience bounds a test that hangs, and says nothing about speed.
const patience = 4 * time.Minute

// until polls until f says nil.
func (e *estate) until(what string, f func() error) time.Duration {
	e.t.Helper()
	began := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > patience {
			e.tails()
			e.t.Fatalf("not within %s: %s: %v", patience, what, err)
		}
		<-tick.C
	}
}

// tails prints the end of every log: what a person would look at first.
func (e *estate) tails() {
	for _, h := range e.hosts {
		logs, _ := filepath.Glob(filepath.Join(h.dir, "log", "*"))
		for _, l := range logs {
			if b, err := os.ReadFile(l); err == nil && len(b) > 0 {
				e.t.Logf("--- %s: %s\n%s", h.name, filepath.Base(l), b[max(0, len(b)-600):])
			}
		}
	}
}
