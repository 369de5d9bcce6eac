package inventory

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// hostDoc is what is kept of a reporting machine beside its item.
type hostDoc struct {
	CI       string             `json:"ci"`
	Ident    cmdb.Identifiers   `json:"identifiers"`
	AgentID  string             `json:"agent_id"`
	Run      string             `json:"run"`       // the boot (for a container also the agent's start) that reports now
	RunSince time.Time          `json:"run_since"` // earliest report of it, by the agent's clock
	Sequence uint64             `json:"sequence"`
	Earlier  []string           `json:"earlier,omitempty"` // runs before, newest last
	Forked   []string           `json:"forked,omitempty"`  // runs that turned out to be clones
	Sections [sectionCount]mark `json:"sections"`
	Packages int                `json:"packages"`
	// Local are the networks of the machine's own containers, Forwards the ports that
	// it passes on to other machines.
	Local    []string  `json:"local,omitempty"`
	Forwards []forward `json:"forwards,omitempty"`
	// Former are the ids of agents that reported for this item before, newest last.
	Former []string `json:"former,omitempty"`
	// Shared are the keys of its identity that stood on another live machine too:
	// they have stopped identifying for as long as they stand on two items.
	Shared []string `json:"shared,omitempty"`
	// Contest is the task about this machine's identity, "" for none.
	Contest string `json:"contest,omitempty"`
	// Unfinished says that a part of its items and edges is left to be written.
	Unfinished bool `json:"unfinished,omitempty"`
	// Booted is when a new run was heard first, zero once that is told as a reboot:
	// it is one unless the run before is heard again.
	Booted time.Time `json:"booted,omitzero"`
	// Site is the mesh that its agent is a member of. Lost is what the mesh knows of
	// a host that is not fine, since LostAt.
	Site string `json:"site,omitempty"`
	// SiteKey is the site's key that its agent proved to hold, "" for none.
	SiteKey string          `json:"site_key,omitempty"`
	Lost    cluster.Verdict `json:"lost,omitempty"`
	LostAt  time.Time       `json:"lost_at,omitzero"`
}

// forward is a port that a machine passes on: DNAT, a load balancer in its kernel.
type forward struct {
	Port uint16 `json:"port"`
	To   string `json:"to"` // ADDRESS:PORT
}

// mark is what is stored of a section.
type mark struct {
	Hash     uint64           `json:"h,omitempty"` // of the agent's hash text; 0: never had
	Sequence uint64           `json:"q,omitempty"`
	At       time.Time        `json:"at,omitzero"`
	Problems []report.Problem `json:"p,omitempty"`
	Rejected string           `json:"r,omitempty"`
}

// hostState is the resident part.
type hostState struct {
	run    string
	booted time.Time
	proved string   // key of the site that it is a member of
	shared []string // keys
	// confirmed is the newest report that said nothing new; it is not stored.
	confirmed uint64
	hashes    [sectionCount]uint64
	conns     []conn
	asserted  []edge
	talks     bool // has reported connections
	packages  uint32
	local     []netip.Prefix
	forwards  []forward
}

func prefixesOf(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func (d *hostDoc) state(old *hostState) *hostState {
	h := &hostState{
		run: strings.Clone(d.Run), packages: uint32(d.Packages), booted: d.Booted, shared: d.Shared, proved: strings.Clone(d.SiteKey),
		local: prefixesOf(d.Local), forwards: d.Forwards,
	}
	if old != nil {
		h.conns, h.asserted, h.talks = old.conns, old.asserted, old.talks
		if d.Sequence > 0 { // 0: a new agent, which counts anew
			h.confirmed = old.confirmed
		}
	}
	for i := range d.Sections {
		h.hashes[i] = d.Sections[i].Hash
	}
	return h
}

// runOf tells one run of a machine from another: its boot, and in a container,
// which shares its host's boot, the start of the agent.
func runOf(a report.Agent, container bool) string {
	if container {
		return a.BootID + "/" + a.StartedAt.UTC().Format(time.RFC3339Nano)
	}
	return a.BootID
}

// putHost stores a machine's doc with its identity keys.
func (b *batch) putHost(old, doc *hostDoc) {
	inv := b.inv
	doc.Shared = b.learn(doc)
	set(b, b.hosts, doc.CI, doc)
	o := inv.mem.byID[doc.CI]
	var before []string
	if old != nil {
		before = old.Ident.Keys()
	}
	after := doc.Ident.Keys()
	inv.mu.Lock()
	was := inv.mem.entries[o].host
	inv.mem.entries[o].host = doc.state(was)
	at, unfinished := inv.left[doc.CI]
	inv.leave(doc.CI, doc.Unfinished, 0)
	inv.mem.dropKeys(o, before)
	inv.mem.addKeys(o, after)
	inv.mu.Unlock()
	b.later(func() {
		inv.leave(doc.CI, unfinished, at)
		inv.mem.entries[o].host = was
		inv.mem.dropKeys(o, after)
		inv.mem.addKeys(o, before)
	})
}

// leave notes whether a part of a machine is left to be written. The lock is held.
func (inv *Inventory) leave(ci string, left bool, at int) {
	if left {
		inv.left[ci] = at
	} else {
		delete(inv.left, ci)
	}
}

// keysOf are an item's identity keys as they stand in the index.
func (b *batch) identity(c *cmdb.CI) (cmdb.Identifiers, error) {
	if e := b.inv.mem.at(c.ID); e != nil && e.host != nil {
		d, err := read(b, b.hosts, b.inv.cols.host, c.ID)
		if err != nil || d == nil {
			return cmdb.Identifiers{}, err
		}
		return d.Ident, nil
	}
	return cmdb.IdentifiersFrom(c.Name, c.Attributes), nil
}

// perKey bounds how many machines one value brings in as candidates: what stands
// on more is no identifier.
const perKey = 32

// candidates are the known machines that share a key with an observation.
// credential is the item whose credential came with it, "" for none. row says that
// it is no report but a line that people or an import wrote.
func (b *batch) candidates(in cmdb.Identifiers, credential string, row bool) ([]cmdb.Candidate, error) {
	set := map[uint32]bool{}
	for _, k := range in.Keys() {
		if p := b.inv.mem.keys[k]; p != nil {
			p.each(perKey, func(o uint32) { set[o] = true })
		}
	}
	if o, ok := b.inv.mem.byID[credential]; ok {
		set[o] = true
	}
	var out []cmdb.Candidate
	for o := range set {
		c, err := b.ci(b.inv.mem.entries[o].id)
		if err != nil {
			return nil, err
		}
		if c == nil || c.MergedInto != "" {
			continue
		}
		id, err := b.identity(c)
		if err != nil {
			return nil, err
		}
		out = append(out, cmdb.Candidate{
			CI: c.ID, Identifiers: id, Credential: c.ID == credential,
			Live: b.inv.reports(o, b.now), Recorded: !row == (b.inv.mem.entries[o].host == nil),
		})
	}
	slices.SortFunc(out, func(a, b cmdb.Candidate) int { return cmp.Compare(a.CI, b.CI) })
	return out, nil
}

// shared says that a key stands on two or more machines that report, or did when
// it was learned: it has stopped identifying.
func (b *batch) shared(key string) bool {
	p := b.inv.mem.keys[key]
	if p == nil || p.len() < 2 {
		return false
	}
	n, learned := 0, false
	p.each(64, func(o uint32) {
		e := &b.inv.mem.entries[o]
		if e.host == nil {
			return
		}
		learned = learned || slices.Contains(e.host.shared, key)
		if e.live == seen {
			n++
		}
	})
	return learned || n >= 2
}

// Enrolled is the outcome of an enrolment.
type Enrolled struct {
	CI cmdb.CI
	// Reimaged: the machine was known under another installation. Credentials
	// that were given out for it before must be revoked.
	Reimaged bool
	// Created: the machine was not known.
	Created bool
	// Contested are the items under whose identity it came while their own agents
	// report: it got an item of its own, and they keep their credentials.
	Contested []string
	Verdict   cmdb.Verdict
}

// Proof is what speaks for an agent that enrols, beside what it says itself.
type Proof struct {
	// Previous is the item that its earlier credential was bound to; empty if it
	// showed none, or one that is not good any more.
	Previous string
	// Held says whether a credential that is good is bound to an item: without one
	// there is nobody to be locked out. nil: each reporting item has one.
	Held func(ctx context.Context, ci string) (bool, error)
}

// Enroll is Join for an agent whose earlier credential was bound to previous.
func (inv *Inventory) Enroll(ctx context.Context, req report.EnrollRequest, previous string) (Enrolled, error) {
	return inv.Join(ctx, req, Proof{Previous: previous})
}

// Join finds or makes the item of an agent's machine. Who comes under the identity
// of a machine that another agent reports for at the same time, without the proof
// that it is that agent, gets an item of its own and a task is opened. Identifiers
// that mean two machines are fault.Conflict, with a task for a person.
func (inv *Inventory) Join(ctx context.Context, req report.EnrollRequest, proof Proof) (Enrolled, error) {
	var out Enrolled
	var refused error
	if strings.TrimSpace(req.Agent.ID) == "" {
		return out, fault.Invalidf("agent.id", "missing: the agent makes one at its first start and keeps it")
	}
	if strings.TrimSpace(req.Host.Hostname) == "" && req.Host.MachineID == "" {
		return out, fault.Invalidf("host.hostname", "missing, and there is no machine_id either: nothing says which machine this is")
	}
	err := inv.do(ctx, func(b *batch) error {
		out, refused = Enrolled{}, nil
		in := cmdb.IdentifiersOf(req.Agent, req.Host, nil, nil, req.MACs)
		known, err := b.candidates(in, inv.resolve(proof.Previous), false)
		if err != nil {
			return err
		}
		run := runOf(req.Agent, req.Host.Container)
		known, copied, err := b.weigh(ctx, known, req.Agent.ID, run, proof.Held)
		if err != nil {
			return err
		}
		v := cmdb.Identify(in, known, b.shared)
		out.Verdict = v
		switch v.Outcome {
		case cmdb.Conflict:
			refused = fault.Conflictf("the machine's identifiers belong to %d known items: decide in the inventory's tasks which it is", len(v.Findings))
			return b.conflict(v, in)
		case cmdb.New:
			c := b.newHost(in, req.Host)
			out.CI, out.Created = *c, true
			if err := b.hostFrom(c, nil, in, req.Agent, run); err != nil {
				return err
			}
			for _, f := range v.Contested {
				out.Contested = append(out.Contested, f.CI)
			}
			if err := b.contest(c.ID, nil, v, in); err != nil {
				return err
			}
			if err := b.copied(c, copied, run, in); err != nil {
				return err
			}
			return b.propose(c.ID, v, in)
		}
		old, err := b.ci(v.CI)
		if err != nil {
			return err
		}
		c := old.Clone()
		b.sayHost(c, hostAttributes(req.Host), b.now)
		b.rename(c, old, req.Host)
		b.alive(c)
		b.putCI(old, c, cmdb.SourceAgent)
		doc, err := read(b, b.hosts, inv.cols.host, c.ID)
		if err != nil {
			return err
		}
		out.CI, out.Reimaged = *c, v.Reimaged
		if v.Reimaged {
			b.tellReimaged(c)
		}
		if err := b.hostFrom(c, doc, in, req.Agent, run); err != nil {
			return err
		}
		return b.propose(c.ID, v, in)
	})
	if err == nil {
		err = refused
	}
	return out, err
}

func (b *batch) tellReimaged(c *cmdb.CI) {
	b.tell(&event.Change{CI: c.Ref(), Type: "reimaged", Summary: "another operating system was installed on " + c.Name})
}

func (b *batch) conflict(v cmdb.Verdict, in cmdb.Identifiers) error {
	var ids []string
	for _, f := range v.Findings {
		ids = append(ids, f.CI)
	}
	slices.Sort(ids)
	return b.ask("conflict-"+strings.Join(ids, "-"), Task{
		Kind: TaskConflict, Others: ids, Verdict: &v, Seen: in,
		Summary: fmt.Sprintf("%s carries identifiers of %d items", cmp.Or(in.FQDN, in.Hostname, in.AgentID), len(ids)),
	})
}

// propose opens a task for each item that may be the same machine.
func (b *batch) propose(ci string, v cmdb.Verdict, in cmdb.Identifiers) error {
	for _, f := range v.Proposals {
		if f.CI == ci || !b.worthAsking(ci, f) {
			continue
		}
		if err := b.proposal(ci, f, in, strings.Join(f.Same, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// worthAsking says whether what a machine has in common with an item is worth a
// person's time. An address moves between machines every day, and a disk that two
// live machines show is no disk that moved: hypervisors and shared storage number
// theirs. A row that people wrote down may have nothing but its address.
func (b *batch) worthAsking(ci string, f cmdb.Finding) bool {
	o, ok := b.inv.mem.byID[f.CI]
	if !ok {
		return false
	}
	if len(f.Same) == 1 && strings.HasPrefix(f.Same[0], "name ") && slices.ContainsFunc(f.Differs, func(s string) bool { return strings.HasPrefix(s, "fqdn ") }) {
		return false // namesakes of two domains
	}
	if self := b.inv.mem.at(ci); b.inv.mem.entries[o].host == nil || self != nil && self.host == nil {
		return true
	}
	live := b.inv.reports(o, b.now)
	return slices.ContainsFunc(f.Same, func(s string) bool { // and of a machine more than that
		return !strings.HasPrefix(s, "address ") && (!live || !strings.HasPrefix(s, "disk "))
	})
}

// proposal asks whether two items are one.
func (b *batch) proposal(ci string, f cmdb.Finding, in cmdb.Identifiers, why string) error {
	ids := []string{ci, f.CI}
	slices.Sort(ids)
	return b.ask("proposal-"+strings.Join(ids, "-"), Task{
		Kind: TaskProposal, CI: ci, Others: []string{f.CI}, Seen: in, Verdict: &cmdb.Verdict{Outcome: cmdb.New, Proposals: []cmdb.Finding{f}},
		Summary: fmt.Sprintf("%s and %s may be one machine: %s", b.inv.mem.at(ci).name, b.inv.mem.at(f.CI).name, why),
	})
}

func (b *batch) newHost(in cmdb.Identifiers, h report.Host) *cmdb.CI {
	c := &cmdb.CI{
		ID: b.inv.newID(), Class: "host", Name: hostName(h), Source: cmdb.SourceAgent,
		Attributes: cmdb.Attributes{"lifecycle": "deployed"}, FirstSeen: b.now, LastSeen: b.now, Liveness: cmdb.Seen,
	}
	if c.Name == "" {
		c.Name = "host-" + c.ID
	}
	b.sayHost(c, hostAttributes(h), b.now)
	b.putCI(nil, c, cmdb.SourceAgent)
	return c
}

func hostName(h report.Host) string {
	name, _, _ := strings.Cut(strings.TrimSpace(h.Hostname), ".")
	return strings.ToValidUTF8(name, "")
}

// rename follows the machine's own name, and keeps the old one as an alias. A
// name that people recorded stays.
func (b *batch) rename(c, old *cmdb.CI, h report.Host) {
	name := hostName(h)
	if name == "" || name == c.Name {
		return
	}
	if c.Source != cmdb.SourceAgent {
		c.AddAlias(name)
		return
	}
	c.Name = name
	c.Aliases = slices.DeleteFunc(c.Aliases, func(a string) bool { return a == name })
	c.AddAlias(old.Name)
	if f := old.Attributes.Text("fqdn"); f != "" && f != c.Attributes.Text("fqdn") {
		c.AddAlias(f)
	}
}

// sayHost lets the agent speak about its machine.
func (b *batch) sayHost(c *cmdb.CI, values map[string]any, at time.Time) {
	b.inv.rules.Load().Authority.Say(c, cmdb.SourceAgent, values, at, b.inv.heard(c), b.now)
}

// heard tells when a source last spoke of an item.
func (inv *Inventory) heard(c *cmdb.CI) func(string) time.Time {
	return func(source string) time.Time {
		if source == cmdb.SourceAgent {
			return c.LastSeen
		}
		return c.Heard[source]
	}
}

func (b *batch) alive(c *cmdb.CI) {
	c.Liveness, c.LastSeen = cmdb.Seen, b.now
}

// hostFrom stores the machine's doc after an enrolment. A new agent begins to
// count its reports anew.
func (b *batch) hostFrom(c *cmdb.CI, old *hostDoc, in cmdb.Identifiers, a report.Agent, run string) error {
	if old == nil {
		was := cmdb.IdentifiersFrom(c.Name, c.Attributes)
		o := b.inv.mem.byID[c.ID]
		b.inv.mu.Lock()
		b.inv.mem.dropKeys(o, was.Keys()) // what an import said is now said by the machine
		b.inv.mu.Unlock()
		b.later(func() { b.inv.mem.addKeys(o, was.Keys()) })
		b.putHost(nil, &hostDoc{CI: c.ID, Ident: mergeIdentifiers(was, in), AgentID: a.ID, Run: run})
		return nil
	}
	d := *old
	d.Ident = mergeIdentifiers(old.Ident, in)
	if d.AgentID != a.ID {
		d.Former = remembered(append(slices.DeleteFunc(slices.Clone(d.Former), func(x string) bool { return x == a.ID }), d.AgentID))
		d.AgentID, d.Sequence = a.ID, 0
		for i := range d.Sections {
			d.Sections[i].Sequence, d.Sections[i].Hash = 0, 0
		}
	}
	if d.Run != run {
		d.Earlier = remembered(append(slices.Clone(d.Earlier), d.Run))
		d.Run, d.RunSince = run, time.Time{}
	}
	b.putHost(old, &d)
	return nil
}

// remembered bounds the list of earlier runs.
func remembered(runs []string) []string {
	runs = slices.DeleteFunc(runs, func(r string) bool { return r == "" })
	if len(runs) > 16 {
		runs = runs[len(runs)-16:]
	}
	return runs
}

// mergeIdentifiers takes the new ones and keeps the old where the new observation
// is silent: an agent without privileges reads no serial.
func mergeIdentifiers(old, in cmdb.Identifiers) cmdb.Identifiers {
	out := in
	out.Cloud = cmp.Or(in.Cloud, old.Cloud)
	out.ContainerID = cmp.Or(in.ContainerID, old.ContainerID)
	out.AgentID = cmp.Or(in.AgentID, old.AgentID)
	out.ProductUUID = cmp.Or(in.ProductUUID, old.ProductUUID)
	out.Vendor = cmp.Or(in.Vendor, old.Vendor)
	out.Serial = cmp.Or(in.Serial, old.Serial)
	out.AssetTag = cmp.Or(in.AssetTag, old.AssetTag)
	out.MachineID = cmp.Or(in.MachineID, old.MachineID)
	out.FQDN = cmp.Or(in.FQDN, old.FQDN)
	out.Hostname = cmp.Or(in.Hostname, old.Hostname)
	for _, p := range []struct{ to, from *[]string }{{&out.MACs, &old.MACs}, {&out.Disks, &old.Disks}, {&out.Addresses, &old.Addresses}} {
		if len(*p.to) == 0 {
			*p.to = *p.from
		}
	}
	return out
}
