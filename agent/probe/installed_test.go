package probe_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

func languages(t *testing.T, tree probe.Tree, before probe.Memory) ([]string, probe.Memory) {
	t.Helper()
	found, memory, problems, err := probe.Languages(t.Context(), tree, probe.Patience{}, nil, before)
	if err != nil || len(problems) != 0 {
		t.Fatalf("error %v, problems %v", err, problems)
	}
	var out []string
	for _, f := range found {
		out = append(out, f.Type+" "+f.Name+" "+f.Version)
	}
	slices.Sort(out)
	return out, memory
}

func jar(t *testing.T, files map[string]string, stored bool) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if stored {
			header.Method = zip.Store
		}
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func pom(group, artifact, version string) map[string]string {
	return map[string]string{"META-INF/maven/" + group + "/" + artifact + "/pom.properties": fmt.Sprintf("#made\ngroupId=%s\nartifactId=%s\nversion=%s\n", group, artifact, version)}
}

func TestOnlyInstalledLocationsCount(t *testing.T) {
	metadata := func(name string) string {
		return "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n\nName: not-me\n"
	}
	node := func(name string) string { return `{"name":"` + name + `","version":"2.0.0","dependencies":{"x":"1"}}` }
	gem := "Gem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\nend\n"
	log4j := jar(t, pom("org.apache.logging.log4j", "log4j-core", "2.14.1"), false)
	files := map[string]string{
		// installed
		"/usr/lib/python3/dist-packages/Py_Yaml-6.0.egg-info/PKG-INFO":            metadata("Py_Yaml"),
		"/usr/local/lib/python3.11/dist-packages/requests-1.0.dist-info/METADATA": metadata("requests"),
		"/opt/app/venv/lib/python3.11/site-packages/flask-1.0.dist-info/METADATA": metadata("flask"),
		"/opt/app/venv/pyvenv.cfg": "home = /usr/bin\n",
		"/root/.pyenv/.git/HEAD":   "ref: x",
		"/root/.pyenv/versions/3.12.1/lib/python3.12/site-packages/pip-1.0.dist-info/METADATA": metadata("pip"),
		"/home/ann/.local/lib/python3.11/site-packages/black-1.0.dist-info/METADATA":           metadata("black"),
		"/home/ann/work-env/pyvenv.cfg":                                               "home = /usr/bin\n",
		"/home/ann/work-env/lib/python3.11/site-packages/mypy-1.0.dist-info/METADATA": metadata("mypy"),
		"/usr/lib/node_modules/npm/package.json":                                      node("npm"),
		"/usr/lib/node_modules/npm/node_modules/@npmcli/fs/package.json":              node("@npmcli/fs"),
		"/srv/shop/.git/HEAD":                                                         "ref: x",
		"/srv/shop/node_modules/express/package.json":                                 node("express"),
		"/usr/share/nodejs/semver/package.json":                                       node("semver"),
		"/var/lib/gems/3.1.0/specifications/rake-13.0.6.gemspec":                      gem,
		"/usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec":          "Gem::Specification.new { |s| s.name = NAME }\n",
		"/usr/share/java/log4j.jar":                                                   log4j,
		"/opt/shop/shop.war":                                                          jar(t, map[string]string{"WEB-INF/lib/log4j-core-2.14.1.jar": log4j, "META-INF/MANIFEST.MF": "Implementation-Title: shop\nImplementation-Version: 4.2\n"}, false),
		"/opt/boot/boot.jar":                                                          jar(t, map[string]string{"BOOT-INF/lib/guava-31.1-jre.jar": jar(t, map[string]string{"x": "y"}, false)}, true),
		// not installed
		"/home/ann/src/project/.git/HEAD":                                                       "ref: x",
		"/home/ann/src/project/node_modules/left-pad/package.json":                              node("left-pad"),
		"/home/ann/project/node_modules/right-pad/package.json":                                 node("right-pad"),
		"/home/ann/project/testdata/lib/python3.11/site-packages/a-1.dist-info/METADATA":        metadata("fake1"),
		"/root/.cache/pip/lib/python3.11/site-packages/b-1.dist-info/METADATA":                  metadata("fake2"),
		"/root/go/pkg/mod/example.org/x@v1/lib/python3.11/site-packages/c-1.dist-info/METADATA": metadata("fake3"),
		"/root/.m2/repository/log4j.jar":                                                        log4j,
		"/home/ann/Downloads/log4j.jar":                                                         log4j,
		"/tmp/x/lib/python3.11/site-packages/d-1.dist-info/METADATA":                            metadata("fake4"),
		"/var/lib/docker/overlay2/1/diff/usr/lib/python3/dist-packages/e-1.dist-info/METADATA":  metadata("fake5"),
		"/opt/app/tests/fixtures/node_modules/fake/package.json":                                node("fake6"),
		"/usr/lib/python3/dist-packages/setuptools/_vendor/vendored-1.dist-info/METADATA":       metadata("vendored"),
		"/usr/share/doc/x/examples/node_modules/y/package.json":                                 node("fake7"),
		"/usr/lib/node_modules/broken/package.json":                                             "{",
		"/usr/share/java/broken.jar":                                                            "PK nothing",
	}
	want := []string{
		"gem json 2.6.1", "gem rake 13.0.6", "maven guava:guava 31.1-jre", "maven org.apache.logging.log4j:log4j-core 2.14.1", "maven org.apache.logging.log4j:log4j-core 2.14.1", "maven shop:shop 4.2",
		"npm @npmcli/fs 2.0.0", "npm express 2.0.0", "npm npm 2.0.0", "npm semver 2.0.0",
		"pypi black 1.0", "pypi flask 1.0", "pypi mypy 1.0", "pypi pip 1.0", "pypi py-yaml 1.0", "pypi requests 1.0",
	}
	machine := tree(t, files)
	got, memory := languages(t, machine, nil)
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The second walk opens nothing: were a file read again, the change below
	// (same size, same time) would show.
	name := machine.Path("/usr/lib/node_modules/npm/package.json")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(node("npm"), "2.0.0", "9.9.9", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if again, _ := languages(t, machine, memory); !slices.Equal(again, want) {
		t.Errorf("what was remembered was read again: %v", again)
	}
	if err := os.Chtimes(name, info.ModTime().Add(1e9), info.ModTime().Add(1e9)); err != nil {
		t.Fatal(err)
	}
	if again, _ := languages(t, machine, memory); !slices.Contains(again, "npm npm 9.9.9") {
		t.Errorf("a changed file was not read again: %v", again)
	}
}

func TestPackageURLs(t *testing.T) {
	found, _, _, err := probe.Languages(t.Context(), tree(t, map[string]string{
		"/usr/lib/node_modules/a/package.json":        `{"name":"@scope/a","version":"1.0.0"}`,
		"/usr/share/java/log4j.jar":                   jar(t, pom("org.apache", "log4j", "1.2"), false),
		"/usr/lib/python3/dist-packages/A_b.egg-info": "Name: A_b\nVersion: 3\n",
	}), probe.Patience{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.PURL)
	}
	if want := []string{"pkg:maven/org.apache/log4j@1.2", "pkg:npm/%40scope/a@1.0.0", "pkg:pypi/a-b@3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestGoProgramAgainstGoVersion(t *testing.T) {
	_, err := exec.LookPath("go")
	need(t, err == nil, "go")
	root := t.TempDir()
	binary := filepath.Join(root, "usr/local/bin/tool")
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, "github.com/watchbill/watchbill/cmd/watchbill-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// A distribution's way: the program lies elsewhere and is linked.
	if err := os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(root, "usr/bin/tool")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			want[f[1]+" "+f[2]] = true
		}
	}
	got, _ := languages(t, probe.NewTree(root), nil)
	matched, stdlib := 0, 0
	for _, g := range got {
		rest := strings.TrimPrefix(g, "golang ")
		switch {
		case want[rest]:
			matched++
		case strings.HasPrefix(rest, "stdlib 1."):
			stdlib++
		case strings.HasPrefix(rest, "github.com/watchbill/watchbill "):
		default:
			t.Errorf("%q is not in the program", g)
		}
	}
	if matched != len(want) || stdlib != 1 {
		t.Errorf("%d of %d modules, %d standard libraries", matched, len(want), stdlib)
	}
}

// TestNpmAndPipAgainstTheirTools compares with the tools on this machine.
func TestNpmAndPipAgainstTheirTools(t *testing.T) {
	_, npm := exec.LookPath("npm")
	_, python := exec.LookPath("python3")
	need(t, npm == nil && python == nil, "npm and python3")
	found, _, _, err := probe.Languages(t.Context(), probe.NewTree("/"), probe.Patience{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range found {
		have[f.Type+" "+f.Name+" "+f.Version+" "+f.Location] = true
	}
	out, err := exec.Command("npm", "ls", "-g", "--all", "--parseable", "--long").Output()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	hit, all := 0, 0
	for line := range strings.Lines(string(out)) {
		path, spec, _ := strings.Cut(strings.TrimSpace(line), ":")
		spec, _, _ = strings.Cut(spec, ":")
		at := strings.LastIndexByte(spec, '@')
		if at <= 0 || !strings.Contains(path, "node_modules") {
			continue
		}
		all++
		if have["npm "+spec[:at]+" "+spec[at+1:]+" "+path] {
			hit++
		} else {
			t.Errorf("npm knows %s at %s, the walk does not", spec, path)
		}
	}
	t.Logf("npm: recall %d/%d", hit, all)
	out, err = exec.Command("python3", "-c", `
import importlib.metadata as m, re, os
for d in m.distributions():
    p = os.path.dirname(str(d._path))
    if p.endswith("-packages"):
        print("pypi", re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(), d.version, p)`).Output()
	if err != nil {
		t.Fatal(err)
	}
	hit, all = 0, 0
	for line := range strings.Lines(string(out)) {
		all++
		if have[strings.TrimSpace(line)] {
			hit++
		} else {
			t.Errorf("python knows %q, the walk does not", strings.TrimSpace(line))
		}
	}
	t.Logf("pip: recall %d/%d", hit, all)
}

func TestOwnersByDpkg(t *testing.T) {
	machine := tree(t, map[string]string{
		"/var/lib/dpkg/info/python3-yaml.list": "/.\n/usr\n/usr/lib/python3/dist-packages/PyYAML.egg-info/PKG-INFO\n/lib/x/y",
		"/var/lib/dpkg/info/lib:amd64.list":    "/usr/lib/z\n",
	})
	got := probe.DpkgOwners(machine, map[string]bool{"/usr/lib/python3/dist-packages/PyYAML.egg-info/PKG-INFO": true, "/usr/lib/x/y": true, "/usr/lib/z": true, "/usr/other": true},
		map[string]string{"python3-yaml": "pkg:a", "lib:amd64": "pkg:b"})
	if len(got) != 3 || got["/usr/lib/x/y"] != "pkg:a" || got["/usr/lib/z"] != "pkg:b" {
		t.Errorf("%v", got)
	}
}
