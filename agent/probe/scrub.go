package probe

import (
	"regexp"
	"strings"
)

// Scrubbed stands where a secret stood.
const Scrubbed = "[scrubbed]"

// maxCommand bounds a command line in a report, in bytes.
const maxCommand = 1024

var (
	// A name that says that its value is secret. "key" alone is too wide
	// (--key-file, sort keys): it counts with a word that makes it one.
	secretName = regexp.MustCompile(`(?i)(pass(wd|word|phrase|wort)?|pwd|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|auth[-_.]?key|encryption[-_.]?key|signing[-_.]?key|account[-_.]?key|shared[-_.]?key|license[-_.]?key|bearer|cookie|session[-_.]?id|connection[-_.]?string|dsn|authorization|x-api-key|sas)$`)
	// Words that end like one.
	harmlessName = regexp.MustCompile(`(?i)(bypass|compass|trespass)$`)

	userinfo    = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)([^/\s:@]*):([^/\s]*)@`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic|digest|negotiate|token)(\s+)([A-Za-z0-9._~+/=-]{6,})`)
	header      = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*:\s*)(.+)`)
	webToken    = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*)?`)
	knownToken  = regexp.MustCompile(`\b(AKIA[0-9A-Z]{12,}|ASIA[0-9A-Z]{12,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{12,}|xox[abprs]-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}|sk_live_[A-Za-z0-9]{8,}|hvs\.[A-Za-z0-9_-]{8,}|npm_[A-Za-z0-9]{16,}|pypi-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{20,}|wb[a-z]*_[A-Za-z0-9_-]{16,})`)
	assignments = regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:pass(?:wd|word|phrase)?|pwd|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|account[-_.]?key|shared[-_.]?key|auth[-_.]?key|sharedaccesssignature|signature|authorization|cookie|sig)["']?)(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&;,"']+)`)
)

// shortSecret names programs whose short flag takes a secret, joined to it or
// as the next argument.
var shortSecret = map[string][]string{
	"mysql": {"-p"}, "mysqldump": {"-p"}, "mysqladmin": {"-p"}, "mariadb": {"-p"}, "mariadb-dump": {"-p"}, "mysqlimport": {"-p"}, "xtrabackup": {"-p"},
	"mongo": {"-p"}, "mongosh": {"-p"}, "mongodump": {"-p"}, "mongorestore": {"-p"}, "sshpass": {"-p"}, "redis-cli": {"-a"},
	"curl": {"-u", "-U"}, "ldapsearch": {"-w"}, "ldapmodify": {"-w"}, "ldapadd": {"-w"}, "ipmitool": {"-P"}, "snmpwalk": {"-A", "-X", "-c"}, "snmpget": {"-A", "-X", "-c"},
	"smbclient": {"-U"}, "sqlcmd": {"-P"}, "bcp": {"-P"}, "vncviewer": {"-p"}, "rabbitmqadmin": {"-p"}, "htpasswd": {"-b"}, "7z": {"-p"}, "unzip": {"-P"}, "zip": {"-P"},
	"openssl": {"-k", "-K", "-pass", "-passin", "-passout"},
}

// Scrub joins a command line and takes the secrets out: values of options and
// assignments whose names say so, credentials in URLs and headers, tokens
// known by their shape, and the short password flags of common clients. It
// prefers to hide too much. The result is valid UTF-8 and bounded.
func Scrub(args []string) string {
	if len(args) == 0 {
		return ""
	}
	program := baseName(args[0])
	out := make([]string, 0, len(args))
	hideNext := false
	for i, arg := range args {
		arg = strings.ToValidUTF8(arg, "?")
		switch {
		case i == 0:
			// A process may write its title over its arguments.
			out = append(out, scrubText(arg))
			continue
		case hideNext:
			hideNext = false
			// "--password --verbose": an option without a value took none.
			if !strings.HasPrefix(arg, "--") {
				out = append(out, Scrubbed)
				continue
			}
		}
		flag, value, joined := cutOption(arg)
		if flag != "" && isSecret(flag) {
			if joined && value != "" {
				out = append(out, arg[:len(arg)-len(value)]+Scrubbed)
			} else {
				out = append(out, arg)
				hideNext = !joined && strings.HasPrefix(arg, "-")
			}
			continue
		}
		if short, rest := shortFlag(program, arg); short != "" {
			if rest != "" {
				out = append(out, short+Scrubbed)
			} else {
				out = append(out, arg)
				// mysql's -p without a value asks for it: the next argument is
				// the database. Hiding that too costs nothing.
				hideNext = true
			}
			continue
		}
		// "-H Authorization: ..." and "-e PASSWORD=..." are texts of their own.
		out = append(out, scrubText(arg))
	}
	line := strings.Join(out, " ")
	// An argument list may have been cut where a secret's name and its value
	// stand in different arguments: look at the whole once more.
	line = scrubText(line)
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	if len(line) > maxCommand {
		line = strings.ToValidUTF8(line[:maxCommand], "") + "…"
	}
	return line
}

// ScrubLine does the same for a command that is one text, as in a crontab.
func ScrubLine(command string) string { return Scrub(strings.Fields(command)) }

// cutOption splits "--name=value", "-name=value", "NAME=value" and "name:value"
// (joined), or returns the name of an option whose value comes next.
func cutOption(arg string) (name, value string, joined bool) {
	if i := strings.IndexByte(arg, '='); i > 0 {
		name, value, joined = arg[:i], arg[i+1:], true
	} else if strings.HasPrefix(arg, "-") {
		name = arg
	} else {
		return "", "", false
	}
	name = strings.TrimLeft(name, "-")
	if strings.ContainsAny(name, " \t/:?&") {
		return "", "", false
	}
	return name, value, joined
}

func isSecret(name string) bool {
	return secretName.MatchString(name) && !harmlessName.MatchString(name)
}

func shortFlag(program, arg string) (flag, rest string) {
	for _, short := range shortSecret[program] {
		if arg == short {
			return short, ""
		}
		if len(short) == 2 && strings.HasPrefix(arg, short) && !strings.HasPrefix(arg, "--") {
			return short, arg[2:]
		}
	}
	return "", ""
}

func scrubText(s string) string {
	s = header.ReplaceAllString(s, "${1}${2}"+Scrubbed)
	s = userinfo.ReplaceAllString(s, "${1}${2}:"+Scrubbed+"@")
	s = assignments.ReplaceAllStringFunc(s, func(match string) string {
		m := assignments.FindStringSubmatch(match)
		if harmlessName.MatchString(m[1]) {
			return match
		}
		return m[1] + m[2] + Scrubbed
	})
	return scrubHeaders(s)
}

func scrubHeaders(s string) string {
	s = bearer.ReplaceAllString(s, "${1}${2}"+Scrubbed)
	s = webToken.ReplaceAllString(s, Scrubbed)
	return knownToken.ReplaceAllString(s, Scrubbed)
}
