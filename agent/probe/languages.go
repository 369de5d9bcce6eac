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
		case strings.ContainsRune("~-.=%", rune(name[0])):
			continue // pip puts an installation aside under such a name, and may leave it
		case strings.HasSuffix(name, ".dist-info"):
			marker = dir + "/" + name + "/METADATA"
		case strings.HasSuffix(name, ".egg-info") && e.IsDir():
			marker = dir + "/" + name + "/PKG-INFO"
		case strings.HasSuffix(name, ".egg-info"):
			marker = dir + "/" + name
		case strings.HasSuffix(name, ".egg") && e.IsDir():
			marker = dir + "/" + name + "/EGG-INFO/PKG-INFO"
		case strings.HasSuffix(name, ".egg"):
			marker = dir + "/" + name // packed
		default:
			continue
		}
		w.remember(marker, func() ([]Installed, error) {
			data, err := w.metadata(marker)
			name, version := parseMetadata(data)
			if name == "" || version == "" {
				return nil, err
			}
			// The package index knows names in lower case with hyphens.
			canonical := pythonName(name)
			if leftOver(e.Name(), canonical) {
				return nil, nil
			}
			return []Installed{found(packageurl.TypePyPi, "", canonical, version, dir, marker)}, nil
		})
	}
	return w.breathe()
}

func pythonName(name string) string {
	return pythonSeparators.ReplaceAllString(strings.ToLower(name), "-")
}

// leftOver says whether an entry is what pip put aside and did not remove: it
// overwrites the name's first letters, when nothing else is free with digits.
func leftOver(entry, canonical string) bool {
	if entry[0] < '0' || entry[0] > '9' {
		return false
	}
	stem, _, _ := strings.Cut(pythonName(strings.TrimSuffix(entry, filepath.Ext(entry))), "-")
	first, _, _ := strings.Cut(canonical, "-")
	return stem != first && len(stem) == len(first)
}

// metadata reads what a package says of itself; a packed one holds it.
func (w *walk) metadata(marker string) ([]byte, error) {
	if !strings.HasSuffix(marker, ".egg") {
		return w.tree.read(marker)
	}
	f, err := w.tree.open(marker)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, nil //nolint:nilerr // an egg of another kind
	}
	for _, entry := range z.File {
		if entry.Name == "EGG-INFO/PKG-INFO" {
			return []byte(entryText(entry)), nil
		}
	}
	return nil, nil
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
	if err := w.breathe(); err != nil {
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
			inner, err := w.tree.list(path)
			if err == nil {
				if err := w.nodeModules(path, inner, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		marker := path + "/package.json"
		w.remember(marker, func() ([]Installed, error) {
			data, err := w.tree.read(marker)
			return nodePackage(data, path, marker), err
		})
		nested := path + "/node_modules"
		inner, err := w.tree.list(nested)
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
		inner, err := w.tree.list(dir + "/" + name + "/node_modules")
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
			inner, err := w.tree.list(dir + "/default")
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
		w.remember(marker, func() ([]Installed, error) {
			data, err := w.tree.read(marker)
			name, version := parseGemspec(data, e.Name())
			if name == "" || version == "" {
				return nil, err
			}
			return []Installed{found(packageurl.TypeGem, "", name, version, dir, marker)}, err
		})
	}
	return w.breathe()
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
func goProgram(t Tree, path string) ([]Installed, error) {
	f, err := t.open(path)
	if err != nil {
		return nil, nil //nolint:nilerr // programs that may be run but not read are many, and not all of Go
	}
	defer f.Close()
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != elf.ELFMAG {
		return nil, nil
	}
	// Without this look buildinfo searches each foreign program's data for its
	// mark, which is most of the walk's time.
	binary, err := elf.NewFile(f)
	if err != nil || binary.Section(".go.buildinfo") == nil {
		return nil, nil
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil, nil
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
	return out, nil
}

const (
	maxNestedArchive = 64 << 20
	maxNesting       = 3
	maxNested        = 3000 // archives within one file, at whatever depth
	maxJavaEntries   = 100000
)

// javaArchive reads which Maven artifacts an archive holds, those in archives
// inside it too.
func javaArchive(t Tree, path string) ([]Installed, error) {
	f, err := t.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a := archives{marker: path, left: maxNested}
	return a.read(f, info.Size(), baseName(path), path, 0), nil
}

// archives reads one file on disk with all the archives in it.
type archives struct {
	marker string
	left   int // archives that may still be opened
}

// holdsJava says whether an entry of an archive is an archive too, wherever in it
// it lies: each kind of container has its own place for them.
func holdsJava(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jar", ".war", ".rar", ".sar", ".par", ".har", ".nar":
		return true
	}
	return false
}

func (a *archives) read(r io.ReaderAt, size int64, file, location string, depth int) []Installed {
	z, err := zip.NewReader(r, size)
	if err != nil || len(z.File) > maxJavaEntries {
		return nil
	}
	var own, inner []Installed
	var manifest map[string]string
	for _, f := range z.File {
		switch {
		case strings.HasPrefix(f.Name, "META-INF/maven/") && strings.HasSuffix(f.Name, "/pom.properties"):
			fields := parseProperties(entryText(f))
			if fields["artifactId"] != "" && fields["version"] != "" {
				own = append(own, found(packageurl.TypeMaven, fields["groupId"], fields["artifactId"], fields["version"], location, a.marker))
			}
		case f.Name == "META-INF/MANIFEST.MF":
			manifest = parseManifest(entryText(f))
		case depth < maxNesting && a.left > 0 && holdsJava(f.Name):
			a.left--
			inner = append(inner, a.nested(r, f, location+"!/"+f.Name, depth+1)...)
		}
	}
	if one, ok := javaByManifest(manifest, file, location, a.marker); ok && !recorded(own, one, manifest) {
		own = append(own, one)
	}
	return append(own, inner...)
}

// recorded says whether the archive's own record is among those that stand in it. A
// build tool that packs other artifacts into one may leave theirs only: then the
// archive is none of them, by its name and by its version.
func recorded(records []Installed, one Installed, manifest map[string]string) bool {
	artifact := func(i Installed) string { return i.Name[strings.LastIndexByte(i.Name, ':')+1:] }
	name := artifact(one)
	for _, r := range records {
		a := artifact(r)
		if strings.EqualFold(a, name) || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(a)) || strings.EqualFold(a, manifest["Implementation-Title"]) {
			return true
		}
	}
	return len(records) == 1 && records[0].Version == one.Version
}

// nested opens an archive within an archive. Stored ones (as Spring Boot packs
// them) are read in place, compressed ones are unpacked into memory.
func (a *archives) nested(outer io.ReaderAt, f *zip.File, location string, depth int) []Installed {
	if f.UncompressedSize64 > maxNestedArchive {
		return nil
	}
	if f.Method == zip.Store {
		if offset, err := f.DataOffset(); err == nil {
			return a.read(io.NewSectionReader(outer, offset, int64(f.UncompressedSize64)), int64(f.UncompressedSize64), baseName(f.Name), location, depth)
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
	return a.read(bytes.NewReader(data), int64(len(data)), baseName(f.Name), location, depth)
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

var (
	// jarClassifier is what is packed beside an artifact's main archive: more of it,
	// less of it, or the same for one platform.
	jarClassifier = regexp.MustCompile(`^(?i:all|exec|shaded|uber|fat|full|boot|dist|bin|standalone|bundle|nodep|indy|noapt|native|natives|runnable|runtime|plain|app|assembly|shadow|with|dependencies|jar|sources|javadoc|tests?|linux|windows|osx|macos|x86|x86_32|x86_64|aarch_64|aarch64|amd64|arm64)$`)
	// jarQualifier is a part of a version that is no number.
	jarQualifier = regexp.MustCompile(`^(?i:\d+|\d{8}\.\d{4,6}|snapshot|release|final|ga|incubating|milestone\d*|alpha[\d.]*|beta[\d.]*|rc[\d.]*|cr\d*|m\d+|b\d+|r\d+|v\d+|sp\d*|p\d+|pre\d*|preview\d*|ea|build\d*|dev|nightly|jre\d*|jdk\d*|java\d*|android|redhat|fuse|cdh[\d.]*|hadoop\d*|empty|lts|patch\d*|hotfix\d*|ubuntu\d*|debian)$`)
	jarNumber    = regexp.MustCompile(`^\d`)
	osgiFile     = regexp.MustCompile(`^([\w.-]*[A-Za-z][\w.-]*)_(\d+\.\d+\.\d+(?:\.[\w-]+)?)$`)
)

// jarName cuts an archive's file name into the artifact and its version. A name may
// hold numbers itself ("log4j-1.2-api-2.17.1"), and a version words ("31.1-jre"): the
// version begins at the first number after which only parts of versions follow.
func jarName(file string) (name, version string) {
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	if m := osgiFile.FindStringSubmatch(stem); m != nil {
		return m[1], m[2]
	}
	parts := strings.Split(stem, "-")
	end := len(parts)
	for end > 2 && jarClassifier.MatchString(parts[end-1]) {
		end--
	}
	last := 0
	for i := 1; i < end; i++ {
		if !jarNumber.MatchString(parts[i]) {
			continue
		}
		last = i
		whole := true
		for _, part := range parts[i+1 : end] {
			whole = whole && jarQualifier.MatchString(part)
		}
		if whole {
			return strings.Join(parts[:i], "-"), strings.Join(parts[i:end], "-")
		}
	}
	if last == 0 {
		return strings.Join(parts[:end], "-"), ""
	}
	// An unknown word behind the last number: somebody's build of that version.
	to := last + 1
	for to < end && jarQualifier.MatchString(parts[to]) {
		to++
	}
	return strings.Join(parts[:last], "-"), strings.Join(parts[last:to], "-")
}

// javaByManifest names an archive without Maven's records by its file name
// ("guava-31.1.jar"), or by its manifest; nameless ones are left out.
func javaByManifest(manifest map[string]string, file, location, marker string) (Installed, bool) {
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	told := firstOf(manifest["Implementation-Version"], manifest["Bundle-Version"], manifest["Specification-Version"])
	name, version := jarName(file)
	if before, ok := strings.CutSuffix(stem, "-"+told); told != "" && ok && before != "" {
		name, version = before, told // both say so
	}
	version = firstOf(version, told)
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
