package probe

import (
	"context"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"

	"github.com/watchbill/watchbill/cmdb/report"
)

// System reads the operating system's name and the running kernel.
func System(t Tree) (report.OS, []report.Problem) {
	var p problems
	out := report.OS{Family: "linux", Kernel: t.text("/proc/sys/kernel/osrelease"), Arch: t.arch()}
	data, err := t.read("/etc/os-release")
	if err != nil {
		data, err = t.read("/usr/lib/os-release")
	}
	if err != nil {
		p.add("", "name and version: neither /etc/os-release nor /usr/lib/os-release can be read")
	}
	fields := parseOSRelease(string(data))
	out.ID, out.Name = fields["ID"], firstOf(fields["PRETTY_NAME"], fields["NAME"])
	out.Version, out.Codename = firstOf(fields["VERSION_ID"], fields["BUILD_ID"]), fields["VERSION_CODENAME"]
	// Debian's os-release has no point release; its own file has.
	if out.ID == "debian" {
		if point := t.text("/etc/debian_version"); strings.HasPrefix(point, out.Version+".") {
			out.Version = point
		}
	}
	if out.ID == "" {
		out.ID = "linux"
	}
	return out, p.list
}

// parseOSRelease reads shell-like assignments; quotes and backslashes undone.
func parseOSRelease(data string) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(data) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			quote := value[0]
			value = value[1 : len(value)-1]
			if quote == '"' {
				value = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`, "\\`", "`").Replace(value)
			}
		}
		out[name] = strings.ToValidUTF8(value, "?")
	}
	return out
}

// arch is the kernel's, which may be wider than the program's.
func (t Tree) arch() string {
	if a := t.text("/proc/sys/kernel/arch"); a != "" {
		return a
	}
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i686"
	}
	return runtime.GOARCH
}

// context points gopsutil at the tree.
func (t Tree) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: t.Path("/proc"), common.HostSysEnvKey: t.Path("/sys"), common.HostEtcEnvKey: t.Path("/etc"),
		common.HostRunEnvKey: t.Path("/run"), common.HostVarEnvKey: t.Path("/var"),
	})
}

// Hardware reads processor, memory and firmware.
func Hardware(ctx context.Context, t Tree) (report.Hardware, []report.Problem) {
	var p problems
	ctx = t.context(ctx)
	out := report.Hardware{}
	infos, err := cpu.InfoWithContext(ctx)
	p.denied(err, "", "processors")
	type core struct{ socket, id string }
	sockets, cores := make(map[string]bool), make(map[core]bool)
	for _, info := range infos {
		out.CPUThreads++
		if out.CPUModel == "" {
			out.CPUModel = strings.Join(strings.Fields(info.ModelName), " ")
		}
		id := info.CoreID
		if id == "" {
			id = strconv.Itoa(int(info.CPU)) // no topology told: each its own core
		}
		sockets[info.PhysicalID] = true
		cores[core{info.PhysicalID, id}] = true
	}
	out.CPUSockets, out.CPUCores = len(sockets), len(cores)
	if memory, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		p.denied(err, "", "memory")
	} else {
		out.MemoryBytes, out.SwapBytes = memory.Total, memory.SwapTotal
	}
	if !t.container().isContainer() {
		out.BIOSVendor, out.BIOSVersion, out.BIOSDate = t.text(dmi+"bios_vendor"), t.text(dmi+"bios_version"), t.text(dmi+"bios_date")
	}
	return out, p.list
}

func (c containerKind) isContainer() bool { return c.kind != "" }

func parseInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
