package probe

import (
	"os/user"
	"strconv"
	"strings"
)

// capabilityNames are Linux's capabilities by number (capability.h).
var capabilityNames = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
	"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE",
	"SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
	"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// Privileges says as whom the agent itself runs and what it may do.
func Privileges(t Tree) (userName string, capabilities []string) {
	for line := range strings.Lines(t.text("/proc/self/status")) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			capabilities = parseCapabilities(strings.TrimSpace(value))
		}
	}
	me, err := user.Current()
	if err != nil {
		return "", capabilities
	}
	return me.Username, capabilities
}

func parseCapabilities(mask string) []string {
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return nil
	}
	var out []string
	for i, name := range capabilityNames {
		if bits&(1<<i) != 0 {
			out = append(out, "CAP_"+name)
		}
	}
	return out
}
