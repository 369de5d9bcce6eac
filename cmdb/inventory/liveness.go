package inventory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// siteDoc is a site whose key is known or that counts as cut off.
type siteDoc struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since,omitzero"` // when it was cut off; zero: it is not
	Key   string    `json:"key,omitempty"`  // the public key that its members prove to hold
}

// putSite stores a site, or forgets one of which nothing is left to say.
func (b *batch) putSite(doc siteDoc) {
	if doc.Since.IsZero() && doc.Key == "" {
		b.write(put[siteDoc](b.inv.cols.site, doc.Name, nil))
		return
	}
	b.write(put(b.inv.cols.site, doc.Name, &doc))
}

// prove takes an agent's proof that it is a member of its site.
func (inv *Inventory) prove(ctx context.Context, ci string, a report.Agent) error {
	change, ok := inv.watch.prove(ci, a, inv.now())
	if !ok {
		return nil
	}
	return inv.do(ctx, func(b *batch) error {
		if !change.asked {
			return b.setSiteKey(change.site, change.key)
		}
		const short = 12 // characters of a key that tell it from others
		name := change.key[:min(len(change.key), short)]
		e := inv.mem.at(ci)
		if e == nil {
			return nil
		}
		return b.ask("site-key-"+change.site+"-"+name, Task{
			Kind: TaskSiteKey, CI: ci, Site: change.site, SiteKey: change.key,
			Summary: fmt.Sprintf("the agent on %s proves another key (%s…) of site %s than its members do: it is heard as no witness there; accept this if the site has got a new key", e.name, name, change.site),
		})
	})
}

func (b *batch) setSiteKey(site, key string) error {
	var was siteDoc
	err := b.inv.db.View(context.Background(), func(r store.Reader) error {
		row, _, err := b.inv.cols.site.Find(r, site)
		was = row.Doc
		return err
	})
	if err != nil {
		return fmt.Errorf("read site %s: %w", site, err)
	}
	b.putSite(siteDoc{Name: site, Since: was.Since, Key: key})
	before := b.inv.watch.keyOf(site)
	b.inv.watch.setKey(site, key)
	b.later(func() { b.inv.watch.setKey(site, before) })
	return nil
}

// Judge draws verdicts about the members of meshes and tells the engine what they
// change: a host or a site that was lost, or is back. That an agent is gone whose
// host is up is no incident but a task. The caller calls it about once a second; now
// is the wall clock.
func (inv *Inventory) Judge(ctx context.Context, now time.Time) error {
	interval := time.Duration(inv.Schedule().ReportSeconds) * time.Second
	if interval <= 0 {
		interval = time.Minute
	}
	name := func(ci string) string {
		inv.mu.RLock()
		defer inv.mu.RUnlock()
		if e := inv.mem.at(ci); e != nil {
			return e.name
		}
		return ""
	}
	for _, r := range inv.watch.judge(now, interval, name) {
		err := inv.do(ctx, func(b *batch) error {
			if r.ci == "" {
				return b.ruleSite(r, now)
			}
			return b.ruleHost(r, now)
		})
		if err != nil {
			return fmt.Errorf("store a verdict of liveness: %w", err)
		}
		inv.watch.ruled(r, now)
	}
	return nil
}

func (b *batch) ruleSite(r ruling, now time.Time) error {
	doc := siteDoc{Name: r.name, Key: b.inv.watch.keyOf(r.name)}
	lost := r.verdict == cluster.SiteCutOff
	if lost {
		doc.Since = now
	}
	b.putSite(doc)
	b.tell(&event.Liveness{Site: r.name, Lost: lost, Since: event.Instant(r.since), Hosts: r.hosts, Evidence: r.reasons})
	return nil
}

func (b *batch) ruleHost(r ruling, now time.Time) error {
	inv := b.inv
	old, err := b.ci(r.ci)
	if err != nil {
		return err
	}
	oldDoc, err := read(b, b.hosts, inv.cols.host, r.ci)
	if err != nil {
		return err
	}
	if old == nil || oldDoc == nil {
		inv.watch.forget(r.ci)
		return nil
	}
	doc := *oldDoc
	was := doc.Lost
	doc.Lost, doc.LostAt = r.verdict, now
	if r.verdict == cluster.Fine {
		doc.Lost, doc.LostAt = "", time.Time{}
	}
	b.putHost(oldDoc, &doc)
	b.log(r.ci, "reachable", string(was), string(doc.Lost), "mesh")
	if r.verdict != cluster.Fine && old.Liveness == cmdb.Seen {
		c := old.Clone()
		c.Liveness = cmdb.Stale
		b.putCI(old, c, "mesh")
	}
	if lost := r.verdict == cluster.HostGone; lost != (was == cluster.HostGone) {
		b.tell(&event.Liveness{CI: old.Ref(), Site: r.name, Lost: lost, Since: event.Instant(r.since), Evidence: r.reasons})
	}
	return b.askForAgent(old, r, was, now)
}

// askForAgent keeps the task for an agent that is gone from a host that is up.
func (b *batch) askForAgent(c *cmdb.CI, r ruling, was cluster.Verdict, now time.Time) error {
	key := "agent-gone-" + c.ID
	switch {
	case r.verdict == cluster.AgentGone:
		t := Task{Kind: TaskAgentGone, CI: c.ID, Summary: fmt.Sprintf("the agent on %s is gone, and its host is up: start it again, or stop it as a service so that it can say good-bye; %s", c.Name, strings.Join(r.reasons, "; "))}
		old, err := read(b, b.tasks, b.inv.cols.task, key)
		if err != nil {
			return err
		}
		if old != nil && old.Done != "" { // of another time
			set(b, b.tasks, key, nil)
		}
		return b.ask(key, t)
	case was == cluster.AgentGone:
		old, err := read(b, b.tasks, b.inv.cols.task, key)
		if err != nil || old == nil || old.Done != "" {
			return err
		}
		t := *old
		t.Done, t.DoneAt = "the server: the agent is heard again", now
		if r.verdict == cluster.HostGone {
			t.Done = "the server: the whole host is gone"
		}
		set(b, b.tasks, key, &t)
	}
	return nil
}
