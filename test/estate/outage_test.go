package estate

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wanted are the programs of the small estate; the whole one wants the rest too.
var (
	wanted      = []string{"ip", "nsenter", "unshare", "prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "haproxy", "nginx", "redis-server", "curl"}
	wantedWhole = []string{"mariadbd", "mosquitto", "dnsmasq", "nft", "psql"}
)

// whole says whether the long form was asked for.
func whole() bool { return os.Getenv("WATCHBILL_SCENARIOS") == "1" }

// requirements ends the test loudly where it cannot run.
func requirements(t *testing.T) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") == "true" || whole() {
			t.Fatal("MISSING PART: " + what)
		}
		t.Skip("SKIPPED, MISSING PART: " + what)
	}
	if os.Geteuid() != 0 {
		missing("root is needed for network namespaces")
	}
	programs := wanted
	if whole() {
		programs = append(slices.Clone(wanted), wantedWhole...)
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(p + " is not here: run scripts/test-deps")
		}
	}
}

// raise builds the estate and waits until the server knows it.
func raise(t *testing.T) *estate {
	t.Helper()
	requirements(t)
	e := newEstate(t)
	for program, from := range map[string]string{"watchbill": "../../cmd/watchbill", "watchbill-agent": "../../cmd/watchbill-agent", "app": "./app"} {
		e.command("go", "build", "-o", filepath.Join(e.dir, "bin", program), from)
	}
	mon := e.host("mon1", 5, veth)
	mon.run("ip addr add 10.88.0.1/24 dev eth0") // the gateway that all routes name
	lb, web1, web2 := e.host("lb1", 11, veth), e.host("web1", 21, veth), e.host("web2", 22, macvlan)
	app1, app2 := e.host("app1", 31, veth), e.host("app2", 32, macvlan)
	cache, db1, visitor := e.host("cache1", 41, veth), e.host("db1", 51, veth), e.host("visitor", 200, veth)
	members := []*host{mon, lb, web1, web2, app1, app2, cache, db1}
	cache.redis()
	db1.postgres()
	appArgs := "--cache=10.88.0.41:6379 --database=10.88.0.11:5432"
	var inner *host
	if whole() {
		db2, dns, mq := e.host("db2", 52, macvlan), e.host("dns1", 53, veth), e.host("mq1", 61, macvlan)
		nat, job := e.host("nat1", 71, veth), e.host("job1", 81, veth)
		inner = e.behind(nat, "int1")
		db2.mariadb()
		dns.dnsmasq()
		mq.mosquitto()
		nat.gateway(inner)
		job.jobs()
		inner.app("--database=10.88.0.51:5432")
		appArgs += " --queue=10.88.0.61:1883 --names=10.88.0.53:53"
		members = append(members, db2, dns, mq, nat, job)
	}
	app1.app(appArgs)
	app2.app(appArgs)
	web1.nginx()
	web2.nginx()
	lb.haproxy()
	visitor.visitor()
	for _, h := range members {
		h.nodeExporter()
	}
	mon.monitoring(members)
	join := e.file("join", e.token("agent"))
	key := e.file("mesh.key", base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	for _, h := range members {
		h.agent(join, key, true)
	}
	agents := len(members)
	if inner != nil {
		inner.agent(join, key, false)
		agents++
	}
	e.until("every host is in the inventory, with an address", func() error {
		found, err := e.items("class:host%20os_family:linux")
		if err == nil && len(found) < agents {
			err = fmt.Errorf("%d of %d hosts: %v", len(found), agents, found)
		}
		return err
	})
	return e
}

func (e *estate) file(name, text string) string {
	e.t.Helper()
	p := filepath.Join(e.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
	return p
}

// calm waits until nothing fires and nothing is open.
func (e *estate) calm() {
	e.t.Helper()
	e.until("all is calm", func() error {
		var alerts struct{ Items []map[string]any }
		if err := e.call("GET", "/api/v1/alerts?limit=50&q=status:active", nil, &alerts); err != nil {
			return err
		}
		list, err := e.open()
		if err == nil && (len(list) > 0 || len(alerts.Items) > 0) {
			err = fmt.Errorf("%d alerts fire, open: %+v", len(alerts.Items), list)
		}
		return err
	})
}

// settled waits until no incident has opened or changed its alerts for a while.
func (e *estate) settled(quiet time.Duration, known map[string]bool) []incident {
	e.t.Helper()
	var last string
	var found []incident
	since := time.Now()
	e.until("incidents have settled", func() error {
		list, err := e.incidents()
		if err != nil {
			return err
		}
		found = found[:0]
		for _, i := range list {
			if !known[i.ID] && i.State != "canceled" {
				found = append(found, i)
			}
		}
		if now := fmt.Sprint(found); now != last {
			last, since = now, time.Now()
		}
		if len(found) == 0 || time.Since(since) < quiet {
			return fmt.Errorf("still moving: %s", last)
		}
		return nil
	})
	return found
}

// outages are the hosts that are taken away, one at a time, and the gravest priority
// that the loss of each deserves: a redundant web server is not the site.
var outages = []struct {
	host    string
	gravest int
	whole   bool // of the whole estate only
}{
	{"web1", 2, false}, {"cache1", 1, false}, {"db1", 1, false},
	{"lb1", 1, true}, {"web2", 2, true}, {"app1", 2, true}, {"app2", 2, true},
	{"db2", 1, true}, {"mq1", 1, true}, {"dns1", 1, true}, {"job1", 2, true}, {"nat1", 1, true},
}

// chosen says whether a host is among those that WATCHBILL_OUTAGES names, for who looks at one fault only.
func chosen(host string) bool {
	names := os.Getenv("WATCHBILL_OUTAGES")
	return names == "" || slices.Contains(strings.Split(names, ","), host)
}

// Whoever is called because one host is gone is told of that host first: one
// incident, the host its first cause and named in the title.
func TestOneHostGoesAway(t *testing.T) {
	e := raise(t)
	e.sightings()
	e.calm()
	const quiet = 25 * time.Second // Alertmanager's group interval, the rules' for, and the waits of all severities
	right := 0
	tried := 0
	for _, o := range outages {
		if o.whole && !whole() || !chosen(o.host) {
			continue
		}
		tried++
		known := map[string]bool{}
		list, err := e.incidents()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			known[i.ID] = true
		}
		began := time.Now()
		e.hosts[o.host].cable("down")
		found := e.settled(quiet, known)
		var faults []string
		first := found[0]
		for _, i := range found {
			if i.OpenedAt.Before(first.OpenedAt) {
				first = i
			}
		}
		if len(found) != 1 {
			faults = append(faults, fmt.Sprintf("%d incidents", len(found)))
		}
		cause := "none"
		if len(first.Causes) > 0 {
			cause = first.Causes[0].Class + " " + first.Causes[0].Name
		}
		if cause != "host "+o.host {
			faults = append(faults, "the first cause is "+cause)
		}
		if first.Priority < o.gravest {
			faults = append(faults, fmt.Sprintf("priority %d, deserved %d", first.Priority, o.gravest))
		}
		verdict := "right"
		if len(faults) > 0 {
			verdict = "WRONG: " + strings.Join(faults, "; ")
		} else {
			right++
		}
		t.Logf("%-7s %3.0f s  P%d %d alerts  %q  first: %s  (%s)  %s", o.host, first.OpenedAt.Sub(began).Seconds(), first.Priority, first.Alerts, first.Title, cause, first.Derived, verdict)
		for _, i := range found {
			if i.ID != first.ID {
				t.Logf("        beside it %s P%d %q, %d alerts, %v", i.ID, i.Priority, i.Title, i.Alerts, i.Causes)
			}
		}
		if len(faults) > 0 {
			t.Errorf("%s went away: %s", o.host, strings.Join(faults, "; "))
		}
		e.hosts[o.host].cable("up")
		e.calm()
	}
	t.Logf("%d of %d outages name the host first, alone, and not graver than it is", right, tried)
	e.replays()
}
