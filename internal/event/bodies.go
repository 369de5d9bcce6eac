package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// Ref names a configuration item. Inventory facts carry ID; recordings made
// elsewhere have only class and name, and their id is derived from both.
type Ref struct {
	ID    string `json:"id,omitempty"`
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
}

// Key is the id under which the engine's graph knows the item.
func (r Ref) Key() string {
	if r.ID != "" {
		return r.ID
	}
	return r.Class + ":" + r.Name
}

// ItemAttributes are the attributes of an item that the engine reads: what identifies
// it, what it is, how much it matters and whose it is. The inventory tells these and no
// others, so that a decision never rests on something that only some sources tell.
var ItemAttributes = []string{
	"addresses", "aliases", "cloud_instance", "cluster", "criticality", "engine", "first_seen", "fqdn", "hostname", "kind", "namespace", "node",
	"owner", "owner_team", "pod_ip", "ports", "product", "support_group", "team", "url", "vm_id",
}

// CI upserts a configuration item in the engine's graph.
type CI struct {
	Ref
	// Attributes are those of ItemAttributes: strings, numbers or lists of them. A
	// recording may hold others, which nobody reads.
	Attributes map[string]any    `json:"attributes,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Removed    bool              `json:"removed,omitempty"`
}

// Relation upserts or removes an edge, read "From Type To": From needs To.
type Relation struct {
	From    Ref    `json:"from"`
	Type    string `json:"type"`
	To      Ref    `json:"to"`
	Removed bool   `json:"removed,omitempty"`
	// Weight is how much the edge still counts for, 0 to 1: less than 1 once no
	// report shows it any more. 0 is 1.
	Weight float64 `json:"weight,omitempty"`
}

// Change says that something changed on a configuration item.
type Change struct {
	// At is when it happened, where that is known; otherwise when it was told.
	At      time.Time `json:"at,omitzero"`
	CI      Ref       `json:"ci"`
	Type    string    `json:"type"` // package_upgraded, config_changed, deployed, rebooted, ...
	Summary string    `json:"summary"`
	Version string    `json:"version,omitempty"`
	// Product is the package that changed, where the change is one of a package.
	Product string `json:"product,omitempty"`
}

// Maintenance announces a planned window.
type Maintenance struct {
	ID       string    `json:"id,omitempty"`
	CIs      []Ref     `json:"cis"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	Summary  string    `json:"summary,omitempty"`
	Canceled bool      `json:"canceled,omitempty"`
}

// Silence says what people silenced in a source's Alertmanager. What is silenced
// is not sent: the labels of the muted alerts tell which items are meant.
type Silence struct {
	ID        string    `json:"id"`
	Matchers  []string  `json:"matchers"` // in Alertmanager's syntax
	CreatedBy string    `json:"created_by"`
	Comment   string    `json:"comment"`
	StartsAt  time.Time `json:"starts_at"`
	EndsAt    time.Time `json:"ends_at"`
	// Muted are labels of alerts that it mutes now, at most some hundred.
	Muted []Labels `json:"muted,omitempty"`
	// Ended is set when it is over before its time.
	Ended bool `json:"ended,omitempty"`
}

// Liveness says that a host or a whole site was lost, or is back: what the mesh of
// agents knows, not what a rule found. CI is the host; zero where it is about Site.
type Liveness struct {
	CI   Ref    `json:"ci,omitzero"`
	Site string `json:"site,omitempty"`
	// Lost is false for one that is back.
	Lost bool `json:"lost"`
	// Since is when that state began, as far as is known.
	Since time.Time `json:"since"`
	// Hosts counts the hosts of a lost site.
	Hosts int `json:"hosts,omitempty"`
	// Evidence are sentences for people.
	Evidence []string `json:"evidence,omitempty"`
}

// Command is a verb of a person or a client, decided at its journal position.
type Command struct {
	Verb   string          `json:"verb"`             // "acknowledge", "resolve", "create", ...
	Record string          `json:"record"`           // "incident", "problem", ...
	ID     string          `json:"id,omitempty"`     // target record
	Actor  string          `json:"actor"`            // who, as the credential says
	Remote string          `json:"remote,omitempty"` // address the call came from
	Args   json.RawMessage `json:"args,omitempty"`
	// Before and After are what an act that was done elsewhere found and left, in the
	// transaction that journals it; nil where the engine does the act itself.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Audit completes the command of an act that was done elsewhere: with its arguments,
// and what it found and left. A nil one is none.
func (c *Command) Audit(args, before, after any) error {
	for _, x := range []struct {
		from any
		to   *json.RawMessage
	}{{args, &c.Args}, {before, &c.Before}, {after, &c.After}} {
		if x.from == nil {
			continue
		}
		raw, err := json.Marshal(x.from)
		if err != nil {
			return fmt.Errorf("encode the audit of %s %s: %w", c.Verb, c.Record, err)
		}
		*x.to = raw
	}
	return nil
}

// Config puts the rules into force that decisions after it follow.
type Config struct {
	Rules json.RawMessage `json:"rules"`
}

// Tick carries time alone.
type Tick struct{}

// Start marks that the server began to listen.
type Start struct {
	Version string `json:"version,omitempty"`
}

func (*Notification) kind() Kind { return KindAlertmanager }
func (*CI) kind() Kind           { return KindCI }
func (*Relation) kind() Kind     { return KindRelation }
func (*Change) kind() Kind       { return KindChange }
func (*Maintenance) kind() Kind  { return KindMaintenance }
func (*Liveness) kind() Kind     { return KindLiveness }
func (*Silence) kind() Kind      { return KindSilence }
func (*Command) kind() Kind      { return KindCommand }
func (*Config) kind() Kind       { return KindConfig }
func (*Tick) kind() Kind         { return KindTick }
func (*Start) kind() Kind        { return KindStart }
