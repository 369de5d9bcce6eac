package cluster_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/watchbill/watchbill/internal/cluster"
)

// estate is some members of one mesh in memory, and what they testify.
type estate struct {
	t       *testing.T
	wire    *wire
	members []*cluster.Mesh
	places  []*atomic.Int64 // the plug that each member's next start gets
	gone    chan cluster.Testimony
}

func newEstate(t *testing.T, count int) *estate {
	e := &estate{t: t, wire: &wire{members: make(map[string]*plug)}, gone: make(chan cluster.Testimony, 1000)}
	for i := range count {
		place := &atomic.Int64{}
		place.Store(int64(i))
		e.places = append(e.places, place)
		options := cluster.Options{
			Name: fmt.Sprint("agent-", i), Site: "fra", Key: key,
			Transport: func() memberlist.Transport { return e.wire.plug(int(place.Load())) },
			Addresses: func() []netip.Addr { return []netip.Addr{addressOf(int(place.Load()))} },
			Knock:     func(context.Context, string) bool { return false },
		}
		if i > 0 {
			options.Join = []string{e.members[0].Address()}
		}
		m, err := cluster.New(options)
		if err != nil {
			t.Fatal(err)
		}
		e.members = append(e.members, m)
		go func() {
			for {
				select {
				case tm := <-m.Testimonies():
					if tm.Gone {
						e.gone <- tm
					}
				case <-t.Context().Done():
					return
				}
			}
		}()
	}
	e.complete(time.Minute)
	time.Sleep(time.Minute)
	return e
}

func addressOf(n int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", n/250, n%250+1))
}

func (e *estate) complete(most time.Duration) {
	e.t.Helper()
	waitFor(e.t, most, func() bool {
		return !slices.ContainsFunc(e.members, func(m *cluster.Mesh) bool { return len(m.Members()) != len(e.members) })
	})
}

// unplug takes what lies at a place off the wire: nothing reaches it any more.
func (e *estate) unplug(n int) *plug {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	address := net.JoinHostPort(addressOf(n).String(), "7471")
	p := e.wire.members[address]
	delete(e.wire.members, address)
	return p
}

func (e *estate) told(about string) (out []cluster.Testimony) {
	for len(e.gone) > 0 {
		if tm := <-e.gone; about == "" || tm.About == about {
			out = append(out, tm)
		}
	}
	return out
}

func (e *estate) end() {
	for _, m := range e.members {
		_ = m.Kill()
	}
	time.Sleep(2 * time.Minute)
}

func TestRenumberedHostIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, 6)
		defer e.end()
		// The host gets another address while its agent runs: the old one answers nobody.
		e.places[2].Store(100)
		e.unplug(2)
		time.Sleep(10 * time.Minute)
		if told := e.told(""); len(told) > 0 {
			t.Errorf("%d testimonies of a death after a host was renumbered: %+v", len(told), told)
		}
		if at := e.members[2].Address(); !strings.HasPrefix(at, addressOf(100).String()+":") {
			t.Errorf("the member tells the address %s", at)
		}
		e.complete(time.Second)
		// And it is still watched: its death is told.
		e.unplug(100).cut.Store(true)
		time.Sleep(time.Minute)
		if told := e.told("agent-2"); len(told) < 2 {
			t.Errorf("the renumbered host died, and %d members told of it", len(told))
		}
	})
}

// TestHostRenumberedBehindTheirBack has the others miss the word that it moves.
func TestHostRenumberedBehindTheirBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, 5)
		defer e.end()
		lost := e.unplug(1)
		lost.cut.Store(true)
		time.Sleep(40 * time.Second) // dead, rightly: nothing of it was heard
		if told := e.told("agent-1"); len(told) < 2 {
			t.Fatalf("a host without a network was told by %d members", len(told))
		}
		e.places[1].Store(101)
		e.complete(2 * time.Minute)
		time.Sleep(10 * time.Minute)
		if told := e.told("agent-1"); len(told) > 0 {
			t.Errorf("it is back under another address, and still told as dead: %+v", told)
		}
	})
}

func TestForkedAgentTakesItsNameAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, 4)
		defer e.end()
		// A clone of agent-3 comes up, and is told to be another one.
		clone, err := cluster.New(cluster.Options{
			Name: "agent-3", Site: "fra", Key: key, Join: []string{e.members[0].Address()},
			Transport: func() memberlist.Transport { return e.wire.plug(50) }, Knock: func(context.Context, string) bool { return false },
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		clone.Rename("agent-new")
		e.members = append(e.members, clone)
		e.complete(time.Minute)
		time.Sleep(5 * time.Minute)
		for _, m := range e.members {
			if !slices.Contains(m.Members(), "agent-new") || !slices.Contains(m.Members(), "agent-3") {
				t.Errorf("members %v", m.Members())
			}
		}
		if told := e.told(""); len(told) > 0 {
			t.Errorf("a fork was told as a death: %+v", told)
		}
		// The original dies: that is told, of it alone.
		e.unplug(3).cut.Store(true)
		time.Sleep(time.Minute)
		if told := e.told("agent-3"); len(told) < 2 {
			t.Errorf("the original died, and %d members told", len(told))
		}
		_ = e.members[3].Kill()
		e.members = slices.Delete(e.members, 3, 4)
	})
}

// TestMemberThatCannotBeReachedStandsAside is about a host that the others can hear and
// not reach: each refuted death would be an alert.
func TestMemberThatCannotBeReachedStandsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, 5)
		defer e.end()
		e.unplug(4) // it may still send
		alive := 0
		for range 60 {
			time.Sleep(time.Second)
			select {
			case <-e.members[4].Alive():
				alive++
			default:
			}
		}
		if alive == 0 {
			t.Error("it was held dead and did not say that it lives")
		}
		time.Sleep(4 * time.Minute)
		e.told("")
		time.Sleep(5 * time.Minute)
		if told := e.told("agent-4"); len(told) > 0 {
			t.Errorf("it stood aside and is told as dead %d times more", len(told))
		}
	})
}
