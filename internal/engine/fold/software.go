package fold

import (
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// softwareChanged lets problems that are bound to a version see what is installed.
func (s *State) softwareChanged(b *event.Change) {
	if b.Version == "" || b.Type == "package_removed" {
		return
	}
	ci := s.itemOr(b.CI.Key())
	for _, id := range s.problems.Keys() {
		p := &s.problems.Get(id).Doc
		if p.Software == nil || !isOf(b, p.Software.Product) {
			continue
		}
		if c := p.Installed(ci, b.Version, cmdb.CompareVersions, s.now); len(c.Entries) > 0 {
			s.commitProblem(id, c)
		}
	}
}

// isOf says whether a change is one of the product: the inventory names the package,
// a deployment's product is what it is deployed to, and other senders begin their
// summary with its name.
func isOf(b *event.Change, product string) bool {
	switch {
	case b.Product != "":
		return b.Product == product
	case b.CI.Name == product, b.Type == "deployed" && b.CI.Key() == product:
		return true
	default:
		return strings.HasPrefix(b.Summary, product+" ")
	}
}

// itemsOf are the suspected causes of a problem's incidents.
func (s *State) itemsOf(problem string) []string {
	var out []string
	for _, id := range s.incidents.Keys() {
		if i := &s.incidents.Get(id).Doc; i.Problem == problem {
			if ci := suspected(i); ci != "" && !slices.Contains(out, ci) {
				out = append(out, ci)
			}
		}
	}
	return out
}

func suspected(i *itsm.Incident) string {
	if len(i.Causes) > 0 {
		return i.Causes[0].CI
	}
	if len(i.CIs) == 1 {
		return i.CIs[0]
	}
	return ""
}
