package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Distro names the distribution for package URLs.
type Distro struct{ ID, Version, Codename string }

// Dpkg reads the packages that dpkg has installed. distro qualifies the URLs.
func Dpkg(t Tree, distro Distro) ([]report.Package, []report.Problem) {
	var p problems
	out := t.dpkgFile("/var/lib/dpkg/status", false, distro, &p)
	// Images without a package manager keep one file per package, which says nothing
	// of a state: what is listed is there.
	const dir = "/var/lib/dpkg/status.d"
	known := make(map[string]bool)
	for _, one := range out {
		known[one.Name+" "+one.Arch] = true
	}
	for _, name := range t.names(dir) {
		if strings.HasSuffix(name, ".md5sums") || strings.HasSuffix(name, ".list") || strings.HasSuffix(name, ".preserve") || strings.HasPrefix(name, ".") {
			continue
		}
		for _, one := range t.dpkgFile(dir+"/"+name, true, distro, &p) {
			if key := one.Name + " " + one.Arch; !known[key] {
				known[key] = true
				out = append(out, one)
			}
		}
	}
	sortPackages(out)
	return out, p.list
}

func (t Tree) dpkgFile(name string, stateless bool, distro Distro, p *problems) []report.Package {
	f, err := t.open(name)
	if err != nil {
		p.denied(err, "CAP_DAC_READ_SEARCH", "dpkg status")
		return nil
	}
	defer f.Close()
	out, err := parseStatus(f, stateless, func(one *report.Package) { one.PURL = debURL(*one, distro) })
	if err != nil {
		p.add("", "dpkg status: %v", err)
	}
	return out
}

func sortPackages(list []report.Package) {
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].Name != list[j].Name {
			return list[i].Name < list[j].Name
		}
		return list[i].Arch < list[j].Arch
	})
}

// parseDpkg streams dpkg's status file.
func parseDpkg(r io.Reader, distro Distro) ([]report.Package, error) {
	return parseStatus(r, false, func(one *report.Package) { one.PURL = debURL(*one, distro) })
}

// parseStatus streams a status file: paragraphs of "Field: value". stateless says that
// a package without a state is installed; named completes one.
func parseStatus(r io.Reader, stateless bool, named func(*report.Package)) ([]report.Package, error) {
	var out []report.Package
	var current report.Package
	installed, seen := false, false
	finish := func() {
		if seen && installed && current.Name != "" && current.Version != "" {
			if current.Source == "" {
				current.Source = current.Name
			}
			named(&current)
			out = append(out, current)
		}
		current, installed, seen = report.Package{Type: "deb"}, stateless, false
	}
	finish()
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			// A field longer than the buffer is none of ours: skip its rest.
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
			if err == nil {
				continue
			}
		}
		if text := bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(text)) == 0 {
			if err == nil || seen {
				finish()
			}
		} else if text[0] != ' ' && text[0] != '\t' {
			name, value, ok := bytes.Cut(text, []byte(":"))
			if ok {
				seen = true
				dpkgField(&current, &installed, string(name), string(bytes.TrimSpace(value)))
			}
		}
		if errors.Is(err, io.EOF) {
			finish()
			break
		}
		if err != nil {
			return out, err
		}
	}
	sortPackages(out)
	return out, nil
}

func dpkgField(p *report.Package, installed *bool, name, value string) {
	if !strings.EqualFold(name, "Description") {
		value = strings.ToValidUTF8(value, "?")
	}
	switch name {
	case "Package":
		p.Name = value
	case "Status":
		// "want flag state": only an installed package's files are all there;
		// one half way through an upgrade still is, in its old version.
		fields := strings.Fields(value)
		*installed = false
		if len(fields) == 3 {
			switch fields[2] {
			case "installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending":
				*installed = true
			}
		}
	case "Version":
		p.Version = value
	case "Architecture":
		p.Arch = value
	case "Source":
		// "name (version)" where the versions differ
		p.Source, _, _ = strings.Cut(value, " ")
	case "Maintainer":
		p.Vendor = value
	case "Installed-Size":
		p.SizeKiB, _ = strconv.ParseUint(value, 10, 64)
	}
}

func debURL(p report.Package, distro Distro) string {
	namespace := distro.ID
	if namespace == "" {
		namespace = "debian"
	}
	qualifiers := packageurl.Qualifiers{}
	if p.Arch != "" {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "arch", Value: p.Arch})
	}
	if version := distro.Version; version != "" {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "distro", Value: namespace + "-" + version})
	}
	return packageurl.NewPackageURL("deb", namespace, p.Name, p.Version, qualifiers, "").ToString()
}
