package api

import (
	"context"
)

// openable finds what a hand-opened incident names, as far as the engine cannot know
// it. What names no item or service is refused where it is decided.
func (a *API) openable(_ context.Context, b NewIncident) (any, error) {
	b.CI = a.merged(b.CI)
	return b, nil
}

// merged is the item that one which was merged away became; the engine forgets those.
// Any other reference stays as it was said.
func (a *API) merged(ref string) string {
	if a.o.Inventory == nil {
		return ref
	}
	if r, ok := a.o.Inventory.Ref(ref); ok {
		return r.ID
	}
	return ref
}

func (a *API) allMerged(refs []string) []string {
	out := make([]string, len(refs))
	for n, ref := range refs {
		out[n] = a.merged(ref)
	}
	return out
}

// complete follows merges of the items that a version is needed on.
func (b *softwareArgs) complete(a *API) error {
	b.Items = a.allMerged(b.Items)
	return nil
}

// complete follows merges of the items that are covered.
func (b *coverArgs) complete(a *API) error {
	b.CIs = a.allMerged(b.CIs)
	return nil
}
