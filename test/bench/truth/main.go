// Command truth compares one report of the agent with what the machine's own tools
// say, section by section, and prints recall and precision as one table. What is
// in the tools' answers both before and after the report should be in it; what is in
// neither should not. It refuses to judge: a section that falls short ends it with
// exit code 1, after the table, with what was missed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: truth AGENT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

type set map[string]bool

// check is one comparison: what the tool says, and what the report does, as lines
// of the same form.
type check struct {
	section, tool string
	truth         func() (set, error)
	found         func(report.Report) set
}

func run(agent string) error {
	hold, err := talk()
	if err != nil {
		return err
	}
	defer hold()
	list := checks(agent)
	before := make([]set, len(list))
	skipped := make([]error, len(list))
	for i, c := range list {
		before[i], skipped[i] = c.truth()
	}
	out, err := exec.Command(agent, "--once", "--output", "-").Output()
	if err != nil {
		return fmt.Errorf("run the agent: %w", err)
	}
	var r report.Report
	if err := json.Unmarshal(out, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	fmt.Println("| section | against | recall | precision |")
	fmt.Println("|---|---|---|---|")
	var short []string
	for i, c := range list {
		if skipped[i] != nil {
			fmt.Printf("| %s | %s | not here: %v | |\n", c.section, c.tool, skipped[i])
			continue
		}
		after, err := c.truth()
		if err != nil {
			return fmt.Errorf("%s: %w", c.tool, err)
		}
		found := c.found(r)
		want, hit, right := 0, 0, 0
		for _, key := range slices.Sorted(maps.Keys(before[i])) {
			if !before[i][key] || !after[key] {
				continue
			}
			want++
			if found[key] {
				hit++
			} else {
				short = append(short, c.section+": "+c.tool+" knows "+key+", the report does not")
			}
		}
		for _, key := range slices.Sorted(maps.Keys(found)) {
			if before[i][key] || after[key] {
				right++
			} else {
				short = append(short, c.section+": the report has "+key+", "+c.tool+" does not")
			}
		}
		fmt.Printf("| %s | %s | %d of %d | %d of %d |\n", c.section, c.tool, hit, want, right, len(found))
	}
	if len(short) > 0 {
		return fmt.Errorf("%d differences:\n%s", len(short), strings.Join(short[:min(len(short), 30)], "\n"))
	}
	return nil
}

// talk makes listeners and connections, of both families, so that there is something to
// find on a quiet machine.
func talk() (hold func(), err error) {
	var open []io.Closer
	hold = func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "127.0.0.2:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue // a machine without IPv6
		}
		open = append(open, l)
		for range 5 {
			out, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return hold, err
			}
			in, err := l.Accept()
			if err != nil {
				return hold, err
			}
			open = append(open, out, in)
		}
	}
	for _, address := range []string{"127.0.0.1:9", "[::1]:9"} {
		if u, err := net.ListenPacket("udp", address); err == nil {
			open = append(open, u)
		}
	}
	return hold, nil
}

func checks(agent string) []check {
	packages := func(kind string, key func(report.Package) string) func(report.Report) set {
		return func(r report.Report) set {
			s := set{}
			for _, p := range r.Packages {
				if k := key(p); p.Type == kind && k != "" {
					s[k] = true
				}
			}
			return s
		}
	}
	interpreters := pythonPaths()
	return []check{
		{"packages: deb", "dpkg-query", lines(installed, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"),
			packages("deb", func(p report.Package) string { return p.Name + " " + p.Version + " " + p.Arch })},
		{"packages: npm, global", "npm ls -g", npm, packages("npm", func(p report.Package) string {
			if !strings.Contains(p.Location, "lib/node_modules/") {
				return "" // npm ls tells of its own prefix only
			}
			return p.Name + " " + p.Version + " " + p.Location
		})},
		{"packages: pypi", "importlib.metadata of each interpreter", python(interpreters), packages("pypi", func(p report.Package) string {
			if !interpreters[p.Location] {
				return "" // of no interpreter on the path, but of a virtual environment
			}
			return p.Name + " " + p.Version + " " + p.Location
		})},
		{"packages: golang", "go version -m", goPrograms, packages("golang", func(p report.Package) string {
			if p.Source == "" || p.Name == "stdlib" || !slices.Contains(programDirs(), filepath.Dir(p.Module)) {
				return ""
			}
			return p.Name + " " + p.Version + " " + p.Module
		})},
		{"interfaces", "ip -j addr", interfaces, func(r report.Report) set {
			s := set{}
			for _, i := range r.Interfaces {
				s[i.Name+" "+i.MAC] = true
				for _, a := range i.Addresses {
					s[i.Name+" "+a] = true
				}
			}
			return s
		}},
		{"routes", "ip -j route show table main", routes, func(r report.Report) set {
			s := set{}
			for _, x := range r.Routes {
				s[fmt.Sprintf("%s %s %s %d", strings.TrimSuffix(strings.TrimSuffix(x.Destination, "/32"), "/128"), x.Gateway, x.Interface, x.Metric)] = true
			}
			return s
		}},
		{"disks", "lsblk", lines(sized, "lsblk", "--bytes", "--nodeps", "--noheadings", "-o", "NAME,SIZE,ROTA"), func(r report.Report) set {
			s := set{}
			for _, d := range r.Disks {
				s[fmt.Sprintf("%s %d %d", d.Name, d.SizeBytes, map[bool]int{true: 1}[d.Rotational])] = true
			}
			return s
		}},
		{"filesystems", "df --local", lines(disk, "df", "--local", "--output=target,fstype,size", "-B1"), func(r report.Report) set {
			s := set{}
			for _, f := range r.Filesystems {
				s[fmt.Sprintf("%s %s %d", f.Mountpoint, f.Type, f.SizeBytes)] = true
			}
			return s
		}},
		{"processes", "ps, by program and user", processes(filepath.Base(agent)), func(r report.Report) set {
			s := set{}
			for _, p := range r.Processes {
				// The agent sees itself, and does not run when the tools look.
				if p.Executable != "" && filepath.Base(p.Executable) != filepath.Base(agent) {
					s[p.Executable+" "+p.User] = true
				}
			}
			return s
		}},
		{"listeners", "ss -lntu", lines(listener, "ss", "-H", "-l", "-n", "-t", "-u"), func(r report.Report) set {
			s := set{}
			for _, l := range r.Listeners {
				if l.Namespace == "" {
					s[fmt.Sprintf("%s %s %d", strings.TrimSuffix(l.Protocol, "6"), l.Address, l.Port)] = true
				}
			}
			return s
		}},
		{"connections", "ss -nt, by peer and service", connections, func(r report.Report) set {
			s := set{}
			for _, c := range r.Connections {
				if c.Namespace == "" && !strings.HasPrefix(c.Protocol, "udp") && c.Count > 0 {
					s[fmt.Sprintf("%s %s %d %d", c.LocalAddress, c.PeerAddress, c.LocalPort, c.PeerPort)] = true
				}
			}
			return s
		}},
		{"users", "getent passwd, with a shell", lines(login, "getent", "passwd"), func(r report.Report) set {
			s := set{}
			for _, u := range r.Users {
				s[fmt.Sprintf("%s %d %s", u.Name, u.UID, u.Shell)] = true
			}
			return s
		}},
		{"certificates", "openssl x509", certificates, func(r report.Report) set {
			s := set{}
			for _, c := range r.Certificates {
				if strings.HasPrefix(c.Location, "/etc/ssl/") {
					s[c.Location+" "+c.Fingerprint] = true
				}
			}
			return s
		}},
		{"modules", "lsmod", lines(func(f []string) string {
			if f[0] == "Module" {
				return ""
			}
			return f[0]
		}, "lsmod"), func(r report.Report) set {
			s := set{}
			for _, m := range r.Modules {
				s[m.Name] = true
			}
			return s
		}},
		{"services", "systemctl list-units", lines(func(f []string) string { return f[0] }, "systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service"), func(r report.Report) set {
			s := set{}
			for _, u := range r.Services {
				if u.Kind == "service" {
					s[u.Name] = true
				}
			}
			return s
		}},
	}
}

// lines runs a tool and makes a key of each line's fields; "" leaves it out.
func lines(key func([]string) string, name string, args ...string) func() (set, error) {
	return func() (set, error) {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			return nil, err
		}
		s := set{}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) > 0 {
				if k := key(f); k != "" {
					s[k] = true
				}
			}
		}
		return s, nil
	}
}

func installed(f []string) string {
	if len(f) < 4 || f[0] != "installed" {
		return ""
	}
	return strings.Join(f[1:], " ")
}

func sized(f []string) string {
	if len(f) < 3 || f[1] == "0" {
		return "" // a device without a medium
	}
	return strings.Join(f, " ")
}

func disk(f []string) string {
	switch {
	case f[0] == "Mounted" || len(f) < 3:
		return ""
	case slices.Contains([]string{"tmpfs", "devtmpfs", "overlay", "squashfs", "efivarfs", "ramfs"}, f[1]):
		return "" // memory, and views of what is counted already
	}
	return strings.Join(f, " ")
}

func login(f []string) string {
	p := strings.Split(strings.Join(f, " "), ":")
	if len(p) < 7 || p[6] == "" || slices.Contains([]string{"nologin", "false", "sync", "halt", "shutdown"}, filepath.Base(p[6])) {
		return ""
	}
	return p[0] + " " + p[2] + " " + p[6]
}

// address cuts what ss prints as "[::1]:22%eth0" and the like.
func address(text string) (host, port string) {
	i := strings.LastIndexByte(text, ':')
	host, port = text[:i], text[i+1:]
	host = strings.Trim(host, "[]")
	host, _, _ = strings.Cut(host, "%")
	host = strings.TrimPrefix(host, "::ffff:")
	if host == "*" {
		host = "::"
	}
	return host, port
}

func listener(f []string) string {
	if len(f) < 5 {
		return ""
	}
	host, port := address(f[4])
	return f[0] + " " + host + " " + port
}

// connections folds ss' sockets as the report does: who listens is served, else
// it serves; clients' ports are nobody's business.
func connections() (set, error) {
	listening, err := lines(func(f []string) string {
		_, port := address(f[3])
		return port
	}, "ss", "-H", "-l", "-n", "-t")()
	if err != nil {
		return nil, err
	}
	return lines(func(f []string) string {
		if len(f) < 5 || f[0] == "LISTEN" || strings.HasPrefix(f[0], "SYN-") {
			return ""
		}
		local, localPort := address(f[3])
		peer, peerPort := address(f[4])
		if listening[localPort] {
			return local + " " + peer + " " + localPort + " 0"
		}
		return local + " " + peer + " 0 " + peerPort
	}, "ss", "-H", "-n", "-t", "-a")()
}

func processes(agent string) func() (set, error) {
	return func() (set, error) { return running(agent) }
}

func running(agent string) (set, error) {
	s := set{}
	users := map[string]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	names, err := exec.Command("ps", "-eo", "pid=,user:40=").Output()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(names)) {
		if f := strings.Fields(line); len(f) == 2 {
			users[f[0]] = f[1]
		}
	}
	for _, e := range entries {
		exe, err := os.Readlink("/proc/" + e.Name() + "/exe")
		if user := users[e.Name()]; err == nil && user != "" && filepath.Base(exe) != agent {
			s[strings.TrimSuffix(exe, " (deleted)")+" "+user] = true
		}
	}
	return s, nil
}

func npm() (set, error) {
	out, err := exec.Command("npm", "ls", "-g", "--all", "--parseable", "--long").Output()
	if len(out) == 0 {
		return nil, err
	}
	s := set{}
	for line := range strings.Lines(string(out)) {
		path, spec, _ := strings.Cut(strings.TrimSpace(line), ":")
		spec, _, _ = strings.Cut(spec, ":")
		if at := strings.LastIndexByte(spec, '@'); at > 0 && strings.Contains(path, "node_modules") {
			s[spec[:at]+" "+spec[at+1:]+" "+path] = true
		}
	}
	return s, nil
}

// pythonPaths lists the package directories of the interpreters on the path.
func pythonPaths() map[string]bool {
	found := map[string]bool{}
	for _, python := range pythons() {
		out, err := exec.Command(python, "-c", `import sys
for p in sys.path:
    if p.endswith("-packages"): print(p)`).Output()
		if err == nil {
			for line := range strings.Lines(string(out)) {
				found[strings.TrimSpace(line)] = true
			}
		}
	}
	return found
}

func pythons() []string {
	var out []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if name := filepath.Join(dir, "python3"); exec.Command(name, "-c", "").Run() == nil {
			out = append(out, name)
		}
	}
	return out
}

func python(map[string]bool) func() (set, error) {
	return func() (set, error) {
		s := set{}
		for _, python := range pythons() {
			out, err := exec.Command(python, "-c", `
import importlib.metadata as m, re, os
for d in m.distributions():
    p = os.path.dirname(str(d._path))
    if p.endswith("-packages"):
        print(re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(), d.version, p)`).Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", python, err)
			}
			for line := range strings.Lines(string(out)) {
				s[strings.TrimSpace(line)] = true
			}
		}
		return s, nil
	}
}

func programDirs() []string {
	return []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/go/bin"}
}

var dependency = regexp.MustCompile(`^\t(?:dep|=>)\t(\S+)\t(\S+)`)

func goPrograms() (set, error) {
	s := set{}
	for _, dir := range programDirs() {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		out, err := exec.Command("go", "version", "-m", dir).Output()
		if err != nil && len(out) == 0 {
			return nil, err
		}
		program, last := "", ""
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "\t") {
				program, _, _ = strings.Cut(line, ": ")
				continue
			}
			if m := dependency.FindStringSubmatch(line); m != nil {
				if strings.HasPrefix(line, "\t=>") {
					delete(s, last) // replaced
				}
				last = m[1] + " " + m[2] + " " + program
				// Replaced by a directory: no module that anybody could name.
				s[last] = !strings.HasPrefix(m[1], "./")
			}
		}
	}
	return s, nil
}

func interfaces() (set, error) {
	var links []struct {
		Name    string `json:"ifname"`
		Address string `json:"address"`
		Kind    string `json:"link_type"`
		Info    []struct {
			Local  string `json:"local"`
			Prefix int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := ipJSON(&links, "addr"); err != nil {
		return nil, err
	}
	s := set{}
	for _, l := range links {
		mac := l.Address
		if l.Kind != "ether" {
			mac = ""
		}
		s[l.Name+" "+mac] = true
		for _, a := range l.Info {
			s[fmt.Sprintf("%s %s/%d", l.Name, a.Local, a.Prefix)] = true
		}
	}
	return s, nil
}

func routes() (set, error) {
	s := set{}
	for _, family := range []string{"-4", "-6"} {
		var list []struct {
			Dst, Gateway, Dev, Type string
			Metric                  int
		}
		if err := ipJSON(&list, family, "route", "show", "table", "main"); err != nil {
			return nil, err
		}
		for _, r := range list {
			if r.Type == "" || r.Type == "unicast" {
				s[fmt.Sprintf("%s %s %s %d", r.Dst, r.Gateway, r.Dev, r.Metric)] = true
			}
		}
	}
	return s, nil
}

func ipJSON(into any, args ...string) error {
	out, err := exec.Command("ip", append([]string{"-j"}, args...)...).Output()
	if err != nil {
		return fmt.Errorf("ip %v: %w", args, err)
	}
	return json.Unmarshal(out, into)
}

func certificates() (set, error) {
	if _, err := exec.LookPath("openssl"); err != nil {
		return nil, err
	}
	s := set{}
	for _, pattern := range []string{"/etc/ssl/*.pem", "/etc/ssl/certs/*.pem", "/etc/ssl/certs/*.crt", "/etc/ssl/private/*"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			// The bundle of well-known authorities and its links are the distribution's.
			if info, err := os.Lstat(name); err != nil || info.Mode()&os.ModeSymlink != 0 || strings.HasSuffix(name, "ca-certificates.crt") {
				continue
			}
			out, err := exec.Command("openssl", "x509", "-in", name, "-noout", "-fingerprint", "-sha256").Output()
			if err != nil {
				continue // a key
			}
			_, hex, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
			s[name+" "+strings.ToLower(strings.ReplaceAll(hex, ":", ""))] = true
		}
	}
	return s, nil
}
