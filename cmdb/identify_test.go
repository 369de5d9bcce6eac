package cmdb

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/cmdb/report"
)

// machine is one observation, as an agent would report it.
type machine struct {
	agent, id, uuid, serial, vendor, board, host, fqdn, cloud, account string
	macs, addresses, disks                                             []string
	container                                                          bool
	containerID                                                        string
	credential                                                         bool // of the known machine: the observation came with its credential
}

func (m machine) identifiers() Identifiers {
	h := report.Host{
		Hostname: m.host, FQDN: m.fqdn, MachineID: m.id, ProductUUID: m.uuid, SerialNumber: m.serial, Vendor: m.vendor,
		BoardSerial: m.board, Container: m.container, ContainerID: m.containerID,
	}
	if m.cloud != "" {
		h.Cloud = &report.Cloud{Provider: "aws", Account: m.account, InstanceID: m.cloud}
	}
	var ifs []report.Interface
	for i, mac := range m.macs {
		ifs = append(ifs, report.Interface{Name: fmt.Sprintf("eth%d", i), Kind: "physical", MAC: mac})
	}
	for _, a := range m.addresses {
		ifs = append(ifs, report.Interface{Name: "bond0", Kind: "bond", Addresses: []string{a + "/24"}})
	}
	var disks []report.Disk
	for _, d := range m.disks {
		disks = append(disks, report.Disk{Name: "sd", Kind: "ssd", Serial: d})
	}
	return IdentifiersOf(report.Agent{ID: m.agent}, h, ifs, disks, nil)
}

// Values that recur in the table. What is one letter there is whole here.
const (
	uuidA   = "4c4c4544-0051-3610-8052-b4c04f4e3132"
	uuidAsw = "44454c4c-5100-1036-8052-b4c04f4e3132" // uuidA as tools print it that swap bytes
	uuidB   = "a9d2d1e0-77aa-4c5f-9b6e-2f6f0c1d2e3f"
	idA     = "0123456789abcdef0123456789abcd01"
	idB     = "fedcba9876543210fedcba9876543202"
	macA    = "00:25:90:aa:00:01"
	macA2   = "00:25:90:aa:00:02"
	macB    = "00:25:90:bb:00:01"
	dockMAC = "00:50:b6:dd:00:01"
)

// full is a well-known machine with everything.
var full = machine{agent: "ag-a", id: idA, uuid: uuidA, serial: "5QR6N12", vendor: "Dell Inc.", host: "web-1", fqdn: "web-1.example.com", macs: []string{macA, macA2}, disks: []string{"S3Z8NB0K1"}, addresses: []string{"10.0.0.5"}}

func but(m machine, f func(*machine)) machine { f(&m); return m }

type identityCase struct {
	name   string
	known  []machine
	shared []string // keys that stand on two live machines
	seen   machine
	want   Outcome
	ci     int // of known, counting from 1
	rule   string
	also   string // "reimaged", "cloned", "proposes" (it names ci)
}

var identityCases = []identityCase{
	// The same machine, seen again.
	{name: "nothing changed", known: []machine{full}, seen: full, want: Match, ci: 1, rule: RuleAgent},
	{name: "first machine ever", seen: full, want: New},
	{name: "agent reinstalled, its id lost", known: []machine{full}, seen: but(full, func(m *machine) { m.agent = "ag-new" }), want: Match, ci: 1, rule: RuleDMI},
	{name: "agent without privileges reads no firmware", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid, m.serial, m.disks = "", "", nil }), want: Match, ci: 1, rule: RuleAgent},
	{name: "address by DHCP changed", known: []machine{full}, seen: but(full, func(m *machine) { m.addresses = []string{"10.0.0.99"} }), want: Match, ci: 1, rule: RuleAgent},
	{name: "renamed", known: []machine{full}, seen: but(full, func(m *machine) { m.host, m.fqdn = "shop-1", "shop-1.example.com" }), want: Match, ci: 1, rule: RuleAgent},
	{name: "UUID printed in the other byte order", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid, m.agent = uuidAsw, "ag-new" }), want: Match, ci: 1, rule: RuleDMI},
	{name: "UUID in capitals and braces", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid, m.agent = "{4C4C4544-0051-3610-8052-B4C04F4E3132}", "ag-new" }), want: Match, ci: 1, rule: RuleDMI},
	{name: "one network card replaced", known: []machine{full}, seen: but(full, func(m *machine) { m.macs = []string{macA, macB} }), want: Match, ci: 1, rule: RuleAgent},
	{name: "every network card replaced, firmware the same", known: []machine{full}, seen: but(full, func(m *machine) { m.macs = []string{macB} }), want: Match, ci: 1, rule: RuleAgent},
	{name: "machine-id made anew, the rest the same", known: []machine{full}, seen: but(full, func(m *machine) { m.id = idB }), want: Match, ci: 1, rule: RuleAgent, also: "reimaged"},
	{name: "disk replaced", known: []machine{full}, seen: but(full, func(m *machine) { m.disks = []string{"OTHER777"} }), want: Match, ci: 1, rule: RuleAgent},
	{name: "firmware update rewrote the UUID", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid = uuidB }), want: Match, ci: 1, rule: RuleAgent},

	// The same hardware with another installation.
	{name: "reimaged: all software identity is new", known: []machine{full}, seen: but(full, func(m *machine) { m.agent, m.id = "ag-new", idB }), want: Match, ci: 1, rule: RuleDMI, also: "reimaged"},
	{name: "reimaged and renamed", known: []machine{full}, seen: but(full, func(m *machine) { m.agent, m.id, m.host, m.fqdn = "ag-new", idB, "db-9", "db-9.example.com" }), want: Match, ci: 1, rule: RuleDMI, also: "reimaged"},
	{name: "reimaged virtual machine without serial, name kept", known: []machine{{agent: "ag-v", id: idA, uuid: uuidB, host: "vm-7"}}, seen: machine{agent: "ag-w", id: idB, uuid: uuidB, host: "vm-7"}, want: Match, ci: 1, rule: RuleDMIOther, also: "reimaged"},
	{name: "reimaged, firmware unreadable, card and name kept", known: []machine{{agent: "ag-r", id: idA, host: "pi-1", fqdn: "pi-1.example.com", macs: []string{macA}}}, seen: machine{agent: "ag-s", id: idB, host: "pi-1", fqdn: "pi-1.example.com", macs: []string{macA}}, want: Match, ci: 1, rule: RuleFQDN, also: "reimaged"},

	// Copies of an installation.
	{name: "virtual disk cloned: other UUID and MAC, same agent", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid, m.serial, m.macs, m.disks = uuidB, "", []string{macB}, nil }), want: New, also: "cloned"},
	{name: "the same, with the copied credential", known: []machine{full}, seen: but(full, func(m *machine) {
		m.uuid, m.serial, m.macs, m.disks, m.credential = uuidB, "", []string{macB}, nil, true
	}), want: New, also: "cloned"},
	{name: "cloned machine-id, agent installed afterwards", known: []machine{full}, seen: machine{agent: "ag-b", id: idA, uuid: uuidB, host: "web-2", macs: []string{macB}}, want: New, also: "proposes", ci: 1},
	{name: "SD card cloned: no firmware, other MAC", known: []machine{{agent: "ag-r", id: idA, host: "pi-1", macs: []string{macA}}}, seen: machine{agent: "ag-r", id: idA, host: "pi-1", macs: []string{macB}}, want: New, also: "cloned"},
	{name: "two cloud instances of one image", known: []machine{but(full, func(m *machine) { m.cloud = "i-0aaa" })}, seen: but(full, func(m *machine) { m.cloud = "i-0bbb" }), want: New, also: "cloned"},
	{name: "cloned laptops in turn on one dock", known: []machine{but(full, func(m *machine) { m.macs = []string{dockMAC} })}, seen: but(full, func(m *machine) {
		m.uuid, m.serial, m.macs, m.agent, m.disks = uuidB, "7XYZ999", []string{dockMAC}, "ag-b", nil
	}), want: New, also: "proposes", ci: 1},
	{name: "agent state restored onto other hardware", known: []machine{full}, seen: machine{agent: "ag-a", id: idB, uuid: uuidB, serial: "7XYZ999", vendor: "Dell Inc.", host: "new-1", macs: []string{macB}}, want: New, also: "cloned"},
	{name: "identifiers that two live machines share stopped identifying", known: []machine{full, but(full, func(m *machine) { m.agent = "ag-b" })},
		shared: []string{"uuid:" + UUID(uuidA), "serial:5qr6n12", "machine:" + idA, "mac:" + MAC(macA), "mac:" + MAC(macA2), "disk:s3z8nb0k1", "fqdn:web-1.example.com", "name:web-1"},
		seen:   but(full, func(m *machine) { m.agent = "ag-b" }), want: Match, ci: 2, rule: RuleAgentOnly},

	// The cloud.
	{name: "cloud instance, everything else rebuilt", known: []machine{{agent: "ag-a", id: idA, cloud: "i-0abc", account: "12"}}, seen: machine{agent: "ag-b", id: idB, cloud: "i-0abc", account: "12", host: "x"}, want: Match, ci: 1, rule: RuleCloud, also: "reimaged"},
	{name: "the same instance id in another account", known: []machine{{agent: "ag-a", id: idA, cloud: "i-0abc", account: "12"}}, seen: machine{agent: "ag-b", id: idB, cloud: "i-0abc", account: "13", host: "x"}, want: New},

	// Placeholders.
	{name: "serial 'To be filled by O.E.M.' on both", known: []machine{{agent: "ag-a", id: idA, serial: "To be filled by O.E.M.", vendor: "Generic", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, serial: "To be filled by O.E.M.", vendor: "Generic", host: "b-1"}, want: New},
	{name: "serial 'Default string' on both", known: []machine{{agent: "ag-a", id: idA, serial: "Default string", vendor: "Generic", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, serial: "Default string", vendor: "Generic", host: "b-1"}, want: New},
	{name: "serial of zeros on both", known: []machine{{agent: "ag-a", id: idA, serial: "00000000", vendor: "Generic", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, serial: "00000000", vendor: "Generic", host: "b-1"}, want: New},
	{name: "UUID that a board maker ships", known: []machine{{agent: "ag-a", id: idA, uuid: "03000200-0400-0500-0006-000700080009", host: "a-1", macs: []string{macA}}}, seen: machine{agent: "ag-b", id: idB, uuid: "03000200-0400-0500-0006-000700080009", host: "b-1", macs: []string{macB}}, want: New},
	{name: "the same UUID byte-swapped is one too", known: []machine{{agent: "ag-a", id: idA, uuid: "00020003-0004-0005-0006-000700080009", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, uuid: "00020003-0004-0005-0006-000700080009", host: "a-1", fqdn: ""}, want: New, also: "proposes", ci: 1},
	{name: "UUID of ones", known: []machine{{agent: "ag-a", id: idA, uuid: "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, uuid: "ffffffff-ffff-ffff-ffff-ffffffffffff", host: "b-1"}, want: New},
	{name: "maker repeats UUID and serial: other cards, other installation", known: []machine{full}, seen: but(full, func(m *machine) {
		m.agent, m.id, m.macs, m.disks, m.host, m.fqdn = "ag-b", idB, []string{macB}, []string{"OTHER777"}, "web-2", "web-2.example.com"
	}), want: New, also: "proposes", ci: 1},
	{name: "serial placeholder, board serial tells", known: []machine{{agent: "ag-a", id: idA, serial: "Default string", board: "BRD-00991", vendor: "Asus", host: "a-1", macs: []string{macA}}}, seen: machine{agent: "ag-b", id: idB, serial: "Default string", board: "BRD-00991", vendor: "Asus", host: "c-1", macs: []string{macA}}, want: Match, ci: 1, rule: RuleSerial, also: "reimaged"},
	{name: "equal serials of two vendors", known: []machine{{agent: "ag-a", id: idA, serial: "100200300", vendor: "Acme", host: "a-1"}}, seen: machine{agent: "ag-b", id: idB, serial: "100200300", vendor: "Umbrella", host: "b-1"}, want: New, also: "proposes", ci: 1},

	// Hardware that moved.
	{name: "board swapped: new firmware identity, same disks and agent", known: []machine{full}, seen: but(full, func(m *machine) { m.uuid, m.serial, m.macs = uuidB, "NEWBOARD1", []string{macB} }), want: New, also: "proposes", ci: 1},
	{name: "disks moved to a spare chassis with another name", known: []machine{full}, seen: machine{agent: "ag-b", id: idB, uuid: uuidB, serial: "SPARE0001", vendor: "Dell Inc.", host: "spare", macs: []string{macB}, disks: []string{"S3Z8NB0K1"}}, want: New, also: "proposes", ci: 1},

	// Names and addresses.
	{name: "the short name alone proposes", known: []machine{full}, seen: machine{agent: "ag-b", id: idB, uuid: uuidB, host: "web-1", macs: []string{macB}}, want: New, also: "proposes", ci: 1},
	{name: "the FQDN alone proposes", known: []machine{{host: "db-1", fqdn: "db-1.example.com"}}, seen: machine{agent: "ag-b", id: idB, uuid: uuidB, host: "db-1", fqdn: "db-1.example.com"}, want: New, also: "proposes", ci: 1},
	{name: "localhost is nobody's name", known: []machine{{agent: "ag-a", id: idA, host: "localhost", fqdn: "localhost.localdomain"}}, seen: machine{agent: "ag-b", id: idB, host: "localhost", fqdn: "localhost.localdomain"}, want: New},
	{name: "an address taken over", known: []machine{full}, seen: machine{agent: "ag-b", id: idB, uuid: uuidB, host: "db-1", addresses: []string{"10.0.0.5"}}, want: New, also: "proposes", ci: 1},
	{name: "locally administered MACs of a VPN are no evidence", known: []machine{{agent: "ag-a", id: idA, host: "a-1", fqdn: "a-1.example.com", macs: []string{"02:42:ac:11:00:02"}}}, seen: machine{agent: "ag-b", id: idB, host: "b-1", macs: []string{"02:42:ac:11:00:02"}}, want: New},
	{name: "imported with MAC and FQDN, then discovered", known: []machine{{host: "nas-1", fqdn: "nas-1.example.com", macs: []string{"00-25-90-AA-00-01"}}}, seen: machine{agent: "ag-n", id: idA, uuid: uuidA, host: "nas-1", fqdn: "nas-1.example.com", macs: []string{macA}}, want: Match, ci: 1, rule: RuleFQDN},
	{name: "imported by vendor and serial, then discovered", known: []machine{{serial: "5qr6n12", vendor: "dell inc."}}, seen: full, want: Match, ci: 1, rule: RuleSerial},
	{name: "nothing of the hardware is readable, name and installation are", known: []machine{{agent: "ag-a", id: idA, host: "vm-3"}}, seen: machine{agent: "ag-new", id: idA, host: "vm-3"}, want: Match, ci: 1, rule: RuleName},

	// Containers.
	{name: "a container never inherits its host's firmware", known: []machine{full}, seen: but(full, func(m *machine) { m.container, m.agent, m.id, m.host, m.fqdn = true, "ag-c", "", "c0ffee", "" }), want: New},
	{name: "nor its machine-id, even with the host's agent id", known: []machine{full}, seen: but(full, func(m *machine) { m.container = true }), want: New},
	{name: "a container is known by its own id", known: []machine{{container: true, containerID: "4f5e6d7c8b9a", agent: "ag-c", host: "c1"}}, seen: machine{container: true, containerID: "4f5e6d7c8b9a", agent: "ag-new", host: "c1"}, want: Match, ci: 1, rule: RuleContainer},
	{name: "a container recreated with its volume: agent id alone", known: []machine{{container: true, containerID: "4f5e6d7c8b9a", agent: "ag-c", host: "c1"}}, seen: machine{container: true, containerID: "99887766aabb", agent: "ag-c", host: "c2"}, want: Match, ci: 1, rule: RuleAgentOnly},

	// Two at once.
	{name: "serial of one, cloud id of another", known: []machine{full, {agent: "ag-z", id: idB, cloud: "i-0abc"}}, seen: but(full, func(m *machine) { m.cloud = "i-0abc" }), want: Conflict},
	{name: "agent of one machine, hardware of another", known: []machine{{agent: "ag-x", id: idB, host: "old"}, full}, seen: but(full, func(m *machine) { m.agent, m.id = "ag-x", idB }), want: Conflict},
	{name: "a weak rule gives way to a strong one", known: []machine{full, {host: "web-1", fqdn: "web-1.example.com", macs: []string{macA2}}}, seen: full, want: Match, ci: 1, rule: RuleAgent, also: "proposes second"},
}

// TestIdentityOfMachines is the table of cases; each line is one of real life.
func TestIdentityOfMachines(t *testing.T) {
	if len(identityCases) < 40 {
		t.Fatalf("%d cases", len(identityCases))
	}
	for _, c := range identityCases {
		t.Run(c.name, func(t *testing.T) {
			var known []Candidate
			for i, m := range c.known {
				known = append(known, Candidate{CI: fmt.Sprint(i + 1), Identifiers: m.identifiers(), Credential: c.seen.credential && i == 0})
			}
			v := Identify(c.seen.identifiers(), known, func(k string) bool { return slices.Contains(c.shared, k) })
			ci := ""
			if c.want == Match {
				ci = fmt.Sprint(c.ci)
			}
			if v.Outcome != c.want || v.CI != ci || v.Rule != c.rule {
				t.Fatalf("got %s %s by %q, want %s %s by %q\n%+v", v.Outcome, v.CI, v.Rule, c.want, ci, c.rule, v)
			}
			if v.Reimaged != (c.also == "reimaged") {
				t.Errorf("reimaged: %v", v.Reimaged)
			}
			switch c.also {
			case "cloned":
				if v.Cloned != "1" {
					t.Errorf("the clone was not noticed: %+v", v)
				}
			case "proposes":
				if len(v.Proposals) != 1 || v.Proposals[0].CI != fmt.Sprint(c.ci) || len(v.Proposals[0].Same) == 0 {
					t.Errorf("proposals: %+v", v.Proposals)
				}
			case "proposes second":
				if len(v.Proposals) != 1 || v.Proposals[0].CI != "2" {
					t.Errorf("proposals: %+v", v.Proposals)
				}
			}
			if c.want == Conflict && len(v.Findings) < 2 {
				t.Errorf("a conflict without its evidence: %+v", v)
			}
		})
	}
}

// drawMachine draws from few values, so that they meet.
func drawMachine(t *rapid.T, label string) machine {
	pick := func(what string, values ...string) string {
		return rapid.SampledFrom(append(values, "")).Draw(t, label+" "+what)
	}
	m := machine{
		agent: pick("agent", "ag-a", "ag-b"), id: pick("machine-id", idA, idB), uuid: pick("uuid", uuidA, uuidAsw, uuidB),
		serial: pick("serial", "5QR6N12", "7XYZ999", "Default string"), vendor: pick("vendor", "Dell Inc."), host: pick("name", "web-1", "web-2"),
		cloud: pick("cloud", "", "", "i-0abc", "i-0def"), container: rapid.IntRange(0, 5).Draw(t, label+" container") == 0,
	}
	if mac := pick("mac", macA, macB); mac != "" {
		m.macs = []string{mac}
	}
	return m
}

// TestIdentifyIsFair: the order of candidates changes nothing, and being one
// machine is mutual.
func TestIdentifyIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawMachine(t, "seen").identifiers()
		var known []Candidate
		for i := range rapid.IntRange(0, 4).Draw(t, "known") {
			known = append(known, Candidate{CI: fmt.Sprint(i), Identifiers: drawMachine(t, fmt.Sprint(i)).identifiers()})
		}
		first := Identify(in, known, nil)
		mixed := rapid.Permutation(known).Draw(t, "order")
		if second := Identify(in, mixed, nil); fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("order matters:\n%+v\n%+v", first, second)
		}
		for _, k := range known {
			there := Identify(in, []Candidate{k}, nil)
			back := Identify(k.Identifiers, []Candidate{{CI: k.CI, Identifiers: in}}, nil)
			if there.Rule != back.Rule {
				t.Fatalf("%+v is %+v by %q, but not the other way: %q", in, k, there.Rule, back.Rule)
			}
		}
	})
}
