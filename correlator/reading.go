package correlator

import (
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
)

// candidate is one label value that may name a configuration item.
type candidate struct {
	label, value string
	form         form
	lookups      []string // as the alias index knows it, the surest first
	port         int
	classes      []string
	score        int
}

// reading is what an alert's labels say of its subject, before anything is looked up.
type reading struct {
	labels    event.Labels
	by        *watcher // what measured it, if that is something that watches others
	byWhy     string   // the label that tells
	own       []string // labels that are the scrape target's
	namespace string   // of the subject
	cluster   string
	subjects  []candidate // the most specific first
	self      []candidate // the watcher itself, where nothing else is named
}

// get returns a label, in the writing of OTLP's names with dots or with underscores.
func (r *reading) get(name string) (string, string) {
	if v := r.labels.Get(name); v != "" {
		return name, v
	}
	if strings.IndexByte(name, '.') >= 0 || strings.IndexByte(name, '/') >= 0 {
		n := strings.NewReplacer(".", "_", "/", "_").Replace(name)
		if v := r.labels.Get(n); v != "" {
			return n, v
		}
	}
	return "", ""
}

// first returns the first of the labels that is there and not the scrape target's.
func (r *reading) first(names []string) (string, string) {
	for _, n := range names {
		if l, v := r.get(n); v != "" && !slices.Contains(r.own, l) {
			return l, v
		}
	}
	return "", ""
}

// read finds out who measured, which labels are his, and what the others name.
func read(labels event.Labels) *reading {
	r := &reading{labels: labels}
	r.by, r.byWhy = watcherOf(labels)
	r.own = r.ownLabels()
	_, r.namespace = r.first(namespaceLabels)
	_, r.cluster = r.first(clusterLabels)
	for i := range subjects {
		row := &subjects[i]
		if row.of != nil && !slices.Contains(row.of, r.watcherName()) {
			continue
		}
		for _, name := range row.labels {
			if l, v := r.get(name); v != "" && !r.isOwn(l, v) {
				r.subjects = append(r.subjects, r.candidates(row, l, v)...)
			}
		}
	}
	r.readInstance()
	if l, v := r.get("node"); v != "" && r.by != nil && r.by.watches == watchesObjects && (len(r.subjects) == 0 || r.aboutNodes()) {
		r.subjects = append(r.subjects, machineCandidate(l, v, 85))
	}
	r.readSelf()
	return r
}

func (r *reading) watcherName() string {
	if r.by == nil {
		return ""
	}
	return r.by.name
}

// aboutNodes says whether an alert of an API's watcher is about a machine: its name says
// so, or it carries what only samples of nodes do.
func (r *reading) aboutNodes() bool {
	return mentions(r.labels.Get("alertname"), machineWords) || r.labels.Get("condition") != "" || r.labels.Get("taint") != ""
}

// isOwn says whether a label's value is the scrape target's and not the subject's.
func (r *reading) isOwn(label, value string) bool {
	if r.by != nil && r.by.watches == watchesObjects {
		switch label {
		case "service", "endpoint", "pod", "pod_name":
			if !r.by.called(value) {
				return r.labels.Get("exported_"+label) != ""
			}
			// A complaint about pods may be about the watcher's own.
			return label != "pod" || r.labels.Get("exported_pod") != "" || r.labels.Get("uid") == "" && r.labels.Get("reason") == ""
		}
	}
	return slices.Contains(r.own, label)
}

// ownLabels are the labels that the scrape target brought, of what watches others.
func (r *reading) ownLabels() []string {
	var own []string
	twin := false
	for _, l := range r.labels {
		if name, ok := strings.CutPrefix(l.Name, "exported_"); ok && (slices.Contains(targetLabels, name) || name == "namespace") {
			twin = twin || name != "job" // a job of its own is pushed from anywhere
			own = append(own, name)
		}
	}
	all := func(but ...string) {
		for _, n := range targetLabels {
			if !slices.Contains(but, n) {
				own = append(own, n)
			}
		}
	}
	switch {
	case twin:
		all()
	case r.by == nil:
	case r.by.watches == watchesMachine:
		all("instance", "node", "kubernetes_node")
		own = append(own, "namespace")
	case r.by.watches == watchesContainers:
		all("instance", "node", "kubernetes_node", "pod", "pod_name", "container", "kubernetes_pod_name")
		if p := r.labels.Get("pod"); r.by.called(p) {
			own = append(own, "pod", "namespace")
		}
	case r.by.watches == watchesBeside:
		all("instance", "node", "kubernetes_node", "pod", "pod_name", "kubernetes_pod_name")
		if p := r.labels.Get("pod"); p != "" && (r.by.called(p) || watcherNamed(p) != nil) {
			own = append(own, "pod", "node")
		}
	case r.by.watches == watchesProbed:
		all("instance")
		own = append(own, "namespace")
		if r.ownAddress(r.labels.Get("instance")) {
			own = append(own, "instance")
		}
	case r.by.watches == watchesObjects:
		all("container")
	default:
		all()
		if r.labels.Get("ingress") == "" && r.labels.Get("exported_namespace") == "" {
			own = append(own, "namespace")
		}
	}
	return own
}

// ownAddress says whether an instance is the watcher's and not what it probes.
func (r *reading) ownAddress(instance string) bool {
	if strings.Contains(instance, "://") {
		return false
	}
	host, port := hostOf(instance)
	return slices.Contains(r.by.ports, port) || r.by.called(host)
}

// called says whether a name is one of the watcher's.
func (w *watcher) called(name string) bool {
	name = dashed(name)
	return slices.ContainsFunc(w.names, func(n string) bool { return holdsWords(name, n) })
}

// plainWords stand beside a short word in a job's name without changing what it says.
var plainWords = []string{"exporter", "exporters", "metrics", "icmp", "http", "https", "tcp", "udp", "ssh", "dns", "ssl", "tls", "ping", "probe", "probes", "target", "targets", "external", "internal", "prod", "production", "staging", "dev", "monitoring", "stats", "servers", "cluster", "v2", "v3", "if", "mib", "devices"}

// byJob finds a watcher by a job's name: a full name anywhere in it, or a short word
// with nothing but plain ones beside it.
func byJob(job string) *watcher {
	if w := watcherNamed(job); w != nil {
		return w
	}
	head, rest, path := strings.Cut(strings.ToLower(job), "/")
	for i := range watchers {
		w := &watchers[i]
		for _, short := range w.jobs {
			if path && (head == short || rest == short) || onlyWord(dashed(job), short) {
				return w
			}
		}
	}
	return nil
}

func onlyWord(s, word string) bool {
	if !holdsWords(s, word) {
		return false
	}
	for w := range strings.SplitSeq(strings.Replace(s, word, "", 1), "-") {
		if w != "" && !digits(w) && !slices.Contains(plainWords, w) {
			return false
		}
	}
	return true
}

// watcherNamed finds a watcher by a full name of one, the longest that fits.
func watcherNamed(name string) *watcher {
	name = dashed(name)
	var best *watcher
	length := 0
	for i := range watchers {
		for _, n := range watchers[i].names {
			if len(n) > length && holdsWords(name, n) {
				best, length = &watchers[i], len(n)
			}
		}
	}
	if best != nil {
		return best
	}
	if before, _, ok := strings.Cut("-"+name+"-", "-exporter-"); ok {
		if words := strings.FieldsFunc(before, func(c rune) bool { return c == '-' }); len(words) > 0 {
			return &watcher{name: strings.Join(words, "-") + "-exporter", watches: watchesBeside, names: []string{name}, engine: words}
		}
	}
	return nil
}

// watcherOf finds what measured an alert, if it is something that watches others, and
// the label that tells. Labels of an alert without job and instance are not a scrape
// target's.
func watcherOf(l event.Labels) (*watcher, string) {
	job, instance := l.Get("job"), l.Get("instance")
	if job == "" && instance == "" {
		return nil, ""
	}
	if w := byJob(job); job != "" && w != nil {
		if strings.Contains(l.Get("metrics_path"), "cadvisor") && w.watches == watchesMachine {
			return watcherNamed("cadvisor"), "metrics_path"
		}
		return w, "job"
	}
	if strings.Contains(l.Get("metrics_path"), "cadvisor") {
		return watcherNamed("cadvisor"), "metrics_path"
	}
	for _, n := range []string{"app_kubernetes_io_name", "app", "k8s_app", "component", "kubernetes_name", "service", "exporter"} {
		if w := watcherNamed(l.Get(n)); w != nil {
			return w, n
		}
	}
	if strings.Contains(instance, "://") {
		return nil, ""
	}
	host, port := hostOf(instance)
	for i := range watchers {
		if port != 0 && slices.Contains(watchers[i].ports, port) {
			return &watchers[i], "instance"
		}
	}
	if w := watcherNamed(host); w != nil && !isAddress(host) {
		return w, "instance"
	}
	for _, n := range []string{"container", "pod", "kubernetes_pod_name"} {
		if w := watcherNamed(l.Get(n)); w != nil && instance != "" {
			return w, n
		}
	}
	return nil, ""
}

func machineCandidate(label, value string, score int) candidate {
	host, port := hostOf(value)
	return candidate{label: label, value: value, form: formMachine, lookups: []string{host}, port: port, classes: machines, score: score}
}

// candidates are what a row's label value may name.
func (r *reading) candidates(row *labelRow, label, value string) []candidate {
	c := candidate{label: label, value: value, form: row.form, classes: row.classes, score: row.score}
	lower := canonicalName(value)
	c.lookups = []string{lower}
	var more []candidate
	stems := func(names []string, classes []string, score int) {
		more = append(more, candidate{label: label, value: value, form: row.form, lookups: names, classes: classes, score: score})
	}
	switch row.form {
	case formMachine:
		c = machineCandidate(label, value, row.score)
	case formPod:
		stems(podStems(value), workloads, 65)
	case formJob:
		c.lookups = append(c.lookups, cutLast(lower))
	case formSet:
		c.lookups = append(c.lookups, cutLast(lower))
	case formVolume:
		all := volumeStems(lower)
		c.lookups = all[:1]
		stems(all[1:], slices.Concat(pods, workloads), 75)
	case formID:
		if label == "id" || label == "object" {
			if r.by == nil && !strings.HasPrefix(value, "qemu/") && !strings.HasPrefix(value, "lxc/") && label == "id" {
				return nil
			}
		}
		c.lookups = idForms(value)
		if host, _ := hostOf(value); !strings.Contains(value, "/") && host != lower {
			c.lookups = append(c.lookups, host)
		}
	case formRoute:
		c.lookups = routeForms(value, r.namespace)
	case formTarget:
		return r.target(label, value, row.score)
	case formMember:
		host, port := hostOf(value)
		c.lookups, c.port = []string{host}, port
	case formUnit:
		base := lower
		for _, end := range []string{".service", ".socket", ".timer"} {
			base = strings.TrimSuffix(base, end)
		}
		c.lookups = []string{base}
	}
	return append([]candidate{c}, more...)
}

// target reads what is probed: a URL, or a host with or without a port.
func (r *reading) target(label, value string, score int) []candidate {
	certain := mentions(r.labels.Get("alertname"), certificateWords)
	forms := urlForms(value)
	host, port := hostOf(value)
	var out []candidate
	add := func(classes []string, score int, lookups ...string) {
		out = append(out, candidate{label: label, value: value, form: formTarget, lookups: lookups, port: port, classes: classes, score: score})
	}
	if certain {
		add([]string{"certificate"}, score, append([]string{host}, forms...)...)
	}
	if strings.ContainsAny(value, "/") || shortOf(host) != "" {
		add(callables, score, forms...)
	}
	out = append(out, candidate{label: label, value: value, form: formMachine, lookups: []string{host}, port: port, classes: slices.Concat(machines, engines), score: score - 5})
	if !strings.ContainsAny(value, "/") && shortOf(host) == "" {
		add(callables, score-5, forms...)
	}
	if !certain {
		add([]string{"certificate"}, score-10, append([]string{host}, forms...)...)
	}
	if short := shortOf(host); short != "" {
		add(callables, score-20, short)
	}
	return out
}

// readInstance adds what the instance names, as far as it is the subject's.
func (r *reading) readInstance() {
	v := r.labels.Get("instance")
	if v == "" || slices.Contains(r.own, "instance") {
		return
	}
	if strings.Contains(v, "://") || r.by != nil && r.by.watches == watchesProbed {
		r.subjects = append(r.subjects, r.target("instance", v, 90)...)
		return
	}
	c := machineCandidate("instance", v, 95)
	c.classes = slices.Concat(machines, engines, pods)
	if r.by != nil && (r.by.watches == watchesMachine || r.by.watches == watchesContainers) {
		c.classes = machines
	}
	r.subjects = append(r.subjects, c)
	if r.by == nil {
		if shortOf(c.lookups[0]) != "" && c.port == 0 {
			r.subjects = append(r.subjects, r.target("instance", v, 80)...)
		}
		for _, n := range []string{"service", "job"} {
			if l, v := r.get(n); v != "" {
				r.subjects = append(r.subjects, candidate{label: l, value: v, form: formRoute, lookups: routeForms(v, r.namespace), classes: callables, score: 55})
			}
		}
	}
}

// readSelf lists what the labels of a watcher say of itself: it is the subject where no
// label names another. Labels of what watches nothing else were read above.
func (r *reading) readSelf() {
	if len(r.subjects) > 0 {
		return
	}
	score := 60
	for _, n := range []string{"pod", "pod_name", "kubernetes_pod_name"} {
		if l, v := r.get(n); v != "" {
			r.self = append(r.self, candidate{label: l, value: v, form: formPod, lookups: []string{canonicalName(v)}, classes: pods, score: score})
			r.self = append(r.self, candidate{label: l, value: v, form: formPod, lookups: podStems(v), classes: workloads, score: score})
		}
	}
	for _, n := range []string{"service", "job", "app", "app_kubernetes_io_name"} {
		if l, v := r.get(n); v != "" {
			r.self = append(r.self, candidate{label: l, value: v, form: formRoute, lookups: routeForms(v, r.namespace), classes: callables, score: score})
		}
	}
	if v := r.labels.Get("instance"); v != "" {
		c := machineCandidate("instance", v, score)
		c.classes = slices.Concat(machines, pods)
		r.self = append(r.self, c)
	}
}

// told says in words who measured, and which labels are his.
func (r *reading) told() string {
	if r.by == nil {
		return ""
	}
	what := map[watches]string{
		watchesMachine: "which watches the machine that it runs on", watchesBeside: "which watches a server beside it", watchesContainers: "which watches the pods of its machine",
	}[r.by.watches]
	if what == "" {
		what = "which watches others"
	}
	return r.byWhy + "=" + strconv.Quote(r.labels.Get(r.byWhy)) + " is of a " + r.by.name + " watcher, " + what
}

func first(labels event.Labels, names ...string) string {
	for _, n := range names {
		if v := labels.Get(n); v != "" {
			return v
		}
	}
	return ""
}
