package probe_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

const spec = `Name: %[1]s
Version: 1.2.3
Release: 4%%{?dist}
Summary: made by a test
License: Apache-2.0
Vendor: Test Works
%[2]s
%%description
made by a test
%%install
mkdir -p %%{buildroot}/usr/lib/python3.9/site-packages/%[1]s.egg-info
echo 'Name: %[1]s' > %%{buildroot}/usr/lib/python3.9/site-packages/%[1]s.egg-info/PKG-INFO
%%files
/usr/lib/python3.9/site-packages/%[1]s.egg-info/PKG-INFO
`

// TestRpmAgainstRpm makes packages with rpmbuild, enters them into a database,
// and compares with rpm's own list.
func TestRpmAgainstRpm(t *testing.T) {
	_, err := exec.LookPath("rpmbuild")
	need(t, err == nil, "rpmbuild (Debian: rpm)")
	work := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "HOME="+work)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	for i := range 30 {
		extra := ""
		if i%3 == 0 {
			extra = "Epoch: 2"
		}
		put := filepath.Join(work, fmt.Sprintf("p%d.spec", i))
		if err := os.WriteFile(put, []byte(fmt.Sprintf(spec, fmt.Sprintf("test-pkg%d", i), extra)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	specs, err := filepath.Glob(filepath.Join(work, "*.spec"))
	if err != nil {
		t.Fatal(err)
	}
	run("rpmbuild", append([]string{"-bb", "--quiet", "--define", "_topdir " + work, "--define", "_build_id_links none", "--define", "debug_package %{nil}"}, specs...)...)
	built, err := filepath.Glob(filepath.Join(work, "RPMS/*/*.rpm"))
	if err != nil || len(built) != 30 {
		t.Fatalf("%d packages built, %v", len(built), err)
	}
	// Debian's rpm writes SQLite only.
	for backend, place := range map[string]string{"sqlite": "var/lib/rpm"} {
		root := filepath.Join(work, "root-"+backend)
		database := filepath.Join(root, place)
		define := []string{"--define", "_db_backend " + backend, "--dbpath", database}
		run("rpm", append(define, "--initdb")...)
		run("rpm", append(append(define, "-i", "--justdb", "--nodeps", "--force", "--ignorearch", "--nosignature"), built...)...)
		want := strings.Split(strings.TrimSpace(run("rpm", append(define, "-qa", "--qf", "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH} %{VENDOR}\n")...)), "\n")
		slices.Sort(want)
		const file = "/usr/lib/python3.9/site-packages/test-pkg7.egg-info/PKG-INFO"
		owners := map[string]string{}
		got, problems := probe.Rpm(probe.NewTree(root), probe.Distro{ID: "rhel", Version: "9"}, map[string]bool{file: true}, func(path, purl string) { owners[path] = purl })
		if len(problems) != 0 {
			t.Errorf("%s: problems %v", backend, problems)
		}
		var have []string
		for _, p := range got {
			have = append(have, p.Name+" "+p.Version+" "+p.Arch+" "+p.Vendor)
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Errorf("%s: %d packages, rpm has %d\n%v\n%v", backend, len(have), len(want), have, want)
		}
		if !strings.HasPrefix(owners[file], "pkg:rpm/rhel/test-pkg7@1.2.3-4?") {
			t.Errorf("%s: owner %q", backend, owners[file])
		}
		for _, p := range got {
			if p.Name == "test-pkg0" && (!strings.Contains(p.PURL, "epoch=2") || p.Source != "test-pkg0") {
				t.Errorf("%s: %+v", backend, p)
			}
		}
	}
}

// TestRpmDatabaseWithOpenLog reads a database whose newest rows are in the
// write-ahead log only, as they are while rpm is at work.
func TestRpmDatabaseWithOpenLog(t *testing.T) {
	_, err := exec.LookPath("python3")
	need(t, err == nil, "python3")
	root := t.TempDir()
	dir := filepath.Join(root, "var/lib/rpm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	header := filepath.Join(root, "header")
	if err := os.WriteFile(header, rpmBlob(map[uint32]string{1000: "inlog", 1001: "1", 1002: "2", 1022: "x86_64"}, 9000), 0o644); err != nil {
		t.Fatal(err)
	}
	// The process ends without closing, so the log stays.
	out, err := exec.Command("python3", "-c", `
import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1])
c.execute("pragma journal_mode=wal"); c.execute("pragma wal_autocheckpoint=0")
c.execute("create table Packages (hnum integer primary key autoincrement, blob blob not null)")
b = open(sys.argv[2], "rb").read()
for i in range(200): c.execute("insert into Packages(blob) values (?)", (b,))
c.commit()
c.execute("insert into Packages(blob) values (?)", (b,))  # never committed
os._exit(0)`, filepath.Join(dir, "rpmdb.sqlite"), header).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if info, err := os.Stat(filepath.Join(dir, "rpmdb.sqlite-wal")); err != nil || info.Size() < 100000 {
		t.Fatalf("the log is not there: %v %v", info, err)
	}
	got, problems := probe.Rpm(probe.NewTree(root), probe.Distro{}, nil, nil)
	if len(got) != 200 || len(problems) != 0 || got[0].Name != "inlog" || got[0].Version != "1-2" {
		t.Errorf("%d packages, problems %v", len(got), problems)
	}
}

// TestRpmNdb reads a database laid out as rpm's "new database" (SUSE) is: a
// header and slots of 16 bytes in pages, each slot pointing to a block of 16.
func TestRpmNdb(t *testing.T) {
	le := func(values ...uint32) []byte {
		var out []byte
		for _, v := range values {
			out = append(out, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
		return out
	}
	magic := func(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24 }
	blob := rpmBlob(map[uint32]string{1000: "zypper", 1001: "1.14", 1002: "1.1", 1022: "x86_64"}, 100)
	block := slices.Concat(le(magic("BlbS"), 7, 0, uint32(len(blob))), blob, make([]byte, 32))
	file := slices.Concat(le(magic("RpmP"), 0, 1, 1, 0, 0, 0, 0), le(magic("Slot"), 7, 4096/16, uint32(len(block)/16)))
	for len(file) < 4096 {
		file = append(file, le(magic("Slot"), 0, 0, 0)...)
	}
	machine := tree(t, map[string]string{"/usr/lib/sysimage/rpm/Packages.db": string(append(file, block...))})
	got, problems := probe.Rpm(machine, probe.Distro{ID: "sles"}, nil, nil)
	if len(got) != 1 || got[0].Name != "zypper" || got[0].Version != "1.14-1.1" || len(problems) != 0 {
		t.Errorf("%+v %v", got, problems)
	}
}

func TestDamagedRpmDatabaseIsAProblem(t *testing.T) {
	for _, content := range []string{"", "garbage", "SQLite format 3\x00" + strings.Repeat("\x01", 2000)} {
		got, problems := probe.Rpm(tree(t, map[string]string{"/var/lib/rpm/rpmdb.sqlite": content}), probe.Distro{}, nil, nil)
		if len(got) != 0 || len(problems) != 1 {
			t.Errorf("%.20q: %v %v", content, got, problems)
		}
	}
}

// rpmBlob builds a header of string tags, with padding that needs overflow pages.
func rpmBlob(tags map[uint32]string, padding int) []byte {
	var index, store []byte
	be := func(v uint32) []byte { return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)} }
	for tag, value := range tags {
		index = slices.Concat(index, be(tag), be(6), be(uint32(len(store))), be(1))
		store = append(append(store, value...), 0)
	}
	store = append(store, make([]byte, padding)...)
	return slices.Concat(be(uint32(len(tags))), be(uint32(len(store))), index, store)
}

func TestApk(t *testing.T) {
	machine := tree(t, map[string]string{"/lib/apk/db/installed": `C:Q1abc=
P:py3-yaml
V:6.0.1-r3
A:x86_64
S:1000
I:204800
T:a parser
U:https://example.org
L:MIT
o:py3-yaml-src
m:Some Body <some@example.org>
F:usr/lib/python3.12/site-packages/PyYAML.egg-info
R:PKG-INFO
Z:Q1x=
F:usr/bin
R:x

P:busybox
V:1.36.1-r15
A:x86_64
I:100

V:9
`})
	owners := map[string]string{}
	file := "/usr/lib/python3.12/site-packages/PyYAML.egg-info/PKG-INFO"
	got, problems := probe.Apk(machine, probe.Distro{ID: "alpine", Version: "3.20.1"}, map[string]bool{file: true}, func(path, purl string) { owners[path] = purl })
	if len(got) != 2 || len(problems) != 0 {
		t.Fatalf("%+v %v", got, problems)
	}
	p := got[1]
	if p.Name != "py3-yaml" || p.Source != "py3-yaml-src" || p.SizeKiB != 200 || p.PURL != "pkg:apk/alpine/py3-yaml@6.0.1-r3?arch=x86_64&distro=alpine-3.20.1" || owners[file] != p.PURL {
		t.Errorf("%+v, owners %v", p, owners)
	}
}
