package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Split cuts a report into hashed sections. Equal hashes mean that nothing
// worth sending has changed: counters and the times of a sample are left out
// of them. It refuses a report whose data cannot be encoded.
func (r Report) Split() (map[string]Section, error) {
	out := make(map[string]Section, len(Sections()))
	for _, part := range r.parts() {
		data, err := json.Marshal(part.data)
		if err != nil {
			return nil, fmt.Errorf("encode section %s: %w", part.name, err)
		}
		steady := data
		if part.steady != nil {
			if steady, err = json.Marshal(part.steady); err != nil {
				return nil, fmt.Errorf("encode section %s: %w", part.name, err)
			}
		}
		digest := sha256.New()
		digest.Write(steady)
		// A section that lost a privilege is another section, though its data
		// may look the same: without this the server would go on believing
		// that a list is whole.
		problems := r.Problems[part.name]
		if len(problems) > 0 {
			encoded, err := json.Marshal(problems)
			if err != nil {
				return nil, fmt.Errorf("encode problems of section %s: %w", part.name, err)
			}
			digest.Write(encoded)
		}
		out[part.name] = Section{Hash: hex.EncodeToString(digest.Sum(nil)[:12]), Data: data, Problems: problems}
	}
	return out, nil
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
		{SectionAgent, r.Agent, Agent{ID: r.Agent.ID, Version: r.Agent.Version, BootID: r.Agent.BootID, User: r.Agent.User, Capabilities: r.Agent.Capabilities}},
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
