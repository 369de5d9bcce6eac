package cmdb

import (
	"cmp"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// CompareVersions orders two versions as their ecosystem does: negative if a is
// older than b. Sources of the rules: deb-version(7); rpm's rpmvercmp with
// epoch:version-release; apk-tools; semver.org 2.0 (npm, golang, cargo); PEP 440;
// Gem::Version; Maven's ComparableVersion in its common cases. Other types
// compare runs of digits as numbers. Anything is ordered somehow: a malformed
// version never fails a query.
func CompareVersions(ecosystem, a, b string) int {
	if a == b {
		return 0
	}
	switch ecosystem {
	case "deb":
		return compareDeb(a, b)
	case "rpm", "alpm": // pacman's comparison is rpm's
		return compareRPM(a, b)
	case "npm", "golang", "cargo", "semver":
		return compareSemver(a, b)
	case "pypi":
		return comparePEP440(a, b)
	case "gem":
		return compareGem(a, b)
	case "maven":
		return compareMaven(a, b)
	case "apk", "ebuild": // Alpine took Gentoo's form
		return compareAPK(a, b)
	}
	return compareDeb(a, b)
}

func compareDeb(a, b string) int {
	ea, va, ra := splitDeb(a)
	eb, vb, rb := splitDeb(b)
	if c := compareNumbers(ea, eb); c != 0 {
		return c
	}
	if c := compareDebPart(va, vb); c != 0 {
		return c
	}
	return compareDebPart(ra, rb)
}

func splitDeb(s string) (epoch, version, revision string) {
	epoch, version = "0", s
	if e, rest, ok := strings.Cut(s, ":"); ok && digits(e) {
		epoch, version = e, rest
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		version, revision = version[:i], version[i+1:]
	}
	return epoch, version, revision
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// compareDebPart compares by turns what is no digit, with ~ before the end and
// letters before the rest, and numbers.
func compareDebPart(a, b string) int {
	weight := func(s string, i int) int {
		switch {
		case i >= len(s) || isDigit(s[i]):
			return 0
		case s[i] == '~':
			return -1
		case isAlpha(s[i]):
			return int(s[i])
		}
		return int(s[i]) + 256
	}
	for a != "" || b != "" {
		i := 0
		for (i < len(a) && !isDigit(a[i])) || (i < len(b) && !isDigit(b[i])) {
			wa, wb := weight(a, i), weight(b, i)
			if wa != wb {
				return cmp.Compare(wa, wb)
			}
			if i >= len(a) || i >= len(b) {
				break
			}
			i++
		}
		a, b = a[min(i, len(a)):], b[min(i, len(b)):]
		na, nb := leadingDigits(a), leadingDigits(b)
		if c := compareNumbers(na, nb); c != 0 {
			return c
		}
		a, b = a[len(na):], b[len(nb):]
	}
	return 0
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i]
}

// compareNumbers compares digit strings of any length; an empty one is 0.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func compareRPM(a, b string) int {
	split := func(s string) (epoch, version, release string) {
		epoch, version = "0", s
		if e, rest, ok := strings.Cut(s, ":"); ok {
			if version = rest; digits(e) {
				epoch = e
			}
		}
		version, release, _ = strings.Cut(version, "-")
		return epoch, version, release
	}
	ea, va, ra := split(a)
	eb, vb, rb := split(b)
	if c := cmp.Or(compareNumbers(ea, eb), rpmvercmp(va, vb)); c != 0 || ra == "" || rb == "" {
		return c // without a release it means any of them
	}
	return rpmvercmp(ra, rb)
}

func rpmvercmp(a, b string) int {
	sep := func(c byte) bool { return !isDigit(c) && !isAlpha(c) && c != '~' && c != '^' }
	for a != "" || b != "" {
		for a != "" && sep(a[0]) {
			a = a[1:]
		}
		for b != "" && sep(b[0]) {
			b = b[1:]
		}
		at, bt := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
		if at || bt {
			if !at {
				return 1
			}
			if !bt {
				return -1
			}
			a, b = a[1:], b[1:]
			continue
		}
		ac, bc := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
		if ac || bc {
			switch {
			case a == "":
				return -1
			case b == "":
				return 1
			case !ac:
				return 1
			case !bc:
				return -1
			}
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		kind := isAlpha
		if isDigit(a[0]) {
			kind = isDigit
		}
		run := func(s string) string {
			i := 0
			for i < len(s) && kind(s[i]) {
				i++
			}
			return s[:i]
		}
		ra, rb := run(a), run(b)
		if rb == "" {
			if isDigit(a[0]) {
				return 1
			}
			return -1
		}
		c := strings.Compare(ra, rb)
		if isDigit(a[0]) {
			c = compareNumbers(ra, rb)
		}
		if c != 0 {
			return c
		}
		a, b = a[len(ra):], b[len(rb):]
	}
	return cmp.Compare(len(a), len(b))
}

func compareSemver(a, b string) int {
	split := func(s string) (core, pre string) {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "v"), "go")
		s, _, _ = strings.Cut(s, "+")
		core, pre, _ = strings.Cut(s, "-")
		return core, pre
	}
	ca, pa := split(a)
	cb, pb := split(b)
	if c := compareDotted(ca, cb); c != 0 {
		return c
	}
	switch {
	case pa == pb:
		return 0
	case pa == "":
		return 1
	case pb == "":
		return -1
	}
	xa, xb := strings.Split(pa, "."), strings.Split(pb, ".")
	for i := range min(len(xa), len(xb)) {
		da, db := digits(xa[i]), digits(xb[i])
		var c int
		switch {
		case da && db:
			c = compareNumbers(xa[i], xb[i])
		case da:
			c = -1
		case db:
			c = 1
		default:
			c = strings.Compare(xa[i], xb[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(xa), len(xb))
}

// compareDotted compares dotted numbers; missing ones are 0.
func compareDotted(a, b string) int {
	xa, xb := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(xa), len(xb)) {
		pa, pb := "0", "0"
		if i < len(xa) {
			pa = xa[i]
		}
		if i < len(xb) {
			pb = xb[i]
		}
		var c int
		if digits(pa) && digits(pb) {
			c = compareNumbers(pa, pb)
		} else {
			c = compareDebPart(pa, pb)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

var pep440 = regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:(?:[-_.]?(post|rev|r)[-_.]?(\d*))|-(\d+))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

func comparePEP440(a, b string) int {
	ka, oka := pepKey(a)
	kb, okb := pepKey(b)
	if !oka || !okb {
		if oka != okb { // PEP 440 puts what it cannot read before everything
			if oka {
				return 1
			}
			return -1
		}
		return compareDebPart(a, b)
	}
	if c := cmp.Or(compareNumbers(ka.epoch, kb.epoch), compareDotted(ka.release, kb.release),
		cmp.Compare(ka.pre, kb.pre), compareNumbers(ka.preN, kb.preN),
		cmp.Compare(ka.post, kb.post), compareNumbers(ka.postN, kb.postN),
		cmp.Compare(ka.dev, kb.dev), compareNumbers(ka.devN, kb.devN)); c != 0 {
		return c
	}
	return compareLocal(ka.local, kb.local)
}

// compareLocal compares local versions: numbers come after words, and what is
// longer after what it begins with.
func compareLocal(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	xa, xb := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(xa), len(xb)) {
		da, db := digits(xa[i]), digits(xb[i])
		var c int
		switch {
		case da && db:
			c = compareNumbers(xa[i], xb[i])
		case da:
			c = 1
		case db:
			c = -1
		default:
			c = strings.Compare(xa[i], xb[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(xa), len(xb))
}

type pepVersion struct {
	epoch, release    string
	pre, post, dev    int
	preN, postN, devN string
	local             string
}

func pepKey(s string) (pepVersion, bool) {
	m := pep440.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return pepVersion{}, false
	}
	v := pepVersion{epoch: m[1], release: m[2], preN: m[4], postN: m[6] + m[7], devN: m[9], local: strings.NewReplacer("-", ".", "_", ".").Replace(m[10])}
	switch m[3] {
	case "":
		v.pre = 4 // a release comes after its candidates
	case "a", "alpha":
		v.pre = 1
	case "b", "beta":
		v.pre = 2
	default:
		v.pre = 3
	}
	if m[5] != "" || m[7] != "" {
		v.post = 1
	}
	v.dev = 1
	if m[8] != "" {
		v.dev = 0
		if m[3] == "" && v.post == 0 {
			v.pre = 0 // 1.0.dev1 comes before 1.0a1
		}
	}
	return v, true
}

// compareGem compares segments: numbers after letters, missing ones are 0.
func compareGem(a, b string) int {
	seg := func(s string) []string {
		s = strings.ReplaceAll(s, "-", ".pre.")
		var out []string
		for s != "" {
			n := leadingDigits(s)
			if n == "" {
				i := 0
				for i < len(s) && isAlpha(s[i]) {
					i++
				}
				if i == 0 {
					s = s[1:]
					continue
				}
				n = s[:i]
			}
			out = append(out, n)
			s = s[len(n):]
		}
		return out
	}
	xa, xb := seg(a), seg(b)
	for i := range max(len(xa), len(xb)) {
		pa, pb := "0", "0"
		if i < len(xa) {
			pa = xa[i]
		}
		if i < len(xb) {
			pb = xb[i]
		}
		da, db := digits(pa), digits(pb)
		var c int
		switch {
		case da && db:
			c = compareNumbers(pa, pb)
		case da:
			c = 1
		case db:
			c = -1
		default:
			c = strings.Compare(pa, pb)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

var mavenRank = map[string]int{"alpha": 1, "a": 1, "beta": 2, "b": 2, "milestone": 3, "m": 3, "rc": 4, "cr": 4, "snapshot": 5, "": 6, "ga": 6, "final": 6, "release": 6, "sp": 7}

func compareMaven(a, b string) int {
	tok := func(s string) []string {
		s = strings.ToLower(s)
		var out []string
		for s != "" {
			if n := leadingDigits(s); n != "" {
				out, s = append(out, n), s[len(n):]
				continue
			}
			i := 0
			for i < len(s) && !isDigit(s[i]) && s[i] != '.' && s[i] != '-' && s[i] != '_' {
				i++
			}
			if i == 0 {
				s = s[1:]
				continue
			}
			out, s = append(out, s[:i]), s[i:]
		}
		for len(out) > 0 { // 1.0.0 is 1, 1.0-ga is 1.0
			last := out[len(out)-1]
			if strings.Trim(last, "0") != "" && mavenRank[last] != 6 {
				break
			}
			out = out[:len(out)-1]
		}
		return out
	}
	rank := func(s string) (int, *big.Int) {
		if digits(s) {
			n, _ := new(big.Int).SetString(s, 10)
			if n.Sign() == 0 {
				return 6, nil
			}
			return 9, n
		}
		if r, ok := mavenRank[s]; ok {
			return r, nil
		}
		return 8, nil
	}
	xa, xb := tok(a), tok(b)
	for i := range max(len(xa), len(xb)) {
		pa, pb := "", ""
		if i < len(xa) {
			pa = xa[i]
		}
		if i < len(xb) {
			pb = xb[i]
		}
		ra, na := rank(pa)
		rb, nb := rank(pb)
		switch {
		case ra != rb:
			return cmp.Compare(ra, rb)
		case na != nil && nb != nil:
			if c := na.Cmp(nb); c != 0 {
				return c
			}
		case ra == 8:
			if c := strings.Compare(pa, pb); c != 0 {
				return c
			}
		}
	}
	return 0
}

var apkSuffix = map[string]int{"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "": 0, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}

var apkVersion = regexp.MustCompile(`^(\d+(?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:-r(\d+))?$`)

func compareAPK(a, b string) int {
	ma, mb := apkVersion.FindStringSubmatch(a), apkVersion.FindStringSubmatch(b)
	if ma == nil || mb == nil {
		return compareDebPart(a, b)
	}
	if c := cmp.Or(compareDotted(ma[1], mb[1]), strings.Compare(ma[2], mb[2])); c != 0 {
		return c
	}
	sa, sb := strings.Split(ma[3], "_")[1:], strings.Split(mb[3], "_")[1:]
	for i := range max(len(sa), len(sb)) {
		ka, na := apkPart(sa, i)
		kb, nb := apkPart(sb, i)
		if c := cmp.Or(cmp.Compare(ka, kb), cmp.Compare(na, nb)); c != 0 {
			return c
		}
	}
	return compareNumbers(ma[4], mb[4])
}

func apkPart(s []string, i int) (kind, n int) {
	if i >= len(s) {
		return 0, 0
	}
	name := strings.TrimRight(s[i], "0123456789")
	n, _ = strconv.Atoi(s[i][len(name):])
	return apkSuffix[name], n
}
