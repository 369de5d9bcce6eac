package probe

import (
	"sort"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Cron reads the crontabs of the system and of its users, the drop-in
// directories that run by the hour, day, week and month, and anacron's table.
// systemd's timers are units and stand among the services.
func Cron(t Tree) ([]report.CronEntry, []report.Problem) {
	var p problems
	out := []report.CronEntry{}
	system := []string{"/etc/crontab"}
	for _, name := range t.names("/etc/cron.d") {
		// cron itself ignores such names: editors' and dpkg's left-overs
		if !strings.ContainsAny(name, ".~#") {
			system = append(system, "/etc/cron.d/"+name)
		}
	}
	for _, file := range system {
		data, err := t.read(file)
		p.denied(err, "CAP_DAC_READ_SEARCH", file)
		out = append(out, parseCrontab(string(data), file, "")...)
	}
	for _, spool := range []string{"/var/spool/cron/crontabs", "/var/spool/cron"} {
		entries, err := t.list(spool)
		p.denied(err, "CAP_DAC_READ_SEARCH", "users' crontabs in "+spool)
		for _, e := range entries {
			if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			data, err := t.read(spool + "/" + e.Name())
			p.denied(err, "CAP_DAC_READ_SEARCH", "users' crontabs in "+spool)
			out = append(out, parseCrontab(string(data), spool+"/"+e.Name(), e.Name())...)
		}
	}
	for _, period := range []string{"hourly", "daily", "weekly", "monthly"} {
		dir := "/etc/cron." + period
		for _, name := range t.names(dir) {
			if strings.ContainsAny(name, ".~#") {
				continue
			}
			out = append(out, report.CronEntry{Schedule: "@" + period, User: "root", Command: dir + "/" + name, File: dir + "/" + name})
		}
	}
	out = append(out, parseAnacrontab(t.text("/etc/anacrontab"))...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].File < out[j].File })
	return out, p.list
}

// parseCrontab reads one table. owner is "" for the system's, whose lines name
// the user. Assignments of variables are left out: they may hold secrets.
func parseCrontab(data, file, owner string) []report.CronEntry {
	var out []report.CronEntry
	for line := range strings.Lines(data) {
		line = strings.TrimSpace(strings.ToValidUTF8(line, "?"))
		if line == "" || line[0] == '#' {
			continue
		}
		times := 5
		if line[0] == '@' {
			times = 1
		}
		e := report.CronEntry{User: owner, File: file}
		rest := line
		var schedule []string
		for range times {
			var word string
			word, rest = cutWord(rest)
			schedule = append(schedule, word)
		}
		e.Schedule = strings.Join(schedule, " ")
		if times == 5 && !isSchedule(schedule) {
			continue // NAME=value, or nonsense
		}
		if owner == "" {
			e.User, rest = cutWord(rest)
		}
		if rest == "" {
			continue
		}
		e.Command = ScrubLine(rest)
		out = append(out, e)
	}
	return out
}

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return s, ""
}

func isSchedule(words []string) bool {
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, "=\"'") {
			return false
		}
		c := w[0]
		if named := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'; !named && (c < '0' || c > '9') && c != '*' && c != '~' {
			return false
		}
	}
	first := words[0][0]
	return first >= '0' && first <= '9' || first == '*' || first == '~'
}

// parseAnacrontab reads "period delay name command".
func parseAnacrontab(data string) []report.CronEntry {
	var out []report.CronEntry
	for line := range strings.Lines(data) {
		fields := strings.Fields(strings.ToValidUTF8(line, "?"))
		if len(fields) < 4 || strings.HasPrefix(fields[0], "#") || strings.Contains(fields[0], "=") {
			continue
		}
		period := fields[0]
		if period[0] != '@' {
			period = "every " + period + " days"
		}
		out = append(out, report.CronEntry{Schedule: period, User: "root", Command: Scrub(fields[3:]), File: "/etc/anacrontab"})
	}
	return out
}
