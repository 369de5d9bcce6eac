package agent

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// packageStore reads package databases only when they have changed.
type packageStore struct {
	tree     probe.Tree
	options  CollectorOptions
	mark     string
	system   []report.Package
	problems []report.Problem
}

func newPackageStore(tree probe.Tree, options CollectorOptions) *packageStore {
	return &packageStore{tree: tree, options: options}
}

// packageDatabases are the files whose change means that packages changed.
var packageDatabases = []string{"/var/lib/dpkg/status"}

// databaseMark says what the databases look like from outside.
func databaseMark(tree probe.Tree) string {
	var mark strings.Builder
	for _, name := range packageDatabases {
		if info, err := os.Stat(tree.Path(name)); err == nil {
			fmt.Fprintf(&mark, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return mark.String()
}

// collect returns every package.
func (s *packageStore) collect(_ context.Context, distro probe.Distro, full bool) ([]report.Package, []report.Problem) {
	mark := databaseMark(s.tree)
	if full || mark != s.mark || s.system == nil {
		s.system, s.problems = probe.Dpkg(s.tree, distro)
		s.mark = mark
	}
	return s.system, s.problems
}
