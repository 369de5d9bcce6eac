package probe

import (
	"regexp"
	"slices"
	"strings"
)

// Scrubbed stands where a secret stood.
const Scrubbed = "[scrubbed]"

// maxCommand bounds a command line in a report, in bytes.
const maxCommand = 1024

// secretWords end the names whose values are secret.
const secretWords = `pass(?:wd|word|phrase|wort|code)?|pwd|secret|token|credentials?|creds|jwt|otp|bearer|cookie|dsn|sas|` +
	`(?:secret|api|access|private|auth|encryption|signing|account|shared|license|session|client|master|storage|webhook)[-_.]?key|` +
	`session[-_.]?id|connection[-_.]?string|authorization|x-api-key|(?:basic|http)[-_.]?auth|auth[-_.]?basic|(?:master|require)(?:auth|pass)|sharedaccesssignature|webhook(?:[-_.]?url)?`

var (
	secretName = regexp.MustCompile(`(?i)(?:` + secretWords + `|(?:^|[-_.])(?:pw|pin))$`)
	// Words that end like one.
	harmlessName = regexp.MustCompile(`(?i)(bypass|compass|trespass)$`)
	// Names that may say it: where the value is no path, number or short word, it goes.
	doubtfulName = regexp.MustCompile(`(?i)(?:^|[-_.])(key|auth|session)$`)
	// Names whose value may be a name and a password.
	loginName = regexp.MustCompile(`(?i)(?:^|[-_.])(user|username|login|auth|userpwd|u)$`)

	userinfo    = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)([^/\s:@]*):([^/\s]*)@`)
	oracle      = regexp.MustCompile(`(?i)(jdbc:oracle:[a-z0-9]+:[^/\s@:]+)/[^@\s]+@`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic|digest|negotiate|token)(\s+)([A-Za-z0-9._~+/=-]{6,})`)
	header      = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*:\s*)(.+)`)
	webToken    = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*)?`)
	knownToken  = regexp.MustCompile(`\b(AKIA[0-9A-Z]{12,}|ASIA[0-9A-Z]{12,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{12,}|xox[abprs]-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}|sk_live_[A-Za-z0-9]{8,}|hvs\.[A-Za-z0-9_-]{8,}|npm_[A-Za-z0-9]{16,}|pypi-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{20,}|wb[a-z]*_[A-Za-z0-9_-]{16,}|bot[0-9]{6,}:[A-Za-z0-9_-]{16,})`)
	webhooks    = regexp.MustCompile(`(?i)(hooks\.slack\.com/services/|/api/webhooks/|webhook\.office\.com/)[^\s"']+`)
	assignments = regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:` + secretWords + `|signature|sig)["']?)(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&;,"']+)`)
	pathOrPort  = regexp.MustCompile(`^(?:[~.]?/.*|[0-9.:,\[\]-]+(?:/(?:tcp|udp))?|.*\.(?:pem|key|crt|json|ya?ml|txt|env))$`)
	mixed       = regexp.MustCompile(`[A-Za-z].*[0-9!#$%^&*]|[0-9!#$%^&*].*[A-Za-z]`)
	sqlLogin    = regexp.MustCompile(`^([^/\s@]+)/[^@\s]+`)
)

// shortSecret names programs whose short flag takes a secret, joined to it or
// as the next argument. The clients of MySQL and MariaDB are known by their prefix.
var shortSecret = map[string][]string{
	"xtrabackup": {"-p"}, "innobackupex": {"-p"},
	"mongo": {"-p"}, "mongosh": {"-p"}, "mongodump": {"-p"}, "mongorestore": {"-p"}, "mongoexport": {"-p"}, "mongoimport": {"-p"}, "sshpass": {"-p"}, "redis-cli": {"-a"}, "valkey-cli": {"-a"},
	"curl": {"-u", "-U"}, "ldapsearch": {"-w"}, "ldapmodify": {"-w"}, "ldapadd": {"-w"}, "ldapdelete": {"-w"}, "ipmitool": {"-P"}, "snmpwalk": {"-A", "-X", "-c"}, "snmpget": {"-A", "-X", "-c"},
	"smbclient": {"-U"}, "sqlcmd": {"-P"}, "bcp": {"-P"}, "vncviewer": {"-p"}, "rabbitmqadmin": {"-p"}, "htpasswd": {"-b"}, "7z": {"-p"}, "unzip": {"-P"}, "zip": {"-P"}, "cqlsh": {"-p"},
	"openssl": {"-k", "-K", "-pass", "-passin", "-passout"},
}

// slashLogin are the programs that take NAME/PASSWORD@DATABASE.
var slashLogin = []string{"sqlplus", "rman", "expdp", "impdp", "exp", "imp", "sqlldr"}

func shortFlagsOf(program string) []string {
	if strings.HasPrefix(program, "mysql") || strings.HasPrefix(program, "mariadb") || program == "mariabackup" {
		return []string{"-p"}
	}
	return shortSecret[program]
}

// scrubber carries what one argument says about those after it.
type scrubber struct {
	program string
	next    expectation
}

// expectation is what the next argument may be.
type expectation int

const (
	nothing expectation = iota
	secret
	maybeSecret
	login
	shortSecretOf // after -p of a program whose -p is not known
)

// Scrub joins a command line and takes the secrets out: values of options and
// assignments whose names say so, credentials in URLs and headers, tokens
// known by their shape, and the short password flags of common clients. It
// prefers to hide too much. The result is valid UTF-8 and bounded.
func Scrub(args []string) string {
	if len(args) == 0 {
		return ""
	}
	var s scrubber
	out := make([]string, 0, len(args))
	for i, arg := range args {
		arg = strings.ToValidUTF8(arg, "?")
		if i == 0 {
			// A process may write its title over its arguments.
			s.program = baseName(arg)
			out = append(out, scrubText(arg))
			continue
		}
		if strings.ContainsAny(arg, " \t\n") && s.next == nothing {
			out = append(out, s.text(arg))
			continue
		}
		out = append(out, s.argument(arg))
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

// text scrubs an argument that is a text of its own: a header, or a command for a
// shell, whose words are arguments again.
func (s *scrubber) text(arg string) string {
	inner := scrubber{program: s.program}
	words := strings.Split(scrubText(arg), " ")
	for i, word := range words {
		if word != "" {
			words[i] = inner.argument(word)
		}
	}
	return strings.Join(words, " ")
}

// argument scrubs one argument.
func (s *scrubber) argument(arg string) string {
	expected := s.next
	s.next = nothing
	switch {
	case expected == nothing || strings.HasPrefix(arg, "--"):
		// "--password --verbose": an option without a value took none.
	case expected == secret:
		return Scrubbed
	case expected == maybeSecret && looksSecret(arg) && arg[0] != '-':
		return Scrubbed
	case expected == login && strings.Contains(arg, ":"):
		return scrubLogin(arg)
	case expected == shortSecretOf && looksMixed(arg):
		return Scrubbed
	}
	// "sudo mysql", "env X=1 mysql": the program that takes the flags comes later.
	if name := baseName(arg); !strings.HasPrefix(arg, "-") && (shortFlagsOf(name) != nil || slices.Contains(slashLogin, name)) {
		s.program = name
		return arg
	}
	flag, value, joined := cutOption(arg)
	switch {
	case flag == "":
	case isSecret(flag):
		if joined && value != "" {
			return arg[:len(arg)-len(value)] + Scrubbed
		}
		if !joined && strings.HasPrefix(arg, "-") {
			s.next = secret
		}
		return arg
	case doubtfulName.MatchString(flag) && !loginName.MatchString(flag):
		if !joined {
			s.next = maybeSecret
		} else if looksSecret(value) {
			return arg[:len(arg)-len(value)] + Scrubbed
		}
	case loginName.MatchString(flag):
		if !joined {
			s.next = login
			break
		}
		return arg[:len(arg)-len(value)] + scrubLogin(value)
	}
	if short, rest := shortFlag(s.program, arg); short != "" {
		if rest != "" {
			return short + Scrubbed
		}
		// mysql's -p without a value asks for it: the next argument is
		// the database. Hiding that too costs nothing.
		s.next = secret
		return arg
	}
	if arg == "-p" {
		s.next = shortSecretOf
	}
	// Whoever's flag it is: "-ps3cret" is no port and no word.
	if rest, ok := strings.CutPrefix(arg, "-p"); ok && looksMixed(rest) {
		return "-p" + Scrubbed
	}
	if slices.Contains(slashLogin, s.program) && !strings.HasPrefix(arg, "/") {
		arg = sqlLogin.ReplaceAllString(arg, "${1}/"+Scrubbed)
	}
	return scrubText(arg)
}

// looksSecret says whether the value of a doubtful name may be a secret.
func looksSecret(value string) bool { return len(value) >= 4 && !pathOrPort.MatchString(value) }

// looksMixed says whether a text looks more like a password than like a word, a
// number or a path.
func looksMixed(text string) bool {
	return len(text) >= 5 && mixed.MatchString(text) && !strings.ContainsAny(text, "/=:.")
}

// scrubLogin hides the password of NAME:PASSWORD. Two numbers are a user and a group.
func scrubLogin(value string) string {
	name, password, ok := strings.Cut(value, ":")
	if !ok || password == "" || pathOrPort.MatchString(value) {
		return value
	}
	return name + ":" + Scrubbed
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
	for _, short := range shortFlagsOf(program) {
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
	s = oracle.ReplaceAllString(s, "${1}/"+Scrubbed+"@")
	s = webhooks.ReplaceAllString(s, "${1}"+Scrubbed)
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
