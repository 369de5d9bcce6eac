package correlator

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/paged"
)

// node is a configuration item as the correlator knows it.
type node struct {
	ID          string            `json:"id"`
	Class       string            `json:"class"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Aliases     []string          `json:"aliases,omitempty"` // lower case, sorted
	Addresses   []string          `json:"addresses,omitempty"`
	Ports       []int             `json:"ports,omitempty"`
	Cluster     string            `json:"cluster,omitempty"`
	Namespace   string            `json:"namespace,omitempty"`
	Criticality string            `json:"criticality,omitempty"`
	Kind        string            `json:"kind,omitempty"`   // of a workload
	Engine      string            `json:"engine,omitempty"` // of a database, cache, queue: the product
	Product     string            `json:"product,omitempty"`
	Since       string            `json:"since,omitempty"` // since when it is known, in event.TimeFormat, UTC
}

// edge is a relation, read "From Type To": From needs To.
type edge struct {
	From string `json:"from"`
	Type string `json:"type"`
	To   string `json:"to"`
}

func (e edge) key() string { return e.From + "\x00" + e.Type + "\x00" + e.To }

// graph is the engine's own fold of the topology facts.
type graph struct {
	nodes *paged.Table[node]
	edges *paged.Table[edge]

	// derived, rebuilt when loaded
	alias   map[string][]string // lower-case name or address → node ids, sorted
	needs   map[string][]edge   // by From, sorted
	needed  map[string][]edge   // by To, sorted
	short   map[string][]string // first word of a machine's full name → node ids, sorted
	base    map[string][]string // a service's name without its machine's → node ids, sorted
	byClass map[string][]string // engines by their class, sorted
	hosts   map[string]struct{} // ids of machines that can run a scraper

	// interning: an item keeps its number for the life of this state. Numbers
	// depend on the order of arrival, so nothing may be ordered by them.
	index map[string]int32
	ids   []string

	classCount  map[string]int
	clusterSize map[string]int      // items by their cluster
	clusterApps map[string]int      // services by their cluster
	platforms   map[string][]string // by cluster: workloads and engines that serve all of it
	clusters    map[string]string   // cluster name → its item
	namespaces  map[string]string   // cluster/namespace → its item

	// answers to questions about the topology as it is now
	reachCache [][]reach // by complaints times the index, and the complaint
	nearCache  []nearby
	wayCache   map[route]string
	fresh      uint64    // the epoch that the caches are of
	massCache  []float64 // by index; 0 is not known
	priorCache []float64 // logarithms, by index; 0 is not known
	epoch      uint64    // raised by every change
}

func newGraph() *graph {
	return &graph{
		nodes: paged.NewTable[node]("node"), edges: paged.NewTable[edge]("edge"),
		alias: map[string][]string{}, needs: map[string][]edge{}, needed: map[string][]edge{}, hosts: map[string]struct{}{},
		short: map[string][]string{}, base: map[string][]string{}, byClass: map[string][]string{},
		index: map[string]int32{}, classCount: map[string]int{}, clusterSize: map[string]int{}, clusterApps: map[string]int{}, platforms: map[string][]string{},
		clusters: map[string]string{}, namespaces: map[string]string{},
		wayCache: map[route]string{},
	}
}

// moved forgets what was derived from the topology before it changed.
func (g *graph) moved() {
	g.epoch++
}

// refresh empties the caches by index if the topology changed since they were filled.
func (g *graph) refresh() {
	if g.fresh == g.epoch && len(g.massCache) == len(g.ids) {
		return
	}
	if g.fresh != g.epoch {
		g.fresh = g.epoch
		clear(g.reachCache)
		clear(g.nearCache)
		clear(g.wayCache)
		clear(g.massCache)
		clear(g.priorCache)
	}
	n := len(g.ids) - len(g.massCache)
	g.reachCache = append(g.reachCache, make([][]reach, complaints*n)...)
	g.nearCache = append(g.nearCache, make([]nearby, n)...)
	g.massCache = append(g.massCache, make([]float64, n)...)
	g.priorCache = append(g.priorCache, make([]float64, n)...)
}

// neighbour is an item with a tight relation to another.
type neighbour struct {
	at    int32
	share float64 // how likely the other is the next one to fail after it
}

type nearby struct {
	known bool
	list  []neighbour
}

// neighbours lists the items with a tight relation to the i-th. The result is
// shared: do not change it.
func (g *graph) neighbours(i int32) []neighbour {
	g.refresh()
	if c := &g.nearCache[i]; c.known {
		return c.list
	}
	id := g.ids[i]
	var out []neighbour
	// Of many neighbours each is the next with a small share.
	add := func(to string, strength float64) {
		if g.nodes.Get(to) != nil {
			out = append(out, neighbour{g.index[to], strength / float64(max(len(g.needs[to])+len(g.needed[to]), 3))})
		}
	}
	for n, e := range g.needs[id] {
		if n < fanMax && tight(e, g) {
			add(e.To, 1)
		}
	}
	for n, e := range g.needed[id] {
		if n < fanMax && tight(e, g) {
			add(e.From, 0.6)
		}
	}
	g.nearCache[i] = nearby{true, out}
	return out
}

func (g *graph) reindex() {
	for _, k := range g.nodes.Keys() {
		g.indexNode(g.nodes.Get(k))
	}
	for _, k := range g.edges.Keys() {
		g.indexEdge(*g.edges.Get(k))
	}
}

func (g *graph) indexNode(n *node) {
	for _, a := range n.Aliases {
		g.alias[a] = insert(g.alias[a], n.ID, strings.Compare)
	}
	for _, a := range n.shortNames() {
		g.short[a] = insert(g.short[a], n.ID, strings.Compare)
	}
	if b := n.shared(); b != "" {
		g.base[b] = insert(g.base[b], n.ID, strings.Compare)
	}
	if engineClass(n.Class) {
		g.byClass[n.Class] = insert(g.byClass[n.Class], n.ID, strings.Compare)
	}
	if n.Class == "host" || n.Class == "virtual_machine" {
		g.hosts[n.ID] = struct{}{}
	}
	g.intern(n.ID)
	g.classCount[n.Class]++
	if n.Cluster != "" {
		g.clusterSize[n.Cluster]++
		if n.Class == "service" {
			g.clusterApps[n.Cluster]++
		}
		if n.serves() {
			g.platforms[n.Cluster] = insert(g.platforms[n.Cluster], n.ID, strings.Compare)
		}
	}
	switch n.Class {
	case "cluster":
		g.clusters[n.Cluster] = n.ID
	case "namespace":
		g.namespaces[n.Cluster+"/"+n.Namespace] = n.ID
	}
}

// shortNames are the first words of a machine's full names.
func (n *node) shortNames() (out []string) {
	if !machineClass(n.Class) {
		return nil
	}
	for _, a := range n.Aliases {
		if s := shortOf(a); s != "" && !strings.ContainsAny(a, ":/") {
			out = insert(out, s, strings.Compare)
		}
	}
	return out
}

// shared is the name that a service has on every machine that it runs on.
func (n *node) shared() string {
	if strings.IndexByte(n.Name, '@') <= 0 || machineClass(n.Class) || n.Class == "certificate" {
		return ""
	}
	return n.baseName()
}

// intern numbers an item, also one that is gone.
func (g *graph) intern(id string) int32 {
	i, ok := g.index[id]
	if !ok {
		i = int32(len(g.ids))
		g.index[id] = i
		g.ids = append(g.ids, id)
	}
	return i
}

func (g *graph) unindexNode(n *node) {
	for _, a := range n.Aliases {
		remove(g.alias, a, n.ID, strings.Compare)
	}
	for _, a := range n.shortNames() {
		remove(g.short, a, n.ID, strings.Compare)
	}
	if b := n.shared(); b != "" {
		remove(g.base, b, n.ID, strings.Compare)
	}
	if engineClass(n.Class) {
		remove(g.byClass, n.Class, n.ID, strings.Compare)
	}
	delete(g.hosts, n.ID)
	g.classCount[n.Class]--
	if n.Cluster != "" {
		g.clusterSize[n.Cluster]--
		if n.Class == "service" {
			g.clusterApps[n.Cluster]--
		}
		remove(g.platforms, n.Cluster, n.ID, strings.Compare)
	}
	switch n.Class {
	case "cluster":
		delete(g.clusters, n.Cluster)
	case "namespace":
		delete(g.namespaces, n.Cluster+"/"+n.Namespace)
	}
}

// serves says whether a whole cluster needs the item without a relation that says so.
func (n *node) serves() bool {
	return n.Class == "workload" && n.Kind != "daemonset" && slices.Contains(platform, n.Namespace) || n.Class == "database" && n.Engine == "etcd"
}

func (g *graph) indexEdge(e edge) {
	g.needs[e.From] = insert(g.needs[e.From], e, compareEdges)
	g.needed[e.To] = insert(g.needed[e.To], e, compareEdges)
}

func compareEdges(a, b edge) int { return strings.Compare(a.key(), b.key()) }

// insert puts v into a sorted slice once.
func insert[T any](s []T, v T, cmp func(a, b T) int) []T {
	i, found := slices.BinarySearchFunc(s, v, cmp)
	if found {
		return s
	}
	return slices.Insert(s, i, v)
}

func remove[T any](m map[string][]T, key string, v T, cmp func(a, b T) int) {
	s := m[key]
	if i, found := slices.BinarySearchFunc(s, v, cmp); found {
		if s = slices.Delete(s, i, i+1); len(s) == 0 {
			delete(m, key)
		} else {
			m[key] = s
		}
	}
}

// ci takes an item's fact, told at a time: since then it is known, where the fact does
// not say since when.
func (g *graph) ci(c *event.CI, at time.Time) {
	id := c.Key()
	since := at.UTC().Format(event.TimeFormat)
	if old := g.nodes.Get(id); old != nil && old.Since != "" {
		since = old.Since
	}
	if old := g.nodes.Get(id); old != nil {
		g.unindexNode(old)
	}
	g.moved()
	if c.Removed {
		g.nodes.Delete(id)
		for _, e := range slices.Concat(g.needs[id], g.needed[id]) {
			g.unlink(e)
		}
		return
	}
	n := nodeFrom(id, c)
	n.Since = cmp.Or(n.Since, since)
	g.nodes.Put(id, n)
	g.indexNode(n)
}

func (g *graph) relation(r *event.Relation) {
	e := edge{From: r.From.Key(), Type: r.Type, To: r.To.Key()}
	if r.Removed {
		g.unlink(e)
		return
	}
	if g.edges.Get(e.key()) != nil {
		return
	}
	g.edges.Put(e.key(), &e)
	g.indexEdge(e)
	g.moved()
}

func (g *graph) unlink(e edge) {
	g.moved()
	g.edges.Delete(e.key())
	remove(g.needs, e.From, e, compareEdges)
	remove(g.needed, e.To, e, compareEdges)
}

// nodeFrom reads an item's fact. It reads the attributes of event.ItemAttributes.
func nodeFrom(id string, c *event.CI) *node {
	n := &node{ID: id, Class: c.Class, Name: c.Name, Labels: c.Labels}
	text := func(k string) string { return textOf(c.Attributes[k]) }
	n.Cluster, n.Namespace, n.Criticality = text("cluster"), text("namespace"), text("criticality")
	n.Engine, n.Product, n.Kind = strings.ToLower(text("engine")), strings.ToLower(text("product")), strings.ToLower(text("kind"))
	if n.Engine == "" && engineClass(n.Class) {
		n.Engine = n.Product // as agents tell it
	}
	if n.Class == "cluster" && n.Cluster == "" {
		n.Cluster = n.Name
	}
	if n.Class == "database" && n.Engine == "" && strings.HasPrefix(n.Name, "etcd") {
		n.Engine = "etcd"
	}
	n.Since = text("first_seen")
	add := func(s string) {
		if s = canonicalName(s); s != "" {
			n.Aliases = insert(n.Aliases, s, strings.Compare)
		}
	}
	add(c.Name)
	if i := strings.LastIndexByte(c.Name, '/'); i >= 0 {
		add(c.Name[i+1:])
	}
	for _, k := range []string{"hostname", "fqdn", "node", "cloud_instance"} {
		add(text(k))
	}
	if u := text("url"); u != "" {
		for _, f := range urlForms(u) {
			add(f)
		}
	}
	for _, k := range []string{"aliases", "addresses", "pod_ip"} {
		for _, a := range listOf(c.Attributes[k]) {
			add(a)
			if k != "aliases" && !slices.Contains(n.Addresses, a) {
				n.Addresses = append(n.Addresses, a)
			}
		}
	}
	if v := text("vm_id"); v != "" {
		add("vm:" + v)
	}
	if app := c.Labels["app"]; app != "" {
		add(app)
	}
	for _, p := range listOf(c.Attributes["ports"]) {
		if i, err := strconv.Atoi(p); err == nil {
			n.Ports = append(n.Ports, i)
		}
	}
	return n
}

// textOf writes one attribute value as text.
func textOf(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

// listOf is an attribute's elements as text. What kind of list it is made no difference
// to its writer and makes none here; a single value is a list of one.
func listOf(v any) []string {
	if v == nil {
		return nil
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		return []string{textOf(v)}
	}
	out := make([]string, list.Len())
	for i := range out {
		out[i] = textOf(list.Index(i).Interface())
	}
	return out
}

// tight says whether an edge type carries failures: a site or a cluster contains
// too much for membership to say anything about a cause.
func tight(e edge, g *graph) bool {
	switch e.Type {
	case "located_in", "watches":
		return false
	case "member_of":
		n := g.nodes.Get(e.To)
		return n == nil || (n.Class != "cluster" && n.Class != "namespace")
	}
	return true
}

// name is how a person reads an item.
func (g *graph) name(id string) string {
	if n := g.nodes.Get(id); n != nil {
		return n.Name
	}
	return id
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// size of the estate, for shares.
func (g *graph) size() int { return max(60, g.nodes.Len()) }
