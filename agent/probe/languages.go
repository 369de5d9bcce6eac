package probe

import (
	"archive/zip"
	"bufio"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/watchbill/watchbill/cmdb/report"
)

func found(kind, namespace, name, version, location, marker string) Installed {
	full := name
	if namespace != "" {
		separator := "/"
		if kind == packageurl.TypeMaven {
			separator = ":"
		}
		full = namespace + separator + name
	}
	clean := func(s string) string { return strings.ToValidUTF8(s, "?") }
	return Installed{Marker: marker, Package: report.Package{
		Type: kind, Name: clean(full), Version: clean(version), Location: clean(location),
		PURL: packageurl.NewPackageURL(kind, clean(namespace), clean(name), clean(version), nil, "").ToString(),
	}}
}

// sitePackages reads what pip and its kin recorded in an interpreter's package
// directory; packages inside packages are theirs, not the interpreter's.
func (w *walk) sitePackages(dir string, entries []fs.DirEntry) error {
	for _, e := range entries {
		name := e.Name()
		var marker string
		switch {
		case strings.HasSuffix(name, ".dist-info"):
			marker = dir + "/" + name + "/METADATA"
		case strings.HasSuffix(name, ".egg-info") && e.IsDir():
			marker = dir + "/" + name + "/PKG-INFO"
		case strings.HasSuffix(name, ".egg-info"):
			marker = dir + "/" + name
		case strings.HasSuffix(name, ".egg") && e.IsDir():
			marker = dir + "/" + name + "/EGG-INFO/PKG-INFO"
		default:
			continue
		}
		w.remember(marker, func() []Installed {
			data, err := w.tree.read(marker)
			w.problems.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(dir))
			name, version := parseMetadata(data)
			if name == "" || version == "" {
				return nil
			}
			// The package index knows names in lower case with hyphens.
			canonical := pythonSeparators.ReplaceAllString(strings.ToLower(name), "-")
			f := found(packageurl.TypePyPi, "", canonical, version, dir, marker)
			return []Installed{f}
		})
	}
	return w.pace.breathe(w.ctx)
}

var pythonSeparators = regexp.MustCompile(`[-_.]+`)

// parseMetadata reads the head of a METADATA or PKG-INFO file (RFC 822 fields).
func parseMetadata(data []byte) (name, version string) {
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break // the long description follows
		}
		if value, ok := strings.CutPrefix(text, "Name:"); ok && name == "" {
			name = strings.TrimSpace(value)
		} else if value, ok := strings.CutPrefix(text, "Version:"); ok && version == "" {
			version = strings.TrimSpace(value)
		}
	}
	return name, version
}

// nodeModules reads the packages of a node_modules directory and those nested
// in them.
func (w *walk) nodeModules(dir string, entries []fs.DirEntry, depth int) error {
	if depth > maxDepth {
		return nil
	}
	if err := w.pace.breathe(w.ctx); err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			if name == ".pnpm" { // pnpm's store of this application
				if err := w.pnpm(dir + "/" + name); err != nil {
					return err
				}
			}
			continue
		}
		if !e.IsDir() {
			continue // a link leads to a package that lies elsewhere, often a source tree
		}
		path := dir + "/" + name
		if strings.HasPrefix(name, "@") {
			inner, err := os.ReadDir(w.tree.Path(path))
			if err == nil {
				if err := w.nodeModules(path, inner, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		marker := path + "/package.json"
		w.remember(marker, func() []Installed {
			data, err := w.tree.read(marker)
			w.problems.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(dir))
			return nodePackage(data, path, marker)
		})
		nested := path + "/node_modules"
		inner, err := os.ReadDir(w.tree.Path(nested))
		if err != nil {
			continue
		}
		if err := w.nodeModules(nested, inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) pnpm(dir string) error {
	for _, name := range w.tree.names(dir) {
		inner, err := os.ReadDir(w.tree.Path(dir + "/" + name + "/node_modules"))
		if err != nil {
			continue
		}
		if err := w.nodeModules(dir+"/"+name+"/node_modules", inner, 1); err != nil {
			return err
		}
	}
	return nil
}

func nodePackage(data []byte, path, marker string) []Installed {
	var doc struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if json.Unmarshal(data, &doc) != nil || doc.Name == "" || doc.Version == "" {
		return nil
	}
	scope, name, scoped := strings.Cut(doc.Name, "/")
	if !scoped {
		scope, name = "", doc.Name
	}
	return []Installed{found(packageurl.TypeNPM, scope, name, doc.Version, path, marker)}
}

// gems reads the specifications that RubyGems keeps of installed gems.
func (w *walk) gems(dir string, entries []fs.DirEntry) error {
	for _, e := range entries {
		if e.IsDir() && e.Name() == "default" {
			inner, err := os.ReadDir(w.tree.Path(dir + "/default"))
			if err == nil {
				if err := w.gems(dir+"/default", inner); err != nil {
					return err
				}
			}
			continue
		}
		marker := dir + "/" + e.Name()
		if !strings.HasSuffix(marker, ".gemspec") {
			continue
		}
		w.remember(marker, func() []Installed {
			data, err := w.tree.read(marker)
			w.problems.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(dir))
			name, version := parseGemspec(data, e.Name())
			if name == "" || version == "" {
				return nil
			}
			return []Installed{found(packageurl.TypeGem, "", name, version, dir, marker)}
		})
	}
	return w.pace.breathe(w.ctx)
}

var (
	gemName    = regexp.MustCompile(`(?m)^\s*\w+\.name\s*=\s*["']([^"']+)["']`)
	gemVersion = regexp.MustCompile(`(?m)^\s*\w+\.version\s*=\s*(?:Gem::Version\.new\s*\(?\s*)?["']([^"']+)["']`)
	gemFile    = regexp.MustCompile(`^(.+)-(\d[\w.]*)(?:-[\w.-]+)?\.gemspec$`)
)

// parseGemspec takes name and version out of a specification, which is a Ruby
// program; what it computes is taken from the file's name.
func parseGemspec(data []byte, file string) (name, version string) {
	if m := gemName.FindSubmatch(data); m != nil {
		name = string(m[1])
	}
	if m := gemVersion.FindSubmatch(data); m != nil {
		version = string(m[1])
	}
	if m := gemFile.FindStringSubmatch(file); m != nil {
		name, version = firstOf(name, m[1]), firstOf(version, m[2])
	}
	return name, version
}

// goProgram reads the module list that the Go linker leaves in a program: the
// program's own module, the modules in it (their Source is the program's), and
// the standard library. A program that distributions stripped has none.
func goProgram(t Tree, path string) []Installed {
	f, err := os.Open(t.Path(path))
	if err != nil {
		return nil
	}
	defer f.Close()
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != elf.ELFMAG {
		return nil
	}
	// Without this look buildinfo searches each foreign program's data for its
	// mark, which is most of the walk's time.
	binary, err := elf.NewFile(f)
	if err != nil || binary.Section(".go.buildinfo") == nil {
		return nil
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil
	}
	var out []Installed
	add := func(module, version, source string) {
		if module == "" {
			return
		}
		// Built from a directory that was no release: Go's own word for it, which no
		// package's address can carry.
		unreleased := version == "(devel)"
		if unreleased {
			version = ""
		}
		namespace, name := "", module
		if i := strings.LastIndexByte(module, '/'); i >= 0 {
			namespace, name = module[:i], module[i+1:]
		}
		p := found(packageurl.TypeGolang, namespace, name, version, path, path)
		p.Module, p.Source = path, source
		if unreleased {
			p.Version = "(devel)"
		}
		out = append(out, p)
	}
	main := firstOf(info.Main.Path, info.Path)
	version := info.Main.Version
	if main == "command-line-arguments" {
		main = ""
	}
	add(main, version, "")
	owner := firstOf(main, baseName(path))
	add("stdlib", strings.TrimPrefix(strings.Fields(info.GoVersion + " ")[0], "go"), owner)
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		if strings.HasPrefix(d.Path, ".") || strings.HasPrefix(d.Path, "/") {
			continue // replaced by a directory: no module anybody could name
		}
		add(d.Path, d.Version, owner)
	}
	return out
}

const (
	maxNestedArchive = 64 << 20
	maxNesting       = 2
	maxJavaEntries   = 100000
)

// javaArchive reads which Maven artifacts an archive holds, those in archives
// inside it too.
func javaArchive(t Tree, path string, p *problems) []Installed {
	f, err := os.Open(t.Path(path))
	if err != nil {
		p.denied(err, "CAP_DAC_READ_SEARCH", "language packages below "+topOf(path))
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	return archive(f, info.Size(), baseName(path), path, path, 0)
}

func archive(r io.ReaderAt, size int64, file, location, marker string, depth int) []Installed {
	z, err := zip.NewReader(r, size)
	if err != nil || len(z.File) > maxJavaEntries {
		return nil
	}
	var out []Installed
	var manifest map[string]string
	for _, f := range z.File {
		switch {
		case strings.HasPrefix(f.Name, "META-INF/maven/") && strings.HasSuffix(f.Name, "/pom.properties"):
			fields := parseProperties(entryText(f))
			if fields["artifactId"] != "" && fields["version"] != "" {
				out = append(out, found(packageurl.TypeMaven, fields["groupId"], fields["artifactId"], fields["version"], location, marker))
			}
		case f.Name == "META-INF/MANIFEST.MF":
			manifest = parseManifest(entryText(f))
		case depth < maxNesting && strings.HasSuffix(f.Name, ".jar") && (strings.HasPrefix(f.Name, "WEB-INF/lib/") || strings.HasPrefix(f.Name, "BOOT-INF/lib/") || strings.HasPrefix(f.Name, "lib/") || strings.HasPrefix(f.Name, "APP-INF/lib/")):
			out = append(out, nested(r, f, location+"!/"+f.Name, marker, depth+1)...)
		}
	}
	// Its own record stands among those of what it holds.
	for _, i := range out {
		if i.Location == location {
			return out
		}
	}
	if one, ok := javaByManifest(manifest, file, location, marker); ok {
		out = append(out, one)
	}
	return out
}

// nested opens an archive within an archive. Stored ones (as Spring Boot packs
// them) are read in place, compressed ones are unpacked into memory.
func nested(outer io.ReaderAt, f *zip.File, location, marker string, depth int) []Installed {
	if f.UncompressedSize64 > maxNestedArchive {
		return nil
	}
	if f.Method == zip.Store {
		if offset, err := f.DataOffset(); err == nil {
			return archive(io.NewSectionReader(outer, offset, int64(f.UncompressedSize64)), int64(f.UncompressedSize64), baseName(f.Name), location, marker, depth)
		}
	}
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxNestedArchive))
	if err != nil {
		return nil
	}
	return archive(bytes.NewReader(data), int64(len(data)), baseName(f.Name), location, marker, depth)
}

// entryText reads a small text out of an archive.
func entryText(f *zip.File) string {
	r, err := f.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, 256<<10))
	if err != nil {
		return ""
	}
	return string(data)
}

func parseProperties(text string) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out
}

// parseManifest reads a manifest's main section; a line that starts with a
// space goes on with the one before.
func parseManifest(text string) map[string]string {
	out := make(map[string]string)
	last := ""
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" {
			break
		}
		if line[0] == ' ' && last != "" {
			out[last] += line[1:]
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			last = strings.TrimSpace(name)
			out[last] = strings.TrimSpace(value)
		}
	}
	return out
}

var jarVersion = regexp.MustCompile(`^(.+?)-(\d[\w.+-]*?)(?:-(?:jar-with-dependencies|all|exec|shaded))?\.(?:jar|war|ear)$`)

// javaByManifest names an archive without Maven's records by its file name
// ("guava-31.1.jar"), or by its manifest; nameless ones are left out.
func javaByManifest(manifest map[string]string, file, location, marker string) (Installed, bool) {
	name, version := strings.TrimSuffix(file, filepath.Ext(file)), ""
	if m := jarVersion.FindStringSubmatch(file); m != nil {
		name, version = m[1], m[2]
	}
	version = firstOf(version, manifest["Implementation-Version"], manifest["Bundle-Version"], manifest["Specification-Version"])
	if version == "" || strings.ContainsAny(version, "${} ") {
		return Installed{}, false
	}
	group := ""
	if symbolic, _, _ := strings.Cut(manifest["Bundle-SymbolicName"], ";"); strings.Contains(symbolic, ".") {
		group = symbolic
		if i := strings.LastIndexByte(symbolic, '.'); i > 0 && strings.EqualFold(symbolic[i+1:], name) {
			group = symbolic[:i]
		}
	}
	group = firstOf(manifest["Implementation-Vendor-Id"], group, name)
	return found(packageurl.TypeMaven, group, name, version, location, marker), true
}
