package inventory

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

func (b *box) grow(listeners, containers, certificates, peers int) {
	for i := range listeners {
		b.rep.Listeners = append(b.rep.Listeners, report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 1024 + i, Process: fmt.Sprintf("p%d", i)})
	}
	for i := range containers {
		b.rep.Containers = append(b.rep.Containers, report.Container{ID: fmt.Sprintf("%064x", i), Name: fmt.Sprintf("c%d", i), Runtime: "docker", State: "running"})
	}
	for i := range certificates {
		b.rep.Certificates = append(b.rep.Certificates, report.Certificate{Fingerprint: fmt.Sprintf("%064x", i), Subject: fmt.Sprintf("CN=x%d", i), Location: fmt.Sprintf("/etc/x/%d", i)})
	}
	for i := range peers {
		b.rep.Connections = append(b.rep.Connections, report.Connection{Direction: "outbound", Protocol: "tcp", LocalAddress: b.address(), PeerAddress: fmt.Sprintf("10.%d.%d.%d", 9+i/62500, i/250%250, i%250+1), PeerPort: 443, Process: "p1", Unit: "p1.service", Count: 1})
	}
}

func (l *lab) found(query string) int {
	l.Helper()
	ids, err := l.Matching(context.Background(), query, 100_000)
	if err != nil {
		l.Fatal(err)
	}
	return len(ids)
}

// TestALargeHostIsTakenAPartAtATime: its report is taken whole, however much it
// makes, and so are its silence and its removal.
func TestALargeHostIsTakenAPartAtATime(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	big := l.box("big", 1)
	big.grow(700, 1200, 1200, 700)
	big.enroll()
	if r := big.send(); len(r.Rejected) > 0 || len(r.Want) > 0 {
		t.Fatalf("reply %+v", r)
	}
	if c, d := l.found("class:container"), l.found("class:certificate"); c != 1200 || d != 1200 {
		t.Errorf("%d containers, %d certificates", c, d)
	}
	if n := l.found("class:service"); n < 701 {
		t.Errorf("%d services", n)
	}
	if n := len(l.unfinished()); n != 0 {
		t.Errorf("%d machines are not finished", n)
	}
	// All of it changes: the host gets another name.
	big.rep.Host.Hostname = "bigger"
	big.send()
	if n := l.found("class:container name:c7@bigger"); n != 1 {
		t.Errorf("%d containers under the new name", n)
	}
	// Most of it goes, then the host.
	big.rep.Containers = big.rep.Containers[:10]
	big.send()
	l.pass(400 * 24 * time.Hour)
	for range 3 {
		if err := l.Tick(ctx, l.now()); err != nil {
			t.Fatalf("its silence: %v", err)
		}
	}
	if n := l.found("liveness:seen"); n != 0 {
		t.Errorf("%d items are seen on a host that is gone", n)
	}
	if err := l.Remove(ctx, big.ci, "person:eve"); err != nil && !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("its removal: %v", err)
	}
	if n := l.found("class:certificate"); n != 0 {
		t.Errorf("%d certificates are left", n)
	}
}

// TestALargeHostIsFinishedAfterACrash between two parts.
func TestALargeHostIsFinishedAfterACrash(t *testing.T) {
	l := newLab(t)
	big := l.box("big", 1)
	big.grow(0, 1500, 0, 0)
	big.enroll()
	env := big.envelope()
	in := incoming{env: &env, rejected: map[string]string{}, fresh: map[string]*content{}}
	for name, s := range env.Sections {
		c, err := decodeSection(name, s)
		if err != nil {
			t.Fatal(err)
		}
		in.fresh[name] = c
	}
	if err := l.do(context.Background(), func(b *batch) error { _, err := b.report(big.ci, in); return err }); err != nil {
		t.Fatal(err)
	}
	if n := l.found("class:container"); n == 0 || n == 1500 {
		t.Fatalf("%d containers in the first part", n)
	}
	l.reopen()
	if err := l.Tick(context.Background(), l.now()); err != nil {
		t.Fatal(err)
	}
	if n := l.found("class:container"); n != 1500 {
		t.Errorf("%d containers in the end", n)
	}
}

// TestWhatIsTooMuchIsCutWithAReason: nothing else of the report is lost.
func TestWhatIsTooMuchIsCutWithAReason(t *testing.T) {
	l := newLab(t)
	big := l.box("big", 1)
	big.grow(0, 0, 5_000, 0)
	big.enroll()
	if r := big.send(); len(r.Rejected) > 0 {
		t.Fatalf("rejected %v", r.Rejected)
	}
	if n := l.found("class:certificate"); n != maxFound {
		t.Errorf("%d certificates", n)
	}
	states, err := l.Sections(context.Background(), big.ci)
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, s := range states {
		if s.Name == report.SectionCertificates {
			said = len(s.Problems) == 1 && strings.Contains(s.Problems[0].Reason, "5000")
		}
	}
	if !said {
		t.Errorf("no reason stands there: %+v", states)
	}
	if c, err := l.Get(context.Background(), big.ci); err != nil || c.Attributes.Text("os") == "" || c.Liveness != cmdb.Seen {
		t.Errorf("the rest of the report: %v %v", c.Attributes, err)
	}
	start := time.Now()
	l.box("other", 2).enroll().send()
	t.Logf("another host's report took %s", time.Since(start))
}
