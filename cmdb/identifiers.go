package cmdb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Identifiers are what one observation of a machine says about which machine it
// is, normalised: placeholders are gone, spellings are one. A machine may lack
// any of them.
type Identifiers struct {
	Cloud       string   `json:"cloud,omitempty"` // provider/account/instance
	AgentID     string   `json:"agent_id,omitempty"`
	ProductUUID string   `json:"product_uuid,omitempty"` // DMI, in the byte order that sorts first
	Vendor      string   `json:"vendor,omitempty"`
	Serial      string   `json:"serial,omitempty"`
	AssetTag    string   `json:"asset_tag,omitempty"`
	MachineID   string   `json:"machine_id,omitempty"`
	MACs        []string `json:"macs,omitempty"`  // permanent and universally administered, sorted
	Disks       []string `json:"disks,omitempty"` // serials, sorted
	FQDN        string   `json:"fqdn,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	Addresses   []string `json:"addresses,omitempty"`
	Container   bool     `json:"container,omitempty"`
	ContainerID string   `json:"container_id,omitempty"`
	ParentHint  string   `json:"parent_hint,omitempty"`
}

// IdentifiersOf reads the identifying parts of a report. A container never
// inherits what its host's firmware and cloud say: the same values stand in every
// container there.
func IdentifiersOf(agent report.Agent, host report.Host, ifs []report.Interface, disks []report.Disk, macs []string) Identifiers {
	id := Identifiers{
		AgentID: normal(agent.ID), MachineID: machineID(host.MachineID),
		Hostname: short(host.Hostname), FQDN: fqdn(host.FQDN, host.Hostname),
		Container: host.Container, ParentHint: normal(host.ParentHint),
	}
	if host.Container {
		id.ContainerID = Serial(host.ContainerID)
	}
	for _, i := range ifs {
		for _, a := range i.Addresses {
			if p, err := netip.ParsePrefix(a); err == nil && identifying(p.Addr()) {
				id.Addresses = append(id.Addresses, p.Addr().Unmap().String())
			}
		}
	}
	id.Addresses = sortedSet(id.Addresses)
	if host.Container {
		return id
	}
	for _, i := range ifs {
		if m := hardwareMAC(i); m != "" {
			id.MACs = append(id.MACs, m)
		}
	}
	for _, m := range macs {
		if m = MAC(m); m != "" {
			id.MACs = append(id.MACs, m)
		}
	}
	id.MACs = sortedSet(id.MACs)
	for _, d := range disks {
		if d.Kind == "loop" || d.Kind == "lvm" || d.Kind == "crypt" {
			continue
		}
		if s := Serial(d.Serial); s != "" {
			id.Disks = append(id.Disks, s)
		}
	}
	id.Disks = sortedSet(id.Disks)
	id.ProductUUID = UUID(host.ProductUUID)
	id.Vendor = normal(host.Vendor)
	id.AssetTag = Serial(host.AssetTag)
	for _, s := range []string{host.SerialNumber, host.BoardSerial, host.ChassisSerial} {
		if s = Serial(s); s != "" {
			id.Serial = s
			break
		}
	}
	if c := host.Cloud; c != nil && c.Provider != "" && c.InstanceID != "" {
		id.Cloud = strings.Join([]string{normal(c.Provider), normal(c.Account), normal(c.InstanceID)}, "/")
	}
	return id
}

// IdentifiersFrom reads what identifies an item that people or an import wrote
// down: its attributes and, since such a row often has nothing else, its name.
func IdentifiersFrom(name string, a Attributes) Identifiers {
	written := a.List("addresses")
	if _, err := netip.ParseAddr(strings.TrimSpace(name)); err == nil {
		name, written = "", append(slices.Clone(written), strings.TrimSpace(name)) // a row that is called by its address
	}
	id := Identifiers{
		AgentID: normal(a.Text("agent_id")), MachineID: machineID(a.Text("machine_id")),
		ProductUUID: UUID(a.Text("product_uuid")), Vendor: normal(a.Text("vendor")), Serial: Serial(a.Text("serial_number")),
		AssetTag: Serial(a.Text("asset_tag")),
		Hostname: short(cmp.Or(a.Text("hostname"), a.Text("fqdn"), name)), FQDN: fqdn(a.Text("fqdn"), a.Text("hostname"), name),
	}
	if p, i := normal(a.Text("cloud_provider")), normal(a.Text("cloud_instance")); p != "" && i != "" {
		id.Cloud = strings.Join([]string{p, normal(a.Text("cloud_account")), i}, "/")
	}
	for _, m := range a.List("macs") {
		if m = MAC(m); m != "" {
			id.MACs = append(id.MACs, m)
		}
	}
	for _, s := range a.List("disk_serials") {
		if s = Serial(s); s != "" {
			id.Disks = append(id.Disks, s)
		}
	}
	id.MACs, id.Disks = sortedSet(id.MACs), sortedSet(id.Disks)
	for _, s := range written {
		if p, err := netip.ParseAddr(s); err == nil && identifying(p) {
			id.Addresses = append(id.Addresses, p.Unmap().String())
		}
	}
	id.Addresses = sortedSet(id.Addresses)
	return id
}

// IsZero says that nothing identifies.
func (i Identifiers) IsZero() bool { return len(i.Keys()) == 0 }

// Keys lists the values by which stored machines are found, each with its kind:
// the candidates for Identify are the machines that share one.
func (i Identifiers) Keys() []string {
	var out []string
	add := func(kind, v string) {
		if v != "" {
			out = append(out, kind+":"+v)
		}
	}
	add("cloud", i.Cloud)
	add("container", i.ContainerID)
	add("agent", i.AgentID)
	add("uuid", i.ProductUUID)
	add("serial", i.Serial)
	add("asset", i.AssetTag)
	add("machine", i.MachineID)
	for _, m := range i.MACs {
		add("mac", m)
	}
	for _, d := range i.Disks {
		add("disk", d)
	}
	add("fqdn", i.FQDN)
	add("name", i.Hostname)
	for _, a := range i.Addresses {
		add("address", a)
	}
	return out
}

// placeholders are what makers, hypervisors and images write where an own value
// belongs. Compared in lower case without punctuation.
var placeholders = squashed(
	"", "0", "1", "none", "n/a", "na", "null", "nil", "unknown", "default", "default string", "invalid", "empty", "no serial",
	"to be filled by o.e.m.", "to be filled by oem", "tobefilledbyoem", "o.e.m.", "oem", "oem_serial", "oem default000",
	"system serial number", "system product name", "system manufacturer", "serial number", "serial", "base board serial number",
	"chassis serial number", "not specified", "not available", "not applicable", "not set", "not present", "unspecified",
	"xxxxxxxx", "xxxxxxxxxxxx", "123456789", "1234567890", "0123456789", "01234567890123456789", "0123456789abcdef", "1234567", "12345678", "12345",
	"serial#", "sernum", "ssn", "bss-0123456789", "mb-1234567890", "chassis-1234567890", "type2 - board serial number", "type1 - system serial number",
	"03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc",
	"fefefefe-fefe-fefe-fefe-fefefefefefe", "11111111-2222-3333-4444-555555555555", "4c4c4544-0000-2010-8020-80c04f202020",
	"uninitialized", "no asset tag", "no asset information", "asset tag", "chassis asset tag", "pending", "tbd", "oraclecloud.com", "7783-7084-3265-9085-8269-3286-77", "amazon ec2", "qemu harddisk", "vmware, inc.", "innotek gmbh", "asset-1234567890", "standard", "filled by oem", "sample",
)

func squashed(values ...string) map[string]bool {
	m := make(map[string]bool, len(values))
	for _, v := range values {
		m[squash(v)] = true
	}
	return m
}

func squash(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return -1
	}, s)
}

// placeholder says that a value cannot tell machines apart.
func placeholder(s string) bool {
	q := squash(s)
	if placeholders[q] {
		return true
	}
	// One character repeated: 00000000, FFFFFFFF, ........
	return strings.Trim(q, q[:1]) == ""
}

// makers are names of one maker that have no beginning in common.
var makers = map[string]string{"hewlettpackard": "hp", "hewlettpackardenterprise": "hp", "hpe": "hp", "internationalbusinessmachines": "ibm"}

// sameMaker says whether two vendor names mean one maker: invoices write "Dell",
// firmware "Dell Inc.".
func sameMaker(a, b string) bool {
	a, b = squash(a), squash(b)
	if m := makers[a]; m != "" {
		a = m
	}
	if m := makers[b]; m != "" {
		b = m
	}
	const least = 2 // letters that a name may be cut to: HP
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) >= least && strings.HasPrefix(b, a)
}

func normal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Serial normalises a serial number; "" if it is a placeholder.
func Serial(s string) string {
	s = normal(s)
	if placeholder(s) || len(squash(s)) < 4 || len(s) > 128 {
		return ""
	}
	return s
}

// UUID normalises a DMI UUID; "" if it is no UUID or a placeholder. Firmware and
// tools disagree on the byte order of the first three fields: both spellings
// become the one that sorts first.
func UUID(s string) string {
	h := strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
			return c
		case c >= 'A' && c <= 'F':
			return c + 'a' - 'A'
		case c == '-' || c == '{' || c == '}' || c == ' ':
			return -1
		}
		return 'x'
	}, strings.TrimSpace(s))
	if len(h) != 32 || strings.ContainsRune(h, 'x') || placeholder(h) {
		return ""
	}
	swapped := h[6:8] + h[4:6] + h[2:4] + h[0:2] + h[10:12] + h[8:10] + h[14:16] + h[12:14] + h[16:]
	if placeholder(swapped) {
		return ""
	}
	return min(h, swapped)
}

func machineID(s string) string {
	s = strings.ReplaceAll(normal(s), "-", "")
	if len(s) != 32 || placeholder(s) {
		return ""
	}
	return s
}

// MAC normalises a hardware address; "" if it is malformed, a group address,
// locally administered (VPNs, containers, randomised and most virtual ones make
// theirs up) or a placeholder.
func MAC(s string) string {
	h := squash(s)
	if len(h) != 12 || strings.Trim(h, "0123456789abcdef") != "" || placeholder(h) {
		return ""
	}
	if b := strings.IndexByte("0123456789abcdef", h[1]); b&0x3 != 0 {
		return ""
	}
	return h
}

func hardwareMAC(i report.Interface) string {
	switch i.Kind {
	case "physical", "":
		if i.PermanentMAC != "" {
			return MAC(i.PermanentMAC)
		}
		return MAC(i.MAC)
	}
	return ""
}

var anyName = map[string]bool{"localhost": true, "localhost.localdomain": true, "debian": true, "ubuntu": true, "raspberrypi": true, "centos": true, "fedora": true, "archlinux": true, "linux": true, "(none)": true, "host": true, "server": true}

func short(s string) string {
	s, _, _ = strings.Cut(normal(s), ".")
	if anyName[s] {
		return ""
	}
	return s
}

// fqdn wants a domain that means something elsewhere.
func fqdn(names ...string) string {
	for _, s := range names {
		s = strings.TrimSuffix(normal(s), ".")
		name, domain, ok := strings.Cut(s, ".")
		if ok && !anyName[name] && domain != "localdomain" && domain != "local" && domain != "lan" && domain != "home" {
			return s
		}
	}
	return ""
}

// identifying addresses may mean one machine among all; the others stand on every machine.
func identifying(a netip.Addr) bool {
	return a.IsValid() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
}

func sortedSet(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	slices.Sort(s)
	return slices.Compact(s)
}
