package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// machine writes the files of a small host below a directory.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"etc/hostname": "tiny\n", "etc/os-release": "ID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME=\"Alpine Linux v3.20\"\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
		"proc/stat": "btime 1700000000\n", "proc/2/comm": "kthreadd\n", "proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\n", "proc/sys/kernel/osrelease": "6.6.1\n",
		"proc/meminfo": "MemTotal: 1000 kB\nSwapTotal: 0 kB\n", "proc/cpuinfo": "processor\t: 0\nmodel name\t: tiny\n\n",
		"proc/42/stat": "42 (nginx) S 1 42 42 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0", "proc/42/cmdline": "nginx: master process\x00", "proc/42/cgroup": "0::/system.slice/nginx.service\n",
		"proc/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0 100 0 0 10 0\n" +
			"   1: 0100000A:0050 0900000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0 100 0 0 10 0\n",
		"proc/net/udp":                        "  sl  local_address rem_address   st\n   0: 00000000:C350 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 779 2 0 0\n",
		"lib/apk/db/installed":                "P:nginx\nV:1.26.1-r0\nA:x86_64\n\nP:nodejs-x\nV:1\nF:usr/lib/node_modules/x\nR:package.json\n\n",
		"usr/lib/node_modules/x/package.json": `{"name":"x","version":"1.0.0"}`,
	} {
		put(t, filepath.Join(root, name), content)
	}
	if err := os.MkdirAll(filepath.Join(root, "proc/42/fd"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"proc/42/exe": "/usr/sbin/nginx", "proc/42/fd/6": "socket:[777]", "proc/42/fd/7": "socket:[778]", "proc/42/fd/8": "socket:[779]", "proc/42/ns/net": "net:[1]", "proc/self/ns/net": "net:[1]"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCollectWholeHostFromFiles(t *testing.T) {
	c := agent.NewCollector(probe.NewTree(machine(t)), agent.CollectorOptions{Languages: true})
	defer c.Close()
	r := c.Collect(t.Context(), time.Unix(1700001000, 0), true)
	if r.Host.Hostname != "tiny" || r.OS.ID != "alpine" || r.OS.Kernel != "6.6.1" || r.Hardware.MemoryBytes != 1024000 || len(r.Users) != 1 {
		t.Errorf("%+v %+v %+v", r.Host, r.OS, r.Hardware)
	}
	if len(r.Processes) != 1 || r.Processes[0].Product != "nginx" || r.Processes[0].Version != "1.26.1" || r.Processes[0].Unit != "nginx.service" || r.Processes[0].StartedAt.Unix() != 1700000005 {
		t.Errorf("processes %+v", r.Processes)
	}
	i := slices.IndexFunc(r.Listeners, func(l report.Listener) bool { return l.Protocol == "tcp" })
	if len(r.Listeners) != 2 || i < 0 || r.Listeners[i].Port != 80 || r.Listeners[i].PID != 42 || r.Listeners[i].Unit != "nginx.service" || r.Listeners[i].Version != "1.26.1" {
		t.Errorf("listeners %+v", r.Listeners)
	}
	if len(r.Connections) != 1 || r.Connections[0].Direction != "inbound" || r.Connections[0].PeerAddress != "10.0.0.9" || r.Connections[0].LocalPort != 80 || r.Connections[0].PeerPort != 0 || r.Connections[0].Process != "nginx" {
		t.Errorf("connections %+v", r.Connections)
	}
	npm := slices.IndexFunc(r.Packages, func(p report.Package) bool { return p.Type == "npm" })
	if len(r.Packages) != 3 || npm < 0 || !strings.HasPrefix(r.Packages[npm].OwnedBy, "pkg:apk/alpine/nodejs-x@1") {
		t.Errorf("packages %+v", r.Packages)
	}
}

func TestLoopLeavesOutWhatPasses(t *testing.T) {
	c := agent.NewCollector(probe.NewTree(machine(t)), agent.CollectorOptions{Lasting: true})
	defer c.Close()
	now := time.Unix(1700000010, 0) // the process is five seconds old
	r := c.Collect(t.Context(), now, true)
	if len(r.Processes) != 0 || len(r.Listeners) != 1 {
		t.Errorf("processes %+v, listeners %+v: young ones and clients' sockets are reported", r.Processes, r.Listeners)
	}
	r = c.Collect(t.Context(), now.Add(5*time.Minute), false)
	if len(r.Processes) != 1 || len(r.Listeners) != 2 {
		t.Errorf("processes %+v, listeners %+v: what stays is not reported", r.Processes, r.Listeners)
	}
}

func TestSlowWalkRunsBesideTheLoopAndIsRemembered(t *testing.T) {
	root, state := machine(t), t.TempDir()
	options := agent.CollectorOptions{Lasting: true, Languages: true, StateDir: state, Patience: probe.Gentle()}
	c := agent.NewCollector(probe.NewTree(root), options)
	now := time.Unix(1700001000, 0)
	r := c.Collect(t.Context(), now, true)
	if len(r.Packages) != 2 || len(r.Problems[report.SectionPackages]) != 1 {
		t.Errorf("before the walk is done: %+v, problems %v", r.Packages, r.Problems[report.SectionPackages])
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(r.Packages) != 3 {
		if time.Now().After(deadline) {
			t.Fatal("the walk never came to an end")
		}
		time.Sleep(10 * time.Millisecond)
		r = c.Collect(t.Context(), now.Add(time.Minute), false)
	}
	if len(r.Problems[report.SectionPackages]) != 0 {
		t.Errorf("problems after the walk: %v", r.Problems[report.SectionPackages])
	}
	c.Close()
	c = agent.NewCollector(probe.NewTree(root), options)
	defer c.Close()
	if r = c.Collect(t.Context(), now.Add(2*time.Minute), true); len(r.Packages) != 3 || len(r.Problems[report.SectionPackages]) != 0 {
		t.Errorf("after a restart: %d packages, problems %v", len(r.Packages), r.Problems[report.SectionPackages])
	}
}

func TestSectionsAreSwitchable(t *testing.T) {
	var off []string
	for _, s := range report.Sections() {
		if s != report.SectionAgent && s != report.SectionHost {
			off = append(off, s)
		}
	}
	c := agent.NewCollector(probe.NewTree(machine(t)), agent.CollectorOptions{Off: off})
	defer c.Close()
	r := c.Collect(t.Context(), time.Unix(1700001000, 0), true)
	sections, err := r.Split()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range off {
		if data := string(sections[name].Data); data != "[]" && !strings.HasPrefix(data, "{") || len(sections[name].Problems) != 1 {
			t.Errorf("section %s is %s with problems %v", name, data, sections[name].Problems)
		}
	}
	if len(r.Processes)+len(r.Listeners)+len(r.Packages)+len(r.Users) != 0 || r.OS.ID != "" {
		t.Errorf("a section that is off was looked at: %+v", r)
	}
}
