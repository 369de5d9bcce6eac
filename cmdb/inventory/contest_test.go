package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// open lists the open tasks of a kind.
func (l *lab) open(kind string) []Task {
	l.Helper()
	all, _, err := l.Tasks(context.Background(), false, "", 1000)
	if err != nil {
		l.Fatal(err)
	}
	return slices.DeleteFunc(all, func(t Task) bool { return t.Kind != kind })
}

func (l *lab) tick(minutes int, reporting ...*box) {
	l.Helper()
	for range minutes {
		l.pass(time.Minute)
		for _, b := range reporting {
			b.send()
		}
		if err := l.Tick(context.Background(), l.now()); err != nil {
			l.Fatal(err)
		}
	}
}

// bare is a machine that shows nothing of its hardware.
func (l *lab) bare(name string, n int) *box {
	b := l.box(name, n)
	b.rep.Host.ProductUUID, b.rep.Host.SerialNumber, b.rep.Host.Vendor = "", "", ""
	b.rep.Host.FQDN = ""
	b.rep.Interfaces[0].Kind, b.rep.Disks = "virtual", nil
	return b
}

// TestTwoLiveReportersNeverShareAnItem: what several machines have in common may
// be anything. While each of them reports, each has an item of its own from its
// first minute on, nothing alternates, and one task names them all.
func TestTwoLiveReportersNeverShareAnItem(t *testing.T) {
	cases := map[string]func(l *lab) []*box{
		"clones of one image without firmware data": func(l *lab) []*box {
			var out []*box
			for i := range 3 {
				b := l.bare("golden", 1)
				b.rep.Agent.ID, b.rep.Agent.BootID = fmt.Sprintf("agent-%d", i), fmt.Sprintf("boot-%d", i)
				b.rep.Interfaces[0].Addresses = []string{fmt.Sprintf("10.88.0.%d/24", 201+i)}
				out = append(out, b)
			}
			return out
		},
		"the same, and one boot id, as in namespaces of one kernel": func(l *lab) []*box {
			var out []*box
			for i := range 2 {
				b := l.bare("golden", 1)
				b.rep.Agent.ID, b.rep.Agent.BootID = fmt.Sprintf("agent-%d", i), "boot-one"
				out = append(out, b)
			}
			return out
		},
		"a container that shows its host's firmware": func(l *lab) []*box {
			host, ct := l.box("pve1", 1), l.box("ct105", 2)
			ct.rep.Host.ProductUUID, ct.rep.Host.SerialNumber = host.rep.Host.ProductUUID, host.rep.Host.SerialNumber
			ct.rep.Disks = host.rep.Disks
			ct.rep.Interfaces[0].Kind = "veth"
			return []*box{host, ct}
		},
		"one junk serial number and one dock": func(l *lab) []*box {
			a, b := l.box("lap1", 1), l.box("lap2", 2)
			for _, x := range []*box{a, b} {
				x.rep.Host.SerialNumber, x.rep.Host.ProductUUID = "SystemSerialNumb", ""
				x.rep.Interfaces[0].MAC = "00:50:b6:dd:00:01"
			}
			return []*box{a, b}
		},
		"one cloud instance id": func(l *lab) []*box {
			a, b := l.box("vm1", 1), l.box("vm2", 2)
			for _, x := range []*box{a, b} {
				x.rep.Host.Cloud = &report.Cloud{Provider: "aws", Account: "1", InstanceID: "i-0abc"}
			}
			return []*box{a, b}
		},
		"an impostor that knows name and card": func(l *lab) []*box {
			a, b := l.box("db1", 1), l.box("db1", 1)
			b.rep.Agent.ID, b.rep.Agent.BootID = "agent-evil", "boot-evil"
			b.rep.Host.ProductUUID, b.rep.Host.SerialNumber, b.rep.Host.MachineID = "", "", ""
			return []*box{a, b}
		},
		"an impostor that knows the agent's id": func(l *lab) []*box {
			a, b := l.box("c1", 1), l.box("c1", 1)
			for _, x := range []*box{a, b} {
				x.rep.Host.Container, x.rep.Host.MachineID = true, ""
			}
			b.rep.Agent.BootID = "boot-evil"
			return []*box{a, b}
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			boxes := make(l)
			for _, b := range boxes {
				b.enroll()
				if r := b.send(); r.Forked {
					t.Fatal("a machine with an item of its own was told to fork")
				}
			}
			items := map[string]bool{}
			for _, b := range boxes {
				items[b.ci] = true
			}
			if len(items) != len(boxes) {
				t.Fatalf("%d machines have %d items", len(boxes), len(items))
			}
			tasks := l.open(TaskContested)
			if len(tasks) != 1 || tasks[0].CI != boxes[0].ci || len(tasks[0].Others) != len(boxes)-1 || tasks[0].Verdict == nil || len(tasks[0].Verdict.Contested) == 0 {
				t.Fatalf("tasks %+v", tasks)
			}
			l.reopen()
			l.tick(12, boxes...)
			for _, b := range boxes {
				r := b.send()
				if r.Forked || r.CI != b.ci || len(r.Want) > 0 || len(r.Rejected) > 0 {
					t.Errorf("%s after a quarter of an hour: %+v", b.rep.Agent.ID, r)
				}
				c, err := l.Get(context.Background(), b.ci)
				if err != nil || c.Attributes.Text("agent_id") != b.rep.Agent.ID || c.Attributes.Text("os") == "" {
					t.Errorf("item of %s: %v %v", b.rep.Agent.ID, c.Attributes, err)
				}
			}
			if tasks := l.open(TaskContested); len(tasks) != 1 || tasks[0].Count != len(boxes)-1 {
				t.Errorf("tasks in the end: %+v", tasks)
			}
			if n := len(l.open(TaskConflict)); n > 0 {
				t.Errorf("%d conflicts", n)
			}
		})
	}
}

// TestWhatStoodOnTwoLiveMachinesDoesNotIdentifyAThird: it is learned, and stays so
// when one of the two is switched off and the server restarted.
func TestWhatStoodOnTwoLiveMachinesDoesNotIdentifyAThird(t *testing.T) {
	l := newLab(t)
	junk := func(name string, n int) *box {
		b := l.box(name, n)
		b.rep.Host.SerialNumber, b.rep.Host.ProductUUID = "0123-BOARD", "" // in no list
		b.rep.Interfaces[0].MAC = "00:50:b6:dd:00:01"
		return b
	}
	a, b := junk("lap1", 1).enroll(), junk("lap2", 2).enroll()
	a.send()
	b.send()
	a.send()
	l.tick(10, a)
	l.pass(30 * 24 * time.Hour)
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	if c := junk("lap3", 3).enroll(); c.ci == a.ci || c.ci == b.ci {
		t.Error("a third box took the item of one that had shared its junk serial number")
	}
}

// TestAReimagedMachineComesBack: within the cooldown it has an item of its own; when
// the installation before stays silent it is the same asset, by itself or because
// a person says so.
func TestAReimagedMachineComesBack(t *testing.T) {
	ctx := context.Background()
	for _, by := range []string{"time", "a person", "a merge"} {
		t.Run(by, func(t *testing.T) {
			l := newLab(t)
			old := l.box("web-1", 1).enroll()
			old.send()
			l.upsert(Item{ID: old.ci, Class: "host", Name: "web-1", Attributes: cmdb.Attributes{"owner": "team-web"}}, "person:eve")
			l.pass(2 * time.Minute)
			fresh := l.box("web-1", 1)
			fresh.rep.Agent.ID, fresh.rep.Agent.BootID, fresh.rep.Host.MachineID = "agent-2", "boot-2", fmt.Sprintf("%032x", 0xfefe01)
			fresh.enroll()
			fresh.send()
			if fresh.ci == old.ci {
				t.Fatal("the credential of an agent that was heard two minutes ago was taken over")
			}
			tasks := l.open(TaskContested)
			if len(tasks) != 1 {
				t.Fatalf("tasks %+v", tasks)
			}
			switch by {
			case "time":
				l.tick(7, fresh)
			case "a person":
				if _, ci, err := l.AcceptTask(ctx, tasks[0].ID, "", "eve"); err != nil || ci != old.ci {
					t.Fatalf("accepted: %s %v", ci, err)
				}
			case "a merge":
				if _, err := l.Merge(ctx, old.ci, fresh.ci, "eve", false); fault.KindOf(err) != fault.Conflict {
					t.Fatalf("two machines that report were merged: %v", err)
				}
				if _, err := l.Merge(ctx, old.ci, fresh.ci, "eve", true); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // what is asked for goes with the next report
				r := fresh.send()
				for _, name := range r.Want {
					delete(fresh.sent, name)
				}
				if r.Forked {
					t.Fatal("the machine was told to fork")
				}
			}
			r := fresh.send()
			if by != "a merge" && r.CI != old.ci {
				t.Errorf("it reports for %s, want %s", r.CI, old.ci)
			}
			c, err := l.Get(ctx, r.CI)
			if err != nil || c.Attributes.Text("owner") != "team-web" || c.Attributes.Text("machine_id") != fresh.rep.Host.MachineID || c.Attributes.Text("agent_id") != "agent-2" {
				t.Errorf("the item: %v %v", c.Attributes, err)
			}
			if n := len(l.hosts()); n != 1 {
				t.Errorf("%d hosts", n)
			}
			if tasks := l.open(TaskContested); len(tasks) != 0 {
				t.Errorf("tasks %+v", tasks)
			}
			reimaged := 0
			for _, e := range l.events(event.KindChange) {
				if strings.Contains(string(e.Body), `"reimaged"`) {
					reimaged++
				}
			}
			if by != "a merge" && reimaged != 1 {
				t.Errorf("%d facts of a reimage", reimaged)
			}
			// The installation before comes back all the same: it was a machine of its own.
			l.pass(time.Minute)
			old.send()
			if r := fresh.send(); by == "time" && !r.Forked {
				t.Errorf("two machines report for one item: %+v", r)
			}
		})
	}
}

func (l *lab) hosts() []cmdb.CI {
	l.Helper()
	p, err := l.List(context.Background(), ListQuery{Query: "class:host", Limit: 1000})
	if err != nil {
		l.Fatal(err)
	}
	return p.Items
}

// TestALostAnswerToAnEnrolmentIsNoImpostor: the agent asks again, before its first report.
func TestALostAnswerToAnEnrolmentIsNoImpostor(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	first := a.ci
	if a.enroll(); a.ci != first {
		t.Errorf("the second attempt made another item: %s, %s", first, a.ci)
	}
}

// TestASwappedBoardIsProposed: the agent's state and the disks are on other
// firmware now. Nobody but a person can tell that from a copied disk, and once the
// item before stays silent there is something to tell.
func TestASwappedBoardIsProposed(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	l.pass(20 * time.Minute)
	a.rep.Host.ProductUUID, a.rep.Host.SerialNumber, a.rep.Agent.BootID = "a1b2c3d4-0000-4000-8000-00000000beef", "NEWBOARD1", "boot-2"
	a.rep.Interfaces[0].MAC = "00:16:3e:99:00:01"
	was := a.ci
	r := a.send()
	if !r.Forked {
		t.Fatalf("other firmware under one credential was taken: %+v", r)
	}
	a.rep.Agent.ID, a.sent, a.rep.Agent.Sequence = "agent-2", map[string]string{}, 0
	a.enroll()
	a.send()
	if a.ci == was {
		t.Fatal("one item")
	}
	if p := l.open(TaskClone); len(p) != 1 || len(p[0].Others) != 1 || p[0].Others[0] != a.ci {
		t.Errorf("clone tasks %+v", p)
	}
	l.tick(7, a)
	p := l.open(TaskProposal)
	if len(p) != 1 || !slices.Contains(append(p[0].Others, p[0].CI), was) {
		t.Fatalf("proposals %+v", p)
	}
	if _, ci, err := l.AcceptTask(context.Background(), p[0].ID, "", "eve"); err != nil || ci == "" {
		t.Errorf("accept: %v", err)
	}
}

// TestRowsMeetTheirAgents: a name or an address proposes, an identifier joins,
// whichever of the two came first; never two items without a word.
func TestRowsMeetTheirAgents(t *testing.T) {
	rows := map[string]struct {
		item  Item
		joins bool
	}{
		"name":                {Item{Name: "app-1"}, false},
		"name in capitals":    {Item{Name: "APP-1"}, false},
		"full name":           {Item{Name: "app-1.example.com"}, false},
		"hostname":            {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"hostname": "app-1"}}, false},
		"address":             {Item{Name: "rack 7 slot 3", Attributes: cmdb.Attributes{"addresses": []string{"10.0.0.2"}}}, false},
		"address for a name":  {Item{Name: "10.0.0.2"}, false},
		"serial number":       {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"serial_number": "sn-70001"}}, true},
		"serial and maker":    {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"serial_number": "SN-70001", "vendor": "Acme Inc."}}, true},
		"UUID":                {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"product_uuid": "A1B2C3D4-0000-4000-8000-000000DD0001"}}, true},
		"UUID, bytes swapped": {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"product_uuid": "d4c3b2a1-0000-0040-8000-000000dd0001"}}, true},
		"card":                {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"macs": []string{"00-16-3E-00-00-01"}}}, true},
		"asset tag":           {Item{Name: "asset 4711", Attributes: cmdb.Attributes{"asset_tag": "IT-004711"}}, true},
	}
	for name, row := range rows {
		for _, order := range []string{"row first", "agent first"} {
			t.Run(name+", "+order, func(t *testing.T) {
				l := newLab(t)
				row.item.Class = "host"
				a := l.box("app-1", 1)
				a.rep.Host.AssetTag = "IT-004711"
				if order == "row first" {
					l.upsert(row.item, "import:list")
					a.enroll()
					a.send()
				} else {
					a.enroll()
					a.send()
					l.upsert(row.item, "import:list")
				}
				hosts, tasks := l.hosts(), l.open(TaskProposal)
				joined := row.joins || order == "agent first" && strings.EqualFold(row.item.Name, "app-1") // an import finds items by class and name, in which capitals of machines mean nothing
				if joined && (len(hosts) != 1 || len(tasks) != 0) || !joined && (len(hosts) != 2 || len(tasks) != 1) {
					t.Errorf("%d hosts, tasks %+v", len(hosts), tasks)
				}
			})
		}
	}
	t.Run("namesakes of two domains", func(t *testing.T) {
		l := newLab(t)
		l.upsert(Item{Class: "host", Name: "app-1.other.org"}, "import:list")
		l.box("app-1", 1).enroll().send()
		if p := l.open(TaskProposal); len(p) != 0 {
			t.Errorf("proposed: %+v", p)
		}
	})
}

// TestADiskThatTwoLiveMachinesShowProposesNothing: hypervisors number their disks.
func TestADiskThatTwoLiveMachinesShowProposesNothing(t *testing.T) {
	l := newLab(t)
	a, b := l.box("web-1", 1), l.box("lb-1", 2)
	b.rep.Disks = a.rep.Disks
	a.enroll().send()
	b.enroll().send()
	if p := l.open(TaskProposal); len(p) != 0 {
		t.Errorf("proposed: %+v", p)
	}
}

func TestRemovingWhatLivesOrHoldsIsRefused(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	a := l.box("web-1", 1).enroll()
	a.send()
	if err := l.CheckRemove(a.ci); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "force") {
		t.Errorf("a host that reports: %v", err)
	}
	rack, _, err := l.Upsert(ctx, Item{Class: "rack", Name: "r7"}, "person:eve")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckRemove(rack.ID); err != nil {
		t.Errorf("an empty rack: %v", err)
	}
	if err := l.Relate(ctx, Link{From: event.Ref{ID: a.ci}, Type: "located_in", To: event.Ref{ID: rack.ID}}, "person:eve"); err != nil {
		t.Fatal(err)
	}
	if err := l.CheckRemove(rack.ID); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "web-1") {
		t.Errorf("a rack with a host in it: %v", err)
	}
	l.pass(time.Hour)
	if err := l.CheckRemove(a.ci); err != nil {
		t.Errorf("a host that is silent: %v", err)
	}
}
