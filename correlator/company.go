package correlator

import (
	"math"
	"strings"
)

// Which kinds of alerts come in the same incidents is learned from those that are
// remembered: a kind that an incident has not had yet fits it better if it came with
// its other kinds before. It only softens what speaks against a new kind.

// pairUp counts an incident's kinds of alerts in pairs, or takes it out.
func (s *State) pairUp(keys []string, n int) {
	for i, a := range keys {
		if !strings.HasPrefix(a, classKey) {
			continue
		}
		for _, b := range keys[i+1:] { // classes come last
			s.pair(a[len(classKey):], b[len(classKey):], n)
			s.pair(b[len(classKey):], a[len(classKey):], n)
		}
	}
}

func (s *State) pair(a, b string, n int) {
	of := s.together[a]
	if of == nil {
		of = map[string]int{}
		s.together[a] = of
	}
	if of[b] += n; of[b] == 0 {
		if delete(of, b); len(of) == 0 {
			delete(s.together, a)
		}
	}
}

const (
	// companyLeast is in how many incidents two kinds must have been together, and
	// companyMost how much that may say, in logarithms of odds.
	companyLeast = 2
	companyMost  = 2.0
)

// companyOf is how much oftener than by chance alerts of a class came with those of
// one that the group has, in logarithms of odds, and with which.
func (s *State) companyOf(class string, g *group) (odds float64, with string) {
	together := s.together[class]
	if len(together) == 0 || s.cfg.ignores("company") {
		return 0, ""
	}
	own := len(s.byProfile[classKey+class])
	best := 1.0
	for other := range g.Classes {
		both := together[other]
		if both < companyLeast {
			continue
		}
		lift := float64(both) * float64(s.profiles.Len()+unseen) / float64((own+1)*(len(s.byProfile[classKey+other])+1))
		if lift > best || lift == best && other < with {
			best, with = lift, other
		}
	}
	return min(companyMost, math.Log(best)), with
}
