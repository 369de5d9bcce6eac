package correlator

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

var (
	machines  = []string{"host", "virtual_machine", "hypervisor", "switch", "pdu", "container"}
	engines   = []string{"database", "cache", "queue", "loadbalancer", "storage"}
	workloads = []string{"workload", "service"}
	services  = []string{"service", "workload"}
)

// candidate is one label value that may name a configuration item.
type candidate struct {
	label, value string
	lookup       string // as the alias index knows it
	port         int
	classes      []string
	score        int
}

// bind finds the configuration item that an alert is about by the label that
// says it most narrowly. A nil binding means that no label value is known: work
// for the asset manager, told in why.
func (g *graph) bind(labels event.Labels, generatorURL string) (b *Binding, why string) {
	if n := g.nodes.Get(labels.Get(itemLabel)); n != nil {
		return &Binding{CI: n.ID, Class: n.Class, Name: n.Name, Label: itemLabel, Value: n.ID, Evidence: "it names the item by its id", Score: 100}, ""
	}
	cands := candidates(labels)
	var tried []string
	for _, c := range cands {
		if isLoopback(c.lookup) {
			if b := g.bindLoopback(c, generatorURL); b != nil {
				return b, ""
			}
			tried = append(tried, c.label+"="+strconv.Quote(c.value))
			continue
		}
		if n := g.find(c, labels); n != nil {
			return g.refine(n, c, labels, fmt.Sprintf("%s=%q names %s %s", c.label, c.value, n.Class, n.Name)), ""
		}
		tried = append(tried, c.label+"="+strconv.Quote(c.value))
	}
	if len(tried) == 0 {
		return nil, "no label names a machine, a service or a place"
	}
	return nil, "no known configuration item goes by " + strings.Join(tried, ", ")
}

// bindLoopback resolves an address that only its scraper can reach: the alert's
// generatorURL names the Prometheus that scraped it, so it is on that machine.
func (g *graph) bindLoopback(c candidate, generatorURL string) *Binding {
	if u, err := url.Parse(generatorURL); err == nil && u.Hostname() != "" && !isLoopback(u.Hostname()) {
		at := candidate{label: c.label, value: c.value, lookup: strings.ToLower(u.Hostname()), classes: machines, port: c.port, score: 85}
		if n := g.find(at, nil); n != nil {
			return g.refine(n, at, nil, fmt.Sprintf("%s=%q is the scraper's own machine, and the scraper runs on %s (generatorURL)", c.label, c.value, n.Name))
		}
	}
	if len(g.hosts) != 1 {
		return nil
	}
	var only *node
	for id := range g.hosts {
		only = g.nodes.Get(id)
	}
	c.score = 60
	return g.refine(only, c, nil, fmt.Sprintf("%s=%q is the scraper's own machine, and %s is the only machine known", c.label, c.value, only.Name))
}

// refine goes from a machine to the service that listens on the port, if exactly
// one is known there.
func (g *graph) refine(n *node, c candidate, labels event.Labels, evidence string) *Binding {
	b := &Binding{CI: n.ID, Class: n.Class, Name: n.Name, Label: c.label, Value: c.value, Evidence: evidence, Score: c.score, Everywhere: n.Kind == "daemonset" && c.label != "daemonset"}
	if c.port == 0 || !slices.Contains(machines, n.Class) {
		return b
	}
	var hit, spoken, carried *node
	hits, speaks, carries := 0, 0, 0
	for _, e := range g.needed[n.ID] {
		s := g.nodes.Get(e.From)
		if e.Type != "runs_on" || s == nil {
			continue
		}
		if slices.Contains(s.Ports, c.port) {
			hit = s
			hits++
		}
		if s.Engine != "" && speaksOf(labels, s.Engine) {
			spoken = s
			speaks++
		}
		if engineClass(s.Class) {
			carried = s
			carries++
		}
	}
	switch {
	case hits == 1:
		b.CI, b.Class, b.Name = hit.ID, hit.Class, hit.Name
		b.Evidence += fmt.Sprintf("; port %d there is %s %s", c.port, hit.Class, hit.Name)
	case hits == 0 && speaks == 1:
		b.CI, b.Class, b.Name = spoken.ID, spoken.Class, spoken.Name
		b.Evidence += fmt.Sprintf("; its labels speak of %s, which is %s %s there", spoken.Engine, spoken.Class, spoken.Name)
	case hits == 0 && speaks == 0 && carries == 1 && !aboutMachines(labels):
		// What else is scraped on a machine that is there for one engine watches that:
		// its pooler, its cluster manager.
		b.CI, b.Class, b.Name = carried.ID, carried.Class, carried.Name
		b.Evidence += fmt.Sprintf("; job %s does not watch machines, and the one thing there is %s %s", labels.Get("job"), carried.Class, carried.Name)
	}
	return b
}

// aboutMachines says whether an alert's job watches machines themselves, or does not
// say what it watches.
func aboutMachines(labels event.Labels) bool {
	job := labels.Get("job")
	return job == "" || mentions(job, machineWords)
}

// speaksOf says whether an alert's job or name speaks of a product: an exporter
// has another port than what it watches.
func speaksOf(labels event.Labels, engine string) bool {
	job := strings.ToLower(labels.Get("job"))
	if len(job) >= 4 && (strings.HasPrefix(engine, job) || strings.HasPrefix(job, engine)) {
		return true
	}
	stem := engine[:min(len(engine), 8)]
	return len(stem) >= 4 && strings.Contains(strings.ToLower(labels.Get("alertname")), stem)
}

// find looks a candidate up; several hits are told apart by cluster and namespace,
// then by the order of classes.
func (g *graph) find(c candidate, labels event.Labels) *node {
	var best *node
	bestRank := 0
	for _, id := range g.alias[c.lookup] {
		n := g.nodes.Get(id)
		if n == nil {
			continue
		}
		class := slices.Index(c.classes, n.Class)
		if class < 0 {
			continue
		}
		rank := 100 - class
		if cl := first(labels, "cluster", "k8s_cluster"); cl != "" && n.Cluster == cl {
			rank += 1000
		}
		if ns := first(labels, "namespace", "kube_namespace", "exported_namespace"); ns != "" && n.Namespace == ns {
			rank += 500
		}
		if best == nil || rank > bestRank {
			best, bestRank = n, rank
		}
	}
	return best
}

func first(labels event.Labels, names ...string) string {
	for _, n := range names {
		if v := labels.Get(n); v != "" {
			return v
		}
	}
	return ""
}

// candidates lists what an alert's labels may name, narrowest first. Exporters
// that speak for others (kube-state-metrics, blackbox) do not lend their own
// instance.
func candidates(labels event.Labels) []candidate {
	var out []candidate
	add := func(score int, classes []string, names ...string) {
		for _, n := range names {
			if v := labels.Get(n); v != "" {
				out = append(out, candidate{label: n, value: v, lookup: strings.ToLower(v), classes: classes, score: score})
				return
			}
		}
	}
	job := labels.Get("job")
	add(95, services, "service_name", "app")
	add(90, services, "consumergroup")
	add(95, machines, "node", "kubernetes_node", "nodename", "host", "hostname")
	if n, v := firstOf(labels, "id", "object"); v != "" {
		c := candidate{label: n, value: v, score: 90, classes: machines}
		if vm, ok := strings.CutPrefix(v, "qemu/"); ok {
			c.lookup = "vm:" + vm
		} else {
			c.lookup = strings.ToLower(v[strings.LastIndexByte(v, '/')+1:])
		}
		out = append(out, c)
	}
	for _, n := range []string{"deployment", "kube_deployment", "statefulset", "kube_statefulset", "daemonset", "horizontalpodautoscaler", "poddisruptionbudget", "cronjob"} {
		add(90, workloads, n)
	}
	if job == "" || job == "kube-state-metrics" {
		add(90, []string{"pod"}, "pod", "pod_name")
	}
	if v := labels.Get("job_name"); v != "" {
		base := v
		if i := strings.LastIndexByte(v, '-'); i > 0 {
			base = v[:i]
		}
		out = append(out, candidate{label: "job_name", value: v, lookup: strings.ToLower(base), classes: workloads[:1], score: 80})
	}
	if n, v := firstOf(labels, "instance", "target"); v != "" && job != "kube-state-metrics" {
		out = append(out, instance(n, v, mentions(labels.Get("alertname"), certificateWords))...)
	}
	if _, pod := firstOf(labels, "pod", "pod_name"); pod != "" {
		add(85, []string{"pod"}, "pod", "pod_name")
		if stem := podStem(pod); stem != "" {
			out = append(out, candidate{label: "pod", value: pod, lookup: strings.ToLower(stem), classes: workloads, score: 65})
		}
	}
	if len(out) == 0 { // where nothing narrower is said, these name what is watched, not what watches
		add(60, services, "service")
		add(60, services, "job")
	}
	if ns := first(labels, "namespace", "kube_namespace", "exported_namespace"); ns != "" {
		if cl := first(labels, "cluster", "k8s_cluster"); cl != "" {
			out = append(out, candidate{label: "namespace", value: ns, lookup: strings.ToLower(cl + "/" + ns), classes: []string{"namespace"}, score: 50})
		}
	}
	add(40, []string{"cluster"}, "cluster", "k8s_cluster")
	return out
}

// podStem is the workload's name in a pod's: the name less its generated endings.
func podStem(pod string) string {
	i := strings.LastIndexByte(pod, '-')
	if i <= 0 {
		return ""
	}
	stem := pod[:i]
	if j := strings.LastIndexByte(stem, '-'); j > 0 && len(stem)-j-1 >= 8 && len(pod)-i-1 == 5 {
		return stem[:j] // of a ReplicaSet
	}
	return stem
}

func firstOf(labels event.Labels, names ...string) (string, string) {
	for _, n := range names {
		if v := labels.Get(n); v != "" {
			return n, v
		}
	}
	return "", ""
}

// instance reads host:port, an address, or a URL.
func instance(label, v string, certain bool) []candidate {
	if strings.Contains(v, "://") {
		out := []candidate{{label: label, value: v, lookup: strings.ToLower(v), classes: services, score: 90}}
		if u, err := url.Parse(v); err == nil && u.Hostname() != "" {
			h := strings.ToLower(u.Hostname())
			if certain {
				out = slices.Insert(out, 0, candidate{label: label, value: v, lookup: h, classes: []string{"certificate"}, score: 90})
			}
			out = append(out,
				candidate{label: label, value: v, lookup: h, classes: []string{"certificate", "service"}, score: 85},
				candidate{label: label, value: v, lookup: h, classes: slices.Concat(machines, engines), score: 80})
			if short, _, ok := strings.Cut(h, "."); ok {
				out = append(out, candidate{label: label, value: v, lookup: short, classes: services, score: 70})
			}
		}
		return out
	}
	host, port := v, 0
	if h, p, err := net.SplitHostPort(v); err == nil {
		host = h
		port, _ = strconv.Atoi(p)
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	out := []candidate{{label: label, value: v, lookup: host, port: port, classes: slices.Concat(machines, engines), score: 95}}
	if short, _, ok := strings.Cut(host, "."); ok && net.ParseIP(host) == nil {
		out = append(out, candidate{label: label, value: v, lookup: short, port: port, classes: slices.Concat(machines, engines), score: 75})
	}
	return out
}

// Words are general classes of meaning in a rule's name, none a rule's name. Where
// names say nothing, nothing is taken from them.
var (
	certificateWords = []string{"cert", "certificate", "ssl", "tls", "x509"}
	machineWords     = []string{"node", "nodes", "host", "hosts", "machine", "os", "system", "windows", "linux", "kubelet", "cadvisor", "icmp", "ping", "blackbox", "probe", "snmp", "ipmi", "smart", "smartctl", "telegraf", "collectd", "systemd", "libvirt", "pve", "vmware", "hypervisor"}
	networkWords     = []string{"network", "interface", "interfaces", "link", "links", "uplink", "bond", "bonding", "nic", "ethernet", "ping", "packet", "packets"}
	absenceWords     = []string{"no", "not", "without", "absent", "missing", "zero", "idle", "inactive"}
)

// mentions says whether one of the words is a word of the name, however it is written.
func mentions(name string, words []string) bool {
	for _, w := range wordsOf(name) {
		if slices.Contains(words, w) {
			return true
		}
	}
	return false
}

// wordsOf splits CamelCase, snake_case and plain text into lower-case words.
func wordsOf(name string) []string {
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 && end > start {
			out = append(out, strings.ToLower(name[start:end]))
		}
		start = -1
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		switch {
		case !letter:
			flush(i)
		case start >= 0 && c >= 'A' && c <= 'Z' && (name[i-1] < 'A' || name[i-1] > 'Z'):
			flush(i)
			start = i
		case start < 0:
			start = i
		}
	}
	flush(len(name))
	return out
}
