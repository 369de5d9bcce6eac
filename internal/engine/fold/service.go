package fold

import (
	"fmt"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// owner is who a configuration item belongs to.
type owner struct {
	Class string `json:"class"`
	Name  string `json:"name"`
	Who   string `json:"who,omitempty"`
	Team  string `json:"team,omitempty"`
}

// own keeps the owners of items, for assignment.
func (s *State) own(c *event.CI) {
	text := func(names ...string) string {
		for _, n := range names {
			if v, ok := c.Attributes[n].(string); ok && v != "" {
				return v
			}
			if v := c.Labels[n]; v != "" {
				return v
			}
		}
		return ""
	}
	o := owner{Class: c.Class, Name: c.Name, Who: text("owner"), Team: text("team", "owner_team", "support_group")}
	if c.Removed || o.Who == "" && o.Team == "" {
		s.owners.Delete(c.Key())
		return
	}
	s.owners.Put(c.Key(), &o)
}

// ownerOf finds who an incident is for: the owner of the best cause, of the
// service, or of what is affected.
func (s *State) ownerOf(i *itsm.Incident) (who, team, why string) {
	var cis []string
	for _, c := range i.Causes {
		cis = append(cis, c.CI)
	}
	if len(cis) > 1 {
		cis = cis[:1]
	}
	of := func(cis []string) bool {
		for _, ci := range cis {
			if o := s.owners.Get(ci); o != nil && (o.Who != "" || o.Team != "") {
				who, team, why = o.Who, o.Team, fmt.Sprintf("owner of %s", o.Name)
				return true
			}
		}
		return false
	}
	if of(cis) {
		return
	}
	for _, name := range i.Services {
		if v := s.desk.Service(name); v != nil && (v.Owner != "" || v.Team != "") {
			return v.Owner, v.Team, "owner of the service " + name
		}
	}
	of(i.CIs)
	return
}
