package itsm

import (
	"slices"
	"strings"

	"github.com/watchbill/watchbill/internal/fault"
)

// record is what all kinds of records have to say when a verb is refused.
type record struct {
	kind, id, state string
	legal           []Verb
	revision        uint64 // the current one
}

// allow says why verb is not possible, nil if it is. given is the revision that
// the caller has read, 0 if it does not matter: who has not seen the newest one is
// told that first, because the legal verbs may be others by then.
func (r record) allow(verb Verb, given uint64) error {
	if given != 0 && given != r.revision {
		f := fault.Conflictf("%s %s is at revision %d, not %d: somebody changed it; read it again and repeat the edit", r.kind, r.id, r.revision, given)
		f.Revision = r.revision
		return f
	}
	if slices.Contains(r.legal, verb) {
		return nil
	}
	possible := "nothing is possible any more"
	if len(r.legal) > 0 {
		possible = "possible are " + strings.Join(r.names(), ", ")
	}
	f := fault.Conflictf("%s %s is %s: %q is not possible now; %s", r.kind, r.id, r.state, verb, possible)
	f.Legal = r.names()
	return f
}

func (r record) names() []string {
	out := make([]string, len(r.legal))
	for n, v := range r.legal {
		out[n] = string(v)
	}
	return out
}
