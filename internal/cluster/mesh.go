package cluster

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// Options make a member of a mesh.
type Options struct {
	Name string // the agent's id
	Site string // members of other sites are not let in
	// Key encrypts and authenticates everything between members: 16, 24 or 32
	// bytes, the same for the whole site.
	Key     []byte
	Bind    string   // address and port to listen on
	Join    []string // some members' addresses; unreachable ones are no error
	Address string   // advertised instead of the bound one; "" for that
	// Connections counts this host's live connections with an address; nil for
	// a member that cannot tell.
	Connections func(address string) int
	// Transport makes what replaces the network in tests, for each start of the member;
	// nil for UDP and TCP.
	Transport func() memberlist.Transport
	// Addresses are the host's own; nil to ask the kernel.
	Addresses func() []netip.Addr
	// Log hears what the member does about itself; nil for nobody.
	Log *slog.Logger
	// Knock says whether the host at an agent's address is up; nil to try a
	// connection to its port.
	Knock func(ctx context.Context, address string) bool
	// Now is the clock; nil for the wall's.
	Now func() time.Time
}

const (
	witnessCount  = 3
	speakerCount  = 2
	knockPatience = 2 * time.Second
	leavePatience = 2 * time.Second
	// look is how often a member looks whether a loss has become its to tell,
	// because who should have told is lost too.
	look = time.Second
	// A loss that stands is told again, for a server that did not hear or has
	// forgotten; after lossMemory it is the server's to know.
	repeat     = time.Minute
	lossMemory = time.Hour
	// reconnect is how often a member tries those it has lost, and, where it is alone,
	// those it was to join: memberlist gives up on the dead after half a minute, and
	// two halves of a site would never find each other again.
	reconnect     = 30 * time.Second
	reconnectMost = 3
)

// Mesh is one running member. Its methods are safe for concurrent use.
type Mesh struct {
	options Options
	member  atomic.Pointer[member]
	meta    meta
	testify chan Testimony
	events  chan memberlist.NodeEvent
	alive   chan struct{}
	refuted chan struct{}
	words   chan string
	rename  chan string
	stop    context.CancelFunc
	ended   <-chan struct{}
	watched chan struct{} // closed when watch has ended
	done    sync.WaitGroup

	// Of watch alone, and of who comes after it.
	held       []time.Time // when the others held this member dead
	asideUntil time.Time
	pending    func() // what is to be tried again, nil for nothing
}

// New starts a member and joins the others. A member that finds nobody runs
// alone and is found by those that know it.
func New(options Options) (*Mesh, error) {
	switch len(options.Key) {
	case 16, 24, 32:
	default:
		return nil, fmt.Errorf("mesh key is %d bytes: it must be 16, 24 or 32 random bytes, the same for the whole site", len(options.Key))
	}
	if options.Name == "" || options.Site == "" {
		return nil, errors.New("a mesh member needs its agent's id and a site")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Knock == nil {
		options.Knock = knock
	}
	if options.Addresses == nil {
		options.Addresses = hostAddresses
		if options.Transport != nil {
			options.Addresses = func() []netip.Addr { return nil } // a network of its own
		}
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Mesh{
		options: options, testify: make(chan Testimony, 64), events: make(chan memberlist.NodeEvent, 4096),
		alive: make(chan struct{}, 1), refuted: make(chan struct{}, 1), words: make(chan string, 256), rename: make(chan string, 1), stop: stop, ended: ctx.Done(), watched: make(chan struct{}),
	}
	m.meta.refuted, m.meta.words = m.refuted, m.words
	if err := m.begin(options.Name, nil); err != nil {
		stop()
		return nil, err
	}
	m.done.Add(1)
	go func() {
		defer m.done.Done()
		defer close(m.watched)
		m.watch(ctx)
	}()
	return m, nil
}

// create starts memberlist. targets are members that will be joined.
func (m *Mesh) create(name string, targets []string) (*memberlist.Memberlist, error) {
	options := m.options
	config := memberlist.DefaultLANConfig()
	config.Name, config.SecretKey = name, options.Key
	// The label is authenticated: meshes that share a network by accident, and
	// even a key, do not merge.
	config.Label = label(options.Site)
	config.Events = &memberlist.ChannelEventDelegate{Ch: m.events}
	config.Delegate = &m.meta
	config.LogOutput, config.Logger = nil, log.New(rumours{&m.meta}, "", 0)
	config.DeadNodeReclaimTime = reclaim
	// Half the default's chatter: news then needs a second more to go round,
	// which the suspicion time hides.
	config.GossipInterval = 500 * time.Millisecond
	// A suspect has 3 s × log10(members) to answer, 9 s among 1,000: with a fourth
	// the server would not know within 20 s. A member that was only slow is back
	// before it costs anything: its host answers the witnesses' knock, and the server
	// takes that for a lost agent.
	config.SuspicionMult = 3
	config.EnableCompression = false
	if options.Transport != nil {
		config.Transport = options.Transport()
	} else {
		host, port, err := splitAddress(options.Bind)
		if err != nil {
			return nil, err
		}
		config.BindAddr, config.BindPort, config.AdvertisePort = host, port, port
		config.AdvertiseAddr = m.advertised(targets)
	}
	list, err := memberlist.Create(config)
	if err != nil {
		return nil, fmt.Errorf("start mesh member: %w", err)
	}
	return list, nil
}

func label(site string) string {
	const longest = 200 // memberlist allows 255
	name := "watchbill/" + site
	return name[:min(len(name), longest)]
}

func splitAddress(address string) (string, int, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("mesh address %q: give host and port, e.g. 0.0.0.0:7471", address)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("mesh address %q: %q is no port", address, portText)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, port, nil
}

// Testimonies is where the member tells what it saw of others, when it is one
// of those who should.
func (m *Mesh) Testimonies() <-chan Testimony { return m.testify }

// Members lists the names of the members that are alive, this one too.
func (m *Mesh) Members() []string {
	nodes := m.list().Members()
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	return out
}

// Address is where the others find this member.
func (m *Mesh) Address() string { return m.list().LocalNode().Address() }

// Join adds members found later.
func (m *Mesh) Join(addresses []string) error {
	if _, err := m.list().Join(addresses); err != nil {
		return fmt.Errorf("join mesh: %w", err)
	}
	return nil
}

// loss is a member that is not alive any more. That it stopped on purpose the mesh
// cannot tell, memberlist reports both alike: the server knows, which was told.
type loss struct {
	address string
	since   time.Time
	excused time.Time // until when it may be away: it said so
	told    time.Time // zero while it is others' to tell
}

func (m *Mesh) watch(ctx context.Context) {
	losses := make(map[string]*loss)
	excused := make(map[string]time.Time)
	ticker, again, address := time.NewTicker(look), time.NewTicker(reconnect), time.NewTicker(addressEvery)
	defer ticker.Stop()
	defer again.Stop()
	defer address.Stop()
	for {
		m.meta.misses(losses)
		select {
		case <-ctx.Done():
			return
		case <-m.refuted:
			if m.pending == nil {
				if m.heldDead(m.options.Now()); !m.asideUntil.IsZero() {
					clear(losses) // who does not take part has seen nothing
				}
			}
		case text := <-m.words:
			m.excuse(excused, losses, text)
		case name := <-m.rename:
			if m.pending == nil {
				m.restart(name, "", "this agent goes on under another id")
			} else {
				m.pending = func() { m.again(name, nil, "this agent goes on under another id") }
			}
		case <-address.C:
			switch {
			case m.pending != nil:
				m.pending()
			case m.movable():
				m.moved()
			}
		case e := <-m.events:
			name := e.Node.Name
			switch {
			case name == m.name() || e.Event == memberlist.NodeUpdate:
			case e.Event == memberlist.NodeJoin:
				// An excuse goes on: late news of the leave may still go round.
				if l := losses[name]; l != nil {
					delete(losses, name)
					if !l.told.IsZero() || m.chosen(name) {
						m.tell(ctx, name, *l, false)
					}
				}
			case string(e.Node.Meta) == metaAside || m.pending != nil:
				// It lives, and says itself that it is not to be watched.
			default:
				for len(m.words) > 0 {
					m.excuse(excused, losses, <-m.words)
				}
				now := m.options.Now()
				l := &loss{address: e.Node.Address(), since: now, excused: excused[name]}
				if string(e.Node.Meta) == metaMoving {
					l.excused = now.Add(moveGrace)
				}
				losses[name] = l
				m.testifyOf(ctx, name, l)
			}
		case <-ticker.C:
			for name, l := range losses {
				if m.options.Now().Sub(l.since) > lossMemory {
					delete(losses, name)
					continue
				}
				m.testifyOf(ctx, name, l)
			}
		case <-again.C:
			if m.pending != nil {
				continue
			}
			var targets []string
			for _, l := range losses { // the map's order shares the work among the members
				if targets = append(targets, l.address); len(targets) == reconnectMost {
					break
				}
			}
			if m.list().NumMembers() == 1 {
				targets = append(targets, m.options.Join...)
			}
			if len(targets) > 0 {
				list := m.list()
				m.done.Add(1)
				go func() { // an address that is gone answers nothing for seconds
					defer m.done.Done()
					_, _ = list.Join(targets)
				}()
			}
		}
	}
}

// testifyOf tells of a loss if it is this member's to tell, and time.
func (m *Mesh) testifyOf(ctx context.Context, name string, l *loss) {
	now := m.options.Now()
	if now.Before(l.excused) {
		return
	}
	if !l.told.IsZero() && now.Sub(l.told) < repeat || l.told.IsZero() && !m.chosen(name) {
		return
	}
	l.told = now
	m.tell(ctx, name, *l, true)
}

// tell looks at a host and says what became of it. A knock takes seconds, and
// many may be lost at once: each has its own goroutine.
func (m *Mesh) tell(ctx context.Context, name string, l loss, gone bool) {
	m.done.Add(1)
	go func() {
		defer m.done.Done()
		t := Testimony{Witness: m.name(), About: name, At: m.options.Now(), Gone: gone}
		if gone {
			t.Answers = m.options.Knock(ctx, l.address)
			if m.options.Connections != nil {
				host, _, _ := net.SplitHostPort(l.address)
				t.Connections = m.options.Connections(host)
			}
		}
		select {
		case m.testify <- t:
		case <-ctx.Done():
		}
	}()
}

func (m *Mesh) chosen(about string) bool {
	return slices.Contains(Witnesses(about, m.Members(), witnessCount), m.name())
}

// Speaks says whether this member is one of the few that speak for the site, so
// that its silence means something.
func (m *Mesh) Speaks() bool {
	return slices.Contains(Witnesses("", m.Members(), speakerCount), m.name())
}

// knock asks a host whether it is up by its agent's port: a host that is up
// refuses at once where nobody listens, one that is gone says nothing.
func knock(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, knockPatience)
	defer cancel()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		_ = connection.Close()
		return true
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "refused")
}

// Close leaves the mesh, telling the others, and ends the member. What it had under way
// (a knock, a join) ends by itself.
func (m *Mesh) Close() error {
	m.stop()
	<-m.watched
	err := m.leave()
	m.settle()
	if err != nil {
		return fmt.Errorf("leave mesh: %w", err)
	}
	return nil
}

// settle waits for what is under way, for a moment: a knock, or a join of an address
// where nobody answers, ends by itself and has nothing left to do.
func (m *Mesh) settle() {
	ended := make(chan struct{})
	go func() { m.done.Wait(); close(ended) }()
	timer := time.NewTimer(leavePatience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// Kill ends the member without a word, as a crash does; for tests.
func (m *Mesh) Kill() error {
	m.stop()
	<-m.watched
	err := m.list().Shutdown()
	m.done.Wait()
	return err
}
