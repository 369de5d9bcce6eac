package fold

import (
	"fmt"
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// service is a configured service that is down: because of which incidents,
// since when, and when the last of those that are over ended.
type service struct {
	Down  []string  `json:"down"`
	Since time.Time `json:"since"`
	Ended time.Time `json:"ended,omitzero"`
}

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

// outages follows which configured services an incident keeps down. An outage
// lasts until its incidents have left the live states, so that a service that
// flaps within a hold-down fails once.
func (s *State) outages(i *itsm.Incident, c *itsm.Change) {
	for n := range s.desk.Rules.Services {
		v := &s.desk.Rules.Services[n]
		row := s.services.Get(v.Name)
		was := row != nil && slices.Contains(row.Down, i.ID)
		is := i.Live() && (was || slices.Contains(i.Services, v.Name) && v.Outage(i.Priority))
		if is && was && i.Reopened == 0 && i.Onset.Before(row.Since) { // it began earlier than was known
			row.Since = i.Onset
			s.services.Touch(v.Name)
			c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MMoved, Of: v.Name, From: i.Onset})
		}
		if is == was {
			continue
		}
		if is {
			from := i.Onset
			if i.Reopened > 0 {
				from = s.now
			}
			s.goDown(v.Name, row, i.ID, from, c)
			continue
		}
		end := s.now
		if i.RestoredAt != nil {
			end = *i.RestoredAt
		}
		s.comeUp(v, row, i.ID, end, c)
	}
}

func (s *State) goDown(name string, row *service, id string, from time.Time, c *itsm.Change) {
	if row == nil {
		s.services.Put(name, &service{Down: []string{id}, Since: from})
		c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MServiceFailures, Value: 1, Of: name, From: from})
		return
	}
	row.Down = append(row.Down, id)
	if from.Before(row.Since) {
		row.Since = from
		c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MMoved, Of: name, From: from})
	}
	s.services.Touch(name)
}

func (s *State) comeUp(v *itsm.Service, row *service, id string, end time.Time, c *itsm.Change) {
	row.Down = slices.DeleteFunc(row.Down, func(x string) bool { return x == id })
	if end.After(row.Ended) {
		row.Ended = end
	}
	s.services.Touch(v.Name)
	if len(row.Down) > 0 {
		return
	}
	down := s.desk.Calendars[v.Hours].Between(row.Since, row.Ended)
	c.Measures = append(c.Measures, itsm.Measure{Name: itsm.MServiceDowntime, Value: down.Seconds(), Of: v.Name, From: row.Since, Until: row.Ended})
	s.services.Delete(v.Name)
}
