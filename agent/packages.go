package agent

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// packageStore reads package databases only when they have changed, and keeps
// the slow walk for language packages beside the loop. Not safe for concurrent
// use; the walk is its own goroutine and shares nothing but the channel.
type packageStore struct {
	tree    probe.Tree
	options CollectorOptions

	mark     string
	system   []report.Package
	problems []report.Problem

	languages    []probe.Installed
	walkProblems []report.Problem
	walked       bool      // languages are those of a whole walk
	walkedAt     time.Time // of the newest whole walk, also of a run before
	under        chan walkResult
	stop         context.CancelFunc
	stuck        <-chan struct{} // of a walk that was given up; closed once its thread is back

	all   []report.Package // system and languages, owners found
	stale bool
}

type walkResult struct {
	languages []probe.Installed
	problems  []report.Problem
	err       error
}

func newPackageStore(tree probe.Tree, options CollectorOptions) *packageStore {
	s := &packageStore{tree: tree, options: options, stale: true}
	if options.Languages && options.Lasting {
		if memory := s.load(); len(memory.Files) > 0 {
			for _, name := range slices.Sorted(maps.Keys(memory.Files)) {
				s.languages = append(s.languages, memory.Files[name].Found...)
			}
			s.walked, s.walkedAt = true, memory.At
		}
	}
	return s
}

// packageDatabases are the files whose change means that packages changed.
var packageDatabases = []string{
	"/var/lib/dpkg/status", "/lib/apk/db/installed", "/usr/lib/apk/db/installed",
	"/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite-wal", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages",
	"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "/usr/lib/sysimage/rpm/Packages.db", "/usr/lib/sysimage/rpm/Packages",
	// Of these the directory changes: they keep a file or a directory per package.
	"/var/lib/dpkg/status.d", "/var/lib/pacman/local", "/usr/lib/opkg/status", "/var/lib/opkg/status", "/opt/lib/opkg/status", "/opt/var/opkg/status",
	"/var/db/pkg", "/var/lib/pkgtools/packages", "/var/log/packages", "/home/linuxbrew/.linuxbrew/Cellar", "/var/lib/snapd/snaps",
}

// databaseMark says what the databases look like from outside.
func databaseMark(tree probe.Tree) string {
	var mark strings.Builder
	for _, name := range packageDatabases {
		if one := tree.Mark(name); one != "" {
			fmt.Fprintf(&mark, "%s %s\n", name, one)
		}
	}
	return mark.String()
}

// collect returns every package that is known now.
func (s *packageStore) collect(ctx context.Context, now time.Time, distro probe.Distro, full bool, procs []*probe.Proc) ([]report.Package, []report.Problem) {
	if s.options.Languages {
		s.walk(ctx, now, full, procs)
	}
	if mark := databaseMark(s.tree); mark != s.mark || s.system == nil {
		s.mark, s.stale = mark, true
	}
	if s.stale || full {
		s.join(distro)
		s.stale = false
	}
	problems := append(append([]report.Problem(nil), s.problems...), s.walkProblems...)
	if s.options.Languages && !s.walked {
		problems = append(problems, report.Problem{Reason: "language packages: the first walk over the disks is under way"})
	}
	if !s.options.Languages {
		problems = append(problems, report.Problem{Reason: "language packages: switched off in the agent's configuration"})
	}
	return s.all, problems
}

// join reads the system's packages and finds the owners of the others.
func (s *packageStore) join(distro probe.Distro) {
	wanted := make(map[string]bool, len(s.languages))
	for _, l := range s.languages {
		wanted[l.Marker] = true
	}
	owners := make(map[string]string)
	owned := func(path, purl string) { owners[path] = purl }
	s.problems = nil
	deb, problems := probe.Dpkg(s.tree, distro)
	s.problems = append(s.problems, problems...)
	rpm, problems := probe.Rpm(s.tree, distro, wanted, owned)
	s.problems = append(s.problems, problems...)
	apk, problems := probe.Apk(s.tree, distro, wanted, owned)
	s.problems = append(s.problems, problems...)
	other, problems := probe.OtherManagers(s.tree, distro, len(deb)+len(rpm)+len(apk) > 0, wanted, owned)
	s.problems = append(s.problems, problems...)
	s.system = slices.Concat(deb, rpm, apk, other)
	if len(deb) > 0 && len(wanted) > 0 {
		purls := make(map[string]string, 2*len(deb))
		for _, p := range deb {
			purls[p.Name], purls[p.Name+":"+p.Arch] = p.PURL, p.PURL
		}
		maps.Copy(owners, probe.DpkgOwners(s.tree, wanted, purls))
	}
	s.all = make([]report.Package, 0, len(s.system)+len(s.languages))
	s.all = append(s.all, s.system...)
	for _, l := range s.languages {
		p := l.Package
		p.OwnedBy = owners[l.Marker]
		s.all = append(s.all, p)
	}
	rest := s.all[len(s.system):]
	sort.SliceStable(rest, func(i, j int) bool {
		a, b := rest[i], rest[j]
		switch {
		case a.Type != b.Type:
			return a.Type < b.Type
		case a.Name != b.Name:
			return a.Name < b.Name
		case a.Version != b.Version:
			return a.Version < b.Version
		}
		return a.Location < b.Location
	})
}

// walk takes in what the slow walk found, and starts one in a full round. A
// report that somebody waits for walks at once.
func (s *packageStore) walk(ctx context.Context, now time.Time, full bool, procs []*probe.Proc) {
	if s.under != nil {
		select {
		case result := <-s.under:
			s.under, s.stop = nil, nil
			s.take(result)
		default:
		}
	}
	if !s.options.Lasting {
		if full {
			languages, _, problems, err := probe.Languages(ctx, s.tree, probe.Patience{}, procs, nil)
			s.take(walkResult{languages, problems, err})
		}
		return
	}
	// After a restart the walk of the run before still counts.
	const restFor = time.Hour
	select {
	case <-s.stuck:
		s.stuck = nil
	default:
	}
	// One walk that hangs is enough: another would lose one thread more.
	if !full || s.under != nil || s.stuck != nil || s.walked && now.Sub(s.walkedAt) < restFor && now.After(s.walkedAt) {
		return
	}
	s.walkedAt = now
	walking, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.under, s.stop = make(chan walkResult, 1), stop
	go func(done chan<- walkResult, procs []*probe.Proc) {
		defer stop()
		before := s.load().Files
		languages, after, problems, err := probe.Languages(walking, s.tree, s.options.Patience, procs, before)
		if err == nil {
			err = s.save(walkMemory{At: now.UTC(), Files: after})
		}
		done <- walkResult{languages, problems, err}
	}(s.under, procs)
}

func (s *packageStore) take(result walkResult) {
	s.walkProblems = result.problems
	var stuck *probe.StuckError
	if errors.As(result.err, &stuck) {
		s.stuck = stuck.Ended
	}
	if result.err != nil {
		s.walkProblems = append(s.walkProblems, report.Problem{Reason: result.err.Error()})
		if result.languages == nil {
			return
		}
	}
	s.languages, s.walked, s.stale = result.languages, true, true
}

// closePatience is how long the end waits for a walk: it ends at its next file, and
// one that hangs at a file does not hold the end up.
const closePatience = time.Second

// close ends a walk and waits for its goroutine, for a moment.
func (s *packageStore) close() {
	if s.under == nil {
		return
	}
	s.stop()
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-s.under:
	case <-timer.C:
	}
	s.under = nil
}

// walkMemory is what a walk leaves for the next one, also over a restart.
type walkMemory struct {
	At    time.Time    `json:"at"`
	Files probe.Memory `json:"files"`
}

const walkFile = "languages.json.gz"

// load reads the memory from disk: kept in memory between the walks it would
// be the largest thing there.
func (s *packageStore) load() walkMemory {
	var memory walkMemory
	if s.options.StateDir == "" {
		return memory
	}
	f, err := os.Open(filepath.Join(s.options.StateDir, walkFile))
	if err != nil {
		return memory
	}
	defer f.Close()
	unzip, err := gzip.NewReader(f)
	if err != nil || json.NewDecoder(io.LimitReader(unzip, 256<<20)).Decode(&memory) != nil {
		return walkMemory{} // a damaged memory is none: the walk makes it anew
	}
	return memory
}

func (s *packageStore) save(memory walkMemory) error {
	if s.options.StateDir == "" {
		return nil
	}
	data, err := compress(memory)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.options.StateDir, walkFile), data)
}
