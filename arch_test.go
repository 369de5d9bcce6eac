// Package watchbill_test holds the rules of the architecture. Each says why it is
// there when it fails; docs/architecture.md tells the same in prose.
package watchbill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/watchbill/watchbill"

// unit is a package with everything below it. Imports only point down; within one
// layer only what is named under beside.
type unit struct {
	prefix string
	layer  int
	beside []string
	why    string // what a wrong import of it would break
}

// layers lists the packages; the longest prefix that fits counts.
var layers = []unit{
	{"test", 9, nil, "tests of the whole may use everything, and nothing may use them"},
	{"cmd/watchbill-agent", 6, nil, "a program is an end: it is composed of what lies below"},
	{"cmd/watchbill", 6, nil, "a program is an end: it is composed of what lies below"},
	{"internal/app", 5, nil, "only wiring knows all parts; a part that knew the wiring could not be used without it"},
	{"api", 4, nil, "HTTP shows what the parts below do; what is decided here cannot be replayed"},
	{"collector", 3, nil, "it translates and makes durable; it must not know who decides"},
	{"cmdb/inventory", 3, nil, "it persists what cmdb decides and hands facts to the journal"},
	{"internal/engine", 3, nil, "the one writer; receivers reach it through the journal only"},
	{"agent", 3, nil, "it runs on other people's machines and must stay small"},
	{"correlator", 2, []string{"cmdb", "cmdb/topology"}, "it decides about alerts and may read what the inventory's model says"},
	{"cmdb/topology", 2, []string{"cmdb"}, "the one model of what fails with what reads the registry's roles and nothing else"},
	{"cmdb", 2, nil, "the model of configuration items is decided on without the rest"},
	{"itsm", 2, nil, "it decides about records without knowing how alerts are correlated"},
	{"internal/store", 1, nil, "the seam to what keeps bytes knows no document"},
	{"internal/journal", 1, []string{"internal/store"}, "the journal is kept in the store"},
	{"internal/notify", 1, []string{"internal/store"}, "the outbox is kept in the store"},
	{"internal/cluster", 1, nil, "membership is hints, never a part of a decision"},
	{"cmdb/report", 0, nil, "the wire schema is shared with the agent and must weigh nothing"},
	{"internal/event", 0, []string{"internal/fault"}, "facts are what all decide on; they decide nothing"},
	{"internal/config", 0, []string{"internal/fault"}, "configuration is plain data"},
	{"internal/paged", 0, nil, "tables know nothing of what they hold"},
	{"internal/budget", 0, nil, "whoever takes something in bounds it in the same way"},
	{"internal/fault", 0, nil, "the vocabulary of failures is used by all"},
}

// pure packages decide: the same input gives the same output, for ever.
var pure = []string{"correlator", "cmdb", "cmdb/topology", "itsm", "internal/engine/fold"}

// impure are the imports that make a decision depend on the machine or the moment.
var impure = map[string]string{
	"os": "the machine's state is no argument", "os/exec": "the machine's state is no argument",
	"net/http": "a decision must not wait for a network", "math/rand": "a replay would decide otherwise", "math/rand/v2": "a replay would decide otherwise",
	"crypto/rand": "a replay would decide otherwise", "sync": "a decision has one thread; locks say that it does not", "sync/atomic": "a decision has one thread",
	"log": "a decision has no side effect: emit one instead", "log/slog": "a decision has no side effect: emit one instead", "unsafe": "a replay must not depend on memory", "syscall": "the machine's state is no argument",
	"runtime": "a replay must not depend on the scheduler", "hash/maphash": "its seed is random",
}

// impureTime are the functions of package time that read or wait for the clock.
var impureTime = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}

// pureNet are the names of package net that only read text; the others look at the
// machine or wait for a network.
var pureNet = []string{"SplitHostPort", "JoinHostPort", "ParseIP", "ParseCIDR", "ParseMAC", "IP", "IPNet", "HardwareAddr"}

// source is one parsed file.
type source struct {
	dir, name string // slash-separated, from the repository's root
	test      bool
	ast       *ast.File
}

func (s source) path() string { return path.Join(s.dir, s.name) }

func (s source) imports() []string {
	var out []string
	for _, i := range s.ast.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has read it
		}
		out = append(out, p)
	}
	return out
}

var fset = token.NewFileSet()

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "testdata" || n == "bin" || n == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		out = append(out, source{path.Dir(p), path.Base(p), strings.HasSuffix(p, "_test.go"), f})
		return nil
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("%d files, %v", len(out), err)
	}
	return out
}

// unitOf finds the layer of a package.
func unitOf(dir string) (unit, bool) {
	var best unit
	found := false
	for _, r := range layers {
		if (dir == r.prefix || strings.HasPrefix(dir, r.prefix+"/")) && (!found || len(r.prefix) > len(best.prefix)) {
			best, found = r, true
		}
	}
	return best, found
}

func TestImportsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "." || s.test {
			continue
		}
		from, ok := unitOf(s.dir)
		if !ok {
			t.Errorf("%s: package %s is in no layer: give it one in the table of arch_test.go, and a reason", s.path(), s.dir)
			continue
		}
		for _, i := range s.imports() {
			dir, ours := strings.CutPrefix(i, module+"/")
			if !ours {
				continue
			}
			to, ok := unitOf(dir)
			switch {
			case !ok: // reported where it stands
			case to.prefix == from.prefix, to.layer < from.layer:
			case to.layer == from.layer && slices.Contains(from.beside, to.prefix):
			default:
				t.Errorf("%s (layer %d) imports %s (layer %d): imports only point down.\n\t%s: %s\n\t%s: %s",
					s.path(), from.layer, dir, to.layer, from.prefix, from.why, to.prefix, to.why)
			}
		}
	}
}

func TestDecisionsArePure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.dir) {
			continue
		}
		for _, i := range s.imports() {
			if why, bad := impure[i]; bad {
				t.Errorf("%s imports %s: %s", s.path(), i, why)
			}
			if dir, ours := strings.CutPrefix(i, module+"/"); ours && !slices.Contains(pure, dir) {
				if r, ok := unitOf(dir); !ok || r.layer > 0 {
					t.Errorf("%s imports %s, which is neither pure nor of layer 0: what it reads could change between a run and its replay", s.path(), dir)
				}
			}
		}
		timeName := "time"
		for _, i := range s.ast.Imports {
			if i.Path.Value == `"time"` && i.Name != nil {
				timeName = i.Name.Name
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a goroutine: the order of its effects would be the scheduler's", fset.Position(n.Pos()))
			case *ast.SelectStmt:
				t.Errorf("%s: a select: it chooses at random", fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == timeName && slices.Contains(impureTime, n.Sel.Name) {
					t.Errorf("%s: time.%s: time is an argument, or no past could be replayed", fset.Position(n.Pos()), n.Sel.Name)
				} else if ok && x.Name == "net" && !slices.Contains(pureNet, n.Sel.Name) {
					t.Errorf("%s: net.%s: a decision must not wait for a network or look at the machine", fset.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestPackagesHaveNamesThatSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		switch name := path.Base(s.dir); name {
		case "types", "models", "model", "util", "utils", "common", "helpers", "misc", "shared":
			t.Errorf("%s: package %s: everything could lie there, so everything will; name what it owns", s.path(), name)
		}
	}
}

func TestEveryPackageSaysOnceWhatItOwns(t *testing.T) {
	said := map[string][]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if s.dir != "." && said[s.dir] == nil {
			said[s.dir] = []string{}
		}
		if s.ast.Doc != nil && strings.TrimSpace(s.ast.Doc.Text()) != "" {
			said[s.dir] = append(said[s.dir], s.name)
		}
	}
	for dir, files := range said {
		if len(files) != 1 {
			t.Errorf("%s has %d package comments %v, want one: what it owns and what it refuses", dir, len(files), files)
		}
	}
}

func TestAgentStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/watchbill-agent").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("only %d dependencies: this proves nothing", len(deps))
	}
	for _, d := range deps {
		for ban, why := range map[string]string{
			module + "/internal/store":           "the agent keeps no database",
			module + "/internal/journal":         "the agent keeps no database",
			module + "/internal/engine":          "the agent decides nothing",
			module + "/correlator":               "the agent decides nothing",
			module + "/collector":                "the agent receives nothing",
			module + "/api":                      "the agent serves nothing, and carries no web app",
			"github.com/dgraph-io":               "the agent keeps no database",
			"github.com/jackc":                   "the agent keeps no database",
			"database/sql":                       "the agent keeps no database",
			"github.com/danielgtaylor":           "the agent serves nothing",
			"github.com/prometheus/alertmanager": "the agent knows no alerts",
		} {
			if d == ban || strings.HasPrefix(d, ban+"/") {
				t.Errorf("cmd/watchbill-agent links %s: %s, and it runs on every machine", d, why)
			}
		}
	}
}

// TestTheTableIsTrue: a package that does not exist, or a rule that cannot fail, is
// a rule that nobody reads.
func TestTheTableIsTrue(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range layers {
		if seen[r.prefix] || r.why == "" {
			t.Errorf("package %s stands twice or without a reason", r.prefix)
		}
		seen[r.prefix] = true
		for _, b := range r.beside {
			if x, ok := unitOf(b); !ok || x.layer != r.layer {
				t.Errorf("%s may import %s beside it, which is not in its layer", r.prefix, b)
			}
		}
	}
	for _, p := range pure {
		found := false
		for _, s := range sources(t) {
			found = found || s.dir == p
		}
		if !found {
			t.Errorf("the pure package %s does not exist", p)
		}
	}
}
