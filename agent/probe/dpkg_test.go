package probe_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

func TestDpkgStates(t *testing.T) {
	status := `Package: nginx
Status: install ok installed
Architecture: amd64
Source: nginx-src (1.22.1-9)
Version: 1.22.1-9+deb12u1
Maintainer: Some Body <some@example.org>
Installed-Size: 1234
Description: a server
 with more lines
 .
 Package: not-a-field

Package: gone
Status: deinstall ok config-files
Version: 1.0
Architecture: all

Package: half
Status: install reinstreq half-installed
Version: 1.0
Architecture: all

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2:2.36-9

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2:2.36-9`
	got, problems := probe.Dpkg(tree(t, map[string]string{"/var/lib/dpkg/status": status}), probe.Distro{ID: "debian", Version: "12.7"})
	if len(problems) != 0 || len(got) != 3 {
		t.Fatalf("%d packages, problems %v: %+v", len(got), problems, got)
	}
	if got[0].Arch != "amd64" || got[1].Arch != "i386" {
		t.Errorf("architectures %s, %s", got[0].Arch, got[1].Arch)
	}
	n := got[2]
	if n.Name != "nginx" || n.Source != "nginx-src" || n.SizeKiB != 1234 || n.PURL != "pkg:deb/debian/nginx@1.22.1-9%2Bdeb12u1?arch=amd64&distro=debian-12.7" {
		t.Errorf("%+v", n)
	}
	if !strings.HasPrefix(got[0].PURL, "pkg:deb/debian/libc6@2:2.36-9?") && !strings.HasPrefix(got[0].PURL, "pkg:deb/debian/libc6@2%3A2.36-9?") {
		t.Errorf("epoch in %s", got[0].PURL)
	}
}

// TestDpkgAgainstDpkgQuery holds the parser against the tool on this machine.
func TestDpkgAgainstDpkgQuery(t *testing.T) {
	_, err := exec.LookPath("dpkg-query")
	need(t, err == nil, "dpkg-query")
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${Installed-Size}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			want[rest] = true
		}
	}
	got, problems := probe.Dpkg(probe.NewTree("/"), probe.Distro{ID: "debian"})
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	for _, p := range got {
		line := strings.TrimSpace(strings.Join([]string{p.Name, p.Version, p.Arch, p.Source, itoa(p.SizeKiB)}, " "))
		if !want[line] && !want[strings.TrimSuffix(line, " 0")] {
			t.Errorf("%q is not what dpkg-query says", line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d packages, dpkg-query has %d", len(got), len(want))
	}
	t.Logf("packages: recall %d/%d, precision 1", len(got), len(want))
}
