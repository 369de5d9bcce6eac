// Package probe finds facts on one Linux host: one probe per file, each a
// function from the host's files and kernel tables to one section of a report
// and the problems it met. It owns parsing what the system says; it refuses to
// decide what changed, when to look and whom to tell (package agent), to read
// processes' environments (but for the word of a container's manager) or private keys, and to ask the network anything.
package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Tree is the files of one machine, seen from a directory: "/" for the host
// itself, another one in tests and for a host mounted into a container.
// It is safe for concurrent use.
type Tree struct {
	root  string
	guard *guard
}

// NewTree returns the tree below root; an empty root means "/".
func NewTree(root string) Tree {
	if root == "" {
		root = "/"
	}
	root = filepath.Clean(root)
	// Links on the way to the tree are whoever's who named it.
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	return Tree{root: root, guard: newGuard(root)}
}

// Live says whether the tree is the running machine itself. Kernel tables that
// are no files (sockets, links, routes) exist only there.
func (t Tree) Live() bool { return t.root == "/" }

// Path turns an absolute path of the machine into one that can be opened.
func (t Tree) Path(name string) string { return t.guard.path(name) }

// maxFile bounds what is read into memory at once. Larger files are streamed
// by the probes that expect them; elsewhere such a size means a wrong file.
const maxFile = 16 << 20

// read returns a whole file.
func (t Tree) read(name string) ([]byte, error) {
	f, err := t.open(name)
	var away awayError
	if errors.As(err, &away) {
		return t.readAside(name, away.mount)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, name)
}

// readBounded reads to the end: kernel files say size 0.
func readBounded(f *os.File, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read %s: larger than %d bytes", name, maxFile)
	}
	return data, nil
}

// text returns a small file's content without surrounding space, "" when it
// cannot be read.
func (t Tree) text(name string) string {
	data, err := t.read(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.Trim(string(data), "\x00"))
}

// number returns a small file's content as an integer, 0 when it is none.
func (t Tree) number(name string) int64 {
	n, err := strconv.ParseInt(t.text(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// names lists a directory, sorted; nil when it cannot be read.
func (t Tree) names(name string) []string {
	entries, err := t.list(name)
	if err != nil {
		return nil
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out
}

func sortEntries(entries []os.DirEntry) {
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}

func (t Tree) exists(name string) bool {
	_, err := t.stat(name)
	return err == nil
}

func (t Tree) isDir(name string) bool {
	info, err := t.stat(name)
	return err == nil && info.directory()
}

// link returns where a symbolic link points, "" when it is none.
func (t Tree) link(name string) string {
	if !t.Live() || !kernelName(name) {
		dir, err := t.guard.resolve(filepath.Dir(name))
		if err != nil {
			return ""
		}
		name = strings.TrimSuffix(dir, "/") + "/" + filepath.Base(name)
		if t.guard.admit(name, name) != nil {
			return ""
		}
	}
	to, err := os.Readlink(t.Path(name))
	if err != nil {
		return ""
	}
	return to
}

// Glob returns the machine's paths that match a pattern; none when the pattern
// is malformed.
func (t Tree) Glob(pattern string) []string { return t.glob(pattern) }

// problems collects why a section is not whole, each reason once.
type problems struct{ list []report.Problem }

func (p *problems) add(privilege, format string, args ...any) {
	problem := report.Problem{Reason: fmt.Sprintf(format, args...), Privilege: privilege}
	for _, have := range p.list {
		if have == problem {
			return
		}
	}
	p.list = append(p.list, problem)
}

// denied notes an error; a refused permission names the privilege that mends it.
// A file that is absent is no problem: the machine simply has none.
func (p *problems) denied(err error, privilege, what string) {
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission):
		p.add(privilege, "%s: permission denied", what)
	default:
		p.add("", "%s: %v", what, err)
	}
}
