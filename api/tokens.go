package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
)

// Token is a bearer credential without its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      auth.Role  `json:"role"`
	User      string     `json:"user,omitempty" doc:"Whose acts it does"`
	Source    string     `json:"source,omitempty" doc:"Of role ingest: the alert source"`
	CI        string     `json:"ci,omitempty" doc:"Of role agent: the only item it may report for; without one it joins new agents"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	LastUsed  *time.Time `json:"last_used_at,omitempty" doc:"To the hour"`
	Expired   bool       `json:"expired,omitempty"`
	JoinLimits
	Uses int `json:"uses,omitempty" doc:"Of a join token with max_uses: the hosts that it has let in"`
}

// JoinLimits bound a join token.
type JoinLimits struct {
	MaxUses  int      `json:"max_uses,omitempty" minimum:"0" doc:"Of role agent: how many hosts it lets in; 0 or none: any number. A host that shows its earlier credential does not count"`
	Networks []string `json:"networks,omitempty" maxItems:"100" doc:"Of role agent: the networks that hosts must come from, as prefixes"`
	Site     string   `json:"site,omitempty" maxLength:"100" doc:"Of role agent: the only mesh site that its hosts may be members of"`
}

func (a *API) tokenOf(t auth.Token) Token {
	return Token{t.ID, t.Name, t.Role, t.User, t.Source, t.CI, t.CreatedAt, t.CreatedBy, t.ExpiresAt, t.LastUsed, t.Expired(a.o.Now()), JoinLimits(t.JoinLimits), t.Uses}
}

// NewToken asks for a token.
type NewToken struct {
	Name      string     `json:"name" minLength:"1" maxLength:"100" doc:"What it is for"`
	Role      string     `json:"role" enum:"viewer,responder,manager,admin,ingest,agent"`
	User      string     `json:"user,omitempty" maxLength:"64" doc:"Whose acts it does; without one records name the token"`
	Source    string     `json:"source,omitempty" maxLength:"100" doc:"Of role ingest: the alert source; tokens of one Alertmanager pair share it. Without one the token's id"`
	ExpiresIn string     `json:"expires_in,omitempty" maxLength:"20" doc:"How long it is good: 12h, 30d" example:"30d"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Until when it is good"`
	JoinLimits
}

// MadeToken is a new token with its secret, which is shown only here.
type MadeToken struct {
	Token
	Secret string `json:"token" doc:"The bearer secret. It is shown this once"`
}

type madeReply struct {
	Location string `header:"Location"`
	Body     MadeToken
}

func (a *API) makeToken(ctx context.Context, n NewToken) (*madeReply, error) {
	role, err := auth.ParseRole(n.Role)
	if err != nil {
		return nil, err
	}
	x := auth.NewToken{Name: n.Name, Role: role, User: n.User, Source: n.Source, ExpiresAt: n.ExpiresAt, JoinLimits: auth.JoinLimits(n.JoinLimits)}
	if n.ExpiresIn != "" {
		if n.ExpiresAt != nil {
			return nil, fault.Invalidf("expires_in", "give this or expires_at, not both")
		}
		d, err := Span(n.ExpiresIn)
		if err != nil || d <= 0 {
			return nil, fault.Invalidf("expires_in", "want a span such as 12h or 30d, got %q", n.ExpiresIn)
		}
		at := a.o.Now().Add(d)
		x.ExpiresAt = &at
	}
	t, secret, err := a.o.Auth.CreateToken(ctx, callOf(ctx).by(), x)
	if err != nil {
		return nil, err
	}
	return &madeReply{"/api/v1/tokens/" + t.ID, MadeToken{a.tokenOf(t), secret}}, nil
}

// Span reads 90s, 12h, 30d, 2w.
func Span(s string) (time.Duration, error) {
	for unit, each := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			var days int
			if _, err := fmt.Sscanf(n, "%d", &days); err != nil || fmt.Sprint(days) != n || days > 36500 {
				return 0, fmt.Errorf("not a number of days")
			}
			return time.Duration(days) * each, nil
		}
	}
	return time.ParseDuration(s)
}

// Source is a sender of alerts, with its health.
type Source struct {
	Source    string     `json:"source" doc:"Its name in alerts"`
	State     string     `json:"state" enum:"never,healthy,silent" doc:"never heard since it exists, heard of late, or silent: for longer than an alert may go unmentioned, or its watchdog is missing, or its alerts are stale"`
	Why       string     `json:"why,omitempty" doc:"What speaks for silent"`
	Warning   string     `json:"warning,omitempty" doc:"What is not known of it, and the mend"`
	LastHeard *time.Time `json:"last_heard_at,omitempty"`
	Truncated uint64     `json:"truncated_alerts" doc:"Alerts that it left out of its bodies so far (max_alerts): they were never received"`
	Clamped   uint64     `json:"clamped_alerts" doc:"Alerts whose starts_at lay in the future or too far back so far: a clock may be wrong"`
	Stale     int        `json:"stale_alerts" doc:"Its alerts that nobody has spoken of for too long"`
	Tokens    []Token    `json:"tokens" nullable:"false" doc:"The credentials it may use; empty: all were revoked"`
}

func (a *API) sources(ctx context.Context) ([]Source, error) {
	heard := a.o.Engine.Status().Correlator.Sources
	byName := map[string]*Source{}
	at := func(name string) *Source {
		if byName[name] == nil {
			byName[name] = &Source{Source: name, State: "never", Tokens: []Token{}}
		}
		return byName[name]
	}
	cursor := ""
	for {
		tokens, next, err := a.o.Auth.Tokens(ctx, auth.TokenFilter{Role: auth.Ingest}, cursor, 1000)
		if err != nil {
			return nil, err
		}
		for _, t := range tokens {
			s := at(t.Source)
			s.Tokens = append(s.Tokens, a.tokenOf(t))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	now := a.o.Now()
	for name, x := range heard {
		if name == event.SelfSource { // silent is what it should be
			continue
		}
		s := at(name)
		s.State, s.Truncated, s.Clamped, s.Stale = "healthy", x.Truncated, x.Clamped, x.Stale
		if !x.Heard.IsZero() {
			s.LastHeard = &x.Heard
		}
		// As the engine sees it: what makes its alerts stale makes it silent.
		var why []string
		if silent := now.Sub(x.Heard); x.Quiet > 0 && silent > x.Quiet {
			why = append(why, fmt.Sprintf("not heard for %s", silent.Truncate(time.Second)))
		}
		for _, w := range x.Missing {
			why = append(why, fmt.Sprintf("its watchdog %s is missing", w))
		}
		if x.Stale > 0 {
			why = append(why, fmt.Sprintf("%d of its alerts are stale", x.Stale))
		}
		if x.Unknown > 0 {
			s.Warning = fmt.Sprintf("nothing says how often it repeats %d of its alerts: if an end is lost, they stand open for up to %s; set correlation.expiry above repeat_interval + group_interval", x.Unknown, event.Span(x.Quiet))
		}
		if len(why) > 0 {
			s.State, s.Why = "silent", strings.Join(why, "; ")
		}
	}
	out := make([]Source, 0, len(byName))
	for _, s := range byName {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(x, y Source) int { return strings.Compare(x.Source, y.Source) })
	return out, nil
}

func sourcesOf(all []Source) order[Source] {
	return wholeList("source", filter.Record[Source](), func(s Source) string { return s.Source }, all)
}

func (a *API) tokenOrder(role auth.Role, agents bool) order[auth.Token] {
	return order[auth.Token]{
		natural: []string{"id"}, id: func(t auth.Token) string { return t.ID },
		lang: filter.From(filter.Language[Token]{Fields: map[string]filter.Field[Token]{
			"role": {Values: texts(auth.Roles()...), Text: func(t Token) []string { return []string{string(t.Role)} }},
		}}.With(filter.Record[Token]()), a.tokenOf),
		fetch: func(ctx context.Context, q filter.Query[auth.Token], _ string, at engine.Range) (engine.Page[auth.Token], error) {
			keep := func(t auth.Token) bool { return (agents || t.CI == "") && q.Keep(t) }
			items, next, err := a.o.Auth.Tokens(ctx, auth.TokenFilter{Role: role, Keep: keep}, at.Cursor, at.Limit)
			return engine.Page[auth.Token]{Items: items, Next: next}, err
		},
	}
}

func (a *API) tokenRoutes() {
	handle(a, describedAs(op(http.MethodGet, "/api/v1/tokens", "list-tokens", "credentials", "List tokens"), "Credentials of joined agents are left out unless agents is true.\n\n"+a.tokenOrder("", false).doc()),
		func(ctx context.Context, in *struct {
			Listing
			Role   string `query:"role" enum:"viewer,responder,manager,admin,ingest,agent"`
			Agents bool   `query:"agents" doc:"Also the credentials of agents that joined"`
		}) (*reply[Page[Token]], error) {
			return page(ctx, a, a.tokenOrder(auth.Role(in.Role), in.Agents), in.Listing, a.tokenOf)
		})
	create := op(http.MethodPost, "/api/v1/tokens", "create-token", "credentials", "Make a token; its secret is shown once")
	create.DefaultStatus = http.StatusCreated
	handle(a, create, func(ctx context.Context, in *struct{ Body NewToken }) (*madeReply, error) {
		return a.makeToken(ctx, in.Body)
	})
	revoke := op(http.MethodDelete, "/api/v1/tokens/{id}", "revoke-token", "credentials", "End a token at once")
	revoke.DefaultStatus = http.StatusNoContent
	handle(a, revoke, func(ctx context.Context, in *ByID) (*noBody, error) {
		return nil, a.o.Auth.RevokeToken(ctx, callOf(ctx).by(), in.ID)
	})

	handle(a, describedAs(op(http.MethodGet, "/api/v1/sources", "list-sources", "credentials", "Senders of alerts with their health"), sourcesOf(nil).doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[Source]], error) {
			all, err := a.sources(ctx)
			if err != nil {
				return nil, err
			}
			return page(ctx, a, sourcesOf(all), *in, asKept)
		})
	source := op(http.MethodPost, "/api/v1/sources", "create-source", "credentials", "Let a sender of alerts in: makes its ingest token")
	source.DefaultStatus = http.StatusCreated
	handle(a, source, func(ctx context.Context, in *struct{ Body NewSource }) (*sourceReply, error) {
		x, err := a.makeToken(ctx, NewToken{Name: in.Body.Name, Role: string(auth.Ingest), Source: in.Body.Source})
		if err != nil {
			return nil, err
		}
		return &sourceReply{x.Location, MadeSource{x.Body, a.o.Auth.Snippet(a.base(ctx), x.Body.Secret)}}, nil
	})
}

// NewSource asks for a source.
type NewSource struct {
	Name   string `json:"name" minLength:"1" maxLength:"100" doc:"What it is, e.g. Alertmanager of cluster a"`
	Source string `json:"source,omitempty" maxLength:"100" doc:"Its name in alerts; give an existing one for the other half of a pair"`
}

// MadeSource is a new source's token, with the Alertmanager configuration that uses it.
type MadeSource struct {
	MadeToken
	Alertmanager string `json:"alertmanager" doc:"Alertmanager configuration with the ready receiver"`
}

type sourceReply struct {
	Location string `header:"Location"`
	Body     MadeSource
}
