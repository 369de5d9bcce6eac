package inventory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/cmdb/report"
)

// sent is one envelope on its way.
type sent struct {
	box int
	env report.Envelope
}

// TestOrderAndRepetitionDoNotMatter: reports of machines that talk to each other,
// share junk identifiers and change over time end in the same CMDB however they
// are delayed, disordered and repeated.
func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 4).Draw(rt, "machines")
		var scripts [][]sent
		var enrol []report.EnrollRequest
		author := newLab(t)
		var boxes []*box
		for i := range n {
			b := author.box(fmt.Sprintf("m-%d", i), i+1)
			if rapid.Bool().Draw(rt, "junk serial") {
				b.rep.Host.SerialNumber = "Default string"
			}
			if rapid.Bool().Draw(rt, "shared disk serial") {
				b.rep.Disks[0].Serial = "SHARED-DISK"
			}
			boxes = append(boxes, b)
			enrol = append(enrol, report.EnrollRequest{Agent: b.rep.Agent, Host: b.rep.Host, MACs: []string{b.rep.Interfaces[0].MAC}})
		}
		for i, b := range boxes {
			var script []sent
			for step := range rapid.IntRange(1, 3).Draw(rt, "reports") {
				author.pass(time.Minute)
				peer := boxes[rapid.IntRange(0, n-1).Draw(rt, "peer")]
				b.rep.Connections = []report.Connection{
					{Direction: "outbound", Protocol: "tcp", PeerAddress: peer.address(), PeerPort: 22, Process: "job", Unit: "job.service"},
					{Direction: "inbound", Protocol: "tcp", LocalPort: 22, PeerAddress: boxes[(i+1)%n].address()},
					{Direction: "outbound", Protocol: "tcp", PeerAddress: fmt.Sprintf("198.51.100.%d", rapid.IntRange(1, 3).Draw(rt, "outside")), PeerPort: 443, Process: "curl"},
				}
				if rapid.Bool().Draw(rt, "listens") {
					b.rep.Listeners = append(b.rep.Listeners[:1:1], report.Listener{Protocol: "tcp", Port: 8000 + step, Process: "app", Unit: "app.service"})
				} else {
					b.rep.Listeners = b.rep.Listeners[:1]
				}
				b.rep.Packages[0].Version = fmt.Sprintf("3.0.%d", rapid.IntRange(1, 4).Draw(rt, "version"))
				b.rep.OS.Kernel = fmt.Sprintf("6.1.0-%d", rapid.IntRange(1, 3).Draw(rt, "kernel"))
				if rapid.Bool().Draw(rt, "renamed") {
					b.rep.Host.Hostname = fmt.Sprintf("m-%d-%d", i, step)
				}
				if rapid.Bool().Draw(rt, "moved by DHCP") {
					b.rep.Interfaces[0].Addresses = []string{fmt.Sprintf("10.1.%d.%d/16", i, step+1)}
				}
				b.sent = map[string]string{} // every envelope is whole: what is lost on the way is the wire's matter
				script = append(script, sent{i, b.envelope()})
			}
			scripts = append(scripts, script)
		}
		play := func(all []sent) string {
			l := newLab(t)
			l.clock = author.now()
			ids := make([]string, n)
			for i, e := range enrol {
				out, err := l.Enroll(context.Background(), e, "")
				if err != nil {
					rt.Fatalf("enrol %d: %v", i, err)
				}
				ids[i] = out.CI.ID
			}
			for _, s := range all {
				r, err := l.Report(context.Background(), ids[s.box], s.env)
				if err != nil || r.Forked || len(r.Rejected) > 0 {
					rt.Fatalf("report of %d: %+v %v", s.box, r, err)
				}
			}
			return l.picture()
		}
		var straight []sent
		for _, s := range scripts {
			straight = append(straight, s...)
		}
		want := play(straight)
		mixed := append([]sent(nil), straight...)
		for range rapid.IntRange(0, 3).Draw(rt, "repeated") {
			mixed = append(mixed, rapid.SampledFrom(straight).Draw(rt, "again"))
		}
		mixed = rapid.Permutation(mixed).Draw(rt, "order")
		if got := play(mixed); got != want {
			rt.Fatalf("in another order:\n%s\n\nwant:\n%s", got, want)
		}
	})
}

// TestASlowClockDoesNotSilenceAnAgent: what a machine reports after its enrolment is
// newer than what it enrolled with, whatever its clock says.
func TestASlowClockDoesNotSilenceAnAgent(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	l.pass(time.Minute)
	a.rep.Host.Hostname, a.rep.OS.Kernel = "shop-1", "6.1.0-99"
	env := a.envelope()
	env.TakenAt = l.now().Add(-3 * time.Hour)
	if r, err := l.Report(context.Background(), a.ci, env); err != nil || len(r.Want) > 0 {
		t.Fatal(r, err)
	}
	if c := l.get(a.ci); c.Name != "shop-1" || c.Attributes.Text("hostname") != "shop-1" || c.Attributes.Text("kernel") != "6.1.0-99" {
		t.Errorf("%s is told as %v", c.Name, c.Attributes)
	}
}
