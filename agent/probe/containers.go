package probe

import (
	"encoding/json"
	"sort"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Containers finds containers by the cgroups of running processes and by what
// the local runtimes keep on disk. It asks no runtime's socket: whoever may
// speak to one is root.
func Containers(t Tree, procs []*Proc, boot time.Time) ([]report.Container, []report.Problem) {
	var p problems
	found := make(map[string]*report.Container)
	first := make(map[string]uint64)
	for _, proc := range procs {
		id := proc.Home.Container
		if id == "" {
			continue
		}
		if c := found[id]; c == nil {
			found[id] = &report.Container{ID: id, Runtime: proc.Home.Runtime, State: "running", Pod: proc.Home.Pod}
			first[id] = proc.Start
		}
		first[id] = min(first[id], proc.Start)
	}
	for id, c := range found {
		c.StartedAt = (&Proc{Start: first[id]}).StartedAt(boot)
	}
	t.dockerContainers(found, &p)
	t.ociContainers(found, &p)
	t.podmanContainers(found, &p)
	t.machineContainers(found)
	out := make([]report.Container, 0, len(found))
	for _, c := range found {
		out = append(out, *c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, p.list
}

// dockerContainers reads Docker's own records. Of each it takes the named
// fields only: the same files hold the containers' environments.
func (t Tree) dockerContainers(found map[string]*report.Container, p *problems) {
	const dir = "/var/lib/docker/containers"
	if _, err := t.list(dir); err != nil {
		p.denied(err, "CAP_DAC_READ_SEARCH", "docker's containers")
		return
	}
	for _, id := range t.names(dir) {
		data, err := t.read(dir + "/" + id + "/config.v2.json")
		if err != nil {
			p.denied(err, "CAP_DAC_READ_SEARCH", "docker's containers")
			continue
		}
		c, ok := parseDocker(data)
		if !ok {
			p.add("", "docker container %.12s: its record cannot be read", id)
			continue
		}
		if have := found[c.ID]; have != nil && c.State != "paused" {
			c.State = "running" // its processes are there, whatever the file says
		} else if have == nil && c.State == "running" {
			c.State = "exited" // left over from a runtime that was killed
		}
		found[c.ID] = &c
	}
}

func parseDocker(data []byte) (report.Container, bool) {
	var doc struct {
		ID     string
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
		State struct {
			Running, Paused, Dead bool
			StartedAt             time.Time
		}
	}
	if json.Unmarshal(data, &doc) != nil || doc.ID == "" {
		return report.Container{}, false
	}
	c := report.Container{ID: doc.ID, Name: strings.TrimPrefix(doc.Name, "/"), Image: doc.Config.Image, Runtime: "docker", State: "exited"}
	switch {
	case doc.State.Paused:
		c.State = "paused"
	case doc.State.Running:
		c.State = "running"
	case doc.State.Dead:
		c.State = "dead"
	}
	if doc.State.StartedAt.Year() > 1 {
		c.StartedAt = doc.State.StartedAt.UTC().Truncate(time.Second)
	}
	c.Pod, c.Namespace = doc.Config.Labels["io.kubernetes.pod.name"], doc.Config.Labels["io.kubernetes.pod.namespace"]
	return c, true
}

// ociContainers reads the annotations that containerd's and CRI-O's bundles
// carry; of Docker's own bundles (namespace moby) Docker's records tell more.
func (t Tree) ociContainers(found map[string]*report.Container, p *problems) {
	for _, source := range []struct{ dir, pattern, runtime string }{
		{"/run/containerd/io.containerd.runtime.v2.task", "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json", "containerd"},
		{"/run/containers/storage/overlay-containers", "/run/containers/storage/overlay-containers/*/userdata/config.json", "cri-o"},
	} {
		if _, err := t.list(source.dir); err != nil {
			p.denied(err, "CAP_DAC_READ_SEARCH", source.runtime+"'s containers")
			continue
		}
		for _, path := range t.Glob(source.pattern) {
			parts := strings.Split(path, "/")
			id := parts[len(parts)-2]
			if id == "userdata" {
				id = parts[len(parts)-3]
			} else if parts[len(parts)-3] == "moby" {
				continue
			}
			data, err := t.read(path)
			if err != nil {
				p.denied(err, "CAP_DAC_READ_SEARCH", source.runtime+"'s containers")
				continue
			}
			c, pause, ok := parseBundle(data)
			if !ok {
				continue
			}
			have := found[id]
			if pause {
				delete(found, id) // the sandbox of a pod is no container of anybody's
				continue
			}
			if have == nil {
				have = &report.Container{ID: id, State: "exited"}
				found[id] = have
			}
			have.Runtime = source.runtime
			if have.Runtime == "cri-o" && c.Runtime != "" {
				have.Runtime = c.Runtime
			}
			have.Name, have.Image = firstOf(c.Name, have.Name), firstOf(c.Image, have.Image)
			have.Pod, have.Namespace = firstOf(c.Pod, have.Pod), firstOf(c.Namespace, have.Namespace)
		}
	}
}

func parseBundle(data []byte) (c report.Container, sandbox, ok bool) {
	var doc struct {
		Hostname    string            `json:"hostname"`
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return c, false, false
	}
	a := doc.Annotations
	c.Name = firstOf(a["io.kubernetes.cri.container-name"], a["io.kubernetes.container.name"], a["nerdctl/name"], a["io.podman.annotations.name"], a["io.container.manager.name"])
	c.Image = firstOf(a["io.kubernetes.cri.image-name"], a["io.kubernetes.cri-o.ImageName"])
	c.Pod = firstOf(a["io.kubernetes.cri.sandbox-name"], a["io.kubernetes.pod.name"])
	c.Namespace = firstOf(a["io.kubernetes.cri.sandbox-namespace"], a["io.kubernetes.pod.namespace"])
	if a["io.container.manager"] == "libpod" {
		c.Runtime = "podman"
	}
	kind := firstOf(a["io.kubernetes.cri.container-type"], a["io.kubernetes.cri-o.ContainerType"])
	return c, kind == "sandbox", true
}

// podmanContainers reads the index of the containers' storage.
func (t Tree) podmanContainers(found map[string]*report.Container, p *problems) {
	data, err := t.read("/var/lib/containers/storage/overlay-containers/containers.json")
	if err != nil {
		p.denied(err, "CAP_DAC_READ_SEARCH", "podman's containers")
		return
	}
	var list []struct {
		ID       string   `json:"id"`
		Names    []string `json:"names"`
		Metadata string   `json:"metadata"`
	}
	if json.Unmarshal(data, &list) != nil {
		p.add("", "podman's containers: the storage index cannot be decoded")
		return
	}
	for _, entry := range list {
		if entry.ID == "" {
			continue
		}
		c := found[entry.ID]
		if c == nil {
			c = &report.Container{ID: entry.ID, Runtime: "podman", State: "exited"}
			found[entry.ID] = c
		}
		if c.Name == "" && len(entry.Names) > 0 {
			c.Name = entry.Names[0]
		}
		var meta struct {
			Image string `json:"image-name"`
		}
		if json.Unmarshal([]byte(entry.Metadata), &meta) == nil && c.Image == "" {
			c.Image = meta.Image
		}
	}
}

// machineContainers names what lxc and systemd-machined keep.
func (t Tree) machineContainers(found map[string]*report.Container) {
	for _, name := range t.names("/var/lib/lxc") {
		if t.exists("/var/lib/lxc/"+name+"/config") && found[name] == nil {
			found[name] = &report.Container{ID: name, Name: name, Runtime: "lxc", State: "stopped"}
		}
	}
	for _, name := range t.names("/run/systemd/machines") {
		if strings.HasPrefix(name, "unit:") || found[name] != nil {
			continue
		}
		text := t.text("/run/systemd/machines/" + name)
		if unitField(text, "CLASS") == "container" {
			found[name] = &report.Container{ID: name, Name: name, Runtime: "systemd-nspawn", State: "running"}
		}
	}
	for id, c := range found {
		if c.Name == "" && (c.Runtime == "lxc" || c.Runtime == "systemd-nspawn") {
			c.Name = id
		}
	}
}
