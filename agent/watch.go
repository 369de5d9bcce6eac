package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// defaultWatched are files whose change people want to hear of; a configuration
// that names files replaces them.
var defaultWatched = []string{
	"/etc/passwd", "/etc/group", "/etc/sudoers", "/etc/sudoers.d/*", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*", "/etc/fstab", "/etc/hosts",
	"/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/crontab", "/etc/cron.d/*", "/etc/pam.d/*", "/etc/ld.so.preload",
}

// packageSigns are the directories in which package managers work, with the
// names that they touch only when they change something.
var packageSigns = map[string]struct {
	manager string
	names   []string
}{
	"/var/lib/dpkg":            {"dpkg", []string{"status", "status-new"}},
	"/var/lib/dpkg/updates":    {"dpkg", nil},
	"/var/lib/rpm":             {"rpm", []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"}},
	"/usr/lib/sysimage/rpm":    {"rpm", []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"}},
	"/var/lib/pacman/local":    {"pacman", nil},
	"/var/lib/pacman":          {"pacman", []string{"db.lck"}},
	"/var/lib/opkg":            {"opkg", []string{"status", "lock"}},
	"/usr/lib/opkg":            {"opkg", []string{"status", "lock"}},
	"/lib/apk/db":              {"apk", []string{"installed", "installed.new"}},
	"/usr/lib/apk/db":          {"apk", []string{"installed", "installed.new"}},
	"/etc/systemd/system":      {"", nil},
	"/usr/lib/systemd/system":  {"", nil},
	"/run/systemd/system":      {"", nil},
	"/run/systemd/shutdown":    {"", nil},
	"/etc/letsencrypt/archive": {"", nil},
}

// quietFor is how long a package manager must have been quiet for its next
// sign to be another transaction.
const quietFor = 2 * time.Minute

// Watcher turns changes of files into events. NewWatcher makes it, Run works.
type Watcher struct {
	tree     probe.Tree
	patterns []string
	keep     string // the file of known hashes, "" to keep none
	log      *slog.Logger
	now      func() time.Time
	events   chan Event

	hashes   map[string]string
	lastSign map[string]time.Time // manager → its last sign
	unread   map[string]bool
}

const watchedFile = "watched.json"

// NewWatcher returns a watcher of the given files and patterns, of the default
// ones when none are given. stateDir keeps hashes over a restart, so that what
// changed meanwhile is told too.
func NewWatcher(tree probe.Tree, patterns []string, stateDir string, log *slog.Logger) *Watcher {
	if len(patterns) == 0 {
		patterns = defaultWatched
	}
	w := &Watcher{tree: tree, patterns: patterns, log: log, now: time.Now, events: make(chan Event), lastSign: make(map[string]time.Time), unread: make(map[string]bool)}
	if stateDir != "" {
		w.keep = filepath.Join(stateDir, watchedFile)
		if data, err := os.ReadFile(w.keep); err == nil {
			_ = json.Unmarshal(data, &w.hashes) // damaged means unknown: nothing to compare with
		}
	}
	return w
}

// Events is where Run tells what happens.
func (w *Watcher) Events() <-chan Event { return w.events }

// Run watches until the context ends. An error means that nothing can be
// watched (the kernel's limit on watches, say): changes are then found in the
// next report instead of at once.
func (w *Watcher) Run(ctx context.Context) error {
	w.tell(ctx, Event{Changes: w.compare()})
	return w.tree.WatchDirs(ctx, w.dirs(), func(e probe.DirEvent) {
		if event, ok := w.notice(e); ok {
			w.tell(ctx, event)
		}
	})
}

func (w *Watcher) tell(ctx context.Context, event Event) {
	if len(event.Changes) == 0 && !event.Collect {
		return
	}
	select {
	case w.events <- event:
	case <-ctx.Done():
	}
}

// dirs are the directories that hold what is watched.
func (w *Watcher) dirs() []string {
	all := make(map[string]bool)
	for dir := range packageSigns {
		all[dir] = true
	}
	for _, pattern := range w.patterns {
		all[filepath.Dir(pattern)] = true
	}
	out := make([]string, 0, len(all))
	for dir := range all {
		if !strings.ContainsAny(dir, "*?[") {
			out = append(out, dir)
		}
	}
	sort.Strings(out)
	return out
}

// notice decides what a change in a directory means.
func (w *Watcher) notice(e probe.DirEvent) (Event, bool) {
	var event Event
	if sign, ok := packageSigns[e.Dir]; ok && (len(sign.names) == 0 || slices.Contains(sign.names, e.Name)) {
		event.Collect = true
		if sign.manager != "" {
			now := w.now()
			last := w.lastSign[sign.manager]
			w.lastSign[sign.manager] = now
			// One transaction touches its files hundreds of times.
			if now.Sub(last) < quietFor {
				event.Collect = false
			} else {
				event.Changes = append(event.Changes, report.Change{
					At: now.UTC(), Type: report.ChangePackageTransaction, Object: sign.manager, Summary: w.summary(sign.manager),
				})
			}
		}
	}
	if w.concerns(e) {
		changes := w.compare()
		event.Changes = append(event.Changes, changes...)
		event.Collect = event.Collect || len(changes) > 0
	}
	return event, event.Collect || len(event.Changes) > 0
}

// managers are the programs that people start to change packages.
var managers = []string{"apt", "apt-get", "aptitude", "unattended-upgr", "dpkg", "dnf", "yum", "zypper", "rpm", "apk", "packagekitd", "pacman", "yay", "paru", "pamac-daemon", "opkg", "emerge"}

// summary says who is at work, by the command that is running.
func (w *Watcher) summary(manager string) string {
	procs, err := probe.NewProcesses(w.tree).Refresh()
	if err == nil {
		for _, p := range procs { // by PID: the one that was started first leads
			if slices.Contains(managers, p.Name) {
				return manager + " changes packages: " + probe.Scrub(p.Args)
			}
		}
	}
	return manager + " changes packages"
}

// concerns says whether an event may be about a watched file.
func (w *Watcher) concerns(e probe.DirEvent) bool {
	for _, pattern := range w.patterns {
		if filepath.Dir(pattern) != e.Dir {
			continue
		}
		if ok, err := filepath.Match(filepath.Base(pattern), e.Name); e.Name == "" || err == nil && ok {
			return true
		}
	}
	return false
}

// compare hashes the watched files and tells what differs from before. The
// first time there is no before.
func (w *Watcher) compare() []report.Change {
	now := make(map[string]string)
	for _, pattern := range w.patterns {
		for _, path := range w.tree.Glob(pattern) {
			hash, err := w.hashFile(path)
			switch {
			case err == nil:
				now[path] = hash
			case errors.Is(err, fs.ErrNotExist):
			case !errors.Is(err, fs.ErrPermission):
				if was := w.hashes[path]; was != "" {
					now[path] = was // it is there, and cannot be looked at now
				}
			case errors.Is(err, fs.ErrPermission):
				if !w.unread[path] {
					w.unread[path] = true
					w.log.Warn("a watched file cannot be read: its changes are not seen", "file", path, "privilege", "CAP_DAC_READ_SEARCH")
				}
			}
		}
	}
	var out []report.Change
	if w.hashes != nil {
		at := w.now().UTC()
		for _, path := range sortedNames(w.hashes, now) {
			was, is := w.hashes[path], now[path]
			if was == is || w.unread[path] {
				continue
			}
			what := "was changed"
			switch {
			case was == "":
				what = "was made"
			case is == "":
				what = "was removed"
			}
			out = append(out, report.Change{At: at, Type: report.ChangeFile, Object: path, Previous: was, Version: is, Summary: path + " " + what})
		}
	}
	changed := w.hashes == nil || len(out) > 0
	w.hashes = now
	if changed && w.keep != "" {
		data, err := json.Marshal(now)
		if err == nil {
			err = replaceFile(w.keep, data)
		}
		if err != nil {
			w.log.Error("cannot keep the hashes of watched files", "error", err)
		}
	}
	return out
}

func sortedNames(maps ...map[string]string) []string {
	all := make(map[string]bool)
	for _, m := range maps {
		for name := range m {
			all[name] = true
		}
	}
	out := make([]string, 0, len(all))
	for name := range all {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// maxWatched bounds a watched file: configuration is small, a log is not meant.
const maxWatched = 16 << 20

// hashFile returns a regular file's SHA-256; its content stays here.
func (w *Watcher) hashFile(path string) (string, error) {
	f, err := w.tree.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > maxWatched {
		return "", errors.New("not a file of moderate size")
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, io.LimitReader(f, maxWatched)); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
