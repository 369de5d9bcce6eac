package probe

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"syscall"

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
		if m.point != "/" && (!storing[m.kind] || m.kind == "overlay" || m.kind == "iso9660" || m.kind == "9p" || m.kind == "virtiofs") {
			w.other[m.point] = true
		}
	}
	var err error
	patience.run(func() {
		if err = w.dir("/", place{}); err == nil {
			err = w.running(procs)
		}
	})
	if err != nil {
		return nil, before, nil, fmt.Errorf("look for language packages: %w", err)
	}
	sort.Slice(w.found, func(i, j int) bool { return installedLess(w.found[i], w.found[j]) })
	return w.found, w.after, w.problems.list, nil
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
	tree     Tree
	ctx      context.Context
	pace     pacer
	before   Memory
	after    Memory
	other    map[string]bool // mount points to pass by
	seen     map[fileID]bool // files that were read, under whatever name
	found    []Installed
	problems problems
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

var pythonLib = regexp.MustCompile(`^(python|pypy)\d+(\.\d+)?t?$`)

func (w *walk) dir(name string, at place) error {
	if at.depth > maxDepth || passed[name] || w.other[name] {
		return nil
	}
	if err := w.pace.breathe(w.ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(w.tree.Path(name))
	if err != nil {
		w.problems.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(name))
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
	case (base == "site-packages" || base == "dist-packages") && (pythonLib.MatchString(parent) || parent == "lib"):
		return w.sitePackages(name, entries)
	case base == "node_modules":
		// Global ones lie in a "lib"; others belong to an application, which is
		// installed where applications are put and is source elsewhere.
		if parent == "lib" || at.deployed || strings.HasPrefix(name, "/usr/") || strings.HasPrefix(name, "/var/lib/") {
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
		case "pyvenv.cfg":
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
			if shunned[e.Name()] || at.deployed && (e.Name() == "test" || e.Name() == "tests" || e.Name() == "examples") {
				continue
			}
			// Homes hold projects; installed software in them has known places.
			if at.home && !homePlace(name, e.Name(), virtual) && !w.tree.exists(child+"/pyvenv.cfg") {
				// A project is source; the virtual environment in it is an installation.
				for _, inner := range []string{child + "/.venv", child + "/venv"} {
					if !w.tree.exists(inner + "/pyvenv.cfg") {
						continue
					}
					if err := w.dir(inner, at); err != nil {
						return err
					}
				}
				continue
			}
			if err := w.dir(child, at); err != nil {
				return err
			}
		case e.Type().IsRegular():
			w.file(child, at)
		case e.Type()&fs.ModeSymlink != 0 && at.programs:
			// Distributions link programs out of their versions' directories.
			w.program(child)
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
		"gems", "ruby", ".gem", ".rvm", "miniconda3", "anaconda3", "envs", "node", "sdk", "opt", ".volta", "tools", "image":
		return true
	}
	if pythonLib.MatchString(name) || strings.HasPrefix(name, "v") && len(name) > 1 && name[1] >= '0' && name[1] <= '9' || name != "" && name[0] >= '0' && name[0] <= '9' {
		return true
	}
	return false
}

// file looks at one file by its name and its place.
func (w *walk) file(name string, at place) {
	switch filepath.Ext(name) {
	case ".jar", ".war", ".ear":
		if at.home {
			return
		}
		w.remember(name, func() []Installed { return javaArchive(w.tree, name, &w.problems) })
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
	info, err := os.Stat(w.tree.Path(name))
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 || info.Size() < 64<<10 {
		return // no Go program is that small
	}
	w.remember(name, func() []Installed { return goProgram(w.tree, name) })
}

// remember reads a marker file, or recalls what was found in it. A file with
// several names is read under the first.
func (w *walk) remember(name string, read func() []Installed) {
	info, err := os.Stat(w.tree.Path(name))
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	id := identityOf(info)
	if w.seen[id] {
		return
	}
	w.seen[id] = true
	have, known := w.before[name]
	if !known || have.Size != info.Size() || have.Time != info.ModTime().UnixNano() {
		_ = w.pace.breathe(w.ctx)
		have = Remembered{Size: info.Size(), Time: info.ModTime().UnixNano(), Found: read()}
	}
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

// identityOf tells files apart whatever their names.
func identityOf(info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), st.Ino} //nolint:unconvert // of 32 bits on some architectures
	}
	return fileID{}
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
