package probe_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/agent/probe"
)

// TestConnectionsBetweenTwoSamples opens and closes connections that no sample can
// meet, and expects the kernel to have told of them, with their owner where one was
// open for a moment.
func TestConnectionsBetweenTwoSamples(t *testing.T) {
	need(t, os.Getuid() == 0, "root (the kernel tells of closed sockets with CAP_NET_ADMIN)")
	tree := probe.NewTree("/")
	l := listenOn(t, "tcp4", "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	names, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	// Refused: listened on once, not any more.
	gone := listenOn(t, "tcp4", "127.0.0.1:0")
	gone.Close()
	ports := map[string]uint16{"reset": port(l.Addr()), "UDP": port(names.LocalAddr()), "refused": port(gone.Addr())}

	b := probe.NewBrief(tree)
	ctx, cancel := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	beside.Go(func() { b.Run(ctx) })
	defer beside.Wait()
	defer cancel()
	seen := map[string]bool{}
	owner := ""
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) && (!seen["reset"] || !seen["UDP"] || owner == "") {
		for range 5 {
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
			if c, err := net.Dial("udp4", names.LocalAddr().String()); err == nil {
				_, _ = c.Write([]byte("x"))
				c.Close()
			}
			if c, err := net.Dial("tcp4", gone.Addr().String()); err == nil {
				c.Close()
				t.Fatal("somebody listens where nobody should")
			}
		}
		// One that stays for a quarter of a second: nothing for a sample twice a minute.
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		hold := time.NewTimer(250 * time.Millisecond)
		<-hold.C
		c.Close()
		edges, problems := b.Take()
		if len(problems) != 0 {
			t.Skipf("SKIPPED, this kernel does not tell of closed sockets: %v", problems)
		}
		for _, e := range edges {
			for kind, p := range ports {
				if e.PeerPort != p || e.Inbound {
					continue
				}
				seen[kind] = true
				if kind == "reset" && e.Process != "" {
					owner = e.Process
				}
				if want := uint8(unix.IPPROTO_UDP); kind == "UDP" && e.Protocol != want {
					t.Errorf("%+v is not UDP", e)
				}
			}
		}
	}
	if !seen["reset"] || !seen["UDP"] || owner == "" || seen["refused"] {
		t.Errorf("seen %v, owner %q: want what was reset and the datagrams, not what was refused", seen, owner)
	}
}

func port(a net.Addr) uint16 {
	switch a := a.(type) {
	case *net.TCPAddr:
		return uint16(a.Port)
	case *net.UDPAddr:
		return uint16(a.Port)
	}
	return 0
}
