package agent

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// Collector asks the probes and keeps what a round can reuse from the one
// before. Not safe for concurrent use.
type Collector struct {
	tree     probe.Tree
	off      map[string]bool
	options  CollectorOptions
	procs    *probe.Processes
	network  *probe.Network
	edges    *edgeTable
	packages *packageStore

	presented probe.ListenerCertificates
	whole     *report.Report // of the last full round
	udp       map[udpPlace]bool
	last      []*probe.Proc // the newest process list
	brief     *probe.Brief  // nil where a single look is taken
	forwards  map[probe.Forward]time.Time
}

// CollectorOptions say what is looked at.
type CollectorOptions struct {
	// Off names sections that are not looked at; they stay empty and say so.
	Off []string
	// Capabilities are what the agent holds: a problem must not ask for them.
	Capabilities []string
	// Languages looks for language packages too, which means a walk over the disks.
	Languages bool
	// ListenerCertificates makes a TLS handshake with the host's own TLS ports.
	ListenerCertificates bool
	// Lasting leaves out what is gone in a moment (young processes, clients'
	// UDP sockets), which a loop would report as a change each round.
	Lasting bool
	// StateDir keeps what the slow walk found; "" keeps it in memory only.
	StateDir string
	// Patience is how the slow walk spares the machine; used with Lasting.
	Patience probe.Patience
	// Own are the agent's own endpoints: what goes there is no edge of the host.
	Own Endpoints
}

// youngest is the age at which a process counts as lasting.
const youngest = time.Minute

type udpPlace struct {
	address, namespace string
	port               int
}

// NewCollector returns a collector over a tree.
func NewCollector(tree probe.Tree, options CollectorOptions) *Collector {
	off := make(map[string]bool)
	for _, name := range options.Off {
		off[name] = true
	}
	c := &Collector{
		tree: tree, off: off, options: options, procs: probe.NewProcesses(tree), network: probe.NewNetwork(tree),
		edges: newEdgeTable(edgeWindow), packages: newPackageStore(tree, options), forwards: make(map[probe.Forward]time.Time),
	}
	c.edges.mine = options.Own
	c.edges.mine.Resolvers = tree.Resolvers()
	if options.Lasting && tree.Live() && !off[report.SectionConnections] {
		c.brief = probe.NewBrief(tree)
	}
	return c
}

// Watch sees the connections that open and close between two samples, until the
// context ends.
func (c *Collector) Watch(ctx context.Context) {
	if c.brief != nil {
		c.brief.Run(ctx)
	}
}

// between is what was seen since the last sample.
func (c *Collector) between() ([]probe.OwnedEdge, []report.Problem) {
	if c.brief == nil {
		return nil, nil
	}
	return c.brief.Take()
}

// Close ends the slow walk if one is under way, and waits for it.
func (c *Collector) Close() { c.packages.close() }

// Sample looks at the sockets, so that connections that come and go between
// two reports are seen.
func (c *Collector) Sample(ctx context.Context, now time.Time) {
	if c.off[report.SectionConnections] || ctx.Err() != nil {
		return
	}
	if c.last == nil {
		c.last, _ = c.procs.Refresh() // an error is told by the next report
	}
	sample := c.network.Sample(c.last, func() []*probe.Proc {
		if procs, err := c.procs.Refresh(); err == nil {
			c.last = procs
		}
		return c.last
	})
	edges, _ := c.between() // what is missed is told by the report
	c.edges.add(append(sample.Edges, edges...), now)
}

// Collect looks at everything that moves, and in a full round at everything.
func (c *Collector) Collect(ctx context.Context, now time.Time, full bool) report.Report {
	full = full || c.whole == nil
	var r report.Report
	if !full {
		r = *c.whole
	}
	found := make(map[string][]report.Problem)
	for name, list := range r.Problems {
		found[name] = list
	}
	// look runs one probe unless its section is off or keeps from the last
	// full round.
	look := func(section string, probe func() []report.Problem) {
		if c.off[section] {
			found[section] = []report.Problem{{Reason: "switched off in the agent's configuration"}}
			return
		}
		if list := probe(); len(list) > 0 {
			found[section] = c.mendable(list)
		} else {
			delete(found, section)
		}
	}
	procs, err := c.procs.Refresh()
	if err == nil {
		c.last = procs
	}
	name, _ := os.Hostname()
	if full || c.tree.Live() && name != r.Host.Hostname {
		look(report.SectionHost, func() (p []report.Problem) { r.Host, p = probe.Identity(ctx, c.tree); return p })
	}
	if full {
		look(report.SectionOS, func() (p []report.Problem) { r.OS, p = probe.System(c.tree); return p })
		look(report.SectionHardware, func() (p []report.Problem) { r.Hardware, p = probe.Hardware(ctx, c.tree); return p })
		look(report.SectionDisks, func() (p []report.Problem) { r.Disks, p = probe.Disks(c.tree); return p })
		look(report.SectionModules, func() (p []report.Problem) { r.Modules, p = probe.Modules(c.tree); return p })
		look(report.SectionCron, func() (p []report.Problem) { r.Cron, p = probe.Cron(c.tree); return p })
	}
	look(report.SectionInterfaces, func() (p []report.Problem) { r.Interfaces, p = probe.Interfaces(c.tree); return p })
	look(report.SectionRoutes, func() (p []report.Problem) { r.Routes, p = probe.Routes(c.tree); return p })
	look(report.SectionFilesystems, func() (p []report.Problem) { r.Filesystems, p = probe.Filesystems(ctx, c.tree); return p })
	look(report.SectionUsers, func() (p []report.Problem) { r.Users, p = probe.Users(c.tree); return p })
	look(report.SectionServices, func() (p []report.Problem) { r.Services, p = probe.Services(ctx, c.tree); return p })
	look(report.SectionPackages, func() (p []report.Problem) {
		r.Packages, p = c.packages.collect(ctx, now, probe.Distro{ID: r.OS.ID, Version: r.OS.Version, Codename: r.OS.Codename}, full, c.last)
		return p
	})
	c.running(now, &r, look, err)
	if full {
		look(report.SectionCertificates, func() (p []report.Problem) {
			r.Certificates, p = probe.CertificateFiles(c.tree)
			if c.options.ListenerCertificates && c.tree.Live() {
				r.Certificates = append(r.Certificates, c.presented.Collect(ctx, r.Listeners)...)
			}
			return p
		})
	}
	r.Problems = found
	fill(&r)
	kept := r
	c.whole = &kept
	return r
}

// mendable takes privileges that the agent holds out of problems: what is
// refused all the same is refused to everybody (a process that holds more than
// the agent does, say).
func (c *Collector) mendable(list []report.Problem) []report.Problem {
	out := make([]report.Problem, len(list))
	for i, p := range list {
		held := p.Privilege != ""
		for _, name := range strings.Split(p.Privilege, " and ") {
			held = held && slices.Contains(c.options.Capabilities, name)
		}
		if held {
			p.Reason += " (though the agent holds " + p.Privilege + ")"
			p.Privilege = ""
		}
		out[i] = p
	}
	return out
}

// running looks at processes and what they hold open.
func (c *Collector) running(now time.Time, r *report.Report, look func(string, func() []report.Problem), err error) {
	procs := c.last
	plain := look
	if hidden := c.procs.Hidden(); hidden != "" && err == nil {
		// What a process holds is hidden with it.
		look = func(section string, probe func() []report.Problem) {
			plain(section, func() []report.Problem {
				return append(probe(), report.Problem{Reason: section + ": " + hidden, Privilege: "CAP_SYS_PTRACE"})
			})
		}
	}
	if err != nil {
		broken := []report.Problem{{Reason: "processes: " + err.Error()}}
		for _, section := range []string{report.SectionProcesses, report.SectionListeners, report.SectionConnections, report.SectionContainers} {
			look(section, func() []report.Problem { return broken })
		}
		return
	}
	installed := probe.InstalledVersions(r.Packages)
	look(report.SectionProcesses, func() []report.Problem {
		users := probe.UserNames(c.tree)
		r.Processes = probe.FoldProcesses(c.lasting(procs, r.Host.BootTime, now), r.Host.BootTime, users)
		for i := range r.Processes {
			p := &r.Processes[i]
			p.Version = probe.ProductVersion(p.Product, p.Version, installed)
		}
		if c.procs.Denied() > 0 {
			return []report.Problem{{Reason: "executables: other users' processes do not show theirs", Privilege: "CAP_SYS_PTRACE"}}
		}
		return nil
	})
	look(report.SectionContainers, func() (p []report.Problem) {
		r.Containers, p = probe.Containers(c.tree, procs, r.Host.BootTime)
		return p
	})
	if c.off[report.SectionListeners] && c.off[report.SectionConnections] {
		plain(report.SectionListeners, nil)
		plain(report.SectionConnections, nil)
		return
	}
	sample := c.network.Sample(procs, nil)
	edges, missed := c.between()
	c.edges.add(append(sample.Edges, edges...), now)
	c.edges.cards = c.cards()
	look(report.SectionListeners, func() []report.Problem {
		passed, problems := c.passedOn(now, r.Interfaces)
		r.Listeners = append(c.steadyListeners(sample.Listeners), passed...)
		sample.ListenerProblems = append(sample.ListenerProblems, problems...)
		for i := range r.Listeners {
			l := &r.Listeners[i]
			l.Version = probe.ProductVersion(l.Product, l.Version, installed)
		}
		return sample.ListenerProblems
	})
	look(report.SectionConnections, func() []report.Problem {
		connections, problems := c.edges.connections(now)
		r.Connections = connections
		return append(append(problems, sample.EdgeProblems...), missed...)
	})
}

// cards are the neighbours' on the same links; what could be told before is kept, as
// the kernel forgets whom nobody talks to for a minute.
func (c *Collector) cards() map[netip.Addr]string {
	now, err := probe.Neighbours(c.tree)
	if err != nil || c.edges.cards == nil || len(c.edges.cards) > maxEdges {
		return now
	}
	for a, mac := range now {
		c.edges.cards[a] = mac
	}
	return c.edges.cards
}

// passedOn lists the ports of the host that the kernel passes on to other machines. A
// translation shows only while it is used, so it is kept as long as an edge.
func (c *Collector) passedOn(now time.Time, ifs []report.Interface) ([]report.Listener, []report.Problem) {
	if !c.tree.Live() {
		return nil, nil
	}
	var own []netip.Addr
	for _, i := range ifs {
		for _, a := range i.Addresses {
			if p, err := netip.ParsePrefix(a); err == nil {
				own = append(own, p.Addr())
			}
		}
	}
	seen, problems := probe.Forwards(c.tree, own)
	for _, f := range seen {
		c.forwards[f] = now
	}
	var out []report.Listener
	for f, at := range c.forwards {
		if now.Sub(at) > edgeWindow {
			delete(c.forwards, f)
			continue
		}
		protocol := f.Protocol
		if f.At.Addr().Is6() {
			protocol += "6"
		}
		out = append(out, report.Listener{Protocol: protocol, Address: f.At.Addr().String(), Port: int(f.At.Port()), Forward: f.To.String()})
	}
	slices.SortFunc(out, func(a, b report.Listener) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Forward, b.Forward))
	})
	return out, problems
}

// lasting leaves out the processes that a loop should not report.
func (c *Collector) lasting(procs []*probe.Proc, boot, now time.Time) []*probe.Proc {
	if !c.options.Lasting {
		return procs
	}
	out := make([]*probe.Proc, 0, len(procs))
	for _, p := range procs {
		if now.Sub(p.StartedAt(boot)) >= youngest {
			out = append(out, p)
		}
	}
	return out
}

// steadyListeners leaves out, in a loop, the UDP sockets on ephemeral ports
// that were not there in the round before: they are clients waiting for one
// answer, and each would be a listener come and gone.
func (c *Collector) steadyListeners(listeners []report.Listener) []report.Listener {
	if !c.options.Lasting {
		return listeners
	}
	low, high := c.tree.PortRange()
	seen := make(map[udpPlace]bool)
	out := make([]report.Listener, 0, len(listeners))
	for _, l := range listeners {
		if strings.HasPrefix(l.Protocol, "udp") && l.Port >= int(low) && l.Port <= int(high) {
			place := udpPlace{l.Address, l.Namespace, l.Port}
			seen[place] = true
			if !c.udp[place] {
				continue
			}
		}
		out = append(out, l)
	}
	c.udp = seen
	return out
}

// fill makes empty lists out of absent ones: a section is always there, and
// "none" must not read as "unknown".
func fill(r *report.Report) {
	orEmpty(&r.Interfaces)
	orEmpty(&r.Routes)
	orEmpty(&r.Disks)
	orEmpty(&r.Filesystems)
	orEmpty(&r.Packages)
	orEmpty(&r.Services)
	orEmpty(&r.Processes)
	orEmpty(&r.Listeners)
	orEmpty(&r.Connections)
	orEmpty(&r.Containers)
	orEmpty(&r.Users)
	orEmpty(&r.Certificates)
	orEmpty(&r.Modules)
	orEmpty(&r.Cron)
	for i := range r.Interfaces {
		orEmpty(&r.Interfaces[i].Addresses)
	}
}

func orEmpty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
