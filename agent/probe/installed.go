package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Installed is one language package in its installed place.
type Installed struct {
	report.Package
	// Marker is the file that says it: by its owner the system package that
	// brought it is found.
	Marker string `json:"marker"`
}

// Remembered is what a walk found in one marker file. Finding nothing is
// remembered too: most programs are not written in Go.
type Remembered struct {
	Size  int64       `json:"size"`
	Time  int64       `json:"time"` // modification, ns
	Found []Installed `json:"found,omitempty"`
}

// Memory is what earlier walks found, by marker file. Only files that have
// changed since are opened again.
type Memory map[string]Remembered

// Languages walks over the local disks and returns the language packages in
// installed locations: interpreters' package directories, global and deployed
// node_modules, gem directories, Go programs in program directories, and Java
// archives of installed applications. Source trees, build caches, test data
// and containers' disks are passed by. procs adds the programs that run from
// elsewhere. The returned memory replaces the given one.
func Languages(ctx context.Context, t Tree, patience Patience, procs []*Proc, before Memory) ([]Installed, Memory, []report.Problem, error) {
	w := &walk{tree: t, ctx: ctx, pace: pacer{patience: patience}, before: before, after: make(Memory), seen: make(map[fileID]bool)}
	w.other = make(map[string]bool)
	for _, m := range t.mounts() {
		// Views of kernel state, other machines' disks and memory are not
		// where software is installed; a bind mount was seen where it comes from.
		if m.point != "/" && (!storing[m.kind] || served(m.kind) || m.kind == "overlay" || m.kind == "iso9660") {
			w.other[m.point] = true
		}
	}
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		patience.run(func() {
			if err = w.dir("/", place{}); err == nil {
				err = w.running(procs)
			}
		})
	}()
	watch := time.NewTicker(fileLook)
	defer watch.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-watch.C:
			if file := w.lateAt(time.Now()); file != "" {
				found, after, problems := w.harvest()
				for name, have := range before { // what was not come to is as it was
					if _, known := after[name]; !known {
						after[name] = have
						found = append(found, have.Found...)
					}
				}
				sort.Slice(found, func(i, j int) bool { return installedLess(found[i], found[j]) })
				return found, after, problems, &StuckError{File: file, Ended: ended}
			}
		}
	}
	found, after, problems := w.harvest()
	if err != nil {
		return nil, before, nil, fmt.Errorf("look for language packages: %w", err)
	}
	sort.Slice(found, func(i, j int) bool { return installedLess(found[i], found[j]) })
	return found, after, problems, nil
}

const (
	// fileLimit is how long one file may take: the largest archives take seconds, at
	// the walk's own slow pace, and longer means that a disk does not answer.
	fileLimit = time.Minute
	fileLook  = time.Second
)

// StuckError says that the walk was given up at a file that did not answer. Its thread
// is lost until it does: no other walk should begin before Ended is closed.
type StuckError struct {
	File  string
	Ended <-chan struct{}
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("language packages: %s did not answer within %s, and the walk over the disks ended there", e.File, fileLimit)
}

// enter and leave mark the file that is being read.
func (w *walk) enter(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file, w.since = name, time.Now()
}

func (w *walk) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = ""
}

// lateAt names the file that has taken too long, "" for none.
func (w *walk) lateAt(now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != "" && now.Sub(w.since) > fileLimit {
		return w.file
	}
	return ""
}

// harvest takes what was found so far; a walk that goes on after it is for nothing
// and ends at its next step.
func (w *walk) harvest() ([]Installed, Memory, []report.Problem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = true
	return slices.Clone(w.found), maps.Clone(w.after), slices.Clone(w.problems.list)
}

var errGivenUp = errors.New("the walk was given up")

// breathe rests as the pace says, and ends a walk that nobody waits for.
func (w *walk) breathe() error {
	if err := w.pace.breathe(w.ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.given {
		return errGivenUp
	}
	return nil
}

// unread notes why something could not be looked at.
func (w *walk) unread(err error, name string) {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(name))
}

func installedLess(a, b Installed) bool {
	switch {
	case a.Type != b.Type:
		return a.Type < b.Type
	case a.Name != b.Name:
		return a.Name < b.Name
	case a.Version != b.Version:
		return a.Version < b.Version
	case a.Location != b.Location:
		return a.Location < b.Location
	}
	return a.Source < b.Source
}

type fileID struct{ device, inode uint64 }

type walk struct {
	tree   Tree
	ctx    context.Context
	pace   pacer
	before Memory
	after  Memory
	other  map[string]bool // mount points to pass by
	seen   map[fileID]bool // files that were read, under whatever name

	mu       sync.Mutex // what follows is looked at from outside
	found    []Installed
	problems problems
	file     string // that is being read since, "" between two
	since    time.Time
	given    bool // nobody waits for it any more
}

// place is what the way to a directory says about it.
type place struct {
	home     bool // somebody's home: mostly other people's sources
	deployed bool // where applications are put
	programs bool // a directory of programs
	depth    int
}

// maxDepth ends a walk into absurdly deep trees.
const maxDepth = 24

// passed directories hold no installed software, or somebody else's.
var passed = map[string]bool{
	"/proc": true, "/sys": true, "/dev": true, "/run": true, "/tmp": true, "/boot": true, "/etc": true, "/lost+found": true, "/media": true, "/mnt": true,
	"/var/tmp": true, "/var/cache": true, "/var/log": true, "/var/spool": true, "/var/run": true, "/var/lock": true, "/var/mail": true, "/var/backups": true,
	"/var/lib/docker": true, "/var/lib/containerd": true, "/var/lib/containers": true, "/var/lib/kubelet": true, "/var/lib/lxc": true, "/var/lib/lxd": true, "/var/lib/machines": true,
	"/var/lib/dpkg": true, "/var/lib/apt": true, "/var/lib/rpm": true, "/var/lib/postgresql": true, "/var/lib/mysql": true, "/var/lib/mongodb": true, "/var/lib/elasticsearch": true, "/var/lib/prometheus": true,
	"/usr/include": true, "/usr/src": true, "/usr/games": true, "/usr/lib/modules": true, "/lib/modules": true, "/usr/lib/firmware": true, "/lib/firmware": true, "/usr/share/doc": true, "/usr/share/man": true, "/usr/share/locale": true,
	"/usr/share/zoneinfo": true, "/usr/share/icons": true, "/usr/share/info": true, "/usr/share/fonts": true, "/usr/share/help": true, "/usr/lib/debug": true, "/usr/local/go/src": true, "/usr/local/go/test": true, "/snap": true, "/nix": true,
}

// shunned names hide caches, build products and test data wherever they are.
var shunned = map[string]bool{
	".cache": true, ".npm": true, ".m2": true, ".gradle": true, ".ivy2": true, ".cargo": true, ".rustup": true, ".git": true, ".hg": true, ".svn": true, ".terraform": true, ".Trash": true, ".vscode-server": true,
	"__pycache__": true, "testdata": true, "fixtures": true, "_cacache": true, ".yarn": true, ".pnpm-store": true, ".pub-cache": true, ".bundle": true, ".tox": true, ".nox": true, ".mypy_cache": true,
}

// managers keep versions of interpreters in a clone of their own sources.
var managers = map[string]string{".pyenv": "versions", ".nvm": "versions", ".rbenv": "versions", ".nodenv": "versions", ".asdf": "installs", ".rvm": "gems", "pyenv": "versions", "nvm": "versions", "rbenv": "versions"}

var pythonLib = regexp.MustCompile(`^(python|pypy|graalpy|jython)\d+(\.\d+)?t?$`)

// nodeLib is Node.js's directory of packages, and those of Fedora's parallel versions.
var nodeLib = regexp.MustCompile(`^node_modules(_\d+)?$`)

func (w *walk) dir(name string, at place) error {
	if at.depth > maxDepth || passed[name] || w.other[name] {
		return nil
	}
	if err := w.breathe(); err != nil {
		return err
	}
	entries, err := w.tree.list(name)
	if err != nil {
		w.unread(err, name)
		return nil
	}
	at.depth++
	switch {
	case name == "/root" || name == "/home":
		at.home = true
	case name == "/opt" || name == "/srv" || name == "/var/www" || name == "/app" || name == "/usr/local" || strings.HasPrefix(name, "/var/lib/tomcat"):
		at.deployed = true
	}
	base := baseName(name)
	parent := baseName(filepath.Dir(name))
	switch {
	case (base == "site-packages" || base == "dist-packages") && (pythonLib.MatchString(parent) || strings.EqualFold(parent, "lib") || parent == "lib64"):
		return w.sitePackages(name, entries)
	case nodeLib.MatchString(base):
		// Global ones lie in a "lib", or in a manager's "global"; others belong to an
		// application, which is installed where applications are put and is source
		// elsewhere.
		if parent == "lib" || parent == "lib64" || strings.Contains(name, "/global/") || at.deployed || strings.HasPrefix(name, "/usr/") || strings.HasPrefix(name, "/var/lib/") {
			return w.nodeModules(name, entries, 0)
		}
		return nil
	case name == "/usr/share/nodejs" || name == "/usr/lib/nodejs":
		return w.nodeModules(name, entries, 0)
	case base == "specifications":
		return w.gems(name, entries)
	}
	if sub := managers[base]; sub != "" {
		return w.dir(name+"/"+sub, at)
	}
	checkout, virtual := false, false
	for _, e := range entries {
		switch e.Name() {
		case ".git", ".hg", ".svn":
			checkout = true
		case "pyvenv.cfg", "conda-meta":
			virtual = true
		}
	}
	// Somebody's checkout is source. Where applications are put it may be how
	// they are deployed.
	if checkout && !virtual && !at.deployed {
		return nil
	}
	at.programs = base == "bin" || base == "sbin" || base == "libexec" || name == "/usr/local/go/pkg/tool/"+goHost || strings.HasPrefix(name, "/opt")
	for _, e := range entries {
		child := strings.TrimSuffix(name, "/") + "/" + e.Name()
		switch {
		case e.IsDir():
			if e.Name() == ".cache" && at.home {
				// Poetry's environments are no cache, though they lie in one.
				if err := w.environments(child+"/pypoetry/virtualenvs", at, environmentDepth); err != nil {
					return err
				}
			}
			if shunned[e.Name()] || at.deployed && (e.Name() == "test" || e.Name() == "tests" || e.Name() == "examples") {
				continue
			}
			// Homes hold projects; installed software in them has known places.
			if at.home && !homePlace(name, e.Name(), virtual) && !w.installation(child) {
				// A project is source; the environment in it is an installation.
				if err := w.environments(child, at, 1); err != nil {
					return err
				}
				continue
			}
			if err := w.dir(child, at); err != nil {
				return err
			}
		case e.Type().IsRegular():
			w.visit(child, at)
		case e.Type()&fs.ModeSymlink != 0 && at.programs:
			// Distributions link programs out of their versions' directories.
			w.program(child)
		}
	}
	return nil
}

// installation says whether a directory is one, whatever its name: an environment of
// Python or conda, or a prefix of an interpreter with its packages.
func (w *walk) installation(name string) bool {
	for _, sign := range []string{"/pyvenv.cfg", "/conda-meta", "/lib/node_modules"} {
		if w.tree.exists(name + sign) {
			return true
		}
	}
	for _, lib := range w.tree.names(name + "/lib") {
		if pythonLib.MatchString(lib) && w.tree.isDir(name+"/lib/"+lib+"/site-packages") {
			return true
		}
	}
	return false
}

// environmentDepth is how far below a directory of somebody's home an environment is
// looked for: managers of versions put theirs four levels deep.
const environmentDepth = 4

// sources hold what belongs to a project: none of it is installed.
var sources = map[string]bool{"node_modules": true, "vendor": true, "third_party": true, "test": true, "tests": true, "examples": true, "build": true, "dist": true, "target": true}

// environments looks for installations below a directory that is none itself.
func (w *walk) environments(name string, at place, depth int) error {
	if strings.HasSuffix(name, "/go/pkg") {
		return nil // other people's modules, as sources
	}
	if depth > environmentDepth || w.other[name] {
		return nil
	}
	if err := w.breathe(); err != nil {
		return err
	}
	entries, err := w.tree.list(name)
	if err != nil {
		w.unread(err, name)
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() || shunned[e.Name()] || sources[e.Name()] {
			continue
		}
		child := name + "/" + e.Name()
		if w.installation(child) {
			err = w.dir(child, at)
		} else {
			err = w.environments(child, at, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goHost is where the Go tool chain keeps its programs for this platform.
const goHost = "linux_amd64"

func topOf(name string) string {
	parts := strings.SplitN(strings.TrimPrefix(name, "/"), "/", 3)
	if len(parts) > 2 {
		parts = parts[:2]
	}
	return "/" + strings.Join(parts, "/")
}

// homePlace says whether a directory within a home may lead to installed
// software: interpreters' user installations, virtual environments, programs.
func homePlace(parent, name string, virtual bool) bool {
	if parent == "/home" {
		return true
	}
	if managers[name] != "" || virtual {
		return true
	}
	switch name {
	case ".local", "lib", "lib64", "bin", "go", "share", "pipx", "venvs", "venv", ".venv", ".venvs", ".virtualenvs", "versions", "installs", "site-packages", ".npm-global", "node_modules", "specifications",
		"gems", "ruby", ".gem", ".rvm", "miniconda3", "anaconda3", "envs", "node", "sdk", "opt", ".volta", "tools", "image", "packages",
		".config", "yarn", "global", ".bun", "install", "pnpm", "virtualenvs":
		return true
	}
	if pythonLib.MatchString(name) || strings.HasPrefix(name, "v") && len(name) > 1 && name[1] >= '0' && name[1] <= '9' || name != "" && name[0] >= '0' && name[0] <= '9' {
		return true
	}
	return false
}

// visit looks at one file by its name and its place.
func (w *walk) visit(name string, at place) {
	switch filepath.Ext(name) {
	case ".jar", ".war", ".ear", ".rar", ".sar", ".par", ".har", ".nar", ".kar", ".hpi", ".jpi", ".lpkg", ".aar", ".mar", ".esa":
		if at.home {
			return
		}
		w.remember(name, func() ([]Installed, error) { return javaArchive(w.tree, name) })
	case "", ".bin", ".exe":
		if at.programs {
			w.program(name)
		}
	default:
		// "kubectl-1.29" has an extension only in the eye of the beholder.
		if at.programs && !strings.HasSuffix(name, ".so") && !strings.HasSuffix(name, ".py") && !strings.HasSuffix(name, ".sh") && !strings.HasSuffix(name, ".js") {
			w.program(name)
		}
	}
}

// program looks for a Go program in an executable file.
func (w *walk) program(name string) {
	info, err := w.tree.stat(name)
	if err != nil {
		if waits(err) {
			w.unread(err, name)
		}
		return
	}
	if !info.regular() || !info.executable() || info.size < 64<<10 {
		return // no Go program is that small
	}
	w.remember(name, func() ([]Installed, error) { return goProgram(w.tree, name) })
}

// remember reads a marker file, or recalls what was found in it. A file with
// several names is read under the first.
func (w *walk) remember(name string, read func() ([]Installed, error)) {
	w.enter(name)
	defer w.leave()
	info, err := w.tree.stat(name)
	if err != nil || !info.regular() {
		if waits(err) {
			w.unread(err, name)
		}
		return
	}
	if w.seen[info.id] {
		return
	}
	w.seen[info.id] = true
	have, known := w.before[name]
	if !known || have.Size != info.size || have.Time != info.time {
		_ = w.breathe()
		w.enter(name) // a rest is none of the file's time
		have = Remembered{Size: info.size, Time: info.time}
		have.Found, err = read()
		w.unread(err, name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after[name] = have
	w.found = append(w.found, have.Found...)
}

// running adds the Go programs that run from places where none are installed.
func (w *walk) running(procs []*Proc) error {
	done := make(map[string]bool)
	for _, p := range procs {
		if p.Exe == "" || p.Home.Container != "" || done[p.Exe] || strings.HasPrefix(p.Exe, "/tmp/") || strings.HasPrefix(p.Exe, "/memfd:") || strings.Contains(p.Exe, "/go-build") {
			continue
		}
		done[p.Exe] = true
		w.program(p.Exe)
	}
	return w.ctx.Err()
}

// DpkgOwners finds which system package brought each of the files, by dpkg's lists.
// Files under /lib and /usr/lib are one place on merged systems, and dpkg knows
// them by either name.
func DpkgOwners(t Tree, wanted map[string]bool, purls map[string]string) map[string]string {
	out := make(map[string]string)
	if len(wanted) == 0 {
		return out
	}
	const dir = "/var/lib/dpkg/info"
	buffer := make([]byte, 64<<10)
	for _, name := range t.names(dir) {
		owner, ok := strings.CutSuffix(name, ".list")
		if !ok {
			continue
		}
		purl := purls[owner]
		if purl == "" {
			continue
		}
		scanLines(t.Path(dir+"/"+name), buffer, func(line []byte) {
			if wanted[string(line)] {
				out[string(line)] = purl
			} else if len(line) > 5 && string(line[:5]) == "/lib/" && wanted["/usr"+string(line)] {
				out["/usr"+string(line)] = purl
			}
		})
	}
	return out
}

// scanLines visits a file's lines without an allocation for each; a line longer
// than the buffer is cut.
func scanLines(path string, buffer []byte, visit func(line []byte)) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	kept := 0
	for {
		n, err := unix.Read(fd, buffer[kept:])
		if err != nil || n <= 0 {
			break
		}
		data := buffer[:kept+n]
		start := 0
		for i := kept; i < len(data); i++ {
			if data[i] == '\n' {
				visit(data[start:i])
				start = i + 1
			}
		}
		kept = copy(buffer, data[start:])
		if kept == len(buffer) {
			kept = 0
		}
	}
	if kept > 0 {
		visit(buffer[:kept])
	}
}
