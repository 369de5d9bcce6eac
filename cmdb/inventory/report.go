package inventory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// Report takes one envelope that came with the credential of machine ci. A
// section that is wrong is refused with its reason, and alone. An envelope in
// which nothing changed is answered from memory.
func (inv *Inventory) Report(ctx context.Context, ci string, env report.Envelope) (report.Reply, error) {
	id := inv.resolve(ci)
	if id == "" {
		return report.Reply{}, fault.NotFoundf("the machine %q of this credential is not in the inventory any more: enrol again", ci)
	}
	if env.Agent.ID == "" || env.Agent.BootID == "" {
		return report.Reply{}, fault.Invalidf("agent", "id and boot_id must be given")
	}
	if len(env.Changes) > maxChanges {
		return report.Reply{}, fault.Invalidf("changes", "more than %d in one report", maxChanges)
	}
	if len(env.Sections) > maxSections {
		return report.Reply{}, fault.Invalidf("sections", "more than %d in one report", maxSections)
	}
	if why := shortFields("agent", reflect.ValueOf(env.Agent)); why != "" {
		return report.Reply{}, fault.Invalidf("agent", "%s", why)
	}
	if err := inv.prove(ctx, id, env.Agent); err != nil {
		return report.Reply{}, fmt.Errorf("take the proof of site %s: %w", env.Agent.Site, err)
	}
	current := inv.current(id, &env)
	if current {
		inv.watch.hear(id, &env, inv.now())
	}
	if inv.unchanged(id, &env) {
		inv.stats.reports.Add(1)
		inv.stats.unchanged.Add(1)
		return report.Reply{CI: id, Schedule: inv.Schedule()}, nil
	}
	in := incoming{env: &env, rejected: map[string]string{}, fresh: map[string]*content{}}
	hashes := inv.hashesOf(id)
	for name, s := range env.Sections {
		n := sectionNumber(name)
		if n >= 0 && s.Wrong == "" && (len(s.Data) == 0 || string(s.Data) == "null" && s.Hash == "") {
			continue
		}
		if n >= 0 && s.Wrong == "" && hashes[n] == hashOf(s.Hash) {
			continue // we have it; sending it again changes nothing
		}
		c, err := decodeSection(name, s)
		if err != nil {
			in.rejected[name] = err.Error()
			continue
		}
		in.fresh[name] = c
	}
	var reply report.Reply
	bounded(in.fresh)
	err := inv.do(ctx, func(b *batch) error {
		var err error
		reply, err = b.report(id, in)
		return err
	})
	if err == nil {
		err = inv.finish(ctx)
	}
	if err != nil {
		return report.Reply{}, fmt.Errorf("take report of %s: %w", id, err)
	}
	if !current && inv.current(id, &env) {
		inv.watch.hear(id, &env, inv.now())
	}
	inv.stats.reports.Add(1)
	inv.stats.sections(reply.Rejected)
	return reply, nil
}

const maxChanges = 1000

// incoming is one envelope with its decoded sections.
type incoming struct {
	env      *report.Envelope
	fresh    map[string]*content
	rejected map[string]string
	resumed  bool // nothing is new: a part of what came before is left
	rewired  bool // the machine's own networks or what it passes on have changed
}

// current says whether an envelope is of the run that reports for a machine. A copy
// of the machine has its credential too: its farewell is not the machine's.
func (inv *Inventory) current(id string, env *report.Envelope) bool {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	e := inv.mem.at(id)
	return e != nil && e.host != nil && (e.host.run == env.Agent.BootID || e.host.run == runOf(env.Agent, true))
}

// toldAfter is how long a new run must last before it counts as a reboot: longer
// than the run before needs to be heard again if it still lives, and both are
// copies of one machine.
func (inv *Inventory) toldAfter() time.Duration {
	each := time.Duration(inv.Schedule().ReportSeconds) * time.Second
	if each <= 0 {
		each = time.Minute
	}
	return each + each/2
}

// unchanged answers the report of a quiet host: same run, nothing new.
func (inv *Inventory) unchanged(id string, env *report.Envelope) bool {
	if len(env.Changes) > 0 {
		return false
	}
	now, proved := inv.now().Unix(), inv.watch.provedBy(id)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.mem.at(id)
	if e == nil || e.host == nil || e.live != seen {
		return false
	}
	h := e.host
	if h.run != env.Agent.BootID && h.run != runOf(env.Agent, true) {
		return false
	}
	if h.proved != proved && proved != "" {
		return false // its membership is to be stored
	}
	if !h.booted.IsZero() && inv.now().Sub(h.booted) > inv.toldAfter() {
		return false // it is a reboot, which is to be told
	}
	for name, s := range env.Sections {
		n := sectionNumber(name)
		if n < 0 || h.hashes[n] != hashOf(s.Hash) {
			return false
		}
	}
	if len(env.Sections) == sectionCount {
		h.confirmed = max(h.confirmed, env.Agent.Sequence)
	}
	e.lastSeen = max(e.lastSeen, now)
	inv.unsaved[inv.mem.byID[id]] = struct{}{}
	return true
}

func (inv *Inventory) hashesOf(id string) [sectionCount]uint64 {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if e := inv.mem.at(id); e != nil && e.host != nil {
		return e.host.hashes
	}
	return [sectionCount]uint64{}
}

// report applies an envelope.
func (b *batch) report(id string, in incoming) (report.Reply, error) {
	inv := b.inv
	reply := report.Reply{CI: id, Schedule: inv.Schedule(), Rejected: maps.Clone(in.rejected)}
	old, err := b.ci(id)
	if err != nil {
		return reply, err
	}
	if old == nil {
		return reply, fault.NotFoundf("the machine %q is not in the inventory any more: enrol again", id)
	}
	oldDoc, err := read(b, b.hosts, inv.cols.host, id)
	if err != nil {
		return reply, err
	}
	if oldDoc == nil {
		return reply, fault.NotFoundf("machine %q was never enrolled: enrol again", id)
	}
	doc := *oldDoc
	doc.Site, doc.SiteKey = in.env.Agent.Site, inv.watch.provedBy(id)
	now := b.now
	taken := in.env.TakenAt
	if taken.IsZero() || taken.After(now) {
		taken = now // a clock that runs ahead must not outdate what comes after
	}
	run := runOf(in.env.Agent, oldDoc.Ident.Container)
	late, rebooted, cloned := doc.follow(run, taken, in.env.Agent.Sequence)
	switch {
	case cloned != "":
		doc.Booted = time.Time{}
	case rebooted && oldDoc.Run != "":
		doc.Booted = now
	}
	reboot := !late && !doc.Booted.IsZero() && now.Sub(doc.Booted) > inv.toldAfter()
	if reboot {
		doc.Booted = time.Time{}
	}
	if cloned != "" {
		if err := b.clone(old, &doc, cloned, cmdb.Verdict{}, oldDoc.Ident); err != nil {
			return reply, err
		}
	}
	if slices.Contains(doc.Forked, run) {
		reply.Forked = true
		b.putHost(oldDoc, &doc)
		return reply, nil
	}
	in.confirm(&doc, b.inv.confirmed(id))
	in.takeNewer(&doc, late)
	if h := in.fresh[report.SectionHost]; h == nil && rebooted && in.differs(&doc, report.SectionHost) {
		// Another boot and another host section, not sent: it may be another machine.
		reply.Want = []string{report.SectionHost}
		doc.Run, doc.RunSince, doc.Earlier, doc.Booted = oldDoc.Run, oldDoc.RunSince, oldDoc.Earlier, oldDoc.Booted
		b.putHost(oldDoc, &doc)
		return reply, nil
	}
	forked, err := b.verify(old, &doc, in, run, reply.Rejected)
	if err != nil || forked {
		reply.Forked = forked
		if forked {
			doc.Run, doc.RunSince, doc.Earlier, doc.Booted = oldDoc.Run, oldDoc.RunSince, oldDoc.Earlier, oldDoc.Booted
			b.putHost(oldDoc, &doc)
		}
		return reply, err
	}
	c := old.Clone()
	b.alive(c)
	// Another version of the agent finds other things: they were there before.
	steady := func(section string) bool {
		fresh := in.fresh[section]
		return fresh != nil && slices.Equal(oldDoc.Sections[fresh.number].Problems, fresh.probs) && old.Attributes.Text("agent_version") == in.env.Agent.Version
	}
	was, err := b.before(id, in, steady)
	if err != nil {
		return reply, err
	}
	if err := b.store(id, &doc, in, reply.Rejected); err != nil {
		return reply, err
	}
	var diff packageDiff
	if p := in.fresh[report.SectionPackages]; p != nil {
		if diff, err = b.storePackages(id, &doc, p, steady(report.SectionPackages)); err != nil {
			return reply, err
		}
		c.Attributes["packages"] = float64(doc.Packages)
	}
	for _, name := range slices.Sorted(maps.Keys(in.fresh)) {
		if values := attributesOf(in.fresh[name].value); values != nil {
			b.sayHost(c, values, now) // which section is newer is decided by sequence: an agent whose clock is slow must not lose to its own enrolment
		}
	}
	if err := b.wiring(id, c, &doc, &in); err != nil {
		return reply, err
	}
	if h := in.fresh[report.SectionHost]; h != nil {
		b.rename(c, old, h.value.(report.Host))
	}
	b.putHost(oldDoc, &doc)
	if old.Liveness != c.Liveness || len(cmdb.DiffCIs(old, c)) > 0 || now.Sub(old.LastSeen) > time.Hour {
		b.putCI(old, c, cmdb.SourceAgent)
	} else {
		inv.touch(id, now)
	}
	b.begin()
	in.resumed = oldDoc.Unfinished
	if err := b.reconcile(c, old, in); err != nil {
		return reply, err
	}
	if err := b.postpone(id); err != nil {
		return reply, err
	}
	if err := b.changes(c, old, in, was, diff, reboot); err != nil {
		return reply, err
	}
	reply.Want = doc.wants(&in, reply.Rejected)
	return reply, nil
}

// wiring takes what interfaces, routes and passed-on ports say together: which
// addresses are the machine's own depends on where its default route leads.
func (b *batch) wiring(id string, c *cmdb.CI, doc *hostDoc, in *incoming) error {
	local, forwards := doc.Local, doc.Forwards
	if in.fresh[report.SectionInterfaces] != nil || in.fresh[report.SectionRoutes] != nil {
		ifs, err := section[[]report.Interface](b, id, report.SectionInterfaces, in.fresh)
		if err != nil {
			return err
		}
		routes, err := section[[]report.Route](b, id, report.SectionRoutes, in.fresh)
		if err != nil {
			return err
		}
		if ifs != nil {
			b.sayHost(c, interfaceAttributes(ifs, routes), b.now)
			local = localNetworks(ifs, routes)
		}
	}
	if l := in.fresh[report.SectionListeners]; l != nil {
		forwards = nil
		for _, x := range l.value.([]report.Listener) {
			if x.Forward != "" {
				forwards = append(forwards, forward{uint16(x.Port), x.Forward})
			}
		}
		slices.SortFunc(forwards, func(a, b forward) int { return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.To, b.To)) })
		forwards = slices.Compact(forwards)
	}
	in.rewired = !slices.Equal(local, doc.Local) || !slices.Equal(forwards, doc.Forwards)
	doc.Local, doc.Forwards = local, forwards
	return nil
}

func (inv *Inventory) touch(id string, now time.Time) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	o := inv.mem.byID[id]
	inv.mem.entries[o].lastSeen = now.Unix()
	inv.unsaved[o] = struct{}{}
}

// follow tells which run of the machine a report is of. late says that it comes
// from before what is stored; cloned names the run that turned out to be another
// machine with a copy of this one's identity: a boot that was over reports
// again, and after the next one had begun.
func (d *hostDoc) follow(run string, taken time.Time, seq uint64) (late, rebooted bool, cloned string) {
	switch {
	case slices.Contains(d.Forked, run):
	case d.Run == "":
		d.Run, d.RunSince, rebooted = run, taken, true
	case run == d.Run:
		if d.RunSince.IsZero() || taken.Before(d.RunSince) {
			d.RunSince = taken
		}
	case slices.Contains(d.Earlier, run):
		if !taken.After(d.RunSince) || d.RunSince.IsZero() {
			return true, false, ""
		}
		cloned = d.Run
		d.Forked = append(slices.Clone(d.Forked), d.Run)
		d.Earlier = slices.DeleteFunc(slices.Clone(d.Earlier), func(r string) bool { return r == run })
		d.Run, d.RunSince = run, taken
		// What the clone left here is asked for again.
		for i := range d.Sections {
			d.Sections[i].Hash, d.Sections[i].Sequence = 0, 0
		}
	case taken.Before(d.RunSince):
		d.Earlier = remembered(append(slices.Clone(d.Earlier), run))
		return true, false, ""
	default:
		d.Earlier = remembered(append(slices.Clone(d.Earlier), d.Run))
		d.Run, d.RunSince, rebooted = run, taken, true
	}
	d.Sequence = max(d.Sequence, seq)
	return false, rebooted, cloned
}

// confirm moves the sequence of sections that this report has as they are
// stored: an older report that comes later must not put them back. whole is the
// newest report that changed nothing at all.
func (in *incoming) confirm(d *hostDoc, whole uint64) {
	for i := range d.Sections {
		m := &d.Sections[i]
		if m.Hash == 0 {
			continue
		}
		m.Sequence = max(m.Sequence, whole)
		if s, ok := in.env.Sections[sectionNames[i]]; ok && hashOf(s.Hash) == m.Hash {
			m.Sequence = max(m.Sequence, in.env.Agent.Sequence)
		}
	}
}

func (inv *Inventory) confirmed(id string) uint64 {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if e := inv.mem.at(id); e != nil && e.host != nil {
		return e.host.confirmed
	}
	return 0
}

// takeNewer drops the sections that are older than what is stored. Reports carry
// a sequence that only grows, whatever the clock does.
func (in *incoming) takeNewer(d *hostDoc, late bool) {
	seq := in.env.Agent.Sequence
	for name, c := range in.fresh {
		if m := d.Sections[c.number]; m.Sequence > seq || (late && m.Hash != 0 && m.Sequence >= seq) {
			delete(in.fresh, name)
		}
	}
}

func (in *incoming) differs(d *hostDoc, name string) bool {
	s, ok := in.env.Sections[name]
	return ok && d.Sections[sectionNumber(name)].Hash != 0 && d.Sections[sectionNumber(name)].Hash != hashOf(s.Hash)
}

// wants names the sections that the agent has and we do not.
func (d *hostDoc) wants(in *incoming, rejected map[string]string) []string {
	var out []string
	for n, name := range sectionNames {
		s, ok := in.env.Sections[name]
		_, refused := rejected[name]
		m := &d.Sections[n]
		if ok && !refused && m.Hash != hashOf(s.Hash) && m.Sequence <= in.env.Agent.Sequence {
			out = append(out, name)
		}
	}
	return out
}

// verify checks that the machine which reports is still the one of the
// credential. forked tells the agent to enrol as its own.
func (b *batch) verify(c *cmdb.CI, d *hostDoc, in incoming, run string, rejected map[string]string) (forked bool, err error) {
	if in.fresh[report.SectionHost] == nil && in.fresh[report.SectionInterfaces] == nil && in.fresh[report.SectionDisks] == nil {
		return false, nil
	}
	host, err := section[report.Host](b, c.ID, report.SectionHost, in.fresh)
	if err != nil {
		return false, err
	}
	if host.Hostname == "" && host.MachineID == "" {
		return false, nil // interfaces came before the host section: nothing to compare yet
	}
	ifs, err := section[[]report.Interface](b, c.ID, report.SectionInterfaces, in.fresh)
	if err != nil {
		return false, err
	}
	disks, err := section[[]report.Disk](b, c.ID, report.SectionDisks, in.fresh)
	if err != nil {
		return false, err
	}
	now := cmdb.IdentifiersOf(in.env.Agent, host, ifs, disks, nil)
	if slices.Equal(now.Keys(), d.Ident.Keys()) {
		return false, nil
	}
	known, err := b.candidates(now, c.ID, false)
	if err != nil {
		return false, err
	}
	v := cmdb.Identify(now, known, b.shared)
	switch {
	case v.Outcome == cmdb.Match && v.CI == c.ID:
		d.Ident = mergeIdentifiers(d.Ident, now)
		if err := b.contest(c.ID, d, v, now); err != nil {
			return false, err
		}
		return false, b.propose(c.ID, v, now)
	case v.Outcome == cmdb.Conflict:
		why := "identifiers belong to several items: see the inventory's tasks"
		for _, name := range []string{report.SectionHost, report.SectionInterfaces, report.SectionDisks} {
			if in.fresh[name] != nil {
				delete(in.fresh, name)
				rejected[name] = why
			}
		}
		return false, b.conflict(v, now)
	}
	d.Forked = append(slices.Clone(d.Forked), run)
	return true, b.clone(c, d, run, v, now)
}

// clone opens the task for a machine that runs with a copy of c's identity.
func (b *batch) clone(c *cmdb.CI, d *hostDoc, run string, v cmdb.Verdict, seen cmdb.Identifiers) error {
	if len(d.Forked) > 32 {
		d.Forked = d.Forked[len(d.Forked)-32:]
	}
	b.inv.stats.clones.Add(1)
	t := Task{Kind: TaskClone, CI: c.ID, Seen: seen, Summary: fmt.Sprintf("another machine reports with a copy of %s's agent (run %s); it was told to enrol as its own", c.Name, run)}
	if v.Outcome != "" {
		t.Verdict = &v
	}
	return b.ask("clone-"+c.ID+"-"+run, t)
}

// store writes the fresh sections and marks what is known of each.
func (b *batch) store(id string, d *hostDoc, in incoming, rejected map[string]string) error {
	for name, c := range in.fresh {
		d.Sections[c.number] = mark{Hash: c.hash, Sequence: in.env.Agent.Sequence, At: b.now, Problems: c.probs}
		if name == report.SectionPackages {
			continue
		}
		set(b, b.sections, id+" "+name, &sectionDoc{CI: id, Name: name, Packed: c.packed, Problems: c.probs})
		b.bytes += len(c.packed)
	}
	for name, why := range rejected {
		n := sectionNumber(name)
		if n < 0 {
			continue
		}
		// The same wrong data is not asked for again; the stored content stays.
		d.Sections[n].Rejected, d.Sections[n].Hash, d.Sections[n].At = why, hashOf(in.env.Sections[name].Hash), b.now
	}
	return nil
}
