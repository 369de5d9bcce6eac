package itsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Software is the version that a problem is bound to: it is mended when the fix has
// arrived on every item, and proves itself by not coming back.
type Software struct {
	Product   string `json:"product"`             // package, or service or workload that is deployed
	Ecosystem string `json:"ecosystem,omitempty"` // whose rules order its versions: deb, rpm, ...
	FixedIn   string `json:"fixed_in"`            // the first version without the defect
	// Items are where the defect matters, at most softwareItems; Pending those of them
	// where the fix has not been seen yet.
	Items   []string `json:"items"`
	Pending []string `json:"pending"`
}

// BindSoftware is the verb that binds a problem to a version.
const BindSoftware Verb = "software"

// softwareItems bounds where a problem's software is watched.
const softwareItems = 500

// CompareVersions orders two versions as an ecosystem does.
type CompareVersions func(ecosystem, a, b string) int

func (p *Problem) bind(c *Change, a ProblemArgs, actor string, now time.Time) error {
	items := slices.Clone(a.Items)
	slices.Sort(items)
	items = slices.Compact(items)
	switch {
	case strings.TrimSpace(a.Product) == "":
		return fault.Invalidf("product", "is missing: name the package, or the service or workload that is deployed")
	case strings.TrimSpace(a.FixedIn) == "":
		return fault.Invalidf("fixed_in", "is missing: name the first version without the defect")
	case len(items) == 0:
		return fault.Invalidf("items", "name the items that need the fix: no incident of %s has a suspected cause to take for one", p.ID)
	case len(items) > softwareItems:
		return fault.Invalidf("items", "are %d: at most %d are watched", len(items), softwareItems)
	}
	p.Software = &Software{Product: a.Product, Ecosystem: a.Ecosystem, FixedIn: a.FixedIn, Items: items, Pending: slices.Clone(items)}
	c.say(now, "software", actor, "bound to %s: mended when version %s has arrived on %s%s", a.Product, a.FixedIn, counted(len(items), "item"), because(a.Reason))
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Watch adds an item on which the problem's incidents happen.
func (p *Problem) Watch(ci string) {
	w := p.Software
	if w == nil || ci == "" || len(w.Items) >= softwareItems {
		return
	}
	at, has := slices.BinarySearch(w.Items, ci)
	if has {
		return
	}
	p.Software = &Software{w.Product, w.Ecosystem, w.FixedIn, slices.Insert(slices.Clone(w.Items), at, ci), slices.Clone(w.Pending)}
	at, _ = slices.BinarySearch(p.Software.Pending, ci)
	p.Software.Pending = slices.Insert(p.Software.Pending, at, ci)
}

// Installed notes that a version of the product is on an item now. With the last
// item mended the problem resolves; where the defect is put back, it reopens.
func (p *Problem) Installed(ci, version string, compare CompareVersions, now time.Time) Change {
	var c Change
	w := p.Software
	if w == nil || p.State == ProblemClosed && compare(w.Ecosystem, version, w.FixedIn) >= 0 {
		return c
	}
	if _, watched := slices.BinarySearch(w.Items, ci); !watched {
		return c
	}
	at, pending := slices.BinarySearch(w.Pending, ci)
	fixed := compare(w.Ecosystem, version, w.FixedIn) >= 0
	switch {
	case fixed && pending:
		left := slices.Delete(slices.Clone(w.Pending), at, at+1)
		p.Software = &Software{w.Product, w.Ecosystem, w.FixedIn, w.Items, left}
		c.say(now, "software", System, "%s %s is on %s: the fix is on %d of %d items", w.Product, version, ci, len(w.Items)-len(left), len(w.Items))
		if len(left) == 0 && p.Live() {
			if p.Fix == "" {
				p.Fix = w.Product + " " + w.FixedIn
			}
			p.ResolvedAt = &now
			p.step(&c, ProblemResolved, "resolved", fmt.Sprintf("%s %s has arrived on %s", w.Product, w.FixedIn, counted(len(w.Items), "item")), System, now)
			c.measure(MProblemResolution, seconds(p.OpenedAt, now))
		}
	case !fixed && !pending:
		p.Software = &Software{w.Product, w.Ecosystem, w.FixedIn, w.Items, slices.Insert(slices.Clone(w.Pending), at, ci)}
		c.say(now, "software", System, "%s went back to %s %s, which has the defect", ci, w.Product, version)
		if !p.Live() {
			p.reopen(&c, System, ci+" has a version with the defect again", now)
		}
	}
	return c
}
