package correlator

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

// bind finds the configuration item that an alert is about by the label that
// says it most narrowly. A nil binding means that no label value is known: work
// for the asset manager, told in why.
func (g *graph) bind(labels event.Labels, generatorURL string) (b *Binding, why string) {
	if n := g.nodes.Get(labels.Get(itemLabel)); n != nil {
		return &Binding{CI: n.ID, Class: n.Class, Name: n.Name, Label: itemLabel, Value: n.ID, Evidence: "it names the item by its id", Score: 100}, ""
	}
	q := &question{g: g, reading: read(labels), generator: generatorURL}
	if b := q.answer(q.subjects); b != nil {
		return b, ""
	}
	if len(q.subjects) == 0 {
		if b := q.answer(q.self); b != nil {
			return b, ""
		}
	}
	if b := q.onlyEngine(); b != nil {
		return b, ""
	}
	if b := q.place(); b != nil {
		return b, ""
	}
	if len(q.tried) == 0 {
		return nil, "no label names a machine, a service or a place"
	}
	why = "no known configuration item goes by " + strings.Join(q.tried, ", ")
	if len(q.doubts) > 0 {
		why += "; " + strings.Join(q.doubts, "; ")
	}
	return nil, why
}

// question is the search for one alert's item.
type question struct {
	*reading
	g         *graph
	generator string
	machine   *node // that the labels name, where one is looked for beside the subject
	sought    bool
	tried     []string
	doubts    []string // why a known name was not taken
}

// answer binds to the first candidate that names one known item.
func (q *question) answer(list []candidate) *Binding {
	for _, c := range list {
		if n, note := q.find(c); n != nil {
			evidence := fmt.Sprintf("%s=%q names %s %s", c.label, c.value, n.Class, n.Name)
			if note != "" {
				evidence += ": " + note
			}
			if b := q.refine(n, c, evidence); b != nil {
				return b
			}
		} else if b := q.loopback(c); b != nil {
			return b
		}
		if t := c.label + "=" + strconv.Quote(c.value); c.form != formUnit && !slices.Contains(q.tried, t) {
			q.tried = append(q.tried, t)
		}
	}
	return nil
}

// loopback resolves an address that only its scraper can reach: the alert's
// generatorURL names the Prometheus that scraped it, so it is on that machine.
func (q *question) loopback(c candidate) *Binding {
	if len(c.lookups) == 0 || !isLoopback(c.lookups[0]) || c.form != formMachine && c.form != formTarget {
		return nil
	}
	c.form, c.classes = formMachine, machines
	if u, err := url.Parse(q.generator); err == nil && u.Hostname() != "" && !isLoopback(u.Hostname()) {
		c.lookups, c.score = []string{canonicalName(u.Hostname())}, 85
		if n, _ := q.find(c); n != nil {
			return q.refine(n, c, fmt.Sprintf("%s=%q is the scraper's own machine, and the scraper runs on %s (generatorURL)", c.label, c.value, n.Name))
		}
	}
	if len(q.g.hosts) != 1 {
		return nil
	}
	var only *node
	for id := range q.g.hosts {
		only = q.g.nodes.Get(id)
	}
	c.score = 60
	return q.refine(only, c, fmt.Sprintf("%s=%q is the scraper's own machine, and %s is the only machine known", c.label, c.value, only.Name))
}

// find looks a candidate up, name by name. The note says what speaks for the item where
// several go by the name.
func (q *question) find(c candidate) (*node, string) {
	if c.form == formUnit {
		return q.unit(c), ""
	}
	for _, name := range c.lookups {
		if name == "" || isLoopback(name) {
			continue
		}
		if n, note := q.choose(c, name, q.g.alias[name]); n != nil {
			return n, note
		}
		if n, note := q.otherwiseWritten(c, name); n != nil {
			return n, note
		}
	}
	return nil, ""
}

// otherwiseWritten looks a name up under the forms that people and programs give it: a
// machine's full name for its short one and the other way round, a service's without
// its machine.
func (q *question) otherwiseWritten(c candidate, name string) (*node, string) {
	ofMachines := slices.Contains(c.classes, "host")
	if short := shortOf(name); short != "" && ofMachines {
		fits := slices.DeleteFunc(slices.Clone(q.g.alias[short]), func(id string) bool {
			n := q.g.nodes.Get(id)
			return n == nil || !machineClass(n.Class) || n.otherFullName(name)
		})
		if n, _ := q.choose(c, name, fits); n != nil {
			return n, "by its short name"
		}
	}
	if ofMachines && !strings.Contains(name, ".") {
		if n, note := q.choose(c, name, q.g.short[name]); n != nil {
			return n, strings.TrimSuffix("the first word of its full name; "+note, "; ")
		}
	}
	return q.choose(c, name, q.g.base[name])
}

// otherFullName says whether a machine is known by full names, and by another than this.
func (n *node) otherFullName(name string) bool {
	other := false
	for _, a := range n.Aliases {
		if a == name {
			return false
		}
		other = other || shortOf(a) != "" && !strings.ContainsAny(a, ":/")
	}
	return other
}

// ranks of what tells items of one name apart; below them stands the order of classes.
const (
	rankCluster   = 4000
	rankNamespace = 2000
	rankMachine   = 1000
	rankClass     = 100
)

// choose takes the item of a name that the other labels fit best. Of several that they
// fit alike, the one known longest keeps its name against namesakes that came later, and
// the note says so; where none is older nothing is taken: unbound is better than wrong.
func (q *question) choose(c candidate, name string, ids []string) (*node, string) {
	var best []*node
	top := 0
	for _, id := range ids {
		n := q.g.nodes.Get(id)
		if n == nil {
			continue
		}
		class := slices.Index(c.classes, n.Class)
		if class < 0 || q.elsewhere(n) {
			continue
		}
		rank := rankClass - class
		if q.cluster != "" && strings.EqualFold(n.Cluster, q.cluster) {
			rank += rankCluster
		}
		if q.namespace != "" && n.Namespace == q.namespace {
			rank += rankNamespace
		}
		if len(ids) > 1 && c.form != formMachine && q.runsHere(n) {
			rank += rankMachine
		}
		switch {
		case rank > top:
			top, best = rank, append(best[:0], n)
		case rank == top:
			best = append(best, n)
		}
	}
	switch len(best) {
	case 0:
		return nil, ""
	case 1:
		return best[0], ""
	}
	slices.SortStableFunc(best, func(a, b *node) int { return strings.Compare(a.Since, b.Since) })
	others := make([]string, 0, len(best))
	for _, n := range best {
		others = append(others, n.Class+" "+n.Name+" ("+n.ID+")")
	}
	if best[0].Since != "" && best[0].Since < best[1].Since {
		return best[0], fmt.Sprintf("%d items go by %q, and it is the one known longest, since %s; the others: %s", len(best), name, best[0].Since, strings.Join(others[1:min(len(others), 4)], ", "))
	}
	doubt := fmt.Sprintf("%q names %d items alike: %s", name, len(best), strings.Join(others[:min(len(others), 4)], ", "))
	if !slices.Contains(q.doubts, doubt) {
		q.doubts = append(q.doubts, doubt)
	}
	return nil, ""
}

// elsewhere says whether an object of Kubernetes is in another namespace or cluster than
// the alert's: there it is another object, whatever its name.
func (q *question) elsewhere(n *node) bool {
	if n.Class != "pod" && n.Class != "workload" {
		return false
	}
	return q.namespace != "" && n.Namespace != "" && n.Namespace != q.namespace || q.cluster != "" && n.Cluster != "" && !strings.EqualFold(n.Cluster, q.cluster)
}

// here is the machine that the labels name beside the subject.
func (q *question) here() *node {
	if q.sought {
		return q.machine
	}
	q.sought = true
	for _, n := range []string{"instance", "node", "nodename", "kubernetes_node", "host", "hostname", "host.name"} {
		l, v := q.get(n)
		if v == "" || slices.Contains(q.own, l) {
			continue
		}
		c := machineCandidate(l, v, 0)
		if q.machine, _ = q.find(c); q.machine != nil {
			break
		}
	}
	return q.machine
}

// runsHere says whether an item runs on the machine that the labels name.
func (q *question) runsHere(n *node) bool {
	m := q.here()
	return m != nil && slices.ContainsFunc(q.g.needs[n.ID], func(e edge) bool { return e.Type == "runs_on" && e.To == m.ID })
}

// on lists what runs on a machine.
func (g *graph) on(machine string) (out []*node) {
	for _, e := range g.needed[machine] {
		if n := g.nodes.Get(e.From); n != nil && e.Type == "runs_on" {
			out = append(out, n)
		}
	}
	return out
}

// unit finds a unit, program or container on the machine that the other labels name.
func (q *question) unit(c candidate) *node {
	m := q.here()
	if m == nil {
		return nil
	}
	var hit *node
	for _, n := range q.g.on(m.ID) {
		if slices.Contains(c.classes, n.Class) && (n.baseName() == c.lookups[0] || slices.Contains(n.Aliases, c.lookups[0])) {
			if hit != nil {
				return nil
			}
			hit = n
		}
	}
	return hit
}

// baseName is an item's name without where it is: of cart@web-1 and of prod/shop/cart.
func (n *node) baseName() string {
	name := strings.ToLower(n.Name)
	name = name[strings.LastIndexByte(name, '/')+1:]
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	return name
}

// watcherItem is what an item watches others as, nil for what does not.
func (n *node) watcherItem() *watcher {
	switch n.Class {
	case "service", "workload", "pod", "container", "process":
		if w := watcherNamed(n.baseName()); w != nil {
			return w
		}
		return watcherNamed(n.Product)
	}
	return nil
}

// refine goes from what a candidate names to the subject: from a machine to what is
// watched there. nil says that the subject is elsewhere.
func (q *question) refine(n *node, c candidate, evidence string) *Binding {
	b := &Binding{CI: n.ID, Class: n.Class, Name: n.Name, Label: c.label, Value: c.value, Evidence: evidence, Score: c.score, Everywhere: n.Kind == "daemonset" && c.label != "daemonset"}
	told := q.told()
	to := func(n *node, how string) *Binding {
		b.CI, b.Class, b.Name = n.ID, n.Class, n.Name
		b.Evidence += "; " + how
		return b
	}
	if n.Class == "certificate" && !mentions(q.labels.Get("alertname"), certificateWords) {
		b.Place = true
		b.Evidence += "; what answers there is not known but by its certificate"
		return b
	}
	if c.form == formMember {
		return q.member(n, c, b)
	}
	if !slices.Contains(machines, n.Class) || c.form != formMachine && c.form != formTarget {
		if told != "" {
			b.Evidence += "; " + told
		}
		return b
	}
	if q.by != nil && c.label != "exported_instance" {
		switch q.by.watches {
		case watchesBeside:
			return q.beside(n, q.by, b, told)
		case watchesMachine, watchesContainers, watchesOthers, watchesObjects:
			b.Evidence += "; " + told
			return b
		}
	}
	var hits, speak, carry []*node
	for _, s := range q.g.on(n.ID) {
		if c.port != 0 && slices.Contains(s.Ports, c.port) {
			hits = append(hits, s)
		}
		if s.Engine != "" && speaksOf(q.labels, s.Engine) {
			speak = append(speak, s)
		}
		if engineClass(s.Class) {
			carry = append(carry, s)
		}
	}
	switch {
	case c.port == 0:
	case len(hits) == 1:
		w := hits[0].watcherItem()
		if w == nil {
			return to(hits[0], fmt.Sprintf("port %d there is %s %s", c.port, hits[0].Class, hits[0].Name))
		}
		told = fmt.Sprintf("port %d there is %s, which watches others", c.port, hits[0].Name)
		switch w.watches {
		case watchesBeside:
			return q.beside(n, w, b, told)
		case watchesMachine, watchesContainers:
			b.Evidence += fmt.Sprintf("; port %d there is %s, which watches the machine", c.port, hits[0].Name)
			return b
		}
		if len(q.subjects) > 1 {
			return nil
		}
		return to(hits[0], told+", and no label names one of them")
	case len(hits) > 1:
	case len(speak) == 1:
		return to(speak[0], fmt.Sprintf("its labels speak of %s, which is %s %s there", speak[0].Engine, speak[0].Class, speak[0].Name))
	case c.label == "instance" && len(speak) == 0 && len(carry) == 1 && !aboutMachines(q.labels):
		// What else is scraped on a machine that is there for one engine watches that:
		// its pooler, its cluster manager.
		return to(carry[0], fmt.Sprintf("job %s does not watch machines, and the one thing there is %s %s", q.labels.Get("job"), carry[0].Class, carry[0].Name))
	}
	return b
}

// beside goes from an exporter's machine to the server that it watches there. An exporter
// on a machine without such a server watches one elsewhere: then nothing is bound by it.
func (q *question) beside(n *node, w *watcher, b *Binding, told string) *Binding {
	var hits, itself []*node
	for _, s := range q.g.on(n.ID) {
		switch {
		case s.isEngine(w):
			hits = append(hits, s)
		case s.watcherItem() != nil && s.watcherItem().name == w.name:
			itself = append(itself, s)
		}
	}
	b.Evidence += "; " + told
	switch {
	case len(hits) == 1:
		b.CI, b.Class, b.Name = hits[0].ID, hits[0].Class, hits[0].Name
		b.Evidence += fmt.Sprintf(": %s %s", hits[0].Class, hits[0].Name)
		return b
	case len(hits) == 0 && len(itself) > 0:
		q.doubts = append(q.doubts, fmt.Sprintf("%s on %s watches what is not on that machine", itself[0].Name, n.Name))
		return nil
	}
	return b
}

// isEngine says whether an item is of a kind that a watcher beside servers watches.
func (n *node) isEngine(w *watcher) bool {
	if n.watcherItem() != nil || n.Class == "certificate" {
		return false
	}
	for _, word := range w.engine {
		if n.Engine == word || n.Product == word || engineClass(n.Class) && (strings.HasPrefix(n.Engine, word) && len(word) >= 4 || holdsWords(dashed(n.baseName()), word)) ||
			n.Class == "service" && holdsWords(dashed(n.baseName()), word) {
			return true
		}
	}
	return false
}

// member goes from a machine that a proxy names as one of its servers to the service
// that it spreads there, where that is told and known.
func (q *question) member(n *node, c candidate, b *Binding) *Binding {
	if !machineClass(n.Class) {
		return b
	}
	var hit []*node
	_, route := q.first([]string{"proxy", "backend", "haproxy_proxy"})
	names := routeForms(route, "")
	for _, s := range q.g.on(n.ID) {
		if c.port != 0 && slices.Contains(s.Ports, c.port) || route != "" && slices.Contains(names, s.baseName()) {
			hit = append(hit, s)
		}
	}
	if len(hit) == 1 {
		b.CI, b.Class, b.Name = hit[0].ID, hit[0].Class, hit[0].Name
		b.Evidence += fmt.Sprintf("; what is behind %q there is %s %s", route, hit[0].Class, hit[0].Name)
	}
	return b
}

// onlyEngine binds what an exporter beside no server says to the only server of its kind
// that is known in the alert's cluster.
func (q *question) onlyEngine() *Binding {
	if q.by == nil || q.by.watches != watchesBeside || len(q.by.engine) == 0 {
		return nil
	}
	for _, c := range q.subjects {
		if c.label != "instance" && c.label != "node" {
			return nil // they name something, which is not known
		}
	}
	var only *node
	for _, class := range engines {
		for _, id := range q.g.byClass[class] {
			n := q.g.nodes.Get(id)
			if !n.isEngine(q.by) || q.cluster != "" && n.Cluster != "" && !strings.EqualFold(n.Cluster, q.cluster) || q.namespace != "" && n.Namespace != "" && n.Namespace != q.namespace {
				continue
			}
			if only != nil {
				return nil
			}
			only = n
		}
	}
	if only == nil {
		return nil
	}
	return &Binding{CI: only.ID, Class: only.Class, Name: only.Name, Label: q.byWhy, Value: q.labels.Get(q.byWhy), Score: 50, Evidence: q.told() + ": " + only.Class + " " + only.Name + " is the only one known"}
}

// place binds to where the subject is, as far as that is known. The place is no subject:
// anything in it may be.
func (q *question) place() *Binding {
	for _, row := range places {
		label, v := q.first(row.labels)
		if v == "" {
			continue
		}
		c := candidate{label: label, value: v, classes: []string{row.class}, lookups: []string{canonicalName(v)}, score: 40}
		if row.class == "namespace" {
			c.score = 50
			if q.cluster != "" {
				c.lookups = []string{canonicalName(q.cluster + "/" + v), canonicalName(v)}
			}
		}
		if n, _ := q.find(c); n != nil && (n.Cluster == "" || q.cluster == "" || strings.EqualFold(n.Cluster, q.cluster)) {
			b := &Binding{CI: n.ID, Class: n.Class, Name: n.Name, Label: label, Value: v, Score: c.score, Place: true,
				Evidence: fmt.Sprintf("%s=%q says only where: somewhere in %s %s", label, v, n.Class, n.Name)}
			if _, own := q.first(owned); own != "" && n.Class == "namespace" {
				b.Place, b.Score, b.Evidence = false, 90, fmt.Sprintf("%s=%q names namespace %s, whose quota is meant", label, v, n.Name)
			}
			return b
		}
		q.tried = append(q.tried, label+"="+strconv.Quote(v))
	}
	return nil
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
		case start >= 0 && upper(c) && (!upper(name[i-1]) || i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'):
			flush(i) // "CertExpires", and "SSLCert"
			start = i
		case start < 0:
			start = i
		}
	}
	flush(len(name))
	return out
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
