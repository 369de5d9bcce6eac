package probe_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// sampleHere looks at this machine's sockets.
func sampleHere(t *testing.T) probe.NetworkSample {
	t.Helper()
	tree := probe.NewTree("/")
	procs, err := probe.NewProcesses(tree).Refresh()
	if err != nil {
		t.Fatal(err)
	}
	return probe.NewNetwork(tree).Sample(procs, nil)
}

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestListenersAgainstSS(t *testing.T) {
	_, err := exec.LookPath("ss")
	need(t, err == nil, "ss (Debian: iproute2)")
	listenOn(t, "tcp4", "127.0.0.1:0")
	listenOn(t, "tcp6", "[::1]:0")
	listenOn(t, "tcp", ":0")
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	// Other programs come and go meanwhile: what is in both looks before and
	// after must be found, what is in neither must not.
	before := ssListeners(t)
	sample := sampleHere(t)
	after := ssListeners(t)
	got := map[string]bool{}
	mine := 0
	for _, l := range sample.Listeners {
		if l.Namespace != "" {
			continue
		}
		key := fmt.Sprintf("%s %s", strings.TrimSuffix(l.Protocol, "6"), netip.AddrPortFrom(netip.MustParseAddr(l.Address), uint16(l.Port)))
		got[key] = true
		if !before[key] && !after[key] {
			t.Errorf("ss does not know %s", key)
		}
		if l.PID == os.Getpid() {
			mine++
		}
	}
	hit, all := 0, 0
	for key := range before {
		if after[key] {
			all++
			if got[key] {
				hit++
			} else {
				t.Errorf("ss knows %s, the probe does not", key)
			}
		}
	}
	if mine != 4 {
		t.Errorf("%d of this process's 4 sockets carry its PID", mine)
	}
	t.Logf("listeners: recall %d/%d, precision %d/%d", hit, all, len(got), len(got))
}

func ssListeners(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("ss", "-Hltun").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		host, port, err := net.SplitHostPort(f[4])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		host, _, _ = strings.Cut(host, "%")
		if host == "*" {
			host = "::"
		}
		found[f[0]+" "+net.JoinHostPort(host, port)] = true
	}
	return found
}

func TestConnectionsWithinThisProcess(t *testing.T) {
	l := listenOn(t, "tcp4", "127.0.0.1:0")
	port := l.Addr().(*net.TCPAddr).Port
	for range 20 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	in, out := 0, 0
	for _, e := range sampleHere(t).Edges {
		switch {
		case e.Inbound && int(e.LocalPort) == port:
			in++
			if e.Count != 20 || e.Evidence != probe.EvidenceListener || e.Process == "" {
				t.Errorf("inbound %+v", e)
			}
		case !e.Inbound && int(e.PeerPort) == port:
			out++
			if e.Count != 20 || e.Process == "" {
				t.Errorf("outbound %+v", e)
			}
		}
	}
	if in != 1 || out != 1 {
		t.Errorf("%d inbound and %d outbound edges for 20 connections, want one each", in, out)
	}
}

// TestOtherNetworkNamespaces puts a real server and its client into namespaces
// of their own and expects to see both with their processes.
func TestOtherNetworkNamespaces(t *testing.T) {
	need(t, os.Getuid() == 0, "root (for network namespaces)")
	_, err := exec.LookPath("ip")
	need(t, err == nil, "ip (Debian: iproute2)")
	suffix := strconv.Itoa(os.Getpid())
	a, b := "wba"+suffix, "wbb"+suffix
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
	for _, ns := range []string{a, b} {
		ip("netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		ip("-n", ns, "link", "set", "lo", "up")
	}
	ip("link", "add", "va"+suffix, "netns", a, "type", "veth", "peer", "name", "vb"+suffix, "netns", b)
	ip("-n", a, "addr", "add", "10.99.0.1/24", "dev", "va"+suffix)
	ip("-n", b, "addr", "add", "10.99.0.2/24", "dev", "vb"+suffix)
	ip("-n", a, "link", "set", "va"+suffix, "up")
	ip("-n", b, "link", "set", "vb"+suffix, "up")
	helper := func(ns string, args ...string) *bufio.Reader {
		t.Helper()
		cmd := exec.Command("ip", append([]string{"netns", "exec", ns, os.Args[0], "-test.run=^TestHelperProcess$", "--"}, args...)...)
		cmd.Env = append(os.Environ(), "WATCHBILL_TEST_HELPER=1")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
		return bufio.NewReader(stdout)
	}
	ready := func(r *bufio.Reader) {
		t.Helper()
		if line, err := r.ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("helper says %q, %v", line, err)
		}
	}
	ready(helper(a, "listen", "10.99.0.1:5432"))
	ready(helper(b, "dial", "10.99.0.1:5432"))
	sample := sampleHere(t)
	if len(sample.ListenerProblems) != 0 && os.Getenv("CI") == "true" {
		t.Logf("problems: %v", sample.ListenerProblems)
	}
	listeners := slices.IndexFunc(sample.Listeners, func(l report.Listener) bool {
		return l.Port == 5432 && l.Address == "10.99.0.1" && l.Namespace != "" && l.PID != 0
	})
	if listeners < 0 {
		t.Errorf("the listener in another namespace is not seen: %+v", sample.Listeners)
	}
	var in, out string
	for _, e := range sample.Edges {
		if e.Inbound && e.LocalPort == 5432 && e.Peer.String() == "10.99.0.2" && e.Process != "" {
			in = e.Namespace
		}
		if !e.Inbound && e.PeerPort == 5432 && e.Peer.String() == "10.99.0.1" && e.Process != "" {
			out = e.Namespace
		}
	}
	if in == "" || out == "" || in == out {
		t.Errorf("edges seen in namespaces %q and %q, want two different ones", in, out)
	}
}

// TestHelperProcess is no test: it is the server or client of another one.
func TestHelperProcess(t *testing.T) {
	if os.Getenv("WATCHBILL_TEST_HELPER") != "1" {
		return
	}
	args := os.Args[slices.Index(os.Args, "--")+1:]
	switch args[0] {
	case "listen":
		l, err := net.Listen("tcp4", args[1])
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				if c, err := l.Accept(); err == nil {
					t.Cleanup(func() { c.Close() })
				}
			}
		}()
	case "dial":
		c, err := net.Dial("tcp4", args[1])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test closes it
	os.Exit(0)
}

func ipJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", append([]string{"-json"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		out = []byte("[]")
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func TestInterfacesAndRoutesAgainstIP(t *testing.T) {
	_, err := exec.LookPath("ip")
	need(t, err == nil, "ip (Debian: iproute2)")
	var links []struct {
		Name    string `json:"ifname"`
		MTU     int    `json:"mtu"`
		Address string `json:"address"`
		Info    []struct {
			Local  string `json:"local"`
			Prefix int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	ipJSON(t, &links, "addr")
	got, problems := probe.Interfaces(probe.NewTree("/"))
	if len(problems) != 0 || len(got) != len(links) {
		t.Fatalf("%d interfaces, ip has %d; problems %v", len(got), len(links), problems)
	}
	for _, l := range links {
		i := slices.IndexFunc(got, func(i report.Interface) bool { return i.Name == l.Name })
		if i < 0 {
			t.Errorf("no %s", l.Name)
			continue
		}
		var want []string
		for _, a := range l.Info {
			want = append(want, fmt.Sprintf("%s/%d", a.Local, a.Prefix))
		}
		slices.Sort(want)
		if got[i].MTU != l.MTU || !slices.Equal(got[i].Addresses, want) || got[i].MAC != l.Address && l.Address != "00:00:00:00:00:00" && len(l.Address) == 17 {
			t.Errorf("%+v, ip says %+v", got[i], l)
		}
	}
	routes, problems := probe.Routes(probe.NewTree("/"))
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	all := 0
	for family, option := range map[string]string{"inet": "-4", "inet6": "-6"} {
		var want []struct {
			Dst     string `json:"dst"`
			Gateway string `json:"gateway"`
			Dev     string `json:"dev"`
			Metric  int    `json:"metric"`
			Type    string `json:"type"`
		}
		ipJSON(t, &want, option, "route", "show", "table", "main")
		for _, w := range want {
			if w.Type != "" && w.Type != "unicast" {
				continue
			}
			all++
			if !slices.ContainsFunc(routes, func(r report.Route) bool {
				destination := strings.TrimSuffix(strings.TrimSuffix(r.Destination, "/32"), "/128")
				return r.Family == family && (r.Destination == w.Dst || destination == w.Dst) && r.Gateway == w.Gateway && r.Interface == w.Dev && r.Metric == w.Metric
			}) {
				t.Errorf("ip knows %+v, the probe does not", w)
			}
		}
	}
	if all != len(routes) {
		t.Errorf("%d routes, ip has %d", len(routes), all)
	}
	t.Logf("interfaces %d/%d, routes %d/%d", len(got), len(links), len(routes), all)
}

// TestInterfaceKinds makes one of each kind in a namespace of its own.
func TestInterfaceKinds(t *testing.T) {
	need(t, os.Getuid() == 0, "root (for network namespaces)")
	ns := "wbk" + strconv.Itoa(os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	want := map[string]string{"lo": "loopback"}
	for name, kind := range map[string][]string{"bridge": {"br0", "bridge"}, "veth": {"ve0", "veth", "peer", "name", "ve1"}, "bond": {"bo0", "bond"}, "virtual": {"du0", "dummy"}, "tunnel": {"gr0", "ipip", "local", "10.0.0.1", "remote", "10.0.0.2"}} {
		args := append([]string{"-n", ns, "link", "add", "name", kind[0], "type"}, kind[1:]...)
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Logf("this kernel has no %s: %s", kind[1], strings.TrimSpace(string(out)))
			continue
		}
		want[kind[0]] = name
	}
	if want["br0"] != "" && want["ve0"] != "" {
		if out, err := exec.Command("ip", "-n", ns, "link", "set", "ve0", "master", "br0").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if out, err := exec.Command("ip", "-n", ns, "link", "add", "link", "br0", "name", "br0.42", "type", "vlan", "id", "42").CombinedOutput(); err != nil {
			t.Logf("this kernel has no vlan: %s", out)
		} else {
			want["br0.42"] = "vlan"
		}
	}
	cmd := exec.Command("ip", "netns", "exec", ns, os.Args[0], "-test.run=^TestHelperInterfaces$")
	cmd.Env = append(os.Environ(), "WATCHBILL_TEST_HELPER=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []report.Interface
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, kind := range want {
		i := slices.IndexFunc(got, func(i report.Interface) bool { return i.Name == name })
		if i < 0 || got[i].Kind != kind {
			t.Errorf("%s: %+v, want kind %s", name, got, kind)
			continue
		}
		if name == "br0.42" && got[i].VLAN != 42 || name == "ve0" && got[i].Master != "br0" {
			t.Errorf("%+v", got[i])
		}
	}
}

func TestHelperInterfaces(t *testing.T) {
	if os.Getenv("WATCHBILL_TEST_HELPER") != "1" {
		return
	}
	got, _ := probe.Interfaces(probe.NewTree("/"))
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		t.Fatal(err)
	}
	os.Exit(0)
}

func TestDisksAgainstLsblk(t *testing.T) {
	_, err := exec.LookPath("lsblk")
	need(t, err == nil, "lsblk (Debian: util-linux)")
	out, err := exec.Command("lsblk", "--json", "--bytes", "--nodeps", "-o", "NAME,SIZE,ROTA,TYPE").Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Devices []struct {
			Name string
			Size uint64
			Rota bool
		} `json:"blockdevices"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	got, _ := probe.Disks(probe.NewTree("/"))
	all := 0
	for _, d := range doc.Devices {
		if d.Size == 0 {
			continue
		}
		all++
		if !slices.ContainsFunc(got, func(g report.Disk) bool {
			return g.Name == d.Name && g.SizeBytes == d.Size && g.Rotational == d.Rota
		}) {
			t.Errorf("lsblk knows %+v, the probe does not: %+v", d, got)
		}
	}
	if all != len(got) {
		t.Errorf("%d disks, lsblk has %d", len(got), all)
	}
	t.Logf("disks %d/%d", len(got), all)
}

func TestProcessesAgainstPS(t *testing.T) {
	_, err := exec.LookPath("ps")
	need(t, err == nil, "ps (Debian: procps)")
	ps := func() map[string]bool {
		out, err := exec.Command("ps", "-eo", "pid=,ppid=").Output()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if f[0] != "2" && f[1] != "2" { // kernel threads
				found[f[0]] = true
			}
		}
		return found
	}
	before := ps()
	got, err := probe.NewProcesses(probe.NewTree("/")).Refresh()
	if err != nil {
		t.Fatal(err)
	}
	after := ps()
	have := map[string]bool{}
	for _, p := range got {
		have[strconv.Itoa(p.PID)] = true
	}
	for pid := range before {
		if after[pid] && !have[pid] {
			t.Errorf("ps knows process %s, the probe does not", pid)
		}
	}
}
