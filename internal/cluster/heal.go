package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// addressEvery is how often a member looks whether the address that the others know
	// is still its host's: well before they would take it for dead.
	addressEvery = 2 * time.Second
	// moveGrace is how long a member that said it moves may be away before it counts as
	// lost: leaving, starting and joining take a few seconds.
	moveGrace = 30 * time.Second
	// movePatience is for each of the two words that go round before a move.
	movePatience = 2 * time.Second
	// lookupPatience is for a member's name, where it has one.
	lookupPatience = time.Second
	// joinPatience is how long a start waits for the members that it joins; those that
	// answer later are joined all the same.
	joinPatience = 5 * time.Second
	// knownMost is how many members a moved one tries to join.
	knownMost = 8
	// reclaim is after what time a dead member's name may come back from another
	// address: its host was renumbered while nobody could hear it.
	reclaim = time.Second

	// A member that is held dead though it lives refutes it, which memberlist does by
	// itself. That this happens now and then is a network's weather; heldMost times
	// within heldWithin mean that the others cannot reach it, and each time would be a
	// false alert: then it stands aside for a while. Refutations closer than heldApart
	// are one occasion, told by several neighbours.
	heldApart  = 10 * time.Second
	heldWithin = 10 * time.Minute
	heldMost   = 3
	asideFor   = 10 * time.Minute
)

// What a member says of itself before it leaves, as its metadata.
const (
	metaMoving = "moving" // it comes back at once, from another address
	metaAside  = "aside"  // it lives, and does not take part for now
)

// meta is what members say of themselves and of those they lost, carried by memberlist.
type meta struct {
	word    atomic.Pointer[string] // this member's about itself
	own     atomic.Pointer[string] // its name
	lost    atomic.Pointer[string] // whom it holds dead, a name a line
	refuted chan<- struct{}        // hears that another holds this one dead
	words   chan<- string          // hears what others say of themselves before they leave
}

// lostMost is how many lost members are named: a site that is cut in two has more, and
// each of them hears it from somebody.
const lostMost = 500

func (m *meta) say(word string) { m.word.Store(&word) }

func (m *meta) misses(losses map[string]*loss) {
	names := make([]string, 0, len(losses))
	for name, l := range losses {
		if l.excused.IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), lostMost)], "\n")
	m.lost.Store(&text)
}

func (m *meta) NodeMeta(limit int) []byte {
	if word := m.word.Load(); word != nil && len(*word) <= limit {
		return []byte(*word)
	}
	return nil
}

// NotifyMsg hears another member's word, which came to this one alone.
func (m *meta) NotifyMsg(text []byte) {
	select {
	case m.words <- string(text):
	default: // so many move at once that the gossip must do
	}
}

func (*meta) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState names the lost in each exchange of everything that is known.
func (m *meta) LocalState(bool) []byte {
	if lost := m.lost.Load(); lost != nil {
		return []byte(*lost)
	}
	return nil
}

// MergeRemoteState looks for this member among another's lost. Who joins is right to be
// missed until then.
func (m *meta) MergeRemoteState(lost []byte, join bool) {
	own := m.own.Load()
	if join || own == nil {
		return
	}
	for name := range strings.SplitSeq(string(lost), "\n") {
		if name == *own {
			m.hears()
		}
	}
}

func (m *meta) hears() {
	select {
	case m.refuted <- struct{}{}:
	default: // one waits to be heard already
	}
}

// rumours reads memberlist's log for what it tells nobody else: that it had to refute
// its own death. That it was only suspected is nothing.
type rumours struct{ *meta }

func (r rumours) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "Refuting a dead message") {
		r.hears()
	}
	return len(line), nil
}

// hostAddresses lists the machine's own.
func hostAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, prefix.Addr().Unmap())
		}
	}
	return out
}

// usable are addresses by which other hosts may find this one.
func usable(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsLoopback()
}

// facing is the host's own address on the way to the first of the targets that there
// is a way to; sending nothing, the kernel tells.
func facing(targets []string, fits func(netip.Addr) bool) netip.Addr {
	for _, target := range targets {
		connection, err := (&net.Dialer{Timeout: lookupPatience}).Dial("udp", target)
		if err != nil {
			continue
		}
		local, _ := connection.LocalAddr().(*net.UDPAddr)
		_ = connection.Close()
		if local == nil {
			continue
		}
		if a, ok := netip.AddrFromSlice(local.IP); ok && usable(a.Unmap()) && fits(a.Unmap()) {
			return a.Unmap()
		}
	}
	return netip.Addr{}
}

// advertised chooses the address by which the others shall find this member, "" to
// leave it to memberlist. A configured one is never doubted.
func (m *Mesh) advertised(targets []string) string {
	if m.options.Address != "" {
		return m.options.Address
	}
	host, _, err := splitAddress(m.options.Bind)
	if err != nil {
		return ""
	}
	bound, err := netip.ParseAddr(host)
	if err != nil || !bound.IsUnspecified() {
		return ""
	}
	fits := func(a netip.Addr) bool { return bound.Is6() || a.Is4() }
	if a := facing(append(slices.Clone(targets), m.options.Join...), fits); a.IsValid() {
		return a.String()
	}
	// Nobody to ask for the way: memberlist knows private addresses only.
	for _, a := range m.options.Addresses() {
		if usable(a) && a.IsPrivate() && a.Is4() && bound.Is4() {
			return ""
		}
	}
	for _, a := range m.options.Addresses() {
		if usable(a) && fits(a) {
			return a.String()
		}
	}
	return ""
}

// movable says whether the member's address follows the host's.
func (m *Mesh) movable() bool {
	if m.options.Address != "" {
		return false
	}
	if m.options.Transport != nil {
		return true
	}
	host, _, err := splitAddress(m.options.Bind)
	a, parseErr := netip.ParseAddr(host)
	return err == nil && parseErr == nil && a.IsUnspecified()
}

// others are the addresses of some members that are alive, for a new start.
func (m *Mesh) others() []string {
	var out []string
	name := m.name()
	for _, n := range m.list().Members() {
		if n.Name != name && len(out) < knownMost {
			out = append(out, n.Address())
		}
	}
	return out
}

// moved starts the member anew where the host's addresses are other ones than it told.
func (m *Mesh) moved() {
	own := m.options.Addresses()
	node := m.list().LocalNode()
	at, ok := netip.AddrFromSlice(node.Addr)
	if !ok || len(own) == 0 || slices.Contains(own, at.Unmap()) {
		return
	}
	if !slices.ContainsFunc(own, usable) {
		return // a cable that is out: there is nothing to tell, and no way to
	}
	m.restart(m.name(), metaMoving, fmt.Sprintf("the host has not the address %s any more", at.Unmap()))
}

// restart leaves the mesh with a word and joins it again. An empty word leaves
// without one: the name is somebody else's.
func (m *Mesh) restart(name, word, why string) {
	before, targets := m.list().LocalNode().Address(), m.others()
	m.retire(word)
	if err := m.begin(name, targets); err != nil {
		m.options.Log.Warn("the mesh could not be joined again, trying on", "reason", why, "error", err)
		m.pending = func() { m.again(name, targets, why) }
		return
	}
	m.options.Log.Info("joined the mesh anew", "reason", why, "address_before", before, "address", m.Address())
}

func (m *Mesh) again(name string, targets []string, why string) {
	if err := m.begin(name, targets); err != nil {
		return // said already
	}
	m.pending = nil
	m.options.Log.Info("joined the mesh anew", "reason", why, "address", m.Address())
}

// retire ends the running member, with a word to the others or without.
func (m *Mesh) retire(word string) {
	list := m.list()
	if word != "" {
		m.tellWitnesses(word)
		m.meta.say(word)
		_ = list.UpdateNode(movePatience)
		_ = list.Leave(movePatience)
	}
	_ = list.Shutdown()
	m.meta.say("")
}

// tellWitnesses says a word to those who would tell of this member's loss: the gossip
// about it may reach them later than that it has left.
func (m *Mesh) tellWitnesses(word string) {
	name := m.name()
	witnesses := Witnesses(name, m.Members(), witnessCount)
	told := make(chan struct{}, len(witnesses))
	list := m.list()
	waiting := 0
	for _, node := range list.Members() {
		if !slices.Contains(witnesses, node.Name) {
			continue
		}
		waiting++
		m.done.Add(1)
		go func() {
			defer m.done.Done()
			_ = list.SendReliable(node, []byte(word+" "+name)) // the gossip says it too
			told <- struct{}{}
		}()
	}
	timer := time.NewTimer(movePatience)
	defer timer.Stop()
	for range waiting {
		select {
		case <-told:
		case <-timer.C:
			return
		}
	}
}

// excuse takes another member's word that it leaves and lives: what was told of it
// before is over.
func (m *Mesh) excuse(excused map[string]time.Time, losses map[string]*loss, text string) {
	now := m.options.Now()
	for name, until := range excused {
		if now.After(until) {
			delete(excused, name)
		}
	}
	word, name, _ := strings.Cut(text, " ")
	switch word {
	case metaMoving:
		excused[name] = now.Add(moveGrace)
	case metaAside:
		excused[name] = now.Add(asideFor)
	default:
		return
	}
	delete(losses, name)
}

// begin makes a member and joins the targets and those that were configured.
func (m *Mesh) begin(name string, targets []string) error {
	m.meta.own.Store(&name)
	list, err := m.create(name, targets)
	if err != nil {
		return err
	}
	if all := append(slices.Clone(targets), m.options.Join...); len(all) > 0 {
		joined := make(chan struct{})
		m.done.Add(1)
		go func() {
			defer m.done.Done()
			defer close(joined)
			_, _ = list.Join(all) // some may be down: watch tries again
		}()
		timer := time.NewTimer(joinPatience)
		defer timer.Stop()
		select {
		case <-joined:
		case <-timer.C:
		case <-m.ended:
		}
	}
	m.member.Store(&member{list: list, name: name})
	return nil
}

// heldDead weighs that the others held this member dead.
func (m *Mesh) heldDead(now time.Time) {
	select {
	case m.alive <- struct{}{}: // who speaks to the server says at once that it lives
	default:
	}
	if n := len(m.held); n > 0 && now.Sub(m.held[n-1]) < heldApart {
		return
	}
	m.held = append(slices.DeleteFunc(m.held, func(t time.Time) bool { return now.Sub(t) > heldWithin }), now)
	address := m.Address()
	m.options.Log.Warn("other members of the mesh held this host dead, and it lives: they were told so", "address", address, "times", len(m.held), "within", heldWithin)
	switch {
	case len(m.held) < heldMost-1:
		return
	case len(m.held) < heldMost:
		// It may be reached by another of the host's addresses.
		host, _, _ := net.SplitHostPort(address)
		if better := m.advertised(m.others()); better != "" && better != host && m.movable() && m.options.Transport == nil {
			m.restart(m.name(), metaMoving, "the others do not reach "+address)
		}
		return
	}
	m.held = nil
	m.options.Log.Error("this host stands aside from the mesh: its members cannot reach it, and would tell of its death again and again; let UDP and TCP to its address pass, or set mesh.address",
		"address", address, "for", asideFor)
	targets := m.others()
	m.retire(metaAside)
	m.asideUntil = now.Add(asideFor)
	m.pending = func() {
		if m.options.Now().Before(m.asideUntil) {
			return
		}
		m.asideUntil = time.Time{}
		m.pending = func() { m.again(m.name(), targets, "it stood aside long enough") }
		m.pending()
	}
}

// Rename has the member go on under another name: its agent was made another one, as
// its id was copied with a disk. Nobody is told that the old name leaves: another host
// bears it.
func (m *Mesh) Rename(name string) {
	select {
	case <-m.rename: // a name that came before and is not taken yet
	default:
	}
	select {
	case m.rename <- name:
	case <-m.ended:
	}
}

// Alive tells when the others held this member dead though it lives.
func (m *Mesh) Alive() <-chan struct{} { return m.alive }

// member is one run of memberlist under one name.
type member struct {
	list *memberlist.Memberlist
	name string
}

func (m *Mesh) list() *memberlist.Memberlist { return m.member.Load().list }
func (m *Mesh) name() string                 { return m.member.Load().name }

// leave says good-bye, unless the member has ended already.
func (m *Mesh) leave() error {
	if m.pending != nil {
		return nil
	}
	return errors.Join(m.list().Leave(leavePatience), m.list().Shutdown())
}
