package inventory

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
	"github.com/watchbill/watchbill/internal/event"
)

// mesh is a site of machines that report, and a server that judges each second.
type mesh struct {
	*lab
	boxes []*box
	seen  int // liveness facts looked at
}

func newMesh(t *testing.T, names ...string) *mesh {
	m := &mesh{lab: newLab(t)}
	for i, name := range names {
		b := m.box(name, i)
		b.member("fra")
		b.enroll()
		b.send()
		m.boxes = append(m.boxes, b)
	}
	return m
}

var siteSecret = []byte("0123456789abcdef")

// member makes a box a member of a site's mesh, with the site's key.
func (b *box) member(site string) { b.memberWith(site, siteSecret) }

func (b *box) memberWith(site string, key []byte) {
	a := &b.rep.Agent
	p := cluster.Prove(key, site, a.ID)
	a.Site, a.SiteKey, a.SiteProof = site, p.Key, p.Signature
}

// pass lets seconds go by; the boxes in speaking pulse every five.
func (m *mesh) wait(seconds int, speaking ...*box) {
	m.Helper()
	for i := range seconds {
		m.lab.pass(time.Second)
		if i%5 == 0 {
			for _, b := range speaking {
				m.pulse(b, report.Envelope{PulseSeconds: 5})
			}
		}
		if err := m.Judge(context.Background(), m.now()); err != nil {
			m.Fatal(err)
		}
	}
}

func (m *mesh) pulse(b *box, e report.Envelope) {
	m.Helper()
	e.Agent, e.TakenAt = b.rep.Agent, m.now().Add(b.skew)
	e.Agent.Sequence = 0
	for i := range e.Peers {
		e.Peers[i].At = e.TakenAt.Add(-2 * time.Second)
	}
	if _, err := m.Report(context.Background(), b.ci, e); err != nil {
		m.Fatal(err)
	}
}

func lostBy(about *box, answers bool) report.Envelope {
	return report.Envelope{Peers: []report.Peer{{Agent: about.rep.Agent.ID, Gone: true, Answers: answers}}}
}

// facts returns the liveness facts since the last call.
func (m *mesh) facts() []event.Liveness {
	m.Helper()
	all := m.events(event.KindLiveness)
	var out []event.Liveness
	for _, e := range all[m.seen:] {
		var l event.Liveness
		if err := json.Unmarshal(e.Body, &l); err != nil {
			m.Fatal(err)
		}
		out = append(out, l)
	}
	m.seen = len(all)
	return out
}

func (m *mesh) task(ci string) Task {
	m.Helper()
	tasks, _, err := m.Tasks(context.Background(), true, "", 100)
	if err != nil {
		m.Fatal(err)
	}
	for _, t := range tasks {
		if t.Kind == TaskAgentGone && t.CI == ci {
			return t
		}
	}
	return Task{}
}

func TestADeadHostIsAFactAndSoIsItsReturn(t *testing.T) {
	m := newMesh(t, "web-1", "web-2", "web-3", "db-1")
	w1, w2, dead := m.boxes[0], m.boxes[1], m.boxes[3]
	w2.skew = -40 * time.Minute // its clock is wrong, which must not matter
	m.wait(30, w1)
	m.pulse(w1, lostBy(dead, false))
	m.wait(2)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("one witness of three is believed: %+v", f)
	}
	m.pulse(w2, lostBy(dead, false))
	m.wait(1)
	f := m.facts()
	if len(f) != 1 || f[0].CI.ID != dead.ci || !f[0].Lost || f[0].Site != "fra" {
		t.Fatalf("facts %+v", f)
	}
	if all := strings.Join(f[0].Evidence, "; "); !strings.Contains(all, "web-1 lost the agent") || !strings.Contains(all, "web-2 lost the agent") {
		t.Errorf("evidence %q does not name the witnesses as people know them", all)
	}
	if c, err := m.Get(context.Background(), dead.ci); err != nil || c.Liveness != cmdb.Stale {
		t.Errorf("the item is %q, %v", c.Liveness, err)
	}
	m.wait(60, w1)
	// A restart forgets the testimony, not the verdict.
	m.reopen()
	m.wait(120, w1, w2)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("nothing happened, and the facts are %+v", f)
	}
	dead.send()
	m.wait(1, w1)
	if f := m.facts(); len(f) != 1 || f[0].Lost || f[0].CI.ID != dead.ci {
		t.Fatalf("it reports again, and the facts are %+v", f)
	}
	// What is still said of before does not take it away again.
	m.wait(10, w1)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("after its return: %+v", f)
	}
}

func TestAGoneAgentOnALiveHostIsATask(t *testing.T) {
	m := newMesh(t, "web-1", "web-2", "db-1")
	w1, w2, quiet := m.boxes[0], m.boxes[1], m.boxes[2]
	m.wait(10, w1)
	m.pulse(w1, lostBy(quiet, true))
	m.pulse(w2, lostBy(quiet, false)) // one path is broken; the other shows that the host is up
	m.wait(1)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("a stopped agent is no incident: %+v", f)
	}
	if task := m.task(quiet.ci); task.Done != "" || !strings.Contains(task.Summary, "its host is up") {
		t.Fatalf("task %+v", task)
	}
	quiet.send()
	m.wait(1, w1)
	if task := m.task(quiet.ci); task.Done == "" {
		t.Errorf("its agent is back, and the task is open: %+v", task)
	}
	// Again, and this time the host goes too.
	m.wait(5, w1)
	m.pulse(w1, lostBy(quiet, true))
	m.pulse(w2, lostBy(quiet, true))
	m.wait(1)
	if task := m.task(quiet.ci); task.Done != "" {
		t.Errorf("a second time it opened no task: %+v", task)
	}
	m.wait(5, w1)
	m.pulse(w1, lostBy(quiet, false))
	m.pulse(w2, lostBy(quiet, false))
	m.wait(1)
	if f := m.facts(); len(f) != 1 || !f[0].Lost || f[0].CI.ID != quiet.ci {
		t.Errorf("then its host died: %+v", f)
	}
	if task := m.task(quiet.ci); !strings.Contains(task.Done, "whole host") {
		t.Errorf("task %+v", task)
	}
}

func TestASilentSiteIsOneFact(t *testing.T) {
	m := newMesh(t, "a", "b", "c", "d")
	elsewhere := m.box("x", 9)
	elsewhere.member("ams")
	elsewhere.enroll()
	elsewhere.send()
	m.wait(30, m.boxes[0], m.boxes[1], elsewhere)
	m.wait(10, elsewhere)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("two missed pulses: %+v", f)
	}
	m.wait(7, elsewhere)
	f := m.facts()
	if len(f) != 1 || !f[0].Lost || f[0].Site != "fra" || f[0].CI != (event.Ref{}) || f[0].Hosts != 4 {
		t.Fatalf("facts %+v", f)
	}
	m.reopen() // and the server is started anew while it lasts
	m.wait(400, elsewhere)
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("while it lasts: %+v", f)
	}
	m.wait(3, m.boxes[1], elsewhere)
	if f := m.facts(); len(f) != 1 || f[0].Lost || f[0].Site != "fra" {
		t.Fatalf("it is heard again: %+v", f)
	}
}

func TestWhoStopsOnPurposeIsNotLost(t *testing.T) {
	m := newMesh(t, "a", "b", "c")
	m.wait(10, m.boxes[0])
	m.pulse(m.boxes[2], report.Envelope{Leaving: true})
	m.wait(5, m.boxes[0])
	m.pulse(m.boxes[0], lostBy(m.boxes[2], false))
	m.pulse(m.boxes[1], lostBy(m.boxes[2], false))
	m.wait(5, m.boxes[0])
	// All of them, in the end.
	m.pulse(m.boxes[0], report.Envelope{Leaving: true})
	m.pulse(m.boxes[1], report.Envelope{Leaving: true})
	m.wait(600)
	if f := m.facts(); len(f) != 0 {
		t.Errorf("they were stopped, and the facts are %+v", f)
	}
}

func TestNobodySpeaksForAnotherSite(t *testing.T) {
	m := newMesh(t, "a", "b", "c")
	for _, name := range []string{"y", "z"} {
		liar := m.box(name, 20+len(m.boxes))
		liar.member("ams")
		liar.enroll()
		liar.send()
		m.boxes = append(m.boxes, liar)
	}
	m.wait(10, m.boxes[0])
	m.pulse(m.boxes[3], lostBy(m.boxes[1], false))
	m.pulse(m.boxes[4], lostBy(m.boxes[1], false))
	m.wait(5, m.boxes[0])
	if f := m.facts(); len(f) != 0 {
		t.Errorf("machines of another site are believed: %+v", f)
	}
}

func TestAServerThatStalledBlamesNobody(t *testing.T) {
	m := newMesh(t, "a", "b", "c")
	m.wait(30, m.boxes[0])
	m.lab.pass(10 * time.Minute) // no judging, no hearing
	m.wait(3)
	if f := m.facts(); len(f) != 0 {
		t.Errorf("the server was away, and says %+v", f)
	}
	if _, ok := m.watch.sites["fra"]; !ok || m.watch.members[m.boxes[0].ci].verdict != cluster.Fine {
		t.Error("the site is not known any more")
	}
}

// TestOnlyWhoHoldsTheSitesKeyIsAWitness: agents that say they are of a site, and
// agents with a key of their own, take no host away and keep no dead one alive.
func TestOnlyWhoHoldsTheSitesKeyIsAWitness(t *testing.T) {
	for name, impostor := range map[string]func(b *box){
		"without a proof":  func(b *box) { b.rep.Agent.Site = "fra" },
		"with another key": func(b *box) { b.memberWith("fra", []byte("fedcba9876543210")) },
		"with another's proof": func(b *box) {
			p := cluster.Prove(siteSecret, "fra", "agent-a")
			b.rep.Agent.Site, b.rep.Agent.SiteKey, b.rep.Agent.SiteProof = "fra", p.Key, p.Signature
		},
		"with another site's": func(b *box) {
			p := cluster.Prove(siteSecret, "ams", b.rep.Agent.ID)
			b.rep.Agent.Site, b.rep.Agent.SiteKey, b.rep.Agent.SiteProof = "fra", p.Key, p.Signature
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, "a", "b", "c")
			var liars []*box
			for i := range 3 {
				l := m.box("y"+string(rune('0'+i)), 20+i)
				impostor(l)
				l.enroll()
				l.send()
				liars = append(liars, l)
			}
			m.reopen()
			for _, b := range m.boxes {
				b.send()
			}
			m.wait(10, m.boxes[0])
			for _, l := range liars {
				m.pulse(l, lostBy(m.boxes[1], false))
			}
			m.wait(5, append(liars, m.boxes[0])...)
			if f := m.facts(); len(f) != 0 {
				t.Fatalf("they are believed: %+v", f)
			}
			// The true site still judges, and no pulse of theirs keeps it alive.
			m.pulse(m.boxes[0], lostBy(m.boxes[2], false))
			m.pulse(m.boxes[1], lostBy(m.boxes[2], false))
			m.wait(1, m.boxes[0])
			if f := m.facts(); len(f) != 1 || f[0].CI.ID != m.boxes[2].ci {
				t.Fatalf("a true loss beside them: %+v", f)
			}
			m.wait(400, liars...)
			f := m.facts()
			if len(f) == 0 || f[0].Site != "fra" || f[0].CI != (event.Ref{}) || !f[0].Lost {
				t.Errorf("the site is cut off: %+v", f)
			}
			if n := len(m.open(TaskSiteKey)); name == "with another key" && n != 1 || name != "with another key" && n != 0 {
				t.Errorf("%d tasks about the site's key", n)
			}
		})
	}
}

// TestASitesKeyIsReplacedByItsMembers: a new key comes in force when most members
// show it, or when a person says so.
func TestASitesKeyIsReplacedByItsMembers(t *testing.T) {
	m := newMesh(t, "a", "b", "c")
	next := []byte("fedcba9876543210")
	for _, b := range m.boxes {
		b.memberWith("fra", next)
		b.send()
	}
	m.reopen()
	m.wait(5, m.boxes[0])
	m.pulse(m.boxes[0], lostBy(m.boxes[2], false))
	m.pulse(m.boxes[1], lostBy(m.boxes[2], false))
	m.wait(1)
	if f := m.facts(); len(f) != 1 {
		t.Errorf("after a change of the key nobody is believed: %+v", f)
	}
	if n := len(m.open(TaskSiteKey)); n != 0 {
		t.Errorf("%d tasks", n)
	}
	// Who claimed a site before its members came is put right by a person.
	l := newLab(t)
	squatter := l.box("evil", 9)
	squatter.memberWith("ams", []byte("aaaaaaaaaaaaaaaa"))
	squatter.enroll().send()
	a := l.box("a", 1)
	a.member("ams")
	a.enroll().send()
	tasks := l.open(TaskSiteKey)
	if len(tasks) != 1 {
		t.Fatalf("tasks %+v", tasks)
	}
	if done, _, err := l.AcceptTask(context.Background(), tasks[0].ID, "", "eve"); err != nil || done.Done == "" {
		t.Fatalf("%+v %v", done, err)
	}
	if l.watch.provedBy(a.ci) == "" || l.watch.provedBy(squatter.ci) != "" {
		t.Error("the site's key was not replaced")
	}
}

// TestACloneSaysNoGoodByeForItsOriginal, and its boot is no reboot.
func TestACloneSaysNoGoodByeForItsOriginal(t *testing.T) {
	m := newMesh(t, "a", "b", "c")
	orig := m.boxes[2]
	clone := m.box("c", 2)
	clone.ci, clone.sent = orig.ci, map[string]string{}
	clone.rep.Agent = orig.rep.Agent
	clone.rep.Agent.BootID = "boot-clone"
	m.wait(30, m.boxes[0])
	clone.send()
	m.wait(30, m.boxes[0])
	orig.send()
	m.wait(30, m.boxes[0])
	if r := clone.send(); !r.Forked {
		t.Fatalf("the clone goes on: %+v", r)
	}
	m.wait(100, m.boxes[0])
	orig.send()
	m.pulse(clone, report.Envelope{Leaving: true})
	m.wait(5, m.boxes[0])
	if f := m.facts(); len(f) != 0 {
		t.Fatalf("facts %+v", f)
	}
	m.pulse(m.boxes[0], lostBy(orig, false))
	m.pulse(m.boxes[1], lostBy(orig, false))
	m.wait(1)
	if f := m.facts(); len(f) != 1 || !f[0].Lost {
		t.Errorf("the original's death after its clone was stopped: %+v", f)
	}
	for _, e := range m.events(event.KindChange) {
		if strings.Contains(string(e.Body), "rebooted") {
			t.Errorf("told: %s", e.Body)
		}
	}
}
