package probe

import (
	"bufio"
	"regexp"
	"sort"
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/watchbill/watchbill/cmdb/report"
)

// OtherManagers reads the packages of the managers that keep plain files: pacman,
// portage, opkg, Slackware's pkgtools, Homebrew and snap. Of those that it cannot read
// it says so by name: a host with them must not look like one without software. found
// says that some manager's packages were read before; wanted and owned as for Rpm.
func OtherManagers(t Tree, distro Distro, found bool, wanted map[string]bool, owned func(path, purl string)) ([]report.Package, []report.Problem) {
	var p problems
	var out []report.Package
	for _, read := range []func(Tree, Distro, *problems) []report.Package{portage, opkg, pkgtools, homebrew, snaps} {
		out = append(out, read(t, distro, &p)...)
	}
	out = append(out, pacman(t, distro, wanted, owned, &p)...)
	unread := false
	for _, m := range unreadManagers {
		for _, place := range m.places {
			if len(t.Glob(place)) > 0 {
				p.add("", "packages: those of %s are not read (%s is there)", m.name, place)
				unread = true
				break
			}
		}
	}
	if !found && len(out) == 0 && !unread && len(p.list) == 0 {
		p.add("", "packages: no package manager's database was found: software that was put here by hand is not told")
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Type != out[j].Type {
			return out[i].Type < out[j].Type
		}
		return out[i].Name < out[j].Name
	})
	return out, p.list
}

// unreadManagers keep what they installed in forms of their own.
var unreadManagers = []struct {
	name   string
	places []string
}{
	{"nix", []string{"/nix/store", "/nix/var/nix/db", "/run/current-system/sw"}},
	{"guix", []string{"/gnu/store", "/var/guix/db"}},
	{"xbps", []string{"/var/db/xbps/pkgdb-*.plist"}},
	{"eopkg", []string{"/var/lib/eopkg/package"}},
	{"moss", []string{"/.moss/db"}},
	{"swupd", []string{"/usr/share/clear/bundles", "/var/lib/swupd"}},
	{"flatpak", []string{"/var/lib/flatpak/app/*"}},
	{"pkgsrc", []string{"/usr/pkg/pkgdb/*/+CONTENTS", "/var/db/pkg/*/+CONTENTS"}},
	{"kiss", []string{"/var/db/kiss/installed"}},
	{"tazpkg", []string{"/var/lib/tazpkg/installed"}},
	{"cards", []string{"/var/lib/pkg/DB"}},
	{"pkgutils", []string{"/var/lib/pkg/db"}},
	{"sorcery", []string{"/var/state/sorcery/packages"}},
	{"conary", []string{"/var/lib/conarydb/conarydb"}},
	{"entropy", []string{"/var/lib/entropy/client/database"}},
	{"tdnf", []string{"/var/lib/tdnf/history.db.only"}},
	{"swupdate", []string{"/etc/sw-versions"}},
	{"rauc", []string{"/etc/rauc/system.conf"}},
	{"ostree", []string{"/ostree/repo/refs/heads/ostree-no-rpm"}},
}

func plainURL(kind, namespace, name, version, arch string, distro Distro) string {
	var qualifiers packageurl.Qualifiers
	if arch != "" {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "arch", Value: arch})
	}
	if namespace != "" && distro.Version != "" && namespace == distro.ID {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "distro", Value: namespace + "-" + distro.Version})
	}
	return packageurl.NewPackageURL(kind, namespace, name, version, qualifiers, "").ToString()
}

// pacman keeps a directory per package, with fields that stand between percent signs.
func pacman(t Tree, distro Distro, wanted map[string]bool, owned func(path, purl string), p *problems) []report.Package {
	const dir = "/var/lib/pacman/local"
	entries, err := t.list(dir)
	p.denied(err, "CAP_DAC_READ_SEARCH", "pacman's packages")
	var out []report.Package
	for _, e := range entries {
		if !e.IsDir() {
			continue // the version of the database's own form
		}
		data, err := t.read(dir + "/" + e.Name() + "/desc")
		p.denied(err, "CAP_DAC_READ_SEARCH", "pacman's packages")
		fields := pacmanFields(string(data))
		first := func(name string) string {
			if len(fields[name]) == 0 {
				return ""
			}
			return strings.ToValidUTF8(fields[name][0], "?")
		}
		one := report.Package{Type: "alpm", Name: first("NAME"), Version: first("VERSION"), Arch: first("ARCH"), Source: first("BASE"), Vendor: first("PACKAGER")}
		if one.Name == "" || one.Version == "" {
			continue
		}
		size, _ := strconv.ParseUint(first("SIZE"), 10, 64)
		one.SizeKiB = size / 1024
		one.PURL = plainURL("alpm", firstOf(distro.ID, "arch"), one.Name, one.Version, one.Arch, Distro{})
		out = append(out, one)
		if len(wanted) == 0 {
			continue
		}
		if data, err := t.read(dir + "/" + e.Name() + "/files"); err == nil {
			for _, file := range pacmanFields(string(data))["FILES"] {
				if wanted["/"+file] {
					owned("/"+file, one.PURL)
				}
			}
		}
	}
	return out
}

func pacmanFields(data string) map[string][]string {
	out := make(map[string][]string)
	name := ""
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case len(line) > 2 && line[0] == '%' && line[len(line)-1] == '%':
			name = strings.Trim(line, "%")
		case line == "":
			name = ""
		case name != "":
			out[name] = append(out[name], line)
		}
	}
	return out
}

// versioned cuts a name as Gentoo writes it: "openssl-3.0.13-r2".
var versioned = regexp.MustCompile(`^(.+?)-(\d[\w.]*(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)$`)

// portage keeps a directory per category and in it one per package.
func portage(t Tree, distro Distro, p *problems) []report.Package {
	const dir = "/var/db/pkg"
	categories, err := t.list(dir)
	p.denied(err, "CAP_DAC_READ_SEARCH", "portage's packages")
	var out []report.Package
	for _, category := range categories {
		if !category.IsDir() {
			continue
		}
		for _, name := range t.names(dir + "/" + category.Name()) {
			m := versioned.FindStringSubmatch(name)
			if m == nil || strings.HasPrefix(name, "-MERGING-") || t.exists(dir+"/"+category.Name()+"/"+name+"/+CONTENTS") {
				continue
			}
			one := report.Package{Type: "ebuild", Name: category.Name() + "/" + m[1], Version: m[2], Vendor: t.text(dir + "/" + category.Name() + "/" + name + "/repository")}
			one.PURL = plainURL("ebuild", category.Name(), m[1], m[2], "", distro)
			out = append(out, one)
		}
	}
	return out
}

// opkg keeps a status file like dpkg's.
func opkg(t Tree, distro Distro, p *problems) []report.Package {
	var out []report.Package
	for _, name := range []string{"/usr/lib/opkg/status", "/var/lib/opkg/status", "/opt/lib/opkg/status", "/opt/var/opkg/status", "/usr/lib/ipkg/status"} {
		f, err := t.open(name)
		if err != nil {
			p.denied(err, "CAP_DAC_READ_SEARCH", "opkg status")
			continue
		}
		found, err := parseStatus(f, false, func(one *report.Package) {
			one.Type, one.SizeKiB = "opkg", 0
			if one.Source == one.Name {
				one.Source = ""
			}
			one.PURL = plainURL("opkg", distro.ID, one.Name, one.Version, one.Arch, distro)
		})
		f.Close()
		if err != nil {
			p.add("", "opkg status: %v", err)
		}
		out = append(out, found...)
	}
	return out
}

// pkgtools keeps a file per package, named name-version-architecture-build.
func pkgtools(t Tree, distro Distro, p *problems) []report.Package {
	for _, dir := range []string{"/var/lib/pkgtools/packages", "/var/log/packages"} {
		entries, err := t.list(dir)
		p.denied(err, "CAP_DAC_READ_SEARCH", "pkgtools' packages")
		var out []report.Package
		for _, e := range entries {
			parts := strings.Split(e.Name(), "-")
			n := len(parts)
			if n < 4 || !e.Type().IsRegular() {
				continue
			}
			one := report.Package{Type: "slackware", Name: strings.Join(parts[:n-3], "-"), Version: parts[n-3] + "-" + parts[n-1], Arch: parts[n-2]}
			one.PURL = plainURL("generic", firstOf(distro.ID, "slackware"), one.Name, one.Version, one.Arch, distro)
			out = append(out, one)
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// homebrew keeps a directory per formula and in it one per version.
func homebrew(t Tree, _ Distro, p *problems) []report.Package {
	const dir = "/home/linuxbrew/.linuxbrew/Cellar"
	formulas, err := t.list(dir)
	p.denied(err, "CAP_DAC_READ_SEARCH", "Homebrew's packages")
	var out []report.Package
	for _, formula := range formulas {
		if !formula.IsDir() {
			continue
		}
		for _, version := range t.names(dir + "/" + formula.Name()) {
			if strings.HasPrefix(version, ".") {
				continue
			}
			out = append(out, report.Package{Type: "brew", Name: formula.Name(), Version: version, Location: dir + "/" + formula.Name() + "/" + version,
				PURL: plainURL("brew", "", formula.Name(), version, "", Distro{})})
		}
	}
	return out
}

// snaps show the revision in force behind a link; what they hold is mounted there.
func snaps(t Tree, _ Distro, p *problems) []report.Package {
	for _, dir := range []string{"/snap", "/var/lib/snapd/snap"} {
		var out []report.Package
		for _, name := range t.names(dir) {
			revision := t.link(dir + "/" + name + "/current")
			if revision == "" || name == "bin" {
				continue
			}
			one := report.Package{Type: "snap", Name: name, Version: revision}
			data, err := t.read(dir + "/" + name + "/current/meta/snap.yaml")
			p.denied(err, "CAP_DAC_READ_SEARCH", "snaps")
			lines := bufio.NewScanner(strings.NewReader(string(data)))
			for lines.Scan() {
				if value, ok := strings.CutPrefix(lines.Text(), "version:"); ok {
					one.Version = firstOf(strings.Trim(strings.TrimSpace(value), `"'`), revision)
				}
			}
			one.PURL = plainURL("snap", "", one.Name, one.Version, "", Distro{})
			out = append(out, one)
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}
