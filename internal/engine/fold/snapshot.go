package fold

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

const (
	countersPage = "counters"
	rulesPage    = "rules"
)

// Save writes the pages that changed since the last Save; nil bytes delete a page.
func (s *State) Save(put func(key string, value []byte) error) error {
	return s.save(put, false)
}

// SaveAll writes every page: a snapshot that stands alone. Equal states give equal bytes.
func (s *State) SaveAll(put func(key string, value []byte) error) error {
	return s.save(put, true)
}

func (s *State) save(put func(key string, value []byte) error, all bool) error {
	for _, p := range []struct {
		key string
		doc any
	}{{countersPage, s.count}, {rulesPage, s.rules}} {
		b, err := json.Marshal(p.doc)
		if err != nil {
			return fmt.Errorf("encode %s: %w", p.key, err)
		}
		if err := put(p.key, b); err != nil {
			return err
		}
	}
	mine := func(key string, value []byte) error { return put("desk/"+key, value) }
	theirs := func(key string, value []byte) error { return put("corr/"+key, value) }
	for _, t := range s.tables() {
		save := t.Save
		if all {
			save = t.SaveAll
		}
		if err := save(mine); err != nil {
			return err
		}
	}
	if all {
		return s.corr.SaveAll(theirs)
	}
	return s.corr.Save(theirs)
}

// tables in a fixed order, for snapshots
func (s *State) tables() []table {
	return []table{s.incidents, s.problems, s.services, s.over, s.owners, s.windows, s.storms}
}

type table interface {
	Name() string
	Save(func(string, []byte) error) error
	SaveAll(func(string, []byte) error) error
	Load([]byte) error
}

// Load reads one page that Save wrote, into a new state. Call Loaded after the last.
func (s *State) Load(key string, value []byte) error {
	area, rest, _ := strings.Cut(key, "/")
	switch area {
	case countersPage:
		return json.Unmarshal(value, &s.count)
	case rulesPage:
		var r Rules // not into s.rules: maps would keep what the state was made with
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		s.rules = r
		s.corr.Configure(s.rules.Correlation)
		var err error
		s.desk, err = itsm.NewDesk(s.rules.Desk)
		return err
	case "corr":
		return s.corr.Load(rest, value)
	case "desk":
		name, _, _ := strings.Cut(rest, "/")
		for _, t := range s.tables() {
			if t.Name() == name {
				return t.Load(value)
			}
		}
	}
	return fmt.Errorf("page %q is unknown to this version", key)
}

// Loaded rebuilds what is derived from the pages.
func (s *State) Loaded() {
	s.corr.Loaded()
	s.reload()
}

// Digest names the counters shortly: equal digests after equal positions say that
// two runs made and disposed of the same.
func (s *State) Digest() string {
	var b strings.Builder
	for _, k := range []string{"alert", "incident", "problem"} {
		fmt.Fprintf(&b, "%s=%d ", k, s.count.Seq[k])
	}
	fmt.Fprintf(&b, "received=%d", s.count.Received)
	for _, f := range correlator.Fates() {
		fmt.Fprintf(&b, " %s=%d", f, s.count.Fates[f])
	}
	return b.String()
}

// RulesJSON returns the rules in force.
func (s *State) RulesJSON() json.RawMessage { return mustJSON(s.rules) }

// Baseline returns facts that give an empty state today's rules, topology and owners.
func (s *State) Baseline() []event.Body {
	out := append([]event.Body{&event.Config{Rules: s.RulesJSON()}}, s.corr.Topology()...)
	for _, b := range out {
		ci, ok := b.(*event.CI)
		if !ok {
			continue
		}
		if o := s.owners.Get(ci.Key()); o != nil {
			if ci.Attributes == nil {
				ci.Attributes = map[string]any{}
			}
			for name, v := range map[string]string{"owner": o.Who, "team": o.Team} {
				if v != "" {
					ci.Attributes[name] = v
				}
			}
		}
	}
	return out
}
