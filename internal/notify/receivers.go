package notify

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/watchbill/watchbill/internal/fault"
)

//go:embed defaults.tmpl
var defaults string

// Receivers are the routes, receivers, templates and time intervals of a file in
// Alertmanager's configuration syntax. What has a meaning only for grouping alerts
// (group_by, group_wait, repeat_interval, inhibit_rules) is not used: messages are
// one per incident and step. Immutable; safe for concurrent use.
type Receivers struct {
	config *config.Config
	root   *dispatch.Route
	tmpl   *template.Template
	mutes  *timeinterval.Intervener
	log    *slog.Logger
}

// LoadReceivers reads the file and everything it names. external is the address
// under which people reach the server, for links in messages.
func LoadReceivers(file string, external *url.URL, log *slog.Logger) (*Receivers, error) {
	c, err := config.LoadFile(file)
	if err != nil {
		return nil, fault.Invalidf(file, "%v", err)
	}
	return NewReceivers(c, external, log)
}

// At returns the same receivers for a server that is reached under an address.
func (r *Receivers) At(external *url.URL, log *slog.Logger) (*Receivers, error) {
	return NewReceivers(r.config, external, log)
}

// Root is the tree of routes. It must not be changed.
func (r *Receivers) Root() *dispatch.Route { return r.root }

// ParseReceivers is LoadReceivers for text at hand.
func ParseReceivers(text string, external *url.URL, log *slog.Logger) (*Receivers, error) {
	c, err := config.Load(text)
	if err != nil {
		return nil, fault.Invalidf("receivers", "%v", err)
	}
	return NewReceivers(c, external, log)
}

// NewReceivers makes receivers of a read configuration. Every integration is built
// once, so that what cannot work fails here and not at the first page.
func NewReceivers(c *config.Config, external *url.URL, log *slog.Logger) (*Receivers, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t, err := template.FromGlobs(nil)
	if err != nil {
		return nil, fmt.Errorf("read Alertmanager's templates: %w", err)
	}
	if err := t.Parse(strings.NewReader(defaults)); err != nil {
		return nil, fmt.Errorf("read the default templates: %w", err)
	}
	for _, files := range c.Templates { // last, so that people's own definitions win
		if err := t.FromGlob(files); err != nil {
			return nil, fault.Invalidf("templates", "%v", err)
		}
	}
	t.ExternalURL = external
	if t.ExternalURL == nil {
		t.ExternalURL = &url.URL{}
	}
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, i := range c.MuteTimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	for _, i := range c.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	r := &Receivers{config: c, root: dispatch.NewRoute(c.Route, nil), tmpl: t, mutes: timeinterval.NewIntervener(intervals), log: log}
	for _, rc := range c.Receivers {
		if _, err := receiver.BuildReceiverIntegrations(rc, t, log); err != nil {
			return nil, fault.Invalidf("receivers."+rc.Name, "%v", err)
		}
	}
	return r, nil
}

// stop is one place that a message goes to.
type stop struct {
	lane     Lane
	receiver string
	index    int                   // of the integration among the receiver's
	routes   []*dispatch.RouteOpts // by which it goes there
}

// stops finds where a message goes, each lane once.
func (r *Receivers) stops(m Message) []stop {
	matched := r.root.Match(labelSet(m.Labels))
	var out []stop
	seen := map[string]bool{}
	add := func(name string) {
		rc := r.receiver(name)
		if rc == nil || seen[name] {
			return
		}
		seen[name] = true
		ints, err := receiver.BuildReceiverIntegrations(*rc, r.tmpl, r.log)
		if err != nil {
			return // built before
		}
		routes := r.routesTo(name, matched)
		for n := range ints {
			out = append(out, stop{Lane(name + "/" + ints[n].String()), name, n, routes})
		}
	}
	lost := len(m.To) == 0
	for _, name := range m.To {
		add(name)
		lost = lost || !seen[name]
	}
	if lost { // where the file has changed since, rather one too many than none
		for _, route := range matched {
			add(route.RouteOpts.Receiver)
		}
	}
	return out
}

// routesTo returns by which routes a message goes to a receiver: those that fit, or
// all of the receiver's where none does, as with a summary.
func (r *Receivers) routesTo(name string, matched []*dispatch.Route) []*dispatch.RouteOpts {
	var out []*dispatch.RouteOpts
	for _, route := range matched {
		if route.RouteOpts.Receiver == name {
			out = append(out, &route.RouteOpts)
		}
	}
	if len(out) > 0 {
		return out
	}
	r.root.Walk(func(route *dispatch.Route) {
		if route.RouteOpts.Receiver == name {
			out = append(out, &route.RouteOpts)
		}
	})
	return out
}

func (r *Receivers) receiver(name string) *config.Receiver {
	if n := slices.IndexFunc(r.config.Receivers, func(c config.Receiver) bool { return c.Name == name }); n >= 0 {
		return &r.config.Receivers[n]
	}
	return nil
}

// muted says whether the time intervals of all the routes hold a message back at now.
func (r *Receivers) muted(routes []*dispatch.RouteOpts, now time.Time) bool {
	return len(routes) > 0 && !slices.ContainsFunc(routes, func(o *dispatch.RouteOpts) bool { return r.open(o, now) })
}

// open says whether a route's time intervals let messages pass at now.
func (r *Receivers) open(o *dispatch.RouteOpts, now time.Time) bool {
	if m, _, err := r.mutes.Mutes(o.MuteTimeIntervals, now); err == nil && m {
		return false
	}
	if len(o.ActiveTimeIntervals) == 0 {
		return true
	}
	active, _, err := r.mutes.Mutes(o.ActiveTimeIntervals, now)
	return err != nil || active
}

// errRefused marks an error that no retry will mend.
var errRefused = errors.New("refused")

// result of one attempt.
type result struct {
	outcome  Outcome
	note     string            // which templates failed
	remember map[string]string // of the thread
}

// threadKeys are what integrations remember of a thread.
var threadKeys = []string{"threadTs", "channelId"}

// send makes one attempt. Errors that errors.Is errRefused need no other.
func (r *Receivers) send(ctx context.Context, m Message, s stop, remember map[string]string, now time.Time) (result, error) {
	rc := r.receiver(s.receiver)
	if rc == nil {
		return result{}, fmt.Errorf("%w: receiver %s is not configured any more", errRefused, s.receiver)
	}
	a := &alert.Alert{Alert: model.Alert{
		Labels: labelSet(m.Labels), Annotations: labelSet(m.Annotations), StartsAt: m.StartsAt, EndsAt: m.EndsAt, GeneratorURL: m.Annotations["link"],
	}, UpdatedAt: m.At}
	if m.EndsAt.IsZero() {
		a.EndsAt = now.Add(24 * time.Hour) // Alertmanager takes an end in the past for resolved
	}
	group := model.LabelSet{"incident": model.LabelValue(m.Key)}
	data := r.tmpl.Data(s.receiver, group, nil, "", a)
	repaired, failed := r.withoutBrokenTemplates(*rc, data, m.Plain)
	withKey(&repaired, m.outside())
	ints, err := receiver.BuildReceiverIntegrations(repaired, r.tmpl, r.log, commoncfg.WithKeepAlivesDisabled())
	if err != nil || s.index >= len(ints) {
		return result{}, fmt.Errorf("%w: build the integration: %w", errRefused, err)
	}
	in := ints[s.index]
	if !m.EndsAt.IsZero() && !in.SendResolved() {
		return result{outcome: Skipped}, nil
	}
	store := nflog.NewStore(nil)
	for k, v := range remember {
		store.SetStr(k, v)
	}
	ctx = amnotify.WithReceiverName(ctx, s.receiver)
	ctx = amnotify.WithGroupKey(ctx, m.Key)
	ctx = amnotify.WithGroupLabels(ctx, group)
	ctx = amnotify.WithRouteLabels(ctx, model.LabelSet{})
	ctx = amnotify.WithNow(ctx, now)
	ctx = amnotify.WithRepeatInterval(ctx, 4*time.Hour)
	ctx = amnotify.WithNotificationReason(ctx, amnotify.ReasonFirstNotification)
	ctx = amnotify.WithNflogStore(ctx, store)
	again, err := in.Notify(ctx, a)
	if err != nil {
		if !again && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", errRefused, err)
		}
		return result{}, err
	}
	out := result{outcome: Delivered, note: failed, remember: map[string]string{}}
	if failed != "" {
		out.outcome = Plainly
	}
	for _, k := range threadKeys {
		if v, ok := store.GetStr(k); ok {
			out.remember[k] = v
		}
	}
	if maps.Equal(out.remember, remember) {
		out.remember = nil
	}
	return out, nil
}

// withKey tells the other side, where it can listen, which message this is and to
// what it belongs: a webhook knows a repeat by a header, a mailbox by the
// Message-Id, and mails about one incident are one thread.
func withKey(rc *config.Receiver, key string) {
	rc.WebhookConfigs = slices.Clone(rc.WebhookConfigs)
	for n, w := range rc.WebhookConfigs {
		c := *w
		h := commoncfg.DefaultHTTPClientConfig
		if c.HTTPConfig != nil {
			h = *c.HTTPConfig
		}
		headers := map[string]commoncfg.Header{}
		if h.HTTPHeaders != nil {
			maps.Copy(headers, h.HTTPHeaders.Headers)
		}
		headers["Idempotency-Key"] = commoncfg.Header{Values: []string{key}}
		h.HTTPHeaders = &commoncfg.Headers{Headers: headers}
		c.HTTPConfig = &h
		rc.WebhookConfigs[n] = &c
	}
	rc.EmailConfigs = slices.Clone(rc.EmailConfigs)
	for n, e := range rc.EmailConfigs {
		c := *e
		c.Headers = maps.Clone(c.Headers)
		if _, own := c.Headers["Message-Id"]; !own {
			c.Headers["Message-Id"] = "<" + key + "." + strconv.Itoa(n) + "@watchbill>"
		}
		_, own := c.Headers["References"]
		if _, replies := c.Headers["In-Reply-To"]; !own && !replies && !c.Threading.Enabled {
			c.Threading = config.ThreadingConfig{Enabled: true, ThreadByDate: "none"}
		}
		rc.EmailConfigs[n] = &c
	}
}

func labelSet(m map[string]string) model.LabelSet {
	out := make(model.LabelSet, len(m))
	for k, v := range m {
		if v != "" {
			out[model.LabelName(k)] = model.LabelValue(strings.ToValidUTF8(v, "\uFFFD"))
		}
	}
	return out
}
