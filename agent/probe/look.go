package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A look at a file never waits. Other users of the host decide what lies below a
// name: a named pipe, a link to the kernel's log, a share whose server is away, a
// file system of a program that answers nothing. So each name is compared with the
// mount table before the kernel is asked, links are followed one by one, and only a
// regular file is opened. What lies on somebody else's server is asked aside, on the
// one thread that may be lost to it.

// ground is what a name stands on.
type ground uint8

const (
	onDisk   ground = iota // the host's own disks and memory
	onKernel               // views of the kernel: reading some of them waits for ever
	onServer               // another machine's, or a program's: it may never answer
)

// awayError says that a name leads to a mount that may not answer.
type awayError struct{ mount mount }

func (e awayError) Error() string {
	return fmt.Sprintf("it lies on %s (%s), which is not looked into: its server may be away", e.mount.point, e.mount.kind)
}

var (
	errKernelView = errors.New("a link leads to a view of the kernel")
	errNotRegular = errors.New("not a regular file")
)

// guard knows a tree's mounts, and holds the thread for what may not answer. It is
// safe for concurrent use.
type guard struct {
	root  string
	aside aside

	mu        sync.Mutex
	own, tree mountTable

	plainOpens atomic.Bool // this kernel cannot refuse links itself
}

// mountTable is one mount table by mount point, read again when it has changed.
type mountTable struct {
	at     map[string]mount
	watch  *os.File // the live table: the kernel tells of changes by poll
	read   time.Time
	size   int64
	time   int64
	loaded bool
}

// tableAge is after what time a live mount table is read again whatever poll says:
// not every kernel tells.
const tableAge = 10 * time.Second

func newGuard(root string) *guard { return &guard{root: root} }

func (g *guard) path(name string) string {
	if g.root == "/" {
		return name
	}
	return filepath.Join(g.root, name)
}

// refresh reads the tables again that may have changed; the lock is held.
func (g *guard) refresh() {
	g.own.live()
	if g.root != "/" {
		g.tree.file(g.path("/proc/self/mounts"), g.path("/proc/mounts"))
	}
}

func (m *mountTable) live() {
	if m.watch == nil {
		f, err := os.Open("/proc/self/mounts")
		if err != nil {
			return
		}
		m.watch = f
	} else {
		fds := []unix.PollFd{{Fd: int32(m.watch.Fd()), Events: unix.POLLPRI}}
		if n, err := unix.Poll(fds, 0); err == nil && n == 0 && time.Since(m.read) < tableAge {
			return
		}
	}
	if _, err := m.watch.Seek(0, io.SeekStart); err != nil {
		return
	}
	data, err := io.ReadAll(io.LimitReader(m.watch, maxFile))
	if err != nil {
		return
	}
	m.take(string(data))
	m.read = time.Now()
}

func (m *mountTable) file(names ...string) {
	for _, name := range names {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		f := os.NewFile(uintptr(fd), name)
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			f.Close()
			continue
		}
		// The kernel's own files say size 0 and the time of the look.
		if m.loaded && info.Size() > 0 && m.size == info.Size() && m.time == info.ModTime().UnixNano() {
			f.Close()
			return
		}
		data, err := io.ReadAll(io.LimitReader(f, maxFile))
		f.Close()
		if err == nil {
			m.take(string(data))
			m.size, m.time, m.loaded = info.Size(), info.ModTime().UnixNano(), true
		}
		return
	}
}

// take keeps the topmost mount of each point: the later line.
func (m *mountTable) take(data string) {
	m.at = make(map[string]mount)
	for _, one := range parseMounts(data) {
		m.at[one.point] = one
	}
}

// kernelName says whether a name is asked for as the kernel's own.
func kernelName(name string) bool {
	return strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/dev/")
}

// on says what a name stands on, links not followed: the worst of the mounts on the
// way to it. What is mounted at "/" never counts, as there is nothing else to look at.
func (g *guard) on(name string) (ground, mount) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refresh()
	worst, by := onDisk, mount{}
	consider := func(table map[string]mount, full string) {
		for i := 1; i <= len(full); i++ {
			if i < len(full) && full[i] != '/' {
				continue
			}
			m, ok := table[full[:i]]
			if !ok {
				continue
			}
			switch {
			case served(m.kind):
				worst, by = onServer, m
				return
			case kernelView(m.kind) && worst == onDisk:
				worst, by = onKernel, m
			}
		}
	}
	if g.root != "/" {
		consider(g.tree.at, name)
	}
	if worst != onServer {
		full := g.path(name)
		if g.root != "/" && len(full) > len(g.root) {
			// What the tree itself lies on cannot be helped.
			before := worst
			consider(g.own.at, full)
			if worst == onServer && len(by.point) <= len(g.root) {
				worst = before
			}
		} else if g.root == "/" {
			consider(g.own.at, full)
		}
	}
	if worst == onDisk && (kernelName(name+"/") && name != "/dev") {
		worst = onKernel
	}
	return worst, by
}

// admit refuses a step on the way of asked. Only who asks for the kernel's view by
// name gets it: a link in somebody's directory may lead to its log or its trace.
func (g *guard) admit(asked, step string) error {
	switch where, by := g.on(step); {
	case where == onServer:
		return awayError{by}
	case where == onKernel && !kernelName(asked+"/"):
		return errKernelView
	}
	return nil
}

// maxLinks on one way are as many as the kernel follows.
const maxLinks = 40

// resolve follows the links of a name one by one, within the tree, and refuses the
// way before it is gone. The result has no link in it.
func (g *guard) resolve(name string) (string, error) {
	rest := strings.Split(name, "/")
	at, links := "", 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = at[:max(strings.LastIndexByte(at, '/'), 0)]
			continue
		}
		next := at + "/" + part
		if err := g.admit(name, next); err != nil {
			return "", err
		}
		to, err := os.Readlink(g.path(next))
		if errors.Is(err, unix.EINVAL) { // there, and no link
			at = next
			continue
		}
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "follow", Path: name, Err: unix.ELOOP}
		}
		if strings.HasPrefix(to, "/") {
			at = ""
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	if at == "" {
		at = "/"
	}
	return at, nil
}

// openAt opens what a name leads to, without waiting and without a link that was not
// looked at.
func (g *guard) openAt(name string, flags int) (int, error) {
	if err := g.admit(name, name); err != nil {
		return -1, err
	}
	flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 { // which opens nothing
		flags |= unix.O_NONBLOCK | unix.O_NOCTTY
	}
	if g.root == "/" && kernelName(name) {
		return openRetry(name, flags)
	}
	if !g.plainOpens.Load() {
		fd, err := g.openNoLinks(name, flags)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.ELOOP):
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
			g.plainOpens.Store(true)
		default:
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	real, err := g.resolve(name)
	if err != nil {
		return -1, err
	}
	var fd int
	if g.plainOpens.Load() {
		fd, err = openRetry(g.path(real), flags|unix.O_NOFOLLOW)
	} else {
		fd, err = g.openNoLinks(real, flags)
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// openNoLinks has the kernel refuse every link on the way, so that nobody puts one
// there after the look.
func (g *guard) openNoLinks(name string, flags int) (int, error) {
	how := &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, g.path(name), how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
		if errors.Is(err, unix.EAGAIN) {
			return -1, err // a lease that somebody else holds: it would have to be waited for
		}
	}
}

func openRetry(name string, flags int) (int, error) {
	for {
		fd, err := unix.Open(name, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				return -1, &fs.PathError{Op: "open", Path: name, Err: err}
			}
			return fd, nil
		}
	}
}

// fileInfo is what is asked of a file.
type fileInfo struct {
	mode uint32
	size int64
	time int64 // modification, ns
	id   fileID
}

func (i fileInfo) regular() bool    { return i.mode&unix.S_IFMT == unix.S_IFREG }
func (i fileInfo) directory() bool  { return i.mode&unix.S_IFMT == unix.S_IFDIR }
func (i fileInfo) executable() bool { return i.mode&0o111 != 0 }

func infoOf(st *unix.Stat_t) fileInfo {
	return fileInfo{mode: uint32(st.Mode), size: st.Size, time: st.Mtim.Nano(), id: fileID{uint64(st.Dev), st.Ino}} //nolint:unconvert // of 32 bits on some architectures
}

// stat says what a name leads to.
func (t Tree) stat(name string) (fileInfo, error) {
	fd, err := t.guard.openAt(name, unix.O_PATH)
	if err != nil {
		return fileInfo{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fileInfo{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return infoOf(&st), nil
}

// open opens a regular file of the host's own disks, or of the kernel where its name
// says so.
func (t Tree) open(name string) (*os.File, error) {
	fd, err := t.guard.openAt(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return regularFile(fd, name)
}

func regularFile(fd int, name string) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !infoOf(&st).regular() {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Open opens a regular file that can be read without waiting for anybody.
func (t Tree) Open(name string) (*os.File, error) { return t.open(name) }

// Mark says what a file looks like from outside: it changes when the file does. It
// is "" for a file that is not there.
func (t Tree) Mark(name string) string {
	info, err := t.stat(name)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d", info.size, info.time)
}

// list reads a directory and says why it could not.
func (t Tree) list(name string) ([]os.DirEntry, error) {
	fd, err := t.guard.openAt(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), t.Path(name))
	defer f.Close()
	entries, err := f.ReadDir(-1)
	sortEntries(entries)
	return entries, err
}

// readAside reads a file of another machine, on the thread for what may not answer.
func (t Tree) readAside(name string, by mount) ([]byte, error) {
	data, err := ask(&t.guard.aside, by.point, askPatience, func() ([]byte, error) {
		fd, err := openRetry(t.Path(name), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
		if err != nil {
			return nil, err
		}
		f, err := regularFile(fd, name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		// Its links are the server's: they may lead anywhere.
		real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		if err == nil && !kernelName(name) {
			if where, _ := t.guard.on(real); where == onKernel {
				return nil, errKernelView
			}
		}
		return readBounded(f, name)
	})
	if waits(err) {
		err = fmt.Errorf("it leads to %s (%s): %w", by.point, by.kind, err)
	}
	return data, err
}

// aside runs what may never return: one thing at a time, so that one thread at most
// is ever lost, and while it is lost nothing more is asked. The zero value is ready.
type aside struct {
	once  sync.Once
	turn  chan struct{}
	stuck atomic.Pointer[string] // what has not answered, nil when nothing hangs
}

// askPatience is how long a server may take to answer.
const askPatience = 2 * time.Second

// stuckError says that nothing was asked, as another question is still open.
type stuckError struct{ of string }

func (e stuckError) Error() string {
	return "it was not asked, while " + e.of + " does not answer"
}

// noAnswer says that what was asked did not answer in time.
type noAnswer struct{}

func (noAnswer) Error() string { return "its server did not answer in time" }

var errNoAnswer = noAnswer{}

// ask calls a function aside and waits for its answer for a while. The function
// must not touch what its caller goes on with.
func ask[T any](a *aside, of string, patience time.Duration, question func() (T, error)) (T, error) {
	var none T
	refuse := func(by string) error {
		if by == of {
			return errNoAnswer
		}
		return stuckError{by}
	}
	a.once.Do(func() { a.turn = make(chan struct{}, 1) })
	if by := a.stuck.Load(); by != nil {
		return none, refuse(*by)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a.turn <- struct{}{}:
	case <-timer.C:
		if by := a.stuck.Load(); by != nil {
			return none, refuse(*by)
		}
		return none, errNoAnswer
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := question()
		answers <- answer{value, err}
		a.stuck.Store(nil)
		<-a.turn
	}()
	select {
	case got := <-answers:
		return got.value, got.err
	case <-timer.C:
		a.stuck.Store(&of)
		select {
		case got := <-answers: // it came while the clock struck
			a.stuck.Store(nil)
			return got.value, got.err
		default:
		}
		return none, errNoAnswer
	}
}

// glob returns the machine's paths that match a pattern, sorted.
func (t Tree) glob(pattern string) []string {
	found := []string{"/"}
	for _, part := range strings.Split(strings.Trim(path.Clean(pattern), "/"), "/") {
		var next []string
		for _, dir := range found {
			at := strings.TrimSuffix(dir, "/") + "/"
			if !strings.ContainsAny(part, `*?[\`) {
				next = append(next, at+part)
				continue
			}
			for _, name := range t.names(dir) {
				if ok, err := path.Match(part, name); err == nil && ok {
					next = append(next, at+name)
				}
			}
		}
		found = next
	}
	there := found[:0]
	for _, name := range found {
		if t.lexists(name) {
			there = append(there, name)
		}
	}
	return there
}

// lexists says whether a name is there, whatever a link at it leads to.
func (t Tree) lexists(name string) bool {
	return t.link(name) != "" || t.exists(name)
}

// waits says whether an error means that something would have to be waited for, or
// leads where it should not: what a report must name.
func waits(err error) bool {
	var away awayError
	return errors.As(err, &away) || errors.Is(err, errKernelView) || errors.Is(err, errNoAnswer) || errors.As(err, &stuckError{}) || errors.Is(err, syscall.EAGAIN)
}
