package probe

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/watchbill/watchbill/cmdb/report"
)

//go:embed products.json
var productData []byte

// Product is a program that people know by name.
type Product struct {
	Name    string
	Version string // "" when neither the command line nor a package tells
}

// fingerprint says how a product's processes look: by the executable's name,
// or by an argument (for programs that an interpreter or a JVM runs); where
// both are given both must hold.
type fingerprint struct {
	Name        string   `json:"name"`
	Executables []string `json:"executables,omitempty"`
	Arguments   []string `json:"arguments,omitempty"`
	// Packages that carry the version, first match wins; "{v}" stands for the
	// version found in the path, as in "postgresql-15". "pypi:", "gem:", "npm:" and
	// "go:" (a program's own module) begin those that no system package manager knows.
	Packages []string `json:"packages,omitempty"`
	// Version is an expression over executable and arguments.
	Version string `json:"version,omitempty"`

	version *regexp.Regexp
}

type fingerprints struct {
	byName    map[string]*fingerprint
	byProgram map[string]*fingerprint
	byArg     []*fingerprint
}

// products decodes the fingerprints once; a data file that does not decode is
// a fault of the build, which a test finds.
var products = sync.OnceValue(func() fingerprints {
	all, err := parseFingerprints(productData)
	if err != nil {
		return fingerprints{}
	}
	return all
})

func parseFingerprints(data []byte) (fingerprints, error) {
	var list []*fingerprint
	if err := json.Unmarshal(data, &list); err != nil {
		return fingerprints{}, fmt.Errorf("decode product fingerprints: %w", err)
	}
	out := fingerprints{byName: make(map[string]*fingerprint), byProgram: make(map[string]*fingerprint)}
	for _, f := range list {
		if f.Name == "" || len(f.Executables)+len(f.Arguments) == 0 {
			return fingerprints{}, fmt.Errorf("product fingerprint %q matches nothing: give executables or arguments", f.Name)
		}
		if out.byName[f.Name] != nil {
			return fingerprints{}, fmt.Errorf("product fingerprint %q is there twice", f.Name)
		}
		out.byName[f.Name] = f
		if f.Version != "" {
			expression, err := regexp.Compile(f.Version)
			if err != nil || expression.NumSubexp() != 1 {
				return fingerprints{}, fmt.Errorf("product fingerprint %q: version must be an expression with one group: %w", f.Name, err)
			}
			f.version = expression
		}
		for _, e := range f.Executables {
			if other := out.byProgram[e]; other != nil {
				return fingerprints{}, fmt.Errorf("product fingerprints %q and %q claim executable %q", other.Name, f.Name, e)
			}
			out.byProgram[e] = f
		}
		if len(f.Executables) == 0 {
			out.byArg = append(out.byArg, f)
		}
	}
	return out, nil
}

// Recognise names the product that a process runs, the zero Product when it is
// none that is known.
func Recognise(p *Proc) Product {
	all := products()
	f := all.byProgram[p.called()]
	if f == nil {
		f = all.byProgram[p.binary()]
	}
	if f == nil && p.Exe == "" && len(p.Args) > 0 {
		// Unprivileged, the executable's link is closed but the title is not:
		// "nginx: master process /usr/sbin/nginx".
		title, _, _ := strings.Cut(p.Args[0], " ")
		f = all.byProgram[strings.TrimSuffix(baseName(title), ":")]
	}
	if f != nil && len(f.Arguments) > 0 && !anyContains(f.Arguments, p.Exe, p.Args) {
		f = nil
	}
	if f == nil && interprets(p) {
		for _, candidate := range all.byArg {
			if anyContains(candidate.Arguments, "", p.Args) {
				f = candidate
				break
			}
		}
	}
	if f == nil {
		return Product{}
	}
	out := Product{Name: f.Name}
	if f.version != nil {
		if m := f.version.FindStringSubmatch(p.Exe); m != nil {
			out.Version = m[1]
		} else if m := f.version.FindStringSubmatch(strings.Join(p.Args, " ")); m != nil {
			out.Version = m[1]
		}
	}
	return out
}

// interprets says whether a process runs somebody else's program: an editor
// that has kafka.Kafka open is no Kafka.
func interprets(p *Proc) bool {
	switch name := p.binary(); {
	case name == "java", name == "beam.smp", name == "erl", strings.HasPrefix(name, "ruby"), strings.HasPrefix(name, "python"), name == "node", name == "puma":
		return true
	}
	return false
}

func anyContains(wanted []string, exe string, args []string) bool {
	line := exe + " " + strings.Join(args, " ") + " "
	for _, w := range wanted {
		if strings.Contains(line, w) {
			return true
		}
	}
	return false
}

// ProductVersion finds a product's version among the installed packages, by
// name; hint is what the command line told. A package's version is the more
// exact of the two; the ecosystem's own revision is cut off.
func ProductVersion(product, hint string, installed map[string]string) string {
	f := products().byName[product]
	if f == nil {
		return hint
	}
	for _, name := range f.Packages {
		if strings.Contains(name, "{v}") {
			if hint == "" {
				continue
			}
			name = strings.ReplaceAll(name, "{v}", hint)
		}
		if version, ok := installed[name]; ok {
			return upstream(version)
		}
	}
	return hint
}

// upstream cuts a distribution's epoch and revision off a version.
func upstream(version string) string {
	if i := strings.IndexByte(version, ':'); i >= 0 {
		version = version[i+1:]
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 {
		version = version[:i]
	}
	if i := strings.IndexAny(version, "+~"); i > 0 {
		version = version[:i]
	}
	return version
}

// InstalledVersions maps the names of packages to versions, those of languages by
// their kind and name.
func InstalledVersions(packages []report.Package) map[string]string {
	out := make(map[string]string, len(packages))
	for _, p := range packages {
		switch p.Type {
		case "deb", "rpm", "apk", "alpm", "opkg", "snap", "slackware":
			out[p.Name] = p.Version
		case "pypi", "gem", "npm":
			if languageProducts()[p.Type+":"+p.Name] {
				out[p.Type+":"+p.Name] = p.Version
			}
		case "golang":
			// A version that is a commit's time and hash tells people nothing.
			if version, ok := strings.CutPrefix(p.Version, "v"); ok && p.Source == "" && !strings.HasPrefix(version, "0.0.0-") {
				out["go:"+p.Name] = version
			}
		}
	}
	return out
}

// languageProducts are the names with a kind that fingerprints ask for.
var languageProducts = sync.OnceValue(func() map[string]bool {
	out := make(map[string]bool)
	for _, f := range products().byName {
		for _, name := range f.Packages {
			if strings.Contains(name, ":") {
				out[name] = true
			}
		}
	}
	return out
})
