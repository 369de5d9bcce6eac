package correlator

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// How the values of labels are brought to the forms under which items are known.

// canonicalName is a name as the index of aliases knows it: lower case, without final
// dots; an address in its shortest form; an international name in ASCII.
func canonicalName(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone("").String()
	}
	s = strings.TrimRight(s, ".")
	for i := range len(s) {
		if s[i] >= 0x80 {
			if ascii, err := idna.Lookup.ToASCII(s); err == nil {
				return ascii
			}
			break
		}
	}
	return s
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// hostOf reads a machine out of host, host:port, an address, a URL, or what a cluster's
// member calls itself: rabbit@host, host\instance.
func hostOf(v string) (host string, port int) {
	v = strings.TrimSpace(v)
	if strings.Contains(v, "://") {
		u, err := url.Parse(v)
		if err != nil {
			return "", 0
		}
		p, _ := strconv.Atoi(u.Port()) // without one it is 0
		return canonicalName(u.Hostname()), p
	}
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		v = v[i+1:]
	}
	v, _, _ = strings.Cut(v, `\`)
	if h, p, err := net.SplitHostPort(v); err == nil {
		n, err := strconv.Atoi(p)
		if err == nil {
			return canonicalName(h), n
		}
	}
	return canonicalName(v), 0
}

// shortOf is the first word of a full name, "" for an address or a short name.
func shortOf(host string) string {
	if short, _, ok := strings.Cut(host, "."); ok && short != "" && !isAddress(host) {
		return short
	}
	return ""
}

// urlForms are the forms under which a URL may be known: as it stands, without scheme,
// and its host alone.
func urlForms(v string) []string {
	v = strings.ToLower(strings.TrimSpace(v))
	out := []string{v}
	add := func(s string) {
		if s = strings.TrimSuffix(s, "/"); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	add(v)
	if u, err := url.Parse(v); err == nil && u.Host != "" {
		host := canonicalName(u.Hostname())
		at := host
		if p := u.Port(); p != "" {
			at = net.JoinHostPort(host, p)
		}
		add(at + strings.TrimSuffix(u.Path, "/"))
		add(at)
		add(host)
		return out
	}
	bare, _, _ := strings.Cut(v, "?")
	add(bare)
	host, _, _ := strings.Cut(bare, "/")
	add(host)
	h, _ := hostOf(host)
	add(h)
	return out
}

// generated says whether a word is one that Kubernetes made: from its alphabet without
// vowels and the digits 0, 1, 3, which no plain word and few abbreviations do without.
func generated(word string) bool {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	if word == "" {
		return false
	}
	for i := range len(word) {
		if strings.IndexByte(alphabet, word[i]) < 0 {
			return false
		}
	}
	return true
}

// hashed says whether a word may be a ReplicaSet's hash: of Kubernetes' alphabet, or of
// older and other controllers' hexadecimal, with a digit in it.
func hashed(word string) bool {
	if len(word) < 4 || len(word) > 10 {
		return false
	}
	if len(word) >= 8 && generated(word) {
		return true
	}
	digit := false
	for i := range len(word) {
		c := word[i]
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c < 'a' || c > 'z':
			return false
		}
	}
	return digit
}

// podStems are names that a pod's may be made from, the likeliest first: the name less
// its ReplicaSet's hash and its own ending, and less the ending alone.
func podStems(pod string) []string {
	pod = strings.ToLower(pod)
	i := strings.LastIndexByte(pod, '-')
	if i <= 0 {
		return nil
	}
	stem, end := pod[:i], pod[i+1:]
	if digits(end) { // of a StatefulSet
		return []string{stem}
	}
	if len(end) != 5 {
		return nil
	}
	out := []string{}
	if j := strings.LastIndexByte(stem, '-'); j > 0 && (hashed(stem[j+1:]) || digits(stem[j+1:])) {
		out = append(out, stem[:j]) // of a ReplicaSet, or of a CronJob's Job
	}
	return append(out, stem)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// cutLast is a name less its last word.
func cutLast(s string) string {
	if i := strings.LastIndexByte(s, '-'); i > 0 {
		return s[:i]
	}
	return ""
}

// volumeStems are names that the claim of a stateful set may end with:
// "data-orders-db-0" is of orders-db-0, of orders-db.
func volumeStems(claim string) []string {
	out := []string{claim}
	for rest := claim; ; {
		_, after, ok := strings.Cut(rest, "-")
		if !ok {
			return out
		}
		rest = after
		if n := cutLast(rest); n != "" && digits(rest[len(n)+1:]) {
			out = append(out, rest, n)
		}
	}
}

// idForms are the names in a path, an ARN or a number with its kind.
func idForms(v string) []string {
	v = strings.ToLower(v)
	out := []string{v}
	if kind, n, ok := strings.Cut(v, "/"); ok && (kind == "qemu" || kind == "lxc") {
		return append(out, "vm:"+n)
	}
	if digits(v) {
		out = append(out, "vm:"+v)
	}
	last := v[strings.LastIndexByte(v, '/')+1:]
	last = last[strings.LastIndexByte(last, ':')+1:]
	if strings.HasPrefix(v, "arn:") && strings.Contains(v, ":loadbalancer/") || strings.HasPrefix(v, "app/") || strings.HasPrefix(v, "net/") {
		if parts := strings.Split(v, "/"); len(parts) >= 3 { // a load balancer's name stands before its id
			out = append(out, parts[len(parts)-2])
		}
	}
	if last != v && last != "" {
		out = append(out, last)
	}
	return out
}

// routePrefixes are what people put before the names of what a proxy has behind it.
var routePrefixes = []string{"be_", "be-", "bk_", "bk-", "backend_", "backend-", "upstream_", "upstream-", "http_", "https_"}

// routeForms are names of what is behind a proxy or a mesh, as they write them:
// shop/cart, cart@docker, be_cart, shop-cart-80, outbound|80||cart.shop.svc.cluster.local.
func routeForms(v, namespace string) []string {
	v = strings.ToLower(strings.TrimSpace(v))
	out := []string{v}
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	s := v[strings.LastIndexByte(v, '|')+1:]
	s, _, _ = strings.Cut(s, "@")
	add(s)
	s = s[strings.LastIndexByte(s, '/')+1:]
	add(s)
	if strings.Contains(s, ".svc") || strings.HasSuffix(s, ".local") {
		s = shortOf(s)
		add(s)
	}
	for _, p := range routePrefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			s = rest
			add(s)
			break
		}
	}
	if n := cutLast(s); n != "" && digits(s[len(n)+1:]) {
		s = n
		add(s)
	}
	if rest, ok := strings.CutPrefix(s, strings.ToLower(namespace)+"-"); ok && namespace != "" {
		add(rest)
	}
	if _, rest, ok := strings.Cut(s, "-"); ok && strings.HasSuffix(v, "@kubernetes") { // the first word is the namespace
		add(rest)
	}
	return out
}

// dashed writes a name with its words joined by dashes, however they were joined.
func dashed(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '_', '.', '/', ' ', ':', '@':
			return '-'
		}
		return r
	}, strings.ToLower(s))
}

// holdsWords says whether the words of part follow one another in s; both are dashed.
func holdsWords(s, part string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], part)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(part)
		if (i == 0 || s[i-1] == '-') && (end == len(s) || s[end] == '-') {
			return true
		}
		from = i + 1
	}
}
