package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/watchbill/watchbill/internal/cluster"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// wire is a network in memory for many members of one process. Like UDP it
// drops what nobody takes.
type wire struct {
	mu      sync.Mutex
	members map[string]*plug
}

type plug struct {
	wire    *wire
	address string
	packets chan *memberlist.Packet
	streams chan net.Conn
	cut     atomic.Bool // nothing gets out
}

func (w *wire) plug(n int) *plug {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &plug{wire: w, address: fmt.Sprintf("10.0.%d.%d:7471", n/250, n%250+1), packets: make(chan *memberlist.Packet, 256), streams: make(chan net.Conn)}
	w.members[p.address] = p
	return p
}

func transport(p *plug) func() memberlist.Transport {
	return func() memberlist.Transport { return p }
}

func (w *wire) at(address string) *plug {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.members[address]
}

func (p *plug) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return nil, 0, err
	}
	n, err := strconv.Atoi(port)
	return net.ParseIP(host), n, err
}

func (p *plug) WriteTo(b []byte, address string) (time.Time, error) {
	if to := p.wire.at(address); to != nil && !p.cut.Load() {
		host, _, _ := net.SplitHostPort(p.address)
		select {
		case to.packets <- &memberlist.Packet{Buf: slices.Clone(b), From: &net.UDPAddr{IP: net.ParseIP(host), Port: 7471}, Timestamp: time.Now()}:
		default:
		}
	}
	return time.Now(), nil
}

func (p *plug) PacketCh() <-chan *memberlist.Packet { return p.packets }
func (p *plug) StreamCh() <-chan net.Conn           { return p.streams }
func (p *plug) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	to := p.wire.at(address)
	if to == nil || p.cut.Load() {
		return nil, os.ErrDeadlineExceeded
	}
	here, there := net.Pipe()
	select {
	case to.streams <- there:
		return here, nil
	case <-time.After(timeout):
		return nil, os.ErrDeadlineExceeded
	}
}

func (p *plug) Shutdown() error {
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	delete(p.wire.members, p.address)
	return nil
}

// TestManyMembersInOneProcess kills one of many, and then a whole rack, and measures
// how long it takes until enough witnesses have told. Time is the bubble's, so
// the figures do not depend on how fast this machine is. WATCHBILL_MESH_MEMBERS sets
// how many there are.
func TestManyMembersInOneProcess(t *testing.T) {
	count := 60
	if text := os.Getenv("WATCHBILL_MESH_MEMBERS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) { manyMembers(t, count) })
}

// most is how long a loss may take to be told by enough witnesses: within the 20
// seconds there must be time left for the server.
const most = 17 * time.Second

func manyMembers(t *testing.T, count int) {
	w := &wire{members: make(map[string]*plug)}
	var members []*cluster.Mesh
	told := make(chan cluster.Testimony, 100000)
	start := time.Now()
	for i := range count {
		options := cluster.Options{Name: fmt.Sprintf("agent-%d", i), Site: "fra", Key: key, Transport: transport(w.plug(i)), Knock: func(ctx context.Context, _ string) bool {
			select { // a dead host lets its knockers wait
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
			}
			return false
		}}
		if i > 0 {
			options.Join = []string{members[i/2].Address()}
		}
		m, err := cluster.New(options)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
		ended := t.Context().Done()
		go func() {
			for {
				select {
				case tm := <-m.Testimonies():
					told <- tm
				case <-ended:
					return
				}
			}
		}()
	}
	dead := make(map[int]bool)
	defer func() {
		for i, m := range members {
			if !dead[i] {
				_ = m.Kill()
			}
		}
		time.Sleep(time.Minute) // what they had under way ends
	}()
	waitFor(t, 10*time.Minute, func() bool {
		for _, m := range members {
			if len(m.Members()) != count {
				return false
			}
		}
		return true
	})
	t.Logf("%d members know each other after %v", count, time.Since(start).Round(time.Millisecond))
	speakers := 0
	for _, m := range members {
		if m.Speaks() {
			speakers++
		}
	}
	if speakers != 2 {
		t.Errorf("%d members speak for the site, and should be 2", speakers)
	}
	time.Sleep(5 * time.Minute) // the news of the joins has gone round
	lose := func(what string, victims ...int) {
		t.Helper()
		killed := time.Now()
		for _, v := range victims {
			if err := members[v].Kill(); err != nil {
				t.Fatal(err)
			}
			dead[v] = true
		}
		by := make(map[string][]string)
		var last time.Duration
		lost := 0
		for deadline := time.After(3 * time.Minute); lost < len(victims); {
			select {
			case tm := <-told:
				var n int
				if _, err := fmt.Sscanf(tm.About, "agent-%d", &n); err != nil || tm.Gone && !dead[n] {
					t.Errorf("%s was lost, but it lives", tm.About)
					continue
				}
				if !tm.Gone || slices.Contains(by[tm.About], tm.Witness) {
					continue
				}
				if by[tm.About] = append(by[tm.About], tm.Witness); len(by[tm.About]) == 2 && slices.Contains(victims, n) {
					lost++
					last = time.Since(killed)
				}
			case <-deadline:
				t.Fatalf("%s: of %d lost members two witnesses told of %d within three minutes", what, len(victims), lost)
			}
		}
		t.Logf("%s: two witnesses had told of each after %v", what, last.Round(time.Millisecond))
		if last > most {
			t.Errorf("%s: told after %v, and should be within %v", what, last, most)
		}
	}
	lose("one host", count/2)
	var rack []int
	for i := range count / 25 {
		rack = append(rack, 3+i*2)
	}
	lose("a rack", rack...)
}

func waitFor(t *testing.T, most time.Duration, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(most)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %v", most)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestHostsInNamespaces runs real members in network namespaces on one bridge:
// one agent is killed, one host's cable is pulled.
func TestHostsInNamespaces(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("root is needed here (for network namespaces), CI must not skip")
		}
		t.Skip("SKIPPED: root is needed (for network namespaces)")
	}
	suffix := strconv.Itoa(os.Getpid() % 100000)
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
	// The bridge is in a namespace of its own: nothing of the machine's changes.
	middle := "wbm" + suffix
	ip("netns", "add", middle)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", middle).Run() })
	ip("-n", middle, "link", "add", "br0", "type", "bridge")
	ip("-n", middle, "link", "set", "br0", "up")
	const count = 5
	type member struct {
		cmd *exec.Cmd
		ns  string
	}
	var members []member
	said := make(chan string, 1000)
	for i := range count {
		ns := fmt.Sprintf("wbn%d-%s", i, suffix)
		ip("netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		ip("link", "add", "e"+strconv.Itoa(i), "netns", ns, "type", "veth", "peer", "name", "p"+strconv.Itoa(i), "netns", middle)
		ip("-n", ns, "addr", "add", fmt.Sprintf("10.98.0.%d/24", i+1), "dev", "e"+strconv.Itoa(i))
		ip("-n", ns, "link", "set", "lo", "up")
		ip("-n", ns, "link", "set", "e"+strconv.Itoa(i), "up")
		ip("-n", middle, "link", "set", "p"+strconv.Itoa(i), "master", "br0", "up")
		cmd := exec.Command("ip", "netns", "exec", ns, os.Args[0], "-test.run=^TestHelperMember$", "--", strconv.Itoa(i))
		cmd.Env = append(os.Environ(), "WATCHBILL_TEST_HELPER=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		members = append(members, member{cmd, ns})
		t.Cleanup(func() { stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
		go func() {
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				said <- fmt.Sprintf("%d %s", i, lines.Text())
			}
		}()
	}
	await := func(most time.Duration, condition func(string) bool) string {
		t.Helper()
		deadline := time.After(most)
		for {
			select {
			case line := <-said:
				if condition(line) {
					return line
				}
			case <-deadline:
				t.Fatalf("not said within %v", most)
			}
		}
	}
	full := map[string]bool{}
	await(60*time.Second, func(line string) bool {
		if strings.HasSuffix(line, fmt.Sprintf("members %d", count)) {
			full[line[:1]] = true
		}
		return len(full) == count
	})
	// A host is renumbered while its agent runs.
	ip("-n", members[3].ns, "addr", "add", "10.98.0.103/24", "dev", "e3")
	ip("-n", members[3].ns, "addr", "del", "10.98.0.4/24", "dev", "e3")
	ip("-n", members[3].ns, "addr", "replace", "10.98.0.103/24", "dev", "e3") // a secondary goes with its first
	quiet := time.After(40 * time.Second)
	moved := false
	for waiting := true; waiting; {
		select {
		case line := <-said:
			moved = moved || line == "3 address 10.98.0.103:7471"
			if strings.Contains(line, "gone agent-3 ") {
				t.Errorf("a host was renumbered, and a witness says %q", line)
			}
		case <-quiet:
			waiting = false
		}
	}
	if !moved {
		t.Error("the renumbered member did not tell its new address")
	}
	began := time.Now()
	if err := members[1].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	line := await(40*time.Second, func(line string) bool { return strings.Contains(line, "gone agent-1 ") })
	if !strings.HasSuffix(line, "answers true") {
		t.Errorf("an agent was killed on a live host, and the witness says %q", line)
	}
	t.Logf("agent gone: told after %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	ip("-n", members[2].ns, "link", "set", "e2", "down")
	line = await(40*time.Second, func(line string) bool {
		return !strings.HasPrefix(line, "2 ") && strings.Contains(line, "gone agent-2 ")
	})
	if !strings.HasSuffix(line, "answers false") {
		t.Errorf("a host's cable was pulled, and the witness says %q", line)
	}
	t.Logf("host gone: told after %v", time.Since(began).Round(time.Millisecond))
}

// TestHelperMember is no test: it is one member of another one.
func TestHelperMember(t *testing.T) {
	if os.Getenv("WATCHBILL_TEST_HELPER") != "1" {
		return
	}
	number := os.Args[slices.Index(os.Args, "--")+1]
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	options := cluster.Options{Name: "agent-" + number, Site: "fra", Key: key, Bind: ":7471"}
	if n > 0 {
		options.Join = []string{"10.98.0.1:7471"}
	}
	m, err := cluster.New(options)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n'); close(ended) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	known, address := 0, ""
	for {
		select {
		case <-ended:
			os.Exit(0)
		case <-tick.C:
			if now := len(m.Members()); now != known {
				known = now
				fmt.Println("members", known)
			}
			if now := m.Address(); now != address {
				address = now
				fmt.Println("address", address)
			}
		case tm := <-m.Testimonies():
			if tm.Gone {
				fmt.Println("gone", tm.About, "answers", tm.Answers)
			}
		}
	}
}

func TestStrangersAreNotLetIn(t *testing.T) {
	w := &wire{members: make(map[string]*plug)}
	start := func(n int, site string, secret []byte, join ...string) *cluster.Mesh {
		t.Helper()
		m, err := cluster.New(cluster.Options{Name: fmt.Sprint("agent-", n), Site: site, Key: secret, Transport: transport(w.plug(n)), Join: join})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Kill() })
		return m
	}
	first := start(0, "fra", key)
	start(1, "fra", []byte("another key of 32 bytes, as long"), first.Address())
	start(2, "ams", key, first.Address())
	friend := start(3, "fra", key, first.Address())
	waitFor(t, 20*time.Second, func() bool { return len(friend.Members()) == 2 && len(first.Members()) == 2 })
	for _, name := range append(first.Members(), friend.Members()...) {
		if name != "agent-0" && name != "agent-3" {
			t.Errorf("%s was let in", name)
		}
	}
	if _, err := cluster.New(cluster.Options{Name: "x", Site: "y", Key: []byte("short")}); err == nil || !strings.Contains(err.Error(), "32") {
		t.Errorf("a short key: %v", err)
	}
}

func TestMembersFindEachOtherLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{members: make(map[string]*plug)}
		start := func(n int) *cluster.Mesh {
			t.Helper()
			m, err := cluster.New(cluster.Options{Name: fmt.Sprint("agent-", n), Site: "fra", Key: key, Transport: transport(w.plug(n)), Join: []string{"10.0.0.3:7471"},
				Knock: func(context.Context, string) bool { return false }})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		together := func(n int, list ...*cluster.Mesh) {
			t.Helper()
			waitFor(t, 3*time.Minute, func() bool {
				return !slices.ContainsFunc(list, func(m *cluster.Mesh) bool { return len(m.Members()) != n })
			})
		}
		// All start at once after a power cut, and whom they join is the last.
		a, b := start(0), start(1)
		time.Sleep(10 * time.Second)
		c := start(2)
		together(3, a, b, c)
		// A cable is pulled for long, and plugged in again.
		address := a.Address()
		w.mu.Lock()
		unplugged := w.members[address]
		delete(w.members, address)
		w.mu.Unlock()
		unplugged.cut.Store(true)
		together(2, b, c)
		together(1, a)
		time.Sleep(20 * time.Minute)
		w.mu.Lock()
		w.members[address] = unplugged
		w.mu.Unlock()
		unplugged.cut.Store(false)
		together(3, a, b, c)
		for _, m := range []*cluster.Mesh{a, b, c} {
			_ = m.Kill()
		}
		time.Sleep(time.Minute)
	})
}
