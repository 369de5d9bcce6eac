package topology_test

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/topology"
)

// world is a graph written as text: "from type to" lines, items as "class:name".
// Items do the same when their names differ only in digits and in what follows @.
type world struct {
	r             *cmdb.Registry
	needs, needed map[string][]topology.Link[string]
	down          map[string]bool
	items         map[string]bool
}

func newWorld(t *testing.T, lines string, custom ...cmdb.Class) *world {
	t.Helper()
	r, err := cmdb.NewRegistry(custom...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{r: r, needs: map[string][]topology.Link[string]{}, needed: map[string][]topology.Link[string]{}, down: map[string]bool{}, items: map[string]bool{}}
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		rel, ok := r.Relation(f[1])
		if !ok {
			t.Fatalf("no relation %q", f[1])
		}
		w.items[f[0]], w.items[f[2]] = true, true
		w.needs[f[0]] = append(w.needs[f[0]], topology.Link[string]{End: f[2], Relation: &rel, Weight: 1})
		w.needed[f[2]] = append(w.needed[f[2]], topology.Link[string]{End: f[0], Relation: &rel, Weight: 1})
	}
	return w
}

func (w *world) Node(k string) topology.Node {
	if !w.items[k] {
		return topology.Node{}
	}
	class, _, _ := strings.Cut(k, ":")
	return topology.Node{Role: w.r.Role(class), Down: w.down[k]}
}

func (w *world) Alike(k string) string {
	name, _, _ := strings.Cut(k, "@")
	return strings.TrimRight(name, "-0123456789")
}

func (w *world) Needs(k string) iter.Seq[topology.Link[string]]  { return slices.Values(w.needs[k]) }
func (w *world) Needed(k string) iter.Seq[topology.Link[string]] { return slices.Values(w.needed[k]) }

// states prints what a failure does: "name!" for lost, "name~" for degraded, sorted.
func states(o topology.Outcome[string]) string {
	var out []string
	for _, e := range o.Effects {
		_, name, _ := strings.Cut(e.At, ":")
		switch e.State {
		case topology.Lost:
			name += "!"
		case topology.Degraded:
			name += "~"
		}
		out = append(out, name)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return strings.Join(out, " ")
}

// shop is the estate that the table below is about: a balancer, two of each tier,
// one database and its replica, one cache, an unmanaged neighbour, customers outside.
const shop = `
service:nginx@web1 runs_on host:web1
service:nginx@web2 runs_on host:web2
service:app@app1 runs_on host:app1
service:app@app2 runs_on host:app2
loadbalancer:haproxy@lb1 runs_on host:lb1
database:postgres@db1 runs_on host:db1
database:postgres@db2 runs_on host:db2
database:mariadb@db2 runs_on host:db2
cache:redis@cache1 runs_on host:cache1
service:sshd@web1 runs_on host:web1
loadbalancer:haproxy@lb1 depends_on service:nginx@web1
loadbalancer:haproxy@lb1 depends_on service:nginx@web2
service:nginx@web1 depends_on service:app@app1
service:nginx@web1 depends_on service:app@app2
service:nginx@web2 depends_on service:app@app1
service:nginx@web2 depends_on service:app@app2
service:app@app1 depends_on database:postgres@db1
service:app@app2 depends_on database:postgres@db1
database:postgres@db2 replicates database:postgres@db1
service:app@app1 depends_on cache:redis@cache1
service:app@app2 depends_on cache:redis@cache1
service:app@app1 depends_on database:mariadb@db2
service:app@app2 depends_on database:mariadb@db2
client:unknown@sd1 runs_on host:sd1
service:worker@sd1 runs_on host:sd1
client:unknown@sd1 depends_on cache:redis@cache1
external:203.0.113.0/24 depends_on loadbalancer:haproxy@lb1
service:app@app1 depends_on external:203.0.113.0/24
unmanaged_host:10.0.0.9 depends_on cache:redis@cache1
service:worker@sd1 depends_on unmanaged_host:10.0.0.9
service:nginx@web1 secured_by certificate:shop
host:web1 attached_to switch:sw1
host:web1 attached_to switch:sw2
host:web2 attached_to switch:sw1
business_service:shop composed_of loadbalancer:haproxy@lb1
`

func TestWhatFailsWithWhat(t *testing.T) {
	w := newWorld(t, shop)
	for _, c := range []struct{ failed, want string }{
		{"service:nginx@web1", "haproxy@lb1~"},
		{"service:nginx@web1 service:nginx@web2", "203.0.113.0/24! haproxy@lb1! shop!"},
		{"host:web1", "haproxy@lb1~ nginx@web1! sshd@web1!"},
		{"service:app@app1", "nginx@web1~ nginx@web2~"},
		// Both applications call the one cache: everything above is lost, and neither the
		// strangers who call it nor those who call the strangers' other programs.
		{"cache:redis@cache1", "10.0.0.9! 203.0.113.0/24! app@app1! app@app2! haproxy@lb1! nginx@web1! nginx@web2! shop! unknown@sd1!"},
		// A replica can take over; another product's database cannot.
		{"database:postgres@db1", "app@app1~ app@app2~ postgres@db2~"},
		{"database:mariadb@db2", "203.0.113.0/24! app@app1! app@app2! haproxy@lb1! nginx@web1! nginx@web2! shop!"},
		{"host:sd1", "unknown@sd1! worker@sd1!"},
		{"client:unknown@sd1", ""},
		{"unmanaged_host:10.0.0.9", "worker@sd1!"},
		{"external:203.0.113.0/24", "app@app1! nginx@web1~ nginx@web2~"},
		{"certificate:shop", "haproxy@lb1~ nginx@web1!"},
		{"switch:sw2", "web1~"},
		{"switch:sw1", "haproxy@lb1~ nginx@web2! web1~ web2!"},
		{"switch:sw1 switch:sw2", "203.0.113.0/24! haproxy@lb1! nginx@web1! nginx@web2! shop! sshd@web1! web1! web2!"},
	} {
		if got := states(topology.Fail(w, strings.Fields(c.failed), topology.Limits{})); got != c.want {
			t.Errorf("%s fails:\n got %s\nwant %s", c.failed, got, c.want)
		}
	}
}

func TestOnlyOneLeftIsNoRedundancy(t *testing.T) {
	w := newWorld(t, shop)
	w.down["service:nginx@web2"] = true
	if got := states(topology.Fail(w, []string{"service:nginx@web1"}, topology.Limits{})); got != "203.0.113.0/24! haproxy@lb1! shop!" {
		t.Errorf("the other web server is down already: %s", got)
	}
}

func TestDatabasesOfOneProductStandInOnlyTogether(t *testing.T) {
	apart := `service:app runs_on host:a
service:app depends_on database:mongod@1
service:app depends_on database:mongod@2
`
	for want, more := range map[string]string{
		"app!": "",
		"app~": "database:mongod@1 member_of cluster:m\ndatabase:mongod@2 member_of cluster:m\n",
	} {
		got := states(topology.Fail(newWorld(t, apart+more), []string{"database:mongod@1"}, topology.Limits{}))
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", more, got, want)
		}
	}
	balanced := strings.ReplaceAll(apart, "service:app", "loadbalancer:app")
	if got := states(topology.Fail(newWorld(t, balanced), []string{"database:mongod@1"}, topology.Limits{})); got != "app~" {
		t.Errorf("what a balancer calls is interchangeable: %s", got)
	}
}

func TestWorkloadLivesByItsMembers(t *testing.T) {
	lines := "service:api exposes workload:api\nnamespace:shop member_of cluster:k\nworkload:api member_of namespace:shop\n"
	for i := range 12 {
		p := "pod:api-" + string(rune('a'+i))
		lines += p + " member_of workload:api\n" + p + " runs_on host:n" + string(rune('1'+i%3)) + "\n"
	}
	w := newWorld(t, lines)
	lost, degraded := topology.Fail(w, []string{"host:n1"}, topology.Limits{}).Dependents()
	if lost != 4 || degraded != 1 {
		t.Errorf("a node with 4 of 12 pods: %d lost, %d degraded, want 4 and 1", lost, degraded)
	}
	if got := states(topology.Fail(w, []string{"host:n1", "host:n2", "host:n3"}, topology.Limits{})); !strings.HasSuffix(got, "api! api-a! api-b! api-c! api-d! api-e! api-f! api-g! api-h! api-i! api-j! api-k! api-l!") || !strings.HasPrefix(got, "api! ") {
		t.Errorf("all nodes: %s", got)
	}
	if got := states(topology.Fail(newWorld(t, strings.ReplaceAll(lines, "service:api exposes workload:api", "")), []string{"workload:api"}, topology.Limits{})); got != "" {
		t.Errorf("nothing calls the workload, so nothing depends on it: %s", got)
	}
}

func TestConfiguredClassBehavesLikeItsRole(t *testing.T) {
	classes := []cmdb.Class{
		{Name: "appliance", Role: cmdb.RoleMachine}, {Name: "ledger", Role: cmdb.RoleStore}, {Name: "proxy", Role: cmdb.RoleBalancer},
		{Name: "fleet", Role: cmdb.RoleWorkload}, {Name: "replica", Role: cmdb.RoleInstance}, {Name: "crowd", Role: cmdb.RoleOutside},
	}
	r := strings.NewReplacer("host:", "appliance:", "database:", "ledger:", "loadbalancer:", "proxy:", "workload:", "fleet:", "pod:", "replica:", "external:", "crowd:")
	lines := shop + "pod:p1 member_of workload:w\npod:p2 member_of workload:w\npod:p1 runs_on host:web1\nservice:api exposes workload:w\n"
	lines = strings.ReplaceAll(lines, "unmanaged_host:", "unmanaged:") // not a host
	unmanaged := cmdb.Class{Name: "unmanaged", Role: cmdb.RoleUnmanaged}
	builtin, custom := newWorld(t, lines, unmanaged), newWorld(t, r.Replace(lines), append(classes, unmanaged)...)
	for k := range builtin.items {
		want := states(topology.Fail(builtin, []string{k}, topology.Limits{}))
		if got := states(topology.Fail(custom, []string{r.Replace(k)}, topology.Limits{})); got != want {
			t.Errorf("%s: %s, with configured classes %s", k, want, got)
		}
		a, b := topology.SinglePoints(builtin, k, topology.Limits{}), topology.SinglePoints(custom, r.Replace(k), topology.Limits{})
		if len(a) != len(b) {
			t.Errorf("single points of %s: %v, with configured classes %v", k, a, b)
		}
	}
	if _, err := cmdb.NewRegistry(cmdb.Class{Name: "x", Role: "wizard"}); err == nil || !strings.Contains(err.Error(), "classes[0].role") || !strings.Contains(err.Error(), "machine") {
		t.Errorf("a role that is none: %v", err)
	}
}

func TestSinglePoints(t *testing.T) {
	w := newWorld(t, shop)
	names := func(start string) string {
		var out []string
		for _, p := range topology.SinglePoints(w, start, topology.Limits{}) {
			_, name, _ := strings.Cut(p.At, ":")
			out = append(out, name)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	// No web server, no application, no replicated database; what only one of two
	// applications calls, and who calls the shop, are none either.
	if got, want := names("business_service:shop"), "cache1 db2 haproxy@lb1 lb1 mariadb@db2 redis@cache1"; got != want {
		t.Errorf("single points of the shop: %s, want %s", got, want)
	}
	if got, want := names("service:worker@sd1"), "10.0.0.9 sd1"; got != want {
		t.Errorf("single points of the worker: %s, want %s", got, want)
	}
	w = newWorld(t, "service:api exposes workload:api\npod:a member_of workload:api\npod:b member_of workload:api\npod:a runs_on host:n1\npod:b runs_on host:n1\n")
	if got, want := names("service:api"), "api n1"; got != want {
		t.Errorf("both pods on one node: %s, want %s", got, want)
	}
}

// TestOrderOfRelationsDoesNotShow: the outcome is a matter of the graph alone.
func TestOrderOfRelationsDoesNotShow(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(shop), "\n")
	w := newWorld(t, shop)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		x := newWorld(t, strings.Join(lines, "\n"))
		for k := range w.items {
			a, b := topology.Fail(w, []string{k}, topology.Limits{}), topology.Fail(x, []string{k}, topology.Limits{})
			if !slices.Equal(a.Effects, b.Effects) {
				t.Fatalf("%s: %+v, shuffled %+v", k, a.Effects, b.Effects)
			}
		}
	}
}

// TestMoreFailuresNeverHelp: what a failure takes down stays down when more fails.
func TestMoreFailuresNeverHelp(t *testing.T) {
	w := newWorld(t, shop)
	for a := range w.items {
		alone := topology.Fail(w, []string{a}, topology.Limits{})
		for b := range w.items {
			both := topology.Fail(w, []string{a, b}, topology.Limits{})
			for _, e := range alone.Effects {
				if e.At != b && both.Of(e.At) < e.State {
					t.Fatalf("%s alone: %s is %s; with %s: %s", a, e.At, e.State, b, both.Of(e.At))
				}
			}
		}
	}
}
