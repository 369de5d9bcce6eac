package fold

import (
	"maps"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/itsm"
)

// The steps of an incident that people are told of, as Message.Topic.
const (
	TellOpened       = "incident.opened"
	TellEscalated    = "incident.escalated"
	TellAcknowledged = "incident.acknowledged"
	TellPriority     = "incident.priority"
	TellMajor        = "incident.major"
	TellAssigned     = "incident.assigned"
	TellJoined       = "incident.joined" // a grave alert joined what somebody works on
	TellSLA          = "incident.sla"
	TellResolved     = "incident.resolved"
	TellReopened     = "incident.reopened"
	TellCanceled     = "incident.canceled"
	TellStorm        = "storm.begun"
	TellSummary      = "storm.summary"
)

// Notice is the body of a Message.
type Notice struct {
	Incident *itsm.Incident `json:"incident,omitempty"`
	Level    int            `json:"level,omitempty"` // of escalation; 0 is the first page
	Text     string         `json:"text"`            // a sentence of what happened
	// Incidents and Count are what a summary is about; at most maxSummary are named.
	Incidents []string `json:"incidents,omitempty"`
	Count     int      `json:"count,omitempty"`
	// Titles of Incidents, in their order, each with its priority in front; absent in
	// messages of versions that did not keep them.
	Titles []string `json:"titles,omitempty"`
}

const maxSummary = 20

// The label of a message that tells its step.
const stepLabel = "step"

// Labels are what routes match a message of a topic by. The fold and the delivery
// must see the same ones: else what is counted for one receiver goes to another.
func (n Notice) Labels(topic string) map[string]string {
	out := map[string]string{stepLabel: step(topic), "escalation": strconv.Itoa(n.Level)}
	i := n.Incident
	if i == nil {
		out["alertname"], out["priority"], out["severity"] = "PageStorm", "1", "critical"
		return out
	}
	out["alertname"], out["incident"], out["priority"], out["severity"], out["state"] = "Incident", i.ID, strconv.Itoa(i.Priority), i.Severity, string(i.State)
	out["team"], out["assignee"], out["problem"] = i.Team, i.Assignee, i.Problem
	if len(i.Services) > 0 {
		out["service"] = i.Services[0]
	}
	if i.Major {
		out["major"] = "true"
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" }) // equal to matchers, and they are saved
	return out
}

// step is a topic without what it is about: "incident.opened" is "opened".
func step(topic string) string {
	_, s, _ := strings.Cut(topic, ".")
	return s
}

func (s *State) tell(topic, record string, n Notice, to []string) {
	if len(to) == 1 && to[0] == itsm.AllReceivers {
		to = nil
	}
	s.seq++
	s.emit(Message{Position: s.pos, Seq: s.seq, At: s.now, Topic: topic, Record: record, To: to, Body: mustJSON(n)})
}
