// Package probe finds facts on one Linux host: one probe per file, each a
// function from the host's files and kernel tables to one section of a report
// and the problems it met. It owns parsing what the system says; it refuses to
// decide what changed, when to look and whom to tell (package agent), to read
// processes' environments or private keys, and to ask the network anything.
package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Tree is the files of one machine, seen from a directory: "/" for the host
// itself, another one in tests and for a host mounted into a container.
// It is safe for concurrent use.
type Tree struct{ root string }

// NewTree returns the tree below root; an empty root means "/".
func NewTree(root string) Tree {
	if root == "" {
		root = "/"
	}
	return Tree{root: filepath.Clean(root)}
}

// Live says whether the tree is the running machine itself. Kernel tables that
// are no files (sockets, links, routes) exist only there.
func (t Tree) Live() bool { return t.root == "/" }

// Path turns an absolute path of the machine into one that can be opened.
func (t Tree) Path(name string) string {
	if t.root == "/" {
		return name
	}
	return filepath.Join(t.root, name)
}

// maxFile bounds what is read into memory at once. Larger files are streamed
// by the probes that expect them; elsewhere such a size means a wrong file.
const maxFile = 16 << 20

// read returns a whole file. Kernel files say size 0, so it reads to the end.
func (t Tree) read(name string) ([]byte, error) {
	f, err := os.Open(t.Path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A named pipe or a device in a directory that others can write would
	// block for ever: only regular files (and the kernel's) are read.
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", name)
	}
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
	entries, err := os.ReadDir(t.Path(name))
	if err != nil {
		return nil
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out
}

func (t Tree) exists(name string) bool {
	_, err := os.Stat(t.Path(name))
	return err == nil
}

func (t Tree) isDir(name string) bool {
	info, err := os.Stat(t.Path(name))
	return err == nil && info.IsDir()
}

// link returns where a symbolic link points, "" when it is none.
func (t Tree) link(name string) string {
	to, err := os.Readlink(t.Path(name))
	if err != nil {
		return ""
	}
	return to
}

// Glob returns the machine's paths that match a pattern; none when the pattern
// is malformed.
func (t Tree) Glob(pattern string) []string {
	found, err := filepath.Glob(t.Path(pattern))
	if err != nil {
		return nil
	}
	if t.root == "/" {
		return found
	}
	for i, f := range found {
		found[i] = strings.TrimPrefix(f, t.root)
	}
	return found
}

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

// list reads a directory and says why it could not.
func (t Tree) list(name string) ([]os.DirEntry, error) { return os.ReadDir(t.Path(name)) }
