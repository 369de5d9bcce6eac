package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/store"
)

// An identity is contested when an agent enrols under that of a machine for which
// another agent reports. Either the machine was installed anew, and the other agent
// is never heard again; or there are two machines, of one image or with one serial
// number, or an impostor. Nobody can know at that moment, so the newcomer gets an
// item of its own, and what happens next decides (settleContests).

const (
	// cooldownReports is for how many intervals of reporting an agent that is not
	// heard still counts as alive: a report may be late, a server may be restarted.
	cooldownReports = 5
	// leastCooldown holds where agents report every few seconds.
	leastCooldown = 30 * time.Second
)

// cooldown is for how long after its last report an agent counts as alive.
func (inv *Inventory) cooldown() time.Duration {
	each := time.Duration(inv.Schedule().ReportSeconds) * time.Second
	if each <= 0 {
		each = time.Minute
	}
	return max(cooldownReports*each, leastCooldown)
}

// reports says whether an agent reports for an item now. Silence counts from when
// this server could hear: after a restart nobody had a chance to report yet.
func (inv *Inventory) reports(o uint32, now time.Time) bool {
	e := &inv.mem.entries[o]
	if e.host == nil || e.live != seen {
		return false
	}
	return now.Sub(latest(unix(e.lastSeen), inv.watch.listens())) <= inv.cooldown()
}

// weigh completes what is known of candidates for an enrolment, and takes out
// those of which this run is a known copy.
func (b *batch) weigh(ctx context.Context, known []cmdb.Candidate, agent, run string, held func(context.Context, string) (bool, error)) (out, copied []cmdb.Candidate, err error) {
	for _, k := range known {
		d, err := read(b, b.hosts, b.inv.cols.host, k.CI)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			out = append(out, k)
			continue
		}
		if slices.Contains(d.Forked, run) {
			copied = append(copied, k)
			continue
		}
		k.Returned = d.AgentID != agent && slices.Contains(d.Former, agent)
		if k.Live && d.AgentID == agent && d.Run == run && !d.heard() {
			k.Live = false // the answer to its first enrolment was lost on the way
		}
		if k.Live && !k.Credential && held != nil {
			if k.Live, err = held(ctx, k.CI); err != nil {
				return nil, nil, fmt.Errorf("look for the credential of %s: %w", k.CI, err)
			}
		}
		out = append(out, k)
	}
	return out, copied, nil
}

// heard says whether the present agent has reported.
func (d *hostDoc) heard() bool { return d.Sequence > 0 || !d.RunSince.IsZero() }

// learning are the kinds of keys that should stand on one machine only.
var learning = []string{"uuid:", "serial:", "asset:", "machine:", "mac:", "disk:", "cloud:"}

// learn returns those of a machine's keys that are known to stand on another one
// that reports at the same time. What was learned holds on when one of them falls
// silent, and as long as the machine has the value.
func (b *batch) learn(d *hostDoc) []string {
	m := b.inv.mem
	self, ok := m.byID[d.CI]
	if !ok {
		return nil
	}
	live := m.entries[self].live == seen
	var out []string
	for _, k := range d.Ident.Keys() {
		if !slices.ContainsFunc(learning, func(p string) bool { return strings.HasPrefix(k, p) }) {
			continue
		}
		stands := slices.Contains(d.Shared, k)
		if p := m.keys[k]; p != nil && live && !stands {
			p.each(perKey, func(o uint32) { stands = stands || o != self && b.inv.reports(o, b.now) })
		}
		if stands {
			out = append(out, k)
		}
	}
	return out
}

// contest opens the task about an identity that a newcomer came under, or adds the
// newcomer to it: fifty machines of one image are one matter. self is the
// newcomer's document where the caller is about to store it, else nil.
func (b *batch) contest(newcomer string, self *hostDoc, v cmdb.Verdict, in cmdb.Identifiers) error {
	if len(v.Contested) == 0 {
		return nil
	}
	key, owner := "", v.Contested[0].CI
	for _, f := range v.Contested {
		d, err := read(b, b.hosts, b.inv.cols.host, f.CI)
		if err != nil {
			return err
		}
		if d != nil && d.Contest != "" {
			key = d.Contest
			break
		}
	}
	if key == "" {
		key = "contested-" + owner
	}
	t, err := read(b, b.tasks, b.inv.cols.task, key)
	if err != nil {
		return err
	}
	next := Task{Kind: TaskContested, CI: owner, Others: []string{newcomer}, Verdict: &v, Seen: in}
	if t != nil {
		if t.CI == newcomer || slices.Contains(t.Others, newcomer) {
			return nil
		}
		next.CI, next.Others = t.CI, append(slices.Clone(t.Others), newcomer)
	}
	next.Summary = b.contestSummary(next)
	if err := b.ask(key, next); err != nil {
		return err
	}
	for _, f := range v.Contested {
		b.log(f.CI, "identity_contested", nil, newcomer, cmdb.SourceAgent)
	}
	for _, id := range []string{next.CI, newcomer} {
		if id == newcomer && self != nil {
			self.Contest = key
			continue
		}
		d, err := read(b, b.hosts, b.inv.cols.host, id)
		if err != nil {
			return err
		}
		if d == nil || d.Contest == key {
			continue
		}
		c := *d
		c.Contest = key
		b.putHost(d, &c)
	}
	return nil
}

func (b *batch) contestSummary(t Task) string {
	var names []string
	for _, id := range t.Others {
		if e := b.inv.mem.at(id); e != nil {
			names = append(names, e.name+" ("+id+")")
		}
	}
	const most = 5 // names in a sentence
	list := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		list += fmt.Sprintf(" and %d more", len(names)-most)
	}
	owner := t.CI
	if e := b.inv.mem.at(t.CI); e != nil {
		owner = e.name + " (" + t.CI + ")"
	}
	return fmt.Sprintf("%s came under the identity of %s while its agent reports, and without its credential: copies of one image, values that a maker repeats, or somebody who pretends; "+
		"accept it if the machine was installed anew", list, owner)
}

// copied tells who came of a run that was found to be a copy of a machine: the
// machine's task gets its name.
func (b *batch) copied(c *cmdb.CI, of []cmdb.Candidate, run string, in cmdb.Identifiers) error {
	for _, k := range of {
		key := "clone-" + k.CI + "-" + run
		t, err := read(b, b.tasks, b.inv.cols.task, key)
		if err != nil {
			return err
		}
		if t == nil || t.Done != "" || len(t.Others) > 0 {
			continue
		}
		x := *t
		x.Others, x.Last = []string{c.ID}, b.now
		v := cmdb.Identify(in, []cmdb.Candidate{k}, nil)
		x.Verdict = &v
		x.Summary = fmt.Sprintf("%s; it is %s (%s) now", x.Summary, c.Name, c.ID)
		set(b, b.tasks, key, &x)
	}
	return nil
}

// settleContests decides what time has decided. Where the agent that was there
// first is heard after the newcomer came, there are two machines, and that is a
// person's to clear up. Where it fell silent before and stays so for the cooldown,
// the newcomer is that machine with another installation.
func (inv *Inventory) settleContests(ctx context.Context, now time.Time) error {
	var open []Task
	err := inv.db.View(ctx, func(r store.Reader) error {
		open = open[:0]
		page, err := inv.cols.task.List(r, store.Query[Task]{Limit: contestsAtOnce, Keep: func(t Task) bool {
			return t.Done == "" && (t.Kind == TaskContested || t.Kind == TaskClone && len(t.Others) == 1)
		}})
		for _, row := range page.Rows {
			open = append(open, row.Doc)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list contested identities: %w", err)
	}
	for _, t := range open {
		if err := inv.do(ctx, func(b *batch) error { return b.settleContest(t.ID, now) }); err != nil {
			return fmt.Errorf("settle %s: %w", t.ID, err)
		}
	}
	return nil
}

// contestsAtOnce bounds the tasks that one tick looks at.
const contestsAtOnce = 1000

func (b *batch) settleContest(key string, now time.Time) error {
	t, err := read(b, b.tasks, b.inv.cols.task, key)
	if err != nil || t == nil || t.Done != "" {
		return err
	}
	inv := b.inv
	owner := inv.resolve(t.CI)
	var alive []string // newcomers that are still items of their own
	for _, id := range t.Others {
		if id = inv.resolve(id); id != "" && id != owner {
			alive = append(alive, id)
		}
	}
	if owner == "" || len(alive) == 0 {
		x := *t
		x.Done, x.DoneAt = "the server: only one of them is left", b.now
		set(b, b.tasks, key, &x)
		return nil
	}
	oo := inv.mem.byID[owner]
	if inv.reports(oo, now) || len(alive) != 1 || !inv.reports(inv.mem.byID[alive[0]], now) {
		return nil
	}
	newcomer, err := b.ci(alive[0])
	if err != nil || newcomer == nil {
		return err
	}
	if !unix(inv.lastSeen(oo)).Before(newcomer.FirstSeen) {
		return nil // both were heard: two machines
	}
	d, err := read(b, b.hosts, inv.cols.host, newcomer.ID)
	if err != nil || d == nil {
		return err
	}
	if t.Kind == TaskClone || t.Verdict == nil || !matched(t.Verdict.Contested, owner) {
		var f cmdb.Finding
		if t.Verdict != nil {
			for _, list := range [][]cmdb.Finding{t.Verdict.Findings, t.Verdict.Contested, t.Verdict.Proposals} {
				for _, x := range list {
					if x.CI == owner {
						f = x
					}
				}
			}
		}
		f.CI = owner
		return b.proposal(newcomer.ID, f, d.Ident, fmt.Sprintf("%s was not heard since %s joined: if its board was replaced, it is the same machine", inv.mem.at(owner).name, newcomer.Name))
	}
	return b.adopt(owner, newcomer.ID, "the server")
}

// matched says whether a finding's rule means an item by values of its own.
func matched(list []cmdb.Finding, ci string) bool {
	return slices.ContainsFunc(list, func(f cmdb.Finding) bool { return f.CI == ci && f.Rule != "" && f.Why != cmdb.WhyShared })
}

// adopt makes a newcomer the present installation of an item: the item keeps its
// id, owner and history, and the newcomer's agent reports for it from now on.
func (b *batch) adopt(owner, newcomer, actor string) error {
	inv := b.inv
	w, err := b.ci(owner)
	if err != nil {
		return err
	}
	l, err := b.ci(newcomer)
	if err != nil {
		return err
	}
	came, err := read(b, b.hosts, inv.cols.host, newcomer)
	if err != nil {
		return err
	}
	doc, err := b.merge(w, l, actor)
	if err != nil {
		return err
	}
	b.write(func(tx store.Tx) error { return inv.cols.merge.Put(tx, *doc) })
	if err := b.closeTasks(owner, newcomer, actor+": the machine was installed anew"); err != nil {
		return err
	}
	if came == nil {
		return nil
	}
	old, err := read(b, b.hosts, inv.cols.host, owner)
	if err != nil {
		return err
	}
	c, err := b.ci(owner)
	if err != nil {
		return err
	}
	if old != nil && old.Ident.MachineID != came.Ident.MachineID {
		b.tellReimaged(c)
	}
	now := c.Clone()
	b.alive(now)
	b.putCI(c, now, cmdb.SourceAgent)
	if err := b.hostFrom(now, old, came.Ident, report.Agent{ID: came.AgentID}, came.Run); err != nil {
		return err
	}
	d, err := read(b, b.hosts, inv.cols.host, owner)
	if err != nil || d == nil {
		return err
	}
	x := *d
	x.RunSince, x.Contest, x.Site, x.Booted = b.now, "", came.Site, time.Time{}
	x.Forked = slices.DeleteFunc(slices.Clone(x.Forked), func(r string) bool { return r == came.Run })
	b.putHost(d, &x)
	return nil
}

// AcceptTask does what a contested identity's task asks: the newcomer is the
// machine, installed anew. It returns the item whose former credential must end.
// other names the newcomer where the task has several.
func (inv *Inventory) AcceptTask(ctx context.Context, id, other, actor string) (t Task, ci string, err error) {
	err = inv.do(ctx, func(b *batch) error {
		old, err := read(b, b.tasks, inv.cols.task, id)
		switch {
		case err != nil:
			return err
		case old == nil:
			return notTask(id)
		case old.Done != "":
			return doneTask(id, old.Done)
		}
		ci, err = b.accept(*old, other, actor)
		if err != nil {
			return err
		}
		x, err := read(b, b.tasks, inv.cols.task, id)
		if err == nil && x != nil {
			t = *x
		}
		return err
	})
	return t, ci, err
}
