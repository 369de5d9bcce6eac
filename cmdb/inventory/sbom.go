package inventory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// sbomHosts bounds the machines of a service's bill.
const sbomHosts = 200

// SBOM writes the software bill of a host, or of a service: what is installed on
// the machines that it and its parts run on, as CycloneDX 1.6 JSON. An item that
// leads to no machine with a package list is fault.NotFound.
func (inv *Inventory) SBOM(ctx context.Context, id string, w io.Writer) error {
	c, err := inv.Get(ctx, id)
	if err != nil {
		return err
	}
	hosts := inv.runsWhere(c.ID)
	if len(hosts) == 0 {
		return fault.NotFoundf("%s %s runs on no machine whose packages are known", c.Class, c.Name)
	}
	type installation struct {
		report.Package
		hosts []string
	}
	all := map[string]*installation{}
	var machines []cmdb.CI
	for _, h := range hosts {
		m, err := inv.Get(ctx, h)
		if err != nil {
			return err
		}
		machines = append(machines, m)
		list, err := inv.Packages(ctx, h)
		if err != nil {
			return err
		}
		for _, p := range list {
			k := strings.Join([]string{p.Type, p.Name, p.Version, p.Arch, p.PURL}, "\x00")
			if all[k] == nil {
				all[k] = &installation{Package: p}
			}
			if n := len(all[k].hosts); n == 0 || all[k].hosts[n-1] != m.Name {
				all[k].hosts = append(all[k].hosts, m.Name)
			}
		}
	}
	bom := cyclonedx.NewBOM()
	about := component(&c)
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: inv.now().UTC().Format(time.RFC3339), Component: &about,
		Tools: &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "watchbill"}}},
	}
	var parts []cyclonedx.Component
	var refs []string
	for i := range machines {
		m := &machines[i]
		if m.ID != c.ID {
			x := component(m)
			parts, refs = append(parts, x), append(refs, x.BOMRef)
		}
		if os := m.Attributes.Text("os"); os != "" {
			x := cyclonedx.Component{Type: cyclonedx.ComponentTypeOS, BOMRef: "os:" + m.ID, Name: cmp.Or(m.Attributes.Text("os_name"), os), Version: m.Attributes.Text("os_version")}
			parts, refs = append(parts, x), append(refs, x.BOMRef)
		}
	}
	keys := make([]string, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for n, k := range keys {
		p := all[k]
		x := cyclonedx.Component{
			Type: cyclonedx.ComponentTypeLibrary, BOMRef: "package:" + strconv.Itoa(n), Name: p.Name, Version: p.Version, PackageURL: p.PURL,
			Publisher: p.Vendor,
		}
		props := []cyclonedx.Property{{Name: "watchbill:type", Value: p.Type}}
		if len(machines) > 1 {
			props = append(props, cyclonedx.Property{Name: "watchbill:hosts", Value: strings.Join(p.hosts, ",")})
		}
		if p.Arch != "" {
			props = append(props, cyclonedx.Property{Name: "watchbill:arch", Value: p.Arch})
		}
		if p.Location != "" {
			props = append(props, cyclonedx.Property{Name: "watchbill:location", Value: p.Location})
		}
		x.Properties = &props
		parts, refs = append(parts, x), append(refs, x.BOMRef)
	}
	bom.Components = &parts
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: about.BOMRef, Dependencies: &refs}}
	sum := sha256.New()
	for _, k := range keys {
		sum.Write([]byte(k))
	}
	fmt.Fprintf(sum, "%s %s", c.ID, bom.Metadata.Timestamp)
	u := sum.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // version 8: made from a hash
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	var out bytes.Buffer
	enc := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := enc.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return fmt.Errorf("write CycloneDX: %w", err)
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("write CycloneDX: %w", err)
	}
	return nil
}

// component is an item in a bill.
func component(c *cmdb.CI) cyclonedx.Component {
	t := cyclonedx.ComponentTypeApplication
	switch c.Class {
	case "host", "virtual_machine", "hypervisor":
		t = cyclonedx.ComponentTypeDevice
	case "container":
		t = cyclonedx.ComponentTypeContainer
	}
	return cyclonedx.Component{Type: t, BOMRef: "ci:" + c.ID, Name: c.Name, Version: c.Attributes.Text("version"), Properties: &[]cyclonedx.Property{{Name: "watchbill:class", Value: c.Class}}}
}

// runsWhere lists the machines with packages that an item is or runs on, sorted.
func (inv *Inventory) runsWhere(id string) []string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	m := inv.mem
	start := m.byID[id]
	seen := map[uint32]bool{start: true}
	var out []string
	for todo := []uint32{start}; len(todo) > 0 && len(out) < sbomHosts; todo = todo[1:] {
		e := &m.entries[todo[0]]
		if e.host != nil && e.host.packages > 0 {
			out = append(out, e.id)
			continue
		}
		for _, l := range e.out {
			if k := m.kinds[l.kind]; (k == runsOn || k == "composed_of" || k == "exposes") && !seen[l.ord] {
				seen[l.ord] = true
				todo = append(todo, l.ord)
			}
		}
		for _, l := range e.in { // a workload's pods
			if m.kinds[l.kind] == "member_of" && !seen[l.ord] && m.classes[e.class] == "workload" {
				seen[l.ord] = true
				todo = append(todo, l.ord)
			}
		}
	}
	slices.Sort(out)
	return out
}
