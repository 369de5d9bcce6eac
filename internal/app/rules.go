package app

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// Rules turns a configuration into what the fold decides by: the built-in rules,
// with what the file says over them.
func Rules(c config.Config) (fold.Rules, error) {
	r := fold.DefaultRules()
	x := &r.Correlation
	if c.Correlation.SeverityLabel != "" {
		x.SeverityLabel = c.Correlation.SeverityLabel
	}
	for v, s := range c.Correlation.Severities {
		x.Severities[v] = correlator.Severity(s)
	}
	if s := c.Correlation.DefaultSeverity; s != "" {
		x.DefaultSeverity = correlator.Severity(s)
	}
	if c.Correlation.ReplicaLabels != nil {
		x.ReplicaLabels = c.Correlation.ReplicaLabels
	}
	if c.Correlation.RuleFor != nil {
		x.For = map[string]correlator.Duration{}
		for name, d := range c.Correlation.RuleFor {
			x.For[name] = correlator.Duration(d)
		}
	}
	for s, d := range c.Correlation.Hold {
		x.Hold[correlator.Severity(s)] = correlator.Duration(d)
	}
	if c.Correlation.Watchdogs != nil {
		x.Watchdogs = c.Correlation.Watchdogs
	}
	for _, d := range []struct {
		from *config.Duration
		to   *correlator.Duration
	}{
		{c.Correlation.Window, &x.Window}, {c.Correlation.HoldDown, &x.HoldDown}, {c.Correlation.ReopenWindow, &x.ReopenWindow},
		{c.Correlation.Expiry, &x.Expiry}, {c.Correlation.LateFiring, &x.LateFiring}, {c.Correlation.WatchdogTimeout, &x.WatchdogTimeout},
		{c.Correlation.ProblemWindow, &x.ProblemWindow},
	} {
		if d.from != nil {
			*d.to = correlator.Duration(*d.from)
		}
	}
	if c.Correlation.Hops != nil {
		x.Hops = *c.Correlation.Hops
	}
	if c.Correlation.ProblemAfter != nil {
		x.ProblemAfter = *c.Correlation.ProblemAfter
	}
	for _, y := range c.Correlation.Rules {
		z := correlator.Rule{Name: y.Name, Match: y.Match, With: y.With, NeverGroup: y.NeverGroup, Priority: y.Priority, Page: y.Page}
		if y.AlwaysGroup != nil {
			z.AlwaysGroup = append([]string{}, *y.AlwaysGroup...)
		}
		if y.Hold != nil {
			hold := correlator.Duration(y.Hold.For)
			if y.Hold.Forever {
				hold = correlator.Forever
			}
			z.Hold = &hold
		}
		x.Rules = append(x.Rules, z)
	}
	if err := x.Validate(); err != nil {
		return r, under("correlation", err)
	}
	r.AutoClose = correlator.Duration(c.Incidents.AutoClose)
	r.Archive = correlator.Duration(c.Incidents.Archive)
	if err := desk(c, &r.Desk); err != nil {
		return r, err
	}
	return r, r.Validate()
}

// desk reads the desk's section over its defaults; errors carry their path in the file.
func desk(c config.Config, r *itsm.Rules) error {
	raw, err := c.Desk.JSON()
	if err != nil {
		return fault.Invalidf("desk", "%v", err)
	}
	if raw != nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(r); err != nil {
			return fault.Invalidf("desk", "%s", strings.TrimPrefix(err.Error(), "json: "))
		}
	}
	r.Notify.Enabled = c.Notifications.ReceiversFile != ""
	if err := r.Validate(); err != nil {
		return under("desk", err)
	}
	return nil
}
