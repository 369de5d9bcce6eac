package app

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/itsm"
)

// Rules turns a configuration into what the fold decides by: the built-in rules,
// with what the file says over them. The routes of the receivers file, another file,
// are put in by Load.
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
		{c.Correlation.HoldDown, &x.HoldDown}, {c.Correlation.ReopenWindow, &x.ReopenWindow}, {c.Correlation.SameRecordWithin, &x.SameRecordWithin},
		{c.Correlation.Expiry, &x.Expiry}, {c.Correlation.LateFiring, &x.LateFiring}, {c.Correlation.WatchdogTimeout, &x.WatchdogTimeout},
		{c.Correlation.ProblemWindow, &x.ProblemWindow},
	} {
		if d.from != nil {
			*d.to = correlator.Duration(*d.from)
		}
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
	r.AutoClose = correlator.Duration(c.Incidents.AutoClose)
	r.Archive = correlator.Duration(c.Incidents.Archive)
	wrong := desk(c, &r.Desk)
	if err := r.Correlation.Validate(); err != nil {
		wrong = append(wrong, under("correlation", err)...)
	}
	return r, wrong.Err()
}

// desk reads the desk's section over its defaults; errors carry their path in the file.
func desk(c config.Config, r *itsm.Rules) (wrong fault.List) {
	raw, err := c.Desk.JSON()
	if err != nil {
		return fault.List{fault.Invalidf("desk", "%v", err)}
	}
	if raw != nil {
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			return fault.List{fault.Invalidf("desk", "%v", err)}
		}
		wrong = strangers("desk", doc, reflect.TypeFor[itsm.Rules]())
		if err := json.Unmarshal(raw, r); err != nil {
			f := fault.JSON("", err)
			f.Field = strings.TrimSuffix("desk."+f.Field, ".")
			return append(wrong, f)
		}
	}
	if r.Notify.Routes != nil {
		r.Notify.Routes = nil
		wrong = append(wrong, fault.Invalidf("desk.notify.routes", "stand in the file that notifications.receivers_file names"))
	}
	r.Notify.Enabled = c.Notifications.ReceiversFile != ""
	if err := r.Validate(); err != nil {
		wrong = append(wrong, under("desk", err)...)
	}
	return wrong
}

// strangers finds every member of a decoded JSON document that a type does not
// have. The decoder would tell the first alone, without its path.
func strangers(path string, doc any, t reflect.Type) (l fault.List) {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	switch d := doc.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(d)) {
			at := path + "." + name
			switch t.Kind() {
			case reflect.Pointer:
				return strangers(path, doc, t.Elem())
			case reflect.Map:
				l = append(l, strangers(at, d[name], t.Elem())...)
			case reflect.Struct:
				if f, ok := memberNamed(t, name); ok {
					l = append(l, strangers(at, d[name], f)...)
				} else {
					l = append(l, fault.Invalidf(at, "unknown field"))
				}
			}
		}
	case []any:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			for i, x := range d {
				l = append(l, strangers(fmt.Sprintf("%s[%d]", path, i), x, t.Elem())...)
			}
		}
	}
	return l
}

func memberNamed(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			if m, ok := memberNamed(f.Type, name); ok {
				return m, true
			}
		}
		if strings.EqualFold(tag, name) && tag != "-" && tag != "" {
			return f.Type, true
		}
	}
	return nil, false
}

// Loaded is a configuration file with what the parts decide by.
type Loaded struct {
	Config config.Config
	Rules  fold.Rules
	Items  inventory.Rules
	// Receivers say how people are told; nil: nobody is. Their routes are in the rules.
	Receivers *notify.Receivers
}

// Load reads a configuration file, "" gives the defaults, and checks all of it: the
// error names every mistake that there is, whoever found it.
func Load(file string) (Loaded, error) {
	var x Loaded
	var wrong fault.List
	told := map[string]bool{}
	add := func(err error) error {
		var l fault.List
		if err != nil && !errors.As(err, &l) {
			return err
		}
		for _, f := range l {
			if f.Field == "" || !told[f.Field] { // who decides by a value checks it again
				wrong = append(wrong, f)
			}
			told[f.Field] = true
		}
		return nil
	}
	var err error
	x.Config, err = config.Load(file)
	if err := add(err); err != nil {
		return x, err
	}
	x.Rules, err = Rules(x.Config)
	if err := add(err); err != nil {
		return x, err
	}
	x.Items, err = CMDBRules(x.Config, filepath.Dir(file))
	if err := add(err); err != nil {
		return x, err
	}
	x.Receivers, err = loadReceivers(x.Config.Notifications, filepath.Dir(file))
	if err := add(err); err != nil {
		return x, err
	}
	if x.Receivers != nil {
		x.Rules.Desk.Notify.Routes = routeTable(x.Receivers.Root())
	}
	if len(wrong) > 0 {
		return x, fmt.Errorf("%s:\n%w", file, wrong)
	}
	return x, nil
}
