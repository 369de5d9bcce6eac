package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/store"
)

// Alert is one received episode, unaltered, with its fate and why.
type Alert struct {
	ID            string                 `json:"id"`
	Source        string                 `json:"source"`
	Fingerprint   string                 `json:"fingerprint"`
	Name          string                 `json:"name" doc:"Its alertname"`
	StartsAt      time.Time              `json:"starts_at"`
	EndsAt        *time.Time             `json:"ends_at,omitempty"`
	Labels        map[string]string      `json:"labels"`
	Annotations   map[string]string      `json:"annotations"`
	GeneratorURL  string                 `json:"generator_url,omitempty"`
	Status        correlator.AlertStatus `json:"status"`
	Severity      correlator.Severity    `json:"severity"`
	Onset         time.Time              `json:"onset" doc:"When the symptom began: starts_at less the rule's for"`
	FirstReceived time.Time              `json:"first_received"`
	LastReceived  time.Time              `json:"last_received"`
	Receipts      int                    `json:"receipts" doc:"How often it was received, as of the last written change"`
	Canonical     string                 `json:"canonical" doc:"The alert that its replicas share"`
	Binding       *correlator.Binding    `json:"binding,omitempty" doc:"The configuration item that it is about, and how that is known"`
	Fate          correlator.Fate        `json:"fate" doc:"Its disposition at receipt"`
	Why           string                 `json:"why"`
	FinalFate     correlator.Fate        `json:"final_fate,omitempty" doc:"Where a held alert ended"`
	FinalWhy      string                 `json:"final_why,omitempty"`
	EndWhy        string                 `json:"end_why,omitempty" doc:"How it is known that it is over"`
	Incident      string                 `json:"incident,omitempty"`
	AttachedAt    *time.Time             `json:"attached_at,omitempty"`
	Evidence      []correlator.Evidence  `json:"evidence" nullable:"false" doc:"Why it is in its incident"`
	Clamped       bool                   `json:"clamped,omitempty" doc:"starts_at lay in the future or too far back"`
}

func alertOf(x correlator.Alert) Alert {
	a := Alert{
		ID: x.ID, Source: x.Source, Fingerprint: x.Fingerprint, Name: x.Labels.Get("alertname"), StartsAt: x.StartsAt, EndsAt: x.EndsAt,
		Labels: x.Labels.Map(), Annotations: x.Annotations.Map(), GeneratorURL: x.GeneratorURL, Status: x.Status, Severity: x.Severity,
		Onset: x.Onset, FirstReceived: x.FirstReceived, LastReceived: x.LastReceived, Receipts: x.Receipts, Canonical: x.Canonical,
		Binding: x.Binding, Fate: x.Fate, Why: x.Why, FinalFate: x.FinalFate, FinalWhy: x.FinalWhy, EndWhy: x.EndWhy, Incident: x.Incident,
		AttachedAt: x.AttachedAt, Evidence: x.Evidence, Clamped: x.Clamped,
	}
	if a.Evidence == nil {
		a.Evidence = []correlator.Evidence{}
	}
	return a
}

var alertLanguage = filter.Language[correlator.Alert]{
	Fields: map[string]filter.Field[correlator.Alert]{
		"id":   {Text: func(a correlator.Alert) []string { return []string{a.ID} }},
		"name": {Doc: "alertname", Text: func(a correlator.Alert) []string { return []string{a.Labels.Get("alertname")} }},
		"status": {
			Doc: "firing, resolved, expired, stale, superseded; active is firing or stale", Text: alertStatus,
			Values: texts("active", correlator.AlertFiring, correlator.AlertResolved, correlator.AlertExpired, correlator.AlertStale, correlator.AlertSuperseded),
		},
		"fate": {Doc: "incident, duplicate, resolve, suppressed, held, invalid; also where a held one ended", Values: texts(correlator.Fates()...), Text: func(a correlator.Alert) []string {
			return []string{string(a.Fate), string(a.FinalFate)}
		}},
		"final_fate": {Values: texts(correlator.Fates()...), Text: func(a correlator.Alert) []string { return []string{string(a.FinalFate)} }},
		"held":       {Doc: "yes: waits now", Flag: func(a correlator.Alert) bool { return a.Fate == correlator.FateHeld && a.FinalFate == "" }},
		"why": {Doc: "the reason of its fate, in words: why:\"*disk swap*\"", Text: func(a correlator.Alert) []string {
			return []string{a.Why, a.FinalWhy}
		}},
		"severity":    {Values: severities, Text: func(a correlator.Alert) []string { return []string{string(a.Severity)} }},
		"incident":    {Text: func(a correlator.Alert) []string { return []string{a.Incident} }},
		"source":      {Text: func(a correlator.Alert) []string { return []string{a.Source} }},
		"fingerprint": {Text: func(a correlator.Alert) []string { return []string{a.Fingerprint} }},
		"ci": {Doc: "id or name", Text: func(a correlator.Alert) []string {
			if a.Binding == nil {
				return nil
			}
			return []string{a.Binding.CI, a.Binding.Name}
		}},
		"bound":     {Flag: func(a correlator.Alert) bool { return a.Binding != nil }},
		"canonical": {Text: func(a correlator.Alert) []string { return []string{a.Canonical} }},
		"started":   {Doc: "time", Time: func(a correlator.Alert) time.Time { return a.StartsAt }},
		"received":  {Doc: "time of the last receipt", Time: func(a correlator.Alert) time.Time { return a.LastReceived }},
		"receipts":  {Number: func(a correlator.Alert) float64 { return float64(a.Receipts) }},
	},
	Dynamic: map[string]func(correlator.Alert, string) []string{
		"label.": alertLabel, "labels.": alertLabel,
		"annotation.": alertAnnotation, "annotations.": alertAnnotation,
	},
	Free: func(a correlator.Alert) []string {
		out := []string{a.ID, a.Fingerprint}
		for _, l := range a.Labels {
			out = append(out, l.Value)
		}
		for _, l := range a.Annotations {
			out = append(out, l.Value)
		}
		return out
	},
}.With(filter.Record[correlator.Alert]())

// severities are what severity labels are mapped to, the gravest first.
var severities = []string{"critical", "error", "warning", "info"}

func alertLabel(a correlator.Alert, n string) []string      { return []string{a.Labels.Get(n)} }
func alertAnnotation(a correlator.Alert, n string) []string { return []string{a.Annotations.Get(n)} }

// texts are the words of a closed set.
func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

func alertStatus(a correlator.Alert) []string {
	if a.Status == correlator.AlertFiring || a.Status == correlator.AlertStale {
		return []string{string(a.Status), "active"}
	}
	return []string{string(a.Status)}
}

func (a *API) alertOrder() order[correlator.Alert] {
	return order[correlator.Alert]{
		natural: []string{"-id"},
		keys: map[string]func(correlator.Alert) []byte{
			"severity": func(x correlator.Alert) []byte { return store.Key(severityRank(string(x.Severity))) },
			"status":   func(x correlator.Alert) []byte { return store.Key(string(x.Status)) },
			"fate":     func(x correlator.Alert) []byte { return store.Key(string(x.Fate)) },
			"id":       func(x correlator.Alert) []byte { return store.Key(x.ID) },
		},
		id:    func(x correlator.Alert) string { return x.ID },
		lang:  alertLanguage,
		fetch: a.fetchAlerts,
	}
}

// alertsOf is the order of an incident's alerts.
func (a *API) alertsOf(incident string) order[correlator.Alert] {
	o := a.alertOrder()
	o.natural = []string{"id"}
	o.fetch = func(ctx context.Context, q filter.Query[correlator.Alert], _ string, at engine.Range) (engine.Page[correlator.Alert], error) {
		return a.o.Engine.Records().Alerts(ctx, engine.AlertFilter{Incident: incident, Keep: q.Keep}, at)
	}
	return o
}

func (a *API) fetchAlerts(ctx context.Context, q filter.Query[correlator.Alert], _ string, at engine.Range) (engine.Page[correlator.Alert], error) {
	f := engine.AlertFilter{Keep: q.Keep}
	incident, byIncident := q.Equal("incident")
	print, byPrint := q.Equal("fingerprint")
	status, byStatus := q.Equal("status")
	ci, byCI := a.itemOf(q.Equal("ci"))
	switch {
	case byIncident:
		f.Incident = strings.ToUpper(incident)
	case byCI:
		f.CI = ci
	case byPrint:
		f.Fingerprint = print
	case byStatus && (status == "active" || status == "firing" || status == "stale"):
		f.Active = true
	}
	return a.o.Engine.Records().Alerts(ctx, f, at)
}

// Quarantined is what could not be read as an alert, and why.
type Quarantined struct {
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	Reason string    `json:"reason"`
	Raw    string    `json:"raw" doc:"As received, at most 64 KiB"`
}

func quarantined(r fold.QuarantineRow) Quarantined {
	return Quarantined{r.At, r.Source, r.Reason, r.Raw}
}

func (a *API) alertRoutes() {
	o := a.alertOrder()
	handle(a, describedAs(op(http.MethodGet, "/api/v1/alerts", "list-alerts", "alerts", "List every received alert with its fate"), o.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[Alert]], error) {
			return page(ctx, a, o, *in, alertOf)
		})
	handle(a, describedAs(op(http.MethodGet, "/api/v1/hygiene", "get-hygiene", "alerts", "Which rules cost attention without being of use"),
		"From the records of the last days: rules that nobody acts on, whose alerts are always held, that flap, name no known item, or fire for ever; and rules whose alerts always come together. Each with its newest incidents."),
		func(ctx context.Context, in *struct {
			Days int `query:"days" minimum:"1" maximum:"730" default:"30"`
		}) (*reply[engine.HygieneReport], error) {
			now := a.o.Now()
			rep, err := a.o.Engine.Records().Hygiene(ctx, now.AddDate(0, 0, -in.Days), now)
			return &reply[engine.HygieneReport]{rep}, err
		})
	handle(a, op(http.MethodGet, "/api/v1/alerts/{id}", "get-alert", "alerts", "One alert, with its fate, why, and evidence"),
		func(ctx context.Context, in *ByID) (*reply[Alert], error) {
			x, err := a.o.Engine.Records().Alert(ctx, in.ID)
			return &reply[Alert]{alertOf(x)}, err
		})
	bad := order[fold.QuarantineRow]{
		natural: []string{"-at"},
		id:      func(r fold.QuarantineRow) string { return fmt.Sprintf("%020d-%06d", r.Position, r.Seq) },
		lang:    filter.From(filter.Record[Quarantined](), quarantined),
		fetch: func(ctx context.Context, q filter.Query[fold.QuarantineRow], _ string, at engine.Range) (engine.Page[fold.QuarantineRow], error) {
			return kept(q, at, func(at engine.Range) ([]fold.QuarantineRow, string, error) {
				p, err := a.o.Engine.Records().Quarantined(ctx, at)
				return p.Items, p.Next, err
			})
		},
	}
	handle(a, describedAs(op(http.MethodGet, "/api/v1/quarantine", "list-quarantine", "alerts", "What was received and could not be read, newest first"), bad.doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[Quarantined]], error) {
			return page(ctx, a, bad, *in, quarantined)
		})
}
