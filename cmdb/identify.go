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
	RuleMachine   = "machine-id and permanent MAC"
	RuleFQDN      = "FQDN and permanent MAC"
	RuleContainer = "container id"
	RuleName      = "machine-id and name, no hardware identifiers"
	RuleAgentOnly = "agent id alone"
)

var strength = []string{RuleCloud, RuleContainer, RuleAgent, RuleDMI, RuleDMIOther, RuleSerial, RuleMachine, RuleFQDN, RuleName, RuleAgentOnly}

// weak rules give way to a stronger one that means another machine, instead of making a conflict.
var weak = []string{RuleFQDN, RuleName, RuleAgentOnly}

// Candidate is a known machine that shares an identifier with the observation.
type Candidate struct {
	CI string
	Identifiers
	// Credential says that the observation came with this machine's own agent credential.
	Credential bool
}

// Finding is what comparing with one candidate said: the rule that matched, or
// what the proposal rests on, and the evidence for and against.
type Finding struct {
	CI      string   `json:"ci"`
	Rule    string   `json:"rule,omitempty"` // empty: no match
	Same    []string `json:"same,omitempty"`
	Differs []string `json:"differs,omitempty"`
	Ignored []string `json:"ignored,omitempty"` // equal, but shared by live machines
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
		f, clone := compare(in, c, shared)
		if clone {
			v.Cloned = min(cmp.Or(v.Cloned, c.CI), c.CI)
		}
		switch {
		case f.Rule != "":
			matches = append(matches, f)
		case len(f.Same) > 0:
			rest = append(rest, f)
		}
	}
	order := func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(strength, a.Rule), slices.Index(strength, b.Rule)), cmp.Compare(a.CI, b.CI))
	}
	slices.SortFunc(matches, order)
	slices.SortFunc(rest, order)
	for len(matches) > 1 {
		last := matches[len(matches)-1]
		if !slices.Contains(weak, last.Rule) || matches[0].Rule == last.Rule {
			v.Outcome, v.Findings, v.Proposals = Conflict, matches, rest
			return v
		}
		last.Rule = ""
		rest, matches = append(rest, last), matches[:len(matches)-1]
	}
	v.Proposals = rest
	if len(matches) == 0 {
		v.Outcome = New
		return v
	}
	v.Outcome, v.CI, v.Rule, v.Findings, v.Cloned = Match, matches[0].CI, matches[0].Rule, matches, ""
	old := byID[v.CI]
	v.Reimaged = old.MachineID != "" && in.MachineID != "" && old.MachineID != in.MachineID && !in.Container
	return v
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
	machine := same("machine", in.MachineID, c.MachineID)
	mac, macsApart := set("mac", in.MACs, c.MACs)
	disk, _ := set("disk", in.Disks, c.Disks)
	fqdn := same("fqdn", in.FQDN, c.FQDN)
	name := same("name", in.Hostname, c.Hostname)
	set("address", in.Addresses, c.Addresses)

	uuidApart, serialApart := differ(in.ProductUUID, c.ProductUUID), differ(in.Serial, c.Serial)
	machineApart := differ(in.MachineID, c.MachineID)
	sameVendor := in.Vendor == c.Vendor || in.Vendor == "" || c.Vendor == ""
	// The firmware says that it is another box, or nothing is left of the network
	// cards where the firmware says nothing.
	boxApart := uuidApart || serialApart || (macsApart && !uuid && !serial)

	switch {
	case differ(in.Cloud, c.Cloud):
		// Two instances of one image: whatever else is equal was copied.
	case cloud:
		f.Rule = RuleCloud
	case container:
		f.Rule = RuleContainer
	case serial && mac && sameVendor:
		// Two hardware witnesses outweigh a UUID that a firmware update rewrote.
		f.Rule = RuleSerial
		if uuid {
			f.Rule = RuleDMI
		}
		if agent {
			f.Rule = RuleAgent
		}
	case boxApart:
	case agent && (uuid || machine):
		f.Rule = RuleAgent
	case agent && c.Credential && !machineApart:
		f.Rule = RuleAgent
	case uuid && serial && (!macsApart || machine || agent || disk):
		f.Rule = RuleDMI
	case uuid && (mac || disk || (!macsApart && (machine || fqdn || name))):
		f.Rule = RuleDMIOther
	case serial && sameVendor && (in.Vendor != "" && c.Vendor != "" || name || fqdn) && (!macsApart || machine || disk):
		f.Rule = RuleSerial
	case machine && mac:
		f.Rule = RuleMachine
	case fqdn && mac:
		f.Rule = RuleFQDN
	case machine && (fqdn || name) && in.bare() && c.bare():
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
