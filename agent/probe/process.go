package probe

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Proc is one running process. PID and Start together name it for as long as
// the machine runs; a PID alone is used again.
type Proc struct {
	PID       int
	Parent    int
	Start     uint64 // clock ticks after boot
	UID       uint32
	Name      string
	Exe       string   // "" when it may not be read
	Args      []string // as they are: scrub before they leave the host
	Home      Home
	Namespace uint64 // network namespace, 0 when it may not be read

	// Found when first asked for: for hundreds of processes each round it would be
	// most of a round's work.
	command *string
	product *Product
	program *string
}

// Processes keeps what is known of running processes between rounds, so that a
// round reads one line per process instead of five files. Not safe for
// concurrent use.
type Processes struct {
	tree   Tree
	known  map[int]*Proc
	denied int // of the last Refresh: processes whose program may not be read
	closed int // of the last Refresh: processes of which not even the state may be read
	buffer []byte
}

// NewProcesses returns an empty table over a tree's /proc.
func NewProcesses(tree Tree) *Processes {
	return &Processes{tree: tree, known: make(map[int]*Proc), buffer: make([]byte, 4096)}
}

// Refresh reads the process list and returns it by ascending PID, without
// kernel threads. The entries stay valid and unchanged until the process ends.
func (p *Processes) Refresh() ([]*Proc, error) {
	dir, err := os.Open(p.tree.Path("/proc"))
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return nil, err
	}
	p.denied, p.closed = 0, 0
	alive := make(map[int]*Proc, len(p.known)+16)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := p.stat(name)
		if errors.Is(err, fs.ErrPermission) {
			p.closed++
		}
		if err != nil || stat.kernel {
			continue
		}
		have := p.known[pid]
		// A process that replaced its program (exec) keeps PID and start time:
		// its name tells.
		if have == nil || have.Start != stat.start || have.Name != stat.name {
			have = p.read(pid, name, stat)
		}
		if have.Exe == "" {
			p.denied++
		}
		alive[pid] = have
	}
	p.known = alive
	out := make([]*Proc, 0, len(alive))
	for _, proc := range alive {
		out = append(out, proc)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out, nil
}

// Hidden says why the list is not whole, "" when it is: /proc may be mounted so that
// a user sees the own processes only.
func (p *Processes) Hidden() string {
	if _, err := readInto(p.tree.Path("/proc/1/stat"), p.buffer); err == nil {
		return ""
	}
	hides := procHides(p.tree.mounts())
	switch {
	case hides != "" && !strings.HasPrefix(hides, "subset="):
		return "other users' processes are hidden (/proc is mounted with " + hides + ")"
	case p.closed > 0:
		return "other users' processes are hidden (" + strconv.Itoa(p.closed) + " of them may not be read)"
	}
	return ""
}

// Denied says of how many processes the program could not be read last time.
func (p *Processes) Denied() int { return p.denied }

type procStat struct {
	name   string
	parent int
	start  uint64
	kernel bool
}

// stat reads /proc/PID/stat into the shared buffer.
func (p *Processes) stat(pid string) (procStat, error) {
	n, err := readInto(p.tree.Path("/proc/"+pid+"/stat"), p.buffer)
	if err != nil {
		return procStat{}, err
	}
	stat, ok := parseStat(p.buffer[:n])
	if !ok {
		return procStat{}, errStat
	}
	return stat, nil
}

var errStat = errors.New("the state of a process cannot be read")

// parseStat reads a line of /proc/PID/stat. The name stands in parentheses and
// may hold any byte, parentheses too: the last one ends it.
func parseStat(line []byte) (procStat, bool) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open || end+2 > len(line) {
		return procStat{}, false
	}
	const (
		parent     = 1 // fields after the name, counted from the state
		flags      = 6
		start      = 19
		kernelFlag = 0x00200000
	)
	// Cut by hand: at hundreds of processes each half minute a list of fields
	// for each is most of the garbage.
	var fields [start + 1][]byte
	rest := line[end+1:]
	for i := range fields {
		rest = bytes.TrimLeft(rest, " ")
		fields[i], rest, _ = bytes.Cut(rest, []byte(" "))
		if len(fields[i]) == 0 {
			return procStat{}, false
		}
	}
	ppid, err := strconv.Atoi(string(fields[parent]))
	if err != nil {
		return procStat{}, false
	}
	bits, err := strconv.ParseUint(string(fields[flags]), 10, 64)
	if err != nil {
		return procStat{}, false
	}
	ticks, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return procStat{}, false
	}
	return procStat{name: strings.ToValidUTF8(string(line[open+1:end]), "?"), parent: ppid, start: ticks, kernel: bits&kernelFlag != 0}, true
}

func (p *Processes) read(pid int, name string, stat procStat) *Proc {
	proc := &Proc{PID: pid, Parent: stat.parent, Start: stat.start, Name: stat.name}
	dir := "/proc/" + name
	var st unix.Stat_t
	if unix.Stat(p.tree.Path(dir), &st) == nil {
		proc.UID = st.Uid
	}
	proc.Exe = strings.TrimSuffix(p.tree.link(dir+"/exe"), " (deleted)")
	if n, err := readInto(p.tree.Path(dir+"/cmdline"), p.buffer); err == nil {
		proc.Args = parseArgs(p.buffer[:n])
	}
	if n, err := readInto(p.tree.Path(dir+"/cgroup"), p.buffer); err == nil {
		proc.Home = HomeOf(cgroupPath(string(p.buffer[:n])))
	}
	if ns := p.tree.link(dir + "/ns/net"); strings.HasPrefix(ns, "net:[") {
		proc.Namespace, _ = strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(ns, "net:["), "]"), 10, 64)
	}
	return proc
}

// parseArgs cuts /proc/PID/cmdline. A process may write its own title over it,
// without zeros: then it is one argument.
func parseArgs(data []byte) []string {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil
	}
	parts := bytes.Split(data, []byte{0})
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = strings.ToValidUTF8(string(part), "?")
	}
	return out
}

// readInto fills a buffer from a file without the allocations of os.ReadFile,
// which at hundreds of processes per round are most of the work.
func readInto(path string, buffer []byte) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	total := 0
	for total < len(buffer) {
		n, err := unix.Read(fd, buffer[total:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// Ticks is how many of the clock ticks in /proc/PID/stat make a second. It is
// part of the kernel's interface on every architecture Go runs Linux on.
const Ticks = 100

// StartedAt turns a process's start into a time, to the second.
func (p *Proc) StartedAt(boot time.Time) time.Time {
	return boot.Add(time.Duration(p.Start) * time.Second / Ticks).Truncate(time.Second).UTC()
}

// NamespaceOf names a network namespace for people: "" for the agent's own.
func NamespaceOf(id, own uint64) string {
	if id == 0 || id == own {
		return ""
	}
	return "net:[" + strconv.FormatUint(id, 10) + "]"
}

// OwnNamespace is the network namespace that the agent itself runs in.
func (t Tree) OwnNamespace() uint64 {
	ns := t.link("/proc/self/ns/net")
	id, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(ns, "net:["), "]"), 10, 64)
	return id
}

// kin is what processes of one entry have in common beside their command.
type kin struct {
	program         string
	uid             uint32
	unit, container string
}

func kinOf(p *Proc) kin {
	k := kin{program: p.Exe, uid: p.UID, unit: p.Home.Unit, container: p.Home.Container}
	if p.Exe == "" {
		k.program = p.Name
	}
	return k
}

// commandsApart is how many commands of one program, user, unit and container are
// told apart: two applications of one interpreter are two entries, the hundred
// workers of a build are one.
const commandsApart = 8

// FoldProcesses makes the section out of the list: processes of one program,
// command, user, unit and container are one entry, named after the oldest. users
// maps UIDs to names.
func FoldProcesses(procs []*Proc, boot time.Time, users map[uint32]string) []report.Process {
	commands := make(map[kin]map[string]bool)
	for _, p := range procs {
		k := kinOf(p)
		if commands[k] == nil {
			commands[k] = make(map[string]bool, 1)
		}
		commands[k][p.told()] = true
	}
	type key struct {
		kin
		command string
	}
	oldest := make(map[key]*Proc)
	count := make(map[key]int)
	for _, p := range procs {
		k := key{kin: kinOf(p)}
		if len(commands[k.kin]) <= commandsApart {
			k.command = p.told()
		}
		count[k]++
		if have := oldest[k]; have == nil || p.Start < have.Start || p.Start == have.Start && p.PID < have.PID {
			oldest[k] = p
		}
	}
	out := make([]report.Process, 0, len(oldest))
	for k, p := range oldest {
		user := users[p.UID]
		if user == "" {
			user = strconv.FormatUint(uint64(p.UID), 10)
		}
		product := p.Product()
		out = append(out, report.Process{
			PID: p.PID, Name: p.Program(), Executable: p.Exe, Command: p.Command(), User: user,
			Unit: k.unit, Container: k.container, StartedAt: p.StartedAt(boot), Count: count[k],
			Product: product.Name, Version: product.Version,
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out
}

// told is the command as far as it tells entries apart. A title that the process
// wrote over its arguments ("postgres: app db 10.0.0.3(4022) idle") tells of the
// moment, not of the program.
func (p *Proc) told() string {
	if len(p.Args) < 2 {
		return ""
	}
	return p.Command()
}

// Command is the command line with its secrets scrubbed.
func (p *Proc) Command() string {
	if p.command == nil {
		line := Scrub(p.Args)
		p.command = &line
	}
	return *p.command
}

// Product is what the process is recognised as.
func (p *Proc) Product() Product {
	if p.product == nil {
		found := Recognise(p)
		p.product = &found
	}
	return *p.product
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Holders finds which process holds each of the wanted socket inodes, by
// reading the links under /proc/PID/fd. It stops once all are found. skipped
// counts the processes whose descriptors may not be read.
func (t Tree) Holders(procs []*Proc, wanted map[uint32]bool) (found map[uint32]*Proc, skipped int) {
	found = make(map[uint32]*Proc, len(wanted))
	if len(wanted) == 0 {
		return found, 0
	}
	// Oldest first: of the workers that share a listener, the one that opened
	// it is the one to name. A service manager comes last: it keeps what it opened for
	// a service open, and holds a socket alone only while the service does not run.
	order := append([]*Proc(nil), procs...)
	sort.SliceStable(order, func(i, j int) bool {
		if a, b := order[i].manages(), order[j].manages(); a != b {
			return b
		}
		return order[i].Start < order[j].Start
	})
	link := make([]byte, 64)
	for _, p := range order {
		if len(found) == len(wanted) {
			break
		}
		dir, err := os.Open(t.Path("/proc/" + strconv.Itoa(p.PID) + "/fd"))
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				skipped++
			}
			continue
		}
		fd := int(dir.Fd())
		for {
			names, err := dir.Readdirnames(512)
			for _, name := range names {
				n, err := unix.Readlinkat(fd, name, link)
				if err != nil || n < len("socket:[]") || string(link[:8]) != "socket:[" {
					continue
				}
				inode, err := strconv.ParseUint(string(link[8:n-1]), 10, 32)
				if err != nil || !wanted[uint32(inode)] || found[uint32(inode)] != nil {
					continue
				}
				found[uint32(inode)] = p
			}
			if err != nil || len(found) == len(wanted) {
				break
			}
		}
		dir.Close()
	}
	return found, skipped
}
