// Package scenarios puts real faults into a small real estate and looks at what
// incident opens: network namespaces, a real Prometheus, Alertmanager and
// node_exporters, a service in Go, and the real server.
package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchbill/watchbill/test/same"
)

// machines of the estate, with their addresses on the hub's bridge.
var machines = map[string]string{"web1": "10.77.0.11", "web2": "10.77.0.12", "db1": "10.77.0.21"}

const hub = "10.77.0.1"

// estate is what runs.
type estate struct {
	ingest string // token of what tells
	t      *testing.T
	dir    string
	ns     string // prefix of the namespaces
	procs  map[string]*exec.Cmd
	logs   map[string]string
}

func (e *estate) run(name string, args ...string) string {
	e.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start runs a program in a machine's namespace under a name.
func (e *estate) start(machine, name string, args ...string) {
	e.t.Helper()
	log := filepath.Join(e.dir, name+".log")
	f, err := os.Create(log)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("ip", append([]string{"netns", "exec", e.ns + machine}, args...)...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Env = append(os.Environ(), "WATCHBILL_ADMIN_TOKEN="+adminToken)
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.procs[name], e.logs[name] = cmd, log
}

func (e *estate) kill(name string) {
	if cmd := e.procs[name]; cmd != nil {
		_ = cmd.Process.Kill() // ip has become the program
		_ = cmd.Wait()
		delete(e.procs, name)
	}
}

const adminToken = "wb_scenario0_0123456789abcdef0123456789abcdef"

// tell runs the command line against the server.
func (e *estate) tell(args ...string) ([]byte, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", e.ns + "hub", filepath.Join(e.dir, "watchbill")}, args...)...)
	cmd.Env = append(os.Environ(), "WATCHBILL_SERVER_URL=http://"+hub+":7470", "WATCHBILL_TOKEN="+adminToken)
	return cmd.Output()
}

// ask runs the command line and reads what it prints as JSON, where into is given.
func (e *estate) ask(into any, args ...string) error {
	out, err := e.tell(args...)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(out, into)
}

func (e *estate) until(what string, within time.Duration, ok func() bool) time.Duration {
	e.t.Helper()
	began := time.Now()
	deadline := time.After(within)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			for name, log := range e.logs {
				b, _ := os.ReadFile(log) // it may not have come so far
				e.t.Logf("--- %s:\n%s", name, b[max(0, len(b)-1500):])
			}
			var alerts any
			_ = e.ask(&alerts, "alert", "list", "-o", "json", "--limit=20")
			b, _ := json.MarshalIndent(alerts, "", " ")
			e.t.Fatalf("in %s it did not come true that %s\n%.6000s", within, what, b)
		}
	}
	return time.Since(began)
}

type incident struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Title  string `json:"title"`
	Alerts int    `json:"alerts"`
	Active int    `json:"active_alerts"`
	Causes []struct {
		Class string `json:"class"`
		Name  string `json:"name"`
		Path  string `json:"path"`
	} `json:"causes"`
	Changes []struct {
		Summary string `json:"summary"`
	} `json:"changes"`
}

func (e *estate) incidents() []incident {
	var l struct {
		Items []incident `json:"items"`
	}
	if e.ask(&l, "incident", "list", "-o", "json", "--limit=0") != nil {
		return nil
	}
	return l.Items
}

func build(t *testing.T) *estate {
	if os.Getenv("WATCHBILL_SCENARIOS") != "1" {
		t.Skip("SKIPPED: the real estate takes minutes and wants root: run make scenarios")
	}
	if os.Geteuid() != 0 {
		t.Fatal("the real estate makes network namespaces: run it as root")
	}
	for _, p := range []string{"ip", "prometheus", "prometheus-alertmanager", "prometheus-node-exporter"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is missing: run scripts/test-deps", p)
		}
	}
	e := &estate{t: t, dir: t.TempDir(), ns: fmt.Sprintf("wb%d-", os.Getpid()%10000), procs: map[string]*exec.Cmd{}, logs: map[string]string{}}
	for _, p := range []string{"watchbill", "shop"} {
		from := "../../cmd/watchbill"
		if p == "shop" {
			from = "./shop"
		}
		e.run("go", "build", "-o", filepath.Join(e.dir, p), from)
	}
	t.Cleanup(func() {
		for name := range e.procs {
			e.kill(name)
		}
		for _, m := range []string{"web1", "web2", "db1", "hub"} {
			_ = exec.Command("ip", "netns", "delete", e.ns+m).Run() // it may not have come so far
		}
		_ = exec.Command("umount", filepath.Join(e.dir, "disk")).Run() // likewise
	})
	e.run("ip", "netns", "add", e.ns+"hub")
	in := func(m string, args ...string) { e.run("ip", append([]string{"-n", e.ns + m}, args...)...) }
	in("hub", "link", "add", "br0", "type", "bridge")
	in("hub", "addr", "add", hub+"/24", "dev", "br0")
	in("hub", "link", "set", "br0", "up")
	in("hub", "link", "set", "lo", "up")
	for m, addr := range machines {
		e.run("ip", "netns", "add", e.ns+m)
		in("hub", "link", "add", "v-"+m, "type", "veth", "peer", "name", "eth0", "netns", e.ns+m)
		in("hub", "link", "set", "v-"+m, "master", "br0", "up")
		in(m, "addr", "add", addr+"/24", "dev", "eth0")
		in(m, "link", "set", "eth0", "up")
		in(m, "link", "set", "lo", "up")
	}
	return e
}

func (e *estate) write(name, text string) string {
	e.t.Helper()
	p := filepath.Join(e.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
	return p
}

const rules = `groups:
- name: estate
  interval: 1s
  rules:
  - {alert: HostDown, expr: 'up{job="node"} == 0', for: 2s, labels: {severity: critical}}
  - {alert: ShopDown, expr: 'up{job="app"} == 0', for: 2s, labels: {severity: critical}}
  - {alert: HighErrorRate, expr: 'rate(shop_failures_total[10s]) / rate(shop_requests_total[10s]) > 0.3', for: 3s, labels: {severity: critical}}
  - {alert: DiskFull, expr: 'node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.05', for: 2s, labels: {severity: critical}}
  - {alert: SchedulingLag, expr: 'shop_scheduling_lag_seconds > 0.2', for: 3s, labels: {severity: critical}}
`

// begin starts everything and waits until it is calm.
func (e *estate) begin() {
	e.t.Helper()
	disk := filepath.Join(e.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		e.t.Fatal(err)
	}
	e.run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk)
	e.write("rules.yml", rules)
	var node, app strings.Builder
	for _, m := range []string{"web1", "web2", "db1"} {
		fmt.Fprintf(&node, "    - {targets: ['%s:9100'], labels: {instance: '%s:9100'}}\n", machines[m], m)
		service := "shop"
		if m == "db1" {
			service = "orders"
		}
		fmt.Fprintf(&app, "    - {targets: ['%s:8080'], labels: {instance: '%s:8080', service: %s}}\n", machines[m], m, service)
	}
	prom := e.write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}\nrule_files: [rules.yml]\nalerting: {alertmanagers: [{static_configs: [{targets: ['"+hub+":9093']}]}]}\nscrape_configs:\n- job_name: node\n  static_configs:\n"+node.String()+"- job_name: app\n  static_configs:\n"+app.String())
	config := e.write("watchbill.yml", "correlation:\n  hold: {critical: 4s}\n  hold_down: 4s\n  reopen_window: 1s\n")
	e.start("hub", "server", filepath.Join(e.dir, "watchbill"), "server", "--web.listen-address="+hub+":7470", "--storage.path="+filepath.Join(e.dir, "data"), "--config.file="+config, "--log.level=warn")
	e.until("the server is ready", 60*time.Second, func() bool { return e.ask(nil, "incident", "list") == nil })
	e.write("estate.jsonl", e.topology())
	if err := e.ask(nil, "import", filepath.Join(e.dir, "estate.jsonl")); err != nil {
		e.t.Fatalf("import: %v", err)
	}
	token, err := e.tell("token", "create", "--name=am", "--role=ingest", "--source=am")
	if err != nil {
		e.t.Fatalf("token: %v", err)
	}
	e.ingest = strings.TrimSpace(string(token))
	am := e.write("am.yml", "route: {receiver: watchbill, group_by: ['...'], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}\nreceivers:\n- name: watchbill\n  webhook_configs:\n  - url: http://"+hub+":7470/api/v1/ingest/alertmanager\n    http_config: {authorization: {credentials: "+e.ingest+"}}\n")
	e.start("hub", "alertmanager", "prometheus-alertmanager", "--config.file="+am, "--storage.path="+filepath.Join(e.dir, "am"), "--web.listen-address="+hub+":9093", "--cluster.listen-address=")
	for m := range machines {
		args := []string{"prometheus-node-exporter", "--web.listen-address=:9100", "--collector.disable-defaults"}
		if m == "db1" { // the disk is its own
			args = append(args, "--collector.filesystem", "--collector.filesystem.mount-points-exclude=^(/|/.*[^k])$", "--collector.filesystem.fs-types-exclude=^none$")
		} else {
			args = append(args, "--collector.loadavg")
		}
		e.start(m, "node-"+m, args...)
	}
	e.start("db1", "orders", filepath.Join(e.dir, "shop"), "--listen=:8080", "--dir="+disk)
	for _, m := range []string{"web1", "web2"} {
		e.shop(m)
	}
	e.start("hub", "prometheus", "prometheus", "--config.file="+prom, "--storage.tsdb.path="+filepath.Join(e.dir, "tsdb"), "--web.listen-address="+hub+":9090")
	e.calm()
}

func (e *estate) shop(m string) {
	e.start(m, "shop-"+m, filepath.Join(e.dir, "shop"), "--listen=:8080", "--backend=http://"+machines["db1"]+":8080/", "--broken="+filepath.Join(e.dir, "broken"))
}

// topology is what the inventory knows of the estate.
func (e *estate) topology() string {
	var b strings.Builder
	at := time.Now().UTC().Format(time.RFC3339)
	line := func(kind, body string) { fmt.Fprintf(&b, `{"at":%q,"kind":%q,"body":%s}`+"\n", at, kind, body) }
	for _, m := range []string{"web1", "web2", "db1"} {
		line("ci", fmt.Sprintf(`{"class":"host","name":%q,"attributes":{"hostname":%q,"addresses":[%q]}}`, m, m, machines[m]))
	}
	line("ci", `{"class":"service","name":"shop","attributes":{"criticality":"high"}}`)
	line("ci", `{"class":"service","name":"orders"}`)
	relation := func(from, kind, to string) {
		f, t := strings.Split(from, ":"), strings.Split(to, ":")
		line("relation", fmt.Sprintf(`{"from":{"class":%q,"name":%q},"type":%q,"to":{"class":%q,"name":%q}}`, f[0], f[1], kind, t[0], t[1]))
	}
	relation("service:shop", "runs_on", "host:web1")
	relation("service:shop", "runs_on", "host:web2")
	relation("service:orders", "runs_on", "host:db1")
	relation("service:shop", "depends_on", "service:orders")
	return b.String()
}

// calm waits until nothing is open.
func (e *estate) calm() {
	e.t.Helper()
	e.until("all is calm", 90*time.Second, func() bool {
		var l struct {
			Items []struct{} `json:"items"`
		}
		return e.ask(&l, "alert", "list", "status:active", "-o", "json") == nil && len(l.Items) == 0 &&
			!slices.ContainsFunc(e.incidents(), func(i incident) bool { return i.State == "new" || i.State == "in_progress" })
	})
}

// Each fault opens one incident, and its first cause is where the fault was put.
func TestFaultsInARealEstate(t *testing.T) {
	e := build(t)
	e.begin()
	for _, f := range []struct {
		name    string
		cause   []string // any of them is right
		alerts  int      // at least
		inflict func()
		mend    func()
	}{
		{"process killed", []string{"host web2", "service shop"}, 1, func() { e.kill("shop-web2") }, func() { e.shop("web2") }},
		{"link cut", []string{"host web1"}, 2,
			func() { e.run("ip", "-n", e.ns+"hub", "link", "set", "v-web1", "down") }, func() { e.run("ip", "-n", e.ns+"hub", "link", "set", "v-web1", "up") }},
		{"disk filled", []string{"host db1", "service orders"}, 3,
			func() {
				f, err := os.Create(filepath.Join(e.dir, "disk", "junk"))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				// The service frees a little with each request that still succeeds: fill until none does.
				full := 0
				e.until("the disk is full", 20*time.Second, func() bool {
					for err = nil; err == nil; {
						_, err = f.Write(make([]byte, 4<<10))
						if err == nil {
							full = 0
						}
					}
					full++
					return full > 3
				})
			},
			func() { _ = os.Remove(filepath.Join(e.dir, "disk", "junk")) }},
		{"CPU stolen", []string{"host web1", "service shop"}, 1, func() { e.steal("shop-web1") }, nil},
		{"bad deploy", []string{"service shop"}, 2,
			func() {
				e.write("broken", "")
				e.deployed("shop 2.0 rolled out")
			},
			func() { _ = os.Remove(filepath.Join(e.dir, "broken")) }},
	} {
		before := map[string]bool{}
		for _, i := range e.incidents() {
			before[i.ID] = true
		}
		f.inflict()
		var opened []incident
		fresh := func() []incident {
			var out []incident
			for _, i := range e.incidents() {
				if !before[i.ID] && i.State != "canceled" {
					out = append(out, i)
				}
			}
			return out
		}
		took := e.until(f.name+" opens an incident with its alerts", 60*time.Second, func() bool {
			opened = fresh()
			n := 0
			for _, i := range opened {
				n += i.Alerts
			}
			return n >= f.alerts
		})
		if f.mend != nil {
			f.mend()
		} else {
			e.give()
		}
		e.calm()
		opened = fresh()
		i := opened[0]
		cause, path := "none", ""
		if len(i.Causes) > 0 {
			cause, path = i.Causes[0].Class+" "+i.Causes[0].Name, i.Causes[0].Path
		}
		t.Logf("%-15s %d incident, after %4.1f s: %s %q, %d alerts; first cause: %s (%s)", f.name, len(opened), took.Seconds(), i.ID, i.Title, i.Alerts, cause, path)
		for _, c := range i.Changes {
			t.Logf("%-15s suspected change: %s", "", c.Summary)
		}
		if len(opened) != 1 {
			t.Errorf("%s opened %d incidents", f.name, len(opened))
		}
		if !slices.Contains(f.cause, cause) {
			t.Errorf("%s: the first cause is %s, want one of %v", f.name, cause, f.cause)
		}
		if f.name == "bad deploy" && len(i.Changes) == 0 {
			t.Error("the deployment is not suspected")
		}
	}
	e.sameInReplay()
}

// sameInReplay compares what the server decided with a replay of its own export.
func (e *estate) sameInReplay() {
	e.t.Helper()
	list := func(record string) func() ([]same.Record, error) {
		return func() ([]same.Record, error) {
			var l struct {
				Items []same.Record `json:"items"`
			}
			err := e.ask(&l, record, "list", "-o", "json", "--limit=0")
			return l.Items, err
		}
	}
	e.until("the server and a replay of its export were compared", time.Minute, func() bool {
		wrong, err := same.AsReplayed(same.Server{
			Alerts: list("alert"), Incidents: list("incident"),
			Export: func(file string) error { _, err := e.tell("export", file); return err },
		}, e.dir)
		if errors.Is(err, same.ErrMoved) {
			return false
		}
		if err != nil {
			e.t.Fatal(err)
		}
		for _, w := range wrong[:min(len(wrong), 20)] {
			e.t.Error("otherwise than the server: " + w)
		}
		return true
	})
}

// deployed tells of a deployment as a pipeline does.
func (e *estate) deployed(summary string) {
	e.t.Helper()
	body := fmt.Sprintf(`{"ci":{"class":"service","name":"shop"},"type":"deployed","summary":%q,"version":"2.0"}`, summary)
	e.run("ip", "netns", "exec", e.ns+"hub", "curl", "-sS", "--fail-with-body", "-H", "Authorization: Bearer "+e.ingest, "-H", "Content-Type: application/json", "-d", body, "http://"+hub+":7470/api/v1/ingest/changes")
}

var thief chan struct{}

// steal lets a program run for a fifth of the time only, until give.
func (e *estate) steal(name string) {
	p := e.procs[name].Process
	stop := make(chan struct{})
	thief = stop
	go func() {
		for {
			_ = p.Signal(syscall.SIGSTOP) // it may be over
			time.Sleep(400 * time.Millisecond)
			_ = p.Signal(syscall.SIGCONT)
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
}

func (e *estate) give() { close(thief) }
