package probe

import (
	"sort"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Users reads the accounts of /etc/passwd that can log in. Those of a
// directory service are not the host's own.
func Users(t Tree) ([]report.User, []report.Problem) {
	var p problems
	data, err := t.read("/etc/passwd")
	if err != nil {
		p.add("", "users: /etc/passwd: %v", err)
		return []report.User{}, p.list
	}
	groups, err := t.read("/etc/group")
	p.denied(err, "CAP_DAC_READ_SEARCH", "groups")
	return parseUsers(string(data), string(groups)), p.list
}

func parseUsers(passwd, group string) []report.User {
	members := make(map[string][]string)
	names := make(map[int]string)
	for line := range strings.Lines(group) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		if gid, err := strconv.Atoi(fields[2]); err == nil {
			names[gid] = fields[0]
		}
		for _, member := range strings.Split(fields[3], ",") {
			if member != "" {
				members[member] = append(members[member], fields[0])
			}
		}
	}
	out := []report.User{}
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimRight(strings.ToValidUTF8(line, "?"), "\r\n"), ":")
		if len(fields) < 7 || fields[0] == "" || strings.HasPrefix(fields[0], "#") {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err1 != nil || err2 != nil || !canLogIn(fields[6]) {
			continue
		}
		u := report.User{Name: fields[0], UID: uid, GID: gid, Home: fields[5], Shell: fields[6]}
		seen := make(map[string]bool)
		for _, g := range append([]string{names[gid]}, members[u.Name]...) {
			if g != "" && !seen[g] {
				seen[g] = true
				u.Groups = append(u.Groups, g)
			}
		}
		sort.Strings(u.Groups)
		out = append(out, u)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// canLogIn goes by the shell; an empty one means /bin/sh (passwd(5)).
func canLogIn(shell string) bool {
	switch baseName(shell) {
	case "nologin", "false", "true", "sync", "shutdown", "halt", "git-shell":
		return false
	}
	return true
}

// UserNames maps the UIDs of /etc/passwd to names, system accounts too.
func UserNames(t Tree) map[uint32]string {
	out := make(map[uint32]string)
	for line := range strings.Lines(t.text("/etc/passwd")) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		if uid, err := strconv.ParseUint(fields[2], 10, 32); err == nil && out[uint32(uid)] == "" {
			out[uint32(uid)] = fields[0]
		}
	}
	return out
}
