package fold

import (
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// TeachArgs are a lesson that a person gives.
type TeachArgs struct {
	Kind     string   `json:"kind"` // not_related, related or always_page
	Alert    string   `json:"alert,omitempty"`
	Match    []string `json:"match,omitempty"`
	Incident string   `json:"incident,omitempty"`
	With     []string `json:"with,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// WithdrawArgs go with the withdrawal of a teaching.
type WithdrawArgs struct {
	Reason string `json:"reason,omitempty"`
}

// teacher is who teaches by an act; nobody where the act shall not teach.
func teacher(teach *bool, actor string) string {
	if teach != nil && !*teach {
		return ""
	}
	return actor
}

func (s *State) runTeaching(c *event.Command) (string, any, error) {
	switch c.Verb {
	case "create":
		var a TeachArgs
		if err := strict(c.Args, &a); err != nil {
			return "", nil, err
		}
		t, ds, err := s.corr.Teach(correlator.Lesson{Kind: a.Kind, Alert: a.Alert, Match: a.Match, Incident: a.Incident, With: a.With, Reason: a.Reason, By: c.Actor}, s.now)
		if err != nil {
			return "", nil, err
		}
		for _, d := range ds {
			s.decide(d)
		}
		return t.ID, t, nil
	case "withdraw":
		var a WithdrawArgs
		if err := strict(c.Args, &a); err != nil {
			return c.ID, nil, err
		}
		t, ds, err := s.corr.Withdraw(c.ID, c.Actor, s.now)
		if err != nil {
			return c.ID, nil, err
		}
		for _, d := range ds {
			s.decide(d)
		}
		return c.ID, t, nil
	}
	return c.ID, nil, fault.Invalidf("verb", "want create or withdraw, got %q", c.Verb)
}
