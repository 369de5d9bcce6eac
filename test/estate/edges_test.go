package estate

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// call is a connection that the estate of this test really has, as item names.
type call struct{ kind, from, to string }

// calls are all of them: what else depends on something is false.
func calls() []call {
	return []call{
		{"kept", "haproxy@lb1", "nginx@web1"}, {"kept", "haproxy@lb1", "nginx@web2"}, {"kept", "haproxy@lb1", "postgresql@15-main@db1"},
		{"kept", "app@app1", "redis-server@cache1"}, {"kept", "app@app2", "redis-server@cache1"},
		{"kept", "app@app1", "haproxy@lb1"}, {"kept", "app@app2", "haproxy@lb1"},
		{"short", "nginx@web1", "app@app1"}, {"short", "nginx@web2", "app@app1"},
		{"short, IPv6", "nginx@web1", "app@app2"}, {"short, IPv6", "nginx@web2", "app@app2"},
		{"opened and closed by a unit", "phpish@job1", "redis-server@cache1"},
		{"a job's client", "cron@job1", "postgresql@15-main@db1"},
		{"no unit", "curl@job1", "nginx@web1"},
		{"reset", "app@app1", "mosquitto@misc1"}, {"reset", "app@app2", "mosquitto@misc1"},
		{"UDP, connected", "app@app1", "dnsmasq@misc1"}, {"UDP, connected", "app@app2", "dnsmasq@misc1"},
		{"behind NAT", "app@int1", "postgresql@15-main@db1"},
		{"through DNAT", "tunnel@job1", "app@int1"}, {"through DNAT", "tunnel@job1", "nat1"},
		{"neighbour without agent", "10.88.0.200", "haproxy@lb1"}, {"neighbour without agent", "fd00:88::200", "haproxy@lb1"},
		{"neighbour without agent", "10.88.0.200", "app@int1"},
	}
}

// nameless says that a connection was found and its program was not: it is the edge of
// an unknown client of the right host, which carries nothing to the rest of it.
func (c call) nameless(found map[[2]string]string) bool {
	host := c.from[strings.LastIndexByte(c.from, '@')+1:]
	return found[[2]string{"unknown-client@" + host, c.to}] == "depends_on"
}

// unseen kinds are what an agent may miss, as docs/agent.md says: a socket that its
// program resets forgets whom it called.
var unseen = []string{"reset"}

// TestEdgesAgainstTheTruth raises an estate, lets its agents look, and compares what
// depends on what with what really calls what: every true edge, and no false one.
func TestEdgesAgainstTheTruth(t *testing.T) {
	requirements(t)
	e := newEstate(t)
	for program, from := range map[string]string{"watchbill": "../../cmd/watchbill", "watchbill-agent": "../../cmd/watchbill-agent", "app": "./app"} {
		e.command("go", "build", "-o", filepath.Join(e.dir, "bin", program), from)
	}
	mon := e.host("mon1", 5, veth)
	mon.run("ip addr add 10.88.0.1/24 dev eth0")
	lb, web1, web2 := e.host("lb1", 11, veth), e.host("web1", 21, veth), e.host("web2", 22, macvlan)
	app1, app2 := e.host("app1", 31, veth), e.host("app2", 32, macvlan)
	cache, db, job, misc := e.host("cache1", 41, veth), e.host("db1", 51, veth), e.host("job1", 81, veth), e.host("misc1", 61, veth)
	nat, visitor := e.host("nat1", 71, veth), e.host("visitor", 200, veth)
	inner := e.behind(nat, "int1")
	members := []*host{mon, lb, web1, web2, app1, app2, cache, db, job, misc, nat}
	cache.redis()
	db.postgres()
	misc.mosquitto()
	misc.dnsmasq()
	nat.gateway(inner)
	inner.app("--database=10.88.0.51:5432")
	args := "--cache=10.88.0.41:6379 --database=10.88.0.11:5432 --queue=10.88.0.61:1883 --names=10.88.0.61:53"
	app1.app(args)
	app2.app(args)
	web1.nginx()
	web2.nginx()
	lb.haproxy()
	visitor.visitor()
	job.start("cron.service", `sh -c 'while :; do psql -q -h 10.88.0.51 -U app -d postgres -c "select pg_sleep(0.02)" >/dev/null; sleep 7; done'`)
	job.start("phpish.service", `sh -c 'while :; do redis-cli -h 10.88.0.41 ping >/dev/null; sleep 3; done'`)
	job.start("tunnel.service", `sh -c 'while :; do curl -s -m 2 -o /dev/null http://10.88.0.71:8080/; sleep 2; done'`)
	shell := job.inside("", "while :; do curl -s -m 2 -o /dev/null http://10.88.0.21/alive; curl -s -o /dev/null http://localhost:9100/; sleep 1; done")
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = shell.Wait() }()
	for _, h := range members {
		h.nodeExporter()
	}
	mon.monitoring(members)
	join := e.file("join", e.token("agent"))
	key := e.file("mesh.key", base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	for _, h := range members {
		h.agent(join, key, true)
	}
	inner.agent(join, key, false)
	e.until("every host is in the inventory", func() error {
		found, err := e.items("class:host%20os_family:linux")
		if err == nil && len(found) < len(members)+1 {
			err = fmt.Errorf("%d of %d hosts", len(found), len(members)+1)
		}
		return err
	})

	found := map[[2]string]string{}
	missing := func() (out []call) {
		found = e.named(e.export("edges.jsonl"))
		for _, c := range calls() {
			if found[[2]string{c.from, c.to}] != "depends_on" && !c.nameless(found) {
				out = append(out, c)
			}
		}
		return out
	}
	left := missing()
	for range 18 { // three minutes
		if !slices.ContainsFunc(left, func(c call) bool { return !slices.Contains(unseen, c.kind) }) {
			break
		}
		<-time.After(10 * time.Second)
		left = missing()
	}
	e.tellEdges(found, left)
	e.impacts()
	if t.Failed() {
		e.tails()
	}
}

// named are the relations of a recording by the names of their ends.
func (e *estate) named(recording string) map[[2]string]string {
	out := map[[2]string]string{}
	for k, kind := range e.edges(recording) {
		_, from, _ := strings.Cut(k[0], ":")
		_, to, _ := strings.Cut(k[1], ":")
		out[[2]string{from, to}] = kind
	}
	return out
}

// tellEdges prints recall by kind of connection and every false edge.
func (e *estate) tellEdges(found map[[2]string]string, left []call) {
	e.t.Helper()
	all, got, nameless := map[string]int{}, map[string]int{}, map[string]int{}
	unknown := map[[2]string]bool{}
	known := map[[2]string]bool{}
	for _, c := range calls() {
		all[c.kind]++
		known[[2]string{c.from, c.to}] = true
		switch {
		case slices.Contains(left, c):
		case c.nameless(found) && found[[2]string{c.from, c.to}] != "depends_on":
			nameless[c.kind]++
			unknown[[2]string{"unknown-client@" + c.from[strings.LastIndexByte(c.from, '@')+1:], c.to}] = true
		default:
			got[c.kind]++
		}
	}
	var lines, false_, watched []string
	right := 0
	for k, kind := range found {
		switch {
		case kind == "watches":
			watched = append(watched, k[0]+" -> "+k[1])
		case kind != "depends_on":
		case known[k], unknown[k]:
			right++
		case k[0] == "prometheus-alertmanager@mon1" && k[1] == "watchbill@mon1", k[0] == "prometheus@mon1" && k[1] == "prometheus-alertmanager@mon1": // as soon as something fires
		default:
			false_ = append(false_, k[0]+" -> "+k[1])
		}
	}
	for kind, n := range all {
		lines = append(lines, fmt.Sprintf("%-28s %d of %d, %d more as an unknown client of the right host", kind, got[kind], n, nameless[kind]))
	}
	sort.Strings(lines)
	sort.Strings(false_)
	sort.Strings(watched)
	e.t.Logf("recall by kind of connection:\n%s\nprecision: %d true, %d false; %d are told apart as measurements", strings.Join(lines, "\n"), right, len(false_), len(watched))
	e.t.Logf("watched: %s", strings.Join(watched, ", "))
	for _, c := range left {
		if slices.Contains(unseen, c.kind) {
			e.t.Logf("missed, as documented: %s -> %s (%s)", c.from, c.to, c.kind)
			continue
		}
		e.t.Errorf("not found: %s -> %s (%s)", c.from, c.to, c.kind)
	}
	for _, f := range false_ {
		e.t.Errorf("false: %s", f)
	}
}

// impacts compares what fails with what against a hand-made truth: "!" is lost, "~"
// degraded.
func (e *estate) impacts() {
	e.t.Helper()
	// What hangs on the owner of a connection of a millisecond is not asked here.
	for name, want := range map[string]string{
		"nginx@web1":                    "haproxy@lb1~",
		"web1":                          "haproxy@lb1~ nginx@web1! prometheus-node-exporter@web1! watchbill-agent@web1!",
		"nat1":                          "prometheus-node-exporter@nat1! tunnel@job1! watchbill-agent@nat1!",
		"phpish@job1":                   "",
		"prometheus-node-exporter@web1": "",
		"watchbill-agent@web1":          "",
	} {
		items, err := e.items("name:" + strings.ReplaceAll(name, "@", "%40"))
		if err != nil || len(items) != 1 {
			e.t.Errorf("%s: %v %v", name, items, err)
			continue
		}
		var out struct {
			Affected []struct {
				Name, State string
				Uncounted   bool
			}
		}
		if err := e.call("GET", "/api/v1/cis/"+items[0].ID+"/impact", nil, &out); err != nil {
			e.t.Error(err)
			continue
		}
		var got []string
		for _, a := range out.Affected {
			if !a.Uncounted {
				got = append(got, a.Name+map[string]string{"lost": "!", "degraded": "~"}[a.State])
			}
		}
		sort.Strings(got)
		if have := strings.Join(got, " "); have != want {
			e.t.Errorf("%s fails: %s, want %s", name, have, want)
		} else {
			e.t.Logf("%s fails: %s", name, cutTo(have, "nothing"))
		}
	}
}

func cutTo(s, empty string) string {
	if s == "" {
		return empty
	}
	return s
}
