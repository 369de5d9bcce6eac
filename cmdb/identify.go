package cmdb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Outcome is what Identify decided.
type Outcome string

const (
	// New: no known machine is meant. Proposals may name machines that share weak identifiers.
	New Outcome = "new"
	// Match: the observation is of the machine CI.
	Match Outcome = "match"
	// Conflict: identifiers hit several machines; a person decides.
	Conflict Outcome = "conflict"
)

// Rules by which two observations are one machine, strongest first.
const (
	RuleCloud     = "cloud instance"
	RuleAgent     = "agent id, corroborated"
	RuleDMI       = "DMI UUID and serial"
	RuleDMIOther  = "DMI UUID, corroborated"
	RuleSerial    = "vendor and serial"
	RuleAsset     = "asset tag of a recorded item"
	RuleMachine   = "machine-id and permanent MAC"
	RuleMAC       = "permanent MAC of a recorded item"
	RuleFQDN      = "FQDN and permanent MAC"
	RuleContainer = "container id"
	RuleName      = "machine-id and name, no hardware identifiers"
	RuleAgentOnly = "agent id alone"
)

var strength = []string{RuleCloud, RuleContainer, RuleAgent, RuleDMI, RuleDMIOther, RuleSerial, RuleAsset, RuleMachine, RuleMAC, RuleFQDN, RuleName, RuleAgentOnly}

// weak rules give way to a stronger one that means another machine, instead of making a conflict.
var weak = []string{RuleMAC, RuleFQDN, RuleName, RuleAgentOnly}

// firmware rules rest on what no copy of a disk carries along.
var firmware = []string{RuleCloud, RuleDMI, RuleDMIOther}

// Candidate is a known machine that shares an identifier with the observation.
type Candidate struct {
	CI string
	Identifiers
	// Credential says that the observation came with this machine's own agent credential.
	Credential bool
	// Live says that this machine's agent was heard of late, by a credential that is
	// good. An observation without that credential is then of a second reporter:
	// two that live at once are never one after the other, whatever they share.
	Live bool
	// Returned says that the observation comes from an agent that this machine had
	// before its present one. Two that replace each other in turn are two machines,
	// unless the firmware says that it is one, with two installations.
	Returned bool
	// Recorded says that just one of the two sides is a report: people or an import
	// wrote the other one down. Such a row has no installation of its own, so one
	// identifier of the hardware joins it.
	Recorded bool
}

// Finding is what comparing with one candidate said: the rule that matched, or
// what the proposal rests on, and the evidence for and against.
type Finding struct {
	CI      string   `json:"ci"`
	Rule    string   `json:"rule,omitempty"` // empty: no match
	Same    []string `json:"same,omitempty"`
	Differs []string `json:"differs,omitempty"`
	Ignored []string `json:"ignored,omitempty"` // equal, but shared by live machines
	// Why says what forbids a match that the rule would give.
	Why string `json:"why,omitempty"`
}

// Verdict is Identify's decision with its evidence.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	CI      string  `json:"ci,omitempty"`
	Rule    string  `json:"rule,omitempty"`
	// Reimaged: the same machine with another operating system installation.
	Reimaged bool `json:"reimaged,omitempty"`
	// Cloned: the observation carries CI's agent id on other hardware.
	Cloned string `json:"cloned,omitempty"`
	// Contested are machines whose identity the observation carries while another
	// agent reports under it: it is none of them until a person, or the silence of
	// the other, says so.
	Contested []Finding `json:"contested,omitempty"`
	// Proposals are machines that may be the same, for a person to merge.
	Proposals []Finding `json:"proposals,omitempty"`
	// Findings hold the evidence of the match, or of every side of a conflict.
	Findings []Finding `json:"findings,omitempty"`
}

// Identify decides which of the known machines an observation is of. shared says
// that a key (as Keys writes it) stands on two or more live machines: such a
// value has stopped identifying. The result does not depend on the order of
// candidates.
func Identify(in Identifiers, known []Candidate, shared func(key string) bool) Verdict {
	var matches, rest []Finding
	var v Verdict
	byID := map[string]Candidate{}
	for _, c := range known {
		byID[c.CI] = c
		learned := shared
		if c.Credential {
			learned = nil // its credential says more than what others have in common with it
		}
		f, clone := compare(in, c, learned)
		if clone {
			v.Cloned = min(cmp.Or(v.Cloned, c.CI), c.CI)
		}
		f.Why = forbids(in, c, f)
		switch {
		case f.Rule != "":
			matches = append(matches, f)
		case f.Why != "":
			f.Rule = unlearned(in, c).Rule
			v.Contested = append(v.Contested, f)
		case len(f.Same) > 0:
			rest = append(rest, f)
		}
	}
	order := func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(strength, a.Rule), slices.Index(strength, b.Rule)), cmp.Compare(a.CI, b.CI))
	}
	slices.SortFunc(matches, order)
	slices.SortFunc(rest, order)
	slices.SortFunc(v.Contested, order)
	for len(matches) > 1 {
		last := matches[len(matches)-1]
		if !slices.Contains(weak, last.Rule) || matches[0].Rule == last.Rule {
			v.Outcome, v.Findings, v.Proposals = Conflict, matches, rest
			return v
		}
		last.Rule, last.Why = "", ""
		rest, matches = append(rest, last), matches[:len(matches)-1]
	}
	v.Proposals = rest
	if len(matches) == 0 {
		v.Outcome = New
		return v
	}
	if matches[0].Why != "" {
		v.Outcome, v.Contested = New, append(matches, v.Contested...)
		return v
	}
	v.Outcome, v.CI, v.Rule, v.Findings, v.Cloned = Match, matches[0].CI, matches[0].Rule, matches, ""
	old := byID[v.CI]
	v.Reimaged = old.MachineID != "" && in.MachineID != "" && old.MachineID != in.MachineID && !in.Container
	return v
}

// Reasons why a match is contested.
const (
	WhyLive     = "another agent reports under this identity"
	WhyReturned = "this agent was replaced by the present one, and both live"
	WhyShared   = "what both have in common stands on several live machines"
)

// forbids says why an observation is not of a machine though its identifiers say
// so; "" if nothing forbids it or they do not.
func forbids(in Identifiers, c Candidate, f Finding) string {
	switch {
	case c.Credential || c.Recorded:
		return ""
	case f.Rule != "" && c.Live:
		return WhyLive
	case f.Rule != "" && c.Returned && !slices.Contains(firmware, f.Rule):
		return WhyReturned
	case f.Rule == "" && c.Live && len(f.Ignored) > 0 && unlearned(in, c).Rule != "":
		return WhyShared
	}
	return ""
}

// unlearned compares as if no value had stopped identifying.
func unlearned(in Identifiers, c Candidate) Finding {
	f, _ := compare(in, c, nil)
	return f
}

// compare weighs one candidate. It is symmetric in its two sides.
func compare(in Identifiers, c Candidate, shared func(string) bool) (f Finding, clone bool) {
	f.CI = c.CI
	if in.Container != c.Container {
		// A container sees its host's kernel, often its names and addresses too.
		return f, false
	}
	same := func(kind, a, b string) bool {
		switch {
		case a == "" || b == "":
			return false
		case a != b:
			f.Differs = append(f.Differs, fmt.Sprintf("%s %s is not %s", kind, a, b))
			return false
		case shared != nil && shared(kind+":"+a):
			f.Ignored = append(f.Ignored, kind+" "+a)
			return false
		}
		f.Same = append(f.Same, kind+" "+a)
		return true
	}
	set := func(kind string, a, b []string) (common, apart bool) {
		if len(a) == 0 || len(b) == 0 {
			return false, false
		}
		any := false
		for _, x := range a {
			if !slices.Contains(b, x) {
				continue
			}
			any = true
			if shared != nil && shared(kind+":"+x) {
				f.Ignored = append(f.Ignored, kind+" "+x)
				continue
			}
			common = true
			f.Same = append(f.Same, kind+" "+x)
		}
		if !any {
			f.Differs = append(f.Differs, fmt.Sprintf("%s %s is not %s", kind, strings.Join(a, ","), strings.Join(b, ",")))
		}
		return common, !any
	}
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }

	cloud := same("cloud", in.Cloud, c.Cloud)
	container := same("container", in.ContainerID, c.ContainerID)
	agent := same("agent", in.AgentID, c.AgentID)
	uuid := same("uuid", in.ProductUUID, c.ProductUUID)
	serial := same("serial", in.Serial, c.Serial)
	asset := same("asset", in.AssetTag, c.AssetTag)
	machine := same("machine", in.MachineID, c.MachineID)
	mac, macsApart := set("mac", in.MACs, c.MACs)
	disk, disksApart := set("disk", in.Disks, c.Disks)
	fqdn := same("fqdn", in.FQDN, c.FQDN)
	name := same("name", in.Hostname, c.Hostname)
	set("address", in.Addresses, c.Addresses)

	uuidApart, serialApart := differ(in.ProductUUID, c.ProductUUID), differ(in.Serial, c.Serial)
	machineApart, containerApart := differ(in.MachineID, c.MachineID), differ(in.ContainerID, c.ContainerID)
	sameVendor := in.Vendor == "" || c.Vendor == "" || sameMaker(in.Vendor, c.Vendor)
	named := fqdn || name
	// The firmware says that it is another box, or nothing is left of the network
	// cards where the firmware says nothing.
	boxApart := uuidApart || serialApart || (macsApart && !uuid && !serial)
	// Nothing of the installation is left: its ids and its names are all others.
	installationApart := machineApart && differ(in.AgentID, c.AgentID) && !named && differ(in.Hostname, c.Hostname)
	// A UUID that differs beside an equal serial number was rewritten by a firmware
	// update, or the serial number is one that a maker repeats and the card one that
	// moves (a dock, an adapter): only the installation or its disks can tell.
	rewritten := uuidApart && !disksApart && (agent || disk || machine && named)

	switch {
	case differ(in.Cloud, c.Cloud):
		// Two instances of one image: whatever else is equal was copied.
	case cloud:
		f.Rule = RuleCloud
	case container:
		f.Rule = RuleContainer
	case serial && mac && sameVendor && (!uuidApart || rewritten):
		// Two hardware witnesses.
		f.Rule = RuleSerial
		if uuid {
			f.Rule = RuleDMI
		}
		if agent {
			f.Rule = RuleAgent
		}
	case asset && c.Recorded && !uuidApart && !serialApart:
		f.Rule = RuleAsset
	case boxApart:
	case agent && (uuid || machine):
		f.Rule = RuleAgent
	case agent && c.Credential && !machineApart:
		f.Rule = RuleAgent
	case uuid && serial && (!macsApart || machine || agent || disk):
		f.Rule = RuleDMI
	case uuid && (mac || disk || c.Recorded || (!macsApart && (machine || named))):
		f.Rule = RuleDMIOther
	case serial && sameVendor && (c.Recorded || in.Vendor != "" && c.Vendor != "" && !installationApart || named) && (!macsApart || machine || disk || c.Recorded):
		f.Rule = RuleSerial
	case machine && mac:
		f.Rule = RuleMachine
	case fqdn && mac:
		f.Rule = RuleFQDN
	case mac && c.Recorded:
		f.Rule = RuleMAC
	case machine && named && !containerApart && in.bare() && c.bare():
		// Nothing of the hardware can be read, as on many virtual machines.
		f.Rule = RuleName
	case agent && !macsApart && (!machineApart || in.Container):
		f.Rule = RuleAgentOnly
	}
	return f, f.Rule == "" && agent
}

// bare says that an observation shows nothing of the hardware.
func (i Identifiers) bare() bool {
	return i.ProductUUID == "" && i.Serial == "" && len(i.MACs) == 0
}
