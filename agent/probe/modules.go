package probe

import (
	"sort"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Modules reads the loaded kernel modules. A kernel without module support has
// none, which is no problem.
func Modules(t Tree) ([]report.Module, []report.Problem) {
	var p problems
	data, err := t.read("/proc/modules")
	p.denied(err, "", "modules")
	out := parseModules(string(data))
	for i := range out {
		out[i].Version = t.text("/sys/module/" + out[i].Name + "/version")
	}
	return out, p.list
}

func parseModules(data string) []report.Module {
	out := []report.Module{}
	for line := range strings.Lines(data) {
		fields := strings.Fields(strings.ToValidUTF8(line, "?"))
		if len(fields) < 2 {
			continue
		}
		size, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil || strings.Contains(fields[0], "/") {
			continue
		}
		out = append(out, report.Module{Name: fields[0], SizeKiB: (size + 1023) / 1024})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
