package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/knqyf263/go-rpmdb/pkg/bdb"
	rpmdb "github.com/knqyf263/go-rpmdb/pkg/db"
	"github.com/knqyf263/go-rpmdb/pkg/ndb"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/watchbill/watchbill/cmdb/report"
)

// rpmDatabases are where distributions keep rpm's packages, with the reader for
// each of its three formats.
var rpmDatabases = []struct {
	path  string
	blobs func(path string, visit func(blob []byte) error) error
}{
	{"/var/lib/rpm/rpmdb.sqlite", sqliteBlobs}, {"/usr/lib/sysimage/rpm/rpmdb.sqlite", sqliteBlobs}, {"/usr/share/rpm/rpmdb.sqlite", sqliteBlobs},
	{"/var/lib/rpm/Packages.db", ndbBlobs}, {"/usr/lib/sysimage/rpm/Packages.db", ndbBlobs},
	{"/var/lib/rpm/Packages", bdbBlobs}, {"/usr/lib/sysimage/rpm/Packages", bdbBlobs},
}

func bdbBlobs(path string, visit func([]byte) error) error {
	database, err := bdb.Open(path)
	if err != nil {
		return err
	}
	defer database.Close()
	return entries(database.Read(), visit)
}

func ndbBlobs(path string, visit func([]byte) error) error {
	database, err := ndb.Open(path)
	if err != nil {
		return err
	}
	defer database.Close()
	return entries(database.Read(), visit)
}

// entries drains a reader's channel to its end also after an error: its
// goroutine would wait for ever otherwise.
func entries(from <-chan rpmdb.Entry, visit func([]byte) error) error {
	var first error
	for entry := range from {
		err := entry.Err
		if err == nil && first == nil {
			err = visit(entry.Value)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// Rpm reads the packages that rpm has installed. wanted, when given, is asked
// for each file of each package: owned receives the paths that it wants.
func Rpm(t Tree, distro Distro, wanted map[string]bool, owned func(path, purl string)) ([]report.Package, []report.Problem) {
	var p problems
	for _, database := range rpmDatabases {
		if _, err := t.stat(database.path); err != nil {
			if waits(err) {
				p.denied(err, "", "rpm database "+database.path)
			}
			continue
		}
		var out []report.Package
		err := database.blobs(t.Path(database.path), func(blob []byte) error {
			header, err := parseRpmHeader(blob)
			if err != nil {
				p.add("", "rpm database: %v", err)
				return nil // one damaged package does not hide the others
			}
			pkg, ok := header.pkg(distro)
			if !ok {
				return nil
			}
			out = append(out, pkg)
			if len(wanted) > 0 {
				header.files(func(path string) {
					if wanted[path] {
						owned(path, pkg.PURL)
					}
				})
			}
			return nil
		})
		p.denied(err, "CAP_DAC_READ_SEARCH", "rpm database "+database.path)
		if len(out) == 0 && err == nil {
			continue // an empty left-over beside the real one
		}
		sort.Slice(out, func(i, j int) bool {
			a, b := out[i], out[j]
			if a.Name != b.Name {
				return a.Name < b.Name
			}
			if a.Version != b.Version {
				return a.Version < b.Version
			}
			return a.Arch < b.Arch
		})
		return out, p.list
	}
	return nil, p.list
}

// Tags of an rpm header (rpmtag.h).
const (
	rpmName       = 1000
	rpmVersion    = 1001
	rpmRelease    = 1002
	rpmEpoch      = 1003
	rpmSize       = 1009
	rpmVendor     = 1011
	rpmArch       = 1022
	rpmSourceRPM  = 1044
	rpmDirIndexes = 1116
	rpmBaseNames  = 1117
	rpmDirNames   = 1118
	rpmLongSize   = 5009
	rpmModularity = 5096
)

// rpmHeader is a package's header: an index of tags over a store of values.
type rpmHeader struct {
	index map[uint32]rpmEntry
	store []byte
}

type rpmEntry struct{ kind, offset, count uint32 }

var errRpmHeader = errors.New("a package's header is damaged")

func parseRpmHeader(blob []byte) (rpmHeader, error) {
	const entry = 16
	if len(blob) < 8 {
		return rpmHeader{}, errRpmHeader
	}
	count, size := binary.BigEndian.Uint32(blob), binary.BigEndian.Uint32(blob[4:])
	if count > 1<<16 || uint64(count)*entry+uint64(size)+8 > uint64(len(blob)) {
		return rpmHeader{}, errRpmHeader
	}
	store := 8 + int(count)*entry
	h := rpmHeader{index: make(map[uint32]rpmEntry, count), store: blob[store : store+int(size)]}
	for i := range int(count) {
		raw := blob[8+i*entry:]
		e := rpmEntry{kind: binary.BigEndian.Uint32(raw[4:]), offset: binary.BigEndian.Uint32(raw[8:]), count: binary.BigEndian.Uint32(raw[12:])}
		tag := binary.BigEndian.Uint32(raw)
		if _, twice := h.index[tag]; !twice && e.offset < size {
			h.index[tag] = e
		}
	}
	return h, nil
}

// text returns a tag's first string.
func (h rpmHeader) text(tag uint32) string {
	e, ok := h.index[tag]
	const text, array, international = 6, 8, 9
	if !ok || e.kind != text && e.kind != array && e.kind != international {
		return ""
	}
	value, _, _ := bytes.Cut(h.store[e.offset:], []byte{0})
	return strings.ToValidUTF8(string(value), "?")
}

// number returns a tag's first integer.
func (h rpmHeader) number(tag uint32) (uint64, bool) {
	e, ok := h.index[tag]
	if !ok {
		return 0, false
	}
	data := h.store[e.offset:]
	switch {
	case e.kind == 4 && len(data) >= 4:
		return uint64(binary.BigEndian.Uint32(data)), true
	case e.kind == 5 && len(data) >= 8:
		return binary.BigEndian.Uint64(data), true
	}
	return 0, false
}

// list visits a tag's strings.
func (h rpmHeader) list(tag uint32, visit func(i int, value []byte)) {
	e, ok := h.index[tag]
	if !ok {
		return
	}
	data := h.store[e.offset:]
	for i := range int(e.count) {
		value, rest, found := bytes.Cut(data, []byte{0})
		if !found {
			return
		}
		visit(i, value)
		data = rest
	}
}

// files visits the package's files: base names with indexes into directories.
func (h rpmHeader) files(visit func(path string)) {
	var dirs []string
	h.list(rpmDirNames, func(_ int, value []byte) { dirs = append(dirs, string(value)) })
	indexes, ok := h.index[rpmDirIndexes]
	if !ok {
		return
	}
	data := h.store[indexes.offset:]
	h.list(rpmBaseNames, func(i int, value []byte) {
		if i >= int(indexes.count) || len(data) < 4*(i+1) {
			return
		}
		if dir := binary.BigEndian.Uint32(data[4*i:]); int(dir) < len(dirs) {
			visit(dirs[dir] + string(value))
		}
	})
}

// pkg makes a package of a header; imported keys are kept as packages too and
// are none.
func (h rpmHeader) pkg(distro Distro) (report.Package, bool) {
	name := h.text(rpmName)
	if name == "" || name == "gpg-pubkey" {
		return report.Package{}, false
	}
	p := report.Package{Type: "rpm", Name: name, Arch: h.text(rpmArch), Vendor: h.text(rpmVendor)}
	if p.Arch == "(none)" {
		p.Arch = ""
	}
	bare := h.text(rpmVersion) + "-" + h.text(rpmRelease)
	p.Version = bare
	qualifiers := packageurl.Qualifiers{}
	add := func(key, value string) {
		if value != "" {
			qualifiers = append(qualifiers, packageurl.Qualifier{Key: key, Value: value})
		}
	}
	add("arch", p.Arch)
	if epoch, ok := h.number(rpmEpoch); ok {
		p.Version = strconv.FormatUint(epoch, 10) + ":" + bare
		add("epoch", strconv.FormatUint(epoch, 10))
	}
	if source := h.text(rpmSourceRPM); source != "" && source != "(none)" {
		p.Source = sourceName(source)
		add("upstream", source)
	}
	add("rpmmod", h.text(rpmModularity))
	namespace := firstOf(distro.ID, "rpm")
	if distro.Version != "" {
		add("distro", fmt.Sprintf("%s-%s", namespace, distro.Version))
	}
	if size, ok := h.number(rpmLongSize); ok {
		p.SizeKiB = size / 1024
	} else if size, ok := h.number(rpmSize); ok {
		p.SizeKiB = size / 1024
	}
	p.PURL = packageurl.NewPackageURL("rpm", namespace, name, bare, qualifiers, "").ToString()
	return p, true
}

// sourceName takes "bash" out of "bash-5.1.8-6.el9.src.rpm".
func sourceName(source string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(source, ".rpm"), ".src")
	for range 2 {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
	}
	return name
}
