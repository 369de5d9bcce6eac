package inventory

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/s2"

	"github.com/watchbill/watchbill/cmdb/report"
)

// sectionDoc is the newest content of one section of one machine.
type sectionDoc struct {
	CI       string           `json:"ci"`
	Name     string           `json:"name"`
	Packed   []byte           `json:"packed"` // compressed JSON; for packages their numbers
	Problems []report.Problem `json:"problems,omitempty"`
}

// Limits of one section. A host with more has something wrong with it, and would
// slow the others down.
const (
	maxSection  = 8 << 20
	maxPacked   = 2 << 20
	maxElements = 100_000
	maxName     = 1024 // of what becomes a name, an identity or a field
	maxText     = 16 << 10
	maxSections = 64 // of one report, known or not
)

func sectionNumber(name string) int { return slices.Index(sectionNames, name) }

var sectionNames = report.Sections()

const sectionCount = 18

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// content is a decoded section.
type content struct {
	name   string
	number int
	hash   uint64
	raw    stdjson.RawMessage
	value  any // *report.Host, []report.Package, ...
	packed []byte
	probs  []report.Problem
}

// decodeSection reads and checks one section. The error says which element is
// wrong: it is shown on the host, whose owner can mend it.
func decodeSection(name string, s report.Section) (*content, error) {
	n := sectionNumber(name)
	if n < 0 {
		return nil, fmt.Errorf("is no section: want one of %s", strings.Join(sectionNames, ", "))
	}
	if len(s.Data) > maxSection {
		return nil, fmt.Errorf("has %d bytes, more than %d", len(s.Data), maxSection)
	}
	if s.Wrong != "" {
		return nil, fmt.Errorf("is no section: %s", s.Wrong)
	}
	c := &content{name: name, number: n, hash: hashOf(s.Hash), raw: s.Data, probs: s.Problems}
	var err error
	switch name {
	case report.SectionAgent:
		c.value, err = one[report.Agent](s.Data)
	case report.SectionHost:
		c.value, err = one[report.Host](s.Data)
	case report.SectionOS:
		c.value, err = one[report.OS](s.Data)
	case report.SectionHardware:
		c.value, err = one[report.Hardware](s.Data)
	case report.SectionInterfaces:
		c.value, err = list(s.Data, func(x *report.Interface) string {
			for _, a := range x.Addresses {
				if _, err := netip.ParsePrefix(a); err != nil {
					return fmt.Sprintf("addresses: want CIDR notation, got %.60q", a)
				}
			}
			return named("name", x.Name) + short("mac", x.MAC) + short("permanent_mac", x.PermanentMAC)
		})
	case report.SectionRoutes:
		c.value, err = list[report.Route](s.Data, nil)
	case report.SectionDisks:
		c.value, err = list(s.Data, func(x *report.Disk) string { return named("name", x.Name) + short("serial", x.Serial) })
	case report.SectionFilesystems:
		c.value, err = list(s.Data, func(x *report.Filesystem) string { return named("mountpoint", x.Mountpoint) })
	case report.SectionPackages:
		c.value, err = list(s.Data, func(x *report.Package) string {
			return named("type", x.Type) + named("name", x.Name) + short("version", x.Version) + short("arch", x.Arch) + text("purl", x.PURL) + text("location", x.Location)
		})
	case report.SectionServices:
		c.value, err = list(s.Data, func(x *report.Service) string { return named("name", x.Name) })
	case report.SectionProcesses:
		c.value, err = list(s.Data, func(x *report.Process) string { return named("name", x.Name) + short("unit", x.Unit) })
	case report.SectionListeners:
		c.value, err = list(s.Data, func(x *report.Listener) string {
			return port("port", x.Port, 1) + address("address", x.Address) + short("process", x.Process) + short("unit", x.Unit) + short("product", x.Product) + short("forward", x.Forward)
		})
	case report.SectionConnections:
		c.value, err = list(s.Data, func(x *report.Connection) string {
			if x.Direction != "inbound" && x.Direction != "outbound" {
				return fmt.Sprintf(`direction: want "inbound" or "outbound", got %.40q`, x.Direction)
			}
			return port("local_port", x.LocalPort, 0) + port("peer_port", x.PeerPort, 0) + peer(x.PeerAddress) + short("process", x.Process) + short("unit", x.Unit) + short("user", x.User) + short("peer_mac", x.PeerMAC)
		})
	case report.SectionContainers:
		c.value, err = list(s.Data, func(x *report.Container) string {
			return named("id", x.ID) + short("name", x.Name) + short("image", x.Image)
		})
	case report.SectionUsers:
		c.value, err = list(s.Data, func(x *report.User) string { return named("name", x.Name) })
	case report.SectionCertificates:
		c.value, err = list(s.Data, func(x *report.Certificate) string { return named("fingerprint", x.Fingerprint) })
	case report.SectionModules:
		c.value, err = list(s.Data, func(x *report.Module) string { return named("name", x.Name) })
	case report.SectionCron:
		c.value, err = list[report.CronEntry](s.Data, nil)
	}
	if err != nil {
		return nil, err
	}
	if name != report.SectionPackages {
		if c.packed = s2.Encode(nil, s.Data); len(c.packed) > maxPacked {
			return nil, fmt.Errorf("has %d bytes when compressed, more than %d", len(c.packed), maxPacked)
		}
	}
	return c, nil
}

func decode[T any](data []byte) (v T, err error) { return decodeTo(data, v) }

// decodeTo reads into v, whose capacity it uses.
func decodeTo[T any](data []byte, v T) (T, error) {
	// Half of what a changed report costs is reading its packages: this reader
	// takes a third of the standard one's time.
	if err := json.Unmarshal(data, &v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return v, fmt.Errorf("cannot be read: %w", err)
	}
	return v, nil
}

// one reads a section that is one object. Its texts become fields and identities.
func one[T any](data []byte) (T, error) {
	v, err := decode[T](data)
	if err != nil {
		return v, err
	}
	if why := shortFields("", reflect.ValueOf(v)); why != "" {
		return v, errors.New(why)
	}
	return v, nil
}

func shortFields(path string, v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return short(path, v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return shortFields(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if path != "" {
				name = path + "." + name
			}
			if why := shortFields(name, v.Field(i)); why != "" {
				return why
			}
		}
	}
	return ""
}

func list[T any](data []byte, check func(*T) string) ([]T, error) {
	// A list that grows while it is read is copied again and again, which was a tenth of
	// all memory that reports took. Only a hint: braces may stand in texts.
	v, err := decodeTo(data, make([]T, 0, min(bytes.Count(data, []byte("{")), 4096)))
	if err != nil {
		return nil, err
	}
	if len(v) > maxElements {
		return nil, fmt.Errorf("has %d elements, more than %d", len(v), maxElements)
	}
	if check == nil {
		return v, nil
	}
	for i := range v {
		if why := check(&v[i]); why != "" {
			return nil, fmt.Errorf("element %d: %s", i, why)
		}
	}
	return v, nil
}

func named(field, v string) string {
	switch {
	case v == "":
		return field + ": missing"
	case len(v) > maxName:
		return short(field, v)
	case strings.ContainsAny(v, "\x00\n\r"):
		return field + ": contains a control character"
	}
	return ""
}

// short refuses what would make a name or a key of megabytes.
func short(field, v string) string {
	if len(v) > maxName {
		return fmt.Sprintf("%s: longer than %d bytes", field, maxName)
	}
	return ""
}

func text(field, v string) string {
	if len(v) > maxText {
		return fmt.Sprintf("%s: longer than %d bytes", field, maxText)
	}
	return ""
}

func port(field string, p, least int) string {
	if p < least || p > 65535 {
		return fmt.Sprintf("%s: want %d to 65535, got %d", field, least, p)
	}
	return ""
}

func address(field, s string) string {
	if s == "" || s == "*" {
		return ""
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Sprintf("%s: want an IP address, got %.60q", field, s)
	}
	return ""
}

// peer of a connection is an address, or a prefix where the agent folded many.
func peer(s string) string {
	if _, err := netip.ParsePrefix(s); err == nil {
		return ""
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Sprintf("peer_address: want an IP address or a prefix, got %.60q", s)
	}
	return ""
}

// section returns the stored content of a machine's section; the zero value if
// there is none.
func section[T any](b *batch, ci, name string, fresh map[string]*content) (T, error) {
	var v T
	if c := fresh[name]; c != nil {
		return c.value.(T), nil
	}
	d, err := read(b, b.sections, b.inv.cols.section, ci+" "+name)
	if err != nil || d == nil {
		return v, err
	}
	if v, err = unpack[T](d.Packed); err != nil {
		return v, fmt.Errorf("section %s of %s: %w", name, ci, err)
	}
	return v, nil
}

func unpack[T any](packed []byte) (T, error) {
	var v T
	raw, err := s2.Decode(nil, packed)
	if err != nil {
		return v, err
	}
	return decode[T](raw)
}
