package fold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// References: people and rules name items by id, as class:name or by a name, and the
// graph that the fold has at that position says which item is meant. What commands
// name and is not there is refused; what the rules name resolves when it appears.

// serviceClasses are the classes whose items people speak of as services.
var serviceClasses = []string{"business_service", "application", "service"}

// item resolves what a field of a command names.
func (s *State) item(field, ref string) (string, error) {
	id, others := s.corr.Resolve(ref)
	if id != "" {
		return id, nil
	}
	if len(others) > 0 {
		return "", fault.Invalidf(field, "%q names %d items (%s): give the id of one", ref, len(others), s.listed(others))
	}
	hint := "give an id, class:name or a name of the inventory"
	if near := s.corr.Near(ref); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return "", fault.Invalidf(field, "no item is called %q; %s", ref, hint)
}

// items resolves all that a field names; the error tells each that leads to nothing.
func (s *State) items(field string, refs []string) ([]string, error) {
	out := make([]string, 0, len(refs))
	var wrong fault.List
	for n, ref := range refs {
		id, err := s.item(fmt.Sprintf("%s[%d]", field, n), ref)
		if err != nil {
			wrong = append(wrong, fault.Public(err))
			continue
		}
		out = append(out, id)
	}
	return out, wrong.Err()
}

// itemOr is the item that a reference names, or the reference itself.
func (s *State) itemOr(ref string) string {
	if id, _ := s.corr.Resolve(ref); id != "" {
		return id
	}
	return ref
}

// listedMost is how many items a message names.
const listedMost = 5

func (s *State) listed(ids []string) string {
	var names []string
	for _, id := range ids[:min(len(ids), listedMost)] {
		names = append(names, fmt.Sprintf("%s %s", s.corr.NameOf(id), id))
	}
	if len(ids) > listedMost {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// itemsOfService are what maintenance of a service covers: its own item, and those
// that the rules say it stands on.
func (s *State) itemsOfService(name string) []string {
	var out []string
	for _, class := range serviceClasses {
		id, others := s.corr.Resolve(class + ":" + name)
		if id != "" {
			out = append(out, id)
		}
		out = append(out, others...)
	}
	if v := s.desk.Service(name); v != nil {
		for _, ref := range v.CIs {
			if id, _ := s.corr.Resolve(ref); id != "" {
				out = append(out, id)
			}
		}
	}
	return out
}

// isService says whether a service is configured, or an item of a class of services.
func (s *State) isService(name string) bool {
	if s.desk.Service(name) != nil {
		return true
	}
	for _, class := range serviceClasses {
		if id, others := s.corr.Resolve(class + ":" + name); id != "" || len(others) > 0 {
			return true
		}
	}
	return s.corr.Serves(name)
}

func (s *State) knownService(field, name string) error {
	if s.isService(name) {
		return nil
	}
	hint := "/api/v1/services lists them"
	for _, v := range s.desk.Rules.Services {
		if strings.EqualFold(v.Name, name) {
			hint = "did you mean " + v.Name + "?"
		}
	}
	return fault.Invalidf(field, "there is no service %q; %s", name, hint)
}

// arrived lets what named an item before it was known take hold of it: open incidents
// that are about it, and windows that cover services which stand on it.
func (s *State) arrived(c *event.CI) {
	if c.Removed {
		return
	}
	ci := c.Key()
	services := s.desk.ServicesOn([]string{ci}, s.corr)
	if len(services) > 0 {
		for _, id := range s.incidents.Keys() {
			i := &s.incidents.Get(id).Doc
			if i.Live() && slices.Contains(i.CIs, ci) && !containsAll(i.Services, services) {
				s.commit(id, s.reserve(i, nil))
			}
		}
	}
	named := func(m *itsm.Maintenance) bool {
		return slices.ContainsFunc(services, func(v string) bool { return slices.Contains(m.Services, v) }) ||
			slices.Contains(m.Services, c.Name) || slices.ContainsFunc(m.CIs, func(ref string) bool { return ref != ci && s.itemOr(ref) == ci })
	}
	for _, id := range s.windows.Keys() {
		if m := &s.windows.Get(id).Doc; !m.Due().IsZero() && named(m) {
			s.coverAnew(id)
		}
	}
}

func containsAll(list, of []string) bool {
	return !slices.ContainsFunc(of, func(x string) bool { return !slices.Contains(list, x) })
}

// reserve works out anew which configured services an incident is on; before are those
// that it was on by the rules until now.
func (s *State) reserve(i *itsm.Incident, before []string) itsm.Change {
	now := s.desk.ServicesOn(i.CIs, s.corr)
	kept := slices.DeleteFunc(slices.Clone(i.Services), func(v string) bool {
		return slices.Contains(before, v) && !slices.Contains(now, v) && s.desk.Service(v) == nil
	})
	c := i.Affect(merged(kept, now), s.now)
	who, team, why := s.ownerOf(i)
	c.Add(i.Own(who, team, why, s.now))
	return c
}

// recover covers anew what planned and active windows name, after the rules changed.
func (s *State) recover() {
	for _, id := range s.windows.Keys() {
		if m := &s.windows.Get(id).Doc; !m.Due().IsZero() && len(m.Services) > 0 {
			s.coverAnew(id)
		}
	}
}

func (s *State) coverAnew(id string) {
	s.cover(&s.windows.Get(id).Doc)
	s.predict(id)
	s.windows.Touch(id)
	s.emit(PutMaintenance{s.windows.Get(id).Doc})
}

// Unresolved lists what the rules name and is not there at this position.
func (s *State) Unresolved() []itsm.Unresolved {
	out := s.desk.Unresolved(s.corr, s.isService)
	for n := range out {
		if len(out[n].Others) == 0 {
			out[n].Near = s.corr.Near(out[n].Ref)
		}
	}
	return out
}

// Resolve says which item a reference names; where none does, near is what may have been
// meant.
func (s *State) Resolve(ref string) (id string, others, near []string) {
	if id, others = s.corr.Resolve(ref); id == "" && len(others) == 0 {
		near = s.corr.Near(ref)
	}
	return id, others, near
}
