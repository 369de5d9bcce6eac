package probe

import (
	"bufio"
	"io"
	"sort"
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/watchbill/watchbill/cmdb/report"
)

var apkDatabases = []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}

// Apk reads the packages that apk has installed; wanted and owned as for Rpm.
func Apk(t Tree, distro Distro, wanted map[string]bool, owned func(path, purl string)) ([]report.Package, []report.Problem) {
	var p problems
	for _, name := range apkDatabases {
		f, err := t.open(name)
		if err != nil {
			p.denied(err, "CAP_DAC_READ_SEARCH", "apk database")
			continue
		}
		defer f.Close()
		out, err := parseApk(f, distro, wanted, owned)
		if err != nil {
			p.add("", "apk database: %v", err)
		}
		return out, p.list
	}
	return nil, p.list
}

// parseApk reads paragraphs of one-letter fields; "F:" opens a directory and
// "R:" names a file in it, both after the package's own fields.
func parseApk(r io.Reader, distro Distro, wanted map[string]bool, owned func(path, purl string)) ([]report.Package, error) {
	var out []report.Package
	current := report.Package{Type: "apk"}
	dir := ""
	var files []string
	finish := func() {
		if current.Name != "" && current.Version != "" {
			qualifiers := packageurl.Qualifiers{}
			if current.Arch != "" {
				qualifiers = append(qualifiers, packageurl.Qualifier{Key: "arch", Value: current.Arch})
			}
			namespace := firstOf(distro.ID, "alpine")
			if distro.Version != "" {
				qualifiers = append(qualifiers, packageurl.Qualifier{Key: "distro", Value: namespace + "-" + distro.Version})
			}
			current.PURL = packageurl.NewPackageURL("apk", namespace, current.Name, current.Version, qualifiers, "").ToString()
			out = append(out, current)
			for _, path := range files {
				owned(path, current.PURL)
			}
		}
		current, dir, files = report.Package{Type: "apk"}, "", nil
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 4<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" {
			finish()
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || len(key) != 1 {
			continue
		}
		value = strings.ToValidUTF8(value, "?")
		switch key {
		case "P":
			current.Name = value
		case "V":
			current.Version = value
		case "A":
			current.Arch = value
		case "o":
			current.Source = value
		case "m":
			current.Vendor = value
		case "I":
			size, _ := strconv.ParseUint(value, 10, 64)
			current.SizeKiB = size / 1024
		case "F":
			dir = "/" + value
		case "R":
			if path := dir + "/" + value; wanted[path] {
				files = append(files, path)
			}
		}
	}
	finish()
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, lines.Err()
}
