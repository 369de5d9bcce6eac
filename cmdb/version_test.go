package cmdb

import (
	"testing"

	"pgregory.net/rapid"
)

// ordered versions, oldest first; the sources are the ecosystems' own documents.
var ordered = map[string][]string{
	// deb-version(7); the last are real ones.
	"deb": {"1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0-10", "1.0a", "1.0+b1", "1.2", "1.10", "2:0.1", "10:0"},
	// rpm's own test of rpmvercmp, with ~ and ^.
	"rpm":    {"1.0~rc1", "1.0~rc1^git1", "1.0", "1.0^", "1.0^git1", "1.0.1", "1.0.1a", "1.1", "1.10", "2.0-1.el8", "2.0-1.el9", "2.0-2", "1:0.5"},
	"npm":    {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.10", "2.0.0"},
	"golang": {"v0.0.0-20190101000000-abcdef", "v0.0.0-20200101000000-abcdef", "v0.1.0", "v1.0.0-rc.1", "v1.0.0", "v1.2.3", "v1.10.0"},
	// PEP 440, "Summary of permitted suffixes and relative ordering".
	"pypi":  {"1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2", "1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5", "1.0.post456.dev34", "1.0.post456", "1.0.15", "1.1.dev1", "1!0.1"},
	"gem":   {"1.0.0.a", "1.0.0.b1", "1.0.0.rc1", "1.0.0", "1.0.1", "1.1", "1.10", "2.0.0.pre1", "2.0"},
	"maven": {"1.0-alpha-1", "1.0-beta-1", "1.0-milestone-1", "1.0-rc1", "1.0-SNAPSHOT", "1.0", "1.0-sp1", "1.0.1", "1.1", "1.10", "2"},
	"apk":   {"1.0_alpha1", "1.0_beta", "1.0_rc1", "1.0", "1.0-r1", "1.0-r10", "1.0_p1", "1.0a", "1.0.1", "1.2", "1.10"},
}

func TestVersionsOrderAsTheirEcosystemDoes(t *testing.T) {
	for eco, list := range ordered {
		for i, a := range list {
			for j, b := range list {
				got := CompareVersions(eco, a, b)
				if (i < j && got >= 0) || (i > j && got <= 0) || (i == j && got != 0) {
					t.Errorf("%s: compare(%s, %s) = %d", eco, a, b, got)
				}
			}
		}
	}
	for _, c := range [][3]string{{"npm", "1.0.0+build1", "1.0.0+build2"}, {"pypi", "1.0", "1.0.0"}, {"pypi", "1.0-1", "1.0.post1"}, {"maven", "1.0-ga", "1"}, {"gem", "1.0", "1.0.0"}, {"rpm", "2.0", "2.0-5"}, {"golang", "v1.2.0", "1.2.0"}, {"deb", "0:1.0-0", "1.0"}} {
		if got := CompareVersions(c[0], c[1], c[2]); got != 0 {
			t.Errorf("%s: %s and %s are equal, got %d", c[0], c[1], c[2], got)
		}
	}
}

func TestVersionsAreAlwaysOrdered(t *testing.T) {
	eco := []string{"deb", "rpm", "npm", "pypi", "gem", "maven", "apk", "other"}
	version := rapid.StringMatching(`[0-9a-z.~^+_:-]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(eco).Draw(t, "ecosystem")
		a, b := version.Draw(t, "a"), version.Draw(t, "b")
		if x, y := CompareVersions(e, a, b), CompareVersions(e, b, a); (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Fatalf("%s: compare(%q, %q) = %d, the other way %d", e, a, b, x, y)
		}
	})
}
