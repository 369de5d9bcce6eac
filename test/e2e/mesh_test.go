package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lan is a bridge in a namespace of its own, with hosts on it that are namespaces
// too: nothing of the machine's own network changes.
type lan struct {
	t      *testing.T
	suffix string
}

func newLAN(t *testing.T) *lan {
	l := &lan{t, fmt.Sprintf("%05d", os.Getpid()%100000)}
	l.namespace("sw")
	l.ip("-n", l.name("sw"), "link", "add", "br0", "type", "bridge")
	l.ip("-n", l.name("sw"), "link", "set", "br0", "up")
	return l
}

func (l *lan) name(host string) string { return "wb" + host + l.suffix }

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %v: %v %s", args, err, out)
	}
}

func (l *lan) namespace(host string) {
	l.t.Helper()
	l.ip("netns", "add", l.name(host))
	l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.name(host)).Run() })
	l.ip("-n", l.name(host), "link", "set", "lo", "up")
}

// plug adds a host with an address.
func (l *lan) plug(host, address string) {
	l.t.Helper()
	l.namespace(host)
	l.ip("link", "add", "eth0", "netns", l.name(host), "type", "veth", "peer", "name", host, "netns", l.name("sw"))
	l.ip("-n", l.name(host), "addr", "add", address+"/24", "dev", "eth0")
	l.ip("-n", l.name(host), "link", "set", "eth0", "up")
	l.ip("-n", l.name("sw"), "link", "set", host, "master", "br0", "up")
}

// cable pulls a host's cable or plugs it in again.
func (l *lan) cable(host, state string) {
	l.t.Helper()
	l.ip("-n", l.name("sw"), "link", "set", host, state)
}

// client speaks HTTP from within a host.
func (l *lan) client(host string) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		target, err := os.Open("/run/netns/" + l.name(host))
		if err != nil {
			return nil, err
		}
		defer target.Close()
		own, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return nil, err
		}
		defer own.Close()
		runtime.LockOSThread() // the namespace is the thread's; a socket keeps the one it was made in
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			return nil, err
		}
		c, dialErr := (&net.Dialer{}).DialContext(ctx, network, address)
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			return nil, err // still locked: the thread ends with its goroutine
		}
		runtime.UnlockOSThread()
		return c, dialErr
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// TestMeshTellsADeadHostAGoneAgentAndACutOffSite runs a real server and real agents
// as hosts of a network of their own, and takes them away in the three ways.
func TestMeshTellsADeadHostAGoneAgentAndACutOffSite(t *testing.T) {
	if os.Getuid() != 0 {
		const msg = "MISSING PART: root is needed for network namespaces"
		if os.Getenv("CI") == "true" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	const within = 20 * time.Second // from the event to the record
	l := newLAN(t)
	l.plug("srv", "10.97.0.254")
	dir := t.TempDir()
	s := &server{t: t, dir: filepath.Join(dir, "data"), url: "http://10.97.0.254:7470", client: l.client("srv")}
	s.proc = start(t, []string{"WATCHBILL_ADMIN_TOKEN=" + adminToken}, "ip", "netns", "exec", l.name("srv"), filepath.Join(bin, "watchbill"), "server",
		"--web.listen-address=10.97.0.254:7470", "--storage.path="+s.dir)
	eventually(t, 60*time.Second, "server ready", func() error { return s.call("GET", "/api/v1/cis?limit=1", nil, nil) })

	join := writeFile(t, filepath.Join(dir, "join"), s.token("agent"))
	key := writeFile(t, filepath.Join(dir, "key"), base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	agents := map[string]*proc{}
	names := []string{"h1", "h2", "h3", "h4", "h5"}
	for i, name := range names {
		l.plug(name, fmt.Sprintf("10.97.0.%d", i+1))
		own := filepath.Join(dir, name)
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		id := writeFile(t, filepath.Join(own, "machine-id"), fmt.Sprintf("%032x\n", 0xabcdef0123+i))
		config := writeFile(t, filepath.Join(own, "agent.yml"), fmt.Sprintf("language_packages: false\nmesh: {site: fra, key_file: %s, join: [10.97.0.1:7471], listen: 10.97.0.%d:7471}\n", key, i+1))
		script := fmt.Sprintf("hostname %s; mount --bind %s /etc/machine-id; exec %s --server.url %s --token-file %s --state-dir %s --config.file %s --log.level debug",
			name, id, filepath.Join(bin, "watchbill-agent"), s.url, join, filepath.Join(own, "state"), config)
		agents[name] = start(t, nil, "ip", "netns", "exec", l.name(name), "unshare", "--uts", "--mount", "sh", "-c", script)
	}
	ids := map[string]string{}
	eventually(t, 60*time.Second, "five hosts in the inventory", func() error {
		hosts, err := all[struct{ ID, Name, Class string }](s, "/api/v1/cis?q=class:host")
		if err != nil {
			return err
		}
		for _, h := range hosts {
			ids[h.Name] = h.ID
		}
		if len(ids) != len(names) {
			return fmt.Errorf("%d hosts: %v", len(ids), ids)
		}
		return nil
	})
	// A member knows all others once its port has been spoken to by each.
	eventually(t, 60*time.Second, "a whole mesh", func() error {
		for _, name := range names {
			if !strings.Contains(agents[name].out.String(), "members=5") {
				return fmt.Errorf("%s does not know all five", name)
			}
		}
		return nil
	})
	open := func(title string) func() error {
		return func() error {
			list, err := all[incident](s, "/api/v1/incidents?limit=50")
			if err != nil {
				return err
			}
			for _, i := range list {
				if strings.Contains(i.Title, title) && i.ResolvedAt == nil {
					return nil
				}
			}
			return fmt.Errorf("incidents: %+v", list)
		}
	}
	none := func(what string) {
		t.Helper()
		if list, err := all[incident](s, "/api/v1/incidents"); err != nil || len(list) != 0 {
			t.Fatalf("%s: incidents %+v, %v", what, list, err)
		}
	}
	none("before anything happened")

	began := time.Now()
	_ = agents["h2"].cmd.Process.Kill()
	eventually(t, within, "a task for the gone agent", func() error {
		list, err := all[struct{ Kind, CI, Done string }](s, "/api/v1/tasks")
		for _, x := range list {
			if x.Kind == "agent_gone" && x.CI == ids["h2"] && x.Done == "" {
				return nil
			}
		}
		return fmt.Errorf("tasks %+v, %w", list, err)
	})
	t.Logf("agent gone: a task after %v", time.Since(began).Round(100*time.Millisecond))
	none("an agent was killed on a live host")

	began = time.Now()
	l.cable("h3", "down")
	eventually(t, within, "an incident for the dead host", open("HostDown on h3"))
	t.Logf("host gone: an incident after %v", time.Since(began).Round(100*time.Millisecond))
	list, err := all[struct {
		ID     string
		CIs    []string `json:"cis"`
		Causes []struct{ CI string }
	}](s, "/api/v1/incidents")
	if err != nil || len(list) != 1 || len(list[0].Causes) == 0 || list[0].Causes[0].CI != ids["h3"] {
		t.Errorf("its cause is not the host %s: %+v, %v", ids["h3"], list, err)
	}
	l.cable("h3", "up")
	eventually(t, 150*time.Second, "its recovery", func() error {
		alerts, err := all[struct{ Status, Source string }](s, "/api/v1/alerts?limit=50")
		if err != nil || len(alerts) != 1 || alerts[0].Status != "resolved" {
			return fmt.Errorf("alerts %+v, %w", alerts, err)
		}
		return nil
	})

	began = time.Now()
	for _, name := range names {
		l.cable(name, "down")
	}
	eventually(t, within, "an incident for the cut off site", open("SiteUnreachable"))
	t.Logf("site cut off: an incident after %v", time.Since(began).Round(100*time.Millisecond))
	if all, err := all[incident](s, "/api/v1/incidents"); err != nil || len(all) != 2 {
		t.Errorf("a cut off site is %d incidents beside the first, and should be one: %+v, %v", len(all)-1, all, err)
	}
	s.sameInReplay()
}
