package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Split cuts a report into hashed sections with their data. Equal hashes mean
// that nothing worth sending has changed: counters and the times of a sample
// are left out of them. It refuses a report whose data cannot be encoded.
func (r Report) Split() (map[string]Section, error) {
	out := make(map[string]Section, len(Sections()))
	for _, part := range r.parts() {
		section, err := r.section(part)
		if err != nil {
			return nil, err
		}
		out[part.name] = section
	}
	return out, nil
}

// Hashes returns the hash of every section. before is an earlier report with
// the hashes in known: a list that both share is not encoded again, which for
// thousands of packages is most of a quiet round's work. before may be nil.
func (r Report) Hashes(before *Report, known map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(Sections()))
	for _, part := range r.parts() {
		if before != nil && known[part.name] != "" && sameList(part.name, r, *before) && slices.Equal(r.Problems[part.name], before.Problems[part.name]) {
			out[part.name] = known[part.name]
			continue
		}
		section, err := r.section(part)
		if err != nil {
			return nil, err
		}
		out[part.name] = section.Hash
	}
	return out, nil
}

// Section returns one section with its data.
func (r Report) Section(name string) (Section, error) {
	for _, part := range r.parts() {
		if part.name == name {
			return r.section(part)
		}
	}
	return Section{}, fmt.Errorf("there is no section %q", name)
}

// sameList says whether two reports hold the very same list in a section, not
// an equal one: lists are never changed once they are in a report.
func sameList(name string, a, b Report) bool {
	switch name {
	case SectionPackages:
		return shared(a.Packages, b.Packages)
	case SectionDisks:
		return shared(a.Disks, b.Disks)
	case SectionCertificates:
		return shared(a.Certificates, b.Certificates)
	case SectionModules:
		return shared(a.Modules, b.Modules)
	case SectionCron:
		return shared(a.Cron, b.Cron)
	}
	return false
}

func shared[T any](a, b []T) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

func (r Report) section(part part) (Section, error) {
	data, err := json.Marshal(part.data)
	if err != nil {
		return Section{}, fmt.Errorf("encode section %s: %w", part.name, err)
	}
	steady := data
	if part.steady != nil {
		if steady, err = json.Marshal(part.steady); err != nil {
			return Section{}, fmt.Errorf("encode section %s: %w", part.name, err)
		}
	}
	digest := sha256.New()
	digest.Write(steady)
	// A section that lost a privilege is another section, though its data may
	// look the same: without this the server would go on believing that a list
	// is whole.
	problems := r.Problems[part.name]
	if len(problems) > 0 {
		encoded, err := json.Marshal(problems)
		if err != nil {
			return Section{}, fmt.Errorf("encode problems of section %s: %w", part.name, err)
		}
		digest.Write(encoded)
	}
	return Section{Hash: hex.EncodeToString(digest.Sum(nil)[:12]), Data: data, Problems: problems}, nil
}

// part is one section as it is sent and, where that holds counters, as it is hashed.
type part struct {
	name   string
	data   any
	steady any
}

// parts lists the sections. What moves without anything having changed is
// taken out of the steady form, so that a quiet host's hashes stay equal and
// an unchanged cycle stays under 1 KiB.
func (r Report) parts() []part {
	return []part{
		{SectionAgent, r.Agent, Agent{ID: r.Agent.ID, Version: r.Agent.Version, BootID: r.Agent.BootID, User: r.Agent.User, Capabilities: r.Agent.Capabilities, Site: r.Agent.Site}},
		{SectionHost, r.Host, nil},
		{SectionOS, r.OS, nil},
		{SectionHardware, r.Hardware, nil},
		{SectionInterfaces, r.Interfaces, nil},
		{SectionRoutes, r.Routes, nil},
		{SectionDisks, r.Disks, nil},
		{SectionFilesystems, r.Filesystems, steadyFilesystems(r.Filesystems)},
		{SectionPackages, r.Packages, nil},
		{SectionServices, r.Services, nil},
		{SectionProcesses, r.Processes, steadyProcesses(r.Processes)},
		{SectionListeners, r.Listeners, nil},
		{SectionConnections, r.Connections, steadyConnections(r.Connections)},
		{SectionContainers, r.Containers, nil},
		{SectionUsers, r.Users, nil},
		{SectionCertificates, r.Certificates, nil},
		{SectionModules, r.Modules, nil},
		{SectionCron, r.Cron, nil},
	}
}

// usedSteps is how finely a file system's fill level counts as a change.
const usedSteps = 20

func steadyFilesystems(in []Filesystem) []Filesystem {
	out := append([]Filesystem{}, in...)
	for i := range out {
		if step := out[i].SizeBytes / usedSteps; step > 0 {
			out[i].UsedBytes /= step
		} else {
			out[i].UsedBytes = 0
		}
	}
	return out
}

func steadyProcesses(in []Process) []Process {
	out := append([]Process{}, in...)
	for i := range out {
		out[i].Count = 0
	}
	return out
}

func steadyConnections(in []Connection) []Connection {
	out := append([]Connection{}, in...)
	for i := range out {
		c := &out[i]
		c.Count, c.Samples, c.FirstSeen, c.LastSeen = 0, 0, time.Time{}, time.Time{}
	}
	return out
}
