package probe_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

func TestForwards(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, "proc/net", name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("nf_conntrack", `ipv4     2 tcp      6 431999 ESTABLISHED src=10.88.0.21 dst=10.88.0.71 sport=40010 dport=8080 src=10.89.0.2 dst=10.88.0.21 sport=8000 dport=40010 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 100 TIME_WAIT src=10.88.0.22 dst=10.88.0.71 sport=40011 dport=8080 src=10.89.0.2 dst=10.88.0.22 sport=8000 dport=40011 [ASSURED] mark=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=10.89.0.2 dst=10.88.0.51 sport=50000 dport=5432 src=10.88.0.51 dst=10.88.0.71 sport=5432 dport=50000 [ASSURED] mark=0 use=2
ipv4     2 udp      17 29 src=10.88.0.21 dst=10.88.0.71 sport=5555 dport=53 src=10.89.0.3 dst=10.88.0.21 sport=5353 dport=5555 mark=0 use=2
ipv4     2 tcp      6 50 ESTABLISHED src=10.1.0.9 dst=10.96.0.1 sport=5555 dport=443 src=10.1.0.4 dst=10.1.0.9 sport=6443 dport=5555 mark=0 use=2
ipv6     10 tcp      6 50 ESTABLISHED src=fd00::9 dst=fd00::71 sport=5555 dport=443 src=fd00::4 dst=fd00::9 sport=8443 dport=5555 mark=0 use=2
ipv4     2 icmp     1 29 src=10.88.0.21 dst=10.88.0.71 type=8 code=0 id=5 src=10.88.0.71 dst=10.88.0.21 type=0 code=0 id=5 mark=0 use=2
rubbish
`)
	write("ip_vs", `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A580047:0050 rr
  -> 0A590002:1F90      Masq    1      0          0
  -> 0A590003:1F90      Masq    1      0          0
FWM  00000001 rr
  -> 0A590004:1F90      Masq    1      0          0
`)
	got, problems := probe.Forwards(probe.NewTree(dir), []netip.Addr{netip.MustParseAddr("10.88.0.71"), netip.MustParseAddr("fd00::71")})
	var names []string
	for _, f := range got {
		names = append(names, f.Protocol+" "+f.At.String()+" "+f.To.String())
	}
	slices.Sort(names)
	want := []string{
		"tcp 10.88.0.71:80 10.89.0.2:8080", "tcp 10.88.0.71:80 10.89.0.3:8080",
		"tcp 10.88.0.71:8080 10.89.0.2:8000", "tcp [fd00::71]:443 [fd00::4]:8443", "udp 10.88.0.71:53 10.89.0.3:5353",
	}
	if !slices.Equal(names, want) || len(problems) != 0 {
		t.Errorf("%q %v, want %q", names, problems, want)
	}
}
