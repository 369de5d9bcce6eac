package agent

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Diff says what changed on a host between two rounds, as facts that people
// and rules can use. It is pure: at is when the newer round was taken. A
// section that could not be read whole in either round is not compared: what
// is hidden has not gone.
func Diff(before, after report.Report, at time.Time) []report.Change {
	d := differ{at: at.UTC()}
	if before.Agent.BootID != "" && after.Agent.BootID != "" && before.Agent.BootID != after.Agent.BootID {
		d.add(report.ChangeRebooted, after.Host.Hostname, before.Agent.BootID, after.Agent.BootID, "the host was started at "+after.Host.BootTime.UTC().Format(time.RFC3339))
	}
	if before.OS.Kernel != "" && after.OS.Kernel != "" && before.OS.Kernel != after.OS.Kernel {
		d.add(report.ChangeKernel, "kernel", before.OS.Kernel, after.OS.Kernel, fmt.Sprintf("kernel %s replaced %s", after.OS.Kernel, before.OS.Kernel))
	}
	// Another version of the agent finds more, or names it otherwise: what its system's
	// package manager lists is the same for both.
	sameAgent := before.Agent.Version == after.Agent.Version
	whole := func(section string) bool {
		return sameProblems(before.Problems[section], after.Problems[section])
	}
	if whole(report.SectionPackages) && len(before.Packages) > 0 && !sameList(before.Packages, after.Packages) {
		was, is := before.Packages, after.Packages
		if !sameAgent {
			was, is = ofSystem(was), ofSystem(is)
			if len(was) == 0 || len(is) == 0 {
				was, is = nil, nil
			}
		}
		d.packages(was, is)
	}
	if whole(report.SectionServices) && len(before.Services) > 0 {
		d.units(before.Services, after.Services)
	}
	if whole(report.SectionListeners) {
		d.listeners(before.Listeners, after.Listeners)
	}
	if whole(report.SectionCertificates) {
		d.certificates(before.Certificates, after.Certificates)
	}
	if whole(report.SectionUsers) && len(before.Users) > 0 {
		d.users(before.Users, after.Users)
	}
	return d.out
}

// ofSystem are the packages that every version of the agent finds alike.
func ofSystem(list []report.Package) []report.Package {
	var out []report.Package
	for _, p := range list {
		switch p.Type {
		case "deb", "rpm", "apk":
			out = append(out, p)
		}
	}
	return out
}

// sameList says whether two rounds hold the very same list: lists are never changed
// once they are in a report, and thousands of packages are not compared for nothing.
func sameList[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameProblems(a, b []report.Problem) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

type differ struct {
	at  time.Time
	out []report.Change
}

func (d *differ) add(kind, object, previous, version, summary string) {
	d.out = append(d.out, report.Change{At: d.at, Type: kind, Summary: summary, Object: object, Version: version, Previous: previous})
}

// packageKey tells installations apart: one package may be installed in
// several architectures, or in several places, or in several versions at once.
type packageKey struct{ kind, name, arch, location string }

func (d *differ) packages(before, after []report.Package) {
	old, now := versions(before), versions(after)
	for _, key := range sortedKeys(old, now) {
		was, is := old[key], now[key]
		gone, came := without(was, is), without(is, was)
		// Versions that went and came are an upgrade, pair by pair: kernels
		// keep several at once and only one of them changes.
		for i := 0; i < max(len(gone), len(came)); i++ {
			switch {
			case i >= len(gone):
				d.add(report.ChangePackageInstalled, key.name, "", came[i], fmt.Sprintf("%s package %s %s was installed", key.kind, key.name, came[i]))
			case i >= len(came):
				d.add(report.ChangePackageRemoved, key.name, gone[i], "", fmt.Sprintf("%s package %s %s was removed", key.kind, key.name, gone[i]))
			default:
				d.add(report.ChangePackageUpgraded, key.name, gone[i], came[i], fmt.Sprintf("%s package %s went from %s to %s", key.kind, key.name, gone[i], came[i]))
			}
		}
	}
}

func versions(packages []report.Package) map[packageKey][]string {
	out := make(map[packageKey][]string, len(packages))
	for _, p := range packages {
		key := packageKey{p.Type, p.Name, p.Arch, ""}
		if p.OwnedBy != "" {
			continue // its owner's change says it
		}
		if p.Module != "" {
			if p.Source != "" {
				continue // a module inside a program changes with the program
			}
			key.location = p.Module
		}
		out[key] = append(out[key], p.Version)
	}
	for _, list := range out {
		sort.Strings(list)
	}
	return out
}

func sortedKeys(maps ...map[packageKey][]string) []packageKey {
	seen := make(map[packageKey]bool)
	var out []packageKey
	for _, m := range maps {
		for key := range m {
			if !seen[key] {
				seen[key] = true
				out = append(out, key)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.kind != b.kind {
			return a.kind < b.kind
		}
		if a.name != b.name {
			return a.name < b.name
		}
		if a.arch != b.arch {
			return a.arch < b.arch
		}
		return a.location < b.location
	})
	return out
}

// without returns what is in a and not in b, counting repeats.
func without(a, b []string) []string {
	count := make(map[string]int, len(b))
	for _, s := range b {
		count[s]++
	}
	var out []string
	for _, s := range a {
		if count[s] > 0 {
			count[s]--
			continue
		}
		out = append(out, s)
	}
	return out
}

func (d *differ) units(before, after []report.Service) {
	old := make(map[string]report.Service, len(before))
	for _, s := range before {
		old[s.Name] = s
	}
	for _, s := range after {
		was, known := old[s.Name]
		delete(old, s.Name)
		if transient(s.Name) {
			continue
		}
		if !known {
			d.add(report.ChangeUnitAdded, s.Name, "", "", "unit "+s.Name+" was added")
		}
		if s.State == "failed" && was.State != "failed" {
			d.add(report.ChangeUnitFailed, s.Name, was.State, s.State, "unit "+s.Name+" failed")
		}
	}
	for _, s := range before {
		if _, gone := old[s.Name]; gone && !transient(s.Name) {
			d.add(report.ChangeUnitRemoved, s.Name, "", "", "unit "+s.Name+" was removed")
		}
	}
}

// transient units are made per login, per job or per run.
func transient(name string) bool {
	return strings.HasPrefix(name, "run-") || strings.HasPrefix(name, "user@") || strings.HasPrefix(name, "user-runtime-dir@") || strings.HasPrefix(name, "session-") || strings.HasPrefix(name, "systemd-coredump@") || strings.HasPrefix(name, "drkonqi-")
}

func (d *differ) listeners(before, after []report.Listener) {
	name := func(l report.Listener) string {
		place := fmt.Sprintf("%s %s", l.Protocol, joinPort(l.Address, l.Port))
		if l.Namespace != "" {
			place += " in " + l.Namespace
		}
		return place
	}
	by := func(l report.Listener) string {
		switch {
		case l.Unit != "":
			return " (" + l.Unit + ")"
		case l.Process != "":
			return " (" + l.Process + ")"
		}
		return ""
	}
	old := make(map[string]bool, len(before))
	passedOn := func(l report.Listener) bool { return l.Forward != "" } // shows only while it is used
	before, after = slices.DeleteFunc(slices.Clone(before), passedOn), slices.DeleteFunc(slices.Clone(after), passedOn)
	for _, l := range before {
		old[name(l)] = true
	}
	now := make(map[string]bool, len(after))
	for _, l := range after {
		now[name(l)] = true
		if !old[name(l)] {
			d.add(report.ChangeListenerAdded, name(l), "", "", name(l)+" is listened on"+by(l))
		}
	}
	for _, l := range before {
		if !now[name(l)] {
			d.add(report.ChangeListenerRemoved, name(l), "", "", name(l)+" is not listened on any more"+by(l))
		}
	}
}

func joinPort(address string, port int) string {
	if strings.Contains(address, ":") {
		return fmt.Sprintf("[%s]:%d", address, port)
	}
	return fmt.Sprintf("%s:%d", address, port)
}

// certificates compares the first certificate of each place: the one that is
// presented; its chain follows it.
func (d *differ) certificates(before, after []report.Certificate) {
	old := make(map[string]map[string]report.Certificate)
	for _, c := range before {
		if old[c.Location] == nil {
			old[c.Location] = make(map[string]report.Certificate)
		}
		old[c.Location][c.Fingerprint] = c
	}
	present := make(map[string]map[string]bool)
	for _, c := range after {
		if present[c.Location] == nil {
			present[c.Location] = make(map[string]bool)
		}
		present[c.Location][c.Fingerprint] = true
	}
	for _, c := range after {
		was, known := old[c.Location]
		if !known || was[c.Fingerprint].Fingerprint != "" {
			continue
		}
		previous := ""
		for fingerprint := range was {
			if !present[c.Location][fingerprint] && (previous == "" || fingerprint < previous) {
				previous = fingerprint
			}
		}
		d.add(report.ChangeCertificateReplaced, c.Location, previous, c.Fingerprint,
			fmt.Sprintf("the certificate of %s was replaced: %s, valid until %s", c.Location, c.Subject, c.NotAfter.UTC().Format(time.DateOnly)))
	}
}

func (d *differ) users(before, after []report.User) {
	old := make(map[string]bool, len(before))
	for _, u := range before {
		old[u.Name] = true
	}
	now := make(map[string]bool, len(after))
	for _, u := range after {
		now[u.Name] = true
		if !old[u.Name] {
			d.add(report.ChangeUserAdded, u.Name, "", "", fmt.Sprintf("account %s (uid %d) was added", u.Name, u.UID))
		}
	}
	for _, u := range before {
		if !now[u.Name] {
			d.add(report.ChangeUserRemoved, u.Name, "", "", fmt.Sprintf("account %s was removed", u.Name))
		}
	}
}
